//! One trace from the caller to the last effect, and what becomes of everything else when nobody takes spans.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Server;
use crate::collector::{Collector, Manner, attribute};
use crate::project::{CONFIG, Project, finish, now, wait};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn parent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

fn post(server: &Server<'_>, path: &str, body: &Value) -> crate::client::Answer {
    let parent = parent();
    let headers = [
        ("content-type", "application/json"),
        ("traceparent", parent.as_str()),
    ];
    server
        .say("POST", path, &headers, &body.to_string())
        .unwrap()
}

/// Plans, approves and applies in the caller's trace; gives the operation.
fn released(server: &Server<'_>) -> String {
    let made = post(server, "/v1/plans", &json!({"version": "1.0.0"}));
    let (plan, fingerprint) = (
        made.data()["planResult"]["id"].as_str().unwrap().to_owned(),
        made.data()["planFingerprint"].clone(),
    );
    let yes = json!({"planFingerprint": fingerprint, "decision": "approved"});
    let approved = post(server, &format!("/v1/plans/{plan}/approvals"), &yes);
    assert_eq!(approved.status, 201, "{approved:#?}");
    let apply = json!({"planFingerprint": fingerprint, "idempotencyKey": "k"});
    let begun = post(server, "/v1/operations", &apply);
    assert_eq!(begun.status, 202, "{begun:#?}");
    assert_eq!(begun.body["handle"]["traceId"], TRACE);
    begun.body["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn of_operation<'a>(spans: &'a [Value], name: &str) -> Option<&'a Value> {
    spans.iter().find(|s| s["name"] == name)
}

#[test]
fn one_trace_goes_from_the_caller_to_the_last_effect() {
    let collector = Collector::start(Manner::Well);
    let project = Project::with(&format!("{CONFIG}{}", collector.configured()));
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let load = project.load(300.0);
    let operation = released(&server);
    let doc = server.ended(&operation);
    load.stop();
    load.join();
    assert_eq!(doc["result"], "promoted", "{doc:#}");
    let within = Duration::from_secs(20);
    let spans = wait("the operation's span", within, || {
        let spans = collector.spans();
        let apply = of_operation(&spans, "apply_change").is_some();
        (apply && of_operation(&spans, "operation").is_some()).then_some(spans)
    });
    let own: Vec<&Value> = spans.iter().filter(|s| s["traceId"] == TRACE).collect();
    let by_id: BTreeMap<&str, &Value> = own
        .iter()
        .map(|s| (s["spanId"].as_str().unwrap(), *s))
        .collect();
    assert_eq!(by_id.len(), own.len(), "no span is told twice");
    // Every span of the trace leads to the caller.
    for span in &own {
        let (mut at, mut steps) = (*span, 0);
        while at["parentSpanId"] != CALLER {
            let above = at["parentSpanId"].as_str();
            at = above
                .and_then(|id| by_id.get(id))
                .unwrap_or_else(|| panic!("an orphan: {at:#}"));
            steps += 1;
            assert!(steps < 10);
        }
        assert_eq!(attribute(span, "gonogo.trace_id"), Some(TRACE));
    }
    // Every intent of the ledger is an effect of the trace, the last one included, and nothing else is.
    let intents = project.records("intent");
    let keys: BTreeSet<&str> = intents
        .iter()
        .map(|r| r["body"]["intent"]["key"].as_str().unwrap())
        .collect();
    let effects: Vec<&&Value> = own
        .iter()
        .filter(|s| s["name"].as_str().unwrap().starts_with("effect "))
        .collect();
    let told: BTreeSet<&str> = effects
        .iter()
        .map(|s| attribute(s, "gonogo.effect.key").unwrap())
        .collect();
    assert_eq!((told, effects.len()), (keys, intents.len()));
    // request → use case → operation → effect.
    let up = |span: &Value| by_id[span["parentSpanId"].as_str().unwrap()].clone();
    let whole = up(effects[0]);
    assert_eq!(whole["name"], "operation");
    assert_eq!(
        attribute(&whole, "gonogo.operation_id"),
        Some(operation.as_str())
    );
    let call = up(&whole);
    assert_eq!(call["name"], "apply_change");
    let request = up(&call);
    assert_eq!(
        (&request["name"], &request["kind"]),
        (&json!("HTTP POST"), &json!(2))
    );
    assert_eq!(request["parentSpanId"], CALLER);
    // Every record that came of it has the trace: the controller's, the packet's, and those of who planned and approved.
    let records = project.data(&["evidence", "list", "--limit", "1000"]);
    let records = records["records"].as_array().unwrap().clone();
    assert!(records.len() > intents.len() * 2, "{}", records.len());
    let without: Vec<&Value> = records
        .iter()
        .filter(|r| r["kind"] != "key-event" && r["traceId"] != TRACE)
        .collect();
    assert!(without.is_empty(), "{without:#?}");
    let packet = project.path(&format!(".gonogo/packets/{operation}.tar"));
    wait("the packet", within, || packet.exists().then_some(()));
    let key = project.text(".gonogo/ledger/log.vkey");
    let packet = packet.to_str().unwrap();
    project
        .run(&["verify", packet, "--replay", "--log-key", key.trim()])
        .expect(0);
    // The controller is another process than the one that answered; the ledger ties them.
    let begun = &project.records("operation")[0]["body"];
    assert_eq!(begun["traceId"], TRACE);
    let said = begun["traceParent"].as_str().unwrap();
    assert!(said.contains(call["spanId"].as_str().unwrap()), "{said}");
}

/// Controllers of an operation, by their arguments.
pub(crate) fn controllers(project: &Project) -> Vec<i32> {
    let drives = |pid: &i32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|b| *b == 0).any(|word| word == b"controller")
    };
    project.processes().into_iter().filter(drives).collect()
}

