//! `runbook …`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `runbook`.
#[derive(Debug, ClapArgs)]
pub struct RunbookArgs {
    #[command(subcommand)]
    pub what: RunbookWhat,
}

/// `runbook …`.
#[derive(Debug, Subcommand)]
pub enum RunbookWhat {
    /// List the failures that are known here
    List,
    /// Show what is known of a failure
    Show(RunbookShow),
    /// Find which known failures a log shows, with the line (exit 0: some, 1: none, 3: not all could be read)
    Match(RunbookMatch),
    /// Prove that the files and commands that the runbook names exist
    Lint,
}

/// `runbook show`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RunbookShow {
    /// The entry's id
    pub id: String,
}

/// `runbook match`.
#[derive(Debug, Clone, ClapArgs)]
pub struct RunbookMatch {
    /// The log, of any size; `-` is standard input
    #[arg(value_name = "FILE|-")]
    pub log: PathBuf,
}
