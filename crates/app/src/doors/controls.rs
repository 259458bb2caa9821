//! Controls: freezes, pins, known-good versions, and what a rollback would do.

use gonogo_core::Timestamp;
use gonogo_core::envelope::Class;
use gonogo_release::freeze::{Active, Declared};
use gonogo_release::pin::Pin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use super::words::{
    BackTo, EnvironmentName, FreezeRef, Limit, Moment, PinTarget, VersionName, Why,
};
use crate::access::Scope;
use crate::controls::freezing::{self, Ended};
use crate::controls::goodness::{self, GoodDoc, Said};
use crate::controls::pinning::{self, Removed};
use crate::going_back::{self, GoesBack};
use crate::{AppError, Workspace};

/// Why agents may tighten and not loosen.
const FOR_PEOPLE: &str =
    "agents may close and not open: what holds applications back is taken away by people";

/// Input of `freeze_declare`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeDeclare {
    /// Environments; all of them if absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 64))]
    pub environments: Vec<EnvironmentName>,
    /// Why.
    pub why: Why,
    /// Until when; until somebody ends it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl UseCase for FreezeDeclare {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ControlWrite,
        idempotent: false,
        routes: &[Route::post("/v1/freezes", 201)],
        gives: &[("freeze", "/data/freeze")],
        examples: &[r#"{"why": "the database moves tonight", "environments": ["local"]}"#],
        urgent: true,
        ..Facts::read(
            "freeze_declare",
            "Declare a freeze",
            "Lets nothing new be applied, here or everywhere, until its end or until somebody ends it. It counts for plans that are approved already, and holds what runs where it stands. Planning, reading and going back work as ever.",
        )
    };
    type Answer = Declared;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Declared>, AppError> {
        let wanted = freezing::Wanted {
            environments: self.environments.into_iter().map(|e| e.0).collect(),
            why: self.why.0,
            until: self.until.map(|u| u.time()).transpose()?,
            posture: None,
        };
        Ok(freezing::declare(desk.workspace, &wanted)?.into())
    }
}

/// Input of `freeze_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeList {
    /// Only those that cover this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// At most so many of those that are over; 50 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

/// Freezes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Freezes {
    /// Those that hold now.
    pub active: Vec<Active>,
    /// Windows of the configuration that do not hold now.
    pub windows: Vec<WindowDoc>,
    /// Declared ones that are over, newest first.
    pub over: Vec<Over>,
}

/// A window that does not hold now.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WindowDoc {
    /// Its name.
    pub name: String,
    /// Environments; empty for all.
    pub environments: Vec<String>,
    /// Why.
    pub reason: String,
}

/// A declared freeze that is over.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Over {
    /// What it was.
    pub declared: Declared,
    /// Who ended it, and on what; none where its time ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

impl UseCase for FreezeList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/freezes")],
        examples: &["{}", r#"{"environment": "local"}"#],
        ..Facts::read(
            "freeze_list",
            "List freezes",
            "Lists the freezes that hold now, the windows of the configuration, and freezes that are over, with who, when and why.",
        )
    };
    type Answer = Freezes;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Freezes>, AppError> {
        let ws = desk.workspace;
        let now = ws.clock.now().wall;
        let only = self.environment.as_ref().map(|e| e.0.as_str());
        if let Some(name) = only {
            ws.config.environment(Some(name))?;
        }
        let mut active: Vec<Active> = Vec::new();
        for name in ws.config.environments.keys() {
            if only.is_none_or(|only| only == name) {
                let mut more = freezing::active(ws, name, now)?;
                more.retain(|a| !contains(&active, a));
                active.extend(more);
            }
        }
        let covers = |names: &[String]| {
            only.is_none_or(|only| names.is_empty() || names.iter().any(|n| n == only))
        };
        let windows = ws.config.freezes.iter();
        let windows = windows
            .filter(|w| covers(&w.environments) && w.when.around(now).is_none())
            .map(|w| WindowDoc {
                name: w.name.clone(),
                environments: w.environments.clone(),
                reason: w.reason.clone(),
            });
        let limit = self.limit.unwrap_or_default().0 as usize;
        let over = freezing::all(ws)?.into_iter().rev();
        let over = over
            .filter(|(d, ended)| ended.is_some() || d.until.is_some_and(|until| until <= now))
            .filter(|(d, _)| covers(&d.environments))
            .take(limit)
            .map(|(declared, ended)| Over { declared, ended });
        Ok(Freezes {
            windows: windows.collect(),
            over: over.collect(),
            active,
        }
        .into())
    }
}

fn contains(all: &[Active], one: &Active) -> bool {
    all.iter()
        .any(|a| a.freeze == one.freeze && a.window == one.window)
}

/// Input of `freeze_end`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeEnd {
    /// The freeze.
    pub freeze: FreezeRef,
    /// Why.
    pub why: Why,
    /// The version that gates are judged for; the newest known-good one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionName>,
}

impl UseCase for FreezeEnd {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ControlWrite,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/freezes/{freeze}/end", 200)],
        not_mcp: FOR_PEOPLE,
        examples: &[r#"{"freeze": "{freeze}", "why": "the database has moved"}"#],
        ..Facts::read(
            "freeze_end",
            "End a freeze",
            "Ends a declared freeze, if the gates of every environment that it covers pass: the same gates as for an application, judged anew on recorded evidence.",
        )
    };
    type Answer = Ended;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Ended>, AppError> {
        let version = self.version.as_ref().map(|v| v.0.as_str());
        Ok(freezing::end(desk.workspace, &self.freeze.0, version, &self.why.0)?.into())
    }
}