#[test]
fn the_controller_that_goes_on_after_a_crash_goes_on_with_the_trace() {
    let collector = Collector::start(Manner::Well);
    let config = CONFIG.replace("bake = \"200ms\"", "bake = \"3s\"");
    let config = config.replace("soak = \"400ms\"", "soak = \"4s\"");
    let project = Project::with(&format!("{config}{}", collector.configured()));
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let load = project.load(300.0);
    let operation = released(&server);
    let within = Duration::from_secs(30);
    let effects = |spans: &[Value]| -> Vec<String> {
        let name = |s: &Value| s["name"].as_str().unwrap_or_default().to_owned();
        let all = spans.iter().filter(|s| name(s).starts_with("effect "));
        all.map(|s| s["spanId"].as_str().unwrap().to_owned())
            .collect()
    };
    // In the middle: something was done and told, and the end is far away.
    wait("an effect's span", within, || {
        (!effects(&collector.spans()).is_empty()).then_some(())
    });
    let first = controllers(&project);
    assert_eq!(first.len(), 1, "{first:?}");
    let pid = rustix::process::Pid::from_raw(first[0]).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let resume = format!("/v1/operations/{operation}/resume");
    wait("another controller", within, || {
        server.post(&resume, &json!({}));
        let now = controllers(&project);
        now.iter().any(|pid| *pid != first[0]).then_some(())
    });
    assert!(of_operation(&collector.spans(), "operation").is_none());
    let doc = server.ended(&operation);
    load.stop();
    load.join();
    assert_eq!(doc["result"], "promoted", "{doc:#}");
    let spans = wait("the operation's span", within, || {
        let spans = collector.spans();
        of_operation(&spans, "operation").is_some().then_some(spans)
    });
    // Every intent has a span, what the dead one had told included; what was told twice was told under the same id.
    let intents = project.records("intent").len();
    let ids: BTreeSet<String> = effects(&spans).into_iter().collect();
    assert_eq!(ids.len(), intents);
    let whole = of_operation(&spans, "operation").unwrap();
    for span in spans
        .iter()
        .filter(|s| s["name"].as_str().unwrap().starts_with("effect "))
    {
        assert_eq!(span["traceId"], TRACE);
        assert_eq!(span["parentSpanId"], whole["spanId"]);
    }
    assert_eq!(whole["traceId"], TRACE);
}

