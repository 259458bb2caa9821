//! The betting book that both tests share: one account for each alternative
//! of a fixed grid, and a reserve that is staked little by little.
//!
//! Each alternative θ multiplies its account by the likelihood ratio of θ
//! against the null. A fixed mixture of such products is the e-process of
//! Lindon & Malek (arXiv:2011.03567). Alone it is slow to see a fault that
//! begins late: a long healthy past has emptied every account. So a part of
//! the capital is kept in reserve and staked over the life of the test, which
//! makes the whole a mixture over (time of onset, θ): weight [`AT_ONCE`] on
//! onset at the start and `(1 − AT_ONCE)·T/(T + t)²` on onset at age `t`.
//!
//! Invariants: the weights sum to one, so expected capital under the null is
//! at most one; what is staked on a window depends on that window's exposures
//! and event total only, never on whose events they were (rate ratio), or on
//! its exposures only (limit); every stored number is finite. Accounts may
//! run dry or stop at [`CEILING`]: either only loses capital.

use libm::{exp, log, log1p};

use crate::Error;

/// Number of alternatives in the grid.
pub const GRID_SIZE: usize = 10;

/// The alternatives: the rate ratio (rate-ratio test) or odds ratio against
/// the limit (limit test).
pub const THETAS: [f64; GRID_SIZE] = [1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 300.0, 1000.0];

/// Prior weight of each of [`THETAS`]; they sum to one.
///
/// Tuned for a doubling at 25 % weight and for outright failure at 10 %.
pub const WEIGHTS: [f64; GRID_SIZE] = [0.05, 0.15, 0.3, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05, 0.15];

/// Natural logarithms of [`THETAS`], correctly rounded.
const LOG_THETAS: [f64; GRID_SIZE] = [
    0.22314355131420976,
    0.4054651081081644,
    core::f64::consts::LN_2,
    1.0986122886681098,
    1.6094379124341003,
    core::f64::consts::LN_10,
    3.4011973816621555,
    4.605170185988092,
    5.703782474656201,
    6.907755278982137,
];

/// Part of the capital staked before the first window.
const AT_ONCE: f64 = 0.75;

/// Age (in events) by which half of the reserve is staked.
const HALF_LIFE: f64 = 64.0;

/// Where an account stops growing: far beyond any `1/α`, and finite.
const CEILING: f64 = 1e300;

/// The complete state of a test, for snapshots.
///
/// All numbers are finite, so any format that keeps an `f64` exactly will do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parts {
    /// Each account before its prior weight, in the order of [`THETAS`]; ≥ 0.
    pub accounts: [f64; GRID_SIZE],
    /// Events seen (rate ratio) or expected at the limit (limit); ≥ 0.
    pub age: f64,
    /// Natural log of the largest e-value so far; ≥ 0.
    pub peak_log_e: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Capital(Parts);

impl Capital {
    pub(crate) const fn new() -> Self {
        Self(Parts {
            accounts: [AT_ONCE; GRID_SIZE],
            age: 0.0,
            peak_log_e: 0.0,
        })
    }

    pub(crate) const fn parts(&self) -> Parts {
        self.0
    }

    pub(crate) fn from_parts(parts: Parts) -> Result<Self, Error> {
        // NaN is in no range.
        let refuse = |field| Err(Error::Parts { field });
        if !parts.accounts.iter().all(|a| (0.0..=CEILING).contains(a)) {
            return refuse("accounts");
        }
        if !(0.0..=f64::MAX).contains(&parts.age) {
            return refuse("age");
        }
        if !(0.0..=f64::MAX).contains(&parts.peak_log_e) {
            return refuse("peak_log_e");
        }
        Ok(Self(parts))
    }

    /// Plays `trials` draws of which `hits` were against us, each with null
    /// probability `chance`; `step` is how much older the test becomes.
    ///
    /// Odds θ times the null's have likelihood ratio
    /// `θ^hits / (1 + chance·(θ − 1))^trials`.
    pub(crate) fn observe(&mut self, hits: f64, trials: f64, chance: f64, step: f64) {
        let older = self.0.age + step;
        // reserve(age) − reserve(older), without the cancellation.
        let staked = reserve(self.0.age) * (step / (HALF_LIFE + older));
        for ((account, theta), log_theta) in self.0.accounts.iter_mut().zip(THETAS).zip(LOG_THETAS)
        {
            let gain = hits * log_theta - trials * log1p(chance * (theta - 1.0));
            let stake = *account + staked;
            if stake > 0.0 {
                // In two halves: a small stake times a large ratio may well be
                // in range where the ratio alone is not.
                let root = exp(0.5 * gain);
                *account = (stake * root * root).min(CEILING);
            }
        }
        self.0.age = older;
        let now = self.log_e();
        if now > self.0.peak_log_e {
            self.0.peak_log_e = now;
        }
    }

    /// Log of the capital now; zero at the start.
    pub(crate) fn log_e(&self) -> f64 {
        let weighed = self.0.accounts.iter().zip(WEIGHTS);
        let staked: f64 = weighed.map(|(account, weight)| weight * account).sum();
        log(staked + reserve(self.0.age))
    }

    /// `1 / (largest e-value so far)`: valid at every look by Ville's inequality.
    pub(crate) fn p_value(&self) -> f64 {
        exp(-self.0.peak_log_e)
    }

    pub(crate) fn rejects(&self, alpha: f64) -> bool {
        self.0.peak_log_e >= -log(alpha)
    }
}

/// The part of the capital not yet staked at `age`.
fn reserve(age: f64) -> f64 {
    (1.0 - AT_ONCE) * (HALF_LIFE / (HALF_LIFE + age))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prior_sums_to_one_and_log_table_is_right() {
        assert!((WEIGHTS.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        for (theta, log_theta) in THETAS.into_iter().zip(LOG_THETAS) {
            assert!(
                log(theta).to_bits().abs_diff(log_theta.to_bits()) <= 1,
                "{theta}"
            );
        }
        assert!(Capital::new().log_e().abs() < 1e-15);
    }

    #[test]
    fn what_leaves_the_reserve_is_staked() {
        // Chance 0 and no hits: every ratio is one, so nothing may be lost.
        let mut capital = Capital::new();
        for step in [1.0, 3.0, 0.25, 1e6, 1e12] {
            capital.observe(0.0, step, 0.0, step);
            assert!(capital.log_e().abs() < 1e-12, "{}", capital.log_e());
        }
    }
}
