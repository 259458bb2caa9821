//! People with keys of their own at a server that has none of them: what needs no signature is done by login, and what needs one is signed
//! where the key is.

use std::time::Duration;

use serde_json::{Value, json};

use crate::approvals::project;
use crate::client::{Answer, Server};
use crate::people::token;
use crate::project::{Project, files, finish, wait};
use crate::screen::Ran;

/// A project whose server has nobody's key, with tokens of who asks, as an operator and as an admin, and of dana, as an admin.
fn keyless() -> (Project, [String; 3]) {
    let project = project(1, "");
    let of = |name: &str, role: &str| token(&project, &["--name", name, "--role", role]).0;
    let tokens = [
        of("you", "operator"),
        of("you", "admin"),
        of("dana", "admin"),
    ];
    for name in ["you", "bot"] {
        std::fs::remove_file(project.path(&format!(".gonogo/keys/{name}.p256.pem"))).unwrap();
    }
    assert_eq!(keys(&project), 0);
    (project, tokens)
}

/// Files of people's keys that the project has.
fn keys(project: &Project) -> usize {
    let all = files(&project.path(".gonogo")).into_keys();
    all.filter(|p| p.to_string_lossy().ends_with(".p256.pem"))
        .count()
}

#[track_caller]
fn post(server: &Server<'_>, token: &str, path: &str, body: Value, status: u16) -> Answer {
    let answer = server.post_as(Some(token), path, &body);
    assert_eq!(answer.status, status, "{path}: {answer:#?}");
    answer
}

/// Approves from a directory that is no project, with a key that lies there.
fn approve_away(server: &Server<'_>, token: &str, plan: &str, more: &[&str]) -> Ran {
    let away = tempfile::tempdir().unwrap();
    std::fs::copy(
        server.project.path("people/dana.pem"),
        away.path().join("dana.pem"),
    )
    .unwrap();
    let url = format!("http://127.0.0.1:{}", server.port);
    let args = [
        &["approve", plan, "--server", &url, "--key", "dana.pem"],
        more,
    ]
    .concat();
    let mut command = server.project.command(&args);
    command.current_dir(away.path()).env("GONOGO_TOKEN", token);
    // The name comes with the key: the plan lists whose it is.
    command.env_remove("GONOGO_ACTOR");
    let ran = finish(command, &args);
    let left = files(away.path()).len();
    assert_eq!(left, 1, "nothing but the key lies where it was signed");
    ran
}

