//! The clock door of a capture: both clocks in one look, and simulated ones for runs that are compressed.
//!
//! With a scale other than 1 every moment is origin + scale × elapsed, on both clocks; such a run can never be signed off. Times that
//! protect processes (the kill ladder, the drain, back-off, syncing) are always real.

use gonogo_dryrun::Moment;
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of a second.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// The clocks that a run's moments come from.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    scale: f64,
    origin: Moment,
}

impl Clock {
    /// Begins now.
    pub fn begin(scale: f64) -> Self {
        Self {
            scale,
            origin: real(),
        }
    }

    /// Goes on with the clocks that began at `origin`.
    pub const fn resume(scale: f64, origin: Moment) -> Self {
        Self { scale, origin }
    }

    /// Returns where it began.
    pub const fn origin(&self) -> Moment {
        self.origin
    }

    /// Looks at both clocks.
    pub fn look(&self) -> Moment {
        let now = real();
        #[expect(clippy::float_cmp, reason = "1 is exact and means: not simulated")]
        if self.scale == 1.0 {
            return now;
        }
        let elapsed = now.boot.saturating_sub(self.origin.boot) as f64 * self.scale;
        Moment {
            boot: self.origin.boot.saturating_add(elapsed as u64),
            wall: self.origin.wall.saturating_add(elapsed as i64),
        }
    }

    /// Returns how many real nanoseconds `seconds` of this clock last; at most a hundred years.
    pub fn real_nanos(&self, seconds: f64) -> u64 {
        let scale = if self.scale > 0.0 { self.scale } else { 1.0 };
        nanos(seconds / scale)
    }
}

/// Seconds in nanoseconds, not below 0, at most a hundred years.
pub(crate) fn nanos(seconds: f64) -> u64 {
    // NaN becomes 0.
    (seconds.clamp(0.0, 3.2e9) * SECOND as f64) as u64
}

/// Looks at the machine's clocks.
pub(crate) fn real() -> Moment {
    Moment {
        boot: boot(),
        wall: signed(ClockId::Realtime),
    }
}

/// CLOCK_BOOTTIME, nanoseconds.
pub(crate) fn boot() -> u64 {
    signed(ClockId::Boottime).max(0).cast_unsigned()
}

/// CLOCK_MONOTONIC, nanoseconds: what stands still while the machine sleeps.
pub(crate) fn awake() -> u64 {
    signed(ClockId::Monotonic).max(0).cast_unsigned()
}

fn signed(id: ClockId) -> i64 {
    let t = clock_gettime(id);
    t.tv_sec
        .saturating_mul(SECOND.cast_signed())
        .saturating_add(t.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_runs_from_its_origin() {
        let now = real();
        let origin = Moment {
            boot: now.boot - 10 * SECOND,
            wall: 1_000,
        };
        let seen = Clock::resume(432.0, origin).look();
        let passed = seen.since(origin) as f64 / SECOND as f64;
        assert!((4320.0..4330.0).contains(&passed), "{passed}");
        assert_eq!(
            (seen.wall - origin.wall).cast_unsigned(),
            seen.boot - origin.boot
        );
        assert_eq!(Clock::begin(432.0).real_nanos(432.0), SECOND);
        assert_eq!(nanos(f64::NAN), 0);
        assert_eq!(nanos(-1.0), 0);
    }
}
