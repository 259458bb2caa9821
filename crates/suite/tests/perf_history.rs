//! Changes of level over a branch's history, and who may have made them.

use gonogo_core::Reason;
use gonogo_core::reason::Verdict;
use gonogo_stats::StepRules;
use gonogo_stats::sim::Rng;
use gonogo_suite::perf::Direction;
use gonogo_suite::perf::history::{Point, history};

#[test]
fn a_history_names_those_who_may_have_changed_the_level() {
    let mut rng = Rng::new(5);
    let mut points: Vec<Point> = (0..80)
        .map(|n| Point {
            commit: format!("c{n}"),
            host_class: "ci".into(),
            value: 1000.0 * (0.995 + 0.01 * rng.unit()) * if n >= 50 { 1.06 } else { 1.0 },
        })
        .collect();
    for n in [3, 20, 49, 50, 70] {
        points.insert(
            n,
            Point {
                commit: format!("laptop{n}"),
                host_class: "laptop".into(),
                value: 9.0,
            },
        );
    }
    let of =
        |points: &[Point], direction| history("m", direction, "ci", points, &StepRules::default());
    let found = of(&points, Direction::AtMost).unwrap();
    assert_eq!((found.points, found.of_other_hosts), (80, 5));
    assert_eq!(
        (found.reason, found.verdict),
        (Reason::PerfRegressed, Verdict::Fail)
    );
    let change = &found.changes[0];
    assert_eq!(
        (change.commit.as_str(), change.after_commit.as_str()),
        ("c50", "c49")
    );
    assert!(
        (change.change - 0.06).abs() < 0.01 && change.suspects <= 3,
        "{change:?}"
    );
    // Where more is better, the same is good news.
    assert_eq!(
        of(&points, Direction::AtLeast).unwrap().reason,
        Reason::PerfImproved
    );
    assert_eq!(
        of(&points[..40], Direction::AtMost).unwrap().reason,
        Reason::PerfWithinBudget
    );
    let short = of(&points[..8], Direction::AtMost).unwrap();
    assert_eq!(
        (short.reason, short.verdict),
        (Reason::PerfInsufficient, Verdict::Hold)
    );
    assert_eq!(of(&[], Direction::AtMost).unwrap().verdict, Verdict::Hold);
    for bad in [f64::NAN, 0.0, -1.0, f64::INFINITY] {
        let mut points = points.clone();
        points[10].value = bad;
        assert!(of(&points, Direction::AtMost).is_err(), "{bad}");
    }
    let mut twice = points.clone();
    twice.push(points[0].clone());
    assert!(of(&twice, Direction::AtMost).is_err());
}

#[test]
fn a_creep_that_no_comparison_shows_is_seen_in_the_history() {
    // Half a per cent with each change, fifteen times.
    let value = |n: i32| 1000.0 * (1.0 + 0.005 * f64::from((n - 30).clamp(0, 15)));
    let points: Vec<Point> = (0..80)
        .map(|n| Point {
            commit: format!("c{n}"),
            host_class: "ci".into(),
            value: value(n) * (1.0 + 0.001 * f64::from(n % 3)),
        })
        .collect();
    let found = history("m", Direction::AtMost, "ci", &points, &StepRules::default()).unwrap();
    assert_eq!(found.reason, Reason::PerfRegressed);
    let first = &found.changes[0];
    let n: i32 = first.commit[1..].parse().unwrap();
    assert!((30..=46).contains(&n), "{first:?}");
}
