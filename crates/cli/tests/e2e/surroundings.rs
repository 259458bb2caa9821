//! A machine that does not play along: a port in use, a directory that cannot be written, a clock that jumped.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use gonogo_core::Timestamp;
use gonogo_core::clock::{Clock, SystemClock};
use gonogo_store::ledger::{Draft, Founding, Ledger};
use gonogo_testkit::{lacks, skip};
use serde_json::json;

use crate::project::{PROGRAM, Project, finish, wait};

#[test]
fn a_port_that_somebody_uses_is_named() {
    let project = Project::new();
    let taken = TcpListener::bind(project.listen).unwrap();
    let error = project
        .run(&["plan", "--to", "1.0.0", "--json"])
        .refusal(69, &["PORT_TAKEN"]);
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains(&project.listen.to_string()),
        "{error}"
    );
    project
        .run(&["plan", "--to", "1.0.0"])
        .matches("port-taken");
    project
        .run(&["release", "--to", "1.0.0", "--json"])
        .refusal(69, &["PORT_TAKEN"]);
    project
        .run(&["agent", "--json"])
        .refusal(69, &["PORT_TAKEN"]);
    assert!(project.records("plan").is_empty() && !project.path(".gonogo/plans").exists());
    wait("no process left", std::time::Duration::from_secs(5), || {
        project.processes().is_empty().then_some(())
    });
    drop(taken);
    project.run(&["plan", "--to", "1.0.0"]).expect(0);
}

#[test]
fn an_environment_whose_address_changed_says_so() {
    let project = Project::new();
    project.plan("1.0.0");
    let config = project.text("gonogo.toml");
    let moved = config.replace(
        &project.listen.to_string(),
        &format!("127.0.0.1:{}", crate::project::free_port()),
    );
    std::fs::write(project.path("gonogo.toml"), moved).unwrap();
    let error = project.refuses(&["plan", "--to", "1.0.0"], 69, &["AGENT_REFUSED"]);
    assert!(
        error["details"]["hints"]
            .to_string()
            .contains("agent --env local --stop"),
        "{error}"
    );
    project
        .run(&["plan", "--to", "1.0.0"])
        .matches("listen-changed");
}

#[test]
fn a_status_without_an_agent_is_not_green() {
    let project = Project::new();
    let ran = project.run(&["status", "--json"]);
    ran.expect(3);
    assert_eq!(
        ran.envelope()["data"]["environments"][0]["observed"],
        serde_json::Value::Null
    );
    project
        .run(&["agent", "--stop", "--json"])
        .refusal(69, &["AGENT_UNREACHABLE"]);
}

/// What makes `setpriv` run a program as a user without rights.
const NOBODY: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// Why nothing can be run as a user without rights here, or not the program.
fn lacks_nobody() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can become somebody without rights".into());
    }
    let [a, b, c] = NOBODY;
    if let Some(why) = lacks("setpriv", &[a, b, c, "true"]) {
        return Some(why);
    }
    // Each directory above the program must let that user through; that it runs for us is known.
    let reach = std::process::Command::new("setpriv")
        .args(NOBODY)
        .args(["test", "-x", PROGRAM])
        .status()
        .unwrap();
    assert!(matches!(reach.code(), Some(0 | 1)), "{reach}");
    (!reach.success()).then(|| format!("users without rights do not reach {PROGRAM}"))
}

/// Runs the program as a user without rights.
fn as_nobody(project: &Project, args: &[&str]) -> crate::screen::Ran {
    let mut command = std::process::Command::new("setpriv");
    command.args(NOBODY).arg(PROGRAM);
    command
        .args(args)
        .current_dir(project.path(""))
        .env("GONOGO_ACTOR", "nobody")
        .env("NO_COLOR", "1")
        .env("GONOGO_MEMORY", "none")
        .env_remove("GONOGO_ENV");
    finish(command, args)
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    if let Some(why) = lacks_nobody() {
        return skip("a directory that cannot be written", &why);
    }
    let project = Project::new();
    let mode = |path: &str, mode| {
        std::fs::set_permissions(project.path(path), std::fs::Permissions::from_mode(mode)).unwrap()
    };
    mode("", 0o755);
    as_nobody(&project, &["--version"]).expect(0);
    let told = as_nobody(&project, &["plan", "--to", "1.0.0", "--json"]);
    let error = told.refusal(77, &["PERMISSION_DENIED"]);
    assert!(
        error["message"].as_str().unwrap().contains(".gonogo"),
        "{error}"
    );
    assert!(!project.path(".gonogo").exists());

    // Somebody else's project: the state is there, and out of reach.
    project.plan("1.0.0");
    let before = project.world();
    for args in [
        ["plan", "--to", "1.0.0"].as_slice(),
        &["status"],
        &["release", "--to", "1.0.0"],
        &["history"],
    ] {
        let told = as_nobody(&project, &[args, &["--json"]].concat());
        let error = told.refusal(77, &["PERMISSION_DENIED"]);
        assert!(
            error["message"].as_str().unwrap().contains(".gonogo"),
            "{error}"
        );
    }
    assert_eq!(project.world(), before);
    as_nobody(&project, &["plan", "--to", "1.0.0"]).matches("permission-denied");
}

