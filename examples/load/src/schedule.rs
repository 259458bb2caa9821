//! When each request is due and which one it is: a pure, seeded sequence.
//!
//! It knows nothing of answers; that is what makes the load open-loop.

use crate::config::{Arrivals, LoadConfig};
use std::time::Duration;

/// A request that is due: offset from the start of the load, and the index of its shot in the mix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Due {
    pub(crate) at: Duration,
    pub(crate) shot: usize,
}

/// The sequence of due requests, in order of time; ends with the duration or the total.
pub(crate) struct Schedule {
    rate: f64,
    arrivals: Arrivals,
    until: f64,
    left: u64,
    sent: u64,
    /// Seconds; of the last Poisson arrival.
    last: f64,
    gaps: fastrand::Rng,
    choices: fastrand::Rng,
    weights: Vec<u64>,
}

impl Schedule {
    pub(crate) fn new(config: &LoadConfig) -> Self {
        let mut seeds = fastrand::Rng::with_seed(config.seed);
        Self {
            rate: config.rate,
            arrivals: config.arrivals,
            until: config.duration.as_secs_f64(),
            left: config.total.unwrap_or(u64::MAX),
            sent: 0,
            last: 0.0,
            // Two streams: the mix does not change when the arrivals do.
            gaps: seeds.fork(),
            choices: seeds.fork(),
            weights: config
                .mix
                .iter()
                .map(|shot| u64::from(shot.weight))
                .collect(),
        }
    }
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        self.left = self.left.checked_sub(1)?;
        let at = match self.arrivals {
            // From the count, not by adding up gaps: no drift.
            Arrivals::Fixed => self.sent as f64 / self.rate,
            Arrivals::Poisson => {
                self.last -= (1.0 - self.gaps.f64()).ln() / self.rate;
                self.last
            }
        };
        if at >= self.until {
            self.left = 0;
            return None;
        }
        self.sent += 1;
        let total: u64 = self.weights.iter().sum();
        let mut ticket = self.choices.u64(..total);
        let shot = self
            .weights
            .iter()
            .position(|&weight| match ticket.checked_sub(weight) {
                Some(rest) => {
                    ticket = rest;
                    false
                }
                None => true,
            })?;
        Some(Due {
            at: Duration::from_secs_f64(at),
            shot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Shot;
    use std::net::SocketAddr;

    fn config(rate: f64, seconds: u64, arrivals: Arrivals) -> LoadConfig {
        LoadConfig {
            rate,
            duration: Duration::from_secs(seconds),
            arrivals,
            ..LoadConfig::new(SocketAddr::from(([127, 0, 0, 1], 1)))
        }
    }

    #[test]
    fn fixed_arrivals_are_evenly_spaced_and_end_before_the_duration() {
        let dues: Vec<_> = Schedule::new(&config(200.0, 3, Arrivals::Fixed)).collect();
        assert_eq!(dues.len(), 600);
        assert_eq!(dues[0].at, Duration::ZERO);
        assert_eq!(dues[599].at, Duration::from_millis(2995));
        let some = LoadConfig {
            total: Some(7),
            ..config(200.0, 3, Arrivals::Fixed)
        };
        assert_eq!(Schedule::new(&some).count(), 7);
    }

    #[test]
    fn poisson_gaps_are_exponential_and_repeat_with_the_seed() {
        let config = config(100.0, 200, Arrivals::Poisson);
        let dues: Vec<_> = Schedule::new(&config).collect();
        assert!(dues.is_sorted_by_key(|due| due.at));
        // 20 000 expected, standard deviation 141.
        assert!((19_500..20_500).contains(&dues.len()), "{}", dues.len());
        let gaps: Vec<f64> = dues
            .windows(2)
            .map(|w| (w[1].at - w[0].at).as_secs_f64())
            .collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // An exponential's standard deviation is its mean; an even spacing's is zero.
        assert!(
            (variance.sqrt() / mean - 1.0).abs() < 0.05,
            "{}",
            variance.sqrt() / mean
        );
        assert!(Schedule::new(&config).eq(dues.iter().copied()));
        let other = LoadConfig { seed: 1, ..config };
        assert!(!Schedule::new(&other).eq(dues));
    }

    #[test]
    fn shots_are_chosen_by_weight() {
        let config = LoadConfig {
            mix: vec![
                Shot::read("/").weighted(3),
                Shot::read("/never").weighted(0),
                Shot::post("/cart", "{}"),
            ],
            ..config(1000.0, 10, Arrivals::Fixed)
        };
        let mut counts = [0; 3];
        for due in Schedule::new(&config) {
            counts[due.shot] += 1;
        }
        // 10 000 draws of 3 : 0 : 1, standard deviation 43.
        assert!(
            (7_300..7_700).contains(&counts[0]) && counts[1] == 0,
            "{counts:?}"
        );
    }
}
