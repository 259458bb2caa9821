//! A runbook made ready to be looked up: which texts give which pattern away, and what a pattern then asks of the line.

use std::collections::HashMap;
use std::sync::OnceLock;

use regex::bytes::Regex;

use super::entry::{Pattern, Runbook};
use super::found::Matches;
use super::grams::{Text, Texts};
use super::required::{Expression, LEAST};
use super::search::{Limits, Search};

/// Most patterns without a text, which are tried on every line.
pub(super) const UNANCHORED: usize = 64;

/// Why a runbook cannot be used, although it could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MatcherError {
    /// A pattern is broken.
    #[error("entry `{entry}`: {why}")]
    Pattern {
        /// Its entry.
        entry: String,
        /// What is wrong.
        why: String,
    },
    /// Too many patterns would have to be tried on every line.
    #[error(
        "{0} patterns have no text of {LEAST} bytes that a line must have, and would be tried on every line; {UNANCHORED} are allowed: give each a text in `all`"
    )]
    Unanchored(usize),
    /// The short texts are too many.
    #[error("the texts of the runbook cannot be made ready: {0}; leave out the shortest")]
    Texts(String),
}

/// A runbook, ready.
#[derive(Debug)]
pub struct Matcher {
    pub(super) runbook: Runbook,
    pub(super) texts: Texts,
    /// For each text the patterns that it may give away.
    given: Vec<Vec<u32>>,
    checks: Vec<Check>,
    /// Patterns that are tried on every line.
    pub(super) always: Vec<u32>,
}

/// A pattern, ready.
#[derive(Debug)]
struct Check {
    /// Its entry's number.
    entry: u32,
    all: Vec<Text>,
    any: Vec<Text>,
    expression: Option<Expression>,
    compiled: OnceLock<Option<Regex>>,
    /// Bytes of text that it asks for at least: the more, the more it says.
    specific: u32,
}

/// What a pattern found.
pub(super) struct Hit {
    pub(super) entry: u32,
    /// Where in the piece.
    pub(super) at: usize,
    pub(super) specific: u32,
}

/// The number of an entry of which an expression could not be compiled.
pub(super) struct Uncompiled(pub(super) u32);

impl Matcher {
    /// Makes a runbook ready.
    ///
    /// # Errors
    /// A pattern that finds everything or nothing, or that is too large.
    pub fn new(runbook: Runbook) -> Result<Self, MatcherError> {
        let mut checks = Vec::new();
        let mut always = Vec::new();
        let mut numbers: HashMap<Text, u32> = HashMap::new();
        let mut texts: Vec<Text> = Vec::new();
        let mut given: Vec<Vec<u32>> = Vec::new();
        for (entry, said) in runbook.entries.iter().enumerate() {
            for pattern in &said.patterns {
                let number = checks.len() as u32;
                let check = Check::new(entry as u32, pattern).map_err(|why| {
                    let entry = said.id.clone();
                    MatcherError::Pattern { entry, why }
                })?;
                let guard = check.guard();
                if guard.is_empty() {
                    always.push(number);
                }
                for text in guard {
                    let next = texts.len() as u32;
                    let n = *numbers.entry(text.clone()).or_insert(next);
                    if n == next {
                        texts.push(text);
                        given.push(Vec::new());
                    }
                    given[n as usize].push(number);
                }
                checks.push(check);
            }
        }
        if always.len() > UNANCHORED {
            return Err(MatcherError::Unanchored(always.len()));
        }
        Ok(Self {
            runbook,
            texts: Texts::new(texts).map_err(|e| MatcherError::Texts(e.to_string()))?,
            given,
            checks,
            always,
        })
    }

    /// The runbook.
    pub const fn runbook(&self) -> &Runbook {
        &self.runbook
    }

    /// A search through a log that is fed to it piece by piece.
    pub fn search(&self, limits: Limits) -> Search<'_> {
        Search::new(self, limits)
    }

    /// Looks up a whole log.
    pub fn matches(&self, log: &[u8]) -> Matches {
        let mut search = self.search(Limits::default());
        search.feed(log);
        search.finish()
    }

    /// Adds to `hits` what the patterns find in `piece`, a line or a part of one, by the order of the patterns; an entry that has several
    /// may be there several times. `asked` is of this matcher ([`Self::asked`]) and may have been used before.
    pub(super) fn hits(
        &self,
        piece: &[u8],
        asked: &mut Asked,
        hits: &mut Vec<Hit>,
        broken: &mut Vec<Uncompiled>,
    ) {
        asked.turn += 1;
        let turn = asked.turn;
        asked.numbers.clear();
        self.texts.all(piece, |text| {
            let text = text as usize;
            if std::mem::replace(&mut asked.texts[text], turn) != turn {
                for &n in &self.given[text] {
                    if std::mem::replace(&mut asked.checks[n as usize], turn) != turn {
                        asked.numbers.push(n);
                    }
                }
            }
        });
        asked.numbers.extend(&self.always);
        asked.numbers.sort_unstable();
        for &n in &asked.numbers {
            let check = &self.checks[n as usize];
            match check.at(piece) {
                Ok(Some(at)) => hits.push(Hit {
                    entry: check.entry,
                    at,
                    specific: check.specific,
                }),
                Ok(None) => {}
                Err(()) => broken.push(Uncompiled(check.entry)),
            }
        }
    }

    /// Room for [`Self::hits`].
    pub(super) fn asked(&self) -> Asked {
        Asked {
            turn: 0,
            texts: vec![0; self.given.len()],
            checks: vec![0; self.checks.len()],
            numbers: Vec::new(),
        }
    }
}

