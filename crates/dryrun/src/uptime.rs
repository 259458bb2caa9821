//! How long the run was up: as the older harness computes it, and between two bounds from a declared heartbeat.
//!
//! All times are nanoseconds of one clock; of a captured run the boot clock. Sources: the formula of the older harness (each gap is
//! given the whole allowance back) with its vectors, and interval censoring: of a gap between two beats only the ends are known, so
//! the outage lasted at least gap − 2·period and at most gap − period.

use crate::summary::Heartbeat;

/// Returns the share of `span` that was up: 1 − Σ (gap − allowance) / span over the gaps longer than the allowance.
///
/// None (unknown) without records, or when two or more records span no time. One record is up.
pub fn ratio(records: u64, span: i64, gaps: &[(i64, i64)], allowance: i64) -> Option<f64> {
    match records {
        0 => return None,
        1 if span <= 0 => return Some(1.0),
        _ if span <= 0 => return None,
        _ => {}
    }
    let down: i128 = gaps
        .iter()
        .map(|(from, to)| i128::from(*to) - i128::from(*from))
        .filter(|gap| *gap > i128::from(allowance))
        .map(|gap| gap - i128::from(allowance))
        .sum();
    Some((1.0 - down as f64 / span as f64).max(0.0))
}

/// Returns the bounds over `[from, to]`. `gaps` are those between beats, the ends included; `blind` are times that we could not see and
/// whether they are explained.
pub fn heartbeat(
    (from, to): (i64, i64),
    gaps: &[(i64, i64)],
    blind: &[((i64, i64), bool)],
    (period_seconds, tolerance): (f64, f64),
) -> Heartbeat {
    let nanos = |seconds: f64| (seconds * 1e9).clamp(1.0, 9e18) as i64;
    let period = nanos(period_seconds);
    let allowed = nanos(period_seconds * tolerance.max(1.0));
    let span = to.saturating_sub(from);
    let mut certain = Vec::new();
    let mut possible = Vec::new();
    for (a, b) in gaps {
        if b.saturating_sub(*a) > allowed {
            // From the first beat that is missing to the first that is there again.
            possible.push((a.saturating_add(period), *b));
            let surely = (a.saturating_add(period), b.saturating_sub(period));
            if surely.1 > surely.0 {
                certain.push(surely);
            }
        }
    }
    let window = |spans: Vec<(i64, i64)>| union(spans, from, to);
    let explained = window(blind.iter().filter(|b| b.1).map(|b| b.0).collect());
    let unexplained = window(blind.iter().filter(|b| !b.1).map(|b| b.0).collect());
    let outages: Vec<i64> = possible
        .iter()
        .map(|p| length(&minus(&window(vec![*p]), &explained)))
        .filter(|l| *l > 0)
        .collect();
    let unknown = minus(&unexplained, &explained);
    let all_blind = window(explained.iter().chain(&unexplained).copied().collect());
    let worst = [possible.clone(), unknown.clone()].concat();
    let worst = length(&minus(&window(worst), &explained));
    let best = length(&minus(&window(certain), &all_blind));
    let down = length(&minus(&window(possible), &explained));
    let share = |down: i64| {
        if span > 0 {
            (1.0 - down as f64 / span as f64).clamp(0.0, 1.0)
        } else {
            0.0
        }
    };
    let count = outages.len() as u64;
    let each = |sum: i64| (count > 0).then(|| sum as f64 / 1e9 / count as f64);
    Heartbeat {
        period_seconds,
        tolerance,
        pessimistic: share(worst),
        optimistic: share(best),
        outages: count,
        longest_outage_seconds: outages.iter().copied().max().unwrap_or(0) as f64 / 1e9,
        mtbf_seconds: each(span.saturating_sub(down)),
        mttr_seconds: each(down),
        unknown_seconds: length(&unknown) as f64 / 1e9,
    }
}

/// Returns the nanoseconds of `[from, to]` that are blind, not explained and not within one of `gaps`.
pub fn unknown_outside(
    (from, to): (i64, i64),
    gaps: &[(i64, i64)],
    blind: &[((i64, i64), bool)],
) -> i64 {
    let unexplained = union(
        blind.iter().filter(|b| !b.1).map(|b| b.0).collect(),
        from,
        to,
    );
    let known = union(
        gaps.iter()
            .copied()
            .chain(blind.iter().filter(|b| b.1).map(|b| b.0))
            .collect(),
        from,
        to,
    );
    length(&minus(&unexplained, &known))
}

/// Sorted, joined, cut to the window.
fn union(mut spans: Vec<(i64, i64)>, from: i64, to: i64) -> Vec<(i64, i64)> {
    spans
        .iter_mut()
        .for_each(|s| *s = (s.0.max(from), s.1.min(to)));
    spans.retain(|s| s.1 > s.0);
    spans.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => joined.push(span),
        }
    }
    joined
}

/// What of `a` is not in `b`; both sorted and joined.
fn minus(a: &[(i64, i64)], b: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut left = Vec::new();
    let mut next = 0;
    for &(mut from, to) in a {
        while b.get(next).is_some_and(|s| s.1 <= from) {
            next += 1;
        }
        for span in b[next..].iter().take_while(|s| s.0 < to) {
            if span.0 > from {
                left.push((from, span.0));
            }
            from = from.max(span.1);
        }
        if to > from {
            left.push((from, to));
        }
    }
    left
}

