//! What makes two failures the same: a normalised text and its digest.
//!
//! Numbers, ids, addresses, times and directories change from run to run; they become `U1`, `U2`, … in the order of their first appearance,
//! the same name for the same value, so that "expected 5, got 5" and "expected 5, got 6" stay two (Kubernetes triage renames in that way).
//! The algorithm has a name and a version in every signature; another algorithm gets another version, because records name signatures.
//! Equality is exact. What only looks alike may be suggested to people ([`resemblance`]) and excuses nothing.

use std::collections::HashMap;
use std::fmt;

use gonogo_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{Failure, TestId};

/// The algorithm and its version.
pub const ALGORITHM: &str = "reason.v1";

/// Most bytes of a failure's text that are looked at.
const LOOKED: usize = 10_000;

/// Most volatile tokens that are told apart; later ones share a name.
const NAMES: usize = 1_000;

/// A failure's signature.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Signature {
    /// [`ALGORITHM`], when it was made.
    pub algorithm: String,
    /// 32 hexadecimal digits: the first 16 bytes of SHA-256 over algorithm, NUL and key.
    pub hash: String,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.hash)
    }
}

impl Signature {
    /// The signature of a failure, whichever test it is of.
    pub fn of(failure: &Failure) -> Self {
        Self::of_key(ALGORITHM, &key(failure))
    }

    /// The signature of a failure of one test.
    pub fn of_test(test: &TestId, failure: &Failure) -> Self {
        let key = format!(
            "{}\0{}\0{}\0{}",
            test.suite,
            test.class,
            test.name,
            key(failure)
        );
        Self::of_key("test+reason.v1", &key)
    }

    /// The signature of a failure by an algorithm of any version.
    pub fn by(algorithm: &Algorithm, failure: &Failure) -> Self {
        Self::of_key(algorithm.name, &(algorithm.key)(failure))
    }

    fn of_key(algorithm: &str, key: &str) -> Self {
        let bytes = hash16(algorithm, key);
        Self {
            algorithm: algorithm.to_owned(),
            hash: format!("{:032x}", u128::from_be_bytes(bytes)),
        }
    }
}

/// How signatures are made: a name with a version, and the normalised text of a failure.
#[derive(Debug, Clone, Copy)]
pub struct Algorithm {
    /// Its name and version.
    pub name: &'static str,
    /// The text whose equality counts.
    pub key: fn(&Failure) -> String,
}

/// The algorithm of this version.
pub const REASON: Algorithm = Algorithm {
    name: ALGORITHM,
    key,
};

/// The first 16 bytes of SHA-256 over algorithm, NUL and key.
pub(crate) fn hash16(algorithm: &str, key: &str) -> [u8; 16] {
    let text = [algorithm.as_bytes(), b"\0", key.as_bytes()].concat();
    let mut head = [0; 16];
    head.copy_from_slice(&Digest::of(&text).as_bytes()[..16]);
    head
}

/// The normalised text of a failure: its class and message; the first lines of its trace only where it has no message.
pub fn key(failure: &Failure) -> String {
    let class = failure.class.trim();
    let message = failure.message.trim();
    let text = if message.is_empty() {
        let lines: Vec<&str> = failure
            .trace
            .lines()
            .filter(|l| !l.trim().is_empty())
            .take(5)
            .collect();
        lines.join("\n")
    } else {
        message.to_owned()
    };
    let mut key = String::new();
    if !class.is_empty() && !text.starts_with(class) {
        key.push_str(class);
        key.push_str(": ");
    }
    key.push_str(&normalise(&text));
    key
}

/// Renames what changes from run to run.
pub fn normalise(text: &str) -> String {
    let text = &text[..floor(text, LOOKED)];
    let mut names = Names::default();
    let mut out = String::with_capacity(text.len());
    let mut before: Option<String> = None;
    for line in text.lines() {
        let mut line_out = String::with_capacity(line.len());
        mask(line.trim_end(), &mut names, &mut line_out);
        // A line that repeats says nothing more.
        if before.as_ref() == Some(&line_out) {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&line_out);
        before = Some(line_out);
    }
    out
}

