//! Tests of the audit: cuts, packings, clocks.

use std::io::Write as _;

use super::*;
use crate::summary::Logs;
use crate::testing::{BASE, lines, spec};
use crate::{Status, Stream};
use gonogo_core::Timestamp;

mod records;

fn rules() -> LogRules {
    LogRules {
        lines: lines(),
        gaps: spec().gaps,
        heartbeat: None,
        format: Format::Auto,
        judged_at: Some(Timestamp::from_millis(BASE / 1_000_000)),
    }
}

fn audit_with(files: &[Vec<u8>], rules: &LogRules, threads: usize) -> Logs {
    let files: Vec<LogFile<'_>> = files
        .iter()
        .enumerate()
        .map(|(i, f)| LogFile {
            name: format!("f{i}"),
            source: f,
        })
        .collect();
    logs(&files, rules, threads, None).unwrap()
}

fn audit(text: &str) -> Logs {
    audit_with(&[text.as_bytes().to_vec()], &rules(), 1)
}

fn stamp(seconds: f64) -> String {
    Timestamp::from_millis(BASE / 1_000_000 + (seconds * 1000.0) as i64).to_string()
}

fn beat(seconds: f64) -> String {
    format!(
        "{{\"timestamp\":\"{}\",\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"beat\"}}\n",
        stamp(seconds)
    )
}

#[test]
fn json_lines_with_times() {
    let log = audit(&(beat(0.0) + &beat(5400.0) + &beat(7200.0)));
    assert_eq!((log.total_lines, log.status), (3, Status::Warn));
    assert!((log.uptime_ratio.unwrap() - 0.75).abs() < 1e-9);
    assert_eq!(log.duration_seconds, Some(7200.0));
    assert_eq!(log.event_counts["heartbeat"], 3);
    assert_eq!(log.gap_incidents[0].metadata["gap_seconds"], 5400.0);
    assert_eq!(log.started_at.unwrap().to_string(), stamp(0.0));
    let log = audit(&(beat(0.0) + &beat(3600.0)));
    assert_eq!((log.status, log.uptime_ratio), (Status::Pass, Some(1.0)));
    let log = audit(&(beat(0.0) + &beat(21_600.0)));
    assert_eq!(log.status, Status::Fail);
    assert_eq!(
        (audit("").uptime_ratio, audit(&beat(1.0)).uptime_ratio),
        (None, Some(1.0))
    );
}

#[test]
fn lines_of_text_with_times_of_all_kinds() {
    for (format, line) in [
        ("rfc", format!("{} INFO up\n", stamp(0.0))),
        ("epoch", format!("{} up\n", BASE / 1_000_000_000)),
        ("epoch ms", format!("[{}] up\n", BASE / 1_000_000)),
        ("syslog", "Nov  1 00:00:00 host app[1]: up\n".to_owned()),
    ] {
        let log =
            audit(&(line + "and a line without\n" + &format!("{} ERROR down\n", stamp(60.0))));
        assert_eq!(
            (log.total_lines, log.duration_seconds, log.errors.len()),
            (3, Some(60.0), 1),
            "{format}"
        );
        assert_eq!(
            log.errors[0].occurred_at.to_string(),
            stamp(60.0),
            "{format}"
        );
        assert_eq!(log.errors[0].metadata["line"], 3, "{format}");
    }
}

#[test]
fn look_alikes_do_not_fail_and_traces_do() {
    for line in [
        "0 exceptions raised",
        "no panic seen",
        "Exception handler registered",
    ] {
        assert_eq!(
            audit(&format!("{} INFO {line}\n", stamp(0.0))).status,
            Status::Pass,
            "{line}"
        );
    }
    let trace = "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    main()\nValueError: no\n";
    let log = audit(&format!("{}{trace}{}", beat(7.0), beat(8.0)));
    assert_eq!((log.status, log.content_incidents.len()), (Status::Fail, 1));
    assert_eq!(log.content_incidents[0].occurred_at.to_string(), stamp(7.0));
}

fn view(text: &str) -> Vec<u8> {
    use crate::classify::{Classifier, Finding, Line, Sink};
    struct Render(crate::view::Renderer, Stream, Vec<u8>);
    impl Sink for Render {
        const LINES: bool = true;
        fn line(&mut self, line: &Line<'_>) {
            self.0.jsonl(self.1, line, &mut self.2);
        }
        fn finding(&mut self, _: Finding) {}
    }
    let mut out = Vec::new();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let stream = if line.contains("to stderr") {
            Stream::Stderr
        } else {
            Stream::Stdout
        };
        let mut sink = Render(
            crate::view::Renderer::new(),
            stream,
            std::mem::take(&mut out),
        );
        Classifier::new(stream, &lines()).unwrap().feed(
            crate::testing::at(i as f64),
            line.as_bytes(),
            &mut sink,
        );
        out = sink.2;
    }
    out
}

