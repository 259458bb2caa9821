//! Configurations that cannot be used: each its own reason, the place and what to do, and nothing is made on disk.

use crate::project::{CONFIG, Project, files};

/// Runs a command that must fail on the configuration, in words and as an envelope, and leave the directory as it was.
#[track_caller]
fn fails(project: &Project, args: &[&str], exit: i32, reasons: &[&str]) -> String {
    let before = files(&project.path(""));
    let error = project
        .run(&[args, &["--json"]].concat())
        .refusal(exit, reasons);
    let told = project.run(args);
    told.expect(exit);
    assert_eq!(told.out, "", "an error is no answer");
    assert!(
        told.err.starts_with(&format!("error[{}]: ", reasons[0]))
            && told.err.contains("\n  hint: "),
        "{}",
        told.err
    );
    assert_eq!(
        files(&project.path("")),
        before,
        "a configuration that cannot be used led to something"
    );
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_fault_in_the_file_is_named_with_its_place() {
    let with = |from: &str, to: &str| {
        assert!(CONFIG.contains(from), "{from}");
        CONFIG.replacen(from, to, 1)
    };
    let cases = [
        (with("soak =", "soaq ="), "CONFIG_UNKNOWN_KEY", "soaq"),
        (
            with("min_requests", "min_request"),
            "CONFIG_UNKNOWN_KEY",
            "min_request",
        ),
        (
            with("gates = \"none\"", "gates = \"none\"\ngates = \"none\""),
            "CONFIG_DUPLICATE_KEY",
            "gates",
        ),
        (
            with("soak = \"400ms\"", "soak = \"400 parsecs\""),
            "CONFIG_VALUE",
            "400 parsecs",
        ),
        (
            with("soak = \"400ms\"", "soak = 400"),
            "CONFIG_VALUE",
            "soak",
        ),
        (
            with("margin = \"5%\"", "margin = 0.05"),
            "CONFIG_VALUE",
            "margin",
        ),
        (
            with("min_requests = 30", "min_requests = 0"),
            "CONFIG_VALUE",
            "pass on no data",
        ),
        (with("gates = \"none\"\n", ""), "GATES_UNSTATED", "gates"),
        (
            with("gates = \"none\"", "gates = \"smoke\""),
            "GATE_UNKNOWN",
            "smoke",
        ),
        (
            with("approval = \"self\"\n", ""),
            "CONFIG_MISSING_KEY",
            "approval",
        ),
        (
            with("listen = ", "# listen = "),
            "CONFIG_MISSING_KEY",
            "listen",
        ),
        (
            with("[version]", "[version"),
            "CONFIG_SYNTAX",
            "gonogo.toml",
        ),
        (
            with("service = ", "requires = \">=99.0\"\nservice = "),
            "CONFIG_REQUIRES",
            "99",
        ),
    ];
    for (config, reason, told) in cases {
        let project = Project::with(&config);
        let message = fails(&project, &["plan", "--to", "1.0.0"], 78, &[reason]);
        assert!(
            message.contains(told) && message.contains("gonogo.toml"),
            "{reason}: {message}"
        );
    }
}

#[test]
fn every_fault_of_a_file_is_told_at_once() {
    let config = CONFIG
        .replacen("gates = \"none\"\n", "", 1)
        .replacen("soak =", "soaq =", 1);
    let project = Project::with(&config);
    let error = project.run(&["status", "--json"]);
    let codes = error.envelope()["error"]["details"]["reasonCodes"].to_string();
    assert!(
        codes.contains("GATES_UNSTATED") && codes.contains("CONFIG_UNKNOWN_KEY"),
        "{codes}"
    );
    project.run(&["status"]).matches("config-two-faults");
}

#[test]
fn a_file_that_cannot_be_read_is_not_an_empty_one() {
    let project = Project::new();
    std::fs::write(project.path("gonogo.toml"), b"service = \"sh\xff\xfe\"\n").unwrap();
    fails(&project, &["status"], 78, &["CONFIG_UNREADABLE"]);

    std::fs::remove_file(project.path("gonogo.toml")).unwrap();
    std::fs::create_dir(project.path("gonogo.toml")).unwrap();
    fails(&project, &["status"], 78, &["CONFIG_UNREADABLE"]);

    std::fs::remove_dir(project.path("gonogo.toml")).unwrap();
    fails(&project, &["status"], 66, &["CONFIG_NOT_FOUND"]);
    fails(
        &project,
        &["--config", "elsewhere.toml", "status"],
        66,
        &["CONFIG_NOT_FOUND"],
    );
}

#[test]
fn every_command_that_needs_a_project_fails_alike_without_one() {
    let project = Project::new();
    std::fs::remove_file(project.path("gonogo.toml")).unwrap();
    let commands: [&[&str]; 16] = [
        &["plan", "--to", "1.0.0"],
        &["plan", "show", "x"],
        &["plan", "diff", "x"],
        &["plan", "lint", "x"],
        &["approve", "x"],
        &["apply", "x"],
        &["release", "--to", "1.0.0"],
        &["status"],
        &["watch", "x"],
        &["cancel", "x", "--yes"],
        &["rollback", "--yes"],
        &["history"],
        &["evidence", "list"],
        &["evidence", "show", "0"],
        &["packet", "x"],
        &["agent"],
    ];
    for args in commands {
        fails(&project, args, 66, &["CONFIG_NOT_FOUND"]);
    }
}

#[test]
fn a_wrong_command_line_is_one_envelope_too() {
    let project = Project::new();
    let lines: [&[&str]; 6] = [
        &["plan"],
        &["aply", "x"],
        &["release", "--to"],
        &["apply", "x", "--timeout", "soon"],
        &["verify"],
        &[],
    ];
    for line in lines {
        let line = [line, &["--json"]].concat();
        let error = project.run(&line).refusal(64, &["ARGUMENT_INVALID"]);
        assert_eq!(error["category"], "validation");
    }
    project.run(&["cancel", "op_x"]).matches("not-confirmed");
    project
        .run(&["rollback", "--json"])
        .refusal(64, &["NOT_CONFIRMED"]);
    assert!(
        !project.path(".gonogo").exists(),
        "a wrong command line made a state directory"
    );
}
