//! What a search through a log, or a look at a failure, came to.

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Severity};

/// The schema of [`Matches`] and [`FailureMatches`].
pub const MATCH_SCHEMA: &str = "gonogo.suite.runbook-match.v1";

/// Which entries apply to a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matches {
    /// [`MATCH_SCHEMA`].
    pub schema: String,
    /// Bytes that were looked at.
    pub bytes: u64,
    /// Lines that were looked at.
    pub lines: u64,
    /// Whether all of it could be looked at. If not, an absent entry says nothing.
    pub whole: bool,
    /// Why not, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<String>,
    /// Those that apply: the most severe first, then those that ask for more text, then by the first line.
    pub entries: Vec<Match>,
}

/// An entry that applies, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The entry's id.
    pub entry: String,
    /// Its title.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Bytes of literal text that the pattern asks for: the more, the more it says.
    pub specific: u32,
    /// Lines that have it.
    pub hits: u64,
    /// The first of them.
    pub first: Spot,
    /// The last of them.
    pub last: Spot,
    /// What it means.
    pub means: String,
    /// Files to look at, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The command that shows it again, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replay: Vec<String>,
    /// What to do.
    pub remediation: String,
    /// Where more is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Who cares.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
}

/// A place in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The line, from 1.
    pub line: u64,
    /// Where what was found begins, bytes from the begin of the log.
    pub offset: u64,
    /// The line, without escape sequences and control characters, cut around what was found.
    pub text: String,
}

/// Why an entry applies to a failure, the strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// The entry names its signature.
    Signature,
    /// Its text has a pattern of the entry.
    Text,
    /// It is of the entry's class of causes.
    Cause,
}

/// Which entries apply to a failure, the best first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureMatches {
    /// [`MATCH_SCHEMA`].
    pub schema: String,
    /// The failure's signature.
    pub signature: String,
    /// The class of its cause, in [`crate::cause::Cause::word`]s.
    pub cause: String,
    /// Those that apply.
    pub entries: Vec<FailureMatch>,
}

/// An entry that applies to a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureMatch {
    /// The entry's id.
    pub entry: String,
    /// Its title.
    pub title: String,
    /// How bad.
    pub severity: Severity,
    /// Why.
    pub by: By,
    /// Where in the failure's text, if its text says so; lines of class and message, then of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Spot>,
    /// What it means.
    pub means: String,
    /// Files to look at, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// The command that shows it again, with placeholders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replay: Vec<String>,
    /// What to do.
    pub remediation: String,
    /// Where more is written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Who cares.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
}

impl Match {
    pub(super) fn of(entry: &Entry, specific: u32, hits: u64, first: Spot, last: Spot) -> Self {
        Self {
            entry: entry.id.clone(),
            title: entry.title.clone(),
            severity: entry.severity,
            specific,
            hits,
            first,
            last,
            means: entry.means.clone(),
            artifacts: entry.artifacts.clone(),
            replay: entry.replay.clone(),
            remediation: entry.remediation.clone(),
            links: entry.links.clone(),
            owner: entry.owner.clone(),
        }
    }
}

impl FailureMatch {
    pub(super) fn of(entry: &Entry, by: By, first: Option<Spot>) -> Self {
        Self {
            entry: entry.id.clone(),
            title: entry.title.clone(),
            severity: entry.severity,
            by,
            first,
            means: entry.means.clone(),
            artifacts: entry.artifacts.clone(),
            replay: entry.replay.clone(),
            remediation: entry.remediation.clone(),
            links: entry.links.clone(),
            owner: entry.owner.clone(),
        }
    }
}
