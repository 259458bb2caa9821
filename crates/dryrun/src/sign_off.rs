//! Whether a run may be signed off: criteria, findings, status.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Status;

mod rules;

pub use rules::{ALLOW_WARNINGS, Assessed, assess, gating_uptime};

/// What a sign-off demands. Absent numbers demand nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criteria {
    /// The least duration, in seconds.
    pub minimum_duration_seconds: Option<f64>,
    /// How many seconds less than that are accepted. One rule everywhere.
    #[serde(default)]
    pub duration_tolerance_seconds: f64,
    /// The least share of time that the run was up, 0 to 1. The pessimistic bound is held against it where a heartbeat is declared.
    pub minimum_uptime_ratio: Option<f64>,
    /// Whether a diary must be there.
    pub require_diary: bool,
    /// Whether performance evidence must be there.
    pub require_performance: bool,
    /// Whether warnings are accepted: they are then listed as accepted and do not count.
    pub allow_warnings: bool,
    /// The least Sharpe ratio.
    pub minimum_sharpe_ratio: Option<f64>,
}

/// One thing that a sign-off found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub severity: Status,
    /// What, on which object, why.
    pub message: String,
    /// Stable word for machines, like `duration_below_minimum`, `uptime_below_minimum`, `diary_missing`, `evidence_unreadable`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// Whether a rule accepts it; the rule's name. What is accepted does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// `path`, `required`, `observed`, …
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
}

/// A sign-off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignOff {
    /// When it was judged.
    pub evaluated_at: Timestamp,
    /// The worst finding that counts.
    pub status: Status,
    /// What was demanded.
    pub criteria: Criteria,
    /// What was found, worst first.
    pub findings: Vec<Finding>,
}
