//! Bundle, certificate, dossier, backlog and platform matrix: what follows from evidence, and what happens when somebody changes it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Timestamp, Verdict as Status};
use gonogo_gate::artifact::Artifact;
use gonogo_gate::backlog::{Backlog, Kind, State, backlog};
use gonogo_gate::bundle::{Bundle, Completeness, Contents, Lineage, Standing, Wanted, bundle};
use gonogo_gate::contract::{
    CONTRACT, Certification, Contract, Overall, Refused, Subject, certify,
};
use gonogo_gate::dossier::{Answer, Closure, Dossier, Question, dossier};
use gonogo_gate::inputs::{Declared, FileState, Inputs, Target};
use gonogo_gate::platforms::{Matrix, Platform, matrix};
use gonogo_gate::policy::Lane;
use gonogo_gate::selftest::good_inputs;
use gonogo_gate::{Verdict, judge};
use gonogo_suite::run::{Class, State as RunState};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn now() -> Timestamp {
    "2026-06-15T12:00:00Z".parse().unwrap()
}

fn inputs() -> Inputs {
    let target = |class, format: &str| Target {
        class,
        blocking: true,
        format: format.into(),
        command: vec!["make".into()],
        how: Digest::of(b"how"),
        min_tests: 1,
        min_duration_ms: None,
        owner: Some("team".into()),
    };
    let targets = BTreeMap::from([
        ("unit".to_owned(), target(Class::Unit, "junit")),
        ("e2e".to_owned(), target(Class::E2e, "go")),
    ]);
    let declared = Declared {
        profiles: BTreeMap::from([("ci".to_owned(), targets.keys().cloned().collect())]),
        targets,
        budgets: BTreeMap::new(),
        apart: Vec::new(),
        dry_run: None,
        redact: Vec::new(),
        records: BTreeMap::new(),
    };
    let mut inputs =
        good_inputs(&FileState::Absent, &declared, Lane::Certification, now()).unwrap();
    inputs.subject.commit = Some(COMMIT.to_owned());
    inputs
}

fn good() -> Verdict {
    let verdict = judge(&inputs());
    assert_eq!(verdict.verdict, Status::Pass, "{:?}", verdict.reasons);
    verdict
}

/// The same with a run that is missing.
fn bad() -> Verdict {
    let mut inputs = inputs();
    inputs.runs.clear();
    let verdict = judge(&inputs);
    assert!(verdict.verdict > Status::Excused);
    verdict
}

/// A gate that tests rest on.
fn gate(verdict: &Verdict) -> String {
    let found = verdict.gates.iter().find(|g| g.kind == "suite");
    found.unwrap().id.clone()
}

fn contract(verdict: &Verdict) -> Contract {
    Contract::parse(&format!(
        "schema = \"{CONTRACT}\"\nlane = \"certification\"\n[[hard_gates]]\ngate_id = \"G01\"\ndomain = \"tests\"\nblocking = true\nowner = \"ana\"\n\
         required_artifacts = [\"summary\"]\npass_criteria = [\"{}\"]\nfail_conditions = [\"TEST_FAILED\"]\n",
        gate(verdict)
    ))
    .unwrap()
}

fn subject(verdict: &Verdict) -> Subject {
    Subject {
        commit: COMMIT.to_owned(),
        tree: verdict.tree.clone(),
        policy_digest: verdict.policy_digest,
    }
}

fn wanted(id: &str, path: &str, required: bool, schema: Option<&str>) -> Wanted {
    Wanted {
        id: id.into(),
        label: id.into(),
        category: "suite".into(),
        required,
        artifact_path: path.into(),
        schema: schema.map(str::to_owned),
    }
}

fn contents() -> Contents {
    let lineage = |id: &str, pointer: &str, within| Lineage {
        id: id.into(),
        sections: vec!["summary".into(), "verdict".into()],
        pointer: pointer.into(),
        within,
        expected: None,
    };
    Contents {
        sections: vec![
            wanted(
                "summary",
                "summary.json",
                true,
                Some("gonogo.suite.summary.v1"),
            ),
            wanted(
                "verdict",
                "verdict.json",
                true,
                Some("gonogo.gate.verdict.v1"),
            ),
            wanted("logs", "logs/", false, None),
        ],
        lineage: vec![
            lineage("tree", "/tree", None),
            lineage("time", "/at", Some("14d".parse::<Span>().unwrap())),
        ],
    }
}

const SUMMARY: &str = r#"{"schema":"gonogo.suite.summary.v1","tree":"git:1","at":"2026-06-01T00:00:00Z","status":"pass"}"#;
const VERDICT: &str = r#"{"schema":"gonogo.gate.verdict.v1","tree":"git:1","at":"2026-06-10T00:00:00Z","verdict":"pass"}"#;

