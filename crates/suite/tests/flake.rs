//! Flaky, broken, recovered: histories and what they are called.

use gonogo_core::{Span, Timestamp};
use gonogo_suite::cause::Cause;
use gonogo_suite::flake::{
    Class, FlakeStat, Loads, ProposalError, Request, Row, Rules, State, budgets, propose, stats,
};
use gonogo_suite::{Failure, Signature, TestId, TestVerdict};
use proptest::prelude::*;

const DAY: i64 = 86_400_000;
const NOW: Timestamp = Timestamp::from_millis(1000 * DAY);

fn signature(text: &str) -> Signature {
    Signature::of(&Failure {
        message: text.into(),
        ..Failure::default()
    })
}

fn row(n: i64, tree: &str, verdict: TestVerdict) -> Row {
    let bad = matches!(verdict, TestVerdict::Failed | TestVerdict::Flaky);
    Row {
        test: TestId::new("target", "", "test"),
        variant: "linux".into(),
        tree: tree.into(),
        run: format!("run{n:05}"),
        verdict,
        at: Timestamp::from_millis(NOW.as_millis() - 20 * DAY + n * 60_000),
        signature: bad.then(|| signature("boom")),
        cause: bad.then_some(Cause::Timeout),
        stress: false,
    }
}

/// A history as letters: `a` and `A` pass and fail on the tree a, `b` and `B` on b; `*` passes on retry on its own tree, `-` is skipped.
fn history(text: &str) -> Vec<Row> {
    (0..)
        .zip(text.chars())
        .map(|(n, c)| match c {
            '*' => row(n, &format!("retry{n}"), TestVerdict::Flaky),
            '-' => row(n, "x", TestVerdict::Skipped),
            c if c.is_ascii_uppercase() => {
                row(n, &c.to_ascii_lowercase().to_string(), TestVerdict::Failed)
            }
            c => row(n, &c.to_string(), TestVerdict::Passed),
        })
        .collect()
}

