//! The way forward: steps in the plan's order.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Verdict};
use serde_json::{Value, json};

use super::state::Aim;
use super::{Ending, Machine, Phase};
use crate::effect::{Action, Class, Effect, Observed, Outcome};
use crate::judge::Watch;
use crate::plan::{Gates, StepKind, unsound};

/// So long a call that only looks may take.
pub(super) const LOOK_WITHIN: Span = Span::from_secs(5);
/// So long a weight write may take before its outcome is in doubt.
pub(super) const WEIGH_WITHIN: Span = Span::from_secs(5);
/// The sum of all weights.
pub(super) const ALL: u32 = 10_000;

impl Machine {
    pub(super) fn start(&mut self, out: &mut Vec<Effect>) {
        // Acts are numbered from the first step on: a second start, or one after a cancel, finds some or an end.
        if self.state.acts > 0 {
            return;
        }
        match unsound(&self.plan) {
            None => self.enter(0, out),
            Some(text) => self.end(Ending::Refused, vec![Reason::PlanLint], text, out),
        }
    }

    pub(super) fn enter(&mut self, step: usize, out: &mut Vec<Effect>) {
        let advances = self
            .plan
            .steps
            .get(step)
            .is_some_and(|s| !matches!(s.class, None | Some(Class::Read)));
        if self.state.frozen && advances {
            self.state.held = Some(step);
            self.state.deadline = None;
            return self.decide(
                Verdict::Hold,
                &[Reason::Frozen],
                json!({"waits": true}),
                out,
            );
        }
        self.state.step = step;
        self.state.step_began = self.state.now;
        self.state.told = None;
        self.state.deadline = None;
        let plan = self.plan.clone();
        let Some(current) = plan.steps.get(step) else {
            self.state.step = step.saturating_sub(1);
            return self.look(Aim::Confirm, "confirm", out);
        };
        let n = current.n;
        let class = current.class.unwrap_or(Class::Opaque);
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
                // Whether evidence is there and fresh was judged before the operation began, and its first record names it.
                let reason = match plan.gates {
                    Gates::None => Reason::GatesNone,
                    Gates::DryRun { .. } => Reason::GateDryRunPassed,
                    Gates::Verdict { .. } => Reason::GateVerdictPassed,
                };
                self.decide(Verdict::Pass, &[reason], Value::Null, out);
                self.enter(step + 1, out);
            }
            StepKind::Deploy { slot } => {
                self.state.phase = Phase::Deploy;
                self.state.deployed = true;
                let Some(content) = self.content() else {
                    let text = "the version's description has no canonical form".into();
                    return self.end(Ending::Refused, vec![Reason::Internal], text, out);
                };
                let action = Action::Start {
                    slot: slot.clone(),
                    version: plan.to.version.clone(),
                    content,
                };
                let key = format!("{n}/start/{slot}");
                self.send(Aim::Deploy, &key, class, current.within, action, out);
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

    pub(super) fn arm(&mut self, within: Span, out: &mut Vec<Effect>) {
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
        let class = Class::CompareAndSet;
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
            // A start is no compare-and-set, so the target is looked at again before it gets traffic.
            (Aim::Deploy, Outcome::Applied { .. }) => self.look(Aim::Look, "look", out),
            (
                Aim::Look,
                Outcome::Applied {
                    observed: Some(seen),
                    ..
                },
            ) => match self.beside(&seen) {
                None => self.enter(next, out),
                Some(text) => self.moved(text, out),
            },
            (
                Aim::Confirm,
                Outcome::Applied {
                    observed: Some(seen),
                    ..
                },
            ) => self.confirmed(&seen, out),
            (Aim::Weigh, Outcome::Applied { .. }) => {
                if self.state.phase == Phase::Shift {
                    self.state.phase = Phase::Observe;
                }
                self.state.shifted = self.state.now;
                if let Some(watch) = &mut self.state.watch {
                    watch.turn(self.state.generation);
                }
            }
            (Aim::Drain, Outcome::Applied { cut, .. }) => {
                self.drained(cut, out);
                self.enter(next, out);
            }
            (Aim::Stop, Outcome::Applied { .. }) => self.enter(next, out),
            (Aim::Drain, other) => {
                // The new version serves and has passed: no reason to go back. The target stops nothing that has weight.
                let (reason, text) = why(&other);
                let text =
                    format!("the old version was not drained: {text}; its stop cuts what is left");
                self.decide(
                    Verdict::Hold,
                    &[Reason::EffectFailed, reason],
                    json!({ "text": text }),
                    out,
                );
                self.enter(next, out);
            }
            (Aim::Confirm, other) if self.state.pivoted => {
                let (reason, text) = why(&other);
                let text = format!(
                    "{} {} was given all traffic, but that could not be confirmed at the end: {text}; look with `gonogo status`",
                    self.plan.service, self.plan.to.version,
                );
                self.end(
                    Ending::NeedsPerson,
                    vec![Reason::EffectUnknown, reason],
                    text,
                    out,
                );
            }
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

    /// Says what a drain cost, if it cost anything: no sample is taken of a version that is about to be stopped.
    pub(super) fn drained(&mut self, cut: u64, out: &mut Vec<Effect>) {
        if cut > 0 {
            let text = "still under way when the time to drain was over, and cut";
            self.decide(
                Verdict::Excused,
                &[Reason::DrainCut],
                json!({"cut": cut, "text": text}),
                out,
            );
        }
    }

    fn look(&mut self, aim: Aim, what: &str, out: &mut Vec<Effect>) {
        let n = self.plan.steps.get(self.state.step).map_or(0, |s| s.n);
        let key = format!("{n}/{what}");
        self.send(aim, &key, Class::Read, LOOK_WITHIN, Action::Observe, out);
    }

    /// What differs between the target and the plan's base state with the new version beside it, without traffic.
    fn beside(&self, seen: &Observed) -> Option<String> {
        let content = self.content();
        let new = seen.slots.iter().find(|s| s.slot == self.plan.slot);
        if !new.is_some_and(|s| Some(s.content) == content && s.weight == 0) {
            return Some(format!(
                "slot `{}` does not hold version `{}` without traffic",
                self.plan.slot, self.plan.to.version
            ));
        }
        let mut rest = seen.clone();
        rest.slots.retain(|s| s.slot != self.plan.slot);
        // The start itself led to another generation.
        rest.generation = self.plan.base.generation;
        let mut base = self.plan.base.clone();
        base.slots.retain(|s| s.slot != self.plan.slot);
        drift(&base, &rest)?;
        let from = self.plan.from.as_ref();
        let wanted = from.map(|d| (d.slot.as_str(), Some(d.content)));
        serves_otherwise(seen, wanted).or_else(|| {
            Some("somebody else changed the target while the version was being started".into())
        })
    }

    /// The last look before the end.
    fn confirmed(&mut self, seen: &Observed, out: &mut Vec<Effect>) {
        let plan = self.plan.clone();
        let wanted = (plan.slot.as_str(), self.content());
        if let Some(text) = serves_otherwise(seen, Some(wanted)) {
            return self.moved(text, out);
        }
        let text = format!("{} {} serves all traffic", plan.service, plan.to.version);
        match self.state.late.take() {
            None => self.end(Ending::Promoted, vec![Reason::Promoted], text, out),
            Some(reasons) => {
                let text = format!(
                    "{text}, but failed its checks when the old version was being stopped: roll back with `gonogo rollback`"
                );
                self.end(Ending::NeedsPerson, reasons, text, out);
            }
        }
    }

    /// Somebody else changed the target.
    pub(super) fn moved(&mut self, text: String, out: &mut Vec<Effect>) {
        self.decide(
            Verdict::Fail,
            &[Reason::BaseStateMoved],
            json!({ "text": text }),
            out,
        );
        if self.state.pivoted && self.state.flight.is_none() {
            return self.end(Ending::NeedsPerson, vec![Reason::BaseStateMoved], text, out);
        }
        self.fail(vec![Reason::BaseStateMoved], text, out);
    }

    /// The next step, after a passing judgement.
    pub(super) fn advance(&mut self, out: &mut Vec<Effect>) {
        self.enter(self.state.step + 1, out);
    }
}

/// Returns what differs between the planned base state and what is seen. Readiness may change by itself and is no drift.
pub fn drift(base: &Observed, seen: &Observed) -> Option<String> {
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

/// Returns how the target differs from serving everything with `wanted` (slot and content), or nothing at all.
pub(super) fn serves_otherwise(
    seen: &Observed,
    wanted: Option<(&str, Option<Digest>)>,
) -> Option<String> {
    let serving: Vec<_> = seen.slots.iter().filter(|s| s.weight > 0).collect();
    let right = match (serving.as_slice(), wanted) {
        ([], None) => true,
        ([s], Some((slot, content))) => {
            s.slot == slot && Some(s.content) == content && s.weight == ALL
        }
        _ => false,
    };
    let told: Vec<String> = serving
        .iter()
        .map(|s| format!("{}={} at {} bp", s.slot, s.version, s.weight))
        .collect();
    (!right).then(|| {
        format!(
            "somebody else changed the target: in generation {} it serves {}",
            seen.generation,
            if told.is_empty() {
                "nothing".into()
            } else {
                told.join(", ")
            }
        )
    })
}

/// Returns the reason and the words of an outcome that is not a success.
pub(super) fn why(outcome: &Outcome) -> (Reason, String) {
    match outcome {
        Outcome::NotApplied { reason, text } | Outcome::Refused { reason, text } => {
            (*reason, text.clone())
        }
        Outcome::Unknown { text } => (Reason::EffectUnknown, text.clone()),
        Outcome::Partial { text } => (Reason::EffectFailed, format!("it was done in part: {text}")),
        Outcome::Applied { .. } => (
            Reason::SampleInvalid,
            "the answer lacks the observed state".into(),
        ),
    }
}
