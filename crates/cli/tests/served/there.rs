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
    // And for people; what can be done on the server's machine alone is told as that.
    for args in [
        vec!["ops", "show", operation],
        vec!["plan", "show", &plan],
        vec!["history"],
    ] {
        let away = there(&server, &[], &args).out;
        let away = away.replace(" (on the server's machine)", "");
        assert_eq!(project.run(&args).out, away);
    }
}

#[test]
fn what_is_no_input_is_refused_the_same_here_and_there() {
    let project = Project::serving();
    let operation = project.data(&["history"])["operations"][0]["id"].clone();
    let operation = operation.as_str().unwrap();
    let plan = project.plan("2.0.0");
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let (long, spoken) = ("x".repeat(501), "a\u{7}b");
    let key = "k".repeat(201);
    let world = project.world();
    for frozen in [false, true] {
        for args in [
            &["apply", "../x"][..],
            &["apply", "pln_"],
            &["apply", ""],
            &["apply", "pln_é"],
            &["apply", &plan, "--idempotency-key", "é"],
            &["apply", &plan, "--idempotency-key", "a b"],
            &["apply", &plan, "--idempotency-key", ""],
            &["apply", &plan, "--idempotency-key", &key],
            &[
                "apply",
                &plan,
                "--idempotency-key",
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            ],
            &["approve", "../x"],
            &["approve", &plan, "--note", spoken],
            &["approve", &plan, "--for", "a b"],
            &["cancel", "../x", "--yes"],
            &["cancel", "", "--yes"],
            &["cancel", operation, "--yes", "--why", ""],
            &["cancel", operation, "--yes", "--why", &long],
            &["rollback", "--yes", "--why", spoken],
            &["rollback", "--yes", "--to", "../x"],
            &["rollback", "--yes", "--env", "../x"],
            &["plan", "--to", "../x"],
            &["watch", "../x"],
            &["pin", "", "--why", "x"],
            &["known-good", "promote", "../x"],
        ] {
            let args = [args, &["--json"]].concat();
            let (here, away) = (project.run(&args), there(&server, &[], &args));
            assert_eq!(told(&here), told(&away), "{args:?}");
            assert_eq!(
                (here.status, away.status),
                (64, 64),
                "{args:?}: {}",
                here.out
            );
        }
        // A file that is not there is looked for before anything else is.
        let missing = ["apply", &plan, "--approval", "none.json"];
        assert_ne!(project.run(&missing).status, 1);
        if !frozen {
            assert_eq!(project.world(), world, "nothing was changed");
            project.data(&["freeze", "--why", "x"]);
        }
    }
}

#[test]
fn what_is_proposed_works_from_where_it_is_proposed() {
    let project = Project::serving();
    let operation = project.data(&["history"])["operations"][0]["id"].clone();
    let operation = operation.as_str().unwrap();
    let plan = project.plan("2.0.0");
    let server = Server::start(&project, &["--dev", "--allow-apply"]);
    let base = format!("http://127.0.0.1:{}", server.port);
    let away = |args: &[&str]| {
        let args = [args, &["--server", &base]].concat();
        let mut command = project.command(&args);
        command.current_dir(std::env::temp_dir());
        finish(command, &args)
    };
    let shown = away(&["ops", "show", operation]);
    for text in [
        format!("`gonogo packet {operation}` (on the server's machine)"),
        format!("`gonogo status --env local --server {base}`"),
    ] {
        assert!(shown.out.contains(&text), "{text}: {}", shown.out);
    }
    let given = away(&["approve", &plan]);
    assert!(
        given
            .out
            .contains(&format!("gonogo apply {plan} --server {base}")),
        "{}",
        given.out
    );
    let load = project.load(300.0);
    let ran = away(&["apply", &plan]);
    ran.expect(0);
    drop(load);
    assert!(
        ran.out.contains(".tar on the server's machine"),
        "{}",
        ran.out
    );
    assert!(!ran.out.contains("gonogo verify /"), "{}", ran.out);
    // Named by the environment, a command needs no more.
    let shown = there(&server, &[], &["ops", "show", operation]);
    assert!(!shown.out.contains("--server"), "{}", shown.out);
}

