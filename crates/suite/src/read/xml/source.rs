//! The window of a source, as UTF-8 whatever the document's encoding, and where each of its bytes stood in the source.

use std::io::{BufRead, ErrorKind};

use super::Notes;
use crate::read::wide::Units;
use crate::{IssueKind, Place};

/// Bytes of a window that no tag is too long for.
const WINDOW: usize = 256 << 10;
const MARK: &[u8] = b"\xef\xbb\xbf";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16,
    /// One byte a character.
    Single(Single),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Single {
    Latin1,
    Latin9,
    Windows1252,
}

/// Offsets in the source of places in the window.
pub(super) struct Offsets {
    /// A place in the window.
    mark: usize,
    /// What it is in the source.
    at: u64,
    encoding: Encoding,
}

impl Offsets {
    /// The offset in the source of a place in the window; places are asked for in order, mostly.
    pub(super) fn of(&mut self, window: &[u8], place: usize) -> u64 {
        if self.encoding == Encoding::Utf8 {
            return self.at + (place - self.mark) as u64;
        }
        let units = |part: &[u8]| -> u64 {
            let length = |b: &u8| match (self.encoding, b) {
                // Bytes that continue a character.
                (_, 0x80..=0xbf) => 0,
                (Encoding::Single(_), _) => 1,
                (_, 0xf0..) => 4,
                _ => 2,
            };
            part.iter().map(length).sum()
        };
        if place >= self.mark {
            self.at += units(&window[self.mark..place]);
        } else {
            self.at -= units(&window[place..self.mark]);
        }
        self.mark = place;
        self.at
    }

    pub(super) fn place(&mut self, window: &[u8], from: usize, to: usize) -> Place {
        Place {
            from: self.of(window, from),
            to: self.of(window, to),
        }
    }
}

