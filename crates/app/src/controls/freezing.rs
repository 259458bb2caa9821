//! Freezes: declared, listed, ended. Ended only when the gates that `apply` asks pass again.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::id::{FreezeId, OperationId, PlanId};
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_release::freeze::{self, Active, Declared, Window};
use gonogo_release::plan::{Gates, VersionSpec};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{force, keep, read, said};
use crate::config::Environment;
use crate::identity::random;
use crate::{AppError, Workspace, applying, gating, planning};

/// Where freezes are recorded.
pub const STREAM: &str = "control/freezes";
/// Kind of the record that begins one.
pub const BEGUN: &str = "freeze";
/// Kind of the record that ends one.
pub const ENDED: &str = "freeze-end";

/// What a new freeze is to be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Environments; empty for all.
    pub environments: Vec<String>,
    /// Why.
    pub why: String,
    /// Until when; until somebody ends it if absent.
    pub until: Option<Timestamp>,
    /// The rollback posture that it is a step of.
    pub posture: Option<String>,
}

/// How a declared freeze ended. A stored format.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ended {
    /// The freeze.
    pub freeze: FreezeId,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// What the gates of each environment said, and on which evidence.
    pub gates: Vec<GatePassed>,
}

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

impl Ended {
    /// Whether it ends this freeze: who ends it looked at the gates of every environment that it names.
    pub(crate) fn ends(&self, declared: &Declared) -> bool {
        let asked = |name: &String| self.gates.iter().any(|g| g.environment == *name);
        self.freeze == declared.freeze
            && !self.gates.is_empty()
            && declared.environments.iter().all(asked)
    }
}

/// Declares a freeze. It holds from its record on: for whatever is applied later, approved or not.
///
/// # Errors
/// An environment that is not known; a reason or an end that makes no sense.
pub fn declare(ws: &Workspace, wanted: &Wanted) -> Result<Declared, AppError> {
    let now = ws.now()?;
    let reason = said(&wanted.why)?;
    for name in &wanted.environments {
        ws.config.environment(Some(name))?;
    }
    if let Some(until) = wanted.until.filter(|until| *until <= now) {
        let text = format!("the freeze would end at {until}, and it is {now}");
        return Err(AppError::new(Reason::TimeRefused, text).hint("give a later end"));
    }
    let me = ws.identity()?;
    let mut environments = wanted.environments.clone();
    environments.sort_unstable();
    environments.dedup();
    let declared = Declared {
        freeze: FreezeId::mint(random()),
        environments,
        reason,
        by: me.name.clone(),
        on_behalf_of: ws.caller.acts_for.clone(),
        since: now,
        until: wanted.until,
        posture: wanted.posture.clone(),
    };
    let body = json!(declared);
    let key = format!("freeze/{}", declared.freeze);
    keep(ws, &me, STREAM, key, BEGUN, None, body)?;
    Ok(declared)
}

/// Every declared freeze, and how it was ended, oldest first.
///
/// # Errors
/// The ledger cannot be read.
pub fn all(ws: &Workspace) -> Result<Vec<(Declared, Option<Ended>)>, AppError> {
    let mut ended: BTreeMap<FreezeId, Vec<Ended>> = BTreeMap::new();
    for record in ws.every(STREAM.into(), ENDED)? {
        let end: Ended = read(record.index, record.body)?;
        ended.entry(end.freeze.clone()).or_default().push(end);
    }
    let begun = ws.every(STREAM.into(), BEGUN)?.into_iter();
    begun
        .map(|record| {
            let declared: Declared = read(record.index, record.body)?;
            let ends = ended.remove(&declared.freeze).unwrap_or_default();
            let end = ends.into_iter().find(|end| end.ends(&declared));
            Ok((declared, end))
        })
        .collect()
}

/// The freezes that hold for an environment.
///
/// # Errors
/// The ledger cannot be read.
pub fn active(ws: &Workspace, environment: &str, now: Timestamp) -> Result<Vec<Active>, AppError> {
    let open: Vec<Declared> = all(ws)?
        .into_iter()
        .filter(|(_, end)| end.is_none())
        .map(|(declared, _)| declared)
        .collect();
    Ok(freeze::active(&ws.config.freezes, &open, environment, now))
}

