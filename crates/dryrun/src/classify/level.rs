//! How severe a line says it is: words, numbers, and the prefixes of plain text.
//!
//! A word inside a sentence says nothing. A level counts where loggers put it: in a field of its own, in brackets, in capitals after
//! a time, or before a colon at the start of a line — and not if what follows says that there is none (`errors: 0`).

use std::borrow::Cow;

use super::Level;
use super::json::{self, Scan, Slot};
use crate::spec::NumericLevels;

mod ends;
mod makes;
mod memory;
mod sources;

pub(crate) use memory::exhausted;
pub(crate) use sources::of_sourced;

/// Returns what a word means, in any case; none if it is no level.
pub(crate) fn of_word(word: &[u8]) -> Option<Level> {
    let mut lower = [0; 16];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"trace" | b"trc" | b"verbose" | b"vrb" | b"silly" | b"finest" | b"finer" | b"all"
        | b"trce" | b"v" => Level::Trace,
        b"debug" | b"dbg" | b"dbug" | b"fine" | b"d" => Level::Debug,
        b"info" | b"inf" | b"information" | b"informational" | b"log" | b"default" | b"config"
        | b"http" | b"i" | b"success" | b"ok" | b"audit" | b"stat" => Level::Info,
        b"notice" | b"n" | b"note" => Level::Notice,
        b"warn" | b"warning" | b"wrn" | b"w" => Level::Warning,
        b"error" | b"err" | b"eror" | b"erro" | b"e" | b"severe" | b"fail" | b"failed"
        | b"failure" => Level::Error,
        b"critical" | b"crit" | b"fatal" | b"fata" | b"ftl" | b"panic" | b"pani" | b"dpanic"
        | b"alert" | b"emerg" | b"emergency" | b"f" | b"c" | b"exception" | b"off" => {
            Level::Critical
        }
        // Go's `slog`: `ERROR+4`, `DEBUG-2`, so far from the level before.
        lower => {
            let sign = lower.iter().rposition(|byte| matches!(byte, b'+' | b'-'))?;
            let (base, far) = lower.split_at(sign);
            let by = &far[1..];
            if by.is_empty() || by.len() > 2 || !by.iter().all(u8::is_ascii_digit) {
                return None;
            }
            return match (base, far[0]) {
                (b"error" | b"warn" | b"info" | b"debug", b'+') | (b"debug", b'-') => of_word(base),
                _ => None,
            };
        }
    })
}

/// Returns what a number means; `python` is whether its key is one that only Python's loggers use.
fn of_number(number: i64, by: NumericLevels, python: bool) -> Option<Level> {
    let pino = |number| match number {
        ..=19 => Level::Trace,
        20..=29 => Level::Debug,
        30..=39 => Level::Info,
        40..=49 => Level::Warning,
        50..=59 => Level::Error,
        60.. => Level::Critical,
    };
    let snake = |number| match number {
        ..=9 => Level::Trace,
        10..=19 => Level::Debug,
        20..=29 => Level::Info,
        30..=39 => Level::Warning,
        40..=49 => Level::Error,
        50.. => Level::Critical,
    };
    let log4j = |number| match number {
        ..=100 => Level::Critical,
        101..=200 => Level::Error,
        201..=300 => Level::Warning,
        301..=400 => Level::Info,
        401..=500 => Level::Debug,
        501.. => Level::Trace,
    };
    match by {
        NumericLevels::Pino => Some(pino(number)),
        NumericLevels::Python => Some(snake(number)),
        NumericLevels::Syslog => syslog(number),
        NumericLevels::Log4j => Some(log4j(number)),
        NumericLevels::Auto => match number {
            0..=7 if !python => syslog(number),
            0..=99 if python => Some(snake(number)),
            8..=99 => Some(pino(number)),
            100..=600 => Some(log4j(number)),
            _ => None,
        },
    }
}

