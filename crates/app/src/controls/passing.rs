//! Whether the gates of an environment pass again, so that a freeze may end.
//!
//! Invariants: whichever file is named, what is known to be demanded otherwise is asked as well: by the last release, by the project's own
//! file, by the freeze when it was declared, by the plan that people approved last. Only an approved plan makes a file count alone.

use std::collections::BTreeSet;
use std::path::Path;

use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_release::freeze::Declared;
use gonogo_release::plan::{Gates, VersionSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{force, goodness};
use crate::config::{Config, Environment, FILE};
use crate::{AppError, Workspace, applying, gating, planning};

/// That an environment's gates pass. A stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatePassed {
    /// Where.
    pub environment: String,
    /// The version that they were judged for; none where no gate is demanded and nothing serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is demanded: `none`, `dry-run` or `verdict`.
    pub demanded: String,
    /// The records of the ledger that they rest on; null where no gate is demanded.
    pub evidence: Value,
    /// Digest of what the file demands of this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<Digest>,
    /// The gates that were asked beside those of the file, where the last release was held to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_to: Option<HeldTo>,
    /// The gates that were asked beside those, from wherever else they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<Beside>,
    /// The approved plan by which people accepted the file as it is, so that its gates counted alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<PlanId>,
}

/// Gates that an environment's last release was held to. A stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeldTo {
    /// The operation.
    pub operation: OperationId,
    /// What it demanded.
    pub demanded: String,
    /// Digest of that.
    pub judged_by: Digest,
    /// The records that they rest on.
    pub evidence: Value,
}

/// Gates that are known from elsewhere than the file that was named and the last release. A stored format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Beside {
    /// From where, for people: the project's own file, the freeze, or a plan.
    pub from: String,
    /// What it demands.
    pub demanded: String,
    /// Digest of that.
    pub judged_by: Digest,
    /// The records that they rest on.
    pub evidence: Value,
}

/// What the gates of every environment say that a freeze covers.
pub(super) fn all(
    ws: &Workspace,
    declared: &Declared,
    version: Option<&str>,
    now: Timestamp,
) -> Result<Vec<GatePassed>, AppError> {
    let stays = |name: &str, mut e: AppError| {
        e.message = format!(
            "freeze `{}` stays, for the gates of `{name}` do not pass: {}",
            declared.freeze, e.message
        );
        e.and(&[Reason::FreezeActive])
    };
    let mut passed = Vec::new();
    for name in covered(ws, declared)? {
        // Of what the file does not know nobody can say what its gates are, and leaving it out would ask nothing.
        let environment = ws.config.environments.get(&name).ok_or_else(|| {
            let text = format!(
                "`{}` does not know that environment",
                ws.config.path.display()
            );
            let error = AppError::new(Reason::EnvironmentUnknown, text).hint(
                "use the project's own file, or put the environment back into it until the freeze is ended",
            );
            stays(&name, error)
        })?;
        passed.push(
            gates_pass(ws, environment, declared, version, now).map_err(|e| stays(&name, e))?,
        );
    }
    Ok(passed)
}

/// The environments whose gates are asked: those that the freeze names; else all of the file, and all that something was applied to.
fn covered(ws: &Workspace, declared: &Declared) -> Result<BTreeSet<String>, AppError> {
    let mut all: BTreeSet<String> = declared.environments.iter().cloned().collect();
    if all.is_empty() {
        all.extend(ws.config.environments.keys().cloned());
        let operations = ws.store.operations("", None, u32::MAX)?;
        all.extend(operations.into_iter().map(|o| o.environment));
    }
    Ok(all)
}

