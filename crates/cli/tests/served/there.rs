//! The command line against a server: the same answers and the same exit codes as in the project itself.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::client::Server;
use crate::project::{Project, finish};
use crate::screen::Ran;

/// Runs a command from a directory that is no project, against a server.
pub(crate) fn there(server: &Server<'_>, env: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = server.project.command(args);
    command.current_dir(std::env::temp_dir());
    command.env("GONOGO_SERVER", format!("http://127.0.0.1:{}", server.port));
    command.env_remove("GONOGO_TOKEN");
    command.envs(env.iter().copied());
    finish(command, args)
}

/// An envelope without what differs from call to call.
fn told(ran: &Ran) -> Value {
    let mut envelope = ran.envelope();
    for (block, names) in [
        ("metadata", ["timestamp", "traceId"]),
        ("error", ["traceId", "traceId"]),
    ] {
        for name in names {
            if let Some(map) = envelope[block].as_object_mut() {
                map.remove(name);
            }
        }
    }
    envelope
}

#[test]
fn a_command_answers_and_ends_the_same_here_and_there() {
    let project = Project::serving();
    let operation = project.data(&["history"])["operations"][0]["id"].clone();
    let operation = operation.as_str().unwrap();
    let plan = project.plan("2.0.0");
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let record = project.records("plan")[0]["digest"].clone();
    let record = record.as_str().unwrap();
    let commands: [&[&str]; 22] = [
        &["status"],
        &["status", "--env", "local"],
        &["status", operation],
        &["status", "op_zzzz"],
        &["history"],
        &["ops", "list", "--limit", "1"],
        &["ops", "list", "--status", "running"],
        &["ops", "show", operation],
        &["ops", "triage"],
        &["ops", "triage", operation],
        &["ops", "resume", operation],
        &["watch", operation],
        &["plan", "show", &plan],
        &["plan", "diff", &plan, "--exit-code"],
        &["plan", "lint", &plan],
        &["plan", "show", "pln_zzzz"],
        &["plan", "--to", "nowhere"],
        &["plan", "--env", "elsewhere", "--to", "2.0.0"],
        &["apply", &plan],
        &["cancel", operation, "--yes"],
        &["evidence", "show", record],
        &["evidence", "list", "--kind", "plan", "--limit", "1"],
    ];
    for args in commands {
        let args = [args, &["--json"]].concat();
        let (here, away) = (project.run(&args), there(&server, &[], &args));
        assert_eq!(told(&here), told(&away), "{args:?}");
        assert_eq!(here.status, away.status, "{args:?}");
    }
    // And for people.
    for args in [
        vec!["ops", "show", operation],
        vec!["plan", "show", &plan],
        vec!["history"],
    ] {
        assert_eq!(project.run(&args).out, there(&server, &[], &args).out);
    }
}

#[test]
fn a_whole_release_is_made_and_taken_back_over_the_network() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let load = project.load(300.0);
    let first = there(&server, &[], &["release", "--to", "1.0.0"]);
    first.expect(0);
    assert!(first.out.contains("promoted in"), "{}", first.out);
    there(&server, &[], &["release", "--to", "2.0.0"]).expect(0);
    let back = there(
        &server,
        &[],
        &["rollback", "--yes", "--why", "a test", "--json"],
    );
    back.expect(0);
    load.stop();
    load.join();
    // The status is the registry's word; how it ended is the result.
    let data = back.envelope()["data"].clone();
    assert_eq!(
        (&data["status"], &data["result"]),
        (&"going_back".into(), &"promoted".into()),
        "{}",
        back.out
    );
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    // Nothing to do is said there as here.
    let again = there(&server, &[], &["release", "--to", "1.0.0"]);
    again.expect(0);
    assert!(again.out.contains("nothing to do"), "{}", again.out);
}

#[test]
fn a_token_comes_from_a_file_or_the_environment_and_is_told_nobody() {
    let project = Project::new();
    let file = project.path("viewer.token");
    let path = file.to_str().unwrap();
    let made = [
        "token", "create", "--name", "vera", "--role", "viewer", "--out", path,
    ];
    project.run(&made).expect(0);
    let server = Server::start(&project, &[]);
    there(&server, &[], &["status"]).expect(77);
    let token = std::fs::read_to_string(&file).unwrap();
    let env = [("GONOGO_TOKEN", token.trim())];
    there(&server, &env, &["history"]).expect(0);
    let by_file = [("GONOGO_TOKEN_FILE", path)];
    there(&server, &by_file, &["history"]).expect(0);
    // What the token does not allow is refused by name, and the token is in no output.
    let refused = there(&server, &env, &["plan", "--to", "1.0.0", "--json"]);
    refused.expect(77);
    let envelope = refused.envelope();
    assert_eq!(envelope["error"]["code"], "UNAUTHORIZED");
    assert_eq!(envelope["error"]["details"]["scope"], "plan:create");
    assert!(!refused.out.contains(token.trim()) && !refused.err.contains(token.trim()));
    // A file that cannot be read is no empty token.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let gone = [("GONOGO_TOKEN_FILE", "/nowhere/token")];
    there(&server, &gone, &["history"]).expect(66);
}

#[test]
fn a_server_that_is_none_is_told_from_one_that_is_silent() {
    let project = Project::new();
    let mut command = project.command(&["history", "--json", "--server", "http://127.0.0.1:1"]);
    command.current_dir(std::env::temp_dir());
    let silent = finish(command, &["history"]);
    silent.expect(69);
    let error = silent.envelope()["error"].clone();
    assert_eq!(error["code"], "DEPENDENCY_UNAVAILABLE");
    assert_eq!(error["retriableReason"], "transport_unavailable");
    // The shop answers HTTP, and is no gonogo.
    let serving = Project::serving();
    let port = serving.text("gonogo.toml");
    let port = port.split("127.0.0.1:").nth(1).unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let args = [
        "history",
        "--json",
        "--server",
        &format!("http://127.0.0.1:{port}"),
    ];
    let foreign = serving.run(&args);
    foreign.expect(69);
    let error = foreign.envelope()["error"].clone();
    assert_eq!(error["details"]["reasonCodes"], json!(["SERVER_ANSWER"]));
    assert_eq!(error["retriable"], false);
}

#[test]
fn what_is_done_on_this_machine_takes_no_server() {
    let project = Project::new();
    let base = ["--server", "http://127.0.0.1:1"];
    for args in [
        vec!["token", "list"],
        vec!["gate", "check"],
        vec!["ledger", "status"],
        vec!["evidence", "submit", "gonogo.toml"],
    ] {
        let args = [args, base.to_vec()].concat();
        project.refuses(&args, 64, &["ARGUMENT_INVALID"]);
    }
    // Named by the environment it is for the commands that take it.
    let mut command = project.command(&["token", "list"]);
    command.env("GONOGO_SERVER", "http://127.0.0.1:1");
    finish(command, &["token", "list"]).expect(0);
    // Secrets have no place in an address.
    let args = [
        "history",
        "--server",
        "http://ada:hunter2@127.0.0.1:1",
        "--json",
    ];
    let refused = project.run(&args);
    refused.expect(64);
    assert!(!refused.out.contains("hunter2") && !refused.err.contains("hunter2"));
}
