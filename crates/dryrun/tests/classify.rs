//! The classifier as its users see it: lines of any kind, any portions, a state that is kept and taken up again, levels and traces
//! that do not fail a run twice, traces inside records, the allow-list, and views that are valid JSON whatever was printed.

#![allow(clippy::unwrap_used, reason = "tests")]

use gonogo_core::Timestamp;
use gonogo_dryrun::classify::{Classifier, Finding, LINE_LIMIT, Level, Line, Saved, Sink, What};
use gonogo_dryrun::spec::{Allow, Lines, NumericLevels, StderrPolicy};
use gonogo_dryrun::view::Renderer;
use gonogo_dryrun::{Moment, Status, Stream};
use proptest::prelude::*;
use serde_json::Value;

/// All that a sink is told, as text.
#[derive(Default)]
struct Told {
    renderer: Renderer,
    log: Vec<u8>,
    jsonl: Vec<u8>,
    lines: Vec<(u64, Level, String, usize, u64, bool)>,
    findings: Vec<Finding>,
}

impl Sink for Told {
    const LINES: bool = true;

    fn line(&mut self, line: &Line<'_>) {
        self.renderer.log(line, &mut self.log);
        self.renderer.jsonl(Stream::Stdout, line, &mut self.jsonl);
        self.lines.push((
            line.number,
            line.level,
            line.level_word.to_string(),
            line.bytes.len(),
            line.beyond,
            line.ended,
        ));
    }

    fn finding(&mut self, finding: Finding) {
        self.findings.push(finding);
    }
}

/// Only findings.
#[derive(Default)]
struct Counted(Vec<Finding>);

impl Sink for Counted {
    const LINES: bool = false;

    fn line(&mut self, _: &Line<'_>) {
        panic!("a line that nobody wanted");
    }

    fn finding(&mut self, finding: Finding) {
        self.0.push(finding);
    }
}

fn rules() -> Lines {
    Lines {
        monitor: true,
        stderr: StderrPolicy::Error,
        allow: Vec::new(),
        numeric: NumericLevels::Auto,
        source_field: None,
    }
}

fn at(seconds: u64) -> Moment {
    Moment {
        boot: seconds * 1_000_000_000,
        wall: seconds as i64 * 1_000_000_000,
    }
}

fn read_by(stream: Stream, rules: &Lines, bytes: &[u8]) -> Told {
    let mut told = Told::default();
    let mut classifier = Classifier::new(stream, rules).unwrap();
    classifier.feed(at(1), bytes, &mut told);
    classifier.finish(at(1), &mut told);
    told
}

fn read(stream: Stream, bytes: &[u8]) -> Told {
    read_by(stream, &rules(), bytes)
}

/// Severities and what was found, in short.
fn short(told: &Told) -> Vec<(Status, u64, String)> {
    told.findings
        .iter()
        .map(|finding| {
            let what = match &finding.what {
                What::Line { .. } => "line".to_owned(),
                What::Trace {
                    language,
                    kind,
                    lines,
                    frames,
                } => format!("{language} {kind} {lines}/{frames}"),
                What::LongLine { bytes } => format!("long {bytes}"),
            };
            (finding.severity, finding.line, what)
        })
        .collect()
}

const TRACE: &str =
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    g()\nValueError: no\n";

#[test]
fn a_traceback_on_stderr_is_one_failure() {
    let told = read(Stream::Stderr, TRACE.as_bytes());
    assert_eq!(
        short(&told),
        [(Status::Fail, 1, "python ValueError 4/1".to_owned())]
    );
    // Its lines count all the same.
    assert!(told.lines.iter().all(|line| line.1 == Level::Error));
}

