//! The non-mock rubric: each module's floors and targets, really compared with what is covered.
//!
//! Invariants: what is not measured is [`Compliance::NoData`] and never a pass; a module below its floor is a failure whatever its average;
//! the status is the worst of the rows, and a rubric without rows is invalid.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Reason, Share, Timestamp, Verdict as Status};
use gonogo_suite::run::Problem;
use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::coverage::{Globs, WHOLE};
use crate::inputs::{Coverage, Covered, Part};

/// The rubric's schema.
pub const RUBRIC: &str = "gonogo.gate.non-mock-rubric.v1";
/// The schema.
pub const SCHEMA: &str = "gonogo.gate.compliance-report.v1";

/// How much hangs on a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Little.
    Low,
    /// Something.
    Medium,
    /// Much.
    High,
    /// Everything.
    Critical,
}

/// Shares that are asked for; absent ones are not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shares {
    /// Of lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<Share>,
    /// Of functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Share>,
    /// Of branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Share>,
}

/// A module of the rubric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// Its name; `*` is the whole.
    pub name: String,
    /// Its files; none for `*`.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Files that nobody must measure.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// How much hangs on it.
    pub criticality: Criticality,
    /// It must not be lower.
    pub floor: Shares,
    /// It should not be lower.
    #[serde(default)]
    pub target: Shares,
    /// Fewest lines that it must have, so that it does not shrink unseen.
    #[serde(default)]
    pub min_lines: u64,
    /// Why these.
    pub rationale: String,
}

/// The rubric: `[[module]]` in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rubric {
    /// [`RUBRIC`].
    pub schema: String,
    /// The modules.
    pub module: Vec<Module>,
}

/// A rubric that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the non-mock rubric cannot be used: {0}")]
pub struct RubricError(String);

impl Rubric {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`RubricError`]: unknown keys, a module twice, one that asks for nothing, a target below its floor.
    pub fn parse(text: &str) -> Result<Self, RubricError> {
        if text.len() > 1 << 20 {
            return Err(RubricError("it is larger than 1 MiB".to_owned()));
        }
        let read: Self = toml::from_str(text).map_err(|e| RubricError(e.to_string()))?;
        if read.schema != RUBRIC {
            let text = format!("the schema is `{}`, expected `{RUBRIC}`", read.schema);
            return Err(RubricError(text));
        }
        if read.module.is_empty() {
            return Err(RubricError("it has no module".to_owned()));
        }
        let mut names = BTreeSet::new();
        for module in &read.module {
            let bad = |why: &str| Err(RubricError(format!("module `{}`: {why}", module.name)));
            if module.name.trim().is_empty() || !names.insert(&module.name) {
                return bad("it stands twice, or has no name");
            }
            if (module.name == WHOLE) != module.paths.is_empty() {
                return bad("a module has paths, and `*` has none");
            }
            let pairs = [
                (module.floor.line, module.target.line),
                (module.floor.function, module.target.function),
                (module.floor.branch, module.target.branch),
            ];
            if pairs
                .iter()
                .all(|(floor, _)| floor.is_none_or(|f| f == Share::ZERO))
            {
                return bad("it has no floor above 0%");
            }
            if pairs
                .iter()
                .any(|(floor, target)| target.is_some() && target < floor)
            {
                return bad("a target is below its floor");
            }
        }
        Ok(read)
    }

    /// The patterns of its modules, for [`crate::coverage::Modules::new`].
    pub fn globs(&self) -> BTreeMap<String, Globs> {
        let named = self.module.iter().filter(|m| m.name != WHOLE);
        named
            .map(|m| {
                let globs = Globs {
                    include: m.paths.clone(),
                    exclude: m.exclude.clone(),
                };
                (m.name.clone(), globs)
            })
            .collect()
    }
}

/// How a module stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compliance {
    /// All targets are reached.
    Pass,
    /// All floors are, not all targets.
    Partial,
    /// A module on which little hangs is below a floor.
    Warn,
    /// What is asked for was not measured.
    NoData,
    /// It is below a floor.
    Fail,
}

impl Compliance {
    /// On the gate's lattice.
    pub const fn status(self) -> Status {
        match self {
            Self::Pass | Self::Partial => Status::Pass,
            Self::Warn | Self::NoData => Status::Hold,
            Self::Fail => Status::Fail,
        }
    }
}

