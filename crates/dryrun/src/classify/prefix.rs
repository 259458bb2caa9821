//! What loggers and containers put before a line: which source it names, whether it begins a record, and how to take it off again.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

use super::level;

/// Prefixes that name a source. The first group is the source's name, the second what follows.
static SOURCE: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    [
        // Docker Compose, foreman, honcho: `web_1  | `, `12:00:00 web.1  | `.
        r"^(?:\d\d:\d\d:\d\d )?([A-Za-z][\w.-]*) *\| ?(.*)$",
        // pm2: `0|app      | `.
        r"^(\d+\|[\w.-]+) *\| ?(.*)$",
        // kubectl --prefix, stern: `[pod/web-1/app] `.
        r"^(\[pod/[^\]\s]+\]) (.*)$",
        // strace and others: `[pid 123] `, `[123] `.
        r"^(\[(?:pid )?\d+\]) (.*)$",
        // syslog, journalctl: `Nov 21 12:00:00 host app[1]: `.
        r"^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\S*) ([\w.-]+ [\w./@-]+(?:\[\d+\])?): ?(.*)$",
    ]
    .iter()
    .map(|pattern| Regex::new(pattern).expect("invariant: the pattern is a regular expression"))
    .collect()
});

/// The container runtime interface's own prefix: the stream is the source.
static CONTAINER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP] (.*)$")
        .expect("invariant: the pattern is a regular expression")
});

/// Takes the source's name off a line: the name (empty if there is none), and the rest.
pub(crate) fn split(line: &str) -> (&str, &str) {
    let first = line.as_bytes().first().copied().unwrap_or(0);
    let digit = first.is_ascii_digit();
    if digit
        && line.contains(" std")
        && let Some(found) = CONTAINER.captures(line)
    {
        let group = |number| found.get(number).map_or("", |text| text.as_str());
        return (group(1), group(2));
    }
    // What a pattern needs is looked for first: most lines have none of it.
    let head = super::cut(line, 128);
    let bar = head.contains('|');
    let needed = [
        bar && first.is_ascii_alphanumeric(),
        bar && digit,
        first == b'[',
        first == b'[',
        (digit || first == b'<' || first.is_ascii_uppercase())
            && (head.contains(": ") || head.ends_with(':')),
    ];
    for (pattern, _) in SOURCE.iter().zip(needed).filter(|(_, needed)| *needed) {
        if let Some(found) = pattern.captures(line) {
            let name = found.get(1).map_or("", |name| name.as_str());
            return (name, found.get(2).map_or("", |rest| rest.as_str()));
        }
    }
    ("", line)
}

/// Whether a line begins a record of its own: a time, a level, an address, JSON.
pub(crate) fn record(line: &str) -> bool {
    let bytes = line.as_bytes();
    let Some(first) = bytes.first() else {
        return false;
    };
    match first {
        b'{' => super::json::scan(bytes, None).end != super::json::End::Broken,
        b' ' | b'\t' => false,
        _ => time(bytes) || stated(line),
    }
}

/// Whether a level is stated as loggers do it, not as runtimes do (`Error: …`).
fn stated(line: &str) -> bool {
    let bytes = line.as_bytes();
    if bytes[0].is_ascii_uppercase() && bytes.get(1).is_some_and(u8::is_ascii_lowercase) {
        return false;
    }
    if bytes.starts_with(b"error:") || bytes.starts_with(b"fatal") {
        return false;
    }
    level::of_text(bytes).is_some()
}

