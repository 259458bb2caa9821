//! `dry-run …`. Names and defaults are those that existing runbooks use; a run's flags lie above `[dry_run]` of gonogo.toml, so a
//! flag has no default of its own here.

mod common;
mod numbers;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

pub use common::{Brief, Common};

/// `dry-run`.
#[derive(Debug, ClapArgs)]
pub struct DryRunArgs {
    /// What to do
    #[command(subcommand)]
    pub what: DryRunWhat,
}

/// `dry-run …`.
#[derive(Debug, Subcommand)]
pub enum DryRunWhat {
    /// Run a command in a log directory, supervise it and judge it
    Run(Box<Run>),
    /// Run a command in a directory of its own, with every report and the packet
    Orchestrate(Box<Orchestrate>),
    /// Try the whole path in a minute, with a simulated runtime
    Smoke(Box<Smoke>),
    /// Judge logs and evidence that are there already
    Audit(Box<Audit>),
    /// Write the review brief of logs and evidence that are there already
    Review(Box<ReviewOf>),
    /// Follow a run's progress
    Watch(WatchRun),
    /// Write the minutes of a run from its summary
    WrapUp(WrapUp),
    /// List what is to be followed up, of one or more runs
    Backlog(Backlog),
    /// End a run whose harness is gone, and give its verdict
    Finalize(Finalize),
    /// Stand in for a runtime: heartbeats, diary, performance, and faults on request
    Simulate(Simulate),
}

/// What a breach means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Severity {
    /// A person must look at it
    Warn,
    /// The run has failed
    Fail,
}

/// What a line on stderr means that states no level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stderr {
    /// An error
    Error,
    /// A warning
    Warn,
    /// Information
    Info,
}

/// How logs are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    /// Not
    None,
    /// gzip
    Gzip,
    /// zstd
    Zstd,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// Markdown
    Markdown,
    /// JSON
    Json,
    /// One HTML page
    Html,
}

/// How lines of logs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// JSON where a line is a JSON object, else text
    Auto,
    /// JSON lines
    Jsonl,
    /// Text
    Text,
}

/// `dry-run run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    /// Where logs and progress go
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub log_dir: PathBuf,
    /// The decision diary that the command writes
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub diary: Option<PathBuf>,
    /// The performance evidence that the command writes
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub performance: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub json_report: Option<PathBuf>,
    /// Write the report as Markdown
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub markdown_report: Option<PathBuf>,
    /// Write the review brief; `-` is standard output
    #[arg(long, value_name = "FILE", help_heading = "Review")]
    pub review_output: Option<PathBuf>,
    /// How it is written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "markdown",
        help_heading = "Review"
    )]
    pub review_format: Form,
    /// Write no review brief
    #[arg(long, help_heading = "Review", conflicts_with = "review_output")]
    pub no_review: bool,
    #[command(flatten)]
    pub common: Common,
    /// Program and arguments
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<String>,
}

/// `dry-run orchestrate`.
#[derive(Debug, ClapArgs)]
pub struct Orchestrate {
    /// Where directories of runs are made [default: artifacts/final_dry_run]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub output_root: Option<PathBuf>,
    /// Name of the run's directory [default: the time, like 20260131T120000Z]
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    pub run_name: Option<String>,
    /// Name the run in reports
    #[arg(long, value_name = "TEXT", help_heading = "Reports")]
    pub run_label: Option<String>,
    /// Keep no timeline of the progress
    #[arg(
        long,
        help_heading = "Progress",
        conflicts_with = "progress_timeline_dir"
    )]
    pub no_progress_timeline: bool,
    /// The command writes no diary
    #[arg(long, help_heading = "Evidence", conflicts_with = "diary_path")]
    pub skip_diary_evidence: bool,
    /// The command writes no performance evidence
    #[arg(long, help_heading = "Evidence", conflicts_with = "performance_path")]
    pub skip_performance_evidence: bool,
    /// The decision diary that the command writes [default: decision_diary.jsonl in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub diary_path: Option<PathBuf>,
    /// The performance evidence that the command writes [default: performance_metrics.json in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub performance_path: Option<PathBuf>,
    /// The review brief as JSON [default: review.json in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Review")]
    pub review_json: Option<PathBuf>,
    /// The review brief as Markdown [default: review.md in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Review")]
    pub review_markdown: Option<PathBuf>,
    /// Write no review brief
    #[arg(long, help_heading = "Review")]
    pub no_review: bool,
    /// Write no wrap-up
    #[arg(long, help_heading = "Wrap-up")]
    pub no_wrap_up: bool,
    /// The wrap-up as JSON [default: wrap_up.json in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Wrap-up")]
    pub wrap_up_json: Option<PathBuf>,
    /// The wrap-up as Markdown [default: wrap_up.md in the run's directory]
    #[arg(long, value_name = "FILE", help_heading = "Wrap-up")]
    pub wrap_up_markdown: Option<PathBuf>,
    /// By how much the run may be shorter for the wrap-up
    #[arg(
        long,
        value_parser = numbers::minutes_or_none,
        value_name = "MINUTES",
        default_value_t = 5.0,
        help_heading = "Wrap-up",
        allow_hyphen_values = true
    )]
    pub wrap_up_duration_tolerance_minutes: f64,
    /// A warning makes the wrap-up fail
    #[arg(long, help_heading = "Wrap-up")]
    pub wrap_up_treat_warn_as_failure: bool,
    /// Write no packet
    #[arg(long, help_heading = "Packet", conflicts_with_all = ["packet_dir", "packet_archive", "packet_skip_raw"])]
    pub no_packet: bool,
    #[command(flatten)]
    pub common: Common,
    /// Program and arguments
    #[arg(value_name = "COMMAND", last = true)]
    pub command: Vec<String>,
}

