//! Evidence on its way to the ledger: what is to be recorded, before the ledger signs and numbers it.

use gonogo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One record to be. `key` is unique within `stream`: appending a draft twice records it once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The stream, like `operation/<id>`.
    pub stream: String,
    /// Idempotency key within the stream.
    pub key: String,
    /// What kind of record.
    pub kind: String,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What it is about.
    pub subject: Subject,
    /// The record's body. Holds no number that JSON readers disagree about.
    pub body: Value,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Its name, like a plan's id.
    pub name: String,
    /// Digest of its content.
    pub digest: Digest,
}
