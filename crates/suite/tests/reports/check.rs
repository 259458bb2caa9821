//! What the tests of all readers of lines and of JSON share: a report as a table, and what must hold of it wherever it is cut.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::BufReader;

use gonogo_suite::read::{self, detect};
use gonogo_suite::{Attempt, Format, Limits, Outcome, Reading};

/// Reads bytes, a few at a time, as a pipe would give them.
pub(crate) fn read(format: Format, bytes: &[u8]) -> (Reading, Vec<Attempt>) {
    let mut sink = Vec::new();
    let mut source = BufReader::with_capacity(61, bytes);
    let reading = read::read(format, &mut source, &Limits::default(), &mut sink);
    (reading, sink)
}

/// A fixture's bytes.
pub(crate) fn fixture(path: &str) -> Vec<u8> {
    let path = format!("{}/tests/reports/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A report as a table: what was read of it, a line for each attempt, and its issues.
pub(crate) fn table(format: Format, bytes: &[u8]) -> String {
    let (reading, attempts) = read(format, bytes);
    let seen = reading.seen;
    assert_eq!(seen.attempts, attempts.len() as u64);
    assert_eq!(reading.bytes, bytes.len() as u64, "not all of it was read");
    let mut out = format!(
        "{:?}: {} attempts, {} passed, {} failed, {} errors, {} skipped; declared {:?}\n",
        reading.parse,
        seen.attempts,
        seen.passed,
        seen.failed,
        seen.errors,
        seen.skipped,
        reading.declared
    );
    for attempt in &attempts {
        assert!(attempt.place.from <= attempt.place.to && attempt.place.to <= reading.bytes);
        let word = match attempt.outcome {
            Outcome::Skip(kind) => format!("skip {kind:?}").to_lowercase(),
            outcome => outcome.word().to_owned(),
        };
        let _ = write!(out, "{word:18} {}", attempt.test);
        if attempt.number > 1 {
            let _ = write!(out, " (attempt {})", attempt.number);
        }
        if attempt.cached {
            out.push_str(" (cached)");
        }
        if let Some(reason) = &attempt.skipped {
            let _ = write!(out, " — {reason}");
        }
        out.push('\n');
        for failure in &attempt.failures {
            let _ = write!(out, "    {:?}: {:?}", failure.kind, failure.message);
            if let Some(place) = &failure.location {
                let _ = write!(out, " at {}:{:?}", place.file, place.line.unwrap_or(0));
            }
            out.push('\n');
        }
    }
    for issue in &reading.issues {
        let _ = writeln!(out, "{:?} at {}: {}", issue.kind, issue.at, issue.text);
    }
    out
}

/// What must hold of a report that is cut anywhere: no panic, no pass that the whole does not have, and an issue wherever a test
/// is lost, except behind the places of which the format itself says nothing.
pub(crate) fn cuts(format: Format, bytes: &[u8], is_clean: fn(&[u8]) -> bool) {
    let (_, whole) = read(format, bytes);
    let key = |attempt: &Attempt| (attempt.test.class.clone(), attempt.test.name.clone());
    let passes: HashSet<_> = whole
        .iter()
        .filter(|a| a.outcome.is_green())
        .map(key)
        .collect();
    let green = whole.iter().filter(|a| a.outcome.is_green()).count();
    let step = (bytes.len() / 700).max(1);
    let ends = memchr_lines(bytes);
    for at in (0..bytes.len()).step_by(step).chain(ends) {
        let (reading, attempts) = read(format, &bytes[..at]);
        let now = attempts.iter().filter(|a| a.outcome.is_green()).count();
        assert!(now <= green, "cut at {at}: {now} passes of {green}");
        for attempt in attempts.iter().filter(|a| a.outcome.is_green()) {
            assert!(
                passes.contains(&key(attempt)),
                "cut at {at}: {} passes, and does not in the whole",
                attempt.test
            );
        }
        let is_told = reading
            .issues
            .iter()
            .any(|issue| issue.kind.reason().is_some());
        assert!(
            is_told || attempts.len() == whole.len() || is_clean(&bytes[..at]),
            "cut at {at}: {} of {} attempts and no issue",
            attempts.len(),
            whole.len()
        );
    }
}

fn memchr_lines(bytes: &[u8]) -> Vec<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n');
    ends.map(|(at, _)| at + 1)
        .filter(|at| *at < bytes.len())
        .collect()
}

/// Bytes changed, doubled and taken out: never a panic, and the place of each attempt is inside.
pub(crate) fn noise(format: Format, bytes: &[u8]) {
    // Numbers of a fixed series: the same damage each time.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let mut bad = bytes.to_vec();
        for _ in 0..=next() % 8 {
            if bad.is_empty() {
                break;
            }
            let at = (next() % bad.len() as u64) as usize;
            match next() % 4 {
                0 => bad[at] = next() as u8,
                1 => {
                    bad.remove(at);
                }
                2 => bad.truncate(at),
                _ => {
                    let piece: Vec<u8> = bad[at..].iter().take(200).copied().collect();
                    bad.splice(at..at, piece);
                }
            }
        }
        let (reading, attempts) = read(format, &bad);
        assert_eq!(reading.bytes, bad.len() as u64);
        for attempt in attempts {
            assert!(attempt.place.from <= attempt.place.to && attempt.place.to <= reading.bytes);
        }
    }
}

/// What no reader of this format takes: it says what it found, and gives no attempt.
pub(crate) fn refusals(format: Format) {
    for (bytes, found) in [
        (&b""[..], "nothing"),
        (b"\n \n", "nothing"),
        (
            b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>\n",
            "an HTML page",
        ),
        (b"{\"error\": \"not found\"}\n", "JSON"),
        (b"Segmentation fault\n", "other text"),
        (b"\x00\x01\x02\x03", "binary data"),
    ] {
        let (reading, attempts) = read(format, bytes);
        assert!(attempts.is_empty());
        assert_eq!(reading.parse, gonogo_suite::Parse::Rejected, "{found}");
        assert!(
            reading.issues[0].text.ends_with(found),
            "{:?}",
            reading.issues
        );
        assert!(!reading.is_whole());
    }
}

/// That the format is known by the report's beginning alone.
pub(crate) fn known(format: Format, bytes: &[u8]) {
    assert_eq!(detect(None, bytes), Some(format));
}

/// The words of the attempts, `outcome name`, and the kinds of the issues.
pub(crate) fn brief(format: Format, text: &str) -> (Vec<String>, Vec<String>) {
    let (reading, attempts) = read(format, text.as_bytes());
    let attempts = attempts.iter().map(|a| {
        let number = if a.number > 1 {
            format!(" #{}", a.number)
        } else {
            String::new()
        };
        format!("{} {}{number}", a.outcome.word(), a.test.name)
    });
    let issues = reading.issues.iter().map(|i| format!("{:?}", i.kind));
    (attempts.collect(), issues.collect())
}

/// Reports by hand: their attempts and their issues.
pub(crate) fn cases(format: Format, cases: &[(&str, &[&str], &[&str])]) {
    for (text, attempts, issues) in cases {
        let (seen, told) = brief(format, text);
        assert_eq!(seen, *attempts, "{text}");
        assert_eq!(told, *issues, "{text}");
    }
}
