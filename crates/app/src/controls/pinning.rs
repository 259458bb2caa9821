//! Pins: set, listed, removed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use gonogo_core::{Digest, Reason};
use gonogo_release::pin::{self, Named, Names, Pin};
use gonogo_release::plan::PlanKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{goodness, keep, kept_once, read, said};
use crate::access::tokens;
use crate::config::Environment;
use crate::identity::nonce;
use crate::{AppError, Workspace, planning};

/// Where pins are recorded.
pub const STREAM: &str = "control/pins";
/// Kind of the record that sets one.
pub const SET: &str = "pin";
/// Kind of the record that removes one.
pub const REMOVED: &str = "pin-end";

/// Plans of an environment that a digest is looked for in, newest first.
const LOOKED_AT: u32 = 200;

/// That a pin was removed. A stored format.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Removed {
    /// Where.
    pub environment: String,
    /// The version that it was pinned to.
    pub version: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: gonogo_core::Timestamp,
}

/// Pins an environment's service to what `target` names, in place of an earlier pin.
///
/// # Errors
/// [`Reason::PinMoves`]; the version is not known; the digest is none of a version that was planned here.
pub fn set(
    ws: &Workspace,
    environment: Option<&str>,
    target: &str,
    why: &str,
) -> Result<Pin, AppError> {
    if let Some(pin) = ws.left_as(SET, "")? {
        return Ok(pin);
    }
    let now = ws.now()?;
    let reason = said(why)?;
    let environment = ws.config.environment(environment)?;
    let (version, content, named) = resolve(ws, environment, target)?;
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    let pin = Pin {
        environment: environment.name.clone(),
        version,
        content,
        named,
        reason,
        by: me.name.clone(),
        on_behalf_of: ws.caller.acts_for.clone(),
        since: now,
    };
    let subject = Some((pin.version.clone(), pin.content));
    keep(
        ws,
        &me,
        STREAM,
        format!("pin/{}", nonce()),
        SET,
        subject,
        json!(pin),
    )?;
    Ok(pin)
}

/// Every environment's pin, by environment.
///
/// # Errors
/// The ledger cannot be read.
pub fn all(ws: &Workspace) -> Result<Vec<Pin>, AppError> {
    Ok(recorded(ws)?.into_values().map(|(_, pin)| pin).collect())
}

/// Every environment's pin with the place of its record, by environment.
fn recorded(ws: &Workspace) -> Result<BTreeMap<String, (u64, Pin)>, AppError> {
    let mut set = ws.every(STREAM.into(), SET)?;
    set.extend(ws.every(STREAM.into(), REMOVED)?);
    set.sort_by_key(|r| r.index);
    let mut pins = BTreeMap::new();
    for record in set {
        if record.kind == SET {
            let pin: Pin = read(record.index, record.body)?;
            pins.insert(pin.environment.clone(), (record.index, pin));
        } else {
            let removed: Removed = read(record.index, record.body)?;
            // It removes the pin that was seen, and none that was set meanwhile.
            let of = record.key.strip_prefix("unpin/").map(str::parse::<u64>);
            let seen = pins.get(&removed.environment).map(|(index, _)| *index);
            if of.is_none_or(|of| of.is_err() || of.ok() == seen) {
                pins.remove(&removed.environment);
            }
        }
    }
    Ok(pins)
}

/// What an environment's service is pinned to.
///
/// # Errors
/// The ledger cannot be read.
pub fn current(ws: &Workspace, environment: &str) -> Result<Option<Pin>, AppError> {
    Ok(all(ws)?.into_iter().find(|p| p.environment == environment))
}

/// The pin that is told of beside a plan. One that cannot be read keeps nobody from going back.
pub(crate) fn over(
    ws: &Workspace,
    environment: &str,
    kind: PlanKind,
) -> Result<Option<Pin>, AppError> {
    match (current(ws, environment), kind) {
        (Err(_), PlanKind::Rollback) => Ok(None),
        (known, _) => known,
    }
}

