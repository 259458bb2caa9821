//! What a line of a `cargo test` log is.

use std::sync::LazyLock;

use regex::Regex;

use crate::{Outcome, SkipKind};

/// What continuous integration writes before a line: a time, in brackets or not, a stream's mark, the name of a container.
static PREFIX: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            \[?(?:\d{4}-\d\d-\d\d[T\ ])?\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\]?\ (?:\d\d[OE][+\ ]?)?
          | [A-Z][a-z]{2}\ [\d\ ]\d\ \d\d:\d\d:\d\d\ (?:\[[^\]]*\]\ )?
          | bk;t=\d{13}
          | [A-Za-z][\w.-]*\ +\|\ 
        )",
    )
    .ok()
});

/// The line without what was put before it.
pub(super) fn strip(line: &str) -> &str {
    let first = line.as_bytes().first().copied().unwrap_or(b' ');
    if !(first == b'[' || first.is_ascii_alphanumeric()) {
        return line;
    }
    if line.starts_with("test ") || line.starts_with("running ") {
        return line;
    }
    match PREFIX.as_ref().and_then(|prefix| prefix.find(line)) {
        Some(found) => &line[found.end()..],
        None => line,
    }
}

/// The beginning of a binary's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// Its name without the hash, and where its source is.
    pub(super) suite: String,
    /// The file that is run.
    pub(super) file: String,
    pub(super) is_doc: bool,
}

/// The counts of `test result:`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) is_ok: bool,
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
    pub(super) measured: u64,
}