/// What changes from run to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volatile {
    /// A time, a date.
    Time,
    /// A uuid, a hash, an address, a random name.
    Id,
    /// Any other number.
    Number,
}

/// Writes something else for what changes: a name, a placeholder.
pub(crate) trait Writer {
    /// For a value.
    fn put(&mut self, what: Volatile, value: &str, out: &mut String);

    /// For the first parts of an absolute path.
    fn root(&mut self, out: &mut String);
}

#[derive(Default)]
struct Names {
    known: HashMap<String, usize>,
}

impl Writer for Names {
    fn root(&mut self, out: &mut String) {
        out.push_str("…/");
    }

    fn put(&mut self, _what: Volatile, value: &str, out: &mut String) {
        let next = self.known.len() + 1;
        let n = match self.known.get(value) {
            Some(n) => *n,
            None if next <= NAMES => {
                self.known.insert(value.to_owned(), next);
                next
            }
            None => 0,
        };
        out.push('U');
        out.push_str(&n.to_string());
    }
}

fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

const fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80
}

/// Whether a byte may be within a path or a time.
const fn is_joint(b: u8) -> bool {
    matches!(b, b'/' | b'\\' | b'.' | b'-' | b':' | b'+' | b'~')
}

/// Copies a line and lets `names` write what changes in it.
pub(crate) fn mask(line: &str, names: &mut impl Writer, out: &mut String) {
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let here = bytes[at];
        if !is_word(here) && !matches!(here, b'/' | b'~') {
            // Whole characters: everything below 0x80 is one.
            out.push(char::from(here));
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len() && (is_word(bytes[end]) || is_joint(bytes[end])) {
            end += 1;
        }
        // A joint at the end belongs to the sentence.
        while end > at + 1 && is_joint(bytes[end - 1]) {
            end -= 1;
        }
        token(&line[at..end], names, out);
        at = end;
    }
}

/// A run of words and joints: a time, a path, an address, a number, or words that are masked one by one.
fn token(token: &str, names: &mut impl Writer, out: &mut String) {
    if is_time(token) {
        names.put(Volatile::Time, token, out);
        return;
    }
    if is_uuid(token) {
        names.put(Volatile::Id, token, out);
        return;
    }
    if let Some(rest) = path(token) {
        names.root(out);
        words(rest, names, out);
        return;
    }
    words(token, names, out);
}

/// What is left of an absolute path: its last two parts, which are its own and not the machine's.
fn path(token: &str) -> Option<&str> {
    let bytes = token.as_bytes();
    let drive = bytes.len() > 2
        && bytes[0].is_ascii_alphabetic()
        && bytes[1] == b':'
        && matches!(bytes[2], b'/' | b'\\');
    let rooted = matches!(bytes.first(), Some(b'/' | b'~')) || drive;
    if !rooted {
        return None;
    }
    let parts: Vec<usize> = token
        .bytes()
        .enumerate()
        .filter(|(_, b)| matches!(b, b'/' | b'\\'))
        .map(|(n, _)| n)
        .collect();
    match parts.len() {
        0 | 1 => None,
        n => Some(&token[parts[n - 2] + 1..]),
    }
}

/// Splits at joints; each word is kept or renamed. A number with a point, a sign or an exponent is one word.
fn words(token: &str, names: &mut impl Writer, out: &mut String) {
    let bytes = token.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !is_word(bytes[at]) {
            out.push(char::from(bytes[at]));
            at += 1;
            continue;
        }
        let mut end = at;
        while end < bytes.len() && is_word(bytes[end]) {
            end += 1;
        }
        let mut word = &token[at..end];
        if bytes[at].is_ascii_digit() {
            // 1.5, 1e-9, 192.168.0.1: more digits behind a point belong to it.
            while end + 1 < bytes.len() && bytes[end] == b'.' && bytes[end + 1].is_ascii_digit() {
                end += 1;
                while end < bytes.len() && is_word(bytes[end]) {
                    end += 1;
                }
            }
            let exponent = token[at..end].ends_with(['e', 'E']);
            if exponent
                && end + 1 < bytes.len()
                && matches!(bytes[end], b'-' | b'+')
                && bytes[end + 1].is_ascii_digit()
            {
                end += 1;
                while end < bytes.len() && bytes[end].is_ascii_digit() {
                    end += 1;
                }
            }
            word = &token[at..end];
        }
        self::word(word, names, out);
        at = end;
    }
}

