//! A figure over the history of a branch: where its level changed, and which commits may have changed it.
//!
//! This is for what no single comparison shows: many changes of a per cent each, and steps that came with a tool or a host. Figures of
//! other classes of host are left out and counted. The rule is [`gonogo_stats::steps()`]; nothing is sampled.

use std::collections::BTreeSet;

use gonogo_core::Reason;
use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_core::reason::Verdict;
pub use gonogo_stats::StepRules;
use gonogo_stats::{MOST_POINTS, steps};
use serde::{Deserialize, Serialize};

use super::{Direction, PerfError};

/// A figure of a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// The commit; points are given in the order of history, the oldest first.
    pub commit: String,
    /// On which class of host.
    pub host_class: String,
    /// The figure.
    pub value: f64,
}

/// A change of level, with those who may have made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelChange {
    /// Whether it became worse.
    pub worse: bool,
    /// The change as a fraction of the level before.
    pub change: f64,
    /// The level before.
    pub before: f64,
    /// The level after.
    pub after: f64,
    /// Welch's t; none if neither level varies at all, so that it is certain.
    pub t: Option<f64>,
    /// The most likely first commit of the new level.
    pub commit: String,
    /// The last measured commit that surely has the old level: the culprit comes after it.
    pub after_commit: String,
    /// The last commit that may be the culprit.
    pub through_commit: String,
    /// Measured commits in that range, both ends but the first counted; unmeasured ones between them are suspects as well.
    pub suspects: usize,
}

/// The history, judged. Stored as `gonogo.suite.perf-history.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryReport {
    /// `gonogo.suite.perf-history.v1`.
    pub schema: String,
    /// The figure.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
    /// The class of host that counts.
    pub host_class: String,
    /// Points that were used.
    pub points: usize,
    /// These, the oldest first.
    pub series: Vec<Point>,
    /// Points of other classes of host.
    pub of_other_hosts: usize,
    /// The verdict: of the newest change of level, or that there are too few points.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The changes, the oldest first.
    pub changes: Vec<LevelChange>,
}

/// Looks through a history. The newest change decides: a level that became worse and was mended since is history.
///
/// # Errors
/// [`PerfError::Unreadable`] for a point that is no finite positive number or a commit that stands twice;
/// [`PerfError::Rule`] for rules that mean nothing.
pub fn history(
    metric: &str,
    direction: Direction,
    host_class: &str,
    points: &[Point],
    rules: &StepRules,
) -> Result<HistoryReport, PerfError> {
    let unreadable = |why: String| PerfError::Unreadable {
        what: "the history",
        why,
    };
    let mine: Vec<&Point> = points
        .iter()
        .filter(|p| p.host_class == host_class)
        .collect();
    if points.len() > MOST_POINTS {
        return Err(unreadable(format!("it has more than {MOST_POINTS} points")));
    }
    let most = MAX_SAFE_INTEGER as f64;
    if let Some(bad) = mine
        .iter()
        .find(|p| !(p.value.is_normal() && p.value > 0.0 && p.value <= most))
    {
        let commit: String = bad.commit.chars().take(80).collect();
        return Err(unreadable(format!(
            "the figure of `{commit}` is {}",
            bad.value
        )));
    }
    let commits: BTreeSet<&str> = mine.iter().map(|p| p.commit.as_str()).collect();
    if commits.len() != mine.len() {
        return Err(unreadable(
            "a commit stands twice; give one figure a commit".to_owned(),
        ));
    }
    let values: Vec<f64> = mine.iter().map(|p| p.value).collect();
    let found = steps(&values, rules).map_err(|e| PerfError::Rule {
        field: "steps",
        of: format!("the history ({e})"),
        why: "it cannot be used",
    })?;
    let name = |at: usize| mine.get(at).map_or_else(String::new, |p| p.commit.clone());
    let changes: Vec<LevelChange> = found
        .iter()
        .map(|s| LevelChange {
            worse: (s.change > 0.0) == (direction == Direction::AtMost),
            change: s.change,
            before: s.before,
            after: s.after,
            t: s.t.is_finite().then_some(s.t),
            commit: name(s.at),
            after_commit: name(s.earliest.saturating_sub(1)),
            through_commit: name(s.latest),
            suspects: s.latest + 1 - s.earliest,
        })
        .collect();
    let reason = if mine.len() < 2 * rules.fewest {
        Reason::PerfInsufficient
    } else {
        match changes.last() {
            Some(last) if last.worse => Reason::PerfRegressed,
            Some(_) => Reason::PerfImproved,
            None => Reason::PerfWithinBudget,
        }
    };
    Ok(HistoryReport {
        schema: "gonogo.suite.perf-history.v1".into(),
        metric: metric.to_owned(),
        direction,
        host_class: host_class.to_owned(),
        points: mine.len(),
        series: mine.iter().map(|p| (*p).clone()).collect(),
        of_other_hosts: points.len() - mine.len(),
        verdict: reason.verdict(),
        reason,
        changes,
    })
}
