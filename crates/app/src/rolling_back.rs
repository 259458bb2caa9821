//! Rollback: of the operation that runs, or to the last known-good version before the one that serves.

use std::time::Duration;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_release::machine::{Ending, Phase};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::Operation;
use gonogo_store::ledger::Draft;

use crate::config::Environment;
use crate::identity::Identity;
use crate::planning::Planned;
use crate::{AppError, Workspace, applying, following, going_back, hosting, planning, reserve};

/// Kind of the record that says who asked for a way back, and why.
pub const ASKED: &str = "rollback";

/// What a request notes where it takes an operation back.
const CANCEL: &str = "cancel";

/// So long it is waited for what a controller makes of the wish to take its operation back.
const SETTLES: Span = Span::from_millis(1_500);
/// How often it is looked.
const LOOK: Duration = Duration::from_millis(20);

/// What a rollback leads to.
#[derive(Debug)]
pub enum Way {
    /// A way back runs already: asking again changes nothing.
    Running(OperationId),
    /// An operation runs: it was asked to go back.
    Cancelled(OperationId),
    /// Nothing runs: this plan goes back to known-good.
    Planned(Box<Planned>),
}

/// Prepares the way back. `to` names a known-good version, or a plan that went to one; the pinned one, or the one before the serving one,
/// if absent, which is never one that was itself rolled back from.
///
/// # Errors
/// [`Reason::NoKnownGood`], [`Reason::KnownGoodGone`].
pub fn roll_back(
    ws: &Workspace,
    environment: Option<&str>,
    to: Option<&str>,
    why: &str,
) -> Result<Way, AppError> {
    crate::secrets::refuse(why, "$.why")?;
    match way_back(ws, environment, to, why) {
        // What ran has ended since it was looked at: now it is gone back from there.
        Err(e) if e.reason == Reason::OperationEnded => way_back(ws, environment, to, why),
        Err(e) if e.reason == Reason::StoreFull && reserve::give_up(ws) => {
            way_back(ws, environment, to, why)
        }
        way => way,
    }
}

fn way_back(
    ws: &Workspace,
    environment: Option<&str>,
    to: Option<&str>,
    why: &str,
) -> Result<Way, AppError> {
    let now = ws.now()?;
    let environment = ws.config.environment(environment)?;
    if let Some(way) = before(ws, environment, why, now)? {
        return Ok(way);
    }
    let open = ws.store.open_operations()?;
    let mut open = open.into_iter().map(|o| o.operation);
    if let Some(open) = open.find(|o| o.environment == environment.name)
        && let Some(way) = take_back(ws, &open, to, why)?
    {
        return Ok(way);
    }
    let me = planning::asker(ws, environment)?;
    hosting::ensure_agent(ws, environment)?;
    let base = hosting::observe(ws, environment)?;
    let chosen = going_back::target(ws, environment, &base, to)?;
    let good = chosen.good;
    // What ran then, to the byte: the agent kept it under its digest.
    let body = planning::assemble(ws, environment, chosen.spec, base, PlanKind::Rollback)?;
    let planned = planning::keep(ws, body, &me, now)?;
    // Why, beside the plan: the plan itself says only what.
    let mut asked = serde_json::json!({
        "why": why, "to": good.version, "content": good.content, "evidence": good.operation, "saidBy": good.said_by,
    });
    if let Some(pin) = &chosen.past {
        asked["pastPin"] = serde_json::json!(pin);
    }
    ask(ws, &planned.plan, &me, asked, now)?;
    Ok(Way::Planned(Box::new(planned)))
}

/// Says who asked for a way back, and why.
fn ask(
    ws: &Workspace,
    plan: &Plan,
    me: &Identity,
    asked: serde_json::Value,
    now: Timestamp,
) -> Result<(), AppError> {
    ws.append(vec![Draft {
        stream: planning::stream(&plan.id),
        key: format!("rollback/{}", crate::identity::nonce()),
        kind: ASKED.into(),
        subject: vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: me.name.clone(),
        body: asked,
        signer: None,
    }])?;
    Ok(())
}

