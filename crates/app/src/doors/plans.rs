//! Plans: made, checked, shown, compared.

use gonogo_core::envelope::Class;
use gonogo_core::id::PlanId;
use gonogo_core::{Exit, Fingerprint, Reason, Timestamp};
use gonogo_release::plan::{Plan, PlanKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk, Done};
use super::tool::{Facts, Route, Tool, UseCase};
use super::words::{EnvironmentName, Limit, PlanPage, PlanRef, VersionName};
use crate::access::Scope;
use crate::approving::{self, Voices};
use crate::planning::{self, Difference, FindingView};
use crate::{AppError, Workspace};

/// Input of `validate_plan`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValidatePlan {
    /// Environment; the only one of the configuration if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Version to bring there.
    pub version: VersionName,
}

/// What a plan would be.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidatedPlan {
    /// Whether it can be made: no finding is an error.
    pub valid: bool,
    /// The fingerprint that it would have now.
    pub plan_fingerprint: Fingerprint,
    /// Service.
    pub service: String,
    /// Environment.
    pub environment: String,
    /// The version that serves now, if one does.
    pub from: Option<String>,
    /// The version to serve.
    pub to: String,
    /// Names of the steps, in order.
    pub steps: Vec<String>,
    /// What lint noticed.
    pub findings: Vec<FindingView>,
}

impl UseCase for ValidatePlan {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::PlanCreate,
        routes: &[Route::post("/v1/plans/validate", 200)],
        keeps_nothing: true,
        examples: &[r#"{"version": "1.0.0"}"#],
        ..Facts::read(
            "validate_plan",
            "Validate a plan",
            "Says what a plan would be and what cannot work of it. Nothing is kept: to plan, call plan_change.",
        )
    };
    type Answer = ValidatedPlan;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<ValidatedPlan>, AppError> {
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        let made = planning::validate(desk.workspace, environment, &self.version.0)?;
        let valid = made.findings.iter().all(|f| f.severity != "error");
        let data = ValidatedPlan {
            valid,
            plan_fingerprint: made.fingerprint,
            service: made.body.service,
            environment: made.body.environment,
            from: made.body.from.map(|f| f.version),
            to: made.body.to.version,
            steps: made
                .body
                .steps
                .iter()
                .map(|s| s.kind.name().to_owned())
                .collect(),
            findings: made.findings,
        };
        Ok(Answered {
            exit: if valid { Exit::Done } else { Exit::Fail },
            ..data.into()
        })
    }
}

/// Input of `plan_change`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanChange {
    /// Environment; the only one of the configuration if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// Version to bring there.
    pub version: VersionName,
}

/// How planning ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// There is a plan.
    Planned,
    /// The version serves already, so there is nothing to plan.
    NothingToDo,
}

/// A plan that was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangePlanned {
    /// Whether there is a plan.
    pub status: PlanStatus,
    /// In words, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Names exactly what will happen; an approval binds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_fingerprint: Option<Fingerprint>,
    /// Whether this plan did not exist before.
    pub fresh: bool,
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan_result: Option<Plan>,
    /// What lint noticed.
    pub findings: Vec<FindingView>,
    /// What is missing to apply it, as `approval.…` tokens; empty if it is approved.
    pub missing: Vec<String>,
}

/// Whether a use case may find that there is nothing to make.
pub(super) fn may_make_nothing(tool: &Tool) -> bool {
    tool.facts.name == PlanChange::FACTS.name
}

/// Whether an answer says that there was nothing to make.
pub fn made_nothing(done: &Done) -> bool {
    done.data["status"] == "nothing_to_do"
}

impl UseCase for PlanChange {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::PlanCreate,
        routes: &[Route::post("/v1/plans", 201)],
        gives: &[
            ("plan", "/data/planResult/id"),
            ("planFingerprint", "/data/planFingerprint"),
        ],
        examples: &[r#"{"version": "1.0.0"}"#],
        ..Facts::read(
            "plan_change",
            "Plan a change",
            "Makes the plan that brings a version to an environment, keeps it and records it. Nothing on the target changes. The same intent over the same content is the same plan.",
        )
    };
    type Answer = ChangePlanned;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<ChangePlanned>, AppError> {
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        match planning::plan(desk.workspace, environment, &self.version.0) {
            Ok(made) => Ok(ChangePlanned {
                status: PlanStatus::Planned,
                text: None,
                plan_fingerprint: Some(made.plan.fingerprint),
                fresh: made.fresh,
                missing: approving::voices(desk.workspace, &made.plan)?.missing,
                plan_result: Some(made.plan),
                findings: made.findings,
            }
            .into()),
            Err(e) if e.reason == Reason::NothingToDo => Ok(ChangePlanned {
                status: PlanStatus::NothingToDo,
                text: Some(e.message),
                plan_fingerprint: None,
                fresh: false,
                plan_result: None,
                findings: Vec::new(),
                missing: Vec::new(),
            }
            .into()),
            Err(e) => Err(e),
        }
    }
}

/// Input of `plan_get`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanGet {
    /// The plan.
    pub plan: PlanRef,
}

/// A plan and what was said about it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanShown {
    /// The plan.
    pub plan: Plan,
    /// Approvals and rejections, and what is missing.
    pub approval: Voices,
    /// Why it could not be applied now though it were approved; none if it could.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<String>,
}

