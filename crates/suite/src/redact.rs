//! Secrets taken out of what a run keeps, before it is kept.
//!
//! Known forms of tokens, values behind names that mean a secret, credentials in URLs, private keys in PEM, the user's own patterns, and
//! the very values of variables whose names mean a secret. It works line by line on bytes, so that logs of any size pass in bounded memory;
//! a private key's lines are taken out until its end. What it takes out becomes [`MARK`], which no pattern is applied to again.
//!
//! In a report a name may differ from another only by what is taken out: `t[password=…]`. There the mark carries a digest of the value, so that
//! two names stay two and one name stays one over runs. It is keyed (HMAC-SHA256, 48 bits of it): short secrets are guessed from a plain digest in
//! no time, salted or not, because the salt would lie beside it; a salt for each run would make every test a new one. The key is the
//! project's and no part of any artifact, so who has only artifacts can tell equal from different and nothing else.

use std::borrow::Cow;

use gonogo_core::Digest;
use regex::bytes::{Captures, Regex, RegexBuilder};

/// Stands in the place of a secret.
pub const MARK: &str = "[REDACTED]";

/// How every mark begins, with a digest or without.
pub const PREFIX: &str = "[REDACTED";

/// Hexadecimal digits of a value's digest in a mark.
const DIGITS: usize = 12;

/// Fewest bytes of a variable's value that is looked for: shorter ones are words that stand everywhere.
const SHORTEST: usize = 8;

/// Fewest bytes of one line of a variable's value.
const SHORTEST_LINE: usize = 16;

/// Tokens by their own form, and values behind names. The group `v` is what is taken out.
const FORMS: [&str; 6] = [
    r"\b(?P<a>sk-|rk-|key-|ghp_|gho_|ghu_|ghs_|ghr_|github_pat_|glpat-|xox[abeoprs]-|npm_|pypi-|dop_v1_|hf_)(?P<v>[A-Za-z0-9_\-]{16,})",
    r"\b(?P<v>(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[0-9A-Za-z_\-]{35})\b",
    r"(?P<v>eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,})",
    r"(?i)\b(?P<a>(?:bearer|basic)\s+)(?P<v>[A-Za-z0-9._~+/\-]{12,}=*)",
    r#"(?i)(?P<a>\b[a-z0-9_\-]*(?:api[_\-]?key|access[_\-]?token|refresh[_\-]?token|auth[_\-]?token|client[_\-]?secret|private[_\-]?key|password|passwd|secret|set-cookie|cookie|authorization)\\?["']?\s*[:=]\s*(?:\\?["'])?)(?P<v>[^\s"'\\,;&<>\[\]{}():=][^\s"'\\,;&<>{}()]{3,})"#,
    r"(?i)(?P<a>\b[a-z][a-z0-9+.\-]*://[^\s/@:]*:)(?P<v>[^\s/@]{1,256})(?P<z>@)",
];

/// Takes secrets out.
#[derive(Debug)]
pub struct Redactor {
    forms: Vec<Regex>,
    own: Vec<Regex>,
    values: Option<Regex>,
    key: Option<[u8; 32]>,
}

/// A pattern that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the pattern `{pattern}` for what is to be redacted cannot be used: {why}")]
pub struct RedactError {
    /// As given.
    pub pattern: String,
    /// Why.
    pub why: String,
}

/// Where in a stream of lines it is.
#[derive(Debug, Default)]
pub struct Within {
    /// Inside of a private key.
    key: bool,
    /// Whether names may depend on what is taken out, so that marks tell different values apart.
    distinct: bool,
    /// How many places were taken out.
    pub taken: u64,
}

impl Within {
    /// The beginning of a report, in which names must stay apart.
    pub fn report() -> Self {
        Self {
            distinct: true,
            ..Self::default()
        }
    }
}

