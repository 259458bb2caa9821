//! Finds values under sensitive JSON keys without parsing the whole: JSON in lines, in events of a stream, cut off, or as a string
//! inside JSON is found as well, and what is no secret keeps its bytes.
//!
//! In JSON a string before a colon is a key, so no stack is needed. A level says how often the text was escaped: at level 0 a quote
//! stands bare, at level 1 behind one backslash, at level 2 behind three. Levels are given as that number of backslashes.
//!
//! Under a sensitive key a string becomes the mark and a number 0; in an object or array under it all strings and numbers do.
//! `true`, `false`, `null` and keys stay.

use super::names::{LONGEST, Names};
use super::{Edit, Kind};

/// Finds what to replace. `slashes` is 0, 1 or 3.
pub(super) fn find(bytes: &[u8], slashes: usize, names: &Names, edits: &mut Vec<Edit>) {
    let scan = Scan { bytes, slashes };
    let mut at = 0;
    while let Some(open) = scan.opening(at) {
        at = open;
        let Some((end, after)) = scan.string(open) else {
            return;
        };
        let Some(value) = scan.colon(after) else {
            continue;
        };
        at = value;
        let key = &bytes[open..end];
        if key.len() <= LONGEST && names.key(&scan.plain(key)) {
            at = scan.hide(value, edits);
        }
    }
}

struct Scan<'a> {
    bytes: &'a [u8],
    slashes: usize,
}

impl Scan<'_> {
    /// Where the content of the next string begins, at or behind `from`.
    fn opening(&self, from: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let quote = at + self.bytes.get(at..)?.iter().position(|b| *b == b'"')?;
            if self.run(quote, 0) == self.slashes {
                return Some(quote + 1);
            }
            at = quote + 1;
        }
    }

    /// Whether a string of this level begins right at `at`.
    fn opens(&self, at: usize) -> bool {
        let quote = at + self.slashes;
        self.bytes.get(quote) == Some(&b'"') && self.run(quote, 0) == self.slashes
    }

    /// How many backslashes stand right before `quote`, not looking further back than `floor`.
    fn run(&self, quote: usize, floor: usize) -> usize {
        let before = &self.bytes[floor..quote];
        // More than a few are never told apart, and counting them all each time would take squares.
        let near = before.iter().rev().take(4096);
        near.take_while(|b| **b == b'\\').count()
    }

    /// The end of the content that begins at `open`, and the place behind the closing quote.
    fn string(&self, open: usize) -> Option<(usize, usize)> {
        let mut at = open;
        loop {
            let quote = at + self.bytes.get(at..)?.iter().position(|b| *b == b'"')?;
            if self.run(quote, open) % (2 * (self.slashes + 1)) == self.slashes {
                return Some((quote - self.slashes, quote + 1));
            }
            at = quote + 1;
        }
    }

    /// The place behind a colon that follows at `at`, and the blanks around it.
    fn colon(&self, at: usize) -> Option<usize> {
        let colon = self.blanks(at);
        (self.bytes.get(colon) == Some(&b':')).then(|| self.blanks(colon + 1))
    }

    /// Skips blanks, and line ends that were escaped together with the quotes.
    fn blanks(&self, mut at: usize) -> usize {
        loop {
            match self.bytes.get(at..).unwrap_or_default() {
                [b' ' | b'\t' | b'\r' | b'\n', ..] => at += 1,
                [b'\\', b'n' | b'r' | b't', ..] if self.slashes > 0 => at += 2,
                _ => return at,
            }
        }
    }

    /// The content of a string with its escapes undone, as far as it is a string.
    fn plain(&self, content: &[u8]) -> String {
        let mut text = String::from_utf8_lossy(content).into_owned();
        let mut times = self.slashes;
        loop {
            match serde_json::from_str(&format!("\"{text}\"")) {
                Ok(next) => text = next,
                Err(_) => return text,
            }
            if times == 0 {
                return text;
            }
            times /= 2;
        }
    }

    /// Hides the value that begins at `at`; returns the place behind it.
    fn hide(&self, mut at: usize, edits: &mut Vec<Edit>) -> usize {
        let mut depth = 0_usize;
        loop {
            at = self.blanks(at);
            let Some(byte) = self.bytes.get(at) else {
                return at;
            };
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    at += 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    at += 1;
                }
                b'0'..=b'9' | b'-' => {
                    let rest = self.bytes[at..].iter();
                    let length = rest
                        .take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b))
                        .count();
                    edits.push(Edit {
                        start: at,
                        end: at + length,
                        with: "0",
                        kind: Kind::JsonKey,
                    });
                    at += length;
                }
                b'"' | b'\\' if self.opens(at) => {
                    let open = at + self.slashes + 1;
                    // A string without end was cut off: all of it is the secret.
                    let (end, after) = self
                        .string(open)
                        .unwrap_or((self.bytes.len(), self.bytes.len()));
                    match self.colon(after) {
                        Some(value) if depth > 0 => at = value,
                        _ => {
                            edits.push(Edit::mark(open..end, Kind::JsonKey));
                            at = after;
                        }
                    }
                }
                _ if depth == 0 => return at,
                _ => at += 1,
            }
            if depth == 0 {
                return at;
            }
        }
    }
}
