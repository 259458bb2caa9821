//! Gates over what is computed: each passes on good evidence and on nothing else.

use gonogo_core::{Digest, Reason, Verdict as Status};
use gonogo_gate::artifacts::{self, BACKLOG, CERTIFICATION, DOSSIER, DOSSIER_PAGE};
use gonogo_gate::contract::Overall;
use gonogo_gate::inputs::{Base, FileState, Found, Inputs};
use gonogo_gate::policy::{DEFAULT, Lane, Policy};
use gonogo_gate::{judge, rederive, selftest::good_inputs};
use serde_json::Value;

use crate::common::{CODE, declared, gate, now, of, verdict};

const TRACKER: &str = "tracker = { export = \"issues.jsonl\" }";
const WORDING: &str = "wording = { texts = [\"*.md\"], rules = \"claims.toml\" }";
const CLASSES: &str = "classification = { files = [\"tests/*.rs\"], classes = \"classes.toml\" }";
const DOUBLES: &str =
    "doubles = { files = [\"tests/*.rs\"], classes = \"classes.toml\", exceptions = \"e.toml\" }";
const RUBRIC: &str = "rubric = { rubric = \"rubric.toml\", report = \"r\" }";
const PLATFORMS: &str = "platforms = { profile = \"ci\", required = { linux = { os = \"linux\" }, mac = { os = \"macos\" } }, optional = { win = { os = \"windows\" } } }";
const CONTRACT: &str = "contract = { file = \"contract.toml\" }";

fn good_in(lane: Lane, checks: &[&str]) -> Inputs {
    let mut text = format!("{CODE}{}", gate("s", "suite = { profile = \"ci\" }"));
    for (n, check) in checks.iter().enumerate() {
        let id = match n {
            0 => "g".to_owned(),
            n => format!("g{n}"),
        };
        text.push_str(&gate(&id, check));
    }
    good_inputs(&FileState::Text { text }, &declared(), lane, now()).unwrap()
}

fn good(check: &str) -> Inputs {
    good_in(Lane::Full, &[check])
}

fn artifact(inputs: &mut Inputs) -> (&mut Value, &mut Digest) {
    match inputs.computed.get_mut("g").unwrap() {
        Found::Present { value, origin } => (value, &mut origin.digest),
        other => panic!("{other:?}"),
    }
}

/// Changes the artifact and makes its digest fit, as somebody would who forges it.
fn forge(inputs: &mut Inputs, pointer: &str, to: Value) {
    let (value, digest) = artifact(inputs);
    *value
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("{pointer}")) = to;
    *digest = Digest::of(&gonogo_core::canonical::to_vec(value).unwrap());
}

#[test]
fn each_passes_on_good_evidence_and_is_derived_again() {
    for check in [
        TRACKER, WORDING, CLASSES, DOUBLES, RUBRIC, PLATFORMS, CONTRACT,
    ] {
        let inputs = good(check);
        let found = verdict(&inputs);
        assert_eq!(of(&found, "g"), (Status::Pass, vec![]), "{check}");
        assert_eq!(found.verdict, Status::Pass, "{check}");
        let (stored, bytes) = (inputs.to_bytes().unwrap(), found.to_bytes().unwrap());
        assert_eq!(rederive(&stored, &bytes), Ok(found), "{check}");
    }
}

#[test]
fn without_its_source_none_passes() {
    for check in [TRACKER, WORDING, CLASSES, DOUBLES] {
        let mut inputs = good(check);
        inputs.computed.insert("g".into(), Found::Absent);
        let missing = (Status::Hold, vec!["EVIDENCE_MISSING"]);
        assert_eq!(of(&verdict(&inputs), "g"), missing, "{check}");
        inputs.computed.clear();
        assert_eq!(of(&verdict(&inputs), "g"), missing, "{check}");
        let unreadable = Found::Unreadable {
            why: "w".into(),
            digest: None,
        };
        inputs.computed.insert("g".into(), unreadable);
        let odd = (Status::Invalid, vec!["EVIDENCE_UNPARSABLE"]);
        assert_eq!(of(&verdict(&inputs), "g"), odd, "{check}");
        for empty in [Value::Null, serde_json::json!({}), serde_json::json!([])] {
            let mut inputs = good(check);
            forge(&mut inputs, "", empty);
            assert_eq!(of(&verdict(&inputs), "g"), odd, "{check}");
        }
    }
    for (check, code) in [
        (RUBRIC, "EVIDENCE_MISSING"),
        (PLATFORMS, "EVIDENCE_MISSING"),
    ] {
        let mut inputs = good(check);
        inputs.coverage.clear();
        inputs.runs.retain(|run| run.summary.variant.is_empty());
        let found = verdict(&inputs);
        assert_eq!(of(&found, "g"), (Status::Hold, vec![code]), "{check}");
    }
}

