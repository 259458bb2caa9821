//! One real project for each runner.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use gonogo_suite::propose::propose;
use gonogo_suite::replay::{Level, Verdict};
use gonogo_suite::run::Row;
use gonogo_testkit::{lacks, skip};

use crate::project::{Disk, Project, copy, temporary};

fn none(_: &Row, _: &Row) -> bool {
    false
}

#[test]
fn cargo() {
    let root = temporary("cargo");
    copy("cargo", &root);
    let command = [
        "cargo",
        "test",
        "--offline",
        "--workspace",
        "--features",
        "alpha/extra",
        "--no-fail-fast",
        "-q",
        "--",
        "--test-threads=2",
    ];
    let mut project = Project::new(&root, &command, "libtest", &[]);
    let target = temporary("cargo-target");
    project
        .env
        .insert("CARGO_TARGET_DIR".into(), target.to_str().unwrap().into());
    // `-q` leaves the names of passing tests out of the report; what is replayed is read from a full one.
    project.origin.command.retain(|word| word != "-q");
    assert_eq!(project.prove(none), 11);
    project.prove_that_nothing_is_no_pass();
}

#[test]
fn nextest() {
    if let Some(why) = lacks("cargo-nextest", &["--version"]) {
        return skip("replays of cargo nextest", &why);
    }
    let root = temporary("nextest");
    copy("cargo", &root);
    std::fs::create_dir_all(root.join(".config")).unwrap();
    std::fs::write(
        root.join(".config/nextest.toml"),
        "[profile.ci.junit]\npath = \"junit.xml\"\n",
    )
    .unwrap();
    let command = [
        "cargo",
        "nextest",
        "run",
        "--offline",
        "--workspace",
        "--features",
        "alpha/extra",
        "--no-fail-fast",
        "--profile",
        "ci",
    ];
    let mut project = Project::new(&root, &command, "junit", &["target/nextest/ci/junit.xml"]);
    project.env.insert(
        "CARGO_TARGET_DIR".into(),
        root.join("target").to_str().unwrap().into(),
    );
    // No documentation tests.
    assert_eq!(project.prove(none), 10);
    project.prove_that_nothing_is_no_pass();
}

/// Packages of an index, installed once; `None` and a word about it where they cannot be had.
fn installed(what: &str, is_there: &Path, command: &mut Command) -> Option<()> {
    if is_there.exists() {
        return Some(());
    }
    let out = match command.output() {
        Ok(out) => out,
        Err(e) => {
            skip(
                what,
                &format!("{:?} cannot be started: {e}", command.get_program()),
            );
            return None;
        }
    };
    if !out.status.success() {
        let said = String::from_utf8_lossy(&out.stderr);
        let last = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .unwrap_or("it says nothing");
        skip(what, &format!("its packages cannot be installed: {last}"));
        return None;
    }
    assert!(
        is_there.exists(),
        "{} was installed and is not there",
        is_there.display()
    );
    Some(())
}

fn python(what: &str) -> Option<PathBuf> {
    if let Some(why) = lacks("python3", &["--version"]) {
        skip(what, &why);
        return None;
    }
    let home = temporary("python");
    let line = "python3 -m venv \"$0\" && \"$0/bin/pip\" install -q pytest==9.1.0 pytest-reportlog==1.0.0 pytest-xdist && touch \"$0/done\"";
    installed(
        what,
        &home.join("done"),
        Command::new("sh").arg("-c").arg(line).arg(&home),
    )?;
    Some(home.join("bin"))
}

fn pytest_project(
    what: &str,
    name: &str,
    args: &[&str],
    format: &str,
    reports: &[&str],
) -> Option<Project> {
    let bin = python(what)?;
    let root = temporary(name);
    copy("pytest", &root);
    let program = bin.join("python");
    let command = [&[program.to_str().unwrap(), "-m", "pytest"], args].concat();
    Some(Project::new(&root, &command, format, reports))
}

