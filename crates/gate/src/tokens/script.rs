//! What is of JavaScript alone: patterns between slashes, and the text of pages (JSX), in which marks are no marks.
//!
//! Neither can be told without a parser. A text or a pattern is what surely is one; of a doubtful pattern the words count as code.

use super::text::line_end;
use super::{Kind, Language, Token, is_word};

/// Words behind which an operand stands.
const OPERATORS: [&str; 16] = [
    "return",
    "typeof",
    "case",
    "in",
    "of",
    "delete",
    "void",
    "throw",
    "new",
    "else",
    "do",
    "instanceof",
    "yield",
    "await",
    "default",
    "extends",
];

/// More words behind which a text stands.
const BEFORE_TEXTS: [&str; 6] = ["from", "import", "as", "satisfies", "export", "keyof"];

/// What a quotation mark is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Quote {
    /// It opens a text.
    Opens,
    /// It opens nothing, or is none.
    None,
    /// It opens nothing, and what closes it, so many bytes behind it, opens nothing either.
    Spoken(usize),
}

/// Whether a quotation mark opens a text, or stands in the text of a page.
pub(super) fn quote(before: &str, rest: &str, last: Option<&Token<'_>>) -> Quote {
    let is_said = last.is_some_and(|t| {
        t.kind == Kind::Word && !OPERATORS.contains(&t.text) && !BEFORE_TEXTS.contains(&t.text)
    });
    let is_joined = is_said && before.ends_with(is_word);
    match rest.chars().next() {
        // `don't`: nothing but an operator stands right before a text.
        Some('\'' | '"') if is_joined => Quote::None,
        Some('\'' | '"') => Quote::Opens,
        Some('`') if !rest[1..].contains('`') => Quote::None,
        // Behind a tag's end, and not behind an arrow.
        Some('`') if before.ends_with('>') && !before.ends_with("=>") => Quote::None,
        // A word and a blank before it: nobody writes what makes a text of a template so.
        Some('`') if is_said && !is_joined => {
            let line = &rest[1..line_end(rest, Language::JavaScript)];
            line.find('`')
                .map_or(Quote::None, |at| Quote::Spoken(at + 1))
        }
        Some('`') => Quote::Opens,
        _ => Quote::None,
    }
}

/// Length of a pattern that begins here with its slash. What may as well be a division is none: what stands in it is code.
pub(super) fn pattern(rest: &str, found: &[Token<'_>]) -> Option<usize> {
    let text = |back: usize| found.len().checked_sub(back).map_or("", |n| found[n].text);
    let is_operand = match found.last().map(|t| t.kind) {
        None => false,
        Some(Kind::Text) => true,
        Some(Kind::Word) => !OPERATORS.contains(&text(1)),
        // `</` ends an element; two slashes are no pattern.
        Some(Kind::Mark) => {
            matches!(text(1), ")" | "]" | "}" | "<" | "/")
                || (matches!(text(1), "+" | "-") && text(1) == text(2))
        }
    };
    if is_operand || rest.starts_with("//") {
        return None;
    }
    let line = &rest[..line_end(rest, Language::JavaScript)];
    let (mut is_escaped, mut is_class) = (false, false);
    for (at, c) in line.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '[' => is_class = true,
            ']' => is_class = false,
            '/' if !is_class => {
                let flags = line[at + 1..].bytes().take_while(u8::is_ascii_alphabetic);
                return Some(at + 1 + flags.count());
            }
            _ => {}
        }
    }
    None
}

/// Length of a comment that begins here with `/*`. One without an end is none, nor is a star in a path in the text of a page.
pub(super) fn comment(before: &str, rest: &str) -> Option<usize> {
    let is_path = before.ends_with(is_word);
    let reach = match is_path {
        true => line_end(rest, Language::JavaScript),
        false => rest.len(),
    };
    rest[2..reach].find("*/").map(|end| end + 4)
}

/// Whether two slashes here are part of an address in the text of a page: `http://`.
pub(super) fn is_address(before: &str) -> bool {
    ["http:", "https:", "ftp:", "file:", "ws:", "wss:"]
        .iter()
        .any(|scheme| before.ends_with(scheme))
}
