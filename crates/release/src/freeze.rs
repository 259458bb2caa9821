//! Freezes: times in which nothing new is applied. Pure: windows and declared freezes come in with the time.
//!
//! Deny wins: one active freeze is enough, however many windows are over. **A freeze never blocks the way back**: [`blocks`] says so
//! for every plan, and nothing else decides it. A window of the calendar errs towards frozen where a clock is set: it begins at the
//! earlier and ends at the later of two times that a local clock could mean.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::plan::{Gates, PlanKind};

mod window;

pub use window::{WeekTime, Weekly, When, WindowError};

/// A window of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its name.
    pub name: String,
    /// Environments that it holds for; empty for all.
    pub environments: Vec<String>,
    /// Why.
    pub reason: String,
    /// When.
    pub when: When,
}

/// A freeze that somebody declared. A stored format: the ledger holds it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Declared {
    /// Its id.
    pub freeze: gonogo_core::id::FreezeId,
    /// Environments that it holds for; empty for all.
    pub environments: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// The person whom an agent declared it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when; until somebody ends it if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The rollback posture that it is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posture: Option<String>,
    /// The gates that the file demanded then, by environment; an environment without any is left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub demanded: BTreeMap<String, Gates>,
}

/// A freeze that holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Active {
    /// A window's name, or a declared freeze's id.
    pub freeze: String,
    /// Whether it is a window of the configuration.
    pub window: bool,
    /// Environments that it holds for; empty for all.
    pub environments: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who declared it; none for a window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The person whom an agent declared it for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when; none if somebody must end it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Active {
    /// In words: which, who, why, until when.
    pub fn words(&self) -> String {
        let what = if self.window { "window" } else { "freeze" };
        let by = self
            .by
            .as_ref()
            .map_or_else(String::new, |by| match &self.on_behalf_of {
                Some(person) => format!(" by {by} for {person}"),
                None => format!(" by {by}"),
            });
        let until = self.until.map_or_else(
            || "until somebody ends it".to_owned(),
            |until| format!("until {until}"),
        );
        format!("{what} `{}`{by}, {until}: {}", self.freeze, self.reason)
    }
}

/// Every freeze that holds for `environment` at `now`: windows first, then declared ones as they come. The caller leaves out declared
/// ones that were ended.
pub fn active(
    windows: &[Window],
    declared: &[Declared],
    environment: &str,
    now: Timestamp,
) -> Vec<Active> {
    let covers = |names: &[String]| names.is_empty() || names.iter().any(|n| n == environment);
    let of_windows = windows.iter().filter(|w| covers(&w.environments));
    let of_windows = of_windows.filter_map(|w| {
        let (since, until) = w.when.around(now)?;
        Some(Active {
            freeze: w.name.clone(),
            window: true,
            environments: w.environments.clone(),
            reason: w.reason.clone(),
            by: None,
            on_behalf_of: None,
            since,
            until: Some(until),
        })
    });
    // A clock that went back does not open what was closed: a freeze holds from the moment that it is known.
    let of_people = declared
        .iter()
        .filter(|d| covers(&d.environments) && d.until.is_none_or(|until| now < until))
        .map(|d| Active {
            freeze: d.freeze.to_string(),
            window: false,
            environments: d.environments.clone(),
            reason: d.reason.clone(),
            by: Some(d.by.clone()),
            on_behalf_of: d.on_behalf_of.clone(),
            since: d.since,
            until: d.until,
        });
    of_windows.chain(of_people).collect()
}

/// The freeze that keeps a plan of this kind from being applied; none if none does.
pub fn blocks(kind: PlanKind, active: &[Active]) -> Option<&Active> {
    match kind {
        PlanKind::Rollback => None,
        PlanKind::Release => active.first(),
    }
}

#[cfg(test)]
mod tests;
