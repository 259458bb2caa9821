//! Is the canary's event rate higher than the stable version's?
//!
//! The conditional count test of Lindon & Malek (NeurIPS 2022,
//! arXiv:2011.03567), one-sided, in odds form so that the canary's share of
//! traffic may differ from window to window. Used by the release machine to
//! abort; the state is snapshotted through [`Parts`].
//!
//! # Why it is valid
//!
//! Take a window in which the canary served `n_c` requests, stable `n_s`, and
//! `k` events happened in all. If the canary's rate is θ times stable's, an
//! event is the canary's with probability `p(θ) = n_c·θ / (n_c·θ + n_s)`, and
//! with `w = n_c / (n_c + n_s)` the canary's `k_c` events have likelihood ratio
//!
//! ```text
//! L(θ)/L(1) = θ^k_c / (1 + w·(θ − 1))^k
//! ```
//!
//! The traffic volume and the overall event rate have cancelled: they may
//! drift as they like. Under Poisson events and θ = 1 its mean given `k` is
//! exactly one. Requests are not Poisson but Bernoulli: each has at most one
//! event, and given `k` and both exposures `k_c` is hypergeometric. Drawing
//! without replacement is smaller in convex order than drawing with it
//! (Hoeffding 1963, theorem 4), and `θ^k_c` is convex in `k_c`, so the mean
//! is at most one: conditioning on exposures can only make the test slower,
//! never make it lie. For a canary that is better than stable `k_c` is
//! stochastically smaller still, and `θ^k_c` increases in `k_c` for θ > 1. So
//! the mixture is an e-process for "the canary is no worse", and the chance
//! that it ever reaches `1/α` is at most `α`, however often one looks.
//!
//! What it asks of the caller: requests are assigned by chance within a
//! window, and a window counts an event with its own request (not a slow failure
//! against the next window's exposures). Retries of one failing request are
//! one request.
//!
//! Beyond the paper, onset late in the release is part of the mixture (see
//! [`Parts`] and the capital module): a long healthy past does not blind the
//! test to a fault that begins now.
//!
//! Invariants: windows without exposures on either side change nothing, not
//! one bit; the e-value depends on the windows' order and contents only.

use crate::capital::{Capital, Parts};
use crate::error::open_unit;
use crate::{Count, Error};

/// One-sided anytime-valid test of "canary rate ≤ stable rate".
///
/// An e-process over a fixed prior of rate ratios ([`crate::THETAS`]) and
/// times of onset; rejection is evidence that the canary is worse.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateRatioTest(Capital);

impl RateRatioTest {
    /// A test that has seen nothing: e-value 1.
    #[must_use]
    pub fn new() -> Self {
        Self(Capital::new())
    }

    /// Takes one window's counts, not cumulative ones.
    ///
    /// A window with no exposures on one side, or no events, contributes
    /// nothing. Precise to 0.01 in the log for up to 1e12 events a window.
    pub fn observe(&mut self, canary: Count, stable: Count) {
        if canary.n() == 0 || stable.n() == 0 {
            return;
        }
        let hits = canary.events() as f64;
        let events = hits + stable.events() as f64;
        if events == 0.0 {
            return;
        }
        let share = canary.n() as f64 / (canary.n() as f64 + stable.n() as f64);
        self.0.observe(hits, events, share, events);
    }

    /// Natural log of the current e-value; stops at about 690.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.0.log_e()
    }

    /// Anytime-valid p-value: one over the largest e-value so far.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.0.p_value()
    }

    /// Whether the e-value has ever reached `1/alpha`; once true, stays true.
    ///
    /// # Errors
    /// [`Error::NotBetweenZeroAndOne`] unless 0 < `alpha` < 1.
    pub fn rejects(&self, alpha: f64) -> Result<bool, Error> {
        Ok(self.0.rejects(open_unit("alpha", alpha)?))
    }

    /// The complete state.
    #[must_use]
    pub const fn parts(&self) -> Parts {
        self.0.parts()
    }

    /// Restores a state taken with [`Self::parts`], bit for bit.
    ///
    /// # Errors
    /// [`Error::Parts`] for numbers that no test can have.
    pub fn from_parts(parts: Parts) -> Result<Self, Error> {
        Capital::from_parts(parts).map(Self)
    }
}

impl Default for RateRatioTest {
    fn default() -> Self {
        Self::new()
    }
}
