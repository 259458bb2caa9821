//! When something was seen: on the wall clock, which people read, and on the boot clock, which counts.

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};

/// One look at both clocks, in nanoseconds.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Moment {
    /// CLOCK_BOOTTIME: nanoseconds since boot, suspend included. Durations and order come from it.
    pub boot: u64,
    /// CLOCK_REALTIME: nanoseconds since 1970, as the machine believed then.
    pub wall: i64,
}

impl Moment {
    /// Returns the wall time in milliseconds, as files show it.
    pub const fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.wall.div_euclid(1_000_000))
    }

    /// Returns the nanoseconds of the boot clock since `earlier`; 0 if it is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.boot.saturating_sub(earlier.boot)
    }
}