#[test]
fn one_line_that_looks_like_a_frame_fails_nothing() {
    let text = b"INFO Server started\n    at localhost (127.0.0.1:8080)\nINFO b\n";
    let told = read(Stream::Stdout, text);
    assert!(
        !told.findings.is_empty() && told.findings.iter().all(|f| f.severity == Status::Warn),
        "{:?}",
        told.findings
    );
    // It takes nothing from a line that is a failure by itself.
    let text = b"ERROR Server failed\n    at localhost (127.0.0.1:8080)\nINFO b\n";
    let told = read(Stream::Stdout, text);
    assert!(told.findings.iter().any(|f| f.severity == Status::Fail));
    let quoted = b"level=error msg=\"Server failed\\n    at localhost (127.0.0.1:8080)\\n\"\n";
    let told = read(Stream::Stdout, quoted);
    assert!(told.findings.iter().any(|f| f.severity == Status::Fail));
    let plain = b"Server failed\n    at localhost (127.0.0.1:8080)\n";
    let told = read(Stream::Stderr, plain);
    assert!(told.findings.iter().any(|f| f.severity == Status::Fail));
    let text = b"Error: no funds\n    at pay (/srv/shop.js:12:4)\nINFO b\n";
    let told = read(Stream::Stdout, text);
    assert!(told.findings.iter().any(|f| f.severity == Status::Fail));
}

#[test]
fn a_lone_start_word_is_a_warning_and_hides_no_failure() {
    let told = read(Stream::Stdout, b"panic: at the disco\nnext\n");
    assert_eq!(short(&told), [(Status::Warn, 1, "go panic 1/0".to_owned())]);
    let told = read(Stream::Stderr, b"panic: boom\n");
    assert!(
        short(&told).contains(&(Status::Fail, 1, "line".to_owned())),
        "{:?}",
        short(&told)
    );
}

#[test]
fn a_record_before_a_trace_keeps_its_finding() {
    let told = read(
        Stream::Stdout,
        format!("ERROR request failed\n{TRACE}").as_bytes(),
    );
    assert_eq!(
        short(&told),
        [
            (Status::Fail, 1, "line".to_owned()),
            (Status::Fail, 2, "python ValueError 4/1".to_owned())
        ]
    );
}

#[test]
fn the_head_of_unannounced_frames_is_no_finding_of_its_own() {
    let told = read(Stream::Stderr, b"com.shop.Boom: broke\n\tat com.shop.Cart.pay(Cart.java:3)\n\tat com.shop.Main.main(Main.java:9)\n");
    assert_eq!(
        short(&told),
        [(Status::Fail, 1, "java com.shop.Boom 3/2".to_owned())]
    );
}

#[test]
fn an_abandoned_start_gives_its_line_back() {
    let told = read(
        Stream::Stdout,
        b"ERROR caught a ConnectionError: reset\nfine\nfine\nfine\n",
    );
    assert_eq!(short(&told), [(Status::Fail, 1, "line".to_owned())]);
}

#[test]
fn traces_inside_records_are_found() {
    for (line, what) in [
        (
            serde_json::json!({"level": "error", "message": "x", "exc_info": TRACE}),
            "python ValueError 4/1",
        ),
        (
            serde_json::json!({"level": 50, "err": {"type": "TypeError", "message": "no", "stack": "TypeError: no\n    at f (/a.js:1:2)\n    at g (/a.js:2:3)"}}),
            "node TypeError 3/2",
        ),
        (
            serde_json::json!({"level": "info", "message": TRACE}),
            "python ValueError 4/1",
        ),
        (
            serde_json::json!({"level": "error", "error.type": "java.lang.Oops", "error.stack_trace": "java.lang.Oops: no\n\tat a.B.c(B.java:1)\n"}),
            "java java.lang.Oops 2/1",
        ),
        (
            serde_json::json!({"level": "error", "attributes": {"exception.type": "E", "exception.stacktrace": TRACE}}),
            "python ValueError 4/1",
        ),
        (
            serde_json::json!({"level": "error", "msg": "x", "stacktrace": "main.main\n\t/srv/main.go:10\nruntime.main\n\t/usr/local/go/src/runtime/proc.go:250"}),
            "go unknown 4/2",
        ),
        (
            serde_json::json!({"level": "error", "exception": [{"exc_type": "ValueError", "exc_value": "no", "frames": [{"filename": "a.py", "lineno": 1, "name": "f"}]}]}),
            "python ValueError 1/1",
        ),
        (
            serde_json::json!({"level": "error", "error": {"class": "KeyError", "backtrace": ["a.rb:1:in `f'", "a.rb:2:in `g'"]}}),
            "ruby KeyError 2/2",
        ),
    ] {
        let told = read(Stream::Stdout, format!("{line}\n").as_bytes());
        assert_eq!(short(&told), [(Status::Fail, 1, what.to_owned())], "{line}");
    }
}

