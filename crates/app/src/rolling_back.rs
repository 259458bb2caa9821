//! Rollback: of the operation that runs, or to the last known-good version before the one that serves.

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_release::plan::PlanKind;

use crate::planning::Planned;
use crate::{AppError, Workspace, applying, following, hosting, planning};

/// What a rollback leads to.
#[derive(Debug)]
pub enum Way {
    /// An operation runs: it was asked to go back.
    Cancelled(OperationId),
    /// Nothing runs: this plan goes back to known-good.
    Planned(Box<Planned>),
}

/// Prepares the way back. `to` names a known-good version; the newest one that does not serve if absent.
///
/// # Errors
/// [`Reason::NoKnownGood`].
pub fn roll_back(
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
        let id = following::cancel(ws, open.operation.id.as_str(), why)?;
        return Ok(Way::Cancelled(id));
    }
    let me = planning::asker(ws, environment)?;
    hosting::ensure_agent(ws, environment)?;
    let base = hosting::observe(ws, environment)?;
    let serving = base.slots.iter().find(|s| s.weight > 0).map(|s| s.content);
    let known = ws.store.known_good(&environment.name, 100)?;
    let good = known
        .iter()
        .find(|k| Some(k.content) != serving && to.is_none_or(|v| v == k.version));
    let Some(good) = good else {
        let names: Vec<&str> = known
            .iter()
            .filter(|k| Some(k.content) != serving)
            .map(|k| k.version.as_str())
            .collect();
        let told = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        let text = format!(
            "no known-good version to go back to in `{}`; known-good besides the serving one: {told}",
            environment.name
        );
        return Err(AppError::new(Reason::NoKnownGood, text));
    };
    // What ran then, to the byte: the agent kept it under its digest.
    let ran = ws.store.operation(&good.operation)?;
    let spec = applying::plan_of(ws, &ran.plan)?.body.to;
    let body = planning::assemble(ws, environment, spec, base, PlanKind::Rollback)?;
    let planned = planning::keep(ws, body, &me, now)?;
    Ok(Way::Planned(Box::new(planned)))
}
