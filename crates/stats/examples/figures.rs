//! Prints the figures of the built-in simulations:
//! `cargo run --release -p gonogo-stats --example figures -- [runs] [seed]`.
#![expect(clippy::print_stdout, reason = "an example's output is its purpose")]

use gonogo_stats::sim;

fn main() {
    let mut args = std::env::args()
        .skip(1)
        .filter_map(|arg| arg.parse::<u64>().ok());
    let runs = u32::try_from(args.next().unwrap_or(1_000)).unwrap_or(u32::MAX);
    let seed = args.next().unwrap_or(1);
    for figure in [
        sim::a_a(runs, seed),
        sim::doubled(runs, seed),
        sim::broken(runs, seed),
    ] {
        println!(
            "{}: {} of {} rejected; canary requests 50 %: {:?} 95 %: {:?}; seconds 50 %: {:?} all: {:?}",
            figure.name,
            figure.rejected,
            figure.runs,
            figure.requests_by(0.5),
            figure.requests_by(0.95),
            figure.seconds_by(0.5),
            figure.seconds_by(1.0),
        );
    }
}
