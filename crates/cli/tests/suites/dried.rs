//! A gate that asks for a dry run: of what this very tree was built to, and of nothing else.

use crate::lab::{GREEN, Lab, writes};
use crate::screen::Ran;

/// A policy of the usual gates and a dry run of half a second.
const GATE: &str = r#"
[gates.soak]
title = "What is released ran for a while"
owner = "core"
severity = "high"
blocking = true
lanes = ["full"]
check = { dry_run = { min_duration = "500ms", min_uptime = "90%" } }
remediation = "Run it."
"#;

/// A program that beats until it is ended.
const APP: &str = r#"#!/bin/sh
trap 'exit 0' INT TERM
n=0
while :; do n=$((n+1)); echo "{\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"beat\",\"seq\":$n}"; sleep 0.05; done
"#;

/// A repository whose build makes `out/app` of `app`.
fn lab() -> Lab {
    let lab = Lab::new(&writes(GREEN));
    lab.declare(
        r#"
[suites.build]
class = "build"
command = ["sh", "-c", "mkdir -p out && cp app .app && chmod +x .app && mv .app out/app"]
outputs = ["out/app"]
"#,
    );
    let policy = lab.gonogo(&["gate", "policy"]).out;
    lab.write("gates.toml", policy + GATE);
    lab.write("app", APP);
    lab.write(".gitignore", "out/\n.gonogo/\ndry/\n");
    lab.commit("app");
    lab
}

fn dry_run(lab: &Lab, name: &str, seconds: f64, command: &[&str]) -> Ran {
    dry_run_with(lab, name, seconds, &[], command)
}

fn dry_run_with(lab: &Lab, name: &str, seconds: f64, flags: &[&str], command: &[&str]) -> Ran {
    let hours = (seconds / 3600.0).to_string();
    let out = format!("dry/{name}");
    let head = [
        "dry-run",
        "orchestrate",
        "--json",
        "--run-name",
        name,
        "--output-root",
        &out,
        "--duration-hours",
        &hours,
        "--skip-diary-evidence",
        "--skip-performance-evidence",
        "--shutdown-grace-seconds",
        "5",
        "--artifact",
        "out/app",
    ];
    lab.gonogo(&[head.as_slice(), flags, &["--"], command].concat())
}

#[test]
fn a_dry_run_of_what_the_tree_was_built_to_counts() {
    let lab = lab();
    lab.run(0, "pass");
    lab.check(&[], 3, "hold").tells("soak", "EVIDENCE_MISSING");
    // It names what is released and runs something else.
    dry_run(&lab, "names", 1.0, &["sh", "-c", APP, "sh", "out/app"]).expect(0);
    lab.check(&[], 3, "hold").tells("soak", "EVIDENCE_MISSING");
    // Too short, then long enough.
    dry_run(&lab, "short", 0.2, &["out/app"]).expect(0);
    lab.check(&[], 2, "fail").tells("soak", "CHECK_FAILED");
    dry_run(&lab, "good", 1.0, &["out/app"]).expect(0);
    lab.check(&[], 0, "pass");
    lab.gonogo(&["gate", "rejudge"]).expect(0);
    let fails = APP.replace("n=0", "echo 'ERROR no way'; n=0");
    lab.write("app", &fails);
    lab.commit("fails");
    lab.run(0, "pass");
    // Those were the bytes of another tree.
    lab.check(&[], 3, "hold").tells("soak", "EVIDENCE_MISSING");
    dry_run(&lab, "bad", 1.0, &["out/app"]).expect(2);
    lab.check(&[], 2, "fail").tells("soak", "CHECK_FAILED");
}

#[test]
fn a_sign_off_counts_by_what_is_declared_and_by_no_less() {
    let lab = lab();
    lab.run(0, "pass");
    let other = |name: &str, flags: &[&str]| {
        dry_run_with(&lab, name, 1.0, flags, &["out/app"]).expect(0);
        lab.check(&[], 3, "hold")
            .tells("soak", "EVIDENCE_OTHER_DECLARATION");
    };
    // Flags that ask less, and a file that nobody has but who ran it.
    other("talk", &["--stderr-policy", "info"]);
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        ".gonogo/other.toml",
        text + "\n[dry_run]\nstderr = \"info\"\n",
    );
    lab.gonogo(&[
        "--config",
        ".gonogo/other.toml",
        "dry-run",
        "orchestrate",
        "--run-name",
        "elsewhere",
        "--output-root",
        "dry/elsewhere",
        "--duration-hours",
        "0.0003",
        "--skip-diary-evidence",
        "--skip-performance-evidence",
        "--artifact",
        "out/app",
        "--",
        "out/app",
    ]);
    dry_run_with(
        &lab,
        "stricter",
        1.0,
        &["--minimum-uptime-ratio", "0.985"],
        &["out/app"],
    )
    .expect(0);
    lab.check(&[], 0, "pass");
    // The change declares otherwise: that is no pass by what held before, and needs somebody who says yes.
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.declare("\n[dry_run]\nstderr = \"info\"\n");
    lab.commit("talk");
    lab.run(0, "pass");
    let judged = lab.check(&[], 3, "hold");
    judged.tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    judged.tells("soak", "EVIDENCE_OTHER_DECLARATION");
    dry_run(&lab, "again", 1.0, &["out/app"]).expect(0);
    lab.check(&[], 1, "hold")
        .tells("policy", "POLICY_CHANGED_BY_SUBJECT");
    lab.gonogo(&["gate", "approve", "--suites", "--as", "dana"])
        .expect(0);
    lab.check(&[], 0, "excused");
    // What is declared is what counts: without the diary that it asks for there is no pass, whatever flags say.
    lab.declare("\n[dry_run.diary]\npath = \"diary.jsonl\"\n");
    lab.commit("diary");
    lab.run(0, "pass");
    other("skipped", &[]);
}

#[test]
fn a_dry_run_is_not_tried_until_it_passes() {
    let lab = lab();
    let says = APP.replace("n=0", "[ -z \"$SAY\" ] || echo \"$SAY\"; n=0");
    lab.write("app", &says);
    lab.commit("says");
    lab.run(0, "pass");
    let bad = ["--env", "SAY=ERROR no way"];
    dry_run_with(&lab, "bad", 1.0, &bad, &["out/app"]).expect(2);
    lab.check(&[], 2, "fail").tells("soak", "CHECK_FAILED");
    dry_run(&lab, "good", 1.0, &["out/app"]).expect(0);
    lab.check(&[], 1, "hold").tells("soak", "FLAKY_BLOCKING");
    lab.gonogo(&["gate", "rejudge"]).expect(1);
}
