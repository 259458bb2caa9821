//! Measures the ledger on the disk under the working directory. Each part prints one line of JSON.
//!
//! ```text
//! cargo run --release -p gonogo-store --example ledger_bench append [EACH]     durable appends by 16 writers, and by one
//! cargo run --release -p gonogo-store --example ledger_bench fsck [RECORDS]    fsck and reindex; 1,000,000 if not said
//! cargo run --release -p gonogo-store --example ledger_bench crash [POINTS]    simulated power failures and failed syncs
//! cargo run --release -p gonogo-store --example ledger_bench kill [ROUNDS]     SIGKILL of a process with 4 writers
//! ```

#[path = "../tests/ledger_power/run.rs"]
mod run;

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gonogo_core::Timestamp;
use gonogo_store::ledger::{Draft, Founding, Ledger, LedgerError};
use serde_json::{Value, json};

const TIME: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |default: u64| args.get(1).map_or(Ok(default), |n| n.parse());
    match args.first().map(String::as_str) {
        Some("append") => append(number(4_000)?),
        Some("fsck") => fsck(number(1_000_000)?),
        Some("crash") => crash(number(10_000)?),
        Some("kill") => kill(number(200)?),
        Some("write") => write(Path::new(&args[1])),
        _ => Err("say `append`, `fsck`, `crash` or `kill`".into()),
    }
}

fn say(value: &Value) -> Result<(), Box<dyn Error>> {
    Ok(writeln!(std::io::stdout(), "{value}")?)
}

fn open(root: &Path) -> Result<Ledger, LedgerError> {
    let founding = Founding {
        origin: "ledger.bench",
        actor: "bench",
        time: TIME,
    };
    Ledger::open(root, founding)
}

/// A record whose statement has 1 KiB, give or take a few bytes of its numbers.
fn draft(stream: &str, key: &str) -> Draft {
    Draft {
        stream: stream.into(),
        key: key.into(),
        kind: "rollout-step".into(),
        subject: Vec::new(),
        time: TIME,
        actor: "bench".into(),
        body: json!({"step": 3, "weight": 50, "note": "x".repeat(420)}),
        signer: None,
    }
}

fn append(each: u64) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let ledger = open(&dir.path().join("state"))?;
    let statement = ledger
        .prepare(draft("run/bench/size", "0"))
        .map(|bytes| bytes.len())?;
    let mut parts = json!({"statement": statement});
    for (name, writers, each) in [("sixteen", 16, each), ("one", 1, each)] {
        let start = now();
        let mut waits = run_writers(&ledger, writers, each)?;
        let took = start.elapsed().as_secs_f64();
        waits.sort_unstable();
        let at =
            |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        parts[name] = json!({
            "records": waits.len(), "rate": waits.len() as f64 / took,
            "p50": at(0.5), "p99": at(0.99), "max": at(1.0),
        });
    }
    ledger.fsck(&mut |_| {})?;
    say(&parts)
}