#[test]
fn a_trace_in_a_quoted_value_is_found() {
    let told = read(Stream::Stdout, b"level=info msg=x err=\"Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1, in f\\n    g()\\nValueError: x\"\n");
    assert_eq!(
        short(&told),
        [(Status::Fail, 1, "python ValueError 4/1".to_owned())]
    );
}

#[test]
fn a_record_that_names_the_exception_is_not_its_trace() {
    let told = read(Stream::Stdout, b"2026-11-21 12:00:00 ERROR it threw [nested java.lang.Oops: IllegalStateException: x] so\n\njava.lang.IllegalStateException: x\n\tat a.B.c(B.java:1)\n");
    assert!(
        short(&told).contains(&(
            Status::Fail,
            3,
            "java java.lang.IllegalStateException 2/1".to_owned()
        )),
        "{:?}",
        short(&told)
    );
}

#[test]
fn a_trace_each_of_whose_lines_a_logger_prefixed_is_one() {
    let log: String = TRACE
        .lines()
        .enumerate()
        .map(|(n, line)| format!("2026-11-21 12:00:0{n},1{n} ERROR worker: {line}\n"))
        .collect();
    let told = read(
        Stream::Stdout,
        format!("{log}2026-11-21 12:00:09,1 INFO worker: fine\n").as_bytes(),
    );
    assert_eq!(
        short(&told),
        [(Status::Fail, 1, "python ValueError 4/1".to_owned())]
    );
}

#[test]
fn records_that_carry_one_line_of_a_trace_each_are_put_together_by_source() {
    let mut rules = rules();
    rules.source_field = Some("app".to_owned());
    let mut log = String::new();
    for line in TRACE.lines() {
        for app in ["a", "b"] {
            log += &format!(
                "{}\n",
                serde_json::json!({"log": format!("{line}\n"), "app": app, "time": "2026-11-21T12:00:00Z"})
            );
        }
    }
    let told = read_by(Stream::Stdout, &rules, log.as_bytes());
    assert_eq!(
        short(&told),
        [
            (Status::Fail, 1, "python ValueError 4/1".to_owned()),
            (Status::Fail, 2, "python ValueError 4/1".to_owned())
        ]
    );
    assert_eq!(told.findings[0].key, told.findings[1].key);
}

#[test]
fn a_trace_is_told_after_two_quiet_seconds() {
    let mut told = Told::default();
    let mut classifier = Classifier::new(Stream::Stdout, &rules()).unwrap();
    classifier.feed(at(10), TRACE.as_bytes(), &mut told);
    classifier.quiet(at(12), &mut told);
    assert_eq!(told.findings.len(), 0);
    classifier.quiet(
        Moment {
            boot: 12_000_000_001,
            wall: 0,
        },
        &mut told,
    );
    assert_eq!(told.findings.len(), 1);
    assert_eq!(told.findings[0].at, at(10));
    assert_eq!(classifier.open_line_start(), classifier.offset());
    classifier.finish(at(99), &mut told);
    assert_eq!(told.findings.len(), 1);
}

