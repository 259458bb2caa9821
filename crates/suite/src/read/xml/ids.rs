//! Which ids were seen, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::TestId;

/// Most ids that are compared with each other: seven eighths of a table of 2²⁰, about ten megabytes.
const IDS: usize = 917_504;
/// Most ids whose times are kept too.
const SPANS: usize = 114_688;

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
    spans: HashMap<u64, (Span, u32), Plain>,
}

impl Ids {
    pub(in crate::read) fn see(&mut self, id: u64, span: Option<Span>) -> Seen {
        if self.seen.len() >= IDS && !self.seen.contains(&id) {
            return Seen::Unchecked;
        }
        if self.seen.insert(id) {
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

/// A hash of an id: its parts with their lengths, eight bytes at a time, multiplied and folded.
pub(in crate::read) fn hash(id: &TestId) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for part in [&id.suite, &id.class, &id.name] {
        state = fold(state ^ part.len() as u64);
        let mut chunks = part.as_bytes().chunks_exact(8);
        for chunk in &mut chunks {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            state = fold(state ^ u64::from_le_bytes(word));
        }
        let mut word = [0; 8];
        let rest = chunks.remainder();
        word[..rest.len()].copy_from_slice(rest);
        state = fold(state ^ u64::from_le_bytes(word));
    }
    state
}

const fn fold(value: u64) -> u64 {
    let product = (value ^ 0x2d35_8dcc_aa6c_78a5) as u128 * 0x8bb8_4b93_962e_acc9;
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
            self.0 = fold(self.0 ^ u64::from(*b));
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
        let ids = [("ab", "", "c"), ("a", "b", "c"), ("", "ab", "c"), ("a", "", "bc")];
        let hashes: HashSet<u64> = ids
            .iter()
            .map(|(s, c, n)| hash(&TestId::new(s, c, n)))
            .collect();
        assert_eq!(hashes.len(), ids.len());
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
