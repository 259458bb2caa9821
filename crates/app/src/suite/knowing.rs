//! What a project knows beside a run: who owns what, its own causes of failures, and its runbook.
//!
//! Read before anything runs, so that a fault in one of these files is told then, and not when something has failed.

use gonogo_suite::cause::Rule;
use gonogo_suite::runbook::Matcher;
use gonogo_suite::{Row, Summary, TargetResult};
use serde_json::{Value, json};

use super::owning::{Ownership, Whose};
use crate::AppError;
use crate::home::Home;

/// Read once a command.
pub struct Known {
    /// Who owns what.
    pub owners: Ownership,
    /// What is known of failures, and what to do.
    pub runbook: Matcher,
    /// The project's own causes.
    pub rules: Vec<Rule>,
}

impl Known {
    /// Reads what holds here.
    ///
    /// # Errors
    /// A file that is named and not there, or that has faults.
    pub fn load(home: &Home) -> Result<Self, AppError> {
        let suites = home.config.as_ref().map(|c| &c.suites);
        Ok(Self {
            owners: Ownership::load(home)?,
            runbook: crate::runbook::matcher(home)?,
            rules: suites.map(|s| s.causes.clone()).unwrap_or_default(),
        })
    }

    /// Notes on each test that did not pass whose it is.
    pub fn own(&self, target: &TargetResult, row: &mut Row) {
        if row.owner.is_none() {
            row.owner = self.owners.row(target, row).and_then(|w| w.text());
        }
    }

    /// What is wrong with the rules of ownership, a line each.
    pub(super) fn notes(&self) -> Vec<String> {
        let wrong = self.owners.wrong().into_iter();
        wrong
            .map(|w| format!("{}:{}: {}", w.source, w.line, w.text))
            .collect()
    }

    /// What the runbook says of a test, for artifacts.
    pub(super) fn advice(&self, summary: &Summary, row: &Row) -> Vec<Value> {
        crate::runbook::advice(&self.runbook, summary, row)
            .into_iter()
            .map(|advice| json!({"id": advice.id, "text": advice.text}))
            .collect()
    }
}

/// An owner as artifacts tell it: whose, and by which rule.
pub(super) fn owner(whose: Option<&Whose>) -> Value {
    match whose {
        None => Value::Null,
        Some(whose) => json!({
            "state": whose.state,
            "owners": whose.owners,
            "path": whose.path,
            "because": whose.because,
            "suite": whose.suite,
        }),
    }
}
