//! The bars: false alarms and detection over seeded simulated releases.

use gonogo_stats::sim::{self, A_A, BROKEN, DOUBLED, Rng, Scenario};
use gonogo_stats::{Count, bounds};

const ALPHA: f64 = 0.005;
const RUNS: u32 = 1_000;
/// α of the runs.
const FALSE_ALARMS: u32 = 5;

/// One-percent errors that wander between 0.1 and 1.9 %.
fn wave(t: f64) -> f64 {
    0.01 + 0.009 * libm::sin(t / 17.0)
}

/// A dependency that fails for a minute, for both versions alike.
fn storm(t: f64) -> f64 {
    if (90.0..150.0).contains(&t) {
        0.3
    } else {
        0.002
    }
}

fn same(name: &'static str, rate: fn(f64) -> f64) -> Scenario {
    Scenario {
        name,
        stable: rate,
        canary: rate,
        ..A_A
    }
}

/// The first scenario and all together stay within α. A scenario alone may
/// exceed it by luck (the heaviest weights come within a third of α): 12 or
/// more of 1,000 has a chance of 1 in 200 at exactly α.
fn assert_quiet(scenarios: &[Scenario]) {
    let mut all = 0;
    for (place, scenario) in (0..).zip(scenarios) {
        let figure = sim::rate_ratio(scenario, ALPHA, RUNS, 100 + place);
        let most = if place == 0 { FALSE_ALARMS } else { 11 };
        assert!(figure.rejected <= most, "{figure:?}");
        all += figure.rejected;
    }
    assert!(all <= FALSE_ALARMS * scenarios.len() as u32, "{all}");
}

#[test]
fn equal_versions_are_not_rejected_at_any_rate() {
    assert_quiet(&[
        A_A,
        same("rare", |_| 0.001),
        Scenario {
            seconds: 100,
            ..same("half fail", |_| 0.5)
        },
        Scenario {
            canary: |_| 0.005,
            ..same("better canary", |_| 0.01)
        },
    ]);
}

#[test]
fn equal_versions_are_not_rejected_at_any_weight_or_traffic() {
    assert_quiet(&[
        Scenario {
            weight: |_| 0.02,
            ..same("2 % weight", |_| 0.01)
        },
        Scenario {
            weight: |_| 0.9,
            ..same("mostly canary", |_| 0.01)
        },
        Scenario {
            rps: |_| 3.0,
            ..same("trickle", |_| 0.05)
        },
        Scenario {
            rps: |_| 2_000.0,
            seconds: 100,
            weight: |_| 0.1,
            ..same("flood", |_| 0.01)
        },
    ]);
}

#[test]
fn equal_versions_are_not_rejected_when_everything_drifts() {
    assert_quiet(&[
        same("drifting rate", wave),
        same("shared outage", storm),
        Scenario {
            rps: |t| 150.0 + 100.0 * libm::sin(t / 31.0),
            weight: |t| 0.3 + 0.25 * libm::sin(t / 23.0),
            ..same("drifting rate, weight and traffic", wave)
        },
    ]);
}

#[test]
fn doubled_errors_are_caught_within_6_000_canary_requests() {
    let figure = sim::doubled(RUNS, 7);
    assert!(
        figure.requests_by(0.95).is_some_and(|n| n <= 6_000),
        "{:?}",
        figure.requests_by(0.95)
    );
}

#[test]
fn a_broken_canary_is_caught_within_a_second() {
    let figure = sim::broken(RUNS, 8);
    assert_eq!(figure.rejected, RUNS);
    assert!(
        figure.seconds_by(0.5).is_some_and(|s| s <= 1.0),
        "{:?}",
        figure.seconds_by(0.5)
    );
    assert!(
        figure.seconds_by(1.0).is_some_and(|s| s <= 3.0),
        "{:?}",
        figure.seconds_by(1.0)
    );
}

/// A healthy past must not buy a broken version time: half an hour at 1 %
/// errors, then half of the canary's requests fail.
#[test]
fn a_late_fault_is_caught_too() {
    const ONSET: f64 = 1_800.0;
    let late = Scenario {
        name: "late",
        seconds: 1_860,
        looks: 1,
        stable: |_| 0.01,
        canary: |t| if t < ONSET { 0.01 } else { 0.5 },
        ..BROKEN
    };
    let worst = |figure: &sim::Figure| figure.seconds_by(1.0).map(|s| s - ONSET);
    let ratio = sim::rate_ratio(&late, ALPHA, 100, 9);
    assert!(
        worst(&ratio).is_some_and(|s| s <= 5.0),
        "{:?}",
        worst(&ratio)
    );
    let limit = sim::limit(&late, 0.05, ALPHA, 100, 9);
    assert!(
        worst(&limit).is_some_and(|s| s <= 5.0),
        "{:?}",
        worst(&limit)
    );
}

#[test]
fn limit_test_holds_its_level_and_has_power() {
    let alone = Scenario {
        name: "alone",
        weight: |_| 1.0,
        ..A_A
    };
    let at = sim::limit(
        &Scenario {
            canary: |_| 0.02,
            ..alone
        },
        0.02,
        ALPHA,
        RUNS,
        10,
    );
    assert!(at.rejected <= FALSE_ALARMS, "{}", at.rejected);
    let over = sim::limit(
        &Scenario {
            canary: |_| 0.04,
            ..alone
        },
        0.02,
        ALPHA,
        RUNS,
        11,
    );
    assert!(
        over.requests_by(0.95).is_some_and(|n| n <= 3_000),
        "{:?}",
        over.requests_by(0.95)
    );
}

#[test]
fn bounds_cover_at_every_look() {
    for (seed, p) in [(1, 0.002), (2, 0.01), (3, 0.5)] {
        let mut rng = Rng::new(seed);
        let (mut missed, runs, alpha) = (0, 1_000, 0.05);
        for _ in 0..runs {
            let mut total = Count::ZERO;
            // 200 looks at growing counts, up to some 1e5 exposures.
            missed += u32::from((1..=200).any(|look| {
                let n = look * 5;
                total = total.plus(Count::new(n, rng.binomial(n, p)).unwrap());
                let found = bounds(total, alpha).unwrap().unwrap();
                p < found.lower || p > found.upper
            }));
        }
        assert!(
            f64::from(missed) <= alpha * f64::from(runs),
            "{p}: {missed}"
        );
    }
}

#[test]
fn doubling_is_the_scenario_it_says() {
    // The figures are published under these numbers.
    assert_eq!(
        (
            (DOUBLED.stable)(0.0),
            (DOUBLED.canary)(0.0),
            (DOUBLED.weight)(0.0)
        ),
        (0.01, 0.02, 0.25)
    );
    let mut rng = Rng::new(3);
    let drawn: u64 = (0..10_000).map(|_| rng.binomial(200, 0.25)).sum();
    assert!((499_000..501_000).contains(&drawn), "{drawn}");
}
