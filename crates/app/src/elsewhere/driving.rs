//! Driving an operation that a workflow service carries out, from wherever an earlier controller left it.
//!
//! One change at a time: the state, the evidence of it and the taking up of other people's wishes commit together; then the evidence goes
//! to the ledger; only then is anything sent.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_engine::{Evidence, EvidenceError};
use gonogo_release::Input;
use gonogo_release::machine::{Ending, Terminal};
use gonogo_release::plan::Plan;
use gonogo_release::remote::{Entry, Stage, State, Todo};
use gonogo_store::{Change, Draft, KnownGood, Lease, Operation, Owner, StoreError, Subject};
use serde_json::{Value, json};

use super::asking::Service;
use super::{not_taken, state_of};
use crate::driving::LedgerEvidence;
use crate::{AppError, Workspace, applying, approving, planning};

/// Longer than any request may take, so that no second controller begins while one is under way. A controller that died is known to
/// have died.
const LEASE: Span = Span::from_secs(120);
/// How often wishes of others are looked for.
const LOOK: Duration = Duration::from_millis(100);
/// What was last heard is written down at least so often.
const SEEN: Span = Span::from_secs(5);
/// How long a controller waits before it tries again to write.
const AGAIN: Duration = Duration::from_millis(500);

/// Drives `known` to its end; none if it was stopped before.
///
/// # Errors
/// Another controller drives it, the store or the ledger failed, or the service did not take it.
pub(crate) fn drive(
    ws: &Workspace,
    known: &Operation,
    stop: &AtomicBool,
) -> Result<Option<Terminal>, AppError> {
    if let Some(terminal) = &known.terminal {
        flush(ws, known, stop)?;
        return Ok(Some(terminal.clone()));
    }
    let lease = ws
        .store
        .take_lease(&known.environment, &Owner::new(), LEASE)?;
    let driven = under(ws, known, lease.clone(), stop);
    match &driven {
        Err(e) if e.reason == Reason::LeaseLost => {}
        _ => drop(ws.store.release_lease(&lease)),
    }
    driven
}

fn under(
    ws: &Workspace,
    known: &Operation,
    mut lease: Lease,
    stop: &AtomicBool,
) -> Result<Option<Terminal>, AppError> {
    // Read again: before the lease was ours somebody may have gone on.
    let mut known = ws.store.operation(&known.id)?;
    flush(ws, &known, stop)?;
    let Some(mut state) = state_of(&known) else {
        let text = format!("the state of operation `{}` cannot be read", known.id);
        return Err(AppError::new(Reason::Internal, text));
    };
    let plan = applying::plan_of(ws, &known.plan)?;
    if !plan.is_intact() || plan.fingerprint != known.fingerprint {
        let text = format!(
            "operation `{}`: the stored plan no longer has the fingerprint that was approved",
            known.id
        );
        return Err(AppError::new(Reason::PlanEdited, text));
    }
    state.resume(now(ws));
    let mut kept = state.seen;
    loop {
        if let Some(terminal) = known.terminal.clone() {
            return Ok(Some(terminal));
        }
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if lease.is_due() {
            ws.store.renew_lease(&mut lease)?;
        }
        let (entries, taken) = wishes(ws, &known, &mut state)?;
        if taken.is_some() {
            close(&known, &plan, &mut state);
            commit(ws, &lease, &known, &state, now(ws), entries, taken)?;
            known = ws.store.operation(&known.id)?;
            flush(ws, &known, stop)?;
            continue;
        }
        let mut entries = entries;
        let trace = known.trace.clone().unwrap_or_default();
        let todo = state.todo(now(ws));
        match todo {
            Todo::Done => return Ok(state.terminal),
            Todo::Rest => return Err(not_taken(&state)),
            Todo::Wait(due) => {
                let left = Duration::from_millis(due.since(now(ws)).as_millis());
                std::thread::sleep(left.min(LOOK));
                continue;
            }
            // What was declared since somebody asked for it counts.
            Todo::Send if let Err(e) = super::may_go(ws, &plan, now(ws)) => {
                entries.extend(state.forbid(now(ws), e.reason, e.message));
            }
            Todo::Send | Todo::Cancel => {
                // Made before the intent: what cannot be made was not sent.
                let order = match todo {
                    Todo::Send => Some(document(ws, &known, &plan, &state)?),
                    _ => None,
                };
                let intent = state.begin(todo, now(ws));
                commit(ws, &lease, &known, &state, now(ws), intent, None)?;
                known = ws.store.operation(&known.id)?;
                flush(ws, &known, stop)?;
                let service = Service {
                    state: &state,
                    trace: &trace,
                };
                if let Some(order) = &order {
                    let heard = service.dispatch(ws, &plan, order);
                    entries.extend(state.dispatched(now(ws), heard));
                } else {
                    let why = state.cancel.as_ref().map_or("", |c| c.why.as_str());
                    let heard = service.cancel(ws, &plan, why);
                    entries.extend(state.cancel_told(now(ws), heard));
                }
            }
            Todo::Ask => {
                let service = Service {
                    state: &state,
                    trace: &trace,
                };
                let doubt = state.stage == Stage::InDoubt;
                let heard = service.ask(ws, &plan);
                entries.extend(state.asked(now(ws), heard));
                let long = match (kept, state.seen) {
                    (Some(kept), Some(seen)) => seen.since(kept) >= SEEN,
                    (kept, seen) => kept != seen,
                };
                // That it still runs is no news each time.
                if entries.is_empty() && !doubt && !long {
                    continue;
                }
            }
        }
        close(&known, &plan, &mut state);
        kept = state.seen;
        commit(ws, &lease, &known, &state, now(ws), entries, None)?;
        known = ws.store.operation(&known.id)?;
        flush(ws, &known, stop)?;
    }
}