/// RFC 5424, table 2.
fn syslog(number: i64) -> Option<Level> {
    Some(match number {
        0..=2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warning,
        5 => Level::Notice,
        6 => Level::Info,
        7 => Level::Debug,
        _ => return None,
    })
}

/// OpenTelemetry's logs data model, `SeverityNumber`.
fn telemetry(number: i64) -> Option<Level> {
    Some(match number {
        1..=4 => Level::Trace,
        5..=8 => Level::Debug,
        9..=12 => Level::Info,
        13..=16 => Level::Warning,
        17..=20 => Level::Error,
        21..=24 => Level::Critical,
        _ => return None,
    })
}

/// Where a record states its level; the first that says one counts.
pub(crate) const STATED: [Slot; 9] = [
    Slot::Level,
    Slot::Severity,
    Slot::OtherLevel,
    Slot::LevelName,
    Slot::NestedLevel,
    Slot::LevelNumber,
    Slot::SeverityNumber,
    Slot::Priority,
    Slot::Letter,
];

/// Returns the level that a JSON line states, and its word; no level if the word is not known.
pub(crate) fn of_fields<'a>(
    scan: &Scan,
    line: &'a [u8],
    by: NumericLevels,
) -> Option<(Option<Level>, Cow<'a, str>)> {
    let stated = STATED.into_iter().find_map(|slot| {
        let raw = scan.value(line, slot)?;
        let stated = match slot {
            Slot::Letter => of_letter(raw, line)?,
            _ => of_value(raw, slot, by)?,
        };
        Some((slot, stated))
    });
    let (slot, (level, word)) = stated?;
    // Beside a number, a name decides: the scales of different loggers contradict each other.
    if matches!(slot, Slot::Level | Slot::Severity)
        && word.bytes().all(|byte| byte.is_ascii_digit())
        && let Some(named) = scan
            .value(line, Slot::LevelName)
            .and_then(|raw| of_value(raw, Slot::LevelName, by))
            .and_then(|(level, _)| level)
    {
        return Some((Some(named), word));
    }
    Some((level, word))
}

/// MongoDB's structured log: `"s":"E"`, beside a time of its own make.
fn of_letter<'a>(raw: &[u8], line: &[u8]) -> Option<(Option<Level>, Cow<'a, str>)> {
    let level = match raw {
        b"\"F\"" => Level::Critical,
        b"\"E\"" => Level::Error,
        b"\"W\"" => Level::Warning,
        b"\"I\"" => Level::Info,
        [b'"', b'D', b'"'] | [b'"', b'D', b'1'..=b'5', b'"'] => Level::Debug,
        _ => return None,
    };
    // Inside a string the quotes would be escaped.
    memchr::memmem::find(line.get(1..)?, b"{\"$date\"")?;
    Some((Some(level), Cow::Borrowed(word_of(level))))
}

fn of_value<'a>(
    raw: &'a [u8],
    slot: Slot,
    by: NumericLevels,
) -> Option<(Option<Level>, Cow<'a, str>)> {
    // Nearly all lines of nearly all logs.
    match raw {
        b"\"info\"" | b"\"INFO\"" => return Some((Some(Level::Info), Cow::Borrowed("info"))),
        b"\"debug\"" | b"\"DEBUG\"" => return Some((Some(Level::Debug), Cow::Borrowed("debug"))),
        _ => {}
    }
    let number = |number: i64| match slot {
        Slot::SeverityNumber => telemetry(number),
        Slot::Priority => syslog(number),
        Slot::LevelNumber => of_number(number, by, true),
        _ => of_number(number, by, false),
    };
    if raw.first() != Some(&b'"') {
        let text = std::str::from_utf8(raw).ok()?;
        if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) || text.len() > 24 {
            return None;
        }
        let whole: i64 = text.parse().ok().or_else(|| {
            let value: f64 = text.parse().ok()?;
            (value.abs() < 1e6).then_some(value as i64)
        })?;
        return Some((number(whole), Cow::Borrowed(text)));
    }
    let inner = raw.get(1..raw.len().checked_sub(1)?)?;
    if inner.is_empty() {
        return None;
    }
    if inner.contains(&b'\\') {
        // Coloured words are printed so: `\u001b[31merror\u001b[0m`.
        let text = json::text(raw)?;
        let plain: String = super::prefix::uncoloured(&text).trim().to_lowercase();
        return Some((of_word(plain.as_bytes()), Cow::Owned(plain)));
    }
    let lower = !inner
        .iter()
        .any(|byte| byte.is_ascii_uppercase() || *byte >= 0x80);
    let text = std::str::from_utf8(inner).ok()?;
    let trimmed = text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '[' | ']' | ':'));
    let word = if lower {
        Cow::Borrowed(trimmed)
    } else {
        Cow::Owned(trimmed.to_lowercase())
    };
    if word.is_empty() {
        return None;
    }
    if let Ok(value) = word.parse::<i64>() {
        return Some((number(value), word));
    }
    Some((of_word(word.as_bytes()), word))
}

