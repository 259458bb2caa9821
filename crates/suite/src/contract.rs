//! The evidence contract of a run: what its artifacts must be to each other, so that they can be believed together.
//!
//! Pure: what lies in a run's directory comes in as it was read back ([`Seen`]), checks come out, each with an id, a path and what it found. Invariants: a
//! check that could not be made is a failed one; no check looks at what was meant to be written, only at what is there; the status is `fail` as
//! soon as one check is.

mod rules;
mod seen;

use serde::{Deserialize, Serialize};

use crate::Summary;

pub use rules::{LARGEST_LOG, MOST_BYTES, MOST_RECORDS, judge};
pub use seen::{Diagnostics, Digested, Document, Kept, Lines, Of, Seen, Target};

/// The schema of `evidence_contract.json`.
pub const SCHEMA: &str = "gonogo.suite.evidence-contract.v1";

/// Where it lies in a run's directory.
pub const FILE: &str = "evidence_contract.json";

/// Whether all checks held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every one.
    Pass,
    /// At least one did not, or could not be made.
    Fail,
}

/// A check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Which: `group.what`, with the target between where it is about one.
    pub id: String,
    /// The artifact, relative to the run's directory.
    pub path: String,
    /// Whether it held.
    pub ok: bool,
    /// What was found, at most [`TOLD`] lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<String>,
}

/// Most lines that are told of one check.
pub const TOLD: usize = 10;

/// A contract, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// Its profile.
    pub profile: String,
    /// Its directory, relative to the project.
    pub artifact_dir: String,
    /// The same in everything that belongs to it.
    pub correlation_id: String,
    /// Whether all checks held.
    pub status: Status,
    /// Whether the scope had to be complete: a whole profile, no shard, no rerun, nothing left out.
    pub strict_conformance: bool,
    /// All checks, in their order.
    pub checks: Vec<Check>,
    /// One line for each check that did not hold.
    pub errors: Vec<String>,
    /// What is no fault of the evidence and is to be known.
    pub warnings: Vec<String>,
    /// What to do, each once.
    pub remediation_hints: Vec<String>,
}

impl Contract {
    /// The contract of a run of which nothing was checked: it fails.
    pub fn refused(summary: &Summary, why: &str) -> Self {
        let id = "run.complete";
        Self {
            schema: SCHEMA.into(),
            run_id: summary.run_id.clone(),
            profile: summary.profile.clone(),
            artifact_dir: summary.artifact_dir.clone(),
            correlation_id: summary.correlation_id.clone(),
            status: Status::Fail,
            strict_conformance: false,
            checks: vec![Check {
                id: id.into(),
                path: ".".into(),
                ok: false,
                diagnostics: vec![why.to_owned()],
            }],
            errors: vec![format!("{id}: .: {why}")],
            warnings: Vec::new(),
            remediation_hints: vec!["Run again.".into()],
        }
    }

    /// What a summary says of it.
    pub fn brief(&self) -> Brief {
        Brief {
            path: FILE.into(),
            status: self.status,
            error_count: self.errors.len() as u64,
            warning_count: self.warnings.len() as u64,
        }
    }
}

/// A contract as a summary names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brief {
    /// [`FILE`].
    pub path: String,
    /// Whether all checks held.
    pub status: Status,
    /// How many did not.
    pub error_count: u64,
    /// How many warnings there are.
    pub warning_count: u64,
}
