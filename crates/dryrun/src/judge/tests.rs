//! Tests of the verdict.

use std::collections::BTreeMap;
use std::io;

use gonogo_core::Digest;

use super::*;
use crate::audit::ReadAt;
use crate::index::{Batch, Header, Member};
use crate::journal::{Entry, Event};
use crate::live::Live;
use crate::spec::{Compression, EvidenceFormat, HeartbeatSpec};
use crate::testing::{at, evidence as declaration, spec};
use crate::{IncidentKind, Stream};

mod evidence;
mod records;

/// A capture directory in memory, and what was seen live while it was made.
struct Run {
    spec: RunSpec,
    live: Live,
    index: Vec<u8>,
    seq: u64,
    streams: [Vec<u8>; 2],
    journals: [(Vec<u8>, u64, String); 2],
    more: BTreeMap<String, Vec<u8>>,
}

struct Files(BTreeMap<String, Vec<u8>>);

impl RunFiles for Files {
    fn open(&self, name: &str) -> io::Result<Option<Box<dyn ReadAt>>> {
        Ok(self
            .0
            .get(name)
            .map(|b| Box::new(b.clone()) as Box<dyn ReadAt>))
    }
}

impl Run {
    fn new(spec: RunSpec) -> Self {
        let empty = || (Vec::new(), 0, Digest::of(b"").hex());
        let mut run = Self {
            live: Live::new(&spec).unwrap(),
            index: Header::new(&spec.run_id, [0; 16]).encode().to_vec(),
            seq: 0,
            streams: [Vec::new(), Vec::new()],
            journals: [empty(), empty()],
            more: BTreeMap::new(),
            spec,
        };
        let begun = Event::Begun {
            run_id: "run-1".to_owned(),
            pid: 1,
            boot_id: "b".to_owned(),
            clock_scale: 1.0,
            cgroup: None,
        };
        run.keeper(0.0, begun);
        run.keeper(
            0.0,
            Event::ChildStarted {
                pid: 2,
                cgroup: None,
            },
        );
        run
    }

    fn event(&mut self, journal: usize, seconds: f64, event: Event) {
        self.live.event(at(seconds), &event);
        let (bytes, seq, prev) = &mut self.journals[journal];
        let entry = Entry {
            seq: *seq,
            prev: prev.clone(),
            at: at(seconds),
            event,
        };
        let line = serde_json::to_vec(&entry).unwrap();
        *prev = Digest::of(&line).hex();
        *seq += 1;
        bytes.extend_from_slice(&line);
        bytes.push(b'\n');
    }

    fn keeper(&mut self, seconds: f64, event: Event) {
        self.event(0, seconds, event);
    }

    fn record(&mut self, record: &Record) {
        self.index.extend_from_slice(&record.encode());
        self.seq += 1;
    }

    fn print(&mut self, stream: Stream, seconds: f64, text: &str) {
        self.live.bytes(stream, at(seconds), text.as_bytes(), None);
        let batch = Batch {
            seq: self.seq,
            stream,
            offset: self.streams[stream as usize].len() as u64,
            at: at(seconds),
            length: text.len() as u32,
            newlines: text.matches('\n').count() as u32,
            recovered: false,
            open_end: !text.ends_with('\n'),
            digest: Digest::of(text.as_bytes()),
        };
        self.record(&Record::Batch(batch));
        self.streams[stream as usize].extend_from_slice(text.as_bytes());
    }

    fn exit(&mut self, seconds: f64, code: i32) {
        self.keeper(
            seconds,
            Event::ChildExited {
                code: Some(code),
                signal: None,
                core: false,
                cpu_ms: 1,
                max_rss_kib: 1,
            },
        );
        for journal in [0, 1] {
            self.event(
                journal,
                seconds + 1.0,
                Event::Ended {
                    reason: "child_exited".to_owned(),
                },
            );
        }
        self.live.tick(at(seconds + 1.0));
        self.live.finish(at(seconds + 1.0), None);
    }

