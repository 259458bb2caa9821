//! Measures transitions on a real disk at `synchronous=FULL`, with evidence appended to a file and synced. Prints JSON.
//!
//! `engine_bench [DIR] [TRANSITIONS]`; DIR should be on the disk to measure. Two figures: `transition` is one input after the
//! other with a timer, a decision and a 1.5 KB state each, evidence appended in batches as the driver does it; `act` is the
//! whole way of an act: journal, evidence, claim, call in a thread, outcome in the journal.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use gonogo_core::clock::SystemClock;
use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_engine::{Core, Draft, Driver, Evidence, EvidenceError, Notice, Settings};
use gonogo_release::machine::Ending;
use gonogo_release::plan::PlanBody;
use gonogo_release::{Act, Action, Class, Effect, Input, Outcome, Phase, Plan, Sample, Terminal};
use gonogo_store::{Store, Submission};
use gonogo_target::{Call, Target};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone, Serialize, Deserialize)]
struct Chain {
    n: u64,
    left: u64,
    acts: bool,
    pad: String,
    terminal: Option<Terminal>,
}

impl Chain {
    fn next(&mut self, now: Timestamp) -> Vec<Effect> {
        if self.left == 0 {
            let terminal = Terminal {
                result: Ending::Cancelled,
                reasons: vec![Reason::Cancelled],
                text: "measured".into(),
            };
            self.terminal = Some(terminal.clone());
            return vec![Effect::End(terminal)];
        }
        self.left -= 1;
        self.n += 1;
        let id = self.n;
        if self.acts {
            return vec![Effect::Act(Act {
                id,
                key: format!("bench/{id}"),
                class: Class::IdempotentByKey,
                deadline: Span::from_secs(10),
                action: Action::Observe,
            })];
        }
        vec![
            Effect::Timer { id, due: now },
            Effect::Decide(
                json!({ "verdict": "hold", "reasons": ["INSUFFICIENT_SAMPLES"], "n": id }),
            ),
        ]
    }
}

impl Core for Chain {
    fn begin(_: OperationId, plan: Arc<PlanBody>) -> Self {
        let (acts, left) = plan.service.split_once(' ').expect("set by this program");
        Self {
            n: 0,
            left: left.parse().expect("set by this program"),
            acts: acts == "act",
            pad: "x".repeat(1500),
            terminal: None,
        }
    }

    fn restore(_: Arc<PlanBody>, snapshot: &str) -> Result<Self, String> {
        serde_json::from_str(snapshot).map_err(|e| e.to_string())
    }

    fn snapshot(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|e| e.to_string())
    }

    fn step(&mut self, now: Timestamp, _: Input) -> Vec<Effect> {
        self.next(now)
    }

    fn digest(&self) -> Digest {
        Digest::of(&gonogo_core::canonical::to_vec(self).unwrap_or_default())
    }

    fn phase(&self) -> Phase {
        Phase::Observe
    }

    fn terminal(&self) -> Option<&Terminal> {
        self.terminal.as_ref()
    }

    fn sampling(&self) -> Option<Span> {
        None
    }
}

struct Nothing;

impl Target for Nothing {
    fn call(&self, _: &Call) -> Outcome {
        Outcome::Applied {
            generation: 1,
            observed: None,
            cut: 0,
        }
    }

    fn sample(&self, _: Span) -> Result<Sample, String> {
        Err("not asked for".into())
    }
}

struct Appended(Mutex<File>);

impl Evidence for Appended {
    fn append(&self, drafts: Vec<Draft>) -> Result<(), EvidenceError> {
        let failed = |e: &dyn std::fmt::Display| EvidenceError::Failed(e.to_string());
        let mut text = Vec::new();
        for draft in drafts {
            serde_json::to_writer(&mut text, &draft).map_err(|e| failed(&e))?;
            text.push(b'\n');
        }
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text).map_err(|e| failed(&e))?;
        file.sync_data().map_err(|e| failed(&e))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures microseconds"
)]
fn now() -> Instant {
    Instant::now()
}

fn measure(
    dir: &Path,
    kind: &str,
    count: u64,
) -> Result<serde_json::Value, Box<dyn std::error::Error>> {
    let home = tempfile::tempdir_in(dir)?;
    let store = Store::open(home.path())?;
    let mut body = gonogo_testkit::fixture::plan(Some("1.0"), "2.0", &[10]);
    body.service = format!("{kind} {count}");
    let at = Timestamp::from_millis(1_000);
    let plan = Plan::seal(body, "bench".into(), at, "gonogo.toml")?;
    store.put_plan(&plan)?;
    let operation = OperationId::mint([1; 8]);
    store.submit(&Submission {
        operation: operation.clone(),
        plan: plan.id.clone(),
        fingerprint: plan.fingerprint,
        environment: "bench".into(),
        key: "bench".into(),
        requester: "bench".into(),
        at,
        approvals: Vec::new(),
        trace: None,
        records: Vec::new(),
    })?;
    let evidence = OpenOptions::new()
        .append(true)
        .create(true)
        .open(home.path().join("evidence.log"))?;
    let driver = Driver {
        store: Arc::new(store),
        evidence: Arc::new(Appended(Mutex::new(evidence))),
        target: Arc::new(Nothing),
        clock: Arc::new(SystemClock::default()),
        settings: Settings::default(),
        stop: Arc::new(AtomicBool::new(false)),
    };
    let times = RefCell::new(Vec::with_capacity(count as usize + 2));
    let begun = now();
    driver.drive_core::<Chain>(&operation, &|p| {
        if matches!(p.notice, Notice::Stepped { .. }) {
            times.borrow_mut().push(now());
        }
    })?;
    let whole = begun.elapsed();
    let times = times.into_inner();
    let mut micros: Vec<u64> = times
        .windows(2)
        .map(|w| (w[1] - w[0]).as_micros() as u64)
        .collect();
    micros.sort_unstable();
    let at = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
    Ok(json!({
        "transitions": times.len(),
        "per_second": (times.len() as f64 / whole.as_secs_f64()).round(),
        "p50_us": at(0.5),
        "p99_us": at(0.99),
        "max_us": at(1.0),
    }))
}

#[expect(clippy::print_stdout, reason = "the result of this program")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let count = args.next().map_or(Ok(10_000), |n| n.parse())?;
    let result = json!({
        "transition": measure(&dir, "timer", count)?,
        "act": measure(&dir, "act", count / 4)?,
    });
    println!("{result}");
    Ok(())
}
