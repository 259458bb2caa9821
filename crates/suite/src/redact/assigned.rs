//! Values that stand behind a name which means a secret: `NAME=…`, `name: …`, `"name": "…"`, `"name" => "…"`, `--name …`, `<name>…</name>`,
//! `name="…" value="…"`, headers, parameters of URLs.
//!
//! One pass from left to right; what was looked at as a value is not looked at again. How a value ends is [`super::value`]'s, what is none is
//! [`super::plain`]'s.

use std::ops::Range;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::name::{self, Kind};
use super::plain::{self, Seen};
use super::value;

/// What every name that [`name::kind`] knows has in it.
const WORDS: [&str; 17] = [
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "credential",
    "cookie",
    "auth",
    "_pat",
    "-pat",
    "sig=",
    "signature=",
    "jwt",
    "bearer",
    "basic",
    "mnemonic",
    "seed",
];

/// Most bytes of an element's text.
const ELEMENT: usize = 4_096;

static HITS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(WORDS)
        .expect("invariant: constant patterns")
});

/// How a value is joined to its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// `=`, `:=`, `=>`; whether blanks stand around it.
    Equals { spaced: bool },
    /// `:`.
    Colon,
    /// A blank behind an option, or the next word of a list.
    Blank,
    /// Between an element's tags, or in its `value`.
    Element,
}

/// A name in a text.
#[derive(Debug, Clone, Copy)]
struct Name {
    start: usize,
    end: usize,
    /// Whether it is an option: dashes stand before it.
    option: bool,
    kind: Kind,
}

/// Adds where values of secrets stand.
pub(super) fn find(text: &[u8], found: &mut Vec<Range<usize>>) {
    let mut done = 0;
    for hit in HITS.find_iter(text) {
        if hit.start() < done {
            continue;
        }
        let (start, end, option) = around(text, hit.start(), done);
        done = end;
        if let Some(range) = scheme(text, start, end) {
            done = range.end;
            found.push(range);
            continue;
        }
        let Some(kind) = name::kind(&text[start..end]) else {
            continue;
        };
        let name = Name {
            start,
            end,
            option,
            kind,
        };
        if let Some(range) = of(text, name).filter(|range| !range.is_empty()) {
            done = range.end.max(done);
            found.push(range);
        }
    }
}

const fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.')
}

/// The name around a place, and whether dashes stand before it.
fn around(text: &[u8], at: usize, floor: usize) -> (usize, usize, bool) {
    let before = text[floor..at].iter().rev().take_while(|b| is_name(**b));
    let mut start = at - before.count();
    let mut end = at + text[at..].iter().take_while(|b| is_name(**b)).count();
    while end > at && matches!(text[end - 1], b'.' | b'-') {
        end -= 1;
    }
    // What an escape before it left: `\n`, `\u0026`, `%26`, a colour's end.
    let behind = start.checked_sub(1).map(|n| text[n]);
    let digits = |from: usize, n: usize| {
        text.get(from..from + n)
            .is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
    };
    match (behind, text.get(start)) {
        (Some(b'\\'), Some(b'u')) if digits(start + 1, 4) && start + 5 <= at => start += 5,
        (Some(b'\\'), Some(b'n' | b'r' | b't')) if start < at => start += 1,
        (Some(b'%'), Some(_)) if digits(start, 2) && start + 2 <= at => start += 2,
        (Some(b'[' | b';'), Some(b'0'..=b'9')) => {
            let n = text[start..at]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count();
            if n <= 3 && start + n < at && text[start + n] == b'm' {
                start += n + 1;
            }
        }
        _ => {}
    }
    let first = start;
    while start < at && matches!(text[start], b'-' | b'.') {
        start += 1;
    }
    let option = text.get(first) == Some(&b'-') && start > first;
    (start, end, option)
}

/// Where the value of a name stands, if it is a secret.
fn of(text: &[u8], name: Name) -> Option<Range<usize>> {
    if let Some(range) = element(text, name) {
        return Some(range);
    }
    let (joint, at) = joint(text, name)?;
    let before = &text[..name.start];
    let query = matches!(before.last(), Some(b'?' | b'&'))
        || before.ends_with(b"&amp;")
        || before.ends_with(b"u0026")
        || before.ends_with(b"%26")
        || before.ends_with(b"SharedAccessSignature ");
    // A path or a module before it: `/run/secrets/token: no such file`, `app::token: refreshed`.
    let place = matches!(before.last(), Some(b'/')) || before.ends_with(b"::");
    // A test runner's word for what passed.
    let passed = text[name.start..name.end] == *b"PASS";
    if (place || passed) && joint == Joint::Colon {
        return None;
    }
    let seen = Seen {
        name: &text[name.start..name.end],
        strong: name.kind != Kind::Weak
            || (name.option && joint != Joint::Colon)
            || joint == Joint::Element,
        joint,
    };
    match name.kind {
        Kind::Parameter => {
            if !query || joint != (Joint::Equals { spaced: false }) {
                return None;
            }
            let range = at..value::run(text, at, true);
            let is_key = text[name.start..name.end].eq_ignore_ascii_case(b"key");
            let long = range.len() >= if is_key { 16 } else { 8 };
            (long && (!is_key || super::shape::is_random(&text[range.clone()]))).then_some(range)
        }
        Kind::Authorization => authorization(text, at, seen),
        Kind::Cookie => cookies(text, at, seen),
        Kind::Strong | Kind::Weak => simple(text, at, seen, query),
    }
}

