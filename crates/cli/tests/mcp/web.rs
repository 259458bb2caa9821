//! The protocol over HTTP: who is let in, what they lack, and what is no message.

use serde_json::{Value, json};

use crate::agent::{MODERN, calling, meta, names, post, post_text};
use crate::client::{Answer, Server};
use crate::project::{CONFIG, Project};

fn token(project: &Project, args: &[&str]) -> String {
    let made = project.data(&[&["token", "create"], args].concat());
    format!("Bearer {}", made["token"].as_str().unwrap())
}

fn listing() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
}

/// A parameter of a challenge.
fn said(answer: &Answer, name: &str) -> String {
    let challenge = answer.header("www-authenticate").unwrap();
    let rest = challenge
        .split_once(&format!("{name}=\""))
        .unwrap_or_else(|| panic!("no {name} in {challenge}"))
        .1;
    rest.split_once('"').unwrap().0.to_owned()
}

#[test]
fn whoever_has_no_token_is_told_where_the_rules_are() {
    let project = Project::new();
    let server = Server::start(&project, &[]);
    let refused = post(&server, &[], &listing());
    refused.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    assert_eq!(said(&refused, "scope"), "read");
    let base = format!("http://127.0.0.1:{}", server.port);
    let rules = said(&refused, "resource_metadata");
    assert_eq!(
        rules,
        format!("{base}/.well-known/oauth-protected-resource/mcp")
    );
    for path in [
        rules.strip_prefix(&base).unwrap(),
        "/.well-known/oauth-protected-resource",
    ] {
        let told = server.get(path);
        assert_eq!(told.status, 200, "{told:#?}");
        assert_eq!(told.body["resource"], format!("{base}/mcp"));
        assert_eq!(told.body["bearer_methods_supported"], json!(["header"]));
        let scopes = told.body["scopes_supported"].as_array().unwrap();
        assert!(
            scopes.contains(&json!("plan:apply")) && !scopes.contains(&json!("approval:decide")),
            "{scopes:?}"
        );
    }
    let wrong = post(&server, &[("authorization", "Bearer gng_x_y")], &listing());
    wrong.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let none = server.get("/.well-known/oauth-protected-resource");
    assert!(
        none.body.get("authorization_servers").is_none(),
        "{none:#?}"
    );
    let foreign = server.say(
        "GET",
        "/.well-known/oauth-protected-resource",
        &[("host", "evil.example")],
        "",
    );
    foreign
        .unwrap()
        .refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
}

