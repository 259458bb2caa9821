//! What is made beside the bytes: views, progress, resources, evidence; also when the pump was killed in between.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use gonogo_capture::{Captured, Files};
use gonogo_dryrun::Stream;
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::spec::{Compression, EvidenceFormat, EvidenceSpec};
use rustix::process::Signal;
use serde_json::Value;

use crate::Test;
use crate::child::counted;
use crate::kit::{
    check, child, complete, events, finish, journal, kill, rebuilt, shell, spec, start, until_event,
};

pub(crate) const TESTS: &[Test] = &[
    ("views_hold_each_line_once", views),
    ("views_survive_killed_pumps_plain", || {
        killed_views(Compression::None)
    }),
    ("views_survive_killed_pumps_gzip", || {
        killed_views(Compression::Gzip)
    }),
    ("progress_is_whole_and_its_numbers_grow", progress),
    ("the_tree_is_sampled_and_evidence_looked_at", samples),
    ("a_simulated_clock_ends_a_long_run_soon", simulated_clock),
];

fn view(files: &Files, extension: &str, compressed: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in 0.. {
        let Ok(mut file) = std::fs::File::open(files.view(extension, part, compressed)) else {
            break;
        };
        let before = bytes.len();
        if compressed {
            flate2::read::MultiGzDecoder::new(file)
                .read_to_end(&mut bytes)
                .unwrap();
        } else {
            file.read_to_end(&mut bytes).unwrap();
        }
        assert!(
            before == bytes.len() || bytes.ends_with(b"\n"),
            "whole lines only"
        );
    }
    bytes
}

fn json_lines(bytes: &[u8]) -> Vec<Value> {
    bytes
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

fn views() {
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut spec = spec(dir.path(), child(&["count", "30000", "0"]));
        spec.slug = format!("{compression:?}");
        spec.capture.compression = compression;
        spec.capture.views = true;
        spec.capture.rotate_bytes = Some(1 << 19);
        let directory = complete(&spec, "child_exited");
        let files = Files::new(&directory);
        let compressed = compression != Compression::None;
        assert!(files.view(".log", 2, compressed).exists());
        assert!(view(&files, ".log", compressed) == counted(30_000));
        let records = json_lines(&view(&files, ".jsonl", compressed));
        assert_eq!(records.len(), 30_000);
        assert!(
            records
                .iter()
                .all(|r| r["stream"] == "stdout" && r["level"] == "info")
        );
    }
}

fn killed_views(compression: Compression) {
    let dir = tempfile::tempdir().unwrap();
    let lines = 2_000_000;
    let mut spec = spec(dir.path(), child(&["count", &lines.to_string(), "0"]));
    spec.capture.compression = compression;
    spec.capture.views = true;
    spec.capture.rotate_bytes = Some(20 << 20);
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let mut killed = 0;
    for restarts in 0..6 {
        let Some(pid) = until_event(&directory, "a pump starts", |event| match event {
            Event::PumpStarted { pid, restarts: n } if *n == restarts => Some(Some(*pid)),
            Event::Ended { .. } => Some(None),
            _ => None,
        }) else {
            break;
        };
        // Long enough for a state to be saved now and then.
        std::thread::sleep(Duration::from_millis(fastrand::u64(100..1500)));
        kill(pid, Signal::KILL);
        killed += 1;
    }
    let ended = finish(&mut running);
    assert_eq!(
        ended.reason.as_deref(),
        Some("child_exited"),
        "{}",
        journal(&directory)
    );
    assert!(killed >= 2, "{killed}");
    check(&directory);
    let files = Files::new(&directory);
    let compressed = compression != Compression::None;
    let log = view(&files, ".log", compressed);
    let all = counted(lines);
    let differs = log.iter().zip(&all).position(|(a, b)| a != b);
    let text = |bytes: &[u8]| {
        let at = differs.unwrap_or(0);
        String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + 200).min(bytes.len())])
            .into_owned()
    };
    assert_eq!(
        (differs, log.len()),
        (None, all.len()),
        "{} beside {}",
        text(&log),
        text(&all)
    );
    let jsonl = view(&files, ".jsonl", compressed);
    assert_eq!(jsonl.iter().filter(|b| **b == b'\n').count() as u64, lines);
}

