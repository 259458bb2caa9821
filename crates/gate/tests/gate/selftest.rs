//! The catalogue of vacuous passes against the default policy and against weaker ones.

use gonogo_core::Verdict as Status;
use gonogo_gate::inputs::{Declared, FileState};
use gonogo_gate::policy::{DEFAULT, Lane};
use gonogo_gate::selftest::{Selftest, selftest};

use crate::common::{CODE, declared, gate, good, now, verdict};

#[test]
fn the_default_policy_catches_all_35() {
    assert_eq!(verdict(&good()).verdict, Status::Pass);
    for lane in Lane::ALL {
        let result = selftest(&FileState::Absent, &declared(), lane, now());
        assert_eq!(result.void, None);
        let missed: Vec<_> = result.cases.iter().filter(|c| !c.caught).collect();
        // The gate of performance is not asked before anything is built.
        if lane == Lane::Preflight {
            assert_eq!(uncaught(&result), [25, 26]);
            continue;
        }
        assert!(
            missed.is_empty(),
            "not caught: {:?}\n{missed:#?}",
            uncaught(&result)
        );
        assert_eq!((result.caught, result.total, result.exit_code), (35, 35, 0));
        let numbers: Vec<u8> = result.cases.iter().map(|c| c.number).collect();
        assert_eq!(numbers, (1..=35).collect::<Vec<u8>>());
    }
}

fn uncaught(result: &Selftest) -> Vec<u8> {
    let missed = result.cases.iter().filter(|c| !c.caught);
    missed.map(|c| c.number).collect()
}

fn of(policy: &str, declared: &Declared) -> Selftest {
    let text = policy.to_owned();
    selftest(&FileState::Text { text }, declared, Lane::Full, now())
}

#[test]
fn what_a_weaker_policy_does_not_see_is_not_caught_and_said() {
    let suite = gate("s", "suite = { profile = \"ci\" }");
    let without_perf = of(&format!("{CODE}{suite}"), &declared());
    assert_eq!(uncaught(&without_perf), [25, 26]);
    assert_eq!(without_perf.exit_code, 2);
    let muted = &without_perf.cases[25];
    assert!(muted.advice.as_ref().unwrap().contains("perf"));
    let perf = gate("p", "perf = { budgets = \"declared\" }");
    let ignored = gate("s", "suite = { profile = \"ci\", baseline = \"ignored\" }");
    let result = of(&format!("{CODE}{ignored}{perf}"), &declared());
    assert_eq!(uncaught(&result), [30, 31]);
    // A second gate that is blind is found beside one that is not.
    let strong = gate("a", "suite = { targets = [\"unit\"] }");
    let blind = gate(
        "b",
        "suite = { targets = [\"e2e\"], baseline = \"ignored\" }",
    );
    let result = of(&format!("{CODE}{strong}{blind}{perf}"), &declared());
    assert_eq!(uncaught(&result), [30, 31]);
    assert!(
        result.cases[29]
            .advice
            .as_ref()
            .unwrap()
            .contains("`e2e` of the gate `b`")
    );
    let slow = format!("{CODE}[defaults]\ntoo_fast_percent = 0\n{suite}{perf}");
    assert_eq!(uncaught(&of(&slow, &declared())), [33]);
    // Targets that write no report show nothing of their tests.
    let mut plain = declared();
    for target in plain.targets.values_mut() {
        target.format = "command".into();
    }
    let result = of(&format!("{CODE}{suite}{perf}"), &plain);
    assert!(
        uncaught(&result).contains(&2) && result.caught < 15,
        "{:?}",
        uncaught(&result)
    );
    assert_eq!(result.exit_code, 2);
}

#[test]
fn the_weakest_target_of_a_profile_is_poisoned_too() {
    let weaker = |change: fn(&mut gonogo_gate::inputs::Target)| {
        let mut declared = declared();
        change(declared.targets.get_mut("unit").unwrap());
        selftest(&FileState::Absent, &declared, Lane::Full, now())
    };
    let quiet = weaker(|unit| unit.blocking = false);
    assert_eq!(quiet.void, None);
    let missed = uncaught(&quiet);
    assert!(missed.contains(&1) && missed.contains(&16), "{missed:?}");
    // What is of all targets of a run or of none is seen as before.
    assert!(!missed.contains(&8) && !missed.contains(&22), "{missed:?}");
    let advice = quiet.cases[15].advice.as_ref().unwrap();
    assert!(advice.contains("poisoned was `unit`"), "{advice}");
    assert!(
        advice.contains("`[suites.unit] blocking = true`"),
        "{advice}"
    );
    let empty = weaker(|unit| unit.min_tests = 0);
    assert_eq!(uncaught(&empty), Vec::<u8>::new());
    // A target without reports that does not block is another matter.
    let mut plain = declared();
    plain.targets.get_mut("lint").unwrap().blocking = false;
    let result = selftest(&FileState::Absent, &plain, Lane::Full, now());
    assert_eq!(uncaught(&result), Vec::<u8>::new());
}

