//! A run beside a baseline: what changed for each test, ranked, and what that makes of the run.
//!
//! A test that is gone, or is skipped now, is no good news: both are as bad as a failure until somebody excuses them. A failing test that
//! is skipped is not fixed. The vocabulary is finer than the seven categories of older reports, which are given as a view.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::{Signature, TestId, TestVerdict};

/// Slower than this many times, and by at least [`SLOWER_BY`] seconds, is told.
pub const SLOWER_TIMES: f64 = 2.0;

/// Seconds.
pub const SLOWER_BY: f64 = 1.0;

/// What a run says of a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The verdict.
    pub verdict: TestVerdict,
    /// Of the worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// What changed for a test. The order is that of ranking, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was good and is bad.
    Regressed,
    /// It is new, or was skipped, and is bad.
    NewFail,
    /// The baseline has it, and the run does not.
    Removed,
    /// It ran, and is skipped now.
    NewlySkipped,
    /// It fails and passes, and did not before.
    NewlyFlaky,
    /// It failed, and fails in another way.
    SignatureChanged,
    /// It failed, and fails in the same way.
    StillFailing,
    /// It was flaky and is.
    StillFlaky,
    /// It takes much longer.
    Slower,
    /// It was bad, or flaky, and passes.
    Fixed,
    /// It was skipped and passes.
    Enabled,
    /// It is new and passes.
    NewPass,
    /// It is new and skipped.
    NewSkip,
    /// Nothing.
    Same,
}

impl Change {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::NewFail => "new_fail",
            Self::Removed => "removed",
            Self::NewlySkipped => "newly_skipped",
            Self::NewlyFlaky => "newly_flaky",
            Self::SignatureChanged => "signature_changed",
            Self::StillFailing => "still_failing",
            Self::StillFlaky => "still_flaky",
            Self::Slower => "slower",
            Self::Fixed => "fixed",
            Self::Enabled => "enabled",
            Self::NewPass => "new_pass",
            Self::NewSkip => "new_skip",
            Self::Same => "same",
        }
    }

    /// The category of older reports.
    pub const fn category(self) -> &'static str {
        match self {
            Self::Regressed | Self::NewlyFlaky | Self::NewlySkipped => "regression",
            Self::NewFail => "new_failure",
            Self::Removed => "removed",
            Self::SignatureChanged | Self::StillFailing | Self::StillFlaky => "unresolved_failure",
            Self::Fixed => "fixed",
            Self::NewPass | Self::NewSkip => "added_pass",
            Self::Slower | Self::Enabled | Self::Same => "stable_pass",
        }
    }

    /// The score of its category: what is to be looked at first has the highest.
    pub fn score(self) -> u32 {
        match self.category() {
            "regression" => 100,
            "new_failure" => 90,
            "unresolved_failure" => 70,
            "fixed" => 40,
            "removed" => 30,
            "added_pass" => 20,
            _ => 10,
        }
    }

    /// Whether it is bad news that the baseline did not have.
    pub const fn is_regression(self) -> bool {
        matches!(
            self,
            Self::Regressed | Self::NewFail | Self::Removed | Self::NewlySkipped | Self::NewlyFlaky
        )
    }
}

/// What changed between two verdicts; `None` where a run does not have the test.
pub fn change(base: Option<&Entry>, now: Option<&Entry>) -> Change {
    use TestVerdict::{Flaky, Missing, Passed, Skipped};
    // What is planned and has no result is as good as not there.
    let there = |entry: Option<&Entry>| entry.map(|e| e.verdict).filter(|v| *v != Missing);
    let (Some(now_is), was) = (there(now), there(base)) else {
        return match there(base) {
            Some(_) => Change::Removed,
            // Planned, never seen, and not in the baseline.
            None if now.is_some() => Change::NewFail,
            None => Change::Same,
        };
    };
    match (was, now_is) {
        (None, Passed) => Change::NewPass,
        (None, Skipped) => Change::NewSkip,
        (Some(Passed | Skipped) | None, Flaky) => Change::NewlyFlaky,
        (None, _) => Change::NewFail,
        (Some(Passed), Passed) => match (base.and_then(|e| e.seconds), now.and_then(|e| e.seconds))
        {
            (Some(a), Some(b)) if b > a * SLOWER_TIMES && b - a >= SLOWER_BY => Change::Slower,
            _ => Change::Same,
        },
        (Some(Skipped), Skipped) => Change::Same,
        (Some(Skipped), Passed) => Change::Enabled,
        (Some(Skipped), _) => Change::NewFail,
        (Some(_), Skipped) => Change::NewlySkipped,
        (Some(_), Passed) => Change::Fixed,
        (Some(Passed | Flaky), is) => match is {
            Flaky => Change::StillFlaky,
            _ => Change::Regressed,
        },
        (Some(_), Flaky) => Change::NewlyFlaky,
        (Some(_), _) => {
            let of = |entry: Option<&'_ Entry>| entry.and_then(|e| e.signature.clone());
            match (of(base), of(now)) {
                // Two algorithms cannot be compared.
                (Some(a), Some(b)) if a.algorithm == b.algorithm && a != b => {
                    Change::SignatureChanged
                }
                _ => Change::StillFailing,
            }
        }
    }
}

