//! Which names carry secrets.

use http::header::HeaderName;

use super::RedactionRules;
use crate::error::Error;

/// Words of names. A name is compared in lower case and without `_`, `-`, `.` and blanks, so `apiKey`, `api_key` and `X-Api-Key` are
/// one; `tokens`, which is counted and not kept secret, is taken out before.
const WORDS: [&str; 9] = [
    "apikey",
    "authorization",
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "privatekey",
    "credential",
];

/// Ends of names that say of which kind a secret is, and not the secret: `token_type` (RFC 6749 section 5.1).
const KINDS: [&str; 4] = ["_type", "-type", "Type", "_TYPE"];

/// Headers that the words do not name.
const HEADERS: [&str; 4] = ["cookie", "set-cookie", "x-amz-signature", "x-auth-key"];

/// Query parameters that make a URL a secret by themselves (signed URLs), beside what the words name.
const PARAMETERS: [&str; 4] = ["sig", "signature", "xamzsignature", "xgoogsignature"];

/// Names longer than this are none.
pub(super) const LONGEST: usize = 256;

/// The built-in names and those of the settings.
#[derive(Debug)]
pub(crate) struct Names {
    /// [`WORDS`], then the user's.
    words: Vec<String>,
    plain: Vec<String>,
    headers: Vec<String>,
}

fn flat(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '_' | '-' | '.' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

impl Names {
    pub(super) fn new(rules: &RedactionRules) -> Result<Self, Error> {
        let mut words: Vec<String> = WORDS.iter().map(|w| (*w).to_owned()).collect();
        for word in &rules.words {
            let word = flat(word);
            if word.is_empty() {
                return Err(Error::setting("a redaction word", "it is empty"));
            }
            words.push(word);
        }
        for name in &rules.headers {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(Error::setting(
                    format!("redacted header `{name}`"),
                    "no header name",
                ));
            }
        }
        let own = rules.headers.iter().map(|h| h.to_ascii_lowercase());
        Ok(Self {
            words,
            plain: rules.plain.iter().map(|p| flat(p)).collect(),
            headers: HEADERS.iter().map(|h| (*h).to_owned()).chain(own).collect(),
        })
    }

    /// Whether a JSON key or form field of this name carries a secret.
    pub(crate) fn key(&self, name: &str) -> bool {
        if name.len() > LONGEST {
            return false;
        }
        let is_kind = KINDS.iter().any(|end| name.ends_with(end));
        let name = flat(name);
        if self.plain.contains(&name) {
            return false;
        }
        let name = name.replace("tokens", "");
        // What the user calls a secret is one, whatever its name ends in.
        let from = if is_kind { WORDS.len() } else { 0 };
        self.words[from..]
            .iter()
            .any(|word| name.contains(word.as_str()))
    }

    /// Whether a query parameter of this name carries a secret.
    pub(crate) fn parameter(&self, name: &str) -> bool {
        self.key(name) || {
            let name = flat(name);
            PARAMETERS.contains(&name.as_str()) && !self.plain.contains(&name)
        }
    }

    /// Whether a header of this name, in lower case, carries a secret.
    pub(crate) fn header(&self, name: &str) -> bool {
        self.headers.iter().any(|h| h == name) || self.key(name)
    }
}
