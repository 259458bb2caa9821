//! Values and texts: references resolved, lengths bounded.

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

/// What a yes-or-no attribute says.
pub(in crate::read) fn truth(value: &str) -> Option<bool> {
    let value = value.trim();
    if ["true", "1", "yes"].iter().any(|t| value.eq_ignore_ascii_case(t)) {
        Some(true)
    } else if ["false", "0", "no", ""].iter().any(|t| value.eq_ignore_ascii_case(t)) {
        Some(false)
    } else {
        None
    }
}

/// The beginning of a text that comes in pieces.
#[derive(Debug, Default)]
pub(in crate::read) struct Head {
    bytes: Vec<u8>,
    more: bool,
}

impl Head {
    pub(in crate::read) fn push(&mut self, piece: &str, limit: usize) {
        // Terminal escapes are taken out later: room for them.
        let most = limit.saturating_mul(2).saturating_add(64);
        let room = most - self.bytes.len().min(most);
        let piece = piece.as_bytes();
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        self.more |= piece.len() > room;
    }

    /// The text, and whether it was longer. Empty afterwards.
    pub(in crate::read) fn take(&mut self, limit: usize) -> (String, bool) {
        let bytes = self.bytes.trim_ascii();
        let (text, cut) = if bytes.is_empty() {
            (String::new(), false)
        } else {
            // Cut within a character: that one is left out.
            let end = match std::str::from_utf8(bytes) {
                Err(e) if e.error_len().is_none() => e.valid_up_to(),
                _ => bytes.len(),
            };
            text::head(&bytes[..end], limit)
        };
        let more = std::mem::take(&mut self.more);
        self.bytes.clear();
        (text, cut || more)
    }
}

/// The end of a text that comes in pieces.
#[derive(Debug, Default)]
pub(in crate::read) struct Tail {
    bytes: Vec<u8>,
}

impl Tail {
    pub(in crate::read) fn push(&mut self, piece: &str, limit: usize) {
        let most = limit.saturating_mul(2).saturating_add(64);
        let piece = piece.as_bytes();
        if piece.len() >= most {
            self.bytes.clear();
            self.bytes.extend_from_slice(&piece[piece.len() - most..]);
            return;
        }
        if self.bytes.len() + piece.len() > most.saturating_mul(2) {
            let surplus = (self.bytes.len() + piece.len()).saturating_sub(most);
            self.bytes.drain(..surplus.min(self.bytes.len()));
        }
        self.bytes.extend_from_slice(piece);
    }

    /// The text. Empty afterwards.
    pub(in crate::read) fn take(&mut self, limit: usize) -> String {
        let bytes = self.bytes.trim_ascii();
        // Begun within a character: that one is left out.
        let from = bytes
            .iter()
            .take(3)
            .take_while(|b| (0x80..=0xbf).contains(*b))
            .count();
        let text = text::tail(&bytes[from..], limit);
        self.bytes.clear();
        text
    }
}