    fn files(&self) -> Files {
        let mut files = self.more.clone();
        files.insert("index".to_owned(), self.index.clone());
        files.insert("keeper.jsonl".to_owned(), self.journals[0].0.clone());
        files.insert("pump.jsonl".to_owned(), self.journals[1].0.clone());
        for stream in Stream::ALL {
            files.insert(
                format!("{stream}.000001"),
                self.streams[stream as usize].clone(),
            );
        }
        Files(files)
    }

    fn judge(&self) -> Report {
        judge(
            &self.spec,
            &self.files(),
            &Judgement::at(at(9999.0).timestamp()),
        )
    }
}

fn beat(n: usize) -> String {
    format!("{{\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"heartbeat #{n}\"}}\n")
}

/// An hour with a beat a minute.
fn well(spec: RunSpec) -> Run {
    let mut run = Run::new(spec);
    for n in 1..=60 {
        run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
    }
    run.exit(3600.0, 0);
    run
}

fn codes(report: &Report) -> String {
    let mut codes: Vec<&str> = report
        .sign_off
        .as_ref()
        .unwrap()
        .findings
        .iter()
        .map(|f| f.code.as_str())
        .collect();
    codes.extend(
        report
            .summary
            .logs
            .iter()
            .flat_map(|l| &l.problems)
            .map(|p| p.code.as_str()),
    );
    codes.join(" ")
}

#[test]
fn a_good_run_passes_and_its_report_has_the_same_bytes_each_time() {
    let run = well(spec());
    let report = run.judge();
    assert_eq!(
        (report.status, codes(&report)),
        (Status::Pass, String::new())
    );
    let logs = report.summary.logs.as_ref().unwrap();
    assert_eq!(
        (logs.total_lines, logs.duration_seconds, logs.uptime_ratio),
        (60, Some(3600.0), Some(1.0))
    );
    assert_eq!(report.summary.metadata.log_line_counts["stdout"], 60);
    assert_eq!(
        (report.summary.metadata.exit_code, report.duration_seconds),
        (Some(0), Some(3600.0))
    );
    let again = serde_json::to_string(&run.judge()).unwrap();
    assert_eq!(serde_json::to_string(&report).unwrap(), again);
    let one = Judgement {
        threads: 1,
        ..Judgement::at(at(9999.0).timestamp())
    };
    assert_eq!(
        serde_json::to_string(&judge(&run.spec, &run.files(), &one)).unwrap(),
        again
    );
}

/// Everything at once: levels, traces over batches, long silences, stragglers, both streams, no line feed at the end.
fn eventful(monitor: bool) -> Run {
    let mut spec = spec();
    spec.lines.monitor = monitor;
    spec.gaps.live_seconds = Some(300.0);
    (spec.gaps.warn_seconds, spec.gaps.fail_seconds) = (200.0, 1500.0);
    spec.resources.max_cpu_percent = Some(50.0);
    spec.heartbeat = Some(HeartbeatSpec {
        period_seconds: 60.0,
        tolerance: 2.0,
        event: Some("heartbeat".to_owned()),
    });
    let mut run = Run::new(spec);
    let trace = "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    main()\nValueError: no\n";
    for n in 1..400usize {
        let now = n as f64 * 8.0 + if n > 200 { 400.0 } else { 0.0 };
        match n % 20 {
            3 => {
                run.print(Stream::Stdout, now, &trace[..40]);
                run.print(Stream::Stderr, now + 0.1, "half a");
                run.live.tick(at(now + 0.2));
                run.print(Stream::Stdout, now + 0.3, &trace[40..]);
                run.print(Stream::Stderr, now + 0.4, " line\n");
            }
            7 => run.print(
                Stream::Stdout,
                now,
                "{\"level\":\"warning\",\"message\":\"queue is long\"}\n",
            ),
            11 => {
                let event = Event::Resources {
                    cpu_percent: n as f64,
                    memory_mb: 10.0,
                    memory_percent: 1.0,
                    processes: 1,
                    open_files: None,
                    threads: 1,
                };
                run.event(1, now, event);
            }
            13 => run.live.tick(at(now)),
            _ => run.print(Stream::Stdout, now, &beat(n)),
        }
    }
    run.event(
        1,
        3595.0,
        Event::PumpLost {
            pid: 7,
            status: "signal 9".to_owned(),
        },
    );
    run.event(
        1,
        3597.0,
        Event::PumpStarted {
            pid: 8,
            restarts: 1,
        },
    );
    run.print(Stream::Stdout, 3598.0, "the last words");
    run.exit(3602.0, 1);
    run
}

#[test]
fn live_and_afterwards_agree() {
    for monitor in [true, false] {
        let run = eventful(monitor);
        let progress = run.live.progress(at(3700.0));
        let report = run.judge();
        let logs = report.summary.logs.as_ref().unwrap();
        assert_eq!(progress.level_counts, logs.level_counts);
        assert_eq!(
            (progress.total_lines, progress.total_bytes),
            (logs.total_lines, logs.total_bytes)
        );
        assert_eq!(
            progress.line_counts,
            report.summary.metadata.log_line_counts
        );
        assert_eq!(progress.incidents, report.incidents, "monitor {monitor}");
        assert_eq!(progress.exit_code, report.summary.metadata.exit_code);
        assert_eq!(
            (report.status, progress.status.as_str()),
            (Status::Fail, "fail")
        );
        let kinds: Vec<IncidentKind> = report.incidents.iter().map(|i| i.kind).collect();
        for kind in [
            IncidentKind::Exit,
            IncidentKind::LogGap,
            IncidentKind::Resource,
            IncidentKind::PumpRestart,
        ] {
            assert!(kinds.contains(&kind), "{kind:?} in {kinds:?}");
        }
        assert_eq!(kinds.contains(&IncidentKind::StackTrace), monitor);
        assert_eq!((logs.content_incidents.len(), logs.warnings.len()), (1, 1));
        assert_eq!(logs.gap_incidents.len(), 1);
        assert_eq!(logs.blind[0].reason, "pump_down");
        assert!(logs.heartbeat.as_ref().unwrap().pessimistic < 0.95);
    }
}

#[test]
fn closed_members_and_a_tail_are_the_same_run() {
    let plain = eventful(true);
    let expected = plain.judge();
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let mut run = eventful(true);
        run.spec.capture.compression = compression;
        let mut files = run.files();
        let bytes = &plain.streams[0];
        let (mut stored, mut offset) = (Vec::new(), 0);
        // Two members, the second ends within a line; the rest is open.
        for end in [5000, 9001] {
            let raw = &bytes[offset..end];
            let packed = match compression {
                Compression::None => raw.to_vec(),
                Compression::Gzip => {
                    let mut e =
                        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    io::Write::write_all(&mut e, raw).unwrap();
                    e.finish().unwrap()
                }
                Compression::Zstd => zstd::bulk::compress(raw, 1).unwrap(),
            };
            let member = Member {
                seq: run.seq,
                stream: Stream::Stdout,
                offset: offset as u64,
                length: raw.len() as u64,
                segment: 1,
                file_offset: stored.len() as u64,
                stored: packed.len() as u64,
                compression,
                recovered: false,
                open_end: true,
                ends_segment: false,
                digest: Digest::of(raw),
            };
            run.record(&Record::Member(member));
            stored.extend_from_slice(&packed);
            offset = end;
        }
        let suffix = match compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        if compression != Compression::None {
            files.0.remove("stdout.000001");
            files.0.insert(format!("stdout.000001{suffix}"), stored);
            // What is in members was punched out of the tail.
            let mut tail = vec![0; offset];
            tail.extend_from_slice(&bytes[offset..]);
            files.0.insert("stdout.tail".to_owned(), tail);
            files
                .0
                .insert("stderr.tail".to_owned(), plain.streams[1].clone());
        }
        files.0.insert("index".to_owned(), run.index.clone());
        let report = judge(&run.spec, &files, &Judgement::at(at(9999.0).timestamp()));
        assert_eq!(
            report.summary.logs, expected.summary.logs,
            "{compression:?}"
        );
        assert_eq!(report.incidents, expected.incidents, "{compression:?}");
    }
}

