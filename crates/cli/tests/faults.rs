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

#[test]
fn the_audit_sees_effects_that_an_operation_did_not_record() {
    let lab = founded();
    let load = lab.load(200.0);
    let before = audit::Before::of(&lab);
    lab.promote(lab::OTHER);
    let plan = lab.approved(lab::GOOD);
    assert_eq!(lab.run(&["apply", &plan]).code, Some(0));
    let id = lab.operation(&plan).unwrap().id;
    let expected = audit::Expected {
        ending: Ending::Promoted,
        serves: lab::GOOD,
    };
    // To the second operation the effects of the first are a stranger's.
    let wrong = audit::wrong(&lab, &id, &before, &expected).join("; ");
    assert!(wrong.contains("the calls lead to generation"), "{wrong}");
    assert!(
        wrong.contains("versions began to listen 2 times"),
        "{wrong}"
    );
    let expected = audit::Expected {
        ending: Ending::RolledBack,
        serves: lab::OTHER,
    };
    let wrong = audit::agreed(&lab, &id, &expected).join("; ");
    assert!(
        wrong.contains("ended as") && wrong.contains("the target has"),
        "{wrong}"
    );
    lab::nothing_lost(load);
}

#[test]
fn a_packet_that_a_killed_controller_did_not_write_is_written_by_the_next_command() {
    let lab = founded();
    let load = lab.load(200.0);
    let plan = lab.approved(lab::OTHER);
    assert_eq!(lab.run(&["apply", &plan]).code, Some(0));
    let id = lab.operation(&plan).unwrap().id;
    let packet = lab.path(&format!(".gonogo/packets/{id}.tar"));
    std::fs::remove_file(&packet).unwrap();
    lab::wait("the packet is written", lab::LONGEST, || {
        lab.run(&["status"]);
        packet.exists().then_some(())
    });
    lab::wait("its controller ends", lab::LONGEST, || {
        lab.controller().is_none().then_some(())
    });
    ended(&lab, &id, Ending::Promoted, lab::OTHER);
    drop(load);
}