#[test]
fn keys_tell_causes_apart_and_nothing_else() {
    let key = |text: &str| {
        read(Stream::Stdout, text.as_bytes()).findings[0]
            .key
            .clone()
    };
    assert_eq!(key(TRACE), key(&TRACE.replace("line 1", "line 77")));
    assert_ne!(key(TRACE), key(&TRACE.replace("in f", "in h")));
    assert_eq!(
        key("ERROR order 12 of 'a' lost\n"),
        key("ERROR order 9981 of 'b' lost\n")
    );
    assert_ne!(key("ERROR order 12 lost\n"), key("ERROR order 12 found\n"));
}

#[test]
fn the_allow_list_accepts_until_it_expires() {
    let mut rules = rules();
    rules.allow.push(Allow {
        name: "known".to_owned(),
        pattern: "ValueError: no$".to_owned(),
        owner: "ops".to_owned(),
        expires: Timestamp::from_millis(2_000),
        reason: String::new(),
    });
    assert_eq!(
        read_by(Stream::Stdout, &rules, TRACE.as_bytes()).findings[0]
            .accepted
            .as_deref(),
        Some("known")
    );
    rules.allow[0].expires = Timestamp::from_millis(500);
    assert_eq!(
        read_by(Stream::Stdout, &rules, TRACE.as_bytes()).findings[0].accepted,
        None
    );
    rules.allow[0].pattern = "[".to_owned();
    assert!(
        Classifier::new(Stream::Stdout, &rules)
            .unwrap_err()
            .contains("known")
    );
}

#[test]
fn samples_are_bounded_and_counts_exact() {
    let mut log = "panic: boom\n\ngoroutine 1 [running]:\n".to_owned();
    for n in 0..30_000 {
        log += &format!("main.f{n}(...)\n\t/srv/main.go:{n} +0x1d\n");
    }
    let told = read(Stream::Stdout, log.as_bytes());
    assert_eq!(
        short(&told),
        [(Status::Fail, 1, "go panic 60003/30000".to_owned())]
    );
    assert!(
        told.findings[0].sample.len() <= 256 << 10
            && told.findings[0].sample.lines().count() <= 2_000
    );
}

#[test]
fn lines_of_any_kind_are_counted_and_shown() {
    let long = "y".repeat(LINE_LIMIT + 5);
    let log = [b"plain\r\n\0nul\n\xff\xfe bad\n\n{\"message\":\"\\ud800 odd\",\"level\":\"warn\"}\n{\"a\":1e999}\n{\"level\":\"error\",\"x\":NaN}\n", long.as_bytes(), b"\nno end"].concat();
    let told = read(Stream::Stdout, &log);
    assert_eq!(told.lines.len(), 9);
    assert_eq!(
        told.lines[7],
        (8, Level::Info, "info".to_owned(), LINE_LIMIT, 5, true)
    );
    assert!(!told.lines[8].5);
    assert_eq!(
        told.lines[6].1,
        Level::Error,
        "the level of what is nearly JSON"
    );
    assert!(short(&told).contains(&(Status::Warn, 8, format!("long {}", LINE_LIMIT + 5))));
    let mut views = told
        .jsonl
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice::<Value>(line)
                .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(line)))
        });
    assert_eq!(views.next().unwrap()["message"], "plain");
    assert_eq!(views.next().unwrap()["payload"]["raw"], "\0nul");
    assert_eq!(views.next().unwrap()["message"], "\u{fffd}\u{fffd} bad");
    assert_eq!(views.nth(1).unwrap()["level"], "warn");
    let (wide, nan, cut) = (
        views.next().unwrap(),
        views.next().unwrap(),
        views.next().unwrap(),
    );
    assert!(wide["payload"]["raw"].is_string() && nan["payload"]["raw"].is_string());
    assert_eq!(cut["payload"]["beyond"], 5);
    assert_eq!(views.count(), 1);
    assert!(told.log.starts_with(b"plain\r\n\0nul\n\xff\xfe bad\n\n"));
}

