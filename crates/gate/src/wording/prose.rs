//! Text as a reader sees it: code and comments of Markdown blanked, emphasis, tags, links and invisible characters taken out, references and letters
//! that only look otherwise put as they are read, and where each byte stood.

mod markdown;

use unicode_normalization::UnicodeNormalization;

use markdown::{As, edits};

/// What is read.
pub(super) struct Prose {
    text: String,
    /// For each byte of `text`, line and column.
    places: Vec<(u32, u32)>,
    /// Whether words stand in code.
    has_words_in_code: bool,
}

/// Words that deny what follows in their clause.
const DENIALS: [&str; 16] = [
    "not", "no", "never", "without", "nor", "neither", "cannot", "isn't", "aren't", "wasn't",
    "doesn't", "don't", "won't", "can't", "hasn't", "ain't",
];

/// How many words may stand between.
const BETWEEN: usize = 4;

impl Prose {
    /// Reads a text. What stands in code and may be words is blanked, or shown if `shows_code`.
    pub(super) fn of(source: &str, is_markdown: bool, shows_code: bool) -> Self {
        let (edits, has_words_in_code) = match is_markdown {
            true => edits(source, shows_code),
            false => (Vec::new(), false),
        };
        let mut prose = Self {
            text: String::with_capacity(source.len()),
            places: Vec::with_capacity(source.len()),
            has_words_in_code,
        };
        let mut edits = edits.into_iter().peekable();
        let (mut line, mut column) = (1_u32, 1_u32);
        let mut is_start = true;
        let mut chars = source.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            while edits.peek().is_some_and(|e| e.to <= at) {
                edits.next();
            }
            let edit = edits.peek().filter(|e| e.from <= at);
            let next = chars.peek().map(|(_, next)| *next);
            let place = (line, column);
            match (c, edit.map(|e| (e.shown, e.from))) {
                ('\n', _) => prose.push('\n', place),
                (_, Some((As::Blank, _))) => prose.push(' ', place),
                (_, Some((As::Gone, _))) => {}
                (_, Some((As::Char(shown), from))) if from == at => prose.show(shown, next, place),
                (_, Some((As::Char(_), _))) => {}
                // A quote's mark does not part a phrase.
                ('>', None) if is_markdown && is_start => prose.push(' ', place),
                ('*', None) if is_markdown && !is_start => {}
                ('_', None) if is_markdown => {}
                ('\\', None) if is_markdown && next.is_some_and(|n| n.is_ascii_punctuation()) => {}
                (c, None) => prose.show(c, next, place),
            }
            if c == '\n' {
                line = line.saturating_add(1);
                column = 1;
                is_start = true;
            } else {
                column = column.saturating_add(1);
                is_start = is_start && (c == ' ' || c == '>');
            }
        }
        prose
    }

    /// Whether words stand in code, so that it is to be read with them shown as well.
    pub(super) const fn has_words_in_code(&self) -> bool {
        self.has_words_in_code
    }

    fn push(&mut self, shown: char, place: (u32, u32)) {
        self.text.push(shown);
        for _ in 0..shown.len_utf8() {
            self.places.push(place);
        }
    }

    /// As a reader takes it. `next` is what follows.
    fn show(&mut self, c: char, next: Option<char>, place: (u32, u32)) {
        match c {
            c if c.is_ascii() && !c.is_whitespace() => self.push(c, place),
            '\u{200b}'..='\u{200f}'
            | '\u{2060}'..='\u{2064}'
            | '\u{feff}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{180e}' => {}
            '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e01ef}' => {}
            '\u{2010}' | '\u{2011}' => self.push('-', place),
            // Between letters it is a hyphen, beside a blank it parts clauses.
            '\u{2012}' | '\u{2013}' | '\u{2014}' | '\u{2212}'
                if self.text.ends_with(char::is_alphanumeric)
                    && next.is_some_and(char::is_alphanumeric) =>
            {
                self.push('-', place);
            }
            '\u{2019}' => self.push('\'', place),
            c if c.is_whitespace() => self.push(' ', place),
            c => {
                for plain in std::iter::once(c).nfkc() {
                    self.push(alike(plain), place);
                }
            }
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte.
    pub(super) fn place(&self, at: usize) -> (u64, u64) {
        let (line, column) = self.places.get(at).copied().unwrap_or((0, 0));
        (u64::from(line), u64::from(column))
    }

    /// Whether what begins at a byte is denied by a word shortly before it, in the same clause.
    pub(super) fn is_denied(&self, at: usize) -> bool {
        let from = self.text[..at]
            .char_indices()
            .rev()
            .nth(400)
            .map_or(0, |(from, _)| from);
        let before = &self.text[from..at];
        let from = before.rfind("\n\n").map_or(0, |n| n + 2);
        let clause = before[from..]
            .rsplit(['.', '!', '?', ';', ':', ',', '|', '(', ')', '—', '–', '#'])
            .next()
            .unwrap_or_default();
        let clause = clause.rsplit("\n-").next().unwrap_or_default();
        let clause = clause.rsplit("\n*").next().unwrap_or_default();
        let words: Vec<String> = clause
            .split_whitespace()
            .map(|w| {
                w.trim_matches(|c: char| !c.is_alphanumeric())
                    .to_lowercase()
            })
            .filter(|w| !w.is_empty())
            .collect();
        let mut near = words.iter().rev().take(BETWEEN + 1).enumerate();
        near.any(|(n, word)| {
            // "Not only fast but certified" claims it, and so does "not just certified".
            let next = n.checked_sub(1).and_then(|n| words.iter().rev().nth(n));
            let is_more =
                next.is_some_and(|w| matches!(w.as_str(), "only" | "just" | "merely" | "simply"));
            let is_turned = words.iter().rev().take(n).any(|w| {
                matches!(
                    w.as_str(),
                    "but" | "and" | "yet" | "because" | "so" | "is" | "doubt" | "exaggeration"
                ) && !(w == "yet" && n <= 2)
            });
            DENIALS.contains(&word.as_str()) && !is_more && !is_turned
        })
    }
}

/// The Latin letter that a letter of another script looks like (Unicode Technical Standard 39, section 4); itself if there is none.
fn alike(c: char) -> char {
    if c.is_ascii() || !c.is_alphabetic() {
        return c;
    }
    let mut found = unicode_security::skeleton(c.encode_utf8(&mut [0; 4])).collect::<Vec<_>>();
    match (found.pop(), found.is_empty()) {
        (Some(one), true) if one.is_ascii_alphabetic() => one,
        _ => c,
    }
}
