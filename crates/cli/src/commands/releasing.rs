//! Commands that change a target: apply, release, cancel, rollback; and watch.

use gonogo_app::applying::{self, Apply};
use gonogo_app::approving::{self, Given, Say};
use gonogo_app::doors::{
    ApplyChange, ApprovalDecide, BackTo, Decision, Handle, Key, OperationCancel, OperationGet,
    OperationRef, OperationShow, PlanChange, PlanGet, PlanRef, RollbackChange, RollbackStatus,
    VersionName, Why,
};
use gonogo_app::rolling_back;
use gonogo_app::{AppError, Workspace, driving, elsewhere, following};
use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Exit, Fingerprint, Reason, Span};
use gonogo_release::machine::Ending;
use gonogo_release::plan::{Plan, PlanKind};
use serde_json::{Value, json};

use super::{Answer, controls, live, way, way_back};
use crate::args;
use crate::args::{Select, Waiting};
use crate::screen::{Screen, Tone};
use crate::way::Way;

pub fn apply(select: &Select, a: &args::Apply, screen: &Screen) -> Answer {
    let way = way(select, screen, false)?;
    let wanted = PlanGet {
        plan: PlanRef(a.plan.clone()),
    };
    way.admit(&wanted)?;
    let Some(ws) = way.here() else {
        if !a.approval.is_empty() {
            let text = "`--approval` reads files of this machine, and the server has none of them";
            return Err(AppError::new(Reason::ArgumentInvalid, text)
                .hint("give the approval to the server first: `gonogo approval submit FILE`"));
        }
        let plan = way.ask(&wanted)?.data.plan;
        live::say_plan(screen, &plan);
        let key = a.idempotency_key.clone();
        return begin_there(&way, &plan, key, &a.waiting, "apply_change", screen);
    };
    let id = gonogo_app::planning::find(ws, &a.plan)?;
    // One that cannot be read is refused where it is applied, and that is recorded.
    if let Ok(plan) = gonogo_app::planning::read(ws, &id) {
        way.admit(&there(&plan, a.idempotency_key.clone()))?;
        live::say_plan(screen, &plan);
    }
    for file in &a.approval {
        approving::read_file(file)?;
    }
    let how = Apply {
        key: a.idempotency_key.clone(),
        approvals: a.approval.clone(),
        ..Apply::default()
    };
    begin_here(&way, ws, &id, &how, &a.waiting, "apply_change", screen)
}

fn begin_here(
    way: &Way,
    ws: &Workspace,
    id: &PlanId,
    how: &Apply,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    // What is measured is the submission, as at every door, and not the rollout that may be waited for.
    let (begun, known) = way.measured("apply_change", |ws| {
        let begun = applying::apply(ws, id, how)?;
        let id = &begun.operation_id;
        let known = ws.store.operation(id)?;
        say_begun(screen, id, begun.fresh, known.terminal.is_some());
        let most = Span::from_secs(27);
        let within = waiting.timeout.map_or(most, |timeout| timeout.min(most));
        elsewhere::sent(ws, id, begun.fresh, within)?;
        Ok((begun, known))
    })?;
    let id = begun.operation_id.clone();
    let more = accepted(
        use_case,
        begun.fresh,
        known.fingerprint,
        how.key.as_deref().unwrap_or(known.plan.as_str()),
    );
    if waiting.detach {
        if known.terminal.is_none() {
            driving::spawn(ws, &id)?;
        }
        let handle = Handle::of(&known, "");
        return detached(way, screen, use_case, &known.plan, &handle, &more);
    }
    let seen = live::see_through(way, &id, screen, waiting.timeout)?;
    live::finish(screen, use_case, seen, &more)
}

/// What a server is asked to apply.
fn there(plan: &Plan, key: Option<String>) -> ApplyChange {
    ApplyChange {
        plan_fingerprint: plan.fingerprint,
        plan: Some(PlanRef(plan.id.to_string())),
        // The plan's own key: what the project itself takes where a caller has none.
        idempotency_key: Key(key.unwrap_or_else(|| plan.id.to_string())),
        mode: None,
    }
}

