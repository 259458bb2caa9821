//! What JUnit's reader calls tests and says of them is bounded, whatever stands in the report.

use gonogo_suite::Attempt;
use gonogo_suite::read::{Format, Limits, read};

fn attempts(report: &str, limits: &Limits) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    read(Format::Junit, &mut report.as_bytes(), limits, &mut attempts);
    attempts
}

#[test]
fn every_attempt_of_a_test_without_a_name_has_one() {
    let report =
        "<testsuite><testcase><flakyFailure/><flakyError/><rerunFailure/></testcase></testsuite>";
    let limits = Limits {
        failures: 0,
        ..Limits::default()
    };
    let attempts = attempts(report, &limits);
    assert!(attempts.len() >= 3, "{attempts:?}");
    for attempt in attempts {
        assert_eq!(attempt.test.to_string(), "(unnamed)");
    }
}

#[test]
fn a_word_that_is_told_is_short_in_bytes() {
    let word = "─".repeat(100);
    let report = format!(
        r#"<testsuite><testcase name="a" status="failed {word}"/><testcase name="b" success="false" result="{word}"/></testsuite>"#
    );
    let attempts = attempts(&report, &Limits::default());
    let failures = attempts.iter().flat_map(|attempt| &attempt.failures);
    let told: Vec<usize> = failures.map(|failure| failure.message.len()).collect();
    assert!(
        !told.is_empty() && told.iter().all(|n| *n <= 80),
        "{told:?} {attempts:?}"
    );
}
