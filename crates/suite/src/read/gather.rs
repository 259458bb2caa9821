//! What the readers of lines and of JSON have in common: attempts counted and handed on, ids that come twice, issues.
//!
//! Invariants: nothing of an attempt is kept but 12 bytes of its id; an id that comes a second time without being a further attempt
//! is told; beyond a limit nothing is handed on, and that is told once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use super::json::Value;
use super::xml::times;
use super::{Format, Limits, Reading, Sink};
use crate::{Attempt, Failure, FailureKind, IssueKind, Location, Outcome, Place, TestId};

/// Ids that are looked at for being there twice: as many as fit into 2^21 places of a table, about 36 MB.
const IDS: usize = 1_835_008;

/// Takes the attempts that a reader finds.
pub(super) struct Gather<'a> {
    pub(super) limits: &'a Limits,
    pub(super) reading: Reading,
    sink: &'a mut dyn Sink,
    /// The highest attempt of an id.
    ids: HashMap<u64, u32>,
    ids_told: bool,
    limit_told: bool,
}

impl<'a> Gather<'a> {
    pub(super) fn new(format: Format, limits: &'a Limits, sink: &'a mut dyn Sink) -> Self {
        Self {
            limits,
            reading: Reading::of(format),
            sink,
            ids: HashMap::new(),
            ids_told: false,
            limit_told: false,
        }
    }

    /// A time in JSON, milliseconds since 1970: a number, or a text that has a zone. What else stands there, but nothing, is told.
    pub(super) fn time(&mut self, key: &str, value: &Value, at: u64) -> Option<i64> {
        let said = match value {
            Value::Number(ms) if ms.is_finite() => return Some(*ms as i64),
            Value::Null => return None,
            Value::Text(text, _) if text.trim().is_empty() => return None,
            Value::Text(text, _) => text.as_str(),
            _ => "",
        };
        let found = times::moment(said).filter(|moment| moment.is_absolute);
        if found.is_none() {
            let text = format!("`{key}` is no time that can be read: {}", short(said, 60));
            self.tell(IssueKind::OddTime, at, text);
        }
        found.map(|moment| moment.ms)
    }

    /// Notes an issue.
    pub(super) fn tell(&mut self, kind: IssueKind, at: u64, text: impl Into<String>) {
        self.reading.tell(self.limits, kind, at, text);
    }

    /// The number that the next attempt at this test has.
    pub(super) fn next_number(&self, test: &TestId) -> u32 {
        self.ids
            .get(&hash(test))
            .map_or(1, |number| number.saturating_add(1))
    }

    /// Hands an attempt on. If its number is not above those that its id had, two tests have one id.
    pub(super) fn add(&mut self, mut attempt: Attempt) {
        attempt.number = attempt.number.max(1);
        if attempt.test.name.is_empty() {
            "(unnamed)".clone_into(&mut attempt.test.name);
            let at = attempt.place.from;
            self.tell(IssueKind::OddValue, at, "a test without a name");
        }
        if self.reading.seen.attempts >= self.limits.attempts {
            if !self.limit_told {
                self.limit_told = true;
                let text = format!(
                    "more than {} attempts: the rest was not read",
                    self.limits.attempts
                );
                self.tell(IssueKind::Limit, attempt.place.from, text);
            }
            return;
        }
        let full = self.ids.len() >= IDS;
        match self.ids.entry(hash(&attempt.test)) {
            Entry::Occupied(mut seen) => {
                if attempt.number <= *seen.get() {
                    let text = format!(
                        "`{}` is there twice, and nothing says that they are attempts",
                        attempt.test
                    );
                    self.tell(IssueKind::Collision, attempt.place.from, text);
                } else {
                    *seen.get_mut() = attempt.number;
                }
            }
            Entry::Vacant(_) if full => {
                if !self.ids_told {
                    self.ids_told = true;
                    let text =
                        format!("more than {IDS} tests: further ones may have one id unnoticed");
                    self.tell(IssueKind::Limit, attempt.place.from, text);
                }
            }
            Entry::Vacant(place) => {
                place.insert(attempt.number);
            }
        }
        attempt.failures.truncate(self.limits.failures);
        if let Some(ms) = attempt.started_ms {
            self.reading.began(ms);
        }
        self.reading.seen.add(attempt.outcome);
        self.sink.attempt(attempt);
    }

