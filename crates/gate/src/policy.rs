//! What must hold: `gates.toml`, read strictly.
//!
//! A policy is a file of its own, so that its digest is that of the rules and of nothing else. Without one the built-in policy holds,
//! which is such a file too ([`DEFAULT`]). Three gates are always there and cannot be taken away or excused: [`POLICY`], [`WAIVERS`] and
//! [`QUARANTINES`]. Invariants: an unknown key or word is a fault; a policy with a fault is no policy; no default opens a gate.

mod check;
mod computed;
mod read;
mod read_bundle;
mod read_check;
mod read_computed;

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

pub use check::{
    Age, Baseline, Budgets, Check, Floor, Floors, Op, Operand, Place, Rule, SuiteCheck, Trees,
};
pub(crate) use check::{matching, number};
pub use computed::{Computed, PlatformCheck, RubricCheck};
pub use read_bundle::COMPUTED;

use crate::bundle::Contents;
use crate::strict::Fault;

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.policy.v1";

/// The policy that holds where there is none.
pub const DEFAULT: &str = include_str!("policy/default.toml");

/// The gate of the policy itself, its lane, its mode, and of what is judged.
pub const POLICY: &str = "policy";

/// The gate of the waivers themselves.
pub const WAIVERS: &str = "waiver_lifecycle";

/// The gate of the quarantines themselves.
pub const QUARANTINES: &str = "quarantine_lifecycle";

/// The gates that are always there.
pub const BUILT_IN: [&str; 3] = [POLICY, WAIVERS, QUARANTINES];

/// Which question is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Blocking gates only, up to the first that is not good.
    Preflight,
    /// All gates.
    Full,
    /// All gates, the audit of excuses, and whether it can be promoted.
    Certification,
}

impl Lane {
    /// All.
    pub const ALL: [Self; 3] = [Self::Preflight, Self::Full, Self::Certification];

    /// The word in files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Full => "full",
            Self::Certification => "certification",
        }
    }

    /// The lane that has this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.word() == word)
    }
}

/// How bad it is if a gate is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A remark.
    Low,
    /// To be mended some day.
    Medium,
    /// To be mended soon.
    High,
    /// To be mended now.
    Critical,
}

/// Ages and budgets that a gate need not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Oldest evidence.
    pub max_age: Span,
    /// How far a time may lie ahead.
    pub clock_skew: Span,
    /// Longest waiver; at most 30 days.
    pub waiver_max: Span,
    /// When a waiver is told to end soon.
    pub waiver_soon: Span,
    /// Longest quarantine; at most 30 days.
    pub quarantine_max: Span,
    /// When a quarantine is told to end soon.
    pub quarantine_soon: Span,
    /// An entry that matched nothing for so long is told.
    pub quarantine_idle: Span,
    /// Most quarantines of one target.
    pub quarantine_per_target: u64,
    /// Most flaky tests of one target, excused ones included.
    pub flaky_per_target: u64,
    /// Most per cent of a gate's tests that may be flaky, excused ones included, where they are more than a target's budget.
    pub flaky_percent: u64,
    /// A green run in less than this per cent of the median is too fast.
    pub too_fast_percent: u64,
    /// So many recorded green runs make a median.
    pub too_fast_runs: u64,
    /// Whether an excused verdict ends a command with 0; otherwise it is a hold.
    pub excused_passes: bool,
}

/// Whether the rules hold, or for a short time do not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// They do.
    Strict,
    /// What fails is excused, and said, until it expires.
    Rollback {
        /// Why.
        rationale: String,
        /// Since when.
        since: Timestamp,
        /// Until when; enforced.
        expires: Timestamp,
        /// The version of the thresholds that it goes back to.
        thresholds: String,
    },
}

/// One gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// Its id.
    pub id: String,
    /// What it is about, for people.
    pub title: String,
    /// Who answers for it.
    pub owner: String,
    /// Whether the verdict hangs on it.
    pub blocking: bool,
    /// In which lanes it is asked.
    pub lanes: Vec<Lane>,
    /// How bad it is.
    pub severity: Severity,
    /// What must hold.
    pub check: Check,
    /// What shows the same again.
    pub reproduce: Vec<String>,
    /// What to do.
    pub remediation: String,
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// What gates need not say.
    pub defaults: Defaults,
    /// Strict or not.
    pub mode: Mode,
    /// Other names of people, by the name that stands for all of them.
    pub aliases: BTreeMap<String, Vec<String>>,
    /// The ids of the keys of those who may approve what a change brings, by name; absent if whoever is somebody else may.
    pub approvers: Option<BTreeMap<String, BTreeSet<String>>>,
    /// What the evidence bundle has; absent if none is declared.
    pub bundle: Option<Contents>,
    /// The gates, in the file's order.
    pub gates: Vec<Gate>,
}

/// The path that a word of a command may be: a script that a gate runs is a rule like any other.
pub fn file_of(word: &str) -> &str {
    word.strip_prefix("./").unwrap_or(word)
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// Every fault of the file.
    pub fn read(text: &str) -> Result<Self, Vec<Fault>> {
        read::policy(text)
    }

    /// The gate that has this id.
    pub fn gate(&self, id: &str) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.id == id)
    }
}