/// Writes a record of an hour ahead, as a command under a wrong clock does.
fn wrong_once(project: &Project) {
    let now = SystemClock::default().now().wall;
    let ahead = Timestamp::from_millis(now.as_millis() + 3_600_000);
    {
        let founding = Founding {
            origin: "ledger.shop",
            actor: "gonogo",
            time: now,
        };
        let ledger = Ledger::open(&project.path(".gonogo"), founding).unwrap();
        let draft = Draft {
            stream: "system".into(),
            key: "from-the-future".into(),
            kind: "note".into(),
            subject: vec![],
            time: ahead,
            actor: "gonogo".into(),
            body: json!({}),
            signer: None,
        };
        ledger.append(vec![draft]).unwrap();
    }
}

#[test]
fn a_clock_that_went_back_stops_everything_that_changes() {
    let project = Project::new();
    let id = project.approved("1.0.0");
    wrong_once(&project);
    for args in [
        ["plan", "--to", "2.0.0"].as_slice(),
        &["approve", &id],
        &["apply", &id],
        &["release", "--to", "2.0.0"],
    ] {
        project.refuses(args, 3, &["CLOCK_WENT_BACK"]);
    }
    project.run(&["apply", &id]).matches("clock-went-back");
    // Looking is still possible.
    project.run(&["history"]).expect(0);
    project.run(&["evidence", "list"]).expect(0);
    assert!(project.serves().is_empty());
}

#[test]
fn going_back_is_possible_on_any_clock() {
    let project = Project::serving();
    let load = project.load(300.0);
    project.behave("1.1.0", "version = \"1.1.0\"\n");
    project.run(&["release", "--to", "1.1.0"]).expect(0);
    wrong_once(&project);
    project.refuses(&["release", "--to", "2.0.0"], 3, &["CLOCK_WENT_BACK"]);
    project.run(&["rollback", "--yes"]).expect(0);
    assert_eq!(project.serves(), ["1.0.0:10000"]);
    load.stop();
    load.join();
}

/// A copy of a directory as it is now.
fn copied(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copied(&from, &to);
        } else if from.is_file() {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[test]
fn half_of_what_is_known_is_not_taken_for_the_whole() {
    let project = Project::new();
    let id = project.approved("crash-at-start");
    let state = project.path(".gonogo");
    let early = project.path("early");
    copied(&state, &early);
    project.run(&["apply", &id]).expect(2);
    let whole = project.path("whole");
    copied(&state, &whole);

    let files = |names: &[&str], from: Option<&std::path::Path>| {
        for name in names {
            let (path, kept) = (state.join(name), from.map(|dir| dir.join(name)));
            if path.is_dir() {
                std::fs::remove_dir_all(&path).unwrap();
            } else if path.exists() {
                std::fs::remove_file(&path).unwrap();
            }
            match kept {
                Some(kept) if kept.is_dir() => copied(&kept, &path),
                Some(kept) if kept.exists() => drop(std::fs::copy(&kept, &path).unwrap()),
                _ => {}
            }
        }
    };
    let (store, ledger) = (["state.db", "state.db-wal", "state.db-shm"], ["ledger"]);
    let cases = [
        ("the store is gone", &store[..], None, 70, "STORE_FAILED"),
        (
            "the store is older",
            &store,
            Some(early.as_path()),
            70,
            "STORE_FAILED",
        ),
        ("the ledger is gone", &ledger, None, 3, "LEDGER_CORRUPT"),
        (
            "the ledger is older",
            &ledger,
            Some(early.as_path()),
            3,
            "LEDGER_CORRUPT",
        ),
    ];
    for (what, names, from, exit, reason) in cases {
        files(names, from);
        for args in [
            &["history"][..],
            &["status"],
            &["plan", "--to", "1.0.0"],
            &["approve", &id],
            &["apply", &id],
            &["evidence", "list"],
        ] {
            let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
            let error = project.run(&args).refusal(exit, &[reason]);
            assert!(
                error["details"]["hints"]
                    .to_string()
                    .contains("copy of the state"),
                "{what}: {error:#}"
            );
        }
        // Nothing was made in its place that would pass for it the next time.
        files(names, Some(whole.as_path()));
        assert_eq!(
            project.data(&["history"])["operations"]
                .as_array()
                .unwrap()
                .len(),
            1,
            "{what}"
        );
    }
    // Both from the same moment fit each other, but not what this user has seen of them.
    files(&[&store[..], &ledger].concat(), Some(early.as_path()));
    let error = project
        .run(&["history", "--json"])
        .refusal(3, &["LEDGER_ROLLED_BACK"]);
    let kept: Vec<_> = conflicts(&project.path(".memory"));
    assert_eq!(kept, ["log.vkey", "seen-before", "seen-now"], "{error:#}");
    // Whoever has seen nothing of them takes them as they are.
    let mut forgetful = project.command(&["history", "--json"]);
    forgetful.env("GONOGO_MEMORY", "none");
    let ran = finish(forgetful, &["history", "--json"]);
    ran.expect(0);
}

/// The names of the files that are kept as proof, over all logs.
fn conflicts(memory: &std::path::Path) -> Vec<String> {
    let list = |dir: &std::path::Path| -> Vec<_> {
        std::fs::read_dir(dir)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect()
    };
    let mut names: Vec<String> = list(&memory.join("logs"))
        .iter()
        .flat_map(|log| list(&log.join("conflicts")))
        .flat_map(|pair| list(&pair))
        .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
