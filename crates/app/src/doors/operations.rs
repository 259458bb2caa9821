//! Operations: begun by a plan that somebody approved, looked at, asked to end, and explained when they have ended.

mod triage;

use std::time::Duration;

use gonogo_core::envelope::Class;
use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Exit, Fingerprint, Reason, Span, Timestamp};
use gonogo_release::machine::{Ending, Phase, Terminal};
use gonogo_release::plan::{Plan, PlanKind};
use gonogo_store::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk, Done};
use super::tool::{Facts, Route, UseCase};
use super::words::{
    BackTo, EnvironmentName, Key, Limit, OperationPage, OperationRef, PlanRef, Why,
};
use crate::access::Scope;
use crate::applying::{self, Apply};
use crate::approving::superseding;
use crate::elsewhere::{self, Elsewhere};
use crate::rolling_back::{self, Way};
use crate::{AppError, Workspace, approving, controls, driving, following, planning};
pub use triage::{OpenEffect, Triage};

/// How often somebody who waits looks.
const LOOK: Duration = Duration::from_millis(50);

/// The states that an operation can end in, as the contract names them.
const TERMINAL: [&str; 4] = ["succeeded", "failed", "cancelled", "timed_out"];

/// What a caller holds of an operation that began: the same request has the same handle, to the byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Handle {
    /// The operation.
    pub operation_id: OperationId,
    /// The trace of the call that began it.
    pub trace_id: String,
    /// The workflow that carries it out.
    pub workflow_id: String,
    /// When it began.
    pub submitted_at: Timestamp,
    /// Where to look.
    pub status_url: String,
    /// States that it does not leave.
    pub terminal_states: Vec<String>,
    /// Which of them a new request may help after.
    pub terminal_state_retryable: std::collections::BTreeMap<String, bool>,
    /// Where to ask for its end.
    pub cancel_url: String,
}

impl Handle {
    /// The handle of a known operation; `base` is where it is looked at, empty for the command line.
    pub fn of(known: &Operation, base: &str) -> Self {
        let id = &known.id;
        Self {
            operation_id: id.clone(),
            trace_id: known.trace.clone().unwrap_or_default(),
            workflow_id: match elsewhere::state_of(known) {
                Some(state) => state.workflow_id,
                None => format!("gonogo-release-{id}"),
            },
            submitted_at: known.created,
            status_url: format!("{base}/operations/{id}"),
            terminal_states: TERMINAL.map(str::to_owned).into(),
            terminal_state_retryable: TERMINAL
                .iter()
                .map(|s| ((*s).to_owned(), *s != "succeeded"))
                .collect(),
            cancel_url: format!("{base}/v1/operations/{id}/cancel"),
        }
    }
}

/// Where an operation stands, in the contract's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on.
    Running,
    /// It did what was planned.
    Succeeded,
    /// It did not, or took it back.
    Failed,
    /// Somebody ended it, and it was undone.
    Cancelled,
    /// It took more time than it had.
    TimedOut,
}

impl Status {
    /// The endings that it stands for; none where nothing has ended.
    const fn results(self) -> &'static [&'static str] {
        match self {
            Self::Running => &[],
            Self::Succeeded => &["promoted"],
            Self::Failed => &["rolled_back", "refused", "needs_person", "failed"],
            Self::Cancelled => &["cancelled"],
            // The machine has deadlines of its own and goes back by itself: that is a failure with a reason. This is a workflow service's.
            Self::TimedOut => &["timed_out"],
        }
    }
}

