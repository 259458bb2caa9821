//! From signatures of one algorithm to those of another.
//!
//! Records name signatures: quarantines, runbook entries. When the algorithm gets another version, the examples that were kept of each
//! cluster say what its signature becomes. Only where all of a cluster's examples agree, and no other cluster becomes the same, does one
//! stand for the other: a signature that is wider than the old one would excuse what nobody looked at.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::stored::{self, LoadError};
use super::{Clusters, signature};
use crate::Signature;
use crate::signature::Algorithm;

/// What a signature becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapping {
    /// One new signature, and nothing else becomes it.
    One(Signature),
    /// One new signature, which others become too.
    Joined {
        /// The new one.
        to: Signature,
        /// The other old ones.
        with: Vec<Signature>,
    },
    /// Several: its examples are no longer alike.
    Split(Vec<Signature>),
    /// No example was kept whole, so nobody can say.
    Unknown,
}

/// What all signatures become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The algorithm before.
    pub from: String,
    /// The algorithm behind.
    pub to: String,
    /// By old signature.
    pub mappings: Vec<(Signature, Mapping)>,
}

impl Migration {
    /// The one signature that may stand for an old one; `None` wherever there is doubt.
    pub fn exact(&self, old: &Signature) -> Option<&Signature> {
        let place = self
            .mappings
            .binary_search_by(|(known, _)| known.cmp(old))
            .ok()?;
        match &self.mappings[place].1 {
            Mapping::One(to) => Some(to),
            Mapping::Joined { .. } | Mapping::Split(_) | Mapping::Unknown => None,
        }
    }
}

/// A stored state of any algorithm, to be migrated from and for nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct Retired {
    algorithm: String,
    state: Clusters,
}

impl Retired {
    /// Reads a state whatever its algorithm.
    ///
    /// # Errors
    /// As [`Clusters::load`], without [`LoadError::Algorithm`].
    pub fn load(source: impl std::io::Read) -> Result<Self, LoadError> {
        let (algorithm, state) = stored::read(source)?;
        Ok(Self { algorithm, state })
    }

    /// The algorithm that made its signatures.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// What its signatures become.
    pub fn migrate(&self, to: &Algorithm) -> Migration {
        migrate(&self.state, &self.algorithm, to)
    }
}

impl Clusters {
    /// What the signatures of this state become by another algorithm.
    pub fn migrate(&self, to: &Algorithm) -> Migration {
        migrate(self, super::ALGORITHM, to)
    }
}

fn migrate(state: &Clusters, from: &str, to: &Algorithm) -> Migration {
    let old = |id: u128| Signature {
        algorithm: from.to_owned(),
        ..signature(id)
    };
    let mut becomes: BTreeMap<u128, BTreeSet<Signature>> = BTreeMap::new();
    let mut comes_from: BTreeMap<Signature, Vec<Signature>> = BTreeMap::new();
    for (id, found) in &state.found {
        let whole = found
            .examples()
            .into_iter()
            .filter(|e| !e.is_cut && !e.failure.truncated);
        let new: BTreeSet<Signature> = whole.map(|e| Signature::by(to, &e.failure)).collect();
        for one in &new {
            comes_from.entry(one.clone()).or_default().push(old(*id));
        }
        becomes.insert(*id, new);
    }
    let mappings = becomes
        .into_iter()
        .map(|(id, new)| {
            let mut new: Vec<Signature> = new.into_iter().collect();
            let mapping = match (new.len(), new.pop()) {
                (_, None) => Mapping::Unknown,
                (1, Some(one)) => {
                    let with: Vec<Signature> = comes_from
                        .get(&one)
                        .into_iter()
                        .flatten()
                        .filter(|other| **other != old(id))
                        .cloned()
                        .collect();
                    if with.is_empty() {
                        Mapping::One(one)
                    } else {
                        Mapping::Joined { to: one, with }
                    }
                }
                (_, Some(last)) => {
                    new.push(last);
                    Mapping::Split(new)
                }
            };
            (old(id), mapping)
        })
        .collect();
    Migration {
        from: from.to_owned(),
        to: to.name.to_owned(),
        mappings,
    }
}
