//! What two findings of one cause have in common: their text with everything blanked that differs from time to time.

/// Longest masked message, bytes.
const LIMIT: usize = 240;

/// Returns `text` (its first line) with numbers, hexadecimal, UUIDs and quoted parts blanked, and spaces joined.
pub(crate) fn mask(text: &str) -> String {
    let line = text.lines().next().unwrap_or("").trim();
    let mut masked = String::with_capacity(line.len().min(LIMIT));
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        if masked.len() >= LIMIT {
            break;
        }
        match c {
            '"' | '`' => {
                let inner = &rest[1..];
                match inner.find(c) {
                    Some(end) => {
                        masked.push_str("<q>");
                        rest = &inner[end + 1..];
                    }
                    None => {
                        masked.push(c);
                        rest = inner;
                    }
                }
            }
            // An apostrophe inside a word quotes nothing.
            '\'' if !masked.ends_with(|c: char| c.is_alphanumeric()) => {
                let inner = &rest[1..];
                match inner.find('\'') {
                    Some(end) => {
                        masked.push_str("<q>");
                        rest = &inner[end + 1..];
                    }
                    None => {
                        masked.push(c);
                        rest = inner;
                    }
                }
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                word(&rest[..end], &mut masked);
                rest = &rest[end..];
            }
            c if c.is_whitespace() => {
                if !masked.ends_with(' ') {
                    masked.push(' ');
                }
                rest = &rest[c.len_utf8()..];
            }
            c => {
                // Parts of one number, one address, one UUID are one blank.
                let joins = matches!(c, '.' | '-' | ':' | ',' | '/') && masked.ends_with("<n>");
                let after = &rest[c.len_utf8()..];
                if !(joins
                    && after.starts_with(|c: char| c.is_ascii_hexdigit())
                    && blank(first_word(after)))
                {
                    masked.push(c);
                }
                rest = after;
            }
        }
    }
    let mut end = masked.len().min(LIMIT);
    while !masked.is_char_boundary(end) {
        end -= 1;
    }
    masked.truncate(end);
    masked
}

fn first_word(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}

/// Whether a word is a number, perhaps with a unit, or hexadecimal.
fn blank(word: &str) -> bool {
    word.bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_digit())
        || (word.len() >= 4
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
            && word.bytes().any(|byte| byte.is_ascii_digit()))
        || (word.len() >= 16 && word.bytes().filter(u8::is_ascii_digit).count() >= 4)
}

fn word(word: &str, masked: &mut String) {
    if blank(word) {
        if !masked.ends_with("<n>") {
            masked.push_str("<n>");
        }
    } else if let Some(digits) = word.find(|c: char| c.is_ascii_digit()) {
        masked.push_str(&word[..digits]);
        masked.push_str("<n>");
    } else {
        masked.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_time_to_time_is_blanked() {
        for (text, masked) in [
            ("heartbeat #123 took 4.5ms", "heartbeat #<n> took <n>"),
            (
                "id 550e8400-e29b-41d4-a716-446655440000 gone",
                "id <n> gone",
            ),
            ("key 'abc' not in \"def\"", "key <q> not in <q>"),
            ("can't open `x`", "can't open <q>"),
            ("at 0xdeadbeef", "at <n>"),
            ("10.0.0.1:8080 refused", "<n> refused"),
            ("worker12  failed\nmore", "worker<n> failed"),
            ("an unclosed \" quote", "an unclosed \" quote"),
        ] {
            assert_eq!(mask(text), masked);
        }
        assert!(mask(&"ä".repeat(1_000)).len() <= LIMIT);
    }
}