#[test]
fn a_record_is_shown_as_older_readers_know_it() {
    let told = read(Stream::Stdout, b" {\"ts\":17.5,\"severity\":\"Warning\",\"msg\":\"hot \\u00e4\",\"event\":\"heat\",\"n\":[1,{\"a\":null}]} \n{\"message\":3}\n");
    let lines: Vec<Value> = told
        .jsonl
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        serde_json::json!({"timestamp": 17.5, "level": "warning", "event": "heat", "message": "hot ä", "stream": "stdout",
            "payload": {"stream": "stdout", "ingested_at": "1970-01-01T00:00:01.000Z", "structured": {"ts": 17.5, "severity": "Warning", "msg": "hot ä", "event": "heat", "n": [1, {"a": null}]}}})
    );
    assert_eq!(lines[1]["message"], "{\"message\":3}");
    assert_eq!(lines[1]["timestamp"], "1970-01-01T00:00:01.000Z");
}

#[test]
fn what_only_begins_as_a_record_does_looks_back_wherever_it_was_cut() {
    let frames =
        "{badarg\0\0 cause.rb:4:in `read'\n\tfrom cause.rb:9:i (RuntimeError) too much: 4\n";
    let text =
        format!("t x\nError in process <0.79.0> with exit value:\n{frames}one\ntwo\n{frames}end\n");
    let text = text.as_bytes();
    let whole = read(Stream::Stderr, text).findings;
    for cut in 1..text.len() {
        let mut told = Told::default();
        let mut classifier = Classifier::new(Stream::Stderr, &rules()).unwrap();
        classifier.feed(at(1), &text[..cut], &mut told);
        classifier.feed(at(1), &text[cut..], &mut told);
        classifier.finish(at(1), &mut told);
        assert_eq!(told.findings, whole, "cut at {cut}");
    }
}

#[test]
fn stderr_means_what_the_policy_says() {
    for (policy, level) in [
        (StderrPolicy::Error, Level::Error),
        (StderrPolicy::Warn, Level::Warning),
        (StderrPolicy::Info, Level::Info),
    ] {
        let mut rules = rules();
        rules.stderr = policy;
        let told = read_by(
            Stream::Stderr,
            &rules,
            b"hello\n\n{\"level\":\"info\"}\nINFO fine\n",
        );
        assert_eq!(told.lines[0].1, level);
        assert_eq!(
            (told.lines[2].1, told.lines[3].1),
            (Level::Info, Level::Info)
        );
        assert_eq!(
            told.findings.len(),
            usize::from(level > Level::Info),
            "a blank line is no finding"
        );
    }
}

