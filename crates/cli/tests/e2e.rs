//! The real binary, end to end: real agents, the example shop, real load. One project in a directory of its own for each
//! test; whatever a test started is ended when it ends, also by a panic.
//!
//! A refusal is tested from both sides: what it says (exit code, reason codes, what to do), and that target, plans,
//! operations and ledger are afterwards what they were before.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]

#[path = "e2e/answers.rs"]
mod answers;
#[path = "e2e/approval_channel.rs"]
mod approval_channel;
#[path = "e2e/approvals.rs"]
mod approvals;
#[path = "e2e/askers.rs"]
mod askers;
#[path = "e2e/break_glass.rs"]
mod break_glass;
#[path = "e2e/configuration.rs"]
mod configuration;
#[path = "e2e/doors.rs"]
mod doors;
#[path = "e2e/freezes.rs"]
mod freezes;
#[path = "e2e/idempotency.rs"]
mod idempotency;
#[path = "e2e/in_force.rs"]
mod in_force;
#[path = "e2e/interruptions.rs"]
mod interruptions;
#[path = "e2e/ledger_others.rs"]
mod ledger_others;
#[path = "e2e/ledgers.rs"]
mod ledgers;
#[path = "e2e/packets.rs"]
mod packets;
#[path = "e2e/people.rs"]
mod people;
#[path = "e2e/pins.rs"]
mod pins;
#[path = "e2e/plans.rs"]
mod plans;
#[path = "e2e/project.rs"]
mod project;
#[path = "e2e/releases.rs"]
mod releases;
#[path = "e2e/screen.rs"]
mod screen;
#[path = "e2e/stamps.rs"]
mod stamps;
#[path = "e2e/surroundings.rs"]
mod surroundings;
#[path = "e2e/verdicts.rs"]
mod verdicts;
#[path = "e2e/ways_around.rs"]
mod ways_around;
