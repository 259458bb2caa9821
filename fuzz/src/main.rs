//! One fuzzer for all targets: libFuzzer calls in, the environment says which reader gets the bytes.
//!
//! `cargo xtask fuzz` runs it; by hand: `GONOGO_FUZZ=list` names the targets, `GONOGO_FUZZ=seeds` writes keys, seeds and
//! dictionaries below `GONOGO_FUZZ_WORLD`, and any other value is the target that libFuzzer's arguments are for. One program
//! and not one a target, because linking dominates the build.
//!
//! Invariants: a target fails by panicking only; what it compares with comes from `GONOGO_FUZZ_WORLD`, so that an input
//! found in one run means the same in the next.
#![no_main]

#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "the log in memory of the packet tests; not all of its cheats are used here"
)]
#[path = "../../crates/ledger/tests/packet/fixture.rs"]
mod fixture;
mod mutate;
mod seeds;
mod targets;
mod world;

#[cfg(not(fuzzing))]
compile_error!(
    "build it with `cargo xtask fuzz`, which sets `--cfg fuzzing` and the instrumentation"
);

use std::sync::OnceLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

use targets::{Run, TARGETS};
use world::World;

static CHOSEN: OnceLock<(&'static str, Run)> = OnceLock::new();

/// Chooses the target, or does what else was asked for and ends.
fn start() {
    let asked = std::env::var("GONOGO_FUZZ").unwrap_or_default();
    if asked == "list" {
        for target in &TARGETS {
            println!("{} {}", target.name, target.max_len);
        }
        std::process::exit(0);
    }
    let dir = std::env::var_os("GONOGO_FUZZ_WORLD").expect("GONOGO_FUZZ_WORLD names a directory");
    if asked == "seeds" {
        seeds::write(dir.as_ref()).expect("seeds can be written");
        std::process::exit(0);
    }
    let target = TARGETS
        .iter()
        .find(|target| target.name == asked)
        .expect("GONOGO_FUZZ names a target; `list` lists them");
    let world = World::read(dir.as_ref(), target.name);
    let run = (target.open)(world);
    assert!(CHOSEN.set((target.name, run)).is_ok());
}

fuzz_target!(init: start(), |data: &[u8]| {
    if let Some((_, run)) = CHOSEN.get() {
        run(data);
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match CHOSEN.get() {
        Some(("packet" | "archive", _)) => mutate::packet(data, size, max_size, seed),
        Some(("tile" | "timestamp" | "run-lines" | "run-index" | "run-log", _)) | None => {
            fuzzer_mutate(data, size, max_size)
        }
        Some(_) => mutate::text(data, size, max_size, seed),
    }
});
