//! Approvals by login, and that no agent decides, takes back, delegates, submits or breaks the glass, by whichever door.

use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::people::token;
use crate::project::{CONFIG, Project};
use crate::there::there;

/// A project where you ask and dana, erin and finn approve; `words` are in the policy, too.
pub(crate) fn project(required: u32, words: &str) -> Project {
    let project = Project::new();
    std::fs::create_dir_all(project.path("people")).unwrap();
    let key = |name: &str| {
        let file = format!("people/{name}.pem");
        let made = project.data(&["key", "new", "--out", &file]);
        made["key"].as_str().unwrap().to_owned()
    };
    let all = ["dana", "erin", "finn"].map(|name| {
        format!(
            "{{ id = \"{name}\", role = \"release-manager\", key = \"{}\" }}",
            key(name)
        )
    });
    let asks = ["you", "bot"].map(|name| {
        let key = key(name);
        let keys = project.path(".gonogo/keys");
        std::fs::create_dir_all(&keys).unwrap();
        let from = project.path(&format!("people/{name}.pem"));
        std::fs::copy(from, keys.join(format!("{name}.p256.pem"))).unwrap();
        format!("{{ id = \"{name}\", key = \"{key}\" }}")
    });
    let policy = format!(
        "approval = {{ required = {required}, approvers = [{}], requesters = [{}]{words} }}",
        all.join(", "),
        asks.join(", ")
    );
    let glass = "\n[break_glass.outage]\nwho = [\"finn\"]\nenvironments = [\"local\"]\npages = \"on-call\"\n\n[webhooks.on-call]\nurl = \"http://127.0.0.1:9/\"\nallow = [\"127.0.0.1\"]\nsecret_file = \"on-call.secret\"\n";
    project.configure(&(CONFIG.replace("approval = \"self\"", &policy) + glass));
    project
}

fn approver(project: &Project, name: &str) -> String {
    token(project, &["--name", name, "--role", "approver"]).0
}

