//! Sharpe ratios with what one must know to believe them: autocorrelation, skewness, kurtosis, how probable skill is, how long a
//! record would have to be.
//!
//! Sources: A. Lo, "The Statistics of Sharpe Ratios" (Financial Analysts Journal, 2002); D. Bailey and M. López de Prado, "The
//! Sharpe Ratio Efficient Frontier" (Journal of Risk, 2012) for PSR and the minimum track record, and "The Deflated Sharpe Ratio"
//! (Journal of Portfolio Management, 2014).
//!
//! Invariant: what cannot be computed (too few returns, no variance, a value that is not finite) is `None` and never a ratio.

use crate::normal::{normal_cdf, normal_quantile};

/// What a series of returns shows. Every figure is per period unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sharpe {
    /// How many returns.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1).
    pub sd: f64,
    /// `mean / sd`.
    pub per_period: f64,
    /// Annualised by Lo's factor, which knows the autocorrelation.
    pub annualised: f64,
    /// Annualised by √periods, as if returns were independent.
    pub annualised_naive: f64,
    /// Skewness.
    pub skewness: f64,
    /// Kurtosis: 3 for a normal distribution.
    pub kurtosis: f64,
    /// First-order autocorrelation.
    pub autocorrelation: f64,
}

/// How a Sharpe ratio stands against a floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharpeJudgement {
    /// Probability that the true ratio is above the floor (deflated by the number of trials).
    pub probabilistic: f64,
    /// Fewest returns at which that would reach the confidence; `None` if the observed ratio is not above the floor.
    pub minimum_track_record: Option<f64>,
    /// Whether there are enough returns to tell the ratio from the floor, on either side.
    pub decidable: bool,
}

/// Describes `returns` (excess over the riskless rate), of which `periods_per_year` make a year.
///
/// `None` with fewer than three returns, without variance, or with a value that is not finite.
pub fn sharpe(returns: &[f64], periods_per_year: f64) -> Option<Sharpe> {
    let n = returns.len();
    let usable = n >= 3
        && periods_per_year.is_finite()
        && periods_per_year > 0.0
        && returns.iter().all(|r| r.is_finite());
    if !usable {
        return None;
    }
    let count = n as f64;
    let mean = returns.iter().sum::<f64>() / count;
    let moment = |k: i32| {
        let sum: f64 = returns.iter().map(|r| power(r - mean, k)).sum();
        sum / count
    };
    let (m2, m3, m4) = (moment(2), moment(3), moment(4));
    let sd = libm::sqrt(m2 * count / (count - 1.0));
    // A constant series leaves rounding behind, or one odd value: a hundred deviations from zero in each period is no variance to
    // speak of.
    if !(sd.is_finite() && sd > mean.abs() * 0.01 && sd > f64::MIN_POSITIVE) {
        return None;
    }
    let per_period = mean / sd;
    let rho = autocorrelations(returns, mean, m2, lags(n, periods_per_year));
    let found = Sharpe {
        n: n as u64,
        mean,
        sd,
        per_period,
        annualised: per_period * lo_factor(periods_per_year, &rho)?,
        annualised_naive: per_period * libm::sqrt(periods_per_year),
        skewness: m3 / (m2 * libm::sqrt(m2)),
        kurtosis: m4 / (m2 * m2),
        autocorrelation: rho.first().copied().unwrap_or(0.0),
    };
    let finite = found.annualised.is_finite() && found.kurtosis.is_finite();
    (finite && found.skewness.is_finite()).then_some(found)
}

/// Returns Lo's factor from one period to `q`: q / √(q + 2 Σ (q − k) ρ_k), `rho` holding ρ_1, ρ_2, … and 0 beyond.
///
/// `None` if the autocorrelations leave no variance over `q` periods.
pub fn lo_factor(q: f64, rho: &[f64]) -> Option<f64> {
    let sum: f64 = rho
        .iter()
        .zip(1u32..)
        .map(|(r, k)| (q - f64::from(k)).max(0.0) * r)
        .sum();
    let variance = q + 2.0 * sum;
    (variance > 0.0).then(|| q / libm::sqrt(variance))
}

/// Returns the probability that the true ratio exceeds `floor`, both per period (PSR).
pub fn probabilistic(observed: f64, floor: f64, n: u64, skewness: f64, kurtosis: f64) -> f64 {
    if n < 2 {
        return f64::NAN;
    }
    let spread = spread(observed, skewness, kurtosis);
    normal_cdf((observed - floor) * libm::sqrt((n - 1) as f64) / libm::sqrt(spread))
}

