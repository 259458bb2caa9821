//! What looks like a secret in a text that somebody typed: gonogo's own tokens and sessions, what a header `Authorization` holds, signed
//! tokens of issuers, private keys. Such a text is refused before it is kept, and no error repeats it.
//!
//! It guards against slips, not against intent: a text that is cut or encoded is not recognised.

use std::ops::Range;

use gonogo_core::Reason;
use serde_json::Value;

use crate::AppError;
use crate::access::{sessions, tokens};
use crate::config::secret::{is_secret_name, is_secret_value};

/// The shortest run of characters that is taken for a credential.
const SHORTEST: usize = 16;

/// What stands in the place of one.
const MASK: &str = "[a secret]";

/// Characters of tokens (RFC 6750, section 2.1).
const fn of_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

/// How long the run of a token's characters is at `at`.
fn run(text: &str, at: usize) -> usize {
    text.as_bytes()[at..]
        .iter()
        .take_while(|b| of_token(**b))
        .count()
}

/// Whether a run is none of a language's words.
fn is_random(run: &str) -> bool {
    let upper = run.bytes().skip(1).any(|b| b.is_ascii_uppercase());
    run.len() >= SHORTEST && (upper || run.bytes().any(|b| b.is_ascii_digit()))
}

/// Where behind `at` the next word begins.
fn behind_blanks(text: &str, at: usize) -> usize {
    let blanks = text.as_bytes()[at..].iter();
    at + blanks
        .take_while(|b| matches!(b, b' ' | b'\t' | b':' | b'"' | b'\''))
        .count()
}

/// Places in a text that look like secrets, in order, none within another.
fn places(text: &str) -> Vec<Range<usize>> {
    if let Some(at) = text.find("-----BEGIN ").filter(|_| is_secret_value(text)) {
        return std::iter::once(at..text.len()).collect();
    }
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut take = |from: usize, to: usize| {
        if found.iter().all(|f| to <= f.start || f.end <= from) {
            found.push(from..to);
        }
    };
    let cookie = sessions::COOKIE.to_ascii_lowercase();
    for (word, whole) in [
        (tokens::PREFIX, true),
        ("whsec_", true),
        ("xoxa-", true),
        ("xoxb-", true),
        ("xoxp-", true),
        ("xapp-", true),
        ("ghp_", true),
        ("gho_", true),
        ("ghu_", true),
        ("ghs_", true),
        ("ghr_", true),
        ("github_pat_", true),
        ("glpat-", true),
        ("sk-ant-", true),
        ("sk-proj-", true),
        ("sk_live_", true),
        ("rk_live_", true),
        ("npm_", true),
        ("pypi-", true),
        ("aizasy", true),
        ("eyj", true),
        (cookie.as_str(), true),
        ("bearer", false),
        ("basic", false),
        ("authorization", false),
    ] {
        for (at, _) in lower.match_indices(word) {
            let end = at + word.len();
            // A scheme is a word of its own; a token says by its own begin what it is.
            let from = if whole { at } else { behind_blanks(text, end) };
            let to = from + run(text, from);
            let dots = text[from..to].matches('.').count();
            let fits = match word {
                "eyj" => text[from..].starts_with("eyJ") && dots == 2,
                _ => whole || from > end,
            };
            if fits && is_random(&text[from..to]) {
                take(from, to);
            }
        }
    }
    for (at, sign) in text.match_indices(['=', ':']) {
        // The name before it, without blanks and quotes.
        let before = text[..at].trim_end_matches([' ', '"', '\'']);
        let named = |b: char| b.is_ascii_alphanumeric() || matches!(b, '_' | '-' | '.');
        let name = &before[before.trim_end_matches(named).len()..];
        if name.is_empty() || !is_secret_name(name) {
            continue;
        }
        let from = behind_blanks(text, at + 1);
        let to = from + run(text, from);
        let value = &text[from..to];
        let digit = value.bytes().any(|b| b.is_ascii_digit());
        // `token: expired` is a sentence, `token=expired1` is a setting.
        let fits = match sign {
            "=" => value.len() >= 6 && digit,
            _ => is_random(value),
        };
        if fits {
            take(from, to);
        }
    }
    let mut at = 0;
    for part in text.split_inclusive(char::is_whitespace) {
        let word = part.trim_end();
        if is_secret_value(word) {
            take(at, at + word.len());
        }
        at += part.len();
    }
    found.sort_by_key(|f| f.start);
    found
}

