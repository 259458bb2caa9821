//! The target of a scenario: it does what the script says was done, and remembers it for probes.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp};
use gonogo_release::effect::{Act, Action, Observed, ObservedSlot, Outcome};
use gonogo_release::plan::PlanBody;
use gonogo_release::sample::{Sample, SlotCounts};

/// What one slot did in a sample period, and what is odd about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Did {
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) slow: u64,
}

/// What a `sample` line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) canary: Did,
    pub(super) stable: Did,
    pub(super) exits: u64,
    pub(super) unready: bool,
    pub(super) unrouted: u64,
    pub(super) in_flight: u64,
    /// The counters begin again under this name.
    pub(super) boot: Option<String>,
    /// The same reading number as before.
    pub(super) repeated: bool,
    /// The new version's counts run backwards.
    pub(super) down: bool,
    /// The new version's slot is not in the sample.
    pub(super) gone: bool,
    /// More requests ended than began.
    pub(super) contradicts: bool,
    /// The reading was taken before the last write.
    pub(super) old: bool,
    /// A count beyond what JSON keeps.
    pub(super) huge: bool,
    /// The slot of the new version names this version.
    pub(super) version: Option<String>,
}

pub(super) struct Model {
    generation: u64,
    slots: BTreeMap<String, ObservedSlot>,
    counts: BTreeMap<String, SlotCounts>,
    unrouted: u64,
    boot: String,
    seq: u64,
    done: BTreeMap<String, Outcome>,
    canary: String,
}

impl Model {
    pub(super) fn new(plan: &PlanBody) -> Self {
        let slots = plan.base.slots.iter();
        let counts = slots.clone().map(|s| {
            // It served long before this release.
            let counts = SlotCounts {
                version: s.version.clone(),
                ready: true,
                routed: 1_000_000,
                ok: 1_000_000,
                ..SlotCounts::default()
            };
            (s.slot.clone(), counts)
        });
        Self {
            generation: plan.base.generation,
            counts: counts.collect(),
            slots: slots.map(|s| (s.slot.clone(), s.clone())).collect(),
            unrouted: 0,
            boot: "boot-1".into(),
            seq: 0,
            done: BTreeMap::new(),
            canary: plan.slot.clone(),
        }
    }

    /// Somebody else sets weights.
    pub(super) fn foreign(&mut self, weights: &BTreeMap<String, u32>) {
        self.weigh(weights);
        self.generation += 1;
    }

    fn weigh(&mut self, weights: &BTreeMap<String, u32>) {
        for (slot, state) in &mut self.slots {
            state.weight = weights.get(slot).copied().unwrap_or(0);
        }
    }

    /// Does what `act` asks for.
    pub(super) fn apply(&mut self, act: &Act) -> Outcome {
        let mut observed = None;
        match &act.action {
            Action::Observe => {
                observed = Some(Observed {
                    generation: self.generation,
                    slots: self.slots.values().cloned().collect(),
                });
            }
            Action::Start {
                slot,
                version,
                content,
            } => {
                let state = ObservedSlot {
                    slot: slot.clone(),
                    version: version.clone(),
                    content: *content,
                    weight: 0,
                    ready: true,
                };
                let counts = SlotCounts {
                    version: version.clone(),
                    ready: true,
                    ..SlotCounts::default()
                };
                self.slots.insert(slot.clone(), state);
                self.counts.insert(slot.clone(), counts);
                self.generation += 1;
            }
            Action::Weigh { weights, expect } if *expect != self.generation => {
                let _ = weights;
                let text = format!("in generation {}, not {expect}", self.generation);
                let reason = Reason::BaseStateMoved;
                return self.keep(act, Outcome::Refused { reason, text });
            }
            Action::Weigh { weights, .. } => {
                self.weigh(weights);
                self.generation += 1;
            }
            Action::Drain { .. } | Action::Probe { .. } => {}
            Action::Stop { slot } => {
                if self.slots.get(slot).is_some_and(|s| s.weight > 0) {
                    let (reason, text) = (Reason::AgentRefused, "it has weight".into());
                    return self.keep(act, Outcome::Refused { reason, text });
                }
                if self.slots.remove(slot).is_some() {
                    self.counts.remove(slot);
                    self.generation += 1;
                }
            }
        }
        let generation = self.generation;
        self.keep(
            act,
            Outcome::Applied {
                generation,
                observed,
                cut: 0,
            },
        )
    }

    fn keep(&mut self, act: &Act, outcome: Outcome) -> Outcome {
        self.done.insert(act.key.clone(), outcome.clone());
        outcome
    }

    /// What became of the call that `act` asks about.
    pub(super) fn probe(&self, act: &Act) -> Outcome {
        let known = match &act.action {
            Action::Probe { key } => self.done.get(key).cloned(),
            _ => None,
        };
        match known {
            // As targets do: a refused call was certainly not done.
            Some(Outcome::Refused { reason, text }) => Outcome::NotApplied { reason, text },
            Some(outcome) => outcome,
            None => Outcome::NotApplied {
                reason: Reason::EffectFailed,
                text: "never seen".into(),
            },
        }
    }

    /// Serves for a period and reads the counters.
    pub(super) fn sample(&mut self, at: Timestamp, look: &Look) -> Sample {
        if let Some(boot) = &look.boot {
            self.boot.clone_from(boot);
            self.seq = 0;
            self.unrouted = 0;
            for counts in self.counts.values_mut() {
                *counts = SlotCounts {
                    version: counts.version.clone(),
                    exits: counts.exits,
                    ..SlotCounts::default()
                };
            }
        }
        self.seq += u64::from(!look.repeated);
        self.unrouted += look.unrouted;
        for (name, counts) in &mut self.counts {
            let is_canary = *name == self.canary;
            let did = if is_canary { look.canary } else { look.stable };
            counts.routed += did.requests;
            counts.ok += did.requests - did.errors;
            counts.server_errors += did.errors;
            counts.slow += did.slow;
            counts.weight = self.slots.get(name).map_or(0, |s| s.weight);
            counts.ready = !(is_canary && look.unready);
            if is_canary {
                counts.exits += look.exits;
                counts.in_flight = look.in_flight;
            }
        }
        let mut slots = self.counts.clone();
        if let Some(counts) = slots.get_mut(&self.canary) {
            if look.down {
                counts.ok = counts.ok.saturating_sub(1);
            }
            if look.contradicts {
                counts.ok += 1_000;
            }
            if look.huge {
                counts.routed = u64::MAX;
            }
            if let Some(version) = &look.version {
                counts.version.clone_from(version);
            }
        }
        if look.gone {
            slots.remove(&self.canary);
        }
        Sample {
            at,
            boot: self.boot.clone(),
            seq: self.seq,
            generation: self.generation - u64::from(look.old),
            slots,
            unrouted: self.unrouted,
        }
    }
}
