//! What lies in a run's directory, as it was read back.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::Digest;

use crate::TargetResult;
use crate::run::Tests;

/// Everything that the rules look at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Which artifacts this kind of run has as a whole.
    pub of: Of,
    /// The suites of the profile as they are declared, where the run is of all of them: `None` for a shard, a rerun, and a run of named suites.
    pub declared: Option<BTreeSet<String>>,
    /// JSON documents, by path.
    pub documents: BTreeMap<String, Document>,
    /// Files of JSON lines, by path.
    pub lines: BTreeMap<String, Lines>,
    /// Lines of the normalised twins of these, by path.
    pub twins: BTreeMap<String, u64>,
    /// By target.
    pub targets: BTreeMap<String, Target>,
    /// `failure_diagnostics_index.json`; why it cannot be read, if it cannot.
    pub diagnostics: Option<Result<Diagnostics, String>>,
    /// Places that hold what a redactor would take out: path, and how many lines.
    pub leaks: BTreeMap<String, u64>,
    /// Files that could not be looked through for secrets, and why.
    pub unsearched: BTreeMap<String, String>,
    /// Bytes of what the targets printed, by path.
    pub logs: BTreeMap<String, u64>,
    /// What nobody must mend for the evidence to be believed.
    pub notes: Vec<String>,
}

/// A kind of run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Of {
    /// The runner ran it.
    #[default]
    Run,
    /// It was put together from shards, which have their own heads.
    Merge,
}

impl Of {
    /// The documents that it has as a whole.
    pub const fn documents(self) -> &'static [&'static str] {
        match self {
            Self::Run => &[
                "environment.json",
                "ci_shard_manifest.json",
                "preflight.json",
                "failure_diagnostics_index.json",
                "replay_bundle.json",
                "triage_diff.json",
            ],
            Self::Merge => &[
                "environment.json",
                "failure_diagnostics_index.json",
                "replay_bundle.json",
                "triage_diff.json",
            ],
        }
    }
}

/// A JSON document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Why it is none.
    pub fault: Option<String>,
    /// What it says that it is.
    pub schema: Option<String>,
    /// Whose it says that it is.
    pub correlation_id: Option<String>,
    /// Which run it names, if it names one.
    pub run_id: Option<String>,
}

/// A file of JSON lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// Lines.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
    /// Lines that are no document, the first few, with why.
    pub faults: Vec<String>,
    /// Correlation ids, at most a few.
    pub correlation_ids: BTreeSet<String>,
    /// Trace ids, at most a few.
    pub traces: BTreeSet<String>,
    /// Schemas, at most a few.
    pub schemas: BTreeSet<String>,
    /// The first line whose number is not one more than that of the line before.
    pub gap: Option<u64>,
    /// The event of the last line, where lines are events.
    pub last: Option<String>,
}

/// What a target left.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Target {
    /// `result.json`; why it cannot be read, if it cannot.
    pub result: Option<Result<TargetResult, String>>,
    /// `tests.jsonl`, counted; why it cannot be, if it cannot.
    pub tests: Option<Result<(Tests, Digest), String>>,
    /// What `artifact-index.jsonl` lists, beside what is there.
    pub artifacts: Vec<Kept>,
    /// Reports that were read, beside what is there.
    pub inputs: Vec<Kept>,
    /// `failure_digest.json`, if it is there; why it cannot be read, if it cannot.
    pub digest: Option<Result<Digested, String>>,
}

/// A file as a list names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Relative to the run's directory.
    pub path: String,
    /// As listed.
    pub listed: Option<Digest>,
    /// As it is; absent if it is not there.
    pub there: Option<Digest>,
}

/// What a failure digest says that can be held against the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digested {
    /// The target.
    pub suite: String,
    /// Where its timeline lies.
    pub timeline: String,
    /// How many events that has.
    pub events: u64,
    /// Its artifacts: those of them that are not there.
    pub missing: Vec<String>,
    /// The class of its cause.
    pub class: String,
}

/// What the index of digests says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    /// How many it says that it has.
    pub count: u64,
    /// By target: path of the digest, path of the timeline, class of the cause.
    pub suites: BTreeMap<String, (String, String, String)>,
    /// Targets that it names an owner for.
    pub owned: BTreeSet<String>,
    /// Targets that it names twice.
    pub twice: Vec<String>,
}
