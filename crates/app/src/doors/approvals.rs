//! Approvals: a channel of their own. No scope lets an agent through.

use gonogo_core::envelope::Class;
use gonogo_core::id::PlanId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{PersonName, PlanRef, Why};
use crate::access::Scope;
use crate::approving::{self, Given, Say, Voices};
use crate::incidents::Incident;
use crate::{AppError, incidents, planning};

/// Input of `approval_list`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalList {
    /// The plan.
    pub plan: PlanRef,
}

/// What was said about a plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approvals {
    /// The plan.
    pub plan: PlanId,
    /// What was said, and what is missing.
    #[serde(flatten)]
    pub voices: Voices,
    /// Broken glass that stands in the place of its approvals, where somebody broke it for this plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
}

impl UseCase for ApprovalList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans/{plan}/approvals")],
        examples: &[r#"{"plan": "{plan}"}"#],
        ..Facts::read(
            "approval_list",
            "List approvals",
            "Lists what was said about a plan, and what is missing to apply it.",
        )
    };
    type Answer = Approvals;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Approvals>, AppError> {
        let ws = desk.workspace;
        let plan = planning::read(ws, &self.plan.find(ws)?)?;
        Ok(Approvals {
            voices: approving::voices(ws, &plan)?,
            incidents: incidents::list(ws, false)?
                .into_iter()
                .filter(|i| i.plan == plan.id)
                .collect(),
            plan: plan.id,
        }
        .into())
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// Yes.
    Approved,
    /// No.
    Rejected,
}

/// Input of `approval_decide`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalDecide {
    /// The plan.
    pub plan: PlanRef,
    /// Its fingerprint, as it was shown to whoever decides.
    pub plan_fingerprint: gonogo_core::Fingerprint,
    /// Yes or no.
    pub decision: Decision,
    /// In which role; the one that is listed for the caller if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))]
    pub role: Option<String>,
    /// For how many minutes it holds; as long as the environment allows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 525_600))]
    pub sla_minutes: Option<u64>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Why>,
    /// The approver who delegated their voice to the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<PersonName>,
}

impl UseCase for ApprovalDecide {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ApprovalDecide,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/plans/{plan}/approvals", 201)],
        gives: &[("approval", "/data/approval/approvalId")],
        not_mcp: "agents ask, people decide: an answer that is given through the agent's own client proves nobody",
        examples: &[
            r#"{"plan": "{plan}", "planFingerprint": "{fingerprint}", "decision": "approved"}"#,
        ],
        ..Facts::read(
            "approval_decide",
            "Approve or reject a plan",
            "Gives a yes or a no to exactly this plan: signed with the caller's key on their machine, and at a server by their login where the environment takes one. It is used once, ends, and dies with the plan.",
        )
    };
    type Answer = Given;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Given>, AppError> {
        let ws = desk.workspace;
        let id = self.plan.find(ws)?;
        let plan = planning::read(ws, &id)?;
        if plan.fingerprint != self.plan_fingerprint {
            let text = format!("plan `{id}` has another fingerprint than what was shown");
            return Err(AppError::new(
                gonogo_core::Reason::FingerprintMismatch,
                text,
            ));
        }
        let say = Say {
            role: self.role,
            sla_minutes: self.sla_minutes,
            note: self.note.map(|n| n.0),
            reject: self.decision == Decision::Rejected,
            on_behalf_of: self.on_behalf_of.map(|p| p.0),
            out: None,
        };
        Ok(approving::login::decide(ws, &id, &say, desk.principal)?.into())
    }
}
