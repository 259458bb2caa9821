//! JUnit out: read back by our own reader and by `junitparser`, it is never better than the run.

#[path = "report/run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod run;

use std::collections::BTreeMap;

use gonogo_core::{Reason, Verdict};
use gonogo_suite::read::{self, Limits};
use gonogo_suite::report::{Flaky, Report, junit};
use gonogo_suite::run::{Class, End, Problem, State};
use gonogo_suite::{Format, Parse, Reading, Row, Summary, Tally, TestId, TestVerdict};
use proptest::prelude::*;
use run::{Target, from_fixture, from_rows, row, summary};

fn target(name: &str, code: i32) -> Target<'_> {
    Target {
        name,
        class: Class::Unit,
        end: End::Exited { code },
        ms: 1500,
        owner: Some("team-a"),
    }
}

fn written(summary: &Summary, rows: &[Row], flaky: Flaky) -> (String, junit::Written) {
    let mut out = Vec::new();
    let report = Report::of(summary);
    let written =
        junit::write(&mut out, &report, rows.iter().cloned(), flaky).expect("into memory");
    (String::from_utf8(out).expect("text"), written)
}

/// The tests of a file, by id, with their verdicts.
fn read_back(xml: &str) -> (Reading, BTreeMap<TestId, TestVerdict>) {
    let mut tally = Tally::default();
    let reading = read::read(
        Format::Junit,
        &mut xml.as_bytes(),
        &Limits::default(),
        &mut tally,
    );
    let rows = tally.into_rows("t", &[]);
    let tests = rows.into_iter().map(|row| (row.test, row.verdict));
    (reading, tests.collect())
}

/// What a run must be when it is read back: its tests, and the problems as errors.
fn expected(summary: &Summary, rows: &[Row], flaky: Flaky) -> BTreeMap<TestId, TestVerdict> {
    let mut tests: BTreeMap<TestId, TestVerdict> = rows
        .iter()
        .map(|row| {
            let id = junit::id(&row.target, &row.test);
            (id, junit::as_read(row.verdict, flaky))
        })
        .collect();
    let mut times: BTreeMap<(String, Reason), u32> = BTreeMap::new();
    for told in Report::of(summary).problems() {
        let suite = told.target.unwrap_or_else(|| junit::RUN.to_owned());
        let reason = told.problem.reason;
        let n = times.entry((suite.clone(), reason)).or_default();
        *n += 1;
        let name = match n {
            1 => reason.code().to_owned(),
            n => format!("{} {n}", reason.code()),
        };
        let id = TestId::new(&suite, junit::CLASS, &name);
        tests.insert(id, TestVerdict::Errored);
    }
    tests
}

fn check(summary: &Summary, rows: &[Row], flaky: Flaky) {
    let (xml, counted) = written(summary, rows, flaky);
    let (reading, tests) = read_back(&xml);
    assert_eq!(reading.parse, Parse::Whole, "{:?}\n{xml}", reading.issues);
    assert!(reading.is_whole(), "{:?}\n{xml}", reading.issues);
    assert_eq!(tests, expected(summary, rows, flaky), "{xml}");
    assert_eq!(reading.declared, Some(counted.tests), "{xml}");
    let is_red = tests.values().any(|v| !v.is_good());
    let is_bad = Report::of(summary).verdict() > Verdict::Excused;
    assert!(is_red || !is_bad || flaky == Flaky::Pass, "{xml}");
}