#[test]
fn pytest_by_its_log() {
    let args = [
        "-q",
        "-m",
        "slow or not slow",
        "--report-log=.gonogo/runs/suite/1/log.jsonl",
        "--continue-on-collection-errors",
        "--maxfail=100",
        "-n2",
        "-k",
        "not passes",
        "tests",
    ];
    let Some(mut project) = pytest_project(
        "replays of pytest",
        "pytest-log",
        &args,
        "pytest-log",
        &[".gonogo/runs/suite/1/log.jsonl"],
    ) else {
        return;
    };
    std::fs::create_dir_all(project.root.join(".gonogo/runs/suite/1")).unwrap();
    assert_eq!(project.prove(none), 21);
    project.prove_that_nothing_is_no_pass();
    // From a directory below pytest's root, ids are still those of its root.
    project.origin.dir = "tests".into();
    project.origin.command.retain(|word| word != "tests");
    for word in &mut project.origin.command {
        *word = word.replace("=.gonogo", "=../.gonogo");
    }
    project.prove_some();
}

#[test]
fn pytest_by_its_junit_report() {
    let args = [
        "--junitxml=out/report.xml",
        "-x",
        "--maxfail=100",
        "--continue-on-collection-errors",
    ];
    let Some(project) = pytest_project(
        "replays of pytest's JUnit",
        "pytest-junit",
        &args,
        "junit",
        &["out/report.xml"],
    ) else {
        return;
    };
    assert_eq!(project.prove(none), 21);
    project.prove_that_nothing_is_no_pass();
}

fn node(what: &str) -> Option<PathBuf> {
    if let Some(why) = lacks("npm", &["--version"]) {
        skip(what, &why);
        return None;
    }
    static ONCE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _once = ONCE.lock().unwrap();
    let home = temporary("node");
    let line = "mkdir -p \"$0\" && cd \"$0\" && echo '{\"private\":true}' > package.json && npm install --no-audit --no-fund --silent jest@29.7.0 vitest@3.2.4 && touch done";
    installed(
        what,
        &home.join("done"),
        Command::new("sh").arg("-c").arg(line).arg(&home),
    )?;
    Some(home)
}

fn node_project(
    what: &str,
    fixture: &str,
    name: &str,
    command: &[&str],
    format: &str,
    report: &str,
) -> Option<Project> {
    let home = node(what)?;
    let root = home.join(name);
    copy(fixture, &root);
    Some(Project::new(&root, command, format, &[report]))
}

#[test]
fn jest() {
    let command = [
        "../node_modules/.bin/jest",
        "--json",
        "--outputFile=out.json",
        "--ci",
        "--verbose",
        "--bail=100",
        "src",
    ];
    let Some(mut project) = node_project(
        "replays of jest",
        "jest",
        "jest",
        &command,
        "jest",
        "out.json",
    ) else {
        return;
    };
    assert_eq!(project.prove(none), 12);
    project.prove_that_nothing_is_no_pass();
    // By the project's own script.
    project.origin.command = ["npm", "test", "--", "--json", "--outputFile=out.json"]
        .map(str::to_owned)
        .to_vec();
    project.prove_some();
    // A line of a shell selects what nobody knows: the target as a whole.
    project.origin.command = ["npm", "run", "all", "--", "--json"]
        .map(str::to_owned)
        .to_vec();
    let row = project
        .run()
        .rows
        .into_iter()
        .find(|row| !row.verdict.is_good());
    assert!(row.is_none(), "the line hands nothing on to jest");
}

#[test]
fn vitest_by_json() {
    let command = [
        "../node_modules/.bin/vitest",
        "run",
        "--reporter=json",
        "--outputFile=out.json",
        "--bail=100",
        "src",
    ];
    let Some(mut project) = node_project(
        "replays of vitest",
        "vitest",
        "vitest",
        &command,
        "jest",
        "out.json",
    ) else {
        return;
    };
    assert_eq!(project.prove(none), 12);
    project.prove_that_nothing_is_no_pass();
    project.origin.command = [
        "npm",
        "test",
        "--",
        "--reporter=json",
        "--outputFile=out.json",
    ]
    .map(str::to_owned)
    .to_vec();
    project.prove_some();
}

#[test]
fn vitest_by_junit() {
    let command = [
        "npx",
        "--no-install",
        "vitest",
        "--reporter=junit",
        "--outputFile.junit=out.xml",
    ];
    let Some(project) = node_project(
        "replays of vitest's JUnit",
        "vitest",
        "vitest-junit",
        &command,
        "junit",
        "out.xml",
    ) else {
        return;
    };
    assert_eq!(project.prove(none), 12);
    project.prove_that_nothing_is_no_pass();
}

