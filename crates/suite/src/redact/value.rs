//! Where a value begins and ends: in quotes of any kind and depth of escapes, or bare.

use std::ops::Range;

/// Most bytes within quotes; a quote that is not closed in them opens nothing.
const LONGEST: usize = 64 << 10;

/// A quotation mark as it is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quote {
    /// The mark: `"`, `'` or a backtick.
    mark: u8,
    /// Bytes, with all that escapes it.
    pub(super) len: usize,
    /// How many backslashes stand before it; `None` if it is an entity.
    slashes: Option<usize>,
}

/// Entities that are quotation marks.
const ENTITIES: [(&[u8], u8); 10] = [
    (b"&quot;", b'"'),
    (b"&#34;", b'"'),
    (b"&#x22;", b'"'),
    (b"\\u0022", b'"'),
    (b"%22", b'"'),
    (b"&apos;", b'\''),
    (b"&#39;", b'\''),
    (b"&#x27;", b'\''),
    (b"\\u0027", b'\''),
    (b"%27", b'\''),
];

/// The quotation mark at a place.
pub(super) fn quote(text: &[u8], at: usize) -> Option<Quote> {
    let rest = text.get(at..)?;
    if let Some((entity, mark)) = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity)) {
        return Some(Quote {
            mark: *mark,
            len: entity.len(),
            slashes: None,
        });
    }
    let slashes = rest.iter().take(16).take_while(|b| **b == b'\\').count();
    let mark = *rest.get(slashes)?;
    matches!(mark, b'"' | b'\'' | b'`').then_some(Quote {
        mark,
        len: slashes + 1,
        slashes: Some(slashes),
    })
}

/// A text without the quotation marks, escapes and blanks at its end.
pub(super) fn unquoted(mut text: &[u8]) -> &[u8] {
    let marks = [&b"\""[..], b"'", b"`", b"\\", b" "];
    let entities = ENTITIES.iter().map(|(entity, _)| *entity);
    let all: Vec<&[u8]> = marks.into_iter().chain(entities).collect();
    while let Some(rest) = all.iter().find_map(|mark| text.strip_suffix(*mark)) {
        text = rest;
    }
    text
}

/// The quotation mark, with all that escapes it, that a number needs around what stands in its place: where it is the value of a quoted
/// name, as in JSON, only a text may stand there.
pub(super) fn of_number<'a>(text: &'a [u8], at: &Range<usize>) -> Option<&'a [u8]> {
    let is_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
    let blank = |b: &u8| matches!(b, b' ' | b'\t');
    if !text[at.clone()].iter().all(is_number) {
        return None;
    }
    let behind = text[at.end..].iter().find(|b| !blank(b));
    if !matches!(behind, None | Some(b',' | b'}' | b']' | b'\r' | b'\n')) {
        return None;
    }
    let before = |mut text: &'a [u8]| {
        while let Some((_, rest)) = text.split_last().filter(|(b, _)| blank(b)) {
            text = rest;
        }
        text
    };
    let name = before(before(&text[..at.start]).strip_suffix(b":")?);
    let mut entities = ENTITIES.iter().filter(|(_, mark)| *mark == b'"');
    let entity = entities.find(|(entity, _)| name.ends_with(entity));
    let length = entity.map(|(entity, _)| entity.len()).or_else(|| {
        let inner = name.strip_suffix(b"\"")?;
        let slashes = inner.iter().rev().take_while(|b| **b == b'\\').count();
        Some(slashes + 1)
    })?;
    Some(&name[name.len() - length..])
}

/// Where a value begins within what wraps it: `Some(`, `[`, `b` before a quotation mark.
pub(super) fn inner(text: &[u8], mut at: usize) -> usize {
    if text.get(at) == Some(&b'[') && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) {
        at += 1;
    }
    at
}

