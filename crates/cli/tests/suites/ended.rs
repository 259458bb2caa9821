//! Runs that are ended from outside: asked to end, they say so; killed, the next command says so for them.

use std::time::Duration;

use rustix::process::Signal;

use crate::lab::{GREEN, Lab, Run, writes};
use crate::project::{processes_of, wait};

/// How long a test waits for what happens at once.
const SOON: Duration = Duration::from_secs(30);

/// A suite that says that it has begun, prints a secret and waits.
fn waiting() -> Lab {
    let lab = Lab::new(&format!(
        "{}echo $SOME_TOKEN; touch out/began; sleep 600",
        writes(GREEN)
    ));
    lab.declare("[suites.later]\nclass = \"recorded\"\ncommand = [\"touch\", \"out/later\"]\n");
    lab.commit("two");
    lab
}

fn begin(lab: &Lab) -> crate::project::Running {
    let mut command = lab.command(&["suite", "run", "--profile", "ci", "--json"]);
    command
        .env("SOME_TOKEN", "value-of-a-secret-4711")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let running = crate::project::Running::of(command.spawn().unwrap());
    wait("the suite has begun", SOON, || {
        lab.path("out/began").exists().then_some(())
    });
    running
}

fn others(lab: &Lab) -> Vec<i32> {
    processes_of(lab.path("").parent().unwrap())
}

