//! People with passwords, tokens of an issuer, and how often anybody may ask.

use std::process::Stdio;
use std::time::Duration;

use gonogo_core::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::issuer::{Key, Published, set};
use crate::project::{CONFIG, Project, files, finish, wait};
use crate::screen::Ran;

const PASSWORD: &str = "rain under seven bridges";

/// Makes a user whose password comes in a file.
fn user(project: &Project, name: &str, role: &str) {
    let file = secret(project, PASSWORD);
    let args = [
        "user",
        "add",
        name,
        "--role",
        role,
        "--password-file",
        &file,
    ];
    project.data(&args);
}

/// A file with a secret, beside the state directory.
fn secret(project: &Project, text: &str) -> String {
    let path = project.path("password");
    std::fs::write(&path, format!("{text}\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn log_in(server: &Server<'_>, user: &str, password: &str) -> Answer {
    server.post("/v1/sessions", &json!({"user": user, "password": password}))
}

/// The cookie and the CSRF token of a session.
fn session(server: &Server<'_>, user: &str) -> (String, String) {
    let answer = log_in(server, user, PASSWORD);
    assert_eq!(answer.status, 201, "{answer:#?}");
    let cookie = answer.header("set-cookie").unwrap();
    let csrf = answer.data()["csrfToken"].as_str().unwrap();
    (
        cookie.split(';').next().unwrap().to_owned(),
        csrf.to_owned(),
    )
}

fn ask(server: &Server<'_>, headers: &[(&str, &str)]) -> Answer {
    server.say("GET", "/v1/whoami", headers, "").unwrap()
}

#[test]
fn a_person_logs_in_with_a_password_and_out_again() {
    let project = Project::new();
    user(&project, "ada", "operator");
    let server = Server::start(&project, &[]);
    let answer = log_in(&server, "ada", PASSWORD);
    assert_eq!(answer.status, 201, "{answer:#?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let set = answer.header("set-cookie").unwrap();
    for part in [
        "__Host-gonogo=",
        "; Path=/",
        "; Secure",
        "; HttpOnly",
        "; SameSite=Strict",
    ] {
        assert!(set.contains(part), "{set}");
    }
    assert!(!set.contains("Domain"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let csrf = answer.data()["csrfToken"].as_str().unwrap();
    assert!(!set.contains(csrf));

    let who = ask(&server, &[("cookie", cookie)]);
    let who = who.data();
    assert_eq!(
        (&who["name"], &who["by"]),
        (&json!("ada"), &json!("session"))
    );
    assert_eq!(
        (&who["kind"], &who["roles"]),
        (&json!("person"), &json!(["operator"]))
    );
    assert!(who["until"].is_string());
    // Other cookies beside it are others' affair; two of it are none.
    let beside = format!("a=b; {cookie}; c=d");
    assert_eq!(ask(&server, &[("cookie", &beside)]).status, 200);
    let twice = format!("{cookie}; {cookie}");
    ask(&server, &[("cookie", &twice)]).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");

    // What changes something needs the token that only a page of this server can know.
    let plan = |more: &[(&str, &str)]| {
        let headers = [
            &[("cookie", cookie), ("content-type", "application/json")],
            more,
        ]
        .concat();
        let body = r#"{"version":"1.0.0"}"#;
        server.say("POST", "/v1/plans", &headers, body).unwrap()
    };
    plan(&[]).refuses(403, "UNAUTHORIZED", "CSRF_MISSING");
    plan(&[("x-csrf-token", "AAAA")]).refuses(403, "UNAUTHORIZED", "CSRF_MISSING");
    let site = [("x-csrf-token", csrf), ("sec-fetch-site", "cross-site")];
    plan(&site).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    let origin = [("x-csrf-token", csrf), ("origin", "http://evil.example")];
    plan(&origin).refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
    let made = plan(&[("x-csrf-token", csrf), ("sec-fetch-site", "same-origin")]);
    assert_eq!(made.status, 201, "{made:#?}");
    assert_eq!(made.data()["planResult"]["requester"], "ada");

    // A page that was loaded again finds the token again.
    let current = server.say("GET", "/v1/sessions/current", &[("cookie", cookie)], "");
    assert_eq!(current.unwrap().data()["csrfToken"], csrf);

    let end = |headers: &[(&str, &str)]| server.say("DELETE", "/v1/sessions/current", headers, "");
    end(&[("cookie", cookie)])
        .unwrap()
        .refuses(403, "UNAUTHORIZED", "CSRF_MISSING");
    let ended = end(&[("cookie", cookie), ("x-csrf-token", csrf)]).unwrap();
    assert_eq!(ended.status, 200, "{ended:#?}");
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
    ask(&server, &[("cookie", cookie)]).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let kinds = ["user-added", "session-begun", "session-ended"];
    for kind in kinds {
        assert_eq!(project.records(kind).len(), 1, "{kind}");
    }
}

#[test]
fn people_decide_in_their_sessions_as_their_roles_say() {
    let project = Project::new();
    user(&project, "ada", "operator");
    user(&project, "rita", "approver");
    user(&project, "vera", "admin");
    let server = Server::start(&project, &[]);
    let post = |(cookie, csrf): &(String, String), path: &str, body: &Value| {
        let headers = [
            ("cookie", cookie.as_str()),
            ("x-csrf-token", csrf.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = server.say("POST", path, &headers, &body.to_string());
        answer.unwrap()
    };
    let (ada, rita) = (session(&server, "ada"), session(&server, "rita"));
    let version = json!({"version": "1.0.0"});
    post(&rita, "/v1/plans", &version).refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    let vera = session(&server, "vera");
    let made = post(&vera, "/v1/plans", &version);
    let plan = &made.data()["planResult"];
    let path = format!("/v1/plans/{}/approvals", plan["id"].as_str().unwrap());
    let no = json!({"planFingerprint": plan["fingerprint"], "decision": "rejected"});
    post(&ada, &path, &no).refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    // The one's token is nothing beside the other's cookie.
    let mixed = (rita.0.clone(), ada.1.clone());
    post(&mixed, &path, &no).refuses(403, "UNAUTHORIZED", "CSRF_MISSING");
    // What the environment's rule says of who may decide counts as everywhere: here it is whoever asked.
    assert_eq!(post(&rita, &path, &no).status, 403);
    let decided = post(&vera, &path, &no);
    assert_eq!(decided.status, 201, "{decided:#?}");
    // A bearer token counts before a cookie, and is nobody if it is not good.
    let (cookie, csrf) = &rita;
    let both = [
        ("cookie", cookie.as_str()),
        ("x-csrf-token", csrf.as_str()),
        ("authorization", "Bearer gng_x"),
    ];
    ask(&server, &both).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
}

#[test]
fn whoever_is_wrong_learns_nothing() {
    let project = Project::new();
    user(&project, "ada", "viewer");
    let server = Server::start(&project, &[]);
    let known = log_in(&server, "ada", "rain under seven bridge");
    let unknown = log_in(&server, "nobody", PASSWORD);
    for answer in [&known, &unknown] {
        answer.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let error = |answer: &Answer| {
        let mut error = answer.body["error"].clone();
        error["traceId"] = Value::Null;
        error
    };
    assert_eq!(error(&known), error(&unknown));
    // Bodies that are wrong are not quoted.
    let json = ("content-type", "application/json");
    for body in [
        format!(r#"{{"user":"ada","password":"{PASSWORD}","more":1}}"#),
        format!(r#"{{"user":"ada","password":["{PASSWORD}"]}}"#),
        format!(r#"{{"user":"ada","password":"{PASSWORD}","password":"x"}}"#),
        format!(r#"{{"user":"ada","password":"{PASSWORD}""#),
        format!(r#"{{"user":7,"password":"{PASSWORD}"}}"#),
        format!(r#"{{"user":"{}","password":"x"}}"#, "a".repeat(65)),
        format!(r#"{{"user":"ada","password":"{}"}}"#, "a".repeat(1025)),
        format!(r#""{PASSWORD}""#),
    ] {
        let answer = server.say("POST", "/v1/sessions", &[json], &body).unwrap();
        answer.refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
        assert!(!answer.body.to_string().contains(PASSWORD), "{answer:#?}");
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = server.say("POST", "/v1/sessions", &form, "user=ada&password=x");
    answer
        .unwrap()
        .refuses(415, "INPUT_VALIDATION_FAILED", "MEDIA_TYPE_REFUSED");
    let page = [json, ("origin", "http://evil.example")];
    let body = format!(r#"{{"user":"ada","password":"{PASSWORD}"}}"#);
    let answer = server.say("POST", "/v1/sessions", &page, &body).unwrap();
    answer.refuses(403, "UNAUTHORIZED", "HOST_REFUSED");
}

#[test]
fn sessions_end_with_the_password_and_with_the_user() {
    let project = Project::new();
    user(&project, "ada", "viewer");
    let server = Server::start(&project, &[]);
    let ended = |cookie: &str| {
        ask(&server, &[("cookie", cookie)]).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    };
    let (first, _) = session(&server, "ada");
    assert_eq!(ask(&server, &[("cookie", &first)]).status, 200);
    let file = secret(&project, "another rain, other bridges");
    let changed = project.data(&["user", "passwd", "ada", "--password-file", &file]);
    assert_eq!(changed["sessionsEnded"], 1);
    ended(&first);
    log_in(&server, "ada", PASSWORD).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let back = secret(&project, PASSWORD);
    project.data(&["user", "passwd", "ada", "--password-file", &back]);

    let (second, _) = session(&server, "ada");
    project.data(&["user", "disable", "ada", "--why", "has left"]);
    ended(&second);
    log_in(&server, "ada", PASSWORD).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    assert!(project.data(&["user", "list"])["users"][0]["disabled"].is_string());
    project.data(&["user", "enable", "ada", "--why", "is back"]);

    let (third, _) = session(&server, "ada");
    project
        .run(&["user", "remove", "ada", "--why", "gone", "--json"])
        .refusal(64, &["ARGUMENT_INVALID"]);
    project.data(&["user", "remove", "ada", "--why", "gone", "--yes"]);
    ended(&third);
    log_in(&server, "ada", PASSWORD).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    let gone = ["user", "disable", "ada", "--why", "again", "--json"];
    project.run(&gone).refusal(66, &["INPUT_NOT_FOUND"]);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let config = format!("{CONFIG}\n[server]\nsession_lives = \"1s\"\n");
    let project = Project::with(&config);
    user(&project, "ada", "viewer");
    let server = Server::start(&project, &[]);
    let (cookie, _) = session(&server, "ada");
    assert_eq!(ask(&server, &[("cookie", &cookie)]).status, 200);
    // Used all the time, it ends all the same.
    wait("the session's end", Duration::from_secs(10), || {
        (ask(&server, &[("cookie", &cookie)]).status == 401).then_some(())
    });
}

#[test]
fn users_have_good_passwords_that_are_no_arguments() {
    let project = Project::new();
    let file = |text: &str| secret(&project, text);
    for (name, role, password) in [
        ("ada", "viewer", "short"),
        ("ada", "viewer", ""),
        ("ada", "king", PASSWORD),
        ("a b", "viewer", PASSWORD),
    ] {
        let file = file(password);
        let args = [
            "user",
            "add",
            name,
            "--role",
            role,
            "--password-file",
            &file,
            "--json",
        ];
        let ran = project.run(&args);
        assert_eq!(ran.status, 64, "{}", ran.out);
    }
    // Nobody is there to type one, and there is no flag for one.
    let ran = project.run(&["user", "add", "ada", "--role", "viewer", "--json"]);
    ran.refusal(64, &["ARGUMENT_INVALID"]);
    let ran = project.run(&[
        "user",
        "add",
        "ada",
        "--role",
        "viewer",
        "--password",
        PASSWORD,
    ]);
    assert_eq!(ran.status, 64);
    // From standard input.
    let input = std::fs::File::open(file(PASSWORD)).unwrap();
    let args = [
        "user",
        "add",
        "ada",
        "--role",
        "viewer",
        "--password-file",
        "-",
        "--json",
    ];
    let mut command = project.command(&args);
    command.stdin(Stdio::from(input));
    finish(command, &args).expect(0);
    let again = [
        "user",
        "add",
        "ada",
        "--role",
        "admin",
        "--password-file",
        &file(PASSWORD),
        "--json",
    ];
    project.run(&again).refusal(64, &["ARGUMENT_INVALID"]);
    let users = project.data(&["user", "list"]);
    assert_eq!(users["users"][0]["roles"], json!(["viewer"]));
    // Who made somebody is not who was made, whatever is called a name on the command line.
    assert_eq!(users["users"][0]["issuer"], "you");
    assert_eq!(project.records("user-added")[0]["actor"], "you");
    let path = file(PASSWORD);
    let other = [
        "--as",
        "vera",
        "user",
        "add",
        "bert",
        "--role",
        "viewer",
        "--password-file",
        &path,
    ];
    assert_eq!(project.data(&other)["user"]["issuer"], "vera");
    let token = [
        "token", "create", "--as", "vera", "--name", "bert", "--role", "viewer",
    ];
    assert_eq!(project.data(&token)["issuer"], "vera");
    assert!(!users.to_string().contains("argon2"));
}

#[test]
fn who_tries_passwords_is_told_to_wait() {
    let config = format!("{CONFIG}\n[server]\nlogins_burst = 3\nlogins_each_minute = 1\n");
    let project = Project::with(&config);
    user(&project, "ada", "viewer");
    let server = Server::start(&project, &[]);
    for _ in 0..5 {
        session(&server, "ada");
    }
    for name in ["ada", "nobody"] {
        for _ in 0..3 {
            log_in(&server, name, "wrong").refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
        }
        // Also with the right password: whoever tries learns nothing by it.
        let answer = log_in(&server, name, PASSWORD);
        answer.refuses(429, "RATE_LIMIT", "RATE_LIMITED");
        assert_eq!(answer.body["error"]["retriableReason"], "rate_limit");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((30..=60).contains(&seconds), "{seconds}");
    }
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let config = format!(
        "{CONFIG}\n[server]\nrequests_burst = 5\nrequests_each_minute = 1\nfailures_burst = 4\nfailures_each_minute = 1\n"
    );
    let project = Project::with(&config);
    let server = Server::start(&project, &[]);
    let token = |name: &str| {
        let made = project.data(&["token", "create", "--name", name, "--role", "viewer"]);
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let (ada, rita) = (token("ada"), token("rita"));
    let limited = |answer: Answer| {
        answer.refuses(429, "RATE_LIMIT", "RATE_LIMITED");
        assert_eq!(answer.body["error"]["retriableReason"], "rate_limit");
        assert_eq!(answer.body["error"]["category"], "unknown");
        assert_eq!(answer.header("retry-after"), Some("60"));
    };
    for _ in 0..5 {
        assert_eq!(ask(&server, &[("authorization", &ada)]).status, 200);
    }
    limited(ask(&server, &[("authorization", &ada)]));
    assert_eq!(
        ask(&server, &[("authorization", &rita)]).status,
        200,
        "others are others"
    );
    for _ in 0..4 {
        ask(&server, &[]).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    }
    limited(ask(&server, &[]));
    limited(ask(&server, &[("authorization", "Bearer gng_guess_guess")]));
    assert_eq!(
        ask(&server, &[("authorization", &rita)]).status,
        200,
        "known here"
    );
    assert_eq!(server.get("/livez").status, 200);
}

fn seconds() -> i64 {
    SystemClock::default().now().wall.as_millis() / 1000
}

fn claims(more: &[(&str, Value)]) -> Value {
    let now = seconds();
    let mut claims = json!({
        "iss": "https://id.example", "aud": "gonogo", "sub": "ada", "exp": now + 300, "nbf": now - 1, "iat": now - 1,
        "roles": ["release-managers"],
    });
    for (name, value) in more {
        claims[*name] = value.clone();
    }
    claims
}

fn issued_by(jwks: &str) -> String {
    format!(
        "{CONFIG}\n[oidc]\nissuer = \"https://id.example\"\naudience = \"gonogo\"\njwks = \"{jwks}\"\nroles = {{ release-managers = \"approver\", engineers = \"operator\" }}\n"
    )
}

fn with_token(server: &Server<'_>, token: &str) -> Answer {
    ask(server, &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn tokens_of_the_issuer_are_worth_what_their_claims_say() {
    let project = Project::with(&issued_by("keys.json"));
    let (p256, other) = (Key::p256("one"), Key::ed25519("two"));
    std::fs::write(project.path("keys.json"), set(&[&p256, &other])).unwrap();
    let server = Server::start(&project, &["--allow-apply"]);
    let good = p256.token(&claims(&[]));
    let answer = with_token(&server, &good);
    let who = answer.data();
    assert_eq!((&who["name"], &who["by"]), (&json!("ada"), &json!("oidc")));
    assert_eq!(
        (&who["roles"], &who["mayDecide"]),
        (&json!(["approver"]), &json!(true))
    );
    assert_eq!(with_token(&server, &other.token(&claims(&[]))).status, 200);

    let audience = with_token(&server, &p256.token(&claims(&[("aud", json!("another"))])));
    audience.refuses(401, "UNAUTHORIZED", "TOKEN_AUDIENCE");
    assert!(
        audience
            .header("www-authenticate")
            .unwrap()
            .contains("invalid_token")
    );
    let past = seconds() - 60;
    let stranger = Key::p256("one");
    let (text, _) = good.rsplit_once('.').unwrap();
    for bad in [
        p256.token(&claims(&[("exp", json!(past))])),
        p256.token(&claims(&[("nbf", json!(past + 600))])),
        p256.token(&claims(&[("iss", json!("https://evil.example"))])),
        stranger.token(&claims(&[])),
        format!("{text}."),
        format!("eyJhbGciOiJub25lIn0.{}.", text.split('.').nth(1).unwrap()),
    ] {
        with_token(&server, &bad).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    }

    // An agent plans in its own name for the person, and does not approve, whatever the issuer says of the person.
    let act = ("act", json!({"sub": "bot"}));
    let roles = ("roles", json!(["release-managers", "engineers"]));
    let agent = p256.token(&claims(&[act, roles.clone()]));
    let made = server.post_as(Some(&agent), "/v1/plans", &json!({"version": "1.0.0"}));
    assert_eq!(made.status, 201, "{made:#?}");
    let plan = &made.data()["planResult"];
    assert_eq!(
        (&plan["requester"], &plan["on_behalf_of"]),
        (&json!("bot"), &json!("ada"))
    );
    let yes = json!({"planFingerprint": plan["fingerprint"], "decision": "approved"});
    let path = format!("/v1/plans/{}/approvals", plan["id"].as_str().unwrap());
    let refused = server.post_as(Some(&agent), &path, &yes);
    refused.refuses(403, "UNAUTHORIZED", "SCOPE_MISSING");
    assert_eq!(with_token(&server, &agent).data()["mayDecide"], false);
    // Nobody has an agent's and a person's name, whatever the issuer says.
    project.data(&["token", "create", "--name", "vera", "--role", "viewer"]);
    let bot = ["token", "create", "--name", "kit", "--agent-for", "vera"];
    project.data(&[&bot[..], &["--role", "viewer"]].concat());
    for mixed in [
        claims(&[("act", json!({"sub": "Vera"})), roles.clone()]),
        claims(&[("sub", json!("kit")), roles.clone()]),
        claims(&[("act", json!({"sub": "ADA"})), roles.clone()]),
    ] {
        let refused = with_token(&server, &p256.token(&mixed));
        refused.refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
    }
    // The people's own tokens are as good as before.
    let own = project.data(&["token", "create", "--name", "vera", "--role", "viewer"]);
    assert_eq!(
        with_token(&server, own["token"].as_str().unwrap()).data()["by"],
        "token"
    );
}

#[test]
fn keys_change_and_the_issuer_may_be_away_for_a_while() {
    let (old, new) = (Key::ed25519("old"), Key::p256("new"));
    let issuer = Published::new(set(&[&old]));
    let project = Project::with(&issued_by(&format!("http://{}/keys", issuer.address)));
    let server = Server::start(&project, &[]);
    let (first, second) = (old.token(&claims(&[])), new.token(&claims(&[])));
    assert_eq!(with_token(&server, &first).status, 200);
    assert_eq!(issuer.asked(), 1, "when the server began");
    // A new key is looked for when its first token comes.
    issuer.publish(Some(set(&[&old, &new])));
    assert_eq!(with_token(&server, &second).status, 200);
    assert_eq!(issuer.asked(), 2);
    assert_eq!(with_token(&server, &first).status, 200);
    // The issuer is away: what is known goes on.
    issuer.publish(None);
    let unknown = Key::p256("unknown").token(&claims(&[]));
    for _ in 0..10 {
        with_token(&server, &unknown).refuses(401, "UNAUTHORIZED", "UNAUTHENTICATED");
        assert_eq!(with_token(&server, &second).status, 200);
    }
    assert!(
        issuer.asked() <= 6,
        "{} readings for made-up names",
        issuer.asked()
    );
}

#[test]
fn without_keys_no_token_of_the_issuer_is_good() {
    let issuer = Published::new("no keys".into());
    let project = Project::with(&issued_by(&format!("http://{}/keys", issuer.address)));
    let server = Server::start(&project, &[]);
    let key = Key::p256("k");
    let token = key.token(&claims(&[]));
    let answer = with_token(&server, &token);
    answer.refuses(503, "DEPENDENCY_UNAVAILABLE", "ISSUER_KEYS_STALE");
    assert_eq!(
        answer.body["error"]["retriableReason"],
        "dependency_unavailable"
    );
    // Others are let in meanwhile.
    let own = project.data(&["token", "create", "--name", "vera", "--role", "viewer"]);
    assert_eq!(
        with_token(&server, own["token"].as_str().unwrap()).status,
        200
    );
    issuer.publish(Some(set(&[&key])));
    assert_eq!(with_token(&server, &token).status, 200);
}

#[test]
fn whoami_says_who_asks_on_both_ways() {
    let project = Project::new();
    let who = project.data(&["whoami"]);
    assert_eq!((&who["name"], &who["by"]), (&json!("you"), &json!("local")));
    assert_eq!(who["roles"], json!(["admin"]));
    let args = ["--name", "bot", "--agent-for", "rita", "--role", "operator"];
    let made = project.data(&[&["token", "create"], &args[..]].concat());
    let server = Server::start(&project, &[]);
    let mut command = project.command(&["whoami", "--json"]);
    command.env("GONOGO_SERVER", format!("http://127.0.0.1:{}", server.port));
    command.env("GONOGO_TOKEN", made["token"].as_str().unwrap());
    let ran = finish(command, &["whoami"]);
    let who = &ran.expect(0).envelope()["data"];
    assert_eq!(
        (&who["kind"], &who["actsFor"]),
        (&json!("agent"), &json!("rita"))
    );
    assert_eq!((&who["id"], &who["until"]), (&made["id"], &made["expires"]));
    assert_eq!(who["mayDecide"], false);
}

#[test]
fn development_is_shown() {
    let project = Project::new();
    let mut server = Server::start(&project, &["--dev"]);
    assert_eq!(server.get("/readyz").body["mode"], "localhost-dev");
    let running = server.running.take().unwrap();
    running.signal(rustix::process::Signal::TERM);
    let ran = running.join();
    assert!(ran.err.contains("localhost-dev"), "{}", ran.err);
    let server = Server::start(&project, &[]);
    assert_eq!(server.get("/readyz").body["mode"], "authenticated");
}

#[test]
fn no_secret_is_told_or_kept() {
    let key = Key::p256("k");
    let project = Project::with(&issued_by("keys.json"));
    std::fs::write(project.path("keys.json"), set(&[&key])).unwrap();
    user(&project, "ada", "operator");
    let mut server = Server::start(&project, &["--allow-apply"]);
    let (cookie, csrf) = session(&server, "ada");
    let made = project.run(&[
        "token",
        "create",
        "--name",
        "rita",
        "--role",
        "operator",
        "--out",
        "rita.token",
    ]);
    let token = std::fs::read_to_string(project.path("rita.token"))
        .unwrap()
        .trim()
        .to_owned();
    let jwt = key.token(&claims(&[("roles", json!(["engineers"]))]));
    let wrong = "wind over seven bridges";
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();
    let mut answered = |what: &str, answer: Answer| {
        let headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(n, _)| n != "set-cookie")
            .collect();
        said.push((
            what.to_owned(),
            format!("{headers:?} {}", answer.body).into_bytes(),
        ));
    };
    let bearer = |text: &str| format!("Bearer {text}");
    let plan = json!({"version": "1.0.0"});
    for text in [&token, &jwt] {
        answered("whoami", with_token(&server, text));
        answered("plan", server.post_as(Some(text), "/v1/plans", &plan));
        // Damaged ones, whose texts should not come back either.
        answered("damaged", with_token(&server, &format!("{text}A")));
        answered(
            "basic",
            ask(&server, &[("authorization", &format!("Basic {text}"))]),
        );
        answered(
            "path",
            server
                .say(
                    "GET",
                    "/v1/plans/x",
                    &[("authorization", &bearer(text))],
                    "",
                )
                .unwrap(),
        );
    }
    let session = [
        ("cookie", cookie.as_str()),
        ("content-type", "application/json"),
    ];
    answered("whoami", ask(&server, &session));
    answered(
        "csrf",
        server
            .say("POST", "/v1/plans", &session, &plan.to_string())
            .unwrap(),
    );
    let right = [&session[..], &[("x-csrf-token", csrf.as_str())]].concat();
    answered(
        "plan",
        server
            .say("POST", "/v1/plans", &right, &plan.to_string())
            .unwrap(),
    );
    answered("wrong", log_in(&server, "ada", wrong));
    answered("nobody", log_in(&server, "nobody", wrong));
    answered(
        "end",
        server
            .say("DELETE", "/v1/sessions/current", &right, "")
            .unwrap(),
    );
    let shown = |what: &str, ran: Ran| {
        [
            (format!("{what}, stdout"), ran.out.into_bytes()),
            (format!("{what}, stderr"), ran.err.into_bytes()),
        ]
    };
    said.extend(shown("token create", made));
    for args in [
        &["token", "list"][..],
        &["user", "list"],
        &["evidence", "list", "--limit", "1000"],
    ] {
        said.extend(shown(args[0], project.run(&[args, &["--json"]].concat())));
    }
    let running = server.running.take().unwrap();
    running.signal(rustix::process::Signal::TERM);
    said.extend(shown("serve", running.join()));
    for (path, bytes) in files(&project.path(".gonogo")) {
        said.push((path.display().to_string(), bytes));
    }
    // Secrets may have the mark that stands before them in themselves.
    let after = |text: &str, n: usize, at: char| text.splitn(n, at).last().unwrap().to_owned();
    let value = after(&cookie, 2, '=');
    let secrets = [
        ("password", PASSWORD.to_owned()),
        ("wrong password", wrong.to_owned()),
        ("token", after(&token, 3, '_')),
        ("cookie", after(&value, 2, '_')),
        ("csrf token", csrf.clone()),
        ("signature", after(&jwt, 3, '.')),
    ];
    for (place, bytes) in &said {
        for (what, secret) in &secrets {
            let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
            assert!(!found, "the {what} stands in {place}");
        }
    }
    assert!(said.len() > 30, "{}", said.len());
}
