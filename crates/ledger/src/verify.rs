//! Verifies a packet offline, with nothing but its bytes and what the reader trusts and remembers.
//!
//! Checks, in order: the archive's form → members and manifest → the log's signature → the reader's trust → the policy's
//! quorum → each record's inclusion → its signature → its signer, by leaf index → the streams → remembered checkpoints →
//! the time-stamp → the blobs → the artifact. A failure in the first four makes everything after it meaningless, and that
//! is said. Every check is in the report; one that was not made is never shown as passed. Records are handed out only if no
//! check failed.
//!
//! The packet is read once, from front to end, in bounded memory: what is kept of a record is 32 bytes, unless the reader
//! asks for it. Signatures are checked by a few threads.
//!
//! Trust comes from the caller only: keys and policy inside the packet are compared, and believed only on request.

mod examine;
mod history;
mod members;
mod pool;
mod report;
mod sums;
mod trust;
mod walk;
mod work;

use std::io::Read;

use gonogo_core::{Digest, Reason};

use crate::note::Vkey;
use crate::packet::archive::ArchiveError;
use crate::policy::Policy;
pub use report::{
    CHECKS, Check, Conflict, Link, Report, Shown, Signed, Signer, State, VerifiedRecord,
};
use report::{Findings, Step};

/// What the reader trusts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The logs that are believed and the witnesses that must have cosigned, from a source other than the packet. Without
    /// it a packet can at best agree with itself.
    pub policy: Option<Policy>,
    /// Believe the policy in the packet, if there is no other. Shows that the packet is in order, and nothing about who made
    /// it.
    pub packet: bool,
}

impl Trust {
    /// Trusts one log, whatever witnesses say.
    pub fn of_log(vkey: Vkey) -> Self {
        Self {
            policy: Some(Policy::log_only(vkey)),
            packet: false,
        }
    }
}

/// A checkpoint of the log that the reader has seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The whole note.
    pub note: String,
    /// A consistency proof between it and the packet's checkpoint, in whichever direction, that the reader got elsewhere.
    pub path: Option<Vec<Digest>>,
}

/// What a verifier is ready to read.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many members.
    pub members: usize,
    /// How many bytes `SHA256SUMS` may have; it is held.
    pub sums: u64,
    /// How many bytes of statements may be kept for the reader.
    pub kept: u64,
    /// How many bytes of blobs together; they are only hashed.
    pub blobs: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 2_100_000,
            sums: 16 << 20,
            kept: 16 << 20,
            blobs: 64 << 30,
        }
    }
}

/// What a check of a time-stamp found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamp {
    /// It is good, and who issued it is trusted. The text says when and by whom.
    Good(String),
    /// It agrees with itself, and nobody vouches for who issued it.
    Unrooted(String),
    /// It is bad.
    Bad(String),
}

/// Checks RFC 3161 time-stamps.
pub trait TimestampCheck {
    /// Judges `response`, a DER TimeStampResp, over the exact bytes of a checkpoint.
    fn check(&self, response: &[u8], checkpoint: &[u8]) -> Stamp;
}

/// What to verify against, and what to hand out.
pub struct Request<'a> {
    /// What the reader trusts.
    pub trust: &'a Trust,
    /// Checkpoints that the reader remembers. Each must be linked to the packet's.
    pub since: &'a [Remembered],
    /// SHA-256 of the artifact that the release must be about: the first record of the packet's stream says so, or a plan does
    /// that this record is about.
    pub artifact: Option<Digest>,
    /// Who checks `checkpoint.tsr`.
    pub timestamps: Option<&'a dyn TimestampCheck>,
    /// Which records to hand out, by stream and kind. The others are verified and forgotten.
    pub keep: &'a (dyn Fn(&str, &str) -> bool + Sync),
    /// What to read at most.
    pub limits: Limits,
    /// How many threads check records.
    pub workers: usize,
}

impl<'a> Request<'a> {
    /// Asks for every record, remembering nothing.
    pub fn new(trust: &'a Trust) -> Self {
        Self {
            trust,
            since: &[],
            artifact: None,
            timestamps: None,
            keep: &|_, _| true,
            limits: Limits::default(),
            workers: 2,
        }
    }
}

impl std::fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Request")
            .field("trust", self.trust)
            .field("since", &self.since)
            .field("artifact", &self.artifact)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Panics if the verifier's quick reader reads what is no statement, or reads it otherwise than
/// [`Statement::parse`](crate::Statement::parse). For the fuzzer: a packet around each input would cost too much time.
#[cfg(fuzzing)]
pub fn compare_readings(payload: &[u8]) {
    crate::statement::quick::agree(payload);
}

/// Verifies a packet.
///
/// # Errors
/// [`ArchiveError::Io`] if `packet` cannot be read. Everything that is wrong with the packet itself is in the report.
pub fn verify(packet: impl Read, request: &Request<'_>) -> Result<Report, ArchiveError> {
    let mut notes = Findings::default();
    let Some(read) = members::read(packet, request, &mut notes)? else {
        return Ok(notes.finish());
    };
    let members::Members {
        checkpoint,
        timestamp,
        proofs,
        small,
        manifest,
        walked,
        blobs,
    } = read;
    if let Some(mut shown) = trust::log(&checkpoint, &small, &manifest, &walked, &mut notes) {
        trust::judge(&shown, &small, request.trust, &mut notes);
        history::check(
            &mut shown,
            proofs,
            walked.first.as_ref(),
            request.since,
            &mut notes,
        );
        notes.log = Some(shown);
    }
    match (timestamp, request.timestamps) {
        (None, None) => notes.skip(Step::Timestamp, "the packet brings no time-stamp"),
        // Whoever names an authority wants to know when, and a packet that says nothing does not tell.
        (None, Some(_)) => notes.fail(
            Step::Timestamp,
            Reason::PacketIncomplete,
            "the packet brings no time-stamp for the authority to check",
        ),
        (Some(_), None) => notes.skip(
            Step::Timestamp,
            "not checked: no authority for time-stamps was given",
        ),
        (Some(response), Some(checker)) => {
            match checker.check(&response, checkpoint.note.as_bytes()) {
                Stamp::Good(text) => notes.pass(Step::Timestamp, text),
                Stamp::Unrooted(text) => {
                    notes.skip(Step::Timestamp, &format!("not vouched for: {text}"));
                }
                Stamp::Bad(text) => notes.fail(Step::Timestamp, Reason::TimestampInvalid, text),
            }
        }
    }
    for omitted in &manifest.omitted {
        let text = format!("{} is left out: {}", omitted.blob, omitted.reason);
        notes.fail(Step::Blobs, Reason::PacketIncomplete, text);
    }
    if walked.too_many {
        let text = format!(
            "the records that are asked for have more than {} bytes",
            request.limits.kept
        );
        notes.fail(Step::Blobs, Reason::PacketIncomplete, text);
    }
    let text = format!(
        "{} blobs have the digests that they are named by",
        blobs.len()
    );
    notes.pass(Step::Blobs, text);
    match request.artifact {
        None => notes.skip(Step::Artifact, "no artifact was given to compare with"),
        Some(digest) if walked.artifact => {
            notes.pass(Step::Artifact, format!("the release is about {digest}"));
        }
        Some(digest) => notes.fail(
            Step::Artifact,
            Reason::ArtifactMismatch,
            format!("the release is not about {digest}"),
        ),
    }
    notes.blobs = blobs;
    notes.cut = walked.too_many;
    notes.about = walked.about;
    notes.claim = Some(manifest.verdict);
    Ok(notes.finish())
}
