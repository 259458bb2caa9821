//! Evidence from outside: what other people's tools attest, brought in with its signatures checked.
//!
//! [`read`] takes the exact bytes of a DSSE envelope, a `.intoto.jsonl` file, a Sigstore bundle v0.3 or a plain report,
//! and gives one [`Outside`] for each claim. Its [`Outside::to_body`] is the body of a record of kind [`RECORD_KIND`];
//! the bytes become a blob named by their digest, and [`check`] repeats the whole reading from body and blob, so nobody has
//! to believe whoever submitted it. What is accepted and what is never trusted: `docs/reference/outside-evidence.md`.
//!
//! Invariants: no files, no network, no clock. Signatures are checked over decoded bytes, and those very bytes are parsed
//! afterwards. A key id in an envelope selects nothing. A claim without a checked signature says so in its value; there is
//! no way to read it as verified. Size, depth and number of everything are bounded here.

mod body;
mod bundle;
mod envelope;
mod error;
mod fields;
mod junit;
mod key;
mod predicate;
mod read;
mod sbom;
mod statement;

pub use body::{Standing, check};
pub use error::Error;
pub use key::{Key, NamedKey, Scheme};
pub use predicate::Kind;
pub use read::{Carrier, Outside, Signer, Signing, Submitted, read};
pub use statement::Subject;

/// The kind of record that carries an [`Outside`] as its body.
pub const RECORD_KIND: &str = "outside-evidence";

/// The largest file that can be submitted, in bytes. Its JSON is held in memory once or twice while it is read.
pub const MAX_SUBMISSION: usize = 16 << 20;

/// The most envelopes in one `.intoto.jsonl` file.
pub const MAX_LINES: usize = 256;

/// The most signatures in one envelope, and the most keys to try them with.
pub const MAX_SIGNATURES: usize = 32;

/// The most subjects of one statement.
pub const MAX_SUBJECTS: usize = 1024;

/// The largest body, in canonical bytes: well below what a record may hold.
pub const MAX_BODY: usize = 512 << 10;
