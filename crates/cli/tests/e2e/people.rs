//! Who may ask, whose policy counts, and people who change their minds.

use serde_json::json;

use crate::approvals::{as_person, id, plan, strict, tokens};

#[test]
fn who_asks_is_known_or_asks_for_nothing() {
    let project = strict(1);
    project.plan("1.0.0");
    let keys = project.records("key-event").len();
    // A name made up on the spot, somebody's name over another key, somebody's key under another name.
    let error = project.refuses_as(
        "ghost",
        &["plan", "--to", "2.0.0", "--as", "ghost"],
        77,
        &["REQUESTER_UNLISTED"],
    );
    assert_eq!(error["code"], "APPROVAL_REQUIRED", "{error:#}");
    for (name, key, reason) in [
        ("ghost", "dana", "REQUESTER_UNLISTED"),
        ("dana", "mallory", "KEY_NOT_LISTED"),
        ("dana", "you", "KEY_NOT_LISTED"),
    ] {
        let key = format!("people/{key}.pem");
        let args = ["plan", "--to", "2.0.0", "--as", name, "--key", &key];
        project.refuses_as(name, &args, 77, &[reason]);
    }
    // A listed name without its key here.
    let args = ["plan", "--to", "2.0.0", "--as", "dana"];
    project.refuses_as("dana", &args, 77, &["KEY_UNREADABLE"]);
    assert_eq!(
        project.records("key-event").len(),
        keys,
        "a key was enrolled"
    );
    let made: Vec<_> = crate::project::files(&project.path(".gonogo/keys"))
        .into_keys()
        .filter_map(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .filter(|n| n.ends_with(".p256.pem"))
        .collect();
    assert_eq!(made, ["you.p256.pem"], "a key was made on the spot");

    // An approver may ask, too, and then not approve.
    let ran = as_person(&project, "dana", &["plan", "--to", "2.0.0", "--json"]);
    ran.expect(0);
    let plan = ran.envelope()["data"]["plan"].clone();
    let args = ["approve", id(&plan), "--json"];
    as_person(&project, "dana", &args).refusal(77, &["APPROVAL_SELF_GIVEN"]);
    // Nobody applies in another's name, and who tried is not said to be them.
    let args = [
        "apply",
        id(&plan),
        "--as",
        "dana",
        "--key",
        "people/mallory.pem",
    ];
    project.refuses_as("dana", &args, 77, &["KEY_NOT_LISTED"]);
    let refusal = project.records("refusal").pop().unwrap();
    assert_eq!(
        (&refusal["actor"], &refusal["body"]["details"]["claimed"]),
        (&json!("unproven"), &json!("dana"))
    );
}

#[test]
fn a_policy_that_asks_for_less_must_hold_beside_the_one_before() {
    let project = strict(1);
    let strict = project.text("gonogo.toml");
    let first = plan(&project, "crash-at-start");
    as_person(&project, "dana", &["approve", id(&first)]).expect(0);
    project.run(&["apply", id(&first)]).expect(2);

    // Whoever may change the file lets everybody approve for themselves, and asks.
    let at = strict.find("approval = {").unwrap();
    let end = at + strict[at..].find('\n').unwrap();
    let loose = format!("{}approval = \"self\"{}", &strict[..at], &strict[end..]);
    std::fs::write(project.path("gonogo.toml"), loose).unwrap();
    let args = ["plan", "--to", "1.0.0", "--key", "people/mallory.pem"];
    let error = project.refuses_as("mallory", &args, 78, &["PLAN_LINT", "REQUESTER_UNLISTED"]);
    assert!(
        error.to_string().contains("REQUESTER_UNLISTED"),
        "{error:#}"
    );
    let ran = as_person(&project, "you", &["plan", "--to", "1.0.0", "--json"]);
    ran.expect(0);
    let second = ran.envelope()["data"]["plan"].clone();
    assert!(ran.out.contains("APPROVAL_WEAKENED"), "{}", ran.out);
    as_person(&project, "you", &["approve", id(&second)]).expect(0);
    let error = project.refuses(
        &["apply", id(&second)],
        77,
        &["APPROVAL_SELF_GIVEN", "APPROVAL_WEAKENED"],
    );
    assert_eq!(
        tokens(&error),
        ["approval.approverId.notRequester", "approval.policyBefore"]
    );
    // Those who had a say before agree, and the looser policy stands from then on.
    as_person(&project, "dana", &["approve", id(&second)]).expect(0);
    let load = project.load(300.0);
    project.run(&["apply", id(&second)]).expect(0);
    project.run(&["release", "--to", "2.0.0"]).expect(0);
    load.stop();
    load.join();
    for operation in project.data(&["history"])["operations"].as_array().unwrap() {
        let packet = format!(".gonogo/packets/{}.tar", operation["id"].as_str().unwrap());
        project.run(&["verify", &packet, "--replay"]).expect(1);
    }
}

#[test]
fn a_change_of_mind_and_back_verifies_as_it_was_applied() {
    let project = strict(1);
    let plan = plan(&project, "crash-at-start");
    for more in [&[][..], &["--reject"], &[]] {
        as_person(&project, "dana", &[&["approve", id(&plan)], more].concat()).expect(0);
    }
    project.run(&["apply", id(&plan)]).expect(2);
    // A no after the beginning is too late and says nothing about it.
    as_person(&project, "erin", &["approve", id(&plan), "--reject"]).expect(0);
    let operation = project.data(&["history"])["operations"][0]["id"].take();
    let packet = format!(".gonogo/packets/{}.tar", operation.as_str().unwrap());
    for _ in 0..2 {
        let seen = project.run(&["verify", &packet, "--replay"]);
        seen.expect(1);
        assert!(seen.out.contains("held when it began"), "{}", seen.out);
        // The packet written again holds the late no as well.
        project
            .run(&["packet", operation.as_str().unwrap()])
            .expect(0);
    }
}

#[test]
fn a_name_in_the_ledger_belongs_to_its_key() {
    let project = crate::project::Project::new();
    project.plan("1.0.0");
    std::fs::write(
        project.path("report.xml"),
        "<testsuite name=\"s\" tests=\"1\"><testcase name=\"a\"/></testsuite>",
    )
    .unwrap();
    project.run(&["key", "new", "--out", "other.pem"]).expect(0);
    let public = |name: &str| {
        let key = gonogo_app::identity::read_key(&project.path(name)).unwrap();
        let path = project.path(&format!("{name}.pub"));
        std::fs::write(&path, key.public().pem()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let other = public("other.pem");
    let keys = project.records("key-event").len();
    // Somebody's name, the controller's, and a name whose key was revoked.
    let submit = |name: &str| {
        [
            "evidence",
            "submit",
            "report.xml",
            "--as",
            name,
            "--key",
            "other.pem",
            "--json",
        ]
        .map(ToOwned::to_owned)
    };
    let refused = |name: &str| {
        let args = submit(name);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        project.run(&args).refusal(77, &["KEY_NOT_LISTED"]);
    };
    refused("you");
    refused("gonogo");
    assert_eq!(project.records("key-event").len(), keys);
    let you = project.data(&["ledger", "keys", "list"])["keys"][1].clone();
    assert_eq!(you["who"], "you");
    // The controller's name is nobody else's, not even by name.
    project
        .run(&[
            "ledger", "keys", "enrol", &other, "--who", "gonogo", "--json",
        ])
        .refusal(64, &["ARGUMENT_INVALID"]);
    project.data(&[
        "ledger",
        "keys",
        "revoke",
        &you["key"].as_str().unwrap()[..16],
        "--why",
        "lost",
        "--yes",
    ]);
    refused("you");
    // A second key of the same person is enrolled by name.
    project.data(&["ledger", "keys", "enrol", &other, "--who", "you"]);
    let args = submit("you");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    project.run(&args).expect(0);
}
