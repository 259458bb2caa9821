//! What is wrong with a report as evidence.

use gonogo_core::Reason;
use serde::{Deserialize, Serialize};

/// Something about a report that keeps it from being believed, wholly or in part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// What kind.
    pub kind: IssueKind,
    /// Offset in the report, bytes.
    pub at: u64,
    /// One line: what is there, and what was expected.
    pub text: String,
}

/// Kinds of issues, and the reason code that each has in a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssueKind {
    /// It is not of the format, or of none that is known.
    Unparsable,
    /// It ends before its end.
    Truncated,
    /// It declares other counts than there are tests.
    CountMismatch,
    /// One id stands for two tests.
    Collision,
    /// It has no test at all.
    NoTests,
    /// It has a word for an outcome that no reader knows.
    UnknownOutcome,
    /// A number or a time cannot be read. The outcome does not hang on it.
    OddValue,
    /// What stands where a time belongs is none that can be read: whether it is of this run is not known.
    OddTime,
    /// More than a limit: depth, attributes, text, tests. What was beyond it was not read.
    Limit,
    /// It says that the run was ended before all was done: a bail-out, a missing end.
    Incomplete,
    /// By its own times it is of the future.
    Ahead,
}

impl IssueKind {
    /// The reason code, or `None` where the issue is only told.
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::OddValue => None,
            _ => Some(self.code()),
        }
    }

    const fn code(self) -> Reason {
        match self {
            Self::Truncated => Reason::EvidenceTruncated,
            Self::CountMismatch => Reason::EvidenceCountMismatch,
            Self::Collision => Reason::IdCollision,
            Self::NoTests => Reason::ZeroTests,
            Self::Incomplete => Reason::RunIncomplete,
            Self::Ahead => Reason::ClockSkew,
            Self::Unparsable
            | Self::UnknownOutcome
            | Self::Limit
            | Self::OddValue
            | Self::OddTime => Reason::EvidenceUnparsable,
        }
    }
}
