//! Report logs that pytest wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

#[test]
fn pytest_all() {
    let bytes = check::fixture("pytest/all.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_green() {
    let bytes = check::fixture("pytest/green.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_collect() {
    let bytes = check::fixture("pytest/collect.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_crash() {
    let bytes = check::fixture("pytest/crash.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_stop() {
    let bytes = check::fixture("pytest/stop.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_none() {
    let bytes = check::fixture("pytest/none.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

#[test]
fn pytest_sub() {
    let bytes = check::fixture("pytest/sub.jsonl");
    check::known(Format::PytestLog, &bytes);
    insta::assert_snapshot!(check::table(Format::PytestLog, &bytes));
    check::cuts(Format::PytestLog, &bytes, |_| false);
    check::noise(Format::PytestLog, &bytes);
}

/// What unittest and json raised is where the test called them.
#[test]
fn pytest_unit() {
    let bytes = check::fixture("pytest/unit.jsonl");
    check::known(Format::PytestLog, &bytes);
    let (_, attempts) = check::read(Format::PytestLog, &bytes);
    let places: Vec<String> = attempts
        .iter()
        .filter_map(|a| a.failures[0].location.as_ref())
        .map(|at| format!("{}:{}", at.file, at.line.unwrap_or(0)))
        .collect();
    assert_eq!(places, ["test_unit.py:13", "test_unit.py:7"]);
    check::cuts(Format::PytestLog, &bytes, |_| false);
}

#[test]
fn what_is_no_report_log_is_refused() {
    check::refusals(Format::PytestLog);
}

#[test]
fn logs_by_hand() {
    let of = |when: &str, outcome: &str, more: &str| {
        format!(
            "{{\"nodeid\":\"t.py::a\",\"when\":\"{when}\",\"outcome\":\"{outcome}\"{more},\"$report_type\":\"TestReport\"}}\n"
        )
    };
    let end =
        |status: &str| format!("{{\"exitstatus\":{status},\"$report_type\":\"SessionFinish\"}}\n");
    let (up, call, down) = (
        of("setup", "passed", ""),
        of("call", "passed", ""),
        of("teardown", "passed", ""),
    );
    check::cases(
        Format::PytestLog,
        &[
            (&format!("{up}{call}{down}{}", end("0")), &["pass a"], &[]),
            // Set up and torn down, and never called.
            (
                &format!("{up}{down}{}", end("0")),
                &["unknown a"],
                &["Incomplete"],
            ),
            (
                &format!("{up}{call}{}", end("0")),
                &["error a"],
                &["CountMismatch"],
            ),
            (&format!("{up}{call}{down}"), &["pass a"], &["Incomplete"]),
            (
                &format!("{up}{call}{down}{}", end("1")),
                &["pass a"],
                &["CountMismatch"],
            ),
            (
                &format!("{up}{call}{down}{}", end("3")),
                &["pass a"],
                &["Incomplete"],
            ),
            (
                &format!("{up}{call}{down}{}", end("\"odd\"")),
                &["pass a"],
                &["Incomplete"],
            ),
            (
                &format!("{up}{}{down}{}", of("call", "wonderful", ""), end("0")),
                &["unknown a"],
                &["UnknownOutcome"],
            ),
            // Twice, and nothing says that it was run again.
            (
                &format!("{up}{call}{down}{up}{call}{down}{}", end("0")),
                &["pass a", "pass a"],
                &["Collision"],
            ),
            // A rerun of a version that does not number it.
            (
                &format!(
                    "{up}{}{down}{up}{call}{down}{}",
                    of("call", "rerun", ""),
                    end("0")
                ),
                &["fail a", "pass a #2"],
                &[],
            ),
            (
                &format!(
                    "{up}{}{down}{}",
                    of("call", "failed", ",\"duration\":NaN"),
                    end("0")
                ),
                &["fail a"],
                &["OddValue", "CountMismatch"],
            ),
        ],
    );
}

#[test]
fn each_file_that_cannot_be_collected_is_a_failure_of_its_own() {
    let bytes = check::fixture("pytest-junit/collection-two.xml");
    let (_, attempts) = check::read(Format::Junit, &bytes);
    let said: Vec<(&str, &str)> = attempts
        .iter()
        .map(|a| (&*a.test.name, &*a.failures[0].message))
        .collect();
    assert_eq!(
        said,
        [
            (
                "test_one",
                "ModuleNotFoundError: No module named 'no_such_module'"
            ),
            ("test_two", "SyntaxError: invalid syntax"),
        ]
    );
    let signatures = attempts
        .iter()
        .map(|a| gonogo_suite::Signature::of(&a.failures[0]).to_string());
    let distinct: std::collections::BTreeSet<String> = signatures.collect();
    assert_eq!(distinct.len(), 2);
}

/// Names are as short as everywhere, also where one is put together of two.
#[test]
fn what_cannot_be_collected_has_a_bounded_name() {
    let long = "x".repeat(600);
    let line = format!(
        "{{\"nodeid\":\"t.py::{long}::{long}\",\"outcome\":\"failed\",\"longrepr\":\"E\",\"$report_type\":\"CollectReport\"}}\n"
    );
    let (_, attempts) = check::read(Format::PytestLog, line.as_bytes());
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].test.name, "(collection)");
    assert_eq!(attempts[0].test.class.len(), 512);
}
