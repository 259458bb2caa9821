//! A server that is killed between the record of what a keyed request did and the answer that is kept: the same request again does nothing,
//! and is answered as the first one was.

use std::time::Duration;

use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Answer, Server};
use crate::people::token;
use crate::project::{Project, wait};
use crate::releases::{approve, planned};

/// From now on answers are not kept, until the server is killed: what it leaves is what a kill at that moment leaves.
fn keep_no_answers(project: &Project) -> Connection {
    let db = Connection::open(project.path(".gonogo/answers.db")).unwrap();
    db.execute_batch(
        "CREATE TRIGGER cut BEFORE UPDATE OF answer ON request BEGIN SELECT RAISE(FAIL, 'cut off'); END;",
    )
    .unwrap();
    db
}

struct Asked {
    token: Option<String>,
    path: String,
    body: Value,
    /// Held against the resource's tag.
    tag: Option<String>,
    answer: Value,
    status: u16,
}

fn ask(server: &Server<'_>, asked: &Asked) -> Answer {
    let bearer = asked.token.as_ref().map(|t| format!("Bearer {t}"));
    let mut headers = vec![
        ("content-type", "application/json"),
        ("idempotency-key", "the-same"),
    ];
    headers.extend(bearer.iter().map(|b| ("authorization", b.as_str())));
    headers.extend(asked.tag.iter().map(|t| ("if-match", t.as_str())));
    let body = asked.body.to_string();
    server.say("POST", &asked.path, &headers, &body).unwrap()
}

/// Requests in their order, each with what it was answered.
#[derive(Default)]
struct All(Vec<Asked>);

impl All {
    /// Asks for the first time.
    #[track_caller]
    fn ask(&mut self, server: &Server<'_>, token: Option<&str>, path: &str, body: Value) -> Value {
        self.ask_if(server, token, path, body, None)
    }

    #[track_caller]
    fn ask_if(
        &mut self,
        server: &Server<'_>,
        token: Option<&str>,
        path: &str,
        body: Value,
        tag: Option<String>,
    ) -> Value {
        let mut asked = Asked {
            token: token.map(str::to_owned),
            path: path.into(),
            body,
            tag,
            answer: Value::Null,
            status: 0,
        };
        let answer = ask(server, &asked);
        assert!(matches!(answer.status, 200 | 201), "{path}: {answer:#?}");
        (asked.answer, asked.status) = (answer.data().clone(), answer.status);
        let data = asked.answer.clone();
        self.0.push(asked);
        data
    }

    /// Kills the server where it is, starts another, and asks all of it again.
    fn again(self, project: &Project, server: Server<'_>, cut: Connection, args: &[&str]) {
        let db: u32 = cut
            .query_row(
                "SELECT count(*) FROM request WHERE answer IS NULL",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(db as usize, self.0.len(), "requests whose answer is lost");
        let mut server = server;
        let running = server.running.take().unwrap();
        running.signal(Signal::KILL);
        drop(running.join());
        cut.execute_batch("DROP TRIGGER cut").unwrap();
        let before = project.data(&["evidence", "list", "--limit", "1000"]);
        let server = Server::start(project, args);
        for asked in &self.0 {
            // Another request under the key is refused, as long as it is not answered and from then on.
            let mut other = asked.body.clone();
            for field in ["why", "note", "reason", "review", "version"] {
                if other.get(field).is_some() {
                    other[field] = json!("another-one");
                }
            }
            if other != asked.body {
                let other = Asked {
                    body: other,
                    token: asked.token.clone(),
                    path: asked.path.clone(),
                    tag: None,
                    answer: Value::Null,
                    status: 0,
                };
                ask(&server, &other).refuses(409, "CONFLICT", "IDEMPOTENCY_CONFLICT");
            }
            for time in 1..=2 {
                let answer = ask(&server, asked);
                assert_eq!(answer.status, asked.status, "{}: {answer:#?}", asked.path);
                let said = (made(answer.data()), made(&asked.answer));
                assert_eq!(said.0, said.1, "{}, time {time}", asked.path);
            }
        }
        let behind = project.data(&["evidence", "list", "--limit", "1000"]);
        assert_eq!(before, behind, "nothing was recorded for what was done");
    }
}

/// An answer without what it tells of now.
fn made(answer: &Value) -> Value {
    let mut answer = answer.clone();
    for (of, field) in [
        ("", "missing"),
        ("/incident", "closed"),
        ("/incident", "paged"),
    ] {
        if let Some(fields) = answer.pointer_mut(of).and_then(Value::as_object_mut) {
            fields.remove(field);
        }
    }
    answer
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn what_people_said_is_said_once() {
    let words = ", login = true, delegation = \"8h\"";
    let project = crate::approvals::project(1, words);
    let of = |name: &str, role: &str| token(&project, &["--name", name, "--role", role]).0;
    let (you, dana) = (of("you", "operator"), of("dana", "approver"));
    let (finn, erin) = (of("finn", "admin"), of("erin", "approver"));
    let (you, dana, finn, erin) = (Some(&*you), Some(&*dana), Some(&*finn), Some(&*erin));
    let server = Server::start(&project, &["--allow-apply"]);
    // The file is made by the first request with a key.
    let first = json!({"why": "before"});
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "first"),
        ("authorization", &format!("Bearer {}", you.unwrap())),
    ];
    let freeze = server.say("POST", "/v1/freezes", &headers, &first.to_string());
    let freeze = freeze.unwrap().data()["freeze"].clone();
    let cut = keep_no_answers(&project);

