//! Judgements: verdict, reasons and the numbers behind them.

use gonogo_core::{Reason, Share, Timestamp, Verdict};
use gonogo_stats::{below_limit, more_needed, more_needed_below_limit, non_inferior, share_agrees};
use serde_json::{Value, json};

use super::rate::{Rate, Tally};
use super::{LIMIT_PART, RATIO_PART, SHARE_ALPHA, SOAK_PART, UNREADY_SAMPLES, Watch};
use crate::plan::{Checks, RateCheck};

/// What is asked of the samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Beside stable, at this share.
    Beside(Share),
    /// Alone, just written: is everything served by the new version?
    Promote,
    /// Alone: absolute limits only.
    Alone,
}

/// A verdict with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Pass, hold or fail.
    pub verdict: Verdict,
    /// Why; never empty, the weightiest first.
    pub reasons: Vec<Reason>,
}

/// What is said of one rate.
#[derive(Debug, Clone, Copy)]
struct Codes {
    non_inferior: Reason,
    within: Reason,
    worse: Reason,
    over: Reason,
}

const ERRORS: Codes = Codes {
    non_inferior: Reason::ErrorRateNonInferior,
    within: Reason::ErrorRateWithinLimit,
    worse: Reason::ErrorRateWorse,
    over: Reason::ErrorRateOverLimit,
};
const SLOW: Codes = Codes {
    non_inferior: Reason::SlowShareNonInferior,
    within: Reason::SlowShareWithinLimit,
    worse: Reason::SlowShareWorse,
    over: Reason::SlowShareOverLimit,
};
const CLIENT_ERRORS: Codes = Codes {
    non_inferior: Reason::ClientErrorsNonInferior,
    within: Reason::ClientErrorsWithinLimit,
    worse: Reason::ClientErrorsWorse,
    over: Reason::ClientErrorsOverLimit,
};

/// How far ahead [`Watch::needed`] looks, in requests.
const HORIZON: u64 = 10_000_000;

impl Watch {
    /// Judges what was counted. `bake` is when the step's minimum time is over.
    pub fn judge(&self, checks: &Checks, mode: Mode, now: Timestamp, bake: Timestamp) -> Judgement {
        self.judge_failure(checks, mode)
            .unwrap_or_else(|| self.judge_proof(checks, mode, now, bake))
    }

    /// Judges only whether something is shown to be wrong; none if not.
    pub(crate) fn judge_failure(&self, checks: &Checks, mode: Mode) -> Option<Judgement> {
        let reasons = self.failures(checks, mode);
        (!reasons.is_empty()).then_some(Judgement {
            verdict: Verdict::Fail,
            reasons,
        })
    }

    /// Judges whether all is shown to be well, where nothing is shown to be wrong.
    pub(crate) fn judge_proof(
        &self,
        checks: &Checks,
        mode: Mode,
        now: Timestamp,
        bake: Timestamp,
    ) -> Judgement {
        let mut holds = Vec::new();
        let mut passes = Vec::new();
        if let Some((reason, _)) = self.share(mode) {
            if reason.verdict() == Verdict::Pass {
                passes.push(reason)
            } else {
                holds.push(reason)
            }
        }
        if mode != Mode::Promote && self.window.completed < checks.min_requests {
            // Whatever the rates are: bounds need not be computed.
            holds.push(Reason::InsufficientSamples);
        } else if mode != Mode::Promote {
            for (rate, check, codes) in self.rates(checks) {
                let pass = match mode {
                    Mode::Alone => codes.within,
                    _ => codes.non_inferior,
                };
                match proof(rate.canary, rate.stable, check, checks, mode) {
                    true => passes.push(pass),
                    false if may_come(rate, check, checks, mode) => {
                        holds.push(Reason::InsufficientSamples)
                    }
                    false => holds.push(Reason::NotProven),
                }
            }
        }
        if now < bake {
            holds.push(Reason::BakeRunning);
        }
        if holds.is_empty() {
            return Judgement {
                verdict: Verdict::Pass,
                reasons: passes,
            };
        }
        let mut reasons: Vec<Reason> = Vec::new();
        for reason in holds {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        Judgement {
            verdict: Verdict::Hold,
            reasons,
        }
    }

    /// Evidence that something is wrong, in any step, at any time.
    fn failures(&self, checks: &Checks, mode: Mode) -> Vec<Reason> {
        let mut found = Vec::new();
        if self.exits > 0 {
            found.push(Reason::VersionExited);
        }
        if self.unready >= UNREADY_SAMPLES {
            found.push(Reason::VersionNotReady);
        }
        let (worse, over) = levels(checks, mode);
        let compared = mode != Mode::Alone;
        for (rate, _, codes) in self.rates(checks) {
            if compared && rate.is_worse(worse) {
                found.push(codes.worse);
            }
            if rate.is_over(over) {
                found.push(codes.over);
            }
        }
        found
    }

    /// Every rate with its check and what is said of it.
    fn rates<'a>(&'a self, checks: &'a Checks) -> [(&'a Rate, &'a RateCheck, Codes); 3] {
        [
            (&self.errors, &checks.errors, ERRORS),
            (&self.slow, &checks.slow, SLOW),
            (&self.client_errors, &checks.client_errors, CLIENT_ERRORS),
        ]
    }