/// The word that a level is counted by in plain text.
pub(crate) const fn word_of(level: Level) -> &'static str {
    match level {
        Level::Trace => "trace",
        Level::Debug => "debug",
        Level::Info => "info",
        Level::Notice => "notice",
        Level::Warning => "warning",
        Level::Error => "error",
        Level::Critical => "critical",
    }
}

/// Bytes of a line of text in which a level is looked for.
const REACH: usize = 256;
/// Tokens after which it is given up.
const TOKENS: usize = 9;

/// Returns the level that a line of plain text states by its prefix, and where the prefix ends.
pub(crate) fn of_text(line: &[u8]) -> Option<(Level, &'static str)> {
    let head = line.get(..REACH).unwrap_or(line);
    let first = head.iter().position(|byte| !byte.is_ascii_whitespace())?;
    // What is indented belongs to something above it.
    if (first > 1 && !agent(head, first)) || (first == 1 && head[0] == b'\t') {
        return None;
    }
    let head = &head[first..];
    let level = match head[0] {
        b'V' | b'D' | b'I' | b'W' | b'E' | b'F' if head.get(1) == Some(&b'/') => {
            sources::logcat(head)
        }
        // zerolog without a time.
        b'<' if head.starts_with(b"<nil> ") => tokens(&head[6..]),
        b'<' => priority(head).or_else(|| makes::of_head(head)),
        b'n' if head.starts_with(b"npm ") => npm(&head[4..]),
        b'(' if node_warning(head) => return Some((Level::Warning, "warning")),
        b'(' | b'*' | b'#' => makes::of_head(head),
        b'=' => erlang(head).or_else(|| makes::of_head(head)),
        b'E' | b'W' | b'F' | b'I' if klog(head) => Some(match head[0] {
            b'E' => Level::Error,
            b'W' => Level::Warning,
            b'F' => Level::Critical,
            _ => Level::Info,
        }),
        b'{' => None,
        // Its level is inside the brackets, and what follows is the message.
        b'[' if head.get(1).is_some_and(u8::is_ascii_digit) => {
            makes::of_head(head).or_else(|| tokens(head))
        }
        _ => tokens(head).or_else(|| makes::of_head(head)),
    }?;
    Some((level, word_of(level)))
}

/// Consul, Nomad and Vault indent all of their lines by four spaces: a whole time follows.
fn agent(head: &[u8], first: usize) -> bool {
    let line = &head[first..];
    let end = line.iter().position(|byte| *byte == b' ').unwrap_or(0);
    first == 4 && end > 18 && line[10] == b'T' && temporal(&line[..end])
}

/// `<11>`: facility × 8 + severity (RFC 5424), or systemd's `<3>`.
fn priority(head: &[u8]) -> Option<Level> {
    let end = head.iter().take(5).position(|byte| *byte == b'>')?;
    let digits = std::str::from_utf8(&head[1..end]).ok()?;
    if let Ok(number) = digits.parse::<i64>() {
        return (number <= 191).then(|| syslog(number & 7))?;
    }
    of_word(&head[1..end])
}

