//! What a runbook says.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;

/// How bad what an entry describes is, and how soon somebody must have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// It blocks a release or the main branch: an owner within half an hour.
    #[serde(rename = "sev1")]
    One,
    /// New on a branch: within four hours.
    #[serde(rename = "sev2")]
    Two,
    /// Evidence or documents drift: within a working day.
    #[serde(rename = "sev3")]
    Three,
}

impl Severity {
    /// All, the worst first.
    pub const ALL: [Self; 3] = [Self::One, Self::Two, Self::Three];

    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::One => "sev1",
            Self::Two => "sev2",
            Self::Three => "sev3",
        }
    }
}

/// A runbook: entries, each a kind of failure and what to do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runbook {
    /// In the order of the file; ids are unique.
    pub entries: Vec<Entry>,
}

/// A kind of failure: how it is recognised, what it means, where to look, how to see it again, how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Lower-case words with dashes.
    pub id: String,
    /// One line.
    pub title: String,
    /// What it means.
    pub means: String,
    /// How bad.
    pub severity: Severity,
    /// The class of causes that it is; failures of that class match.
    pub cause: Option<Cause>,
    /// Lines of a log that show it; any of them.
    pub patterns: Vec<Pattern>,
    /// Failures that are it, as `reason.v2:…` (see [`crate::Signature`]).
    pub signatures: Vec<String>,
    /// Files to look at, relative to the run's directory, with placeholders ([`super::PLACEHOLDERS`]).
    pub artifacts: Vec<String>,
    /// The command that shows it again, word by word, with placeholders; empty if there is none.
    pub replay: Vec<String>,
    /// What to do.
    pub remediation: String,
    /// Where more is written.
    pub links: Vec<String>,
    /// Who cares; empty if nobody in particular.
    pub owner: String,
    /// Where it stands in its file, from 1.
    pub line: u32,
}

/// What a line of a log must have: each of `all`, one of `any` (if there are any), and what the expression finds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pattern {
    /// Texts that the line must have.
    pub all: Vec<String>,
    /// Texts of which it must have one.
    pub any: Vec<String>,
    /// A regular expression; `^` and `$` are the ends of the line.
    pub regex: Option<String>,
    /// Whether ASCII letters may be of the other case.
    pub ignore_case: bool,
    /// Where it stands in its file, from 1.
    pub line: u32,
}

/// The cause of a word in a file.
pub(super) fn cause_of(word: &str) -> Option<Cause> {
    if let Some(own) = word.strip_prefix("own:") {
        return (!own.trim().is_empty()).then(|| Cause::Own(own.trim().to_owned()));
    }
    Cause::OURS.into_iter().find(|cause| cause.word() == word)
}

impl Runbook {
    /// The entry of that id.
    pub fn entry(&self, id: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// These entries, and those of `base` whose ids are not among them.
    #[must_use]
    pub fn over(mut self, base: Self) -> Self {
        let more = base
            .entries
            .into_iter()
            .filter(|entry| self.entry(&entry.id).is_none())
            .collect::<Vec<_>>();
        self.entries.extend(more);
        self
    }
}
