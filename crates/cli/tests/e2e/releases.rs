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

#[test]
fn a_version_that_answers_404_is_caught_though_no_answer_is_an_error_of_its_own() {
    let project = Project::serving();
    project.behave(
        "lost",
        "version = \"lost\"\nerror_rate = 1.0\nerror_status = 404\n",
    );
    let (data, report) = release(&project, "lost", 2);
    rolled_back(
        &project,
        &data,
        &report,
        &["CLIENT_ERRORS_WORSE", "CLIENT_ERRORS_OVER_LIMIT"],
    );
}

#[test]
fn a_version_that_never_answers_is_caught_though_its_clients_do_not_wait_for_that() {
    let project = Project::serving();
    project.behave(
        "hangs",
        "version = \"hangs\"\np50_ms = 30000\np99_ms = 30000\n",
    );
    // They are gone long before an answer would be slow: 1 s.
    let load = project.impatient(300.0, Duration::from_millis(250));
    let ran = project.run(&["release", "--to", "hangs", "--json"]);
    load.stop();
    let report = load.join();
    ran.expect(2);
    let reasons = ran.envelope()["data"]["reasonCodes"].to_string();
    assert!(reasons.contains("CLIENT_ERRORS_"), "{reasons}");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    assert!(!report.versions.contains_key("hangs"), "it answered");
}

#[test]
fn versions_are_compared_under_one_latency_bound() {
    // Stable was started under a bound that none of its answers reaches.
    let project = Project::serving_with(&CONFIG.replace("over = \"1s\"", "over = \"30s\""));
    let both = "p50_ms = 5\np99_ms = 700\n";
    for version in ["1.1.0", "1.2.0"] {
        project.behave(version, &format!("version = \"{version}\"\n{both}"));
    }
    let (_, _) = release(&project, "1.1.0", 0);
    project.configure(&CONFIG.replace(
        "over = \"1s\", margin = \"20%\", limit = \"50%\"",
        "over = \"20ms\", margin = \"10%\", limit = \"80%\"",
    ));
    // The same again under a bound that a good part of the answers of both exceeds.
    let (data, _) = release(&project, "1.2.0", 0);
    let id = data["operationId"].as_str().unwrap();
    let status = project.data(&["status", id]);
    let slow = |side: &str| {
        let all = status["decisions"].as_array().unwrap().iter();
        all.filter_map(|d| d["body"]["numbers"][side]["slow"].as_u64())
            .max()
            .unwrap_or(0)
    };
    assert!(
        slow("canary") > 0 && slow("stable") > 0,
        "slow: {} of the canary, {} of stable",
        slow("canary"),
        slow("stable")
    );
}

#[test]
fn a_rollback_goes_further_back_each_time_and_never_to_what_was_left() {
    let project = Project::serving();
    for version in ["1.1.0", "1.2.0"] {
        project.behave(version, &format!("version = \"{version}\"\n"));
        release(&project, version, 0);
    }
    let load = project.load(300.0);
    let back = |to: &str| {
        project.run(&["rollback", "--yes"]).expect(0);
        assert_eq!(project.serves(), [format!("{to}:10000")]);
    };
    back("1.1.0");
    back("1.0.0");
    // Nothing came before it; what was left is named and not taken, and no plan that went there makes it a way back.
    let error = project.refuses(&["rollback", "--yes"], 1, &["NO_KNOWN_GOOD"]);
    assert!(error.to_string().contains("1.1.0, 1.2.0"), "{error:#}");
    let forward = ["rollback", "--to", "1.2.0", "--yes"];
    let error = project.refuses(&forward, 1, &["NO_KNOWN_GOOD"]);
    assert!(
        error
            .to_string()
            .contains("gonogo release --env local --to 1.2.0"),
        "{error:#}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    let error = project.refuses(&["rollback", "--to", "9.9", "--yes"], 1, &["NO_KNOWN_GOOD"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("`9.9` is not known-good"),
        "{error:#}"
    );
    // Once somebody has said that it is good it is on the line again.
    project.data(&["known-good", "promote", "1.2.0", "--why", "it was not that"]);
    project.run(&forward).expect(0);
    assert_eq!(project.serves(), ["1.2.0:10000"]);
    back("1.0.0");
    let history = project.data(&["history"]);
    let kinds: Vec<&str> = history["operations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["kind"].as_str().unwrap())
        .collect();
    assert_eq!(&kinds[..4], ["rollback"; 4]);
    load.stop();
    load.join();
}

#[test]
fn asking_for_a_rollback_again_does_not_undo_it() {
    let project = Project::serving_with(&CONFIG.replace("soak = \"400ms\"", "soak = \"4s\""));
    project.behave("1.1.0", "version = \"1.1.0\"\n");
    release(&project, "1.1.0", 0);
    let load = project.load(300.0);
    project.run(&["rollback", "--yes", "--detach"]).expect(75);
    let again = project.run(&["rollback", "--yes"]);
    again.expect(0);
    assert!(again.err.contains("goes back already"), "{}", again.err);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
}

#[test]
fn what_a_drain_cuts_is_told() {
    let project =
        Project::serving_with(&CONFIG.replace("within = \"2s\" }", "within = \"300ms\" }"));
    project.behave(
        "1.1.0",
        "version = \"1.1.0\"\np50_ms = 200\np99_ms = 20000\n",
    );
    project.configure(
        &CONFIG
            .replace("within = \"2s\" }", "within = \"300ms\" }")
            .replace("over = \"1s\"", "over = \"5s\""),
    );
    release(&project, "1.1.0", 0);
    project.behave("1.2.0", "version = \"1.2.0\"\n");
    // Some requests to 1.1.0 are under way for longer than its release's end can take.
    let load = project.load(300.0);
    let ran = project.run(&["release", "--to", "1.2.0"]);
    load.stop();
    load.join();
    ran.expect(0);
    assert!(
        ran.out.contains("DRAIN_CUT") && ran.out.contains(" cut at the drain"),
        "{}",
        ran.out
    );
}
