//! `user`, `whoami`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `user`.
#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    pub what: UserWhat,
}

/// Where a password comes from. Never an argument: those are for everybody to see.
#[derive(Debug, Args)]
pub struct NewPassword {
    /// Read the password from this file, or from standard input with `-`, instead of asking for it
    #[arg(long, value_name = "FILE", help_heading = "Approval and safety")]
    pub password_file: Option<PathBuf>,
}

/// `user …`.
#[derive(Debug, Subcommand)]
pub enum UserWhat {
    /// Make a user who logs in with a password
    Add {
        /// Name, as records carry it
        #[arg(value_name = "NAME")]
        user: String,
        /// What the user may do: viewer, operator, approver or admin (can be repeated)
        #[arg(long, value_name = "ROLE", help_heading = "Approval and safety")]
        role: Vec<String>,
        #[command(flatten)]
        password: NewPassword,
    },
    /// List users
    List,
    /// Give a user another password, and end the user's sessions
    Passwd {
        /// Name
        #[arg(value_name = "NAME")]
        user: String,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Let a user in no more, and end the user's sessions
    Disable {
        /// Name
        #[arg(value_name = "NAME")]
        user: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Let a user in again
    Enable {
        /// Name
        #[arg(value_name = "NAME")]
        user: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
    /// Remove a user, and end the user's sessions; what the user did stays in the ledger
    Remove {
        /// Name
        #[arg(value_name = "NAME")]
        user: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
        /// Confirm: only a new password brings the user back
        #[arg(long, help_heading = "Approval and safety")]
        yes: bool,
    },
}
