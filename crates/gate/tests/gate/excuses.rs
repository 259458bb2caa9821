//! Waivers and quarantines: what they cover, and what makes them cover nothing.

use gonogo_core::{Digest, Span, Timestamp, Verdict as Status};
use gonogo_gate::inputs::{Approval, BaseFile, FileState, Inputs, Writer};
use gonogo_gate::policy::Lane;
use gonogo_gate::verdict::ExcuseStatus;
use gonogo_suite::Signature;

use crate::common::{failing, good, now, of, unit, verdict};

const WAIVER: &str = "schema = \"gonogo.gate.waivers.v1\"\n[waiver.suites]\nowner = \"ana\"\napprover = \"bo\"\ncreated = 2026-06-01\nexpires = 2026-06-30\nissue = \"X-1\"\nreason = \"r\"\nscope = \"full\"\nremove_when = \"done\"\n";

fn red() -> Inputs {
    let mut inputs = good();
    unit(&mut inputs, &failing("broken", "it broke"), 1);
    inputs
}

fn waived(text: &str, base: BaseFile) -> Inputs {
    let mut inputs = red();
    inputs.waivers.state = FileState::Text { text: text.into() };
    inputs.waivers.base = base;
    inputs
}

#[test]
fn a_waiver_excuses_a_failure_and_nothing_that_cannot_be_used() {
    let inputs = waived(WAIVER, BaseFile::Same);
    let found = verdict(&inputs);
    assert_eq!((found.verdict, found.exit_code), (Status::Excused, 0));
    let gate = found.gate("suites").unwrap();
    assert_eq!((gate.status, gate.raw), (Status::Excused, Status::Fail));
    assert_eq!((gate.word(), gate.is_excused()), ("fail", true));
    assert_eq!(gate.excuses[0].kind, "waiver");
    // Another lane is not its scope.
    let mut other = inputs.clone();
    other.lane = Lane::Preflight.word().into();
    assert_eq!(verdict(&other).verdict, Status::Fail);
    // Invalid evidence is not covered.
    let mut invalid = inputs.clone();
    invalid.runs[0].summary.schema = "x".into();
    assert_eq!(of(&verdict(&invalid), "suites").0, Status::Invalid);
    // It ends.
    let mut late = inputs;
    late.now = now().after(Span::from_secs(15 * 86_400));
    let found = verdict(&late);
    assert_eq!(found.waivers[0].status, ExcuseStatus::Expired);
    assert_eq!(
        of(&found, "waiver_lifecycle"),
        (Status::Fail, vec!["WAIVER_EXPIRED"])
    );
    assert!(of(&found, "suites").0 >= Status::Hold);
}

