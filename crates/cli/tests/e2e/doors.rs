//! The doors: every use case has its command and every command its use case; help and explanations.

use std::collections::BTreeSet;

use gonogo_app::catalogue;
use gonogo_core::{Exit, Reason};

use crate::project::Project;

/// Commands that are no use case: they show what is compiled in.
const NO_USE_CASE: [&str; 3] = ["help", "completions", "man"];
/// Commands that are hidden, and why.
const HIDDEN: [(&str, &str); 2] = [
    ("controller", "started by gonogo itself"),
    ("reference", "writes the reference pages for the repository"),
];

/// Commands listed in the help of `path`.
fn listed(project: &Project, path: &str) -> Vec<String> {
    let args: Vec<&str> = path.split_whitespace().chain(["--help"]).collect();
    let ran = project.run(&args);
    ran.expect(0);
    let Some((_, rest)) = ran.out.split_once("\nCommands:\n") else {
        return Vec::new();
    };
    let names = rest
        .lines()
        .take_while(|l| l.starts_with("  "))
        .filter(|l| !l.starts_with("   "));
    names
        .map(|l| l.split_whitespace().next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_use_case_has_a_command_and_every_command_a_use_case() {
    let project = Project::new();
    let mut found = BTreeSet::new();
    for name in listed(&project, "") {
        let below = listed(&project, &name);
        // A command with commands below may be one itself, as `plan` is.
        let usage = project.run(&[&name, "--help"]).out;
        let needs_one = usage
            .lines()
            .any(|l| l.starts_with("Usage:") && l.contains("<COMMAND>"))
            && !usage.contains("\n       gonogo");
        if below.is_empty() || !needs_one {
            found.insert(name.clone());
        }
        for b in below {
            let name = format!("{name} {b}");
            let deeper = listed(&project, &name);
            if deeper.is_empty() {
                found.insert(name.clone());
            }
            found.extend(deeper.iter().map(|d| format!("{name} {d}")));
        }
    }
    for (hidden, why) in HIDDEN {
        assert!(
            !found.contains(hidden),
            "{hidden} is shown, though it is {why}"
        );
        project.run(&[hidden, "--help"]).expect(0);
    }
    let known: BTreeSet<String> = catalogue::ALL
        .iter()
        .map(|u| u.command)
        .chain(catalogue::ALSO.iter().map(|(_, command)| *command))
        .map(str::to_owned)
        .collect();
    let hidden: BTreeSet<String> = HIDDEN.iter().map(|(h, _)| (*h).to_owned()).collect();
    let no_case: BTreeSet<String> = NO_USE_CASE.iter().map(|n| (*n).to_owned()).collect();
    let missing: Vec<_> = known
        .iter()
        .filter(|c| !found.contains(*c) && !hidden.contains(*c))
        .collect();
    assert!(
        missing.is_empty(),
        "use cases without a command: {missing:?}"
    );
    let extra: Vec<_> = found
        .iter()
        .filter(|c| !known.contains(*c) && !no_case.contains(*c))
        .collect();
    assert!(extra.is_empty(), "commands without a use case: {extra:?}");
    assert!(found.len() > 18, "{found:?}");
}

#[test]
fn every_reason_is_explained_in_any_spelling() {
    let project = Project::new();
    let all = project.data(&["explain"]);
    let all = all["reasons"].as_array().unwrap();
    assert_eq!(all.len(), Reason::ALL.len());
    project
        .run(&["explain", "APPROVAL_EXPIRED"])
        .matches("explain");
    let loud = project.run(&["explain", "INSUFFICIENT_SAMPLES"]);
    assert_eq!(
        project
            .run(&["explain", "insufficient_samples"])
            .expect(0)
            .out,
        loud.expect(0).out
    );

    let error = project
        .run(&["explain", "INSUFICIENT_SAMPLES", "--json"])
        .refusal(66, &["REASON_UNKNOWN"]);
    assert!(
        error["details"]["hints"]
            .to_string()
            .contains("did you mean `INSUFFICIENT_SAMPLES`"),
        "{error}"
    );
    let error = project
        .run(&["explain", "aproval_expired", "--json"])
        .refusal(66, &["REASON_UNKNOWN"]);
    assert!(
        error["details"]["hints"]
            .to_string()
            .contains("did you mean `APPROVAL_EXPIRED`"),
        "{error}"
    );
    project
        .run(&["explain", "QWERTY"])
        .matches("explain-unknown");
}

#[test]
fn help_has_its_topics() {
    let project = Project::new();
    for topic in ["config", "exit-codes", "approval", "plan", "verify"] {
        let ran = project.run(&["help", topic]);
        assert!(
            ran.expect(0).out.lines().count() > 5,
            "{topic}: {}",
            ran.out
        );
        assert_eq!(project.data(&["help", topic])["topic"], topic);
    }
    // What the example shows can be used as it stands.
    std::fs::write(
        project.path("gonogo.toml"),
        project.run(&["help", "config"]).out,
    )
    .unwrap();
    project.run(&["history"]).expect(0);
    let codes = project.run(&["help", "exit-codes"]).out;
    for exit in [
        Exit::Done,
        Exit::Hold,
        Exit::Fail,
        Exit::Unjudged,
        Exit::Running,
        Exit::Permission,
        Exit::Config,
    ] {
        assert!(
            codes.contains(&format!("| {} |", exit.code())),
            "{exit:?}: {codes}"
        );
    }
    project
        .run(&["help", "confg", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    project.run(&["help", "confg"]).matches("help-unknown");
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            project
                .run(&["completions", shell])
                .expect(0)
                .out
                .contains("gonogo")
        );
    }
}

#[test]
fn what_is_not_there_is_said_in_words() {
    let project = Project::new();
    let nothing = project.run(&["evidence", "list", "--kind", "decision"]);
    assert_eq!(nothing.expect(0).out, "no record matches\n");
    assert_eq!(
        project.data(&["evidence", "list", "--kind", "decision"])["records"],
        serde_json::json!([])
    );
    assert_eq!(
        project.data(&["history"])["operations"],
        serde_json::json!([])
    );
    project
        .run(&["evidence", "show", "99", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    project
        .run(&["rollback", "--yes", "--json"])
        .refusal(1, &["NO_KNOWN_GOOD"]);
    let one = project.data(&["evidence", "show", "0"])["record"].clone();
    assert_eq!(
        (&one["index"], &one["kind"]),
        (&serde_json::json!(0), &serde_json::json!("key-event"))
    );
    // A record is found by the first digits of its digest, too, and pages follow each other.
    let digest = one["digest"]
        .as_str()
        .unwrap()
        .trim_start_matches("sha256:")[..10]
        .to_owned();
    assert_eq!(project.data(&["evidence", "show", &digest])["record"], one);
    project.plan("1.0.0");
    let all = project.data(&["evidence", "list"])["records"]
        .as_array()
        .unwrap()
        .clone();
    assert!(all.len() >= 3);
    let page =
        project.data(&["evidence", "list", "--after", "0", "--limit", "1"])["records"].clone();
    assert_eq!(page, serde_json::json!([all[1]]));
}

#[test]
fn the_demo_shows_a_release_and_a_rollback() {
    let project = Project::new();
    let dir = project.path("demo");
    let ran = project.run(&["demo", "--dir", dir.to_str().unwrap(), "--json"]);
    if ran.status != 0 {
        // What it would have shown: every operation with its decisions.
        let config = dir.join("gonogo.toml");
        let config = config.to_str().unwrap();
        for run in ran.envelope()["data"]["runs"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let shown = project.run(&[
                "--config",
                config,
                "status",
                run["operationId"].as_str().unwrap(),
            ]);
            eprintln!("{}{}", shown.out, shown.err);
        }
    }
    ran.expect(0);
    let data = ran.envelope()["data"].clone();
    let runs = data["runs"].as_array().unwrap();
    let ends: Vec<_> = runs
        .iter()
        .map(|r| {
            (
                r["version"].as_str().unwrap(),
                r["status"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        ends,
        [
            ("1.0.0", "promoted"),
            ("2.0.0", "promoted"),
            ("3.0.0", "rolled_back")
        ]
    );
    for run in runs {
        assert_eq!(run["verified"], true, "{run:#}");
        let packet = run["packet"].as_str().unwrap();
        project
            .run(&[
                "verify",
                packet,
                "--replay",
                "--log-key",
                data["logKey"].as_str().unwrap(),
            ])
            .expect(0);
    }
    let bad = &data["badVersion"];
    assert!(
        bad["errors"].as_u64().unwrap() > 0 && bad["errors"].as_u64() < bad["answers"].as_u64(),
        "{bad:#}"
    );
    assert!(
        project.processes().is_empty(),
        "the demo left processes behind"
    );
    // A second one does not overwrite the first.
    project
        .run(&["demo", "--dir", dir.to_str().unwrap(), "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn answers_go_to_stdout_and_talk_to_stderr() {
    let project = Project::new();
    let told = project.run(&["plan", "--to", "1.0.0"]);
    told.expect(0).matches("plan");
    let quiet = project.run(&["plan", "--to", "1.0.0", "--quiet"]);
    let id = quiet.out.trim_end();
    assert_eq!(
        quiet.out,
        format!("{id}\n"),
        "--quiet prints the answer only"
    );
    assert!(told.out.contains(&format!("plan      {id} ")) && quiet.err.is_empty());
    // With --json everything is one envelope, help and version, too.
    for (args, tool, key) in [
        (&["--version", "--json"][..], "version", "version"),
        (&["--help", "--json"], "help", "text"),
        (&["plan", "--json", "--help"], "help", "text"),
        (&["help", "approval", "--json"], "help", "text"),
        (&["completions", "bash", "--json"], "completions", "script"),
    ] {
        let ran = project.run(args);
        ran.expect(0);
        let envelope = ran.envelope();
        assert_eq!(envelope["metadata"]["toolId"], tool, "{args:?}");
        assert!(
            !envelope["data"][key].as_str().unwrap().is_empty(),
            "{args:?}"
        );
    }
    // None of nothing is a mistake and no empty history.
    project
        .run(&["history", "--limit", "0", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    // An answer that nobody got is no success; a full device is one way.
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    for args in [&["history"][..], &["history", "--json"], &["explain"]] {
        let mut command = project.command(args);
        let out = command.stdout(full.try_clone().unwrap()).output().unwrap();
        assert_eq!(out.status.code(), Some(73), "{args:?}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("OUTPUT_FAILED"));
    }
    // A variable that is set and empty is one that is not set.
    let mut command = project.command(&["plan", "--to", "1.0.0", "--quiet"]);
    for name in ["GONOGO_ENV", "GONOGO_KEY_FILE", "GONOGO_CONFIG"] {
        command.env(name, "");
    }
    let out = command.output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&out.stdout),
        format!("{id}\n"),
        "{out:?}"
    );
    // A reader that went away is no fault.
    let mut command = project.command(&["explain"]);
    let mut child = command
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
