//! The way back: forward effects with keys of their own, in reverse order: traffic, measured zero, drain, stop.
//!
//! It begins only when nothing is in flight. Undoing what never ran is harmless by the target's contract.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Span, Verdict};
use serde_json::{Value, json};

use super::forward::{ALL, LOOK_WITHIN, WEIGH_WITHIN, serves_otherwise, why};
use super::state::{Aim, Undo};
use super::{Ending, Machine, Phase};
use crate::effect::{Action, Class, Effect, Observed, Outcome};

/// So often the weights are written again after somebody else changed them, or while the old version is not ready.
const ATTEMPTS: u32 = 20;
/// Pause between two of these attempts when nobody moved the generation.
const PAUSE: Span = Span::from_secs(1);
/// Sample periods that may pass until zero is measured.
const ZERO_PERIODS: u64 = 10;

impl Machine {
    pub(super) fn begin_undo(&mut self, out: &mut Vec<Effect>) {
        self.state.deadline = None;
        self.state.held = None;
        if !self.state.deployed {
            let (ending, reasons, text) = self.verdict_of_cause();
            let ending = if ending == Ending::Cancelled {
                ending
            } else {
                Ending::Refused
            };
            return self.end(ending, reasons, text, out);
        }
        self.state.phase = Phase::RollingBack;
        self.state.undo = Some(Undo {
            attempt: 1,
            zero: None,
            again: None,
            measured: false,
        });
        self.state.told = None;
        if self.state.weighed {
            self.undo_weigh(out)
        } else {
            self.undo_stop(out)
        }
    }

    fn undo_key(&self, what: &str) -> String {
        format!(
            "undo/{what}/{}",
            self.state.undo.as_ref().map_or(0, |u| u.attempt)
        )
    }

    fn undo_weigh(&mut self, out: &mut Vec<Effect>) {
        let mut weights = BTreeMap::from([(self.plan.slot.clone(), 0)]);
        if let Some(old) = &self.plan.from {
            weights.insert(old.slot.clone(), ALL);
        }
        let action = Action::Weigh {
            weights,
            expect: self.state.generation,
        };
        let key = self.undo_key("weigh");
        self.send(
            Aim::UndoWeigh,
            &key,
            Class::CompareAndSet,
            WEIGH_WITHIN,
            action,
            out,
        );
    }

    /// Looks which generation the target is in, then writes the weights again.
    pub(super) fn undo_look(&mut self, out: &mut Vec<Effect>) {
        let key = self.undo_key("observe");
        self.send(
            Aim::UndoObserve,
            &key,
            Class::Read,
            LOOK_WITHIN,
            Action::Observe,
            out,
        );
    }

    fn undo_drain(&mut self, out: &mut Vec<Effect>) {
        let within = self.plan.to.drain.within.plus(Span::from_secs(5));
        let key = self.undo_key("drain");
        let action = Action::Drain {
            slot: self.plan.slot.clone(),
        };
        self.send(
            Aim::UndoDrain,
            &key,
            Class::IdempotentByKey,
            within,
            action,
            out,
        );
    }

    fn undo_stop(&mut self, out: &mut Vec<Effect>) {
        let within = self.plan.to.drain.within.plus(Span::from_secs(10));
        let key = self.undo_key("stop");
        let action = Action::Stop {
            slot: self.plan.slot.clone(),
        };
        self.send(
            Aim::UndoStop,
            &key,
            Class::IdempotentByKey,
            within,
            action,
            out,
        );
    }

