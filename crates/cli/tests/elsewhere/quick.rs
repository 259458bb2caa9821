//! While the service hangs, refuses or is not wired, everything but applying is as quick as ever.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Server;
use crate::project::{CONFIG, Project, finish, free_port, now};
use crate::service::{Flow, Say, config, good, wired};

/// No read and no plan may take longer; a service that hangs would cost a multiple of it.
const BOUND: Duration = Duration::from_secs(4);

#[track_caller]
fn quick<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let begin = now();
    let done = run();
    let took = begin.elapsed();
    assert!(took < BOUND, "{what} took {took:?}");
    done
}

#[test]
fn reads_and_plans_are_quick_while_the_service_hangs() {
    let flow = Flow::start(|_| Say::Hang);
    let config = config(flow.port, "")
        .replace("dispatch_within = \"1s\"", "dispatch_within = \"20s\"")
        .replace("status_within = \"1s\"", "status_within = \"10s\"");
    let project = Project::with(&config);
    let plan = project.approved("1.0.0");
    let apply = project.start(&["apply", &plan, "--json"]);
    crate::project::wait("the dispatch", Duration::from_secs(20), || {
        (!flow.dispatches().is_empty()).then_some(())
    });
    for args in [
        &["status"][..],
        &["history"],
        &["ops", "triage"],
        &["plan", "--to", "2.0.0"],
        &["plan", "--to", "1.0.0"],
        &["plan", "show", &plan],
        &["plan", "lint", &plan],
        &["plan", "diff", &plan],
        &["call", "validate_plan", r#"{"version": "2.0.0"}"#],
        &["evidence", "list"],
    ] {
        let ran = quick(&args.join(" "), || project.run(args));
        // A lint that only warns ends with 1.
        assert!(
            matches!(ran.status, 0 | 1 | 75),
            "{args:?}: {} {}",
            ran.status,
            ran.err
        );
    }
    // Over the network, too.
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    for _ in 0..10 {
        quick("a read", || server.get("/v1/status").data().clone());
        let made = quick("a plan", || {
            server.invoke("plan_change", json!({"version": "2.0.0"}))
        });
        assert!(made.data()["planFingerprint"].is_string());
    }
    let ran = apply.join();
    let error = ran.refusal(69, &["WORKFLOW_TIMEOUT"]);
    assert_eq!(error["retriableReason"], "upstream_timeout", "{error:#}");
    assert_eq!(error["details"]["stage"], "in-doubt", "{error:#}");
    assert_eq!(flow.dispatches().len(), 1);
}

#[test]
fn over_the_network_an_application_answers_within_its_time_and_nothing_else_waits() {
    let flow = Flow::start(|_| Say::Hang);
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begin = now();
    let answer = server.invoke("apply_change", apply.clone());
    assert!(
        begin.elapsed() < Duration::from_secs(30),
        "{:?}",
        begin.elapsed()
    );
    answer.refuses(503, "DEPENDENCY_UNAVAILABLE", "WORKFLOW_TIMEOUT");
    assert_eq!(
        answer.envelope()["error"]["retriableReason"],
        "upstream_timeout"
    );
    assert!(answer.body.get("handle").is_none());
    quick("a read", || server.get("/v1/triage").data().clone());
    quick("a plan", || {
        server.invoke("plan_change", json!({"version": "2.0.0"}))
    });
    // What is well again takes it; the same key is the same operation, and its handle is the same to the byte.
    flow.now(good("running"));
    let id = answer.envelope()["error"]["details"]["operationId"].clone();
    let again = || server.invoke("apply_change", apply.clone());
    let taken = crate::project::wait("the service to take it", Duration::from_secs(30), || {
        let answer = again();
        answer.body.get("handle").is_some().then_some(answer)
    });
    assert_eq!(taken.body["handle"]["operationId"], id);
    assert_eq!(again().body["handle"], taken.body["handle"]);
    let ids: Vec<Value> = flow
        .dispatches()
        .iter()
        .map(|d| d.body["operationId"].clone())
        .collect();
    assert!(ids.iter().all(|i| *i == id), "{ids:?}");
}

#[test]
fn many_requests_with_one_key_are_one_dispatch() {
    let flow = Flow::start(good("running"));
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let handles: Vec<Value> = std::thread::scope(|scope| {
        let (server, apply) = (&server, &apply);
        let ask = || server.invoke("apply_change", apply.clone()).body["handle"].clone();
        let all: Vec<_> = (0..12).map(|_| scope.spawn(ask)).collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(handles[0]["operationId"].is_string(), "{handles:#?}");
    assert!(handles.iter().all(|h| *h == handles[0]), "{handles:#?}");
    assert_eq!(flow.dispatches().len(), 1);
}

#[test]
fn wiring_that_is_not_whole_blocks_applications_alone_and_says_what_is_missing() {
    let port = free_port();
    let all = [
        ("GONOGO_WORKFLOW_NAME", "release".to_owned()),
        ("GONOGO_WORKFLOW_TASK_QUEUE", "releases".to_owned()),
        (
            "GONOGO_WORKFLOW_STATUS_BASE_URL",
            format!("http://127.0.0.1:{port}"),
        ),
        (
            "GONOGO_WORKFLOW_DISPATCH_URL",
            format!("http://127.0.0.1:{port}/operations/dispatch"),
        ),
    ];
    let project = Project::with(CONFIG);
    let run = |without: &[&str], args: &[&str]| {
        let mut command = project.command(args);
        command.env("GONOGO_APPLY_BY", "workflow");
        for (name, value) in &all {
            if !without.contains(name) {
                command.env(name, value);
            }
        }
        finish(command, args)
    };
    let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
    let holes = || names.iter().map(|n| vec![*n]).chain([names.clone()]);
    for missing in holes() {
        run(&missing, &["plan", "--to", "2.0.0"]).expect(0);
    }
    let made = run(&names, &["plan", "--to", "1.0.0", "--json"]).envelope();
    let plan = made["data"]["plan"]["id"].as_str().unwrap().to_owned();
    // Approval comes before the wiring, as the contract orders it.
    run(&names, &["apply", &plan, "--json"]).refusal(77, &["APPROVAL_MISSING"]);
    run(&names, &["approve", &plan]).expect(0);
    for missing in holes() {
        let error = run(&missing, &["apply", &plan, "--json"]).refusal(69, &["WORKFLOW_UNWIRED"]);
        assert_eq!(error["code"], "DEPENDENCY_UNAVAILABLE");
        assert_eq!(error["retriableReason"], "dependency_unavailable");
        let mut told: Vec<&str> = error["details"]["missing"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        told.sort_unstable();
        let mut wanted = missing.clone();
        wanted.sort_unstable();
        assert_eq!(told, wanted);
        for args in [&["status"][..], &["plan", "show", &plan], &["history"]] {
            run(&missing, args).expect(0);
        }
    }
    // Nothing was begun, and the approval is as good as before: now nobody listens.
    let error = run(&[], &["apply", &plan, "--json"]).refusal(69, &["WORKFLOW_UNREACHABLE"]);
    assert_eq!(error["retriableReason"], "transport_unavailable");
    // Who carries it out is one of two words, for plans, too.
    let mut command = project.command(&["plan", "--to", "2.0.0", "--json"]);
    command.env("GONOGO_APPLY_BY", "elsewhere");
    finish(command, &["plan"]).refusal(64, &["ARGUMENT_INVALID"]);
}

#[test]
fn who_gives_an_answer_less_time_gets_less_and_nobody_gets_more_than_the_class_has() {
    let flow = Flow::start(|_| Say::Hang);
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let invoke = |tool: &str, input: Value, ms: Value| {
        let body = json!({"toolId": tool, "input": input, "timeoutMs": ms});
        server.post("/tools/invoke", &body)
    };
    for (tool, most) in [
        ("status_get", 15_000),
        ("plan_list", 15_000),
        ("plan_change", 30_000),
        ("apply_change", 120_000),
    ] {
        for wrong in [json!(0), json!(most + 1), json!("1"), json!(1.5), json!(-1)] {
            invoke(tool, json!({}), wrong).refuses(
                400,
                "INPUT_VALIDATION_FAILED",
                "INPUT_MALFORMED",
            );
        }
    }
    assert_eq!(invoke("status_get", json!({}), json!(15_000)).status, 200);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begin = now();
    let answer = invoke("apply_change", apply, json!(900));
    assert!(begin.elapsed() < Duration::from_secs(10));
    answer.refuses(504, "UPSTREAM_TIMEOUT", "DEADLINE_EXCEEDED");
}

#[test]
fn no_header_of_the_service_decides_how_long_a_caller_waits() {
    let flow = Flow::start(|asked| match asked.is_dispatch() {
        true => Say::Raw(503, vec![("retry-after", "3600".into())], b"later".to_vec()),
        false => Say::Json(404, json!({})),
    });
    let project = wired(flow.port);
    let plan = project.approved("1.0.0");
    let fingerprint = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let ran = quick("apply", || project.run(&["apply", &plan, "--json"]));
    let error = ran.refusal(69, &["WORKFLOW_FAILED"]);
    assert_eq!(error["retriableReason"], "upstream_5xx", "{error:#}");
    assert_eq!(error["details"]["retryAfterSeconds"], 3_600, "{error:#}");
    // It may have arrived: it is in doubt, whatever the header says.
    assert_eq!(error["details"]["stage"], "in-doubt", "{error:#}");
    assert_eq!(flow.dispatches().len(), 1);
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": plan});
    let answer = quick("the same request over the network", || {
        server.post("/v1/operations", &apply)
    });
    answer.refuses(503, "DEPENDENCY_UNAVAILABLE", "WORKFLOW_FAILED");
    // Who has less time waits less, also where the service says nothing at all.
    let flow = Flow::start(|_| Say::Hang);
    let config =
        config(flow.port, "").replace("dispatch_within = \"1s\"", "dispatch_within = \"20s\"");
    let project = Project::with(&config);
    let plan = project.approved("1.0.0");
    let ran = quick("apply --timeout", || {
        project.run(&["apply", &plan, "--timeout", "1s", "--json"])
    });
    ran.refusal(69, &["WORKFLOW_TIMEOUT"]);
}
