//! `suite …`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `suite`.
#[derive(Debug, ClapArgs)]
pub struct SuiteArgs {
    #[command(subcommand)]
    pub what: SuiteWhat,
}

/// `suite …`.
#[derive(Debug, Subcommand)]
pub enum SuiteWhat {
    /// Run the suites of a profile, keep what they say, and judge it
    Run(SuiteRun),
    /// List profiles, or runs that have ended
    List(SuiteList),
    /// Show a run: what it came to, and what failed
    Show(SuiteShow),
}

/// `suite run`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct SuiteRun {
    /// Profile: quick, focused, ci, full, or one of the file's own
    #[arg(
        long,
        value_name = "NAME",
        env = "GONOGO_PROFILE",
        help_heading = "Selection"
    )]
    pub profile: Option<String>,
    /// Run this suite instead of the profile's (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub suite: Vec<String>,
    /// Leave out suites of the class lint
    #[arg(long, help_heading = "Selection")]
    pub skip_lint: bool,
    /// Leave out suites of the classes unit and recorded
    #[arg(long, help_heading = "Selection")]
    pub skip_unit: bool,
    /// Leave out suites of the class e2e
    #[arg(long, help_heading = "Selection")]
    pub skip_e2e: bool,
    /// Run only this part: an index from 0
    #[arg(
        long,
        value_name = "I",
        requires = "shard_total",
        help_heading = "Selection"
    )]
    pub shard_index: Option<u32>,
    /// Of so many parts
    #[arg(
        long,
        value_name = "N",
        requires = "shard_index",
        help_heading = "Selection"
    )]
    pub shard_total: Option<u32>,
    /// Name of the part, for people
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub shard_name: Option<String>,
    /// Seed for what asks for one; drawn and kept if absent
    #[arg(long, value_name = "N", help_heading = "Selection")]
    pub seed: Option<u64>,
    /// Stamp everything with this instead of the time
    #[arg(long, value_name = "ID", help_heading = "Output")]
    pub correlation_id: Option<String>,
    /// Keep the run in this new directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub artifacts: Option<PathBuf>,
}

/// `suite list`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteList {
    /// List profiles and their suites instead of runs
    #[arg(long)]
    pub profiles: bool,
    /// How many runs
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Selection"
    )]
    pub limit: usize,
}

/// `suite show`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteShow {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(default_value = "last")]
    pub run: String,
}
