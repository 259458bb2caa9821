//! Text as a reader sees it: code and comments of Markdown blanked, emphasis and invisible characters taken out, and where each byte stood.

/// What is read.
pub(super) struct Prose {
    text: String,
    /// For each byte of `text`, line and column.
    places: Vec<(u32, u32)>,
}

/// Words that deny what follows in their clause.
const DENIALS: [&str; 16] = [
    "not", "no", "never", "without", "nor", "neither", "cannot", "isn't", "aren't", "wasn't",
    "doesn't", "don't", "won't", "can't", "hasn't", "ain't",
];

/// Longest code span, in bytes.
const SPAN: usize = 8 << 10;

/// How many words may stand between.
const BETWEEN: usize = 4;

impl Prose {
    pub(super) fn of(source: &str, is_markdown: bool) -> Self {
        let hidden = if is_markdown {
            hidden(source)
        } else {
            Vec::new()
        };
        let mut prose = Self {
            text: String::with_capacity(source.len()),
            places: Vec::with_capacity(source.len()),
        };
        let mut ranges = hidden.into_iter().peekable();
        let (mut line, mut column) = (1_u32, 1_u32);
        let mut is_start = true;
        for (at, c) in source.char_indices() {
            while ranges.peek().is_some_and(|(_, to)| *to <= at) {
                ranges.next();
            }
            let is_hidden = ranges.peek().is_some_and(|(from, _)| *from <= at);
            let shown = match c {
                '\n' => Some('\n'),
                _ if is_hidden => Some(' '),
                // A quote's mark does not part a phrase.
                '>' if is_markdown && is_start => Some(' '),
                '*' if is_markdown && !is_start => None,
                '_' if is_markdown => None,
                '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => None,
                '\u{2010}' | '\u{2011}' => Some('-'),
                '\u{2019}' => Some('\''),
                c if c.is_whitespace() => Some(' '),
                c => Some(c),
            };
            if let Some(shown) = shown {
                prose.text.push(shown);
                for _ in 0..shown.len_utf8() {
                    prose.places.push((line, column));
                }
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

/// Ranges of Markdown that are no prose: fenced code, code spans, comments.
fn hidden(source: &str) -> Vec<(usize, usize)> {
    let mut ranges = Vec::new();
    let mut fence: Option<(char, usize, usize)> = None;
    let mut at = 0;
    let mut prose = 0;
    for line in source.split_inclusive('\n') {
        let inner = line.trim_start_matches([' ', '>']);
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mark = inner.chars().next().filter(|c| matches!(c, '`' | '~'));
        let length = mark.map_or(0, |m| inner.chars().take_while(|c| *c == m).count());
        match fence {
            None if length >= 3
                && indent < 4
                && !(mark == Some('`') && inner[length..].contains('`')) =>
            {
                spans(source, prose, at, &mut ranges);
                fence = mark.map(|m| (m, length, at));
            }
            Some((m, least, from))
                if mark == Some(m) && length >= least && inner[length..].trim().is_empty() =>
            {
                ranges.push((from, at + line.len()));
                fence = None;
                prose = at + line.len();
            }
            _ => {}
        }
        at += line.len();
    }
    match fence {
        Some((_, _, from)) => ranges.push((from, source.len())),
        None => spans(source, prose, source.len(), &mut ranges),
    }
    ranges
}

/// Code spans and comments of a stretch of prose.
fn spans(source: &str, from: usize, to: usize, ranges: &mut Vec<(usize, usize)>) {
    let text = &source[from..to];
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(next) = memchr::memchr2(b'`', b'<', &bytes[at..]) {
        at += next;
        if bytes[at] == b'<' {
            if let Some(rest) = text[at..].strip_prefix("<!--") {
                let end = rest.find("-->").map_or(text.len(), |end| at + 4 + end + 3);
                ranges.push((from + at, from + end));
                at = end;
            } else {
                at += 1;
            }
            continue;
        }
        let length = bytes[at..].iter().take_while(|b| **b == b'`').count();
        // A span ends within its paragraph, at a run of the same length; none is longer than some kilobytes.
        let window = &bytes[at..bytes.len().min(at + SPAN)];
        let end = at + memchr::memmem::find(window, b"\n\n").unwrap_or(window.len());
        let mut close = at + length;
        let found = loop {
            let Some(next) = memchr::memchr(b'`', &bytes[close..end.max(close)]) else {
                break None;
            };
            close += next;
            let run = bytes[close..].iter().take_while(|b| **b == b'`').count();
            if run == length {
                break Some(close + run);
            }
            close += run;
        };
        match found {
            Some(end) => {
                ranges.push((from + at, from + end));
                at = end;
            }
            None => at += length,
        }
    }
}
