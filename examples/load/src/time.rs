//! The one door to the clocks of this crate.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The monotonic clock: the pacer is a plain thread, and its instants are compared with tokio's.
#[expect(
    clippy::disallowed_methods,
    reason = "a load generator measures real time; its pacer runs outside any runtime"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Milliseconds since the Unix epoch, to line a report up with other records; never for durations.
#[expect(
    clippy::disallowed_methods,
    reason = "the wall-clock start of a run, reported once"
)]
pub(crate) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
}
