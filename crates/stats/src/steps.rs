//! Where a series of figures changes its level for good.
//!
//! Two windows meet at each point: what came before it (at most `back` points, none from before the last step) and what follows (at most
//! `fore`). A step is where Welch's t of the two is greatest in its neighbourhood, exceeds `t`, and the levels differ by a practical
//! share: the rule of Perfherder, with the place read as the split that leaves the least unexplained. Nothing is sampled: the same series
//! gives the same steps. Whether a lone outlier moves a level is asked with medians: a step needs both the mean and the median to move.

use libm::{fabs, log, sqrt};

use crate::Error;

/// Most points of a series.
pub const MOST_POINTS: usize = 10_000;

/// What counts as a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepRules {
    /// Most points of the window before.
    pub back: usize,
    /// Most points of the window after.
    pub fore: usize,
    /// Fewest points of either window; at least 3.
    pub fewest: usize,
    /// Welch's t that must be exceeded.
    pub t: f64,
    /// Least change of the level, as a share of the level before.
    pub practical: f64,
}

impl Default for StepRules {
    fn default() -> Self {
        Self {
            back: 24,
            fore: 12,
            fewest: 6,
            t: 7.0,
            practical: 0.02,
        }
    }
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The first point of the new level.
    pub at: usize,
    /// The first point at which the new level may have begun (likelihood within 99 %).
    pub earliest: usize,
    /// The last point at which it may have begun.
    pub latest: usize,
    /// Mean of the window before.
    pub before: f64,
    /// Mean of the window after.
    pub after: f64,
    /// `after / before − 1`.
    pub change: f64,
    /// Welch's t; infinite if neither side varies at all.
    pub t: f64,
}

/// The steps of `values`, from first to last.
///
/// # Errors
/// [`Error::Values`] for more than [`MOST_POINTS`] points or one that is no finite positive number; [`Error::Setting`] for rules that
/// mean nothing.
pub fn steps(values: &[f64], rules: &StepRules) -> Result<Vec<Step>, Error> {
    let setting = |ok: bool, setting: &'static str| {
        if ok {
            Ok(())
        } else {
            Err(Error::Setting { setting })
        }
    };
    setting(rules.fewest >= 3, "fewest")?;
    setting(rules.back >= rules.fewest && rules.back <= 1000, "back")?;
    setting(rules.fore >= rules.fewest && rules.fore <= 1000, "fore")?;
    setting(rules.t.is_finite() && rules.t > 0.0, "t")?;
    setting(rules.practical > 0.0 && rules.practical < 1.0, "practical")?;
    if values.len() > MOST_POINTS {
        return Err(Error::Values {
            why: "there are more than 10000 points",
        });
    }
    if values.iter().any(|v| !v.is_normal() || *v <= 0.0) {
        return Err(Error::Values {
            why: "a point is no finite positive number",
        });
    }
    let mut found = Vec::new();
    let (mut start, mut at) = (0, rules.fewest);
    while at + rules.fewest <= values.len() {
        let Some(here) = look(values, start, at, rules) else {
            at += 1;
            continue;
        };
        // The greatest t within the reach of the window after; the first of equals.
        let mut best = (at, here);
        let last = (at + rules.fore).min(values.len() - rules.fewest);
        for next in at + 1..=last {
            if let Some(t) = look(values, start, next, rules)
                && t > best.1
            {
                best = (next, t);
            }
        }
        let step = describe(values, start, best.0, best.1, rules);
        start = step.at;
        at = start + rules.fewest;
        found.push(step);
    }
    Ok(found)
}

