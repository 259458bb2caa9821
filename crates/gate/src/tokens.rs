//! Identifiers and texts of a source file, comments apart: what the guards over sources look at.
//!
//! No parser: enough of each language's lexical grammar that a word in a comment or in a text is not taken for code, and that code within a
//! text (`${…}`, `f"{…}"`) is. Invariants: no recursion, one pass, never a panic; what cannot be told is taken for code, so that nothing
//! hides in it: a mark in the text of JSX opens nothing, and what nothing closes is no text.

mod script;
mod text;

use script::Quote;
use text::Opened;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
    /// And TypeScript.
    JavaScript,
    Go,
    Java,
    Kotlin,
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
            "java" => Some(Self::Java),
            "kt" | "kts" => Some(Self::Kotlin),
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
        within: Vec::new(),
        spoken: None,
    };
    while cursor.step() {}
    cursor.found
}

/// Code within a text, until its brace is closed.
#[derive(Debug, Clone, Copy)]
struct Within {
    /// The text that goes on behind it.
    text: Opened,
    /// Brackets of any kind that are open in it.
    depth: usize,
}

struct Cursor<'s> {
    source: &'s str,
    at: usize,
    line: u64,
    language: Language,
    found: Vec<Token<'s>>,
    within: Vec<Within>,
    /// Where a mark stands that closes what was no text.
    spoken: Option<usize>,
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

    fn push(&mut self, kind: Kind, text: &'s str) {
        let line = self.line;
        self.found.push(Token { kind, text, line });
    }

    fn before(&self) -> &'s str {
        &self.source[..self.at]
    }

    fn step(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if let Some(length) = self.comment(rest) {
            self.skip(length);
        } else if let Some((opened, from)) = self.opens(rest) {
            self.text(opened, from);
        } else if let Some(length) = self.pattern(rest) {
            self.skip(length);
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            self.push(Kind::Word, &rest[..end]);
            self.skip(end);
        } else if let Some(text) = self.ends_code(first) {
            self.text(text, first.len_utf8());
        } else {
            let length = first.len_utf8();
            self.push(Kind::Mark, &rest[..length]);
            self.skip(length);
        }
        true
    }

    /// Counts brackets; the text that goes on behind this character, if it ends the code within one.
    fn ends_code(&mut self, c: char) -> Option<Opened> {
        let within = self.within.last_mut()?;
        let ends = match c {
            '{' | '(' | '[' => {
                within.depth += 1;
                false
            }
            '}' => within.depth == 0,
            // Behind it stands how Python writes the value.
            ':' => within.depth == 0 && self.language == Language::Python,
            _ => false,
        };
        if matches!(c, '}' | ')' | ']') {
            within.depth = within.depth.saturating_sub(1);
        }
        ends.then(|| self.within.pop().map(|within| within.text))?
    }

    /// A text whose inside begins after `from` bytes: to its end, or to the code in it.
    fn text(&mut self, opened: Opened, from: usize) {
        let rest = self.rest();
        let part = opened.part(rest, from, self.language);
        self.push(Kind::Text, &rest[from..part.to]);
        self.skip(part.length);
        if part.has_code {
            self.within.push(Within {
                text: opened,
                depth: 0,
            });
        }
    }

    /// A text that begins here, and where its inside begins.
    fn opens(&mut self, rest: &str) -> Option<(Opened, usize)> {
        if self.language == Language::JavaScript {
            if self.spoken == Some(self.at) {
                return None;
            }
            match script::quote(self.before(), rest, self.found.last()) {
                Quote::Opens => {}
                Quote::None => return None,
                Quote::Spoken(length) => {
                    self.spoken = Some(self.at + length);
                    return None;
                }
            }
        }
        text::opens(self.before(), rest, self.language)
    }

    /// Length of a pattern (`/…/`) that begins here.
    fn pattern(&self, rest: &str) -> Option<usize> {
        let is_script = self.language == Language::JavaScript && rest.starts_with('/');
        is_script.then(|| script::pattern(rest, &self.found))?
    }

    /// Length of a comment that begins here.
    fn comment(&self, rest: &str) -> Option<usize> {
        let line_end = || text::line_end(rest, self.language);
        let is_script = self.language == Language::JavaScript;
        if self.language == Language::Python {
            // Within a text it is how a number is written.
            return (rest.starts_with('#') && self.within.is_empty()).then(line_end);
        }
        if rest.starts_with("//") {
            return (!is_script || !script::is_address(self.before())).then(line_end);
        }
        if !rest.starts_with("/*") {
            return None;
        }
        if is_script {
            return script::comment(self.before(), rest);
        }
        if !matches!(self.language, Language::Rust | Language::Kotlin) {
            return Some(rest[2..].find("*/").map_or(rest.len(), |end| end + 4));
        }
        // Those of Rust and Kotlin nest.
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
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
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
        let script = "a /* b */ + 'c' + `d` // f\ng";
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
    fn code_within_texts_is_code() {
        let script = "`a ${b(`c ${d}`, {e: 1}, '}')} f` g";
        assert_eq!(
            words(script, Language::JavaScript),
            ["b", "d", "e", "1", "g"]
        );
        let texts: Vec<&str> = tokens(script, Language::JavaScript)
            .iter()
            .filter(|t| t.kind == Kind::Text)
            .map(|t| t.text)
            .collect();
        assert_eq!(texts, ["a ", "c ", "", "}", " f"]);
        let python = "f'a {b!r} {{d}}' + rf\"\"\"e {f['g']}\n\"\"\" + F\"{h(\"i\"):#06x}\" + 'j {k}'; f\"{n:'>{8}}\"; m";
        assert_eq!(
            words(python, Language::Python),
            ["f", "b", "r", "rf", "f", "F", "h", "f", "n", "8", "m"]
        );
        let kotlin = "\"a ${b(\"c\")} d\" e \"\"\"f ${g}\"\"\" h /* /* i */ j */ k";
        assert_eq!(words(kotlin, Language::Kotlin), ["b", "e", "g", "h", "k"]);
        // Java knows no such thing.
        assert_eq!(words("\"a ${b}\" c", Language::Java), ["c"]);
    }

    #[test]
    fn patterns_of_scripts_open_nothing() {
        for (script, expected) in [
            ("const a = /`/g;\nb", &["const", "a", "b"][..]),
            ("const a = /\\/*/; b", &["const", "a", "b"]),
            ("f(/[/'\"`]/, b)", &["f", "b"]),
            ("return /[//]/.test(a)", &["return", "test", "a"]),
            ("a / b; c / '`'; d", &["a", "b", "c", "d"]),
            // Which of both it is, nobody can tell: the words in it are taken for code.
            (
                "if (a) /b`/.test(c); d",
                &["if", "a", "b", "test", "c", "d"],
            ),
            ("(a) / b / c; d", &["a", "b", "c", "d"]),
            // What is not closed on its line is none.
            ("a = /b\nc", &["a", "b", "c"]),
        ] {
            assert_eq!(words(script, Language::JavaScript), expected, "{script}");
        }
    }

    #[test]
    fn marks_in_the_text_of_a_page_open_nothing() {
        for (script, expected) in [
            ("<p>don't</p>; b", &["p", "don", "t", "p", "b"][..]),
            ("<p>`</p>;\nb", &["p", "p", "b"]),
            ("<p>see `c` now</p>; b", &["p", "see", "c", "now", "p", "b"]),
            ("<p>http://x {b()}</p>", &["p", "http", "x", "b", "p"]),
            (
                "() => `a`; return'c'; tag`d`; x = a>'e'",
                &["return", "tag", "x", "a"],
            ),
            ("let a = `b\n", &["let", "a", "b"]),
        ] {
            assert_eq!(words(script, Language::JavaScript), expected, "{script}");
        }
    }

    #[test]
    fn lines_end_as_the_language_says() {
        assert_eq!(
            words("// a\rb\u{2028}// c\u{2029}d", Language::JavaScript),
            ["b", "d"]
        );
        assert_eq!(words("# a\rb = 'c\rd", Language::Python), ["b", "d"]);
        assert_eq!(words("// a\rb\nc", Language::Go), ["c"]);
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
        fn any_text_has_an_end(source in "[af'\"`#/*r\\\\\n é_$({}>:]{0,200}") {
            for language in [Language::Rust, Language::Python, Language::JavaScript, Language::Go, Language::Java, Language::Kotlin] {
                for token in tokens(&source, language) {
                    proptest::prop_assert!(source.contains(token.text));
                }
            }
        }
    }
}