#[test]
fn a_listed_person_steers_a_release_by_login_and_approves_with_the_key_at_home() {
    let (project, [you, own, dana]) = keyless();
    let server = Server::start(&project, &["--allow-apply"]);
    let freeze = post(
        &server,
        &you,
        "/v1/freezes",
        json!({"why": "the database moves"}),
        201,
    );
    assert_eq!(freeze.data()["by"], "you");
    let end = format!(
        "/v1/freezes/{}/end",
        freeze.data()["freeze"].as_str().unwrap()
    );
    post(&server, &you, &end, json!({"why": "it has moved"}), 200);
    let pin = json!({"to": "1.0.0", "why": "2.0.0 loses orders"});
    post(&server, &you, "/v1/pins", pin, 201);
    post(
        &server,
        &you,
        "/v1/pins/local/remove",
        json!({"why": "mended"}),
        200,
    );
    let valid = json!({"version": "1.0.0"});
    post(&server, &you, "/v1/plans/validate", valid.clone(), 200);
    let made = post(&server, &you, "/v1/plans", valid.clone(), 201);
    let plan = made.data()["planResult"].clone();
    let id = plan["id"].as_str().unwrap();
    assert_eq!(plan["requester"], "you");
    // Asked again it is the same plan, and nobody else asked.
    post(&server, &you, "/v1/plans", valid, 201);
    assert!(project.records("plan-asked").is_empty());
    let ask = json!({"people": ["dana"], "note": "the fix"});
    post(
        &server,
        &you,
        &format!("/v1/plans/{id}/approval-requests"),
        ask,
        201,
    );
    // Who approves needs a key, is told so, and has it at home.
    let yes = json!({"planFingerprint": plan["fingerprint"], "decision": "approved"});
    let refused = server.post_as(Some(&dana), &format!("/v1/plans/{id}/approvals"), &yes);
    refused.refuses(403, "APPROVAL_REQUIRED", "APPROVAL_KEY_REQUIRED");
    let hints = refused.envelope()["error"]["details"]["hints"].to_string();
    assert!(
        hints.contains(&format!("gonogo approve {id} --server URL --key FILE")),
        "{hints}"
    );
    let ran = approve_away(&server, &dana, id, &["--note", "looked at it"]);
    ran.expect(0);
    assert!(
        ran.out.contains("computed here") && ran.out.contains("preflight"),
        "{}",
        ran.out
    );
    let approval = project.records("approval").pop().unwrap();
    assert_eq!(approval["body"]["approval"]["approverId"], "dana");
    assert!(approval["body"]["signed"].is_object());

    let load = project.load(300.0);
    let apply = json!({"planFingerprint": plan["fingerprint"], "idempotencyKey": "k"});
    let begun = post(&server, &you, "/v1/operations", apply, 202);
    let operation = begun.body["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    let done = wait("the end", Duration::from_secs(60), || {
        let seen = server.say(
            "GET",
            &format!("/operations/{operation}"),
            &[("authorization", &format!("Bearer {you}"))],
            "",
        )?;
        (seen.data()["status"] != "running").then(|| seen.data().clone())
    });
    assert_eq!(done["result"], "promoted", "{done:#}");
    let good = json!({"version": "1.0.0", "why": "it runs well"});
    let path = "/v1/environments/local/known-good";
    post(&server, &dana, path, good, 201);
    // What she said counts, for the server says by which login.
    let listed = project.data(&["known-good", "list"]);
    assert_eq!(listed["versions"][0]["saidBy"], "dana", "{listed:#}");
    // Who asked does not say that it is good.
    let good = json!({"version": "1.0.0", "why": "it runs well"});
    server
        .post_as(Some(&own), path, &good)
        .refuses(403, "APPROVAL_REQUIRED", "KNOWN_GOOD_REFUSED");
    load.stop();
    load.join();

    assert_eq!(keys(&project), 0, "a key was made for a login");
    // Each says by which login.
    let logins = project.records("by-login");
    assert!(logins.len() >= 6, "{logins:#?}");
    for record in &logins {
        assert!(
            record["body"]["means"]
                .as_str()
                .unwrap()
                .starts_with("token:"),
            "{record:#}"
        );
    }
    // And the packet says the same to whoever was not there.
    let packet = format!(".gonogo/packets/{operation}.tar");
    let told = project.run(&["verify", &packet, "--replay", "--json"]);
    assert_eq!(told.envelope()["success"], true, "{}", told.out);
}

#[test]
fn who_asked_by_login_approves_nothing_with_their_key() {
    let (project, [_, _, dana]) = keyless();
    let server = Server::start(&project, &["--allow-apply"]);
    let made = post(
        &server,
        &dana,
        "/v1/plans",
        json!({"version": "1.0.0"}),
        201,
    );
    let id = made.data()["planResult"]["id"].as_str().unwrap().to_owned();
    let refused = approve_away(&server, &dana, &id, &["--json"]);
    refused.refusal(77, &["APPROVAL_SELF_GIVEN"]);
    // Nor under another name with the same key.
    let refused = approve_away(&server, &dana, &id, &["--as", "erin", "--json"]);
    refused.refusal(77, &["APPROVAL_INVALID", "APPROVAL_SELF_GIVEN"]);
    assert!(project.records("approval").is_empty());
}

#[test]
fn a_rollback_and_a_cancellation_are_asked_for_by_login() {
    let (project, [you, _, dana]) = keyless();
    let server = Server::start(&project, &["--allow-apply"]);
    let made = post(&server, &you, "/v1/plans", json!({"version": "1.0.0"}), 201);
    let plan = made.data()["planResult"].clone();
    approve_away(&server, &dana, plan["id"].as_str().unwrap(), &[]).expect(0);
    let apply = json!({"planFingerprint": plan["fingerprint"], "idempotencyKey": "k"});
    let begun = post(&server, &you, "/v1/operations", apply, 202);
    let operation = begun.body["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v1/operations/{operation}/cancel");
    post(&server, &you, &path, json!({"why": "changed my mind"}), 202);
    let back = server.post_as(Some(&you), "/v1/rollbacks", &json!({"why": "errors rise"}));
    // There may be nothing to go back to; but who asks is known.
    let reasons = back.envelope()["error"]["details"]["reasonCodes"].to_string();
    assert!(!reasons.contains("KEY_"), "{back:#?}");
    let posture = json!({"why": "2.0.0 loses orders"});
    let path = "/v1/environments/local/posture";
    let taken = server.post_as(Some(&you), path, &posture);
    let reasons = taken.envelope()["error"]["details"]["reasonCodes"].to_string();
    assert!(!reasons.contains("KEY_"), "{taken:#?}");
}