fn now(ws: &Workspace) -> Timestamp {
    ws.clock.now().wall
}

/// Takes up what others asked for since.
fn wishes(
    ws: &Workspace,
    known: &Operation,
    state: &mut State,
) -> Result<(Vec<Entry>, Option<i64>), AppError> {
    let mut entries = Vec::new();
    let mut last = None;
    for posted in ws.store.inbox(&known.id)? {
        last = Some(posted.id);
        match posted.input {
            Input::Cancel { by, why } => entries.extend(state.wish(now(ws), &by, &why)),
            // The first one begins the operation; each other is the same request, made again.
            Input::Start if state.sent > 0 => entries.extend(state.again(now(ws))),
            _ => {}
        }
    }
    Ok((entries, last))
}

/// Looks at the target once more when an operation has ended that may have reached it: the next plan begins there.
fn close(known: &Operation, plan: &Plan, state: &mut State) {
    if state.stage != Stage::Ended || state.sent == 0 || state.observed.is_some() {
        return;
    }
    let trace = known.trace.clone().unwrap_or_default();
    let service = Service {
        state,
        trace: &trace,
    };
    state.observed = service.observe(&plan.body.environment);
}

/// Commits one change with its evidence.
pub(super) fn commit(
    ws: &Workspace,
    lease: &Lease,
    known: &Operation,
    state: &State,
    at: Timestamp,
    entries: Vec<Entry>,
    taken: Option<i64>,
) -> Result<(), AppError> {
    let seq = known.seq + 1;
    let plan = applying::plan_of(ws, &known.plan)?;
    let by = |body: &Value| body.get("by").and_then(Value::as_str).map(str::to_owned);
    let records: Vec<Draft> = entries
        .into_iter()
        .enumerate()
        .map(|(n, (kind, body))| Draft {
            stream: format!("operation/{}", known.id),
            key: format!("{seq}/{n}"),
            kind: kind.into(),
            time: at,
            actor: by(&body).unwrap_or_else(|| "gonogo".into()),
            subject: Subject {
                name: plan.id.to_string(),
                digest: plan.fingerprint.digest(),
            },
            body,
        })
        .collect();
    let good = state.terminal.as_ref();
    let good = good.is_some_and(|t| t.result == Ending::Promoted);
    let known_good = match (good, plan.body.to.content()) {
        (true, Ok(content)) => Some(KnownGood {
            environment: known.environment.clone(),
            version: plan.body.to.version.clone(),
            content,
            operation: known.id.clone(),
            at,
        }),
        _ => None,
    };
    let snapshot =
        serde_json::to_string(state).map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let change = Change {
        operation: &known.id,
        seq,
        at,
        snapshot,
        phase: state.phase(),
        terminal: state.terminal.as_ref(),
        known_good,
        taken,
        records: &records,
    };
    match ws.store.change(lease, &change) {
        Err(StoreError::SeqMoved { .. }) => {
            let text = format!("another controller went on with operation `{}`", known.id);
            Err(AppError::new(Reason::LeaseLost, text))
        }
        other => Ok(other?),
    }
}

