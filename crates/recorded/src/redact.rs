//! Redaction: what is replaced by `[REDACTED]` before anything is kept or compared.
//!
//! Four kinds of places are known by their name (headers, JSON keys, form fields, query parameters), one by its shape (the userinfo
//! of a URL), and what stood in a request's header, URL or setting is searched for everywhere else as it is, percent-encoded, escaped
//! for JSON and in base64. A body keeps every byte that is no secret, so JSON stays as it was written.
//!
//! Invariants: redacting twice changes nothing. The same function serves recording and matching.

mod edit;
mod find;
mod json;
mod names;
mod secrets;

use std::collections::BTreeMap;

use http::HeaderMap;
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

pub(crate) use edit::{Edit, apply, borders};
pub(crate) use find::{boundary as boundary_of, is_json, percent_decoded};
pub(crate) use secrets::Secrets;

use self::names::Names;
use crate::cassette::Field;
use crate::error::Error;

/// What stands in place of a secret.
pub(crate) const MARK: &str = "[REDACTED]";

/// What is redacted beside the built-in names.
#[derive(Debug, Clone, Default)]
pub struct RedactionRules {
    /// More words of names of JSON keys, form fields, parameters and headers: a name that contains one is redacted.
    pub words: Vec<String>,
    /// Whole names that are not redacted although they contain such a word, like `nextPageToken`.
    pub plain: Vec<String>,
    /// More request and response headers, whole names.
    pub headers: Vec<String>,
    /// Regular expressions; the first group of a match is replaced, or all of it.
    pub patterns: Vec<String>,
    /// Secrets known beforehand, at least 8 bytes each: searched for everywhere.
    pub literals: Vec<String>,
}

/// Where a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// In a header that carries secrets.
    Header,
    /// Under a JSON key.
    JsonKey,
    /// In a field of a form.
    FormField,
    /// In a parameter of a query or a fragment.
    QueryParameter,
    /// In the userinfo of a URL.
    UserInfo,
    /// Where a pattern of the settings matched.
    Pattern,
    /// Anywhere: it was seen as a secret elsewhere.
    Literal,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "a header",
            Self::JsonKey => "a JSON key",
            Self::FormField => "a form field",
            Self::QueryParameter => "a parameter of a URL",
            Self::UserInfo => "the userinfo of a URL",
            Self::Pattern => "a match of a pattern",
            Self::Literal => "a known secret",
        })
    }
}

/// How often which kind was replaced.
pub(crate) type Tally = BTreeMap<Kind, u64>;

/// The rules, compiled.
#[derive(Debug)]
pub(crate) struct Redactor {
    names: Names,
    patterns: Vec<Regex>,
    literals: Vec<String>,
}

impl Redactor {
    pub(crate) fn new(rules: &RedactionRules) -> Result<Self, Error> {
        let mut patterns = Vec::new();
        for text in &rules.patterns {
            let pattern = Regex::new(text).map_err(|e| {
                Error::setting(format!("redaction pattern `{text}`"), e.to_string())
            })?;
            if pattern.is_match(b"") {
                let why = "it matches the empty text, so it says nothing";
                return Err(Error::setting(format!("redaction pattern `{text}`"), why));
            }
            // Otherwise redacting what was redacted would go on without end.
            if pattern.is_match(MARK.as_bytes()) {
                let why = format!("it matches `{MARK}`; make it narrower");
                return Err(Error::setting(format!("redaction pattern `{text}`"), why));
            }
            patterns.push(pattern);
        }
        for literal in &rules.literals {
            if literal.len() < secrets::SHORTEST {
                let why = format!("shorter than {} bytes", secrets::SHORTEST);
                return Err(Error::setting("a redaction literal", why));
            }
        }
        Ok(Self {
            names: Names::new(rules)?,
            patterns,
            literals: rules.literals.clone(),
        })
    }

    /// The secrets that are known before the first request.
    pub(crate) fn known(&self) -> Secrets {
        let mut secrets = Secrets::default();
        for literal in &self.literals {
            secrets.add(literal.as_bytes());
        }
        secrets
    }