/// Why an operation did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// Reason codes; never empty.
    pub reason_codes: Vec<Reason>,
    /// In words.
    pub message: String,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationDoc {
    /// Its id.
    pub operation_id: OperationId,
    /// Where it stands.
    pub status: Status,
    /// How it ended, in this product's words: `promoted`, `rolled_back`, `refused`, `cancelled`, `needs_person`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// From which version.
    pub from: Option<String>,
    /// To which version.
    pub to: String,
    /// Forward, or back to known-good.
    pub kind: PlanKind,
    /// The phase that it is in.
    pub phase: Phase,
    /// The trace of the call that began it; empty where none was said.
    pub trace_id: String,
    /// The use case that began it.
    pub tool_id: String,
    /// The plan.
    pub plan_id: PlanId,
    /// The plan's fingerprint.
    pub plan_fingerprint: Fingerprint,
    /// Where.
    pub environment: String,
    /// Who asked.
    pub requester: String,
    /// When it began.
    pub started_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// Why it ended so; empty while it goes on.
    pub reasons: Vec<Reason>,
    /// Why it did not succeed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Trouble>,
    /// Where the workflow service has it, if one carries it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// What to do.
    pub triage: Triage,
}

/// An operation as doors show it.
///
/// # Errors
/// Its state cannot be read.
pub fn operation_doc(ws: &Workspace, known: &Operation) -> Result<OperationDoc, AppError> {
    let status = status(known.terminal.as_ref());
    let plan = applying::plan_of(ws, &known.plan)?;
    let error = known
        .terminal
        .as_ref()
        .filter(|_| status != Status::Succeeded)
        .map(|t| Trouble {
            reason_codes: t.reasons.clone(),
            message: t.text.clone(),
        });
    Ok(OperationDoc {
        operation_id: known.id.clone(),
        status,
        result: known.terminal.as_ref().map(|t| t.result.name().to_owned()),
        triage: triage::of(ws, known, &plan)?,
        elsewhere: elsewhere::shown(known),
        from: plan.body.from.map(|f| f.version),
        to: plan.body.to.version,
        kind: plan.body.kind,
        phase: known.phase,
        trace_id: known.trace.clone().unwrap_or_default(),
        tool_id: "apply_change".into(),
        plan_id: known.plan.clone(),
        plan_fingerprint: known.fingerprint,
        environment: known.environment.clone(),
        requester: known.requester.clone(),
        started_at: known.created,
        updated_at: known.updated,
        completed_at: known.terminal.is_some().then_some(known.updated),
        reasons: known
            .terminal
            .as_ref()
            .map(|t| t.reasons.clone())
            .unwrap_or_default(),
        error,
    })
}

fn status(terminal: Option<&Terminal>) -> Status {
    match terminal.map(|t| t.result) {
        None => Status::Running,
        Some(Ending::Promoted) => Status::Succeeded,
        Some(Ending::Cancelled) => Status::Cancelled,
        Some(Ending::TimedOut) => Status::TimedOut,
        Some(Ending::RolledBack | Ending::Refused | Ending::NeedsPerson | Ending::Failed) => {
            Status::Failed
        }
    }
}

/// How an application answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At once, with a handle.
    #[default]
    Start,
    /// When the operation has ended, or with a handle when the time for an answer is over.
    Await,
}

/// Input of `apply_change`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplyChange {
    /// The fingerprint of the plan, as `plan_change` answered it.
    pub plan_fingerprint: Fingerprint,
    /// The plan; the one that the fingerprint names if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<PlanRef>,
    /// The same key with the same plan is the same operation, also after a restart.
    pub idempotency_key: Key,
    /// How to answer; `start` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// An application that was taken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Accepted {
    /// Always true: what is refused is an error.
    pub accepted: bool,
    /// Whether this call began the operation, and not the same one before.
    pub fresh: bool,
    /// The plan's fingerprint.
    pub plan_fingerprint: Fingerprint,
    /// The key.
    pub idempotency_key: String,
    /// The operation, where the caller waited for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationDoc>,
}

