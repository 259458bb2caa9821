//! From kept measurements to what each budget came to; the same again for what was kept.

use gonogo_core::{Digest, Reason, Timestamp, Verdict};
use gonogo_gate::inputs::PerfResult;
use gonogo_suite::perf::budget::{Budget, BudgetSummary, Judged, Series, Status, judge_budgets};
use gonogo_suite::perf::stress::StressTriage;
use gonogo_suite::perf::{Outcome as Compared, PerfVerdict, Side, rederive};
use serde::{Deserialize, Serialize};

use super::{Outcome, PerfRun};
use crate::AppError;

/// Thresholds with all that they were judged by. Stored as `gonogo.suite.perf-check.v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// [`Limits::SCHEMA`].
    pub schema: String,
    /// The tree under judgement.
    pub tree: String,
    /// When it was judged.
    pub judged_at: Timestamp,
    /// What is demanded.
    pub budgets: Vec<Budget>,
    /// What was measured.
    pub series: Vec<Series>,
    /// What it is held against.
    pub baseline: Vec<Series>,
    /// What came of it.
    pub summary: BudgetSummary,
}

impl Limits {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-check.v1";

    /// Judges.
    ///
    /// # Errors
    /// Budgets that mean nothing.
    pub fn judge(
        budgets: Vec<Budget>,
        series: Vec<Series>,
        baseline: Vec<Series>,
        tree: &str,
        now: Timestamp,
    ) -> Result<Self, AppError> {
        let summary = judge_budgets(&budgets, &series, &baseline, tree, now)
            .map_err(|e| AppError::new(Reason::ConfigValue, e.to_string()))?;
        Ok(Self {
            schema: Self::SCHEMA.into(),
            tree: tree.to_owned(),
            judged_at: now,
            budgets,
            series,
            baseline,
            summary,
        })
    }

    /// Derives kept ones again; what differs is the error.
    pub(super) fn again(bytes: &[u8]) -> Result<Self, String> {
        let value = gonogo_core::canonical::parse(bytes).map_err(|e| e.to_string())?;
        let kept: Self = serde_json::from_value(value).map_err(|e| e.to_string())?;
        if kept.schema != Self::SCHEMA {
            return Err("it has another schema".into());
        }
        let again = Self::judge(
            kept.budgets,
            kept.series,
            kept.baseline,
            &kept.tree,
            kept.judged_at,
        )
        .map_err(|e| e.to_string())?;
        match gonogo_core::canonical::to_vec(&again) {
            Ok(same) if same == bytes => Ok(again),
            Ok(_) => Err("its own series give another result than is stored".into()),
            Err(e) => Err(e.to_string()),
        }
    }

    pub(super) fn of(&self, name: &str) -> Option<&Judged> {
        self.summary.budgets.iter().find(|j| j.budget.name == name)
    }
}