#[test]
fn an_artifact_that_lies_is_invalid() {
    let cases: [(&str, &str, Value); 5] = [
        (TRACKER, "/technical_completion_reached", false.into()),
        (TRACKER, "/technical_open_count", 1.into()),
        (WORDING, "/violations", 1.into()),
        (CLASSES, "/classified", 0.into()),
        (DOUBLES, "/summary/total", 7.into()),
    ];
    for (check, pointer, to) in cases {
        let mut inputs = good(check);
        forge(&mut inputs, pointer, to);
        let (status, codes) = of(&verdict(&inputs), "g");
        assert_eq!(status, Status::Invalid, "{check} {pointer}");
        assert!(codes.contains(&"EVIDENCE_COUNT_MISMATCH"), "{codes:?}");
    }
    // A byte that was changed without its digest.
    let mut inputs = good(TRACKER);
    *artifact(&mut inputs).0.pointer_mut("/detail").unwrap() = "x".into();
    let (status, codes) = of(&verdict(&inputs), "g");
    assert_eq!(
        (status, codes),
        (Status::Invalid, vec!["ARTIFACTS_CHANGED"])
    );
    // Another schema, another field.
    for (key, to) in [("schema", "other"), ("more", "x")] {
        let mut inputs = good(CLASSES);
        let mut value = artifact(&mut inputs).0.clone();
        value[key] = to.into();
        forge(&mut inputs, "", value);
        assert_eq!(
            of(&verdict(&inputs), "g"),
            (Status::Invalid, vec!["EVIDENCE_UNPARSABLE"])
        );
    }
}

#[test]
fn what_is_of_another_tree_or_too_old_does_not_count() {
    for check in [WORDING, CLASSES, DOUBLES] {
        let mut inputs = good(check);
        if let Some(Found::Present { origin, .. }) = inputs.computed.get_mut("g") {
            origin.tree = Some("git:other".into());
        }
        let other = (Status::Hold, vec!["EVIDENCE_WRONG_TREE"]);
        assert_eq!(of(&verdict(&inputs), "g"), other, "{check}");
    }
    for (check, code) in [(TRACKER, "EVIDENCE_STALE"), (PLATFORMS, "EVIDENCE_STALE")] {
        let mut inputs = good(check);
        inputs.now = inputs.now.after(gonogo_core::Span::from_secs(3 * 86_400));
        let (status, codes) = of(&verdict(&inputs), "g");
        assert_eq!((status, codes), (Status::Hold, vec![code]), "{check}");
    }
}

#[test]
fn one_bad_platform_is_not_hidden_by_others() {
    let mut inputs = good(PLATFORMS);
    let mac = |run: &gonogo_gate::inputs::Run| {
        run.summary
            .variant
            .get("os")
            .is_some_and(|os| os == "macos")
    };
    let at = inputs.runs.iter().position(mac).unwrap();
    inputs.runs[at].summary.state = gonogo_suite::run::State::Cancelled;
    let found = verdict(&inputs);
    assert!(of(&found, "g").1.contains(&"RUN_INCOMPLETE"));
    // One that need not pass holds nothing, and stands in the matrix.
    let mut inputs = good(PLATFORMS);
    let win = |run: &gonogo_gate::inputs::Run| {
        run.summary
            .variant
            .get("os")
            .is_some_and(|os| os == "windows")
    };
    inputs.runs.retain(|run| !win(run));
    let found = verdict(&inputs);
    assert_eq!(of(&found, "g"), (Status::Pass, vec![]));
    let made = gonogo_gate::artifacts(&inputs, &found);
    let matrix: Value = serde_json::from_slice(&made.files["platform_matrix.json"]).unwrap();
    assert_eq!(matrix["platforms"][2]["status"], "hold");
}