/// Returns the fewest returns at which the probabilistic ratio reaches `confidence`; `None` if it never does.
pub fn minimum_track_record(
    observed: f64,
    floor: f64,
    skewness: f64,
    kurtosis: f64,
    confidence: f64,
) -> Option<f64> {
    (observed > floor)
        .then(|| separation(observed, floor, skewness, kurtosis, confidence))
        .filter(|n| n.is_finite())
}

/// Returns the ratio that the best of `trials` skill-less configurations is expected to show, given the variance of their ratios.
pub fn expected_best(trials: u64, variance: f64) -> f64 {
    /// Euler and Mascheroni's constant.
    const GAMMA: f64 = 0.577_215_664_901_532_9;
    if trials < 2 {
        return 0.0;
    }
    let n = trials as f64;
    libm::sqrt(variance)
        * ((1.0 - GAMMA) * normal_quantile(1.0 - 1.0 / n)
            + GAMMA * normal_quantile(1.0 - 1.0 / (n * core::f64::consts::E)))
}

/// Judges `found` against `floor` (annualised, as `found.annualised` is), at `confidence`, after `trials` tried configurations.
///
/// The floor is brought to one period by the same factor as the ratio. Without the trials' own ratios their variance is taken as that
/// of a ratio without skill, 1 / (n − 1). Returns that follow one another say less than as many that do not: n counts as
/// n (1 − ρ) / (1 + ρ), ρ the first autocorrelation where it is positive (the effective size of an AR(1) sample, Bayley and Hammersley 1946).
pub fn judge_sharpe(found: &Sharpe, floor: f64, trials: u64, confidence: f64) -> SharpeJudgement {
    let factor = if found.per_period == 0.0 {
        found.annualised_naive
    } else {
        found.annualised / found.per_period
    };
    let rho = found.autocorrelation.clamp(0.0, 1.0);
    let share = (1.0 - rho) / (1.0 + rho);
    let effective = found.n as f64 * share;
    let luck = expected_best(trials, 1.0 / (effective - 1.0).max(1.0));
    let floor = if factor > 0.0 { floor / factor } else { floor } + luck;
    let (skew, kurt) = (found.skewness, found.kurtosis);
    let needed = separation(found.per_period, floor, skew, kurt, confidence);
    SharpeJudgement {
        probabilistic: probabilistic(found.per_period, floor, effective as u64, skew, kurt),
        minimum_track_record: minimum_track_record(found.per_period, floor, skew, kurt, confidence)
            .map(|n| n / share)
            .filter(|n| n.is_finite()),
        decidable: needed.is_finite() && effective >= needed,
    }
}

/// 1 − γ₃·SR + (γ₄ − 1)/4·SR², never below what rounding leaves of zero.
fn spread(observed: f64, skewness: f64, kurtosis: f64) -> f64 {
    let value = 1.0 - skewness * observed + (kurtosis - 1.0) / 4.0 * observed * observed;
    value.max(f64::EPSILON)
}

/// Fewest returns that tell `observed` from `floor`.
fn separation(observed: f64, floor: f64, skewness: f64, kurtosis: f64, confidence: f64) -> f64 {
    let ratio = normal_quantile(confidence) / (observed - floor);
    1.0 + spread(observed, skewness, kurtosis) * ratio * ratio
}

/// Newey and West's rule for how many lags a series can carry, never more than the year has.
fn lags(n: usize, periods_per_year: f64) -> usize {
    let rule = libm::floor(4.0 * libm::pow(n as f64 / 100.0, 2.0 / 9.0)) as usize;
    rule.clamp(1, n - 2)
        .min((periods_per_year - 1.0).max(0.0) as usize)
}

fn autocorrelations(returns: &[f64], mean: f64, m2: f64, lags: usize) -> Vec<f64> {
    let n = returns.len() as f64;
    (1..=lags)
        .map(|k| {
            let pairs = returns.iter().zip(&returns[k..]);
            let sum: f64 = pairs.map(|(a, b)| (a - mean) * (b - mean)).sum();
            sum / n / m2
        })
        .collect()
}

