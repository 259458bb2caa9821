//! How long a request takes: a lognormal that is given by its median and its 99th percentile.
//!
//! With `z = 2.3263…` the standard normal's 99 % point, `exp(ln p50 + s·N)` has median `p50` and 99th
//! percentile `p50·exp(z·s)`; so `s = ln(p99/p50) / z`. A tail factor `k` makes the 99th percentile
//! `k` times larger by a larger `s`, and leaves the median exactly where it was: the kind of
//! regression that an average or a median does not show.
//!
//! Pure but for the random generator it is handed.

use std::time::Duration;

/// The 99 % point of the standard normal distribution.
const Z99: f64 = 2.326_347_874_040_841;
/// No request takes longer than this many times the 99th percentile: a bound for callers' waits.
const CAP: f64 = 20.0;

/// A lognormal latency. See the module for the formula.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    median_ms: f64,
    sigma: f64,
    cap_ms: f64,
}

impl Latency {
    /// The latency with median `p50_ms` and 99th percentile `tail · p99_ms`, in milliseconds.
    ///
    /// Expects finite `0 < p50_ms <= p99_ms` and `tail >= 1`, which the behaviour file's reader checks.
    pub fn new(p50_ms: f64, p99_ms: f64, tail: f64) -> Self {
        let p99_ms = p99_ms * tail;
        Self {
            median_ms: p50_ms,
            sigma: (p99_ms / p50_ms).ln() / Z99,
            cap_ms: p99_ms * CAP,
        }
    }

    /// Draws one latency.
    pub fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        // Box–Muller; 1 - u keeps the logarithm away from zero.
        let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * random.f64()).cos();
        let ms = self.median_ms * (self.sigma * normal).exp();
        Duration::from_secs_f64(ms.min(self.cap_ms) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (p50, p99) in milliseconds of 100 000 draws.
    fn quantiles(latency: Latency) -> (f64, f64) {
        let mut random = fastrand::Rng::with_seed(7);
        let mut draws: Vec<_> = (0..100_000).map(|_| latency.draw(&mut random)).collect();
        draws.sort();
        let ms = |index: usize| draws[index].as_secs_f64() * 1000.0;
        (ms(50_000), ms(99_000))
    }

    #[test]
    fn a_tail_of_three_triples_the_p99_and_leaves_the_median() {
        // The standard error of a p99 of 100 000 lognormal draws is about 1.5 % here.
        let (p50, p99) = quantiles(Latency::new(1.0, 10.0, 1.0));
        assert!(
            (p50 - 1.0).abs() < 0.03 && (p99 - 10.0).abs() < 0.6,
            "{p50} {p99}"
        );
        let (p50, p99) = quantiles(Latency::new(1.0, 10.0, 3.0));
        assert!(
            (p50 - 1.0).abs() < 0.03 && (p99 - 30.0).abs() < 2.5,
            "{p50} {p99}"
        );
    }

    #[test]
    fn equal_quantiles_are_a_constant_and_nothing_passes_the_cap() {
        let mut random = fastrand::Rng::with_seed(7);
        let constant = Latency::new(4.0, 4.0, 1.0);
        assert_eq!(constant.draw(&mut random), Duration::from_millis(4));
        let wild = Latency::new(0.001, 1.0, 1.0);
        let worst = (0..200_000).map(|_| wild.draw(&mut random)).max();
        assert!(worst <= Some(Duration::from_millis(20)), "{worst:?}");
    }
}