#[test]
fn a_rubric_holds_by_what_hangs_on_a_module() {
    for (criticality, status, code) in [
        ("critical", Status::Fail, "CHECK_FAILED"),
        ("low", Status::Hold, "CHECK_WARNED"),
    ] {
        let mut inputs = good(RUBRIC);
        let text = match &inputs.rules["rubric.toml"].state {
            FileState::Text { text } => text
                .replace("\"high\"", &format!("\"{criticality}\""))
                .replace("floor = {", "min_lines = 200\nfloor = {"),
            other => panic!("{other:?}"),
        };
        inputs.rules.get_mut("rubric.toml").unwrap().state = FileState::Text { text };
        assert_eq!(of(&verdict(&inputs), "g"), (status, vec![code]));
    }
    let mut inputs = good(RUBRIC);
    if let Some(Found::Present { value, .. }) = inputs.coverage.get_mut("r") {
        value.modules.clear();
    }
    assert_eq!(
        of(&verdict(&inputs), "g"),
        (Status::Hold, vec!["EVIDENCE_MISSING"])
    );
}

#[test]
fn a_rule_file_that_the_change_brings_holds_until_somebody_else_says_yes() {
    for (check, file) in [
        (WORDING, "claims.toml"),
        (CLASSES, "classes.toml"),
        (DOUBLES, "e.toml"),
        (RUBRIC, "rubric.toml"),
        (CONTRACT, "contract.toml"),
    ] {
        for base in [
            Base::Absent,
            Base::Unknown { why: "w".into() },
            Base::Other {
                digest: Digest::of(b"other"),
            },
        ] {
            let mut inputs = good(check);
            inputs.rules.get_mut(file).unwrap().base = base;
            let changed = (Status::Hold, vec!["POLICY_CHANGED_BY_SUBJECT"]);
            assert_eq!(of(&verdict(&inputs), "policy"), changed, "{check}");
            let text = match &inputs.rules[file].state {
                FileState::Text { text } => text.clone(),
                other => panic!("{other:?}"),
            };
            inputs.approvals.push(gonogo_gate::inputs::Approval {
                over: Digest::of(text.as_bytes()),
                signer: "somebody-else".into(),
                key: String::new(),
                also: Vec::new(),
                base: None,
                at: inputs.now,
                record: 7,
            });
            let approved = (Status::Excused, vec!["POLICY_CHANGE_APPROVED"]);
            assert_eq!(of(&verdict(&inputs), "policy"), approved, "{check}");
        }
        let mut inputs = good(check);
        inputs.rules.get_mut(file).unwrap().state = FileState::Absent;
        let (status, codes) = of(&verdict(&inputs), "policy");
        assert_eq!((status, codes), (Status::Invalid, vec!["POLICY_UNDEFINED"]));
        inputs.rules.clear();
        assert_eq!(of(&verdict(&inputs), "policy").0, Status::Invalid);
    }
}

const HARD: &str = "schema = \"gonogo.gate.certification-contract.v1\"\nlane = \"certification\"\n[[hard_gates]]\ngate_id = \"G01\"\ndomain = \"tests\"\nblocking = true\nowner = \"ana\"\npass_criteria = [\"s\"]\nfail_conditions = [\"TEST_FAILED\"]\n";

fn contract(text: &str) -> Inputs {
    let mut inputs = good_in(Lane::Certification, &[CONTRACT]);
    inputs.rules.get_mut("contract.toml").unwrap().state = FileState::Text { text: text.into() };
    inputs
}

