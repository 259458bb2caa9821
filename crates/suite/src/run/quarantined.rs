//! Failures that a quarantine covers, told apart: each with the one retry that it got.
//!
//! Invariants: a retry changes no verdict of the run, and the run is as bad as without it; only a gate excuses, and it sees the retry too;
//! what was not retried says why.

use gonogo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Signature, TestId, TestVerdict};

/// What a run says of its quarantined tests: `quarantined` of its summary.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quarantined {
    /// Entries that hold.
    pub entries: u64,
    /// How long after the last suite a test is retried at the earliest, milliseconds.
    pub retry_after_ms: u64,
    /// Why nobody can say which entries hold. Nothing is retried then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unusable: Option<String>,
    /// Failures that an entry covers, at most [`super::TOLD`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Retried>,
    /// How many more.
    #[serde(default)]
    pub omitted: u64,
}

impl Quarantined {
    /// What is said of a test of a target.
    pub fn of(&self, target: &str, test: &TestId) -> Option<&Retried> {
        let mut all = self.tests.iter();
        all.find(|r| r.target == target && r.test == *test)
    }
}

/// A covered failure and its retry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retried {
    /// The target.
    pub target: String,
    /// The test.
    pub test: TestId,
    /// Of the entry that covers it.
    pub entry: Digest,
    /// When the entry ends.
    pub expires: Timestamp,
    /// The verdict of the run, as its list of tests has it.
    pub verdict: TestVerdict,
    /// Of the failure.
    pub signature: Option<Signature>,
    /// The retry.
    pub retry: Retry,
}

/// What came of trying a test again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "came_to", deny_unknown_fields)]
pub enum Retry {
    /// It passed: on this tree it does both.
    Passed {
        /// What it printed, relative to the run's directory.
        log: String,
    },
    /// It failed again.
    Failed {
        /// How.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<Signature>,
        /// Whether in the same way.
        is_same: bool,
        /// What it printed, relative to the run's directory.
        log: String,
    },
    /// It was not tried, or nothing can be said.
    NotRun {
        /// Why.
        why: String,
    },
}

impl Retry {
    /// The word in reports.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed when retried",
            Self::Failed { is_same: true, .. } => "failed again",
            Self::Failed { is_same: false, .. } => "failed again in another way",
            Self::NotRun { .. } => "not retried",
        }
    }

    /// Whether it failed in a way that the entry's signatures do not name.
    pub fn is_other_than(&self, signatures: &[String]) -> bool {
        match self {
            Self::Failed {
                signature,
                is_same: false,
                ..
            } => !signature
                .as_ref()
                .is_some_and(|s| signatures.contains(&s.to_string())),
            _ => false,
        }
    }
}
