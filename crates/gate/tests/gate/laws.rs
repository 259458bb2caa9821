//! Laws that hold of every judgement.

use gonogo_core::Reason;
use gonogo_core::{Span, Timestamp, Verdict as Status};
use gonogo_gate::inputs::{Found, Inputs, PerfResult};
use gonogo_gate::rederive::RederiveError;
use gonogo_gate::verdict::{Asked, RULES, Standing};
use gonogo_gate::{Inputs as All, judge, rederive};
use gonogo_suite::run::{End, Problem, State};
use proptest::prelude::*;

use crate::common::{conclude, failing, good, now, unit};

/// One thing that makes inputs worse, or leaves them as they are.
fn worsen(inputs: &mut Inputs, how: u8, n: u64) {
    let targets = ["unit", "e2e", "lint"];
    let name = targets[usize::try_from(n % 3).unwrap()];
    match how {
        0 => {
            unit(inputs, &failing(&format!("t{n}"), "broke"), 1);
        }
        1 => inputs.runs[0].summary.problems.push(Problem::new(
            Reason::ALL[usize::try_from(n).unwrap() % Reason::ALL.len()],
            "p",
        )),
        2 => {
            for run in &mut inputs.runs {
                let mut results: Vec<_> = run.summary.targets().cloned().collect();
                for result in results.iter_mut().filter(|r| r.target == name) {
                    result
                        .problems
                        .push(Problem::new(Reason::RunIncomplete, "p"));
                }
                run.summary.fill(results);
                conclude(run);
            }
        }
        3 => inputs.runs[0].summary.state = State::Cancelled,
        4 => {
            inputs.runs[0].summary.timestamp = Timestamp::from_millis(
                now().as_millis() - 86_400_000 * i64::try_from(n % 40).unwrap(),
            )
        }
        5 => {
            inputs.runs[0].baselines.remove(name);
        }
        6 => {
            for found in inputs.perf.values_mut() {
                if let Found::Present { value, .. } = found {
                    value.result = PerfResult::Regressed;
                }
            }
        }
        7 => inputs.perf.clear(),
        8 => {
            for run in &mut inputs.runs {
                for result in run
                    .summary
                    .unit_targets
                    .iter_mut()
                    .chain(&mut run.summary.suites)
                {
                    result.end = End::TimedOut { after_ms: n };
                }
            }
        }
        9 => inputs.runs[0].summary.source.tree = format!("git:{n}"),
        10 => inputs.subject.landed_tree = Some(format!("git:{n}")),
        11 => inputs.unreadable_runs.push("u".into()),
        12 => {
            inputs
                .manifest
                .declared
                .profiles
                .get_mut("ci")
                .unwrap()
                .push(format!("t{n}"));
        }
        13 => inputs.waivers.state = gonogo_gate::inputs::FileState::Unreadable { why: "w".into() },
        14 => inputs.now = inputs.now.after(Span::from_secs(n % 100_000)),
        _ => {}
    }
}

