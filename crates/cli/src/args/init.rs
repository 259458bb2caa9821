//! `init`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// `init`.
#[derive(Debug, Clone, ClapArgs)]
pub struct InitArgs {
    /// Propose suites and profiles for what is found: Cargo, Go, Python, npm, make, just
    #[arg(long, help_heading = "Selection")]
    pub suites: bool,
    /// The repository; this directory if absent
    #[arg(long, value_name = "DIR", help_heading = "Selection")]
    pub dir: Option<PathBuf>,
    /// Write it: a new gonogo.toml, or the end of one that has no suites; and .gonogo/ into .gitignore
    #[arg(long, requires = "suites", help_heading = "Approval and safety")]
    pub write: bool,
}
