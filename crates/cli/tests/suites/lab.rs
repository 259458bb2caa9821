//! A repository in which suites are run.
//!
//! Invariants: home and state lie in the directory too; every process that has it among its arguments, or works there, is ended when
//! the lab is dropped. The runners are scripts that write what other people's runners write.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::project::{PROGRAM, Running, end_all, finish};
use crate::screen::Ran;

/// Two tests that passed.
pub(crate) const GREEN: &str = r#"<testsuite name="s" tests="2"><testcase classname="c" name="a"/><testcase classname="c" name="b"/></testsuite>"#;

/// One that passed, one that failed.
pub(crate) const RED: &str = r#"<testsuite name="s" tests="2" failures="1"><testcase classname="c" name="a"/><testcase classname="c" name="b"><failure message="boom">at x</failure></testcase></testsuite>"#;

/// The configuration: `HEAD` and `KEYS` are filled in.
const CONFIG: &str = r#"service = "shop"

[suite]
min_free = "1MiB"
min_free_temp = "1MiB"
min_free_inodes = "0%"

[suites.unit]
class = "unit"
owner = "ana"
command = ["sh", "unit.sh"]
"#;

/// What makes a suite's report JUnit.
pub(crate) const JUNIT: &str = "format = \"junit\"\nreports = [\"out/*.xml\"]\n";

/// A script that writes a report.
pub(crate) fn writes(report: &str) -> String {
    format!("printf '%s' '{report}' > out/r.xml\n")
}

/// A script that writes [`RED`] and ends as its runner would.
pub(crate) fn fails() -> String {
    format!("{}exit 1\n", writes(RED))
}

/// A repository.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    /// One whose suite `unit` is this script with a JUnit report.
    pub(crate) fn new(script: &str) -> Self {
        Self::with(script, JUNIT)
    }

    /// One whose suite `unit` is this script, with these keys and whatever sections follow.
    pub(crate) fn with(script: &str, keys: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("gonogo-suites-")
            .tempdir()
            .unwrap();
        for inside in ["work", "home", "state"] {
            std::fs::create_dir(dir.path().join(inside)).unwrap();
        }
        let lab = Self { dir };
        lab.write("gonogo.toml", format!("{CONFIG}{keys}"));
        lab.write("unit.sh", format!("mkdir -p out\n{script}"));
        lab.write(".gitignore", "out/\n.gonogo/\n");
        lab.git(&["init", "-q", "-b", "main"]);
        lab.commit("one");
        lab
    }

    /// A path in the repository.
    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.dir.path().join("work").join(inside)
    }

    /// A path beside the repository.
    pub(crate) fn beside(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file.
    pub(crate) fn write(&self, inside: &str, text: impl AsRef<[u8]>) {
        let path = self.path(inside);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// Writes the script of the suite `unit`.
    pub(crate) fn script(&self, script: &str) {
        self.write("unit.sh", format!("mkdir -p out\n{script}"));
    }

    /// Adds to the configuration.
    pub(crate) fn declare(&self, more: &str) {
        let path = self.path("gonogo.toml");
        let text = std::fs::read_to_string(&path).unwrap() + more;
        std::fs::write(path, text).unwrap();
    }

    /// Commits everything.
    pub(crate) fn commit(&self, text: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", text]);
    }

    /// git, to be run here.
    pub(crate) fn git_command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        self.surround(&mut command);
        command.args(args);
        command
    }

    /// Runs git and gives what it says.
    #[track_caller]
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let said = self.git_command(args).output().unwrap();
        assert!(said.status.success(), "git {args:?}: {said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    /// The program.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        self.surround(&mut command);
        command.args(args);
        command
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn gonogo(&self, args: &[&str]) -> Ran {
        finish(self.command(args), args)
    }

    /// Runs it with `--json` and gives its data, whatever the exit code is.
    #[track_caller]
    pub(crate) fn data(&self, args: &[&str]) -> Value {
        let ran = self.gonogo(&[args, &["--json"]].concat());
        let mut envelope = ran.envelope();
        assert_eq!(envelope["success"], true, "{envelope:#}");
        envelope["data"].take()
    }

    /// Runs the profile `ci`, checks how it ends, and gives the run.
    #[track_caller]
    pub(crate) fn run(&self, exit: i32, status: &str) -> Run {
        let ran = self.gonogo(&["suite", "run", "--profile", "ci", "--json"]);
        let run = Run::of(&ran);
        ran.expect(exit);
        assert_eq!(run.data["status"], status, "{:#}", run.data);
        assert_eq!(run.summary()["status"], status);
        run
    }

    /// Judges, checks how that ends, and gives the verdict.
    #[track_caller]
    pub(crate) fn check(&self, more: &[&str], exit: i32, status: &str) -> Judged {
        let ran = self.gonogo(&[&["gate", "check", "--json"], more].concat());
        let mut envelope = ran.envelope();
        let judged = Judged(envelope["data"].take());
        assert_eq!(
            (ran.status, judged.0["verdict"]["verdict"].as_str()),
            (exit, Some(status)),
            "{:?}",
            judged.told()
        );
        judged
    }

    /// Starts it.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        let child = self
            .command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Running::of(child.unwrap())
    }

    fn surround(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GONOGO_") || text.starts_with("GIT_") || text.starts_with("CI") {
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
            .env("GIT_AUTHOR_NAME", "ana")
            .env("GIT_AUTHOR_EMAIL", "ana@example.org")
            .env("GIT_COMMITTER_NAME", "ana")
            .env("GIT_COMMITTER_EMAIL", "ana@example.org")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env_remove("COLUMNS");
    }

    /// Files below a place in the repository that hold these bytes.
    pub(crate) fn holding(&self, inside: &str, bytes: &[u8]) -> Vec<PathBuf> {
        let all = crate::project::files(&self.path(inside));
        let has = |text: &[u8]| text.windows(bytes.len()).any(|w| w == bytes);
        let named = |path: &Path| has(path.as_os_str().as_encoded_bytes());
        let found = all.into_iter().filter(|(p, text)| has(text) || named(p));
        found.map(|(path, _)| path).collect()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end_all(self.dir.path());
    }
}

