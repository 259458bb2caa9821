//! Who is let in, and as whom.

use serde_json::json;

use crate::client::Server;
use crate::project::Project;

/// Makes a token and gives its text and its id.
pub(crate) fn token(project: &Project, args: &[&str]) -> (String, String) {
    let made = project.data(&[&["token", "create"], args].concat());
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("token"), text("id"))
}

#[test]
fn nobody_is_let_in_without_a_token() {
    let project = Project::new();
    let server = Server::start(&project, &[]);
    let (good, id) = token(&project, &["--name", "rita", "--role", "viewer"]);
    let ask = |headers: &[(&str, &str)]| server.say("GET", "/v1/status", headers, "").unwrap();
    let bearer = format!("Bearer {good}");
    assert_eq!(ask(&[("authorization", &bearer)]).status, 200);
    let other = format!("{}x", &good[..good.len() - 1]);
    let foreign = format!("gng_000000000000_{}", good.splitn(3, '_').nth(2).unwrap());
    for wrong in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Basic {good}"),
        format!("Bearer {other}"),
        format!("Bearer {foreign}"),
        format!("Bearer {id}"),
    ] {
        let answer = ask(&[("authorization", &wrong)]);
        answer.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=\"gonogo\", error=\"invalid_token\""));
        assert!(!answer.body.to_string().contains(&good[20..]), "{answer:?}");
    }
    let nothing = ask(&[]);
    nothing.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let challenge = nothing.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer realm=\"gonogo\""));
    // Taken back, it is worth nothing at once.
    project.data(&["token", "revoke", &id, "--why", "lost"]);
    ask(&[("authorization", &bearer)]).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
}

#[test]
fn a_token_that_has_ended_is_none() {
    let project = Project::new();
    let server = Server::start(&project, &[]);
    let args = ["--name", "rita", "--role", "viewer", "--lives", "1ms"];
    let (ended, _) = token(&project, &args);
    let bearer = format!("Bearer {ended}");
    let answer = server.say("GET", "/v1/status", &[("authorization", &bearer)], "");
    answer
        .unwrap()
        .refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
}

#[test]
fn a_token_does_what_its_scopes_say_and_no_more() {
    let project = Project::new();
    let server = Server::start(&project, &["--allow-apply"]);
    let (viewer, _) = token(&project, &["--name", "vera", "--role", "viewer"]);
    let (agent, _) = token(
        &project,
        &["--name", "bot", "--agent-for", "rita", "--role", "operator"],
    );
    let plan = json!({"version": "1.0.0"});
    let more = server.post_as(Some(&viewer), "/v1/plans", &plan);
    more.refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    let challenge = "Bearer realm=\"gonogo\", error=\"insufficient_scope\", scope=\"plan:create\"";
    assert_eq!(more.header("www-authenticate"), Some(challenge));
    let made = server.post_as(Some(&agent), "/v1/plans", &plan);
    assert_eq!(made.status, 201, "{made:#?}");
    let plan = &made.data()["planResult"];
    assert_eq!(
        (&plan["requester"], &plan["on_behalf_of"]),
        (&json!("bot"), &json!("rita"))
    );
    let yes = json!({"planFingerprint": plan["fingerprint"], "decision": "approved"});
    let path = format!("/v1/plans/{}/approvals", plan["id"].as_str().unwrap());
    server
        .post_as(Some(&agent), &path, &yes)
        .refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
}

#[test]
fn no_scope_lets_an_agent_approve() {
    let project = Project::new();
    for scope in ["approval:decide", "admin"] {
        let args = [
            "token",
            "create",
            "--name",
            "bot",
            "--agent-for",
            "rita",
            "--scope",
            scope,
            "--json",
        ];
        let ran = project.run(&args);
        assert_ne!(ran.status, 0, "{scope}: {}", ran.out);
    }
    assert_eq!(project.data(&["token", "list"])["tokens"], json!([]));
    // An agent acts for somebody, and is somebody else.
    for args in [
        &["--name", "rita", "--agent-for", "rita", "--role", "viewer"][..],
        &["--name", "rita"],
        &["--name", "a b", "--role", "viewer"],
        &["--name", "rita", "--role", "king"],
        &["--name", "rita", "--role", "viewer", "--lives", "0s"],
    ] {
        let ran = project.run(&[&["token", "create"], args].concat());
        assert_ne!(ran.status, 0, "{args:?}: {}", ran.out);
    }
}

