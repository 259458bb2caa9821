//! What goes into the ledger and what comes out.

use std::sync::Arc;

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::{KeyId, SigningKey, Subject};
use serde_json::Value;

/// A record to be. The ledger numbers, links and signs it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The stream, like `operation/<id>`.
    pub stream: String,
    /// Idempotency key, unique in the stream.
    pub key: String,
    /// The predicate's name.
    pub kind: String,
    /// What it is about. Empty means: about the stream itself, named by the digest of its name.
    pub subject: Vec<Subject>,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub actor: String,
    /// What the kind says; an object.
    pub body: Value,
    /// Who signs, if not the controller. Must be enrolled.
    pub signer: Option<Arc<SigningKey>>,
}

impl From<crate::Draft> for Draft {
    fn from(draft: crate::Draft) -> Self {
        Self {
            stream: draft.stream,
            key: draft.key,
            kind: draft.kind,
            subject: vec![Subject {
                name: draft.subject.name,
                digest: draft.subject.digest,
            }],
            time: draft.time,
            actor: draft.actor,
            body: draft.body,
            signer: None,
        }
    }
}

/// The acknowledgement of a record: it is durable, and the log's checkpoint covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The leaf's index in the log.
    pub index: u64,
    /// The position in the stream.
    pub seq: u64,
    /// SHA-256 of the statement's bytes.
    pub digest: Digest,
    /// The leaf's hash.
    pub leaf_hash: Digest,
    /// False if the same record had been recorded before under the same key.
    pub fresh: bool,
}

/// Which records to return.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only this stream.
    pub stream: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only records about this digest.
    pub subject: Option<Digest>,
    /// Only records whose body names this reason code.
    pub reason: Option<String>,
    /// Only records of this time or later, by the writer's clock.
    pub since: Option<Timestamp>,
    /// Only records before this time, by the writer's clock.
    pub until: Option<Timestamp>,
    /// Only records with a larger index.
    pub after: Option<u64>,
    /// At most so many; 0 means 100. A page also ends after 1000 records or 16 MiB of statements.
    pub limit: usize,
}

/// A record of the ledger. Its bytes were checked against the digest in the index; its signature was checked when it was
/// written and is checked again by [`super::Ledger::check`] and in packets.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordView {
    /// The leaf's index in the log.
    pub index: u64,
    /// The stream.
    pub stream: String,
    /// The position in the stream.
    pub seq: u64,
    /// The idempotency key.
    pub key: String,
    /// The predicate's name.
    pub kind: String,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub actor: String,
    /// Who signed.
    pub signer: KeyId,
    /// What it is about.
    pub subject: Vec<Subject>,
    /// What ties it to the call that it came of; absent where nobody said.
    pub trace: Option<String>,
    /// What the kind says.
    pub body: Value,
    /// SHA-256 of the statement's bytes.
    pub digest: Digest,
    /// The leaf's hash.
    pub leaf_hash: Digest,
}
