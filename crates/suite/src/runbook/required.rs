//! The texts that a line must have for a regular expression to find anything in it.
//!
//! Most lines of a log have none of them, and the expression is never asked. From the expression's parts: of a sequence one part that must
//! be there, of alternatives one text of each. Letters are taken in either case, so that `(?i)` is no hindrance; the expression itself
//! decides in the end.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

/// Least bytes of a text that is worth looking for.
pub(super) const LEAST: usize = 3;
/// Most bytes that are kept of one.
const MOST: usize = 64;
/// Most alternatives.
const ALTERNATIVES: usize = 32;
/// How large an expression may be, about: states of its automaton.
const SIZE: u64 = 20_000;
/// Bytes that a compiled one may take.
const COMPILED: usize = 16 << 20;
/// How deep it may nest.
const NEST: u32 = 50;

/// A regular expression that was read and not compiled yet.
#[derive(Debug, Clone)]
pub(super) struct Expression {
    text: String,
    ignore_case: bool,
    unicode: bool,
    /// One of these must be there, in either case; empty if nothing can be told.
    pub(super) texts: Vec<Vec<u8>>,
}

impl Expression {
    /// Reads one. It sees bytes: `.` is any byte and `\w` is ASCII, unless it asks for Unicode in a way that bytes do not have.
    ///
    /// # Errors
    /// It is none, or it is too large; in words.
    pub(super) fn read(text: &str, ignore_case: bool) -> Result<Self, String> {
        let parse = |unicode: bool| {
            regex_syntax::ParserBuilder::new()
                .unicode(unicode)
                .utf8(false)
                .case_insensitive(ignore_case)
                .nest_limit(NEST)
                .build()
                .parse(text)
                .map_err(|e| reason(&e))
        };
        let (unicode, hir) = match parse(false) {
            Ok(hir) => (false, hir),
            Err(_) => (true, parse(true)?),
        };
        let size = size(&hir);
        if size > SIZE {
            return Err(format!(
                "it is too large: about {size} states, {SIZE} are allowed; make its repetitions smaller"
            ));
        }
        if hir.properties().minimum_len() == Some(0)
            && !hir.properties().look_set().contains_anchor()
        {
            return Err("it finds something in every line, an empty text".into());
        }
        let texts = required(&hir).unwrap_or_default();
        if texts
            .iter()
            .any(|text| text.iter().any(|b| matches!(b, b'\n' | b'\r')))
        {
            return Err(
                "it wants a line's end within what it finds, but a log is looked at line by line"
                    .into(),
            );
        }
        let usable = texts.iter().all(|t| t.len() >= LEAST);
        Ok(Self {
            text: text.to_owned(),
            ignore_case,
            unicode,
            texts: if usable { texts } else { Vec::new() },
        })
    }

    /// Compiles it.
    ///
    /// # Errors
    /// It is larger than it looked.
    pub(super) fn compile(&self) -> Result<Regex, regex::Error> {
        RegexBuilder::new(&self.text)
            .unicode(self.unicode)
            .case_insensitive(self.ignore_case)
            .size_limit(COMPILED)
            .nest_limit(NEST)
            .build()
    }
}

/// The last line of what the parser says, which is the reason; the others draw the expression.
fn reason(error: &regex_syntax::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error:").trim().to_owned()
}

fn size(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(text) => text.0.len() as u64,
        HirKind::Class(Class::Unicode(class)) => 2 * class.ranges().len() as u64 + 1,
        HirKind::Class(Class::Bytes(_)) => 1,
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            size(&repetition.sub)
                .saturating_mul(u64::from(times))
                .saturating_add(1)
        }
        HirKind::Capture(capture) => size(&capture.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => {
            parts.iter().map(size).fold(1, u64::saturating_add)
        }
    }
}

