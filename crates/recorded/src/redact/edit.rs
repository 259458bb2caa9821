//! Edits of a text: ranges and what comes in their place.

use std::ops::Range;

use super::{Kind, MARK, Tally};

/// A range to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: &'static str,
    pub(crate) kind: Kind,
}

impl Edit {
    pub(crate) fn mark(range: Range<usize>, kind: Kind) -> Self {
        Self {
            start: range.start,
            end: range.end,
            with: MARK,
            kind,
        }
    }
}

/// Sorts edits, joins those that overlap and drops empty ones.
pub(super) fn merged(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.retain(|edit| edit.start < edit.end);
    edits.sort_by(|a, b| (a.start, b.end).cmp(&(b.start, a.end)));
    let mut out: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        match out.last_mut() {
            Some(last) if edit.start < last.end => {
                if edit.end > last.end {
                    last.end = edit.end;
                    last.with = MARK;
                }
            }
            _ => out.push(edit),
        }
    }
    out
}

/// Carries out `edits`, which are in order and do not overlap, and counts those that change something.
pub(crate) fn apply(bytes: &[u8], edits: &[Edit], tally: &mut Tally) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for edit in edits {
        out.extend_from_slice(&bytes[at..edit.start]);
        out.extend_from_slice(edit.with.as_bytes());
        if &bytes[edit.start..edit.end] != edit.with.as_bytes() {
            *tally.entry(edit.kind).or_default() += 1;
        }
        at = edit.end;
    }
    out.extend_from_slice(&bytes[at..]);
    out
}

/// Where borders of the old text, in order, lie in the new one. One inside a replaced range comes behind what replaced it.
pub(crate) fn borders(old: impl IntoIterator<Item = usize>, edits: &[Edit]) -> Vec<usize> {
    let (mut next, mut removed, mut added) = (0, 0, 0);
    let place = |at: usize| {
        while let Some(edit) = edits.get(next).filter(|edit| edit.end <= at) {
            removed += edit.end - edit.start;
            added += edit.with.len();
            next += 1;
        }
        match edits.get(next).filter(|edit| edit.start < at) {
            Some(edit) => edit.start - removed + added + edit.with.len(),
            None => at - removed + added,
        }
    };
    old.into_iter().map(place).collect()
}