fn length(spans: &[(i64, i64)]) -> i64 {
    spans
        .iter()
        .map(|s| s.1.saturating_sub(s.0))
        .fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000_000;

    fn of(minutes: &[i64]) -> Option<f64> {
        let times: Vec<i64> = minutes.iter().map(|m| m * MINUTE).collect();
        let gaps: Vec<(i64, i64)> = times.windows(2).map(|w| (w[0], w[1])).collect();
        let span = times.last().unwrap_or(&0) - times.first().unwrap_or(&0);
        ratio(times.len() as u64, span, &gaps, 60 * MINUTE)
    }

    #[test]
    fn the_known_vectors() {
        let near = |minutes: &[i64], expected: f64| {
            let found = of(minutes).unwrap();
            assert!((found - expected).abs() < 5e-5, "{minutes:?}: {found}");
        };
        near(&[0, 90, 120], 0.75);
        near(&[0, 72 * 60], 0.0139);
        near(&(0..=72).map(|h| h * 60).collect::<Vec<_>>(), 1.0);
        near(&(0..=70).map(|h| h * 61).collect::<Vec<_>>(), 0.9836);
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[5]), Some(1.0));
        assert_eq!(of(&[5, 5]), None);
        assert_eq!(of(&[5, 5, 5]), None);
    }

    const SECOND: i64 = 1_000_000_000;

    fn spans(seconds: &[(i64, i64)]) -> Vec<(i64, i64)> {
        seconds
            .iter()
            .map(|(a, b)| (a * SECOND, b * SECOND))
            .collect()
    }

    #[test]
    fn heartbeat_bounds() {
        // A beat each 10 s over 1,000 s, silent from 100 to 160 and from 500 to 515 (within the tolerance of 2).
        let gaps = spans(&[(100, 160), (500, 515)]);
        let window = (0, 1000 * SECOND);
        let h = heartbeat(window, &gaps, &[], (10.0, 2.0));
        assert_eq!((h.outages, h.longest_outage_seconds), (1, 50.0));
        assert!((h.pessimistic - 0.95).abs() < 1e-12 && (h.optimistic - 0.96).abs() < 1e-12);
        assert_eq!((h.mtbf_seconds, h.mttr_seconds), (Some(950.0), Some(50.0)));
        assert_eq!(h.unknown_seconds, 0.0);
        let none = heartbeat(window, &[], &[], (10.0, 2.0));
        assert_eq!(
            (none.pessimistic, none.optimistic, none.mtbf_seconds),
            (1.0, 1.0, None)
        );
    }

    #[test]
    fn blindness_counts_against_unless_it_is_explained() {
        let window = (0, 1000 * SECOND);
        let blind = ((200 * SECOND, 300 * SECOND), false);
        let gaps = spans(&[(190, 310)]);
        let h = heartbeat(window, &gaps, &[blind], (10.0, 1.0));
        assert!((h.pessimistic - 0.89).abs() < 1e-12, "{}", h.pessimistic);
        assert!((h.optimistic - 1.0).abs() < 1e-12, "{}", h.optimistic);
        assert_eq!(h.unknown_seconds, 100.0);
        let h = heartbeat(window, &gaps, &[(blind.0, true)], (10.0, 1.0));
        assert!((h.pessimistic - 0.99).abs() < 1e-12, "{}", h.pessimistic);
        // Blind while lines arrived all the same (recovered bytes): unknown.
        let h = heartbeat(window, &[], &[blind], (10.0, 1.0));
        assert!((h.pessimistic - 0.9).abs() < 1e-12 && h.optimistic == 1.0);
        assert_eq!(
            unknown_outside(window, &spans(&[(250, 400)]), &[blind]),
            50 * SECOND
        );
        assert_eq!(unknown_outside(window, &[], &[(blind.0, true)]), 0);
    }

    proptest::proptest! {
        #[test]
        fn the_bounds_are_ordered(
            cuts in proptest::collection::btree_set(0i64..1000, 2..40), blind in proptest::collection::vec((0i64..1000, 0i64..200, proptest::prelude::any::<bool>()), 0..6),
            period in 1.0f64..50.0, tolerance in 0.5f64..4.0,
        ) {
            let times: Vec<i64> = cuts.into_iter().collect();
            let gaps: Vec<(i64, i64)> = times.windows(2).map(|w| (w[0] * SECOND, w[1] * SECOND)).collect();
            let blind: Vec<_> = blind.into_iter().map(|(a, l, e)| ((a * SECOND, (a + l) * SECOND), e)).collect();
            let window = (times[0] * SECOND, times[times.len() - 1] * SECOND);
            let h = heartbeat(window, &gaps, &blind, (period, tolerance));
            proptest::prop_assert!(0.0 <= h.pessimistic && h.pessimistic <= h.optimistic && h.optimistic <= 1.0, "{h:?}");
        }

        #[test]
        fn sets_of_spans_behave(a in proptest::collection::vec((0i64..60, 0i64..20), 0..12), b in proptest::collection::vec((0i64..60, 0i64..20), 0..12)) {
            let set = |v: &[(i64, i64)]| union(v.iter().map(|(s, l)| (*s, s + l)).collect(), 5, 70);
            let within = |spans: &[(i64, i64)], x: i64| spans.iter().any(|s| s.0 <= x && x < s.1);
            let (a, b) = (set(&a), set(&b));
            let rest = minus(&a, &b);
            for x in 0..90 {
                proptest::prop_assert_eq!(within(&rest, x), within(&a, x) && !within(&b, x));
            }
        }
    }
}
