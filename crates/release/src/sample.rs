//! One look at a target's counters. All counts are cumulative since the target's counters began (`boot`), so that a lost
//! look loses nothing.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

/// Counters of every slot, read together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The target's wall time at reading: a claim, used for freshness only.
    pub at: Timestamp,
    /// Names one life of the counters; another name means that they began again from zero.
    pub boot: String,
    /// Number of this reading within `boot`: the same number twice is the same reading.
    pub seq: u64,
    /// The target's generation (see [`crate::Observed`]).
    pub generation: u64,
    /// Counts by slot name.
    pub slots: BTreeMap<String, SlotCounts>,
    /// Requests that no slot could take.
    pub unrouted: u64,
}

/// Cumulative counts of one slot, all in requests. `completed = ok + client_errors + errors()`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotCounts {
    /// The version in the slot.
    pub version: String,
    /// Parts per ten thousand of new requests.
    pub weight: u32,
    /// Whether the process runs and says that it is ready.
    pub ready: bool,
    /// How often the version's process ended by itself since it was put into the slot.
    pub exits: u64,
    /// Requests given to the slot.
    pub routed: u64,
    /// Requests begun and not ended, upgraded connections included.
    pub in_flight: u64,
    /// Ended with a status below 400.
    pub ok: u64,
    /// Ended with 4xx: the client's business, not an error of the version.
    pub client_errors: u64,
    /// Ended with 5xx from the version.
    pub server_errors: u64,
    /// The version could not be reached.
    pub connect_errors: u64,
    /// The version did not answer in time.
    pub timeouts: u64,
    /// The version broke off in the middle of an answer.
    pub aborted: u64,
    /// Completed requests that took longer than the plan's latency bound.
    pub slow: u64,
    /// Median latency in microseconds since `boot`, for people.
    pub p50_us: u64,
    /// 99th percentile latency in microseconds since `boot`, for people.
    pub p99_us: u64,
}

impl SlotCounts {
    /// Returns the requests that ended badly by the version's fault.
    pub const fn errors(&self) -> u64 {
        self.server_errors.saturating_add(self.unanswered())
    }

    /// Returns the requests that got no whole answer from the version.
    pub const fn unanswered(&self) -> u64 {
        self.connect_errors
            .saturating_add(self.timeouts)
            .saturating_add(self.aborted)
    }

    /// Returns the requests that ended.
    pub const fn completed(&self) -> u64 {
        self.ok
            .saturating_add(self.client_errors)
            .saturating_add(self.errors())
    }
}