fn npm(rest: &[u8]) -> Option<Level> {
    let end = rest
        .iter()
        .position(|byte| *byte == b' ')
        .unwrap_or(rest.len());
    match &rest[..end] {
        b"ERR!" | b"error" => Some(Level::Error),
        b"WARN" | b"warn" => Some(Level::Warning),
        _ => None,
    }
}

/// `(node:123) SomeWarning: …`.
fn node_warning(head: &[u8]) -> bool {
    head.starts_with(b"(node:") && memchr::memmem::find(head, b"Warning: ").is_some()
}

/// `=ERROR REPORT==== 21-Nov-2026::12:00:00 ===`.
fn erlang(head: &[u8]) -> Option<Level> {
    memchr::memmem::find(head, b" REPORT====")?;
    match head {
        [b'=', b'E', b'R', b'R', ..] => Some(Level::Error),
        [b'=', b'C', b'R', b'A', ..] | [b'=', b'S', b'U', b'P', b'E', ..] => Some(Level::Error),
        [b'=', b'W', b'A', ..] => Some(Level::Warning),
        _ => None,
    }
}

/// `E1121 12:00:00.000000   123 file.go:1] …`, also with the year in two digits or four.
pub(crate) fn klog(head: &[u8]) -> bool {
    let Some(date) = head.iter().take(10).position(|byte| *byte == b' ') else {
        return false;
    };
    let digits = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_digit);
    matches!(date, 5 | 7 | 9)
        && digits(&head[1..date])
        && matches!(&head[date..], [_, e, f, b':', ..] if digits(&[*e, *f]))
}

/// Whether a token is what requests, threads and objects are told by: a UUID, an address, Sidekiq's thread.
fn identifies(token: &[u8]) -> bool {
    let hex = |bytes: &[u8]| bytes.iter().all(u8::is_ascii_hexdigit);
    match token {
        [b'0', b'x', digits @ ..] => !digits.is_empty() && hex(digits),
        [b'T', b'I', b'D', b'-', ..] => true,
        _ => {
            token.len() == 36
                && token
                    .split(|byte| *byte == b'-')
                    .map(<[u8]>::len)
                    .eq([8, 4, 4, 4, 12])
                && token.split(|byte| *byte == b'-').all(hex)
        }
    }
}

/// Whether what follows a lone letter makes it a level: MongoDB's part and thread, TensorFlow's place in the source.
fn lettered(message: &[u8]) -> bool {
    let Some(rest) = message.strip_prefix(b" ") else {
        return false;
    };
    let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let (word, rest) = rest.split_at(end);
    match word.split_last() {
        Some((b']', place)) => {
            let colon = memchr::memrchr(b':', place).unwrap_or(0);
            colon > 0 && place[colon + 1..].iter().all(u8::is_ascii_digit)
        }
        Some(_) => {
            (word == b"-" || word.iter().all(u8::is_ascii_uppercase))
                && rest.trim_ascii_start().first() == Some(&b'[')
        }
        None => false,
    }
}

/// Whether a token is a time, a date, a process number or the like.
fn numeric(token: &[u8]) -> bool {
    !token.is_empty()
        && token.iter().any(u8::is_ascii_digit)
        && token.iter().all(|byte| {
            byte.is_ascii_digit()
                || matches!(
                    byte,
                    b':' | b'-' | b'.' | b',' | b'/' | b'+' | b'T' | b'Z' | b'#' | b'_'
                )
        })
}

/// `10:00AM`.
fn clock(token: &[u8]) -> bool {
    let bare = token
        .strip_suffix(b"AM")
        .or_else(|| token.strip_suffix(b"PM"));
    bare.is_some_and(|bare| {
        matches!(bare, [_, b':', ..] | [_, _, b':', ..])
            && bare.len() < 9
            && bare
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b':')
    })
}

