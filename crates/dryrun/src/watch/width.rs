//! How many columns text takes, and how it is cut to fit.

/// Returns the columns of a character: 2 for the wide ones of East Asia and for pictures, 0 for marks that join the letter before, else 1.
/// After Unicode's `EastAsianWidth` (W and F) and the general category Mn, in ranges that are rather too wide than too narrow.
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
        | '\u{25fd}'..='\u{25fe}'
        | '\u{2614}'..='\u{2615}'
        | '\u{2648}'..='\u{2653}'
        | '\u{267f}'
        | '\u{2693}'
        | '\u{26a1}'
        | '\u{26aa}'..='\u{26ab}'
        | '\u{26bd}'..='\u{26be}'
        | '\u{26c4}'..='\u{26c5}'
        | '\u{26ce}'
        | '\u{26d4}'
        | '\u{26ea}'
        | '\u{26f2}'..='\u{26f3}'
        | '\u{26f5}'
        | '\u{26fa}'
        | '\u{26fd}'
        | '\u{2705}'
        | '\u{270a}'..='\u{270b}'
        | '\u{2728}'
        | '\u{274c}'
        | '\u{274e}'
        | '\u{2753}'..='\u{2755}'
        | '\u{2757}'
        | '\u{2795}'..='\u{2797}'
        | '\u{27b0}'
        | '\u{27bf}'
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

/// Returns the columns of a text without escape sequences.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Returns the text, cut to at most `limit` columns; the last one then says so.
pub(super) fn fit(text: &str, limit: usize, ascii: bool) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let more = if ascii { "~" } else { "…" };
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = columns(c);
        if used + next + 1 > limit {
            break;
        }
        used += next;
        out.push(c);
    }
    out.push_str(more);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_columns_not_to_bytes() {
        assert_eq!(fit("漢字漢字", 5, false), "漢字…");
        assert_eq!(fit("abcdef", 6, false), "abcdef");
        assert_eq!(fit("abcdefg", 6, true), "abcde~");
        assert_eq!(width("e\u{301}a"), 2);
        assert_eq!(width("🚀"), 2);
        assert_eq!(width(&fit("🚀🚀🚀🚀", 4, false)), 3);
    }
}