fn begin_there(
    way: &Way,
    plan: &Plan,
    key: Option<String>,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    let begun = way.ask(&there(plan, key))?;
    let more = accepted(
        use_case,
        begun.data.fresh,
        plan.fingerprint,
        &begun.data.idempotency_key,
    );
    let Some(handle) = &begun.handle else {
        let text = "the server began something and gave no handle";
        return Err(AppError::new(Reason::ServerAnswer, text));
    };
    let id = &handle.operation_id;
    say_begun(screen, id, begun.data.fresh, begun.exit != Exit::Running);
    if waiting.detach {
        return detached(way, screen, use_case, &plan.id, handle, &more);
    }
    let seen = live::see_through(way, id, screen, waiting.timeout)?;
    live::finish(screen, use_case, seen, &more)
}

/// What the use case's schema has of an application, or of a rollback, besides what became of the operation.
fn accepted(use_case: &str, fresh: bool, fingerprint: Fingerprint, key: &str) -> Value {
    let mut more = json!({"accepted": true, "fresh": fresh, "planFingerprint": fingerprint, "idempotencyKey": key});
    if use_case == "rollback_change" {
        more = live::with(more, &going_back());
    }
    more
}

/// What the schema of a rollback has: whether it goes back, and not how that ended, which is the `result`.
fn going_back() -> Value {
    json!({"status": RollbackStatus::GoingBack, "missing": []})
}

fn say_begun(screen: &Screen, id: &OperationId, fresh: bool, ended: bool) {
    screen.talk(&match (fresh, ended) {
        (true, _) => format!("operation {id}"),
        (false, true) => format!(
            "operation {id} was begun by this request before and has ended; this is its result, and what serves now says `gonogo status`"
        ),
        (false, false) => {
            format!("operation {id} was begun by this request before; following it")
        }
    });
}

/// Ends a command that does not wait: with how the operation stands, which may have ended before.
fn detached(
    way: &Way,
    screen: &Screen,
    use_case: &str,
    plan: &PlanId,
    handle: &Handle,
    more: &Value,
) -> Answer {
    let id = &handle.operation_id;
    let stands = way.ask(&OperationGet {
        operation: OperationRef(id.to_string()),
    })?;
    let doc = &stands.data;
    let mut data =
        json!({"handle": handle, "operationId": id, "planId": plan, "status": doc.status});
    if let Some(result) = &doc.result {
        data["result"] = json!(result);
        data["operation"] = json!(doc);
        data["reasonCodes"] = json!(doc.reasons);
    }
    screen.answer(use_case, live::with(data, more));
    screen.say(&match &doc.result {
        None => format!("running   {id} · follow it with `gonogo watch {id}`"),
        Some(result) => format!(
            "{}  {id} · it has ended; see `gonogo ops show {id}`",
            result.replace('_', " ")
        ),
    });
    Ok(match &doc.result {
        None => Exit::Running,
        Some(_) => stands.exit,
    })
}

pub fn release(select: &Select, a: &args::Release, screen: &Screen) -> Answer {
    let way = way(select, screen, false)?;
    let wanted = PlanChange {
        environment: a.wanted.env.clone().map(Into::into),
        version: VersionName(a.wanted.to.clone().unwrap_or_default()),
    };
    let planned = way.ask(&wanted)?.data;
    let Some(plan) = &planned.plan_result else {
        return super::planning::nothing_to_do(screen, "release", &planned);
    };
    super::planning::say_warnings(screen, &planned.findings);
    live::say_plan(screen, plan);
    approve_and_begin(&way, plan, &a.waiting, "release", screen)
}

