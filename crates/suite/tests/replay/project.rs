//! A project on disk: it is run, its reports are read, its failures are shown again.

#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gonogo_core::Reason;
use gonogo_suite::propose::Files;
use gonogo_suite::replay::{self, Level, Observed, Origin, Replay, ReplayResult, Replays, Verdict};
use gonogo_suite::run::{End, Problem, Row, Tally};
use gonogo_suite::{Format, Limits, read};

/// A directory that is asked as the rules ask.
pub(crate) struct Disk(pub(crate) PathBuf);

impl Files for Disk {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        std::fs::read(self.0.join(path)).ok()
    }

    fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    fn list(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(dir))
            .into_iter()
            .flatten()
            .flatten();
        let mut names: Vec<String> = entries
            .filter_map(|e| e.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }
}

/// A place for this test alone, below cargo's directory for such.
pub(crate) fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("replay-{name}"))
}

/// The sources of a fixture, copied; what lay there before is gone.
pub(crate) fn copy(fixture: &str, to: &Path) {
    let from = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/replay")
        .join(fixture);
    let _ = std::fs::remove_dir_all(to);
    copy_dir(&from, to);
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) struct Project {
    pub(crate) root: PathBuf,
    pub(crate) origin: Origin,
    /// What every command needs: caches, directories of its own.
    pub(crate) env: BTreeMap<String, String>,
}

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) rows: Vec<Row>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) log: String,
}

impl Project {
    pub(crate) fn new(root: &Path, command: &[&str], format: &str, reports: &[&str]) -> Self {
        Self {
            root: root.to_owned(),
            origin: Origin {
                target: "unit".into(),
                command: command.iter().map(|w| (*w).to_owned()).collect(),
                dir: ".".into(),
                format: format.into(),
                reports: reports.iter().map(|r| (*r).to_owned()).collect(),
                root: Some(root.to_str().unwrap().to_owned()),
                artifact_dir: ".gonogo/runs/suite/1".into(),
                min_tests: 1,
                ..Origin::default()
            },
            env: BTreeMap::new(),
        }
    }

    /// Runs the declared command.
    pub(crate) fn run(&self) -> Ran {
        let dir = self.root.join(&self.origin.dir);
        let mut command = Command::new(&self.origin.command[0]);
        command.args(&self.origin.command[1..]).current_dir(dir);
        self.read(command, &self.origin.reports)
    }

    /// Runs a replay as somebody does who copies its line.
    pub(crate) fn again(&self, replay: &Replay) -> Ran {
        let mut command = Command::new("sh");
        command.arg("-c").arg(&replay.shell).current_dir(&self.root);
        self.read(command, &replay.proves_selection.reports)
    }

