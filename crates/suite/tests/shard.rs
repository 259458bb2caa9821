//! Cutting lists into shards, and what the results of shards prove together.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason};
use gonogo_suite::shard::{Cut, Item, MOST_SHARDS, Plan, PlanError, ShardResult, merge};
use proptest::prelude::*;

fn item(name: &str, millis: Option<u64>) -> Item {
    Item {
        name: name.into(),
        millis,
    }
}

fn items(names: &[&str]) -> Vec<Item> {
    names.iter().map(|n| item(n, None)).collect()
}

fn all_ran(plan: &Plan) -> Vec<ShardResult> {
    (0..plan.total)
        .map(|index| ShardResult {
            plan: plan.hash,
            index,
            total: plan.total,
            tree: "t1".into(),
            variant: "linux".into(),
            ran: plan.of_shard(index).map(str::to_owned).collect(),
            millis: Some(u64::from(index) * 10),
        })
        .collect()
}

fn reasons(plan: &Plan, results: &[ShardResult]) -> BTreeSet<Reason> {
    let merged = merge(plan, "t1", "linux", results);
    assert_eq!(merged.complete, merged.faults.is_empty());
    merged.faults.iter().map(|f| f.reason).collect()
}

#[test]
fn the_sorted_index_says_which_shard() {
    let plan = Plan::new(items(&["d", "a", "c", "b", "e"]), Cut::Index, 2).unwrap();
    assert_eq!(plan.of_shard(0).collect::<Vec<_>>(), ["a", "c", "e"]);
    assert_eq!(plan.of_shard(1).collect::<Vec<_>>(), ["b", "d"]);
    // Bytes, not letters: capitals come first.
    let plan = Plan::new(items(&["a", "B", "ä"]), Cut::Index, 3).unwrap();
    assert_eq!(plan.of_shard(0).collect::<Vec<_>>(), ["B"]);
}

#[test]
fn by_hash_what_comes_and_goes_moves_no_other() {
    let names: Vec<String> = (0..200).map(|n| format!("test_{n}")).collect();
    let all = Plan::new(names.iter().map(|n| item(n, None)), Cut::Hash, 7).unwrap();
    let less = Plan::new(names.iter().step_by(3).map(|n| item(n, None)), Cut::Hash, 7).unwrap();
    let place: BTreeMap<&str, u32> = all.items.iter().map(|p| (&*p.name, p.shard)).collect();
    assert!(less.items.iter().all(|p| place[&*p.name] == p.shard));
    assert_ne!(all.hash, less.hash);
    let used: BTreeSet<u32> = all.items.iter().map(|p| p.shard).collect();
    assert_eq!(used.len(), 7);
    // What is written into plans must stay what it is.
    assert_eq!(place["test_0"], 6);
}

#[test]
fn durations_are_balanced_and_the_unknown_are_taken_for_the_median() {
    let list = [
        item("a", Some(100)),
        item("b", Some(60)),
        item("c", Some(50)),
        item("d", Some(40)),
        item("e", None),
    ];
    let plan = Plan::new(list, Cut::Durations, 2).unwrap();
    // The unknown one counts 50: 100 + 50, 60 + 50 + 40.
    assert_eq!(plan.expected(), [150, 150]);
    // Nothing is known: as even as can be. Zeros too.
    for millis in [None, Some(0)] {
        let list = (0..10).map(|n| item(&format!("t{n}"), millis));
        let plan = Plan::new(list, Cut::Durations, 3).unwrap();
        let mut sizes: Vec<usize> = (0..3).map(|n| plan.of_shard(n).count()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [3, 3, 4], "{millis:?}");
    }
    let huge = [item("a", Some(u64::MAX)), item("b", Some(u64::MAX))];
    assert!(Plan::new(huge, Cut::Durations, 1).is_ok());
}

