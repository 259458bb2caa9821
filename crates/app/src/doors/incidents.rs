//! Breaking the glass, and the incidents that it opens. For people alone; agents may look.

use gonogo_core::envelope::Class;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{IncidentRef, PlanRef, Why};
use crate::AppError;
use crate::access::Scope;
use crate::incidents::{self, Glass, Incident};

/// Input of `break_glass`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GlassBreak {
    /// The plan.
    pub plan: PlanRef,
    /// Its fingerprint, as it was shown.
    pub plan_fingerprint: gonogo_core::Fingerprint,
    /// Name of the policy in `[break_glass]`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))]
    pub policy: String,
    /// Why it cannot wait for approvals.
    pub reason: Why,
}

impl UseCase for GlassBreak {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::PlanApply,
        people_only: true,
        destructive: true,
        idempotent: false,
        routes: &[Route::post("/v1/plans/{plan}/break-glass", 201)],
        not_mcp: "an emergency is declared by a person, in their own name",
        examples: &[
            r#"{"plan": "{plan}", "planFingerprint": "{fingerprint}", "policy": "outage", "reason": "the shop is down"}"#,
        ],
        ..Facts::read(
            "break_glass",
            "Break the glass",
            "Does without the approvals that a plan lacks, by a named policy, and opens an incident that somebody else must review. It passes nothing else.",
        )
    };
    type Answer = Glass;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Glass>, AppError> {
        let ws = desk.workspace;
        let id = self.plan.find(ws)?;
        let plan = crate::planning::read(ws, &id)?;
        if plan.fingerprint != self.plan_fingerprint {
            let text = format!("plan `{id}` has another fingerprint than what was shown");
            let reason = gonogo_core::Reason::FingerprintMismatch;
            return Err(AppError::new(reason, text));
        }
        let (policy, reason) = (&self.policy, &self.reason.0);
        Ok(incidents::break_glass(ws, &id, policy, reason, desk.principal)?.into())
    }
}

/// Input of `incident_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncidentList {
    /// Also those that are closed.
    #[serde(default)]
    pub closed: bool,
}

/// Incidents, oldest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Incidents {
    /// They.
    pub incidents: Vec<Incident>,
}

impl UseCase for IncidentList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/incidents")],
        gives: &[("incident", "/data/incidents/0/incident")],
        examples: &["{}", r#"{"closed": true}"#],
        ..Facts::read(
            "incident_list",
            "List incidents",
            "Lists incidents that nobody has reviewed, or all, oldest first. Their reasons are words that nobody checked.",
        )
    };
    type Answer = Incidents;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Incidents>, AppError> {
        let incidents = incidents::list(desk.workspace, !self.closed)?;
        Ok(Incidents { incidents }.into())
    }
}

/// Input of `incident_show`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncidentShow {
    /// The incident.
    pub incident: IncidentRef,
}

impl UseCase for IncidentShow {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/incidents/{incident}")],
        examples: &[r#"{"incident": "{incident}"}"#],
        ..Facts::read(
            "incident_show",
            "Show an incident",
            "Shows an incident: who opened it, why, for which plan, until when it must be reviewed, and its review.",
        )
    };
    type Answer = Incident;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Incident>, AppError> {
        Ok(incidents::find(desk.workspace, &self.incident.0)?.into())
    }
}

/// Input of `incident_close`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IncidentClose {
    /// The incident.
    pub incident: IncidentRef,
    /// What the review found.
    pub review: Why,
}

impl UseCase for IncidentClose {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ApprovalDecide,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/incidents/{incident}/close", 200)],
        not_mcp: "a review is a person's, and another person's than who opened the incident",
        examples: &[
            r#"{"incident": "{incident}", "review": "the mend was right, and its test is in place"}"#,
        ],
        ..Facts::read(
            "incident_close",
            "Close an incident",
            "Closes an incident with a review by an approver of its environment who neither opened it nor asked for or applied what it let through. A glass that was not used yet is ended by it.",
        )
    };
    type Answer = Incident;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Incident>, AppError> {
        let ws = desk.workspace;
        Ok(incidents::close(ws, &self.incident.0, &self.review.0, desk.principal)?.into())
    }
}
