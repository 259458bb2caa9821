//! The rules of a release: what a plan is, who may approve it, and the machine that applies it.
//!
//! Floor 1. Invariants: no clock, no randomness, no IO, no async. The same plan and the same inputs always give the same
//! effects, so that a third party can decide again from the records and compare.

pub mod approval;
pub mod effect;
pub mod effects;
pub mod freeze;
pub mod gate;
pub mod judge;
pub mod known_good;
pub mod lint;
pub mod machine;
pub mod pin;
pub mod plan;
pub mod remote;
pub mod replay;
pub mod sample;

pub use approval::{Approval, ApprovalPolicy};
pub use effect::{Act, Action, Class, Effect, Input, Observed, ObservedSlot, Outcome};
pub use machine::{Machine, Phase, Terminal};
pub use plan::{Plan, PlanBody};
pub use sample::{Sample, SlotCounts};
