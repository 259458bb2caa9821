//! Budgets, comparison reports, stress triage and studies: what passes, and above all what must not.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use gonogo_core::reason::Verdict;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_suite::perf::budget::{
    Budget, BudgetList, BudgetSummary, Series, SeriesFile, Status, judge_budgets,
};
use gonogo_suite::perf::comparison::{BAND, Pair, Word, compare};
use gonogo_suite::perf::stress::{Ending, StressLimits, StressRun, StressTriage, triage};
use gonogo_suite::perf::study::{
    OpportunityMatrix, ParameterSweep, StudyDemand, judge_matrix, judge_sweep,
};
use gonogo_suite::perf::{Direction, Statistic};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn budget() -> Budget {
    Budget {
        name: "startup_p95".into(),
        category: "startup".into(),
        metric: "startup".into(),
        unit: "ms".into(),
        statistic: Statistic::P95,
        direction: Direction::AtMost,
        threshold: 100.0,
        enforced: true,
        freshness: Span::from_secs(86_400),
        tolerance: None,
        methodology: "20 cold starts".into(),
        host_class: "ci".into(),
        fewest: None,
    }
}

fn series(samples: Vec<f64>) -> Series {
    Series {
        metric: "startup".into(),
        unit: "ms".into(),
        tree: "t1".into(),
        host_class: "ci".into(),
        measured_at: NOW,
        source: "startup.json".into(),
        samples,
    }
}

fn judged(b: &Budget, s: &[Series], base: &[Series]) -> BudgetSummary {
    judge_budgets(std::slice::from_ref(b), s, base, "t1", NOW).unwrap()
}

/// Status, first reason and verdict of the only budget.
fn only(summary: &BudgetSummary) -> (Status, Reason, Verdict) {
    let one = &summary.budgets[0];
    (one.status, one.reasons[0], summary.verdict)
}

#[test]
fn a_budget_is_kept_or_broken_by_the_figure_that_it_names() {
    // 95 of 100: nineteen of twenty may be fine.
    let mut samples = vec![50.0; 19];
    samples.push(400.0);
    let s = [series(samples)];
    let b = budget();
    assert_eq!(
        only(&judged(&b, &s, &[])),
        (Status::Pass, Reason::PerfWithinBudget, Verdict::Pass)
    );
    let max = Budget {
        statistic: Statistic::Max,
        ..b.clone()
    };
    assert_eq!(only(&judged(&max, &s, &[])).0, Status::Fail);
    let exact = Budget {
        threshold: 400.0,
        ..max.clone()
    };
    assert_eq!(only(&judged(&exact, &s, &[])).0, Status::Pass);
    // More is better.
    let rate = Budget {
        direction: Direction::AtLeast,
        statistic: Statistic::Min,
        threshold: 60.0,
        ..b.clone()
    };
    let found = judged(&rate, &s, &[]);
    assert_eq!(
        only(&found),
        (Status::Fail, Reason::PerfBudgetExceeded, Verdict::Fail)
    );
    assert_eq!(found.budgets[0].actual, Some(50.0));
    let event = serde_json::to_value(found.events().next().unwrap()).unwrap();
    assert_eq!(event["actual"], json!(50.0));
    assert_eq!(
        (&event["status"], &event["ci_enforced"]),
        (&json!("FAIL"), &json!(true))
    );
    assert!(event["failure_reason"].as_str().unwrap().contains(">="));
}