impl UseCase for ApplyChange {
    const FACTS: Facts = Facts {
        class: Class::Apply,
        scope: Scope::PlanApply,
        destructive: true,
        open_world: true,
        routes: &[Route::post("/v1/operations", 202)],
        gives: &[("operation", "/handle/operationId")],
        examples: &[r#"{"planFingerprint": "{fingerprint}", "idempotencyKey": "release-42"}"#],
        ..Facts::read(
            "apply_change",
            "Apply a plan",
            "Begins the operation that applies a plan which somebody else has approved, and answers with a handle. It refuses without a live approval of exactly this plan. The operation goes on whatever becomes of the caller; the handle's id stays valid for good and is a name, not a permission.",
        )
    };
    type Answer = Accepted;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Accepted>, AppError> {
        let ws = desk.workspace;
        let id = match &self.plan {
            Some(plan) => plan.find(ws)?,
            None => gonogo_release::plan::plan_id(self.plan_fingerprint),
        };
        let plan = planning::read(ws, &id).map_err(|e| match &self.plan {
            // The caller named no plan by an id, and is told of what it named.
            None if e.reason == Reason::PlanNotFound => AppError::new(
                Reason::PlanNotFound,
                format!("no plan has the fingerprint {}", self.plan_fingerprint),
            ),
            _ => e,
        })?;
        let environment = &plan.body.environment;
        let key = &self.idempotency_key.0;
        let known = ws.store.by_key(environment, key)?;
        if known.is_none() {
            let now = ws.now()?;
            // As if applications were switched off: before everything that the plan itself could lack.
            controls::may_apply(ws, &plan.body, now)
                .and_then(|()| superseding::check(ws, &plan))
                .map_err(|e| ws.refused(&planning::stream(&id), &desk.principal.name, e))?;
            // The contract's order: approval first, then whether it is this plan's.
            let approved = approving::approved(ws, &plan, &[], &desk.principal.name, now);
            // The same request, sent twice at once: the other one has used the approval up.
            if let Err(e) = approved
                && ws.store.by_key(environment, key)?.is_none()
            {
                return Err(naming_rejections(ws, &plan, e)?);
            }
        }
        if plan.fingerprint != self.plan_fingerprint {
            let text = format!(
                "plan `{id}` has the fingerprint {}, not {}",
                plan.fingerprint, self.plan_fingerprint
            );
            return Err(AppError::new(Reason::FingerprintMismatch, text));
        }
        let how = Apply {
            // The plan's id is the key of callers that have none of their own.
            key: Some(key.clone()).filter(|k| k != id.as_str()),
            ..Apply::default()
        };
        let begun = applying::apply(ws, &id, &how)?;
        let class = Class::Apply.policy();
        let most = Span::from_millis(class.default_timeout_ms * 9 / 10);
        let by = ws.config.environment(Some(environment))?;
        let started = ws.clock.now().mono_ms;
        let known = ws.store.operation(&begun.operation_id)?;
        let here = elsewhere::state_of(&known).is_none();
        // The same request again goes on with what nobody drives any more.
        if here && (begun.fresh || driving::is_orphan(ws, &known)?) {
            driving::spawn(ws, &begun.operation_id)?;
        }
        elsewhere::sent(ws, &begun.operation_id, begun.fresh, most)?;
        let mode = match self.mode {
            Some(mode) => mode,
            None => elsewhere::mode(ws, by)?,
        };
        let gone = ws.clock.now().mono_ms.saturating_sub(started);
        let wait = match mode {
            Mode::Start => None,
            Mode::Await if desk.patient => {
                Some(Span::from_millis(most.as_millis().saturating_sub(gone)))
            }
            // Whoever called this waits, see [`awaited`].
            Mode::Await => Some(Span::ZERO),
        };
        let known = ended_within(ws, &begun.operation_id, wait.unwrap_or(Span::ZERO))?;
        let operation = match wait {
            Some(_) => Some(operation_doc(ws, &known)?),
            None => None,
        };
        let exit = driving::exit_so_far(known.terminal.as_ref());
        Ok(Answered {
            handle: Some(Handle::of(&known, desk.base)),
            exit,
            data: Accepted {
                accepted: true,
                fresh: begun.fresh,
                plan_fingerprint: self.plan_fingerprint,
                idempotency_key: self.idempotency_key.0,
                operation,
            },
        })
    }
}

/// Whether the caller of an application waits for the end of what it began, which goes on.
pub fn awaited(done: &Done) -> bool {
    let asked = done.data["accepted"] == true && done.data["operation"].is_object();
    asked && done.exit == Exit::Running
}

/// The answer to an application as it would be given now.
///
/// # Errors
/// The operation cannot be read.
pub fn caught_up(ws: &Workspace, mut done: Done) -> Result<Done, AppError> {
    if let Some(handle) = &done.handle {
        let known = ws.store.operation(&handle.operation_id)?;
        let doc = operation_doc(ws, &known)?;
        done.data["operation"] = serde_json::to_value(doc)
            .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
        done.exit = driving::exit_so_far(known.terminal.as_ref());
    }
    Ok(done)
}

/// A refusal for want of approval, with who rejected the plan, if somebody did.
fn naming_rejections(ws: &Workspace, plan: &Plan, error: AppError) -> Result<AppError, AppError> {
    let codes = std::iter::once(&error.reason).chain(&error.others);
    if !codes.into_iter().any(|r| *r == Reason::ApprovalRejected) {
        return Ok(error);
    }
    let given = approving::voices(ws, plan)?.given;
    let mut by: Vec<String> = Vec::new();
    for voice in given.into_iter().rev() {
        let no = voice.decision == "rejected" && voice.broken.is_empty();
        if no && !by.contains(&voice.approver) {
            by.push(voice.approver);
        }
    }
    Ok(error.with("rejectedBy", serde_json::json!(by)))
}

/// The operation, when it has ended or the time is over.
fn ended_within(ws: &Workspace, id: &OperationId, within: Span) -> Result<Operation, AppError> {
    let begin = ws.clock.now().mono_ms;
    loop {
        let known = ws.store.operation(id)?;
        let waited = ws.clock.now().mono_ms.saturating_sub(begin);
        if known.terminal.is_some() || waited >= within.as_millis() {
            return Ok(known);
        }
        std::thread::sleep(LOOK);
    }
}

/// Input of `rollback_change`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackChange {
    /// Environment; the only one of the configuration if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Known-good version to go back to, or a plan that went to one; the pinned one, or the one before the serving one, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<BackTo>,
    /// Why.
    pub why: Why,
}

