//! Failures run again and shown again: nothing of the user's is touched, and nothing selected is never a success.

use crate::lab::{GREEN, Lab, RED, fails, writes};
use crate::project::files;

/// Everything of a repository that a replay must not change.
fn world(lab: &Lab) -> Vec<String> {
    let mut all = vec![
        lab.git(&["status", "--porcelain=v2", "--ignored", "--branch"]),
        lab.git(&["for-each-ref"]),
        lab.git(&["stash", "list"]),
        lab.git(&["worktree", "list"]),
        lab.git(&["count-objects", "-v"]),
    ];
    for name in ["index", "HEAD", "config"] {
        let bytes = std::fs::read(lab.path(".git").join(name)).unwrap();
        all.push(gonogo_core::Digest::of(&bytes).to_string());
    }
    for (path, bytes) in files(&lab.path("")) {
        let inside = path.strip_prefix(lab.path("")).unwrap();
        if !inside.starts_with(".git") && !inside.starts_with(".gonogo") {
            all.push(format!(
                "{} {}",
                inside.display(),
                gonogo_core::Digest::of(&bytes)
            ));
        }
    }
    all
}

fn verdicts(lab: &Lab, exit: i32, more: &[&str]) -> Vec<String> {
    let before = world(lab);
    let ran = lab.gonogo(&[&["suite", "replay", "--json"], more].concat());
    ran.expect(exit);
    assert_eq!(world(lab), before);
    let data = ran.envelope()["data"].clone();
    let results = data["results"].as_array().unwrap().clone();
    let word = |r: &serde_json::Value| r["verdict"].as_str().unwrap().to_owned();
    results.iter().map(word).collect()
}

