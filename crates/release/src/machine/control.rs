//! What turns an operation: failures, cancels, freezes; and how decisions and the end are told.

use gonogo_core::{Reason, Span, Verdict};
use serde_json::{Value, json};

use super::state::{Aim, Cause, HELD};
use super::{Ending, Machine, Phase, Terminal};
use crate::effect::Effect;
use crate::plan::StepKind;

impl Machine {
    /// Asks to go back. What is in flight settles first.
    pub(super) fn fail(&mut self, reasons: Vec<Reason>, text: String, out: &mut Vec<Effect>) {
        if self.state.pivoted {
            // There is no way back; the end will say it.
            self.state.late.get_or_insert(reasons);
        } else if self.state.cause.is_none() {
            self.state.cause = Some(Cause {
                at: self.state.now,
                cancelled: false,
                reasons,
                text,
            });
            self.go_back(out);
        }
    }

    pub(super) fn cancel(&mut self, by: &str, why: &str, out: &mut Vec<Effect>) {
        let ignored = if self.state.cause.is_some() {
            Some("it is going back already")
        } else if self.state.pivoted {
            Some("the old version is being stopped; there is no way back any more, use a rollback")
        } else {
            None
        };
        let numbers = json!({"by": by, "why": why, "ignored": ignored});
        self.decide(Verdict::Hold, &[Reason::Cancelled], numbers, out);
        if ignored.is_none() {
            let text = format!("cancelled by {by}: {why}");
            self.state.cause = Some(Cause {
                at: self.state.now,
                cancelled: true,
                reasons: vec![Reason::Cancelled],
                text,
            });
            self.go_back(out);
        }
    }

    fn go_back(&mut self, out: &mut Vec<Effect>) {
        #[cfg(feature = "mutants")]
        if self.undo_before_settle {
            return self.begin_undo(out);
        }
        if self.state.flight.is_none() {
            self.begin_undo(out);
        } else if self
            .state
            .flight
            .as_ref()
            .is_some_and(|f| !f.doubt && f.again.is_some())
        {
            // It was certainly not done and only waits to be sent again: that is settled.
            self.state.flight = None;
            self.begin_undo(out);
        }
    }

    /// Ends what has not begun to change anything. A look at the target may be under way; its answer changes nothing.
    pub(super) fn refuse(&mut self, reason: Reason, text: String, out: &mut Vec<Effect>) {
        if !self.state.deployed && self.state.cause.is_none() {
            self.end(Ending::Refused, vec![reason], text, out);
        }
    }

    pub(super) fn freeze(&mut self, on: bool, by: &str, out: &mut Vec<Effect>) {
        if self.state.frozen == on {
            return;
        }
        self.state.frozen = on;
        self.decide(
            Verdict::Hold,
            &[Reason::Frozen],
            json!({"on": on, "by": by}),
            out,
        );
        if on {
            return;
        }
        if let Some(step) = self.state.held.take() {
            return self.enter(step, out);
        }
        let now = self.state.now;
        if let Some(flight) = &mut self.state.flight
            && flight.again == Some(HELD)
        {
            flight.since = now;
            self.send_again(out);
        }
        let waits = matches!(
            self.state.phase,
            Phase::Shift | Phase::Observe | Phase::Promote | Phase::Soak
        );
        let flight = self.state.flight.as_ref();
        let runs = self.state.acts > 0
            && self.state.cause.is_none()
            && !flight.is_some_and(|f| f.aim == Aim::Confirm);
        if runs && waits {
            // Time spent frozen does not count against the step.
            let within = self
                .plan
                .steps
                .get(self.state.step)
                .map_or(Span::ZERO, |s| s.within);
            self.arm(within, out);
        }
    }

    /// Keeps a decision as evidence.
    pub(super) fn decide(
        &mut self,
        verdict: Verdict,
        reasons: &[Reason],
        numbers: Value,
        out: &mut Vec<Effect>,
    ) {
        let step = self.plan.steps.get(self.state.step);
        let mut body = json!({
            "phase": self.state.phase,
            "step": step.map_or(0, |s| s.n),
            "verdict": verdict,
            "reasons": once(reasons),
        });
        if let Some(map) = body.as_object_mut() {
            if let Some(StepKind::Stage { weight, .. }) = step.map(|s| &s.kind) {
                map.insert("weight".into(), json!(weight));
            }
            if !numbers.is_null() {
                map.insert("numbers".into(), numbers);
            }
        }
        out.push(Effect::Decide(body));
    }

    pub(super) fn end(
        &mut self,
        result: Ending,
        mut reasons: Vec<Reason>,
        text: String,
        out: &mut Vec<Effect>,
    ) {
        if !reasons.contains(&result.reason()) {
            reasons.insert(0, result.reason());
        }
        let terminal = Terminal {
            result,
            reasons: once(&reasons),
            text,
        };
        self.state.phase = Phase::Done;
        self.state.flight = None;
        self.state.deadline = None;
        self.state.terminal = Some(terminal.clone());
        out.push(Effect::End(terminal));
    }
}

/// The same reasons in the same order, each once.
fn once(reasons: &[Reason]) -> Vec<Reason> {
    let mut told = Vec::with_capacity(reasons.len());
    for reason in reasons {
        if !told.contains(reason) {
            told.push(*reason);
        }
    }
    told
}
