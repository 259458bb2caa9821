//! Timelines of logs, test logs and attempts: ordered, bounded, nothing passed over.

use gonogo_core::Timestamp;
use gonogo_suite::timeline::{About, EventKind, Source, Timeline, twin};
use gonogo_suite::{Attempt, Failure, Outcome, Place, TestId};

fn about(most: usize) -> About<'static> {
    About {
        correlation_id: "c1",
        suite: "unit",
        began: Some(Timestamp::from_millis(1000)),
        most,
    }
}

fn attempt(name: &str, outcome: Outcome, started_ms: Option<i64>) -> Attempt {
    Attempt {
        test: TestId::new("s", "", name),
        file: None,
        number: 1,
        outcome,
        raw: String::new(),
        started_ms,
        seconds: None,
        cached: false,
        failures: vec![Failure {
            message: "boom\nmore".into(),
            ..Failure::default()
        }],
        skipped: None,
        output: String::new(),
        place: Place::default(),
    }
}

#[test]
fn a_log_becomes_events_in_order() {
    let path = format!(
        "{}/tests/first_failure/cargo-test.log",
        env!("CARGO_MANIFEST_DIR")
    );
    let log = std::fs::read(path).unwrap();
    let mut timeline = Timeline::new(about(1000));
    timeline.summary(
        EventKind::SuiteFailureSummary,
        "2 of 4 failed",
        Some(Timestamp::from_millis(3500)),
    );
    timeline.output(&mut log.as_slice()).unwrap();
    timeline.attempts(&[
        attempt("late", Outcome::Fail, Some(3000)),
        attempt("fine", Outcome::Pass, Some(2500)),
        attempt("early", Outcome::Error, Some(2000)),
        attempt("unknown", Outcome::Fail, None),
    ]);
    let events = timeline.end();
    let ordinals: Vec<u64> = events.iter().map(|e| e.ordinal).collect();
    assert_eq!(ordinals, (1..=events.len() as u64).collect::<Vec<_>>());
    assert!(
        events.iter().all(|e| e.correlation_id == "c1"
            && e.suite == "unit"
            && e.schema.starts_with("gonogo."))
    );
    let of = |kind: EventKind, source: Source| -> Vec<&str> {
        let all = events
            .iter()
            .filter(|e| e.event_type == kind && e.source == source);
        all.map(|e| e.test.as_deref().unwrap_or("-")).collect()
    };
    use EventKind::{
        DiagnosticsComplete, FailureListItem, FailureListStart, FailureSection, PanicAssertion,
        RerunHint, TestResult,
    };
    let mut failed = of(TestResult, Source::Output);
    failed.sort_unstable();
    assert_eq!(failed, ["tests::returns_error", "tests::sums_up"]);
    assert_eq!(
        of(FailureSection, Source::Output),
        ["tests::returns_error", "tests::sums_up"]
    );
    assert_eq!(
        of(FailureListItem, Source::Output),
        ["tests::returns_error", "tests::sums_up"]
    );
    assert_eq!(of(FailureListStart, Source::Output).len(), 2);
    assert!(of(PanicAssertion, Source::Output).contains(&"tests::sums_up"));
    assert!(!of(RerunHint, Source::Output).is_empty());
    assert_eq!(
        of(TestResult, Source::Result),
        ["s > early", "s > late", "s > unknown"]
    );
    let early = events
        .iter()
        .find(|e| e.test.as_deref() == Some("s > early"))
        .unwrap();
    assert_eq!(
        (early.t_ms, early.message.as_str()),
        (Some(1000), "error: boom")
    );
    assert_eq!(events.last().unwrap().event_type, DiagnosticsComplete);
    let lines: Vec<u64> = events.iter().filter_map(|e| e.line_no).collect();
    assert!(lines.windows(2).all(|w| w[0] < w[1]));
}

#[test]
fn a_line_that_is_no_json_is_told() {
    let log = b"{\"schema\":\"x\",\"level\":\"info\",\"message\":\"fine\"}\n\n{\"level\":\"error\",\"ts\":\"1970-01-01T00:00:02Z\",\"t_ms\":7,\"category\":\"db\",\"message\":\"lost\",\"test\":\"t\"}\nnot json\n\xff{\n[1]\n";
    let mut timeline = Timeline::new(about(100));
    timeline.test_log(&mut log.as_slice()).unwrap();
    let events = timeline.end();
    let told: Vec<(EventKind, Option<u64>)> =
        events.iter().map(|e| (e.event_type, e.line_no)).collect();
    let invalid = EventKind::InvalidJson;
    assert_eq!(
        told[..4],
        [
            (EventKind::PanicAssertion, Some(3)),
            (invalid, Some(4)),
            (invalid, Some(5)),
            (invalid, Some(6))
        ]
    );
    assert_eq!(
        (
            events[0].t_ms,
            events[0].test.as_deref(),
            events[0].context.as_str()
        ),
        (Some(7), Some("t"), "db")
    );
    assert_eq!(events.len(), 5);
}

#[test]
fn it_is_bounded_and_says_what_was_left_out() {
    let log: String = (0..5000)
        .map(|n| format!("test t{n} ... FAILED\n"))
        .collect();
    let mut timeline = Timeline::new(about(100));
    timeline.output(&mut log.as_bytes()).unwrap();
    let long = "x".repeat(1 << 20);
    timeline
        .output(&mut format!("E   {long}\nE   b\n").as_bytes())
        .unwrap();
    let events = timeline.end();
    assert_eq!(events.len(), 100);
    assert_eq!(events[99].message, "99 events; 4903 more were left out");
    let mut timeline = Timeline::new(about(0));
    timeline
        .output(&mut format!("E   {long}\nE   b\n").as_bytes())
        .unwrap();
    let events = timeline.end();
    assert_eq!((events.len(), events[0].line_no), (2, Some(1)));
    assert!(events[0].message.len() <= 1024);
}

/// Two runs of one suite in two directories: their logs differ only where the suite does.
#[test]
fn twins_of_two_runs_are_the_same() {
    let log = |dir: &str, pid: u32, s: &str| {
        format!(
            "running 2 tests\nthread 'a' ({pid}) panicked at {dir}/src/lib.rs:3:5:\nconnect to 127.0.0.1:{pid} failed after {s}s\ntest result: FAILED. 1 passed; 1 failed; finished in {s}s"
        )
    };
    let twins = |text: &str| text.lines().map(twin).collect::<Vec<_>>();
    let (a, b) = (
        log("/tmp/run-1/x", 41233, "0.03"),
        log("/home/me/work/y", 51999, "1.40"),
    );
    assert_eq!(twins(&a), twins(&b));
    assert_ne!(twins(&a), twins(&b.replace("1 failed", "2 failed")));
}
