//! `suite flakes`, `suite clusters`, `suite quarantine`.

use clap::{Args as ClapArgs, Subcommand};
use gonogo_core::Span;

/// Which recorded runs are looked at.
#[derive(Debug, Clone, ClapArgs)]
pub struct Window {
    /// Only runs that ended so long ago at most, as 7d or 12h
    #[arg(long, value_name = "SPAN", help_heading = "Selection")]
    pub since: Option<Span>,
    /// Only the newest runs, so many
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1000,
        value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..),
        help_heading = "Selection"
    )]
    pub last: usize,
}

/// `suite flakes`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "A test is flaky if it failed and passed on one and the same tree, at least twice (two of each on one tree, or one of each on two),\non at least one per cent of its trees.\nThree failures in a row make it broken, which is no flake. Runs in which more than 80 % of the tests fail are left out and named.\nVerdicts count for 30 days, or for as long as --since says."
)]
pub struct SuiteFlakes {
    #[command(flatten)]
    pub window: Window,
    /// Only tests of this target
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub target: Option<String>,
}

/// `suite clusters`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "A cluster is one signature, exactly, and its id is the same in every project and at any time.\nWhat only looks alike is suggested and never joined."
)]
pub struct SuiteClusters {
    #[command(flatten)]
    pub window: Window,
    /// At most so many clusters, those with most failures
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Selection"
    )]
    pub limit: usize,
}

/// `suite quarantine`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteQuarantine {
    #[command(subcommand)]
    pub what: QuarantineWhat,
}

/// `suite quarantine …`.
#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineWhat {
    /// Print entries for quarantine.toml from what the recorded runs show
    Propose(SuitePropose),
}

/// `suite quarantine propose`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "Nothing is written and nothing is excused. What only a person can say is left empty, and the gate refuses an entry in which something is empty.\nAn entry counts once it is in the base of the change, or somebody else has signed it: gonogo gate approve --quarantine ID."
)]
pub struct SuitePropose {
    /// Only tests whose name contains this; all flaky ones if absent
    pub test: Option<String>,
    /// Only tests of this target
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub target: Option<String>,
    #[command(flatten)]
    pub window: Window,
}