/// Texts of which one must be there.
fn required(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => {
            let mut run = exact(hir)?;
            run.truncate(MOST);
            Some(vec![run])
        }
        HirKind::Capture(capture) => required(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => match exact(hir) {
            Some(text) => Some(vec![text]),
            None => required(&repetition.sub),
        },
        HirKind::Concat(parts) => sequence(parts),
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                all.extend(required(part)?);
                if all.len() > ALTERNATIVES {
                    return None;
                }
            }
            all.sort();
            all.dedup();
            Some(all)
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The best of a sequence: neighbours that are exact make one text.
fn sequence(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut offer = |texts: Vec<Vec<u8>>| {
        let worth = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).min().unwrap_or(0);
        if best
            .as_ref()
            .is_none_or(|best| (worth(&texts), best.len()) > (worth(best), texts.len()))
        {
            best = Some(texts);
        }
    };
    let mut run: Vec<u8> = Vec::new();
    for part in parts {
        if let Some(more) = exact(part) {
            run.extend(more);
            continue;
        }
        // A look is between bytes and has none of its own.
        if matches!(part.kind(), HirKind::Look(_)) {
            continue;
        }
        if !run.is_empty() {
            run.truncate(MOST);
            offer(vec![std::mem::take(&mut run)]);
        }
        if let Some(texts) = required(part) {
            offer(texts);
        }
    }
    if !run.is_empty() {
        run.truncate(MOST);
        offer(vec![run]);
    }
    best
}

/// The one text that it is, letters in either case.
fn exact(hir: &Hir) -> Option<Vec<u8>> {
    match hir.kind() {
        HirKind::Literal(text) => Some(text.0.to_vec()),
        HirKind::Capture(capture) => exact(&capture.sub),
        HirKind::Class(Class::Bytes(class)) => {
            let bytes: Vec<u8> = class
                .ranges()
                .iter()
                .flat_map(|range| (range.start()..=range.end()).take(3))
                .take(3)
                .collect();
            letter(&bytes)
        }
        HirKind::Class(Class::Unicode(class)) => {
            let chars: Vec<char> = class
                .ranges()
                .iter()
                .flat_map(|range| (range.start()..=range.end()).take(3))
                .take(3)
                .collect();
            let bytes: Option<Vec<u8>> = chars
                .iter()
                .map(|c| u8::try_from(*c).ok().filter(u8::is_ascii))
                .collect();
            letter(&bytes?)
        }
        HirKind::Concat(parts) => parts
            .iter()
            .map(exact)
            .collect::<Option<Vec<_>>>()
            .map(|v| v.concat()),
        HirKind::Repetition(repetition) if Some(repetition.min) == repetition.max => {
            let once = exact(&repetition.sub)?;
            let times = repetition.min as usize;
            (once.len() * times <= MOST).then(|| once.repeat(times))
        }
        _ => None,
    }
}

/// One byte, or the two cases of a letter.
fn letter(bytes: &[u8]) -> Option<Vec<u8>> {
    match bytes {
        [one] => Some(vec![*one]),
        [a, b] if a.eq_ignore_ascii_case(b) => Some(vec![a.to_ascii_lowercase()]),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pattern: &str) -> Vec<String> {
        let read = Expression::read(pattern, false).unwrap();
        let texts = read.texts.iter();
        texts
            .map(|t| String::from_utf8_lossy(t).into_owned())
            .collect()
    }

    #[test]
    fn what_must_be_there_is_found() {
        for (pattern, expected) in [
            (r"thread '.*' panicked at", &["' panicked at"][..]),
            (r"\d+ tests? failed", &[" failed"]),
            (r"^error\[E\d{4}\]: ", &["error[E"]),
            (r"(?i)Out of Memory", &["out of memory"]),
            (r"(foo bar|baz qux)\d", &["baz qux", "foo bar"]),
            (r"(foo|\d+) ab", &[" ab"]),
            (r"(foo|\d+)", &[]),
            (r"a+b+", &[]),
            (r"(?:abc)*x", &[]),
            (r"(?:abc){2}", &["abcabc"]),
            (r"(?:abcd)+ef", &["abcd"]),
            (r"x{4}", &["xxxx"]),
            (r"(?i)naïve\s", &["naïve"]),
            (r"\bkilled\b by", &["killed by"]),
        ] {
            assert_eq!(texts(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_is_none_or_too_large_is_refused() {
        for pattern in [
            "(",
            r"abc\ndef",
            r"(?:a{500}){500}",
            "a*",
            "x|",
            r"(?i)(\p{Nope})",
        ] {
            assert!(Expression::read(pattern, false).is_err(), "{pattern}");
        }
        assert!(Expression::read(r"^$", false).is_ok());
        let unicode = Expression::read(r"[é]tat: \w+", false).unwrap();
        assert!(unicode.unicode && unicode.compile().is_ok());
    }
}
