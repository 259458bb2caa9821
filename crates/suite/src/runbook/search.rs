//! Looks through a log of any size for what a runbook knows, in memory that does not grow with it.
//!
//! What is fed is cleaned of escape sequences and cut into *pieces* at line feeds and carriage returns, so that a progress bar hides
//! nothing; lines are counted by line feeds. Whole regions are scanned for the patterns' texts, and only pieces that have one are looked
//! at. A piece longer than the window is looked at in windows that overlap by half, counted from its begin. Invariants: the answer does not
//! depend on where the borders of what is fed are; what could not be looked at makes the answer not whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use memchr::{memchr_iter, memchr2, memrchr2};

use super::clean::Cleaner;
use super::found::{MATCH_SCHEMA, Match, Matches, Spot};
use super::matcher::{Asked, Hit, Matcher, Uncompiled};
use super::packed;

/// Bytes that are looked at together. They and the tables fit the second cache.
const REGION: usize = 128 << 10;

/// Bytes from which the encoding is guessed.
const HEAD: usize = 512;

/// How much is looked at together, and shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a line that are looked at together; at least twice the longest text of the runbook.
    pub window: usize,
    /// Most bytes of a line that are shown.
    pub shown: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            window: 32 << 10,
            shown: 320,
        }
    }
}

/// A search under way.
#[derive(Debug)]
pub struct Search<'m> {
    matcher: &'m Matcher,
    shown: usize,
    state: State,
    /// Clean text that was not looked at yet. It begins with a piece, or with a window of a long one.
    text: Vec<u8>,
    window: usize,
}

/// All but the text, so that both can be borrowed.
#[derive(Debug)]
struct State {
    cleaner: Cleaner,
    asked: Asked,
    found: BTreeMap<u32, Found>,
    broken: BTreeSet<u32>,
    /// The number of the line at `counted` of the text.
    line: u64,
    counted: usize,
    fed: u64,
    /// The first bytes.
    head: Vec<u8>,
    /// Whether the last byte that was looked at ended a line.
    ended: bool,
}

/// What was found for an entry so far.
#[derive(Debug)]
struct Found {
    hits: u64,
    specific: u32,
    first: Excerpt,
    last: Excerpt,
}

/// Part of a line, not yet fit to be shown.
#[derive(Debug, Default)]
struct Excerpt {
    line: u64,
    offset: u64,
    bytes: Vec<u8>,
    cut_before: bool,
    cut_behind: bool,
}

impl<'m> Search<'m> {
    pub(super) fn new(matcher: &'m Matcher, limits: Limits) -> Self {
        Self {
            matcher,
            shown: limits.shown.max(16),
            state: State {
                cleaner: Cleaner::default(),
                asked: matcher.asked(),
                found: BTreeMap::new(),
                broken: BTreeSet::new(),
                line: 1,
                counted: 0,
                fed: 0,
                head: Vec::new(),
                ended: true,
            },
            text: Vec::new(),
            window: limits.window.max(2 * matcher.texts.longest()).max(16),
        }
    }

    /// Looks at more of the log.
    pub fn feed(&mut self, bytes: &[u8]) {
        let head = &mut self.state.head;
        head.extend(bytes.iter().take(HEAD - head.len()));
        self.state.fed += bytes.len() as u64;
        for part in bytes.chunks(REGION) {
            self.state.cleaner.feed(part, &mut self.text);
            let whole = memrchr2(b'\n', b'\r', &self.text).map_or(0, |at| at + 1);
            self.look(whole);
            // What is left is one piece without an end. Windows that it fills are done.
            let mut done = whole;
            while self.text.len() - done > self.window {
                self.piece(done, done + self.window);
                done += self.window / 2;
            }
            self.drop(done);
        }
    }

    /// Looks at the rest and tells what was found.
    pub fn finish(mut self) -> Matches {
        self.look(self.text.len());
        let state = &mut self.state;
        state.count(&self.text, self.text.len());
        if let Some(last) = self.text.last() {
            state.ended = *last == b'\n';
        }
        let mut issues = Vec::new();
        if state.fed == 0 {
            issues.push("the log is empty: there was nothing to look at".into());
        }
        let zeros = memchr_iter(0, &state.head).count();
        if let Some(packed) = packed::of(&state.head) {
            issues.push(format!(
                "the log is {}, and the text in it was not read: unpack it first (`{} | gonogo runbook match -`)",
                packed.name, packed.unpack
            ));
        } else if matches!(state.head.as_slice(), [0xff, 0xfe, ..] | [0xfe, 0xff, ..])
            || zeros * 4 > state.head.len()
        {
            issues.push(
                "the log is UTF-16 or binary, and texts in it were not found: convert it to UTF-8 (`iconv -f UTF-16 -t UTF-8`)"
                    .into(),
            );
        }
        let entries = &self.matcher.runbook().entries;
        for &entry in &state.broken {
            issues.push(format!(
                "entry `{}` was not looked for everywhere: an expression of it is too large to be compiled",
                entries[entry as usize].id
            ));
        }
        let shown = self.shown;
        let found = std::mem::take(&mut state.found);
        let mut matches: Vec<Match> = found
            .into_iter()
            .map(|(entry, found)| {
                let (first, last) = (found.first.spot(shown), found.last.spot(shown));
                let entry = &entries[entry as usize];
                Match::of(entry, found.specific, found.hits, first, last)
            })
            .collect();
        matches.sort_by(|a, b| {
            let rank = |m: &Match| (m.severity, std::cmp::Reverse(m.specific), m.first.offset);
            rank(a).cmp(&rank(b)).then_with(|| a.entry.cmp(&b.entry))
        });
        Matches {
            schema: MATCH_SCHEMA.to_owned(),
            bytes: state.fed,
            lines: state.line - 1 + u64::from(!state.ended),
            whole: issues.is_empty(),
            issues,
            entries: matches,
        }
    }

