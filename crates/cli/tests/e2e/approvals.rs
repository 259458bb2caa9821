//! Approvals: every rule that one can break, each with its token; signatures are made here, not by the code under test.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_core::{Timestamp, canonical};
use gonogo_ledger::key::{Pkcs8, SigningKey};
use serde_json::{Value, json};

use crate::project::{CONFIG, Project, wait};

const PEOPLE: [&str; 4] = ["you", "dana", "erin", "finn"];

/// A project that four people can work on, and that demands `required` release managers other than who asks.
pub(crate) fn strict(required: u32) -> Project {
    let project = Project::new();
    std::fs::create_dir_all(project.path("people")).unwrap();
    let listed: Vec<String> = PEOPLE
        .iter()
        .map(|name| {
            let file = format!("people/{name}.pem");
            let key = project.data(&["key", "new", "--out", &file])["key"]
                .as_str()
                .unwrap()
                .to_owned();
            format!("{{ id = \"{name}\", role = \"release-manager\", key = \"{key}\" }}")
        })
        .collect();
    project
        .run(&["key", "new", "--out", "people/mallory.pem"])
        .expect(0);
    // A listed name gets no key on the spot: `you` keeps theirs where the project looks for it.
    std::fs::create_dir_all(project.path(".gonogo/keys")).unwrap();
    std::fs::copy(
        project.path("people/you.pem"),
        project.path(".gonogo/keys/you.p256.pem"),
    )
    .unwrap();
    let policy = format!(
        "approval = {{ roles = [\"release-manager\"], required = {required}, max_sla = \"60m\", approvers = [{}] }}",
        listed.join(", ")
    );
    project.configure(&CONFIG.replace("approval = \"self\"", &policy));
    project
}

/// Runs a command as one of the people, with their key.
#[track_caller]
pub(crate) fn as_person(project: &Project, name: &str, args: &[&str]) -> crate::screen::Ran {
    let key = format!("people/{name}.pem");
    project.run_as(name, &[args, &["--as", name, "--key", &key]].concat())
}

#[track_caller]
pub(crate) fn plan(project: &Project, version: &str) -> Value {
    let ran = as_person(project, "you", &["plan", "--to", version, "--json"]);
    ran.expect(0);
    ran.envelope()["data"]["plan"].clone()
}

pub(crate) fn id(plan: &Value) -> &str {
    plan["id"].as_str().unwrap()
}

fn minutes_from_now(minutes: i64) -> String {
    let now = SystemClock::default().now().wall;
    Timestamp::from_millis(now.as_millis() + minutes * 60_000).to_string()
}

/// An approval of `plan` by dana as it should be.
fn good(plan: &Value) -> Value {
    json!({
        "approvalId": gonogo_core::id::ApprovalId::mint(gonogo_app::identity::random()).to_string(),
        "approverId": "dana",
        "approverRole": "release-manager",
        "decision": "approved",
        "decidedAt": minutes_from_now(0),
        "slaMinutes": 30,
        "environment": "local",
        "planFingerprint": plan["fingerprint"],
    })
}

/// The approval's file, signed with the key of `name`.
fn sign(project: &Project, name: &str, approval: &Value) -> Value {
    let pem = project.text(&format!("people/{name}.pem"));
    let key = SigningKey::load(&Pkcs8::from_pem(&pem).unwrap()).unwrap();
    let kind = "application/vnd.gonogo.approval.v1+json";
    let payload = canonical::to_vec(approval).unwrap();
    // DSSE v1: "DSSEv1" SP len SP type SP len SP body.
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    message.extend(&payload);
    json!({
        "payloadType": kind,
        "payload": BASE64.encode(&payload),
        "signatures": [{"keyid": key.public().id().to_string(), "sig": BASE64.encode(key.sign(&message).unwrap())}],
        "publicKey": key.public().base64(),
    })
}

fn write(project: &Project, name: &str, file: &Value) -> String {
    std::fs::create_dir_all(project.path("approvals")).unwrap();
    std::fs::write(project.path(&format!("approvals/{name}")), file.to_string()).unwrap();
    format!("approvals/{name}")
}

