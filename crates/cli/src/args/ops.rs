//! `ops`.

use clap::{Args, Subcommand, ValueEnum};

use super::Waiting;

/// `ops`.
#[derive(Debug, Args)]
pub struct OpsArgs {
    #[command(subcommand)]
    pub what: OpsWhat,
}

/// How an operation stands.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Stands {
    Running,
    Succeeded,
    Failed,
    Cancelled,
    TimedOut,
}

/// `ops …`.
#[derive(Debug, Subcommand)]
pub enum OpsWhat {
    /// List operations, newest first
    List {
        /// Only this environment
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
        /// Only those that stand so
        #[arg(long, value_name = "STATUS", help_heading = "Selection")]
        status: Option<Stands>,
        /// At most this many
        #[arg(
            long,
            value_name = "N",
            default_value_t = 20,
            value_parser = clap::value_parser!(u32).range(1..),
            help_heading = "Selection"
        )]
        limit: u32,
        /// Go on behind this operation, the last one of the page before
        #[arg(long, value_name = "OPERATION", help_heading = "Selection")]
        after: Option<String>,
    },
    /// Show an operation: where it stands, what became of each effect, what to do next
    Show {
        /// Operation; a unique prefix of its id
        operation: String,
    },
    /// Ask a running operation to end and to be undone
    Cancel {
        /// Operation; a unique prefix of its id
        operation: String,
        /// Why
        #[arg(
            long,
            value_name = "TEXT",
            default_value = "no reason given",
            hide_default_value = true
        )]
        why: String,
        /// Confirm: what the operation did is undone
        #[arg(long, help_heading = "Approval and safety")]
        yes: bool,
        #[command(flatten)]
        waiting: Waiting,
    },
    /// Start a controller for a running operation that nobody drives
    Resume {
        /// Operation; a unique prefix of its id
        operation: String,
    },
    /// Say what to do about one operation, or list those that need a look, the oldest open effect first
    Triage {
        /// Operation; a unique prefix of its id
        operation: Option<String>,
        /// Only this environment
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            conflicts_with = "operation",
            help_heading = "Selection"
        )]
        env: Option<String>,
    },
}
