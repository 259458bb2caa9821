//! Studies that are derived from series: what they choose and rank, and what blocks them.

use gonogo_core::reason::Verdict;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_suite::perf::budget::Series;
use gonogo_suite::perf::study::{
    Decision, Dimension, Named, OpportunityMatrix, ParameterSweep, Source, Stage, StudyDemand,
    judge_sweep,
};
use gonogo_suite::perf::{Direction, Statistic};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn named() -> Named {
    Named {
        run_id: "r".into(),
        correlation_id: "c".into(),
        at: NOW,
        source: Source {
            artifact: "perf_series".into(),
            path: "series.json".into(),
            digest: Digest::of(b"s"),
        },
    }
}

fn measured(metric: &str, samples: &[f64]) -> Series {
    Series {
        metric: metric.into(),
        unit: "us".into(),
        tree: "t".into(),
        host_class: "lab".into(),
        measured_at: NOW,
        source: "bench".into(),
        samples: samples.to_vec(),
    }
}

#[test]
fn a_sweep_chooses_only_from_what_was_measured_whole() {
    let dimensions = [Dimension {
        name: "queue".into(),
        candidate_values: vec![64, 128, 256],
    }];
    let series = [
        measured("queue=64", &[100.0, 101.0, 99.0]),
        measured("queue=128", &[80.0, 81.0, 79.0]),
        measured("queue=256", &[90.0, 91.0, 89.0]),
    ];
    let of = |series: &[Series], direction, blocked: Vec<String>| {
        let by = (direction, Statistic::P50);
        ParameterSweep::derive(named(), "cost", &dimensions, series, by, blocked)
    };
    let demand = StudyDemand {
        source: Digest::of(b"s"),
        freshness: Span::from_secs(60),
        judged_at: NOW,
    };
    let found = of(&series, Direction::AtMost, Vec::new());
    assert_eq!(found.selected_defaults["queue"], 128);
    assert_eq!(
        (found.sensitivity[0].spread_pct, found.sensitivity[0].stable),
        (25.0, false)
    );
    assert_eq!(judge_sweep(&found, &demand).verdict, Verdict::Pass);
    assert_eq!(
        of(&series, Direction::AtLeast, Vec::new()).selected_defaults["queue"],
        64
    );
    // One that is missing, too short or there twice blocks the whole, and nothing is chosen.
    let short = [
        series[0].clone(),
        series[1].clone(),
        measured("queue=256", &[90.0]),
    ];
    let twice = [&series[..], &series[..1]].concat();
    for spoiled in [&series[..2], &short, &twice, &[]] {
        let found = of(spoiled, Direction::AtMost, Vec::new());
        assert!(
            found.selected_defaults.is_empty() && !found.readiness.ready,
            "{found:#?}"
        );
        assert_eq!(found.contradiction(), None);
        assert_eq!(judge_sweep(&found, &demand).reason, Reason::PerfNotReady);
    }
    let blocked = of(&series, Direction::AtMost, vec!["a reason".into()]);
    assert!(blocked.selected_defaults.is_empty());
}

#[test]
fn a_matrix_ranks_by_gain_confidence_and_effort_or_decides_nothing() {
    let stage = |name: &str, effort| Stage {
        name: name.into(),
        metric: name.into(),
        statistic: Statistic::P50,
        effort,
    };
    let stages = [stage("parse", 4.0), stage("send", 1.0)];
    let whole = stage("all", 1.0);
    let series = [
        measured("all", &[100.0, 100.0, 100.0]),
        measured("parse", &[60.0, 60.0, 60.0]),
        measured("send", &[30.0, 30.0, 30.0]),
    ];
    let of = |stages: &[Stage], series: &[Series]| {
        OpportunityMatrix::derive(named(), &whole, stages, series, Vec::new())
    };
    let found = of(&stages, &series);
    let ranked: Vec<(&str, u64)> = found
        .rows
        .iter()
        .map(|r| (r.stage.as_str(), r.rank))
        .collect();
    assert_eq!(ranked, [("send", 1), ("parse", 2)]);
    assert_eq!(found.decision, Decision::Ranked);
    assert_eq!(found.contradiction(), None, "{found:#?}");
    let over = [
        series[0].clone(),
        measured("parse", &[90.0; 3]),
        series[2].clone(),
    ];
    let noisy = [
        series[0].clone(),
        measured("parse", &[1.0, 60.0, 90.0]),
        series[2].clone(),
    ];
    let unit = [
        series[0].clone(),
        Series {
            unit: "ms".into(),
            ..series[1].clone()
        },
        series[2].clone(),
    ];
    for spoiled in [&series[..2], &series[1..], &over, &noisy, &unit] {
        let found = of(&stages, spoiled);
        assert_eq!(found.decision, Decision::NoDecision, "{spoiled:#?}");
        assert!(
            found.rows.is_empty() && found.contradiction().is_none(),
            "{found:#?}"
        );
    }
    assert_eq!(of(&[], &series).decision, Decision::NoDecision);
}
