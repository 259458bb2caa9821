//! What can go wrong in the ledger. Cloneable, because one failed batch is several callers' failure.

use std::io;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};

/// Why the ledger refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// There is no ledger here.
    #[error("{}: no ledger here; it is made by the first `gonogo plan`", path.display())]
    Absent {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// No space, or a size limit. Nothing was acknowledged and the ledger is as before.
    #[error("{}: no space left; nothing was recorded; free space, then repeat: {text}", path.display())]
    Full {
        /// What was written.
        path: PathBuf,
        /// The system's words.
        text: String,
    },
    /// A sync failed: **the caller must end the process** and acknowledge nothing. What was written may or may not be on
    /// disk; the next start finds out.
    #[error("{}: the disk failed to make a record durable; check the disk, then run `gonogo status`: {text}", path.display())]
    Sync {
        /// What was synced.
        path: PathBuf,
        /// The system's words.
        text: String,
    },
    /// The ledger contradicts its own digests or signatures.
    #[error("{}: the ledger is damaged: {text}; stop, keep a copy of the directory and find out what wrote there", path.display())]
    Corrupt {
        /// Where.
        path: PathBuf,
        /// What does not fit.
        text: String,
    },
    /// The data are older than a checkpoint that was acknowledged, or the lock is older than the data.
    #[error("{}: {text}; somebody put back an older copy: stop, keep both, and see `docs/recovery.md`", path.display())]
    RolledBack {
        /// What is too old.
        path: PathBuf,
        /// How it shows.
        text: String,
    },
    /// The store of the acknowledged checkpoint cannot be used.
    #[error("{}: the acknowledged checkpoint cannot be read: {text}; without it nobody knows what was acknowledged: see `docs/recovery.md`", path.display())]
    Lock {
        /// The lock's file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// Another system error.
    #[error("{}: cannot {action}: {text}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's words.
        text: String,
    },
    /// A private key is missing, unreadable or not the ledger's.
    #[error("{}: the key cannot be used: {text}", path.display())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// Another process appends for too long.
    #[error("{}: locked by another process for longer than 30 s; repeat later, or find the process that holds it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The idempotency key names a record that says something else.
    #[error(
        "stream `{stream}`: the key `{key}` was used for another record (leaf {index}); use another key"
    )]
    KeyReused {
        /// The stream.
        stream: String,
        /// The idempotency key.
        key: String,
        /// The record that has it.
        index: u64,
    },
    /// A record that cannot be recorded as it is.
    #[error("stream `{stream}`: the record is refused: {text}")]
    Refused {
        /// The stream.
        stream: String,
        /// Why.
        text: String,
    },
    /// A statement signed elsewhere no longer continues its stream, or names another log.
    #[error(
        "stream `{stream}`: the signed statement does not continue the stream: {text}; prepare and sign it again"
    )]
    Moved {
        /// The stream.
        stream: String,
        /// What does not fit.
        text: String,
    },
    /// A signer who is not enrolled, revoked, or may not sign this.
    #[error("key {key} may not sign here: {text}")]
    Signer {
        /// The key's id.
        key: String,
        /// Why.
        text: String,
    },
    /// No record has this index or digest.
    #[error("no record `{0}` in the ledger")]
    NotFound(String),
    /// Several records' digests start so.
    #[error("several records start with `{0}`; give more characters")]
    Ambiguous(String),
    /// The blob store has no such blob.
    #[error("no blob {0} in the ledger")]
    BlobMissing(Digest),
    /// The ledger was opened to read only.
    #[error("{}: opened to read only", path.display())]
    ReadOnly {
        /// The ledger.
        path: PathBuf,
    },
    /// The index failed. It holds nothing that the journal does not.
    #[error("{}: the index failed: {text}; delete it, it is rebuilt", path.display())]
    Index {
        /// The index.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// The rules of records and packets were broken.
    #[error(transparent)]
    Rules(#[from] gonogo_ledger::Error),
}

impl LedgerError {
    /// Returns the reason code.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Absent { .. } | Self::NotFound(_) | Self::BlobMissing(_) => Reason::InputNotFound,
            Self::Full { .. } => Reason::StoreFull,
            Self::Sync { .. } => Reason::StoreSyncFailed,
            Self::Corrupt { .. } | Self::Lock { .. } => Reason::LedgerCorrupt,
            Self::RolledBack { .. } => Reason::LedgerRolledBack,
            Self::Io { .. } | Self::Index { .. } | Self::Locked { .. } => Reason::StoreFailed,
            Self::Key { .. } => Reason::KeyUnreadable,
            Self::KeyReused { .. } => Reason::IdempotencyConflict,
            Self::Refused { .. } | Self::Rules(_) => Reason::InputMalformed,
            Self::Moved { .. } => Reason::StreamBroken,
            Self::Signer { .. } => Reason::SignerUnknown,
            Self::Ambiguous(_) => Reason::IdAmbiguous,
            Self::ReadOnly { .. } => Reason::PermissionDenied,
        }
    }

    /// Returns whether the process must end.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Sync { .. })
    }

    pub(super) fn io(action: &'static str, path: &Path, error: &io::Error) -> Self {
        // EFBIG is a file size limit: like a full disk, it passes when somebody makes room.
        let full = matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        );
        let (path, text) = (path.to_owned(), error.to_string());
        if full {
            Self::Full { path, text }
        } else {
            Self::Io { action, path, text }
        }
    }

    pub(super) fn corrupt(path: &Path, text: impl Into<String>) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            text: text.into(),
        }
    }
}

/// Packet writing goes through plain writers; their errors carry no path.
impl From<io::Error> for LedgerError {
    fn from(error: io::Error) -> Self {
        Self::io("write", Path::new("packet"), &error)
    }
}