fn files() -> BTreeMap<String, &'static [u8]> {
    BTreeMap::from([
        ("summary.json".to_owned(), SUMMARY.as_bytes()),
        ("verdict.json".to_owned(), VERDICT.as_bytes()),
        ("logs/a.log".to_owned(), b"a".as_slice()),
        ("logs/b.log".to_owned(), b"bb".as_slice()),
        ("logsx".to_owned(), b"not it".as_slice()),
    ])
}

fn indexed(contents: &Contents, files: &BTreeMap<String, &[u8]>) -> Bundle {
    let made = bundle(contents, files, COMMIT, "run-1", now());
    assert_eq!(made.check(), []);
    assert_eq!(made.verify(contents, files), []);
    assert_eq!(Bundle::read(&made.to_bytes().unwrap()).unwrap(), made);
    made
}

#[test]
fn a_bundle_is_complete_only_with_all_that_is_required() {
    let made = indexed(&contents(), &files());
    assert_eq!(made.verdict, Completeness::Complete);
    assert_eq!(
        (made.summary.total_artifacts, made.summary.present_sections),
        (4, 3)
    );
    let logs = made.section("logs").unwrap();
    assert_eq!((logs.bytes, logs.file_count), (3, 2));
    assert_eq!(
        made.section("summary").unwrap().sha256,
        Some(gonogo_core::Digest::of(SUMMARY.as_bytes()))
    );

    let mut contents = contents();
    contents.lineage.clear();
    let mut files = files();
    files.remove("verdict.json");
    assert_eq!(indexed(&contents, &files).verdict, Completeness::Partial);
    files.remove("summary.json");
    assert_eq!(
        indexed(&contents, &files).verdict,
        Completeness::Insufficient
    );
    // Nothing is asked for.
    assert_eq!(
        indexed(&Contents::default(), &files).verdict,
        Completeness::Insufficient
    );
    for bytes in [
        "",
        " \n",
        "{",
        "[]",
        r#"{"schema":"gonogo.suite.summary.v2"}"#,
        r#"{"schema":"gonogo.suite.summary.v1x"}"#,
        r#"{"schema":"gonogo.suite.summary.v1","schema":"gonogo.suite.summary.v1"}"#,
    ] {
        files.insert("summary.json".to_owned(), bytes.as_bytes());
        let made = indexed(&contents, &files);
        assert_eq!(
            made.section("summary").unwrap().status,
            Standing::Invalid,
            "{bytes}"
        );
        assert_eq!(made.verdict, Completeness::Insufficient);
    }
}

#[test]
fn evidence_of_different_releases_is_no_bundle() {
    for (from, to) in [
        ("git:1", "git:2"),
        ("2026-06-10", "2026-06-30"),
        ("\"tree\":\"git:1\"", "\"tree\":1"),
        ("2026-06-10T00:00:00Z", "soon"),
    ] {
        let changed = VERDICT.replace(from, to);
        let mut files: BTreeMap<String, &[u8]> = files();
        files.insert("verdict.json".to_owned(), changed.as_bytes());
        let made = indexed(&contents(), &files);
        assert_eq!(made.verdict, Completeness::Insufficient, "{to}");
        assert_eq!(made.lineage.iter().filter(|l| !l.ok).count(), 1);
    }
    let mut wide = contents();
    wide.sections[0].artifact_path = "../summary.json".into();
    let outside = BTreeMap::from([("../summary.json".to_owned(), SUMMARY.as_bytes())]);
    let made = bundle(&wide, &outside, COMMIT, "run-1", now());
    assert_eq!(made.section("summary").unwrap().status, Standing::Invalid);
}

#[test]
fn a_bundle_whose_bytes_changed_is_noticed() {
    let contents = contents();
    let made = indexed(&contents, &files());
    for path in ["summary.json", "verdict.json", "logs/a.log"] {
        let mut changed = files();
        let text = format!("{} ", String::from_utf8_lossy(changed[path]));
        changed.insert(path.to_owned(), text.as_bytes());
        assert!(!made.verify(&contents, &changed).is_empty(), "{path}");
        changed.remove(path);
        assert!(!made.verify(&contents, &changed).is_empty(), "{path}");
    }
    let mut lie = made.clone();
    lie.sections[2].status = Standing::Missing;
    assert!(!lie.check().is_empty());
    let mut lie = made.clone();
    lie.verdict = Completeness::Partial;
    assert!(!lie.check().is_empty());
    let mut lie = made;
    lie.summary.total_bytes += 1;
    assert!(!lie.check().is_empty());
}

