//! Simulates whole releases: one machine, a durable store, two drivers that may crash, pause and take over, a network that
//! loses and delays, and a target that does *not* deduplicate, so that every repeated effect shows.
//!
//! A run has a phase of faults and then a phase of healing in which nothing more goes wrong; the operation must end, and
//! the target must be in the state that the result claims.
//!
//! Faults: drivers crash, pause and lose their lease; calls and answers are lost or late; clocks jump; the agent is away for
//! a while and loses its counters; somebody else writes weights; somebody cancels; nobody sends requests; versions are bad
//! from the start or end before they are ready.
//!
//! What is *not* simulated, and so is not shown here: a store that loses or tears a transaction (each is atomic and durable
//! in this world); a target whose fence or outcomes are not durable; half-done calls ([`gonogo_release::Outcome::Partial`]);
//! sticky clients and requests in flight, so that zero is always measured; latency; versions that turn bad later or that
//! are bad by chance only (counts here have no noise); a stable version that fails, too; freezes; more than two drivers, more
//! than one foreign write; an agent that never comes back. The scenarios and the property tests cover some of these.

mod target;
mod world;

use gonogo_release::machine::Ending;

pub use target::{SimTarget, Traffic};
pub use world::run;

/// A way to break the design on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The epoch is read when a call is sent instead of when its effect was claimed.
    LateEpoch,
    /// A probe answers without raising the fence.
    UnfencedProbe,
    /// A call without an answer is simply sent again.
    BlindRetry,
    /// The machine undoes before what is in flight has settled.
    UndoBeforeSettle,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: [Self; 4] = [
        Self::LateEpoch,
        Self::UnfencedProbe,
        Self::BlindRetry,
        Self::UndoBeforeSettle,
    ];
}

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How the operation ended, if it did.
    pub ending: Option<Ending>,
    /// Inputs that the machine took.
    pub inputs: u64,
    /// What is wrong; empty for a right run.
    pub wrong: Vec<String>,
}

/// Runs `seeds` and returns the first wrong run and how many were wrong.
pub fn sweep(seeds: std::ops::Range<u64>, mutant: Option<Mutant>) -> (u64, Option<(u64, Outcome)>) {
    let mut wrong = 0;
    let mut first = None;
    for seed in seeds {
        let outcome = run(seed, mutant);
        if !outcome.wrong.is_empty() {
            wrong += 1;
            first.get_or_insert((seed, outcome));
        }
    }
    (wrong, first)
}
