//! The way back: forward effects with keys of their own, in reverse order: traffic, measured zero, drain, stop.
//!
//! It begins only when nothing is in flight. Undoing what never ran is harmless by the target's contract.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Span, Verdict};
use serde_json::json;

use super::forward::{ALL, LOOK_WITHIN, WEIGH_WITHIN, why};
use super::state::{Aim, Undo};
use super::{Ending, Machine, Phase};
use crate::effect::{Action, Class, Effect, Outcome};

/// So often the weights are written again after somebody else changed them, or while the old version is not ready.
const ATTEMPTS: u32 = 20;
/// Pause between two of these attempts when nobody moved the generation.
const PAUSE: Span = Span::from_secs(1);
/// Sample periods that may pass until zero is measured.
const ZERO_PERIODS: u64 = 10;

impl Machine {
    pub(super) fn begin_undo(&mut self, out: &mut Vec<Effect>) {
        self.state.deadline = None;
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
        if let Some(old) = self.old() {
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
                let attempt = self.state.undo.as_mut().map_or(ATTEMPTS, |u| {
                    u.attempt += 1;
                    u.attempt
                });
                if attempt > ATTEMPTS {
                    self.stuck(
                        reason,
                        &format!("traffic could not be moved back: {text}"),
                        out,
                    );
                } else if reason == Reason::BaseStateMoved {
                    self.undo_look(out);
                } else {
                    // The old version is not ready, say: give it a moment.
                    let timer = self.timer(self.state.now.after(PAUSE), out);
                    if let Some(undo) = &mut self.state.undo {
                        undo.again = Some(timer);
                    }
                }
            }
            Aim::UndoObserve => self.undo_weigh(out),
            // A drain that could not finish is cut by the stop.
            Aim::UndoDrain => self.undo_stop(out),
            Aim::UndoStop if applied => {
                let (ending, reasons, text) = self.verdict_of_cause();
                self.end(ending, reasons, text, out);
            }
            _ => {
                let (reason, text) = why(&result);
                self.stuck(
                    reason,
                    &format!("slot `{}` could not be stopped: {text}", self.plan.slot),
                    out,
                );
            }
        }
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
        let since = self
            .state
            .cause
            .as_ref()
            .map_or(Span::ZERO, |c| self.state.now.since(c.at));
        let numbers = json!({
            "since_decision_ms": since.as_millis(),
            "served": watch.served,
            "errors": watch.bad,
            "unrouted": watch.unrouted,
            "budget_ms": self.plan.budget.total.as_millis(),
        });
        if let Some(undo) = &mut self.state.undo {
            undo.zero = None;
            undo.measured = true;
        }
        self.decide(Verdict::Pass, &[Reason::ServedZero], numbers, out);
        self.undo_drain(out);
    }

    /// Zero was not measured in time. The stop makes it true; the record says that it was not measured.
    pub(super) fn zero_over(&mut self, out: &mut Vec<Effect>) {
        if let Some(undo) = &mut self.state.undo {
            undo.zero = None;
        }
        self.decide(
            Verdict::Hold,
            &[Reason::ShareUnproven],
            json!({"text": "zero was not measured in time"}),
            out,
        );
        self.undo_drain(out);
    }

    fn stuck(&mut self, reason: Reason, text: &str, out: &mut Vec<Effect>) {
        let cause = self.state.cause.as_ref().map_or("", |c| c.text.as_str());
        let text = format!("{text}; it was going back because: {cause}");
        self.end(
            Ending::NeedsPerson,
            vec![Reason::UndoFailed, reason],
            text,
            out,
        );
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
