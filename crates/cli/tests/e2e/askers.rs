//! Whoever ever asked for a plan does not approve it, whoever asked first or last; and what was said about a plan while it did not stand
//! counts for nothing. What is applied all the same verifies from its packet alone.

use gonogo_app::evidence::{Look, verify};
use gonogo_core::Exit;
use serde_json::{Value, json};

use crate::approval_channel::said;
use crate::approvals::{as_person, id, plan, strict, tokens};
use crate::packets::{Told, packet_of};
use crate::project::Project;

#[track_caller]
fn refused(project: &Project, name: &str, args: &[&str], exit: i32, reasons: &[&str]) -> Value {
    as_person(project, name, &[args, &["--json"]].concat()).refusal(exit, reasons)
}

#[track_caller]
fn asks(project: &Project, name: &str, version: &str) -> Value {
    said(project, name, &["plan", "--to", version])["plan"].clone()
}

/// What the packet of the newest operation says.
#[track_caller]
fn verified(project: &Project) -> Value {
    let operation = project.data(&["history"])["operations"][0]["id"].take();
    let packet = format!(".gonogo/packets/{}.tar", operation.as_str().unwrap());
    let key = project.text(".gonogo/ledger/log.vkey");
    let seen = project.run(&["verify", &packet, "--log-key", key.trim(), "--json"]);
    seen.expect(0);
    seen.envelope()["data"].clone()
}

#[test]
fn who_asked_first_and_who_asked_later_are_barred_at_every_door() {
    let project = strict(1);
    let first = asks(&project, "dana", "1.0.0");
    let plan = id(&first);
    refused(
        &project,
        "dana",
        &["approve", plan],
        77,
        &["APPROVAL_SELF_GIVEN"],
    );
    // The same plan, asked for by others: it is what it was, and so is who asked first.
    for name in ["you", "erin", "dana", "erin"] {
        assert_eq!(asks(&project, name, "1.0.0"), first, "{name}");
    }
    assert_eq!(project.records("plan").len(), 1);
    let asked = project.records("plan-asked");
    let names: Vec<&Value> = asked.iter().map(|r| &r["actor"]).collect();
    assert_eq!(names, ["you", "erin"]);

    for name in ["dana", "you", "erin"] {
        let error = refused(
            &project,
            name,
            &["approve", plan],
            77,
            &["APPROVAL_SELF_GIVEN"],
        );
        assert_eq!(
            tokens(&error),
            ["approval.approverId.notRequester"],
            "{name}"
        );
    }
    // Every door says the same of who may.
    let shown = said(&project, "finn", &["approval", "show", plan]);
    let who: Vec<&Value> = shown["who"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["id"])
        .collect();
    assert_eq!(who, ["finn"]);
    let also = json!([{"requester": "you"}, {"requester": "erin"}]);
    assert_eq!(
        (&shown["requester"], &shown["alsoAsked"]),
        (&json!("dana"), &also)
    );
    let list = said(&project, "dana", &["approval", "list"]);
    assert_eq!(
        (
            &list["plans"][0]["waitsFor"],
            &list["plans"][0]["alsoAsked"]
        ),
        (&json!(["finn"]), &also)
    );
    let mine = |name: &str| {
        let list = said(&project, name, &["approval", "list", "--mine"]);
        list["plans"].as_array().unwrap().len()
    };
    assert_eq!(
        ["dana", "erin", "you", "finn"].map(mine),
        [0, 0, 0, 1],
        "the queues differ from what may be decided"
    );
    let ask = ["approval", "request", plan, "--of", "erin"];
    refused(&project, "dana", &ask, 66, &["INPUT_NOT_FOUND"]);

    // A file of the plan that was changed by hand is not what is asked for again.
    let file = format!(".gonogo/plans/{plan}.json");
    let text = project.text(&file);
    std::fs::write(
        project.path(&file),
        text.replace("\"requester\": \"dana\"", "\"requester\": \"you\""),
    )
    .unwrap();
    assert_eq!(asks(&project, "you", "1.0.0"), first);
    assert_eq!(project.text(&file), text);
    refused(
        &project,
        "dana",
        &["approve", plan],
        77,
        &["APPROVAL_SELF_GIVEN"],
    );

    // What stood before somebody asked falls with it.
    said(&project, "finn", &["approve", plan]);
    asks(&project, "finn", "1.0.0");
    refused(
        &project,
        "dana",
        &["apply", plan],
        77,
        &["APPROVAL_SELF_GIVEN"],
    );
    assert!(project.serves().is_empty());
}

