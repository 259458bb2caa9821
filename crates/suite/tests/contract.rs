//! The evidence contract: a run that holds together passes, and each way to break it is told by its own check.

#![expect(
    clippy::unwrap_used,
    reason = "a step of a test that fails is a failed test"
)]

use std::collections::BTreeSet;

use gonogo_core::{Digest, Timestamp};
use gonogo_suite::contract::{
    Diagnostics, Digested, Document, Kept, Lines, Of, Seen, Status, Target, judge,
};
use gonogo_suite::run::{Attempted, Class, Collisions, End, Input, judge as judge_target};
use gonogo_suite::{Parse, Row, Summary, TargetResult, TestId};
use serde_json::json;

fn row(target: &str, verdict: &str) -> Row {
    serde_json::from_value(json!({
        "target": target,
        "test": TestId::new("s", "c", "n"),
        "verdict": verdict,
        "attempts": 1,
    }))
    .unwrap()
}

fn target(name: &str, verdict: &str, code: i32) -> TargetResult {
    let attempted = Attempted {
        target: name.into(),
        class: Class::Unit,
        correlation_id: "corr".into(),
        blocking: true,
        owner: Some("ana".into()),
        command: vec!["x".into()],
        dir: ".".into(),
        format: "junit".into(),
        min_tests: 1,
        min_duration_ms: None,
        end: End::Exited { code },
        duration_ms: 7,
        ended_at: Timestamp::from_millis(7),
        inputs: vec![Input {
            path: format!("unit/{name}/reports/r.xml"),
            from: None,
            resolved: None,
            sha256: Digest::of(b"report"),
            bytes: 6,
            format: "junit".into(),
            parse: Parse::Whole,
            declared: None,
            attempts: 1,
            issues: Vec::new(),
            issues_omitted: 0,
        }],
        problems: Vec::new(),
        home: format!("unit/{name}"),
    };
    let mut result = judge_target(attempted, &Collisions::default(), &[row(name, verdict)]);
    result.tests_sha256 = Some(Digest::of(b"tests"));
    result
}

fn summary() -> Summary {
    let mut summary: Summary = serde_json::from_value(json!({
        "schema": gonogo_suite::run::SUMMARY,
        "timestamp": Timestamp::from_millis(9), "profile": "full", "rerun_from": null, "diff_from": null,
        "artifact_dir": "runs/r", "correlation_id": "corr", "shard": null,
        "total_units": 0, "passed_units": 0, "failed_units": 0, "failed_unit_names": [],
        "total_suites": 0, "passed_suites": 0, "failed_suites": 0, "failed_names": [],
        "build": [], "lint": [], "unit_targets": [], "suites": [],
        "run_id": "run_1", "project": "p",
        "source": {"tree": "git:1", "tree_after": "git:1", "dirty": false},
        "variant": {}, "state": "complete", "started_at": Timestamp::from_millis(1), "duration_ms": 8,
        "selected": ["bad", "good"], "problems": [],
        "tests": gonogo_suite::run::Tests::default(), "status": "pass", "reasons": [], "runner_outcome": null,
    }))
    .unwrap();
    summary.fill(vec![
        target("bad", "failed", 1),
        target("good", "passed", 0),
    ]);
    summary
}

fn lines(records: u64) -> Lines {
    Lines {
        records,
        bytes: 100,
        correlation_ids: BTreeSet::from(["corr".to_owned()]),
        traces: BTreeSet::from(["run_1".to_owned()]),
        schemas: BTreeSet::from(["gonogo.x.v1".to_owned()]),
        last: Some("diagnostics_complete".into()),
        ..Lines::default()
    }
}

fn document() -> Document {
    Document {
        fault: None,
        schema: Some("gonogo.x.v1".into()),
        correlation_id: Some("corr".into()),
        run_id: None,
    }
}

fn kept(path: &str, bytes: &[u8]) -> Kept {
    Kept {
        path: path.into(),
        listed: Some(Digest::of(bytes)),
        there: Some(Digest::of(bytes)),
    }
}

