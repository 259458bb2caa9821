//! Foreign text made harmless before people see it, and numbers as people read them.
//!
//! Names, messages and logs come from whoever wrote the tests. Control characters, direction marks and characters without ink are shown
//! as what they are (`\x1b`, `\u{202e}`), so that no text moves a cursor, turns a line around or looks like another. Invariant:
//! [`visible`] gives one line; [`lines`] gives lines of which each is one.

use std::fmt::Write as _;

/// Whether `c` acts on a display or does not appear on it: controls, separators of lines, direction marks (Unicode TR 9), zero-width
/// and filler characters, variation selectors, tags, and everything beyond what fonts show.
const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{10ffff}')
}

/// Whether all of a text is what it looks like. Only such a text may be copied from a page.
pub(super) fn is_plain(text: &str) -> bool {
    !text.chars().any(is_hidden)
}

fn push(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !is_hidden(c) => out.push(c),
        c if (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
}

/// One line in which everything can be seen, of at most `limit` characters of the text.
pub fn visible(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit) + 8);
    let mut chars = text.chars();
    for c in chars.by_ref().take(limit) {
        push(&mut out, c);
    }
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

/// The first lines of a text that have something in them, each as [`visible`]; whether there was more.
pub(super) fn lines(text: &str, most: usize, limit: usize) -> (Vec<String>, bool) {
    let mut found = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.trim().is_empty());
    let taken = found
        .by_ref()
        .take(most)
        .map(|line| visible(&line.replace('\t', "    "), limit))
        .collect();
    (taken, found.next().is_some())
}

/// A block of a log: its lines as [`visible`], at most `limit` bytes; what is beyond is told.
pub(super) fn block(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit) + 64);
    let mut rest = text.trim_end().split('\n');
    for line in rest.by_ref() {
        let before = out.len();
        for c in line.trim_end_matches('\r').chars() {
            if c == '\t' {
                out.push_str("    ");
            } else {
                push(&mut out, c);
            }
        }
        out.push('\n');
        if out.len() > limit {
            let mut end = limit.max(before);
            while !out.is_char_boundary(end) {
                end -= 1;
            }
            out.truncate(end);
            out.push_str("…\n");
            break;
        }
    }
    out
}

/// Text for HTML, in elements and in quoted attributes.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            '\n' => out.push('\n'),
            c => push(&mut out, c),
        }
    }
    out
}

/// One line for Markdown as a code span: nothing in it is markup, a link, a mention or HTML.
///
/// The fence is longer than any run of backticks inside (CommonMark 0.31, 6.1). In a table `|` is escaped even there (GFM 4.10), and a
/// backslash before it is told as its number, because it would swallow ours.
pub(super) fn code(text: &str, limit: usize, in_table: bool) -> String {
    let mut shown = visible(text, limit);
    if shown.trim().is_empty() {
        return "(blank)".to_owned();
    }
    if in_table {
        shown = shown.replace("\\|", "\\x5c|").replace('|', "\\|");
        if shown.ends_with('\\') {
            shown.pop();
            shown.push_str("\\x5c");
        }
    }
    let fence = fence(&shown, 1);
    let edge = |c| matches!(c, '`' | ' ');
    let pad = if shown.starts_with(edge) || shown.ends_with(edge) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{shown}{pad}{fence}")
}

/// A fenced block for Markdown.
pub(super) fn fenced(text: &str, limit: usize) -> String {
    let shown = block(text, limit);
    let fence = fence(&shown, 3);
    format!("{fence}text\n{shown}{fence}\n")
}

/// Backticks, one more than stand together anywhere in the text.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max();
    "`".repeat((longest.unwrap_or(0) + 1).max(least))
}

