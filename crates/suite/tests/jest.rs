//! Reports that Jest and Vitest wrote.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::{Format, Outcome, SkipKind};

#[test]
fn jest_all() {
    let bytes = check::fixture("jest/all.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn jest_green() {
    let bytes = check::fixture("jest/green.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn jest_filter() {
    let bytes = check::fixture("jest/filter.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_all() {
    let bytes = check::fixture("vitest/all.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_green() {
    let bytes = check::fixture("vitest/green.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn vitest_unhandled() {
    let bytes = check::fixture("vitest/unhandled.json");
    check::known(Format::Jest, &bytes);
    insta::assert_snapshot!(check::table(Format::Jest, &bytes));
    check::cuts(Format::Jest, &bytes, |_| false);
    check::noise(Format::Jest, &bytes);
}

#[test]
fn what_is_no_report_of_them_is_refused() {
    check::refusals(Format::Jest);
}

#[test]
fn reports_by_hand() {
    let one = |status: &str, more: &str| {
        format!("{{\"ancestorTitles\":[],\"title\":\"a\",\"status\":\"{status}\"{more}}}")
    };
    let of = |head: &str, file: &str, tests: &str| {
        format!(
            "{{{head},\"testResults\":[{{\"assertionResults\":[{tests}],\"name\":\"a.test.js\",\"status\":\"{file}\"}}]}}\n"
        )
    };
    let total = "\"numTotalTests\":1";
    check::cases(
        Format::Jest,
        &[
            (&of(total, "passed", &one("passed", "")), &["pass a"], &[]),
            (
                &format!(
                    "> a@1 test\n> jest\n\n{}Done in 1s.\n",
                    of(total, "passed", &one("passed", ""))
                ),
                &["pass a"],
                &[],
            ),
            (&of(total, "passed", ""), &[], &["CountMismatch", "NoTests"]),
            (
                &of(
                    "\"numTotalTests\":1,\"success\":true",
                    "failed",
                    &one("failed", ""),
                ),
                &["fail a"],
                &["CountMismatch"],
            ),
            (
                &of("\"numTotalTests\":0", "failed", ""),
                &["error (file)"],
                &[],
            ),
            (
                &of(total, "failed", &one("passed", "")),
                &["pass a", "error (file)"],
                &[],
            ),
            (
                &of(total, "passed", &one("splendid", "")),
                &["unknown a"],
                &["UnknownOutcome"],
            ),
            (
                &of(
                    total,
                    "passed",
                    &one("passed", ",\"invocations\":3,\"retryReasons\":[\"x\"]"),
                ),
                &["fail a", "fail a #2", "pass a #3"],
                &[],
            ),
            (
                &of(
                    "\"numTotalTests\":2",
                    "passed",
                    &format!("{},{}", one("passed", ""), one("passed", "")),
                ),
                &["pass a", "pass a"],
                &["Collision"],
            ),
            (
                &of(
                    "\"numTotalTests\":1,\"wasInterrupted\":true",
                    "passed",
                    &one("todo", ""),
                ),
                &["skip a"],
                &["Incomplete"],
            ),
            (
                &format!("{0}{0}", of(total, "passed", &one("passed", ""))),
                &["pass a"],
                &["Unparsable"],
            ),
            (
                &of(total, "passed", &one("passed", ",\"duration\":\"long\"")),
                &["pass a"],
                &["OddValue"],
            ),
        ],
    );
}

#[test]
fn a_text_of_any_length_is_bounded() {
    let long = "x".repeat(3 << 20);
    let report = format!(
        "{{\"numTotalTests\":1,\"testResults\":[{{\"assertionResults\":[{{\"title\":\"a\",\"status\":\"failed\",\"failureMessages\":[\"{long}\"]}}],\"name\":\"n\",\"status\":\"failed\"}}]}}"
    );
    let (reading, attempts) = check::read(Format::Jest, report.as_bytes());
    assert!(reading.is_whole());
    let failure = &attempts[0].failures[0];
    assert!(
        failure.truncated && failure.message.len() <= 1 << 10 && failure.trace.len() <= 4 << 10
    );
}

/// Vitest 3.2 with `--bail=1`: `pending` is what never began, and `numPendingTests` counts none of these.
#[test]
fn what_vitest_did_not_begin_did_not_run() {
    let report = |pending: u32, last: &str| {
        format!(
            r#"{{"numTotalTestSuites":1,"numPassedTestSuites":0,"numFailedTestSuites":1,"numPendingTestSuites":0,"numTotalTests":3,"numPassedTests":1,"numFailedTests":1,"numPendingTests":{pending},"numTodoTests":0,"startTime":1767225600000,"success":false,"testResults":[{{"assertionResults":[{{"ancestorTitles":[],"fullName":"ok","status":"passed","title":"ok","duration":0.5,"failureMessages":[],"meta":{{}}}},{{"ancestorTitles":[],"fullName":"bad","status":"failed","title":"bad","duration":1.5,"failureMessages":["Error: x"],"meta":{{}}}},{{"ancestorTitles":[],"fullName":"never","status":"{last}","title":"never","failureMessages":[],"meta":{{}}}}],"startTime":1767225600000,"endTime":1767225600002,"status":"failed","message":"","name":"/src/a.test.js"}}]}}"#
        )
    };
    let last = |text: &str| {
        let (reading, attempts) = check::read(Format::Jest, text.as_bytes());
        (reading.is_whole(), attempts[2].outcome)
    };
    assert_eq!(last(&report(0, "pending")), (true, Outcome::Precluded));
    // What had begun is counted.
    assert_eq!(last(&report(1, "pending")), (true, Outcome::Precluded));
    assert_eq!(
        last(&report(1, "skipped")),
        (true, Outcome::Skip(SkipKind::Other))
    );
    for (pending, word) in [(2, "pending"), (0, "skipped"), (2, "skipped")] {
        assert!(!last(&report(pending, word)).0, "{pending} {word}");
    }
}

#[test]
fn names_that_differ_in_blanks_are_two_tests() {
    let test =
        |title: &str| format!(r#"{{"title":"{title}","status":"passed","ancestorTitles":["d"]}}"#);
    let tests: Vec<String> = ["a b", "a  b", r"a\tb", r"a\nb", " a b", "a b "]
        .map(test)
        .into();
    let text = format!(
        r#"{{"numTotalTests":6,"testResults":[{{"name":"/x/a.js","status":"passed","assertionResults":[{}]}}]}}"#,
        tests.join(",")
    );
    let (reading, attempts) = check::read(Format::Jest, text.as_bytes());
    assert!(reading.is_whole(), "{:?}", reading.issues);
    let names: Vec<&str> = attempts.iter().map(|a| a.test.name.as_str()).collect();
    assert_eq!(names, ["a b", "a  b", "a␉b", "a␊b", "␠a b", "a b␠"]);
}
