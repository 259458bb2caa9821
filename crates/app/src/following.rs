//! Looking at operations and steering them: status, history, cancel.

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Timestamp};
use gonogo_release::effect::{Input, Observed};
use gonogo_release::machine::{Ending, Machine, Phase, State, Terminal};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::{Liveness, Operation, StoreError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::elsewhere::LastSaid;
use crate::reserve::{self, space_left};
use crate::{AppError, Workspace, applying, elsewhere, hosting, secrets};

/// With less than this left, in bytes, a step and its evidence may not fit.
pub(crate) const SPACE_NEEDED: u64 = 256 << 10;

/// An operation for people.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// Its id.
    pub id: OperationId,
    /// Its plan.
    pub plan: Plan,
    /// Who asked.
    pub requester: String,
    /// When.
    pub submitted_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended.
    pub terminal: Option<Terminal>,
    /// What it does and waits for; none when it has ended.
    pub progress: Option<Value>,
    /// Whether a live controller drives it.
    pub driven: bool,
    /// Set while it runs on a disk that is as good as full: bytes left. Its controller waits for space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_of_space: Option<u64>,
    /// Its decisions so far, oldest first.
    pub decisions: Vec<Decision>,
}

/// A decision as recorded.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// When.
    pub at: Timestamp,
    /// Verdict, reasons, numbers.
    pub body: Value,
}

/// An environment for people.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentView {
    /// Its name.
    pub name: String,
    /// What its target reports; none if it does not answer.
    pub observed: Option<Observed>,
    /// Why it does not answer.
    pub unreachable: Option<String>,
    /// What the workflow service said last, where one looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_said: Option<LastSaid>,
    /// The operation that runs there.
    pub open: Option<OperationId>,
    /// The last version that passed its soak there.
    pub known_good: Option<String>,
    /// Set on a disk that is as good as full: bytes left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_of_space: Option<u64>,
    /// Whether the environment lets who asks approve.
    pub own_approval: bool,
}

/// A line of the history.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryLine {
    /// The operation.
    pub id: OperationId,
    /// Where.
    pub environment: String,
    /// From which version.
    pub from: Option<String>,
    /// To which version.
    pub to: String,
    /// Forward, or back to known-good.
    pub kind: PlanKind,
    /// Who asked.
    pub requester: String,
    /// When.
    pub submitted_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Where it stands.
    pub phase: Phase,
    /// How it ended.
    pub result: Option<&'static str>,
    /// Why.
    pub reasons: Vec<Reason>,
}

/// Finds the one operation whose id starts with `prefix`.
///
/// # Errors
/// [`Reason::OperationNotFound`] and [`Reason::IdAmbiguous`].
pub fn find(ws: &Workspace, prefix: &str) -> Result<Operation, AppError> {
    let wanted = if prefix.starts_with(OperationId::PREFIX) {
        prefix.to_owned()
    } else {
        format!("{}{prefix}", OperationId::PREFIX)
    };
    let mut found = ws.store.operations(&wanted, None, 3)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(AppError::new(
            Reason::OperationNotFound,
            format!("no operation's id starts with `{prefix}`"),
        )),
        _ => {
            let told: Vec<&str> = found.iter().map(|o| o.id.as_str()).collect();
            Err(AppError::new(
                Reason::IdAmbiguous,
                format!("`{prefix}` may be {}", told.join(" or ")),
            ))
        }
    }
}

/// Shows one operation.
///
/// # Errors
/// It cannot be found or read.
pub fn operation(ws: &Workspace, prefix: &str) -> Result<OperationView, AppError> {
    view(ws, find(ws, prefix)?)
}

/// Whether a live controller drives an operation.
pub(crate) fn driven(ws: &Workspace, id: &OperationId) -> Result<bool, AppError> {
    let open = ws.store.open_operations()?;
    let live = |o: &gonogo_store::OpenOperation| {
        o.holder
            .as_ref()
            .is_some_and(|h| h.liveness == Liveness::Live)
    };
    Ok(open.iter().any(|o| o.operation.id == *id && live(o)))
}

pub(crate) fn view(ws: &Workspace, known: Operation) -> Result<OperationView, AppError> {
    let plan = applying::plan_of(ws, &known.plan)?;
    let progress = match (&known.terminal, &known.snapshot) {
        (None, Some(snapshot)) if elsewhere::state_of(&known).is_none() => {
            let state: State = serde_json::from_str(snapshot)
                .map_err(|e| AppError::new(Reason::StoreFailed, e.to_string()))?;
            let machine = Machine::restore(std::sync::Arc::new(plan.body.clone()), state);
            Some(json!(machine.progress()))
        }
        _ => None,
    };
    let driven = driven(ws, &known.id)?;
    let space = known
        .terminal
        .is_none()
        .then(|| space_left(&ws.state))
        .flatten();
    let short_of_space = space.filter(|left| *left < SPACE_NEEDED);
    let records = ws.every(format!("operation/{}", known.id), "decision")?;
    let decisions = records
        .into_iter()
        .map(|r| Decision {
            at: r.time,
            body: r.body.get("decision").cloned().unwrap_or(r.body),
        })
        .collect();
    Ok(OperationView {
        id: known.id,
        plan,
        requester: known.requester,
        submitted_at: known.created,
        updated_at: known.updated,
        phase: known.phase,
        terminal: known.terminal,
        progress,
        driven,
        short_of_space,
        decisions,
    })
}

