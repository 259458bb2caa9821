//! Items of a set of any size in bounded memory: those with the smallest hashes, and how many there are of each.
//!
//! Which ones stay does not hang on the order of arrival, because whoever is among the smallest of all was among the smallest at every
//! moment before; so its count is whole too. How many there are altogether follows from the greatest hash that stayed (Bar-Yossef and
//! others, 2002).

use std::collections::BTreeMap;

use super::Distinct;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sample<K> {
    pub(super) kept: BTreeMap<u64, (K, u64)>,
    /// Whether there were more than the limit.
    pub(super) more: bool,
}

impl<K> Default for Sample<K> {
    fn default() -> Self {
        Self {
            kept: BTreeMap::new(),
            more: false,
        }
    }
}

impl<K> Sample<K> {
    /// Counts the item of a hash. It is made only if it stays.
    pub(super) fn add(&mut self, limit: usize, hash: u64, item: impl FnOnce() -> K) {
        if let Some((_, n)) = self.kept.get_mut(&hash) {
            *n += 1;
            return;
        }
        if self.kept.len() >= limit {
            self.more = true;
            if self
                .kept
                .last_key_value()
                .is_none_or(|(last, _)| hash > *last)
            {
                return;
            }
            self.kept.pop_last();
        }
        self.kept.insert(hash, (item(), 1));
    }

    /// How many different ones there were.
    pub(super) fn distinct(&self) -> Distinct {
        let kept = self.kept.len() as u64;
        let about = match self.kept.last_key_value() {
            // The k-th smallest of n even hashes lies at k / n of their range.
            Some((last, _)) if self.more => {
                let share = (*last as f64 + 1.0) / 2f64.powi(64);
                (((kept as f64 - 1.0) / share).round() as u64).max(kept + 1)
            }
            _ => kept,
        };
        Distinct {
            count: about,
            exact: !self.more,
        }
    }
}
