//! Statements inside lines that are no record as a whole: records glued together, a record behind text, a list of records, text parted
//! by carriage returns (old line ends, progress bars).
//!
//! Looked at only where a line states nothing bad by itself, and only if it ends as such lines do. What a line quotes is not read: a
//! record behind text must be one (it says something, or when), and nothing before it may introduce a quotation.

use super::json::{self, End, Slot};
use super::level::{of_fields, of_sourced, of_text, word_of};
use super::record::{said, spoken};
use super::{Level, lossy};
use crate::spec::NumericLevels;

/// Most places of a line at which a record is looked for.
const PLACES: usize = 32;

/// What a part of a line states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Inside {
    pub(super) level: Level,
    /// What it says.
    pub(super) message: String,
}

impl Inside {
    pub(super) const fn word(&self) -> &'static str {
        word_of(self.level)
    }
}

/// What a record must have besides a level.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A message or a time.
    Record,
    /// A message.
    Message,
}

/// Returns the worst that a line of text states somewhere inside; `stated` is whether its beginning states a level.
#[inline]
pub(super) fn of_line(line: &[u8], stated: bool, by: NumericLevels) -> Option<Inside> {
    let line = trimmed(line);
    if matches!(line.first()?, b'[' | b',') && separated(&line[1..]).starts_with(b"{\"") {
        return listed(line, by);
    }
    // One search for all: most lines have neither.
    memchr::memchr2(b'\r', b'{', line)?;
    if memchr::memchr(b'\r', line).is_some() {
        return parted(line, by);
    }
    behind(line, stated, by)
}

/// Returns what a line that begins as a record does, and is not one whole record, states behind its first one, and whether all of
/// it is whole records.
pub(super) fn of_glued(line: &[u8], by: NumericLevels) -> (Option<Inside>, bool) {
    let mut worst = None;
    let mut rest = separated(line);
    while let Some(end) = json::end_of_object(rest) {
        worst = worse(worst, record(&rest[..end], Needs::Nothing, by));
        rest = separated(&rest[end..]);
    }
    if rest.is_empty() {
        return (worst, true);
    }
    let rest = trimmed(rest);
    if memchr::memchr(b'\r', rest).is_some() {
        worst = worse(worst, parted(rest, by));
    } else {
        worst = worse(worst, behind(rest, true, by));
    }
    (worst, false)
}

/// Text between carriage returns is read as lines are.
fn parted(line: &[u8], by: NumericLevels) -> Option<Inside> {
    let mut worst = None;
    for part in line.split(|byte| *byte == b'\r') {
        let found = match of_text(part).or_else(|| of_sourced(part, by)) {
            Some((level, _)) => Some(Inside {
                level,
                message: lossy(part, 2_000),
            }),
            None if part.first() == Some(&b'{') => of_glued(part, by).0,
            None => None,
        };
        worst = worse(worst, found);
    }
    worst
}

/// `[{…},{…}]`, or a line of such a list.
fn listed(line: &[u8], by: NumericLevels) -> Option<Inside> {
    let line = line.strip_suffix(b"]").unwrap_or(line);
    let mut rest = separated(line.get(1..)?);
    let mut worst = None;
    while !rest.is_empty() {
        let end = json::end_of_object(rest)?;
        worst = worse(worst, record(&rest[..end], Needs::Message, by));
        rest = separated(&rest[end..]);
    }
    worst
}

/// Records behind something else, up to the end of the line or to what is glued to them.
fn behind(line: &[u8], stated: bool, by: NumericLevels) -> Option<Inside> {
    for at in memchr::memmem::find_iter(line, b"{\"").take(PLACES) {
        if at == 0 || introduced(&line[..at], stated) {
            continue;
        }
        let mut rest = &line[at..];
        let mut worst = None;
        let mut needs = Needs::Record;
        while let Some(end) = json::end_of_object(rest) {
            worst = worse(worst, record(&rest[..end], needs, by));
            needs = Needs::Nothing;
            rest = separated(&rest[end..]);
        }
        // What goes on behind a space is a sentence around it.
        let glued = rest.first().is_none_or(u8::is_ascii_alphanumeric)
            && line[line.len() - rest.len() - 1] == b'}';
        if worst.is_some() && glued {
            return worst;
        }
    }
    None
}

