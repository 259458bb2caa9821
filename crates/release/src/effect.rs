//! What goes into the release machine and what comes out of it. These are stored formats: the journal and the ledger
//! hold them as they are.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::machine::Terminal;
use crate::sample::Sample;

/// How an effect behaves when nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Changes nothing.
    Read,
    /// Doing it twice with one key is doing it once.
    IdempotentByKey,
    /// Refused unless the target is in the expected generation.
    CompareAndSet,
    /// May be asked about afterwards by its key.
    ProbeAble,
    /// Neither: one attempt, then a person.
    Opaque,
}

/// What a target is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Action {
    /// Report the state.
    Observe,
    /// Start `version` in `slot` and wait until it is ready; no traffic yet.
    Start {
        /// The slot.
        slot: String,
        /// The version's name.
        version: String,
        /// Digest of the version's whole description, artifacts included.
        content: Digest,
    },
    /// Set the weights of all slots at once; slots not named get 0. The slots' order is fixed by name.
    Weigh {
        /// Slot to parts per ten thousand; the sum is 10,000, or 0 to serve nothing.
        weights: BTreeMap<String, u32>,
        /// The generation that the target must be in.
        expect: u64,
    },
    /// Wait until `slot`, which has weight 0, serves nothing any more; cut what is left at the deadline.
    Drain {
        /// The slot.
        slot: String,
    },
    /// Stop the version in `slot` and free the slot.
    Stop {
        /// The slot.
        slot: String,
    },
    /// Say what became of the call with `key`, and refuse every call of an older epoch from now on.
    Probe {
        /// Key of the call in doubt.
        key: String,
    },
}

/// An action with all that a driver needs to carry it out once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Act {
    /// Stable number within the operation, from 1.
    pub id: u64,
    /// Idempotency key: stable over attempts and drivers, new for a new try.
    pub key: String,
    /// Behaviour in doubt.
    pub class: Class,
    /// How long the call may take; then its outcome is [`Outcome::Unknown`].
    pub deadline: Span,
    /// What to do.
    pub action: Action,
}

/// What a driver must do after a step of the machine.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Carry out `Act` once, then bring [`Input::Done`].
    Act(Act),
    /// Bring [`Input::Due`] with this id at or after `due`.
    Timer {
        /// The timer's number.
        id: u64,
        /// Not before this time.
        due: Timestamp,
    },
    /// Keep this decision as evidence.
    Decide(Value),
    /// The operation has ended; nothing follows.
    End(Terminal),
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Done, as read back.
    Applied {
        /// The target's generation afterwards.
        generation: u64,
        /// The state, where the action asks for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observed: Option<Observed>,
        /// Requests and tunnels that were under way when a drain's time was over, and were cut.
        #[serde(default, skip_serializing_if = "is_zero")]
        cut: u64,
    },
    /// Certainly not done.
    NotApplied {
        /// Why.
        reason: Reason,
        /// Why, in words.
        text: String,
    },
    /// Refused by a rule of the target: epoch, generation, digest.
    Refused {
        /// Why.
        reason: Reason,
        /// Why, in words.
        text: String,
    },
    /// Nobody knows: time-out, lost answer, crash.
    Unknown {
        /// What was seen.
        text: String,
    },
    /// Done in part.
    Partial {
        /// What was done and what was not.
        text: String,
    },
}

/// What a target reports about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Observed {
    /// Grows with every change of slots or weights; never repeats.
    pub generation: u64,
    /// The slots in use, by name. Empty is an explicit none.
    pub slots: Vec<ObservedSlot>,
}

/// One slot in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObservedSlot {
    /// The slot.
    pub slot: String,
    /// The version in it.
    pub version: String,
    /// Digest of the version's whole description.
    pub content: Digest,
    /// Parts per ten thousand of new requests.
    pub weight: u32,
    /// Whether the version's process runs and says that it is ready.
    pub ready: bool,
}

/// What a driver brings to the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// Begin.
    Start,
    /// An effect's outcome.
    Done {
        /// The effect's number.
        id: u64,
        /// What became of it.
        result: Outcome,
    },
    /// A timer is due.
    Due {
        /// The timer's number.
        id: u64,
    },
    /// The target was sampled.
    Sample {
        /// The counts.
        sample: Sample,
    },
    /// The target could not be sampled.
    SampleMissed {
        /// What was seen.
        text: String,
    },
    /// Somebody wants the operation to end and what it did to be undone.
    Cancel {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// The operation must not begin: what it may do was taken back between its approval and now. It ends as refused, unless it has begun
    /// to change something; then nothing happens.
    Refuse {
        /// Why.
        reason: Reason,
        /// In words.
        text: String,
    },
    /// A freeze begins or ends. While frozen nothing advances; rollback stays possible.
    Freeze {
        /// Begins (true) or ends.
        on: bool,
        /// Who.
        by: String,
    },
}
