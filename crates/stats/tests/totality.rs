//! Any input gives an answer or an error: no panic, no NaN, no drift of a
//! restored state.

use gonogo_stats::{
    Count, LimitTest, RateRatioTest, below_limit, bounds, lower, more_needed,
    more_needed_below_limit, non_inferior, quantile, share_agrees, share_minimum, upper, wilson,
};
use proptest::prelude::*;

/// Counts of every magnitude.
fn counts() -> impl Strategy<Value = Count> {
    (any::<u64>(), 0_u32..64, any::<u64>(), 0_u32..64).prop_map(|(n, down, events, less)| {
        let n = n >> down;
        let events = (events >> less) % n.saturating_add(1).max(1);
        Count::new(n, events.min(n)).expect("events are at most n")
    })
}

/// Any float, and more often one that is in range.
fn settings() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        0.0..=1.0,
        (0.0..300.0_f64).prop_map(|e| 10_f64.powf(-e)),
        Just(f64::NAN),
        Just(f64::INFINITY),
        Just(f64::from_bits(1)),
        Just(1.0 - f64::EPSILON / 2.0),
    ]
}

fn in_range(value: f64) -> bool {
    value > 0.0 && value < 1.0
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_are_ordered_and_contain_the_estimate(count in counts(), alpha in settings()) {
        let (low, high) = (lower(count, alpha), upper(count, alpha));
        prop_assert_eq!(low.is_ok(), in_range(alpha));
        prop_assert_eq!(high.is_ok(), in_range(alpha));
        if let (Ok(Some(low)), Ok(Some(high)), Some(rate)) = (low, high, count.rate()) {
            prop_assert!(0.0 <= low && low <= rate && rate <= high && high <= 1.0, "{} {} {}", low, rate, high);
        }
        if let Ok(Some(both)) = bounds(count, alpha) {
            prop_assert!(both.lower <= both.upper);
        }
    }

    #[test]
    fn bounds_are_monotone(n in 1_u64..1_000_000, share in 0.0..1.0_f64, step in 1_u64..100, alpha in 1e-6..0.5_f64) {
        let events = (share * share * share * n as f64) as u64;
        let at = |n, events| {
            let count = Count::new(n, events).unwrap();
            (lower(count, alpha).unwrap().unwrap(), upper(count, alpha).unwrap().unwrap())
        };
        let (low, high) = at(n, events);
        let slack = 1.0 + 1e-9;
        let more = at(n + step, events);
        prop_assert!(more.0 <= low * slack && more.1 <= high * slack, "clean requests: {:?} {:?}", (low, high), more);
        let worse = at(n + step, events + step);
        prop_assert!(worse.0 * slack >= low && worse.1 * slack >= high, "failed requests: {:?} {:?}", (low, high), worse);
        let count = Count::new(n, events).unwrap();
        let strict = upper(count, alpha / 2.0).unwrap().unwrap();
        prop_assert!(strict * slack >= high);
    }

    #[test]
    fn decisions_are_total_and_never_pass_on_nonsense(
        canary in counts(), stable in counts(), margin in settings(), alpha in settings(), cap in any::<u64>(),
    ) {
        let sane = in_range(margin) && in_range(alpha);
        if let Ok(found) = non_inferior(canary, stable, margin, alpha) {
            prop_assert!(sane);
            prop_assert!(found.diff_upper.is_finite());
            let seen = canary.n() > 0 && stable.n() > 0;
            prop_assert_eq!(found.passes, seen && found.diff_upper < margin);
        }
        if let Ok(found) = below_limit(canary, margin, alpha) {
            prop_assert!(sane);
            prop_assert!(!found.passes || canary.n() > 0);
        }
        if let Ok(Some(more)) = more_needed(canary, stable, margin, alpha, cap) {
            prop_assert!(sane && more <= cap);
        }
        if let Ok(Some(more)) = more_needed_below_limit(canary, margin, alpha, cap) {
            prop_assert!(sane && more <= cap);
        }
    }

    #[test]
    fn shares_are_total(canary in any::<u64>(), total in any::<u64>(), weight in settings(), alpha in settings(), down in 0_u32..64) {
        let (canary, total) = (canary >> down, total >> down);
        if let Ok(found) = share_agrees(canary, total, weight, alpha) {
            prop_assert!(found.lower <= found.observed && found.observed <= found.upper);
            prop_assert!(0.0 <= found.lower && found.upper <= 1.0);
        }
        let _ = share_minimum(weight, alpha);
    }

    #[test]
    fn displays_are_total(count in counts(), z in settings(), edges in prop::collection::vec(any::<f64>(), 0..5), falls in prop::collection::vec(any::<u64>(), 0..5)) {
        if let Ok(Some(found)) = wilson(count, z * 40.0) {
            prop_assert!(found.lower <= found.upper);
        }
        let _ = quantile(&edges, &falls, z);
        let mut edges = edges;
        let mut rises = falls;
        edges.sort_by(f64::total_cmp);
        rises.sort_unstable();
        let _ = quantile(&edges, &rises, z);
    }

    #[test]
    fn tests_stay_finite_and_restore_bit_for_bit(
        windows in prop::collection::vec((counts(), counts()), 0..40), limit in settings(), alpha in settings(),
    ) {
        let mut ratio = RateRatioTest::new();
        let mut guard = LimitTest::new(limit);
        prop_assert_eq!(guard.is_ok(), in_range(limit));
        let mut last_p = 1.0;
        for (canary, stable) in windows {
            let mut twin = RateRatioTest::from_parts(ratio.parts()).unwrap();
            ratio.observe(canary, stable);
            twin.observe(canary, stable);
            prop_assert_eq!(ratio, twin);
            prop_assert!(ratio.log_e().is_finite());
            prop_assert!(ratio.p_value() <= last_p);
            last_p = ratio.p_value();
            prop_assert_eq!(ratio.rejects(alpha).is_ok(), in_range(alpha));
            if let Ok(guard) = &mut guard {
                let mut twin = LimitTest::from_parts(limit, guard.parts()).unwrap();
                guard.observe(canary);
                twin.observe(canary);
                prop_assert_eq!(*guard, twin);
                prop_assert!(guard.log_e().is_finite());
            }
        }
    }

    #[test]
    fn empty_sides_change_no_bit(canary in counts(), windows in prop::collection::vec((counts(), counts()), 0..5)) {
        let mut ratio = RateRatioTest::new();
        for (canary, stable) in windows {
            ratio.observe(canary, stable);
        }
        let before = ratio.parts();
        ratio.observe(canary, Count::ZERO);
        ratio.observe(Count::ZERO, canary);
        ratio.observe(Count::ZERO, Count::ZERO);
        prop_assert_eq!(before, ratio.parts());
    }

    #[test]
    fn counts_hold_their_invariant(n in any::<u64>(), events in any::<u64>(), other in counts()) {
        let count = Count::new(n, events);
        prop_assert_eq!(count.is_ok(), events <= n);
        if let Ok(count) = count {
            let sum = count.plus(other);
            prop_assert!(sum.events() <= sum.n());
        }
    }
}

