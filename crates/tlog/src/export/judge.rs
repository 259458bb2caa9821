//! Whether the checkpoint at a destination may be replaced by ours. Nothing is written here.

use gonogo_ledger::note::Note;
use gonogo_ledger::{Checkpoint, Vkey};

use super::destination::{Destination, Object};
use crate::error::Error;
use crate::publication::Tree;

/// What to do with the checkpoint at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is none.
    Create,
    /// Ours extends it, or is of the same tree with at least as many signatures.
    Replace { size: u64 },
    /// It is ours, or the same tree with more signatures.
    Keep { size: u64 },
}

impl Verdict {
    /// Leaves of the tree at the destination.
    pub(super) const fn before(self) -> Option<u64> {
        match self {
            Self::Create => None,
            Self::Replace { size } | Self::Keep { size } => Some(size),
        }
    }
}

/// Judges what the destination holds against our tree.
///
/// # Errors
/// [`Error::Foreign`], [`Error::Rollback`], [`Error::Fork`], and what reading our tiles gives.
pub(super) fn judge(
    tree: &mut Tree,
    ours: &Checkpoint,
    note: &[u8],
    key: &Vkey,
    destination: &Destination,
    there: Option<&Object>,
) -> Result<Verdict, Error> {
    let Some(there) = there else {
        return Ok(Verdict::Create);
    };
    let place = || destination.to_string();
    let foreign = |text: String| Error::Foreign {
        place: place(),
        key: key.to_string(),
        text,
    };
    let text = std::str::from_utf8(&there.bytes).map_err(|_| foreign("it is not UTF-8".into()))?;
    let old = Checkpoint::open(text, key).map_err(|e| foreign(e.to_string()))?;
    if old.size > ours.size {
        return Err(Error::Rollback {
            place: place(),
            there: old.size,
            here: ours.size,
        });
    }
    let here = tree.root(old.size)?;
    if here != old.root {
        return Err(Error::Fork {
            place: place(),
            size: old.size,
            there: old.root,
            here,
        });
    }
    let size = old.size;
    if old.size == ours.size && (there.bytes == note || signatures(text) > signatures_of(note)) {
        return Ok(Verdict::Keep { size });
    }
    Ok(Verdict::Replace { size })
}

fn signatures_of(note: &[u8]) -> usize {
    std::str::from_utf8(note).map_or(0, signatures)
}

/// How many signatures a note carries. An export does not replace a cosigned checkpoint by a bare one.
fn signatures(note: &str) -> usize {
    Note::parse(note).map_or(0, |note| note.signature_count())
}