#[track_caller]
fn say(server: &Server<'_>, who: &str, plan: &Value, more: Value) -> Answer {
    let mut body = json!({"planFingerprint": plan["fingerprint"], "decision": "approved"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let path = format!("/v1/plans/{}/approvals", plan["id"].as_str().unwrap());
    server.post_as(Some(who), &path, &body)
}

fn plan(project: &Project) -> Value {
    project.data(&["plan", "--to", "1.0.0"])["plan"].clone()
}

pub(crate) fn until() -> String {
    use gonogo_core::clock::{Clock, SystemClock};
    let now = SystemClock::default().now().wall;
    gonogo_core::Timestamp::from_millis(now.as_millis() + 3_600_000).to_string()
}

#[test]
fn a_login_decides_only_where_the_environment_takes_it() {
    let project = project(1, "");
    let plan = plan(&project);
    let dana = approver(&project, "dana");
    let server = Server::start(&project, &[]);
    say(&server, &dana, &plan, json!({})).refuses(
        403,
        "APPROVAL_REQUIRED",
        "APPROVAL_KEY_REQUIRED",
    );
    assert!(project.records("approval").is_empty());
    // Signed with her own key, it is brought in by anybody who may bring one.
    let id = plan["id"].as_str().unwrap();
    let sign = [
        "approve",
        id,
        "--as",
        "dana",
        "--key",
        "people/dana.pem",
        "--out",
        "dana.json",
    ];
    let given = project.data(&sign);
    assert_eq!(given["approval"]["approverId"], "dana");
    let file = project.path("dana.json");
    let env = [("GONOGO_TOKEN", dana.as_str())];
    there(
        &server,
        &env,
        &["approval", "submit", file.to_str().unwrap()],
    )
    .expect(0);
    assert_eq!(project.records("approval").len(), 1);
}

#[test]
fn logins_and_delegates_are_counted_by_the_person() {
    let project = project(2, ", login = true, delegation = \"8h\"");
    let plan = plan(&project);
    let [dana, erin, zoe, yan] = ["dana", "erin", "zoe", "yan"].map(|n| approver(&project, n));
    let server = Server::start(&project, &[]);
    let lend = |to: &str| json!({"to": to, "environments": ["local"], "until": until()});
    for to in ["zoe", "yan"] {
        assert_eq!(
            server
                .post_as(Some(&dana), "/v1/delegations", &lend(to))
                .status,
            201
        );
    }
    let given = say(&server, &dana, &plan, json!({}));
    assert_eq!(given.status, 201, "{given:#?}");
    let means = given.data()["approval"]["means"].as_str().unwrap();
    assert!(means.starts_with("token:tok_"), "{means}");
    // Two delegates of hers, and herself twice: one voice.
    for who in [&zoe, &yan] {
        assert_eq!(
            say(&server, who, &plan, json!({"onBehalfOf": "dana"})).status,
            201
        );
    }
    say(&server, &dana, &plan, json!({}));
    let id = plan["id"].as_str().unwrap();
    let show = |what: &str| {
        let bearer = format!("Bearer {dana}");
        let path = format!("/v1/plans/{id}/approval");
        let shown = server
            .say("GET", &path, &[("authorization", &bearer)], "")
            .unwrap();
        shown.data()[what].clone()
    };
    assert_eq!(
        (show("state"), show("login")),
        (json!("waiting"), json!(true))
    );
    assert_eq!(show("voices")["missing"], json!(["approval.quorum"]));
    // A delegate speaks for nobody who has not said so, and not for themselves.
    say(&server, &zoe, &plan, json!({"onBehalfOf": "erin"})).refuses(
        403,
        "APPROVAL_REQUIRED",
        "DELEGATION_INVALID",
    );
    say(&server, &zoe, &plan, json!({})).refuses(403, "APPROVAL_REQUIRED", "APPROVAL_INVALID");
    assert_eq!(say(&server, &erin, &plan, json!({})).status, 201);
    assert_eq!(show("state"), "approved");
}

#[test]
fn no_agent_decides_whatever_it_asks_and_however() {
    let project = project(1, ", login = true, delegation = \"8h\"");
    let (agent, _) = token(
        &project,
        &["--name", "bot", "--agent-for", "dana", "--role", "operator"],
    );
    let dana = approver(&project, "dana");
    let server = Server::start(&project, &["--allow-apply"]);
    let made = server.post_as(Some(&agent), "/v1/plans", &json!({"version": "1.0.0"}));
    assert_eq!(made.status, 201, "{made:#?}");
    let plan = made.data()["planResult"].clone();
    let id = plan["id"].as_str().unwrap();
    let print = plan["fingerprint"].clone();
    // It may ask.
    let asked = server.post_as(
        Some(&agent),
        &format!("/v1/plans/{id}/approval-requests"),
        &json!({"note": "a fix"}),
    );
    assert_eq!(
        (asked.status, &asked.data()["onBehalfOf"]),
        (201, &json!("dana")),
        "{asked:#?}"
    );
    let sign = [
        "approve",
        id,
        "--as",
        "erin",
        "--key",
        "people/erin.pem",
        "--out",
        "erin.json",
    ];
    let erins = project.data(&sign)["approval"]["approvalId"].clone();
    let file = project.path("erin.json");
    let signed: Value = serde_json::from_str(&project.text("erin.json")).unwrap();
    let before = project.records("approval").len();
    let calls = [
        (
            format!("/v1/plans/{id}/approvals"),
            json!({"planFingerprint": print, "decision": "approved"}),
        ),
        (
            format!("/v1/plans/{id}/approvals"),
            json!({"planFingerprint": print, "decision": "rejected", "onBehalfOf": "dana"}),
        ),
        (
            format!("/v1/plans/{id}/approvals/submit"),
            json!({"approval": signed}),
        ),
        (
            format!("/v1/approvals/{}/revoke", erins.as_str().unwrap()),
            json!({"why": "x"}),
        ),
        (
            format!("/v1/approvals/{}/revoke", erins.as_str().unwrap()),
            json!({"why": "x", "asAdmin": true}),
        ),
        (
            "/v1/delegations".into(),
            json!({"to": "erin", "environments": ["local"], "until": until()}),
        ),
        (
            "/v1/delegations/dlg_000000000000/withdraw".into(),
            json!({"why": "x"}),
        ),
        (
            format!("/v1/plans/{id}/break-glass"),
            json!({"planFingerprint": print, "policy": "outage", "reason": "x"}),
        ),
        (
            "/v1/incidents/inc_000000000000/close".into(),
            json!({"review": "x"}),
        ),
    ];
    for (path, body) in &calls {
        let answer = server.post_as(Some(&agent), path, body);
        assert_eq!(answer.status, 403, "{path}: {answer:#?}");
        assert_eq!(answer.envelope()["error"]["code"], "UNAUTHORIZED", "{path}");
    }
    let (erins, file, until) = (erins.as_str().unwrap(), file.to_str().unwrap(), until());
    let env = [("GONOGO_TOKEN", agent.as_str())];
    for args in [
        vec!["approve", id],
        vec!["approval", "approve", id],
        vec!["approval", "reject", id],
        vec!["approval", "submit", file],
        vec!["approval", "revoke", erins, "--why", "x"],
        vec!["approval", "revoke", erins, "--why", "x", "--as-admin"],
        vec![
            "approval",
            "delegate",
            "erin",
            "--environments",
            "local",
            "--until",
            &until,
        ],
        vec!["approval", "undelegate", "dlg_000000000000", "--why", "x"],
        vec!["break-glass", "--policy", "outage", "--reason", "x", id],
        vec!["incident", "close", "inc_000000000000", "--review", "x"],
    ] {
        there(&server, &env, &args).expect(77);
    }
    assert_eq!(project.records("approval").len(), before);
    for kind in [
        "approval-revocation",
        "delegation",
        "break-glass",
        "incident",
    ] {
        assert!(project.records(kind).is_empty(), "{kind}");
    }
    // The person for whom it asks is the requester, and nobody delegates to an agent.
    say(&server, &dana, &plan, json!({})).refuses(403, "APPROVAL_REQUIRED", "APPROVAL_SELF_GIVEN");
    let lend = json!({"to": "bot", "environments": ["local"], "until": until});
    server
        .post_as(Some(&dana), "/v1/delegations", &lend)
        .refuses(403, "UNAUTHORIZED", "AGENT_MAY_NOT_DECIDE");
}

#[test]
fn an_agent_that_asks_for_somebody_else_too_lets_nobody_approve_who_could_not_before() {
    let project = project(1, ", login = true");
    let agent = |person: &str| {
        let args = ["--name", "bot", "--agent-for", person, "--role", "operator"];
        token(&project, &args).0
    };
    let (first, second) = (agent("dana"), agent("rita"));
    let [dana, erin] = ["dana", "erin"].map(|n| approver(&project, n));
    let server = Server::start(&project, &["--allow-apply"]);
    let ask = |who: &str| {
        let made = server.post_as(
            Some(who),
            "/v1/plans",
            &json!({"version": "crash-at-start"}),
        );
        assert!(matches!(made.status, 200 | 201), "{made:#?}");
        made.data()["planResult"].clone()
    };
    let refused = |plan: &Value| {
        say(&server, &dana, plan, json!({})).refuses(
            403,
            "APPROVAL_REQUIRED",
            "APPROVAL_SELF_GIVEN",
        );
    };
    let plan = ask(&first);
    refused(&plan);
    assert_eq!(ask(&second), plan);
    refused(&plan);
    let id = plan["id"].as_str().unwrap();
    // The list and the plan's own page agree with what was just refused.
    let get = |path: &str| {
        let bearer = format!("Bearer {dana}");
        let shown = server.say("GET", path, &[("authorization", &bearer)], "");
        shown.unwrap().data().clone()
    };
    let shown = get(&format!("/v1/plans/{id}/approval"));
    let who: Vec<&Value> = shown["who"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["id"])
        .collect();
    assert_eq!(who, ["erin", "finn"]);
    assert_eq!(
        shown["alsoAsked"],
        json!([{"requester": "bot", "onBehalfOf": "rita"}])
    );
    let list = get("/v1/approvals");
    assert_eq!(list["plans"][0]["waitsFor"], json!(["erin", "finn"]));

    assert_eq!(say(&server, &erin, &plan, json!({})).status, 201);
    project.run(&["apply", id]).expect(2);
    let operation = project.data(&["history"])["operations"][0]["id"].take();
    let packet = format!(".gonogo/packets/{}.tar", operation.as_str().unwrap());
    let key = project.text(".gonogo/ledger/log.vkey");
    project
        .run(&["verify", &packet, "--log-key", key.trim()])
        .expect(0);
}
