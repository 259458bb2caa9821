//! What a page shows of a run, gathered from its rows as they come.
//!
//! Invariants: memory is bounded by [`Bounds`], not by the run; what is not kept is counted, and never fewer tests are bad here than the
//! run's summary has.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use super::{Group, Report, Told};
use crate::diff::Change;
use crate::{Row, TestId};
use gonogo_core::Verdict;

/// How much of a run is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Groups.
    pub groups: usize,
    /// Tests of all groups together.
    pub items: usize,
    /// Tests of one group.
    pub of_group: usize,
    /// Bytes of traces and outputs of all groups together; the first test of a group keeps its own.
    pub text: usize,
    /// Slowest tests.
    pub slowest: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            groups: 1_000,
            items: 10_000,
            of_group: 2_000,
            text: 16 << 20,
            slowest: 10,
        }
    }
}

/// A test that took long.
#[derive(Debug, Clone, PartialEq)]
pub struct Slow {
    /// Its target.
    pub target: String,
    /// The test.
    pub test: TestId,
    /// How long.
    pub seconds: f64,
}

/// What a page shows of a run.
#[derive(Debug, Clone)]
pub struct Outline<'a> {
    /// The run and what is known beside it.
    pub report: Report<'a>,
    /// Its verdict.
    pub verdict: Verdict,
    /// What is wrong with it as evidence.
    pub problems: Vec<Told>,
    /// Failures by signature, the most urgent first.
    pub groups: Vec<Group>,
    /// Tests that did not pass and are in no group: there were too many.
    pub ungrouped: u64,
    /// Tests that did not pass, as the summary says, and that are not among the rows.
    pub untold: u64,
    /// The slowest tests.
    pub slowest: Vec<Slow>,
}

impl<'a> Outline<'a> {
    /// Reads the rows: all of the run, or at least those that did not pass.
    pub fn of(report: Report<'a>, rows: impl IntoIterator<Item = Row>, bounds: &Bounds) -> Self {
        let changes: HashMap<&TestId, Change> = report
            .diff
            .iter()
            .flat_map(|diff| &diff.changed)
            .map(|changed| (&changed.test, changed.change))
            .collect();
        let mut groups: BTreeMap<String, Group> = BTreeMap::new();
        let (mut kept, mut text, mut bad, mut ungrouped) = (0, 0, 0, 0);
        let mut slowest = Slowest::new(bounds.slowest);
        for mut row in rows {
            slowest.add(&row);
            if row.verdict.is_good() {
                continue;
            }
            bad += 1;
            let key = Group::key(&row);
            if !groups.contains_key(&key) && groups.len() >= bounds.groups {
                ungrouped += 1;
                continue;
            }
            let group = groups
                .entry(key.clone())
                .or_insert_with(|| Group::new(key, &row, &report));
            let change = changes.get(&row.test).copied();
            // The first of a group is always kept: it says what the group is.
            let is_kept = group.items.is_empty()
                || (kept < bounds.items && group.items.len() < bounds.of_group);
            kept += usize::from(is_kept);
            text += row.output.len() + row.failure.as_ref().map_or(0, |f| f.trace.len());
            if text > bounds.text && !group.items.is_empty() {
                row.output.clear();
                if let Some(failure) = &mut row.failure {
                    failure.trace.clear();
                    failure.truncated = true;
                }
            }
            group.add(row, &report, change, is_kept);
        }
        let mut groups: Vec<Group> = groups.into_values().collect();
        groups.sort_by_cached_key(Group::urgency);
        Self {
            verdict: report.verdict(),
            problems: report.problems(),
            groups,
            ungrouped,
            untold: report.summary.tests.bad().saturating_sub(bad),
            slowest: slowest.done(),
            report,
        }
    }

    /// Tests that did not pass: those of the summary, or those that were seen if they are more.
    pub fn bad(&self) -> u64 {
        let seen: u64 = self.groups.iter().map(|g| g.count).sum();
        seen + self.ungrouped + self.untold
    }

    /// Whether all is well: the verdict is a pass, and nothing that was seen says otherwise.
    pub fn is_green(&self) -> bool {
        self.shown() == Verdict::Pass && self.bad() == 0
    }

    /// The verdict that is shown: a run whose rows are worse than its summary is no pass.
    pub fn shown(&self) -> Verdict {
        if self.bad() > self.report.summary.tests.bad() {
            self.verdict.max(Verdict::Fail)
        } else {
            self.verdict
        }
    }
}

/// The slowest tests so far.
struct Slowest {
    most: usize,
    /// What is faster is none of them.
    least: f64,
    found: Vec<Slow>,
}

impl Slowest {
    const fn new(most: usize) -> Self {
        Self {
            most,
            least: 0.0,
            found: Vec::new(),
        }
    }

    fn add(&mut self, row: &Row) {
        let Some(seconds) = row.seconds.filter(|s| s.is_finite() && *s > 0.0) else {
            return;
        };
        if row.cached || self.most == 0 || seconds < self.least {
            return;
        }
        self.found.push(Slow {
            target: row.target.clone(),
            test: row.test.clone(),
            seconds,
        });
        if self.found.len() >= self.most * 2 + 64 {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.found.sort_by(|a, b| {
            let by_time = b.seconds.partial_cmp(&a.seconds).unwrap_or(Ordering::Equal);
            by_time
                .then_with(|| a.test.cmp(&b.test))
                .then_with(|| a.target.cmp(&b.target))
        });
        self.found.truncate(self.most);
        if let (true, Some(last)) = (self.found.len() == self.most, self.found.last()) {
            self.least = last.seconds;
        }
    }

    fn done(mut self) -> Vec<Slow> {
        self.cut();
        self.found
    }
}
