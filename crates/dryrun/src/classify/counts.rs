//! How many lines were read, by the word of their level.

use serde::{Deserialize, Serialize};

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
}

impl Counts {
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