/// `dry-run smoke`.
#[derive(Debug, ClapArgs)]
pub struct Smoke {
    /// Where the run goes [default: artifacts/final_dry_run_smoke and the time]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub output_dir: Option<PathBuf>,
    /// Length of the run
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 60.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub duration_seconds: f64,
    /// Time between two ticks of the simulated runtime
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 2.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub tick_interval: f64,
    /// Time between two writings of progress
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 5.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub progress_interval: f64,
    /// Least share of the time that it was up
    #[arg(
        long,
        value_parser = numbers::ratio,
        value_name = "RATIO",
        default_value_t = 0.95,
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub minimum_uptime: f64,
    /// Accept warnings
    #[arg(long, help_heading = "Sign-off")]
    pub allow_warnings: bool,
    /// Only the run without faults, not the matrix of faults
    #[arg(long, help_heading = "Run", conflicts_with = "matrix")]
    pub single: bool,
    /// Only the matrix of faults; rows by name, all if none is named
    #[arg(long, value_name = "ROW", num_args = 0.., help_heading = "Run")]
    pub matrix: Option<Vec<String>>,
    /// Write the packet's files into this directory
    #[arg(long, value_name = "DIR", help_heading = "Packet")]
    pub packet_dir: Option<PathBuf>,
    /// Write the packet as one compressed archive
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Packet",
        requires = "packet_dir"
    )]
    pub packet_archive: Option<PathBuf>,
    /// Leave the raw bytes out of the packet
    #[arg(long, help_heading = "Packet", requires = "packet_dir")]
    pub packet_skip_raw: bool,
    /// The review brief as Markdown
    #[arg(long, value_name = "FILE", help_heading = "Review")]
    pub review_markdown: Option<PathBuf>,
    /// The review brief as JSON
    #[arg(long, value_name = "FILE", help_heading = "Review")]
    pub review_json: Option<PathBuf>,
    /// A note for the brief; may be repeated
    #[arg(long, value_name = "TEXT", help_heading = "Review")]
    pub review_note: Vec<String>,
    /// Say something about the run, KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Reports")]
    pub metadata: Vec<String>,
    /// Add a variable to the child's environment, KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Run")]
    pub env: Vec<String>,
    /// A warning ends the command as a failure does
    #[arg(long, help_heading = "Sign-off")]
    pub treat_warn_as_error: bool,
}