/// What was asked about a piece already.
#[derive(Debug)]
pub(super) struct Asked {
    turn: u64,
    texts: Vec<u64>,
    checks: Vec<u64>,
    numbers: Vec<u32>,
}

impl Check {
    fn new(entry: u32, pattern: &Pattern) -> Result<Self, String> {
        let texts = |texts: &[String]| {
            let text = |text: &String| Text {
                bytes: text.clone().into_bytes(),
                ignore_case: pattern.ignore_case,
            };
            texts.iter().map(text).collect::<Vec<_>>()
        };
        let (all, any) = (texts(&pattern.all), texts(&pattern.any));
        let expression = match &pattern.regex {
            Some(text) => Some(
                Expression::read(text, pattern.ignore_case)
                    .map_err(|why| format!("its expression `{text}` is broken: {why}"))?,
            ),
            None => None,
        };
        if all.is_empty() && any.is_empty() && expression.is_none() {
            return Err("a pattern asks for nothing, so every line would be it".into());
        }
        if all.iter().chain(&any).any(|text| text.bytes.is_empty()) {
            return Err("a text is empty, so every line has it".into());
        }
        let least = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).min().unwrap_or(0);
        let specific = all.iter().map(|t| t.bytes.len()).sum::<usize>()
            + any.iter().map(|t| t.bytes.len()).min().unwrap_or(0)
            + expression.as_ref().map_or(0, |e| least(&e.texts));
        Ok(Self {
            entry,
            all,
            any,
            expression,
            compiled: OnceLock::new(),
            specific: u32::try_from(specific).unwrap_or(u32::MAX),
        })
    }

    /// The texts that give it away: without one of them it is not there. The longest that there are, for those are rare.
    fn guard(&self) -> Vec<Text> {
        let one = self.all.iter().max_by_key(|text| text.bytes.len());
        let drawn = self.expression.as_ref().map(|e| {
            let text = |bytes: &Vec<u8>| Text {
                bytes: bytes.clone(),
                ignore_case: true,
            };
            e.texts.iter().map(text).collect::<Vec<_>>()
        });
        let offers = [
            one.map(|text| vec![text.clone()]),
            Some(self.any.clone()),
            drawn,
        ];
        let worth = |texts: &Vec<Text>| texts.iter().map(|t| t.bytes.len()).min().unwrap_or(0);
        offers
            .into_iter()
            .flatten()
            .max_by_key(worth)
            .unwrap_or_default()
    }

    /// Where in the piece what it asks for stands first: the expression's find, or the first of its texts.
    fn at(&self, piece: &[u8]) -> Result<Option<usize>, ()> {
        let mut first = usize::MAX;
        for text in &self.all {
            match text.find_in(piece) {
                Some(at) => first = first.min(at),
                None => return Ok(None),
            }
        }
        if !self.any.is_empty() {
            match self.any.iter().filter_map(|text| text.find_in(piece)).min() {
                Some(at) => first = first.min(at),
                None => return Ok(None),
            }
        }
        let Some(expression) = &self.expression else {
            return Ok(Some(first));
        };
        let compiled = self.compiled.get_or_init(|| expression.compile().ok());
        let Some(regex) = compiled else {
            return Err(());
        };
        if let Some(found) = regex.find(piece) {
            return Ok(Some(found.start()));
        }
        // A runner may have put the time before the line.
        let stamp = stamp(piece);
        let found = regex.find(&piece[stamp..]).filter(|_| stamp > 0);
        Ok(found.map(|found| stamp + found.start()))
    }
}

/// Bytes of a date and time, and of a byte-order mark, at the begin of a line: `2026-03-01T10:00:00.123Z `, `[10:00:00] `.
fn stamp(line: &[u8]) -> usize {
    let mut at = if line.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    let open = usize::from(line.get(at) == Some(&b'['));
    let rest = &line[at + open..];
    let length = rest
        .iter()
        .take(40)
        .take_while(|b| b.is_ascii_digit() || b"TZ:-+.,/ ".contains(b))
        .count();
    let stamp = &rest[..length];
    let digits = stamp.iter().filter(|b| b.is_ascii_digit()).count();
    let colons = stamp.iter().filter(|b| **b == b':').count();
    if digits >= 6 && colons >= 2 && stamp[0].is_ascii_digit() {
        at += open + length;
        if open == 1 && line.get(at) == Some(&b']') {
            at += 1 + usize::from(line.get(at + 1) == Some(&b' '));
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::stamp;

    #[test]
    fn a_time_before_the_line_is_seen() {
        for (line, rest) in [
            ("2026-03-01T10:00:00.1234567Z error: x", "error: x"),
            ("[10:00:00] error", "error"),
            ("[2026-03-01 10:00:00,123] error", "error"),
            ("\u{feff}error", "error"),
            ("10:00:00 error", "error"),
            ("1.2.3 error", "1.2.3 error"),
            ("[error] x", "[error] x"),
            ("", ""),
        ] {
            assert_eq!(&line[stamp(line.as_bytes())..], rest);
        }
    }
}
