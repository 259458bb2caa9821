//! What a run is to do and how it is to be judged: every default filled in, kept as `run.json` before anything is started, and part
//! of the evidence. The verdict is computed with this and nothing else.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Status;
use crate::sign_off::Criteria;

/// The `schema` of `run.json`.
pub const SCHEMA: &str = "gonogo.dry-run.run.v1";

/// A run's specification. All durations are seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// [`SCHEMA`].
    pub schema: String,
    /// The run's id: the stream is `run/dry-run/<id>`.
    pub run_id: String,
    /// Names the run's files.
    pub slug: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Files that the run is about, hashed before it began; the command names each of them or was built to use them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Working directory.
    pub directory: String,
    /// Variables added to the inherited environment.
    pub environment: BTreeMap<String, String>,
    /// Where the files go, absolute.
    pub log_dir: String,
    /// Where progress goes, if anywhere.
    pub progress_path: Option<String>,
    /// Where each change of it is kept, if anywhere.
    pub timeline_dir: Option<String>,
    /// How long the run lasts.
    pub target_seconds: f64,
    /// What is demanded for a sign-off.
    pub criteria: Criteria,
    /// Time for each step of INT → TERM → KILL.
    pub grace_seconds: Grace,
    /// How long the pipes may stay open after the child's end.
    pub drain_seconds: f64,
    /// How the bytes are kept.
    pub capture: Capture,
    /// How lines are judged.
    pub lines: Lines,
    /// Silences.
    pub gaps: Gaps,
    /// The declared heartbeat.
    pub heartbeat: Option<HeartbeatSpec>,
    /// Evidence files, `diary` and `performance` among them.
    pub evidence: Vec<EvidenceSpec>,
    /// Seconds after the start before evidence is looked at.
    pub evidence_grace_seconds: f64,
    /// Seconds between two looks; absent: nobody looks.
    pub evidence_interval_seconds: Option<f64>,
    /// Resources.
    pub resources: ResourceSpec,
    /// Seconds between two writings of progress; absent: never.
    pub progress_interval_seconds: Option<f64>,
    /// Explained blindness, by reason word.
    pub explained: BTreeMap<String, String>,
    /// What the operator said.
    pub metadata: BTreeMap<String, Value>,
    /// How much faster than real the clocks go; 1 unless simulated.
    pub clock_scale: f64,
}

/// The file with the artifacts' digests at the run's end: a JSON array of [`Artifact`].
pub const ARTIFACTS: &str = "artifacts.json";

/// The file that says what else lay in the run's directory, a line each: whoever settles a run moves away what is no file of a run.
/// Where it exists nothing can be judged.
pub const FOREIGN: &str = "foreign.txt";

/// A file that a run is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artifact {
    /// As it was named.
    pub path: String,
    /// Of its bytes before the run.
    pub sha256: Digest,
    /// Inode, size, and times of the last writing and the last change (nanoseconds) of the file, and of the link that leads to it:
    /// who puts the bytes back does not put these back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// Steps of the kill ladder, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grace {
    /// After SIGINT.
    pub interrupt: f64,
    /// After SIGTERM.
    pub terminate: f64,
}

/// How bytes are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// Compression of closed members.
    pub compression: Compression,
    /// Whether `.log` and `.jsonl` are made as the run goes.
    pub views: bool,
    /// A new segment after so many seconds, at the next line border.
    pub rotate_seconds: Option<f64>,
    /// A new segment after so many bytes, at the next line border.
    pub rotate_bytes: Option<u64>,
    /// Space kept back for the verdict, bytes.
    pub ballast_bytes: u64,
    /// Whether a packet with the raw bytes is made at the end, for which there must be space.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packs_raw: bool,
    /// Bytes of a member before it is compressed, 1 to 4 MiB.
    pub member_bytes: u64,
}

/// How closed members are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not.
    None,
    /// gzip, level 1.
    Gzip,
    /// zstd, level 1.
    Zstd,
}

/// How lines are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lines {
    /// Whether lines are judged while the run goes on. They always are afterwards.
    pub monitor: bool,
    /// What a line on stderr without a level means.
    pub stderr: StderrPolicy,
    /// What is accepted.
    pub allow: Vec<Allow>,
    /// How numbers are read as levels.
    pub numeric: NumericLevels,
    /// Field (of JSON lines) that names the source; traces of different sources never mix.
    pub source_field: Option<String>,
}

