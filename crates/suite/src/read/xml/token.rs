//! The tokens that nearly all writers write, read in one pass: tags whose attributes have a key, `=` and a quoted value, sections of
//! text, and text itself. What is written in any other way is left to quick-xml, token by token, so there is one judge of what is odd.
//!
//! Invariants: a token that is taken here is one that quick-xml takes too, with the same name, attributes and text; of a token that
//! does not end in the window nothing is taken.

use memchr::{memchr, memchr2, memchr3, memmem};

/// Attributes of a tag that are read here; a tag with more is odd.
const MOST: usize = 16;

/// An attribute as it is written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attribute<'t> {
    /// Empty if there is none.
    pub(super) prefix: &'t str,
    pub(super) key: &'t str,
    pub(super) value: &'t str,
}

/// Takes tokens of a text, one after the other.
#[derive(Debug)]
pub(super) struct Tokens<'t, 'f> {
    text: &'t str,
    attributes: [Attribute<'t>; MOST],
    count: usize,
    section_end: &'f memmem::Finder<'static>,
}

/// A token, and where it ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A start tag: where its name ends, and whether it is an empty element's.
    Start {
        name: usize,
        is_empty: bool,
        to: usize,
    },
    /// An end tag with this name.
    End { name: usize, to: usize },
    /// Text without references.
    Text { to: usize },
    /// A reference.
    Reference { to: usize },
    /// An `&` that begins none.
    Ampersand { to: usize },
    /// A section of text.
    Section { to: usize },
    /// A section of text that does not end here.
    Short,
    /// Something else, or it does not end here.
    Odd,
}

/// Finds where a section of text ends.
pub(super) fn section_end() -> memmem::Finder<'static> {
    memmem::Finder::new("]]>")
}

impl<'t, 'f> Tokens<'t, 'f> {
    pub(super) fn new(text: &'t str, section_end: &'f memmem::Finder<'static>) -> Self {
        Self {
            text,
            attributes: [Attribute::default(); MOST],
            count: 0,
            section_end,
        }
    }

    /// The attributes of the start tag that was taken last.
    pub(super) fn attributes(&self) -> &[Attribute<'t>] {
        &self.attributes[..self.count]
    }

    /// What begins at `from`, which is not the text's end.
    pub(super) fn take(&mut self, from: usize) -> Token {
        let bytes = self.text.as_bytes();
        match bytes[from] {
            b'<' => self.markup(bytes, from),
            b'&' => reference(bytes, from),
            _ => Token::Text {
                to: text_end(bytes, from),
            },
        }
    }

    fn markup(&mut self, bytes: &'t [u8], from: usize) -> Token {
        match bytes.get(from + 1) {
            Some(b'/') => end(bytes, from),
            Some(b'!') if bytes[from..].starts_with(b"<![CDATA[") => {
                let inner = from + 9;
                match self.section_end.find(&bytes[inner..]) {
                    Some(length) => Token::Section {
                        to: inner + length + 3,
                    },
                    None => Token::Short,
                }
            }
            Some(&b) if b.is_ascii_alphabetic() || b == b'_' => self.start(bytes, from),
            _ => Token::Odd,
        }
    }

    fn start(&mut self, bytes: &'t [u8], from: usize) -> Token {
        let mut at = past_name(bytes, from + 1);
        let name = at;
        self.count = 0;
        loop {
            let behind = at;
            while let Some(&b) = bytes.get(at)
                && is_space(b)
            {
                at += 1;
            }
            match bytes.get(at) {
                Some(b'>') => {
                    return Token::Start {
                        name,
                        is_empty: false,
                        to: at + 1,
                    };
                }
                Some(b'/') if bytes.get(at + 1) == Some(&b'>') => {
                    return Token::Start {
                        name,
                        is_empty: true,
                        to: at + 2,
                    };
                }
                _ => {}
            }
            let equals = past_name(bytes, at);
            let (Some(b'='), Some(&quote @ (b'"' | b'\''))) =
                (bytes.get(equals), bytes.get(equals + 1))
            else {
                return Token::Odd;
            };
            let value = equals + 2;
            let Some(length) = memchr(quote, &bytes[value..]) else {
                return Token::Odd;
            };
            let Some(place) = self.attributes.get_mut(self.count) else {
                return Token::Odd;
            };
            if at == behind || at == equals {
                return Token::Odd;
            }
            let (mut prefix, mut key) = ("", &self.text[at..equals]);
            if let Some(colon) = bytes[at..equals].iter().rposition(|&b| b == b':') {
                (prefix, key) = (&key[..colon], &key[colon + 1..]);
            }
            at = value + length;
            let value = &self.text[value..at];
            *place = Attribute { prefix, key, value };
            self.count += 1;
            at += 1;
        }
    }
}

/// Where the name that begins at `from` ends.
fn past_name(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(&b) = bytes.get(at)
        && is_name(b)
    {
        at += 1;
    }
    at
}

fn reference(bytes: &[u8], from: usize) -> Token {
    let rest = &bytes[from + 1..];
    match memchr3(b';', b'&', b'<', rest) {
        Some(n) if rest[n] == b';' => Token::Reference { to: from + n + 2 },
        Some(n) => Token::Ampersand { to: from + n + 1 },
        None => Token::Ampersand { to: bytes.len() },
    }
}

fn text_end(bytes: &[u8], from: usize) -> usize {
    // Between tags there mostly are some spaces.
    let mut to = from;
    while bytes.get(to).is_some_and(|&b| is_space(b)) {
        to += 1;
    }
    if bytes.get(to) != Some(&b'<') {
        let rest = &bytes[to..];
        to += memchr2(b'<', b'&', rest).unwrap_or(rest.len());
    }
    to
}

fn end(bytes: &[u8], from: usize) -> Token {
    let name = from + 2;
    let Some(length) = memchr(b'>', &bytes[name..]) else {
        return Token::Odd;
    };
    let mut end = name + length;
    while end > name && is_space(bytes[end - 1]) {
        end -= 1;
    }
    if end == name {
        return Token::Odd;
    }
    Token::End {
        name: end,
        to: name + length + 1,
    }
}

const fn is_space(b: u8) -> bool {
    matches!(b, b' ' | b'\t' | b'\n' | b'\r')
}

/// Bytes that names have in what is written as it should be.
const fn is_name(b: u8) -> bool {
    const NAMES: [bool; 256] = {
        let mut names = [false; 256];
        let mut b = 0;
        while b < 256 {
            let c = b as u8;
            names[b] =
                c.is_ascii_alphanumeric() || matches!(c, b'_' | b':' | b'-' | b'.') || c >= 0x80;
            b += 1;
        }
        names
    };
    NAMES[b as usize]
}
