//! Names of elements and words for outcomes, over all dialects.

use crate::{Failure, FailureKind, Outcome, SkipKind};

/// What an element is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    Suites,
    Suite,
    Case,
    /// It says what a test came to.
    Says(Says),
    /// An earlier attempt, or a later one, at a test.
    Attempt {
        /// Whether the test passed in the end.
        passed: bool,
        outcome: Outcome,
    },
    /// What was printed.
    Output,
    /// Known, and nothing that a verdict hangs on.
    Aside,
    /// The page that a server sent in the place of a report.
    Page,
    Unknown,
}

/// A statement about a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Says {
    pub(super) outcome: Outcome,
    pub(super) kind: FailureKind,
}

/// It failed.
pub(super) const FAILED: Says = Says {
    outcome: Outcome::Fail,
    kind: FailureKind::Other,
};

const fn says(outcome: Outcome, kind: FailureKind) -> Element {
    Element::Says(Says { outcome, kind })
}

/// What the element with this name is; names are compared without regard to case, as some writers do not either.
pub(super) fn element(name: &str) -> Element {
    match name {
        "testcase" => return Element::Case,
        "testsuite" => return Element::Suite,
        "failure" => return says(Outcome::Fail, FailureKind::Other),
        "system-out" | "system-err" => return Element::Output,
        _ => {}
    }
    if name.len() > 24 {
        return Element::Unknown;
    }
    let mut buffer = [0; 24];
    let lower = &mut buffer[..name.len()];
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"testsuites" => Element::Suites,
        b"testsuite" => Element::Suite,
        b"testcase" => Element::Case,
        b"failure" | b"failed" | b"fail" => says(Outcome::Fail, FailureKind::Other),
        b"error" | b"errored" => says(Outcome::Error, FailureKind::Other),
        // PHPUnit up to 9: the class has no tests, a provider is broken.
        b"warning" => says(Outcome::Error, FailureKind::Setup),
        b"timeout" | b"timedout" => says(Outcome::Fail, FailureKind::Timeout),
        b"crash" | b"crashed" | b"aborted" => says(Outcome::Error, FailureKind::Crash),
        b"skipped" | b"skip" | b"notrun" | b"pending" => {
            says(Outcome::Skip(SkipKind::Other), FailureKind::Other)
        }
        b"ignored" | b"disabled" => says(Outcome::Skip(SkipKind::Declared), FailureKind::Other),
        b"todo" => says(Outcome::Skip(SkipKind::Todo), FailureKind::Other),
        b"inconclusive" | b"incomplete" => says(Outcome::Skip(SkipKind::Body), FailureKind::Other),
        b"flakyfailure" => Element::Attempt {
            passed: true,
            outcome: Outcome::Fail,
        },
        b"flakyerror" => Element::Attempt {
            passed: true,
            outcome: Outcome::Error,
        },
        b"rerunfailure" => Element::Attempt {
            passed: false,
            outcome: Outcome::Fail,
        },
        b"rerunerror" => Element::Attempt {
            passed: false,
            outcome: Outcome::Error,
        },
        b"system-out" | b"system-err" | b"systemout" | b"systemerr" | b"stdout" | b"stderr"
        | b"output" => Element::Output,
        b"properties" | b"property" | b"stacktrace" | b"attachments" | b"attachment" | b"file"
        | b"description" | b"requirements" | b"requirement" | b"tags" | b"tag" | b"traits"
        | b"trait" | b"package" | b"metadata" | b"link" | b"links" | b"measurement"
        | b"measurements" | b"steps" | b"assertions" | b"passed" | b"pass" | b"success"
        | b"duration" | b"timestamp" => Element::Aside,
        b"html" | b"head" | b"body" => Element::Page,
        _ => Element::Unknown,
    }
}

/// Whether an attribute of this name counts tests that did not come to a good end, by whatever else the report tells of them.
pub(super) fn is_unended(lower: &str) -> bool {
    matches!(
        lower,
        "aborted"
            | "broken"
            | "canceled"
            | "cancelled"
            | "crashed"
            | "crashes"
            | "incomplete"
            | "interrupted"
            | "killed"
            | "panicked"
            | "timed-out"
            | "timed_out"
            | "timedout"
            | "timeouts"
            | "unexpected"
            | "unfinished"
    )
}

/// What the word in a `status` or `result` attribute says; `None` if nobody knows.
pub(super) fn status(word: &str) -> Option<Option<Says>> {
    let is = |outcome, kind| Some(Some(Says { outcome, kind }));
    let mut lower: String = word.trim().chars().take(40).collect();
    lower.make_ascii_lowercase();
    lower.retain(|c| !matches!(c, ' ' | '_' | '-'));
    match lower.as_str() {
        // That it ran says nothing: the children do.
        "" | "run" | "ran" | "executed" | "completed" | "complete" | "finished" | "done" => {
            Some(None)
        }
        "passed" | "pass" | "success" | "successful" | "succeeded" | "ok" | "passing" => {
            is(Outcome::Pass, FailureKind::Other)
        }
        "failed" | "fail" | "failure" | "failing" | "ko" | "broken" | "notok" => {
            is(Outcome::Fail, FailureKind::Other)
        }
        "error" | "errored" | "errors" | "exception" => is(Outcome::Error, FailureKind::Other),
        // behave, cucumber.
        "undefined" | "ambiguous" => is(Outcome::Error, FailureKind::Other),
        "hookerror" => is(Outcome::Error, FailureKind::Setup),
        "cleanuperror" => is(Outcome::Error, FailureKind::Teardown),
        "timeout" | "timedout" => is(Outcome::Fail, FailureKind::Timeout),
        "crash" | "crashed" => is(Outcome::Error, FailureKind::Crash),
        // Ginkgo.
        "panicked" => is(Outcome::Error, FailureKind::Panic),
        // What did not come to its end has no result; that a body ended early on purpose is `inconclusive`.
        "aborted" | "abort" | "interrupted" | "cancelled" | "canceled" | "killed"
        | "incomplete" => is(Outcome::Error, FailureKind::Other),
        "blocked" | "notrunnable" | "precluded" => is(Outcome::Precluded, FailureKind::Other),
        "disabled" | "ignored" | "suppressed" => {
            is(Outcome::Skip(SkipKind::Declared), FailureKind::Other)
        }
        "skipped" | "skip" | "notrun" | "notexecuted" | "pending" | "excluded" | "untested" => {
            is(Outcome::Skip(SkipKind::Other), FailureKind::Other)
        }
        "todo" => is(Outcome::Skip(SkipKind::Todo), FailureKind::Other),
        "filtered" => is(Outcome::Skip(SkipKind::Filtered), FailureKind::Other),
        "inconclusive" => is(Outcome::Skip(SkipKind::Body), FailureKind::Other),
        "xfail" | "xfailed" | "expectedfailure" => is(Outcome::ExpectedFailure, FailureKind::Other),
        "xpass" | "xpassed" | "unexpectedpass" | "unexpectedsuccess" => {
            is(Outcome::UnexpectedPass, FailureKind::Other)
        }
        _ => None,
    }
}