    /// Whether the served share agrees with the weight.
    fn share(&self, mode: Mode) -> Option<(Reason, f64)> {
        let weight = match mode {
            // The weight as written: basis points.
            Mode::Beside(share) => f64::from(share.basis_points()) / 1e4,
            Mode::Promote => 1.0,
            Mode::Alone => return None,
        };
        let canary = self.window.routed_canary;
        let total = canary.saturating_add(self.window.routed_other);
        Some(match share_agrees(canary, total, weight, SHARE_ALPHA) {
            Ok(check) if !check.enough => (Reason::ShareUnproven, check.observed),
            Ok(check) if check.agrees => (Reason::ShareAgrees, check.observed),
            Ok(check) => (Reason::ShareMismatch, check.observed),
            Err(_) => (Reason::SampleInvalid, 0.0),
        })
    }

    /// How many more requests of the new version the checks need if its rates stay as they are; none if that is not
    /// the way to a pass.
    pub fn needed(&self, checks: &Checks, mode: Mode) -> Option<u64> {
        let short = checks.min_requests.saturating_sub(self.window.completed);
        let rates = self.rates(checks).into_iter();
        let proof = rates.filter_map(|(rate, check, _)| needed(rate, check, checks, mode));
        let more = proof.fold(short, u64::max);
        (mode != Mode::Promote && more > 0).then_some(more)
    }

    /// The numbers behind a judgement, for evidence. Reals are texts, so that bytes can be compared.
    pub fn numbers(&self, checks: &Checks, mode: Mode) -> Value {
        let mut out = self.numbers_of(checks, mode);
        if let (Some(map), Some(more)) = (out.as_object_mut(), self.needed(checks, mode)) {
            map.insert("needed".into(), json!(more));
        }
        out
    }

    /// As [`Watch::numbers`], without how many requests are still needed.
    pub(crate) fn numbers_of(&self, checks: &Checks, mode: Mode) -> Value {
        let (canary_p99, stable_p99) = self.p99_us;
        let side = |errors: Tally, slow: Tally, client: Tally, p99: u64| {
            json!({"requests": errors.n, "errors": errors.events, "error_rate": rate(errors),
                "slow": slow.events, "slow_share": rate(slow), "client_errors": client.events,
                "client_error_share": rate(client), "p99_us": p99})
        };
        let (worse, over) = levels(checks, mode);
        let mut out = json!({
            "canary": side(self.errors.canary, self.slow.canary, self.client_errors.canary, canary_p99),
            "since_write": {"routed": self.window.routed_canary, "others": self.window.routed_other,
                "completed": self.window.completed, "in_flight": self.window.in_flight, "samples": self.window.samples},
            "errors": rate_numbers(&self.errors, &checks.errors, checks, mode),
            "slow": rate_numbers(&self.slow, &checks.slow, checks, mode),
            "client_errors": rate_numbers(&self.client_errors, &checks.client_errors, checks, mode),
            "fails_below": {"p_over": p_text(over)},
            "exits": self.exits,
            "unready_samples": self.unready,
            "unrouted": self.unrouted,
            "lost": self.lost,
        });
        let compared = mode != Mode::Alone && self.stable_slot.is_some();
        if compared {
            out["stable"] = side(
                self.errors.stable,
                self.slow.stable,
                self.client_errors.stable,
                stable_p99,
            );
            out["fails_below"]["p_worse"] = json!(p_text(worse));
        }
        if self.restarts() > 0 {
            out["counter_restarts"] = json!(self.restarts());
        }
        if let Some((reason, observed)) = self.share(mode) {
            out["served"] = json!({"share": real(observed), "reason": reason});
        }
        out
    }
}

