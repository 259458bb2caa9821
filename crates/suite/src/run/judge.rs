//! What a target came to: its process's end beside what its reports say.
//!
//! Neither is believed alone. A report without failures beside an exit code of 1 is a contradiction, and so is the reverse; a process that
//! was ended proves nothing, whatever it had written; no test that ran is no pass.

use gonogo_core::{Reason, Timestamp, Verdict};

use super::{Class, Collisions, End, Input, Problem, Row, Stops, TOLD, TargetResult, Tests};
use crate::{Parse, TestVerdict};

/// Most problems of one kind that are told of one target.
const EACH: usize = 10;

/// A target as it was run, to be judged.
#[derive(Debug, Clone)]
pub struct Attempted {
    /// Its name.
    pub target: String,
    /// What it is for.
    pub class: Class,
    /// The run's.
    pub correlation_id: String,
    /// Whether a gate must see it good.
    pub blocking: bool,
    /// Who owns it.
    pub owner: Option<String>,
    /// What was run.
    pub command: Vec<String>,
    /// Where, relative to the project.
    pub dir: String,
    /// The declared format; `command` where the exit code and the log are all there is.
    pub format: String,
    /// The fewest tests that must run; 0 only where that was said.
    pub min_tests: u64,
    /// The shortest time in which it can be green, milliseconds.
    pub min_duration_ms: Option<u64>,
    /// How its process ended.
    pub end: End,
    /// How long it ran, milliseconds.
    pub duration_ms: u64,
    /// When it ended.
    pub ended_at: Timestamp,
    /// The reports.
    pub inputs: Vec<Input>,
    /// What the runner itself found wrong: no report, an old one, one that cannot be copied.
    pub problems: Vec<Problem>,
    /// Paths of its artifacts below the run's directory: the target's own directory.
    pub home: String,
}

/// Judges a target. `rows` are all its tests; those that did not pass stand in the result.
pub fn judge(attempted: Attempted, collisions: &Collisions, rows: &[Row]) -> TargetResult {
    let mut tests = Tests::default();
    for row in rows {
        tests.add(row.verdict, row.cached);
    }
    let mut problems = attempted.problems.clone();
    of_end(&attempted, &mut problems);
    of_inputs(&attempted, collisions, &mut problems);
    of_tests(&attempted, &tests, &mut problems);
    let ran_well = problems.is_empty() && tests.bad() == 0;
    if let Some(least) = attempted.min_duration_ms
        && ran_well
        && attempted.duration_ms < least
    {
        let text = format!(
            "it was green after {} ms, and that takes {least} ms at least",
            attempted.duration_ms
        );
        problems.push(Problem::new(Reason::RunTooFast, text));
    }
    let bad: Vec<Row> = rows
        .iter()
        .filter(|row| !row.verdict.is_good())
        .take(TOLD)
        .cloned()
        .collect();
    let home = attempted.home.trim_end_matches('/');
    let mut result = TargetResult {
        schema: TargetResult::SCHEMA.to_owned(),
        result_kind: attempted.class.kind(),
        status: status(&problems, &tests),
        passed: tests.passed,
        failed: tests.bad(),
        ignored: tests.skipped,
        total: tests.total,
        bad_omitted: tests.bad().saturating_sub(bad.len() as u64),
        bad,
        tests,
        exit_code: attempted.end.code(),
        tests_file: format!("{home}/tests.jsonl"),
        first_failure: None,
        stopped: None,
        tests_sha256: None,
        log_file: format!("{home}/output.log"),
        test_log_jsonl: format!("{home}/test-log.jsonl"),
        artifact_index_jsonl: format!("{home}/artifact-index.jsonl"),
        class: attempted.class,
        target: attempted.target,
        correlation_id: attempted.correlation_id,
        problems,
        end: attempted.end,
        duration_ms: attempted.duration_ms,
        blocking: attempted.blocking,
        owner: attempted.owner,
        command: attempted.command,
        dir: attempted.dir,
        format: attempted.format,
        min_tests: attempted.min_tests,
        min_duration_ms: attempted.min_duration_ms,
        inputs: attempted.inputs,
        timestamp: attempted.ended_at,
    };
    result.stopped = Stops::default().of(&result);
    result
}

/// The worst of all reasons.
pub(super) fn status(problems: &[Problem], tests: &Tests) -> Verdict {
    let told = problems.iter().map(|p| p.reason.verdict());
    told.chain(reasons(tests).map(Reason::verdict))
        .max()
        .unwrap_or(Verdict::Pass)
}

/// The reasons that tests alone are.
pub(super) fn reasons(tests: &Tests) -> impl Iterator<Item = Reason> {
    [
        (tests.failed, Reason::TestFailed),
        (tests.errored, Reason::TestErrored),
        (tests.precluded, Reason::TestPrecluded),
        (tests.missing, Reason::TestMissing),
        (tests.flaky, Reason::FlakyBlocking),
        (tests.unexpected_pass, Reason::UnexpectedPass),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(_, reason)| reason)
}

