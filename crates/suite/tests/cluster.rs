//! Clusters over a history: the same whatever the order and the restarts, bounded, and never joined by resemblance.

use gonogo_core::Timestamp;
use gonogo_suite::cluster::{
    AddError, Clusters, Limits, LoadError, Mapping, Near, Occurrence, Retired, Run,
};
use gonogo_suite::signature::{ALGORITHM, Algorithm, REASON};
use gonogo_suite::{Failure, Location, Signature, TestId};
use proptest::prelude::*;

fn failure(message: &str) -> Failure {
    Failure {
        message: message.into(),
        ..Failure::default()
    }
}

/// A run: id, tree, minute, and its failures as (test, message, owner).
#[derive(Debug, Clone)]
struct Told {
    id: String,
    tree: String,
    minute: i64,
    failures: Vec<(TestId, Failure, Option<String>)>,
}

impl Told {
    fn new(id: &str, minute: i64, failures: &[(&str, &str)]) -> Self {
        let own = |(test, message): &(&str, &str)| {
            (
                TestId::new("s", "", test),
                failure(message),
                Some("@team".to_owned()),
            )
        };
        Self {
            id: id.into(),
            tree: format!("tree-{id}"),
            minute,
            failures: failures.iter().map(own).collect(),
        }
    }

    fn add(&self, to: &mut Clusters) -> Result<gonogo_suite::cluster::Added, AddError> {
        let run = Run {
            id: &self.id,
            tree: &self.tree,
            at: Timestamp::from_millis(self.minute * 60_000),
        };
        let all = self
            .failures
            .iter()
            .map(|(test, failure, owner)| Occurrence {
                test,
                failure,
                owner: owner.as_deref(),
            });
        to.add_run(&run, all)
    }
}

fn bytes(clusters: &Clusters) -> Vec<u8> {
    let mut out = Vec::new();
    clusters.save(&mut out).expect("a vector takes all");
    out
}

fn all(runs: &[Told]) -> Clusters {
    let mut clusters = Clusters::default();
    for run in runs {
        run.add(&mut clusters)
            .expect("runs of a test have ids of their own");
    }
    clusters
}

#[test]
fn failures_of_one_cause_are_one_cluster() {
    let clusters = all(&[
        Told::new(
            "r1",
            1,
            &[
                ("a", "port 41233 in use"),
                ("b", "port 51999 in use"),
                ("c", "gone"),
            ],
        ),
        Told::new("r2", 2, &[("a", "port 1 in use")]),
        Told::new("r3", 3, &[]),
    ]);
    assert_eq!(
        (clusters.len(), clusters.failures(), clusters.runs()),
        (2, 4, 3)
    );
    let top = &clusters.top(1)[0];
    assert_eq!((top.key.as_str(), top.failures), ("port U1 in use", 3));
    assert_eq!(top.signature, Signature::of(&failure("port 7 in use")));
    assert_eq!(
        (top.runs.count, top.trees.count, top.tests.count),
        (2, 2, 2)
    );
    assert!(top.runs.exact && top.trees.exact && top.tests.exact);
    assert_eq!(
        (top.first.run.as_str(), top.last.run.as_str()),
        ("r1", "r2")
    );
    assert_eq!(top.top_tests[0], (TestId::new("s", "", "a"), 2));
    assert_eq!(top.top_owners, [("@team".to_owned(), 3)]);
    assert_eq!(top.examples.len(), 3);
    assert_eq!(clusters.of(&top.signature).as_ref(), Some(top));
    assert_eq!(clusters.beyond(), 0);
}