/// Welch's t at `at` if it counts as a step.
fn look(values: &[f64], start: usize, at: usize, rules: &StepRules) -> Option<f64> {
    let (before, after) = windows(values, start, at, rules);
    if before.len() < rules.fewest || after.len() < rules.fewest {
        return None;
    }
    let (a, b) = (mean(before), mean(after));
    let t = welch(before, after);
    let moved = |from: f64, to: f64| (to - from) / from;
    let by_mean = moved(a, b);
    let by_median = moved(median(before), median(after));
    let real = fabs(by_mean) >= rules.practical
        && fabs(by_median) >= rules.practical
        && by_mean.is_sign_positive() == by_median.is_sign_positive();
    (real && t > rules.t).then_some(t)
}

fn windows<'a>(
    values: &'a [f64],
    start: usize,
    at: usize,
    rules: &StepRules,
) -> (&'a [f64], &'a [f64]) {
    let from = start.max(at.saturating_sub(rules.back));
    let to = values.len().min(at + rules.fore);
    (&values[from..at], &values[at..to])
}

fn describe(values: &[f64], start: usize, at: usize, t: f64, rules: &StepRules) -> Step {
    let from = start.max(at.saturating_sub(rules.back));
    let to = values.len().min(at + rules.fore);
    // Among the splits of this stretch: the one that leaves least unexplained, and all that are nearly as likely.
    let stretch = &values[from..to];
    let least = rules.fewest.min(3);
    let rests: Vec<(usize, f64)> = (least..=stretch.len() - least)
        .map(|split| {
            let (a, b) = stretch.split_at(split);
            (from + split, unexplained(a) + unexplained(b))
        })
        .collect();
    let best = rests
        .iter()
        .copied()
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((at, 0.0));
    let n = stretch.len() as f64;
    // χ² with one degree of freedom at 99 %.
    let likely = |rest: f64| rest <= best.1 || (best.1 > 0.0 && n * log(rest / best.1) <= 6.635);
    let near = |(_, rest): &&(usize, f64)| likely(*rest);
    let earliest = rests.iter().find(near).map_or(best.0, |r| r.0);
    let latest = rests.iter().rev().find(near).map_or(best.0, |r| r.0);
    let (before, after) = windows(values, start, best.0, rules);
    let (before, after) = (mean(before), mean(after));
    Step {
        at: best.0,
        earliest,
        latest,
        before,
        after,
        change: after / before - 1.0,
        t,
    }
}

/// |mean difference| over its standard error, the variances taken apart. A level that does not vary at all counts as exact.
fn welch(a: &[f64], b: &[f64]) -> f64 {
    let error = sqrt(variance(a) / a.len() as f64 + variance(b) / b.len() as f64);
    let apart = fabs(mean(a) - mean(b));
    if error > 0.0 {
        apart / error
    } else if apart > 0.0 {
        f64::INFINITY
    } else {
        0.0
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().map(|v| v / values.len() as f64).sum()
}

fn unexplained(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|v| (v - centre) * (v - centre)).sum()
}

