//! Failures that are the same: one signature, its tests.

use std::collections::BTreeMap;

use super::{Advice, Replay, Report, says};
use crate::diff::Change;
use crate::{Failure, Row, TestId, TestVerdict};

/// A test of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its target.
    pub target: String,
    /// The test.
    pub test: TestId,
    /// Its verdict.
    pub verdict: TestVerdict,
    /// How many attempts.
    pub attempts: u32,
    /// How long it took.
    pub seconds: Option<f64>,
    /// What changed since the baseline.
    pub change: Option<Change>,
    /// Who owns it.
    pub owner: Option<String>,
    /// How it is replayed.
    pub replay: Option<Replay>,
    /// Its file and line, as the report names them.
    pub place: Option<(String, Option<u32>)>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The end of what it printed.
    pub output: String,
}

/// Tests that failed in the same way.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The signature, or `verdict:…` for tests without a failure.
    pub key: String,
    /// The cause's word.
    pub cause: Option<String>,
    /// What to do about that cause.
    pub remedy: Option<&'static str>,
    /// What the runbook says of its first test.
    pub advice: Vec<Advice>,
    /// How many tests.
    pub count: u64,
    /// How many of each verdict.
    pub verdicts: BTreeMap<TestVerdict, u64>,
    /// How many that the baseline did not have so.
    pub fresh: u64,
    /// Tests, in order of their ids: the first ones.
    pub items: Vec<Item>,
}

/// Whether somebody broke it since the baseline.
const fn is_fresh(change: Option<Change>) -> bool {
    match change {
        Some(change) => change.is_regression() || matches!(change, Change::SignatureChanged),
        None => false,
    }
}

impl Group {
    /// The key of a row.
    pub(super) fn key(row: &Row) -> String {
        match &row.signature {
            Some(signature) => signature.to_string(),
            None => format!("verdict:{}", row.verdict.word()),
        }
    }

    pub(super) fn new(key: String, row: &Row, report: &Report<'_>) -> Self {
        Self {
            key,
            cause: row.cause.as_ref().map(|c| c.word().to_owned()),
            remedy: row.cause.as_ref().map(|c| c.remediation()),
            advice: (report.advice)(row),
            count: 0,
            verdicts: BTreeMap::new(),
            fresh: 0,
            items: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        row: Row,
        report: &Report<'_>,
        change: Option<Change>,
        is_kept: bool,
    ) {
        self.count += 1;
        self.fresh += u64::from(is_fresh(change));
        *self.verdicts.entry(row.verdict).or_default() += 1;
        if !is_kept {
            return;
        }
        let located = row.failure.as_ref().and_then(|f| f.location.as_ref());
        let place = match (located, &row.file) {
            (Some(place), _) => Some((place.file.clone(), place.line)),
            (None, Some(file)) => Some((file.clone(), None)),
            (None, None) => None,
        };
        self.items.push(Item {
            owner: report.owner_of(&row),
            replay: (report.replay)(&row),
            target: row.target,
            test: row.test,
            verdict: row.verdict,
            attempts: row.attempts,
            seconds: row.seconds,
            change,
            place,
            failure: row.failure,
            output: row.output,
        });
    }

    /// The worst verdict in it.
    pub fn worst(&self) -> TestVerdict {
        let last = self.verdicts.last_key_value();
        last.map_or(TestVerdict::Missing, |(verdict, _)| *verdict)
    }

    /// What its tests say, in the words of the first one.
    pub fn message(&self) -> String {
        let first = self.items.first();
        let failure = first.and_then(|item| item.failure.as_ref());
        match failure {
            Some(f) if !f.message.trim().is_empty() => {
                let class = f.class.trim();
                if class.is_empty() || f.message.contains(class) {
                    f.message.clone()
                } else {
                    format!("{class}: {}", f.message)
                }
            }
            Some(f) if !f.trace.trim().is_empty() => f.trace.clone(),
            _ => says(self.worst()).to_owned(),
        }
    }

    /// Its owners, each once.
    pub fn owners(&self) -> Vec<&str> {
        let mut owners: Vec<&str> = self
            .items
            .iter()
            .filter_map(|i| i.owner.as_deref())
            .collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// The first command that replays one of its tests.
    pub fn replay(&self) -> Option<&Replay> {
        self.items.iter().find_map(|item| item.replay.as_ref())
    }

    /// What is to be looked at first: what is new, what is worst, what is most.
    pub(super) fn urgency(&self) -> impl Ord + use<> {
        use std::cmp::Reverse;
        (
            Reverse(self.fresh > 0),
            Reverse(self.worst()),
            Reverse(self.count),
            self.key.clone(),
        )
    }
}
