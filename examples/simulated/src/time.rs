//! The one door to the clocks of this crate.

use std::time::{Instant, SystemTime};

use jiff::{SignedDuration, Timestamp};

/// The monotonic clock: when the next tick is due.
#[expect(
    clippy::disallowed_methods,
    reason = "a simulated service lives in real time"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The wall clock, for a file's modification time.
#[expect(clippy::disallowed_methods, reason = "what `touch` would take")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

/// The wall clock, moved by `shift`, as RFC 3339 with milliseconds. A shift beyond the calendar is cut off at its ends.
pub(crate) fn stamp(shift: SignedDuration) -> String {
    let now = Timestamp::try_from(wall()).unwrap_or(Timestamp::UNIX_EPOCH);
    let moved = now.checked_add(shift).unwrap_or(if shift.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    format!("{moved:.3}")
}
