//! Failures of a history, put together by signature: what fails, since when, how often, in which tests, and who owns it.
//!
//! A cluster is one signature, exactly; what only looks alike is a [`Suggestion`] to people and is never joined by itself. Invariants: the
//! state is a function of the *set* of runs that were added, so neither their order, nor restarts between them, nor adding one again
//! changes a byte of it; memory is bounded by [`Limits`] whatever comes in. Where something has to be left out, the items with the smallest
//! hashes stay: that choice does not hang on the order of arrival, and what stays has been counted from its first appearance on.

mod found;
mod migrate;
mod near;
mod sample;
mod stored;

use std::collections::BTreeMap;

use gonogo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::signature::{ALGORITHM, hash16, key};
use crate::{Failure, Signature, TestId};

pub use found::{Cluster, Distinct, Example, Moment};
pub use migrate::{Mapping, Migration, Retired};
pub use near::{Near, Suggestion};
pub use stored::{LoadError, SCHEMA};

use found::Found;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Clusters. Failures of further ones are counted, see [`Clusters::beyond`].
    pub clusters: u32,
    /// Runs that are known, so that one that is added again is noticed.
    pub runs: u32,
    /// Bytes of a cluster's normalised text.
    pub key: u32,
    /// Tests and owners of a cluster, each, that are counted one by one.
    pub tests: u32,
    /// Runs and trees of a cluster, each, up to which their number is exact.
    pub distinct: u32,
    /// Bytes of an example's message and trace, each.
    pub example: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clusters: 50_000,
            runs: 200_000,
            key: 1000,
            tests: 64,
            distinct: 128,
            example: 1 << 10,
        }
    }
}

/// A run whose failures are added.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Its id. Of a run in shards, each shard has its own.
    pub id: &'a str,
    /// The tree that it ran on; empty if it is not known.
    pub tree: &'a str,
    /// When it began.
    pub at: Timestamp,
}

/// One failure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence<'a> {
    /// The test.
    pub test: &'a TestId,
    /// How it failed.
    pub failure: &'a Failure,
    /// Who owns the test, as far as anybody knows.
    pub owner: Option<&'a str>,
}

/// What adding a run did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// Its failures.
    pub failures: u64,
    /// Whether it was there already, the same, and nothing changed.
    pub was_known: bool,
}

/// Why a run was not added. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// The same id with other failures.
    #[error(
        "the run `{0}` is known with other failures, tree or time: two runs have one id; give each its own"
    )]
    RunDiffers(String),
    /// No more runs.
    #[error("{0} runs are known and no more are kept: forget old ones first")]
    Full(u32),
    /// It is older than what was forgotten.
    #[error(
        "the run `{id}` began at {at}, and everything before {since} was forgotten: it cannot be told whether it was counted"
    )]
    Forgotten {
        /// The run.
        id: String,
        /// Its time.
        at: Timestamp,
        /// What was forgotten.
        since: Timestamp,
    },
}

/// What is remembered of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    at: Timestamp,
    failures: u64,
    /// A sum of hashes over its failures, whatever their order.
    content: u128,
}

/// Clusters over a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    limits: Limits,
    failures: u64,
    since: Option<Timestamp>,
    runs: BTreeMap<u128, Known>,
    found: BTreeMap<u128, Found>,
}

