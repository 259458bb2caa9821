//! Incidents: what went wrong while the run went on, each kind once with its exact count.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Status;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentKind {
    /// A line of a level that counts.
    LogLevel,
    /// A stack trace, or a lone line that begins like one.
    StackTrace,
    /// The child said nothing for too long.
    LogGap,
    /// An evidence file is missing, stale, frozen or dated in the future.
    Evidence,
    /// A limit on CPU or memory of the whole tree was broken.
    Resource,
    /// The disk is full, or will be before the run ends.
    Disk,
    /// The capture was blocked: the child waited for us.
    CaptureBlocked,
    /// The pump died and was started again.
    PumpRestart,
    /// The keeper died.
    KeeperLost,
    /// The harness died; the run was ended.
    HarnessLost,
    /// The wall clock stepped, or the machine slept.
    Clock,
    /// The child's exit status, or the signal that ended it.
    Exit,
    /// The run ended before its required time.
    EndedEarly,
    /// Processes of the tree outlived the child.
    Stragglers,
    /// The tree had to be killed.
    Killed,
    /// The run was interrupted by its operator.
    Interrupted,
    /// A line longer than what the classifier looks at.
    LongLine,
    /// Anything else.
    Other,
}

/// One incident. `severity`, `occurred_at`, `message` and `metadata` are what readers of older reports know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// How bad it is.
    pub severity: Status,
    /// When it was first seen (ingest time).
    pub occurred_at: Timestamp,
    /// One line for people.
    pub message: String,
    /// What kind.
    #[serde(default = "other")]
    pub kind: IncidentKind,
    /// How often it was seen since the run began, exactly.
    #[serde(default = "one")]
    pub count: u64,
    /// When it was last seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// Whether it still goes on (a silence, a stale file, a broken limit).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Whether a rule of the allow-list, or `--allow-warnings`, accepts it; the rule's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
    /// More for machines: `stream`, `level`, `key`, `sample` (one full example), `line` (number in its stream), `language`, …
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Value>,
}

const fn other() -> IncidentKind {
    IncidentKind::Other
}

const fn one() -> u64 {
    1
}
