//! Attempts, as readers find them, gathered by test.
//!
//! Invariants: the worst attempt's failure is kept whatever the order, and what else failed in it, or in another test of its name, stands in
//! its trace; an id that two reports of one target have is told, because nobody can say whether they mean one test.

mod others;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::{Row, shown};
use crate::cause::{self, Rule};
use crate::verdict::Outcomes;
use crate::{Attempt, Failure, Issue, IssueKind, Outcome, Sink, SkipKind, TestId};

/// Takes the attempts of all reports of one target.
#[derive(Debug, Default)]
pub struct Tally {
    tests: HashMap<TestId, Test>,
    /// Which report is being read.
    input: u32,
    collisions: Collisions,
    /// Whether what wrote the reports ended well.
    ended_well: bool,
}

/// What a linter's reader puts as the word of a finding that is a warning. The tool's exit code says what that is: a failure, unless it is 0.
pub const WARNING: &str = "Warning";

/// Ids that two reports of one target have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collisions {
    /// The first few.
    pub kept: Vec<Issue>,
    /// How many there are.
    pub count: u64,
}

#[derive(Debug)]
struct Test {
    outcomes: Outcomes,
    worst: Outcome,
    attempts: u32,
    /// The highest number of an attempt.
    number: u32,
    input: u32,
    cached: bool,
    seconds: Option<f64>,
    skip: Option<SkipKind>,
    told: Option<Box<Told>>,
}

/// What only few tests have.
#[derive(Debug, Default)]
struct Told {
    skipped: Option<String>,
    file: Option<String>,
    failure: Option<Failure>,
    /// What failed beside it.
    others: Vec<Failure>,
    output: String,
}

/// Most collisions that are kept as text.
const COLLISIONS: usize = 20;

impl Tally {
    /// The next report begins.
    pub fn next_input(&mut self) {
        self.input += 1;
    }

    /// Says how what wrote the reports to come has ended, where that is known: warnings of a linter that ended with 0 are none of its failures.
    pub const fn ended(&mut self, code: Option<i32>) {
        self.ended_well = matches!(code, Some(0));
    }