    /// An undo act is settled.
    pub(super) fn undone(&mut self, aim: Aim, result: Outcome, out: &mut Vec<Effect>) {
        let applied = matches!(result, Outcome::Applied { .. });
        match aim {
            Aim::UndoWeigh if applied => {
                let generation = self.state.generation;
                if let Some(watch) = &mut self.state.watch {
                    watch.turn(generation);
                }
                let wait = self
                    .plan
                    .strategy
                    .sample_every
                    .as_millis()
                    .saturating_mul(ZERO_PERIODS)
                    .max(5_000);
                let timer = self.timer(self.state.now.after(Span::from_millis(wait)), out);
                if let Some(undo) = &mut self.state.undo {
                    undo.zero = Some(timer);
                }
            }
            Aim::UndoWeigh => {
                let (reason, text) = why(&result);
                let moved = reason == Reason::BaseStateMoved;
                let spent = self.state.undo.as_mut().is_none_or(|undo| {
                    undo.attempt += 1;
                    undo.attempt > ATTEMPTS
                });
                if spent || reason == Reason::AgentUnreachable {
                    // An agent that does not answer was waited for already.
                    let text = format!("traffic could not be moved back: {text}");
                    self.stuck(reason, &text, out);
                } else if moved {
                    self.undo_look(out);
                } else {
                    // The old version is not ready, say: give it a moment.
                    let timer = self.timer(self.state.now.after(PAUSE), out);
                    if let Some(undo) = &mut self.state.undo {
                        undo.again = Some(timer);
                    }
                }
            }
            Aim::UndoObserve => match result {
                Outcome::Applied {
                    observed: Some(seen),
                    ..
                } => match self.not_ours(&seen) {
                    None => self.undo_weigh(out),
                    Some(text) => self.stuck(Reason::BaseStateMoved, &text, out),
                },
                other => {
                    let (reason, text) = why(&other);
                    let text = format!("traffic could not be moved back: {text}");
                    self.stuck(reason, &text, out);
                }
            },
            // A drain that could not finish is cut by the stop.
            Aim::UndoDrain => {
                if let Outcome::Applied { cut, .. } = result {
                    self.drained(cut, out);
                }
                self.undo_stop(out);
            }
            Aim::UndoStop if applied => {
                let key = self.undo_key("confirm");
                let action = Action::Observe;
                self.send(
                    Aim::UndoConfirm,
                    &key,
                    Class::Read,
                    LOOK_WITHIN,
                    action,
                    out,
                );
            }
            Aim::UndoConfirm => match result {
                Outcome::Applied {
                    observed: Some(seen),
                    ..
                } => {
                    let from = self.plan.from.as_ref();
                    let wanted = from.map(|d| (d.slot.as_str(), Some(d.content)));
                    match serves_otherwise(&seen, wanted) {
                        None => self.gone_back(out),
                        Some(text) => {
                            let slot = &self.plan.slot;
                            let text = format!("slot `{slot}` is free again, but {text}");
                            let text =
                                format!("{text}; it was going back because: {}", self.cause_text());
                            let reasons = vec![Reason::BaseStateMoved];
                            self.end(Ending::NeedsPerson, reasons, text, out);
                        }
                    }
                }
                other => {
                    let (reason, text) = why(&other);
                    let text = format!(
                        "traffic was moved back, but that could not be confirmed at the end: {text}"
                    );
                    self.stuck(reason, &text, out);
                }
            },
            _ => {
                let (reason, text) = why(&result);
                let text = format!("slot `{}` could not be stopped: {text}", self.plan.slot);
                self.stuck(reason, &text, out);
            }
        }
    }

    fn gone_back(&mut self, out: &mut Vec<Effect>) {
        let (ending, mut reasons, text) = self.verdict_of_cause();
        if self.state.weighed && !self.state.undo.as_ref().is_some_and(|u| u.measured) {
            // Read back at the end, and never measured with requests.
            reasons.push(Reason::ShareUnproven);
        }
        self.end(ending, reasons, text, out);
    }

    /// Somebody else wrote weights while zero was waited for: the way back begins again, a bounded number of times.
    pub(super) fn undo_again(&mut self, out: &mut Vec<Effect>) {
        let attempt = self.state.undo.as_mut().map_or(ATTEMPTS + 1, |undo| {
            undo.zero = None;
            undo.attempt += 1;
            undo.attempt
        });
        if attempt > ATTEMPTS {
            let text = "traffic could not be kept back: somebody else writes weights";
            self.stuck(Reason::BaseStateMoved, text, out);
        } else {
            self.undo_look(out);
        }
    }