#[test]
fn a_run_counts_once_and_its_id_is_its_own() {
    let run = Told::new("r1", 1, &[("a", "x"), ("b", "y")]);
    let mut clusters = all(std::slice::from_ref(&run));
    let before = bytes(&clusters);
    let mut turned = run.clone();
    turned.failures.reverse();
    assert!(turned.add(&mut clusters).unwrap().was_known);
    for change in [
        |r: &mut Told| drop(r.failures.pop()),
        |r: &mut Told| r.minute = 2,
        |r: &mut Told| r.tree = "other".into(),
        |r: &mut Told| r.failures[0].1 = failure("z"),
        |r: &mut Told| r.failures[0].0 = TestId::new("s", "", "z"),
        |r: &mut Told| r.failures.push(r.failures[0].clone()),
    ] {
        let mut other = run.clone();
        change(&mut other);
        assert_eq!(
            other.add(&mut clusters),
            Err(AddError::RunDiffers("r1".into()))
        );
    }
    assert_eq!(bytes(&clusters), before);
}

#[test]
fn what_is_kept_is_bounded_and_told() {
    let limits = Limits {
        clusters: 5,
        tests: 3,
        distinct: 16,
        key: 20,
        runs: 400,
        example: 10,
    };
    let mut clusters = Clusters::new(limits);
    let words = [
        "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta",
    ];
    for n in 0..400 {
        let word = words[n % words.len()];
        let message = format!("{word} {}", "x".repeat(50));
        let test = format!("test{n}");
        Told::new(&format!("r{n}"), n as i64, &[(&test, &message)])
            .add(&mut clusters)
            .unwrap();
    }
    assert_eq!(
        (clusters.len(), clusters.failures(), clusters.beyond()),
        (5, 400, 150)
    );
    for cluster in clusters.iter() {
        assert_eq!(cluster.failures, 50);
        assert!(cluster.key_is_cut && cluster.key.len() <= 20);
        assert!(!cluster.tests.exact && cluster.top_tests.len() == 3);
        assert!(
            !cluster.runs.exact && (25..=100).contains(&cluster.runs.count),
            "{:?}",
            cluster.runs
        );
        assert_eq!(
            (cluster.runs.count, cluster.trees.exact),
            (cluster.runs.count, false)
        );
        assert!(
            cluster
                .examples
                .iter()
                .all(|e| e.is_cut && e.failure.message.len() <= 10)
        );
    }
    let full = Told::new("one more", 1, &[("a", "x")]).add(&mut clusters);
    assert_eq!(full, Err(AddError::Full(400)));
    assert_eq!(clusters.failures(), 400);
}

#[test]
fn what_is_forgotten_does_not_come_back() {
    let old = Told::new("r1", 1, &[("a", "x"), ("b", "y")]);
    let mut clusters = all(&[old.clone(), Told::new("r2", 100, &[("a", "x")])]);
    assert_eq!(
        clusters.forget_before(Timestamp::from_millis(50 * 60_000)),
        1
    );
    assert_eq!(
        (clusters.len(), clusters.runs(), clusters.beyond()),
        (1, 1, 1)
    );
    assert!(matches!(
        old.add(&mut clusters),
        Err(AddError::Forgotten { .. })
    ));
    let again = Clusters::load(bytes(&clusters).as_slice()).unwrap();
    assert_eq!(again, clusters);
}

