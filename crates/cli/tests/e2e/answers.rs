//! One name, one schema, one answer: what commands print is held against the registry's schemas, its examples are carried out, and what
//! one door refuses every door refuses.

use gonogo_app::doors::{self, TOOLS};
use serde_json::{Value, json};

use crate::approvals::{as_person, strict};
use crate::project::{CONFIG, Project};
use crate::screen::Ran;

/// Holds what a command answered against the schema of the use case that it names, and gives the use case's name.
#[track_caller]
fn fits(ran: &Ran) -> Option<String> {
    let envelope = ran.envelope();
    assert_eq!(envelope["success"], true, "{envelope:#}");
    let tool = doors::find(envelope["metadata"]["toolId"].as_str().unwrap())?;
    let schema = jsonschema::draft202012::new(tool.output()).unwrap();
    let data = &envelope["data"];
    let faults: Vec<String> = schema
        .iter_errors(data)
        .map(|e| format!("{}: {e}", e.instance_path()))
        .collect();
    assert!(
        faults.is_empty(),
        "{}: {faults:#?}\n{data:#}",
        tool.facts.name
    );
    // A schema alone would let through what lacks everything that may be absent: no field has another name than there.
    Some(tool.facts.name.to_owned())
}

/// Commands of the command line that the test below does not run, and why.
const ELSEWHERE: [(&str, &str); 10] = [
    (
        "approval_submit",
        "needs a file signed elsewhere: approval_channel.rs",
    ),
    (
        "delegation_withdraw",
        "needs an environment that lets voices be lent: approval_channel.rs",
    ),
    ("delegation_give", "as above"),
    ("break_glass", "needs a policy: break_glass.rs"),
    ("incident_show", "as above"),
    ("incident_close", "as above"),
    ("rollback_posture", "goes through a whole rollback: pins.rs"),
    ("operation_get", "its command shows more: operation_show"),
    (
        "operation_resume",
        "needs a controller that died: interruptions.rs",
    ),
    (
        "operation_dispatch",
        "is spoken between services and has no command",
    ),
];

#[test]
fn every_command_answers_with_the_schema_of_its_use_case() {
    let project = Project::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut run = |args: &[&str]| -> Value {
        let ran = project.run(&[args, &["--json"]].concat());
        seen.extend(fits(&ran));
        ran.envelope()["data"].clone()
    };
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let plan = text(&run(&["plan", "--to", "1.0.0"])["planResult"]["id"]);
    run(&["plan", "show", &plan]);
    run(&["plan", "lint", &plan]);
    run(&["plan", "diff", &plan]);
    run(&["plan", "diff", &plan, "--against", &plan]);
    run(&["approval", "show", &plan]);
    run(&["approval", "list"]);
    run(&["approval", "delegations"]);
    run(&["approval", "request", &plan, "--note", "please"]);
    let given = run(&["approve", &plan]);
    let approval = text(&given["approval"]["approvalId"]);
    run(&["approval", "revoke", &approval, "--why", "the wrong plan"]);
    run(&["approve", &plan]);
    let load = project.load(300.0);
    run(&["apply", &plan]);
    run(&["plan", "--to", "1.0.0"]);
    let second = text(&run(&["plan", "--to", "2.0.0"])["plan"]["id"]);
    run(&["approve", &second]);
    run(&["apply", &second, "--detach"]);
    let operation = text(&run(&["history"])["operations"][0]["operationId"]);
    run(&["cancel", &operation, "--yes"]);
    // Once more is as good as once.
    run(&["cancel", &operation, "--yes"]);
    run(&["release", "--to", "2.0.0"]);
    run(&["rollback", "--show"]);
    run(&["rollback", "--yes"]);
    load.stop();
    load.join();
    run(&["ops", "list"]);
    run(&["ops", "show", &operation]);
    run(&["ops", "triage"]);
    run(&["ops", "triage", &operation]);
    run(&["status"]);
    run(&["status", &operation]);
    run(&["evidence", "list", "--limit", "3"]);
    run(&["evidence", "show", "0"]);
    let freeze = text(&run(&["freeze", "--why", "the database moves"])["freeze"]);
    run(&["freeze", "list"]);
    run(&["unfreeze", &freeze, "--why", "it has moved"]);
    run(&["pin", "1.0.0", "--why", "a test"]);
    run(&["pin", "list"]);
    run(&["unpin", "--why", "a test"]);
    run(&["known-good", "list"]);
    run(&["known-good", "promote", "1.0.0", "--why", "a test"]);
    run(&["incident", "list"]);
    run(&["whoami"]);
    run(&["slo", "report"]);
    project.run(&["gates", "init"]).expect(0);
    run(&["gates", "dashboard"]);
    let own: std::collections::BTreeSet<String> = TOOLS
        .iter()
        .filter(|t| gonogo_app::catalogue::find(t.facts.name).is_some())
        .filter(|t| !ELSEWHERE.iter().any(|(name, _)| *name == t.facts.name))
        .map(|t| t.facts.name.to_owned())
        .collect();
    let missed: Vec<_> = own.difference(&seen).collect();
    assert!(missed.is_empty(), "no command here answered as {missed:?}");
}

