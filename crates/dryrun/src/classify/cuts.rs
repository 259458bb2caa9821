//! Stretches of text that are short enough to be shown.

/// Returns at most `limit` bytes as text, invalid UTF-8 replaced.
pub(super) fn lossy(bytes: &[u8], limit: usize) -> String {
    let bytes = bytes.get(..limit).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    cut(&text, limit).to_owned()
}

/// Returns the start of `text`, at most `limit` bytes.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Returns the first line with something in it, at most 300 bytes.
pub(super) fn one_line(text: &str) -> String {
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("");
    let plain = super::prefix::uncoloured(line);
    let plain = plain.trim();
    if plain.len() > 300 {
        format!("{}…", cut(plain, 297))
    } else {
        plain.to_owned()
    }
}