#[test]
fn our_own_views_are_read_by_what_they_hold() {
    let forged = "{\"timestamp\":\"2031-01-01T00:00:00Z\",\"level\":\"info\",\"event\":\"e\"}\n";
    let trace = "Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    main()\nValueError: no\n";
    let text = format!(
        "{}{forged}{trace}to stderr\n{}plain\n",
        beat(0.0),
        beat(1.0)
    );
    let log = audit_with(&[view(&text)], &rules(), 1);
    assert_eq!((log.total_lines, log.ignored_lines), (9, 0));
    assert_eq!((log.content_incidents.len(), log.errors.len()), (1, 1));
    assert_eq!(log.errors[0].metadata["stream"], "stderr");
    // Times of arrival count; the child's are claims.
    assert_eq!(log.duration_seconds, Some(8.0));
    let skew = log.skew.unwrap();
    assert_eq!((skew.records, skew.backwards), (3, 1));
    assert!(skew.max_seconds > 1e8);
}

#[test]
fn heartbeats_are_bounds() {
    let mut rules = rules();
    rules.heartbeat = Some(HeartbeatSpec {
        period_seconds: 10.0,
        tolerance: 2.0,
        event: Some("heartbeat".to_owned()),
    });
    let noise = |s: f64| format!("{{\"timestamp\":\"{}\",\"event\":\"noise\"}}\n", stamp(s));
    let text: String = (0..=100)
        .map(|i| {
            if (10..16).contains(&i) {
                noise(f64::from(i) * 10.0)
            } else {
                beat(f64::from(i) * 10.0)
            }
        })
        .collect();
    let log = audit_with(&[text.into_bytes()], &rules, 1);
    let h = log.heartbeat.unwrap();
    assert_eq!((h.outages, h.longest_outage_seconds), (1, 60.0));
    assert!(
        (h.pessimistic - 0.94).abs() < 1e-9 && (h.optimistic - 0.95).abs() < 1e-9,
        "{h:?}"
    );
}