/// The p-values below which a comparison with stable and an absolute limit fail.
fn levels(checks: &Checks, mode: Mode) -> (f64, f64) {
    let alpha = checks.alpha_abort.fraction();
    let limit_part = if mode == Mode::Alone {
        SOAK_PART
    } else {
        LIMIT_PART
    };
    (alpha * RATIO_PART, alpha * limit_part)
}

fn proof(canary: Tally, stable: Tally, check: &RateCheck, checks: &Checks, mode: Mode) -> bool {
    let alpha = checks.alpha_promote.fraction();
    match mode {
        Mode::Alone => below_limit(canary.count(), check.limit.fraction(), alpha)
            .is_ok_and(|ceiling| ceiling.passes),
        _ => non_inferior(
            canary.count(),
            stable.count(),
            check.margin.fraction(),
            alpha,
        )
        .is_ok_and(|comparison| comparison.passes),
    }
}

/// Whether about [`HORIZON`] more requests at the same rates would be proof. Cheap, where [`needed`] searches for how many.
fn may_come(rate: &Rate, check: &RateCheck, checks: &Checks, mode: Mode) -> bool {
    if rate.canary.n == 0 {
        return needed(rate, check, checks, mode).is_some();
    }
    let factor = HORIZON / rate.canary.n + 2;
    proof(
        rate.canary.times(factor),
        rate.stable.times(factor),
        check,
        checks,
        mode,
    )
}

fn needed(rate: &Rate, check: &RateCheck, checks: &Checks, mode: Mode) -> Option<u64> {
    let alpha = checks.alpha_promote.fraction();
    let more = match mode {
        Mode::Alone => {
            more_needed_below_limit(rate.canary.count(), check.limit.fraction(), alpha, HORIZON)
        }
        _ => more_needed(
            rate.canary.count(),
            rate.stable.count(),
            check.margin.fraction(),
            alpha,
            HORIZON,
        ),
    };
    more.ok().flatten()
}

fn rate_numbers(rate: &Rate, check: &RateCheck, checks: &Checks, mode: Mode) -> Value {
    let alpha = checks.alpha_promote.fraction();
    match mode {
        Mode::Alone => {
            let upper = below_limit(rate.canary.count(), check.limit.fraction(), alpha)
                .map_or(1.0, |c| c.upper);
            json!({"p_over": p_text(rate.p_over()), "upper": real(upper), "limit": check.limit})
        }
        _ => {
            let difference = non_inferior(
                rate.canary.count(),
                rate.stable.count(),
                check.margin.fraction(),
                alpha,
            )
            .map_or(1.0, |c| c.diff_upper);
            json!({
                "p_worse": p_text(rate.p_worse()), "p_over": p_text(rate.p_over()),
                "difference_upper": real(difference), "margin": check.margin, "limit": check.limit,
            })
        }
    }
}

/// Events among requests; none without requests.
fn rate(tally: Tally) -> Option<String> {
    (tally.n > 0).then(|| real(tally.events as f64 / tally.n as f64))
}

fn real(value: f64) -> String {
    format!("{value:.6}")
}

/// A p-value: small ones say how small.
fn p_text(value: f64) -> String {
    if value < 1e-4 {
        format!("{value:.3e}")
    } else {
        real(value)
    }
}
