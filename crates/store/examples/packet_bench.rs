//! Measures what writing and verifying a large packet hold in memory.
//!
//! ```text
//! cargo run --release -p gonogo-store --example packet_bench blob              one blob of 1 GB
//! cargo run --release -p gonogo-store --example packet_bench records [N]       N records, 200,000 if not said
//! ```

use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::time::Instant;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_ledger::verify::Request;
use gonogo_ledger::{Trust, verify};
use gonogo_store::ledger::{Draft, Founding, Ledger, LedgerError, PacketRequest};
use serde_json::json;

const STREAM: &str = "operation/op_packet";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (blob, records) = match args.first().map(String::as_str) {
        Some("blob") => (1 << 30, 10),
        Some("records") => (0, args.get(1).map_or(Ok(200_000), |n| n.parse())?),
        _ => return Err("say `blob` or `records`".into()),
    };
    let dir = tempfile::tempdir_in(".")?;
    let time = Timestamp::from_millis(1_795_000_000_000);
    let founding = Founding {
        origin: "ledger.bench",
        actor: "bench",
        time,
    };
    let ledger = Ledger::open(&dir.path().join("state"), founding)?;
    for first in (0..records).step_by(500) {
        let drafts = (first..records.min(first + 500)).map(|n| draft(n, time));
        ledger.append(drafts.collect())?;
    }
    let blobs = match blob {
        0 => Vec::new(),
        size => vec![ledger.put_blob_from(io::repeat(7).take(size))?],
    };
    say(&format!("made {records} records; {} kB at most", peak()?))?;
    forget_peak()?;
    let path = dir.path().join("packet.tar");
    let start = now();
    let info = ledger.write_packet(&request(&path, &blobs, time))?;
    say(&format!(
        "wrote {} bytes in {:.1?}; {} kB at most",
        info.size,
        start.elapsed(),
        peak()?
    ))?;
    let trust = Trust::of_log(ledger.log_vkey().clone());
    drop(ledger);
    forget_peak()?;
    let start = now();
    let asked = Request {
        keep: &|_, kind| kind == "plan",
        ..Request::new(&trust)
    };
    let report = verify(File::open(&path)?, &asked)?;
    assert_eq!(report.verdict, Verdict::Pass, "{:?}", report.checks);
    say(&format!(
        "verified in {:.1?}; {} kB at most",
        start.elapsed(),
        peak()?
    ))?;
    Ok(())
}

fn draft(n: u64, time: Timestamp) -> Draft {
    Draft {
        stream: STREAM.into(),
        key: n.to_string(),
        kind: "sample".into(),
        subject: Vec::new(),
        time,
        actor: "bench".into(),
        body: json!({"n": n, "note": "x".repeat(300)}),
        signer: None,
    }
}

fn request<'a>(
    out: &'a std::path::Path,
    blobs: &'a [Digest],
    time: Timestamp,
) -> PacketRequest<'a> {
    PacketRequest {
        stream: STREAM,
        extra_streams: &[],
        blobs,
        outside: None,
        verdict: "",
        since: &[],
        policy: None,
        seals: None,
        stamps: None,
        out,
        actor: "bench",
        time,
    }
}

/// The most memory that was resident since the last [`forget_peak`], in kB.
fn peak() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .ok_or_else(|| io::Error::other("no VmHWM in /proc/self/status"))
}

fn forget_peak() -> io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn say(text: &str) -> Result<(), LedgerError> {
    let _ = writeln!(io::stdout(), "{text}");
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn now() -> Instant {
    Instant::now()
}
