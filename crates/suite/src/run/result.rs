//! What came of one target: `result.json`.

use std::fmt;

use gonogo_core::{Digest, Reason, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::{LogFailure, Row};
use crate::{Issue, Parse, TestVerdict};

/// What a target is for. The order is that of the phases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It builds what the others need. If it fails, nothing else runs.
    Build,
    /// It formats, lints, checks.
    Lint,
    /// Tests without network, servers or doubles.
    Unit,
    /// Tests against recorded answers or fixtures.
    Recorded,
    /// Tests of the whole, against real parts.
    E2e,
}

impl Class {
    /// All, in the order of the phases.
    pub const ALL: [Self; 5] = [
        Self::Build,
        Self::Lint,
        Self::Unit,
        Self::Recorded,
        Self::E2e,
    ];

    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Recorded => "recorded",
            Self::E2e => "e2e",
        }
    }

    /// The class that has this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.word() == word)
    }

    /// Where its results stand in a summary.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Build => Kind::Build,
            Self::Lint => Kind::Lint,
            Self::Unit | Self::Recorded => Kind::Unit,
            Self::E2e => Kind::Suite,
        }
    }
}

/// Which list of a summary a result stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// `build`.
    Build,
    /// `lint`.
    Lint,
    /// `unit_targets`.
    Unit,
    /// `suites`.
    Suite,
}

/// How a target's process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how", deny_unknown_fields)]
pub enum End {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal.
    Signalled {
        /// The signal's number.
        signal: i32,
    },
    /// It took too long and was ended.
    TimedOut {
        /// After how many milliseconds.
        after_ms: u64,
    },
    /// Somebody ended the run.
    Cancelled,
    /// It could not be started, or what stood before it failed.
    NotStarted {
        /// Why.
        why: String,
    },
    /// Nothing was run: reports of another run were read. Its exit code is the one that was given, if one was.
    Read {
        /// As given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
    },
}

impl End {
    /// The exit code, where there is one.
    pub const fn code(&self) -> Option<i32> {
        match self {
            Self::Exited { code } => Some(*code),
            Self::Read { code } => *code,
            _ => None,
        }
    }
}

/// For people, as part of a sentence.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "it ended with {code}"),
            Self::Signalled { signal } => write!(f, "signal {signal} ended it"),
            Self::TimedOut { after_ms } => {
                write!(f, "it took more than {after_ms} ms and was ended")
            }
            Self::Cancelled => f.write_str("the run was cancelled"),
            Self::NotStarted { why } => write!(f, "it did not run: {why}"),
            Self::Read { code: Some(code) } => {
                write!(f, "a report was read, of one that ended with {code}")
            }
            Self::Read { code: None } => {
                f.write_str("a report was read, and nobody says how it ended")
            }
        }
    }
}

/// Why evidence cannot be believed, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Problem {
    /// The reason.
    pub reason: Reason,
    /// One line: what, where.
    pub text: String,
}

impl Problem {
    /// Makes one.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
        }
    }
}

/// A report that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The copy in the run's directory, relative to it.
    pub path: String,
    /// Where it was found, relative to the project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where that really is, if a link that its pattern names leads there: relative to the project, or absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// Of its bytes.
    pub sha256: Digest,
    /// How many.
    pub bytes: u64,
    /// The format that it was read as; `command` for an exit code and a log.
    pub format: String,
    /// How far.
    pub parse: Parse,
    /// How many tests it says that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// How many attempts were found.
    pub attempts: u64,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
    /// How many more issues there are.
    #[serde(default)]
    pub issues_omitted: u64,
}

/// Tests by verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// All.
    pub total: u64,
    /// Ran and did what was expected.
    pub passed: u64,
    /// Failed and never passed.
    pub failed: u64,
    /// Could not be carried out, or nobody knows.
    pub errored: u64,
    /// Planned and never ran.
    pub precluded: u64,
    /// Planned, and nothing is said of them.
    pub missing: u64,
    /// Went wrong and passed.
    pub flaky: u64,
    /// Passed although they were to fail.
    pub unexpected_pass: u64,
    /// Did not run, as their author or a filter said.
    pub skipped: u64,
    /// Of all, those whose every result came from a cache.
    pub cached: u64,
}