/// Judges an environment's gates by what `apply` asks, on recorded evidence: those of the file, and all that are known besides, unless
/// people have approved a plan that was made with the file as it is.
fn gates_pass(
    ws: &Workspace,
    environment: &Environment,
    declared: &Declared,
    version: Option<&str>,
    now: Timestamp,
) -> Result<GatePassed, AppError> {
    let gates = gating::demanded(&ws.config, environment.gates);
    let judged = candidate(ws, environment, version)?;
    let wanted: Option<Vec<Digest>> = judged
        .as_ref()
        .map(|spec| spec.artifacts.iter().map(|a| a.sha256).collect());
    let held = force::gates(ws, &environment.name)?;
    // People accepted the project's own file since it was frozen; not one of before, and none beside it.
    let own = ws.config.root().join(FILE);
    let own = !is_there(&own) || is_same(&own, &ws.config.path);
    let accepted_by = force::accepts(ws, environment)?
        .filter(|plan| own && plan.created_at >= declared.since)
        .map(|plan| plan.id);
    let held = held.filter(|_| accepted_by.is_none());
    let judge = |gates: Gates| match (gates, &wanted) {
        (Gates::None, _) => Ok(Value::Null),
        (gates, Some(wanted)) => {
            let evidence = gating::judge_of(ws, gates, wanted, now)?;
            force::same_rules(ws, &environment.name, &evidence, held.as_ref())?;
            Ok(evidence)
        }
        (_, None) => {
            let text = format!(
                "no version is known-good in `{}`, and none was named to judge",
                environment.name
            );
            Err(AppError::new(Reason::GateEvidenceMissing, text)
                .hint("name the version that is to be released: `--to VERSION`"))
        }
    };
    let evidence = judge(gates)?;
    let other = held
        .as_ref()
        .filter(|h| h.gates != gates && h.gates != Gates::None);
    let held_to = match other {
        None => None,
        Some(held) => {
            let evidence = judge(held.gates).map_err(|mut e| {
                e.message = format!(
                    "`{}`, its last release, was held to other gates (`{}`) than the file demands, and they do not pass: {}",
                    held.operation,
                    word(held.gates),
                    e.message
                );
                e.hint("to go by the file as it is, have a plan approved that was made with it")
            })?;
            Some(HeldTo {
                operation: held.operation.clone(),
                demanded: word(held.gates).into(),
                judged_by: force::digest(&held.gates)?,
                evidence,
            })
        }
    };
    let mut beside: Vec<Beside> = Vec::new();
    let others = match accepted_by {
        None => known_besides(ws, environment, declared)?,
        Some(_) => Vec::new(),
    };
    for (from, other) in others {
        let judged_by = force::digest(&other)?;
        let asked = other == gates || other == Gates::None;
        let held_to = held_to.as_ref().is_some_and(|h| h.judged_by == judged_by);
        if asked || held_to || beside.iter().any(|b| b.judged_by == judged_by) {
            continue;
        }
        let evidence = judge(other).map_err(|mut e| {
            e.message = format!(
                "{from} demands other gates (`{}`) than `{}`, and they do not pass: {}",
                word(other),
                ws.config.path.display(),
                e.message
            );
            e.hint("to go by the file as it is, have a plan approved that was made with it")
        })?;
        beside.push(Beside {
            from,
            demanded: word(other).into(),
            judged_by,
            evidence,
        });
    }
    Ok(GatePassed {
        beside,
        environment: environment.name.clone(),
        version: judged.map(|spec| spec.version),
        demanded: word(gates).into(),
        evidence,
        judged_by: Some(force::digest(&gates)?),
        held_to,
        accepted_by,
    })
}

/// What an environment's gates are by whoever else knows: the project's own file where another one was named, the freeze itself, which says
/// what they were when it was declared, and the plan that people approved last.
fn known_besides(
    ws: &Workspace,
    environment: &Environment,
    declared: &Declared,
) -> Result<Vec<(String, Gates)>, AppError> {
    let mut all = Vec::new();
    let own = ws.config.root().join(FILE);
    let is_named = is_same(&own, &ws.config.path);
    // One that is there and cannot be read may demand anything.
    if !is_named && is_there(&own) {
        let own = Config::read(&own)?;
        if let Some(there) = own.environments.get(&environment.name) {
            let gates = gating::demanded(&own, there.gates);
            all.push((format!("`{}`", own.path.display()), gates));
        }
    }
    if let Some(gates) = declared.demanded.get(&environment.name) {
        let from = format!("the file that `{}` was declared under", declared.freeze);
        all.push((from, *gates));
    }
    if let Some(plan) = force::approved(ws, &environment.name)? {
        all.push((format!("approved plan `{}`", plan.id), plan.body.gates));
    }
    Ok(all)
}

/// Whether both name one file. What cannot be looked at is no other's.
fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Whether a file is there; what cannot be looked at is.
fn is_there(path: &Path) -> bool {
    let seen = path.symlink_metadata();
    !seen.is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound)
}

/// What gates are judged for.
fn candidate(
    ws: &Workspace,
    environment: &Environment,
    version: Option<&str>,
) -> Result<Option<VersionSpec>, AppError> {
    if let Some(version) = version {
        let template = ws.config.version(version)?;
        return planning::pinned(ws.config.root(), template).map(Some);
    }
    let known = goodness::shown(ws, &environment.name)?;
    let newest = known.last().map(|good| {
        let ran = ws.store.operation(&good.operation)?;
        Ok(applying::plan_of(ws, &ran.plan)?.body.to)
    });
    newest.transpose()
}

fn word(gates: Gates) -> &'static str {
    match gates {
        Gates::None => "none",
        Gates::DryRun(_) => "dry-run",
        Gates::Verdict(_) => "verdict",
    }
}