#[test]
fn whatever_is_changed_or_missing_is_found() {
    type Damage = fn(&mut BTreeMap<String, Vec<u8>>);
    let table: [(Damage, Status, &str); 14] = [
        (
            |f| f.get_mut("stdout.000001").unwrap()[700] ^= 1,
            Status::Invalid,
            "bytes_differ",
        ),
        (
            |f| f.get_mut("stdout.000001").unwrap().truncate(700),
            Status::Invalid,
            "bytes_missing",
        ),
        (
            |f| {
                f.get_mut("stdout.000001")
                    .unwrap()
                    .extend_from_slice(b"more\n")
            },
            Status::Fail,
            "bytes_not_indexed",
        ),
        (
            |f| drop(f.remove("stdout.000001")),
            Status::Invalid,
            "bytes_missing",
        ),
        (
            |f| drop(f.remove("index")),
            Status::Invalid,
            "index_missing",
        ),
        (
            |f| f.get_mut("index").unwrap()[200] ^= 1,
            Status::Invalid,
            "index_damaged",
        ),
        (
            |f| f.get_mut("index").unwrap().truncate(64 + 80 * 59 + 20),
            Status::Fail,
            "index_torn",
        ),
        (
            |f| f.get_mut("index").unwrap().truncate(5),
            Status::Invalid,
            "index_unreadable",
        ),
        (
            |f| drop(f.remove("keeper.jsonl")),
            Status::Invalid,
            "journal_missing",
        ),
        (
            |f| drop(f.remove("pump.jsonl")),
            Status::Invalid,
            "journal_missing",
        ),
        (
            |f| f.get_mut("keeper.jsonl").unwrap()[100] ^= 1,
            Status::Invalid,
            "journal_broken",
        ),
        (
            |f| drop(f.insert("keeper.jsonl".to_owned(), Vec::new())),
            Status::Invalid,
            "start_unknown",
        ),
        (
            |f| {
                let journal = f.get_mut("keeper.jsonl").unwrap();
                let end = journal.len() - 5;
                journal.truncate(end);
            },
            Status::Fail,
            "journal_torn",
        ),
        (
            |f| {
                for name in ["keeper.jsonl", "pump.jsonl"] {
                    let text = String::from_utf8(f[name].clone()).unwrap();
                    let kept: Vec<&str> = text
                        .lines()
                        .filter(|l| !l.contains("\"ended\"") && !l.contains("child_exited"))
                        .collect();
                    f.insert(
                        name.to_owned(),
                        (kept.join("\n") + "\n").trim_start().as_bytes().to_vec(),
                    );
                }
            },
            Status::Invalid,
            "journal_open",
        ),
    ];
    let run = well(spec());
    for (row, (damage, status, code)) in table.into_iter().enumerate() {
        let mut files = run.files();
        damage(&mut files.0);
        let report = judge(&run.spec, &files, &Judgement::at(at(9999.0).timestamp()));
        assert!(
            codes(&report).contains(code),
            "row {row}: {code} in {}",
            codes(&report)
        );
        assert_eq!(report.status, status, "row {row}: {}", codes(&report));
    }
}