#[test]
fn whatever_is_not_shown_does_not_pass() {
    let good = || series(vec![50.0; 20]);
    let old = Timestamp::from_millis(NOW.as_millis() - 86_400_001);
    let ahead = NOW.after(Span::from_secs(301));
    let cases: Vec<(&str, Vec<Series>, Status, Reason)> = vec![
        ("nothing", vec![], Status::NoData, Reason::EvidenceMissing),
        (
            "another metric",
            vec![Series {
                metric: "other".into(),
                ..good()
            }],
            Status::NoData,
            Reason::EvidenceMissing,
        ),
        (
            "no samples",
            vec![series(vec![])],
            Status::NoData,
            Reason::PerfInsufficient,
        ),
        (
            "too few",
            vec![series(vec![1.0; 19])],
            Status::NoData,
            Reason::PerfInsufficient,
        ),
        (
            "old",
            vec![Series {
                measured_at: old,
                ..good()
            }],
            Status::NoData,
            Reason::EvidenceStale,
        ),
        (
            "of the future",
            vec![Series {
                measured_at: ahead,
                ..good()
            }],
            Status::NoData,
            Reason::EvidenceStale,
        ),
        (
            "another tree",
            vec![Series {
                tree: "t0".into(),
                ..good()
            }],
            Status::NoData,
            Reason::EvidenceWrongTree,
        ),
        (
            "another host",
            vec![Series {
                host_class: "laptop".into(),
                ..good()
            }],
            Status::NoData,
            Reason::PerfHostMismatch,
        ),
        (
            "another unit",
            vec![Series {
                unit: "s".into(),
                ..good()
            }],
            Status::Invalid,
            Reason::PerfSampleInvalid,
        ),
    ];
    for (what, s, status, reason) in cases {
        let found = judged(&budget(), &s, &[]);
        let (is, why, verdict) = only(&found);
        assert_eq!((is, why), (status, reason), "{what}");
        assert_ne!(verdict, Verdict::Pass, "{what}");
        assert_eq!(found.data_contract_failures_count, 1, "{what}");
        assert_eq!(
            found.failing_data_contracts[0].contract_id, reason,
            "{what}"
        );
        assert_eq!((found.pass, found.ci_with_data), (0, 0), "{what}");
    }
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300] {
        let mut samples = vec![50.0; 40];
        samples[39] = bad;
        // A whole series beside it makes it no better.
        let found = judged(&budget(), &[good(), series(samples)], &[]);
        assert_eq!(
            only(&found),
            (Status::Invalid, Reason::PerfSampleInvalid, Verdict::Invalid),
            "{bad}"
        );
    }
    let unknown = judge_budgets(&[budget()], &[good()], &[], "", NOW).unwrap();
    assert_eq!(only(&unknown).0, Status::NoData);
}

#[test]
fn measuring_once_more_does_not_make_it_good() {
    let bad = series(vec![150.0; 20]);
    let good = Series {
        measured_at: NOW.after(Span::from_secs(60)),
        ..series(vec![50.0; 20])
    };
    for s in [
        vec![bad.clone(), good.clone()],
        vec![good.clone(), bad.clone()],
    ] {
        let found = judged(&budget(), &s, &[]);
        assert_eq!(only(&found).0, Status::Fail);
        assert_eq!(found.budgets[0].actual, Some(150.0));
    }
    // What is too old to count does not count against it either.
    let old = Series {
        measured_at: Timestamp::from_millis(0),
        ..bad
    };
    assert_eq!(only(&judged(&budget(), &[old, good], &[])).0, Status::Pass);
}

