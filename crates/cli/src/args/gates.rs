//! `gates`, `slo`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `gates`.
#[derive(Debug, Args)]
pub struct GatesArgs {
    #[command(subcommand)]
    pub what: GatesWhat,
}

/// `gates …`.
#[derive(Debug, Subcommand)]
pub enum GatesWhat {
    /// Write a release-gates.toml to begin with
    Init,
    /// Show each gate: owner, status, evidence, age, and the decision
    Dashboard {
        /// Print it as Markdown
        #[arg(long, conflicts_with = "json", help_heading = "Output")]
        markdown: bool,
        /// Write it to this file as well, as Markdown
        #[arg(long, value_name = "FILE", help_heading = "Output")]
        out: Option<PathBuf>,
    },
    /// Fail unless every gate that is due passes (exit 1: excused, 2: no-go, 3: undecided)
    Check,
    /// Say, signed with your key, that you looked at what a gate shows now
    SignOff {
        /// The gate's name
        gate: String,
        /// What you looked at
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

/// `slo`.
#[derive(Debug, Args)]
pub struct SloArgs {
    #[command(subcommand)]
    pub what: SloWhat,
}

/// `slo …`.
#[derive(Debug, Subcommand)]
pub enum SloWhat {
    /// Compare what was measured with what is promised (exit 2: missed, 3: too little was measured)
    Report {
        /// How far to look back, like 6h; as gonogo.toml says if absent
        #[arg(
            long,
            visible_alias = "window",
            value_name = "TIME",
            help_heading = "Selection"
        )]
        since: Option<String>,
        /// Also keep it in the ledger, as evidence for the board of gates
        #[arg(long, help_heading = "Approval and safety")]
        record: bool,
    },
}
