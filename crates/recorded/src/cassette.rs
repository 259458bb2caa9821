//! The cassette: a stored format, `gonogo.suite.cassette.v1`. One JSON file, and large bodies beside it by their digest.
//!
//! Reading is strict: an unknown field, schema, method, header name or digest is an error that names its place. Writing gives the
//! same bytes for the same exchanges; only `recorded_at` and the pauses of streams differ between two recordings.

mod check;
mod read;
mod write;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::{Digest, Timestamp};
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

pub use read::{Tape, read};
pub(crate) use write::{Draft, write};

/// The one schema that is read and written.
pub const SCHEMA: &str = "gonogo.suite.cassette.v1";

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cassette {
    /// [`SCHEMA`].
    pub schema: String,
    /// When the recording began.
    pub recorded_at: Timestamp,
    /// In the order in which the requests came.
    pub interactions: Vec<Interaction>,
}

/// A request and its response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interaction {
    /// Whether it may be used any number of times.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeat: bool,
    /// What was asked.
    pub request: Request,
    /// What was answered.
    pub response: Response,
}

/// What was asked, redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// In upper case.
    pub method: String,
    /// Absolute, as the upstream was asked; without fragment and default port.
    pub url: String,
    /// By name; without those of the hop, the host and the body's length.
    pub headers: Vec<Field>,
    /// Absent if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Fields after the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<Field>,
    /// The content coding that was taken off the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<String>,
}

/// What was answered, redacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// 200 to 599.
    pub status: u16,
    /// By name; without those of the hop and, but for answers that have no body, the length.
    pub headers: Vec<Field>,
    /// Absent if empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
    /// Fields after the body.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<Field>,
    /// The content coding that was taken off the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<String>,
    /// Whether the client left before the body's end; playback breaks off there too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

/// A header field: name in lower case, value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field(pub String, pub FieldValue);

/// A field's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// UTF-8.
    Text(String),
    /// Other bytes.
    Raw(Base64Text),
}

/// Bytes that are no UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base64Text {
    /// Standard alphabet, padded.
    pub base64: String,
}

/// A body: pieces in the file, or a blob. Exactly one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Pieces as they came; one if the length was announced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<Vec<Chunk>>,
    /// A file beside the cassette.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Blob>,
}

/// A piece of a body. Exactly one of `text` and `base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Other bytes: standard alphabet, padded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Milliseconds since the piece before it, or since the head.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub after_ms: u64,
}

/// A body in a file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blob {
    /// Digest of the file's bytes; its hex is the file's name.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
    /// `[end, after_ms]` of each piece; absent if there is one piece.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<(u64, u64)>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
const fn is_zero(value: &u64) -> bool {
    *value == 0
}

impl Field {
    /// Makes a field of a value's bytes.
    pub(crate) fn of(name: &str, value: &[u8]) -> Self {
        let value = match std::str::from_utf8(value) {
            Ok(text) => FieldValue::Text(text.to_owned()),
            Err(_) => FieldValue::Raw(Base64Text {
                base64: STANDARD.encode(value),
            }),
        };
        Self(name.to_owned(), value)
    }

    /// Returns the value's bytes; none for base64 that is none, which [`read`] does not let in.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match &self.1 {
            FieldValue::Text(text) => text.clone().into_bytes(),
            FieldValue::Raw(raw) => STANDARD.decode(&raw.base64).unwrap_or_default(),
        }
    }
}

impl Chunk {
    pub(crate) fn of(bytes: &[u8], after_ms: u64) -> Self {
        let (text, base64) = match std::str::from_utf8(bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(STANDARD.encode(bytes))),
        };
        Self {
            text,
            base64,
            after_ms,
        }
    }

    /// Returns the piece's bytes; none for a chunk that [`read`] does not let in.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.base64) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(coded)) => STANDARD.decode(coded).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// Where the large bodies of the cassette at `path` lie.
#[must_use]
pub fn blobs_of(path: &Path) -> PathBuf {
    path.with_extension("blobs")
}

/// The value of a field among `fields`, the first of that name.
pub(crate) fn value_of<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    fields.iter().find_map(|field| match &field.1 {
        FieldValue::Text(text) if field.0 == name => Some(text.as_str()),
        _ => None,
    })
}

/// Fields as a client or service has them.
pub(crate) fn map_of(fields: &[Field]) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.0.as_bytes());
        let value = HeaderValue::from_bytes(&field.bytes());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    headers
}
