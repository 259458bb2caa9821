//! Private keys in PEM, on one line or over many, with anything before each line.
//!
//! A key whose end never comes ends with the first line that cannot be of it: what follows is somebody's text.

use std::borrow::Cow;

use super::MARK;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";

/// Fewest bytes of base64 that are a key's wherever they stand in a line.
const LONG: usize = 24;

/// Inside of a private key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Open {
    /// Bytes before the key's own in its first line.
    column: usize,
}

/// Takes keys out of a line; what is open afterwards stands in `open`, and `taken` counts keys.
pub(super) fn line<'a>(line: &'a [u8], open: &mut Option<Open>, taken: &mut u64) -> Cow<'a, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut rest = line;
    if let Some(key) = *open {
        let end = memchr::memmem::find(rest, END);
        match end {
            Some(end) => {
                *open = None;
                rest = behind(&rest[end..]);
                out = Some(Vec::new());
            }
            None if is_key(rest, key.column) => {
                return Cow::Borrowed(if line.ends_with(b"\n") { b"\n" } else { b"" });
            }
            None => *open = None,
        }
    }
    let mut from = 0;
    while let Some(n) = memchr::memmem::find(&rest[from..], BEGIN) {
        let begin = from + n;
        let Some(head) = head(&rest[begin..]) else {
            from = begin + BEGIN.len();
            continue;
        };
        *taken += 1;
        let kept = out.get_or_insert_default();
        kept.extend_from_slice(&rest[..begin]);
        kept.extend_from_slice(MARK.as_bytes());
        let body = &rest[begin + head..];
        match memchr::memmem::find(body, END) {
            Some(end) => {
                rest = behind(&body[end..]);
                from = 0;
            }
            None => {
                // A name of the form alone has no key behind it on its line: its end, or what stands around it, stays.
                let whole = body.trim_ascii_end();
                let quoted = matches!(
                    whole.first(),
                    Some(b'"' | b'\'' | b'`' | b')' | b',' | b'.' | b' ')
                ) && !has_long(whole);
                if quoted {
                    rest = body;
                    from = 0;
                    continue;
                }
                *open = Some(Open { column: begin });
                if line.ends_with(b"\n") {
                    kept.push(b'\n');
                }
                return Cow::Owned(out.unwrap_or_default());
            }
        }
    }
    match out {
        None => Cow::Borrowed(line),
        Some(mut out) => {
            out.extend_from_slice(rest);
            Cow::Owned(out)
        }
    }
}

/// The length of a private key's first line: `-----BEGIN … PRIVATE KEY-----`.
fn head(text: &[u8]) -> Option<usize> {
    let window = &text[BEGIN.len()..text.len().min(BEGIN.len() + 64)];
    let end = memchr::memmem::find(window, DASHES)?;
    let name = &window[..end];
    (name.ends_with(b"PRIVATE KEY") || name.ends_with(b"PRIVATE KEY BLOCK"))
        .then_some(BEGIN.len() + end + DASHES.len())
}

/// What stands behind `-----END …-----`: it belongs to whatever the key is quoted in.
fn behind(text: &[u8]) -> &[u8] {
    let text = &text[END.len()..];
    let end = memchr::memmem::find(&text[..text.len().min(64)], DASHES);
    &text[end.map_or(0, |end| end + DASHES.len())..]
}

const fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=')
}

fn has_long(line: &[u8]) -> bool {
    line.split(|b| !is_base64(*b)).any(|run| run.len() >= LONG)
}

/// Whether a line can be one of a key.
fn is_key(line: &[u8], column: usize) -> bool {
    let of_key = |text: &[u8]| {
        let text = text.trim_ascii();
        let text = text.strip_suffix(b"+").map_or(text, <[u8]>::trim_ascii_end);
        let text = text
            .strip_suffix(b"\\n\"")
            .or_else(|| text.strip_suffix(b"\\n'"))
            .unwrap_or(text);
        let text = text.strip_suffix(b"\\").unwrap_or(text);
        let text = text.trim_ascii_start();
        let text = text
            .strip_prefix(b"\"")
            .or_else(|| text.strip_prefix(b"'"))
            .unwrap_or(text);
        text.iter().all(|b| is_base64(*b))
    };
    let header = [
        &b"Proc-Type:"[..],
        b"DEK-Info:",
        b"Version:",
        b"Comment:",
        b"Charset:",
    ];
    has_long(line)
        || of_key(line)
        || line.get(column..).is_some_and(of_key)
        || header
            .iter()
            .any(|name| memchr::memmem::find(line, name).is_some())
}
