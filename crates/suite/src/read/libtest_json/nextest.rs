//! What is different in the lines of nextest (0.9.151, `--message-format libtest-json[-plus]`).
//!
//! Names are `crate::binary$test`. A test begins under its name and ends with `#n` behind it if the n-th attempt was the last; of the
//! attempts before, nothing is said but that they failed. A binary may be told in several blocks, each with the number of all its tests and
//! of all its ignored ones; a test may end in a later block than it began, and an ignored test may have no end at all. So the numbers are held
//! against all blocks of a binary together. Invariant: tests without an end are ignored ones only if they are exactly as many as the ignored
//! ones that are missing, and no block is cut.

use std::collections::BTreeMap;

/// Binaries that are counted, at most.
const MOST: usize = 16_384;

/// What was read of one binary.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Binary {
    /// What its blocks declare; `None` inside if they do not agree.
    pub(super) declared: Option<Option<u64>>,
    /// Ignored tests that are declared, and those that are told.
    pub(super) ignored: u64,
    pub(super) told: u64,
    /// Tests that ended.
    pub(super) ended: u64,
    /// Where its first block begins.
    pub(super) from: u64,
}

impl Binary {
    /// Whether all its tests are there, `open` of them without an end.
    pub(super) fn is_whole(&self, open: u64) -> bool {
        self.declared == Some(Some(self.ended + open))
    }

    /// Whether tests without an end are ignored ones.
    pub(super) const fn are_ignored(&self, open: u64) -> bool {
        self.told + open == self.ignored
    }
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Binaries {
    all: BTreeMap<String, Binary>,
}

impl Binaries {
    /// The binary; `None` beyond the limit.
    pub(super) fn of(&mut self, name: &str, from: u64) -> Option<&mut Binary> {
        if !self.all.contains_key(name) {
            if self.all.len() >= MOST {
                return None;
            }
            let binary = Binary {
                from,
                ..Binary::default()
            };
            self.all.insert(name.to_owned(), binary);
        }
        self.all.get_mut(name)
    }

    /// Whether a block of it ended before.
    pub(super) fn is_known(&self, name: &str) -> bool {
        self.all.get(name).is_some_and(|b| b.declared.is_some())
    }

    pub(super) fn take(&mut self) -> BTreeMap<String, Binary> {
        std::mem::take(&mut self.all)
    }
}

/// Binary and test of a name as nextest writes it.
pub(super) fn parts(name: &str) -> Option<(&str, &str)> {
    let (binary, test) = name.split_once('$')?;
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b"_-:/.".contains(&b);
    (binary.contains("::") && binary.bytes().all(is_word)).then_some((binary, test))
}

/// The name without the number of its last attempt, and that number.
pub(super) fn attempt(name: &str) -> Option<(&str, u32)> {
    parts(name)?;
    let (plain, number) = name.rsplit_once('#')?;
    let number = number.parse().ok()?;
    (number > 1).then_some((plain, number))
}
