//! What a part of a stream saw, so small that parts can be read in parallel and put together afterwards.
//!
//! As long as a part has no more causes than an engine keeps, only two things of its order matter to the engine: in which order they
//! were first seen (that decides what falls out) and in which order they were last seen (that decides what falls out next). With
//! more causes a new epoch begins. Invariant: no epoch has more causes than the engine's keys.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Cause, Finding, KEYS, SAMPLE_BYTES, cause_of};

/// What a part of a stream saw.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sightings {
    keys: usize,
    /// Most epochs.
    limit: usize,
    epochs: Vec<Epoch>,
    #[serde(skip)]
    places: HashMap<String, u32>,
    turn: u64,
    sample_bytes: usize,
}

/// Causes in the order of their first sighting, each with the turn of its last one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Epoch {
    pub(super) causes: Vec<Cause>,
    turns: Vec<u64>,
}

impl Epoch {
    pub(super) fn by_last_sighting(&self) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.causes.len()).collect();
        order.sort_by_key(|i| self.turns[*i]);
        order
            .into_iter()
            .map(|i| self.causes[i].key.clone())
            .collect()
    }
}

impl Default for Sightings {
    fn default() -> Self {
        Self::with_keys(KEYS, 2)
    }
}

impl Sightings {
    /// Makes a collection for engines with `keys` keys, of at most `limit` epochs.
    pub fn with_keys(keys: usize, limit: usize) -> Self {
        Self {
            keys: keys.max(1),
            limit,
            epochs: Vec::new(),
            places: HashMap::new(),
            turn: 0,
            sample_bytes: 0,
        }
    }

    /// Takes a finding; false if there is no more room: then the part must be read in its turn, straight into the engine.
    pub fn finding(&mut self, finding: Finding) -> bool {
        self.sighting(cause_of(finding))
    }

    fn sighting(&mut self, mut cause: Cause) -> bool {
        self.turn += 1;
        if let Some(epoch) = self.epochs.last_mut()
            && let Some(&place) = self.places.get(&cause.key)
        {
            epoch.turns[place as usize] = self.turn;
            epoch.causes[place as usize].extend(cause);
            return true;
        }
        if self
            .epochs
            .last()
            .is_none_or(|e| e.causes.len() >= self.keys)
        {
            if self.epochs.len() >= self.limit {
                return false;
            }
            self.epochs.push(Epoch::default());
            self.places.clear();
        }
        if self.sample_bytes + cause.sample_bytes() > SAMPLE_BYTES / 2 {
            cause.shorten_sample();
        }
        self.sample_bytes += cause.sample_bytes();
        if let Some(epoch) = self.epochs.last_mut() {
            self.places
                .insert(cause.key.clone(), epoch.causes.len() as u32);
            epoch.causes.push(cause);
            epoch.turns.push(self.turn);
        }
        true
    }

    /// Puts what followed behind it; false if there is no room.
    pub fn append(&mut self, later: Self) -> bool {
        if later.epochs.is_empty() {
            return true;
        }
        if self.epochs.len() + later.epochs.len() > self.limit {
            return false;
        }
        let base = self.turn;
        self.turn += later.turn;
        self.sample_bytes += later.sample_bytes;
        for mut epoch in later.epochs {
            epoch.turns.iter_mut().for_each(|t| *t += base);
            self.epochs.push(epoch);
        }
        self.places = later.places;
        true
    }

    /// Returns whether nothing was seen.
    pub const fn is_empty(&self) -> bool {
        self.epochs.is_empty()
    }

    /// Changes every cause: what is known of a part only afterwards, like the number of its first line.
    pub fn each(&mut self, mut change: impl FnMut(&mut Cause)) {
        for cause in self.epochs.iter_mut().flat_map(|e| &mut e.causes) {
            change(cause);
        }
    }

    pub(super) fn into_epochs(self) -> Vec<Epoch> {
        self.epochs
    }
}