#[test]
fn foreign_states_are_refused() {
    let good = RateRatioTest::new().parts();
    assert!(RateRatioTest::from_parts(good).is_ok());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut parts = good;
        parts.accounts[3] = bad;
        assert!(RateRatioTest::from_parts(parts).is_err(), "{bad}");
        assert!(RateRatioTest::from_parts(gonogo_stats::Parts { age: bad, ..good }).is_err());
        assert!(
            LimitTest::from_parts(
                0.1,
                gonogo_stats::Parts {
                    peak_log_e: bad,
                    ..good
                }
            )
            .is_err()
        );
        assert!(LimitTest::from_parts(bad, good).is_err());
    }
    assert!(RateRatioTest::from_parts(gonogo_stats::Parts { age: -1.0, ..good }).is_err());
}

/// Equal rates at a size where naive log-likelihoods would be all rounding.
#[test]
fn large_equal_counts_do_not_alarm() {
    let mut ratio = RateRatioTest::new();
    let huge = |n: u64| Count::new(n, n / 100).unwrap();
    for _ in 0..100 {
        ratio.observe(huge(1_000_000_000_000), huge(3_000_000_000_000));
        ratio.observe(huge(1_000_000_000_000), huge(1_000_000_000_000));
    }
    assert!(!ratio.rejects(0.5).unwrap(), "{}", ratio.log_e());
    let both = bounds(huge(1_000_000_000_000), 0.05).unwrap().unwrap();
    assert!(
        both.upper - both.lower < 2e-6 && both.upper - 0.01 > 2e-7,
        "{both:?}"
    );
}

/// Recorded verdicts are recomputed elsewhere and compared byte for byte: a
/// change of any bit here needs a new `METHOD_VERSION`.
#[test]
fn method_version_1_gives_these_bits() {
    let count = |n, events| Count::new(n, events).expect("the table is right");
    let mut ratio = RateRatioTest::new();
    let mut guard = LimitTest::new(0.01).unwrap();
    for (canary, stable) in [
        ((10, 0), (190, 3)),
        ((22, 1), (178, 1)),
        ((51, 4), (149, 2)),
    ] {
        ratio.observe(count(canary.0, canary.1), count(stable.0, stable.1));
        guard.observe(count(canary.0, canary.1));
    }
    let found = [
        ratio.log_e(),
        guard.log_e(),
        upper(count(6_000, 60), 0.05).unwrap().unwrap(),
        lower(count(6_000, 60), 0.05).unwrap().unwrap(),
    ];
    assert_eq!(gonogo_stats::METHOD_VERSION, 1);
    assert_eq!(
        found.map(f64::to_bits),
        [
            4_608_432_943_209_444_873,
            4_613_295_556_497_455_906,
            4_579_586_692_719_554_628,
            4_574_121_135_762_181_106
        ],
        "{found:?}"
    );
}
