//! One request is one operation, however often, and from however many places, it is sent.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::project::{Project, wait};

/// A project with an operation that waits for traffic that does not come.
fn waiting() -> (Project, String, String) {
    let project = Project::new();
    let plan = project.approved("1.0.0");
    let data = project.run(&["apply", &plan, "--detach", "--json"]);
    data.expect(75);
    let operation = data.envelope()["data"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    (project, plan, operation)
}

#[test]
fn eight_processes_with_one_request_begin_one_operation() {
    let project = Project::new();
    // The window in which one request sees what its twin has done is narrow, so it is tried several times.
    for round in 1..=4 {
        project.behave("1.0.0", &format!("version = \"1.0.0\"\n# {round}\n"));
        let plan = project.approved("1.0.0");
        let started: Vec<_> = (0..8)
            .map(|_| project.start(&["apply", &plan, "--detach", "--json"]))
            .collect();
        let mut ids = BTreeSet::new();
        let mut fresh = 0;
        for one in started {
            let ran = one.join();
            ran.expect(75);
            let data = ran.envelope()["data"].clone();
            let id = data["handle"]["operationId"].as_str().unwrap();
            ids.insert(id.to_owned());
            fresh += u32::from(data["fresh"] == true);
        }
        assert_eq!((ids.len(), fresh), (1, 1), "{ids:?}");
        assert_eq!(project.records("operation").len(), round);
        let history = project.data(&["history"])["operations"].clone();
        assert_eq!(history.as_array().unwrap().len(), round);
        let id = ids.pop_first().unwrap();
        project.run(&["cancel", &id, "--yes"]).expect(0);
    }
    // Each round started eight controllers; one drove, so each step was done once.
    let intents = project.records("intent");
    let mut steps = BTreeSet::new();
    for intent in &intents {
        let step = format!("{} {}", intent["stream"], intent["key"]);
        assert!(steps.insert(step), "an effect was sent twice: {intent:#}");
    }
    assert!(intents.len() >= 8);
}

#[test]
fn the_same_request_is_the_same_operation_also_after_its_end() {
    let project = Project::new();
    let plan = project.approved("crash-at-start");
    let first = project.run(&["apply", &plan, "--json"]);
    first.expect(2);
    let first = first.envelope()["data"].clone();
    let before = project.world();
    let again = project.run(&["apply", &plan, "--json"]);
    again.expect(2);
    // Only which of the two began it differs.
    let mut again = again.envelope()["data"].clone();
    assert_eq!(
        (&first["fresh"], &again["fresh"]),
        (&true.into(), &false.into())
    );
    again["fresh"] = true.into();
    assert_eq!(again, first);
    assert_eq!(project.world(), before, "asking again does nothing again");
    // The same plan under another name of its own: the approval is used up, and that is said, not a conflict.
    project.refuses(
        &["apply", &plan, "--idempotency-key", "k"],
        77,
        &["APPROVAL_REUSED"],
    );
}

#[test]
fn a_key_belongs_to_its_plan() {
    let project = Project::new();
    let one = project.approved("crash-at-start");
    project
        .run(&["apply", &one, "--idempotency-key", "monday"])
        .expect(2);
    let two = project.approved("never-ready");
    let error = project.refuses(
        &["apply", &two, "--idempotency-key", "monday"],
        2,
        &["IDEMPOTENCY_CONFLICT"],
    );
    assert_eq!(error["code"], "CONFLICT");
    assert!(error["message"].as_str().unwrap().contains(&one), "{error}");
    project
        .run(&["apply", &two, "--idempotency-key", "monday"])
        .matches("idempotency-conflict");
    let long = "k".repeat(201);
    for key in ["", "two\nlines", &long] {
        project.refuses(
            &["apply", &two, "--idempotency-key", key],
            64,
            &["ARGUMENT_INVALID"],
        );
    }
}

#[test]
fn one_operation_at_a_time_in_an_environment() {
    let project = Project::new();
    let plan = project.approved("1.0.0");
    let ran = project.run(&["apply", &plan, "--detach", "--json"]);
    ran.expect(75);
    let open = ran.envelope()["data"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    wait("the version's start", Duration::from_secs(20), || {
        (!project.serves().is_empty()).then_some(())
    });
    let early = project.approved("2.0.0");
    let before = project.data(&["history"])["operations"]
        .as_array()
        .unwrap()
        .len();
    let ran = project.run(&["apply", &early, "--json"]);
    let error = ran.refusal(1, &["OPERATION_OPEN"]);
    assert!(
        error.to_string().contains(&open),
        "it does not name the open one: {error}"
    );
    assert_eq!(
        project.data(&["history"])["operations"]
            .as_array()
            .unwrap()
            .len(),
        before
    );
    project.run(&["apply", &early]).matches("operation-open");
    // So is a release, which plans first.
    project
        .run(&["release", "--to", "2.0.0", "--json"])
        .refusal(1, &["OPERATION_OPEN"]);
    project.run(&["cancel", &open, "--yes"]).expect(0);
}

#[test]
fn cancel_and_watch_need_an_operation_that_is_there() {
    let (project, _, operation) = waiting();
    project
        .run(&["watch", "op_zzzzzzzzzzzz", "--json"])
        .refusal(66, &["OPERATION_NOT_FOUND"]);
    project
        .run(&["cancel", "zzzz", "--yes", "--json"])
        .refusal(66, &["OPERATION_NOT_FOUND"]);
    project
        .run(&["status", "zzzz", "--json"])
        .refusal(66, &["OPERATION_NOT_FOUND"]);
    project
        .run(&["packet", "zzzz", "--json"])
        .refusal(66, &["OPERATION_NOT_FOUND"]);
    let done = project.run(&[
        "cancel",
        &operation[3..8],
        "--yes",
        "--why",
        "enough",
        "--json",
    ]);
    done.expect(0);
    assert_eq!(done.envelope()["data"]["status"], "cancelled");
    // To cancel what is cancelled is the same wish, and it came true.
    let again = project.run(&["cancel", &operation, "--yes", "--json"]);
    again.expect(0);
    assert_eq!(again.envelope()["data"]["status"], "cancelled");
    // Watching what has ended says how it ended.
    let seen = project.run(&["watch", &operation, "--json"]);
    seen.expect(1);
    assert_eq!(seen.envelope()["data"]["status"], "cancelled");
    assert!(project.serves().is_empty());
    assert!(
        project
            .records("decision")
            .iter()
            .any(|d| d.to_string().contains("enough")),
        "who and why are on record"
    );
}
