//! An open test.

use super::bare;
use super::child::Child;
use super::counts::{self, Tally};
use super::dialect::Dialect;
use super::suite::{Suite, file, odd, unread};
use super::words::{self, Says};
use crate::read::Limits;
use crate::read::xml::ids::Span;
use crate::read::xml::times::{self, Marks, Moment};
use crate::read::xml::{self, Notes, Tag, Tail};
use crate::{Attempt, Failure, FailureKind, IssueKind, Name, Outcome, Place, SkipKind, TestId};

/// jest-junit: what is set up or torn down for a file failed.
const UNLOADED_HOOK: &str = "Test execution failure: could be caused by test hooks like";

const UNEXPECTED: Says = Says {
    outcome: Outcome::UnexpectedPass,
    kind: FailureKind::Other,
};

pub(super) const UNKNOWN: Says = Says {
    outcome: Outcome::Unknown,
    kind: FailureKind::Other,
};

/// The class that was read last: most tests have that of the test before them.
#[derive(Debug, Default)]
pub(super) struct Classes {
    raw: String,
    name: Name,
}

impl Classes {
    fn name(&mut self, raw: &str) -> Name {
        if self.raw != raw {
            self.name = xml::owned(raw).into();
            self.raw.clear();
            // Only of what is kept whole it is worth while.
            if raw.len() > 512 {
                return std::mem::take(&mut self.name);
            }
            self.raw.push_str(raw);
        }
        self.name.clone()
    }
}

/// A test whose element is open.
#[derive(Debug, Default)]
pub(super) struct Case {
    name: String,
    /// The name with the blanks around it, if there are any.
    edged: Option<String>,
    classname: Name,
    class: Name,
    file: Option<String>,
    seconds: Option<f64>,
    started: Option<Moment>,
    cached: bool,
    outcome: Option<Outcome>,
    /// The word of the worst statement.
    raw: String,
    /// The attribute that is no pass and that no child may explain.
    told: Option<Says>,
    failures: Vec<(u8, Failure)>,
    skipped: Option<String>,
    pub(super) output: Tail,
    /// Attempts before the last one.
    flaky: u32,
    /// Attempts after the first one.
    reruns: Vec<Attempt>,
    reran: u32,
    n_failures: u64,
    n_errors: u64,
    n_skips: u64,
    n_expected: u64,
    /// How many statements say that cleaning up failed.
    n_teardown: u64,
    is_unnamed: bool,
    /// A failure of it is none.
    may_fail: bool,
    /// mocha: it is no test but what runs before or behind some.
    is_hook: bool,
    /// Its writer makes it up for what could not be built or loaded, and does not count it: gotestsum, jest-junit.
    is_uncounted: bool,
    /// jest-junit: a file that could not be loaded. It is written twice.
    pub(super) is_unloaded: bool,
    /// It had begun, and nothing is said of its end.
    pub(super) is_unended: bool,
}