fn variance(values: &[f64]) -> f64 {
    unexplained(values) / (values.len() as f64 - 1.0)
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[half]
    } else {
        f64::midpoint(sorted[half - 1], sorted[half])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal_quantile;
    use crate::sim::Rng;

    fn noisy(rng: &mut Rng, n: usize, spread: f64) -> Vec<f64> {
        let draw = |rng: &mut Rng| normal_quantile(rng.unit().clamp(1e-12, 1.0 - 1e-12));
        (0..n).map(|_| 100.0 * (1.0 + spread * draw(rng))).collect()
    }

    #[test]
    fn series_without_a_step_have_none() {
        // 2,000 series of 120 points, quiet and noisy ones, and such with outliers.
        let mut rng = Rng::new(11);
        let mut alarms = 0;
        for n in 0..2_000 {
            let spread = [0.002, 0.01, 0.03, 0.08][n % 4];
            let mut series = noisy(&mut rng, 120, spread);
            if n % 3 == 0 {
                for _ in 0..4 {
                    let at = (rng.unit() * 120.0) as usize;
                    series[at] *= 1.5;
                }
            }
            alarms += usize::from(!steps(&series, &StepRules::default()).unwrap().is_empty());
        }
        assert!(
            alarms <= 2,
            "{alarms} of 2000 series without a step have one"
        );
    }

    #[test]
    fn steps_are_found_where_they_are() {
        let mut rng = Rng::new(12);
        let (mut caught, mut placed, mut more) = (0, 0, 0);
        for n in 0..500 {
            let at = 30 + n % 60;
            let mut series = noisy(&mut rng, 120, 0.01);
            series[at..].iter_mut().for_each(|v| *v *= 1.05);
            let found = steps(&series, &StepRules::default()).unwrap();
            caught += usize::from(!found.is_empty());
            more += usize::from(found.len() > 1);
            placed += usize::from(found.iter().any(|s| s.earliest <= at && at <= s.latest));
        }
        assert!(
            caught >= 495 && placed >= 480 && more <= 5,
            "{caught} {placed} {more}"
        );
    }

    #[test]
    fn exact_figures_step_exactly_and_both_ways() {
        let mut series = vec![1000.0; 20];
        series.extend([1030.0; 20]);
        series.extend([900.0; 10]);
        let found = steps(&series, &StepRules::default()).unwrap();
        let places: Vec<_> = found.iter().map(|s| (s.at, s.earliest, s.latest)).collect();
        assert_eq!(places, [(20, 20, 20), (40, 40, 40)]);
        assert!((found[0].change - 0.03).abs() < 1e-12 && found[1].change < -0.12);
        // One per cent is not practical, however sure.
        let mut small = vec![1000.0; 20];
        small.extend([1010.0; 20]);
        assert_eq!(steps(&small, &StepRules::default()), Ok(vec![]));
    }

    #[test]
    fn one_outlier_is_no_step_and_short_series_have_none() {
        let mut series = vec![100.0; 40];
        series[20] = 300.0;
        assert_eq!(steps(&series, &StepRules::default()), Ok(vec![]));
        for n in 0..12 {
            assert_eq!(steps(&vec![1.0; n], &StepRules::default()), Ok(vec![]));
        }
    }

    #[test]
    fn what_is_no_positive_number_is_refused() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 0.0] {
            assert!(steps(&[1.0, bad], &StepRules::default()).is_err());
        }
        let rules = StepRules {
            fewest: 2,
            ..StepRules::default()
        };
        assert!(steps(&[], &rules).is_err());
        let rules = StepRules {
            t: f64::NAN,
            ..StepRules::default()
        };
        assert!(steps(&[], &rules).is_err());
    }

    /// A host that has good and bad days: the level wanders by itself, and no commit is to blame.
    #[test]
    fn days_that_differ_are_rarely_taken_for_a_step() {
        let mut rng = Rng::new(13);
        let mut alarms = 0;
        for _ in 0..500 {
            let mut day = 0.0;
            let mut series = noisy(&mut rng, 120, 0.005);
            for value in &mut series {
                day = 0.7 * day + 0.01 * (rng.unit() - 0.5);
                *value *= 1.0 + day;
            }
            alarms += usize::from(!steps(&series, &StepRules::default()).unwrap().is_empty());
        }
        assert!(alarms <= 5, "{alarms} of 500");
    }

    proptest::proptest! {
        #[test]
        fn any_series_gives_an_answer(
            values in proptest::collection::vec(proptest::num::f64::ANY, 0..80),
            positive in proptest::collection::vec(1e-300_f64..1e300, 0..80),
            fewest in 0_usize..9, back in 0_usize..40, fore in 0_usize..40,
        ) {
            let rules = StepRules { fewest, back, fore, ..StepRules::default() };
            let _ = steps(&values, &rules);
            for step in steps(&positive, &rules).unwrap_or_default() {
                proptest::prop_assert!(step.earliest <= step.at && step.at <= step.latest);
                proptest::prop_assert!(step.at >= fewest.min(3) && step.latest < positive.len());
                proptest::prop_assert!(!step.t.is_nan());
            }
        }
    }
}
