//! What is known of a failure: where the log shows it first, whose it is, what the runbook and the project's own causes say; and names that a
//! secret would have made one.

use serde_json::Value;

use crate::lab::{GREEN, Lab, fails, writes};

/// What rustc prints.
const RUSTC: &str = "cat <<'END'\n   Compiling shop v0.1.0\nerror[E0308]: mismatched types\n --> src/lib.rs:3:5\n  |\n3 |     \"a\"\n  |     ^^^ expected `u32`, found `&str`\n\nerror: could not compile `shop` (lib) due to 1 previous error\nEND\n";

const COMMAND: &str = "[suites.build]\nclass = \"build\"\ncommand = [\"sh\", \"build.sh\"]\n";

fn digest(run: &crate::lab::Run, home: &str) -> Value {
    run.json(&format!("{home}/failure_digest.json"))
}

#[test]
fn a_build_fails_where_its_log_shows_it() {
    let lab = Lab::new(&writes(GREEN));
    lab.write("build.sh", format!("{RUSTC}exit 101\n"));
    lab.declare(COMMAND);
    let run = lab.run(3, "invalid");
    let digest = digest(&run, "build/build");
    let first = &digest["first_failing_assertion"];
    assert_eq!(first["location"]["file"], "src/lib.rs", "{digest:#}");
    assert_eq!(
        (&first["location"]["line"], &first["location"]["column"]),
        (&3.into(), &5.into())
    );
    assert_eq!(
        (&first["log"], &first["log_line"]),
        (&"build/build/output.log".into(), &2.into())
    );
    assert_eq!(digest["root_cause_class"], "compile_error");
    assert!(
        first["raw_header"]
            .as_str()
            .unwrap()
            .contains("error[E0308]")
    );
    let row = &run.summary()["build"][0]["bad"][0];
    assert_eq!(row["signature"], first["signature"]);
    assert_eq!(row["failure"]["location"]["file"], "src/lib.rs");
    let timeline = std::fs::read_to_string(run.dir.join("build/build/failure_timeline.jsonl"));
    let events: Vec<Value> = timeline
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        events
            .iter()
            .any(|e| e["line_no"] == 2 && e["event_type"] == "panic_assertion"),
        "{events:#?}"
    );
    let shown = lab.gonogo(&["suite", "show"]);
    assert!(
        shown.out.contains("build/build/output.log:2"),
        "{}",
        shown.out
    );
    // Another place in the same file is the same failure; another failure is not.
    let signature = first["signature"].clone();
    lab.write("build.sh", format!("echo more; {RUSTC}exit 101\n"));
    let again = self::digest(&lab.run(3, "invalid"), "build/build");
    assert_eq!(again["first_failing_assertion"]["signature"], signature);
    lab.write(
        "build.sh",
        format!(
            "{}exit 101\n",
            RUSTC.replace("mismatched types", "no such field")
        ),
    );
    let other = self::digest(&lab.run(3, "invalid"), "build/build");
    assert_ne!(other["first_failing_assertion"]["signature"], signature);
    // A log that shows nothing is not made to.
    lab.write("build.sh", "echo all is well; exit 3\n");
    let none = self::digest(&lab.run(3, "invalid"), "build/build");
    let first = &none["first_failing_assertion"];
    assert_eq!(
        (&first["log"], &first["message"]),
        (&Value::Null, &"it ended with 3\nall is well".into())
    );
}

#[test]
fn a_runner_that_failed_before_its_report_is_explained_by_its_log() {
    let lab = Lab::new(&format!("{RUSTC}exit 101\n"));
    let run = lab.run(3, "hold");
    let digest = digest(&run, "unit/unit");
    assert_eq!(
        digest["first_failing_assertion"]["location"]["line"], 3,
        "{digest:#}"
    );
    assert_eq!(digest["root_cause_class"], "compile_error");
    assert!(digest["remediation_pointer"]["summary"].is_string());
    assert_eq!(digest["impacted_scenario_ids"], serde_json::json!(["unit"]));
    // Where a test failed, the report says so, and the log is not asked.
    lab.script(&format!("{RUSTC}{}", fails()));
    let run = lab.run(2, "fail");
    assert_eq!(
        run.summary()["unit_targets"][0]["first_failure"],
        Value::Null
    );
    assert_eq!(
        self::digest(&run, "unit/unit")["first_failing_assertion"]["message"],
        "boom"
    );
}

