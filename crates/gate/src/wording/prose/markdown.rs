//! What of Markdown is not read as it is written: code, comments, tags, links' targets, character references.

/// Longest code span and longest tag, in bytes.
const SPAN: usize = 8 << 10;

/// Longest target of a link, in characters.
const TARGET: usize = 512;

/// How something is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Each character as a blank.
    Blank,
    /// Not at all.
    Gone,
    /// As this character.
    Char(char),
}

/// A stretch that is shown otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) shown: As,
}

/// Tags that stand within words. All others part them.
const INLINE: [&str; 27] = [
    "a", "abbr", "b", "bdi", "bdo", "cite", "code", "del", "dfn", "em", "font", "i", "ins", "kbd",
    "mark", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "tt", "u", "var", "wbr",
];

/// References by name that can stand in a claim.
const NAMED: [(&str, char); 18] = [
    ("amp", '&'),
    ("apos", '\''),
    ("dash", '-'),
    ("emsp", ' '),
    ("ensp", ' '),
    ("gt", '>'),
    ("hyphen", '-'),
    ("lt", '<'),
    ("mdash", '\u{2014}'),
    ("nbsp", ' '),
    ("ndash", '\u{2013}'),
    ("percnt", '%'),
    ("quot", '"'),
    ("shy", '\u{ad}'),
    ("thinsp", ' '),
    ("times", '\u{d7}'),
    ("zwj", '\u{200d}'),
    ("zwnj", '\u{200c}'),
];

/// Stretches that are not read as they are written, in order and apart; and whether words stand in code. These are blanked, or shown.
pub(super) fn edits(source: &str, shows_code: bool) -> (Vec<Edit>, bool) {
    let mut reading = Reading {
        edits: Vec::new(),
        shows_code,
        has_words: false,
    };
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
                reading.spans(source, prose, at);
                fence = mark.map(|m| (m, length, at));
            }
            Some((m, least, from))
                if mark == Some(m) && length >= least && inner[length..].trim().is_empty() =>
            {
                reading.edit(from, at + line.len(), As::Blank);
                fence = None;
                prose = at + line.len();
            }
            _ => {}
        }
        at += line.len();
    }
    match fence {
        Some((_, _, from)) => reading.edit(from, source.len(), As::Blank),
        None => reading.spans(source, prose, source.len()),
    }
    (reading.edits, reading.has_words)
}

struct Reading {
    edits: Vec<Edit>,
    shows_code: bool,
    has_words: bool,
}

impl Reading {
    fn edit(&mut self, from: usize, to: usize, shown: As) {
        self.edits.push(Edit { from, to, shown });
    }

    /// Code spans, comments, tags, links and references of a stretch of prose.
    fn spans(&mut self, source: &str, from: usize, to: usize) {
        let text = &source[from..to];
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(next) = bytes[at..]
            .iter()
            .position(|b| matches!(b, b'`' | b'<' | b'&' | b'[' | b']' | b'\\'))
        {
            at += next;
            let rest = &text[at..];
            let length = match bytes[at] {
                b'\\' => 1 + bytes.get(at + 1).map_or(0, |b| usize::from(b.is_ascii())),
                b'[' => self.gone(from + at, 1),
                b']' => self.gone(from + at, target(rest).unwrap_or(1)),
                b'&' => match reference(rest) {
                    Some((length, shown)) => {
                        self.edit(from + at, from + at + length, As::Char(shown));
                        length
                    }
                    None => 1,
                },
                b'<' => self.tag(rest, from + at),
                _ => self.code(rest, from + at),
            };
            at += length;
        }
    }

    fn gone(&mut self, at: usize, length: usize) -> usize {
        self.edit(at, at + length, As::Gone);
        length
    }

    /// A comment or a tag, if it is one; how many bytes it has.
    fn tag(&mut self, rest: &str, at: usize) -> usize {
        if let Some(inner) = rest.strip_prefix("<!--") {
            let length = inner.find("-->").map_or(rest.len(), |end| 4 + end + 3);
            self.edit(at, at + length, As::Blank);
            return length;
        }
        let Some((length, name)) = tag(rest) else {
            return 1;
        };
        let is_inline = INLINE.iter().any(|known| name.eq_ignore_ascii_case(known));
        let shown = if is_inline { As::Gone } else { As::Char(' ') };
        self.edit(at, at + length, shown);
        length
    }

    /// A code span, if it is one; how many bytes it has.
    fn code(&mut self, rest: &str, at: usize) -> usize {
        let bytes = rest.as_bytes();
        let marks = bytes.iter().take_while(|b| **b == b'`').count();
        // A span ends within its paragraph, at a run of the same length; none is longer than some kilobytes.
        let window = &bytes[..bytes.len().min(SPAN)];
        let end = memchr::memmem::find(window, b"\n\n").unwrap_or(window.len());
        let mut close = marks;
        while let Some(next) = memchr::memchr(b'`', &bytes[close..end.max(close)]) {
            close += next;
            let run = bytes[close..].iter().take_while(|b| **b == b'`').count();
            if run == marks {
                let is_words = are_words(&rest[marks..close]);
                self.has_words |= is_words;
                if is_words && self.shows_code {
                    self.gone(at, marks);
                    self.gone(at + close, run);
                } else {
                    self.edit(at, at + close + run, As::Blank);
                }
                return close + run;
            }
            close += run;
        }
        marks
    }
}

/// Whether what stands in code may be words: a reader takes `production-ready` for what it says, and `ready --now` for a command.
fn are_words(code: &str) -> bool {
    let is_sign = |c: char| "=/\\(){}<>$;:\"'|&_@#".contains(c);
    !code.contains(is_sign)
        && !code
            .split_whitespace()
            .any(|word| word.starts_with(['-', '.']))
}

/// `](target)`, from its bracket on: how many bytes it has.
fn target(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("](")?;
    let mut depth = 1_usize;
    for (at, c) in inner.char_indices().take(TARGET) {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            '\n' if inner[at + 1..].starts_with('\n') => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(2 + at + 1);
        }
    }
    None
}

/// A tag, from its `<` on: how many bytes it has, and its name.
fn tag(rest: &str) -> Option<(usize, &str)> {
    let inner = rest.strip_prefix('<')?;
    let inner = inner.strip_prefix('/').unwrap_or(inner);
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let name = &inner[..end?];
    let after = inner[name.len()..].chars().next()?;
    let is_tag = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && (after.is_whitespace() || matches!(after, '/' | '>'));
    if !is_tag {
        return None;
    }
    let mut quote = None;
    for (at, c) in rest.char_indices().take(SPAN) {
        match (c, quote) {
            ('\n', _) if rest[at + 1..].starts_with('\n') => return None,
            ('>', None) => return Some((at + 1, name)),
            ('<', None) if at > 0 => return None,
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// A character reference, from its `&` on: how many bytes it has, and the character.
fn reference(rest: &str) -> Option<(usize, char)> {
    let inner = &rest[1..];
    let end = inner.bytes().take(32).position(|b| b == b';')?;
    let name = &inner[..end];
    let shown = match name.strip_prefix('#') {
        Some(digits) => {
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code)?
        }
        None => NAMED.iter().find(|(known, _)| *known == name)?.1,
    };
    Some((end + 2, shown))
}
