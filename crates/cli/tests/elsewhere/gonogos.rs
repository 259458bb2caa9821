//! One gonogo that sends to another: the plan, its requester's signature and the approvals travel, and every check is made again.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::project::{CONFIG, Project, finish, wait};
use crate::screen::Ran;

/// Two projects with one configuration: the first carries out what the second sends.
struct Two {
    here: Project,
    there: Project,
}

impl Two {
    fn new(config: &str) -> Self {
        let there = Project::with(config);
        let here = Project::new();
        std::fs::write(here.path("gonogo.toml"), there.text("gonogo.toml")).unwrap();
        Self { here, there }
    }

    fn token(&self, role: &str) -> String {
        let made = self
            .there
            .data(&["token", "create", "--name", "flow", "--role", role]);
        made["token"].as_str().unwrap().to_owned()
    }

    /// A command of the one that sends.
    fn command(&self, port: u16, token: &str, args: &[&str]) -> Command {
        let mut command = self.here.command(args);
        let base = format!("http://127.0.0.1:{port}");
        command
            .env("GONOGO_APPLY_BY", "workflow")
            .env("GONOGO_WORKFLOW_NAME", "release")
            .env("GONOGO_WORKFLOW_TASK_QUEUE", "releases")
            .env("GONOGO_WORKFLOW_STATUS_BASE_URL", &base)
            .env(
                "GONOGO_WORKFLOW_DISPATCH_URL",
                format!("{base}/operations/dispatch"),
            )
            .env("GONOGO_WORKFLOW_TOKEN_ENV", "TOKEN_OF_A_TEST")
            .env("TOKEN_OF_A_TEST", token);
        command
    }

    fn run(&self, port: u16, token: &str, args: &[&str]) -> Ran {
        finish(self.command(port, token, args), args)
    }
}