/// Refusals that examples may end with where the project has nothing else for them.
const REFUSED: [(&str, &str); 12] = [
    ("operation_dispatch", "OPERATION_OPEN"),
    ("rollback_change", "NO_KNOWN_GOOD"),
    ("rollback_preview", "NO_KNOWN_GOOD"),
    ("approval_decide", "SELF_APPROVAL"),
    ("approval_submit", "APPROVAL_"),
    ("apply_change", "APPROVAL_"),
    ("break_glass", "BREAK_GLASS_REFUSED"),
    ("delegation_give", "DELEGATION_"),
    ("gates_dashboard", "INPUT_NOT_FOUND"),
    ("operation_cancel", "OPERATION_ENDED"),
    ("operation_dispatch", "PLAN_"),
    ("operation_resume", "OPERATION_ENDED"),
];

#[test]
fn the_examples_of_the_registry_are_carried_out() {
    let project = Project::serving();
    let plan = project.data(&["plan", "--to", "2.0.0"])["planResult"].clone();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let operation = text(&project.data(&["history"])["operations"][0]["operationId"]);
    let (mut good, mut told) = (0, Vec::new());
    let shown = project.data(&["call", "plan_get", "--schema"]);
    assert_eq!(shown["input"]["examples"][0]["plan"], "pln_0123456789ab");
    let mut tools: Vec<_> = TOOLS.iter().collect();
    // A pin is set before it is removed, and what changes the target comes last.
    tools.sort_by_key(|tool| match tool.facts.name {
        "pin_remove" => 1,
        "apply_change" => 2,
        "operation_dispatch" => 3,
        // It leaves a freeze behind.
        "rollback_posture" | "rollback_posture_get" => 4,
        _ => 0,
    });
    for tool in tools {
        for example in tool.facts.examples {
            // Each that uses something up gets one of its own.
            let approval = match example.contains("{approval}") {
                true => text(
                    &project.data(&["approve", plan["id"].as_str().unwrap()])["approval"]["approvalId"],
                ),
                false => String::new(),
            };
            let freeze = match example.contains("{freeze}") {
                true => text(&project.data(&["freeze", "--why", "a test"])["freeze"]),
                false => String::new(),
            };
            let input = example
                .replace("{plan}", plan["id"].as_str().unwrap())
                .replace("{fingerprint}", plan["fingerprint"].as_str().unwrap())
                .replace("{operation}", &operation)
                .replace("{approval}", &approval)
                .replace("{freeze}", &freeze)
                .replace("{incident}", "inc_000000000000")
                .replace("{delegation}", "dlg_000000000000")
                .replace("{tomorrow}", "2099-01-31T12:00:00Z");
            let input = match input.contains("{signed}") {
                true => input.replace(
                    "\"{signed}\"",
                    &signed(&project, plan["id"].as_str().unwrap()),
                ),
                false => input,
            };
            let name = tool.facts.name;
            let ran = project.run(&["call", name, &input, "--json"]);
            let reply: Value = serde_json::from_str(&ran.out)
                .unwrap_or_else(|e| panic!("{name}: {e}: {} {}", ran.out, ran.err));
            let envelope = reply.get("envelope").unwrap_or(&reply);
            if envelope["success"] == true {
                good += 1;
                if name == "freeze_declare" {
                    let freeze = text(&envelope["data"]["freeze"]);
                    project
                        .run(&["unfreeze", &freeze, "--why", "a test"])
                        .expect(0);
                }
                continue;
            }
            let reasons = envelope["error"]["details"]["reasonCodes"].to_string();
            assert!(
                !reasons.contains("INPUT_MALFORMED"),
                "{name} {input}: {envelope:#}"
            );
            let known = REFUSED
                .iter()
                .any(|(tool, reason)| *tool == name && reasons.contains(reason));
            let absent = ["inc_0", "dlg_0"].iter().any(|id| input.contains(id))
                && reasons.contains("NOT_FOUND");
            if !known && !absent {
                told.push(format!("{name} {input}: {}", envelope["error"]["message"]));
            }
        }
    }
    assert!(told.is_empty(), "{told:#?}");
    assert!(good > 40, "{good}");
}