#[test]
fn the_rules_name_the_issuer_whose_tokens_are_taken() {
    let project = Project::with(&format!(
        "{CONFIG}\n[oidc]\nissuer = \"https://id.example/eng\"\naudience = \"gonogo\"\njwks = \"keys.json\"\nroles = {{ ops = \"operator\" }}\n"
    ));
    std::fs::write(project.path("keys.json"), r#"{"keys": []}"#).unwrap();
    let server = Server::start(&project, &[]);
    let told = server.get("/.well-known/oauth-protected-resource/mcp");
    assert_eq!(told.status, 200, "{told:#?}");
    assert_eq!(
        told.body["authorization_servers"],
        json!(["https://id.example/eng"])
    );
}

#[test]
fn each_token_is_told_its_own_tools_and_which_scope_it_lacks() {
    let project = Project::new();
    let server = Server::start(&project, &["--allow-apply"]);
    let viewer = token(&project, &["--name", "vera", "--role", "viewer"]);
    let agent = token(
        &project,
        &["--name", "bot", "--agent-for", "rita", "--role", "operator"],
    );
    let list =
        |who: &str| names(&post(&server, &[("authorization", who)], &listing()).body["result"]);
    let (few, many) = (list(&viewer), list(&agent));
    assert!(
        few.iter().all(|name| many.contains(name)) && few.len() < many.len(),
        "{few:?} {many:?}"
    );
    assert!(!few.iter().any(|n| n == "apply_change") && many.iter().any(|n| n == "apply_change"));

    let input =
        json!({"planFingerprint": format!("v2:sha256:{}", "0".repeat(64)), "idempotencyKey": "k"});
    let refused = post(
        &server,
        &[("authorization", &viewer)],
        &calling("apply_change", &input),
    );
    refused.refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    assert_eq!(said(&refused, "error"), "insufficient_scope");
    assert_eq!(said(&refused, "scope"), "plan:apply");
    assert!(
        said(&refused, "resource_metadata").ends_with("/.well-known/oauth-protected-resource/mcp")
    );
    // With the scope it is the use case that refuses, and the protocol answers.
    let refused = post(
        &server,
        &[("authorization", &agent)],
        &calling("apply_change", &input),
    );
    assert_eq!(
        (refused.status, &refused.body["result"]["isError"]),
        (200, &json!(true)),
        "{refused:#?}"
    );
    // What was planned was planned in the token's name, for its person.
    let made = post(
        &server,
        &[("authorization", &agent)],
        &calling("plan_change", &json!({"version": "1.0.0"})),
    );
    let plan = &made.body["result"]["structuredContent"]["data"]["planResult"];
    assert_eq!(
        (&plan["requester"], &plan["on_behalf_of"]),
        (&json!("bot"), &json!("rita"))
    );
}

#[test]
fn a_page_of_somebody_else_gets_nothing() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let own = format!("http://127.0.0.1:{}", server.port);
    assert_eq!(post(&server, &[("origin", &own)], &listing()).status, 200);
    for wrong in [
        ("host", "evil.example"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
    ] {
        post(&server, &[wrong], &listing()).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    }
}

#[test]
fn what_is_no_message_is_refused_in_the_contracts_form() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, code) in [
        ("", -32_700),
        ("hello", -32_700),
        ("[]", -32_600),
        ("[{}]", -32_600),
        ("7", -32_600),
        (
            r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#,
            -32_700,
        ),
        (deep.as_str(), -32_700),
        ("{}", -32_600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, -32_600),
        (r#"{"method":"ping","id":1}"#, -32_600),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, -32_600),
    ] {
        let answer = post_text(&server, &[], body);
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, 400, "{shown}: {answer:#?}");
        let error = &answer.body["error"];
        assert_eq!(error["code"], code, "{shown}: {answer:#?}");
        if !body.contains("result") {
            assert_eq!(
                error["data"]["envelope"]["error"]["code"], "INPUT_VALIDATION_FAILED",
                "{shown}: {answer:#?}"
            );
        }
    }
    let said = |headers: &[(&str, &str)]| post(&server, headers, &listing());
    said(&[("content-type", "text/plain")]).refuses(
        415,
        "INPUT_VALIDATION_FAILED",
        "MEDIA_TYPE_REFUSED",
    );
    for accepted in ["application/json", "text/event-stream", "*/*"] {
        let answer = said(&[("accept", accepted)]);
        answer.refuses(406, "INPUT_VALIDATION_FAILED", "NOT_ACCEPTABLE");
        let hints = &answer.envelope()["error"]["details"]["hints"];
        let hint = hints[0].as_str().unwrap();
        let both = "`Accept: application/json, text/event-stream`";
        assert!(hint.contains(both), "{accepted}: {hint}");
    }
    let long =
        json!({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": {"x": "y".repeat(2 << 20)}});
    post(&server, &[], &long).refuses(413, "INPUT_VALIDATION_FAILED", "BODY_TOO_LARGE");
    for method in ["GET", "DELETE", "PUT"] {
        let answer = server
            .say(method, "/mcp", &[("accept", "text/event-stream")], "")
            .unwrap();
        answer.refuses(405, "INPUT_VALIDATION_FAILED", "METHOD_REFUSED");
        assert_eq!(answer.header("allow"), Some("POST"), "{answer:#?}");
    }
    // A notification is taken, and has no answer.
    let note = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let taken = post(&server, &[], &note);
    assert_eq!((taken.status, &taken.body), (202, &Value::Null));
}

/// An error of the protocol has the contract's envelope beside it.
#[track_caller]
fn enveloped(answer: &Answer) {
    let envelope = &answer.body["error"]["data"]["envelope"];
    assert_eq!(envelope["success"], false, "{answer:#?}");
    let reasons = envelope["error"]["details"]["reasonCodes"].as_array();
    assert!(reasons.is_some_and(|r| !r.is_empty()), "{answer:#?}");
}

#[test]
fn the_protocols_own_refusals_have_the_envelope_too() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let say = |version: &str, method: &str, meta: &Value| {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": {"_meta": meta, "taskId": "op_000000000000"}});
        let headers = [
            ("mcp-protocol-version", version),
            ("mcp-method", method),
            ("mcp-name", "op_000000000000"),
        ];
        let named = method.starts_with("tasks/");
        post(&server, &headers[..if named { 3 } else { 2 }], &message)
    };
    let none = say(MODERN, "server/discover", &json!({}));
    let mut unknown = meta(&json!({}));
    unknown["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
    let unknown = say("2099-01-01", "tools/list", &unknown);
    let lacking = say(MODERN, "tasks/get", &meta(&json!({})));
    for (answer, code) in [(&none, -32_602), (&unknown, -32_022), (&lacking, -32_021)] {
        assert_eq!(answer.body["error"]["code"], code, "{answer:#?}");
        enveloped(answer);
    }
    // What the protocol says of it is still there.
    assert!(lacking.body["error"]["data"]["requiredCapabilities"].is_object());
}

#[test]
fn a_task_is_cancelled_by_whoever_could_cancel_its_operation() {
    let project = Project::new();
    let server = Server::start(&project, &["--allow-apply"]);
    let viewer = token(&project, &["--name", "vera", "--role", "viewer"]);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tasks/cancel", "params": {"taskId": "op_000000000000"}});
    let refused = post(&server, &[("authorization", &viewer)], &message);
    refused.refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    assert_eq!(said(&refused, "error"), "insufficient_scope");
    assert_eq!(said(&refused, "scope"), "plan:apply");
}

#[test]
fn clients_with_a_handshake_list_and_read_tasks_over_http() {
    let project = Project::serving();
    let operation = project.data(&["history"])["operations"][0]["id"].clone();
    let server = Server::start(&project, &["--dev"]);
    let say = |method: &str| {
        let message =
            json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"taskId": operation}});
        post(&server, &[("mcp-protocol-version", "2025-11-25")], &message)
    };
    let listed = say("tasks/list");
    assert_eq!(
        listed.body["result"]["tasks"][0]["taskId"], operation,
        "{listed:#?}"
    );
    let result = say("tasks/result");
    assert_eq!(result.body["result"]["isError"], false, "{result:#?}");
    let task = say("tasks/get");
    assert_eq!(task.body["result"]["status"], "completed", "{task:#?}");
}

