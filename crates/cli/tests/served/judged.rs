//! `slo report` from what was measured, and the board of release gates.

use serde_json::{Value, json};

use crate::client::Server;
use crate::project::{CONFIG, Project, finish, now, wait};

fn reported(project: &Project, exit: i32) -> Value {
    let ran = project.run(&["slo", "report", "--json"]);
    ran.expect(exit);
    ran.envelope()["data"].clone()
}

fn objective<'a>(report: &'a Value, name: &str) -> &'a Value {
    let all = report["objectives"].as_array().unwrap();
    all.iter().find(|o| o["objective"] == name).unwrap()
}

/// Calls each use case that is judged often enough, and waits until that is kept.
fn exercised(project: &Project) {
    let mut server = Server::start(project, &["--dev"]);
    for _ in 0..25 {
        let wanted = json!({"version": "1.0.0"});
        server.invoke("validate_plan", wanted.clone()).data();
        server.invoke("plan_change", wanted).data();
        // Refusals are quick, and are neither fast answers nor errors.
        let answer = server.invoke("plan_change", json!({"version": "no such version"}));
        assert!(answer.status >= 400);
    }
    // What was measured is kept while the server goes on, and the rest when it ends.
    wait("measured calls", std::time::Duration::from_secs(20), || {
        let report = project.run(&["slo", "report", "--json"]).envelope();
        (report["data"]["calls"].as_u64()? > 0).then_some(())
    });
    let running = server.running.take().unwrap();
    running.signal(rustix::process::Signal::TERM);
    running.join();
}

#[test]
fn a_report_is_met_missed_or_without_data_and_never_green_on_nothing() {
    let project = Project::new();
    let report = reported(&project, 3);
    assert_eq!(
        (&report["result"], &report["calls"]),
        (&json!("no_data"), &json!(0))
    );
    exercised(&project);
    let report = reported(&project, 0);
    assert_eq!(report["result"], "met", "{report:#}");
    let validate = objective(&report, "validate_p95");
    assert_eq!(
        (&validate["samples"], &validate["looser"]),
        (&json!(25), &json!(false))
    );
    assert!(
        validate["observed"]
            .as_u64()
            .is_some_and(|us| (10..2_000_000).contains(&us))
    );
    assert_eq!(objective(&report, "plan_p95")["samples"], 25, "{report:#}");
    assert_eq!(objective(&report, "errors")["observed"], 0);
    assert_eq!(objective(&report, "traces")["observed"], 1_000_000);
    // A server says the same, with the same exit code.
    let server = Server::start(&project, &["--dev"]);
    let args = ["slo", "report", "--json"];
    let mut command = project.command(&args);
    command.env("GONOGO_SERVER", format!("http://127.0.0.1:{}", server.port));
    let there = finish(command, &args);
    there.expect(0);
    assert_eq!(there.envelope()["data"]["result"], "met");
    assert_eq!(
        server.get("/v1/slo?window=6h").header("gonogo-exit"),
        Some("0")
    );
    server
        .get("/v1/slo?window=36d")
        .refuses(400, "INPUT_VALIDATION_FAILED", "INPUT_MALFORMED");
    // Stricter objectives are judged by the same calls.
    project.configure(&format!("{CONFIG}\n[slo]\nplan_p95 = \"1ms\"\n"));
    let report = reported(&project, 2);
    assert_eq!(report["result"], "missed");
    assert_eq!(objective(&report, "plan_p95")["result"], "missed");
    // More calls than there are: nothing is judged.
    project.configure(&format!("{CONFIG}\n[slo]\nmin_calls = 100000\n"));
    assert_eq!(reported(&project, 3)["result"], "no_data");
    // Looser ones are told.
    project.configure(&format!("{CONFIG}\n[slo]\nvalidate_p95 = \"3s\"\n"));
    let report = reported(&project, 0);
    assert_eq!(objective(&report, "validate_p95")["looser"], true);
    let ran = project.run(&["slo", "report"]);
    ran.expect(0);
    assert!(ran.out.contains("looser than the contract"), "{}", ran.out);
    // What cannot be read is no data.
    for name in ["calls.db", "calls.db-wal", "calls.db-shm"] {
        drop(std::fs::remove_file(
            project.path(&format!(".gonogo/{name}")),
        ));
    }
    std::fs::write(
        project.path(".gonogo/calls.db"),
        "no database at all, but long enough",
    )
    .unwrap();
    assert_eq!(reported(&project, 3)["result"], "no_data");
}

