//! Whoever follows an operation may leave, by choice or by force: the operation goes on and ends right.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::project::{CONFIG, Project, Running, wait};

const RATE: f64 = 300.0;
const END: Duration = Duration::from_secs(40);

/// A configuration whose stage bakes long enough to do something meanwhile.
fn long(bake: &str) -> String {
    CONFIG.replace("bake = \"200ms\"", &format!("bake = \"{bake}\""))
}

/// Waits until an operation is open and the new version gets traffic; returns the operation.
#[track_caller]
fn under_way(project: &Project) -> String {
    wait(
        "traffic on the new version",
        Duration::from_secs(20),
        || {
            let status = project.data(&["status"])["environments"][0].clone();
            let slots = status["observed"]["slots"].as_array()?;
            let shared = slots.iter().filter(|s| s["weight"] == 5000).count() == 2;
            status["open"]
                .as_str()
                .filter(|_| shared)
                .map(str::to_owned)
        },
    )
}

/// Waits until the operation has ended, looking with `status` as a person would.
#[track_caller]
fn ended(project: &Project, operation: &str) -> Value {
    wait("the operation's end", END, || {
        let ran = project.run(&["status", operation, "--json"]);
        let data = ran.envelope()["data"].clone();
        assert_eq!(ran.status == 75, data["terminal"].is_null(), "{data:#}");
        (!data["terminal"].is_null()).then_some(data)
    })
}

/// Records of an operation are one unbroken stream with one result, and its packet verifies with every decision again.
#[track_caller]
fn sound(project: &Project, operation: &str) {
    let packet = wait("the packet", Duration::from_secs(10), || {
        let path = project.path(&format!(".gonogo/packets/{operation}.tar"));
        path.is_file().then_some(path)
    });
    let key = project.text(".gonogo/ledger/log.vkey");
    project
        .run(&[
            "verify",
            packet.to_str().unwrap(),
            "--replay",
            "--log-key",
            key.trim(),
        ])
        .expect(0);
    let results = project.records("result");
    assert_eq!(
        results
            .iter()
            .filter(|r| r["stream"] == format!("operation/{operation}"))
            .count(),
        1
    );
}

#[test]
fn cancel_in_the_middle_of_a_stage_takes_it_back() {
    let project = Project::serving_with(&long("15s"));
    let load = project.load(RATE);
    let follower = project.start(&["release", "--to", "2.0.0", "--json"]);
    let operation = under_way(&project);
    let cancelled = project.run(&[
        "cancel",
        &operation,
        "--yes",
        "--why",
        "wrong day",
        "--json",
    ]);
    cancelled.expect(0);
    assert_eq!(cancelled.envelope()["data"]["status"], "cancelled");
    // The one who followed sees the same end, and for that one it is no success.
    let seen = follower.join();
    seen.expect(1);
    assert_eq!(seen.envelope()["data"]["status"], "cancelled");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    let report = load.join();
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    sound(&project, &operation);
}

#[test]
fn rollback_while_an_operation_runs_takes_it_back() {
    let project = Project::serving_with(&long("15s"));
    let load = project.load(RATE);
    let follower = project.start(&["release", "--to", "2.0.0"]);
    let operation = under_way(&project);
    project.run(&["rollback", "--yes"]).expect(0);
    follower.join().expect(1);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    assert_eq!(load.join().failed(), 0);
    sound(&project, &operation);
}

#[test]
fn what_runs_is_taken_back_only_to_where_that_leads() {
    let project = Project::serving_with(&long("15s"));
    let load = project.load(RATE);
    let follower = project.start(&["release", "--to", "2.0.0"]);
    let operation = under_way(&project);
    for to in ["2.0.0", "77.0.0"] {
        let ran = project.run(&["rollback", "--yes", "--to", to, "--json"]);
        let error = ran.refusal(1, &["OPERATION_OPEN"]);
        let hints = error["details"]["hints"].to_string();
        assert!(hints.contains(&format!("gonogo rollback --to {to} --yes")));
    }
    assert_eq!(project.data(&["status", &operation])["status"], "running");
    project
        .run(&["rollback", "--yes", "--to", "1.0.0"])
        .expect(0);
    follower.join().expect(1);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
}

