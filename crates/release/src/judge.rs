//! Judges live samples. [`Watch`] keeps what was counted; [`Watch::judge`] says pass, hold or fail with reasons and numbers.
//!
//! Three outcomes and an asymmetry: a fail needs evidence that something is worse, a pass needs evidence that nothing is,
//! and everything else holds. No data, stale data and data that contradict themselves never pass.
//!
//! The chance that a healthy release is aborted, `alpha_abort`, is spent over all looks of the whole release: see
//! [`RATIO_PART`], [`LIMIT_PART`] and [`SOAK_PART`].

mod rate;
mod report;
mod watch;

pub use rate::Tally;
pub use report::{Judgement, Mode};
pub use watch::{Unusable, Watch};

/// Part of `alpha_abort` for each of the three comparisons with stable.
pub const RATIO_PART: f64 = 0.27;
/// Part of `alpha_abort` for each of the three absolute limits before promotion.
pub const LIMIT_PART: f64 = 0.03;
/// Part of `alpha_abort` for each of the three absolute limits after promotion.
pub const SOAK_PART: f64 = 0.03;
/// Level of the interval that the served share must agree with.
pub const SHARE_ALPHA: f64 = 1e-4;
/// So many samples in a row without readiness are a failure and not a blip.
pub const UNREADY_SAMPLES: u32 = 3;
