//! Everything that a service can answer, and what becomes of the application, its operation and its exit code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::project::{Project, free_port};
use crate::service::{Asked, Flow, Say, config, good, operation_when, receipt, record, wired};

/// Applies an approved plan and gives the refusal, which has this reason and says why it may be tried again.
#[track_caller]
fn refused(project: &Project, plan: &str, reason: &str, retry: Option<&str>) -> Value {
    let ran = project.run(&["apply", plan, "--json"]);
    let envelope = ran.envelope();
    ran.expect(69);
    let error = envelope["error"].clone();
    assert_eq!(error["code"], "DEPENDENCY_UNAVAILABLE", "{error:#}");
    assert_eq!(error["category"], "upstream");
    assert_eq!(error["details"]["reasonCodes"][0], reason, "{error:#}");
    assert_eq!(error["retriable"], retry.is_some(), "{error:#}");
    assert_eq!(error.get("retriableReason").and_then(Value::as_str), retry);
    error
}

fn missing(_: &Asked) -> Say {
    Say::Json(404, json!({"error": "none"}))
}

/// A service that answers dispatches so, and knows no operation.
fn only(say: Say) -> impl FnMut(&Asked) -> Say + Send + 'static {
    move |asked| match asked.is_dispatch() {
        true => say.clone(),
        false => missing(asked),
    }
}

/// A project that asks for long about what it does not know.
fn patient(port: u16) -> Project {
    Project::with(&config(port, "").replace("lost_after = \"1s\"", "lost_after = \"10m\""))
}

fn text(status: u16, body: &str) -> Say {
    Say::Raw(
        status,
        vec![("content-type", "text/html".into())],
        body.into(),
    )
}

#[test]
fn what_may_pass_is_held_and_sent_again_by_the_same_request_under_the_same_ids() {
    let flow = Flow::start(missing);
    let project = patient(flow.port);
    let table: [(&str, Say, &str, &str, &str); 6] = [
        (
            "hangs",
            Say::Hang,
            "WORKFLOW_TIMEOUT",
            "upstream_timeout",
            "in-doubt",
        ),
        (
            "closes",
            Say::Close,
            "WORKFLOW_UNREACHABLE",
            "transport_unavailable",
            "in-doubt",
        ),
        (
            "503 of no JSON",
            text(503, "<h1>down</h1>"),
            "WORKFLOW_FAILED",
            "upstream_5xx",
            "in-doubt",
        ),
        (
            "500 of JSON",
            Say::Json(500, json!({"error": "x"})),
            "WORKFLOW_FAILED",
            "upstream_5xx",
            "in-doubt",
        ),
        (
            "429",
            Say::Raw(429, vec![("retry-after", "7".into())], Vec::new()),
            "WORKFLOW_BUSY",
            "rate_limit",
            "held",
        ),
        (
            "429 that stalls",
            Say::Stall(429),
            "WORKFLOW_BUSY",
            "rate_limit",
            "held",
        ),
    ];
    for (what, say, reason, retry, stage) in table {
        flow.forget();
        flow.now(only(say));
        let plan = project.approved("1.0.0");
        let error = refused(&project, &plan, reason, Some(retry));
        assert_eq!(error["details"]["stage"], stage, "{what}: {error:#}");
        if what == "429" {
            assert_eq!(error["details"]["retryAfterSeconds"], 7);
        }
        let id = error["details"]["operationId"].as_str().unwrap().to_owned();
        assert_eq!(flow.dispatches().len(), 1, "{what}");
        // Nothing sends it again by itself, also not who looks.
        project.run(&["status", &id]).expect(75);
        assert_eq!(flow.dispatches().len(), 1, "{what}");
        // The same request does: under the same ids, once.
        flow.now(good("succeeded"));
        project.run(&["apply", &plan]).expect(0);
        let sent = flow.dispatches();
        assert_eq!(sent.len(), 2, "{what}");
        for key in ["operationId", "workflowId", "submittedAt"] {
            assert_eq!(sent[0].body[key], sent[1].body[key], "{what}: {key}");
        }
        assert_eq!(
            sent[0].headers["idempotency-key"],
            sent[1].headers["idempotency-key"]
        );
        let doc = project.data(&["status", &id]);
        assert_eq!(doc["status"], "succeeded", "{what}: {doc:#}");
        assert_eq!(doc["reasons"], json!(["WORKFLOW_SUCCEEDED"]));
        // Another version in between, so that there is something to do again.
        let other = project.approved("2.0.0");
        project.run(&["apply", &other]).expect(0);
    }
}