/// What a line on stderr without a level of its own means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StderrPolicy {
    /// An error, as the older harness has it.
    Error,
    /// A warning.
    Warn,
    /// Information: only its content counts.
    Info,
}

/// How numbers are read as levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NumericLevels {
    /// By value: 10 to 60 in tens is pino's or Python's (50 is error or critical: both count), 0 to 7 is syslog's, 100 to 600 is log4j's.
    Auto,
    /// pino and bunyan: 10 trace … 60 fatal.
    Pino,
    /// Python's logging: 10 debug … 50 critical.
    Python,
    /// RFC 5424: 0 emergency … 7 debug.
    Syslog,
    /// log4j's `intLevel`: 100 fatal … 600 trace.
    Log4j,
}

/// A rule of the allow-list. Both owner and expiry must be given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allow {
    /// Its name.
    pub name: String,
    /// Regular expression (crate `regex`) over the line or the trace's text.
    pub pattern: String,
    /// Who answers for it.
    pub owner: String,
    /// From then on it accepts nothing. Held against the run's end.
    pub expires: Timestamp,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// Silences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gaps {
    /// Longer: a warning.
    pub warn_seconds: f64,
    /// As long or longer: a failure.
    pub fail_seconds: f64,
    /// How long the child may take until its first line: no gap and no downtime. At most this much of the leading silence is given
    /// back; 0 gives none.
    #[serde(default)]
    pub startup_seconds: f64,
    /// Longer, while the run goes on: an alert.
    pub live_seconds: Option<f64>,
    /// What the alert means.
    pub live_severity: Status,
}

/// A declared heartbeat: some line at least each period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatSpec {
    /// Seconds.
    pub period_seconds: f64,
    /// A gap longer than period × tolerance is an outage; at least 1.
    pub tolerance: f64,
    /// Only records with this `event` are beats; any line if absent.
    pub event: Option<String>,
}

/// An evidence file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceSpec {
    /// `diary`, `performance`, or a declared name.
    pub name: String,
    /// Absolute.
    pub path: String,
    /// What it holds.
    pub format: EvidenceFormat,
    /// Whether a run without it fails.
    pub required: bool,
    /// Older than so many seconds: a warning.
    pub stale_warn_seconds: Option<f64>,
    /// Older than so many seconds: a failure.
    pub stale_fail_seconds: Option<f64>,
    /// JSON pointer of an entry's time (of the newest entry); `recorded_at`, `generated_at`, `timestamp`, `time` and `ts` are tried if absent.
    pub time_pointer: Option<String>,
    /// Fewest entries.
    pub min_entries: Option<u64>,
    /// Fewest entries of each UTC day of the run (diary).
    #[serde(default)]
    pub min_entries_per_day: u64,
    /// What fewer mean.
    #[serde(default = "warn")]
    pub daily_gap_severity: Status,
    /// What its values must be.
    pub thresholds: Vec<Threshold>,
}

const fn warn() -> Status {
    Status::Warn
}

/// What an evidence file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceFormat {
    /// The decision diary: an object with `entries`, an array, or one entry a line.
    Diary,
    /// Performance telemetry.
    Performance,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    Jsonl,
    /// Text; only presence, freshness and growth count.
    Text,
}

/// What a value must be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// JSON pointer (RFC 6901); of the newest entry for `jsonl`.
    pub pointer: String,
    /// Least.
    #[serde(default)]
    pub min: Option<f64>,
    /// Greatest.
    #[serde(default)]
    pub max: Option<f64>,
    /// Exactly.
    #[serde(default)]
    pub equals: Option<Value>,
    /// What breaking it means.
    pub severity: Status,
}

/// Resources of the whole tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceSpec {
    /// Seconds between samples; absent: not watched.
    pub interval_seconds: Option<f64>,
    /// Percent of one core.
    pub max_cpu_percent: Option<f64>,
    /// MiB.
    pub max_memory_mb: Option<f64>,
    /// Percent of the machine's memory.
    pub max_memory_percent: Option<f64>,
    /// What breaking a limit means.
    pub severity: Status,
    /// A limit counts as broken only after so many seconds above it.
    pub sustained_seconds: f64,
}
