//! What a classifier tells: lines with their levels and fields, and findings.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::LINE_LIMIT;
use crate::{Moment, Status, Stream};

/// How severe a line says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finer than debug.
    Trace,
    /// For developers.
    Debug,
    /// All is well.
    Info,
    /// Normal, but worth a look (syslog).
    Notice,
    /// May become a problem.
    Warning,
    /// A problem.
    Error,
    /// Worse: critical, alert, emergency, fatal, exception.
    Critical,
}

impl Level {
    /// Returns what a line of this level means for a run.
    pub const fn status(self) -> Status {
        match self {
            Self::Error | Self::Critical => Status::Fail,
            Self::Warning => Status::Warn,
            _ => Status::Pass,
        }
    }
}

/// A line, as it was printed.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// Number in its stream, from 1.
    pub number: u64,
    /// When its last byte arrived.
    pub at: Moment,
    /// The line without its line feed; at most [`LINE_LIMIT`] bytes of the stream. A carriage return before the line feed is still
    /// there. A line of UTF-16 is here as UTF-8.
    pub bytes: &'a [u8],
    /// Bytes that were cut off for being beyond the limit.
    pub beyond: u64,
    /// Whether a line feed ended it; false for the last line of a stream only.
    pub ended: bool,
    /// Its level, as stated or by the stream's policy.
    pub level: Level,
    /// The level's own spelling in lower case (`warn`, `50`), or `info` or `error` by the stream; what level counts are kept by.
    pub level_word: Cow<'a, str>,
    /// Its fields, if it is a JSON object.
    pub fields: Option<Fields<'a>>,
}

/// What is read of a line that is a JSON object.
#[derive(Debug, Clone, Default)]
pub struct Fields<'a> {
    /// `timestamp`, `ts`, `@timestamp` or `time`, as raw JSON (a string with its quotes, or a number).
    pub timestamp: Option<&'a [u8]>,
    /// `message`, `msg` or `event`, raw JSON string.
    pub message: Option<&'a [u8]>,
    /// `event`, raw JSON.
    pub event: Option<&'a [u8]>,
    /// Whether it holds escaped lone surrogates or numbers beyond a double: the grammar allows them, many readers do not.
    pub odd: bool,
}

/// What a classifier found.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How bad. A trace without frames is a warning.
    pub severity: Status,
    /// What.
    pub what: What,
    /// The stream.
    pub stream: Stream,
    /// Number of its first line.
    pub line: u64,
    /// When its first line arrived.
    pub at: Moment,
    /// What two findings of one cause have in common: type and top frames of a trace, masked message of a line.
    pub key: String,
    /// One line for people.
    pub message: String,
    /// Text of the line or of the whole trace, at most 256 KiB, invalid UTF-8 replaced.
    pub sample: String,
    /// The rule of the allow-list that accepts it, by name.
    pub accepted: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A line of a level that counts.
    Line {
        /// Its level.
        level: Level,
    },
    /// A stack trace.
    Trace {
        /// `python`, `java`, `go`, `rust`, `node`, `dotnet`, `ruby`, `cpp`, `sanitizer`, …
        language: &'static str,
        /// Type of the exception, or what the runtime calls the fault.
        kind: String,
        /// Lines that belong to it.
        lines: u64,
        /// Lines among them that are frames.
        frames: u64,
    },
    /// A line beyond the limit.
    LongLine {
        /// All its bytes.
        bytes: u64,
    },
}

/// Takes what a classifier reads. Static dispatch: this is called for each of millions of lines a second.
pub trait Sink {
    /// Whether [`Sink::line`] is wanted. If not, levels are only counted and fields are not read.
    const LINES: bool;

    /// A line was read.
    fn line(&mut self, line: &Line<'_>);

    /// Something was found.
    fn finding(&mut self, finding: Finding);
}