#[test]
fn silence_before_the_first_and_after_the_last_line_counts() {
    let mut run = Run::new(spec());
    run.spec.gaps.warn_seconds = 600.0;
    run.print(Stream::Stdout, 1200.0, "hello\n");
    run.print(Stream::Stdout, 1800.0, "hello\n");
    run.exit(3600.0, 0);
    let logs = run.judge().summary.logs.unwrap();
    assert_eq!(logs.gap_incidents.len(), 2);
    assert_eq!(logs.gap_incidents[0].occurred_at, at(0.0).timestamp());
    assert!(
        (logs.uptime_ratio.unwrap() - 0.5).abs() < 1e-9,
        "{:?}",
        logs.uptime_ratio
    );
}

#[test]
fn sleep_counts_against_unless_explained_and_a_clock_step_costs_no_time() {
    let slept = |explained: bool| {
        let mut run = Run::new(spec());
        run.spec.heartbeat = Some(HeartbeatSpec {
            period_seconds: 60.0,
            tolerance: 1.5,
            event: Some("heartbeat".to_owned()),
        });
        if explained {
            let why = "the laptop was closed".to_owned();
            run.spec.explained.insert("suspend".to_owned(), why);
        }
        // Beats each minute, but for ten minutes in which the machine slept.
        for n in (1..=20).chain(31..=60) {
            run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
        }
        let ns = 600_000_000_000;
        run.keeper(1795.0, Event::Suspended { ns });
        run.exit(3600.0, 0);
        run.judge()
    };
    let logs = slept(false).summary.logs.unwrap();
    let heartbeat = logs.heartbeat.unwrap();
    assert!(
        heartbeat.pessimistic < 1.0 - 540.0 / 3600.0,
        "{heartbeat:?}"
    );
    let span = logs.blind.iter().find(|b| b.reason == "suspend").unwrap();
    assert_eq!(span.to.as_millis() - span.from.as_millis(), 600_000);
    assert_eq!(span.explained, None);
    let logs = slept(true).summary.logs.unwrap();
    let explained = logs.heartbeat.unwrap();
    assert!(
        explained.pessimistic > heartbeat.pessimistic + 0.1 && explained.unknown_seconds == 0.0,
        "{explained:?}"
    );
    assert!(logs.blind.iter().any(|b| b.explained.is_some()));

    // The wall clock is set a day forward: told, and durations do not change.
    let mut run = well(spec());
    let ns = 86_400_000_000_000;
    run.keeper(1800.0, Event::ClockStep { ns });
    let stepped = run.judge();
    let steady = well(spec()).judge();
    assert_eq!(stepped.duration_seconds, steady.duration_seconds);
    let (stepped_logs, steady_logs) = (stepped.summary.logs.unwrap(), steady.summary.logs.unwrap());
    assert_eq!(stepped_logs.uptime_ratio, steady_logs.uptime_ratio);
    assert!(stepped_logs.blind.iter().any(|b| b.reason == "clock_step"));
    let told = stepped
        .incidents
        .iter()
        .find(|i| i.kind == IncidentKind::Clock);
    assert!(told.unwrap().severity >= Status::Warn);
}

