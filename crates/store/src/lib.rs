//! The one embedded store: operations, their journals, leases, idempotency and single use of approvals, in SQLite.
//!
//! Floor 2. [`Store`] is `.gonogo/state.db`. It keeps what it is given and knows no release rules; the engine drives it.
//! Invariants: one writer connection per process and `BEGIN IMMEDIATE` for every change; nothing is acknowledged before it
//! is synced (WAL, `synchronous=FULL`); after a failed write or sync nothing is ever acknowledged again by this process,
//! because SQLite itself would happily accept the next commit on top of a lost one.

mod access;
pub mod answers;
mod backlog;
mod bond;
mod boot;
pub mod calls;
mod database;
mod draft;
mod elsewhere;
mod error;
mod lease;
pub mod ledger;
mod operation;
mod people;
mod plan;
mod schema;
mod transition;

pub use access::{Token, TokenKind};
pub use backlog::Backlog;
pub use boot::{Owner, Process};
pub use database::{FatalHook, Generation, Store};
pub use draft::{Draft, Subject};
pub use elsewhere::Change;
pub use error::StoreError;
pub use lease::{Holder, Lease, Liveness};
pub use operation::{Event, KnownGood, OpenOperation, Operation, Posted, Submission, Submitted};
pub use people::{Opened, Session, User};
pub use transition::{Claim, OutboxRow, OutboxState, Pending, Transition};
