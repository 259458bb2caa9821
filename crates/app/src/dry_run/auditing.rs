//! Judging what is there already: logs and evidence of anybody's, or the directory of a captured run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gonogo_core::{Reason, Timestamp};
use gonogo_dryrun::Status;
use gonogo_dryrun::sign_off::Criteria;
use gonogo_dryrun::spec::{EvidenceFormat, RunSpec, StderrPolicy};
use gonogo_dryrun::summary::Report;
use serde_json::Value;

use super::home::Home;
use super::{keeping, settings};
use crate::AppError;

/// What is to be judged, and how.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Logs, plain or compressed.
    pub logs: Vec<PathBuf>,
    /// A captured run instead.
    pub run_dir: Option<PathBuf>,
    /// The diary.
    pub diary: Option<PathBuf>,
    /// The performance evidence.
    pub performance: Option<PathBuf>,
    /// A longer silence is a warning, seconds.
    pub warn_gap: f64,
    /// A silence as long is a failure, seconds.
    pub fail_gap: f64,
    /// What a line on stderr without a level means.
    pub stderr: Option<StderrPolicy>,
    /// Fewest diary entries of each UTC day.
    pub min_entries_per_day: u64,
    /// What fewer mean.
    pub daily_gap_severity: Status,
    /// What a sign-off demands; none is made without.
    pub criteria: Option<Criteria>,
    /// What the operator says.
    pub metadata: BTreeMap<String, Value>,
}

/// stub
pub fn audit(_: &Home, _: &Judged, _: Timestamp) -> Result<(RunSpec, Report), AppError> { unreachable!() }
