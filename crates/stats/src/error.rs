//! The one error type of this crate: settings and inputs that cannot be judged.
//!
//! Written by hand because the crate depends on `libm` alone.

use core::fmt;

/// Why a question could not be answered; never to be read as a pass.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// More events than exposures were claimed.
    EventsExceedExposures {
        /// Exposures claimed.
        n: u64,
        /// Events claimed.
        events: u64,
    },
    /// A setting that must lie strictly between 0 and 1 does not.
    NotBetweenZeroAndOne {
        /// Which setting: `alpha`, `margin`, `limit` or `quantile`.
        setting: &'static str,
        /// The value given.
        value: f64,
    },
    /// A traffic weight is not a fraction from 0 to 1.
    Weight {
        /// The value given.
        value: f64,
    },
    /// A normal quantile is not in (0, 40].
    Level {
        /// The value given.
        z: f64,
    },
    /// A stored test state is not one that this crate can have produced.
    Parts {
        /// The field at fault.
        field: &'static str,
    },
    /// Histogram buckets are empty, unordered, not numbers or of unequal length.
    Buckets {
        /// What is wrong with them.
        why: &'static str,
    },
    /// A list of figures holds something that is no figure, or too many of them.
    Values {
        /// What is wrong with them.
        why: &'static str,
    },
    /// A setting is outside of what it can mean.
    Setting {
        /// Which setting.
        setting: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventsExceedExposures { n, events } => write!(
                f,
                "count refused: {events} events among {n} exposures; an event must be one of the exposures counted with it, check that both counters cover the same window"
            ),
            Self::NotBetweenZeroAndOne { setting, value } => write!(
                f,
                "{setting} refused: {value} is not strictly between 0 and 1; correct it in the policy"
            ),
            Self::Weight { value } => write!(
                f,
                "weight refused: {value} is not a fraction from 0 to 1; divide a percentage by 100"
            ),
            Self::Level { z } => write!(
                f,
                "interval level refused: z = {z} is not in (0, 40]; use 1.96 for 95 %"
            ),
            Self::Parts { field } => write!(
                f,
                "stored test state refused: `{field}` is not a value this test can have; rebuild the state from the recorded samples"
            ),
            Self::Buckets { why } => write!(
                f,
                "histogram refused: {why}; give strictly rising upper edges and one cumulative count for each"
            ),
            Self::Values { why } => write!(f, "figures refused: {why}; look at what measured them"),
            Self::Setting { setting } => write!(
                f,
                "`{setting}` refused: it is outside of what it can mean; correct it in the policy"
            ),
        }
    }
}

impl core::error::Error for Error {}

/// Returns `value` if it lies strictly between 0 and 1 (so not for NaN).
pub(crate) fn open_unit(setting: &'static str, value: f64) -> Result<f64, Error> {
    if value > 0.0 && value < 1.0 {
        Ok(value)
    } else {
        Err(Error::NotBetweenZeroAndOne { setting, value })
    }
}