/// What this request has begun before it was cut off: what came since is nothing of its own, and is left alone.
fn before(
    ws: &Workspace,
    environment: &Environment,
    why: &str,
    now: Timestamp,
) -> Result<Option<Way>, AppError> {
    if let Some(plan) = ws.left_as::<Plan>("plan", "")? {
        let me = planning::asker(ws, environment)?;
        let to = &plan.body.to;
        let asked = serde_json::json!({"why": why, "to": to.version, "content": to.content()?});
        let planned = planning::keep(ws, plan.body.clone(), &me, now)?;
        if ws.left(ASKED)?.is_none() {
            ask(ws, &planned.plan, &me, asked, now)?;
        }
        return Ok(Some(Way::Planned(Box::new(planned))));
    }
    let Some(id) = ws.intended(CANCEL).pop() else {
        return Ok(None);
    };
    let known = following::find(ws, &id)?;
    match known.terminal.as_ref().map(|t| t.result) {
        None => following::cancel(ws, &id, why).map(|id| Some(Way::Cancelled(id))),
        Some(Ending::Promoted) => {
            let text = format!("operation `{id}`, which this was to take back, ended as promoted");
            Err(AppError::new(Reason::OperationEnded, text)
                .hint("to go back from what serves now, ask with another key"))
        }
        Some(_) => Ok(Some(Way::Running(known.id))),
    }
}

/// Takes back what runs; none if it has ended as promoted meanwhile, so that it is gone back from there.
fn take_back(
    ws: &Workspace,
    open: &Operation,
    to: Option<&str>,
    why: &str,
) -> Result<Option<Way>, AppError> {
    let id = &open.id;
    let plan = applying::plan_of(ws, &open.plan)?;
    let back = plan.body.kind == PlanKind::Rollback;
    // Where it leads to: a way back to its version, anything else to what served before.
    let leads = match back {
        true => Some(plan.body.to.version.as_str()),
        false => plan.body.from.as_ref().map(|from| from.version.as_str()),
    };
    if let Some(to) = to
        && leads != Some(to)
        && !(back && plan.id.as_str() == to)
    {
        let text = format!(
            "operation `{id}` runs in `{}`, and going back from it leads to {}, not to `{}`; nothing was changed",
            open.environment,
            leads.map_or("nothing that served".to_owned(), |v| format!("`{v}`")),
            to.escape_debug()
        );
        return Err(AppError::new(Reason::OperationOpen, text)
            .hint(format!("end it first: `gonogo cancel {id} --yes`"))
            .hint(format!(
                "then: `gonogo rollback --to {} --yes`",
                to.escape_debug()
            )));
    }
    // To take a rollback back is another wish, and has its own command: `cancel`.
    if back || open.phase == Phase::RollingBack {
        return Ok(Some(Way::Running(id.clone())));
    }
    if is_past_return(open) {
        return Err(past_return(id));
    }
    ws.intend(CANCEL, id.as_str())?;
    following::cancel(ws, id.as_str(), why)?;
    settled(ws, id)
}

/// Whether what served before is being stopped already.
fn is_past_return(open: &Operation) -> bool {
    let state: Option<serde_json::Value> = open
        .snapshot
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    open.phase == Phase::Retire && state.is_some_and(|s| s["pivoted"] == true)
}

/// It retires what served before, and nothing takes it back any more.
fn past_return(id: &OperationId) -> AppError {
    let text = format!(
        "operation `{id}` is retiring what served before and cannot be taken back any more; once it has ended, it is gone back from it"
    );
    AppError::new(Reason::OperationOpen, text)
        .hint(format!(
            "follow it to its end: `gonogo watch {id}`; then: `gonogo rollback --yes`"
        ))
        .with("operationId", id.as_str())
        .with("pastReturn", true)
}

/// What became of the wish to take an operation back, as far as that is settled soon: its controller may have been past that point.
fn settled(ws: &Workspace, id: &OperationId) -> Result<Option<Way>, AppError> {
    let begin = ws.clock.now().mono_ms;
    while following::driven(ws, id)? {
        let known = ws.store.operation(id)?;
        match known.terminal.as_ref().map(|t| t.result) {
            Some(Ending::Promoted) => return Ok(None),
            Some(_) => break,
            None if is_past_return(&known) => return Err(past_return(id)),
            None if known.phase == Phase::RollingBack || known.phase == Phase::Elsewhere => break,
            None if ws.clock.now().mono_ms.saturating_sub(begin) > SETTLES.as_millis() => break,
            None => std::thread::sleep(LOOK),
        }
    }
    Ok(Some(Way::Cancelled(id.clone())))
}
