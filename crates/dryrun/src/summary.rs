//! What a run showed, as stored in `summary.json` and in reports. Names of fields are those that readers of such reports know;
//! what is ours beside them is additional.
//!
//! Reading is lenient (absent fields have their empty value, unknown ones are ignored), so that older reports can be read.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::engine::NotKept;
use crate::sign_off::{Finding, SignOff};
use crate::{Incident, Status};

/// The `schema` of a report.
pub const SCHEMA: &str = "gonogo.dry-run.report.v1";

/// A report: `--json-report`, and `summary.json` of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    #[serde(default)]
    pub schema: String,
    /// The worst of summary, sign-off and incidents that count.
    pub status: Status,
    /// What the logs and evidence showed.
    pub summary: Summary,
    /// The sign-off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<SignOff>,
    /// Always there, worst first.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// The review brief, if one was made: [`crate::summary::Report`] knows it only as a value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Value>,
    /// Where progress was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_path: Option<String>,
    /// Where snapshots of it were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_timeline_dir: Option<String>,
    /// Of a whole run: when the report was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<Timestamp>,
    /// What was run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The run's directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_directory: Option<String>,
    /// The logs' directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_directory: Option<String>,
    /// What the operator said about the run (`--metadata`, `--run-label`); never mixed with what was measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
    /// When the child was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the child ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How long it lived, on the boot clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// The packet's paths and digests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_packet: Option<Value>,
    /// The wrap-up, if one was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrap_up: Option<Value>,
    /// What was wanted and is not there for want of space; finalizing the run again makes it. Never part of a verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// Something that was left out for want of space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its path, or `views`.
    pub what: String,
    /// Why.
    pub reason: String,
}

/// What logs and evidence showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// When it was computed.
    pub generated_at: Timestamp,
    /// The worst of its parts.
    pub status: Status,
    /// What was run, for how long, and what was read.
    #[serde(default)]
    pub metadata: RunFacts,
    /// What the logs showed; absent if there were none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logs: Option<Logs>,
    /// What the diary showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diary: Option<Diary>,
    /// What the performance evidence showed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
    /// Further evidence that the configuration declares, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Evidence that could not be read: path and reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<Finding>,
}

/// What was run and read. Of an audit of somebody's logs only the paths are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunFacts {
    /// Logs that were read.
    pub log_paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The diary.
    pub diary_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The performance evidence.
    pub performance_path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Program and arguments.
    pub command: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// The run's id in the ledger.
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// When the child was started.
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Exit status; negative: the signal that ended it.
    pub exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// How long the run was to last.
    pub target_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// How long the child lived, on the boot clock.
    pub actual_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Whether the harness ended it because its time was over.
    pub timed_out: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// First structured log.
    pub log_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// First raw log.
    pub raw_log_path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Structured logs, all segments.
    pub structured_log_paths: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Raw logs, all segments.
    pub raw_log_paths: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    /// Incidents.
    pub harness_incidents: Vec<Incident>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    /// Lines by stream.
    pub log_line_counts: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    /// Lines by level.
    pub log_level_counts: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// All lines.
    pub log_total_lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Where progress was written.
    pub progress_path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// CPU and memory of the whole tree.
    pub resource_monitor: Option<Resources>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Version of the classifier's rules.
    pub classifier: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    /// What the operator said about the run.
    pub user: BTreeMap<String, Value>,
}