/// Shows every environment.
///
/// # Errors
/// The store cannot be read.
pub fn environments(ws: &Workspace, only: Option<&str>) -> Result<Vec<EnvironmentView>, AppError> {
    if let Some(name) = only {
        ws.config.environment(Some(name))?;
    }
    let open = ws.store.open_operations()?;
    let mut out = Vec::new();
    for (name, environment) in &ws.config.environments {
        if only.is_some_and(|wanted| wanted != name) {
            continue;
        }
        let last_said = elsewhere::last_said(ws, environment)?;
        let (observed, unreachable) = match &last_said {
            // Only the service sees that target.
            Some(_) => (None, None),
            None => match hosting::observe(ws, environment) {
                Ok(observed) => (Some(observed), None),
                Err(e) => (None, Some(e.message)),
            },
        };
        out.push(EnvironmentView {
            name: name.clone(),
            observed,
            unreachable,
            last_said,
            open: open
                .iter()
                .find(|o| o.operation.environment == *name)
                .map(|o| o.operation.id.clone()),
            known_good: ws
                .store
                .known_good(name, 1)?
                .first()
                .map(|k| k.version.clone()),
            short_of_space: space_left(&ws.state).filter(|left| *left < SPACE_NEEDED),
            own_approval: environment.approval.own && environment.approval.required <= 1,
        });
    }
    Ok(out)
}

/// Lists operations, newest first.
///
/// # Errors
/// The store cannot be read.
pub fn history(
    ws: &Workspace,
    environment: Option<&str>,
    limit: u32,
) -> Result<Vec<HistoryLine>, AppError> {
    if let Some(name) = environment {
        ws.config.environment(Some(name))?;
    }
    let mut out = Vec::new();
    for known in ws.store.operations("", environment, limit)? {
        let plan = applying::plan_of(ws, &known.plan)?;
        out.push(HistoryLine {
            id: known.id,
            environment: known.environment,
            from: plan.body.from.map(|f| f.version),
            to: plan.body.to.version,
            kind: plan.body.kind,
            requester: known.requester,
            submitted_at: known.created,
            updated_at: known.updated,
            phase: known.phase,
            result: known.terminal.as_ref().map(|t| t.result.name()),
            reasons: known.terminal.map(|t| t.reasons).unwrap_or_default(),
        });
    }
    Ok(out)
}

/// When the step that an operation is in must have ended; none if it waits for nothing or has ended.
pub(crate) fn step_ends(ws: &Workspace, id: &OperationId) -> Option<Timestamp> {
    let known = ws.store.operation(id).ok()?;
    let state: State = serde_json::from_str(known.snapshot.as_deref()?).ok()?;
    let plan = applying::plan_of(ws, &known.plan).ok()?;
    let progress = Machine::restore(std::sync::Arc::new(plan.body), state).progress();
    json!(progress).get("until")?.as_str()?.parse().ok()
}

/// Asks for an operation to end and to be undone. Returns at once; the controller acts on it. On a full disk it uses the space that
/// is kept for that. What was cancelled already is left as it is, and that is no fault of whoever asks again.
///
/// # Errors
/// [`Reason::OperationEnded`] where it ended otherwise.
pub fn cancel(ws: &Workspace, prefix: &str, why: &str) -> Result<OperationId, AppError> {
    match ask_to_cancel(ws, prefix, why) {
        Err(e) if e.reason == Reason::StoreFull && reserve::give_up(ws) => {
            ask_to_cancel(ws, prefix, why)
        }
        asked => asked,
    }
}

fn ask_to_cancel(ws: &Workspace, prefix: &str, why: &str) -> Result<OperationId, AppError> {
    secrets::refuse(why, "$.why")?;
    let now = ws.now()?;
    let me = ws.identity()?;
    let known = find(ws, prefix)?;
    let input = Input::Cancel {
        by: me.name,
        why: why.into(),
    };
    let taken = match known.terminal {
        None => ws.store.post(&known.id, &input, now),
        Some(_) => Err(StoreError::OperationEnded(known.id.clone())),
    };
    match taken {
        // It may have ended since it was looked at.
        Err(StoreError::OperationEnded(id)) => ended(ws.store.operation(&id)?),
        other => {
            other?;
            Ok(known.id)
        }
    }
}

/// A wish to end what has ended.
fn ended(known: Operation) -> Result<OperationId, AppError> {
    if let Some(terminal) = &known.terminal {
        // The same wish twice is the wish once: it came true.
        if terminal.result == Ending::Cancelled {
            return Ok(known.id);
        }
        let text = format!(
            "operation `{}` ended as {}",
            known.id,
            terminal.result.name()
        );
        return Err(AppError::new(Reason::OperationEnded, text));
    }
    Ok(known.id)
}