/// A module's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// The module.
    pub module: String,
    /// How much hangs on it.
    pub criticality: Criticality,
    /// How it stands.
    pub status: Compliance,
    /// It must not be lower.
    pub floor: Shares,
    /// It should not be lower.
    pub target: Shares,
    /// Fewest lines.
    pub min_lines: u64,
    /// What was measured.
    pub covered: Covered,
    /// What is not as it should be.
    pub details: Vec<String>,
}

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was made.
    pub generated_at: Timestamp,
    /// Of the rubric's bytes.
    pub rubric_digest: Digest,
    /// Of the coverage report's bytes; absent if there is none.
    pub coverage_digest: Option<Digest>,
    /// The worst of the rows.
    pub status: Status,
    /// How many rows stand how.
    pub summary: BTreeMap<Compliance, u64>,
    /// The rows, in the rubric's order.
    pub rows: Vec<Row>,
}

fn worst(rows: &[Row]) -> Status {
    let all = rows.iter().map(|r| r.status.status());
    all.max().unwrap_or(Status::Invalid)
}

fn count(rows: &[Row]) -> BTreeMap<Compliance, u64> {
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.status).or_default() += 1;
    }
    counts
}

impl Artifact for Report {
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
        if self.status != worst(&self.rows) || self.summary != count(&self.rows) {
            let text = "its status or its counts are not those of its rows";
            tell(Reason::EvidenceCountMismatch, text.to_owned());
        }
        for row in &self.rows {
            let (status, details) = compare(row);
            if status != row.status || details != row.details {
                let text = format!("`{}`: its status is not that of its figures", row.module);
                tell(Reason::EvidenceCountMismatch, text);
            }
            let is_measured = row.covered != Covered::default();
            if is_measured && self.coverage_digest.is_none() {
                let text = format!("`{}` has figures of no report", row.module);
                tell(Reason::EvidenceMissing, text);
            }
        }
        found
    }
}

/// Compares coverage with the rubric. `coverage` is what was measured and the digest of the report's bytes, if there is one.
pub fn comply(
    rubric: &Rubric,
    rubric_digest: Digest,
    coverage: Option<(&Coverage, Digest)>,
    now: Timestamp,
) -> Report {
    let mut rows = Vec::new();
    for module in &rubric.module {
        let covered = coverage.and_then(|(c, _)| c.modules.get(&module.name).copied());
        let mut row = Row {
            module: module.name.clone(),
            criticality: module.criticality,
            status: Compliance::NoData,
            floor: module.floor,
            target: module.target,
            min_lines: module.min_lines,
            covered: covered.unwrap_or_default(),
            details: Vec::new(),
        };
        (row.status, row.details) = compare(&row);
        rows.push(row);
    }
    Report {
        schema: SCHEMA.to_owned(),
        generated_at: now,
        rubric_digest,
        coverage_digest: coverage.map(|(_, digest)| digest),
        status: worst(&rows),
        summary: count(&rows),
        rows,
    }
}

/// Whether a part reaches a share, exactly.
fn reaches(part: Part, share: Share) -> bool {
    u128::from(part.covered) * 1_000_000 >= u128::from(share.ppm()) * u128::from(part.total)
}

fn compare(row: &Row) -> (Compliance, Vec<String>) {
    let mut status = Compliance::Pass;
    let mut details = Vec::new();
    let below = match row.criticality {
        Criticality::Critical | Criticality::High => Compliance::Fail,
        Criticality::Medium | Criticality::Low => Compliance::Warn,
    };
    let mut tell = |worse: Compliance, text: String| {
        status = status.max(worse);
        details.push(text);
    };
    let asked = [
        ("lines", row.floor.line, row.target.line, row.covered.lines),
        (
            "functions",
            row.floor.function,
            row.target.function,
            row.covered.functions,
        ),
        (
            "branches",
            row.floor.branch,
            row.target.branch,
            row.covered.branches,
        ),
    ];
    for (word, floor, target, part) in asked {
        if floor.is_none() && target.is_none() {
            continue;
        }
        let Some(part) = part.filter(|p| p.total > 0 && p.covered <= p.total) else {
            tell(Compliance::NoData, format!("{word} are not measured"));
            continue;
        };
        let shown = format!("{} of {} {word}", part.covered, part.total);
        if let Some(floor) = floor
            && !reaches(part, floor)
        {
            tell(below, format!("{shown}, the floor is {floor}"));
        } else if let Some(target) = target
            && !reaches(part, target)
        {
            tell(
                Compliance::Partial,
                format!("{shown}, the target is {target}"),
            );
        }
    }
    let lines = row.covered.lines.map_or(0, |l| l.total);
    if row.covered.lines.is_some() && lines < row.min_lines {
        tell(
            below,
            format!(
                "{lines} lines are measured, at least {} must be",
                row.min_lines
            ),
        );
    }
    (status, details)
}