#[test]
fn without_a_good_baseline_nothing_is_shown() {
    let mut none = declared();
    none.profiles.clear();
    for (policy, declared) in [(DEFAULT.to_owned(), none), ("nonsense".into(), declared())] {
        let result = of(&policy, &declared);
        assert!(result.void.is_some());
        assert_eq!((result.caught, result.exit_code), (0, 3));
    }
    let mode = "[mode]\npromotion = \"rollback\"\nrationale = \"r\"\nsince = 2026-06-14\nexpires = 2026-06-20\nthresholds = \"1\"\n";
    let policy = format!("{CODE}{mode}{}", gate("s", "suite = { profile = \"ci\" }"));
    assert!(
        of(&policy, &declared())
            .void
            .unwrap()
            .contains("ROLLBACK_MODE_ACTIVE")
    );
}

/// A policy with a gate of every kind: good inputs can be made for all of them.
#[test]
fn every_kind_of_gate_is_satisfied_and_all_is_caught() {
    let all = [
        gate("suite", "suite = { profile = \"ci\" }"),
        gate("named", "suite = { targets = [\"unit\", \"lint\"] }"),
        gate(
            "schema",
            "schema = { document = \"a.json\", schema = \"x.v1\" }",
        ),
        gate(
            "json",
            "json = { document = \"a.json\", rules = [ { pointer = \"/s\", op = \"==\", value = \"ok\" }, { pointer = \"/n\", op = \">\", value = 3 }, { pointer = \"/f\", op = \"<=\", value = 0.5 }, { pointer = \"/c\", op = \"matches\", value = \"^[0-9a-f]{40}$\" }, { pointer = \"/e\", op = \"exists\" }, { pointer = \"/l\", op = \"contains\", value = 7 }, { pointer = \"/b\", op = \"!=\", value = true } ] }",
        ),
        gate(
            "counts",
            "counts = { document = \"b.json\", total = \"/t\", parts = [\"/x\", \"/y\"] }",
        ),
        gate(
            "part",
            "percentage = { document = \"b.json\", numerator = \"/ok\", denominator = \"/all\", at_least = \"80%\", min_denominator = 208 }",
        ),
        gate(
            "percent",
            "percentage = { document = \"b.json\", pointer = \"/pct\", at_least = \"95%\" }",
        ),
        gate(
            "age",
            "max_age = { document = \"b.json\", pointer = \"/at\", within = \"7d\" }",
        ),
        gate(
            "lineage",
            "lineage = { equal = [\"a.json#/run\", \"b.json#/run\"], contained = [\"a.json#/run\", \"b.json#/id\"], times = [\"a.json#/when\", \"b.json#/at\"], within = \"14d\" }",
        ),
        gate(
            "command",
            "command = { argv = [\"cargo\", \"deny\", \"check\"] }",
        ),
        gate(
            "coverage",
            "coverage = { report = \"lcov\", modules = { core = [\"src/**\"] }, floors = { core = { line = \"75%\" }, \"*\" = { function = \"60%\" } } }",
        ),
        gate(
            "dry",
            "dry_run = { min_duration = \"1h\", min_uptime = \"99%\" }",
        ),
        gate("ready", "readiness = { surfaces = [\"api\"] }"),
        gate(
            "drill",
            "drill = { name = \"failover\", max_age = \"90d\" }",
        ),
        gate("perf", "perf = { budgets = \"declared\" }"),
        gate("tracker", "tracker = { export = \"i.jsonl\" }"),
        gate(
            "wording",
            "wording = { texts = [\"*.md\"], rules = \"r.toml\" }",
        ),
        gate(
            "classes",
            "classification = { files = [\"t/*\"], classes = \"c.toml\" }",
        ),
        gate(
            "doubles",
            "doubles = { files = [\"t/*\"], classes = \"c.toml\", exceptions = \"e.toml\" }",
        ),
        gate(
            "rubric",
            "rubric = { rubric = \"rubric.toml\", report = \"lcov\" }",
        ),
        gate(
            "platforms",
            "platforms = { profile = \"ci\", required = { mac = { os = \"macos\" } } }",
        ),
        gate("contract", "contract = { file = \"contract.toml\" }"),
    ];
    let policy = format!("{CODE}{}", all.concat());
    let result = of(&policy, &declared());
    assert_eq!(result.void, None);
    assert_eq!(uncaught(&result), Vec::<u8>::new());
}
