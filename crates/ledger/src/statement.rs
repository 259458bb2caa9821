//! Statements: in-toto Statement v1 with the one predicate shape that every gonogo record has.
//!
//! ```json
//! {"_type":"https://in-toto.io/Statement/v1",
//!  "predicate":{"actor":"…","body":{},"key":"…","ledger":{"root":"sha256:…","size":12},"prev":null,"seq":0,
//!               "stream":"operation/op_…","time":"2026-01-31T12:00:00.000Z","tool":{"name":"gonogo","version":"0.1.0"},
//!               "trace":"4bf92f3577b34da6a3ce929d0e0e4736"},
//!  "predicateType":"https://gonogo.dev/attestation/<kind>/v1",
//!  "subject":[{"digest":{"sha256":"<hex>"},"name":"…"}]}
//! ```
//!
//! The bytes are RFC 8785. What is signed and hashed is these bytes; nobody ever signs a re-encoding. Unknown or missing
//! fields are errors: a field that this reader does not know could change what the record means.

mod outline;
pub(crate) mod quick;

use gonogo_core::{Digest, Timestamp, canonical};
use serde_json::{Map, Value, json};

use crate::error::Error;
pub use outline::Outline;

pub(crate) const TYPE: &str = "https://in-toto.io/Statement/v1";
pub(crate) const PREDICATE_HEAD: &str = "https://gonogo.dev/attestation/";
pub(crate) const PREDICATE_TAIL: &str = "/v1";

/// What a statement is about: a name for people and the digest that identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// A name for people; matching is by digest only.
    pub name: String,
    /// SHA-256 of the subject's exact bytes.
    pub digest: Digest,
}

/// The program that made a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The newest state of the log that the writer had seen: the record is younger than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Number of leaves.
    pub size: u64,
    /// Root over them (RFC 6962).
    pub root: Digest,
}

/// One statement, as a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The predicate's name: `plan`, `approval`, `rollout-step`, …
    pub kind: String,
    /// What the statement is about; never empty.
    pub subject: Vec<Subject>,
    /// The stream that the record belongs to, like `operation/op_…` or `system`.
    pub stream: String,
    /// Position in the stream, from 0, without gaps.
    pub seq: u64,
    /// Digest of the previous statement's bytes in the stream; none at position 0.
    pub prev: Option<Digest>,
    /// The writer's idempotency key, unique in the stream.
    pub key: String,
    /// When the writer says it was.
    pub time: Timestamp,
    /// Who acted.
    pub actor: String,
    /// The program that wrote.
    pub tool: Tool,
    /// The newest state of the log that the writer had seen.
    pub seen: Seen,
    /// What ties the record to the call that it came of; absent where nobody said.
    pub trace: Option<String>,
    /// What the kind says.
    pub body: Value,
}