#[test]
fn what_was_not_taken_is_not_sent_again_against_a_freeze_a_pin_or_a_no() {
    let flow = Flow::start(missing);
    for (forbid, allow, reason, exit) in [
        (&["freeze", "--why", "x"][..], None, "FREEZE_ACTIVE", 1),
        (
            &["pin", "2.0.0", "--why", "x"],
            Some(&["unpin", "--why", "y"][..]),
            "PIN_ACTIVE",
            1,
        ),
        (
            &["approve", "PLAN", "--reject"],
            None,
            "APPROVAL_REJECTED",
            77,
        ),
    ] {
        for (say, stage) in [
            (Say::Json(429, json!({})), "held"),
            (text(503, "x"), "in-doubt"),
        ] {
            let project = patient(flow.port);
            flow.forget();
            flow.now(only(say));
            let plan = project.approved("1.0.0");
            let refused = project.run(&["apply", &plan, "--json"]);
            refused.expect(69);
            let error = refused.envelope()["error"].clone();
            assert_eq!(error["details"]["stage"], stage);
            let id = error["details"]["operationId"].as_str().unwrap().to_owned();
            let named = |args: &[&str]| -> Vec<String> {
                args.iter().map(|a| a.replace("PLAN", &plan)).collect()
            };
            let forbid = named(forbid);
            let forbid: Vec<&str> = forbid.iter().map(String::as_str).collect();
            project.run(&forbid).expect(0);
            let sent = flow.dispatches().len();
            for again in [&["apply", &plan][..], &["ops", "resume", &id]] {
                let ran = project.run(&[again, &["--json"]].concat());
                assert_ne!(ran.status, 0, "{reason} {stage}: {}", ran.out);
                if stage == "held" {
                    ran.refusal(exit, &[reason]);
                }
            }
            assert_eq!(flow.dispatches().len(), sent, "{reason} {stage}");
            let Some(allow) = allow.filter(|_| stage == "held") else {
                continue;
            };
            // Once nothing keeps it, the same request sends it.
            project.run(allow).expect(0);
            flow.now(good("succeeded"));
            project.run(&["apply", &plan]).expect(0);
            assert_eq!(flow.dispatches().len(), sent + 1);
        }
    }
}

#[test]
fn what_certainly_was_not_taken_stays_so_however_often_it_is_tried() {
    let project = wired(free_port());
    let plan = project.approved("1.0.0");
    let mut id = String::new();
    for _ in 0..3 {
        let refused = refused(
            &project,
            &plan,
            "WORKFLOW_UNREACHABLE",
            Some("transport_unavailable"),
        );
        assert_eq!(refused["details"]["stage"], "held", "{refused:#}");
        id = refused["details"]["operationId"].as_str().unwrap().into();
    }
    project.run(&["cancel", &id, "--yes"]).expect(0);
    // Again, it was so already.
    let again = project.run(&["cancel", &id, "--yes", "--detach", "--json"]);
    again.expect(0);
    assert_eq!(again.envelope()["data"]["status"], "cancelled");
    assert!(again.envelope()["data"]["handle"].is_object());
}

#[test]
fn what_a_service_left_behind_is_not_known_and_not_what_was_before() {
    let flow = Flow::start(good("succeeded"));
    let project = wired(flow.port);
    for version in ["1.0.0", "2.0.0"] {
        let plan = project.approved(version);
        project.run(&["apply", &plan]).expect(0);
    }
    flow.now(good("timed_out"));
    let plan = project.approved("crash-at-start");
    project.run(&["apply", &plan]).expect(2);
    let status = project.data(&["status"])["environments"][0].clone();
    assert_eq!(status["lastSaid"]["unknown"], true, "{status:#}");
    assert_eq!(status["lastSaid"]["slots"], json!([]));
    let shown = project.run(&["status"]);
    assert!(shown.out.contains("not known"), "{}", shown.out);
    let triage = project.data(&["ops", "triage"]);
    let open = &triage["operations"][0]["triage"]["openEffects"];
    assert_eq!(open.as_array().unwrap().len(), 1, "{triage:#}");
    // Back is where it was good last, and there is something to do to be there.
    let back = project.data(&["rollback", "--show"]);
    assert_eq!(back["to"], "2.0.0");
    project.approved("2.0.0");
    // A word is no proof of what serves.
    let posture = project.run(&["rollback-posture", "--why", "x", "--json"]);
    assert_ne!(posture.status, 0, "{}", posture.out);
    assert!(posture.out.contains("nobody here sees"), "{}", posture.out);
}

