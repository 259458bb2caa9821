//! What a dry run means: which lines are errors, which lines are stack traces, what an incident is, how long the run was up,
//! whether it may be signed off, and how all that is told to people.
//!
//! Floor 1. `gonogo-capture` runs the child and keeps its bytes; `gonogo-app` joins the two with the ledger. Everything here
//! takes bytes, values and time as arguments. The same code judges while the run goes on, after it, and on a verifier's
//! machine: [`classify::VERSION`] names its rules in the evidence.
//!
//! Invariants: no files, no clock, no processes. Memory is bounded by configuration, never by the length of a log. Input that
//! cannot be read is a finding with its path and reason, never a panic and never a pass.

pub mod audit;
pub mod backlog;
pub mod chart;
pub mod classify;
pub mod conditions;
pub mod declared;
pub mod engine;
pub mod evidence;
pub mod incident;
pub mod index;
pub mod journal;
pub mod judge;
pub mod live;
pub mod moment;
pub mod page;
pub mod progress;
pub mod review;
pub mod sign_off;
pub mod spec;
pub mod stamp;
pub mod status;
pub mod stream;
pub mod summary;
#[cfg(test)]
mod testing;
pub mod uptime;
pub mod view;
pub mod watch;
pub mod wrap_up;

pub use incident::{Incident, IncidentKind};
pub use moment::Moment;
pub use status::Status;
pub use stream::Stream;

/// The slug's prefix of every file that the harness writes, as the runbooks know it.
pub const PREFIX: &str = "final_dry_run";
