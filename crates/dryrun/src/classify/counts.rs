//! How many lines were read, by the word of their level.

use serde::{Deserialize, Serialize};

use super::json::End;
use super::lossy;

/// How many different words levels are counted by; the rest is counted under `…`.
const WORDS_LIMIT: usize = 64;

/// What was counted. Adds up over portions, members and streams.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines, the last one without a line feed included.
    pub lines: u64,
    /// Of them JSON objects.
    pub structured: u64,
    /// Of them blank.
    pub blank: u64,
    /// Bytes, line feeds included.
    pub bytes: u64,
    /// Of the lines warnings.
    #[serde(default)]
    pub warnings: u64,
    /// Of the lines errors and above.
    #[serde(default)]
    pub errors: u64,
    /// Lines by the word of their level; at most 64 words, the rest under `…`.
    words: Vec<(String, u64)>,
    /// Lines that begin as a record does and are none: broken, cut, or with numbers that JSON does not have.
    #[serde(default)]
    pub broken: u64,
    /// The first of them.
    #[serde(default)]
    pub first_broken: Option<Broken>,
    /// The last line of the stream, if it is one of them and nothing ended it: it was cut with its writer. Not counted in `broken`.
    #[serde(default)]
    pub cut: Option<Broken>,
}

/// A line that is no record although it begins as one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its number in its stream, from 1.
    pub line: u64,
    /// Why it is none.
    pub reason: String,
    /// Its beginning.
    pub sample: String,
}

impl Counts {
    /// Counts a line that is no record, if it begins as one: `{` and a quote.
    #[cold]
    pub(super) fn broken(&mut self, line: &[u8], number: u64, ended: bool, end: End) {
        let inner = line.trim_ascii_start().strip_prefix(b"{").unwrap_or(line);
        if inner.trim_ascii_start().first() != Some(&b'"') {
            return;
        }
        let broken = || Broken {
            line: number,
            reason: match end {
                End::Lenient => "NaN and Infinity are no JSON".to_owned(),
                _ => match serde_json::from_slice::<serde::de::IgnoredAny>(line) {
                    Err(error) => error.to_string(),
                    Ok(_) => "it is no JSON object".to_owned(),
                },
            },
            sample: lossy(line, 300),
        };
        if !ended && end == End::Broken {
            self.cut = Some(broken());
            return;
        }
        self.broken += 1;
        if self.first_broken.is_none() {
            self.first_broken = Some(broken());
        }
    }

    /// Returns the lines of each level's word, in no order.
    pub fn levels(&self) -> impl Iterator<Item = (&str, u64)> {
        self.words
            .iter()
            .map(|(word, lines)| (word.as_str(), *lines))
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.structured += other.structured;
        self.blank += other.blank;
        self.bytes += other.bytes;
        self.warnings += other.warnings;
        self.errors += other.errors;
        self.broken += other.broken;
        if self.first_broken.is_none() {
            self.first_broken.clone_from(&other.first_broken);
        }
        if other.cut.is_some() {
            self.cut.clone_from(&other.cut);
        }
        for (word, lines) in &other.words {
            self.count(word, *lines);
        }
    }

    #[inline]
    pub(crate) fn count(&mut self, word: &str, lines: u64) {
        let word = if word.len() > 64 { "…" } else { word };
        if let Some(place) = self.words.iter().position(|(known, _)| known == word) {
            self.words[place].1 += lines;
            // The frequent ones come first.
            if place > 0 && self.words[place - 1].1 < self.words[place].1 {
                self.words.swap(place - 1, place);
            }
        } else if self.words.len() < WORDS_LIMIT || word == "…" {
            self.words.push((word.to_owned(), lines));
        } else {
            self.count("…", lines);
        }
    }
}
