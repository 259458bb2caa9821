//! Is the event rate above an absolute limit?
//!
//! For first releases and for the soak, where there is no stable version
//! beside the canary. Same mixture as the rate-ratio test, against a fixed
//! null rate: with odds θ times the limit's, `k` events in `n` exposures have
//! likelihood ratio `θ^k / (1 + limit·(θ − 1))^n`, whose mean is one at the
//! limit and less below it, whatever path the rate takes below it.
//!
//! Invariant: a window without exposures changes nothing, not one bit.

use crate::capital::{Capital, Parts};
use crate::error::open_unit;
use crate::{Count, Error};

/// One-sided anytime-valid test of "rate ≤ limit".
///
/// Rejection is evidence that the rate is above the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitTest {
    limit: f64,
    capital: Capital,
}

impl LimitTest {
    /// A test of the rate against `limit` (events per exposure).
    ///
    /// # Errors
    /// [`Error::NotBetweenZeroAndOne`] unless 0 < `limit` < 1.
    pub fn new(limit: f64) -> Result<Self, Error> {
        Ok(Self {
            limit: open_unit("limit", limit)?,
            capital: Capital::new(),
        })
    }

    /// The limit under test.
    #[must_use]
    pub const fn limit(&self) -> f64 {
        self.limit
    }

    /// Takes one window's count, not a cumulative one.
    pub fn observe(&mut self, count: Count) {
        let (n, events, _) = count.floats();
        let expected = n * self.limit;
        // A subnormal limit may underflow: then there is nothing to stake.
        if expected > 0.0 {
            self.capital.observe(events, n, self.limit, expected);
        }
    }

    /// Natural log of the current e-value; stops at about 690.
    #[must_use]
    pub fn log_e(&self) -> f64 {
        self.capital.log_e()
    }

    /// Anytime-valid p-value: one over the largest e-value so far.
    #[must_use]
    pub fn p_value(&self) -> f64 {
        self.capital.p_value()
    }

    /// Whether the e-value has ever reached `1/alpha`; once true, stays true.
    ///
    /// # Errors
    /// [`Error::NotBetweenZeroAndOne`] unless 0 < `alpha` < 1.
    pub fn rejects(&self, alpha: f64) -> Result<bool, Error> {
        Ok(self.capital.rejects(open_unit("alpha", alpha)?))
    }

    /// The complete state beside [`Self::limit`].
    #[must_use]
    pub const fn parts(&self) -> Parts {
        self.capital.parts()
    }

    /// Restores a state taken with [`Self::parts`], bit for bit.
    ///
    /// # Errors
    /// [`Error::Parts`] for numbers that no test can have;
    /// [`Error::NotBetweenZeroAndOne`] for a bad limit.
    pub fn from_parts(limit: f64, parts: Parts) -> Result<Self, Error> {
        Ok(Self {
            limit: open_unit("limit", limit)?,
            capital: Capital::from_parts(parts)?,
        })
    }
}
