//! An open suite.

use super::child::Child;
use super::counts::{self, Declared, Tally};
use super::dialect::{Dialect, Marked};
use super::words::{self, Says};
use super::{Sum, bare};
use crate::read::xml::ids::{self, Span};
use crate::read::xml::times::{self, Marks};
use crate::read::xml::{self, Head, Notes, Tag};
use crate::read::{Limits, text};
use crate::{Attempt, FailureKind, IssueKind, Name, Outcome, Place, TestId};

/// A suite, or what holds all of them.
#[derive(Debug, Default)]
pub(super) struct Suite {
    /// Names of the suites around it and its own, at most 512 bytes.
    pub(super) path: Name,
    /// Of the path.
    pub(super) hash: u64,
    name: String,
    pub(super) file: Option<String>,
    /// When it ran.
    pub(super) span: Option<Span>,
    /// What its own attributes say that it came to.
    pub(super) status: Option<Says>,
    word: String,
    pub(super) declared: Declared,
    pub(super) direct: Tally,
    /// What is in inner suites that ended.
    pub(super) inner: Tally,
    pub(super) below: Sum,
    /// Whether pytest wrote it: it writes a test once more for each time that it ran it again.
    pub(super) is_pytest: bool,
    pub(super) dialect: Dialect,
    /// Whether it is what holds all of them.
    pub(super) is_all: bool,
    /// Whether its first property was read.
    pub(super) is_told: bool,
    /// newman: what it printed, the errors of the request among it.
    pub(super) said: Head,
}

impl Suite {
    pub(super) fn of(
        tag: &Tag<'_>,
        is_all: bool,
        outer: Option<&Self>,
        limits: &Limits,
        notes: &mut Notes,
        marks: &mut Marks,
        value: &mut String,
    ) -> Self {
        let mut suite = Self::default();
        let at = tag.place.from;
        let (mut began, mut seconds) = (None, None);
        let mut is_assertions = false;
        let mut marked = Marked::default();
        let mut host = String::new();
        tag.attributes(limits, notes, |notes, key, raw| {
            let lower = key.to_ascii_lowercase();
            let counted = match lower.as_str() {
                "tests" | "test" | "total" => Some(&mut suite.declared.tests),
                "failures" | "failed" | "failure" => Some(&mut suite.declared.failures),
                "errors" | "error" => Some(&mut suite.declared.errors),
                "warnings" => Some(&mut suite.declared.warnings),
                _ if words::is_unended(&lower) => {
                    suite.ended(&lower, counts::count(raw), raw);
                    return;
                }
                "flakes" | "flaky" => Some(&mut suite.declared.flaky),
                "inconclusive" => Some(&mut suite.declared.unsure),
                "skipped" | "skips" | "skip" | "ignored" | "skipped-tests" => {
                    Some(&mut suite.declared.skipped)
                }
                "disabled" | "notrun" | "not-run" | "not_run" => Some(&mut suite.declared.disabled),
                _ => None,
            };
            let is_strict = !matches!(
                lower.as_str(),
                "warnings"
                    | "skipped"
                    | "skips"
                    | "skip"
                    | "ignored"
                    | "skipped-tests"
                    | "disabled"
                    | "notrun"
                    | "not-run"
                    | "not_run"
            );
            if let Some(slot) = counted {
                match counts::declared(raw) {
                    Some(n) => *slot = Some(slot.map_or(n, |old| old.max(n))),
                    None if is_strict && !raw.trim().is_empty() => unread(notes, at, key, raw),
                    // Empty it says nothing, as if it were not there; and mocha's xunit skips -1 where a hook failed.
                    None => odd(notes, at, key, raw, "no number"),
                }
                return;
            }
            xml::plain(raw, value);
            match lower.as_str() {
                "name" => suite.name = TestId::new("", "", undated(value)).name,
                "file" | "filepath" => suite.file = file(value),
                "time" | "duration" => match marks.seconds(value) {
                    Some(s) => seconds = Some(s),
                    None => odd(notes, at, key, raw, "no duration"),
                },
                "timestamp" => match times::moment(value) {
                    Some(moment) => began = Some(notes.suite_began(moment).ms),
                    None => notes.suite_undated(at, key, value),
                },
                "status" | "result" | "outcome" | "verdict" | "state" => match words::status(value)
                {
                    Some(Some(says)) => suite.say(says, value),
                    Some(None) => {}
                    None if lower == "state" => odd(notes, at, key, raw, "no outcome"),
                    None => {
                        let word: String = value.chars().take(60).collect();
                        let text =
                            format!("{key}=\"{word}\" of a suite: nobody knows this outcome");
                        notes.tell(IssueKind::UnknownOutcome, at, text);
                    }
                },
                "success" | "successful" if xml::truth(raw) == Some(false) => {
                    suite.say(words::FAILED, "success=\"false\"");
                }
                // Of a suite it may be a count.
                "passed" if raw.trim().eq_ignore_ascii_case("false") => {
                    suite.say(words::FAILED, "passed=\"false\"");
                }
                // Catch2 counts assertions in the place of tests; its writer knows no host.
                "hostname" => {
                    is_assertions = value == "tbd";
                    host = TestId::new("", "", value).name;
                    marked.host = true;
                }
                "id" => marked.id = Some(value.clone()),
                "package" => marked.package = Some(value.clone()),
                "doctest_version" => marked.doctest = true,
                "xsi:nonamespaceschemalocation" | "nonamespaceschemalocation" => {
                    marked.surefire = value.contains("surefire-test-report");
                }
                _ => {}
            }
        });
        if is_assertions {
            suite.declared.tests = None;
        }
        suite.is_all = is_all;
        marked.dated = began.is_some();
        suite.dialect = marked.dialect(&suite, is_all, outer);
        suite.span = began.map(|from| {
            let ms = seconds.unwrap_or(0.0) * 1000.0;
            // Saturating, as floats are cast.
            (from, from.saturating_add(ms as i64))
        });
        suite.is_pytest = suite.name == "pytest"
            || suite.name == "pytest tests"
            || outer.is_some_and(|outer| outer.is_pytest);
        let around = outer.map_or("", |outer| outer.path.as_str());
        // Playwright runs a file once for each of its projects, and names the project where others name the host.
        let by_project = (suite.dialect == Dialect::Playwright && !is_all && !host.is_empty())
            .then(|| format!("{host} > {}", suite.name));
        let own = match &by_project {
            _ if is_all => "",
            Some(own) => own.as_str(),
            None => suite.name.as_str(),
        };
        suite.path = if own.is_empty() || own == around || around.ends_with(&format!(" > {own}")) {
            outer.map_or_else(Name::default, |outer| outer.path.clone())
        } else if around.is_empty() {
            Name::from(own)
        } else {
            Name::new(&format!("{around} > {own}"))
        };
        suite.hash = ids::part(&suite.path);
        if suite.file.is_none() {
            suite.file = outer.and_then(|outer| outer.file.clone());
        }
        suite
    }

