//! `gonogo init --suites`: proposed for real repositories, written where nothing is lost, and run.

use gonogo_app::config::Config;
use gonogo_testkit::{lacks, skip};

use crate::lab::Lab;

/// A repository's files, by language.
const GO: [(&str, &str); 3] = [
    ("go.mod", "module example.com/a\n\ngo 1.20\n"),
    ("a.go", "package a\n\nfunc Two() int { return 2 }\n"),
    (
        "a_test.go",
        "package a\n\nimport \"testing\"\n\nfunc TestTwo(t *testing.T) {\n\tif Two() != 2 {\n\t\tt.Fatal(Two())\n\t}\n}\n",
    ),
];
const CARGO: [(&str, &str); 4] = [
    (
        "Cargo.toml",
        "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n",
    ),
    (
        "Cargo.lock",
        "version = 3\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\n",
    ),
    (
        "src/lib.rs",
        "//! A.\n\n/// Two.\npub fn two() -> u8 {\n    2\n}\n\n#[test]\nfn two_is_two() {\n    assert_eq!(two(), 2);\n}\n",
    ),
    (".gitignore", "target\n"),
];
const PYTHON: [(&str, &str); 3] = [
    ("pytest.ini", "[pytest]\n"),
    ("test_a.py", "def test_two():\n    assert 1 + 1 == 2\n"),
    (".gitignore", "__pycache__/\n.pytest_cache/\n"),
];
const NPM: [(&str, &str); 2] = [
    (
        "package.json",
        "{\"name\": \"a\", \"version\": \"1.0.0\", \"scripts\": {\"test\": \"node --test\"}}\n",
    ),
    (
        "a.test.js",
        "const test = require('node:test');\nconst assert = require('node:assert');\n\ntest('two', () => assert.strictEqual(1 + 1, 2));\n",
    ),
];

fn repository(files: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    for (name, text) in files {
        lab.write(name, text);
    }
    lab
}

/// Makes it a git repository, if there is git.
fn git(lab: &Lab) -> bool {
    if let Some(why) = lacks("git", &["--version"]) {
        skip("what git ignores", &why);
        return false;
    }
    let made = std::process::Command::new("git")
        .args(["init", "--quiet"])
        .current_dir(lab.path(""))
        .status();
    assert!(made.unwrap().success());
    true
}