/// Whether a text looks as if a secret were in it.
pub fn is_secret(text: &str) -> bool {
    !places(text).is_empty()
}

/// The text with a mask in the place of each secret.
pub(crate) fn masked(text: String) -> String {
    let found = places(&text);
    if found.is_empty() {
        return text;
    }
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    for place in found {
        out.push_str(&text[at..place.start]);
        out.push_str(MASK);
        at = place.end;
    }
    out.push_str(&text[at..]);
    out
}

/// A value with a mask in the place of each secret in its texts.
pub(crate) fn masked_in(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked(text)),
        Value::Array(all) => all.into_iter().map(masked_in).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (masked(key), masked_in(value)))
            .collect(),
        other => other,
    }
}

/// Refuses a text that would be kept and looks as if a secret were in it.
///
/// # Errors
/// [`Reason::SecretInInput`] with the place, and without the text.
pub(crate) fn refuse(text: &str, place: &str) -> Result<(), AppError> {
    if places(text).is_empty() {
        return Ok(());
    }
    let what =
        format!("`{place}` holds what looks like a token or another secret, and would be kept");
    Err(AppError::new(Reason::SecretInInput, what).with("path", place))
}

/// As [`refuse`], for every text of an input.
///
/// # Errors
/// As [`refuse`]: the first one.
pub(crate) fn refuse_in(value: &Value, place: &str) -> Result<(), AppError> {
    match value {
        Value::String(text) => refuse(text, place),
        Value::Array(all) => {
            let mut all = all.iter().enumerate();
            all.try_for_each(|(n, one)| refuse_in(one, &format!("{place}[{n}]")))
        }
        Value::Object(map) => map.iter().try_for_each(|(key, one)| {
            refuse(key, place)?;
            refuse_in(one, &format!("{place}.{key}"))
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "gng_0k3tq9zz4w1x_Zb9uXv0c1kQ2w3E4r5T6y7U8i9O0pAsDfGhJkLzXcVb";

    #[test]
    fn tokens_and_headers_are_masked_wherever_they_stand() {
        for (text, told) in [
            (format!("see {TOKEN}, it works"), "see [a secret], it works"),
            (
                format!("Authorization: Bearer {TOKEN}"),
                "Authorization: Bearer [a secret]",
            ),
            (
                "authorization: basic ZGFuYTpodW50ZXIyMjI=".into(),
                "authorization: basic [a secret]",
            ),
            (
                "curl -H 'authorization: 0123456789abcdef0'".into(),
                "curl -H 'authorization: [a secret]'",
            ),
            (
                "at https://ada:hunter2@id.example/ it is".into(),
                "at [a secret] it is",
            ),
            (
                "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl ok".into(),
                "[a secret] ok",
            ),
            (
                "with password=hunter2hunter2, and so on".into(),
                "with password=[a secret], and so on",
            ),
            (
                "api_key: 9f8e7d6c5b4a39281706f5e4d3c2b1a0".into(),
                "api_key: [a secret]",
            ),
            (
                "a ghp_0123456789abcdefghijABCDEFGHIJ012345 b".into(),
                "a [a secret] b",
            ),
            ("xoxb-123456789012-abcdefghijklmnop".into(), "[a secret]"),
            (
                "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789".into(),
                "[a secret]",
            ),
            (
                "a whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw b".into(),
                "a [a secret] b",
            ),
        ] {
            assert_eq!(masked(text.clone()), told);
            let refused = refuse(&text, "$.why").unwrap_err();
            assert_eq!(refused.reason, Reason::SecretInInput);
            assert!(!refused.message.contains("hunter2") && !refused.message.contains("Zb9u"));
        }
    }

    #[test]
    fn what_people_write_is_left_alone() {
        for text in [
            "the bearer of bad news: basic authentication is broken",
            "basic internationalization of the login page",
            "token: expired; password: see the vault; the secret: none",
            "token_count=128000, secret_name=prod2/db1, password=$PASSWORD1",
            "the npm_config_cache is full",
            "authorization: pending, see gng_ in the docs",
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "pln_0k3tq9zz4w1x supersedes https://tracker.example/issues/4711?view=all",
            "Grüße aus Köln – alles läuft",
        ] {
            assert_eq!(masked(text.to_owned()), text);
            assert!(refuse(text, "$").is_ok());
        }
    }
}