fn one(rows: &[Row]) -> FlakeStat {
    let mut all = stats(rows, NOW, &Rules::default());
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn only_one_and_the_same_tree_proves_a_flake() {
    for (text, state, mixed) in [
        ("abcd", State::Healthy, 0),
        // Fails on one tree and passes on another: the change did it.
        ("aBcDe", State::Healthy, 0),
        ("aAb", State::Suspect, 1),
        ("aAbBc", State::Flaky, 2),
        ("a*b*c", State::Flaky, 2),
        ("*", State::Suspect, 1),
        // Two of each on one tree are as good as one of each on two.
        ("aAaAaA", State::Flaky, 1),
        ("aaAaa", State::Suspect, 1),
        ("AaA", State::Suspect, 1),
        ("---", State::NoData, 0),
        ("abABBC", State::Broken, 0),
        ("aABBBb", State::Healthy, 0),
        ("AAAa", State::Healthy, 0),
        ("aAbBcdefgDEF", State::Broken, 2),
    ] {
        let stat = one(&history(text));
        assert_eq!((stat.state, stat.mixed), (state, mixed), "{text}: {stat:?}");
    }
}

#[test]
fn an_errored_test_went_wrong_if_its_cause_is_known() {
    let errored = |cause: Option<Cause>| {
        let mut rows = history("aAaA");
        for row in rows.iter_mut().filter(|r| r.verdict == TestVerdict::Failed) {
            row.verdict = TestVerdict::Errored;
            row.cause.clone_from(&cause);
        }
        let stat = one(&rows);
        (stat.state, stat.mixed, stat.left_out.no_verdict)
    };
    assert_eq!(errored(Some(Cause::Panic)), (State::Flaky, 1, 0));
    assert_eq!(errored(Some(Cause::CompileError)), (State::Healthy, 0, 2));
    assert_eq!(errored(None), (State::Healthy, 0, 2));
}

#[test]
fn an_unknown_tree_is_like_no_other() {
    let mut rows = history("aAbB");
    rows.iter_mut().for_each(|r| r.tree.clear());
    let stat = one(&rows);
    assert_eq!((stat.state, stat.mixed, stat.trees), (State::Healthy, 0, 4));
    // Another variant is another thing too.
    let mut rows = history("aA");
    rows[1].variant = "mac".into();
    assert_eq!(stats(&rows, NOW, &Rules::default()).len(), 2);
}

#[test]
fn one_per_cent_is_needed_too() {
    let mut rows: Vec<Row> = (0..250)
        .map(|n| row(n, &format!("t{n}"), TestVerdict::Passed))
        .collect();
    rows.push(row(251, "t1", TestVerdict::Failed));
    rows.push(row(252, "t2", TestVerdict::Failed));
    assert_eq!(one(&rows).state, State::Suspect);
    rows.push(row(253, "t4", TestVerdict::Passed));
    rows.push(row(254, "t3", TestVerdict::Failed));
    assert_eq!(one(&rows).state, State::Flaky);
}

#[test]
fn figures_are_those_of_their_formulas() {
    let stat = one(&history("aAbBcdefgh"));
    assert_eq!(
        (stat.runs, stat.passes, stat.fails, stat.trees),
        (10, 8, 2, 8)
    );
    assert_eq!(stat.flips, 4);
    assert!((stat.fail_rate.unwrap() - 0.2).abs() < 1e-12);
    // Wilson for 2 of 10, 95 %: 0.0567 to 0.5098 (R, binom::binom.wilson).
    let (low, high) = stat.interval.unwrap();
    assert!(
        (low - 0.0567).abs() < 5e-4 && (high - 0.5098).abs() < 5e-4,
        "{low} {high}"
    );
    assert!((stat.posterior - 2.3 / 10.8).abs() < 1e-12);
    assert_eq!(stat.last_flake, Some(history("aAbB")[3].at));
    assert_eq!(stat.class, Some(Class::Timing));
    let none = one(&history("-"));
    assert_eq!((none.fail_rate, none.interval), (None, None));
    assert!((none.posterior - 0.375).abs() < 1e-12);
    assert_eq!(one(&history("a*b")).flips, 2);
    assert_eq!(one(&history("aBCDe")).flips, 0);
}

#[test]
fn a_run_in_which_nearly_all_fails_is_left_out_and_counted() {
    let mut rows = history("aAbBc");
    for (n, run) in [(1, "run00001"), (3, "run00003")] {
        for other in 0..9 {
            let mut row = row(n, "a", TestVerdict::Failed);
            row.test = TestId::new("target", "", &format!("other{other}"));
            row.run = run.into();
            rows.push(row);
        }
    }
    let all = stats(&rows, NOW, &Rules::default());
    let stat = all.iter().find(|s| &*s.test.name == "test").unwrap();
    assert_eq!(
        (stat.state, stat.runs, stat.left_out.storm),
        (State::Healthy, 3, 2)
    );
    // 80 % is not more than 80 %.
    let mut loads = Loads::default();
    for n in 0..10 {
        let verdict = if n < 8 {
            TestVerdict::Failed
        } else {
            TestVerdict::Passed
        };
        loads.add(&Row {
            run: "r".into(),
            ..row(n, "t", verdict)
        });
    }
    assert!(!loads.is_storm("r", &Rules::default()));
    loads.add(&Row {
        run: "r".into(),
        ..row(11, "t", TestVerdict::Failed)
    });
    assert!(loads.is_storm("r", &Rules::default()));
}

#[test]
fn time_bounds_what_counts() {
    let mut rows = history("aAbB");
    rows[0].at = Timestamp::from_millis(NOW.as_millis() + 1);
    rows[2].at = Timestamp::from_millis(NOW.as_millis() - 31 * DAY);
    let stat = one(&rows);
    assert_eq!(
        (stat.left_out.future, stat.left_out.old, stat.mixed),
        (1, 1, 0)
    );
}

#[test]
fn recovery_takes_a_hundred_passes_or_a_quiet_week_with_repeats() {
    let passing = |n: i64, stress: bool| {
        let mut rows = history("aAbB");
        rows.extend((0..n).map(|i| Row {
            stress,
            ..row(10 + i, "z", TestVerdict::Passed)
        }));
        one(&rows).state
    };
    assert_eq!(passing(99, false), State::Flaky);
    assert_eq!(passing(100, false), State::Recovered);
    assert_eq!(passing(19, true), State::Flaky);
    assert_eq!(passing(20, true), State::Recovered);
    // Repeats without the week.
    let mut rows = history("aAbB");
    rows.extend((0..20).map(|i| Row {
        stress: true,
        ..row(10 + i, "z", TestVerdict::Passed)
    }));
    for row in &mut rows {
        row.at = Timestamp::from_millis(row.at.as_millis() + 19 * DAY);
    }
    assert_eq!(one(&rows).state, State::Flaky);
}

#[test]
fn rows_said_twice_and_in_any_order_say_the_same() {
    let rows = history("aAbB*cC");
    let stat = one(&rows);
    let mut other: Vec<Row> = rows.iter().rev().chain(&rows).cloned().collect();
    assert_eq!(one(&other), stat);
    // One run that says both is a pass on retry.
    other = history("aA");
    other[1].run = other[0].run.clone();
    let stat = one(&other);
    assert_eq!((stat.runs, stat.retried, stat.mixed), (1, 1, 1));
    assert!(stats(&[], NOW, &Rules::default()).is_empty());
}

#[test]
fn budgets_count_flakes_by_target_and_tests_of_all() {
    let mut rows = Vec::new();
    for n in 0..40 {
        for mut row in history(if n < 2 { "aAbB" } else { "ab" }) {
            row.test = TestId::new(if n < 20 { "x" } else { "y" }, "", &n.to_string());
            rows.push(row);
        }
    }
    let rules = Rules::default();
    let found = budgets(&stats(&rows, NOW, &rules), &rules);
    assert_eq!(
        (found.targets["x"].used, found.targets["x"].is_exceeded),
        (4, true)
    );
    assert_eq!(
        (found.targets["y"].used, found.targets["y"].is_exceeded),
        (0, false)
    );
    // Two of forty: five per cent is reached.
    assert_eq!((found.flaky, found.tests, found.is_exceeded), (2, 40, true));
    let loose = Rules {
        global_budget: 0.051,
        target_budget: 4,
        ..rules
    };
    let found = budgets(&stats(&rows, NOW, &loose), &loose);
    assert!(!found.is_exceeded && !found.targets["x"].is_exceeded);
    let nothing = budgets(&[], &rules);
    assert_eq!((nothing.share, nothing.is_exceeded), (None, true));
    let nan = Rules {
        global_budget: f64::NAN,
        ..rules
    };
    assert!(budgets(&stats(&rows, NOW, &nan), &nan).is_exceeded);
}

fn request() -> Request<'static> {
    Request {
        owner: "@org/team",
        issue: "T-1",
        repro: "run it",
        created: NOW,
        expires: None,
        longest: None,
    }
}

