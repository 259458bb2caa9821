//! An open-loop HTTP/1.1 load generator that does not hide waiting: traffic for examples and tests.
//!
//! Requests start on a schedule that does not depend on the answers, and latency is measured from
//! the *intended* start. A closed-loop generator stops asking while the server stalls, so a stall of
//! one second becomes one slow request; here it becomes every request that was due in that second
//! (G. Tene, "How NOT to Measure Latency"; the effect is called coordinated omission).
//!
//! ```no_run
//! use gonogo_load::{Load, LoadConfig, Target};
//! use std::time::Duration;
//! # fn main() -> Result<(), gonogo_load::LoadError> {
//! let load = Load::start(LoadConfig {
//!     rate: 200.0,
//!     duration: Duration::from_secs(10),
//!     ..LoadConfig::new(Target::parse("http://127.0.0.1:8080")?)
//! })?;
//! let seen = load.snapshot().versions;
//! let report = load.join();
//! assert_eq!(report.sent, report.outcomes());
//! # drop(seen);
//! # Ok(()) }
//! ```
//!
//! Parts: `schedule` (when, what; pure), `pacer` (the thread that keeps the schedule), `pool` (bounded
//! keep-alive connections), `shot` (one request to its outcome), `tally` (counting), `report`.
//!
//! Invariants:
//! - every request that was sent has exactly one outcome: `sent == outcomes()` once a load is joined;
//! - waiting for the pacer, for a connection and for the connect all count as latency;
//! - a request is tried a second time only if not one byte of it was written, and only once;
//! - memory is bounded by rate × timeout (requests waiting), connections, and 64 versions.
//!
//! Why not a kept generator: oha, rlt, goose and drill are programs or frameworks with trees of
//! hundreds of crates and no handle that sync code could hold while a release runs; none counts
//! answers by version. The hard parts are not ours: hyper speaks HTTP, hdrhistogram keeps the latencies.

mod args;
mod config;
mod load;
mod pacer;
mod pool;
mod report;
mod schedule;
mod shot;
mod tally;
mod time;

pub use args::{exit, main_with};
pub use config::{Arrivals, LoadConfig, LoadError, Shot, Target};
pub use load::{Handle, Load};
pub use report::{ErrorCounts, Failure, Quantiles, Report, StatusCounts, VersionCount};
