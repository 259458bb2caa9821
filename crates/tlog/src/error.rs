//! The crate's one error enum: what failed, on which object, why, and what to do next.

use std::io;
use std::path::{Path, PathBuf};

use gonogo_core::Digest;

/// Why something could not be served, copied, cosigned or asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory cannot be used.
    #[error("cannot {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A listening socket cannot be used.
    #[error("cannot serve on {address}: {source}; free the port or choose another address")]
    Listen {
        /// The address, as far as known.
        address: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Somebody else holds what only one process may write.
    #[error("{path} is in use by another process; wait for it or stop it, then try again")]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// The publication lacks something that its checkpoint promises.
    #[error("publication {dir} lacks `{name}`; run `gonogo ledger fsck` and publish again")]
    Missing {
        /// The publication's directory.
        dir: PathBuf,
        /// The object's name.
        name: String,
    },
    /// The publication holds bytes that its checkpoint does not cover.
    #[error(
        "`{name}` of publication {dir} is damaged: {text}; run `gonogo ledger fsck`, nothing of it was used"
    )]
    Damaged {
        /// The publication's directory.
        dir: PathBuf,
        /// The object's name.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// A destination that cannot be addressed.
    #[error("`{url}` is no place to export to: {text}")]
    Destination {
        /// What was given.
        url: String,
        /// What is wrong.
        text: String,
    },
    /// The destination refuses for a reason that trying again does not change.
    #[error("`{name}` at {place}: {text}; nothing more was copied")]
    Refused {
        /// The destination.
        place: String,
        /// The object's name.
        name: String,
        /// Its reason.
        text: String,
    },
    /// The destination did not do it in the attempts allowed.
    #[error(
        "`{name}` at {place} failed {attempts} times, last: {text}; what was copied stays valid, run the export again"
    )]
    Exhausted {
        /// The destination.
        place: String,
        /// The object's name.
        name: String,
        /// How often it was tried.
        attempts: u32,
        /// The last failure.
        text: String,
    },
    /// An immutable object exists with other bytes.
    #[error(
        "`{name}` at {place} exists with other bytes (there {there}, here {here}): the destination belongs to another log, was changed, or this log was; it was not overwritten"
    )]
    Different {
        /// The destination.
        place: String,
        /// The object's name.
        name: String,
        /// Digest of what is there.
        there: Digest,
        /// Digest of what should be.
        here: Digest,
    },
    /// The checkpoint at the destination is not one that this log's key signed.
    #[error(
        "the checkpoint at {place} is not signed by {key}: {text}; it was not overwritten, choose an empty destination or the right key"
    )]
    Foreign {
        /// The destination.
        place: String,
        /// The key that was expected.
        key: String,
        /// What is wrong.
        text: String,
    },
    /// The destination knows a larger tree: this log was rolled back, or another export runs ahead.
    #[error(
        "{place} holds a checkpoint of {there} leaves and this publication {here}: this log was rolled back, or a newer export was made; it was not overwritten"
    )]
    Rollback {
        /// The destination.
        place: String,
        /// Size there.
        there: u64,
        /// Size here.
        here: u64,
    },
    /// Two trees of one log: the same number of leaves, or fewer, with a root that ours does not have.
    #[error(
        "the log has forked: {place} holds a signed checkpoint of {size} leaves with root {there}, here these leaves have root {here}; keep both checkpoints as evidence"
    )]
    Fork {
        /// The destination.
        place: String,
        /// Size of the tree there.
        size: u64,
        /// Its root there.
        there: Digest,
        /// Root of as many leaves here.
        here: Digest,
    },
    /// A witness's directory cannot be used.
    #[error(
        "witness state {path} cannot be used: {text}; restore it or take this log off the witness, do not delete it"
    )]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// A setting that cannot be used.
    #[error("{what}: {text}")]
    Setting {
        /// Which.
        what: String,
        /// What is wrong and what to do.
        text: String,
    },
    /// A rule of the ledger's formats.
    #[error(transparent)]
    Ledger(#[from] gonogo_ledger::Error),
}

impl Error {
    pub(crate) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}
