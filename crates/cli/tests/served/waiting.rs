//! Waiting for the end of what was begun: who waits keeps nobody from ending it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Server;
use crate::project::{Project, now, wait};
use crate::releases::{approve, planned};

/// More than there are places for applications.
const WAITING: usize = 24;

/// How long an answer may take on a machine that has much to do.
const SOON: Duration = Duration::from_secs(5);

/// What applies version 1.0.0 and waits for its end, and that nobody sends requests, so that it goes on.
fn awaited(server: &Server<'_>) -> Value {
    let (plan, fingerprint) = planned(server, "1.0.0");
    approve(server, &plan, &fingerprint);
    json!({"planFingerprint": fingerprint, "idempotencyKey": "one", "mode": "await"})
}

#[test]
fn many_who_wait_keep_nobody_from_taking_it_back() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let apply = awaited(&server);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..WAITING)
            .map(|_| scope.spawn(|| server.invoke("apply_change", apply.clone())))
            .collect();
        let operation = wait("the operation", Duration::from_secs(20), || {
            let listed = server.get("/v1/operations");
            let id = listed.data()["operations"][0]["operationId"].clone();
            id.as_str().map(str::to_owned)
        });
        let begin = now();
        let path = format!("/v1/operations/{operation}/cancel");
        let asked = server.post(&path, &json!({"why": "changed my mind"}));
        assert_eq!(asked.status, 202, "{asked:#?}");
        assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
        for one in all {
            let answer = one.join().unwrap();
            assert_eq!(answer.status, 200, "{answer:#?}");
            assert_eq!(answer.body["handle"]["operationId"], operation.as_str());
            let ended = &answer.data()["operation"];
            assert_eq!(ended["status"], "cancelled", "{answer:#?}");
        }
    });
}

#[test]
fn who_waits_waits_as_long_as_they_said_and_holds_the_handle_then() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let apply = awaited(&server);
    let begin = now();
    let asked = json!({"toolId": "apply_change", "timeoutMs": 2000, "input": apply});
    let answer = server.post("/tools/invoke", &asked);
    let took = begin.elapsed();
    assert_eq!(answer.status, 200, "{answer:#?}");
    assert_eq!(
        answer.data()["operation"]["status"],
        "running",
        "{answer:#?}"
    );
    let operation = answer.body["handle"]["operationId"].as_str().unwrap();
    assert!(
        Duration::from_millis(1500) < took && took < Duration::from_secs(8),
        "{took:?}"
    );
    // A wait too short for what comes before it ends with the handle, too.
    let asked = json!({"toolId": "apply_change", "timeoutMs": 500, "input": apply});
    let again = server.post("/tools/invoke", &asked);
    assert_eq!(again.body["handle"]["operationId"], operation, "{again:#?}");
    let path = format!("/v1/operations/{operation}/cancel");
    server.post(&path, &json!({"why": "done"}));
    server.ended(operation);
}
