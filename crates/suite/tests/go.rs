//! Streams that `go test -json` wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

/// Behind a package's last event nothing says whether a further package follows.
fn between(cut: &[u8]) -> bool {
    let text = String::from_utf8_lossy(cut);
    text.lines().last().is_some_and(|l| {
        !l.contains("\"Test\"")
            && ["pass", "fail", "skip"]
                .iter()
                .any(|w| l.contains(&format!("\"Action\":\"{w}\",\"Package\"")))
    }) && text.ends_with('\n')
        || text.lines().all(|l| l.contains("build-output"))
}

#[test]
fn go_all() {
    let bytes = check::fixture("go/all.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_green_calc() {
    let bytes = check::fixture("go/green-calc.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_cached() {
    let bytes = check::fixture("go/cached.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_count2() {
    let bytes = check::fixture("go/count2.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_bench() {
    let bytes = check::fixture("go/bench.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn go_race() {
    let bytes = check::fixture("go/race.jsonl");
    check::known(Format::Go, &bytes);
    insta::assert_snapshot!(check::table(Format::Go, &bytes));
    check::cuts(Format::Go, &bytes, between);
    check::noise(Format::Go, &bytes);
}

#[test]
fn what_is_no_stream_of_go_is_refused() {
    check::refusals(Format::Go);
}
