//! Freezes, pins and known-good versions over the network.

use serde_json::json;

use crate::client::Server;
use crate::project::Project;

#[test]
fn freezes_and_pins_are_resources() {
    let project = Project::serving();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let made = server.invoke("plan_change", json!({"version": "2.0.0"}));
    let data = made.data();
    let plan = data["planResult"]["id"].as_str().unwrap().to_owned();
    let fingerprint = data["planFingerprint"].clone();
    let begun = server.post(
        "/v1/freezes",
        &json!({"why": "the database moves", "environments": ["local"]}),
    );
    assert_eq!(begun.status, 201, "{begun:#?}");
    let id = begun.data()["freeze"].as_str().unwrap().to_owned();
    // Nobody approved it, and that is not what is said: applications are off.
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let refused = server.invoke("apply_change", apply.clone());
    refused.refuses(409, "CONFLICT", "FREEZE_ACTIVE");
    assert_eq!(
        refused.envelope()["error"]["details"]["freezes"][0]["freeze"],
        id.as_str()
    );
    // What reads and plans is as well as ever.
    assert_eq!(server.get(&format!("/v1/plans/{plan}")).status, 200);
    assert_eq!(
        server
            .invoke("validate_plan", json!({"version": "2.0.0"}))
            .status,
        200
    );
    assert_eq!(
        server.get("/v1/freezes?environment=local").data()["active"][0]["freeze"],
        id.as_str()
    );
    let path = format!("/v1/freezes/{id}/end");
    let ended = server.post(&path, &json!({"why": "done"}));
    assert_eq!(ended.data()["gates"][0]["demanded"], "none", "{ended:#?}");
    server.post(&path, &json!({"why": "done"})).refuses(
        404,
        "INPUT_VALIDATION_FAILED",
        "FREEZE_UNKNOWN",
    );
    server
        .invoke("apply_change", apply)
        .refuses(403, "APPROVAL_REQUIRED", "APPROVAL_MISSING");
    let pinned = server.post(
        "/v1/pins",
        &json!({"to": "1.0.0", "why": "2.0.0 loses orders"}),
    );
    assert_eq!(pinned.status, 201, "{pinned:#?}");
    server
        .post("/v1/pins", &json!({"to": "main", "why": "x"}))
        .refuses(400, "INPUT_VALIDATION_FAILED", "PIN_MOVES");
    assert_eq!(server.get("/v1/pins").data()["pins"][0]["version"], "1.0.0");
    let known = server.get("/v1/environments/local/known-good");
    assert_eq!(known.data()["versions"][0]["pinned"], true);
    server
        .get("/v1/environments/local/rollback")
        .refuses(409, "RUNNER_ERROR", "NO_KNOWN_GOOD");
    let gone = server.post("/v1/pins/local/remove", &json!({"why": "done"}));
    assert_eq!(gone.status, 200, "{gone:#?}");
    assert_eq!(
        server.get("/v1/environments/local/posture").data()["last"],
        json!(null)
    );
}

#[test]
fn an_agent_may_close_and_not_open() {
    let project = Project::serving();
    let token = |args: &[&str]| {
        let all = [&["token", "create"], args].concat();
        project.data(&all)["token"].as_str().unwrap().to_owned()
    };
    let robot = token(&[
        "--name",
        "robot",
        "--agent-for",
        "ann",
        "--role",
        "operator",
    ]);
    let viewer = token(&["--name", "vera", "--role", "viewer"]);
    let server = Server::start(&project, &["--allow-apply"]);
    let wanted = json!({"why": "errors rise"});
    server
        .post_as(Some(&viewer), "/v1/freezes", &wanted)
        .refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    let begun = server.post_as(Some(&robot), "/v1/freezes", &wanted);
    assert_eq!(begun.data()["onBehalfOf"], "ann", "{begun:#?}");
    let id = begun.data()["freeze"].as_str().unwrap().to_owned();
    for (path, body) in [
        (
            format!("/v1/freezes/{id}/end"),
            json!({"why": "all is well"}),
        ),
        ("/v1/pins".into(), json!({"to": "1.0.0", "why": "x"})),
        ("/v1/pins/local/remove".into(), json!({"why": "x"})),
        (
            "/v1/environments/local/posture".into(),
            json!({"why": "x", "reopen": true}),
        ),
    ] {
        server.post_as(Some(&robot), &path, &body).refuses(
            403,
            "UNAUTHORIZED",
            "AGENT_MAY_NOT_DECIDE",
        );
    }
    let listed = project.data(&["freeze", "list"]);
    assert_eq!(listed["active"][0]["by"], "robot");
    assert_eq!(listed["active"][0]["onBehalfOf"], "ann");
}
