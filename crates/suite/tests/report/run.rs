//! Runs for the tests of reports: from fixtures through the readers and the judge, or made of rows.

use std::collections::BTreeMap;
use std::io::BufReader;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_suite::read::{self, Limits};
use gonogo_suite::report::Replay;
use gonogo_suite::run::{
    Attempted, Class, Collisions, End, Input, SUMMARY, Source, State, Summary, Tally, TargetResult,
    Tests, judge,
};
use gonogo_suite::{Failure, Format, Row, Signature, TestId, TestVerdict, cause};

/// A target to be judged.
pub(crate) struct Target<'t> {
    pub(crate) name: &'t str,
    pub(crate) class: Class,
    pub(crate) end: End,
    pub(crate) ms: u64,
    pub(crate) owner: Option<&'t str>,
}

impl Target<'_> {
    fn attempted(&self, format: &str, inputs: Vec<Input>) -> Attempted {
        Attempted {
            target: self.name.into(),
            class: self.class,
            correlation_id: "c-1".into(),
            blocking: true,
            owner: self.owner.map(str::to_owned),
            command: vec!["make".into(), self.name.into()],
            dir: ".".into(),
            format: format.into(),
            min_tests: 1,
            min_duration_ms: None,
            end: self.end.clone(),
            duration_ms: self.ms,
            ended_at: Timestamp::from_millis(1_760_000_000_000),
            inputs,
            problems: Vec::new(),
            home: format!("{}/{}/", self.class.word(), self.name),
        }
    }
}

/// A target from a report that a real tool wrote.
pub(crate) fn from_fixture(
    target: &Target<'_>,
    format: Format,
    path: &str,
) -> (TargetResult, Vec<Row>) {
    let file = format!("{}/tests/reports/{path}", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&file).unwrap_or_else(|e| panic!("{file}: {e}"));
    let mut tally = Tally::default();
    let mut source = BufReader::new(&bytes[..]);
    let reading = read::read(format, &mut source, &Limits::default(), &mut tally);
    let input = Input {
        path: format!("{}/reports/1", target.name),
        from: None,
        resolved: None,
        sha256: Digest::of(&bytes),
        bytes: bytes.len() as u64,
        format: "x".into(),
        parse: reading.parse,
        declared: reading.declared,
        attempts: reading.seen.attempts,
        issues: reading.issues,
        issues_omitted: reading.issues_omitted,
    };
    let collisions = tally.collisions();
    let rows = tally.into_rows(target.name, &[]);
    let result = judge(target.attempted("x", vec![input]), &collisions, &rows);
    (result, rows)
}

/// A target from rows.
pub(crate) fn from_rows(target: &Target<'_>, rows: &[Row]) -> TargetResult {
    let input = Input {
        path: "r".into(),
        from: None,
        resolved: None,
        sha256: Digest::of(b""),
        bytes: 0,
        format: "junit".into(),
        parse: gonogo_suite::Parse::Whole,
        declared: None,
        attempts: rows.len() as u64,
        issues: Vec::new(),
        issues_omitted: 0,
    };
    judge(
        target.attempted("junit", vec![input]),
        &Collisions::default(),
        rows,
    )
}

/// A run of these targets.
pub(crate) fn summary(results: Vec<TargetResult>) -> Summary {
    let duration_ms = results.iter().map(|r| r.duration_ms).sum();
    let mut summary = Summary {
        schema: SUMMARY.into(),
        timestamp: Timestamp::from_millis(1_760_000_000_000),
        profile: "ci".into(),
        rerun_from: None,
        diff_from: None,
        artifact_dir: ".gonogo/runs/suite/r-1".into(),
        correlation_id: "c-1".into(),
        shard: None,
        total_units: 0,
        passed_units: 0,
        failed_units: 0,
        failed_unit_names: Vec::new(),
        total_suites: 0,
        passed_suites: 0,
        failed_suites: 0,
        failed_names: Vec::new(),
        build: Vec::new(),
        lint: Vec::new(),
        unit_targets: Vec::new(),
        suites: Vec::new(),
        run_id: "r-1".into(),
        project: "storefront".into(),
        source: Source {
            tree: "git:4b825dc642cb6eb9a060e54bf8d69288fbee4904".into(),
            tree_after: Some("git:4b825dc642cb6eb9a060e54bf8d69288fbee4904".into()),
            commit: Some("2f1a9c0d4e6b8a7c5d3e1f0a9b8c7d6e5f4a3b2c".into()),
            branch: Some("main".into()),
            dirty: false,
        },
        variant: BTreeMap::new(),
        state: State::Complete,
        started_at: Timestamp::from_millis(
            1_760_000_000_000 - i64::try_from(duration_ms).expect("a duration"),
        ),
        duration_ms,
        selected: results.iter().map(|r| r.target.clone()).collect(),
        problems: Vec::new(),
        tests: Tests::default(),
        status: Verdict::Pass,
        reasons: Vec::new(),
        runner_outcome: None,
        declared: None,
        evidence_contract: None,
        quarantined: None,
    };
    summary.fill(results);
    summary
}

/// A row with a failure, if its verdict is not good and there is a message.
pub(crate) fn row(target: &str, test: TestId, verdict: TestVerdict, message: &str) -> Row {
    let failure = (!verdict.is_good() && !message.is_empty()).then(|| Failure {
        message: message.into(),
        ..Failure::default()
    });
    Row {
        target: target.into(),
        test,
        verdict,
        attempts: if verdict == TestVerdict::Flaky { 2 } else { 1 },
        seconds: Some(0.25),
        cached: false,
        skip: None,
        skipped: None,
        file: None,
        signature: failure.as_ref().map(Signature::of),
        cause: failure.as_ref().map(|f| cause::cause(f, &[])),
        failure,
        output: String::new(),
        owner: None,
    }
}

/// How the tests of these runs are replayed.
pub(crate) fn replay(row: &Row) -> Option<Replay> {
    let argv = vec!["make".to_owned(), row.target.clone(), row.test.name.clone()];
    Some(Replay {
        command: format!("make {} ONLY='{}'", row.target, row.test.name),
        argv,
    })
}