/// What is judged by `audit` and `review`.
#[derive(Debug, ClapArgs)]
pub struct Judged {
    /// A log, plain or compressed; may be repeated
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "run_dir",
        conflicts_with = "run_dir",
        help_heading = "Selection"
    )]
    pub log: Vec<PathBuf>,
    /// The directory of a captured run, instead of logs
    #[arg(long, value_name = "DIR", help_heading = "Selection")]
    pub run_dir: Option<PathBuf>,
    /// How lines are read
    #[arg(
        long,
        value_name = "KIND",
        default_value = "auto",
        help_heading = "Lines"
    )]
    pub log_format: LogFormat,
    /// The decision diary
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub diary: Option<PathBuf>,
    /// The performance evidence
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub performance: Option<PathBuf>,
    /// A longer silence is a warning
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        default_value_t = 60.0,
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub warn_gap_minutes: f64,
    /// A silence as long is a failure
    #[arg(
        long,
        value_parser = numbers::minutes,
        value_name = "MINUTES",
        default_value_t = 360.0,
        help_heading = "Silence",
        allow_hyphen_values = true
    )]
    pub fail_gap_minutes: f64,
    /// What a line on stderr means that states no level, in logs that name the stream
    #[arg(long, value_name = "LEVEL", help_heading = "Lines")]
    pub stderr_policy: Option<Stderr>,
    /// Fewest diary entries of each UTC day
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Evidence")]
    pub diary_min_entries_per_day: u64,
    /// What fewer mean
    #[arg(
        long,
        value_name = "SEVERITY",
        default_value = "warn",
        help_heading = "Evidence"
    )]
    pub diary_daily_gap_severity: Severity,
    /// Say something about the run, KEY=VALUE; may be repeated
    #[arg(long, value_name = "KEY=VALUE", help_heading = "Reports")]
    pub metadata: Vec<String>,
    /// Sign off: 72 h, 0.98 uptime, diary and performance
    #[arg(long, help_heading = "Sign-off")]
    pub sign_off: bool,
    /// Least length for a sign-off
    #[arg(
        long,
        value_parser = numbers::hours,
        value_name = "HOURS",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub sign_off_min_duration_hours: Option<f64>,
    /// Least uptime for a sign-off
    #[arg(
        long,
        value_parser = numbers::ratio,
        value_name = "RATIO",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub sign_off_min_uptime_ratio: Option<f64>,
    /// Least Sharpe ratio for a sign-off
    #[arg(
        long,
        value_parser = numbers::sharpe,
        value_name = "RATIO",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub sign_off_min_sharpe: Option<f64>,
    /// Accept warnings
    #[arg(long, help_heading = "Sign-off", visible_alias = "allow-warnings")]
    pub sign_off_allow_warnings: bool,
    /// The diary may be absent
    #[arg(long, help_heading = "Sign-off")]
    pub sign_off_optional_diary: bool,
    /// The performance evidence may be absent
    #[arg(long, help_heading = "Sign-off")]
    pub sign_off_optional_performance: bool,
    /// A warning ends the command as a failure does
    #[arg(long, help_heading = "Sign-off")]
    pub treat_warn_as_error: bool,
    /// How the report is written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "markdown",
        help_heading = "Reports"
    )]
    pub format: Form,
    /// Where to [default: standard output]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub output: Option<PathBuf>,
}

/// `dry-run audit`.
#[derive(Debug, ClapArgs)]
pub struct Audit {
    #[command(flatten)]
    pub judged: Judged,
    /// Keep what was read of logs in this directory, so that the same bytes are not read again; never used for a sign-off
    #[arg(long, value_name = "DIR", help_heading = "Selection")]
    pub cache: Option<PathBuf>,
}

/// `dry-run review`.
#[derive(Debug, ClapArgs)]
pub struct ReviewOf {
    #[command(flatten)]
    pub judged: Judged,
    #[command(flatten)]
    pub brief: Brief,
}

/// `dry-run watch`.
#[derive(Debug, ClapArgs)]
pub struct WatchRun {
    /// The progress file, or the directory that holds it
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub progress: PathBuf,
    /// Time between two looks
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 30.0,
        help_heading = "Output",
        allow_hyphen_values = true
    )]
    pub interval: f64,
    /// Look once
    #[arg(long, help_heading = "Output")]
    pub once: bool,
    /// Show so many incidents, the newest
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Output")]
    pub max_incidents: usize,
    /// Show no incidents
    #[arg(long, help_heading = "Output")]
    pub no_incidents: bool,
    /// Leave the summary out
    #[arg(long, help_heading = "Output")]
    pub skip_summary: bool,
    /// Leave the sign-off out
    #[arg(long, help_heading = "Output")]
    pub skip_sign_off: bool,
    /// End when the run is complete, as the run ended
    #[arg(long, help_heading = "Output")]
    pub exit_when_complete: bool,
    /// A warning ends the command as a failure does
    #[arg(long, help_heading = "Output")]
    pub treat_warn_as_error: bool,
    /// Serve the progress as a live page at this address
    #[arg(long, value_name = "ADDRESS", help_heading = "Output", num_args = 0..=1, default_missing_value = "127.0.0.1:8093")]
    pub serve: Option<SocketAddr>,
}

