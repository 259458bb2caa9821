//! Failures whose attribute says nothing (`Failed`, the title of the test): what was wrong stands in the element's text.
//!
//! gotestsum and Playwright write so; pytest cuts what it says by its length, and so by how long the project's directory is. Whatever
//! says something, whole, is left as it is.

use crate::read::{Limits, go, text};
use crate::signature::telling;
use crate::{Failure, FailureKind};

/// Most lines that are taken.
const LINES: usize = 12;

/// Takes the message from the text, if the attribute is there and says nothing.
pub(super) fn tell(failure: &mut Failure, limits: &Limits) {
    let is_told = failure.message.is_empty() || !telling::is_mute(&failure.message);
    if is_told || failure.trace.trim().is_empty() {
        return;
    }
    let is_go = failure.trace.contains("=== RUN") || failure.trace.contains("--- FAIL: ");
    let is_panic = failure.kind == FailureKind::Panic;
    let of_go = is_go.then(|| go::said::of(&failure.trace)).flatten();
    let said = match of_go {
        Some((message, place)) if !is_panic => {
            failure.location = failure.location.take().or(place);
            message
        }
        _ => {
            let mut lines = telling::said(&failure.trace);
            // A panic's first line says it, whatever was printed before.
            let from = lines.iter().position(|line| line.starts_with("panic: "));
            if let Some(from) = from.filter(|_| is_panic) {
                lines.drain(..from);
            }
            lines.truncate(LINES);
            lines.join("\n")
        }
    };
    if !said.trim().is_empty() {
        let (message, is_cut) = text::head(said.trim().as_bytes(), limits.message);
        failure.message = message;
        failure.truncated |= is_cut;
    }
}

/// Takes pytest's message from the text where the attribute has it cut, or has the place in front of it: the lines of the error itself, the
/// same wherever the project lies.
pub(super) fn whole(failure: &mut Failure, limits: &Limits) {
    let said = failure.message.as_str();
    let (phase, inner) = ["failed on setup with \"", "failed on teardown with \""]
        .iter()
        .find_map(|phase| Some((*phase, said.strip_prefix(phase)?)))
        .unwrap_or(("", said));
    let is_cut = said
        .trim_end_matches(['"', '\n', '\r'])
        .ends_with("full report in element text]")
        && said.lines().last().is_some_and(|last| {
            last.starts_with('[')
                && last
                    .trim_end_matches('"')
                    .ends_with("full report in element text]")
        });
    let is_placed = inner.starts_with("file ")
        && inner
            .lines()
            .next()
            .unwrap_or_default()
            .rsplit_once(", line ")
            .is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
    if !is_cut && !is_placed {
        return;
    }
    // What was raised last stands last.
    let mut lines: Vec<&str> = Vec::new();
    let mut is_open = false;
    for line in failure.trace.lines() {
        let own = line.strip_prefix("E ").or((line == "E").then_some(""));
        if let Some(own) = own {
            if !is_open {
                lines.clear();
            }
            lines.push(own.trim());
        }
        is_open = own.is_some();
    }
    if lines.is_empty() {
        return;
    }
    let end = if phase.is_empty() { "" } else { "\"" };
    let message = format!("{phase}{}{end}", lines.join("\n"));
    let (message, is_cut) = text::head(message.as_bytes(), limits.message);
    failure.message = message;
    failure.truncated |= is_cut;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(message: &str, trace: &str) -> String {
        let mut failure = Failure {
            message: message.into(),
            trace: trace.into(),
            ..Failure::default()
        };
        tell(&mut failure, &Limits::default());
        failure.message
    }

    #[test]
    fn the_text_says_what_the_attribute_does_not() {
        let go = "=== RUN   TestA\n    a_test.go:3: begin\n    a_test.go:7: got 3\n        want 4\n--- FAIL: TestA (0.00s)\n";
        assert_eq!(told("Failed", go), "got 3\nwant 4\nbegin");
        let playwright = "  a.spec.ts:2:5 › adds ─────\n\n    Error: refused\n\n    > 2 | go()\n        | ^\n        at /w/a.spec.ts:2:9\n";
        assert_eq!(told("a.spec.ts:2:5 adds", playwright), "Error: refused");
        assert_eq!(told("got 1", go), "got 1");
        assert_eq!(told("", go), "");
        assert_eq!(told("Failed", " \n"), "Failed");
    }

    fn whole_of(message: &str, trace: &str) -> String {
        let mut failure = Failure {
            message: message.into(),
            trace: trace.into(),
            ..Failure::default()
        };
        whole(&mut failure, &Limits::default());
        failure.message
    }

    #[test]
    fn what_pytest_cuts_by_its_length_is_whole_again() {
        let trace = "file /w/a/tests/test_a.py, line 1\n  def test_x(nope): pass\nE       fixture 'nope' not found\n>       available fixtures: capfd\n\n/w/a/tests/test_a.py:1";
        let expected = "failed on setup with \"fixture 'nope' not found\"";
        for message in [
            "failed on setup with \"file /w/a/tests/test_a.py, line 1\n  def test_x(nope): pass\nE       fixture 'nope' not found\n\n[+1 more line; full report in element text]",
            "failed on setup with \"file /w/a/tests/test_a.py, line 1\n[+3 more lines; full report in element text]",
            // Before pytest 9.2 nothing was cut.
            "failed on setup with \"file /w/a/tests/test_a.py, line 1\n  def test_x(nope): pass\nE       fixture 'nope' not found\n\"",
        ] {
            assert_eq!(whole_of(message, trace), expected, "{message}");
        }
        let chained = "E   KeyError: 'a'\n\nThe above\n\n>   raise\nE   ValueError: no\nE     more\n\nx.py:3: ValueError";
        let cut = "ValueError: no\n[+1 more line; full report in element text]";
        assert_eq!(whole_of(cut, chained), "ValueError: no\nmore");
        for message in ["ValueError: no", "file not found", "[1 more line]"] {
            assert_eq!(whole_of(message, chained), message);
        }
        assert_eq!(whole_of(cut, "no line of an error"), cut);
    }
}
