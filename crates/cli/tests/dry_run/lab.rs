//! A directory in which dry runs are made, and what tests read of a run.
//!
//! Invariants: home and state lie in the directory too; every process with the directory among its arguments, or that works
//! there, is ended when the lab is dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{PROGRAM, end_all, files, finish, processes_of, wait};
use crate::screen::Ran;

/// How long tests wait for what happens at once.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// One second, in hours, as the flags take it.
pub(crate) const SECOND: f64 = 1.0 / 3600.0;

/// Flags of a run without evidence, with graces as short as tests like them.
pub(crate) const BARE: [&str; 4] = [
    "--skip-diary-evidence",
    "--skip-performance-evidence",
    "--shutdown-grace-seconds",
    "5",
];

/// A script that beats until SIGINT or SIGTERM and ends well then.
pub(crate) const BEATS: &str = r#"trap 'exit 0' INT TERM
n=0
while :; do n=$((n+1)); echo "{\"level\":\"info\",\"event\":\"heartbeat\",\"message\":\"beat\",\"seq\":$n}"; sleep 0.05; done"#;

/// A directory of its own.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    /// An empty one.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-dry-")
            .tempdir()
            .unwrap();
        for inside in ["work", "home", "state"] {
            std::fs::create_dir(dir.path().join(inside)).unwrap();
        }
        Self { dir }
    }

    /// One with this `gonogo.toml`; `PROGRAM` is filled in.
    pub(crate) fn with(config: &str) -> Self {
        let lab = Self::new();
        lab.write("gonogo.toml", config.replace("PROGRAM", PROGRAM));
        lab
    }

    /// A path in the working directory.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join("work").join(inside)
    }

    /// A path in the working directory as text.
    pub(crate) fn at(&self, inside: &str) -> String {
        self.path(inside).to_str().unwrap().to_owned()
    }

    /// Writes a file in the working directory and returns its path.
    pub(crate) fn write(&self, inside: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        self.at(inside)
    }

    /// A file of the working directory as text.
    #[track_caller]
    pub(crate) fn text(&self, inside: &str) -> String {
        let path = self.path(inside);
        std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// A file of the working directory as JSON.
    #[track_caller]
    pub(crate) fn json(&self, inside: &str) -> Value {
        serde_json::from_str(&self.text(inside)).unwrap_or_else(|e| panic!("{inside}: {e}"))
    }

    /// Everything in the working directory.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        files(&self.path(""))
    }

    /// Names of everything in the working directory, folders too.
    pub(crate) fn names(&self) -> Vec<PathBuf> {
        fn list(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    list(&path, found);
                }
                found.push(path);
            }
        }
        let mut found = Vec::new();
        list(&self.path(""), &mut found);
        found.sort();
        found
    }

    /// `gonogo dry-run` with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.bare(&[&["dry-run"], args].concat())
    }

    /// `gonogo` with these arguments.
    pub(crate) fn bare(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        self.surround(&mut command);
        command.args(args);
        command
    }

    /// Directory, home and variables as all commands here have them.
    pub(crate) fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GONOGO_") && text != gonogo_testkit::LIST {
                command.env_remove(&name);
            }
        }
        command
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .env("HOME", self.dir.path().join("home"))
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("GONOGO_ACTOR", "you")
            .env("NO_COLOR", "1")
            .env_remove("COLUMNS");
    }

    /// Runs `gonogo dry-run …` to its end.
    #[track_caller]
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        finish(self.command(args), args)
    }

    /// Orchestrates a run called `name` of so many seconds, without evidence, and returns how it ended.
    #[track_caller]
    pub(crate) fn orchestrate(
        &self,
        name: &str,
        seconds: f64,
        flags: &[&str],
        command: &[&str],
    ) -> Made<'_> {
        let args = orchestrate(name, seconds, &[&BARE, flags].concat(), command);
        let ran = self.run(&args.iter().map(String::as_str).collect::<Vec<_>>());
        self.made(name, ran)
    }

    /// A run called `name` that ended so.
    pub(crate) fn made(&self, name: &str, ran: Ran) -> Made<'_> {
        Made {
            lab: self,
            ran,
            name: name.to_owned(),
        }
    }

    /// Processes that belong to this directory.
    pub(crate) fn processes(&self) -> Vec<i32> {
        processes_of(self.dir.path())
    }

    /// Waits until no process of this directory is left.
    #[track_caller]
    pub(crate) fn deserted(&self) {
        wait("every process of the run has ended", SOON, || {
            self.processes().is_empty().then_some(())
        });
    }

    /// The keeper, or the pump, of the one run here.
    #[track_caller]
    pub(crate) fn part(&self, part: &str) -> i32 {
        wait(&format!("a {part} works"), SOON, || {
            self.processes().into_iter().find(|pid| {
                let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let mut words = line.split(|b| *b == 0).skip(1);
                words.next() == Some(b"capture-part") && words.next() == Some(part.as_bytes())
            })
        })
    }

    /// Verifies a packet with this key.
    #[track_caller]
    pub(crate) fn verify(&self, packet: &Path, key: &str, more: &[&str]) -> Ran {
        let packet = packet.to_str().unwrap();
        let args = [&["verify", packet, "--log-key", key, "--json"], more].concat();
        finish(self.bare(&args), &args)
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end_all(self.dir.path());
    }
}