#[test]
fn forged_times_do_not_lengthen_a_run() {
    let mut run = Run::new(spec());
    run.print(
        Stream::Stdout,
        1.0,
        "{\"timestamp\":\"2026-01-01T00:00:00Z\"}\n{\"timestamp\":\"2026-12-01T00:00:00Z\"}\n",
    );
    run.exit(10.0, 0);
    let report = run.judge();
    assert_eq!(report.duration_seconds, Some(10.0));
    assert!(
        codes(&report).contains("duration_below_minimum"),
        "{}",
        codes(&report)
    );
    assert!(report.summary.logs.unwrap().skew.unwrap().max_seconds > 1e6);
}

#[test]
fn evidence_is_judged_with_the_run() {
    let mut spec = spec();
    spec.evidence = vec![
        declaration("diary", EvidenceFormat::Diary),
        declaration("performance", EvidenceFormat::Performance),
        declaration("extra", EvidenceFormat::Json),
    ];
    (
        spec.criteria.require_diary,
        spec.criteria.require_performance,
    ) = (true, true);
    let mut run = well(spec);
    let bad = run.judge();
    for code in ["diary_missing", "performance_missing", "evidence_missing"] {
        assert!(codes(&bad).contains(code), "{}", codes(&bad));
    }
    let (from, to) = (at(10.0).timestamp(), at(3590.0).timestamp());
    let mut put = |name: &str, text: String| {
        drop(
            run.more
                .insert(format!("evidence/{name}"), text.into_bytes()),
        )
    };
    put(
        "diary",
        format!("[{{\"recorded_at\":\"{from}\"}},{{\"recorded_at\":\"{to}\"}}]"),
    );
    put(
        "performance",
        format!("{{\"generated_at\":\"{to}\",\"period_start\":\"{from}\",\"trades\":1}}"),
    );
    put("extra", "{}".to_owned());
    let good = run.judge();
    assert_eq!((good.status, codes(&good)), (Status::Pass, String::new()));
    run.more
        .insert("evidence/diary".to_owned(), b"{\"entries\":[{".to_vec());
    let torn = run.judge();
    assert_eq!(torn.status, Status::Fail);
    assert!(codes(&torn).contains("evidence_unreadable"));
}

