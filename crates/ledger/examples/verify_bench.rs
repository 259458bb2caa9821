//! Measures the verification of a packet of N records (default 1000), then flips every bit of a small packet.
//!
//! `cargo run --release -p gonogo-ledger --example verify_bench [N]`

#[path = "../tests/packet/fixture.rs"]
mod fixture;

use std::io::Write as _;

use fixture::{Log, STREAM};
use gonogo_core::{Clock, Verdict, clock::SystemClock};
use gonogo_ledger::verify::Limits;
use gonogo_ledger::{Trust, verify};
use serde_json::json;

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout();
    let count: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(1000);
    let mut log = Log::new("ledger.bench");
    for n in 0..count {
        let body = json!({"step": n, "note": "x".repeat(300), "samples": [1, 2, 3]});
        log.append(STREAM, "rollout-step", body);
    }
    let contents = log.contents();
    let packet = log.packet(&contents);
    let trust = Trust {
        log_vkey: Some(log.key.vkey().clone()),
    };
    let clock = SystemClock::default();
    let mut best = u64::MAX;
    for _ in 0..7 {
        let start = clock.now().mono_ms;
        let report =
            verify(&packet[..], &trust, &Limits::default()).map_err(std::io::Error::other)?;
        assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.checks);
        assert_eq!(report.records.len(), count + 1);
        best = best.min(clock.now().mono_ms - start);
    }
    writeln!(out, "{count} records, {} bytes: {best} ms", packet.len())?;

    let mut log = Log::new("l.t");
    log.append(STREAM, "plan", json!({}));
    log.put_blob(b"x");
    let contents = log.contents();
    let mut packet = log.packet(&contents);
    let trust = Trust {
        log_vkey: Some(log.key.vkey().clone()),
    };
    for at in 0..packet.len() {
        for bit in 0..8 {
            packet[at] ^= 1 << bit;
            let report =
                verify(&packet[..], &trust, &Limits::default()).map_err(std::io::Error::other)?;
            assert_eq!(report.verdict, Verdict::Fail, "byte {at} bit {bit}");
            packet[at] ^= 1 << bit;
        }
    }
    writeln!(
        out,
        "{} bits flipped one by one: all refused",
        packet.len() * 8
    )
}