#[test]
fn nobody_there_is_told_as_that_and_can_be_taken_back() {
    let project = wired(free_port());
    let plan = project.approved("1.0.0");
    let error = refused(
        &project,
        &plan,
        "WORKFLOW_UNREACHABLE",
        Some("transport_unavailable"),
    );
    assert_eq!(error["details"]["stage"], "held");
    let triage = project.run(&["ops", "triage"]);
    assert!(triage.out.contains("did not take it"), "{}", triage.out);
    // Its approval is used, and another plan waits for it.
    let again = ["apply", &plan, "--idempotency-key", "other"];
    project.refuses(&again, 77, &["APPROVAL_REUSED"]);
    let other = project.approved("2.0.0");
    project.refuses(&["apply", &other], 1, &["OPERATION_OPEN"]);
    let id = error["details"]["operationId"].as_str().unwrap();
    project.run(&["cancel", id, "--yes"]).expect(0);
    let doc = operation_when(&project, "its end", |o| o["status"] != "running");
    assert_eq!(
        (&doc["status"], &doc["result"]),
        (&json!("cancelled"), &json!("cancelled"))
    );
}

#[test]
fn what_will_not_pass_ends_the_operation_and_is_not_retriable() {
    let flow = Flow::start(missing);
    let project = wired(flow.port);
    let gonogos = json!({
        "success": false, "metadata": {}, "policy": {},
        "error": {"code": "CONFLICT", "message": "the target moved", "details": {"reasonCodes": ["BASE_STATE_MOVED"]}},
    });
    let elsewhere = Say::Raw(
        307,
        vec![("location", "http://127.0.0.1:1/".into())],
        Vec::new(),
    );
    let table: [(&str, Say, &str); 7] = [
        (
            "400",
            Say::Json(400, json!({"error": "bad"})),
            "WORKFLOW_REFUSED",
        ),
        ("401", text(401, "who are you"), "WORKFLOW_DENIED"),
        ("403", text(403, ""), "WORKFLOW_DENIED"),
        ("404", text(404, ""), "WORKFLOW_REFUSED"),
        ("409", text(409, "taken"), "WORKFLOW_REFUSED"),
        (
            "409 of a gonogo",
            Say::Json(409, gonogos),
            "WORKFLOW_REFUSED",
        ),
        ("307", elsewhere, "WORKFLOW_REFUSED"),
    ];
    for (what, say, reason) in table {
        flow.forget();
        flow.now(only(say));
        let plan = project.approved("1.0.0");
        let error = refused(&project, &plan, reason, None);
        assert_eq!(flow.dispatches().len(), 1, "{what}");
        assert!(
            !flow.asked().iter().any(Asked::is_status),
            "{what}: an answer that is certain needs no question"
        );
        let id = error["details"]["operationId"].as_str().unwrap();
        let doc = project.run(&["status", id, "--json"]);
        doc.expect(2);
        let doc = doc.envelope()["data"].clone();
        assert_eq!(
            (&doc["status"], &doc["result"]),
            (&json!("failed"), &json!("refused"))
        );
        if what == "409 of a gonogo" {
            assert_eq!(
                error["details"]["upstreamReasonCodes"],
                json!(["BASE_STATE_MOVED"])
            );
            assert!(
                error["message"]
                    .as_str()
                    .unwrap()
                    .contains("the target moved")
            );
        }
    }
}

