//! Finds secrets by the names and shapes of forms, queries, URLs, cookies and multipart bodies.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::names::Names;
use super::{Edit, Kind, media_is};

/// `name=value` behind `?`, `&` or `#`, wherever it stands; signs may be escaped as JSON has it (`\u0026`, `\/`).
static QUERY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?-u)(?:[?&#]|\\u00(?:26|3[fF]|23))((?:[^=&?#\s"'<>\\]|\\/){1,256})(?:=|\\u003[dD])((?:[^&#\s"'<>\\]|\\/)*)"#,
    )
});
/// The same in a URL that is percent-encoded, as the value of a parameter.
static ENCODED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i-u)%(?:3f|26|23)([a-z0-9_.-]{1,256})%3d((?:[^&#\s"'<>\\%]|%(?:[013-9a-f][0-9a-f]|2[0124579a-f8]))*)"#,
    )
});
/// Userinfo of a URL (RFC 3986 section 3.2.1).
static USER_INFO: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?-u)[A-Za-z][A-Za-z0-9+.-]*:(?:\\?/){2}([^/\s"'<>@?#\\]+)@"#));
/// The name of a part of a form (RFC 7578).
static PART_NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i-u)content-disposition:[^\r\n]*[;\s]name="?([^"\r\n;]+)"?"#));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("invariant: a constant pattern that the tests compile")
}

/// Values of sensitive parameters of queries and fragments; of form fields too, if the whole text is a form.
pub(super) fn pairs(bytes: &[u8], form: bool, names: &Names, edits: &mut Vec<Edit>) {
    if form {
        let mut at = 0;
        for pair in bytes.split(|b| *b == b'&') {
            if let Some(equals) = pair.iter().position(|b| *b == b'=') {
                let name = percent_decoded(&pair[..equals]);
                if names.key(&String::from_utf8_lossy(&name)) {
                    edits.push(Edit::mark(
                        at + equals + 1..at + pair.len(),
                        Kind::FormField,
                    ));
                }
            }
            at += pair.len() + 1;
        }
    }
    let plain = QUERY.captures_iter(bytes);
    for found in plain.chain(ENCODED.captures_iter(bytes)) {
        if let (Some(name), Some(value)) = (found.get(1), found.get(2)) {
            let name = percent_decoded(name.as_bytes());
            if names.parameter(&String::from_utf8_lossy(&name)) {
                edits.push(Edit::mark(value.range(), Kind::QueryParameter));
            }
        }
    }
}

/// `user:password` before a host.
pub(super) fn user_info(bytes: &[u8], edits: &mut Vec<Edit>) {
    for found in USER_INFO.captures_iter(bytes) {
        if let Some(info) = found.get(1) {
            edits.push(Edit::mark(info.range(), Kind::UserInfo));
        }
    }
}

/// Name and range of the value of each cookie; of a `Set-Cookie` the first is the cookie, the others its attributes.
pub(super) fn cookies(value: &[u8]) -> Vec<(String, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    for pair in value.split(|b| *b == b';') {
        let from = pair.iter().position(|b| *b == b'=').map_or(0, |e| e + 1);
        let name = String::from_utf8_lossy(&pair[..from.saturating_sub(1)]);
        let blanks = pair[from..].iter().take_while(|b| **b == b' ').count();
        let end = pair.trim_ascii_end().len().max(from + blanks);
        found.push((name.trim().to_owned(), at + from + blanks..at + end));
        at += pair.len() + 1;
    }
    found
}

/// The boundary of a multipart content type.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let media = content_type.split(';').next()?.trim();
    if !media.get(..10)?.eq_ignore_ascii_case("multipart/") {
        return None;
    }
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        let named = name.trim().eq_ignore_ascii_case("boundary");
        (named && !value.is_empty()).then(|| value.to_owned())
    })
}

/// Contents of sensitive parts of a multipart form.
pub(super) fn parts(bytes: &[u8], boundary: &str, names: &Names, edits: &mut Vec<Edit>) {
    let dashed = format!("--{boundary}");
    let mut borders = aho_corasick::AhoCorasick::new([dashed.as_bytes()])
        .map(|search| {
            search
                .find_iter(bytes)
                .map(|m| m.start())
                .collect::<Vec<_>>()
        })
        .unwrap_or_default();
    borders.push(bytes.len());
    for pair in borders.windows(2) {
        let part = &bytes[pair[0]..pair[1]];
        let Some(head) = part.windows(4).position(|w| w == b"\r\n\r\n") else {
            continue;
        };
        let name = PART_NAME.captures(&part[..head]).and_then(|c| c.get(1));
        let Some(name) = name else { continue };
        if names.key(&String::from_utf8_lossy(name.as_bytes())) {
            let content = part[head + 4..].strip_suffix(b"\r\n");
            let length = content.map_or(part.len() - head - 4, <[u8]>::len);
            let start = pair[0] + head + 4;
            edits.push(Edit::mark(start..start + length, Kind::FormField));
        }
    }
}

/// Undoes percent-encoding and `+`; what is not well-formed stays.
pub(crate) fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|t| std::str::from_utf8(t).ok());
        match (first, hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                out.push(b' ');
                rest = tail;
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    out
}

/// Whether a content type says JSON.
pub(crate) fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    media_is(content_type, "application/json") || media.to_ascii_lowercase().ends_with("+json")
}