#[test]
fn accepted_warnings_pass_and_are_listed() {
    for (allow, status) in [(false, Status::Fail), (true, Status::Pass)] {
        let mut spec = spec();
        spec.criteria.allow_warnings = allow;
        let mut run = Run::new(spec);
        for n in 1..=60 {
            run.print(Stream::Stdout, n as f64 * 60.0 - 5.0, &beat(n));
        }
        run.print(
            Stream::Stdout,
            3598.0,
            "{\"level\":\"warning\",\"message\":\"hm\"}\n",
        );
        run.exit(3600.0, 0);
        let report = run.judge();
        assert_eq!(report.status, status, "{}", codes(&report));
        assert_eq!(report.incidents[0].accepted.is_some(), allow);
        assert_eq!(report.summary.status, Status::Warn);
        assert!(
            report
                .sign_off
                .unwrap()
                .findings
                .iter()
                .all(|f| f.accepted.is_some() == allow)
        );
    }
}

#[test]
fn simulated_clocks_are_invalid_whatever_the_specification_says() {
    let mut run = well(spec());
    run.spec.clock_scale = 100.0;
    assert_eq!(run.judge().status, Status::Invalid);
    let mut run = Run::new(spec());
    run.journals[0] = (Vec::new(), 0, Digest::of(b"").hex());
    run.keeper(
        0.0,
        Event::Begun {
            run_id: "run-1".to_owned(),
            pid: 1,
            boot_id: "b".to_owned(),
            clock_scale: 100.0,
            cgroup: None,
        },
    );
    run.keeper(
        0.0,
        Event::ChildStarted {
            pid: 2,
            cgroup: None,
        },
    );
    run.print(Stream::Stdout, 1.0, "hello\n");
    run.exit(3600.0, 0);
    assert!(codes(&run.judge()).contains("simulated_clock"));
}

#[test]
fn nothing_at_all_is_judged_as_that() {
    let report = judge(
        &spec(),
        &Files(BTreeMap::new()),
        &Judgement::at(at(0.0).timestamp()),
    );
    assert_eq!(report.status, Status::Invalid);
    let mut bad = spec();
    bad.lines.allow.push(crate::spec::Allow {
        name: "x".to_owned(),
        pattern: "(".to_owned(),
        owner: "o".to_owned(),
        expires: at(0.0).timestamp(),
        reason: String::new(),
    });
    let report = judge(
        &bad,
        &well(spec()).files(),
        &Judgement::at(at(0.0).timestamp()),
    );
    assert_eq!(report.status, Status::Invalid);
    assert!(codes(&report).contains("rules_unreadable"));
}

#[test]
fn an_index_that_was_made_again_after_the_end_is_no_evidence() {
    let mut run = well(spec());
    assert_eq!(run.judge().status, Status::Pass);
    run.keeper(
        3700.0,
        Event::Recovered {
            killed: 0,
            bytes: 500,
        },
    );
    run.keeper(
        3700.0,
        Event::Ended {
            reason: "child_exited".to_owned(),
        },
    );
    let report = run.judge();
    assert_eq!(report.status, Status::Invalid);
    assert!(codes(&report).contains("index_replaced"), "{report:?}");
}
