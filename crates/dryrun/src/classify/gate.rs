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
    "(most recent call",
    ".pl line ",
    ".pm line ",
    ".t line ",
    ".cgi line ",
    ".psgi line ",
    "-e line ",
    "Died at ",
    "#0 ",
    "BUG: ",
    "kernel BUG",
    "Oops: ",
    "Oops [#",
    "protection fault",
    "handle kernel ",
    "Internal error: ",
    "invalid opcode: ",
    "divide error: ",
    "WARNING: CPU: ",
    "blocked for more",
    "detected stall",
    "UBSAN: ",
    "hard LOCKUP",
    "recondition failed",
    "ut of memory",
    "Killed",
    " Aborted ",
    "segfault at ",
    "Failed with result",
    "never retrieved",
    "Task timed out",
    " char:",
    "Line |",
    ".zig:",
];

/// With more than 64 words the searcher is only built if it is asked to be; without it every word is a search of its own.
static SEARCHER: LazyLock<Option<Searcher>> = LazyLock::new(|| {
    Config::new()
        .heuristic_pattern_limits(false)
        .builder()
        .extend(WORDS)
        .build()
});

/// Shorter texts are not worth the searcher's beginning.
const SHORT: usize = 96;

/// Which three bytes words begin with, by their hash: wide, so that few others have the same.
static THREES: LazyLock<Box<[u64; 1024]>> = LazyLock::new(|| {
    let mut set = Box::new([0; 1024]);
    for word in WORDS {
        if let [a, b, c, ..] = word.as_bytes() {
            let hash = hash(*a, *b, *c);
            set[hash >> 6] |= 1 << (hash & 63);
        }
    }
    set
});

#[inline]
const fn hash(a: u8, b: u8, c: u8) -> usize {
    let three = (a as u32) | (b as u32) << 8 | (c as u32) << 16;
    (three.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

/// Whether a word is in `bytes`.
#[inline]
pub(crate) fn hits(bytes: &[u8]) -> bool {
    if bytes.len() < SHORT {
        let threes = &**THREES;
        return bytes.windows(3).enumerate().any(|(at, three)| {
            let hash = hash(three[0], three[1], three[2]);
            threes[hash >> 6] >> (hash & 63) & 1 == 1 && begins(&bytes[at..])
        });
    }
    searched(bytes)
}

/// Returns how many of the last bytes of `bytes` may be the beginning of a word that goes on behind them.
pub(crate) fn overlap(bytes: &[u8]) -> usize {
    WORDS
        .iter()
        .flat_map(|word| (1..word.len()).map(move |count| &word.as_bytes()[..count]))
        .filter(|begin| bytes.ends_with(begin))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// Whether a text begins with a word.
#[cold]
fn begins(bytes: &[u8]) -> bool {
    WORDS.iter().any(|word| bytes.starts_with(word.as_bytes()))
}

fn searched(bytes: &[u8]) -> bool {
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
            assert!(hits(word.as_bytes()), "{word}");
            assert!(hits(text.as_bytes()), "{word}");
        }
    }
}
