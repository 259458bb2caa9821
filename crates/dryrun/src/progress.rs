//! Progress of a run, as `progress.json` holds it.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Incident;
use crate::sign_off::SignOff;
use crate::summary::Summary;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The child is being started.
    Startup,
    /// It runs.
    Running,
    /// The verdict is there.
    Complete,
}

/// What a run says about itself now. Written whole, numbered, with all incidents that are kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// `starting`, `running`, `pass`, `warn`, `fail`, `invalid`. While it runs: the worst so far if not `pass`.
    pub status: String,
    /// Where it is. Only `complete` ends a run.
    pub phase: Phase,
    /// Grows with each write.
    #[serde(default)]
    pub sequence: u64,
    /// When this was written.
    pub now: Timestamp,
    /// Seconds between two writings, as promised; readers tell by it whether the writer still lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<f64>,
    /// When the child was started.
    pub started_at: Option<Timestamp>,
    /// On the boot clock.
    pub elapsed_seconds: f64,
    /// How long the run is to last.
    pub target_duration_seconds: f64,
    /// How long it must last.
    pub required_duration_seconds: f64,
    /// Lines.
    pub total_lines: u64,
    /// Bytes.
    #[serde(default)]
    pub total_bytes: u64,
    /// Lines by stream.
    pub line_counts: BTreeMap<String, u64>,
    /// Lines by level.
    pub level_counts: BTreeMap<String, u64>,
    /// First line's arrival.
    pub first_line_at: Option<Timestamp>,
    /// Last line's arrival.
    pub last_line_at: Option<Timestamp>,
    /// The longest silence so far, the present one included, seconds.
    #[serde(default)]
    pub longest_gap_seconds: f64,
    /// Lines a second over the last minute.
    #[serde(default)]
    pub lines_per_second: f64,
    /// Program and arguments.
    pub command: Vec<String>,
    /// Sign-off floor.
    pub minimum_uptime_ratio: Option<f64>,
    /// Whether the diary is required.
    pub require_diary_evidence: bool,
    /// Whether performance evidence is required.
    pub require_performance_evidence: bool,
    /// How the child ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Always there.
    #[serde(default)]
    pub incidents: Vec<Incident>,
    /// Incidents that are not kept one by one any more: how many.
    #[serde(default)]
    pub incidents_not_kept: u64,
    /// Of a run that is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// Of a run that is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_off: Option<SignOff>,
    /// What the operator said about the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config_metadata: BTreeMap<String, Value>,
    /// CPU and memory of the tree and free space of the disk, as last sampled: `cpu_percent`, `memory_mb`, `processes`,
    /// `disk_free_bytes`, `disk_full_in_seconds`, `disk_end_bytes` (of the free ones, needed at the end).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub resources: BTreeMap<String, Value>,
    /// The recent past for charts, at most 720 points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Point>,
}

/// A point of the recent past.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at: i64,
    /// Seconds that it covers.
    pub seconds: f64,
    /// Lines in it.
    pub lines: u64,
    /// Of them warnings.
    pub warnings: u64,
    /// Of them errors and above.
    pub errors: u64,
    /// The longest silence in it, seconds.
    pub gap_seconds: f64,
    /// Resident memory of the tree, MiB.
    pub memory_mb: f64,
    /// CPU of the tree, percent of one core.
    pub cpu_percent: f64,
}
