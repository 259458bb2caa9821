//! `record …`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use gonogo_core::Span;

/// `record`.
#[derive(Debug, ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
#[command(
    after_help = "The command ends with 0 if it succeeded and the recording is good, with 2 if the command failed or a request was not in the\nrecording, with 1 if a person should look (unused or stale), with 3 if nothing can be said (no request, stopped).\nThe command's own output stays as it is; with --json it goes to standard error."
)]
pub struct RecordArgs {
    #[command(subcommand)]
    pub what: Option<RecordWhat>,
    #[command(flatten)]
    pub run: RecordRun,
}

/// `record …`.
#[derive(Debug, Subcommand)]
pub enum RecordWhat {
    /// Look through a cassette: secrets, age, what repeats itself, what nobody asked for
    Lint(RecordLint),
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RecordMode {
    /// Ask the services and write a cassette
    Record,
    /// Play the cassette
    Playback,
    /// Play the cassette if it is there, else record it; in CI never record
    Auto,
}

/// `record -- CMD`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RecordRun {
    /// Take the settings of this `[record.NAME]` of gonogo.toml; flags go before them
    #[arg(long = "name", value_name = "NAME", help_heading = "Selection")]
    pub recording: Option<String>,
    /// What to do; `auto` if nobody says
    #[arg(
        long,
        value_name = "MODE",
        value_enum,
        env = "GONOGO_RECORD_MODE",
        help_heading = "Selection"
    )]
    pub mode: Option<RecordMode>,
    /// The cassette, a file that ends in .json
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub cassette: Option<PathBuf>,
    /// A service and its base URL; the command gets GONOGO_RECORDED_<NAME> (can be repeated)
    #[arg(
        long,
        value_name = "NAME=URL",
        value_parser = upstream,
        help_heading = "Connection"
    )]
    pub upstream: Vec<(String, String)>,
    /// Stand in for all services, for a command that takes its proxy from the environment
    #[arg(long, help_heading = "Connection")]
    pub forward: bool,
    /// With --forward: also for services on this machine
    #[arg(long, requires = "forward", help_heading = "Connection")]
    pub loopback: bool,
    /// Confirm: a recording may replace the cassette that is there
    #[arg(long, help_heading = "Approval and safety")]
    pub yes: bool,
    /// Let exchanges be that nobody asked for: only a part of the tests runs
    #[arg(long, help_heading = "Approval and safety")]
    pub allow_unused: bool,
    /// How old the cassette may be, like 90d
    #[arg(long, value_name = "TIME", help_heading = "Approval and safety")]
    pub max_age: Option<Span>,
    /// Write the report as JSON to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
    /// Program and arguments
    #[arg(last = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

/// `record lint`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RecordLint {
    /// The cassette
    pub cassette: PathBuf,
    /// The report of a playback of this very cassette: tells what was not asked for
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub report: Option<PathBuf>,
    /// How old the cassette may be
    #[arg(
        long,
        value_name = "TIME",
        default_value = "90d",
        help_heading = "Selection"
    )]
    pub max_age: Span,
}

fn upstream(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => {
            Ok((name.to_owned(), url.to_owned()))
        }
        _ => Err("expected NAME=URL, like api=https://api.example.com".to_owned()),
    }
}
