//! Published values, and values computed independently at 30 digits with
//! mpmath 1.3.0 (exact incomplete beta functions, bisection).

use gonogo_stats::{
    Count, Error, below_limit, bounds, lower, more_needed, more_needed_below_limit, non_inferior,
    quantile, share_agrees, share_minimum, upper, wilson,
};

fn count(n: u64, events: u64) -> Count {
    Count::new(n, events).expect("the table is right")
}

fn near(found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} is not {expected}"
    );
}

/// Newcombe, Statist. Med. 17, 857–872 (1998), table I, method 3.
#[test]
fn wilson_gives_newcombes_intervals() {
    for (n, events, low, high) in [
        (263, 81, 0.2553, 0.3662),
        (148, 15, 0.0624, 0.1605),
        (20, 0, 0.0, 0.1611),
        (29, 1, 0.0061, 0.1718),
    ] {
        let found = wilson(count(n, events), 1.959_963_984_540_054)
            .unwrap()
            .unwrap();
        near(found.lower, low, 5e-5);
        near(found.upper, high, 5e-5);
    }
    assert_eq!(wilson(Count::ZERO, 2.0).unwrap(), None);
    for z in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(wilson(count(1, 0), z).is_err(), "{z}");
    }
}

/// The exact truncated mixtures, without the closed bound on the far tail:
/// ours may be wider, by very little.
#[test]
fn bounds_are_the_exact_mixtures_bounds() {
    for (n, events, alpha, low, high) in [
        (1, 0, 0.05, 0.0, 0.9661016949153),
        (20, 0, 0.05, 0.0, 0.171204117812),
        (500, 0, 0.05, 0.0, 0.007545526931989),
        (500, 1, 0.05, 3.588996743377e-6, 0.01323655242167),
        (500, 5, 0.05, 0.001897318960859, 0.02854380858281),
        (1000, 10, 0.05, 0.00331659923874, 0.02225675468919),
        (1000, 10, 0.0025, 0.002137207369399, 0.02732971546561),
        (1000, 999, 0.05, 0.9931653903846, 0.9999999749994),
        (1, 1, 0.05, 0.0025, 1.0),
        (10, 10, 0.05, 0.6312483044241, 1.0),
        (3000, 30, 0.05, 0.005409654392404, 0.01665889276039),
        (100, 50, 0.05, 0.3560607325645, 0.6573363256809),
    ] {
        let (found_low, found_high) = (
            lower(count(n, events), alpha).unwrap().unwrap(),
            upper(count(n, events), alpha).unwrap().unwrap(),
        );
        let rate = events as f64 / n as f64;
        assert!(
            found_high >= high * (1.0 - 1e-12),
            "{n} {events}: {found_high} {high}"
        );
        assert!(
            found_low <= low * (1.0 + 1e-12),
            "{n} {events}: {found_low} {low}"
        );
        assert!(
            found_high - high <= 0.01 * (high - rate),
            "{n} {events}: {found_high} {high}"
        );
        assert!(
            low - found_low <= 0.01 * (rate - low) + 1e-12,
            "{n} {events}: {found_low} {low}"
        );
    }
}

#[test]
fn two_sided_bounds_split_alpha() {
    let both = bounds(count(1_000, 10), 0.05).unwrap().unwrap();
    assert_eq!(Some(both.lower), lower(count(1_000, 10), 0.025).unwrap());
    assert_eq!(Some(both.upper), upper(count(1_000, 10), 0.025).unwrap());
    assert_eq!(bounds(Count::ZERO, 0.05).unwrap(), None);
}

#[test]
fn clean_streams_certify_fast() {
    // The rule of three, for one look, needs 299.
    let needed = more_needed_below_limit(Count::ZERO, 0.01, 0.05, 1_000_000)
        .unwrap()
        .unwrap();
    assert_eq!(needed, 377);
    assert!(below_limit(count(needed, 0), 0.01, 0.05).unwrap().passes);
    assert!(
        !below_limit(count(needed - 1, 0), 0.01, 0.05)
            .unwrap()
            .passes
    );
    // The exact mixture needs 3,787; our bound on its tail costs one more.
    let tenth = more_needed_below_limit(Count::ZERO, 0.001, 0.05, 1_000_000).unwrap();
    assert_eq!(tenth, Some(3_788));
}

/// Clopper–Pearson at 1e-4: contained in ours, which is at most a fifth wider.
#[test]
fn share_interval_contains_clopper_pearson() {
    for (k, n, low, high) in [
        (100, 1000, 0.0668439745319, 0.141604849599),
        (12, 1000, 0.0028995023775, 0.0316040154605),
        (500, 1000, 0.4382368336, 0.5617631664),
        (3, 40, 0.00174477878088, 0.353309000698),
    ] {
        let found = share_agrees(k, n, 0.5, 1e-4).unwrap();
        assert!(
            found.lower <= low && found.upper >= high,
            "{k}/{n}: {found:?}"
        );
        assert!(
            found.upper - found.lower <= 1.2 * (high - low),
            "{k}/{n}: {found:?}"
        );
    }
}

