//! What there is: the service, its versions and environments, and what happened lately.

use gonogo_core::id::OperationId;
use gonogo_core::{Exit, Reason, Timestamp};
use gonogo_release::effect::Observed;
use gonogo_release::freeze::Active;
use gonogo_release::pin::Pin;
use gonogo_store::ledger::Filter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::controls::over;
use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{EnvironmentName, Limit};
use crate::config::Environment;
use crate::elsewhere::LastSaid;
use crate::following::EnvironmentView;
use crate::incidents::{self, Incident};
use crate::{AppError, Workspace, following, reserve};

/// Input of `read_entities`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadEntities {}

/// What the configuration describes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entities {
    /// The service.
    pub service: String,
    /// Digest of the configuration's bytes.
    pub config: gonogo_core::Digest,
    /// Versions that have a section of their own.
    pub versions: Vec<String>,
    /// Whether any well-formed name is a version.
    pub any_version: bool,
    /// Environments.
    pub environments: Vec<EnvironmentEntity>,
}

/// An environment as it is configured.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentEntity {
    /// Its name.
    pub name: String,
    /// How many must approve.
    pub approvals_required: u32,
    /// Who may approve.
    pub approvers: Vec<String>,
    /// Whether who asks may approve.
    pub own_approval: bool,
    /// Shares of its stages, in order.
    pub stages: Vec<gonogo_core::Share>,
    /// The freezes that hold there now: nothing new is applied.
    pub freezes: Vec<Active>,
    /// The version that it is pinned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

impl UseCase for ReadEntities {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/entities")],
        ..Facts::read(
            "read_entities",
            "Read entities",
            "Lists the service, its versions and its environments, as the configuration describes them now.",
        )
    };
    type Answer = Entities;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Entities>, AppError> {
        let ws = desk.workspace;
        let (config, now) = (&ws.config, ws.clock.now().wall);
        let entity = |e: &Environment| -> Result<EnvironmentEntity, AppError> {
            let (freezes, pin) = over(ws, &e.name, now)?;
            Ok(EnvironmentEntity {
                freezes,
                pin,
                name: e.name.clone(),
                approvals_required: e.approval.required,
                approvers: e.approval.approvers.iter().map(|a| a.id.clone()).collect(),
                own_approval: e.approval.own && e.approval.required <= 1,
                stages: e.strategy.stages.iter().map(|s| s.weight).collect(),
            })
        };
        let environments = config.environments.values().map(entity);
        Ok(Entities {
            service: config.service.clone(),
            config: config.digest,
            versions: config.version_names().map(str::to_owned).collect(),
            any_version: config.has_template(),
            environments: environments.collect::<Result<_, _>>()?,
        }
        .into())
    }
}

/// Input of `read_activity`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadActivity {
    /// At most so many records; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// What happened lately, and what is wrong now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// What is wrong now; empty if nothing is.
    pub diagnostics: Vec<Diagnostic>,
    /// The newest records, oldest first.
    pub records: Vec<ActivityLine>,
}

/// Something that is wrong.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// Where: `ledger`, `disk`, or `operation/…`.
    pub source: String,
    /// Its reason.
    pub reason: Reason,
    /// In words.
    pub message: String,
}

/// A record in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ActivityLine {
    /// Its index in the ledger.
    pub index: u64,
    /// Its stream.
    pub stream: String,
    /// Its kind.
    pub kind: String,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
}

impl UseCase for ReadActivity {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/activity")],
        examples: &["{}", r#"{"limit": 5}"#],
        ..Facts::read(
            "read_activity",
            "Read activity",
            "Lists what happened lately, from the ledger, and what is wrong now.",
        )
    };
    type Answer = Activity;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Activity>, AppError> {
        let ws = desk.workspace;
        let limit = self.limit.unwrap_or_default().0 as usize;
        let size = ws.ledger.size()?;
        let after = size.checked_sub(limit as u64 + 1);
        let records = ws.ledger.records(&Filter {
            after,
            limit,
            ..Filter::default()
        })?;
        let records = records.into_iter().map(|r| ActivityLine {
            index: r.index,
            stream: r.stream,
            kind: r.kind,
            time: r.time,
            actor: r.actor,
        });
        Ok(Activity {
            diagnostics: diagnostics(ws)?,
            records: records.collect(),
        }
        .into())
    }
}

