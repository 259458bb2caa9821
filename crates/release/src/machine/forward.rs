//! The way forward: steps in the plan's order.

use std::collections::BTreeMap;

use gonogo_core::{Reason, Span, Verdict};
use serde_json::{Value, json};

use super::state::{Aim, Cause};
use super::{Ending, Machine, Phase, Terminal};
use crate::effect::{Action, Effect, Observed, Outcome};
use crate::judge::Watch;
use crate::plan::{Deployed, StepKind};

/// So long a call that only looks may take.
pub(super) const LOOK_WITHIN: Span = Span::from_secs(5);
/// So long a weight write may take before its outcome is in doubt.
pub(super) const WEIGH_WITHIN: Span = Span::from_secs(5);
/// The sum of all weights.
pub(super) const ALL: u32 = 10_000;

impl Machine {
    pub(super) fn start(&mut self, out: &mut Vec<Effect>) {
        if self.state.inputs == 1 {
            self.enter(0, out);
        }
    }

    fn enter(&mut self, step: usize, out: &mut Vec<Effect>) {
        self.state.step = step;
        self.state.step_began = self.state.now;
        self.state.told = None;
        self.state.deadline = None;
        let plan = self.plan.clone();
        let Some(current) = plan.steps.get(step) else {
            let text = format!("{} {} serves all traffic", plan.service, plan.to.version);
            return self.end(Ending::Promoted, vec![Reason::Promoted], text, out);
        };
        let n = current.n;
        let class = current.class.unwrap_or(crate::effect::Class::Read);
        match &current.kind {
            StepKind::Preflight => {
                self.state.phase = Phase::Preflight;
                self.send(
                    Aim::Preflight,
                    &format!("{n}/observe"),
                    class,
                    LOOK_WITHIN,
                    Action::Observe,
                    out,
                );
            }
            StepKind::Gates => {
                self.state.phase = Phase::Gates;
                self.decide(Verdict::Pass, &[Reason::GatesNone], Value::Null, out);
                self.enter(step + 1, out);
            }
            StepKind::Deploy { slot } => {
                self.state.phase = Phase::Deploy;
                self.state.deployed = true;
                match plan.to.content() {
                    Ok(content) => {
                        let action = Action::Start {
                            slot: slot.clone(),
                            version: plan.to.version.clone(),
                            content,
                        };
                        self.send(
                            Aim::Deploy,
                            &format!("{n}/start/{slot}"),
                            class,
                            current.within,
                            action,
                            out,
                        );
                    }
                    Err(e) => self.end(Ending::Refused, vec![Reason::Internal], e.to_string(), out),
                }
            }
            StepKind::Stage { weight, .. } => {
                self.state.phase = Phase::Shift;
                self.weigh(weight.basis_points(), n, out);
                self.arm(current.within, out);
            }
            StepKind::Promote => {
                self.state.phase = Phase::Promote;
                self.weigh(ALL, n, out);
                self.arm(current.within, out);
            }
            StepKind::Soak { .. } => {
                self.state.phase = Phase::Soak;
                self.state.shifted = self.state.now;
                if let Some(watch) = &mut self.state.watch {
                    watch.refresh(&plan.checks);
                }
                self.arm(current.within, out);
            }
            StepKind::Drain { slot } => {
                self.state.phase = Phase::Retire;
                let action = Action::Drain { slot: slot.clone() };
                self.send(
                    Aim::Drain,
                    &format!("{n}/drain/{slot}"),
                    class,
                    current.within,
                    action,
                    out,
                );
            }
            StepKind::Stop { slot } => {
                self.state.phase = Phase::Retire;
                self.state.pivoted = true;
                let action = Action::Stop { slot: slot.clone() };
                self.send(
                    Aim::Stop,
                    &format!("{n}/stop/{slot}"),
                    class,
                    current.within.plus(current.within),
                    action,
                    out,
                );
            }
        }
    }

    fn arm(&mut self, within: Span, out: &mut Vec<Effect>) {
        let due = self.state.now.after(within);
        let timer = self.timer(due, out);
        self.state.deadline = Some((timer, due));
    }

    fn weigh(&mut self, canary: u32, n: u32, out: &mut Vec<Effect>) {
        if self.state.watch.is_none() {
            self.state.watch = Watch::new(&self.plan);
        }
        self.state.weighed = true;
        let mut weights = BTreeMap::from([(self.plan.slot.clone(), canary)]);
        if let Some(from) = &self.plan.from {
            weights.insert(from.slot.clone(), ALL.saturating_sub(canary));
        }
        let action = Action::Weigh {
            weights,
            expect: self.state.generation,
        };
        let class = crate::effect::Class::CompareAndSet;
        self.send(
            Aim::Weigh,
            &format!("{n}/weigh"),
            class,
            WEIGH_WITHIN,
            action,
            out,
        );
    }

