//! Identifiers and texts of a source file, comments apart: what the guards over sources look at.
//!
//! No parser: enough of each language's lexical grammar that a word in a comment or in a text is not taken for code. Invariants: no
//! recursion, one pass, never a panic; what cannot be told is taken for code, so that nothing hides in it.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
    /// And TypeScript.
    JavaScript,
    Go,
    /// And Kotlin.
    Java,
}

impl Language {
    /// By a file's ending.
    pub(crate) fn of(path: &str) -> Option<Self> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let (_, ending) = name.rsplit_once('.')?;
        match ending {
            "rs" => Some(Self::Rust),
            "py" | "pyi" => Some(Self::Python),
            "js" | "jsx" | "mjs" | "cjs" | "ts" | "tsx" | "mts" | "cts" => Some(Self::JavaScript),
            "go" => Some(Self::Go),
            "java" | "kt" => Some(Self::Java),
            _ => None,
        }
    }
}

/// What a piece of source is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word,
    /// The inside of a text.
    Text,
    /// Anything else, one character.
    Mark,
}

/// A piece of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'s> {
    pub(crate) kind: Kind,
    pub(crate) text: &'s str,
    /// From 1.
    pub(crate) line: u64,
}

/// The pieces of a source, comments and blanks left out.
pub(crate) fn tokens(source: &str, language: Language) -> Vec<Token<'_>> {
    let mut cursor = Cursor {
        source,
        at: 0,
        line: 1,
        language,
        found: Vec::new(),
    };
    while cursor.step() {}
    cursor.found
}

struct Cursor<'s> {
    source: &'s str,
    at: usize,
    line: u64,
    language: Language,
    found: Vec<Token<'s>>,
}

impl<'s> Cursor<'s> {
    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    /// Goes on by some bytes, which end at a character's end.
    fn skip(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.source.len());
        self.line += self.source[self.at..end].matches('\n').count() as u64;
        self.at = end;
    }

    fn push(&mut self, kind: Kind, text: &'s str, line: u64) {
        self.found.push(Token { kind, text, line });
    }

    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if let Some(length) = self.comment(rest) {
            self.skip(length);
        } else if let Some((length, from, to)) = self.quoted(rest) {
            let line = self.line;
            self.push(Kind::Text, &rest[from..to], line);
            self.skip(length);
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            self.push(Kind::Word, &rest[..end], self.line);
            self.skip(end);
        } else {
            let length = first.len_utf8();
            self.push(Kind::Mark, &rest[..length], self.line);
            self.skip(length);
        }
        true
    }

    /// Length of a comment that begins here.
    fn comment(&self, rest: &str) -> Option<usize> {
        let line_end = || rest.find('\n').unwrap_or(rest.len());
        if self.language == Language::Python {
            return rest.starts_with('#').then(line_end);
        }
        if rest.starts_with("//") {
            return Some(line_end());
        }
        if !rest.starts_with("/*") {
            return None;
        }
        if self.language != Language::Rust {
            return Some(rest[2..].find("*/").map_or(rest.len(), |end| end + 4));
        }
        // Rust's nest.
        let bytes = rest.as_bytes();
        let (mut depth, mut at) = (0_usize, 0);
        while at + 1 < bytes.len() {
            match &bytes[at..at + 2] {
                b"/*" => {
                    depth += 1;
                    at += 2;
                }
                b"*/" => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return Some(at);
                    }
                }
                _ => at += 1,
            }
        }
        Some(rest.len())
    }

    /// Length of a text that begins here, and where its inside lies.
    fn quoted(&self, rest: &str) -> Option<(usize, usize, usize)> {
        let raw = |from: usize, close: &str| {
            let end = rest[from..].find(close).map(|at| from + at);
            match end {
                Some(end) => (end + close.len(), from, end),
                None => (rest.len(), from, rest.len()),
            }
        };
        match self.language {
            Language::Rust => {
                let open = rest.strip_prefix('b').unwrap_or(rest);
                if let Some(hashes) = open.strip_prefix('r') {
                    let count = hashes.bytes().take_while(|b| *b == b'#').count();
                    if hashes[count..].starts_with('"') {
                        let from = rest.len() - hashes.len() + count + 1;
                        let close = format!("\"{}", "#".repeat(count.min(255)));
                        return Some(raw(from, &close));
                    }
                }
                if rest.starts_with('\'') {
                    // A character, or a lifetime.
                    let mut chars = rest.char_indices().skip(1);
                    let (_, first) = chars.next()?;
                    if first == '\\' {
                        return Some(escaped(rest, 1, '\'', true));
                    }
                    let (at, close) = chars.next()?;
                    return (close == '\'').then_some((at + 1, 1, at));
                }
                rest.starts_with('"').then(|| escaped(rest, 1, '"', false))
            }
            Language::Python => {
                for quote in ["\"\"\"", "'''"] {
                    if rest.starts_with(quote) {
                        return Some(raw(3, quote));
                    }
                }
                let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                Some(escaped(rest, 1, quote, true))
            }
            Language::JavaScript => {
                let quote = rest
                    .chars()
                    .next()
                    .filter(|c| matches!(c, '"' | '\'' | '`'))?;
                Some(escaped(rest, 1, quote, quote != '`'))
            }
            Language::Go => {
                if rest.starts_with('`') {
                    return Some(raw(1, "`"));
                }
                let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                Some(escaped(rest, 1, quote, true))
            }
            Language::Java => {
                if rest.starts_with("\"\"\"") {
                    return Some(raw(3, "\"\"\""));
                }
                let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
                Some(escaped(rest, 1, quote, true))
            }
        }
    }
}