/// Whether a token is a time or a date: digits in groups, or seconds since 1970 in zap's spelling.
fn temporal(token: &[u8]) -> bool {
    if token.ends_with(b"M") {
        return clock(token);
    }
    let token = token.strip_suffix(b"e+09").unwrap_or(token);
    numeric(token)
        && token.iter().filter(|byte| byte.is_ascii_digit()).count() >= 4
        && token
            .iter()
            .any(|byte| matches!(byte, b':' | b'-' | b'/' | b'.'))
}

fn month(token: &[u8]) -> bool {
    matches!(
        token,
        b"Jan"
            | b"Feb"
            | b"Mar"
            | b"Apr"
            | b"May"
            | b"Jun"
            | b"Jul"
            | b"Aug"
            | b"Sep"
            | b"Oct"
            | b"Nov"
            | b"Dec"
            | b"Mon"
            | b"Tue"
            | b"Wed"
            | b"Thu"
            | b"Fri"
            | b"Sat"
            | b"Sun"
            | b"UTC"
            | b"GMT"
            | b"CET"
            | b"CEST"
            | b"EST"
            | b"PST"
            | b"AM"
            | b"PM"
    )
}

#[inline]
fn separates(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'[' | b']' | b'(' | b')' | b'|' | b'<' | b'>' | b'"' | 0x1b
    )
}