/// What `gonogo approve --out` writes.
fn signed(project: &Project, plan: &str) -> String {
    let file = project.path("signed.json");
    if !file.exists() {
        project
            .run(&["approve", plan, "--out", "signed.json"])
            .expect(0);
    }
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn what_has_ended_is_not_said_to_run() {
    let project = Project::new();
    let plan = project.approved("1.0.0");
    let load = project.load(300.0);
    project.run(&["apply", &plan]).expect(0);
    load.stop();
    load.join();
    let again = project.run(&["apply", &plan, "--detach", "--json"]);
    again.expect(0);
    let data = again.envelope()["data"].clone();
    assert_eq!(
        (&data["status"], &data["result"], &data["fresh"]),
        (&json!("succeeded"), &json!("promoted"), &json!(false)),
        "{data:#}"
    );
}

#[test]
fn what_is_to_be_decided_is_told_with_its_shares_and_slots() {
    let project = Project::serving();
    let plan = project.plan("2.0.0");
    let shown = project.run(&["approval", "show", &plan]);
    for words in [
        "deploy     2.0.0 in slot b",
        "stage      50% of new requests to 2.0.0, at least 200ms",
        "soak       watch 2.0.0 for 400ms",
        "drain      1.0.0 in slot a",
    ] {
        assert!(
            shown.expect(0).out.contains(words),
            "{words}: {}",
            shown.out
        );
    }
    // A rollback that was carried out is told as one.
    let load = project.load(300.0);
    project.run(&["release", "--to", "2.0.0"]).expect(0);
    let back = project.data(&["rollback", "--yes"]);
    load.stop();
    load.join();
    let meaning = back["operation"]["triage"]["meaning"].as_str().unwrap();
    assert!(meaning.starts_with("It went back"), "{meaning}");
}

#[test]
fn a_file_that_is_there_costs_no_token() {
    let project = Project::new();
    std::fs::write(project.path("there"), "mine").unwrap();
    let args = [
        "token", "create", "--name", "a", "--role", "viewer", "--out", "there", "--json",
    ];
    project.run(&args).refusal(73, &["OUTPUT_FAILED"]);
    assert_eq!(project.text("there"), "mine");
    assert_eq!(project.data(&["token", "list"])["tokens"], json!([]));
    // What is refused leaves no empty file.
    let args = [
        "token", "create", "--name", "a b", "--role", "viewer", "--out", "new", "--json",
    ];
    assert_ne!(project.run(&args).status, 0);
    assert!(!project.path("new").exists());
}

#[test]
fn a_day_that_is_none_and_an_empty_list_are_refused_at_every_door() {
    let project = Project::new();
    let call =
        |input: Value| project.run(&["call", "freeze_declare", &input.to_string(), "--json"]);
    let none = call(json!({"why": "x", "until": "2027-02-29T12:00:00Z"}));
    none.refusal(64, &["TIME_REFUSED"]);
    call(json!({"why": "x", "environments": []})).refusal(65, &["INPUT_MALFORMED"]);
    let args = [
        "freeze",
        "--why",
        "x",
        "--until",
        "2027-02-29T12:00:00Z",
        "--json",
    ];
    assert_eq!(project.run(&args).status, 64);
    assert_eq!(project.data(&["freeze", "list"])["active"], json!([]));
}

#[test]
fn a_refusal_names_what_its_caller_named() {
    let project = Project::with(CONFIG);
    let print = format!("v2:sha256:{}", "0".repeat(64));
    let input = json!({"planFingerprint": print, "idempotencyKey": "k"}).to_string();
    let ran = project.run(&["call", "apply_change", &input, "--json"]);
    let error = ran.refusal(66, &["PLAN_NOT_FOUND"]);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains(&print) && !message.contains("pln_"),
        "{message}"
    );
}

#[test]
fn a_rejected_application_names_who_rejected() {
    let project = strict(1);
    let plan = crate::approvals::plan(&project, "1.0.0");
    let id = plan["id"].as_str().unwrap();
    as_person(&project, "dana", &["approve", id, "--reject"]).expect(0);
    let input = json!({"planFingerprint": plan["fingerprint"], "idempotencyKey": "k"}).to_string();
    let ran = as_person(&project, "you", &["call", "apply_change", &input, "--json"]);
    let reply: Value = serde_json::from_str(&ran.out).unwrap();
    let error = reply.get("envelope").unwrap_or(&reply)["error"].clone();
    assert_eq!(error["details"]["rejectedBy"], json!(["dana"]), "{error:#}");
}

#[test]
fn a_call_that_fails_prints_its_envelope_where_one_that_goes_well_does() {
    let project = Project::new();
    let good = project.run(&["call", "read_entities"]);
    let good: Value = serde_json::from_str(&good.expect(0).out).unwrap();
    assert_eq!(good["envelope"]["success"], true);
    for (args, exit, reason) in [
        (
            vec![
                "call",
                "operation_get",
                r#"{"operation": "op_000000000000"}"#,
            ],
            66,
            "OPERATION_NOT_FOUND",
        ),
        (vec!["call", "status_get", "{"], 65, "INPUT_MALFORMED"),
        (vec!["call", "status_got"], 64, "TOOL_UNKNOWN"),
        (
            vec!["call", "status_get", "--server", "http://127.0.0.1:1"],
            69,
            "SERVER_UNREACHABLE",
        ),
    ] {
        let ran = project.run(&args);
        ran.expect(exit);
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(told["envelope"]["success"], false, "{told:#}");
        let codes = &told["envelope"]["error"]["details"]["reasonCodes"];
        assert_eq!(codes[0], reason, "{told:#}");
        // For people the words stay where they were.
        assert!(ran.err.contains(&format!("error[{reason}]")), "{}", ran.err);
    }
}
