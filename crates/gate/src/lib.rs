//! From recorded evidence to a verdict: obligations, excuses, lanes, and a test of the gate by poisoned evidence.
//!
//! Floor 1: pure. [`Inputs`] is all that a judgement sees, [`judge()`] makes a [`Verdict`] of it, and the same inputs give the same bytes at
//! any time and on any machine. Whoever gathers the inputs is above; whoever shows the verdict too. Invariants: a gate passes because
//! something was shown, never because nothing was found; an excuse is read strictly, ends, and never covers evidence that cannot be used;
//! the gates of the policy and of the excuses themselves cannot be excused.

pub mod artifact;
pub mod artifacts;
pub mod backlog;
pub mod board;
pub mod bundle;
pub mod classification;
pub mod commands;
pub mod contract;
pub mod coverage;
pub mod dossier;
pub mod doubles;
mod excuse;
pub mod explain;
pub mod inputs;
mod judge;
mod person;
pub mod platforms;
pub mod policy;
pub mod quarantine;
pub mod rederive;
pub mod rubric;
pub mod selftest;
pub mod simulate;
mod strict;
mod tokens;
pub mod tracker;
pub mod verdict;
pub mod view;
pub mod waiver;
pub mod wording;

pub use artifacts::{Artifacts, artifacts};
pub use excuse::refusal;
pub use explain::explain;
pub use inputs::Inputs;
pub use judge::judge;
pub use policy::Policy;
pub use rederive::rederive;
pub use selftest::{Selftest, selftest};
pub use simulate::{Suppose, simulate};
pub use strict::Fault;
pub use verdict::Verdict;
