//! A list of tests or targets cut into shards, and the proof that all shards together ran all of it.
//!
//! A [`Plan`] is data: who runs shard 2 of 5 needs the plan and nothing else, and the plan's digest stands in every result. [`merge`] takes
//! results and gives reasons against them; an empty list of reasons is the proof. Invariants: the same items give the same plan in any
//! order; nothing is planned twice or not at all; a shard that says nothing is missing, never green.

mod merge;
mod plan;

pub use merge::{Fault, MOST_FAULTS, Merged, ShardResult, merge};
pub use plan::{Cut, Item, MOST_ITEMS, MOST_SHARDS, Plan, PlanError, Planned, SCHEMA};
