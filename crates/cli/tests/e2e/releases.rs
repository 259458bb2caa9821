//! Whole releases under real load: to promoted, and every way to be caught.

use std::time::Duration;

use gonogo_load::Report;
use serde_json::Value;

use crate::project::{CONFIG, Project, wait};

const RATE: f64 = 300.0;

/// Releases `version` under load; returns what the command answered and what clients saw.
#[track_caller]
fn release(project: &Project, version: &str, exit: i32) -> (Value, Report) {
    let load = project.load(RATE);
    let ran = project.run(&["release", "--to", version, "--json"]);
    // A moment more, so that clients see the end from outside.
    let sent = load.snapshot().sent;
    wait("more requests", Duration::from_secs(10), || {
        (load.snapshot().sent > sent + 50).then_some(())
    });
    load.stop();
    let report = load.join();
    ran.expect(exit);
    (ran.envelope()["data"].clone(), report)
}

fn codes(data: &Value) -> Vec<&str> {
    data["reasonCodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect()
}

/// What every rollback to a serving stable must look like, also from outside.
#[track_caller]
fn rolled_back(project: &Project, data: &Value, report: &Report, because: &[&str]) {
    assert_eq!(data["status"], "rolled_back", "{data:#}");
    let codes = codes(data);
    assert!(
        codes.contains(&"ROLLED_BACK") && because.iter().any(|b| codes.contains(b)),
        "{codes:?}, not {because:?}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    assert_eq!(
        report.errors.sum(),
        0,
        "requests were lost: {:?}",
        report.failures
    );
    let stable = &report.versions["1.0.0"];
    assert_eq!(
        stable.server_errors, 0,
        "stable was touched: {:?}",
        report.failures
    );
    assert!(
        data["packet"]
            .as_str()
            .is_some_and(|p| std::path::Path::new(p).is_file())
    );
}

#[test]
fn a_first_release_from_nothing_is_promoted() {
    let project = Project::new();
    project.run(&["status"]).matches("status-before-anything");
    project.run(&["history"]).matches("history-empty");
    let (data, report) = release(&project, "1.0.0", 0);
    assert_eq!(data["status"], "promoted");
    assert_eq!(codes(&data), ["PROMOTED"]);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    assert!(report.versions["1.0.0"].answers > 50);
    let project_data = project.data(&["status"]);
    assert_eq!(project_data["environments"][0]["knownGood"], "1.0.0");
    project.run(&["status"]).expect(0).matches("status-serving");
}

#[test]
fn a_good_version_is_promoted_and_nobody_notices() {
    let project = Project::serving();
    let (data, report) = release(&project, "2.0.0", 0);
    assert_eq!(codes(&data), ["PROMOTED"]);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    let (old, new) = (
        report.versions["1.0.0"].answers,
        report.versions["2.0.0"].answers,
    );
    assert!(old > 20 && new > 50, "{old} {new}");
    assert!(
        report.versions["1.0.0"].last_ms < report.elapsed_ms,
        "the old version still answers"
    );
    // The old process has ended: nobody pays for two.
    let old = project.processes().into_iter().filter(|pid| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|c| String::from_utf8_lossy(&c).contains("versions/1.0.0"))
    });
    assert_eq!(old.count(), 0);
    let history = project.data(&["history"])["operations"].clone();
    assert_eq!(history[0]["from"], "1.0.0");
    assert_eq!(history[0]["result"], "promoted");
    let id = data["operationId"].as_str().unwrap();
    let shown = project.data(&["status", id]);
    assert!(
        shown["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .any(|d| d["body"]["verdict"] == "pass")
    );
    project.run(&["watch", id]).expect(0);

    // Back, while nothing runs: one command, one step.
    let load = project.load(RATE);
    project
        .run(&["rollback", "--yes", "--why", "a customer called"])
        .expect(0);
    load.stop();
    let report = load.join();
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    let newest = project.data(&["history"])["operations"][0].clone();
    assert_eq!(
        (&newest["from"], &newest["to"]),
        (&Value::from("2.0.0"), &Value::from("1.0.0"))
    );
}

#[test]
fn without_traffic_nothing_is_proven_and_the_deadline_goes_back() {
    let fast = CONFIG
        .replace("within = \"20s\"", "within = \"1500ms\"")
        .replace("promote_within = \"15s\"", "promote_within = \"1500ms\"");
    let project = Project::with(&fast);
    let ran = project.run(&["release", "--to", "1.0.0", "--json"]);
    ran.expect(2);
    let data = ran.envelope()["data"].clone();
    assert_eq!(data["status"], "rolled_back");
    assert!(
        codes(&data).contains(&"STAGE_DEADLINE") && codes(&data).contains(&"SHARE_UNPROVEN"),
        "{data:#}"
    );
    assert!(project.serves().is_empty(), "back to nothing is nothing");
    let held = project.records("decision");
    assert!(
        held.iter()
            .any(|d| d["body"]["decision"]["verdict"] == "hold"),
        "no data never passes"
    );
    assert!(!held.iter().any(|d| d.to_string().contains("PROMOTED")));
    assert_eq!(
        project.data(&["status"])["environments"][0]["knownGood"],
        Value::Null
    );
    project
        .run(&["rollback", "--yes", "--json"])
        .refusal(1, &["NO_KNOWN_GOOD"]);
}

