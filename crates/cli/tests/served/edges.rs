//! The edges of HTTP: what cannot be read, is too large, is asked for in another form, or holds what nobody should have typed.

use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::people::token;
use crate::project::{Project, files};

const JSON: (&str, &str) = ("content-type", "application/json");

#[track_caller]
fn post(server: &Server<'_>, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    server
        .say("POST", path, headers, &body.to_string())
        .unwrap()
}

#[test]
fn what_is_no_path_and_what_is_too_large_is_told_in_the_envelope() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    for path in [
        "/operations/%ff",
        "/v1/plans/%C3%28/approvals",
        "/v1/operations/%fe",
    ] {
        let answer = server.get(path);
        answer.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
        assert_eq!(answer.envelope()["error"]["details"]["path"], "$");
    }
    let long = format!("/v1/plans?environment={}", "x".repeat(9_000));
    server
        .get(&long)
        .refuses(414, "INPUT_VALIDATION_FAILED", "URI_TOO_LONG");
    let large = "x".repeat(40_000);
    let answer = server
        .say("GET", "/v1/plans", &[("x-large", &large)], "")
        .unwrap();
    answer.refuses(431, "INPUT_VALIDATION_FAILED", "HEAD_TOO_LARGE");
    let names: Vec<String> = (0..150).map(|n| format!("x-n{n}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "1")).collect();
    let answer = server.say("GET", "/livez", &many, "").unwrap();
    answer.refuses(431, "INPUT_VALIDATION_FAILED", "HEAD_TOO_LARGE");
}

#[test]
fn a_body_in_another_form_is_not_read() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let body = json!({"version": "1.0.0"});
    let path = "/v1/plans/validate";
    let packed = post(&server, path, &[JSON, ("content-encoding", "gzip")], &body);
    packed.refuses(415, "INPUT_VALIDATION_FAILED", "MEDIA_TYPE_REFUSED");
    let plain = post(
        &server,
        path,
        &[JSON, ("content-encoding", "identity")],
        &body,
    );
    assert_eq!(plain.status, 200, "{plain:#?}");
    let two = post(
        &server,
        path,
        &[JSON, ("content-type", "text/plain")],
        &body,
    );
    two.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    let keys = [JSON, ("idempotency-key", "a"), ("idempotency-key", "b")];
    let two = post(&server, "/v1/plans", &keys, &body);
    two.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    assert!(project.records("plan").is_empty());
}

#[test]
fn who_can_read_no_answer_is_told_so() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let get =
        |path: &str, accept: &str| server.say("GET", path, &[("accept", accept)], "").unwrap();
    for accept in [
        "text/event-stream",
        "text/html",
        "application/json;q=0",
        "text/*",
    ] {
        get("/v1/plans", accept).refuses(406, "INPUT_VALIDATION_FAILED", "NOT_ACCEPTABLE");
    }
    for accept in ["*/*", "text/html, application/json;q=0.5", "application/*"] {
        assert_eq!(get("/v1/plans", accept).status, 200, "{accept}");
    }
    get("/v1/events", "application/json").refuses(406, "INPUT_VALIDATION_FAILED", "NOT_ACCEPTABLE");
}

#[test]
fn a_tag_is_known_however_it_is_said() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    project.plan("1.0.0");
    let tag = server.get("/v1/plans").header("etag").unwrap().to_owned();
    let get = |given: &str| {
        let answer = server.say("GET", "/v1/plans", &[("if-none-match", given)], "");
        answer.unwrap().status
    };
    for given in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x,y\", W/{tag}"),
        "*".into(),
    ] {
        assert_eq!(get(&given), 304, "{given}");
    }
    assert_eq!(get("\"x,*\""), 200);
    assert_eq!(get(tag.trim_matches('"')), 200);
}

#[test]
fn a_page_that_is_none_is_a_fault_of_its_field() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    for (path, status, reason) in [
        ("/v1/plans?pageToken=0", 400, "INPUT_MALFORMED"),
        ("/v1/operations?pageToken=op_0", 400, "INPUT_MALFORMED"),
        (
            "/v1/plans?pageToken=pln_zzzzzzzzzzzz",
            404,
            "PLAN_NOT_FOUND",
        ),
        (
            "/v1/operations?pageToken=op_zzzzzzzzzzzz",
            404,
            "OPERATION_NOT_FOUND",
        ),
    ] {
        let answer = server.get(path);
        answer.refuses(status, "INPUT_VALIDATION_FAILED", reason);
        assert_eq!(answer.envelope()["error"]["details"]["path"], "$.pageToken");
    }
}