impl Tests {
    /// Counts a test.
    pub const fn add(&mut self, verdict: TestVerdict, cached: bool) {
        self.total += 1;
        if cached {
            self.cached += 1;
        }
        let place = match verdict {
            TestVerdict::Passed => &mut self.passed,
            TestVerdict::Skipped => &mut self.skipped,
            TestVerdict::UnexpectedPass => &mut self.unexpected_pass,
            TestVerdict::Flaky => &mut self.flaky,
            TestVerdict::Precluded => &mut self.precluded,
            TestVerdict::Errored => &mut self.errored,
            TestVerdict::Missing => &mut self.missing,
            TestVerdict::Failed => &mut self.failed,
        };
        *place += 1;
    }

    /// Adds all of another.
    pub const fn join(&mut self, other: &Self) {
        self.total += other.total;
        self.passed += other.passed;
        self.failed += other.failed;
        self.errored += other.errored;
        self.precluded += other.precluded;
        self.missing += other.missing;
        self.flaky += other.flaky;
        self.unexpected_pass += other.unexpected_pass;
        self.skipped += other.skipped;
        self.cached += other.cached;
    }

    /// Those that ran.
    pub const fn ran(&self) -> u64 {
        self.passed + self.failed + self.errored + self.flaky + self.unexpected_pass
    }

    /// Those that no gate lets through without an excuse.
    pub const fn bad(&self) -> u64 {
        self.failed
            + self.errored
            + self.precluded
            + self.missing
            + self.flaky
            + self.unexpected_pass
    }

    /// Whether the parts are the whole.
    pub const fn adds_up(&self) -> bool {
        let parts = self.bad() + self.passed + self.skipped;
        parts == self.total && self.cached <= self.total
    }
}

/// What came of a target. `passed`, `failed`, `ignored` and `total` are those of older reports; `tests` tells them apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetResult {
    /// [`TargetResult::SCHEMA`].
    pub schema: String,
    /// Which list of the summary it stands in.
    pub result_kind: Kind,
    /// What it is for.
    pub class: Class,
    /// Its name.
    pub target: String,
    /// The same in everything that belongs to the run.
    pub correlation_id: String,
    /// The worst of its reasons: pass if there is none.
    pub status: Verdict,
    /// What is wrong with it as evidence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
    /// The process's exit code; absent if it has none.
    pub exit_code: Option<i32>,
    /// How it ended.
    pub end: End,
    /// How long it ran, milliseconds.
    pub duration_ms: u64,
    /// Tests that passed.
    pub passed: u64,
    /// Tests that are bad in any way.
    pub failed: u64,
    /// Tests that were skipped.
    pub ignored: u64,
    /// All tests.
    pub total: u64,
    /// Tests by verdict.
    pub tests: Tests,
    /// Whether a gate must see it good.
    pub blocking: bool,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What was run.
    pub command: Vec<String>,
    /// Where, relative to the project.
    pub dir: String,
    /// The declared format.
    pub format: String,
    /// The fewest tests that must run.
    pub min_tests: u64,
    /// The shortest time in which it can be green, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_duration_ms: Option<u64>,
    /// The reports that were read.
    pub inputs: Vec<Input>,
    /// Tests that did not pass, in order of their ids, at most [`super::TOLD`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<Row>,
    /// How many more did not pass.
    #[serde(default)]
    pub bad_omitted: u64,
    /// The first failure in its log, where it is a plain command or no test of its report failed; absent if the log shows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<LogFailure>,
    /// Why its failed tests are not all that would have failed: the runner stopped before its end. No quarantine covers that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// All tests, a line each, relative to the run's directory.
    pub tests_file: String,
    /// Of that file's bytes.
    pub tests_sha256: Option<Digest>,
    /// What it printed.
    pub log_file: String,
    /// Events of the target, a line each.
    pub test_log_jsonl: String,
    /// Its artifacts, a line each.
    pub artifact_index_jsonl: String,
    /// When it ended.
    pub timestamp: Timestamp,
}

impl TargetResult {
    /// The schema.
    pub const SCHEMA: &'static str = "gonogo.suite.result.v1";
}
