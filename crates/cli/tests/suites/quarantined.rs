//! Quarantined tests: they run like all others, are tried once more and told apart, and no retry makes anything better.

use crate::history::{flaky, turns};
use crate::lab::{GREEN, JUNIT, Lab, RED, writes};

/// No waiting.
fn at_once(lab: &Lab) {
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let text = text.replace(
        "min_free = ",
        "quarantine_retry_after = \"0s\"\nmin_free = ",
    );
    lab.write("gonogo.toml", text);
}

/// What a person says, filled in.
fn filled(toml: &str) -> String {
    toml.replace("issue = \"\"", "issue = \"X-1\"")
        .replace("reason = \"\"", "reason = \"r\"")
        .replace("remove_when = \"\"", "remove_when = \"mended\"")
}

/// The runs that an entry names.
fn entry_runs(toml: &str) -> Vec<&str> {
    let mut runs: Vec<&str> = toml
        .split('"')
        .filter(|word| word.starts_with("run_"))
        .collect();
    runs.dedup();
    runs
}

#[test]
fn a_proposal_counts_when_a_person_has_filled_it_in_and_it_is_in_the_base() {
    let lab = Lab::new(&turns());
    at_once(&lab);
    lab.commit("at once");
    let none = lab.gonogo(&["suite", "quarantine", "propose"]);
    none.expect(0);
    assert!(none.err.contains("nothing to propose"), "{}", none.err);
    lab.gonogo(&["suite", "quarantine", "propose", "b"])
        .expect(1);
    flaky(&lab);
    let ran = lab.gonogo(&["suite", "quarantine", "propose"]);
    ran.expect(0);
    let toml: toml::Value = toml::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}\n{}", ran.out));
    let entry = &toml["quarantine"][0];
    assert_eq!(entry["test"]["name"].as_str(), Some("b"));
    assert_eq!(
        (entry["owner"].as_str(), entry["category"].as_str()),
        (Some("ana"), Some("FLAKE-LOGIC"))
    );
    assert_eq!(entry["evidence"].as_array().unwrap().len(), 4);
    for key in ["issue", "reason", "remove_when"] {
        assert_eq!(entry[key].as_str(), Some(""), "{key}");
    }
    // As it is printed it is refused.
    lab.write("quarantine.toml", &ran.out);
    lab.commit("as it is");
    let open = lab.gonogo(&["gate", "excuses", "--json"]);
    open.expect(3);
    let data = open.envelope()["data"].clone();
    assert_eq!(
        data["quarantines"]["entries"][0]["status"], "invalid",
        "{data:#}"
    );
    assert_eq!(
        data["quarantines"]["reasons"][0]["code"],
        "QUARANTINE_INVALID"
    );
    // Filled in by the change itself it holds for nothing.
    lab.git(&["checkout", "-q", "-b", "change"]);
    lab.write("quarantine.toml", filled(&ran.out));
    lab.commit("filled in");
    let fresh = lab.gonogo(&["gate", "excuses", "--json"]);
    let data = fresh.envelope()["data"].clone();
    assert_eq!(
        data["quarantines"]["entries"][0]["status"], "unapproved",
        "{data:#}"
    );
    let run = lab.run(2, "fail");
    assert_eq!(run.summary()["quarantined"]["entries"], 0);
    lab.run(0, "pass");
    lab.git(&["checkout", "-q", "main"]);
    lab.git(&["merge", "-q", "change"]);
    let held = lab.gonogo(&["gate", "excuses", "--json"]);
    held.expect(0);
    let data = held.envelope()["data"].clone();
    let entry = &data["quarantines"]["entries"][0];
    assert_eq!(
        (&entry["status"], &entry["days_remaining"]),
        (&"active".into(), &6.into()),
        "{data:#}"
    );
    let again = lab.gonogo(&["suite", "quarantine", "propose", "b"]);
    again.expect(1);
    assert!(again.err.contains("has it already"), "{}", again.err);
    // A runner that is not known cannot run it alone, and nothing is guessed.
    lab.write("other", "z");
    lab.commit("z");
    let run = lab.run(2, "fail");
    let told = &run.summary()["quarantined"]["tests"][0];
    assert_eq!(
        (&told["test"]["name"], &told["retry"]["came_to"]),
        (&"b".into(), &"not_run".into()),
        "{told:#}"
    );
    assert!(
        told["retry"]["why"]
            .as_str()
            .unwrap()
            .contains("cannot be selected alone"),
        "{told:#}"
    );
    assert!(!run.dir.join("quarantine").exists());
    lab.check(&[], 0, "excused")
        .tells("suites", "QUARANTINE_APPLIED");
    // What verdicts saw of it, and what they see later stands behind it.
    lab.gonogo(&["gate", "excuses", "--out", "out/excuses"])
        .expect(0);
    let audit = |lab: &Lab| {
        std::fs::read_to_string(lab.path("out/excuses/quarantine_audit.jsonl")).unwrap()
    };
    let before = audit(&lab);
    let events: Vec<serde_json::Value> = before
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let words: Vec<&str> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["entered", "matched"], "{before}");
    for name in ["waiver_audit.json", "quarantine_report.json"] {
        assert!(lab.path("out/excuses").join(name).is_file(), "{name}");
    }
    // It covers no run that broke off behind the failure, whichever way it says so.
    let stops = [
        "exit 4\n",
        "echo '!!!!!! stopping after 1 failures !!!!!!'; exit 1\n",
        "echo 'Canceling due to test failure' >&2; exit 1\n",
    ];
    for stop in stops {
        lab.script(&format!("{}{stop}", writes(RED)));
        lab.commit("broken off");
        lab.run(2, "fail");
        lab.check(&[], 3, "invalid")
            .tells("suites", "RUN_INCOMPLETE");
    }
    lab.script(&format!("{}exit 1\n", writes(RED)));
    lab.commit("to the end");
    lab.run(2, "fail");
    lab.check(&[], 0, "excused");
    // Once it is mended, it is told that nothing needs the entry any more.
    let notes = |lab: &Lab| lab.gonogo(&["gate", "excuses"]).out;
    lab.script(&writes(GREEN));
    lab.commit("mended");
    lab.run(0, "pass");
    lab.run(0, "pass");
    assert!(!notes(&lab).contains("in a row"), "{}", notes(&lab));
    lab.run(0, "pass");
    let told = notes(&lab);
    assert!(told.contains("ran and passed in 3 runs in a row"), "{told}");
    // Evidence that is here and shows no failure is none.
    let green = [lab.run(0, "pass"), lab.run(0, "pass")];
    let own = std::fs::read_to_string(lab.path("quarantine.toml")).unwrap();
    let runs: Vec<&str> = entry_runs(&own);
    let mut made_up = own.clone();
    for (n, run) in runs.iter().enumerate() {
        made_up = made_up.replace(run, green[n % 2].id());
    }
    lab.write("quarantine.toml", made_up);
    lab.commit("made up");
    let told = lab.gonogo(&["gate", "excuses"]);
    told.expect(3);
    assert!(told.out.contains("none of its runs shows"), "{}", told.out);
    // What is recorded elsewhere is not denied.
    let elsewhere = runs.iter().fold(own.clone(), |text, run| {
        text.replace(run, &format!("https://ci.example.org/{run}"))
    });
    lab.write("quarantine.toml", elsewhere);
    lab.commit("elsewhere");
    lab.gonogo(&["gate", "excuses"]).expect(0);
    std::fs::remove_file(lab.path("quarantine.toml")).unwrap();
    lab.commit("out");
    lab.gonogo(&["gate", "check"]);
    lab.gonogo(&["gate", "excuses", "--out", "out/excuses"])
        .expect(0);
    let after = audit(&lab);
    assert!(
        after.starts_with(&before) && after.len() > before.len(),
        "{after}"
    );
    assert!(after.contains("\"left\""), "{after}");
}

