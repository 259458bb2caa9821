//! What the tests share: a project, its good inputs, and reports that are judged by the real rules.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Timestamp, Verdict as Status};
use gonogo_gate::inputs::{Declared, FileState, Found, Inputs, Origin, Run, Target};
use gonogo_gate::policy::Lane;
use gonogo_gate::verdict::GateResult;
use gonogo_gate::{Verdict, judge, selftest::good_inputs};
use gonogo_suite::run::{Attempted, Class, End, Input, Outcome, Row, Tally, TargetResult};
use gonogo_suite::{Format, Limits, read};

pub(crate) const CODE: &str = "schema = \"gonogo.gate.policy.v1\"\n";

pub(crate) fn target(class: Class, format: &str) -> Target {
    Target {
        class,
        blocking: true,
        format: format.into(),
        command: vec!["make".into()],
        how: Digest::of(b"how"),
        min_tests: 1,
        min_duration_ms: None,
        owner: Some("team".into()),
    }
}

pub(crate) fn declared() -> Declared {
    let targets = BTreeMap::from([
        ("lint".to_owned(), target(Class::Lint, "command")),
        ("unit".to_owned(), target(Class::Unit, "junit")),
        ("e2e".to_owned(), target(Class::E2e, "go")),
    ]);
    Declared {
        profiles: BTreeMap::from([("ci".to_owned(), targets.keys().cloned().collect())]),
        targets,
        budgets: BTreeMap::new(),
        apart: Vec::new(),
        dry_run: Some(Digest::of(b"dry run")),
        redact: Vec::new(),
        records: BTreeMap::from([("api".to_owned(), Digest::of(b"exact"))]),
    }
}

pub(crate) fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

/// Good inputs of the built-in policy.
pub(crate) fn good() -> Inputs {
    good_inputs(&FileState::Absent, &declared(), Lane::Full, now()).unwrap()
}

/// Good inputs of a policy: the schema's line and this.
pub(crate) fn good_of(policy: &str) -> Inputs {
    let text = format!("{CODE}{policy}");
    good_inputs(&FileState::Text { text }, &declared(), Lane::Full, now()).unwrap()
}

/// A gate of a policy over this check.
pub(crate) fn gate(id: &str, check: &str) -> String {
    format!(
        "[gates.{id}]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"preflight\", \"full\", \"certification\"]\ncheck = {{ {check} }}\n"
    )
}

pub(crate) fn codes(gate: &GateResult) -> Vec<&'static str> {
    let all = gate.obligations.iter().flat_map(|o| &o.reasons);
    let mut codes: Vec<&str> = all.map(|told| told.code.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// The status of a gate, and its codes.
pub(crate) fn of(verdict: &Verdict, id: &str) -> (Status, Vec<&'static str>) {
    let gate = verdict.gate(id).unwrap();
    (gate.status, codes(gate))
}

/// The verdict, after checks that hold of every verdict.
pub(crate) fn verdict(inputs: &Inputs) -> Verdict {
    let verdict = judge(inputs);
    for gate in &verdict.gates {
        if gate.status > Status::Pass {
            assert!(!gate.reasons.is_empty(), "{gate:#?}");
        }
        for obligation in &gate.obligations {
            let is_pass = obligation.status == Status::Pass;
            assert!(
                !is_pass || !obligation.evidence.is_empty(),
                "{obligation:#?}"
            );
            assert!(is_pass || !obligation.reasons.is_empty(), "{obligation:#?}");
        }
    }
    assert_eq!(verdict.self_digest, verdict.digest());
    verdict
}

/// Judges a report of a target as a runner would.
pub(crate) fn ran(
    name: &str,
    target: &Target,
    report: &str,
    code: i32,
) -> (TargetResult, Vec<Row>) {
    let mut tally = Tally::default();
    let bytes = report.as_bytes();
    let reading = read::read(
        Format::Junit,
        &mut &bytes[..],
        &Limits::default(),
        &mut tally,
    );
    let collisions = tally.collisions();
    let rows = tally.into_rows(name, &[]);
    let attempted = Attempted {
        target: name.into(),
        class: target.class,
        correlation_id: "selftest".into(),
        blocking: target.blocking,
        owner: target.owner.clone(),
        command: target.command.clone(),
        dir: ".".into(),
        format: target.format.clone(),
        min_tests: target.min_tests,
        min_duration_ms: target.min_duration_ms,
        end: End::Exited { code },
        duration_ms: 60_000,
        ended_at: now(),
        inputs: vec![Input {
            path: "r.xml".into(),
            from: None,
            resolved: None,
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
            format: "junit".into(),
            parse: reading.parse,
            declared: reading.declared,
            attempts: reading.seen.attempts,
            issues: reading.issues,
            issues_omitted: reading.issues_omitted,
        }],
        problems: Vec::new(),
        home: name.into(),
    };
    (
        gonogo_suite::run::judge(attempted, &collisions, &rows),
        rows,
    )
}

/// Puts a result in place of the target's in a run.
pub(crate) fn put(run: &mut Run, result: TargetResult) {
    let mut results: Vec<TargetResult> = run.summary.targets().cloned().collect();
    results.retain(|r| r.target != result.target);
    results.push(result);
    run.summary.fill(results);
    conclude(run);
}

pub(crate) fn conclude(run: &mut Run) {
    run.summary.count();
    run.summary.runner_outcome = Some(Outcome {
        status: run.summary.status,
        exit_code: u8::from(run.summary.status > Status::Excused),
        failed_phases: Vec::new(),
        source_snapshot_verified: true,
    });
}

/// The unit target ends with this report and code.
pub(crate) fn unit(inputs: &mut Inputs, report: &str, code: i32) -> Vec<Row> {
    let declared = inputs.manifest.declared.targets["unit"].clone();
    let (result, rows) = ran("unit", &declared, report, code);
    put(&mut inputs.runs[0], result);
    rows
}

/// A report with the good tests and one that fails in this way.
pub(crate) fn failing(name: &str, message: &str) -> String {
    let good: String = (1..=4)
        .map(|n| format!("<testcase classname=\"selftest\" name=\"works_{n}\"/>"))
        .collect();
    format!(
        "<testsuite name=\"selftest\">{good}<testcase classname=\"c\" name=\"{name}\"><failure message=\"{message}\"/></testcase></testsuite>"
    )
}

pub(crate) fn present<T>(value: T, tree: &str) -> Found<T> {
    Found::Present {
        value,
        origin: Origin {
            digest: Digest::of(b"x"),
            at: Some(now()),
            tree: Some(tree.into()),
            record: None,
        },
    }
}

pub(crate) fn has(verdict: &Verdict, reason: Reason) -> bool {
    verdict.reasons.contains(&reason)
}