    /// Says whether somebody else put another version into a slot that the way back would serve from or stop.
    fn not_ours(&self, seen: &Observed) -> Option<String> {
        let in_slot = |slot: &str| seen.slots.iter().find(|s| s.slot == slot);
        let old = self.plan.from.as_ref();
        if let Some(old) = old.filter(|d| in_slot(&d.slot).is_none_or(|s| s.content != d.content)) {
            return Some(format!(
                "slot `{}` does not hold {} any more, so there is nothing to go back to",
                old.slot, old.version
            ));
        }
        let content = self.content();
        let other = in_slot(&self.plan.slot).filter(|s| Some(s.content) != content)?;
        Some(format!(
            "slot `{}` holds `{}`, which this operation did not start",
            other.slot, other.version
        ))
    }

    /// A sample came in while going back.
    pub(super) fn zero_sampled(&mut self, out: &mut Vec<Effect>) {
        let waiting = self.state.undo.as_ref().is_some_and(|u| u.zero.is_some());
        let Some(watch) = &self.state.watch else {
            return;
        };
        if !waiting || !watch.is_quiet() {
            return;
        }
        let numbers = self.zero_numbers();
        if let Some(undo) = &mut self.state.undo {
            undo.zero = None;
            undo.measured = true;
        }
        self.decide(Verdict::Pass, &[Reason::ServedZero], numbers, out);
        self.undo_drain(out);
    }

    /// Zero was not measured in time. The stop makes it true; the record says that it was not measured.
    pub(super) fn zero_over(&mut self, out: &mut Vec<Effect>) {
        let mut numbers = self.zero_numbers();
        numbers["text"] = json!("zero was not measured in time");
        if let Some(undo) = &mut self.state.undo {
            undo.zero = None;
        }
        self.decide(Verdict::Hold, &[Reason::ShareUnproven], numbers, out);
        self.undo_drain(out);
    }

    /// What the new version did in the whole operation, and how long going back took since the failing decision.
    fn zero_numbers(&self) -> Value {
        let since = self
            .state
            .cause
            .as_ref()
            .map(|c| self.state.now.since(c.at));
        let since = since.map_or(0, Span::as_millis);
        let budget = self.plan.budget.total.as_millis();
        let mut numbers = json!({"since_decision_ms": since, "budget_ms": budget});
        if let Some(watch) = &self.state.watch {
            numbers["served"] = json!(watch.served);
            numbers["errors"] = json!(watch.bad);
            numbers["in_flight"] = json!(watch.in_flight());
            numbers["unrouted"] = json!(watch.unrouted);
            numbers["lost"] = json!(watch.lost);
            if watch.restarts() > 0 {
                numbers["counter_restarts"] = json!(watch.restarts());
            }
        }
        numbers
    }

    fn stuck(&mut self, reason: Reason, text: &str, out: &mut Vec<Effect>) {
        let text = format!("{text}; it was going back because: {}", self.cause_text());
        self.end(
            Ending::NeedsPerson,
            vec![Reason::UndoFailed, reason],
            text,
            out,
        );
    }

    fn cause_text(&self) -> &str {
        self.state.cause.as_ref().map_or("", |c| c.text.as_str())
    }

    fn verdict_of_cause(&self) -> (Ending, Vec<Reason>, String) {
        match &self.state.cause {
            Some(cause) if cause.cancelled => {
                (Ending::Cancelled, cause.reasons.clone(), cause.text.clone())
            }
            Some(cause) => (
                Ending::RolledBack,
                cause.reasons.clone(),
                cause.text.clone(),
            ),
            None => (Ending::RolledBack, vec![Reason::Internal], String::new()),
        }
    }
}