/// Words that have digits in them and mean something.
const KEPT: [&str; 31] = [
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64", "int8",
    "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "utf8",
    "utf16", "sha1", "sha256", "sha512", "md5", "x86_64", "base64", "http2",
];

fn word(word: &str, names: &mut impl Writer, out: &mut String) {
    let bytes = word.as_bytes();
    let Some(first) = bytes.iter().position(u8::is_ascii_digit) else {
        if is_hex(word) {
            names.put(Volatile::Id, word, out);
        } else {
            out.push_str(word);
        }
        return;
    };
    let lower = word.to_ascii_lowercase();
    if KEPT.contains(&lower.as_str()) || is_code(word) {
        out.push_str(word);
        return;
    }
    // Digits alone are a number, however many.
    let is_number = bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.');
    if !is_number && (is_hex(word) || is_opaque(word)) {
        names.put(Volatile::Id, word, out);
        return;
    }
    if first == 0 {
        names.put(Volatile::Number, word, out);
        return;
    }
    // `worker12`, `tmp_a1b2`: the words stay, the numbers go.
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at].is_ascii_digit();
        let mut end = at;
        while end < bytes.len() && bytes[end].is_ascii_digit() == digits {
            end += 1;
        }
        if digits {
            names.put(Volatile::Number, &word[at..end], out);
        } else {
            out.push_str(&word[at..end]);
        }
        at = end;
    }
}

/// An error's code: one to four capitals and three to five digits (`E0308`, `TS2345`, `CS0103`).
fn is_code(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = word.len() - letters;
    (1..=4).contains(&letters)
        && (3..=5).contains(&digits)
        && word.bytes().skip(letters).all(|b| b.is_ascii_digit())
}

/// Eight hexadecimal digits and more, with a digit or a prefix among them; a word like `deadbeef` is taken for one too.
fn is_hex(word: &str) -> bool {
    let bare = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    let digits = bare.unwrap_or(word);
    let is = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
    is && (bare.is_some() || digits.len() >= 8)
}

/// Long words of mixed letters and digits: random names, tokens.
fn is_opaque(word: &str) -> bool {
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let changes = word
        .as_bytes()
        .windows(2)
        .filter(|w| w[0].is_ascii_digit() != w[1].is_ascii_digit())
        .count();
    word.len() >= 10 && digits >= 2 && changes >= 3 && !word.contains('_')
}