fn certified(verdict: &Verdict) -> Certification {
    let bundle = indexed(&contents(), &files());
    let contract = contract(verdict);
    let made = certify(&contract, verdict, Some(&bundle), &subject(verdict), now()).unwrap();
    assert_eq!(made.check(), []);
    assert_eq!(made.verify(&contract, verdict, Some(&bundle)), []);
    assert_eq!(
        Certification::read(&made.to_bytes().unwrap()).unwrap(),
        made
    );
    made
}

#[test]
fn only_a_verdict_whose_gates_pass_is_certified() {
    let verdict = good();
    let made = certified(&verdict);
    assert_eq!(
        (made.overall_verdict, made.blocking_reasons.len()),
        (Overall::Certified, 0)
    );
    assert!(!made.evidence_index.is_empty() && made.holds(now()));
    let made = certified(&bad());
    assert_eq!(made.overall_verdict, Overall::NotCertified);
    assert!(!made.blocking_reasons.is_empty() && !made.holds(now()));

    // Without the bundle, the artifact is missing.
    let contract = contract(&verdict);
    let made = certify(&contract, &verdict, None, &subject(&verdict), now()).unwrap();
    assert_eq!(made.overall_verdict, Overall::NotCertified);
    // A gate that the verdict does not have, or evidence that nobody showed.
    let mut other = contract.clone();
    other.hard_gates[0].pass_criteria = vec!["nowhere".into()];
    let bundle = indexed(&contents(), &files());
    let made = certify(&other, &verdict, Some(&bundle), &subject(&verdict), now()).unwrap();
    assert_eq!(made.overall_verdict, Overall::NotCertified);
    let mut other = contract;
    other.hard_gates[0].required_evidence = vec!["a letter".into()];
    let made = certify(&other, &verdict, Some(&bundle), &subject(&verdict), now()).unwrap();
    assert_eq!(made.overall_verdict, Overall::NotCertified);
}

#[test]
fn an_excused_gate_stays_failed() {
    let mut verdict = good();
    let id = gate(&verdict);
    let gate = verdict.gates.iter_mut().find(|g| g.id == id).unwrap();
    gate.raw = Status::Fail;
    gate.status = Status::Excused;
    verdict.verdict = Status::Excused;
    verdict.self_digest = verdict.digest();
    let made = certified(&verdict);
    assert_eq!(made.overall_verdict, Overall::NotCertified);
    assert!(made.hard_gate_results[0].waived);
    // Also where the whole verdict claims to pass.
    verdict.verdict = Status::Pass;
    verdict.self_digest = verdict.digest();
    assert_eq!(certified(&verdict).overall_verdict, Overall::NotCertified);
}

