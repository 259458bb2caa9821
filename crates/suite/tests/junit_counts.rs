//! Counts and signs of JUnit's dialects by which a report says more than its test elements do.

use gonogo_suite::read::{Format, Limits, Reading, read};
use gonogo_suite::run::{Row, Tally};
use gonogo_suite::{Attempt, IssueKind, Outcome, TestVerdict};

fn parsed(text: &str) -> (Reading, Vec<Attempt>) {
    let mut attempts = Vec::new();
    let mut source = text.as_bytes();
    let reading = read(
        Format::Junit,
        &mut source,
        &Limits::default(),
        &mut attempts,
    );
    (reading, attempts)
}

fn rows(text: &str, code: Option<i32>) -> (Reading, Vec<Row>) {
    let mut tally = Tally::default();
    tally.ended(code);
    let mut source = text.as_bytes();
    let reading = read(Format::Junit, &mut source, &Limits::default(), &mut tally);
    (reading, tally.into_rows("t", &[]))
}

fn verdicts(rows: &[Row]) -> Vec<TestVerdict> {
    rows.iter().map(|row| row.verdict).collect()
}

fn is_good(text: &str) -> bool {
    let (reading, rows) = rows(text, Some(0));
    reading.is_whole() && rows.iter().all(|row| row.verdict.is_good())
}

#[test]
fn whatever_the_word_a_count_of_what_is_not_there_is_no_pass() {
    let suite = |counts: &str, inner: &str| {
        format!(
            "<testsuites><testsuite name='s' tests='1' {counts}><testcase classname='c' name='a'>{inner}</testcase></testsuite></testsuites>"
        )
    };
    assert!(is_good(&suite("failures='0' errors='0'", "")));
    for word in [
        "aborted",
        "broken",
        "canceled",
        "cancelled",
        "crashed",
        "crashes",
        "flakes",
        "flaky",
        "incomplete",
        "inconclusive",
        "interrupted",
        "killed",
        "not-run",
        "notrun",
        "panicked",
        "timed-out",
        "timed_out",
        "timedout",
        "timeouts",
        "unexpected",
        "unfinished",
        "Crashes",
    ] {
        assert!(!is_good(&suite(&format!("{word}='1'"), "")), "{word}");
        assert!(is_good(&suite(&format!("{word}='0'"), "")), "{word}");
        assert!(is_good(&suite(&format!("{word}=''"), "")), "{word}");
    }
    // A count of what is there says nothing new.
    for (counts, inner) in [
        ("failures='1' crashes='1'", "<failure/>"),
        ("failures='1' unexpected='1' timed_out='1'", "<failure/>"),
        ("skipped='1' inconclusive='1'", "<skipped/>"),
        ("failures='1' inconclusive='1'", "<failure/>"),
        ("failures='0' errors='0' flakes='1'", "<flakyFailure/>"),
        ("failures='0' flaky='2'", "<flakyError/>"),
        ("not-run='1'", "<skipped/>"),
    ] {
        let (reading, _) = parsed(&suite(counts, inner));
        assert!(reading.is_whole(), "{counts}: {:?}", reading.issues);
    }
    // More than is there.
    for (counts, inner) in [
        ("failures='1' crashes='3'", "<failure/>"),
        ("skipped='1' inconclusive='2'", "<skipped/>"),
    ] {
        let (reading, _) = parsed(&suite(counts, inner));
        let kinds: Vec<_> = reading.issues.iter().map(|i| i.kind).collect();
        assert_eq!(kinds, [IssueKind::CountMismatch], "{counts}");
    }
}

/// As Vitest 3.2 writes it with `--bail=1`.
fn vitest(cases: &str, tests: u32, failures: u32) -> String {
    format!(
        r#"<testsuites name="vitest tests" tests="{tests}" failures="{failures}" errors="0" time="0.01">
    <testsuite name="a.test.js" timestamp="2026-11-22T19:00:00.000Z" hostname="h" tests="{tests}" failures="{failures}" errors="0" skipped="0" time="0.004">{cases}
    </testsuite>
</testsuites>"#
    )
}

#[test]
fn what_vitest_did_not_run_did_not_pass() {
    let case = |name: &str, time: &str, inner: &str| {
        format!(
            "<testcase classname=\"a.test.js\" name=\"{name}\" time=\"{time}\">{inner}</testcase>"
        )
    };
    let fine = [
        case("ok", "0.001342", ""),
        case("bad", "0.0021", "<failure message='x' type='Error'/>"),
        case("never", "0", ""),
    ]
    .concat();
    let outcomes = |text: &str| -> Vec<Outcome> {
        let (reading, attempts) = parsed(text);
        assert!(reading.is_whole(), "{:?}", reading.issues);
        attempts.iter().map(|a| a.outcome).collect()
    };
    use Outcome::{Fail, Pass, Precluded, Unknown};
    assert_eq!(outcomes(&vitest(&fine, 3, 1)), [Pass, Fail, Precluded]);
    // A clock of whole milliseconds: it may have run.
    let coarse = [
        case("ok", "0.001", ""),
        case("bad", "0.002", "<failure/>"),
        case("never", "0", ""),
    ];
    assert_eq!(
        outcomes(&vitest(&coarse.concat(), 3, 1)),
        [Pass, Fail, Unknown]
    );
    // What printed something ran, and nothing ends a run without a failure.
    let printed = [
        case("bad", "0.0021", "<failure/>"),
        case("a", "0", "<system-out>x</system-out>"),
    ];
    assert_eq!(outcomes(&vitest(&printed.concat(), 2, 1)), [Fail, Pass]);
    let green = [case("ok", "0.0013", ""), case("b", "0", "")];
    assert_eq!(outcomes(&vitest(&green.concat(), 2, 0)), [Pass, Pass]);
    // Other writers round.
    let other = vitest(&fine, 3, 1).replace("vitest tests", "tests");
    assert_eq!(outcomes(&other), [Pass, Fail, Pass]);
}

