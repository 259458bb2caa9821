//! Values and texts: references resolved, lengths bounded.

use crate::TestId;
use crate::read::text;

/// What a reference stands for: one of the five entities, or a character by number. Numbers that are no character are U+FFFD.
pub(super) fn entity(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            if number.starts_with(['+', '-']) || number.len() > 10 {
                return None;
            }
            let code = code.ok()?;
            Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
    }
}

/// An attribute's value with its references resolved, in the place of what `into` held. What is no reference stays as it is.
pub(in crate::read) fn plain(raw: &str, into: &mut String) {
    into.clear();
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        into.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let end = behind.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((entity(&behind[..end])?, end))) {
            Some((c, end)) => {
                into.push(c);
                rest = &behind[end + 1..];
            }
            None => {
                into.push('&');
                rest = behind;
            }
        }
    }
    into.push_str(rest);
}

/// Whether bytes are ASCII without control characters and references.
fn is_plain_name(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let odd = words.iter().fold(0, |odd, word| odd | odd_bytes(*word));
    let mut last = [b' '; 8];
    match bytes.last_chunk() {
        // Some bytes once more, rather than the last ones one by one.
        Some(chunk) => last = *chunk,
        None => last[..rest.len()].copy_from_slice(rest),
    }
    (odd | odd_bytes(last)) & HIGH == 0
}

const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// The highest bit of each byte that is below 0x20, above 0x7e, or `&`; maybe that of a byte above an odd one, too. (Anderson, "Bit
/// Twiddling Hacks": bytes less than, more than, equal.)
const fn odd_bytes(word: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(word);
    let amp = word ^ (LOW * b'&' as u64);
    word | word.wrapping_sub(LOW * 0x20) | (word.wrapping_add(LOW)) | amp.wrapping_sub(LOW)
}

/// Whether bytes are ASCII without control characters.
fn is_printable(bytes: &[u8]) -> bool {
    bytes.chunks(32).all(|chunk| {
        let odd = |odd, b: &u8| odd | u8::from(*b < 0x20) | u8::from(*b >= 0x7f);
        chunk.iter().fold(0, odd) == 0
    })
}

/// An attribute's value as a name in an id, as [`TestId::new`] makes it; sooner where nothing is to be done. Line ends that stand there as they
/// are have come from whoever laid the document out, and are blanks (XML 1.0, 3.3.3); a tab that does is the writer's, who could have left it
/// out (Vitest does not escape it), and so is what is written as a reference (`&#10;`).
pub(in crate::read) fn owned(raw: &str) -> String {
    if let Some(name) = simple(raw) {
        return name.to_owned();
    }
    let mut value = String::with_capacity(raw.len());
    resolved(raw, &mut value);
    let is_end = |b: Option<&u8>| b == Some(&b' ');
    let (first, last) = (value.as_bytes().first(), value.as_bytes().last());
    if value.len() <= 512 && is_printable(value.as_bytes()) && !is_end(first) && !is_end(last) {
        return value;
    }
    TestId::new("", "", &value).name
}

/// A value of which nothing is to be resolved, bounded or taken out, without the blanks around it.
pub(in crate::read) fn simple(raw: &str) -> Option<&str> {
    let bytes = raw.as_bytes();
    if bytes.len() > 512 || !is_plain_name(bytes) {
        return None;
    }
    let is_trim = bytes.first() != Some(&b' ') && bytes.last() != Some(&b' ');
    Some(if is_trim { raw } else { raw.trim_matches(' ') })
}

/// The same of a name to which the blanks around it belong, as [`TestId::exact`] makes it; `None` if there are none.
pub(in crate::read) fn edged(raw: &str) -> Option<String> {
    let may_be = |b: Option<&u8>| b.is_some_and(|b| !b.is_ascii_graphic() || b"&;".contains(b));
    if !may_be(raw.as_bytes().first()) && !may_be(raw.as_bytes().last()) {
        return None;
    }
    let mut value = String::with_capacity(raw.len());
    resolved(raw, &mut value);
    (value.trim().len() < value.len()).then(|| TestId::exact("", "", &value).name)
}

fn resolved(raw: &str, into: &mut String) {
    match memchr::memchr2(b'\n', b'\r', raw.as_bytes()) {
        Some(_) => plain(&raw.replace(['\n', '\r'], " "), into),
        None => plain(raw, into),
    }
}

