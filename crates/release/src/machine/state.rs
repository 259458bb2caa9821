//! The machine's whole state. It is a stored format: snapshots and digests are made of it.

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Timestamp, Verdict};
use serde::{Deserialize, Serialize};

use super::{Phase, Terminal};
use crate::effect::Act;
use crate::judge::Watch;

/// Everything the machine remembers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub(super) operation: OperationId,
    /// The latest time brought.
    pub(super) now: Timestamp,
    pub(super) inputs: u64,
    pub(super) acts: u64,
    pub(super) timers: u64,
    pub(super) phase: Phase,
    /// Index into the plan's steps.
    pub(super) step: usize,
    pub(super) step_began: Timestamp,
    /// When the last weight of this step was applied.
    pub(super) shifted: Timestamp,
    /// Timer that ends the step.
    pub(super) deadline: Option<(u64, Timestamp)>,
    /// The target's generation as last read back.
    pub(super) generation: u64,
    pub(super) flight: Option<Flight>,
    /// A start may have run.
    pub(super) deployed: bool,
    /// A weight for the new version may have been written.
    pub(super) weighed: bool,
    /// The old version may be stopped: there is no way back any more.
    pub(super) pivoted: bool,
    pub(super) frozen: bool,
    /// The step that waits for the end of a freeze.
    pub(super) held: Option<usize>,
    pub(super) cause: Option<Cause>,
    pub(super) undo: Option<Undo>,
    /// What failed after there was no way back.
    pub(super) late: Option<Vec<Reason>>,
    pub(super) watch: Option<Watch>,
    /// The last judgement kept as evidence.
    pub(super) told: Option<(Verdict, Vec<Reason>)>,
    pub(super) missed: u64,
    pub(super) terminal: Option<Terminal>,
}

impl State {
    pub(super) fn new(operation: OperationId) -> Self {
        let zero = Timestamp::from_millis(0);
        Self {
            operation,
            now: zero,
            inputs: 0,
            acts: 0,
            timers: 0,
            phase: Phase::Preflight,
            step: 0,
            step_began: zero,
            shifted: zero,
            deadline: None,
            generation: 0,
            flight: None,
            deployed: false,
            weighed: false,
            pivoted: false,
            frozen: false,
            held: None,
            cause: None,
            undo: None,
            late: None,
            watch: None,
            told: None,
            missed: 0,
            terminal: None,
        }
    }
}

/// Stands for a timer that never comes: timers count from 1.
pub(super) const HELD: u64 = 0;

impl Aim {
    /// Whether the act takes the release forward, which a freeze forbids.
    pub(super) const fn advances(self) -> bool {
        matches!(self, Self::Deploy | Self::Weigh | Self::Drain | Self::Stop)
    }
}

/// What an act is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Aim {
    Preflight,
    Deploy,
    /// Is the target what it was, and the new version beside it?
    Look,
    Weigh,
    Drain,
    Stop,
    /// Is the target what the result will claim?
    Confirm,
    UndoObserve,
    UndoWeigh,
    UndoDrain,
    UndoStop,
    /// As [`Aim::Confirm`], after going back.
    UndoConfirm,
}

/// The one act in flight.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Flight {
    pub(super) aim: Aim,
    pub(super) act: Act,
    /// How often it was sent.
    pub(super) tries: u32,
    /// How often it was sent and, as a probe told, never arrived.
    pub(super) lost: u32,
    /// Its outcome is in doubt: only a probe can settle it.
    pub(super) doubt: bool,
    /// The probe under way.
    pub(super) probe: Option<u64>,
    /// Probes sent.
    pub(super) probes: u32,
    /// Timer after which it is sent or probed again; [`HELD`] while it waits for the end of a freeze.
    pub(super) again: Option<u64>,
    /// First sent.
    pub(super) since: Timestamp,
}

/// Why the operation goes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cause {
    pub(super) at: Timestamp,
    pub(super) cancelled: bool,
    pub(super) reasons: Vec<Reason>,
    pub(super) text: String,
}

/// How far the undo is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    pub(super) attempt: u32,
    /// Waiting until the new version is measured to serve nothing; the timer that ends the wait.
    pub(super) zero: Option<u64>,
    /// Timer after which the weights are written again.
    pub(super) again: Option<u64>,
    /// Zero was measured.
    pub(super) measured: bool,
}
