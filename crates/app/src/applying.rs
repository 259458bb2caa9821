//! Applying a plan: every check again, then exactly one operation.

use std::path::PathBuf;

use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Reason, Timestamp};
use gonogo_release::plan::Plan;
use gonogo_store::ledger::LedgerError;
use gonogo_store::{Draft, Subject, Submission};
use serde::Serialize;
use serde_json::json;

use crate::approving::superseding;
use crate::identity::{caller_name, random};
use crate::{
    AppError, Workspace, approving, controls, elsewhere, gating, hosting, incidents, planning,
    witnessing,
};

/// How a plan is applied.
#[derive(Debug, Clone, Default)]
pub struct Apply {
    /// Idempotency key; the plan's id if absent, so that one plan is one operation.
    pub key: Option<String>,
    /// Signed approvals brought from elsewhere.
    pub approvals: Vec<PathBuf>,
    /// The id that the operation is to have; a new one if absent.
    pub operation: Option<OperationId>,
}

/// The handle of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Handle {
    /// The operation.
    pub operation_id: OperationId,
    /// The plan.
    pub plan_id: PlanId,
    /// Whether this call began it.
    pub fresh: bool,
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// How it may end.
    pub terminal_states: [&'static str; 5],
}

fn handle(
    operation_id: OperationId,
    plan_id: PlanId,
    fresh: bool,
    submitted_at: Timestamp,
) -> Handle {
    let terminal_states = [
        "promoted",
        "rolled_back",
        "refused",
        "cancelled",
        "needs_person",
    ];
    Handle {
        operation_id,
        plan_id,
        fresh,
        submitted_at,
        terminal_states,
    }
}

/// Begins the operation that applies a plan, or returns the one that the same key began earlier.
///
/// # Errors
/// Everything that makes the plan other than what was approved, each with its own reason; nothing is changed then, and the
/// refusal is recorded.
pub fn apply(ws: &Workspace, id: &PlanId, how: &Apply) -> Result<Handle, AppError> {
    let now = ws.now()?;
    let stream = planning::stream(id);
    let me = ws.identity().map_err(|e| {
        let claimed = caller_name(ws.caller.name.as_deref()).unwrap_or_default();
        ws.refused(&stream, "unproven", e.with("claimed", claimed))
    })?;
    submit(ws, id, how, &me.name, now).map_err(|e| ws.refused(&stream, &me.name, e))
}

fn submit(
    ws: &Workspace,
    id: &PlanId,
    how: &Apply,
    actor: &str,
    now: Timestamp,
) -> Result<Handle, AppError> {
    let plan = planning::read(ws, id)?;
    let mut key = how.key.clone().unwrap_or_else(|| plan.id.to_string());
    if !(1..=200).contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(AppError::new(
            Reason::ArgumentInvalid,
            "an idempotency key has 1 to 200 characters of ASCII that can be seen",
        ));
    }
    crate::secrets::refuse(&key, "$.idempotencyKey")?;
    // The same request again is answered before anything is compared: by now the world has moved because of it.
    if let Some(known) = ws.store.by_key(&plan.body.environment, &key)? {
        if known.fingerprint != plan.fingerprint {
            let text = format!(
                "key `{key}` belongs to operation `{}` of plan `{}`",
                known.id, known.plan
            );
            return Err(AppError::new(Reason::IdempotencyConflict, text));
        }
        // Without a key of the caller's own, a new approval is what makes a new request: an operation that ended without
        // changing anything can be tried again with the same plan.
        let again = how.key.is_none() && known.terminal.is_some();
        match again.then(|| approving::approved(ws, &plan, &how.approvals, actor, now)) {
            Some(Ok(approved)) => {
                // What is approved beforehand has no approval of its own; then the operation that ended makes the request a new one.
                let ended = || known.id.to_string();
                let glass = approved.glass.as_ref().map(ToString::to_string);
                let first = approved.approvals.first().map(ToString::to_string);
                let new = first.or(glass).unwrap_or_else(ended);
                key = format!("{}/{new}", plan.id);
            }
            _ => {
                elsewhere::again(ws, &plan, &known)?;
                return Ok(handle(known.id, known.plan, false, known.created));
            }
        }
    }
    match begin(ws, &plan, how, &key, actor, now) {
        // The same request, sent twice at once: what the other one did has made this one fail, so it is answered as a repeat.
        Err(e) => match ws.store.by_key(&plan.body.environment, &key)? {
            Some(twin) if twin.fingerprint == plan.fingerprint => {
                Ok(handle(twin.id, twin.plan, false, twin.created))
            }
            _ => Err(e),
        },
        begun => begun,
    }
}