#[test]
fn a_verdict_about_something_else_is_refused() {
    let verdict = good();
    let contract = contract(&verdict);
    let bundle = indexed(&contents(), &files());
    let refuse = |verdict: &Verdict, bundle: &Bundle, subject: &Subject, at| {
        certify(&contract, verdict, Some(bundle), subject, at).unwrap_err()
    };
    let good_subject = subject(&verdict);
    let mut other = good_subject.clone();
    other.commit = "f".repeat(40);
    assert!(matches!(
        refuse(&verdict, &bundle, &other, now()),
        Refused::Other { .. }
    ));
    let mut other = good_subject.clone();
    other.tree = "git:other".into();
    assert!(matches!(
        refuse(&verdict, &bundle, &other, now()),
        Refused::Other { .. }
    ));
    let mut other = good_subject.clone();
    other.policy_digest = gonogo_core::Digest::of(b"other");
    assert!(matches!(
        refuse(&verdict, &bundle, &other, now()),
        Refused::Other { .. }
    ));
    let mut foreign = bundle.clone();
    foreign.git_ref = "f".repeat(40);
    assert!(matches!(
        refuse(&verdict, &foreign, &good_subject, now()),
        Refused::Other { .. }
    ));
    let mut changed = verdict.clone();
    changed.verdict = Status::Excused;
    assert!(matches!(
        refuse(&changed, &bundle, &good_subject, now()),
        Refused::Unbelievable { .. }
    ));
    changed.self_digest = None;
    assert!(matches!(
        refuse(&changed, &bundle, &good_subject, now()),
        Refused::Unbelievable { .. }
    ));
    let mut bare = verdict.clone();
    bare.commit = None;
    bare.self_digest = bare.digest();
    assert!(matches!(
        refuse(&bare, &bundle, &good_subject, now()),
        Refused::Other { .. }
    ));
    let early = "2026-06-01T00:00:00Z".parse().unwrap();
    assert!(matches!(
        refuse(&verdict, &bundle, &good_subject, early),
        Refused::Unbelievable { .. }
    ));
    if verdict.expires_at.is_some() {
        let late = "2027-06-15T12:00:00Z".parse().unwrap();
        assert!(matches!(
            refuse(&verdict, &bundle, &good_subject, late),
            Refused::Unbelievable { .. }
        ));
    }
    let head = format!("schema = \"{CONTRACT}\"\nlane = \"full\"\n");
    for text in [
        "",
        &head,
        &format!("{head}hard_gates = []"),
        &format!(
            "{head}[[hard_gates]]\ngate_id = \"G\"\ndomain = \"d\"\nblocking = true\nowner = \"o\"\npass_criteria = []\n"
        ),
        &format!(
            "{head}more = 1\n[[hard_gates]]\ngate_id = \"G\"\ndomain = \"d\"\nblocking = true\nowner = \"o\"\npass_criteria = [\"a\"]\n"
        ),
        &format!(
            "{head}[[hard_gates]]\ngate_id = \"G\"\ndomain = \"d\"\nblocking = true\nowner = \"o\"\npass_criteria = [\"a\"]\nfail_conditions = [\"NO_SUCH\"]\n"
        ),
    ] {
        assert!(Contract::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_certificate_that_was_changed_is_noticed() {
    let verdict = bad();
    let made = certified(&verdict);
    let mut lie = made.clone();
    lie.overall_verdict = Overall::Certified;
    assert!(!lie.check().is_empty() && !lie.holds(now()));
    lie.blocking_reasons.clear();
    assert!(!lie.check().is_empty());
    for result in &mut lie.hard_gate_results {
        result.status = gonogo_gate::contract::State::Pass;
        result.problems.clear();
    }
    // Consistent in itself by now, and still not what follows.
    let bundle = indexed(&contents(), &files());
    assert!(
        !lie.verify(&contract(&verdict), &verdict, Some(&bundle))
            .is_empty()
    );
}

fn asked(verdict: &Verdict) -> Dossier {
    let questions = [Question {
        question: "Do all tests pass?".into(),
        gates: vec![gate(verdict)],
    }];
    let certification = certified(verdict);
    let bundle = indexed(&contents(), &files());
    let made = dossier(
        &questions,
        verdict,
        Some(&certification),
        Some(&bundle),
        now(),
    )
    .unwrap();
    assert_eq!(made.check(), []);
    assert_eq!(
        made.verify(&questions, verdict, Some(&certification), Some(&bundle)),
        []
    );
    assert_eq!(Dossier::read(&made.to_bytes().unwrap()).unwrap(), made);
    made
}

#[test]
fn answers_follow_from_evidence() {
    let made = asked(&good());
    assert_eq!(
        (made.verdict, made.certification),
        (Closure::Pass, Some(Overall::Certified))
    );
    assert_eq!(made.closure_questions[0].answer, Answer::Yes);
    assert!(!made.closure_questions[0].evidence.is_empty());
    assert!(made.residual_gaps.is_empty());
    let made = asked(&bad());
    assert!(made.verdict >= Closure::Incomplete);
    assert!(made.closure_questions[0].answer > Answer::Yes && !made.residual_gaps.is_empty());
    // No question, or one that nothing answers, closes nothing.
    let verdict = good();
    let none = dossier(&[], &verdict, None, None, now()).unwrap();
    assert_eq!(none.verdict, Closure::Incomplete);
    for gates in [vec![], vec!["nowhere".to_owned()]] {
        let question = Question {
            question: "?".into(),
            gates,
        };
        let made = dossier(&[question], &verdict, None, None, now()).unwrap();
        assert_eq!(
            (made.verdict, made.closure_questions[0].answer),
            (Closure::Incomplete, Answer::Unknown)
        );
        assert_eq!(made.check(), []);
    }
    let other = certified(&bad());
    assert!(dossier(&[], &verdict, Some(&other), None, now()).is_err());
    let mut lie = asked(&bad());
    lie.verdict = Closure::Pass;
    assert!(!lie.check().is_empty());
}

#[test]
fn the_backlog_has_everything_that_is_not_good() {
    let verdict = bad();
    let mut runs: Vec<_> = inputs().runs.into_iter().map(|r| r.summary).collect();
    let made = backlog(std::slice::from_ref(&verdict), &runs, now());
    assert_eq!(made.check(), []);
    let open = verdict
        .gates
        .iter()
        .filter(|g| g.raw.max(g.status) != Status::Pass)
        .count() as u64;
    assert!(open > 0);
    assert_eq!(
        (made.summary.total_non_pass, made.summary.actionable),
        (open, open)
    );
    assert!(
        made.entries
            .iter()
            .all(|e| e.status == State::Actionable && e.kind == Kind::Gate)
    );
    assert_eq!(Backlog::read(&made.to_bytes().unwrap()).unwrap(), made);
    // Twice the same is once.
    assert_eq!(
        backlog(&[verdict.clone(), verdict], &runs, now()).entries,
        made.entries
    );
    for run in &mut runs {
        for target in run.unit_targets.iter_mut().chain(&mut run.suites) {
            let text = "the report and the exit code contradict each other";
            target.problems.push(gonogo_suite::run::Problem::new(
                Reason::ExitCodeConflict,
                text,
            ));
        }
    }
    let made = backlog(&[], &runs, now());
    assert_eq!(made.check(), []);
    assert!(
        made.entries
            .iter()
            .any(|e| e.kind == Kind::Target && e.owner == "team")
    );
    let mut lie = made.clone();
    lie.entries.pop();
    assert!(!lie.check().is_empty());
    let mut lie = made.clone();
    lie.summary.actionable = 0;
    assert!(!lie.check().is_empty());
    let mut lie = made;
    lie.entries.reverse();
    assert!(lie.entries.len() < 2 || !lie.check().is_empty());
    assert!(!backlog(&[], &[], now()).check().is_empty());
}

#[test]
fn every_required_platform_must_be_shown() {
    let inputs = inputs();
    let tree = inputs.subject.tree.clone();
    let mut linux = inputs.runs[0].summary.clone();
    linux.variant.insert("os".into(), "linux".into());
    let platform = |os: &str, required| Platform {
        name: os.into(),
        variant: BTreeMap::from([("os".to_owned(), os.to_owned())]),
        required,
        profile: linux.profile.clone(),
    };
    let made = |wanted: &[Platform], runs: &[gonogo_suite::run::Summary]| {
        let made = matrix(&tree, wanted, runs, &inputs.manifest, now());
        assert_eq!(made.check(), []);
        assert_eq!(Matrix::read(&made.to_bytes().unwrap()).unwrap(), made);
        made
    };
    let runs = [linux.clone()];
    let all = made(&[platform("linux", true), platform("macos", false)], &runs);
    assert!(all.all_required_pass, "{all:?}");
    let both = made(&[platform("linux", true), platform("macos", true)], &runs);
    assert_eq!((both.all_required_pass, both.status), (false, Status::Hold));
    assert_eq!(both.platforms[1].reasons, [Reason::EvidenceMissing]);
    assert_eq!(made(&[], &runs).status, Status::Invalid);
    assert!(!made(&[platform("macos", false)], &runs).all_required_pass);
    let other = gonogo_core::Digest::of(b"another configuration");
    for change in [
        |run: &mut gonogo_suite::run::Summary, other| run.declared = Some(other),
        |run: &mut gonogo_suite::run::Summary, _| run.declared = None,
        |run: &mut gonogo_suite::run::Summary, _| {
            run.selected.pop();
        },
    ] {
        let mut run = linux.clone();
        change(&mut run, other);
        assert!(!made(&[platform("linux", true)], &[run]).all_required_pass);
    }
    let broken = |change: &dyn Fn(&mut gonogo_suite::run::Summary)| {
        let mut run = linux.clone();
        change(&mut run);
        // A red one beside a green one counts.
        let found = made(&[platform("linux", true)], &[linux.clone(), run]);
        assert!(!found.all_required_pass);
        found.platforms[0].reasons.clone()
    };
    assert!(broken(&|run| run.state = RunState::Partial).contains(&Reason::RunIncomplete));
    assert!(
        broken(&|run| run.source.tree_after = Some("git:2".into())).contains(&Reason::TreeChanged)
    );
    assert!(
        broken(&|run| run.timestamp = "2027-01-01T00:00:00Z".parse().unwrap())
            .contains(&Reason::ClockSkew)
    );
    broken(&|run| run.tests.passed = 0);
    broken(&|run| run.status = Status::Fail);
    let mut elsewhere = linux.clone();
    elsewhere.source.tree = "git:2".into();
    let found = made(&[platform("linux", true)], &[elsewhere]);
    assert_eq!(found.platforms[0].reasons, [Reason::EvidenceWrongTree]);
    let mut any = platform("linux", true);
    any.variant.clear();
    assert!(!made(&[any], &runs).all_required_pass);
    let mut lie = both;
    lie.all_required_pass = true;
    assert!(!lie.check().is_empty());
}
