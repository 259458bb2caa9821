//! Budgets: what a figure may be, as data; and what measured series make of them.
//!
//! A budget says everything that its verdict depends on: which figure of several samples, which way is good, how old, on which class of
//! host, how far from the baseline. Nothing is assumed. All series that are fresh and about the tree under judgement count, and the
//! worst of them decides: measuring once more cannot make a figure good. Whether a budget is enforced says who is held to it, never
//! whether its data may be missing unseen.

mod judging;

use std::collections::BTreeSet;

use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_core::reason::Verdict;
use gonogo_core::{Reason, Share, Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Direction, PerfError, Statistic};

pub use judging::{judge_budgets, summarize};

/// Most budgets of a list, and most series of a file.
pub const MOST_ENTRIES: usize = 10_000;

/// Most samples of a series.
pub const MOST_SERIES_SAMPLES: usize = 1_000_000;

/// A limit on a figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Its name, unique in the list.
    pub name: String,
    /// What it belongs to, for people.
    pub category: String,
    /// The series that it is about.
    pub metric: String,
    /// The unit of threshold and samples; they are never converted.
    pub unit: String,
    /// Which figure of a series counts.
    pub statistic: Statistic,
    /// Which side of the threshold is good.
    pub direction: Direction,
    /// The threshold itself is good.
    pub threshold: f64,
    /// Whether a verdict follows from it.
    pub enforced: bool,
    /// How old a series may be, by its own time.
    pub freshness: Span,
    /// By how much the figure may be worse than the baseline's; without it there is no comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Share>,
    /// How it is measured, for people.
    pub methodology: String,
    /// The class of host on which it holds.
    pub host_class: String,
    /// Fewest samples of a series; at least what the statistic needs, which is also what it is if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewest: Option<usize>,
}

impl Budget {
    /// Refuses a budget that means nothing.
    ///
    /// # Errors
    /// [`PerfError::Rule`] names the field.
    pub fn check(&self) -> Result<(), PerfError> {
        let rule = |ok: bool, field: &'static str, why: &'static str| {
            let of = format!(
                "budget `{}`",
                self.name.chars().take(80).collect::<String>()
            );
            if ok {
                Ok(())
            } else {
                Err(PerfError::Rule { field, of, why })
            }
        };
        for (field, text) in [
            ("name", &self.name),
            ("category", &self.category),
            ("metric", &self.metric),
            ("unit", &self.unit),
            ("methodology", &self.methodology),
            ("host_class", &self.host_class),
        ] {
            rule(!text.trim().is_empty(), field, "it is empty")?;
            rule(text.len() <= 4096, field, "it is longer than 4096 bytes")?;
        }
        rule(
            is_figure(self.threshold),
            "threshold",
            "it is no finite number from 0 on",
        )?;
        // At least zero is no demand.
        let demands = self.direction == Direction::AtMost || self.threshold > 0.0;
        rule(demands, "threshold", "every figure is at least 0")?;
        rule(
            self.freshness > Span::ZERO,
            "freshness",
            "no series is as fresh as that",
        )?;
        let enough = self.fewest.is_none_or(|n| n >= self.statistic.fewest());
        rule(
            enough,
            "fewest",
            "the statistic needs more samples than that",
        )
    }

    fn fewest(&self) -> usize {
        self.fewest.unwrap_or(self.statistic.fewest())
    }
}

/// A list of budgets. Stored as `gonogo.suite.perf-budget-list.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetList {
    /// [`BudgetList::SCHEMA`].
    pub schema: String,
    /// The budgets.
    pub budgets: Vec<Budget>,
}

impl BudgetList {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-budget-list.v1";

    /// Reads and checks a list.
    ///
    /// # Errors
    /// [`PerfError`] for anything but a list of sound budgets with different names; an empty list demands nothing and is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        let list: Self = super::read("the list of budgets", Self::SCHEMA, bytes)?;
        check_all(&list.budgets)?;
        Ok(list)
    }
}

fn check_all(budgets: &[Budget]) -> Result<(), PerfError> {
    let refuse = |why| {
        Err(PerfError::Rule {
            field: "budgets",
            of: "the list".to_owned(),
            why,
        })
    };
    if budgets.is_empty() {
        return refuse("it is empty, so nothing is demanded");
    }
    if budgets.len() > MOST_ENTRIES {
        return refuse("it has more than 10000 entries");
    }
    let mut names = BTreeSet::new();
    for budget in budgets {
        budget.check()?;
        if !names.insert(budget.name.as_str()) {
            return Err(PerfError::Rule {
                field: "name",
                of: format!("budget `{}`", budget.name),
                why: "another budget has the same",
            });
        }
    }
    Ok(())
}

/// A measured series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Series {
    /// What was measured.
    pub metric: String,
    /// In which unit.
    pub unit: String,
    /// The tree that was measured.
    pub tree: String,
    /// On which class of host.
    pub host_class: String,
    /// When, by the one who measured.
    pub measured_at: Timestamp,
    /// Where it comes from: a path or a record's id.
    pub source: String,
    /// The figures.
    pub samples: Vec<f64>,
}

