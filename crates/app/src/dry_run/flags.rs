//! What a door was asked for, in seconds: what is absent stands in `[dry_run]` of gonogo.toml, or has its default.

use std::path::PathBuf;

use gonogo_dryrun::Status;
use gonogo_dryrun::spec::{Compression, StderrPolicy};

/// A switch with a third position: not touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// As the use case has it.
    #[default]
    Usual,
    /// Nowhere.
    Off,
    /// Here.
    At(PathBuf),
}

/// Flags of a run. Durations are seconds.
#[derive(Debug, Clone, Default, PartialEq)]
#[expect(
    missing_docs,
    reason = "each field is the flag of that name, which `--help` explains"
)]
pub struct Flags {
    pub command: Vec<String>,
    /// Files that the run is about.
    pub artifacts: Vec<PathBuf>,
    pub duration: Option<f64>,
    pub required_duration: Option<f64>,
    pub duration_tolerance: Option<f64>,
    pub minimum_uptime: Option<f64>,
    pub minimum_sharpe: Option<f64>,
    pub allow_warnings: bool,
    pub shutdown_grace: Option<f64>,
    pub terminate_grace: Option<f64>,
    pub drain: Option<f64>,
    pub progress: Place,
    /// Zero and less: no progress.
    pub progress_interval: Option<f64>,
    pub timeline: Place,
    pub rotate_seconds: Option<f64>,
    pub rotate_bytes: Option<u64>,
    pub compression: Option<Compression>,
    pub no_views: bool,
    pub ballast: Option<u64>,
    pub diary: Place,
    pub performance: Place,
    pub no_diary_required: bool,
    pub no_performance_required: bool,
    pub startup_grace: Option<f64>,
    pub warn_gap: Option<f64>,
    pub fail_gap: Option<f64>,
    pub live_gap: Option<f64>,
    pub live_gap_severity: Option<Status>,
    pub heartbeat: Option<f64>,
    pub diary_stale_warn: Option<f64>,
    pub diary_stale_fail: Option<f64>,
    pub performance_stale_warn: Option<f64>,
    pub performance_stale_fail: Option<f64>,
    pub evidence_interval: Option<f64>,
    pub evidence_grace: Option<f64>,
    pub no_log_monitor: bool,
    pub stderr: Option<StderrPolicy>,
    /// Zero and less: no samples.
    pub resource_interval: Option<f64>,
    pub max_cpu_percent: Option<f64>,
    pub max_memory_mb: Option<f64>,
    pub max_memory_percent: Option<f64>,
    pub resource_severity: Option<Status>,
    pub resource_sustained: Option<f64>,
    pub no_resource_monitor: bool,
    /// KEY=VALUE.
    pub metadata: Vec<String>,
    /// KEY=VALUE.
    pub env: Vec<String>,
    /// `KEY=VALUE` of variables that the child is told places by; what the file or a flag asks for wins.
    pub wired: Vec<String>,
    /// Zero and less are refused instead of switching something off.
    pub strict_intervals: bool,
    /// How much faster than real the clocks go, for tests of the supervisor itself; such a run is never signed off.
    pub clock_scale: Option<f64>,
}