#[test]
fn what_says_who_asks_here_is_refused_beside_a_server_and_so_are_two_tokens() {
    let project = Project::new();
    let server = Server::start(&project, &["--dev"]);
    let base = format!("http://127.0.0.1:{}", server.port);
    for who in [["--as", "dana"], ["--key", "dana.pem"]] {
        for args in [
            &["history", who[0], who[1], "--json"][..],
            &[who[0], who[1], "history", "--json"],
            &["plan", "--to", "1.0.0", who[0], who[1], "--json"],
        ] {
            let error = there(&server, &[], args).refusal(64, &["ARGUMENT_INVALID"]);
            assert!(
                error["message"].as_str().unwrap().contains(who[0]),
                "{error:#}"
            );
        }
        let named = ["history", "--server", &base, who[0], who[1]];
        project.run(&named).expect(64);
        // Without a server they are what they were.
        let ran = project.run(&["history", who[0], who[1]]);
        assert_ne!(ran.status, 64, "{}", ran.err);
    }
    let file = project.path("a.token");
    std::fs::write(&file, "gng_a\n").unwrap();
    let file = file.to_str().unwrap();
    let set = [("GONOGO_TOKEN", "gng_b")];
    let both = [set[0], ("GONOGO_TOKEN_FILE", file)];
    let args = ["history", "--json"];
    let error = there(&server, &both, &args).refusal(64, &["ARGUMENT_INVALID"]);
    assert!(!error.to_string().contains("gng_"), "{error:#}");
    let flag = ["history", "--json", "--token-file", file];
    there(&server, &set, &flag).refusal(64, &["ARGUMENT_INVALID"]);
    // One that is empty is none.
    let empty = [("GONOGO_TOKEN", ""), ("GONOGO_TOKEN_FILE", file)];
    assert_ne!(there(&server, &empty, &args).status, 64);
}

/// Something that stands before a server and answers in its stead, with the status lines and headers that are left; how many it was asked for.
fn before(
    answers: &'static [&'static str],
) -> (u16, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let asked = std::sync::Arc::clone(&count);
    std::thread::spawn(move || {
        for (stream, n) in listener.incoming().flatten().zip(0..) {
            let mut reader = BufReader::new(&stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = text.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            reader.read_exact(&mut vec![0; length]).unwrap();
            asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let head = answers[std::cmp::min(n, answers.len() - 1)];
            let text =
                format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 2\r\n\r\nno");
            (&stream).write_all(text.as_bytes()).unwrap();
        }
    });
    (port, count)
}

#[test]
fn what_stands_before_a_server_refuses_and_fails_in_its_stead() {
    let project = Project::new();
    let ask = |port: u16, args: &[&str]| {
        let base = format!("http://127.0.0.1:{port}");
        project.run(&[args, &["--json", "--server", &base]].concat())
    };
    let table: [(&'static [&'static str], &str, &str); 5] = [
        (&["502 Bad Gateway"], "SERVER_FAILED", "upstream_5xx"),
        (&["500 Oh"], "SERVER_FAILED", "upstream_5xx"),
        (&["504 Late"], "DEADLINE_EXCEEDED", "upstream_timeout"),
        (&["429 Slow down"], "RATE_LIMITED", "rate_limit"),
        (
            &["429 Slow down\r\nretry-after: 600"],
            "RATE_LIMITED",
            "rate_limit",
        ),
    ];
    for (answers, reason, retry) in table {
        let (port, count) = before(answers);
        let read = ask(port, &["history"]).refusal(69, &[reason]);
        assert_eq!(
            (&read["retriable"], &read["retriableReason"]),
            (&json!(true), &json!(retry)),
            "{answers:?}"
        );
        // A read is tried a second time, unless that would have to wait for longer than anybody does.
        let long = answers[0].contains("600");
        let reads = if long { 1 } else { 2 };
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), reads);
        assert_eq!(
            read["details"]["retryAfterSeconds"],
            if long { json!(600) } else { Value::Null }
        );
        // A plan is not: it may have been made.
        let plan = ask(port, &["plan", "--to", "1.0.0"]).refusal(69, &[reason]);
        assert_eq!(plan["retriable"], true);
        assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), reads + 1);
    }
    // The second try comes not before the time that the first answer names.
    let (port, count) = before(&["503 Away\r\nretry-after: 3", "404 None"]);
    let begin = crate::project::now();
    let read = ask(port, &["history"]).refusal(69, &["SERVER_ANSWER"]);
    assert_eq!(read["retriable"], false);
    assert!(begin.elapsed() >= std::time::Duration::from_secs(3));
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 2);
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
    // Where it is not in the project here, that is said.
    let mut command = project.command(&["packet", "op_zzzz", "--json"]);
    command.env("GONOGO_SERVER", "http://127.0.0.1:1");
    let error = finish(command, &["packet"]).refusal(66, &["OPERATION_NOT_FOUND"]);
    let hints = error["details"]["hints"].to_string();
    assert!(hints.contains("was not asked"), "{error:#}");
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

