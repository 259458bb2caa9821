//! Lanes, modes, changes of the policy, and what is told of a verdict.

use gonogo_core::{Digest, Span, Verdict as Status};
use gonogo_gate::inputs::{Approval, Approvers, Base, FileState, Inputs, ManifestBase};
use gonogo_gate::policy::{DEFAULT, Lane};
use gonogo_gate::verdict::Asked;
use gonogo_gate::{Policy, Suppose, explain, simulate, view};
use serde_json::json;

use crate::common::{CODE, failing, gate, good, good_of, now, of, unit, verdict};

fn two() -> Inputs {
    let first = gate("one", "suite = { targets = [\"unit\"] }");
    let second = gate("two", "suite = { targets = [\"lint\"] }");
    let third = gate("side", "suite = { targets = [\"e2e\"] }")
        .replace("blocking = true", "blocking = false");
    good_of(&format!("{third}{first}{second}"))
}

#[test]
fn preflight_asks_what_blocks_and_stops() {
    let mut inputs = two();
    inputs.lane = "preflight".into();
    let found = verdict(&inputs);
    assert_eq!(found.verdict, Status::Pass);
    assert!(found.gate("side").is_none());
    for run in 0..inputs.runs.len() {
        let declared = inputs.manifest.declared.targets["unit"].clone();
        if inputs.runs[run]
            .summary
            .targets()
            .any(|t| t.target == "unit")
        {
            let (result, _) = crate::common::ran("unit", &declared, &failing("a", "b"), 1);
            crate::common::put(&mut inputs.runs[run], result);
        }
    }
    let found = verdict(&inputs);
    assert_eq!((found.verdict, found.exit_code), (Status::Fail, 2));
    assert_eq!(found.gate("two").unwrap().asked, Asked::NotReached);
    let shown = view::preflight_verdict(&found);
    assert_eq!(shown["first_failure"], json!("one"));
    assert_eq!(shown["summary"]["fail_fast_triggered"], json!(true));
    assert_eq!(shown["summary"]["blocking_skip"], json!(1));
    inputs.lane = "full".into();
    let full = verdict(&inputs);
    assert_eq!(of(&full, "two").0, Status::Pass);
    assert_eq!(of(&full, "side").0, Status::Pass);
}

#[test]
fn a_lane_without_anything_that_blocks_is_invalid() {
    let mut inputs = good_of(&gate("s", "suite = { profile = \"ci\" }").replace("\"full\", ", ""));
    assert_eq!(
        of(&verdict(&inputs), "policy"),
        (Status::Invalid, vec!["POLICY_UNDEFINED"])
    );
    inputs.lane = "fulll".into();
    let found = verdict(&inputs);
    assert_eq!((found.verdict, found.exit_code), (Status::Invalid, 3));
    assert!(
        found.gates[0]
            .reasons
            .iter()
            .any(|r| r.text.contains("fulll"))
    );
    // Nothing but budgets, and none is declared.
    let mut inputs = good_of(&gate("p", "perf = { budgets = \"declared\" }"));
    inputs.manifest.declared.budgets.clear();
    let found = verdict(&inputs);
    assert_eq!(found.verdict, Status::Invalid);
    assert_eq!(found.gate("p").unwrap().asked, Asked::NotDeclared);
}

#[test]
fn what_does_not_block_is_seen_and_does_not_decide() {
    let mut inputs = two();
    inputs
        .manifest
        .declared
        .targets
        .get_mut("e2e")
        .unwrap()
        .min_tests = 1_000;
    let found = verdict(&inputs);
    assert_eq!(of(&found, "side").0, Status::Hold);
    assert_eq!((found.verdict, found.exit_code), (Status::Pass, 0));
}

fn rollback(since: &str, expires: &str) -> String {
    format!(
        "[mode]\npromotion = \"rollback\"\nrationale = \"outage\"\nsince = {since}\nexpires = {expires}\nthresholds = \"1\"\n{}",
        gate("s", "suite = { profile = \"ci\" }")
    )
}

