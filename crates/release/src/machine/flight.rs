//! Acts in flight: sending, answers, doubt, probing.
//!
//! An answer that says "done" or "not done" settles an act. Anything else is doubt, and doubt is probed by key until it is
//! settled or a person is needed.
//!
//! A probe that says "never seen" makes sending again safe only because no call sent before it can still arrive and be
//! obeyed. Two rules together see to that. The driver raises the lease's epoch when it claims a [`Action::Probe`], so that
//! the probe's epoch is newer than that of every call claimed before, this driver's own late ones included; and the target
//! raises its fence to the probe's epoch before it answers. Take either away and the simulator shows a release that is
//! undone and then served by a call that came late.

use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_core::{Reason, Span, Timestamp};

use super::state::{Aim, Flight, HELD};
use super::{Ending, Machine};
use crate::effect::{Act, Action, Class, Effect, Outcome};

/// So long an act may stay unsettled before a person is asked.
const SETTLE_WITHIN: Span = Span::from_secs(300);
/// So long a probe may take.
const PROBE_WITHIN: Span = Span::from_secs(5);
/// So often an act that never arrived is sent again.
const TRIES: u32 = 5;
/// Longest pause between two tries.
const PAUSE_MAX: u64 = 5_000;

impl Machine {
    /// Sends an act and makes it the one in flight.
    pub(super) fn send(
        &mut self,
        aim: Aim,
        key: &str,
        class: Class,
        deadline: Span,
        action: Action,
        out: &mut Vec<Effect>,
    ) {
        let key = format!("{}/{key}", self.state.operation);
        let act = self.act(key, class, deadline, action);
        out.push(Effect::Act(act.clone()));
        self.state.flight = Some(Flight {
            aim,
            act,
            tries: 1,
            lost: 0,
            doubt: false,
            probe: None,
            probes: 0,
            again: None,
            since: self.state.now,
        });
    }

    fn act(&mut self, key: String, class: Class, deadline: Span, action: Action) -> Act {
        self.state.acts += 1;
        Act {
            id: self.state.acts,
            key,
            class,
            deadline,
            action,
        }
    }

    pub(super) fn timer(&mut self, due: Timestamp, out: &mut Vec<Effect>) -> u64 {
        self.state.timers += 1;
        out.push(Effect::Timer {
            id: self.state.timers,
            due,
        });
        self.state.timers
    }

    /// Takes an act's or a probe's answer. Answers to what is not asked any more are ignored.
    pub(super) fn done(&mut self, id: u64, result: Outcome, out: &mut Vec<Effect>) {
        let Some(flight) = &mut self.state.flight else {
            return;
        };
        if flight.probe == Some(id) {
            flight.probe = None;
            self.probed(result, out);
        } else if flight.act.id == id && !flight.doubt && flight.again.is_none() {
            self.answered(result, out);
        }
    }

