//! `gonogo runbook`: what is known of failures, found in logs; and what the runbook names is there.

use std::path::Path;

use gonogo_app::runbook::ARTIFACTS;
use gonogo_suite::runbook::{BUILT_IN, Matcher, Runbook};
use gonogo_suite::{Row, Summary};
use serde_json::Value;

use crate::lab::Lab;

/// A runbook with one entry of the project's own, and one that replaces one of gonogo's.
const OWN: &str = r#"schema = "gonogo.suite.runbook.v1"

[[entry]]
id = "broker-gone"
title = "The broker of the tests is not there"
means = "Tests that need it say nothing."
severity = "sev2"
artifacts = ["{class}/{target}/output.log"]
replay = ["tools/broker.sh", "--check"]
remediation = "Start it."

[[entry.match]]
all = ["connection refused", "broker:5672"]

[[entry]]
id = "disk-full"
title = "Our disk"
means = "As gonogo says."
severity = "sev3"
artifacts = ["environment.json"]
remediation = "Ask the hosts' owners."

[[entry.match]]
any = ["No space left on device"]
"#;

/// Whether lint found nothing at all.
fn is_quiet(out: &str) -> bool {
    !out.contains("error: ") && !out.contains("warning: ")
}

fn ids(data: &Value) -> Vec<&str> {
    let all = data["matches"]["entries"].as_array().unwrap().iter();
    all.map(|e| e["entry"].as_str().unwrap()).collect()
}

#[test]
fn what_is_known_is_listed_and_shown() {
    let lab = Lab::new();
    let listed = lab.data(0, &["runbook", "list"]);
    let entries = listed["entries"].as_array().unwrap();
    assert!(entries.len() >= 12, "{listed:#}");
    assert!(
        lab.run(&["runbook", "list"])
            .expect(0)
            .out
            .contains("disk-full")
    );
    let shown = lab.run(&["runbook", "show", "disk-full"]);
    shown.expect(0);
    for part in [
        "ENOSPC",
        "environment.json",
        "suite rerun --from",
        "Free space",
    ] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    for entry in entries {
        let id = entry["id"].as_str().unwrap();
        assert_eq!(lab.data(0, &["runbook", "show", id])["id"], id);
    }
    lab.refuses(66, "INPUT_NOT_FOUND", &["runbook", "show", "disk-ful"]);
    let told = lab.run(&["runbook", "show", "disk-ful"]).err;
    assert!(told.contains("did you mean `disk-full`?"), "{told}");
}

