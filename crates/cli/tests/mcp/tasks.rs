//! Tasks: operations as clients that understand tasks see them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{Agent, MODERN, TASKS, approved, calling, meta, post, watched};
use crate::client::{Answer, Server};
use crate::project::{Project, wait};

fn capabilities() -> Value {
    json!({"extensions": {TASKS: {}}})
}

/// Says a message in the revision without a handshake.
#[track_caller]
fn modern(
    server: &Server<'_>,
    capabilities: &Value,
    method: &str,
    name: &str,
    mut params: Value,
) -> Answer {
    params["_meta"] = meta(capabilities);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let mut headers = vec![("mcp-protocol-version", MODERN), ("mcp-method", method)];
    if !name.is_empty() {
        headers.push(("mcp-name", name));
    }
    post(server, &headers, &message)
}

#[test]
fn a_task_is_an_operation_and_is_found_by_another_process() {
    let project = watched();
    let mut agent = Agent::modern(&project, &["--allow-apply"], &capabilities());
    let (plan, fingerprint) = agent.planned("1.0.0");
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    // A refusal is an answer, and no task.
    let refused = agent.call("apply_change", apply.clone());
    assert_eq!(
        (&refused["resultType"], &refused["isError"]),
        (&json!("complete"), &json!(true))
    );
    approved(&project, &plan);
    let load = project.load(300.0);
    let task = agent.call("apply_change", apply.clone());
    assert_eq!(
        (&task["resultType"], &task["status"]),
        (&json!("task"), &json!("working")),
        "{task:#}"
    );
    let id = task["taskId"].as_str().unwrap().to_owned();
    assert!(id.starts_with("op_"), "{task:#}");
    assert!(task["ttlMs"].is_null(), "it is never forgotten");
    let again = agent.call("apply_change", apply);
    assert_eq!(again["taskId"], task["taskId"]);
    agent.kill();

    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let done = wait("the task's end", Duration::from_secs(60), || {
        let answer = modern(
            &server,
            &capabilities(),
            "tasks/get",
            &id,
            json!({"taskId": id}),
        );
        let task = answer.body["result"].clone();
        assert_eq!(task["taskId"], json!(id), "{answer:#?}");
        (task["status"] != "working").then_some(task)
    });
    load.stop();
    load.join();
    assert_eq!(done["status"], "completed", "{done:#}");
    let result = &done["result"];
    assert_eq!(result["isError"], false, "{done:#}");
    let envelope = &result["structuredContent"];
    assert_eq!(envelope["metadata"]["toolId"], "apply_change");
    assert_eq!(envelope["data"]["operation"]["result"], "promoted");
    // Cancelling what has ended changes nothing and is no fault.
    let cancelled = modern(
        &server,
        &capabilities(),
        "tasks/cancel",
        &id,
        json!({"taskId": id}),
    );
    assert_eq!(
        cancelled.body["result"]["resultType"], "complete",
        "{cancelled:#?}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // Another's words for an id are no id: a task is not searched.
    for wrong in [&id[..8], "op_000000000000", "../x"] {
        let answer = modern(
            &server,
            &capabilities(),
            "tasks/get",
            wrong,
            json!({"taskId": wrong}),
        );
        assert_eq!(
            answer.body["error"]["code"], -32_602,
            "{wrong}: {answer:#?}"
        );
        assert_eq!(
            answer.body["error"]["data"]["envelope"]["success"], false,
            "{answer:#?}"
        );
    }
}

#[test]
fn tasks_are_for_clients_that_say_that_they_understand_them() {
    let project = Project::serving();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let operation = project.data(&["history"])["operations"][0]["id"].clone();
    let id = operation.as_str().unwrap();
    let answer = modern(&server, &json!({}), "tasks/get", id, json!({"taskId": id}));
    assert_eq!(
        (answer.status, &answer.body["error"]["code"]),
        (400, &json!(-32_021)),
        "{answer:#?}"
    );
    let plan = project.approved("2.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let input = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begun = post(&server, &[], &calling("apply_change", &input));
    let begun = &begun.body["result"];
    assert!(begun.get("taskId").is_none(), "{begun:#}");
    // A wish to end is a wish: the task says itself what became of it.
    let id = begun["structuredContent"]["handle"]["operationId"]
        .as_str()
        .unwrap();
    let asked = modern(
        &server,
        &capabilities(),
        "tasks/cancel",
        id,
        json!({"taskId": id}),
    );
    assert_eq!(asked.body["result"]["resultType"], "complete", "{asked:#?}");
    let task = wait("the task's end", Duration::from_secs(60), || {
        let answer = modern(
            &server,
            &capabilities(),
            "tasks/get",
            id,
            json!({"taskId": id}),
        );
        let task = answer.body["result"].clone();
        (task["status"] != "working").then_some(task)
    });
    assert_eq!(task["status"], "cancelled", "{task:#}");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
}

#[test]
fn clients_with_a_handshake_can_list_tasks_and_ask_for_results() {
    let project = Project::serving();
    let mut agent = Agent::silent(&project, &[]);
    agent.initialize("2025-11-25", &capabilities());
    let listed = agent.ask("tasks/list", json!({}))["result"]["tasks"].clone();
    let id = listed[0]["taskId"].clone();
    assert_eq!(listed[0]["status"], "completed", "{listed:#}");
    let result = agent.ask("tasks/result", json!({"taskId": id}))["result"].clone();
    assert_eq!(
        result["structuredContent"]["data"]["operation"]["operationId"], id,
        "{result:#}"
    );
    // It came and went with the revisions: the last one has neither.
    let mut agent = Agent::modern(&project, &[], &capabilities());
    assert_eq!(agent.ask("tasks/list", json!({}))["error"]["code"], -32_601);
    // Who has not declared it is told what is missing.
    let mut agent = Agent::start(&project, &[]);
    assert_eq!(agent.ask("tasks/list", json!({}))["error"]["code"], -32_021);
}
