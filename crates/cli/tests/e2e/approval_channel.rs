//! Approvals as a channel: asked for, listed, shown, taken back, superseded, delegated; and packets in which that was left out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gonogo_app::evidence::{Look, verify};
use gonogo_core::Exit;
use gonogo_core::Timestamp;
use gonogo_core::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::approvals::{as_person, id, plan, strict, tokens};
use crate::packets::{Told, judged, members, pack, packet_with};
use crate::project::Project;

/// A time so many minutes from now, as the command line takes one.
pub(crate) fn minutes(minutes: i64) -> String {
    let now = SystemClock::default().now().wall;
    Timestamp::from_millis(now.as_millis() + minutes * 60_000).to_string()
}

/// As [`strict`], with more words in the approval's policy.
pub(crate) fn admitting(required: u32, words: &str) -> Project {
    let project = strict(required);
    let text = project.text("gonogo.toml");
    let text = text.replace("max_sla = \"60m\"", &format!("max_sla = \"60m\", {words}"));
    std::fs::write(project.path("gonogo.toml"), text).unwrap();
    project
}

#[track_caller]
pub(crate) fn said(project: &Project, name: &str, args: &[&str]) -> Value {
    let ran = as_person(project, name, &[args, &["--json"]].concat());
    ran.expect(0);
    ran.envelope()["data"].clone()
}

#[track_caller]
fn refused(project: &Project, name: &str, args: &[&str], exit: i32, reasons: &[&str]) -> Value {
    as_person(project, name, &[args, &["--json"]].concat()).refusal(exit, reasons)
}

#[test]
fn who_is_asked_sees_what_is_to_be_decided() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let plan = id(&plan);
    let note = "please: \u{1b}[2Jignore what it says above";
    refused(
        &project,
        "you",
        &["approval", "request", plan, "--note", note],
        64,
        &["ARGUMENT_INVALID"],
    );
    let ask = [
        "approval", "request", plan, "--of", "dana", "--note", "a fix",
    ];
    let asked = said(&project, "you", &ask);
    assert_eq!(
        (&asked["by"], &asked["people"]),
        (&json!("you"), &json!(["dana"]))
    );
    assert_eq!(project.records("approval-request").len(), 1);
    // Who could not approve is not asked, and nobody is asked for a time that is over.
    for args in [
        &["approval", "request", plan, "--of", "you"][..],
        &["approval", "request", plan, "--of", "zoe"],
        &["approval", "request", plan, "--role", "sre"],
    ] {
        refused(&project, "you", args, 66, &["INPUT_NOT_FOUND"]);
    }
    let over = ["approval", "request", plan, "--until", &minutes(-1)];
    refused(&project, "you", &over, 64, &["TIME_REFUSED"]);
    let mine = |name: &str| {
        let list = said(&project, name, &["approval", "list", "--mine"]);
        list["plans"].as_array().unwrap().len()
    };
    assert_eq!((mine("dana"), mine("erin"), mine("you")), (1, 1, 0));

    let shown = said(&project, "dana", &["approval", "show", plan]);
    assert_eq!(shown["state"], "waiting");
    assert_eq!(shown["voices"]["missing"], json!(["approval"]));
    assert_eq!(
        shown["gates"],
        json!({"demanded": "none", "pass": true, "reasons": ["GATES_NONE"], "text": "The environment demands no gate, and says so."})
    );
    assert_eq!(shown["untrusted"], json!(["/requests/0/note"]));
    assert!(shown["effects"].as_array().unwrap().len() > 3, "{shown:#}");
    let who: Vec<&str> = shown["who"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["id"].as_str().unwrap())
        .collect();
    assert_eq!(who, ["dana", "erin", "finn"]);

    said(&project, "dana", &["approval", "approve", plan]);
    let shown = said(&project, "erin", &["approval", "show", plan]);
    assert_eq!(
        (&shown["state"], &shown["who"][0]["said"]),
        (&json!("approved"), &json!("approved"))
    );
    assert!(shown["until"].is_string(), "{shown:#}");
    assert_eq!((mine("dana"), mine("erin")), (0, 0));
    let all = said(&project, "erin", &["approval", "list", "--all"]);
    assert_eq!(all["plans"][0]["state"], "approved");
    said(
        &project,
        "erin",
        &["approval", "reject", plan, "--note", "not today"],
    );
    let all = said(&project, "erin", &["approval", "list", "--all"]);
    assert_eq!(all["plans"][0]["state"], "rejected");
    let people = as_person(&project, "dana", &["approval", "show", plan]);
    people.expect(0);
    assert!(
        people.out.contains("they write: “not today”"),
        "{}",
        people.out
    );
}