#[test]
fn real_reports_come_back_as_the_same_tests() {
    for (format, path, code) in [
        (Format::Junit, "pytest-junit/xunit1.xml", 1),
        (Format::Junit, "pytest-junit/rerun.xml", 1),
        (Format::Junit, "surefire/TEST-sample.SampleTest.xml", 1),
        (Format::Junit, "vitest-junit/vitest.xml", 1),
        (Format::Jest, "jest/all.json", 1),
        (Format::Jest, "jest/green.json", 0),
        (Format::Libtest, "libtest/all.txt", 101),
        (Format::Libtest, "libtest/abort.txt", 101),
        (Format::LibtestJson, "libtest-json/all.jsonl", 101),
        (Format::Go, "go/all.jsonl", 1),
        (Format::Go, "go/cached.jsonl", 0),
        (Format::PytestLog, "pytest/all.jsonl", 1),
        (Format::Tap, "tap/bail.txt", 1),
        (Format::Trx, "trx/sample.trx", 1),
    ] {
        let (result, rows) = from_fixture(&target("unit", code), format, path);
        assert!(!rows.is_empty(), "{path}");
        let summary = summary(vec![result]);
        for flaky in [Flaky::Fail, Flaky::Pass] {
            check(&summary, &rows, flaky);
        }
    }
}

#[test]
fn a_file_as_it_is_written() {
    let (first, mut rows) = from_fixture(&target("py", 1), Format::Junit, "pytest-junit/rerun.xml");
    let (second, more) = from_fixture(&target("cached", 0), Format::Go, "go/cached.jsonl");
    rows.extend(more);
    let mut summary = summary(vec![first, second]);
    summary.problems.push(Problem::new(
        Reason::RunIncomplete,
        "the machine went away: \u{1b}[1m<x> & \"y\"\n",
    ));
    summary.count();
    insta::assert_snapshot!(written(&summary, &rows, Flaky::Fail).0);
}

#[test]
fn a_run_of_nothing_is_red() {
    let mut empty = summary(Vec::new());
    let (xml, counted) = written(&empty, &[], Flaky::Fail);
    assert_eq!((counted.tests, counted.errors), (1, 1));
    let (reading, tests) = read_back(&xml);
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(tests.values().collect::<Vec<_>>(), [&TestVerdict::Errored]);
    empty.state = State::Crashed;
    assert!(
        written(&empty, &[], Flaky::Fail)
            .0
            .contains("RUN_INCOMPLETE")
    );
    // A target that was selected and has no result.
    empty.state = State::Complete;
    empty.selected = vec!["unit".into()];
    assert!(
        written(&empty, &[], Flaky::Fail)
            .0
            .contains("EVIDENCE_MISSING")
    );
}

#[test]
fn rows_that_are_not_those_of_the_summary_are_red() {
    let good = row("unit", TestId::new("s", "", "a"), TestVerdict::Passed, "");
    let bad = row("unit", TestId::new("s", "", "b"), TestVerdict::Failed, "m");
    let summary = summary(vec![from_rows(
        &target("unit", 1),
        &[good.clone(), bad.clone()],
    )]);
    let foreign = row("other", TestId::new("s", "", "a"), TestVerdict::Passed, "");
    for rows in [
        vec![],
        vec![good.clone()],
        vec![good.clone(), good.clone()],
        vec![good.clone(), bad.clone(), foreign.clone()],
    ] {
        let (xml, _) = written(&summary, &rows, Flaky::Fail);
        let (reading, tests) = read_back(&xml);
        assert!(xml.contains("EVIDENCE_COUNT_MISMATCH"), "{xml}");
        assert!(tests.values().any(|v| *v == TestVerdict::Errored));
        assert!(!reading.is_whole(), "{xml}");
    }
    // Rows of a target that do not follow each other are only in two parts.
    let (xml, _) = written(&summary, &[good, bad], Flaky::Fail);
    assert!(!xml.contains("MISMATCH"), "{xml}");
}

#[test]
fn a_contradiction_between_exit_code_and_report_is_red() {
    let good = row("unit", TestId::new("s", "", "a"), TestVerdict::Passed, "");
    let summary = summary(vec![from_rows(
        &target("unit", 1),
        std::slice::from_ref(&good),
    )]);
    let (xml, counted) = written(&summary, &[good], Flaky::Pass);
    assert_eq!(counted.errors, 1);
    assert!(xml.contains("EXIT_CODE_CONFLICT"), "{xml}");
}