/// What a diff makes of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing is bad.
    Stable,
    /// What is bad was bad in the same way.
    KnownFailuresOnly,
    /// What is bad was bad, and some of it in another way.
    SemanticMismatch,
    /// Something is bad that was not.
    Regression,
    /// The two cannot be compared.
    Incomparable,
}

/// A test that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// From 1, the most urgent first.
    pub rank: u64,
    /// The test.
    pub test: TestId,
    /// How.
    pub change: Change,
    /// What the baseline says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Entry>,
    /// What the run says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<Entry>,
}

/// A run beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// What it makes of the run.
    pub status: Status,
    /// Why the two cannot be compared, if they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incomparable: Option<String>,
    /// How many tests of each kind.
    pub counts: BTreeMap<Change, u64>,
    /// All that changed, ranked; [`Change::Same`] is counted only.
    pub changed: Vec<Changed>,
}

/// One of two runs: its tests, and what they are results of.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Every test; of a test that stands twice the worst counts.
    pub tests: &'a [(TestId, Entry)],
    /// The variant that ran: system, toolchain, features.
    pub variant: &'a str,
    /// The digest of the plan that it ran by, where there is one.
    pub plan: Option<&'a str>,
}

/// Compares two lists of tests of one variant and plan. A baseline without any test is none: nothing can be told from it.
pub fn diff(base: &[(TestId, Entry)], now: &[(TestId, Entry)]) -> Diff {
    let side = |tests| Side {
        tests,
        variant: "",
        plan: None,
    };
    compare(&side(base), &side(now))
}

/// Compares two runs. What changed is told of any two; the status is [`Status::Incomparable`] where they are of different variants or
/// plans, or the baseline has no test.
pub fn compare(base: &Side<'_>, now: &Side<'_>) -> Diff {
    let mut counts: BTreeMap<Change, u64> = BTreeMap::new();
    let mut found: Vec<(Change, &TestId, Option<&Entry>, Option<&Entry>)> = Vec::new();
    // Only what changed is sorted: of a million tests that is the smaller part.
    let mut tests: HashMap<&TestId, Pair<'_>> = HashMap::with_capacity(base.tests.len());
    for (test, entry) in base.tests {
        let pair = tests.entry(test).or_default();
        pair.0 = Some(worse(pair.0, entry));
    }
    for (test, entry) in now.tests {
        let pair = tests.entry(test).or_default();
        pair.1 = Some(worse(pair.1, entry));
    }
    for (test, (was, is)) in tests {
        let change = change(was, is);
        *counts.entry(change).or_default() += 1;
        if change != Change::Same {
            found.push((change, test, was, is));
        }
    }
    found.sort_unstable_by(|a, b| {
        let key = |c: Change| (std::cmp::Reverse(c.score()), c);
        key(a.0).cmp(&key(b.0)).then_with(|| a.1.cmp(b.1))
    });
    let changed = (1..)
        .zip(found)
        .map(|(rank, (change, test, base, now))| Changed {
            rank,
            test: test.clone(),
            change,
            base: base.cloned(),
            now: now.cloned(),
        })
        .collect();
    let has = |is: fn(Change) -> bool| counts.keys().any(|c| is(*c));
    let incomparable = incomparable(base, now);
    let status = if incomparable.is_some() {
        Status::Incomparable
    } else if has(Change::is_regression) {
        Status::Regression
    } else if has(|c| c == Change::SignatureChanged) {
        Status::SemanticMismatch
    } else if has(|c| matches!(c, Change::StillFailing | Change::StillFlaky)) {
        Status::KnownFailuresOnly
    } else {
        Status::Stable
    };
    Diff {
        status,
        incomparable,
        counts,
        changed,
    }
}