pub(crate) fn tokens(error: &Value) -> Vec<&str> {
    error["details"]["missingFields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect()
}

#[test]
fn without_an_approval_nothing_happens() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let error = project.refuses(&["apply", id(&plan)], 77, &["APPROVAL_MISSING"]);
    assert_eq!(
        (&error["code"], tokens(&error)),
        (&json!("APPROVAL_REQUIRED"), vec!["approval"])
    );
    assert_eq!(error["details"]["maxSlaMinutes"], 60);
    project
        .run(&["apply", id(&plan)])
        .matches("apply-not-approved");

    // Where others must approve, `release` stops at the same place, with a plan that they can approve.
    let ran = project.run(&["release", "--to", "1.0.0", "--json"]);
    ran.refusal(77, &["APPROVAL_MISSING"]);
    assert!(project.serves().is_empty());
    assert_eq!(project.records("refusal").len(), 3);
}

/// Who approves how, for which reasons that is refused, and which rules it breaks.
type Refused = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

#[test]
fn an_approval_that_breaks_a_rule_is_not_given() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let before = project.world();
    let cases: [Refused; 4] = [
        (
            "you",
            &[],
            &["APPROVAL_SELF_GIVEN"],
            &["approval.approverId.notRequester"],
        ),
        (
            "dana",
            &["--role", "intern"],
            &["APPROVAL_INVALID"],
            &[
                "approval.approverRole.allowed",
                "approval.approverId.listed",
            ],
        ),
        (
            "dana",
            &["--sla-minutes", "61"],
            &["APPROVAL_INVALID"],
            &["approval.slaMinutes.withinThreshold"],
        ),
        (
            "mallory",
            &[],
            &["APPROVAL_INVALID"],
            &["approval.approverId.listed"],
        ),
    ];
    for (n, (name, more, reasons, wanted)) in cases.into_iter().enumerate() {
        let ran = as_person(
            &project,
            name,
            &[&["approve", id(&plan), "--json"], more].concat(),
        );
        let error = ran.refusal(77, reasons);
        assert_eq!(tokens(&error), wanted);
        assert_eq!(
            project.records("refusal").len(),
            n + 1,
            "a refusal is evidence"
        );
    }
    // Another's name with one's own key, known and new; one's own plan under another's name; another's key under one's own name.
    project
        .run(&["key", "new", "--out", "people/fresh.pem"])
        .expect(0);
    let keys = || project.records("key-event").len();
    let known = keys();
    let unlisted = ["approval.approverId.listed"];
    let own = [
        "approval.approverId.notRequester",
        "approval.approverId.listed",
    ];
    for (name, key, wanted) in [
        ("dana", "mallory", &unlisted[..]),
        ("dana", "fresh", &unlisted),
        ("dana", "you", &own),
        ("mallory", "dana", &unlisted),
    ] {
        for no in [&[][..], &["--reject"]] {
            let key = format!("people/{key}.pem");
            let args = ["approve", id(&plan), "--as", name, "--key", &key, "--json"];
            let ran = project.run(&[&args[..], no].concat());
            let error = match (no, key.as_str()) {
                // Who asked may withdraw, but not in another's name.
                (["--reject"], _) => {
                    let error = ran.refusal(77, &["APPROVAL_INVALID"]);
                    assert_eq!(tokens(&error), unlisted);
                    error
                }
                (_, "people/you.pem") => {
                    ran.refusal(77, &["APPROVAL_INVALID", "APPROVAL_SELF_GIVEN"])
                }
                _ => ran.refusal(77, &["APPROVAL_INVALID"]),
            };
            if no.is_empty() {
                assert_eq!(tokens(&error), wanted, "{name} {key}");
            }
            // The refusal is nobody's but the key's, which is not enrolled by it.
            let refusal = project.records("refusal").pop().unwrap();
            let shown = project.data(&["key", "show", &key])["key"].take();
            assert_eq!(refusal["actor"], format!("key:{}", shown.as_str().unwrap()));
            assert_eq!(refusal["body"]["details"]["claimed"], name);
        }
    }
    // No key of the name is here: none is made.
    project
        .run(&["approve", id(&plan), "--as", "dana", "--json"])
        .refusal(77, &["KEY_UNREADABLE"]);
    assert!(!project.path(".gonogo/keys/dana.p256.pem").exists());
    assert_eq!(keys(), known, "a refused key was enrolled");
    assert_eq!(project.world(), before);
    as_person(&project, "you", &["approve", id(&plan)]).matches("approve-self-not-allowed");
}