fn seen(summary: &Summary) -> Seen {
    let mut seen = Seen {
        of: Of::Run,
        declared: Some(BTreeSet::from(["bad".to_owned(), "good".to_owned()])),
        diagnostics: Some(Ok(Diagnostics {
            count: 1,
            suites: [(
                "bad".to_owned(),
                (
                    "unit/bad/failure_digest.json".to_owned(),
                    "unit/bad/failure_timeline.jsonl".to_owned(),
                    "panic".to_owned(),
                ),
            )]
            .into(),
            owned: BTreeSet::new(),
            twice: Vec::new(),
        })),
        ..Seen::default()
    };
    for name in Of::Run.documents() {
        seen.documents.insert((*name).to_owned(), document());
    }
    seen.lines.insert("failure_timeline.jsonl".into(), lines(3));
    for result in summary.targets() {
        let home = result.tests_file.trim_end_matches("tests.jsonl");
        let is_bad = result.target == "bad";
        if is_bad {
            let timeline = format!("{home}failure_timeline.jsonl");
            seen.lines.insert(timeline, lines(4));
            let digest = format!("{home}failure_digest.json");
            seen.documents.insert(digest, document());
        }
        seen.lines.insert(result.test_log_jsonl.clone(), lines(2));
        let list = result.artifact_index_jsonl.clone();
        seen.lines.insert(list, lines(3));
        let own = Target {
            result: Some(Ok(result.clone())),
            tests: Some(Ok((result.tests, Digest::of(b"tests")))),
            artifacts: vec![
                kept(&result.tests_file, b"tests"),
                kept(&result.test_log_jsonl, b"log"),
            ],
            inputs: vec![kept(&result.inputs[0].path, b"report")],
            digest: is_bad.then(|| {
                Ok(Digested {
                    suite: "bad".into(),
                    timeline: format!("{home}failure_timeline.jsonl"),
                    events: 4,
                    missing: Vec::new(),
                    class: "panic".into(),
                })
            }),
        };
        seen.targets.insert(result.target.clone(), own);
    }
    for (path, lines) in &seen.lines {
        let twin = path.replace(".jsonl", ".normalized.jsonl");
        seen.twins.insert(twin, lines.records);
    }
    seen
}

#[test]
fn a_run_that_holds_together_passes() {
    let summary = summary();
    let contract = judge(&summary, &seen(&summary));
    assert_eq!(contract.errors, Vec::<String>::new());
    assert_eq!(contract.status, Status::Pass);
    assert!(contract.strict_conformance && contract.remediation_hints.is_empty());
}

