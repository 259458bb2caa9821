//! UTF-16 with a byte order mark into UTF-8: Windows PowerShell writes so what is redirected into a file.
//!
//! Places of such a report are those of the decoded text. All else passes unchanged, and a source that begins otherwise loses
//! nothing.

use std::io::{self, BufRead, Read};

pub(super) struct Decoded<'a> {
    source: &'a mut dyn BufRead,
    /// What was read to look for a mark, or what was decoded.
    ready: Vec<u8>,
    at: usize,
    unit: Option<fn([u8; 2]) -> u16>,
    /// A byte, or a unit, whose other half comes next.
    half: Option<u8>,
    high: Option<u16>,
    begun: bool,
}

impl<'a> Decoded<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead) -> Self {
        Self {
            source,
            ready: Vec::new(),
            at: 0,
            unit: None,
            half: None,
            high: None,
            begun: false,
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        while self.ready.len() < 2 {
            let chunk = self.source.fill_buf()?;
            let Some(byte) = chunk.first().copied() else {
                break;
            };
            if !matches!(byte, 0xfe | 0xff) {
                break;
            }
            self.source.consume(1);
            self.ready.push(byte);
        }
        match self.ready[..] {
            [0xff, 0xfe] => self.unit = Some(u16::from_le_bytes),
            [0xfe, 0xff] => self.unit = Some(u16::from_be_bytes),
            _ => {}
        }
        if self.unit.is_some() {
            self.ready.clear();
        }
        self.begun = true;
        Ok(())
    }

    fn decode(&mut self, unit: fn([u8; 2]) -> u16) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        while self.ready.is_empty() {
            let chunk = self.source.fill_buf()?;
            let used = chunk.len();
            if used == 0 {
                // The end inside a character: it is said, not left out.
                if self.half.take().is_some() | self.high.take().is_some() {
                    self.ready.extend_from_slice("\u{fffd}".as_bytes());
                }
                return Ok(());
            }
            let mut text = String::new();
            for byte in chunk {
                let Some(first) = self.half.take() else {
                    self.half = Some(*byte);
                    continue;
                };
                let now = unit([first, *byte]);
                let units = self.high.take().into_iter().chain(std::iter::once(now));
                if (0xd800..0xdc00).contains(&now) {
                    if units.count() > 1 {
                        text.push('\u{fffd}');
                    }
                    self.high = Some(now);
                    continue;
                }
                text.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
            }
            self.source.consume(used);
            self.ready.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }
}

impl Read for Decoded<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let chunk = self.fill_buf()?;
        let len = chunk.len().min(to.len());
        to[..len].copy_from_slice(&chunk[..len]);
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Decoded<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.begun {
            self.begin()?;
        }
        if self.at >= self.ready.len() {
            match self.unit {
                Some(unit) => self.decode(unit)?,
                None => return self.source.fill_buf(),
            }
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        if self.at < self.ready.len() {
            self.at += bytes;
        } else if self.unit.is_none() {
            self.source.consume(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_text_is_decoded_and_other_text_is_not_touched() {
        let text = "aä😀\n";
        let le: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let be: Vec<u8> = [0xfe, 0xff]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_be_bytes))
            .collect();
        let cut = format!("{}\u{fffd}", &text[..3]);
        let lone = [0xff, 0xfe, 0x00, 0xd8, 0x00, 0xd8, 0x61, 0x00];
        for (bytes, expected) in [
            (&le[..], text.as_bytes()),
            (&be[..], text.as_bytes()),
            (&le[..7], cut.as_bytes()),
            (&lone[..], "\u{fffd}\u{fffd}a".as_bytes()),
            (text.as_bytes(), text.as_bytes()),
            (b"\xff", b"\xff"),
            (b"\xff\xffx", b"\xff\xffx"),
            (b"", b""),
        ] {
            for size in [1, 2, 3, 100] {
                let mut source = io::BufReader::with_capacity(size, bytes);
                let mut out = Vec::new();
                Decoded::new(&mut source).read_to_end(&mut out).unwrap();
                assert_eq!(out, expected, "{bytes:?} {size}");
            }
        }
    }
}
