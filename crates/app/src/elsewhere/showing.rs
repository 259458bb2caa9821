//! What people see of an operation that a workflow service carries out.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_release::effect::ObservedSlot;
use gonogo_release::machine::Ending;
use gonogo_release::remote::{Cancel, Receipt, Stage, State};
use gonogo_store::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state_of;
use crate::doors::OpenEffect;

/// An operation as the workflow service has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Elsewhere {
    /// The workflow's name.
    pub workflow_name: String,
    /// The queue.
    pub task_queue: String,
    /// Where it was sent.
    pub dispatch_url: String,
    /// Where it is asked about.
    pub status_url: String,
    /// How far it is.
    pub stage: Stage,
    /// So often it was sent.
    pub sent: u32,
    /// What the service said when it took it, its ids among it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// When the service last said where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// What keeps it from going on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Upstream>,
    /// Somebody's wish to end it, and what the service said to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<Cancel>,
}

/// What a workflow service said last of what serves. Nothing was observed: it may have changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastSaid {
    /// The operation that it was said of; none where none has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether that operation ended so that nobody knows what serves.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
    /// The slots that were in use then.
    pub slots: Vec<SaidSlot>,
}

/// A slot that was in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaidSlot {
    /// The slot.
    pub slot: String,
    /// The version in it.
    pub version: String,
    /// Digest of the version's whole description.
    pub content: Digest,
    /// Parts per ten thousand of new requests.
    pub weight: u32,
}

impl From<ObservedSlot> for SaidSlot {
    fn from(told: ObservedSlot) -> Self {
        Self {
            slot: told.slot,
            version: told.version,
            content: told.content,
            weight: told.weight,
        }
    }
}

/// Trouble with the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Upstream {
    /// Since when.
    pub since: Timestamp,
    /// What it is.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// What there is to show; none of an operation that gonogo carries out itself.
pub(crate) fn shown(known: &Operation) -> Option<Elsewhere> {
    let state = state_of(known)?;
    let status_url = state.endpoint.status_url(state.there());
    let trouble = state.trouble().map(|(trouble, since)| Upstream {
        since,
        reason: trouble.reason,
        message: trouble.text.clone(),
    });
    Some(Elsewhere {
        status_url,
        trouble,
        stage: state.stage,
        sent: state.sent,
        last_seen: state.seen,
        receipt: state.receipt,
        cancel: state.cancel,
        workflow_name: state.endpoint.workflow_name,
        task_queue: state.endpoint.task_queue,
        dispatch_url: state.endpoint.dispatch_url,
    })
}

/// What of it may be under way there.
pub(crate) fn open_effects(known: &Operation, state: &State) -> Vec<OpenEffect> {
    let ended = state.terminal.as_ref().map(|t| t.result);
    let open = match ended {
        None => state.may_be_there(),
        Some(result) => matches!(result, Ending::NeedsPerson | Ending::TimedOut),
    };
    let effect = OpenEffect {
        key: format!("dispatch/{}", state.there()),
        since: known.created,
    };
    open.then_some(effect).into_iter().collect()
}

/// Meaning, whether a new request may help, and what to do.
pub(crate) fn triage(
    known: &Operation,
    state: &State,
    orphan: bool,
) -> (String, bool, Vec<String>) {
    let (id, plan, environment) = (&known.id, &known.plan, &known.environment);
    let status = state.endpoint.status_url(state.there());
    let watch = format!("follow it: `gonogo watch {id}`");
    let cancel = format!("or take it back: `gonogo cancel {id} --yes`");
    let end =
        format!("or have it ended as soon as the service knows it: `gonogo cancel {id} --yes`");
    let packet = format!("keep the evidence: `gonogo packet {id}`");
    let look = format!("what the service says: {status}");
    let again = format!(
        "plan again: `gonogo plan --env {environment} --to VERSION`; approvals do not carry over"
    );
    let told = |meaning: &str, retryable, next: Vec<String>| (meaning.to_owned(), retryable, next);
    let Some(terminal) = &state.terminal else {
        let why = state.trouble().map(|(t, since)| {
            format!(
                " Since {since} it is not heard of: {}: {}.",
                t.reason, t.text
            )
        });
        let why = why.unwrap_or_default();
        if orphan && state.stage != Stage::Held {
            let there = match state.may_be_there() {
                true => "the workflow service may go on with it, and nobody asks it",
                false => "nothing of it was sent",
            };
            return told(
                &format!("Its controller is gone: {there}.{why}"),
                true,
                vec![
                    format!(
                        "go on with it: `gonogo ops resume {id}`, or the same request with the same key"
                    ),
                    look,
                    cancel,
                ],
            );
        }
        return match state.stage {
            Stage::Held => told(
                &format!("The workflow service did not take it, and nothing was changed.{why}"),
                true,
                vec![
                    format!(
                        "send it again when the service is well: `gonogo ops resume {id}`, or the same request with the same key"
                    ),
                    cancel,
                ],
            ),
            Stage::Taken => told(
                &format!("The workflow service carries it out.{why}"),
                false,
                vec![watch, look, cancel],
            ),
            Stage::InDoubt if state.said_yes() => told(
                &format!(
                    "The workflow service said yes to it in a form that cannot be used; it is asked, and never sent again.{why}"
                ),
                false,
                vec![watch, look, end],
            ),
            Stage::InDoubt => {
                let mut next = vec![watch, look];
                if state.can_go_again() {
                    next.push(format!(
                        "send it again under the same ids, if the service still has none such: `gonogo ops resume {id}`"
                    ));
                }
                next.push(end);
                told(
                    &format!(
                        "Nobody knows whether the workflow service took it; it is asked, and not sent again by itself.{why}"
                    ),
                    false,
                    next,
                )
            }
            _ => told(
                &format!("It is being sent.{why}"),
                false,
                vec![watch, look, cancel],
            ),
        };
    };
    match terminal.result {
        Ending::Promoted => told(
            "The workflow service says that it did what was planned.",
            false,
            vec![
                "verify the version where it serves, and record the evidence: `gonogo evidence submit FILE`".into(),
                packet,
            ],
        ),
        Ending::RolledBack | Ending::Failed => told(
            "The workflow service says that it failed. What it left is for the target to say.",
            true,
            vec![
                format!("read why: `gonogo status {id}`, and {status}"),
                "look at the target; if anything of it is left there, go back first".into(),
                again,
            ],
        ),
        Ending::Refused => told(
            "The workflow service did not take it, and nothing was changed.",
            true,
            vec![
                format!("read why: `gonogo status {id}`"),
                format!("compare the plan with now: `gonogo plan diff {plan}`"),
                again,
            ],
        ),
        Ending::Cancelled => told(
            "It was ended before its end.",
            true,
            vec![
                format!("see who and why: `gonogo evidence list --stream {id}`"),
                format!("check what it left: {status}"),
                again,
            ],
        ),
        Ending::TimedOut => told(
            "The workflow service says that it took more time than it had. Something of it may still run there.",
            true,
            vec![
                format!("make sure that it does not before anything is tried again: {status}"),
                "then plan again, or go back: `gonogo rollback`".into(),
                packet,
            ],
        ),
        Ending::NeedsPerson => told(
            "gonogo could not find out what became of it there, and does not guess.",
            false,
            vec![
                format!("ask the service and its people whether they have it, and end it there if it is not wanted: {status}"),
                "look at the target; it may yet change if the service takes it late".into(),
                format!("when it is as it should be, go back: `gonogo rollback --env {environment} --yes`"),
            ],
        ),
    }
}