#[test]
fn a_waiver_that_breaks_a_rule_is_told_and_excuses_nothing() {
    let edit = |from: &str, to: &str| WAIVER.replace(from, to);
    let mut cases: Vec<(String, &str)> = vec![
        ("not toml [".into(), "not TOML"),
        (
            edit("waivers.v1", "waivers.v2"),
            "expected `gonogo.gate.waivers.v1`",
        ),
        (
            edit("schema = \"gonogo.gate.waivers.v1\"\n", ""),
            "`schema` is needed",
        ),
        (
            edit("[waiver.suites]", "[waivers.suites]"),
            "did you mean `waiver`?",
        ),
        (
            edit("[waiver.suites]", "[waiver.suite]"),
            "did you mean `suites`?",
        ),
        (
            edit("[waiver.suites]", "[waiver.waiver_lifecycle]"),
            "cannot be waived",
        ),
        (
            edit("[waiver.suites]", "[waiver.policy]"),
            "cannot be waived",
        ),
        (edit("2026-06-30", "2026-05-30"), "before it begins"),
        (edit("2026-06-30", "2026-07-02"), "longer than 30d"),
        (edit("2026-06-01", "2026-06-16"), "begins in the future"),
        (edit("2026-06-01", "\"June\""), "no date"),
        (edit("2026-06-01", "2026-06-01T10:00:00"), "no date"),
        (
            edit("approver = \"bo\"", "approver = \"ANA\""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"@ana \""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"-\""),
            "`-` says nothing",
        ),
        (
            edit("approver = \"bo\"", "approver = \"Nobody\""),
            "`Nobody` says nothing",
        ),
        (
            edit("approver = \"bo\"", "approver = \"\u{430}n\u{430}.\""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"ana-\""),
            "approves what is their own",
        ),
        (
            edit("owner = \"ana\"", "owner = \"@core/bo\""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"\u{e1}na\""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"\u{1d00}na\""),
            "approves what is their own",
        ),
        (
            edit("owner = \"ana\"", "owner = \"b\u{f8}\""),
            "approves what is their own",
        ),
        (
            edit("approver = \"bo\"", "approver = \"bo (lead)\""),
            "is not one plain name",
        ),
        (
            edit("owner = \"ana\"", "owner = \"ana, cy\""),
            "is not one plain name",
        ),
        (
            edit("approver = \"bo\"", "approver = \"mailto:bo@x.org\""),
            "is not one plain name",
        ),
        (
            edit("approver = \"bo\"", "approver = \"<approver>\""),
            "says nothing",
        ),
        (edit("\"r\"", "\"<reason>\""), "says nothing"),
        (edit("\"done\"", "\"never\""), "says nothing"),
        (edit("\"X-1\"", "\"N/A\""), "`N/A` says nothing"),
        (edit("\"done\"", "\"TODO!\""), "`TODO!` says nothing"),
        (edit("\"X-1\"", "\"TODO: file one\""), "says nothing"),
        (edit("\"r\"", "\"t.b.d.\""), "says nothing"),
        (edit("\"X-1\"", "\"https://\""), "`https://` says nothing"),
        (edit("\"X-1\"", "\"ISSUE-XXX\""), "`ISSUE-XXX` says nothing"),
        (
            edit("\"X-1\"", "\"https://x.org/issues/NNN\""),
            "says nothing",
        ),
        (
            edit("\"r\"", "\"lorem ipsum\""),
            "`lorem ipsum` says nothing",
        ),
        (
            edit("\"r\"", "\"Lorem ipsum dolor sit amet.\""),
            "says nothing",
        ),
        (edit("\"full\"", "\"everything\""), "no scope"),
        (edit("\"full\"", "[]"), "it is empty"),
        (
            edit("issue =", "isue = \"X\"\nissue ="),
            "did you mean `issue`?",
        ),
        (format!("{WAIVER}[waiver.suites]\n"), "duplicate key"),
        (format!("{WAIVER}risk = 3\n"), "expected text"),
    ];
    for key in [
        "owner",
        "approver",
        "created",
        "expires",
        "issue",
        "reason",
        "scope",
        "remove_when",
    ] {
        let without: String = WAIVER
            .lines()
            .filter(|l| !l.starts_with(&format!("{key} =")))
            .map(|l| format!("{l}\n"))
            .collect();
        cases.push((without, "is needed"));
        let empty: String = WAIVER
            .lines()
            .map(|l| {
                if l.starts_with(&format!("{key} =")) {
                    format!("{key} = \"  \"\n")
                } else {
                    format!("{l}\n")
                }
            })
            .collect();
        cases.push((empty, "it is empty|no date"));
    }
    for (text, part) in cases {
        let found = verdict(&waived(&text, BaseFile::Same));
        let gate = found.gate("waiver_lifecycle").unwrap();
        assert!(gate.status >= Status::Fail, "{text}\n{gate:#?}");
        let told = gate
            .reasons
            .iter()
            .any(|r| part.split('|').any(|p| r.text.contains(p)));
        assert!(told, "{part}\n{text}\n{:#?}", gate.reasons);
        assert!(
            of(&found, "suites").0 == Status::Fail
                || text.contains("not toml")
                || found.waivers.is_empty()
                || found.waivers[0].status == ExcuseStatus::Active,
            "{text}"
        );
        assert!(found.verdict >= Status::Fail, "{text}");
        // No entry is dropped.
        if text.contains("[waiver.") && !part.contains("duplicate") {
            assert_eq!(found.waivers.len(), 1, "{text}");
        }
    }
    for state in [
        FileState::Unreadable {
            why: "permission".into(),
        },
        FileState::Text {
            text: String::new(),
        },
    ] {
        let mut inputs = good();
        inputs.waivers.state = state.clone();
        inputs.quarantine.state = state;
        let found = verdict(&inputs);
        assert_eq!(
            of(&found, "waiver_lifecycle"),
            (Status::Invalid, vec!["WAIVER_INVALID"])
        );
        assert_eq!(
            of(&found, "quarantine_lifecycle"),
            (Status::Invalid, vec!["QUARANTINE_INVALID"])
        );
    }
}

