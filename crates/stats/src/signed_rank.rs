//! Paired differences without a distribution: Wilcoxon's signed-rank test, the Hodges–Lehmann shift, and its exact interval.
//!
//! Sources: F. Wilcoxon 1945; J. L. Hodges and E. L. Lehmann 1963; J. W. Tukey's form over Walsh averages. If each difference is as
//! likely as its negative (which a coin that orders the two measurements makes true by itself, whatever the noise looks like), the count
//! of positive Walsh averages has one known distribution. It is computed, not approximated and not sampled: the same differences give
//! the same bits everywhere. Ties and zeros only make the test more cautious. Up to 29 % of the differences may be anything.

use crate::Error;
use crate::error::open_unit;

/// Most differences that are taken; the distribution is computed in time that grows with their cube.
pub const MOST_PAIRS: usize = 256;

/// What paired differences say of the shift between their sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// The Hodges–Lehmann estimate: the median of all Walsh averages.
    pub estimate: f64,
    /// Lower bound; the shift is below it with probability at most `alpha`. None if so few differences cannot show that.
    pub lower: Option<f64>,
    /// Upper bound; the shift is above it with probability at most `alpha`. None if so few differences cannot show that.
    pub upper: Option<f64>,
    /// Probability of differences at least as positive, were there no shift.
    pub p_greater: f64,
    /// Probability of differences at least as negative, were there no shift.
    pub p_less: f64,
}

/// Judges `differences`, with error probability `alpha` at each end of the interval. None without differences.
///
/// # Errors
/// [`Error::NotBetweenZeroAndOne`] unless 0 < `alpha` < 1; [`Error::Values`] for more than [`MOST_PAIRS`] differences or one that is no
/// finite number.
pub fn signed_rank(differences: &[f64], alpha: f64) -> Result<Option<Shift>, Error> {
    let alpha = open_unit("alpha", alpha)?;
    if differences.len() > MOST_PAIRS {
        return Err(Error::Values {
            why: "there are more than 256 differences",
        });
    }
    if differences.iter().any(|d| !d.is_finite()) {
        return Err(Error::Values {
            why: "a difference is no finite number",
        });
    }
    if differences.is_empty() {
        return Ok(None);
    }
    let walsh = walsh_averages(differences);
    let below = cumulative(differences.len());
    // The most Walsh averages on the wrong side that chance explains with at most `alpha`.
    let cut = below.partition_point(|p| *p <= alpha);
    let positive = walsh.iter().filter(|w| **w > 0.0).count();
    let negative = walsh.iter().filter(|w| **w < 0.0).count();
    let at_least = |count: usize| match walsh.len() - count {
        // By symmetry the probability of `count` or more is that of the rest or fewer.
        rest if rest < below.len() => below[rest],
        _ => 1.0,
    };
    let middle = walsh.len() / 2;
    let estimate = if walsh.len() % 2 == 1 {
        walsh[middle]
    } else {
        f64::midpoint(walsh[middle - 1], walsh[middle])
    };
    // The bound is the first average that chance does not explain away.
    let bound = |from_the_end: bool| {
        let skipped = cut.checked_sub(1)?;
        let at = if from_the_end {
            walsh.len().checked_sub(skipped + 1)?
        } else {
            skipped
        };
        walsh.get(at).copied()
    };
    Ok(Some(Shift {
        estimate,
        lower: bound(false),
        upper: bound(true),
        p_greater: at_least(positive),
        p_less: at_least(negative),
    }))
}

/// The fewest differences with which a test at `alpha` can show anything: all of one sign have the probability 2⁻ⁿ.
///
/// # Errors
/// [`Error::NotBetweenZeroAndOne`] unless 0 < `alpha` < 1.
pub fn fewest_pairs(alpha: f64) -> Result<usize, Error> {
    let alpha = open_unit("alpha", alpha)?;
    let mut chance = 1.0;
    let mut pairs = 0;
    while chance > alpha {
        chance /= 2.0;
        pairs += 1;
    }
    Ok(pairs)
}

