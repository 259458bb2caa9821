//! Which tests are flaky: they failed and passed on one tree, more than once.
//!
//! From rows of history (a test, a tree, a run, a verdict) to a [`FlakeStat`] a test and variant, to budgets, and to proposals of quarantine
//! that a person signs. Invariants: only one and the same tree proves a flake; what failed together with nearly everything else, or three
//! times and more in a row, is no flake; what is left out is counted; no figure is ever NaN; nothing here excuses a failure.
//!
//! Sources: at least two mixed verdicts and one per cent (LUCI Analysis); runs with more than 80 % failing are left out (Trunk Flaky Tests);
//! flips without runs of three fails (TestGrid); the prior Beta(0.3, 0.5) of the fail rate (LUCI's change points).

mod budget;
mod gathered;
mod pattern;
mod propose;
mod stat;

use std::collections::BTreeMap;

use gonogo_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::{Signature, TestId, TestVerdict};

pub use budget::{Budget, Budgets, Counting, budgets};
pub use gathered::{Gathered, RunMark, Said};
pub use pattern::Pattern;
pub use propose::{Draft, Proposal, ProposalError, Request, draft, propose};
pub use stat::{FlakeFailure, FlakeStat, LeftOut, State, stat};

/// One verdict on one test in one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The test.
    pub test: TestId,
    /// The variant that ran: system, toolchain, features.
    #[serde(default)]
    pub variant: String,
    /// The tree's hash; empty if it is not known, and then it is like no other.
    #[serde(default)]
    pub tree: String,
    /// The run.
    pub run: String,
    /// [`TestVerdict::Flaky`] is a pass after a failure within the run.
    pub verdict: TestVerdict,
    /// When the run began.
    pub at: Timestamp,
    /// Of the worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// Of the worst failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Whether it was one of many repeats made to find out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stress: bool,
}

/// The numbers behind the words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Rows older than this do not count.
    pub window: Span,
    /// From how many failures, each beside a pass of its own on the same tree, a test is flaky: two of each on one tree, one of each on two trees, or
    /// two runs that passed only when they tried again.
    pub mixed: u64,
    /// Share of its trees that are mixed from which a test is flaky.
    pub share: f64,
    /// A run in which a larger share of the tests fails is left out,
    pub storm_share: f64,
    /// if it has at least that many tests; a run of one test says nothing of the others.
    pub storm_tests: u64,
    /// Fails in a row that make a test broken.
    pub broken: u64,
    /// Passes in a row after which a flaky test has recovered.
    pub recover_passes: u64,
    /// Quiet time after which it has recovered too,
    pub recover_after: Span,
    /// if that many stress repeats passed since.
    pub recover_stress: u64,
    /// Mixed verdicts of a target that its budget allows in the window.
    pub target_budget: u64,
    /// Share of flaky tests that must not be reached.
    pub global_budget: f64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            window: Span::from_secs(30 * 86_400),
            mixed: 2,
            share: 0.01,
            storm_share: 0.8,
            storm_tests: 5,
            broken: 3,
            recover_passes: 100,
            recover_after: Span::from_secs(7 * 86_400),
            recover_stress: 20,
            target_budget: 3,
            global_budget: 0.05,
        }
    }
}

/// Why a test flakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// It waits for a time and not for an event.
    #[serde(rename = "FLAKE-TIMING")]
    Timing,
    /// It hangs on what the machine has: files, permissions, tools.
    #[serde(rename = "FLAKE-ENV")]
    Env,
    /// The network.
    #[serde(rename = "FLAKE-NET")]
    Net,
    /// Memory, disk, processes.
    #[serde(rename = "FLAKE-RES")]
    Res,
    /// Something outside answers differently.
    #[serde(rename = "FLAKE-EXT")]
    Ext,
    /// Its own order or state, or nobody knows.
    #[serde(rename = "FLAKE-LOGIC")]
    Logic,
}

impl Class {
    /// The word in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Timing => "FLAKE-TIMING",
            Self::Env => "FLAKE-ENV",
            Self::Net => "FLAKE-NET",
            Self::Res => "FLAKE-RES",
            Self::Ext => "FLAKE-EXT",
            Self::Logic => "FLAKE-LOGIC",
        }
    }

    /// The class that a cause points to.
    pub const fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Timeout => Self::Timing,
            Cause::NetworkIo => Self::Net,
            Cause::OutOfMemory | Cause::DiskFull | Cause::Signal => Self::Res,
            Cause::RecordingMismatch => Self::Ext,
            Cause::PermissionDenied
            | Cause::MissingFile
            | Cause::CompileError
            | Cause::LintFailure => Self::Env,
            Cause::AssertionFailure | Cause::Panic | Cause::Unclassified | Cause::Own(_) => {
                Self::Logic
            }
        }
    }

    /// The longest that a quarantine of this class may last.
    pub const fn longest(self) -> Span {
        match self {
            Self::Timing | Self::Env | Self::Logic => Span::from_secs(7 * 86_400),
            Self::Net | Self::Res | Self::Ext => Span::from_secs(14 * 86_400),
        }
    }
}

/// How much of each run failed: the first of two passes over a history. It keeps two numbers a run.
#[derive(Debug, Clone, Default)]
pub struct Loads(BTreeMap<String, (u64, u64)>);

impl Loads {
    /// Counts a row.
    pub fn add(&mut self, row: &Row) {
        if let Some(failed) = weighs(row.verdict) {
            self.note(&row.run, failed, 1);
        }
    }

    /// Counts tests of a run: so many failed, of so many that say something.
    pub fn note(&mut self, run: &str, failed: u64, all: u64) {
        let load = self.0.entry(run.to_owned()).or_default();
        load.0 += failed;
        load.1 += all;
    }

    /// Whether nearly everything failed in a run, so that it says nothing of any one test.
    pub fn is_storm(&self, run: &str, rules: &Rules) -> bool {
        let (failed, all) = self.0.get(run).copied().unwrap_or_default();
        // A share that is no number leaves nothing out.
        all >= rules.storm_tests.max(1) && failed as f64 / all as f64 > rules.storm_share
    }
}

/// What a verdict adds to the failures of its run; nothing where it says nothing of the run.
const fn weighs(verdict: TestVerdict) -> Option<u64> {
    match verdict {
        TestVerdict::Failed | TestVerdict::Errored | TestVerdict::Precluded => Some(1),
        TestVerdict::Passed | TestVerdict::Flaky | TestVerdict::UnexpectedPass => Some(0),
        TestVerdict::Skipped | TestVerdict::Missing => None,
    }
}

/// All of a history at once: the statistics of every test and variant, sorted by both. `now` ends the window.
pub fn stats(rows: &[Row], now: Timestamp, rules: &Rules) -> Vec<FlakeStat> {
    let mut loads = Loads::default();
    let mut by_test: BTreeMap<(&TestId, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        loads.add(row);
        by_test
            .entry((&row.test, row.variant.as_str()))
            .or_default()
            .push(row);
    }
    by_test
        .into_values()
        .filter_map(|rows| stat(&rows, &loads, now, rules))
        .collect()
}
