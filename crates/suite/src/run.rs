//! A run of a project's targets as it is stored: what was to run, on which tree, what came of each target and of each test.
//!
//! The runner fills it, everything else reads it: the gate, the diff, the reports, history. Invariants: a target that was selected has a
//! result, whatever happened to it; what keeps evidence from being believed is a [`Problem`] with its reason; the status of a target and
//! of a run is the worst of its reasons and never an opinion of its own ([`Summary::check`] computes it again).

mod conceded;
mod emptied;
mod judge;
mod quarantined;
mod result;
mod row;
mod shown;
mod stopped;
mod summary;
mod tally;

pub use conceded::Conceded;
pub use emptied::Emptied;
pub use judge::{Attempted, COMMAND, READ, command_verdict, judge};
pub use quarantined::{Quarantined, Retried, Retry};
pub use result::{Class, End, Input, Kind, Problem, TargetResult, Tests};
pub use row::Row;
pub use shown::{ENDED, LogFailure, command_failure};
pub use stopped::Stops;
pub use summary::{Outcome, SUMMARY, Shard, Source, State, Summary};
pub use tally::{Collisions, Tally, WARNING};

/// Most tests of a target that did not pass and stand in its result. All are in its list of tests.
pub const TOLD: usize = 10_000;