fn progress() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(
        dir.path(),
        shell(
            "i=0; while [ $i -lt 60 ]; do echo tick $i; echo \"ERROR number $i is bad\" >&2; sleep 0.03; i=$((i+1)); done",
        ),
    );
    let path = dir.path().join("progress.json");
    spec.progress_path = Some(path.display().to_string());
    spec.timeline_dir = Some(dir.path().join("timeline").display().to_string());
    spec.progress_interval_seconds = Some(0.1);
    let mut running = start(&spec);
    let directory = running.files().directory().to_owned();
    let mut last = 0;
    let mut killed = false;
    let sequence = || {
        // Each look finds a whole file.
        let text = std::fs::read_to_string(&path).ok()?;
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(text.starts_with("{\n  \"command\"") && text.ends_with("}\n"));
        Some((value["sequence"].as_u64().unwrap(), value))
    };
    while running.wait(Duration::from_millis(5)).is_none() {
        let Some((now, _)) = sequence() else { continue };
        assert!(now >= last, "{now} after {last}");
        last = now;
        if last > 5 && !killed {
            killed = true;
            let pid = until_event(&directory, "a pump", |e| match e {
                Event::PumpStarted { pid, .. } => Some(*pid),
                _ => None,
            });
            kill(pid, Signal::KILL);
        }
    }
    assert!(killed && last > 8, "{last}");
    let (_, value) = sequence().unwrap();
    assert_eq!(value["total_lines"], 120, "{value}");
    assert_eq!(value["line_counts"]["stderr"], 60);
    assert!(!value["incidents"].as_array().unwrap().is_empty());
    assert_eq!(
        value["phase"], "running",
        "only the verdict completes a run"
    );
    let snapshots = std::fs::read_dir(dir.path().join("timeline")).unwrap();
    let mut names: Vec<String> = snapshots
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(
        names.len() > 8
            && names
                .iter()
                .all(|n| n.starts_with("snapshot-2") && n.len() == 35),
        "{names:?}"
    );
}

fn evidence(name: &str, path: &Path) -> EvidenceSpec {
    EvidenceSpec {
        name: name.to_owned(),
        path: path.display().to_string(),
        format: EvidenceFormat::Diary,
        required: true,
        stale_warn_seconds: None,
        stale_fail_seconds: None,
        time_pointer: None,
        min_entries: None,
        min_entries_per_day: 0,
        daily_gap_severity: gonogo_dryrun::Status::Warn,
        thresholds: Vec::new(),
    }
}

fn samples() {
    let dir = tempfile::tempdir().unwrap();
    let diary = dir.path().join("diary.jsonl");
    let script = format!(
        "echo '{{\"recorded_at\":\"2026-01-01T00:00:00Z\"}}' > {}; setsid sh -c 'while :; do :; done' & while :; do sleep 0.05; done",
        diary.display()
    );
    let mut spec = spec(dir.path(), shell(&script));
    spec.target_seconds = 1.5;
    spec.drain_seconds = 0.2;
    spec.resources.interval_seconds = Some(0.3);
    spec.evidence = vec![
        evidence("diary", &diary),
        evidence("none", Path::new("/no/such")),
    ];
    spec.evidence_interval_seconds = Some(0.3);
    let directory = complete(&spec, "time_over");
    let events = events(&directory);
    let busy = events.iter().any(|e| matches!(e, Event::Resources { cpu_percent, processes: 2.., memory_mb, threads: 2.., .. } if *cpu_percent > 15.0 && *memory_mb > 0.5));
    assert!(busy, "{}", journal(&directory));
    assert!(events.iter().any(|e| matches!(e, Event::EvidenceSeen { name, size: Some(39), newest_ms: Some(1_767_225_600_000), entries: Some(1), error: None, .. } if name == "diary")), "{}", journal(&directory));
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::EvidenceSeen { name, size: None, .. } if name == "none"))
    );
    assert!(events.iter().any(|e| matches!(
        e,
        Event::Disk {
            free_bytes: 1..,
            ..
        }
    )));
}

fn simulated_clock() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = spec(dir.path(), child(&["count", "1000000", "10"]));
    spec.clock_scale = 36_000.0;
    spec.target_seconds = 72.0 * 3600.0;
    spec.capture.rotate_seconds = Some(12.0 * 3600.0);
    let directory = complete(&spec, "time_over");
    let captured = Captured::open(&directory).unwrap();
    let at = |wanted: fn(&Event) -> bool| {
        let mut entries = captured.keeper_journal().unwrap().map(Result::unwrap);
        entries.find(|entry| wanted(&entry.event)).unwrap().at
    };
    let began = at(|e| matches!(e, Event::ChildStarted { .. }));
    let over = at(|e| matches!(e, Event::TimeOver));
    let hours = over.since(began) as f64 / 3.6e12;
    assert!((72.0..100.0).contains(&hours), "{hours}");
    let rotated = events(&directory)
        .iter()
        .filter(|e| matches!(e, Event::Rotated { .. }))
        .count();
    assert!((4..8).contains(&rotated), "{rotated}");
    assert!(counted(10_000).starts_with(&rebuilt(&directory, Stream::Stdout)));
}