    /// A forward act is settled.
    pub(super) fn stepped(&mut self, aim: Aim, result: Outcome, out: &mut Vec<Effect>) {
        let next = self.state.step + 1;
        match (aim, result) {
            (
                Aim::Preflight,
                Outcome::Applied {
                    observed: Some(seen),
                    ..
                },
            ) => match drift(&self.plan.base, &seen) {
                None => self.enter(next, out),
                Some(text) => self.end(Ending::Refused, vec![Reason::BaseStateMoved], text, out),
            },
            (Aim::Preflight, other) => {
                let (reason, text) = why(&other);
                let text = format!("the target could not be observed: {text}");
                self.end(Ending::Refused, vec![reason], text, out);
            }
            (Aim::Deploy, Outcome::Applied { .. }) => self.enter(next, out),
            (Aim::Weigh, Outcome::Applied { .. }) => {
                if self.state.phase == Phase::Shift {
                    self.state.phase = Phase::Observe;
                }
                self.state.shifted = self.state.now;
                if let Some(watch) = &mut self.state.watch {
                    watch.turn(self.state.generation);
                }
            }
            (Aim::Drain | Aim::Stop, Outcome::Applied { .. }) => self.enter(next, out),
            (Aim::Stop, other) => {
                let (reason, text) = why(&other);
                let text = format!(
                    "{} {} is promoted, but the old version could not be stopped: {text}; stop slot `{}` by hand",
                    self.plan.service,
                    self.plan.to.version,
                    self.plan.from.as_ref().map_or("", |f| f.slot.as_str()),
                );
                self.end(
                    Ending::NeedsPerson,
                    vec![Reason::EffectFailed, reason],
                    text,
                    out,
                );
            }
            (_, other) => {
                let (reason, text) = why(&other);
                let step = self
                    .plan
                    .steps
                    .get(self.state.step)
                    .map_or("", |s| s.kind.name());
                self.decide(
                    Verdict::Fail,
                    &[Reason::EffectFailed, reason],
                    json!({ "text": text }),
                    out,
                );
                self.fail(
                    vec![reason, Reason::EffectFailed],
                    format!("{step}: {text}"),
                    out,
                );
            }
        }
    }

    /// Asks to go back. What is in flight settles first.
    pub(super) fn fail(&mut self, reasons: Vec<Reason>, text: String, out: &mut Vec<Effect>) {
        if self.state.cause.is_none() && !self.state.pivoted {
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
        let waits = matches!(
            self.state.phase,
            Phase::Shift | Phase::Observe | Phase::Promote | Phase::Soak
        );
        if !on && waits {
            // Time spent frozen does not count against the step.
            let within = self
                .plan
                .steps
                .get(self.state.step)
                .map_or(Span::ZERO, |s| s.within);
            self.arm(within, out);
        }
    }

    /// The next step, after a passing judgement.
    pub(super) fn advance(&mut self, out: &mut Vec<Effect>) {
        self.enter(self.state.step + 1, out);
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
            "reasons": reasons,
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
            reasons,
            text,
        };
        self.state.phase = Phase::Done;
        self.state.flight = None;
        self.state.deadline = None;
        self.state.terminal = Some(terminal.clone());
        out.push(Effect::End(terminal));
    }
}

/// Returns what differs between the planned base state and what is seen. Readiness may change by itself and is no drift.
fn drift(base: &Observed, seen: &Observed) -> Option<String> {
    let told = |o: &Observed| -> Vec<String> {
        o.slots
            .iter()
            .map(|s| format!("{}={} at {} bp", s.slot, s.version, s.weight))
            .collect()
    };
    let same = base.slots.len() == seen.slots.len()
        && base.slots.iter().zip(&seen.slots).all(|(a, b)| {
            (&a.slot, &a.version, a.content, a.weight) == (&b.slot, &b.version, b.content, b.weight)
        });
    if same && base.generation == seen.generation {
        return None;
    }
    let list = |o: &Observed| {
        if o.slots.is_empty() {
            "nothing".to_owned()
        } else {
            told(o).join(", ")
        }
    };
    Some(format!(
        "planned against generation {} ({}), found generation {} ({})",
        base.generation,
        list(base),
        seen.generation,
        list(seen)
    ))
}

/// Returns the reason and the words of an outcome that is not a success.
pub(super) fn why(outcome: &Outcome) -> (Reason, String) {
    match outcome {
        Outcome::NotApplied { reason, text } | Outcome::Refused { reason, text } => {
            (*reason, text.clone())
        }
        Outcome::Unknown { text } | Outcome::Partial { text } => {
            (Reason::EffectUnknown, text.clone())
        }
        Outcome::Applied { .. } => (
            Reason::SampleInvalid,
            "the answer lacks the observed state".into(),
        ),
    }
}

impl Machine {
    /// The version that serves if this operation is undone.
    pub(super) fn old(&self) -> Option<&Deployed> {
        self.plan.from.as_ref()
    }
}
