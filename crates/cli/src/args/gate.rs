//! `gate …`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use gonogo_core::Timestamp;

/// `gate`.
#[derive(Debug, ClapArgs)]
pub struct GateArgs {
    #[command(subcommand)]
    pub what: GateWhat,
}

/// `gate …`.
#[derive(Debug, Subcommand)]
pub enum GateWhat {
    /// Judge what is recorded of this tree by the policy, and record the verdict
    Check(GateCheck),
    /// Say yes to an excuse or a policy that a change brings itself, with your own key
    Approve(GateApprove),
    /// Explain one gate of a verdict: what was shown, why it is as it is, what to do
    Explain(GateExplain),
    /// Show which gates would change at another time: waivers and evidence end
    Simulate(GateSimulate),
    /// Judge kept inputs again, and compare with the kept verdict byte by byte
    Rejudge(GateRejudge),
    /// List waivers and quarantines: what holds, ends soon, has ended or cannot be used
    Excuses(GateExcuses),
    /// Try the policy on 35 kinds of poisoned evidence that must not pass
    Selftest(GateSelftest),
    /// Bundle a verdict with its evidence, each file with its digest; or verify such a bundle
    Bundle(GateBundle),
    /// Print the policy that holds where a project has none
    Policy,
}

/// Which question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Lane {
    /// Blocking gates only, up to the first that is not good
    Preflight,
    /// All gates
    #[default]
    Full,
    /// All gates, the audit of excuses, and whether it can be promoted
    Certification,
}

/// What is compared with what.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Compared {
    /// Which question
    #[arg(
        long,
        value_name = "LANE",
        value_enum,
        default_value_t,
        help_heading = "Selection"
    )]
    pub lane: Lane,
    /// Commit or branch that the change is for; the usual main branch if absent
    #[arg(
        long,
        value_name = "REF",
        env = "GONOGO_BASE",
        help_heading = "Selection"
    )]
    pub base: Option<String>,
    /// Commit or branch that has landed, to be compared with what was tested
    #[arg(long, value_name = "REF", help_heading = "Selection")]
    pub landed: Option<String>,
    /// Judge what is recorded, and run no command of a gate
    #[arg(long, help_heading = "Selection")]
    pub recorded_only: bool,
}

/// `gate check`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateCheck {
    #[command(flatten)]
    pub compared: Compared,
    /// Also write the report as Markdown to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub report: Option<PathBuf>,
}

/// `gate approve`.
#[derive(Debug, Clone, ClapArgs)]
#[group(skip)]
#[command(group(clap::ArgGroup::new("what").required(true).multiple(false)))]
pub struct GateApprove {
    /// The waiver of this gate
    #[arg(long, value_name = "GATE", group = "what")]
    pub waiver: Option<String>,
    /// The quarantine of this id
    #[arg(long, value_name = "ID", group = "what")]
    pub quarantine: Option<String>,
    /// The policy, as it is here
    #[arg(long, group = "what")]
    pub policy: bool,
    /// The suites and profiles, as they are declared here
    #[arg(long, group = "what")]
    pub suites: bool,
    /// Why
    #[arg(long, value_name = "TEXT", help_heading = "Approval and safety")]
    pub note: Option<String>,
    /// Commit or branch that the change is for; the usual main branch if absent
    #[arg(
        long,
        value_name = "REF",
        env = "GONOGO_BASE",
        help_heading = "Selection"
    )]
    pub base: Option<String>,
}

/// `gate explain`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateExplain {
    /// The gate's id
    pub gate: String,
    /// Verdict: a unique prefix of its id; the newest if absent
    #[arg(long, value_name = "ID", help_heading = "Selection")]
    pub verdict: Option<String>,
}

/// `gate simulate`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateSimulate {
    /// Another time, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// Suppose that this gate has no waiver (can be repeated)
    #[arg(long, value_name = "GATE")]
    pub without_waiver: Vec<String>,
    /// Suppose that nothing is in quarantine
    #[arg(long)]
    pub without_quarantine: bool,
    /// Suppose that this were the policy
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    #[command(flatten)]
    pub compared: Compared,
}

/// `gate selftest`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateSelftest {
    /// Which question
    #[arg(
        long,
        value_name = "LANE",
        value_enum,
        default_value_t,
        help_heading = "Selection"
    )]
    pub lane: Lane,
}

/// `gate rejudge`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateRejudge {
    /// Directory with `inputs.json` and `verdict.json`; that of the newest verdict if absent
    pub dir: Option<PathBuf>,
}

/// `gate excuses`.
#[derive(Debug, Clone, ClapArgs)]
pub struct GateExcuses {
    /// Commit or branch that the change is for; the usual main branch if absent
    #[arg(
        long,
        value_name = "REF",
        env = "GONOGO_BASE",
        help_heading = "Selection"
    )]
    pub base: Option<String>,
    /// Write waiver_audit.json, quarantine_report.json and quarantine_audit.jsonl into this directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `gate bundle`.
#[derive(Debug, Clone, ClapArgs)]
#[command(group = clap::ArgGroup::new("way").required(true).multiple(false).args(["out", "verify"]))]
pub struct GateBundle {
    /// Verdict: a unique prefix of its id; the newest if absent
    #[arg(value_name = "VERDICT", conflicts_with = "verify")]
    pub id: Option<String>,
    /// Where to: an archive if the name ends with `.tar`, otherwise a directory; it must not be there
    #[arg(long, value_name = "FILE.tar|DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Verify this bundle: what was changed, is missing or was added, and whether the verdict follows from it
    #[arg(long, value_name = "FILE.tar|DIR", help_heading = "Selection")]
    pub verify: Option<PathBuf>,
}
