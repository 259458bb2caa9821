//! Looks for what has the shape of a secret: the last door before a cassette is kept, and what `lint` looks with.

use std::io::{self, Read};
use std::sync::LazyLock;

use regex::bytes::{Regex, RegexSet};

use crate::redact::Secrets;

/// Shapes of well-known secrets, from their issuers' documentation: what is found, and how it looks.
const SHAPES: [(&str, &str); 10] = [
    ("an `sk-` key", r"(?-u)\bsk-[A-Za-z0-9_-]{16,}"),
    (
        "a GitHub token",
        r"(?-u)\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})",
    ),
    ("an AWS access key", r"(?-u)\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    (
        "a JSON web token",
        r"(?-u)\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    ),
    (
        "a bearer token",
        r"(?i-u)\bbearer(?:\s|\+|%20){1,4}[A-Za-z0-9._~+/=-]{12,}",
    ),
    ("a Slack token", r"(?-u)\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a Google API key", r"(?-u)\bAIza[0-9A-Za-z_-]{35}"),
    ("a GitLab token", r"(?-u)\bglpat-[A-Za-z0-9_-]{16,}"),
    ("an npm token", r"(?-u)\bnpm_[A-Za-z0-9]{36}"),
    (
        "a private key",
        r"(?-u)-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    ),
];

/// What follows the word `Bearer` in prose.
const PROSE: [&str; 5] = [
    "authentication",
    "authorization",
    "authenticated",
    "authenticate",
    "authorizations",
];

static SET: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(SHAPES.map(|(_, shape)| shape)).expect("invariant: constant patterns")
});
static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let compile = |(_, shape): &(&str, &str)| Regex::new(shape);
    let all = SHAPES.iter().map(compile).collect::<Result<_, _>>();
    all.expect("invariant: constant patterns")
});

/// Bytes read at a time, and how much of them is looked at again with the next.
const WINDOW: usize = 1 << 20;
const OVERLAP: usize = 8 << 10;

/// Finds what looks like a secret in `bytes`, or is one of `known`; each in words that do not repeat it.
pub(crate) fn scan(bytes: &[u8], known: &Secrets) -> Vec<String> {
    let mut found = Vec::new();
    for shape in SET.matches(bytes) {
        for hit in EACH[shape].find_iter(bytes) {
            let text = String::from_utf8_lossy(hit.as_bytes());
            let token = text.rsplit([' ', '+']).next().unwrap_or_default();
            let prose = PROSE.contains(&token.trim_matches('.').to_ascii_lowercase().as_str());
            if !prose {
                let begin: String = text.chars().take(4).collect();
                let line = format!("{} (`{begin}…`, {} bytes)", SHAPES[shape].0, text.len());
                found.push(line);
                break;
            }
        }
    }
    if !known.places(bytes).is_empty() {
        found.push("a secret that was seen in a request".into());
    }
    found
}

/// [`scan`] of a file of any length.
pub(crate) fn scan_stream(mut from: impl Read, known: &Secrets) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut buffer = Vec::with_capacity(WINDOW + OVERLAP);
    loop {
        let kept = buffer.len();
        let read = from.by_ref().take(WINDOW as u64).read_to_end(&mut buffer)?;
        if read == 0 {
            return Ok(found);
        }
        for text in scan(&buffer, known) {
            if !found.contains(&text) {
                found.push(text);
            }
        }
        let tail = buffer.len().saturating_sub(OVERLAP);
        buffer.drain(..tail.min(kept + read));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_found_and_never_repeated() {
        let none = Secrets::default();
        for secret in [
            "sk-proj-abcdefghijklmnop1234",
            "ghp_0123456789abcdefghij0123456789abcdef",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
            "Authorization: Bearer abcdefghijklmnop",
            "bearer%20ABCDEFGHIJKL",
            "xoxb-1234567890-abcdef",
            "-----BEGIN EC PRIVATE KEY-----",
        ] {
            let found = scan(format!("text {secret} text").as_bytes(), &none);
            assert_eq!(found.len(), 1, "{secret}: {found:?}");
            assert!(!found[0].contains(secret));
        }
        for harmless in [
            "Bearer authentication is needed",
            "bearer [REDACTED]",
            "Bearer realm=\"x\"",
            "task-management-of-everything",
            "risk-averse-investors-and-others",
            "sk-[REDACTED]",
        ] {
            assert_eq!(
                scan(harmless.as_bytes(), &none),
                Vec::<String>::new(),
                "{harmless}"
            );
        }
    }

    #[test]
    fn a_secret_across_two_windows_is_found() {
        let none = Secrets::default();
        for at in [WINDOW - 10, WINDOW - 1, WINDOW, 3 * WINDOW - 5] {
            let mut text = vec![b' '; at];
            text.extend(b"ghp_0123456789abcdefghij0123456789abcdef tail");
            assert_eq!(scan_stream(&text[..], &none).unwrap().len(), 1, "{at}");
        }
        assert!(
            scan_stream(&vec![b'x'; 3 * WINDOW][..], &none)
                .unwrap()
                .is_empty()
        );
    }
}