/// Walks the tokens of a prefix until one is a level, or until something that no prefix has.
fn tokens(head: &[u8]) -> Option<Level> {
    let mut at = 0;
    // A time or a number was there: what follows is a record's prefix.
    let mut timed = false;
    let mut numbers = 0;
    // A plain word was there: only a separator may follow, or it was the start of a sentence.
    let mut doubtful = false;
    let mut pairs = false;
    let mut logcat = false;
    for count in 0..TOKENS {
        while let Some(byte) = head.get(at).copied().filter(|byte| separates(*byte)) {
            if byte == 0x1b {
                let end = head[at..].iter().take(12).position(|byte| *byte == b'm')?;
                at += end;
            }
            at += 1;
        }
        let from = at;
        while head.get(at).is_some_and(|byte| !separates(*byte)) {
            at += 1;
        }
        let token = head.get(from..at).filter(|token| !token.is_empty())?;
        let open = from.checked_sub(1).and_then(|at| head.get(at)).copied();
        let close = head.get(at).copied();
        let bracketed = matches!(
            (open, close),
            (Some(b'['), Some(b']')) | (Some(b'('), Some(b')')) | (Some(b'<'), Some(b'>'))
        ) || (open == Some(b'[') && close.is_some() && timed)
            || (close == Some(b']') && timed);
        let coloured = open == Some(b'm') || close == Some(0x1b);
        // zap's console: columns, of which the second is the level.
        let column =
            timed && count == 1 && open == Some(b'\t') && matches!(close, Some(b'\t') | None);
        if matches!(token, b"-" | b"--" | b"---" | b"::" | b":" | b"--:" | b"*") {
            doubtful = false;
            continue;
        }
        // logfmt: only if the line begins with a pair.
        if let Some(equals) = token
            .iter()
            .position(|byte| *byte == b'=')
            .filter(|at| *at > 0)
        {
            if count > 0 && !pairs && !timed {
                return None;
            }
            pairs = true;
            let key = &token[..equals];
            if matches!(
                key,
                b"level"
                    | b"lvl"
                    | b"severity"
                    | b"loglevel"
                    | b"levelname"
                    | b"log.level"
                    | b"at"
                    | b"log_level"
            ) {
                let value = if equals + 1 == token.len() && close == Some(b'"') {
                    let rest = &head[at + 1..];
                    &rest[..rest
                        .iter()
                        .position(|byte| *byte == b'"')
                        .unwrap_or(rest.len())]
                } else {
                    &token[equals + 1..]
                };
                if let Some(level) = of_word(value).filter(|_| value.len() > 1) {
                    return Some(level);
                }
            }
            if close == Some(b'"') {
                // A quoted value: behind its closing quote.
                let rest = head.get(at + 1..)?;
                at += 1 + rest.iter().position(|byte| *byte == b'"')? + 1;
            }
            continue;
        }
        if pairs {
            // Sidekiq's, behind what it tells of the job.
            let word = token.strip_suffix(b":").filter(|word| {
                timed && word.len() > 2 && word.iter().all(u8::is_ascii_uppercase)
            })?;
            return of_word(word).filter(|_| plainly(word));
        }
        if temporal(token) || month(token) {
            timed |= temporal(token);
            numbers += 1;
            continue;
        }
        if timed && identifies(token) {
            continue;
        }
        if numeric(token) {
            // Seconds since 1970, as nothing else of ten digits stands there.
            timed |= bracketed && count == 0 && token.len() == 10 && token[0] == b'1';
            numbers += 1;
            logcat = timed && numbers >= 3;
            continue;
        }
        let (bare, rest) = match token
            .iter()
            .position(|byte| matches!(byte, b':' | b',' | b'!'))
        {
            Some(end) => (&token[..end], &token[end..]),
            None => (token, &token[..0]),
        };
        let colon = rest.first() == Some(&b':')
            && (rest.len() == 1 || bare.iter().all(u8::is_ascii_uppercase));
        let capitals = bare.iter().all(u8::is_ascii_uppercase);
        if let Some(level) = of_word(bare) {
            let short = bare.len() == 1;
            let said = if short {
                // Rails: `E, [2026-…`; logcat: two numbers, then the letter.
                capitals
                    && ((count == 0 && rest == b",")
                        || (logcat && close == Some(b' '))
                        || (timed
                            && rest.is_empty()
                            && lettered(head.get(at..).unwrap_or_default())))
            } else if matches!(bare, b"FATA" | b"PANI") && !timed && !coloured {
                // Of logrus only; there are mirages.
                count == 0 && close == Some(b'[')
            } else if bracketed || coloured || column {
                rest.is_empty() || colon
            } else if capitals && !doubtful {
                (rest.is_empty() || colon)
                    && (plainly(bare) || timed)
                    && (timed || count == 0 || colon || close == Some(b' '))
            } else {
                colon && !doubtful && plainly(bare) && (count == 0 || timed)
            };
            if said {
                let message = head.get(at..).unwrap_or_default();
                if !timed && !bracketed && denied(rest, message) {
                    return None;
                }
                // Columns of data have numbers where a logger says something.
                if open == Some(b'\t') && close == Some(b'\t') && data(message) {
                    return None;
                }
                return Some(level);
            }
        }
        // Monolog's `app.ERROR: …`.
        if timed
            && !doubtful
            && rest == b":"
            && let Some(dot) = memchr::memrchr(b'.', bare).filter(|dot| *dot > 0)
            && let word = &bare[dot + 1..]
            && word.len() > 3
            && word.iter().all(u8::is_ascii_uppercase)
            && let Some(level) = of_word(word)
        {
            return Some(level);
        }
        // Celery's `ERROR/MainProcess]`.
        if timed
            && close == Some(b']')
            && let Some(slash) = memchr::memchr(b'/', token)
            && token[..slash].iter().all(u8::is_ascii_uppercase)
            && token.get(slash + 1).is_some_and(u8::is_ascii_uppercase)
            && let Some(level) = of_word(&token[..slash]).filter(|_| slash > 2)
        {
            return Some(level);
        }
        // `[core:error]`, `[php:warn]`.
        if bracketed
            && let Some(colon) = memchr::memrchr(b':', token)
            && let Some(level) = of_word(&token[colon + 1..]).filter(|_| token.len() - colon > 2)
        {
            return Some(level);
        }
        // A compiler's `file.c:1:2: error: …`.
        if count == 0 && position(token) {
            let rest = head.get(at..).unwrap_or_default();
            for (word, level) in [
                (&b" error: "[..], Level::Error),
                (b" fatal error: ", Level::Error),
                (b" warning: ", Level::Warning),
            ] {
                if rest.starts_with(word) {
                    return Some(level);
                }
            }
            // Python's `file.py:1: SomeWarning: …`.
            let end = rest.iter().position(|byte| *byte == b':').unwrap_or(0);
            return rest[..end].ends_with(b"Warning").then_some(Level::Warning);
        }
        if count == 0 && matches!(token, b"PHP") {
            return php(head.get(at + 1..)?);
        }
        if bracketed || open == Some(b'[') || close == Some(b']') {
            continue;
        }
        if doubtful {
            return None;
        }
        // The name of a logger or host: nothing that a sentence has there, or a separator must follow.
        let name = token
            .iter()
            .any(|byte| matches!(byte, b'.' | b':' | b'/' | b'@'))
            && timed
            && !token.ends_with(b".");
        doubtful =
            !(name || (count == 0 || timed) && close == Some(b'[') || timed && close == Some(b'|'));
        if doubtful && !timed {
            return None;
        }
    }
    None
}