#[test]
fn share_check_has_teeth_and_edges() {
    assert_eq!(share_minimum(0.1, 1e-4).unwrap(), 224);
    assert_eq!(share_minimum(0.01, 1e-4).unwrap(), 2_531);
    assert_eq!(share_minimum(0.9, 1e-4).unwrap(), 224);
    for weight in [0.01, 0.1, 0.25, 0.5, 0.9] {
        let n = share_minimum(weight, 1e-4).unwrap();
        let right = (weight * n as f64).round() as u64;
        let rare = (weight.min(1.0 - weight) * 2.0 * n as f64).ceil() as u64;
        let doubled = if weight <= 0.5 { rare } else { n - rare.min(n) };
        let never = if weight <= 0.5 { 0 } else { n };
        let check = |k| share_agrees(k, n, weight, 1e-4).unwrap();
        assert!(check(right).agrees && check(right).enough, "{weight}");
        assert!(!check(doubled.min(n)).agrees, "{weight}");
        assert!(!check(never).agrees, "{weight}");
        assert!(
            !share_agrees(right.min(n - 1), n - 1, weight, 1e-4)
                .unwrap()
                .enough,
            "{weight}"
        );
    }
    let edge = |k, n, weight| share_agrees(k, n, weight, 1e-4).unwrap();
    assert!(edge(0, 9, 0.0).agrees && edge(0, 9, 0.0).enough);
    assert!(!edge(1, 1_000_000, 0.0).agrees);
    assert!(edge(9, 9, 1.0).agrees);
    assert!(!edge(999_999, 1_000_000, 1.0).agrees);
    assert!(!edge(0, 0, 0.0).enough && !edge(0, 0, 1.0).enough && !edge(0, 0, 0.3).enough);
    assert!(share_agrees(2, 1, 0.1, 1e-4).is_err());
    for weight in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
        assert!(share_agrees(1, 2, weight, 1e-4).is_err(), "{weight}");
    }
}

#[test]
fn comparison_needs_positive_evidence() {
    let stable = count(18_000, 180);
    let ask = |canary| non_inferior(canary, stable, 0.01, 0.05).unwrap();
    assert!(!ask(Count::ZERO).passes);
    assert!(!ask(count(10, 0)).passes, "too little seen");
    assert!(ask(count(6_000, 60)).passes);
    assert!(!ask(count(6_000, 120)).passes, "worse by the margin");
    let broken = count(1_000_000, 900_000);
    assert!(
        !non_inferior(Count::ZERO, broken, 0.5, 0.05).unwrap().passes,
        "an unseen canary"
    );
    assert!(
        !non_inferior(stable, Count::ZERO, 0.5, 0.05).unwrap().passes,
        "an unseen baseline"
    );
    let blind = non_inferior(Count::ZERO, Count::ZERO, 0.999, 0.999).unwrap();
    assert!(!blind.passes && blind.diff_upper == 1.0);
    for bad in [0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(non_inferior(stable, stable, bad, 0.05).is_err(), "{bad}");
        assert!(non_inferior(stable, stable, 0.01, bad).is_err(), "{bad}");
        assert!(below_limit(stable, bad, 0.05).is_err(), "{bad}");
        assert!(below_limit(stable, 0.5, bad).is_err(), "{bad}");
        assert!(
            upper(stable, bad).is_err() && lower(stable, bad).is_err(),
            "{bad}"
        );
        assert!(more_needed(stable, stable, bad, 0.05, 9).is_err(), "{bad}");
    }
}

#[test]
fn more_needed_is_the_first_that_passes() {
    let (canary, stable) = (count(600, 0), count(1_800, 0));
    let more = more_needed(canary, stable, 0.005, 0.05, 1 << 40)
        .unwrap()
        .unwrap();
    let passes = |n: u64| {
        non_inferior(count(600 + n, 0), count(1_800 + 3 * n, 0), 0.005, 0.05)
            .unwrap()
            .passes
    };
    assert!(passes(more) && !passes(more - 1), "{more}");
    assert_eq!(
        more_needed(canary, stable, 0.005, 0.05, more).unwrap(),
        Some(more)
    );
    assert_eq!(
        more_needed(canary, stable, 0.005, 0.05, more - 1).unwrap(),
        None
    );
    // Twice the error rate is never within half of it.
    let worse = count(600, 12);
    assert_eq!(
        more_needed(worse, count(1_800, 18), 0.005, 0.05, u64::MAX).unwrap(),
        None
    );
    // Equal rates always get there.
    let equal = more_needed(count(600, 6), count(1_800, 18), 0.005, 0.05, u64::MAX).unwrap();
    assert!(equal.is_some_and(|n| n > 1_000 && n < 100_000), "{equal:?}");
    assert_eq!(
        more_needed(count(60_000, 600), count(180_000, 1_800), 0.005, 0.05, 0).unwrap(),
        Some(0)
    );
    assert_eq!(
        more_needed_below_limit(count(100, 2), 0.01, 0.05, u64::MAX).unwrap(),
        None
    );
}

#[test]
fn quantile_is_an_upper_edge() {
    let edges = [0.1, 0.5, 1.0, f64::INFINITY];
    let ask = |counts: [u64; 4], q| quantile(&edges, &counts, q).unwrap();
    assert_eq!(ask([50, 90, 99, 100], 0.5), Some(0.1));
    assert_eq!(ask([50, 90, 99, 100], 0.51), Some(0.5));
    assert_eq!(ask([50, 90, 99, 100], 0.99), Some(1.0));
    assert_eq!(ask([50, 90, 99, 100], 0.995), Some(f64::INFINITY));
    assert_eq!(ask([0, 0, 0, 0], 0.5), None);
    assert_eq!(ask([0, 0, 1, 1], 1e-9), Some(1.0));
    assert_eq!(
        quantile(&[1.0], &[u64::MAX], 0.999_999_999).unwrap(),
        Some(1.0)
    );
    let refused = |edges: &[f64], counts: &[u64]| {
        matches!(quantile(edges, counts, 0.5), Err(Error::Buckets { .. }))
    };
    assert!(refused(&[], &[]));
    assert!(refused(&[1.0], &[1, 2]));
    assert!(refused(&[1.0, 1.0], &[1, 2]));
    assert!(refused(&[1.0, f64::NAN], &[1, 2]));
    assert!(refused(&[1.0, 2.0], &[2, 1]));
    assert!(quantile(&[1.0], &[1], f64::NAN).is_err());
}