/// How an approval is broken, what breaks, and for which reasons.
type Broken = (
    &'static str,
    fn(&mut Value),
    &'static [&'static str],
    &'static [&'static str],
);

#[test]
fn every_broken_rule_of_an_approval_is_listed() {
    let project = strict(1);
    let invalid: &[&str] = &["APPROVAL_INVALID"];
    let cases: &[Broken] = &[
        (
            "expired",
            |a| {
                a["decidedAt"] = minutes_from_now(-2).into();
                a["slaMinutes"] = 1.into();
            },
            &["approval.notExpired"],
            &["APPROVAL_EXPIRED"],
        ),
        (
            "future",
            |a| a["decidedAt"] = minutes_from_now(10).into(),
            &["approval.decidedAt.notInFuture"],
            invalid,
        ),
        (
            "no time",
            |a| a["decidedAt"] = "yesterday".into(),
            &["approval.decidedAt.format"],
            invalid,
        ),
        (
            "other environment",
            |a| a["environment"] = "prod".into(),
            &["approval.environment.match"],
            invalid,
        ),
        (
            "other plan",
            |a| {
                let print = a["planFingerprint"].as_str().unwrap();
                let last = if print.ends_with('0') { "1" } else { "0" };
                a["planFingerprint"] = format!("{}{last}", &print[..print.len() - 1]).into();
            },
            &["approval.planFingerprint.match"],
            invalid,
        ),
        (
            "rejected",
            |a| a["decision"] = "rejected".into(),
            &["approval.decision.approved", "approval.notRejected"],
            &["APPROVAL_INVALID", "APPROVAL_REJECTED"],
        ),
        (
            "nearly approved",
            |a| a["decision"] = "Approved".into(),
            &["approval.decision.approved"],
            invalid,
        ),
        (
            "role",
            |a| a["approverRole"] = "intern".into(),
            &[
                "approval.approverRole.allowed",
                "approval.approverId.listed",
            ],
            invalid,
        ),
        (
            "stranger",
            |a| a["approverId"] = "mallory".into(),
            &["approval.approverId.listed"],
            invalid,
        ),
        (
            "too long",
            |a| a["slaMinutes"] = 61.into(),
            &["approval.slaMinutes.withinThreshold"],
            invalid,
        ),
        (
            "no length",
            |a| a["slaMinutes"] = 0.into(),
            &["approval.slaMinutes", "approval.notExpired"],
            &["APPROVAL_INVALID", "APPROVAL_EXPIRED"],
        ),
        (
            "for ever",
            |a| a["slaMinutes"] = u64::from(u32::MAX).into(),
            &["approval.slaMinutes.withinThreshold"],
            invalid,
        ),
        (
            "no id",
            |a| a["approvalId"] = "first".into(),
            &["approval.approvalId.format"],
            invalid,
        ),
        (
            "by who asks",
            |a| a["approverId"] = "you".into(),
            &[
                "approval.approverId.notRequester",
                "approval.approverId.listed",
            ],
            &["APPROVAL_INVALID", "APPROVAL_SELF_GIVEN"],
        ),
        (
            "nothing",
            |a| *a = json!({"slaMinutes": 0}),
            &[
                "approval.approvalId",
                "approval.approverRole",
                "approval.approverId",
                "approval.decision",
                "approval.decidedAt",
                "approval.slaMinutes",
                "approval.environment",
                "approval.planFingerprint",
                "approval.approverRole.allowed",
                "approval.approverId.listed",
            ],
            invalid,
        ),
    ];
    for (n, (what, spoil, wanted, reasons)) in cases.iter().enumerate() {
        // A plan of its own for each: a broken approval stays on record and would be listed with the next one.
        project.behave("1.0.0", &format!("version = \"1.0.0\"\n# {n}\n"));
        let plan = plan(&project, "1.0.0");
        let mut approval = good(&plan);
        spoil(&mut approval);
        let file = write(
            &project,
            &format!("{n}.json"),
            &sign(&project, "dana", &approval),
        );
        let before = project.data(&["history"]);
        let error = project
            .run(&["apply", id(&plan), "--approval", &file, "--json"])
            .refusal(77, reasons);
        assert_eq!(tokens(&error), *wanted, "{what}");
        assert_eq!(project.data(&["history"]), before, "{what}");
        let refusal = project.records("refusal").pop().unwrap();
        assert_eq!(
            refusal["body"]["details"]["missingFields"],
            json!(wanted),
            "{what}: {refusal:#}"
        );
    }
    assert!(project.serves().is_empty());
}

