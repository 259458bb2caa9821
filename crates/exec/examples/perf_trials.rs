//! The error rates of the comparison of base and head, measured: `perf_trials trials [N] [SEED]` measures a program beside itself N times
//! (false alarms) and beside one that does 5 % more work N times (caught), through the code that measures and the rule that judges.
//!
//! `perf_trials work N` is that program; `perf_trials verify` counts its instructions with and without the 5 %.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;

use gonogo_core::clock::SystemClock;
use gonogo_core::{Clock, Span};
use gonogo_exec::measure::{Callgrind, Subject, Terms, host_class, in_turn, measure};
use gonogo_stats::percentile;
use gonogo_suite::perf::{
    Demand, Direction, Measurement, Next, Outcome, PerfVerdict, Protocol, RUNS_OF_A_BLOCK, Sample,
    Side, judge, next,
};
use serde_json::{Value, json};

/// Rounds of work: about ten milliseconds.
const WORK: u64 = 4_500_000;
/// Five per cent more.
const SLOW: u64 = WORK + WORK / 20;

type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, default: u64| args.get(n).map_or(Ok(default), |a| a.parse());
    match args.first().map(String::as_str) {
        Some("work") => {
            // The answer is used, so that the work cannot be left out.
            if work(number(1, WORK)?) == 0 {
                return Err("the sum is never zero".into());
            }
            Ok(())
        }
        Some("trials") => trials(number(1, 200)?, number(2, 1)?),
        Some("verify") => verify(),
        _ => Err("usage: perf_trials work N | trials [N] [SEED] | verify".into()),
    }
}

/// Integer work over a table that fits into the first cache, the same for the same number of rounds.
fn work(rounds: u64) -> u64 {
    let mut table = [0_u64; 1024];
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..rounds {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let slot = &mut table[(state >> 20) as usize & 1023];
        *slot = slot.wrapping_add(state ^ round);
    }
    table.iter().fold(state, |sum, v| sum ^ v.rotate_left(7)) | 1
}

fn subject(rounds: u64) -> Result<Subject, Failure> {
    Ok(Subject {
        argv: vec![
            std::env::current_exe()?.display().to_string(),
            "work".into(),
            rounds.to_string(),
        ],
        env: BTreeMap::new(),
        dir: PathBuf::from("/"),
        output: None,
    })
}

/// What came of one kind of trial.
#[derive(Default)]
struct Tally {
    results: BTreeMap<String, u64>,
    seconds: Vec<f64>,
    blocks: Vec<f64>,
    changes: Vec<f64>,
    calibrations: Vec<f64>,
    /// What the least of all runs of each side would have said of the same samples.
    by_least: Vec<f64>,
}

impl Tally {
    fn add(&mut self, verdict: &PerfVerdict, seconds: f64) {
        let reason = verdict.reasons.first().map_or("none", |r| r.code());
        *self.results.entry(reason.to_owned()).or_default() += 1;
        self.seconds.push(seconds);
        self.blocks
            .push(verdict.measurement.samples.len() as f64 / 4.0);
        if let Some(first) = verdict.stages.first() {
            self.changes.extend(first.effect.map(|e| e.change));
            self.calibrations.extend(first.calibration.map(|c| c.p95));
            let taken = first.blocks as usize * RUNS_OF_A_BLOCK;
            let samples = verdict.measurement.samples.iter().take(taken);
            let least = |side| {
                let of = samples.clone().filter(|s| s.side == side);
                of.map(|s| s.value).fold(f64::INFINITY, f64::min)
            };
            self.by_least
                .push(least(Side::Head) / least(Side::Base) - 1.0);
        }
    }

    fn count(&self, reasons: &[&str]) -> u64 {
        reasons.iter().filter_map(|r| self.results.get(*r)).sum()
    }

    fn json(&self) -> Value {
        json!({
            "results": self.results,
            "seconds_of_a_trial": spread(&self.seconds),
            "blocks_of_a_trial": spread(&self.blocks),
            "change": spread(&self.changes),
            "change_by_the_least_runs": spread(&self.by_least),
            "beside_itself_p95": spread(&self.calibrations),
        })
    }
}

fn spread(values: &[f64]) -> Value {
    let at = |q| percentile(values, q);
    json!({"min": at(0.0), "p5": at(0.05), "p50": at(0.5), "p95": at(0.95), "max": at(1.0)})
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.trim().to_owned()
}

