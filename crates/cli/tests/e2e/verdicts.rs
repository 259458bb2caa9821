//! `gates = { verdict = … }`: no release without a passing verdict over the tree that the release was built from.

use std::process::Command;

use gonogo_testkit::{lacks, skip};

use crate::project::{CONFIG, Project};

/// The shop, a suite that keeps what is released, and a suite of one test whose outcome is in a file.
fn project() -> Option<Project> {
    if let Some(why) = lacks("git", &["--version"]) {
        skip("a release behind the verdict of its tree", &why);
        return None;
    }
    let suites = r#"
[suite]
min_free = "1MiB"
min_free_temp = "1MiB"
min_free_inodes = "0%"

[suites.build]
class = "build"
command = ["sh", "-c", 'for f in versions/*.toml; do cp "$f" .copy && mv .copy "$f"; done']
outputs = ["versions/*.toml"]

[suites.unit]
class = "unit"
format = "tap"
command = ["sh", "-c", "cat report.tap; ! grep -q '^not ok' report.tap"]
"#;
    let config = CONFIG.replace(
        "gates = \"none\"",
        "gates = { verdict = { max_age = \"1h\" } }",
    ) + suites;
    let project = Project::with(&config);
    report(&project, "ok 1 - it works");
    std::fs::write(project.path(".gitignore"), ".gonogo/\n.memory\n").unwrap();
    git(&project, &["init", "-q", "-b", "main"]);
    commit(&project);
    Some(project)
}

fn report(project: &Project, line: &str) {
    std::fs::write(
        project.path("report.tap"),
        format!("TAP version 13\n1..1\n{line}\n"),
    )
    .unwrap();
}

fn git(project: &Project, args: &[&str]) {
    let who = ["-c", "user.name=dev", "-c", "user.email=dev@example.org"];
    let out = Command::new("git")
        .args(who)
        .args(args)
        .current_dir(project.path("."))
        .output()
        .unwrap();
    assert!(out.status.success(), "{args:?}: {out:?}");
}

fn commit(project: &Project) {
    git(project, &["add", "-A"]);
    git(project, &["commit", "-q", "-m", "change"]);
}

#[test]
fn only_a_passing_verdict_over_the_tree_that_was_built_opens_the_gate() {
    let Some(project) = project() else { return };
    let plan = project.approved("1.0.0");
    // Nothing ran; then it ran and nobody judged.
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_MISSING"]);
    project.run(&["suite", "run", "--profile", "ci"]).expect(0);
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_MISSING"]);
    // Another question than the one that is asked.
    project
        .run(&["gate", "check", "--lane", "preflight"])
        .expect(0);
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_MISSING"]);
    // A later change that fails says nothing about what was built before, until it builds the same.
    project.run(&["gate", "check"]).expect(0);
    let load = project.load(300.0);
    project.run(&["apply", &plan]).expect(0);
    load.stop();
    load.join();
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // The packet holds what the gate rested on, and verifies.
    let key = project.text(".gonogo/ledger/log.vkey").trim().to_owned();
    let operations = project.data(&["history"])["operations"].clone();
    let id = operations[0]["id"].as_str().unwrap().to_owned();
    let path = format!(".gonogo/packets/{id}.tar");
    project.run(&["verify", &path, "--log-key", &key]).expect(0);
    // The same artifact, built by a tree whose tests fail.
    report(&project, "not ok 1 - it works");
    commit(&project);
    project.run(&["suite", "run", "--profile", "ci"]).expect(2);
    project.run(&["gate", "check"]).expect(2);
    let second = project.approved("2.0.0");
    project.refuses(&["apply", &second], 2, &["GATE_EVIDENCE_FAILED"]);
}

#[test]
fn an_artifact_that_no_run_kept_has_no_verdict() {
    let Some(project) = project() else { return };
    project.run(&["suite", "run", "--profile", "ci"]).expect(0);
    project.run(&["gate", "check"]).expect(0);
    let text = project.text("versions/1.0.0.toml");
    std::fs::write(
        project.path("versions/1.0.0.toml"),
        format!("{text}\n# other bytes\n"),
    )
    .unwrap();
    let plan = project.approved("1.0.0");
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_MISSING"]);
}

#[test]
fn a_verdict_by_rules_that_held_for_a_moment_ends_no_freeze() {
    let Some(project) = project() else { return };
    let judged = || {
        project.run(&["suite", "run", "--profile", "ci"]).expect(0);
        project.run(&["gate", "check"]).expect(0);
    };
    judged();
    let load = project.load(300.0);
    project.run(&["release", "--to", "1.0.0"]).expect(0);
    load.stop();
    load.join();
    let id = project.data(&["freeze", "--why", "the database moves"])["freeze"].take();
    let id = id.as_str().unwrap();
    let refused = || {
        let reasons = ["GATE_EVIDENCE_MISSING", "FREEZE_ACTIVE"];
        let args = ["unfreeze", id, "--why", "late"];
        let error = project.refuses(&args, 3, &reasons);
        let text = error["message"].as_str().unwrap();
        assert!(text.contains("was judged by"), "{text}");
    };
    // A policy that asks for less, on the branch itself; while it is there, and after it was taken back.
    let policy = project.run(&["gate", "policy"]).out;
    let less = policy.replace("max_age = \"24h\"", "max_age = \"48h\"");
    assert_ne!(less, policy);
    std::fs::write(project.path("gates.toml"), less).unwrap();
    commit(&project);
    judged();
    refused();
    git(&project, &["reset", "-q", "--hard", "HEAD~1"]);
    refused();
    // The same with what is declared.
    let mine = project.text("gonogo.toml");
    let more = "\n[suites.nothing]\nclass = \"unit\"\ncommand = [\"true\"]\n";
    std::fs::write(project.path("gonogo.toml"), mine + more).unwrap();
    commit(&project);
    judged();
    refused();
    git(&project, &["reset", "-q", "--hard", "HEAD~1"]);
    refused();
    // Judged by the rules of the project it ends.
    judged();
    let ended = project.data(&["unfreeze", id, "--why", "it has moved"]);
    assert_eq!(ended["gates"][0]["demanded"], "verdict", "{ended:#}");
}
