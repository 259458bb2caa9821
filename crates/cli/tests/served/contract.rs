//! Every reply is the envelope; what comes in is what the schema says; the document says what is answered.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::client::{Server, hear};
use crate::project::Project;

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn whatever_is_asked_is_answered_with_the_envelope() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let say = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        server.say(method, path, headers, body).unwrap()
    };
    let bad = "INPUT_VALIDATION_FAILED";
    let cases = [
        (say("GET", "/nowhere", &[], ""), 404, "ROUTE_UNKNOWN"),
        (say("GET", "/v1/plans/x/y/z", &[], ""), 404, "ROUTE_UNKNOWN"),
        (say("DELETE", "/v1/plans", &[], ""), 405, "METHOD_REFUSED"),
        (
            say("TRACE", "/tools/invoke", &[], ""),
            405,
            "METHOD_REFUSED",
        ),
        (
            say("POST", "/v1/plans", &[], "{}"),
            415,
            "MEDIA_TYPE_REFUSED",
        ),
        (
            say("POST", "/v1/plans", &[("content-type", "text/plain")], "{}"),
            415,
            "MEDIA_TYPE_REFUSED",
        ),
        (
            say(
                "POST",
                "/v1/plans",
                &[("content-type", "application/json; charset=latin1")],
                "{}",
            ),
            415,
            "MEDIA_TYPE_REFUSED",
        ),
        (
            say("POST", "/v1/plans", &[JSON], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("POST", "/v1/plans", &[JSON], "{\"version\":"),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("POST", "/v1/plans", &[JSON], "[]"),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say(
                "POST",
                "/v1/plans",
                &[JSON],
                r#"{"version":"1","version":"2"}"#,
            ),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say(
                "POST",
                "/v1/plans",
                &[JSON],
                r#"{"version":"1.0.0","more":1}"#,
            ),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("POST", "/v1/plans", &[JSON], r#"{"version":"../etc"}"#),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("POST", "/v1/plans", &[JSON], &"[".repeat(100_000)),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say(
                "POST",
                "/v1/plans",
                &[JSON],
                &format!("{{\"version\":\"{}\"}}", "x".repeat(1 << 20)),
            ),
            413,
            "BODY_TOO_LARGE",
        ),
        (
            say(
                "POST",
                "/v1/plans",
                &[JSON],
                r#"{"version":"1.0.0","environment":"mars"}"#,
            ),
            404,
            "ENVIRONMENT_UNKNOWN",
        ),
        (
            say("GET", "/v1/plans?limit=0", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/plans?limit=many", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/plans?limit=1&limit=2", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/plans?more=1", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/plans?limit=%FF", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/plans/pln_000000000000", &[], ""),
            404,
            "PLAN_NOT_FOUND",
        ),
        (
            say("GET", "/operations/op_000000000000", &[], ""),
            404,
            "OPERATION_NOT_FOUND",
        ),
        (
            say("GET", "/operations/nothing", &[], ""),
            400,
            "INPUT_MALFORMED",
        ),
        (
            say("GET", "/v1/evidence/99999", &[], ""),
            404,
            "INPUT_NOT_FOUND",
        ),
        (
            server.invoke("golden_hammer", json!({})),
            400,
            "TOOL_UNKNOWN",
        ),
        (
            server.invoke("plan_change", json!(5)),
            400,
            "INPUT_MALFORMED",
        ),
        (
            server.post("/tools/invoke", &json!({"input": {}})),
            400,
            "INPUT_MALFORMED",
        ),
        (
            server.post("/tools/invoke", &json!({"toolId": "status_get", "more": 1})),
            400,
            "INPUT_MALFORMED",
        ),
    ];
    for (answer, status, reason) in &cases {
        answer.refuses(*status, bad, reason);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    let allowed = say("DELETE", "/v1/plans", &[], "");
    let mut methods: Vec<&str> = allowed.header("allow").unwrap().split(',').collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "HEAD", "POST"]);
    // Nothing of all that is in the ledger but its founding.
    assert_eq!(project.records("plan"), Vec::<Value>::new());
}

#[test]
fn a_fault_of_an_input_says_where_it_is() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let answer = server.invoke("evidence_search", json!({"limit": 1000, "stream": "a b"}));
    answer.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    let details = &answer.envelope()["error"]["details"];
    assert_eq!(details["path"], "$.limit");
    assert_eq!(
        details["faults"].as_array().unwrap().len(),
        2,
        "{details:#}"
    );
}

#[test]
fn the_trace_of_a_caller_is_in_the_reply() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let wrong = server.say("GET", "/v1/entities", &[("x-trace-id", "a b")], "");
    wrong
        .unwrap()
        .refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    for (name, value, found) in [
        ("traceparent", parent.as_str(), Some(trace)),
        ("x-trace-id", "a.b:c", Some("a.b:c")),
        ("traceparent", "00-short-x-01", None),
    ] {
        let answer = server
            .say("GET", "/v1/entities", &[(name, value)], "")
            .unwrap();
        let told = answer.envelope()["metadata"]["traceId"].as_str().unwrap();
        assert_eq!(answer.header("x-trace-id"), Some(told));
        match found {
            Some(found) => assert_eq!(told, found),
            // A new one, as W3C has them.
            None => assert!(
                told.len() == 32 && told.bytes().all(|b| b.is_ascii_hexdigit()),
                "{told}"
            ),
        }
    }
}

