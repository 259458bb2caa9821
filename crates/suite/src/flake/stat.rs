//! What the history of one test on one variant says of it.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Span, Timestamp};
use gonogo_stats::{Count, wilson};
use serde::{Deserialize, Serialize};

use super::{Class, Loads, Row, Rules};
use crate::cause::Cause;
use crate::{Signature, TestId, TestVerdict};

/// Two-sided 95 %.
const Z: f64 = 1.96;

/// The prior of the fail rate, Beta(0.3, 0.5).
const PRIOR: (f64, f64) = (0.3, 0.5);

/// Most signatures of a test, and most runs of each, that are kept as evidence.
const KEPT: usize = 16;

/// What a test is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// No run in the window says anything.
    NoData,
    /// Nothing mixed.
    Healthy,
    /// It was flaky, and passed for long enough since.
    Recovered,
    /// Mixed, and too seldom to be called flaky.
    Suspect,
    /// Mixed often enough.
    Flaky,
    /// Its last verdicts are fails in a row. That is no flake.
    Broken,
}

impl State {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoData => "no data",
            Self::Healthy => "healthy",
            Self::Recovered => "recovered",
            Self::Suspect => "suspect",
            Self::Flaky => "flaky",
            Self::Broken => "broken",
        }
    }
}

/// Rows that do not count, by why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LeftOut {
    /// Nearly everything failed in their run.
    pub storm: u64,
    /// They are no verdict on the test: skipped, precluded, missing, errored where it never ran or nobody knows how it ended.
    pub no_verdict: u64,
    /// Older than the window.
    pub old: u64,
    /// Dated in the future.
    pub future: u64,
}

/// A way in which it failed where it also passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlakeFailure {
    /// How it fails; absent if the rows do not say.
    pub signature: Option<Signature>,
    /// How often.
    pub fails: u64,
    /// Runs that failed so, at most 16, the earliest.
    pub failed_in: Vec<String>,
    /// Runs that passed on the same trees, at most 16, the earliest.
    pub passed_in: Vec<String>,
    /// Those trees, at most 16; the first that has both.
    pub trees: Vec<String>,
}

/// A test's flakiness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FlakeStat {
    /// The test.
    pub test: TestId,
    /// The variant.
    pub variant: String,
    /// How far back.
    pub window: Span,
    /// What it is.
    pub state: State,
    /// Runs that count.
    pub runs: u64,
    /// Of them, passed at once.
    pub passes: u64,
    /// Of them, failed and never passed.
    pub fails: u64,
    /// Of them, passed after a failure.
    pub retried: u64,
    /// Distinct trees; runs of an unknown tree are one each.
    pub trees: u64,
    /// Mixed verdicts: each run that passed only when it was tried again, and each tree whose other runs both passed and failed.
    pub mixed: u64,
    /// Trees with one.
    pub mixed_trees: u64,
    /// Share of runs with a failure, retried ones included; absent without runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_rate: Option<f64>,
    /// Wilson's 95 % interval of it, lower and upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<(f64, f64)>,
    /// Mean of the fail rate after the prior Beta(0.3, 0.5).
    pub posterior: f64,
    /// Changes from pass to fail and back, by time, without fails of three and more in a row.
    pub flips: u64,
    /// When it last failed where it also passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_flake: Option<Timestamp>,
    /// Passes in a row up to now.
    pub passing: u64,
    /// The class that most of its causes point to; absent if nothing is mixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// How it fails, the most frequent first.
    pub failures: Vec<FlakeFailure>,
    /// What does not count.
    pub left_out: LeftOut,
}

/// What a row that counts says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Pass,
    Fail,
    Both,
}

struct Seen<'a> {
    row: &'a Row,
    said: Said,
    /// In three and more fails in a row.
    streak: bool,
}