/// Ends a declared freeze, once the gates of every environment that it covers pass. They are judged for the version that would be
/// applied next, where somebody names one, else for the newest known-good one.
///
/// # Errors
/// [`Reason::FreezeUnknown`], [`Reason::FreezeOfConfig`]; the gate's own reason; nothing was changed then, and the refusal is recorded.
pub fn end(
    ws: &Workspace,
    name: &str,
    version: Option<&str>,
    why: &str,
) -> Result<Ended, AppError> {
    let now = ws.now()?;
    let reason = said(why)?;
    let declared = find(ws, name, now)?;
    let me = ws.identity()?;
    let refused = |e: AppError| ws.refused(STREAM, &me.name, e);
    let gates = passed(ws, &declared, version, now).map_err(refused)?;
    let ended = Ended {
        freeze: declared.freeze.clone(),
        by: me.name.clone(),
        reason,
        at: now,
        gates,
    };
    // One record ends it, whoever writes at once; what did not end it leaves room for another.
    let void = ws.every(STREAM.into(), ENDED)?.into_iter();
    let void = void.filter(|r| r.body.get("freeze") == Some(&json!(declared.freeze)));
    let key = match void.count() {
        0 => format!("end/{}", declared.freeze),
        n => format!("end/{}/{n}", declared.freeze),
    };
    keep(ws, &me, STREAM, key, ENDED, None, json!(ended))?;
    Ok(ended)
}

/// The one open freeze that is meant.
fn find(ws: &Workspace, name: &str, now: Timestamp) -> Result<Declared, AppError> {
    let shown: String = name.escape_debug().take(80).collect();
    if let Some(window) = ws.config.freezes.iter().find(|w| w.name == name) {
        return Err(of_config(window, now));
    }
    let prefix = match name.starts_with(FreezeId::PREFIX) {
        true => name.to_owned(),
        false => format!("{}{name}", FreezeId::PREFIX),
    };
    let known = all(ws)?;
    let mut fitting = known
        .iter()
        .filter(|(d, _)| d.freeze.as_str().starts_with(&prefix));
    let unknown = |text: String| Err(AppError::new(Reason::FreezeUnknown, text));
    match (fitting.next(), fitting.next()) {
        (Some((declared, None)), None) if declared.until.is_none_or(|until| now < until) => {
            Ok(declared.clone())
        }
        (Some((declared, Some(end))), None) => unknown(format!(
            "freeze `{}` was ended by {} at {}",
            declared.freeze, end.by, end.at
        )),
        (Some((declared, None)), None) => unknown(format!("freeze `{}` is over", declared.freeze)),
        (None, _) => unknown(format!("no freeze has the id or name `{shown}`")),
        (Some(_), Some(_)) => Err(AppError::new(
            Reason::IdAmbiguous,
            format!("several freezes begin with `{shown}`"),
        )),
    }
}

fn of_config(window: &Window, now: Timestamp) -> AppError {
    let until = window.when.around(now).map_or_else(
        || "does not hold now".to_owned(),
        |(_, until)| format!("ends at {until}"),
    );
    let text = format!("`{}` is a window of gonogo.toml and {until}", window.name);
    AppError::new(Reason::FreezeOfConfig, text)
}

fn passed(
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
        passed.push(gates_pass(ws, environment, version, now).map_err(|e| stays(&name, e))?);
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

/// Judges an environment's gates by what `apply` asks, on recorded evidence: those of the file, and those that the last release was held
/// to, unless people have approved a plan that was made with the file as it is.
///
/// # Errors
/// The gate's reason.
pub(crate) fn gates_pass(
    ws: &Workspace,
    environment: &Environment,
    version: Option<&str>,
    now: Timestamp,
) -> Result<GatePassed, AppError> {
    let gates = gating::demanded(&ws.config, environment.gates);
    let judged = candidate(ws, environment, version)?;
    let wanted: Option<Vec<Digest>> = judged
        .as_ref()
        .map(|spec| spec.artifacts.iter().map(|a| a.sha256).collect());
    let held = force::gates(ws, &environment.name)?;
    let accepted_by = match &held {
        Some(_) => force::accepts(ws, environment)?,
        None => None,
    };
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
    Ok(GatePassed {
        environment: environment.name.clone(),
        version: judged.map(|spec| spec.version),
        demanded: word(gates).into(),
        evidence,
        judged_by: Some(force::digest(&gates)?),
        held_to,
        accepted_by,
    })
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
    let known = super::goodness::shown(ws, &environment.name)?;
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