/// The pin that keeps a plan from being applied. None keeps one that goes back.
pub(crate) fn against(
    ws: &Workspace,
    environment: &str,
    kind: PlanKind,
) -> Result<Option<Pin>, AppError> {
    match kind {
        PlanKind::Rollback => Ok(None),
        PlanKind::Release => current(ws, environment),
    }
}

/// Removes an environment's pin.
///
/// # Errors
/// [`Reason::PinUnknown`].
pub fn remove(ws: &Workspace, environment: Option<&str>, why: &str) -> Result<Removed, AppError> {
    if let Some(removed) = ws.left_as(REMOVED, "")? {
        return Ok(removed);
    }
    let now = ws.now()?;
    let reason = said(why)?;
    let environment = ws.config.environment(environment)?;
    let none = || {
        let text = format!("`{}` is not pinned", environment.name);
        AppError::new(Reason::PinUnknown, text)
    };
    let (index, pin) = recorded(ws)?.remove(&environment.name).ok_or_else(none)?;
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    let removed = Removed {
        environment: pin.environment,
        version: pin.version.clone(),
        by: me.name.clone(),
        reason,
        at: now,
    };
    let subject = Some((pin.version, pin.content));
    // One record removes it, whoever writes at once.
    let key = format!("unpin/{index}");
    let kept = kept_once(ws, &me, STREAM, key, REMOVED, subject, json!(removed))?;
    kept.map(|_| removed).ok_or_else(none)
}

/// The version that a text names, and its content: what was known-good under that name before, else what the configuration and its
/// files describe now.
fn resolve(
    ws: &Workspace,
    environment: &Environment,
    target: &str,
) -> Result<(String, Digest, Named), AppError> {
    let names = pin::read(target).map_err(|e| AppError::new(Reason::PinMoves, e.to_string()))?;
    match names {
        Names::Digest(digest) => {
            let (version, content) = by_digest(ws, environment, &digest)?;
            Ok((version, content, Named::Digest))
        }
        Names::Version(name, named) => {
            if is_branch(ws, name) {
                let text = format!("`{name}` is a branch of this repository, and a branch moves");
                return Err(AppError::new(Reason::PinMoves, text));
            }
            let known = goodness::shown(ws, &environment.name)?;
            let content = match known.iter().rev().find(|g| g.version == name) {
                Some(good) => good.content,
                None => planning::pinned(ws.config.root(), ws.config.version(name)?)?.content()?,
            };
            Ok((name.to_owned(), content, named))
        }
    }
}

/// The one version planned here that has this digest, or a file with it.
fn by_digest(
    ws: &Workspace,
    environment: &Environment,
    digest: &Digest,
) -> Result<(String, Digest), AppError> {
    let mut found: Vec<(String, Digest)> = Vec::new();
    for plan in ws.store.plans(Some(&environment.name), None, LOOKED_AT)? {
        let to = &plan.body.to;
        let content = to.content()?;
        let named = content == *digest || to.artifacts.iter().any(|a| a.sha256 == *digest);
        if named && found.iter().all(|(_, known)| *known != content) {
            found.push((to.version.clone(), content));
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(AppError::new(
            Reason::VersionUnknown,
            format!(
                "no version that was planned in `{}` has the digest {digest}",
                environment.name
            ),
        )
        .hint("list what is known-good: `gonogo known-good list`")),
        many => {
            let names: Vec<&str> = many.iter().map(|(name, _)| name.as_str()).collect();
            let text = format!("the file {digest} is part of {}", names.join(" and "));
            Err(AppError::new(Reason::IdAmbiguous, text)
                .hint("name the version, or its own digest"))
        }
    }
}

/// Whether git knows the name as a branch and not as a tag. Without a repository it is none.
fn is_branch(ws: &Workspace, name: &str) -> bool {
    let root =
        std::path::absolute(ws.config.root()).unwrap_or_else(|_| ws.config.root().to_owned());
    let knows = |reference: String| {
        Command::new("git")
            .args(["show-ref", "--verify", "--quiet", "--", &reference])
            .current_dir(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    knows(format!("refs/heads/{name}")) && !knows(format!("refs/tags/{name}"))
}
