//! Where evidence goes. The ledger is behind this trait; the use cases wire the two together.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use gonogo_core::Reason;
use gonogo_store::Draft;

/// Takes drafts and keeps them durably.
pub trait Evidence: Send + Sync {
    /// Appends `drafts` in order. When this returns they survive a crash. A draft whose stream and key are there already
    /// is left out, so that appending again after a doubtful end is harmless.
    ///
    /// # Errors
    /// [`EvidenceError`]; some of the drafts may have been appended.
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError>;
}

/// Why evidence could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// No space is left. The driver waits for space.
    #[error("no space for evidence; free space on the disk: {0}")]
    Full(String),
    /// Another process is writing. The driver tries again.
    #[error("the ledger is busy: {0}")]
    Busy(String),
    /// A sync failed: what was written may be lost although a later sync succeeds. The driver gives up, and the process must
    /// end without acknowledging anything.
    #[error("the disk failed to make evidence durable; check the disk: {0}")]
    SyncFailed(String),
    /// Anything else. The driver gives up; nothing is lost.
    #[error("evidence cannot be kept: {0}")]
    Failed(String),
}

impl EvidenceError {
    /// The catalogue's reason for this error.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Full(_) => Reason::StoreFull,
            Self::SyncFailed(_) => Reason::StoreSyncFailed,
            Self::Busy(_) | Self::Failed(_) => Reason::StoreFailed,
        }
    }
}

/// Evidence in memory, for tests and dry runs. Nothing of it survives.
#[derive(Debug, Default)]
pub struct MemoryEvidence {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: BTreeSet<(String, String)>,
    drafts: Vec<Draft>,
}

impl MemoryEvidence {
    /// Everything appended so far.
    pub fn drafts(&self) -> Vec<Draft> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.drafts.clone()
    }
}

impl Evidence for MemoryEvidence {
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for draft in drafts {
            if kept.keys.insert((draft.stream.clone(), draft.key.clone())) {
                kept.drafts.push(draft);
            }
        }
        Ok(())
    }
}