#[test]
fn a_plan_of_nothing_and_other_nonsense_is_refused() {
    assert_eq!(Plan::new([], Cut::Index, 2), Err(PlanError::Nothing));
    for total in [0, MOST_SHARDS + 1] {
        let made = Plan::new(items(&["a"]), Cut::Index, total);
        assert_eq!(made, Err(PlanError::Total(total)));
    }
    let twice = Plan::new(items(&["a", "b", "a"]), Cut::Hash, 2);
    assert_eq!(twice, Err(PlanError::Twice("a".into())));
    assert_eq!(
        Plan::new(items(&[""]), Cut::Hash, 2),
        Err(PlanError::Nameless)
    );
}

#[test]
fn a_plan_that_was_changed_is_noticed() {
    let plan = Plan::new(items(&["a", "b", "c"]), Cut::Index, 2).unwrap();
    let text = serde_json::to_string(&plan).unwrap();
    let read: Plan = serde_json::from_str(&text).unwrap();
    assert_eq!(read, plan);
    assert_eq!(read.check(), Ok(()));
    let mut moved = plan.clone();
    moved.items[0].shard = 1;
    let mut dropped = plan.clone();
    dropped.items.pop();
    let mut total = plan.clone();
    total.total = 3;
    let mut schema = plan.clone();
    schema.schema = "gonogo.suite.shard-plan.v2".into();
    for (broken, results) in [moved, dropped, total, schema].map(|p| (p.clone(), all_ran(&p))) {
        assert!(broken.check().is_err());
        assert!(!merge(&broken, "t1", "linux", &results).complete);
    }
    assert!(serde_json::from_str::<Plan>(&text.replacen('{', "{\"x\":1,", 1)).is_err());
}

#[test]
fn all_shards_once_are_complete() {
    let plan = Plan::new(items(&["a", "b", "c"]), Cut::Index, 5).unwrap();
    let mut results = all_ran(&plan);
    results.reverse();
    let merged = merge(&plan, "t1", "linux", &results);
    assert!(merged.complete, "{:?}", merged.faults);
    assert_eq!((merged.items, merged.planned), (3, 3));
    assert_eq!((merged.slowest, merged.idle), (Some(4), vec![3, 4]));
}

#[test]
fn whatever_is_wrong_with_results_is_told() {
    use Reason::{EvidenceWrongTree, ShardMissing, ShardPlanMismatch, TestMissing};
    let plan = Plan::new(items(&["a", "b", "c", "d"]), Cut::Index, 2).unwrap();
    let other = Plan::new(items(&["a", "b", "c", "d"]), Cut::Hash, 2).unwrap();
    assert_eq!(reasons(&plan, &[]), [ShardMissing].into());
    type Edit = fn(&mut Vec<ShardResult>);
    let cases: [(&str, Edit, &[Reason]); 11] = [
        ("missing", |r| drop(r.pop()), &[ShardMissing]),
        ("twice", |r| r.push(r[0].clone()), &[ShardPlanMismatch]),
        (
            "other total",
            |r| r[0].total = 3,
            &[ShardMissing, ShardPlanMismatch],
        ),
        (
            "foreign index",
            |r| r[1].index = 2,
            &[ShardMissing, ShardPlanMismatch],
        ),
        (
            "other tree",
            |r| r[1].tree = "t2".into(),
            &[ShardMissing, EvidenceWrongTree],
        ),
        (
            "no tree",
            |r| r[1].tree.clear(),
            &[ShardMissing, EvidenceWrongTree],
        ),
        (
            "variant",
            |r| r[1].variant = "mac".into(),
            &[ShardMissing, ShardPlanMismatch],
        ),
        ("not run", |r| drop(r[0].ran.pop()), &[TestMissing]),
        ("none run", |r| r[0].ran.clear(), &[TestMissing]),
        (
            "outside",
            |r| r[0].ran.push("z".into()),
            &[ShardPlanMismatch],
        ),
        (
            "overlap",
            |r| r[0].ran.push("b".into()),
            &[ShardPlanMismatch],
        ),
    ];
    for (what, edit, expected) in cases {
        let mut results = all_ran(&plan);
        edit(&mut results);
        let expected: BTreeSet<Reason> = expected.iter().copied().collect();
        assert_eq!(reasons(&plan, &results), expected, "{what}");
    }
    let mut results = all_ran(&plan);
    results[0].ran.push("a".into());
    assert_eq!(
        reasons(&plan, &results),
        [ShardPlanMismatch].into(),
        "two results"
    );
    let mut results = all_ran(&plan);
    results[0].plan = other.hash;
    assert_eq!(
        reasons(&plan, &results),
        [ShardMissing, ShardPlanMismatch].into()
    );
    // All agree with one another, and not with what is judged.
    assert!(!merge(&plan, "t9", "linux", &all_ran(&plan)).complete);
    let mut nowhere = all_ran(&plan);
    nowhere.iter_mut().for_each(|r| r.tree.clear());
    assert!(!merge(&plan, "", "linux", &nowhere).complete);
}