    /// Says that the results of the report that is being read come from a cache, as it was written before the run.
    pub fn cached(&mut self) {
        let input = self.input;
        let own = self.tests.values_mut().filter(|test| test.input == input);
        own.for_each(|test| test.cached = true);
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.tests.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Ids that two reports have.
    pub fn collisions(&self) -> Collisions {
        self.collisions.clone()
    }

    /// The tests, by id. `rules` are the user's own causes.
    pub fn into_rows(self, target: &str, rules: &[Rule]) -> Vec<Row> {
        let mut rows: Vec<Row> = self
            .tests
            .into_iter()
            .map(|(id, test)| test.into_row(target, id, rules))
            .collect();
        rows.sort_unstable_by(|a, b| a.test.cmp(&b.test));
        rows
    }
}

impl Sink for Tally {
    fn attempt(&mut self, attempt: Attempt) {
        let is_warning = attempt.outcome == Outcome::Fail && attempt.raw == WARNING;
        if is_warning && self.ended_well {
            return self.attempt(as_passed(attempt));
        }
        let Attempt {
            test,
            file,
            number,
            outcome,
            seconds,
            cached,
            failures,
            skipped,
            output,
            place,
            ..
        } = attempt;
        let entry = match self.tests.entry(test) {
            Entry::Occupied(known) => {
                if known.get().input != self.input {
                    self.collisions.count += 1;
                    if self.collisions.kept.len() < COLLISIONS {
                        let text = format!("`{}` is in two reports of this target", known.key());
                        self.collisions.kept.push(Issue {
                            kind: IssueKind::Collision,
                            at: place.from,
                            text,
                        });
                    }
                }
                known.into_mut()
            }
            Entry::Vacant(new) => new.insert(Test {
                outcomes: Outcomes::default(),
                worst: outcome,
                attempts: 0,
                number: 0,
                input: self.input,
                cached: true,
                seconds: None,
                skip: None,
                told: None,
            }),
        };
        let first = entry.attempts == 0;
        entry.attempts = entry.attempts.saturating_add(1);
        // A number that was there before is that of another test.
        let is_other = number <= entry.number;
        entry.number = entry.number.max(number);
        entry.outcomes.add(outcome);
        entry.cached &= cached;
        if let Some(more) = seconds.filter(|s| s.is_finite() && *s >= 0.0) {
            *entry.seconds.get_or_insert(0.0) += more;
        }
        if let Outcome::Skip(kind) = outcome {
            entry.skip.get_or_insert(kind);
        }
        let worse = first || outcome.rank() > entry.worst.rank();
        entry.worst = entry.worst.worse(outcome);
        // What passes says nothing that anybody asks for later, but where it stands.
        if !outcome.is_bad() && skipped.is_none() && file.is_none() {
            return;
        }
        let told = entry.told.get_or_insert_with(Box::default);
        told.file = told.file.take().or(file);
        told.skipped = told.skipped.take().or(skipped);
        if !outcome.is_bad() {
            return;
        }
        let mut failures = failures.into_iter();
        let main = failures.next().unwrap_or_default();
        let others: Vec<Failure> = failures.collect();
        match &mut told.failure {
            Some(_) if !worse && !is_other => {}
            Some(_) if !worse => {
                others::keep(&mut told.others, std::iter::once(main).chain(others))
            }
            before => {
                let before = before.replace(main);
                let older = std::mem::replace(&mut told.others, others);
                if is_other {
                    others::keep(&mut told.others, before.into_iter().chain(older));
                }
                told.output = output;
            }
        }
    }
}

/// A linter's warning where it is none of its failures: what it says is output.
fn as_passed(attempt: Attempt) -> Attempt {
    let mut output = attempt.output;
    for failure in attempt.failures {
        output.push_str(&failure.trace);
        output.push('\n');
    }
    Attempt {
        outcome: Outcome::Pass,
        failures: Vec::new(),
        output,
        ..attempt
    }
}

impl Test {
    fn into_row(self, target: &str, test: TestId, rules: &[Rule]) -> Row {
        let mut told = self.told.map(|t| *t).unwrap_or_default();
        if let Some(failure) = &mut told.failure {
            // A message that is the test's name says nothing of why.
            if failure.message.trim() == test.name {
                failure.message.clear();
            }
            shown::tell(failure, &told.output);
            others::tell(failure, &told.others);
        }
        let signature = told.failure.as_ref().map(crate::Signature::of);
        let cause = told.failure.as_ref().map(|f| cause::cause(f, rules));
        Row {
            target: target.to_owned(),
            test,
            verdict: self.outcomes.verdict(),
            attempts: self.attempts,
            seconds: self.seconds,
            cached: self.cached,
            skip: self.skip,
            skipped: told.skipped,
            file: told.file,
            signature,
            cause,
            failure: told.failure,
            output: told.output,
            owner: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Place, TestVerdict};

    fn attempt(name: &str, number: u32, outcome: Outcome, message: &str) -> Attempt {
        let failure = Failure {
            message: message.into(),
            ..Failure::default()
        };
        Attempt {
            test: TestId::new("s", "", name),
            file: None,
            number,
            outcome,
            raw: String::new(),
            started_ms: None,
            seconds: Some(0.5),
            cached: false,
            failures: outcome.is_bad().then_some(failure).into_iter().collect(),
            skipped: None,
            output: String::new(),
            place: Place::default(),
        }
    }

    #[test]
    fn the_worst_failure_is_kept_whatever_the_order() {
        let all = [
            attempt("a", 1, Outcome::Error, "set-up"),
            attempt("a", 2, Outcome::Fail, "real"),
            attempt("a", 3, Outcome::Pass, ""),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2], [1, 2, 0]] {
            let mut tally = Tally::default();
            for n in order {
                tally.attempt(all[n].clone());
            }
            let rows = tally.into_rows("t", &[]);
            assert_eq!(rows.len(), 1);
            let row = &rows[0];
            assert_eq!(
                (row.verdict, row.attempts, row.seconds),
                (TestVerdict::Flaky, 3, Some(1.5))
            );
            assert_eq!(row.failure.as_ref().unwrap().message, "real", "{order:?}");
        }
    }

