//! Cases that need no runner: which command comes of which declared one, and what is made of what a replay showed.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp, Verdict as Judged};
use gonogo_suite::propose::propose;
use gonogo_suite::replay::{
    Environment, FailedGate, Level, Observed, Origin, Reference, Replay, Replays, Runner,
    Selection, Source, Verdict, bundle, compare, replay, replay_target, rerun,
};
use gonogo_suite::run::Collisions;
use gonogo_suite::run::{
    Attempted, Class, End, Input, Problem, Row, SUMMARY, State, Summary, TargetResult, judge,
};
use gonogo_suite::{Failure, FailureKind, Parse, Signature, TestId, TestVerdict};

pub(crate) type Tree = BTreeMap<String, Vec<u8>>;

pub(crate) fn tree(files: &[(&str, &str)]) -> Tree {
    files
        .iter()
        .map(|(path, said)| ((*path).to_owned(), said.as_bytes().to_vec()))
        .collect()
}

pub(crate) fn row(suite: &str, class: &str, name: &str) -> Row {
    let failure = Failure {
        kind: FailureKind::Assertion,
        message: "expected a, got b".into(),
        ..Failure::default()
    };
    Row {
        target: "unit".into(),
        test: TestId::new(suite, class, name),
        verdict: TestVerdict::Failed,
        attempts: 1,
        seconds: None,
        cached: false,
        skip: None,
        skipped: None,
        file: None,
        signature: Some(Signature::of(&failure)),
        cause: None,
        failure: Some(failure),
        output: String::new(),
        owner: None,
    }
}

pub(crate) fn origin(command: &str, format: &str) -> Origin {
    Origin {
        target: "unit".into(),
        command: command.split(' ').map(str::to_owned).collect(),
        dir: ".".into(),
        format: format.into(),
        root: Some("/work/p".into()),
        artifact_dir: ".gonogo/runs/suite/7".into(),
        min_tests: 1,
        ..Origin::default()
    }
}

pub(crate) fn of(command: &str, format: &str, row: &Row, files: &Tree) -> Replays {
    replay(&origin(command, format), row, files)
}

/// The line for a shell and its level.
pub(crate) fn line(replays: &Replays) -> (Level, String) {
    let best = replays.best();
    assert!(!best.why_this_level.is_empty());
    assert_eq!(
        best.proves_selection.min_tests,
        u64::from(best.proves_selection.format != "command")
    );
    (best.level, best.shell.clone())
}

#[test]
fn names_that_reports_cut_are_never_guessed() {
    let long = "x".repeat(600);
    let replays = of(
        "go test -json ./...",
        "go",
        &row("m", "", &format!("Test{long}")),
        &Tree::new(),
    );
    assert!(replays.test.is_none());
    assert!(replays.best().why_this_level.contains("cut"));
    let none = of("", "junit", &row("s", "", "t"), &Tree::new());
    assert_eq!(none.best().level, Level::Target);
}

#[test]
fn directories_environment_and_reports_are_settled() {
    let mut origin = origin(
        "pytest --junitxml=.gonogo/runs/suite/7/unit/out.xml --rootdir=/work/p --report-log /work/p/.gonogo/runs/suite/7/l.jsonl",
        "junit",
    );
    origin.dir = "py".into();
    origin.command[1] = "--junitxml=../.gonogo/runs/suite/7/unit/out.xml".into();
    origin.reports = vec!["py/out.xml".into()];
    origin.env = [
        ("TZ", "UTC +1"),
        ("API_TOKEN", "s3cret"),
        ("URL", "https://u:p@h"),
    ]
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .into();
    origin.seed = Some(7);
    let files = tree(&[("py/tests/test_a.py", "")]);
    let replay = replay(&origin, &row("tests/test_a.py", "", "test a"), &files)
        .test
        .unwrap();
    assert_eq!(
        replay.shell,
        "cd py && env TZ='UTC +1' pytest --junitxml=gonogo-replay-1.xml --rootdir=.. --report-log gonogo-replay-4.jsonl 'tests/test_a.py::test a'"
    );
    assert_eq!(replay.withheld, ["API_TOKEN", "URL"]);
    assert_eq!(
        replay.proves_selection.reports,
        ["py/gonogo-replay-1.xml", "py/gonogo-replay-4.jsonl"]
    );
    let json = serde_json::to_string(&replay).unwrap();
    assert!(!json.contains("s3cret") && !json.contains("u:p@h"));
    let back: Replay = serde_json::from_str(&json).unwrap();
    assert_eq!(back, replay);
    origin.dir = "../out".into();
    let out = gonogo_suite::replay::replay(&origin, &row("tests/test_a.py", "", "t"), &files);
    assert!(out.test.is_none() && out.target.why_this_level.contains("outside"));
}