/// Whether what is before a record makes it a quotation, or a part of something; after text that states a level, whatever is not
/// directly before it does.
fn introduced(head: &[u8], stated: bool) -> bool {
    /// Words behind which something is quoted.
    const QUOTES: &[&[u8]] = &[
        b"answer",
        b"answered",
        b"answers",
        b"body",
        b"config",
        b"configuration",
        b"data",
        b"decoded",
        b"e.g.",
        b"emitted",
        b"event",
        b"example",
        b"expected",
        b"forwarded",
        b"forwarding",
        b"from",
        b"got",
        b"input",
        b"is",
        b"json",
        b"like",
        b"line",
        b"log",
        b"logged",
        b"message",
        b"msg",
        b"options",
        b"output",
        b"parsed",
        b"parsing",
        b"payload",
        b"posted",
        b"posting",
        b"printed",
        b"published",
        b"publishing",
        b"read",
        b"received",
        b"receiving",
        b"record",
        b"replied",
        b"reply",
        b"request",
        b"responded",
        b"response",
        b"returned",
        b"returning",
        b"returns",
        b"said",
        b"sample",
        b"saw",
        b"schema",
        b"send",
        b"sending",
        b"sent",
        b"settings",
        b"shows",
        b"test",
        b"text",
        b"to",
        b"was",
        b"with",
        b"writing",
        b"wrote",
    ];
    let bare = head.trim_ascii_end();
    if stated && bare.len() < head.len() {
        return true;
    }
    let Some(last) = bare.last() else {
        return false;
    };
    if matches!(
        last,
        b':' | b'='
            | b','
            | b'('
            | b'['
            | b'<'
            | b'>'
            | b'"'
            | b'\''
            | b'`'
            | b'{'
            | b'\\'
            | b'$'
            | b'%'
            | b'&'
            | b'?'
    ) {
        return true;
    }
    let from = bare
        .iter()
        .rposition(|byte| !byte.is_ascii_alphanumeric() && *byte != b'.')
        .map_or(0, |at| at + 1);
    let word = bare[from..].to_ascii_lowercase();
    QUOTES.contains(&word.as_slice())
}

/// What one whole record states.
fn record(line: &[u8], needs: Needs, by: NumericLevels) -> Option<Inside> {
    let scan = json::scan(line, None);
    if scan.end == End::Broken {
        return None;
    }
    let level = of_fields(&scan, line, by)?.0?;
    let timed = || {
        [Slot::Timestamp, Slot::Ts, Slot::AtTimestamp, Slot::Time]
            .into_iter()
            .any(|slot| scan.value(line, slot).is_some())
    };
    let says = || spoken(&scan, line).is_some();
    let fits = match needs {
        Needs::Nothing => true,
        Needs::Record => says() || timed(),
        Needs::Message => says(),
    };
    fits.then(|| Inside {
        level,
        message: said(&scan, line).unwrap_or_else(|| lossy(line, 2_000)),
    })
}

/// Without what may stand between records.
fn separated(rest: &[u8]) -> &[u8] {
    let from = rest
        .iter()
        .position(|byte| !byte.is_ascii_whitespace() && !matches!(byte, b',' | 0 | 0x1e))
        .unwrap_or(rest.len());
    &rest[from..]
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

/// The worse of two; the first of equals.
pub(super) fn worse(a: Option<Inside>, b: Option<Inside>) -> Option<Inside> {
    match (a, b) {
        (Some(a), Some(b)) if b.level > a.level => Some(b),
        (None, b) => b,
        (a, _) => a,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn nothing_panics(line in proptest::collection::vec(0_u8..=255, 0..60), text in "[\\[\\]{},\"a:\r ]{0,40}") {
            for line in [&line[..], text.as_bytes()] {
                let _ = (of_line(line, false, NumericLevels::Auto), of_glued(line, NumericLevels::Auto));
            }
        }
    }
}
