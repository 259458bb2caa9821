//! Secrets taken out of what a run keeps, before it is kept.
//!
//! Known forms of tokens (`shape`), values behind names that mean a secret (`assigned`, `name`), credentials in URLs (`url`) and
//! commands (`command`), private keys in PEM (`pem`), the user's own patterns, and the very values of variables whose names mean a secret,
//! also encoded (`written`). It works line by line on bytes, in time linear in them, so that logs of any size pass in bounded memory; a
//! private key's lines are taken out until its end. What it takes out becomes [`MARK`], which nothing is looked for in again.
//!
//! Where a text may be a secret or a word said of one, it is taken for a secret; what is surely none is listed in `plain`.
//!
//! In a report a name may differ from another only by what is taken out: `t[password=…]`. There the mark carries a digest of the value, so that
//! two names stay two and one name stays one over runs. It is keyed (HMAC-SHA256, 48 bits of it): short secrets are guessed from a plain digest in
//! no time, salted or not, because the salt would lie beside it; a salt for each run would make every test a new one. The key is the
//! project's and no part of any artifact, so who has only artifacts can tell equal from different and nothing else.

mod assigned;
mod command;
mod escape;
mod name;
mod pem;
mod plain;
mod shape;
mod url;
mod value;
mod written;

use std::borrow::Cow;
use std::ops::Range;

use gonogo_core::Digest;
use regex::bytes::Regex;

pub use name::{is_secret_name, is_secret_variable};

/// Stands in the place of a secret.
pub const MARK: &str = "[REDACTED]";

/// How every mark begins, with a digest or without.
pub const PREFIX: &str = "[REDACTED";

/// Hexadecimal digits of a value's digest in a mark.
const DIGITS: usize = 12;

/// Fewest bytes of a variable's value that is looked for: shorter ones are words that stand everywhere.
const SHORTEST: usize = 8;

/// Fewest bytes of one line of a variable's value.
const SHORTEST_LINE: usize = 16;

/// Takes secrets out.
#[derive(Debug)]
pub struct Redactor {
    own: Vec<Regex>,
    values: Option<Regex>,
    key: Option<[u8; 32]>,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pattern `{pattern}` for what is to be redacted cannot be used: {why}")]
pub struct RedactError {
    /// As given.
    pub pattern: String,
    /// Why.
    pub why: String,
}

/// Where in a stream of lines it is.
#[derive(Debug, Default)]
pub struct Within {
    /// Inside of a private key.
    key: Option<pem::Open>,
    /// Whether names may depend on what is taken out, so that marks tell different values apart.
    distinct: bool,
    /// How many places were taken out.
    pub taken: u64,
}

impl Within {
    /// The beginning of a report, in which names must stay apart.
    pub fn report() -> Self {
        Self {
            distinct: true,
            ..Self::default()
        }
    }
}

impl Redactor {
    /// Makes one. `own` are the user's patterns, `secrets` values that must not appear whatever they look like.
    ///
    /// # Errors
    /// A pattern that is none, or matches everything.
    pub fn new(own: &[String], secrets: &[String]) -> Result<Self, RedactError> {
        let refused = |pattern: &str, why: String| RedactError {
            pattern: pattern.chars().take(200).collect(),
            why,
        };
        let mut kept = Vec::new();
        for pattern in own {
            let regex = Regex::new(pattern).map_err(|e| refused(pattern, e.to_string()))?;
            if regex.is_match(b"") {
                return Err(refused(pattern, "it matches everything".into()));
            }
            kept.push(regex);
        }
        // A value of several lines is met line by line.
        let lines = secrets
            .iter()
            .filter(|value| value.contains('\n'))
            .flat_map(|value| value.lines())
            .filter(|line| line.len() >= SHORTEST_LINE);
        let mut values: Vec<String> = secrets
            .iter()
            .map(String::as_str)
            .filter(|value| value.len() >= SHORTEST && *value != MARK)
            .chain(lines)
            .flat_map(written::all)
            .collect();
        // The longest first: one value may begin another.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        let values = match values.is_empty() {
            true => None,
            false => Some(
                Regex::new(&values.join("|"))
                    .map_err(|e| refused("values of variables", e.to_string()))?,
            ),
        };
        Ok(Self {
            own: kept,
            values,
            key: None,
        })
    }

