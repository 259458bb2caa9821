//! Approvals asked for, shown, brought, taken back and delegated. Agents ask and look; no scope lets an agent decide, submit, take back or
//! delegate.

use gonogo_core::envelope::Class;
use gonogo_core::id::DelegationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{
    ApprovalRef, EnvironmentName, Limit, Moment, PersonName, PlanRef, RoleName, Why,
};
use crate::AppError;
use crate::access::Scope;
use crate::approving::delegating::{self, DelegationView};
use crate::approving::requesting::{self, Ask, Request, Waiting, Which};
use crate::approving::revoking::{self, Revoked};
use crate::approving::showing::{self, Shown};
use crate::approving::submitting;
use crate::approving::{Given, Signed};

/// Why agents have no such tool.
const PEOPLE_DECIDE: &str = "agents ask, people decide: an answer that is given through the agent's own client proves nobody";

const fn decision(name: &'static str, title: &'static str, about: &'static str) -> Facts {
    Facts {
        class: Class::Plan,
        scope: Scope::ApprovalDecide,
        people_only: true,
        idempotent: false,
        not_mcp: PEOPLE_DECIDE,
        ..Facts::read(name, title, about)
    }
}

/// Input of `approval_request`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalRequest {
    /// The plan.
    pub plan: PlanRef,
    /// People to ask; everybody who may decide if neither people nor roles are named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub people: Vec<PersonName>,
    /// Roles to ask.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub roles: Vec<RoleName>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Why>,
    /// Until when it matters; a day from now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl UseCase for ApprovalRequest {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::PlanCreate,
        idempotent: false,
        routes: &[Route::post("/v1/plans/{plan}/approval-requests", 201)],
        examples: &[r#"{"plan": "{plan}", "note": "the fix of the login page"}"#],
        ..Facts::read(
            "approval_request",
            "Ask for an approval",
            "Asks people, or everybody in a role, to decide about a plan, and records that. It decides nothing.",
        )
    };
    type Answer = Request;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Request>, AppError> {
        let ws = desk.workspace;
        let ask = Ask {
            people: self.people.into_iter().map(|p| p.0).collect(),
            roles: self.roles.into_iter().map(|r| r.0).collect(),
            note: self.note.map(|n| n.0).unwrap_or_default(),
            until: self.until.map(|u| u.time()).transpose()?,
        };
        Ok(requesting::request(ws, &self.plan.find(ws)?, &ask)?.into())
    }
}

/// Input of `approval_queue`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalQueue {
    /// Only of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Only what waits for the caller.
    #[serde(default)]
    pub mine: bool,
    /// Also what was decided.
    #[serde(default)]
    pub decided: bool,
    /// At most so many; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// What waits for a decision, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Queue {
    /// The plans.
    pub plans: Vec<Waiting>,
}

impl UseCase for ApprovalQueue {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/approvals")],
        examples: &[
            "{}",
            r#"{"mine": true}"#,
            r#"{"decided": true, "limit": 5}"#,
        ],
        ..Facts::read(
            "approval_queue",
            "List what waits for approval",
            "Lists plans that wait for a decision, and for whose; with `decided` also those that were decided. Looks through the newest 200 plans.",
        )
    };
    type Answer = Queue;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Queue>, AppError> {
        let ws = desk.workspace;
        let environment = self.environment.map(|e| e.0);
        if let Some(name) = &environment {
            ws.config.environment(Some(name))?;
        }
        let which = Which {
            environment,
            mine: self.mine.then(|| desk.principal.name.clone()),
            decided: self.decided,
            limit: self.limit.unwrap_or_default().0 as usize,
        };
        let plans = requesting::waiting(ws, &which)?;
        Ok(Queue { plans }.into())
    }
}

/// Input of `approval_show`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalShow {
    /// The plan.
    pub plan: PlanRef,
}

impl UseCase for ApprovalShow {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans/{plan}/approval")],
        examples: &[r#"{"plan": "{plan}"}"#],
        ..Facts::read(
            "approval_show",
            "Show what is to be decided",
            "Shows what a person needs to decide about a plan: effects, changes, gates, fingerprint, who may decide and who has, what is missing, and until when. Words of others are listed as untrusted.",
        )
    };
    type Answer = Shown;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Shown>, AppError> {
        let ws = desk.workspace;
        Ok(showing::show(ws, &self.plan.find(ws)?)?.into())
    }
}

/// Input of `approval_submit`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalSubmit {
    /// The plan.
    pub plan: PlanRef,
    /// What `gonogo approve PLAN --out FILE` wrote.
    pub approval: Signed,
}