/// What kind of failure its type and its message say that it is; `text` is the message, or the trace where there is none.
pub(super) fn kind(class: &str, text: &str) -> FailureKind {
    let text = text.trim_start();
    if text.starts_with("failed on setup with \"worker '") && text.contains("' crashed while") {
        return FailureKind::Crash;
    }
    if text.starts_with("failed on setup with") || text.starts_with("collection failure") {
        return FailureKind::Setup;
    }
    if is_teardown(text) {
        return FailureKind::Teardown;
    }
    let is_end = |b: &u8| matches!(b, b'.' | b'\\' | b':' | b'$');
    let from = class.as_bytes().iter().rposition(is_end);
    let leaf = from.map_or(class, |from| &class[from + 1..]);
    if has(leaf, "OutOfMemory") || leaf == "MemoryError" {
        return FailureKind::OutOfMemory;
    }
    if has(leaf, "Timeout") || has(leaf, "TimedOut") || matches!(class, "test timeout" | "timedout")
    {
        return FailureKind::Timeout;
    }
    // JUnit 5, Vitest, Jest, pytest-timeout, Ginkgo.
    let times = [
        "A node timeout occurred",
        "A spec timeout occurred",
        "A suite timeout occurred",
        "execution timed out after ",
        "Test timed out in ",
        "Failed: Timeout (>",
        "thrown: \"Exceeded timeout of ",
    ];
    if begins(text, &times) || is_exceeded(text) {
        return FailureKind::Timeout;
    }
    if class == "test abort" {
        return FailureKind::Crash;
    }
    // Ginkgo.
    if class == "panicked" {
        return FailureKind::Panic;
    }
    if has(leaf, "Assertion") || has(leaf, "ExpectationFailed") || leaf == "AssertFailed" {
        return FailureKind::Assertion;
    }
    // pytest, Jest.
    let assertions = ["assert ", "AssertionError", "Error: expect("];
    if begins(text, &assertions) {
        return FailureKind::Assertion;
    }
    if text.starts_with("thread '") && text.contains("panicked at") {
        return FailureKind::Panic;
    }
    FailureKind::Other
}

/// Adds the first 60 characters of a name.
pub(super) fn shorten(name: &str, into: &mut String) {
    match name.len() {
        0..=60 => into.push_str(name),
        _ => into.extend(name.chars().take(60)),
    }
}

/// Whether a word is in a short text; sooner than what is made for long ones.
fn has(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let Some((first, rest)) = word.split_first() else {
        return true;
    };
    memchr::memchr_iter(*first, text).any(|at| text[at + 1..].starts_with(rest))
}

/// Whether a text begins with one of these; most differ in their first byte.
fn begins(text: &str, words: &[&str]) -> bool {
    let first = text.as_bytes().first();
    let mut alike = words.iter().filter(|word| word.as_bytes().first() == first);
    alike.any(|word| text.starts_with(word))
}

/// `Test timeout of 50ms exceeded.` (Playwright), `Timeout of 20ms exceeded. For async tests …` (Mocha).
pub(in crate::read) fn is_exceeded(text: &str) -> bool {
    let text = text.strip_prefix("Error: ").unwrap_or(text);
    ["Test timeout of ", "Timeout of "]
        .iter()
        .filter_map(|begin| text.strip_prefix(begin))
        .any(|rest| {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            rest.starts_with("ms exceeded")
        })
}

/// Whether pytest says so of a fixture that failed after the test.
pub(super) fn is_teardown(message: &str) -> bool {
    message.starts_with("failed on teardown with") || message.starts_with("test teardown failure")
}

/// Whether a test that passed is told to have failed because it should not have.
pub(super) fn is_unexpected_pass(failure: &Failure) -> bool {
    failure.class == "UnexpectedSuccess" || failure.message.starts_with("[XPASS(strict)]")
}

/// Whether it is CTest's reason for a test that could not run, which it writes as skipped and counts as failed.
pub(super) fn is_precluded(message: &str) -> bool {
    [
        "Unable to find executable",
        "Fixture dependency failed",
        "Required Files Missing",
        "Insufficient resources",
        "Missing Configuration",
        "Could not start",
        "Failed to start",
        "Bad command",
    ]
    .iter()
    .any(|reason| {
        message
            .get(..reason.len())
            .is_some_and(|m| m.eq_ignore_ascii_case(reason))
    })
}