/// What a rollback came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RollbackStatus {
    /// An operation goes back, already or because of this.
    GoingBack,
    /// A plan that goes back waits to be approved and applied.
    Planned,
}

/// A rollback that was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// Whether it goes back now.
    pub status: RollbackStatus,
    /// The plan that goes back, where one was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<PlanId>,
    /// Its fingerprint, for `apply_change`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_fingerprint: Option<Fingerprint>,
    /// What is missing to apply it, as `approval.…` tokens.
    pub missing: Vec<String>,
}

impl UseCase for RollbackChange {
    const FACTS: Facts = Facts {
        class: Class::Apply,
        scope: Scope::PlanApply,
        destructive: true,
        open_world: true,
        routes: &[Route::post("/v1/rollbacks", 202)],
        examples: &[r#"{"why": "errors since the release"}"#],
        urgent: true,
        ..Facts::read(
            "rollback_change",
            "Go back to known-good",
            "Takes the running operation back; where none runs, makes the plan that returns to the last known-good version before the serving one. That plan is applied like any other: with apply_change, once it is approved. No gate and no freeze stands in its way.",
        )
    };
    type Answer = RolledBack;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<RolledBack>, AppError> {
        let ws = desk.workspace;
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        let to = self.to.as_ref().map(|v| v.0.as_str());
        match rolling_back::roll_back(ws, environment, to, &self.why.0)? {
            Way::Running(id) | Way::Cancelled(id) => {
                driving::pick_up(ws)?;
                let known = ws.store.operation(&id)?;
                Ok(Answered {
                    handle: Some(Handle::of(&known, desk.base)),
                    exit: Exit::Running,
                    data: RolledBack {
                        status: RollbackStatus::GoingBack,
                        plan_id: None,
                        plan_fingerprint: None,
                        missing: Vec::new(),
                    },
                })
            }
            Way::Planned(planned) => Ok(RolledBack {
                status: RollbackStatus::Planned,
                missing: approving::voices(ws, &planned.plan)?.missing,
                plan_fingerprint: Some(planned.plan.fingerprint),
                plan_id: Some(planned.plan.id),
            }
            .into()),
        }
    }
}

/// Input of `operation_get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationGet {
    /// The operation.
    pub operation: OperationRef,
}

