//! `serve`, `token`, `call`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use gonogo_core::Span;

/// `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:8627",
        help_heading = "Connection"
    )]
    pub listen: SocketAddr,
    /// Let everybody who reaches it act as you; only on loopback
    #[arg(long, help_heading = "Approval and safety")]
    pub dev: bool,
    /// Let its doors change targets; without, they read and plan
    #[arg(long, help_heading = "Approval and safety")]
    pub allow_apply: bool,
    /// Also tell metrics at this address, to everybody who reaches it
    #[arg(long, value_name = "ADDR", help_heading = "Connection")]
    pub metrics_listen: Option<SocketAddr>,
    /// Another name under which it may be asked for, like gonogo.example.org (can be repeated)
    #[arg(long, value_name = "HOST", help_heading = "Connection")]
    pub host: Vec<String>,
}

/// `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    #[command(subcommand)]
    pub what: TokenWhat,
}

/// `token …`.
#[derive(Debug, Subcommand)]
pub enum TokenWhat {
    /// Make a token and show it, once
    Create {
        /// In whose name it acts
        // `name` is what `--as` is known by: under one id, one would take the other's place.
        #[arg(id = "holder", long = "name", value_name = "NAME")]
        name: String,
        /// A program holds it, and acts for this person
        #[arg(long, value_name = "NAME", help_heading = "Approval and safety")]
        agent_for: Option<String>,
        /// What it may do: viewer, operator, approver or admin (can be repeated)
        #[arg(long, value_name = "ROLE", help_heading = "Approval and safety")]
        role: Vec<String>,
        /// One scope more, like plan:create (can be repeated)
        #[arg(long, value_name = "SCOPE", help_heading = "Approval and safety")]
        scope: Vec<String>,
        /// How long it lives
        #[arg(
            long,
            value_name = "TIME",
            default_value = "30d",
            help_heading = "Approval and safety"
        )]
        lives: Span,
        /// Write it to this file, for you alone, instead of showing it
        #[arg(long, value_name = "FILE", help_heading = "Output")]
        out: Option<PathBuf>,
    },
    /// List tokens, without their secrets
    List,
    /// Take a token back, for good
    Revoke {
        /// The token's id
        token: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        why: String,
    },
}

/// `call`.
#[derive(Debug, Args)]
pub struct CallArgs {
    /// Use case, like plan_change
    #[arg(required_unless_present = "list")]
    pub tool: Option<String>,
    /// Its input as JSON; `-` reads it from standard input
    #[arg(value_name = "JSON", default_value = "{}")]
    pub input: String,
    /// Print the schemas of input and answer instead
    #[arg(long, help_heading = "Output")]
    pub schema: bool,
    /// List the use cases instead
    #[arg(long, help_heading = "Output")]
    pub list: bool,
}
