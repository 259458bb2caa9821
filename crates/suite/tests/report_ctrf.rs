//! CTRF out: read back by our own reader, and held against the schema of ctrf.io where it is there.

#[path = "report/run.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod run;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use gonogo_suite::read::{self, Limits};
use gonogo_suite::report::{Flaky, Report, ctrf};
use gonogo_suite::run::{Class, End};
use gonogo_suite::{Format, Parse, Row, Summary, Tally, TestId, TestVerdict};
use proptest::prelude::*;
use run::{Target, from_fixture, from_rows, row, summary};

fn target(name: &str, code: i32) -> Target<'_> {
    Target {
        name,
        class: Class::E2e,
        end: End::Exited { code },
        ms: 1500,
        owner: None,
    }
}

fn written(summary: &Summary, rows: &[Row], flaky: Flaky) -> String {
    let mut out = Vec::new();
    let report = Report::of(summary);
    ctrf::write(&mut out, &report, rows.iter().cloned(), flaky).expect("into memory");
    String::from_utf8(out).expect("text")
}

fn check(summary: &Summary, rows: &[Row], flaky: Flaky) {
    let json = written(summary, rows, flaky);
    serde_json::from_str::<serde_json::Value>(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    let mut tally = Tally::default();
    let mut source = json.as_bytes();
    let reading = read::read(Format::Ctrf, &mut source, &Limits::default(), &mut tally);
    assert_eq!(reading.parse, Parse::Whole);
    assert!(reading.is_whole(), "{:?}\n{json}", reading.issues);
    let found: BTreeMap<TestId, TestVerdict> = tally
        .into_rows("t", &[])
        .into_iter()
        .map(|row| (row.test, row.verdict))
        .collect();
    for row in rows {
        let id = ctrf::id(row);
        assert_eq!(
            found.get(&id),
            Some(&ctrf::as_read(row.verdict)),
            "{id}\n{json}"
        );
    }
    let problems = Report::of(summary).problems().len();
    assert_eq!(found.len(), rows.len() + problems, "{json}");
    let is_bad = rows.iter().any(|r| !r.verdict.is_good()) || problems > 0;
    assert_eq!(is_bad, found.values().any(|v| !v.is_good()), "{json}");
}

fn fixtures() -> Vec<(Summary, Vec<Row>)> {
    [
        (Format::Ctrf, "ctrf/pytest.json", 1),
        (Format::Junit, "pytest-junit/rerun.xml", 1),
        (Format::Jest, "jest/all.json", 1),
        (Format::Go, "go/cached.jsonl", 0),
        (Format::Trx, "trx/crash.trx", 1),
        (Format::Tap, "tap/bail.txt", 1),
    ]
    .into_iter()
    .map(|(format, path, code)| {
        let (result, rows) = from_fixture(&target("unit", code), format, path);
        (summary(vec![result]), rows)
    })
    .collect()
}

#[test]
fn real_reports_come_back_as_the_same_tests() {
    for (summary, rows) in fixtures() {
        for flaky in [Flaky::Fail, Flaky::Pass] {
            check(&summary, &rows, flaky);
        }
    }
}

#[test]
fn a_run_of_nothing_is_red() {
    let empty = summary(Vec::new());
    check(&empty, &[], Flaky::Fail);
    let json = written(&empty, &[], Flaky::Fail);
    assert!(
        json.contains("ZERO_TESTS") && json.contains("\"failed\":1"),
        "{json}"
    );
}

#[test]
fn rows_that_are_not_those_of_the_summary_are_red() {
    let good = row("unit", TestId::new("s", "", "a"), TestVerdict::Passed, "");
    let bad = row("unit", TestId::new("s", "", "b"), TestVerdict::Failed, "m");
    let summary = summary(vec![from_rows(&target("unit", 1), &[good.clone(), bad])]);
    let json = written(&summary, &[good], Flaky::Fail);
    let mut found = Vec::new();
    let mut source = json.as_bytes();
    read::read(Format::Ctrf, &mut source, &Limits::default(), &mut found);
    assert!(found.iter().any(|a| a.outcome.is_bad()), "{json}");
    assert!(json.contains("EVIDENCE_COUNT_MISMATCH"), "{json}");
}

prop_compose! {
    fn any_row()(
        name in "\\PC{1,8}|[\u{0}-\u{1f}\"\\\\<]{1,4}", suite in "[a-c]{0,2}", class in "\\PC{0,4}",
        verdict in prop::sample::select(vec![
            TestVerdict::Passed, TestVerdict::Skipped, TestVerdict::UnexpectedPass, TestVerdict::Flaky,
            TestVerdict::Precluded, TestVerdict::Errored, TestVerdict::Missing, TestVerdict::Failed,
        ]),
        message in ".{0,12}", output in ".{0,12}", attempts in 0_u32..20, seconds in prop::option::of(prop::num::f64::ANY),
        file in prop::option::of("[a-c/]{1,4}"),
    ) -> Row {
        let test = TestId { suite: suite.into(), class: class.into(), name };
        let mut row = row("unit", test, verdict, &message);
        row.attempts = attempts;
        row.seconds = seconds;
        row.output = output;
        row.file = file;
        row
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_comes_back(rows in prop::collection::vec(any_row(), 1..12), is_pass in any::<bool>()) {
        let rows: BTreeMap<TestId, Row> = rows.into_iter().map(|row| (ctrf::id(&row), row)).collect();
        let rows: Vec<Row> = rows.into_values().collect();
        let summary = summary(vec![from_rows(&target("unit", 1), &rows)]);
        check(&summary, &rows, if is_pass { Flaky::Pass } else { Flaky::Fail });
    }
}

/// The schema is that of the npm package `ctrf`; `CTRF_SCHEMA` says where it is.
#[test]
fn the_schema_holds() {
    let has = Command::new("python3")
        .args(["-c", "import jsonschema"])
        .output();
    let (Ok(schema), true) = (
        std::env::var("CTRF_SCHEMA"),
        has.is_ok_and(|found| found.status.success()),
    ) else {
        eprintln!("skipped: CTRF_SCHEMA names no schema, or python3 has no jsonschema");
        return;
    };
    let script = "import sys, json, jsonschema\n\
        schema = json.load(open(sys.argv[1]))\n\
        jsonschema.Draft7Validator(schema).validate(json.load(sys.stdin))";
    for (summary, rows) in fixtures() {
        for flaky in [Flaky::Fail, Flaky::Pass] {
            let mut child = Command::new("python3")
                .args(["-c", script, &schema])
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let json = written(&summary, &rows, flaky);
            child
                .stdin
                .take()
                .unwrap()
                .write_all(json.as_bytes())
                .unwrap();
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{error}\n{json}");
        }
    }
}

#[test]
fn a_line_is_never_told_without_its_file() {
    let test = TestId::new("s", "", "bad");
    let mut bad = row("unit", test, TestVerdict::Failed, "boom");
    if let Some(failure) = &mut bad.failure {
        failure.location = Some(gonogo_suite::Location {
            file: "src/a.py".into(),
            line: Some(3),
            column: None,
        });
    }
    let summary = summary(vec![from_rows(&target("unit", 1), &[bad.clone()])]);
    check(&summary, &[bad.clone()], Flaky::Fail);
    let json: serde_json::Value =
        serde_json::from_str(&written(&summary, &[bad], Flaky::Fail)).expect("JSON");
    let test = &json["results"]["tests"][0];
    assert_eq!(
        (&test["filePath"], &test["line"]),
        (&"src/a.py".into(), &3.into())
    );
}
