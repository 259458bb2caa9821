//! Records that container runtimes, shippers and the journal make of lines: what they wrap is read as the line it was.
//!
//! A record is opened if it states no level of its own (the journal's number is that of whoever sent the line, not the line's) and
//! holds a text where those have it: `log`, `MESSAGE`, or a message beside the name of a stream. Records that loggers write state a
//! level, and what they say is not read.

use super::json::{self, End, Scan, Slot};
use super::level::{STATED, of_fields};
use super::record::{spoken, structured};
use super::within::{Inside, of_glued, worse};
use super::{gate, lossy, stated};
use crate::spec::NumericLevels;

/// How often a wrapped line is itself a record that wraps one.
const DEPTH: u8 = 3;

/// Lines of a text that are read.
const LINES: usize = 256;

/// Returns the text that a record wraps, as raw JSON.
#[inline]
pub(super) fn text<'a>(scan: &Scan, line: &'a [u8]) -> Option<&'a [u8]> {
    let string = |slot| {
        scan.value(line, slot)
            .filter(|raw| raw.first() == Some(&b'"'))
    };
    let raw = string(Slot::Log)
        .or_else(|| string(Slot::Journal))
        .or_else(|| match scan.value(line, Slot::Stream)? {
            b"\"stdout\"" | b"\"stderr\"" => spoken(scan, line),
            _ => None,
        })?;
    let own = STATED
        .iter()
        .any(|slot| *slot != Slot::Priority && scan.value(line, *slot).is_some());
    (!own).then_some(raw)
}

/// Whether what a record wraps was printed on stderr, and is not blank.
pub(super) fn on_stderr(scan: &Scan, line: &[u8], raw: &[u8]) -> bool {
    scan.value(line, Slot::Stream) == Some(b"\"stderr\"")
        && json::text(raw).is_some_and(|text| !text.trim().is_empty())
}

/// Returns the worst that a wrapped text states.
pub(super) fn read(raw: &[u8], by: NumericLevels) -> Option<Inside> {
    opened(raw, by, DEPTH)
}

fn opened(raw: &[u8], by: NumericLevels, depth: u8) -> Option<Inside> {
    let text = json::text(raw)?;
    text.lines()
        .take(LINES)
        .map(|line| of_line(line.as_bytes(), by, depth))
        .fold(None, worse)
}

fn of_line(line: &[u8], by: NumericLevels, depth: u8) -> Option<Inside> {
    if !structured(line) {
        let found = stated::of_text(line, gate::hits(line), by)?;
        return Some(Inside {
            level: found.level,
            message: found.inner.unwrap_or_else(|| lossy(line, 2_000)),
        });
    }
    let scan = json::scan(line, None);
    if scan.end != End::Object {
        return of_glued(line, by).0;
    }
    let own = of_fields(&scan, line, by)
        .and_then(|(level, _)| level)
        .map(|level| Inside {
            level,
            message: super::said(&scan, line).unwrap_or_else(|| lossy(line, 2_000)),
        });
    let more = text(&scan, line)
        .filter(|_| depth > 0)
        .and_then(|raw| opened(raw, by, depth - 1));
    worse(own, more)
}
