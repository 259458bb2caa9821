//! The simulated target: slots, weights, a fence and counters. It executes whatever passes the fence, even twice.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Timestamp};
use gonogo_release::effect::{Action, Observed, ObservedSlot, Outcome};
use gonogo_release::plan::PlanBody;
use gonogo_release::sample::{Sample, SlotCounts};

/// How the versions answer.
#[derive(Debug, Clone, Copy)]
pub struct Traffic {
    /// Requests in a sample period.
    pub per_period: u64,
    /// Errors of the new version in a thousand.
    pub bad_permille: u64,
    /// The new version ends before it is ready.
    pub crashes: bool,
}

/// A target in memory.
#[derive(Debug)]
pub struct SimTarget {
    generation: u64,
    fence: u64,
    probe_raises_fence: bool,
    slots: BTreeMap<String, ObservedSlot>,
    counts: BTreeMap<String, SlotCounts>,
    results: BTreeMap<String, Outcome>,
    executed: BTreeMap<String, u32>,
    seq: u64,
    boot: u64,
    traffic: Traffic,
    canary: String,
    /// Order of events here: calls, looks, writes by others.
    events: u64,
    last_look: u64,
    last_foreign: Option<u64>,
}

impl SimTarget {
    /// A target in the plan's base state.
    pub fn new(plan: &PlanBody, traffic: Traffic, probe_raises_fence: bool) -> Self {
        let slots: BTreeMap<_, _> = plan
            .base
            .slots
            .iter()
            .map(|s| (s.slot.clone(), s.clone()))
            .collect();
        let counts = slots
            .iter()
            .map(|(k, s)| {
                (
                    k.clone(),
                    SlotCounts {
                        version: s.version.clone(),
                        ..SlotCounts::default()
                    },
                )
            })
            .collect();
        Self {
            generation: plan.base.generation,
            fence: 0,
            probe_raises_fence,
            slots,
            counts,
            results: BTreeMap::new(),
            executed: BTreeMap::new(),
            seq: 0,
            boot: 0,
            traffic,
            canary: plan.slot.clone(),
            events: 0,
            last_look: 0,
            last_foreign: None,
        }
    }

    /// The agent was ended and began again: slots, weights, fence and outcomes are durable, counters are not.
    pub fn restart(&mut self) {
        self.boot += 1;
        self.seq = 0;
        for counts in self.counts.values_mut() {
            *counts = SlotCounts {
                version: std::mem::take(&mut counts.version),
                exits: counts.exits,
                ..SlotCounts::default()
            };
        }
    }

    /// Somebody else writes weights that no plan has: `share` for the first slot, the rest for the last.
    pub fn foreign(&mut self, share: u32) {
        if self.slots.is_empty() {
            return;
        }
        self.events += 1;
        self.last_foreign = Some(self.events);
        self.generation += 1;
        let last = self.slots.len().saturating_sub(1);
        for (i, slot) in self.slots.values_mut().enumerate() {
            slot.weight = match i {
                0 => share,
                i if i == last => 10_000 - share,
                _ => 0,
            };
        }
    }

    /// Whether somebody else wrote weights and the operation looked at the target after that.
    pub fn foreign_was_seen(&self) -> bool {
        self.last_foreign.is_some_and(|at| at < self.last_look)
    }

    /// Whether somebody else wrote weights.
    pub fn foreign_came(&self) -> bool {
        self.last_foreign.is_some()
    }

    /// Whether somebody else wrote weights after the operation had looked for the last time.
    pub fn foreign_came_last(&self) -> bool {
        self.last_foreign.is_some_and(|at| at > self.last_look)
    }

    /// Executes a call that arrives with `epoch`.
    pub fn call(&mut self, key: &str, epoch: u64, action: &Action) -> Outcome {
        if epoch < self.fence {
            return Outcome::Refused {
                reason: Reason::StaleEpoch,
                text: format!("epoch {epoch} < {}", self.fence),
            };
        }
        if let Action::Probe { key } = action {
            if self.probe_raises_fence {
                self.fence = epoch;
            }
            return match self.results.get(key) {
                // A probe's own refusal speaks of the probe; a refused call was certainly not done.
                Some(Outcome::Refused { reason, text }) => Outcome::NotApplied {
                    reason: *reason,
                    text: text.clone(),
                },
                Some(outcome) => outcome.clone(),
                None => Outcome::NotApplied {
                    reason: Reason::EffectFailed,
                    text: "never seen".into(),
                },
            };
        }
        self.fence = epoch;
        let result = self.execute(action);
        if !matches!(action, Action::Observe) {
            self.results.insert(key.to_owned(), result.clone());
        }
        // Draining or stopping again is harmless by contract; starting or weighing again is not.
        let counts = matches!(action, Action::Start { .. } | Action::Weigh { .. });
        if counts && matches!(result, Outcome::Applied { .. }) {
            *self.executed.entry(key.to_owned()).or_default() += 1;
        }
        result
    }

