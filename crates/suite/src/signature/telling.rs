//! Which lines of a failure say what went wrong: its message, and of its trace the values that were compared and what caused it.
//!
//! Many runners say the same of all failures (`Failed`, `assertion failed`, the test's own title) and what was wrong in the trace alone; others
//! say `toBe` in the message and both values below it. So the values of a trace always count, and all that it says where the message says
//! nothing. Invariants: frames, excerpts of source and what runners put around a failure never count; at most [`LINES`] lines do, each once.

use std::collections::HashSet;

use crate::Failure;

/// Most lines of a trace that count.
const LINES: usize = 40;

/// Most lines below a heading (`got:`, `with expansion:`) that belong to it.
const BELOW: usize = 10;

/// Messages that say no more than that it failed, in small letters and without what ends a sentence.
const MUTE: [&str; 23] = [
    "failed",
    "fail",
    "failure",
    "error",
    "errored",
    "exception",
    "test failed",
    "test failure",
    "test error",
    "the test failed",
    "assertion failed",
    "assertion failure",
    "assertion error",
    "assertionerror",
    "collection failure",
    "unknown error",
    "unknown",
    "no message",
    "null",
    "none",
    "undefined",
    "not ok",
    "timeout or failed",
];

/// Bytes of the longest of them.
const LONGEST: usize = {
    let (mut longest, mut i) = (0, 0);
    while i < MUTE.len() {
        if MUTE[i].len() > longest {
            longest = MUTE[i].len();
        }
        i += 1;
    }
    longest
};

/// Whether a message says nothing of why: nothing at all, that it failed, or where it stands and what its title is.
pub(crate) fn is_mute(message: &str) -> bool {
    let message = message.trim();
    if message.is_empty() {
        return true;
    }
    if memchr::memchr(b'\n', message.as_bytes()).is_some() {
        return false;
    }
    let plain = message.trim_end_matches(['.', ':', '!', ' ']);
    let begins = |with: &str| {
        let head = plain.as_bytes().get(..with.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(with.as_bytes()))
    };
    let ends = |with: &str| {
        let from = plain.len().checked_sub(with.len());
        from.is_some_and(|from| plain.as_bytes()[from..].eq_ignore_ascii_case(with.as_bytes()))
    };
    // Bazel, of a test that writes no report of its own: what it printed stands outside of the test.
    const CODE: &str = "exited with error code ";
    (plain.len() <= LONGEST && MUTE.iter().any(|mute| mute.eq_ignore_ascii_case(plain)))
        || begins("the report says `")
        || (begins(CODE) && plain[CODE.len()..].bytes().all(|b| b.is_ascii_digit()))
        // Dart.
        || ends("see stacktrace for details")
        || is_title(message)
}

/// `a.spec.ts:2:5 adds`: a place and what stands there.
fn is_title(message: &str) -> bool {
    let Some((place, title)) = message.split_once(' ') else {
        return false;
    };
    let mut parts = place.rsplitn(3, ':');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()))
    };
    is_number(parts.next())
        && is_number(parts.next())
        && parts.next().is_some_and(|file| file.contains('.'))
        && !title.trim().is_empty()
}

/// What a failure says: its message if it says something, and the telling lines of its trace. Empty if it says nothing.
pub(super) fn text(failure: &Failure) -> String {
    let message = failure.message.trim();
    let lines = if is_mute(message) {
        said(&failure.trace)
    } else {
        let mut values = values(&failure.trace);
        let known: HashSet<&str> = message.lines().map(str::trim).collect();
        values.retain(|line| !known.contains(line));
        values
    };
    let mut text = String::new();
    if !is_mute(message) {
        text.push_str(message);
    }
    for line in lines {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(line);
    }
    text
}

/// The lines of a trace that are no frames and no source: the first [`LINES`], each once.
pub(crate) fn said(trace: &str) -> Vec<&str> {
    if is_pytest(trace) {
        return values(trace);
    }
    let mut lines = Lines::default();
    // Python's frames have the source in the line below them.
    let mut below_frame = false;
    for line in trace.lines() {
        let line = line.trim();
        if is_stack(line) {
            break;
        }
        let is_python = line.starts_with("File \"");
        let skipped = is_frame(line) || is_source(line) || is_frill(line) || below_frame;
        below_frame = is_python;
        if !skipped {
            lines.add(line);
        }
    }
    lines.all
}

