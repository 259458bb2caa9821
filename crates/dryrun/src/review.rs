//! The review brief: what people read before they sign off a run. [`Review`] is a value (its JSON is authoritative); [`markdown`] and
//! [`html`] only show it.
//!
//! Made of a [`Report`] and of what people said ([`ReviewInputs`]). The first screen answers four questions: what is the verdict,
//! what blocks, who must act, what is unknown. Same inputs give the same bytes.
//!
//! Invariants: a review is never better than its report, and never better than the worst of its actions and objectives that are not
//! accepted. No text of the child reaches a reader but through [`escape`].

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Status;
use crate::progress::Point;
use crate::sign_off::SignOff;
use crate::spec::Allow;
use crate::summary::{Report, Summary};

pub mod actions;
pub mod criteria;
pub mod escape;
pub mod facts;
pub mod html;
pub mod markdown;
pub mod objective;
pub mod outline;

pub use actions::{Accepted, ActionItem, Category};
pub use criteria::Criterion;
pub use facts::EvidenceRow;
pub use objective::{Objective, ObjectiveError};
pub use outline::{Charts, Span, SpanKind, TimelineItem};

/// The `schema` of a review.
pub const SCHEMA: &str = "gonogo.dry-run.review.v1";

/// What people bring to a review.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewInputs {
    /// The run's name for people (`--review-run-label`, else `--run-label`).
    pub run_label: Option<String>,
    /// Who was there.
    pub attendees: Vec<String>,
    /// Notes, one line each.
    pub notes: Vec<String>,
    /// Objectives, as stated by people.
    pub objectives: Vec<Objective>,
    /// Whether the summary is appended.
    pub include_summary: bool,
    /// Whether the sign-off is appended.
    pub include_sign_off: bool,
    /// When the brief is made.
    pub generated_at: Timestamp,
    /// The allow-list as it was in force, for owners and reasons of what it accepted.
    pub rules: Vec<Allow>,
    /// Resources over the run; if empty, those of the report (`resource_monitor.history`) are shown.
    pub resources: Vec<Point>,
}

impl ReviewInputs {
    /// Returns inputs without anything said, both appendices included.
    pub fn at(generated_at: Timestamp) -> Self {
        Self {
            run_label: None,
            attendees: Vec::new(),
            notes: Vec::new(),
            objectives: Vec::new(),
            include_summary: true,
            include_sign_off: true,
            generated_at,
            rules: Vec::new(),
            resources: Vec::new(),
        }
    }
}

/// A review brief.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Review {
    /// [`SCHEMA`].
    #[serde(default)]
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The worst of summary, sign-off, report, action items and objectives, what is accepted left out.
    pub status: Status,
    /// The run's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_label: Option<String>,
    /// The run's id in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What was run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// When the child was started, or the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended, or the last record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How long it lasted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Who was there.
    #[serde(default)]
    pub attendees: Vec<String>,
    /// The verdict in one sentence.
    #[serde(default)]
    pub verdict: String,
    /// What keeps the run from being signed off, worst first; at most [`outline::BLOCKING`], of each
    /// category the first before others' second.
    #[serde(default)]
    pub blocking: Vec<String>,
    /// How much more blocks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blocking_omitted: u64,
    /// Who must act on how many items.
    #[serde(default)]
    pub who: Vec<Duty>,
    /// What nobody can know from this run.
    #[serde(default)]
    pub unknown: Vec<String>,
    /// What stands out.
    #[serde(default)]
    pub highlights: Vec<String>,
    /// What was demanded, what was seen, how far apart they are.
    #[serde(default)]
    pub criteria: Vec<Criterion>,
    /// How each kind of evidence stands.
    #[serde(default)]
    pub evidence: Vec<EvidenceRow>,
    /// Objectives.
    #[serde(default)]
    pub objectives: Vec<Objective>,
    /// What is to be done, worst first, each once; at most [`actions::LIMIT`].
    #[serde(default)]
    pub action_items: Vec<ActionItem>,
    /// How many more there are than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub action_items_omitted: u64,
    /// Findings that a rule accepts: they do not count, and they are not hidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<Accepted>,
    /// How many more were accepted than are listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted_omitted: u64,
    /// Notes.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the charts are drawn from.
    #[serde(default)]
    pub charts: Charts,
    /// The summary, if it is to be appended; without its series, which [`Review::charts`] holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// The whole sign-off, if it is to be appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<SignOff>,
}

/// Who must act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duty {
    /// A role, or the owner that a rule names.
    pub owner: String,
    /// How many items.
    pub items: u64,
    /// The worst of them.
    pub severity: Status,
    /// The first of them.
    pub first: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Review {
    /// Makes the brief of a report.
    pub fn of(report: &Report, inputs: ReviewInputs) -> Self {
        let mut collected = actions::collect(report, &inputs.rules);
        let mut criteria = criteria::rows(report);
        criteria.extend(self::criteria::warnings_row(report, &collected));
        let summary = &report.summary;
        let allow = facts::warnings_allowed(report);
        let counts = |status| facts::counting(status, allow);

        let mut status = counts(report.status).max(counts(summary.status));
        status = match &report.sign_off {
            Some(sign_off) => status.max(counts(sign_off.status)),
            None => status,
        };
        status = inputs
            .objectives
            .iter()
            .map(|objective| objective.status)
            .chain(collected.items.iter().map(|item| item.severity))
            .chain(criteria.iter().map(|criterion| counts(criterion.status)))
            .fold(status, Status::max);

        let (started_at, ended_at, duration_seconds) = facts::span(report);
        let unknown = facts::unknown(report);
        let over = |n: usize| n.saturating_sub(actions::LIMIT) as u64;
        let (action_items_omitted, accepted_omitted) =
            (over(collected.items.len()), over(collected.accepted.len()));
        collected.items.truncate(actions::LIMIT);
        collected.accepted.truncate(actions::LIMIT);
        let mut review = Self {
            schema: SCHEMA.to_owned(),
            generated_at: inputs.generated_at,
            status,
            run_label: inputs.run_label.filter(|label| !label.trim().is_empty()),
            run_id: summary.metadata.run_id.clone(),
            command: match report.command.is_empty() {
                true => summary.metadata.command.clone(),
                false => report.command.clone(),
            },
            started_at,
            ended_at,
            duration_seconds,
            attendees: inputs.attendees,
            verdict: String::new(),
            blocking: Vec::new(),
            blocking_omitted: 0,
            who: Vec::new(),
            unknown,
            highlights: facts::highlights(report),
            evidence: facts::evidence(report),
            criteria,
            objectives: inputs.objectives,
            action_items: collected.items,
            action_items_omitted,
            accepted: collected.accepted,
            accepted_omitted,
            notes: inputs.notes,
            charts: outline::charts(report, inputs.resources),
            summary: inputs
                .include_summary
                .then(|| outline::without_series(summary)),
            sign_off: report.sign_off.clone().filter(|_| inputs.include_sign_off),
        };
        outline::conclude(&mut review, report.sign_off.is_some());
        review
    }

    /// Returns the review's JSON: two spaces, a newline at the end.
    ///
    /// # Errors
    /// None for a value made by [`Review::of`]; serde's, if a number is not finite.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }
}
