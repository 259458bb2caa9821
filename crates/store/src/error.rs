//! What can go wrong in the store.

use std::path::PathBuf;

use gonogo_core::Reason;
use gonogo_core::id::{ApprovalId, OperationId};

use crate::lease::Holder;

/// Why the store refused or failed. Text says what failed, on which object, why, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space is left; nothing was changed.
    #[error("{}: no space left on the disk; free space, then repeat: {text}", path.display())]
    Full {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// A write or sync failed. What was being written may be lost, so this process must end.
    #[error("{}: the disk failed to make a change durable; check the disk, then run `gonogo status`: {text}", path.display())]
    SyncFailed {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// Another process holds the database for too long.
    #[error("{}: locked by another process for longer than 5 s; repeat later: {text}", path.display())]
    Locked {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// The file is no database or is damaged.
    #[error("{}: damaged or not a gonogo database; keep a copy and restore from the ledger: {text}", path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// A newer gonogo wrote the database.
    #[error("{}: schema {found} is newer than this gonogo's {known}; use the newer gonogo", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// SQLite itself is too old to be trusted with a write-ahead log.
    #[error(
        "SQLite {0} may corrupt its write-ahead log (fixed in 3.51.3); build gonogo with the bundled SQLite"
    )]
    OldSqlite(String),
    /// A directory or file cannot be made or opened.
    #[error("{}: cannot be opened or made; check owner and permissions: {source}", path.display())]
    File {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else that SQLite says.
    #[error("{}: {text}", path.display())]
    Failed {
        /// The database.
        path: PathBuf,
        /// SQLite's words.
        text: String,
    },
    /// A stored value cannot be understood.
    #[error(
        "{what} {id}: the stored value cannot be understood; use the gonogo that wrote it: {text}"
    )]
    Malformed {
        /// Kind of object.
        what: &'static str,
        /// Which.
        id: String,
        /// Why.
        text: String,
    },
    /// The key belongs to another plan.
    #[error(
        "idempotency key `{key}` in {environment} belongs to operation {operation} of another plan; use another key"
    )]
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The environment.
        environment: String,
        /// Who has it.
        operation: OperationId,
    },
    /// Another operation runs in the environment.
    #[error(
        "{environment}: operation {operation} is still open; follow it with `gonogo watch {operation}` or cancel it"
    )]
    OperationOpen {
        /// The environment.
        environment: String,
        /// The open operation.
        operation: OperationId,
    },
    /// An approval counts once.
    #[error("approval {approval} was used by operation {operation}; ask for a new one")]
    ApprovalReused {
        /// The approval.
        approval: ApprovalId,
        /// Who used it.
        operation: OperationId,
    },
    /// No such object.
    #[error("{what} `{id}` does not exist; list them with `gonogo status`")]
    Unknown {
        /// Kind of object.
        what: &'static str,
        /// Which.
        id: String,
    },
    /// The operation takes no more inputs.
    #[error("operation {0} has ended; read its result with `gonogo status {0}`")]
    OperationEnded(OperationId),
    /// Somebody else drives the environment.
    #[error("{environment}: driven by {holder}; follow it with `gonogo watch`")]
    LeaseHeld {
        /// The environment.
        environment: String,
        /// Who.
        holder: Box<Holder>,
    },
    /// Somebody else took over.
    #[error(
        "{environment}: another controller took over from epoch {epoch}; follow the operation with `gonogo watch`"
    )]
    LeaseLost {
        /// The environment.
        environment: String,
        /// The epoch that is no longer ours.
        epoch: u64,
    },
    /// The journal is not where the driver believes it is.
    #[error(
        "operation {operation}: the journal stands at {found}, not at {expected}; run the command again"
    )]
    SeqMoved {
        /// The operation.
        operation: OperationId,
        /// Where the driver believed it to be.
        expected: u64,
        /// Where it is.
        found: u64,
    },
}

impl StoreError {
    /// The catalogue's reason for this error.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Full { .. } => Reason::StoreFull,
            Self::SyncFailed { .. } => Reason::StoreSyncFailed,
            Self::IdempotencyConflict { .. } => Reason::IdempotencyConflict,
            Self::OperationOpen { .. } => Reason::OperationOpen,
            Self::ApprovalReused { .. } => Reason::ApprovalReused,
            Self::Unknown { .. } => Reason::InputNotFound,
            Self::OperationEnded(_) => Reason::OperationEnded,
            Self::LeaseHeld { .. } => Reason::LeaseHeld,
            Self::LeaseLost { .. } | Self::SeqMoved { .. } => Reason::LeaseLost,
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => {
                Reason::PermissionDenied
            }
            Self::File { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                Reason::StoreFull
            }
            _ => Reason::StoreFailed,
        }
    }
}

/// An error inside a transaction, before it is known where it happened.
#[derive(Debug)]
pub(crate) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        Self::Sql(e)
    }
}

impl From<StoreError> for Fault {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

impl Fault {
    pub(crate) fn malformed(
        what: &'static str,
        id: impl std::fmt::Display,
        why: impl std::fmt::Display,
    ) -> Self {
        Self::Store(StoreError::Malformed {
            what,
            id: id.to_string(),
            text: why.to_string(),
        })
    }
}