/// The means of all pairs, each value with itself included, sorted.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut all = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, a) in values.iter().enumerate() {
        all.extend(values[i..].iter().map(|b| f64::midpoint(*a, *b)));
    }
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// For each count of positive Walsh averages of `n` differences the probability of it or a lesser one: ranks 1 to n, each positive by
/// the toss of a coin.
fn cumulative(n: usize) -> Vec<f64> {
    let most = n * (n + 1) / 2;
    let mut chance = vec![0.0; most + 1];
    chance[0] = 1.0;
    let mut reached = 0;
    for rank in 1..=n {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = 0.5 * (chance[sum] + with);
        }
    }
    let mut total = 0.0_f64;
    for each in &mut chance {
        total += *each;
        *each = total.min(1.0);
    }
    chance
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Rng;

    /// Every assignment of signs, counted: the definition of the test.
    #[test]
    fn the_probability_is_that_of_all_signs() {
        let sizes = [0.3, 1.1, 0.7, 2.9, 0.2, 1.9, 0.55, 3.3, 0.95];
        let rank_sum = |signs: u32| {
            let signed = |i: usize| {
                if signs >> i & 1 == 1 {
                    sizes[i]
                } else {
                    -sizes[i]
                }
            };
            let all: Vec<f64> = (0..sizes.len()).map(signed).collect();
            walsh_averages(&all).iter().filter(|w| **w > 0.0).count()
        };
        let sums: Vec<usize> = (0..512).map(rank_sum).collect();
        for signs in [0, 1, 77, 300, 411, 511] {
            let signed: Vec<f64> = (0..sizes.len())
                .map(|i| {
                    if signs >> i & 1 == 1 {
                        sizes[i]
                    } else {
                        -sizes[i]
                    }
                })
                .collect();
            let found = signed_rank(&signed, 0.05).unwrap().unwrap();
            let here = sums[signs as usize];
            let expected = sums.iter().filter(|s| **s >= here).count() as f64 / 512.0;
            assert!((found.p_greater - expected).abs() < 1e-12, "{signs}");
        }
    }

    /// Table of one-sided critical values: n = 10 at 0.025 is 8, n = 20 at 0.05 is 60, n = 30 at 0.005 is 109.
    #[test]
    fn critical_values_are_those_of_the_tables() {
        for (n, alpha, critical) in [
            (10, 0.025, 8),
            (20, 0.05, 60),
            (30, 0.005, 109),
            (8, 0.005, 0),
        ] {
            let below = cumulative(n);
            assert_eq!(below.partition_point(|p| *p <= alpha), critical + 1, "{n}");
        }
    }

    /// Every sign of eight differences, at every alpha that separates two probabilities.
    #[test]
    fn bounds_and_probability_say_the_same() {
        let sizes = [0.3, 1.1, 0.7, 2.9, 0.2, 1.9, 0.55, 3.3];
        for signs in 0..256_u32 {
            let values: Vec<f64> = (0..8)
                .map(|i| {
                    if signs >> i & 1 == 1 {
                        sizes[i]
                    } else {
                        -sizes[i]
                    }
                })
                .collect();
            for step in 1..128 {
                let alpha = (f64::from(step) + 0.5) / 256.0;
                let found = signed_rank(&values, alpha).unwrap().unwrap();
                let worse = found.p_greater <= alpha;
                let better = found.p_less <= alpha;
                assert_eq!(
                    found.lower.is_some_and(|l| l > 0.0),
                    worse,
                    "{values:?} {alpha}"
                );
                assert_eq!(
                    found.upper.is_some_and(|u| u < 0.0),
                    better,
                    "{values:?} {alpha}"
                );
            }
        }
    }

    /// Over many draws the shift is outside of each bound as rarely as is promised, and not much more rarely.
    #[test]
    fn bounds_hold_as_often_as_they_say() {
        let mut rng = Rng::new(7);
        let (mut below, mut above) = (0, 0);
        for _ in 0..20_000 {
            let values: Vec<f64> = (0..12)
                .map(|_| 0.3 + (rng.unit() + rng.unit() - 1.0))
                .collect();
            let found = signed_rank(&values, 0.05).unwrap().unwrap();
            below += u32::from(found.lower.unwrap() > 0.3);
            above += u32::from(found.upper.unwrap() < 0.3);
        }
        // 0.0461 is the greatest possible probability up to 0.05 with twelve.
        for outside in [below, above] {
            let share = f64::from(outside) / 20_000.0;
            assert!((0.040..=0.050).contains(&share), "{share}");
        }
    }

    #[test]
    fn the_mirror_image_has_mirrored_bounds() {
        let mut rng = Rng::new(8);
        for n in 1..40 {
            let values: Vec<f64> = (0..n).map(|_| rng.unit() - 0.35).collect();
            let turned: Vec<f64> = values.iter().map(|v| -v).collect();
            let found = signed_rank(&values, 0.01).unwrap().unwrap();
            let other = signed_rank(&turned, 0.01).unwrap().unwrap();
            assert_eq!(other.lower.map(|l| -l), found.upper);
            assert_eq!(found.lower.is_some(), n >= fewest_pairs(0.01).unwrap());
        }
    }

    #[test]
    fn ties_are_never_significant_by_themselves() {
        let found = signed_rank(&[0.0; 40], 0.05).unwrap().unwrap();
        assert_eq!(
            (found.p_greater, found.p_less, found.estimate),
            (1.0, 1.0, 0.0)
        );
        assert_eq!((found.lower, found.upper), (Some(0.0), Some(0.0)));
    }

    #[test]
    fn a_quarter_of_outliers_does_not_move_it_far() {
        let mut values = vec![0.05; 15];
        values.extend([9.0; 5]);
        let found = signed_rank(&values, 0.05).unwrap().unwrap();
        assert!((found.estimate - 0.05).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bad in [f64::NAN, f64::INFINITY] {
            assert!(signed_rank(&[0.1, bad], 0.05).is_err());
        }
        assert!(signed_rank(&[0.1; MOST_PAIRS + 1], 0.05).is_err());
        assert!(signed_rank(&[0.1], 0.0).is_err() && signed_rank(&[0.1], f64::NAN).is_err());
        assert_eq!(signed_rank(&[], 0.05), Ok(None));
    }

    proptest::proptest! {
        #[test]
        fn any_differences_give_an_answer(
            values in proptest::collection::vec(proptest::num::f64::ANY, 0..40),
            finite in proptest::collection::vec(-1e308_f64..1e308, 1..40),
            alpha in 1e-6_f64..0.5,
        ) {
            let _ = signed_rank(&values, alpha);
            let found = signed_rank(&finite, alpha).unwrap().unwrap();
            proptest::prop_assert!(found.estimate.is_finite());
            proptest::prop_assert!(found.lower.is_none_or(|l| l <= found.estimate));
            proptest::prop_assert!(found.upper.is_none_or(|u| u >= found.estimate));
        }
    }
}