pub(super) struct Source<'a> {
    source: &'a mut dyn BufRead,
    pub(super) window: Vec<u8>,
    /// What was not used yet lies between.
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) offsets: Offsets,
    /// Bytes that were taken from the source.
    pub(super) taken: u64,
    /// Bytes that are not decoded yet.
    raw: Vec<u8>,
    raw_from: usize,
    units: Units,
    limit: usize,
    is_over: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(source: &'a mut dyn BufRead, limit: usize) -> Self {
        let limit = limit.max(1 << 12);
        Self {
            source,
            window: vec![0; WINDOW.min(limit)],
            from: 0,
            to: 0,
            offsets: Offsets {
                mark: 0,
                at: 0,
                encoding: Encoding::Utf8,
            },
            taken: 0,
            raw: Vec::new(),
            raw_from: 0,
            units: Units::new(false),
            limit,
            is_over: false,
        }
    }

    /// Reads the beginning and finds out how the document is encoded.
    pub(super) fn begin(&mut self, notes: &mut Notes) {
        self.fill(notes);
        let head = &self.window[..self.to];
        let (encoding, mark) = match head {
            [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => {
                notes.tell(IssueKind::Unparsable, 0, "UTF-32 is not read");
                (Encoding::Utf8, 4)
            }
            [b'<', 0, b'?' | b't' | b'!', 0, ..] => (Encoding::Utf16, 0),
            [0, b'<', 0, b'?' | b't' | b'!', ..] => {
                self.units = Units::new(true);
                (Encoding::Utf16, 0)
            }
            _ if head.starts_with(MARK) => (Encoding::Utf8, 0),
            _ => match Units::marked(head) {
                Some(units) => {
                    self.units = units;
                    (Encoding::Utf16, 2)
                }
                None => (declared(head, notes), 0),
            },
        };
        if encoding == Encoding::Utf8 {
            self.from = mark;
            return;
        }
        self.raw = self.window[mark..self.to].to_vec();
        (self.from, self.to) = (0, 0);
        // What was read is not decoded yet.
        self.is_over = false;
        self.offsets = Offsets {
            mark: 0,
            at: mark as u64,
            encoding,
        };
        self.fill(notes);
    }

    /// A byte order mark here means nothing.
    pub(super) fn skip_mark(&mut self) {
        while self.window[self.from..self.to].starts_with(MARK) {
            self.from += MARK.len();
        }
    }

    /// Offset in the source of what comes next.
    pub(super) fn at(&mut self) -> u64 {
        // Half a character at the end counts as a whole one.
        self.offsets.of(&self.window, self.from).min(self.taken)
    }

    /// Whether the source gives no more.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Behind the last whole character.
    pub(super) fn usable(&self) -> usize {
        if self.is_over {
            return self.to;
        }
        let rest = &self.window[self.from..self.to];
        for back in 1..=rest.len().min(3) {
            let b = rest[rest.len() - back];
            let length = match b {
                0x80..=0xbf => continue,
                0xc0..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0.. => 4,
                _ => 1,
            };
            return if length > back && back < rest.len() {
                self.to - back
            } else {
                self.to
            };
        }
        self.to
    }

    /// Whether the document ends at `end` of the window.
    pub(super) const fn is_last(&self, end: usize) -> bool {
        self.is_over && end == self.to
    }

    /// Makes room and reads as much as fits; whether anything came.
    pub(super) fn fill(&mut self, notes: &mut Notes) -> bool {
        if self.from > 0 {
            let at = self.at();
            self.window.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            (self.offsets.mark, self.offsets.at) = (0, at);
        }
        let before = self.to;
        while self.to < self.window.len() && !self.is_over {
            let went_on = match self.offsets.encoding {
                Encoding::Utf8 => {
                    let n = take(self.source, &mut self.window[self.to..], notes, self.taken);
                    self.taken += n as u64;
                    self.to += n;
                    self.is_over = n == 0;
                    true
                }
                encoding => self.decode(encoding, notes),
            };
            if !went_on {
                break;
            }
        }
        self.to > before
    }

    /// Lets the window grow; whether it may.
    pub(super) fn grow(&mut self) -> bool {
        if self.window.len() >= self.limit {
            return false;
        }
        let length = (self.window.len() * 2).min(self.limit);
        self.window.resize(length, 0);
        true
    }

    /// Decodes some of the source behind the window's end; `false` if there is no room for it.
    fn decode(&mut self, encoding: Encoding, notes: &mut Notes) -> bool {
        // No byte becomes more than three, but for a lone half of a pair before the first.
        let room = (self.window.len() - self.to) / 3;
        if room < 8 {
            return false;
        }
        if self.raw_from == self.raw.len() {
            self.raw.resize(16 << 10, 0);
            let n = take(self.source, &mut self.raw, notes, self.taken);
            self.taken += n as u64;
            self.raw.truncate(n);
            self.raw_from = 0;
            self.is_over = n == 0;
        }
        let (window, to) = (&mut self.window, &mut self.to);
        let mut push = |c: char| *to += c.encode_utf8(&mut window[*to..]).len();
        let part = &self.raw[self.raw_from..];
        let part = &part[..part.len().min(room - 2)];
        for &byte in part {
            match encoding {
                Encoding::Utf16 => self.units.take(byte, &mut push),
                Encoding::Single(table) => push(single(table, byte)),
                Encoding::Utf8 => {}
            }
        }
        if self.is_over {
            self.units.end(&mut push);
        }
        self.raw_from += part.len();
        true
    }

    /// Puts `?` in the place of what is not UTF-8, byte by byte; whether there was such a thing.
    pub(super) fn mend(&mut self) -> bool {
        let end = self.usable();
        let mut from = self.from;
        let mut mended = false;
        while let Err(e) = std::str::from_utf8(&self.window[from..end]) {
            let bad = from + e.valid_up_to();
            let length = e.error_len().unwrap_or(end - bad);
            self.window[bad..bad + length].fill(b'?');
            mended = true;
            from = bad + length;
        }
        mended
    }

    /// Gives what lies up to `close` in pieces, without the `open` bytes before it; whether `close` was there.
    pub(super) fn stream(
        &mut self,
        open: usize,
        close: &[u8],
        mut each: impl FnMut(&str, bool),
    ) -> bool {
        self.from += open;
        let mut give = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            let odd = matches!(text, std::borrow::Cow::Owned(_));
            each(&text, odd);
        };
        let find = memchr::memmem::Finder::new(close);
        loop {
            let rest = &self.window[self.from..self.to];
            if let Some(found) = find.find(rest) {
                give(&rest[..found]);
                self.from += found + close.len();
                return true;
            }
            if self.is_over {
                give(rest);
                self.from = self.to;
                return false;
            }
            let usable = self.usable() - self.from;
            let mut keep = usable.saturating_sub(close.len() - 1);
            while keep > 0 && (0x80..=0xbf).contains(&rest[keep]) {
                keep -= 1;
            }
            give(&rest[..keep]);
            self.from += keep;
            // Issues of the source itself are told when the end is found missing.
            let reading = crate::Reading::of(crate::Format::Junit);
            self.fill(&mut Notes::new(reading, crate::Limits::default()));
        }
    }

    /// Passes over a tag that begins here: the quote that is open at the window's end, and whether the tag is an empty element's;
    /// `None` if it never ends.
    pub(super) fn skip_tag(&mut self) -> (Option<u8>, Option<bool>) {
        let mut quote = None;
        let mut open = None;
        let mut last = 0;
        let mut first = true;
        loop {
            let rest = &self.window[self.from..self.to];
            let mut end = None;
            for (i, &b) in rest.iter().enumerate() {
                match (quote, b) {
                    (None, b'"' | b'\'') => quote = Some(b),
                    (Some(q), _) if q == b => quote = None,
                    (None, b'>') => {
                        end = Some(i);
                        break;
                    }
                    _ => {}
                }
                last = b;
            }
            if first {
                open = quote;
                first = false;
            }
            if let Some(end) = end {
                self.from += end + 1;
                return (open, Some(last == b'/'));
            }
            self.from = self.to;
            if self.is_over {
                return (open, None);
            }
            let reading = crate::Reading::of(crate::Format::Junit);
            self.fill(&mut Notes::new(reading, crate::Limits::default()));
        }
    }
}

