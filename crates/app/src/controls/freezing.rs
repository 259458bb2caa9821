//! Freezes: declared, listed, ended. Ended only when the gates that `apply` asks pass again.

use std::collections::BTreeMap;

use gonogo_core::id::FreezeId;
use gonogo_core::{Reason, Timestamp};
use gonogo_release::freeze::{self, Active, Declared, Window};
use gonogo_release::plan::Gates;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use super::passing::{Beside, GatePassed, HeldTo};
use super::{keep, kept_once, passing, read, said};
use crate::access::tokens;
use crate::identity::random;
use crate::{AppError, Workspace, gating};

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
    if let Some(declared) = ws.left_as(BEGUN, "")? {
        return Ok(declared);
    }
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
    let holds_for = |name: &String| environments.is_empty() || environments.contains(name);
    let known = ws.config.environments.iter();
    let demanded = known
        .filter(|(name, e)| holds_for(name) && e.gates != Gates::None)
        .map(|(name, e)| (name.clone(), gating::demanded(&ws.config, e.gates)));
    let declared = Declared {
        freeze: FreezeId::mint(random()),
        demanded: demanded.collect(),
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
    /// How often it is looked again for an end that others' records come before.
    const LOOKS: u32 = 8;
    if let Some(ended) = ws.left_as(ENDED, "")? {
        return Ok(ended);
    }
    let now = ws.now()?;
    let reason = said(why)?;
    let declared = find(ws, name, now)?;
    let me = ws.identity()?;
    let refused = |e: AppError| ws.refused(STREAM, &me.name, e);
    tokens::must_be_a_person(ws, &me.name).map_err(refused)?;
    let gates = passing::all(ws, &declared, version, now).map_err(refused)?;
    let ended = Ended {
        freeze: declared.freeze.clone(),
        by: me.name.clone(),
        reason,
        at: now,
        gates,
    };
    for _ in 0..LOOKS {
        // One record ends it, whoever writes at once; what did not end it leaves room for another.
        let void = ws.every(STREAM.into(), ENDED)?.into_iter();
        let void = void.filter(|r| {
            let end = serde_json::from_value::<Ended>(r.body.clone());
            r.body.get("freeze") == Some(&json!(declared.freeze))
                && !end.is_ok_and(|end| end.ends(&declared))
        });
        let key = match void.count() {
            0 => format!("end/{}", declared.freeze),
            n => format!("end/{}/{n}", declared.freeze),
        };
        match kept_once(ws, &me, STREAM, key, ENDED, None, json!(ended))? {
            Some(_) => return Ok(ended),
            // Somebody else wrote that one: they ended it, or it is looked again.
            None => drop(find(ws, name, now)?),
        }
    }
    let text = format!(
        "other records came for `{}` in each of the {LOOKS} times that this was tried",
        declared.freeze
    );
    Err(AppError::new(Reason::Overloaded, text))
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
