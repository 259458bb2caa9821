//! Credentials in URLs: `scheme://user:password@host`, `https://TOKEN@host`.

use std::ops::Range;

use super::shape::is_random;

/// Longest part before the host.
const LONGEST: usize = 1_024;

/// Adds where credentials stand.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for at in memchr::memmem::find_iter(text, b"://") {
        let from = at + 3;
        if from < done || at == 0 || !text[at - 1].is_ascii_alphanumeric() {
            continue;
        }
        let Some(end) = user(text, from) else {
            continue;
        };
        done = end;
        let info = &text[from..end];
        let scheme = text[..at]
            .iter()
            .rev()
            .take_while(|b| b.is_ascii_alphanumeric())
            .count();
        let web = text[at - scheme..at]
            .to_ascii_lowercase()
            .starts_with(b"http");
        let colon = memchr::memchr(b':', info);
        let name = &info[..colon.unwrap_or(info.len())];
        // A token is put where a name belongs.
        let token = web && name.len() >= 8 && is_random(name) || name.len() >= 32;
        if token {
            found.push(from..from + name.len());
        }
        if let Some(colon) = colon {
            let password = from + colon + 1..end;
            let value = &text[password.clone()];
            let open = value.starts_with(b"$")
                || value.starts_with(b"{")
                || value.starts_with(b"<")
                || value.iter().all(|b| *b == b'*');
            if !password.is_empty() && !open {
                found.push(password);
            }
        }
    }
}

/// Where the part before the host ends, if there is one: at the last `@` before the path. A password may have a slash in it; then what
/// stands behind the colon is no port.
fn user(text: &[u8], from: usize) -> Option<usize> {
    let window = &text[from..text.len().min(from + LONGEST)];
    let ends = |b: &u8| {
        b.is_ascii_whitespace()
            || *b < 0x20
            || matches!(b, b'"' | b'<' | b'>' | b'`' | b'\\' | b'|')
    };
    let whole = window.iter().position(ends).unwrap_or(window.len());
    let window = &window[..whole];
    // A list of URLs is none of one password.
    let window = &window[..memchr::memmem::find(window, b"://").unwrap_or(window.len())];
    let authority = window
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(window.len());
    if let Some(at) = memchr::memrchr(b'@', &window[..authority]) {
        return Some(from + at);
    }
    let colon = memchr::memchr(b':', &window[..authority])?;
    let port = &window[colon + 1..authority];
    if colon == 0
        || port.is_empty() && authority < window.len()
        || port.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let at = memchr::memchr(b'@', &window[authority..])? + authority;
    let host = window[at + 1..]
        .first()
        .is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'[');
    host.then_some(from + at)
}
