//! How long a faulty version serves: from its first answer to its last, as the load generator sees it.
//!
//! `cargo run --release -p gonogo-cli --example fault_bench -- RUNS`, after `cargo build --release`. Prints JSON. A canary
//! with 10 % of 200 requests a second (open loop, evenly spaced) answers every second one with an error; the built-in checks
//! judge it, sampled every 250 ms. Each run has a version of its own name, so that none can be mistaken for another. At
//! most 60 runs: the load generator tells that many versions apart.

#![allow(
    clippy::unwrap_used,
    reason = "a measurement that cannot be set up ends"
)]

#[path = "../tests/faults/lab.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared with the tests"
)]
mod lab;

use lab::Lab;
use serde_json::{Value, json};

const STRATEGY: &str = r#"
[strategies.quick]
stages = [{ weight = "10%", bake = "5s", within = "60s" }]
soak = "2s"
promote_within = "30s"
sample_every = "250ms"
"#;

/// What the load generator saw of one faulty version.
struct Seen {
    /// First answer to last, milliseconds.
    took: f64,
    answers: u64,
    errors: u64,
}

fn main() {
    let runs: usize = std::env::args().nth(1).map_or(50, |a| a.parse().unwrap());
    assert!(runs <= 60, "at most 60 runs");
    let program = lab::program_beside();
    let head = lab::QUICK.split("[strategies.quick]").next().unwrap();
    let config = format!("{head}{STRATEGY}").replace("checks = \"easy\"\n", "");
    // From nothing there is no canary: the first version needs only its soak.
    let lab = Lab::new(&program, &config);
    lab.found();
    let load = lab.load(200.0);
    let mut all = Vec::new();
    let mut wrong: Vec<String> = Vec::new();
    for n in 0..runs {
        let version = format!("9.0.{n}");
        lab.behave(
            &version,
            &format!("version = \"{version}\"\nerror_rate = 0.5\n"),
        );
        let ran = lab.run(&["release", "--to", &version]);
        if ran.code != Some(2) {
            wrong.push(format!("run {n}: exit {:?}: {}", ran.code, ran.err));
        }
        let report = load.snapshot();
        match report.versions.get(&version) {
            Some(v) => all.push(Seen {
                took: v.last_ms - v.first_ms,
                answers: v.answers,
                errors: v.server_errors,
            }),
            None => wrong.push(format!(
                "run {n}: the faulty version answered nothing, so nothing was measured"
            )),
        }
        if let Some(seen) = all.last() {
            lab::say(&format!(
                "{n}: {:.0} ms, {} answers, {} errors",
                seen.took, seen.answers, seen.errors
            ));
        }
    }
    load.stop();
    let report = load.join();
    let times = sorted(all.iter().map(|s| s.took).collect());
    let out = json!({
        "runs": all.len(),
        "faultToZeroMs": spread(&times),
        "answersOfFaulty": spread(&sorted(all.iter().map(|s| s.answers as f64).collect())),
        "errorsOfFaulty": spread(&sorted(all.iter().map(|s| s.errors as f64).collect())),
        "requestsSent": report.sent,
        "requestsLost": lab::lost(&report),
        "stableErrors": report.versions.get(lab::GOOD).map(|v| v.server_errors),
        "wrong": wrong,
    });
    lab::answer(&out);
    // An exit drops nothing by itself.
    drop(lab);
    std::process::exit(i32::from(!wrong.is_empty()));
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn spread(sorted: &[f64]) -> Value {
    let at = |q: f64| sorted.get(((sorted.len() as f64 - 1.0) * q).round() as usize);
    json!({"least": at(0.0), "median": at(0.5), "p95": at(0.95), "worst": at(1.0)})
}