impl Statement {
    /// Returns the bytes to sign.
    ///
    /// # Errors
    /// [`Error::Statement`] if a name is malformed or the body has no canonical form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.check()?;
        let subject: Vec<Value> = self
            .subject
            .iter()
            .map(|s| json!({"digest": {"sha256": s.digest.hex()}, "name": s.name}))
            .collect();
        let mut value = json!({
            "_type": TYPE,
            "subject": subject,
            "predicateType": predicate_type(&self.kind),
            "predicate": {
                "stream": self.stream,
                "seq": self.seq,
                "prev": self.prev,
                "key": self.key,
                "time": self.time,
                "actor": self.actor,
                "tool": {"name": self.tool.name, "version": self.tool.version},
                "ledger": {"size": self.seen.size, "root": self.seen.root},
                "body": self.body,
            },
        });
        if let Some(trace) = &self.trace {
            value["predicate"]["trace"] = json!(trace);
        }
        canonical::to_vec(&value).map_err(|e| Error::Statement(e.to_string()))
    }

    /// Reads the bytes of a statement.
    ///
    /// # Errors
    /// [`Error::Statement`] naming the field: not JSON with one meaning, not the canonical form, a field missing, unknown
    /// or of another shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let value = canonical::parse(bytes).map_err(|e| Error::Statement(e.to_string()))?;
        let again = serde_json_form(&value)?;
        if again != bytes {
            return Err(Error::Statement("not in canonical form".into()));
        }
        let mut top = Fields::of(value, "statement")?;
        if top.text("_type")? != TYPE {
            return Err(Error::Statement("`_type` is not Statement v1".into()));
        }
        let kind = top
            .text("predicateType")?
            .strip_prefix(PREDICATE_HEAD)
            .and_then(|rest| rest.strip_suffix(PREDICATE_TAIL))
            .map(str::to_owned)
            .ok_or_else(|| Error::Statement("`predicateType` is not one of ours".into()))?;
        let subject = top
            .list("subject")?
            .into_iter()
            .map(read_subject)
            .collect::<Result<_, _>>()?;
        let mut predicate = Fields::of(top.take("predicate")?, "predicate")?;
        top.end()?;
        let mut tool = Fields::of(predicate.take("tool")?, "tool")?;
        let mut ledger = Fields::of(predicate.take("ledger")?, "ledger")?;
        let time = predicate.text("time")?;
        let statement = Self {
            kind,
            subject,
            stream: predicate.text("stream")?,
            seq: predicate.number("seq")?,
            prev: match predicate.take("prev")? {
                Value::Null => None,
                Value::String(text) => Some(read_digest("prev", &text)?),
                _ => return Err(Error::Statement("`prev` is no digest and not null".into())),
            },
            key: predicate.text("key")?,
            time: time
                .parse()
                .map_err(|e| Error::Statement(format!("`time`: {e}")))?,
            actor: predicate.text("actor")?,
            tool: Tool {
                name: tool.text("name")?,
                version: tool.text("version")?,
            },
            seen: Seen {
                size: ledger.number("size")?,
                root: read_digest("root", &ledger.text("root")?)?,
            },
            trace: match predicate.has("trace") {
                true => Some(predicate.text("trace")?),
                false => None,
            },
            body: predicate.take("body")?,
        };
        tool.end()?;
        ledger.end()?;
        predicate.end()?;
        if statement.time.to_string() != time {
            return Err(Error::Statement(
                "`time` is not RFC 3339 in UTC with milliseconds".into(),
            ));
        }
        statement.check()?;
        Ok(statement)
    }

    fn check(&self) -> Result<(), Error> {
        let bad = |what: &str| Err(Error::Statement(what.to_owned()));
        if !kind_is_well_formed(&self.kind) {
            return bad(
                "a kind has 1 to 64 characters of a-z, 0-9 and -, and begins with a letter",
            );
        }
        if !stream_is_well_formed(&self.stream) {
            return bad(
                "a stream has 1 to 200 characters of A-Z, a-z, 0-9, `.`, `_`, `-`, in parts divided by `/`",
            );
        }
        if !text_is_well_formed(&self.key) || !text_is_well_formed(&self.actor) {
            return bad("key and actor have 1 to 200 bytes and no control characters");
        }
        if self
            .trace
            .as_deref()
            .is_some_and(|t| !trace_is_well_formed(t))
        {
            return bad("a trace has 1 to 128 of A-Z, a-z, 0-9, `.`, `_`, `:`, `-`");
        }
        if self.subject.is_empty() {
            return bad("no subject");
        }
        if (self.seq == 0) != self.prev.is_none() {
            return bad("`prev` is null exactly at position 0");
        }
        if !self.body.is_object() {
            return bad("`body` is no object");
        }
        Ok(())
    }
}

/// Returns the predicate type of a kind.
pub fn predicate_type(kind: &str) -> String {
    format!("{PREDICATE_HEAD}{kind}{PREDICATE_TAIL}")
}

fn serde_json_form(value: &Value) -> Result<Vec<u8>, Error> {
    canonical::to_vec(value).map_err(|e| Error::Statement(e.to_string()))
}

