//! What tests share: a plan to begin with, and the simulator that runs whole releases against a simulated target with
//! crashes, pauses, lost and late answers, two drivers and jumping clocks.
//!
//! Never a dependency of anything that ships. Everything is seeded: a seed and a commit reproduce a run.

pub mod fixture;
pub mod scenario;
pub mod sim;