#[test]
fn all_that_is_wrong_is_listed_together() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let mut late = good(&plan);
    late["decidedAt"] = minutes_from_now(-120).into();
    let mut elsewhere = good(&plan);
    elsewhere["environment"] = "prod".into();
    let late = write(&project, "late.json", &sign(&project, "dana", &late));
    let elsewhere = write(
        &project,
        "elsewhere.json",
        &sign(&project, "mallory", &elsewhere),
    );
    let ran = project.run(&[
        "apply",
        id(&plan),
        "--approval",
        &late,
        "--approval",
        &elsewhere,
        "--json",
    ]);
    let error = ran.refusal(77, &["APPROVAL_INVALID", "APPROVAL_EXPIRED"]);
    assert_eq!(
        tokens(&error),
        [
            "approval.notExpired",
            "approval.environment.match",
            "approval.approverId.listed"
        ]
    );
    project
        .run(&["apply", id(&plan)])
        .matches("apply-two-bad-approvals");
}

#[test]
fn a_file_that_is_no_signed_approval_is_refused_before_it_counts() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    let signed = sign(&project, "dana", &good(&plan));
    let change = |key: &str, value: Value| {
        let mut file = signed.clone();
        file[key] = value;
        file
    };
    let mut other = good(&plan);
    other["note"] = "another payload under the same signature".into();
    let mallory = sign(&project, "mallory", &good(&plan));
    let mut stray = good(&plan);
    stray["force"] = true.into();
    let files = [
        (
            "payload",
            change("payload", sign(&project, "dana", &other)["payload"].clone()),
        ),
        (
            "signature",
            change("signatures", mallory["signatures"].clone()),
        ),
        ("key", change("publicKey", mallory["publicKey"].clone())),
        ("none", change("signatures", json!([]))),
        ("type", change("payloadType", "text/plain".into())),
        ("stray", change("trusted", true.into())),
        ("inside", sign(&project, "dana", &stray)),
        ("list", json!([])),
    ];
    for (what, file) in files {
        let file = write(&project, &format!("{what}.json"), &file);
        let error = project.refuses(
            &["apply", id(&plan), "--approval", &file],
            65,
            &["INPUT_MALFORMED"],
        );
        assert!(
            error["message"].as_str().unwrap().contains(&file),
            "{what}: {error}"
        );
    }
    std::fs::write(
        project.path("approvals/cut.json"),
        &signed.to_string()[..200],
    )
    .unwrap();
    project.refuses(
        &["apply", id(&plan), "--approval", "approvals/cut.json"],
        65,
        &["INPUT_MALFORMED"],
    );
    project.refuses(
        &["apply", id(&plan), "--approval", "approvals/gone.json"],
        66,
        &["INPUT_NOT_FOUND"],
    );
    assert!(project.records("approval").is_empty());
}

