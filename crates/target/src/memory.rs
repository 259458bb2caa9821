//! A target in memory: the same rules as a real one, no processes, no time of its own. Tests and simulations set what it serves.
//!
//! Deterministic: what it answers follows from the calls and settings alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_release::{Action, Observed, ObservedSlot, Outcome, Sample, SlotCounts};

use crate::calls::{Admission, Calls};
use crate::{Call, Target};

/// The sum of the weights of a target that serves.
const FULL_WEIGHT: u64 = 10_000;

/// A target in memory.
#[derive(Debug, Default)]
pub struct MemoryTarget {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    calls: Calls,
    generation: u64,
    slots: BTreeMap<String, Slot>,
    failing: BTreeMap<String, Reason>,
    lost: BTreeSet<String>,
    unrouted: u64,
    now_ms: i64,
    boot: u64,
    seq: u64,
}

#[derive(Debug)]
struct Slot {
    content: Digest,
    counts: SlotCounts,
}

impl MemoryTarget {
    /// An empty target in generation 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the wall time of its samples.
    pub fn set_now(&self, now: Timestamp) {
        self.lock().now_ms = now.as_millis();
    }

    /// Makes starts of `version` end as not applied for `reason`.
    pub fn fail_start(&self, version: &str, reason: Reason) {
        self.lock().failing.insert(version.to_owned(), reason);
    }

    /// Makes the answer to the call with `key` get lost once: it is carried out and answered as unknown.
    pub fn lose_answer(&self, key: &str) {
        self.lock().lost.insert(key.to_owned());
    }

    /// Adds `served` to the counts of a slot: its counters only. Nothing happens for an empty slot.
    pub fn serve(&self, slot: &str, served: &SlotCounts) {
        if let Some(slot) = self.lock().slots.get_mut(slot) {
            slot.add(served);
        }
    }

    /// Serves `requests` without error, spread over the ready slots by weight; the remainders go to the first by name.
    pub fn spread(&self, requests: u64) {
        let mut inner = self.lock();
        let eligible = |slot: &Slot| {
            if slot.counts.ready {
                u64::from(slot.counts.weight)
            } else {
                0
            }
        };
        let sum: u64 = inner.slots.values().map(eligible).sum();
        let mut left = requests;
        for slot in inner.slots.values_mut().filter(|slot| eligible(slot) > 0) {
            let share = (requests * eligible(slot)).div_ceil(sum).min(left);
            left -= share;
            slot.add(&SlotCounts {
                routed: share,
                ok: share,
                ..SlotCounts::default()
            });
        }
        inner.unrouted += left;
    }

    /// Sets a slot's readiness.
    pub fn set_ready(&self, slot: &str, ready: bool) {
        if let Some(slot) = self.lock().slots.get_mut(slot) {
            slot.counts.ready = ready;
        }
    }

    /// Lets a slot's process end by itself; it is not ready afterwards.
    pub fn exit(&self, slot: &str) {
        if let Some(slot) = self.lock().slots.get_mut(slot) {
            slot.counts.exits += 1;
            slot.counts.ready = false;
        }
    }

