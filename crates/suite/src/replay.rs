//! From a failure to the command that shows it again, and from that command's end to what it proves.
//!
//! Pure: what was declared and what was reported come in as values, what exists is asked of [`crate::propose::Files`] and of a predicate. Meets `run` (rows
//! and results), `propose` (its `Files`), and above it whoever runs the command in a clean worktree. Invariants: a test's name is either mapped
//! back exactly or the level goes up and says why; every replay says how it is checked that something ran; a replay in which no test ran,
//! or not the one that was meant, is [`Verdict::CannotRun`] and never a pass; values of the environment outside of the allow-list, and
//! secrets within it, stand in none.

mod bundle;
mod cargo;
mod compare;
mod dotnet;
mod env;
mod go;
mod js;
mod jvm;
mod plan;
mod pytest;
mod quote;
mod rerun;
mod runner;
mod shells;
mod words;

use std::collections::BTreeMap;

use gonogo_core::Reason;
use serde::{Deserialize, Serialize};

pub use bundle::{
    BUNDLE, Bundle, Environment, FailedGate, FailedSuite, FailedUnit, Reference, Source, Totals,
    bundle,
};
pub use compare::{Observed, RESULT, ReplayResult, Verdict, compare};
pub use plan::{Replays, replay, replay_target};
pub use quote::shell;
pub use rerun::{Again, Refused, Selection, rerun};
pub use runner::Runner;
pub(crate) use runner::unquoted;

use crate::run::{End, TargetResult};
use crate::{FailureKind, Signature, TestId, TestVerdict};

/// The schema of a [`Replay`].
pub const REPLAY: &str = "gonogo.suite.replay.v1";

/// What a target is declared as, and what is known of the run in which it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// Its name.
    pub target: String,
    /// Its command.
    pub command: Vec<String>,
    /// Where it runs, relative to the project.
    pub dir: String,
    /// The declared format of its reports.
    pub format: String,
    /// Where its reports are, as patterns relative to the project; empty if its standard output is the report.
    pub reports: Vec<String>,
    /// The allow-list: names and the values that they had. Nothing else of the environment is ever written down.
    pub env: BTreeMap<String, String>,
    /// The seed of the run, if it had one.
    pub seed: Option<u64>,
    /// The absolute directory of the project when it ran: reports name files by it.
    pub root: Option<String>,
    /// The run's directory, relative to the project: it is not there when the command is run again.
    pub artifact_dir: String,
    /// The fewest tests that must run.
    pub min_tests: u64,
}

impl Origin {
    /// What a result says of its target. Reports, environment, seed and directories are not in it and must be given.
    pub fn of(result: &TargetResult) -> Self {
        Self {
            target: result.target.clone(),
            command: result.command.clone(),
            dir: result.dir.clone(),
            format: result.format.clone(),
            min_tests: result.min_tests,
            ..Self::default()
        }
    }
}

/// How much a replay runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The test that failed.
    Test,
    /// What contains it: a file, a binary, a package, a class.
    Suite,
    /// The target's whole command.
    Target,
    /// Everything of a run that failed.
    Run,
    /// A gate.
    Gate,
}

impl Level {
    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Suite => "suite",
            Self::Target => "target",
            Self::Run => "run",
            Self::Gate => "gate",
        }
    }
}

/// A sign by which a runner says that it found nothing to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Sign {
    /// Its exit code.
    Exit(i32),
    /// A part of a line that it prints.
    Says(String),
}

/// How it is checked that a replay ran something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The format of its report; `command` where there is an exit code and nothing else.
    pub format: String,
    /// Where its reports are, relative to the project; empty if its standard output is the report.
    pub reports: Vec<String>,
    /// The fewest tests that must have run by the report. 0 for a plain command alone.
    pub min_tests: u64,
    /// Signs of the runner that nothing ran: they say why there is no result. That a test ran is shown by the report alone.
    pub nothing_ran: Vec<Sign>,
}

/// What a replay is to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expects {
    /// The verdict on the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<TestVerdict>,
    /// The failure's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The failure's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FailureKind>,
    /// How the process ended, where that is a part of the failure: not by itself, or a plain command's exit code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// What was wrong with the target as evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
}

/// A command that shows a failure again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// [`REPLAY`].
    pub schema: String,
    /// The target.
    pub target: String,
    /// The test, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestId>,
    /// How much it runs.
    pub level: Level,
    /// Why not less; at the level of a test, how the test is selected.
    pub why_this_level: String,
    /// The runner, as far as it is known.
    pub runner: Runner,
    /// The command.
    pub argv: Vec<String>,
    /// Where, relative to the project; `.` for its root.
    pub dir: String,
    /// The environment: names of the allow-list alone.
    pub env: BTreeMap<String, String>,
    /// Names of the allow-list whose values look like secrets. Whoever runs it sets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
    /// The seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The same as one line for a POSIX shell in the project's root.
    pub shell: String,
    /// What it is to show.
    pub expects: Expects,
    /// How it is checked that something ran.
    pub proves_selection: Proof,
}

/// Whether nothing that looks like an argument of ours hides in a name: parts that reports have cut, or that no runner wrote.
pub(crate) fn is_exact(text: &str) -> bool {
    // A name of more than 512 bytes ends in a digest (`TestId`).
    let cut = text.rfind("…#").is_some_and(|at| {
        let tail = &text[at + "…#".len()..];
        tail.len() == 16 && tail.bytes().all(|b| b.is_ascii_hexdigit())
    });
    !cut && !text.is_empty()
}

/// Names that readers give to what is no test of a runner's.
pub(crate) fn is_ours(name: &str) -> bool {
    matches!(
        name,
        "(process)"
            | "(build)"
            | "(package)"
            | "(file)"
            | "(suite)"
            | "(bail out)"
            | "(all)"
            | "(collection)"
            | "(run)"
            | "(cut)"
            | "(unnamed)"
            | "(failures without names)"
            | "(tests without names)"
    ) || name.starts_with("(build of ")
}
