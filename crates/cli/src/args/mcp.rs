//! `mcp`.

use clap::Args;

/// `mcp`.
#[derive(Debug, Args)]
pub struct McpArgs {
    /// Name under which the agent acts
    #[arg(
        long = "name",
        value_name = "NAME",
        help_heading = "Approval and safety"
    )]
    pub agent: Option<String>,
    /// The person that the agent acts for; you if absent
    #[arg(
        long = "for",
        value_name = "NAME",
        help_heading = "Approval and safety"
    )]
    pub acts_for: Option<String>,
    /// What it may do: viewer or operator; operator if absent
    #[arg(long, value_name = "ROLE", help_heading = "Approval and safety")]
    pub role: Option<String>,
    /// Let its tools change targets; without, they read and plan
    #[arg(long, help_heading = "Approval and safety")]
    pub allow_apply: bool,
}
