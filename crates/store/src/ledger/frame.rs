//! Frames of the journal: `u32 length of the body | u32 CRC-32C of kind and body | u8 kind | body`, big-endian.
//!
//! Kinds: 1 a record, body `u16 how many records of the same append call follow | 91 bytes SPKI of the signer | envelope`;
//! 2 a checkpoint that was signed before this batch was written, so that each batch makes the one before it provable.

use gonogo_ledger::key::SPKI_LENGTH;
use gonogo_ledger::{Envelope, MAX_ENVELOPE, PublicKey};

/// Bytes before the body.
pub(super) const HEADER: usize = 9;

/// The largest body.
pub(super) const MAX_BODY: usize = MAX_ENVELOPE + 2 + SPKI_LENGTH;

const RECORD: u8 = 1;
const CHECKPOINT: u8 = 2;

/// What a frame holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Frame {
    Record(RecordFrame),
    Checkpoint(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RecordFrame {
    /// How many records of the same append call follow.
    pub(super) following: u16,
    pub(super) signer: PublicKey,
    pub(super) envelope: Envelope,
}

/// A frame's header, before its body is known to be good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    length: usize,
    sum: u32,
    kind: u8,
}

impl Header {
    /// Reads a header; `None` if no frame of ours has it.
    pub(super) fn read(bytes: &[u8; HEADER]) -> Option<Self> {
        let [l0, l1, l2, l3, c0, c1, c2, c3, kind] = *bytes;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let known = matches!(kind, RECORD | CHECKPOINT) && length <= MAX_BODY;
        known.then_some(Self {
            length,
            sum: u32::from_be_bytes([c0, c1, c2, c3]),
            kind,
        })
    }

    pub(super) const fn body_length(&self) -> usize {
        self.length
    }

    pub(super) const fn is_checkpoint(&self) -> bool {
        self.kind == CHECKPOINT
    }

    /// Returns whether the body is the one that was written.
    pub(super) fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.length
            && crc32c::crc32c_append(crc32c::crc32c(&[self.kind]), body) == self.sum
    }

    /// Reads a body that fits; `None` if it has another form.
    pub(super) fn decode(&self, body: &[u8]) -> Option<Frame> {
        if !self.fits(body) {
            return None;
        }
        if self.is_checkpoint() {
            return String::from_utf8(body.to_vec()).ok().map(Frame::Checkpoint);
        }
        let (following, rest) = body.split_first_chunk::<2>()?;
        let (spki, envelope) = rest.split_first_chunk::<SPKI_LENGTH>()?;
        Some(Frame::Record(RecordFrame {
            following: u16::from_be_bytes(*following),
            signer: PublicKey::from_spki(spki).ok()?,
            envelope: Envelope::parse(envelope).ok()?,
        }))
    }
}

/// Appends a record's frame to `out`; returns its length.
pub(super) fn push_record(
    out: &mut Vec<u8>,
    following: u16,
    key: &PublicKey,
    envelope: &[u8],
) -> usize {
    push(
        out,
        RECORD,
        &[&following.to_be_bytes(), key.spki(), envelope],
    )
}

/// Appends a checkpoint's frame to `out`; returns its length.
pub(super) fn push_checkpoint(out: &mut Vec<u8>, note: &str) -> usize {
    push(out, CHECKPOINT, &[note.as_bytes()])
}

fn push(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) -> usize {
    let length: usize = parts.iter().map(|p| p.len()).sum();
    let sum = parts.iter().fold(crc32c::crc32c(&[kind]), |sum, part| {
        crc32c::crc32c_append(sum, part)
    });
    let declared = u32::try_from(length).expect("invariant: bodies are at most MAX_BODY");
    out.extend_from_slice(&declared.to_be_bytes());
    out.extend_from_slice(&sum.to_be_bytes());
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
    HEADER + length
}

/// Returns how long a record's frame is.
pub(super) fn record_length(envelope: &Envelope) -> usize {
    HEADER + 2 + SPKI_LENGTH + envelope.stored_length()
}
