//! What is wrong with a configuration: which key, where, why, and what to write instead.
//!
//! Invariant: no error shows a value that may be a secret. A line that holds a word such as `password` is never
//! quoted, only its place is.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gonogo_core::Reason;

use super::secret;

/// Longest piece of a line that an excerpt shows, in characters.
const EXCERPT: usize = 100;

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", self.place())]
pub struct ConfigError {
    /// The stable reason.
    pub reason: Reason,
    /// The file, as it was found or named.
    pub path: PathBuf,
    /// Line, from 1; 0 if the fault has no place in the file.
    pub line: usize,
    /// Column in characters, from 1; 0 if the fault has no place in the file.
    pub column: usize,
    /// Dotted path of the key, such as `environments.local.listen`; empty if no key is meant.
    pub key: String,
    /// What is wrong and why, without place.
    pub message: String,
    /// What to do, the likeliest first; at most three.
    pub hints: Vec<String>,
    /// The marked line, if it may be shown.
    pub excerpt: Option<String>,
}

impl ConfigError {
    /// A fault of the file as a whole, without a place in it.
    pub(super) fn of_file(
        reason: Reason,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            path: path.to_owned(),
            line: 0,
            column: 0,
            key: String::new(),
            message: message.into(),
            hints: vec![hint.into()],
            excerpt: None,
        }
    }

    /// Returns `path:line:column`, or the path alone.
    pub fn place(&self) -> String {
        match self.line {
            0 => self.path.display().to_string(),
            line => format!("{}:{line}:{}", self.path.display(), self.column),
        }
    }
}

/// Every fault found in one reading, in the order of their places. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// Returns the faults; there is at least one.
    pub fn all(&self) -> &[ConfigError] {
        &self.0
    }

    /// Returns the fault that stands first in the file.
    pub fn first(&self) -> &ConfigError {
        &self.0[0]
    }

    /// One fault of the file as a whole, without a place in it.
    pub(super) fn of_file(
        reason: Reason,
        path: &Path,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        ConfigError::of_file(reason, path, message, hint).into()
    }

    /// Sorts `errors` by place; `None` if there are none.
    pub(super) fn collect(mut errors: Vec<ConfigError>) -> Option<Self> {
        errors.sort_by_key(|e| (e.line, e.column));
        let mut distinct: Vec<ConfigError> = Vec::new();
        for error in errors {
            if !distinct.contains(&error) {
                distinct.push(error);
            }
        }
        (!distinct.is_empty()).then_some(Self(distinct))
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The text under reading, for places and excerpts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'s> {
    pub(super) path: &'s Path,
    pub(super) text: &'s str,
}

impl Source<'_> {
    /// Makes the error of `key` at the bytes `span`.
    pub(super) fn error(
        &self,
        reason: Reason,
        span: &Range<usize>,
        key: impl Into<String>,
        message: impl Into<String>,
        hints: Vec<String>,
    ) -> ConfigError {
        let (line, column) = self.place(span.start);
        ConfigError {
            reason,
            path: self.path.to_owned(),
            line,
            column,
            key: key.into(),
            message: message.into(),
            hints,
            excerpt: (reason != Reason::SecretInConfig)
                .then(|| self.excerpt(span))
                .flatten(),
        }
    }

    /// Line and column, from 1, of the byte `at`; a byte inside a character or past the end counts as its start or the end.
    pub(super) fn place(&self, at: usize) -> (usize, usize) {
        let before = &self.text[..self.floor(at)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (
            before.bytes().filter(|b| *b == b'\n').count() + 1,
            before[line_start..].chars().count() + 1,
        )
    }

    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    fn excerpt(&self, span: &Range<usize>) -> Option<String> {
        let start = self.floor(span.start);
        let end = self.floor(span.end.max(span.start));
        let line_start = self.text[..start].rfind('\n').map_or(0, |i| i + 1);
        let line_end = self.text[start..]
            .find('\n')
            .map_or(self.text.len(), |i| start + i);
        let line = self.text[line_start..line_end].trim_end_matches('\r');
        // A secret may stand on the line after its name, or anywhere inside a text of several lines.
        let above = &self.text[..line_start];
        let last = above.lines().rev().find(|l| !l.trim().is_empty());
        let inside = ["\"\"\"", "'''"]
            .iter()
            .any(|q| above.matches(q).count() % 2 == 1);
        if inside || secret::mentions(line) || last.is_some_and(secret::mentions) {
            return None;
        }
        let (number, column) = self.place(start);
        // A long line is cut so that the marked place stays in view.
        let skip = (column - 1).saturating_sub(EXCERPT / 2);
        let shown: String = line
            .chars()
            .skip(skip)
            .take(EXCERPT)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let marked = self.text[start..end.clamp(start, line_end)].chars().count();
        let room = EXCERPT.saturating_sub(column - 1 - skip);
        let marks = "^".repeat(marked.clamp(1, room.max(1)));
        let gutter = " ".repeat(number.to_string().len());
        let pad = " ".repeat(column - 1 - skip);
        Some(format!(
            "{number} | {}\n{gutter} | {pad}{marks}",
            shown.trim_end()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters_and_excerpts_mark_them() {
        let text = "a = 1\nä\tb = 10\r\n";
        let source = Source {
            path: Path::new("g.toml"),
            text,
        };
        let at = text.find("10").unwrap();
        let e = source.error(Reason::ConfigValue, &(at..at + 2), "b", "bad", vec![]);
        assert_eq!((e.line, e.column), (2, 7));
        assert_eq!(e.excerpt.unwrap(), "2 | ä b = 10\n  |       ^^");
        assert_eq!(e.path, Path::new("g.toml"));
        // Past the end, inside a character, in an empty text: still a place.
        for (text, at) in [("", 0), ("", 9), ("ä", 1), ("x", 1)] {
            let source = Source {
                path: Path::new("g"),
                text,
            };
            let e = source.error(Reason::ConfigSyntax, &(at..at), "", "bad", vec![]);
            assert_eq!(e.line, 1, "{text:?}");
            assert!(e.excerpt.unwrap().ends_with('^'));
        }
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let source = Source {
            path: Path::new("g"),
            text: &text,
        };
        let excerpt = source
            .error(Reason::ConfigSyntax, &(500..501), "", "bad", vec![])
            .excerpt
            .unwrap();
        let (line, marks) = excerpt.split_once('\n').unwrap();
        assert_eq!(line.find('X'), marks.find('^'));
        assert!(line.len() < 120, "{line}");
    }

    #[test]
    fn a_line_that_may_hold_a_secret_is_not_quoted() {
        let text = "env = { DB_PASSWORD = \"hunter2\", A = 1 }";
        let source = Source {
            path: Path::new("g"),
            text,
        };
        let e = source.error(Reason::ConfigValue, &(37..38), "env.A", "bad", vec![]);
        assert_eq!(e.excerpt, None);
        assert!(!format!("{e:?}").contains("hunter2"));
        for text in [
            "run = [\"a\", \"--token\",\n\n\"hunter2]",
            "env = { A = \"\"\"\nx\nhunter2\" }",
        ] {
            let source = Source {
                path: Path::new("g"),
                text,
            };
            let at = text.find("hunter2").unwrap();
            let e = source.error(Reason::ConfigSyntax, &(at..at + 1), "", "bad", vec![]);
            assert_eq!(e.excerpt, None, "{text}");
        }
    }
}
