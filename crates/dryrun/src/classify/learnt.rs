//! A prefix that no list knows, learnt from the line in which a trace begins: everything before the start word. Lines that go on
//! have the same prefix but for times and counters; lines that have one of the same form belong to another source.
//!
//! Invariants: pure functions of the text; a prefix is bounded ([`LIMIT`]), so is what is kept of it.

use serde::{Deserialize, Serialize};

/// Longest prefix that is learnt, bytes.
pub(crate) const LIMIT: usize = 200;

/// Stands for a run of digits that may differ, with the spaces that pad it.
const WILD: char = '\u{1}';

/// A prefix of lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learnt {
    /// Times are wild; all else is the source's own.
    own: String,
    /// All digits are wild.
    loose: String,
    /// Words are one letter: what prefixes of one stream have in common.
    form: String,
    /// Where it may end in lines that have less of it: a source's name before each line, a logger's time before the first.
    heads: Vec<Learnt>,
    /// Which of them is a tag with nothing but words behind it: a sentence, no prefix.
    tag: Option<u8>,
    /// As it was printed.
    printed: String,
}

/// Most shorter prefixes that are kept.
const HEADS: usize = 12;

/// How a line fits a prefix; the text is what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit<'a> {
    /// It is of that source.
    Own(&'a str),
    /// Its numbers count on: it is, or it is of a neighbour that they name.
    Counted(&'a str),
    /// It has the beginning of the prefix, the one of that number.
    Head(usize, &'a str),
    /// It has a prefix of that form: another source's.
    Other,
    /// It has no such prefix.
    Bare,
}

impl Learnt {
    /// Learns a prefix; an empty or a very long one teaches nothing.
    pub(crate) fn new(prefix: &str) -> Self {
        if prefix.is_empty() || prefix.len() > LIMIT {
            return Self::default();
        }
        let mut learnt = Self::of(prefix);
        learnt.heads_of(prefix);
        learnt
    }

    /// Learns from a sentence that has no end known: lines after it may have its beginning.
    pub(crate) fn of_sentence(line: &str) -> Self {
        let mut end = line.len().min(LIMIT);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let mut learnt = Self::of("\0");
        learnt.form.clear();
        learnt.heads_of(&line[..end]);
        learnt
    }

    fn heads_of(&mut self, prefix: &str) {
        let ends: Vec<usize> = prefix
            .char_indices()
            .filter(|(at, c)| *at > 0 && *c == ' ')
            .map(|(at, _)| at + 1)
            .filter(|at| !prefix[*at..].starts_with(' ') && *at < prefix.len())
            .take(HEADS)
            .collect();
        for end in ends.iter().rev() {
            let (head, tail) = prefix.split_at(*end);
            let head = Self::of(head);
            let named = head.own.chars().filter(|c| c.is_alphabetic()).count() > 1;
            let prose = tail.chars().all(|c| c.is_alphabetic() || c == ' ');
            if self.tag.is_none() && head.is_tag() && named && prose {
                self.tag = u8::try_from(self.heads.len()).ok();
            }
            self.heads.push(head);
        }
    }

    fn of(prefix: &str) -> Self {
        Self {
            own: masked(prefix, false),
            loose: masked(prefix, true),
            form: form(prefix),
            heads: Vec::new(),
            tag: None,
            printed: prefix.to_owned(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// Says how `line` fits.
    pub(crate) fn fit<'a>(&self, line: &'a str) -> Fit<'a> {
        if self.is_empty() {
            return Fit::Bare;
        }
        if let Some(rest) = strip(&self.own, line) {
            return Fit::Own(rest);
        }
        if let Some(rest) = strip(&self.loose, line) {
            let next = counts_on(&self.printed, &line[..line.len() - rest.len()]);
            return if next { Fit::Counted(rest) } else { Fit::Other };
        }
        if let Some(tag) = self.tag
            && let Some(head) = self.heads.get(usize::from(tag))
            && let Some(rest) = strip(&head.own, line)
        {
            return Fit::Head(usize::from(tag), rest);
        }
        // Indentation alone is no form.
        let other =
            |form: &str| form.contains(|c: char| !c.is_whitespace()) && has_form(form, line);
        if other(&self.form) {
            return Fit::Other;
        }
        let heads = self.heads.iter().enumerate();
        if let Some(fit) = heads
            .filter_map(|(number, head)| Some(Fit::Head(number, strip(&head.own, line)?)))
            .next()
        {
            return fit;
        }
        let tag = self.heads.last().filter(|head| head.is_tag());
        if tag.is_some_and(|tag| other(&tag.form)) {
            return Fit::Other;
        }
        Fit::Bare
    }

    /// Its numbers differ from line to line.
    pub(crate) fn counts(&mut self) {
        self.own = self.loose.clone();
    }

    /// Lines have only that much of it.
    pub(crate) fn shorten(&mut self, head: usize) {
        if head < self.heads.len() {
            *self = self.heads.swap_remove(head);
        }
    }

    /// Whether numbers name it, as they do pods, processes and threads.
    pub(crate) fn is_numbered(&self) -> bool {
        self.printed.bytes().any(|byte| byte.is_ascii_digit())
    }

    /// Whether it ends as a tag does, not as a sentence goes on.
    pub(crate) fn is_tag(&self) -> bool {
        self.own
            .trim_end()
            .ends_with([':', ']', ')', '>', '|', '│', '}', ';'])
    }
}

/// Returns `prefix` with digits that differ from line to line made wild: all of them, or those of times.
fn masked(prefix: &str, all: bool) -> String {
    let bytes = prefix.as_bytes();
    let mut masked = String::with_capacity(prefix.len());
    let mut at = 0;
    // Whether the run before was of a time.
    let mut timed = false;
    while let Some(c) = prefix.get(at..).and_then(|rest| rest.chars().next()) {
        if !c.is_ascii_digit() {
            masked.push(c);
            at += c.len_utf8();
            continue;
        }
        let end = at
            + bytes[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
        timed = time(bytes, at, end, timed);
        if all || timed {
            // Padding is part of the number.
            let bare = masked.trim_end_matches(' ').len();
            if bare + 1 < masked.len() || masked.ends_with("[ ") || masked.ends_with("( ") {
                let brackets = masked[..bare].ends_with(['[', '(', '<']);
                masked.truncate(bare + usize::from(!brackets));
            }
            masked.push(WILD);
        } else {
            masked.push_str(&prefix[at..end]);
        }
        at = end;
    }
    masked
}

/// Whether the digits from `at` to `end` are of a time, or of a count of seconds.
fn time(bytes: &[u8], at: usize, end: usize, timed: bool) -> bool {
    let byte = |place: Option<usize>| place.and_then(|place| bytes.get(place)).copied();
    let digit = |place| byte(place).is_some_and(|byte| byte.is_ascii_digit());
    let (before, after) = (byte(at.checked_sub(1)), byte(Some(end)));
    let length = end - at;
    // Since 1970, in any unit.
    if length >= 9 {
        return true;
    }
    // 12:00:00, +00:00
    if length <= 2
        && (after == Some(b':') && digit(Some(end + 1)) && digit(Some(end + 2))
            || before == Some(b':') && digit(at.checked_sub(2)))
    {
        return true;
    }
    // 2026-11-21, 2026/11/21
    if length == 4
        && matches!(after, Some(b'-' | b'/'))
        && digit(Some(end + 1))
        && byte(Some(end + 3)) == after
    {
        return true;
    }
    // Fractions, and what follows a year; `21T12`.
    if timed && matches!(before, Some(b'.' | b',' | b'-' | b'/' | b'T')) {
        return true;
    }
    // Seconds since the machine began: `[  123.456789]`.
    let decimals = bytes
        .get(end + 1..)
        .unwrap_or(&[])
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    after == Some(b'.') && decimals >= 3
}

/// Whether the numbers of the second are those of the first, and one at least is the next.
fn counts_on(first: &str, second: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit())
            .filter_map(|digits| digits.parse().ok())
            .collect()
    };
    let (first, second) = (numbers(first), numbers(second));
    first.len() == second.len()
        && first
            .iter()
            .zip(&second)
            .any(|(first, second)| first.checked_add(1) == Some(*second))
}

/// Takes a masked prefix off `line`. Of a blank line the spaces at its end may be missing.
fn strip<'a>(masked: &str, line: &'a str) -> Option<&'a str> {
    let mut rest = line;
    let mut pattern = masked.chars().peekable();
    let mut last = ' ';
    while let Some(c) = pattern.next() {
        if c == WILD {
            if matches!(last, '[' | '(' | '<' | ' ') {
                rest = rest.trim_start_matches(' ');
            }
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            rest = &rest[end..];
        } else if rest.is_empty() && c.is_whitespace() && pattern.all(char::is_whitespace) {
            return (last != ' ').then_some("");
        } else {
            rest = rest.strip_prefix(c)?;
        }
        last = c;
    }
    Some(rest)
}

