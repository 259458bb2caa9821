//! Plan, approval, application and end of a release through the network's doors.

use serde_json::{Value, json};

use std::time::Duration;

use crate::client::{Server, hear};
use crate::project::{CONFIG, Project, wait};
use crate::traced::controllers;

#[track_caller]
pub(crate) fn planned(server: &Server<'_>, version: &str) -> (String, String) {
    let made = server.invoke("plan_change", json!({"version": version}));
    let data = made.data();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    (
        text(&data["planResult"]["id"]),
        text(&data["planFingerprint"]),
    )
}

#[track_caller]
pub(crate) fn approve(server: &Server<'_>, plan: &str, fingerprint: &str) {
    let yes = json!({"planFingerprint": fingerprint, "decision": "approved"});
    let answer = server.post(&format!("/v1/plans/{plan}/approvals"), &yes);
    assert_eq!(answer.status, 201, "{answer:#?}");
}

#[test]
fn a_release_goes_through_the_restricted_path() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "release-1"});
    // Nobody has approved it.
    let refused = server.invoke("apply_change", apply.clone());
    refused.refuses(403, "APPROVAL_REQUIRED", "APPROVAL_MISSING");
    assert_eq!(
        refused.envelope()["error"]["details"]["missingFields"],
        json!(["approval"])
    );
    assert!(refused.body.get("handle").is_none());
    approve(&server, &plan, &fingerprint);
    let load = project.load(300.0);
    let begun = server.invoke("apply_change", apply.clone());
    assert_eq!(begun.data()["accepted"], true);
    let handle = &begun.body["handle"];
    let operation = handle["operationId"].as_str().unwrap();
    assert_eq!(handle["traceId"], "trace-of-a-test");
    let doc = server.ended(operation);
    load.stop();
    load.join();
    assert_eq!(
        (&doc["status"], &doc["result"]),
        (&json!("succeeded"), &json!("promoted")),
        "{doc:#}"
    );
    assert_eq!(doc["traceId"], "trace-of-a-test");
    assert_eq!(doc["triage"]["retryable"], false);
    // The same request is the same operation, to the byte, also after it has ended and with another trace.
    let again = server.post(
        "/tools/invoke",
        &json!({"toolId": "apply_change", "traceId": "t", "input": apply}),
    );
    assert_eq!(&again.body["handle"], handle);
    // The same key for another plan is a conflict.
    let (_, other) = planned(&server, "2.0.0");
    let reused = json!({"planFingerprint": other, "idempotencyKey": "release-1"});
    server
        .invoke("apply_change", reused)
        .refuses(409, "CONFLICT", "IDEMPOTENCY_CONFLICT");
    // The ledger ties what began to the call.
    let begun = project.records("operation");
    assert_eq!(begun[0]["body"]["traceId"], "trace-of-a-test");
    // The command line says the same.
    let status = project.run(&["status", operation, "--json"]);
    status.expect(0);
}

#[test]
fn a_fingerprint_of_something_else_is_a_conflict_and_comes_after_the_approval() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    let other = format!("v2:sha256:{}", "0".repeat(64));
    let wrong = json!({"plan": plan, "planFingerprint": other, "idempotencyKey": "k"});
    server.invoke("apply_change", wrong.clone()).refuses(
        403,
        "APPROVAL_REQUIRED",
        "APPROVAL_MISSING",
    );
    approve(&server, &plan, &fingerprint);
    server
        .invoke("apply_change", wrong)
        .refuses(409, "CONFLICT", "FINGERPRINT_MISMATCH");
    // A plan that nobody made is none.
    let unknown = json!({"planFingerprint": other, "idempotencyKey": "k"});
    server.invoke("apply_change", unknown).refuses(
        404,
        "INPUT_VALIDATION_FAILED",
        "PLAN_NOT_FOUND",
    );
    let yes = json!({"planFingerprint": other, "decision": "approved"});
    server
        .post(&format!("/v1/plans/{plan}/approvals"), &yes)
        .refuses(409, "CONFLICT", "FINGERPRINT_MISMATCH");
    assert_eq!(project.data(&["history"])["operations"], json!([]));
}

#[test]
fn a_server_that_may_not_apply_says_so_before_it_looks_at_anything() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    for (tool, input) in [
        ("apply_change", json!({"no": "schema"})),
        ("rollback_change", json!({"why": "because"})),
        (
            "operation_cancel",
            json!({"operation": "op_000000000000", "why": "because"}),
        ),
    ] {
        let answer = server.invoke(tool, input);
        answer.refuses(403, "APPROVAL_REQUIRED", "APPLY_DISABLED");
        assert_eq!(answer.envelope()["policy"]["mode"], "start");
    }
    // What reads and plans is as well as ever.
    assert_eq!(server.get("/readyz").status, 200);
    planned(&server, "1.0.0");
}

