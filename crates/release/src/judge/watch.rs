//! What was counted so far: over the release, and since the last weight was written.
//!
//! Samples are cumulative, so a missed one loses nothing. A sample that runs backwards, repeats, or names another version
//! than the plan's is [`Unusable`] and changes nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::rate::{Rate, Tally};
use crate::plan::{Checks, PlanBody};
use crate::sample::{Sample, SlotCounts};

/// Counts of one operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watch {
    pub(super) canary_slot: String,
    canary_version: String,
    pub(super) stable_slot: Option<String>,
    boot: String,
    seq: u64,
    last: BTreeMap<String, SlotCounts>,
    pub(super) errors: Rate,
    pub(super) slow: Rate,
    pub(super) window: Window,
    pub(super) exits: u64,
    pub(super) unready: u32,
    pub(super) p99_us: (u64, u64),
    /// Requests that the new version served in the whole operation.
    pub(crate) served: u64,
    /// Requests that the new version answered badly in the whole operation.
    pub(crate) bad: u64,
    /// Requests that nobody could take, in the whole operation.
    pub(crate) unrouted: u64,
    unrouted_last: u64,
}

/// Counts since the last weight was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Window {
    /// The generation that the weight write led to.
    pub(super) generation: u64,
    /// Whether a first sample in that generation gave the base line.
    pub(super) open: bool,
    /// Samples after the base line.
    pub(super) samples: u64,
    pub(super) routed_canary: u64,
    pub(super) routed_other: u64,
    pub(super) completed: u64,
    pub(super) in_flight: u64,
    /// Whether the newest sample after the base line saw no new request for the new version.
    pub(super) quiet: bool,
    /// The same for the old version.
    pub(super) quiet_old: bool,
}

/// Why a sample cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The same reading again, or an older one.
    #[error("the reading {seq} is not newer than {last}")]
    NotNewer {
        /// The reading's number.
        seq: u64,
        /// The newest number known.
        last: u64,
    },
    /// A count went down within one life of the counters.
    #[error("the counts of slot `{slot}` went down")]
    WentDown {
        /// The slot.
        slot: String,
    },
    /// A slot is gone or holds another version.
    #[error("slot `{slot}` does not hold version `{version}`")]
    WrongVersion {
        /// The slot.
        slot: String,
        /// The version that the plan put there.
        version: String,
    },
    /// Another writer changed slots or weights.
    #[error("the target is in generation {seen}, not in {known}: somebody else changed it")]
    Foreign {
        /// Generation in the sample.
        seen: u64,
        /// Generation that this operation led to.
        known: u64,
    },
}

impl Watch {
    /// Begins to count for `plan`; none if a limit of the plan is not a fraction between 0 and 1, which lint refuses.
    pub fn new(plan: &PlanBody) -> Option<Self> {
        Some(Self {
            canary_slot: plan.slot.clone(),
            canary_version: plan.to.version.clone(),
            stable_slot: plan.from.as_ref().map(|d| d.slot.clone()),
            boot: String::new(),
            seq: 0,
            last: BTreeMap::new(),
            errors: Rate::new(plan.checks.errors.limit.fraction())?,
            slow: Rate::new(plan.checks.slow.limit.fraction())?,
            window: Window::default(),
            exits: 0,
            unready: 0,
            p99_us: (0, 0),
            served: 0,
            bad: 0,
            unrouted: 0,
            unrouted_last: 0,
        })
    }

    /// Begins a new window: a weight was written and led to `generation`.
    pub fn turn(&mut self, generation: u64) {
        self.window = Window {
            generation,
            ..Window::default()
        };
        self.unready = 0;
    }

    /// Forgets the rates, so that what follows is judged by itself: after promotion there is no stable to compare with, and
    /// a long good past must not hide a bad present.
    pub fn refresh(&mut self, checks: &Checks) {
        if let (Some(errors), Some(slow)) = (
            Rate::new(checks.errors.limit.fraction()),
            Rate::new(checks.slow.limit.fraction()),
        ) {
            self.errors = errors;
            self.slow = slow;
        }
        let generation = self.window.generation;
        self.turn(generation);
    }