/// Approves the plan in the caller's name where the environment allows that, then applies it.
fn approve_and_begin(
    way: &Way,
    plan: &Plan,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    match way.here() {
        Some(ws) => {
            if is_own(plan) {
                let say = Say::default();
                let given = way.measured("approval_decide", |ws| {
                    approving::approve(ws, &plan.id, &say)
                })?;
                say_given(screen, plan, &given);
            }
            let how = Apply::default();
            begin_here(way, ws, &plan.id, &how, waiting, use_case, screen)
        }
        None => {
            if is_own(plan) {
                let given = way.ask(&ApprovalDecide {
                    plan: PlanRef(plan.id.to_string()),
                    plan_fingerprint: plan.fingerprint,
                    decision: Decision::Approved,
                    role: None,
                    sla_minutes: None,
                    note: None,
                    on_behalf_of: None,
                })?;
                say_given(screen, plan, &given.data);
            }
            begin_there(way, plan, None, waiting, use_case, screen)
        }
    }
}

fn is_own(plan: &Plan) -> bool {
    plan.body.approval.own && plan.body.approval.required <= 1
}

fn approve_if_own(ws: &Workspace, plan: &Plan, screen: &Screen) -> Result<(), AppError> {
    if is_own(plan) {
        let given = approving::approve(ws, &plan.id, &Say::default())?;
        say_given(screen, plan, &given);
    }
    Ok(())
}

/// Approves and submits, and returns the operation for the caller to follow.
pub fn approve_and_submit(
    ws: &Workspace,
    plan: &Plan,
    screen: &Screen,
) -> Result<OperationId, AppError> {
    approve_if_own(ws, plan, screen)?;
    Ok(applying::apply(ws, &plan.id, &Apply::default())?.operation_id)
}