#[test]
fn what_cannot_be_taken_back_any_more_is_gone_back_from_once_it_has_ended() {
    let patient = CONFIG
        .replace("within = \"2s\" }", "within = \"4s\" }")
        .replace("over = \"1s\"", "over = \"5s\"");
    let project = Project::serving_with(&patient);
    let stubborn = "version = \"1.1.0\"\nhang_on_sigterm = true\n";
    project.behave("1.1.0", stubborn);
    project.behave("1.2.0", "version = \"1.2.0\"\n");
    let load = project.load(300.0);
    project.run(&["release", "--to", "1.1.0"]).expect(0);
    let follower = project.start(&["release", "--to", "1.2.0"]);
    let operation = wait("the old version's end", Duration::from_secs(60), || {
        let open = project.data(&["ops", "list"])["operations"][0].clone();
        let effects = open["triage"]["openEffects"].as_array()?;
        let stops = |e: &Value| e["key"].as_str().is_some_and(|k| k.contains("/stop/"));
        let stopping = effects.iter().any(stops);
        stopping.then(|| open["operationId"].as_str().unwrap().to_owned())
    });
    // Whoever ends it is told that it came to its end, and whoever goes back goes back.
    let cancel = project.start(&["cancel", &operation, "--yes"]);
    let back = project.run(&["rollback", "--yes", "--json"]);
    back.expect(0);
    let data = back.envelope()["data"].clone();
    assert_eq!(data["result"], "promoted", "{data:#}");
    assert_ne!(data["operationId"], operation.as_str());
    assert_eq!(project.serves(), ["1.1.0:10000"]);
    follower.join().expect(0);
    cancel.join().expect(1);
    load.stop();
    load.join();
}

#[test]
fn a_time_limit_ends_the_following_and_not_the_operation() {
    let project = Project::serving_with(&long("1s"));
    let load = project.load(RATE);
    let left = project.run(&["release", "--to", "2.0.0", "--timeout", "300ms", "--json"]);
    left.expect(75);
    let data = left.envelope()["data"].clone();
    assert_eq!(data["status"], "running");
    let operation = data["operationId"].as_str().unwrap().to_owned();
    let seen = project.run(&["watch", &operation, "--json"]);
    seen.expect(0);
    assert_eq!(seen.envelope()["data"]["status"], "promoted");
    drop(load);
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    sound(&project, &operation);
}

#[test]
fn a_detached_operation_ends_by_itself() {
    let project = Project::serving();
    let load = project.load(RATE);
    let plan = project.approved("2.0.0");
    let ran = project.run(&["apply", &plan, "--detach", "--json"]);
    ran.expect(75);
    let data = ran.envelope()["data"].clone();
    assert_eq!(data["planId"], plan.as_str());
    let handle = data["handle"].clone();
    assert!(
        handle["terminalStates"].as_array().unwrap().len() >= 4
            && handle["submittedAt"].is_string()
    );
    let operation = handle["operationId"].as_str().unwrap();
    // Nobody looks: the packet appears when the controller has ended it.
    let packet = project.path(&format!(".gonogo/packets/{operation}.tar"));
    wait("the packet", END, || packet.is_file().then_some(()));
    assert_eq!(
        project.data(&["history"])["operations"][0]["result"],
        "promoted"
    );
    drop(load);
    sound(&project, operation);
}

/// Ends the follower in the middle of a stage and returns what became of the operation.
#[track_caller]
fn interrupted(project: &Project, end: impl FnOnce(Running)) -> String {
    let follower = project.start(&["release", "--to", "2.0.0", "--json"]);
    let operation = under_way(project);
    end(follower);
    operation
}

#[test]
fn a_controller_that_was_killed_is_replaced_by_the_next_look() {
    let project = Project::serving_with(&long("3s"));
    let load = project.load(RATE);
    let operation = interrupted(&project, |follower| {
        follower.signal(Signal::KILL);
        follower.join().expect(-1);
    });
    let end = ended(&project, &operation);
    assert_eq!(end["terminal"]["result"], "promoted", "{end:#}");
    assert_eq!(project.serves(), ["2.0.0:10000"]);
    load.stop();
    let report = load.join();
    assert_eq!(report.failed(), 0, "{:?}", report.failures);
    sound(&project, &operation);
}

