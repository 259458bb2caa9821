//! Which stretches of time had records, exactly enough to find every silence that matters, in bounded memory and in any order.
//!
//! Records come in the order of files, not of time. What is kept is the set of stretches in which neighbouring records (by time) are
//! at most `join` apart; two such sets make one by union, so the result does not depend on order or on cuts. Silences of at most
//! `join` are inside a stretch and cannot be told any more; nobody asks for them.

use serde::{Deserialize, Serialize};

/// Most stretches; a log with more silences than that has times that mean nothing.
const STRETCHES: usize = 65_536;

/// Stretches of time with records. Times are nanoseconds of one clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    join: i64,
    /// First and last record of each, in order, more than `join` apart.
    stretches: Vec<(i64, i64)>,
    /// Where the last record went.
    #[serde(skip)]
    last: usize,
    /// Records that found no room and were put to their nearest stretch.
    folded: u64,
}

impl Coverage {
    /// Makes an empty set; silences of more than `join` nanoseconds can be told from it.
    pub const fn new(join: i64) -> Self {
        Self {
            join,
            stretches: Vec::new(),
            last: 0,
            folded: 0,
        }
    }

    /// Adds a record.
    #[inline]
    pub fn add(&mut self, at: i64) {
        let count = self.stretches.len();
        if let Some(stretch) = self.stretches.get_mut(self.last) {
            if at >= stretch.0 && at <= stretch.1 {
                return;
            }
            let last_one = self.last + 1 == count;
            if last_one && at > stretch.1 && at.saturating_sub(stretch.1) <= self.join {
                stretch.1 = at;
                return;
            }
        }
        self.insert(at, at);
    }

    /// Puts another set in.
    pub fn merge(&mut self, other: &Self) {
        for (from, to) in &other.stretches {
            self.insert(*from, *to);
        }
        self.folded += other.folded;
    }

    fn insert(&mut self, from: i64, to: i64) {
        // All stretches that touch [from − join, to + join] become one.
        let first = self
            .stretches
            .partition_point(|s| s.1.saturating_add(self.join) < from);
        let end = self
            .stretches
            .partition_point(|s| s.0.saturating_sub(self.join) <= to);
        if first < end {
            let joined = (
                from.min(self.stretches[first].0),
                to.max(self.stretches[end - 1].1),
            );
            self.stretches[first] = joined;
            self.stretches.drain(first + 1..end);
            self.last = first;
        } else if self.stretches.len() < STRETCHES {
            self.stretches.insert(first, (from, to));
            self.last = first;
        } else {
            self.folded += 1;
        }
    }

    /// Returns the first and the last record.
    pub fn span(&self) -> Option<(i64, i64)> {
        Some((self.stretches.first()?.0, self.stretches.last()?.1))
    }

    /// Returns the silences: from record to record, in order.
    pub fn gaps(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.stretches.windows(2).map(|w| (w[0].1, w[1].0))
    }

    /// Returns the silences between `from` and `to`, those before the first and after the last record included.
    pub fn gaps_within(&self, from: i64, to: i64) -> Vec<(i64, i64)> {
        let mut gaps = Vec::new();
        let mut seen = from;
        for (first, last) in &self.stretches {
            let (first, last) = ((*first).clamp(from, to), (*last).clamp(from, to));
            if first.saturating_sub(seen) > self.join {
                gaps.push((seen, first));
            }
            seen = seen.max(last);
        }
        if to.saturating_sub(seen) > self.join {
            gaps.push((seen, to));
        }
        gaps
    }

    /// Returns how many records found no room: with any, the silences are not to be believed.
    pub const fn folded(&self) -> u64 {
        self.folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(join: i64, times: &[i64]) -> Coverage {
        let mut coverage = Coverage::new(join);
        times.iter().for_each(|t| coverage.add(*t));
        coverage
    }

    fn by_sorting(join: i64, times: &[i64]) -> Vec<(i64, i64)> {
        let mut sorted = times.to_vec();
        sorted.sort_unstable();
        sorted
            .windows(2)
            .filter(|w| w[1] - w[0] > join)
            .map(|w| (w[0], w[1]))
            .collect()
    }

    proptest::proptest! {
        #[test]
        fn is_what_sorting_finds(
            times in proptest::collection::vec(-500i64..500, 0..80), cut in 0usize..80, join in 0i64..40,
        ) {
            let whole = of(join, &times);
            proptest::prop_assert_eq!(whole.gaps().collect::<Vec<_>>(), by_sorting(join, &times));
            let cut = cut.min(times.len());
            let (mut a, b) = (of(join, &times[..cut]), of(join, &times[cut..]));
            let mut turned = b.clone();
            turned.merge(&a);
            a.merge(&b);
            proptest::prop_assert_eq!(&a.stretches, &whole.stretches);
            proptest::prop_assert_eq!(&turned.stretches, &whole.stretches);
        }
    }

    #[test]
    fn silences_at_both_ends_count() {
        let coverage = of(10, &[100, 105, 200]);
        assert_eq!(
            coverage.gaps_within(0, 300),
            [(0, 100), (105, 200), (200, 300)]
        );
        assert_eq!(coverage.gaps_within(95, 205), [(105, 200)]);
        assert_eq!(of(10, &[]).gaps_within(0, 300), [(0, 300)]);
    }

    #[test]
    fn too_many_silences_are_noticed() {
        let mut coverage = Coverage::new(1);
        for i in 0..70_000 {
            coverage.add(i * 10);
        }
        assert_eq!(coverage.folded(), 70_000 - STRETCHES as u64);
    }
}