/// Input of `pin_set`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinSet {
    /// Environment; the only one of the configuration if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// The version: its tag, its `sha256:` digest or that of one of its files, or its full commit. Never a branch.
    pub to: PinTarget,
    /// Why.
    pub why: Why,
}

impl UseCase for PinSet {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ControlWrite,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/pins", 201)],
        not_mcp: FOR_PEOPLE,
        examples: &[r#"{"to": "1.0.0", "why": "2.0.0 loses orders"}"#],
        urgent: true,
        ..Facts::read(
            "pin_set",
            "Pin an environment",
            "Holds an environment's service to one version, by its content: nothing else is applied there until the pin is moved or removed. It replaces an earlier pin.",
        )
    };
    type Answer = Pin;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Pin>, AppError> {
        let environment = self.environment.as_ref().map(|e| e.0.as_str());
        Ok(pinning::set(desk.workspace, environment, &self.to.0, &self.why.0)?.into())
    }
}

/// Input of `pin_list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinList {
    /// Only of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
}

/// Pins, by environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pins {
    /// The pins that hold now.
    pub pins: Vec<Pin>,
}

impl UseCase for PinList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/pins")],
        ..Facts::read(
            "pin_list",
            "List pins",
            "Lists which environment is pinned to which version, with who, when and why.",
        )
    };
    type Answer = Pins;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Pins>, AppError> {
        let ws = desk.workspace;
        if let Some(only) = &self.environment {
            ws.config.environment(Some(&only.0))?;
        }
        let mut pins = pinning::all(ws)?;
        pins.retain(|p| {
            self.environment
                .as_ref()
                .is_none_or(|e| e.0 == p.environment)
        });
        Ok(Pins { pins }.into())
    }
}

/// Input of `pin_remove`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PinRemove {
    /// Environment.
    pub environment: EnvironmentName,
    /// Why.
    pub why: Why,
}

impl UseCase for PinRemove {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ControlWrite,
        people_only: true,
        idempotent: false,
        routes: &[Route::post("/v1/pins/{environment}/remove", 200)],
        not_mcp: FOR_PEOPLE,
        examples: &[r#"{"environment": "local", "why": "2.1.0 keeps orders"}"#],
        ..Facts::read(
            "pin_remove",
            "Remove a pin",
            "Removes an environment's pin: every version may be applied there again.",
        )
    };
    type Answer = Removed;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Removed>, AppError> {
        Ok(pinning::remove(desk.workspace, Some(&self.environment.0), &self.why.0)?.into())
    }
}

/// Input of `known_good_list`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownGoodList {
    /// Environment.
    pub environment: EnvironmentName,
}

/// Known-good versions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KnownGoods {
    /// Where.
    pub environment: String,
    /// The versions, newest first.
    pub versions: Vec<GoodDoc>,
}

impl UseCase for KnownGoodList {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/environments/{environment}/known-good")],
        examples: &[r#"{"environment": "local"}"#],
        ..Facts::read(
            "known_good_list",
            "List known-good versions",
            "Lists an environment's known-good versions with the evidence: which operation showed it, or who said so, whether its files are still there to the byte, and which one a rollback would go to.",
        )
    };
    type Answer = KnownGoods;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<KnownGoods>, AppError> {
        let versions = goodness::list(desk.workspace, Some(&self.environment.0))?;
        Ok(KnownGoods {
            environment: self.environment.0,
            versions,
        }
        .into())
    }
}

/// Input of `known_good_promote`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KnownGoodPromote {
    /// Environment.
    pub environment: EnvironmentName,
    /// The version; an operation must have run it there.
    pub version: VersionName,
    /// Why; needed for a version that was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
}

impl UseCase for KnownGoodPromote {
    const FACTS: Facts = Facts {
        class: Class::Plan,
        scope: Scope::ApprovalDecide,
        people_only: true,
        idempotent: false,
        routes: &[Route::post(
            "/v1/environments/{environment}/known-good",
            201,
        )],
        not_mcp: FOR_PEOPLE,
        examples: &[r#"{"environment": "local", "version": "1.0.0", "why": "it ran for a year"}"#],
        ..Facts::read(
            "known_good_promote",
            "Call a version known-good",
            "Records a person's word that a version which ran here is good to go back to. It takes somebody who may approve here, and a reason for a version that was taken back.",
        )
    };
    type Answer = Said;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<Said>, AppError> {
        let (environment, why) = (&self.environment.0, self.why.as_ref().map(|w| w.0.as_str()));
        let said = goodness::promote(desk.workspace, Some(environment), &self.version.0, why)?;
        Ok(said.into())
    }
}

/// Input of `rollback_preview`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollbackPreview {
    /// Environment.
    pub environment: EnvironmentName,
    /// Known-good version, or a plan that went to one; what a plain rollback would go to if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<BackTo>,
}

impl UseCase for RollbackPreview {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/environments/{environment}/rollback")],
        examples: &[r#"{"environment": "local"}"#],
        ..Facts::read(
            "rollback_preview",
            "Show what a rollback would do",
            "Says to which version a rollback would go, on which evidence, what differs from what serves, and whether its files are still there. Nothing is changed.",
        )
    };
    type Answer = GoesBack;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<GoesBack>, AppError> {
        let to = self.to.as_ref().map(|t| t.0.as_str());
        Ok(going_back::preview(desk.workspace, Some(&self.environment.0), to)?.into())
    }
}

/// Freezes and pin of an environment, for whoever shows it.
pub(super) fn over(
    ws: &Workspace,
    environment: &str,
    now: Timestamp,
) -> Result<(Vec<Active>, Option<Pin>), AppError> {
    let freezes = freezing::active(ws, environment, now)?;
    Ok((freezes, pinning::current(ws, environment)?))
}