fn is_uuid(token: &str) -> bool {
    let groups: Vec<&str> = token.split('-').collect();
    groups.len() == 5
        && groups.iter().map(|g| g.len()).eq([8, 4, 4, 4, 12])
        && groups
            .iter()
            .all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// `2026-11-21T10:00:00.123Z` and shorter; `10:00:00`.
fn is_time(token: &str) -> bool {
    let bytes = token.as_bytes();
    let shape = |pattern: &[u8]| {
        bytes.len() >= pattern.len()
            && pattern.iter().zip(bytes).all(|(p, b)| match p {
                b'0' => b.is_ascii_digit(),
                p => p == b,
            })
    };
    let rest_is_time = |from: usize| {
        bytes[from..]
            .iter()
            .all(|b| b.is_ascii_digit() || matches!(b, b'T' | b'Z' | b':' | b'.' | b'-' | b'+'))
    };
    (shape(b"0000-00-00") && rest_is_time(10))
        || (shape(b"0000/00/00") && rest_is_time(10))
        || (shape(b"00:00:00") && rest_is_time(8))
}

/// How alike two normalised texts are, 0 to 1: the share of three-letter pieces that they have in common (Sørensen–Dice). For
/// suggestions alone.
pub fn resemblance(a: &str, b: &str) -> f64 {
    let pieces = |text: &str| {
        let mut counts: HashMap<[u8; 3], u32> = HashMap::new();
        for piece in text.as_bytes().windows(3) {
            *counts.entry([piece[0], piece[1], piece[2]]).or_default() += 1;
        }
        counts
    };
    let (a, b) = (pieces(a), pieces(b));
    let total: u32 = a.values().sum::<u32>() + b.values().sum::<u32>();
    if total == 0 {
        return 0.0;
    }
    let shared: u32 = a
        .iter()
        .map(|(piece, n)| b.get(piece).map_or(0, |m| *n.min(m)))
        .sum();
    2.0 * f64::from(shared) / f64::from(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_renamed_and_what_means_something_stays() {
        for (text, expected) in [
            ("expected 5, got 5", "expected U1, got U1"),
            ("expected 5, got 6", "expected U1, got U2"),
            (
                "expected 0.1, got 0.30000000000000004",
                "expected U1, got U2",
            ),
            ("value 1e-9 is less than -2.5", "value U1 is less than -U2"),
            ("connect 127.0.0.1:41233: refused", "connect U1:U2: refused"),
            (
                "GET http://localhost:8080/a/b?id=17",
                "GET http://localhost:U1/a/b?id=U2",
            ),
            ("at 2026-11-21T10:00:00.123Z the end", "at U1 the end"),
            ("took 10:00:01.5 then 3.2s", "took U1 then U2"),
            ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff gone", "id U1 gone"),
            ("object at 0x7f3a2b10", "object at U1"),
            ("commit 9493be9 or 9493be9aa1b2", "commit U1 or U2"),
            (
                "error[E0308]: mismatched types",
                "error[E0308]: mismatched types",
            ),
            ("TS2345: i32 is no u64, utf8", "TS2345: i32 is no u64, utf8"),
            ("worker12 lost worker7", "workerU1 lost workerU2"),
            ("open /tmp/run-123/a/b.txt: no", "open …/a/b.txt: no"),
            ("in /home/me/x/src/lib.rs:12:5", "in …/src/lib.rs:U1:U2"),
            (
                "in C:\\\\work\\\\x\\\\src\\\\lib.rs:12",
                "in …/src\\\\lib.rs:U1",
            ),
            (
                "src/lib.rs:12:5 and src/lib.rs:12:9",
                "src/lib.rs:U1:U2 and src/lib.rs:U1:U3",
            ),
            ("same\nsame\nother", "same\nother"),
            ("größe 5 ≠ 6", "größe U1 ≠ U2"),
            ("", ""),
        ] {
            let text = text.replace("\\\\", "\\");
            assert_eq!(normalise(&text), expected.replace("\\\\", "\\"), "{text}");
        }
    }

    #[test]
    fn one_cause_has_one_signature_and_two_have_two() {
        let failure = |message: &str| Failure {
            message: message.into(),
            ..Failure::default()
        };
        let of = |message: &str| Signature::of(&failure(message));
        assert_eq!(of("port 41233 in use"), of("port 51999 in use"));
        assert_ne!(of("port 41233 in use"), of("port 41233 not in use"));
        assert_ne!(of("error[E0308]"), of("error[E0433]"));
        let test = |name: &str| TestId::new("s", "", name);
        assert_ne!(
            Signature::of_test(&test("a"), &failure("x")),
            Signature::of_test(&test("b"), &failure("x"))
        );
        let signature = of("x");
        assert_eq!(
            (signature.hash.len(), signature.algorithm.as_str()),
            (32, ALGORITHM)
        );
        // What is written down must stay what it is.
        assert_eq!(
            of("port 1 in use").to_string(),
            "reason.v1:72ba1e71a79ba0c9e84d225cbf3fdeea"
        );
    }

    #[test]
    fn resemblance_orders() {
        let near = resemblance("port U1 in use by U2", "port U1 in use");
        let far = resemblance("port U1 in use by U2", "no such file");
        assert!(near > 0.7 && far < 0.3, "{near} {far}");
        assert!((resemblance("abcd", "abcd") - 1.0).abs() < 1e-12);
        assert_eq!(resemblance("", ""), 0.0);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_normalised_once(text in "\\PC*") {
            let once = normalise(&text);
            proptest::prop_assert!(once.len() <= text.len() * 6 + 16);
        }
    }
}