/// Whether columns are numbers only.
fn data(columns: &[u8]) -> bool {
    columns
        .trim_ascii()
        .split(|byte| *byte == b'\t')
        .all(|column| column.is_empty() || numeric(column))
}

/// PHP's own words, of which some are of two.
fn php(rest: &[u8]) -> Option<Level> {
    if rest.starts_with(b"Warning:") || rest.starts_with(b"Deprecated:") {
        Some(Level::Warning)
    } else if rest.starts_with(b"Fatal error:") || rest.starts_with(b"Parse error:") {
        Some(Level::Error)
    } else {
        None
    }
}

/// Whether a token is a position in a source file: `name:1:` or `name:1:2:`.
fn position(token: &[u8]) -> bool {
    let Some(token) = token.strip_suffix(b":") else {
        return false;
    };
    let Some(colon) = memchr::memrchr(b':', token) else {
        return false;
    };
    colon > 0 && colon + 1 < token.len() && token[colon + 1..].iter().all(u8::is_ascii_digit)
}

/// Whether a word is a level by itself, and not one that sentences begin with, nor one that runtimes print.
fn plainly(word: &[u8]) -> bool {
    let mut lower = [0; 16];
    let Some(lower) = lower.get_mut(..word.len()) else {
        return false;
    };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    match &*lower {
        b"panic" | b"exception" | b"alert" | b"emergency" | b"failure" | b"failed" => {
            word.iter().all(u8::is_ascii_uppercase) && word != b"EXCEPTION"
        }
        b"trace" | b"note" | b"notice" | b"success" | b"ok" | b"all" | b"off" | b"default"
        | b"config" | b"http" | b"log" | b"audit" | b"stat" | b"fine" => false,
        _ => true,
    }
}

/// Whether what follows a word says that there is nothing: `error: none`, `Error: count is 0`, `errors = 0`.
fn denied(rest: &[u8], message: &[u8]) -> bool {
    let text: String = [rest, message.get(..64).unwrap_or(message)]
        .concat()
        .iter()
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let text = text.trim_start_matches([':', ' ', '=', '-', '\t']);
    // A setting.
    if matches!(
        text.trim_end(),
        "false" | "true" | "off" | "on" | "no" | "yes" | "~" | "{}" | "[]" | "\"\"" | "''"
    ) {
        return true;
    }
    let mut words = text
        .split(|c: char| c.is_whitespace() || matches!(c, ':' | '=' | ',' | ';'))
        .filter(|word| !word.is_empty());
    for _ in 0..4 {
        match words.next() {
            Some(
                "0" | "0%" | "0.0" | "0.0%" | "0.00" | "0.00%" | "none" | "nil" | "null" | "zero"
                | "n/a" | "-",
            ) => return true,
            Some("no") => {
                return words
                    .next()
                    .is_some_and(|word| word.starts_with("error") || word.starts_with("warning"));
            }
            Some(
                "count" | "counts" | "rate" | "rates" | "total" | "budget" | "is" | "was" | "are"
                | "of" | "found" | "code" | "level" | "the",
            ) => {}
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests;
