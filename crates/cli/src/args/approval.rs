//! `approval`, `break-glass` and `incident`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use gonogo_core::Timestamp;

use super::Approve;

/// `approval`.
#[derive(Debug, Args)]
pub struct ApprovalArgs {
    #[command(subcommand)]
    pub what: ApprovalWhat,
}

/// `approval …`.
#[derive(Debug, Subcommand)]
pub enum ApprovalWhat {
    /// Ask people, or everybody in a role, to decide about a plan
    Request {
        /// Plan; a unique prefix of its id
        plan: String,
        /// Ask this person (can be repeated); everybody who may decide if nobody is named
        #[arg(long = "of", value_name = "NAME")]
        people: Vec<String>,
        /// Ask everybody in this role (can be repeated)
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<String>,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        /// Until when it matters, as RFC 3339; a day from now if absent
        #[arg(long, value_name = "TIME")]
        until: Option<Timestamp>,
    },
    /// List plans that wait for a decision, newest first
    List {
        /// Only those that wait for you
        #[arg(long, help_heading = "Selection", conflicts_with = "all")]
        mine: bool,
        /// Also those that were decided
        #[arg(long, help_heading = "Selection")]
        all: bool,
        /// Only this environment
        #[arg(
            long,
            value_name = "ENV",
            env = "GONOGO_ENV",
            help_heading = "Selection"
        )]
        env: Option<String>,
    },
    /// Show what is to be decided: effects, changes, gates, who may and who has
    Show {
        /// Plan; a unique prefix of its id
        plan: String,
    },
    /// Approve exactly the plan that is stored now
    Approve(Approve),
    /// Reject a plan; only your own later approval takes that back
    Reject(Approve),
    /// Bring an approval that was signed on another machine
    Submit {
        /// What `gonogo approve PLAN --out FILE` wrote
        file: PathBuf,
    },
    /// Take an approval back before it is used
    Revoke {
        /// Approval; a unique prefix of its id
        approval: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Take back what somebody else gave, as an admin; recorded as that
        #[arg(long, help_heading = "Approval and safety")]
        as_admin: bool,
    },
    /// Let somebody else speak for you
    Delegate {
        /// To whom
        to: String,
        /// Their key's id; the one that gonogo.toml lists for them if absent
        #[arg(long, value_name = "KEY")]
        to_key: Option<String>,
        /// Where (can be repeated)
        #[arg(
            long = "environments",
            value_name = "ENV",
            value_delimiter = ',',
            required = true
        )]
        environments: Vec<String>,
        /// Until when, as RFC 3339
        #[arg(long, value_name = "TIME")]
        until: Timestamp,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// List who may speak for whom
    Delegations,
    /// End a delegation, and take back what was given under it and not used
    Undelegate {
        /// Delegation; its whole id
        delegation: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// End what somebody else gave, as an admin; recorded as that
        #[arg(long, help_heading = "Approval and safety")]
        as_admin: bool,
    },
}

/// `break-glass`.
#[derive(Debug, Args)]
pub struct BreakGlassArgs {
    /// Plan; a unique prefix of its id
    pub plan: String,
    /// Policy in `[break_glass]` of gonogo.toml
    #[arg(long, value_name = "NAME", help_heading = "Approval and safety")]
    pub policy: String,
    /// Why it cannot wait for approvals
    #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
    pub reason: String,
}

/// `incident`.
#[derive(Debug, Args)]
pub struct IncidentArgs {
    #[command(subcommand)]
    pub what: IncidentWhat,
}

/// `incident …`.
#[derive(Debug, Subcommand)]
pub enum IncidentWhat {
    /// List incidents that nobody has reviewed
    List {
        /// Also those that are closed
        #[arg(long, help_heading = "Selection")]
        closed: bool,
    },
    /// Show an incident
    Show {
        /// Incident; a unique prefix of its id
        incident: String,
    },
    /// Close an incident that somebody else opened
    Close {
        /// Incident; a unique prefix of its id
        incident: String,
        /// What the review found
        #[arg(long, value_name = "TEXT")]
        review: String,
    },
}