#[test]
fn an_excuse_that_the_change_brings_needs_somebody_elses_signature() {
    for base in [
        BaseFile::Absent,
        BaseFile::Unknown { why: "w".into() },
        BaseFile::Other {
            text: WAIVER.replace("X-1", "X-2"),
        },
    ] {
        let mut inputs = waived(WAIVER, base);
        let found = verdict(&inputs);
        assert_eq!(
            of(&found, "waiver_lifecycle"),
            (Status::Hold, vec!["EXCUSE_UNAPPROVED"])
        );
        assert_eq!(found.verdict, Status::Fail);
        let digest = found.waivers[0].digest;
        let approve = |inputs: &mut Inputs, signer: &str, over: Digest, at: Timestamp| {
            inputs.approvals = vec![Approval {
                over,
                signer: signer.into(),
                key: String::new(),
                also: Vec::new(),
                base: None,
                at,
                record: 7,
            }];
        };
        for (signer, over, at) in [
            ("selftest-author", digest, now()),
            ("ana", digest, now()),
            ("carol", digest, now()),
            ("b\u{f3}", digest, now()),
            ("bo", Digest::of(b"other"), now()),
            ("bo", digest, now().after(Span::from_secs(3_600))),
        ] {
            approve(&mut inputs, signer, over, at);
            assert_eq!(verdict(&inputs).verdict, Status::Fail, "{signer}");
        }
        approve(&mut inputs, "Bo", digest, now());
        assert_eq!(verdict(&inputs).verdict, Status::Excused);
        // Nobody can be told to be another than an unknown author.
        inputs.subject.authors.clear();
        assert_eq!(verdict(&inputs).verdict, Status::Fail);
        for author in ["Bo <bo@x.org>", "B\u{f3} <q@x.org>", "B\u{f8}"] {
            inputs.subject.authors = vec![author.into()];
            let told = of(&verdict(&inputs), "waiver_lifecycle").1;
            assert!(told.contains(&"WAIVER_SELF_APPROVED"), "{author}");
        }
    }
    // The same entry in another layout is the same entry.
    let spaced = WAIVER
        .replace(" = ", "=")
        .replace("issue", "\n# note\nissue");
    assert_eq!(
        verdict(&waived(
            &spaced,
            BaseFile::Other {
                text: WAIVER.into()
            }
        ))
        .verdict,
        Status::Excused
    );
}

#[test]
fn an_excuse_that_ends_soon_still_holds() {
    let mut inputs = waived(WAIVER, BaseFile::Same);
    inputs.now = now();
    inputs.waivers.state = FileState::Text {
        text: WAIVER.replace("2026-06-30", "2026-06-18"),
    };
    let found = verdict(&inputs);
    assert_eq!(found.waivers[0].status, ExcuseStatus::ExpiringSoon);
    assert_eq!(found.waivers[0].days_remaining, Some(2));
    assert_eq!(found.verdict, Status::Excused);
    assert_eq!(
        found.expires_at.unwrap().to_string(),
        "2026-06-16T11:59:00.000Z"
    );
}