#[test]
fn the_head_of_a_request_says_what_its_body_says() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "status_get", "_meta": meta(&json!({}))}});
    let ask = |headers: &[(&str, &str)]| post(&server, headers, &message);
    let good = ask(&[
        ("mcp-protocol-version", MODERN),
        ("mcp-method", "tools/call"),
        ("mcp-name", "status_get"),
    ]);
    assert_eq!(good.status, 200, "{good:#?}");
    assert_eq!(good.body["result"]["resultType"], "complete");
    for wrong in [
        &[("mcp-protocol-version", MODERN)][..],
        &[("mcp-method", "tools/call"), ("mcp-name", "status_get")],
        &[
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/list"),
            ("mcp-name", "status_get"),
        ],
        &[
            ("mcp-protocol-version", MODERN),
            ("mcp-method", "tools/call"),
            ("mcp-name", "apply_change"),
        ],
        &[
            ("mcp-protocol-version", "2025-11-25"),
            ("mcp-method", "tools/call"),
            ("mcp-name", "status_get"),
        ],
    ] {
        let answer = ask(wrong);
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (400, &json!(-32_020)),
            "{wrong:?}: {answer:#?}"
        );
        enveloped(&answer);
    }
}

#[test]
fn a_call_belongs_to_the_trace_that_it_names() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let trace =
        |answer: &Answer| answer.body["result"]["structuredContent"]["metadata"]["traceId"].clone();
    let input = json!({"version": "1.0.0"});
    let by_head = post(
        &server,
        &[("x-trace-id", "trace-of-a-test")],
        &calling("plan_change", &input),
    );
    assert_eq!(trace(&by_head), "trace-of-a-test");
    let id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut message = calling("validate_plan", &input);
    message["params"]["_meta"] = json!({"traceparent": format!("00-{id}-00f067aa0ba902b7-01")});
    assert_eq!(trace(&post(&server, &[], &message)), id);
}