#[test]
fn nothing_recognised_is_said_and_written_nowhere() {
    let lab = Lab::new();
    let ran = lab.run(&["init", "--suites"]);
    ran.expect(1);
    assert!(ran.out.contains("nothing is recognised"), "{}", ran.out);
    let data = lab.data(1, &["init", "--suites"]);
    assert_eq!(data["suites"].as_array().unwrap().len(), 0);
    lab.refuses(78, "SUITE_UNKNOWN", &["init", "--suites", "--write"]);
    lab.refuses(
        66,
        "INPUT_NOT_FOUND",
        &["init", "--suites", "--dir", "nowhere"],
    );
    lab.write("file", "x");
    lab.refuses(
        66,
        "INPUT_NOT_FOUND",
        &["init", "--suites", "--dir", "file"],
    );
    lab.refuses(64, "ARGUMENT_INVALID", &["init"]);
    let told = lab.run(&["init"]).err;
    assert!(told.contains("gonogo init --suites"), "{told}");
    lab.run(&["init", "--write", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn a_proposal_is_printed_and_changes_nothing() {
    let lab = repository(&GO);
    let before = lab.files();
    let ran = lab.run(&["init", "--suites"]);
    ran.expect(0);
    assert_eq!(lab.files(), before);
    // What is on standard output is the file.
    let config = Config::parse(&lab.path("gonogo.toml"), ran.out.as_bytes()).unwrap();
    assert!(config.suites.suites.contains_key("go-test"));
    assert!(
        ran.out.contains("# `go.mod`: "),
        "it does not say why: {}",
        ran.out
    );
    assert!(
        ran.err.contains("next: gonogo init --suites --write"),
        "{}",
        ran.err
    );
    let data = lab.data(0, &["init", "--suites"]);
    assert_eq!(
        (&data["written"], &data["has_file"]),
        (&().into(), &false.into())
    );
}

#[test]
fn what_is_there_is_added_to_and_never_changed() {
    let lab = repository(&GO);
    let is_repository = git(&lab);
    lab.write(".gitignore", "*.swp");
    let ran = lab.run(&["init", "--suites", "--write"]);
    ran.expect(0);
    let written = Config::read(&lab.path("gonogo.toml")).unwrap();
    assert_eq!(written.suites.suites.len(), 3);
    if is_repository {
        assert_eq!(lab.text(".gitignore"), "*.swp\n.gonogo/\n");
    }
    // A second run refuses, in words, and leaves every byte.
    let text = lab.refuses(73, "OUTPUT_FAILED", &["init", "--suites", "--write"]);
    assert!(text.contains("has `[suites]` already"), "{text}");
    assert!(
        !lab.run(&["init", "--suites"])
            .err
            .contains("git does not ignore `.gonogo/`")
    );

    for (own, last) in [
        ("[suite]\nprofile = \"quick\" # ours", false),
        ("# only a comment\n", true),
        ("", true),
        ("[ledger]\r\nwitness_within = \"1s\"\r\n", true),
        ("[record.a]\ncassette = \"a.json\"\nforward = true\n", true),
    ] {
        lab.write("gonogo.toml", own);
        let ran = lab.run(&["init", "--suites", "--write"]);
        ran.expect(0);
        let text = lab.text("gonogo.toml");
        assert!(text.starts_with(own), "{text}");
        assert_eq!(own.is_empty() || own.ends_with('\n'), last);
        Config::read(&lab.path("gonogo.toml")).unwrap();
    }
    if is_repository {
        assert_eq!(lab.text(".gitignore"), "*.swp\n.gonogo/\n");
    }
    for (own, exit, reason) in [
        ("suites = {}\n", 73, "OUTPUT_FAILED"),
        (
            "suites.a = { class = \"unit\", command = [\"x\"] }\n",
            73,
            "OUTPUT_FAILED",
        ),
        ("service = \n", 78, "CONFIG_SYNTAX"),
        ("sweet = 1\n", 78, "CONFIG_UNKNOWN_KEY"),
    ] {
        lab.write("gonogo.toml", own);
        lab.refuses(exit, reason, &["init", "--suites", "--write"]);
    }
    std::fs::remove_file(lab.path("gonogo.toml")).unwrap();
    std::os::unix::fs::symlink("elsewhere.toml", lab.path("gonogo.toml")).unwrap();
    lab.refuses(73, "OUTPUT_FAILED", &["init", "--suites", "--write"]);
}

#[test]
fn a_directory_is_named_and_what_git_does_not_ignore_is_said() {
    let lab = Lab::new();
    for (name, text) in &CARGO[..3] {
        lab.write(&format!("deep/{name}"), text);
    }
    if !git(&lab) {
        return;
    }
    lab.write(
        "gonogo.toml",
        "[suites.a]\nclass = \"unit\"\ncommand = [\"true\"]\n",
    );
    let ran = lab.run(&["init", "--suites", "--dir", "deep"]);
    ran.expect(0);
    for part in [
        "git does not ignore `.gonogo/`",
        "git does not ignore `target/`",
        "holds instead of it",
    ] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    let data = lab.data(0, &["init", "--suites", "--dir", "deep", "--write"]);
    assert_eq!(data["written"]["created"], true, "{data:#}");
    assert_eq!(lab.text("deep/.gitignore"), ".gonogo/\n");
    Config::read(&lab.path("deep/gonogo.toml")).unwrap();
}

/// Writes the proposal and runs it. Every suite must have run and passed.
#[track_caller]
fn runs(lab: &Lab, unit: &str) {
    git(lab);
    lab.run(&["init", "--suites", "--write"]).expect(0);
    Config::read(&lab.path("gonogo.toml")).unwrap();
    // A compiler may take longer than other commands are given.
    let mut command = lab.command(&["suite", "run", "--profile", "quick", "--json"]);
    let out = command.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(
        out.status.code(),
        Some(0),
        "{said}\n{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let answer: serde_json::Value = serde_json::from_str(&said).unwrap();
    let summary = &answer["data"]["summary"];
    assert_eq!(answer["data"]["status"], "pass", "{summary:#}");
    let targets = summary["unit_targets"].as_array().unwrap();
    let found = targets.iter().find(|t| t["target"] == unit);
    assert_eq!(found.unwrap()["passed"], 1, "{targets:#?}");
}

#[test]
fn a_go_repository_is_tested_as_proposed() {
    match lacks("go", &["version"]) {
        Some(why) => skip("the proposal for Go", &why),
        None => runs(&repository(&GO), "go-test"),
    }
}

#[test]
fn a_cargo_repository_is_tested_as_proposed() {
    let absent = lacks("cargo", &["--version"]).or_else(|| {
        let there = |tool: &str| {
            let ran = std::process::Command::new(tool).arg("--version").output();
            ran.is_ok_and(|out| out.status.success())
        };
        let part = ["cargo-clippy", "rustfmt"]
            .into_iter()
            .find(|tool| !there(tool));
        part.map(|tool| format!("`{tool}` is not installed"))
    });
    match absent {
        Some(why) => skip("the proposal for Cargo", &why),
        None => runs(&repository(&CARGO), "test"),
    }
}

#[test]
fn a_python_repository_is_tested_as_proposed() {
    let absent = lacks("python3", &["--version"]).or_else(|| {
        let ran = std::process::Command::new("python3")
            .args(["-c", "import pytest"])
            .output();
        let there = ran.is_ok_and(|out| out.status.success());
        (!there).then(|| "pytest is not installed".to_owned())
    });
    match absent {
        Some(why) => skip("the proposal for Python", &why),
        None => runs(&repository(&PYTHON), "pytest"),
    }
}

#[test]
fn an_npm_repository_is_tested_as_proposed() {
    match lacks("npm", &["--version"]).or_else(|| lacks("node", &["--version"])) {
        Some(why) => skip("the proposal for npm", &why),
        None => runs(&repository(&NPM), "node-test"),
    }
}
