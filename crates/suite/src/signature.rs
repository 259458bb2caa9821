//! What makes two failures the same: a normalised text and its digest.
//!
//! Ids, addresses, times, durations, sizes, ports, process ids and directories change from run to run; they become `U1`, `U2`, … in the order of
//! their first appearance, the same name for the same value (Kubernetes triage renames in that way). Numbers that say what went wrong stay:
//! statuses, exit codes, error numbers, signals, small values of an expectation (`number` decides), so that an excuse for one is none for another.
//! The algorithm has a name and a version in every signature; another algorithm gets another version, because records name signatures.
//! `reason.v1` renamed every number; its signatures are compared with none of this version.
//! Equality is exact. What only looks alike may be suggested to people ([`resemblance`]) and excuses nothing.

mod number;
mod path;
pub(crate) mod telling;
mod time;

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use gonogo_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{Failure, TestId};

/// The algorithm and its version.
pub const ALGORITHM: &str = "reason.v2";

/// The algorithm of signatures of one test.
pub const OF_TEST: &str = "test+reason.v2";

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
        Self::of_key(OF_TEST, &key)
    }

    /// Whether it is that of a failure that says nothing ([`is_mute`]), as [`Signature::of`] makes it.
    pub fn is_of_nothing(&self) -> bool {
        *self == Self::of_key(ALGORITHM, "")
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

/// The normalised text of a failure: its class and message, and of its trace the values and causes; where the message says nothing, all of the
/// trace that is no frame and no source. Empty if the failure says nothing.
pub fn key(failure: &Failure) -> String {
    let class = failure.class.trim();
    let text = telling::text(failure);
    let mut key = String::new();
    if text.is_empty() && telling::is_mute(class) {
        return String::new();
    }
    if !class.is_empty() && !text.starts_with(class) {
        key.push_str(class);
        key.push_str(": ");
    }
    key.push_str(&normalise(&text));
    key
}

/// Whether a failure says nothing of why: any other that says nothing has its signature too, so no excuse may name it.
pub fn is_mute(failure: &Failure) -> bool {
    key(failure).is_empty()
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
    /// A number that its place shows to be one of the run: a port, a process, a line, a duration, a count of bytes; or a long one.
    Number,
}

/// Writes something else for what changes: a name, a placeholder.
pub(crate) trait Writer {
    /// How many of the last parts of an absolute path are its own.
    const PARTS: usize;

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
    const PARTS: usize = 1;

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

/// The nearest border of characters at or before a place.
pub(crate) fn floor(text: &str, at: usize) -> usize {
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
pub(crate) fn mask<W: Writer>(line: &str, names: &mut W, out: &mut String) {
    let mut at = 0;
    for time in time::all(line) {
        tokens(line, at..time.start, names, out);
        names.put(Volatile::Time, &line[time.clone()], out);
        at = time.end;
    }
    tokens(line, at..line.len(), names, out);
}

fn tokens<W: Writer>(line: &str, range: Range<usize>, names: &mut W, out: &mut String) {
    let bytes = line.as_bytes();
    let mut at = range.start;
    while at < range.end {
        let here = bytes[at];
        if !is_word(here) && !matches!(here, b'/' | b'~') {
            // Whole characters: everything below 0x80 is one.
            out.push(char::from(here));
            at += 1;
            continue;
        }
        let mut end = at;
        while end < range.end && (is_word(bytes[end]) || is_joint(bytes[end])) {
            end += 1;
        }
        // A joint at the end belongs to the sentence.
        while end > at + 1 && is_joint(bytes[end - 1]) {
            end -= 1;
        }
        token(line, at..end, names, out);
        at = end;
    }
}

/// A run of words and joints: a path, an address, a number, or words that are masked one by one.
fn token<W: Writer>(line: &str, range: Range<usize>, names: &mut W, out: &mut String) {
    let token = &line[range.clone()];
    if is_uuid(token) {
        names.put(Volatile::Id, token, out);
        return;
    }
    match path::cut(token, W::PARTS) {
        None => words(line, range, names, out),
        Some(path::Cut::Below(from)) => {
            names.root(out);
            words(line, range.start + from..range.end, names, out);
        }
        Some(path::Cut::Random(name)) => {
            names.root(out);
            let name = range.start + name.start..range.start + name.end;
            names.put(Volatile::Id, &line[name.clone()], out);
            words(line, name.end..range.end, names, out);
        }
        Some(path::Cut::Whole) => names.root(out),
    }
}

/// Splits at joints; each word is kept or renamed. A number with a point, a sign or an exponent is one word.
fn words<W: Writer>(line: &str, range: Range<usize>, names: &mut W, out: &mut String) {
    let bytes = &line.as_bytes()[..range.end];
    let mut at = range.start;
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
        if bytes[at].is_ascii_digit() {
            // 1.5, 1e-9, 192.168.0.1: more digits behind a point belong to it.
            while end + 1 < bytes.len() && bytes[end] == b'.' && bytes[end + 1].is_ascii_digit() {
                end += 1;
                while end < bytes.len() && is_word(bytes[end]) {
                    end += 1;
                }
            }
            let exponent = line[at..end].ends_with(['e', 'E']);
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
        }
        word(line, at..end, names, out);
        at = end;
    }
}

/// Words that have digits in them and mean something.
const KEPT: [&str; 31] = [
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64", "int8",
    "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64", "utf8",
    "utf16", "sha1", "sha256", "sha512", "md5", "x86_64", "base64", "http2",
];

fn word<W: Writer>(line: &str, range: Range<usize>, names: &mut W, out: &mut String) {
    let word = &line[range.clone()];
    let bytes = word.as_bytes();
    let Some(first) = bytes.iter().position(u8::is_ascii_digit) else {
        if is_hex(word) {
            names.put(Volatile::Id, word, out);
        } else if time::is_name(word) {
            names.put(Volatile::Time, word, out);
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
    if !is_number && (is_hex(word) || is_opaque(word) || path::is_made(word)) {
        names.put(Volatile::Id, word, out);
        return;
    }
    if first == 0 {
        match number::of(line, range) {
            number::Is::Time => names.put(Volatile::Time, word, out),
            number::Is::Noise => names.put(Volatile::Number, word, out),
            number::Is::Value => out.push_str(word),
        }
        return;
    }
    // `worker12`, `tmp_a1b2`: the words stay, the numbers of the run go.
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at].is_ascii_digit();
        let mut end = at;
        while end < bytes.len() && bytes[end].is_ascii_digit() == digits {
            end += 1;
        }
        if digits && number::is_counter(&lower[..at], end - at) {
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
            ("expected 5, got 6", "expected 5, got 6"),
            (
                "expected 0.1, got 0.30000000000000004",
                "expected 0.1, got U1",
            ),
            (
                "value 1e-9 is less than -2.5",
                "value 1e-9 is less than -2.5",
            ),
            ("HTTP 404 and status=503", "HTTP 404 and status=503"),
            (
                "exit code 3221225477, errno 13",
                "exit code 3221225477, errno 13",
            ),
            (
                "[Errno 111] refused (os error 28)",
                "[Errno 111] refused (os error 28)",
            ),
            (
                "it ended with 70000 by signal 11",
                "it ended with 70000 by signal 11",
            ),
            ("1234567 rows, 99 columns", "U1 rows, 99 columns"),
            ("connect 127.0.0.1:41233: refused", "connect U1:U2: refused"),
            (
                "port 80 of db:5432, [::1]:443",
                "port U1 of db:U2, [::1]:U3",
            ),
            ("status:503 ratio 16:9", "status:503 ratio 16:9"),
            (
                "GET http://localhost:8080/a/b?id=17",
                "GET http://localhost:U1/a/b?id=U2",
            ),
            ("GET /api/v1/users 404", "GET /api/v1/users 404"),
            ("at 2026-11-21T10:00:00.123Z the end", "at U1 the end"),
            ("2026-11-21 10:00:00,123 ERROR x", "U1 ERROR x"),
            ("on Sat, 22 Nov 2026 07:28:00 GMT it", "on U1 it"),
            ("Sat Nov 22 07:28:00 2026: x", "U1: x"),
            ("[22/Nov/2026:07:28:00 +0000] x", "[U1] x"),
            ("Nov 22 07:28:00 host x", "U1 host x"),
            ("closed on Saturday in November", "closed on U1 in U2"),
            ("t=1732264862 or 1732264862123", "t=U1 or U2"),
            ("took 10:00:01.5 then 3.2s", "took U1 then U2"),
            (
                "took 1.5 seconds, 35 ms, 12 MiB, 99%",
                "took U1 seconds, U2 ms, U3 MiB, U4%",
            ),
            (
                "pid 4711 (thread 12), line 7, seed=42",
                "pid U1 (thread U2), line U3, seed=U4",
            ),
            (
                "a.ts(12,5) A.java:[3,8] f(2,3)",
                "a.ts(U1,U2) A.java:[U3,U4] f(2,3)",
            ),
            ("==123==ERROR: x", "==U1==ERROR: x"),
            ("id 6f9619ff-8b86-d011-b42d-00cf4fc964ff gone", "id U1 gone"),
            ("object at 0x7f3a2b10", "object at U1"),
            ("commit 9493be9aa1b2", "commit U1"),
            (
                "error[E0308]: mismatched types",
                "error[E0308]: mismatched types",
            ),
            ("TS2345: i32 is no u64, utf8", "TS2345: i32 is no u64, utf8"),
            (
                "worker12 lost worker7, field2",
                "workerU1 lost workerU2, field2",
            ),
            ("open /tmp/run-123/a/b.txt: no", "open …/b.txt: no"),
            (
                "open /tmp/pytest-of-ana/pytest-12/test_a0/f.txt",
                "open …/f.txt",
            ),
            ("open /tmp/pytest-of-ana/pytest-12", "open …/"),
            (
                "open /var/folders/zz/a1b2c3/T/tmpab_12cd/f.txt",
                "open …/f.txt",
            ),
            (
                "open /tmp/tmpab_12cd or /tmp/tmp.Ab12Cd34Ef",
                "open …/U1 or …/U2",
            ),
            ("open /tmp/lock", "open …/lock"),
            ("in /home/me/x/src/lib.rs:12:5", "in …/lib.rs:U1:U2"),
            ("in /home/me/x and /usr/bin/ld", "in …/ and /usr/bin/ld"),
            ("in C:\\work\\x\\src\\lib.rs:12", "in …/lib.rs:U1"),
            (
                "src/lib.rs:12:5 and src/lib.rs:12:9",
                "src/lib.rs:U1:U2 and src/lib.rs:U1:U3",
            ),
            ("same\nsame\nother", "same\nother"),
            ("größe 5 ≠ 6", "größe 5 ≠ 6"),
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
        // What an excuse for the one must not excuse.
        for (one, other) in [
            ("HTTP 404", "HTTP 503"),
            ("expected 3 got 4", "expected 3 got 5"),
            ("exit code 1", "exit code 2"),
            ("[Errno 13] x", "[Errno 28] x"),
            ("signal 9", "signal 11"),
            ("error #x: -1", "error #x: 1"),
        ] {
            assert_ne!(of(one), of(other), "{one}");
        }
        // What differs by run and place alone.
        for (one, other) in [
            (
                "open /home/a/shop/t/x.py: no",
                "open /tmp/replay-x1/tree/t/x.py: no",
            ),
            ("cwd /home/a/shop", "cwd /home/runner/work/shop/shop"),
            (
                "Sat Nov 22 07:28:00 2026 lost",
                "Sun Nov 23 17:08:01 2026 lost",
            ),
            ("2026-11-21 10:00:00 lost", "2026-12-01T01:02:03.5Z lost"),
            ("at 1732264862123", "at 1732264999001"),
        ] {
            assert_eq!(of(one), of(other), "{one}");
        }
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
            "reason.v2:9bb74854ef8badac74cb8f6d9f0c492a"
        );
    }

    #[test]
    fn the_trace_tells_apart_what_the_message_does_not() {
        let of = |class: &str, message: &str, trace: &str| {
            Signature::of(&Failure {
                class: class.into(),
                message: message.into(),
                trace: trace.into(),
                ..Failure::default()
            })
        };
        let jest = |got: u32, line: u32| {
            of(
                "",
                "expect(received).toBe(expected)",
                &format!("Expected: 200\nReceived: {got}\n    at f (/a{line}/b.js:{line}:4)"),
            )
        };
        assert_ne!(jest(404, 1), jest(503, 1));
        assert_eq!(jest(404, 1), jest(404, 9));
        let go = |said: &str| {
            of(
                "",
                "Failed",
                &format!("=== RUN   T\n    a_test.go:7: {said}"),
            )
        };
        assert_ne!(go("charged twice"), go("connection refused"));
        assert_eq!(go("port 41233 in use"), go("port 41999 in use"));
        // Nothing is said.
        let nothing = of("", "Failed", "    at f (/a/b.js:1:2)\n");
        assert!(nothing.is_of_nothing() && of("", "", "").is_of_nothing());
        assert!(of("AssertionError", "", "").is_of_nothing());
        assert!(!of("ConnectException", "", "").is_of_nothing());
        assert!(!go("x").is_of_nothing());
    }

    #[test]
    fn resemblance_orders() {
        let near = resemblance("port U1 in use by U2", "port U1 in use");
        let far = resemblance("port U1 in use by U2", "no such file");
        assert!(near > 0.7 && far < 0.3, "{near} {far}");
        assert!((resemblance("abcd", "abcd") - 1.0).abs() < 1e-12);
        assert_eq!(resemblance("", ""), 0.0);
    }

    #[test]
    fn time_grows_with_the_text_alone() {
        struct Count(usize);
        impl Writer for Count {
            const PARTS: usize = 2;
            fn put(&mut self, _: Volatile, _: &str, _: &mut String) {
                self.0 += 1;
            }
            fn root(&mut self, _: &mut String) {}
        }
        for piece in ["1:", "1.", "/a", "a_1", "(1,", "Nov 2", "== ", "-1 "] {
            let mut count = Count(0);
            mask(
                &piece.repeat((1 << 20) / piece.len()),
                &mut count,
                &mut String::new(),
            );
            assert!(count.0 <= 1 << 20, "{piece}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_normalised_once(text in "\\PC*") {
            let once = normalise(&text);
            proptest::prop_assert!(once.len() <= text.len() * 6 + 16);
        }
    }
}