#[test]
fn a_retry_is_told_apart_and_makes_nothing_better() {
    let script =
        "if [ -e out/flag ]; then rm out/flag; exit 0; fi\ntouch out/flag; echo boom; exit 1\n";
    let lab = Lab::with(script, "");
    at_once(&lab);
    lab.commit("at once");
    let run = lab.run(2, "fail");
    assert_eq!(run.summary().get("quarantined"), None);
    assert_eq!(run.json("retry_manifest.json")["covered"], 0);
    let signature = run.summary()["unit_targets"][0]["bad"][0]["signature"].clone();
    let word = |key: &str| signature[key].as_str().unwrap().to_owned();
    lab.run(0, "pass");
    lab.write(
        "quarantine.toml",
        format!(
            "schema = \"gonogo.gate.quarantine.v1\"\n[[quarantine]]\ntarget = \"unit\"\ntest = {{ suite = \"unit\", name = \"(command)\" }}\nsignature = [\"{}:{}\"]\nvariant = {{}}\ncategory = \"FLAKE-TIMING\"\nowner = \"cy\"\nquarantined = {}\nexpires = {}\nissue = \"X-1\"\nevidence = [\"run_000000000001\", \"run_000000000002\"]\nrepro = \"sh unit.sh\"\nreason = \"r\"\nremove_when = \"done\"\n",
            word("algorithm"),
            word("hash"),
            crate::gated::day(0),
            crate::gated::day(6)
        ),
    );
    lab.commit("quarantine");
    // The suite fails, its retry passes: the run is red, and says both.
    let run = lab.run(2, "fail");
    let summary = run.summary();
    assert_eq!(summary["unit_targets"][0]["bad"][0]["verdict"], "failed");
    let told = &summary["quarantined"]["tests"][0];
    assert_eq!(
        (&told["verdict"], &told["retry"]["came_to"]),
        (&"failed".into(), &"passed".into()),
        "{told:#}"
    );
    let log = run.dir.join(told["retry"]["log"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(log).unwrap(), "");
    assert_eq!(
        std::fs::read_to_string(run.dir.join("unit/unit/output.log")).unwrap(),
        "boom\n"
    );
    let manifest = run.json("retry_manifest.json");
    assert_eq!(
        (&manifest["covered"], &manifest["replays"][0]["verdict"]),
        (&1.into(), &"passed".into()),
        "{manifest:#}"
    );
    let events = std::fs::read_to_string(run.dir.join("flake_events.jsonl")).unwrap();
    assert!(events.contains("\"passed_when_retried\""), "{events}");
    for form in ["terminal", "markdown", "html"] {
        let page = lab.gonogo(&["suite", "report", "--form", form]);
        assert!(
            page.out.contains("In quarantine") && page.out.contains("passed when retried"),
            "{form}: {}",
            page.out
        );
    }
    let shown = lab.gonogo(&["suite", "show"]);
    shown.expect(2);
    assert!(
        shown
            .out
            .contains("quarantined unit: unit > (command): passed when retried"),
        "{}",
        shown.out
    );
    // One run in which it did both is a flake by itself.
    let found = lab.data(&["suite", "flakes", "--last", "1"]);
    assert_eq!(found["tests"][0]["retried"], 1, "{found:#}");
    lab.gonogo(&["suite", "run", "--profile", "ci", "--json"])
        .expect(2);
    lab.check(&[], 0, "excused")
        .tells("suites", "QUARANTINE_APPLIED");
    // It ends otherwise when it is tried again: that is another failure, which nobody has quarantined.
    lab.script(
        "if [ -e out/flag ]; then rm out/flag; kill -9 $$; fi\ntouch out/flag; echo boom; exit 1\n",
    );
    lab.commit("other");
    let run = lab.run(2, "fail");
    let told = &run.summary()["quarantined"]["tests"][0];
    assert_eq!(
        (&told["retry"]["came_to"], &told["retry"]["is_same"]),
        (&"failed".into(), &false.into()),
        "{told:#}"
    );
    lab.check(&[], 2, "fail")
        .tells("suites", "QUARANTINE_SIGNATURE_MISMATCH");
    // What cannot be read covers nothing, and the run says so.
    lab.write("quarantine.toml", "[[[");
    lab.commit("unreadable");
    std::fs::write(lab.path("gates.toml"), "[[[").unwrap();
    lab.commit("no policy");
    let run = lab.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
    run.expect(2);
    let summary = crate::lab::Run::of(&run).summary();
    assert!(
        summary["quarantined"]["unusable"]
            .as_str()
            .unwrap()
            .contains("policy"),
        "{summary:#}"
    );
}

#[test]
fn a_retry_changes_no_tree_and_waits_no_longer_than_admitted() {
    let lab = Lab::with("exit 1\n", "");
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        "gonogo.toml",
        text.replace(
            "min_free = ",
            "quarantine_retry_after = \"11m\"\nmin_free = ",
        ),
    );
    let refused = lab.gonogo(&["suite", "run"]);
    refused.expect(78);
    assert!(
        refused.err.contains("quarantine_retry_after"),
        "{}",
        refused.err
    );
}