fn of_end(attempted: &Attempted, problems: &mut Vec<Problem>) {
    if !matches!(attempted.end, End::Exited { .. } | End::Read { .. }) {
        let text = attempted.end.to_string();
        problems.push(Problem::new(Reason::RunIncomplete, text));
    }
}

fn of_inputs(attempted: &Attempted, collisions: &Collisions, problems: &mut Vec<Problem>) {
    let ran = !matches!(attempted.end, End::NotStarted { .. });
    if attempted.inputs.is_empty() && attempted.problems.is_empty() && ran {
        let text = "there is no report";
        problems.push(Problem::new(Reason::EvidenceMissing, text));
    }
    for input in &attempted.inputs {
        let kept = input.issues.iter().filter_map(|issue| {
            let reason = issue.kind.reason()?;
            Some(Problem::new(
                reason,
                format!("{}: {} (byte {})", input.path, issue.text, issue.at),
            ))
        });
        let before = problems.len();
        problems.extend(kept.take(EACH));
        let told = problems.len() - before;
        if input.issues_omitted > 0 {
            let text = format!("{}: {} more issues", input.path, input.issues_omitted);
            problems.push(Problem::new(Reason::EvidenceUnparsable, text));
        } else if input.parse != Parse::Whole && told == 0 {
            let text = format!("{}: it was not read to its end", input.path);
            problems.push(Problem::new(Reason::EvidenceTruncated, text));
        }
    }
    for issue in collisions.kept.iter().take(EACH) {
        problems.push(Problem::new(Reason::IdCollision, issue.text.clone()));
    }
    if collisions.count > EACH as u64 {
        let count = collisions.count;
        let text = format!("{count} names are in two reports of this target");
        problems.push(Problem::new(Reason::IdCollision, text));
    }
}

fn of_tests(attempted: &Attempted, tests: &Tests, problems: &mut Vec<Problem>) {
    let is_plain = attempted.format == COMMAND;
    let has_report = !attempted.inputs.is_empty();
    if let Some(code) = attempted.end.code()
        && has_report
        && !is_plain
    {
        let bad = tests.failed + tests.errored;
        if code == 0 && bad > 0 {
            let text = format!("it ended with 0, and {bad} of its tests failed");
            problems.push(Problem::new(Reason::ExitCodeConflict, text));
        } else if code != 0 && tests.bad() == 0 && !problems.iter().any(|p| is_red(p.reason)) {
            let text = format!("it ended with {code}, and its report says that nothing is wrong");
            problems.push(Problem::new(Reason::ExitCodeConflict, text));
        }
    }
    // Reports of another machine without their runner's exit code: what crashed after writing them is not to be seen.
    if matches!(attempted.end, End::Read { code: None }) && has_report {
        let text = "nobody says how the runner ended";
        problems.push(Problem::new(Reason::ExitCodeMissing, text));
    }
    let told = problems.iter().any(|p| p.reason == Reason::ZeroTests);
    if has_report && !is_plain && tests.ran() < attempted.min_tests && !told {
        let text = format!(
            "{} tests ran, and {} must",
            tests.ran(),
            attempted.min_tests
        );
        let reason = match tests.ran() {
            0 => Reason::ZeroTests,
            _ => Reason::TestMissing,
        };
        problems.push(Problem::new(reason, text));
    }
    if tests.cached > 0 {
        let text = format!(
            "{} of {} results come from a cache",
            tests.cached, tests.total
        );
        problems.push(Problem::new(Reason::EvidenceCachedOnly, text));
    }
}

/// Whether a problem by itself explains an exit code that is not 0.
fn is_red(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::RunIncomplete | Reason::EvidenceTruncated | Reason::ZeroTests
    )
}

/// The format of a target that has an exit code and a log, and no report.
pub const COMMAND: &str = "command";

/// The profile of runs that nobody here ran: reports that were read and kept.
pub const READ: &str = "read";

