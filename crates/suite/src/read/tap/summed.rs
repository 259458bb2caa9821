//! What node, tape, mocha, QUnit, AVA and lab say at the end of a document that they counted: `# tests 3`, `# pass 2`, `# fail 1`, …
//!
//! node counts the tests of all levels, and what only holds tests (`# suites`) by itself. The others have one level; what is skipped or to be done
//! may be among the tests or not, and AVA counts what is to be done among the failures. Invariant: fewer tests that passed than are there, other
//! failures than are there, and more tests than are there agree in no way.

use crate::{Attempt, Outcome, SkipKind};

/// What was read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    points: u64,
    passed: u64,
    bad: u64,
    /// Those to be done.
    todo: u64,
    /// Processes that ended badly: AVA counts what they did it by once more.
    exits: u64,
}

impl Seen {
    pub(super) fn add(&mut self, attempt: &Attempt) {
        self.points += 1;
        let name = &attempt.test.name;
        self.exits += u64::from(name.contains(" exited with a non-zero exit code: "));
        match attempt.outcome {
            Outcome::Pass => self.passed += 1,
            Outcome::Skip(SkipKind::Todo) => self.todo += 1,
            outcome if outcome.is_bad() => self.bad += 1,
            _ => {}
        }
    }

    pub(super) const fn add_all(&mut self, other: &Self) {
        self.points += other.points;
        self.passed += other.passed;
        self.bad += other.bad;
        self.todo += other.todo;
        self.exits += other.exits;
    }

    /// Whether anything is there.
    pub(super) const fn any(&self) -> bool {
        self.points > 0
    }

    /// Whether something is there, and nothing of it ran.
    pub(super) const fn is_nothing(&self) -> bool {
        self.points > 0 && self.passed == 0 && self.bad == 0
    }
}

/// What is told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Where it begins.
    pub(super) at: u64,
    tests: Option<u64>,
    suites: Option<u64>,
    pass: Option<u64>,
    fail: Option<u64>,
    cancelled: Option<u64>,
    /// Whether any of it stands where all that was planned is there.
    is_over: bool,
    any: bool,
}

impl Told {
    /// Takes a comment; whether it is one of the summary. `is_over` if all points that are planned stand before it.
    pub(super) fn take(&mut self, comment: &str, is_over: bool, at: u64) -> bool {
        let mut words = comment.split_whitespace();
        let (Some(word), Some(count), None) = (words.next(), words.next(), words.next()) else {
            return false;
        };
        let Ok(count) = count.parse::<u64>() else {
            return false;
        };
        let slot = match word {
            "tests" => &mut self.tests,
            "suites" => &mut self.suites,
            "pass" => &mut self.pass,
            "fail" => &mut self.fail,
            "cancelled" => &mut self.cancelled,
            "skip" | "skipped" | "todo" => return self.any,
            _ => return false,
        };
        *slot = Some(count);
        if !self.any {
            self.at = at;
        }
        self.any = true;
        self.is_over |= is_over;
        true
    }

    /// A test follows: what was said before it is no summary.
    pub(super) fn forget(&mut self) {
        if self.any {
            *self = Self::default();
        }
    }

    /// What does not agree, in words. `all` are the tests of all levels, without the `suites` that only hold tests; `top` the points of the first.
    pub(super) fn against(&self, all: &Seen, top: &Seen, suites: u64) -> Option<String> {
        let bad = self
            .fail
            .unwrap_or(0)
            .saturating_add(self.cancelled.unwrap_or(0));
        let (Some(pass), Some(_)) = (self.pass, self.fail) else {
            let is_missed = self.is_over && bad > all.bad.saturating_add(all.todo) && all.bad == 0;
            return is_missed.then(|| format!("it counts {bad} failures, and none is there"));
        };
        let agrees = match self.suites {
            // Where not all of them say what they are, some may be taken for tests.
            Some(told) => {
                let untold = told.saturating_sub(suites);
                let within = |seen: u64, told: u64| seen >= told && seen - told <= untold;
                within(all.passed, pass)
                    && within(all.bad, bad)
                    && self.tests.is_none_or(|tests| within(all.points, tests))
            }
            None => [all, top].into_iter().any(|seen| {
                let idle = seen.points - seen.passed - seen.bad;
                (seen.passed..=seen.passed + idle).contains(&pass)
                    && (seen.bad..=seen.bad + seen.todo + seen.exits).contains(&bad)
                    && self.tests.is_none_or(|tests| tests <= seen.points)
            }),
        };
        (!agrees).then(|| {
            let tests = self
                .tests
                .map(|n| format!("{n} tests, "))
                .unwrap_or_default();
            format!(
                "it counts {tests}{pass} passed, {bad} failed; there are {}, {}, {}",
                all.points, all.passed, all.bad
            )
        })
    }
}