/// CPU and memory of the whole tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// Whether it was watched.
    pub enabled: bool,
    /// Why not: `disabled_by_config`, `monitor_unavailable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Seconds between samples.
    pub interval_seconds: f64,
    /// What a broken limit means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violation_severity: Option<Status>,
    /// Limits by name: `max_cpu_percent`, `max_memory_mb`, `max_memory_percent`.
    pub thresholds: BTreeMap<String, f64>,
    /// How many samples.
    pub samples: u64,
    /// Highest CPU, percent of one core.
    pub peak_cpu_percent: Option<f64>,
    /// When.
    pub peak_cpu_percent_timestamp: Option<Timestamp>,
    /// Highest resident memory, MiB.
    pub peak_memory_mb: Option<f64>,
    /// When.
    pub peak_memory_mb_timestamp: Option<Timestamp>,
    /// Highest share of the machine's memory, percent.
    pub peak_memory_percent: Option<f64>,
    /// When.
    pub peak_memory_percent_timestamp: Option<Timestamp>,
    /// The last sample.
    pub last_sample: BTreeMap<String, Value>,
    /// Growth of resident memory after warm-up, MiB an hour (Theil–Sen); absent with too few samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_slope_mb_per_hour: Option<f64>,
    /// CPU and memory over the whole run, for charts: at most 720 points, peaks kept when points are joined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<crate::progress::Point>,
}

/// What the logs showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logs {
    /// Lines that belong to no record (no text, not what the format says, or broken records among records).
    pub ignored_lines: u64,
    /// Lines.
    pub total_lines: u64,
    /// Bytes.
    pub total_bytes: u64,
    /// Lines by level.
    pub level_counts: BTreeMap<String, u64>,
    /// Records by event; at most 1,000 names, the rest under `…`.
    pub event_counts: BTreeMap<String, u64>,
    /// Silences.
    pub gap_incidents: Vec<LogIncident>,
    /// Stack traces and other content.
    pub content_incidents: Vec<LogIncident>,
    /// Lines of level warning, by key.
    pub warnings: Vec<LogIncident>,
    /// Lines of level error and above, by key.
    pub errors: Vec<LogIncident>,
    /// The worst of all that.
    pub status: Status,
    /// First record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Last record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// From first to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    /// Share of time without over-long gaps, the allowance of each gap given back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_ratio: Option<f64>,
    /// Bounds from a declared heartbeat, or none was declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Causes that are not kept one by one any more, with their exact counts; they count in `status`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<NotKept>,
    /// What is wrong with the logs as evidence: torn, damaged, without times, missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Finding>,
    /// Unexplained blind time outside of silences, seconds: it is not known to be up.
    pub unknown_seconds: f64,
    /// Time that we could not see: pump down, clock step, suspend.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blind: Vec<Blind>,
    /// How far the child's own timestamps are from ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew: Option<Skew>,
    /// Records per second of the run, for charts: start of the second, lines by level class. At most 5,000 points; longer runs
    /// have wider points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rate: Vec<RatePoint>,
}

/// An incident of logs, with its count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogIncident {
    /// How bad.
    pub severity: Status,
    /// When first.
    pub occurred_at: Timestamp,
    /// One line.
    pub summary: String,
    /// How often.
    #[serde(default)]
    pub count: u64,
    /// When last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Which rule accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// `stream`, `line`, `sample`, `language`, `gap_seconds`, …
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// Uptime between two bounds, from a declared heartbeat. Of a gap longer than period × tolerance only the ends are known: the
/// pessimistic bound counts gap − period as down (from the first beat that is missing), the optimistic one a period less.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heartbeat {
    /// The declared period, seconds.
    pub period_seconds: f64,
    /// A gap longer than period × tolerance is an outage.
    pub tolerance: f64,
    /// The least share of time that it was up: what gates.
    pub pessimistic: f64,
    /// The greatest.
    pub optimistic: f64,
    /// How many outages.
    pub outages: u64,
    /// The longest, seconds.
    pub longest_outage_seconds: f64,
    /// Mean time between failures, seconds; absent without outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtbf_seconds: Option<f64>,
    /// Mean time to recovery, seconds; absent without outage.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mttr_seconds: Option<f64>,
    /// Unknown time that counts against, seconds.
    pub unknown_seconds: f64,
}

/// Time that we could not see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blind {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
    /// `pump_down`, `clock_step`, `suspend`, `capture_blocked`, `keeper_lost`, `keeper_stopped`.
    pub reason: String,
    /// The operator's explanation; explained time does not count against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explained: Option<String>,
}