    /// The source cannot be read further.
    pub(super) fn io(&mut self, at: u64, error: &io::Error) {
        self.tell(
            IssueKind::Truncated,
            at,
            format!("the report cannot be read further: {error}"),
        );
    }

    /// Hands an attempt on that failed for no reason that is told: the failure is there all the same.
    pub(super) fn add_with_empty_failure(&mut self, mut attempt: Attempt) {
        if attempt.outcome == Outcome::Fail && attempt.failures.is_empty() {
            attempt.failures.push(Failure::default());
        }
        self.add(attempt);
    }

    /// Ends it: a report without tests says so.
    pub(super) fn finish(mut self, bytes: u64) -> Reading {
        self.reading.bytes = bytes;
        if self.reading.seen.attempts == 0
            && !self
                .reading
                .issues
                .iter()
                .any(|issue| matches!(issue.kind, IssueKind::NoTests))
        {
            self.tell(IssueKind::NoTests, bytes, "there is no test in it");
        }
        self.reading
    }
}

/// Stands for a test where its name need not be kept.
pub(super) fn hash(test: &TestId) -> u64 {
    let mut hasher = DefaultHasher::new();
    test.hash(&mut hasher);
    hasher.finish()
}

/// An attempt of which only this is known.
pub(super) fn attempt(test: TestId, outcome: Outcome, raw: &str, place: Place) -> Attempt {
    Attempt {
        test,
        file: None,
        number: 1,
        outcome,
        raw: super::text::head(raw.as_bytes(), 200).0,
        started_ms: None,
        seconds: None,
        cached: false,
        failures: Vec::new(),
        skipped: None,
        output: String::new(),
        place,
    }
}

/// A failure with its texts cut to the limits.
pub(super) fn failure(limits: &Limits, kind: FailureKind, message: &str, trace: &str) -> Failure {
    let (message, a) = super::text::head(message.as_bytes(), limits.message);
    let (trace, b) = super::text::head(trace.as_bytes(), limits.trace);
    Failure {
        kind,
        class: String::new(),
        message,
        trace,
        location: None,
        truncated: a || b,
    }
}

/// The beginning of a text, at most so many bytes: what is kept of lines that anybody may have written.
pub(super) fn short(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether a line ends what a panic of Rust said: the way to get a stack, the stack, another panic.
pub(super) fn ends_panic(line: &str) -> bool {
    line.starts_with("stack backtrace:")
        || line.starts_with("note: run with `RUST_BACKTRACE")
        || thread(line).is_some()
}

/// The thread that panicked by a line, and what stands behind `panicked at `.
pub(super) fn thread(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("thread '")?.split_once('\'')?;
    let (between, rest) = rest.split_once("panicked at ")?;
    // Newer versions have the thread's number in parentheses.
    (between.len() < 32).then_some((name, rest))
}

/// What a panic of Rust printed: its kind, what was said, where, and the text from there on. Of several that of the test's own thread, which has
/// its name; else the first.
pub(super) fn panicked<'t>(
    text: &'t str,
    test: &str,
) -> Option<(FailureKind, String, Option<Location>, &'t str)> {
    let mut own = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if thread(line).is_some_and(|(name, _)| name == test) {
            own = line.find("panicked at ").map(|from| at + from);
            break;
        }
        at += line.len();
    }
    let at = own.or_else(|| text.find("panicked at "))?;
    let rest = &text[at + "panicked at ".len()..];
    let trace = &text[text[..at].rfind('\n').map_or(0, |line| line + 1)..];
    let (first, more) = rest.split_once('\n').unwrap_or((rest, ""));
    // Before Rust 1.73 the text stood before the place.
    let old = first
        .strip_prefix('\'')
        .and_then(|quoted| quoted.rsplit_once("', "));
    let (said, place) = match old {
        Some((quoted, place)) => (quoted.to_owned(), place),
        None => {
            let lines: Vec<&str> = more.lines().take_while(|line| !ends_panic(line)).collect();
            (lines.join("\n").trim_end().to_owned(), first)
        }
    };
    let kind = if said.starts_with("assertion ") {
        FailureKind::Assertion
    } else {
        FailureKind::Panic
    };
    Some((kind, said, location(place), trace))
}

