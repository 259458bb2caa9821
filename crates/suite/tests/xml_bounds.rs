//! What the readers of XML call tests and say of them is bounded, whatever stands in the report.

use gonogo_suite::Attempt;
use gonogo_suite::read::{Format, Limits, read};

fn attempts(report: &str, limits: &Limits) -> Vec<Attempt> {
    attempts_of(Format::Junit, report, limits)
}

fn attempts_of(format: Format, report: &str, limits: &Limits) -> Vec<Attempt> {
    let mut attempts: Vec<Attempt> = Vec::new();
    read(format, &mut report.as_bytes(), limits, &mut attempts);
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
    let trx = format!(
        r#"<TestRun><Results><UnitTestResult testId="1" testName="a" outcome="{word}"/></Results></TestRun>"#
    );
    let limits = Limits::default();
    let mut attempts = attempts(&report, &limits);
    attempts.extend(attempts_of(Format::Trx, &trx, &limits));
    assert_eq!(attempts.len(), 3);
    let failures = attempts.iter().flat_map(|attempt| &attempt.failures);
    let told: Vec<usize> = failures.map(|failure| failure.message.len()).collect();
    assert!(
        !told.is_empty() && told.iter().all(|n| *n <= 80),
        "{told:?} {attempts:?}"
    );
}