#[test]
fn the_document_lists_every_address_and_its_schemas_hold() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let document = server.get("/openapi.json").body;
    assert_eq!(document["openapi"], "3.1.1");
    let mut ids = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "`{id}` stands twice");
            // What is listed is there: another method than those that are is refused, not unknown.
            let whole = path.replace("{plan}", "pln_000000000000");
            let whole = whole.replace("{operation}", "op_000000000000");
            let whole = whole.replace("{record}", "0");
            let other = server.say("PATCH", &whole, &[], "").unwrap();
            other.refuses(405, "INPUT_VALIDATION_FAILED", "METHOD_REFUSED");
            let allow = other.header("allow").unwrap();
            assert!(
                allow.contains(&method.to_uppercase()),
                "{path} {method}: {allow}"
            );
        }
    }
    // What is told before anybody looks what the address is for can be told everywhere; the page says what the document leaves out.
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/server.md");
    let page = std::fs::read_to_string(page).unwrap();
    for path in [
        "/v1/events",
        "/mcp",
        "/metrics",
        "/.well-known/oauth-protected-resource",
    ] {
        assert!(document["paths"].get(path).is_none(), "{path}");
        assert!(page.contains(&format!("`{path}`")), "{path}");
        let there = server.say("PATCH", path, &[], "").unwrap();
        there.refuses(405, "INPUT_VALIDATION_FAILED", "METHOD_REFUSED");
    }
    let long = "x".repeat(9 << 10);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for status in ["405", "414", "431"] {
                let told = &operation["responses"][status]["content"]["application/json"];
                let schema = &told["schema"]["$ref"];
                assert_eq!(
                    schema, "#/components/schemas/GonogoFailure",
                    "{method} {path} {status}"
                );
            }
        }
        let far = server.say("GET", &format!("{path}?x={long}"), &[], "");
        far.unwrap()
            .refuses(414, "INPUT_VALIDATION_FAILED", "URI_TOO_LONG");
        let full = server.say("GET", path, &[("x-long", &"x".repeat(33 << 10))], "");
        full.unwrap()
            .refuses(431, "INPUT_VALIDATION_FAILED", "HEAD_TOO_LARGE");
    }
    // Whoever reads the key says so, and nobody else.
    let takes = |path: &str, method: &str| {
        let all = &document["paths"][path][method]["parameters"];
        let mut all = all.as_array().into_iter().flatten();
        all.any(|p| p["name"] == "Idempotency-Key" && p["in"] == "header")
    };
    for (path, method, reads) in [
        ("/tools/invoke", "post", true),
        ("/v1/operations", "post", true),
        ("/v1/plans", "post", true),
        ("/v1/plans/{plan}/approvals", "post", true),
        ("/v1/freezes", "post", true),
        ("/v1/plans/validate", "post", false),
        ("/v1/plans", "get", false),
        ("/operations/dispatch", "post", false),
    ] {
        assert_eq!(takes(path, method), reads, "{method} {path}");
    }
    for tool in [
        "plan_change",
        "apply_change",
        "rollback_change",
        "validate_plan",
        "read_entities",
        "read_activity",
    ] {
        assert!(ids.contains(tool), "{tool}");
    }
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let made = server.post("/v1/plans", &json!({"version": "1.0.0"}));
    let path = format!(
        "/v1/plans/{}",
        made.data()["planResult"]["id"].as_str().unwrap()
    );
    let first = server.get(&path);
    let tag = first.header("etag").unwrap();
    assert_eq!(server.get(&path).header("etag"), Some(tag));
    let again = server
        .say("GET", &path, &[("if-none-match", tag)], "")
        .unwrap();
    assert_eq!((again.status, &again.body), (304, &Value::Null));
    let other = server
        .say("GET", &path, &[("if-none-match", "\"0\"")], "")
        .unwrap();
    assert_eq!(other.status, 200);
    let no = json!({"planFingerprint": made.data()["planFingerprint"], "decision": "rejected"});
    assert_eq!(server.post(&format!("{path}/approvals"), &no).status, 201);
    let changed = server
        .say("GET", &path, &[("if-none-match", tag)], "")
        .unwrap();
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), Some(tag));
}

#[test]
fn more_callers_than_files_are_all_answered() {
    let project = Project::new();
    let server = Server::start_limited(&project, &["--dev"], 96);
    let body = json!({"version": "1.0.0"});
    assert_eq!(server.post("/v1/plans/validate", &body).status, 200);
    std::thread::scope(|scope| {
        let ask = || server.post("/v1/plans/validate", &body);
        let callers: Vec<_> = (0..200).map(|_| scope.spawn(ask)).collect();
        for caller in callers {
            // Each use case opens files and a socket: there must be some left.
            let answer = caller.join().unwrap();
            assert_eq!(answer.status, 200, "{answer:#?}");
        }
    });
}

#[test]
fn silent_callers_keep_nobody_out_for_long() {
    let project = Project::new();
    let server = Server::start_limited(&project, &["--dev"], 96);
    let connect = || TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    let silent: Vec<TcpStream> = (0..40).map(|_| connect()).collect();
    assert_eq!(server.get("/v1/entities").status, 200);
    drop(silent);
    // Whoever begins a body and sends no more of it is one of them.
    let begun = |n: usize| {
        let mut stream = connect();
        let path = ["/v1/sessions", "/v1/plans", "/tools/invoke"][n % 3];
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{{",
            server.port
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let unfinished: Vec<TcpStream> = (0..40).map(begun).collect();
    assert_eq!(server.get("/v1/entities").status, 200);
    let late = unfinished.into_iter().find_map(|s| {
        let answer = hear(s)?;
        (answer.status == 408).then_some(answer)
    });
    late.expect("nobody was told")
        .refuses(408, "INPUT_VALIDATION_FAILED", "BODY_LATE");
}