#[test]
fn two_of_three_must_agree_and_one_voice_is_not_two() {
    let project = strict(2);
    let plan = plan(&project, "crash-at-start");
    let id = id(&plan);
    let dana = write(&project, "dana.json", &sign(&project, "dana", &good(&plan)));
    let quorum = ["approval.quorum"];
    let error = project
        .run(&["apply", id, "--approval", &dana, "--json"])
        .refusal(77, &["APPROVAL_QUORUM"]);
    assert_eq!(tokens(&error), quorum);
    // The same file twice, and a second approval of the same person, are still one voice.
    project
        .run(&[
            "apply",
            id,
            "--approval",
            &dana,
            "--approval",
            &dana,
            "--json",
        ])
        .refusal(77, &["APPROVAL_QUORUM"]);
    as_person(&project, "dana", &["approve", id]).expect(0);
    project.refuses(&["apply", id], 77, &["APPROVAL_QUORUM"]);
    // A no of the second person is no yes.
    as_person(
        &project,
        "erin",
        &["approve", id, "--reject", "--note", "not today"],
    )
    .expect(0)
    .matches("approve-reject");
    let error = project.refuses(
        &["apply", id],
        77,
        &["APPROVAL_INVALID", "APPROVAL_QUORUM", "APPROVAL_REJECTED"],
    );
    assert_eq!(
        tokens(&error),
        [
            "approval.decision.approved",
            "approval.quorum",
            "approval.notRejected"
        ]
    );

    // The third decides elsewhere, on a copy of the project, and sends the file.
    let elsewhere = Project::new();
    for dir in [
        "people",
        ".gonogo/keys",
        ".gonogo/plans",
        ".gonogo/ledger/journal",
        ".gonogo/ledger",
        ".gonogo",
    ] {
        std::fs::create_dir_all(elsewhere.path(dir)).unwrap();
        for entry in std::fs::read_dir(project.path(dir))
            .unwrap()
            .flatten()
            .filter(|e| e.path().is_file())
        {
            std::fs::copy(entry.path(), elsewhere.path(dir).join(entry.file_name())).unwrap();
        }
    }
    std::fs::copy(project.path("gonogo.toml"), elsewhere.path("gonogo.toml")).unwrap();
    as_person(&elsewhere, "finn", &["approve", id, "--out", "finn.json"]).expect(0);
    let mut file: Value = serde_json::from_str(&elsewhere.text("finn.json")).unwrap();
    let finn = write(&project, "finn.json", &file);

    // Two agree now, and the no stands against them until who gave it says yes.
    let args = ["apply", id, "--approval", &finn, "--json"];
    let error = project.run(&args).refusal(77, &["APPROVAL_REJECTED"]);
    assert_eq!(tokens(&error), ["approval.notRejected"]);
    as_person(&project, "dana", &["approve", id]).matches("approve-rejected-by-another");
    project.refuses(&["apply", id], 77, &["APPROVAL_REJECTED"]);
    as_person(&project, "erin", &["approve", id]).expect(0);

    // The operation begins, and this version cannot start.
    project.run(&["apply", id, "--approval", &finn]).expect(2);
    assert_eq!(
        project.data(&["history"])["operations"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // Changed on the way, it would not have been.
    file["payload"] = "e30=".into();
    let bad = write(&project, "bad.json", &file);
    let again = [
        "apply",
        id,
        "--idempotency-key",
        "again",
        "--approval",
        &bad,
    ];
    project.refuses(&again, 65, &["INPUT_MALFORMED"]);
}

#[test]
fn a_forged_approval_does_not_keep_the_true_one_out() {
    let project = strict(1);
    let plan = plan(&project, "crash-at-start");
    let approval = good(&plan);
    // The same words, signed by somebody else first.
    let forged = write(
        &project,
        "forged.json",
        &sign(&project, "mallory", &approval),
    );
    project
        .run(&["apply", id(&plan), "--approval", &forged, "--json"])
        .refusal(77, &["APPROVAL_INVALID"]);
    let truly = write(&project, "true.json", &sign(&project, "dana", &approval));
    project
        .run(&["apply", id(&plan), "--approval", &truly])
        .expect(2);
    let used = project.records("operation")[0]["body"]["approvals"].clone();
    assert_eq!(used, json!([approval["approvalId"]]));
}

#[test]
fn an_id_names_one_approval() {
    let project = strict(1);
    let first = plan(&project, "1.0.0");
    let approval = good(&first);
    let file = write(&project, "a.json", &sign(&project, "dana", &approval));
    let submit = |file: &str| project.run(&["approval", "submit", file, "--json"]);
    let given = submit(&file);
    given.expect(0);
    // The same again is the same, also under another signature of the same key.
    let again = write(&project, "again.json", &sign(&project, "dana", &approval));
    for file in [&file, &again] {
        let told = submit(file);
        told.expect(0);
        assert_eq!(told.envelope()["data"], given.envelope()["data"]);
    }
    assert_eq!(project.records("approval").len(), 1);
    // Others under that id: of other words, of another person, of another plan.
    let mut words = approval.clone();
    words["note"] = json!("another");
    let mut person = approval.clone();
    person["approverId"] = json!("erin");
    let second = plan(&project, "2.0.0");
    let mut other = good(&second);
    other["approvalId"] = approval["approvalId"].clone();
    for (what, who, body) in [
        ("words", "dana", &words),
        ("person", "erin", &person),
        ("plan", "dana", &other),
    ] {
        let file = write(&project, what, &sign(&project, who, body));
        let refused = submit(&file);
        assert_ne!(refused.status, 0, "{what}: {}", refused.out);
    }
    let file = write(&project, "plan", &sign(&project, "dana", &other));
    let error = submit(&file).refusal(77, &["APPROVAL_INVALID"]);
    assert!(
        error["message"].as_str().unwrap().contains(id(&first)),
        "{error:#}"
    );
    assert_eq!(project.records("approval").len(), 1);
    // So it can be taken back by it.
    let named = approval["approvalId"].as_str().unwrap();
    let back = ["approval", "revoke", named, "--why", "x", "--json"];
    as_person(&project, "dana", &back).expect(0);
}

#[test]
fn an_output_that_cannot_be_written_is_said_and_nothing_is_lost() {
    let project = strict(1);
    let plan = plan(&project, "1.0.0");
    std::fs::write(project.path("file"), "").unwrap();
    for out in ["file/approval.json", "people"] {
        let ran = as_person(
            &project,
            "dana",
            &["approve", id(&plan), "--out", out, "--json"],
        );
        ran.refusal(73, &["OUTPUT_FAILED"]);
    }
    assert!(
        project.records("approval").is_empty(),
        "an approval that was not handed out was given"
    );
    let key = project.text("people/dana.pem");
    project
        .run(&["key", "new", "--out", "people/dana.pem", "--json"])
        .refusal(73, &["OUTPUT_FAILED"]);
    assert_eq!(
        project.text("people/dana.pem"),
        key,
        "a key was overwritten"
    );
    project
        .run(&["key", "show", "file", "--json"])
        .refusal(77, &["KEY_UNREADABLE"]);
    project
        .run(&["key", "show", "gone.pem", "--json"])
        .refusal(77, &["KEY_UNREADABLE"]);
}

#[test]
fn an_approval_works_once() {
    let project = Project::new();
    let id = project.approved("crash-at-start");
    project.run(&["apply", &id]).expect(2);
    wait(
        "an empty target",
        std::time::Duration::from_secs(10),
        || project.serves().is_empty().then_some(()),
    );
    let error = project.refuses(
        &["apply", &id, "--idempotency-key", "second"],
        77,
        &["APPROVAL_REUSED"],
    );
    assert_eq!(tokens(&error), ["approval.singleUse"]);
    project
        .run(&["apply", &id, "--idempotency-key", "second"])
        .matches("apply-approval-reused");
    // A second approval of the same plan is a second permission.
    project.data(&["approve", &id]);
    project
        .run(&["apply", &id, "--idempotency-key", "second"])
        .expect(2);
    assert_eq!(
        project.data(&["history"])["operations"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}