impl Counts {
    pub(super) const fn total(self) -> u64 {
        self.passed
            .saturating_add(self.failed)
            .saturating_add(self.ignored)
            .saturating_add(self.measured)
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line<'a> {
    Header(Header),
    Running(u64),
    /// `test NAME ... WORD`; the word is absent if something else, or nothing, follows.
    Test {
        name: &'a str,
        word: Option<&'a str>,
        /// What stands before it in the line.
        before: &'a str,
        after: &'a str,
    },
    /// `test NAME ... ` in the middle of a line, and no word that is known behind it.
    Garbled,
    /// `NAME --- FAILED`, of the short form.
    ShortFailed(&'a str),
    /// `test NAME has been running for over 60 seconds`.
    Slow(&'a str),
    /// `failures:`
    Failures,
    /// `successes:`
    Successes,
    /// `---- NAME stdout ----`
    Section(&'a str),
    Result(Counts),
    /// `error: test failed, to rerun pass …`
    TestFailed,
    /// `process didn't exit successfully: …`
    Died {
        how: &'a str,
        signal: bool,
    },
    /// `error: could not compile …`, what follows.
    NotCompiled(&'a str),
    /// Dots.
    Dots,
    Other,
}

impl<'a> Line<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let trimmed = line.trim_end();
        let text = trimmed.trim_start();
        if let Some(rest) = text.strip_prefix("Running ")
            && let Some(header) = running(rest)
        {
            return Self::Header(header);
        }
        if let Some(rest) = text.strip_prefix("Doc-tests ")
            && trimmed.len() > text.len()
            && !rest.contains(char::is_whitespace)
            && rest.len() <= 1024
        {
            return Self::Header(Header {
                suite: format!("{rest} (doc-tests)"),
                file: rest.to_owned(),
                is_doc: true,
            });
        }
        if let Some(rest) = trimmed.strip_prefix("running ") {
            // `running 3 tests (shuffle seed: 7)`
            let rest = rest.split(" (shuffle seed: ").next().unwrap_or(rest);
            let count = rest
                .strip_suffix(" tests")
                .or_else(|| rest.strip_suffix(" test"));
            if let Some(count) = count.and_then(|count| count.parse().ok()) {
                return Self::Running(count);
            }
        }
        if let Some(counts) = result(trimmed) {
            return Self::Result(counts);
        }
        match trimmed {
            "failures:" => return Self::Failures,
            "successes:" => return Self::Successes,
            _ => {}
        }
        if let Some(name) = trimmed
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" ----"))
        {
            let name = name
                .strip_suffix(" stdout")
                .or_else(|| name.strip_suffix(" stderr"))
                .unwrap_or(name);
            return Self::Section(name);
        }
        if let Some(rest) = text.strip_prefix("error: could not compile ") {
            return Self::NotCompiled(rest);
        }
        if is_rerun_hint(text) {
            return Self::TestFailed;
        }
        if let Some(how) = died(text) {
            return Self::Died {
                how,
                signal: how.contains("(signal: ") || how.contains("STATUS_"),
            };
        }
        if let Some(name) = trimmed.strip_suffix(" --- FAILED") {
            return Self::ShortFailed(name);
        }
        if let Some(test) = test(trimmed) {
            return test;
        }
        if is_dots(trimmed) {
            return Self::Dots;
        }
        Self::Other
    }
}

pub(super) fn is_rerun_hint(text: &str) -> bool {
    [
        "error: test failed, to rerun",
        "error: doctest failed, to rerun",
        "error: bench failed",
    ]
    .iter()
    .any(|hint| text.starts_with(hint))
        || (text.starts_with("error: ") && text.ends_with(" target failed:"))
}

pub(super) fn died(text: &str) -> Option<&str> {
    let at = text.find("process didn't exit successfully: ")?;
    // Cargo and the shell write it at the beginning, or behind `Caused by:`.
    (at <= 16).then(|| &text[at..])
}

/// `unittests src/lib.rs (target/debug/deps/alpha-4e1d810bc1e6e60f)`, and without the place in old versions.
fn running(rest: &str) -> Option<Header> {
    if rest.len() > 4096 {
        return None;
    }
    let (source, file) = match rest.rsplit_once(" (") {
        Some((source, file)) => (source, file.strip_suffix(')')?),
        None => ("", rest),
    };
    if !file.contains("target") && !file.contains("deps") && !file.contains(['/', '\\']) {
        return None;
    }
    if source.is_empty() && file.contains(char::is_whitespace) {
        // `Running `…`` of a verbose log is the command.
        return None;
    }
    let file = file.trim_matches('`');
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let name = name
        .strip_suffix(".exe")
        .or_else(|| name.strip_suffix(".wasm"))
        .unwrap_or(name);
    let name = match name.rsplit_once('-') {
        Some((stem, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            stem
        }
        _ => name,
    };
    if name.is_empty() {
        return None;
    }
    let source = source.strip_prefix("unittests ").unwrap_or(source).trim();
    let source = source.strip_prefix("unittests").unwrap_or(source);
    let suite = if source.is_empty() {
        name.to_owned()
    } else {
        format!("{name} ({})", source.replace('\\', "/"))
    };
    Some(Header {
        suite,
        file: file.to_owned(),
        is_doc: false,
    })
}

fn result(line: &str) -> Option<Counts> {
    let rest = line.strip_prefix("test result: ")?;
    let (word, rest) = rest.split_once(". ")?;
    let mut counts = Counts {
        is_ok: word == "ok",
        ..Counts::default()
    };
    let mut known = 0;
    for part in rest.split(';') {
        let Some((count, word)) = part.trim().split_once(' ') else {
            continue;
        };
        let Ok(count) = count.parse::<u64>() else {
            continue;
        };
        match word {
            "passed" => counts.passed = count,
            "failed" => counts.failed = count,
            "ignored" => counts.ignored = count,
            "measured" => counts.measured = count,
            _ => continue,
        }
        known += 1;
    }
    (known >= 3).then_some(counts)
}

/// `test NAME ... WORD`, also behind what another thread printed without ending its line.
fn test(line: &str) -> Option<Line<'_>> {
    let at = if line.starts_with("test ") {
        0
    } else {
        line.rfind("test ")?
    };
    let rest = &line[at + 5..];
    if at == 0
        && let Some(name) = rest
            .strip_suffix(" seconds")
            .and_then(|rest| rest.split_once(" has been running for "))
    {
        return Some(Line::Slow(name.0));
    }
    if at == 0
        && let Some(test) = padded(rest)
    {
        return Some(test);
    }
    let (name, after) = match rest.split_once(" ... ") {
        Some(parts) => parts,
        None => (rest.strip_suffix(" ...")?, ""),
    };
    if name.is_empty() || name.len() > 4096 {
        return None;
    }
    // Names of functions have no spaces; those of documentation tests do, and end in their line.
    if name.contains(' ') && !name.contains(" - ") {
        return None;
    }
    let word = outcome(after).map(|_| after);
    if at > 0 && word.is_none() {
        // What threads print at one time can stand inside of a result. Only paths of functions are taken for names here.
        return name.contains("::").then_some(Line::Garbled);
    }
    Some(Line::Test {
        name,
        word,
        before: &line[..at],
        after,
    })
}

/// `test      NAME    ... WORD`, as libtest-mimic writes it: in columns, maybe with a kind before the name, and any text as the name.
fn padded(rest: &str) -> Option<Line<'_>> {
    let (column, after) = rest.rsplit_once(" ... ")?;
    outcome(after)?;
    let kind = column
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    if kind.is_none() && column.trim() == column {
        return None;
    }
    let name = kind.map_or(column, |(_, name)| name).trim();
    (!name.is_empty() && name.len() <= 4096).then_some(Line::Test {
        name,
        word: Some(after),
        before: "",
        after,
    })
}

/// Dots of the short form, with or without the count behind them.
fn is_dots(line: &str) -> bool {
    let dots = line.split(' ').next().unwrap_or_default();
    let rest = line[dots.len()..].trim();
    !dots.is_empty()
        && dots
            .bytes()
            .all(|b| matches!(b, b'.' | b'i' | b'F' | b'b' | b'a'))
        && (rest.is_empty()
            || rest
                .split_once('/')
                .is_some_and(|(a, b)| a.parse::<u64>().is_ok() && b.parse::<u64>().is_ok()))
}

/// What a test came to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ending {
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) seconds: Option<f64>,
    pub(super) is_late: bool,
    pub(super) raw: String,
}

