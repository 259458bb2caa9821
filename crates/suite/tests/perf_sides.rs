//! Two sets of series beside each other: what fails, what passes, and what nobody can compare.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use gonogo_core::reason::Verdict;
use gonogo_core::{Digest, Reason, Timestamp};
use gonogo_suite::perf::budget::Series;
use gonogo_suite::perf::comparison::{Asked, BAND, Comparison, Named, Origin, Word};
use gonogo_suite::perf::{Direction, Statistic};

const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

fn series(tree: &str, samples: &[f64]) -> Series {
    Series {
        metric: "calls".into(),
        unit: "us".into(),
        tree: tree.into(),
        host_class: "lab".into(),
        measured_at: NOW,
        source: "bench".into(),
        samples: samples.to_vec(),
    }
}

fn asked(direction: Option<Direction>) -> Asked {
    Asked {
        category: "api".into(),
        name: "calls".into(),
        metric: "calls".into(),
        direction,
        statistic: Statistic::P50,
        fewest: None,
    }
}

fn compared(asked: &[Asked], base: &[Series], head: &[Series]) -> Comparison {
    let origin = |named: &str, series: &[Series]| Origin {
        named: named.into(),
        digest: Digest::of(named.as_bytes()),
        trees: series.iter().map(|s| s.tree.clone()).collect(),
    };
    let named = Named {
        run_id: "r".into(),
        correlation_id: "c".into(),
        at: NOW,
    };
    let (a, b) = (origin("base", base), origin("head", head));
    Comparison::of(named, asked, (&a, base), (&b, head), BAND).unwrap()
}

#[test]
fn one_figure_that_is_slower_fails_and_alike_passes() {
    let less = [asked(Some(Direction::AtMost))];
    let base = [series("one", &[100.0, 101.0, 99.0])];
    for (samples, verdict, word) in [
        ([109.0, 110.0, 111.0], Verdict::Pass, Word::Comparable),
        ([111.0, 112.0, 111.0], Verdict::Fail, Word::Slower),
        ([80.0, 81.0, 82.0], Verdict::Pass, Word::Faster),
    ] {
        let found = compared(&less, &base, &[series("two", &samples)]);
        assert_eq!(
            (found.verdict, found.rows[0].verdict),
            (verdict, word),
            "{found:#?}"
        );
    }
    let more = [asked(Some(Direction::AtLeast))];
    let found = compared(&more, &base, &[series("two", &[80.0, 81.0, 82.0])]);
    assert_eq!(found.reasons, [Reason::PerfRegressed]);
    // Of several series the worse of head and the better of base count.
    let head = [series("two", &[100.0; 3]), series("two", &[140.0; 3])];
    assert_eq!(compared(&less, &base, &head).verdict, Verdict::Fail);
    let bases = [series("one", &[100.0; 3]), series("zero", &[140.0; 3])];
    let head = [series("two", &[125.0; 3])];
    assert_eq!(compared(&less, &bases, &head).verdict, Verdict::Fail);
}

#[test]
fn what_cannot_be_compared_is_no_pass() {
    let less = [asked(Some(Direction::AtMost))];
    let base = [series("one", &[100.0, 101.0, 99.0])];
    let good = series("two", &[100.0, 101.0, 99.0]);
    let cases: Vec<(&str, Vec<Series>, Reason)> = vec![
        ("nothing", vec![], Reason::EvidenceMissing),
        (
            "too few",
            vec![series("two", &[100.0, 99.0])],
            Reason::PerfInsufficient,
        ),
        (
            "negative",
            vec![series("two", &[-1.0, 100.0, 99.0])],
            Reason::PerfSampleInvalid,
        ),
        (
            "no number",
            vec![series("two", &[f64::NAN, 100.0, 99.0])],
            Reason::PerfSampleInvalid,
        ),
        (
            "unit",
            vec![Series {
                unit: "ms".into(),
                ..good.clone()
            }],
            Reason::BaselineIncomparable,
        ),
        (
            "host",
            vec![Series {
                host_class: "laptop".into(),
                ..good.clone()
            }],
            Reason::PerfHostMismatch,
        ),
        (
            "the same tree",
            vec![Series {
                tree: "one".into(),
                ..good.clone()
            }],
            Reason::BaselineIncomparable,
        ),
    ];
    for (what, head, reason) in cases {
        let found = compared(&less, &base, &head);
        assert!(found.verdict > Verdict::Excused, "{what}: {found:#?}");
        assert!(found.reasons.contains(&reason), "{what}: {found:#?}");
    }
    // Nobody knows which way is better.
    let found = compared(&[asked(None)], &base, std::slice::from_ref(&good));
    assert_eq!(
        (found.verdict, found.rows[0].verdict),
        (Verdict::Hold, Word::Info)
    );
    // Nothing was asked for.
    assert_eq!(
        compared(&[], &base, std::slice::from_ref(&good)).verdict,
        Verdict::Hold
    );
    // A thing beside itself.
    let origin = Origin {
        named: "x".into(),
        digest: Digest::of(b"x"),
        trees: ["one".to_owned()].into(),
    };
    let other = Origin {
        trees: ["two".to_owned()].into(),
        ..origin.clone()
    };
    let named = Named {
        run_id: "r".into(),
        correlation_id: "c".into(),
        at: NOW,
    };
    let head = std::slice::from_ref(&good);
    let found = Comparison::of(named, &less, (&origin, &base), (&other, head), BAND).unwrap();
    assert_eq!(found.verdict, Verdict::Hold);
}