#[test]
fn what_others_asked_for_too_and_somebody_else_approved_verifies_as_it_was_applied() {
    let project = strict(1);
    let plan = asks(&project, "dana", "crash-at-start");
    asks(&project, "you", "crash-at-start");
    said(&project, "erin", &["approve", id(&plan)]);
    as_person(&project, "dana", &["apply", id(&plan)]).expect(2);
    let seen = verified(&project);
    assert_eq!(seen["verified"], true, "{seen:#}");
    // Whoever asks afterwards says nothing about what was applied before.
    asks(&project, "erin", "crash-at-start");
    let operation = project.data(&["history"])["operations"][0]["id"].take();
    project
        .run(&["packet", operation.as_str().unwrap()])
        .expect(0);
    assert_eq!(verified(&project)["verified"], true);
}

#[test]
fn a_packet_in_which_an_asker_approved_or_a_dead_plan_was_approved_is_a_no() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    said(&project, "dana", &["approve", id(&plan)]);
    let look = |key: String| Look {
        log_key: Some(key),
        ..Look::default()
    };
    fn asked(r: &[Told], person: &str) -> Told {
        let body = json!({"plan": r[0].2["id"], "onBehalfOf": person});
        (r[0].0.clone(), "plan-asked", body, 0)
    }
    fn newer(r: &[Told]) -> Told {
        let body = json!({"by": "pln_000000000000"});
        (r[0].0.clone(), "plan-superseded", body, 0)
    }
    type Spoil = fn(&mut Vec<Told>);
    let cases: [(&str, Spoil, Exit); 6] = [
        ("as it was", |_| {}, Exit::Done),
        (
            "an agent of the approver asked, too, before",
            |r| r.insert(1, asked(r, "dana")),
            Exit::Fail,
        ),
        (
            "an agent of the approver asked, too, after the approval",
            |r| r.insert(3, asked(r, "dana")),
            Exit::Fail,
        ),
        (
            "an agent of somebody else asked, too",
            |r| r.insert(1, asked(r, "erin")),
            Exit::Done,
        ),
        (
            "recorded again, as an agent of the approver asked",
            |r| {
                let mut again = r[0].clone();
                again.2["on_behalf_of"] = "dana".into();
                r.insert(1, again);
            },
            Exit::Fail,
        ),
        (
            "approved while a newer plan stood, and made again",
            |r| {
                let again = r[0].clone();
                r.insert(1, newer(r));
                r.insert(3, again);
            },
            Exit::Fail,
        ),
    ];
    for (what, spoil, exit) in cases {
        let (_dir, path, key) = packet_of(&project, id(&plan), |r, _| spoil(r));
        let seen = verify(&path, &look(key)).unwrap();
        assert_eq!(seen.exit, exit, "{what}: {:?}", seen.approvals);
        assert_eq!(
            seen.approvals.unwrap().is_ok(),
            exit == Exit::Done,
            "{what}"
        );
    }
    // Who asks after the beginning asks too late.
    let (_dir, path, key) = packet_of(&project, id(&plan), |r, _| {
        let mut late = asked(r, "dana");
        late.3 = 1;
        r.insert(3, late);
    });
    assert_eq!(verify(&path, &look(key)).unwrap().exit, Exit::Done);
}

#[test]
fn nobody_approves_a_plan_that_does_not_stand_and_what_was_signed_then_counts_never() {
    let project = strict(1);
    let older = plan(&project, "crash-at-start");
    let older = id(&older);
    // Signed while it stood, on a machine of hers, and brought later.
    said(&project, "erin", &["approve", older, "--out", "erin.json"]);
    let back = project.records("approval")[0]["body"]["approval"]["approvalId"].clone();
    let back = back.as_str().unwrap();
    said(
        &project,
        "erin",
        &["approval", "revoke", back, "--why", "not like this"],
    );
    plan(&project, "2.0.0");
    let before = project.records("approval").len();
    for args in [
        &["approve", older][..],
        &["approval", "approve", older],
        &["approval", "submit", "erin.json"],
    ] {
        let error = refused(&project, "dana", args, 2, &["PLAN_SUPERSEDED"]);
        assert_eq!(error["code"], "CONFLICT", "{args:?}");
    }
    assert_eq!(project.records("approval").len(), before);
    let refusal = project.records("refusal").pop().unwrap();
    assert_eq!(refusal["body"]["reasons"], json!(["PLAN_SUPERSEDED"]));
    // A no stands whenever it was said.
    said(&project, "finn", &["approve", older, "--reject"]);

    // Planned again it stands again, and needs new approvals.
    plan(&project, "crash-at-start");
    let held = as_person(&project, "you", &["apply", older, "--json"]);
    held.expect(77);
    assert!(held.out.contains("approval.notRejected"), "{}", held.out);
    said(&project, "finn", &["approve", older]);
    as_person(&project, "you", &["apply", older]).expect(2);
    assert_eq!(verified(&project)["verified"], true);
}
