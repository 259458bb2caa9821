//! Makes foreign text harmless before people see it: in a terminal, in Markdown, in HTML.
//!
//! Whatever a child prints may end up in a report. Control characters, direction marks and characters without any ink are shown as
//! what they are (`\x1b`, `\u{202e}`), so that no text can move a cursor, turn a line around or look like other text. After that
//! each format has its own door; nothing of a child's reaches a report by another way.
//!
//! Invariant: [`visible`] returns one line.

use std::fmt::Write as _;

/// Characters of one piece of text that a report shows; the rest is counted.
pub const LIMIT: usize = 600;

/// Returns whether `c` would act on a display instead of appearing on it, or would not appear at all.
///
/// Controls (C0, DEL, C1), line and paragraph separators, direction marks (Unicode TR 9), zero-width and filler characters, tags, and private
/// use beyond the first plane, which no font shows.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{10ffff}')
}

/// Returns whether `c` is written from right to left, so that it could take its neighbours along.
const fn leftward(c: char) -> bool {
    matches!(c,
        '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

/// Returns `text` as one line in which everything can be seen.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        push_visible(&mut out, c);
    }
    out
}

fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !hidden(c) => out.push(c),
        c if (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
}

/// Returns [`visible`] text of at most `limit` characters; says how many are not shown.
pub fn shortened(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_mul(4)) + 32);
    for (taken, c) in text.chars().enumerate() {
        if taken == limit {
            let rest = text.chars().count() - taken;
            let _ = write!(out, "… ({rest} more characters)");
            break;
        }
        push_visible(&mut out, c);
    }
    out
}

/// Returns text for HTML, in element content and in quoted attributes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            c => push_visible(&mut out, c),
        }
    }
    out
}

/// Returns foreign text for HTML: shortened, escaped, and set apart so that its direction of writing stays its own.
pub fn html_foreign(text: &str) -> String {
    format!("<bdi>{}</bdi>", html(&shortened(text, LIMIT)))
}

/// Returns foreign text for Markdown as a code span: nothing in it is markup, a link, a mention or HTML.
///
/// The fence is longer than any run of backticks inside (CommonMark 0.31, section 6.1). In a table `|` must be escaped even there
/// (GFM 4.10); outside it must not, so `in_table` says which.
pub fn code(text: &str, in_table: bool) -> String {
    let mut shown = shortened(text, LIMIT);
    if shown.trim().is_empty() {
        return if shown.is_empty() {
            "(empty)".to_owned()
        } else {
            "(blank)".to_owned()
        };
    }
    if shown.chars().any(leftward) {
        // First strong isolate … pop directional isolate: ours, and balanced, as `visible` has taken those of the text away.
        shown = format!("\u{2068}{shown}\u{2069}");
    }
    if in_table {
        // A backslash before a pipe would swallow ours, so it is told as its number.
        shown = shown.replace("\\|", "\\x5c|").replace('|', "\\|");
        if shown.ends_with('\\') {
            shown.pop();
            shown.push_str("\\x5c");
        }
    }
    let longest = shown
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest + 1);
    let pad = if shown.starts_with(['`', ' ']) || shown.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// Returns an operator's prose for Markdown: readable as text, every character that could be markup escaped.
pub fn prose(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let shown = shortened(text, 2_000);
    let turned = shown.chars().any(leftward);
    if turned {
        out.push('\u{2068}');
    }
    let shown = shown.trim();
    let mut before = None;
    let mut rest = shown.chars().peekable();
    while let Some(c) = rest.next() {
        let first = before.is_none();
        let next = rest.peek().copied();
        let markup = match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '&' | '@' | '$' => {
                true
            }
            '!' => next == Some('['),
            // Links that need no brackets (GFM 6.9).
            ':' => next.is_some_and(|next| !next.is_whitespace()),
            '.' if matches!(before, Some('w' | 'W')) => true,
            // What makes a block of a line: lists, rules, headings that are underlined.
            '-' | '+' | '=' => first,
            '.' | ')' => out
                .trim_start_matches('\u{2068}')
                .bytes()
                .all(|byte| byte.is_ascii_digit()),
            _ => false,
        };
        if markup {
            out.push('\\');
        }
        out.push(c);
        before = Some(c);
    }
    if turned {
        out.push('\u{2069}');
    }
    if out.is_empty() {
        out.push_str("(empty)");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_stays_hidden() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n\tc"), "a\\x1b[2Jb\\r\\n\\tc");
        assert_eq!(visible("x\u{202e}gpj.exe"), "x\\u{202e}gpj.exe");
        assert_eq!(visible("\u{9b}31m\u{7f}\0"), "\\x9b31m\\x7f\\x00");
        assert_eq!(
            visible("a\u{200b}b\u{2028}c\u{e0041}"),
            "a\\u{200b}b\\u{2028}c\\u{e0041}"
        );
        assert_eq!(visible("grün 漢字 ✓ 🚀"), "grün 漢字 ✓ 🚀");
    }

    #[test]
    fn every_visible_text_is_one_line_without_controls() {
        for code in 0..=0x10_ffff_u32 {
            let Some(c) = char::from_u32(code) else {
                continue;
            };
            let shown = visible(&c.to_string());
            assert!(!shown.chars().any(char::is_control), "{code:x}");
            assert!(shown.lines().count() <= 1, "{code:x}");
        }
    }

    #[test]
    fn html_has_no_markup_left() {
        let text = html("<script>alert(\"1\")</script>'`&amp;\u{202e}");
        assert!(!text.contains(['<', '>', '"', '\'', '`']), "{text}");
        assert!(
            text.contains("&amp;amp;") && text.contains("\\u{202e}"),
            "{text}"
        );
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("a`b``c", false), "```a`b``c```");
        assert_eq!(code("`", false), "`` ` ``");
        assert_eq!(code("# x\n\n# y", false), "`# x\\n\\n# y`");
        assert_eq!(code("a|b", true), "`a\\|b`");
        assert_eq!(code("a|b", false), "`a|b`");
        assert_eq!(code("a\\|b", true), "`a\\x5c\\|b`");
        assert_eq!(code("", false), "(empty)");
        assert_eq!(code("  ", false), "(blank)");
        assert_eq!(code("שלום", false), "`\u{2068}שלום\u{2069}`");
    }

    #[test]
    fn prose_is_only_prose() {
        assert_eq!(prose("# not a heading"), "\\# not a heading");
        assert_eq!(prose("- not a list"), "\\- not a list");
        assert_eq!(prose("1. not a list"), "1\\. not a list");
        assert_eq!(prose("see [x](http://y)"), "see \\[x\\](http\\://y)");
        assert_eq!(prose("<b>&lt;"), "\\<b\\>\\&lt;");
        assert_eq!(prose("well-known v2 www.x.y"), "well-known v2 www\\.x.y");
        assert_eq!(prose("1.4 GB: 87.9 %"), "1\\.4 GB: 87.9 %");
        assert_eq!(prose("two\nlines"), "two\\\\nlines");
        assert_eq!(prose(""), "(empty)");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let text = "x".repeat(LIMIT + 7);
        assert!(shortened(&text, LIMIT).ends_with("… (7 more characters)"));
        assert_eq!(shortened("abc", 3), "abc");
    }
}
