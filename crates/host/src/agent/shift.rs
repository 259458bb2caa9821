//! Weighing and draining.

use std::collections::BTreeMap;
use std::time::Duration;

use gonogo_core::Reason;
use gonogo_release::Outcome;
use gonogo_target::Call;

use super::live::{Agent, Live, drain_time};
use super::state::Phase;
use crate::proxy::FULL_WEIGHT;

/// How often requests in flight are counted while draining.
const LOOK: Duration = Duration::from_millis(10);
/// How long cut requests may take to be gone from the counters.
const AFTER_CUT: Duration = Duration::from_secs(2);

impl Agent {
    /// Sets all weights at once, if the target is in the expected generation.
    ///
    /// One write makes weights, generation and outcome durable: the stored generation says whether it happened.
    pub(super) fn weigh(
        &self,
        call: &Call,
        weights: &BTreeMap<String, u32>,
        expect: u64,
    ) -> Outcome {
        let mut live = self.lock();
        let live = &mut *live;
        let outcome = check(live, call.epoch, weights, expect).and_then(|()| {
            let before: Vec<(String, u32)> = live
                .stored
                .slots
                .iter()
                .map(|(name, slot)| (name.clone(), slot.weight))
                .collect();
            for (name, slot) in &mut live.stored.slots {
                slot.weight = weights.get(name).copied().unwrap_or(0);
            }
            live.stored.generation += 1;
            let Err(e) = live.route() else {
                return Ok(Outcome::Applied {
                    generation: live.stored.generation,
                    observed: None,
                    cut: 0,
                });
            };
            // Back, under a generation of its own: whoever expects the one in between is refused.
            for (name, weight) in before {
                if let Some(slot) = live.stored.slots.get_mut(&name) {
                    slot.weight = weight;
                }
            }
            live.stored.generation += 1;
            Err(match live.route() {
                Ok(()) => Outcome::NotApplied {
                    reason: Reason::EffectFailed,
                    text: format!("the old weights are back: {e}"),
                },
                Err(back) => Outcome::Partial {
                    text: format!("some requests may go by the new weights: {e}; and {back}"),
                },
            })
        });
        let outcome = outcome.unwrap_or_else(|not_done| not_done);
        self.commit(live, &call.key, outcome)
    }

    /// Waits until a slot without weight serves nothing; cuts what is left at the deadline.
    pub(super) fn drain(&self, call: &Call, slot: &str, limit: u64) -> Outcome {
        let outcome = self
            .turn(slot, call.epoch, limit)
            .and_then(|_turn| self.drained(slot, limit));
        self.commit(
            &mut self.lock(),
            &call.key,
            outcome.unwrap_or_else(|not_done| not_done),
        )
    }

    fn drained(&self, name: &str, limit: u64) -> Result<Outcome, Outcome> {
        let mut live = self.lock();
        let Some(within) = live
            .stored
            .slots
            .get(name)
            .map(|slot| drain_time(&slot.spec))
        else {
            // An empty slot serves nothing.
            return Ok(Outcome::Applied {
                generation: live.stored.generation,
                observed: None,
                cut: 0,
            });
        };
        let end = limit.min(self.now_ms().saturating_add(within.as_millis() as u64));
        // How many were cut; none while there is time.
        let (mut end, mut cut) = (end, None);
        loop {
            // Looked at in each round: another call may have given it weight.
            if let Some(slot) = live.stored.slots.get(name).filter(|slot| slot.weight > 0) {
                let text = format!(
                    "slot `{name}` has weight {}; set it to 0 first",
                    slot.weight
                );
                return Err(Outcome::Refused {
                    reason: Reason::AgentRefused,
                    text,
                });
            }
            let under_way = live.in_flight(name);
            if under_way == 0 {
                return Ok(Outcome::Applied {
                    generation: live.stored.generation,
                    observed: None,
                    cut: cut.unwrap_or(0),
                });
            }
            let left = self.left(end);
            if left.is_zero() && cut.is_some() {
                return Err(Outcome::Partial {
                    text: format!(
                        "slot `{name}`: {under_way} requests are still counted after they were cut"
                    ),
                });
            }
            if left.is_zero() {
                if let Some(proxy) = &live.proxy {
                    proxy.cut(name);
                }
                cut = Some(under_way);
                end = self.now_ms().saturating_add(AFTER_CUT.as_millis() as u64);
                continue;
            }
            live = self.wait(live, LOOK.min(left));
        }
    }
}

impl Live {
    /// Requests and tunnels of a slot that have not ended.
    fn in_flight(&self, slot: &str) -> u64 {
        let counters = self
            .proxy
            .as_ref()
            .map(crate::proxy::Proxy::counters)
            .unwrap_or_default();
        counters
            .slots
            .get(slot)
            .map_or(0, |counts| counts.in_flight + counts.upgraded_open)
    }
}

fn check(
    live: &Live,
    epoch: u64,
    weights: &BTreeMap<String, u32>,
    expect: u64,
) -> Result<(), Outcome> {
    let refuse = |reason, text| Err(Outcome::Refused { reason, text });
    if epoch < live.stored.calls.fence() {
        return refuse(
            Reason::StaleEpoch,
            "a newer controller came before the weights were set; nothing was done".into(),
        );
    }
    if expect != live.stored.generation {
        let text = format!(
            "the target is in generation {}, not {expect}; nothing was done",
            live.stored.generation
        );
        return refuse(Reason::BaseStateMoved, text);
    }
    let sum: u64 = weights.values().map(|w| u64::from(*w)).sum();
    if sum != 0 && sum != u64::from(FULL_WEIGHT) {
        return refuse(
            Reason::AgentRefused,
            format!("the weights add up to {sum}, not {FULL_WEIGHT} or 0; nothing was done"),
        );
    }
    for (name, weight) in weights.iter().filter(|(_, weight)| **weight > 0) {
        match live.stored.slots.get(name) {
            Some(slot) if slot.phase == Phase::Serving && live.is_ready(name) => {}
            Some(slot) => {
                let text = format!(
                    "version `{}` in slot `{name}` is not ready and gets no weight ({weight}); nothing was done",
                    slot.spec.version
                );
                return refuse(Reason::VersionNotReady, text);
            }
            None => {
                return refuse(
                    Reason::VersionNotReady,
                    format!(
                        "slot `{name}` is empty and gets no weight ({weight}); nothing was done"
                    ),
                );
            }
        }
    }
    Ok(())
}
