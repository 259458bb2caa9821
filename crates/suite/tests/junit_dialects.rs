//! What writers of JUnit XML count in a way of their own, and that this is no way to lose a test.

#[path = "reports/check.rs"]
#[allow(dead_code, reason = "each test file uses a part of it")]
mod check;

use gonogo_suite::{Attempt, Format, IssueKind, Outcome, Reading};

fn report(path: &str) -> String {
    String::from_utf8(check::fixture(path)).expect("a report in UTF-8")
}

fn read(text: &str) -> (Reading, Vec<Attempt>) {
    check::read(Format::Junit, text.as_bytes())
}

/// How many of the tests of a name came to what, in the report's order.
fn outcomes(attempts: &[Attempt], name: &str) -> Vec<(Outcome, u32)> {
    let named = attempts.iter().filter(|a| a.test.name == name);
    named.map(|a| (a.outcome, a.number)).collect()
}

/// Passed, failed, in error, skipped.
fn counts(reading: &Reading) -> [u64; 4] {
    let seen = reading.seen;
    [seen.passed, seen.failed, seen.errors, seen.skipped]
}

#[test]
fn healthy_reports_agree_with_themselves() {
    let cases = [
        ("junit-mocha/pending.xml", [2, 0, 0, 0]),
        ("junit-mocha/hooks.xml", [3, 2, 0, 0]),
        ("junit-mocha/xunit-hooks.xml", [3, 2, 0, 1]),
        ("jest-junit/todo.xml", [1, 0, 0, 3]),
        ("junit-node/todo.xml", [3, 0, 0, 5]),
        ("junit-newman/two-tests.xml", [2, 0, 0, 0]),
        ("junit-newman/refused.xml", [0, 0, 1, 0]),
        ("junit-newman/script.xml", [1, 0, 1, 0]),
        ("junit-ginkgo/skipped.xml", [0, 0, 0, 2]),
        ("pytest-junit/xdist-reruns.xml", [25, 2, 0, 0]),
        ("junit-node/nested.xml", [5, 0, 0, 2]),
        ("junit-node/fails.xml", [1, 1, 0, 1]),
        ("junit-node/two-files.xml", [10, 0, 0, 4]),
        ("junit-playwright/playwright.xml", [7, 1, 0, 2]),
        ("gotestsum/rerun.xml", [2, 4, 0, 0]),
        ("gotestsum/import.xml", [0, 1, 0, 0]),
        ("junit-boost/run-test.xml", [1, 0, 0, 16]),
        ("junit-doctest/doctest.xml", [6, 5, 1, 0]),
        ("junit-catch2/catch2.xml", [7, 5, 1, 0]),
        ("junit-catch2/may-fail.xml", [2, 0, 0, 0]),
        ("junit-gtest/gtest.xml", [5, 5, 0, 4]),
        ("junit-gtest/environment.xml", [2, 1, 0, 0]),
        ("junit-nose2/nose2.xml", [5, 4, 6, 1]),
        ("junit-behave/hooks.xml", [1, 0, 1, 0]),
        ("junit-behave/stop.xml", [1, 0, 0, 1]),
        ("junit-cmocka/cmocka.xml", [0, 0, 1, 0]),
        ("junit-cmocka/group.xml", [1, 2, 0, 1]),
        ("junit-phpunit/phpunit.xml", [3, 4, 6, 4]),
        ("surefire-junit4/TEST-s.InitTest.xml", [0, 0, 3, 0]),
        ("surefire-junit4/TEST-s.TdTest.xml", [0, 1, 1, 0]),
    ];
    for (path, expected) in cases {
        let (reading, _) = read(&report(path));
        assert!(reading.is_whole(), "{path}: {:?}", reading.issues);
        assert_eq!(counts(&reading), expected, "{path}");
    }
}

/// Each element of a test taken out, one at a time: somebody says so.
#[test]
fn a_test_that_is_taken_out_is_missed() {
    for path in [
        "junit-mocha/pending.xml",
        "junit-mocha/xunit-hooks.xml",
        "junit-playwright/playwright.xml",
        "gotestsum/rerun.xml",
        "junit-gtest/gtest.xml",
        "junit-phpunit/phpunit.xml",
        "surefire-junit4/TEST-s.TdTest.xml",
        "junit-behave/hooks.xml",
    ] {
        let text = report(path);
        let mut at = 0;
        let mut tried = 0;
        while let Some(found) = text[at..].find("<testcase") {
            let from = at + found;
            let tag = from + text[from..].find('>').expect("an end of the tag") + 1;
            let to = if text[..tag].ends_with("/>") {
                tag
            } else {
                let end = "</testcase>";
                from + text[from..].find(end).expect("an end of the test") + end.len()
            };
            let without = format!("{}{}", &text[..from], &text[to..]);
            let (reading, _) = read(&without);
            assert!(!reading.is_whole(), "{path} without {}", &text[from..tag]);
            at = to;
            tried += 1;
        }
        assert!(tried > 1, "{path}");
    }
}