/// A command line of each command, and of each part of those of which only some parts take a server.
const EACH: &[&str] = &[
    "plan --to 1.0.0",
    "approve pln_000000000000",
    "approval list",
    "approval show pln_000000000000",
    "approval request pln_000000000000",
    "approval approve pln_000000000000",
    "approval revoke apr_000000000000 --why x",
    "approval delegations",
    "approval undelegate dlg_000000000000 --why x",
    "break-glass pln_000000000000 --policy p --reason r",
    "incident list",
    "incident show inc_000000000000",
    "incident close inc_000000000000 --review r",
    "apply pln_000000000000",
    "release --to 1.0.0",
    "status",
    "watch op_000000000000",
    "cancel op_000000000000 --yes",
    "rollback --yes",
    "freeze list",
    "unfreeze frz_000000000000 --why x",
    "pin list",
    "unpin --why x",
    "known-good list",
    "rollback-posture",
    "history",
    "ops list",
    "ops triage",
    "dry-run watch --progress x",
    "suite list",
    "perf history x",
    "gate policy",
    "gates init",
    "gates dashboard",
    "gates check",
    "gates sign-off x",
    "slo report",
    "record lint x",
    "runbook list",
    "init",
    "evidence list",
    "evidence show 0",
    "evidence submit x",
    "packet op_000000000000",
    "verify x",
    "ledger status",
    "witness init --dir x --name x",
    "explain FROZEN",
    "serve",
    "mcp",
    "token list",
    "webhook list",
    "user list",
    "whoami",
    "call status_get",
    "agent --env local",
    "demo",
    "key show x",
    "help",
    "completions bash",
    "man --out x",
];

#[test]
fn the_page_lists_exactly_the_commands_that_take_a_server() {
    let project = Project::new();
    let page = project.run(&["help", "server"]).expect(0).out.clone();
    let (_, list) = page.split_once("These take a server:").unwrap();
    let (list, _) = list.split_once('.').unwrap();
    let listed: Vec<&str> = list.split('`').skip(1).step_by(2).collect();
    assert!(listed.len() > 20, "{listed:?}");
    let known = |command: &str| {
        let of = |line: &&&str| **line == command || line.starts_with(&format!("{command} "));
        EACH.iter().any(|line| of(&line))
    };
    for listed in &listed {
        assert!(known(listed), "no command is called `{listed}`");
    }
    // No command is left out of the table above.
    let help = project.run(&["--help"]).expect(0).out.clone();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let (commands, _) = commands.split_once("\n\n").unwrap();
    for line in commands.lines().filter(|l| !l.starts_with("   ")) {
        let name = line.split_whitespace().next().unwrap();
        assert!(known(name), "`{name}` is not tried");
    }
    let nobody = format!("http://127.0.0.1:{}", crate::project::free_port());
    for line in EACH {
        let words: Vec<&str> = line.split(' ').collect();
        let args = [&words[..], &["--server", &nobody, "--json"]].concat();
        let mut command = project.command(&args);
        command.stdin(std::process::Stdio::null());
        let ran = finish(command, &args);
        let refused = ran.out.contains("this is done on this machine");
        // What reaches for it does not get there; an agent's relay ends with its input.
        let reaches = ran.out.contains("SERVER_UNREACHABLE") || *line == "mcp" && !refused;
        assert!(refused != reaches, "{line}: {} {}", ran.out, ran.err);
        let two = words.get(1).map(|second| format!("{} {second}", words[0]));
        let told = listed.contains(&words[0]) || two.is_some_and(|two| listed.contains(&&*two));
        assert_eq!(told, reaches, "`{line}`, and the page");
    }
}
