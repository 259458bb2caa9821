//! Machine time: wall time at the beginning of the drive, carried on by the monotonic clock. It never runs backwards, not
//! even over drives, and does not follow a wall clock that jumps.

use gonogo_core::{Now, Span, Timestamp};

/// A wall clock that moves by more than this against the monotonic one has jumped.
const JUMP: u64 = 2_000;

/// See the module.
#[derive(Debug)]
pub(super) struct MachineTime {
    start: Now,
    base: Timestamp,
    last: Timestamp,
    /// Wall minus expected wall, as last reported.
    offset: i64,
}

impl MachineTime {
    /// Begins at `start`, but not before the last event's time.
    pub(super) fn new(start: Now, last: Timestamp) -> Self {
        Self {
            start,
            base: start.wall.max(last),
            last,
            offset: 0,
        }
    }

    pub(super) fn at(&mut self, now: Now) -> Timestamp {
        let elapsed = Span::from_millis(now.mono_ms.saturating_sub(self.start.mono_ms));
        self.last = self.last.max(self.base.after(elapsed));
        self.last
    }

    /// By how many milliseconds the wall clock jumped since this was last asked, if it did.
    pub(super) fn jump(&mut self, now: Now) -> Option<i64> {
        let elapsed = Span::from_millis(now.mono_ms.saturating_sub(self.start.mono_ms));
        let expected = self.start.wall.after(elapsed).as_millis();
        let offset = now.wall.as_millis().saturating_sub(expected);
        let by = offset.saturating_sub(self.offset);
        (by.unsigned_abs() > JUMP).then(|| {
            self.offset = offset;
            by
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(wall: i64, mono_ms: u64) -> Now {
        Now {
            wall: Timestamp::from_millis(wall),
            mono_ms,
        }
    }

    #[test]
    fn follows_the_monotonic_clock_alone() {
        let mut time = MachineTime::new(now(1_000_000, 50), Timestamp::from_millis(0));
        assert_eq!(time.at(now(1_000_100, 150)).as_millis(), 1_000_100);
        assert_eq!(time.jump(now(1_002_050, 150)), None, "skew is no jump");
        assert_eq!(time.jump(now(9_000_200, 250)), Some(8_000_000));
        assert_eq!(time.at(now(9_000_200, 250)).as_millis(), 1_000_200);
        assert_eq!(time.jump(now(9_000_300, 350)), None, "a jump is told once");
        assert_eq!(time.jump(now(1_000_300, 350)), Some(-8_000_000));
        assert_eq!(time.at(now(0, 350)).as_millis(), 1_000_300);
    }

    #[test]
    fn does_not_begin_before_the_last_event_and_still_moves() {
        let mut time = MachineTime::new(now(500, 10), Timestamp::from_millis(2_000));
        assert_eq!(time.at(now(500, 10)).as_millis(), 2_000);
        assert_eq!(time.at(now(600, 110)).as_millis(), 2_100);
    }
}