    /// Adds what a request's head gives away.
    pub(crate) fn learn(&self, url: &str, headers: &HeaderMap, secrets: &mut Secrets) {
        for (name, value) in headers {
            match name.as_str() {
                "cookie" => {
                    for (_, range) in find::cookies(value.as_bytes()) {
                        secrets.add(&value.as_bytes()[range]);
                    }
                }
                name if self.names.header(name) => secrets.add_credential(value.as_bytes()),
                _ => {}
            }
        }
        let url = url.as_bytes();
        let mut edits = Vec::new();
        find::pairs(url, false, &self.names, &mut edits);
        find::user_info(url, &mut edits);
        for edit in edits {
            let found = &url[edit.start..edit.end];
            secrets.add(found);
            let plain = find::percent_decoded(found);
            secrets.add(&plain);
            if let Some(at) = plain.iter().position(|b| *b == b':') {
                secrets.add(&plain[at + 1..]);
            }
        }
    }

    /// Redacts a URL. What a client sends back of a mark that it was given reads as the mark again.
    pub(crate) fn url(&self, url: &str, secrets: &Secrets, tally: &mut Tally) -> String {
        let url = url
            .replace("%5BREDACTED%5D", MARK)
            .replace("%5bREDACTED%5d", MARK);
        self.text(&url, secrets, tally)
    }

    fn text(&self, text: &str, secrets: &Secrets, tally: &mut Tally) -> String {
        let edits = self.edits(text.as_bytes(), None, secrets);
        String::from_utf8_lossy(&apply(text.as_bytes(), &edits, tally)).into_owned()
    }

    /// Redacts header fields and sorts them by name; fields of one name keep their order.
    pub(crate) fn fields(
        &self,
        headers: &HeaderMap,
        secrets: &Secrets,
        tally: &mut Tally,
    ) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let (name, value) = (name.as_str(), value.as_bytes());
            let edits = match name {
                "cookie" | "set-cookie" => {
                    let all = find::cookies(value);
                    let kept = if name == "cookie" { usize::MAX } else { 1 };
                    let pairs = all.into_iter().take(kept);
                    pairs
                        .map(|(_, range)| Edit::mark(range, Kind::Header))
                        .collect()
                }
                _ if self.names.header(name) => vec![Edit::mark(0..value.len(), Kind::Header)],
                _ => self.edits(value, None, secrets),
            };
            let edits = edit::merged(edits);
            fields.push(Field::of(name, &apply(value, &edits, tally)));
        }
        fields.sort_by(|a, b| a.0.cmp(&b.0));
        fields
    }

    /// Where a body must be changed, in order and without overlap.
    pub(crate) fn edits(
        &self,
        bytes: &[u8],
        content_type: Option<&str>,
        secrets: &Secrets,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        for level in [0, 1, 3] {
            json::find(bytes, level, &self.names, &mut edits);
        }
        let form = content_type.is_some_and(|t| media_is(t, "application/x-www-form-urlencoded"));
        find::pairs(bytes, form, &self.names, &mut edits);
        find::user_info(bytes, &mut edits);
        if let Some(boundary) = content_type.and_then(find::boundary) {
            find::parts(bytes, &boundary, &self.names, &mut edits);
        }
        for pattern in &self.patterns {
            for found in pattern.captures_iter(bytes) {
                let hit = found.get(1).or_else(|| found.get(0));
                if let Some(hit) = hit {
                    edits.push(Edit::mark(hit.range(), Kind::Pattern));
                }
            }
        }
        secrets.find(bytes, &mut edits);
        edit::merged(edits)
    }
}

/// Whether `content_type` is of this media type, whatever its parameters.
pub(crate) fn media_is(content_type: &str, media: &str) -> bool {
    let own = content_type.split(';').next().unwrap_or_default();
    own.trim().eq_ignore_ascii_case(media)
}

#[cfg(test)]
mod tests;