#[test]
fn a_caller_who_wants_no_spans_gets_none_and_the_trace_is_kept() {
    let collector = Collector::start(Manner::Well);
    let project = Project::with(&format!("{CONFIG}{}", collector.configured()));
    let server = Server::start(&project, &["--dev"]);
    let silent = format!("00-{TRACE}-{CALLER}-00");
    let answer = server.say("GET", "/v1/entities", &[("traceparent", &silent)], "");
    assert_eq!(answer.unwrap().envelope()["metadata"]["traceId"], TRACE);
    let other = "0af7651916cd43dd8448eb211c80319c";
    let loud = format!("00-{other}-{CALLER}-01");
    server.say("GET", "/v1/entities", &[("traceparent", &loud)], "");
    let spans = wait("a span", Duration::from_secs(20), || {
        let spans = collector.spans();
        (spans.len() >= 2).then_some(spans)
    });
    assert!(spans.iter().all(|s| s["traceId"] == other), "{spans:#?}");
}

#[test]
fn a_command_goes_on_with_the_trace_of_whoever_runs_it() {
    let collector = Collector::start(Manner::Well);
    let project = Project::new();
    let args = ["ops", "list", "--json"];
    let mut command = project.command(&args);
    command
        .env("TRACEPARENT", parent())
        .env(
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            format!("http://127.0.0.1:{}", collector.port),
        )
        .env("OTEL_SERVICE_NAME", "of-a-test");
    let ran = finish(command, &args);
    ran.expect(0);
    assert_eq!(ran.envelope()["metadata"]["traceId"], TRACE);
    let spans = collector.spans();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(spans[0]["name"], "operation_list");
    assert_eq!(
        (&spans[0]["traceId"], &spans[0]["parentSpanId"]),
        (&json!(TRACE), &json!(CALLER))
    );
}

/// What a bad collector costs: nothing but spans.
#[track_caller]
fn nothing_else_degrades(port: u16, collector: Option<&Collector>) {
    let config = format!("{CONFIG}\n[telemetry]\nendpoint = \"http://127.0.0.1:{port}\"\n");
    let project = Project::with(&config);
    let mut server = Server::start(&project, &["--dev", "--allow-apply"]);
    let load = project.load(300.0);
    let operation = released(&server);
    let begun = now();
    for n in 0..50 {
        let answer = server.post("/v1/plans/validate", &json!({"version": "1.0.0"}));
        assert_eq!(answer.status, 200, "{n}: {answer:#?}");
    }
    let took = begun.elapsed();
    assert!(
        took < Duration::from_secs(20),
        "50 validations took {took:?}"
    );
    let doc = server.ended(&operation);
    load.stop();
    load.join();
    assert_eq!(doc["result"], "promoted", "{doc:#}");
    if let Some(collector) = collector {
        // What it was sent was right.
        collector.spans();
    }
    let running = server.running.take().unwrap();
    let begun = now();
    running.signal(rustix::process::Signal::TERM);
    running.join();
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(10), "the end took {took:?}");
}

#[test]
fn a_collector_that_hangs_degrades_nothing_else() {
    let collector = Collector::start(Manner::Hangs);
    nothing_else_degrades(collector.port, Some(&collector));
}

#[test]
fn a_collector_that_answers_garbage_degrades_nothing_else() {
    for status in [200, 503] {
        let collector = Collector::start(Manner::Garbage(status));
        nothing_else_degrades(collector.port, Some(&collector));
    }
}

#[test]
fn a_collector_that_is_not_there_degrades_nothing_else() {
    nothing_else_degrades(crate::project::free_port(), None);
}

#[test]
fn a_setting_that_cannot_be_is_told_and_stops_nothing() {
    let project = Project::new();
    let args = ["call", "read_entities"];
    let mut command = project.command(&args);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ada:s3cret@collector");
    let ran = finish(command, &args);
    ran.expect(0);
    assert!(ran.err.contains("no spans are sent"), "{}", ran.err);
    assert!(!ran.err.contains("s3cret"), "{}", ran.err);
}
