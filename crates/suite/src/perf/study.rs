//! Studies that explore before somebody decides: parameter sweeps and opportunity matrices.
//!
//! Each says of itself whether it may be relied on, and that must agree with the rest of it: ready exactly if nothing blocks. A study that
//! contradicts itself is invalid; a coherent one that says "blocked" is no go either, only an honest one.

mod derive;

use std::collections::BTreeSet;

use gonogo_core::reason::Verdict;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::PerfError;

pub use derive::{Named, Stage, candidate};

/// The spread, in per cent, up to which a choice is called stable.
pub const STABLE_SPREAD: f64 = 20.0;

/// The part of a contribution that is counted on.
pub const COUNTED_ON: f64 = 0.85;

/// How far a clock may be ahead of the judge's.
const AHEAD: Span = Span::from_secs(300);

/// Where a study's figures come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// What kind of artifact.
    pub artifact: String,
    /// Its path in the run.
    pub path: String,
    /// Of its exact bytes.
    pub digest: Digest,
}

/// Whether a study says that it may be relied on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readiness {
    /// The word.
    pub status: ReadinessStatus,
    /// The same as a bit; both must agree.
    pub ready: bool,
    /// What blocks.
    pub blocking_reasons: Vec<String>,
}

/// A study's word about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadinessStatus {
    /// Nothing blocks.
    Ready,
    /// Something does.
    Blocked,
}

impl Readiness {
    /// What contradicts itself, if anything.
    pub fn contradiction(&self) -> Option<&'static str> {
        let blank = self.blocking_reasons.iter().any(|r| r.trim().is_empty());
        match (self.status, self.ready, self.blocking_reasons.is_empty()) {
            _ if blank => Some("a blocking reason is empty"),
            (ReadinessStatus::Ready, true, true) | (ReadinessStatus::Blocked, false, false) => None,
            (ReadinessStatus::Ready, false, _) => Some("it is `ready` and not ready"),
            (ReadinessStatus::Ready, true, false) => Some("it is ready, and something blocks it"),
            (ReadinessStatus::Blocked, true, _) => Some("it is `blocked` and ready"),
            (ReadinessStatus::Blocked, false, true) => Some("it is blocked by nothing"),
        }
    }

    const fn is_ready(&self) -> bool {
        matches!(self.status, ReadinessStatus::Ready)
    }
}

/// What was tried for one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The parameter.
    pub name: String,
    /// Its values.
    pub candidate_values: Vec<u64>,
}

/// How much the objective moves with a parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensitivity {
    /// The parameter.
    pub name: String,
    /// Greatest less least, in per cent of the least.
    pub spread_pct: f64,
    /// Whether that is at most [`STABLE_SPREAD`].
    pub stable: bool,
}

/// A parameter sweep. Stored as `gonogo.suite.parameter-sweeps.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterSweep {
    /// [`ParameterSweep::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// When it was written, by the one who wrote it.
    pub generated_at: Timestamp,
    /// Where its figures come from.
    pub source: Source,
    /// What was to be made good.
    pub objective: String,
    /// What was tried.
    pub dimensions: Vec<Dimension>,
    /// What was chosen, by parameter.
    pub selected_defaults: BTreeMap<String, u64>,
    /// How much each choice matters.
    pub sensitivity: Vec<Sensitivity>,
    /// Whether it may be relied on.
    pub readiness: Readiness,
}

impl ParameterSweep {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.parameter-sweeps.v1";

