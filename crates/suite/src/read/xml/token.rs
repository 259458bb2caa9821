//! The tokens that nearly all writers write, read in one pass: tags whose attributes have a key, `=` and a quoted value, sections of
//! text, and text itself. What is written in any other way is left to quick-xml, token by token, so there is one judge of what is odd.
//!
//! Invariants: a token that is taken here is one that quick-xml takes too, with the same name, attributes and text; of a token that
//! does not end in the window nothing is taken.

use memchr::{memchr, memchr2, memchr3, memmem};

/// Attributes of a tag that are read here; a tag with more is odd.
const MOST: usize = 16;

/// Where an attribute stands in its tag.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Attribute {
    /// Where its key begins, and the part of it behind a prefix.
    key: usize,
    local: usize,
    equals: usize,
    /// Where its value ends.
    end: usize,
}

/// Takes tokens, one after the other.
#[derive(Debug)]
pub(super) struct Tokens {
    attributes: Attributes,
    section_end: memmem::Finder<'static>,
}

/// The attributes of the tag that was taken last.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    places: [Attribute; MOST],
    count: usize,
}

impl Attributes {
    /// Prefix, key and raw value of each.
    pub(super) fn of<'a>(
        &'a self,
        tag: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str, &'a str)> {
        self.places[..self.count].iter().map(move |a| {
            let prefix = match a.local - a.key {
                0 => "",
                _ => &tag[a.key..a.local - 1],
            };
            let value = &tag[a.equals + 2..a.end];
            (prefix, &tag[a.local..a.equals], value)
        })
    }
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

impl Tokens {
    pub(super) fn new() -> Self {
        Self {
            attributes: Attributes::default(),
            section_end: memmem::Finder::new("]]>"),
        }
    }

    /// Those of the start tag that was taken last.
    pub(super) const fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What begins at `from`, which is not the text's end.
    pub(super) fn take(&mut self, text: &str, from: usize) -> Token {
        let bytes = text.as_bytes();
        match bytes[from] {
            b'<' => self.markup(bytes, from),
            b'&' => reference(bytes, from),
            _ => Token::Text {
                to: text_end(bytes, from),
            },
        }
    }

    fn markup(&mut self, bytes: &[u8], from: usize) -> Token {
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
            Some(&b) if b.is_ascii_alphabetic() || b == b'_' => {
                start(bytes, from, &mut self.attributes)
            }
            _ => Token::Odd,
        }
    }
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

fn start(bytes: &[u8], from: usize, attributes: &mut Attributes) -> Token {
    let mut at = from + 1;
    while bytes.get(at).is_some_and(|&b| is_name(b)) {
        at += 1;
    }
    let name = at;
    attributes.count = 0;
    loop {
        let is_apart = bytes.get(at).is_some_and(|&b| is_space(b));
        while bytes.get(at).is_some_and(|&b| is_space(b)) {
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
            Some(&b) if is_apart && is_name(b) => {}
            _ => return Token::Odd,
        }
        let key = at;
        let mut local = at;
        while let Some(&b) = bytes.get(at)
            && is_name(b)
        {
            at += 1;
            if b == b':' {
                local = at;
            }
        }
        let (Some(b'='), Some(&quote @ (b'"' | b'\''))) = (bytes.get(at), bytes.get(at + 1)) else {
            return Token::Odd;
        };
        let value = at + 2;
        let Some(length) = memchr(quote, &bytes[value..]) else {
            return Token::Odd;
        };
        let Some(place) = attributes.places.get_mut(attributes.count) else {
            return Token::Odd;
        };
        let end = value + length;
        *place = Attribute {
            key: key - from,
            local: local - from,
            equals: at - from,
            end: end - from,
        };
        attributes.count += 1;
        at = end + 1;
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