/// Whether a line begins with a time, or with what stands before one.
fn time(line: &[u8]) -> bool {
    let line = match line {
        [b'[', rest @ ..] | [b'<', rest @ ..] => rest,
        line => line,
    };
    let digit = |at: usize| line.get(at).is_some_and(u8::is_ascii_digit);
    let is = |at: usize, bytes: &[u8]| line.get(at).is_some_and(|byte| bytes.contains(byte));
    // 2026-11-21, 2026/11/21, 12:00:00, 21/Nov/2026
    if (digit(0) && digit(3) && is(4, b"-/") && digit(5) && digit(6) && is(7, b"-/") && digit(8))
        || (digit(0) && digit(1) && is(2, b":") && digit(3) && digit(4) && is(5, b":") && digit(6))
        || (digit(0)
            && digit(1)
            && is(2, b"-")
            && digit(3)
            && digit(4)
            && is(5, b" ")
            && digit(6)
            && is(8, b":"))
        || level::klog(line)
    {
        return true;
    }
    // Nov 21 12:00:00; Sat Nov 21
    if line.first().is_some_and(u8::is_ascii_uppercase)
        && line.get(3) == Some(&b' ')
        && line
            .get(1..3)
            .is_some_and(|two| two.iter().all(u8::is_ascii_lowercase))
        && ((is(4, b" 123") && digit(5) && is(6, b" ") && digit(7) && is(9, b":"))
            || (is(7, b" ") && digit(9)))
    {
        return true;
    }
    // An access log's address.
    let end = line
        .iter()
        .take(46)
        .position(|byte| *byte == b' ')
        .unwrap_or(0);
    end > 6
        && line[..end]
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':'))
        && line[..end]
            .iter()
            .filter(|byte| matches!(byte, b'.' | b':'))
            .count()
            >= 3
        && line[end..].starts_with(b" - ")
}

/// Whether a prefix begins with the name of a source: one word and a colon, or a few before a bar. What follows is a logger's.
fn tag(prefix: &str) -> bool {
    /// Words with a colon that are of a sentence.
    const PROSE: &[&str] = &[
        "got",
        "caught",
        "saw",
        "note",
        "example",
        "cause",
        "reason",
        "output",
        "input",
        "text",
        "pattern",
        "docs",
        "doc",
        "like",
        "match",
        "matches",
        "want",
        "was",
        "found",
        "test",
        "case",
        "hint",
        "help",
        "usage",
        "title",
        "subject",
        "summary",
        "regex",
        "regexp",
        "string",
        "line",
        "say",
        "says",
        "said",
        "body",
        "reply",
        "response",
        "request",
        "panic",
        "message",
        "msg",
        "description",
        "comment",
        "commit",
        "feat",
        "fix",
        "chore",
        "todo",
        "step",
        "name",
        "type",
        "exception",
        "https",
        "http",
    ];
    if let Some(bar) = prefix.rfind(['|', '│']) {
        let after = prefix[bar..].trim_start_matches(['|', '│']).trim();
        let words = prefix[..bar].split_whitespace().count();
        let named = prefix.starts_with(|c: char| c.is_alphanumeric()) && words <= 3;
        return named && (after.is_empty() || decor(after));
    }
    let Some((word, rest)) = prefix.split_once(':') else {
        return false;
    };
    let name = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-./@#".contains(&byte));
    let lower = word.to_ascii_lowercase();
    let prose = lower.ends_with("ed") || lower.ends_with("ing") || PROSE.contains(&lower.as_str());
    name && !prose && (rest.is_empty() || rest.starts_with(' ') && decor(rest.trim()))
}

