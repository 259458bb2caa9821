//! A run as a whole: `summary.json`.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Exit, Reason, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::judge;
use super::{End, Kind, Problem, Quarantined, TargetResult, Tests};
use crate::contract;

/// The schema.
pub const SUMMARY: &str = "gonogo.suite.summary.v1";

/// What a run was of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The tree, as it was before anything ran: `git:` and the id of the tree object that the files make, what is not committed
    /// included; or `files:` and a digest over them where there is no repository.
    pub tree: String,
    /// The tree behind the run; absent if the run did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree_after: Option<String>,
    /// The commit that was checked out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Whether the tree is another than the commit's.
    #[serde(default)]
    pub dirty: bool,
}

/// Which part of a run it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// `unit`, `suite`, `both`.
    pub kind: String,
    /// For people.
    pub name: String,
    /// From 0.
    pub index: u32,
    /// How many.
    pub total: u32,
    /// Of the plan that says which target or test belongs to which shard.
    pub plan: String,
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Everything that was selected was tried.
    Complete,
    /// Somebody ended it.
    Cancelled,
    /// The runner itself was ended.
    Crashed,
    /// A phase failed so that others were not tried.
    Partial,
}

/// How the runner ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// As the summary's.
    pub status: Verdict,
    /// The exit code that the runner gave.
    pub exit_code: u8,
    /// Phases in which something was not good.
    pub failed_phases: Vec<String>,
    /// Whether the tree behind the run was that before it.
    pub source_snapshot_verified: bool,
}

/// A run. The names of the first half are those of older summaries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// [`SUMMARY`].
    pub schema: String,
    /// When it ended.
    pub timestamp: Timestamp,
    /// Which profile.
    pub profile: String,
    /// The run whose failures it ran again.
    pub rerun_from: Option<String>,
    /// The summary that it was compared with.
    pub diff_from: Option<String>,
    /// Its directory, relative to the project.
    pub artifact_dir: String,
    /// The same in everything that belongs to it.
    pub correlation_id: String,
    /// Which part; absent if it is the whole.
    pub shard: Option<Shard>,
    /// Results of `unit_targets`.
    pub total_units: u64,
    /// Of these, good ones.
    pub passed_units: u64,
    /// Of these, all others.
    pub failed_units: u64,
    /// Their names.
    pub failed_unit_names: Vec<String>,
    /// Results of `suites`.
    pub total_suites: u64,
    /// Of these, good ones.
    pub passed_suites: u64,
    /// Of these, all others.
    pub failed_suites: u64,
    /// Their names.
    pub failed_names: Vec<String>,
    /// Results of the class `build`.
    pub build: Vec<TargetResult>,
    /// Results of the class `lint`.
    pub lint: Vec<TargetResult>,
    /// Results of the classes `unit` and `recorded`.
    pub unit_targets: Vec<TargetResult>,
    /// Results of the class `e2e`.
    pub suites: Vec<TargetResult>,

    /// Its id.
    pub run_id: String,
    /// The service that it is about.
    pub project: String,
    /// What it was of.
    pub source: Source,
    /// What else makes its results its own: system, feature set.
    pub variant: BTreeMap<String, String>,
    /// Of everything that the project declared when it began; absent of reports that were only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Digest>,
    /// How far it came.
    pub state: State,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took on the monotonic clock, milliseconds.
    pub duration_ms: u64,
    /// The names of all targets that were selected, in their order.
    pub selected: Vec<String>,
    /// Problems of the run as a whole.
    pub problems: Vec<Problem>,
    /// Tests of all targets.
    pub tests: Tests,
    /// The worst of all reasons.
    pub status: Verdict,
    /// Every reason once.
    pub reasons: Vec<Reason>,
    /// How the runner ended.
    pub runner_outcome: Option<Outcome>,
    /// Whether its artifacts can be believed together; absent if nobody looked: reports that were only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_contract: Option<contract::Brief>,
    /// Failures that a quarantine covers, and their retries; absent where there are no quarantines. No verdict hangs on it here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<Quarantined>,
}

impl Summary {
    /// All results, in the order of the phases.
    pub fn targets(&self) -> impl Iterator<Item = &TargetResult> {
        self.build
            .iter()
            .chain(&self.lint)
            .chain(&self.unit_targets)
            .chain(&self.suites)
    }

    /// Puts results where they belong and counts everything again.
    pub fn fill(&mut self, results: Vec<TargetResult>) {
        for list in [
            &mut self.build,
            &mut self.lint,
            &mut self.unit_targets,
            &mut self.suites,
        ] {
            list.clear();
        }
        for result in results {
            let list = match result.result_kind {
                Kind::Build => &mut self.build,
                Kind::Lint => &mut self.lint,
                Kind::Unit => &mut self.unit_targets,
                Kind::Suite => &mut self.suites,
            };
            list.push(result);
        }
        self.count();
    }