/// How far the child's timestamps are from the time of arrival, seconds; positive: the child is ahead.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skew {
    /// Records that carried a timestamp.
    pub records: u64,
    /// Least.
    pub min_seconds: f64,
    /// Greatest.
    pub max_seconds: f64,
    /// Records whose timestamp could not be read.
    pub unreadable: u64,
    /// Records whose timestamp went back behind that of an earlier one.
    pub backwards: u64,
}

/// Lines in a span of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RatePoint {
    /// Start, milliseconds since 1970 (ingest clock).
    pub at: i64,
    /// Width, seconds.
    pub seconds: f64,
    /// Lines.
    pub lines: u64,
    /// Of them warnings.
    pub warnings: u64,
    /// Of them errors and above.
    pub errors: u64,
}

/// What the diary showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Diary {
    /// Entries.
    pub total_entries: u64,
    /// Entries by policy; at most 1,000 names.
    pub policy_counts: BTreeMap<String, u64>,
    /// What is wrong; at most 1,000, worst first.
    pub issues: Vec<DiaryIssue>,
    /// How many issues there are.
    pub issue_count: u64,
    /// The worst.
    pub status: Status,
    /// First entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_recorded_at: Option<Timestamp>,
    /// Last entry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_recorded_at: Option<Timestamp>,
}

/// Something wrong in the diary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiaryIssue {
    /// The entry, if one.
    pub entry_id: Option<String>,
    /// Its policy.
    pub policy_id: Option<String>,
    /// Its time.
    pub recorded_at: Option<Timestamp>,
    /// How bad.
    pub severity: Status,
    /// Why.
    pub reason: String,
    /// More.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// What the performance evidence showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Performance {
    /// When it was made.
    pub generated_at: Option<Timestamp>,
    /// Since when it counts.
    pub period_start: Option<Timestamp>,
    /// How many trades.
    pub total_trades: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Return on investment.
    pub roi: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Share of winning trades.
    pub win_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// As claimed by the file.
    pub sharpe_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// Seconds that it covers.
    pub window_duration_seconds: Option<f64>,
    /// What the file says beside.
    pub metadata: BTreeMap<String, Value>,
    /// What we make of the returns, if it has some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<SharpeFacts>,
    /// Findings: coverage, losses, what cannot be decided.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub issues: Vec<Finding>,
    /// The worst.
    pub status: Status,
}

/// A Sharpe ratio with what one must know to believe it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SharpeFacts {
    /// Returns.
    pub n: u64,
    /// Seconds between two.
    pub period_seconds: f64,
    /// Periods a year.
    pub periods_per_year: f64,
    /// Per period.
    pub sharpe_per_period: f64,
    /// Annualised, corrected for autocorrelation (Lo 2002).
    pub sharpe_annualised: f64,
    /// Skewness.
    pub skewness: f64,
    /// Kurtosis (3 for normal).
    pub kurtosis: f64,
    /// First-order autocorrelation.
    pub autocorrelation: f64,
    /// Probability that the true ratio is above the floor.
    pub probabilistic: f64,
    /// Fewest returns at which that is 95 %, or none can be.
    pub minimum_track_record: Option<f64>,
    /// Configurations tried, as declared.
    pub trials: u64,
    /// Whether the window can carry a judgement at all.
    pub decidable: bool,
    /// Seconds of the stated period that lie inside the run: what is outside says nothing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window_seconds: Option<f64>,
    /// Why nothing can be decided, where that is not for want of returns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Further declared evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its name in the configuration.
    pub name: String,
    /// Its file.
    pub path: String,
    /// `json`, `jsonl`, `text`, …
    pub format: String,
    /// How it stands.
    pub status: Status,
    /// What is wrong.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Values that thresholds were held against, by pointer.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// Newest content time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_at: Option<Timestamp>,
    /// Entries (lines, array members).
    #[serde(default)]
    pub entries: u64,
    /// Bytes.
    #[serde(default)]
    pub bytes: u64,
}
