//! Prints the wrong runs among the first seeds, or one seed's run with its records. Arguments: number of seeds, or `= SEED`.
#![allow(clippy::print_stdout, reason = "an example prints")]

use gonogo_testkit::sim::run;

fn main() {
    let seeds = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1_000);
    for seed in 0..seeds {
        let outcome = run(seed, None);
        if !outcome.wrong.is_empty() {
            println!("{seed}: {outcome:?}");
        }
    }
}
