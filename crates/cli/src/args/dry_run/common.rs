//! Flags that `dry-run run` and `dry-run orchestrate` have in common, and what people add to a brief.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::{Compression, Severity, Stderr, numbers};

/// Flags of `run` and `orchestrate`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Common {
    /// Target length of the run [default: 72]
    #[arg(
        long,
        value_parser = numbers::hours,
        value_name = "HOURS",
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub duration_hours: Option<f64>,
    /// Length that a sign-off demands [default: the target]
    #[arg(
        long,
        value_parser = numbers::hours,
        value_name = "HOURS",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub required_duration_hours: Option<f64>,
    /// By how much the run may be shorter [default: 0.1]
    #[arg(
        long,
        value_parser = numbers::seconds_or_none,
        value_name = "SECONDS",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub duration_tolerance_seconds: Option<f64>,
    /// Least share of the time that it was up [default: 0.98]
    #[arg(
        long,
        value_parser = numbers::ratio,
        value_name = "RATIO",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub minimum_uptime_ratio: Option<f64>,
    /// A file that the run is about; the command must name one of them; may be repeated
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub artifact: Vec<PathBuf>,
    /// Time to end after SIGINT [default: 60]
    #[arg(
        long,
        value_parser = numbers::seconds_at_least_none,
        value_name = "SECONDS",
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub shutdown_grace_seconds: Option<f64>,
    /// Time to end after SIGTERM, which follows [default: 10]
    #[arg(
        long,
        value_parser = numbers::seconds_at_least_none,
        value_name = "SECONDS",
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub terminate_grace_seconds: Option<f64>,
    /// How long others may hold the pipes after the child's end [default: 10]
    #[arg(
        long,
        value_parser = numbers::seconds_or_none,
        value_name = "SECONDS",
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub drain_seconds: Option<f64>,
    /// Where progress is written
    #[arg(long, value_name = "FILE", help_heading = "Progress")]
    pub progress_path: Option<PathBuf>,
    /// Time between two writings of progress; 0 writes none [default: 5]
    #[arg(
        long,
        value_parser = numbers::minutes_or_off,
        value_name = "MINUTES",
        help_heading = "Progress",
        allow_hyphen_values = true
    )]
    pub progress_interval_minutes: Option<f64>,
    /// Keep each change of the progress in this directory
    #[arg(long, value_name = "DIR", help_heading = "Progress")]
    pub progress_timeline_dir: Option<PathBuf>,
    /// Serve the progress as a live page at this address
    #[arg(long, value_name = "ADDRESS", help_heading = "Progress", num_args = 0..=1, default_missing_value = "127.0.0.1:8093")]
    pub serve: Option<SocketAddr>,
    /// Begin a new log segment after this time
    #[arg(
        long,
        value_parser = numbers::hours,
        value_name = "HOURS",
        help_heading = "Capture",
        allow_hyphen_values = true
    )]
    pub log_rotate_hours: Option<f64>,
    /// Begin a new log segment after so many bytes, such as 1GiB
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Capture",
        allow_hyphen_values = true
    )]
    pub log_rotate_size: Option<gonogo_core::Bytes>,
    /// Compress logs with gzip
    #[arg(long, help_heading = "Capture", conflicts_with = "compression")]
    pub compress_logs: bool,
    /// Compress logs
    #[arg(long, value_name = "HOW", help_heading = "Capture")]
    pub compression: Option<Compression>,
    /// Do not make `.log` and `.jsonl`: keep the raw bytes and their index alone
    #[arg(long, help_heading = "Capture")]
    pub no_views: bool,
    /// Space kept back for the verdict, at least 4MiB [default: 64MiB, on a small disk a quarter of what is free]
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Capture",
        allow_hyphen_values = true
    )]
    pub ballast: Option<gonogo_core::Bytes>,
    /// A run without diary may be signed off
    #[arg(long, help_heading = "Evidence")]
    pub no_diary_required: bool,
    /// A run without performance evidence may be signed off
    #[arg(long, help_heading = "Evidence")]
    pub no_performance_required: bool,
    /// Accept warnings: they are listed as accepted and do not count
    #[arg(long, help_heading = "Sign-off")]
    pub allow_warnings: bool,
    /// Least Sharpe ratio; demands performance evidence
    #[arg(
        long,
        value_parser = numbers::sharpe,
        value_name = "RATIO",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub minimum_sharpe_ratio: Option<f64>,
    /// How long the command may take until its first line [default: 0]
    #[arg(
        long,
        value_parser = numbers::seconds_or_none,
        value_name = "SECONDS",
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub startup_grace_seconds: Option<f64>,
    /// A longer silence is a warning [default: 60]
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub warn_gap_minutes: Option<f64>,
    /// A silence as long is a failure [default: 360]
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub fail_gap_minutes: Option<f64>,
    /// A longer silence is an incident at once
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub live_gap_alert_minutes: Option<f64>,
    /// What that incident means [default: warn]
    #[arg(long, value_name = "SEVERITY", help_heading = "Silence")]
    pub live_gap_alert_severity: Option<Severity>,
    /// The runtime prints something at least this often: uptime is judged by the pessimistic bound
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub heartbeat_seconds: Option<f64>,
    /// An older diary is a warning
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub diary_stale_warn_minutes: Option<f64>,
    /// An older diary is a failure
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub diary_stale_fail_minutes: Option<f64>,
    /// Older performance evidence is a warning
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub performance_stale_warn_minutes: Option<f64>,
    /// Older performance evidence is a failure
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub performance_stale_fail_minutes: Option<f64>,
    /// Time between two looks at evidence [default: a quarter of the shortest limit]
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub evidence_check_interval_minutes: Option<f64>,
    /// Time from the start before evidence is looked at [default: 15]
    #[arg(
        long,
        value_parser = numbers::minutes_or_none,
        value_name = "MINUTES",
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub evidence_initial_grace_minutes: Option<f64>,
    /// Do not judge lines while the run goes on; they are judged afterwards
    #[arg(long, help_heading = "Lines")]
    pub no_log_monitor: bool,
    /// What a line on stderr means that states no level [default: error]
    #[arg(long, value_name = "LEVEL", help_heading = "Lines")]
    pub stderr_policy: Option<Stderr>,
    /// Time between two samples of CPU and memory; 0 takes none [default: 1; in a run of less than 20 minutes a twentieth of it]
    #[arg(
        long,
        value_parser = numbers::minutes_or_off,
        value_name = "MINUTES",
        help_heading = "Resources",
        allow_hyphen_values = true
    )]
    pub resource_sample_interval_minutes: Option<f64>,
    /// More CPU of the whole tree is a breach (percent of one core)
    #[arg(
        long,
        value_parser = numbers::percent_of_core,
        visible_alias = "max-cpu-percent",
        value_name = "PERCENT",
        help_heading = "Resources",
        allow_hyphen_values = true
    )]
    pub resource_max_cpu_percent: Option<f64>,
    /// More memory of the whole tree is a breach (MiB)
    #[arg(
        long,
        value_parser = numbers::mebibytes,
        visible_alias = "max-memory-mb",
        value_name = "MIB",
        help_heading = "Resources",
        allow_hyphen_values = true
    )]
    pub resource_max_memory_mb: Option<f64>,
    /// More memory of the whole tree is a breach (percent of the machine's)
    #[arg(
        long,
        value_parser = numbers::percent,
        visible_alias = "max-memory-percent",
        value_name = "PERCENT",
        help_heading = "Resources",
        allow_hyphen_values = true
    )]
    pub resource_max_memory_percent: Option<f64>,
    /// What a breach means [default: fail]
    #[arg(long, value_name = "SEVERITY", help_heading = "Resources")]
    pub resource_violation_severity: Option<Severity>,
    /// It is a breach only after this time above the limit [default: 0]
    #[arg(
        long,
        value_parser = numbers::seconds_or_none,
        value_name = "SECONDS",
        help_heading = "Resources",
        allow_hyphen_values = true
    )]
    pub resource_sustained_seconds: Option<f64>,
    /// Take no samples of CPU and memory
    #[arg(long, help_heading = "Resources")]
    pub no_resource_monitor: bool,
    /// Say something about the run, KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Reports")]
    pub metadata: Vec<String>,
    /// Add a variable to the child's environment, KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Run")]
    pub env: Vec<String>,
    /// Write the packet's files into this directory
    #[arg(long, value_name = "DIR", help_heading = "Packet")]
    pub packet_dir: Option<PathBuf>,
    /// Write the packet as one compressed archive
    #[arg(long, value_name = "FILE", help_heading = "Packet")]
    pub packet_archive: Option<PathBuf>,
    /// Leave the raw bytes out: the verdict cannot be derived again from such a packet
    #[arg(long, help_heading = "Packet")]
    pub packet_skip_raw: bool,
    /// Let the run's clocks go so many times faster, to test the supervisor itself; such a run is never signed off
    #[arg(long, value_name = "TIMES", hide = true)]
    pub simulated_clock: Option<f64>,
    #[command(flatten)]
    pub brief: Brief,
}