fn diagnostics(ws: &Workspace) -> Result<Vec<Diagnostic>, AppError> {
    let notices = ws.ledger.notices().into_iter().map(|n| Diagnostic {
        source: "ledger".into(),
        reason: n.reason,
        message: n.text.clone(),
    });
    let mut all: Vec<Diagnostic> = notices.collect();
    let space = reserve::space_left(&ws.state);
    if let Some(left) = space.filter(|left| *left < following::SPACE_NEEDED) {
        all.push(Diagnostic {
            source: "disk".into(),
            reason: Reason::StoreFull,
            message: format!("{} KiB left beside the project's state", left >> 10),
        });
    }
    for open in ws.store.open_operations()? {
        let live = open
            .holder
            .is_some_and(|h| h.liveness == gonogo_store::Liveness::Live);
        if !live {
            all.push(Diagnostic {
                source: format!("operation/{}", open.operation.id),
                reason: Reason::LeaseLost,
                message: "no controller drives it; any command picks it up".into(),
            });
        }
    }
    Ok(all)
}

/// Input of `status_get`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StatusGet {
    /// Only this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
}

/// What serves, and what goes on.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// The service.
    pub service: String,
    /// Its environments.
    pub environments: Vec<EnvironmentStatus>,
}

/// An environment as it is.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentStatus {
    /// Its name.
    pub name: String,
    /// What its target reports; none if it does not answer, or only a workflow service sees it.
    pub observed: Option<Observed>,
    /// Why it does not answer.
    pub unreachable: Option<String>,
    /// What the workflow service that looks after it said last; nothing was observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_said: Option<LastSaid>,
    /// The operation that runs there.
    pub open: Option<OperationId>,
    /// The last version that passed its soak there.
    pub known_good: Option<String>,
    /// Set on a disk that is as good as full: bytes left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_of_space: Option<u64>,
    /// Whether the environment lets who asks approve.
    pub own_approval: bool,
    /// Incidents there that nobody has reviewed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
    /// The freezes that hold there now: nothing new is applied.
    #[serde(default)]
    pub freezes: Vec<Active>,
    /// The version that it is pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<Pin>,
}

impl UseCase for StatusGet {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/status")],
        ..Facts::read(
            "status_get",
            "Show what serves",
            "Says of each environment what serves there, what runs, and what is known-good. A target that does not answer is told as that, and what a workflow service said last as its word.",
        )
    };
    type Answer = ServiceStatus;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<ServiceStatus>, AppError> {
        let ws = desk.workspace;
        let only = self.environment.as_ref().map(|e| e.0.as_str());
        let views = following::environments(ws, only)?;
        let blind = views
            .iter()
            .any(|v| v.observed.is_none() && v.last_said.is_none());
        let now = ws.clock.now().wall;
        let open = incidents::list(ws, true)?;
        let status = |v: EnvironmentView| -> Result<EnvironmentStatus, AppError> {
            let (freezes, pin) = over(ws, &v.name, now)?;
            Ok(EnvironmentStatus {
                freezes,
                pin,
                incidents: open
                    .iter()
                    .filter(|i| i.environment == v.name)
                    .cloned()
                    .collect(),
                name: v.name,
                observed: v.observed,
                unreachable: v.unreachable,
                last_said: v.last_said,
                open: v.open,
                known_good: v.known_good,
                short_of_space: v.short_of_space,
                own_approval: v.own_approval,
            })
        };
        let environments = views.into_iter().map(status);
        let data = ServiceStatus {
            service: ws.config.service.clone(),
            environments: environments.collect::<Result<_, _>>()?,
        };
        Ok(Answered {
            exit: if blind { Exit::Unjudged } else { Exit::Done },
            ..data.into()
        })
    }
}