pub(crate) fn observed<'a>(end: &'a End, rows: &'a [Row], problems: &'a [Problem]) -> Observed<'a> {
    Observed {
        end,
        rows,
        problems,
        shown: None,
        log: "testing: warning: no tests to run",
        roots: ("/clean/q", "/work/p"),
    }
}

#[test]
fn what_did_not_run_is_never_a_pass() {
    let failed = row("m", "", "TestX");
    let replay = of("go test -json ./...", "go", &failed, &Tree::new())
        .test
        .unwrap();
    let with = |change: fn(&mut Row)| {
        let mut row = failed.clone();
        change(&mut row);
        row
    };
    let pass = with(|r| {
        (r.verdict, r.failure, r.signature) = (TestVerdict::Passed, None, None);
    });
    let other = with(|r| r.test.name = "TestY".into());
    let code = |code| End::Exited { code };
    let cut = [Problem::new(Reason::EvidenceTruncated, "cut")];
    let word = |end: End, rows: &[Row], problems: &[Problem]| {
        compare(&replay, observed(&end, rows, problems))
            .verdict
            .word()
            .to_owned()
    };
    let same = std::slice::from_ref(&failed);
    let green = std::slice::from_ref(&pass);
    for (what, expected, end, rows, problems) in [
        ("the same", "reproduced", code(1), same, &[][..]),
        ("passes", "passed", code(0), green, &[]),
        ("no row", "cannot_run", code(0), &[], &[]),
        (
            "another test",
            "cannot_run",
            code(1),
            std::slice::from_ref(&other),
            &[],
        ),
        ("green and red", "cannot_run", code(1), green, &[]),
        ("red and green", "cannot_run", code(0), same, &[]),
        ("cut", "cannot_run", code(0), green, &cut),
        (
            "killed",
            "cannot_run",
            End::Signalled { signal: 9 },
            green,
            &[],
        ),
        (
            "timed out",
            "cannot_run",
            End::TimedOut { after_ms: 1 },
            same,
            &[],
        ),
        ("cancelled", "cannot_run", End::Cancelled, green, &[]),
        (
            "never started",
            "cannot_run",
            End::NotStarted { why: "no".into() },
            &[],
            &[],
        ),
        (
            "of a cache",
            "cannot_run",
            code(0),
            &[with(|r| {
                (r.verdict, r.cached) = (TestVerdict::Passed, true)
            })],
            &[],
        ),
        (
            "skipped",
            "cannot_run",
            code(0),
            &[with(|r| r.verdict = TestVerdict::Skipped)],
            &[],
        ),
        (
            "missing",
            "cannot_run",
            code(1),
            &[with(|r| r.verdict = TestVerdict::Missing)],
            &[],
        ),
        (
            "of no signature",
            "different_signature",
            code(1),
            &[with(|r| r.signature = None)],
            &[],
        ),
        (
            "of another algorithm",
            "cannot_run",
            code(1),
            &[with(|r| {
                r.signature.as_mut().unwrap().algorithm = "reason.v0".into()
            })],
            &[],
        ),
        (
            "another failure",
            "different_signature",
            code(1),
            &[with(|r| r.signature.as_mut().unwrap().hash = "x".into())],
            &[],
        ),
    ] {
        assert_eq!(word(end, rows, problems), expected, "{what}");
    }
    let nothing = compare(&replay, observed(&code(0), &[], &[]));
    assert!(
        matches!(&nothing.verdict, Verdict::CannotRun { why } if why.contains("no tests to run")),
        "{:?}",
        nothing.verdict
    );
    let both = compare(&replay, observed(&code(1), &[failed.clone(), other], &[]));
    assert_eq!((both.ran, both.beside.len()), (2, 1));
    let json = serde_json::to_string(&both).unwrap();
    let back: gonogo_suite::replay::ReplayResult = serde_json::from_str(&json).unwrap();
    assert_eq!(back, both);
    // Files are compared below the directory in which each was run.
    let js = row("/work/p/src/a.test.js", "", "c");
    let replay = of(
        "npx jest --json",
        "jest",
        &js,
        &tree(&[("src/a.test.js", "")]),
    )
    .test
    .unwrap();
    let mut there = js.clone();
    there.test.suite = "/clean/q/src/a.test.js".into();
    let end = code(1);
    assert_eq!(
        compare(&replay, observed(&end, &[there], &[]))
            .verdict
            .word(),
        "reproduced"
    );
}