impl Default for Clusters {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Clusters {
    /// No failures yet. Limits of zero are taken for one.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Limits {
                clusters: limits.clusters.max(1),
                runs: limits.runs.max(1),
                key: limits.key.max(1),
                tests: limits.tests.max(1),
                distinct: limits.distinct.max(1),
                example: limits.example.max(1),
            },
            failures: 0,
            since: None,
            runs: BTreeMap::new(),
            found: BTreeMap::new(),
        }
    }

    /// Adds all failures of a run; one without failures counts as a run too. A run that is there already changes nothing.
    ///
    /// # Errors
    /// [`AddError`]; nothing is added then.
    pub fn add_run<'a>(
        &mut self,
        run: &Run<'_>,
        failures: impl IntoIterator<Item = Occurrence<'a>>,
    ) -> Result<Added, AddError> {
        let id = wide(run.id.as_bytes());
        let known = self.runs.get(&id).copied();
        if let Some(since) = self.since.filter(|since| run.at < *since) {
            return Err(AddError::Forgotten {
                id: run.id.chars().take(200).collect(),
                at: run.at,
                since,
            });
        }
        if known.is_none() && self.runs.len() >= self.limits.runs as usize {
            return Err(AddError::Full(self.limits.runs));
        }
        let marks = Marks::of(run);
        let mut fresh = Known {
            at: run.at,
            failures: 0,
            content: wide(run.tree.as_bytes()),
        };
        for one in failures {
            let key = key(one.failure);
            let cluster = u128::from_be_bytes(hash16(ALGORITHM, &key));
            let test = narrow(&[&one.test.suite, &one.test.class, &one.test.name]);
            fresh.failures += 1;
            fresh.content = fresh.content.wrapping_add(mix(cluster, test));
            if known.is_none() {
                self.put(cluster, &key, test, run, &marks, &one);
            }
        }
        match known {
            Some(known) if known != fresh => {
                Err(AddError::RunDiffers(run.id.chars().take(200).collect()))
            }
            Some(_) => Ok(Added {
                failures: fresh.failures,
                was_known: true,
            }),
            None => {
                self.failures += fresh.failures;
                self.runs.insert(id, fresh);
                Ok(Added {
                    failures: fresh.failures,
                    was_known: false,
                })
            }
        }
    }

    fn put(
        &mut self,
        id: u128,
        key: &str,
        test: u64,
        run: &Run<'_>,
        marks: &Marks,
        one: &Occurrence<'_>,
    ) {
        let limits = &self.limits;
        if let Some(found) = self.found.get_mut(&id) {
            found.add(limits, test, run, marks, one);
            return;
        }
        if self.found.len() >= limits.clusters as usize {
            // The greatest ids go, whoever came first.
            match self.found.last_key_value() {
                Some((last, _)) if *last > id => {
                    self.found.pop_last();
                }
                _ => return,
            }
        }
        let mut found = Found::new(limits, key, run);
        found.add(limits, test, run, marks, one);
        self.found.insert(id, found);
    }

    /// Forgets clusters that were last seen before a time, and runs of before it. Such a run cannot be added any more.
    pub fn forget_before(&mut self, since: Timestamp) -> u64 {
        let before = self.found.len();
        self.since = self.since.max(Some(since));
        self.found.retain(|_, found| found.last_at() >= since);
        self.runs.retain(|_, run| run.at >= since);
        (before - self.found.len()) as u64
    }

    /// How much is kept.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Failures that were added.
    pub const fn failures(&self) -> u64 {
        self.failures
    }

    /// Failures that are in no cluster that is kept: beyond the limit, or forgotten.
    pub fn beyond(&self) -> u64 {
        let kept: u64 = self.found.values().map(Found::failures).sum();
        self.failures.saturating_sub(kept)
    }

    /// Runs that are known, those without failures among them: what shares are of.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Clusters that are kept.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All clusters, by id.
    pub fn iter(&self) -> impl Iterator<Item = Cluster> + '_ {
        self.found
            .iter()
            .map(|(id, found)| found.show(signature(*id)))
    }

    /// The cluster of a signature.
    pub fn of(&self, of: &Signature) -> Option<Cluster> {
        let id = id_of(of)?;
        self.found.get(&id).map(|found| found.show(signature(id)))
    }

    /// The clusters with most failures, at most `n`; of equals the smaller id first.
    pub fn top(&self, n: usize) -> Vec<Cluster> {
        let mut order: Vec<(std::cmp::Reverse<u64>, u128)> = self
            .found
            .iter()
            .map(|(id, found)| (std::cmp::Reverse(found.failures()), *id))
            .collect();
        order.sort_unstable();
        order.truncate(n);
        order
            .iter()
            .filter_map(|(_, id)| self.found.get(id).map(|f| f.show(signature(*id))))
            .collect()
    }
}

/// Hashes of a run that every failure of it needs.
struct Marks {
    run: u64,
    tree: Option<u64>,
}

impl Marks {
    fn of(run: &Run<'_>) -> Self {
        Self {
            run: narrow(&[run.id]),
            tree: (!run.tree.is_empty()).then(|| narrow(&[run.tree])),
        }
    }
}

fn signature(id: u128) -> Signature {
    Signature {
        algorithm: ALGORITHM.to_owned(),
        hash: format!("{id:032x}"),
    }
}

/// The id that a signature of this algorithm stands for.
fn id_of(signature: &Signature) -> Option<u128> {
    (signature.algorithm == ALGORITHM).then(|| read_id(&signature.hash))?
}

fn read_id(hash: &str) -> Option<u128> {
    let plain = hash.len() == 32 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u128::from_str_radix(hash, 16).ok())?
}

/// The first 16 bytes of SHA-256.
fn wide(bytes: &[u8]) -> u128 {
    let digest = Digest::of(bytes);
    let fold = |n: u128, b: &u8| n << 8 | u128::from(*b);
    digest.as_bytes()[..16].iter().fold(0, fold)
}

/// The first 8 bytes of SHA-256 over texts, each ended by a byte that none has.
fn narrow(texts: &[&str]) -> u64 {
    let mut bytes = Vec::with_capacity(128);
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0xff);
    }
    (wide(&bytes) >> 64) as u64
}

/// One failure's part of a run's content.
fn mix(cluster: u128, test: u64) -> u128 {
    let mut bytes = [0; 24];
    bytes[..16].copy_from_slice(&cluster.to_be_bytes());
    bytes[16..].copy_from_slice(&test.to_be_bytes());
    wide(&bytes)
}
