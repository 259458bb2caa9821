//! `gonogo suite plan`, shards of `suite run`, `suite merge`, and `gonogo perf …`, from end to end: real runs of real commands in real
//! repositories, on one machine and on several.
//!
//! Invariants: what is refused wrote nothing; each fault is met by its own reason; a shard comes from a directory as an artifact would.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "shards/compared.rs"]
mod compared;
#[path = "dry_run/lab.rs"]
mod lab;
#[path = "shards/loaded.rs"]
mod loaded;
#[path = "shards/measured.rs"]
mod measured;
#[path = "shards/merged.rs"]
mod merged;
#[path = "shards/planned.rs"]
mod planned;
#[path = "e2e/project.rs"]
mod project;
#[path = "shards/refused.rs"]
mod refused;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "shards/swept.rs"]
mod swept;
#[path = "shards/work.rs"]
mod work;
