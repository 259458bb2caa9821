//! Prints the simulator's figures as JSON: releases a second on one core, how runs ended, where each mutant died.
//! Arguments: number of seeds.
//!
//! The rate is by processor time of this process's one thread (`/proc/self/schedstat`, Linux), not by the wall clock, so that
//! it means the same on a machine that does other things, too.
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::collections::BTreeMap;

use gonogo_testkit::sim::{Mutant, run};

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(20_000);
    let began = processor_time();
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
    let spent = processor_time().zip(began).map(|(now, then)| now - then);
    let rate = spent.map_or("null".into(), |s| format!("{:.0}", seeds as f64 / s));
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
        "{{\"seeds\":{seeds},\"wrong\":{wrong},\"inputs\":{inputs},\"releases_per_cpu_second\":{rate},\"endings\":{{{}}},\"mutants_died_at\":{{{}}}}}",
        endings.join(","),
        mutants.join(",")
    );
}

/// Seconds that this thread has run on a processor.
fn processor_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: u64 = text.split(' ').next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}
