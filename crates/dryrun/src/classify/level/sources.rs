//! Levels behind what collectors put before each line: the source's name, the time of arrival, the stream. Looked for only where the
//! line as it stands states none. Only prefixes of known make are taken off; what a sentence quotes is not read.

use super::super::json::{self, End};
use super::super::{lossy, prefix};
use super::{Level, month, of_fields, of_text, temporal, word_of};
use crate::spec::NumericLevels;

/// Bytes in which a prefix ends.
const REACH: usize = 120;

/// Returns the level that a line states behind a source's prefix, or behind two of them.
pub(crate) fn of_sourced(line: &[u8], by: NumericLevels) -> Option<(Level, &'static str)> {
    if line.first() == Some(&0x1b) {
        return of_coloured(line, by);
    }
    of_plain(line, by)
}

/// Names in colour.
#[cold]
fn of_coloured(line: &[u8], by: NumericLevels) -> Option<(Level, &'static str)> {
    let text = lossy(line, line.len());
    let plain = prefix::uncoloured(&text);
    // A box in colour.
    if plain.starts_with('│') {
        return of_text(plain.as_bytes());
    }
    of_plain(plain.as_bytes(), by)
}

fn of_plain(line: &[u8], by: NumericLevels) -> Option<(Level, &'static str)> {
    let mut rest = line;
    for _ in 0..2 {
        rest = behind(rest)?;
        if let Some(behind) = labelled(rest) {
            rest = behind;
        }
        if rest.first() == Some(&b'{') {
            let scan = json::scan(rest, None);
            if scan.end != End::Object {
                return None;
            }
            let level = of_fields(&scan, rest, by)?.0?;
            return Some((level, word_of(level)));
        }
        if let Some(found) = of_text(rest) {
            return Some(found);
        }
    }
    None
}

/// Returns what is behind the prefix, if there is one.
pub(super) fn behind(line: &[u8]) -> Option<&[u8]> {
    let head = line.get(..REACH).unwrap_or(line);
    match *head.first()? {
        // The mark of UTF-8, where files were put together; zeros, where a disk lost its power.
        0xef => line.strip_prefix(b"\xef\xbb\xbf"),
        0 => {
            let end = line.iter().position(|byte| *byte != 0)?;
            Some(&line[end..])
        }
        // `[worker-1] `, `[pod/web-1/app] `: a name, and not a list or a level.
        b'[' => {
            let end = head.iter().position(|byte| *byte == b']')?;
            let name = &head[1..end];
            let is_name =
                !name.is_empty() && !name.iter().any(|byte| matches!(byte, b',' | b'"' | b'{'));
            (is_name && head.get(end + 1) == Some(&b' ')).then(|| trimmed(&line[end + 2..]))
        }
        b'|' | b'{' | b' ' | b'\t' | b'#' => None,
        _ => named(line, head)
            .or_else(|| timed(line, head))
            .or_else(|| worded(line, head)),
    }
}

/// `web-1  | `, `10:00:00 web.1 | `: few words with a number among them, and a bar.
fn named<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let (bar, width) = match (
        memchr::memmem::find(head, b" | "),
        memchr::memmem::find(head, " │ ".as_bytes()),
    ) {
        (Some(bar), _) => (bar, 3),
        (None, Some(bar)) => (bar, " │ ".len()),
        _ => return None,
    };
    let name = &head[..bar];
    let words = name
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    let is_name = name.iter().any(u8::is_ascii_digit) && words.count() <= 3;
    is_name.then(|| trimmed(&line[bar + width..]))
}

/// `{app="web", pod="web-1"} `: Loki's labels.
fn labelled(line: &[u8]) -> Option<&[u8]> {
    let name = line.strip_prefix(b"{")?;
    let end = name
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    if end == 0 || !name[end..].starts_with(b"=\"") {
        return None;
    }
    let head = line.get(..4 * REACH).unwrap_or(line);
    let end = memchr::memmem::find(head, b"\"} ")?;
    Some(trimmed(&line[end + 2..]))
}

/// What the first word tells: a task or a process by its colon, a pod by its dashes.
#[inline]
fn worded<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let first = &head[..memchr::memchr(b' ', head)?];
    if first.last() == Some(&b':') {
        tagged(line, head)
    } else if memchr::memchr(b'-', first).is_some() {
        pod(line, head)
    } else {
        None
    }
}

/// `web:dev: `, `app[web.1]: `: a task of a package, a process of an application.
fn tagged<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let (word, end) = words(head).next()?;
    let name = word.strip_suffix(b":")?;
    let is_name = name.ends_with(b"]") && name.contains(&b'[')
        || name.iter().filter(|byte| **byte == b':').count() == 1
            && !name.starts_with(b":")
            && !name.ends_with(b":")
            && name
                .first()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'@')
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"@/._-#:".contains(byte));
    is_name.then(|| trimmed(&line[end..]))
}