    let mut all = All::default();
    let made = all.ask(&server, you, "/v1/plans", json!({"version": "1.0.0"}));
    let plan = &made["planResult"];
    let path = |what: &str| format!("/v1/plans/{}/{what}", text(&plan["id"]));
    let note = json!({"note": "the fix"});
    all.ask(&server, you, &path("approval-requests"), note);
    let until = crate::approvals::until();
    let lend = json!({"to": "zoe", "environments": ["local"], "until": until});
    let lent = all.ask(&server, dana, "/v1/delegations", lend);
    let fingerprint = &plan["fingerprint"];
    let glass = json!({"policy": "outage", "reason": "down", "planFingerprint": fingerprint});
    let broken = all.ask(&server, finn, &path("break-glass"), glass);
    let yes = json!({"planFingerprint": fingerprint, "decision": "approved"});
    let given = all.ask(&server, dana, &path("approvals"), yes);
    let given = &given["approval"];
    let revoke = format!("/v1/approvals/{}/revoke", text(&given["approvalId"]));
    all.ask(&server, dana, &revoke, json!({"why": "of another build"}));
    let withdraw = text(&lent["delegation"]["delegationId"]);
    let withdraw = format!("/v1/delegations/{withdraw}/withdraw");
    all.ask(&server, dana, &withdraw, json!({"why": "back"}));
    let close = text(&broken["incident"]["incident"]);
    let close = format!("/v1/incidents/{close}/close");
    all.ask(&server, erin, &close, json!({"review": "it was right"}));
    all.ask(&server, you, "/v1/freezes", json!({"why": "x"}));
    let end = format!("/v1/freezes/{}/end", text(&freeze));
    all.ask(&server, you, &end, json!({"why": "over"}));
    let tag = server.say("GET", "/v1/pins", &headers[2..], "").unwrap();
    let tag = tag.header("etag").map(str::to_owned);
    assert!(tag.is_some());
    let pin = json!({"to": "1.0.0", "why": "x"});
    // What the request changed itself is no reason to refuse it.
    all.ask_if(&server, you, "/v1/pins", pin, tag);
    all.ask(&server, you, "/v1/pins/local/remove", json!({"why": "y"}));
    all.again(&project, server, cut, &["--allow-apply"]);
    assert_eq!(project.records("freeze").len(), 2);
    assert_eq!(project.records("incident").len(), 2);
}

#[test]
fn what_a_version_is_called_and_a_posture_proves_is_kept_once() {
    let project = Project::serving();
    let args = ["--dev", "--allow-apply"];
    let server = Server::start(&project, &args);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "first"),
    ];
    let first = json!({"why": "x"}).to_string();
    let freeze = server.say("POST", "/v1/freezes", &headers, &first).unwrap();
    let end = format!("/v1/freezes/{}/end", text(&freeze.data()["freeze"]));
    assert_eq!(server.post(&end, &json!({"why": "x"})).status, 200);
    let cut = keep_no_answers(&project);
    let mut all = All::default();
    let good = json!({"version": "1.0.0", "why": "a year"});
    all.ask(&server, None, "/v1/environments/local/known-good", good);
    let posture = "/v1/environments/local/posture";
    all.ask(&server, None, posture, json!({"why": "errors"}));
    all.again(&project, server, cut, &args);
}

