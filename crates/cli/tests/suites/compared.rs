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

/// A lab with a second suite, `more`, whose run on main is good.
fn with_more() -> (Lab, String) {
    let lab = Lab::new(&writes(TWO));
    let alone = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let script = writes(TWO).replace("out/r.xml", "out/more.xml");
    lab.write("more.sh", format!("mkdir -p out\n{script}"));
    lab.declare("[suites.more]\nclass = \"unit\"\ncommand = [\"sh\", \"more.sh\"]\nformat = \"junit\"\nreports = [\"out/more.xml\"]\n");
    // Each suite its own report.
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write("gonogo.toml", text.replace("out/*.xml", "out/r.xml"));
    lab.commit("more");
    (lab, alone.replace("out/*.xml", "out/r.xml"))
}

#[test]
fn a_suite_that_is_taken_out_takes_its_tests_with_it() {
    let (lab, alone) = with_more();
    let first = lab.run(0, "pass").id().to_owned();
    // The newest run of the base is of one suite only: what it declared says what there was.
    lab.git(&["commit", "-q", "--allow-empty", "-m", "nothing"]);
    lab.gonogo(&["suite", "run", "--suite", "unit", "-q"])
        .expect(0);
    lab.git(&["checkout", "-q", "-b", "feature"]);
    lab.write("gonogo.toml", alone);
    lab.commit("less");
    let run = lab.run(0, "pass");
    let gone = (2, json!("regression"), json!(2));
    for args in [&[][..], &["--against", "main"], &["--against", &first]] {
        assert_eq!(removed(&lab, args), gone, "{args:?}");
    }
    let triage = run.json("triage_diff.json");
    assert_eq!(triage["removed_targets"], json!(["more"]), "{triage:#}");
    assert_eq!(triage["unit_targets"]["more"]["counts"]["removed"], 2);
    assert_eq!(triage["focus"]["unit_targets"], json!(["more"]));
    let said = lab.gonogo(&["suite", "diff"]).out;
    assert!(said.contains("more: it is declared no longer"), "{said}");
    // It stays gone when it is asked for later, as what the run declared is in its commit; and where that is in none, nobody knows.
    lab.git(&["checkout", "-q", "main"]);
    assert_eq!(removed(&lab, &[run.id()]), gone);
    // What the base itself gave up is missed no more.
    lab.git(&["merge", "-q", "feature"]);
    lab.run(0, "pass");
    lab.git(&["checkout", "-q", "-b", "next"]);
    lab.write("other.txt", "");
    lab.commit("next");
    lab.run(0, "pass");
    assert_eq!(removed(&lab, &[]), (0, json!("stable"), json!(0)));
}

#[test]
fn a_suite_that_is_declared_and_was_left_out_is_told_and_not_missed() {
    let (lab, alone) = with_more();
    lab.run(0, "pass");
    lab.git(&["checkout", "-q", "-b", "feature"]);
    lab.write("other.txt", "");
    lab.commit("other");
    lab.gonogo(&["suite", "run", "--suite", "unit", "-q"])
        .expect(0);
    assert_eq!(removed(&lab, &[]), (0, json!("stable"), json!(0)));
    let data = lab.data(&["suite", "diff"]);
    assert_eq!(data["not_run_targets"], json!(["more"]), "{data:#}");
    let said = lab.gonogo(&["suite", "diff"]).out;
    assert!(said.contains("more: it was not run"), "{said}");
    // Of a run whose declaration is in no commit and is no longer here nobody knows.
    lab.declare("[suites.third]\nclass = \"unit\"\ncommand = [\"true\"]\n");
    lab.gonogo(&["suite", "run", "--suite", "unit", "-q"])
        .expect(0);
    lab.write("gonogo.toml", alone);
    assert_eq!(removed(&lab, &[]), (3, json!("incomparable"), json!(0)));
    let said = lab.gonogo(&["suite", "diff"]).out;
    assert!(
        said.contains("more: nobody knows whether it was declared"),
        "{said}"
    );
    // Reports that were read are of no declaration.
    lab.git(&["checkout", "-q", "gonogo.toml"]);
    lab.write("out/read.xml", TWO);
    let read = [
        "suite",
        "read",
        "out/read.xml",
        "--exit-code",
        "0",
        "--keep",
        "--target",
        "unit",
    ];
    lab.gonogo(&read).expect(0);
    let data = lab.data(&["suite", "diff"]);
    assert_eq!(
        (&data["removed_targets"], &data["not_run_targets"]),
        (&json!([]), &json!([])),
        "{data:#}"
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