#[test]
fn nothing_to_do_is_nothing_made() {
    let project = Project::serving();
    let server = Server::start(&project, &["--dev"]);
    let answer = server.post("/v1/plans", &json!({"version": "1.0.0"}));
    assert_eq!(
        (answer.status, &answer.data()["status"]),
        (200, &json!("nothing_to_do"))
    );
    let made = server.post("/v1/plans", &json!({"version": "2.0.0"}));
    assert_eq!(made.status, 201);
}

#[test]
fn a_token_in_a_text_is_refused_and_repeated_nowhere() {
    let project = Project::new();
    let (live, _) = token(&project, &["--name", "ann", "--role", "operator"]);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let secret = live.rsplit_once('_').unwrap().1.to_owned();
    let plan = project.plan("1.0.0");
    let header = format!("see Authorization: Bearer {live}");
    let mut answers = Vec::new();
    for why in [live.as_str(), header.as_str()] {
        answers.push(server.post("/v1/freezes", &json!({"why": why})));
        let path = format!("/v1/plans/{plan}/approval-requests");
        answers.push(server.post(&path, &json!({"note": why})));
    }
    for answer in &answers {
        answer.refuses(400, "INPUT_VALIDATION_FAILED", "SECRET_IN_INPUT");
    }
    // What is refused for something else is not repeated either.
    answers.push(server.get(&format!("/v1/plans?environment={live}%20")));
    answers.push(server.post("/v1/freezes", &json!({"why": 3, live.as_str(): "x"})));
    answers.push(server.invoke(&live, json!({})));
    answers.push(server.get(&format!("/v1/{live}")));
    for answer in &answers {
        assert!(
            400 <= answer.status && !format!("{answer:?}").contains(&secret),
            "{answer:#?}"
        );
    }
    let long = "x".repeat(600);
    let told = server.post("/v1/freezes", &json!({"why": long}));
    told.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    assert!(
        !told.body.to_string().contains(&"x".repeat(100)),
        "{told:#?}"
    );
    // Nor by commands, nor in a file.
    let args = ["approve", &plan, "--note", &header, "--json"];
    let ran = project.run(&args);
    ran.refusal(64, &["SECRET_IN_INPUT"]);
    assert!(!ran.out.contains(&secret) && !ran.err.contains(&secret));
    for (path, bytes) in files(&project.path(".gonogo")) {
        let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found, "{}", path.display());
    }
}