fn quarantine(signature: &Signature) -> String {
    format!(
        "schema = \"gonogo.gate.quarantine.v1\"\n[[quarantine]]\ntarget = \"unit\"\ntest = {{ suite = \"selftest\", class = \"c\", name = \"broken\" }}\nvariant = {{}}\nsignature = \"{signature}\"\ncategory = \"FLAKE-TIMING\"\nowner = \"ana\"\nquarantined = 2026-06-12\nexpires = 2026-06-19\nissue = \"X-1\"\nevidence = [\"run_000000000001\", \"run_000000000002\"]\nrepro = \"make test\"\nreason = \"r\"\nremove_when = \"3 clean runs\"\n"
    )
}

fn quarantined(change: impl Fn(&str) -> String) -> (Inputs, Signature) {
    let mut inputs = good();
    let rows = unit(&mut inputs, &failing("broken", "it broke"), 1);
    let row = rows.iter().find(|r| !r.verdict.is_good()).unwrap();
    assert_eq!(
        (row.test.suite.as_str(), row.test.class.as_str()),
        ("selftest", "c")
    );
    let signature = row.signature.clone().unwrap();
    inputs.quarantine.state = FileState::Text {
        text: change(&quarantine(&signature)),
    };
    inputs.quarantine.base = BaseFile::Same;
    (inputs, signature)
}

#[test]
fn a_quarantine_excuses_one_test_failing_in_one_way() {
    let (inputs, _) = quarantined(str::to_owned);
    let found = verdict(&inputs);
    assert_eq!(
        found.verdict,
        Status::Excused,
        "{:#?}",
        found.gate("suites")
    );
    assert_eq!(found.quarantines[0].matched, 1);
    assert_eq!(found.gate("suites").unwrap().raw, Status::Excused);
    // Another failure of the same test.
    let mut other = inputs.clone();
    unit(&mut other, &failing("broken", "something else"), 1);
    let (status, codes) = of(&verdict(&other), "suites");
    assert_eq!(status, Status::Fail);
    assert!(codes.contains(&"QUARANTINE_SIGNATURE_MISMATCH") && codes.contains(&"TEST_FAILED"));
    // The same failure of another test.
    for name in ["broken[2]", "broken_2", "brok", "Broken"] {
        let mut other = inputs.clone();
        unit(&mut other, &failing(name, "it broke"), 1);
        assert!(
            of(&verdict(&other), "suites").1.contains(&"TEST_FAILED"),
            "{name}"
        );
    }
    // An error is not a failure.
    let mut other = inputs.clone();
    let error = failing("broken", "it broke").replace("failure", "error");
    unit(&mut other, &error, 1);
    assert!(of(&verdict(&other), "suites").1.contains(&"TEST_ERRORED"));
    // A target with a problem of its own is not excused.
    let mut other = inputs.clone();
    unit(&mut other, &failing("broken", "it broke"), 0);
    assert_eq!(of(&verdict(&other), "suites").0, Status::Invalid);
    // Another variant is another test.
    let (other, _) = quarantined(|t| t.replace("variant = {}", "variant = { os = \"linux\" }"));
    assert!(of(&verdict(&other), "suites").1.contains(&"TEST_FAILED"));
    let mut same = other;
    same.runs[0]
        .summary
        .variant
        .insert("os".into(), "linux".into());
    assert_eq!(verdict(&same).verdict, Status::Excused);
    // It ends, and blocks again.
    let mut late = inputs;
    late.now = now().after(Span::from_secs(4 * 86_400));
    assert_eq!(
        of(&verdict(&late), "quarantine_lifecycle").1,
        ["QUARANTINE_EXPIRED"]
    );
    assert!(of(&verdict(&late), "suites").1.contains(&"TEST_FAILED"));
}