/// The one test of a plain command: it passes if the command ends with 0.
pub fn command_verdict(end: &End) -> TestVerdict {
    match end.code() {
        Some(0) => TestVerdict::Passed,
        Some(_) => TestVerdict::Failed,
        None if matches!(end, End::NotStarted { .. }) => TestVerdict::Precluded,
        None => TestVerdict::Errored,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attempt, Outcome, Place, Sink, SkipKind, Tally, TestId};
    use gonogo_core::Digest;

    fn attempted(end: End) -> Attempted {
        Attempted {
            target: "unit".into(),
            class: Class::Unit,
            correlation_id: "c".into(),
            blocking: true,
            owner: None,
            command: vec!["make".into(), "test".into()],
            dir: ".".into(),
            format: "junit".into(),
            min_tests: 1,
            min_duration_ms: None,
            end,
            duration_ms: 1000,
            ended_at: Timestamp::from_millis(0),
            inputs: vec![input()],
            problems: Vec::new(),
            home: "unit/unit/".into(),
        }
    }

    fn input() -> Input {
        Input {
            path: "unit/unit/reports/1.xml".into(),
            from: None,
            resolved: None,
            sha256: Digest::of(b""),
            bytes: 0,
            format: "junit".into(),
            parse: Parse::Whole,
            declared: None,
            attempts: 0,
            issues: Vec::new(),
            issues_omitted: 0,
        }
    }

    fn tally(outcomes: &[(&str, Outcome)]) -> Tally {
        let mut tally = Tally::default();
        for (name, outcome) in outcomes {
            tally.attempt(Attempt {
                test: TestId::new("s", "", name),
                file: None,
                number: 1,
                outcome: *outcome,
                raw: String::new(),
                started_ms: None,
                seconds: None,
                cached: name.starts_with("cached"),
                failures: Vec::new(),
                skipped: None,
                output: String::new(),
                place: Place::default(),
            });
        }
        tally
    }

    fn of(attempted: Attempted, outcomes: &[(&str, Outcome)]) -> TargetResult {
        let tally = tally(outcomes);
        let collisions = tally.collisions();
        let result = judge(attempted, &collisions, &tally.into_rows("unit", &[]));
        assert!(result.tests.adds_up());
        result
    }

    fn codes(result: &TargetResult) -> Vec<&'static str> {
        result.problems.iter().map(|p| p.reason.code()).collect()
    }

    const PASS: (&str, Outcome) = ("a", Outcome::Pass);
    const FAIL: (&str, Outcome) = ("b", Outcome::Fail);

    #[test]
    fn only_a_report_and_an_end_that_agree_pass() {
        let exited = |code| attempted(End::Exited { code });
        let good = of(exited(0), &[PASS]);
        assert_eq!((good.status, codes(&good)), (Verdict::Pass, vec![]));
        let red = of(exited(1), &[PASS, FAIL]);
        assert_eq!((red.status, codes(&red)), (Verdict::Fail, vec![]));
        assert_eq!(red.bad.len(), 1);
        for (code, outcomes) in [(1, &[PASS][..]), (0, &[PASS, FAIL])] {
            let result = of(exited(code), outcomes);
            assert_eq!(result.status, Verdict::Invalid);
            assert_eq!(codes(&result), ["EXIT_CODE_CONFLICT"]);
        }
    }

    #[test]
    fn what_proves_nothing_is_no_pass() {
        let skipped = ("a", Outcome::Skip(SkipKind::Declared));
        let with = |change: fn(&mut Attempted)| {
            let mut attempted = attempted(End::Exited { code: 0 });
            change(&mut attempted);
            attempted
        };
        for (what, attempted, outcomes, expected) in [
            ("no test", with(|_| ()), &[][..], "ZERO_TESTS"),
            ("all skipped", with(|_| ()), &[skipped], "ZERO_TESTS"),
            (
                "too few",
                with(|a| a.min_tests = 2),
                &[PASS, skipped],
                "TEST_MISSING",
            ),
            (
                "no report",
                with(|a| a.inputs.clear()),
                &[],
                "EVIDENCE_MISSING",
            ),
            (
                "an old report",
                with(|a| {
                    a.inputs.clear();
                    a.problems.push(Problem::new(Reason::EvidenceStale, "old"));
                }),
                &[],
                "EVIDENCE_STALE",
            ),
            (
                "cut",
                with(|a| a.inputs[0].parse = Parse::Salvaged),
                &[PASS],
                "EVIDENCE_TRUNCATED",
            ),
            (
                "issues beyond count",
                with(|a| a.inputs[0].issues_omitted = 1),
                &[PASS],
                "EVIDENCE_UNPARSABLE",
            ),
            (
                "a signal",
                with(|a| a.end = End::Signalled { signal: 9 }),
                &[PASS],
                "RUN_INCOMPLETE",
            ),
            (
                "a time-out",
                with(|a| a.end = End::TimedOut { after_ms: 1000 }),
                &[PASS],
                "RUN_INCOMPLETE",
            ),
            (
                "never started",
                with(|a| {
                    a.inputs.clear();
                    a.end = End::NotStarted { why: "no".into() };
                }),
                &[],
                "RUN_INCOMPLETE",
            ),
            (
                "cached",
                with(|_| ()),
                &[("cached", Outcome::Pass)],
                "EVIDENCE_CACHED_ONLY",
            ),
            (
                "too fast",
                with(|a| a.min_duration_ms = Some(5000)),
                &[PASS],
                "RUN_TOO_FAST",
            ),
            (
                "no exit code",
                with(|a| a.end = End::Read { code: None }),
                &[PASS],
                "EXIT_CODE_MISSING",
            ),
        ] {
            let result = of(attempted, outcomes);
            assert!(result.status > Verdict::Excused, "{what}");
            assert_eq!(codes(&result), [expected], "{what}");
        }
    }

    #[test]
    fn a_command_is_one_test() {
        for (end, expected) in [
            (End::Exited { code: 0 }, TestVerdict::Passed),
            (End::Exited { code: 3 }, TestVerdict::Failed),
            (End::Signalled { signal: 9 }, TestVerdict::Errored),
            (End::Cancelled, TestVerdict::Errored),
            (End::NotStarted { why: "".into() }, TestVerdict::Precluded),
            (End::Read { code: None }, TestVerdict::Errored),
        ] {
            assert_eq!(command_verdict(&end), expected);
        }
    }
}
