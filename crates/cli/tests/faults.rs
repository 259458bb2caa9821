//! Faults with real processes, real files and real traffic: what is killed, stopped, filled or broken, the release ends
//! right and requests go on being answered.
//!
//! The agent carries the traffic: while it is down nobody listens. Those tests say how long that was instead.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(
    dead_code,
    unreachable_pub,
    reason = "the modules are shared with the examples"
)]

#[path = "faults/audit.rs"]
mod audit;
#[path = "faults/disk.rs"]
mod disk;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/lab.rs"]
mod lab;
#[path = "faults/processes.rs"]
mod processes;

use std::path::Path;

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_release::machine::Ending;

use lab::Lab;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gonogo");

/// A lab with the quick strategy in which [`lab::GOOD`] serves everything.
fn founded() -> Lab {
    let lab = Lab::new(Path::new(PROGRAM), lab::QUICK);
    lab.found();
    lab
}

/// As [`founded`], with a first stage that lasts at least so long.
fn founded_slow(bake: &str) -> Lab {
    let config = lab::QUICK.replace("bake = \"400ms\"", &format!("bake = \"{bake}\""));
    assert_ne!(config, lab::QUICK);
    let lab = Lab::new(Path::new(PROGRAM), &config);
    lab.found();
    lab
}

/// Fails unless the operation ended so, the target agrees and the packet verifies.
#[track_caller]
fn ended(lab: &Lab, id: &OperationId, ending: Ending, serves: &str) {
    let wrong = audit::agreed(lab, id, &audit::Expected { ending, serves });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Reasons that an operation ended for.
fn reasons(lab: &Lab, id: &OperationId) -> Vec<Reason> {
    lab.store()
        .operation(id)
        .unwrap()
        .terminal
        .map(|t| t.reasons)
        .unwrap_or_default()
}

#[test]
fn a_controller_killed_at_random_times_loses_nothing_and_repeats_nothing() {
    let lab = Lab::new(Path::new(PROGRAM), lab::QUICK);
    let kills = kills::run(&lab, 8, 42, &mut |_| {});
    assert_eq!(
        (kills.right, &kills.wrong[..], kills.lost),
        (kills.kills, &[][..], 0)
    );
    assert!(kills.kills >= 8 && kills.sent > 0);
}