#[test]
fn a_failure_that_says_nothing_is_covered_by_no_quarantine() {
    let mut inputs = good();
    let rows = unit(&mut inputs, &failing("broken", ""), 1);
    let row = rows.iter().find(|r| !r.verdict.is_good()).unwrap();
    let signature = row.signature.clone().unwrap();
    assert!(signature.is_of_nothing(), "{:?}", row.failure);
    let of_test = Signature::of_test(&row.test, row.failure.as_ref().unwrap());
    for signature in [signature, of_test] {
        inputs.quarantine.state = FileState::Text {
            text: quarantine(&signature),
        };
        inputs.quarantine.base = BaseFile::Same;
        let (status, codes) = of(&verdict(&inputs), "suites");
        assert_eq!(status, Status::Fail);
        assert!(codes.contains(&"TEST_FAILED"), "{codes:?}");
    }
}

#[test]
fn a_quarantine_that_breaks_a_rule_is_told_and_excuses_nothing() {
    let cases: Vec<(&str, &str, &str)> = vec![
        (
            "[[quarantine]]",
            "[quarantine]",
            "expected `[[quarantine]]`",
        ),
        (
            "target = \"unit\"",
            "target = \"units\"",
            "did you mean `unit`?",
        ),
        ("2026-06-19", "2026-06-20", "longer than 7d"),
        ("2026-06-19", "2026-06-11", "before it begins"),
        ("2026-06-12", "2026-06-17", "begins in the future"),
        ("FLAKE-TIMING", "FLAKE", "did you mean `FLAKE-"),
        (
            "[\"run_000000000001\", \"run_000000000002\"]",
            "[\"run_000000000001\", \"run_000000000001\"]",
            "two different runs",
        ),
        (
            "[\"run_000000000001\", \"run_000000000002\"]",
            "[]",
            "two different runs",
        ),
        ("reason.v2:", "reason.v9:", "no signature of this version"),
        (
            "signature = \"",
            "signature = \"*\" #",
            "no signature of this version",
        ),
        ("issue = \"X-1\"\n", "", "`quarantine[0].issue` is needed"),
        ("variant = {}\n", "", "`quarantine[0].variant` is needed"),
        ("reason = \"r\"", "reason = \"\"", "it is empty"),
        (
            "\"run_000000000001\"",
            "\"see the wiki\"",
            "neither a run (`run_` and 12 characters) nor an https address",
        ),
        (
            "owner = \"ana\"",
            "owner = \"ana\"\nrenewals = 2",
            "renewed once",
        ),
        ("owner = \"ana\"", "ownr = \"ana\"", "did you mean `owner`?"),
        (
            "owner = \"ana\"",
            "owner = \"ana\"\nqqqqqqqq = 1",
            "known here: target, test, variant, signature, owner",
        ),
    ];
    for (from, to, part) in cases {
        let (inputs, _) = quarantined(|t| t.replace(from, to));
        let found = verdict(&inputs);
        let gate = found.gate("quarantine_lifecycle").unwrap();
        assert_eq!(gate.status, Status::Invalid, "{to}");
        assert!(
            gate.reasons.iter().any(|r| r.text.contains(part)),
            "{part}: {:#?}",
            gate.reasons
        );
        assert_eq!(of(&found, "suites").0, Status::Fail, "{to}");
    }
    let (inputs, _) = quarantined(|t| format!("{t}{}", t.split_once("\n").unwrap().1));
    assert_eq!(
        of(&verdict(&inputs), "quarantine_lifecycle").1,
        ["QUARANTINE_INVALID"]
    );
    let many = |t: &str| {
        let entry = t.split_once('\n').unwrap().1;
        let more: String = (0..3)
            .map(|n| entry.replace("broken", &format!("b{n}")))
            .collect();
        format!("{t}{more}")
    };
    let (inputs, _) = quarantined(many);
    assert_eq!(
        of(&verdict(&inputs), "quarantine_lifecycle"),
        (Status::Hold, vec!["QUARANTINE_BUDGET"])
    );
    // An entry that matches nothing for long is told.
    let (mut inputs, _) = quarantined(|t| {
        t.replace("FLAKE-TIMING", "FLAKE-NET")
            .replace("2026-06-12", "2026-06-06")
    });
    assert_eq!(
        verdict(&inputs)
            .gate("quarantine_lifecycle")
            .unwrap()
            .notes
            .len(),
        1
    );
    let digest = verdict(&inputs).quarantines[0].digest.to_string();
    inputs.quarantine_matched.insert(digest, now());
    assert!(
        verdict(&inputs)
            .gate("quarantine_lifecycle")
            .unwrap()
            .notes
            .is_empty()
    );
}

