//! Ways around a control that are none: going forward by going back, an older file, a version that nobody asked, an agent at the command
//! line.

use std::time::Duration;

use serde_json::json;

use crate::project::{CONFIG, Project, wait};

fn release(project: &Project, version: &str) {
    let load = project.load(300.0);
    project.run(&["release", "--to", version]).expect(0);
    load.stop();
    load.join();
}

#[test]
fn a_rollback_is_no_way_forward() {
    let project = Project::new();
    let ann = project.data(&["key", "new", "--out", "ann.pem"])["key"].take();
    let policy = format!(
        "approval = {{ self = true, required = 1, rollback = \"preapproved\", approvers = [{{ id = \"ann\", role = \"sre\", key = {ann} }}] }}"
    );
    project.configure(&CONFIG.replace("approval = \"self\"", &policy));
    for version in ["1.0.0", "2.0.0"] {
        release(&project, version);
    }
    // A plan to what was before, which nobody has carried out: its name is no way back, though its version is.
    let before = project.plan("1.0.0");
    project.refuses(
        &["rollback", "--yes", "--to", &before],
        1,
        &["NO_KNOWN_GOOD"],
    );
    let load = project.load(300.0);
    project.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    let forward = project.plan("2.0.0");
    project.data(&["freeze", "--why", "2.0.0 loses orders"]);
    project.refuses(&["apply", &forward], 1, &["FREEZE_ACTIVE"]);
    for (to, word) in [("2.0.0", "gonogo release"), (&forward, "never went")] {
        let args = ["rollback", "--yes", "--to", to];
        let error = project.refuses(&args, 1, &["NO_KNOWN_GOOD"]);
        assert!(error.to_string().contains(word), "{error:#}");
    }
    // Nor does a pin to it lead there.
    project.data(&["pin", "2.0.0", "--why", "it is pinned"]);
    project.refuses(&["rollback", "--yes"], 1, &["NO_KNOWN_GOOD"]);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
}

#[test]
fn a_file_of_before_ends_no_freeze() {
    let strict = CONFIG.replace(
        "gates = \"none\"",
        "gates = { dry_run = { max_age = \"7d\", binding = \"mentioned\" } }",
    );
    // Released while no gate was demanded, and so never under the one that is demanded now.
    let project = Project::new();
    release(&project, "1.0.0");
    std::fs::copy(project.path("gonogo.toml"), project.path("old.toml")).unwrap();
    // A plan by which people accepted the file of then.
    let then = project.plan("2.0.0");
    project.data(&["approve", &then]);
    project.configure(&strict);
    let freeze = project.data(&["freeze", "--why", "x"])["freeze"].take();
    let freeze = freeze.as_str().unwrap();
    let missing = ["GATE_EVIDENCE_MISSING", "FREEZE_ACTIVE"];
    let args = ["unfreeze", freeze, "--why", "late"];
    project.refuses(&args, 3, &missing);
    project.refuses(
        &[&args[..], &["--config", "old.toml"]].concat(),
        3,
        &missing,
    );
    // The file itself, for a moment: the freeze knows under what it was declared.
    let mine = project.text("gonogo.toml");
    std::fs::copy(project.path("old.toml"), project.path("gonogo.toml")).unwrap();
    project.refuses(&args, 3, &missing);
    std::fs::write(project.path("gonogo.toml"), mine).unwrap();
    let posture = ["rollback-posture", "--why", "t", "--config", "old.toml"];
    let reopened = project.run(&[&posture[..], &["--reopen", "--json"]].concat());
    assert_ne!(reopened.status, 0, "{}", reopened.out);
    assert_eq!(
        project.records("freeze-end"),
        Vec::<serde_json::Value>::new()
    );
}

#[test]
fn a_version_that_nobody_asked_is_not_known_good() {
    let project = Project::new();
    let ran = project.run(&["release", "--to", "1.0.0", "--detach", "--json"]);
    ran.expect(75);
    let open = ran.envelope()["data"]["handle"]["operationId"].clone();
    wait("the version's share", Duration::from_secs(20), || {
        (project.serves() == ["1.0.0:10000"]).then_some(())
    });
    let id = open.as_str().unwrap();
    project.run(&["cancel", id, "--yes"]).expect(0);
    project.run(&["watch", id]);
    let error = project.refuses(
        &["known-good", "promote", "1.0.0", "--why", "it started"],
        77,
        &["KNOWN_GOOD_REFUSED"],
    );
    assert!(error.to_string().contains("requests"), "{error:#}");
    assert_eq!(project.data(&["known-good", "list"])["versions"], json!([]));
}

#[test]
fn no_agent_decides_at_the_command_line_either() {
    let project = Project::serving();
    let token = ["token", "create", "--name", "bot", "--agent-for", "you"];
    project.data(&[&token[..], &["--role", "operator"]].concat());
    let freeze = project.data(&["freeze", "--why", "x"])["freeze"].take();
    let as_bot =
        |args: &[&str]| project.run_as("bot", &[args, &["--as", "bot", "--json"]].concat());
    let planned = as_bot(&["plan", "--to", "2.0.0"]);
    planned.expect(0);
    let plan = planned.envelope()["data"]["plan"]["id"].take();
    for decision in [
        &["approve", plan.as_str().unwrap()][..],
        &["unfreeze", freeze.as_str().unwrap(), "--why", "x"],
        &["pin", "1.0.0", "--why", "x"],
        &["known-good", "promote", "1.0.0"],
        &["rollback-posture", "--why", "x"],
    ] {
        as_bot(decision).refusal(77, &["AGENT_MAY_NOT_DECIDE"]);
    }
    // Nor does it take back what people said, or say things that nobody should read.
    let plan = plan.as_str().unwrap();
    project.data(&["plan", "--to", "2.0.0"]);
    let given = project.data(&["approve", plan])["approval"]["approvalId"].take();
    let given = given.as_str().unwrap();
    let revoke = ["approval", "revoke", given, "--why", "x", "--as-admin"];
    as_bot(&revoke).refusal(77, &["AGENT_MAY_NOT_DECIDE"]);
    let secret = "gng_psqdqjxybfqn_26jWtMlqpLeDk7ijuDLsbKflp85fB0aZ1";
    let back = ["rollback", "--yes", "--why", secret];
    project.refuses(&back, 64, &["SECRET_IN_INPUT"]);
    let keyed = ["apply", plan, "--idempotency-key", secret];
    project.refuses(&keyed, 64, &["SECRET_IN_INPUT"]);
    for kind in [
        "approval-revoked",
        "freeze-end",
        "pin",
        "known-good",
        "posture",
    ] {
        let made = project.records(kind).into_iter();
        let by_bot = made.filter(|r| r["actor"] == "bot").count();
        assert_eq!(by_bot, 0, "{kind}");
    }
    // Nobody is both: a person's name is no agent's, and the reverse.
    project.data(&["token", "create", "--name", "vera", "--role", "operator"]);
    for (name, more) in [("vera", &["--agent-for", "you"][..]), ("bot", &[])] {
        let args = [
            &["token", "create", "--name", name, "--role", "viewer"],
            more,
        ]
        .concat();
        project.refuses(&args, 64, &["ARGUMENT_INVALID"]);
    }
}
