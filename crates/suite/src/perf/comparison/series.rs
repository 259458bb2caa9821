//! Two sets of series beside each other: a figure of each metric, and why there is none.
//!
//! This is for figures that were taken at different times: what lies within the band may be the host's mood as well as the change's cost, and
//! only base and head in turn ([`super::super::judge`]) tell these apart. Invariants: figures of different units, hosts or too few samples
//! are never compared; of several series the worse one of head counts, and the better one of base; a metric of which nobody knows which
//! way is better decides nothing.

use std::collections::BTreeSet;

use gonogo_core::reason::Verdict;
use gonogo_core::{Digest, Reason, Timestamp};
use serde::{Deserialize, Serialize};

use super::super::budget::Series;
use super::super::{Direction, PerfError, Statistic};
use super::{Counts, Pair, Row, Word, compare};

/// Which figure of which metric is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What it belongs to.
    pub category: String,
    /// The row's name, once in its category.
    pub name: String,
    /// The series.
    pub metric: String,
    /// Which way is better; none if nobody says.
    pub direction: Option<Direction>,
    /// Which figure of its samples.
    pub statistic: Statistic,
    /// Fewest samples, if more than the statistic needs.
    pub fewest: Option<usize>,
}

/// Where a side's series come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// As it was named: a run or a file.
    pub named: String,
    /// Of the exact bytes.
    pub digest: Digest,
    /// The trees that were measured.
    pub trees: BTreeSet<String>,
}

/// Why a row has no word, or one that does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFault {
    /// What it belongs to.
    pub category: String,
    /// The row.
    pub metric: String,
    /// The reason.
    pub reason: Reason,
    /// One line for people.
    pub detail: String,
}

/// Two sets of series, compared. Stored as `gonogo.suite.perf-comparison.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// [`Comparison::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// When it was compared.
    pub generated_at: Timestamp,
    /// What is there.
    pub base: Origin,
    /// What would replace it.
    pub head: Origin,
    /// `fail` if a row is slower; never a pass where a row could not be compared, or nothing was.
    pub verdict: Verdict,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// The share within which figures are alike.
    pub band: f64,
    /// The counts.
    pub summary: Counts,
    /// The rows, in the order asked for.
    pub rows: Vec<Row>,
    /// What could not be compared, and why.
    pub faults: Vec<RowFault>,
}

/// What names a comparison.
#[derive(Debug, Clone)]
pub struct Named {
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// When it is compared.
    pub at: Timestamp,
}

/// A side: where it comes from, and what was measured.
pub type Side<'a> = (&'a Origin, &'a [Series]);

impl Comparison {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-comparison.v1";

    /// Compares.
    ///
    /// # Errors
    /// [`PerfError::Rule`] as [`compare`].
    pub fn of(
        named: Named,
        asked: &[Asked],
        base: Side<'_>,
        head: Side<'_>,
        band: f64,
    ) -> Result<Self, PerfError> {
        let mut faults = Vec::new();
        let mut pairs = Vec::new();
        for one in asked {
            let (pair, fault) = pair(one, base.1, head.1);
            if let Some((reason, detail)) = fault {
                faults.push(RowFault {
                    category: one.category.clone(),
                    metric: one.name.clone(),
                    reason,
                    detail,
                });
            }
            pairs.push(pair);
        }
        let report = compare(&pairs, band)?;
        let mut reasons: BTreeSet<Reason> = faults.iter().map(|f| f.reason).collect();
        // A thing beside itself is no change, and would always pass.
        if base.0.digest == head.0.digest || !base.0.trees.is_disjoint(&head.0.trees) {
            reasons.insert(Reason::BaselineIncomparable);
        }
        let counts = &report.summary;
        reasons.insert(match counts.overall_verdict {
            Word::Slower => Reason::PerfRegressed,
            Word::Faster => Reason::PerfImproved,
            Word::Comparable => Reason::PerfWithinBudget,
            Word::Missing => Reason::EvidenceMissing,
            Word::Info => Reason::PerfInsufficient,
        });
        let verdict = reasons.iter().map(|r| r.verdict()).max();
        Ok(Self {
            schema: Self::SCHEMA.into(),
            run_id: named.run_id,
            correlation_id: named.correlation_id,
            generated_at: named.at,
            base: base.0.clone(),
            head: head.0.clone(),
            verdict: verdict.unwrap_or(Verdict::Invalid),
            reasons: reasons.into_iter().collect(),
            band,
            summary: report.summary,
            rows: report.rows,
            faults,
        })
    }
}

type Fault = Option<(Reason, String)>;

fn pair(asked: &Asked, base: &[Series], head: &[Series]) -> (Pair, Fault) {
    let of = |all: &[Series]| -> Vec<Series> {
        let mine = all.iter().filter(|s| s.metric == asked.metric);
        mine.cloned().collect()
    };
    let (base, head) = (of(base), of(head));
    let first = base.first().or(head.first());
    let mut pair = Pair {
        category: asked.category.clone(),
        metric: asked.name.clone(),
        unit: first.map_or_else(String::new, |s| s.unit.clone()),
        direction: asked.direction,
        base: None,
        head: None,
    };
    if let Some(fault) = foreign(&base, &head) {
        return (pair, Some(fault));
    }
    let mut fault = None;
    for (side, all) in [("base", &base), ("head", &head)] {
        let fewest = asked.fewest.unwrap_or(0).max(asked.statistic.fewest());
        let few = all.iter().find(|s| s.samples.len() < fewest);
        let odd = all.iter().any(|s| s.samples.iter().any(|v| *v < 0.0));
        let figures: Vec<f64> = all
            .iter()
            .filter_map(|s| asked.statistic.of(&s.samples))
            .collect();
        let why = match (few, figures.len() == all.len()) {
            _ if all.is_empty() => {
                let text = format!("{side} has no series of `{}`", shown(&asked.metric));
                Some((Reason::EvidenceMissing, text))
            }
            _ if odd => {
                let text = format!("a sample of {side} is negative");
                Some((Reason::PerfSampleInvalid, text))
            }
            (Some(few), _) => Some((
                Reason::PerfInsufficient,
                format!(
                    "{side} has {} samples, {} of them need {fewest}",
                    few.samples.len(),
                    asked.statistic.word()
                ),
            )),
            (None, false) => {
                let text = format!("a sample of {side} is no number");
                Some((Reason::PerfSampleInvalid, text))
            }
            (None, true) => None,
        };
        if why.is_some() {
            fault = fault.or(why);
            continue;
        }
        let direction = asked.direction.unwrap_or(Direction::AtMost);
        let worse = |a: f64, b: f64| direction.worse(a, b);
        let better = |a: f64, b: f64| if worse(a, b) == a { b } else { a };
        match side {
            "base" => pair.base = figures.into_iter().reduce(better),
            _ => pair.head = figures.into_iter().reduce(worse),
        }
    }
    (pair, fault)
}

/// Why figures of these are not alike in kind.
fn foreign(base: &[Series], head: &[Series]) -> Fault {
    let all = || base.iter().chain(head);
    let first = all().next()?;
    if let Some(other) = all().find(|s| s.unit != first.unit) {
        let text = format!(
            "units differ: `{}` and `{}`",
            shown(&first.unit),
            shown(&other.unit)
        );
        return Some((Reason::BaselineIncomparable, text));
    }
    let other = all().find(|s| s.host_class != first.host_class)?;
    let text = format!(
        "classes of host differ: `{}` and `{}`",
        shown(&first.host_class),
        shown(&other.host_class)
    );
    Some((Reason::PerfHostMismatch, text))
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}