/// What a yes-or-no attribute says.
pub(in crate::read) fn truth(value: &str) -> Option<bool> {
    let value = value.trim();
    if ["true", "1", "yes"]
        .iter()
        .any(|t| value.eq_ignore_ascii_case(t))
    {
        Some(true)
    } else if ["false", "0", "no", ""]
        .iter()
        .any(|t| value.eq_ignore_ascii_case(t))
    {
        Some(false)
    } else {
        None
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// Bytes more than it needs that a kept text may have.
const SPARE: usize = 64;

/// The beginning of a text that comes in pieces.
#[derive(Debug, Default)]
pub(in crate::read) struct Head {
    text: String,
    more: bool,
}

impl Head {
    pub(in crate::read) fn push(&mut self, piece: &str, limit: usize) {
        // Terminal escapes are taken out later: room for them.
        let most = limit.saturating_mul(2).saturating_add(64);
        let room = most.saturating_sub(self.text.len());
        if piece.len() <= room {
            self.text.push_str(piece);
            return;
        }
        self.text.push_str(&piece[..floor(piece, room)]);
        self.more = true;
    }

    /// The text, and whether it was longer. Empty afterwards.
    pub(in crate::read) fn take(&mut self, limit: usize) -> (String, bool) {
        let more = std::mem::take(&mut self.more);
        let end = self.text.trim_ascii_end().len();
        let begins = self
            .text
            .as_bytes()
            .first()
            .is_none_or(|b| !b.is_ascii_whitespace());
        if !text::is_plain(&self.text.as_bytes()[..end]) {
            let (text, cut) = text::head(self.text.trim_ascii().as_bytes(), limit);
            self.text.clear();
            return (text, cut || more);
        }
        if begins && end <= limit && self.text.capacity() - end <= SPARE {
            self.text.truncate(end);
            return (std::mem::take(&mut self.text), more);
        }
        let whole = self.text.trim_ascii();
        let kept = &whole[..whole.len().min(limit)];
        let (text, cut) = (kept.to_owned(), kept.len() < whole.len());
        self.text.clear();
        (text, cut || more)
    }
}

/// The end of a text that comes in pieces.
#[derive(Debug, Default)]
pub(in crate::read) struct Tail {
    text: String,
}

impl Tail {
    pub(in crate::read) fn push(&mut self, piece: &str, limit: usize) {
        let most = limit.saturating_mul(2).saturating_add(64);
        if piece.len() >= most {
            self.text.clear();
            let from = ceil(piece, piece.len() - most);
            self.text.push_str(&piece[from..]);
            return;
        }
        if self.text.len() + piece.len() > most.saturating_mul(2) {
            let surplus = (self.text.len() + piece.len()).saturating_sub(most);
            let to = ceil(&self.text, surplus.min(self.text.len()));
            self.text.drain(..to);
        }
        self.text.push_str(piece);
    }

    pub(in crate::read) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text. Empty afterwards.
    pub(in crate::read) fn take(&mut self, limit: usize) -> String {
        if self.text.is_empty() {
            return String::new();
        }
        let whole = self.text.trim_ascii();
        let text = if text::is_plain(whole.as_bytes()) {
            whole[whole.len() - whole.len().min(limit)..].to_owned()
        } else {
            text::tail(whole.as_bytes(), limit)
        };
        self.text.clear();
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_once() {
        let table = [
            ("a", "a"),
            ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"),
            ("&amp;lt;", "&lt;"),
            ("&#65;&#x42;&#X43;", "ABC"),
            ("&#0;&#xD800;&#x110000;", "\0\u{fffd}\u{fffd}"),
            ("&nope; & &;&#;&#x;&#+5;", "&nope; & &;&#;&#x;&#+5;"),
            ("&", "&"),
        ];
        let mut into = String::new();
        for (raw, expected) in table {
            plain(raw, &mut into);
            assert_eq!(into, expected, "{raw}");
        }
    }

    #[test]
    fn names_are_those_of_ids() {
        let long = "x".repeat(600);
        for text in ["a", " a b ", "a\tb", "ü", "", "\u{1b}[1m", "a\u{7f}", &long] {
            assert_eq!(owned(text), TestId::new("", "", text).name, "{text:?}");
        }
        assert_eq!(owned(" a&amp;&#10;b "), "a&␊b");
        assert_eq!(owned("a\nb\r\nc&#9;d\te"), "a b  c␉d␉e");
        for (raw, expected) in [
            ("a", None),
            ("&lt;a&gt;", None),
            ("ü", None),
            ("  a b", Some("␠␠a b")),
            ("a&#32;", Some("a␠")),
            ("&#9;a", Some("␉a")),
            (" ", Some("")),
        ] {
            assert_eq!(edged(raw).as_deref(), expected, "{raw:?}");
        }
        let long = format!("&lt;{long}");
        for raw in [
            "a &gt; b", " &gt; b", "a&#32;", "&#32;", "&lt;ü", "&#7;a", "&#x7f;", &long,
        ] {
            let mut resolved = String::new();
            plain(raw, &mut resolved);
            assert_eq!(owned(raw), TestId::new("", "", &resolved).name, "{raw:?}");
        }
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let pieces = ["\n  one\n", "two \u{1b}[1mthree\u{1b}[0m ", "four\n\n"];
        let (mut head, mut tail) = (Head::default(), Tail::default());
        for limit in [4, 9, 100] {
            for piece in pieces {
                head.push(piece, limit);
                tail.push(piece, limit);
            }
            let (text, cut) = head.take(limit);
            assert!("one\ntwo three four".starts_with(&text) && text.len() <= limit);
            assert_eq!(cut, limit < 18, "{limit}");
            let text = tail.take(limit);
            assert!("one\ntwo three four".ends_with(&text) && text.len() == limit.min(18));
        }
        for n in 0..300 {
            tail.push(&format!("{n},"), 10);
        }
        assert_eq!(tail.take(10), "7,298,299,");
    }
}
