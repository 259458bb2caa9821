//! Pins, known-good versions, the way back, and the rollback posture, against the real program.

use gonogo_core::Digest;
use serde_json::{Value, json};

use crate::approval_channel::said;
use crate::approvals::{as_person, id, strict};
use crate::project::{CONFIG, Project, wait};

/// A project that serves 2.0.0 after 1.0.0, both known-good.
#[track_caller]
fn two() -> Project {
    let project = Project::serving();
    release(&project, "2.0.0", 0);
    project
}

#[track_caller]
fn release(project: &Project, version: &str, exit: i32) {
    let load = project.load(300.0);
    let ran = project.run(&["release", "--to", version]);
    load.stop();
    load.join();
    ran.expect(exit);
}

#[track_caller]
fn back(project: &Project, more: &[&str]) -> Value {
    let load = project.load(300.0);
    let data = project.data(&[&["rollback", "--yes"], more].concat());
    load.stop();
    load.join();
    data
}

#[test]
fn a_pin_lets_one_version_through_and_nothing_else() {
    let project = two();
    let other = project.approved("3.0.0");
    let pin = project.data(&["pin", "1.0.0", "--why", "2.0.0 loses orders"]);
    assert_eq!(pin["named"], "tag");
    let error = project.refuses(&["apply", &other], 1, &["PIN_ACTIVE"]);
    let message = error["message"].as_str().unwrap();
    for part in ["`1.0.0`", "`3.0.0`", "you", "2.0.0 loses orders"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    // A plan to anything else is not made, and lint says so of one that there is.
    project.refuses(&["plan", "--to", "3.0.0"], 78, &["PLAN_LINT", "PIN_ACTIVE"]);
    let lint = project.run(&["plan", "lint", &other, "--json"]);
    assert!(lint.out.contains("PIN_ACTIVE"), "{}", lint.out);
    let status = project.data(&["status"]);
    assert_eq!(status["environments"][0]["pin"]["version"], "1.0.0");
    // Back to the pinned version, though another one would be next otherwise.
    back(&project, &[]);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // What was left is not behind: going there again is a release, until somebody says that it is good.
    project.refuses(
        &["rollback", "--yes", "--to", "2.0.0"],
        1,
        &["NO_KNOWN_GOOD"],
    );
    project.data(&["known-good", "promote", "2.0.0", "--why", "it lost none"]);
    // Back is never in its way: it goes past the pin, says so, and leaves it.
    let shown = project.data(&["rollback", "--show", "--to", "2.0.0"]);
    assert_eq!(shown["pastPin"]["version"], "1.0.0", "{shown:#}");
    let past = back(&project, &["--to", "2.0.0"]);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    let asked = project.records("rollback").pop().unwrap();
    assert_eq!(asked["body"]["pastPin"]["by"], "you", "{asked:#}");
    let packet = past["packet"].as_str().unwrap();
    let verified = project.run(&["verify", packet, "--trust-packet", "--json"]);
    let seen = verified.expect(0).envelope()["data"].clone();
    assert_eq!(seen["controls"]["ok"], true, "{seen:#}");
    assert!(seen["controls"]["held"].to_string().contains("1.0.0"));
    // The plain one goes back to what is pinned, and from there on to what was before.
    back(&project, &[]);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // The same name with other bytes is not what was pinned.
    let text = project.text("versions/1.0.0.toml");
    project.behave("1.0.0", &format!("{text}\n# other bytes\n"));
    project.refuses(&["plan", "--to", "1.0.0"], 78, &["PLAN_LINT", "PIN_ACTIVE"]);
    project.behave("1.0.0", &text);
    project.data(&["unpin", "--why", "3.0.0 keeps orders"]);
    project.refuses(&["unpin", "--why", "again"], 66, &["PIN_UNKNOWN"]);
    project.plan("3.0.0");
    assert_eq!(project.data(&["pin", "list"])["pins"], json!([]));
    assert_eq!(project.records("pin").len(), 1);
    assert_eq!(
        project.records("pin-end")[0]["body"]["reason"],
        "3.0.0 keeps orders"
    );
}

#[test]
fn a_pin_is_a_tag_a_digest_or_a_whole_commit_and_never_a_branch() {
    let project = two();
    for moving in ["main", "latest", "HEAD", "abc1234"] {
        project.refuses(&["pin", moving, "--why", "x"], 64, &["PIN_MOVES"]);
    }
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]);
        let done = command.args(args).current_dir(project.path(".")).output();
        done.is_ok_and(|d| d.status.success())
    };
    if git(&["init", "-q"]) && git(&["commit", "-q", "--allow-empty", "-m", "x"]) {
        assert!(git(&["branch", "1.0.0"]));
        project.refuses(&["pin", "1.0.0", "--why", "x"], 64, &["PIN_MOVES"]);
        // Whoever tags it means the tag.
        assert!(git(&["tag", "1.0.0"]));
    } else {
        println!("skipped: no git here, so no branch can be told from a tag");
    }
    let known = project.data(&["known-good", "list"]);
    let first = &known["versions"][1];
    assert_eq!(first["version"], "1.0.0");
    let content = first["content"].as_str().unwrap();
    let pin = project.data(&["pin", content, "--why", "by digest"]);
    assert_eq!(
        (&pin["version"], &pin["named"]),
        (&json!("1.0.0"), &json!("digest"))
    );
    // A file of one version alone names that version, too.
    let file = Digest::of(project.text("versions/2.0.0.toml").as_bytes()).to_string();
    let pin = project.data(&["pin", &file, "--why", "by its file"]);
    assert_eq!(pin["version"], "2.0.0");
    let nothing = Digest::of(b"nothing").to_string();
    let ran = project.run(&["pin", &nothing, "--why", "x", "--json"]);
    assert!(ran.out.contains("VERSION_UNKNOWN"), "{}", ran.out);
}