/// What a budget comes to, from its declaration's shape and what was measured.
pub(super) struct Shown<'a> {
    pub(super) budget: &'a str,
    pub(super) blocking: bool,
    pub(super) compares: bool,
    pub(super) limits: bool,
    pub(super) stresses: bool,
    pub(super) declared: Digest,
    pub(super) compared: Option<(&'a PerfVerdict, Digest)>,
    pub(super) limit: Option<&'a Limits>,
    pub(super) stressed: Option<(&'a StressTriage, Digest)>,
    pub(super) trouble: Option<String>,
}

impl Shown<'_> {
    /// The worst of comparison and threshold; what should be there and is not holds.
    pub(super) fn outcome(self) -> Outcome {
        let mut parts: Vec<(PerfResult, Vec<Reason>, String)> = Vec::new();
        if self.compares {
            parts.push(match &self.compared {
                Some((verdict, _)) => (
                    of_comparison(verdict.result),
                    verdict.reasons.clone(),
                    verdict.detail.clone(),
                ),
                None => missing("base and head were not compared"),
            });
        }
        if self.limits {
            let judged = self.limit.and_then(|l| l.of(self.budget));
            parts.push(match judged {
                Some(judged) => (
                    of_status(judged.status),
                    judged.reasons.clone(),
                    judged.detail.clone(),
                ),
                None => missing("no series was looked at"),
            });
        }
        if self.stresses {
            parts.push(match &self.stressed {
                Some((triage, _)) => (
                    of_triage(triage.verdict),
                    triage.reasons.clone(),
                    triage.detail(),
                ),
                None => missing("nothing was loaded"),
            });
        }
        let worst = |reasons: &[Reason]| reasons.iter().map(|r| r.verdict()).max();
        let result = parts
            .iter()
            .max_by_key(|(_, reasons, _)| worst(reasons))
            .map_or(PerfResult::Insufficient, |(result, _, _)| *result);
        let mut reasons: Vec<Reason> = parts.iter().flat_map(|p| p.1.clone()).collect();
        let details: Vec<&str> = parts.iter().map(|p| p.2.as_str()).collect();
        let mut detail = details.join("; ");
        if let Some(trouble) = &self.trouble {
            // Enough samples may be there although the end was not reached; that is no pass.
            reasons.push(Reason::PerfInsufficient);
            detail = format!("{detail}; {trouble}");
        }
        reasons.sort_unstable();
        reasons.dedup();
        let verdict = worst(&reasons).unwrap_or(Verdict::Invalid);
        Outcome {
            budget: self.budget.to_owned(),
            blocking: self.blocking,
            compares: self.compares,
            limits: self.limits,
            stresses: self.stresses,
            declared: self.declared,
            result: match verdict {
                Verdict::Pass | Verdict::Excused | Verdict::Fail => result,
                _ if matches!(result, PerfResult::Noise | PerfResult::Regressed) => result,
                _ => PerfResult::Insufficient,
            },
            verdict,
            reasons,
            detail,
            compared: self.compared.map(|(_, digest)| digest),
            base_tree: self.compared.map(|(v, _)| v.measurement.base_tree.clone()),
            stressed: self.stressed.map(|(_, digest)| digest),
            trouble: self.trouble,
        }
    }
}

fn missing(why: &str) -> (PerfResult, Vec<Reason>, String) {
    let reasons = vec![Reason::EvidenceMissing];
    (PerfResult::Insufficient, reasons, why.to_owned())
}

const fn of_comparison(outcome: Compared) -> PerfResult {
    match outcome {
        Compared::Improved => PerfResult::Improved,
        Compared::Same => PerfResult::Same,
        Compared::Regressed => PerfResult::Regressed,
        Compared::Noise => PerfResult::Noise,
        Compared::Insufficient | Compared::Invalid => PerfResult::Insufficient,
    }
}

const fn of_status(status: Status) -> PerfResult {
    match status {
        Status::Pass => PerfResult::Same,
        Status::Fail => PerfResult::Regressed,
        Status::NoData | Status::Invalid => PerfResult::Insufficient,
    }
}

const fn of_triage(verdict: Verdict) -> PerfResult {
    match verdict {
        Verdict::Pass | Verdict::Excused => PerfResult::Same,
        Verdict::Fail => PerfResult::Regressed,
        Verdict::Hold | Verdict::Invalid => PerfResult::Insufficient,
    }
}

/// A kept run that follows from what it was made of.
pub(super) struct Derived {
    /// The run.
    pub(super) run: PerfRun,
    /// The comparisons of its outcomes, in their order; those without one are left out.
    pub(super) verdicts: Vec<PerfVerdict>,
    /// Its thresholds.
    pub(super) limits: Option<Limits>,
}