impl Case {
    pub(super) fn read(
        &mut self,
        tag: &Tag<'_>,
        limits: &Limits,
        notes: &mut Notes,
        marks: &mut Marks,
        classes: &mut Classes,
        value: &mut String,
    ) {
        self.reset();
        let at = tag.place.from;
        let mut duration = None;
        tag.attributes(limits, notes, |notes, key, raw| {
            if self.is_common(key, raw, marks, classes) {
                return;
            }
            let mut lower = [0; 16];
            let key = match lowered(key, &mut lower) {
                Some(key) => key,
                None => return,
            };
            match key {
                "name" => self.take_name(raw),
                "classname" => self.classname = classes.name(raw),
                "class" => self.class = classes.name(raw),
                "time" => match marks.seconds(raw) {
                    Some(seconds) => self.seconds = Some(seconds),
                    None => odd(notes, at, key, raw, "no duration"),
                },
                "duration" => duration = marks.seconds(raw),
                "timestamp" => match times::moment(raw) {
                    Some(moment) => self.started = Some(notes.began(moment)),
                    None => notes.undated(at, key, raw),
                },
                "file" | "filepath" => {
                    xml::plain(raw, value);
                    self.file = file(value);
                }
                "status" | "result" | "outcome" | "verdict" => {
                    xml::plain(raw, value);
                    self.status(notes, at, key, value);
                }
                // Other states than outcomes are told and mean nothing.
                "state" => {
                    xml::plain(raw, value);
                    match words::status(value) {
                        Some(_) => self.status(notes, at, key, value),
                        None => odd(notes, at, key, raw, "no outcome"),
                    }
                }
                "passed" if raw.trim().eq_ignore_ascii_case("false") => {
                    self.tell(Outcome::Fail, "passed=\"false\"");
                }
                "success" | "executed" => match (key, xml::truth(raw)) {
                    (_, Some(true)) => {}
                    ("success", Some(false)) => self.tell(Outcome::Fail, "success=\"false\""),
                    (_, Some(false)) => {
                        self.tell(Outcome::Skip(SkipKind::Other), "executed=\"false\"");
                    }
                    (_, None) => self.status(notes, at, key, raw),
                },
                "skipped" | "ignored" if xml::truth(raw) == Some(true) => {
                    self.tell(Outcome::Skip(SkipKind::Other), key);
                }
                "disabled" if xml::truth(raw) == Some(true) => {
                    self.tell(Outcome::Skip(SkipKind::Declared), key);
                }
                "failures" | "errors" => match counts::declared(raw) {
                    Some(0) => {}
                    Some(_) if key == "failures" => self.tell(Outcome::Fail, key),
                    Some(_) => self.tell(Outcome::Error, key),
                    None if raw.trim().is_empty() => {}
                    None => unread(notes, at, key, raw),
                },
                _ if words::is_unended(key) && xml::truth(raw) == Some(true) => {
                    self.tell(Outcome::Error, key);
                }
                "cached" => self.cached = xml::truth(raw) == Some(true),
                _ => {}
            }
        });
        if self.seconds.is_none() {
            self.seconds = duration;
        }
        if tag.is_cut {
            // What it says of the test may be in the part that was not read.
            self.say(UNKNOWN, "(cut)");
        }
    }