fn simple(text: &[u8], at: usize, seen: Seen<'_>, query: bool) -> Option<Range<usize>> {
    if let Some(range) = value::quoted(text, at) {
        return (!plain::quoted(&text[range.clone()], seen)).then_some(range);
    }
    let at = value::inner(text, at);
    // A phrase has blanks in it.
    let phrase = [&b"phrase"[..], b"mnemonic"]
        .iter()
        .any(|end| seen.name.to_ascii_lowercase().ends_with(end));
    let mut end = value::run(text, at, query);
    let first = &text[at..end];
    if plain::bare(first, &text[end..], seen) {
        return None;
    }
    if phrase && matches!(seen.joint, Joint::Colon | Joint::Equals { spaced: true }) {
        while text.get(end) == Some(&b' ') && value::run(text, end + 1, query) > end + 1 {
            end = value::run(text, end + 1, query);
        }
    }
    Some(at..end)
}

/// `Bearer …`, `Basic …` wherever they stand: what follows is no word.
fn scheme(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let word = &text[start..end];
    if !word.eq_ignore_ascii_case(b"bearer") && !word.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let rest = &text[end..];
    let blanks = match rest {
        [b'%', b'2', b'0', ..] => 3,
        [b'+', ..] => 1,
        _ => rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count(),
    };
    let from = end + blanks;
    let token = |b: &&u8| b.is_ascii_alphanumeric() || b"._~+/-=".contains(b);
    let length = text[from..].iter().take_while(token).count();
    let value = &text[from..from + length];
    let made = super::shape::is_random(value) || value.contains(&b'=');
    (blanks > 0 && length >= 12 && made).then_some(from..from + length)
}

/// Behind `Authorization:`: the scheme stays.
fn authorization(text: &[u8], at: usize, seen: Seen<'_>) -> Option<Range<usize>> {
    let (from, to) = match value::quoted(text, at) {
        Some(range) => (range.start, Some(range.end)),
        None => (value::inner(text, at), None),
    };
    let word = text[from..]
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'-')
        .count();
    let blanks = text[from + word..]
        .iter()
        .take_while(|b| matches!(b, b' ' | b'+'))
        .count();
    let begin = from + word + blanks;
    let scheme = text[from..from + word].to_ascii_lowercase();
    let known: [&[u8]; 6] = [
        b"bearer",
        b"basic",
        b"token",
        b"negotiate",
        b"ntlm",
        b"apikey",
    ];
    let listed: [&[u8]; 7] = [
        b"digest",
        b"hawk",
        b"oauth",
        b"signature",
        b"aws4-hmac-sha256",
        b"hmac",
        b"sharedkey",
    ];
    let is_listed = listed.contains(&scheme.as_slice());
    if blanks > 0 && (is_listed || known.contains(&scheme.as_slice())) {
        let end = to.unwrap_or_else(|| match is_listed {
            true => value::list(text, begin, b','),
            false => value::run(text, begin, false),
        });
        let value = text.get(begin..end)?;
        let plain = plain::bare(
            value,
            &text[end..],
            Seen {
                strong: true,
                ..seen
            },
        );
        return (!plain || (is_listed && value.contains(&b'='))).then_some(begin..end);
    }
    simple(text, at, seen, false)
}

/// Behind `Cookie:`: all pairs.
fn cookies(text: &[u8], at: usize, seen: Seen<'_>) -> Option<Range<usize>> {
    if value::quoted(text, at).is_none() {
        let from = value::inner(text, at);
        let end = value::list(text, from, b';');
        if text[from..end].contains(&b'=') && text[from] != b'=' {
            return Some(from..end);
        }
    }
    simple(text, at, seen, false)
}