#[test]
fn a_configuration_that_breaks_is_the_servers_fault() {
    let project = Project::new();
    let (vera, _) = token(&project, &["--name", "vera", "--role", "viewer"]);
    let server = Server::start(&project, &[]);
    let config = project.text("gonogo.toml");
    std::fs::write(
        project.path("gonogo.toml"),
        format!("{config}\nnonsense = = 1\n"),
    )
    .unwrap();
    let bearer = format!("Bearer {vera}");
    let auth = [("authorization", bearer.as_str())];
    let answer = server.say("GET", "/v1/plans", &auth, "").unwrap();
    answer.refuses(503, "DEPENDENCY_UNAVAILABLE", "SERVER_MISCONFIGURED");
    answer.refuses(503, "DEPENDENCY_UNAVAILABLE", "CONFIG_SYNTAX");
    let details = answer.envelope()["error"]["details"].to_string();
    assert!(
        details.contains("gonogo.toml"),
        "who may look is told where: {details}"
    );
    // What is to be run on the server's machine is told as that, and does not name the server that fails.
    let base = format!("http://127.0.0.1:{}", server.port);
    let args = ["status", "--server", &base];
    let mut command = project.command(&args);
    command.current_dir(std::env::temp_dir());
    command.env("GONOGO_TOKEN", &vera);
    let ran = crate::project::finish(command, &args);
    ran.expect(69);
    assert!(
        ran.err.contains("`gonogo status` on the server's machine"),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("--server"), "{}", ran.err);
    // Nobody else learns what files there are.
    let told = server.get("/readyz");
    assert_eq!(
        (told.status, &told.body["reason"]),
        (503, &json!("CONFIG_SYNTAX"))
    );
    let login = json!({"user": "vera", "password": "none of hers at all"});
    let login = server.post("/v1/sessions", &login);
    assert!(login.status >= 400);
    for answer in [&told, &login] {
        let place = project.path("gonogo.toml").display().to_string();
        let place = place.as_str();
        let text = answer.body.to_string();
        assert!(
            !text.contains(place) && !text.contains("nonsense"),
            "{text}"
        );
    }
    let told = server.say("GET", "/readyz", &auth, "").unwrap();
    assert!(
        told.body["text"].as_str().unwrap().contains("nonsense"),
        "{told:#?}"
    );
    std::fs::write(project.path("gonogo.toml"), config).unwrap();
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_request_with_a_key_is_carried_out_once() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let keyed = |server: &Server<'_>, key: &str, why: &str| {
        let headers = [JSON, ("idempotency-key", key)];
        post(server, "/v1/freezes", &headers, &json!({"why": why}))
    };
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| keyed(&server, "k", "moving")))
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(
            (answer.status, answer.data()),
            (201, answers[0].data()),
            "{answer:#?}"
        );
    }
    keyed(&server, "k", "something else").refuses(409, "CONFLICT", "IDEMPOTENCY_CONFLICT");
    // The other door to the same use case knows what was asked with the key.
    let called = |key: &str, input: &Value| {
        let body = json!({"toolId": "freeze_declare", "input": input});
        post(
            &server,
            "/tools/invoke",
            &[JSON, ("idempotency-key", key)],
            &body,
        )
    };
    let same = called("k", &json!({"why": "moving"}));
    assert_eq!((same.status, same.data()), (200, answers[0].data()));
    let another = called("k", &json!({"why": "something else"}));
    another.refuses(409, "CONFLICT", "IDEMPOTENCY_CONFLICT");
    // What was refused decides nothing, and the key is free.
    let bad = json!({"why": "x", "environments": ["nowhere"]});
    let headers = [JSON, ("idempotency-key", "other")];
    assert!(post(&server, "/v1/freezes", &headers, &bad).status >= 400);
    assert_eq!(project.records("freeze").len(), 1);
    drop(server);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    assert_eq!(keyed(&server, "k", "moving").data(), answers[0].data());
    assert_eq!(keyed(&server, "other", "again").status, 201);
    assert_eq!(project.records("freeze").len(), 2);
    // The resource has changed by the request itself; its repetition is no other decision.
    let plan = project.plan("1.0.0");
    let path = format!("/v1/plans/{plan}/approvals");
    let tag = server.get(&path).header("etag").unwrap().to_owned();
    let seen = server.get(&format!("/v1/plans/{plan}"));
    let yes =
        json!({"planFingerprint": seen.data()["plan"]["fingerprint"], "decision": "approved"});
    let headers = [JSON, ("idempotency-key", "yes"), ("if-match", tag.as_str())];
    let first = post(&server, &path, &headers, &yes);
    let second = post(&server, &path, &headers, &yes);
    assert_eq!((first.status, second.status), (201, 201), "{second:#?}");
    assert_eq!(first.data(), second.data());
    assert_eq!(project.records("approval").len(), 1);
}

#[test]
fn a_token_is_no_name_of_a_trace_and_no_key() {
    let project = Project::new();
    let (token, _) = token(&project, &["--name", "vera", "--role", "viewer"]);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let why = json!({"why": "x"});
    for secret in [token.as_str(), "ghp_0123456789abcdefghijABCDEFGHIJ012345"] {
        for header in ["x-trace-id", "idempotency-key"] {
            let answer = post(&server, "/v1/freezes", &[JSON, (header, secret)], &why);
            answer.refuses(400, "INPUT_VALIDATION_FAILED", "SECRET_IN_INPUT");
            assert!(!answer.body.to_string().contains(secret), "{answer:#?}");
        }
        let call = json!({"toolId": "freeze_declare", "traceId": secret, "input": why});
        let answer = server.post("/tools/invoke", &call);
        answer.refuses(400, "INPUT_VALIDATION_FAILED", "SECRET_IN_INPUT");
        let mut command = project.command(&["freeze", "--why", "y", "--json"]);
        let ran = command.env("GONOGO_TRACE_ID", secret).output().unwrap();
        assert!(ran.status.success());
        assert!(!String::from_utf8_lossy(&ran.stdout).contains(secret));
    }
    assert_eq!(project.records("freeze").len(), 2);
    for record in project.records("freeze") {
        assert!(!record.to_string().contains("ghp_"), "{record:#}");
        assert!(!record.to_string().contains(&token), "{record:#}");
    }
    for (path, bytes) in files(&project.path(".gonogo")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(
            !text.contains(&token) && !text.contains("ghp_0123"),
            "{path:?}"
        );
    }
}