/// The word behind `...`, or `None` if it is none that libtest writes.
pub(super) fn outcome(word: &str) -> Option<Ending> {
    let word = word.trim();
    let (word, seconds) = match word
        .strip_suffix("s>")
        .and_then(|rest| rest.rsplit_once(" <"))
    {
        Some((word, seconds)) => (word, seconds.parse().ok()),
        None => (word, None),
    };
    let mut ending = Ending {
        outcome: Outcome::Pass,
        reason: None,
        seconds,
        is_late: false,
        raw: word.to_owned(),
    };
    match word {
        "ok" => {}
        "FAILED" => ending.outcome = Outcome::Fail,
        "FAILED (time limit exceeded)" | "failed (time limit exceeded)" => {
            ending.outcome = Outcome::Fail;
            ending.is_late = true;
        }
        "failed (allowed)" | "FAILED (allowed)" => ending.outcome = Outcome::ExpectedFailure,
        "ignored" => ending.outcome = Outcome::Skip(SkipKind::Declared),
        _ if word.starts_with("ignored, ") => {
            ending.outcome = Outcome::Skip(SkipKind::Declared);
            ending.reason = Some(word["ignored, ".len()..].to_owned());
            "ignored".clone_into(&mut ending.raw);
        }
        _ if word.starts_with("bench:") && word.contains("/iter") => {
            "bench".clone_into(&mut ending.raw);
        }
        _ => return None,
    }
    Some(ending)
}

pub(super) fn is_compiler_error(line: &str) -> bool {
    (line.starts_with("error[") && line.contains("]: "))
        || (line.starts_with("error: ")
            && !line.starts_with("error: test failed")
            && !line.starts_with("error: aborting due to"))
}

/// `` `alpha` (lib test) due to 2 previous errors `` → the crate and the target.
pub(super) fn compiled(what: &str) -> (&str, &str) {
    let mut parts = what.split('`');
    let (Some(""), Some(name)) = (parts.next(), parts.next()) else {
        return ("", "");
    };
    let rest = parts.next().unwrap_or_default().trim_start();
    let target = rest
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or("", |(target, _)| target);
    (name, target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_before_a_line_is_taken_off() {
        for line in [
            "test a ... ok",
            "2024-05-01T10:11:12.1234567Z test a ... ok",
            "[2024-05-01 10:11:12] test a ... ok",
            "2024-05-01T10:11:12.123456Z 00O test a ... ok",
            "10:11:12 test a ... ok",
            "[10:11:12.5] test a ... ok",
            "May  1 10:11:12 test a ... ok",
            "runner-1  | test a ... ok",
        ] {
            assert_eq!(strip(line), "test a ... ok", "{line}");
        }
        assert_eq!(strip("12 | let x = 1;"), "12 | let x = 1;");
    }

    #[test]
    fn lines_are_told_apart() {
        let header = |line| match Line::of(line) {
            Line::Header(header) => header.suite,
            other => format!("{other:?}"),
        };
        assert_eq!(
            header("     Running unittests src/lib.rs (target/debug/deps/alpha-4e1d810bc1e6e60f)"),
            "alpha (src/lib.rs)"
        );
        assert_eq!(
            header(r"     Running tests\it.rs (target\debug\deps\it-4e1d810bc1e6e60f.exe)"),
            "it (tests/it.rs)"
        );
        assert_eq!(
            header("     Running target/debug/deps/alpha-4e1d810bc1e6e60f"),
            "alpha"
        );
        assert_eq!(header("   Doc-tests alpha"), "alpha (doc-tests)");
        assert_eq!(header("Running the migration now"), "Other");
        assert_eq!(
            Line::of("running 12 tests (shuffle seed: 1795329019266901340)"),
            Line::Running(12)
        );
        for (line, name) in [
            ("test      ok a b  ... ok", "ok a b"),
            ("test [ui] kind    ... ok", "kind"),
            ("test      ... ok  ... ok", "... ok"),
        ] {
            assert_eq!(
                Line::of(line),
                Line::Test {
                    name,
                    word: Some("ok"),
                    before: "",
                    after: "ok"
                }
            );
        }
        assert_eq!(Line::of("test that it works ... ok"), Line::Other);
        assert_eq!(Line::of("running 1 test"), Line::Running(1));
        assert!(matches!(
            Line::of("noise test a::b ... ok"),
            Line::Test {
                name: "a::b",
                word: Some("ok"),
                ..
            }
        ));
        assert!(matches!(
            Line::of("test a ... printed"),
            Line::Test { word: None, .. }
        ));
        assert_eq!(Line::of("this is a test of it ... ok"), Line::Other);
        assert!(matches!(
            Line::of("test src/lib.rs - add (line 17) - compile fail ... ok"),
            Line::Test {
                word: Some("ok"),
                ..
            }
        ));
        assert_eq!(Line::of("..F.i 5/10"), Line::Dots);
        assert_eq!(
            compiled("`a` (lib test) due to 1 previous error"),
            ("a", "lib test")
        );
        assert_eq!(compiled("`a`."), ("a", ""));
    }
}
