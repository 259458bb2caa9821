//! Applications that a workflow service carries out: wired, sent, asked about and ended; and the other end, where this gonogo is that
//! service.
//!
//! Rules are in `gonogo_release::remote`; here they meet the store, the ledger and the network. Invariants: an operation is durable
//! before anything of it is sent; its intent is in the ledger before the request leaves; reading and planning never ask the service.

mod asking;
mod driving;
mod showing;
mod taking;
mod wiring;

use std::time::Duration;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span};
use gonogo_release::effect::Observed;
use gonogo_release::plan::Plan;
use gonogo_release::remote::{self, Endpoint, Stage, State};
use gonogo_store::{Operation, Owner};
use serde_json::json;

use crate::config::Environment;
use crate::{
    AppError, Workspace, applying, approving, controls, driving as controllers, following,
};

pub(crate) use driving::drive;
pub use showing::{Elsewhere, LastSaid, SaidSlot, Upstream};
pub(crate) use showing::{open_effects, shown, triage};
pub(crate) use taking::{ORIGIN, Order, origin_of, take};
pub use wiring::mode;
pub(crate) use wiring::{is_elsewhere, wired};

/// How often somebody who waits for the service looks.
const LOOK: Duration = Duration::from_millis(25);
/// After so many milliseconds whoever began an operation has started its controller, or never will.
const OTHERS: u64 = 2_000;
/// How long a change of an operation that nobody drives may take.
const LEASE: Span = Span::from_secs(10);

/// The state of an operation that a workflow service carries out; none of any other.
pub(crate) fn state_of(known: &Operation) -> Option<State> {
    State::read(known.snapshot.as_deref()?)
}

/// The state that an operation begins with where `endpoint` carries it out, as it is stored.
pub(crate) fn beginning(
    operation: &OperationId,
    endpoint: Endpoint,
    key: &str,
    now: gonogo_core::Timestamp,
) -> Result<String, AppError> {
    let state = State::new(operation.clone(), endpoint, key.to_owned(), now);
    serde_json::to_string(&state).map_err(|e| AppError::new(Reason::Internal, e.to_string()))
}

/// Whether nobody goes on with an operation before it is asked for again: the service did not take it.
pub(crate) fn is_held(ws: &Workspace, known: &Operation) -> Result<bool, AppError> {
    let held = state_of(known).is_some_and(|s| s.stage == Stage::Held);
    Ok(held
        && ws
            .store
            .inbox(&known.id)?
            .iter()
            .all(|p| matches!(p.input, gonogo_release::Input::Start)))
}

/// Lets an operation that the service did not take, or says it has none such, go out again, with the same ids: the same request was
/// made again.
///
/// # Errors
/// The plan is not what would be planned now, or was approved too long ago; another controller holds the environment. One that may be
/// there is only not sent again then, and what is known of it is the answer.
pub(crate) fn again(ws: &Workspace, plan: &Plan, known: &Operation) -> Result<(), AppError> {
    let state = state_of(known).filter(|_| known.terminal.is_none());
    let Some(state) = state.filter(State::can_go_again) else {
        return Ok(());
    };
    let now = ws.now()?;
    if state.stage == Stage::InDoubt {
        if as_approved(ws, plan, known, now).is_ok() {
            // Whoever drives it asks first; it goes out again if there is still none.
            ws.store
                .post(&known.id, &gonogo_release::Input::Start, now)?;
        }
        return Ok(());
    }
    if !is_held(ws, known)? {
        return Ok(());
    }
    as_approved(ws, plan, known, now)?;
    let lease = match ws
        .store
        .take_lease(&known.environment, &Owner::new(), LEASE)
    {
        // Whoever holds it is at it.
        Err(gonogo_store::StoreError::LeaseHeld { .. }) => return Ok(()),
        lease => lease?,
    };
    let again = || {
        let known = ws.store.operation(&known.id)?;
        let Some(mut state) = state_of(&known) else {
            return Ok(());
        };
        let entries = state.again(now);
        driving::commit(ws, &lease, &known, &state, now, entries, None)
    };
    let done = again();
    ws.store.release_lease(&lease)?;
    done
}