/// Pieces that logs are made of.
fn log() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(TRACE.as_bytes().to_vec()),
        Just(b"{\"level\":\"info\",\"message\":\"beat\"}\n".to_vec()),
        Just(b"{\"level\":\"error\",\"message\":\"bad\",\"stack\":\"E: x\\n    at f (/a.js:1:2)\"}\n".to_vec()),
        Just(b"2026-11-21 12:00:00 WARN careful\n".to_vec()),
        Just(b"ERROR it broke\n".to_vec()),
        Just(b"com.shop.Boom: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\n\n".to_vec()),
        Just(b"panic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1 +0x1\nexit status 2\n".to_vec()),
        Just(b"thread 'main' panicked at a.rs:1:2:\nmessage\nnote: run with `RUST_BACKTRACE=1`\n".to_vec()),
        Just(b"web_1  | java.lang.Error: x\nweb_2  | java.lang.Error: y\nweb_1  | \tat a.B.c(B.java:1)\nweb_2  | \tat a.B.c(B.java:1)\n".to_vec()),
        Just(b"/a.js:1\nthrow x\n^\n\nError: x\n    at f (/a.js:1:2)\n\nNode.js v20.1.1\n".to_vec()),
        Just(b"  File \"x\", line 3\n\nValueError: alone\r\n".to_vec()),
        Just(b"\xff\0\n\n".to_vec()),
        Just(b"{\"level\":\"info\",\"message\":\"beat\"}{\"level\":\"error\",\"message\":\"bad\"}\n".to_vec()),
        Just(b"half{\"level\":\"warn\",\"message\":\"bad\"}\n".to_vec()),
        Just(b"10%\rERROR it broke\r{\"level\":\"info\",\"message\":\"x\"}\n".to_vec()),
        Just(b"{\n  \"level\": \"error\",\n  \"message\": \"bad\"\n}\n".to_vec()),
        Just(b"  {\n".to_vec()),
        Just(b"    \"level\": \"error\", \"msg\": \"x\"\n  }\n".to_vec()),
        Just(b"{\"level\":\"info\",\"x\":NaN}\n".to_vec()),
        Just(b"{\"level\":\"info\",\"message\":\"cut\n".to_vec()),
        Just(b"{\"level\":\"info\",\"message\":\"x\",\"exception\":\"\"}\n".to_vec()),
        Just(b"{\"level\":\"info\",\"message\":\"x\",\"exception\":\"ValueError: no\"}\n".to_vec()),
        Just(b"java.lang.OutOfMemoryError: Java heap space\n".to_vec()),
        Just("ERROR \u{6570}\u{4e0a}\u{5931}\n".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "[ -~]{0,40}\n".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn findings_do_not_depend_on_portions_nor_on_what_else_is_asked(
        log in log(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        stderr in any::<bool>(),
    ) {
        let stream = if stderr { Stream::Stderr } else { Stream::Stdout };
        let whole = read(stream, &log);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(log.len() + 1)).chain([0, log.len()]).collect();
        places.sort_unstable();
        let mut told = Told::default();
        let mut classifier = Classifier::new(stream, &rules()).unwrap();
        let mut counted = Counted::default();
        let mut counting = Classifier::new(stream, &rules()).unwrap();
        for pair in places.windows(2) {
            classifier.feed(at(1), &log[pair[0]..pair[1]], &mut told);
            counting.feed(at(1), &log[pair[0]..pair[1]], &mut counted);
        }
        classifier.finish(at(1), &mut told);
        counting.finish(at(1), &mut counted);
        prop_assert_eq!(&whole.findings, &told.findings);
        prop_assert_eq!(&whole.findings, &counted.0);
        prop_assert_eq!(&whole.lines, &told.lines);
        prop_assert_eq!(&whole.jsonl, &told.jsonl);
        prop_assert_eq!(classifier.counts(), counting.counts());
        prop_assert_eq!(classifier.counts().bytes, log.len() as u64);
    }

    #[test]
    fn a_state_that_is_kept_goes_on_where_it_was(log in log(), cut in any::<prop::sample::Index>()) {
        let whole = read(Stream::Stderr, &log);
        let cut = cut.index(log.len() + 1);
        let mut told = Told::default();
        let mut classifier = Classifier::new(Stream::Stderr, &rules()).unwrap();
        classifier.feed(at(1), &log[..cut], &mut told);
        let saved = serde_json::to_vec(&classifier.save()).unwrap();
        drop(classifier);
        let saved: Saved = serde_json::from_slice(&saved).unwrap();
        let from = saved.offset() as usize;
        prop_assert!(from <= cut);
        let mut classifier = Classifier::restore(&rules(), saved).unwrap();
        classifier.feed(at(1), &log[from..], &mut told);
        classifier.finish(at(1), &mut told);
        prop_assert_eq!(&whole.findings, &told.findings);
        prop_assert_eq!(&whole.lines, &told.lines);
        prop_assert_eq!(classifier.counts().bytes, log.len() as u64);
    }

    #[test]
    fn nothing_that_is_read_makes_it_panic(log in prop::collection::vec(any::<u8>(), 0..400)) {
        let told = read(Stream::Stderr, &log);
        for line in told.jsonl.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            prop_assert!(serde_json::from_slice::<Value>(line).is_ok());
        }
    }
}