#[test]
fn a_crash_that_was_the_failure_is_reproduced() {
    let mut crashed = row("m", "", "TestX");
    crashed.failure.as_mut().unwrap().kind = FailureKind::Crash;
    let replay = of("go test -json ./...", "go", &crashed, &Tree::new())
        .test
        .unwrap();
    let end = End::Signalled { signal: 11 };
    let result = compare(&replay, observed(&end, std::slice::from_ref(&crashed), &[]));
    assert_eq!(result.verdict.word(), "reproduced");
}

pub(crate) fn result(
    name: &str,
    class: Class,
    format: &str,
    end: End,
    rows: &[Row],
) -> TargetResult {
    let input = Input {
        path: "r".into(),
        from: None,
        resolved: None,
        sha256: gonogo_core::Digest::of(b""),
        bytes: 0,
        format: format.into(),
        parse: Parse::Whole,
        declared: None,
        attempts: 0,
        issues: Vec::new(),
        issues_omitted: 0,
    };
    let attempted = Attempted {
        target: name.into(),
        class,
        correlation_id: "c".into(),
        blocking: true,
        owner: None,
        command: vec!["make".into(), name.into()],
        dir: ".".into(),
        format: format.into(),
        min_tests: 1,
        min_duration_ms: None,
        end,
        duration_ms: 1,
        ended_at: Timestamp::from_millis(0),
        inputs: vec![input],
        problems: Vec::new(),
        home: name.into(),
    };
    judge(attempted, &Collisions::default(), rows)
}

fn summary(results: Vec<TargetResult>) -> Summary {
    let mut summary = Summary {
        schema: SUMMARY.into(),
        timestamp: Timestamp::from_millis(0),
        profile: "ci".into(),
        rerun_from: None,
        diff_from: None,
        artifact_dir: "d".into(),
        correlation_id: "c".into(),
        shard: None,
        total_units: 0,
        passed_units: 0,
        failed_units: 0,
        failed_unit_names: Vec::new(),
        total_suites: 0,
        passed_suites: 0,
        failed_suites: 0,
        failed_names: Vec::new(),
        build: Vec::new(),
        lint: Vec::new(),
        unit_targets: Vec::new(),
        suites: Vec::new(),
        run_id: "run".into(),
        project: "p".into(),
        source: gonogo_suite::run::Source::default(),
        variant: BTreeMap::new(),
        state: State::Complete,
        started_at: Timestamp::from_millis(0),
        duration_ms: 1,
        selected: results.iter().map(|r| r.target.clone()).collect(),
        problems: Vec::new(),
        tests: gonogo_suite::run::Tests::default(),
        status: Judged::Pass,
        reasons: Vec::new(),
        runner_outcome: None,
        declared: None,
        evidence_contract: None,
        quarantined: None,
    };
    summary.fill(results);
    summary
}

fn passing(name: &str) -> Row {
    let mut row = row("s", "", name);
    (row.verdict, row.failure, row.signature) = (TestVerdict::Passed, None, None);
    row
}

fn mixed() -> Summary {
    let code = |code| End::Exited { code };
    let mut missing = passing("gone");
    missing.verdict = TestVerdict::Missing;
    summary(vec![
        result("good", Class::Unit, "junit", code(0), &[passing("a")]),
        result(
            "lint",
            Class::Lint,
            "command",
            code(1),
            &[row("", "", "lint")],
        ),
        result(
            "build",
            Class::Build,
            "command",
            code(2),
            &[row("", "", "build")],
        ),
        result(
            "unit",
            Class::Unit,
            "junit",
            code(1),
            &[passing("a"), row("s", "", "b")],
        ),
        result("odd", Class::Unit, "junit", code(1), &[passing("a")]),
        result(
            "gone",
            Class::Recorded,
            "junit",
            code(1),
            &[row("s", "", "b"), missing],
        ),
        result(
            "dead",
            Class::E2e,
            "junit",
            End::Signalled { signal: 9 },
            &[passing("a")],
        ),
        result("end", Class::E2e, "junit", code(1), &[row("s", "", "e")]),
    ])
}