#[test]
fn the_rollback_mode_excuses_until_it_expires() {
    let active = good_of(&rollback("2026-06-14", "2026-06-20"));
    let found = verdict(&active);
    // Also what passes is at best excused.
    assert_eq!(
        of(&found, "policy"),
        (Status::Excused, vec!["ROLLBACK_MODE_ACTIVE"])
    );
    assert_eq!(found.verdict, Status::Excused);
    let mut red = active.clone();
    unit(&mut red, &failing("a", "b"), 1);
    let found = verdict(&red);
    assert_eq!(
        (found.verdict, of(&found, "s").0),
        (Status::Excused, Status::Excused)
    );
    assert_eq!(found.gate("s").unwrap().raw, Status::Fail);
    assert!(found.expires_at.unwrap() <= "2026-06-20T00:00:00Z".parse().unwrap());
    let mut invalid = active;
    invalid.runs[0].summary.schema = "x".into();
    assert_eq!(verdict(&invalid).verdict, Status::Invalid);
    let expired = good_of(&rollback("2026-06-05", "2026-06-15"));
    let found = verdict(&expired);
    assert_eq!(
        (found.verdict, of(&found, "policy").1),
        (Status::Pass, vec!["ROLLBACK_MODE_EXPIRED"])
    );
    let mut red = expired;
    unit(&mut red, &failing("a", "b"), 1);
    assert_eq!(verdict(&red).verdict, Status::Fail);
    let early = good_of(&rollback("2026-06-16", "2026-06-20"));
    assert_eq!(of(&verdict(&early), "policy").1, ["CLOCK_SKEW"]);
}

#[test]
fn a_change_of_the_rules_needs_somebody_else() {
    let default = Digest::of(DEFAULT.as_bytes());
    for (base, is_same) in [
        (Base::Same, true),
        (Base::Absent, true),
        (Base::Other { digest: default }, true),
        (
            Base::Other {
                digest: Digest::of(b"x"),
            },
            false,
        ),
        (Base::Unknown { why: "w".into() }, false),
    ] {
        let mut inputs = good();
        inputs.policy.base = base;
        let found = verdict(&inputs);
        assert_eq!(found.verdict == Status::Pass, is_same);
        if !is_same {
            assert_eq!(
                of(&found, "policy"),
                (Status::Hold, vec!["POLICY_CHANGED_BY_SUBJECT"])
            );
            let approval = |signer: &str| Approval {
                over: default,
                signer: signer.into(),
                key: String::new(),
                also: Vec::new(),
                base: None,
                at: now(),
                record: 3,
            };
            inputs.approvals = vec![approval("Selftest-Author")];
            assert_eq!(verdict(&inputs).verdict, Status::Hold);
            inputs.approvals = vec![approval("bo")];
            assert_eq!(
                of(&verdict(&inputs), "policy"),
                (Status::Excused, vec!["POLICY_CHANGE_APPROVED"])
            );
        }
    }
    // A policy of its own where the built-in one held is a change.
    let mut inputs = good_of(&gate("s", "suite = { profile = \"ci\" }"));
    inputs.policy.base = Base::Absent;
    assert_eq!(verdict(&inputs).verdict, Status::Hold);
}