/// `dry-run wrap-up`.
#[derive(Debug, ClapArgs)]
pub struct WrapUp {
    /// The run's summary.json, or the directory that holds it
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub summary: PathBuf,
    /// By how much the run may be shorter
    #[arg(
        long,
        value_parser = numbers::minutes_or_none,
        value_name = "MINUTES",
        default_value_t = 5.0,
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub duration_tolerance_minutes: f64,
    /// Length that is demanded [default: what the summary says]
    #[arg(
        long,
        value_parser = numbers::hours,
        value_name = "HOURS",
        help_heading = "Sign-off",
        allow_hyphen_values = true
    )]
    pub required_duration_hours: Option<f64>,
    /// A note; may be repeated
    #[arg(long, value_name = "TEXT", help_heading = "Reports")]
    pub note: Vec<String>,
    /// A warning counts as a failure
    #[arg(long, visible_alias = "treat-warn-as-error", help_heading = "Sign-off")]
    pub treat_warn_as_failure: bool,
    /// How it is written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "markdown",
        help_heading = "Reports"
    )]
    pub format: Form,
    /// Where to [default: standard output]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub output: Option<PathBuf>,
}

/// `dry-run backlog`.
#[derive(Debug, ClapArgs)]
pub struct Backlog {
    /// A run's summary.json, or the directory that holds it; may be repeated
    #[arg(long, value_name = "FILE", required = true, help_heading = "Selection")]
    pub summary: Vec<PathBuf>,
    /// End with 1 if a warning is among them
    #[arg(long, help_heading = "Output")]
    pub fail_on_warn: bool,
    /// End with 2 if a failure is among them
    #[arg(long, help_heading = "Output")]
    pub fail_on_fail: bool,
    /// How it is written
    #[arg(
        long,
        value_name = "FORM",
        default_value = "markdown",
        help_heading = "Reports"
    )]
    pub format: Form,
    /// Where to [default: standard output]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub output: Option<PathBuf>,
}

/// `dry-run finalize`.
#[derive(Debug, ClapArgs)]
pub struct Finalize {
    /// The run's directory: that of `orchestrate`, or the log directory of `run`
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// How long to wait for a run that is just ending
    #[arg(
        long,
        value_parser = numbers::seconds_or_none,
        value_name = "SECONDS",
        default_value_t = 90.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub within_seconds: f64,
}

/// `dry-run simulate`.
#[derive(Debug, ClapArgs)]
pub struct Simulate {
    /// How long
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 60.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub duration_seconds: f64,
    /// Time between two ticks
    #[arg(
        long,
        value_parser = numbers::seconds,
        value_name = "SECONDS",
        default_value_t = 2.0,
        help_heading = "Run",
        allow_hyphen_values = true
    )]
    pub tick_interval: f64,
    /// Write a diary here [default: FINAL_DRY_RUN_DIARY_PATH]
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub diary: Option<PathBuf>,
    /// Write performance evidence here [default: FINAL_DRY_RUN_PERFORMANCE_PATH]
    #[arg(long, value_name = "FILE", help_heading = "Evidence")]
    pub performance: Option<PathBuf>,
    /// The Sharpe ratio that it claims
    #[arg(
        long,
        value_parser = numbers::sharpe,
        value_name = "RATIO",
        default_value_t = 1.2,
        help_heading = "Evidence",
        allow_hyphen_values = true
    )]
    pub sharpe: f64,
    /// How the diary is written: jsonl, array or object
    #[arg(
        long,
        value_name = "FORM",
        default_value = "jsonl",
        help_heading = "Evidence"
    )]
    pub diary_format: String,
    /// Inject a fault, KIND[=VALUE][@TICKS]; may be repeated; `list` shows all
    #[arg(long, value_name = "FAULT", help_heading = "Run")]
    pub inject: Vec<String>,
    /// Copy what is printed to FOLDER/stdout and FOLDER/stderr
    #[arg(long, value_name = "FOLDER", help_heading = "Output")]
    pub copy_output: Option<PathBuf>,
    /// What is random follows from this
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Run")]
    pub seed: u64,
    /// Only hold the streams open, for so long after the parent's end
    #[arg(long, hide = true, value_name = "SECONDS")]
    pub hold_pipes: Option<String>,
    /// In a session of its own
    #[arg(long, hide = true)]
    pub own_session: bool,
}
