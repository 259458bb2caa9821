//! Which numbers say what went wrong, and which belong to the run.
//!
//! A number is judged by its place: the word before it, what joins them, the unit behind it. Where the place says nothing, short numbers are
//! values of an expectation, and long ones are ids, addresses and counts of the run.

use std::ops::Range;

/// What a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Is {
    /// Seconds, or parts of them, since 1970.
    Time,
    /// Of the run.
    Noise,
    /// Of the failure.
    Value,
}

/// Most digits of a value whose place says nothing.
const SHORT: usize = 4;

/// Most bytes before a number that are looked at.
const NEAR: usize = 256;

/// Most digits behind the point of a value that somebody wrote.
const FRACTION: usize = 3;

/// Words before numbers that say what went wrong, however long these are.
const TELLING: &[&str] = &[
    "exit",
    "exited",
    "code",
    "status",
    "errno",
    "signal",
    "rc",
    "returned",
    "http",
    "ended",
    "error",
    "exitcode",
    "statuscode",
];

/// Words before numbers of the run.
const PASSING: &[&str] = &[
    "pid",
    "ppid",
    "tid",
    "process",
    "thread",
    "port",
    "line",
    "col",
    "column",
    "goroutine",
    "id",
    "seed",
    "attempt",
    "retry",
    "worker",
    "shard",
    "iteration",
    "request",
    "run",
    "build",
    "job",
    "offset",
    "position",
    "pos",
    "fd",
    "seq",
    "timestamp",
    "ts",
    "took",
    "elapsed",
    "duration",
    "pool",
    "session",
    "connection",
    "conn",
    "inode",
    "uid",
    "gid",
];

/// Units behind numbers that differ from run to run: times and sizes.
const UNITS: &[&str] = &[
    "ns",
    "us",
    "µs",
    "ms",
    "s",
    "sec",
    "secs",
    "second",
    "seconds",
    "m",
    "min",
    "mins",
    "minute",
    "minutes",
    "h",
    "hour",
    "hours",
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "b",
    "kb",
    "mb",
    "gb",
    "kib",
    "mib",
    "gib",
    "byte",
    "bytes",
    "k",
    "g",
];

/// Words that are counted on: `worker12`, `gw3`.
const COUNTED: &[&str] = &[
    "worker", "thread", "tmp", "temp", "shard", "pool", "proc", "process", "gw", "pytest", "run",
    "job", "task", "conn", "node", "pod", "host", "session", "client", "slot", "attempt", "pid",
    "port", "build",
];

/// What the number at a place of a line is; units may be part of it (`3.2s`).
pub(super) fn of(line: &str, range: Range<usize>) -> Is {
    let word = &line[range.clone()];
    let digits = word
        .bytes()
        .take_while(|b| b.is_ascii_digit() || *b == b'.')
        .count();
    let (bare, glued) = word.split_at(digits);
    let bare = bare.trim_end_matches('.');
    // What is farther away says nothing, and a line may be long.
    let near = super::floor(line, range.start.saturating_sub(NEAR));
    let (before, behind) = (&line[near..range.start], &line[range.end..]);
    let joint = before.trim_end_matches([' ', ':', '=', '(', '[', '\'', '"', '-']);
    let gap = &before[joint.len()..];
    let from = joint
        .rfind(|c: char| !(c.is_alphanumeric() || c == '_'))
        .map_or(0, |n| {
            n + joint[n..].chars().next().map_or(1, char::len_utf8)
        });
    let named = joint[from..].to_ascii_lowercase();
    let last = named.rsplit('_').next().unwrap_or_default();
    let with = last == "with" && joint[..from].trim_end().ends_with("ended");
    if gap.len() <= 4 && (with || TELLING.contains(&last)) && glued.is_empty() {
        return Is::Value;
    }
    if is_epoch(bare) && glued.is_empty() {
        return Is::Time;
    }
    let is_unit = |text: &str| UNITS.contains(&text.to_lowercase().as_str());
    if !glued.is_empty() {
        let exponent = glued.starts_with(['e', 'E'])
            && glued[1..]
                .bytes()
                .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'));
        let plain = glued.chars().all(char::is_alphabetic);
        return match is_unit(glued) || !(plain || exponent) || bare.len() > SHORT {
            true => Is::Noise,
            false => Is::Value,
        };
    }
    let unit: String = behind
        .strip_prefix(' ')
        .unwrap_or(behind)
        .chars()
        .take(13)
        .take_while(|c| c.is_alphanumeric())
        .collect();
    let placed = gap.len() <= 4 && PASSING.contains(&last) && !gap.is_empty();
    let within = before.ends_with("==") && behind.starts_with("==");
    if is_unit(&unit)
        || behind.starts_with('%')
        || placed
        || within
        || before.ends_with('#')
        || is_place(before, bare)
    {
        return Is::Noise;
    }
    let mut parts = bare.split('.');
    let (whole, fraction) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let short = whole.len() <= SHORT && fraction.len() <= FRACTION && parts.next().is_none();
    if short { Is::Value } else { Is::Noise }
}

/// A line, a column or a port: behind a file's name or a host's and a colon, or in brackets behind a file's name.
fn is_place(before: &str, digits: &str) -> bool {
    let name_of = |text: &str| -> String {
        let from = text.rfind(|c: char| {
            !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '/' | '\\' | ']' | ':'))
        });
        text[from.map_or(0, |n| {
            n + text[n..].chars().next().map_or(1, char::len_utf8)
        })..]
            .to_owned()
    };
    if let Some(text) = before.strip_suffix(':') {
        let name = name_of(text);
        let Some(first) = name.split(':').find(|part| part.len() > 1) else {
            return name.ends_with(']');
        };
        let letters = first.chars().any(char::is_alphabetic);
        let dotted = first.contains(['.', '/', '\\']);
        return (dotted && (letters || first.split('.').count() == 4))
            || name.ends_with(']')
            || first == "localhost"
            || (letters && digits.len() >= 4);
    }
    // `a.ts(12,5)`, `A.java:[12,8]`.
    let before = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == ',');
    let Some(text) = before.strip_suffix(['(', '[']) else {
        return false;
    };
    let name = name_of(text.strip_suffix(':').unwrap_or(text));
    name.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty() && (1..=4).contains(&end.len()) && end.chars().all(char::is_alphabetic)
    })
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, between 2001 and 2033.
fn is_epoch(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit());
    digits
        && matches!(whole.len(), 10 | 13 | 16 | 19)
        && (whole.starts_with('1') || whole.starts_with("20"))
}

/// Whether digits behind a word, and part of it, are the run's: many, or on something that is counted on.
pub(super) fn is_counter(before: &str, digits: usize) -> bool {
    let word = before
        .rsplit(|c: char| !c.is_alphabetic())
        .find(|part| !part.is_empty())
        .unwrap_or_default();
    digits > 3 || COUNTED.contains(&word)
}