#[test]
fn the_baseline_counts_where_a_tolerance_is_set() {
    let b = Budget {
        tolerance: Some("10%".parse().unwrap()),
        ..budget()
    };
    let now = [series(vec![55.0; 20])];
    let base = |v: f64| Series {
        tree: "t0".into(),
        ..series(vec![v; 20])
    };
    assert_eq!(only(&judged(&b, &now, &[base(50.0)])).0, Status::Pass);
    let found = judged(&b, &now, &[base(49.0)]);
    assert_eq!(
        only(&found),
        (Status::Fail, Reason::PerfRegressed, Verdict::Fail)
    );
    assert!(found.budgets[0].worse.unwrap() > 0.12);
    // One bad day among the baselines is no excuse.
    assert_eq!(
        only(&judged(&b, &now, &[base(90.0), base(49.0)])).0,
        Status::Fail
    );
    for (baseline, reason) in [
        (vec![], Reason::BaselineMissing),
        (
            vec![Series {
                host_class: "laptop".into(),
                ..base(50.0)
            }],
            Reason::PerfHostMismatch,
        ),
        (
            vec![Series {
                unit: "s".into(),
                ..base(50.0)
            }],
            Reason::BaselineIncomparable,
        ),
        (vec![series(vec![50.0; 3])], Reason::BaselineIncomparable),
        (vec![base(f64::NAN)], Reason::BaselineIncomparable),
        (vec![base(0.0)], Reason::BaselineIncomparable),
    ] {
        assert_eq!(
            only(&judged(&b, &now, &baseline)),
            (Status::NoData, reason, Verdict::Hold)
        );
    }
    // More is better: a tenth less is allowed, more than that is not.
    let rate = Budget {
        direction: Direction::AtLeast,
        threshold: 1.0,
        statistic: Statistic::P50,
        ..b
    };
    assert_eq!(only(&judged(&rate, &now, &[base(61.0)])).0, Status::Pass);
    assert_eq!(only(&judged(&rate, &now, &[base(62.0)])).0, Status::Fail);
}

#[test]
fn what_is_not_enforced_is_told_and_holds_nobody() {
    let free = Budget {
        enforced: false,
        name: "free_bencher_ignore".into(),
        ..budget()
    };
    let s = [series(vec![500.0; 20])];
    let both = judge_budgets(&[budget(), free.clone()], &s, &[], "t1", NOW).unwrap();
    assert_eq!((both.fail, both.ci_fail, both.ci_enforced), (2, 1, 1));
    // A list that holds nobody to anything shows nothing.
    let none = judged(&free, &[series(vec![1.0; 20])], &[]);
    assert_eq!((none.pass, none.verdict), (1, Verdict::Hold));
    // A name mutes nothing.
    let muted = Budget {
        enforced: true,
        ..free
    };
    assert_eq!(judged(&muted, &s, &[]).verdict, Verdict::Fail);
}

