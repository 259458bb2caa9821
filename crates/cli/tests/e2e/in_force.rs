//! What loosens a control is judged by what is in force, whichever file is named, and whatever it says for a moment.

use std::sync::Arc;

use gonogo_app::Workspace;
use gonogo_app::config::Overrides;
use gonogo_app::identity::read_key;
use gonogo_app::workspace::Caller;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_store::ledger::Draft;
use serde_json::{Value, json};

use crate::approval_channel::said;
use crate::approvals::{as_person, id, strict};
use crate::project::{CONFIG, Project};

/// The strict project after dana asked for 1.0.0, erin approved it, and it was promoted.
fn released() -> Project {
    let project = strict(1);
    let plan = said(&project, "dana", &["plan", "--to", "1.0.0"])["plan"].clone();
    said(&project, "erin", &["approve", id(&plan)]);
    let load = project.load(300.0);
    as_person(&project, "you", &["apply", id(&plan)]).expect(0);
    load.stop();
    load.join();
    project
}

/// Writes another file beside the project's, for the same place.
fn other(project: &Project, config: &str) {
    let mine = project.text("gonogo.toml");
    project.configure(config);
    std::fs::rename(project.path("gonogo.toml"), project.path("other.toml")).unwrap();
    std::fs::write(project.path("gonogo.toml"), mine).unwrap();
}

#[test]
fn another_file_makes_nobody_an_approver_of_what_is_known_good() {
    let project = released();
    let promote = |name: &str, more: &[&str]| {
        let args = ["known-good", "promote", "1.0.0", "--why", "fine", "--json"];
        as_person(&project, name, &[&args[..], more].concat())
    };
    let key = project.data(&["key", "show", "people/mallory.pem"])["key"].take();
    let listed = CONFIG.replace(
        "approval = \"self\"",
        &format!("approval = {{ self = true, approvers = [{{ id = \"mallory\", role = \"sre\", key = {key} }}] }}"),
    );
    for config in [CONFIG, &listed] {
        other(&project, config);
        promote("mallory", &["--config", "other.toml"]).refusal(77, &["KNOWN_GOOD_REFUSED"]);
        // The project's own file, for a moment.
        let mine = project.text("gonogo.toml");
        project.configure(config);
        promote("mallory", &[]).refusal(77, &["KNOWN_GOOD_REFUSED"]);
        std::fs::write(project.path("gonogo.toml"), mine).unwrap();
    }
    assert!(project.records("known-good").is_empty());

    // Somebody who may, by both; its record says by what.
    promote("erin", &[]).expect(0);
    let record = project.records("known-good").remove(0);
    let policy = record["body"]["policy"].as_str().unwrap().to_owned();
    assert!(policy.starts_with("sha256:"), "{record:#}");
    let said_by = || {
        let known = project.data(&["known-good", "list"]);
        known["versions"][0]["saidBy"].clone()
    };
    assert_eq!(said_by(), "erin");

    // A record that should never have been made is read, and counts for nothing.
    let said = |by: &str, policy: &str| {
        let body = json!({"by": by, "policy": policy, "reason": "x"});
        let mut whole = record["body"].clone();
        for (name, value) in body.as_object().unwrap() {
            whole[name] = value.clone();
        }
        whole
    };
    let nothing = gonogo_core::Digest::of(b"nothing").to_string();
    for (n, (by, policy)) in [
        ("mallory", policy.as_str()),
        // Who asked for it.
        ("dana", &policy),
        // Of another policy than the one in force.
        ("finn", &nothing),
    ]
    .into_iter()
    .enumerate()
    {
        append(&project, by, n, said(by, policy));
        assert_eq!(said_by(), "erin", "{by}");
    }
    append(&project, "finn", 9, said("finn", &policy));
    assert_eq!(said_by(), "finn");
}

/// Appends a word about a version as somebody's program might.
fn append(project: &Project, by: &str, n: usize, mut body: Value) {
    let key = project.path(&format!("people/{by}.pem"));
    let caller = Caller {
        name: Some(by.into()),
        key: Some(key.clone()),
        ..Caller::default()
    };
    let clock = Arc::new(SystemClock::default());
    let overrides = Overrides::default();
    let ws = Workspace::open(&project.path("."), &overrides, caller, clock.clone()).unwrap();
    ws.identity().unwrap();
    let time = clock.now().wall;
    body["at"] = json!(time);
    let draft = Draft {
        stream: "control/known-good".into(),
        key: format!("known-good/{n}"),
        kind: "known-good".into(),
        subject: Vec::new(),
        time,
        actor: by.into(),
        body,
        signer: Some(Arc::new(read_key(&key).unwrap())),
    };
    ws.ledger.append(vec![draft]).unwrap();
}

#[test]
fn another_file_ends_no_freeze() {
    let dry_run = CONFIG.replace(
        "gates = \"none\"",
        "gates = { dry_run = { max_age = \"7d\", binding = \"mentioned\" } }",
    );
    let project = Project::with(&dry_run);
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
    project.run(&run).expect(0);
    let load = project.load(300.0);
    project.run(&["release", "--to", "1.0.0"]).expect(0);
    load.stop();
    load.join();

    let freeze = |more: &[&str]| {
        let args = [&["freeze", "--why", "the database moves"], more].concat();
        project.data(&args)["freeze"].as_str().unwrap().to_owned()
    };
    let everywhere = freeze(&[]);
    let here = freeze(&["--env", "local"]);
    let missing = ["GATE_EVIDENCE_MISSING", "FREEZE_ACTIVE"];
    let unknown = ["ENVIRONMENT_UNKNOWN", "FREEZE_ACTIVE"];
    for id in [&everywhere, &here] {
        let args = ["unfreeze", id, "--why", "late", "--to", "2.0.0"];
        project.refuses(&args, 3, &missing);
        // Another file that demands nothing, and one that calls the environment something else.
        let by_other = [&args[..], &["--config", "other.toml"]].concat();
        other(&project, CONFIG);
        project.refuses(&by_other, 3, &missing);
        let elsewhere = CONFIG.replace("[environments.local]", "[environments.there]");
        other(&project, &elsewhere);
        project.refuses(&by_other, 64, &unknown);
        // The project's own file, for a moment.
        project.configure(CONFIG);
        project.refuses(&args, 3, &missing);
        project.configure(&dry_run);
    }
    // What serves has its evidence: by the gates in force it ends.
    let ended = project.data(&["unfreeze", &here, "--why", "moved"]);
    assert_eq!(ended["gates"][0]["demanded"], "dry-run", "{ended:#}");
    assert!(ended["gates"][0]["judgedBy"].is_string(), "{ended:#}");
    // People approve a plan that was made with another file: its gates count alone from then on.
    project.configure(CONFIG);
    let plan = project.plan("2.0.0");
    let late = ["unfreeze", &everywhere, "--why", "late", "--to", "2.0.0"];
    project.refuses(&late, 3, &missing);
    project.data(&["approve", &plan]);
    let ended = project.data(&late);
    assert_eq!(ended["gates"][0]["demanded"], "none");
    assert_eq!(ended["gates"][0]["acceptedBy"], plan.as_str());
    assert_eq!(project.data(&["freeze", "list"])["active"], json!([]));
}