#[test]
fn a_yes_that_cannot_be_read_is_not_sent_again_and_ends_with_a_person() {
    let flow = Flow::start(missing);
    let project = wired(flow.port);
    let huge = vec![b' '; (1 << 20) + 10];
    let table = [
        ("no JSON", text(202, "OK")),
        (
            "wrong fields",
            Say::Json(202, json!({"operationId": "w", "workflowId": 7})),
        ),
        ("no id", Say::Json(200, receipt(""))),
        (
            "an id that leads elsewhere",
            Say::Json(202, receipt("../../x")),
        ),
        ("too large", Say::Raw(202, Vec::new(), huge)),
        ("cut", Say::Cut),
        ("never ends", Say::Stall(202)),
    ];
    for (what, say) in table {
        flow.forget();
        flow.now(only(say));
        let plan = project.approved("1.0.0");
        let error = refused(&project, &plan, "WORKFLOW_ANSWER", None);
        assert_eq!(error["details"]["stage"], "in-doubt", "{what}: {error:#}");
        let doc = operation_when(&project, "its end", |o| o["status"] != "running");
        assert_eq!(
            (&doc["result"], &doc["reasons"]),
            (&json!("needs_person"), &json!(["WORKFLOW_LOST"])),
            "{what}"
        );
        assert_eq!(flow.dispatches().len(), 1, "{what}");
        let open = &doc["triage"]["openEffects"];
        assert_eq!(open.as_array().unwrap().len(), 1, "{what}: {doc:#}");
    }
}

/// A service that takes what it is sent and never answers, and knows it from the time on that the test lets it.
fn late(known: &Arc<AtomicBool>) -> impl FnMut(&Asked) -> Say + Send + 'static {
    let known = Arc::clone(known);
    let mut cancelled = false;
    move |asked| {
        if asked.is_dispatch() {
            return Say::Hang;
        }
        if !known.load(Ordering::Relaxed) {
            return missing(asked);
        }
        cancelled |= asked.is_cancel();
        Say::Json(200, record(if cancelled { "cancelled" } else { "running" }))
    }
}

#[test]
fn what_the_service_takes_late_is_ended_there_and_not_only_here() {
    let known = Arc::new(AtomicBool::new(false));
    let flow = Flow::start(late(&known));
    let project = patient(flow.port);
    let plan = project.approved("1.0.0");
    let error = refused(
        &project,
        &plan,
        "WORKFLOW_TIMEOUT",
        Some("upstream_timeout"),
    );
    let id = error["details"]["operationId"].as_str().unwrap().to_owned();
    project
        .run(&["cancel", &id, "--yes", "--why", "enough", "--detach"])
        .expect(75);
    // It has none such, many times over, and the operation goes on.
    flow.forget();
    let doc = operation_when(&project, "questions", |_| flow.asked().len() > 5);
    assert_eq!(doc["status"], "running", "{doc:#}");
    assert_eq!(doc["elsewhere"]["stage"], "in-doubt", "{doc:#}");
    assert_eq!(doc["elsewhere"]["cancel"]["telling"], "wanted", "{doc:#}");
    assert!(!flow.asked().iter().any(Asked::is_cancel));
    // Who asks for it again does not send it against that wish.
    project.run(&["ops", "resume", &id]).expect(75);
    // From here on it is known there: it is told.
    known.store(true, Ordering::Relaxed);
    let doc = operation_when(&project, "its end", |o| o["status"] != "running");
    assert_eq!(doc["status"], "cancelled", "{doc:#}");
    let asked = flow.asked();
    assert_eq!(asked.iter().filter(|a| a.is_cancel()).count(), 1);
    assert_eq!(flow.dispatches().len(), 0, "it is not sent again");
}