#[test]
fn a_failure_is_shown_again_on_the_tree_as_it_was() {
    let lab = Lab::new(&format!("cat dirty\n{}", fails()));
    lab.write("dirty", "not committed");
    lab.write("unit.sh", std::fs::read(lab.path("unit.sh")).unwrap());
    lab.run(2, "fail");
    assert_eq!(verdicts(&lab, 2, &[]), ["reproduced"]);
    // What is done to the tree meanwhile does not matter.
    lab.script("exit 0");
    std::fs::remove_file(lab.path("dirty")).unwrap();
    lab.git(&["add", "-A"]);
    lab.git(&["stash", "-q"]);
    assert_eq!(verdicts(&lab, 2, &["--level", "target"]), ["reproduced"]);
    let records = lab.data(&["evidence", "list", "--kind", "replay"]);
    assert_eq!(records["records"].as_array().unwrap().len(), 2);
    let left = std::fs::read_dir(lab.path(".gonogo/replays"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
    let kept = lab.data(&["suite", "replay", "--keep-tree"]);
    let tree = std::path::PathBuf::from(kept["tree"].as_str().unwrap());
    assert_eq!(
        std::fs::read_to_string(tree.join("dirty")).unwrap(),
        "not committed"
    );
    let printed = lab.gonogo(&["suite", "replay", "--print"]);
    printed.expect(0);
    assert!(printed.out.contains("sh unit.sh"), "{}", printed.out);
}

#[test]
fn a_replay_says_what_it_saw_and_no_more() {
    let lab = Lab::new("");
    let flag = lab.beside("flag");
    let other = writes(&RED.replace("boom", "no such user"));
    lab.script(&format!(
        "case $(cat {flag}) in red) {} ;; other) {other} exit 1 ;; crash) kill -9 $$ ;; esac\n{}",
        fails(),
        writes(GREEN)
    ));
    lab.commit("two");
    std::fs::write(&flag, "red").unwrap();
    lab.run(2, "fail");
    for (state, exit, word) in [
        ("green", 1, "passed"),
        ("red", 2, "reproduced"),
        ("other", 2, "different_signature"),
    ] {
        std::fs::write(&flag, state).unwrap();
        assert_eq!(verdicts(&lab, exit, &[]), [word], "{state}");
    }
    // It ended before it could say anything of the test.
    std::fs::write(&flag, "crash").unwrap();
    let ran = lab.gonogo(&["suite", "replay"]);
    assert!(ran.status == 2 || ran.status == 3, "{}", ran.out);
    assert!(!ran.out.contains("passed"), "{}", ran.out);
    // The program is no part of the tree.
    let lab = Lab::new(&fails());
    lab.write(".gitignore", "out/\n.gonogo/\nbin/\n");
    std::fs::create_dir(lab.path("bin")).unwrap();
    std::os::unix::fs::symlink("/bin/sh", lab.path("bin/own")).unwrap();
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config.replace("[\"sh\"", "[\"./bin/own\""));
    lab.commit("own");
    lab.run(2, "fail");
    assert_eq!(verdicts(&lab, 3, &[]), ["cannot_run"]);
}

#[test]
fn an_exit_code_and_a_report_that_is_not_there_are_not_yet_the_same_failure() {
    let lab = Lab::new("");
    let flag = lab.beside("flag");
    let dies = |why: &str| {
        format!(
            "printf \"ImportError while loading conftest '$PWD/conftest.py'.\\nE   {why}\\n\"; exit 4"
        )
    };
    lab.script(&format!(
        "case $(cat {flag}) in db) {} ;; module) {} ;; mute) exit 4 ;; esac\n{}",
        dies("ConnectionRefusedError: [Errno 111] db refused"),
        dies("ModuleNotFoundError: No module named 'shop'"),
        writes(GREEN)
    ));
    lab.commit("two");
    std::fs::write(&flag, "db").unwrap();
    lab.run(3, "hold");
    for (state, exit, word) in [
        ("db", 2, "reproduced"),
        ("module", 2, "different_signature"),
        ("mute", 2, "different_signature"),
        ("green", 1, "passed"),
    ] {
        std::fs::write(&flag, state).unwrap();
        assert_eq!(verdicts(&lab, exit, &[]), [word], "{state}");
    }
}

#[test]
fn nothing_to_show_is_no_success() {
    let lab = Lab::new(&writes(GREEN));
    for command in ["replay", "rerun", "diff", "report", "show"] {
        lab.gonogo(&["suite", command, "--json"])
            .refusal(66, &["RUN_UNKNOWN"]);
    }
    lab.run(0, "pass");
    lab.gonogo(&["suite", "replay", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    let again = lab.data(&["suite", "rerun"]);
    assert_eq!(again["result"], "nothing_to_rerun");
    let again = lab.gonogo(&["suite", "rerun"]);
    again.expect(0);
    assert!(again.out.contains("nothing to rerun"), "{}", again.out);
    let runs = lab.data(&["suite", "list"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn every_kind_of_failure_is_run_again_and_nothing_else() {
    for class in ["build", "lint", "unit", "recorded", "e2e"] {
        let lab = Lab::new(&writes(GREEN));
        lab.declare(&format!(
            "[suites.more]\nclass = \"{class}\"\ncommand = [\"test\", \"-e\", \"out/mended\"]\n"
        ));
        lab.commit("more");
        let ran = lab.gonogo(&["suite", "run", "--profile", "full", "--json"]);
        assert_ne!(ran.status, 0, "{class}");
        let of =
            |ran: &crate::screen::Ran| crate::lab::Run::of(ran).summary()["selected"].to_string();
        let again = lab.gonogo(&["suite", "rerun", "--json"]);
        assert_ne!(again.status, 0, "{class}");
        match class {
            // Without its build the other was not run either.
            "build" => assert_eq!(of(&again), r#"["more","unit"]"#),
            _ => assert_eq!(of(&again), r#"["more"]"#, "{class}"),
        }
        lab.write("out/mended", "");
        let from = crate::lab::Run::of(&ran);
        let again = lab.gonogo(&["suite", "rerun", "--from", from.id(), "--json"]);
        again.expect(0);
        let summary = crate::lab::Run::of(&again).summary();
        assert_eq!(
            (&summary["rerun_from"], &summary["profile"]),
            (&from.id().into(), &"full".into())
        );
    }
}

#[test]
fn what_cannot_be_run_again_is_refused() {
    let lab = Lab::new(&fails());
    let run = lab.run(2, "fail");
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", config.replace("suites.unit", "suites.other"));
    lab.gonogo(&["suite", "rerun", "--json"])
        .refusal(78, &["SUITE_UNKNOWN"]);
    lab.write("gonogo.toml", config);
    let rows = run.dir.join("unit/unit/tests.jsonl");
    std::fs::write(&rows, "").unwrap();
    for command in ["rerun", "replay"] {
        lab.gonogo(&["suite", command, "--json"])
            .refusal(3, &["ARTIFACTS_CHANGED"]);
    }
    // Somebody else's directory is not believed either.
    let foreign = lab.beside("foreign");
    std::fs::create_dir(&foreign).unwrap();
    let mut summary = run.summary();
    summary["run_id"] = "run_000000000000".into();
    std::fs::write(format!("{foreign}/summary.json"), summary.to_string()).unwrap();
    lab.gonogo(&["suite", "rerun", "--from", &foreign, "--json"])
        .refusal(3, &["ARTIFACTS_CHANGED"]);
}

#[test]
fn two_runs_side_by_side() {
    let lab = Lab::new(&writes(GREEN));
    let good = lab.run(0, "pass");
    lab.script(&fails());
    lab.run(2, "fail");
    for more in [&[][..], &["--against", good.id()]] {
        let ran = lab.gonogo(&[&["suite", "diff"], more].concat());
        ran.expect(2);
        assert!(
            ran.out.contains("regress") && ran.out.contains("s > c > b"),
            "{}",
            ran.out
        );
    }
    lab.gonogo(&["suite", "diff", "--against", "last", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    lab.gonogo(&["suite", "diff", "--against", "nope", "--json"])
        .refusal(66, &["RUN_UNKNOWN"]);
}

#[test]
fn what_never_ran_is_not_run_again() {
    let lab = Lab::new(&fails());
    lab.declare(
        "[suites.build]\nclass = \"build\"\ncommand = [\"sh\", \"-c\", \"echo no; exit 3\"]\n",
    );
    lab.commit("a build that fails");
    let run = lab.run(3, "invalid");
    let ran = lab.gonogo(&["suite", "replay", run.id(), "--json"]);
    ran.expect(2);
    let told = ran.envelope()["data"].clone();
    let results = told["results"].as_array().unwrap();
    assert_eq!(results.len(), 1, "{told:#}");
    assert_eq!(results[0]["verdict"], "reproduced", "{told:#}");
    // By its name it is.
    let ran = lab.gonogo(&["suite", "replay", run.id(), "--target", "unit", "--print"]);
    ran.expect(0);
}

#[test]
fn the_next_command_is_one_that_can_do_something() {
    let next = |lab: &Lab| {
        let ran = lab.gonogo(&["suite", "run", "--profile", "ci"]);
        let line = ran
            .err
            .lines()
            .chain(ran.out.lines())
            .find_map(|l| l.strip_prefix("next: "));
        line.unwrap_or_else(|| panic!("{} {}", ran.out, ran.err))
            .to_owned()
    };
    let lab = Lab::new(&fails());
    assert!(next(&lab).starts_with("gonogo suite replay run_"));
    lab.script("exit 0");
    assert_eq!(next(&lab), "gonogo explain EVIDENCE_STALE");
    lab.script(&writes(GREEN));
    assert_eq!(next(&lab), "gonogo gate check");
}

#[test]
fn the_tree_of_a_replay_that_was_killed_is_taken_away_by_the_next() {
    let flag = "if [ -e ../../../../kill ]; then kill -9 $PPID; fi";
    let lab = Lab::with(&format!("{flag}\necho 'a.c:3:5: error: x' >&2; exit 1"), "");
    lab.run(2, "fail");
    let trees = || {
        let entries = std::fs::read_dir(lab.path(".gonogo/replays"))
            .into_iter()
            .flatten();
        entries.count()
    };
    std::fs::write(lab.beside("kill"), "").unwrap();
    let killed = lab.gonogo(&["suite", "replay"]);
    assert!(killed.status != 0 && trees() == 2, "{}", killed.status);
    std::fs::remove_file(lab.beside("kill")).unwrap();
    // One that is kept stays.
    lab.gonogo(&["suite", "replay", "--keep-tree"]).expect(2);
    assert_eq!(trees(), 1);
    lab.gonogo(&["suite", "replay"]).expect(2);
    assert_eq!(trees(), 1);
}
