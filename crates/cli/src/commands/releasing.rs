//! Commands that change a target: apply, release, cancel, rollback; and watch.

use std::sync::Arc;

use gonogo_app::applying::{self, Apply};
use gonogo_app::approving::{self, Given, Say};
use gonogo_app::rolling_back::{self, Way};
use gonogo_app::{AppError, Workspace, driving, following};
use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Exit, Reason};
use gonogo_release::plan::Plan;
use serde_json::json;

use super::{Answer, live, open, open_to_retreat};
use crate::args;
use crate::args::{Select, Waiting};
use crate::screen::{Screen, Tone};

pub fn apply(select: &Select, a: &args::Apply, screen: &Screen) -> Answer {
    let ws = Arc::new(open(select, screen, false)?);
    let id = gonogo_app::planning::find(&ws, &a.plan)?;
    let plan = gonogo_app::planning::read(&ws, &id);
    if let Ok(plan) = &plan {
        live::say_plan(screen, plan);
    }
    let how = Apply {
        key: a.idempotency_key.clone(),
        approvals: a.approval.clone(),
    };
    begin(&ws, &id, &how, &a.waiting, "apply_change", screen)
}

fn begin(
    ws: &Arc<Workspace>,
    id: &PlanId,
    how: &Apply,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    let handle = applying::apply(ws, id, how)?;
    let id = handle.operation_id.clone();
    if handle.fresh {
        screen.talk(&format!("operation {id}"));
    } else {
        let ended = ws.store.operation(&id)?.terminal.is_some();
        screen.talk(&if ended {
            format!(
                "operation {id} was begun by this request before and has ended; this is its result, and what serves now says `gonogo status`"
            )
        } else {
            format!("operation {id} was begun by this request before; following it")
        });
    }
    if waiting.detach {
        driving::spawn(ws, &id)?;
        screen.answer(use_case, json!({"handle": handle, "status": "running"}));
        screen.say(&format!(
            "running   {id} · follow it with `gonogo watch {id}`"
        ));
        return Ok(Exit::Running);
    }
    let seen = live::drive_and_follow(ws, &id, screen, waiting.timeout)?;
    live::finish(ws, screen, use_case, seen)
}

pub fn release(select: &Select, a: &args::Release, screen: &Screen) -> Answer {
    let ws = Arc::new(open(select, screen, false)?);
    let version = a.wanted.to.as_deref().unwrap_or_default();
    let planned = match gonogo_app::planning::plan(&ws, a.wanted.env.as_deref(), version) {
        Ok(planned) => planned,
        Err(e) if e.reason == Reason::NothingToDo => {
            screen.answer(
                "release",
                json!({"status": "nothing_to_do", "text": e.message}),
            );
            screen.say(&format!("nothing to do: {}", e.message));
            return Ok(Exit::Done);
        }
        Err(e) => return Err(e),
    };
    super::planning::say_warnings(screen, &planned.findings);
    live::say_plan(screen, &planned.plan);
    approve_and_begin(&ws, &planned.plan, &a.waiting, "release", screen)
}

/// Approves the plan in the caller's name where the environment allows that, then applies it.
fn approve_and_begin(
    ws: &Arc<Workspace>,
    plan: &Plan,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    approve_if_own(ws, plan, screen)?;
    begin(ws, &plan.id, &Apply::default(), waiting, use_case, screen)
}

fn approve_if_own(ws: &Workspace, plan: &Plan, screen: &Screen) -> Result<(), AppError> {
    if plan.body.approval.own && plan.body.approval.required <= 1 {
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
    let ws = Arc::new(open(select, screen, false)?);
    let view = following::operation(&ws, &a.operation)?;
    live::say_plan(screen, &view.plan);
    let seen = live::drive_and_follow(&ws, &view.id, screen, a.timeout)?;
    live::finish(&ws, screen, "operation_watch", seen)
}

pub fn cancel(select: &Select, a: &args::Cancel, screen: &Screen) -> Answer {
    confirmed(
        a.yes,
        &format!("`cancel` takes back what `{}` has done so far", a.operation),
    )?;
    let ws = retreating(select, screen)?;
    let id = following::cancel(&ws, &a.operation, &a.why)?;
    screen.talk(&format!("asked {id} to go back"));
    follow_back(&ws, &id, &a.waiting, "operation_cancel", screen)
}

fn follow_back(
    ws: &Arc<Workspace>,
    id: &OperationId,
    waiting: &Waiting,
    use_case: &str,
    screen: &Screen,
) -> Answer {
    if waiting.detach {
        driving::pick_up(ws)?;
        screen.answer(use_case, json!({"operationId": id, "status": "running"}));
        return Ok(Exit::Running);
    }
    let seen = live::drive_and_follow(ws, id, screen, waiting.timeout)?;
    // The request was to end it: a cancelled operation is that request done.
    let cancelled = matches!(&seen, live::Seen::Ended(_, t) if t.result == gonogo_release::machine::Ending::Cancelled);
    let exit = live::finish(ws, screen, use_case, seen)?;
    Ok(if cancelled { Exit::Done } else { exit })
}

pub fn rollback(select: &Select, a: &args::Rollback, screen: &Screen) -> Answer {
    confirmed(
        a.yes,
        "`rollback` moves all traffic to another version at once",
    )?;
    let ws = retreating(select, screen)?;
    match rolling_back::roll_back(&ws, a.env.as_deref(), a.to.as_deref(), &a.why)? {
        Way::Running(id) => {
            screen.talk(&format!(
                "{id} goes back already; following it (to stop it: `gonogo cancel {id} --yes`)"
            ));
            follow_back(&ws, &id, &a.waiting, "rollback_change", screen)
        }
        Way::Cancelled(id) => {
            screen.talk(&format!("{id} was running; asked it to go back"));
            follow_back(&ws, &id, &a.waiting, "rollback_change", screen)
        }
        Way::Planned(planned) => {
            live::say_plan(screen, &planned.plan);
            approve_and_begin(&ws, &planned.plan, &a.waiting, "rollback_change", screen)
        }
    }
}

/// Opens the project for a command that goes back.
fn retreating(select: &Select, screen: &Screen) -> Result<Arc<Workspace>, AppError> {
    Ok(Arc::new(open_to_retreat(select, screen, false)?))
}

fn confirmed(yes: bool, what: &str) -> Result<(), AppError> {
    if yes {
        return Ok(());
    }
    let text = format!("{what}; this was not confirmed, and nothing was changed");
    Err(AppError::new(Reason::NotConfirmed, text))
}
