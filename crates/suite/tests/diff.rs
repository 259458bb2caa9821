//! Two runs beside one another: order, duplicates, what cannot be compared, and the view of older reports.

use std::collections::BTreeMap;

use TestVerdict::{Errored, Failed, Flaky, Missing, Passed, Precluded, Skipped, UnexpectedPass};
use gonogo_suite::diff::{Change, Entry, Side, Status, change, compare, diff};
use gonogo_suite::{TestId, TestVerdict};
use proptest::prelude::*;

fn entry(verdict: TestVerdict) -> Entry {
    Entry {
        verdict,
        signature: None,
        seconds: None,
    }
}

fn one(name: &str, verdict: TestVerdict) -> (TestId, Entry) {
    (TestId::new("s", "", name), entry(verdict))
}

#[test]
fn another_variant_or_plan_cannot_be_compared() {
    let tests = [one("a", Passed), one("b", Failed)];
    let side = |variant, plan| Side {
        tests: &tests,
        variant,
        plan,
    };
    let same = compare(&side("linux", Some("p1")), &side("linux", Some("p1")));
    assert_eq!(
        (same.status, same.incomparable),
        (Status::KnownFailuresOnly, None)
    );
    for (base, now, says) in [
        (side("linux", None), side("mac", None), "variant"),
        (
            side("linux", Some("p1")),
            side("linux", Some("p2")),
            "plan p1",
        ),
        (side("linux", None), side("linux", Some("p2")), "no plan"),
        (
            Side {
                tests: &[],
                ..side("linux", None)
            },
            side("linux", None),
            "no test",
        ),
    ] {
        let found = compare(&base, &now);
        assert_eq!(found.status, Status::Incomparable, "{says}");
        assert!(found.incomparable.unwrap().contains(says), "{says}");
    }
}

#[test]
fn of_a_test_that_stands_twice_the_worst_counts() {
    let base = [one("a", Passed)];
    let now = [one("a", Failed), one("a", Passed)];
    let turned = [one("a", Passed), one("a", Failed)];
    for now in [now, turned] {
        let found = diff(&base, &now);
        assert_eq!((found.status, found.changed.len()), (Status::Regression, 1));
        assert_eq!(found.changed[0].change, Change::Regressed);
        assert_eq!(diff(&now, &base).changed[0].change, Change::Fixed);
    }
}

#[test]
fn the_view_has_all_categories_and_each_command_once() {
    let base = [
        one("a", Passed),
        one("b", Failed),
        one("c", Failed),
        one("d", Passed),
        one("e", Passed),
        one("f", Skipped),
    ];
    let now = [
        one("a", Failed),
        one("b", Failed),
        one("c", Passed),
        one("e", Passed),
        one("f", Failed),
        one("g", Failed),
        one("h", Passed),
    ];
    let found = diff(&base, &now);
    let view = found.view(100, |test| {
        Some(format!(
            "run {}",
            if &*test.name < "c" { "all" } else { &test.name }
        ))
    });
    assert_eq!(
        (
            view.baseline_total,
            view.current_total,
            view.status.as_str()
        ),
        (6, 7, "regression")
    );
    let counts: Vec<(&str, u64)> = view.counts.iter().map(|(c, n)| (c.as_str(), *n)).collect();
    assert_eq!(
        counts,
        [
            ("added_pass", 1),
            ("fixed", 1),
            ("new_failure", 2),
            ("regression", 1),
            ("removed", 1),
            ("stable_pass", 1),
            ("unresolved_failure", 1)
        ]
    );
    let order: Vec<(u64, u32, &str)> = view
        .ranked_diagnostics
        .iter()
        .map(|d| (d.rank, d.score, &*d.test.name))
        .collect();
    assert_eq!(
        order,
        [
            (1, 100, "a"),
            (2, 90, "f"),
            (3, 90, "g"),
            (4, 70, "b"),
            (5, 40, "c"),
            (6, 30, "d"),
            (7, 20, "h")
        ]
    );
    assert_eq!(view.ranked_repro_commands, ["run all", "run f", "run g"]);
    let short = found.view(2, |_| None);
    assert_eq!(
        (
            short.ranked_diagnostics.len(),
            short.omitted,
            short.ranked_repro_commands.len()
        ),
        (2, 5, 0)
    );
    assert_eq!(short.counts, view.counts);
}

const ALL: [TestVerdict; 8] = [
    Passed,
    Skipped,
    UnexpectedPass,
    Flaky,
    Precluded,
    Errored,
    Missing,
    Failed,
];

proptest! {
    /// Beside the obvious way to do it, whatever the order of both lists.
    #[test]
    fn any_two_runs_are_compared_as_two_maps(
        base in prop::collection::btree_map("[a-c]{1,3}", 0usize..8, 0..30), now in prop::collection::btree_map("[a-c]{1,3}", 0usize..8, 0..30),
        turn in any::<bool>(),
    ) {
        let list = |map: &BTreeMap<String, usize>| -> Vec<(TestId, Entry)> {
            let all = map.iter().map(|(name, v)| one(name, ALL[*v]));
            if turn { all.rev().collect() } else { all.collect() }
        };
        let found = diff(&list(&base), &list(&now));
        let mut counts: BTreeMap<Change, u64> = BTreeMap::new();
        let names: std::collections::BTreeSet<&String> = base.keys().chain(now.keys()).collect();
        for name in names {
            let of = |map: &BTreeMap<String, usize>| map.get(name).map(|v| entry(ALL[*v]));
            let is = change(of(&base).as_ref(), of(&now).as_ref());
            *counts.entry(is).or_default() += 1;
            let listed = found.changed.iter().filter(|c| &*c.test.name == name.as_str()).map(|c| c.change).collect::<Vec<_>>();
            prop_assert_eq!(listed, if is == Change::Same { vec![] } else { vec![is] });
        }
        prop_assert_eq!(&found.counts, &counts);
        let ranks: Vec<u64> = found.changed.iter().map(|c| c.rank).collect();
        prop_assert_eq!(ranks, (1..=found.changed.len() as u64).collect::<Vec<_>>());
        prop_assert!(found.changed.windows(2).all(|w| w[0].change.score() >= w[1].change.score()));
        let view = found.view(1000, |t| Some(t.name.to_string()));
        prop_assert_eq!(view.counts.values().sum::<u64>(), counts.values().sum::<u64>());
        prop_assert_eq!(found.status == Status::Incomparable, base.is_empty());
    }
}