/// A text with escapes; one that must end on its line and does not is given up there, so that the next line is code again.
fn escaped(rest: &str, from: usize, quote: char, one_line: bool) -> (usize, usize, usize) {
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip_while(|(at, _)| *at < from) {
        if is_escaped {
            is_escaped = false;
        } else if c == '\\' {
            is_escaped = true;
        } else if c == quote {
            return (at + c.len_utf8(), from, at);
        } else if c == '\n' && one_line {
            return (at, from, at);
        }
    }
    (rest.len(), from, rest.len())
}

/// The words that a name is made of, in lower case: `HttpMockServer` and `http_mock_server` are `http`, `mock`, `server`.
pub(crate) fn parts(name: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (n, c) in chars.iter().enumerate() {
        if !c.is_alphabetic() {
            if !part.is_empty() {
                parts.push(std::mem::take(&mut part));
            }
            continue;
        }
        let before = n.checked_sub(1).map(|p| chars[p]);
        let after = chars.get(n + 1);
        let is_new = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || (before.is_some_and(char::is_uppercase)
                    && after.is_some_and(|a| a.is_lowercase())));
        if is_new && !part.is_empty() {
            parts.push(std::mem::take(&mut part));
        }
        part.extend(c.to_lowercase());
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str, language: Language) -> Vec<&str> {
        let all = tokens(source, language);
        let words = all.iter().filter(|t| t.kind == Kind::Word);
        words.map(|t| t.text).collect()
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        let rust = "/* a /* b */ c */ let d: &'static str = r#\"e \"f\" \"#; // g\n'h'; '\\''; \"i\\\"j\" b\"k\" l";
        assert_eq!(
            words(rust, Language::Rust),
            ["let", "d", "static", "str", "b", "l"]
        );
        let python = "# a\nb = \"\"\"c\nd\"\"\" + 'e' # f\ng = 'open\nh";
        assert_eq!(words(python, Language::Python), ["b", "g", "h"]);
        let script = "a /* b */ 'c' `d ${e}` // f\ng";
        assert_eq!(words(script, Language::JavaScript), ["a", "g"]);
        let go = "a `b\nc` \"d\" 'e' // f\ng";
        assert_eq!(words(go, Language::Go), ["a", "g"]);
        let java = "a \"\"\"b\nc\"\"\" /* d */ e";
        assert_eq!(words(java, Language::Java), ["a", "e"]);
        let lines: Vec<u64> = tokens("a\n\n\"b\nc\" d", Language::Rust)
            .iter()
            .map(|t| t.line)
            .collect();
        assert_eq!(lines, [1, 3, 4]);
    }

    #[test]
    fn names_have_parts() {
        assert_eq!(parts("HTTPMockServer"), ["http", "mock", "server"]);
        assert_eq!(parts("http_mock2_server"), ["http", "mock", "server"]);
        assert_eq!(parts("smocking"), ["smocking"]);
        assert_eq!(parts(""), Vec::<String>::new());
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_an_end(source in "[a'\"`#/*r\\\\\n é_$(]{0,200}") {
            for language in [Language::Rust, Language::Python, Language::JavaScript, Language::Go, Language::Java] {
                for token in tokens(&source, language) {
                    proptest::prop_assert!(source.contains(token.text));
                }
            }
        }
    }
}
