//! What a witness remembers of a log: the last checkpoint that it cosigned, as a note with the log's signature and its own.
//!
//! The note is its own proof: it is believed only if the witness's cosignature on it verifies.

use gonogo_ledger::note::MAX_NOTE;
use gonogo_ledger::{Checkpoint, CosignerKey, Error, Note, Vkey, cosignature};

use super::is_signed;

/// The last cosigned checkpoint of a log.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) checkpoint: Checkpoint,
    pub(super) time: u64,
    pub(super) note: String,
}

impl Known {
    /// Cosigns the text of `note`; returns the text with the log's signature and ours, and our line.
    pub(super) fn seal(
        key: &CosignerKey,
        log: &Vkey,
        note: &str,
        time: u64,
    ) -> Result<(String, String), Error> {
        let line = key.cosign(Note::parse(note)?.text(), time);
        let signed = signed_by(note, log).ok_or_else(|| Error::Signature(log.label()))?;
        Ok((format!("{signed}{line}"), line))
    }

    /// Reads what [`Known::seal`] made.
    pub(super) fn open(note: &str, origin: &str, own: &Vkey) -> Result<Self, Error> {
        if note.len() > MAX_NOTE {
            return Err(Error::Note("longer than a note".into()));
        }
        let parsed = Note::parse(note)?;
        let time = cosignature::verify(&parsed, own)?;
        let checkpoint = Checkpoint::read_unverified(&parsed)?;
        if checkpoint.origin != origin {
            return Err(Error::Note(format!(
                "it is of log `{}`",
                checkpoint.origin.escape_debug()
            )));
        }
        Ok(Self {
            checkpoint,
            time,
            note: note.to_owned(),
        })
    }
}

/// Returns the note with the one signature of `key` and no others: a sender may put any number of lines of anybody's beside it.
pub(super) fn signed_by(note: &str, key: &Vkey) -> Option<String> {
    let text = Note::parse(note).ok()?.text().to_owned();
    note.get(text.len() + 1..)?
        .lines()
        .map(|line| format!("{text}\n{line}\n"))
        .find(|candidate| is_signed(candidate, key))
}
