//! What another gonogo, or any caller of the dispatch contract, sends to be carried out here.

use gonogo_core::envelope::Class;
use gonogo_core::id::OperationId;
use gonogo_core::{Fingerprint, Reason};
use gonogo_release::approval::Asker;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::desk::{Answered, Desk};
use super::operations::Handle;
use super::tool::{Facts, Route, UseCase};
use super::words::{EnvironmentName, Key, Moment, PersonName, VersionName};
use crate::access::Scope;
use crate::approving::SignedText;
use crate::elsewhere::{self, Order};
use crate::{AppError, driving};

/// A name of a workflow or a queue, or an id of a workflow.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Word(#[schemars(regex(pattern = r"^[A-Za-z0-9._:-]{1,200}$"))] pub String);

/// A trace's id; empty where there is none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct TraceId(#[schemars(regex(pattern = r"^[A-Za-z0-9._:-]{0,128}$"))] pub String);

/// A text of the sender's that is kept nowhere.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Told(#[schemars(length(max = 1024))] pub String);

/// Bytes in base64.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Base64(#[schemars(length(min = 4, max = 900_000))] pub String);

/// Input of `operation_dispatch`: the contract's document.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationDispatch {
    /// The id that the sender gave the operation; it has that one here, too.
    pub operation_id: OperationId,
    /// The workflow's id: its name and the operation's id.
    pub workflow_id: Word,
    /// The workflow's name.
    pub workflow_name: Word,
    /// The queue; everything is carried out by this server.
    pub task_queue: Word,
    /// When the sender began it.
    pub submitted_at: Moment,
    /// What is to be done.
    pub input: DispatchInput,
}

/// What is to be done.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DispatchInput {
    /// The sender's trace.
    #[serde(default)]
    pub trace_id: TraceId,
    /// The sender's use case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_id: Option<Told>,
    /// The sender's configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest_path: Option<Told>,
    /// Of the contract; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_pack: Option<Told>,
    /// Of the contract; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Told>,
    /// Of the contract; not used here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_path: Option<Told>,
    /// Where; the plan says it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Which version; the plan says it, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
    /// Who asked the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Told>,
    /// The fingerprint of the plan that is to be applied.
    pub plan_fingerprint: Fingerprint,
    /// The same key with the same plan is the same operation.
    pub idempotency_key: Key,
    /// The plan, where it was not made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Map<String, Value>>,
    /// The plan's record, signed by who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_record: Option<Base64>,
    /// The public key of who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester_key: Option<Base64>,
    /// Everybody who asked the sender for the plan after its requester: they do not approve it here either.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub also_asked: Vec<AskedThere>,
    /// Approvals as their givers signed them; each is checked here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub approvals: Vec<SignedText>,
}

/// Somebody who asked the sender for a plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AskedThere {
    /// Who.
    pub id: PersonName,
    /// The id of the key that signed that; empty if none is known.
    #[serde(default)]
    pub key: KeyText,
    /// The person for whom an agent asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<PersonName>,
}

/// A key's id, or none.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct KeyText(#[schemars(regex(pattern = r"^([0-9a-f]{64})?$"))] pub String);

/// What was taken.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    /// Always true: what is refused is an error.
    pub accepted: bool,
    /// Whether this call began the operation, and not the same one before.
    pub fresh: bool,
    /// The operation.
    pub operation_id: OperationId,
    /// The workflow.
    pub workflow_id: String,
    /// When it began here.
    pub submitted_at: gonogo_core::Timestamp,
    /// Where to look.
    pub status_url: String,
    /// Where to ask for its end.
    pub cancel_url: String,
}

impl UseCase for OperationDispatch {
    const FACTS: Facts = Facts {
        class: Class::Apply,
        scope: Scope::PlanApply,
        destructive: true,
        open_world: true,
        routes: &[Route::post("/operations/dispatch", 202)],
        not_mcp: "is spoken between services",
        examples: &[
            r#"{"operationId": "op_000000000000", "workflowId": "release-op_000000000000", "workflowName": "release", "taskQueue": "releases", "submittedAt": "2026-01-31T12:00:00Z", "input": {"traceId": "t-1", "planFingerprint": "{fingerprint}", "idempotencyKey": "release-42"}}"#,
        ],
        ..Facts::read(
            "operation_dispatch",
            "Carry out what another gonogo sends",
            "Begins the operation that another gonogo planned and somebody approved, and answers with a handle. The plan, its requester's signature and the approvals' signatures travel with it, and every check is made again here. The same id and key are the same operation.",
        )
    };
    type Answer = Taken;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Taken>, AppError> {
        let input = self.input;
        let tool = input.tool_id.as_ref().map(|t| t.0.as_str());
        // A name may have its owner's before it: `golden.shinobi.apply_change`.
        if let Some(tool) = tool.filter(|t| t.rsplit('.').next() != Some("apply_change")) {
            let text = format!(
                "what is dispatched here is applied, and `toolId` says `{}`",
                tool.escape_debug()
            );
            return Err(AppError::new(Reason::InputMalformed, text).with("path", "$.input.toolId"));
        }
        let order = Order {
            environment: input.environment.map(|e| e.0),
            version: input.version.map(|v| v.0),
            operation: self.operation_id,
            fingerprint: input.plan_fingerprint,
            key: input.idempotency_key.0,
            plan: input.plan.map(Value::Object),
            record: input
                .plan_record
                .map(|r| r.0)
                .zip(input.requester_key.map(|k| k.0)),
            also: input
                .also_asked
                .into_iter()
                .map(|a| Asker {
                    id: a.id.0,
                    key: a.key.0,
                    on_behalf_of: a.on_behalf_of.map(|p| p.0),
                })
                .collect(),
            approvals: input.approvals.into_iter().map(|a| a.0).collect(),
        };
        let trace = Some(input.trace_id.0).filter(|t| !t.is_empty());
        let ws = &desk.workspace.in_trace(trace);
        let begun = elsewhere::take(ws, &order, &desk.principal.name)?;
        if begun.fresh {
            driving::spawn(ws, &begun.operation_id)?;
        }
        let known = ws.store.operation(&begun.operation_id)?;
        let handle = Handle::of(&known, desk.base);
        Ok(Answered {
            exit: driving::exit_so_far(known.terminal.as_ref()),
            data: Taken {
                accepted: true,
                fresh: begun.fresh,
                operation_id: handle.operation_id.clone(),
                workflow_id: self.workflow_id.0,
                submitted_at: handle.submitted_at,
                status_url: handle.status_url.clone(),
                cancel_url: handle.cancel_url.clone(),
            },
            handle: Some(handle),
        })
    }
}