/// Ends every controller of the project, and waits until the operation is seen to have none; looking picks nothing up.
#[track_caller]
fn orphaned(project: &Project, operation: &str) -> Value {
    let input = serde_json::json!({"operation": operation}).to_string();
    wait("an orphan", Duration::from_secs(20), || {
        for pid in project.processes() {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if line.split(|b| *b == 0).any(|word| word == b"controller") {
                let pid = rustix::process::Pid::from_raw(pid).unwrap();
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        let ran = project.run(&["call", "operation_show", &input]);
        let body: Value = serde_json::from_str(&ran.out).unwrap();
        let shown = body["envelope"]["data"].clone();
        let gone = shown["triage"]["meaning"].as_str()?.contains("is gone");
        gone.then_some(shown)
    })
}

#[test]
fn the_same_request_goes_on_with_what_nobody_drives() {
    let project = Project::serving_with(&long("4s"));
    let load = project.load(RATE);
    let plan = project.approved("2.0.0");
    let print = project.data(&["plan", "show", &plan])["plan"]["fingerprint"].clone();
    let follower = project.start(&["apply", &plan, "--idempotency-key", "k"]);
    let operation = under_way(&project);
    follower.signal(Signal::KILL);
    follower.join().expect(-1);
    // What is said of it agrees with itself, and the next command works.
    let shown = orphaned(&project, &operation);
    assert_eq!(
        (&shown["status"], &shown["driven"]),
        (&"running".into(), &false.into())
    );
    let next = shown["triage"]["next"][0].as_str().unwrap();
    assert!(
        next.contains(&format!("`gonogo ops resume {operation}`")),
        "{next}"
    );
    project.run(&["ops", "resume", &operation]).expect(75);
    // Whoever looks with a command that picks it up sees it driven.
    orphaned(&project, &operation);
    let seen = project.run(&["ops", "show", &operation]);
    assert!(seen.err.contains("a new one goes on"), "{}", seen.err);
    for text in ["no controller", "is gone"] {
        assert!(!seen.out.contains(text), "{}", seen.out);
    }
    // The same request.
    orphaned(&project, &operation);
    let input = serde_json::json!({"planFingerprint": print, "idempotencyKey": "k"}).to_string();
    let again = project.run(&["call", "apply_change", &input]);
    again.expect(75);
    let body: Value = serde_json::from_str(&again.out).unwrap();
    assert_eq!(body["handle"]["operationId"], operation.as_str());
    assert_eq!(body["envelope"]["data"]["fresh"], false);
    // Nobody looks: it ends by itself.
    let packet = project.path(&format!(".gonogo/packets/{operation}.tar"));
    wait("the packet", END, || packet.is_file().then_some(()));
    drop(load);
    sound(&project, &operation);
}

#[test]
fn a_killed_controller_of_a_bad_version_still_goes_back() {
    let strict = long("10s").replace(
        "margin = \"5%\", limit = \"15%\"",
        "margin = \"1%\", limit = \"3%\"",
    );
    let project = Project::serving_with(&strict);
    project.behave(
        "2.0.0",
        "version = \"2.0.0\"\nerror_rate = 0.3\nerrors_after = \"5s\"\n",
    );
    let load = project.load(RATE);
    let operation = interrupted(&project, |follower| {
        follower.signal(Signal::KILL);
        follower.join().expect(-1);
    });
    let end = ended(&project, &operation);
    assert_eq!(end["terminal"]["result"], "rolled_back", "{end:#}");
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    drop(load);
    sound(&project, &operation);
}

#[test]
fn ctrl_c_hands_over() {
    for signal in [Signal::INT, Signal::TERM] {
        let project = Project::serving_with(&long("2s"));
        let load = project.load(RATE);
        let operation = interrupted(&project, |follower| {
            follower.signal(signal);
            let ran = follower.join();
            ran.expect(75);
            assert_eq!(ran.envelope()["data"]["status"], "running");
            assert!(
                ran.err.contains("goes on by itself") && ran.err.contains("gonogo watch"),
                "{}",
                ran.err
            );
        });
        // It is driven without any further command.
        let packet = project.path(&format!(".gonogo/packets/{operation}.tar"));
        wait("the packet", END, || packet.is_file().then_some(()));
        assert_eq!(project.serves(), ["2.0.0:10000"]);
        drop(load);
        sound(&project, &operation);
    }
}

#[test]
fn an_agent_that_was_killed_in_the_middle_is_started_again() {
    let project = Project::serving_with(&long("3s"));
    let load = project.load(RATE);
    let follower = project.start(&["release", "--to", "2.0.0", "--json"]);
    let operation = under_way(&project);
    let agent = project
        .processes()
        .into_iter()
        .find(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|c| c.windows(7).any(|w| w == b"\0agent\0"))
        })
        .unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(agent).unwrap(), Signal::KILL)
        .unwrap();
    // Any command that acts starts the agent anew, which finds its versions.
    project.run(&["plan", "--to", "1.0.0"]);
    let ran = follower.join();
    drop(load);
    let status = ran.envelope()["data"]["status"].clone();
    let serves = project.serves();
    assert!(
        (status == "promoted" && serves == ["2.0.0:10000"])
            || (status == "rolled_back" && serves == ["1.0.0:10000"]),
        "{status} and {serves:?}"
    );
    sound(&project, &operation);
}
