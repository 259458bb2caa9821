//! Stopping versions.

use std::thread;
use std::time::Duration;

use gonogo_core::Reason;
use gonogo_exec::{ExecError, Ladder, StopSignal, end, sweep};
use gonogo_release::Outcome;
use gonogo_target::Call;

use super::live::{Agent, drain_time};
use super::state::{Phase, Slot};

/// How long stopping everything may wait for calls under way.
const ALL_LIMIT_MS: u64 = 60_000;

impl Agent {
    /// Stops the version in a slot and frees the slot. An empty slot is already so.
    pub(super) fn stop(&self, call: &Call, name: &str, limit: u64) -> Outcome {
        let turn = self.turn(name, call.epoch, limit);
        let ended = turn.and_then(|turn| {
            let slot = self.begin_stop(name)?;
            if let Some(slot) = &slot
                && let Err(e) = end_slot(slot, self.left(limit))
            {
                let text = format!(
                    "version `{}` in slot `{name}` gets no traffic and could not be ended: {e}",
                    slot.spec.version
                );
                return Err(Outcome::NotApplied {
                    reason: Reason::EffectFailed,
                    text,
                });
            }
            Ok((turn, slot.is_some()))
        });
        // The freed slot and the outcome are one write; the turn is kept until then.
        let mut live = self.lock();
        let outcome = match &ended {
            Err(not_done) => not_done.clone(),
            Ok((_, ended)) => {
                if *ended {
                    live.stored.slots.remove(name);
                    live.seen.remove(name);
                    live.stored.generation += 1;
                    // The slot had no weight; a worker that did not confirm sends nothing there either.
                    let _ = live.route();
                }
                Outcome::Applied {
                    generation: live.stored.generation,
                    observed: None,
                    cut: 0,
                }
            }
        };
        let outcome = self.commit(&mut live, &call.key, outcome);
        drop(live);
        drop(ended);
        outcome
    }

    /// Marks a slot as being stopped, durably; none if it is empty.
    fn begin_stop(&self, name: &str) -> Result<Option<Slot>, Outcome> {
        let mut live = self.lock();
        let Some(slot) = live.stored.slots.get_mut(name) else {
            return Ok(None);
        };
        if slot.weight > 0 {
            let text = format!(
                "slot `{name}` has weight {}; set it to 0 first, nothing was done",
                slot.weight
            );
            return Err(Outcome::Refused {
                reason: Reason::AgentRefused,
                text,
            });
        }
        let was = std::mem::replace(&mut slot.phase, Phase::Stopping);
        let slot = slot.clone();
        if let Err(e) = self.store(&mut live) {
            if let Some(slot) = live.stored.slots.get_mut(name) {
                slot.phase = was;
            }
            return Err(Outcome::NotApplied {
                reason: Reason::StoreFailed,
                text: format!("nothing was done: {e}"),
            });
        }
        if let Some(seen) = live.seen.get_mut(name) {
            seen.ready = false;
        }
        self.notify();
        Ok(Some(slot))
    }

    /// Stops all versions, for an agent that ends for good. Takes the traffic away first.
    pub(super) fn stop_all(&self) -> Result<(), String> {
        let limit = self.now_ms() + ALL_LIMIT_MS;
        let names: Vec<String> = self.lock().stored.slots.keys().cloned().collect();
        let turns = names.iter().map(|name| self.turn(name, u64::MAX, limit));
        let turns = turns
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| "calls are under way; try again".to_owned())?;
        let slots: Vec<Slot> = {
            let mut live = self.lock();
            for slot in live.stored.slots.values_mut() {
                slot.weight = 0;
                slot.phase = Phase::Stopping;
            }
            live.stored.generation += 1;
            live.route().map_err(|e| e.to_string())?;
            self.store(&mut live).map_err(|e| e.to_string())?;
            live.stored.slots.values().cloned().collect()
        };
        let failed: Vec<String> = thread::scope(|scope| {
            let ends: Vec<_> = slots
                .iter()
                .map(|slot| scope.spawn(|| end_slot(slot, Duration::MAX)))
                .collect();
            ends.into_iter()
                .filter_map(|e| e.join().ok()?.err())
                .map(|e| e.to_string())
                .collect()
        });
        if !failed.is_empty() {
            return Err(failed.join("; "));
        }
        let mut live = self.lock();
        live.stored.slots.clear();
        live.seen.clear();
        live.stored.generation += 1;
        let stored = self.store(&mut live).map_err(|e| e.to_string());
        drop(live);
        drop(turns);
        stored
    }
}

/// Ends a slot's process with everything it started.
pub(super) fn end_slot(slot: &Slot, at_most: Duration) -> Result<(), ExecError> {
    let ladder = Ladder {
        ask: slot.spec.drain.signal.parse::<StopSignal>().ok(),
        within: drain_time(&slot.spec).min(at_most),
    };
    if let Some(process) = &slot.process {
        end(process, ladder)?;
    }
    sweep(&slot.mark).map(|_| ())
}