fn incomparable(base: &Side<'_>, now: &Side<'_>) -> Option<String> {
    let cut = |text: &str| -> String { text.chars().take(120).collect() };
    if base.tests.is_empty() {
        return Some("the baseline has no test".to_owned());
    }
    if base.variant != now.variant {
        return Some(format!(
            "the baseline is of the variant `{}` and the run of `{}`",
            cut(base.variant),
            cut(now.variant)
        ));
    }
    (base.plan != now.plan).then(|| {
        let name = |plan: Option<&str>| {
            plan.map_or("no plan".to_owned(), |p| format!("the plan {}", cut(p)))
        };
        format!(
            "the baseline is of {} and the run of {}",
            name(base.plan),
            name(now.plan)
        )
    })
}

/// What the baseline says of a test, and what the run does.
type Pair<'a> = (Option<&'a Entry>, Option<&'a Entry>);

/// The worse of two entries of one test by verdict; of equals by signature and time, so that the order of a list decides nothing.
fn worse<'a>(known: Option<&'a Entry>, other: &'a Entry) -> &'a Entry {
    let Some(known) = known else { return other };
    let seconds = |e: &Entry| e.seconds.unwrap_or(f64::NEG_INFINITY);
    let order = known
        .verdict
        .cmp(&other.verdict)
        .then_with(|| known.signature.cmp(&other.signature))
        .then_with(|| seconds(known).total_cmp(&seconds(other)));
    if order.is_lt() { other } else { known }
}

/// A diff in the words of older reports: seven categories, scores, ranks and four statuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// `regression`, `known_failures_only`, `semantic_mismatch`, `stable` or `incomparable`.
    pub status: String,
    /// Tests of the baseline.
    pub baseline_total: u64,
    /// Tests of the run.
    pub current_total: u64,
    /// How many tests of each category; all seven are there.
    pub counts: BTreeMap<String, u64>,
    /// What is to be looked at, the most urgent first, at most as many as were asked for.
    pub ranked_diagnostics: Vec<Diagnostic>,
    /// Commands in the order of the diagnostics, each once.
    pub ranked_repro_commands: Vec<String>,
    /// Diagnostics that were left out.
    pub omitted: u64,
}

/// One line of a [`View`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// From 1.
    pub rank: u64,
    /// The score of its category.
    pub score: u32,
    /// The category.
    pub category: String,
    /// The finer word.
    pub change: String,
    /// The test.
    pub test: TestId,
    /// How to run it, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The seven categories.
const CATEGORIES: [&str; 7] = [
    "regression",
    "new_failure",
    "unresolved_failure",
    "fixed",
    "removed",
    "added_pass",
    "stable_pass",
];

impl Diff {
    /// Shows it in the words of older reports. `command` says how to run a test; `most` bounds the diagnostics.
    pub fn view(&self, most: usize, command: impl Fn(&TestId) -> Option<String>) -> View {
        let mut counts: BTreeMap<String, u64> =
            CATEGORIES.iter().map(|c| ((*c).to_owned(), 0)).collect();
        let (mut before, mut after) = (0, 0);
        for (change, n) in &self.counts {
            *counts.entry(change.category().to_owned()).or_default() += n;
            before += if change.is_new() { 0 } else { *n };
            after += if *change == Change::Removed { 0 } else { *n };
        }
        // What is new and failing may have been skipped before; the entries say so.
        let known_before = self.changed.iter().filter(|c| c.change.may_be_new());
        for one in known_before {
            before += u64::from(one.base.is_some());
        }
        let kept = &self.changed[..self.changed.len().min(most)];
        let diagnostics: Vec<Diagnostic> = kept
            .iter()
            .map(|c| Diagnostic {
                rank: c.rank,
                score: c.change.score(),
                category: c.change.category().to_owned(),
                change: c.change.word().to_owned(),
                test: c.test.clone(),
                command: command(&c.test),
            })
            .collect();
        let mut seen = BTreeSet::new();
        let commands = diagnostics
            .iter()
            // Good news needs no replay.
            .filter(|d| d.score >= 70)
            .filter_map(|d| d.command.clone())
            .filter(|c| seen.insert(c.clone()))
            .collect();
        View {
            status: self.status.word().to_owned(),
            baseline_total: before,
            current_total: after,
            counts,
            ranked_diagnostics: diagnostics,
            ranked_repro_commands: commands,
            omitted: (self.changed.len() - kept.len()) as u64,
        }
    }
}

impl Change {
    /// Whether the baseline cannot have the test.
    const fn is_new(self) -> bool {
        matches!(self, Self::NewPass | Self::NewSkip) || self.may_be_new()
    }

    /// Whether only the entries say if the baseline has the test.
    const fn may_be_new(self) -> bool {
        matches!(self, Self::NewFail | Self::NewlyFlaky)
    }
}

