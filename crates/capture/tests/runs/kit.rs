//! What the tests share: a specification, a run to its end, and what is found afterwards.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use gonogo_capture::{Captured, Ended, Run, Running};
use gonogo_core::{Digest, Timestamp};
use gonogo_dryrun::index::{Record, Sum};
use gonogo_dryrun::journal::Event;
use gonogo_dryrun::sign_off::Criteria;
use gonogo_dryrun::spec::{
    Capture, Compression, Gaps, Grace, Lines, NumericLevels, ResourceSpec, RunSpec, SCHEMA,
    StderrPolicy,
};
use gonogo_dryrun::{Status, Stream};

/// First argument of this program when it plays a child.
pub(crate) const CHILD: &str = "child";

/// First argument when it plays a harness that can be killed.
pub(crate) const HARNESS: &str = "harness";

pub(crate) fn program() -> PathBuf {
    std::env::current_exe().unwrap()
}

/// A command that plays a part of `child.rs`.
pub(crate) fn child(words: &[&str]) -> Vec<String> {
    let mut command = vec![program().display().to_string(), CHILD.to_owned()];
    command.extend(words.iter().map(|word| (*word).to_owned()));
    command
}

pub(crate) fn shell(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

pub(crate) fn spec(directory: &Path, command: Vec<String>) -> RunSpec {
    RunSpec {
        artifacts: Vec::new(),
        schema: SCHEMA.to_owned(),
        run_id: format!("run-{}", fastrand::u64(..)),
        slug: "test".to_owned(),
        created_at: Timestamp::from_millis(0),
        command,
        directory: directory.display().to_string(),
        environment: std::collections::BTreeMap::new(),
        log_dir: directory.join("logs").display().to_string(),
        progress_path: None,
        timeline_dir: None,
        target_seconds: 600.0,
        criteria: Criteria {
            minimum_duration_seconds: None,
            duration_tolerance_seconds: 0.0,
            minimum_uptime_ratio: None,
            require_diary: false,
            require_performance: false,
            allow_warnings: false,
            minimum_sharpe_ratio: None,
        },
        grace_seconds: Grace {
            interrupt: 5.0,
            terminate: 5.0,
        },
        drain_seconds: 5.0,
        capture: Capture {
            compression: Compression::None,
            views: false,
            rotate_seconds: None,
            rotate_bytes: None,
            ballast_bytes: 1 << 16,
            packs_raw: false,
            member_bytes: 1 << 20,
        },
        lines: Lines {
            monitor: true,
            stderr: StderrPolicy::Error,
            allow: Vec::new(),
            numeric: NumericLevels::Auto,
            source_field: None,
        },
        gaps: Gaps {
            startup_seconds: 0.0,
            warn_seconds: 3600.0,
            fail_seconds: 21600.0,
            live_seconds: None,
            live_severity: Status::Warn,
        },
        heartbeat: None,
        evidence: Vec::new(),
        evidence_grace_seconds: 0.0,
        evidence_interval_seconds: None,
        resources: ResourceSpec {
            interval_seconds: None,
            max_cpu_percent: None,
            max_memory_mb: None,
            max_memory_percent: None,
            severity: Status::Fail,
            sustained_seconds: 0.0,
        },
        progress_interval_seconds: None,
        explained: std::collections::BTreeMap::new(),
        metadata: std::collections::BTreeMap::new(),
        clock_scale: 1.0,
    }
}

pub(crate) fn start(spec: &RunSpec) -> Running {
    Run::start(&program(), spec).unwrap()
}

pub(crate) fn finish(running: &mut Running) -> Ended {
    let by = Instant::now() + Duration::from_secs(120);
    while Instant::now() < by {
        if let Some(ended) = running.wait(Duration::from_secs(1)) {
            return ended;
        }
    }
    panic!(
        "the run does not end: {}",
        journal(running.files().directory())
    );
}

/// Runs to the end and expects it to be in order.
pub(crate) fn complete(spec: &RunSpec, reason: &str) -> PathBuf {
    let mut running = start(spec);
    let ended = finish(&mut running);
    let directory = running.files().directory().to_owned();
    assert_eq!(
        ended.reason.as_deref(),
        Some(reason),
        "{}",
        journal(&directory)
    );
    assert_eq!(ended.fault, None);
    check(&directory);
    directory
}

/// Both journals and what the parts complained about, for messages.
pub(crate) fn journal(directory: &Path) -> String {
    ["keeper.jsonl", "pump.jsonl", "internal.log"]
        .map(|name| {
            let text = std::fs::read_to_string(directory.join(name)).unwrap_or_default();
            format!("--- {name}\n{text}")
        })
        .concat()
}

pub(crate) fn events(directory: &Path) -> Vec<Event> {
    let captured = Captured::open(directory).unwrap();
    let mut events = Vec::new();
    for entries in [captured.keeper_journal(), captured.pump_journal()]
        .into_iter()
        .flatten()
    {
        events.extend(entries.map(|entry| entry.unwrap().event));
    }
    events
}

pub(crate) fn rebuilt(directory: &Path, stream: Stream) -> Vec<u8> {
    let captured = Captured::open(directory).unwrap();
    let mut bytes = Vec::new();
    let mut reader = captured.rebuild(stream);
    reader.read_to_end(&mut bytes).unwrap();
    assert_eq!(reader.missing(), None);
    bytes
}

/// Holds every digest, line count and border of the index against the bytes. Returns how many records were recovered.
pub(crate) fn check(directory: &Path) -> u64 {
    let captured = Captured::open(directory).unwrap();
    assert_eq!(captured.index_cut(), None);
    let all = Stream::ALL.map(|stream| rebuilt(directory, stream));
    let mut recovered = 0;
    let mut index = captured.index().unwrap().unwrap();
    let (mut wall, mut boot) = (0, 0);
    let mut sums = [Sum::default(), Sum::default()];
    while let Some(record) = index.read().unwrap() {
        let bytes = &all[usize::from(record.stream() == Stream::Stderr)];
        match record {
            Record::Batch(b) => {
                let part = &bytes[b.offset as usize..b.offset as usize + b.length as usize];
                assert_eq!(b.digest, Digest::of(part));
                sums[usize::from(b.stream == Stream::Stderr)].push(&b.digest);
                assert_eq!(
                    b.newlines as usize,
                    part.iter().filter(|b| **b == b'\n').count()
                );
                assert_eq!(b.open_end, part.last() != Some(&b'\n'));
                recovered += u64::from(b.recovered);
                assert!(b.at.boot >= boot || b.at.wall >= wall);
                (wall, boot) = (b.at.wall, b.at.boot);
            }
            Record::Member(m) => {
                let part = &bytes[m.offset as usize..(m.offset + m.length) as usize];
                assert_eq!(
                    m.digest,
                    sums[usize::from(m.stream == Stream::Stderr)].take()
                );
                assert_eq!(captured.member(&m).unwrap(), part);
            }
        }
    }
    for stream in Stream::ALL {
        let length = all[usize::from(stream == Stream::Stderr)].len() as u64;
        assert_eq!(captured.indexed(stream), length, "{}", journal(directory));
        let closed = captured
            .members(stream)
            .last()
            .map_or(0, |m| m.offset + m.length);
        assert_eq!(closed, length, "all is in members");
    }
    recovered
}

/// Waits until something is so.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let by = Instant::now() + Duration::from_secs(60);
    while Instant::now() < by {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("it did not happen: {what}");
}

/// Waits for an event that the keeper writes.
pub(crate) fn until_event<T>(
    directory: &Path,
    what: &str,
    mut is: impl FnMut(&Event) -> Option<T>,
) -> T {
    until(what, || {
        let captured = Captured::open(directory).ok()?;
        let entries = [captured.keeper_journal(), captured.pump_journal()];
        entries
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(Result::ok)
            .find_map(|entry| is(&entry.event))
    })
}

pub(crate) fn is_alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat[stat.rfind(')').unwrap() + 2..].chars().next();
        !matches!(state, Some('Z' | 'X'))
    })
}

pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = rustix::process::kill_process(pid, signal);
}

/// Plays a harness: begins the run that a file holds, and waits for it.
pub(crate) fn harness(words: &[String]) -> ExitCode {
    let spec: RunSpec = serde_json::from_slice(&std::fs::read(&words[0]).unwrap()).unwrap();
    let mut running = start(&spec);
    finish(&mut running);
    ExitCode::SUCCESS
}