#[test]
fn a_chosen_window_shows_and_judges_nothing() {
    let project = Project::new();
    exercised(&project);
    project.configure(&format!("{CONFIG}\n[slo]\nplan_p95 = \"1ms\"\n"));
    assert_eq!(reported(&project, 2)["result"], "missed");
    // Neither a shorter nor a longer one undoes that, here or at a server.
    let server = Server::start(&project, &["--dev"]);
    for window in ["1h", "7d"] {
        let ran = project.run(&["slo", "report", "--since", window, "--json"]);
        ran.expect(3);
        let report = ran.envelope()["data"].clone();
        assert_eq!(report["result"], "no_data", "{report:#}");
        assert!(report["calls"].as_u64().is_some_and(|n| n >= 75));
        let row = objective(&report, "plan_p95");
        assert!(row["observed"].is_u64() && row["why"].as_str().unwrap().contains("6h"));
        let there = server.get(&format!("/v1/slo?window={window}"));
        assert_eq!(there.header("gonogo-exit"), Some("3"));
    }
    drop(server);
    // The file may say so; then it promises less than the contract.
    project.configure(&format!("{CONFIG}\n[slo]\nwindow = \"1h\"\n"));
    assert_eq!(objective(&reported(&project, 0), "errors")["looser"], true);
}

#[test]
fn calls_that_were_lost_are_no_calls_that_kept_a_promise() {
    let project = Project::new();
    exercised(&project);
    assert_eq!(reported(&project, 0)["result"], "met");
    for name in ["calls.db", "calls.db-wal", "calls.db-shm"] {
        drop(std::fs::remove_file(
            project.path(&format!(".gonogo/{name}")),
        ));
    }
    reported(&project, 3);
    exercised(&project);
    let report = reported(&project, 3);
    assert_eq!(report["result"], "no_data", "{report:#}");
    let row = objective(&report, "plan_p95");
    assert_eq!(row["samples"], 25);
    assert!(
        row["why"].as_str().unwrap().contains("not known"),
        "{row:#}"
    );
}

#[test]
fn what_a_command_does_itself_is_measured_and_what_it_waits_for_is_not() {
    let begun = now();
    let project = Project::serving();
    let took = now() - begun;
    let load = project.load(300.0);
    project.run(&["release", "--to", "2.0.0"]).expect(0);
    project.run(&["rollback", "--yes"]).expect(0);
    load.stop();
    load.join();
    let plan = project.approved("3.0.0");
    project.run(&["approve", &plan, "--reject"]).expect(0);
    project.run(&["apply", &plan]).expect(77);
    let report = project.run(&["slo", "report", "--json"]).envelope()["data"].clone();
    let tools = report["tools"].as_array().unwrap();
    let of = |name: &str| {
        let found = tools.iter().find(|t| t["tool"] == name);
        found.unwrap_or_else(|| panic!("{name}: {report:#}"))
    };
    assert_eq!(of("apply_change")["ended"]["OK"], 3);
    assert_eq!(of("apply_change")["ended"]["APPROVAL_REQUIRED"], 1);
    assert_eq!(of("approval_decide")["ended"]["OK"], 5);
    assert_eq!(of("rollback_change")["ended"]["OK"], 1);
    // Of the first one alone a second and more was the rollout.
    let longest = of("apply_change")["longest"].as_u64().unwrap();
    let whole = u64::try_from(took.as_micros()).unwrap();
    assert!(
        longest < whole.saturating_sub(600_000),
        "{longest} of {whole}"
    );
}

fn board(project: &Project, rows: &str) {
    let text = format!("schema = \"gonogo.release-gates.v1\"\nphase = 1\n{rows}");
    std::fs::write(project.path("release-gates.toml"), text).unwrap();
}

fn row(name: &str, more: &str) -> String {
    format!(
        "[[gate]]\nname = \"{name}\"\nphase = 1\nowner = \"ada\"\npass = \"it holds\"\nblocker = \"it breaks\"\n{more}\n"
    )
}

/// A row whose evidence is the newest token: good if it is vera's.
const VERA: &str =
    r#"evidence = { record = { kind = "token-issued", at = "/name", is = "vera" } }"#;

#[track_caller]
fn checked(project: &Project, exit: i32) -> Value {
    let ran = project.run(&["gates", "check", "--json"]);
    ran.expect(exit);
    ran.envelope()["data"].clone()
}

fn issue(project: &Project, name: &str) {
    project.data(&["token", "create", "--name", name, "--role", "viewer"]);
}

