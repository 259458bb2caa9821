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
        let going_back = self.state.undo.as_ref();
        let waits_for_zero = going_back.is_some_and(|u| u.zero.is_some());
        let settles = going_back.is_some_and(|u| u.zero.is_none());
        let moving = self.state.flight.is_some() || settles;
        let Some(watch) = &mut self.state.watch else {
            return;
        };
        match watch.take(sample, moving) {
            Ok(()) => self.state.missed = 0,
            // Read before the last write was: the next one will tell.
            Err(Unusable::Foreign { seen, known }) if seen < known => return,
            Err(Unusable::Foreign { .. }) if waits_for_zero => return self.undo_again(out),
            Err(e @ (Unusable::Foreign { .. } | Unusable::WrongVersion { .. }))
                if !waits_for_zero =>
            {
                // What is under way may be what empties a slot, and will be looked at when it has settled.
                if !moving {
                    self.moved(e.to_string(), out);
                }
                return;
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
        let failure = watch.judge_failure(&plan.checks, mode);
        let waiting =
            self.state.flight.is_some() || matches!(self.state.phase, Phase::Shift | Phase::Retire);
        let judgement = match failure {
            Some(failure) => failure,
            // While a write is under way only a failure matters.
            None if waiting => return,
            None => watch.judge_proof(&plan.checks, mode, self.state.now, bake),
        };
        let told = Some((judgement.verdict, judgement.reasons.clone()));
        if self.state.told != told {
            // How many requests are missing is searched for: only where it is the answer.
            let short = judgement.reasons.contains(&Reason::InsufficientSamples);
            let numbers = if short {
                watch.numbers(&plan.checks, mode)
            } else {
                watch.numbers_of(&plan.checks, mode)
            };
            self.state.told = told;
            self.decide(judgement.verdict, &judgement.reasons, numbers, out);
        }
        match judgement.verdict {
            Verdict::Fail | Verdict::Invalid => {
                let words: Vec<&str> = judgement.reasons.iter().map(|r| r.meaning()).collect();
                self.fail(judgement.reasons, words.join(" "), out);
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
        reasons.extend(if held.is_empty() && self.state.flight.is_some() {
            vec![Reason::EffectUnknown]
        } else if held.is_empty() {
            vec![Reason::SampleMissing]
        } else {
            held
        });
        let numbers = match (&self.state.watch, self.mode()) {
            (Some(watch), Some((mode, _))) => watch.numbers_of(&self.plan.checks, mode),
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
