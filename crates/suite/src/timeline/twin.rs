//! Lines of two runs made alike, so that a diff of their logs shows what differs and not when and where they ran.
//!
//! Times, durations, directories, ids, addresses, ports and process ids become placeholders; other numbers stay, because `3 passed` and
//! `4 passed` differ. What is taken for a time, an id or a directory is decided by the same code as for signatures.

use std::sync::LazyLock;

use regex::Regex;

use crate::first_failure::clean;
use crate::signature::{Volatile, Writer, mask};

/// The line with placeholders: `<time>`, `<duration>`, `<id>`, `<address>`, `<port>`, `<pid>`, and `<dir>/` before the last two parts of an
/// absolute path. Terminal escapes and the times that a CI system puts before a line are taken out. A twin of a twin is the same.
pub fn twin(line: &str) -> String {
    static DURATION: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|secs?|seconds?|m|mins?|minutes?)\b(?:[ ]?\d+(?:\.\d+)?s\b)?")
            .expect("invariant: a pattern in the source is one")
    });
    static PID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(pid|process|thread|goroutine)([ =:#]+)\d+\b|'( \()\d+(\) panicked at)|^(==)\d+(==)")
            .expect("invariant: a pattern in the source is one")
    });
    let line = clean(line);
    let line = PID.replace_all(&line, |parts: &regex::Captures<'_>| {
        let group = |n: usize| parts.get(n).map_or("", |m| m.as_str());
        let quote = if parts.get(3).is_some() { "'" } else { "" };
        format!(
            "{}{}{quote}{}{}<pid>{}{}",
            group(1),
            group(2),
            group(3),
            group(5),
            group(4),
            group(6),
        )
    });
    let line = DURATION.replace_all(&line, "<duration>");
    let mut out = String::with_capacity(line.len());
    mask(&line, &mut Twin, &mut out);
    out
}

struct Twin;

impl Writer for Twin {
    const PARTS: usize = 2;

    fn put(&mut self, what: Volatile, value: &str, out: &mut String) {
        match what {
            Volatile::Time => out.push_str("<time>"),
            Volatile::Id if value.starts_with("0x") || value.starts_with("0X") => {
                out.push_str("<address>");
            }
            Volatile::Id => out.push_str("<id>"),
            Volatile::Number if is_port(value, out) => out.push_str("<port>"),
            Volatile::Number => out.push_str(value),
        }
    }

    fn root(&mut self, out: &mut String) {
        // Behind its own placeholder a path has no other root.
        out.push_str(if out.ends_with("<dir>") {
            "/"
        } else {
            "<dir>/"
        });
    }
}

/// A number behind a host and a colon.
fn is_port(value: &str, out: &str) -> bool {
    let digits = (2..=5).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
    let Some(before) = out.strip_suffix(':').filter(|_| digits) else {
        return false;
    };
    let from = before
        .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ']' | ':')))
        .map_or(0, |n| n + 1);
    let host = &before[from..];
    let is_address =
        host.split('.').count() == 4 && host.split('.').all(|p| p.parse::<u8>().is_ok());
    let in_url = before[..from].ends_with("//") || before[..from].ends_with('@');
    host == "localhost" || is_address || host.ends_with(']') || (in_url && !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_run_is_named_and_the_rest_stays() {
        for (line, expected) in [
            (
                "3 passed, 1 failed in 0.12s",
                "3 passed, 1 failed in <duration>",
            ),
            (
                "finished in 1.2 seconds, took 35ms",
                "finished in <duration>, took <duration>",
            ),
            (
                "at 2026-11-21T10:00:00.123Z: listening on 127.0.0.1:41233",
                "at <time>: listening on 127.0.0.1:<port>",
            ),
            (
                "GET http://localhost:8080/a/17",
                "GET http://localhost:<port>/a/17",
            ),
            ("open /tmp/run-123/a/b.txt: no", "open <dir>/a/b.txt: no"),
            ("in src/lib.rs:12:5", "in src/lib.rs:12:5"),
            ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff", "id <id>"),
            ("object at 0x7f3a2b10", "object at <address>"),
            ("commit 9493be9aa1b2", "commit <id>"),
            ("pid 4711 and PID=12", "pid <pid> and PID=<pid>"),
            (
                "==123==ERROR: AddressSanitizer",
                "==<pid>==ERROR: AddressSanitizer",
            ),
            (
                "thread 'a' (4711) panicked at src/a.rs:1:2:",
                "thread 'a' (<pid>) panicked at src/a.rs:1:2:",
            ),
            ("2026-11-21T10:00:00.1234567Z \u{1b}[31mred\u{1b}[0m", "red"),
            ("expected 5, got 6", "expected 5, got 6"),
            ("ratio 16:9", "ratio 16:9"),
            (
                "epoch 1732264862 or 1732264862.123 or 1732264862123",
                "epoch <time> or <time> or <time>",
            ),
            (
                "on Sat, 22 Nov 2026 07:28:00 GMT, a Saturday",
                "on <time>, a <time>",
            ),
            (
                "cd /tmp/tmpab_12cd; cd /tmp/tmp.Ab12Cd34Ef",
                "cd <dir>/<id>; cd <dir>/<id>",
            ),
            (
                "in /tmp/pytest-of-ana/pytest-12/test_a0/f.txt",
                "in <dir>/test_a0/f.txt",
            ),
            ("in /tmp/pytest-of-ana/pytest-12", "in <dir>/"),
            (
                "in /var/folders/zz/a1b2c3/T/tmpab_12cd/f.txt",
                "in <dir>/f.txt",
            ),
            ("HTTP 404, exit code 2", "HTTP 404, exit code 2"),
            ("", ""),
        ] {
            assert_eq!(twin(line), expected, "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_twin_of_a_twin_is_the_same(line in "[a-f0-9:/ .<>=x-]{0,40}|\\PC{0,60}") {
            let once = twin(&line);
            proptest::prop_assert_eq!(twin(&once), once.clone());
        }
    }
}