/// What people add to a review brief.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Brief {
    /// Name the run in the brief
    #[arg(long, value_name = "TEXT", help_heading = "Review")]
    pub review_run_label: Option<String>,
    /// Who takes part; may be repeated
    #[arg(
        long,
        visible_alias = "review-attendee",
        value_name = "NAME",
        help_heading = "Review"
    )]
    pub attendee: Vec<String>,
    /// A note; may be repeated
    #[arg(
        long,
        visible_alias = "review-note",
        value_name = "TEXT",
        help_heading = "Review"
    )]
    pub note: Vec<String>,
    /// Notes from a file, one a line; may be repeated
    #[arg(
        long,
        visible_alias = "review-notes-file",
        value_name = "FILE",
        help_heading = "Review"
    )]
    pub notes_file: Vec<PathBuf>,
    /// How an objective stands, NAME=STATUS[:NOTE]; may be repeated
    #[arg(
        long,
        visible_alias = "review-objective",
        value_name = "NAME=STATUS[:NOTE]",
        help_heading = "Review"
    )]
    pub objective: Vec<String>,
    /// Put the summary into the brief
    #[arg(long, help_heading = "Review", overrides_with = "review_skip_summary")]
    pub review_include_summary: bool,
    /// Leave the summary out of the brief
    #[arg(long, help_heading = "Review")]
    pub review_skip_summary: bool,
    /// Put the sign-off into the brief
    #[arg(long, help_heading = "Review", overrides_with = "review_skip_sign_off")]
    pub review_include_sign_off: bool,
    /// Leave the sign-off out of the brief
    #[arg(long, help_heading = "Review")]
    pub review_skip_sign_off: bool,
}
