//! What a figure is: which way is better, and which figure of several samples is meant.

use serde::{Deserialize, Serialize};

/// Which side of a threshold is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// The less the better: time, memory, size.
    #[serde(rename = "<=")]
    AtMost,
    /// The more the better: throughput, share of hits.
    #[serde(rename = ">=")]
    AtLeast,
}

impl Direction {
    /// The sign in texts.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
        }
    }

    /// Whether `value` keeps to `threshold`. A value that is no number never does.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtMost => value <= threshold,
            Self::AtLeast => value >= threshold,
        }
    }

    /// The worse of two values.
    pub const fn worse(self, a: f64, b: f64) -> f64 {
        match self {
            Self::AtMost => a.max(b),
            Self::AtLeast => a.min(b),
        }
    }
}

/// What rounding may add to a share that is exactly at its limit.
pub(super) const ROUNDING: f64 = 1e-9;

/// Which figure of several samples counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The middle one.
    P50,
    /// What 95 of 100 reach at most.
    P95,
    /// What 99 of 100 reach at most.
    P99,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

impl Statistic {
    /// The word in texts.
    pub const fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Min => "min",
            Self::Max => "max",
        }
    }

    /// The fewest samples of which it says anything: with fewer, a percentile is only another word for the greatest.
    pub const fn fewest(self) -> usize {
        match self {
            Self::P50 => 3,
            Self::P95 => 20,
            Self::P99 => 100,
            Self::Min | Self::Max => 1,
        }
    }

    /// The figure, by nearest rank; none of no samples or of one that is no finite number.
    pub fn of(self, samples: &[f64]) -> Option<f64> {
        let share = match self {
            Self::P50 => 0.5,
            Self::P95 => 0.95,
            Self::P99 => 0.99,
            Self::Min => 0.0,
            Self::Max => 1.0,
        };
        gonogo_stats::percentile(samples, share)
    }
}