    /// Begins another life: counters start from zero under a new boot name; slots, weights, fence and keys stay.
    pub fn restart(&self) {
        let mut inner = self.lock();
        inner.boot += 1;
        inner.seq = 0;
        inner.unrouted = 0;
        for slot in inner.slots.values_mut() {
            let SlotCounts {
                version,
                weight,
                ready,
                exits,
                ..
            } = std::mem::take(&mut slot.counts);
            slot.counts = SlotCounts {
                version,
                weight,
                ready,
                exits,
                ..SlotCounts::default()
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target for MemoryTarget {
    fn call(&self, call: &Call) -> Outcome {
        let mut inner = self.lock();
        let outcome = inner.call(call);
        if inner.lost.remove(&call.key) {
            return Outcome::Unknown {
                text: "the answer was lost".into(),
            };
        }
        outcome
    }

    fn sample(&self, _deadline: Span) -> Result<Sample, String> {
        let mut inner = self.lock();
        inner.seq += 1;
        Ok(Sample {
            at: Timestamp::from_millis(inner.now_ms),
            boot: format!("memory-{}", inner.boot),
            seq: inner.seq,
            generation: inner.generation,
            slots: inner
                .slots
                .iter()
                .map(|(name, slot)| (name.clone(), slot.counts.clone()))
                .collect(),
            unrouted: inner.unrouted,
        })
    }
}

impl Slot {
    fn add(&mut self, served: &SlotCounts) {
        let counts = &mut self.counts;
        counts.routed += served.routed;
        counts.in_flight += served.in_flight;
        counts.ok += served.ok;
        counts.client_errors += served.client_errors;
        counts.server_errors += served.server_errors;
        counts.connect_errors += served.connect_errors;
        counts.timeouts += served.timeouts;
        counts.aborted += served.aborted;
        counts.slow += served.slow;
    }
}

impl Inner {
    fn call(&mut self, call: &Call) -> Outcome {
        match &call.action {
            Action::Observe => match self.calls.raise(call.epoch) {
                Err(refusal) => refusal,
                Ok(_) => Outcome::Applied {
                    generation: self.generation,
                    observed: Some(self.observed()),
                    cut: 0,
                },
            },
            Action::Probe { key } => match self.calls.raise(call.epoch) {
                Err(refusal) => refusal,
                Ok(_) => self.calls.answer(key).unwrap_or_else(|| Outcome::Unknown {
                    text: "under way".into(),
                }),
            },
            action => match self.calls.admit(&call.key, call.epoch, action) {
                Admission::Known(outcome) | Admission::Refused(outcome) => outcome,
                Admission::Open => Outcome::Unknown {
                    text: "under way".into(),
                },
                Admission::Begin => {
                    let outcome = self.change(call).unwrap_or_else(|not_done| not_done);
                    self.calls.settle(&call.key, outcome.clone());
                    outcome
                }
            },
        }
    }

    fn change(&mut self, call: &Call) -> Result<Outcome, Outcome> {
        match &call.action {
            Action::Start {
                slot,
                version,
                content,
            } => self.start(call, slot, version, *content)?,
            Action::Weigh { weights, expect } => self.weigh(weights, *expect)?,
            Action::Drain { slot } => {
                self.without_weight(slot)?;
                if let Some(slot) = self.slots.get_mut(slot) {
                    slot.counts.aborted += slot.counts.in_flight;
                    slot.counts.in_flight = 0;
                }
            }
            Action::Stop { slot } => {
                self.without_weight(slot)?;
                self.generation += u64::from(self.slots.remove(slot).is_some());
            }
            Action::Observe | Action::Probe { .. } => {}
        }
        Ok(Outcome::Applied {
            generation: self.generation,
            observed: None,
            cut: 0,
        })
    }

    fn start(
        &mut self,
        call: &Call,
        slot: &str,
        version: &str,
        content: Digest,
    ) -> Result<(), Outcome> {
        let (Some(spec), Some(_)) = (&call.version, call.slow_over) else {
            return Err(refused(
                Reason::AgentRefused,
                "a start needs `version` and `slow_over`".into(),
            ));
        };
        if spec.version != version || spec.content() != Ok(content) {
            return Err(refused(
                Reason::PlanEdited,
                format!("the description of version `{version}` is not {content}; plan again"),
            ));
        }
        if let Some(held) = self.slots.get(slot) {
            return Err(refused(
                Reason::BaseStateMoved,
                format!("slot `{slot}` holds version `{}`", held.counts.version),
            ));
        }
        if let Some(reason) = self.failing.get(version) {
            return Err(Outcome::NotApplied {
                reason: *reason,
                text: format!("version `{version}`: {}", reason.meaning()),
            });
        }
        let counts = SlotCounts {
            version: version.to_owned(),
            ready: true,
            ..SlotCounts::default()
        };
        self.slots.insert(slot.to_owned(), Slot { content, counts });
        self.generation += 1;
        Ok(())
    }

    fn weigh(&mut self, weights: &BTreeMap<String, u32>, expect: u64) -> Result<(), Outcome> {
        if expect != self.generation {
            let text = format!(
                "the target is in generation {}, not {expect}",
                self.generation
            );
            return Err(refused(Reason::BaseStateMoved, text));
        }
        let sum: u64 = weights.values().map(|w| u64::from(*w)).sum();
        if sum != 0 && sum != FULL_WEIGHT {
            return Err(refused(
                Reason::AgentRefused,
                format!("the weights add up to {sum}, not {FULL_WEIGHT} or 0"),
            ));
        }
        let unready = |(name, weight): &(&String, &u32)| {
            **weight > 0 && !self.slots.get(*name).is_some_and(|s| s.counts.ready)
        };
        if let Some((name, _)) = weights.iter().find(unready) {
            return Err(refused(
                Reason::VersionNotReady,
                format!("slot `{name}` is empty or not ready and gets no weight"),
            ));
        }
        for (name, slot) in &mut self.slots {
            slot.counts.weight = weights.get(name).copied().unwrap_or(0);
        }
        self.generation += 1;
        Ok(())
    }

    fn without_weight(&self, slot: &str) -> Result<(), Outcome> {
        match self.slots.get(slot).map_or(0, |s| s.counts.weight) {
            0 => Ok(()),
            weight => Err(refused(
                Reason::AgentRefused,
                format!("slot `{slot}` has weight {weight}; set it to 0 first"),
            )),
        }
    }

    fn observed(&self) -> Observed {
        let slots = self.slots.iter().map(|(name, slot)| ObservedSlot {
            slot: name.clone(),
            version: slot.counts.version.clone(),
            content: slot.content,
            weight: slot.counts.weight,
            ready: slot.counts.ready,
        });
        Observed {
            generation: self.generation,
            slots: slots.collect(),
        }
    }
}

fn refused(reason: Reason, text: String) -> Outcome {
    Outcome::Refused {
        reason,
        text: format!("{text}; nothing was done"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gonogo_release::plan::{Drain, Protocol, Ready, ReadyProbe, VersionSpec};

    use super::*;
    use crate::contract::{Fixture, check_contract};

    fn version(name: &str) -> VersionSpec {
        VersionSpec {
            version: name.into(),
            run: vec!["serve".into()],
            env: BTreeMap::new(),
            env_from: Vec::new(),
            port_env: "PORT".into(),
            artifacts: Vec::new(),
            ready: Ready {
                probe: ReadyProbe::Tcp,
                interval: Span::from_secs(1),
                timeout: Span::from_secs(1),
                within: Span::from_secs(1),
            },
            drain: Drain {
                signal: "TERM".into(),
                within: Span::from_secs(1),
            },
            protocol: Protocol::Http1,
        }
    }

    fn fixture() -> Fixture {
        Fixture {
            first: version("1"),
            second: version("2"),
            broken: Some(version("3")),
            slow_over: Span::from_millis(100),
            deadline: Span::from_secs(1),
            epoch: 4,
        }
    }

    #[test]
    fn keeps_the_contract() {
        let target = MemoryTarget::new();
        target.fail_start("3", Reason::VersionExited);
        check_contract(&target, &fixture()).unwrap();
    }

    /// A target that breaks one rule.
    struct Mutant(MemoryTarget, Mutation);

    type Mutation = fn(&MemoryTarget, &Call) -> Outcome;

    impl Target for Mutant {
        fn call(&self, call: &Call) -> Outcome {
            (self.1)(&self.0, call)
        }
        fn sample(&self, deadline: Span) -> Result<Sample, String> {
            self.0.sample(deadline)
        }
    }

    #[test]
    fn the_contract_kills_mutants() {
        let mutants: [(&str, &str, Mutation); 4] = [
            ("fence", "older epoch", |target, call| {
                // Forgets epochs: everything comes with the newest.
                target.call(&Call {
                    epoch: 99,
                    ..call.clone()
                })
            }),
            ("probe", "older epoch", |target, call| match &call.action {
                // Answers without raising the fence.
                Action::Probe { key } => target.lock().calls.answer(key).unwrap(),
                _ => target.call(call),
            }),
            ("key", "known key", |target, call| {
                // Does everything again.
                target.lock().seq += 1;
                let key = format!("{}-{}", call.key, target.lock().seq);
                target.call(&Call {
                    key,
                    ..call.clone()
                })
            }),
            (
                "generation",
                "expects the generation",
                |target, call| match &call.action {
                    Action::Weigh { weights, .. } => {
                        let expect = target.lock().generation;
                        target.call(&Call {
                            action: Action::Weigh {
                                weights: weights.clone(),
                                expect,
                            },
                            ..call.clone()
                        })
                    }
                    _ => target.call(call),
                },
            ),
        ];
        for (name, killer, mutant) in mutants {
            let target = MemoryTarget::new();
            target.fail_start("3", Reason::VersionExited);
            let breach = check_contract(&Mutant(target, mutant), &fixture());
            let rule = breach.expect_err(name).rule;
            assert!(rule.contains(killer), "{name} dies of: {rule}");
        }
    }

    #[test]
    fn a_lost_answer_is_found_by_probing() {
        let target = MemoryTarget::new();
        let spec = version("1");
        let content = spec.content().unwrap();
        let call = |key: &str, action| Call {
            key: key.into(),
            epoch: 1,
            deadline: Span::from_secs(1),
            action,
            version: Some(spec.clone()),
            slow_over: Some(Span::from_secs(1)),
        };
        target.lose_answer("k");
        let start = Action::Start {
            slot: "a".into(),
            version: "1".into(),
            content,
        };
        assert!(matches!(
            target.call(&call("k", start)),
            Outcome::Unknown { .. }
        ));
        let told = target.call(&call("p", Action::Probe { key: "k".into() }));
        assert_eq!(
            told,
            Outcome::Applied {
                generation: 1,
                observed: None,
                cut: 0,
            }
        );
    }

    #[test]
    fn traffic_follows_the_weights_and_a_new_life_counts_from_zero() {
        let target = MemoryTarget::new();
        let spec = version("1");
        let content = spec.content().unwrap();
        let call = |key: &str, action| Call {
            key: key.into(),
            epoch: 1,
            deadline: Span::from_secs(1),
            action,
            version: Some(spec.clone()),
            slow_over: Some(Span::from_secs(1)),
        };
        for slot in ["a", "b"] {
            target.call(&call(
                slot,
                Action::Start {
                    slot: slot.into(),
                    version: "1".into(),
                    content,
                },
            ));
        }
        target.spread(5);
        let weights = [("a".to_owned(), 9_000), ("b".to_owned(), 1_000)].into();
        target.call(&call("w", Action::Weigh { weights, expect: 2 }));
        target.spread(1_000);
        let sample = target.sample(Span::ZERO).unwrap();
        assert_eq!(
            (
                sample.slots["a"].routed,
                sample.slots["b"].routed,
                sample.unrouted
            ),
            (900, 100, 5)
        );
        target.exit("b");
        target.restart();
        let again = target.sample(Span::ZERO).unwrap();
        assert_ne!(again.boot, sample.boot);
        assert_eq!(
            (
                again.seq,
                again.slots["a"].routed,
                again.slots["b"].exits,
                again.slots["a"].weight
            ),
            (1, 0, 1, 9_000)
        );
    }
}