    fn answered(&mut self, result: Outcome, out: &mut Vec<Effect>) {
        let Some(flight) = &mut self.state.flight else {
            return;
        };
        match result {
            Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                ..
            } => self.again_later(Some(result), out),
            Outcome::Unknown { .. }
            | Outcome::Partial { .. }
            | Outcome::Refused {
                reason: Reason::StaleEpoch,
                ..
            } => match flight.act.class {
                Class::Read => self.again_later(Some(result), out),
                Class::Opaque => {
                    let text = format!(
                        "the outcome of `{}` is not known and cannot be asked for",
                        flight.act.key
                    );
                    self.end(Ending::NeedsPerson, vec![Reason::EffectUnknown], text, out);
                }
                Class::IdempotentByKey | Class::CompareAndSet | Class::ProbeAble => {
                    flight.doubt = true;
                    self.probe(out);
                }
            },
            settled => self.settled(settled, out),
        }
    }

    fn probe(&mut self, out: &mut Vec<Effect>) {
        let Some(flight) = &mut self.state.flight else {
            return;
        };
        flight.probes += 1;
        let target_key = flight.act.key.clone();
        let key = format!("{target_key}/probe/{}", flight.probes);
        let act = self.act(
            key,
            Class::Read,
            PROBE_WITHIN,
            Action::Probe { key: target_key },
        );
        if let Some(flight) = &mut self.state.flight {
            flight.probe = Some(act.id);
        }
        out.push(Effect::Act(act));
    }

    fn probed(&mut self, result: Outcome, out: &mut Vec<Effect>) {
        match result {
            // The target knows the call and says how far it came. Half done is not done, and is undone like the whole.
            Outcome::Applied { .. } | Outcome::Partial { .. } => self.settled(result, out),
            Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                ..
            }
            | Outcome::Refused { .. }
            | Outcome::Unknown { .. } => self.again_later(None, out),
            Outcome::NotApplied { reason, .. } => {
                let Some(flight) = &mut self.state.flight else {
                    return;
                };
                let going_back = self.state.cause.is_some() && self.state.undo.is_none();
                if is_final(reason) || going_back || flight.lost >= TRIES {
                    return self.settled(result, out);
                }
                flight.doubt = false;
                flight.lost += 1;
                self.send_again(out);
            }
        }
    }

    /// Sends the act in flight once more, under its key.
    pub(super) fn send_again(&mut self, out: &mut Vec<Effect>) {
        let Some(mut flight) = self.state.flight.take() else {
            return;
        };
        if self.state.frozen && flight.aim.advances() {
            flight.again = Some(HELD);
            self.state.flight = Some(flight);
            return;
        }
        flight.again = None;
        let Act {
            key,
            class,
            deadline,
            action,
            ..
        } = flight.act;
        flight.act = self.act(key, class, deadline, action);
        flight.tries += 1;
        out.push(Effect::Act(flight.act.clone()));
        self.state.flight = Some(flight);
    }

    /// Waits, then sends or probes again. When that has gone on for too long, an act that was certainly not done settles as
    /// `not_done`; one in doubt needs a person.
    fn again_later(&mut self, not_done: Option<Outcome>, out: &mut Vec<Effect>) {
        let Some(flight) = &self.state.flight else {
            return;
        };
        let forward = self.state.undo.is_none();
        if let Some(outcome) = not_done.clone()
            && forward
            && self.state.cause.is_some()
        {
            // Certainly not done, and not wanted any more.
            return self.settled(outcome, out);
        }
        let step = self
            .plan
            .steps
            .get(self.state.step)
            .map_or(SETTLE_WITHIN, |s| s.within);
        let last = self.state.pivoted || flight.aim == Aim::Confirm;
        let within = if forward && not_done.is_some() && !last {
            step.min(SETTLE_WITHIN)
        } else {
            SETTLE_WITHIN
        };
        if self.state.now >= flight.since.after(within) {
            if let Some(outcome) = not_done {
                return self.settled(outcome, out);
            }
            let key = &flight.act.key;
            let text =
                format!("`{key}` could not be settled within {within}: the target does not answer");
            return self.end(
                Ending::NeedsPerson,
                vec![Reason::EffectUnknown, Reason::AgentUnreachable],
                text,
                out,
            );
        }
        let sent = flight.tries + flight.probes;
        let pause = (100_u64 << sent.min(6)).min(PAUSE_MAX);
        let timer = self.timer(self.state.now.after(Span::from_millis(pause)), out);
        if let Some(flight) = &mut self.state.flight {
            flight.again = Some(timer);
        }
    }

    /// A timer is due.
    pub(super) fn due(&mut self, id: u64, out: &mut Vec<Effect>) {
        if let Some(flight) = &mut self.state.flight
            && flight.again == Some(id)
        {
            flight.again = None;
            if flight.doubt {
                self.probe(out)
            } else {
                self.send_again(out)
            }
        } else if self.state.deadline.is_some_and(|(timer, _)| timer == id) {
            self.state.deadline = None;
            self.step_over(out);
        } else if self.state.undo.as_ref().is_some_and(|u| u.zero == Some(id)) {
            self.zero_over(out);
        } else if let Some(undo) = &mut self.state.undo
            && undo.again == Some(id)
        {
            undo.again = None;
            self.undo_look(out);
        }
    }

    /// The act in flight is settled: `result` says done or not done for certain.
    fn settled(&mut self, result: Outcome, out: &mut Vec<Effect>) {
        let Some(flight) = self.state.flight.take() else {
            return;
        };
        if let Outcome::Applied { generation, .. } = &result {
            // A generation beyond canonical JSON is no target's; the next write is refused by it.
            self.state.generation = (*generation).min(MAX_SAFE_INTEGER);
        }
        if self.state.undo.is_some() {
            return self.undone(flight.aim, result, out);
        }
        if self.state.cause.is_some() {
            // Something asked to go back while this was in flight; now it is safe. After the pivot nothing may ask.
            return self.begin_undo(out);
        }
        self.stepped(flight.aim, result, out);
    }
}

/// Whether a probe's "not done" is a result of trying, so that trying again would give the same.
const fn is_final(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::VersionExited
            | Reason::VersionNotReady
            | Reason::ArtifactChanged
            | Reason::ArtifactMissing
            | Reason::BaseStateMoved
            | Reason::PermissionDenied
    )
}
