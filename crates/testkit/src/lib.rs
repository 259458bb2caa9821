//! What tests share: a plan to begin with, and the simulator that runs whole releases against a simulated target with
//! crashes, pauses, lost and late answers, two drivers and jumping clocks (feature `simulator`, on by default); real
//! programs of many languages that go wrong ([`programs`]); and the one way to say that a test was not made.
//!
//! Never a dependency of anything that ships. Everything is seeded: a seed and a commit reproduce a run.

#[cfg(feature = "simulator")]
pub mod fixture;
pub mod programs;
#[cfg(feature = "simulator")]
pub mod scenario;
#[cfg(feature = "simulator")]
pub mod sim;
mod skip;

pub use skip::{LIST, lacks, skip};
