//! Rollback: of the operation that runs, or to the last known-good version before the one that serves.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason};
use gonogo_release::machine::Phase;
use gonogo_release::plan::PlanKind;
use gonogo_store::KnownGood;

use crate::planning::Planned;
use crate::{AppError, Workspace, applying, following, hosting, planning, reserve};

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

/// Prepares the way back. `to` names a known-good version; the one before the serving one if absent, which is never one that was
/// itself rolled back from.
///
/// # Errors
/// [`Reason::NoKnownGood`].
pub fn roll_back(
    ws: &Workspace,
    environment: Option<&str>,
    to: Option<&str>,
    why: &str,
) -> Result<Way, AppError> {
    match way_back(ws, environment, to, why) {
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
        following::cancel(ws, id.as_str(), why)?;
        return Ok(Way::Cancelled(id));
    }
    let me = planning::asker(ws, environment)?;
    hosting::ensure_agent(ws, environment)?;
    let base = hosting::observe(ws, environment)?;
    let serving = base.slots.iter().find(|s| s.weight > 0).map(|s| s.content);
    let known = ws.store.known_good(&environment.name, 100)?;
    let other = |k: &&KnownGood| Some(k.content) != serving;
    let good = match to {
        Some(version) => known.iter().filter(other).find(|k| k.version == version),
        None => before(ws, &known)?.into_iter().find(other),
    };
    let Some(good) = good else {
        return Err(nothing_good(&environment.name, &known, serving, to));
    };
    // What ran then, to the byte: the agent kept it under its digest.
    let ran = ws.store.operation(&good.operation)?;
    let spec = applying::plan_of(ws, &ran.plan)?.body.to;
    let body = planning::assemble(ws, environment, spec, base, PlanKind::Rollback)?;
    let planned = planning::keep(ws, body, &me, now)?;
    Ok(Way::Planned(Box::new(planned)))
}

/// The known-good versions that a plain rollback goes through, the newest first. A release adds its version; a rollback takes away
/// all that came after the version it went to.
fn before<'a>(ws: &Workspace, known: &'a [KnownGood]) -> Result<Vec<&'a KnownGood>, AppError> {
    let mut line: Vec<&KnownGood> = Vec::new();
    for one in known.iter().rev() {
        let ran = ws.store.operation(&one.operation)?;
        let back = applying::plan_of(ws, &ran.plan)?.body.kind == PlanKind::Rollback;
        match line.iter().rposition(|k| k.content == one.content) {
            Some(at) if back => line.truncate(at + 1),
            _ => line.push(one),
        }
    }
    line.reverse();
    Ok(line)
}

fn nothing_good(
    environment: &str,
    known: &[KnownGood],
    serving: Option<Digest>,
    to: Option<&str>,
) -> AppError {
    let mut names: Vec<&str> = Vec::new();
    for one in known.iter().filter(|k| Some(k.content) != serving) {
        if !names.contains(&one.version.as_str()) {
            names.push(&one.version);
        }
    }
    let text = match (to, names.as_slice()) {
        (Some(version), []) => {
            format!("`{version}` is not known-good in `{environment}`, and no other version is")
        }
        (Some(version), names) => format!(
            "`{version}` is not known-good in `{environment}`, or serves already; known-good besides the serving one: {}",
            names.join(", ")
        ),
        (None, []) => format!("no known-good version to go back to in `{environment}`"),
        (None, names) => format!(
            "no known-good version came before the serving one in `{environment}`; after it came {}",
            names.join(", ")
        ),
    };
    let error = AppError::new(Reason::NoKnownGood, text);
    match names.first() {
        Some(name) => error.hint(format!(
            "name the version: `gonogo rollback --to {name} --yes`"
        )),
        None => error,
    }
}
