//! `gonogo dry-run` from end to end: the real binary supervises real programs, and what it leaves behind is read as others
//! read it. One directory, home and state of its own for each test; what a test started is ended with it.
//!
//! Invariants: nothing is awaited but conditions, each with a deadline; a program that is absent here is a visible skip; what
//! is refused is tested from both sides, the words and that nothing was created.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "dry_run/disk.rs"]
mod disk;
#[path = "dry_run/endings.rs"]
mod endings;
#[path = "dry_run/evidence.rs"]
mod evidence;
#[path = "dry_run/gates.rs"]
mod gates;
#[path = "dry_run/judged.rs"]
mod judged;
#[path = "dry_run/lab.rs"]
mod lab;
#[path = "dry_run/orchestrated.rs"]
mod orchestrated;
#[path = "dry_run/packets.rs"]
mod packets;
#[path = "dry_run/passes.rs"]
mod passes;
#[path = "dry_run/programs.rs"]
mod programs;
#[path = "e2e/project.rs"]
mod project;
#[path = "dry_run/refused.rs"]
mod refused;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "dry_run/warnings.rs"]
mod warnings;