/// As ESLint 8.57 writes it.
fn eslint(findings: &[(&str, &str)]) -> String {
    let cases: String = findings
        .iter()
        .map(|(rule, severity)| format!(
            r#"<testcase time="0" name="org.eslint.{rule}" classname="/src/w"><failure message="no"><![CDATA[line 1, col 5, {severity} - no. ({rule})]]></failure></testcase>"#
        ))
        .collect();
    let count = findings.len();
    format!(
        r#"<testsuites><testsuite package="org.eslint" time="0" tests="{count}" errors="{count}" name="/src/w.js">{cases}</testsuite></testsuites>"#
    )
}

#[test]
fn a_warning_of_eslint_fails_what_eslint_says_it_fails() {
    use TestVerdict::{Failed, Passed};
    let warnings = eslint(&[
        ("semi", "Warning"),
        ("no-var", "Warning"),
        ("semi", "Warning"),
    ]);
    let (reading, green) = rows(&warnings, Some(0));
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(verdicts(&green), [Passed, Passed]);
    // `--max-warnings`, and where nobody says how it ended.
    for code in [Some(1), None] {
        assert_eq!(verdicts(&rows(&warnings, code).1), [Failed, Failed]);
    }
    let mixed = eslint(&[("semi", "Warning"), ("no-var", "Error")]);
    assert_eq!(verdicts(&rows(&mixed, Some(0)).1), [Failed, Passed]);
    assert_eq!(verdicts(&rows(&mixed, Some(1)).1), [Failed, Failed]);
    // Nobody else's failures are warnings.
    let other = warnings.replace("org.eslint\" time", "org.other\" time");
    let (_, rows) = rows(&other, Some(0));
    assert_eq!(verdicts(&rows), [Failed, Failed]);
}

/// As stylelint-junit-formatter 0.2.2 writes it.
fn stylelint(count: u32, cases: &str) -> String {
    format!(
        r#"<testsuites package="stylelint.rules"><testsuite name="/src/a.css" failures="{count}" errors="{count}" tests="{count}">{cases}</testsuite>
  <testsuite name="/src/ok.css" failures="0" errors="0" tests="1"><testcase name="stylelint.passed"/></testsuite></testsuites>"#
    )
}

#[test]
fn stylelint_counts_each_finding_twice() {
    use TestVerdict::{Failed, Passed};
    let finding = r#"<testcase name="color-hex"><failure type="error" message="no">On line 1</failure></testcase>"#;
    for (count, cases, expected) in [
        (1, finding.to_owned(), vec![Failed, Passed]),
        (2, finding.repeat(2), vec![Failed, Passed]),
        // Only warnings: one test stands for them.
        (
            2,
            r#"<testcase name="stylelint.passed"/>"#.to_owned(),
            vec![Passed, Passed],
        ),
    ] {
        let (reading, rows) = rows(&stylelint(count, &cases), Some(2));
        assert!(reading.is_whole(), "{cases}: {:?}", reading.issues);
        assert_eq!(verdicts(&rows), expected, "{cases}");
    }
    // A finding that is not there.
    let (reading, _) = parsed(&stylelint(2, finding));
    assert!(!reading.is_whole());
}

#[test]
fn names_that_differ_in_blanks_are_two_tests() {
    let names = ["a b", "a  b", "a\tb", "a&#10;b", " a b", "a b "];
    let case = |name: &&str| {
        format!("<testcase classname=\"a.test.js\" name=\"{name}\" time=\"0.0013\"></testcase>")
    };
    let text = vitest(&names.iter().map(case).collect::<String>(), 6, 0);
    let shown = |text: &str| -> (bool, Vec<String>) {
        let (reading, attempts) = parsed(text);
        let names = attempts.into_iter().map(|a| a.test.name);
        (reading.is_whole(), names.collect())
    };
    let (is_whole, all) = shown(&text);
    assert!(is_whole);
    assert_eq!(all, ["a b", "a  b", "a␉b", "a␊b", "␠a b", "a b␠"]);
    // jest-junit puts a blank between the groups, which may be none, and the test.
    let (is_whole, all) = shown(&text.replace("vitest tests", "jest tests"));
    assert!(!is_whole);
    assert_eq!(all[4..], ["a b", "a b"]);
}