#[test]
fn faults_are_bounded_and_counted() {
    let plan = Plan::new(
        (0..1000).map(|n| item(&format!("t{n:04}"), None)),
        Cut::Index,
        1,
    )
    .unwrap();
    let mut results = all_ran(&plan);
    results[0].ran.clear();
    let merged = merge(&plan, "t1", "linux", &results);
    assert_eq!(merged.faults.len() as u64 + merged.faults_omitted, 1000);
    assert!(!merged.complete && merged.faults.len() < 1000);
}

proptest! {
    /// Whatever the list and its order: every item once, the same plan, and only all shards are complete.
    #[test]
    fn plans_partition_and_do_not_hang_on_order(
        list in prop::collection::btree_map("[a-z]{1,6}", prop::option::of(0u64..1000), 1..60),
        total in 1u32..8, cut in prop::sample::select(vec![Cut::Index, Cut::Hash, Cut::Durations]), lost in 0usize..8,
    ) {
        let forward: Vec<Item> = list.iter().map(|(n, ms)| item(n, *ms)).collect();
        let plan = Plan::new(forward.clone(), cut, total).unwrap();
        let back = Plan::new(forward.into_iter().rev(), cut, total).unwrap();
        prop_assert_eq!(&plan, &back);
        prop_assert_eq!(plan.check(), Ok(()));
        let seen: Vec<&str> = (0..total).flat_map(|n| plan.of_shard(n)).collect();
        prop_assert_eq!(seen.len(), list.len());
        let mut results = all_ran(&plan);
        prop_assert!(merge(&plan, "t1", "linux", &results).complete);
        results.remove(lost % results.len());
        prop_assert!(!merge(&plan, "t1", "linux", &results).complete);
        if cut == Cut::Durations {
            // Longest first is never worse than 4/3 of the best, and the best is at least the mean and the longest.
            let loads = plan.expected();
            let sum: u64 = loads.iter().sum();
            let longest = plan.items.iter().filter_map(|i| i.millis).max().unwrap_or(0);
            let best = (sum as f64 / f64::from(total)).max(longest as f64);
            let worst = *loads.iter().max().unwrap() as f64;
            prop_assert!(worst <= best + longest as f64, "{loads:?}");
        }
    }
}

#[test]
fn a_digest_hangs_on_all_that_was_planned() {
    let hash = |cut, total, ms: Option<u64>| -> Digest {
        Plan::new([item("a", ms), item("b", None)], cut, total)
            .unwrap()
            .hash
    };
    let all = [
        hash(Cut::Index, 2, None),
        hash(Cut::Index, 3, None),
        hash(Cut::Hash, 2, None),
        hash(Cut::Durations, 2, None),
        hash(Cut::Durations, 2, Some(5)),
        hash(Cut::Durations, 2, Some(6)),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert_eq!(hash(Cut::Index, 2, None), hash(Cut::Index, 2, Some(9)));
}
