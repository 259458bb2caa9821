//! The manifest's body: every member that it vouches for, the heads of the streams, and what was left out.

use std::collections::BTreeMap;

use gonogo_core::Digest;
use serde_json::{Map, Value, json};

use super::FORMAT;
use crate::error::Error;
use crate::statement::Fields;

/// A stream that the packet holds from its first record to `head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHead {
    /// The stream.
    pub stream: String,
    /// How many records.
    pub count: u64,
    /// Digest of the last statement's bytes.
    pub head: Digest,
}

/// A blob that a record names and that the packet does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omitted {
    /// The blob.
    pub blob: Digest,
    /// Why it is not there.
    pub reason: String,
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Member name → digest of its bytes, for `packet.json`, `trust/log.vkey`, every record and every blob.
    pub members: BTreeMap<String, Digest>,
    /// The streams that are held whole.
    pub streams: Vec<StreamHead>,
    /// What was left out.
    pub omitted: Vec<Omitted>,
    /// How many records.
    pub records: u64,
    /// How many blobs.
    pub blobs: u64,
}

impl Manifest {
    /// Returns the predicate's body.
    pub fn to_body(&self) -> Value {
        let members: Map<String, Value> = self
            .members
            .iter()
            .map(|(name, digest)| (name.clone(), Value::String(digest.hex())))
            .collect();
        let streams: Vec<Value> = self
            .streams
            .iter()
            .map(|s| json!({"stream": s.stream, "count": s.count, "head": s.head}))
            .collect();
        let omitted: Vec<Value> = self
            .omitted
            .iter()
            .map(|o| json!({"blob": o.blob, "reason": o.reason}))
            .collect();
        json!({
            "format": FORMAT, "members": members, "streams": streams, "omitted": omitted,
            "records": self.records, "blobs": self.blobs,
        })
    }

    /// Reads a predicate's body.
    ///
    /// # Errors
    /// [`Error::Packet`] for another format; [`Error::Statement`] naming the field at fault.
    pub fn from_body(body: Value) -> Result<Self, Error> {
        let mut fields = Fields::of(body, "manifest")?;
        let format = fields.text("format")?;
        if format != FORMAT {
            return Err(Error::Packet(format!(
                "its format is `{}` and not `{FORMAT}`; use a matching version of gonogo",
                format.escape_debug()
            )));
        }
        let Value::Object(members) = fields.take("members")? else {
            return Err(Error::Statement("`members` is no object".into()));
        };
        let manifest = Self {
            members: members
                .into_iter()
                .map(|(name, value)| {
                    let digest = value.as_str().and_then(|hex| Digest::from_hex(hex).ok());
                    digest
                        .map(|digest| (name, digest))
                        .ok_or_else(|| Error::Statement("a member has no digest".into()))
                })
                .collect::<Result<_, _>>()?,
            streams: read_list(fields.list("streams")?, |fields| {
                Ok(StreamHead {
                    stream: fields.text("stream")?,
                    count: fields.number("count")?,
                    head: read_digest(fields, "head")?,
                })
            })?,
            omitted: read_list(fields.list("omitted")?, |fields| {
                Ok(Omitted {
                    blob: read_digest(fields, "blob")?,
                    reason: fields.text("reason")?,
                })
            })?,
            records: fields.number("records")?,
            blobs: fields.number("blobs")?,
        };
        fields.end()?;
        Ok(manifest)
    }
}

fn read_list<T>(
    items: Vec<Value>,
    read: impl Fn(&mut Fields) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    items
        .into_iter()
        .map(|item| {
            let mut fields = Fields::of(item, "item")?;
            let value = read(&mut fields)?;
            fields.end()?;
            Ok(value)
        })
        .collect()
}

fn read_digest(fields: &mut Fields, field: &str) -> Result<Digest, Error> {
    let text = fields.text(field)?;
    text.parse()
        .map_err(|e| Error::Statement(format!("`{field}`: {e}")))
}