#[test]
fn what_others_do_meanwhile_is_left_alone_by_a_rollback_and_a_posture_that_were_cut_off() {
    let project = Project::serving();
    project.behave("2.0.0", "version = \"2.0.0\"\n");
    let load = project.load(300.0);
    project.run(&["release", "--to", "2.0.0"]).expect(0);
    load.stop();
    load.join();
    let args = ["--dev", "--allow-apply"];
    let mut server = Server::start(&project, &args);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "the-same"),
    ];
    let first = json!({"version": "1.0.0"}).to_string();
    server.say("POST", "/v1/plans", &headers, &first).unwrap();
    let posture = |server: &Server<'_>, more: Value| {
        let mut body = json!({"why": "errors"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let path = "/v1/environments/local/posture";
        server
            .say("POST", path, &headers[..1], &body.to_string())
            .unwrap()
    };
    let closed = posture(&server, json!({"to": "2.0.0"}));
    assert_eq!(closed.status, 200, "{closed:#?}");
    let cut = keep_no_answers(&project);
    let back = json!({"why": "errors rise"}).to_string();
    let ask = |server: &Server<'_>| {
        server
            .say("POST", "/v1/rollbacks", &headers, &back)
            .unwrap()
    };
    let asked = ask(&server);
    let plan = asked.data()["planId"].clone();
    assert!(plan.is_string(), "{asked:#?}");
    // Cut off between the freeze's end and the posture's own record: that one is about to be written for minutes.
    cut.execute_batch(
        "CREATE TRIGGER early BEFORE INSERT ON place WHEN NEW.key LIKE 'run/%' BEGIN
           SELECT count(*) FROM (WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000000) SELECT x FROM n);
         END;",
    )
    .unwrap();
    let reopen = json!({"why": "errors", "reopen": true}).to_string();
    let path = "/v1/environments/local/posture";
    let open = |server: &Server<'_>| server.say("POST", path, &headers, &reopen);
    let running = server.running.take().unwrap();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| open(&server));
        wait("the freeze's end", Duration::from_secs(30), || {
            (project.records("freeze-end").len() == 1).then_some(())
        });
        running.signal(Signal::KILL);
        assert!(asked.join().unwrap().is_none(), "nobody was answered");
    });
    drop(running.join());
    cut.execute_batch("DROP TRIGGER cut; DROP TRIGGER early")
        .unwrap();
    let server = Server::start(&project, &args);
    let opened = open(&server).unwrap();
    assert_eq!(opened.data()["reopened"], true, "{opened:#?}");
    assert_eq!(project.records("freeze").len(), 1);
    assert_eq!(project.records("posture-run").len(), 2);
    project.data(&["unpin", "--why", "mended"]);
    // Somebody releases something else meanwhile.
    project.behave("3.0.0", "version = \"3.0.0\"\n");
    let (other, fingerprint) = planned(&server, "3.0.0");
    approve(&server, &other, &fingerprint);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "other"});
    let begun = server.invoke("apply_change", apply);
    let operation = text(&begun.body["handle"]["operationId"]).to_owned();
    let again = ask(&server);
    assert_eq!(again.data()["planId"], plan, "{again:#?}");
    let known = server.get(&format!("/operations/{operation}"));
    assert_eq!(known.data()["status"], "running", "{known:#?}");
    let path = format!("/v1/operations/{operation}/cancel");
    server.post(&path, &json!({"why": "of a test"}));
    server.ended(&operation);
}

#[test]
fn what_was_taken_back_is_not_gone_back_from_once_more() {
    let project = Project::serving();
    project.behave("2.0.0", "version = \"2.0.0\"\n");
    let args = ["--dev", "--allow-apply"];
    let mut server = Server::start(&project, &args);
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "the-same"),
    ];
    let first = json!({"version": "2.0.0"}).to_string();
    server.say("POST", "/v1/plans", &headers, &first).unwrap();
    let cut = keep_no_answers(&project);
    let (plan, fingerprint) = planned(&server, "2.0.0");
    approve(&server, &plan, &fingerprint);
    // Nobody sends requests, so it goes on.
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "one"});
    let begun = server.invoke("apply_change", apply);
    let operation = begun.body["handle"]["operationId"].clone();
    let back = json!({"why": "errors rise"}).to_string();
    let ask = |server: &Server<'_>| {
        server
            .say("POST", "/v1/rollbacks", &headers, &back)
            .unwrap()
    };
    let asked = ask(&server);
    assert_eq!(asked.body["handle"]["operationId"], operation, "{asked:#?}");
    let ended = server.ended(text(&operation));
    assert_eq!(ended["status"], "cancelled");
    let running = server.running.take().unwrap();
    running.signal(Signal::KILL);
    drop(running.join());
    cut.execute_batch("DROP TRIGGER cut").unwrap();
    let plans = project.records("plan").len();
    let server = Server::start(&project, &args);
    for _ in 0..2 {
        let again = ask(&server);
        assert_eq!(again.status, asked.status, "{again:#?}");
        assert_eq!(again.body["handle"]["operationId"], operation, "{again:#?}");
        assert_eq!(again.data(), asked.data());
    }
    assert_eq!(project.records("plan").len(), plans);
}
