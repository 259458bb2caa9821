//! Exposures and the events among them: the only evidence the tests take.
//!
//! Invariant: `events ≤ n`, held by construction.

use crate::Error;

/// How many requests were served and how many of them were events
/// (errors, or requests slower than a limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Count {
    n: u64,
    events: u64,
}

impl Count {
    /// No exposures.
    pub const ZERO: Self = Self { n: 0, events: 0 };

    /// A count of `events` among `n` exposures.
    ///
    /// # Errors
    /// [`Error::EventsExceedExposures`] if `events > n`.
    pub const fn new(n: u64, events: u64) -> Result<Self, Error> {
        if events > n {
            return Err(Error::EventsExceedExposures { n, events });
        }
        Ok(Self { n, events })
    }

    /// Exposures.
    #[must_use]
    pub const fn n(self) -> u64 {
        self.n
    }

    /// Events, at most [`Count::n`].
    #[must_use]
    pub const fn events(self) -> u64 {
        self.events
    }

    /// Events per exposure; `None` without exposures.
    #[must_use]
    pub fn rate(self) -> Option<f64> {
        (self.n > 0).then(|| self.events as f64 / self.n as f64)
    }

    /// The sum of two counts, each field saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            n: self.n.saturating_add(other.n),
            events: self.events.saturating_add(other.events),
        }
    }

    /// `(exposures, events, non-events)`; subtracted as integers, so that the
    /// last keeps its precision above 2^53.
    pub(crate) fn floats(self) -> (f64, f64, f64) {
        (
            self.n as f64,
            self.events as f64,
            (self.n - self.events) as f64,
        )
    }
}
