//! One operation, whole: what it does, what it decided, what became of each of its effects.

use gonogo_core::{Reason, Timestamp};
use gonogo_release::effects::{self, EffectSeen};
use gonogo_release::machine::Terminal;
use gonogo_release::plan::Plan;
use gonogo_store::Operation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::{Answered, Desk};
use super::operations::{OperationDoc, Status, operation_doc};
use super::tool::{Facts, Route, UseCase};
use super::words::{EnvironmentName, OperationRef};
use crate::access::Scope;
use crate::{AppError, Workspace, driving, following};

use gonogo_core::envelope::Class;

/// An operation with everything that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationShown {
    /// The operation.
    #[serde(flatten)]
    pub operation: OperationDoc,
    /// Its plan.
    pub plan: Plan,
    /// How it ended, with every reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal: Option<Terminal>,
    /// What it does and waits for; none when it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Value>,
    /// Whether a live controller drives it.
    pub driven: bool,
    /// Set while it runs on a disk that is as good as full: bytes left. Its controller waits for space.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_of_space: Option<u64>,
    /// Its decisions so far, oldest first.
    pub decisions: Vec<Decided>,
    /// Its effects on the target so far, oldest first: done, not done, or not known.
    pub effects: Vec<EffectSeen>,
    /// Where its packet is on the machine that ran it, once it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packet: Option<String>,
    /// The log's public key, to verify the packet by.
    pub log_key: String,
}

/// A decision as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decided {
    /// When.
    pub at: Timestamp,
    /// Verdict, reasons, numbers.
    pub body: Value,
}

/// An operation with everything that is known of it.
///
/// # Errors
/// Its state or its records cannot be read.
pub fn operation_shown(ws: &Workspace, known: Operation) -> Result<OperationShown, AppError> {
    let operation = operation_doc(ws, &known)?;
    let effects = effects_of(ws, &known)?;
    let view = following::view(ws, known)?;
    let decisions = view.decisions.into_iter().map(|d| Decided {
        at: d.at,
        body: d.body,
    });
    let packet = view.terminal.is_some().then(|| ws.packet_path(&view.id));
    Ok(OperationShown {
        packet: packet.map(|p| p.display().to_string()),
        log_key: ws.ledger.log_vkey().to_string(),
        decisions: decisions.collect(),
        effects,
        plan: view.plan,
        terminal: view.terminal,
        progress: view.progress,
        driven: view.driven,
        short_of_space: view.short_of_space,
        operation,
    })
}

/// What became of an operation's effects.
pub(crate) fn effects_of(ws: &Workspace, known: &Operation) -> Result<Vec<EffectSeen>, AppError> {
    let stream = format!("operation/{}", known.id);
    // Samples are many and say nothing of effects.
    let mut records = ws.every(stream.clone(), "intent")?;
    records.extend(ws.every(stream, "outcome")?);
    records.sort_by_key(|r| r.index);
    Ok(effects::seen(
        records.iter().map(|r| (r.kind.as_str(), &r.body)),
    ))
}

/// Whether the version of an operation that was taken back was ready, and answered requests that were counted.
pub(crate) fn answered(
    ws: &Workspace,
    known: &Operation,
    content: gonogo_core::Digest,
) -> Result<bool, AppError> {
    if !effects::served(&effects_of(ws, known)?, content) {
        return Ok(false);
    }
    let decided = ws.every(format!("operation/{}", known.id), "decision")?;
    Ok(effects::counted(decided.iter().map(|r| (r.kind.as_str(), &r.body))) > 0)
}

/// Input of `operation_show`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationShow {
    /// The operation.
    pub operation: OperationRef,
}

impl UseCase for OperationShow {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/operations/{operation}/details")],
        examples: &[r#"{"operation": "{operation}"}"#],
        ..Facts::read(
            "operation_show",
            "Show all of an operation",
            "Shows an operation with its plan, each decision with its numbers, and what became of each effect. To ask whether it has ended, operation_get is enough.",
        )
    };
    type Answer = OperationShown;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<OperationShown>, AppError> {
        let known = self.operation.find(desk.workspace)?;
        let exit = driving::exit_so_far(known.terminal.as_ref());
        let data = operation_shown(desk.workspace, known)?;
        Ok(Answered {
            exit,
            ..data.into()
        })
    }
}

/// Input of `operation_resume`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationResume {
    /// The operation.
    pub operation: OperationRef,
}

/// What became of a wish to go on with an operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resumed {
    /// The operation.
    pub operation_id: gonogo_core::id::OperationId,
    /// Whether a controller was started; none is where a live one drives it.
    pub started: bool,
}

impl UseCase for OperationResume {
    const FACTS: Facts = Facts {
        class: Class::Apply,
        scope: Scope::PlanApply,
        open_world: true,
        routes: &[Route::post("/v1/operations/{operation}/resume", 202)],
        examples: &[r#"{"operation": "{operation}"}"#],
        urgent: true,
        ..Facts::read(
            "operation_resume",
            "Go on with an operation",
            "Starts a controller for a running operation that nobody drives. It goes on exactly where it was: what is in doubt is asked about, and nothing is done twice.",
        )
    };
    type Answer = Resumed;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Resumed>, AppError> {
        let ws = desk.workspace;
        let known = self.operation.find(ws)?;
        if let Some(terminal) = &known.terminal {
            let text = format!(
                "operation `{}` ended as {} and does not go on",
                known.id,
                terminal.result.name()
            );
            return Err(AppError::new(Reason::OperationEnded, text)
                .hint(format!("what to do now: `gonogo ops triage {}`", known.id)));
        }
        let driven = following::driven(ws, &known.id)?;
        let plan = crate::applying::plan_of(ws, &known.plan)?;
        crate::elsewhere::again(ws, &plan, &known)?;
        if !driven {
            driving::spawn(ws, &known.id)?;
        }
        Ok(Answered {
            exit: gonogo_core::Exit::Running,
            ..Resumed {
                operation_id: known.id,
                started: !driven,
            }
            .into()
        })
    }
}

/// Input of `operation_triage`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OperationTriage {
    /// Only this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
}

/// Operations that somebody should look at.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attention {
    /// The one with the oldest open effect first, then those without an open effect, oldest first.
    pub operations: Vec<OperationDoc>,
}

/// So far back operations that ended are looked at: an open effect of an older one was overtaken long ago.
const LOOKED_AT: u32 = 500;

impl UseCase for OperationTriage {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/triage")],
        ..Facts::read(
            "operation_triage",
            "Triage operations",
            "Lists operations that run and that need a person, the one with the oldest open effect first, each with what to do next.",
        )
    };
    type Answer = Attention;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Attention>, AppError> {
        let ws = desk.workspace;
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        if let Some(name) = environment {
            ws.config.environment(Some(name))?;
        }
        let mut operations = Vec::new();
        for known in ws.store.operations("", environment, LOOKED_AT)? {
            let doc = operation_doc(ws, &known)?;
            if doc.status == Status::Running || needs_look(&doc) {
                operations.push(doc);
            }
        }
        let open = |doc: &OperationDoc| doc.triage.open_effects.iter().map(|e| e.since).min();
        operations.sort_by_key(|doc| {
            let since = open(doc);
            (since.is_none(), since, doc.started_at)
        });
        Ok(Attention { operations }.into())
    }
}

/// Whether somebody must still look at an operation that ended: it left an effect open, and nothing ended well there since.
fn needs_look(doc: &OperationDoc) -> bool {
    let unsettled =
        doc.result.as_deref() == Some("needs_person") || !doc.triage.open_effects.is_empty();
    unsettled && !doc.triage.overtaken
}
