//! Samples: during every wait of a release, and after promotion while the old version is warm.

use gonogo_core::{Reason, Timestamp, Verdict};
use serde_json::{Value, json};

use super::{Machine, Phase};
use crate::effect::Effect;
use crate::judge::{Mode, Unusable};
use crate::plan::StepKind;
use crate::sample::Sample;

impl Machine {
    pub(super) fn sample(&mut self, sample: &Sample, out: &mut Vec<Effect>) {
        let Some(watch) = &mut self.state.watch else {
            return;
        };
        match watch.take(sample) {
            Ok(()) => self.state.missed = 0,
            // Read before the last write was, or while one is under way: the next one will tell.
            Err(Unusable::Foreign { seen, known })
                if seen < known || self.state.flight.is_some() =>
            {
                return;
            }
            Err(e @ (Unusable::Foreign { .. } | Unusable::WrongVersion { .. }))
                if self.state.undo.is_none() =>
            {
                self.decide(
                    Verdict::Fail,
                    &[Reason::BaseStateMoved],
                    json!({"text": e.to_string()}),
                    out,
                );
                return self.fail(vec![Reason::BaseStateMoved], e.to_string(), out);
            }
            Err(e) => return self.unusable(Reason::SampleInvalid, &e.to_string(), out),
        }
        if self.state.undo.is_some() {
            self.zero_sampled(out);
        } else {
            self.judge(out);
        }
    }

    pub(super) fn sample_missed(&mut self, text: &str, out: &mut Vec<Effect>) {
        self.state.missed += 1;
        self.unusable(Reason::SampleMissing, text, out);
    }

    fn unusable(&mut self, reason: Reason, text: &str, out: &mut Vec<Effect>) {
        let told = Some((reason.verdict(), vec![reason]));
        if self.state.told != told {
            self.state.told = told;
            self.decide(reason.verdict(), &[reason], json!({ "text": text }), out);
        }
    }

    /// Judges what was counted so far and acts on it.
    fn judge(&mut self, out: &mut Vec<Effect>) {
        let Some((mode, bake)) = self.mode() else {
            return;
        };
        let Some(watch) = &self.state.watch else {
            return;
        };
        let plan = self.plan.clone();
        let judgement = watch.judge(&plan.checks, mode, self.state.now, bake);
        let waiting =
            self.state.flight.is_some() || matches!(self.state.phase, Phase::Shift | Phase::Retire);
        // While a write is under way only a failure matters.
        if waiting && judgement.verdict != Verdict::Fail {
            return;
        }
        let told = Some((judgement.verdict, judgement.reasons.clone()));
        if self.state.told != told {
            let numbers = watch.numbers(&plan.checks, mode);
            self.state.told = told;
            self.decide(judgement.verdict, &judgement.reasons, numbers, out);
        }
        match judgement.verdict {
            Verdict::Fail | Verdict::Invalid => {
                let words: Vec<&str> = judgement.reasons.iter().map(|r| r.meaning()).collect();
                self.fail(judgement.reasons.clone(), words.join(" "), out);
            }
            Verdict::Pass if !self.state.frozen => self.advance(out),
            Verdict::Pass | Verdict::Excused | Verdict::Hold => {}
        }
    }

    /// The step's time is over without a passing judgement.
    pub(super) fn step_over(&mut self, out: &mut Vec<Effect>) {
        if self.state.frozen || self.state.cause.is_some() {
            return;
        }
        let held = self
            .state
            .told
            .take()
            .map(|(_, reasons)| reasons)
            .unwrap_or_default();
        let mut reasons = vec![Reason::StageDeadline];
        reasons.extend(if held.is_empty() {
            vec![Reason::SampleMissing]
        } else {
            held
        });
        let numbers = match (&self.state.watch, self.mode()) {
            (Some(watch), Some((mode, _))) => watch.numbers(&self.plan.checks, mode),
            _ => Value::Null,
        };
        self.decide(Verdict::Fail, &reasons, numbers, out);
        let codes: Vec<&str> = reasons.iter().map(|r| r.code()).collect();
        self.fail(
            reasons.clone(),
            format!("no proof in time: {}", codes.join(", ")),
            out,
        );
    }

    /// What is asked of the samples now, and when the step's minimum time is over.
    pub(super) fn mode(&self) -> Option<(Mode, Timestamp)> {
        let kind = &self.plan.steps.get(self.state.step)?.kind;
        let from = self.state.shifted;
        match kind {
            StepKind::Stage { weight, bake } => Some((Mode::Beside(*weight), from.after(*bake))),
            StepKind::Promote => Some((Mode::Promote, from)),
            StepKind::Soak { bake } => Some((Mode::Alone, from.after(*bake))),
            StepKind::Drain { .. } | StepKind::Stop { .. } => Some((Mode::Alone, from)),
            StepKind::Preflight | StepKind::Gates | StepKind::Deploy { .. } => None,
        }
    }
}