fn power(x: f64, k: i32) -> f64 {
    (0..k).fold(1.0, |product, _| product * x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trading minutes in a year.
    const MINUTES: f64 = 252.0 * 1440.0;

    #[test]
    fn seventy_two_hours_of_minute_bars_say_little() {
        for (annual, expected) in [(1.0, 0.54), (2.0, 0.59), (10.0, 0.86), (15.0, 0.95)] {
            let psr = probabilistic(annual / libm::sqrt(MINUTES), 0.0, 4320, 0.0, 3.0);
            assert_eq!(
                libm::round(psr * 100.0) / 100.0,
                expected,
                "at {annual}: {psr}"
            );
        }
    }

    #[test]
    fn track_records_in_years() {
        for (annual, years) in [(0.5, 10.8), (1.0, 2.7), (2.0, 0.68), (3.0, 0.30)] {
            let daily = annual / libm::sqrt(252.0);
            let n = minimum_track_record(daily, 0.0, 0.0, 3.0, 0.95).unwrap();
            // The published figures leave out the small terms in SR (a twentieth of a year at most).
            assert!(
                (n / 252.0 - years).abs() < 0.02_f64.max(years * 0.01),
                "{annual}: {}",
                n / 252.0
            );
        }
        assert_eq!(minimum_track_record(0.1, 0.1, 0.0, 3.0, 0.95), None);
    }

    #[test]
    fn the_published_example_of_the_deflated_ratio() {
        // Bailey and López de Prado 2014: 100 trials, variance 1/2 a year, 1,250 days, skewness −3, kurtosis 10, ratio 2.5 a year.
        let floor = expected_best(100, 0.5 / 250.0);
        assert!((floor - 0.1132).abs() < 1e-4, "{floor}");
        let dsr = probabilistic(2.5 / libm::sqrt(250.0), floor, 1250, -3.0, 10.0);
        assert!((dsr - 0.9004).abs() < 1e-4, "{dsr}");
    }

    #[test]
    fn los_factor_against_the_closed_form_of_ar1() {
        for rho in [-0.3, 0.0, 0.2, 0.5, 0.9f64] {
            for q in [2.0, 6.0, 12.0, 252.0f64] {
                let all: Vec<f64> = (1..q as i32)
                    .map(|k| libm::pow(rho, f64::from(k)))
                    .collect();
                let inner = 1.0
                    + 2.0 * rho / (1.0 - rho)
                        * (1.0 - (1.0 - libm::pow(rho, q)) / (q * (1.0 - rho)));
                let closed = libm::sqrt(q) / libm::sqrt(inner);
                let found = lo_factor(q, &all).unwrap();
                assert!((found - closed).abs() < 1e-9, "{rho} {q}: {found} {closed}");
            }
        }
        assert_eq!(lo_factor(12.0, &[-1.0]), None);
    }

    #[test]
    fn a_small_series_by_hand() {
        let s = sharpe(&[0.01, 0.03, -0.01, 0.02, 0.0], 252.0).unwrap();
        assert!((s.mean - 0.01).abs() < 1e-15);
        assert!((s.sd - libm::sqrt(0.00025)).abs() < 1e-15);
        assert!((s.annualised_naive - 0.632_455_532 * libm::sqrt(252.0)).abs() < 1e-6);
        assert!((s.kurtosis - 1.7).abs() < 1e-9 && s.skewness.abs() < 1e-9);
        let j = judge_sharpe(&s, 0.0, 1, 0.95);
        assert!(!j.decidable && j.probabilistic > 0.8 && j.probabilistic < 0.95);
        assert!(j.minimum_track_record.unwrap() > 5.0);
    }

    #[test]
    fn trials_make_the_same_ratio_less_believable() {
        let returns: Vec<f64> = (0..400)
            .map(|i| 0.001 + 0.01 * libm::sin(f64::from(i * i)))
            .collect();
        let s = sharpe(&returns, 252.0).unwrap();
        let once = judge_sharpe(&s, 0.0, 1, 0.95).probabilistic;
        let often = judge_sharpe(&s, 0.0, 1000, 0.95).probabilistic;
        assert!(once > 0.9 && often < once - 0.2, "{once} {often}");
    }

    #[test]
    fn what_is_no_series_has_no_ratio() {
        for bad in [&[][..], &[0.1, 0.2], &[0.1; 50], &[0.1, f64::NAN, 0.2, 0.3]] {
            assert_eq!(sharpe(bad, 252.0), None, "{bad:?}");
        }
        assert_eq!(sharpe(&[0.1, 0.2, 0.3], 0.0), None);
        assert_eq!(sharpe(&[0.1, 0.2, 0.3], f64::NAN), None);
    }

    #[test]
    fn a_long_clear_record_is_decidable_on_either_side() {
        let returns: Vec<f64> = (0..5000)
            .map(|i| 0.005 + 0.01 * libm::sin(f64::from(i * i)))
            .collect();
        let s = sharpe(&returns, 252.0).unwrap();
        assert!(judge_sharpe(&s, 0.0, 1, 0.95).decidable);
        let above = judge_sharpe(&s, 100.0, 1, 0.95);
        assert!(
            above.decidable && above.probabilistic < 0.01 && above.minimum_track_record.is_none()
        );
    }
}