    fn read(&self, mut command: Command, reports: &[String]) -> Ran {
        for report in reports {
            let _ = std::fs::remove_file(self.root.join(report));
        }
        let log_path = self.root.join("output.log");
        let log = std::fs::File::create(&log_path).unwrap();
        for name in [
            "RUSTFLAGS",
            "CARGO_INCREMENTAL",
            "RUST_BACKTRACE",
            "GOFLAGS",
            "PYTEST_ADDOPTS",
            "NODE_OPTIONS",
            "FORCE_COLOR",
        ] {
            command.env_remove(name);
        }
        // What `cargo test` sets for this process is not the project's.
        for (name, _) in std::env::vars()
            .filter(|(name, _)| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_BIN_"))
        {
            command.env_remove(name);
        }
        command
            .envs(&self.env)
            .env("CI", "true")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        // cargo names its binaries on the one, libtest their tests on the other; JSON stands alone.
        let errors = match self.origin.format.as_str() {
            "jest" => std::fs::File::create(self.root.join("errors.log")).unwrap(),
            _ => log.try_clone().unwrap(),
        };
        let status = command.stdout(log).stderr(errors).status();
        let status =
            status.unwrap_or_else(|e| panic!("{:?} cannot be started: {e}", command.get_program()));
        let end = match status.code() {
            Some(code) => End::Exited { code },
            None => End::Signalled { signal: 0 },
        };
        let format: Format = serde_json::from_value(self.origin.format.clone().into()).unwrap();
        let mut paths: Vec<PathBuf> = reports.iter().map(|r| self.root.join(r)).collect();
        if paths.is_empty() {
            paths.push(log_path.clone());
        }
        let (mut tally, mut problems) = (Tally::default(), Vec::new());
        for path in paths {
            let Ok(bytes) = std::fs::read(&path) else {
                problems.push(Problem::new(Reason::EvidenceMissing, "there is no report"));
                continue;
            };
            tally.next_input();
            // As a run reads it: a test is named from the project on.
            let mut rooted = read::Rooted::new(self.root.to_str().unwrap(), &mut tally);
            let reading = read::read(format, &mut &bytes[..], &Limits::default(), &mut rooted);
            let issues = reading
                .issues
                .iter()
                .filter_map(|i| Some(Problem::new(i.kind.reason()?, i.text.clone())));
            problems.extend(issues);
        }
        Ran {
            end,
            rows: tally.into_rows("unit", &[]),
            problems,
            log: String::from_utf8_lossy(&std::fs::read(log_path).unwrap()).into_owned(),
        }
    }

    pub(crate) fn compare(&self, replay: &Replay, ran: &Ran) -> ReplayResult {
        let root = self.root.to_str().unwrap();
        let observed = Observed {
            end: &ran.end,
            rows: &ran.rows,
            problems: &ran.problems,
            shown: None,
            log: &ran.log,
            roots: (root, root),
        };
        replay::compare(replay, observed)
    }

    pub(crate) fn replays(&self, row: &Row) -> Replays {
        replay::replay(&self.origin, row, &Disk(self.root.clone()))
    }

    /// Shows every failure again and asserts that it is this failure. `alone` says which other tests may run beside it; rows of files
    /// that could not be loaded go up a level. Returns how many were shown.
    pub(crate) fn prove(&self, alone: fn(&Row, &Row) -> bool) -> usize {
        self.prove_of(usize::MAX, alone)
    }

    /// The same of the first few failures: another way to start a runner that is proven already.
    pub(crate) fn prove_some(&self) {
        assert_eq!(self.prove_of(3, |_, _| false), 3);
    }

    fn prove_of(&self, most: usize, alone: fn(&Row, &Row) -> bool) -> usize {
        let first = self.run();
        let bad: Vec<&Row> = first
            .rows
            .iter()
            .filter(|row| !row.verdict.is_good())
            .take(most)
            .collect();
        assert!(!bad.is_empty(), "nothing fails: {}", first.log);
        for row in &bad {
            let replays = self.replays(row);
            let replay = replays.best();
            let ran = self.again(replay);
            let result = self.compare(replay, &ran);
            let told = format!(
                "{}\n$ {}\n{:?}\n{}",
                row.test, replay.shell, result.verdict, ran.log
            );
            assert!(
                matches!(result.verdict, Verdict::Reproduced { .. }),
                "{told}"
            );
            // Files that cannot be loaded, and what rustdoc cannot select.
            let is_whole = row.test.name.starts_with('(')
                || row.test.name == "tests.test_broken"
                || row.test.suite.ends_with(" (doc-tests)")
                || (*row.test.suite == *row.test.name && row.test.name.ends_with(".js"));
            assert_eq!(
                replay.level == Level::Test,
                !is_whole,
                "{}: {told}",
                replay.why_this_level
            );
            let beside: Vec<String> = ran
                .rows
                .iter()
                .filter(|other| other.test != row.test && !alone(row, other))
                .filter(|other| other.verdict != gonogo_suite::TestVerdict::Skipped)
                .map(|other| other.test.to_string())
                .collect();
            assert!(
                is_whole || beside.is_empty(),
                "{beside:?} ran as well: {told}"
            );
        }
        bad.len()
    }

    /// A test that is not there: no runner may make a pass of it.
    pub(crate) fn prove_that_nothing_is_no_pass(&self) {
        let first = self.run();
        let bad = first.rows.iter().filter(|row| !row.verdict.is_good());
        let row = bad
            .into_iter()
            .find(|row| self.replays(row).test.is_some())
            .unwrap();
        let mut gone = row.clone();
        gone.test.name = if self.origin.format == "go" {
            "TestThatIsNotThere".into()
        } else {
            "that_is_not_there".into()
        };
        let replays = self.replays(&gone);
        let replay = replays.test.as_ref().unwrap();
        let ran = self.again(replay);
        let result = self.compare(replay, &ran);
        assert_eq!(
            result.verdict.word(),
            "cannot_run",
            "{}: {}",
            replay.shell,
            ran.log
        );
        assert_eq!(result.ran, 0, "{}: {}", replay.shell, ran.log);
    }
}
