//! The driver's parts and its one entry.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gonogo_core::id::OperationId;
use gonogo_core::{Clock, Digest, Reason, Span};
use gonogo_release::{Machine, Terminal};
use gonogo_store::{Store, StoreError};
use gonogo_target::Target;

use crate::core::Core;
use crate::evidence::{Evidence, EvidenceError};
use crate::progress::Progress;
use crate::run;

/// Drives operations, one at a time per call. May be shared between threads.
#[derive(Clone)]
pub struct Driver {
    /// Journal, outbox, timers, leases.
    pub store: Arc<Store>,
    /// Where evidence goes.
    pub evidence: Arc<dyn Evidence>,
    /// What is released to. Its calls run in threads that may outlive a drive.
    pub target: Arc<dyn Target>,
    /// Both clocks.
    pub clock: Arc<dyn Clock>,
    /// Times and names.
    pub settings: Settings,
    /// Set it, and every drive returns soon with the operation left open for the next one.
    pub stop: Arc<AtomicBool>,
}

/// A driver's times and names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a lease holds; renewed at a third.
    pub lease: Span,
    /// How often inputs of other processes are looked for.
    pub poll: Span,
    /// Who is named as the actor where no person is.
    pub actor: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Span::from_secs(10),
            poll: Span::from_millis(100),
            actor: "gonogo".into(),
        }
    }
}

impl Driver {
    /// Drives `operation` to its end; returns none if it was stopped before. `see` is told what happens, on this thread.
    ///
    /// # Errors
    /// [`DriveError`]. The operation stays as it is in the journal, and any driver can go on with it.
    pub fn drive(
        &self,
        operation: &OperationId,
        see: &dyn Fn(&Progress<'_>),
    ) -> Result<Option<Terminal>, DriveError> {
        self.drive_core::<Machine>(operation, see)
    }

    /// Like [`Driver::drive`], with another machine than the release machine.
    ///
    /// # Errors
    /// As [`Driver::drive`].
    pub fn drive_core<C: Core>(
        &self,
        operation: &OperationId,
        see: &dyn Fn(&Progress<'_>),
    ) -> Result<Option<Terminal>, DriveError> {
        run::run::<C>(self, operation, see)
    }
}

/// Why a drive ended before its operation did.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// Another controller drives the environment.
    #[error(transparent)]
    LeaseHeld(StoreError),
    /// Another controller took over. Nothing more was sent.
    #[error(transparent)]
    LeaseLost(StoreError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
    /// Evidence could not be kept; what is missing waits in the store.
    #[error("operation {operation}: {source}; then run `gonogo watch {operation}`")]
    Evidence {
        /// The operation.
        operation: OperationId,
        /// Why.
        source: EvidenceError,
    },
    /// The stored plan is not the plan that was approved.
    #[error(
        "operation {operation}: the stored plan no longer has the fingerprint that was approved; plan again"
    )]
    PlanChanged {
        /// The operation.
        operation: OperationId,
    },
    /// A state cannot be read or written.
    #[error(
        "operation {operation}: the machine's state cannot be read or written; use the gonogo that began it: {text}"
    )]
    Snapshot {
        /// The operation.
        operation: OperationId,
        /// Why.
        text: String,
    },
    /// A restored state is not the stored one.
    #[error(
        "operation {operation}: the restored state has digest {found}, the journal says {stored}; use the gonogo that began it"
    )]
    DigestDiffers {
        /// The operation.
        operation: OperationId,
        /// What the journal says.
        stored: Digest,
        /// What the machine says.
        found: Digest,
    },
}

impl From<StoreError> for DriveError {
    fn from(e: StoreError) -> Self {
        match e {
            StoreError::LeaseHeld { .. } => Self::LeaseHeld(e),
            StoreError::LeaseLost { .. } | StoreError::SeqMoved { .. } => Self::LeaseLost(e),
            e => Self::Store(e),
        }
    }
}

impl DriveError {
    /// The catalogue's reason for this error.
    pub fn reason(&self) -> Reason {
        match self {
            Self::LeaseHeld(e) | Self::LeaseLost(e) | Self::Store(e) => e.reason(),
            Self::Evidence { source, .. } => source.reason(),
            Self::PlanChanged { .. } => Reason::PlanEdited,
            Self::Snapshot { .. } | Self::DigestDiffers { .. } => Reason::Internal,
        }
    }
}