/// `web-5d9c7b8f6d-x2x9z app `, `shop-0 shop `: a pod and its container, as stern has them.
fn pod<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let mut words = words(head);
    let ((pod, _), (container, end)) = (words.next()?, words.next()?);
    let plain = |name: &[u8]| {
        name.iter().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
        })
    };
    if !plain(pod) || !plain(container) {
        return None;
    }
    let dash = pod.iter().rposition(|byte| *byte == b'-')?;
    let (name, last) = (&pod[..dash], &pod[dash + 1..]);
    // Names that are made have no vowels in them.
    let made =
        |part: &[u8]| part.len() == 5 && !part.iter().any(|byte| b"aeiouy013.".contains(byte));
    let counted = !last.is_empty() && last.iter().all(u8::is_ascii_digit) && name == container;
    let hashed = made(last) && name.iter().any(u8::is_ascii_digit);
    (counted || hashed).then(|| trimmed(&line[end..]))
}

/// Android's brief form: `E/Shop( 123): no funds`.
pub(super) fn logcat(head: &[u8]) -> Option<Level> {
    let open = head.iter().take(64).position(|byte| *byte == b'(')?;
    let rest = head.get(open + 1..)?;
    let close = rest.iter().take(8).position(|byte| *byte == b')')?;
    let number = rest[..close].trim_ascii();
    let is_process = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    (open > 2 && is_process && rest[close + 1..].starts_with(b": "))
        .then(|| super::of_word(&head[..1]))?
}

/// A time, and behind it nothing, the stream as container runtimes have it, or a host and a program as syslog has them.
fn timed<'a>(line: &'a [u8], head: &[u8]) -> Option<&'a [u8]> {
    let mut words = words(head);
    let (first, end) = words.next()?;
    if temporal(first) {
        let mut rest = words.clone();
        if let (Some((b"stdout" | b"stderr", _)), Some((b"F" | b"P", end))) =
            (rest.next(), rest.next())
        {
            return Some(trimmed(&line[end..]));
        }
        // RFC 3339 in syslog: a host, and a program with a colon.
        let mut rest = words.clone();
        if let (Some(_), Some((program, end))) = (rest.next(), rest.next())
            && program.ends_with(b"]:")
        {
            return Some(trimmed(&line[end..]));
        }
        return Some(trimmed(&line[end..]));
    }
    if !month(first) {
        return None;
    }
    // RFC 3164: month, day, time, host, program.
    let (_, (time, _), _, (program, end)) =
        (words.next()?, words.next()?, words.next()?, words.next()?);
    (temporal(time) && program.ends_with(b":")).then(|| trimmed(&line[end..]))
}

/// Words, each with where it ends.
fn words(head: &[u8]) -> impl Iterator<Item = (&[u8], usize)> + Clone {
    let mut at = 0;
    std::iter::from_fn(move || {
        while head.get(at) == Some(&b' ') {
            at += 1;
        }
        let from = at;
        while head.get(at).is_some_and(|byte| *byte != b' ') {
            at += 1;
        }
        (at > from).then(|| (&head[from..at], at))
    })
}

/// Without one blank at its beginning.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_prefix(b" ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_behind_sources_are_read() {
        for prefix in [
            "web-1  | ",
            "web_1 | ",
            "10:00:00 web.1  | ",
            "[worker-1] ",
            "[pod/web-1/app] ",
            "2026-11-21T10:00:00.000000000Z stderr F ",
            "2026-11-21T10:00:00.0000000Z ",
            "Nov 21 10:00:00 host shop[12]: ",
            "2026-11-21T10:00:00+00:00 host shop[12]: ",
            "web-1  | 2026-11-21T10:00:00Z ",
            "\u{feff}",
            "\0\0\0\0",
        ] {
            for (line, level) in [
                (r#"{"level":"error","message":"db down"}"#, Level::Error),
                (r#"{"ts":1,"level":50,"msg":"x"}"#, Level::Error),
                (r#"{"level":"warn","msg":"x"}"#, Level::Warning),
                ("ERROR db down", Level::Error),
                ("[ERROR] db down", Level::Error),
                ("E1121 12:00:00.000000   123 file.go:1] x", Level::Error),
            ] {
                let line = format!("{prefix}{line}");
                let found = of_text(line.as_bytes())
                    .or_else(|| of_sourced(line.as_bytes(), NumericLevels::Auto));
                assert_eq!(found.map(|f| f.0), Some(level), "{line}");
            }
        }
    }

    #[test]
    fn what_is_quoted_or_listed_is_not_read() {
        for line in [
            r#"the peer answered {"level":"error"}"#,
            r#"[1, 2] {"level":"error"}"#,
            "| ERROR | 3 |",
            "level | ERROR | 3",
            "see ERROR in the manual",
            r#"[worker-1] sent {"level":"error"}"#,
            r#"web-1  | {"level":"error","cut of"#,
            "[worker-1] no error here",
            "Nov 21 10:00:00 host shop[12]: errors: 0",
            "",
            "[",
            "[]",
            "Nov",
        ] {
            let found = of_sourced(line.as_bytes(), NumericLevels::Auto);
            assert_eq!(found, None, "{line}");
        }
    }
}
