//! Seeds of what a dry run reads: traces that real tools printed, a run's own files, evidence, and one log in every packing.

use std::io::{self, Write as _};
use std::path::Path;

use gonogo_core::Digest;
use gonogo_dryrun::Moment;
use gonogo_dryrun::Stream;
use gonogo_dryrun::index::{Batch, Header, Record};
use serde_json::{Value, json};

use super::put;

/// Writes them below `seeds`.
pub(super) fn write(seeds: &Path) -> io::Result<()> {
    let put = |target: &str, n: usize, bytes: &[u8]| put(&seeds.join(target), n, bytes);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/dryrun/tests/traces");
    for (n, name) in [
        "python/chained-311.txt",
        "java/caused.txt",
        "go/panic.txt",
        "rust/unwrap-short.txt",
        "node/cause.txt",
        "node/json.txt",
        "dotnet/inner-core.txt",
        "ruby/cause.txt",
        "cpp/terminate.txt",
        "sanitizer/leak-leak.txt",
        "php/uncaught-log.txt",
        "elixir/raise.txt",
        "perl/confess.txt",
        "erlang/process.txt",
        "python/logged_json.txt",
    ]
    .iter()
    .enumerate()
    {
        let text = std::fs::read(corpus.join(name))?;
        put("run-lines", 3 * n, &[b"\x00", &text[..]].concat())?;
        put(
            "run-lines",
            3 * n + 1,
            &[b"\x02\x03\x40", &text[..]].concat(),
        )?;
        let text = String::from_utf8_lossy(&text);
        let prefixed: String = text.lines().map(|line| format!("web: {line}\n")).collect();
        let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        put("run-lines", 3 * n + 2, format!("\0{prefixed}").as_bytes())?;
        put("run-log", 10 + n, &wide)?;
    }

    let mut index = Header::new("run", [3; 16]).encode().to_vec();
    put("run-index", 0, &index)?;
    for seq in 0..3 {
        let record = Record::Batch(Batch {
            seq,
            stream: Stream::Stdout,
            offset: 10 * seq,
            at: Moment {
                boot: 7 + seq,
                wall: 9,
            },
            length: 10,
            newlines: 1,
            recovered: false,
            open_end: seq == 2,
            digest: Digest::of(b"x"),
        });
        index.extend_from_slice(&record.encode());
    }
    put("run-index", 1, &index)?;

    let mut journal = String::new();
    let mut prev = Digest::of(b"").hex();
    for (seq, event) in [
        json!({"event": "begun", "run_id": "run-1", "pid": 7, "boot_id": "b", "clock_scale": 1.0}),
        json!({"event": "child_started", "pid": 8, "start_ticks": 1}),
    ]
    .into_iter()
    .enumerate()
    {
        let mut entry = json!({"seq": seq, "prev": prev, "at": {"boot": seq, "wall": seq}});
        if let (Value::Object(entry), Value::Object(event)) = (&mut entry, event) {
            entry.extend(event);
        }
        let line = entry.to_string();
        prev = Digest::of(line.as_bytes()).hex();
        journal.push_str(&line);
        journal.push('\n');
    }
    put("run-journal", 0, journal.as_bytes())?;
    put("run-spec", 0, spec().to_string().as_bytes())?;

    let entries: Vec<Value> = (0..5)
        .map(|n| json!({"timestamp": format!("2026-11-21T1{n}:00:00Z"), "policy": "a", "reason": "b"}))
        .collect();
    let rows: String = entries.iter().map(|entry| format!("{entry}\n")).collect();
    put(
        "run-diary",
        0,
        json!({"entries": entries}).to_string().as_bytes(),
    )?;
    put(
        "run-diary",
        1,
        Value::from(entries.clone()).to_string().as_bytes(),
    )?;
    put("run-diary", 2, rows.as_bytes())?;
    let snapshot = json!({
        "timestamp": "2026-11-21T10:00:00Z",
        "snapshot": {"sharpe_ratio": 1.2, "total_return": 0.1},
        "aggregates": {"returns": [0.1, -0.2, 0.3]},
        "metadata": {"observations": 3},
    });
    put("run-performance", 0, snapshot.to_string().as_bytes())?;

    let log = "2026-11-21T10:00:00Z INFO ready\n2026-11-21T10:05:00Z ERROR no funds\n{\"ts\":1795255500,\"level\":\"warning\",\"msg\":\"slow\"}\n"
        .repeat(20);
    put("run-log", 0, log.as_bytes())?;
    for (n, packer) in [
        &["gzip", "-c"][..],
        &["bzip2", "-c"],
        &["xz", "-c"],
        &["zstd", "-qc"],
    ]
    .iter()
    .enumerate()
    {
        // A packer that is not there leaves the fuzzer to the words of its format.
        if let Some(packed) = pack(packer, log.as_bytes()) {
            put("run-log", 1 + n, &packed)?;
            put("run-log", 5 + n, &packed.repeat(2))?;
        }
    }
    Ok(())
}

fn pack(command: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    use std::process::{Command, Stdio};
    let (program, arguments) = command.split_first()?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(bytes).ok()?;
    let out = child.wait_with_output().ok()?;
    out.status.success().then_some(out.stdout)
}

/// A specification with everything in it.
pub(crate) fn spec() -> Value {
    json!({
        "schema": "gonogo.dry-run.run.v1",
        "artifacts": [],
        "run_id": "run-1",
        "slug": "slug",
        "created_at": "2026-11-21T10:00:00.000Z",
        "command": ["child"],
        "directory": "/",
        "environment": {},
        "log_dir": "/logs",
        "progress_path": null,
        "timeline_dir": null,
        "target_seconds": 3600.0,
        "criteria": {
            "minimum_duration_seconds": 3600.0,
            "duration_tolerance_seconds": 1.0,
            "minimum_uptime_ratio": 0.98,
            "require_diary": false,
            "require_performance": false,
            "allow_warnings": false,
            "minimum_sharpe_ratio": null
        },
        "grace_seconds": {"interrupt": 60.0, "terminate": 10.0},
        "drain_seconds": 10.0,
        "capture": {
            "compression": "none", "views": true, "rotate_seconds": null, "rotate_bytes": null,
            "ballast_bytes": 0, "member_bytes": 1_048_576
        },
        "lines": {
            "monitor": true, "stderr": "error", "allow": [], "numeric": "auto", "source_field": null
        },
        "gaps": {
            "startup_seconds": 0.0, "warn_seconds": 3600.0, "fail_seconds": 21600.0,
            "live_seconds": null, "live_severity": "warn"
        },
        "heartbeat": null,
        "evidence": [],
        "evidence_grace_seconds": 0.0,
        "evidence_interval_seconds": 1.0,
        "resources": {
            "interval_seconds": 60.0, "max_cpu_percent": null, "max_memory_mb": null,
            "max_memory_percent": null, "severity": "fail", "sustained_seconds": 0.0
        },
        "progress_interval_seconds": 300.0,
        "explained": {},
        "metadata": {},
        "clock_scale": 1.0
    })
}
