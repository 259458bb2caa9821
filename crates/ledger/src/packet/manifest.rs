//! The manifest's body: what the packet holds, the heads of the streams, what was left out, and what its maker says of it.
//!
//! It commits to the records by their leaves and to the other members by [`SUMS`](super::SUMS), each with one digest, so
//! that the manifest of a packet of any length is a small record.

use gonogo_core::Digest;
use gonogo_core::digest::Hasher;
use serde_json::{Value, json};

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

/// How many things, and one digest over all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// The digest.
    pub digest: Digest,
}

/// The digest of a packet's records: SHA-256 over their 32-byte leaf hashes, in order.
#[derive(Clone, Default)]
pub struct RecordsDigest {
    hasher: Hasher,
    count: u64,
}

impl RecordsDigest {
    /// Adds the next record's leaf hash.
    pub fn push(&mut self, leaf: &Digest) {
        self.hasher.update(leaf.as_bytes());
        self.count += 1;
    }

    /// Returns the count and the digest.
    pub fn finish(self) -> Tally {
        Tally {
            count: self.count,
            digest: self.hasher.finish(),
        }
    }
}

/// What a manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The streams that are held whole.
    pub streams: Vec<StreamHead>,
    /// The records: [`RecordsDigest`].
    pub records: Tally,
    /// The members that [`SUMS`](super::SUMS) lists, and the digest of that list.
    pub members: Tally,
    /// What was left out.
    pub omitted: Vec<Omitted>,
    /// What the maker says that the packet shows; checked by nobody here.
    pub verdict: String,
}

impl Manifest {
    /// Returns the predicate's body.
    pub fn to_body(&self) -> Value {
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
        let tally = |t: &Tally| json!({"count": t.count, "digest": t.digest});
        json!({
            "format": FORMAT, "streams": streams, "records": tally(&self.records),
            "members": tally(&self.members), "omitted": omitted, "verdict": self.verdict,
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
        let manifest = Self {
            streams: read_list(fields.list("streams")?, |fields| {
                Ok(StreamHead {
                    stream: fields.text("stream")?,
                    count: fields.number("count")?,
                    head: read_digest(fields, "head")?,
                })
            })?,
            records: read_tally(&mut fields, "records")?,
            members: read_tally(&mut fields, "members")?,
            omitted: read_list(fields.list("omitted")?, |fields| {
                Ok(Omitted {
                    blob: read_digest(fields, "blob")?,
                    reason: fields.text("reason")?,
                })
            })?,
            verdict: fields.text("verdict")?,
        };
        fields.end()?;
        Ok(manifest)
    }
}

fn read_tally(fields: &mut Fields, field: &'static str) -> Result<Tally, Error> {
    let mut inner = Fields::of(fields.take(field)?, field)?;
    let tally = Tally {
        count: inner.number("count")?,
        digest: read_digest(&mut inner, "digest")?,
    };
    inner.end()?;
    Ok(tally)
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