#[test]
fn a_runner_that_dies_before_its_report_says_why() {
    const CONFTEST: &str = "printf \"ImportError while loading conftest '$PWD/conftest.py'.\\nconftest.py:3: in <module>\\nE   ModuleNotFoundError: No module named 'shop'\\n\"; exit 4";
    let lab = Lab::new(CONFTEST);
    lab.write("conftest.py", "import shop\n");
    lab.commit("conftest");
    let run = lab.run(3, "hold");
    let found = digest(&run, "unit/unit");
    let first = &found["first_failing_assertion"];
    assert_eq!(
        first["message"], "ModuleNotFoundError: No module named 'shop'",
        "{found:#}"
    );
    assert_eq!(first["location"]["file"], "conftest.py");
    assert_eq!(found["root_cause_class"], "compile_error");
    let shown = lab.gonogo(&["suite", "show"]);
    for text in [
        "unit/unit/output.log:1: ImportError while loading",
        "No module named 'shop'",
        "no file is",
    ] {
        assert!(shown.out.contains(text), "{text}\n{}", shown.out);
    }
    // Nobody knows what it printed: how it ended, and its last lines.
    lab.script("echo starting; echo 'no licence: cannot open the shop'; exit 7");
    let run = lab.run(3, "hold");
    let first = digest(&run, "unit/unit")["first_failing_assertion"].clone();
    assert_eq!(
        (&first["message"], &first["log_line"], &first["rule"]),
        (
            &"it ended with 7\nno licence: cannot open the shop".into(),
            &2.into(),
            &"process.end".into()
        )
    );
    assert!(first["signature"]["hash"].is_string(), "{first:#}");
    lab.script("printf '.'; kill -9 $$");
    let found = digest(&lab.run(3, "invalid"), "unit/unit");
    assert_eq!(found["root_cause_class"], "signal", "{found:#}");
    // What ended well and wrote nothing has no failure of its own.
    lab.script("echo 'error: none'");
    let found = digest(&lab.run(3, "hold"), "unit/unit");
    assert_eq!(found["first_failing_assertion"], Value::Null, "{found:#}");
}

#[test]
fn whose_a_failure_is_and_by_which_rule() {
    let red = r#"<testsuite name="s" tests="2" failures="2"><testcase classname="c" name="a" file="src/a.rs"><failure message="boom">at x</failure></testcase><testcase classname="c" name="b" file="docs/b.rs"><failure message="bang">at x</failure></testcase></testsuite>"#;
    let lab = Lab::new(&format!("{}exit 1", writes(red)));
    lab.write(".github/CODEOWNERS", "*.rs @rust\nsrc/ @src @more\n");
    lab.write("src/a.rs", "");
    lab.declare("[owners]\n\"docs/\" = \"@writers\"\n");
    lab.commit("owners");
    let run = lab.run(2, "fail");
    let digest = digest(&run, "unit/unit");
    assert_eq!(
        digest["owner"]["owners"],
        serde_json::json!(["@src", "@more"]),
        "{digest:#}"
    );
    let because = &digest["owner"]["because"][0];
    assert_eq!(
        (&because["source"], &because["line"]),
        (&".github/CODEOWNERS".into(), &2.into())
    );
    let index = run.json("failure_diagnostics_index.json");
    assert_eq!(index["suites"][0]["owner"], digest["owner"]);
    let bad = run.summary()["unit_targets"][0]["bad"].clone();
    assert_eq!(
        (&bad[0]["owner"], &bad[1]["owner"]),
        (&"@src @more".into(), &"@writers".into())
    );
    for form in ["terminal", "markdown", "html", "junit", "github"] {
        let said = lab.gonogo(&["suite", "report", "--form", form]);
        said.expect(0);
        let plain = said.out.replace("&#64;", "@").replace("&#x40;", "@");
        assert!(plain.contains("@src @more"), "{form}: {plain}");
    }
    for (path, exit, said) in [
        ("src/x.c", 0, "@src @more"),
        ("docs/any", 0, "@writers"),
        ("a.rs", 0, "@rust"),
        ("README.md", 1, "no rule matches"),
    ] {
        let ran = lab.gonogo(&["suite", "owner", path]);
        ran.expect(exit);
        assert!(ran.out.contains(said), "{}", ran.out);
    }
    let ran = lab.gonogo(&["suite", "owner", "src/x.c", "docs/any"]);
    assert!(ran.out.contains(".github/CODEOWNERS:2  src/") && ran.out.contains("gonogo.toml:"));
    // A rule that cannot be read is told, and gives nobody.
    lab.write(".github/CODEOWNERS", "*.rs @rust\nsrc/ src-team\n");
    let broken = lab.gonogo(&["suite", "owner", "src/x.c"]);
    broken.expect(3);
    assert!(broken.err.contains("CODEOWNERS:2"), "{}", broken.err);
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
    ran.expect(2);
    assert!(ran.err.contains("CODEOWNERS:2"), "{}", ran.err);
    let run = crate::lab::Run::of(&ran);
    assert_eq!(self::digest(&run, "unit/unit")["owner"]["state"], "broken");
    assert_eq!(run.summary()["evidence_contract"]["warning_count"], 1);
    // One that is named must be there.
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        "gonogo.toml",
        config.replacen("[suite]\n", "[suite]\nowners = \"OWNERS\"\n", 1),
    );
    lab.gonogo(&["suite", "run", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
}

#[test]
fn what_to_do_comes_from_the_runbook_and_from_own_causes() {
    let red = |message: &str| {
        let red = crate::lab::RED.replace("boom", message);
        format!("{}exit 1", writes(&red))
    };
    let lab = Lab::new(&red("write: No space left on device"));
    let run = lab.run(2, "fail");
    let pointer = digest(&run, "unit/unit")["remediation_pointer"].clone();
    assert_eq!(pointer["class"], "disk_full");
    assert_eq!(pointer["runbook"][0]["id"], "disk-full", "{pointer:#}");
    for form in ["terminal", "markdown", "html"] {
        let said = lab.gonogo(&["suite", "report", "--form", form]);
        assert!(said.out.contains("disk-full"), "{form}: {}", said.out);
    }
    let cause = "[[suite.causes]]\nid = \"broker\"\npattern = \"broker .*refused\"\nclass = \"broker_down\"\nremediation = \"Start the broker.\"\n";
    lab.declare(cause);
    lab.script(&red("broker b1: connection refused"));
    let run = lab.run(2, "fail");
    let pointer = digest(&run, "unit/unit")["remediation_pointer"].clone();
    assert_eq!(
        (&pointer["class"], &pointer["rule"], &pointer["summary"]),
        (
            &"broker_down".into(),
            &"broker".into(),
            &"Start the broker.".into()
        )
    );
    let bad = &run.summary()["unit_targets"][0]["bad"][0];
    assert_eq!(bad["cause"], serde_json::json!({"own": "broker_down"}));
    // A rule that is none is told at its line, before anything runs.
    lab.declare(
        &cause
            .replace("broker .*refused", "broker (")
            .replace("\"broker\"", "\"other\""),
    );
    let refused = lab.gonogo(&["suite", "run"]);
    refused.expect(78);
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let line = config.lines().position(|l| l.contains("broker (")).unwrap() + 1;
    let place = format!("gonogo.toml:{line}:11: it is no regular expression");
    assert!(refused.err.contains(&place), "{}", refused.err);
    // So is a runbook with faults.
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config.replace("broker (", "broker x"));
    lab.write("runbook.toml", "schema = 1\n");
    lab.gonogo(&["suite", "run", "--json"])
        .refusal(65, &["INPUT_MALFORMED"]);
}

