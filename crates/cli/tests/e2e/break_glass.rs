//! The broken glass: who may, what it passes and what not, and the incident that stays until somebody else has reviewed it.

use serde_json::{Value, json};

use crate::approval_channel::said;
use crate::approvals::{as_person, id, plan, strict};
use crate::project::Project;

const POLICY: &str = "\n[break_glass.outage]\nwho = [\"finn\"]\nenvironments = [\"local\"]\npages = \"on-call\"\n\n[webhooks.on-call]\nurl = \"http://127.0.0.1:9/\"\nallow = [\"127.0.0.1\"]\nsecret_file = \"on-call.secret\"\n";

fn project() -> Project {
    let project = strict(1);
    let text = project.text("gonogo.toml") + POLICY;
    std::fs::write(project.path("gonogo.toml"), text).unwrap();
    project
}

#[track_caller]
fn refused(project: &Project, name: &str, args: &[&str], exit: i32, reason: &str) -> Value {
    as_person(project, name, &[args, &["--json"]].concat()).refusal(exit, &[reason])
}

#[test]
fn the_glass_is_broken_by_a_policy_and_the_incident_stays_until_it_is_reviewed() {
    let project = project();
    let plan = plan(&project, "1.0.0");
    let plan = id(&plan);
    let glass = |reason: &'static str| {
        [
            "break-glass",
            "--policy",
            "outage",
            "--reason",
            reason,
            plan,
        ]
    };
    refused(&project, "finn", &glass("  "), 64, "ARGUMENT_INVALID");
    refused(&project, "finn", &glass(""), 64, "ARGUMENT_INVALID");
    refused(&project, "dana", &glass("down"), 77, "BREAK_GLASS_REFUSED");
    let other = ["break-glass", "--policy", "flood", "--reason", "down", plan];
    refused(&project, "finn", &other, 77, "BREAK_GLASS_REFUSED");
    assert!(project.records("incident").is_empty());
    refused(&project, "you", &["apply", plan], 77, "APPROVAL_MISSING");

    let broken = said(&project, "finn", &glass("the shop is down"));
    let incident = broken["incident"]["incident"].as_str().unwrap();
    // Nothing is missing any more, and what stands in its place is told.
    let input = json!({"plan": plan}).to_string();
    let listed = project.run(&["call", "approval_list", &input]);
    let listed: Value = serde_json::from_str(&listed.expect(0).out).unwrap();
    assert_eq!(
        listed["envelope"]["data"]["incidents"][0]["incident"],
        incident
    );
    assert_eq!(broken["incident"]["pages"], "on-call");
    // One use: before the review there is no other.
    let again = refused(&project, "finn", &glass("again"), 77, "BREAK_GLASS_REFUSED");
    assert_eq!(
        again["details"]["missingFields"],
        json!(["breakGlass.uses"])
    );

    let load = project.load(300.0);
    as_person(&project, "you", &["apply", plan]).expect(0);
    load.stop();
    load.join();
    let status = project.data(&["status"]);
    assert_eq!(
        status["environments"][0]["incidents"][0]["incident"],
        incident
    );
    let packet = |n: usize| {
        let operations = project.data(&["history"])["operations"].clone();
        let id = operations[n]["id"].as_str().unwrap().to_owned();
        let key = project.text(".gonogo/ledger/log.vkey");
        let path = format!(".gonogo/packets/{id}.tar");
        let seen = project.run(&[
            "verify",
            &path,
            "--replay",
            "--log-key",
            key.trim(),
            "--json",
        ]);
        seen.expect(0);
        seen.envelope()["data"].clone()
    };
    let seen = packet(0);
    assert_eq!(
        (&seen["breakGlass"], &seen["incidents"][0]["incident"]),
        (&json!(incident), &json!(incident))
    );

    // Every later packet tells of it, until it is closed.
    let next = crate::approvals::plan(&project, "2.0.0");
    said(&project, "dana", &["approve", id(&next)]);
    let load = project.load(300.0);
    as_person(&project, "you", &["apply", id(&next)]).expect(0);
    load.stop();
    load.join();
    let seen = packet(0);
    assert_eq!(
        (&seen["breakGlass"], &seen["incidents"][0]["incident"]),
        (&Value::Null, &json!(incident))
    );

    let close = [
        "incident",
        "close",
        incident,
        "--review",
        "the pager worked",
    ];
    refused(&project, "finn", &close, 77, "INCIDENT_OWN");
    assert_eq!(said(&project, "dana", &close)["closed"]["by"], "dana");
    refused(&project, "erin", &close, 1, "INCIDENT_CLOSED");
    assert!(
        project.data(&["status"])["environments"][0]
            .get("incidents")
            .is_none()
    );
    assert_eq!(project.data(&["incident", "list"])["incidents"], json!([]));
}

#[test]
fn a_broken_glass_passes_no_rejection_and_no_newer_plan() {
    let project = project();
    let first = plan(&project, "1.0.0");
    said(&project, "dana", &["approve", id(&first), "--reject"]);
    let glass = |plan: &str| {
        [
            "break-glass",
            "--policy",
            "outage",
            "--reason",
            "down",
            plan,
        ]
        .map(str::to_owned)
    };
    let run = |args: [String; 6], exit, reasons: &[&str]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        as_person(&project, "finn", &[&args[..], &["--json"]].concat()).refusal(exit, reasons)
    };
    run(
        glass(id(&first)),
        77,
        &["APPROVAL_INVALID", "APPROVAL_REJECTED"],
    );
    let second = plan(&project, "2.0.0");
    run(glass(id(&first)), 2, &["PLAN_SUPERSEDED"]);
    // Broken, and then superseded: it is not applied.
    let args = glass(id(&second));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    said(&project, "finn", &args);
    plan(&project, "1.0.0");
    refused(
        &project,
        "you",
        &["apply", id(&second)],
        2,
        "PLAN_SUPERSEDED",
    );
    assert!(project.serves().is_empty());
}
