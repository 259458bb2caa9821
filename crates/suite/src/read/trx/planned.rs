//! Tests that a TRX report defines (`TestDefinitions`) or means to run (`TestEntries`), held against its results.
//!
//! Invariant: a test without a result is none that passed, wherever in the report its definition stands. Of tests whose result was there
//! before, only the hash of the id is kept.

use std::collections::{HashMap, HashSet};

use crate::{Attempt, Failure, FailureKind, Outcome, Place, TestId};

/// Tests that are kept: as many as fit into 2^21 places of a table.
const MOST: usize = 1_835_008;
/// Tests that wait for their result with their name.
const WAITING: usize = 229_376;

/// A test that is to be run.
#[derive(Debug)]
pub(super) struct Test {
    /// The hash of its id.
    pub(super) id: u64,
    pub(super) name: String,
    /// Where it is defined.
    pub(super) place: Place,
}

#[derive(Debug, Default)]
pub(super) struct Planned {
    results: HashSet<u64>,
    waiting: HashMap<u64, Test>,
    is_full: bool,
}

impl Planned {
    /// A result of the test is there.
    pub(super) fn has_result(&mut self, id: u64) {
        self.waiting.remove(&id);
        if self.results.len() < MOST {
            self.results.insert(id);
        } else {
            self.is_full |= !self.results.contains(&id);
        }
    }

    /// The test is defined.
    pub(super) fn defined(&mut self, test: Test) {
        // An entry that stood before has no name.
        self.waiting.remove(&test.id);
        self.entered(test);
    }

    /// The test is to be run.
    pub(super) fn entered(&mut self, test: Test) {
        if self.results.contains(&test.id) || self.waiting.contains_key(&test.id) {
            return;
        }
        if self.waiting.len() < WAITING && !self.is_full {
            self.waiting.insert(test.id, test);
        } else {
            self.is_full = true;
        }
    }

    /// Whether there were more than are kept: then nobody knows whether a test has a result.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// The tests without a result, as they stand in the report.
    pub(super) fn without_result(self) -> Vec<Test> {
        let mut tests: Vec<Test> = self.waiting.into_values().collect();
        tests.sort_unstable_by_key(|test| test.place.from);
        tests
    }
}

impl Test {
    /// What it came to: it did not run.
    pub(super) fn attempt(&self) -> Attempt {
        Attempt {
            test: TestId::new("", "", &self.name),
            file: None,
            number: 1,
            outcome: Outcome::Precluded,
            raw: String::new(),
            started_ms: None,
            seconds: None,
            cached: false,
            failures: vec![Failure {
                kind: FailureKind::Other,
                message: "the report defines it and has no result of it: it did not run".to_owned(),
                ..Failure::default()
            }],
            skipped: None,
            output: String::new(),
            place: self.place,
        }
    }
}