/// `file:line[:column]` at the beginning of a text, as most tools print places. The file has a dot or a slash in it, and no quote.
pub(super) fn location(text: &str) -> Option<Location> {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let mut from = 0;
    // A drive letter has a colon too.
    if bytes.len() > 2 && bytes[1] == b':' && (bytes[2] == b'\\' || bytes[2] == b'/') {
        from = 2;
    }
    let colon = from + text[from..].find(':')?;
    let file = &text[..colon];
    if file.is_empty() || file.len() > 1024 || !file.contains(['.', '/', '\\']) {
        return None;
    }
    if file.contains(['"', '`', '<', '>', '(', '\n']) {
        return None;
    }
    let (line, rest) = number(&text[colon + 1..])?;
    let column = rest
        .strip_prefix(':')
        .and_then(number)
        .map(|(column, _)| column);
    Some(Location {
        file: file.to_owned(),
        line: Some(line),
        column,
    })
}

fn number(text: &str) -> Option<(u32, &str)> {
    let end = text
        .bytes()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(text.len());
    let value: u32 = text[..end].parse().ok()?;
    (value > 0).then_some((value, &text[end..]))
}

/// What a report is that has nothing of the format: for the refusal.
pub(super) fn found(head: &[u8]) -> &'static str {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let text = head.trim_ascii_start();
    let lower = text[..text.len().min(256)].to_ascii_lowercase();
    if text.is_empty() {
        "nothing"
    } else if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") {
        "an HTML page"
    } else if text[0] == b'<' {
        "XML"
    } else if matches!(text[0], b'{' | b'[') {
        "JSON"
    } else if text.contains(&0) {
        "binary data"
    } else {
        "other text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_many_tools() {
        let of = |text: &str| location(text).map(|l| (l.file, l.line, l.column));
        assert_eq!(
            of("src/lib.rs:36:9:"),
            Some(("src/lib.rs".into(), Some(36), Some(9)))
        );
        assert_eq!(
            of("  calc_test.go:12: no"),
            Some(("calc_test.go".into(), Some(12), None))
        );
        assert_eq!(
            of(r"C:\a\b.rs:3:4"),
            Some((r"C:\a\b.rs".into(), Some(3), Some(4)))
        );
        for no in [
            "",
            "a:1",
            "x.y:0",
            "x.y:",
            "http://a.b",
            "error: x.y:1",
            "12:30:01",
        ] {
            assert_eq!(of(no), None, "{no}");
        }
        assert_eq!(of("x.y:99999999999"), None);
    }

    #[test]
    fn a_panic_of_the_tests_own_thread_with_all_that_it_said() {
        let text = "thread 'worker' panicked at src/w.rs:1:1:\nlost\nthread 'a::bad' (77) panicked at src/lib.rs:9:5:\nassertion failed: `(left == right)`\n\nDiff < left / right > :\n<1\n>2\n\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n";
        let (kind, said, place, trace) = panicked(text, "a::bad").unwrap();
        assert_eq!(kind, FailureKind::Assertion);
        assert!(said.ends_with("Diff < left / right > :\n<1\n>2"), "{said}");
        assert_eq!(place.unwrap().line, Some(9));
        assert!(trace.starts_with("thread 'a::bad'"));
        assert_eq!(panicked(text, "other").unwrap().1, "lost");
    }

    #[test]
    fn a_test_without_a_name_has_one_all_the_same() {
        let limits = Limits::default();
        let mut sink = Vec::new();
        let mut gather = Gather::new(Format::Jest, &limits, &mut sink);
        let place = Place::default();
        gather.add(attempt(TestId::default(), Outcome::Pass, "ok", place));
        assert_eq!(gather.reading.issues[0].kind, IssueKind::OddValue);
        assert_eq!(sink[0].test.to_string(), "(unnamed)");
    }

    #[test]
    fn an_id_that_comes_again_is_an_attempt_only_with_a_higher_number() {
        let limits = Limits::default();
        let mut sink = Vec::new();
        let mut gather = Gather::new(Format::Tap, &limits, &mut sink);
        let one = |number| Attempt {
            number,
            ..attempt(
                TestId::new("s", "", "n"),
                Outcome::Pass,
                "ok",
                Place::default(),
            )
        };
        gather.add(one(1));
        gather.add(one(2));
        assert!(gather.reading.issues.is_empty());
        assert_eq!(gather.next_number(&TestId::new("s", "", "n")), 3);
        gather.add(one(2));
        assert_eq!(gather.reading.issues[0].kind, IssueKind::Collision);
    }
}
