//! Lines of a report, bounded: a line longer than the limit is given cut, and said to be.
//!
//! [`each`] is the loop of all readers of lines, [`Line::broken`] what those of JSON lines say of an event that is none.

use std::io::{self, BufRead};

use super::Limits;
use super::gather::Gather;
use super::json::Broken;
use super::wide::Decoded;
use crate::{IssueKind, Place};

/// Bytes of a report that are kept to say what it is if it is none.
const HEAD: usize = 512;

/// A line, without its end.
pub(super) struct Line<'l> {
    pub(super) bytes: &'l [u8],
    pub(super) place: Place,
    /// Whether it was longer than the limit.
    pub(super) is_cut: bool,
    /// Whether it ended in a line feed. The last line of a report that was cut short does not.
    pub(super) has_end: bool,
}

impl Line<'_> {
    /// Notes that it begins as an event does and cannot be read as one. `marks` are what only events of the format have: another
    /// program's JSON is none, which is `false`, but what is too long or ends too early may have been one.
    pub(super) fn broken(&self, gather: &mut Gather<'_>, marks: &[&str], broken: &Broken) -> bool {
        let is_ours = marks
            .iter()
            .any(|mark| memchr::memmem::find(self.bytes, mark.as_bytes()).is_some());
        let (kind, text) = if self.is_cut {
            let text = "an event is longer than a line may be".to_owned();
            (IssueKind::Limit, text)
        } else if !self.has_end {
            (IssueKind::Truncated, "it ends inside an event".to_owned())
        } else if is_ours {
            let text = format!("an event cannot be read: {broken}");
            (IssueKind::Unparsable, text)
        } else {
            return false;
        };
        gather.tell(kind, self.place.from, text);
        true
    }
}

/// What reads a report line by line.
pub(super) trait Log<'a> {
    fn gather(&mut self) -> &mut Gather<'a>;

    /// How many tokens one line may hold: where all that a test printed is in one line, that of a noisy test is long.
    const TOKENS: usize = 1;

    /// Takes the next line.
    fn line(&mut self, line: &Line<'_>);
}

/// What the lines came to.
pub(super) struct Ended {
    /// Offset behind the last one.
    pub(super) at: u64,
    /// Whether that one ended in a line feed.
    pub(super) is_whole: bool,
    /// The report's beginning.
    pub(super) head: Vec<u8>,
}

/// Reads all lines; a source that cannot be read further is told.
pub(super) fn each<'a, L: Log<'a>>(
    source: &mut dyn BufRead,
    limits: &Limits,
    log: &mut L,
) -> Ended {
    let mut source = Decoded::new(source);
    let mut lines = Lines::new(&mut source, limits.token.saturating_mul(L::TOKENS));
    let (mut head, mut is_whole) = (Vec::new(), true);
    loop {
        match lines.next() {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                log.gather().io(lines.to, &error);
                break;
            }
        }
        let line = lines.line();
        is_whole = line.has_end;
        if head.len() < HEAD {
            head.extend_from_slice(&line.bytes[..line.bytes.len().min(HEAD)]);
            head.push(b'\n');
        }
        log.line(&line);
    }
    Ended {
        at: lines.to,
        is_whole,
        head,
    }
}

/// Reads lines one at a time into one buffer.
struct Lines<'a> {
    source: &'a mut dyn BufRead,
    line: Vec<u8>,
    limit: usize,
    /// Offset of the line that was read last.
    from: u64,
    /// Offset behind it: how much was read.
    to: u64,
    is_cut: bool,
    has_end: bool,
}

impl<'a> Lines<'a> {
    fn new(source: &'a mut dyn BufRead, limit: usize) -> Self {
        Self {
            source,
            line: Vec::new(),
            limit,
            from: 0,
            to: 0,
            is_cut: false,
            has_end: true,
        }
    }

    /// Reads the next line, without its `\n` or `\r\n`; `false` at the end. A byte order mark at the beginning is left out.
    ///
    /// # Errors
    /// The source cannot be read.
    fn next(&mut self) -> io::Result<bool> {
        self.line.clear();
        self.from = self.to;
        (self.is_cut, self.has_end) = (false, false);
        loop {
            let chunk = match self.source.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if chunk.is_empty() {
                break;
            }
            let end = memchr::memchr(b'\n', chunk);
            let used = end.map_or(chunk.len(), |end| end + 1);
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = self.limit.saturating_sub(self.line.len());
            self.line.extend_from_slice(&part[..part.len().min(room)]);
            self.is_cut |= part.len() > room;
            self.to += used as u64;
            self.source.consume(used);
            if end.is_some() {
                self.has_end = true;
                break;
            }
        }
        if self.to == self.from {
            return Ok(false);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.from == 0 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        Ok(true)
    }

    /// The line that was read last.
    fn line(&self) -> Line<'_> {
        Line {
            bytes: &self.line,
            place: Place {
                from: self.from,
                to: self.to,
            },
            is_cut: self.is_cut,
            has_end: self.has_end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_any_length_keep_their_places() {
        let long = "x".repeat(100);
        let text = format!("\u{feff}a\r\n\n{long}\nlast");
        for size in [1, 2, 7, 1000] {
            let mut source = io::BufReader::with_capacity(size, text.as_bytes());
            let mut lines = Lines::new(&mut source, 10);
            let mut seen = Vec::new();
            while lines.next().unwrap() {
                let line = lines.line();
                let text = String::from_utf8(line.bytes.to_vec()).unwrap();
                seen.push((text, line.place.from, line.is_cut, line.has_end));
            }
            let expected = [
                ("a".to_owned(), 0, false, true),
                (String::new(), 6, false, true),
                ("x".repeat(10), 7, true, true),
                ("last".to_owned(), 108, false, false),
            ];
            assert_eq!(seen, expected, "{size}");
            assert_eq!(lines.to, text.len() as u64);
        }
    }
}
