//! Whether every platform that must be shown was shown: runs of one tree under several variants.
//!
//! Invariants: a required platform without a complete good run of the very tree is not a pass, whatever other platforms say; of several runs
//! of one platform a red one is not hidden by a green one; a run that contradicts itself is invalid.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp, Verdict};
use gonogo_suite::run::{Problem, State, Summary};
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::inputs::Manifest;

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.platform-matrix.v1";

/// A platform that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Its name.
    pub name: String,
    /// What a run's variant must have; more may be there.
    pub variant: BTreeMap<String, String>,
    /// Whether it must pass.
    pub required: bool,
    /// The profile that must have run.
    pub profile: String,
}

/// A platform's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What was asked for.
    pub platform: Platform,
    /// What it came to.
    pub status: Verdict,
    /// Why, the reasons once each.
    pub reasons: Vec<Reason>,
    /// Runs of it on this tree, by id.
    pub runs: Vec<String>,
    /// Tests that passed in them, of the run with the fewest.
    pub passed: u64,
    /// One line.
    pub detail: String,
}

/// The matrix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// The tree that it is about.
    pub tree: String,
    /// The platforms, in the order in which they were asked for.
    pub platforms: Vec<Row>,
    /// How many are required.
    pub required: u64,
    /// How many of these passed.
    pub required_passed: u64,
    /// Whether all did, and there is one.
    pub all_required_pass: bool,
    /// The worst of the required ones; `invalid` if none is.
    pub status: Verdict,
}

impl Matrix {
    fn counted(&self) -> (u64, u64, bool, Verdict) {
        let required: Vec<&Row> = self
            .platforms
            .iter()
            .filter(|r| r.platform.required)
            .collect();
        let passed = required
            .iter()
            .filter(|r| r.status == Verdict::Pass)
            .count() as u64;
        let worst = required.iter().map(|r| r.status).max();
        let total = required.len() as u64;
        let all = total > 0 && passed == total;
        (total, passed, all, worst.unwrap_or(Verdict::Invalid))
    }
}

impl Artifact for Matrix {
    const SCHEMA: &'static str = SCHEMA;

    fn check(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut tell = |reason, text: String| found.push(Problem::new(reason, text));
        if self.schema != SCHEMA {
            tell(
                Reason::SchemaUnknown,
                format!("the schema is `{}`", self.schema),
            );
        }
        let stated = (
            self.required,
            self.required_passed,
            self.all_required_pass,
            self.status,
        );
        if stated != self.counted() {
            let text = "its counts or its status are not those of its platforms";
            tell(Reason::EvidenceCountMismatch, text.to_owned());
        }
        if self.tree.is_empty() {
            tell(Reason::EvidenceMissing, "it names no tree".to_owned());
        }
        let mut names: Vec<&str> = self
            .platforms
            .iter()
            .map(|r| r.platform.name.as_str())
            .collect();
        names.sort_unstable();
        for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
            tell(
                Reason::IdCollision,
                format!("the platform `{}` stands twice", pair[0]),
            );
        }
        for row in &self.platforms {
            let name = &row.platform.name;
            let worst = row.reasons.iter().map(|r| r.verdict()).max();
            if worst.unwrap_or(Verdict::Pass) != row.status {
                let text = format!("`{name}`: its status is not that of its reasons");
                tell(Reason::EvidenceCountMismatch, text);
            }
            if row.status == Verdict::Pass && (row.runs.is_empty() || row.passed == 0) {
                tell(
                    Reason::EvidenceMissing,
                    format!("`{name}` passes without a run or a test"),
                );
            }
        }
        found
    }
}

/// Makes the matrix of a tree.
pub fn matrix(
    tree: &str,
    wanted: &[Platform],
    runs: &[Summary],
    manifest: &Manifest,
    now: Timestamp,
) -> Matrix {
    let mut made = Matrix {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        tree: tree.to_owned(),
        platforms: wanted
            .iter()
            .map(|p| row(tree, p, runs, manifest, now))
            .collect(),
        required: 0,
        required_passed: 0,
        all_required_pass: false,
        status: Verdict::Invalid,
    };
    (
        made.required,
        made.required_passed,
        made.all_required_pass,
        made.status,
    ) = made.counted();
    made
}

fn row(
    tree: &str,
    platform: &Platform,
    runs: &[Summary],
    manifest: &Manifest,
    now: Timestamp,
) -> Row {
    let is_of = |run: &&Summary| {
        let mut asked = platform.variant.iter();
        run.profile == platform.profile && asked.all(|(k, v)| run.variant.get(k) == Some(v))
    };
    let mut reasons = Vec::new();
    let mut details = Vec::new();
    let mut tell = |reason: Reason, text: String| {
        reasons.push(reason);
        if details.len() < 5 {
            details.push(text);
        }
    };
    if platform.variant.is_empty() {
        let text = "it says no variant, so any run would do".to_owned();
        tell(Reason::PolicyUndefined, text);
    }
    let all: Vec<&Summary> = runs.iter().filter(is_of).collect();
    let here: Vec<&Summary> = all
        .iter()
        .copied()
        .filter(|run| run.source.tree == tree)
        .collect();
    if here.is_empty() {
        let reason = match all.is_empty() {
            true => Reason::EvidenceMissing,
            false => Reason::EvidenceWrongTree,
        };
        tell(
            reason,
            format!("no run of `{}` on this tree", platform.profile),
        );
    }
    for run in &here {
        let id = &run.run_id;
        for problem in run.check() {
            tell(problem.reason, format!("run `{id}`: {}", problem.text));
        }
        if run.declared != Some(manifest.digest) {
            tell(
                Reason::EvidenceOtherDeclaration,
                format!("run `{id}` was made when something else was declared"),
            );
        }
        let declared = manifest.declared.profiles.get(&platform.profile);
        if let Some(absent) = declared
            .into_iter()
            .flatten()
            .find(|t| !run.selected.contains(t))
        {
            tell(
                Reason::RunIncomplete,
                format!("run `{id}` did not select `{absent}`"),
            );
        }
        if run.state != State::Complete {
            tell(
                Reason::RunIncomplete,
                format!("run `{id}` did not end as a whole"),
            );
        }
        if run.shard.is_some() || run.rerun_from.is_some() {
            tell(
                Reason::RunIncomplete,
                format!("run `{id}` is a part of a run"),
            );
        }
        if run.source.tree_after.as_deref() != Some(tree) {
            tell(
                Reason::TreeChanged,
                format!("run `{id}`: the tree behind it is another"),
            );
        }
        if run.timestamp > now {
            tell(Reason::ClockSkew, format!("run `{id}` lies in the future"));
        }
        if run.tests.passed == 0 {
            tell(Reason::ZeroTests, format!("run `{id}`: no test passed"));
        }
        let bad: Vec<Reason> = run
            .reasons
            .iter()
            .copied()
            .filter(|r| r.verdict() > Verdict::Pass)
            .collect();
        for reason in bad {
            tell(reason, format!("run `{id}` is not good: {reason}"));
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    let passed = here.iter().map(|run| run.tests.passed).min().unwrap_or(0);
    let mut ids: Vec<String> = here.iter().map(|run| run.run_id.clone()).collect();
    ids.sort();
    Row {
        platform: platform.clone(),
        status: reasons
            .iter()
            .map(|r| r.verdict())
            .max()
            .unwrap_or(Verdict::Pass),
        reasons,
        runs: ids,
        passed,
        detail: if details.is_empty() {
            format!("{passed} tests passed")
        } else {
            details.join("; ")
        },
    }
}