/// A run that ended.
pub(crate) struct Run {
    pub(crate) data: Value,
    pub(crate) dir: PathBuf,
}

impl Run {
    #[track_caller]
    pub(crate) fn of(ran: &Ran) -> Self {
        let mut envelope = ran.envelope();
        let data = envelope["data"].take();
        let dir = data["directory"].as_str();
        let dir = PathBuf::from(dir.unwrap_or_else(|| panic!("{envelope:#}")));
        Self { data, dir }
    }

    pub(crate) fn id(&self) -> &str {
        self.data["run"].as_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self, name: &str) -> Value {
        let path = self.dir.join(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        serde_json::from_slice(&bytes).unwrap()
    }

    pub(crate) fn summary(&self) -> Value {
        self.json("summary.json")
    }

    /// Every reason code.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let all = self.data["reasons"].as_array().unwrap();
        all.iter().map(|r| r.as_str().unwrap().to_owned()).collect()
    }
}

/// A verdict.
pub(crate) struct Judged(pub(crate) Value);

impl Judged {
    /// Gate and code of every reason.
    pub(crate) fn told(&self) -> Vec<(String, String)> {
        let gates = self.0["verdict"]["gates"].as_array().unwrap();
        let mut told = Vec::new();
        for gate in gates {
            for reason in gate["reasons"].as_array().into_iter().flatten() {
                let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                told.push((word(&gate["id"]), word(&reason["code"])));
            }
        }
        told
    }

    #[track_caller]
    pub(crate) fn tells(&self, gate: &str, code: &str) {
        let told = self.told();
        assert!(told.contains(&(gate.into(), code.into())), "{told:?}");
    }
}