#[test]
fn every_kind_of_failure_is_selected_again() {
    let Selection::Rerun { targets, .. } = rerun(&mixed(), &[]).unwrap() else {
        panic!("there are failures");
    };
    let told: Vec<(&str, usize)> = targets
        .iter()
        .map(|t| (t.target.as_str(), t.tests.len()))
        .collect();
    assert_eq!(
        told,
        [
            ("build", 0),
            ("lint", 0),
            ("unit", 1),
            ("odd", 0),
            ("gone", 0),
            ("dead", 0),
            ("end", 1)
        ]
    );
    assert!(
        targets
            .iter()
            .all(|t| !t.reasons.is_empty() && !t.why.is_empty())
    );
    let good = || {
        result(
            "good",
            Class::Unit,
            "junit",
            End::Exited { code: 0 },
            &[passing("a")],
        )
    };
    assert_eq!(
        rerun(&summary(vec![good()]), &[]).unwrap(),
        Selection::NothingToRerun
    );
    assert_eq!(
        serde_json::to_string(&Selection::NothingToRerun).unwrap(),
        r#"{"result":"nothing_to_rerun"}"#
    );
    let gate = FailedGate {
        gate_id: "g".into(),
        gate_name: "G".into(),
        reproduce_command: vec!["gonogo".into()],
    };
    assert!(
        matches!(rerun(&summary(vec![good()]), &[gate]).unwrap(), Selection::Rerun { targets, gates, .. } if targets.is_empty() && gates.len() == 1)
    );
    // A run that is wrong as a whole, one that was ended, one without targets, one that contradicts itself.
    let mut changed = summary(vec![good()]);
    changed
        .problems
        .push(Problem::new(Reason::TreeChanged, "changed"));
    changed.count();
    assert!(
        matches!(rerun(&changed, &[]).unwrap(), Selection::Rerun { targets, .. } if targets.len() == 1)
    );
    let mut cancelled = summary(vec![good()]);
    cancelled.state = State::Cancelled;
    assert!(
        matches!(rerun(&cancelled, &[]).unwrap(), Selection::Rerun { targets, .. } if targets.len() == 1)
    );
    assert!(rerun(&summary(vec![]), &[]).is_err());
    let mut lies = mixed();
    lies.failed_unit_names.clear();
    let refused = rerun(&lies, &[]).unwrap_err();
    assert!(
        refused.to_string().contains("contradicts itself"),
        "{refused}"
    );
}

#[test]
fn a_bundle_computes_whether_its_commands_are_about_something() {
    let summary = mixed();
    let whole: BTreeMap<String, Replay> = summary
        .targets()
        .filter(|t| t.status != Judged::Pass)
        .map(|t| {
            (
                t.target.clone(),
                replay_target(&Origin::of(t), t, &Tree::new()),
            )
        })
        .collect();
    assert_eq!(
        whole["dead"].expects.end,
        Some(End::Signalled { signal: 9 })
    );
    assert_eq!(whole["lint"].expects.end, Some(End::Exited { code: 1 }));
    assert_eq!(whole["odd"].expects.reasons, [Reason::ExitCodeConflict]);
    assert_eq!(whole["lint"].runner, Runner::Command);
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (all, one) = (
        words("gonogo suite rerun --from d/summary.json"),
        words("gonogo suite run --target"),
    );
    let gates = [FailedGate {
        gate_id: "g".into(),
        gate_name: "G".into(),
        reproduce_command: words("gonogo gate check"),
    }];
    let (replays, digests, environment) =
        (BTreeMap::new(), BTreeMap::new(), Environment::default());
    let source = Source {
        at: Timestamp::from_millis(0),
        summary_path: "d/summary.json",
        one_command: &all,
        one_target: &one,
        replays: &replays,
        targets: &whole,
        gates: &gates,
        digests: &digests,
        environment: &environment,
    };
    let good = bundle(&summary, source, &|_| true);
    assert!(good.summary.all_commands_reference_valid_targets);
    let totals = (
        good.summary.total_failed_suites,
        good.summary.total_failed_units,
        good.summary.total_failed_gates,
    );
    assert_eq!(totals, (2, 5, 1));
    let unit = good
        .failed_unit_targets
        .iter()
        .find(|u| u.target == "unit")
        .unwrap();
    assert_eq!(
        (unit.target_replay.as_str(), unit.runner_replay.as_str()),
        ("make unit", "gonogo suite run --target unit")
    );
    let without = bundle(&summary, source, &|r| {
        r != Reference::Target("unit") && r != Reference::Gate("g")
    });
    assert!(!without.summary.all_commands_reference_valid_targets);
    assert_eq!(
        without.summary.invalid_references,
        ["gate g", "target unit"]
    );
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(
        serde_json::from_str::<gonogo_suite::replay::Bundle>(&json).unwrap(),
        good
    );
}