#[test]
fn the_list_of_tools_is_small() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let listed = &post(&server, &[], &listing()).body["result"];
    let tools = listed["tools"].as_array().unwrap().len();
    let bytes = listed.to_string().len();
    assert!(tools > 20, "{tools} tools");
    assert!(bytes < 1_400 * tools, "{bytes} bytes for {tools} tools");
}

/// The next number of a sequence that is the same at every run.
fn next(state: &mut u64) -> usize {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn a_message_that_was_bent_is_answered_and_is_never_our_fault() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let whole = [
        calling("plan_get", &json!({"plan": "pln_0123456789ab"})).to_string(),
        calling("apply_change", &json!({"planFingerprint": "v2:sha256:00", "idempotencyKey": "k"})).to_string(),
        json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta(&json!({}))}}).to_string(),
        json!({"jsonrpc": "2.0", "id": "a", "method": "resources/read", "params": {"uri": "gonogo://plans/pln_0"}}).to_string(),
    ];
    let bits = [
        "null",
        "[]",
        "{}",
        "-1",
        "1e999",
        "\"\"",
        "\\u0000",
        "\"\\ud800\"",
        "true",
        ",",
        "}",
        "{\"a\":",
    ];
    let mut state = 7;
    for round in 0..400 {
        let mut text: Vec<u8> = whole[round % whole.len()].clone().into_bytes();
        for _ in 0..=next(&mut state) % 3 {
            let at = next(&mut state) % text.len();
            match next(&mut state) % 4 {
                0 => text[at] = (next(&mut state) % 128) as u8,
                1 => text.truncate(at.max(1)),
                2 => {
                    let bit = bits[next(&mut state) % bits.len()];
                    let to = (at + 1 + next(&mut state) % 12).min(text.len());
                    text.splice(at..to, bit.bytes());
                }
                _ => {
                    let twice = text[at..(at + 20).min(text.len())].to_vec();
                    text.splice(at..at, twice);
                }
            }
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let answer = post_text(&server, &[], &text);
        assert!(
            matches!(answer.status, 200 | 202 | 400 | 404),
            "{text}\n{answer:#?}"
        );
        // Taken without an answer, or answered in a form of the protocol's.
        let form = answer.status == 202 || answer.body["jsonrpc"] == "2.0";
        assert!(form, "{text}\n{answer:#?}");
        assert_ne!(answer.body["error"]["code"], -32_603, "{text}\n{answer:#?}");
    }
    assert_eq!(post(&server, &[], &listing()).status, 200);
}

#[test]
fn a_client_that_goes_away_in_the_middle_finds_its_one_operation_again() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let plan = project.approved("1.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let load = project.load(300.0);
    let call = calling(
        "apply_change",
        &json!({"planFingerprint": fingerprint, "idempotencyKey": "k"}),
    );
    let body = call.to_string();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\ncontent-length: {}\r\n\r\n",
        server.port,
        body.len()
    );
    for _ in 0..5 {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .unwrap();
        drop(stream);
    }
    let begun = post(&server, &[], &call).body["result"]["structuredContent"].clone();
    let operation = begun["handle"]["operationId"].as_str().unwrap();
    let doc = server.ended(operation);
    load.stop();
    load.join();
    assert_eq!(doc["status"], "succeeded", "{doc:#}");
    assert_eq!(
        project.data(&["history"])["operations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
