//! Good inputs on the bench: runs made from report bytes by the real readers and the real judge of targets.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Span, Timestamp, Verdict as Status, canonical};
use gonogo_suite::diff::{self, Entry};
use gonogo_suite::run::{
    self, Attempted, COMMAND, End, Input, Outcome, Problem, Row, SUMMARY, Source, State, Summary,
    Tally, TargetResult,
};
use gonogo_suite::{Format, Limits, Parse, TestId, TestVerdict, read};

use crate::inputs::{Compared, Inputs, Run, Target};

/// The tree that is judged.
pub(crate) const TREE: &str = "git:5e1f7e575e1f7e575e1f7e575e1f7e575e1f7e57";

/// What the manifest of the bench is a digest of.
pub(crate) const DECLARED: &[u8] = b"selftest";

/// How long a good run of a target takes, milliseconds, unless its declaration asks for more.
pub(crate) const TOOK: u64 = 60_000;

/// The inputs, and what a case needs to poison them.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) inputs: Inputs,
    /// The target that is poisoned, where one has reports.
    pub(crate) victim: Option<Victim>,
    /// Of each blocking gate over runs one target with reports that blocks, and one that does not.
    pub(crate) victims: Vec<Victim>,
    /// The tests of each target's good report.
    pub(crate) tests: BTreeMap<String, u64>,
    /// What baselines hold, by target.
    pub(crate) base: BTreeMap<String, Vec<(TestId, Entry)>>,
}

/// The target that is poisoned.
#[derive(Clone)]
pub(crate) struct Victim {
    pub(crate) target: String,
    pub(crate) gate: String,
    pub(crate) profile: Option<String>,
}

/// How a poisoned target ran.
pub(crate) struct Ran<'a> {
    pub(crate) reports: Vec<(Format, &'a [u8])>,
    pub(crate) end: End,
    pub(crate) duration_ms: u64,
}

impl<'a> Ran<'a> {
    /// One report, and an exit code.
    pub(crate) fn junit(report: &'a str, code: i32) -> Self {
        Self {
            reports: vec![(Format::Junit, report.as_bytes())],
            end: End::Exited { code },
            duration_ms: TOOK,
        }
    }
}

/// A JUnit report of tests that pass.
pub(crate) fn report(count: u64) -> String {
    let mut out = format!("<testsuites><testsuite name=\"selftest\" tests=\"{count}\">");
    out.push_str(&passing(count));
    out.push_str("</testsuite></testsuites>");
    out
}

/// The elements of tests that pass.
pub(crate) fn passing(count: u64) -> String {
    (1..=count)
        .map(|n| format!("<testcase classname=\"selftest\" name=\"works_{n}\" time=\"0.5\"/>"))
        .collect()
}

/// Reads reports and judges the target. Also gives its tests.
pub(crate) fn judged(
    name: &str,
    target: &Target,
    ran: &Ran<'_>,
    ended_at: Timestamp,
) -> (TargetResult, Vec<Row>) {
    let mut tests = Tally::default();
    let mut inputs = Vec::new();
    for (n, (format, bytes)) in ran.reports.iter().enumerate() {
        if n > 0 {
            tests.next_input();
        }
        let limits = Limits::default();
        let reading = read::read(*format, &mut &bytes[..], &limits, &mut tests);
        inputs.push(Input {
            path: format!("{name}/reports/{n}"),
            from: None,
            resolved: None,
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
            format: serde_json::to_value(format)
                .ok()
                .and_then(|v| v.as_str().map(str::to_owned))
                .unwrap_or_default(),
            parse: reading.parse,
            declared: reading.declared,
            attempts: reading.seen.attempts,
            issues: reading.issues,
            issues_omitted: reading.issues_omitted,
        });
    }
    let collisions = tests.collisions();
    let is_plain = target.format == COMMAND;
    let rows = if is_plain {
        let verdict = run::command_verdict(&ran.end);
        inputs = vec![Input {
            path: format!("{name}/output.log"),
            from: None,
            resolved: None,
            sha256: Digest::of(b""),
            bytes: 0,
            format: COMMAND.into(),
            parse: Parse::Whole,
            declared: None,
            attempts: 1,
            issues: Vec::new(),
            issues_omitted: 0,
        }];
        vec![plain_row(name, verdict)]
    } else {
        tests.into_rows(name, &[])
    };
    let attempted = Attempted {
        target: name.to_owned(),
        class: target.class,
        correlation_id: "selftest".into(),
        blocking: target.blocking,
        owner: target.owner.clone(),
        command: target.command.clone(),
        dir: ".".into(),
        format: target.format.clone(),
        min_tests: target.min_tests,
        min_duration_ms: target.min_duration_ms,
        end: ran.end.clone(),
        duration_ms: ran.duration_ms,
        ended_at,
        inputs,
        problems: Vec::new(),
        home: name.to_owned(),
    };
    (run::judge(attempted, &collisions, &rows), rows)
}

fn plain_row(name: &str, verdict: TestVerdict) -> Row {
    Row {
        target: name.to_owned(),
        test: TestId::new(name, "", "command"),
        verdict,
        attempts: 1,
        seconds: None,
        cached: false,
        skip: None,
        skipped: None,
        file: None,
        signature: None,
        cause: None,
        failure: None,
        output: String::new(),
        owner: None,
    }
}