/// Whether the plan is what would be planned now, and was approved a short enough time ago.
fn as_approved(
    ws: &Workspace,
    plan: &Plan,
    known: &Operation,
    now: gonogo_core::Timestamp,
) -> Result<(), AppError> {
    may_go(ws, plan, now)?;
    crate::planning::staleness(ws, plan)?;
    let longest = plan.body.approval.max_sla;
    if now.since(known.created) <= longest {
        return Ok(());
    }
    let text = format!(
        "operation `{}` was approved for at most {longest}, and begun at {}",
        known.id, known.created
    );
    Err(AppError::new(Reason::ApprovalExpired, text)
        .hint(format!("end it: `gonogo cancel {} --yes`", known.id))
        .hint(format!("then approve again: `gonogo approve {}`", plan.id)))
}

/// Refuses what must not be sent by now, whoever approved it before: a freeze or a pin keeps it, or somebody has rejected it since.
fn may_go(ws: &Workspace, plan: &Plan, now: gonogo_core::Timestamp) -> Result<(), AppError> {
    controls::may_apply(ws, &plan.body, now)?;
    let Some(no) = approving::rejected_by(ws, plan, now)?.into_iter().next() else {
        return Ok(());
    };
    let text = format!(
        "`{no}` has rejected plan `{}`; nothing was changed",
        plan.id
    );
    Err(AppError::new(Reason::ApprovalRejected, text))
}

/// Whether somebody's wish to send it again waits to be taken up.
fn is_asked_again(ws: &Workspace, id: &OperationId) -> Result<bool, AppError> {
    let inbox = ws.store.inbox(id)?;
    Ok(inbox
        .iter()
        .any(|p| matches!(p.input, gonogo_release::Input::Start)))
}

/// Sees to it that an operation that a workflow service carries out is sent, and waits for what becomes of that, at most for `within`;
/// `fresh` says that the caller began it. Does nothing for any other.
///
/// # Errors
/// Why the service did not take it, or why nobody knows.
pub fn sent(ws: &Workspace, id: &OperationId, fresh: bool, within: Span) -> Result<(), AppError> {
    let known = ws.store.operation(id)?;
    let Some(state) = state_of(&known).filter(|_| known.terminal.is_none()) else {
        return Ok(());
    };
    // Whoever asks for it as well, at the same time, leaves the sending to the first one, and looks a little later whether it lives.
    let mut spawned = fresh || state.sent > 0;
    if spawned && !following::driven(ws, id)? {
        controllers::spawn(ws, id)?;
    }
    let begin = ws.clock.now().mono_ms;
    loop {
        let known = ws.store.operation(id)?;
        let Some(state) = state_of(&known) else {
            return Ok(());
        };
        let waited = ws.clock.now().mono_ms.saturating_sub(begin);
        if state.is_told() && !is_asked_again(ws, id)? || waited >= within.as_millis() {
            return told(&state);
        }
        if !spawned && waited >= OTHERS {
            spawned = true;
            if !following::driven(ws, id)? {
                controllers::spawn(ws, id)?;
            }
        }
        std::thread::sleep(LOOK);
    }
}

fn told(state: &State) -> Result<(), AppError> {
    let id = &state.operation;
    match (state.stage, &state.terminal) {
        (Stage::Taken, _) => Ok(()),
        (Stage::Ended, Some(terminal))
            if state.receipt.is_none()
                && terminal.result == gonogo_release::machine::Ending::Refused =>
        {
            let (reason, others) = terminal
                .reasons
                .split_first()
                .map_or((Reason::WorkflowRefused, &[][..]), |(f, o)| (*f, o));
            let text = format!("operation `{id}`: {}; nothing was changed", terminal.text);
            let hint = "fix the cause, then plan and approve again".to_owned();
            Err(described(AppError::new(reason, text).hint(hint), state).and(others))
        }
        (Stage::Ended, _) => Ok(()),
        _ => Err(not_taken(state)),
    }
}

