//! Reads a journal a line at a time and holds each against the one before: numbers without a hole, each naming its predecessor's
//! digest.

use std::io::{BufRead as _, BufReader, Read};

use gonogo_core::Digest;

use crate::audit::ReadAt;
use crate::journal::Entry;

/// Most bytes of a line.
const LINE: u64 = 1 << 20;

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Every line was read.
    Whole,
    /// The last line is not whole: a crash.
    Torn(String),
    /// A line in the middle is none, or does not follow.
    Broken(String),
}

/// A journal.
pub(super) struct Journal {
    name: &'static str,
    lines: BufReader<Source>,
    seq: u64,
    prev: String,
    next: Option<Entry>,
    end: Option<Next>,
}

/// Reads from the beginning on.
struct Source {
    file: Box<dyn ReadAt>,
    at: u64,
}

impl Read for Source {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(self.at, into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Journal {
    pub(super) fn new(name: &'static str, file: Box<dyn ReadAt>) -> Self {
        Self {
            name,
            lines: BufReader::with_capacity(64 << 10, Source { file, at: 0 }),
            seq: 0,
            prev: Digest::of(b"").hex(),
            next: None,
            end: None,
        }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the next entry without taking it.
    pub(super) fn peek(&mut self) -> Option<&Entry> {
        if self.next.is_none() && self.end.is_none() {
            match self.step() {
                Ok(entry) => self.next = Some(entry),
                Err(end) => self.end = Some(end),
            }
        }
        self.next.as_ref()
    }

    pub(super) fn take(&mut self) -> Option<Entry> {
        self.peek()?;
        self.next.take()
    }

    /// Returns how it ended, once nothing comes any more.
    pub(super) fn end(&self) -> Next {
        self.end.clone().unwrap_or(Next::Whole)
    }

    fn step(&mut self) -> Result<Entry, Next> {
        let mut line = Vec::new();
        let place = format!("line {}", self.seq + 1);
        let count = (&mut self.lines).take(LINE).read_until(b'\n', &mut line);
        count.map_err(|e| Next::Broken(format!("{place}: {e}")))?;
        if line.is_empty() {
            return Err(Next::Whole);
        }
        if line.pop() != Some(b'\n') {
            let more = self.lines.fill_buf().is_ok_and(|rest| !rest.is_empty());
            let reason = format!("{place} has no end");
            return Err(if more {
                Next::Broken(reason)
            } else {
                Next::Torn(reason)
            });
        }
        let entry: Entry = match serde_json::from_slice(&line) {
            Ok(entry) => entry,
            Err(e) => {
                let reason = format!("{place}: {e}");
                let last = self.lines.fill_buf().is_ok_and(<[u8]>::is_empty);
                return Err(if last {
                    Next::Torn(reason)
                } else {
                    Next::Broken(reason)
                });
            }
        };
        if entry.seq != self.seq || entry.prev != self.prev {
            return Err(Next::Broken(format!(
                "{place} does not follow the one before it"
            )));
        }
        self.seq += 1;
        self.prev = Digest::of(&line).hex();
        Ok(entry)
    }
}
