//! Lines as a person sees them: without terminal escapes, what a progress bar wrote over, and what a CI system put before them.

use std::borrow::Cow;
use std::io::{self, BufRead};

/// Reads lines of any length in bounded memory. What stands before a carriage return was written over, unless nothing follows it.
pub(super) struct Lines<'a> {
    source: &'a mut dyn BufRead,
    line: Vec<u8>,
    text: String,
    limit: usize,
    bytes: u64,
    cut: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead, limit: usize) -> Self {
        Self {
            source,
            line: Vec::new(),
            text: String::new(),
            limit,
            bytes: 0,
            cut: 0,
        }
    }

    /// The next line, cleaned.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        self.line.clear();
        let (mut is_cut, mut any) = (false, false);
        // A carriage return takes effect when something other than the end of the line follows.
        let mut returned = false;
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', chunk);
            let used = end.map_or(chunk.len(), |end| end + 1);
            let mut part = &chunk[..end.unwrap_or(chunk.len())];
            while !part.is_empty() {
                let to = memchr::memchr(b'\r', part).unwrap_or(part.len());
                if to > 0 {
                    if returned {
                        self.line.clear();
                        is_cut = false;
                        returned = false;
                    }
                    let room = self.limit.saturating_sub(self.line.len());
                    self.line.extend_from_slice(&part[..to.min(room)]);
                    is_cut |= to > room;
                }
                returned |= to < part.len();
                part = part.get(to + 1..).unwrap_or_default();
            }
            self.bytes += used as u64;
            self.source.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        self.cut += u64::from(is_cut);
        let text = String::from_utf8_lossy(&self.line);
        self.text = clean(&text).into_owned();
        Ok(Some(&self.text))
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn cut(&self) -> u64 {
        self.cut
    }
}

/// A line without terminal escapes, and without what GitHub, GitLab, Azure, Buildkite and Jenkins put before it: times, marks of sections,
/// `##[error]`.
pub fn clean(line: &str) -> Cow<'_, str> {
    let plain: Cow<'_, str> = if line.bytes().any(|b| b < 0x20 && b != b'\t' || b == 0x7f) {
        Cow::Owned(escapes(line))
    } else {
        Cow::Borrowed(line)
    };
    let kept = prefixes(&plain).trim_end().len();
    let from = plain.len() - prefixes(&plain).len();
    match plain {
        Cow::Borrowed(line) => Cow::Borrowed(&line[from..from + kept]),
        Cow::Owned(mut line) => {
            line.truncate(from + kept);
            line.drain(..from);
            Cow::Owned(line)
        }
    }
}

fn escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                Some('[') => {
                    while chars
                        .next_if(|c| ('\u{20}'..='\u{3f}').contains(c))
                        .is_some()
                    {}
                    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
                }
                // A title, or Buildkite's time: up to BEL or ST.
                Some(']' | '_' | 'P' | '^') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            chars.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                Some(c) if ('\u{20}'..='\u{2f}').contains(&c) => {
                    while chars
                        .next_if(|c| ('\u{20}'..='\u{2f}').contains(c))
                        .is_some()
                    {}
                    chars.next();
                }
                _ => {}
            },
            '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn prefixes(line: &str) -> &str {
    let mut rest = line.strip_prefix('\u{feff}').unwrap_or(line);
    // `gh run view --log`: job, step, line.
    if let Some((head, tail)) = rest.rsplit_once('\t')
        && head.contains('\t')
        && time(tail).is_some()
    {
        rest = tail;
    }
    if let Some(after) = time(rest) {
        rest = after;
    } else if let Some(inner) = rest.strip_prefix('[')
        && let Some((stamp, after)) = inner.split_once(']')
        && time(stamp) == Some("")
    {
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    // GitLab: `section_start:1700000000:name`, which nothing follows once the escapes are gone but the head of the section.
    for mark in ["section_start:", "section_end:"] {
        if let Some(after) = rest.strip_prefix(mark) {
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
        }
    }
    for mark in ["##[error]", "##[warning]", "##[command]"] {
        rest = rest.strip_prefix(mark).unwrap_or(rest);
    }
    rest
}

/// What stands behind `2024-05-01T12:34:56.1234567Z`, GitLab's stream mark (`00O `, `01E+`) left out; `None` without such a time.
fn time(line: &str) -> Option<&str> {
    let bytes = line.as_bytes();
    let shape = b"0000-00-00T00:00:00";
    let fits = bytes.len() >= shape.len()
        && shape.iter().zip(bytes).all(|(s, b)| {
            if *s == b'0' {
                b.is_ascii_digit()
            } else {
                s == b
            }
        });
    if !fits {
        return None;
    }
    let rest = line[shape.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let rest = rest.strip_prefix('Z')?;
    let rest = match rest.strip_prefix(' ') {
        Some(rest) => rest,
        None if rest.is_empty() => return Some(rest),
        None => return None,
    };
    let mark = rest.as_bytes();
    let is_mark = mark.len() >= 4
        && mark[0].is_ascii_digit()
        && mark[1].is_ascii_digit()
        && matches!(mark[2], b'O' | b'E')
        && matches!(mark[3], b' ' | b'+');
    Some(if is_mark { &rest[4..] } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_a_person_sees_them() {
        for (line, expected) in [
            ("2024-05-01T12:34:56.1234567Z error: x", "error: x"),
            ("2024-05-01T12:34:56Z   indented", "  indented"),
            ("2024-05-01T12:34:56.123456Z 00O text", "text"),
            ("2024-05-01T12:34:56.123456Z 01E+text", "text"),
            ("[2024-05-01T12:34:56.123Z] text", "text"),
            (
                "build\tRun tests\t2024-05-01T12:34:56.1Z FAIL\ta",
                "build\tRun tests\t2024-05-01T12:34:56.1Z FAIL\ta",
            ),
            ("build\tRun tests\t2024-05-01T12:34:56.1Z FAIL a", "FAIL a"),
            ("\u{1b}[31;1mFAIL\u{1b}[0m x", "FAIL x"),
            ("\u{1b}_bk;t=1700000000000\u{7}ok", "ok"),
            (
                "section_start:1700000000:step_script\u{1b}[0K",
                "step_script",
            ),
            (
                "##[error]src/x.ts(3,5): error TS1: m",
                "src/x.ts(3,5): error TS1: m",
            ),
            ("\ttab", "\ttab"),
            ("2024-05-01T12:34 no", "2024-05-01T12:34 no"),
            ("", ""),
        ] {
            assert_eq!(clean(line), expected, "{line:?}");
        }
    }

    #[test]
    fn what_was_written_over_is_gone() {
        let long = format!("{}\rlast\n", "10%\r".repeat(10_000));
        let text = format!(
            "a\r\n  1%\r 50%\r100% done\nb\r\r\nbad \u{0}\n{long}{}\nend",
            "x".repeat(100)
        );
        for size in [1, 3, 1000] {
            let mut source = io::BufReader::with_capacity(size, text.as_bytes());
            let mut lines = Lines::new(&mut source, 20);
            let mut seen = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                seen.push(line.to_owned());
            }
            let x = "x".repeat(20);
            assert_eq!(
                seen,
                ["a", "100% done", "b", "bad", "last", &x, "end"],
                "{size}"
            );
            assert_eq!((lines.cut(), lines.bytes()), (1, text.len() as u64));
        }
    }
}