/// A count with its thousands apart.
pub(super) fn counted(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 test`, `2 tests`.
pub(super) fn plural(n: u64, one: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {one}{s}", counted(n))
}

/// Seconds as people say them: `0.02 s`, `3.1 s`, `2 min 5 s`, `1 h 4 min`.
pub(super) fn took(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    if seconds < 59.95 {
        return match seconds {
            s if s >= 10.0 => format!("{s:.0} s"),
            s if s >= 1.0 => format!("{s:.1} s"),
            s if s >= 0.01 => format!("{s:.2} s"),
            s if s > 0.0 => format!("{s:.3} s"),
            _ => "0 s".to_owned(),
        };
    }
    let whole = seconds.round() as u64;
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{} h {minutes} min", counted(hours))
    } else {
        format!("{minutes} min {seconds} s")
    }
}

/// Milliseconds as [`took`].
pub(super) fn took_ms(ms: u64) -> String {
    took(ms as f64 / 1000.0)
}

/// Columns of a character in a terminal: 2 for the wide ones of East Asia and for pictures, 0 for marks that join the letter before.
/// After Unicode's `EastAsianWidth` (W, F) and category Mn, in ranges rather too wide than too narrow.
const fn columns(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}'
        | '\u{483}'..='\u{489}'
        | '\u{591}'..='\u{5bd}'
        | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}'
        | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{231a}'..='\u{231b}'
        | '\u{23e9}'..='\u{23f3}'
        | '\u{2614}'..='\u{2615}'
        | '\u{26a1}'
        | '\u{2705}'
        | '\u{270a}'..='\u{270b}'
        | '\u{2728}'
        | '\u{274c}'
        | '\u{274e}'
        | '\u{2753}'..='\u{2757}'
        | '\u{2795}'..='\u{2797}'
        | '\u{2b1b}'..='\u{2b1c}'
        | '\u{2b50}'
        | '\u{2b55}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{16fe0}'..='\u{18aff}'
        | '\u{1b000}'..='\u{1b2ff}'
        | '\u{1f000}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// Columns of a line without escapes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// A line cut to at most `limit` columns; its end then says so.
pub(super) fn fit(text: &str, limit: usize) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += columns(c);
        if used + 1 > limit {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_hidden_stays_hidden() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n\tc", 99), "a\\x1b[2Jb\\r\\n\\tc");
        assert_eq!(visible("x\u{202e}gpj.exe", 99), "x\\u{202e}gpj.exe");
        assert_eq!(visible("\u{9b}31m\u{7f}\0", 99), "\\x9b31m\\x7f\\x00");
        assert_eq!(visible("grün 漢字 ✓ 🚀", 99), "grün 漢字 ✓ 🚀");
        assert_eq!(visible("abcd", 3), "abc…");
        for code in 0..=0x10_ffff_u32 {
            let Some(c) = char::from_u32(code) else {
                continue;
            };
            let shown = visible(&c.to_string(), 9);
            assert!(!shown.chars().any(char::is_control), "{code:x}");
            assert!(shown.lines().count() <= 1, "{code:x}");
        }
    }

    #[test]
    fn html_has_no_markup_left() {
        let text = html("</script><b a=\"1\" c='2'>`&amp;\u{202e}");
        assert!(!text.contains(['<', '>', '"', '\'', '`']), "{text}");
        assert!(text.contains("&amp;amp;") && text.contains("\\u{202e}"));
    }

    #[test]
    fn a_code_span_cannot_be_left() {
        assert_eq!(code("a`b``c", 99, false), "```a`b``c```");
        assert_eq!(code("`", 99, false), "`` ` ``");
        assert_eq!(code("# x\n\n# y", 99, false), "`# x\\n\\n# y`");
        assert_eq!(code("a|b", 99, true), "`a\\|b`");
        assert_eq!(code("a\\|b", 99, true), "`a\\x5c\\|b`");
        assert_eq!(code(" ", 99, false), "(blank)");
        assert_eq!(fenced("a\n````\nb", 99), "`````text\na\n````\nb\n`````\n");
    }

    #[test]
    fn numbers_are_as_people_say_them() {
        assert_eq!(counted(1_234_567), "1,234,567");
        assert_eq!(
            (plural(1, "test"), plural(0, "test")),
            ("1 test".into(), "0 tests".into())
        );
        for (seconds, expected) in [
            (0.0, "0 s"),
            (0.004, "0.004 s"),
            (0.25, "0.25 s"),
            (3.06, "3.1 s"),
            (59.96, "1 min 0 s"),
            (125.0, "2 min 5 s"),
            (3840.0, "1 h 4 min"),
            (f64::NAN, "?"),
        ] {
            assert_eq!(took(seconds), expected);
        }
    }

    #[test]
    fn lines_are_cut_to_columns() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(fit("abcdef", 6), "abcdef");
        assert_eq!(width("e\u{301}a"), 2);
        let cut = block(&"x\n".repeat(100), 20);
        assert!(cut.len() < 30 && cut.ends_with("…\n"), "{cut}");
        let long = block(&"ä".repeat(100), 21);
        assert!(long.len() < 30, "{long}");
        assert_eq!(
            lines("a\n\n b\nc", 2, 9),
            (vec!["a".into(), " b".into()], true)
        );
    }
}