#[test]
fn the_default_run_is_what_the_built_in_gate_asks_for() {
    let lab = Lab::new(&writes(GREEN));
    lab.declare("[suites.whole]\nclass = \"e2e\"\ncommand = [\"true\"]\n");
    lab.commit("two");
    let ran = lab.gonogo(&["suite", "run"]);
    ran.expect(0);
    assert!(
        ran.err.contains("next: gonogo gate check") || ran.out.contains("next: gonogo gate check")
    );
    lab.check(&[], 0, "pass");
}

#[test]
fn names_that_differ_by_a_secret_stay_two_tests() {
    let report = |a: &str, b: &str| {
        format!(
            r#"<testsuite name="s" tests="2" failures="1"><testcase classname="c" name="t[password={a}]"/><testcase classname="c" name="t[password={b}]"><failure message="no">at x</failure></testcase></testsuite>"#
        )
    };
    let lab = Lab::new(&format!(
        "{}exit 1",
        writes(&report("abc-0815", "def-4711"))
    ));
    lab.write(".gitignore", "out/\n.gonogo/\nunit.sh\n");
    lab.git(&["rm", "-q", "--cached", "unit.sh"]);
    lab.commit("the script holds what is secret");
    let run = lab.run(2, "fail");
    let summary = run.summary();
    assert_eq!(
        (&summary["tests"]["passed"], &summary["tests"]["failed"]),
        (&1.into(), &1.into())
    );
    let id = |run: &crate::lab::Run| run.summary()["unit_targets"][0]["bad"][0]["test"].clone();
    let first = id(&run);
    assert!(first.to_string().contains("[REDACTED:"), "{first}");
    for value in ["abc-0815", "def-4711"] {
        let found = lab.holding(".gonogo", value.as_bytes());
        assert!(found.is_empty(), "{found:?}");
    }
    // It is the same test in the next run, and the key is in no artifact.
    assert_eq!(id(&lab.run(2, "fail")), first);
    let key = std::fs::read_to_string(lab.path(".gonogo/keys/redaction.key")).unwrap();
    let held = lab.holding(".gonogo", key.trim().as_bytes());
    assert_eq!(held, [lab.path(".gonogo/keys/redaction.key")]);
    // Nobody can name it to its runner.
    let printed = lab.gonogo(&["suite", "replay", "--print"]);
    printed.expect(0);
    assert!(!printed.out.contains("REDACTED:"), "{}", printed.out);
    // Which of them failed is not mixed up.
    lab.script(&format!(
        "{}exit 1",
        writes(&report("def-4711", "abc-0815"))
    ));
    assert_ne!(id(&lab.run(2, "fail")), first);
}
