//! One test of a run: a line of `tests.jsonl`.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::diff::Entry;
use crate::{Failure, Signature, SkipKind, TestId, TestVerdict};

/// What all attempts at one test came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The target that ran it.
    pub target: String,
    /// The test.
    pub test: TestId,
    /// The verdict.
    pub verdict: TestVerdict,
    /// How many attempts.
    pub attempts: u32,
    /// How long all attempts took together, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Whether nothing of it ran: every attempt came from a cache.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cached: bool,
    /// Why it was skipped, in the report's kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<SkipKind>,
    /// Why it was skipped, in the report's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The file that the report names for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Of the worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Of the worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The end of what the worst attempt printed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Who owns it, where somebody is known to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl Row {
    /// What a comparison needs of it.
    pub fn entry(&self) -> Entry {
        Entry {
            verdict: self.verdict,
            signature: self.signature.clone(),
            seconds: self.seconds,
        }
    }
}
