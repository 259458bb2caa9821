//! Which versions of its tools a run had: what `PROGRAM --version` says, asked once a run, all at the same time and not for long.
//!
//! Asked are the programs that suites declare as tools, and what they begin with where it is a tool of many. A program of the project itself is never
//! asked: nobody knows what it does with a word that it does not know.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use gonogo_exec::{Exit, Ladder, Launch, Process};

use super::preflight;
use crate::config::SuiteFile;

/// How long all of them may take.
const LONGEST: Duration = Duration::from_secs(3);

/// Most letters of a version.
const LONG: usize = 200;

/// Most programs that are asked.
const MOST: usize = 40;

/// Tools of many projects that say their version.
const KNOWN: [&str; 38] = [
    "bats",
    "bun",
    "cargo",
    "cargo-nextest",
    "cc",
    "clang",
    "cmake",
    "ctest",
    "deno",
    "dotnet",
    "eslint",
    "g++",
    "gcc",
    "git",
    "go",
    "gradle",
    "java",
    "jest",
    "just",
    "make",
    "mocha",
    "mvn",
    "mypy",
    "node",
    "npm",
    "npx",
    "nox",
    "pnpm",
    "poetry",
    "pytest",
    "python",
    "python3",
    "ruff",
    "rustc",
    "tox",
    "uv",
    "vitest",
    "yarn",
];

/// The versions, by program; without those that did not say one.
pub(super) fn versions<'a>(
    suites: impl Iterator<Item = &'a SuiteFile>,
    root: &Path,
) -> BTreeMap<String, String> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    for suite in suites {
        names.extend(suite.tools.iter().map(String::as_str));
        let first = suite.command.first().map(String::as_str);
        names.extend(first.filter(|word| KNOWN.contains(word)));
    }
    if names.contains("cargo") {
        names.insert("rustc");
    }
    if names.contains("npm") || names.contains("npx") {
        names.insert("node");
    }
    let Ok(place) = tempfile::tempdir() else {
        return BTreeMap::new();
    };
    let mut asked = Vec::new();
    for (n, name) in names.into_iter().take(MOST).enumerate() {
        let is_foreign = |path: &Path| !path.starts_with(root) && path.is_absolute();
        let Some(path) = preflight::program(name, root).filter(|path| is_foreign(path)) else {
            continue;
        };
        let flag = if name == "go" { "version" } else { "--version" };
        let log = place.path().join(n.to_string());
        let launch = Launch {
            argv: vec![path.display().to_string(), flag.to_owned()],
            env: std::env::vars_os()
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
                .collect(),
            // Tools that are wrapped by a chooser of versions look at the project.
            dir: root.to_owned(),
            log: log.clone(),
            errors: Some(place.path().join(format!("{n}.errors"))),
            mark: format!("version/{n}"),
        };
        if let Ok(process) = launch.start() {
            asked.push((name, log, process));
        }
    }
    let mut left = LONGEST;
    let mut found = BTreeMap::new();
    for (name, log, process) in asked {
        let ended = ended(&process, &mut left);
        if let Some(version) = said(&log).filter(|_| ended) {
            found.insert(name.to_owned(), version);
        }
    }
    found
}

/// Waits for a process to end well, as long as there is time, and ends it otherwise.
fn ended(process: &Process, left: &mut Duration) -> bool {
    const STEP: Duration = Duration::from_millis(50);
    loop {
        match process.wait(STEP.min(*left)) {
            Ok(Some(Exit::Status(code))) => return code == 0,
            Ok(None) if !left.is_zero() => *left = left.saturating_sub(STEP),
            _ => break,
        }
    }
    let ladder = Ladder {
        ask: None,
        within: Duration::from_secs(1),
    };
    // One that does not end is found by its mark when the run looks for what was left behind.
    let _ = gonogo_exec::end(process, ladder);
    false
}

/// The first line.
fn said(log: &Path) -> Option<String> {
    let bytes = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]).into_owned();
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().take(LONG).collect())
}
