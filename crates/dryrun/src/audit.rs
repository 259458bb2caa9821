//! audit
pub mod coverage;
pub mod rate;