fn run_writers(ledger: &Ledger, writers: u64, each: u64) -> Result<Vec<Duration>, LedgerError> {
    let one = &|w: u64| -> Result<Vec<Duration>, LedgerError> {
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

fn fsck(records: u64) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let root = dir.path().join("state");
    let ledger = open(&root)?.without_publishing();
    let start = now();
    let mut n = ledger.size()?;
    while n < records {
        let count = (records - n).min(512);
        let stream = format!("run/fill/{}", n / 10_000);
        let drafts = (0..count).map(|m| draft(&stream, &(n + m).to_string()));
        ledger.append(drafts.collect())?;
        n += count;
    }
    let filled = start.elapsed().as_secs_f64();
    let start = now();
    ledger.publish()?;
    let published = start.elapsed().as_secs_f64();
    drop(ledger);
    let ledger = Ledger::open_read(&root)?;
    let start = now();
    let found = ledger.fsck(&mut |_| {})?;
    let checked = start.elapsed().as_secs_f64();
    drop(ledger);
    let start = now();
    let founding = Founding {
        origin: "ledger.bench",
        actor: "bench",
        time: TIME,
    };
    let indexed = Ledger::reindex(&root, founding)?;
    say(&json!({
        "records": found.records, "bytes": found.bytes, "tiles": found.tiles, "filled_s": filled,
        "published_s": published, "fsck_s": checked, "reindexed": indexed,
        "reindex_s": start.elapsed().as_secs_f64(), "peak_kb": peak()?,
    }))
}

/// Power failures at every call of many lives, and failed syncs. A lost record panics with its seed.
fn crash(points: u64) -> Result<(), Box<dyn Error>> {
    let (done, promises) = (AtomicU64::new(0), AtomicU64::new(0));
    let start = now();
    thread::scope(|scope| {
        for half in 0..2 {
            let (done, promises) = (&done, &promises);
            scope.spawn(move || {
                for seed in (half..).step_by(2) {
                    for at in 1..=run::length(seed) {
                        if done.fetch_add(1, Ordering::SeqCst) >= points {
                            return;
                        }
                        let checked = match at % 16 {
                            3 => run::full_disk(seed, at * 1_009),
                            7 | 15 => run::failed_sync(seed, at % 60, at % 16 == 7),
                            _ => run::power_failure(seed, at),
                        };
                        promises.fetch_add(checked.records as u64, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    say(&json!({
        "points": points, "promises": promises.into_inner(), "lost": 0, "seconds": start.elapsed().as_secs_f64(),
    }))
}

/// Kills a process with 4 writers again and again, and looks for what it had acknowledged.
fn kill(rounds: u64) -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir_in(".")?;
    let root = dir.path().join("state");
    drop(open(&root)?);
    let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
    let mut lost = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("write")
            .arg(&root)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        let wanted = 1 + (round * 7_919) % 97;
        let mut told = 0;
        let mut note = |line: String| {
            if let Some((index, digest)) = line.split_once(' ')
                && let Ok(index) = index.parse()
                && digest.len() == 71
            {
                acknowledged.insert(index, digest.to_owned());
            }
        };
        while told < wanted {
            note(lines.next().ok_or("the writer ended")??);
            told += 1;
        }
        child.kill()?;
        child.wait()?;
        lines.map_while(Result::ok).for_each(&mut note);
        let ledger = open(&root)?;
        ledger.fsck(&mut |_| {})?;
        lost += acknowledged
            .iter()
            .filter(|(index, digest)| {
                ledger
                    .record_at(**index)
                    .map_or(true, |record| record.digest.to_string() != **digest)
            })
            .count();
    }
    say(&json!({"kills": rounds, "acknowledged": acknowledged.len(), "lost": lost}))
}

/// Appends with 4 writers until it is killed, and tells what was acknowledged.
fn write(root: &Path) -> Result<(), Box<dyn Error>> {
    let ledger = &open(root)?;
    let first = ledger.size()?;
    let one = &|w: u64| -> Result<(), LedgerError> {
        for n in 0..100_000 {
            let stream = format!("run/kill/{w}");
            let receipt = ledger.append(vec![draft(&stream, &format!("{first}/{n}"))])?[0];
            let line = format!("{} {}\n", receipt.index, receipt.digest);
            let mut out = std::io::stdout().lock();
            // One write, so that no line is cut in two by another writer.
            if out
                .write_all(line.as_bytes())
                .and_then(|()| out.flush())
                .is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|w| scope.spawn(move || one(w))).collect();
        threads
            .into_iter()
            .try_for_each(|t| t.join().expect("a writer does not panic"))
    })?;
    Ok(())
}

/// The most memory that this process held, in kB (proc(5), `VmHWM`).
fn peak() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kb = line.and_then(|l| l.trim().strip_suffix(" kB"));
    Ok(kb.ok_or("no VmHWM")?.trim().parse()?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement needs a fine clock"
)]
fn now() -> Instant {
    Instant::now()
}
