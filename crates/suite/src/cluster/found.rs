//! One cluster: what is kept of its failures, and how it is shown.

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::sample::Sample;
use super::{Limits, Marks, Occurrence, Run, narrow};
use crate::{Failure, Signature, TestId};

/// Examples from the beginning and from the end of a cluster's history, each.
const EXAMPLES: usize = 2;

/// Tests and owners that are shown of a cluster, each.
const SHOWN: usize = 10;

/// How many different ones there were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distinct {
    /// How many.
    pub count: u64,
    /// Whether that is exact; else it is estimated from the hashes that were kept, to about one part in the root of [`Limits::distinct`].
    pub exact: bool,
}

/// A run, at its time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// When the run began.
    pub at: Timestamp,
    /// The run.
    pub run: String,
}

/// A failure of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Its run.
    pub moment: Moment,
    /// Its test.
    pub test: TestId,
    /// Its tree, if that is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tree: String,
    /// How it failed.
    pub failure: Failure,
    /// Whether its texts were longer than is kept: then its signature cannot be made again from them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

impl Example {
    /// What orders examples: time first; every part of it, so that two that are equal are one.
    fn key(&self) -> impl Ord + '_ {
        let f = &self.failure;
        let place = f.location.as_ref().map(|l| (&l.file, l.line, l.column));
        let texts = (&f.message, &f.trace, &f.class);
        (
            &self.moment,
            &self.test,
            texts,
            place,
            f.kind as u8,
            f.truncated,
            self.is_cut,
        )
    }
}

/// A cluster, to be shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its id: the signature.
    pub signature: Signature,
    /// The normalised text, or its beginning.
    pub key: String,
    /// Whether the text is longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key_is_cut: bool,
    /// How many failures.
    pub failures: u64,
    /// In how many runs.
    pub runs: Distinct,
    /// On how many trees, unknown ones left out.
    pub trees: Distinct,
    /// In how many tests.
    pub tests: Distinct,
    /// The first run.
    pub first: Moment,
    /// The last run.
    pub last: Moment,
    /// Tests and their failures, the most first, at most ten of those that are counted.
    pub top_tests: Vec<(TestId, u64)>,
    /// Owners and their failures, the most first, at most ten of those that are counted.
    pub top_owners: Vec<(String, u64)>,
    /// The earliest failures and the latest.
    pub examples: Vec<Example>,
}

/// What is kept of a cluster.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    pub(super) key: String,
    pub(super) key_is_cut: bool,
    pub(super) failures: u64,
    pub(super) first: Moment,
    pub(super) last: Moment,
    pub(super) tests: Sample<TestId>,
    pub(super) owners: Sample<String>,
    pub(super) runs: Sample<()>,
    pub(super) trees: Sample<()>,
    /// The smallest, ascending.
    pub(super) early: Vec<Example>,
    /// The greatest, ascending.
    pub(super) late: Vec<Example>,
}

impl Found {
    pub(super) fn new(limits: &Limits, key: &str, run: &Run<'_>) -> Self {
        let moment = moment(run);
        let (key, key_is_cut) = cut(key, limits.key as usize);
        Self {
            key,
            key_is_cut,
            failures: 0,
            first: moment.clone(),
            last: moment,
            tests: Sample::default(),
            owners: Sample::default(),
            runs: Sample::default(),
            trees: Sample::default(),
            early: Vec::new(),
            late: Vec::new(),
        }
    }

    pub(super) fn add(
        &mut self,
        limits: &Limits,
        test: u64,
        run: &Run<'_>,
        marks: &Marks,
        one: &Occurrence<'_>,
    ) {
        self.failures += 1;
        let here = (run.at, run.id);
        if here < (self.first.at, &*self.first.run) {
            self.first = moment(run);
        }
        if here > (self.last.at, &*self.last.run) {
            self.last = moment(run);
        }
        let tests = limits.tests as usize;
        self.tests.add(tests, test, || one.test.clone());
        if let Some(owner) = one.owner {
            self.owners
                .add(tests, narrow(&[owner]), || owner.to_owned());
        }
        let distinct = limits.distinct as usize;
        self.runs.add(distinct, marks.run, || ());
        if let Some(tree) = marks.tree {
            self.trees.add(distinct, tree, || ());
        }
        self.keep(limits, run, one);
    }

    /// Keeps it as an example if it is one of the earliest or latest.
    fn keep(&mut self, limits: &Limits, run: &Run<'_>, one: &Occurrence<'_>) {
        let here = (run.at, run.id, one.test);
        let at = |e: &Example| here.cmp(&(e.moment.at, &*e.moment.run, &e.test));
        let full = |list: &[Example]| list.len() >= EXAMPLES;
        let is_late = full(&self.early) && self.early.last().is_some_and(|e| at(e).is_gt());
        let is_early = full(&self.late) && self.late.first().is_some_and(|e| at(e).is_lt());
        if is_late && is_early {
            return;
        }
        let example = example(limits, run, one);
        for (list, keeps_first) in [(&mut self.early, true), (&mut self.late, false)] {
            let place = list.binary_search_by(|e| e.key().cmp(&example.key()));
            if let Err(place) = place {
                list.insert(place, example.clone());
                if list.len() > EXAMPLES {
                    list.remove(if keeps_first { EXAMPLES } else { 0 });
                }
            }
        }
    }

    pub(super) const fn failures(&self) -> u64 {
        self.failures
    }

    pub(super) const fn last_at(&self) -> Timestamp {
        self.last.at
    }

    /// All examples, each once, by time.
    pub(super) fn examples(&self) -> Vec<&Example> {
        let mut all: Vec<&Example> = self.early.iter().chain(&self.late).collect();
        all.sort_by(|a, b| a.key().cmp(&b.key()));
        all.dedup();
        all
    }

    pub(super) fn show(&self, signature: Signature) -> Cluster {
        Cluster {
            signature,
            key: self.key.clone(),
            key_is_cut: self.key_is_cut,
            failures: self.failures,
            runs: self.runs.distinct(),
            trees: self.trees.distinct(),
            tests: self.tests.distinct(),
            first: self.first.clone(),
            last: self.last.clone(),
            top_tests: top(&self.tests),
            top_owners: top(&self.owners),
            examples: self.examples().into_iter().cloned().collect(),
        }
    }
}

fn top<K: Ord + Clone>(sample: &Sample<K>) -> Vec<(K, u64)> {
    let mut all: Vec<&(K, u64)> = sample.kept.values().collect();
    all.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
    all.into_iter().take(SHOWN).cloned().collect()
}

fn moment(run: &Run<'_>) -> Moment {
    Moment {
        at: run.at,
        run: run.id.to_owned(),
    }
}

fn example(limits: &Limits, run: &Run<'_>, one: &Occurrence<'_>) -> Example {
    let most = limits.example as usize;
    let from = one.failure;
    let (message, message_is_cut) = cut(&from.message, most);
    let (trace, trace_is_cut) = cut(&from.trace, most);
    let (class, class_is_cut) = cut(&from.class, most);
    Example {
        moment: moment(run),
        test: one.test.clone(),
        tree: run.tree.to_owned(),
        is_cut: message_is_cut || class_is_cut || (trace_is_cut && from.message.trim().is_empty()),
        failure: Failure {
            kind: from.kind,
            class,
            message,
            trace,
            location: from.location.clone(),
            truncated: from.truncated || trace_is_cut || message_is_cut || class_is_cut,
        },
    }
}

pub(super) fn cut(text: &str, most: usize) -> (String, bool) {
    if text.len() <= most {
        return (text.to_owned(), false);
    }
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    (text[..end].to_owned(), true)
}