    /// Takes what its attributes say that it came to; the worst counts.
    fn say(&mut self, says: Says, word: &str) {
        let worse = self
            .status
            .is_none_or(|before| says.outcome.rank() > before.outcome.rank());
        if worse {
            self.status = Some(says);
            self.word = word.chars().take(60).collect();
        }
    }

    /// Takes an attribute that counts what did not come to its end, or says that it did not.
    fn ended(&mut self, key: &str, count: Option<u64>, raw: &str) {
        let is_none = count == Some(0) || xml::truth(raw) == Some(false) || raw.trim().is_empty();
        if !is_none {
            let many = count.unwrap_or(1);
            self.declared.unended = Some(self.declared.unended.map_or(many, |old| old.max(many)));
            let kind = match key {
                "timeouts" | "timedout" | "timed_out" | "timed-out" => FailureKind::Timeout,
                "crashed" | "crashes" => FailureKind::Crash,
                _ => FailureKind::Other,
            };
            let outcome = Outcome::Error;
            self.say(Says { outcome, kind }, &format!("{key}=\"{raw}\""));
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether its writer makes a test of this class and this name up for what could not be built (gotestsum), or belongs to no test
    /// (GoogleTest), and does not count it.
    pub(super) fn makes_up(&self, class: &str, name: &str) -> bool {
        class.is_empty()
            && match name {
                "" => self.is_named("NonTestSuiteFailure"),
                "TestMain" => self.dialect == Dialect::Go,
                _ => false,
            }
    }

    pub(super) fn shown(&self) -> String {
        if self.name.is_empty() {
            "a suite without a name".to_owned()
        } else {
            let name: String = self.name.chars().take(120).collect();
            format!("the suite {name}")
        }
    }

    /// What newman prints of a request that failed: its errors are counted and stand in no element.
    pub(super) fn request_error(&mut self, limits: &Limits) -> Child {
        let (said, _) = self.said.take(limits.trace);
        let lines = said.lines().map(str::trim).filter(|line| {
            !line.is_empty()
                && *line != "---"
                && !line.starts_with("Iteration: ")
                && !line.starts_with("at ")
        });
        let message = lines.take(8).collect::<Vec<_>>().join("\n");
        let mut child = Child::default();
        "error".clone_into(&mut child.raw);
        child.message = text::head(message.as_bytes(), limits.message).0;
        child.trace.push(&said, limits.trace);
        child
    }

    /// What the suite itself came to, as a test of its name.
    pub(super) fn itself(
        &mut self,
        says: Says,
        child: &mut Child,
        place: Place,
        limits: &Limits,
    ) -> Attempt {
        let says = child.worst(says);
        let mut failure = child.failure(says.kind, limits);
        let is_skip = matches!(says.outcome, Outcome::Skip(_) | Outcome::ExpectedFailure);
        let mut attempt = Attempt {
            test: TestId {
                suite: self.path.clone(),
                class: Name::default(),
                name: if self.name.is_empty() {
                    "(suite)".to_owned()
                } else {
                    self.name.clone()
                },
            },
            file: self.file.clone(),
            number: 1,
            outcome: says.outcome,
            raw: child.raw.clone(),
            started_ms: None,
            seconds: None,
            cached: false,
            failures: Vec::new(),
            skipped: None,
            output: child.output.take(limits.output),
            place,
        };
        if is_skip {
            self.direct.own_skips += 1;
            let text = if failure.message.is_empty() {
                failure.trace
            } else {
                failure.message
            };
            attempt.skipped = Some(text);
            return attempt;
        }
        self.direct.own_failures += 1;
        if attempt.raw.is_empty() {
            attempt.raw.clone_from(&self.word);
            failure = bare(says, &self.word);
        }
        if failure.kind == FailureKind::Other {
            failure.kind = FailureKind::Setup;
        }
        attempt.failures.push(failure);
        attempt
    }
}

/// A suite's name without the date that unittest-xml-reporting puts behind it, and without the date and the id of avocado's job: the test
/// is the same tomorrow.
fn undated(name: &str) -> &str {
    if is_job(name) {
        return "job";
    }
    match name.rsplit_once('-') {
        Some((undated, date))
            if date.len() == 14
                && date.starts_with("20")
                && date.bytes().all(|b| b.is_ascii_digit()) =>
        {
            undated
        }
        _ => name,
    }
}

/// `job-2026-11-22T15.52-52dac2c`, as avocado names each run.
fn is_job(name: &str) -> bool {
    let Some((time, id)) = name
        .strip_prefix("job-")
        .and_then(|rest| rest.rsplit_once('-'))
    else {
        return false;
    };
    let shape = time
        .bytes()
        .map(|b| if b.is_ascii_digit() { b'0' } else { b });
    shape.eq(*b"0000-00-00T00.00") && id.len() == 7 && id.bytes().all(|b| b.is_ascii_hexdigit())
}

/// A file's name as it is kept.
pub(super) fn file(value: &str) -> Option<String> {
    let name = TestId::new("", "", value).name;
    (!name.is_empty()).then_some(name)
}

/// Notes a declared number of tests or failures that cannot be read: what there should be is not known.
pub(super) fn unread(notes: &mut Notes, at: u64, key: &str, raw: &str) {
    let raw: String = raw.chars().take(60).collect();
    let text = format!("{key}=\"{raw}\" is no number");
    notes.tell(IssueKind::CountMismatch, at, text);
}

/// Notes a value that cannot be read.
pub(super) fn odd(notes: &mut Notes, at: u64, key: &str, raw: &str, what: &str) {
    if notes.is_full(IssueKind::OddValue) {
        return;
    }
    let (key, raw): (String, String) = (
        key.chars().take(40).collect(),
        raw.chars().take(60).collect(),
    );
    notes.tell(
        IssueKind::OddValue,
        at,
        format!("{key}=\"{raw}\" is {what}"),
    );
}
