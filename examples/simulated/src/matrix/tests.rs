//! The matrix can be run, is complete, and notices what is wrong.

use std::collections::BTreeSet;

use super::*;
use crate::injection::Injection;

#[test]
fn rows_have_names_of_their_own_and_can_be_run() {
    for pace in [
        Pace::default(),
        Pace {
            tick: Duration::from_secs(10),
            duration: Duration::from_secs(1),
            ..Pace::default()
        },
        Pace {
            tick: Duration::from_secs(2),
            duration: Duration::from_secs(60),
            ..Pace::default()
        },
    ] {
        let rows = rows(&pace);
        let names: BTreeSet<_> = rows.iter().map(|r| &r.name).collect();
        assert_eq!(names.len(), rows.len());
        for row in &rows {
            let args = row.args(&pace, Path::new("/f"), 1);
            let read = crate::args::parse(args.into_iter(), |_| None);
            assert!(
                matches!(read, Ok(crate::args::Command::Run(_))),
                "{}: {read:?}",
                row.name
            );
            assert!(
                !row.verdicts.is_empty() && !row.shows.is_empty(),
                "{}",
                row.name
            );
            assert!(
                row.verdicts == ["pass"] || !row.incidents.is_empty() || !row.also.is_empty(),
                "{}",
                row.name
            );
        }
    }
}

#[test]
fn every_kind_of_injection_that_a_supervisor_can_see_has_a_row() {
    let rows = rows(&Pace::default());
    let injected: BTreeSet<_> = rows
        .iter()
        .flat_map(|r| &r.injections)
        .map(|i| i.parse::<Injection>().unwrap().kind.name())
        .collect();
    let without: Vec<_> = crate::KINDS
        .iter()
        .map(|k| k.0)
        .filter(|k| !injected.contains(k))
        .collect();
    // Limits on memory and CPU are the operator's: there is none in a smoke run.
    assert_eq!(without, ["memory", "cpu"]);
}

#[test]
fn a_supervisor_that_sees_too_little_or_too_much_does_not_pass() {
    let rows = rows(&Pace::default());
    let row = |name: &str| rows.iter().find(|r| r.name == name).unwrap();
    let gap = Seen {
        kind: "log_gap",
        severity: "warn",
    };
    assert_eq!(row("clean").judge("pass", &[]), Ok(()));
    assert_eq!(row("silence").judge("warn", &[gap]), Ok(()));
    let blind = row("silence").judge("pass", &[]).unwrap_err();
    assert_eq!(
        blind,
        [
            "row `silence`: the verdict is pass, not warn or fail",
            "row `silence`: no incident of kind log_gap"
        ]
    );
    let nervous = row("clean").judge("warn", &[gap]).unwrap_err();
    assert_eq!(
        nervous[1],
        "row `clean`: an incident that nothing caused: log_gap, warn"
    );
    let note = Seen {
        kind: "clock",
        severity: "pass",
    };
    assert_eq!(row("clean").judge("pass", &[note]), Ok(()));
}
