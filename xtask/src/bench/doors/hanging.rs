//! Planning and reading while the workflow endpoint hangs, beside the same while it is well.
//!
//! Invariants: both have as many operations at the endpoint, and a project, a ledger and a server of their own; figures of one round are
//! compared only with figures of the same round; neither is always the first.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::super::figures::median;
use super::super::proxy::wrk_with;
use super::super::{Settings, now};
use super::{Lab, SOON, text};

/// Operations that are at the endpoint.
const THERE: usize = 4;

/// What was seen, round by round.
#[derive(Default)]
pub(super) struct Seen {
    /// p99 of a plan in milliseconds.
    pub(super) plan_well: Vec<f64>,
    pub(super) plan_hanging: Vec<f64>,
    /// Reads a second.
    pub(super) reads_well: Vec<f64>,
    pub(super) reads_hanging: Vec<f64>,
    /// Plans of a round.
    pub(super) plans: u32,
}

impl Seen {
    /// The hanging endpoint's p99 beside the other's, and how many times as many reads the other one has.
    pub(super) fn ratios(&self) -> (f64, f64) {
        let each =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a / b).collect() };
        (
            median(&each(&self.plan_hanging, &self.plan_well)),
            median(&each(&self.reads_well, &self.reads_hanging)),
        )
    }

    pub(super) fn raw(&self) -> Value {
        json!({
            "plans_each": self.plans, "operations_there": THERE,
            "plan_p99_ms_well": self.plan_well, "plan_p99_ms_hanging": self.plan_hanging,
            "reads_rps_well": self.reads_well, "reads_rps_hanging": self.reads_hanging,
        })
    }
}

/// Measures both, in turns.
pub(super) fn measured(settings: &Settings) -> Result<Seen> {
    let mut seen = Seen {
        plans: settings.runs(400, 40),
        ..Seen::default()
    };
    let seconds = settings.runs(4, 1);
    for round in 0..settings.runs(7, 2) {
        let order = if round % 2 == 0 {
            [true, false]
        } else {
            [false, true]
        };
        for hangs in order {
            let (p99, reads) = once(hangs, seen.plans, seconds)?;
            let (plan, read) = if hangs {
                (&mut seen.plan_hanging, &mut seen.reads_hanging)
            } else {
                (&mut seen.plan_well, &mut seen.reads_well)
            };
            plan.push(p99);
            read.push(reads);
        }
    }
    Ok(seen)
}

fn once(hangs: bool, plans: u32, seconds: u32) -> Result<(f64, f64)> {
    let endpoint = Endpoint::start(hangs)?;
    let workflow = format!(
        "\n[workflow]\nname = \"release\"\ntask_queue = \"releases\"\ndispatch_url = \"http://127.0.0.1:{0}/operations/dispatch\"\n\
         status_base_url = \"http://127.0.0.1:{0}\"\ndispatch_within = \"60s\"\nstatus_within = \"5s\"\nstatus_every = \"1s\"\n",
        endpoint.port
    );
    // The last environment is carried out here: its plans are made beside the operations that are elsewhere.
    let lab = Lab::with("doors-hanging", THERE + 1, &workflow, |n| n < THERE)?;
    for n in 0..plans {
        std::fs::write(lab.home.join(format!("p{n}.toml")), "")?;
    }
    let applies: Vec<Value> = (0..THERE)
        .map(|n| lab.ready(&format!("e{n}"), "1.0.0", &format!("there-{n}")))
        .collect::<Result<_>>()?;
    // The agent of the last environment starts with its first plan, which is nobody's figure.
    let place = format!("e{THERE}");
    lab.ready(&place, "2.0.0", "warm")?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for apply in &applies {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let begun = lab.say("POST", "/v1/operations", Some(apply));
                    if begun.is_some_and(|b| b["success"] == true) {
                        break;
                    }
                }
            });
        }
        let figures = (|| {
            endpoint.has(THERE)?;
            let reads = wrk_with(
                lab.port,
                "/v1/plans?limit=20",
                &[&format!("authorization: Bearer {}", lab.token)],
                seconds,
            )?;
            let mut took = Vec::new();
            for n in 0..plans {
                let wanted = json!({"environment": place, "version": format!("p{n}")});
                let began = now();
                let planned = lab
                    .say("POST", "/v1/plans", Some(&wanted))
                    .context("no plan")?;
                took.push(began.elapsed().as_secs_f64() * 1e3);
                text(&planned, "/data/planFingerprint")?;
            }
            took.sort_by(f64::total_cmp);
            let at = (took.len() * 99).div_ceil(100).max(1) - 1;
            Ok((took[at], reads.rps))
        })();
        over.store(true, Ordering::Relaxed);
        // Whoever still waits for an answer gets none.
        endpoint.end();
        figures
    })
}

/// A workflow service that takes everything and finishes nothing, or that takes connections and says nothing.
struct Endpoint {
    port: u16,
    met: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
}

impl Endpoint {
    fn start(hangs: bool) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let (met, over) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let (counted, ended) = (met.clone(), over.clone());
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                if hangs {
                    counted.fetch_add(1, Ordering::Relaxed);
                    // Open and silent, as long as this lives.
                    kept.push(stream);
                } else {
                    let counted = counted.clone();
                    std::thread::spawn(move || {
                        // A caller that goes away is its own affair.
                        drop(serve(stream, &counted));
                    });
                }
            }
        });
        Ok(Self { port, met, over })
    }

    /// Waits until so many have come.
    fn has(&self, many: usize) -> Result<()> {
        let began = now();
        while self.met.load(Ordering::Relaxed) < many {
            ensure!(began.elapsed() < SOON, "the endpoint was not asked");
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Lets go of every caller.
    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        // Wakes the one that listens.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// Answers one request: an operation that was sent runs, and goes on running.
fn serve(stream: TcpStream, met: &AtomicUsize) -> Result<()> {
    stream.set_read_timeout(Some(SOON))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let first = line.clone();
    let mut length = 0;
    while line.trim() != "" {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let (status, answer) = if first.starts_with("POST /operations/dispatch") {
        met.fetch_add(1, Ordering::Relaxed);
        let sent: Value = serde_json::from_slice(&body)?;
        let id = &sent["operationId"];
        let at = format!("/operations/{}", id.as_str().unwrap_or_default());
        let taken = json!({"operationId": id, "workflowId": sent["workflowId"], "submittedAt": sent["submittedAt"], "statusUrl": at});
        ("202 Accepted", taken)
    } else {
        let running = json!({"status": "running", "traceId": "t", "toolId": "apply_change", "startedAt": "2026-01-31T12:00:00Z"});
        ("200 OK", running)
    };
    let answer = answer.to_string();
    write!(
        &stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    )?;
    Ok(())
}