    /// With the key by which marks in reports tell different values apart; without one they do not.
    #[must_use]
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }

    /// What stands in the place of a value.
    fn mark(&self, value: &[u8], within: &Within) -> Vec<u8> {
        match self.key.as_ref().filter(|_| within.distinct) {
            None => MARK.as_bytes().to_vec(),
            Some(key) => {
                let digest = hmac(key, value);
                format!("{PREFIX}:{}]", &digest[..DIGITS]).into_bytes()
            }
        }
    }

    /// Takes the secrets out of a line, its end included; `within` goes on from line to line.
    pub fn line<'a>(&self, line: &'a [u8], within: &mut Within) -> Cow<'a, [u8]> {
        let out = pem::line(line, &mut within.key, &mut within.taken);
        match self.taken_out(&out, within) {
            Some(new) => Cow::Owned(new),
            None => out,
        }
    }

    /// Where secrets stand in a text, in no order.
    fn places(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        for regex in self.values.iter().chain(&self.own) {
            // A pattern that finds a part of the mark itself finds no secret.
            let places = regex
                .find_iter(text)
                .filter(|m| memchr::memmem::find(MARK.as_bytes(), m.as_bytes()).is_none());
            found.extend(places.map(|m| m.range()));
        }
        shape::find(text, &mut found);
        assigned::find(text, &mut found);
        url::find(text, &mut found);
        command::find(text, &mut found);
        found.retain(|range| !range.is_empty());
        found
    }

    /// A text without what was found in it; `None` if nothing was. Marks stay as they are.
    fn taken_out(&self, text: &[u8], within: &mut Within) -> Option<Vec<u8>> {
        let mut found = self.places(text);
        // Colours between a name and its value, or within a secret, hide it.
        if let Some((plain, at)) = escape::without(text) {
            let places = self.places(&plain).into_iter();
            found.extend(places.map(|place| at[place.start]..at[place.end - 1] + 1));
        }
        if !found.is_empty() && memchr::memmem::find(text, PREFIX.as_bytes()).is_some() {
            found = beside(text, &marks(text), found);
        }
        if found.is_empty() {
            return None;
        }
        found.sort_unstable_by_key(|range| (range.start, range.end));
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        let mut places = found.into_iter().peekable();
        while let Some(mut place) = places.next() {
            // What was found twice, in parts or whole, goes once.
            while let Some(next) = places.next_if(|next| next.start <= place.end) {
                place.end = place.end.max(next.end);
            }
            out.extend_from_slice(&text[at..place.start]);
            let mark = self.mark(&text[place.clone()], within);
            let quote = value::of_number(text, &place).unwrap_or_default();
            out.extend([quote, &mark, quote].into_iter().flatten());
            at = place.end;
            within.taken += 1;
        }
        out.extend_from_slice(&text[at..]);
        Some(out)
    }

    /// Takes the secrets out of a text.
    pub fn text(&self, text: &str) -> String {
        let mut within = Within::default();
        let mut out = Vec::with_capacity(text.len());
        for line in text.as_bytes().split_inclusive(|b| *b == b'\n') {
            out.extend_from_slice(&self.line(line, &mut within));
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// Where marks stand in a text, in order.
fn marks(text: &[u8]) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    let mut from = 0;
    while let Some((at, end)) = marked(&text[from..]) {
        all.push(from + at..from + end);
        from += end;
    }
    all
}

/// The parts of ranges that are in no mark.
fn beside(text: &[u8], marks: &[Range<usize>], found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let mut all = Vec::new();
    for range in found {
        let first = marks.partition_point(|mark| mark.end <= range.start);
        let (from, mut at) = (all.len(), range.start);
        for mark in marks[first..]
            .iter()
            .take_while(|mark| mark.start < range.end)
        {
            all.push(at..mark.start.max(at));
            at = mark.end;
        }
        let is_parted = all.len() > from;
        all.push(at..range.end.max(at));
        // What only joins marks to each other and to names is no secret: it was left there before.
        let joins = |b: &u8| matches!(b, b' ' | b'\t' | b'=' | b';' | b',' | b'&');
        if is_parted {
            let parts = all.split_off(from).into_iter();
            all.extend(parts.filter(|part| !text[part.clone()].iter().all(joins)));
        }
    }
    all.retain(|range| !range.is_empty());
    all
}

/// The first mark of a text: where it begins and ends.
fn marked(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from + memchr::memmem::find(&text[from..], PREFIX.as_bytes())?;
        let behind = &text[at + PREFIX.len()..];
        let digits = match behind.strip_prefix(b":") {
            None => 0,
            Some(rest) => {
                let hex = |b: &&u8| b.is_ascii_digit() || (b'a'..=b'f').contains(*b);
                let digits = rest.iter().take_while(hex).count();
                // Anything else is somebody's text that only begins like one.
                if digits == DIGITS {
                    digits + 1
                } else {
                    usize::MAX
                }
            }
        };
        if behind.get(digits) == Some(&b']') {
            return Some((at, at + PREFIX.len() + digits + 1));
        }
        from = at + 1;
    }
}

/// HMAC-SHA256 (RFC 2104), in hexadecimal.
fn hmac(key: &[u8; 32], text: &[u8]) -> String {
    let pad = |with: u8| -> Vec<u8> {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block.to_vec()
    };
    let inner = Digest::of(&[pad(0x36), text.to_vec()].concat());
    let outer = Digest::of(&[pad(0x5c), inner.as_bytes().to_vec()].concat());
    outer
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
