//! TRX, after the published schema.

use gonogo_suite::read::{Format, Limits, Parse, Reading, read};
use gonogo_suite::{Attempt, FailureKind, IssueKind};
use proptest::prelude::*;

const SAMPLE: &str = include_str!("reports/trx/sample.trx");
const CRASH: &str = include_str!("reports/trx/crash.trx");

fn parsed(bytes: &[u8]) -> (Reading, Vec<Attempt>) {
    let mut attempts = Vec::new();
    let reading = read(Format::Trx, &mut &*bytes, &Limits::default(), &mut attempts);
    (reading, attempts)
}

fn short(attempts: &[Attempt]) -> String {
    let one = |a: &Attempt| format!("{} {}", a.outcome.word(), a.test);
    attempts.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn kinds(reading: &Reading) -> Vec<IssueKind> {
    let mut kinds: Vec<_> = reading
        .issues
        .iter()
        .map(|i| i.kind)
        .filter(|k| *k != IssueKind::OddValue)
        .collect();
    kinds.dedup();
    kinds
}

#[test]
fn results_with_rows_and_definitions() {
    let (reading, attempts) = parsed(SAMPLE.as_bytes());
    assert_eq!(
        short(&attempts),
        "pass Sample.dll > Sample.Tests > Passes\n\
         fail Sample.dll > Sample.Tests > Fails\n\
         pass Sample.dll > Sample.Tests > Rows (Data Row 0)\n\
         fail Sample.dll > Sample.Tests > Rows (Data Row 1)\n\
         skip Sample.dll > Sample.Tests > Ignored\n\
         skip Sample.dll > Sample.Tests > Unsure\n\
         fail Sample.dll > Sample.Tests > Slow\n\
         pass Sample.dll > Sample.OtherTests > Passes"
    );
    assert!(reading.is_whole(), "{:?}", reading.issues);
    assert_eq!(reading.declared, Some(8));
    assert_eq!(attempts[0].output, "printed <&>");
    assert_eq!(attempts[0].seconds, Some(0.012));
    assert_eq!(attempts[0].started_ms, Some(1_709_208_001_000));
    assert_eq!(attempts[1].failures[0].kind, FailureKind::Assertion);
    assert!(attempts[1].failures[0].trace.contains("Tests.cs:line 12"));
    assert_eq!(attempts[3].failures[0].class, "System.IO.IOException");
    assert_eq!(attempts[4].skipped.as_deref(), Some("later"));
    assert_eq!(attempts[6].failures[0].kind, FailureKind::Timeout);
    for a in &attempts {
        let text = &SAMPLE[a.place.from as usize..a.place.to as usize];
        assert!(text.starts_with("<UnitTestResult") && text.ends_with('>'));
    }
}

#[test]
fn a_run_that_failed_itself() {
    let (reading, attempts) = parsed(CRASH.as_bytes());
    assert_eq!(
        short(&attempts),
        "error (run)\npass Sample.dll > Sample.Tests > Passes"
    );
    assert_eq!(attempts[0].failures[0].kind, FailureKind::Crash);
    assert_eq!(reading.seen.errors, 1);
}

#[test]
fn every_word_and_what_is_missing() {
    let run = |results: &str, summary: &str| {
        format!("<TestRun><Results>{results}</Results>{summary}</TestRun>")
    };
    let done = "<ResultSummary outcome='Completed'/>";
    let result = |outcome: &str| format!("<UnitTestResult testName='a' outcome='{outcome}'/>");
    use IssueKind::{CountMismatch, Incomplete, NoTests, Truncated, UnknownOutcome, Unparsable};
    let table: Vec<(String, &str, Vec<IssueKind>)> = vec![
        (run(&result("Passed"), done), "pass a", vec![]),
        (run(&result("passed"), done), "pass a", vec![]),
        (run(&result("Failed"), done), "fail a", vec![]),
        (run(&result("Error"), done), "error a", vec![]),
        (run(&result("Timeout"), done), "fail a", vec![]),
        (run(&result("Aborted"), done), "error a", vec![Incomplete]),
        (run(&result("Inconclusive"), done), "skip a", vec![]),
        (run(&result("NotExecuted"), done), "skip a", vec![]),
        (run(&result("NotRunnable"), done), "precluded a", vec![]),
        (
            run(&result("Disconnected"), done),
            "error a",
            vec![Incomplete],
        ),
        (run(&result("Warning"), done), "error a", vec![]),
        (
            run(&result("Pending"), done),
            "precluded a",
            vec![Incomplete],
        ),
        (
            run(&result("PassedButRunAborted"), done),
            "error a",
            vec![Incomplete],
        ),
        (
            run(&result("InProgress"), done),
            "error a",
            vec![Incomplete],
        ),
        (run(&result("Completed"), done), "unknown a", vec![]),
        (
            run(&result("Fine"), done),
            "unknown a",
            vec![UnknownOutcome],
        ),
        (
            run("<UnitTestResult testName='a'/>", done),
            "unknown a",
            vec![UnknownOutcome],
        ),
        (run(&result("Passed"), ""), "pass a", vec![Incomplete]),
        (
            run(&result("Passed"), "<ResultSummary outcome='Aborted'/>"),
            "pass a\nerror (run)",
            vec![Incomplete],
        ),
        (
            run(&result("Passed"), "<ResultSummary outcome='Failed'/>"),
            "pass a\nerror (run)",
            vec![],
        ),
        (
            run(
                &result("Passed"),
                "<ResultSummary outcome='Completed'><Counters total='2' passed='2'/></ResultSummary>",
            ),
            "pass a",
            vec![CountMismatch],
        ),
        (
            run(
                &result("Passed"),
                "<ResultSummary outcome='Completed'><Counters total='1' passed='1' failed='1'/></ResultSummary>",
            ),
            "pass a",
            vec![CountMismatch],
        ),
        (run("", done), "", vec![NoTests]),
        (
            run(
                "<UnitTestResult testName='a' outcome='Failed'><InnerResults><UnitTestResult testName='a (1)' outcome='Passed'/></InnerResults></UnitTestResult>",
                done,
            ),
            "pass a (1)\nfail a",
            vec![],
        ),
        (
            "<TestRun><Results><UnitTestResult testName='a' outcome='Passed'>".to_owned(),
            "unknown a",
            vec![Truncated],
        ),
        ("<testsuites/>".to_owned(), "", vec![Unparsable]),
        (String::new(), "", vec![Unparsable]),
    ];
    for (text, tests, issues) in table {
        let (reading, attempts) = parsed(text.as_bytes());
        assert_eq!(short(&attempts), tests, "{text}");
        assert_eq!(kinds(&reading), issues, "{text}: {:?}", reading.issues);
    }
}

#[test]
fn reports_that_end_too_early() {
    for whole in [SAMPLE, CRASH] {
        let (all, _) = parsed(whole.as_bytes());
        for cut in 0..whole.trim_end().len() {
            let (reading, _) = parsed(&whole.as_bytes()[..cut]);
            assert_ne!(reading.parse, Parse::Whole, "at {cut}");
            assert!(reading.seen.passed <= all.seen.passed, "at {cut}");
        }
    }
}

/// A run of one test that passed, with what else it defines and counts.
fn counted(planned: &str, counters: &str) -> String {
    format!(
        "<TestRun><Results><UnitTestResult testId='t1' testName='N.A' outcome='Passed'/></Results>\
         <TestDefinitions><UnitTest name='N.A' id='t1'/>{planned}</TestDefinitions>\
         <ResultSummary outcome='Completed'><Counters {counters}/></ResultSummary></TestRun>"
    )
}

#[test]
fn a_test_without_a_result_did_not_run() {
    let defined = "<UnitTest name='N.B' id='t2'/>";
    let entered = "<TestEntry testId='T1'/><TestEntry testId='t2'/>";
    for (planned, name) in [
        (defined.to_owned(), "N.B"),
        (entered.to_owned(), "t2"),
        (format!("{entered}{defined}"), "N.B"),
        (format!("{defined}{entered}"), "N.B"),
    ] {
        // VSTest counts what has a result, others what was to be run.
        for counters in [
            "total='1' executed='1' passed='1' failed='0' notExecuted='0'",
            "total='2' executed='1' passed='1' failed='0' notExecuted='1'",
        ] {
            let (reading, attempts) = parsed(counted(&planned, counters).as_bytes());
            assert_eq!(
                short(&attempts),
                format!("pass N.A\nprecluded {name}"),
                "{planned} {counters}"
            );
            assert!(reading.is_whole(), "{:?}", reading.issues);
        }
    }
    // Definitions before results, as Visual Studio wrote them.
    let older = "<TestRun><TestDefinitions><UnitTest name='N.A' id='t1'/><UnitTest name='N.B' id='t2'/></TestDefinitions>\
                 <Results><UnitTestResult testId='t2' testName='N.B' outcome='Passed'/></Results><ResultSummary outcome='Completed'/></TestRun>";
    let (_, attempts) = parsed(older.as_bytes());
    assert_eq!(short(&attempts), "pass N.B\nprecluded N.A");
}

#[test]
fn every_counter_is_held_against_the_results() {
    for counters in [
        "inProgress='1'",
        "notExecuted='1'",
        "inconclusive='1'",
        "warning='1'",
        "completed='1'",
        "pending='1'",
        "aborted='1'",
        "error='1'",
        "timeout='1'",
        "disconnected='1'",
        "notRunnable='1'",
        "passedButRunAborted='1'",
        "executed='2'",
        "executed='0' passed='1'",
    ] {
        let (reading, _) = parsed(counted("", counters).as_bytes());
        assert_eq!(
            kinds(&reading),
            [IssueKind::CountMismatch],
            "{counters}: {:?}",
            reading.issues
        );
    }
    let of = |outcome: &str, counters: &str| {
        format!(
            "<TestRun><Results><UnitTestResult testName='a' outcome='Passed'/><UnitTestResult testName='b' outcome='{outcome}'/></Results>\
             <ResultSummary outcome='Completed'><Counters total='2' passed='1' {counters}/></ResultSummary></TestRun>"
        )
    };
    for (outcome, counters) in [
        // VSTest counts neither.
        ("NotExecuted", "executed='1' failed='0' notExecuted='0'"),
        ("NotExecuted", "executed='1' failed='0' notExecuted='1'"),
        ("Inconclusive", "executed='2' failed='0' inconclusive='1'"),
        ("Warning", "executed='2' failed='0' warning='1'"),
        ("Error", "executed='2' failed='0' error='1'"),
        ("NotRunnable", "executed='1' failed='0' notRunnable='1'"),
    ] {
        let (reading, _) = parsed(of(outcome, counters).as_bytes());
        assert_eq!(
            kinds(&reading),
            [],
            "{outcome} {counters}: {:?}",
            reading.issues
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_reports(seed in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = SAMPLE.as_bytes().to_vec();
        for (at, b) in &seed {
            let at = at.index(bytes.len());
            bytes[at] = *b;
        }
        let (reading, attempts) = parsed(&bytes);
        prop_assert_eq!(reading.seen.attempts, attempts.len() as u64);
    }
}
