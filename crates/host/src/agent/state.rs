//! What an agent keeps: a stored format, written whole at every change.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Span};
use gonogo_exec::Process;
use gonogo_release::plan::VersionSpec;
use gonogo_release::{Observed, ObservedSlot};
use gonogo_target::calls::Calls;
use serde::{Deserialize, Serialize};

/// Schema name.
pub(super) const SCHEMA: &str = "gonogo.host.agent-state.v1";

/// The whole state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// Always [`SCHEMA`].
    pub(super) schema: String,
    /// Names this directory: the marks of all its processes start with it.
    pub(super) id: String,
    /// The environment.
    pub(super) environment: String,
    /// Grows with every change of slots or weights.
    pub(super) generation: u64,
    /// Fence and keys.
    pub(super) calls: Calls,
    /// The slots in use.
    pub(super) slots: BTreeMap<String, Slot>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Slot {
    /// How to run the version.
    pub(super) spec: VersionSpec,
    /// Digest of `spec`.
    pub(super) content: Digest,
    /// Latency bound in force.
    pub(super) slow_over: Span,
    /// Parts per ten thousand.
    pub(super) weight: u32,
    /// Where it stands.
    pub(super) phase: Phase,
    /// Key of the call that started it.
    pub(super) key: String,
    /// Generation in which it came into use: numbers the fillings of slots, the newest highest. 0 while it starts.
    #[serde(default)]
    pub(super) instance: u64,
    /// Port of the process.
    pub(super) port: u16,
    /// Mark of the process; durable before it is started.
    pub(super) mark: String,
    /// The process; none between the mark and the start's record, and while it is down.
    pub(super) process: Option<Process>,
    /// How often the process ended by itself.
    pub(super) exits: u64,
}

/// Where a slot stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Phase {
    /// A start is under way; not shown to anybody.
    Starting,
    /// In use.
    Serving,
    /// A stop is under way.
    Stopping,
}

impl State {
    pub(super) fn new(id: String, environment: String) -> Self {
        Self {
            schema: SCHEMA.into(),
            id,
            environment,
            generation: 0,
            calls: Calls::default(),
            slots: BTreeMap::new(),
        }
    }

    /// The slots that others may know of.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&String, &Slot)> {
        self.slots
            .iter()
            .filter(|(_, slot)| slot.phase != Phase::Starting)
    }

    pub(super) fn observed(&self, ready: impl Fn(&str) -> bool) -> Observed {
        let slots = self.shown().map(|(name, slot)| ObservedSlot {
            slot: name.clone(),
            version: slot.spec.version.clone(),
            content: slot.content,
            weight: slot.weight,
            ready: ready(name),
        });
        Observed {
            generation: self.generation,
            slots: slots.collect(),
        }
    }
}