fn trials(count: u64, seed: u64) -> Result<(), Failure> {
    let clock = SystemClock::default();
    let (base, slow) = (subject(WORK)?, subject(SLOW)?);
    let host = host_class()?;
    let load_before = load();
    let own = measure(&base, 50, &Terms::default())?;
    let own: Vec<f64> = own.iter().map(|t| t.cpu().as_secs_f64() * 1e3).collect();
    let (mut same, mut slower) = (Tally::default(), Tally::default());
    let mut loads = Vec::new();
    for n in 0..count {
        // Both kinds in turn: what disturbs one disturbs the other.
        let kinds = [
            (&base, &mut same, Outcome::Same),
            (&slow, &mut slower, Outcome::Regressed),
        ];
        for (lane, (head, tally, wanted)) in kinds.into_iter().enumerate() {
            let began = clock.now().mono_ms;
            let verdict = trial(&base, head, &host, seed + 2 * n + lane as u64, &clock)?;
            tally.add(&verdict, (clock.now().mono_ms - began) as f64 / 1e3);
            if verdict.result != wanted {
                let reason = verdict.reasons.first().map_or("none", |r| r.code());
                writeln!(std::io::stderr(), "{reason}: {}", verdict.detail)?;
            }
        }
        loads.extend(load().split(' ').next().and_then(|l| l.parse::<f64>().ok()));
    }
    let passed = ["PERF_WITHIN_BUDGET", "PERF_IMPROVED"];
    let report = json!({
        "host_class": host,
        "trials": count,
        "false_alarms": same.count(&["PERF_REGRESSED"]),
        "passed_rightly": same.count(&passed),
        "caught": slower.count(&["PERF_REGRESSED"]),
        "passed_wrongly": slower.count(&passed),
        "load": {"before": load_before, "of_the_last_minute": spread(&loads), "after": load()},
        "cpu_ms_of_a_run": spread(&own),
        "same": same.json(),
        "slower": slower.json(),
    });
    writeln!(std::io::stdout(), "{report:#}")?;
    Ok(())
}

/// One comparison, as the protocol leads it.
fn trial(
    base: &Subject,
    head: &Subject,
    host: &str,
    seed: u64,
    clock: &SystemClock,
) -> Result<PerfVerdict, Failure> {
    let protocol = Protocol::default();
    let mut measured = Measurement {
        schema: Measurement::SCHEMA.into(),
        metric: "cpu_time".into(),
        unit: "us".into(),
        direction: Direction::AtMost,
        host_class: host.into(),
        job: format!("trial-{seed}"),
        base_tree: "base".into(),
        head_tree: "head".into(),
        measured_at: clock.now().wall,
        seed,
        protocol: protocol.clone(),
        samples: Vec::new(),
    };
    let mut terms = Terms::default();
    while let Next::Run { stage, order } = next(&measured)? {
        let turns: Vec<usize> = order
            .iter()
            .map(|s| usize::from(*s == Side::Head))
            .collect();
        let taken = in_turn(&[base, head], &turns, &terms)?;
        terms.warm_up = 0;
        let samples = order.iter().zip(taken).map(|(side, taken)| Sample {
            stage,
            side: *side,
            value: taken.cpu().as_secs_f64() * 1e6,
        });
        measured.samples.extend(samples);
    }
    measured.measured_at = clock.now().wall;
    let demand = Demand {
        metric: measured.metric.clone(),
        direction: measured.direction,
        base_tree: measured.base_tree.clone(),
        head_tree: measured.head_tree.clone(),
        host_class: host.into(),
        freshness: Span::from_secs(3600),
        judged_at: clock.now().wall,
        protocol,
    };
    Ok(judge(&measured, &demand)?)
}

/// Counts the instructions of two runs of each.
fn verify() -> Result<(), Failure> {
    let scratch = std::env::temp_dir().join(format!("perf-trials-{}", std::process::id()));
    std::fs::create_dir(&scratch)?;
    let terms = Terms {
        warm_up: 0,
        instructions: Some(Callgrind {
            program: "valgrind".into(),
            scratch: scratch.clone(),
        }),
        ..Terms::default()
    };
    let count = |rounds| -> Result<Vec<u64>, Failure> {
        let mut subject = subject(rounds)?;
        subject.env.insert("PATH".into(), "/usr/bin:/bin".into());
        let taken = measure(&subject, 2, &terms)?;
        Ok(taken.iter().filter_map(|t| t.instructions).collect())
    };
    let counted = count(WORK).and_then(|base| Ok((base, count(SLOW)?)));
    std::fs::remove_dir_all(&scratch)?;
    let (base, slow) = counted?;
    let ratio = slow[0] as f64 / base[0] as f64;
    let report = json!({"base": base, "slower": slow, "ratio": ratio});
    writeln!(std::io::stdout(), "{report:#}")?;
    Ok(())
}
