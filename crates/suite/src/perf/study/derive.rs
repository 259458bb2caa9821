//! Studies from series: what a sweep chooses, and what a matrix ranks.
//!
//! Invariants: whatever is missing, too few or in conflict is a blocking reason; what is blocked chooses nothing and ranks nothing. What
//! is derived never contradicts itself.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;

use super::super::budget::Series;
use super::super::{Direction, Statistic};
use super::{
    COUNTED_ON, Decision, Dimension, Opportunity, OpportunityMatrix, ParameterSweep, Readiness,
    ReadinessStatus, STABLE_SPREAD, Sensitivity, Source,
};

/// What names a study.
#[derive(Debug, Clone)]
pub struct Named {
    /// The run.
    pub run_id: String,
    /// What ties it to other artifacts.
    pub correlation_id: String,
    /// When it is derived.
    pub at: Timestamp,
    /// Where its series come from.
    pub source: Source,
}

/// The series of a candidate value.
pub fn candidate(parameter: &str, value: u64) -> String {
    format!("{parameter}={value}")
}

fn readiness(blocking_reasons: Vec<String>) -> Readiness {
    let ready = blocking_reasons.is_empty();
    Readiness {
        status: match ready {
            true => ReadinessStatus::Ready,
            false => ReadinessStatus::Blocked,
        },
        ready,
        blocking_reasons,
    }
}

/// The figure of the one series of a name, or what is wrong with it.
fn figure(series: &[Series], name: &str, statistic: Statistic) -> Result<f64, String> {
    let mut found = series.iter().filter(|s| s.metric == name);
    let one = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) => return Err(format!("nothing measured `{name}`")),
        (Some(_), Some(_)) => return Err(format!("`{name}` was measured twice")),
    };
    if one.samples.len() < statistic.fewest() {
        return Err(format!(
            "`{name}` has {} samples, {} of them need {}",
            one.samples.len(),
            statistic.word(),
            statistic.fewest()
        ));
    }
    let figure = statistic.of(&one.samples);
    figure
        .filter(|v| v.is_finite() && *v > 0.0)
        .ok_or_else(|| format!("`{name}` has a figure that is none"))
}

impl ParameterSweep {
    /// Derives a sweep: of each parameter the value whose figure is best, the least of several. `blocked` is what blocked it before.
    pub fn derive(
        named: Named,
        objective: &str,
        dimensions: &[Dimension],
        series: &[Series],
        by: (Direction, Statistic),
        blocked: Vec<String>,
    ) -> Self {
        let (direction, statistic) = by;
        let mut reasons = blocked;
        let mut chosen = BTreeMap::new();
        let mut sensitivity = Vec::new();
        // What blocked it before says more than what is missing for that.
        let tried = if reasons.is_empty() { dimensions } else { &[] };
        for dimension in tried {
            let mut figures = Vec::new();
            for value in &dimension.candidate_values {
                match figure(series, &candidate(&dimension.name, *value), statistic) {
                    Ok(figure) => figures.push((*value, figure)),
                    Err(why) => reasons.push(why),
                }
            }
            if figures.len() != dimension.candidate_values.len() {
                continue;
            }
            let best = figures.iter().copied().reduce(|a, b| {
                // The worse of both is `a` only if `b` is better.
                match direction.worse(a.1, b.1) == a.1 && a.1 != b.1 {
                    true => b,
                    false => a,
                }
            });
            let least = figures.iter().map(|f| f.1).fold(f64::INFINITY, f64::min);
            let greatest = figures.iter().map(|f| f.1).fold(0.0, f64::max);
            if let Some((value, _)) = best {
                chosen.insert(dimension.name.clone(), value);
                let spread_pct = 100.0 * (greatest / least - 1.0);
                sensitivity.push(Sensitivity {
                    name: dimension.name.clone(),
                    spread_pct,
                    stable: spread_pct <= STABLE_SPREAD,
                });
            }
        }
        if !reasons.is_empty() {
            chosen.clear();
        }
        Self {
            schema: Self::SCHEMA.into(),
            run_id: named.run_id,
            correlation_id: named.correlation_id,
            generated_at: named.at,
            source: named.source,
            objective: objective.to_owned(),
            dimensions: dimensions.to_vec(),
            selected_defaults: chosen,
            sensitivity,
            readiness: readiness(reasons),
        }
    }
}

