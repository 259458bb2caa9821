//! Logs that `cargo test` printed, and its JSON lines.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

/// Between two binaries nothing says whether a further one follows.
fn between(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    let results = text
        .lines()
        .filter(|l| l.starts_with("test result: "))
        .count();
    let begun = text.lines().filter(|l| l.starts_with("running ")).count();
    let headers = text
        .lines()
        .filter(|l| l.trim_start().starts_with("Running "))
        .count();
    results >= begun.max(headers) || begun == 0 && headers == 0
}

/// The same of its JSON.
fn between_json(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    text.lines()
        .last()
        .is_some_and(|l| l.contains("\"suite\"") && l.contains("exec_time"))
}

#[test]
fn text_all() {
    let bytes = check::fixture("libtest/all.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_nocapture() {
    let bytes = check::fixture("libtest/nocapture.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_quiet() {
    let bytes = check::fixture("libtest/quiet.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_abort() {
    let bytes = check::fixture("libtest/abort.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_abort_one() {
    let bytes = check::fixture("libtest/abort-one.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_compile() {
    let bytes = check::fixture("libtest/compile.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_green() {
    let bytes = check::fixture("libtest/green.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn text_green_colour() {
    let bytes = check::fixture("libtest/green-colour.txt");
    check::known(Format::Libtest, &bytes);
    insta::assert_snapshot!(check::table(Format::Libtest, &bytes));
    check::cuts(Format::Libtest, &bytes, between);
    check::noise(Format::Libtest, &bytes);
}

#[test]
fn json_all() {
    let bytes = check::fixture("libtest-json/all.jsonl");
    check::known(Format::LibtestJson, &bytes);
    insta::assert_snapshot!(check::table(Format::LibtestJson, &bytes));
    check::cuts(Format::LibtestJson, &bytes, between_json);
    check::noise(Format::LibtestJson, &bytes);
}

#[test]
fn json_abort() {
    let bytes = check::fixture("libtest-json/abort.jsonl");
    check::known(Format::LibtestJson, &bytes);
    insta::assert_snapshot!(check::table(Format::LibtestJson, &bytes));
    check::cuts(Format::LibtestJson, &bytes, between_json);
    check::noise(Format::LibtestJson, &bytes);
}

#[test]
fn what_is_no_log_of_cargo_is_refused() {
    check::refusals(Format::Libtest);
    check::refusals(Format::LibtestJson);
}