impl UseCase for PlanGet {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans/{plan}")],
        examples: &[r#"{"plan": "{plan}"}"#],
        ..Facts::read(
            "plan_get",
            "Show a plan",
            "Shows a plan, what was said about it and what is missing to apply it. An expired or outdated plan is shown, too.",
        )
    };
    type Answer = PlanShown;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<PlanShown>, AppError> {
        let ws = desk.workspace;
        let plan = planning::read(ws, &self.plan.find(ws)?)?;
        Ok(PlanShown {
            approval: approving::voices(ws, &plan)?,
            stale: planning::standing(ws, &plan).err().map(|e| e.message),
            plan,
        }
        .into())
    }
}

/// Input of `plan_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanList {
    /// Only of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// At most so many; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Where an earlier answer ended: its `nextPageToken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_token: Option<PlanPage>,
}

/// A page of plans, newest first.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plans {
    /// The plans.
    pub plans: Vec<PlanLine>,
    /// Where the next page begins; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_page_token: Option<PlanId>,
}

/// A plan in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanLine {
    /// Its id.
    pub id: PlanId,
    /// What it is named by.
    pub plan_fingerprint: Fingerprint,
    /// Environment.
    pub environment: String,
    /// Forward, or back to known-good.
    pub kind: PlanKind,
    /// From which version.
    pub from: Option<String>,
    /// To which version.
    pub to: String,
    /// Who asked.
    pub requester: String,
    /// When.
    pub created_at: Timestamp,
}

impl UseCase for PlanList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans")],
        gives: &[
            ("plan", "/data/plans/0/id"),
            ("planFingerprint", "/data/plans/0/planFingerprint"),
        ],
        examples: &["{}", r#"{"limit": 1}"#],
        ..Facts::read("plan_list", "List plans", "Lists plans, newest first.")
    };
    type Answer = Plans;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Plans>, AppError> {
        let ws = desk.workspace;
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        if let Some(name) = environment {
            ws.config.environment(Some(name))?;
        }
        let after = self.page_token.map(|t| t.find(ws));
        let after = after.transpose()?;
        let limit = self.limit.unwrap_or_default().0;
        let mut plans = ws.store.plans(environment, after.as_ref(), limit + 1)?;
        let more = plans.len() > limit as usize;
        plans.truncate(limit as usize);
        let next_page_token = more.then(|| plans.last().map(|p| p.id.clone())).flatten();
        let plans = plans.into_iter().map(line).collect();
        Ok(Plans {
            plans,
            next_page_token,
        }
        .into())
    }
}

fn line(plan: Plan) -> PlanLine {
    PlanLine {
        id: plan.id,
        plan_fingerprint: plan.fingerprint,
        environment: plan.body.environment,
        kind: plan.body.kind,
        from: plan.body.from.map(|f| f.version),
        to: plan.body.to.version,
        requester: plan.requester,
        created_at: plan.created_at,
    }
}

/// Input of `plan_diff`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanDiff {
    /// The plan.
    pub plan: PlanRef,
    /// The other plan; what would be planned now if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub against: Option<PlanRef>,
}

/// What differs between two plans.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanDifferences {
    /// The plan.
    pub plan: PlanId,
    /// The other one; none for what would be planned now.
    pub against: Option<PlanId>,
    /// What differs, leaf by leaf.
    pub differences: Vec<Difference>,
}

impl UseCase for PlanDiff {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans/{plan}/diff")],
        examples: &[r#"{"plan": "{plan}"}"#],
        ..Facts::read(
            "plan_diff",
            "Compare plans",
            "Compares a plan with another one, or with what would be planned now.",
        )
    };
    type Answer = PlanDifferences;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<PlanDifferences>, AppError> {
        let ws: &Workspace = desk.workspace;
        let plan = self.plan.find(ws)?;
        let against = self.against.map(|a| a.find(ws)).transpose()?;
        Ok(PlanDifferences {
            differences: planning::diff(ws, &plan, against.as_ref())?,
            plan,
            against,
        }
        .into())
    }
}

/// Input of `plan_lint`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanLint {
    /// The plan.
    pub plan: PlanRef,
}

/// What lint says of a plan now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Linted {
    /// The plan.
    pub plan: PlanId,
    /// What it noticed.
    pub findings: Vec<FindingView>,
}

impl UseCase for PlanLint {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/plans/{plan}/lint")],
        examples: &[r#"{"plan": "{plan}"}"#],
        ..Facts::read(
            "plan_lint",
            "Lint a plan",
            "Finds what cannot work of a plan before anybody approves it.",
        )
    };
    type Answer = Linted;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Linted>, AppError> {
        let plan = self.plan.find(desk.workspace)?;
        let findings = planning::lint_plan(desk.workspace, &plan)?;
        let worst = |severity: &str| findings.iter().any(|f| f.severity == severity);
        let exit = match (worst("error"), worst("warning")) {
            (true, _) => Exit::Fail,
            (false, true) => Exit::Hold,
            (false, false) => Exit::Done,
        };
        Ok(Answered {
            exit,
            ..Linted { plan, findings }.into()
        })
    }
}
