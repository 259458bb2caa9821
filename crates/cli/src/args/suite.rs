//! `suite …`.

mod history;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

pub use history::{
    QuarantineWhat, SuiteClusters, SuiteFlakes, SuitePropose, SuiteQuarantine, Window,
};

/// `suite`.
#[derive(Debug, ClapArgs)]
pub struct SuiteArgs {
    #[command(subcommand)]
    pub what: SuiteWhat,
}

/// `suite …`.
#[derive(Debug, Subcommand)]
pub enum SuiteWhat {
    /// Run the suites of a profile, keep what they say, and judge it
    Run(SuiteRun),
    /// Read reports that another runner wrote, and judge them like a run
    Read(SuiteRead),
    /// Run again what was not good in a run
    Rerun(SuiteRerun),
    /// Show failures again, each in a clean tree of the run
    Replay(SuiteReplay),
    /// Compare a run with another, or with the last good one
    Diff(SuiteDiff),
    /// Write a report of a run for people or for another tool
    Report(SuiteReport),
    /// List profiles, or runs that have ended
    List(SuiteList),
    /// Show a run: what it came to, and what failed
    Show(SuiteShow),
    /// Say who owns files, and by which rule
    Owner(SuiteOwner),
    /// Say which tests are flaky: what failed and passed on one tree, over the recorded runs
    Flakes(SuiteFlakes),
    /// Put the failures of the recorded runs together by signature
    Clusters(SuiteClusters),
    /// Propose quarantines of flaky tests
    Quarantine(SuiteQuarantine),
    /// Cut a profile into shards, and write the plan that all of them run by
    Plan(SuitePlan),
    /// Put the runs of all shards together as one run, if they are the whole of their plan
    Merge(SuiteMerge),
}

/// `suite run`.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct SuiteRun {
    /// Profile: quick, focused, ci, full, or one of the file's own
    #[arg(
        long,
        value_name = "NAME",
        env = "GONOGO_PROFILE",
        help_heading = "Selection"
    )]
    pub profile: Option<String>,
    /// Run this suite instead of the profile's (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub suite: Vec<String>,
    /// Leave out suites of the class lint
    #[arg(long, help_heading = "Selection")]
    pub skip_lint: bool,
    /// Leave out suites of the classes unit and recorded
    #[arg(long, help_heading = "Selection")]
    pub skip_unit: bool,
    /// Leave out suites of the class e2e
    #[arg(long, help_heading = "Selection")]
    pub skip_e2e: bool,
    /// Run only this shard: an index from 0
    #[arg(
        long,
        value_name = "I",
        requires = "shards",
        help_heading = "Selection"
    )]
    pub shard_index: Option<u32>,
    /// Of so many shards
    #[arg(
        long,
        value_name = "N",
        group = "shards",
        requires = "shard_index",
        help_heading = "Selection"
    )]
    pub shard_total: Option<u32>,
    /// How the suites are cut
    #[arg(
        long,
        value_name = "HOW",
        value_enum,
        default_value_t,
        conflicts_with = "shard_plan",
        help_heading = "Selection"
    )]
    pub shard_by: ShardBy,
    /// Of the shards of this plan, as `gonogo suite plan` wrote it
    #[arg(
        long,
        value_name = "FILE",
        group = "shards",
        requires = "shard_index",
        help_heading = "Selection"
    )]
    pub shard_plan: Option<PathBuf>,
    /// Name of the part, for people
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub shard_name: Option<String>,
    /// Seed for what asks for one; drawn and kept if absent
    #[arg(long, value_name = "N", help_heading = "Selection")]
    pub seed: Option<u64>,
    /// Compare it with this run or branch; with the last good runs of the base if absent
    #[arg(long, value_name = "RUN|FILE|BRANCH", help_heading = "Selection")]
    pub diff_from: Option<String>,
    /// Stamp everything with this instead of the time
    #[arg(long, value_name = "ID", help_heading = "Output")]
    pub correlation_id: Option<String>,
    /// Keep the run in this new directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub artifacts: Option<PathBuf>,
}

/// Cuts that every machine makes alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ShardBy {
    /// Suite i of the sorted list goes to shard i modulo N
    #[default]
    Index,
    /// By a digest of the name: a suite that comes or goes moves no other
    Hash,
}

/// All cuts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum PlanBy {
    /// Suite i of the sorted list goes to shard i modulo N
    #[default]
    Index,
    /// By a digest of the name: a suite that comes or goes moves no other
    Hash,
    /// The longest first, each to the shard with the least so far; medians of the green runs on record
    Durations,
}

/// `suite plan`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "A suite is in one shard. Builds, and suites that others need, run in every shard that has use for them.\nCommands see GONOGO_SHARD_INDEX, GONOGO_SHARD_TOTAL and GONOGO_SHARD_PLAN (the plan's file) and may cut their own tests by them;\nthe part of such a suite that is to run in another shard is declared as a suite of its own."
)]
pub struct SuitePlan {
    /// How many shards
    #[arg(long, value_name = "N")]
    pub shards: u32,
    /// How the suites are cut
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub by: PlanBy,
    /// Profile: quick, focused, ci, full, or one of the file's own
    #[arg(
        long,
        value_name = "NAME",
        env = "GONOGO_PROFILE",
        help_heading = "Selection"
    )]
    pub profile: Option<String>,
    /// Cut these suites instead of the profile's (can be repeated)
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub suite: Vec<String>,
    /// Write the plan to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `suite merge`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteMerge {
    /// Run of each shard: a unique prefix of its id, or its directory
    #[arg(required = true, value_name = "RUN|DIR")]
    pub runs: Vec<String>,
    /// The plan that they must be the whole of; their own if absent
    #[arg(long, value_name = "FILE", help_heading = "Selection")]
    pub plan: Option<PathBuf>,
    /// Keep the merged run in this new directory
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
}

