//! Failures whose attribute says nothing (`Failed`, the title of the test): what was wrong stands in the element's text.
//!
//! gotestsum and Playwright write so. Whatever says something is left as it is.

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
}