#[test]
fn a_log_is_looked_up_with_the_line_and_without_its_secrets() {
    let lab = Lab::new();
    let log = "ok\nok\nwrite: No space left on device, url https://u:hunter2hunter2@host/x\nok\nENOSPC again\n";
    lab.write("build.log", log);
    let ran = lab.run(&["runbook", "match", "build.log"]);
    ran.expect(0);
    assert!(
        ran.out.contains("disk-full") && ran.out.contains("line 3") && ran.out.contains("line 5"),
        "{}",
        ran.out
    );
    assert!(
        ran.out.contains("[REDACTED]") && !ran.out.contains("hunter2"),
        "{}",
        ran.out
    );
    let file = lab.data(0, &["runbook", "match", "build.log"]);
    assert_eq!(ids(&file), ["disk-full"]);
    assert_eq!(file["matches"]["entries"][0]["first"]["line"], 3);
    assert!(!file.to_string().contains("hunter2"));
    let fed = lab
        .fed(&["runbook", "match", "-", "--json"], log.as_bytes())
        .envelope();
    assert_eq!(fed["data"], file);
    // Values of variables whose names mean a secret go as well.
    lab.write(
        "env.log",
        "No space left on device for tell-nobody-of-this\n",
    );
    let mut command = lab.command(&["runbook", "match", "env.log"]);
    let out = command
        .env("LAB_TOKEN", "tell-nobody-of-this")
        .output()
        .unwrap();
    assert!(!String::from_utf8_lossy(&out.stdout).contains("tell-nobody"));

    lab.write("good.log", "all is well\n");
    assert_eq!(
        lab.data(1, &["runbook", "match", "good.log"])["outcome"],
        "nothing"
    );
    lab.run(&["runbook", "match", "good.log", "-q"]).expect(1);
    for (name, bytes) in [("empty.log", &b""[..]), ("wide.log", b"\xff\xfeo\0k\0\n\0")] {
        std::fs::write(lab.path(name), bytes).unwrap();
        let data = lab.data(3, &["runbook", "match", name]);
        assert_eq!(data["outcome"], "undecided", "{data:#}");
    }
    // What is packed was not read, from wherever it comes.
    let packed: [(&str, &[u8]); 3] = [
        ("zcat FILE", b"\x1f\x9d\x90abcdefghijkl"),
        ("unzip -p FILE", b"PK\x03\x04\x14\0\0\0\x08\0abcdefgh"),
        ("bzcat FILE", b"BZh91AY&SYabcdefghijkl"),
    ];
    for (unpack, bytes) in packed {
        std::fs::write(lab.path("packed.log"), bytes).unwrap();
        let ran = lab.run(&["runbook", "match", "packed.log"]);
        ran.expect(3);
        let all = format!("{}{}", ran.out, ran.err);
        let wanted = format!("`{unpack} | gonogo runbook match -`");
        assert!(all.contains(&wanted), "{all}");
        let fed = lab.fed(&["runbook", "match", "-", "--json"], bytes);
        assert_eq!(fed.envelope()["data"]["outcome"], "undecided");
    }
    // gzip is read; a file that breaks off is no log without findings.
    std::fs::write(
        lab.path("plain.log"),
        "ok\nwrite: No space left on device\n",
    )
    .unwrap();
    let zipped = std::process::Command::new("gzip")
        .args(["-c", "plain.log"])
        .current_dir(lab.path("."))
        .output()
        .unwrap();
    assert!(zipped.status.success());
    std::fs::write(lab.path("plain.log.gz"), &zipped.stdout).unwrap();
    let data = lab.data(0, &["runbook", "match", "plain.log.gz"]);
    assert_eq!(ids(&data), ["disk-full"]);
    assert_eq!(data["matches"]["entries"][0]["first"]["line"], 2);
    let fed = lab.fed(&["runbook", "match", "-", "--json"], &zipped.stdout);
    assert_eq!(fed.envelope()["data"], data);
    std::fs::write(lab.path("half.gz"), &zipped.stdout[..20]).unwrap();
    let text = lab.refuses(65, "INPUT_MALFORMED", &["runbook", "match", "half.gz"]);
    assert!(text.contains("to its end"), "{text}");
    lab.refuses(66, "INPUT_NOT_FOUND", &["runbook", "match", "none.log"]);
    lab.refuses(65, "INPUT_MALFORMED", &["runbook", "match", "."]);
    lab.run(&["runbook", "match", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn a_large_log_is_looked_up_to_its_end() {
    let lab = Lab::new();
    let mut log = "a line of a log in which nothing is known\n".repeat(400_000);
    log.push_str("error: could not compile `x`\n");
    lab.write("large.log", &log);
    let data = lab.data(0, &["runbook", "match", "large.log"]);
    assert_eq!(ids(&data), ["compile-error"]);
    assert_eq!(data["matches"]["entries"][0]["first"]["line"], 400_001);
}

#[test]
fn the_projects_own_runbook_lies_over_what_comes_with_gonogo() {
    let lab = Lab::new();
    lab.write("runbook.toml", OWN);
    let data = lab.data(0, &["runbook", "list"]);
    let from = |id: &str| {
        let all = data["entries"].as_array().unwrap().iter();
        let found: Vec<&Value> = all.filter(|e| e["id"] == id).collect();
        assert_eq!(found.len(), 1, "{id}");
        found[0]["from"].clone()
    };
    assert_eq!(
        (from("broker-gone"), from("disk-full")),
        ("project".into(), "project".into())
    );
    assert_eq!(from("timed-out"), "gonogo");
    lab.write(
        "x.log",
        "connection refused: broker:5672\nNo space left on device\n",
    );
    let found = lab.data(0, &["runbook", "match", "x.log"]);
    assert_eq!(ids(&found), ["broker-gone", "disk-full"]);
    assert_eq!(found["matches"]["entries"][1]["title"], "Our disk");

    // A file with a fault is none: nothing is looked up with the rest.
    lab.write(
        "runbook.toml",
        &OWN.replace("severity = \"sev2\"", "severity = \"sev9\""),
    );
    let text = lab.refuses(65, "INPUT_MALFORMED", &["runbook", "match", "x.log"]);
    assert!(
        text.contains("runbook.toml") && text.contains("line 7"),
        "{text}"
    );
    std::fs::remove_file(lab.path("runbook.toml")).unwrap();
    lab.write("gonogo.toml", "[suite]\nrunbook = \"ops/known.toml\"\n\n[suites.a]\nclass = \"unit\"\ncommand = [\"true\"]\n");
    lab.refuses(66, "INPUT_NOT_FOUND", &["runbook", "list"]);
    lab.write("ops/known.toml", OWN);
    assert_eq!(
        lab.data(0, &["runbook", "show", "broker-gone"])["own"],
        true
    );
}

#[test]
fn what_the_runbook_names_must_be_there() {
    let lab = Lab::new();
    let data = lab.data(0, &["runbook", "lint"]);
    assert_eq!(data["clean"], true, "{data:#}");
    let findings = data["runbooks"][0]["lint"]["findings"].as_array().unwrap();
    assert!(
        findings.is_empty(),
        "what comes with gonogo has findings: {findings:#?}"
    );

    lab.write("runbook.toml", OWN);
    let ran = lab.run(&["runbook", "lint"]);
    ran.expect(2);
    assert!(
        ran.out.contains("there is no program `tools/broker.sh`"),
        "{}",
        ran.out
    );
    lab.write("tools/broker.sh", "#!/bin/sh\n");
    lab.run(&["runbook", "lint"]).expect(2);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(lab.path("tools/broker.sh"), mode).unwrap();
    lab.run(&["runbook", "lint"]).expect(0);

    for (from, to, told) in [
        (
            "[\"tools/broker.sh\", \"--check\"]",
            "[\"gonogo\", \"suite\", \"reply\"]",
            "gonogo has no command `suite reply`",
        ),
        (
            "[\"tools/broker.sh\", \"--check\"]",
            "[\"gonogo\", \"suite\", \"replay\", \"--run\", \"{run}\"]",
            "no flag `--run`",
        ),
        (
            "[\"tools/broker.sh\", \"--check\"]",
            "[\"gonogo\", \"controller\", \"x\"]",
            "no command",
        ),
        (
            "[\"tools/broker.sh\", \"--check\"]",
            "[\"no-such-program-anywhere\"]",
            "there is no program",
        ),
        (
            "[\"tools/broker.sh\", \"--check\"]",
            "[\"../tools/broker.sh\"]",
            "there is no program",
        ),
        (
            "[\"environment.json\"]",
            "[\"enviroment.json\"]",
            "did you mean `environment.json`?",
        ),
        ("[\"environment.json\"]", "[\"build.log\"]", "no run leaves"),
    ] {
        assert!(OWN.contains(from), "{from}");
        lab.write("runbook.toml", &OWN.replace(from, to));
        let ran = lab.run(&["runbook", "lint"]);
        ran.expect(2);
        assert!(ran.out.contains(told), "{to}: {}", ran.out);
    }
    // What a command runs must be there too, and what cannot be proved is said.
    lab.write("package.json", "{\"scripts\":{\"lint\":\"true\"}}");
    lab.write("Makefile", "all:\n\ttrue\n");
    lab.write(
        ".cargo/config.toml",
        "[alias]\nxtask = \"run -p xtask --\"\n",
    );
    lab.write("tools/x.py", "");
    for (replay, code, told) in [
        (r#"["sh", "tools/broker.sh"]"#, 0, ""),
        (
            r#"["sh", "tools/nope.sh"]"#,
            2,
            "there is no `tools/nope.sh`",
        ),
        (r#"["make", "all"]"#, 0, ""),
        (r#"["sh", "-c", "nope"]"#, 0, "cannot be checked"),
        (r#"["cargo", "xtask", "nosuch"]"#, 0, "cannot be checked"),
        (r#"["cargo", "no-such-command"]"#, 2, "cargo has no command"),
        (
            r#"["gonogo", "gate", "check", "extra"]"#,
            2,
            "unexpected argument",
        ),
        (
            r#"["gonogo", "gate", "check", "--lane", "nolane"]"#,
            2,
            "invalid value",
        ),
        (r#"["gonogo", "runbook", "match"]"#, 2, "required"),
    ] {
        lab.write(
            "runbook.toml",
            &OWN.replace("[\"tools/broker.sh\", \"--check\"]", replay),
        );
        let ran = lab.run(&["runbook", "lint"]);
        // Not every machine has every program.
        if !ran.out.contains("there is no program") {
            ran.expect(code);
            assert!(ran.out.contains(told), "{replay}: {}", ran.out);
            assert!(
                !told.is_empty() || is_quiet(&ran.out),
                "{replay}: {}",
                ran.out
            );
        }
    }
    for (remediation, code, told) in [
        (
            "Run `gonogo suite nosuch --bad`.",
            2,
            "no command `suite nosuch`",
        ),
        (
            "Run `tools/also-nope.sh`.",
            2,
            "there is no `tools/also-nope.sh`",
        ),
        (
            "Run tools/also-nope.sh first.",
            2,
            "there is no `tools/also-nope.sh`",
        ),
        ("See `gonogo explain`, run `sh tools/broker.sh`.", 0, ""),
        ("Run `no-such-program-anywhere x`.", 0, "cannot be checked"),
    ] {
        lab.write("runbook.toml", &OWN.replace("Start it.", remediation));
        let ran = lab.run(&["runbook", "lint"]);
        ran.expect(code);
        assert!(ran.out.contains(told), "{remediation}: {}", ran.out);
        assert!(
            !told.is_empty() || is_quiet(&ran.out),
            "{remediation}: {}",
            ran.out
        );
    }
    for good in [
        "[\"gonogo\", \"suite\", \"replay\", \"{run}\", \"--test\", \"{test}\", \"--json\"]",
        "[\"gonogo\", \"plan\", \"--to\", \"1\"]",
        "[\"sleep\", \"1\"]",
    ] {
        lab.write(
            "runbook.toml",
            &OWN.replace("[\"tools/broker.sh\", \"--check\"]", good),
        );
        lab.run(&["runbook", "lint"]).expect(0);
    }
}

/// Whether a path below a run's directory is one of the known.
fn known(path: &str) -> bool {
    let fits = |pattern: &str| {
        let (wanted, parts): (Vec<&str>, Vec<&str>) =
            (pattern.split('/').collect(), path.split('/').collect());
        let deep = ["reports", "outputs"].contains(wanted.get(2).unwrap_or(&""));
        (parts.len() == wanted.len() || deep && parts.len() > wanted.len())
            && wanted.iter().zip(&parts).all(|(w, p)| *w == "*" || w == p)
    };
    ARTIFACTS.iter().any(|pattern| fits(pattern))
}

fn below(dir: &Path) -> Vec<String> {
    let all = crate::project::files(dir).into_keys();
    all.map(|path| path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// A policy with a check of each kind that leaves a file, and a commit to judge.
fn judged_by_everything(lab: &Lab) {
    let gate = |id: &str, check: &str| {
        format!(
            "[gates.{id}]\ntitle = \"T\"\nowner = \"o\"\nblocking = true\nlanes = [\"full\", \"certification\"]\ncheck = {{ {check} }}\n"
        )
    };
    let gates = [
        gate("suites", "suite = { profile = \"ci\" }"),
        gate("tracker", "tracker = { export = \"issues.jsonl\" }"),
        gate("wording", "wording = { texts = [\"README.md\"] }"),
        gate(
            "classes",
            "classification = { files = [\"t/*.py\"], classes = \"classes.toml\" }",
        ),
        gate("doubles", "doubles = { files = [\"t/*.py\"] }"),
        gate(
            "rubric",
            "rubric = { rubric = \"rubric.toml\", report = \"run:broken/out/cover.info\" }",
        ),
        gate(
            "platforms",
            "platforms = { profile = \"ci\", required = { linux = { os = \"linux\" } } }",
        ),
        gate("contract", "contract = { file = \"contract.toml\" }"),
    ]
    .concat();
    let section = "[[bundle.section]]\nid = \"readme\"\npath = \"README.md\"\nrequired = true\n";
    let schema = |name: &str| format!("schema = \"gonogo.gate.{name}.v1\"\n");
    lab.write(
        "gates.toml",
        &format!("{}{gates}{section}", schema("policy")),
    );
    lab.write("issues.jsonl", "{\"id\":\"1\",\"status\":\"closed\"}");
    lab.write("README.md", "It runs.\n");
    lab.write("t/a.py", "a = 1\n");
    let classes = "[suite.unit]\nfiles = [\"t/a.py\"]\n";
    lab.write("classes.toml", &(schema("suite-classes") + classes));
    let module = "[[module]]\nname = \"t\"\npaths = [\"t/*.py\"]\ncriticality = \"high\"\nfloor = { line = \"50%\" }\nrationale = \"r\"\n";
    lab.write("rubric.toml", &(schema("non-mock-rubric") + module));
    let hard = "lane = \"certification\"\n[[hard_gates]]\ngate_id = \"G01\"\ndomain = \"d\"\nblocking = true\nowner = \"o\"\npass_criteria = [\"suites\"]\n";
    lab.write("contract.toml", &(schema("certification-contract") + hard));
    for args in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
            "commit",
            "-q",
            "-m",
            "one",
        ],
    ] {
        let mut git = std::process::Command::new("git");
        let done = git.args(args).current_dir(lab.path("")).status().unwrap();
        assert!(done.success(), "{args:?}");
    }
}

#[test]
fn what_runs_and_verdicts_leave_is_what_the_runbook_may_name() {
    let lab = Lab::new();
    lab.write(
        "gonogo.toml",
        r#"[suite]
min_free = "1MiB"
min_free_temp = "1MiB"
min_free_inodes = "0%"

[suites.broken]
class = "unit"
command = ["sh", "-c", "echo No space left on device; mkdir -p out; echo '<testsuite tests=\"1\" failures=\"1\"><testcase name=\"t\"><failure message=\"No space left on device\"/></testcase></testsuite>' > out/r.xml; echo x > out/cover.info; exit 1"]
format = "junit"
reports = ["out/r.xml"]
outputs = ["out/cover.info"]

[suites.printed]
class = "unit"
command = ["sh", "-c", "echo TAP version 14; echo 1..1; echo ok 1 - a; echo talk >&2"]
format = "tap"
"#,
    );
    lab.write(".gitignore", "out/\n.gonogo/\n");
    judged_by_everything(&lab);
    let ran = lab.run(&["suite", "run", "--json"]);
    let run = ran.envelope()["data"]["directory"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut left = below(Path::new(&run));
    for lane in ["preflight", "full", "certification"] {
        let ran = lab.run(&["gate", "check", "--lane", lane, "--json"]);
        let dir = ran.envelope()["data"]["directory"]
            .as_str()
            .unwrap()
            .to_owned();
        left.extend(below(Path::new(&dir)));
    }
    let unknown: Vec<&String> = left.iter().filter(|path| !known(path)).collect();
    assert!(unknown.is_empty(), "a runbook may not name {unknown:?}");
    // What it says of the failure, with what is known of the run in it.
    let summary: Summary =
        serde_json::from_slice(&std::fs::read(format!("{run}/summary.json")).unwrap()).unwrap();
    let rows = std::fs::read_to_string(format!("{run}/unit/broken/tests.jsonl")).unwrap();
    let row: Row = serde_json::from_str(rows.lines().next().unwrap()).unwrap();
    let matcher = Matcher::new(Runbook::parse(BUILT_IN).unwrap()).unwrap();
    let advice = gonogo_app::runbook::advice(&matcher, &summary, &row);
    assert_eq!(advice[0].id, "disk-full", "{advice:?}");
    let command = format!("(gonogo suite rerun --from {})", summary.run_id);
    assert!(advice[0].text.contains(&command), "{advice:?}");
    // What is known is really left: by this run, or where it says when.
    let elsewhere = ["replay_results.json"];
    for pattern in ARTIFACTS.iter().filter(|p| !elsewhere.contains(p)) {
        let last = pattern.rsplit('/').next().unwrap();
        let there = left.iter().any(|path| match last {
            "*" => path.contains(&format!("/{}/", pattern.split('/').nth(2).unwrap())),
            name => path == name || path.ends_with(&format!("/{name}")),
        });
        assert!(there, "nothing left `{pattern}`: {left:#?}");
    }
}
