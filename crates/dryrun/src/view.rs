//! The derived views of a stream: a line of `.log` (its text) and a line of `.jsonl` (a record that older readers know).
//!
//! A line of `.jsonl` is valid JSON whatever was printed: what is no UTF-8 is replaced, what is cut is said, and a child's object is
//! taken over byte by byte only if every reader can read it. Views are for people and older tools; raw bytes are the truth.

use std::io::Write as _;

use gonogo_core::Timestamp;

use crate::classify::{Fields, Line};
use crate::{Moment, Stream};

/// Renders lines. Keeps the last time as text: thousands of lines arrive at once.
#[derive(Debug, Clone, Default)]
pub struct Renderer {
    at: Option<Timestamp>,
    text: String,
}

impl Renderer {
    /// Makes a renderer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the bare text of `line`, invalid UTF-8 included; a cut line says how many bytes are missing.
    pub fn log(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(line.bytes);
        if line.beyond > 0 {
            // Writing to memory does not fail.
            let _ = write!(out, " … [{} more bytes]", line.beyond);
        }
        out.push(b'\n');
    }

    /// Appends the record of `line`: `timestamp`, `level`, `event`, `message`, `stream`, `payload{stream, ingested_at, structured | raw}`,
    /// and `payload.beyond` if the line was cut.
    pub fn jsonl(&mut self, stream: Stream, line: &Line<'_>, out: &mut Vec<u8>) {
        self.note(line.at);
        let none = Fields::default();
        let fields = line.fields.as_ref().unwrap_or(&none);
        // What not every reader reads is not taken over as it is.
        let whole = line.fields.is_some() && (!fields.odd || readable(line.bytes));
        let verbatim = |raw: Option<&[u8]>, out: &mut Vec<u8>| match raw {
            Some(raw) if whole || readable(raw) => {
                out.extend_from_slice(raw);
                true
            }
            _ => false,
        };
        out.extend_from_slice(b"{\"timestamp\":");
        if !verbatim(fields.timestamp, out) {
            escaped(self.text.as_bytes(), out);
        }
        out.extend_from_slice(b",\"level\":");
        escaped(line.level_word.as_bytes(), out);
        out.extend_from_slice(b",\"event\":");
        if !verbatim(fields.event, out) {
            out.extend_from_slice(b"null");
        }
        out.extend_from_slice(b",\"message\":");
        if !verbatim(fields.message, out) {
            match fields.message.and_then(crate::classify::text) {
                Some(text) => escaped(text.as_bytes(), out),
                None => escaped(bare(line.bytes), out),
            }
        }
        out.extend_from_slice(b",\"stream\":\"");
        out.extend_from_slice(stream.word().as_bytes());
        out.extend_from_slice(b"\",\"payload\":{\"stream\":\"");
        out.extend_from_slice(stream.word().as_bytes());
        out.extend_from_slice(b"\",\"ingested_at\":");
        escaped(self.text.as_bytes(), out);
        if line.beyond > 0 {
            let _ = write!(out, ",\"beyond\":{}", line.beyond);
        }
        if whole {
            out.extend_from_slice(b",\"structured\":");
            out.extend_from_slice(line.bytes.trim_ascii());
        } else {
            out.extend_from_slice(b",\"raw\":");
            escaped(bare(line.bytes), out);
        }
        out.extend_from_slice(b"}}\n");
    }

    fn note(&mut self, at: Moment) {
        let at = at.timestamp();
        if self.at != Some(at) {
            self.at = Some(at);
            self.text = at.to_string();
        }
    }
}

/// Whether `serde_json` reads it, the strictest of the common readers.
fn readable(raw: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(raw).is_ok()
}

/// The text of a line, without a carriage return at its end.
fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Whether a text needs no escapes and is ASCII. Without an early end: the compiler takes many bytes at a time.
#[inline]
fn plain(text: &[u8]) -> bool {
    !text.iter().fold(false, |odd, byte| {
        odd | (*byte < 0x20) | (*byte >= 0x7f) | (*byte == b'"') | (*byte == b'\\')
    })
}

/// Appends `text`, which needs escapes seldom, as a JSON string, invalid UTF-8 replaced.
#[inline]
fn escaped(text: &[u8], out: &mut Vec<u8>) {
    if plain(text) {
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    let text = String::from_utf8_lossy(text);
    // A string is always written, and memory does not fail.
    if serde_json::to_writer(&mut *out, text.as_ref()).is_err() {
        out.extend_from_slice(b"\"\"");
    }
}