    /// Takes a sample in.
    ///
    /// # Errors
    /// [`Unusable`]; nothing is changed then.
    pub fn take(&mut self, sample: &Sample) -> Result<(), Unusable> {
        let same_life = sample.boot == self.boot;
        if same_life && sample.seq <= self.seq {
            return Err(Unusable::NotNewer {
                seq: sample.seq,
                last: self.seq,
            });
        }
        if sample.generation != self.window.generation {
            return Err(Unusable::Foreign {
                seen: sample.generation,
                known: self.window.generation,
            });
        }
        let canary = self.delta(sample, &self.canary_slot, same_life)?;
        if sample
            .slots
            .get(&self.canary_slot)
            .is_some_and(|s| s.version != self.canary_version)
        {
            return Err(Unusable::WrongVersion {
                slot: self.canary_slot.clone(),
                version: self.canary_version.clone(),
            });
        }
        let stable = match &self.stable_slot {
            Some(slot) => self.delta(sample, slot, same_life)?,
            None => SlotCounts::default(),
        };
        // The counters of the new version began with its start, inside this operation. Those of stable did not: the first
        // sample only tells where they stand.
        if self.boot.is_empty() {
            self.unrouted_last = sample.unrouted;
            self.count(&canary, &SlotCounts::default(), sample);
        } else {
            self.count(&canary, &stable, sample);
        }
        self.unrouted_last = sample.unrouted;
        let ready = sample.slots.get(&self.canary_slot).is_some_and(|s| s.ready);
        self.unready = if ready {
            0
        } else {
            self.unready.saturating_add(1)
        };
        let p99 = |slot: &str| sample.slots.get(slot).map_or(0, |s| s.p99_us);
        self.p99_us = (
            p99(&self.canary_slot),
            self.stable_slot.as_deref().map_or(0, p99),
        );
        self.boot.clone_from(&sample.boot);
        self.seq = sample.seq;
        self.last.clone_from(&sample.slots);
        Ok(())
    }

    fn count(&mut self, canary: &SlotCounts, stable: &SlotCounts, sample: &Sample) {
        let errors = |s: &SlotCounts| Tally {
            n: s.completed(),
            events: s.errors(),
        };
        let slow = |s: &SlotCounts| Tally {
            n: s.completed(),
            events: s.slow.min(s.completed()),
        };
        self.errors.observe(errors(canary), errors(stable));
        self.slow.observe(slow(canary), slow(stable));
        self.served = self.served.saturating_add(canary.completed());
        self.bad = self.bad.saturating_add(canary.errors());
        self.exits = self.exits.saturating_add(canary.exits);
        let before = if sample.boot == self.boot || self.boot.is_empty() {
            self.unrouted_last
        } else {
            0
        };
        self.unrouted = self
            .unrouted
            .saturating_add(sample.unrouted.saturating_sub(before));
        let window = &mut self.window;
        if window.open {
            window.samples += 1;
            window.routed_canary += canary.routed;
            window.routed_other += stable.routed;
            window.completed += canary.completed();
            window.quiet = canary.routed == 0;
            window.quiet_old = stable.routed == 0;
        }
        window.open = true;
        window.in_flight = sample
            .slots
            .get(&self.canary_slot)
            .map_or(0, |s| s.in_flight);
    }

    /// Counts of `slot` since the last sample. A slot that is not there counts nothing.
    fn delta(&self, sample: &Sample, slot: &str, same_life: bool) -> Result<SlotCounts, Unusable> {
        let Some(new) = sample.slots.get(slot) else {
            return Ok(SlotCounts::default());
        };
        let old = match self.last.get(slot) {
            Some(old) if same_life && old.version == new.version => old.clone(),
            _ => SlotCounts::default(),
        };
        let minus = |a: u64, b: u64| {
            a.checked_sub(b).ok_or_else(|| Unusable::WentDown {
                slot: slot.to_owned(),
            })
        };
        Ok(SlotCounts {
            version: new.version.clone(),
            exits: minus(new.exits, old.exits)?,
            routed: minus(new.routed, old.routed)?,
            ok: minus(new.ok, old.ok)?,
            client_errors: minus(new.client_errors, old.client_errors)?,
            server_errors: minus(new.server_errors, old.server_errors)?,
            connect_errors: minus(new.connect_errors, old.connect_errors)?,
            timeouts: minus(new.timeouts, old.timeouts)?,
            aborted: minus(new.aborted, old.aborted)?,
            slow: minus(new.slow, old.slow)?,
            ..SlotCounts::default()
        })
    }

    /// Whether the new version is measured to serve nothing: a whole sample period after the write saw no new request.
    pub(crate) fn is_quiet(&self) -> bool {
        self.window.samples > 0 && self.window.quiet
    }
}