#[test]
fn a_test_may_be_named_as_it_is_shown_where_that_is_one_test() {
    let shown = |name: &str| {
        let name = name.to_owned();
        move |t: &str| {
            let parts = "{ suite = \"selftest\", class = \"c\", name = \"broken\" }";
            t.replace(parts, &name)
        }
    };
    let (inputs, _) = quarantined(shown("\"selftest > c > broken\""));
    assert_eq!(verdict(&inputs).verdict, Status::Excused);
    for other in [
        "\"c > broken\"",
        "\"selftest > c > broken \"",
        "\"selftest > c > \"",
    ] {
        let (inputs, _) = quarantined(shown(other));
        assert!(verdict(&inputs).verdict >= Status::Fail, "{other}");
    }
    // Parts that hold what stands between parts could be another test.
    let (mut inputs, _) = quarantined(shown("\"selftest > c > broken > more\""));
    unit(&mut inputs, &failing("broken &gt; more", "it broke"), 1);
    assert_eq!(verdict(&inputs).verdict, Status::Fail);
}

#[test]
fn a_policy_sets_how_long_a_quarantine_lasts_up_to_30_days() {
    let long = |t: &str| {
        t.replace("FLAKE-TIMING", "FLAKE-NET")
            .replace("2026-06-12", "2026-06-01")
            .replace("2026-06-19", "2026-06-30")
    };
    let (mut inputs, _) = quarantined(long);
    assert_eq!(
        of(&verdict(&inputs), "quarantine_lifecycle").0,
        Status::Invalid
    );
    let text = gonogo_gate::policy::DEFAULT
        .replace("quarantine_max = \"14d\"", "quarantine_max = \"30d\"");
    inputs.policy.state = FileState::Text { text };
    assert_eq!(verdict(&inputs).verdict, Status::Excused);
    // And whether excuses are enough for a command to end with 0.
    if let FileState::Text { text } = &mut inputs.policy.state {
        *text = text.replace("excused = \"pass\"", "excused = \"hold\"");
    }
    let found = verdict(&inputs);
    assert_eq!((found.verdict, found.exit_code), (Status::Excused, 1));
}

#[test]
fn a_retry_that_fails_in_another_way_is_not_excused() {
    use gonogo_suite::run::{Quarantined, Retried, Retry};
    let (inputs, signature) = quarantined(str::to_owned);
    let other = Signature {
        hash: signature.hash.chars().rev().collect(),
        ..signature.clone()
    };
    let log = || "quarantine/unit/001-unit/output.log".to_owned();
    let with = |retry: Retry| {
        let mut inputs = inputs.clone();
        let run = &mut inputs.runs[0];
        let row = run
            .summary
            .targets()
            .flat_map(|t| &t.bad)
            .next()
            .unwrap()
            .clone();
        run.summary.quarantined = Some(Quarantined {
            entries: 1,
            tests: vec![Retried {
                target: row.target,
                test: row.test,
                entry: gonogo_core::Digest::of(b"entry"),
                expires: now(),
                verdict: row.verdict,
                signature: row.signature,
                retry,
            }],
            ..Quarantined::default()
        });
        verdict(&inputs)
    };
    let failed = |signature: Option<&Signature>, is_same| Retry::Failed {
        signature: signature.cloned(),
        is_same,
        log: log(),
    };
    // Whatever the retry came to, the failure itself is what the entry is for.
    for retry in [
        Retry::Passed { log: log() },
        failed(Some(&signature), true),
        Retry::NotRun { why: "x".into() },
    ] {
        assert_eq!(with(retry.clone()).verdict, Status::Excused, "{retry:?}");
    }
    for retry in [failed(Some(&other), false), failed(None, false)] {
        let found = with(retry.clone());
        assert_eq!(
            of(&found, "suites"),
            (
                Status::Fail,
                vec!["QUARANTINE_SIGNATURE_MISMATCH", "TEST_FAILED"]
            ),
            "{retry:?}"
        );
    }
}

