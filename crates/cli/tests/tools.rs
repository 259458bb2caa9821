//! The tools beside suites and gates, from end to end: recorded HTTP, the runbook, and proposals. The real binary, real services on ports of
//! their own, real clients and real repositories; one directory for each test.
//!
//! Invariants: nothing is awaited but conditions, each with a deadline; a program that is absent here is a visible skip; what is refused is
//! tested from both sides, the words and that nothing changed.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "tools/lab.rs"]
mod lab;
#[path = "e2e/project.rs"]
mod project;
#[path = "tools/proposals.rs"]
mod proposals;
#[path = "tools/recordings.rs"]
mod recordings;
#[path = "tools/runbooks.rs"]
mod runbooks;
#[path = "e2e/screen.rs"]
mod screen;