#[test]
fn each_way_to_break_it_has_its_check() {
    type Break = fn(&mut Summary, &mut Seen);
    fn of<'a>(seen: &'a mut Seen, name: &str) -> &'a mut Target {
        seen.targets.get_mut(name).unwrap()
    }
    fn events<'a>(seen: &'a mut Seen, path: &str) -> &'a mut Lines {
        seen.lines.get_mut(path).unwrap()
    }
    const LOG: &str = "unit/good/test-log.jsonl";
    const DOCUMENT: &str = "triage_diff.json";
    let ways: &[(&str, Break)] = &[
        ("summary.consistent", |s, _| s.tests.passed += 1),
        ("summary.consistent", |s, _| {
            s.status = gonogo_core::Verdict::Pass
        }),
        ("summary.identity", |s, _| s.run_id.clear()),
        ("summary.identity", |s, _| s.source.tree_after = None),
        ("run.targets", |_, n| {
            n.targets.remove("good");
        }),
        ("run.targets", |_, n| {
            n.targets.insert("ghost".into(), Target::default());
        }),
        ("profile.scope", |_, n| {
            n.declared.as_mut().unwrap().insert("more".into());
        }),
        ("profile.scope", |_, n| {
            n.declared.as_mut().unwrap().remove("good");
        }),
        ("run.artifact", |_, n| {
            n.documents.remove(DOCUMENT);
        }),
        ("run.document", |_, n| {
            n.documents.get_mut(DOCUMENT).unwrap().fault = Some("x".into())
        }),
        ("run.document", |_, n| {
            n.documents.get_mut(DOCUMENT).unwrap().schema = None
        }),
        ("run.document", |_, n| {
            n.documents.get_mut(DOCUMENT).unwrap().correlation_id = None
        }),
        ("run.document", |_, n| {
            n.documents.get_mut(DOCUMENT).unwrap().correlation_id = Some("other".into());
        }),
        ("run.document", |_, n| {
            n.documents.get_mut(DOCUMENT).unwrap().run_id = Some("run_2".into());
        }),
        ("run.events", |_, n| {
            events(n, LOG).faults.push("line 1: x".into())
        }),
        ("run.events", |_, n| events(n, LOG).gap = Some(2)),
        ("run.events", |_, n| {
            events(n, LOG).traces.insert("run_2".into());
        }),
        ("run.events", |_, n| {
            events(n, LOG).correlation_ids.insert("other".into());
        }),
        ("run.events", |_, n| events(n, LOG).correlation_ids.clear()),
        ("run.events", |_, n| events(n, LOG).records = 25_001),
        ("run.events", |_, n| events(n, LOG).bytes = 1 << 40),
        ("run.events", |_, n| {
            n.twins.remove("unit/good/test-log.normalized.jsonl");
        }),
        ("run.timeline", |_, n| {
            n.lines.remove("failure_timeline.jsonl");
        }),
        ("run.timeline", |_, n| {
            events(n, "failure_timeline.jsonl").last = None
        }),
        ("target.good.result", |_, n| of(n, "good").result = None),
        ("target.good.result", |_, n| {
            let Some(Ok(result)) = &mut of(n, "good").result else {
                return;
            };
            result.duration_ms += 1;
        }),
        ("target.good.tests", |_, n| of(n, "good").tests = None),
        ("target.good.tests", |_, n| {
            let Some(Ok((tests, _))) = &mut of(n, "good").tests else {
                return;
            };
            tests.passed += 1;
        }),
        ("target.good.tests", |_, n| {
            let Some(Ok((_, digest))) = &mut of(n, "good").tests else {
                return;
            };
            *digest = Digest::of(b"others");
        }),
        ("target.good.log", |_, n| {
            n.lines.remove(LOG);
        }),
        ("target.good.artifacts", |_, n| {
            of(n, "good").artifacts.clear()
        }),
        ("target.good.artifacts", |_, n| {
            of(n, "good").artifacts[0].there = None
        }),
        ("target.good.artifacts", |_, n| {
            of(n, "good").artifacts[0].there = Some(Digest::of(b"x"));
        }),
        ("target.good.artifacts", |_, n| {
            of(n, "good").artifacts[0].listed = None
        }),
        ("target.good.reports", |_, n| {
            of(n, "good").inputs[0].there = None
        }),
        ("target.bad.digest", |_, n| of(n, "bad").digest = None),
        ("target.good.digest", |_, n| {
            of(n, "good").digest = Some(Ok(Digested::default()));
        }),
        ("target.bad.digest", |_, n| {
            let Some(Ok(digest)) = &mut of(n, "bad").digest else {
                return;
            };
            digest.events += 1;
        }),
        ("target.bad.digest", |_, n| {
            events(n, "unit/bad/failure_timeline.jsonl").last = Some("run_summary".into());
        }),
        ("failure_diagnostics.index", |_, n| n.diagnostics = None),
        ("failure_diagnostics.index", |_, n| {
            let Some(Ok(index)) = &mut n.diagnostics else {
                return;
            };
            index.suites.clear();
            index.count = 0;
        }),
        ("failure_diagnostics.index", |_, n| {
            let Some(Ok(index)) = &mut n.diagnostics else {
                return;
            };
            index.count = 2;
        }),
        ("failure_diagnostics.index", |_, n| {
            n.documents.remove("unit/bad/failure_digest.json");
        }),
        ("secrets.none_left", |_, n| {
            n.leaks.insert("unit/good/output.log".into(), 1);
        }),
        ("secrets.none_left", |_, n| {
            n.unsearched
                .insert("unit/good/output.log".into(), "x".into());
        }),
    ];
    for (n, (id, damage)) in ways.iter().enumerate() {
        let mut summary = summary();
        let mut seen = seen(&summary);
        damage(&mut summary, &mut seen);
        let contract = judge(&summary, &seen);
        assert_eq!(contract.status, Status::Fail, "{n} {id}");
        assert!(!contract.remediation_hints.is_empty(), "{n} {id}");
        let checks = contract.checks.iter();
        let bad: Vec<&str> = checks.filter(|c| !c.ok).map(|c| c.id.as_str()).collect();
        assert!(bad.contains(id), "{n} {id}: {bad:?}");
    }
}

#[test]
fn what_is_the_projects_is_told_and_no_fault() {
    let summary = summary();
    let mut seen = seen(&summary);
    seen.logs.insert("unit/good/output.log".into(), 9 << 20);
    seen.notes.push("CODEOWNERS:2: x".into());
    let contract = judge(&summary, &seen);
    assert_eq!(
        (contract.status, contract.warnings.len()),
        (Status::Pass, 2)
    );
    // Copies of shards have their own ids.
    seen.of = Of::Merge;
    let log = seen.lines.get_mut("unit/good/test-log.jsonl").unwrap();
    log.correlation_ids = BTreeSet::from(["shard".to_owned()]);
    log.traces = BTreeSet::from(["run_0".to_owned()]);
    assert_eq!(judge(&summary, &seen).status, Status::Pass);
}