#[test]
fn lists_of_budgets_are_read_strictly() {
    let list = json!({"schema": BudgetList::SCHEMA, "budgets": [budget()]});
    let parse = |v: &Value| BudgetList::parse(v.to_string().as_bytes());
    assert_eq!(parse(&list).unwrap().budgets, [budget()]);
    let with = |key: &str, value: Value| {
        let mut list = list.clone();
        list["budgets"][0][key] = value;
        parse(&list)
    };
    for (key, value) in [
        ("threshold", json!("100")),
        ("threshold", json!(null)),
        ("threshold", json!(-1)),
        ("statistic", json!("mean")),
        ("direction", json!("=")),
        ("direction", json!(null)),
        ("enforced", json!("no")),
        ("freshness", json!("0s")),
        ("freshness", json!(86_400)),
        ("tolerance", json!(0.1)),
        ("tolerance", json!("-1%")),
        ("name", json!("")),
        ("host_class", json!(" ")),
        ("fewest", json!(19)),
        ("fewest", json!(-1)),
        ("ignored", json!(true)),
    ] {
        assert!(with(key, value.clone()).is_err(), "{key}: {value}");
    }
    for key in [
        "statistic",
        "enforced",
        "freshness",
        "host_class",
        "threshold",
        "direction",
        "methodology",
    ] {
        let mut list = list.clone();
        list["budgets"][0].as_object_mut().unwrap().remove(key);
        assert!(parse(&list).is_err(), "{key} may not be left out");
    }
    let twice = json!({"schema": BudgetList::SCHEMA, "budgets": [budget(), budget()]});
    assert!(parse(&twice).is_err());
    assert!(parse(&json!({"schema": BudgetList::SCHEMA, "budgets": []})).is_err());
    let nothing = Budget {
        direction: Direction::AtLeast,
        threshold: 0.0,
        ..budget()
    };
    assert!(nothing.check().is_err(), "every figure is at least 0");
    let file = json!({"schema": SeriesFile::SCHEMA, "series": [series(vec![1.0])]}).to_string();
    assert!(SeriesFile::parse(file.as_bytes()).is_ok());
    for bad in ["[null]", "[\"1\"]", "[1e999]", "[NaN]", "1"] {
        let bad = file.replace("[1.0]", bad);
        assert!(SeriesFile::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_comparison_knows_which_way_is_better() {
    let pair = |metric: &str, direction, base, head| Pair {
        category: "c".into(),
        metric: metric.into(),
        unit: "u".into(),
        direction,
        base,
        head,
    };
    let (less, more) = (Some(Direction::AtMost), Some(Direction::AtLeast));
    let rows = [
        (pair("time", less, Some(100.0), Some(80.0)), Word::Faster),
        (pair("slow", less, Some(100.0), Some(111.0)), Word::Slower),
        (
            pair("edge", less, Some(100.0), Some(110.0)),
            Word::Comparable,
        ),
        (pair("rate", more, Some(100.0), Some(120.0)), Word::Faster),
        (pair("drop", more, Some(100.0), Some(80.0)), Word::Slower),
        (pair("size", None, Some(1.0), Some(9.0)), Word::Info),
        (pair("gone", less, Some(1.0), None), Word::Missing),
        (pair("nan", less, Some(1.0), Some(f64::NAN)), Word::Missing),
        (pair("zero", less, Some(0.0), Some(0.0)), Word::Comparable),
        (pair("some", less, Some(0.0), Some(1.0)), Word::Slower),
        (pair("neg", less, Some(5.0), Some(-5.0)), Word::Missing),
    ];
    let pairs: Vec<Pair> = rows.iter().map(|r| r.0.clone()).collect();
    let report = compare(&pairs, BAND).unwrap();
    for (row, (_, word)) in report.rows.iter().zip(&rows) {
        assert_eq!(row.verdict, *word, "{row:?}");
    }
    assert_eq!(report.summary.overall_verdict, Word::Slower);
    assert!(serde_json::to_value(&report).unwrap()["rows"][0]["base_value"].is_number());
    let overall = |rows: &[usize]| {
        let some: Vec<Pair> = rows.iter().map(|i| pairs[*i].clone()).collect();
        compare(&some, BAND).unwrap().summary.overall_verdict
    };
    // One slower row among many faster ones is not made up for.
    assert_eq!(overall(&[0, 3, 1]), Word::Slower);
    assert_eq!(overall(&[0, 6]), Word::Missing);
    assert_eq!(overall(&[0, 2]), Word::Faster);
    assert_eq!(overall(&[2, 8]), Word::Comparable);
    assert_eq!(overall(&[]), Word::Info);
    assert!(compare(&[pairs[0].clone(), pairs[0].clone()], BAND).is_err());
    assert!(compare(&pairs, f64::NAN).is_err());
}

/// Takes something from a run that is well.
type Spoil = Box<dyn Fn(&mut StressRun)>;

fn stress() -> StressRun {
    StressRun {
        schema: StressRun::SCHEMA.into(),
        run_id: "r".into(),
        correlation_id: "c".into(),
        tree: "git:1".into(),
        host_class: "lab".into(),
        command: vec!["load".into()],
        ended: Ending::Well,
        ended_detail: "ended well".into(),
        generated_at: NOW,
        duration_secs: 30.0,
        lasted_secs: 30.0,
        rss_interval_secs: 10.0,
        events_per_sec: 50.0,
        event_count: 1500,
        error_count: 0,
        rss_kib: vec![1000.0, 1050.0, 1020.0],
        p99_first_us: Some(20_000.0),
        p99_last_us: Some(39_000.0),
    }
}

#[test]
fn a_load_is_well_only_if_everything_was_measured() {
    let limits = StressLimits::default();
    let of = |change: &dyn Fn(&mut StressRun)| {
        let mut run = stress();
        change(&mut run);
        let found = triage(&run, &limits).unwrap();
        assert_eq!(found.pass, found.verdict == Verdict::Pass);
        found
    };
    assert!(of(&|_| {}).pass);
    assert!(of(&|r| r.rss_kib = vec![1000.0, 1100.0]).pass);
    // Up to 25 ms is well whatever the first was.
    assert!(of(&|r| (r.p99_first_us, r.p99_last_us) = (Some(10.0), Some(25_000.0))).pass);
    let cases: Vec<(&str, Spoil, Reason)> = vec![
        (
            "latency",
            Box::new(|r| r.p99_last_us = Some(40_001.0)),
            Reason::PerfLatencyDrift,
        ),
        (
            "memory",
            Box::new(|r| r.rss_kib = vec![1000.0, 1101.0, 1000.0]),
            Reason::PerfMemoryGrowth,
        ),
        (
            "errors",
            Box::new(|r| r.error_count = 1),
            Reason::PerfErrors,
        ),
        (
            "a command that failed",
            Box::new(|r| r.ended = Ending::Failed),
            Reason::PerfErrors,
        ),
        (
            "a command that was cut",
            Box::new(|r| r.ended = Ending::Cut),
            Reason::PerfInsufficient,
        ),
        (
            "a command that never began",
            Box::new(|r| r.ended = Ending::NotStarted),
            Reason::PerfInsufficient,
        ),
        (
            "no tree",
            Box::new(|r| r.tree = " ".into()),
            Reason::EvidenceWrongTree,
        ),
        (
            "memory that was read too seldom",
            Box::new(|r| r.rss_interval_secs = 1.0),
            Reason::PerfInsufficient,
        ),
        (
            "no latency",
            Box::new(|r| (r.p99_first_us, r.p99_last_us) = (None, None)),
            Reason::PerfInsufficient,
        ),
        (
            "no first latency",
            Box::new(|r| r.p99_first_us = None),
            Reason::PerfInsufficient,
        ),
        (
            "no last latency",
            Box::new(|r| r.p99_last_us = None),
            Reason::PerfInsufficient,
        ),
        (
            "no memory",
            Box::new(|r| r.rss_kib.clear()),
            Reason::PerfInsufficient,
        ),
        (
            "one reading",
            Box::new(|r| r.rss_kib.truncate(1)),
            Reason::PerfInsufficient,
        ),
        (
            "memory of nothing",
            Box::new(|r| r.rss_kib[0] = 0.0),
            Reason::PerfInsufficient,
        ),
        (
            "no events",
            Box::new(|r| r.event_count = 0),
            Reason::PerfInsufficient,
        ),
        (
            "hardly a load",
            Box::new(|r| r.event_count = 150),
            Reason::PerfInsufficient,
        ),
        (
            "ended early",
            Box::new(|r| r.lasted_secs = 5.0),
            Reason::PerfInsufficient,
        ),
        (
            "asked for nothing",
            Box::new(|r| r.duration_secs = 0.0),
            Reason::PerfInsufficient,
        ),
        (
            "no number",
            Box::new(|r| r.p99_last_us = Some(f64::NAN)),
            Reason::PerfSampleInvalid,
        ),
        (
            "negative",
            Box::new(|r| r.rss_kib[1] = -1.0),
            Reason::PerfSampleInvalid,
        ),
        (
            "more errors than events",
            Box::new(|r| r.error_count = 1501),
            Reason::PerfSampleInvalid,
        ),
        (
            "another schema",
            Box::new(|r| r.schema = "x".into()),
            Reason::SchemaUnknown,
        ),
    ];
    for (what, change, reason) in cases {
        let found = of(&*change);
        assert!(
            !found.pass && found.reasons.contains(&reason),
            "{what}: {found:?}"
        );
    }
    assert!(
        triage(
            &stress(),
            &StressLimits {
                p99_us: f64::NAN,
                ..limits
            }
        )
        .is_err()
    );
    let bytes = of(&|_| {}).to_bytes().unwrap();
    assert!(StressTriage::rederive(&bytes).unwrap().pass);
    let text = String::from_utf8(bytes).unwrap();
    for (from, to) in [
        ("\"error_count\":0", "\"error_count\":1"),
        ("\"pass\":true", "\"pass\":false"),
        ("1050", "1950"),
    ] {
        let forged = text.replacen(from, to, 1);
        assert_ne!(forged, text, "{from}");
        assert!(StressTriage::rederive(forged.as_bytes()).is_err(), "{from}");
    }
    assert!(StressRun::parse(json!(stress()).to_string().as_bytes()).is_ok());
    let null = json!(stress()).to_string().replace("1050.0", "null");
    assert!(StressRun::parse(null.as_bytes()).is_err());
}

fn study_demand() -> StudyDemand {
    StudyDemand {
        source: Digest::of(b"source"),
        freshness: Span::from_secs(3600),
        judged_at: NOW,
    }
}

fn sweep() -> Value {
    json!({
        "schema": ParameterSweep::SCHEMA, "run_id": "r", "correlation_id": "c", "generated_at": NOW,
        "source": {"artifact": "matrix", "path": "matrix.json", "digest": Digest::of(b"source")},
        "objective": "latency",
        "dimensions": [{"name": "flush_ms", "candidate_values": [5, 10]}, {"name": "queue", "candidate_values": [64]}],
        "selected_defaults": {"flush_ms": 10, "queue": 64},
        "sensitivity": [{"name": "flush_ms", "spread_pct": 20.0, "stable": true}],
        "readiness": {"status": "ready", "ready": true, "blocking_reasons": []},
    })
}

#[test]
fn a_sweep_is_a_go_only_if_it_is_ready_and_agrees_with_itself() {
    let reason = |v: &Value| {
        let sweep = ParameterSweep::parse(v.to_string().as_bytes()).unwrap();
        let found = judge_sweep(&sweep, &study_demand());
        assert_eq!(found.verdict, found.reason.verdict());
        found.reason
    };
    assert_eq!(reason(&sweep()), Reason::PerfWithinBudget);
    let with = |path: &str, value: Value| {
        let mut v = sweep();
        *v.pointer_mut(path).unwrap() = value;
        reason(&v)
    };
    let readiness = |status: &str, ready: bool, reasons: Value| {
        with(
            "/readiness",
            json!({"status": status, "ready": ready, "blocking_reasons": reasons}),
        )
    };
    // All eight, and only one of them is a go. The coherent blocked one is honest and no go.
    assert_eq!(
        readiness("blocked", false, json!(["no data"])),
        Reason::PerfNotReady
    );
    assert_eq!(Reason::PerfNotReady.verdict(), Verdict::Hold);
    for (status, ready, reasons) in [
        ("ready", true, json!(["x"])),
        ("ready", false, json!([])),
        ("ready", false, json!(["x"])),
        ("blocked", true, json!([])),
        ("blocked", true, json!(["x"])),
        ("blocked", false, json!([])),
        ("blocked", false, json!([" "])),
    ] {
        assert_eq!(
            readiness(status, ready, reasons.clone()),
            Reason::PerfIncoherent,
            "{status} {ready} {reasons}"
        );
    }
    for (path, value) in [
        ("/dimensions", json!([])),
        ("/dimensions/0/candidate_values", json!([])),
        ("/dimensions/0/candidate_values", json!([10, 10])),
        ("/dimensions/1/name", json!("flush_ms")),
        ("/selected_defaults/flush_ms", json!(7)),
        ("/selected_defaults/flush_ms", json!(0)),
        ("/selected_defaults", json!({"flush_ms": 10})),
        (
            "/selected_defaults",
            json!({"flush_ms": 10, "queue": 64, "other": 1}),
        ),
        ("/sensitivity/0/spread_pct", json!(20.1)),
        ("/sensitivity/0/spread_pct", json!(-1)),
        ("/sensitivity/0/name", json!("other")),
        ("/source/path", json!("")),
        ("/objective", json!("")),
    ] {
        assert_eq!(
            with(path, value.clone()),
            Reason::PerfIncoherent,
            "{path} {value}"
        );
    }
    assert_eq!(
        with("/source/digest", json!(Digest::of(b"other"))),
        Reason::EvidenceWrongTree
    );
    assert_eq!(
        with("/generated_at", json!("2020-01-01T00:00:00.000Z")),
        Reason::EvidenceStale
    );
    assert_eq!(
        with("/generated_at", json!("2030-01-01T00:00:00.000Z")),
        Reason::EvidenceStale
    );
    for (path, value) in [
        ("/selected_defaults/queue", json!(-64)),
        ("/selected_defaults/queue", json!("64")),
        ("/readiness/status", json!("READY")),
        ("/readiness/ready", json!("true")),
    ] {
        let mut v = sweep();
        *v.pointer_mut(path).unwrap() = value;
        assert!(
            ParameterSweep::parse(v.to_string().as_bytes()).is_err(),
            "{path}"
        );
    }
}

#[test]
fn an_opportunity_matrix_ranks_what_its_figures_rank() {
    let row = |rank: u64, stage: &str, part: f64| {
        let gain = part * 0.85;
        json!({"rank": rank, "stage": stage, "contribution_pct": part, "expected_gain_pct": gain,
            "confidence": 0.5, "effort": 2.0, "priority_score": gain * 0.25})
    };
    let good = json!({
        "schema": OpportunityMatrix::SCHEMA, "run_id": "r", "correlation_id": "c", "generated_at": NOW,
        "source": {"artifact": "matrix", "path": "matrix.json", "digest": Digest::of(b"source")},
        "readiness": {"status": "ready", "ready": true, "blocking_reasons": []},
        "decision": "RANKED",
        "rows": [row(1, "parse", 60.0), row(2, "write", 30.0)],
    });
    let reason = |v: &Value| {
        let matrix = OpportunityMatrix::parse(v.to_string().as_bytes()).unwrap();
        judge_matrix(&matrix, &study_demand()).reason
    };
    assert_eq!(reason(&good), Reason::PerfWithinBudget);
    let with = |changes: &[(&str, Value)]| {
        let mut v = good.clone();
        for (path, value) in changes {
            *v.pointer_mut(path).unwrap() = value.clone();
        }
        reason(&v)
    };
    let blocked = json!({"status": "blocked", "ready": false, "blocking_reasons": ["x"]});
    let undecided = [
        ("/readiness", blocked.clone()),
        ("/decision", json!("NO_DECISION")),
        ("/rows", json!([])),
    ];
    assert_eq!(with(&undecided), Reason::PerfNotReady);
    for changes in [
        vec![("/rows", json!([]))],
        vec![("/readiness", blocked.clone())],
        vec![("/decision", json!("NO_DECISION"))],
        vec![("/readiness", blocked), ("/decision", json!("NO_DECISION"))],
        vec![("/rows/1/rank", json!(3))],
        vec![("/rows/1/rank", json!(1))],
        vec![("/rows/1/stage", json!("parse"))],
        vec![("/rows/0/priority_score", json!(99.0))],
        vec![("/rows/0/expected_gain_pct", json!(60.0))],
        vec![("/rows/0/confidence", json!(0.0))],
        vec![("/rows/0/effort", json!(0.0))],
        vec![(
            "/rows",
            json!([row(1, "write", 30.0), row(2, "parse", 60.0)]),
        )],
        vec![(
            "/rows",
            json!([row(1, "parse", 60.0), row(2, "write", 50.0)]),
        )],
    ] {
        assert_eq!(with(&changes), Reason::PerfIncoherent, "{changes:?}");
    }
}
