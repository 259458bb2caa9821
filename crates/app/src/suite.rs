//! Suites: a project's targets are run or their reports read, what came of them is kept, recorded and judged.
//!
//! The rules are in `gonogo_suite`; here are the processes, the files, the tree and the ledger. Invariants: everything that a run keeps lies in
//! one directory under one correlation id, with secrets taken out before it is read; the tree is the same behind a run as before it, or the
//! run proves nothing; what a run came to is a record that names every file by digest.

pub mod analysing;
pub mod artifacts;
pub mod baseline;
pub mod checkout;
pub mod comparing;
mod contract;
mod digests;
pub mod events;
pub mod globs;
pub mod history;
mod hosts;
pub mod ingesting;
pub(crate) mod inherited;
pub mod knowing;
pub mod lacking;
mod lending;
mod logs;
mod marking;
pub mod merging;
pub mod one;
pub mod owning;
pub(crate) mod placed;
pub mod preflight;
pub mod reading;
pub mod recovering;
pub mod replaying;
pub mod reporting;
pub mod rerunning;
pub mod retrying;
pub mod running;
pub mod sharding;
pub mod source;
mod toolchain;
mod twins;
mod verbatim;