fn told() -> impl Strategy<Value = Told> {
    let one = ("[a-f]", 0usize..12, prop::option::of("[x-z]"), 0u32..3);
    (0i64..6, 0u8..3, prop::collection::vec(one, 0..12)).prop_map(|(minute, tree, failures)| Told {
        id: String::new(),
        tree: if tree == 0 {
            String::new()
        } else {
            format!("t{tree}")
        },
        minute,
        failures: failures
            .into_iter()
            .map(|(test, message, owner, line)| {
                let mut failure = failure(&format!(
                    "kind {} of {line}",
                    "abcdefghijkl".get(message..=message).unwrap_or("z")
                ));
                failure.location = Some(Location {
                    file: "f".into(),
                    line: Some(line),
                    column: None,
                });
                (TestId::new("s", "", &test), failure, owner)
            })
            .collect(),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Any order of runs and failures, any restarts between: the same bytes. Limits are small, so that all of them are met.
    #[test]
    fn order_and_restarts_change_nothing(
        mut runs in prop::collection::vec(told(), 1..14), seed in any::<u64>(), restarts in any::<u16>(),
    ) {
        for (n, run) in runs.iter_mut().enumerate() {
            run.id = format!("run{n}");
        }
        let limits = Limits { clusters: 6, tests: 3, distinct: 4, key: 8, runs: 20, example: 9 };
        let mut straight = Clusters::new(limits);
        for run in &runs {
            run.add(&mut straight).unwrap();
        }
        // A shuffle by a linear generator.
        let mut state = seed | 1;
        let mut next = |n: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % n
        };
        let mut other = runs.clone();
        for n in (1..other.len()).rev() {
            other.swap(n, next(n + 1));
        }
        let mut crooked = Clusters::new(limits);
        for (n, mut run) in other.into_iter().enumerate() {
            for at in (1..run.failures.len()).rev() {
                run.failures.swap(at, next(at + 1));
            }
            run.add(&mut crooked).unwrap();
            if restarts >> (n % 16) & 1 == 1 {
                crooked = Clusters::load(bytes(&crooked).as_slice()).unwrap();
                prop_assert!(run.add(&mut crooked).unwrap().was_known);
            }
        }
        prop_assert_eq!(bytes(&straight), bytes(&crooked));
        prop_assert_eq!(straight, crooked);
    }

    #[test]
    fn a_damaged_state_is_refused_or_the_same(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let clusters = all(&[Told::new("r1", 1, &[("a", "x 1"), ("b", "y")]), Told::new("r2", 2, &[("a", "x 2")])]);
        let mut text = bytes(&clusters);
        let at = at.index(text.len());
        text[at] = byte;
        // What still can be read keeps its own laws.
        if let Ok(read) = Clusters::load(text.as_slice()) {
            prop_assert!(read.beyond() <= read.failures());
            let _ = read.suggestions(&Near::default());
            let again = Clusters::load(bytes(&read).as_slice()).unwrap();
            prop_assert_eq!(again, read);
        }
    }
}

#[test]
fn another_version_is_refused_with_its_name() {
    let text = String::from_utf8(bytes(&all(&[Told::new("r1", 1, &[("a", "x")])]))).unwrap();
    let edit = |from: &str, to: &str| text.replacen(from, to, 1);
    let load = |text: &str| Clusters::load(text.as_bytes());
    assert!(load(&text).is_ok());
    let schema = load(&edit("clusters.v1", "clusters.v2"));
    assert!(matches!(schema, Err(LoadError::Schema(s)) if s.ends_with("v2")));
    let algorithm = load(&edit(ALGORITHM, "reason.v9"));
    assert!(matches!(algorithm, Err(LoadError::Algorithm(a)) if a == "reason.v9"));
    for (from, to) in [
        ("\"failures\":1", "\"failures\":7"),
        ("\"clusters\":50000", "\"clusters\":0"),
        ("\"clusters\":50000", "\"clusters\":4000000000"),
        ("\"more\":false", "\"more\":true"),
        ("\"key\":\"x\"", "\"kez\":\"x\""),
        ("\"since\"", "\"sinze\""),
    ] {
        let changed = edit(from, to);
        assert!(changed == text || load(&changed).is_err(), "{from}");
    }
    assert!(load("").is_err() && load("{}").is_err() && load("[1]").is_err());
}

#[test]
fn what_looks_alike_is_suggested_and_not_joined() {
    let clusters = all(&[Told::new(
        "r1",
        1,
        &[
            (
                "a",
                "cannot open the table of orders for reading: lock is held by another writer",
            ),
            (
                "b",
                "cannot open the table of orders for reading: lock was held by another writer",
            ),
            (
                "c",
                "cannot open the table of orders for reading: lock is held by another reader process",
            ),
            (
                "d",
                "an entirely different failure that has nothing to do with any of the others here",
            ),
            ("e", "x"),
            ("f", "y"),
        ],
    )]);
    assert_eq!(clusters.len(), 6);
    let found = clusters.suggestions(&Near::default());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].distance, found[0].rank), (2, 0));
    assert!(found[0].a < found[0].b && found[0].share < 0.1);
    let wide = clusters.suggestions(&Near {
        share: 0.3,
        checks: 8,
    });
    assert_eq!(wide.len(), 2, "{wide:?}");
    for share in [f64::NAN, 0.0, -1.0] {
        assert!(clusters.suggestions(&Near { share, checks: 8 }).is_empty());
    }
    let asked =
        failure("cannot open the table of orders for reading: lock is held by another waiter");
    let near = clusters.nearest(&asked, &Near::default()).unwrap();
    assert_eq!(near.a, Signature::of(&asked));
    assert!(clusters.of(&near.b).unwrap().key.ends_with("writer"));
    let known = failure("x");
    assert_eq!(clusters.nearest(&known, &Near::default()), None);
    assert_eq!(
        clusters.nearest(&failure("quite another thing"), &Near::default()),
        None
    );
}

