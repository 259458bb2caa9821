//! Lines of a report, bounded: a line longer than the limit is given cut, and said to be.

use std::io::{self, BufRead};

/// Reads lines one at a time into one buffer.
pub(super) struct Lines<'a> {
    source: &'a mut dyn BufRead,
    line: Vec<u8>,
    limit: usize,
    /// Offset of the line that was given last.
    from: u64,
    /// Offset behind it.
    to: u64,
    is_cut: bool,
    has_end: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead, limit: usize) -> Self {
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

    /// Reads the next line, without its `\n` or `\r\n`; `None` at the end. A byte order mark at the beginning is left out.
    ///
    /// # Errors
    /// The source cannot be read.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
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
            return Ok(None);
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        if self.from == 0 && self.line.starts_with(b"\xef\xbb\xbf") {
            self.line.drain(..3);
        }
        Ok(Some(&self.line))
    }

    /// Offset of the line that was given last.
    pub(super) const fn from(&self) -> u64 {
        self.from
    }

    /// Offset behind it: how much was read.
    pub(super) const fn to(&self) -> u64 {
        self.to
    }

    /// Whether it was longer than the limit.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Whether it ended in a line feed. The last line of a report that was cut short does not.
    pub(super) const fn has_end(&self) -> bool {
        self.has_end
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
            while let Some(line) = lines.next().unwrap() {
                let line = String::from_utf8(line.to_vec()).unwrap();
                seen.push((line, lines.from(), lines.is_cut(), lines.has_end()));
            }
            let expected = [
                ("a".to_owned(), 0, false, true),
                (String::new(), 6, false, true),
                ("x".repeat(10), 7, true, true),
                ("last".to_owned(), 108, false, false),
            ];
            assert_eq!(seen, expected, "{size}");
            assert_eq!(lines.to(), text.len() as u64);
        }
    }
}