/// Arguments of `orchestrate`.
pub(crate) fn orchestrate(
    name: &str,
    seconds: f64,
    flags: &[&str],
    command: &[&str],
) -> Vec<String> {
    let hours = (seconds * SECOND).to_string();
    let head = [
        "orchestrate",
        "--json",
        "--run-name",
        name,
        "--duration-hours",
        &hours,
    ];
    let all = [&head, flags, &["--"], command].concat();
    all.into_iter().map(str::to_owned).collect()
}

/// A run that ended.
pub(crate) struct Made<'a> {
    lab: &'a Lab,
    pub(crate) ran: Ran,
    name: String,
}

impl Made<'_> {
    /// A path in its directory, relative to the working directory.
    pub(crate) fn inside(&self, path: &str) -> String {
        format!("artifacts/final_dry_run/{}/{path}", self.name)
    }

    /// A path in its capture directory, relative to the working directory.
    pub(crate) fn captured(&self, path: &str) -> String {
        self.inside(&format!("logs/final_dry_run_{}/{path}", self.name))
    }

    /// A file of it as JSON.
    #[track_caller]
    pub(crate) fn json(&self, path: &str) -> Value {
        self.lab.json(&self.inside(path))
    }

    /// Its summary.
    #[track_caller]
    pub(crate) fn summary(&self) -> Value {
        self.json("summary.json")
    }

    /// Checks exit code and status, in the envelope, the summary and the progress.
    #[track_caller]
    pub(crate) fn ended(&self, exit: i32, status: &str) -> Value {
        self.ran.expect(exit);
        let data = self.ran.envelope()["data"].clone();
        let summary = self.summary();
        assert_eq!(data["status"], status, "{data:#}");
        assert_eq!(summary["status"], status, "{:#}", summary["incidents"]);
        if self.lab.path(&self.inside("progress.json")).exists() {
            let progress = self.json("progress.json");
            assert_eq!(
                (&progress["status"], &progress["phase"]),
                (&status.into(), &"complete".into())
            );
        }
        summary
    }

    /// The key with which its packet verifies.
    #[track_caller]
    pub(crate) fn key(&self) -> String {
        self.ran.envelope()["data"]["logKey"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Its packet.
    pub(crate) fn packet(&self) -> PathBuf {
        self.lab.path(&self.inside("packet.tar.gz"))
    }
}

/// The incidents of a kind.
pub(crate) fn incidents(report: &Value, kind: &str) -> Vec<Value> {
    let all = report["incidents"].as_array().into_iter().flatten();
    all.filter(|i| i["kind"] == kind).cloned().collect()
}

/// Findings of a sign-off with this code.
pub(crate) fn findings(report: &Value, code: &str) -> Vec<Value> {
    let all = report["sign_off"]["findings"]
        .as_array()
        .into_iter()
        .flatten();
    all.filter(|f| f["code"] == code).cloned().collect()
}

/// `sh -c` of a script.
pub(crate) fn sh(script: &str) -> [&str; 3] {
    ["sh", "-c", script]
}

/// Lets a file be run.
pub(crate) fn executable(path: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
