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

/// Ids that wait for being put into the table.
const WAITING: usize = 1 << 10;

/// Ids by their hashes. Two ids of one hash are expected once in 10⁷ reports of a million tests.
#[derive(Debug, Default)]
pub(in crate::read) struct Ids {
    seen: HashSet<u64, Plain>,
    /// New ids that are not in the table yet. One by one each waits for memory, many at once wait together.
    waiting: Vec<u64>,
    filter: Filter,
    /// Ids of the suite, once there is no more room for those of the report.
    inner: HashSet<u64, Plain>,
    spans: HashMap<u64, (Span, u32), Plain>,
}

impl Ids {
    /// A suite ended: ids that were kept for it alone are no longer.
    pub(in crate::read) fn end_suite(&mut self) {
        self.inner.clear();
    }

    /// Whether an id is new; `group` is a hash of what it has in common with those beside it.
    pub(in crate::read) fn see(&mut self, group: u64, id: u64, span: Option<Span>) -> Seen {
        let may_be_known = self.filter.has(group, id);
        let is_new = if self.seen.len() + self.waiting.len() < IDS {
            if may_be_known {
                self.settle();
                self.seen.insert(id)
            } else {
                self.filter.add(group, id);
                self.waiting.push(id);
                if self.waiting.len() >= WAITING {
                    self.settle();
                }
                true
            }
        } else if may_be_known && self.is_known(id) {
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

impl Ids {
    /// Puts the ids that wait into the table.
    fn settle(&mut self) {
        if self.seen.len() >= WAITING {
            // At once, and not by growing.
            self.seen.reserve(IDS - self.seen.len());
        }
        self.seen.extend(self.waiting.drain(..));
    }

    fn is_known(&mut self, id: u64) -> bool {
        self.settle();
        self.seen.contains(&id)
    }
}

/// How often ids came that may come again, of the first ones that do.
#[derive(Debug, Default)]
pub(in crate::read) struct Again(HashMap<u64, u32, Plain>);

impl Again {
    /// Which attempt it is, of an id that was there before.
    pub(in crate::read) fn get(&mut self, id: u64) -> u32 {
        if self.0.len() >= SPANS && !self.0.contains_key(&id) {
            return 2;
        }
        let times = self.0.entry(id).or_insert(1);
        *times = times.saturating_add(1);
        *times
    }
}

/// What ids there may be: of those that are not there it says so of 99 in 100, in less memory than the ids take. (Putze, Sanders,
/// Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007: three bits of one word.) The words of one group of tests lie
/// together, since a report has its tests group by group.
#[derive(Debug, Default)]
struct Filter {
    words: Vec<u64>,
}

impl Filter {
    /// Of two: how many groups of words there are, and words of each.
    const GROUPS: u32 = 9;
    const WORDS: u32 = 7;

    const fn bits(group: u64, id: u64) -> (usize, u64) {
        let bits = 1 << (id & 63) | 1 << (id >> 6 & 63) | 1 << (id >> 12 & 63);
        let group = group >> (64 - Self::GROUPS) << Self::WORDS;
        ((group | id >> (64 - Self::WORDS)) as usize, bits)
    }

    fn has(&self, group: u64, id: u64) -> bool {
        let (word, bits) = Self::bits(group, id);
        self.words.get(word).is_some_and(|word| word & bits == bits)
    }

    fn add(&mut self, group: u64, id: u64) {
        if self.words.is_empty() {
            self.words.resize(1 << (Self::GROUPS + Self::WORDS), 0);
        }
        let (word, bits) = Self::bits(group, id);
        self.words[word] |= bits;
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
            assert_eq!(ids.see(0, id, None), Seen::First);
        }
        assert_eq!(ids.see(0, 0, None), Seen::Before);
        assert_eq!(ids.see(0, most, None), Seen::Before);
        assert_eq!(ids.see(0, most * 2, None), Seen::Unchecked);
        ids.end_suite();
        assert_eq!(ids.see(0, 0, None), Seen::Before);
        assert_eq!(ids.see(0, most, None), Seen::First);
    }

    #[test]
    fn attempts_need_times_that_are_apart() {
        let mut ids = Ids::default();
        assert_eq!(ids.see(0, 1, Some((0, 10))), Seen::First);
        assert_eq!(ids.see(0, 1, Some((10, 20))), Seen::Again(2));
        assert_eq!(ids.see(0, 1, Some((5, 15))), Seen::Before);
        assert_eq!(ids.see(0, 1, Some((-5, 0))), Seen::Again(3));
        assert_eq!(ids.see(0, 1, None), Seen::Before);
        assert_eq!(ids.see(0, 2, Some((5, 5))), Seen::First);
        assert_eq!(ids.see(0, 2, Some((5, 5))), Seen::Before);
        assert_eq!(ids.see(0, 3, None), Seen::First);
        assert_eq!(ids.see(0, 3, Some((5, 6))), Seen::Before);
    }
}
