//! The release machine.

use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::effect::{Effect, Input};
use crate::plan::PlanBody;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Comparing the target with the plan.
    Preflight,
    /// Judging the gates.
    Gates,
    /// Starting the version.
    Deploy,
    /// Writing a weight and measuring it.
    Shift,
    /// Watching a stage.
    Observe,
    /// Giving the version everything.
    Promote,
    /// Watching after promotion.
    Soak,
    /// Retiring the old version.
    Retire,
    /// Undoing.
    RollingBack,
    /// Ended.
    Done,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terminal {
    /// The result.
    pub result: Ending,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// In words.
    pub text: String,
}

/// The terminal results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new version serves and passed its soak.
    Promoted,
    /// Traffic is back, measured.
    RolledBack,
    /// Nothing was changed.
    Refused,
    /// Cancelled and undone.
    Cancelled,
    /// A person must finish.
    NeedsPerson,
}

/// One operation as a value: [`Machine::step`] takes the time and one input and returns effects.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: Arc<PlanBody>,
    state: State,
}

/// The machine's whole state, as stored in snapshots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    operation: OperationId,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(operation: OperationId, plan: Arc<PlanBody>) -> Self {
        Self {
            plan,
            state: State { operation },
        }
    }

    /// Goes on from a snapshot.
    pub fn restore(plan: Arc<PlanBody>, state: State) -> Self {
        Self { plan, state }
    }

    /// The state, for a snapshot.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The plan.
    pub fn plan(&self) -> &PlanBody {
        &self.plan
    }

    /// Takes one input. Total: every input in every state has an answer.
    pub fn step(&mut self, _now: Timestamp, _input: Input) -> Vec<Effect> {
        Vec::new()
    }

    /// Digest of the canonical state.
    pub fn digest(&self) -> Digest {
        Digest::of(b"")
    }

    /// Where the operation stands.
    pub fn phase(&self) -> Phase {
        Phase::Preflight
    }

    /// How it ended, if it did.
    pub fn terminal(&self) -> Option<&Terminal> {
        None
    }

    /// How often the driver must bring a sample now; none when nothing is watched.
    pub fn sampling(&self) -> Option<Span> {
        None
    }

    /// Acts sent and not answered, oldest first.
    pub fn open_acts(&self) -> Vec<u64> {
        Vec::new()
    }
}