/// The lines of a trace that show values that were compared, or a cause: the first [`LINES`], each once.
pub(crate) fn values(trace: &str) -> Vec<&str> {
    if is_pytest(trace) {
        return values_of_pytest(trace);
    }
    let mut lines = Lines::default();
    let mut below = 0;
    for whole in trace.lines() {
        let line = value(whole.trim());
        if line.is_empty() || is_frame(line) || is_source(line) || is_frill(line) {
            below = 0;
            continue;
        }
        if is_value(line) {
            lines.add(line);
            below = if line.ends_with(':') { BELOW } else { 0 };
        } else if below > 0 {
            lines.add(line);
            below -= 1;
        }
    }
    lines.all
}

/// What pytest says behind `E`; of `assert False` and its like only the statement tells what was false (`>` before it, or as the only line of
/// source in short traces).
fn values_of_pytest(trace: &str) -> Vec<&str> {
    let mut lines = Lines::default();
    let (mut statement, mut is_marked) = ("", false);
    for whole in trace.lines() {
        if let Some(said) = whole.strip_prefix("E ") {
            let said = said.trim();
            if is_bare(said) {
                lines.add(statement);
            }
            lines.add(said);
            (statement, is_marked) = ("", false);
        } else if let Some(source) = whole.strip_prefix('>') {
            (statement, is_marked) = (source.trim(), true);
        } else if whole.starts_with("    ") && !is_marked {
            statement = whole.trim();
        }
    }
    lines.all
}

/// Whether an assertion shows no value but the one by which it failed.
fn is_bare(said: &str) -> bool {
    let said = said.strip_prefix("AssertionError: ").unwrap_or(said);
    let value = said.strip_prefix("assert ").unwrap_or(said);
    matches!(
        value,
        "False"
            | "None"
            | "0"
            | "0.0"
            | "''"
            | "\"\""
            | "b''"
            | "[]"
            | "{}"
            | "()"
            | "set()"
            | "not True"
            | "AssertionError"
            | "AssertionError:"
    )
}

/// Lines that count, each once.
#[derive(Default)]
struct Lines<'t> {
    all: Vec<&'t str>,
    seen: HashSet<&'t str>,
}

impl<'t> Lines<'t> {
    fn add(&mut self, line: &'t str) {
        if !line.is_empty() && self.all.len() < LINES && self.seen.insert(line) {
            self.all.push(line);
        }
    }
}

fn is_pytest(trace: &str) -> bool {
    trace.starts_with("E  ") || trace.contains("\nE  ")
}

/// A changed line of a snapshot without the numbers before it (`    0       │-status: 200`).
fn value(line: &str) -> &str {
    ["│-", "│+"]
        .iter()
        .find_map(|mark| line.find(mark))
        .map_or(line, |at| &line[at + '│'.len_utf8()..])
}

/// Words before a value that was compared, in small letters.
const WORDS: [&str; 15] = [
    "expected", "received", "actual", "got", "want", "wanted", "left", "right", "found", "but was",
    "but got", "values", "messages", "which is", "diff",
];

/// Beginnings of lines that say what caused it.
const CAUSES: [&str; 8] = [
    "Caused by:",
    "Suppressed:",
    "with expansion:",
    "fatal:",
    "FATAL:",
    "panic:",
    "[cause]:",
    "message:",
];

fn is_value(line: &str) -> bool {
    if let Some(rest) = line.strip_prefix(['-', '+']) {
        // No rule, no head of a diff.
        return !rest.starts_with(['-', '+', '>']) && rest.chars().any(|c| !c.is_whitespace());
    }
    if CAUSES.iter().any(|start| line.starts_with(start)) {
        return true;
    }
    let end = super::floor(line, 16);
    let small = line[..end].to_ascii_lowercase();
    let is_word = |word: &&str| {
        small
            .strip_prefix(*word)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ' ', '=', '\t', ',']))
    };
    WORDS.iter().any(is_word) || is_thrown(line)
}