impl UseCase for OperationGet {
    const FACTS: Facts = Facts {
        routes: &[
            Route::get("/v1/operations/{operation}"),
            Route::get("/operations/{operation}"),
        ],
        waits: true,
        of_store: true,
        examples: &[r#"{"operation": "{operation}"}"#],
        ..Facts::read(
            "operation_get",
            "Show an operation",
            "Says where an operation stands, how it ended, what is open of it and what to do next.",
        )
    };
    type Answer = OperationDoc;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<OperationDoc>, AppError> {
        let known = self.operation.find(desk.workspace)?;
        let exit = driving::exit_so_far(known.terminal.as_ref());
        Ok(Answered {
            exit,
            ..operation_doc(desk.workspace, &known)?.into()
        })
    }
}

/// Input of `operation_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationList {
    /// Only of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// At most so many; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Only those that stand so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Where an earlier answer ended: its `nextPageToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_token: Option<OperationPage>,
}

/// A page of operations, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operations {
    /// The operations.
    pub operations: Vec<OperationDoc>,
    /// Where the next page begins; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<OperationId>,
}

impl UseCase for OperationList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/operations")],
        gives: &[("operation", "/data/operations/0/operationId")],
        examples: &["{}", r#"{"limit": 1}"#, r#"{"status": "running"}"#],
        ..Facts::read(
            "operation_list",
            "List operations",
            "Lists operations, newest first.",
        )
    };
    type Answer = Operations;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Operations>, AppError> {
        let ws = desk.workspace;
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        if let Some(name) = environment {
            ws.config.environment(Some(name))?;
        }
        let limit = self.limit.unwrap_or_default().0;
        let results = self.status.map(Status::results);
        let after = self.page_token.map(|t| t.find(ws));
        let after = after.transpose()?;
        let after = after.map(|o| o.id);
        let mut known =
            ws.store
                .operations_page(environment, results, after.as_ref(), limit + 1)?;
        let more = known.len() > limit as usize;
        known.truncate(limit as usize);
        let next_page_token = more.then(|| known.last().map(|o| o.id.clone())).flatten();
        let operations = known.iter().map(|o| operation_doc(ws, o));
        Ok(Operations {
            operations: operations.collect::<Result<_, _>>()?,
            next_page_token,
        }
        .into())
    }
}

/// Input of `operation_cancel`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationCancel {
    /// The operation.
    pub operation: OperationRef,
    /// Why.
    pub why: Why,
}

/// A wish to end an operation that was written down for whoever drives it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelRequested {
    /// The operation.
    pub operation_id: OperationId,
}

impl UseCase for OperationCancel {
    const FACTS: Facts = Facts {
        class: Class::Apply,
        scope: Scope::PlanApply,
        destructive: true,
        open_world: true,
        routes: &[
            Route::post("/v1/operations/{operation}/cancel", 202),
            Route::post("/operations/{operation}/cancel", 202),
        ],
        examples: &[r#"{"operation": "{operation}", "why": "asked for by the owner"}"#],
        urgent: true,
        ..Facts::read(
            "operation_cancel",
            "Cancel an operation",
            "Asks a running operation to end and to be undone. It is a request: the operation says itself when it has ended.",
        )
    };
    type Answer = CancelRequested;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<CancelRequested>, AppError> {
        let ws = desk.workspace;
        let known = self.operation.find(ws)?;
        let id = following::cancel(ws, known.id.as_str(), &self.why.0)?;
        driving::pick_up(ws)?;
        let known = ws.store.operation(&id)?;
        Ok(Answered {
            handle: Some(Handle::of(&known, desk.base)),
            exit: match known.terminal {
                None => Exit::Running,
                // It was cancelled before, and asking again changes nothing.
                Some(_) => Exit::Done,
            },
            data: CancelRequested { operation_id: id },
        })
    }
}