/// Whether `prefix` is one that loggers print: times, numbers, brackets, levels, names with a separator. Empty counts.
pub(crate) fn decor(prefix: &str) -> bool {
    if prefix.trim().is_empty() {
        return true;
    }
    let plain = uncoloured(prefix);
    let plain = plain.trim();
    if tag(plain) {
        return true;
    }
    let mut tokens = plain.split_whitespace().peekable();
    let mut bracket = false;
    // After a time and a level that counts, a name with a colon is the logger's.
    let (mut timed, mut severe) = (false, false);
    while let Some(token) = tokens.next() {
        let inside = bracket || token.starts_with(['[', '(', '<']);
        if token.starts_with(['[', '(', '<']) {
            bracket = true;
        }
        if token.ends_with([']', ')', '>', ':']) {
            bracket = false;
        }
        let followed = tokens
            .peek()
            .is_some_and(|next| matches!(*next, "-" | "|" | "│" | "--" | "---" | ":" | "--:"));
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        timed |= bare.bytes().filter(u8::is_ascii_digit).count() >= 4;
        severe |= bare.bytes().all(|byte| byte.is_ascii_uppercase())
            && level::of_word(bare.as_bytes()).is_some_and(|level| level >= super::Level::Warning);
        let fine = inside
            || (timed && severe && token.ends_with(':') && tokens.peek().is_none())
            || followed
            || bare.is_empty()
            || bare.bytes().any(|byte| byte.is_ascii_digit())
            || (bare.bytes().all(|byte| byte.is_ascii_uppercase())
                && level::of_word(bare.as_bytes()).is_some())
            || (token.ends_with(':') && level::of_word(bare.as_bytes()).is_some())
            || (bare.contains(['.', ':', '/']) && !token.ends_with('.') && tokens.peek().is_none())
            || (tokens.peek().is_none() && token.ends_with(']'))
            || matches!(bare, "UTC" | "GMT" | "PHP");
        if !fine {
            return false;
        }
    }
    true
}

/// Returns `text` without the escape sequences of colours (SGR).
pub(crate) fn uncoloured(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(after.len());
        rest = after.get(end..).unwrap_or("");
        if let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_taken_off() {
        for (line, name, rest) in [
            ("web_1  | Traceback", "web_1", "Traceback"),
            ("web-1  |   File", "web-1", "  File"),
            ("12:00:00 web.1  | x", "web.1", "x"),
            ("0|app      | x", "0|app", "x"),
            ("[pid 12] \tat x", "[pid 12]", "\tat x"),
            ("[pod/a/b] x", "[pod/a/b]", "x"),
            (
                "Nov 21 12:00:00 host app[12]:   File",
                "host app[12]",
                "  File",
            ),
            ("2026-11-21T12:00:00.1Z stderr F   x", "stderr", "  x"),
            (
                "2026-11-21 12:00:00.000 | ERROR | x",
                "",
                "2026-11-21 12:00:00.000 | ERROR | x",
            ),
            ("  | ValueError: 1", "", "  | ValueError: 1"),
        ] {
            assert_eq!(split(line), (name, rest), "{line}");
        }
    }

    #[test]
    fn records_begin_with_a_time_a_level_or_json() {
        for line in [
            "2026-11-21 12:00:00 x",
            "[2026-11-21T12:00:00Z] x",
            "12:00:00.1 x",
            "Nov 21 12:00:00 x",
            "{\"a\":1}",
            "ERROR x",
            "[INFO] x",
            "level=info msg=x",
            "E1121 12:00:00.1 1 a.go:1] x",
            "127.0.0.1 - - [x]",
            "INFO:root:x",
            "2026/11/21 12:00:00 x",
        ] {
            assert!(record(line), "{line}");
        }
        for line in [
            "x",
            "",
            "\tat x",
            "  File",
            "ValueError: x",
            "Error: x",
            "error: x",
            "{ 12",
            "goroutine 1 [running]:",
        ] {
            assert!(!record(line), "{line}");
        }
    }

    #[test]
    fn prose_is_no_decoration() {
        for prefix in [
            "",
            "2026-11-21 12:00:00 ",
            "ERROR ",
            "ERROR:root:",
            "[main] ",
            "2026-11-21 12:00:00,1 - a - ERROR - ",
            "2026-11-21 12:00:00.000 | ERROR    | __main__:f:1 - ",
            "12:00:00.123 [main] ERROR com.foo.Bar - ",
            "2026/11/21 12:00:00 ",
            "[2026-11-21T12:00:00Z ERROR a::b] ",
            "2026-11-21 12:00:00,123 ERROR worker: ",
        ] {
            assert!(decor(prefix), "{prefix}");
        }
        for prefix in [
            "recovered from ",
            "2026-11-21 12:00:00 INFO recovered from ",
            "2026-11-21 12:00:00 INFO recovered: ",
            "the word \"",
            "expected ",
        ] {
            assert!(!decor(prefix), "{prefix}");
        }
    }
}
