//! All that a judgement sees, as one value that is stored: from it the same verdict follows again, byte by byte.
//!
//! Whoever gathers it says what was found and nothing about whether that is good enough: age, subject and form are judged by the rules
//! here. Invariants: what was not found is said to be absent; what was found and cannot be read is said to be unreadable; nothing is
//! left out because it looks bad. Runs of the same targets on the same tree are all given: the gate must see a red one beside a green.

mod approval;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Share, Timestamp, Verdict};
use gonogo_suite::diff::Diff;
use gonogo_suite::run::{Class, End, Problem, Summary};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::bundle::Bundle;
pub use approval::{Approval, Approvers};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.inputs.v1";

/// All that a judgement sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it is judged.
    pub now: Timestamp,
    /// Which question: the word of a [`crate::policy::Lane`].
    pub lane: String,
    /// What is judged.
    pub subject: Subject,
    /// By what.
    pub policy: PolicyFile,
    /// What the project declares.
    pub manifest: Manifest,
    /// Runs of targets, shards among them, in any order.
    #[serde(default)]
    pub runs: Vec<Run>,
    /// Runs whose summary is there and cannot be read: each is why and what.
    #[serde(default)]
    pub unreadable_runs: Vec<String>,
    /// Ids of runs of this tree that went on when it was looked at: what they will say is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub going_runs: Vec<String>,
    /// Green runs so far of each target in the variant under judgement.
    #[serde(default)]
    pub history: BTreeMap<String, History>,
    /// Documents, by the name that the policy has for them.
    #[serde(default)]
    pub documents: BTreeMap<String, Found<Value>>,
    /// What earlier runs on the tree kept under the names of documents, where it was something else.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub earlier_documents: BTreeMap<String, Vec<Found<Value>>>,
    /// Outcomes of commands, by the gate's id.
    #[serde(default)]
    pub commands: BTreeMap<String, Found<CommandOutcome>>,
    /// Coverage, by the report's name.
    #[serde(default)]
    pub coverage: BTreeMap<String, Found<Coverage>>,
    /// What was computed from files, by the gate's id: the artifact as it is kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub computed: BTreeMap<String, Found<Value>>,
    /// Files that are rules beside the policy, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, PolicyFile>,
    /// Which of them the command of a gate runs, by the gate's id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub command_rules: BTreeMap<String, BTreeSet<String>>,
    /// The index of the evidence that the policy's bundle asks for; absent if it asks for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Bundle>,
    /// Sign-offs of dry runs.
    #[serde(default)]
    pub dry_runs: Vec<Found<DryRun>>,
    /// The newest readiness.
    #[serde(default)]
    pub readiness: Found<Readiness>,
    /// Drills, by name.
    #[serde(default)]
    pub drills: BTreeMap<String, Found<Drill>>,
    /// Performance verdicts, by budget.
    #[serde(default)]
    pub perf: BTreeMap<String, Found<Perf>>,
    /// The waivers.
    pub waivers: ExcuseFile,
    /// The quarantines.
    pub quarantine: ExcuseFile,
    /// Approvals by signature that the ledger has.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// Who may give them.
    #[serde(default, skip_serializing_if = "Approvers::is_anyone")]
    pub approvers: Approvers,
    /// When a quarantine last matched a failure, by the digest of its entry.
    #[serde(default)]
    pub quarantine_matched: BTreeMap<String, Timestamp>,
    /// In how many of the newest runs in a row the test of a quarantine ran and passed, as far as they were looked at; by the digest of its
    /// entry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quarantine_clean: BTreeMap<String, u64>,
    /// What the recorded runs say against a quarantine, by the digest of its entry: some that it names are here, and none of these shows its failure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub quarantine_denied: BTreeMap<String, String>,
    /// Digests of the quarantines of which no run is recorded here that they name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub quarantine_unseen: BTreeSet<String>,
}

/// What is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The tree, in the form of [`gonogo_suite::run::Source::tree`].
    pub tree: String,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The commit that it is a change of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_commit: Option<String>,
    /// What is said of it: why the base that was named does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_note: Option<String>,
    /// The tree that landed, where it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landed_tree: Option<String>,
    /// Who made the change: every name and address of its commits.
    #[serde(default)]
    pub authors: Vec<String>,
    /// What is released, by name.
    #[serde(default)]
    pub artifacts: BTreeMap<String, Digest>,
    /// Whether the tree has changes that are in no commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncommitted: bool,
}

/// Where evidence comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Of its bytes.
    pub digest: Digest,
    /// When it came about, by its own content and not by a file's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Of which tree it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<String>,
    /// Its record in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
}

/// What was found of some evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "found", deny_unknown_fields)]
pub enum Found<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that cannot be read.
    Unreadable {
        /// Why.
        why: String,
        /// Of its bytes, if there were any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        digest: Option<Digest>,
    },
    /// It.
    Present {
        /// What it says.
        value: T,
        /// Where it comes from.
        origin: Origin,
    },
}

/// The policy's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyFile {
    /// What is there.
    pub state: FileState,
    /// What the base of the change has.
    pub base: Base,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "file", deny_unknown_fields)]
pub enum FileState {
    /// There is none.
    Absent,
    /// There is one that cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Its text.
    Text {
        /// All of it.
        text: String,
    },
}

/// What the base of a change has of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "base", deny_unknown_fields)]
pub enum Base {
    /// The same.
    Same,
    /// Something else.
    Other {
        /// Of its bytes.
        digest: Digest,
    },
    /// Nothing.
    Absent,
    /// Nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What a project declares: its targets, profiles and budgets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Of the declaration.
    pub digest: Digest,
    /// Now.
    pub declared: Declared,
    /// At the base of the change.
    pub base: ManifestBase,
}

