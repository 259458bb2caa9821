//! Gates over documents and other evidence: nothing is coerced, and nothing missing is good.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Share, Span, Timestamp, Verdict as Status};
use gonogo_gate::inputs::{
    Budgeted, CommandOutcome, Coverage, Covered, Drill, DryRun, Found, Inputs, Part, Perf,
    PerfResult, Readiness,
};
use gonogo_suite::run::End;
use serde_json::{Value, json};

use crate::common::{gate, good_of, of, present, verdict};

/// A status and the codes beside it.
type Expected = (Status, &'static [&'static str]);

/// What spoils a piece of evidence, and what is said of that.
type Wrong<T> = (fn(&mut T), Status, &'static str);

fn document(inputs: &mut Inputs, name: &str, value: Value) {
    let found = present(value, &inputs.subject.tree);
    inputs.documents.insert(name.into(), found);
}

/// The suite of the policy, and this gate.
fn with(check: &str) -> Inputs {
    let suite = gate("s", "suite = { profile = \"ci\" }");
    good_of(&format!("{suite}{}", gate("g", check)))
}

fn table(check: &str, cases: &[(Value, Status, &[&str])]) {
    for (value, status, codes) in cases {
        let mut inputs = with(check);
        document(&mut inputs, "d.json", value.clone());
        let found = verdict(&inputs);
        assert_eq!(
            of(&found, "g"),
            (*status, codes.to_vec()),
            "{check}\n{value}"
        );
        assert_eq!(found.verdict, *status);
    }
}

const PASS: (Status, &[&str]) = (Status::Pass, &[]);
const BROKEN: (Status, &[&str]) = (Status::Fail, &["CHECK_FAILED"]);
const ODD: (Status, &[&str]) = (Status::Invalid, &["CHECK_UNDECIDABLE"]);

#[test]
fn values_are_compared_in_their_own_type() {
    let rule = |op: &str, value: &str| {
        format!(
            "json = {{ document = \"d.json\", rules = [ {{ pointer = \"/v\", op = \"{op}\", value = {value} }} ] }}"
        )
    };
    let cases: Vec<(String, Value, Expected)> = vec![
        (rule("==", "\"pass\""), json!("pass"), PASS),
        (rule("==", "\"pass\""), json!("Pass"), BROKEN),
        (rule("==", "\"pass\""), json!(["pass"]), ODD),
        (rule("==", "0"), json!("0"), ODD),
        (rule("==", "0"), json!(false), ODD),
        (rule("==", "0"), json!(null), ODD),
        (rule("==", "1"), json!(1.0), PASS),
        (rule("!=", "\"fail\""), json!("pass"), PASS),
        (rule("!=", "\"fail\""), json!(3), ODD),
        (rule("!=", "\"fail\""), json!(null), ODD),
        (rule(">=", "80"), json!(80), PASS),
        (rule(">=", "80"), json!(79.99), BROKEN),
        (rule(">=", "80"), json!("99"), ODD),
        (rule("<", "1"), json!(-0.0), PASS),
        (rule("<=", "36"), json!(37), BROKEN),
        (rule("contains", "\"a\""), json!(["a", "b"]), PASS),
        (rule("contains", "\"a\""), json!([]), BROKEN),
        (rule("contains", "\"a\""), json!("cab"), PASS),
        (rule("contains", "\"a\""), json!({"a": 1}), PASS),
        (rule("contains", "\"a\""), json!(7), ODD),
        (rule("matches", "\"^v[0-9]+$\""), json!("v12"), PASS),
        (rule("matches", "\"^v[0-9]+$\""), json!("v12\n"), BROKEN),
        (rule("matches", "\"^v[0-9]+$\""), json!(12), ODD),
    ];
    for (check, value, (status, codes)) in cases {
        table(&check, &[(json!({ "v": value }), status, codes)]);
    }
    let exists =
        "json = { document = \"d.json\", rules = [ { pointer = \"/v\", op = \"exists\" } ] }";
    table(
        exists,
        &[
            (json!({"v": 0}), Status::Pass, &[]),
            (json!({"v": null}), Status::Invalid, &["CHECK_UNDECIDABLE"]),
            (json!({"w": 1}), Status::Invalid, &["CHECK_UNDECIDABLE"]),
            (json!({}), Status::Invalid, &["CHECK_UNDECIDABLE"]),
            (json!([]), Status::Invalid, &["CHECK_UNDECIDABLE"]),
            (json!(null), Status::Invalid, &["CHECK_UNDECIDABLE"]),
        ],
    );
}

#[test]
fn schemas_counts_shares_and_times() {
    table(
        "schema = { document = \"d.json\", schema = \"x.v1\" }",
        &[
            (json!({"schema": "x.v1"}), Status::Pass, &[]),
            (
                json!({"schema": "x.v10"}),
                Status::Invalid,
                &["SCHEMA_UNKNOWN"],
            ),
            (
                json!({"schema": 1}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
        ],
    );
    table(
        "counts = { document = \"d.json\", total = \"/t\", parts = [\"/a\", \"/b\"] }",
        &[
            (json!({"t": 3, "a": 1, "b": [0, 0]}), Status::Pass, &[]),
            (
                json!({"t": 0, "a": 0, "b": []}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"t": 3, "a": 1, "b": 1}),
                Status::Invalid,
                &["EVIDENCE_COUNT_MISMATCH"],
            ),
            (
                json!({"t": 3, "a": 4, "b": -1}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"t": 3, "a": 1.5, "b": 1.5}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"t": 3, "a": 3}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
        ],
    );
    table(
        "percentage = { document = \"d.json\", numerator = \"/n\", denominator = \"/d\", at_least = \"80%\", min_denominator = 208 }",
        &[
            (json!({"n": 208, "d": 208}), Status::Pass, &[]),
            (json!({"n": 167, "d": 208}), Status::Pass, &[]),
            (json!({"n": 166, "d": 208}), Status::Fail, &["CHECK_FAILED"]),
            (
                json!({"n": 125, "d": 125}),
                Status::Invalid,
                &["EVIDENCE_COUNT_MISMATCH"],
            ),
            (
                json!({"n": 0, "d": 0}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"n": 209, "d": 208}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
        ],
    );
    table(
        "percentage = { document = \"d.json\", pointer = \"/p\", at_least = \"95%\" }",
        &[
            (json!({"p": 95}), Status::Pass, &[]),
            (json!({"p": 94.9999}), Status::Fail, &["CHECK_FAILED"]),
            (json!({"p": 0.95}), Status::Fail, &["CHECK_FAILED"]),
            (json!({"p": 101}), Status::Invalid, &["CHECK_UNDECIDABLE"]),
            (json!({"p": "95"}), Status::Invalid, &["CHECK_UNDECIDABLE"]),
        ],
    );
    table(
        "max_age = { document = \"d.json\", pointer = \"/at\", within = \"7d\" }",
        &[
            (json!({"at": "2026-06-15T11:00:00Z"}), Status::Pass, &[]),
            (
                json!({"at": "2026-06-08T12:00:00Z"}),
                Status::Hold,
                &["EVIDENCE_STALE"],
            ),
            (
                json!({"at": "2026-06-15T12:05:01Z"}),
                Status::Invalid,
                &["CLOCK_SKEW"],
            ),
            (
                json!({"at": "2026-06-15"}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"at": 1_781_524_800}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
        ],
    );
    table(
        "lineage = { equal = [\"d.json#/a\", \"d.json#/b\"], contained = [\"d.json#/a\", \"d.json#/c\"], times = [\"d.json#/t\", \"d.json#/u\"], within = \"14d\" }",
        &[
            (
                json!({"a": "r1", "b": "r1", "c": "x-r1", "t": "2026-06-01T00:00:00Z", "u": "2026-06-15T00:00:00Z"}),
                Status::Pass,
                &[],
            ),
            (
                json!({"a": "r1", "b": "r2", "c": "x-r1", "t": "2026-06-01T00:00:00Z", "u": "2026-06-15T00:00:00Z"}),
                Status::Fail,
                &["CHECK_FAILED"],
            ),
            (
                json!({"a": "r1", "b": "r1", "c": "x", "t": "2026-06-01T00:00:00Z", "u": "2026-06-15T00:00:00Z"}),
                Status::Fail,
                &["CHECK_FAILED"],
            ),
            (
                json!({"a": "", "b": "", "c": "", "t": "2026-06-01T00:00:00Z", "u": "2026-06-15T00:00:00Z"}),
                Status::Invalid,
                &["CHECK_UNDECIDABLE"],
            ),
            (
                json!({"a": "r1", "b": "r1", "c": "r1", "t": "2026-05-30T00:00:00Z", "u": "2026-06-15T00:00:00Z"}),
                Status::Fail,
                &["CHECK_FAILED"],
            ),
        ],
    );
}

fn expect<T: Clone>(
    check: &str,
    good: &Found<T>,
    put: impl Fn(&mut Inputs, Found<T>),
    wrong: &[Wrong<T>],
    is_bound: bool,
) {
    let of_it = |found: Found<T>| {
        let mut inputs = with(check);
        put(&mut inputs, found);
        of(&verdict(&inputs), "g")
    };
    assert_eq!(of_it(good.clone()), (Status::Pass, vec![]), "{check}");
    assert_eq!(
        of_it(Found::Absent),
        (Status::Hold, vec!["EVIDENCE_MISSING"])
    );
    let broken = Found::Unreadable {
        why: "w".into(),
        digest: None,
    };
    assert_eq!(
        of_it(broken),
        (Status::Invalid, vec!["EVIDENCE_UNPARSABLE"])
    );
    let dated = |at: Option<&str>| {
        let mut found = good.clone();
        if let Found::Present { origin, .. } = &mut found {
            origin.at = at.map(|t| t.parse::<Timestamp>().unwrap());
        }
        of_it(found)
    };
    assert_eq!(dated(Some("2025-12-01T00:00:00Z")).1, ["EVIDENCE_STALE"]);
    assert_eq!(dated(None).1, ["EVIDENCE_STALE"]);
    assert_eq!(dated(Some("2026-06-15T13:00:00Z")).1, ["CLOCK_SKEW"]);
    let mut other = good.clone();
    if let Found::Present { origin, .. } = &mut other {
        origin.tree = Some("git:other".into());
    }
    let expected: &[&str] = if is_bound {
        &["EVIDENCE_WRONG_TREE"]
    } else {
        &[]
    };
    assert_eq!(of_it(other).1, expected);
    for (change, status, code) in wrong {
        let mut found = good.clone();
        if let Found::Present { value, .. } = &mut found {
            change(value);
        }
        let (is, codes) = of_it(found);
        assert_eq!(is, *status, "{check} {codes:?}");
        assert!(codes.contains(code), "{code} {codes:?}");
    }
}

#[test]
fn an_ending_is_told_in_words() {
    for (end, text) in [
        (End::Exited { code: 3 }, "it ended with 3"),
        (End::Signalled { signal: 9 }, "signal 9 ended it"),
        (
            End::TimedOut { after_ms: 40 },
            "it took more than 40 ms and was ended",
        ),
        (End::Cancelled, "the run was cancelled"),
        (
            End::NotStarted {
                why: "it changed the tree".into(),
            },
            "nothing came of it: it changed the tree",
        ),
        (
            End::Read { code: None },
            "a report was read, and nobody says how it ended",
        ),
    ] {
        let mut inputs = good_of(&gate("g", "command = { argv = [\"a\"] }"));
        let argv = vec!["a".into()];
        let outcome = CommandOutcome { argv, end };
        inputs.commands.insert("g".into(), present(outcome, TREE));
        let verdict = verdict(&inputs);
        let told = &verdict.gate("g").unwrap().obligations[0].reasons;
        assert!(told.iter().any(|t| t.text == text), "{text}: {told:?}");
    }
}

const TREE: &str = "git:5e1f7e575e1f7e575e1f7e575e1f7e575e1f7e57";

#[test]
fn commands_and_coverage() {
    let outcome = CommandOutcome {
        argv: vec!["a".into()],
        end: End::Exited { code: 0 },
    };
    expect(
        "command = { argv = [\"a\"] }",
        &present(outcome, TREE),
        |i, f| {
            i.commands.insert("g".into(), f);
        },
        &[
            (
                |c| c.end = End::Exited { code: 1 },
                Status::Fail,
                "CHECK_FAILED",
            ),
            (
                |c| c.end = End::Signalled { signal: 9 },
                Status::Invalid,
                "RUN_INCOMPLETE",
            ),
            (
                |c| c.end = End::NotStarted { why: "w".into() },
                Status::Invalid,
                "RUN_INCOMPLETE",
            ),
            (
                |c| c.end = End::Read { code: Some(0) },
                Status::Invalid,
                "RUN_INCOMPLETE",
            ),
            (
                |c| c.argv = vec!["true".into()],
                Status::Invalid,
                "EVIDENCE_UNPARSABLE",
            ),
        ],
        true,
    );
    let part = |covered, total| Some(Part { covered, total });
    let covered = Covered {
        lines: part(75, 100),
        functions: part(1, 1),
        branches: None,
    };
    let coverage = Coverage {
        modules: BTreeMap::from([("core".into(), covered)]),
        ..Coverage::default()
    };
    expect(
        "coverage = { report = \"r\", modules = { core = [\"src/**\"] }, floors = { core = { line = \"75%\", function = \"73%\" } } }",
        &present(coverage, TREE),
        |i, f| {
            i.coverage.insert("r".into(), f);
        },
        &[
            (
                |c| {
                    c.modules.get_mut("core").unwrap().lines = Some(Part {
                        covered: 74,
                        total: 100,
                    })
                },
                Status::Fail,
                "CHECK_FAILED",
            ),
            (
                |c| {
                    c.modules.get_mut("core").unwrap().lines = Some(Part {
                        covered: 0,
                        total: 0,
                    })
                },
                Status::Invalid,
                "CHECK_UNDECIDABLE",
            ),
            (
                |c| c.modules.get_mut("core").unwrap().functions = None,
                Status::Invalid,
                "CHECK_UNDECIDABLE",
            ),
            (|c| c.modules.clear(), Status::Invalid, "CHECK_UNDECIDABLE"),
        ],
        true,
    );
}

#[test]
fn dry_runs_readiness_and_drills() {
    let run = DryRun {
        verdict: Status::Pass,
        why: None,
        artifact: Digest::of(b"a"),
        declared: Some(Digest::of(b"dry run")),
        weaker: Vec::new(),
        counted_ms: 3_600_000,
        uptime: Share::FULL,
    };
    expect(
        "dry_run = { min_duration = \"1h\", min_uptime = \"99%\" }",
        &present(run.clone(), TREE),
        |i, f| i.dry_runs = vec![f],
        &[
            (|d| d.verdict = Status::Fail, Status::Fail, "CHECK_FAILED"),
            (
                |d| d.verdict = Status::Hold,
                Status::Hold,
                "EVIDENCE_MISSING",
            ),
            (
                |d| d.verdict = Status::Excused,
                Status::Hold,
                "EVIDENCE_MISSING",
            ),
            (
                |d| d.verdict = Status::Invalid,
                Status::Invalid,
                "EVIDENCE_UNPARSABLE",
            ),
            (|d| d.counted_ms = 3_599_999, Status::Fail, "CHECK_FAILED"),
            (
                |d| d.declared = None,
                Status::Hold,
                "EVIDENCE_OTHER_DECLARATION",
            ),
            (
                |d| d.declared = Some(Digest::of(b"another")),
                Status::Hold,
                "EVIDENCE_OTHER_DECLARATION",
            ),
            (
                |d| d.weaker = vec!["`diary` is not looked at".into()],
                Status::Hold,
                "EVIDENCE_OTHER_DECLARATION",
            ),
            (
                |d| d.uptime = Share::from_percent(98),
                Status::Fail,
                "CHECK_FAILED",
            ),
        ],
        true,
    );
    // The newest of what is released counts.
    let mut inputs = with("dry_run = {}");
    inputs
        .subject
        .artifacts
        .insert("app".into(), Digest::of(b"b"));
    inputs.dry_runs = vec![present(run.clone(), TREE)];
    assert_eq!(of(&verdict(&inputs), "g").1, ["EVIDENCE_WRONG_TREE"]);
    let mut newer = present(
        DryRun {
            verdict: Status::Fail,
            artifact: Digest::of(b"b"),
            ..run.clone()
        },
        "git:any",
    );
    let good = present(
        DryRun {
            artifact: Digest::of(b"b"),
            ..run
        },
        "git:any",
    );
    if let Found::Present { origin, .. } = &mut newer {
        origin.at = Some(crate::common::now().after(Span::from_secs(1)));
    }
    inputs.dry_runs.push(good);
    assert_eq!(of(&verdict(&inputs), "g").0, Status::Pass);
    let older = |seconds: u64, change: &dyn Fn(&mut DryRun)| {
        let Found::Present { value, origin } = &newer else {
            unreachable!()
        };
        let (mut value, mut origin) = (value.clone(), origin.clone());
        let back = i64::try_from(seconds * 1000).unwrap();
        origin.at = origin
            .at
            .map(|at| Timestamp::from_millis(at.as_millis() - back));
        change(&mut value);
        Found::Present { value, origin }
    };
    // Tried until it passed: not within the age that a sign-off may have, not of other bytes, not by another declaration.
    for (seconds, change, expected) in [
        (
            3600,
            &(|_: &mut DryRun| {}) as &dyn Fn(&mut DryRun),
            vec!["FLAKY_BLOCKING"],
        ),
        (3600, &|d| d.verdict = Status::Hold, vec!["FLAKY_BLOCKING"]),
        (3600, &|d| d.verdict = Status::Pass, vec![]),
        (3600, &|d| d.artifact = Digest::of(b"c"), vec![]),
        (3600, &|d| d.declared = Some(Digest::of(b"another")), vec![]),
        (90_000, &|_| {}, vec![]),
    ] {
        let mut inputs = inputs.clone();
        inputs.dry_runs.push(older(seconds, change));
        assert_eq!(of(&verdict(&inputs), "g").1, expected);
    }
    inputs.dry_runs.push(newer);
    assert_eq!(of(&verdict(&inputs), "g").0, Status::Fail);
    let ready = Readiness {
        rollout_gate: "pass".into(),
        surfaces: BTreeMap::from([("api".into(), "healthy".into())]),
    };
    expect(
        "readiness = {}",
        &present(ready.clone(), TREE),
        |i, f| i.readiness = f,
        &[
            (
                |r| r.rollout_gate = "hold".into(),
                Status::Fail,
                "CHECK_FAILED",
            ),
            (
                |r| r.rollout_gate = "PASS".into(),
                Status::Invalid,
                "CHECK_UNDECIDABLE",
            ),
            (|r| r.surfaces.clear(), Status::Invalid, "CHECK_UNDECIDABLE"),
            (
                |r| {
                    r.surfaces.insert("db".into(), "degraded".into());
                },
                Status::Fail,
                "CHECK_FAILED",
            ),
            (
                |r| {
                    r.surfaces.insert("db".into(), "unknown".into());
                },
                Status::Invalid,
                "CHECK_UNDECIDABLE",
            ),
        ],
        false,
    );
    let mut inputs = with("readiness = { surfaces = [\"db\"] }");
    inputs.readiness = present(ready, TREE);
    assert_eq!(of(&verdict(&inputs), "g").1, ["EVIDENCE_MISSING"]);
    expect(
        "drill = { name = \"failover\", max_age = \"90d\" }",
        &present(
            Drill {
                verdict: Status::Pass,
                real: true,
            },
            TREE,
        ),
        |i, f| {
            i.drills.insert("failover".into(), f);
        },
        &[
            (|d| d.real = false, Status::Hold, "EVIDENCE_MISSING"),
            (|d| d.verdict = Status::Fail, Status::Fail, "CHECK_FAILED"),
        ],
        false,
    );
}

#[test]
fn budgets() {
    let perf = Perf {
        budget: "p99".into(),
        result: PerfResult::Same,
        reasons: Vec::new(),
        base_tree: None,
    };
    expect(
        "perf = { budgets = [\"p99\"], max_age = \"7d\" }",
        &present(perf, TREE),
        |i, f| {
            let budget = Budgeted {
                blocks: true,
                declared: Digest::of(b"p99"),
            };
            i.manifest.declared.budgets.insert("p99".into(), budget);
            i.perf.insert("p99".into(), f);
        },
        &[
            (
                |p| p.result = PerfResult::Regressed,
                Status::Fail,
                "PERF_REGRESSED",
            ),
            (
                |p| p.result = PerfResult::Insufficient,
                Status::Hold,
                "PERF_INSUFFICIENT",
            ),
            (
                |p| p.result = PerfResult::Noise,
                Status::Hold,
                "PERF_NOISE_FLOOR",
            ),
            (
                |p| p.reasons.push(Reason::PerfHostMismatch),
                Status::Hold,
                "PERF_HOST_MISMATCH",
            ),
            (
                |p| p.budget = "p99_ignore".into(),
                Status::Invalid,
                "EVIDENCE_UNPARSABLE",
            ),
        ],
        true,
    );
    let inputs = with("perf = { budgets = [\"ghost\"] }");
    assert!(of(&verdict(&inputs), "g").1.contains(&"POLICY_UNDEFINED"));
}