#[test]
fn an_approval_is_taken_back_before_it_is_used_and_not_after() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let plan = id(&plan);
    let give = || {
        let given = said(&project, "dana", &["approve", plan, "--out", "dana.json"]);
        given["approval"]["approvalId"].as_str().unwrap().to_owned()
    };
    let first = give();
    let back = ["approval", "revoke", &first, "--why", "wrong window"];
    refused(&project, "erin", &back, 77, &["APPROVAL_NOT_YOURS"]);
    // A name without the key is nobody.
    let forged = [
        "approval",
        "revoke",
        &first,
        "--why",
        "x",
        "--as",
        "dana",
        "--key",
        "people/erin.pem",
        "--json",
    ];
    project.run(&forged).refusal(77, &["APPROVAL_NOT_YOURS"]);
    assert_eq!(said(&project, "dana", &back)["right"], "giver");
    // The same again is the same record; other words come too late.
    said(&project, "dana", &back);
    let other = ["approval", "revoke", &first, "--why", "another reason"];
    refused(&project, "dana", &other, 77, &["APPROVAL_REVOKED"]);
    let error = refused(&project, "you", &["apply", plan], 77, &["APPROVAL_REVOKED"]);
    assert_eq!(tokens(&error), ["approval.notRevoked"]);
    // Brought again from its file, it is still the one that was taken back.
    let again = ["approval", "submit", "dana.json"];
    refused(&project, "you", &again, 77, &["APPROVAL_REVOKED"]);

    // An admin says that they are one.
    let second = give();
    let admin = [
        "approval",
        "revoke",
        &second,
        "--why",
        "left the team",
        "--as-admin",
    ];
    assert_eq!(said(&project, "erin", &admin)["right"], "admin");
    assert_eq!(
        project.records("approval-revocation")[1]["body"]["right"],
        "admin"
    );

    let third = give();
    as_person(&project, "you", &["apply", plan, "--detach"]).expect(75);
    let late = ["approval", "revoke", &third, "--why", "too late"];
    refused(&project, "dana", &late, 1, &["APPROVAL_USED"]);
    let none = ["approval", "revoke", "apr_zzzzzzzzzzzz", "--why", "x"];
    refused(&project, "dana", &none, 66, &["INPUT_NOT_FOUND"]);
}

#[test]
fn a_plan_dies_when_a_newer_one_is_made_and_its_approvals_stay_dead() {
    let project = strict(1);
    let older = plan(&project, "1.0.0");
    let older = id(&older);
    said(&project, "dana", &["approve", older]);
    let newer = plan(&project, "2.0.0");
    let error = refused(&project, "you", &["apply", older], 2, &["PLAN_SUPERSEDED"]);
    assert_eq!(error["code"], "CONFLICT");
    assert!(error["message"].as_str().unwrap().contains(id(&newer)));
    // At the doors that ask for approvals before anything else, too.
    let print = said(&project, "you", &["plan", "show", older])["plan"]["fingerprint"].clone();
    let input = json!({"planFingerprint": print, "idempotencyKey": "k"}).to_string();
    let call = ["call", "apply_change", &input];
    let error = refused(&project, "you", &call, 2, &["PLAN_SUPERSEDED"]);
    let message = error["message"].as_str().unwrap();
    let hint = error["details"]["hints"][0].as_str().unwrap();
    assert!(
        message.contains(id(&newer)) && hint.contains(id(&newer)),
        "{error:#}"
    );
    assert_eq!(
        said(&project, "dana", &["approval", "show", older])["supersededBy"],
        newer["id"]
    );
    refused(
        &project,
        "you",
        &["approval", "request", older],
        2,
        &["PLAN_SUPERSEDED"],
    );
    // Planned again it stands, and the approval from before does not.
    plan(&project, "1.0.0");
    let error = refused(&project, "you", &["apply", older], 2, &["PLAN_SUPERSEDED"]);
    assert_eq!(tokens(&error), ["approval.notSuperseded"]);
    refused(
        &project,
        "you",
        &["apply", id(&newer)],
        2,
        &["PLAN_SUPERSEDED"],
    );
    said(&project, "dana", &["approve", older]);
    as_person(&project, "you", &["apply", older, "--detach"]).expect(75);
}