/// Appends what is not in the ledger yet; waits for space and for others.
fn flush(ws: &Workspace, known: &Operation, stop: &AtomicBool) -> Result<(), AppError> {
    let evidence = LedgerEvidence(ws.ledger.clone());
    loop {
        let rest = ws.store.pending(&known.id, u32::MAX)?;
        let Some(last) = rest.last().map(|p| p.seq) else {
            return Ok(());
        };
        match evidence.append(rest.into_iter().map(|p| p.draft).collect()) {
            Ok(()) => return Ok(ws.store.delivered(&known.id, last)?),
            Err(EvidenceError::Full(_) | EvidenceError::Busy(_))
                if !stop.load(Ordering::Relaxed) =>
            {
                std::thread::sleep(AGAIN);
            }
            Err(e) => {
                let text = format!("operation {}: {e}", known.id);
                return Err(AppError::new(e.reason(), text));
            }
        }
    }
}

/// What is sent: the contract's document, and in it everything that another gonogo needs to make every check again.
fn document(
    ws: &Workspace,
    known: &Operation,
    plan: &Plan,
    state: &State,
) -> Result<Value, AppError> {
    let manifest = ws.config.path.file_name();
    let manifest = manifest.map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let mut input = json!({
        "traceId": known.trace.clone().unwrap_or_default(),
        "toolId": "apply_change",
        "manifestPath": manifest,
        "environment": known.environment,
        "version": plan.body.to.version,
        "planFingerprint": known.fingerprint,
        "idempotencyKey": known.key,
        "requester": known.requester,
        "plan": plan,
        "approvals": signed_approvals(ws, plan)?,
    });
    let askers = approving::recorded(ws, plan)?.also;
    if let (false, Some(map)) = (askers.is_empty(), input.as_object_mut()) {
        // None of them may approve it there either.
        let told = askers.iter().map(|a| {
            let mut one = json!({"id": a.id, "key": a.key});
            if let (Some(person), Some(map)) = (&a.on_behalf_of, one.as_object_mut()) {
                map.insert("onBehalfOf".into(), json!(person));
            }
            one
        });
        map.insert("alsoAsked".into(), told.collect());
    }
    if let (Some((record, key)), Some(map)) = (signed_plan(ws, plan)?, input.as_object_mut()) {
        map.insert("planRecord".into(), json!(record));
        map.insert("requesterKey".into(), json!(key));
    }
    Ok(json!({
        "operationId": known.id,
        "workflowId": state.workflow_id,
        "workflowName": state.endpoint.workflow_name,
        "taskQueue": state.endpoint.task_queue,
        "submittedAt": state.submitted_at,
        "input": input,
    }))
}

/// Every approval of the plan as it was signed.
fn signed_approvals(ws: &Workspace, plan: &Plan) -> Result<Vec<Value>, AppError> {
    let records = ws.every(planning::stream(&plan.id), approving::KIND)?;
    let signed = records.into_iter().filter_map(|mut r| {
        let body = r.body.as_object_mut()?;
        body.remove("signed")
    });
    Ok(signed.collect())
}

/// The plan's record as its requester signed it, and their public key.
fn signed_plan(ws: &Workspace, plan: &Plan) -> Result<Option<(String, String)>, AppError> {
    let stored =
        serde_json::to_value(plan).map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    let records = ws.every(planning::stream(&plan.id), "plan")?;
    let Some(record) = records.into_iter().find(|r| r.body == stored) else {
        return Ok(None);
    };
    let keys = ws.ledger.enrolled_keys()?;
    let Some(key) = keys.iter().find(|k| k.key.id() == record.signer) else {
        return Ok(None);
    };
    let envelope = ws.ledger.envelope(record.index)?;
    Ok(Some((BASE64.encode(envelope), key.key.base64())))
}