/// Texts that somebody would try.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "</testcase>",
        "]]>",
        "<!--",
        "&amp;",
        "&#0;",
        "\"'",
        "\u{0}",
        "\u{1b}[31m",
        "\u{fffe}",
        "\u{202e}",
        "\r\n",
        "\t",
        "[XPASS(strict)]",
        "UnexpectedSuccess",
        "failed on teardown with",
        "🚀",
        " ",
        " > ",
        "%",
    ]);
    let part = prop_oneof![odd.prop_map(str::to_owned), "[a-z ]{0,6}", ".{0,3}"];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn verdict() -> impl Strategy<Value = TestVerdict> {
    prop::sample::select(vec![
        TestVerdict::Passed,
        TestVerdict::Skipped,
        TestVerdict::UnexpectedPass,
        TestVerdict::Flaky,
        TestVerdict::Precluded,
        TestVerdict::Errored,
        TestVerdict::Missing,
        TestVerdict::Failed,
    ])
}

prop_compose! {
    fn any_row()(
        target in prop::sample::select(vec!["unit", "e2e"]),
        suite in text(), class in text(), name in text(), verdict in verdict(),
        message in text(), trace in text(), kind in text(), output in text(), attempts in 0_u32..20,
        seconds in prop::option::of(prop::num::f64::ANY), is_told in any::<bool>(),
    ) -> Row {
        let mut row = row(target, TestId { suite, class, name }, verdict, "x");
        row.attempts = attempts;
        row.seconds = seconds;
        row.skipped = Some(message.clone());
        row.output = output;
        if let Some(failure) = &mut row.failure {
            failure.message = message;
            failure.trace = trace;
            failure.class = kind;
        }
        if !is_told {
            row.failure = None;
        }
        row
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_comes_back(rows in prop::collection::vec(any_row(), 0..12), is_pass in any::<bool>()) {
        let mut unique: BTreeMap<TestId, Row> = BTreeMap::new();
        for row in rows {
            unique.insert(junit::id(&row.target, &row.test), row);
        }
        let rows: Vec<Row> = unique.into_values().collect();
        let flaky = if is_pass { Flaky::Pass } else { Flaky::Fail };
        let of = |name: &str| rows.iter().filter(|r| r.target == name).cloned().collect::<Vec<_>>();
        let (unit, e2e) = (of("unit"), of("e2e"));
        let results = vec![
            from_rows(&target("unit", i32::from(unit.iter().any(|r| !r.verdict.is_good()))), &unit),
            from_rows(&target("e2e", 1), &e2e),
        ];
        let summary = summary(results);
        let rows = [unit, e2e].concat();
        check(&summary, &rows, flaky);
    }
}

/// Reads it with the `junitparser` of PyPI, if it is there: a consumer that is not ours sees the same counts.
#[test]
fn another_reader_sees_the_same() {
    let (result, rows) = from_fixture(&target("py", 1), Format::Junit, "pytest-junit/xunit1.xml");
    let summary = summary(vec![result]);
    let (xml, counted) = written(&summary, &rows, Flaky::Fail);
    let script = "import sys, junitparser\n\
        xml = junitparser.JUnitXml.fromstring(sys.stdin.buffer.read())\n\
        cases = [c for s in xml for c in s]\n\
        kinds = [type(r).__name__ for c in cases for r in c.result]\n\
        print(len(cases), kinds.count('Failure'), kinds.count('Error'), kinds.count('Skipped'))";
    let has = std::process::Command::new("python3")
        .args(["-c", "import junitparser"])
        .output();
    if !has.is_ok_and(|found| found.status.success()) {
        eprintln!("skipped: python3 has no junitparser");
        return;
    }
    let mut child = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), xml.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim(),
        format!(
            "{} {} {} {}",
            counted.tests, counted.failures, counted.errors, counted.skipped
        )
    );
}