    /// Reads a sweep.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] for anything but one such object.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        super::read("the parameter sweep", Self::SCHEMA, bytes)
    }

    /// What contradicts itself, if anything.
    pub fn contradiction(&self) -> Option<String> {
        let places = [&self.run_id, &self.correlation_id, &self.objective];
        if places.iter().any(|p| p.trim().is_empty()) {
            return Some("run, correlation or objective is empty".to_owned());
        }
        if let Some(why) = source_fault(&self.source) {
            return Some(why);
        }
        if self.dimensions.is_empty() {
            return Some("nothing was swept".to_owned());
        }
        let names: BTreeSet<&str> = self.dimensions.iter().map(|d| d.name.as_str()).collect();
        if names.len() != self.dimensions.len() || names.contains("") {
            return Some("a dimension has no name, or one that another has".to_owned());
        }
        for dimension in &self.dimensions {
            let name = shown(&dimension.name);
            let values: BTreeSet<u64> = dimension.candidate_values.iter().copied().collect();
            if values.is_empty() || values.len() != dimension.candidate_values.len() {
                return Some(format!("`{name}` has no values, or one twice"));
            }
            match self.selected_defaults.get(&dimension.name) {
                // A blocked sweep need not have chosen.
                None if !self.readiness.is_ready() => {}
                None => return Some(format!("nothing was chosen for `{name}`")),
                Some(0) => return Some(format!("0 was chosen for `{name}`")),
                Some(value) if !values.contains(value) => {
                    return Some(format!(
                        "{value} was chosen for `{name}`, and was not tried"
                    ));
                }
                Some(_) => {}
            }
        }
        let chosen = self.selected_defaults.keys().map(String::as_str);
        let told = self.sensitivity.iter().map(|s| s.name.as_str());
        if let Some(other) = chosen.chain(told).find(|n| !names.contains(n)) {
            return Some(format!("`{}` is no dimension", shown(other)));
        }
        let odd = self.sensitivity.iter().find(|s| {
            let possible = s.spread_pct.is_finite() && s.spread_pct >= 0.0;
            !possible || s.stable != (s.spread_pct <= STABLE_SPREAD)
        });
        if let Some(odd) = odd {
            let name = shown(&odd.name);
            return Some(format!(
                "`{name}`: a spread of {} is called stable: {}",
                odd.spread_pct, odd.stable
            ));
        }
        self.readiness.contradiction().map(str::to_owned)
    }
}

/// What an opportunity matrix decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// The rows are ranked.
    Ranked,
    /// There are no rows.
    NoDecision,
}

/// Something that could be made better.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opportunity {
    /// From 1, without gaps.
    pub rank: u64,
    /// What it is about.
    pub stage: String,
    /// Its part of the whole, in per cent.
    pub contribution_pct: f64,
    /// What would be gained: the contribution times [`COUNTED_ON`].
    pub expected_gain_pct: f64,
    /// How sure that is, above 0 and at most 1.
    pub confidence: f64,
    /// What it costs, above 0.
    pub effort: f64,
    /// Gain times confidence over effort.
    pub priority_score: f64,
}

/// What could be made better, ranked. Stored as `gonogo.suite.opportunity-matrix.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpportunityMatrix {
    /// [`OpportunityMatrix::SCHEMA`].
    pub schema: String,
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// When it was written, by the one who wrote it.
    pub generated_at: Timestamp,
    /// Where its figures come from.
    pub source: Source,
    /// Whether it may be relied on.
    pub readiness: Readiness,
    /// What it decides.
    pub decision: Decision,
    /// The rows, the first first.
    pub rows: Vec<Opportunity>,
}

impl OpportunityMatrix {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.opportunity-matrix.v1";

    /// Reads a matrix.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] for anything but one such object.
    pub fn parse(bytes: &[u8]) -> Result<Self, PerfError> {
        super::read("the opportunity matrix", Self::SCHEMA, bytes)
    }

