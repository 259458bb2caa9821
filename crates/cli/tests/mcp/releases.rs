//! A whole release by an agent, with a person's approval in the middle of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::agent::{Agent, approved, calling, post, text, watched};
use crate::client::Server;
use crate::project::{Project, wait};

/// Waits until an operation has ended, as an agent would.
#[track_caller]
fn ended(agent: &mut Agent, operation: &str) -> Value {
    wait("the operation's end", Duration::from_secs(60), || {
        let doc = agent.call("operation_get", json!({"operation": operation}));
        let doc = doc["structuredContent"]["data"].clone();
        (doc["status"] != "running").then_some(doc)
    })
}

#[test]
fn an_agent_releases_what_a_person_approved_and_nothing_else() {
    let project = watched();
    let mut agent = Agent::start(&project, &["--allow-apply", "--name", "bot"]);
    let (plan, fingerprint) = agent.planned("1.0.0");
    let shown = agent.data("plan_get", json!({"plan": plan}));
    assert_eq!(
        (&shown["plan"]["requester"], &shown["plan"]["on_behalf_of"]),
        (&json!("bot"), &json!("you"))
    );
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "release-1"});
    let refused = agent.call("apply_change", apply.clone());
    assert_eq!(refused["isError"], true);
    let error = &refused["structuredContent"]["error"];
    assert_eq!(
        (&error["code"], &error["retriable"]),
        (&json!("APPROVAL_REQUIRED"), &json!(false))
    );
    let waits = &error["details"]["approvalRequired"];
    assert_eq!(waits["planId"], json!(plan));
    assert_eq!(waits["planFingerprint"], json!(fingerprint));
    assert_eq!(waits["command"], json!(format!("gonogo approve {plan}")));
    assert!(
        text(&refused).contains(&format!("they run: gonogo approve {plan}")),
        "{refused:#}"
    );
    // Nothing has begun.
    assert_eq!(project.data(&["history"])["operations"], json!([]));

    // Who the agent acts for is as good as itself.
    project
        .run_as("you", &["approve", &plan, "--json"])
        .refusal(77, &["APPROVAL_SELF_GIVEN"]);
    // Nor does it help them that the agent asks for somebody else, too: the plan is the same, and so is who asked for it.
    let mut other = Agent::start(&project, &["--name", "bot", "--for", "ines"]);
    assert_eq!(other.planned("1.0.0").0, plan);
    let shown = other.data("plan_get", json!({"plan": plan}));
    assert_eq!(shown["plan"]["on_behalf_of"], "you");
    project
        .run_as("you", &["approve", &plan, "--json"])
        .refusal(77, &["APPROVAL_SELF_GIVEN"]);
    approved(&project, &plan);
    let load = project.load(300.0);
    let begun = agent.call("apply_change", apply.clone());
    assert_eq!(begun["isError"], false, "{begun:#}");
    let operation = begun["structuredContent"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(text(&begun).contains(&operation), "{begun:#}");
    let doc = ended(&mut agent, &operation);
    load.stop();
    load.join();
    assert_eq!(doc["status"], "succeeded", "{doc:#}");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // The same request is the same operation.
    let again = agent.call("apply_change", apply);
    assert_eq!(
        again["structuredContent"]["handle"],
        begun["structuredContent"]["handle"]
    );
}

#[test]
fn an_operation_goes_on_when_its_agent_is_gone() {
    let project = watched();
    let mut agent = Agent::start(&project, &["--allow-apply"]);
    let (plan, fingerprint) = agent.planned("1.0.0");
    approved(&project, &plan);
    let load = project.load(300.0);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begun = agent.call("apply_change", apply);
    let operation = begun["structuredContent"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    agent.kill();
    let mut other = Agent::start(&project, &[]);
    let doc = ended(&mut other, &operation);
    load.stop();
    load.join();
    assert_eq!(doc["status"], "succeeded", "{doc:#}");
}

#[test]
fn over_http_the_approval_has_an_address_and_both_doors_say_the_same() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let made = server.invoke("plan_change", json!({"version": "1.0.0"}));
    let fingerprint = made.data()["planFingerprint"].clone();
    let plan = made.data()["planResult"]["id"].as_str().unwrap();
    let input = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let refused = post(&server, &[], &calling("apply_change", &input));
    let error = &refused.body["result"]["structuredContent"]["error"];
    let url = error["details"]["approvalRequired"]["url"]
        .as_str()
        .unwrap();
    assert_eq!(
        url,
        format!("http://127.0.0.1:{}/v1/plans/{plan}", server.port)
    );
    let path = url.split_once(&format!(":{}", server.port)).unwrap().1;
    assert_eq!(server.get(path).data()["plan"]["fingerprint"], fingerprint);
    // One registry, whichever door.
    for (tool, input) in [
        ("plan_get", json!({"plan": plan})),
        ("status_get", json!({})),
        ("plan_list", json!({"limit": 3})),
        ("evidence_search", json!({"kind": "plan"})),
    ] {
        let there = post(&server, &[], &calling(tool, &input)).body["result"]["structuredContent"]
            ["data"]
            .clone();
        assert_eq!(&there, server.invoke(tool, input).data(), "{tool}");
    }
}

#[test]
fn a_relay_offers_the_tools_of_another_server_in_its_tokens_name() {
    let project = Project::new();
    let server = Server::start(&project, &["--allow-apply"]);
    let made = project.data(&[
        "token",
        "create",
        "--name",
        "bot",
        "--agent-for",
        "rita",
        "--role",
        "operator",
    ]);
    let mut command = project.command(&["mcp"]);
    command
        .current_dir(std::env::temp_dir())
        .env("GONOGO_SERVER", format!("http://127.0.0.1:{}", server.port))
        .env("GONOGO_TOKEN", made["token"].as_str().unwrap());
    let mut agent = Agent::of(command);
    agent.initialize(crate::agent::LEGACY, &json!({}));
    let (plan, fingerprint) = agent.planned("1.0.0");
    let shown = agent.data("plan_get", json!({"plan": plan}));
    assert_eq!(
        (&shown["plan"]["requester"], &shown["plan"]["on_behalf_of"]),
        (&json!("bot"), &json!("rita"))
    );
    let input = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let refused = agent.call("apply_change", input);
    let waits = &refused["structuredContent"]["error"]["details"]["approvalRequired"];
    assert_eq!(
        waits["url"],
        json!(format!("http://127.0.0.1:{}/v1/plans/{plan}", server.port))
    );
}
