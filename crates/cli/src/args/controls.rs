//! `freeze`, `unfreeze`, `pin`, `unpin`, `known-good`.

use clap::{Args, Subcommand};
use gonogo_core::{Span, Timestamp};

/// `freeze`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct FreezeArgs {
    #[command(subcommand)]
    pub what: Option<FreezeWhat>,
    /// Only this environment (can be repeated); all of them if absent
    #[arg(long, value_name = "ENV", help_heading = "Selection")]
    pub env: Vec<String>,
    /// Why; whoever is refused reads it
    #[arg(
        long,
        value_name = "TEXT",
        required = true,
        help_heading = "Approval and safety"
    )]
    pub why: Option<String>,
    /// Until this time, like 2026-01-31T12:00:00Z; until somebody ends it if absent
    #[arg(long, value_name = "TIME", help_heading = "Approval and safety")]
    pub until: Option<Timestamp>,
    /// For so long, like 8h
    #[arg(
        long = "for",
        value_name = "TIME",
        conflicts_with = "until",
        help_heading = "Approval and safety"
    )]
    pub lasts: Option<Span>,
}

/// `freeze …`.
#[derive(Debug, Subcommand)]
pub enum FreezeWhat {
    /// List freezes: those that hold, windows of gonogo.toml, and those that are over
    List {
        /// Only this environment
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
    },
}

/// `unfreeze`.
#[derive(Debug, Args)]
pub struct UnfreezeArgs {
    /// Freeze; a unique prefix of its id
    pub freeze: String,
    /// Why
    #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
    pub why: String,
    /// Judge the gates for this version instead of the newest known-good one
    #[arg(long, value_name = "VERSION", help_heading = "Selection")]
    pub to: Option<String>,
}

/// `pin`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct PinArgs {
    #[command(subcommand)]
    pub what: Option<PinWhat>,
    /// Version: its tag, its sha256: digest or that of one of its files, or its full commit; never a branch
    #[arg(required = true)]
    pub to: Option<String>,
    /// Environment; the only one of the configuration if absent
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// Why; whoever is refused reads it
    #[arg(
        long,
        value_name = "TEXT",
        required = true,
        help_heading = "Approval and safety"
    )]
    pub why: Option<String>,
}

/// `pin …`.
#[derive(Debug, Subcommand)]
pub enum PinWhat {
    /// List pins
    List {
        /// Only this environment
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
    },
}

/// `unpin`.
#[derive(Debug, Args)]
pub struct UnpinArgs {
    /// Environment; the only one of the configuration if absent
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
    pub why: String,
}

/// `known-good`.
#[derive(Debug, Args)]
pub struct KnownGoodArgs {
    #[command(subcommand)]
    pub what: KnownGoodWhat,
}

/// `known-good …`.
#[derive(Debug, Subcommand)]
pub enum KnownGoodWhat {
    /// List known-good versions with their evidence, newest first
    List {
        /// Environment; the only one of the configuration if absent
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
    },
    /// Say that a version which ran here is good to go back to
    Promote {
        /// Version
        #[arg(value_name = "VERSION")]
        wanted: String,
        /// Environment; the only one of the configuration if absent
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
        /// Why; needed for a version that was taken back
        #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
        why: Option<String>,
    },
}

/// `rollback-posture`.
#[derive(Debug, Args)]
pub struct PostureArgs {
    /// Environment; the only one of the configuration if absent
    #[arg(
        long,
        value_name = "ENV",
        env = "GONOGO_ENV",
        help_heading = "Selection"
    )]
    pub env: Option<String>,
    /// Known-good version to hold to; the pinned one, or the one that a rollback goes to, if absent
    #[arg(long, value_name = "VERSION", help_heading = "Selection")]
    pub to: Option<String>,
    /// Why
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "rollback posture asked for",
        hide_default_value = true,
        help_heading = "Approval and safety"
    )]
    pub why: String,
    /// Open the environment again, once everything before is proven and the gates pass
    #[arg(long, help_heading = "Approval and safety")]
    pub reopen: bool,
    /// Show what the last run proved, and try nothing
    #[arg(long, conflicts_with_all = ["reopen", "to"], help_heading = "Output")]
    pub show: bool,
}
