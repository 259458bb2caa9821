//! Rollback: of the operation that runs, or to the last known-good version before the one that serves.

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_release::machine::{Ending, Phase};
use gonogo_release::plan::PlanKind;
use gonogo_store::ledger::Draft;

use crate::planning::Planned;
use crate::{AppError, Workspace, applying, following, going_back, hosting, planning, reserve};

/// Kind of the record that says who asked for a way back, and why.
pub const ASKED: &str = "rollback";

/// What a request notes where it takes an operation back.
const CANCEL: &str = "cancel";

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
    let open = ws.store.open_operations()?;
    if let Some(open) = open
        .iter()
        .find(|o| o.operation.environment == environment.name)
    {
        let id = open.operation.id.clone();
        // To take a rollback back is another wish, and has its own command: `cancel`.
        let kind = applying::plan_of(ws, &open.operation.plan)?.body.kind;
        if kind == PlanKind::Rollback || open.operation.phase == Phase::RollingBack {
            return Ok(Way::Running(id));
        }
        ws.intend(CANCEL, id.as_str())?;
        following::cancel(ws, id.as_str(), why)?;
        return Ok(Way::Cancelled(id));
    }
    // What this request took back before it was cut off has gone back meanwhile: it is not gone back from there.
    for id in ws.intended(CANCEL) {
        let taken_back = following::find(ws, &id)?;
        if taken_back
            .terminal
            .as_ref()
            .is_some_and(|t| t.result != Ending::Promoted)
        {
            return Ok(Way::Running(taken_back.id));
        }
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
    let plan = &planned.plan;
    if ws.left(ASKED)?.is_none() {
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
    }
    Ok(Way::Planned(Box::new(planned)))
}
