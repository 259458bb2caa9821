//! `perf …`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

/// `perf`.
#[derive(Debug, ClapArgs)]
pub struct PerfArgs {
    #[command(subcommand)]
    pub what: PerfWhat,
}

/// `perf …`.
#[derive(Debug, Subcommand)]
pub enum PerfWhat {
    /// Measure budgets: base and head in turn on this host, or head alone; judge and record them
    Run(PerfRun),
    /// Judge thresholds by series that somebody measured, and record what came of it
    Check(PerfCheck),
    /// Compare two recorded runs, or files of series, figure by figure
    Compare(PerfCompare),
    /// Show the recorded runs of a budget over commits, and where the figure's level changed
    History(PerfHistory),
    /// Put a declared load on, read memory and latency meanwhile; judge and record what it left
    Stress(PerfStress),
    /// Try declared values of parameters, and rank what would be worth making better
    Sweep(PerfSweep),
    /// Derive a kept run again, and compare byte by byte
    Rejudge(PerfRejudge),
}

/// `perf run`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfRun {
    /// Budgets; all that have a command if absent
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Commit or branch that the change is for; what each budget says, or the usual main branch, if absent
    #[arg(
        long,
        value_name = "REF",
        env = "GONOGO_BASE",
        help_heading = "Selection"
    )]
    pub base: Option<String>,
}

/// `perf check`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfCheck {
    /// Budgets; all that have a threshold if absent
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// File of series, gonogo.suite.perf-series.v1 (can be repeated); without any, no budget has data
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub series: Vec<PathBuf>,
    /// File of series that tolerances compare with (can be repeated)
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub baseline: Vec<PathBuf>,
}

/// `perf stress`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfStress {
    /// Load tests; all that are declared if absent
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Run this instead, by the limits of the named load test or the usual ones; it is evidence about no declaration
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
    /// What ties it to other runs; GONOGO_CORRELATION_ID if absent
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub correlation_id: Option<String>,
    /// Write the triage here too; for one load test
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `perf compare`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfCompare {
    /// Budgets or metrics; all that either side has if absent
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// What is there: a recorded run's id, a run's directory, or a file of series
    #[arg(long, value_name = "RUN|FILE", help_heading = "Selection")]
    pub base: String,
    /// What would replace it
    #[arg(long, value_name = "RUN|FILE", help_heading = "Selection")]
    pub head: String,
    /// Which way is better for metrics that no budget declares; without it they decide nothing
    #[arg(long, value_name = "WAY", value_parser = ["less", "more"], help_heading = "Selection")]
    pub better: Option<String>,
    /// Within which share figures count as alike; 10% if absent
    #[arg(long, value_name = "SHARE", help_heading = "Selection")]
    pub band: Option<gonogo_core::Share>,
    /// What ties it to other runs; GONOGO_CORRELATION_ID if absent
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub correlation_id: Option<String>,
    /// Write the comparison here too
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `perf history`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfHistory {
    /// The budget
    #[arg(id = "budget", value_name = "NAME")]
    pub name: String,
    /// The class of host whose figures count; the budget's, or that of this host, if absent
    #[arg(long, value_name = "CLASS", help_heading = "Selection")]
    pub host_class: Option<String>,
    /// Write the history here too
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `perf sweep`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfSweep {
    /// Sweeps and opportunities; all that are declared if absent
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// What ties it to other runs; GONOGO_CORRELATION_ID if absent
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub correlation_id: Option<String>,
    /// Write the study here too; for one
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `perf rejudge`.
#[derive(Debug, Clone, ClapArgs)]
pub struct PerfRejudge {
    /// Directory of the run
    pub dir: PathBuf,
}
