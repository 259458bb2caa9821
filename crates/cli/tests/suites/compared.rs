//! What a run is held against, and what of its surroundings and findings it tells to other tools.

use serde_json::{Value, json};

use crate::lab::{Lab, RED, fails, writes};

/// Two tests that passed, and one of them alone.
const TWO: &str = r#"<testsuite name="s" tests="2"><testcase classname="c" name="a"/><testcase classname="c" name="b"/></testsuite>"#;
const ONE: &str = r#"<testsuite name="s" tests="1"><testcase classname="c" name="a"/></testsuite>"#;

fn removed(lab: &Lab, args: &[&str]) -> (i32, Value, Value) {
    let ran = lab.gonogo(&[&["suite", "diff", "--json"], args].concat());
    let data = ran.envelope()["data"].take();
    (
        ran.status,
        data["status"].clone(),
        data["summary"]["removed_count"].clone(),
    )
}

#[test]
fn a_change_is_held_against_its_base_however_often_it_ran() {
    let lab = Lab::new(&writes(TWO));
    let first = lab.run(0, "pass").data["run"].clone();
    lab.git(&["checkout", "-q", "-b", "feature"]);
    lab.script(&writes(ONE));
    lab.commit("one test less");
    for _ in 0..2 {
        lab.run(0, "pass");
        assert_eq!(removed(&lab, &[]), (2, json!("regression"), json!(1)));
    }
    // Its own next commit is held against the base too, and not against what it ran before.
    lab.commit("nothing else");
    lab.write("more.txt", "more");
    lab.commit("a file");
    let run = lab.run(0, "pass");
    assert_eq!(removed(&lab, &[]), (2, json!("regression"), json!(1)));
    let triage = &run.json("triage_diff.json");
    let base = &triage["unit_targets"]["unit"]["baseline"];
    assert_eq!(base["run_id"], first, "{triage:#}");
    assert!(
        triage["baseline_summary_path"]
            .as_str()
            .unwrap()
            .ends_with(&format!("{}/summary.json", first.as_str().unwrap())),
        "{triage:#}"
    );
    // A branch by its name; what is neither a branch nor a run is refused.
    assert_eq!(
        removed(&lab, &["--against", "main"]),
        (2, json!("regression"), json!(1))
    );
    assert_eq!(
        removed(&lab, &["--against", "feature~1"]),
        (0, json!("stable"), json!(0))
    );
    lab.gonogo(&["suite", "diff", "--against", "nobody", "--json"])
        .refusal(66, &["RUN_UNKNOWN"]);
    lab.gonogo(&["suite", "run", "--diff-from", "nobody", "--json"])
        .refusal(66, &["RUN_UNKNOWN"]);
    let args = ["suite", "run", "--profile", "ci", "--diff-from", "main"];
    let data = lab.data(&args);
    assert_eq!(
        (&data["triage"], &data["summary"]["diff_from"]),
        (&json!("regression"), &json!("main"))
    );
}

#[test]
fn what_is_run_again_is_held_against_what_it_was() {
    let lab = Lab::new(&fails());
    let first = lab.run(2, "fail").data["run"].clone();
    lab.script(&writes(TWO));
    lab.commit("mended");
    let data = lab.data(&["suite", "rerun", "--from", first.as_str().unwrap()]);
    assert_eq!(
        (&data["triage"], &data["summary"]["diff_from"]),
        (&json!("stable"), &first)
    );
    let triage = std::fs::read(
        std::path::Path::new(data["directory"].as_str().unwrap()).join("triage_diff.json"),
    );
    let triage: Value = serde_json::from_slice(&triage.unwrap()).unwrap();
    assert_eq!(triage["summary"]["fixed_count"], 1, "{triage:#}");
    assert_eq!(triage["diff_from"], first);
}

#[test]
fn versions_of_tools_are_what_they_say_themselves() {
    let lab = Lab::new(&fails());
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    // A program of the project is never asked: it would do something.
    lab.write("own.sh", "#!/bin/sh\ntouch asked\necho 1.0\n");
    let own = lab.path("own.sh");
    std::process::Command::new("chmod")
        .arg("+x")
        .arg(&own)
        .status()
        .unwrap();
    lab.write("gonogo.toml", config + "tools = [\"git\", \"./own.sh\"]\n");
    lab.commit("tools");
    let run = lab.run(2, "fail");
    let said = lab.git(&["--version"]);
    let environment = run.json("environment.json");
    assert_eq!(environment["tools"]["git"]["version"], said.trim());
    assert_eq!(environment["parallelism"], 1);
    assert!(!lab.path("asked").exists());
    let bundle = run.json("replay_bundle.json");
    assert_eq!(bundle["environment"]["tools"]["git"], said.trim());
}

#[test]
fn each_finding_of_a_linter_is_one_for_other_tools() {
    let lab = Lab::new(&writes(RED));
    lab.declare("[suites.lint]\nclass = \"lint\"\ncommand = [\"sh\", \"lint.sh\"]\n");
    lab.write(
        "lint.sh",
        "for n in 1 2 3; do echo \"a.py:$n:8: F401 \\`os$n\\` imported but unused\"; done; echo 'Found 3 errors.'; exit 1\n",
    );
    lab.commit("a linter");
    lab.gonogo(&["suite", "run", "--suite", "lint", "-q"])
        .expect(2);
    let quality = lab
        .gonogo(&["suite", "report", "--form", "gitlab-quality"])
        .out;
    let quality: Vec<Value> = serde_json::from_str(&quality).unwrap();
    let lines: Vec<u64> = quality
        .iter()
        .map(|one| one["location"]["lines"]["begin"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [1, 2, 3], "{quality:#?}");
    let github = lab.gonogo(&["suite", "report", "--form", "github"]).out;
    for line in 1..=3 {
        let head = format!("::error file=a.py,line={line},title=lint::F401");
        assert!(github.contains(&head), "{github}");
    }
}
