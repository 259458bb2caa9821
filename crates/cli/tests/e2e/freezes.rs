//! Freezes against the real program: what they stop, what they never stop, and how they end.

use std::sync::Arc;
use std::time::Duration;

use gonogo_app::applying::{Apply, apply};
use gonogo_app::config::Overrides;
use gonogo_app::workspace::Caller;
use gonogo_app::{Workspace, planning};
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Span, Timestamp};
use serde_json::Value;

use crate::project::{CONFIG, Project, wait};

/// Declares a freeze and returns its id.
#[track_caller]
fn freeze(project: &Project, more: &[&str]) -> String {
    let args = [&["freeze", "--why", "the database moves"], more].concat();
    let id = project.data(&args)["freeze"].as_str().unwrap().to_owned();
    assert!(id.starts_with("frz_"), "{id}");
    id
}

fn now() -> Timestamp {
    SystemClock::default().now().wall
}

#[test]
fn a_freeze_stops_applications_and_nothing_else() {
    let project = Project::serving();
    let load = project.load(300.0);
    project.run(&["release", "--to", "2.0.0"]).expect(0);
    let plan = project.approved("3.0.0");
    let id = freeze(&project, &["--env", "local"]);
    // It was approved before, and that is worth nothing now. The answer is the same each time.
    for _ in 0..2 {
        let error = project.refuses(&["apply", &plan], 1, &["FREEZE_ACTIVE"]);
        let message = error["message"].as_str().unwrap();
        for part in [
            id.as_str(),
            "you",
            "the database moves",
            "until somebody ends it",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert_eq!(error["code"], "CONFLICT");
        assert_eq!(error["details"]["freezes"][0]["freeze"], id.as_str());
    }
    let refusals = project.records("refusal");
    assert!(
        refusals
            .last()
            .unwrap()
            .to_string()
            .contains("FREEZE_ACTIVE")
    );
    // Without any approval it is the same answer.
    let other = project.plan("1.0.0");
    project.refuses(&["apply", &other], 1, &["FREEZE_ACTIVE"]);
    // Its findings are warnings.
    project.run(&["plan", "lint", &plan]).expect(1);
    project.run(&["plan", "diff", &plan]).expect(0);
    let status = project.data(&["status"]);
    assert_eq!(
        status["environments"][0]["freezes"][0]["freeze"],
        id.as_str()
    );
    let entities = project.run(&["call", "read_entities"]);
    let entities: Value = serde_json::from_str(&entities.out).unwrap();
    assert_eq!(
        entities["envelope"]["data"]["environments"][0]["freezes"][0]["by"], "you",
        "{entities:#}"
    );
    // Back: no freeze is in the way.
    let back = project.data(&["rollback", "--yes"]);
    load.stop();
    load.join();
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // Who reads its packet sees the freeze that it went past, and that it might.
    let packet = back["packet"].as_str().unwrap();
    let verified = project.run(&["verify", packet, "--trust-packet", "--json"]);
    let seen = verified.envelope()["data"].clone();
    assert_eq!(seen["controls"]["ok"], true, "{seen:#}");
    assert!(
        seen["controls"]["held"].to_string().contains(&id),
        "{seen:#}"
    );
    assert_eq!(seen["approvals"]["ok"], true, "{seen:#}");
    let listed = project.run(&["freeze", "list"]);
    listed.expect(0);
    assert!(
        listed.out.contains(&id) && listed.out.contains("by you"),
        "{}",
        listed.out
    );
}

#[test]
fn a_freeze_ends_when_gates_pass_and_by_nothing_else() {
    let project = Project::serving();
    let id = freeze(&project, &[]);
    project.configure(&CONFIG.replace(
        "gates = \"none\"",
        "gates = { dry_run = { max_age = \"7d\", binding = \"mentioned\" } }",
    ));
    let error = project.refuses(
        &["unfreeze", &id, "--why", "it is late"],
        3,
        &["GATE_EVIDENCE_MISSING", "FREEZE_ACTIVE"],
    );
    assert!(
        error["message"].as_str().unwrap().contains(&id),
        "{error:#}"
    );
    let plan = project.approved("2.0.0");
    project.refuses(&["apply", &plan], 1, &["FREEZE_ACTIVE"]);
    // A dry run of exactly what serves; what is named instead has none.
    let beats = "trap 'exit 0' INT TERM; n=0; while :; do n=$((n+1)); echo \"{\\\"level\\\":\\\"info\\\",\\\"event\\\":\\\"heartbeat\\\",\\\"message\\\":\\\"beat\\\",\\\"seq\\\":$n}\"; sleep 0.05; done";
    let second = (1.0_f64 / 3600.0).to_string();
    let run = [
        "dry-run",
        "orchestrate",
        "--json",
        "--duration-hours",
        &second,
        "--skip-diary-evidence",
        "--skip-performance-evidence",
        "--shutdown-grace-seconds",
        "5",
        "--artifact",
        "versions/1.0.0.toml",
        "--",
        "sh",
        "-c",
        beats,
        "sh",
        "versions/1.0.0.toml",
    ];
    let ran = project.run(&run);
    assert_eq!(ran.status, 0, "{} {}", ran.out, ran.err);
    project.refuses(
        &["unfreeze", &id, "--why", "it is late", "--to", "2.0.0"],
        3,
        &["GATE_EVIDENCE_MISSING", "FREEZE_ACTIVE"],
    );
    let ended = project.data(&["unfreeze", &id, "--why", "the database has moved"]);
    let gate = &ended["gates"][0];
    assert_eq!(gate["demanded"], "dry-run");
    assert_eq!(gate["version"], "1.0.0");
    let record = gate["evidence"]["signOff"].as_u64().unwrap();
    let shown = project.data(&["evidence", "show", &record.to_string()]);
    assert_eq!(shown["record"]["kind"], "sign-off", "{shown:#}");
    project.refuses(
        &["unfreeze", &id, "--why", "again"],
        66,
        &["FREEZE_UNKNOWN"],
    );
    // What was refused for the freeze is refused for the gate now.
    project.refuses(&["apply", &plan], 3, &["GATE_EVIDENCE_MISSING"]);
}

#[test]
fn windows_of_the_configuration_hold_and_are_not_ended_by_a_command() {
    let project = Project::serving();
    let (from, until) = (now(), now().after(Span::from_secs(3600)));
    let window = format!(
        "\n[[freeze]]\nname = \"year-end\"\nenvironments = [\"local\"]\nfrom = \"{from}\"\nuntil = \"{until}\"\nreason = \"books are closed\"\n"
    );
    let over = "\n[[freeze]]\nname = \"long-ago\"\nfrom = \"2020-01-01 00:00\"\nuntil = \"2020-01-02 00:00\"\nzone = \"Europe/Berlin\"\nreason = \"it was\"\n";
    project.configure(&format!("{CONFIG}{over}"));
    let plan = project.approved("2.0.0");
    project.configure(&format!("{CONFIG}{over}{window}"));
    // The window is newer than the plan; it is what the answer names first.
    let error = project.refuses(&["apply", &plan], 1, &["FREEZE_ACTIVE"]);
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("window `year-end`") && message.contains(&until.to_string()),
        "{message}"
    );
    project.refuses(
        &["unfreeze", "year-end", "--why", "I want to"],
        1,
        &["FREEZE_OF_CONFIG"],
    );
    let listed = project.data(&["freeze", "list"]);
    assert_eq!(listed["active"][0]["window"], true);
    assert_eq!(listed["windows"][0]["name"], "long-ago");
    // Somebody who takes the window away has another configuration than the one that was approved.
    project.configure(&format!("{CONFIG}{over}# \n"));
    project.refuses(&["apply", &plan], 2, &["CONFIG_CHANGED"]);
}