#[test]
fn a_weaker_declaration_is_a_change_of_the_rules() {
    let was = good().manifest.declared;
    type Weaken = fn(&mut gonogo_gate::inputs::Declared);
    let weaker: [Weaken; 16] = [
        |d| {
            d.targets.remove("unit");
            d.profiles.get_mut("ci").unwrap().retain(|t| t != "unit");
        },
        |d| d.targets.get_mut("unit").unwrap().blocking = false,
        |d| d.targets.get_mut("unit").unwrap().min_tests = 0,
        |d| d.targets.get_mut("unit").unwrap().command = vec!["true".into()],
        |d| d.profiles.get_mut("ci").unwrap().retain(|t| t != "unit"),
        |d| {
            d.profiles.remove("ci");
        },
        |d| d.budgets.clear(),
        |d| d.budgets.values_mut().for_each(|b| b.blocks = false),
        |d| {
            let all = d.budgets.values_mut();
            all.for_each(|b| b.declared = Digest::of(b"looser"));
        },
        |d| d.targets.get_mut("unit").unwrap().how = Digest::of(b"elsewhere"),
        |d| d.apart.push("src/**".into()),
        |d| d.dry_run = Some(Digest::of(b"another")),
        |d| d.dry_run = None,
        |d| d.redact.push("<skipped/>".into()),
        |d| d.records.clear(),
        |d| d.records = [("api".to_owned(), Digest::of(b"loose"))].into(),
    ];
    for weaken in weaker {
        let mut inputs = good();
        weaken(&mut inputs.manifest.declared);
        inputs.manifest.base = ManifestBase::Other {
            digest: Digest::of(b"b"),
            declared: was.clone(),
        };
        let (_, codes) = of(&verdict(&inputs), "policy");
        assert!(codes.contains(&"POLICY_CHANGED_BY_SUBJECT"), "{codes:?}");
    }
    let mut inputs = good();
    let mut fewer = was;
    fewer.targets.remove("lint");
    fewer
        .profiles
        .get_mut("ci")
        .unwrap()
        .retain(|t| t != "lint");
    inputs.manifest.base = ManifestBase::Other {
        digest: Digest::of(b"b"),
        declared: fewer,
    };
    assert_eq!(verdict(&inputs).verdict, Status::Pass);
}

#[test]
fn a_verdict_can_be_explained_and_supposed() {
    let mut inputs = good();
    let found = verdict(&inputs);
    let told = explain(&found, "suites").unwrap();
    assert!(!told.decides && told.codes.is_empty());
    let error = explain(&found, "suite").unwrap_err().to_string();
    assert!(error.contains("did you mean `suites`?"), "{error}");
    let later = Suppose {
        at: Some(now().after(Span::from_secs(86_400))),
        ..Suppose::default()
    };
    let would = simulate(&inputs, &later).unwrap();
    assert_eq!((would.from, would.to), (Status::Pass, Status::Hold));
    let ids: Vec<&str> = would.changes.iter().map(|c| c.gate_id.as_str()).collect();
    assert_eq!(ids, ["suites"]);
    let none = Suppose {
        without_waivers: vec!["suites".into()],
        ..Suppose::default()
    };
    assert!(simulate(&inputs, &none).is_err());
    unit(&mut inputs, &failing("a", "b"), 1);
    inputs.waivers.state = FileState::Text { text: "schema = \"gonogo.gate.waivers.v1\"\n[waiver.suites]\nowner = \"ana\"\napprover = \"bo\"\ncreated = 2026-06-01\nexpires = 2026-06-30\nissue = \"X\"\nreason = \"r\"\nscope = [\"full\", \"certification\"]\nremove_when = \"d\"\n".into() };
    inputs.waivers.base = gonogo_gate::inputs::BaseFile::Same;
    let would = simulate(&inputs, &none).unwrap();
    assert_eq!((would.from, would.to), (Status::Excused, Status::Fail));
    assert_eq!(would.changes.len(), 1);
    inputs.lane = Lane::Certification.word().into();
    let found = verdict(&inputs);
    let shown = view::certification_lane(&found);
    assert_eq!(shown["promotion_rules"]["can_promote"], json!(true));
    assert_eq!(shown["promotion_rules"]["waiver_gates"], json!(["suites"]));
    assert_eq!(shown["waiver_audit"]["active"], json!(1));
    assert_eq!(shown["summary"]["all_blocking_pass"], json!(true));
    assert_eq!(shown["verdict"], json!("warn"));
    let suites = shown["gates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|g| g["id"] == "suites")
        .unwrap();
    assert_eq!(
        (&suites["status"], &suites["waived"]),
        (&json!("fail"), &json!(true))
    );
    inputs.now = now().after(Span::from_secs(30 * 86_400));
    let late = view::certification_lane(&verdict(&inputs));
    assert_eq!(late["promotion_rules"]["can_promote"], json!(false));
    assert_eq!(late["waiver_audit"]["expired"], json!(1));
}

#[test]
fn views_hold_what_the_verdict_says() {
    let mut inputs = good();
    unit(
        &mut inputs,
        &failing("a|b", "&lt;script&gt; | `x` [y](z) @all"),
        1,
    );
    let found = verdict(&inputs);
    let full = view::full_suite_verdict(&found);
    assert_eq!(full["schema"], json!("gonogo.gate.full_suite.v1"));
    assert_eq!(full["verdict"], json!("fail"));
    assert_eq!(full["summary"]["total_gates"], json!(found.gates.len()));
    let events = view::events(&found);
    assert_eq!(events.lines().count(), found.gates.len());
    for line in events.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["schema"], json!("gonogo.gate.event.v1"));
    }
    let report = view::markdown(&found);
    assert!(report.starts_with("# Gate full: FAIL"));
    assert!(report.contains("TEST_FAILED") && !report.contains("<script>"));
    for line in report.lines().filter(|l| l.starts_with("| ")) {
        let bars = line.replace("\\|", "").matches('|').count();
        assert!(bars == 5 || bars == 6, "{line}");
    }
    assert!(!view::markdown(&verdict(&good())).contains("FAIL"));
    assert!(CODE.contains("policy.v1"));
}