/// A second version that knows letters only, so that some signatures stay one, some join and some split.
const NEXT: Algorithm = Algorithm {
    name: "reason.v3",
    key: |failure| {
        let first = failure.message.split(' ').next().unwrap_or_default();
        if first == "split" {
            failure.message.clone()
        } else {
            first.to_owned()
        }
    },
};

#[test]
fn a_new_algorithm_says_what_old_signatures_become() {
    let long = format!("long {}", "y".repeat(2000));
    let clusters = all(&[
        Told::new(
            "r1",
            1,
            &[
                ("a", "one x"),
                ("b", "join x"),
                ("c", "join y"),
                ("d", "split pid 1"),
                ("e", &long),
            ],
        ),
        Told::new("r2", 2, &[("d", "split pid 2"), ("a", "one x")]),
    ]);
    let found = clusters.migrate(&NEXT);
    assert_eq!(
        (found.from.as_str(), found.to.as_str()),
        (ALGORITHM, "reason.v3")
    );
    let mapping = |message: &str| {
        let old = Signature::of(&failure(message));
        found
            .mappings
            .iter()
            .find(|(known, _)| *known == old)
            .map(|(_, m)| m.clone())
            .unwrap()
    };
    let new = |message: &str| Signature::by(&NEXT, &failure(message));
    assert_eq!(mapping("one x"), Mapping::One(new("one x")));
    let with = vec![Signature::of(&failure("join y"))];
    assert_eq!(
        mapping("join x"),
        Mapping::Joined {
            to: new("join"),
            with
        }
    );
    assert!(matches!(mapping("split pid 1"), Mapping::Split(to) if to.len() == 2));
    assert_eq!(mapping(&long), Mapping::Unknown);
    let exact = |message: &str| found.exact(&Signature::of(&failure(message)));
    assert_eq!(exact("one x"), Some(&new("one x")));
    for doubtful in ["join x", "split pid 1", &long, "never seen"] {
        assert_eq!(exact(doubtful), None, "{doubtful}");
    }
    // The same out of a file whose algorithm is no longer known.
    let text = String::from_utf8(bytes(&clusters))
        .unwrap()
        .replace(ALGORITHM, "reason.v0");
    let retired = Retired::load(text.as_bytes()).unwrap();
    let migration = retired.migrate(&REASON);
    assert_eq!(
        (retired.algorithm(), migration.from.as_str()),
        ("reason.v0", "reason.v0")
    );
    let old = Signature {
        algorithm: "reason.v0".into(),
        ..Signature::of(&failure("one x"))
    };
    assert_eq!(
        migration.exact(&old),
        Some(&Signature::of(&failure("one x")))
    );
}