#[test]
fn an_operation_that_waited_for_its_controller_is_refused_under_the_lease() {
    let project = Project::serving();
    let plan = project.approved("2.0.0");
    let caller = Caller {
        name: Some("you".into()),
        ..Caller::default()
    };
    let begun = {
        let overrides = Overrides::default();
        let clock = Arc::new(SystemClock::default());
        let ws = Workspace::open(&project.path("."), &overrides, caller, clock).unwrap();
        let id = planning::find(&ws, &plan).unwrap();
        apply(&ws, &id, &Apply::default()).unwrap()
    };
    assert!(begun.fresh);
    let freeze = freeze(&project, &[]);
    let ran = project.run(&["watch", begun.operation_id.as_str(), "--json"]);
    ran.expect(2);
    let data = &ran.envelope()["data"];
    assert_eq!(data["status"], "refused", "{data:#}");
    let codes = data["reasonCodes"].to_string();
    assert!(
        codes.contains("FREEZE_ACTIVE") && codes.contains("REFUSED"),
        "{data:#}"
    );
    let shown = project.data(&["ops", "show", begun.operation_id.as_str()]);
    assert!(shown.to_string().contains(&freeze));
    let began = shown["effects"].as_array().unwrap().iter();
    assert!(
        began
            .map(|e| e["action"]["do"].as_str().unwrap())
            .all(|what| what == "observe"),
        "{shown:#}"
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // Who reads the packet decides the same again.
    let packet = project.path(&format!(".gonogo/packets/{}.tar", begun.operation_id));
    let packet = packet.to_str().unwrap();
    let verified = project.run(&["verify", packet, "--trust-packet", "--replay", "--json"]);
    let seen = verified.envelope()["data"].clone();
    assert_eq!(seen["replay"]["ok"], true, "{seen:#}");
    assert_eq!(seen["controls"]["ok"], true, "{seen:#}");
    assert!(
        seen["controls"]["held"].to_string().contains(&freeze)
            || seen["controls"]["held"] == serde_json::json!([])
    );
}

#[test]
fn a_freeze_holds_what_runs_where_it_stands_and_lets_it_go_on() {
    let slow = CONFIG.replace("bake = \"200ms\"", "bake = \"3s\"");
    let project = Project::serving_with(&slow);
    let load = project.load(300.0);
    let plan = project.approved("2.0.0");
    let begun = project.run(&["apply", &plan, "--detach", "--json"]);
    begun.expect(75);
    let operation = begun.envelope()["data"]["handle"]["operationId"]
        .as_str()
        .unwrap()
        .to_owned();
    wait(
        "traffic on the new version",
        Duration::from_secs(30),
        || (project.serves().len() == 2).then_some(()),
    );
    let id = freeze(&project, &["--for", "1h"]);
    let decided = |wanted: &dyn Fn(&Value) -> bool| {
        let shown = project.data(&["status", &operation]);
        let decisions = shown["decisions"].as_array().unwrap().clone();
        decisions.iter().position(|d| wanted(&d["body"]))
    };
    let long = Duration::from_secs(30);
    let frozen = wait("the freeze to hold the release", long, || {
        decided(&|d| d["reasons"][0] == "FROZEN" && d["numbers"]["on"] == true)
    });
    // Watching goes on: the stage is shown to be good, and is not left.
    let passed = wait("the stage to pass", long, || {
        decided(&|d| d["phase"] == "observe" && d["verdict"] == "pass")
    });
    assert!(passed > frozen, "{passed} {frozen}");
    assert_eq!(project.serves().len(), 2, "it stands where it stood");
    project.data(&["unfreeze", &id, "--why", "done"]);
    let ended = project.run(&["watch", &operation, "--json"]);
    load.stop();
    load.join();
    ended.expect(0);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
}

#[test]
fn what_is_held_can_be_taken_back_while_it_is_frozen() {
    let slow = CONFIG.replace("bake = \"200ms\"", "bake = \"3s\"");
    let project = Project::serving_with(&slow);
    let load = project.load(300.0);
    let plan = project.approved("2.0.0");
    project
        .run(&["apply", &plan, "--detach", "--json"])
        .expect(75);
    wait(
        "traffic on the new version",
        Duration::from_secs(30),
        || (project.serves().len() == 2).then_some(()),
    );
    freeze(&project, &[]);
    project.run(&["rollback", "--yes"]).expect(0);
    load.stop();
    load.join();
    assert_eq!(project.serves(), ["1.0.0:10000"]);
}

#[test]
fn what_cannot_be_frozen_or_ended_is_said() {
    let project = Project::new();
    project.refuses(
        &["freeze", "--why", "x", "--env", "nowhere"],
        64,
        &["ENVIRONMENT_UNKNOWN"],
    );
    project.refuses(
        &["freeze", "--why", "x", "--until", "2020-01-01T00:00:00Z"],
        64,
        &["TIME_REFUSED"],
    );
    project.refuses(
        &["unfreeze", "frz_0000", "--why", "x"],
        66,
        &["FREEZE_UNKNOWN"],
    );
    project.run(&["freeze"]).expect(64);
    for (window, line) in [
        (
            "name = \"w\"\nfrom = \"Fri 16:00\"\nuntil = \"Mon 08:00\"\nreason = \"r\"",
            "zone",
        ),
        (
            "name = \"w\"\nfrom = \"Fri 16:00\"\nuntil = \"Mon 08:00\"\nzone = \"Mars/Base\"\nreason = \"r\"",
            "IANA",
        ),
        (
            "name = \"w\"\nfrom = \"Fri 16:00\"\nuntil = \"Fri 16:00\"\nzone = \"UTC\"\nreason = \"r\"",
            "after `from`",
        ),
        (
            "name = \"w\"\nfrom = \"soon\"\nuntil = \"Mon 08:00\"\nzone = \"UTC\"\nreason = \"r\"",
            "a day and a time",
        ),
        (
            "name = \"w\"\nenvironments = [\"prod\"]\nfrom = \"2026-01-01T00:00:00Z\"\nuntil = \"2026-01-02T00:00:00Z\"\nreason = \"r\"",
            "no environment",
        ),
    ] {
        project.configure(&format!("{CONFIG}\n[[freeze]]\n{window}\n"));
        let ran = project.run(&["status"]);
        ran.expect(78);
        assert!(ran.err.contains(line), "{line}: {}", ran.err);
    }
}
