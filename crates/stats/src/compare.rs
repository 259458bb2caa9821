//! Is the canary good enough to go on? Positive evidence or no pass.
//!
//! "Not significantly worse" is no evidence; these pass only when a
//! confidence sequence excludes the harm. Being anytime-valid, they may be
//! asked at every look and acted on at the first pass.

use crate::bounds::{half, lower_at, upper_at};
use crate::error::open_unit;
use crate::{Count, Error};

/// What [`non_inferior`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// Upper bound of the canary's rate; 1 without exposures.
    pub canary_upper: f64,
    /// Lower bound of stable's rate; 0 without exposures.
    pub stable_lower: f64,
    /// `canary_upper − stable_lower`: the most by which the canary may be worse.
    pub diff_upper: f64,
    /// Whether both sides were seen and `diff_upper < margin`.
    pub passes: bool,
}

/// What [`below_limit`] found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ceiling {
    /// Upper bound of the rate; 1 without exposures.
    pub upper: f64,
    /// Whether anything was seen and `upper < limit`.
    pub passes: bool,
}

/// Passes if the canary's rate is shown to exceed stable's by less than
/// `margin`, with error probability `alpha` over all looks together (split
/// evenly between the two bounds). Counts are cumulative.
///
/// # Errors
/// [`Error::NotBetweenZeroAndOne`] unless 0 < `margin`, `alpha` < 1.
pub fn non_inferior(
    canary: Count,
    stable: Count,
    margin: f64,
    alpha: f64,
) -> Result<Comparison, Error> {
    let margin = open_unit("margin", margin)?;
    let half = half(alpha)?;
    Ok(compare(canary.floats(), stable.floats(), margin, half))
}

/// Passes if the rate is shown to be below `limit`, with error probability
/// `alpha` over all looks together. The count is cumulative.
///
/// # Errors
/// [`Error::NotBetweenZeroAndOne`] unless 0 < `limit`, `alpha` < 1.
pub fn below_limit(count: Count, limit: f64, alpha: f64) -> Result<Ceiling, Error> {
    let limit = open_unit("limit", limit)?;
    let alpha = open_unit("alpha", alpha)?;
    Ok(ceiling(count.floats(), limit, alpha))
}

/// How many more canary requests until [`non_inferior`] passes, if both sides
/// go on at their observed rates and traffic shares (a canary without
/// requests: no events and no more stable traffic). `Some(0)` if it passes
/// now; `None` if not within `cap`, so always without stable requests.
///
/// # Errors
/// As [`non_inferior`].
pub fn more_needed(
    canary: Count,
    stable: Count,
    margin: f64,
    alpha: f64,
    cap: u64,
) -> Result<Option<u64>, Error> {
    let margin = open_unit("margin", margin)?;
    let half = half(alpha)?;
    Ok(first_pass(cap, |more| {
        let factor = growth(canary, more);
        let stable = scaled(stable.floats(), factor);
        compare(extended(canary, more), stable, margin, half).passes
    }))
}

/// How many more requests until [`below_limit`] passes, if they go on at the
/// observed rate. `Some(0)` if it passes now; `None` if not within `cap`.
///
/// # Errors
/// As [`below_limit`].
pub fn more_needed_below_limit(
    count: Count,
    limit: f64,
    alpha: f64,
    cap: u64,
) -> Result<Option<u64>, Error> {
    let limit = open_unit("limit", limit)?;
    let alpha = open_unit("alpha", alpha)?;
    Ok(first_pass(cap, |more| {
        ceiling(extended(count, more), limit, alpha).passes
    }))
}

type Floats = (f64, f64, f64);

fn compare(canary: Floats, stable: Floats, margin: f64, half: f64) -> Comparison {
    let canary_upper = if canary.0 > 0.0 {
        upper_at(canary, half)
    } else {
        1.0
    };
    let stable_lower = if stable.0 > 0.0 {
        lower_at(stable, half)
    } else {
        0.0
    };
    let diff_upper = canary_upper - stable_lower;
    Comparison {
        canary_upper,
        stable_lower,
        diff_upper,
        // The bounds of an unseen side are true, but they are no evidence: a
        // margin wide enough would pass a canary that served nothing.
        passes: canary.0 > 0.0 && stable.0 > 0.0 && diff_upper < margin,
    }
}

fn ceiling(count: Floats, limit: f64, alpha: f64) -> Ceiling {
    let upper = if count.0 > 0.0 {
        upper_at(count, alpha)
    } else {
        1.0
    };
    Ceiling {
        upper,
        passes: count.0 > 0.0 && upper < limit,
    }
}

fn growth(count: Count, more: u64) -> f64 {
    if count.n() == 0 {
        1.0
    } else {
        1.0 + more as f64 / count.n() as f64
    }
}

fn scaled((n, k, m): Floats, factor: f64) -> Floats {
    (n * factor, k * factor, m * factor)
}

fn extended(count: Count, more: u64) -> Floats {
    if count.n() == 0 {
        (more as f64, 0.0, more as f64)
    } else {
        scaled(count.floats(), growth(count, more))
    }
}

/// The smallest number up to `cap` that passes. The bounds tighten as counts
/// grow at a constant rate, so passing is monotone.
fn first_pass(cap: u64, passes: impl Fn(u64) -> bool) -> Option<u64> {
    if passes(0) {
        return Some(0);
    }
    if !passes(cap) {
        return None;
    }
    let (mut short, mut enough) = (0, cap);
    while enough - short > 1 {
        let middle = short + (enough - short) / 2;
        if passes(middle) {
            enough = middle;
        } else {
            short = middle;
        }
    }
    Some(enough)
}