/// Trees by hash; an unknown one is like no other, so its run stands for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Tree<'a> {
    Known(&'a str),
    OfRun(&'a str),
}

impl<'a> Tree<'a> {
    fn of(row: &'a Row) -> Self {
        if row.tree.is_empty() {
            Self::OfRun(&row.run)
        } else {
            Self::Known(&row.tree)
        }
    }
}

/// The statistics of one test on one variant; `None` without any row. All rows must be of that test and variant, in any order; two rows of
/// one run are one verdict.
pub fn stat(rows: &[&Row], loads: &Loads, now: Timestamp, rules: &Rules) -> Option<FlakeStat> {
    let first = rows.first()?;
    let mut left_out = LeftOut::default();
    let mut seen = counted(rows, loads, now, rules, &mut left_out);
    mark_streaks(&mut seen, rules.broken.max(2));
    let of = |said: Said| seen.iter().filter(|s| s.said == said).count() as u64;
    let (passes, fails, retried) = (of(Said::Pass), of(Said::Fail), of(Said::Both));
    let runs = passes + fails + retried;
    let mut by_tree: BTreeMap<Tree<'_>, Vec<&Seen<'_>>> = BTreeMap::new();
    for one in &seen {
        by_tree.entry(Tree::of(one.row)).or_default().push(one);
    }
    let mut flakes = Flakes::default();
    for rows in by_tree.values() {
        flakes.tree(rows);
    }
    let trees = by_tree.len() as u64;
    let count = Count::new(runs, fails + retried).unwrap_or_default();
    let interval = wilson(count, Z).ok().flatten().map(|b| (b.lower, b.upper));
    let passing = seen.iter().rev().take_while(|s| s.said == Said::Pass);
    let passing_stress = passing.clone().filter(|s| s.row.stress).count() as u64;
    let passing = passing.count() as u64;
    let failing = seen
        .iter()
        .rev()
        .take_while(|s| s.said == Said::Fail)
        .count() as u64;
    let recovered = passing >= rules.recover_passes
        || flakes.last.is_some_and(|last| {
            passing_stress >= rules.recover_stress.max(1) && now.since(last) >= rules.recover_after
        });
    let often =
        flakes.pairs >= rules.mixed.max(1) && flakes.trees as f64 >= rules.share * trees as f64;
    let state = match (runs, flakes.mixed) {
        (0, _) => State::NoData,
        _ if failing >= rules.broken.max(2) => State::Broken,
        (_, 0) => State::Healthy,
        _ if recovered => State::Recovered,
        _ if often => State::Flaky,
        _ => State::Suspect,
    };
    Some(FlakeStat {
        test: first.test.clone(),
        variant: first.variant.clone(),
        window: rules.window,
        state,
        runs,
        passes,
        fails,
        retried,
        trees,
        mixed: flakes.mixed,
        mixed_trees: flakes.trees,
        fail_rate: count.rate(),
        interval,
        posterior: (PRIOR.0 + count.events() as f64) / (PRIOR.0 + PRIOR.1 + count.n() as f64),
        flips: flips(&seen),
        last_flake: flakes.last,
        passing,
        class: flakes.class(),
        failures: flakes.failures(),
        left_out,
    })
}

/// Rows that count, one a run, by time.
fn counted<'a>(
    rows: &[&'a Row],
    loads: &Loads,
    now: Timestamp,
    rules: &Rules,
    left_out: &mut LeftOut,
) -> Vec<Seen<'a>> {
    let mut runs: BTreeMap<&str, Seen<'a>> = BTreeMap::new();
    for row in rows {
        let said = match row.verdict {
            TestVerdict::Passed => Said::Pass,
            // It did not do what was expected of it.
            TestVerdict::Failed | TestVerdict::UnexpectedPass => Said::Fail,
            TestVerdict::Flaky => Said::Both,
            // Reports write an exception that is no assertion so. Without a cause, nobody knows what it came to.
            TestVerdict::Errored if row.cause.as_ref().is_some_and(Cause::is_of_the_test) => {
                Said::Fail
            }
            TestVerdict::Skipped
            | TestVerdict::Precluded
            | TestVerdict::Errored
            | TestVerdict::Missing => {
                left_out.no_verdict += 1;
                continue;
            }
        };
        if row.at > now {
            left_out.future += 1;
        } else if now.since(row.at) > rules.window {
            left_out.old += 1;
        } else if loads.is_storm(&row.run, rules) {
            left_out.storm += 1;
        } else {
            let fresh = Seen {
                row,
                said,
                streak: false,
            };
            runs.entry(&row.run)
                .and_modify(|known| known.join(&fresh))
                .or_insert(fresh);
        }
    }
    let mut seen: Vec<Seen<'_>> = runs.into_values().collect();
    seen.sort_by(|a, b| (a.row.at, &a.row.run).cmp(&(b.row.at, &b.row.run)));
    seen
}

