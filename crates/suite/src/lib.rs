//! Test reports of any runner, read into one model; what follows from them for each test and for a run.
//!
//! Floor 1: pure. Readers take bytes and give attempts, one at a time, so memory does not grow with a report; nothing here runs a
//! command, opens a file or asks for the time. Invariants: what a reader could not understand is an [`Issue`] and never a pass;
//! an outcome that nobody knows is [`Outcome::Unknown`]; the worst of several statements about one test counts, and all are kept.

mod attempt;
pub mod cause;
pub mod cluster;
pub mod contract;
pub mod diff;
pub mod first_failure;
pub mod flake;
mod id;
mod issue;
pub mod located;
mod outcome;
pub mod owner;
pub mod perf;
pub mod propose;
pub mod read;
pub mod redact;
pub mod replay;
pub mod report;
pub mod run;
pub mod runbook;
pub mod shard;
pub mod signature;
pub mod timeline;
pub mod verdict;

pub use attempt::{Attempt, Failure, FailureKind, Location, Place};
pub use id::{Name, TestId};
pub use issue::{Issue, IssueKind};
pub use outcome::{Outcome, SkipKind};
pub use read::{Format, Limits, Parse, Reading, Sink};
pub use run::{Row, Summary, Tally, TargetResult};
pub use signature::Signature;
pub use verdict::{Outcomes, TestVerdict};
