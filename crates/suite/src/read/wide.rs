//! UTF-16 into UTF-8: Windows PowerShell writes so what is redirected into a file, and .NET some of its XML.
//!
//! [`Units`] decodes for every reader; [`Decoded`] is a source for those of lines and JSON, whose places are those of the decoded
//! text. What has no byte order mark passes it unchanged, and loses nothing.

use std::io::{self, BufRead, Read};

/// The mark of a text that begins with its lower bytes, and of one that begins with its higher ones.
const MARKS: [[u8; 2]; 2] = [[0xff, 0xfe], [0xfe, 0xff]];

/// Decodes bytes as they come; half of a pair that stays alone is U+FFFD.
#[derive(Debug, Clone)]
pub(super) struct Units {
    unit: fn([u8; 2]) -> u16,
    /// A byte, and a unit, whose other half comes next.
    half: Option<u8>,
    high: Option<u16>,
}

impl Units {
    pub(super) fn new(is_big: bool) -> Self {
        Self {
            unit: if is_big {
                u16::from_be_bytes
            } else {
                u16::from_le_bytes
            },
            half: None,
            high: None,
        }
    }

    /// Of a text that begins so; `None` if that is no byte order mark.
    pub(super) fn marked(head: &[u8]) -> Option<Self> {
        let [little, big] = MARKS.map(|mark| head.starts_with(&mark));
        (little || big).then(|| Self::new(big))
    }

    /// Takes the next byte and gives what is known then: mostly nothing or one character, after a lone half of a pair two.
    pub(super) fn take(&mut self, byte: u8, mut give: impl FnMut(char)) {
        let Some(first) = self.half.take() else {
            self.half = Some(byte);
            return;
        };
        let now = (self.unit)([first, byte]);
        let is_high = (0xd800..0xdc00).contains(&now);
        let high = self.high.take();
        if is_high {
            self.high = Some(now);
            if high.is_some() {
                give(char::REPLACEMENT_CHARACTER);
            }
            return;
        }
        for c in char::decode_utf16(high.into_iter().chain([now])) {
            give(c.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    /// The end: what ends inside a character is said, not left out.
    pub(super) fn end(&mut self, mut give: impl FnMut(char)) {
        if self.half.take().is_some() | self.high.take().is_some() {
            give(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// The beginning of a text, decoded as far as it goes; `None` if it has no byte order mark of UTF-16.
pub(super) fn head(bytes: &[u8]) -> Option<String> {
    let mut units = Units::marked(bytes)?;
    let mut text = String::new();
    for byte in &bytes[2..] {
        units.take(*byte, |c| text.push(c));
    }
    Some(text)
}

/// A source in UTF-8, whichever of the two it was in.
pub(super) struct Decoded<'a> {
    source: &'a mut dyn BufRead,
    /// What was read to look for a mark, or what was decoded.
    ready: Vec<u8>,
    at: usize,
    units: Option<Units>,
    begun: bool,
}

impl<'a> Decoded<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead) -> Self {
        Self {
            source,
            ready: Vec::new(),
            at: 0,
            units: None,
            begun: false,
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        while self.ready.len() < 2 {
            let chunk = self.source.fill_buf()?;
            let Some(byte) = chunk.first().copied() else {
                break;
            };
            if !MARKS.as_flattened().contains(&byte) {
                break;
            }
            self.source.consume(1);
            self.ready.push(byte);
        }
        self.units = Units::marked(&self.ready);
        if self.units.is_some() {
            self.ready.clear();
        }
        self.begun = true;
        Ok(())
    }

    fn decode(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.at = 0;
        let Some(units) = &mut self.units else {
            return Ok(());
        };
        while self.ready.is_empty() {
            let chunk = self.source.fill_buf()?;
            let used = chunk.len();
            let mut text = String::new();
            for byte in chunk {
                units.take(*byte, |c| text.push(c));
            }
            if used == 0 {
                units.end(|c| text.push(c));
            }
            self.ready = text.into_bytes();
            if used == 0 {
                break;
            }
            self.source.consume(used);
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
            if self.units.is_none() {
                return self.source.fill_buf();
            }
            self.decode()?;
        }
        Ok(&self.ready[self.at..])
    }

    fn consume(&mut self, bytes: usize) {
        if self.at < self.ready.len() {
            self.at += bytes;
        } else if self.units.is_none() {
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