#[test]
fn clean_runs_in_a_row_say_that_an_entry_is_to_be_taken_out() {
    let (mut inputs, _) = quarantined(str::to_owned);
    let digest = verdict(&inputs).quarantines[0].digest.to_string();
    let notes = |inputs: &Inputs| {
        let found = verdict(inputs);
        found.gate("quarantine_lifecycle").unwrap().notes.clone()
    };
    for (clean, told) in [(1, false), (2, false), (3, true)] {
        inputs.quarantine_clean.insert(digest.clone(), clean);
        let said = notes(&inputs).iter().any(|n| n.contains("take it out"));
        assert_eq!(said, told, "{clean}");
    }
}

#[test]
fn what_stands_is_what_a_verdict_says() {
    let (inputs, _) = quarantined(str::to_owned);
    let standing = gonogo_gate::quarantine::standing(&inputs).unwrap();
    assert_eq!(standing.states.len(), 1);
    let mut judged = verdict(&inputs).quarantines;
    judged[0].matched = 0;
    assert_eq!(standing.states, judged);
    let run = &inputs.runs[0].summary;
    let row = run.targets().flat_map(|t| &t.bad).next().unwrap();
    assert!(standing.covering(row, &run.variant).is_some());
    // It is not in the base of the change: it matches, and holds for nothing.
    let mut fresh = inputs.clone();
    fresh.quarantine.base = BaseFile::Absent;
    let standing = gonogo_gate::quarantine::standing(&fresh).unwrap();
    assert!(standing.covering(row, &run.variant).is_none());
    assert!(standing.read[0].matches(row, &run.variant));
    let mut unreadable = inputs;
    unreadable.policy.state = FileState::Text {
        text: "[[[".to_owned(),
    };
    assert!(gonogo_gate::quarantine::standing(&unreadable).is_err());
}

#[test]
fn whoever_wrote_an_entry_does_not_approve_it() {
    let mut inputs = waived(WAIVER, BaseFile::Same);
    assert_eq!(verdict(&inputs).verdict, Status::Excused);
    let line = |n: u64, name: &str| Writer {
        from: n,
        to: n,
        names: vec![name.into(), format!("{name}@x.org")],
    };
    // Of another line than the entry's, or somebody else.
    inputs.waivers.writers = vec![line(1, "Bo"), line(3, "ana"), line(40, "Bo")];
    assert_eq!(verdict(&inputs).verdict, Status::Excused);
    inputs.waivers.writers.push(line(6, "Bo"));
    let found = verdict(&inputs);
    assert_eq!(found.verdict, Status::Fail);
    assert!(
        of(&found, "waiver_lifecycle")
            .1
            .contains(&"WAIVER_SELF_APPROVED")
    );
}

#[test]
fn a_quarantine_does_not_cover_what_a_crash_kept_from_being_said() {
    let (inputs, _) = quarantined(str::to_owned);
    for (code, is_excused) in [
        (1, true),
        (128, true),
        (129, false),
        (139, false),
        (159, false),
    ] {
        let mut inputs = inputs.clone();
        for run in &mut inputs.runs {
            for result in &mut run.summary.unit_targets {
                if result.status != Status::Pass {
                    result.exit_code = Some(code);
                    result.end = gonogo_suite::run::End::Exited { code };
                }
            }
        }
        let found = verdict(&inputs);
        assert_eq!(found.verdict == Status::Excused, is_excused, "{code}");
        if !is_excused {
            let (_, codes) = of(&found, "suites");
            assert!(codes.contains(&"RUN_INCOMPLETE"), "{code}: {codes:?}");
        }
    }
}
