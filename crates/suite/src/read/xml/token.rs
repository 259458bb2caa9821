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
    let name = past_name(bytes, from + 2);
    let mut at = name;
    while let Some(&b) = bytes.get(at)
        && is_space(b)
    {
        at += 1;
    }
    if name == from + 2 || bytes.get(at) != Some(&b'>') {
        return Token::Odd;
    }
    Token::End { name, to: at + 1 }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::events::Event;
    use quick_xml::reader::Reader;

    use super::*;

    /// Pieces that make up tokens, whole and broken ones.
    const PIECES: [&str; 36] = [
        "<",
        ">",
        "/",
        "</",
        "/>",
        "a",
        "b:c",
        "é",
        " ",
        "\n",
        "\t",
        "=",
        "\"",
        "'",
        "a=\"",
        "b='",
        "=\"x\"",
        " c=\"<>'&\"",
        "&",
        ";",
        "&lt;",
        "&#65;",
        "<![CDATA[",
        "]]>",
        "]]",
        "<!--",
        "-->",
        "<?",
        "?>",
        "!",
        "1",
        "-",
        ".",
        "<a",
        " x:y=\"1\"",
        "text",
    ];

    /// What quick-xml says of the token that a text begins with, in the words of this module.
    fn judged(text: &str) -> Option<(String, usize)> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        let event = reader.read_event().ok()?;
        let told = match event {
            Event::Start(tag) => format!("start {:?} {}", tag.name(), listed(&tag)?),
            Event::Empty(tag) => format!("empty {:?} {}", tag.name(), listed(&tag)?),
            Event::End(tag) => format!("end {:?}", tag.name()),
            Event::Text(text) => format!("text {:?}", &*text.into_inner()),
            Event::GeneralRef(name) => format!("reference {:?}", &*name.into_inner()),
            Event::CData(text) => format!("section {:?}", &*text.into_inner()),
            _ => return None,
        };
        Some((told, usize::try_from(reader.buffer_position()).ok()?))
    }

    fn listed(tag: &quick_xml::events::BytesStart<'_>) -> Option<String> {
        let mut all = Vec::new();
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let key = attribute.key.into_inner().to_owned();
            all.push((key, attribute.value.to_string()));
        }
        Some(format!("{all:?}"))
    }

    fn taken(text: &str) -> Option<(String, usize)> {
        let end = section_end();
        let mut tokens = Tokens::new(text, &end);
        let token = tokens.take(0);
        let list: Vec<(String, String)> = tokens
            .attributes()
            .iter()
            .map(|a| {
                let colon = if a.prefix.is_empty() { "" } else { ":" };
                (format!("{}{colon}{}", a.prefix, a.key), a.value.to_owned())
            })
            .collect();
        let name = |to: usize, from: usize| quick_xml::name::QName(&text[from..to]);
        Some(match token {
            Token::Start {
                name: n,
                is_empty,
                to,
            } => {
                let word = if is_empty { "empty" } else { "start" };
                (format!("{word} {:?} {list:?}", name(n, 1)), to)
            }
            Token::End { name: n, to } => (format!("end {:?}", name(n, 2)), to),
            Token::Text { to } | Token::Ampersand { to } => (format!("text {:?}", &text[..to]), to),
            Token::Reference { to } => (format!("reference {:?}", &text[1..to - 1]), to),
            Token::Section { to } => (format!("section {:?}", &text[9..to - 3]), to),
            Token::Short | Token::Odd => return None,
        })
    }

    #[test]
    fn what_is_mostly_written_is_taken_here() {
        for text in [
            "<testcase name=\"a\" time='1'/>",
            "<a>",
            "</a >",
            "<a b=\"1\"\n c=\"2\" >",
            "x",
            "&lt;",
            "<![CDATA[]]]]>",
        ] {
            assert!(taken(text).is_some(), "{text}");
            assert_eq!(taken(text), judged(text), "{text}");
        }
        for odd in [
            "<a b=1>",
            "<a b>",
            "<a b=\"1\"c=\"2\">",
            "<1>",
            "</ >",
            "<!--x-->",
            "<?x?>",
            "<a",
            "< a>",
        ] {
            assert_eq!(taken(odd), None, "{odd}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn a_token_that_is_taken_is_that_of_quick_xml(pieces in prop::collection::vec(0..PIECES.len(), 1..12), begin in 0..4_usize) {
            let begin = ["", "<", "<a", "<a b=\"1\""][begin];
            let text: String = std::iter::once(begin).chain(pieces.iter().map(|n| PIECES[*n])).collect();
            if let Some(token) = taken(&text) {
                prop_assert_eq!(Some(token), judged(&text));
            }
        }
    }
}