/// A stage of a matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The series that says what it costs.
    pub metric: String,
    /// Which figure of its samples.
    pub statistic: Statistic,
    /// What making it better costs, above 0.
    pub effort: f64,
}

impl OpportunityMatrix {
    /// Derives a matrix. A stage's part is its figure in that of `whole`; how sure that is, one less the spread between its quartiles as a
    /// share of its median.
    pub fn derive(
        named: Named,
        whole: &Stage,
        stages: &[Stage],
        series: &[Series],
        blocked: Vec<String>,
    ) -> Self {
        let mut reasons = blocked;
        // What blocked it before says more than what is missing for that.
        let (whole, known) = match reasons.is_empty() {
            true => (Some(whole), stages),
            false => (None, &[][..]),
        };
        let metric = whole.map_or("", |w| w.metric.as_str());
        let all = whole.map_or(Ok(0.0), |w| figure(series, &w.metric, w.statistic));
        let unit = series.iter().find(|s| s.metric == metric);
        let unit = unit.map(|s| s.unit.as_str());
        let mut rows = Vec::new();
        for stage in known {
            let of_stage = figure(series, &stage.metric, stage.statistic);
            let own = series.iter().find(|s| s.metric == stage.metric);
            match (&all, of_stage, own) {
                (Ok(_), Ok(_), Some(own)) if unit != Some(own.unit.as_str()) => {
                    reasons.push(format!(
                        "`{}` is in another unit than the whole",
                        stage.name
                    ));
                }
                (Ok(all), Ok(figure), Some(own)) => match sure(&own.samples) {
                    Some(confidence) => rows.push(row(stage, 100.0 * figure / all, confidence)),
                    None => reasons.push(format!(
                        "the samples of `{}` differ by more than they say",
                        stage.name
                    )),
                },
                (_, Err(why), _) => reasons.push(why),
                (Err(_), _, _) | (_, _, None) => {}
            }
        }
        reasons.extend(all.err());
        let sum: f64 = rows.iter().map(|r: &Opportunity| r.contribution_pct).sum();
        if sum > 100.0 {
            reasons.push(format!("the stages add up to {sum:.1} % of the whole"));
        }
        if stages.is_empty() {
            reasons.push("no stage is declared".to_owned());
        }
        if !reasons.is_empty() {
            rows.clear();
        }
        rows.sort_by(|a, b| {
            let by_score = b.priority_score.total_cmp(&a.priority_score);
            by_score.then_with(|| a.stage.cmp(&b.stage))
        });
        for (at, row) in rows.iter_mut().enumerate() {
            row.rank = at as u64 + 1;
        }
        Self {
            schema: Self::SCHEMA.into(),
            run_id: named.run_id,
            correlation_id: named.correlation_id,
            generated_at: named.at,
            source: named.source,
            decision: match rows.is_empty() {
                true => Decision::NoDecision,
                false => Decision::Ranked,
            },
            readiness: readiness(reasons),
            rows,
        }
    }
}

fn row(stage: &Stage, contribution_pct: f64, confidence: f64) -> Opportunity {
    let expected_gain_pct = contribution_pct * COUNTED_ON;
    Opportunity {
        rank: 0,
        stage: stage.name.clone(),
        contribution_pct,
        expected_gain_pct,
        confidence,
        effort: stage.effort,
        priority_score: expected_gain_pct * confidence / stage.effort,
    }
}

/// Above 0 and at most 1; none if the quartiles lie further apart than the median is high.
fn sure(samples: &[f64]) -> Option<f64> {
    let at = |share| gonogo_stats::percentile(samples, share);
    let sure = 1.0 - (at(0.75)? - at(0.25)?) / at(0.5)?;
    (sure.is_finite() && sure > 0.0).then_some(sure.min(1.0))
}