/// What stands in quotes at a place, without them; also within what wraps it.
pub(super) fn quoted(text: &[u8], mut at: usize) -> Option<Range<usize>> {
    for _ in 0..4 {
        let rest = text.get(at..)?;
        let word = rest
            .iter()
            .take(24)
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count();
        match rest.get(word)? {
            b'(' if word > 0 => at += word + 1,
            b'[' | b'(' if word == 0 => at += 1,
            b'"' | b'\'' if word <= 2 => at += word,
            b'@' if word == 0 => at += 1,
            _ => break,
        }
        if quote(text, at).is_some() {
            break;
        }
    }
    let open = quote(text, at)?;
    let mut start = at + open.len;
    // Three of them.
    if open.slashes == Some(0) && text[start..].starts_with(&[open.mark, open.mark]) {
        start += 2;
    }
    let end = close(text, start, open)?;
    Some(start..end)
}

/// Where a quotation mark is closed: by one of as many escapes, or of fewer, which closes what it stands in.
fn close(text: &[u8], from: usize, open: Quote) -> Option<usize> {
    let window = &text[..text.len().min(from + LONGEST)];
    let Some(depth) = open.slashes else {
        let mut ends = ENTITIES.iter().filter(|(_, mark)| *mark == open.mark);
        let entity = ends.find(|(entity, _)| text[..from].ends_with(entity))?.0;
        let end = memchr::memmem::find(&window[from..], entity)? + from;
        return Some(end);
    };
    let mut at = from;
    while let Some(n) = memchr::memchr(open.mark, window.get(at..)?) {
        let mark = at + n;
        let slashes = text[from..mark]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count();
        let twice = (depth + 1) * 2;
        if slashes < depth || slashes % twice == depth {
            // Two of them are one that is quoted.
            let doubled = depth == 0
                && text.get(mark + 1) == Some(&open.mark)
                && text.get(mark + 2).is_some_and(u8::is_ascii_alphanumeric);
            // Within a text of JSON, its end is an end.
            let left = open.mark != b'"' && json_end(&text[from..mark]).is_some();
            if left {
                return None;
            }
            if !doubled {
                return Some(mark - slashes.min(depth));
            }
            at = mark + 2;
        } else {
            at = mark + 1;
        }
    }
    None
}

/// Where a bare value ends. In a URL's query an ampersand ends it; elsewhere it may be part of it.
pub(super) fn run(text: &[u8], from: usize, query: bool) -> usize {
    let mut at = from;
    let mut depth = 0usize;
    while let Some(&b) = text.get(at) {
        let rest = &text[at + 1..];
        let next = rest.first().copied().unwrap_or(b' ');
        // What closes something is followed by no letter.
        let closes = !next.is_ascii_alphanumeric();
        let ends = match b {
            0x1b => false,
            b if b.is_ascii_whitespace() || b < 0x20 => true,
            b'\\' => escape_ends(rest, query),
            b'"' | b'\'' | b'`' => closes,
            b'(' | b'[' | b'{' => {
                depth += 1;
                false
            }
            b')' | b']' | b'}' if depth > 0 => {
                depth -= 1;
                false
            }
            b')' | b']' | b'}' | b'>' => closes,
            b'<' => next.is_ascii_alphabetic() || matches!(next, b'/' | b'!'),
            b',' => {
                next.is_ascii_whitespace()
                    || matches!(next, b'"' | b'\'' | b'{' | b'[')
                    || assigns(rest)
            }
            b';' => next.is_ascii_whitespace() || assigns(rest),
            b'|' => next.is_ascii_whitespace() || next == b'|',
            b'#' => query,
            b'&' if rest.starts_with(b"amp;") => query || assigns(&rest[4..]),
            b'&' if entity(rest) => true,
            b'&' => query || next == b'&' || assigns(rest),
            b'%' if query => rest.starts_with(b"26"),
            _ => false,
        };
        if ends {
            break;
        }
        at += 1;
    }
    at
}

/// Where a text of JSON ends that began before: its quotation mark, and what stands between two texts.
pub(super) fn json_end(text: &[u8]) -> Option<usize> {
    let mut marks = memchr::memchr_iter(b'"', text);
    let at = marks.find(|at| {
        let next = text[at + 1..].iter().find(|b| **b != b'\\');
        matches!(next, Some(b',' | b':' | b']' | b'}'))
    })?;
    let slashes = text[..at].iter().rev().take_while(|b| **b == b'\\');
    Some(at - slashes.count())
}