#[test]
fn only_those_whom_the_base_lists_may_say_yes() {
    let default = Digest::of(DEFAULT.as_bytes());
    let key = |c: &str| c.repeat(64);
    let mut inputs = good();
    inputs.policy.base = Base::Unknown { why: "w".into() };
    let approval = |signer: &str, key: &str, also: &[&str]| Approval {
        over: default,
        signer: signer.into(),
        key: key.into(),
        also: also.iter().map(|name| (*name).to_owned()).collect(),
        base: None,
        at: now(),
        record: 3,
    };
    let counts = |inputs: &Inputs, approval: Approval| {
        let why = gonogo_gate::refusal(inputs, &approval, None, None);
        let mut inputs = inputs.clone();
        inputs.approvals = vec![approval];
        let is_excused = of(&verdict(&inputs), "policy").0 == Status::Excused;
        assert_eq!(is_excused, why.is_none(), "{why:?}");
        is_excused
    };
    // Nobody is listed: whoever is somebody else may, and the author under the system's name is not.
    assert!(counts(&inputs, approval("bo", "", &[])));
    assert!(counts(&inputs, approval("bo", "", &["bo@x.org"])));
    assert!(!counts(&inputs, approval("root", "", &["Selftest-Author"])));
    let keys = std::collections::BTreeMap::from([
        ("bo".to_owned(), [key("b"), key("c")].into()),
        ("cy".to_owned(), [key("d")].into()),
    ]);
    let aliases = [("cy".to_owned(), vec!["selftest-author".to_owned()])];
    inputs.approvers = Approvers::Listed {
        keys,
        aliases: aliases.into(),
    };
    assert!(counts(&inputs, approval("bo", &key("c"), &[])));
    for (signer, key) in [
        ("bo", key("d")),
        ("bo", String::new()),
        ("Bo", key("b")),
        ("dan", key("b")),
        ("cy", key("d")),
    ] {
        assert!(
            !counts(&inputs, approval(signer, &key, &[])),
            "{signer} {key}"
        );
    }
    inputs.approvers = Approvers::Nobody { why: "w".into() };
    assert!(!counts(&inputs, approval("bo", &key("b"), &[])));
}

#[test]
fn a_list_of_approvers_names_keys() {
    let policy = |list: &str| Policy::read(&format!("{DEFAULT}\n[approvers]\n{list}"));
    let (a, b) = ("a".repeat(64), "b".repeat(64));
    let read = policy(&format!("bo = [\"{a}\", \"{b}\"]")).unwrap();
    assert_eq!(read.approvers.unwrap()["bo"], [a.clone(), b].into());
    for (list, part) in [
        (String::new(), "lists nobody"),
        ("bo = []".into(), "no key of theirs"),
        ("bo = \"x\"".into(), "list of key ids"),
        (format!("bo = [\"{}\"]", a.to_uppercase()), "ids of keys"),
        (format!("bo = [\"{a}\"]\ncy = [\"{a}\"]"), "somebody else"),
    ] {
        let faults = policy(&list).unwrap_err();
        assert!(
            faults.iter().any(|f| f.text.contains(part)),
            "{list}: {faults:?}"
        );
    }
}