#[test]
fn a_run_that_is_asked_to_end_is_recorded_as_cancelled() {
    for signal in [Signal::INT, Signal::TERM] {
        let lab = waiting();
        let running = begin(&lab);
        running.signal(signal);
        let ran = running.join();
        ran.expect(3);
        let run = Run::of(&ran);
        let summary = run.summary();
        assert_eq!(
            (&summary["state"], &summary["status"]),
            (&"cancelled".into(), &"invalid".into())
        );
        let targets = summary["unit_targets"].as_array().unwrap();
        assert_eq!(targets.len(), 2, "{summary:#}");
        assert_eq!(targets[0]["end"]["how"], "cancelled");
        assert_eq!(targets[1]["end"]["how"], "not_started");
        assert!(!lab.path("out/later").exists());
        assert!(others(&lab).is_empty());
        assert_eq!(
            lab.data(&["suite", "show"])["differences"],
            serde_json::json!([])
        );
        lab.check(&[], 3, "invalid")
            .tells("suites", "RUN_INCOMPLETE");
        lab.script(&writes(GREEN));
        let again = lab.gonogo(&["suite", "rerun", "--json"]);
        again.expect(0);
        assert_eq!(
            Run::of(&again).summary()["unit_targets"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
    }
}

#[test]
fn targets_that_end_at_once_can_be_cancelled_between() {
    let lab = Lab::new(&writes(GREEN));
    // The first sends the signal to its runner and has ended before anybody looks.
    lab.declare("[suites.a]\nclass = \"lint\"\ncommand = [\"sh\", \"-c\", \"kill -INT $PPID\"]\n");
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
    ran.expect(3);
    assert_eq!(Run::of(&ran).summary()["state"], "cancelled");
}

#[test]
fn a_run_whose_runner_was_killed_is_written_down_by_the_next_command() {
    for (first, exit) in [
        (&["suite", "list"][..], 0),
        (&["suite", "show"], 3),
        (&["gate", "check"], 3),
    ] {
        let lab = waiting();
        let running = begin(&lab);
        // While it lives it is nobody's to write down.
        let none = lab.data(&["suite", "list"]);
        assert_eq!(none["runs"], serde_json::json!([]));
        running.signal(Signal::KILL);
        drop(running);
        assert!(!others(&lab).is_empty(), "its target outlives it");
        lab.gonogo(first).expect(exit);
        assert!(others(&lab).is_empty(), "{:?}", others(&lab));
        let shown = lab.data(&["suite", "show"]);
        let summary = &shown["summary"];
        assert_eq!(shown["differences"], serde_json::json!([]), "{shown:#}");
        assert_eq!(
            (&summary["state"], &summary["status"]),
            (&"crashed".into(), &"invalid".into())
        );
        assert!(
            lab.gonogo(&["suite", "show"])
                .out
                .contains("its runner was ended")
        );
        // What the target had printed has secrets that only its runner knew.
        let dir = std::path::Path::new(shown["directory"].as_str().unwrap());
        let log = std::fs::read_to_string(dir.join("unit/unit/output.log")).unwrap();
        assert!(log.contains("was not kept"), "{log}");
        // Nothing of the run says that it went well, whatever it had written when it was killed.
        let read = |name: &str| -> serde_json::Value {
            serde_json::from_slice(&std::fs::read(dir.join(name)).unwrap()).unwrap()
        };
        assert_eq!(read("evidence_contract.json")["status"], "fail");
        assert_eq!(read("runner_outcome.json")["status"], "invalid");
        let leaks = lab.holding(".gonogo", b"value-of-a-secret-4711");
        assert!(leaks.is_empty(), "{leaks:?}");
        for form in ["terminal", "html", "junit"] {
            lab.gonogo(&["suite", "report", "--form", form]).expect(0);
        }
        // It is one of this tree's runs, and the newest of them speaks.
        lab.check(&[], 3, "invalid")
            .tells("suites", "RUN_INCOMPLETE");
        lab.script(&writes(GREEN));
        let again = lab.gonogo(&["suite", "rerun", "--json"]);
        again.expect(0);
        assert_eq!(
            Run::of(&again).summary()["unit_targets"]
                .as_array()
                .unwrap()
                .len(),
            2
        );
        let runs = lab.data(&["suite", "list"]);
        assert_eq!(runs["runs"].as_array().unwrap().len(), 2, "{runs:#}");
    }
}

#[test]
fn the_next_run_says_that_one_was_cut_off() {
    let lab = waiting();
    let running = begin(&lab);
    running.signal(Signal::KILL);
    drop(running);
    std::fs::remove_dir_all(lab.path("out")).unwrap();
    lab.script(&writes(GREEN));
    let ran = lab.gonogo(&["suite", "run", "--profile", "ci"]);
    ran.expect(0);
    assert!(ran.err.contains("its runner was ended"), "{}", ran.err);
    let listed = lab.gonogo(&["suite", "list"]);
    listed.expect(0);
    assert_eq!(listed.out.lines().count(), 2, "{}", listed.out);
    lab.check(&[], 0, "pass");
}

/// A run of two suites on a tree that a file beside it decides over: the first one fails, the second waits.
fn failing_then_waiting() -> Lab {
    let lab = Lab::new("test -e out/began && exit 0\ntouch out/began; sleep 600");
    lab.write(
        "gonogo.toml",
        "[suites.first]\nclass = \"lint\"\ncommand = [\"sh\", \"-c\", \"test -e out/began\"]\n\
         [suites.then]\nclass = \"recorded\"\ncommand = [\"sh\", \"unit.sh\"]\n",
    );
    lab.commit("two");
    lab
}

#[test]
fn what_a_killed_run_had_found_is_not_lost_with_its_files() {
    type Damage = fn(&std::path::Path);
    let cases: [(&str, Damage, i32, &str); 6] = [
        // The runner was killed between the two files.
        (
            "result.json is not there yet",
            |dir| std::fs::remove_file(dir.join("lint/first/result.json")).unwrap(),
            1,
            "FLAKY_BLOCKING",
        ),
        (
            "result.json is cut",
            |dir| std::fs::write(dir.join("lint/first/result.json"), "{\"sch").unwrap(),
            3,
            "EVIDENCE_UNPARSABLE",
        ),
        (
            "tests.jsonl is empty",
            |dir| std::fs::write(dir.join("lint/first/tests.jsonl"), "").unwrap(),
            3,
            "EVIDENCE_UNPARSABLE",
        ),
        (
            "neither names its tests nor has them",
            |dir| {
                let path = dir.join("lint/first/result.json");
                let text = std::fs::read(&path).unwrap();
                let mut result: serde_json::Value = serde_json::from_slice(&text).unwrap();
                result
                    .as_object_mut()
                    .unwrap()
                    .remove("tests_sha256")
                    .unwrap();
                std::fs::write(path, result.to_string()).unwrap();
                std::fs::remove_file(dir.join("lint/first/tests.jsonl")).unwrap();
            },
            3,
            "EVIDENCE_UNPARSABLE",
        ),
        (
            "the directory is gone",
            |dir| std::fs::remove_dir_all(dir).unwrap(),
            3,
            "EVIDENCE_UNPARSABLE",
        ),
        ("nothing", |_| (), 1, "FLAKY_BLOCKING"),
    ];
    for (what, damage, exit, reason) in cases {
        let lab = failing_then_waiting();
        let running = begin(&lab);
        running.signal(Signal::KILL);
        drop(running);
        let runs = lab.path(".gonogo/runs/suite");
        let dir = std::fs::read_dir(runs).unwrap().next().unwrap().unwrap();
        let kept = dir.path().join("lint/first/tests.jsonl");
        assert!(std::fs::read_to_string(&kept).unwrap().contains("failed"));
        damage(&dir.path());
        lab.gonogo(&["suite", "run", "--profile", "ci"]).expect(0);
        let status = if exit == 1 { "hold" } else { "invalid" };
        lab.check(&[], exit, status).tells("suites", reason);
        if what == "result.json is cut" {
            let kept = std::fs::read_to_string(&kept).unwrap();
            assert!(kept.contains("failed"), "the proof is gone: {kept}");
        }
    }
}

#[test]
fn a_run_that_goes_on_holds_the_verdict_over_its_tree() {
    let lab = failing_then_waiting();
    std::fs::create_dir(lab.path("out")).unwrap();
    lab.write("out/began", "");
    lab.gonogo(&["suite", "run", "--profile", "ci"]).expect(0);
    lab.check(&[], 0, "pass");
    std::fs::remove_file(lab.path("out/began")).unwrap();
    let running = begin(&lab);
    lab.check(&[], 1, "hold").tells("suites", "RUN_ACTIVE");
    running.signal(Signal::TERM);
    running.join().expect(3);
    // It has ended, and what it had found is there.
    lab.check(&[], 3, "invalid");
}

#[test]
fn a_suite_may_ask_about_its_own_run() {
    let lab = failing_then_waiting();
    std::fs::create_dir(lab.path("out")).unwrap();
    lab.write("out/began", "");
    lab.gonogo(&["suite", "run", "--profile", "ci"]).expect(0);
    let program = env!("CARGO_BIN_EXE_gonogo");
    lab.declare(&format!(
        "[suites.asks]\nclass = \"e2e\"\ncommand = [\"sh\", \"-c\", \"{program} gate check --json > out/asked; cat out/asked\"]\n"
    ));
    lab.commit("asks");
    lab.gonogo(&["suite", "run", "--profile", "full"]).expect(0);
    let asked = std::fs::read_to_string(lab.path("out/asked")).unwrap();
    assert!(
        asked.contains("\"verdict\"") && !asked.contains("RUN_ACTIVE"),
        "{asked}"
    );
}
