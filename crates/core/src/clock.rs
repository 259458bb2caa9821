//! The clock door. Rules never look at a clock: they take a [`Timestamp`]. Doors and drivers ask a [`Clock`].

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::Timestamp;

/// One look at both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall time: what records carry.
    pub wall: Timestamp,
    /// Monotonic milliseconds since an arbitrary start of this process: what durations and order use.
    pub mono_ms: u64,
}

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Looks at both clocks.
    fn now(&self) -> Now;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl Default for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door that every other part uses"
    )]
    fn default() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the door that every other part uses"
    )]
    fn now(&self) -> Now {
        // A wall clock before 1970 reads as 0; the ledger's newest record then refuses it as a clock that went back.
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_millis() as i64);
        Now {
            wall: Timestamp::from_millis(wall),
            mono_ms: self.started.elapsed().as_millis() as u64,
        }
    }
}
