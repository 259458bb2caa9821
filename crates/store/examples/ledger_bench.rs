//! Measures the ledger on the disk under the given directory (default: the temporary directory): durable appends a second
//! and acknowledgement times with 1 and 16 writers, a packet of 1000 records, and building the index of 100,000 records.
//!
//! `cargo run --release -p gonogo-store --example ledger_bench [DIRECTORY]`

use std::error::Error;
use std::io::Write as _;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use gonogo_core::{Timestamp, Verdict};
use gonogo_ledger::verify::Request;
use gonogo_ledger::{Trust, verify};
use gonogo_store::ledger::{Draft, Founding, Ledger, LedgerError, PacketRequest};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let base = std::env::args()
        .nth(1)
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = tempfile::TempDir::new_in(base)?;
    let mut out = std::io::stdout();
    let time = Timestamp::from_millis(1_795_000_000_000);
    let founding = Founding {
        origin: "ledger.bench",
        actor: "bench",
        time,
    };
    let root = dir.path().join("state");
    let ledger = Ledger::open(&root, founding)?;
    for (writers, each) in [(1, 4000), (16, 1500)] {
        let start = now();
        let mut waits = run(&ledger, writers, each)?;
        let took = start.elapsed().as_secs_f64();
        waits.sort_unstable();
        let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
        writeln!(
            out,
            "{writers} writers: {:.0} durable records/s, acknowledged after p50 {:?}, p99 {:?}, max {:?}",
            waits.len() as f64 / took,
            at(0.5),
            at(0.99),
            at(1.0)
        )?;
    }

    let stream = "operation/op_packet";
    for n in 0..10 {
        ledger.append(
            (0..100)
                .map(|m| draft(stream, &format!("{n}/{m}")))
                .collect(),
        )?;
    }
    let path = dir.path().join("packet.tar");
    let start = now();
    let info = ledger.write_packet(&PacketRequest {
        stream,
        extra_streams: &[],
        blobs: &[],
        verdict: "",
        since: &[],
        policy: None,
        timestamp: None,
        out: &path,
        actor: "bench",
        time,
    })?;
    writeln!(
        out,
        "packet of {} records, {} bytes: written in {:?}",
        info.records,
        info.size,
        start.elapsed()
    )?;
    let trust = Trust::of_log(ledger.log_vkey().clone());
    let start = now();
    let report = verify(std::fs::File::open(&path)?, &Request::new(&trust))?;
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.checks);
    writeln!(out, "verified in {:?}", start.elapsed())?;

    while ledger.size()? < 100_000 {
        let n = ledger.size()?;
        ledger.append(
            (0..500)
                .map(|m| draft("run/fill/1", &format!("{n}/{m}")))
                .collect(),
        )?;
    }
    drop(ledger);
    for name in ["index.db", "index.db-wal", "index.db-shm"] {
        let _ = std::fs::remove_file(root.join("ledger").join(name));
    }
    let start = now();
    let ledger = Ledger::open(&root, founding)?;
    writeln!(
        out,
        "index of {} records built in {:?}",
        ledger.size()?,
        start.elapsed()
    )?;
    drop(ledger);
    let start = now();
    let ledger = Ledger::open(&root, founding)?;
    writeln!(out, "opened in {:?}", start.elapsed())?;
    let start = now();
    ledger.check()?;
    writeln!(out, "all records checked in {:?}", start.elapsed())?;
    Ok(())
}

fn run(ledger: &Ledger, writers: usize, each: usize) -> Result<Vec<Duration>, LedgerError> {
    let one = &|w: usize| -> Result<Vec<Duration>, LedgerError> {
        let stream = format!("run/bench/{writers}-{w}");
        (0..each)
            .map(|n| {
                let draft = draft(&stream, &n.to_string());
                let start = now();
                ledger.append(vec![draft])?;
                Ok(start.elapsed())
            })
            .collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|w| scope.spawn(move || one(w))).collect();
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().expect("a writer does not panic")?);
        }
        Ok(all)
    })
}

fn draft(stream: &str, key: &str) -> Draft {
    Draft {
        stream: stream.into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: Timestamp::from_millis(1_795_000_000_000),
        actor: "bench".into(),
        body: json!({"step": 3, "weight": 50, "note": "x".repeat(300)}),
        signer: None,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement needs a fine clock"
)]
fn now() -> Instant {
    Instant::now()
}