#[test]
fn agents_and_people_have_no_name_in_common_and_people_alone_give_names() {
    let project = crate::approvals::project(1, "");
    let (_, bot) = token(
        &project,
        &["--name", "bot", "--agent-for", "you", "--role", "viewer"],
    );
    // Until they decide something, whoever asks may be either.
    project.data(&["pin", "1.0.0", "--why", "2.0.0 loses orders"]);
    let password = project.path("password");
    std::fs::write(&password, "a long and winding word\n").unwrap();
    let password = password.to_str().unwrap();
    let add = |name: &'static str| {
        let args = ["user", "add", name, "--role", "viewer"];
        [&args[..], &["--password-file", password]].concat()
    };
    let agent = |name: &'static str, person: &'static str| {
        let args = ["token", "create", "--name", name, "--agent-for", person];
        [&args[..], &["--role", "viewer"]].concat()
    };
    for args in [
        agent("you", "dana"),
        agent("You", "dana"),
        agent("Dana", "erin"),
        agent("other", "bot"),
        agent("other", "BOT"),
        vec!["token", "create", "--name", "BOT", "--role", "admin"],
        add("bot"),
        add("Bot"),
    ] {
        let error = project.refuses(&args, 64, &["ARGUMENT_INVALID"]);
        assert!(error["message"].as_str().unwrap().contains("needs another"));
    }
    project.data(&add("zoe"));
    project.refuses(&agent("Zoe", "dana"), 64, &["ARGUMENT_INVALID"]);
    // The name of an agent makes nobody, and stays an agent's, also with its key.
    for args in [
        vec!["token", "create", "--name", "x", "--role", "admin"],
        agent("x", "dana"),
        vec!["token", "revoke", &bot, "--why", "x"],
        add("x"),
        vec!["user", "disable", "zoe", "--why", "x"],
        vec!["user", "remove", "zoe", "--why", "x", "--yes"],
    ] {
        let ran = project.run_as("bot", &[&args[..], &["--json"]].concat());
        ran.refusal(77, &["AGENT_MAY_NOT_DECIDE"]);
    }
    // Another token for the same agent is another token.
    project.data(&agent("bot", "dana"));
    project.data(&["token", "revoke", &bot, "--why", "lost"]);
}

#[test]
fn a_page_of_somebody_else_gets_nothing() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let own = format!("http://127.0.0.1:{}", server.port);
    let ask = |headers: &[(&str, &str)]| server.say("GET", "/v1/status", headers, "").unwrap();
    assert_eq!(ask(&[("origin", &own)]).status, 200);
    let port = server.port;
    let (upper, mapped) = (
        format!("LOCALHOST:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
    );
    assert_eq!(ask(&[("host", &upper)]).status, 200, "names have no case");
    assert_eq!(ask(&[("host", &format!("[::1]:{port}"))]).status, 200);
    assert_eq!(
        ask(&[("origin", &format!("HTTP://LocalHost:{port}"))]).status,
        200
    );
    let rebound = format!("evil.example:{port}");
    let dotted = format!("localhost.:{port}");
    let inside = format!("http://127.0.0.1:{port}.evil.example");
    let login = format!("http://evil.example@127.0.0.1:{port}");
    for wrong in [
        ("host", "evil.example"),
        ("host", &rebound),
        ("host", "127.0.0.1:1"),
        ("host", "127.0.0.1"),
        ("host", ""),
        ("host", &mapped),
        ("host", &dotted),
        ("origin", "http://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "http://127.0.0.1"),
        ("origin", &inside),
        ("origin", &login),
        ("origin", &format!("ftp://127.0.0.1:{port}")),
        ("origin", "null"),
        ("origin", ""),
    ] {
        ask(&[wrong]).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    }
    // One name, and the same one wherever it stands.
    let here = format!("127.0.0.1:{port}");
    ask(&[("host", &here), ("host", "evil.example")]).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    ask(&[("origin", &own), ("origin", "null")]).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    let target = "http://evil.example/v1/status";
    let other = server.say("GET", target, &[("host", &here)], "").unwrap();
    other.refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
}

#[test]
fn secrets_are_nowhere_on_disk() {
    let project = Project::new();
    let (text, _) = token(&project, &["--name", "rita", "--role", "viewer"]);
    let secret = text.splitn(3, '_').nth(2).unwrap().as_bytes();
    for (path, bytes) in crate::project::files(&project.path(".gonogo")) {
        let found = bytes.windows(secret.len()).any(|w| w == secret);
        assert!(!found, "{}", path.display());
    }
    let file = project.path("token");
    let out = file.to_str().unwrap();
    project.data(&[
        "token", "create", "--name", "a", "--role", "viewer", "--out", out,
    ]);
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn development_is_for_loopback_alone() {
    let project = Project::new();
    let ran = project.run(&["serve", "--dev", "--listen", "0.0.0.0:0", "--json"]);
    ran.refusal(64, &["ARGUMENT_INVALID"]);
}