#[test]
fn a_proposal_has_every_field_and_covers_one_signature() {
    let mut rows = history("aAbB");
    rows[3].signature = Some(signature("bang"));
    let rules = Rules::default();
    let proposals = propose(&one(&rows), &rules, &request()).unwrap();
    assert_eq!(proposals.len(), 2);
    let first = &proposals[0];
    assert_eq!(first.evidence.len(), 2);
    assert_eq!(first.expires, NOW.after(Span::from_secs(7 * 86_400)));
    assert_ne!(first.signature, proposals[1].signature);
    assert!(!first.reason.is_empty() && !first.remove_when.is_empty());
    let json = serde_json::to_value(first).unwrap();
    assert_eq!(json["category"], "FLAKE-TIMING");
    assert!(
        json.as_object()
            .unwrap()
            .values()
            .all(|v| v != "" && !v.is_null())
    );
}

#[test]
fn what_stands_against_a_proposal_is_all_told() {
    let rules = Rules::default();
    let flaky = one(&history("aAbB"));
    for text in ["abc", "aAb", "abABBC"] {
        let errors = propose(&one(&history(text)), &rules, &request()).unwrap_err();
        assert!(
            matches!(errors[0], ProposalError::NotFlaky { .. }),
            "{text}"
        );
    }
    let empty = Request {
        owner: " ",
        issue: "",
        repro: "",
        ..request()
    };
    assert_eq!(propose(&flaky, &rules, &empty).unwrap_err().len(), 3);
    let at = |days: i64| Request {
        expires: Some(Timestamp::from_millis(NOW.as_millis() + days * DAY)),
        ..request()
    };
    for days in [0, -1] {
        let errors = propose(&flaky, &rules, &at(days)).unwrap_err();
        assert!(matches!(errors[..], [ProposalError::Inverted { .. }]));
    }
    assert!(propose(&flaky, &rules, &at(7)).is_ok());
    let errors = propose(&flaky, &rules, &at(8)).unwrap_err();
    assert!(matches!(errors[..], [ProposalError::TooLong { .. }]));
    // A policy may allow more, and never more than thirty days.
    let longest = Some(Span::from_secs(90 * 86_400));
    assert!(propose(&flaky, &rules, &Request { longest, ..at(30) }).is_ok());
    assert!(propose(&flaky, &rules, &Request { longest, ..at(31) }).is_err());
    let mut rows = history("aAbB");
    rows.iter_mut().for_each(|r| r.signature = None);
    let errors = propose(&one(&rows), &rules, &request()).unwrap_err();
    assert!(matches!(errors[..], [ProposalError::NoEvidence(_)]));
}

proptest! {
    #[test]
    fn no_history_gives_a_figure_that_is_none(text in "[a-dA-D*-]{0,40}", share in prop::num::f64::ANY) {
        let rules = Rules { share, storm_share: share, storm_tests: 1, ..Rules::default() };
        for stat in stats(&history(&text), NOW, &rules) {
            let (low, high) = stat.interval.unwrap_or((0.0, 1.0));
            prop_assert!(low.is_finite() && high.is_finite() && low <= high);
            prop_assert!(stat.posterior > 0.0 && stat.posterior < 1.0);
            prop_assert!(stat.fail_rate.is_none_or(f64::is_finite));
            prop_assert_eq!(stat.runs, stat.passes + stat.fails + stat.retried);
            prop_assert!(stat.mixed >= stat.mixed_trees);
            prop_assert!(serde_json::to_string(&stat).is_ok());
        }
    }
}
