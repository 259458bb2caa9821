//! What is printed, byte by byte.

use gonogo_simulated::{HOSTILE, TRACES};

use crate::lab::{lines, now, ran};

const QUICK: [&str; 2] = ["--duration-seconds=0.2", "--tick-interval=0.05"];

fn with(injections: &[&str]) -> crate::lab::Ran {
    let args: Vec<&str> = QUICK.iter().chain(injections).copied().collect();
    let ran = ran(&args);
    assert_eq!(ran.status.code(), Some(0), "{}", ran.said());
    ran
}

#[test]
fn traces_are_those_that_the_tools_printed() {
    for trace in TRACES {
        let ran = with(&[&format!("--inject=traceback={}", trace.name)]);
        let mut wanted = trace.text().to_owned();
        if !wanted.ends_with('\n') {
            wanted.push('\n');
        }
        assert_eq!(ran.said(), wanted, "{}", trace.name);
        assert!(ran.lines().len() > 2, "the run goes on");
    }
}

#[test]
fn a_trace_on_stdout_stands_between_heartbeats() {
    let ran = with(&["--inject=traceback=python:stdout@2"]);
    assert!(ran.err.is_empty());
    let text = String::from_utf8(ran.out).unwrap();
    let python = TRACES.iter().find(|t| t.name == "python").unwrap().text();
    let (before, after) = text.split_once(python).unwrap();
    assert_eq!(lines(before.as_bytes()).len(), 2);
    assert!(lines(after.as_bytes()).len() >= 2);
}

#[test]
fn bytes_of_all_kinds_come_out_as_they_are() {
    let ran = with(&["--inject=bytes@2-3"]);
    let all: Vec<u8> = HOSTILE.iter().flat_map(|l| l.bytes).copied().collect();
    let found = ran.out.windows(all.len()).filter(|w| **w == all).count();
    assert_eq!(found, 2);
}

#[test]
fn a_line_may_be_of_any_length() {
    let ran = with(&["--inject=long-line=3MiB"]);
    let longest = ran.out.split(|b| *b == b'\n').map(<[u8]>::len).max();
    assert_eq!(longest, Some(3 << 20));
    assert_eq!(
        ran.lines().iter().filter(|l| l["event"] == "long").count(),
        1
    );
}

#[test]
fn the_last_line_may_have_no_line_feed() {
    assert!(
        with(&["--inject=no-newline"])
            .out
            .ends_with(b"\"reason\":\"duration\"}")
    );
    assert!(with(&[]).out.ends_with(b"\"reason\":\"duration\"}\n"));
}

#[test]
fn bursts_have_exactly_so_many_lines_of_their_level() {
    let began = now();
    let ran = with(&[
        "--inject=flood=200000@1",
        "--inject=warnings=4000",
        "--inject=errors=7",
        "--inject=stderr=10",
    ]);
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let lines = ran.lines();
    let count = |field: &str, word: &str| lines.iter().filter(|l| l[field] == word).count();
    assert_eq!(count("event", "flood"), 200_000);
    assert_eq!(
        (count("level", "warning"), count("level", "error")),
        (4_000, 7)
    );
    let notes = crate::lab::lines(&ran.err);
    assert_eq!(notes.len(), 10);
    assert!(notes.iter().all(|l| l["level"] == "info"));
}

#[test]
fn a_tick_that_takes_too_long_costs_no_injection() {
    // The burst takes longer than the whole duration.
    let ran = ran(&[
        "--duration-seconds=0.002",
        "--tick-interval=0.001",
        "--inject=flood=300000@1",
        "--inject=errors=2@2",
    ]);
    assert_eq!(ran.status.code(), Some(0), "{}", ran.said());
    assert_eq!(
        ran.lines().iter().filter(|l| l["level"] == "error").count(),
        2
    );
}

#[test]
fn a_seed_repeats_itself() {
    let masked = |seed: &str| {
        let ran = with(&["--inject=warnings=50", "--inject=long-line=5000", seed]);
        let mut lines = ran.lines();
        lines.retain(|l| l["event"] == "venue_late" || l["event"] == "long");
        for line in &mut lines {
            line["timestamp"].take();
        }
        assert_eq!(lines.len(), 51);
        lines
    };
    assert_eq!(masked("--seed=5"), masked("--seed=5"));
    assert_ne!(masked("--seed=5"), masked("--seed=6"));
}

#[test]
fn copies_have_what_the_streams_took() {
    let folder = tempfile::tempdir().unwrap();
    let copy = format!("--copy-output={}", folder.path().join("printed").display());
    let ran = with(&[
        "--inject=bytes",
        "--inject=long-line=1MiB",
        "--inject=traceback=java",
        "--inject=flood=20000",
        &copy,
    ]);
    let kept = |name: &str| std::fs::read(folder.path().join("printed").join(name)).unwrap();
    assert!(kept("stdout") == ran.out && !ran.out.is_empty());
    assert!(kept("stderr") == ran.err && !ran.err.is_empty());
}

#[test]
fn silence_is_of_heartbeats_only_and_the_clock_of_timestamps_only() {
    let folder = tempfile::tempdir().unwrap();
    let diary = folder.path().join("diary.jsonl");
    let began = now();
    let ran = ran(&[
        "--duration-seconds=1.5",
        "--tick-interval=0.05",
        "--inject=silence=1@2",
        "--inject=clock=-3600@2",
        &format!("--diary={}", diary.display()),
    ]);
    assert_eq!(ran.status.code(), Some(0), "{}", ran.said());
    assert!(
        began.elapsed().as_secs_f64() < 20.0,
        "the clock of the run is not that of its lines"
    );
    let lines = ran.lines();
    let seqs: Vec<u64> = lines
        .iter()
        .filter(|l| l["event"] == "heartbeat")
        .map(|l| l["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs[..2], [1, 2]);
    assert!(seqs[2] > 3, "{seqs:?}");
    let stamp = |n: usize| {
        lines[n]["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let gap = stamp(2).duration_since(stamp(1));
    assert!(gap.as_secs_f64() >= 1.0, "{gap:?}");
    let jump = stamp(0).duration_since(stamp(1)).as_secs_f64();
    assert!((3_590.0..3_600.0).contains(&jump), "{jump}");
    let entries = crate::lab::lines(&std::fs::read(&diary).unwrap());
    assert!(
        entries.len() > seqs.len(),
        "evidence goes on: {} and {}",
        entries.len(),
        seqs.len()
    );
    let recorded = entries[1]["recorded_at"]
        .as_str()
        .unwrap()
        .parse::<jiff::Timestamp>()
        .unwrap();
    assert!(recorded > stamp(1), "evidence keeps the true time");
}
