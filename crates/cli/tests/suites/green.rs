//! A good run: every artifact is there, of one correlation id, as it was recorded; the gate passes, and passes again on the same bytes.

use serde_json::Value;

use crate::lab::{GREEN, Lab, writes};
use crate::project::files;

#[test]
fn a_good_run_leaves_everything_under_one_id() {
    let lab = Lab::new(&writes(GREEN));
    lab.declare("[suites.lint]\nclass = \"lint\"\ncommand = [\"true\"]\n");
    lab.commit("two");
    let ran = lab.gonogo(&[
        "suite",
        "run",
        "--profile",
        "ci",
        "--correlation-id",
        "id-7",
        "--json",
    ]);
    ran.expect(0);
    let run = crate::lab::Run::of(&ran);
    for name in [
        "environment.json",
        "ci_shard_manifest.json",
        "preflight.json",
        "summary.json",
        "runner_outcome.json",
        "files.json",
        "failure_diagnostics_index.json",
        "failure_timeline.jsonl",
        "replay_bundle.json",
        "triage_diff.json",
        "evidence_contract.json",
        "failure_timeline.normalized.jsonl",
        "unit/unit/test-log.normalized.jsonl",
        "unit/unit/artifact-index.normalized.jsonl",
        "unit/unit/result.json",
        "unit/unit/output.log",
        "unit/unit/test-log.jsonl",
        "unit/unit/artifact-index.jsonl",
        "unit/unit/tests.jsonl",
        "lint/lint/result.json",
        "lint/lint/output.log",
    ] {
        assert!(run.dir.join(name).is_file(), "{name}");
    }
    assert!(!run.dir.join("running.json").exists());
    let all = files(&run.dir).into_iter();
    // Twins name nothing that is of one run.
    let own = all.filter(|(path, _)| !path.to_string_lossy().ends_with(".normalized.jsonl"));
    for (path, bytes) in own {
        let shown = path.display();
        let documents: Vec<Value> = match path.extension().and_then(|e| e.to_str()) {
            Some("json") => vec![serde_json::from_slice(&bytes).unwrap()],
            // A test belongs to its target's result.
            Some("jsonl") if !path.ends_with("tests.jsonl") => {
                let text = String::from_utf8(bytes).unwrap();
                text.lines()
                    .map(|l| serde_json::from_str(l).unwrap())
                    .collect()
            }
            _ => continue,
        };
        for document in documents {
            let id = ["correlation_id", "ci_correlation_id"].map(|key| &document[key]);
            assert!(id.contains(&&Value::from("id-7")), "{shown}: {document:#}");
            let schema = document["schema"].as_str().unwrap();
            assert!(schema.starts_with("gonogo."), "{shown}: {schema}");
        }
    }
}