#[test]
fn a_contract_is_judged_over_the_other_gates_and_certifies() {
    let inputs = contract(HARD);
    let found = verdict(&inputs);
    assert_eq!(found.verdict, Status::Pass);
    let made = gonogo_gate::artifacts(&inputs, &found);
    assert_eq!(made.missing, Default::default());
    let certificate = made.certification.unwrap();
    assert_eq!(certificate.overall_verdict, Overall::Certified);
    for name in [CERTIFICATION, DOSSIER, BACKLOG] {
        assert_eq!(artifacts::check(name, &made.files[name]), Some(vec![]));
    }
    let page = String::from_utf8(made.files[DOSSIER_PAGE].clone()).unwrap();
    assert!(
        page.contains("CERTIFIED") && page.contains("| yes |"),
        "{page}"
    );
    // Its gate is not good: the contract is not, and there is no certificate.
    let mut bad = inputs.clone();
    bad.runs.clear();
    let found = verdict(&bad);
    assert_eq!(of(&found, "g"), (Status::Hold, vec!["EVIDENCE_MISSING"]));
    let made = gonogo_gate::artifacts(&bad, &found);
    let certificate = made.certification.unwrap();
    assert_eq!(certificate.overall_verdict, Overall::NotCertified);
    let page = String::from_utf8(made.files[DOSSIER_PAGE].clone()).unwrap();
    assert!(
        page.contains("NOT_CERTIFIED") && page.contains("nobody can tell"),
        "{page}"
    );
    let again = gonogo_gate::artifacts(&bad, &judge(&bad));
    assert_eq!(again.files, made.files);
}

#[test]
fn a_contract_that_asks_for_what_is_not_there_is_not_fulfilled() {
    let more = |line: &str| HARD.replace("fail_conditions", &format!("{line}\nfail_conditions"));
    for (text, status, code) in [
        (
            HARD.replace("[\"s\"]", "[\"none\"]"),
            Status::Hold,
            "EVIDENCE_MISSING",
        ),
        (
            HARD.replace("[\"s\"]", "[\"g\"]"),
            Status::Hold,
            "EVIDENCE_MISSING",
        ),
        (
            HARD.replace("[\"s\"]", "[]"),
            Status::Invalid,
            "POLICY_ERROR",
        ),
        (
            HARD.replace("certification\"\n[[", "full\"\n[["),
            Status::Invalid,
            "POLICY_UNDEFINED",
        ),
        (
            more("required_artifacts = [\"a\"]"),
            Status::Hold,
            "EVIDENCE_MISSING",
        ),
        (
            more("required_evidence = [\"a\"]"),
            Status::Hold,
            "EVIDENCE_MISSING",
        ),
        (String::new(), Status::Invalid, "POLICY_ERROR"),
        (
            format!("{HARD}[[closure_questions]]\nquestion = \"?\"\ngates = [\"s\", \"none\"]\n"),
            Status::Invalid,
            "POLICY_ERROR",
        ),
    ] {
        let inputs = contract(&text);
        let found = verdict(&inputs);
        assert_eq!(of(&found, "g"), (status, vec![code]), "{text}");
        let made = gonogo_gate::artifacts(&inputs, &found);
        let certified = made.certification.map(|c| c.overall_verdict);
        assert_ne!(certified, Some(Overall::Certified), "{text}");
    }
    let mut inputs = contract(HARD);
    inputs.subject.uncommitted = true;
    assert_eq!(
        of(&verdict(&inputs), "g"),
        (Status::Hold, vec!["EVIDENCE_WRONG_TREE"])
    );
    let mut inputs = contract(HARD);
    inputs.subject.commit = None;
    let found = verdict(&inputs);
    assert_eq!(of(&found, "g"), (Status::Hold, vec!["EVIDENCE_MISSING"]));
    let made = gonogo_gate::artifacts(&inputs, &found);
    assert!(made.missing.contains_key(CERTIFICATION) && made.certification.is_none());
}

#[test]
fn a_file_is_there_only_where_its_source_is_declared() {
    let inputs = good(TRACKER);
    let made = gonogo_gate::artifacts(&inputs, &judge(&inputs));
    let names: Vec<&str> = made.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["practical_finish_checkpoint.json", BACKLOG]);
    let mut inputs = good_in(Lane::Full, &[TRACKER, TRACKER]);
    inputs.computed.insert("g".into(), Found::Absent);
    let made = gonogo_gate::artifacts(&inputs, &judge(&inputs));
    let names: Vec<&str> = made.files.keys().map(String::as_str).collect();
    assert_eq!(names, ["practical_finish_checkpoint.g1.json", BACKLOG]);
    assert!(
        made.missing
            .contains_key("practical_finish_checkpoint.g.json")
    );
}

