//! What a run's artifacts must be to each other: what breaks it while it runs makes it invalid, and a run that went the same way has the same twins.

use std::collections::BTreeMap;

use crate::lab::{GREEN, Lab, RED, Run, fails, writes};
use crate::project::files;

/// A suite that runs before `unit` and is good; `unit` is green and then does this to the run's directory.
fn meddles(script: &str) -> Lab {
    let lab = Lab::new(&format!(
        "{}d=.gonogo/runs/suite/$GONOGO_RUN_ID; {script}",
        writes(GREEN)
    ));
    lab.declare("[suites.a]\nclass = \"lint\"\ncommand = [\"echo\", \"fine\"]\n");
    lab
}

/// Checks that did not hold.
fn broken(run: &Run) -> Vec<String> {
    let contract = run.json("evidence_contract.json");
    let checks = contract["checks"].as_array().unwrap().iter();
    let bad: Vec<String> = checks
        .filter(|check| check["ok"] == false)
        .map(|check| check["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(contract["errors"].as_array().unwrap().len(), bad.len());
    bad
}

#[test]
fn a_good_run_says_so_and_what_was_looked_at() {
    let lab = meddles("true");
    let run = lab.run(0, "pass");
    let contract = run.json("evidence_contract.json");
    assert_eq!(contract["status"], "pass");
    let ids: Vec<&str> = contract["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["id"].as_str().unwrap())
        .collect();
    for id in [
        "summary.consistent",
        "run.targets",
        "run.document",
        "run.events",
        "target.unit.result",
        "target.a.tests",
        "target.unit.reports",
        "failure_diagnostics.index",
        "secrets.none_left",
    ] {
        assert!(ids.contains(&id), "{id}: {ids:?}");
    }
    let brief = run.summary()["evidence_contract"].clone();
    assert_eq!(
        (&brief["status"], &brief["error_count"]),
        (&"pass".into(), &0.into())
    );
    lab.gonogo(&["suite", "show"]).expect(0);
    // Only what was asked for as a whole must be whole.
    assert_eq!(contract["strict_conformance"], true);
    let part = lab.gonogo(&["suite", "run", "--suite", "a", "--json"]);
    part.expect(0);
    let contract = Run::of(&part).json("evidence_contract.json");
    assert_eq!(contract["strict_conformance"], false);
}

#[test]
fn what_breaks_a_run_while_it_runs_makes_it_invalid() {
    for (script, id) in [
        ("rm $d/lint/a/tests.jsonl", "target.a.tests"),
        ("echo '{}' > $d/lint/a/tests.jsonl", "target.a.tests"),
        ("echo more >> $d/lint/a/output.log", "target.a.artifacts"),
        (
            "sed -i 's/\"passed\": 1/\"passed\": 2/' $d/lint/a/result.json",
            "target.a.result",
        ),
        (
            "echo '{\"seq\":99}' >> $d/lint/a/test-log.jsonl",
            "run.events",
        ),
        ("echo nonsense >> $d/lint/a/test-log.jsonl", "run.events"),
        ("> $d/lint/a/artifact-index.jsonl", "target.a.artifacts"),
        ("mkdir $d/e2e $d/e2e/ghost", "run.targets"),
        (
            "cp $d/preflight.json $d/other.json; sed -i 's/correlation_id\": \"/&x/' $d/other.json",
            "run.document",
        ),
        ("echo '{' > $d/environment.json", "run.document"),
        ("rm $d/preflight.json", "run.artifact"),
        (
            "mkdir -p $d/x; echo 'password=hunter2hunter2' > $d/x/note.log",
            "secrets.none_left",
        ),
    ] {
        let lab = meddles(script);
        let run = lab.run(3, "invalid");
        let found = broken(&run);
        assert!(found.contains(&id.to_owned()), "{script}: {found:?}");
        assert!(
            run.reasons()
                .contains(&"EVIDENCE_CONTRACT_FAILED".to_owned()),
            "{script}: {:?}",
            run.reasons()
        );
        let outcome = run.json("runner_outcome.json");
        assert_eq!(
            (&outcome["status"], &outcome["exit_code"]),
            (&"invalid".into(), &3.into())
        );
        let phases = outcome["failed_phases"].as_array().unwrap();
        assert!(
            phases.contains(&"evidence_contract".into()),
            "{script}: {outcome:#}"
        );
        assert_eq!(run.summary()["evidence_contract"]["status"], "fail");
        lab.gonogo(&["suite", "show"]).expect(3);
        lab.check(&[], 3, "invalid")
            .tells("suites", "EVIDENCE_CONTRACT_FAILED");
    }
}

#[test]
fn runs_that_went_the_same_way_have_the_same_twins() {
    let noise = "date; echo \"pid $$ at $(pwd)/x, 0x7f3a2b10, http://localhost:4$$/\"; echo \"took 0.$$s\"; echo 'thread '\"'a'\"' panicked at src/a.rs:1:2:'\n";
    let made = "date +%s; date +%s%3N; date +%s.%N; date -R; date '+%F %T,%3N'; date '+%d/%b/%Y:%H:%M:%S %z'; d=$(mktemp -d); echo \"in $d and $d/a.txt\"; rmdir $d\n";
    let noise = format!("{noise}{made}");
    let lab = Lab::new(&format!("{noise}{}", fails()));
    lab.declare("[suites.lint]\nclass = \"lint\"\ncommand = [\"sh\", \"-c\", \"echo 'src/a.c:3:5: error: no such thing' >&2; exit 1\"]\n");
    let twins = |run: &Run| -> BTreeMap<String, Vec<u8>> {
        files(&run.dir)
            .into_iter()
            .map(|(path, bytes)| {
                let name = path.strip_prefix(&run.dir).unwrap();
                (name.to_str().unwrap().to_owned(), bytes)
            })
            .filter(|(name, _)| name.ends_with(".jsonl") && !name.ends_with("/tests.jsonl"))
            .collect()
    };
    let (first, second) = (twins(&lab.run(2, "fail")), twins(&lab.run(2, "fail")));
    let normal = |name: &str| name.ends_with(".normalized.jsonl");
    // Run, two targets: events, timelines, lists of files; and flakes, of which there are none.
    assert_eq!(first.keys().filter(|name| normal(name)).count(), 8);
    for (name, bytes) in first.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let text = String::from_utf8_lossy(bytes);
        let other = String::from_utf8_lossy(&second[name]);
        match normal(name) {
            true => assert_eq!(text, other, "{name}"),
            false => assert_ne!(text, other, "{name}"),
        }
    }
    // What went another way is another.
    lab.script(&format!("{}exit 1", writes(&RED.replace("\"b\"", "\"z\""))));
    let third = twins(&lab.run(2, "fail"));
    let name = "unit/unit/test-log.normalized.jsonl";
    assert_ne!(first[name], third[name]);
}