    /// Takes an attribute that nearly all writers write, in the way that they do; whether it was one.
    fn is_common(
        &mut self,
        key: &str,
        raw: &str,
        marks: &mut Marks,
        classes: &mut Classes,
    ) -> bool {
        match key {
            "name" => self.take_name(raw),
            "classname" => self.classname = classes.name(raw),
            "time" => match marks.seconds(raw) {
                Some(seconds) => self.seconds = Some(seconds),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    fn take_name(&mut self, raw: &str) {
        self.name = xml::owned(raw);
        self.edged = xml::edged(raw);
    }

    fn reset(&mut self) {
        self.name.clear();
        self.edged = None;
        (self.classname, self.class) = (Name::default(), Name::default());
        self.raw.clear();
        self.failures.clear();
        self.reruns.clear();
        self.output.take(0);
        (self.file, self.skipped, self.outcome, self.told) = (None, None, None, None);
        (self.seconds, self.started, self.cached) = (None, None, false);
        (self.flaky, self.reran) = (0, 0);
        (self.n_failures, self.n_errors, self.n_skips) = (0, 0, 0);
        (self.n_expected, self.n_teardown) = (0, 0);
        (self.may_fail, self.is_unended) = (false, false);
    }

    fn class(&self) -> &Name {
        if self.classname.is_empty() {
            &self.class
        } else {
            &self.classname
        }
    }

    /// The file that it names itself.
    pub(super) fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Its class and its name.
    pub(super) fn names(&self) -> (Name, String) {
        (self.class().clone(), self.name.clone())
    }

    /// Its class and its name, when its element ends: they are not kept.
    pub(super) fn take_names(&mut self, suite: Option<&Suite>) -> (Name, String) {
        let class = if self.classname.is_empty() {
            std::mem::take(&mut self.class)
        } else {
            std::mem::take(&mut self.classname)
        };
        let mut name = std::mem::take(&mut self.name);
        // Other writers put blanks beside names: jest-junit between a group, which may be none, and the test.
        if let Some(edged) = self.edged.take()
            && suite.is_some_and(|suite| suite.dialect == Dialect::Vitest)
        {
            name = edged;
        }
        self.is_unnamed = name.is_empty();
        self.is_hook = self.outcome.is_some_and(Outcome::is_bad) && name.contains("\" hook");
        self.is_unloaded = class == *"Test suite failed to run";
        let is_bad = self.is_bad();
        let is_made_up = is_bad && suite.is_some_and(|suite| suite.makes_up(&class, &name));
        if class.is_empty() && name.is_empty() && !is_bad && !self.is_skipped() {
            self.unended();
        }
        self.is_uncounted =
            self.is_unloaded || is_made_up || class.trim_start().starts_with(UNLOADED_HOOK);
        (class, name)
    }

    fn status(&mut self, notes: &mut Notes, at: u64, key: &str, word: &str) {
        match words::status(word) {
            Some(Some(says)) => {
                self.say(says, word);
                if says.outcome != Outcome::Pass {
                    self.told = Some(match self.told {
                        Some(told) if told.outcome.rank() > says.outcome.rank() => told,
                        _ => says,
                    });
                }
            }
            Some(None) => {
                if self.raw.is_empty() {
                    self.raw.push_str(word);
                }
            }
            None => {
                self.say(UNKNOWN, word);
                if !notes.is_full(IssueKind::UnknownOutcome) {
                    let word: String = word.chars().take(60).collect();
                    let text = format!("{key}=\"{word}\": nobody knows this outcome");
                    notes.tell(IssueKind::UnknownOutcome, at, text);
                }
            }
        }
    }

    fn tell(&mut self, outcome: Outcome, raw: &str) {
        let says = Says {
            outcome,
            kind: FailureKind::Other,
        };
        self.say(says, raw);
        self.told = Some(match self.told {
            Some(told) if told.outcome.rank() > outcome.rank() => told,
            _ => says,
        });
    }

    /// Takes a statement; the worst one counts.
    pub(super) fn say(&mut self, says: Says, raw: &str) {
        let is_worse = self
            .outcome
            .is_none_or(|outcome| says.outcome.rank() > outcome.rank());
        if is_worse {
            self.outcome = Some(says.outcome);
            self.raw.clear();
            words::shorten(raw, &mut self.raw);
        }
    }

    pub(super) const fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Fail => self.n_failures += 1,
            Outcome::Skip(_) | Outcome::ExpectedFailure => self.n_skips += 1,
            _ => self.n_errors += 1,
        }
    }

    /// Takes a child that says what the test came to.
    pub(super) fn add(&mut self, mut says: Says, child: &mut Child, limits: &Limits) {
        if self.may_fail && matches!(says.outcome, Outcome::Fail | Outcome::Error) {
            let failure = child.failure(says.kind, limits);
            self.put_back(child, limits);
            self.keep(says.outcome, failure, limits);
            return;
        }
        self.count(says.outcome);
        if let Outcome::Skip(kind) = &mut says.outcome {
            let mut failure = child.failure(says.kind, limits);
            match failure.message.as_str() {
                // Catch2: it failed, as it may; the failure follows. It is none of what is skipped.
                "TEST_CASE tagged with !mayfail" => {
                    self.n_skips -= 1;
                    self.may_fail = true;
                    says.outcome = Outcome::ExpectedFailure;
                    self.say(says, &child.raw);
                    self.skipped = Some(failure.message);
                    self.put_back(child, limits);
                    return;
                }
                // nose2.
                "test passes unexpectedly" => {
                    self.say(UNEXPECTED, &child.raw);
                    self.keep(UNEXPECTED.outcome, failure, limits);
                    return;
                }
                _ => {}
            }
            match failure.class.as_str() {
                // node: what is to be done may fail, and node ends with 0.
                "todo" => {
                    *kind = SkipKind::Todo;
                    self.may_fail = true;
                }
                "pytest.xfail" | "XFAIL" => says.outcome = Outcome::ExpectedFailure,
                // nose2.
                _ if failure.message == "expected test failure" => {
                    says.outcome = Outcome::ExpectedFailure;
                }
                "pytest.skip" if failure.message == "unconditional skip" => {
                    *kind = SkipKind::Declared;
                }
                _ => {}
            }
            if self.raw == "notrun" && words::is_precluded(&failure.message) {
                says.outcome = Outcome::Precluded;
                self.say(says, &child.raw);
                failure.kind = FailureKind::Setup;
                self.put_back(child, limits);
                self.keep(says.outcome, failure, limits);
                return;
            }
            self.n_expected += u64::from(says.outcome == Outcome::ExpectedFailure);
            self.say(says, &child.raw);
            let text = if failure.message.is_empty() {
                failure.trace
            } else {
                failure.message
            };
            if self.skipped.as_ref().is_none_or(String::is_empty) {
                self.skipped = Some(text);
            }
            self.put_back(child, limits);
            return;
        }
        let failure = child.failure(says.kind, limits);
        if words::is_unexpected_pass(&failure) {
            says.outcome = Outcome::UnexpectedPass;
        }
        self.say(says, &child.raw);
        self.n_teardown += u64::from(words::is_teardown(&failure.message));
        self.put_back(child, limits);
        self.keep(says.outcome, failure, limits);
    }

    fn put_back(&mut self, child: &mut Child, limits: &Limits) {
        let output = child.output.take(limits.output);
        if !output.is_empty() {
            self.output.push(&output, limits.output);
        }
    }

    fn keep(&mut self, outcome: Outcome, failure: Failure, limits: &Limits) {
        if self.failures.len() < limits.failures {
            self.failures.push((outcome.rank(), failure));
        } else if let Some((_, last)) = self.failures.last_mut() {
            // There were more than are kept.
            last.truncated = true;
        }
    }

    /// ESLint: what it was told as is a warning, which is a failure only of a run that failed ([`crate::run::WARNING`]).
    pub(super) fn warned(&mut self) {
        let says_so = |failure: &Failure| is_eslint_warning(&failure.trace);
        let is_all = !self.failures.is_empty() && self.failures.iter().all(|(_, f)| says_so(f));
        if is_all && self.outcome == Some(Outcome::Fail) {
            crate::run::WARNING.clone_into(&mut self.raw);
        }
    }

    /// Vitest: whether it is told to have taken time that no clock of whole milliseconds shows.
    pub(super) fn is_finely_timed(&self) -> bool {
        self.seconds.is_some_and(|s| {
            let ms = s * 1000.0;
            (ms - ms.round()).abs() > 1e-4
        })
    }

    /// Takes a child that is another attempt; gives it at once if it came before the last one.
    pub(super) fn attempt(
        &mut self,
        passed: bool,
        outcome: Outcome,
        child: &mut Child,
        place: Place,
        limits: &Limits,
    ) -> Option<Attempt> {
        let attempt = Attempt {
            test: TestId::default(),
            file: self.file.clone(),
            number: if passed {
                self.flaky.saturating_add(1)
            } else {
                self.flaky.saturating_add(self.reran).saturating_add(2)
            },
            outcome,
            raw: child.raw.clone(),
            started_ms: absolute(child.started),
            seconds: child.seconds,
            cached: false,
            failures: vec![child.failure(FailureKind::Other, limits)],
            skipped: None,
            output: child.output.take(limits.output),
            place,
        };
        if passed {
            self.flaky = self.flaky.saturating_add(1);
            return Some(attempt);
        }
        self.reran = self.reran.saturating_add(1);
        if self.reruns.len() < limits.failures {
            self.reruns.push(attempt);
            return None;
        }
        Some(attempt)
    }

    /// The element's end is missing: what else it said is not known.
    pub(super) fn cut(&mut self) {
        self.unknown("(cut)");
    }

    /// Neither name nor class: pytest writes so of a test that had begun when the run was ended (`pytest.exit`, an interrupt).
    fn unended(&mut self) {
        self.is_unended = true;
        self.unknown("(no end)");
    }

    fn unknown(&mut self, raw: &str) {
        self.say(UNKNOWN, raw);
        if self.failures.is_empty() {
            let failure = Failure {
                message: "the report does not say how this test ended".to_owned(),
                ..Failure::default()
            };
            self.failures.push((Outcome::Unknown.rank(), failure));
        }
    }

    /// Whether all that it says is that cleaning up failed.
    pub(super) const fn is_only_teardown(&self) -> bool {
        self.n_teardown > 0
            && self.n_errors + self.n_failures == self.n_teardown
            && self.n_skips == 0
    }

    /// Whether it is what Ginkgo runs before or behind all tests, and did what it should: no test.
    pub(super) fn is_passed_hook(&self, name: &str) -> bool {
        let is_hook = |node: &str| node.ends_with("Suite") || node.ends_with("(Suite)");
        let node = name.strip_prefix('[').and_then(|name| name.split_once(']'));
        self.settled() == Outcome::Pass
            && (self.is_unnamed || node.is_some_and(|(node, _)| is_hook(node)))
    }

    /// Whether nothing at all is said of it.
    pub(super) fn is_bare(&self) -> bool {
        self.outcome.is_none() && self.flaky == 0 && self.reran == 0
    }

    /// Whether it did not do what it should.
    pub(super) fn is_bad(&self) -> bool {
        self.settled().is_bad()
    }

    pub(super) fn span(&self) -> Option<Span> {
        let from = self.started?.ms;
        let ms = self.seconds.unwrap_or(0.0) * 1000.0;
        Some((from, from.saturating_add(ms as i64)))
    }

    pub(super) fn tally(&self, tally: &mut Tally, is_double: bool) {
        let outcome = self.settled();
        tally.nodes += 1;
        tally.doubles += u64::from(is_double);
        tally.reran += u64::from(self.reran > 0);
        tally.flaky += u64::from(self.flaky > 0);
        tally.uncounted += u64::from(!is_double && self.is_uncounted);
        tally.attempts += u64::from(self.flaky) + u64::from(self.reran);
        tally.hooks += u64::from(self.is_hook && outcome.is_bad());
        tally.instant += u64::from(self.is_instant());
        tally.tails += u64::from(!is_double && self.is_only_teardown());
        tally.bad += u64::from(outcome.is_bad());
        tally.failures += self.n_failures;
        tally.errors += self.n_errors;
        tally.with_failures += u64::from(self.n_failures > 0);
        tally.with_errors += u64::from(self.n_errors > 0);
        tally.skipped += u64::from(matches!(
            outcome,
            Outcome::Skip(_) | Outcome::ExpectedFailure
        ));
        tally.skips += self.n_skips;
        tally.expected += self.n_expected;
    }

    fn is_skipped(&self) -> bool {
        matches!(self.settled(), Outcome::Skip(_))
    }

    /// Whether it is told to have taken no time at all, and nothing else.
    pub(super) fn is_instant(&self) -> bool {
        self.outcome.is_none() && self.seconds == Some(0.0)
    }

    /// What it came to. Attempts that the format only writes of failed tests make it one.
    fn settled(&self) -> Outcome {
        let outcome = self.outcome.unwrap_or(Outcome::Pass);
        if self.reran > 0 && !outcome.is_bad() {
            Outcome::Fail
        } else {
            outcome
        }
    }

    /// The attempt of a test of which nothing is said.
    pub(super) fn bare(
        &mut self,
        test: TestId,
        suite_file: Option<&String>,
        place: Place,
        limits: &Limits,
    ) -> Attempt {
        // What is mostly absent is put in afterwards: an option that is absent is written in part, and moving it on at once waits for
        // all that was written before it.
        let mut attempt = Attempt {
            test,
            file: None,
            number: 1,
            outcome: Outcome::Pass,
            raw: String::new(),
            started_ms: absolute(self.started),
            seconds: self.seconds,
            cached: self.cached,
            failures: Vec::new(),
            skipped: None,
            output: String::new(),
            place,
        };
        if self.file.is_some() {
            attempt.file = self.file.take();
        } else if let Some(file) = suite_file {
            attempt.file = Some(file.clone());
        }
        if !self.raw.is_empty() {
            attempt.raw.clone_from(&self.raw);
        }
        if !self.output.is_empty() {
            attempt.output = self.output.take(limits.output);
        }
        attempt
    }

    /// The attempt that the element itself tells of, and those that came after it.
    pub(super) fn attempts(
        &mut self,
        test: TestId,
        number: u32,
        suite_file: Option<&String>,
        place: Place,
        limits: &Limits,
    ) -> (Attempt, Vec<Attempt>) {
        let outcome = self.settled();
        if self.is_unnamed && !self.is_unended {
            // Surefire: what all tests of the class need failed.
            for (_, failure) in &mut self.failures {
                if failure.kind == FailureKind::Other {
                    failure.kind = FailureKind::Setup;
                }
            }
        }
        let own = self.file.take().or_else(|| suite_file.cloned());
        if outcome.is_bad() && self.failures.is_empty() {
            let says = self.told.unwrap_or(Says {
                outcome,
                kind: FailureKind::Other,
            });
            let raw = if self.raw.is_empty() {
                "rerun"
            } else {
                &self.raw
            };
            self.failures.push((outcome.rank(), bare(says, raw)));
        }
        // The worst first, in the report's order otherwise.
        if self.failures.len() > 1 {
            self.failures.sort_by_key(|(rank, _)| u8::MAX - rank);
        }
        let mut later = std::mem::take(&mut self.reruns);
        for attempt in &mut later {
            attempt.test = test.clone();
            attempt.file.clone_from(&own);
        }
        let skipped = match outcome {
            Outcome::Skip(_) => Some(self.skipped.take().unwrap_or_default()),
            _ => self.skipped.take(),
        };
        let main = Attempt {
            test,
            file: own,
            number: number.max(self.flaky.saturating_add(1)),
            outcome,
            raw: self.raw.clone(),
            started_ms: absolute(self.started),
            seconds: self.seconds,
            cached: self.cached,
            failures: self.failures.drain(..).map(|(_, f)| f).collect(),
            skipped,
            output: self.output.take(limits.output),
            place,
        };
        (main, later)
    }
}

/// `line 1, col 5, Warning - 'x' is assigned a value but never used. (no-unused-vars)`, as ESLint's `junit` has it.
fn is_eslint_warning(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix("line ")
        .and_then(|rest| rest.split_once(", col "))
        .and_then(|(line, rest)| Some((line, rest.split_once(", ")?)))
        .is_some_and(|(line, (column, rest))| {
            number(line) && number(column) && rest.starts_with("Warning - ")
        })
}

fn absolute(moment: Option<Moment>) -> Option<i64> {
    moment.filter(|m| m.is_absolute).map(|m| m.ms)
}

/// An attribute's name in small letters; `None` if it is longer than any that means something.
fn lowered<'k>(key: &'k str, buffer: &'k mut [u8; 16]) -> Option<&'k str> {
    if !key.bytes().any(|b| b.is_ascii_uppercase()) {
        return Some(key);
    }
    let lower = buffer.get_mut(..key.len())?;
    lower.copy_from_slice(key.as_bytes());
    lower.make_ascii_lowercase();
    std::str::from_utf8(lower).ok()
}