fn take(source: &mut dyn BufRead, into: &mut [u8], notes: &mut Notes, at: u64) -> usize {
    loop {
        match source.read(into) {
            Ok(n) => return n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                let text = format!("the report cannot be read further: {e}");
                notes.tell(IssueKind::Truncated, at, text);
                return 0;
            }
        }
    }
}

/// The encoding that a declaration at the beginning names.
fn declared(head: &[u8], notes: &mut Notes) -> Encoding {
    let head = &head[..head.len().min(1 << 10)];
    let Some(from) = memchr::memmem::find(head, b"<?xml") else {
        return Encoding::Utf8;
    };
    let declaration = &head[from..];
    let to = memchr::memmem::find(declaration, b"?>").unwrap_or(declaration.len());
    let declaration = String::from_utf8_lossy(&declaration[..to]);
    let Some(at) = declaration.find("encoding") else {
        return Encoding::Utf8;
    };
    let name: String = declaration[at + "encoding".len()..]
        .chars()
        .skip_while(|c| c.is_ascii_whitespace() || *c == '=')
        .skip_while(|c| *c == '"' || *c == '\'')
        .take_while(|c| c.is_ascii_alphanumeric() || "-_:.".contains(*c))
        .take(40)
        .collect();
    match name.to_ascii_lowercase().as_str() {
        // Written so by programs that encode afterwards: what is read here is not UTF-16.
        "" | "utf-8" | "utf8" | "us-ascii" | "ascii" | "utf-16" | "utf16" | "utf-16le"
        | "utf-16be" | "unicode" => Encoding::Utf8,
        "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin1" | "latin-1" | "l1" => {
            Encoding::Single(Single::Latin1)
        }
        "iso-8859-15" | "iso8859-15" | "latin-9" | "latin9" => Encoding::Single(Single::Latin9),
        "windows-1252" | "cp1252" | "cp-1252" | "ansi" => Encoding::Single(Single::Windows1252),
        _ => {
            let text = format!(
                "the document declares the encoding {name}, which is not read: taken as UTF-8"
            );
            notes.tell(IssueKind::Unparsable, from as u64, text);
            Encoding::Utf8
        }
    }
}

fn single(table: Single, b: u8) -> char {
    // What 0x80 to 0x9f are there.
    const HIGH: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž',
        '\u{8f}', '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}',
        'ž', 'Ÿ',
    ];
    match (table, b) {
        (Single::Windows1252, 0x80..=0x9f) => HIGH[usize::from(b - 0x80)],
        (Single::Latin9, 0xa4) => '€',
        (Single::Latin9, 0xa6) => 'Š',
        (Single::Latin9, 0xa8) => 'š',
        (Single::Latin9, 0xb4) => 'Ž',
        (Single::Latin9, 0xb8) => 'ž',
        (Single::Latin9, 0xbc) => 'Œ',
        (Single::Latin9, 0xbd) => 'œ',
        (Single::Latin9, 0xbe) => 'Ÿ',
        _ => char::from(b),
    }
}