#[test]
fn what_was_kept_is_what_was_recorded() {
    let lab = Lab::new(&writes(GREEN));
    let run = lab.run(0, "pass");
    let listed = run.json("files.json");
    let mut names = Vec::new();
    for file in listed["files"].as_array().unwrap() {
        let bytes = std::fs::read(run.dir.join(file["path"].as_str().unwrap())).unwrap();
        let digest = gonogo_core::Digest::of(&bytes).to_string();
        assert_eq!(
            (&file["sha256"], &file["size"]),
            (&digest.into(), &bytes.len().into())
        );
        names.push(file["path"].as_str().unwrap().to_owned());
    }
    let there: Vec<String> = files(&run.dir)
        .into_keys()
        .map(|p| {
            p.strip_prefix(&run.dir)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .filter(|name| name != "files.json")
        .collect();
    names.sort();
    let mut there_sorted = there;
    there_sorted.sort();
    assert_eq!(names, there_sorted);
    let list = std::fs::read(run.dir.join("files.json")).unwrap();
    let digest = gonogo_core::Digest::of(&list).to_string();
    assert_eq!(run.data["files"], digest.as_str());
    for (kind, count) in [("run", 1), ("result", 1)] {
        let records = lab.data(&["evidence", "list", "--kind", kind]);
        assert_eq!(
            records["records"].as_array().unwrap().len(),
            count,
            "{records:#}"
        );
    }
    let shown = lab.data(&["suite", "show", run.id()]);
    assert_eq!(shown["differences"], serde_json::json!([]));
}

#[test]
fn a_file_that_was_changed_later_is_told_everywhere() {
    let lab = Lab::new(&writes(GREEN));
    let run = lab.run(0, "pass");
    let log = run.dir.join("unit/unit/output.log");
    std::fs::write(&log, "all is well").unwrap();
    lab.gonogo(&["suite", "show"]).expect(3);
    let report = lab.gonogo(&["suite", "report"]);
    report.expect(3);
    assert!(report.err.contains("not as recorded"), "{}", report.err);
    lab.gonogo(&["suite", "diff"]).expect(3);
    for command in ["rerun", "replay"] {
        lab.gonogo(&["suite", command, "--json"])
            .refusal(3, &["ARTIFACTS_CHANGED"]);
    }
    // A summary that says something else is seen through too.
    let summary = run.dir.join("summary.json");
    let text = std::fs::read_to_string(&summary).unwrap();
    std::fs::write(&summary, text.replace("\"passed\": 2", "\"passed\": 3")).unwrap();
    lab.gonogo(&["suite", "show"]).expect(3);
    std::fs::remove_file(&summary).unwrap();
    lab.gonogo(&["suite", "show", "--json"])
        .refusal(66, &["INPUT_NOT_FOUND"]);
    // The gate judges what the ledger has.
    lab.check(&[], 0, "pass");
}

#[test]
fn a_verdict_follows_again_from_what_was_kept() {
    let lab = Lab::new(&writes(GREEN));
    lab.run(0, "pass");
    let judged = lab.check(&["--report", "out/gate.md"], 0, "pass");
    assert!(
        std::fs::read_to_string(lab.path("out/gate.md"))
            .unwrap()
            .contains("PASS")
    );
    let dir = judged.0["directory"].as_str().unwrap().to_owned();
    for dir in [None, Some(dir.as_str())] {
        let args: Vec<&str> = ["gate", "rejudge", "--json"]
            .into_iter()
            .chain(dir)
            .collect();
        let ran = lab.gonogo(&args);
        ran.expect(0);
        assert_eq!(ran.envelope()["data"]["same"], true);
    }
    // A verdict that was changed, or inputs that were, are not the same any more.
    let path = std::path::Path::new(&dir).join("verdict.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"pass\"", "\"hold\"")).unwrap();
    let ran = lab.gonogo(&["gate", "rejudge", &dir]);
    ran.expect(3);
    assert!(ran.out.contains("ANOTHER VERDICT"));
    for name in [
        "full_suite_verdict.json",
        "full_suite_events.jsonl",
        "full_suite_report.md",
        "waiver_audit.json",
        "quarantine_report.json",
        "promotion.json",
        "remediation_backlog.json",
        "files.json",
    ] {
        assert!(std::path::Path::new(&dir).join(name).is_file(), "{name}");
    }
    let certified = lab.check(&["--lane", "certification"], 0, "pass");
    let dir = certified.0["directory"].as_str().unwrap();
    assert!(
        std::path::Path::new(dir)
            .join("certification_lane.json")
            .is_file()
    );
    lab.gonogo(&["gate", "selftest"]).expect(0);
}

#[test]
fn two_runs_at_once_are_two_runs() {
    // Each waits until the other has begun.
    let lab = Lab::new(
        "touch out/$GONOGO_RUN_ID.began\nn=0\nwhile [ $(ls out/*.began | wc -l) -lt 2 ] && [ $n -lt 600 ]; do n=$((n+1)); sleep 0.05; done\nprintf '1..1\\nok 1 - a\\n'",
    );
    let config = std::fs::read_to_string(lab.path("gonogo.toml")).unwrap();
    let tap = config.replace(crate::lab::JUNIT, "format = \"tap\"\n");
    lab.write("gonogo.toml", tap);
    lab.commit("tap");
    let args = ["suite", "run", "--profile", "ci", "--json"];
    let (one, two) = (lab.start(&args), lab.start(&args));
    let (one, two) = (one.join(), two.join());
    one.expect(0);
    two.expect(0);
    let runs = lab.data(&["suite", "list"]);
    assert_eq!(runs["runs"].as_array().unwrap().len(), 2, "{runs:#}");
    lab.check(&[], 0, "pass");
}