    /// What contradicts itself, if anything.
    pub fn contradiction(&self) -> Option<String> {
        if self.run_id.trim().is_empty() || self.correlation_id.trim().is_empty() {
            return Some("run or correlation is empty".to_owned());
        }
        if let Some(why) = source_fault(&self.source) {
            return Some(why);
        }
        match (
            self.decision,
            self.readiness.is_ready(),
            self.rows.is_empty(),
        ) {
            (Decision::Ranked, true, false) | (Decision::NoDecision, false, true) => {}
            (Decision::Ranked, true, true) => return Some("it ranks nothing".to_owned()),
            (Decision::Ranked, false, _) => return Some("it ranks and is blocked".to_owned()),
            (Decision::NoDecision, true, _) => {
                return Some("it is ready and decides nothing".to_owned());
            }
            (Decision::NoDecision, false, false) => {
                return Some("it has rows and no decision".to_owned());
            }
        }
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(b.abs()).max(1e-9);
        let mut stages = BTreeSet::new();
        let mut last = f64::INFINITY;
        let mut whole = 0.0;
        for (n, row) in self.rows.iter().enumerate() {
            let at = n as u64 + 1;
            let positive = |v: f64| v.is_finite() && v > 0.0;
            if row.rank != at {
                return Some(format!("row {at} has rank {}", row.rank));
            }
            if row.stage.trim().is_empty() || !stages.insert(row.stage.as_str()) {
                return Some(format!("the stage of rank {at} is empty or there already"));
            }
            let sound = positive(row.contribution_pct)
                && row.contribution_pct <= 100.0
                && positive(row.confidence)
                && row.confidence <= 1.0
                && positive(row.effort)
                && positive(row.priority_score);
            if !sound {
                return Some(format!("a figure of rank {at} is out of its range"));
            }
            whole += row.contribution_pct;
            if !close(row.expected_gain_pct, row.contribution_pct * COUNTED_ON) {
                return Some(format!(
                    "the gain of rank {at} does not follow from its contribution"
                ));
            }
            let score = row.expected_gain_pct * row.confidence / row.effort;
            if !close(row.priority_score, score) {
                return Some(format!(
                    "the score of rank {at} is {}, its figures give {score}",
                    row.priority_score
                ));
            }
            if row.priority_score > last {
                return Some(format!(
                    "rank {at} has a higher score than the one before it"
                ));
            }
            last = row.priority_score;
        }
        if whole > 100.0 + 1e-6 {
            return Some(format!("the contributions add up to {whole} %"));
        }
        self.readiness.contradiction().map(str::to_owned)
    }
}

/// What a study is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyVerdict {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// One line for people.
    pub detail: String,
}

/// What is demanded of a study.
#[derive(Debug, Clone, Copy)]
pub struct StudyDemand {
    /// The digest of the artifact that it must come from.
    pub source: Digest,
    /// How old it may be, by its own time.
    pub freshness: Span,
    /// When it is judged.
    pub judged_at: Timestamp,
}

/// Judges a sweep.
pub fn judge_sweep(sweep: &ParameterSweep, demand: &StudyDemand) -> StudyVerdict {
    let schema = sweep.schema == ParameterSweep::SCHEMA;
    let fault = sweep.contradiction();
    judge(
        schema,
        fault,
        sweep.generated_at,
        &sweep.source,
        &sweep.readiness,
        demand,
    )
}

/// Judges a matrix.
pub fn judge_matrix(matrix: &OpportunityMatrix, demand: &StudyDemand) -> StudyVerdict {
    let schema = matrix.schema == OpportunityMatrix::SCHEMA;
    let fault = matrix.contradiction();
    judge(
        schema,
        fault,
        matrix.generated_at,
        &matrix.source,
        &matrix.readiness,
        demand,
    )
}

fn judge(
    schema: bool,
    fault: Option<String>,
    at: Timestamp,
    source: &Source,
    readiness: &Readiness,
    demand: &StudyDemand,
) -> StudyVerdict {
    let verdict = |reason: Reason, detail: String| StudyVerdict {
        verdict: reason.verdict(),
        reason,
        detail,
    };
    if !schema {
        return verdict(Reason::SchemaUnknown, "it has another schema".to_owned());
    }
    if let Some(fault) = fault {
        return verdict(Reason::PerfIncoherent, fault);
    }
    if source.digest != demand.source {
        let text = format!(
            "it comes from {}, and {} is demanded",
            source.digest, demand.source
        );
        return verdict(Reason::EvidenceWrongTree, text);
    }
    if demand.judged_at.since(at) > demand.freshness || at > demand.judged_at.after(AHEAD) {
        return verdict(Reason::EvidenceStale, format!("it was written at {at}"));
    }
    if !readiness.is_ready() {
        let reasons: Vec<String> = readiness
            .blocking_reasons
            .iter()
            .take(5)
            .map(|r| shown(r))
            .collect();
        return verdict(
            Reason::PerfNotReady,
            format!("blocked: {}", reasons.join("; ")),
        );
    }
    verdict(
        Reason::PerfWithinBudget,
        "ready, and nothing blocks it".to_owned(),
    )
}

fn source_fault(source: &Source) -> Option<String> {
    let blank = source.artifact.trim().is_empty() || source.path.trim().is_empty();
    blank.then(|| "its source is not named".to_owned())
}

fn shown(text: &str) -> String {
    text.chars().take(120).collect()
}
