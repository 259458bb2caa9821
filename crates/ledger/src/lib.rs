//! The evidence ledger's rules: what a record is, how it is signed, how it becomes a leaf of the log, how a packet is
//! put together and how anybody verifies it offline.
//!
//! Floor 1. `gonogo-store` keeps the bytes; `gonogo-app` decides what the records mean. The formats are described for
//! other implementers in `docs/reference/evidence-format.md`; they are DSSE 1.0.2, in-toto Statement v1, RFC 6962
//! hashing, C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy, tlog-witness, tlog-tiles and tlog-proof.
//!
//! Invariants: no files, no network, no clock. Bytes are verified first and then parsed, and the bytes parsed are the
//! bytes verified. Every stored form has exactly one spelling, so a flipped bit is never read as the same record.

pub mod attestation;
pub mod bundle;
pub mod cosignature;
pub mod dsse;
pub mod error;
pub mod key;
pub mod key_event;
pub mod leaf;
pub mod merkle;
pub mod note;
pub mod packet;
pub mod policy;
pub mod statement;
pub mod tile;
#[cfg(feature = "timestamp")]
pub mod timestamp;
pub mod tlog_proof;
pub mod trusted_root;
pub mod verify;
pub mod witness;

pub use cosignature::CosignerKey;
pub use dsse::Envelope;
pub use error::Error;
pub use key::{KeyId, LogKey, Pkcs8, PublicKey, SigningKey};
pub use key_event::{CONTROLLER, KeyEvent, SYSTEM_STREAM};
pub use note::{Checkpoint, KeyKind, Note, Vkey};
pub use policy::Policy;
pub use statement::{Seen, Statement, Subject, Tool};
pub use verify::{Report, Trust, VerifiedRecord, verify};

/// The largest statement, in bytes. Anything bigger is a blob that a statement names by digest.
pub const MAX_STATEMENT: usize = 1 << 20;

/// The largest envelope, in bytes: a statement of [`MAX_STATEMENT`] in base64 and the frame around it.
pub const MAX_ENVELOPE: usize = MAX_STATEMENT / 3 * 4 + 4096;
