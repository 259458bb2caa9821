//! JSON records that were printed on several lines: from a lone `{` to the `}` of the same indentation. The last line states what the
//! record does.
//!
//! Invariants: bounded ([`LINES`], [`BYTES`]); what is no record in the end (settings, code) states nothing; nothing depends on how
//! the bytes were cut.

use serde::{Deserialize, Serialize};

use super::json::{self, End, Slot};
use super::record::{said, spoken};
use super::{Level, level};
use crate::spec::NumericLevels;

/// Most lines of a record.
const LINES: u32 = 256;
/// Most bytes of a record.
const BYTES: usize = 64 << 10;
/// Other lines that may come between.
const STRAYS: u32 = 8;

/// A record that is not at its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Block {
    /// Its first line, and where it begins in the stream.
    pub(super) number: u64,
    pub(super) start: u64,
    indent: usize,
    text: Vec<u8>,
    lines: u32,
    strays: u32,
}

/// What a whole record states.
pub(super) struct Whole {
    pub(super) level: Level,
    pub(super) word: String,
    pub(super) message: Option<String>,
    pub(super) number: u64,
    pub(super) start: u64,
    pub(super) text: Vec<u8>,
}

/// What a line does to a block.
pub(super) enum Step {
    /// It belongs.
    Takes,
    /// It does not.
    Stray,
    /// There is no end of it.
    Over,
    /// It was the last; none if the whole is no record.
    Ends(Option<Box<Whole>>),
}

/// Whether a line may begin one: a lone brace.
#[inline]
pub(super) fn begins(line: &[u8]) -> bool {
    line.len() <= 64 && line.trim_ascii() == b"{"
}

fn indent(line: &[u8]) -> usize {
    line.len() - line.trim_ascii_start().len()
}

impl Block {
    pub(super) fn new(line: &[u8], number: u64, start: u64) -> Self {
        Self {
            number,
            start,
            indent: indent(line),
            text: line.to_vec(),
            lines: 1,
            strays: 0,
        }
    }

    /// Takes the next line.
    pub(super) fn step(&mut self, line: &[u8], by: NumericLevels) -> Step {
        self.lines += 1;
        let inner = line.trim_ascii();
        let depth = indent(line);
        let ends = matches!(inner, b"}" | b"},") && depth == self.indent;
        let belongs = ends
            || inner.is_empty()
            || depth > self.indent
                && matches!(
                    inner[0],
                    b'"' | b'{' | b'}' | b'[' | b']' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'
                );
        if !belongs {
            self.strays += 1;
        }
        if self.lines > LINES || self.strays > STRAYS || self.text.len() + line.len() > BYTES {
            return Step::Over;
        }
        if !belongs {
            return Step::Stray;
        }
        self.text.push(b'\n');
        self.text.extend_from_slice(line);
        if ends {
            Step::Ends(self.whole(by))
        } else {
            Step::Takes
        }
    }

    /// What all of it states.
    fn whole(&mut self, by: NumericLevels) -> Option<Box<Whole>> {
        let text = std::mem::take(&mut self.text);
        let line = text.trim_ascii_end();
        let line = line.strip_suffix(b",").unwrap_or(line);
        let scan = json::scan(line, None);
        if scan.end == End::Broken {
            return None;
        }
        let (level, word) = level::of_fields(&scan, line, by)?;
        let level = level?;
        // Settings of a logger have a level, and neither time nor message.
        let timed = [Slot::Timestamp, Slot::Ts, Slot::AtTimestamp, Slot::Time]
            .into_iter()
            .any(|slot| scan.value(line, slot).is_some());
        if !timed && spoken(&scan, line).is_none() {
            return None;
        }
        let word = word.into_owned();
        let message = said(&scan, line);
        Some(Box::new(Whole {
            level,
            word,
            message,
            number: self.number,
            start: self.start,
            text,
        }))
    }
}