#[test]
fn what_a_policy_must_not_say() {
    let section = "[[bundle.section]]\nid = \"a\"\npath = \"a.json\"\nrequired = true\n";
    let with = |more: &str| format!("{DEFAULT}\n{more}");
    assert!(Policy::read(&with(section)).unwrap().bundle.is_some());
    for bad in [
        gate("g", "tracker = {}"),
        gate("g", "tracker = { export = \"a\", closed = [] }"),
        gate("g", "wording = { texts = [] }"),
        gate("g", "wording = { texts = [\"[\"] }"),
        gate(
            "g",
            "wording = { texts = [\"*.md\"], rules = \"../r.toml\" }",
        ),
        gate(
            "g",
            "wording = { texts = [\"*.md\"], rules = \"run:unit/r.toml\" }",
        ),
        gate("g", "classification = { files = [\"t/*\"] }"),
        gate("g", "doubles = { files = [] }"),
        gate("g", "rubric = { rubric = \"r.toml\" }"),
        gate("g", "platforms = { profile = \"ci\", required = {} }"),
        gate(
            "g",
            "platforms = { profile = \"ci\", required = { linux = {} } }",
        ),
        gate(
            "g",
            "platforms = { profile = \"ci\", required = { linux = { os = 1 } } }",
        ),
        gate("g", "contract = {}"),
        gate("g", CONTRACT) + &gate("h", CONTRACT),
        gate(
            "g",
            "coverage = { report = \"r\", floors = { core = { line = \"1%\" } } }",
        ),
        gate(
            "g",
            "coverage = { report = \"r\", floors = { \"a/*\" = { line = \"50%\" } }, targets = { \"a/*\" = { line = \"40%\" } } }",
        ),
        gate(
            "g",
            "coverage = { report = \"r\", floors = { \"*\" = { line = \"50%\" } }, targets = { \"a/*\" = { line = \"40%\" } } }",
        ),
        gate(
            "g",
            "coverage = { report = \"r\", modules = { core = [\"!a\"] }, floors = { \"*\" = { line = \"50%\" } } }",
        ),
        section.replace("true", "false"),
        section.replace("a.json", "/etc/passwd"),
        section.replace("a.json", "computed:none"),
        format!("{section}{section}"),
        format!("{section}more = 1\n"),
        format!("{section}[[bundle.lineage]]\nid = \"l\"\nsections = [\"b\"]\npointer = \"/x\"\n"),
    ] {
        assert!(Policy::read(&with(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_reason_is_told_for_each_thing_that_is_wrong() {
    for (open, text) in [
        (
            r#"{"id":"1","status":"open","title":"crash"}"#,
            "`1` is open: crash",
        ),
        (r#"{"id":"1","status":"open"}"#, "`1` is open"),
        (
            r#"{"id":"1","status":null,"title":"crash"}"#,
            "`1` has no state, so it is open: crash",
        ),
        (
            r#"{"id":"1","status":" "}"#,
            "`1` has no state, so it is open",
        ),
    ] {
        let mut inputs = good(TRACKER);
        let export = format!("{open}\n{{\"id\":\"2\",\"status\":\"closed\"}}");
        let made = gonogo_gate::tracker::checkpoint(
            export.as_bytes(),
            &Default::default(),
            &Default::default(),
            Some(now()),
            now(),
        );
        forge(&mut inputs, "", serde_json::to_value(&made).unwrap());
        let found = verdict(&inputs);
        assert_eq!(of(&found, "g"), (Status::Fail, vec!["CHECK_FAILED"]));
        let told = &found.gate("g").unwrap().reasons[0];
        assert_eq!(told.code, Reason::CheckFailed);
        assert_eq!(told.text, text, "{open}");
    }
}
