//! Reports into attempts: one reader a format, all with the same limits and the same kind of answer.
//!
//! A reader gives its attempts to a [`Sink`] as it comes to them and keeps none, so a report of any size is read in bounded memory.
//! It never fails: what it could read is given, and what was wrong stands in the [`Reading`]. Whoever judges looks at that first.

mod ctrf;
mod detect;
mod gather;
mod go;
mod jest;
mod json;
mod junit;
mod libtest;
mod libtest_json;
mod lines;
mod pytest_log;
mod rooted;
mod tap;
mod text;
mod trx;
mod wide;
mod xml;

use std::io::BufRead;

pub use detect::detect;
pub use rooted::Rooted;
use serde::{Deserialize, Serialize};

use crate::{Attempt, Issue, IssueKind, Outcome};

/// Report formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// JUnit XML, any dialect.
    Junit,
    /// What `cargo test` prints.
    Libtest,
    /// libtest's JSON lines, those of nextest among them.
    LibtestJson,
    /// `go test -json`.
    Go,
    /// pytest's report log (`--report-log`), JSON lines.
    PytestLog,
    /// Jest's and Vitest's JSON.
    Jest,
    /// Common Test Report Format.
    Ctrf,
    /// Test Anything Protocol 13 and 14.
    Tap,
    /// Visual Studio's TRX.
    Trx,
}

/// How much of a report is kept and looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a failure's message.
    pub message: usize,
    /// Bytes of a failure's trace.
    pub trace: usize,
    /// Bytes of an attempt's output, its end.
    pub output: usize,
    /// Failures of an attempt.
    pub failures: usize,
    /// Depth of nesting.
    pub depth: usize,
    /// Attributes of an element.
    pub attributes: usize,
    /// Bytes of one token: a tag, a text, a line. What is longer is cut where it is text, and an issue where it is structure.
    pub token: usize,
    /// Attempts in one report.
    pub attempts: u64,
    /// Issues that are kept.
    pub issues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 1 << 10,
            trace: 4 << 10,
            output: 4 << 10,
            failures: 16,
            depth: 128,
            attributes: 256,
            token: 1 << 20,
            attempts: 50_000_000,
            issues: 100,
        }
    }
}

/// Takes what a reader finds.
pub trait Sink {
    /// An attempt, in the report's order; one whose outcome hangs on what follows comes behind that. The sink may keep it or not.
    fn attempt(&mut self, attempt: Attempt);
}

impl Sink for Vec<Attempt> {
    fn attempt(&mut self, attempt: Attempt) {
        self.push(attempt);
    }
}

/// How far a report could be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parse {
    /// To its end.
    #[default]
    Whole,
    /// In part: it is cut or broken, or beyond a limit. What was read before is given.
    Salvaged,
    /// Not at all.
    Rejected,
}

/// How many attempts of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// All.
    pub attempts: u64,
    /// Passed, as expected failures did.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Errors, what could not run, what nobody knows, and passes that should not be.
    pub errors: u64,
    /// Skipped.
    pub skipped: u64,
}

impl Counts {
    /// Counts an attempt.
    pub const fn add(&mut self, outcome: Outcome) {
        self.attempts += 1;
        match outcome {
            Outcome::Pass | Outcome::ExpectedFailure => self.passed += 1,
            Outcome::Fail => self.failed += 1,
            Outcome::Skip(_) => self.skipped += 1,
            Outcome::Error | Outcome::Precluded | Outcome::Unknown | Outcome::UnexpectedPass => {
                self.errors += 1;
            }
        }
    }
}

/// What came of reading one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The format that it was read as.
    pub format: Format,
    /// How far.
    pub parse: Parse,
    /// Bytes that were read.
    pub bytes: u64,
    /// What is there.
    pub seen: Counts,
    /// How many tests the report itself says that there are; absent if it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// The last moment at which, by its own word, something in it began, milliseconds since 1970; a time without a zone as late as it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_ms: Option<i64>,
    /// The first moment at which, by its own word, a part of it began that has a time of its own (the run, a suite, a file of tests),
    /// milliseconds since 1970; a time without a zone as late as it can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_ms: Option<i64>,
    /// The last moment at which its runner says that something began, milliseconds since 1970; a time without a zone as early as it can
    /// be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<i64>,
    /// What is wrong, at most [`Limits::issues`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Issue>,
    /// How many issues were not kept.
    #[serde(default)]
    pub issues_omitted: u64,
}

/// 2001-01-01: what is earlier is of a clock that nobody set, or that a test has set.
const SET: i64 = 978_307_200_000;

impl Reading {
    /// An empty one, to be filled by a reader.
    pub const fn of(format: Format) -> Self {
        Self {
            format,
            parse: Parse::Whole,
            bytes: 0,
            seen: Counts {
                attempts: 0,
                passed: 0,
                failed: 0,
                errors: 0,
                skipped: 0,
            },
            declared: None,
            began_ms: None,
            oldest_ms: None,
            ahead_ms: None,
            issues: Vec::new(),
            issues_omitted: 0,
        }
    }

    /// Notes that something in it began, by its runner's word. A clock that nobody set is none.
    pub(crate) fn began(&mut self, ms: i64) {
        self.at_the_latest(ms);
        self.ahead_ms = self.ahead_ms.max(Some(ms));
    }

    /// Notes that a part of it began that has a time of its own.
    pub(crate) fn part_began(&mut self, ms: i64) {
        self.part_began_between(ms, ms);
    }

    /// Notes that a part of it began between these moments: its time has no zone.
    pub(crate) fn part_began_between(&mut self, early: i64, late: i64) {
        self.at_the_latest(late);
        if late >= SET {
            self.oldest_ms = Some(self.oldest_ms.map_or(late, |oldest| oldest.min(late)));
        }
        self.ahead_ms = self.ahead_ms.max(Some(early));
    }

    /// Notes that something in it began, at the latest at this moment; what says so may have been told another time by what it tests.
    pub(crate) fn at_the_latest(&mut self, ms: i64) {
        if ms >= SET {
            self.began_ms = self.began_ms.max(Some(ms));
        }
    }

    /// Notes an issue.
    pub fn tell(&mut self, limits: &Limits, kind: IssueKind, at: u64, text: impl Into<String>) {
        let worse = match kind {
            IssueKind::Unparsable | IssueKind::Truncated | IssueKind::Limit => Parse::Salvaged,
            _ => Parse::Whole,
        };
        self.parse = self.parse.max(worse);
        if self.issues.len() < limits.issues {
            let text: String = text.into();
            let text = text.chars().take(300).collect();
            self.issues.push(Issue { kind, at, text });
        } else {
            self.issues_omitted += 1;
        }
    }

    /// Whether everything that the report is about was read and agrees with itself.
    pub fn is_whole(&self) -> bool {
        self.parse == Parse::Whole
            && self.issues_omitted == 0
            && self
                .issues
                .iter()
                .all(|issue| issue.kind.reason().is_none())
    }
}

/// Reads a report.
pub fn read(
    format: Format,
    source: &mut dyn BufRead,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Reading {
    match format {
        Format::Junit => junit::read(source, limits, sink),
        Format::Libtest => libtest::read(source, limits, sink),
        Format::LibtestJson => libtest_json::read(source, limits, sink),
        Format::Go => go::read(source, limits, sink),
        Format::PytestLog => pytest_log::read(source, limits, sink),
        Format::Jest => jest::read(source, limits, sink),
        Format::Ctrf => ctrf::read(source, limits, sink),
        Format::Tap => tap::read(source, limits, sink),
        Format::Trx => trx::read(source, limits, sink),
    }
}