/// pytest is selected exactly: of two tests only the one that failed runs again.
#[test]
fn only_the_test_itself_is_tried_again() {
    let lab = Lab::with(&writes(GREEN), JUNIT);
    if let Some(why) = gonogo_testkit::lacks("python3", &["-c", "import pytest"]) {
        return gonogo_testkit::skip("a retry of one test of pytest", &why);
    }
    at_once(&lab);
    let text = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    lab.write(
        "gonogo.toml",
        text.replace(
            "[\"sh\", \"unit.sh\"]",
            "[\"python3\", \"-m\", \"pytest\", \"-q\", \"-p\", \"no:cacheprovider\", \"--junitxml=out/r.xml\"]",
        ),
    );
    lab.write(".gitignore", "out/\n.gonogo/\n__pycache__/\n");
    lab.write(
        "test_shop.py",
        "import os\ndef test_good():\n    open('out/good', 'a').write('x')\ndef test_bad():\n    if os.path.exists('out/flag'):\n        os.remove('out/flag')\n        return\n    open('out/flag', 'w').close()\n    assert 1 == 2\n",
    );
    std::fs::create_dir_all(lab.path("out")).unwrap();
    lab.commit("pytest");
    flaky(&lab);
    let proposed = lab.gonogo(&["suite", "quarantine", "propose"]);
    proposed.expect(0);
    lab.write("quarantine.toml", filled(&proposed.out));
    lab.commit("quarantine");
    std::fs::remove_file(lab.path("out/good")).unwrap();
    let run = lab.run(2, "fail");
    let told = &run.summary()["quarantined"]["tests"][0];
    assert_eq!(
        (&told["test"]["name"], &told["retry"]["came_to"]),
        (&"test_bad".into(), &"passed".into()),
        "{told:#}"
    );
    assert_eq!(std::fs::read_to_string(lab.path("out/good")).unwrap(), "x");
    assert_eq!(run.summary()["unit_targets"][0]["tests"]["failed"], 1);
}

#[test]
fn a_failure_that_says_nothing_gets_no_proposal() {
    let silent = turns()
        .replace("message=\"boom\"", "message=\"Failed\"")
        .replace(">at x<", "><");
    let lab = Lab::new(&silent);
    flaky(&lab);
    let found = lab.data(&["suite", "quarantine", "propose", "b"])["proposals"].clone();
    assert_eq!(found["entries"], serde_json::json!([]), "{found:#}");
    let why = found["passed_over"][0]["why"][0].as_str().unwrap();
    assert!(why.contains("says nothing of why"), "{why}");
    let shown = lab.gonogo(&["suite", "quarantine", "propose", "b"]);
    assert!(!shown.out.contains("[[quarantine]]"), "{}", shown.out);
    assert!(shown.err.contains("says nothing of why"), "{}", shown.err);
}