/// Why an operation is not with the service.
pub(crate) fn not_taken(state: &State) -> AppError {
    let id = &state.operation;
    let (reason, why) = match state.trouble() {
        Some((trouble, _)) => (trouble.reason, trouble.text.clone()),
        None => (
            Reason::WorkflowTimeout,
            "it has not said so far whether it takes it".to_owned(),
        ),
    };
    let error = if state.stage == Stage::Held {
        let text = format!(
            "operation `{id}`: the workflow service did not take it: {why}; nothing was changed, and it waits to be asked for again"
        );
        AppError::new(reason, text)
            .hint("try again later with the same key: it is sent again under the same ids")
            .hint(format!("or end it: `gonogo cancel {id} --yes`"))
    } else {
        let taken = match state.said_yes() {
            true => "the workflow service said yes to it, and not in a form that can be used",
            false => "nobody knows whether the workflow service took it",
        };
        let text = format!(
            "operation `{id}`: {taken}: {why}; it is being asked, and not sent again by itself"
        );
        let mut error = AppError::new(reason, text).hint(format!("follow it: `gonogo watch {id}`"));
        if state.can_go_again() {
            error = error.hint(
                "or try again with the same key: it is asked once more, and sent again under the same ids if it has none such",
            );
        }
        error.hint(format!(
            "or have it ended as soon as the service knows it: `gonogo cancel {id} --yes`"
        ))
    };
    described(error, state)
}

fn described(error: AppError, state: &State) -> AppError {
    let mut error = error
        .with("operationId", state.operation.as_str())
        .with("workflowId", state.workflow_id.as_str())
        .with("stage", json!(state.stage))
        .with("dispatchUrl", state.endpoint.dispatch_url.as_str());
    if let Some((trouble, _)) = state.trouble() {
        if let Some(after) = trouble.after {
            error = error.with("retryAfterSeconds", after);
        }
        if !trouble.told.is_empty() {
            error = error.with("upstreamReasonCodes", json!(trouble.told));
        }
    }
    error
}

/// What the target of an environment serves that a workflow service looks after, as far as it was told here; none of any other.
pub(crate) fn told_state(
    ws: &Workspace,
    environment: &Environment,
) -> Result<Option<Observed>, AppError> {
    Ok(last_word(ws, environment)?.map(|(told, _)| told))
}

/// The service's last word on what serves: what people see where nothing can be observed from here.
pub(crate) fn last_said(
    ws: &Workspace,
    environment: &Environment,
) -> Result<Option<LastSaid>, AppError> {
    let word = last_word(ws, environment)?;
    Ok(word.map(|(told, by)| LastSaid {
        unknown: by
            .as_ref()
            .and_then(state_of)
            .is_some_and(|s| remote::is_unknown(&s)),
        operation: by.as_ref().map(|known| known.id.clone()),
        at: by.map(|known| known.updated),
        slots: told.slots.into_iter().map(SaidSlot::from).collect(),
    }))
}

/// As [`told_state`], with the operation that it was told of; none where none has ended.
fn last_word(
    ws: &Workspace,
    environment: &Environment,
) -> Result<Option<(Observed, Option<Operation>)>, AppError> {
    if !is_elsewhere(environment)? {
        return Ok(None);
    }
    /// More than anybody tries in vain in a row.
    const MOST: u32 = 50;
    for known in ws.store.operations("", Some(&environment.name), MOST)? {
        let Some(state) = state_of(&known).filter(|s| s.terminal.is_some()) else {
            continue;
        };
        let plan = applying::plan_of(ws, &known.plan)?;
        return Ok(Some((remote::after(&plan.body, &state), Some(known))));
    }
    let nothing = Observed {
        generation: 0,
        slots: Vec::new(),
    };
    Ok(Some((nothing, None)))
}
