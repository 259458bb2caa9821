//! What was measured, and what is demanded of it: the input of [`super::judge`], and a stored format.

use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Direction, PerfError, Protocol, Side, Stage};

/// Most samples of a measurement: two stages of 128 blocks.
pub const MOST_SAMPLES: usize = 2 * 128 * 4;

/// The samples of a comparison with everything that says what they are. Stored as `gonogo.suite.perf-samples.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// [`Measurement::SCHEMA`].
    pub schema: String,
    /// What was measured, like `cpu_time`.
    pub metric: String,
    /// In which unit, like `us`.
    pub unit: String,
    /// Which way is better.
    pub direction: Direction,
    /// The class of the one host.
    pub host_class: String,
    /// The one job: base and head were measured in it.
    pub job: String,
    /// The tree that is there.
    pub base_tree: String,
    /// The tree that would replace it.
    pub head_tree: String,
    /// The end of the measurement.
    pub measured_at: Timestamp,
    /// Fixes the order; at most 2^53 − 1.
    pub seed: u64,
    /// The rules by which it was measured.
    pub protocol: Protocol,
    /// The samples in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// One run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// Which measurement it belongs to.
    pub stage: Stage,
    /// What ran.
    pub side: Side,
    /// The figure.
    pub value: f64,
}

impl Measurement {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-samples.v1";

    /// Reads a stored measurement.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] for anything but one such object: unknown and repeated keys, another schema, figures that are no numbers,
    /// more samples than any protocol has.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        let read: Self = super::read("the measurement", Self::SCHEMA, bytes)?;
        let refuse = |why: &str| {
            Err(PerfError::Unreadable {
                what: "the measurement",
                why: why.to_owned(),
            })
        };
        if read.samples.len() > MOST_SAMPLES {
            return refuse("it has more samples than a protocol can ask for");
        }
        if read.seed > MAX_SAFE_INTEGER {
            return refuse("its seed is beyond 2^53");
        }
        Ok(read)
    }
}

/// What is demanded of a measurement: the policy's part, and the moment of judgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Demand {
    /// The figure that is to be judged.
    pub metric: String,
    /// Which way is better.
    pub direction: Direction,
    /// The tree that is there.
    pub base_tree: String,
    /// The tree under judgement.
    pub head_tree: String,
    /// The class of host that counts.
    pub host_class: String,
    /// How old the measurement may be.
    pub freshness: Span,
    /// When it is judged.
    pub judged_at: Timestamp,
    /// By which rules.
    pub protocol: Protocol,
}
