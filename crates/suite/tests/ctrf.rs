//! Reports in CTRF that its reporters wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::Format;

#[test]
fn ctrf_jest() {
    let bytes = check::fixture("ctrf/jest.json");
    check::known(Format::Ctrf, &bytes);
    insta::assert_snapshot!(check::table(Format::Ctrf, &bytes));
    check::cuts(Format::Ctrf, &bytes, |_| false);
    check::noise(Format::Ctrf, &bytes);
}

#[test]
fn ctrf_pytest() {
    let bytes = check::fixture("ctrf/pytest.json");
    check::known(Format::Ctrf, &bytes);
    insta::assert_snapshot!(check::table(Format::Ctrf, &bytes));
    check::cuts(Format::Ctrf, &bytes, |_| false);
    check::noise(Format::Ctrf, &bytes);
}

#[test]
fn a_test_without_an_end_is_no_pass() {
    let bytes = check::fixture("ctrf/pytest-exit.json");
    check::known(Format::Ctrf, &bytes);
    insta::assert_snapshot!(check::table(Format::Ctrf, &bytes));
    check::cuts(Format::Ctrf, &bytes, |_| false);
    check::noise(Format::Ctrf, &bytes);
}

#[test]
fn what_is_no_ctrf_is_refused() {
    check::refusals(Format::Ctrf);
}

#[test]
fn reports_by_hand() {
    let of = |summary: &str, tests: &str| {
        format!(
            "{{\"results\":{{\"tool\":{{\"name\":\"x\"}},\"summary\":{{{summary}}},\"tests\":[{tests}]}}}}\n"
        )
    };
    let one = |status: &str, more: &str| {
        format!("{{\"name\":\"a\",\"status\":\"{status}\",\"duration\":1{more}}}")
    };
    check::cases(
        Format::Ctrf,
        &[
            (
                &of("\"tests\":1,\"passed\":1", &one("passed", "")),
                &["pass a"],
                &[],
            ),
            (
                &of("\"tests\":2,\"passed\":1", &one("passed", "")),
                &["pass a"],
                &["CountMismatch"],
            ),
            (
                &of("\"tests\":1,\"failed\":1", &one("passed", "")),
                &["pass a"],
                &["CountMismatch"],
            ),
            (&of("", &one("passed", "")), &["pass a"], &["Incomplete"]),
            (&of("\"tests\":1", &one("other", "")), &["unknown a"], &[]),
            (
                &of("\"tests\":1", &one("PASS", "")),
                &["unknown a"],
                &["UnknownOutcome"],
            ),
            (
                &of("\"tests\":1", &one("passed", ",\"flaky\":true")),
                &["fail a", "pass a #2"],
                &[],
            ),
            (
                &of(
                    "\"tests\":1",
                    &one(
                        "passed",
                        ",\"retries\":2,\"retryAttempts\":[{\"attempt\":2,\"status\":\"failed\"},{\"attempt\":1,\"status\":\"other\"}]",
                    ),
                ),
                &["unknown a", "fail a #2", "pass a #3"],
                &[],
            ),
            (
                &of("\"tests\":2", &format!("{0},{0}", one("passed", ""))),
                &["pass a", "pass a"],
                &["Collision"],
            ),
            (&of("\"tests\":0", ""), &[], &["NoTests"]),
            (
                &of("\"tests\":1", "7"),
                &[],
                &["Unparsable", "CountMismatch", "NoTests"],
            ),
        ],
    );
}