#[test]
fn nodes_inner_suites_are_held_to_their_numbers() {
    let text = report("junit-node/nested.xml");
    let inner = "tests=\"3\"";
    assert!(text.contains(inner));
    for wrong in ["1", "5", "9"] {
        let (reading, _) = read(&text.replace(inner, &format!("tests=\"{wrong}\"")));
        let has = reading
            .issues
            .iter()
            .any(|issue| issue.kind == IssueKind::CountMismatch);
        assert!(has, "{wrong}: {:?}", reading.issues);
    }
}

#[test]
fn the_same_names_in_two_files_are_two_tests() {
    let (_, attempts) = read(&report("junit-node/two-files.xml"));
    assert!(attempts.iter().all(|attempt| attempt.number == 1));
    let suites: Vec<&str> = attempts.iter().map(|a| a.test.suite.as_str()).collect();
    assert!(
        suites.contains(&"/src/a.test.js > outer > inner"),
        "{suites:?}"
    );
    assert!(suites.contains(&"/src/nested.test.js > outer > inner"));
}

#[test]
fn a_file_in_two_projects_is_two_suites() {
    let (_, attempts) = read(&report("junit-playwright/playwright.xml"));
    assert_eq!(
        outcomes(&attempts, "only on one"),
        [(Outcome::Pass, 1), (Outcome::Fail, 1)]
    );
    let suites: Vec<&str> = attempts.iter().map(|a| a.test.suite.as_str()).collect();
    assert!(suites.contains(&"one > sample.spec.js") && suites.contains(&"two > sample.spec.js"));
}

#[test]
fn reruns_of_go_are_attempts() {
    let (_, attempts) = read(&report("gotestsum/rerun.xml"));
    assert_eq!(
        outcomes(&attempts, "TestFlaky"),
        [(Outcome::Fail, 1), (Outcome::Pass, 2)]
    );
    assert_eq!(
        outcomes(&attempts, "TestNever"),
        [(Outcome::Fail, 1), (Outcome::Fail, 2), (Outcome::Fail, 3)]
    );
}

#[test]
fn the_same_twice_elsewhere_is_a_collision() {
    let one = "<testcase name='a' classname='b'/>";
    let bad = "<testcase name='a' classname='b'><failure message='x'/></testcase>";
    for (tests, collides) in [
        (format!("{one}{one}"), true),
        (format!("{one}{bad}"), true),
        (format!("{bad}{one}"), true),
        (format!("{bad}{bad}"), true),
        (format!("{bad}<testcase name='c'/>{bad}"), true),
    ] {
        let text = format!("<testsuite name='s'>{tests}</testsuite>");
        let (reading, attempts) = read(&text);
        let has = reading
            .issues
            .iter()
            .any(|i| i.kind == IssueKind::Collision);
        assert_eq!(has, collides, "{tests}");
        let failures = attempts.iter().map(|a| a.failures.len()).sum::<usize>();
        assert_eq!(failures, tests.matches("<failure").count(), "{tests}");
    }
}

