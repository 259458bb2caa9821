//! Bounded texts of failures and outputs. Terminal escapes are taken out: they mean nothing in a report and much in a terminal.

/// Text as it is kept: without terminal escapes and control characters other than tab and line feed, at most `limit` bytes from its
/// beginning. The second part is whether something was cut.
pub(super) fn head(bytes: &[u8], limit: usize) -> (String, bool) {
    let kept = &bytes[..bytes.len().min(limit)];
    if is_plain(kept)
        && let Ok(text) = std::str::from_utf8(kept)
    {
        // Of what is cut, the first that is not kept may be no character, and there may be nothing behind it that shows.
        if kept.len() == bytes.len() || is_plain(&bytes[limit..=limit]) {
            return (text.to_owned(), kept.len() < bytes.len());
        }
    }
    // Escapes take no room, so somewhat more is looked at than is kept.
    let most = limit.saturating_mul(4).saturating_add(64);
    let looked = &bytes[..bytes.len().min(most)];
    let mut text = plain(looked);
    let cut = text.len() > limit || looked.len() < bytes.len();
    if text.len() > limit {
        text.truncate(floor(&text, limit));
    }
    (text, cut)
}

/// Whether bytes are ASCII that is kept as it is: no control characters but line feeds and tabs. Written without a way out of the
/// inner loop, for the compiler to take many bytes at once.
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    let odd = |odd: u8, b: &u8| {
        let control = u8::from(*b < 0x20) & u8::from(*b != b'\n') & u8::from(*b != b'\t');
        odd | control | u8::from(*b >= 0x7f)
    };
    let (blocks, rest) = bytes.as_chunks::<128>();
    let (few, last) = rest.as_chunks::<16>();
    blocks.iter().all(|block| block.iter().fold(0, odd) == 0)
        && few.iter().all(|block| block.iter().fold(0, odd) == 0)
        && last.iter().fold(0, odd) == 0
}

/// As [`head`], from its end.
pub(super) fn tail(bytes: &[u8], limit: usize) -> String {
    let most = limit.saturating_mul(4).saturating_add(64);
    let mut text = plain(&bytes[bytes.len() - bytes.len().min(most)..]);
    if text.len() > limit {
        let mut from = text.len() - limit;
        while !text.is_char_boundary(from) {
            from += 1;
        }
        text.drain(..from);
    }
    text
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Decodes, takes terminal escapes out, makes `\r\n` one line feed.
pub(super) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if !text
        .bytes()
        .any(|b| (b < 0x20 && b != b'\n' && b != b'\t') || b == 0x7f)
    {
        return text.into_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.peek() {
                // CSI: up to its final byte.
                Some('[') => {
                    chars.next();
                    while let Some(c) = chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)) {
                        let _ = c;
                    }
                    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
                }
                // OSC: up to BEL or ST.
                Some(']') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' {
                            break;
                        }
                        if c == '\u{1b}' {
                            chars.next_if_eq(&'\\');
                            break;
                        }
                    }
                }
                // A character set and the like: intermediate bytes and a final one, as in `ESC ( B`.
                Some(_) => {
                    while chars
                        .next_if(|c| ('\u{20}'..='\u{2f}').contains(c))
                        .is_some()
                    {}
                    chars.next();
                }
                None => {}
            },
            '\n' | '\t' => out.push(c),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_gone_and_limits_hold() {
        assert_eq!(
            plain(b"\x1b[1;31mFAIL\x1b[0m a\tb\r\nc\x1b]0;title\x07d\x00\rlast\x1b"),
            "FAIL a\tb\ncd\nlast"
        );
        assert_eq!(plain(b"\x1b[32mok\x1b(B\x1b[m. 1"), "ok. 1");
        assert_eq!(plain(b"bad \xff"), "bad \u{fffd}");
        assert_eq!(head("äöü".as_bytes(), 3), ("ä".to_owned(), true));
        assert_eq!(head(b"abc", 3), ("abc".to_owned(), false));
        assert_eq!(tail("äöü".as_bytes(), 3), "ü");
        let long = "x".repeat(10_000);
        assert_eq!(head(long.as_bytes(), 10), ("x".repeat(10), true));
        assert_eq!(tail(format!("{long}end").as_bytes(), 4), "xend");
    }
}
