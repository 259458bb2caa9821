//! The lines of a portion that were read and not kept: where they are, as long as the portion is there.

use super::BACK;

/// The last lines of a portion that the next may look back at, not kept yet: most are never looked at.
#[derive(Default)]
pub(super) struct Behind<'a> {
    pub(super) portion: &'a [u8],
    /// Where the line begins that looks back.
    pub(super) from: usize,
    /// Where they begin and end, and their numbers; the last of `known`.
    pub(super) ring: [(usize, usize, u64); BACK],
    pub(super) known: usize,
}

impl Behind<'_> {
    #[inline]
    pub(super) fn add(&mut self, from: usize, to: usize, number: u64) {
        self.ring[self.known % BACK] = (from, to, number);
        self.known += 1;
    }
}
