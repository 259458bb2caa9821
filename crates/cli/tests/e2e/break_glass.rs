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
    // Nothing pages anybody here, for there is no secret to sign with; that stands beside it, in words too.
    let paged = &broken["incident"]["paged"];
    assert_eq!(
        (&paged["taken"], &paged["webhook"]),
        (&json!(false), &json!("on-call"))
    );
    let told = project.run(&["incident", "show", incident]);
    assert!(
        told.expect(0).out.contains("NOBODY WAS PAGED: on-call"),
        "{}",
        told.out
    );
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

    assert_eq!(seen["incidents"][0]["paged"]["taken"], false, "{seen:#}");

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
    // Not who broke it, who asked or who applied; nobody who is listed nowhere; nobody with a key that is not theirs.
    refused(&project, "finn", &close, 77, "INCIDENT_OWN");
    refused(&project, "you", &close, 77, "INCIDENT_OWN");
    refused(&project, "mallory", &close, 77, "INCIDENT_REVIEWER");
    let keys = project.records("key-event").len();
    for (name, key, reason) in [
        ("dana", "mallory", "INCIDENT_REVIEWER"),
        ("dana", "finn", "INCIDENT_OWN"),
        ("dana", "you", "INCIDENT_OWN"),
    ] {
        let key = format!("people/{key}.pem");
        let args = [&close[..], &["--as", name, "--key", &key, "--json"]].concat();
        project.run(&args).refusal(77, &[reason]);
    }
    let args = [&close[..], &["--as", "somebody-else", "--json"]].concat();
    project.run(&args).refusal(77, &["KEY_UNREADABLE"]);
    assert_eq!(
        project.records("key-event").len(),
        keys,
        "a key was enrolled"
    );
    assert!(!project.path(".gonogo/keys/somebody-else.p256.pem").exists());
    // No agent has an approver's name.
    let token = [
        "token",
        "create",
        "--name",
        "erin",
        "--agent-for",
        "dana",
        "--role",
        "operator",
    ];
    project.refuses(&token, 64, &["ARGUMENT_INVALID"]);
    assert_eq!(said(&project, "dana", &close)["closed"]["by"], "dana");
    refused(&project, "erin", &close, 1, "INCIDENT_CLOSED");
    assert!(
        project.data(&["status"])["environments"][0]
            .get("incidents")
            .is_none()
    );
    assert_eq!(project.data(&["incident", "list"])["incidents"], json!([]));

    // Reviewed is not unused: within the policy's time it is used up.
    let third = crate::approvals::plan(&project, "crash-at-start");
    let glass = [
        "break-glass",
        "--policy",
        "outage",
        "--reason",
        "again",
        id(&third),
    ];
    let again = refused(&project, "finn", &glass, 77, "BREAK_GLASS_REFUSED");
    assert_eq!(
        again["details"]["missingFields"],
        json!(["breakGlass.uses"])
    );
}

#[test]
fn who_break_it_at_once_get_as_many_uses_as_there_are() {
    let project = project();
    let plan = plan(&project, "1.0.0");
    let glass = [
        "break-glass",
        "--policy",
        "outage",
        "--reason",
        "down",
        id(&plan),
        "--as",
        "finn",
        "--key",
        "people/finn.pem",
        "--json",
    ];
    let all: Vec<_> = (0..8).map(|_| project.start(&glass)).collect();
    let ended: Vec<_> = all.into_iter().map(crate::project::Running::join).collect();
    let won = ended.iter().filter(|ran| ran.status == 0).count();
    let told: Vec<&String> = ended.iter().map(|ran| &ran.out).collect();
    assert_eq!(won, 1, "{told:#?}");
    assert_eq!(project.records("break-glass").len(), 1);
    assert_eq!(project.records("incident").len(), 1);
    for lost in ended.iter().filter(|ran| ran.status != 0) {
        lost.refusal(77, &["BREAK_GLASS_REFUSED"]);
    }
}

#[test]
fn a_glass_whose_incident_was_closed_is_none() {
    let project = project();
    let plan = plan(&project, "crash-at-start");
    let glass = [
        "break-glass",
        "--policy",
        "outage",
        "--reason",
        "down",
        id(&plan),
    ];
    let broken = said(&project, "finn", &glass);
    let incident = broken["incident"]["incident"].as_str().unwrap();
    let close = ["incident", "close", incident, "--review", "a false alarm"];
    said(&project, "dana", &close);
    let ran = as_person(&project, "you", &["apply", id(&plan), "--json"]);
    ran.expect(77);
    assert!(ran.out.contains("breakGlass.incidentOpen"), "{}", ran.out);
    assert_eq!(project.data(&["history"])["operations"], json!([]));
    // Approved, it is applied without it.
    said(&project, "erin", &["approve", id(&plan)]);
    as_person(&project, "you", &["apply", id(&plan)]).expect(2);
    assert!(
        project.records("operation")[0]["body"]
            .get("breakGlass")
            .is_none()
    );
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
