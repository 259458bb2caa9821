//! `gonogo suite` and `gonogo gate` from end to end: the real binary runs other people's runners in repositories of its own, and what it
//! leaves behind is read as others read it. Every test hunts for one way to a false pass, or reads one of the artifacts.
//!
//! Invariants: one directory, home and state for each test; what a test started is ended with it; nothing is awaited but conditions, each
//! with a deadline.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]
#![allow(
    dead_code,
    reason = "the kit of the other end-to-end tests is shared, and not all of it is used here"
)]

#[path = "suites/boarded.rs"]
mod boarded;
#[path = "suites/bundled.rs"]
mod bundled;
#[path = "suites/commanded.rs"]
mod commanded;
#[path = "suites/compared.rs"]
mod compared;
#[path = "suites/computed.rs"]
mod computed;
#[path = "suites/conditions.rs"]
mod conditions;
#[path = "suites/contract.rs"]
mod contract;
#[path = "suites/documented.rs"]
mod documented;
#[path = "suites/dried.rs"]
mod dried;
#[path = "suites/elsewhere.rs"]
mod elsewhere;
#[path = "suites/ended.rs"]
mod ended;
#[path = "suites/evaded.rs"]
mod evaded;
#[path = "suites/gated.rs"]
mod gated;
#[path = "suites/green.rs"]
mod green;
#[path = "suites/history.rs"]
mod history;
#[path = "suites/known.rs"]
mod known;
#[path = "suites/lab.rs"]
mod lab;
#[path = "suites/linked.rs"]
mod linked;
#[path = "suites/partial.rs"]
mod partial;
#[path = "e2e/project.rs"]
mod project;
#[path = "suites/quarantined.rs"]
mod quarantined;
#[path = "suites/read.rs"]
mod read;
#[path = "suites/red.rs"]
mod red;
#[path = "suites/redacted.rs"]
mod redacted;
#[path = "suites/replayed.rs"]
mod replayed;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "suites/secrets.rs"]
mod secrets;
#[path = "suites/withheld.rs"]
mod withheld;
#[path = "suites/words.rs"]
mod words;
