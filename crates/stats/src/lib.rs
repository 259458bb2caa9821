//! Anytime-valid statistics for release decisions.
//!
//! Callers (the release machine and the gate) hand in counts and get back
//! numbers with a guarantee; nothing here knows what a release is.
//!
//! - [`RateRatioTest`], [`LimitTest`]: "is it worse?", for aborting. Valid at
//!   every look, so they may be asked after each sample.
//! - [`upper`], [`lower`], [`bounds`]: confidence sequences for a rate.
//! - [`non_inferior`], [`below_limit`]: "is it good enough?", for advancing.
//!   Absence of evidence never passes; see also [`more_needed`].
//! - [`share_agrees`]: did traffic go where it was sent?
//! - [`wilson`], [`quantile`]: for display and for histogram metrics.
//! - [`sharpe()`], [`judge_sharpe`]: whether a track record can carry a claim;
//!   [`theil_sen`]: a slope that outliers do not move.
//! - [`signed_rank()`]: a shift between paired measurements, exact without a
//!   distribution; [`steps()`]: where a series changes its level.
//! - [`sim`]: the seeded simulations behind the published error figures.
//!
//! Invariants: no IO, no clock, no randomness outside [`sim`]'s seeded
//! generator; no panic for any input; transcendental functions come from
//! `libm` only, so a verdict recomputed on another machine has the same bits;
//! a NaN or out-of-range setting is an [`Error`], never a pass.

mod bounds;
mod capital;
mod compare;
mod count;
mod error;
mod histogram;
mod limit;
mod normal;
mod order;
mod rate_ratio;
mod share;
mod sharpe;
mod signed_rank;
pub mod sim;
mod slope;
mod special;
mod steps;

pub use bounds::{Bounds, bounds, lower, upper};
pub use capital::{GRID_SIZE, Parts, THETAS, WEIGHTS};
pub use compare::{
    Ceiling, Comparison, below_limit, more_needed, more_needed_below_limit, non_inferior,
};
pub use count::Count;
pub use error::Error;
pub use histogram::quantile;
pub use limit::LimitTest;
pub use normal::{normal_cdf, normal_quantile};
pub use order::percentile;
pub use rate_ratio::RateRatioTest;
pub use share::{ShareCheck, share_agrees, share_minimum, wilson};
pub use sharpe::{
    Sharpe, SharpeJudgement, expected_best, judge_sharpe, lo_factor, minimum_track_record,
    probabilistic, sharpe,
};
pub use signed_rank::{MOST_PAIRS, Shift, fewest_pairs, signed_rank};
pub use slope::theil_sen;
pub use steps::{MOST_POINTS, Step, StepRules, steps};

/// Version of every prior, grid and formula in this crate.
///
/// Stored beside a verdict so that a verifier knows which arithmetic to
/// repeat; raised by any change that can move a single bit of a result.
pub const METHOD_VERSION: u32 = 1;