    /// Looks at the pieces within the first `to` bytes.
    fn look(&mut self, to: usize) {
        if !self.matcher.always.is_empty() {
            let mut from = 0;
            while from < to {
                let end = memchr2(b'\n', b'\r', &self.text[from..to]).map_or(to, |n| from + n);
                self.pieces(from, end);
                from = end + 1;
            }
            return;
        }
        let text = std::mem::take(&mut self.text);
        let region = &text[..to];
        let mut scan = self.matcher.texts.scan(region);
        let mut from = 0;
        while let Some(at) = scan.next(from) {
            let begin = memrchr2(b'\n', b'\r', &region[from..at]).map_or(from, |n| from + n + 1);
            let end = memchr2(b'\n', b'\r', &region[at..]).map_or(to, |n| at + n);
            self.windows(&text, begin, end);
            from = end;
        }
        self.text = text;
    }

    fn pieces(&mut self, from: usize, to: usize) {
        let text = std::mem::take(&mut self.text);
        self.windows(&text, from, to);
        self.text = text;
    }

    fn piece(&mut self, from: usize, to: usize) {
        self.state
            .ask(self.matcher, self.shown, &self.text, from, to);
    }

    /// Looks at a piece, in windows if it is long.
    fn windows(&mut self, text: &[u8], mut from: usize, to: usize) {
        while to - from > self.window {
            let end = from + self.window;
            self.state.ask(self.matcher, self.shown, text, from, end);
            from += self.window / 2;
        }
        self.state.ask(self.matcher, self.shown, text, from, to);
    }

    /// Lets go of the first `count` bytes of the text.
    fn drop(&mut self, count: usize) {
        if count == 0 {
            return;
        }
        self.state.count(&self.text, count);
        self.state.counted = 0;
        self.state.ended = self.text[count - 1] == b'\n';
        self.state.cleaner.forget(count);
        self.text.drain(..count);
    }
}

impl State {
    /// Counts lines up to `at`.
    fn count(&mut self, text: &[u8], at: usize) {
        if at > self.counted {
            self.line += memchr_iter(b'\n', &text[self.counted..at]).count() as u64;
            self.counted = at;
        }
    }

    fn ask(&mut self, matcher: &Matcher, shown: usize, text: &[u8], from: usize, to: usize) {
        let piece = &text[from..to];
        let (mut hits, mut broken) = (Vec::new(), Vec::new());
        matcher.hits(piece, &mut self.asked, &mut hits, &mut broken);
        self.broken.extend(broken.iter().map(|Uncompiled(n)| *n));
        if hits.is_empty() {
            return;
        }
        // Windows overlap: the one before may have begun where this one does not count from.
        let back = self.counted > from;
        let line = if back {
            self.line - memchr_iter(b'\n', &text[from..self.counted]).count() as u64
        } else {
            self.count(text, from);
            self.line
        };
        for Hit {
            entry,
            at,
            specific,
        } in hits
        {
            let offset = self.cleaner.fed_at(from + at);
            match self.found.get_mut(&entry) {
                None => {
                    let mut first = Excerpt::default();
                    first.set(line, offset, piece, at, shown);
                    let mut last = Excerpt::default();
                    last.set(line, offset, piece, at, shown);
                    let hits = 1;
                    let found = Found {
                        hits,
                        specific,
                        first,
                        last,
                    };
                    self.found.insert(entry, found);
                }
                Some(found) => {
                    found.specific = found.specific.max(specific);
                    if found.last.line != line {
                        found.hits += 1;
                        found.last.set(line, offset, piece, at, shown);
                    }
                }
            }
        }
    }
}

impl Excerpt {
    fn set(&mut self, line: u64, offset: u64, piece: &[u8], at: usize, shown: usize) {
        (self.line, self.offset) = (line, offset);
        let from = if piece.len() <= shown {
            0
        } else {
            at.saturating_sub(shown / 4)
        };
        let to = piece.len().min(from + shown);
        self.cut_before = from > 0;
        self.cut_behind = to < piece.len();
        self.bytes.clear();
        self.bytes.extend_from_slice(&piece[from..to]);
    }

    /// Makes it fit to be shown: no control characters, none that turn the direction of text or are not seen.
    fn spot(self, shown: usize) -> Spot {
        let mut bytes = self.bytes.as_slice();
        if self.cut_before {
            // Not the rest of a character.
            let rest = bytes.iter().take(3).take_while(|b| **b & 0xc0 == 0x80);
            bytes = &bytes[rest.count()..];
        }
        let mut text = String::with_capacity(bytes.len() + 8);
        if self.cut_before {
            text.push('…');
        }
        for c in String::from_utf8_lossy(bytes).trim_end().chars() {
            text.push(match c {
                '\t' => ' ',
                '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}' => '\u{fffd}',
                c if c.is_control() => '\u{fffd}',
                c => c,
            });
            if text.len() > 3 * shown {
                break;
            }
        }
        if self.cut_behind {
            text.push('…');
        }
        Spot {
            line: self.line,
            offset: self.offset,
            text,
        }
    }
}

/// Looks up a log that is read to its end.
///
/// # Errors
/// It cannot be read.
pub fn read(matcher: &Matcher, source: &mut dyn Read, limits: Limits) -> io::Result<Matches> {
    let mut search = matcher.search(limits);
    let mut buffer = vec![0; REGION];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(search.finish()),
            Ok(n) => search.feed(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