#[test]
fn a_resource_that_begins_something_says_where_to_look() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    approve(&server, &plan, &fingerprint);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "k-1"),
    ];
    let body = json!({"planFingerprint": fingerprint}).to_string();
    let begun = server
        .say("POST", "/v1/operations", &headers, &body)
        .unwrap();
    assert_eq!(begun.status, 202, "{begun:#?}");
    let handle = &begun.body["handle"];
    assert_eq!(begun.header("location"), handle["statusUrl"].as_str());
    assert_eq!(begun.header("retry-after"), Some("1"));
    assert_eq!(begun.data()["idempotencyKey"], "k-1");
    let two = json!({"planFingerprint": fingerprint, "idempotencyKey": "other"}).to_string();
    let refused = server
        .say("POST", "/v1/operations", &headers, &two)
        .unwrap();
    refused.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    let operation = handle["operationId"].as_str().unwrap();
    // Nobody sends traffic, so it waits; who asks waits as long as they want to.
    let begin = crate::project::now();
    let waited = server.get(&format!("/operations/{operation}?wait=1"));
    assert_eq!(waited.data()["status"], "running");
    assert!(begin.elapsed() >= std::time::Duration::from_secs(1));
    for wrong in ["11", "-1", "x", ""] {
        let path = format!("/operations/{operation}?wait={wrong}");
        server
            .get(&path)
            .refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    }
    // Taken back, it ends as that.
    let path = format!("/v1/operations/{operation}/cancel");
    let asked = server.post(&path, &json!({"why": "changed my mind"}));
    assert_eq!(asked.status, 202, "{asked:#?}");
    let doc = server.ended(operation);
    assert_eq!(doc["status"], "cancelled", "{doc:#}");
    let again = server.post(&path, &json!({"why": "once more"}));
    // The same wish once more is answered as it was: it came true.
    assert_eq!(
        (again.status, again.data(), &again.body["handle"]),
        (asked.status, asked.data(), &asked.body["handle"])
    );
}

#[test]
fn many_at_once_with_one_key_are_one_operation() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    approve(&server, &plan, &fingerprint);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "one"});
    let answers: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| server.invoke("apply_change", apply.clone())))
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let handle = &answers[0].body["handle"];
    for answer in &answers {
        assert_eq!(answer.data()["accepted"], true);
        assert_eq!(&answer.body["handle"], handle);
    }
    let listed = server.get("/v1/operations");
    assert_eq!(listed.data()["operations"].as_array().unwrap().len(), 1);
}

#[test]
fn a_server_that_is_asked_to_end_answers_who_waits() {
    let project = Project::new();
    let mut server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    approve(&server, &plan, &fingerprint);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "one"});
    let begun = server.invoke("apply_change", apply.clone());
    let handle = begun.body["handle"].clone();
    let operation = handle["operationId"].as_str().unwrap().to_owned();
    let running = server.running.take().unwrap();
    let waiting = server.ask(&format!("/operations/{operation}?wait=3"));
    // By the time that a later caller is answered it was heard.
    assert_eq!(server.get("/v1/operations").status, 200);
    running.signal(rustix::process::Signal::TERM);
    assert_eq!(hear(waiting).unwrap().data()["status"], "running");
    running.join().expect(0);
    assert!(server.say("GET", "/livez", &[], "").is_none());
    // What it began goes on without it, and the next server knows it under the same handle.
    let next = Server::start(&project, &["--dev", "--allow-apply"]);
    let again = next.invoke("apply_change", apply);
    assert_eq!(again.body["handle"]["operationId"], handle["operationId"]);
    let doc = next.get(&format!("/operations/{operation}"));
    assert_eq!(doc.data()["status"], "running");
    project.run(&["cancel", &operation, "--yes"]).expect(0);
    assert_eq!(next.ended(&operation)["status"], "cancelled");
}

#[test]
fn an_operation_whose_controller_died_goes_on_while_the_server_runs() {
    let config = CONFIG.replace("bake = \"200ms\"", "bake = \"4s\"");
    let project = Project::with(&config);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    approve(&server, &plan, &fingerprint);
    let load = project.load(300.0);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begun = server.invoke("apply_change", apply);
    let operation = begun.body["handle"]["operationId"].as_str().unwrap();
    let first = wait("its controller", Duration::from_secs(20), || {
        controllers(&project).first().copied()
    });
    let pid = rustix::process::Pid::from_raw(first).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    // Nobody does anything about it.
    let doc = server.ended(operation);
    assert_eq!(doc["result"], "promoted", "{doc:#}");
    drop(load);
}

#[test]
fn who_waits_for_an_end_has_asked_once() {
    let config = CONFIG.replace("bake = \"200ms\"", "bake = \"4s\"");
    let project = Project::with(&config);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (plan, fingerprint) = planned(&server, "1.0.0");
    approve(&server, &plan, &fingerprint);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begun = server.invoke("apply_change", apply);
    let operation = begun.body["handle"]["operationId"].as_str().unwrap();
    let answer = server.get(&format!("/operations/{operation}?wait=2"));
    assert_eq!(answer.body["data"]["status"], "running", "{answer:#?}");
    let slo = server.get("/v1/slo");
    let calls = slo.data()["calls"].as_u64().unwrap();
    // A plan, an approval, an application and one look; not a look for each tenth of a second.
    assert!(calls <= 6, "{calls}: {slo:#?}");
}