/// What the base declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "base", deny_unknown_fields)]
pub enum ManifestBase {
    /// The same.
    Same,
    /// Something else.
    Other {
        /// Of the declaration.
        digest: Digest,
        /// It.
        declared: Declared,
    },
    /// Nothing.
    Absent,
    /// Nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}

/// Targets, profiles, budgets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// By name.
    pub targets: BTreeMap<String, Target>,
    /// The targets of each profile.
    pub profiles: BTreeMap<String, Vec<String>>,
    /// Performance budgets.
    #[serde(default)]
    pub budgets: BTreeMap<String, Budgeted>,
    /// Patterns of files that are not part of the tree though the repository has them.
    #[serde(default)]
    pub apart: Vec<String>,
    /// Of what is declared of dry runs: by what they are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dry_run: Option<Digest>,
    /// Patterns of what is taken out of everything that runs keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// Of what is declared of each recording: what its playback takes for the same request, and what it forgives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub records: BTreeMap<String, Digest>,
}

/// A declared performance budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgeted {
    /// Whether a gate must see it kept.
    pub blocks: bool,
    /// Of everything that is declared of it.
    pub declared: Digest,
}

/// A declared target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What it is for.
    pub class: Class,
    /// Whether a gate must see it good.
    pub blocking: bool,
    /// The format of its reports; `command` where there are none.
    pub format: String,
    /// What is run.
    #[serde(default)]
    pub command: Vec<String>,
    /// Of the rest of how it is run: where, in which environment, and which reports are its own.
    pub how: Digest,
    /// The fewest tests that must run.
    pub min_tests: u64,
    /// The shortest time in which it can be green, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_duration_ms: Option<u64>,
    /// Who owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// A run of targets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its summary.
    pub summary: Summary,
    /// Of the summary's bytes.
    pub digest: Digest,
    /// Its record in the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// What it was compared with, by target.
    #[serde(default)]
    pub baselines: BTreeMap<String, Compared>,
}

/// A target beside its baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "compared", deny_unknown_fields)]
pub enum Compared {
    /// Nothing earlier is recorded of this target in this variant.
    Nothing,
    /// There should be a baseline, and it cannot be used.
    Missing {
        /// Why.
        why: String,
    },
    /// What there is cannot be compared.
    Incomparable {
        /// Why.
        why: String,
    },
    /// It was compared.
    With {
        /// The run that it was compared with.
        run_id: String,
        /// Of that run's summary.
        digest: Digest,
        /// What changed.
        diff: Diff,
    },
}

/// Green runs of a target so far, in the variant under judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// How many.
    pub green_runs: u64,
    /// Their median, milliseconds.
    pub median_ms: u64,
}

/// How a recorded command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandOutcome {
    /// What was run.
    pub argv: Vec<String>,
    /// How it ended.
    pub end: End,
}

/// A coverage report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// By module.
    pub modules: BTreeMap<String, Covered>,
    /// What is told beside: files that the report does not have, sums that differ. It is in the figures already.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is wrong with it as evidence, whatever it says: its own times are not those of the run that kept it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

/// What of a module is covered; what the report does not measure is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Covered {
    /// Lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Part>,
    /// Functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Part>,
    /// Branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Part>,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The part.
    pub covered: u64,
    /// The whole.
    pub total: u64,
}

/// A dry run that was signed off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// What was signed.
    pub verdict: Verdict,
    /// Why it is no more than that, where that is not the run's own doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Of what ran.
    pub artifact: Digest,
    /// Of what was declared of dry runs when it was made, if its record says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Digest>,
    /// What was asked less of it than was declared, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weaker: Vec<String>,
    /// The counted duration, milliseconds.
    pub counted_ms: u64,
    /// The share of it that was up.
    pub uptime: Share,
}

/// Readiness of the surfaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// `pass` or `hold`.
    pub rollout_gate: String,
    /// `healthy`, `degraded`, `failing`, `unknown`, by surface.
    pub surfaces: BTreeMap<String, String>,
}

/// A drill that was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// What came of it.
    pub verdict: Verdict,
    /// Whether it was held on the real system, with no part of it doubled.
    pub real: bool,
}

/// What a measurement came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PerfResult {
    /// Better.
    Improved,
    /// Within its budget, and not worse.
    Same,
    /// Worse, or beyond its budget.
    Regressed,
    /// Nobody can tell: too much noise.
    Noise,
    /// Nobody can tell: too few measurements.
    Insufficient,
}

/// A budget that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perf {
    /// Which.
    pub budget: String,
    /// What it came to.
    pub result: PerfResult,
    /// Why.
    #[serde(default)]
    pub reasons: Vec<Reason>,
    /// The tree that it was compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_tree: Option<String>,
}

/// A file of excuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExcuseFile {
    /// What is there.
    pub state: FileState,
    /// What the base of the change has.
    pub base: BaseFile,
    /// Who wrote its lines, as far as that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writers: Vec<Writer>,
}

/// Who wrote some lines of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writer {
    /// The first line, from 1.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Name and address.
    pub names: Vec<String>,
}

/// A file at the base of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "base", deny_unknown_fields)]
pub enum BaseFile {
    /// The same.
    Same,
    /// Another.
    Other {
        /// All of it.
        text: String,
    },
    /// There is none.
    Absent,
    /// Nobody knows.
    Unknown {
        /// Why.
        why: String,
    },
}
