//! What a new agent does with what the last one left: adopts, settles open calls by looking, ends what belongs to nothing.
//!
//! It runs before anybody can call. Looking beats remembering: a start is done if the version runs and says that it is ready; a weighing is
//! done if the stored generation moved, and then it is not open; a drain is done because all connections ended with the last agent; a
//! stop is simply finished.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gonogo_core::Reason;
use gonogo_exec::{Process, marked, sweep};
use gonogo_release::{Action, Outcome};

use super::live::{Agent, runs};
use super::state::{Phase, State};
use super::stop::end_slot;
use super::{AgentError, keep, ready};

/// How long a version that was being stopped is asked before it is killed.
const STOP_AT_MOST: Duration = Duration::from_secs(5);

/// Brings slots, processes and calls into agreement, durably, and begins to watch.
pub(super) fn settle(agent: &Arc<Agent>) -> Result<(), AgentError> {
    // Nobody else changes it yet: calls are not listened for and no keeper runs.
    let mut stored = agent.lock().stored.clone();
    let found = marked(&format!("{}/", stored.id))?;
    for slot in stored.slots.values_mut() {
        if slot.process.is_none() {
            // Started and not recorded: the mark was durable before.
            let mine = found.iter().filter(|(_, mark)| **mark == slot.mark);
            for (pid, mark) in mine {
                if let Some(process) = Process::find(*pid, mark)? {
                    slot.process = Some(process);
                }
            }
        }
    }
    let open = stored.calls.open();
    for (key, action) in &open {
        if let Action::Stop { slot } = action
            && let Some(slot) = stored.slots.get_mut(slot).filter(|s| s.weight == 0)
        {
            slot.phase = Phase::Stopping;
        }
        if let Action::Start { slot, .. } = action
            && let Some(held) = stored
                .slots
                .get_mut(slot)
                .filter(|s| s.phase == Phase::Starting && s.key == *key)
            && runs(held)
            && ready::ask(&held.spec, held.port, held.spec.ready.timeout.to_std()).is_ok()
            && runs(held)
        {
            stored.generation += 1;
            held.phase = Phase::Serving;
            held.instance = stored.generation;
        }
    }
    for name in stored.slots.keys().cloned().collect::<Vec<_>>() {
        settle_slot(agent, &mut stored, &name)?;
    }
    let kept_marks: BTreeSet<String> = stored
        .slots
        .values()
        .map(|slot| slot.mark.clone())
        .collect();
    for mark in found.values().collect::<BTreeSet<_>>() {
        if !kept_marks.contains(mark)
            && let Err(e) = sweep(mark)
        {
            agent.home.note("strays", &e.to_string());
        }
    }
    for (key, action) in open {
        match outcome_of(&stored, &key, &action) {
            Some(outcome) => stored.calls.settle(&key, outcome),
            None => stored.calls.withdraw(&key),
        }
    }
    let mut live = agent.lock();
    live.stored = stored;
    agent.store(&mut live)?;
    let slots: Vec<(String, bool)> = live
        .stored
        .slots
        .iter()
        .map(|(name, slot)| (name.clone(), slot.process.is_some()))
        .collect();
    live.seen.clear();
    let tenancies: Vec<_> = slots
        .iter()
        .map(|(name, runs)| (name, live.settle_in(name, *runs)))
        .collect();
    live.route().map_err(AgentError::proxy)?;
    drop(live);
    agent.prune();
    for (name, tenancy) in tenancies {
        keep::watch(agent, name, tenancy);
    }
    Ok(())
}

/// Leaves a slot serving or free; or, if its process cannot be ended, being stopped: traffic must not wait for that.
fn settle_slot(agent: &Agent, stored: &mut State, name: &str) -> Result<(), AgentError> {
    let Some(slot) = stored.slots.get_mut(name) else {
        return Ok(());
    };
    match slot.phase {
        Phase::Serving if runs(slot) => {}
        Phase::Serving => {
            if let Some(process) = slot.process.take() {
                // A machine that was switched off did not end it by itself.
                slot.exits += u64::from(!process.is_of_another_boot()?);
            }
            if let Err(e) = sweep(&slot.mark) {
                agent.home.note(name, &e.to_string());
            }
        }
        Phase::Starting | Phase::Stopping => {
            let stopping = slot.phase == Phase::Stopping;
            let at_most = if stopping {
                STOP_AT_MOST
            } else {
                Duration::ZERO
            };
            if let Err(e) = end_slot(slot, at_most) {
                agent.home.note(name, &e.to_string());
                slot.phase = Phase::Stopping;
                return Ok(());
            }
            stored.slots.remove(name);
            // A start that was never shown changes nothing for anybody.
            stored.generation += u64::from(stopping);
        }
    }
    Ok(())
}

/// What became of a call that the last agent left open, now that everything is settled. None if nothing of it is left and
/// only the agent's own end was in its way: then it is as if it had never come, and the same call may be made again.
fn outcome_of(stored: &State, key: &str, action: &Action) -> Option<Outcome> {
    let applied = Outcome::Applied {
        generation: stored.generation,
        observed: None,
        cut: 0,
    };
    let not = |text: &str| Outcome::NotApplied {
        reason: Reason::EffectFailed,
        text: format!("the agent was ended in the middle of it; {text}"),
    };
    Some(match action {
        Action::Start { slot, .. } => match stored.slots.get(slot) {
            Some(held) if held.key == key && held.phase == Phase::Serving => applied,
            Some(held) if held.key == key => {
                not("what it had started is not ready and could not be ended; stop the slot")
            }
            _ => return None,
        },
        // A weighing that moved the generation is not open any more.
        Action::Weigh { .. } => return None,
        Action::Drain { slot } | Action::Stop { slot } => match stored.slots.get(slot) {
            Some(held) if held.weight > 0 => not("the slot has weight"),
            // A drained slot may stay; a stopped one was freed above.
            Some(_) if matches!(action, Action::Stop { .. }) => not("the slot is still in use"),
            _ => applied,
        },
        Action::Observe | Action::Probe { .. } => not("it changes nothing"),
    })
}
