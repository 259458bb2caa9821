//! Kills the controller of real releases under load at random times, and counts how many come out right.
//!
//! `cargo run --release -p gonogo-cli --example kill_bench -- RUNS SEED`, after `cargo build --release`. Prints JSON. Right
//! means: the expected result, target and ledger and agent agree, the packet verifies with replay, every act was done once,
//! and no request was lost. `docs/benchmarks.md` holds the figures.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up ends"
)]

#[path = "../tests/faults/audit.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared with the tests"
)]
mod audit;
#[path = "../tests/faults/kills.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared with the tests"
)]
mod kills;
#[path = "../tests/faults/lab.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared with the tests"
)]
mod lab;

fn main() {
    let mut args = std::env::args().skip(1).map(|a| a.parse().unwrap());
    let (runs, seed) = (args.next().unwrap_or(200), args.next().unwrap_or(1));
    let program = lab::program_beside();
    let lab = lab::Lab::new(&program, lab::QUICK);
    let mut tell = |line: &str| lab::say(line);
    let kills = kills::run(&lab, runs, seed, &mut tell);
    let mut report = kills.json();
    report["seed"] = seed.into();
    lab::answer(&report);
    let right = kills.right == kills.kills && kills.wrong.is_empty() && kills.lost == 0;
    // An exit drops nothing by itself.
    drop(lab);
    std::process::exit(i32::from(!right));
}