/// Checks everything again and submits.
fn begin(
    ws: &Workspace,
    plan: &Plan,
    how: &Apply,
    key: &str,
    actor: &str,
    now: Timestamp,
) -> Result<Handle, AppError> {
    // Before everything else, so that the answer does not depend on what else is wrong with the plan.
    controls::may_apply(ws, &plan.body, now)?;
    // No approval helps a plan that a newer one has replaced.
    superseding::check(ws, plan)?;
    // The contract's order, at every door: approval first, then whether what was approved is still so.
    let approved = approving::approved(ws, plan, &how.approvals, actor, now)?;
    planning::staleness(ws, plan)?;
    let environment = ws.config.environment(Some(&plan.body.environment))?;
    // While another operation moves the target, its state says nothing about this plan.
    let open = ws.store.open_operations()?;
    if let Some(open) = open
        .iter()
        .find(|o| o.operation.environment == environment.name)
    {
        let id = &open.operation.id;
        let text = format!(
            "operation `{id}` runs in `{}`; nothing was changed",
            environment.name
        );
        return Err(AppError::new(Reason::OperationOpen, text)
            .hint(format!("follow it: `gonogo watch {id}`"))
            .hint(format!("or take it back: `gonogo cancel {id} --yes`")));
    }
    hosting::ensure_agent(ws, environment)?;
    let seen = hosting::observe(ws, environment)?;
    if let Some(text) = gonogo_release::machine::drift(&plan.body.base, &seen) {
        return Err(AppError::new(
            Reason::BaseStateMoved,
            format!("`{}`: {text}", plan.body.environment),
        ));
    }
    let gate = gating::judge(ws, plan, now)?;
    let service = elsewhere::wired(ws, environment)?;
    if let Some(witnesses) = witnessing::of_plan(ws, plan)? {
        // The plan and its approvals: nobody may later show others.
        witnesses.cover()?;
    }
    let spent = approved.approvals.iter().map(ToString::to_string);
    let spent: Vec<String> = spent
        .chain(approved.glass.as_ref().map(ToString::to_string))
        .collect();
    spend(ws, plan, &spent, key, actor, now)?;
    let operation = how.operation.clone();
    let operation = operation.unwrap_or_else(|| OperationId::mint(random()));
    let mut body = json!({
        "plan": plan.id,
        "fingerprint": plan.fingerprint,
        "environment": plan.body.environment,
        "idempotencyKey": key,
        "requester": actor,
        "approvals": approved.approvals,
        "gate": gate,
    });
    if let (Some(trace), Some(map)) = (&ws.trace, body.as_object_mut()) {
        map.insert("traceId".into(), json!(trace));
        // Whoever drives it, also after the call and this process have ended, tells of parts of this call.
        if let Some(within) = &ws.within {
            map.insert("traceParent".into(), json!(within));
        }
    }
    if let (Some(glass), Some(map)) = (&approved.glass, body.as_object_mut()) {
        map.insert("breakGlass".into(), json!(glass));
    }
    // What nobody has reviewed yet is told with everything that is done meanwhile.
    let open: Vec<_> = incidents::open(ws, &plan.body.environment)?
        .into_iter()
        .map(|i| i.incident)
        .collect();
    if let (false, Some(map)) = (open.is_empty(), body.as_object_mut()) {
        map.insert("openIncidents".into(), json!(open));
    }
    let beforehand = approved.approvals.is_empty() && approved.glass.is_none();
    if let (true, Some(map)) = (beforehand, body.as_object_mut()) {
        let policy = format!("environments.{}.approval.rollback", environment.name);
        map.insert(
            "preapproved".into(),
            json!({"reason": Reason::PreApproved, "policy": policy, "config": plan.body.config}),
        );
    }
    let beginning = match service {
        None => None,
        Some(endpoint) => {
            if let Some(map) = body.as_object_mut() {
                map.insert(
                    "elsewhere".into(),
                    json!({"workflowName": endpoint.workflow_name, "taskQueue": endpoint.task_queue, "dispatchUrl": endpoint.dispatch_url}),
                );
            }
            Some(elsewhere::beginning(&operation, endpoint, key, now)?)
        }
    };
    let submission = Submission {
        operation: operation.clone(),
        plan: plan.id.clone(),
        fingerprint: plan.fingerprint,
        environment: plan.body.environment.clone(),
        key: key.to_owned(),
        requester: actor.into(),
        at: now,
        approvals: approved.approvals,
        trace: ws.trace.clone(),
        records: vec![Draft {
            stream: format!("operation/{operation}"),
            key: "begin".into(),
            kind: "operation".into(),
            time: now,
            actor: actor.into(),
            subject: Subject {
                name: plan.id.to_string(),
                digest: plan.fingerprint.digest(),
            },
            body,
        }],
    };
    let submitted = ws.store.submit_with(&submission, beginning.as_deref())?;
    Ok(handle(
        submitted.operation,
        plan.id.clone(),
        submitted.fresh,
        now,
    ))
}

/// Records that approvals are used, each once and for this request: the ledger takes no second record under an approval's name,
/// whatever became of the store beside it. The same request again is the same record.
fn spend(
    ws: &Workspace,
    plan: &Plan,
    approvals: &[String],
    key: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), AppError> {
    let draft = |id: &String| gonogo_store::ledger::Draft {
        stream: planning::stream(&plan.id),
        key: format!("use/{id}"),
        kind: approving::USE_KIND.into(),
        subject: vec![gonogo_ledger::Subject {
            name: plan.id.to_string(),
            digest: plan.fingerprint.digest(),
        }],
        time: now,
        actor: actor.into(),
        body: json!({"approval": id, "idempotencyKey": key}),
        signer: None,
    };
    match ws.ledger.append(approvals.iter().map(draft).collect()) {
        Err(LedgerError::KeyReused { index, .. })
            if ws.ledger.record_at(index)?.kind == approving::revoking::KIND =>
        {
            let text =
                format!("an approval was taken back, says record {index}; nothing was changed");
            Err(AppError::new(Reason::ApprovalRevoked, text)
                .hint(format!("ask again: `gonogo approval request {}`", plan.id)))
        }
        Err(LedgerError::KeyReused { index, .. }) => {
            let text = format!(
                "an approval was used for another request, says record {index}; nothing was changed"
            );
            Err(AppError::new(Reason::ApprovalReused, text)
                .with("missingFields", json!(["approval.singleUse"]))
                .hint(format!("approve again: `gonogo approve {}`", plan.id)))
        }
        other => Ok(other.map(drop)?),
    }
}

/// Reads the plan of an operation.
pub(crate) fn plan_of(ws: &Workspace, plan: &PlanId) -> Result<Plan, AppError> {
    Ok(ws.store.plan(plan)?)
}
