//! What was counted so far: over the release, and since the last weight was written.
//!
//! Samples are cumulative, so a missed one loses nothing. A sample that runs backwards, repeats, contradicts itself, or
//! names another version than the plan's is [`Unusable`] and changes nothing.

use std::collections::BTreeMap;

use gonogo_core::canonical::MAX_SAFE_INTEGER;
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
    stable_version: String,
    /// The present life of the counters; none before the first sample.
    boot: Option<String>,
    /// Earlier lives. One that returns is a contradiction.
    past_boots: Vec<String>,
    seq: u64,
    last: BTreeMap<String, SlotCounts>,
    pub(super) errors: Rate,
    pub(super) slow: Rate,
    pub(super) client_errors: Rate,
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
    /// Requests that got no whole answer from any version, in the whole operation: nobody could take them, or the version was
    /// not reached, was late or broke off.
    pub(crate) lost: u64,
    unrouted_last: u64,
    /// Everything belongs to the new version, so requests that nobody could take are its errors too.
    alone: bool,
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
}

/// So many lives of the counters are followed; a target that begins again more often cannot be judged.
const BOOTS_MAX: usize = 32;

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
    /// A count is larger than every JSON reader keeps exactly.
    #[error("a number is beyond 2^53")]
    TooLarge,
    /// More requests ended than began.
    #[error("slot `{slot}` ended {completed} requests of {routed} given to it")]
    Contradiction {
        /// The slot.
        slot: String,
        /// Requests ended.
        completed: u64,
        /// Requests begun.
        routed: u64,
    },
    /// The counters went back to an earlier life, or begin again all the time.
    #[error("the counters' life `{boot}` was over already, or they begin again too often")]
    OldLife {
        /// The life named in the sample.
        boot: String,
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
    /// Begins to count for `plan`; none if a limit of the plan is not a fraction between 0 and 1, which the machine refuses
    /// before it begins.
    pub fn new(plan: &PlanBody) -> Option<Self> {
        let from = plan.from.as_ref();
        Some(Self {
            canary_slot: plan.slot.clone(),
            canary_version: plan.to.version.clone(),
            stable_slot: from.map(|d| d.slot.clone()),
            stable_version: from.map(|d| d.version.clone()).unwrap_or_default(),
            boot: None,
            past_boots: Vec::new(),
            seq: 0,
            last: BTreeMap::new(),
            errors: Rate::new(plan.checks.errors.limit.fraction())?,
            slow: Rate::new(plan.checks.slow.limit.fraction())?,
            client_errors: Rate::new(plan.checks.client_errors.limit.fraction())?,
            window: Window::default(),
            exits: 0,
            unready: 0,
            p99_us: (0, 0),
            served: 0,
            bad: 0,
            unrouted: 0,
            lost: 0,
            unrouted_last: 0,
            alone: false,
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
        if let (Some(errors), Some(slow), Some(client_errors)) = (
            Rate::new(checks.errors.limit.fraction()),
            Rate::new(checks.slow.limit.fraction()),
            Rate::new(checks.client_errors.limit.fraction()),
        ) {
            self.errors = errors;
            self.slow = slow;
            self.client_errors = client_errors;
        }
        self.alone = true;
        let generation = self.window.generation;
        self.turn(generation);
    }

    /// Takes a sample in. `moving` says that a write of this operation is under way, so that a newer generation may be its
    /// own: then the rates are counted, and the window is not.
    ///
    /// # Errors
    /// [`Unusable`]; nothing is changed then.
    pub fn take(&mut self, sample: &Sample, moving: bool) -> Result<(), Unusable> {
        let same_life = self.boot.as_ref() == Some(&sample.boot);
        if same_life && sample.seq <= self.seq {
            return Err(Unusable::NotNewer {
                seq: sample.seq,
                last: self.seq,
            });
        }
        if !same_life
            && (self.past_boots.contains(&sample.boot) || self.past_boots.len() >= BOOTS_MAX)
        {
            return Err(Unusable::OldLife {
                boot: sample.boot.clone(),
            });
        }
        let known = self.window.generation;
        if sample.generation != known && (sample.generation < known || !moving) {
            return Err(Unusable::Foreign {
                seen: sample.generation,
                known,
            });
        }
        if sample.seq > MAX_SAFE_INTEGER
            || sample.generation > MAX_SAFE_INTEGER
            || sample.unrouted > MAX_SAFE_INTEGER
            || sample.slots.values().any(is_too_large)
        {
            return Err(Unusable::TooLarge);
        }
        let canary = self.delta(sample, &self.canary_slot, &self.canary_version, same_life)?;
        let stable = match &self.stable_slot {
            Some(slot) => self.delta(sample, slot, &self.stable_version, same_life)?,
            None => SlotCounts::default(),
        };
        let unrouted = match &self.boot {
            None => 0,
            Some(_) if same_life => sample.unrouted.saturating_sub(self.unrouted_last),
            Some(_) => sample.unrouted,
        };
        // The counters of the new version began with its start, inside this operation. Those of stable did not: the first
        // sample only tells where they stand.
        let first = self.boot.is_none();
        let stable = if first { SlotCounts::default() } else { stable };
        self.count(&canary, &stable, unrouted);
        if sample.generation == known {
            self.window.count(&canary, &stable);
        }
        let now = sample.slots.get(&self.canary_slot);
        self.window.in_flight = now.map_or(0, |s| s.in_flight);
        self.unready = if now.is_some_and(|s| s.ready) {
            0
        } else {
            self.unready.saturating_add(1)
        };
        let p99 = |slot: &str| sample.slots.get(slot).map_or(0, |s| s.p99_us);
        self.p99_us = (
            p99(&self.canary_slot),
            self.stable_slot.as_deref().map_or(0, p99),
        );
        if !same_life {
            self.past_boots.extend(self.boot.take());
            self.boot = Some(sample.boot.clone());
        }
        self.seq = sample.seq;
        self.unrouted_last = sample.unrouted;
        self.last.clone_from(&sample.slots);
        Ok(())
    }

    fn count(&mut self, canary: &SlotCounts, stable: &SlotCounts, unrouted: u64) {
        let errors = |s: &SlotCounts| Tally {
            n: s.completed(),
            events: s.errors(),
        };
        // A slow request may be counted before it ends; one that is slow and never ends must not look like no request.
        let slow = |s: &SlotCounts| Tally {
            n: s.completed().max(s.slow),
            events: s.slow,
        };
        let mut canary_errors = errors(canary);
        if self.alone {
            canary_errors = canary_errors.add(Tally {
                n: unrouted,
                events: unrouted,
            });
        }
        self.errors.observe(canary_errors, errors(stable));
        self.slow.observe(slow(canary), slow(stable));
        let blamed = |s: &SlotCounts| Tally {
            n: s.completed(),
            events: s.client_errors,
        };
        self.client_errors.observe(blamed(canary), blamed(stable));
        self.served = sum(self.served, canary.completed());
        self.bad = sum(self.bad, canary.errors());
        self.exits = sum(self.exits, canary.exits);
        self.unrouted = sum(self.unrouted, unrouted);
        // Before the first version of all has served anything there is nobody to lose a request.
        let nobody = self.stable_slot.is_none() && self.served == 0;
        let unrouted = if nobody { 0 } else { unrouted };
        for lost in [unrouted, canary.unanswered(), stable.unanswered()] {
            self.lost = sum(self.lost, lost);
        }
    }

    /// Counts of `slot` since the last sample.
    fn delta(
        &self,
        sample: &Sample,
        slot: &str,
        version: &str,
        same_life: bool,
    ) -> Result<SlotCounts, Unusable> {
        let new = sample
            .slots
            .get(slot)
            .filter(|s| s.version == version)
            .ok_or_else(|| Unusable::WrongVersion {
                slot: slot.to_owned(),
                version: version.to_owned(),
            })?;
        if new.completed() > new.routed {
            return Err(Unusable::Contradiction {
                slot: slot.to_owned(),
                completed: new.completed(),
                routed: new.routed,
            });
        }
        let last = self.last.get(slot);
        let zero = SlotCounts::default();
        let old = last.filter(|_| same_life).unwrap_or(&zero);
        // Ends of the process are counted since it was put into the slot, over all lives of the other counters.
        let exits = match last {
            Some(last) if same_life || new.exits >= last.exits => new.exits.checked_sub(last.exits),
            _ => Some(new.exits),
        };
        let went_down = || Unusable::WentDown {
            slot: slot.to_owned(),
        };
        let minus = |a: u64, b: u64| a.checked_sub(b).ok_or_else(went_down);
        Ok(SlotCounts {
            exits: exits.ok_or_else(went_down)?,
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

    /// Requests of the new version begun and not ended, as last seen.
    pub(crate) fn in_flight(&self) -> u64 {
        self.window.in_flight
    }

    /// How often the target's counters began again. Each time, what was counted after the last sample before it is lost.
    pub(crate) fn restarts(&self) -> usize {
        self.past_boots.len()
    }
}

impl Window {
    fn count(&mut self, canary: &SlotCounts, stable: &SlotCounts) {
        if self.open {
            self.samples = sum(self.samples, 1);
            self.routed_canary = sum(self.routed_canary, canary.routed);
            self.routed_other = sum(self.routed_other, stable.routed);
            self.completed = sum(self.completed, canary.completed());
            self.quiet = canary.routed == 0;
        }
        self.open = true;
    }
}

/// Adds counts; stops where canonical JSON does.
fn sum(a: u64, b: u64) -> u64 {
    a.saturating_add(b).min(MAX_SAFE_INTEGER)
}

fn is_too_large(s: &SlotCounts) -> bool {
    // Completed and routed bound what they are made of.
    [
        s.completed(),
        s.routed,
        s.in_flight,
        s.slow,
        s.exits,
        s.p50_us,
        s.p99_us,
    ]
    .iter()
    .any(|n| *n > MAX_SAFE_INTEGER)
}