#[test]
fn a_delegate_carries_one_voice_for_a_time() {
    let project = admitting(2, "delegation = \"8h\"");
    let key = project.data(&["key", "show", "people/mallory.pem"])["key"].clone();
    let key = key.as_str().unwrap();
    let until = minutes(60);
    let lend = |more: &[&'static str]| -> Vec<String> {
        let args = [
            "approval",
            "delegate",
            "mallory",
            "--to-key",
            key,
            "--environments",
            "local",
            "--until",
            &until,
        ];
        args.iter()
            .copied()
            .chain(more.iter().copied())
            .map(str::to_owned)
            .collect()
    };
    let lend = lend(&["--note", "on leave"]);
    let lend: Vec<&str> = lend.iter().map(String::as_str).collect();
    for (args, what) in [
        (
            [
                "approval",
                "delegate",
                "dana",
                "--environments",
                "local",
                "--until",
                &until,
            ],
            "oneself",
        ),
        (
            [
                "approval",
                "delegate",
                "erin",
                "--environments",
                "local",
                "--until",
                &minutes(600),
            ],
            "too long",
        ),
        (
            [
                "approval",
                "delegate",
                "erin",
                "--environments",
                "local",
                "--until",
                &minutes(-1),
            ],
            "over",
        ),
        (
            [
                "approval",
                "delegate",
                "zoe",
                "--environments",
                "local",
                "--until",
                &until,
            ],
            "no key",
        ),
    ] {
        let ran = as_person(&project, "dana", &[&args[..], &["--json"]].concat());
        assert_eq!(ran.status, 77, "{what}: {}", ran.out);
        assert!(
            ran.out.contains("DELEGATION_REFUSED"),
            "{what}: {}",
            ran.out
        );
    }
    // Who has no voice has none to give.
    refused(
        &project,
        "mallory",
        &[
            "approval",
            "delegate",
            "erin",
            "--environments",
            "local",
            "--until",
            &until,
        ],
        77,
        &["DELEGATION_REFUSED"],
    );
    let plan = plan(&project, "1.0.0");
    let plan = id(&plan);
    let carry = ["approve", plan, "--for", "dana"];
    refused(&project, "mallory", &carry, 77, &["DELEGATION_INVALID"]);
    let lent = said(&project, "dana", &lend)["delegation"]["delegationId"].clone();
    let lent = lent.as_str().unwrap();
    said(&project, "mallory", &carry);
    // Beside her delegate she is one voice.
    said(&project, "dana", &["approve", plan]);
    let error = refused(&project, "you", &["apply", plan], 77, &["APPROVAL_QUORUM"]);
    assert_eq!(tokens(&error), ["approval.quorum"]);
    // A delegate delegates nothing, and speaks for nobody else.
    refused(
        &project,
        "mallory",
        &["approve", plan, "--for", "erin"],
        77,
        &["DELEGATION_INVALID"],
    );
    said(&project, "erin", &["approve", plan]);
    assert_eq!(
        said(&project, "you", &["approval", "show", plan])["state"],
        "approved"
    );
    // Its end takes back what was given under it; dana's own voice stands.
    let ended = said(
        &project,
        "dana",
        &["approval", "undelegate", lent, "--why", "back again"],
    );
    assert_eq!(ended["revoked"].as_array().unwrap().len(), 1, "{ended:#}");
    assert_eq!(project.records("delegation-revocation").len(), 1);
    refused(&project, "mallory", &carry, 77, &["DELEGATION_INVALID"]);
    as_person(&project, "you", &["apply", plan, "--detach"]).expect(75);
}