#[test]
fn a_release_goes_through_two_gonogos_and_back() {
    let two = Two::new(CONFIG);
    let token = two.token("operator");
    let server = Server::start(&two.there, &["--allow-apply"]);
    let run = |args: &[&str]| two.run(server.port, &token, args);
    let load = two.there.load(300.0);
    run(&["release", "--to", "1.0.0"]).expect(0);
    assert_eq!(two.there.serves(), ["1.0.0:10000"]);
    // It has one id at both ends, one requester, one fingerprint, and one trace.
    let theirs = two.there.data(&["ops", "list"])["operations"][0].clone();
    let ours = run(&["ops", "list", "--json"]).envelope()["data"]["operations"][0].clone();
    for key in [
        "operationId",
        "planFingerprint",
        "planId",
        "status",
        "result",
    ] {
        assert_eq!(ours[key], theirs[key], "{key}");
    }
    assert_eq!(ours["status"], "succeeded");
    // Nothing of it ran here.
    assert!(
        two.here.processes().is_empty(),
        "{:?}",
        two.here.processes()
    );
    // Nobody here sees the target: what is told is the other end's last word, and when it was said.
    let status = run(&["status", "--json"]);
    let seen = status.expect(0).envelope()["data"]["environments"][0].clone();
    assert!(seen["observed"].is_null(), "{seen:#}");
    let said = &seen["lastSaid"];
    assert_eq!(said["operation"], ours["operationId"], "{seen:#}");
    assert!(said["at"].is_string(), "{seen:#}");
    assert_eq!(
        (&said["slots"][0]["version"], &said["slots"][0]["weight"]),
        (&"1.0.0".into(), &10_000.into())
    );
    assert!(!said.to_string().contains("ready"), "{seen:#}");
    let told = run(&["status"]);
    assert!(told.expect(0).out.contains("last word"), "{}", told.out);
    // The next plan begins from what the other end shows, and the one after goes back.
    run(&["release", "--to", "2.0.0"]).expect(0);
    assert_eq!(two.there.serves(), ["2.0.0:10000"]);
    run(&["rollback", "--yes"]).expect(0);
    assert_eq!(two.there.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
    // Both ledgers hold it, and the packet of either end verifies.
    for project in [&two.here, &two.there] {
        let id = ours["operationId"].as_str().unwrap();
        let key = project.data(&["ops", "show", id])["logKey"].clone();
        let packet = project.path(&format!(".gonogo/packets/{id}.tar"));
        let args = [
            "verify",
            packet.to_str().unwrap(),
            "--log-key",
            key.as_str().unwrap(),
        ];
        project.run(&args).expect(0);
    }
}

#[test]
fn whoever_asked_here_is_known_there_as_one_who_asked() {
    let two = Two::new(CONFIG);
    let token = two.token("operator");
    let server = Server::start(&two.there, &["--allow-apply"]);
    let run = |args: &[&str]| two.run(server.port, &token, args);
    let made = run(&["plan", "--to", "1.0.0", "--json"]).envelope();
    let plan = made["data"]["plan"]["id"].as_str().unwrap().to_owned();
    // Somebody else asks for the same.
    let mut later = two.command(server.port, &token, &["plan", "--to", "1.0.0"]);
    later.env("GONOGO_ACTOR", "zoe");
    finish(later, &["plan"]).expect(0);
    run(&["approve", &plan]).expect(0);
    run(&["apply", &plan, "--detach"]).expect(75);
    let shown = two.there.data(&["approval", "show", &plan]);
    assert_eq!(
        shown["alsoAsked"],
        json!([{"requester": "zoe"}]),
        "{shown:#}"
    );
    let asked = two.there.records("plan-asked");
    assert_eq!(asked.len(), 1, "{asked:#?}");
    assert_ne!(asked[0]["body"]["there"]["key"], "");
}

#[test]
fn a_release_that_fails_there_fails_here_for_the_same_reasons() {
    let two = Two::new(CONFIG);
    let token = two.token("operator");
    let server = Server::start(&two.there, &["--allow-apply"]);
    let run = |args: &[&str]| two.run(server.port, &token, args);
    // Nobody sends traffic: it is cancelled from here, and undone there.
    let begun = run(&["release", "--to", "1.0.0", "--detach", "--json"]);
    begun.expect(75);
    let id = begun.envelope()["data"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    run(&["cancel", &id, "--yes", "--why", "of a test"]).expect(0);
    let theirs = two.there.data(&["ops", "show", &id]);
    assert_eq!(theirs["status"], "cancelled", "{theirs:#}");
    let ours = run(&["ops", "show", &id, "--json"]).envelope()["data"].clone();
    assert_eq!(ours["status"], "cancelled");
    assert_eq!(ours["elsewhere"]["cancel"]["telling"], "taken");
}

#[test]
fn a_token_that_may_not_apply_sends_in_vain() {
    let two = Two::new(CONFIG);
    let viewer = two.token("viewer");
    let server = Server::start(&two.there, &["--allow-apply"]);
    let plan = |token: &str| {
        let made = two
            .run(server.port, token, &["plan", "--to", "1.0.0", "--json"])
            .envelope();
        let id = made["data"]["plan"]["id"].as_str().unwrap().to_owned();
        two.run(server.port, token, &["approve", &id]).expect(0);
        id
    };
    let id = plan(&viewer);
    let error = two
        .run(server.port, &viewer, &["apply", &id, "--json"])
        .refusal(69, &["WORKFLOW_REFUSED", "SCOPE_MISSING"]);
    assert_eq!(error["retriable"], false);
    let id = plan("gng_000000000000_x");
    two.run(server.port, "gng_000000000000_x", &["apply", &id, "--json"])
        .refusal(69, &["WORKFLOW_DENIED", "UNAUTHENTICATED"]);
    assert_eq!(two.there.data(&["history"])["operations"], json!([]));
}

/// What a sender sends, as the other end would get it.
fn order(two: &Two, version: &str) -> Value {
    let flow = crate::service::Flow::start(|_| crate::service::Say::Json(400, json!({})));
    let made = two
        .run(flow.port, "t", &["plan", "--to", version, "--json"])
        .envelope();
    let plan = made["data"]["plan"]["id"].as_str().unwrap().to_owned();
    two.run(flow.port, "t", &["approve", &plan]).expect(0);
    two.run(flow.port, "t", &["apply", &plan]).expect(69);
    flow.dispatches().remove(0).body
}

#[test]
fn nothing_of_what_is_sent_is_believed() {
    let two = Two::new(CONFIG);
    let token = two.token("operator");
    let good = order(&two, "1.0.0");
    let server = Server::start(&two.there, &["--allow-apply"]);
    let send =
        |order: &Value| -> Answer { server.post_as(Some(&token), "/operations/dispatch", order) };
    let changed = |at: &str, to: Value| {
        let mut order = good.clone();
        *order.pointer_mut(at).unwrap() = to;
        order
    };
    let dropped = |key: &str| {
        let mut order = good.clone();
        order["input"].as_object_mut().unwrap().remove(key);
        order
    };
    let other = format!("v2:sha256:{}", "0".repeat(64));
    let signed = good["input"]["approvals"][0].clone();
    let forged = |at: &str, to: Value| {
        let mut signed = signed.clone();
        *signed.pointer_mut(at).unwrap() = to;
        changed("/input/approvals", json!([signed]))
    };
    for (what, order, status, code, reason) in [
        (
            "a plan that was edited",
            changed("/input/plan/body/to/version", json!("9.9.9")),
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            "a requester that was edited",
            changed("/input/plan/requester", json!("eve")),
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            // Not of the fingerprint, and all the more to be signed.
            "a person for whom an agent asked, taken in later",
            {
                let mut o = good.clone();
                o["input"]["plan"]["on_behalf_of"] = json!("zoe");
                o
            },
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            "another fingerprint",
            changed("/input/planFingerprint", json!(other)),
            409,
            "CONFLICT",
            "FINGERPRINT_MISMATCH",
        ),
        (
            "another environment beside the plan",
            changed("/input/environment", json!("dev")),
            409,
            "CONFLICT",
            "FINGERPRINT_MISMATCH",
        ),
        (
            "another version beside the plan",
            changed("/input/version", json!("9.9.9")),
            409,
            "CONFLICT",
            "FINGERPRINT_MISMATCH",
        ),
        (
            "what is to be planned",
            changed("/input/toolId", json!("plan_change")),
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            "no signature of the requester",
            dropped("planRecord"),
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            "no plan",
            dropped("plan"),
            404,
            "INPUT_VALIDATION_FAILED",
            "PLAN_NOT_FOUND",
        ),
        (
            "an approval with another signature",
            forged("/signatures/0/sig", json!("AAAA")),
            403,
            "APPROVAL_REQUIRED",
            "APPROVAL_INVALID",
        ),
        (
            "an approval of other words",
            forged("/payload", json!("e30=")),
            403,
            "APPROVAL_REQUIRED",
            "APPROVAL_INVALID",
        ),
        (
            "no approval",
            dropped("approvals"),
            403,
            "APPROVAL_REQUIRED",
            "APPROVAL_MISSING",
        ),
        (
            "an unknown field",
            {
                let mut o = good.clone();
                o["input"]["approved"] = json!(true);
                o
            },
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
        (
            "an id of another form",
            changed("/operationId", json!("7")),
            400,
            "INPUT_VALIDATION_FAILED",
            "INPUT_MALFORMED",
        ),
    ] {
        let answer = send(&order);
        assert_eq!(answer.status, status, "{what}: {answer:#?}");
        answer.refuses(status, code, reason);
    }
    assert_eq!(two.there.data(&["history"])["operations"], json!([]));
    // The true one is taken, once: the same again is the same, to the byte.
    let first = send(&good);
    assert_eq!(first.status, 202, "{first:#?}");
    let handle = first.body["handle"].clone();
    assert_eq!(handle["operationId"], good["operationId"]);
    assert_eq!(send(&good).body["handle"], handle);
    // The same id for another key is another request, and its approval is used up.
    send(&changed("/input/idempotencyKey", json!("another"))).refuses(
        403,
        "APPROVAL_REQUIRED",
        "APPROVAL_REUSED",
    );
    let id = handle["operationId"].as_str().unwrap();
    let bearer = format!("Bearer {token}");
    let status = wait("its status", Duration::from_secs(10), || {
        server.say(
            "GET",
            &format!("/operations/{id}"),
            &[("authorization", &bearer)],
            "",
        )
    });
    for key in ["status", "traceId", "toolId", "startedAt"] {
        assert!(status.data()[key].is_string(), "{key}: {status:#?}");
    }
    let cancel = server.post_as(
        Some(&token),
        &format!("/operations/{id}/cancel"),
        &json!({"why": "of a test"}),
    );
    assert_eq!(cancel.status, 202, "{cancel:#?}");
}

#[test]
fn a_plan_that_was_made_under_another_file_is_refused() {
    let two = Two::new(CONFIG);
    let order = order(&two, "1.0.0");
    let other = Project::with(&format!("{CONFIG}# another file\n"));
    let made = other.data(&["token", "create", "--name", "flow", "--role", "operator"]);
    let server = Server::start(&other, &["--allow-apply"]);
    let token = made["token"].as_str();
    let answer = server.post_as(token, "/operations/dispatch", &order);
    answer.refuses(409, "CONFLICT", "CONFIG_CHANGED");
    assert_eq!(other.data(&["history"])["operations"], json!([]));
    // Nothing of it was kept.
    assert_eq!(other.records("plan"), Vec::<Value>::new());
}

#[test]
fn what_was_sent_is_not_sent_on() {
    let two = Two::new(CONFIG);
    let token = two.token("operator");
    let order = order(&two, "1.0.0");
    let mut command = two.there.command(&[]);
    command.env("GONOGO_APPLY_BY", "workflow");
    let port = crate::project::free_port();
    command.args([
        "serve",
        "--allow-apply",
        "--listen",
        &format!("127.0.0.1:{port}"),
    ]);
    command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let running = crate::project::Running::of(command.spawn().unwrap());
    let server = Server {
        project: &two.there,
        port,
        running: Some(running),
    };
    wait("the server", Duration::from_secs(20), || {
        let answer = server.say("GET", "/livez", &[], "")?;
        (answer.status == 200).then_some(())
    });
    let answer = server.post_as(Some(&token), "/operations/dispatch", &order);
    answer.refuses(403, "APPROVAL_REQUIRED", "APPLY_DISABLED");
}