#[test]
fn go() {
    if let Some(why) = lacks("go", &["version"]) {
        return skip("replays of go test", &why);
    }
    let root = temporary("go");
    copy("go", &root);
    let mut project = Project::new(
        &root,
        &[
            "go",
            "test",
            "-json",
            "-vet=off",
            "-v",
            "-failfast=false",
            "-run",
            ".",
            "./...",
        ],
        "go",
        &[],
    );
    project.env.insert("GOFLAGS".into(), "-mod=mod".into());
    // A test runs with what it is in, and with what is in it.
    let kin = |row: &Row, other: &Row| {
        let (a, b) = (&row.test.name, &other.test.name);
        row.test.suite == other.test.suite
            && (a.starts_with(&format!("{b}/")) || b.starts_with(&format!("{a}/")))
    };
    let shown = project.prove(kin);
    assert!(shown >= 24, "{shown}");
    project.prove_that_nothing_is_no_pass();
    project.origin.dir = "calc".into();
    project.origin.command.retain(|word| word != "./...");
    let row = project
        .run()
        .rows
        .into_iter()
        .find(|row| row.test.name == "TestFails")
        .unwrap();
    let replays = project.replays(&row);
    let suite = replays.suite.as_ref().unwrap();
    let ran = project.again(suite);
    let result = project.compare(suite, &ran);
    assert_eq!(
        (suite.level, result.verdict.word()),
        (Level::Suite, "reproduced")
    );
    assert!(result.beside.len() > 5);
    // A failure of another kind than the one that was recorded.
    let mut other = replays.best().clone();
    other.expects.signature.as_mut().unwrap().hash = "0".repeat(32);
    let result = project.compare(&other, &project.again(&other));
    assert!(
        matches!(&result.verdict, Verdict::DifferentSignature { text, .. } if text.contains("plain")),
        "{:?}",
        result.verdict
    );
}

/// What is proposed for a project is run, and its report read: its failures are there.
fn prove_the_proposal(root: &Path, target: &str, failures: usize, path: Option<&Path>) {
    let proposal = propose(&Disk(root.to_owned()));
    let names: Vec<&str> = proposal.targets.iter().map(|t| t.name.as_str()).collect();
    let target = proposal
        .targets
        .iter()
        .find(|t| t.name == target)
        .unwrap_or_else(|| panic!("{names:?}"));
    let command: Vec<&str> = target.command.iter().map(String::as_str).collect();
    // As a suite's are: relative to its directory.
    let reports: Vec<String> = target
        .reports
        .iter()
        .map(|path| Path::new(&target.dir).join(path).display().to_string())
        .collect();
    let reports: Vec<&str> = reports.iter().map(String::as_str).collect();
    let mut project = Project::new(root, &command, &target.format, &reports);
    project.origin.dir.clone_from(&target.dir);
    if let Some(path) = path {
        let old = std::env::var("PATH").unwrap_or_default();
        project
            .env
            .insert("PATH".into(), format!("{}:{old}", path.display()));
    }
    project.env.insert(
        "CARGO_TARGET_DIR".into(),
        temporary("cargo-target").to_str().unwrap().into(),
    );
    let ran = project.run();
    let bad = ran.rows.iter().filter(|row| !row.verdict.is_good()).count();
    assert_eq!(
        bad, failures,
        "{command:?}: {:?}: {}",
        ran.problems, ran.log
    );
    assert!(
        ran.end.code().is_some_and(|code| code != 0),
        "{command:?}: {:?}",
        ran.end
    );
}

#[test]
fn what_is_proposed_runs() {
    let root = temporary("proposed");
    let _ = std::fs::remove_dir_all(&root);
    std::fs::create_dir_all(&root).unwrap();
    // Without the feature, one failure less than when it is asked for.
    copy("cargo", &root.join("cargo"));
    prove_the_proposal(&root, "cargo-test", 10, None);
    match lacks("go", &["version"]) {
        Some(why) => skip("what is proposed for Go", &why),
        None => {
            copy("go", &root.join("go"));
            prove_the_proposal(&root.join("go"), "go-test", 28, None);
        }
    }
    if let Some(bin) = python("what is proposed for Python") {
        copy("pytest", &root.join("py"));
        prove_the_proposal(&root, "py-pytest", 1, Some(&bin));
    }
    if let Some(home) = node("what is proposed for JavaScript") {
        for name in ["jest", "vitest"] {
            let root = home.join(format!("proposed-{name}"));
            copy(name, &root);
            prove_the_proposal(&root, name, 12, None);
        }
    }
}
