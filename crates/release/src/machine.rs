//! The release machine: one operation as a plain value.
//!
//! [`Machine::step`] takes the time and one input and returns effects; the same inputs give the same effects. Drivers carry
//! the effects out and bring back what became of them. At most one act is in flight at a time.
//!
//! Invariants: nothing is undone before what is in flight has settled; an unknown outcome is probed, never assumed and
//! never simply sent again; nothing advances without a passing judgement, nor while frozen; the target is looked at before the
//! new version gets traffic and again before an end is claimed; a terminal result never changes.

use std::sync::{Arc, OnceLock};

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::effect::{Effect, Input};
use crate::plan::PlanBody;

mod control;
mod flight;
mod forward;
mod progress;
mod state;
mod undo;
mod watching;

pub use forward::drift;
pub use progress::Progress;
pub use state::State;

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Comparing the target with the plan.
    Preflight,
    /// Judging the gates.
    Gates,
    /// Starting the version.
    Deploy,
    /// Writing a weight.
    Shift,
    /// Measuring and watching a stage.
    Observe,
    /// Giving the version everything, measured.
    Promote,
    /// Watching after promotion.
    Soak,
    /// Retiring the old version.
    Retire,
    /// Undoing.
    RollingBack,
    /// Carried out by a workflow service.
    Elsewhere,
    /// Ended.
    Done,
}

impl Phase {
    /// Returns the phase's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Gates => "gates",
            Self::Deploy => "deploy",
            Self::Shift => "shift",
            Self::Observe => "observe",
            Self::Promote => "promote",
            Self::Soak => "soak",
            Self::Retire => "retire",
            Self::RollingBack => "rolling-back",
            Self::Elsewhere => "elsewhere",
            Self::Done => "done",
        }
    }
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The new version serves and passed its soak.
    Promoted,
    /// Traffic is back.
    RolledBack,
    /// Nothing was changed.
    Refused,
    /// Cancelled and undone.
    Cancelled,
    /// A person must finish.
    NeedsPerson,
    /// It failed elsewhere; what it left is not known here.
    Failed,
    /// It took more time elsewhere than it had; something of it may still run there.
    TimedOut,
}

impl Ending {
    /// Returns the result's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled_back",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::NeedsPerson => "needs_person",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }

    /// Returns the reason that stands for the result.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Promoted => Reason::Promoted,
            Self::RolledBack => Reason::RolledBack,
            Self::Refused => Reason::Refused,
            Self::Cancelled => Reason::Cancelled,
            Self::NeedsPerson => Reason::NeedsPerson,
            Self::Failed => Reason::WorkflowRunFailed,
            Self::TimedOut => Reason::WorkflowRunTimedOut,
        }
    }
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Machine {
    plan: Arc<PlanBody>,
    state: State,
    /// Digest of the new version's description, computed when first asked for.
    content: OnceLock<Option<Digest>>,
    #[cfg(feature = "mutants")]
    undo_before_settle: bool,
}

impl Machine {
    /// A machine that has not begun.
    pub fn new(operation: OperationId, plan: Arc<PlanBody>) -> Self {
        Self::restore(plan, State::new(operation))
    }

    /// Goes on from a snapshot.
    pub fn restore(plan: Arc<PlanBody>, state: State) -> Self {
        Self {
            plan,
            state,
            content: OnceLock::new(),
            #[cfg(feature = "mutants")]
            undo_before_settle: false,
        }
    }

    /// Breaks the machine on purpose, so that the simulator can show that it would notice.
    #[cfg(feature = "mutants")]
    pub fn undo_before_settle(mut self) -> Self {
        self.undo_before_settle = true;
        self
    }

    /// The state, for a snapshot.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The plan.
    pub fn plan(&self) -> &PlanBody {
        &self.plan
    }

    /// Digest of the new version's whole description; none if it has no canonical form.
    fn content(&self) -> Option<Digest> {
        *self.content.get_or_init(|| self.plan.to.content().ok())
    }

    /// Takes one input. Total: every input in every state has an answer, and the answer may be nothing.
    pub fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        self.state.inputs += 1;
        // Time in the machine never runs backwards, whatever the driver brings.
        self.state.now = self.state.now.max(now);
        if self.state.terminal.is_some() {
            return out;
        }
        match input {
            Input::Start => self.start(&mut out),
            Input::Done { id, result } => self.done(id, result, &mut out),
            Input::Due { id } => self.due(id, &mut out),
            Input::Sample { sample } => self.sample(&sample, &mut out),
            Input::SampleMissed { text } => self.sample_missed(&text, &mut out),
            Input::Cancel { by, why } => self.cancel(&by, &why, &mut out),
            Input::Freeze { on, by } => self.freeze(on, &by, &mut out),
            Input::Refuse { reason, text } => self.refuse(reason, text, &mut out),
        }
        out
    }

    /// Digest of the canonical state. A state always has a canonical form; should it not, the digest says so by being the
    /// empty one, which no state has.
    pub fn digest(&self) -> Digest {
        Digest::of(&gonogo_core::canonical::to_vec(&self.state).unwrap_or_default())
    }

    /// Where the operation stands.
    pub fn phase(&self) -> Phase {
        self.state.phase
    }

    /// How it ended, if it did.
    pub fn terminal(&self) -> Option<&Terminal> {
        self.state.terminal.as_ref()
    }

    /// How often the driver must bring a sample now; none when nothing is watched.
    pub fn sampling(&self) -> Option<Span> {
        let watched = self.state.weighed && self.state.terminal.is_none();
        watched.then_some(self.plan.strategy.sample_every)
    }

    /// How many inputs it took.
    pub fn inputs(&self) -> u64 {
        self.state.inputs
    }

    /// Acts sent and not answered.
    pub fn open_acts(&self) -> Vec<u64> {
        let flight = self.state.flight.as_ref();
        flight
            .and_then(|f| {
                f.probe
                    .or((!f.doubt && f.again.is_none()).then_some(f.act.id))
            })
            .into_iter()
            .collect()
    }
}