impl Series {
    /// What shows by itself that nobody measured it: a field that is empty, or nothing but zeros.
    fn fault(&self) -> Option<String> {
        let fields = [
            ("metric", &self.metric),
            ("unit", &self.unit),
            ("tree", &self.tree),
            ("host_class", &self.host_class),
            ("source", &self.source),
        ];
        if let Some((field, _)) = fields.iter().find(|(_, text)| text.trim().is_empty()) {
            return Some(format!("its `{field}` is empty"));
        }
        let zeros = !self.samples.is_empty() && self.samples.iter().all(|v| *v == 0.0);
        let metric: String = self.metric.chars().take(80).collect();
        zeros.then(|| format!("every sample of `{metric}` is 0, which is no measurement"))
    }
}

/// A file of series. Stored as `gonogo.suite.perf-series.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesFile {
    /// [`SeriesFile::SCHEMA`].
    pub schema: String,
    /// The series.
    pub series: Vec<Series>,
}

impl SeriesFile {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-series.v1";

    /// Reads a file of series.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`]; a `null`, a text or a number that is not finite in place of a sample is such an error.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        let file: Self = super::read("the series", Self::SCHEMA, bytes)?;
        let too_many = file.series.len() > MOST_ENTRIES
            || file
                .series
                .iter()
                .any(|s| s.samples.len() > MOST_SERIES_SAMPLES);
        if too_many {
            return Err(PerfError::Unreadable {
                what: "the series",
                why: "it has more series or samples than are read".to_owned(),
            });
        }
        let mut all = file.series.iter().enumerate();
        if let Some((n, fault)) = all.find_map(|(n, s)| Some((n, s.fault()?))) {
            return Err(PerfError::Unreadable {
                what: "the series",
                why: format!("series {}: {fault}", n + 1),
            });
        }
        Ok(file)
    }
}

/// How a budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Shown to be kept.
    Pass,
    /// Not shown: nothing, too little, too old, or of another tree or host.
    NoData,
    /// Shown to be broken.
    Fail,
    /// What is there cannot be used.
    Invalid,
}

/// What a budget came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The budget.
    pub budget: Budget,
    /// How it stands.
    pub status: Status,
    /// The figure that counts: the worst series' one. None without data.
    pub actual: Option<f64>,
    /// Samples of that series.
    pub samples: usize,
    /// The same figure of the baseline.
    pub baseline: Option<f64>,
    /// By how much the figure is worse than the baseline's, as a fraction of it; negative is better.
    pub worse: Option<f64>,
    /// Where the figure comes from.
    pub source: Option<String>,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// One line for people.
    pub detail: String,
}

/// All budgets judged. Stored as `gonogo.suite.perf-budgets.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetSummary {
    /// `gonogo.suite.perf-budgets.v1`.
    pub schema: String,
    /// The worst of all enforced budgets.
    pub verdict: Verdict,
    /// The tree under judgement.
    pub tree: String,
    /// When it was judged.
    pub generated_at: Timestamp,
    /// How many there are.
    pub total_budgets: usize,
    /// How many are enforced.
    pub ci_enforced: usize,
    /// Enforced with data that can be used.
    pub ci_with_data: usize,
    /// Enforced and broken.
    pub ci_fail: usize,
    /// Enforced without data.
    pub ci_no_data: usize,
    /// Enforced with data that cannot be used.
    pub ci_invalid: usize,
    /// All that pass.
    pub pass: usize,
    /// All that fail.
    pub fail: usize,
    /// All without data.
    pub no_data: usize,
    /// All with data that cannot be used.
    pub invalid: usize,
    /// How many of the next.
    pub data_contract_failures_count: usize,
    /// Enforced budgets that could not be judged, with what to do.
    pub failing_data_contracts: Vec<BrokenContract>,
    /// Each budget, in the list's order.
    pub budgets: Vec<Judged>,
}

/// An enforced budget whose data is not as demanded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BrokenContract {
    /// The reason's code.
    pub contract_id: Reason,
    /// The budget.
    pub budget_name: String,
    /// What is wrong.
    pub detail: String,
    /// What to do.
    pub remediation: String,
}

/// One line of the event log. `gonogo.suite.perf-budget-event.v1`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetEvent<'a> {
    /// The stored format's name.
    pub schema: &'static str,
    /// The budget.
    pub budget_name: &'a str,
    /// What it belongs to.
    pub category: &'a str,
    /// The threshold.
    pub threshold: f64,
    /// Which side of it is good.
    pub direction: Direction,
    /// The unit.
    pub unit: &'a str,
    /// The figure.
    pub actual: Option<f64>,
    /// How it stands.
    pub status: Status,
    /// Where the figure comes from.
    pub source: Option<&'a str>,
    /// Whether it is enforced.
    pub ci_enforced: bool,
    /// What is wrong, if anything.
    pub failure_reason: Option<&'a str>,
}

impl BudgetSummary {
    /// The events, one a budget, in the list's order.
    pub fn events(&self) -> impl Iterator<Item = BudgetEvent<'_>> {
        self.budgets.iter().map(|j| BudgetEvent {
            schema: "gonogo.suite.perf-budget-event.v1",
            budget_name: &j.budget.name,
            category: &j.budget.category,
            threshold: j.budget.threshold,
            direction: j.budget.direction,
            unit: &j.budget.unit,
            actual: j.actual,
            status: j.status,
            source: j.source.as_deref(),
            ci_enforced: j.budget.enforced,
            failure_reason: (j.status != Status::Pass).then_some(j.detail.as_str()),
        })
    }
}

/// A figure that can be: finite, from 0 on, and kept by JSON.
fn is_figure(value: f64) -> bool {
    value.is_finite() && value >= 0.0 && value <= MAX_SAFE_INTEGER as f64
}
