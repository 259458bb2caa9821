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

#[test]
fn what_is_no_report_log_is_refused() {
    check::refusals(Format::PytestLog);
}
