//! One run of one test, as its runner reported it.

use serde::{Deserialize, Serialize};

use crate::{Outcome, TestId};

/// An attempt at a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// The test.
    pub test: TestId,
    /// The file that the report names for it, as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which attempt, from 1, where the report says that there were several.
    pub number: u32,
    /// What it came to: the worst that the report says of it.
    pub outcome: Outcome,
    /// The runner's own word, verbatim: `status="…"`, the element's name, the action.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub raw: String,
    /// When it began, milliseconds since 1970; absent if the report does not say, or says it without a time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<i64>,
    /// How long it took, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Whether the result was taken from a cache: nothing ran.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Why it did not pass, all that the report says, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The end of what it printed, at most [`crate::Limits::output`] bytes of text.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Where in the report it stands.
    pub place: Place,
}

/// A range of bytes of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Offset of the first byte.
    pub from: u64,
    /// Offset behind the last byte.
    pub to: u64,
}

/// One reason why an attempt did not pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The type that the runner names: an exception, a matcher.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub class: String,
    /// The message, at most [`crate::Limits::message`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The trace or diff, at most [`crate::Limits::trace`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
    /// Where it failed, if that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Whether message or trace were longer.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}

/// What kind of failure it was, as far as the report itself says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An expectation did not hold.
    Assertion,
    /// A panic or an uncaught exception.
    Panic,
    /// The process was ended by a signal.
    Crash,
    /// It took too long.
    Timeout,
    /// Memory ran out.
    OutOfMemory,
    /// What must be there before the test failed.
    Setup,
    /// What cleans up after the test failed.
    Teardown,
    /// It left something behind.
    Leak,
    /// It was never built.
    Compile,
    /// The report does not say.
    #[default]
    Other,
}

/// A place in somebody's source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// As the runner writes it; of a run's tests relative to the project, where that file is there.
    pub file: String,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// From 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}
