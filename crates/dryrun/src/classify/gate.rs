//! The gate before everything that is slow: words without which no line begins a trace or carries one. Whole portions are searched
//! at once, at gigabytes a second; only lines with a hit are looked at.

use std::sync::LazyLock;

use aho_corasick::packed::{Config, Searcher};
use memchr::memmem;

const WORDS: &[&str] = &[
    "Traceback",
    "traceback",
    "panic",
    "atal error",
    "xception",
    "Error",
    "error:",
    "goroutine ",
    "SIGQUIT",
    "Sanitizer",
    "terminate called",
    "libc++abi",
    "core dumped",
    "egmentation fault",
    "Bus error",
    "Illegal instruction",
    "*** ",
    "(): ",
    "double free",
    "corrupted ",
    "Assertion",
    "DATA RACE",
    "Uncaught",
    "nhandled",
    "REPORT====",
    ".rb:",
    "\tat ",
    "  at ",
    "called at ",
    "CallStack",
    "acktrace",
    "while executing",
    "** (",
    "overflowed its stack",
    "memory allocation of",
    "js:",
    ".ts:",
    "[eval",
    "node:",
    "File \"",
    "received signal",
    "Invalid ",
    "Conditional jump",
    "definitely lost",
    "terminating",
    "stack",
    "exc_info",
    "exc_text",
    "\"thrown",
    "Caused by",
    "Throwable",
    "Execution halted",
    "FATAL ERROR",
    ":in `",
    ":in '",
    "(irb)",
];

static SEARCHER: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Config::new().builder().extend(WORDS).build());

/// Returns where the next word begins in `bytes`, at `from` or later; the length of `bytes` if none does.
#[inline]
pub(crate) fn next(bytes: &[u8], from: usize) -> usize {
    let Some(rest) = bytes.get(from..) else {
        return bytes.len();
    };
    match &*SEARCHER {
        Some(searcher) => searcher
            .find(rest)
            .map_or(bytes.len(), |found| from + found.start()),
        // A processor without the instructions.
        None => WORDS
            .iter()
            .filter_map(|word| memmem::find(rest, word.as_bytes()))
            .min()
            .map_or(bytes.len(), |at| from + at),
    }
}

/// Whether a word is in `bytes`.
pub(crate) fn hits(bytes: &[u8]) -> bool {
    next(bytes, 0) < bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_found_anywhere() {
        let mut text = vec![b'x'; 3_000];
        text[2_000..2_009].copy_from_slice(b"Traceback");
        text[1_000..1_005].copy_from_slice(b"panic");
        assert_eq!(next(&text, 0), 1_000);
        assert_eq!(next(&text, 1_001), 2_000);
        assert_eq!(next(&text, 2_001), 3_000);
        assert!(!hits(b"heartbeat #12"));
        assert!(hits(b"\tat x"));
    }
}