    /// Counts everything again from the results.
    pub fn count(&mut self) {
        let bad = |list: &[TargetResult]| -> Vec<String> {
            let bad = list.iter().filter(|t| t.status != Verdict::Pass);
            bad.map(|t| t.target.clone()).collect()
        };
        self.failed_unit_names = bad(&self.unit_targets);
        self.total_units = self.unit_targets.len() as u64;
        self.failed_units = self.failed_unit_names.len() as u64;
        self.passed_units = self.total_units - self.failed_units;
        self.failed_names = bad(&self.suites);
        self.total_suites = self.suites.len() as u64;
        self.failed_suites = self.failed_names.len() as u64;
        self.passed_suites = self.total_suites - self.failed_suites;
        let mut tests = Tests::default();
        let mut reasons: Vec<Reason> = self.problems.iter().map(|p| p.reason).collect();
        for target in self.targets() {
            tests.join(&target.tests);
            reasons.extend(target.problems.iter().map(|p| p.reason));
            reasons.extend(judge::reasons(&target.tests));
        }
        // A run of nothing proves nothing.
        if self.targets().next().is_none() {
            reasons.push(Reason::ZeroTests);
        }
        reasons.sort_unstable();
        reasons.dedup();
        self.tests = tests;
        self.status = reasons
            .iter()
            .map(|r| r.verdict())
            .max()
            .unwrap_or(Verdict::Pass);
        self.reasons = reasons;
    }

    /// The exit code of a command that ends with this run: what was refused before it began is a fail; what cannot be judged is told apart from what a person must decide.
    pub fn exit(&self) -> Exit {
        // A run that was refused before anything began is a no, not a riddle.
        let is_refused = self.reasons.contains(&Reason::PreflightFailed)
            && self
                .targets()
                .all(|t| matches!(t.end, End::NotStarted { .. }));
        if is_refused {
            return Exit::Fail;
        }
        match self.status {
            Verdict::Pass | Verdict::Excused => Exit::Done,
            Verdict::Fail => Exit::Fail,
            Verdict::Invalid => Exit::Unjudged,
            Verdict::Hold => {
                let unjudged = self
                    .reasons
                    .iter()
                    .any(|r| r.verdict() == Verdict::Hold && r.exit() == Exit::Unjudged);
                match unjudged {
                    true => Exit::Unjudged,
                    false => Exit::Hold,
                }
            }
        }
    }

    /// Says where a summary contradicts itself: counts that do not add up, a target without a result, a status better than its reasons.
    /// Empty if nothing does.
    pub fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: String| found.push(Problem::new(reason, text));
        if self.schema != SUMMARY {
            tell(
                Reason::SchemaUnknown,
                format!("the schema is `{}`", self.schema),
            );
        }
        let mut counted = self.clone();
        counted.count();
        if counted != *self {
            let text = "its counts, reasons or status are not those of its results";
            tell(Reason::EvidenceCountMismatch, text.into());
        }
        let mut names: Vec<&str> = self.targets().map(|t| t.target.as_str()).collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            tell(
                Reason::IdCollision,
                format!("the target `{}` has two results", pair[0]),
            );
        }
        for name in &self.selected {
            if names.binary_search(&name.as_str()).is_err() {
                let text = format!("the target `{name}` was selected and has no result");
                tell(Reason::EvidenceMissing, text);
            }
        }
        for name in names {
            if !self.selected.iter().any(|s| s == name) {
                let text = format!("the target `{name}` has a result and was not selected");
                tell(Reason::EvidenceCountMismatch, text);
            }
        }
        for target in self.targets() {
            self.check_target(target, &mut tell);
        }
        found
    }

    fn check_target(&self, target: &TargetResult, tell: &mut impl FnMut(Reason, String)) {
        let name = &target.target;
        if target.schema != TargetResult::SCHEMA {
            let text = format!("`{name}`: the schema is `{}`", target.schema);
            tell(Reason::SchemaUnknown, text);
        }
        if target.correlation_id != self.correlation_id {
            let text = format!("`{name}` belongs to `{}`", target.correlation_id);
            tell(Reason::EvidenceCountMismatch, text);
        }
        let sums = target.tests.adds_up()
            && (target.passed, target.failed) == (target.tests.passed, target.tests.bad())
            && (target.ignored, target.total) == (target.tests.skipped, target.tests.total)
            && target.bad.len() as u64 + target.bad_omitted == target.tests.bad();
        if !sums {
            let text = format!("`{name}`: its counts do not add up");
            tell(Reason::EvidenceCountMismatch, text);
        }
        if target.status != judge::status(&target.problems, &target.tests)
            || target.exit_code != target.end.code()
            || target.result_kind != target.class.kind()
        {
            let text = format!("`{name}`: its status is not that of its reasons");
            tell(Reason::EvidenceCountMismatch, text);
        }
    }
}