/// How much of a value stands before an escape that ends it.
pub(super) fn before_escape(value: &[u8], behind: &[u8]) -> usize {
    let ends = |at: &usize| {
        let rest = &value[at + 1..];
        let whole = rest.iter().all(|b| *b == b'\\');
        escape_ends(if whole { behind } else { rest }, false)
    };
    memchr::memchr_iter(b'\\', value)
        .find(ends)
        .unwrap_or(value.len())
}

/// Whether what follows a backslash ends a line or what is quoted.
fn escape_ends(rest: &[u8], query: bool) -> bool {
    let bare = &rest[rest.iter().take_while(|b| **b == b'\\').count()..];
    match bare.first() {
        Some(b'n' | b'r' | b't' | b'"' | b'\'') => true,
        Some(b'u') => {
            [&b"003c"[..], b"003e", b"0022", b"0027", b"000a"]
                .iter()
                .any(|code| bare[1..].starts_with(code))
                || (bare[1..].starts_with(b"0026") && (query || assigns(&bare[5..])))
        }
        _ => false,
    }
}

/// Entities that end a value: quotes, tags, ends of lines.
fn entity(rest: &[u8]) -> bool {
    const ENDS: [&[u8]; 12] = [
        b"quot;", b"apos;", b"lt;", b"gt;", b"#34;", b"#39;", b"#10;", b"#13;", b"#xA;", b"#xa;",
        b"#x27;", b"#x22;",
    ];
    ENDS.iter().any(|end| rest.starts_with(end))
}

/// Whether a text begins with a name and `=` or `:`.
fn assigns(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take(40)
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b' '))
        .count();
    name > 0 && text[0].is_ascii_alphabetic() && matches!(text.get(name), Some(b'=' | b':'))
}

/// Where a list of pairs ends: `a=b; c="d"`.
pub(super) fn list(text: &[u8], from: usize, separator: u8) -> usize {
    let mut at = from;
    loop {
        let before = at;
        while let Some(&b) = text.get(at) {
            // `a="b"`, also where the quotation marks are escaped.
            if matches!(b, b'"' | b'\\')
                && at > before
                && text[at - 1] == b'='
                && let Some(open) = quote(text, at)
                && text
                    .get(at + open.len)
                    .is_some_and(u8::is_ascii_alphanumeric)
                && let Some(end) = close(text, at + open.len, open)
                && json_end(&text[at + open.len..end]).is_none()
            {
                at = end + open.len;
                continue;
            }
            if b == separator
                || b.is_ascii_whitespace()
                || matches!(b, b'"' | b'\'' | b'<' | b'\\' | b'`')
            {
                break;
            }
            at += 1;
        }
        let more = text.get(at) == Some(&separator);
        let blanks = text[at..]
            .iter()
            .skip(usize::from(more))
            .take_while(|b| **b == b' ')
            .count();
        let next = at + usize::from(more) + blanks;
        let goes_on = next < text.len()
            && !matches!(
                text[next],
                b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'\\' | b'`'
            );
        // Dates of cookies have blanks: `Expires=Wed, 21 Oct 2026`.
        let dated = !more
            && blanks > 0
            && (separator == b',' || text[..at].ends_with(b",") || text[at..next].len() == 1)
            && pairs_on(&text[next..], separator);
        if !goes_on || !(more || dated) {
            return at;
        }
        at = next;
    }
}

/// Whether more of a list follows in the next bytes, or what is left of a date.
fn pairs_on(text: &[u8], separator: u8) -> bool {
    let word = text
        .iter()
        .take(64)
        .take_while(|b| !b.is_ascii_whitespace() && **b != separator)
        .count();
    text[..word].contains(&b'=')
        || text[..word]
            .iter()
            .all(|b| b.is_ascii_digit() || *b == b':')
        || text[..word] == *b"GMT"
        || (word <= 11
            && text[..word]
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'-')
            && text[..word].iter().any(u8::is_ascii_digit))
        || (word == 3 && text[0].is_ascii_uppercase())
}