    #[test]
    fn what_failed_beside_it_is_no_less_a_failure() {
        let both = |first: &str, more: &[&str]| {
            let mut one = attempt("a", 1, Outcome::Fail, first);
            let of = |message: &&str| Failure {
                message: (*message).to_owned(),
                ..Failure::default()
            };
            one.failures.extend(more.iter().map(of));
            one
        };
        let row = |all: &[Attempt]| {
            let mut tally = Tally::default();
            all.iter().cloned().for_each(|one| tally.attempt(one));
            tally.into_rows("t", &[]).remove(0)
        };
        let hash = |row: &Row| row.signature.clone().unwrap();
        let known = row(&[both("known flake", &[])]);
        // In one test, and in two of one name.
        let of_one = row(&[both("known flake", &["DATA LOSS"])]);
        let of_two = row(&[both("known flake", &[]), both("DATA LOSS", &[])]);
        for more in [&of_one, &of_two] {
            let failure = more.failure.as_ref().unwrap();
            assert_eq!(failure.message, "known flake");
            assert!(failure.trace.contains("DATA LOSS"), "{}", failure.trace);
            assert_ne!(
                hash(more),
                hash(&known),
                "an excuse for one is none for both"
            );
        }
        assert_eq!(hash(&of_one), hash(&of_two));
        // The same twice says no more, and a further attempt is no other test.
        assert_eq!(
            hash(&row(&[both("known flake", &["known flake"])])),
            hash(&known)
        );
        let again = Attempt {
            number: 2,
            ..both("DATA LOSS", &[])
        };
        assert_eq!(hash(&row(&[both("known flake", &[]), again])), hash(&known));
    }

    #[test]
    fn one_id_in_two_reports_is_told() {
        let mut tally = Tally::default();
        tally.attempt(attempt("a", 1, Outcome::Pass, ""));
        tally.attempt(attempt("b", 1, Outcome::Pass, ""));
        tally.next_input();
        tally.attempt(attempt("a", 1, Outcome::Pass, ""));
        let found = tally.collisions();
        assert_eq!((found.kept.len(), found.count), (1, 1));
        assert!(found.kept[0].text.contains("s > a"));
    }

    #[test]
    fn what_a_silent_failure_printed_tells_it_from_others() {
        let of = |message: &str, trace: &str, output: &str| {
            let mut one = attempt("a", 1, Outcome::Fail, message);
            one.failures[0].trace = trace.into();
            one.output = output.into();
            let mut tally = Tally::default();
            tally.attempt(one);
            tally.into_rows("t", &[]).remove(0)
        };
        let hash = |row: &Row| row.signature.clone().unwrap();
        // CTest has it in the output alone.
        let one = of("", "", "begin 10:00:01\n/src/t.c:5: Assertion failed\n");
        let again = of("", "", "begin 11:30:09\n/b/t.c:9: Assertion failed\n");
        let other = of("", "", "begin 10:00:01\nSegmentation fault in connect\n");
        assert_eq!(hash(&one), hash(&again));
        assert_ne!(hash(&one), hash(&other));
        let said = |row: &Row| row.failure.clone().unwrap().message;
        assert_eq!(said(&one), "/src/t.c:5: Assertion failed");
        // Its own name is no reason, and what the failure itself says counts first.
        let named = of("a", "Error: refused", "FATAL: bye");
        assert_eq!(hash(&named), hash(&of("", "Error: refused", "")));
        assert!(hash(&of("Failed", "", " \n")).is_of_nothing());
        assert!(hash(&of("a", "", "")).is_of_nothing());
        assert_ne!(
            hash(&of("Failed", "", "no disk")),
            hash(&of("Failed", "", "no net"))
        );
    }

    #[test]
    fn times_that_are_none_do_not_count() {
        let mut tally = Tally::default();
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
            tally.attempt(Attempt {
                seconds: Some(seconds),
                ..attempt("a", 1, Outcome::Pass, "")
            });
        }
        assert_eq!(tally.into_rows("t", &[])[0].seconds, Some(2.0));
    }
}
