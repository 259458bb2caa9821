//! Which ids were seen, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::TestId;

/// Most ids that are compared over the whole report, and as many again within each suite: seven eighths of a table of 2¹⁸.
const IDS: usize = 229_376;
/// Most ids whose times are kept too.
const SPANS: usize = 28_672;

/// What is known of an id that comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Seen {
    /// It is new.
    First,
    /// It was there before, at another time: another attempt, this one the n-th.
    Again(u32),
    /// It was there before, and nothing tells the two apart.
    Before,
    /// It is not known: there were too many.
    Unchecked,
}

/// From when to when something ran, milliseconds.
pub(in crate::read) type Span = (i64, i64);

type Plain = BuildHasherDefault<Passed>;

/// Ids by their hashes. Two ids of one hash are expected once in 10⁷ reports of a million tests.
#[derive(Debug, Default)]
pub(in crate::read) struct Ids {
    seen: HashSet<u64, Plain>,
    /// Ids of the suite, once there is no more room for those of the report.
    inner: HashSet<u64, Plain>,
    spans: HashMap<u64, (Span, u32), Plain>,
}

impl Ids {
    /// A suite ended: ids that were kept for it alone are no longer.
    pub(in crate::read) fn end_suite(&mut self) {
        self.inner.clear();
    }

    pub(in crate::read) fn see(&mut self, id: u64, span: Option<Span>) -> Seen {
        let is_new = if self.seen.len() < IDS {
            self.seen.insert(id)
        } else if self.seen.contains(&id) {
            false
        } else if self.inner.len() < IDS {
            self.inner.insert(id)
        } else if self.inner.contains(&id) {
            false
        } else {
            return Seen::Unchecked;
        };
        if is_new {
            if let Some(span) = span
                && self.spans.len() < SPANS
            {
                self.spans.insert(id, (span, 1));
            }
            return Seen::First;
        }
        let (Some((from, to)), Some((known, times))) = (span, self.spans.get_mut(&id)) else {
            return Seen::Before;
        };
        let is_after = from > known.0 && from >= known.1;
        let is_earlier = from < known.0 && to <= known.0;
        if !is_after && !is_earlier {
            return Seen::Before;
        }
        *known = (known.0.min(from), known.1.max(to));
        *times = times.saturating_add(1);
        Seen::Again(*times)
    }
}

/// A hash of an id.
pub(in crate::read) fn hash(id: &TestId) -> u64 {
    joined(joined(part(&id.suite), &id.class), &id.name)
}

/// The hash of a part, after that of those before it.
pub(in crate::read) fn joined(before: u64, text: &str) -> u64 {
    fold(before, part(text))
}

/// A hash of a text: its length, and sixteen bytes at a time, multiplied and folded.
pub(in crate::read) fn part(text: &str) -> u64 {
    let mut state = fold(text.len() as u64, 0x9e37_79b9_7f4a_7c15);
    let mut chunks = text.as_bytes().chunks_exact(16);
    for chunk in &mut chunks {
        let mut words = [0; 16];
        words.copy_from_slice(chunk);
        state = pair(state, words);
    }
    let rest = chunks.remainder();
    if rest.is_empty() {
        return state;
    }
    let mut words = [0; 16];
    words[..rest.len()].copy_from_slice(rest);
    pair(state, words)
}

const fn pair(state: u64, words: [u8; 16]) -> u64 {
    let both = u128::from_le_bytes(words);
    fold(state ^ both as u64, (both >> 64) as u64)
}

const fn fold(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x2d35_8dcc_aa6c_78a5) as u128 * (b ^ 0x8bb8_4b93_962e_acc9) as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

/// Gives the hash that it is given.
#[derive(Debug, Default)]
pub(in crate::read) struct Passed(u64);

impl Hasher for Passed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = fold(self.0, u64::from(*b));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_together() {
        let ids = [
            ("ab", "", "c"),
            ("a", "b", "c"),
            ("", "ab", "c"),
            ("a", "", "bc"),
        ];
        let hashes: HashSet<u64> = ids
            .iter()
            .map(|(s, c, n)| hash(&TestId::new(s, c, n)))
            .collect();
        assert_eq!(hashes.len(), ids.len());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut ids = Ids::default();
        let most = IDS as u64;
        for id in 0..most * 2 {
            assert_eq!(ids.see(id, None), Seen::First);
        }
        assert_eq!(ids.see(0, None), Seen::Before);
        assert_eq!(ids.see(most, None), Seen::Before);
        assert_eq!(ids.see(most * 2, None), Seen::Unchecked);
        ids.end_suite();
        assert_eq!(ids.see(0, None), Seen::Before);
        assert_eq!(ids.see(most, None), Seen::First);
    }

    #[test]
    fn attempts_need_times_that_are_apart() {
        let mut ids = Ids::default();
        assert_eq!(ids.see(1, Some((0, 10))), Seen::First);
        assert_eq!(ids.see(1, Some((10, 20))), Seen::Again(2));
        assert_eq!(ids.see(1, Some((5, 15))), Seen::Before);
        assert_eq!(ids.see(1, Some((-5, 0))), Seen::Again(3));
        assert_eq!(ids.see(1, None), Seen::Before);
        assert_eq!(ids.see(2, Some((5, 5))), Seen::First);
        assert_eq!(ids.see(2, Some((5, 5))), Seen::Before);
        assert_eq!(ids.see(3, None), Seen::First);
        assert_eq!(ids.see(3, Some((5, 6))), Seen::Before);
    }
}