impl UseCase for ApprovalSubmit {
    const FACTS: Facts = Facts {
        idempotent: true,
        routes: &[Route::post("/v1/plans/{plan}/approvals/submit", 201)],
        examples: &[r#"{"plan": "{plan}", "approval": "{signed}"}"#],
        ..decision(
            "approval_submit",
            "Bring a signed approval",
            "Takes in an approval that was signed on another machine, if it breaks no rule. Who brings it proves nothing: the signature does.",
        )
    };
    type Answer = Given;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Given>, AppError> {
        let ws = desk.workspace;
        let id = self.plan.find(ws)?;
        Ok(submitting::submit(ws, &id, &self.approval, desk.principal)?.into())
    }
}

/// Input of `approval_revoke`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalRevoke {
    /// The approval.
    pub approval: ApprovalRef,
    /// Why.
    pub why: Why,
    /// In an admin's right, where somebody else gave it; recorded as that.
    #[serde(default)]
    pub as_admin: bool,
}

impl UseCase for ApprovalRevoke {
    const FACTS: Facts = Facts {
        destructive: true,
        routes: &[Route::post("/v1/approvals/{approval}/revoke", 200)],
        examples: &[r#"{"approval": "{approval}", "why": "the numbers were of another build"}"#],
        ..decision(
            "approval_revoke",
            "Take an approval back",
            "Takes an approval back before it is used: its giver does, or whoever it was given for, or an admin who says so.",
        )
    };
    type Answer = Revoked;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Revoked>, AppError> {
        let revoked = revoking::revoke(
            desk.workspace,
            &self.approval.0,
            &self.why.0,
            self.as_admin,
            desk.principal,
        )?;
        Ok(revoked.into())
    }
}

/// Input of `delegation_give`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegationGive {
    /// Who may speak for the caller.
    pub to: PersonName,
    /// Their key's id; the one that the configuration lists for them if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub to_key: Option<String>,
    /// Where.
    #[schemars(length(min = 1, max = 32))]
    pub environments: Vec<EnvironmentName>,
    /// Until when.
    pub until: Moment,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Why>,
}

impl UseCase for DelegationGive {
    const FACTS: Facts = Facts {
        routes: &[Route::post("/v1/delegations", 201)],
        gives: &[("delegation", "/data/delegation/delegationId")],
        examples: &[
            r#"{"to": "erin", "environments": ["local"], "until": "{tomorrow}", "note": "on leave"}"#,
        ],
        ..decision(
            "delegation_give",
            "Delegate one's voice",
            "Lets a person speak for the caller, in named environments, until a named time. Both voices together count once. Never an agent.",
        )
    };
    type Answer = DelegationView;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<DelegationView>, AppError> {
        let wanted = delegating::Wanted {
            to: self.to.0,
            to_key: self.to_key,
            environments: self.environments.into_iter().map(|e| e.0).collect(),
            until: self.until.time()?,
            note: self.note.map(|n| n.0).unwrap_or_default(),
        };
        Ok(delegating::give(desk.workspace, &wanted, desk.principal)?.into())
    }
}

/// Input of `delegation_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegationList {}

/// Every delegation, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delegations {
    /// They.
    pub delegations: Vec<DelegationView>,
}

impl UseCase for DelegationList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/delegations")],
        ..Facts::read(
            "delegation_list",
            "List delegations",
            "Lists who may speak for whom, where and until when, and what has ended, newest first.",
        )
    };
    type Answer = Delegations;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Delegations>, AppError> {
        let delegations = delegating::list(desk.workspace)?;
        Ok(Delegations { delegations }.into())
    }
}

/// Input of `delegation_withdraw`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DelegationWithdraw {
    /// The delegation.
    pub delegation: DelegationId,
    /// Why.
    pub why: Why,
    /// In an admin's right; recorded as that.
    #[serde(default)]
    pub as_admin: bool,
}

impl UseCase for DelegationWithdraw {
    const FACTS: Facts = Facts {
        destructive: true,
        idempotent: true,
        routes: &[Route::post("/v1/delegations/{delegation}/withdraw", 200)],
        examples: &[r#"{"delegation": "{delegation}", "why": "back again"}"#],
        ..decision(
            "delegation_withdraw",
            "Withdraw a delegation",
            "Ends a delegation at once, and takes back what was given under it and not used.",
        )
    };
    type Answer = DelegationView;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<DelegationView>, AppError> {
        let (ws, why) = (desk.workspace, &self.why.0);
        let ended = delegating::withdraw(ws, &self.delegation, why, self.as_admin, desk.principal)?;
        Ok(ended.into())
    }
}
