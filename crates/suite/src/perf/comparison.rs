//! Two sets of figures beside each other, one figure a row: for reading, where there are single figures and no samples.
//!
//! A row's word is about its metric's own direction, and numbers are numbers. One slower row makes the whole slower, however many are
//! faster; a figure that is missing on one side is told as missing, and the whole is then incomplete.

mod series;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::metric::ROUNDING;
use super::{Direction, PerfError};

pub use series::{Asked, Comparison, Named, Origin, RowFault, Side};

/// Most rows.
const MOST_ROWS: usize = 10_000;

/// The share within which two figures count as alike, unless something else is said.
pub const BAND: f64 = 0.10;

/// One figure of both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// What it belongs to.
    pub category: String,
    /// Its name, once in a category.
    pub metric: String,
    /// The unit of both.
    pub unit: String,
    /// Which way is better; none if neither is, so that the row is for information.
    pub direction: Option<Direction>,
    /// What is there.
    pub base: Option<f64>,
    /// What would replace it.
    pub head: Option<f64>,
}

/// A row's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Word {
    /// Better by more than the band.
    Faster,
    /// Worse by more than the band.
    Slower,
    /// Within the band.
    Comparable,
    /// Neither way is better.
    Info,
    /// One side has no figure, or one that is none.
    Missing,
}

/// A compared figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it belongs to.
    pub category: String,
    /// Its name.
    pub metric: String,
    /// The unit.
    pub unit: String,
    /// Which way is better.
    pub direction: Option<Direction>,
    /// What is there.
    pub base_value: Option<f64>,
    /// What would replace it.
    pub head_value: Option<f64>,
    /// Head less base.
    pub delta: Option<f64>,
    /// The same in per cent of base; none of a base of 0.
    pub delta_pct: Option<f64>,
    /// What it comes to.
    pub verdict: Word,
}

/// The counts and the whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    /// Rows that are better.
    pub faster_count: usize,
    /// Rows that are worse.
    pub slower_count: usize,
    /// Rows within the band.
    pub comparable_count: usize,
    /// Rows for information.
    pub info_count: usize,
    /// Rows without both figures.
    pub missing_count: usize,
    /// `SLOWER`, `MISSING`, `FASTER` or `COMPARABLE`: the first of these that any row is. `INFO` if there is nothing to judge.
    pub overall_verdict: Word,
}

/// Rows and what they come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonReport {
    /// The share within which figures are alike.
    pub band: f64,
    /// The counts.
    pub summary: Counts,
    /// The rows, in the order given.
    pub rows: Vec<Row>,
}

/// Compares figure by figure.
///
/// # Errors
/// [`PerfError::Rule`] for a band that is not above 0 and below 1, too many rows, and a metric that stands twice in its category.
pub fn compare(pairs: &[Pair], band: f64) -> Result<ComparisonReport, PerfError> {
    let rule = |ok: bool, field: &'static str, why: &'static str| {
        let of = "the comparison".to_owned();
        if ok {
            Ok(())
        } else {
            Err(PerfError::Rule { field, of, why })
        }
    };
    rule(
        band > 0.0 && band < 1.0,
        "band",
        "it is not between 0 and 1",
    )?;
    rule(
        pairs.len() <= MOST_ROWS,
        "rows",
        "there are more than 10000",
    )?;
    let names: BTreeSet<_> = pairs.iter().map(|p| (&p.category, &p.metric)).collect();
    rule(
        names.len() == pairs.len(),
        "metric",
        "one stands twice in its category",
    )?;
    let rows: Vec<Row> = pairs.iter().map(|p| row(p, band)).collect();
    let count = |word| rows.iter().filter(|r| r.verdict == word).count();
    let overall = [Word::Slower, Word::Missing, Word::Faster, Word::Comparable]
        .into_iter()
        .find(|w| count(*w) > 0);
    Ok(ComparisonReport {
        band,
        summary: Counts {
            faster_count: count(Word::Faster),
            slower_count: count(Word::Slower),
            comparable_count: count(Word::Comparable),
            info_count: count(Word::Info),
            missing_count: count(Word::Missing),
            overall_verdict: overall.unwrap_or(Word::Info),
        },
        rows,
    })
}

fn row(pair: &Pair, band: f64) -> Row {
    let figure = |v: Option<f64>| v.filter(|v| v.is_finite() && v.abs() <= 9e15);
    let (base, head) = (figure(pair.base), figure(pair.head));
    let both = base.zip(head);
    let share = both.and_then(|(b, h)| match (b, h) {
        (b, h) if b > 0.0 && h >= 0.0 => Some(h / b - 1.0),
        _ => None,
    });
    // Two figures of nothing are alike; something against nothing, or below it, has no share and is not called alike.
    let verdict = match (pair.direction, both, share) {
        (_, None, _) => Word::Missing,
        (None, Some(_), _) => Word::Info,
        (Some(_), Some((b, h)), None) if b == h => Word::Comparable,
        (Some(_), Some((b, h)), None) if b < 0.0 || h < 0.0 => Word::Missing,
        (Some(Direction::AtMost), Some(_), None) => Word::Slower,
        (Some(Direction::AtLeast), Some(_), None) => Word::Faster,
        (Some(_), Some(_), Some(s)) if s.abs() <= band + ROUNDING => Word::Comparable,
        (Some(direction), Some(_), Some(s)) => match (direction, s > 0.0) {
            (Direction::AtMost, true) | (Direction::AtLeast, false) => Word::Slower,
            (Direction::AtMost, false) | (Direction::AtLeast, true) => Word::Faster,
        },
    };
    Row {
        category: pair.category.clone(),
        metric: pair.metric.clone(),
        unit: pair.unit.clone(),
        direction: pair.direction,
        base_value: base,
        head_value: head,
        delta: both.map(|(b, h)| h - b),
        delta_pct: share.map(|s| 100.0 * s),
        verdict,
    }
}
