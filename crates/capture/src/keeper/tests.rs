//! What the keeper tells of the clocks, with clocks that are given.

use super::*;

const STEP: i64 = SECOND as i64;

fn at(boot: u64, wall: i64) -> Moment {
    Moment { boot, wall }
}

#[test]
fn steps_and_sleep_are_told_and_drift_is_not() {
    let mut looked = Looked::begin(at(100 * SECOND, 1_000 * STEP), 50 * SECOND);
    // One second later on all clocks, with a little adjustment.
    let quiet = looked.again(at(101 * SECOND, 1_001 * STEP + STEP / 2), 51 * SECOND);
    assert_eq!(quiet, [None, None]);
    assert_eq!(looked.next, 102 * SECOND);
    // The wall clock is set an hour forward, then back.
    let step = |[step, slept]: [Option<Event>; 2]| {
        assert_eq!(slept, None);
        step
    };
    let forward = looked.again(at(102 * SECOND, 4_602 * STEP + STEP / 2), 52 * SECOND);
    assert_eq!(step(forward), Some(Event::ClockStep { ns: 3_600 * STEP }));
    let back = looked.again(at(103 * SECOND, 1_003 * STEP + STEP / 2), 53 * SECOND);
    assert_eq!(step(back), Some(Event::ClockStep { ns: -3_600 * STEP }));
    // The machine sleeps for ten minutes: the boot clock and the wall clock go on, the awake clock does not.
    let [step, slept] = looked.again(at(704 * SECOND, 1_604 * STEP + STEP / 2), 54 * SECOND);
    assert_eq!(step, None);
    assert_eq!(slept, Some(Event::Suspended { ns: 600 * SECOND }));
    // What was told is not told again, and a wall clock at the end of its numbers is a step and no overflow.
    let [step, slept] = looked.again(at(705 * SECOND, i64::MIN), 55 * SECOND);
    assert!(
        matches!(step, Some(Event::ClockStep { ns: i64::MIN })),
        "{step:?}"
    );
    assert_eq!(slept, None);
}