impl<'a> Seen<'a> {
    /// One run said twice: a pass and a fail are both. The row that failed is kept, for its signature.
    fn join(&mut self, other: &Seen<'a>) {
        let key = |row: &Row| (row.at, row.tree.clone(), row.signature.clone());
        let swap = match (self.said, other.said) {
            (a, b) if a == b => key(other.row) < key(self.row),
            (Said::Pass, _) => true,
            (_, Said::Pass) => false,
            (Said::Fail, _) => false,
            (Said::Both, _) => true,
        };
        if self.said != other.said {
            self.said = Said::Both;
        }
        if swap {
            self.row = other.row;
        }
    }
}

fn mark_streaks(seen: &mut [Seen<'_>], least: u64) {
    for streak in seen.chunk_by_mut(|a, b| a.said == Said::Fail && b.said == Said::Fail) {
        if streak[0].said == Said::Fail && streak.len() as u64 >= least {
            streak.iter_mut().for_each(|s| s.streak = true);
        }
    }
}

fn flips(seen: &[Seen<'_>]) -> u64 {
    let mut flips = 0;
    let mut before: Option<Said> = None;
    for one in seen.iter().filter(|s| !s.streak) {
        flips += match (before, one.said) {
            (Some(Said::Pass), Said::Both) => 2,
            (_, Said::Both) => 1,
            (Some(b), now) if b != now => 1,
            _ => 0,
        };
        // It ended with the pass.
        before = Some(if one.said == Said::Both {
            Said::Pass
        } else {
            one.said
        });
    }
    flips
}

#[derive(Default)]
struct Flakes<'a> {
    mixed: u64,
    /// Failures that stand beside a pass of their own on the same tree.
    pairs: u64,
    trees: u64,
    last: Option<Timestamp>,
    classes: BTreeMap<Class, u64>,
    by_signature: BTreeMap<Option<&'a Signature>, FlakeFailure>,
}

impl<'a> Flakes<'a> {
    fn tree(&mut self, rows: &[&Seen<'a>]) {
        let retried = rows.iter().filter(|s| s.said == Said::Both).count() as u64;
        let of = |said: Said| rows.iter().filter(|s| s.said == said && !s.streak).count() as u64;
        let pairs = of(Said::Pass).min(of(Said::Fail));
        let mixed = retried + pairs.min(1);
        if mixed == 0 {
            return;
        }
        self.mixed += mixed;
        self.pairs += retried + pairs;
        self.trees += 1;
        // A retried run is a pass on this tree too.
        let passed: Vec<&str> = rows
            .iter()
            .filter(|s| s.said != Said::Fail)
            .map(|s| s.row.run.as_str())
            .collect();
        for bad in rows.iter().filter(|s| s.said != Said::Pass && !s.streak) {
            self.last = self.last.max(Some(bad.row.at));
            if let Some(cause) = &bad.row.cause {
                *self.classes.entry(Class::of(cause)).or_default() += 1;
            }
            let signature = bad.row.signature.as_ref();
            let failure = self
                .by_signature
                .entry(signature)
                .or_insert_with(|| FlakeFailure {
                    signature: signature.cloned(),
                    fails: 0,
                    failed_in: Vec::new(),
                    passed_in: Vec::new(),
                    trees: Vec::new(),
                });
            failure.fails += 1;
            note(&mut failure.failed_in, &bad.row.run);
            note(&mut failure.trees, &bad.row.tree);
            passed
                .iter()
                .for_each(|run| note(&mut failure.passed_in, run));
        }
    }

    /// The most frequent; of equals the one that a machine explains before the one that only the test does.
    fn class(&self) -> Option<Class> {
        if self.mixed == 0 {
            return None;
        }
        let most = self
            .classes
            .iter()
            .max_by_key(|(class, n)| (**n, std::cmp::Reverse(**class)));
        Some(most.map_or(Class::Logic, |(class, _)| *class))
    }

    fn failures(self) -> Vec<FlakeFailure> {
        let mut all: Vec<FlakeFailure> = self.by_signature.into_values().collect();
        all.sort_by(|a, b| (b.fails, &a.signature).cmp(&(a.fails, &b.signature)));
        all.truncate(KEPT);
        all
    }
}

fn note(list: &mut Vec<String>, text: &str) {
    if list.len() < KEPT && !text.is_empty() && !list.iter().any(|t| t == text) {
        list.push(text.to_owned());
    }
}

/// Whether two lists of runs are of at least two runs together.
pub(super) fn distinct(failure: &FlakeFailure) -> usize {
    let runs: BTreeSet<&String> = failure.failed_in.iter().chain(&failure.passed_in).collect();
    runs.len()
}