#[test]
fn what_is_known_good_is_listed_with_its_evidence_and_gone_is_said() {
    let project = two();
    let known = project.data(&["known-good", "list"]);
    let versions = known["versions"].as_array().unwrap();
    let names: Vec<&str> = versions
        .iter()
        .map(|v| v["version"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["2.0.0", "1.0.0"]);
    assert_eq!(
        (&versions[0]["serves"], &versions[0]["next"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        (&versions[1]["serves"], &versions[1]["next"]),
        (&json!(false), &json!(true))
    );
    assert!(
        versions
            .iter()
            .all(|v| v["present"] == true && v["files"][0]["kept"] == true)
    );
    let operation = versions[1]["operation"].as_str().unwrap();
    project.run(&["status", operation]).expect(0);
    // What would go back, and nothing of it is done.
    let before = project.world();
    let shown = project.data(&["rollback", "--show"]);
    assert_eq!(
        (&shown["from"], &shown["to"]),
        (&json!("2.0.0"), &json!("1.0.0"))
    );
    assert_eq!(shown["evidence"], operation);
    let paths: Vec<&str> = shown["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["path"].as_str().unwrap())
        .collect();
    assert!(
        paths.contains(&"version") && paths.iter().any(|p| p.starts_with("artifacts.0.sha256")),
        "{paths:?}"
    );
    assert_eq!(project.world(), before);
    // Its files are gone from the project; the agent kept them.
    std::fs::remove_file(project.path("versions/1.0.0.toml")).unwrap();
    project.data(&["rollback", "--show"]);
    // Gone from there, too.
    std::fs::remove_dir_all(project.path(".gonogo/agent/local/releases")).unwrap();
    let error = project.refuses(&["rollback", "--yes"], 2, &["KNOWN_GOOD_GONE"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("versions/1.0.0.toml"),
        "{error:#}"
    );
    let known = project.run(&["known-good", "list"]);
    assert!(
        known.out.contains("cannot be run as it was"),
        "{}",
        known.out
    );
}

#[test]
fn a_person_can_call_a_version_known_good_and_needs_a_reason_where_it_was_taken_back() {
    let project = two();
    back(&project, &[]);
    // It was ready and was given requests; the other one never was.
    project.behave("9.0.0", "version = \"9.0.0\"\nerror_rate = 0.9\n");
    release(&project, "9.0.0", 2);
    release(&project, "crash-at-start", 2);
    for (version, why) in [
        ("3.0.0", Some("trust me")),
        ("crash-at-start", Some("looks fine")),
        ("9.0.0", None),
    ] {
        let mut args = vec!["known-good", "promote", version];
        args.extend(why.iter().flat_map(|w| ["--why", *w]));
        project.refuses(&args, 77, &["KNOWN_GOOD_REFUSED"]);
    }
    let said = project.data(&[
        "known-good",
        "promote",
        "9.0.0",
        "--why",
        "the port was taken",
    ]);
    assert_eq!(
        (&said["ended"], &said["by"]),
        (&json!("rolled_back"), &json!("you"))
    );
    let operations = project.data(&["history"])["operations"].clone();
    let of_it = operations.as_array().unwrap().iter();
    let of_it: Vec<&Value> = of_it
        .filter(|o| o["to"] == "9.0.0")
        .map(|o| &o["id"])
        .collect();
    assert_eq!(of_it, [&said["operation"]]);
    let known = project.data(&["known-good", "list"]);
    assert_eq!(known["versions"][0]["saidBy"], "you");
    assert_eq!(known["versions"][0]["next"], true);
    // Back by a plan's name.
    let plans = project.run(&["call", "plan_list"]);
    let plans: Value = serde_json::from_str(&plans.out).unwrap();
    let plans = plans["envelope"]["data"]["plans"]
        .as_array()
        .unwrap()
        .clone();
    let two = plans.iter().find(|p| p["to"] == "2.0.0").unwrap()["id"]
        .as_str()
        .unwrap();
    // It was left by a rollback, and goes by the same rule under either name.
    let error = project.refuses(&["rollback", "--yes", "--to", two], 1, &["NO_KNOWN_GOOD"]);
    assert!(
        error.to_string().contains("left by a rollback"),
        "{error:#}"
    );
    project.data(&["known-good", "promote", "2.0.0", "--why", "so it was"]);
    back(&project, &["--to", two, "--why", "it was the other one"]);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    let asked = project.records("rollback");
    assert_eq!(asked.last().unwrap()["body"]["why"], "it was the other one");
}

#[test]
fn nobody_calls_known_good_what_never_ran_or_what_they_asked_for() {
    let project = strict(1);
    let release = |asks: &[&str], version: &str, exit: i32| {
        let plans = asks.iter().map(|name| {
            let plan = &said(&project, name, &["plan", "--to", version])["plan"];
            id(plan).to_owned()
        });
        let plans: Vec<String> = plans.collect();
        let plan = plans[0].as_str();
        said(&project, "erin", &["approve", plan]);
        let load = project.load(300.0);
        let ran = as_person(&project, "you", &["apply", plan]);
        load.stop();
        load.join();
        ran.expect(exit);
    };
    let good = |name: &str, version: &str, exit: i32| {
        let args = [
            "known-good",
            "promote",
            version,
            "--why",
            "looks fine",
            "--json",
        ];
        let ran = as_person(&project, name, &args);
        ran.expect(exit);
        assert_eq!(
            ran.out.contains("KNOWN_GOOD_REFUSED"),
            exit != 0,
            "{name} {version}: {}",
            ran.out
        );
    };
    // It ended at once; and it never was ready, and was cancelled.
    release(&["dana"], "crash-at-start", 2);
    good("finn", "crash-at-start", 77);
    let plan = said(&project, "dana", &["plan", "--to", "never-ready"])["plan"].clone();
    said(&project, "erin", &["approve", id(&plan)]);
    as_person(&project, "you", &["apply", id(&plan), "--detach"]).expect(75);
    let operation = || project.data(&["history"])["operations"][0].clone();
    let id_of_it = operation()["id"].as_str().unwrap().to_owned();
    as_person(&project, "you", &["cancel", &id_of_it, "--yes"]);
    wait("the end", std::time::Duration::from_secs(30), || {
        (operation()["status"] != "running").then_some(())
    });
    good("finn", "never-ready", 77);

    // Who asked first, who asked later and who applied do not call it good; somebody else does.
    release(&["dana", "finn"], "1.0.0", 0);
    for name in ["dana", "finn", "you"] {
        good(name, "1.0.0", 77);
    }
    good("erin", "1.0.0", 0);
}

#[test]
fn the_way_back_can_be_approved_beforehand_and_the_packet_shows_it() {
    let key = {
        let project = Project::new();
        project.run(&["key", "new", "--out", "ann.pem"]).expect(0);
        project.text("ann.pem")
    };
    let project = Project::new();
    std::fs::write(project.path("ann.pem"), &key).unwrap();
    let shown = project.run(&["key", "show", "ann.pem"]);
    let words: Vec<&str> = shown.out.split_whitespace().collect();
    let id = words
        .iter()
        .rfind(|w| Digest::from_hex(w).is_ok())
        .unwrap()
        .to_owned();
    let policy = format!(
        "approval = {{ self = true, required = 2, rollback = \"preapproved\", approvers = [{{ id = \"ann\", role = \"sre\", key = \"{id}\" }}] }}"
    );
    project.configure(&CONFIG.replace("approval = \"self\"", &policy));
    let yes = |plan: &str| {
        project.data(&["approve", plan]);
        project
            .run(&["approve", plan, "--as", "ann", "--key", "ann.pem"])
            .expect(0);
    };
    let load = project.load(300.0);
    for version in ["1.0.0", "2.0.0"] {
        let plan = project.plan(version);
        project.data(&["approve", &plan]);
        project.refuses(&["apply", &plan], 77, &["APPROVAL_QUORUM"]);
        yes(&plan);
        project.run(&["apply", &plan]).expect(0);
    }
    let data = project.data(&["rollback", "--yes"]);
    load.stop();
    load.join();
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    let begun = project.records("operation");
    let body = &begun.last().unwrap()["body"];
    assert_eq!(body["approvals"], json!([]));
    assert_eq!(
        body["preapproved"]["policy"],
        "environments.local.approval.rollback"
    );
    let packet = data["packet"].as_str().unwrap();
    let verified = project.run(&["verify", packet, "--trust-packet", "--json"]);
    let seen = verified.envelope()["data"].clone();
    assert_eq!(seen["approvals"]["ok"], true, "{seen:#}");
}

#[test]
fn a_pin_to_what_never_ran_is_in_nobodys_way_back() {
    let project = two();
    project.data(&["pin", "3.0.0", "--why", "the next one"]);
    // The posture finds what is known-good, too.
    let ran = project.run(&["rollback-posture", "--why", "2.0.0 loses orders", "--json"]);
    ran.expect(3);
    assert_eq!(ran.envelope()["data"]["version"], "1.0.0", "{}", ran.out);
    project.data(&["unpin", "--why", "again"]);
    project.data(&["pin", "3.0.0", "--why", "the next one"]);
    let shown = project.run(&["rollback", "--show"]);
    let told = &shown.expect(0).out;
    assert!(
        told.contains("2.0.0 → 1.0.0") && told.contains("goes past the one to 3.0.0 by you"),
        "{told}"
    );
    let load = project.load(300.0);
    let ran = project.run(&["rollback", "--yes"]);
    load.stop();
    load.join();
    ran.expect(0);
    assert!(
        (ran.out.clone() + &ran.err).contains("PIN_ACTIVE"),
        "{} {}",
        ran.out,
        ran.err
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
}

#[test]
fn what_is_shown_of_a_posture_is_what_is_so_now() {
    let project = two();
    let show = |exit: i32| {
        let ran = project.run(&["rollback-posture", "--show", "--json"]);
        ran.expect(exit);
        ran.envelope()["data"]["now"]["state"].take()
    };
    let run = |more: &[&str], exit: i32| {
        let args = [&["rollback-posture", "--why", "2.0.0 loses orders"], more].concat();
        project.run(&args).expect(exit);
    };
    assert_eq!(show(0), "open");
    run(&[], 3);
    assert_eq!(show(1), "half-closed");
    back(&project, &[]);
    run(&[], 1);
    assert_eq!(show(1), "closed");
    // Killed between the freeze's end and its own record: the freeze is ended, and no run says so.
    let id = project.data(&["freeze", "list"])["active"][0]["freeze"].take();
    project.data(&["unfreeze", id.as_str().unwrap(), "--why", "as step 4 does"]);
    let ran = project.run(&["rollback-posture", "--show"]);
    assert!(ran.expect(1).out.starts_with("now open"), "{}", ran.out);
    run(&[], 1);
    // Somebody else's freeze is not ended, whatever it is called.
    let args = [
        "freeze",
        "--env",
        "local",
        "--why",
        "rollback posture: 2.0.0 loses orders",
    ];
    let other = project.data(&args)["freeze"].take();
    run(&["--reopen"], 3);
    assert_eq!(show(1), "closed");
    let all = project.data(&["freeze", "list"])["active"].take();
    assert_eq!(all.as_array().unwrap().len(), 2, "{all:#}");
    project.data(&["unfreeze", other.as_str().unwrap(), "--why", "done"]);
    // Without an agent nobody knows what serves.
    project.run(&["agent", "--stop"]).expect(0);
    assert_eq!(show(3), "unknown");
}

fn states(doc: &Value) -> Vec<&str> {
    let steps = doc["steps"].as_array().unwrap();
    steps.iter().map(|s| s["state"].as_str().unwrap()).collect()
}

#[test]
fn the_rollback_posture_proves_each_step_and_goes_on_where_it_stands() {
    let project = two();
    let run = |more: &[&str], exit: i32| {
        let args = [
            &["rollback-posture", "--why", "2.0.0 loses orders", "--json"],
            more,
        ]
        .concat();
        let ran = project.run(&args);
        ran.expect(exit);
        ran.envelope()["data"].clone()
    };
    // What was never begun cannot be ended.
    let ran = project.run(&["rollback-posture", "--reopen", "--json"]);
    ran.refusal(3, &["POSTURE_UNPROVEN"]);
    // Frozen, and proven by a refusal; pinned, and not proven: the other version serves.
    let first = run(&[], 3);
    assert_eq!(first["version"], "1.0.0");
    assert_eq!(
        states(&first),
        ["proven", "unproven", "waiting", "waiting"],
        "{first:#}"
    );
    let proof = &first["steps"][0]["proof"];
    assert_eq!(proof["refusedFor"], "FREEZE_ACTIVE");
    let record = project.data(&["evidence", "show", &proof["record"].to_string()]);
    assert_eq!(record["record"]["kind"], "refusal", "{record:#}");
    assert!(record.to_string().contains("FREEZE_ACTIVE"), "{record:#}");
    let text = first["steps"][1]["text"].as_str().unwrap();
    assert!(text.contains("2.0.0"), "{text}");
    // Nothing behind an unproven step is tried, whatever is asked for.
    let still = run(&["--reopen"], 3);
    assert_eq!(states(&still), ["proven", "unproven", "waiting", "waiting"]);
    assert_eq!(
        project.data(&["freeze", "list"])["active"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    // The way back is open, and goes to the pin.
    back(&project, &[]);
    let closed = run(&[], 1);
    assert_eq!(closed["posture"], first["posture"]);
    assert_eq!(
        states(&closed),
        ["proven", "proven", "proven", "waiting"],
        "{closed:#}"
    );
    let compared = &closed["steps"][2]["proof"]["envelopes"];
    assert_eq!(compared[0]["metadata"]["toolId"], "validate_plan");
    assert_eq!(compared[1]["metadata"]["toolId"], "plan_change");
    assert_eq!(compared[1]["policy"]["defaultTimeoutMs"], 10_000);
    // Somebody else's freeze keeps it closed.
    let other = project.data(&["freeze", "--why", "another thing"])["freeze"]
        .as_str()
        .unwrap()
        .to_owned();
    let held = run(&["--reopen"], 3);
    assert_eq!(
        states(&held),
        ["proven", "proven", "proven", "unproven"],
        "{held:#}"
    );
    assert_eq!(held["steps"][3]["reason"], "FREEZE_ACTIVE");
    project.data(&["unfreeze", &other, "--why", "done"]);
    // A step that does not hold any more is not called proven because it was.
    project.data(&["unpin", "--why", "by mistake"]);
    project.data(&["pin", "2.0.0", "--why", "by mistake"]);
    let again = run(&[], 1);
    assert_eq!(states(&again), ["proven", "proven", "proven", "waiting"]);
    assert_eq!(
        project.data(&["pin", "list"])["pins"][0]["version"],
        "1.0.0"
    );
    let open = run(&["--reopen"], 0);
    assert_eq!(states(&open), ["proven"; 4], "{open:#}");
    assert_eq!(open["reopened"], true);
    assert_eq!(project.data(&["freeze", "list"])["active"], json!([]));
    let shown = project.data(&["rollback-posture", "--show"]);
    assert_eq!(shown["last"]["posture"], first["posture"]);
    // That is what a board of gates begins with as evidence that going back works.
    project.run(&["gates", "init"]).expect(0);
    let template = project.text("release-gates.toml");
    let owned = template.replace("\"OWNER\"", "\"ada\"");
    std::fs::write(project.path("release-gates.toml"), owned).unwrap();
    let board = project.data(&["gates", "dashboard"]);
    let mut rows = board["rows"].as_array().unwrap().iter();
    let row = rows.find(|r| r["gate"] == "Canary + Rollback Pin").unwrap();
    assert_eq!(row["status"], "pass", "{row:#}");
    // The pin stays.
    project.refuses(&["plan", "--to", "2.0.0"], 78, &["PLAN_LINT", "PIN_ACTIVE"]);
}
