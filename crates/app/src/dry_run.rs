//! Dry runs: run somebody's runtime, keep every byte, judge it, sign it off.
//!
//! `gonogo-capture` runs and keeps, `gonogo-dryrun` judges; here the two meet the configuration, the ledger and the reports.
//! A run is the stream `run/dry-run/<id>`.

pub mod auditing;
pub(crate) mod binding;
mod caching;
mod comparing;
pub mod declared;
pub mod deriving;
pub mod finishing;
pub mod flags;
mod foreign;
pub mod keeping;
pub mod recording;
pub mod running;
pub mod serving;
pub mod settings;
mod shortage;
pub mod wanted;

pub use flags::{Flags, Place};

use gonogo_core::Timestamp;
use gonogo_dryrun::judge::Judgement;

/// How a run is judged here: the number of threads changes how long it takes, and nothing else.
pub(crate) fn judgement(at: Timestamp) -> Judgement {
    Judgement {
        threads: std::thread::available_parallelism().map_or(2, |n| n.get().clamp(1, 8)),
        ..Judgement::at(at)
    }
}