/// `<name>…</name>`, also where an XML or a JSON text holds it.
fn element(text: &[u8], name: Name) -> Option<Range<usize>> {
    let before = &text[..name.start];
    let before = match before.split_last() {
        // A namespace.
        Some((b':', rest)) => {
            let n = rest
                .iter()
                .rev()
                .take_while(|b| is_name(**b))
                .take(64)
                .count();
            &rest[..rest.len() - n]
        }
        _ => before,
    };
    let forms: [(&[u8], &[u8]); 3] = [(b"<", b">"), (b"&lt;", b"&gt;"), (b"\\u003c", b"\\u003e")];
    let (open, close) = forms.into_iter().find(|(open, _)| before.ends_with(open))?;
    let mut from = name.end;
    if !text[from..].starts_with(close) {
        return None;
    }
    from += close.len();
    if text[from..].starts_with(b"<![CDATA[") {
        from += 9;
    }
    let window = &text[from..text.len().min(from + ELEMENT)];
    let end = memchr::memmem::find(window, &[open, &b"/"[..]].concat())?;
    let value = &window[..end];
    let value = &value[..value::json_end(value).unwrap_or(end)];
    let value = value.strip_suffix(b"]]>").unwrap_or(value);
    let seen = Seen {
        name: &text[name.start..name.end],
        strong: true,
        joint: Joint::Element,
    };
    (!plain::quoted(value, seen)).then_some(from..from + value.len())
}

/// How a value is joined to a name, and where it may begin.
fn joint(text: &[u8], name: Name) -> Option<(Joint, usize)> {
    let mut at = name.end;
    let closed = value::quote(text, at);
    if let Some(quote) = closed {
        at += quote.len;
    }
    let blank = |at: usize| {
        at + text[at..]
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count()
    };
    if closed.is_some() {
        if let Some(at) = attribute(text, name, at) {
            return Some((Joint::Element, at));
        }
        // `["--password", "…"]`, `("Authorization", "…")`.
        let listed = name.option || matches!(name.kind, Kind::Authorization | Kind::Cookie);
        if listed && text.get(at) == Some(&b',') {
            let next = blank(at + 1);
            return value::quote(text, next).map(|_| (Joint::Blank, next));
        }
    }
    // `env["TOKEN"] = …`, `token?: …`, `**Token:** …`.
    while at < text.len() && at < name.end + 12 && matches!(text[at], b']' | b')' | b'?' | b'*') {
        at += 1;
    }
    let joined = blank(at);
    let spaced = joined > at;
    let rest = &text[joined..];
    let equals = |n: usize| {
        let from = blank(joined + n);
        (
            Joint::Equals {
                spaced: spaced || from > joined + n,
            },
            from,
        )
    };
    match rest {
        [b'=', b'=' | b'~', ..] | [b':', b':', ..] => None,
        // An arm of a `match` is no pair of a table.
        [b'=', b'>', ..] if name.kind == Kind::Weak && closed.is_none() => None,
        [b'=', b'>', ..] => Some(equals(2)),
        [b'=', rest @ ..] if rest.starts_with(b"&gt;") => Some(equals(5)),
        [b'=', rest @ ..] if rest.starts_with(b"\\u003e") => Some(equals(7)),
        [b':', b'=', ..] => Some(equals(2)),
        [b'=', ..] => Some(equals(1)),
        [b'%', b'3', b'D' | b'd', ..] => Some(equals(3)),
        [b'\\', b'u', b'0', b'0', b'3', b'd' | b'D', ..] => Some(equals(6)),
        // A property of a style sheet.
        [b':', ..] if name.option && name.kind == Kind::Weak => None,
        [b':', ..] => {
            let mut from = joined + 1;
            while text.get(from) == Some(&b'*') {
                from += 1;
            }
            Some((Joint::Colon, blank(from)))
        }
        _ if name.option && spaced && !rest.is_empty() && rest[0] != b'-' => {
            Some((Joint::Blank, joined))
        }
        _ => None,
    }
}

/// Behind `name="NAME"`: where `value="` says the value.
fn attribute(text: &[u8], name: Name, at: usize) -> Option<usize> {
    let before = &text[..name.start];
    let tail = before[before.len().saturating_sub(24)..].to_ascii_lowercase();
    let mut bare = value::unquoted(&tail).to_vec();
    // Without the mark that opens the name, and the one that closes `name`.
    if let Some((joint, word)) = bare.split_last()
        && matches!(joint, b'=' | b':')
    {
        bare = [value::unquoted(word), &[*joint]].concat();
    }
    let named = [&b"name="[..], b"name:", b"key=", b"key:"];
    if !named.iter().any(|end| bare.ends_with(end)) {
        return None;
    }
    let skip = |mut at: usize, of: &[u8]| {
        loop {
            match (text.get(at), value::quote(text, at)) {
                (Some(b), _) if of.contains(b) => at += 1,
                (_, Some(quote)) => at += quote.len,
                _ => return at,
            }
        }
    };
    let at = skip(at, b", \t\\");
    let word = text.get(at..at + 5)?;
    if !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    let at = skip(at + 5, b"\\ ");
    matches!(text.get(at), Some(b'=' | b':')).then(|| {
        let blanks = text[at + 1..].iter().take_while(|b| **b == b' ').count();
        at + 1 + blanks
    })
}