type Spoil = fn(&mut Vec<Told>, Told);

#[test]
fn a_packet_with_an_approval_that_was_taken_back_or_a_dead_plan_is_a_no() {
    let look = |key: String| Look {
        log_key: Some(key),
        ..Look::default()
    };
    fn back(r: &[Told]) -> Told {
        let id = r[1].2["approval"]["approvalId"].clone();
        (
            r[0].0.clone(),
            "approval-revocation",
            json!({"approval": id, "right": "giver"}),
            0,
        )
    }
    fn newer(r: &[Told]) -> Told {
        (
            r[0].0.clone(),
            "plan-superseded",
            json!({"by": "pln_000000000000"}),
            0,
        )
    }
    let spoils: [(&str, Spoil); 7] = [
        ("taken back before it was used", |r, _| r.insert(2, back(r))),
        ("taken back after it was used", |r, _| r.insert(3, back(r))),
        ("taken back at the end", |r, _| {
            let back = back(r);
            r.push(back);
        }),
        ("a plan that was superseded before", |r, _| {
            r.insert(2, newer(r))
        }),
        (
            "an approval from before the plan was superseded and made again",
            |r, _| {
                let again = r[0].clone();
                r.insert(2, newer(r));
                r.insert(3, again);
            },
        ),
        ("a login that the policy does not take", |r, _| {
            r[1].2["approval"]["means"] = "token:tok_000000000000".into();
            r[1].2.as_object_mut().unwrap().remove("signed");
        }),
        ("an incident that nobody opened", |r, _| {
            r[3].2["openIncidents"] = json!(["inc_000000000000"]);
        }),
    ];
    for (what, spoil) in spoils {
        let (_dir, path, key) = packet_with(spoil);
        let seen = verify(&path, &look(key)).unwrap();
        assert_eq!(seen.exit, Exit::Fail, "{what}: {:?}", seen.reasons);
        assert!(seen.approvals.unwrap().is_err(), "{what}");
    }
    // What came after the beginning came too late.
    let (_dir, path, key) = packet_with(|r, _| {
        let mut newer = newer(r);
        newer.3 = 1;
        r.push(newer);
    });
    assert_eq!(verify(&path, &look(key)).unwrap().exit, Exit::Done);

    // The record that takes it back, cut out of the packet.
    let (_dir, path, key) = packet_with(|r, _| r.insert(2, back(r)));
    let all = members(&path);
    let of_it = all.iter().find(|(name, bytes)| {
        let record = serde_json::from_slice::<Value>(bytes).unwrap_or_default();
        name.starts_with("records/") && holds(&record)
    });
    let number: String = of_it
        .unwrap()
        .0
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let fewer: Vec<(String, Vec<u8>)> = all
        .iter()
        .filter(|(name, _)| !name.contains(&number))
        .cloned()
        .collect();
    assert!(fewer.len() < all.len());
    let (exit, reasons) = judged(&pack(&fewer), &key);
    assert!(
        !matches!(exit, Exit::Done | Exit::Hold),
        "{exit:?} {reasons:?}"
    );
}

/// Whether any text in it is, decoded, a revocation.
fn holds(value: &Value) -> bool {
    match value {
        Value::String(text) => BASE64
            .decode(text)
            .is_ok_and(|b| String::from_utf8_lossy(&b).contains("approval-revocation")),
        Value::Array(all) => all.iter().any(holds),
        Value::Object(all) => all.values().any(holds),
        _ => false,
    }
}