/// Says an approval in one line.
pub fn say_given(screen: &Screen, plan: &Plan, given: &Given) {
    let own = if given.own {
        match given.approval.decision.as_str() {
            "approved" => format!(" (self, allowed in `{}`)", plan.body.environment),
            _ => " (who asked)".into(),
        }
    } else {
        String::new()
    };
    // A yes ends; a no stands until its giver says yes.
    let until = if given.approval.decision == "approved" {
        format!("until {} UTC", &given.expires.clock_text()[..5])
    } else {
        "until they approve".into()
    };
    screen.say(&format!(
        "{:<9} {}  {}{own} · binds {}… · {until}",
        given.approval.decision,
        given.approval.approval_id,
        given.approval.approver_id,
        &plan.fingerprint.short()[..4],
    ));
    if given.approval.decision == "approved" && !given.rejected_by.is_empty() {
        let text = format!(
            "          it does not count yet: {} rejected the plan, and only their own later approval takes that back",
            given.rejected_by.join(", ")
        );
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
    if let Some(why) = &given.stale {
        let text = format!("          the plan could not be applied here now: {why}");
        screen.talk(&screen.paint(Tone::Wait, &text));
    }
}

pub fn watch(select: &Select, a: &args::Watch, screen: &Screen) -> Answer {
    let way = way(select, screen, false)?;
    let wanted = OperationShow {
        operation: OperationRef(a.operation.clone()),
    };
    let shown = way.ask(&wanted)?.data;
    live::say_plan(screen, &shown.plan);
    let id = &shown.operation.operation_id;
    let seen = live::see_through(&way, id, screen, a.timeout)?;
    live::finish(screen, "operation_watch", seen, &Value::Null)
}

pub fn cancel(select: &Select, a: &args::Cancel, screen: &Screen) -> Answer {
    confirmed(
        a.yes,
        &format!("`cancel` takes back what `{}` has done so far", a.operation),
    )?;
    let way = way_back(select, screen)?;
    let wanted = OperationCancel {
        operation: OperationRef(a.operation.clone()),
        why: Why(a.why.clone()),
    };
    let (id, handle) = match way.here() {
        Some(_) => way.held(&wanted, |ws| {
            let id = following::cancel(ws, &a.operation, &a.why)?;
            let handle = Handle::of(&ws.store.operation(&id)?, "");
            Ok((id, Some(handle)))
        })?,
        None => {
            let asked = way.ask(&wanted)?;
            (asked.data.operation_id, asked.handle)
        }
    };
    let ended = way.ask(&OperationGet {
        operation: OperationRef(id.to_string()),
    })?;
    match &ended.data.result {
        None => screen.talk(&format!("asked {id} to go back")),
        Some(_) => screen.talk(&format!("{id} was cancelled before and has ended")),
    }
    let seen = match follow_back(
        &way,
        (&id, handle.as_ref()),
        &a.waiting,
        "operation_cancel",
        screen,
    )? {
        Back::Left(exit) => return Ok(exit),
        Back::Seen(seen) => seen,
    };
    let result = ending(&seen);
    let exit = live::finish(screen, "operation_cancel", seen, &Value::Null)?;
    Ok(match result {
        // The request was to end it: a cancelled operation is that request done, and one that came to its end is not.
        Some(Ending::Cancelled) => Exit::Done,
        Some(Ending::Promoted) => {
            screen.talk(&format!(
                "{id} came to its end all the same; to go back: `gonogo rollback --yes`"
            ));
            Exit::Hold
        }
        _ => exit,
    })
}

fn ending(seen: &live::Seen) -> Option<Ending> {
    match seen {
        live::Seen::Ended(_, terminal) => Some(terminal.result),
        live::Seen::Left(_) => None,
    }
}

/// An operation that goes back, as far as it was followed.
enum Back {
    /// Nobody waits for it.
    Left(Exit),
    Seen(live::Seen),
}

fn follow_back(
    way: &Way,
    (id, handle): (&OperationId, Option<&Handle>),
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Result<Back, AppError> {
    if !waiting.detach {
        return live::see_through(way, id, screen, waiting.timeout).map(Back::Seen);
    }
    if let Some(ws) = way.here() {
        driving::pick_up(ws)?;
    }
    let more = match use_case {
        "rollback_change" => going_back(),
        _ => Value::Null,
    };
    let stands = way.ask(&OperationShow {
        operation: OperationRef(id.to_string()),
    })?;
    let (plan, doc) = (&stands.data.plan.id, &stands.data.operation);
    let Some(handle) = handle else {
        let text = "the server asked it to go back and gave no handle";
        return Err(AppError::new(Reason::ServerAnswer, text));
    };
    let exit = detached(way, screen, use_case, plan, handle, &more)?;
    // As where it is waited for.
    Ok(Back::Left(match doc.result.as_deref() {
        Some("cancelled") if use_case == "operation_cancel" => Exit::Done,
        _ => exit,
    }))
}

/// So often it is gone back again where what ran came to its end all the same.
const TRIES: u32 = 3;

pub fn rollback(select: &Select, a: &args::Rollback, screen: &Screen) -> Answer {
    if a.show {
        let way = way_back(select, screen)?;
        return controls::show_rollback(&way, a.env.as_deref(), a.to.as_deref(), screen);
    }
    confirmed(
        a.yes,
        "`rollback` moves all traffic to another version at once",
    )?;
    let way = way_back(select, screen)?;
    let wanted = RollbackChange {
        environment: a.env.clone().map(Into::into),
        to: a.to.clone().map(BackTo),
        why: Why(a.why.clone()),
    };
    for left in (0..TRIES).rev() {
        let (id, handle) = match ask_back(&way, &wanted, screen) {
            Err(e) if left > 0 && !a.waiting.detach && e.details["pastReturn"] == true => {
                let id = e.details["operationId"].as_str().unwrap_or_default();
                let id: OperationId = id.parse().map_err(|_| e.clone())?;
                screen.talk(&format!("{}; waiting for its end", e.message));
                let seen = live::see_through(&way, &id, screen, a.waiting.timeout)?;
                if ending(&seen) == Some(Ending::Promoted) {
                    continue;
                }
                // Nobody waits any more; or it has gone back after all, and further back is nobody's wish.
                return live::finish(screen, "rollback_change", seen, &going_back());
            }
            Err(e) => return Err(e),
            Ok(Asked::Plan(plan)) => {
                return approve_and_begin(&way, &plan, &a.waiting, "rollback_change", screen);
            }
            Ok(Asked::Operation(id, handle)) => (id, handle),
        };
        let seen = match follow_back(
            &way,
            (&id, Some(&handle)),
            &a.waiting,
            "rollback_change",
            screen,
        )? {
            Back::Left(exit) => return Ok(exit),
            Back::Seen(seen) => seen,
        };
        let release = matches!(&seen, live::Seen::Ended(shown, _) if shown.plan.body.kind == PlanKind::Release);
        let promoted = release && ending(&seen) == Some(Ending::Promoted);
        if promoted && left > 0 {
            screen.talk(&format!(
                "{id} came to its end all the same; going back from there"
            ));
            continue;
        }
        let cancelled = ending(&seen) == Some(Ending::Cancelled);
        let exit = live::finish(screen, "rollback_change", seen, &going_back())?;
        return Ok(match (cancelled, promoted) {
            (true, _) => Exit::Done,
            (_, true) => Exit::Hold,
            _ => exit,
        });
    }
    let text = "what ran came to its end each time before it could be taken back";
    Err(AppError::new(Reason::OperationEnded, text))
}

/// What goes back.
enum Asked {
    /// This operation, already or because of this.
    Operation(OperationId, Box<Handle>),
    /// This plan, once it is applied.
    Plan(Box<Plan>),
}

fn ask_back(way: &Way, wanted: &RollbackChange, screen: &Screen) -> Result<Asked, AppError> {
    if way.here().is_none() {
        return ask_back_there(way, wanted, screen);
    }
    let (environment, to) = (wanted.environment.as_ref(), wanted.to.as_ref());
    let (back, handle) = way.held(wanted, |ws| {
        let environment = environment.map(|e| e.0.as_str());
        let to = to.map(|t| t.0.as_str());
        let back = rolling_back::roll_back(ws, environment, to, &wanted.why.0)?;
        let handle = match &back {
            rolling_back::Way::Running(id) | rolling_back::Way::Cancelled(id) => {
                Some(Handle::of(&ws.store.operation(id)?, ""))
            }
            rolling_back::Way::Planned(_) => None,
        };
        Ok((back, handle))
    })?;
    let operation = |id: OperationId| match handle {
        Some(handle) => Ok(Asked::Operation(id, Box::new(handle))),
        None => Err(AppError::new(
            Reason::Internal,
            "an operation without a handle",
        )),
    };
    match back {
        rolling_back::Way::Running(id) => {
            screen.talk(&format!(
                "{id} goes back already; following it (to stop it: `gonogo cancel {id} --yes`)"
            ));
            operation(id)
        }
        rolling_back::Way::Cancelled(id) => {
            screen.talk(&format!("{id} was running; asked it to go back"));
            operation(id)
        }
        rolling_back::Way::Planned(planned) => {
            super::planning::say_warnings(screen, &planned.findings);
            live::say_plan(screen, &planned.plan);
            Ok(Asked::Plan(Box::new(planned.plan)))
        }
    }
}

fn ask_back_there(way: &Way, wanted: &RollbackChange, screen: &Screen) -> Result<Asked, AppError> {
    let answered = way.ask(wanted)?;
    if let Some(handle) = &answered.handle {
        let id = &handle.operation_id;
        screen.talk(&format!("{id} goes back"));
        return Ok(Asked::Operation(id.clone(), Box::new(handle.clone())));
    }
    let Some(id) = &answered.data.plan_id else {
        let text = "the server goes back neither now nor by a plan";
        return Err(AppError::new(Reason::ServerAnswer, text));
    };
    let wanted = PlanGet {
        plan: PlanRef(id.to_string()),
    };
    let plan = way.ask(&wanted)?.data.plan;
    live::say_plan(screen, &plan);
    Ok(Asked::Plan(Box::new(plan)))
}

fn confirmed(yes: bool, what: &str) -> Result<(), AppError> {
    if yes {
        return Ok(());
    }
    let text = format!("{what}; this was not confirmed, and nothing was changed");
    Err(AppError::new(Reason::NotConfirmed, text))
}
