//! Evidence of runs: which run counts, what of it counts, and what excuses nothing.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Timestamp, Verdict as Status};
use gonogo_gate::Verdict;
use gonogo_gate::inputs::{Compared, History, Inputs};
use gonogo_suite::TestId;
use gonogo_suite::cause::Cause;
use gonogo_suite::diff::{Change, Changed, Diff, Status as DiffStatus};
use gonogo_suite::run::{End, State, TargetResult, Tests};

use crate::common::{conclude, failing, gate, good, good_of, has, now, of, unit, verdict};

type Change1 = (fn(&mut Inputs), Status, &'static str);

fn earlier(span: u64) -> Timestamp {
    Timestamp::from_millis(now().as_millis() - 1_000 * i64::try_from(span).unwrap())
}

#[test]
fn what_is_wrong_with_a_run_is_wrong_with_its_targets() {
    let cases: Vec<Change1> = vec![
        (|i| i.runs.clear(), Status::Hold, "EVIDENCE_MISSING"),
        (
            |i| i.unreadable_runs.push("cut".into()),
            Status::Invalid,
            "EVIDENCE_UNPARSABLE",
        ),
        (
            |i| i.runs[0].summary.schema = "x".into(),
            Status::Invalid,
            "SCHEMA_UNKNOWN",
        ),
        (
            |i| i.runs[0].summary.source.tree_after = None,
            Status::Invalid,
            "RUN_INCOMPLETE",
        ),
        (
            |i| i.runs[0].summary.source.tree_after = Some("git:other".into()),
            Status::Invalid,
            "TREE_CHANGED",
        ),
        (
            |i| i.runs[0].summary.state = State::Crashed,
            Status::Invalid,
            "RUN_INCOMPLETE",
        ),
        (
            |i| i.runs[0].summary.state = State::Partial,
            Status::Invalid,
            "RUN_INCOMPLETE",
        ),
        (
            |i| i.runs[0].summary.runner_outcome = None,
            Status::Invalid,
            "RUN_INCOMPLETE",
        ),
        (
            |i| i.runs[0].summary.runner_outcome.as_mut().unwrap().exit_code = 1,
            Status::Invalid,
            "EXIT_CODE_CONFLICT",
        ),
        (
            |i| {
                i.runs[0]
                    .summary
                    .runner_outcome
                    .as_mut()
                    .unwrap()
                    .source_snapshot_verified = false
            },
            Status::Invalid,
            "TREE_CHANGED",
        ),
        (
            |i| i.runs[0].summary.tests.passed += 1,
            Status::Invalid,
            "EVIDENCE_COUNT_MISMATCH",
        ),
        (
            |i| i.runs[0].summary.selected.push("more".into()),
            Status::Hold,
            "EVIDENCE_MISSING",
        ),
        (
            |i| i.runs[0].summary.timestamp = earlier(86_400),
            Status::Invalid,
            "CLOCK_SKEW",
        ),
        (
            |i| {
                i.runs[0].summary.started_at = earlier(90_000);
                i.runs[0].summary.timestamp = earlier(86_400);
            },
            Status::Hold,
            "EVIDENCE_STALE",
        ),
        (
            |i| i.runs[0].summary.timestamp = now().after(Span::from_secs(301)),
            Status::Invalid,
            "CLOCK_SKEW",
        ),
        (
            |i| {
                let run = i.runs[0].clone();
                i.runs.push(run);
            },
            Status::Invalid,
            "ID_COLLISION",
        ),
        (
            |i| {
                i.runs[0].baselines.remove("unit");
            },
            Status::Hold,
            "BASELINE_MISSING",
        ),
        (
            |i| {
                i.runs[0].baselines.insert("unit".into(), Compared::Nothing);
            },
            Status::Hold,
            "BASELINE_MISSING",
        ),
        (
            |i| {
                i.runs[0]
                    .baselines
                    .insert("unit".into(), Compared::Missing { why: "w".into() });
            },
            Status::Hold,
            "BASELINE_MISSING",
        ),
        (
            |i| {
                i.runs[0]
                    .baselines
                    .insert("unit".into(), Compared::Incomparable { why: "w".into() });
            },
            Status::Hold,
            "BASELINE_INCOMPARABLE",
        ),
        (
            |i| {
                i.manifest
                    .declared
                    .targets
                    .get_mut("unit")
                    .unwrap()
                    .min_tests = 5
            },
            Status::Hold,
            "TEST_MISSING",
        ),
        (
            |i| i.manifest.declared.targets.get_mut("unit").unwrap().format = "tap".into(),
            Status::Invalid,
            "EVIDENCE_UNPARSABLE",
        ),
        (
            |i| {
                i.manifest
                    .declared
                    .targets
                    .get_mut("unit")
                    .unwrap()
                    .min_duration_ms = Some(100_000)
            },
            Status::Hold,
            "RUN_TOO_FAST",
        ),
        (
            |i| {
                i.manifest
                    .declared
                    .profiles
                    .get_mut("ci")
                    .unwrap()
                    .push("ghost".into());
            },
            Status::Invalid,
            "POLICY_UNDEFINED",
        ),
        (
            |i| {
                i.manifest
                    .declared
                    .targets
                    .values_mut()
                    .for_each(|t| t.blocking = false)
            },
            Status::Invalid,
            "POLICY_UNDEFINED",
        ),
        (
            |i| {
                i.history.insert(
                    "unit".into(),
                    History {
                        green_runs: 5,
                        median_ms: 600_001,
                    },
                );
            },
            Status::Hold,
            "RUN_TOO_FAST",
        ),
    ];
    for (change, status, code) in cases {
        let mut inputs = good();
        change(&mut inputs);
        let verdict = verdict(&inputs);
        let (found, codes) = of(&verdict, "suites");
        assert!(codes.contains(&code), "{code}: {codes:?}");
        assert_eq!(
            (found, verdict.verdict),
            (status, status),
            "{code}: {codes:?}"
        );
        assert!(verdict.exit_code > 0);
    }
    // Of a run that was killed nobody looked at the tree, so nobody found it another.
    let mut inputs = good();
    let summary = &mut inputs.runs[0].summary;
    summary.source.tree_after = None;
    let outcome = summary.runner_outcome.as_mut().unwrap();
    outcome.source_snapshot_verified = false;
    let (status, codes) = of(&verdict(&inputs), "suites");
    assert_eq!(status, Status::Invalid);
    assert!(
        codes.contains(&"RUN_INCOMPLETE") && !codes.contains(&"TREE_CHANGED"),
        "{codes:?}"
    );
    // Whichever profile it was run for.
    let mut inputs = good();
    inputs.runs[0].summary.profile = "quick".into();
    assert_eq!(verdict(&inputs).verdict, Status::Pass);
    // Where it is not enough to be told.
    let mut inputs = good();
    inputs.history.insert(
        "unit".into(),
        History {
            green_runs: 4,
            median_ms: 10_000_000,
        },
    );
    assert_eq!(verdict(&inputs).verdict, Status::Pass);
    let mut inputs = good();
    inputs.history.clear();
    inputs.runs[0]
        .baselines
        .insert("unit".into(), Compared::Nothing);
    assert_eq!(verdict(&inputs).verdict, Status::Pass);
}

#[test]
fn a_first_run_has_no_baseline_unless_one_is_required() {
    let policy = gate("s", "suite = { profile = \"ci\", baseline = \"required\" }");
    let mut inputs = good_of(&policy);
    inputs.history.clear();
    assert_eq!(verdict(&inputs).verdict, Status::Pass);
    inputs.runs[0]
        .baselines
        .insert("unit".into(), Compared::Nothing);
    assert_eq!(
        of(&verdict(&inputs), "s"),
        (Status::Hold, vec!["BASELINE_MISSING"])
    );
}

#[test]
fn an_earlier_failure_on_the_same_tree_is_not_forgotten() {
    let mut inputs = good();
    let mut red = inputs.clone();
    unit(&mut red, &failing("broken", "b"), 1);
    let mut run = red.runs.remove(0);
    run.summary.run_id = "red".into();
    run.summary.started_at = earlier(7_200);
    run.summary.timestamp = earlier(7_100);
    inputs.runs.push(run);
    let both = verdict(&inputs);
    assert_eq!(of(&both, "suites"), (Status::Hold, vec!["FLAKY_BLOCKING"]));
    // On another tree it was another thing.
    let mut other = inputs.clone();
    other.runs[1].summary.source.tree = "git:other".into();
    other.runs[1].summary.source.tree_after = Some("git:other".into());
    assert_eq!(verdict(&other).verdict, Status::Pass);
    // And the newest counts, not the best.
    inputs.runs[1].summary.started_at = earlier(100);
    inputs.runs[1].summary.timestamp = earlier(50);
    let newest = verdict(&inputs);
    assert!(has(&newest, Reason::TestFailed));
    assert_eq!(newest.verdict, Status::Fail);
}

/// The verdict over the good run and an earlier one of the same tree that `spoil` made.
fn after(report: &str, code: i32, spoil: impl Fn(&mut TargetResult)) -> Verdict {
    let mut inputs = good();
    let mut red = inputs.clone();
    unit(&mut red, report, code);
    let mut run = red.runs.remove(0);
    run.summary.run_id = "red".into();
    // However long ago.
    run.summary.started_at = earlier(40 * 86_400);
    run.summary.timestamp = earlier(40 * 86_400 - 100);
    spoil(&mut run.summary.unit_targets[0]);
    conclude(&mut run);
    inputs.runs.push(run);
    verdict(&inputs)
}

#[test]
fn whatever_went_wrong_on_the_same_tree_is_not_forgotten() {
    let held = |verdict: &Verdict| of(verdict, "suites") == (Status::Hold, vec!["FLAKY_BLOCKING"]);
    let error = failing("broken", "money lost").replace("<failure", "<error type=\"ValueError\"");
    let green = failing("fine", "").replace("<failure message=\"\"/>", "");
    let nothing = |_: &mut TargetResult| {};
    assert!(held(&after(&failing("broken", "b"), 1, nothing)));
    assert!(held(&after(&error, 1, nothing)));
    assert!(held(&after(&green, 1, nothing)));
    assert!(held(&after(&green, 139, |t| t.tests = Tests::default())));
    assert!(held(
        &after(&green, 0, |t| t.end = End::Signalled { signal: 11 })
    ));
    assert!(held(
        &after(&green, 0, |t| t.end = End::TimedOut { after_ms: 9 })
    ));
    // One that was ended from outside, never began, or in which nothing ran says nothing of the tests.
    let well = |verdict: &Verdict| of(verdict, "suites").0 == Status::Pass;
    assert!(well(
        &after(&green, 0, |t| t.end = End::Signalled { signal: 15 })
    ));
    assert!(well(&after(&green, 0, |t| t.end = End::Cancelled)));
    assert!(well(&after(&green, 143, nothing)));
    assert!(well(&after(&green, 127, |t| t.tests = Tests::default())));
    let unbuilt = |t: &mut TargetResult| t.bad[0].cause = Some(Cause::CompileError);
    assert!(well(&after(&error, 1, unbuilt)));
}

#[test]
fn what_a_result_hides_is_found_again() {
    // A result without problems whose facts contradict its status.
    let mut inputs = good();
    let unit = &mut inputs.runs[0].summary.unit_targets[0];
    unit.end = End::Signalled { signal: 9 };
    unit.exit_code = None;
    conclude(&mut inputs.runs[0]);
    assert!(
        of(&verdict(&inputs), "suites")
            .1
            .contains(&"RUN_INCOMPLETE")
    );
    let mut inputs = good();
    inputs.runs[0].summary.unit_targets[0].inputs.clear();
    assert!(
        of(&verdict(&inputs), "suites")
            .1
            .contains(&"EVIDENCE_MISSING")
    );
    let mut inputs = good();
    inputs.runs[0].summary.unit_targets[0].tests.cached = 1;
    conclude(&mut inputs.runs[0]);
    assert!(
        of(&verdict(&inputs), "suites")
            .1
            .contains(&"EVIDENCE_CACHED_ONLY")
    );
}

#[test]
fn changes_since_the_baseline_block() {
    let changed = |change| Changed {
        rank: 1,
        test: TestId::new("s", "", "t"),
        change,
        base: None,
        now: None,
    };
    for (change, code) in [
        (Change::Removed, Some("TEST_REMOVED")),
        (Change::NewlySkipped, Some("NEWLY_SKIPPED")),
        (Change::Regressed, Some("REGRESSION")),
        (Change::Fixed, None),
        (Change::NewPass, None),
    ] {
        let mut inputs = good();
        let diff = Diff {
            // Nobody believes the diff's own opinion.
            status: DiffStatus::Stable,
            incomparable: None,
            counts: BTreeMap::from([(change, 1), (Change::Same, 3)]),
            changed: vec![changed(change)],
        };
        let with = |diff: &Diff| Compared::With {
            run_id: "base".into(),
            digest: Digest::of(b""),
            diff: diff.clone(),
        };
        inputs.runs[0].baselines.insert("unit".into(), with(&diff));
        let (_, codes) = of(&verdict(&inputs), "suites");
        assert_eq!(codes, code.into_iter().collect::<Vec<_>>());
        let hidden = Diff {
            changed: Vec::new(),
            ..diff
        };
        inputs.runs[0]
            .baselines
            .insert("unit".into(), with(&hidden));
        let (_, codes) = of(&verdict(&inputs), "suites");
        assert_eq!(codes, ["EVIDENCE_COUNT_MISMATCH"]);
    }
}

#[test]
fn shards_are_complete_or_nothing() {
    let sharded = |indexes: &[(u32, u32, &str)]| {
        let mut inputs = good();
        let run = inputs.runs.remove(0);
        for (n, (index, total, tree)) in indexes.iter().enumerate() {
            let mut run = run.clone();
            run.summary.run_id = format!("r{n}");
            run.summary.source.tree = (*tree).into();
            run.summary.source.tree_after = Some((*tree).into());
            run.summary.shard = Some(gonogo_suite::run::Shard {
                kind: "both".into(),
                name: "n".into(),
                index: *index,
                total: *total,
                plan: "sha256:p".into(),
            });
            inputs.runs.push(run);
        }
        let verdict = verdict(&inputs);
        (verdict.verdict, of(&verdict, "suites").1)
    };
    let tree = good().subject.tree;
    let t = tree.as_str();
    assert_eq!(sharded(&[(0, 2, t), (1, 2, t)]).0, Status::Pass);
    assert_eq!(sharded(&[(0, 2, t)]), (Status::Hold, vec!["SHARD_MISSING"]));
    assert_eq!(sharded(&[(0, 4_000_000_000, t)]).1, ["SHARD_MISSING"]);
    for bad in [
        &[(0, 2, t), (1, 2, t), (1, 2, t)][..],
        &[(0, 2, t), (1, 3, t), (2, 3, t)],
        &[(0, 2, t), (1, 2, t), (2, 2, t)],
        &[(0, 2, t), (1, 2, "git:other")],
    ] {
        let (status, codes) = sharded(bad);
        assert_eq!(status, Status::Invalid, "{bad:?}");
        assert!(codes.contains(&"SHARD_PLAN_MISMATCH"), "{bad:?} {codes:?}");
    }
}

#[test]
fn a_flaky_test_holds_and_many_are_not_excused() {
    let flaky = |names: &[&str]| {
        let tests: String = names
            .iter()
            .map(|n| format!("<testcase classname=\"c\" name=\"{n}\"><flakyFailure message=\"once\"/></testcase>"))
            .collect();
        failing("x", "y").replace(
            "<testcase classname=\"c\" name=\"x\"><failure message=\"y\"/></testcase>",
            &tests,
        )
    };
    let mut inputs = good();
    unit(&mut inputs, &flaky(&["a"]), 0);
    assert_eq!(
        of(&verdict(&inputs), "suites"),
        (Status::Hold, vec!["FLAKY_BLOCKING"])
    );
    unit(&mut inputs, &flaky(&["a", "b", "c", "d"]), 0);
    let codes = of(&verdict(&inputs), "suites").1;
    assert_eq!(codes, ["FLAKE_BUDGET_EXCEEDED", "FLAKY_BLOCKING"]);
}

#[test]
fn many_failures_are_counted_and_a_few_are_told() {
    let tests: String = (0..20_000)
        .map(|n| {
            format!(
                "<testcase classname=\"c\" name=\"t{n}\"><failure message=\"broke\"/></testcase>"
            )
        })
        .collect();
    let mut inputs = good();
    unit(
        &mut inputs,
        &format!("<testsuite name=\"s\">{tests}</testsuite>"),
        1,
    );
    let found = verdict(&inputs);
    let gate = found.gate("suites").unwrap();
    assert_eq!(gate.status, Status::Fail);
    assert!(gate.reasons.len() <= 50 && gate.reasons_omitted > 9_000);
    assert!(found.to_bytes().unwrap().len() < 200_000);
}
