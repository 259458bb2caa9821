//! Verifies a packet offline, with nothing but its bytes and the log key that the reader trusts.
//!
//! Steps: the archive's form → the manifest's list against the members → the checkpoint's signature and the trusted key →
//! each record: inclusion, signature, signer enrolled at a lower index → the same for the manifest → the streams → the
//! blobs. A failure in the first three ends the work, because nothing after it would mean anything. Records are handed
//! out only if no check failed.
//!
//! Trust comes from the caller only: the key inside the packet is compared, never believed.

mod members;
mod records;
mod report;

use std::io::Read;

use gonogo_core::Reason;

use crate::error::Error;
use crate::note::{Checkpoint, Note, Vkey};
use crate::packet::archive::ArchiveError;
use crate::packet::{CHECKPOINT, LOG_VKEY};

pub use members::Limits;
use members::Members;
use report::Findings;
pub use report::{Check, Report, Signer, VerifiedRecord};

/// What the reader trusts.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The log's key, from a source other than the packet. Without it a packet can at best agree with itself.
    pub log_vkey: Option<Vkey>,
}

/// Verifies a packet. Memory: the records and proofs, bounded by `limits`; blobs are only hashed.
///
/// # Errors
/// [`ArchiveError::Io`] if `packet` cannot be read. Everything that is wrong with the packet itself is in the report.
pub fn verify(packet: impl Read, trust: &Trust, limits: &Limits) -> Result<Report, ArchiveError> {
    let mut notes = Findings::default();
    let Some(members) = members::read(packet, limits, &mut notes)? else {
        return Ok(notes.finish());
    };
    let Some(manifest) = members.check_manifest(&mut notes) else {
        return Ok(notes.finish());
    };
    let Some((checkpoint, vkey)) = open_checkpoint(&members, &mut notes) else {
        return Ok(notes.finish());
    };
    match &trust.log_vkey {
        Some(trusted) if *trusted == vkey => {
            notes.pass(
                "trust",
                format!(
                    "the checkpoint is signed by the trusted key of `{}`",
                    vkey.name()
                ),
            );
        }
        Some(trusted) => {
            notes.fail(
                "trust",
                Reason::TrustMismatch,
                format!("the packet's log key is {vkey}, you trust {trusted}"),
            );
            return Ok(notes.finish());
        }
        None => notes.fail(
            "trust",
            Reason::TrustMissing,
            format!("no trusted log key was given; the packet brings {vkey}"),
        ),
    }
    records::check(&members, &manifest, &checkpoint, &mut notes);
    members.check_omitted(&manifest.list, &mut notes);
    notes.log = Some((checkpoint, vkey));
    Ok(notes.finish())
}

fn open_checkpoint(members: &Members, notes: &mut Findings) -> Option<(Checkpoint, Vkey)> {
    let opened = (|| {
        let line = members.text(LOG_VKEY)?;
        let vkey: Vkey = line
            .strip_suffix('\n')
            .ok_or_else(|| Error::Note("`trust/log.vkey` is not one line".into()))?
            .parse()?;
        let note = members.text(CHECKPOINT)?;
        if Note::parse(note)?.signature_count() != 1 {
            return Err(Error::Note("not exactly one signature".into()));
        }
        Ok((Checkpoint::open(note, &vkey)?, vkey))
    })();
    match opened {
        Ok((checkpoint, vkey)) => {
            notes.pass(
                "checkpoint",
                format!("log `{}`, {} leaves", checkpoint.origin, checkpoint.size),
            );
            Some((checkpoint, vkey))
        }
        Err(e @ Error::Signature(_)) => {
            notes.fail("checkpoint", Reason::SignatureInvalid, e.to_string());
            None
        }
        Err(e) => {
            notes.fail("checkpoint", Reason::PacketCorrupt, e.to_string());
            None
        }
    }
}
