//! Where a text begins and ends, and where code stands within it.

use super::{Language, is_word};

/// A text that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Opened {
    /// What closes it.
    close: Close,
    /// Whether a backslash takes the meaning from what follows.
    escapes: bool,
    /// Whether it ends with its line at the latest.
    one_line: bool,
    /// What opens code in it.
    code: Code,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Close {
    /// As many of these.
    Mark(char, usize),
    /// Rust: a mark and as many hashes.
    Hashes(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    None,
    /// `${`
    Dollar,
    /// `{`, where `{{` is a brace.
    Brace,
}

/// A text's part up to its end or to code in it.
pub(super) struct Part {
    /// Where its inside ends.
    pub(super) to: usize,
    /// Where what follows begins.
    pub(super) length: usize,
    /// Whether code follows.
    pub(super) has_code: bool,
}

impl Opened {
    /// What stands from `from` on.
    pub(super) fn part(self, rest: &str, from: usize, language: Language) -> Part {
        let end = |to: usize, length: usize| Part {
            to,
            length,
            has_code: false,
        };
        let goes_on = language != Language::Go;
        let mut chars = rest[from..].char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let at = from + at;
            if c == '\\' && self.escapes {
                let next = chars.peek().map(|(_, c)| *c);
                if next.is_some_and(|c| goes_on || !is_line_end(c, language)) {
                    chars.next();
                    // The end of a line may be two characters.
                    chars.next_if(|(_, c)| next == Some('\r') && *c == '\n');
                }
            } else if self.one_line && is_line_end(c, language) {
                return end(at, at);
            } else if let Some(length) = self.close.length(&rest[at..]) {
                return end(at, at + length);
            } else if let Some(length) = self.code.length(&rest[at..]) {
                return Part {
                    to: at,
                    length: at + length,
                    has_code: true,
                };
            } else if self.code == Code::Brace && c == '{' {
                // The first of two.
                chars.next();
            }
        }
        end(rest.len(), rest.len())
    }
}

impl Close {
    fn length(self, rest: &str) -> Option<usize> {
        match self {
            Self::Mark(mark, times) => {
                let same = rest.chars().take(times).filter(|c| *c == mark).count();
                (same == times).then(|| mark.len_utf8() * times)
            }
            Self::Hashes(hashes) => {
                let behind = rest.strip_prefix('"')?;
                let there = behind.bytes().take(hashes).filter(|b| *b == b'#').count();
                (there == hashes).then_some(1 + hashes)
            }
        }
    }
}

impl Code {
    /// Length of what opens code, if it stands here.
    fn length(self, rest: &str) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Dollar => rest.starts_with("${").then_some(2),
            Self::Brace => (rest.starts_with('{') && !rest.starts_with("{{")).then_some(1),
        }
    }
}

/// Whether a character ends a line.
fn is_line_end(c: char, language: Language) -> bool {
    match c {
        '\n' => true,
        '\r' => matches!(
            language,
            Language::Python | Language::JavaScript | Language::Java | Language::Kotlin
        ),
        '\u{2028}' | '\u{2029}' => language == Language::JavaScript,
        _ => false,
    }
}

/// Where the line ends, or the source.
pub(super) fn line_end(rest: &str, language: Language) -> usize {
    let end = rest.find(|c| is_line_end(c, language));
    end.unwrap_or(rest.len())
}

/// The text that begins between `before` and `rest`, and where its inside begins.
pub(super) fn opens(before: &str, rest: &str, language: Language) -> Option<(Opened, usize)> {
    let first = rest.chars().next()?;
    if language == Language::Rust {
        return rust(rest, first);
    }
    let is_mark = match first {
        '"' | '\'' => true,
        '`' => matches!(language, Language::JavaScript | Language::Go),
        _ => false,
    };
    if !is_mark {
        return None;
    }
    let is_long = match language {
        Language::Python => true,
        Language::Java | Language::Kotlin => first == '"',
        _ => false,
    };
    let thrice = is_long && rest.chars().take_while(|c| *c == first).take(3).count() == 3;
    let times = if thrice { 3 } else { 1 };
    let code = match language {
        Language::Python if formats(before) => Code::Brace,
        Language::JavaScript if first == '`' => Code::Dollar,
        Language::Kotlin if first == '"' => Code::Dollar,
        _ => Code::None,
    };
    let raw = match language {
        Language::Go => first == '`',
        Language::Kotlin => thrice,
        _ => false,
    };
    let opened = Opened {
        close: Close::Mark(first, times),
        escapes: !raw,
        one_line: !thrice && first != '`',
        code,
    };
    Some((opened, times))
}

/// Whether the prefix of a text of Python says that code stands in it.
fn formats(before: &str) -> bool {
    let prefix = before.trim_end_matches(is_word);
    let prefix = &before[prefix.len()..];
    prefix.len() <= 2
        && prefix.chars().all(|c| "fFrRtT".contains(c))
        && prefix.contains(['f', 'F', 't', 'T'])
}

fn rust(rest: &str, first: char) -> Option<(Opened, usize)> {
    let opened = |close: Close, escapes: bool| Opened {
        close,
        escapes,
        one_line: false,
        code: Code::None,
    };
    let open = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    if let Some(hashes) = open.strip_prefix('r') {
        let count = hashes.bytes().take_while(|b| *b == b'#').count();
        if hashes[count..].starts_with('"') {
            let from = rest.len() - hashes.len() + count + 1;
            return Some((opened(Close::Hashes(count), false), from));
        }
    }
    match first {
        '\'' => {
            // A character, or a lifetime.
            let mut chars = rest.chars().skip(1);
            let is_text = match chars.next()? {
                '\\' => true,
                _ => chars.next() == Some('\''),
            };
            let text = Opened {
                one_line: true,
                ..opened(Close::Mark('\'', 1), true)
            };
            is_text.then_some((text, 1))
        }
        '"' => Some((opened(Close::Mark('"', 1), true), 1)),
        _ => None,
    }
}