impl Status {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::KnownFailuresOnly => "known_failures_only",
            Self::SemanticMismatch => "semantic_mismatch",
            Self::Regression => "regression",
            Self::Incomparable => "incomparable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TestVerdict::{
        Errored, Failed, Flaky, Missing, Passed, Precluded, Skipped, UnexpectedPass,
    };

    const ALL: [TestVerdict; 8] = [
        Passed,
        Skipped,
        UnexpectedPass,
        Flaky,
        Precluded,
        Errored,
        Missing,
        Failed,
    ];

    fn entry(verdict: TestVerdict) -> Entry {
        Entry {
            verdict,
            signature: None,
            seconds: None,
        }
    }

    fn id(name: &str) -> TestId {
        TestId::new("s", "", name)
    }

    /// Every pair of verdicts, against laws in other words than the rule.
    #[test]
    fn every_pair_has_its_change() {
        let some: Vec<Option<TestVerdict>> = ALL.into_iter().map(Some).chain([None]).collect();
        for was in &some {
            for is in &some {
                let (a, b) = (was.map(entry), is.map(entry));
                let change = change(a.as_ref(), b.as_ref());
                let what = format!("{was:?} -> {is:?}: {change:?}");
                let bad = |v: &Option<TestVerdict>| {
                    matches!(v, Some(Failed | Errored | Precluded | UnexpectedPass))
                };
                let gone = |v: &Option<TestVerdict>| matches!(v, None | Some(Missing));
                // Bad and not bad before is always a regression of some kind.
                if (bad(is) || *is == Some(Flaky)) && !bad(was) && *was != Some(Flaky) {
                    assert!(change.is_regression(), "{what}");
                }
                if gone(is) && !gone(was) {
                    assert_eq!(change, Change::Removed, "{what}");
                }
                if *is == Some(Skipped) && !gone(was) && *was != Some(Skipped) {
                    assert_eq!(change, Change::NewlySkipped, "{what}");
                }
                if *is == Some(Passed) {
                    assert!(!change.is_regression(), "{what}");
                }
                if bad(was) && bad(is) {
                    assert_eq!(change, Change::StillFailing, "{what}");
                }
                // Nothing that is bad is called good.
                if bad(is) {
                    assert!(change.score() >= 70, "{what}");
                }
            }
        }
    }

    #[test]
    fn failures_that_differ_and_tests_that_slow_down() {
        let failing = |message: &str| Entry {
            signature: Some(Signature::of(&crate::Failure {
                message: message.into(),
                ..crate::Failure::default()
            })),
            ..entry(Failed)
        };
        let of = |a: &Entry, b: &Entry| change(Some(a), Some(b));
        assert_eq!(of(&failing("a"), &failing("a")), Change::StillFailing);
        assert_eq!(of(&failing("a"), &failing("b")), Change::SignatureChanged);
        assert_eq!(of(&failing("a"), &entry(Failed)), Change::StillFailing);
        let took = |seconds| Entry {
            seconds: Some(seconds),
            ..entry(Passed)
        };
        assert_eq!(of(&took(1.0), &took(2.5)), Change::Slower);
        assert_eq!(of(&took(0.1), &took(0.9)), Change::Same);
        assert_eq!(of(&took(10.0), &took(12.0)), Change::Same);
    }

    #[test]
    fn a_run_is_ranked_and_judged() {
        let base = [
            (id("a"), entry(Passed)),
            (id("b"), entry(Failed)),
            (id("c"), entry(Passed)),
            (id("d"), entry(Failed)),
        ];
        let now = [
            (id("a"), entry(Failed)),
            (id("b"), entry(Passed)),
            (id("d"), entry(Failed)),
            (id("e"), entry(Failed)),
        ];
        let found = diff(&base, &now);
        assert_eq!(found.status, Status::Regression);
        let order: Vec<(&str, Change)> = found
            .changed
            .iter()
            .map(|c| (&*c.test.name, c.change))
            .collect();
        assert_eq!(
            order,
            [
                ("a", Change::Regressed),
                ("e", Change::NewFail),
                ("d", Change::StillFailing),
                ("b", Change::Fixed),
                ("c", Change::Removed),
            ]
        );
        assert_eq!(found.changed[4].rank, 5);
        for (now, expected) in [
            (vec![], Status::Regression),
            (base.to_vec(), Status::KnownFailuresOnly),
            (
                base.iter()
                    .map(|(id, _)| (id.clone(), entry(Passed)))
                    .collect(),
                Status::Stable,
            ),
        ] {
            assert_eq!(diff(&base, &now).status, expected);
        }
        assert_eq!(diff(&[], &base).status, Status::Incomparable);
    }
}