#[test]
fn a_canary_without_traffic_goes_back_and_stable_stays() {
    let project = Project::serving();
    project.configure(&CONFIG.replace("within = \"20s\"", "within = \"1500ms\""));
    let ran = project.run(&["release", "--to", "2.0.0", "--json"]);
    ran.expect(2);
    let data = ran.envelope()["data"].clone();
    assert!(codes(&data).contains(&"STAGE_DEADLINE"), "{data:#}");
    assert!(
        codes(&data)
            .iter()
            .any(|c| ["INSUFFICIENT_SAMPLES", "SHARE_UNPROVEN"].contains(c)),
        "{data:#}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
}

#[test]
fn a_version_with_errors_is_caught_and_no_request_is_lost() {
    let project = Project::serving_with(&CONFIG.replace(
        "margin = \"5%\", limit = \"15%\"",
        "margin = \"1%\", limit = \"3%\"",
    ));
    let (data, report) = release(&project, "3.0.0", 2);
    rolled_back(
        &project,
        &data,
        &report,
        &["ERROR_RATE_WORSE", "ERROR_RATE_OVER_LIMIT"],
    );
    let bad = &report.versions["3.0.0"];
    assert!(bad.server_errors > 0 && bad.last_ms < report.elapsed_ms);
    assert_eq!(
        report.failed(),
        bad.server_errors,
        "every failure is the bad version's own: {:?}",
        report.failures
    );
    let id = data["operationId"].as_str().unwrap();
    let shown = project.run(&["status", id]);
    shown.expect(2);
    assert!(
        shown.out.contains("SERVED_ZERO") && shown.out.contains("ERROR_RATE_"),
        "{}",
        shown.out
    );
}

#[test]
fn a_slow_tail_is_caught_though_its_median_is_fine() {
    let project = Project::serving();
    let strict = CONFIG
        .replace(
            "over = \"1s\", margin = \"20%\", limit = \"50%\"",
            "over = \"200ms\", margin = \"3%\", limit = \"40%\"",
        )
        .replace("within = \"2s\" }", "within = \"6s\" }");
    project.configure(&strict);
    // Median 5 ms; one request in thirteen takes longer than 200 ms.
    project.behave(
        "slow-tail",
        "version = \"3.1.0\"\np50_ms = 5\np99_ms = 2000\n",
    );
    let (data, report) = release(&project, "slow-tail", 2);
    rolled_back(
        &project,
        &data,
        &report,
        &["SLOW_SHARE_WORSE", "SLOW_SHARE_OVER_LIMIT"],
    );
}

#[test]
fn a_version_that_does_not_start_or_get_ready_touches_nothing() {
    let config = CONFIG.replace("within = \"10s\" }\ndrain", "within = \"1s\" }\ndrain");
    let project = Project::serving_with(&config);
    for (version, reason) in [
        ("crash-at-start", "VERSION_EXITED"),
        ("never-ready", "VERSION_NOT_READY"),
    ] {
        let (data, report) = release(&project, version, 2);
        rolled_back(&project, &data, &report, &[reason]);
        assert_eq!(report.failed(), 0, "{version}: {:?}", report.failures);
        assert_eq!(
            report.versions.len(),
            1,
            "{version} got traffic: {:?}",
            report.versions.keys()
        );
    }
    // Neither has left a process behind: the agent and stable are all that runs.
    assert_eq!(project.processes().len(), 2);
}

#[test]
fn a_version_that_exits_under_traffic_is_caught() {
    let project = Project::serving_with(&CONFIG.replace("bake = \"200ms\"", "bake = \"10s\""));
    project.behave("crash-later", "version = \"3.3.0\"\ncrash_after = \"2s\"\n");
    let load = project.load(RATE);
    let ran = project.run(&["release", "--to", "crash-later", "--json"]);
    load.stop();
    load.join();
    ran.expect(2);
    let data = ran.envelope()["data"].clone();
    assert!(
        codes(&data).iter().any(|c| [
            "VERSION_EXITED",
            "VERSION_NOT_READY",
            "ERROR_RATE_WORSE",
            "ERROR_RATE_OVER_LIMIT"
        ]
        .contains(c)),
        "{data:#}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
}

#[test]
fn errors_that_begin_late_are_caught_in_the_soak() {
    let project = Project::serving_with(&CONFIG.replace("soak = \"400ms\"", "soak = \"20s\""));
    project.behave(
        "errors-late",
        "version = \"3.8.0\"\nerror_rate = 0.5\nerrors_after = \"6s\"\n",
    );
    let (data, report) = release(&project, "errors-late", 2);
    rolled_back(
        &project,
        &data,
        &report,
        &["ERROR_RATE_OVER_LIMIT", "ERROR_RATE_WORSE"],
    );
    let id = data["operationId"].as_str().unwrap();
    let decisions = project.data(&["status", id])["decisions"].clone();
    let failing = decisions
        .as_array()
        .unwrap()
        .iter()
        .find(|d| d["body"]["verdict"] == "fail")
        .unwrap()
        .clone();
    assert_eq!(failing["body"]["phase"], "soak", "{failing:#}");
}

#[test]
fn a_version_that_ignores_the_signal_is_killed() {
    let config = CONFIG.replace(
        "drain = { signal = \"TERM\", within = \"2s\" }",
        "drain = { signal = \"TERM\", within = \"500ms\" }",
    );
    let project = Project::with(&config);
    let (data, _) = release(&project, "hang-on-sigterm", 0);
    assert_eq!(codes(&data), ["PROMOTED"]);
    let (data, report) = release(&project, "2.0.0", 0);
    assert_eq!(codes(&data), ["PROMOTED"]);
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    assert_eq!(
        project.processes().len(),
        2,
        "the old process is gone, though it did not want to"
    );
    project
        .run(&["agent", "--stop", "--with-services"])
        .expect(0);
    wait(
        "the end of agent and service",
        Duration::from_secs(10),
        || project.processes().is_empty().then_some(()),
    );
}