    fn execute(&mut self, action: &Action) -> Outcome {
        self.events += 1;
        match action {
            Action::Observe => {
                self.last_look = self.events;
                let slots = self.slots.values().cloned().collect();
                let observed = Observed {
                    generation: self.generation,
                    slots,
                };
                return Outcome::Applied {
                    generation: self.generation,
                    observed: Some(observed),
                    cut: 0,
                };
            }
            Action::Start {
                slot,
                version,
                content,
            } => {
                if self.traffic.crashes {
                    let text = "it ended before it was ready".into();
                    return Outcome::NotApplied {
                        reason: Reason::VersionExited,
                        text,
                    };
                }
                let (slot, version, content) = (slot.clone(), version.clone(), *content);
                let counts = SlotCounts {
                    version: version.clone(),
                    ..SlotCounts::default()
                };
                self.counts.insert(slot.clone(), counts);
                self.slots.insert(
                    slot.clone(),
                    ObservedSlot {
                        slot,
                        version,
                        content,
                        weight: 0,
                        ready: true,
                    },
                );
            }
            Action::Weigh { weights, expect } => {
                if *expect != self.generation {
                    let text = format!("in generation {}, not {expect}", self.generation);
                    return Outcome::Refused {
                        reason: Reason::BaseStateMoved,
                        text,
                    };
                }
                if weights
                    .iter()
                    .any(|(slot, w)| *w > 0 && !self.slots.contains_key(slot))
                {
                    return Outcome::Refused {
                        reason: Reason::VersionNotReady,
                        text: "empty slot".into(),
                    };
                }
                for (slot, observed) in &mut self.slots {
                    observed.weight = weights.get(slot).copied().unwrap_or(0);
                }
            }
            Action::Drain { .. } => {
                return Outcome::Applied {
                    generation: self.generation,
                    observed: None,
                    cut: 0,
                };
            }
            Action::Stop { slot } => {
                if self.slots.get(slot).is_some_and(|s| s.weight > 0) {
                    return Outcome::Refused {
                        reason: Reason::EffectFailed,
                        text: "it still serves".into(),
                    };
                }
                if self.slots.remove(slot).is_none() {
                    return Outcome::Applied {
                        generation: self.generation,
                        observed: None,
                        cut: 0,
                    };
                }
                self.counts.remove(slot);
            }
            Action::Probe { .. } => {}
        }
        self.generation += 1;
        Outcome::Applied {
            generation: self.generation,
            observed: None,
            cut: 0,
        }
    }

    /// Serves one sample period and reads the counters.
    pub fn sample(&mut self, at: Timestamp) -> Sample {
        self.seq += 1;
        for (name, slot) in &self.slots {
            let Some(counts) = self.counts.get_mut(name) else {
                continue;
            };
            let n = self.traffic.per_period * u64::from(slot.weight) / 10_000;
            let bad = if *name == self.canary {
                n * self.traffic.bad_permille / 1000
            } else {
                0
            };
            counts.weight = slot.weight;
            counts.ready = slot.ready;
            counts.routed += n;
            counts.ok += n - bad;
            counts.server_errors += bad;
        }
        Sample {
            at,
            boot: format!("sim-{}", self.boot),
            seq: self.seq,
            generation: self.generation,
            slots: self.counts.clone(),
            unrouted: 0,
        }
    }

    /// Weight of each slot in use.
    pub fn weights(&self) -> BTreeMap<&str, u32> {
        self.slots
            .values()
            .map(|s| (s.slot.as_str(), s.weight))
            .collect()
    }

    /// Keys that were executed more than once.
    pub fn repeated(&self) -> Vec<&str> {
        self.executed
            .iter()
            .filter(|(_, n)| **n > 1)
            .map(|(k, _)| k.as_str())
            .collect()
    }

    /// How many calls were executed.
    pub fn executions(&self) -> u64 {
        self.executed.values().map(|n| u64::from(*n)).sum()
    }
}