#[test]
fn a_board_is_derived_from_evidence_and_check_fails_on_everything_that_is_not_shown() {
    let project = Project::new();
    project.run(&["gates", "check"]).expect(66);
    project.run(&["gates", "init"]).expect(0);
    assert_eq!(checked(&project, 2)["decision"], "no-go");
    project.run(&["gates", "init"]).expect(73);
    // A status that somebody types is refused.
    let typed = format!("max_age = \"1d\"\n{VERA}\nstatus = \"pass\"");
    board(&project, &row("Wiring", &typed));
    project.run(&["gates", "check"]).expect(65);
    board(&project, "");
    project.run(&["gates", "check"]).expect(65);
    // Missing, good, bad, stale.
    let current = format!("max_age = \"1d\"\n{VERA}");
    board(&project, &row("Wiring", &current));
    let missing = checked(&project, 2);
    assert_eq!(missing["rows"][0]["status"], "blocked");
    issue(&project, "vera");
    let good = checked(&project, 0);
    assert_eq!(
        (&good["decision"], &good["rows"][0]["status"]),
        (&json!("go"), &json!("pass"))
    );
    assert_eq!(good["rows"][0]["owner"], "ada");
    assert!(good["rows"][0]["evidencePath"].is_string() && good["rows"][0]["age"].is_string());
    board(
        &project,
        &row("Wiring", &format!("max_age = \"1ms\"\n{VERA}")),
    );
    let stale = checked(&project, 2);
    assert!(
        stale["rows"][0]["why"][0]
            .as_str()
            .unwrap()
            .starts_with("stale"),
        "{stale:#}"
    );
    issue(&project, "ben");
    board(&project, &row("Wiring", &current));
    assert_eq!(checked(&project, 2)["rows"][0]["status"], "fail");
    // Something that says nothing is neither.
    let unclear = current.replace("/name", "/nowhere");
    board(&project, &row("Wiring", &unclear));
    assert_eq!(checked(&project, 3)["decision"], "undecided");
    // Excused for a while, and then not.
    let excuse = |end: &str| {
        let excuse = format!(
            "conditional = {{ owner = \"ada\", expires = \"{end}\", mitigation = \"by hand\" }}"
        );
        board(&project, &row("Wiring", &format!("{current}\n{excuse}")));
    };
    excuse("2999-01-31T00:00:00.000Z");
    let risky = checked(&project, 1);
    assert_eq!(
        (&risky["decision"], &risky["rows"][0]["status"]),
        (&json!("conditional"), &json!("at-risk"))
    );
    excuse("2020-01-31T00:00:00.000Z");
    assert_eq!(checked(&project, 2)["decision"], "no-go");
    // The dashboard shows and does not judge; over HTTP it says the same.
    let shown = project.run(&["gates", "dashboard", "--markdown"]);
    shown.expect(0);
    assert!(
        shown
            .out
            .contains("| Wiring | 1 | ada | fail | it holds | it breaks |"),
        "{}",
        shown.out
    );
    let server = Server::start(&project, &["--dev"]);
    let there = server.get("/v1/gates");
    assert_eq!(there.data()["rows"][0]["status"], "fail");
    assert_eq!(there.header("gonogo-exit"), Some("2"));
}

#[test]
fn a_sign_off_is_a_persons_and_dies_with_what_it_was_over() {
    let project = Project::new();
    let asked = format!("max_age = \"1d\"\n{VERA}\nsign_off = [\"rita\"]");
    board(&project, &row("Wiring", &asked));
    // There is nothing to sign yet.
    project
        .run_as("rita", &["gates", "sign-off", "Wiring"])
        .expect(3);
    issue(&project, "vera");
    assert_eq!(
        checked(&project, 2)["rows"][0]["signOffMissing"],
        json!(["rita"])
    );
    // Nobody asked this one, and there is no such gate.
    assert_ne!(
        project
            .run_as("mallory", &["gates", "sign-off", "Wiring"])
            .status,
        0
    );
    project
        .run_as("rita", &["gates", "sign-off", "Wirings"])
        .expect(64);
    project
        .run_as(
            "rita",
            &["gates", "sign-off", "wiring", "--note", "I looked"],
        )
        .expect(0);
    let good = checked(&project, 0);
    assert_eq!(good["rows"][0]["signedOff"], json!(["rita"]));
    let record = &project.records("gate-sign-off")[0];
    assert_eq!(
        (&record["actor"], &record["body"]["note"]),
        (&json!("rita"), &json!("I looked"))
    );
    // Again is the same.
    project
        .run_as("rita", &["gates", "sign-off", "Wiring"])
        .expect(0);
    assert_eq!(project.records("gate-sign-off").len(), 1);
    // Newer evidence, though as good, is not what was signed.
    issue(&project, "vera");
    assert_eq!(
        checked(&project, 2)["rows"][0]["signOffMissing"],
        json!(["rita"])
    );
    project
        .run_as("rita", &["gates", "sign-off", "Wiring"])
        .expect(0);
    checked(&project, 0);
    // Neither is a condition that was loosened since.
    board(&project, &row("Wiring", &asked.replace("1d", "2d")));
    assert_eq!(checked(&project, 2)["decision"], "no-go");
    // Bad evidence cannot be signed off.
    issue(&project, "ben");
    project
        .run_as("rita", &["gates", "sign-off", "Wiring"])
        .expect(3);
}

#[test]
fn a_recorded_report_is_evidence_and_one_without_data_is_not() {
    let project = Project::new();
    board(
        &project,
        &row(
            "Read/Plan SLO",
            "max_age = \"1d\"\nevidence = { slo = true }",
        ),
    );
    assert_eq!(checked(&project, 2)["rows"][0]["status"], "blocked");
    project.run(&["slo", "report", "--record"]).expect(3);
    assert_eq!(checked(&project, 3)["decision"], "undecided");
    exercised(&project);
    project.run(&["slo", "report", "--record"]).expect(0);
    assert_eq!(checked(&project, 0)["decision"], "go");
    project.configure(&format!("{CONFIG}\n[slo]\nplan_p95 = \"1ms\"\n"));
    project.run(&["slo", "report", "--record"]).expect(2);
    assert_eq!(checked(&project, 2)["rows"][0]["status"], "fail");
}
