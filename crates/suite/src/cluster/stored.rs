//! The stored form of a state: JSON with schema and algorithm. What is read back is checked as if a stranger had written it.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::found::{Example, Found, Moment};
use super::sample::Sample;
use super::{ALGORITHM, Clusters, Known, Limits, narrow, read_id};
use crate::TestId;

/// The schema of a stored state.
pub const SCHEMA: &str = "gonogo.suite.clusters.v1";

/// The most that any limit of a stored state may be.
const CEILING: u32 = 10_000_000;

/// Why a stored state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is no JSON of that shape, or cannot be read.
    #[error("the stored clusters cannot be read: {0}; they can be made again from the runs")]
    Unreadable(#[from] serde_json::Error),
    /// It is of another version.
    #[error(
        "the stored clusters have the schema `{0}` and not {SCHEMA}: use the version that wrote them, or make them again from the runs"
    )]
    Schema(String),
    /// Its signatures are of another algorithm.
    #[error(
        "the stored clusters were made by `{0}` and not by {ALGORITHM}: migrate what names their signatures, and make them again from the runs"
    )]
    Algorithm(String),
    /// It contradicts itself.
    #[error("the stored clusters contradict themselves: {0}; they can be made again from the runs")]
    Damaged(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    schema: String,
    algorithm: String,
    limits: Limits,
    failures: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    runs: Vec<StoredRun>,
    clusters: Vec<StoredCluster>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRun {
    id: String,
    at: Timestamp,
    failures: u64,
    content: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCluster {
    id: String,
    key: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    key_is_cut: bool,
    failures: u64,
    first: Moment,
    last: Moment,
    tests: Kept<(TestId, u64)>,
    owners: Kept<(String, u64)>,
    runs: Kept<(String, u64)>,
    trees: Kept<(String, u64)>,
    early: Vec<Example>,
    late: Vec<Example>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept<T> {
    more: bool,
    kept: Vec<T>,
}

impl Clusters {
    /// Writes the state; the same state gives the same bytes.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn save(&self, out: impl Write) -> Result<(), serde_json::Error> {
        serde_json::to_writer(out, &self.stored())
    }

    /// Reads a state that [`Clusters::save`] wrote.
    ///
    /// # Errors
    /// [`LoadError`]: it cannot be read, is of another schema or algorithm, or contradicts itself.
    pub fn load(source: impl Read) -> Result<Self, LoadError> {
        match read(source)? {
            (algorithm, state) if algorithm == ALGORITHM => Ok(state),
            (algorithm, _) => Err(LoadError::Algorithm(algorithm)),
        }
    }

    fn stored(&self) -> State {
        let runs = self.runs.iter().map(|(id, run)| StoredRun {
            id: format!("{id:032x}"),
            at: run.at,
            failures: run.failures,
            content: format!("{:032x}", run.content),
        });
        let clusters = self.found.iter().map(|(id, found)| StoredCluster {
            id: format!("{id:032x}"),
            key: found.key.clone(),
            key_is_cut: found.key_is_cut,
            failures: found.failures,
            first: found.first.clone(),
            last: found.last.clone(),
            tests: items(&found.tests),
            owners: items(&found.owners),
            runs: hashes(&found.runs),
            trees: hashes(&found.trees),
            early: found.early.clone(),
            late: found.late.clone(),
        });
        State {
            schema: SCHEMA.to_owned(),
            algorithm: ALGORITHM.to_owned(),
            limits: self.limits,
            failures: self.failures,
            since: self.since,
            runs: runs.collect(),
            clusters: clusters.collect(),
        }
    }
}

fn items<K: Clone>(sample: &Sample<K>) -> Kept<(K, u64)> {
    Kept {
        more: sample.more,
        kept: sample.kept.values().cloned().collect(),
    }
}

fn hashes(sample: &Sample<()>) -> Kept<(String, u64)> {
    let kept = sample.kept.iter();
    Kept {
        more: sample.more,
        kept: kept
            .map(|(hash, (_, n))| (format!("{hash:016x}"), *n))
            .collect(),
    }
}

/// Reads a state of any algorithm.
pub(super) fn read(source: impl Read) -> Result<(String, Clusters), LoadError> {
    let mut state: State = serde_json::from_reader(source)?;
    if state.schema != SCHEMA {
        return Err(LoadError::Schema(short(&state.schema)));
    }
    let algorithm = short(&state.algorithm);
    let limits = state.limits;
    let all = [
        limits.clusters,
        limits.runs,
        limits.key,
        limits.tests,
        limits.distinct,
        limits.example,
    ];
    if all.iter().any(|n| !(1..=CEILING).contains(n)) {
        return damaged("a limit is zero or beyond all bounds");
    }
    if state.clusters.len() > limits.clusters as usize || state.runs.len() > limits.runs as usize {
        return damaged("it holds more than its own limits");
    }
    let mut out = Clusters::new(limits);
    out.failures = state.failures;
    out.since = state.since;
    let mut failures = 0u64;
    for run in state.runs {
        let (Some(id), Some(content)) = (read_id(&run.id), read_id(&run.content)) else {
            return damaged("a run has no id of 32 digits");
        };
        failures = failures.saturating_add(run.failures);
        let known = Known {
            at: run.at,
            failures: run.failures,
            content,
        };
        if out
            .runs
            .last_key_value()
            .is_some_and(|(last, _)| *last >= id)
        {
            return damaged("its runs are not in order, or one stands twice");
        }
        out.runs.insert(id, known);
    }
    if failures > out.failures || (out.since.is_none() && failures != out.failures) {
        return damaged("its runs do not add up to its failures");
    }
    let mut kept = 0u64;
    for cluster in state.clusters.drain(..) {
        let Some(id) = read_id(&cluster.id) else {
            return damaged("a cluster has no id of 32 digits");
        };
        if out
            .found
            .last_key_value()
            .is_some_and(|(last, _)| *last >= id)
        {
            return damaged("its clusters are not in order, or one stands twice");
        }
        let found = found(&limits, cluster)?;
        kept = kept.saturating_add(found.failures);
        out.found.insert(id, found);
    }
    if kept > out.failures {
        return damaged("its clusters have more failures than there are");
    }
    Ok((algorithm, out))
}

fn found(limits: &Limits, from: StoredCluster) -> Result<Found, LoadError> {
    let found = Found {
        key: from.key,
        key_is_cut: from.key_is_cut,
        failures: from.failures,
        first: from.first,
        last: from.last,
        tests: sample(limits.tests, from.tests, |t: &TestId| {
            Some(narrow(&[&t.suite, &t.class, &t.name]))
        })?,
        owners: sample(limits.tests, from.owners, |o: &String| Some(narrow(&[o])))?,
        runs: marks(limits.distinct, from.runs)?,
        trees: marks(limits.distinct, from.trees)?,
        early: from.early,
        late: from.late,
    };
    let counted: u64 = found
        .tests
        .kept
        .values()
        .fold(0, |n, (_, m)| n.saturating_add(*m));
    let adds_up = counted <= found.failures && (found.tests.more || counted == found.failures);
    if found.failures == 0 || found.first > found.last || !adds_up {
        return damaged("a cluster's counts or times do not fit together");
    }
    if found.key.len() > limits.key as usize
        || found.examples().is_empty()
        || found.early.len().max(found.late.len()) > 2
    {
        return damaged("a cluster has no example, too many, or a text beyond the limit");
    }
    Ok(found)
}

fn marks(limit: u32, from: Kept<(String, u64)>) -> Result<Sample<()>, LoadError> {
    let parse = |hash: &String| {
        let plain =
            hash.len() == 16 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        plain.then(|| u64::from_str_radix(hash, 16).ok())?
    };
    let named = sample(limit, from, parse)?;
    Ok(Sample {
        more: named.more,
        kept: named
            .kept
            .into_iter()
            .map(|(hash, (_, n))| (hash, ((), n)))
            .collect(),
    })
}

fn sample<K>(
    limit: u32,
    from: Kept<(K, u64)>,
    hash: impl Fn(&K) -> Option<u64>,
) -> Result<Sample<K>, LoadError> {
    let full = from.kept.len() == limit as usize;
    if from.kept.len() > limit as usize || (from.more && !full) {
        return damaged("a cluster's list is longer than its limit, or cut and not full");
    }
    let mut kept = BTreeMap::new();
    for (item, n) in from.kept {
        let hash = hash(&item).filter(|_| n > 0);
        let Some(hash) = hash else {
            return damaged("a cluster's list has a hash that is none, or a count of zero");
        };
        if kept.last_key_value().is_some_and(|(last, _)| *last >= hash) {
            return damaged("a cluster's list is not in order, or an item stands twice");
        }
        kept.insert(hash, (item, n));
    }
    Ok(Sample {
        kept,
        more: from.more,
    })
}

fn damaged<T>(what: &str) -> Result<T, LoadError> {
    Err(LoadError::Damaged(what.to_owned()))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
