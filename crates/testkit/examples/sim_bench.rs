//! Prints the simulator's figures as JSON: releases a second on one core, how runs ended, where each mutant died.
//! Arguments: number of seeds.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench prints and measures"
)]

use std::collections::BTreeMap;
use std::time::Instant;

use gonogo_testkit::sim::{Mutant, run};

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000);
    let started = Instant::now();
    let mut endings: BTreeMap<String, u64> = BTreeMap::new();
    let (mut wrong, mut inputs) = (0_u64, 0_u64);
    for seed in 0..seeds {
        let outcome = run(seed, None);
        wrong += u64::from(!outcome.wrong.is_empty());
        inputs += outcome.inputs;
        *endings
            .entry(outcome.ending.map_or("none", |e| e.name()).to_owned())
            .or_default() += 1;
    }
    let rate = seeds as f64 / started.elapsed().as_secs_f64();
    let endings: Vec<String> = endings
        .iter()
        .map(|(k, n)| format!("\"{k}\":{n}"))
        .collect();
    let mutants: Vec<String> = Mutant::ALL
        .iter()
        .map(|m| {
            let died = (0..seeds).find(|seed| !run(*seed, Some(*m)).wrong.is_empty());
            format!(
                "\"{m:?}\":{}",
                died.map_or("null".into(), |s| s.to_string())
            )
        })
        .collect();
    println!(
        "{{\"seeds\":{seeds},\"wrong\":{wrong},\"inputs\":{inputs},\"releases_per_second\":{rate:.0},\"endings\":{{{}}},\"mutants_died_at\":{{{}}}}}",
        endings.join(","),
        mutants.join(",")
    );
}