fn word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | '@' | '#')
}

/// Returns a prefix with each word made one letter and each space one.
fn form(prefix: &str) -> String {
    let mut form = String::with_capacity(prefix.len());
    for c in prefix.chars() {
        let c = if word(c) {
            'a'
        } else if c.is_whitespace() {
            ' '
        } else {
            c
        };
        if !(matches!(c, 'a' | ' ') && form.ends_with(c)) {
            form.push(c);
        }
    }
    form
}

/// Whether `line` begins with a prefix of that form.
fn has_form(form: &str, line: &str) -> bool {
    let mut rest = line;
    let mut digits = false;
    let mut marks = false;
    for c in form.chars() {
        let end = match c {
            'a' => rest.find(|c: char| !word(c)).unwrap_or(rest.len()),
            ' ' => rest
                .find(|c: char| !c.is_whitespace())
                .unwrap_or(rest.len()),
            c => {
                marks = true;
                match rest.strip_prefix(c) {
                    Some(_) => c.len_utf8(),
                    None => return false,
                }
            }
        };
        if end == 0 {
            return false;
        }
        digits |= c == 'a' && rest[..end].bytes().any(|byte| byte.is_ascii_digit());
        rest = &rest[end..];
    }
    // Bare words are prose, unless they have numbers.
    marks || digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_told_from_its_neighbour() {
        for (prefix, own, other) in [
            ("web: ", "web:   File", Some("db: ready")),
            ("[worker-1] ", "[worker-1]   File", None),
            ("123 ", "123   File", None),
            (
                "2026-01-01T00:00:00.0000000Z ",
                "2026-01-01T00:00:01.1234567Z   File",
                None,
            ),
            (
                "2026-01-01 00:00:00,123 [t-1] ",
                "2026-01-01 00:01:09,4 [t-1]   File",
                None,
            ),
            (
                "E/AndroidRuntime( 1234): ",
                "E/AndroidRuntime( 1234):   File",
                Some("D/dalvik( 12): x"),
            ),
            (
                "11-21 10:00:00.000  1234  1234 E AndroidRuntime: ",
                "11-21 10:00:59.999  1234  1234 E AndroidRuntime:   File",
                Some("11-21 10:00:59.999  14  14 I ActivityManager: x"),
            ),
            ("[    9.123456] ", "[  123.000001]   File", None),
            ("web │ ", "web │   File", Some("db │ x")),
            (
                "app stderr | ",
                "app stderr |   File",
                Some("db stdout | x"),
            ),
            (
                "2026-01-01T00:00:00.000000+00:00 app[web.1]: ",
                "2026-01-01T00:00:00.900000+00:00 app[web.1]:   File",
                Some("2026-01-01T00:00:00.900000+00:00 app[web.x]: x"),
            ),
        ] {
            let learnt = Learnt::new(prefix);
            assert_eq!(learnt.fit(own), Fit::Own("  File"), "{own}");
            assert_eq!(learnt.fit("  File"), Fit::Bare, "{prefix}");
            if let Some(other) = other {
                assert_eq!(learnt.fit(other), Fit::Other, "{other}");
            }
        }
        assert_eq!(
            Learnt::new("[worker-1] ").fit("[worker-2]   File"),
            Fit::Counted("  File")
        );
        assert_eq!(
            Learnt::new("[worker-1] ").fit("[worker-3]   File"),
            Fit::Other
        );
        let sentence = Learnt::of_sentence("web: no funds at x.pl line 3.");
        assert!(matches!(
            sentence.fit("web: \tmain::f() called"),
            Fit::Head(_, "\tmain::f() called")
        ));
        assert_eq!(sentence.fit("\tmain::f() called"), Fit::Bare);
        assert_eq!(Learnt::new("web: ").fit("web:"), Fit::Own(""));
        let long = Learnt::new("web: 2026/11/21 10:00:00 ");
        assert!(matches!(
            long.fit("web: goroutine"),
            Fit::Head(_, "goroutine")
        ));
        assert_eq!(long.fit("db: ready"), Fit::Other);
        assert_eq!(Learnt::new("recovered from ").fit("a b c d"), Fit::Bare);
        assert!(Learnt::new(&"x".repeat(LIMIT + 1)).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn a_prefix_fits_itself(prefix in "[a-zé│ \\[\\]():.0-9-]{1,40}", rest in ".{0,10}") {
            let line = format!("{prefix}|{rest}");
            let learnt = Learnt::new(&format!("{prefix}|"));
            proptest::prop_assert_eq!(learnt.fit(&line), Fit::Own(rest.as_str()));
        }

        #[test]
        fn nothing_panics(prefix in ".{0,40}", line in ".{0,60}") {
            let _ = Learnt::new(&prefix).fit(&line);
        }
    }
}
