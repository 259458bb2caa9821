//! The gate before everything that is slow: words without which no line begins a trace or carries one. Only lines with a hit are
//! looked at by the grammars.

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
    "<anonymous_script>",
    "[stdin]",
    "init terminating",
];

static SEARCHER: LazyLock<Option<Searcher>> =
    LazyLock::new(|| Config::new().builder().extend(WORDS).build());

/// Whether a word is in `bytes`.
#[inline]
pub(crate) fn hits(bytes: &[u8]) -> bool {
    match &*SEARCHER {
        Some(searcher) => searcher.find(bytes).is_some(),
        // A processor without the instructions.
        None => WORDS
            .iter()
            .any(|word| memmem::find(bytes, word.as_bytes()).is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_anywhere() {
        assert!(!hits(b"heartbeat #12"));
        assert!(hits(b"\tat x"));
        for word in WORDS {
            let text = format!("{}{word}{}", "x".repeat(77), "y".repeat(33));
            assert!(hits(text.as_bytes()), "{word}");
        }
    }
}