/// `java.net.ConnectException: refused`, `ValueError: x`, `Error: x`, `ENOSPC: no space left`.
fn is_thrown(line: &str) -> bool {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._$\\".contains(&b));
    let rest = &line[name.len()..];
    let ends = rest.is_empty() || rest.starts_with(": ") || rest == ":" || rest.starts_with(" [");
    let is_errno = name.len() > 3
        && name.starts_with('E')
        && name.bytes().all(|b| b.is_ascii_uppercase())
        && rest.starts_with(": ");
    let is_class = ["Exception", "Error", "Failure", "Failed"]
        .iter()
        .any(|end| name.ends_with(end));
    is_name && ends && (is_errno || is_class)
}

/// From here on there is nothing but a stack.
fn is_stack(line: &str) -> bool {
    line.starts_with("stack backtrace:")
        || line.starts_with("note: run with `RUST_BACKTRACE")
        || line.starts_with("goroutine ") && line.ends_with("]:")
}

fn is_frame(line: &str) -> bool {
    let is_at = line
        .strip_prefix("at ")
        .or_else(|| line.strip_prefix("❯ "))
        .is_some_and(|rest| rest.contains(['(', ':', '/', '\\', '.']));
    let is_more = line.starts_with("... ") && line.ends_with(" more");
    let is_ruby = line.starts_with("# ") && line.contains(".rb:");
    let is_line = line.starts_with("- line") && line.ends_with(|c: char| c.is_ascii_digit());
    is_at
        || is_more
        || is_ruby
        || is_line
        || line.starts_with("File \"")
        || line.starts_with("Traceback (most recent call last)")
        || line.starts_with("Error Trace:")
        || is_place(line)
}

/// A place, and nothing behind it that says anything: `a.py:3: in f`, `t/a.c:12`, `tests/test_a.py:7: AssertionError`, `/a/b.go:3 +0x25`.
fn is_place(line: &str) -> bool {
    let (place, rest) = line.split_once(' ').unwrap_or((line, ""));
    let place = place.trim_end_matches(':');
    let mut parts = place.rsplitn(3, ':').peekable();
    let mut numbers = 0;
    while parts.peek().is_some_and(|part| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && numbers < 2
    }) {
        parts.next();
        numbers += 1;
    }
    let is_file = parts.last().is_some_and(|file| file.contains(['.', '/']));
    let is_class = !rest.contains(' ') && (rest.ends_with("Error") || rest.ends_with("Exception"));
    let is_offset = rest.starts_with("in ") || rest.starts_with("+0x");
    numbers > 0 && is_file && (rest.is_empty() || is_class || is_offset)
}

/// An excerpt of the source: `> 12 | code`, `12 | code`, `| ^`.
fn is_source(line: &str) -> bool {
    let rest = line.trim_start_matches(['>', '❯', ' ']);
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.trim_start();
    rest.starts_with('|') && !line.starts_with("||")
}

