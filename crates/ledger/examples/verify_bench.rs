//! Measures the verification of packets beside `sha256sum` over the same bytes, and changes packets at random.
//!
//! ```text
//! cargo run --release -p gonogo-ledger --example verify_bench                 1,000 and 10,000 records
//! cargo run --release -p gonogo-ledger --example verify_bench N [RUNS]        N records
//! cargo run --release -p gonogo-ledger --example verify_bench bits            flips each bit of a small packet
//! cargo run --release -p gonogo-ledger --example verify_bench mutate N SEED   N random changes of a large packet
//! ```
//!
//! What exporting and verifying hold in memory is measured by `packet_bench` in `gonogo-store`.

#[path = "../tests/packet/fixture.rs"]
mod fixture;
#[path = "../tests/packet/mutation.rs"]
mod mutation;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixture::{Log, STREAM};
use gonogo_core::Verdict;
use gonogo_ledger::verify::Request;
use gonogo_ledger::{Report, Trust, verify};
use mutation::{Random, mutate};
use serde_json::json;

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        let given = args.get(at).map(|n| n.parse().map_err(io::Error::other));
        given.unwrap_or(Ok(default))
    };
    match args.first().map(String::as_str) {
        None => {
            measure(1_000, 9)?;
            measure(10_000, 9)
        }
        Some("bits") => bits(),
        Some("mutate") => changes(number(1, 10_000)?, number(2, 1)?),
        Some(_) => measure(number(0, 1_000)?, number(1, 9)? as usize),
    }
}

fn log_of(count: u64) -> Log {
    let mut log = Log::new("ledger.bench");
    for n in 0..count {
        let body = json!({"step": n, "note": "x".repeat(300), "samples": [1, 2, 3]});
        log.append(STREAM, "rollout-step", body);
    }
    log
}

fn judge(packet: impl io::Read, trust: &Trust) -> io::Result<Report> {
    let request = Request {
        keep: &|_, kind| kind == "plan",
        ..Request::new(trust)
    };
    verify(packet, &request).map_err(io::Error::other)
}

fn measure(count: u64, runs: usize) -> io::Result<()> {
    let mut log = log_of(count);
    let contents = log.contents();
    let packet = log.packet(&contents);
    let path = std::env::temp_dir().join(format!("verify_bench.{}.tar", std::process::id()));
    std::fs::write(&path, &packet)?;
    let trust = Trust::of_log(log.key.vkey().clone());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    // In turn, so that a busy machine is busy for both.
    for _ in 0..runs {
        let start = now();
        let report = judge(File::open(&path)?, &trust)?;
        ours.push(start.elapsed());
        assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.checks);
        theirs.push(sha256sum(&path)?);
    }
    std::fs::remove_file(&path)?;
    let (ours, theirs) = (median(ours), median(theirs));
    writeln!(
        io::stdout(),
        "{count} records, {} bytes: verified in {:.1} ms, sha256sum {:.1} ms, {:.2} times as long, {:.1} us a record (medians of {runs})",
        packet.len(),
        ours.as_secs_f64() * 1e3,
        theirs.as_secs_f64() * 1e3,
        ours.as_secs_f64() / theirs.as_secs_f64(),
        ours.as_secs_f64() * 1e6 / count as f64,
    )
}

fn sha256sum(path: &Path) -> io::Result<Duration> {
    let start = now();
    let status = Command::new("sha256sum")
        .arg(path)
        .stdout(Stdio::null())
        .status()?;
    assert!(status.success());
    Ok(start.elapsed())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn now() -> Instant {
    Instant::now()
}

fn bits() -> io::Result<()> {
    let mut log = Log::new("l.t");
    log.append(STREAM, "plan", json!({}));
    log.put_blob(b"x");
    let contents = log.contents();
    log.record_manifest(&contents);
    let mut seal = log.seal_of();
    seal.since = vec![1, 2];
    let mut packet = log.write(&contents, &seal);
    let trust = Trust::of_log(log.key.vkey().clone());
    for at in 0..packet.len() {
        for bit in 0..8 {
            packet[at] ^= 1 << bit;
            let report = judge(&packet[..], &trust)?;
            assert_eq!(report.verdict, Verdict::Fail, "byte {at} bit {bit}");
            packet[at] ^= 1 << bit;
        }
    }
    writeln!(
        io::stdout(),
        "{} bits flipped one by one: all refused",
        packet.len() * 8
    )
}

fn changes(count: u64, seed: u64) -> io::Result<()> {
    let mut log = log_of(300);
    log.put_blob(&[7; 5000]);
    let contents = log.contents();
    let other = log.packet(&contents);
    for n in 0..20 {
        log.append(STREAM, "sample", json!({"n": n}));
    }
    let contents = log.contents();
    log.record_manifest(&contents);
    let mut seal = log.seal_of();
    seal.since = vec![1, 100, 256, 301];
    let packet = log.write(&contents, &seal);
    let trust = Trust::of_log(log.key.vkey().clone());
    for packet in [&packet, &other] {
        assert_eq!(judge(&packet[..], &trust)?.verdict, Verdict::Pass);
    }
    let mut told = BTreeMap::new();
    for n in seed..seed + count {
        let (kind, bytes) = mutate(&packet, &other, &mut Random::new(n));
        let report = judge(&bytes[..], &trust)?;
        assert_eq!(report.verdict, Verdict::Fail, "seed {n}: {kind}");
        let failed = report.checks.iter().find(|c| c.reason == report.reason);
        *told
            .entry((failed.map_or("", |c| c.name), report.reason.code()))
            .or_insert(0) += 1;
    }
    writeln!(
        io::stdout(),
        "{count} changes of a packet of {} bytes from seed {seed}: all refused, by {told:?}",
        packet.len()
    )
}