#[test]
fn a_plain_command_is_compared_by_its_end() {
    let lint = result(
        "lint",
        Class::Lint,
        "command",
        End::Exited { code: 1 },
        &[row("", "", "lint")],
    );
    let replay = replay_target(&Origin::of(&lint), &lint, &Tree::new());
    let rows = lint.bad.clone();
    for (code, rows, expected) in [
        (1, &rows[..], "reproduced"),
        (0, &[], "passed"),
        (127, &[], "cannot_run"),
        (2, &[], "different_signature"),
    ] {
        let end = End::Exited { code };
        assert_eq!(
            compare(&replay, observed(&end, rows, &[])).verdict.word(),
            expected,
            "{code}"
        );
    }
}

#[test]
fn proposals_follow_what_is_there() {
    let mixed = tree(&[
        ("Cargo.toml", "[package]\nname = \"a\""),
        ("Cargo.lock", ""),
        (
            ".config/nextest.toml",
            "[profile.ci.junit]\npath = \"junit.xml\"",
        ),
        (
            "Makefile",
            "build: x\n\tcc\nVAR := 1\ntest:\n\tmake all\ne2e: ; ./e2e.sh\n",
        ),
        (
            "web/package.json",
            "{\"scripts\":{\"test\":\"vitest\",\"lint\":\"eslint .\"},\"devDependencies\":{\"vitest\":\"3\"}}",
        ),
        ("web/pnpm-lock.yaml", ""),
        (
            "web/node_modules/x/package.json",
            "{\"scripts\":{\"test\":\"jest\"}}",
        ),
        (
            "py/pyproject.toml",
            "[tool.pytest.ini_options]\n[tool.ruff]\n[dependency-groups]\ndev = [\"pytest-reportlog\"]",
        ),
        ("services/api/go.mod", "module m"),
        ("crates/b/Cargo.toml", "[package]\nname = \"b\""),
    ]);
    let proposal = propose(&mixed);
    let told: Vec<String> = proposal
        .targets
        .iter()
        .map(|t| {
            format!(
                "{} {} {} {}",
                t.class.word(),
                t.name,
                t.dir,
                t.command.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(format!("{}\n\n{}", told.join("\n"), proposal.to_toml()));
    let table: toml::Table = proposal.to_toml().parse().unwrap();
    assert_eq!(
        table["suites"].as_table().unwrap().len(),
        proposal.targets.len()
    );
    assert_eq!(table["profiles"].as_table().unwrap().len(), 4);
    let empty = propose(&tree(&[("README.md", "make test")]));
    assert!(empty.targets.is_empty() && empty.profiles.is_empty());
    assert!(empty.notes[0].contains("nothing is recognised"));
    assert!(empty.to_toml().parse::<toml::Table>().unwrap().is_empty());
    // What cannot be read is said, and nothing is made of it.
    let broken = propose(&tree(&[
        ("Cargo.toml", "[package"),
        ("package.json", "{"),
        ("pyproject.toml", "x = ["),
        ("Makefile", "test\n:"),
    ]));
    assert!(broken.targets.is_empty());
    assert_eq!(broken.notes.len(), 4, "{:?}", broken.notes);
    let odd = propose(&tree(&[(
        "a b\"/package.json",
        "{\"scripts\":{\"test\":\"x\\ny ''' \\u0000\"}}",
    )]));
    assert_eq!(
        odd.to_toml().parse::<toml::Table>().unwrap()["suites"]
            .as_table()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn what_a_makefile_runs_in_a_directory_below_is_not_proposed_twice() {
    let of = |top: &str| {
        let proposal = propose(&tree(&[
            ("Makefile", top),
            ("lib/a/Makefile", "test:\n\t./t.sh\n"),
        ]));
        let names: Vec<String> = proposal.targets.into_iter().map(|t| t.name).collect();
        names.join(" ")
    };
    for top in [
        "test:\n\t$(MAKE) -C lib/a test\n",
        "test:\n\t@${MAKE} --directory=./lib/a/ test\n",
        "test:\n\tcd x && make -s -C lib/a; true\n",
        "DIRS = lib/a other\ntest:\n\tfor d in $(DIRS); do $(MAKE) -C $$d test; done\n",
    ] {
        assert_eq!(of(top), "make-test", "{top}");
    }
    for top in [
        "test:\n\t./other.sh lib/a\n",
        "test:\n\t$(MAKE) -C lib/b test\n",
        "test:\n\ttar -C lib/a -x\n",
    ] {
        assert_eq!(of(top), "make-test lib-a-make-test", "{top}");
    }
}