/// What runners put around a failure, the same for all of them or other in each run.
fn is_frill(line: &str) -> bool {
    const STARTS: [&str; 21] = [
        "=== RUN",
        "=== PAUSE",
        "=== CONT",
        "=== NAME",
        "--- FAIL:",
        "Error Context:",
        "Retry #",
        "attachment #",
        "[[ATTACHMENT",
        "Test:",
        "file:",
        "line:",
        // Of node's TAP; `signal: ~` is none.
        "at:",
        "location:",
        "duration:",
        "duration_ms:",
        "failureType:",
        "exitCode:",
        "signal: ~",
        "error: 'test failed'",
        "code: 'ERR_TEST_FAILURE'",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
        || line.ends_with("───")
        || !line.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_bare_assertion_the_statement_tells() {
        let of = |trace: &str| {
            text(&Failure {
                message: "assert False".into(),
                trace: trace.into(),
                ..Failure::default()
            })
        };
        let long = "def test_x():\n        ok = paid()\n>       assert ok\nE       assert False\n\ntests/test_a.py:3: AssertionError";
        assert_eq!(of(long), "assert False\nassert ok");
        let other = long.replace("assert ok", "assert done");
        assert_eq!(of(&other), "assert False\nassert done");
        let short = "tests/test_a.py:3: in test_x\n    assert ok\nE   assert False";
        assert_eq!(of(short), of(long));
        // What shows a value needs no source, and code around it does not count.
        let told = "    x = 1\n>       assert paid(x)\nE       assert False\nE        +  where False = paid(1)";
        assert_eq!(
            of(told),
            "assert False\nassert paid(x)\n+  where False = paid(1)"
        );
        let value = ">       assert n == 2\nE       assert 1 == 2";
        assert_eq!(of(value), "assert False\nassert 1 == 2");
    }

    #[test]
    fn messages_that_say_nothing() {
        for mute in [
            "",
            " \n",
            "Failed",
            "failed.",
            "Test failed",
            "1 failure, see stacktrace for details",
            "collection failure",
            "a.spec.ts:2:5 adds two",
            "the report says `failed`",
            "exited with error code 1",
        ] {
            assert!(is_mute(mute), "{mute}");
        }
        for said in [
            "Failed: no disk",
            "failed to connect",
            "a_test.go:7: got 1",
            "src/a.c:3:5: error: undeclared",
            "Failed\nno disk",
            "12:30:01 it ended",
            "exited with error code 1: no disk",
        ] {
            assert!(!is_mute(said), "{said}");
        }
    }

    #[test]
    fn values_of_traces_of_many_runners() {
        for (trace, expected) in [
            (
                "    def test_a():\n>       assert f() == 2\nE       assert 1 == 2\nE        +  where 1 = f()\n\nt/test_a.py:7: AssertionError",
                "assert 1 == 2|+  where 1 = f()",
            ),
            (
                "Error: expect(received).toBe(expected)\n\nExpected: 1\nReceived: 2\n\n  > 3 | expect(1)\n      |  ^\n    at Object.<anonymous> (/a/b.js:3:4)",
                "Error: expect(received).toBe(expected)|Expected: 1|Received: 2",
            ),
            (
                "java.lang.IllegalStateException: no context\n\tat o.s.X.a(X.java:1)\nCaused by: java.net.ConnectException: refused\n\tat a.B.c(B.java:9)\n\t... 3 more",
                "java.lang.IllegalStateException: no context|Caused by: java.net.ConnectException: refused",
            ),
            (
                "FAILED:\n  REQUIRE( x == 2 )\nwith expansion:\n  1 == 2\nat /src/t.cpp:12",
                "with expansion:|1 == 2",
            ),
            ("got:\n3\nwant:\n4\n", "got:|3|want:|4"),
            (
                "--- Expected\n+++ Actual\n@@ @@\n-4\n+3\n\n/app/ATest.php:12",
                "-4|+3",
            ),
            (
                "assertion `left == right` failed\n  left: 1\n right: 2\nstack backtrace:\n   0: std::x",
                "left: 1|right: 2",
            ),
            (
                "────\n    0       │-status: 200\n          0 │+status: 503",
                "-status: 200|+status: 503",
            ),
            (
                "Error: Command failed: make\nENOSPC: no space left on device\n    at x (/a/b.js:1:2)",
                "Error: Command failed: make|ENOSPC: no space left on device",
            ),
            ("retrying in 3 s\nthe leftovers are gone\nexpectedly", ""),
        ] {
            assert_eq!(values(trace).join("|"), expected, "{trace}");
        }
    }

    #[test]
    fn all_that_a_trace_says() {
        for (trace, expected) in [
            (
                "=== RUN   TestA\n    a_test.go:7: got 3 want 4\n--- FAIL: TestA (0.00s)\n",
                "a_test.go:7: got 3 want 4",
            ),
            (
                "Traceback (most recent call last):\n  File \"/a/b.py\", line 3, in f\n    g()\nValueError: no\n",
                "ValueError: no",
            ),
            (
                "  [one] › a.spec.js:3:1 › adds ─────\n\n    Error: refused\n\n    > 3 | go()\n        | ^\n        at /src/a.spec.js:3:69\n\n    Retry #1 ─────\n\n    Error: refused\n",
                "Error: refused",
            ),
            (
                "panic: nil map\n\ngoroutine 19 [running]:\nmain.f(0x1)\n\t/a/b.go:3 +0x25",
                "panic: nil map",
            ),
            (
                "/src/t2.c:5: Assertion failed",
                "/src/t2.c:5: Assertion failed",
            ),
        ] {
            assert_eq!(said(trace).join("|"), expected, "{trace}");
        }
        let many: Vec<String> = (0..99).map(|n| format!("line {n} says")).collect();
        assert_eq!(said(&many.join("\n")).len(), LINES);
    }
}