fn worse(steps: &[(u8, u64)]) -> Inputs {
    let mut inputs = good();
    for (how, n) in steps {
        worsen(&mut inputs, *how, *n);
    }
    inputs
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// One thing more that is wrong never makes it better.
    #[test]
    fn worse_evidence_never_makes_a_better_verdict(steps in prop::collection::vec((0u8..16, 0u64..1 << 40), 0..5)) {
        let mut before = Status::Pass;
        for end in 1..=steps.len() {
            let found = judge(&worse(&steps[..end])).verdict;
            // What replaces a result, takes it out or makes it one of another tree takes what was wrong with it away, and is wrong itself.
            let replaces = matches!(steps[end - 1].0, 0 | 4 | 7 | 8 | 9);
            let least = if replaces { before.min(Status::Hold) } else { before };
            prop_assert!(found >= least, "{:?}: {found} after {before}", &steps[..end]);
            before = found;
        }
    }

    /// The same inputs give the same bytes, also after they were stored.
    #[test]
    fn a_verdict_is_derived_again_byte_by_byte(steps in prop::collection::vec((0u8..16, 0u64..1 << 40), 0..4)) {
        let inputs = worse(&steps);
        let bytes = judge(&inputs).to_bytes().unwrap();
        let stored = serde_json::to_vec(&inputs).unwrap();
        let again: All = serde_json::from_slice(&stored).unwrap();
        prop_assert_eq!(&judge(&again).to_bytes().unwrap(), &bytes);
        let canonical = inputs.to_bytes().unwrap();
        prop_assert_eq!(&All::from_bytes(&canonical).unwrap().to_bytes().unwrap(), &canonical);
        prop_assert!(rederive(&canonical, &bytes).is_ok());
    }

    /// A pass rests on evidence for every obligation of every blocking gate.
    #[test]
    fn a_pass_is_shown(steps in prop::collection::vec((0u8..16, 0u64..1 << 40), 0..3)) {
        let found = judge(&worse(&steps));
        let blocking = found.gates.iter().filter(|g| g.blocking && g.asked == Asked::Judged);
        let obligations: Vec<_> = blocking.flat_map(|g| &g.obligations).collect();
        let all = obligations.iter().all(|o| o.standing == Standing::Satisfied && !o.evidence.is_empty());
        prop_assert_eq!(found.verdict == Status::Pass, all);
        prop_assert_eq!(found.exit_code == 0, found.verdict <= Status::Excused);
    }

    /// No text is a policy, a waiver or a quarantine by chance, and none ends the judge.
    #[test]
    fn no_text_ends_the_judge(text in "\\PC{0,200}", lane in "\\PC{0,20}") {
        let mut inputs = good();
        inputs.waivers.state = gonogo_gate::inputs::FileState::Text { text: text.clone() };
        inputs.quarantine.state = gonogo_gate::inputs::FileState::Text { text: text.clone() };
        prop_assert_eq!(judge(&inputs).verdict, Status::Invalid);
        inputs.policy.state = gonogo_gate::inputs::FileState::Text { text };
        inputs.lane = lane;
        prop_assert_eq!(judge(&inputs).verdict, Status::Invalid);
    }
}

#[test]
fn numbers_that_cannot_be_stored_are_invalid() {
    let mut inputs = good();
    inputs.history.get_mut("unit").unwrap().green_runs = u64::MAX;
    let found = judge(&inputs);
    assert_eq!(
        (found.verdict, found.inputs_digest),
        (Status::Invalid, None)
    );
}

#[test]
fn a_verdict_that_was_changed_is_not_derived_again() {
    let inputs = good();
    let (stored, verdict) = (inputs.to_bytes().unwrap(), judge(&inputs));
    let bytes = verdict.to_bytes().unwrap();
    assert_eq!(rederive(&stored, &bytes), Ok(verdict));
    let edit = |bytes: &[u8], from: &str, to: &str| {
        String::from_utf8(bytes.to_vec())
            .unwrap()
            .replacen(from, to, 1)
            .into_bytes()
    };
    let red = edit(&stored, "\"state\":\"complete\"", "\"state\":\"crashed\"");
    let error = rederive(&red, &bytes).unwrap_err();
    assert!(
        error.to_string().contains("first at the gate `suites`"),
        "{error}"
    );
    let forged = edit(&bytes, "\"verdict\":\"pass\"", "\"verdict\":\"excused\"");
    assert!(matches!(
        rederive(&stored, &forged),
        Err(RederiveError::Differs { .. })
    ));
    let (ours, theirs) = (RULES, RULES + 1);
    let other = edit(
        &bytes,
        &format!("\"rules\":{ours}"),
        &format!("\"rules\":{theirs}"),
    );
    assert_eq!(
        rederive(&stored, &other),
        Err(RederiveError::OtherRules { found: theirs })
    );
    for bad in [&b""[..], b"{}", b"[1]", b"{\"schema\":1,\"schema\":2}"] {
        assert!(matches!(
            rederive(bad, &bytes),
            Err(RederiveError::Inputs(_))
        ));
        assert!(matches!(
            rederive(&stored, bad),
            Err(RederiveError::Verdict(_))
        ));
    }
}