pub(crate) fn kind_is_well_formed(kind: &str) -> bool {
    (1..=64).contains(&kind.len())
        && kind.as_bytes()[0].is_ascii_lowercase()
        && kind
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

pub(crate) fn stream_is_well_formed(stream: &str) -> bool {
    let part = |p: &str| {
        !p.is_empty()
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    stream.len() <= 200 && stream.split('/').all(part)
}

/// Whether a text can be a trace: what doors let through.
pub fn trace_is_well_formed(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    (1..=128).contains(&text.len()) && text.bytes().all(inner)
}

fn text_is_well_formed(text: &str) -> bool {
    (1..=200).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn read_digest(field: &str, text: &str) -> Result<Digest, Error> {
    text.parse()
        .map_err(|e| Error::Statement(format!("`{field}`: {e}")))
}

fn read_subject(value: Value) -> Result<Subject, Error> {
    let mut fields = Fields::of(value, "subject")?;
    let mut digest = Fields::of(fields.take("digest")?, "digest")?;
    let subject = Subject {
        name: fields.text("name")?,
        digest: Digest::from_hex(&digest.text("sha256")?)
            .map_err(|e| Error::Statement(format!("`sha256`: {e}")))?,
    };
    digest.end()?;
    fields.end()?;
    Ok(subject)
}

/// Takes an object's fields one by one; what is left at the end is unknown and refused.
pub(crate) struct Fields {
    name: &'static str,
    map: Map<String, Value>,
}

impl Fields {
    pub(crate) fn of(value: Value, name: &'static str) -> Result<Self, Error> {
        match value {
            Value::Object(map) => Ok(Self { name, map }),
            _ => Err(Error::Statement(format!("`{name}` is no object"))),
        }
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        self.map.contains_key(field)
    }

    pub(crate) fn take(&mut self, field: &str) -> Result<Value, Error> {
        self.map
            .remove(field)
            .ok_or_else(|| Error::Statement(format!("`{}` has no `{field}`", self.name)))
    }

    pub(crate) fn text(&mut self, field: &str) -> Result<String, Error> {
        match self.take(field)? {
            Value::String(text) => Ok(text),
            _ => Err(Error::Statement(format!("`{field}` is no text"))),
        }
    }

    pub(crate) fn number(&mut self, field: &str) -> Result<u64, Error> {
        self.take(field)?
            .as_u64()
            .ok_or_else(|| Error::Statement(format!("`{field}` is no whole number")))
    }

    pub(crate) fn list(&mut self, field: &str) -> Result<Vec<Value>, Error> {
        match self.take(field)? {
            Value::Array(items) => Ok(items),
            _ => Err(Error::Statement(format!("`{field}` is no list"))),
        }
    }

    pub(crate) fn end(self) -> Result<(), Error> {
        match self.map.keys().next() {
            Some(key) => Err(Error::Statement(format!(
                "`{}` has an unknown field `{key}`",
                self.name
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Statement {
        Statement {
            kind: "rollout-step".into(),
            subject: vec![Subject {
                name: "shop".into(),
                digest: Digest::of(b"shop"),
            }],
            stream: "operation/op_0123".into(),
            seq: 1,
            prev: Some(Digest::of(b"before")),
            key: "step/1/intent".into(),
            time: Timestamp::from_millis(1_795_000_000_120),
            actor: "dana".into(),
            tool: Tool {
                name: "gonogo".into(),
                version: "0.1.0".into(),
            },
            seen: Seen {
                size: 4,
                root: Digest::of(b"root"),
            },
            trace: None,
            body: json!({"b": 1, "a": [true, null, "ü"]}),
        }
    }

    #[test]
    fn a_trace_is_read_back_and_must_be_one() {
        let traced = |trace: &str| Statement {
            trace: Some(trace.to_owned()),
            ..sample()
        };
        let bytes = traced("4bf92f35.a_b:c-d").to_bytes().unwrap();
        let end = br#""tool":{"name":"gonogo","version":"0.1.0"},"trace":"4bf92f35.a_b:c-d"},"predicateType""#;
        assert!(bytes.windows(end.len()).any(|w| w == end));
        assert_eq!(
            Statement::parse(&bytes).unwrap(),
            traced("4bf92f35.a_b:c-d")
        );
        // Both readers read it, and say the same of it.
        assert!(quick::agree(&bytes));
        for bad in ["", "a b", "ü", &"x".repeat(129)] {
            assert!(traced(bad).to_bytes().is_err(), "{bad}");
        }
        let text = String::from_utf8(bytes).unwrap();
        for bad in [
            r#""trace":null"#,
            r#""trace":"a b""#,
            r#""trace":"""#,
            r#""trace":7"#,
        ] {
            let text = text.replace(r#""trace":"4bf92f35.a_b:c-d""#, bad);
            assert!(Statement::parse(text.as_bytes()).is_err(), "{bad}");
            assert!(quick::read(text.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn reads_back_what_it_writes() {
        let bytes = sample().to_bytes().unwrap();
        assert!(bytes.starts_with(
            br#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"actor":"dana","body":{"a":[true,null,"#
        ));
        assert_eq!(Statement::parse(&bytes).unwrap(), sample());
    }

    #[test]
    fn refuses_unknown_missing_and_reshaped_fields() {
        let text = String::from_utf8(sample().to_bytes().unwrap()).unwrap();
        for (from, to) in [
            (r#"{"_type""#, r#"{ "_type""#),
            ("Statement/v1", "Statement/v0.1"),
            (r#""actor":"dana""#, r#""aaa":1,"actor":"dana""#),
            (r#""seq":1"#, r#""seq":"1""#),
            (r#""seq":1"#, r#""seq":0"#),
            ("gonogo.dev", "gonogo.example"),
            (".120Z", ".12Z"),
            (r#""name":"shop""#, r#""name":"shop","uri":"x""#),
            (r#","version":"0.1.0""#, ""),
            ("operation/op_0123", "operation//op_0123"),
            (r#""actor":"dana""#, r#""actor":"da\nna""#),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Statement::parse(changed.as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn writing_refuses_what_reading_refuses() {
        let mut statement = sample();
        statement.body = json!({"n": 1u64 << 60});
        assert!(statement.to_bytes().is_err());
        statement = sample();
        statement.subject.clear();
        assert!(statement.to_bytes().is_err());
        statement = sample();
        statement.prev = None;
        assert!(statement.to_bytes().is_err());
    }
}
