//! The target for one machine: versions as processes behind a traffic agent.
//!
//! Floor 2. [`agent`] is the process that runs versions and holds the [`proxy`]; [`client`] is how others reach it, and the engine's
//! target. Planning and judging are not here.

pub mod agent;
pub mod client;
pub mod proxy;
