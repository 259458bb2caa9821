//! in-toto Statements, v1 and v0.1, with any predicate (in-toto attestation framework, spec/v1/statement.md).

use std::collections::BTreeMap;

use gonogo_core::{Digest, canonical};
use serde_json::Value;

use super::fields::{Object, fit};
use super::{Error, MAX_SUBJECTS};

const FORMAT: &str = "in-toto Statement";
const V1: &str = "https://in-toto.io/Statement/v1";
const V0_1: &str = "https://in-toto.io/Statement/v0.1";

/// The most digests of one subject.
const MAX_DIGESTS: usize = 16;

/// What a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A name for people, if it has one; matching is by digest only.
    pub name: Option<String>,
    /// Digests by algorithm, as written. `sha256` is 64 lower-case hex digits; others are carried and match nothing.
    pub digests: BTreeMap<String, String>,
}

impl Subject {
    /// Returns the digest by which the subject is matched, if it has one.
    pub fn sha256(&self) -> Option<Digest> {
        let hex = self.digests.get("sha256")?;
        Digest::from_hex(hex).ok()
    }
}

/// A statement with its predicate still as JSON.
pub(super) struct Statement {
    pub(super) version: &'static str,
    pub(super) subjects: Vec<Subject>,
    pub(super) predicate_type: String,
    pub(super) predicate: Value,
}

impl Statement {
    /// Tells whether a payload type says that the payload is a statement (in-toto spec/v1/envelope.md).
    pub(super) fn is_payload_type(text: &str) -> bool {
        text == crate::dsse::PAYLOAD_TYPE
            || (text.starts_with("application/vnd.in-toto.") && text.ends_with("+json"))
    }

    /// Parses the bytes that were verified.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value = canonical::parse(bytes).map_err(|e| Error::Json {
            place: "the envelope's payload",
            why: e.to_string(),
        })?;
        let statement = Object::root(FORMAT, &value)?;
        let version = match statement.text("_type")? {
            V1 => V1,
            V0_1 => V0_1,
            other => {
                return Err(statement.bad("_type", format!("`{other}` is neither v1 nor v0.1")));
            }
        };
        let list = statement.list("subject")?;
        if list.is_empty() {
            return Err(statement.bad("subject", "empty, so it is about nothing"));
        }
        if list.len() > MAX_SUBJECTS {
            return Err(Error::TooLarge {
                what: "the statement's list of subjects",
                found: list.len(),
                limit: MAX_SUBJECTS,
            });
        }
        let subjects = list.iter().map(read_subject).collect::<Result<_, _>>()?;
        let predicate_type = statement.text("predicateType")?.to_owned();
        if !predicate_type.contains(':') || predicate_type.contains(char::is_whitespace) {
            return Err(statement.bad("predicateType", "not a URI"));
        }
        let predicate = statement.find("predicate").cloned();
        Ok(Self {
            version,
            subjects,
            predicate_type,
            predicate: predicate.unwrap_or(Value::Null),
        })
    }
}

fn read_subject(value: &Value) -> Result<Subject, Error> {
    let subject = Object::at(FORMAT, "subject[]", value)?;
    // An unset name and an empty one mean the same (protobuf JSON).
    let name = match subject.find("name").map(Value::as_str) {
        None | Some(Some("")) => None,
        Some(_) => Some(subject.text("name")?.to_owned()),
    };
    let map = subject.need("digest")?.as_object();
    let map = map.ok_or_else(|| subject.bad("digest", "not an object"))?;
    if map.is_empty() {
        return Err(subject.bad("digest", "empty, so nothing can match it"));
    }
    if map.len() > MAX_DIGESTS {
        return Err(subject.bad("digest", format!("more than {MAX_DIGESTS} algorithms")));
    }
    let mut digests = BTreeMap::new();
    for (algorithm, digest) in map {
        let digest = digest
            .as_str()
            .ok_or_else(|| subject.bad("digest", "a digest is no text"))?;
        if algorithm.len() > 64 || fit(algorithm).is_err() {
            return Err(subject.bad("digest", "an algorithm's name is no name"));
        }
        fit(digest).map_err(|why| subject.bad("digest", why))?;
        if algorithm == "sha256" {
            Digest::from_hex(digest)
                .map_err(|_| subject.bad("digest.sha256", "not 64 lower-case hex digits"))?;
        }
        digests.insert(algorithm.clone(), digest.to_owned());
    }
    Ok(Subject { name, digests })
}
