//! Tests of jest-junit that took no time: what is to be done (`test.todo`) is written so too, as if it had passed.
//!
//! Only the number of tests that the suite declares tells: it counts what ran. Invariant: none of them passes unless, by that number, all of
//! them ran; where only some did, nothing says which.

use crate::read::xml::Notes;
use crate::{Attempt, IssueKind, Outcome, SkipKind};

/// Most tests that wait for the end of their suite.
const MOST: usize = 1 << 14;

/// Why a test is skipped that may have run.
const WHICH: &str = "it took no time, and the report counts fewer tests than it has without saying which of them did not run";

#[derive(Default)]
pub(super) struct Waiting {
    all: Vec<Attempt>,
}

impl Waiting {
    pub(super) const fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Keeps a test until its suite ends. Given back, as one of which nothing is known, if there are too many; that is told.
    pub(super) fn keep(&mut self, attempt: Attempt, notes: &mut Notes) -> Option<Attempt> {
        if self.all.len() < MOST {
            self.all.push(attempt);
            return None;
        }
        if !notes.has(IssueKind::Limit) {
            let text = format!(
                "more than {MOST} tests of one suite took no time: whether further ones ran is not known"
            );
            notes.tell(IssueKind::Limit, attempt.place.from, text);
        }
        Some(skipped(attempt, SkipKind::Other, WHICH))
    }

    /// The tests, of which so many did not run; `is_cut` if the suite has no end.
    pub(super) fn settle(&mut self, unrun: u64, is_cut: bool) -> Vec<Attempt> {
        let all = std::mem::take(&mut self.all);
        if unrun == 0 {
            return all;
        }
        let (kind, why) = if is_cut {
            (
                SkipKind::Other,
                "the report ends before it says how many tests ran",
            )
        } else if unrun >= all.len() as u64 {
            (
                SkipKind::Todo,
                "the report does not count it among the tests",
            )
        } else {
            (SkipKind::Other, WHICH)
        };
        all.into_iter()
            .map(|attempt| skipped(attempt, kind, why))
            .collect()
    }
}

fn skipped(attempt: Attempt, kind: SkipKind, why: &str) -> Attempt {
    Attempt {
        outcome: Outcome::Skip(kind),
        skipped: Some(why.to_owned()),
        ..attempt
    }
}
