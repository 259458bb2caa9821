//! Time for measuring: the monotonic clock in microseconds, and the wall clock in nanoseconds, as spans carry it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment from which time is measured.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins now.
    #[expect(
        clippy::disallowed_methods,
        reason = "how long something took is measured, and nothing is decided from it"
    )]
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Time since then.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Nanoseconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "where a span lies in time is told to people, and nothing is decided from it"
)]
pub fn unix_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