/// Surefire writes a test of JUnit 4 once for each thing that failed in it.
#[test]
fn one_test_of_surefire_has_all_of_its_failures() {
    let text = report("surefire-junit4/TEST-s.TdTest.xml");
    let (reading, attempts) = read(&text);
    assert!(reading.is_whole(), "{:?}", reading.issues);
    let one = attempts
        .iter()
        .find(|a| a.test.name == "a")
        .expect("it is there");
    let said: Vec<&str> = one.failures.iter().map(|f| f.message.as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    // Of anybody else they are two tests.
    let (reading, _) = read(&text.replace("surefire-test-report", "other"));
    assert!(
        reading
            .issues
            .iter()
            .any(|i| i.kind == IssueKind::Collision)
    );
}

#[test]
fn reruns_among_other_tests_are_reruns_only_if_each_test_is_counted_once() {
    let text = report("pytest-junit/xdist-reruns.xml");
    let (_, attempts) = read(&text);
    let named: Vec<bool> = attempts
        .iter()
        .filter(|a| a.test.name == "test_flaky")
        .map(|a| a.outcome.is_bad())
        .collect();
    assert_eq!(
        named.iter().filter(|is_bad| **is_bad).count(),
        2,
        "{named:?}"
    );
    for wrong in ["24", "26", "27"] {
        let (reading, _) = read(&text.replace("tests=\"25\"", &format!("tests=\"{wrong}\"")));
        assert!(!reading.is_whole(), "{wrong}");
    }
}

#[test]
fn a_job_of_avocado_is_the_same_tomorrow() {
    let text = report("junit-avocado/first.xml");
    let again = text.replace(
        "job-2026-11-22T15.52-52dac2c",
        "job-2026-11-23T08.01-e7f3280",
    );
    assert_ne!(text, again);
    let id = |text: &str| read(text).1.remove(0).test;
    assert_eq!(id(&text), id(&again));
    let other = text.replace("job-2026-11-22T15.52-52dac2c", "job-of-mine");
    assert_ne!(id(&text), id(&other));
}

#[test]
fn a_request_that_failed_is_told_with_its_error() {
    for (path, said) in [
        (
            "junit-newman/refused.xml",
            "RequestError: Error: connect ECONNREFUSED 127.0.0.1:9",
        ),
        ("junit-newman/script.xml", "prerequestScriptError: pre"),
    ] {
        let (_, attempts) = read(&report(path));
        let bad = attempts.iter().find(|a| a.outcome.is_bad()).expect(path);
        assert_eq!(bad.failures[0].message, said, "{path}");
    }
    // What holds all requests counts them: one more is not there.
    let text = report("junit-newman/two-tests.xml");
    let more = text.replacen("tests=\"1\"", "tests=\"3\"", 1);
    assert!(!read(&more).0.is_whole());
}

#[test]
fn what_may_fail_does_not_and_what_should_not_pass_does() {
    let (_, attempts) = read(&report("junit-catch2/may-fail.xml"));
    assert_eq!(
        outcomes(&attempts, "mayfail"),
        [(Outcome::ExpectedFailure, 1)]
    );
    let (_, attempts) = read(&report("junit-nose2/nose2.xml"));
    assert_eq!(
        outcomes(&attempts, "test_ef"),
        [(Outcome::ExpectedFailure, 1)]
    );
    assert_eq!(
        outcomes(&attempts, "test_es"),
        [(Outcome::UnexpectedPass, 1)]
    );
}

#[test]
fn more_that_is_pending_than_declared_is_missed() {
    let text = report("junit-mocha/pending.xml");
    for (from, to) in [
        (
            "tests=\"4\" failures=\"0\" skipped=\"2\"",
            "tests=\"4\" failures=\"0\" skipped=\"1\"",
        ),
        (
            "tests=\"4\" failures=\"0\" skipped=\"2\"",
            "tests=\"5\" failures=\"0\" skipped=\"2\"",
        ),
        (
            "tests=\"4\" failures=\"0\" skipped=\"2\"",
            "tests=\"2\" failures=\"0\" skipped=\"2\"",
        ),
        ("tests=\"2\" file", "tests=\"9\" file"),
    ] {
        assert!(text.contains(from), "{from}");
        let (reading, _) = read(&text.replacen(from, to, 1));
        assert!(!reading.is_whole(), "{to}");
    }
}

#[test]
fn what_has_no_end_and_what_is_no_test_is_no_pass() {
    check::cases(
        Format::Junit,
        &[
            (
                "<testsuite tests='1'><testcase name='a'/><testcase time='0.1'/></testsuite>",
                &["pass a", "unknown (unnamed)"],
                &["Incomplete", "CountMismatch"],
            ),
            (
                "<testsuite tests='1'><testcase name='a'/><testcase classname='' name=''><error/></testcase></testsuite>",
                &["pass a", "error (unnamed)"],
                &["OddValue", "CountMismatch"],
            ),
            (
                "<testsuite tests='1'><testcase name='a'/><testcase name='TestMain'/></testsuite>",
                &["pass a", "pass TestMain"],
                &["CountMismatch"],
            ),
            // Ginkgo.
            (
                "<testsuite><testcase name='a' status='panicked'/><testcase name='b' status='timedout'/><testcase name='c' status='interrupted'/></testsuite>",
                &["error a", "fail b", "error c"],
                &[],
            ),
            (
                "<testsuite name='s'><properties><property name='SuiteSucceeded' value='false'/></properties><testcase name='[BeforeSuite]' status='passed'/>\
                 <testcase name='[It] a' status='passed'/><testcase name='[AfterSuite] x' status='failed'><failure/></testcase></testsuite>",
                &["pass [It] a", "fail [AfterSuite] x"],
                &[],
            ),
            // Of another writer it is a test.
            (
                "<testsuite name='s'><testcase name='[BeforeSuite]' status='passed'/></testsuite>",
                &["pass [BeforeSuite]"],
                &[],
            ),
        ],
    );
}