/// A run of results, counted and consistent.
pub(crate) fn summary(
    id: &str,
    profile: &str,
    results: Vec<TargetResult>,
    now: Timestamp,
) -> Summary {
    let ended = before(now, Span::from_secs(60));
    let mut summary = Summary {
        schema: SUMMARY.to_owned(),
        timestamp: ended,
        profile: profile.to_owned(),
        rerun_from: None,
        diff_from: None,
        artifact_dir: format!("runs/{id}"),
        correlation_id: "selftest".into(),
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
        run_id: id.to_owned(),
        project: "selftest".into(),
        source: Source {
            tree: TREE.into(),
            tree_after: Some(TREE.into()),
            commit: None,
            branch: None,
            dirty: false,
        },
        variant: BTreeMap::new(),
        state: State::Complete,
        started_at: before(now, Span::from_secs(3_600)),
        duration_ms: 3_540_000,
        selected: results.iter().map(|r| r.target.clone()).collect(),
        problems: Vec::<Problem>::new(),
        tests: run::Tests::default(),
        status: Status::Pass,
        reasons: Vec::new(),
        runner_outcome: None,
        declared: Some(Digest::of(DECLARED)),
        evidence_contract: None,
        quarantined: None,
    };
    summary.fill(results);
    conclude(&mut summary);
    summary
}

/// Makes the runner's own outcome that of the results.
pub(crate) fn conclude(summary: &mut Summary) {
    summary.count();
    summary.runner_outcome = Some(Outcome {
        status: summary.status,
        exit_code: match summary.status {
            Status::Pass | Status::Excused => 0,
            Status::Hold => 1,
            Status::Fail => 2,
            Status::Invalid => 3,
        },
        failed_phases: Vec::new(),
        source_snapshot_verified: true,
    });
}

/// A time before another.
pub(crate) fn before(time: Timestamp, span: Span) -> Timestamp {
    let ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(time.as_millis().saturating_sub(ms))
}

/// A run as it is given to the gate.
pub(crate) fn recorded(summary: Summary, record: u64) -> Run {
    let bytes = canonical::to_vec(&summary).unwrap_or_default();
    Run {
        digest: Digest::of(&bytes),
        summary,
        record: Some(record),
        baselines: BTreeMap::new(),
    }
}

/// A comparison by the real rules.
pub(crate) fn compared(base: &[(TestId, Entry)], rows: &[Row]) -> Compared {
    let now: Vec<(TestId, Entry)> = rows.iter().map(|r| (r.test.clone(), r.entry())).collect();
    Compared::With {
        run_id: "baseline".into(),
        digest: Digest::of(b"baseline"),
        diff: diff::diff(base, &now),
    }
}

impl Bench {
    /// The poisoned target.
    pub(crate) fn victim(&self) -> Result<Victim, String> {
        self.victim
            .clone()
            .ok_or_else(|| "no blocking gate of this lane judges a target with test reports".into())
    }

    /// How many tests the victim's good report has.
    pub(crate) fn count(&self, victim: &Victim) -> u64 {
        self.tests.get(&victim.target).copied().unwrap_or(2)
    }

    /// How long a good run of the victim takes.
    pub(crate) fn took(&self, victim: &Victim) -> u64 {
        let declared = &self.inputs.manifest.declared.targets;
        let least = declared.get(&victim.target).and_then(|t| t.min_duration_ms);
        least.unwrap_or(0).max(TOOK)
    }

    /// Lets the victim have run in another way, in every run of it.
    pub(crate) fn rerun(&mut self, victim: &Victim, mut ran: Ran<'_>) -> Result<(), String> {
        let declared = self.inputs.manifest.declared.targets.get(&victim.target);
        let declared = declared.ok_or("the target is not declared")?.clone();
        // A case is not to be caught because it was fast.
        if ran.duration_ms == TOOK {
            ran.duration_ms = self.took(victim);
        }
        let now = self.inputs.now;
        let base = self.base.get(&victim.target).cloned().unwrap_or_default();
        for run in &mut self.inputs.runs {
            let mut results: Vec<TargetResult> = run.summary.targets().cloned().collect();
            let Some(place) = results.iter_mut().find(|r| r.target == victim.target) else {
                continue;
            };
            let (result, rows) = judged(
                &victim.target,
                &declared,
                &ran,
                before(now, Span::from_secs(120)),
            );
            *place = result;
            let mut summary = run.summary.clone();
            summary.fill(results);
            conclude(&mut summary);
            let baselines = std::mem::take(&mut run.baselines);
            *run = recorded(summary, run.record.unwrap_or(0));
            run.baselines = baselines;
            run.baselines
                .insert(victim.target.clone(), compared(&base, &rows));
        }
        Ok(())
    }

    /// Changes every run, and makes its digest and outcome fit.
    pub(crate) fn each_run(&mut self, change: impl Fn(&mut Summary)) {
        for run in &mut self.inputs.runs {
            change(&mut run.summary);
            conclude(&mut run.summary);
            let bytes = canonical::to_vec(&run.summary).unwrap_or_default();
            run.digest = Digest::of(&bytes);
        }
    }
}