#[test]
fn what_nobody_ever_knows_ends_with_a_person_also_when_somebody_wanted_it_to_end() {
    let flow = Flow::start(only(Say::Hang));
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let error = refused(
        &project,
        &plan,
        "WORKFLOW_TIMEOUT",
        Some("upstream_timeout"),
    );
    let id = error["details"]["operationId"].as_str().unwrap();
    let cancelled = project.run(&["cancel", id, "--yes", "--detach"]);
    assert!(matches!(cancelled.status, 75 | 1), "{}", cancelled.err);
    let doc = operation_when(&project, "its end", |o| o["status"] != "running");
    assert_eq!(
        (&doc["result"], &doc["reasons"]),
        (&json!("needs_person"), &json!(["WORKFLOW_LOST"])),
        "{doc:#}"
    );
    let said = doc["error"]["message"].as_str().unwrap();
    assert!(said.contains("nobody knows whether"), "{said}");
    let open = doc["triage"]["openEffects"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{doc:#}");
    assert_eq!(flow.dispatches().len(), 1);
}

/// A record of a success in which one thing is said otherwise.
fn with(key: &str, said: Value) -> Value {
    let mut record = record("succeeded");
    record[key] = said;
    record
}

#[test]
fn no_word_but_the_five_is_a_state_and_none_of_it_is_green() {
    for (what, say) in [
        ("another word", Say::Json(200, record("done"))),
        ("another case", Say::Json(200, record("SUCCEEDED"))),
        ("no word", Say::Json(200, json!({}))),
        (
            "a word alone",
            Say::Json(200, json!({"status": "succeeded"})),
        ),
        ("a success with an error", {
            let mut both = record("succeeded");
            both["error"] = json!({"message": "it broke"});
            Say::Json(200, both)
        }),
        ("an end before its begin", {
            Say::Json(200, with("completedAt", json!("2025-12-31T00:00:00Z")))
        }),
        ("an end that has not come", {
            Say::Json(200, with("completedAt", json!("2099-01-01T00:00:00Z")))
        }),
        ("no success", Say::Json(200, with("success", json!(false)))),
        (
            "another version",
            Say::Json(200, with("to", json!("9.9.9"))),
        ),
        ("another place", {
            Say::Json(200, with("environment", json!("elsewhere")))
        }),
        ("another plan", {
            let none = format!("v2:sha256:{}", "0".repeat(64));
            Say::Json(200, with("planFingerprint", json!(none)))
        }),
        ("a page", text(200, "succeeded")),
        (
            "another operation",
            Say::Json(
                200,
                json!({"status": "succeeded", "operationId": "op_of_others"}),
            ),
        ),
    ] {
        let flow = Flow::start(move |asked| match asked.is_dispatch() {
            true => Say::Json(202, receipt(asked.body["operationId"].as_str().unwrap())),
            false => say.clone(),
        });
        let project = wired(flow.port);
        let plan = project.approved("1.0.0");
        let ran = project.run(&["apply", &plan, "--json"]);
        ran.expect(1);
        let doc = project.data(&["ops", "list"])["operations"][0].clone();
        assert_eq!(
            (&doc["status"], &doc["result"], &doc["reasons"]),
            (
                &json!("failed"),
                &json!("needs_person"),
                &json!(["WORKFLOW_LOST"])
            ),
            "{what}"
        );
    }
}

#[test]
fn an_operation_that_the_service_no_longer_knows_needs_a_person() {
    let flow = Flow::start(|asked| match asked.is_dispatch() {
        true => Say::Json(202, receipt("w-1")),
        false => missing(asked),
    });
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    project.run(&["apply", &plan]).expect(1);
    let doc = project.data(&["ops", "list"])["operations"][0].clone();
    assert_eq!(doc["reasons"], json!(["WORKFLOW_LOST"]));
}

#[test]
fn each_end_has_its_exit_code() {
    for (word, exit, result, reason) in [
        ("succeeded", 0, "promoted", "WORKFLOW_SUCCEEDED"),
        ("failed", 2, "failed", "WORKFLOW_RUN_FAILED"),
        ("cancelled", 1, "cancelled", "CANCELLED"),
        ("timed_out", 2, "timed_out", "WORKFLOW_RUN_TIMED_OUT"),
    ] {
        let flow = Flow::start(good(word));
        let project = wired(flow.port);
        let plan = project.approved("1.0.0");
        project.run(&["apply", &plan]).expect(exit);
        let doc = project.data(&["ops", "list"])["operations"][0].clone();
        assert_eq!(doc["status"], word);
        assert_eq!(
            (&doc["result"], &doc["reasons"]),
            (&json!(result), &json!([reason]))
        );
        let known = project.data(&["status"])["environments"][0]["knownGood"].clone();
        assert_eq!(known == "1.0.0", word == "succeeded", "{known}");
        // What was sent, taken and learnt is in the ledger, and the packet holds.
        assert_eq!(project.records("remote-intent").len(), 1);
        assert_eq!(project.records("remote-outcome").len(), 1);
        assert_eq!(project.records("result").len(), 1);
        let id = doc["operationId"].as_str().unwrap();
        let packet = project.path(&format!(".gonogo/packets/{id}.tar"));
        let key = project.data(&["ops", "show", id])["logKey"].clone();
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
fn ids_of_the_service_win_and_what_is_sent_is_the_contracts_document() {
    let flow = Flow::start(|asked| match asked.path.as_str() {
        "/operations/dispatch" => {
            let mut receipt = receipt("their.own-7");
            receipt["cancelUrl"] = json!("http://elsewhere.example/stop");
            Say::Json(202, receipt)
        }
        "/operations/their.own-7" => Say::Json(200, record("running")),
        "/operations/their.own-7/cancel" => Say::Json(202, json!({})),
        _ => Say::Json(404, json!({})),
    });
    let project = Project::with(&config(flow.port, "token_file = \"flow.token\""));
    std::fs::write(project.path("flow.token"), "s3cret-of-a-test\n").unwrap();
    let plan = project.approved("1.0.0");
    let mut command = project.command(&[
        "apply",
        &plan,
        "--idempotency-key",
        "k-1",
        "--detach",
        "--json",
    ]);
    command.env("GONOGO_WORKFLOW_TASK_QUEUE", "other-queue");
    let ran = crate::project::finish(command, &["apply"]);
    ran.expect(75);
    let handle = ran.envelope()["data"]["handle"].clone();
    let id = handle["operationId"].as_str().unwrap().to_owned();
    let sent = flow.dispatches().remove(0);
    assert_eq!(sent.headers["authorization"], "Bearer s3cret-of-a-test");
    assert_eq!(sent.headers["idempotency-key"], "k-1");
    assert_eq!(sent.headers["traceparent"].split('-').count(), 4);
    assert_eq!(sent.body["operationId"], id.as_str());
    assert_eq!(sent.body["workflowId"], format!("release-{id}"));
    assert_eq!(handle["workflowId"], sent.body["workflowId"]);
    assert_eq!(sent.body["workflowName"], "release");
    // A variable wins over the file.
    assert_eq!(sent.body["taskQueue"], "other-queue");
    let input = &sent.body["input"];
    assert_eq!(input["idempotencyKey"], "k-1");
    assert!(
        input["planFingerprint"]
            .as_str()
            .unwrap()
            .starts_with("v2:sha256:")
    );
    assert_eq!(input["plan"]["id"], plan.as_str());
    // It is asked about under the service's id; what is known is shown.
    let doc = operation_when(&project, "word of it", |o| {
        o["elsewhere"]["lastSeen"].is_string()
    });
    assert_eq!(doc["elsewhere"]["receipt"]["operationId"], "their.own-7");
    let shown = project.run(&["ops", "show", &id]);
    for word in [
        "their.own-7",
        "other-queue",
        "last heard of",
        "carries it out",
    ] {
        assert!(shown.out.contains(word), "{word}: {}", shown.out);
    }
    let watched = project.run(&["watch", &id, "--timeout", "1s"]);
    watched.expect(75);
    // A cancel goes to the service itself and not where it points; its outcome is known.
    flow.forget();
    project
        .run(&["cancel", &id, "--yes", "--why", "enough", "--detach"])
        .expect(75);
    let doc = operation_when(&project, "the cancel", |o| {
        o["elsewhere"]["cancel"]["telling"] == "taken"
    });
    assert_eq!(doc["status"], "running");
    let told = flow.asked().into_iter().find(Asked::is_cancel).unwrap();
    assert_eq!(told.path, "/operations/their.own-7/cancel");
    assert_eq!(told.body["why"], "enough");
    flow.now(|_| Say::Json(200, record("cancelled")));
    let doc = operation_when(&project, "its end", |o| o["status"] != "running");
    assert_eq!(doc["status"], "cancelled");
    // The token is nowhere but in its file.
    for (path, bytes) in crate::project::files(&project.path(".gonogo")) {
        let secret = b"s3cret-of-a-test";
        let holds = bytes.windows(secret.len()).any(|w| w == secret);
        assert!(!holds, "{}", path.display());
    }
}