/// A log with everything in it: traces at borders, long lines, lines without times, no line feed at the end.
fn mixture(rows: usize) -> String {
    let mut text = String::new();
    for i in 0..rows {
        let at = i as f64 * 7.0;
        match i % 97 {
            3 => text.push_str("Traceback (most recent call last):\n  File \"a.py\", line 3, in <module>\n    main()\nValueError: no\n"),
            11 => text.push_str(&format!("{} WARN queue {i} is long\n", stamp(at))),
            29 => text.push_str("panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:7 +0x1d\nexit status 2\n"),
            41 => text.push_str(&format!("{{\"time\":{},\"level\":\"error\",\"msg\":\"order refused\",\"event\":\"e{}\"}}\n", BASE / 1_000_000 + i as i64, i % 5)),
            57 => text.push_str("a line without a time\n\n"),
            73 => text.push_str("thread 'main' panicked at src/main.rs:4:5:\nboom\nstack backtrace:\n   0: a::b\n             at ./src/a.rs:1:2\nnote: run with\n"),
            _ => text.push_str(&beat(at)),
        }
    }
    text.push_str("the end");
    text
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Compares without printing everything there is.
#[track_caller]
fn same(found: &Logs, whole: &Logs, what: &str) {
    for (a, b) in [
        (&found.content_incidents, &whole.content_incidents),
        (&found.errors, &whole.errors),
        (&found.warnings, &whole.warnings),
        (&found.gap_incidents, &whole.gap_incidents),
    ] {
        let different = a.iter().zip(b).find(|(a, b)| a != b);
        assert_eq!((different, a.len()), (None, b.len()), "{what}");
    }
    assert_eq!(found.total_lines, whole.total_lines, "{what}");
    assert_eq!(found.total_bytes, whole.total_bytes, "{what}");
    assert_eq!(found.skew, whole.skew, "{what}");
    assert_eq!(found.level_counts, whole.level_counts, "{what}");
    let point = found.rate.iter().zip(&whole.rate).find(|(a, b)| a != b);
    assert_eq!(
        (point, found.rate.len()),
        (None, whole.rate.len()),
        "{what}"
    );
    assert!(found == whole, "{what}");
}

#[test]
fn cuts_into_members_change_nothing() {
    let text = mixture(600);
    let whole = audit(&text);
    assert!(whole.content_incidents.len() >= 2 && whole.total_lines > 600);
    for width in [997, 4096, 20_011] {
        let members: Vec<&[u8]> = text.as_bytes().chunks(width).collect();
        let packed: Vec<u8> = members.iter().flat_map(|m| gzip(m)).collect();
        let frames: Vec<u8> = members
            .iter()
            .flat_map(|m| zstd::bulk::compress(m, 1).unwrap())
            .collect();
        same(
            &audit_with(&[packed], &rules(), 2),
            &whole,
            &format!("gzip {width}"),
        );
        same(
            &audit_with(&[frames], &rules(), 2),
            &whole,
            &format!("zstd {width}"),
        );
    }
    // Files that end with lines.
    let mut files = vec![String::new()];
    for (i, line) in text.split_inclusive('\n').enumerate() {
        if i % 13 == 0 && i > 0 {
            files.push(String::new());
        }
        files.last_mut().unwrap().push_str(line);
    }
    for threads in [1, 2, 3] {
        let files: Vec<Vec<u8>> = files
            .iter()
            .enumerate()
            .map(|(i, f)| {
                if i % 2 == 0 {
                    gzip(f.as_bytes())
                } else {
                    f.clone().into_bytes()
                }
            })
            .collect();
        same(
            &audit_with(&files, &rules(), threads),
            &whole,
            &format!("{threads} threads"),
        );
    }
}

#[test]
fn parts_of_one_big_file_change_nothing() {
    // More than two parts, borders within lines and traces, with and without packing.
    let unit = mixture(20_000);
    let mut text = String::new();
    while text.len() < 18 << 20 {
        text.push_str(&unit);
        text.push('\n');
    }
    let mut one = text.clone();
    one.push('x');
    let whole = audit_with(&[one.clone().into_bytes()], &rules(), 1);
    let sequential = {
        let reading = rules().reading();
        let mut reader = reader::Reader::new(
            &reading,
            reader::Kind::Lines(Format::Auto),
            reader::Times::Lines,
            Stream::Stdout,
        )
        .unwrap();
        reader.feed(crate::Moment::default(), one.as_bytes());
        reader.finish(crate::Moment::default());
        let mut engine = crate::engine::Engine::default();
        let tally = reader.take();
        engine.absorb(tally.sightings);
        (
            tally.counts.lines,
            engine
                .causes()
                .iter()
                .map(|c| (c.key.clone(), c.count, c.first))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(whole.total_lines, sequential.0);
    let found: u64 = whole
        .errors
        .iter()
        .chain(&whole.content_incidents)
        .chain(&whole.warnings)
        .map(|i| i.count)
        .sum();
    assert_eq!(found, sequential.1.iter().map(|c| c.1).sum::<u64>());
    same(
        &audit_with(&[one.clone().into_bytes()], &rules(), 3),
        &whole,
        "",
    );
    let packed: Vec<u8> = one.as_bytes().chunks(300_007).flat_map(gzip).collect();
    same(&audit_with(&[packed], &rules(), 2), &whole, "");
}

#[test]
fn every_packing_is_read() {
    let text = mixture(300);
    let whole = audit(&text);
    let bytes = text.as_bytes();
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(bytes).unwrap();
    for (name, packed) in [
        ("gzip", gzip(bytes)),
        ("zstd", zstd::bulk::compress(bytes, 3).unwrap()),
        ("bzip2", bz.finish().unwrap()),
        ("padded gzip", [gzip(bytes), vec![0; 700]].concat()),
    ] {
        same(&audit_with(&[packed], &rules(), 2), &whole, name);
    }
}

#[test]
fn cut_and_damaged_files_are_read_as_far_as_they_go() {
    let text = mixture(3000);
    let whole = audit(&text).total_lines;
    let codes = |log: &Logs| {
        log.problems
            .iter()
            .map(|p| p.code.clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    for (name, packed) in [
        ("gzip", gzip(text.as_bytes())),
        ("zstd", zstd::bulk::compress(text.as_bytes(), 1).unwrap()),
    ] {
        let cut = audit_with(&[packed[..packed.len() * 7 / 10].to_vec()], &rules(), 2);
        assert_eq!(
            (codes(&cut).as_str(), cut.status),
            ("log_truncated", Status::Fail),
            "{name}"
        );
        assert!(
            name == "zstd" || (cut.total_lines > whole / 2 && cut.total_lines < whole),
            "{name}: {} of {whole}",
            cut.total_lines
        );
        let mut bad = packed.clone();
        let middle = bad.len() / 2;
        bad[middle..middle + 40].fill(0xff);
        let bad = audit_with(&[bad], &rules(), 2);
        assert_eq!(bad.status, Status::Invalid, "{name} {}", codes(&bad));
    }
    let mut tail = gzip(text.as_bytes());
    tail.extend_from_slice(b"not a member");
    assert_eq!(audit_with(&[tail], &rules(), 2).status, Status::Invalid);
}

#[test]
fn allow_list_rules_expire_by_the_time_of_the_line() {
    let mut rules = rules();
    rules.lines.allow.push(crate::spec::Allow {
        name: "known".to_owned(),
        pattern: "queue".to_owned(),
        owner: "o".to_owned(),
        expires: Timestamp::from_millis(BASE / 1_000_000 + 100_000),
        reason: String::new(),
    });
    let text = format!(
        "{} WARN queue long\n{} WARN queue long\n",
        stamp(50.0),
        stamp(150.0)
    );
    let log = audit_with(&[text.into_bytes()], &rules, 1);
    assert_eq!(
        log.warnings
            .iter()
            .map(|w| w.accepted.is_some())
            .collect::<Vec<_>>(),
        [true, false]
    );
}

#[test]
fn a_flood_of_causes_is_exact_in_any_number_of_parts() {
    let letters = |n: usize| {
        (0..6)
            .map(|i| char::from(b'a' + (n / 26usize.pow(i) % 26) as u8))
            .collect::<String>()
    };
    let text: String = (0..60_000)
        .map(|i| format!("{} WARN about {}\n", stamp(i as f64), letters(i)))
        .collect();
    let whole = audit(&text);
    let counted: u64 = whole.warnings.iter().map(|w| w.count).sum::<u64>()
        + whole.not_kept.iter().map(|n| n.count).sum::<u64>();
    assert_eq!((counted, whole.warnings.len()), (60_000, 4096));
    let packed: Vec<Vec<u8>> = text.as_bytes().chunks(50_000).map(gzip).collect();
    let joined: Vec<u8> = packed.concat();
    same(&audit_with(&[joined], &rules(), 2), &whole, "");
}

#[derive(Default)]
struct Memory {
    kept: std::sync::Mutex<std::collections::BTreeMap<gonogo_core::Digest, Vec<u8>>>,
    hits: std::sync::atomic::AtomicU64,
}

impl Cache for Memory {
    fn load(&self, key: &gonogo_core::Digest) -> Option<Vec<u8>> {
        let found = self.kept.lock().unwrap().get(key).cloned();
        self.hits.fetch_add(
            u64::from(found.is_some()),
            std::sync::atomic::Ordering::SeqCst,
        );
        found
    }

    fn store(&self, key: &gonogo_core::Digest, summary: &[u8]) {
        self.kept.lock().unwrap().insert(*key, summary.to_vec());
    }
}

#[test]
fn what_was_read_before_is_not_read_again_and_says_the_same() {
    let text = mixture(3000);
    for packed in [false, true] {
        // Cut anywhere: lines and traces are open at the borders.
        let files: Vec<Vec<u8>> = if packed {
            vec![text.as_bytes().chunks(9_973).flat_map(gzip).collect()]
        } else {
            text.split_inclusive('\n')
                .collect::<Vec<_>>()
                .chunks(501)
                .map(|c| c.concat().into_bytes())
                .collect()
        };
        let whole = audit_with(&files, &rules(), 2);
        let cache = Memory::default();
        let named = |files: &[Vec<u8>], rules: &LogRules| {
            let files: Vec<LogFile<'_>> = files
                .iter()
                .enumerate()
                .map(|(i, f)| LogFile {
                    name: format!("f{i}"),
                    source: f,
                })
                .collect();
            logs(&files, rules, 2, Some(&cache)).unwrap()
        };
        let hits = || cache.hits.load(std::sync::atomic::Ordering::SeqCst);
        same(&named(&files, &rules()), &whole, "first");
        assert_eq!(hits(), 0);
        same(&named(&files, &rules()), &whole, "again");
        assert_eq!(hits(), files.len() as u64);
        let mut other = rules();
        other.lines.stderr = crate::spec::StderrPolicy::Info;
        named(&files, &other);
        assert_eq!(
            hits(),
            files.len() as u64,
            "other rules are another question"
        );
        // What cannot be read is read again from the log.
        cache
            .kept
            .lock()
            .unwrap()
            .values_mut()
            .for_each(|v| v.truncate(v.len() / 2));
        same(&named(&files, &rules()), &whole, "torn");
    }
}