/// `suite list`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteList {
    /// List profiles and their suites instead of runs
    #[arg(long)]
    pub profiles: bool,
    /// How many runs
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Selection"
    )]
    pub limit: usize,
}

/// `suite owner`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "Looked at in this order: `[owners]` of gonogo.toml (the longest pattern decides), then CODEOWNERS (the last rule decides; the file\nof `[suite] owners`, or the first of .github/, the top, docs/, .gitlab/). Exit code 1 if one of the files has no owner, 3 if the rule that\nwould decide cannot be read."
)]
pub struct SuiteOwner {
    /// Files: they need not be there
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// `suite show`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteShow {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(default_value = "last")]
    pub run: String,
}

/// Formats of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// JUnit XML, any dialect
    Junit,
    /// What cargo test prints
    Libtest,
    /// libtest's JSON lines
    LibtestJson,
    /// go test -json
    Go,
    /// pytest's report log
    PytestLog,
    /// Jest's and Vitest's JSON
    Jest,
    /// Common Test Report Format
    Ctrf,
    /// Test Anything Protocol
    Tap,
    /// Visual Studio's TRX
    Trx,
}

/// `suite read`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteRead {
    /// Reports
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// What they are; told from their beginnings if absent
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Option<ReportFormat>,
    /// Exit code of the runner that wrote them; without it nobody knows whether it came to its end
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub exit_code: Option<i32>,
    /// Name of the target that they are of
    #[arg(long, value_name = "NAME", default_value = "reports")]
    pub target: String,
    /// Keep and record it as a run of the tree that is here
    #[arg(long, help_heading = "Output")]
    pub keep: bool,
    /// Stamp everything with this instead of the time
    #[arg(long, value_name = "ID", help_heading = "Output")]
    pub correlation_id: Option<String>,
}

/// `suite rerun`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteRerun {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(long, value_name = "RUN", default_value = "last")]
    pub from: String,
    /// Compare it with this run or branch instead of that run
    #[arg(long, value_name = "RUN|FILE|BRANCH")]
    pub diff_from: Option<String>,
}

/// How much a replay runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReplayLevel {
    /// The test alone
    Test,
    /// What contains it
    Suite,
    /// The whole target
    Target,
}

/// `suite replay`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteReplay {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(default_value = "last")]
    pub run: String,
    /// Only failures of this target
    #[arg(long, value_name = "NAME", help_heading = "Selection")]
    pub target: Option<String>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT", help_heading = "Selection")]
    pub test: Option<String>,
    /// How much is run; as little as can be if absent
    #[arg(long, value_name = "LEVEL", value_enum, help_heading = "Selection")]
    pub level: Option<ReplayLevel>,
    /// At most so many failures
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        help_heading = "Selection"
    )]
    pub limit: usize,
    /// Let the tree stay where it was replayed
    #[arg(long, help_heading = "Output")]
    pub keep_tree: bool,
    /// Print the commands and run nothing
    #[arg(long, help_heading = "Output")]
    pub print: bool,
}

/// `suite diff`.
#[derive(Debug, Clone, ClapArgs)]
#[command(
    after_help = "Without --against each target is held against its newest good run of the base, which is the newest commit in common with origin's main branch\n(or main, master, trunk where nothing was fetched); where nothing of it was run, against the first good run of the change on another tree.\nExit code 0 stable, 1 known failures only, 2 regressions, 3 nothing to compare with."
)]
pub struct SuiteDiff {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(default_value = "last")]
    pub run: String,
    /// Another run, or a branch: its last good run of each target
    #[arg(long, value_name = "RUN|FILE|BRANCH", help_heading = "Selection")]
    pub against: Option<String>,
}

/// Forms of a report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For this terminal
    #[default]
    Terminal,
    /// Markdown, as long as a step summary may be
    Markdown,
    /// Markdown, as long as a comment may be
    Comment,
    /// One HTML file that needs nothing else
    Html,
    /// Annotations of GitHub, as workflow commands
    Github,
    /// Code quality of GitLab
    GitlabQuality,
    /// Metrics of GitLab
    GitlabMetrics,
    /// JUnit XML
    Junit,
    /// Common Test Report Format
    Ctrf,
}

/// `suite report`.
#[derive(Debug, Clone, ClapArgs)]
pub struct SuiteReport {
    /// Run: `last`, a unique prefix of its id, or its directory
    #[arg(default_value = "last")]
    pub run: String,
    /// Which form
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        default_value_t,
        help_heading = "Output"
    )]
    pub form: ReportForm,
    /// Write it to this file
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub out: Option<PathBuf>,
}