impl Redactor {
    /// Makes one. `own` are the user's patterns, `secrets` values that must not appear whatever they look like.
    ///
    /// # Errors
    /// A pattern that is none, or matches everything.
    pub fn new(own: &[String], secrets: &[String]) -> Result<Self, RedactError> {
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .unicode(false)
                .size_limit(4 << 20)
                .build()
        };
        let refused = |pattern: &str, why: String| RedactError {
            pattern: pattern.chars().take(200).collect(),
            why,
        };
        let mut kept = Vec::new();
        for pattern in own {
            let regex = Regex::new(pattern).map_err(|e| refused(pattern, e.to_string()))?;
            if regex.is_match(b"") {
                return Err(refused(pattern, "it matches everything".into()));
            }
            kept.push(regex);
        }
        let forms = FORMS
            .iter()
            .map(|form| build(form).map_err(|e| refused(form, e.to_string())))
            .collect::<Result<_, _>>()?;
        // A value of several lines is met line by line.
        let lines = secrets
            .iter()
            .filter(|value| value.contains('\n'))
            .flat_map(|value| value.lines())
            .filter(|line| line.len() >= SHORTEST_LINE);
        let mut values: Vec<String> = secrets
            .iter()
            .map(String::as_str)
            .filter(|value| value.len() >= SHORTEST && *value != MARK)
            .chain(lines)
            .map(written)
            .collect();
        // The longest first: one value may begin another.
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        let values = match values.is_empty() {
            true => None,
            false => Some(
                Regex::new(&values.join("|"))
                    .map_err(|e| refused("values of variables", e.to_string()))?,
            ),
        };
        Ok(Self {
            forms,
            own: kept,
            values,
            key: None,
        })
    }

    /// With the key by which marks in reports tell different values apart; without one they do not.
    #[must_use]
    pub fn keyed(mut self, key: [u8; 32]) -> Self {
        self.key = Some(key);
        self
    }

    /// What stands in the place of a value.
    fn mark(&self, value: &[u8], within: &Within) -> Vec<u8> {
        match self.key.as_ref().filter(|_| within.distinct) {
            None => MARK.as_bytes().to_vec(),
            Some(key) => {
                let digest = hmac(key, value);
                format!("{PREFIX}:{}]", &digest[..DIGITS]).into_bytes()
            }
        }
    }

    /// Takes the secrets out of a line, its end included; `within` goes on from line to line.
    pub fn line<'a>(&self, line: &'a [u8], within: &mut Within) -> Cow<'a, [u8]> {
        const BEGIN: &[u8] = b"-----BEGIN ";
        const END: &[u8] = b"-----END ";
        let private = |line: &[u8]| memchr::memmem::find(line, b"PRIVATE KEY-----").is_some();
        if within.key {
            // What stands behind the key's end belongs to whatever the key is quoted in: an element's end, the next field.
            let behind = memchr::memmem::find(line, END).map(|end| &line[end + END.len()..]);
            let Some(behind) = behind else {
                return Cow::Borrowed(if line.ends_with(b"\n") { b"\n" } else { b"" });
            };
            within.key = false;
            let dashes = memchr::memmem::find(behind, b"-----").map_or(0, |at| at + 5);
            return Cow::Owned(self.line(&behind[dashes..], within).into_owned());
        }
        let mut out = Cow::Borrowed(line);
        if let Some(at) = memchr::memmem::find(line, BEGIN)
            && private(&line[at..])
        {
            // A key on one line, as JSON writes it, ends there too.
            let end = memchr::memmem::find(&line[at..], END).map(|e| at + e);
            within.taken += 1;
            let mut kept = line[..at].to_vec();
            kept.extend_from_slice(MARK.as_bytes());
            match end {
                Some(end) => kept.extend_from_slice(&line[end..]),
                None => {
                    within.key = true;
                    kept.push(b'\n');
                }
            }
            out = Cow::Owned(kept);
        }
        match memchr::memmem::find(&out, PREFIX.as_bytes()) {
            None => match self.piece(&out, within) {
                Some(new) => Cow::Owned(new),
                None => out,
            },
            Some(_) => Cow::Owned(self.between(&out, within)),
        }
    }

    /// What stands between the marks of a line; the marks stay as they are.
    fn between(&self, line: &[u8], within: &mut Within) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len());
        let mut rest = line;
        while let Some((at, end)) = marked(rest) {
            let piece = &rest[..at];
            out.extend(self.piece(piece, within).unwrap_or_else(|| piece.to_vec()));
            out.extend_from_slice(&rest[at..end]);
            rest = &rest[end..];
        }
        out.extend(self.piece(rest, within).unwrap_or_else(|| rest.to_vec()));
        out
    }

    /// A text without marks; `None` if nothing was taken out.
    fn piece(&self, text: &[u8], within: &mut Within) -> Option<Vec<u8>> {
        let mut out: Option<Vec<u8>> = None;
        for regex in self.values.iter().chain(&self.own) {
            let now = out.as_deref().unwrap_or(text);
            let replaced = regex.replace_all(now, |found: &Captures<'_>| {
                // A pattern that finds the mark itself finds no secret.
                match memchr::memmem::find(MARK.as_bytes(), &found[0]) {
                    Some(_) => found[0].to_vec(),
                    None => self.mark(&found[0], within),
                }
            });
            if let Cow::Owned(new) = replaced
                && new != now
            {
                within.taken += 1;
                out = Some(new);
            }
        }
        for regex in &self.forms {
            let mut taken = 0;
            let now = out.as_deref().unwrap_or(text);
            let replaced = regex.replace_all(now, |found: &Captures<'_>| {
                let part = |name| found.name(name).map_or(&b""[..], |m| m.as_bytes());
                let value = part("v");
                if value.starts_with(PREFIX.as_bytes()) || is_word(value) {
                    return found[0].to_vec();
                }
                taken += 1;
                [part("a"), &self.mark(value, within), part("z")].concat()
            });
            if taken > 0 {
                let new = replaced.into_owned();
                within.taken += taken;
                out = Some(new);
            }
        }
        out
    }

    /// Takes the secrets out of a text.
    pub fn text(&self, text: &str) -> String {
        let mut within = Within::default();
        let mut out = Vec::with_capacity(text.len());
        for line in text.as_bytes().split_inclusive(|b| *b == b'\n') {
            out.extend_from_slice(&self.line(line, &mut within));
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

/// The first mark of a text: where it begins and ends.
fn marked(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from + memchr::memmem::find(&text[from..], PREFIX.as_bytes())?;
        let behind = &text[at + PREFIX.len()..];
        let digits = match behind.strip_prefix(b":") {
            None => 0,
            Some(rest) => {
                let hex = |b: &&u8| b.is_ascii_digit() || (b'a'..=b'f').contains(*b);
                let digits = rest.iter().take_while(hex).count();
                // Anything else is somebody's text that only begins like one.
                if digits == DIGITS {
                    digits + 1
                } else {
                    usize::MAX
                }
            }
        };
        if behind.get(digits) == Some(&b']') {
            return Some((at, at + PREFIX.len() + digits + 1));
        }
        from = at + 1;
    }
}

/// HMAC-SHA256 (RFC 2104), in hexadecimal.
fn hmac(key: &[u8; 32], text: &[u8]) -> String {
    let pad = |with: u8| -> Vec<u8> {
        let mut block = [with; 64];
        block.iter_mut().zip(key).for_each(|(b, k)| *b ^= k);
        block.to_vec()
    };
    let inner = Digest::of(&[pad(0x36), text.to_vec()].concat());
    let outer = Digest::of(&[pad(0x5c), inner.as_bytes().to_vec()].concat());
    outer
        .as_bytes()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A pattern of a value as texts, XML and JSON write it: a reader undoes what they escape, and then it would stand there.
fn written(value: &str) -> String {
    let mut pattern = String::new();
    for c in value.chars() {
        let code = u32::from(c);
        let own = regex::escape(c.encode_utf8(&mut [0; 4]));
        let named = match c {
            '&' => "|&amp;",
            '<' => "|&lt;",
            '>' => "|&gt;",
            '"' => r#"|&quot;|\\?""#,
            '\'' => r"|&apos;|\\'",
            '\\' => r"|\\\\",
            '/' => r"|\\/",
            '\n' => r"|\\n",
            '\t' => r"|\\t",
            c if c.is_ascii() => {
                pattern.push_str(&own);
                continue;
            }
            _ => "",
        };
        // The longer forms first: a backslash alone begins two of them.
        let named = named.trim_start_matches('|');
        let bar = if named.is_empty() { "" } else { "|" };
        pattern.push_str(&format!(
            r"(?:{named}{bar}&#0*{code};|&#[xX]0*(?i:{code:x});|\\u(?i:{code:04x})|{own})"
        ));
    }
    pattern
}

/// Values that are said of a secret and are none: types, emptiness, a place.
fn is_word(value: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"none",
        b"null",
        b"true",
        b"false",
        b"string",
        b"undefined",
        b"required",
        b"missing",
        b"invalid",
        b"optional",
        b"some",
        b"expected",
    ];
    let trimmed = value.trim_ascii();
    WORDS.iter().any(|word| trimmed.eq_ignore_ascii_case(word))
}

/// Whether a variable's name means that its value is a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split(['_', '-', '.']).collect();
    let has = |word: &str| words.contains(&word);
    // A place is no secret.
    if has("FILE") || has("PATH") || has("DIR") || has("URL") {
        return false;
    }
    has("TOKEN")
        || has("SECRET")
        || has("PASSWORD")
        || has("PASSWD")
        || has("CREDENTIALS")
        || has("APIKEY")
        || (has("KEY") && (has("API") || has("ACCESS") || has("PRIVATE") || has("SIGNING")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&["CUST-[0-9]{6}".into()], &["hunter2hunter2".into()]).unwrap()
    }

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let redactor = redactor();
        for (text, expected) in [
            (
                "token sk-abcdefghijklmnopqrstu end",
                "token sk-[REDACTED] end",
            ),
            (
                "Authorization: Bearer abcdefghijkl0123",
                "Authorization: [REDACTED] abcdefghijkl0123",
            ),
            ("got bearer abcdefghijkl0123=", "got bearer [REDACTED]"),
            (
                "\"password\": \"s3cr3t!\",",
                "\"password\": \"[REDACTED]\",",
            ),
            (
                "{\\\"api_key\\\":\\\"abcd1234\\\"}",
                "{\\\"api_key\\\":\\\"[REDACTED]\\\"}",
            ),
            ("MY_SECRET=abcdef rest", "MY_SECRET=[REDACTED] rest"),
            ("get https://u:pw@host/x", "get https://u:[REDACTED]@host/x"),
            ("AKIAIOSFODNN7EXAMPLE", "[REDACTED]"),
            ("for CUST-123456 we", "for [REDACTED] we"),
            ("pw hunter2hunter2!", "pw [REDACTED]!"),
            (
                "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
                "[REDACTED]",
            ),
        ] {
            let found = redactor.text(text);
            if text.starts_with("Authorization") {
                assert!(!found.contains("abcdefghijkl0123"), "{found}");
            } else {
                assert_eq!(found, expected);
            }
        }
        for text in [
            "test password_is_checked ... ok",
            "expected token, found `}`",
            "password: null",
            "secret = None",
            "test config::secret::tests::names_are_judged ... ok",
            "assert secret == other",
            "assertion failed: cookie.is_some()",
            "http://localhost:8080/a:b@c",
            "sk-short",
        ] {
            assert_eq!(redactor.text(text), text);
        }
    }

    #[test]
    fn a_private_key_goes_whole_and_its_surroundings_stay() {
        let key =
            "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb\n";
        let found = redactor().text(key);
        assert!(!found.contains("MIIE") && !found.contains("abc"), "{found}");
        assert!(found.starts_with("a\n[REDACTED]\n") && found.ends_with("b\n"));
        assert_eq!(found.lines().count(), key.lines().count());
        let certificate = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n";
        assert_eq!(redactor().text(certificate), certificate);
        // Twice is once.
        assert_eq!(redactor().text(&found), found);
    }

    #[test]
    fn a_value_goes_however_it_is_written() {
        let secret = "s3&cr<e>t\"v'a\\l/ü";
        let redactor = Redactor::new(&[], &[secret.into()]).unwrap();
        let json = serde_json::to_string(secret).unwrap();
        for text in [
            secret.to_owned(),
            json.trim_matches('"').to_owned(),
            "s3&amp;cr&lt;e&gt;t&quot;v&apos;a\\l/ü".to_owned(),
            "s3&#38;cr&#x3C;e>t&#34;v&#039;a\\l/&#xfc;".to_owned(),
            r#"s3\u0026cr\u003ce\u003Et\"v'a\\l\/\u00fc"#.to_owned(),
        ] {
            assert_eq!(redactor.text(&format!("a {text} b")), "a [REDACTED] b");
        }
        let lines = Redactor::new(&[], &["first line of a secret\nsecond line of it\n".into()]);
        let found = lines.unwrap().text("x second line of it y");
        assert_eq!(found, "x [REDACTED] y");
    }

    #[test]
    fn what_stands_behind_a_key_stays() {
        let key = "<o>-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----</o><n>pw hunter2hunter2</n>\n<z/>\n";
        let expected = "<o>[REDACTED]\n\n</o><n>pw [REDACTED]</n>\n<z/>\n";
        assert_eq!(redactor().text(key), expected);
    }

    #[test]
    fn patterns_that_cannot_be_used_are_refused() {
        for bad in ["(", "", "a*"] {
            assert!(Redactor::new(&[bad.into()], &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_that_differ_by_a_secret_stay_two() {
        let report = |key: u8, text: &str| {
            let redactor = redactor().keyed([key; 32]);
            let found = redactor.line(text.as_bytes(), &mut Within::report());
            String::from_utf8(found.into_owned()).unwrap()
        };
        let (a, b) = ("n=\"t[password=abcd]\"", "n=\"t[password=defg]\"");
        let first = report(1, a);
        assert!(first.starts_with("n=\"t[password=[REDACTED:"), "{first}");
        assert!(!first.contains("abcd"), "{first}");
        assert_ne!(first, report(1, b));
        // One name in every run of the project, and another for who does not have its key.
        assert_eq!(first, report(1, a));
        assert_ne!(first, report(2, a));
        // Own patterns and values too; logs tell nothing apart.
        assert_ne!(report(1, "CUST-123456"), report(1, "CUST-123457"));
        assert!(report(1, "hunter2hunter2").starts_with(PREFIX));
        let keyed = redactor().keyed([1; 32]);
        assert_eq!(keyed.text(a), "n=\"t[password=[REDACTED]\"");
        // Without a key nothing is told apart.
        let plain = redactor();
        let found = plain.line(a.as_bytes(), &mut Within::report());
        assert_eq!(found.as_ref(), b"n=\"t[password=[REDACTED]\"");
    }

    #[test]
    fn marks_are_left_alone() {
        let own = ["[A-Z]{8}".into(), "[0-9a-f]{12}".into()];
        let redactor = Redactor::new(&own, &[]).unwrap().keyed([7; 32]);
        for text in [
            "a ABCDEFGH b",
            "x 0123456789ab y",
            "t[password=abcd] https://u:pw@h/x",
            "[REDACTED] [REDACTED:x] [REDACTED:0123456789ab] ABCDEFGHIJ",
        ] {
            let mut within = Within::report();
            let once = redactor.line(text.as_bytes(), &mut within).into_owned();
            assert!(within.taken > 0, "{text}");
            let mut again = Within::report();
            let twice = redactor.line(&once, &mut again).into_owned();
            assert_eq!(once, twice, "{text}");
            let shown = String::from_utf8(once.clone()).unwrap();
            assert_eq!((again.taken, redactor.text(&shown)), (0, shown), "{text}");
        }
        // A mark that somebody prints hides nothing.
        let found = redactor.text("[REDACTED] password=abcd");
        assert_eq!(found, "[REDACTED] password=[REDACTED]");
    }

    #[test]
    fn the_digest_is_that_of_the_standard() {
        // RFC 4231, case 1 has 20 bytes of 0x0b; a key is filled up with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(hmac(&key, b"Hi There"), expected);
    }

    #[test]
    fn names_of_variables() {
        for yes in [
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "api_key",
            "DB_PASSWORD",
        ] {
            assert!(is_secret_name(yes), "{yes}");
        }
        for no in [
            "TOKENIZER",
            "TOKEN_FILE",
            "PATH",
            "KEYBOARD",
            "SSH_KEY_PATH",
            "HOME",
        ] {
            assert!(!is_secret_name(no), "{no}");
        }
    }
}
