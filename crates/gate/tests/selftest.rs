//! The catalogue of vacuous passes against the default policy and against others.

use std::collections::BTreeMap;

use gonogo_core::{Timestamp, Verdict as Status};
use gonogo_gate::inputs::{Declared, FileState, Target};
use gonogo_gate::policy::Lane;
use gonogo_gate::{
    judge,
    selftest::{good_inputs, selftest},
};
use gonogo_suite::run::Class;

fn target(class: Class, format: &str) -> Target {
    Target {
        class,
        blocking: true,
        format: format.into(),
        command: vec!["make".into()],
        min_tests: 1,
        min_duration_ms: None,
        owner: Some("team".into()),
    }
}

fn declared() -> Declared {
    let targets = BTreeMap::from([
        ("lint".to_owned(), target(Class::Lint, "command")),
        ("unit".to_owned(), target(Class::Unit, "junit")),
        ("e2e".to_owned(), target(Class::E2e, "go")),
    ]);
    Declared {
        profiles: BTreeMap::from([("ci".to_owned(), targets.keys().cloned().collect())]),
        targets,
        budgets: BTreeMap::new(),
    }
}

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

#[test]
fn the_default_policy_catches_all_35() {
    let good = good_inputs(&FileState::Absent, &declared(), Lane::Full, now()).unwrap();
    let verdict = judge(&good);
    assert_eq!(verdict.verdict, Status::Pass, "{verdict:#?}");
    let result = selftest(&FileState::Absent, &declared(), Lane::Full, now());
    assert_eq!(result.void, None);
    let missed: Vec<_> = result.cases.iter().filter(|c| !c.caught).collect();
    assert!(missed.is_empty(), "{missed:#?}");
    assert_eq!((result.caught, result.total, result.exit_code), (35, 35, 0));
    let numbers: Vec<u8> = result.cases.iter().map(|c| c.number).collect();
    assert_eq!(numbers, (1..=35).collect::<Vec<u8>>());
}