impl Derived {
    /// What was measured of its tree: series of thresholds, and head's samples of comparisons that have none.
    pub(super) fn series(&self) -> Vec<Series> {
        let mut all = self
            .limits
            .as_ref()
            .map_or_else(Vec::new, |l| l.series.clone());
        for verdict in &self.verdicts {
            let m = &verdict.measurement;
            let head = m.samples.iter().filter(|s| s.side == Side::Head);
            let samples: Vec<f64> = head.map(|s| s.value).collect();
            if samples.is_empty() || all.iter().any(|s| s.metric == m.metric && s.unit == m.unit) {
                continue;
            }
            all.push(Series {
                metric: m.metric.clone(),
                unit: m.unit.clone(),
                tree: m.head_tree.clone(),
                host_class: m.host_class.clone(),
                measured_at: m.measured_at,
                source: m.job.clone(),
                samples,
            });
        }
        all
    }
}

/// What outcomes follow from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// The thresholds of the run.
    Limits,
    /// The comparison of a budget.
    Comparison(&'a str),
    /// The triage of a load test.
    Stress(&'a str),
}

/// Derives a kept run again from what it was made of; every difference is told. `read` gives the bytes of a part, which has this digest.
pub(super) fn again(
    bytes: &[u8],
    mut read: impl FnMut(Part<'_>, Digest) -> Result<Vec<u8>, String>,
) -> Result<Derived, String> {
    let value = gonogo_core::canonical::parse(bytes).map_err(|e| e.to_string())?;
    let kept: PerfRun = serde_json::from_value(value).map_err(|e| e.to_string())?;
    if kept.schema != PerfRun::SCHEMA {
        return Err("the run has another schema".into());
    }
    let limits = match kept.limits {
        None => None,
        Some(digest) => {
            let bytes = read(Part::Limits, digest)?;
            if Digest::of(&bytes) != digest {
                return Err("the thresholds are not those that were kept".into());
            }
            let limits = Limits::again(&bytes).map_err(|e| format!("the thresholds: {e}"))?;
            if limits.tree != kept.tree {
                return Err("the thresholds are of another tree".into());
            }
            Some(limits)
        }
    };
    let mut verdicts = Vec::new();
    let mut outcomes = Vec::new();
    for outcome in &kept.outcomes {
        let name = &outcome.budget;
        let compared = match outcome.compared {
            None => None,
            Some(digest) => {
                let bytes = read(Part::Comparison(name), digest)?;
                if Digest::of(&bytes) != digest {
                    return Err(format!(
                        "the comparison of `{name}` is not the one that was kept"
                    ));
                }
                let verdict = rederive(&bytes).map_err(|e| format!("`{name}`: {e}"))?;
                if verdict.demand.head_tree != kept.tree {
                    return Err(format!("the comparison of `{name}` is of another tree"));
                }
                Some((verdict, digest))
            }
        };
        let stressed = match outcome.stressed {
            None => None,
            Some(digest) => {
                let bytes = read(Part::Stress(name), digest)?;
                if Digest::of(&bytes) != digest {
                    return Err(format!(
                        "the triage of `{name}` is not the one that was kept"
                    ));
                }
                let triage =
                    StressTriage::rederive(&bytes).map_err(|e| format!("`{name}`: {e}"))?;
                if triage.run.tree != kept.tree {
                    return Err(format!("the triage of `{name}` is of another tree"));
                }
                Some((triage, digest))
            }
        };
        let shown = Shown {
            budget: name,
            blocking: outcome.blocking,
            compares: outcome.compares,
            limits: outcome.limits,
            stresses: outcome.stresses,
            declared: outcome.declared,
            compared: compared.as_ref().map(|(v, d)| (v, *d)),
            limit: limits.as_ref(),
            stressed: stressed.as_ref().map(|(t, d)| (t, *d)),
            trouble: outcome.trouble.clone(),
        };
        outcomes.push(shown.outcome());
        verdicts.extend(compared.map(|(v, _)| v));
    }
    let again = PerfRun { outcomes, ..kept };
    match gonogo_core::canonical::to_vec(&again) {
        Ok(same) if same == bytes => Ok(Derived {
            run: again,
            verdicts,
            limits,
        }),
        Ok(_) => Err("what was kept gives other outcomes than are stored".into()),
        Err(e) => Err(e.to_string()),
    }
}
