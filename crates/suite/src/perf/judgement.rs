//! From samples to a verdict, as a pure function of them.
//!
//! A block's difference is the mean logarithm of its two head runs less that of its two base runs, turned so that greater is worse. The
//! change is the Hodges–Lehmann estimate over the blocks, and its bounds are the exact ones of the signed-rank test
//! ([`gonogo_stats::signed_rank()`]). That estimate is the choice because the noise of a shared host has two levels and bursts: the least
//! of N runs compares the luck of two sides, and a mean follows the bursts; differences within blocks know neither.
//!
//! The calibration treats the first and second run of each side in each block as two programs: twice as many differences of twice the
//! variance, so that its bounds are as wide as those of the comparison. If 95 % bounds of "the same beside itself" reach beyond half of
//! the budget, nothing is judged.

use gonogo_core::canonical::MAX_SAFE_INTEGER;
use gonogo_core::reason::Verdict;
use gonogo_core::{Reason, Span, canonical};
use gonogo_stats::{Shift, signed_rank};
use serde::{Deserialize, Serialize};

use super::protocol::order;
use super::{
    Demand, Direction, MOST_SAMPLES, Measurement, PerfError, RUNS_OF_A_BLOCK, Side, Stage,
};

/// How far a clock may be ahead of the judge's.
const AHEAD: Span = Span::from_secs(300);

/// What a comparison came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Shown to be better.
    Improved,
    /// Shown to be worse by less than the budget.
    Same,
    /// Shown to be worse, twice.
    Regressed,
    /// The noise is too great for an answer, or the second measurement did not bear out the first.
    Noise,
    /// The protocol is not at its end.
    Insufficient,
    /// The samples cannot be used.
    Invalid,
}

/// A change of head against base, as a fraction of base: 0.05 is five per cent more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The estimate.
    pub change: f64,
    /// Lower bound at the look's share of alpha.
    pub lower: f64,
    /// Upper bound at the look's share of alpha.
    pub upper: f64,
    /// Probability of samples that speak so much for "worse", were both sides alike.
    pub p_worse: f64,
}

/// The same program beside itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The change from the first run of a side in a block to the second.
    pub change: f64,
    /// 95 % of such comparisons differ by less than this.
    pub p95: f64,
    /// The greatest `p95` with which anything is judged: half of the budget.
    pub limit: f64,
}

/// What a stage came to at its last look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Which stage.
    pub stage: Stage,
    /// Blocks that were looked at.
    pub blocks: u32,
    /// Median of the base runs, in the metric's unit.
    pub base_median: f64,
    /// Median of the head runs.
    pub head_median: f64,
    /// Base and head; none if so few blocks have no bounds.
    pub effect: Option<Effect>,
    /// Each beside itself; none if so few blocks have no bounds.
    pub calibration: Option<Calibration>,
    /// What this stage alone shows.
    pub shows: Outcome,
}

/// The judged comparison. Stored as `gonogo.suite.perf-verdict.v1`; it carries all that it was derived from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerfVerdict {
    /// [`PerfVerdict::SCHEMA`].
    pub schema: String,
    /// The verdict.
    pub verdict: Verdict,
    /// What the comparison came to.
    pub result: Outcome,
    /// Why; never empty.
    pub reasons: Vec<Reason>,
    /// One line for people.
    pub detail: String,
    /// The stages that were measured.
    pub stages: Vec<Look>,
    /// What was demanded.
    pub demand: Demand,
    /// What was measured.
    pub measurement: Measurement,
}

impl PerfVerdict {
    /// The stored format's name.
    pub const SCHEMA: &'static str = "gonogo.suite.perf-verdict.v1";

    /// The bytes that are stored: canonical JSON.
    ///
    /// # Errors
    /// [`PerfError::Unreadable`] if a sample is no finite number: JSON has no word for it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PerfError> {
        canonical::to_vec(self).map_err(|e| PerfError::Unreadable {
            what: "the verdict",
            why: e.to_string(),
        })
    }
}

/// Judges a measurement.
///
/// # Errors
/// [`PerfError::Rule`] if the demand's own protocol means nothing. Whatever is wrong with the measurement is in the verdict.
pub fn judge(measurement: &Measurement, demand: &Demand) -> Result<PerfVerdict, PerfError> {
    demand.protocol.check()?;
    let verdict = |result, reasons: Vec<Reason>, detail: String, stages| PerfVerdict {
        schema: PerfVerdict::SCHEMA.into(),
        verdict: reasons
            .iter()
            .map(|r| r.verdict())
            .max()
            .unwrap_or(Verdict::Invalid),
        result,
        reasons,
        detail,
        stages,
        demand: demand.clone(),
        measurement: measurement.clone(),
    };
    if let Some((reason, detail)) = foreign(measurement, demand) {
        let result = match reason.verdict() {
            Verdict::Invalid => Outcome::Invalid,
            _ => Outcome::Insufficient,
        };
        return Ok(verdict(result, vec![reason], detail, Vec::new()));
    }
    Ok(match standing(measurement) {
        Standing::Broken((reason, detail)) => {
            verdict(Outcome::Invalid, vec![reason], detail, Vec::new())
        }
        Standing::More { stage, from, .. } => {
            let detail = format!(
                "the protocol goes on: the {} stage has {from} of its blocks",
                match stage {
                    Stage::First => "first",
                    Stage::Confirm => "confirming",
                }
            );
            verdict(
                Outcome::Insufficient,
                vec![Reason::PerfInsufficient],
                detail,
                Vec::new(),
            )
        }
        Standing::Ended { stages } => {
            let (result, reason, detail) = conclude(&stages, demand);
            verdict(result, vec![reason], detail, stages)
        }
    })
}

/// Derives a stored verdict again and compares it byte by byte.
///
/// # Errors
/// [`PerfError::Unreadable`] for bytes that are no such verdict, or are not those that follow from what they hold.
pub fn rederive(bytes: &[u8]) -> Result<PerfVerdict, PerfError> {
    let stored: PerfVerdict = super::read("the verdict", PerfVerdict::SCHEMA, bytes)?;
    let again = judge(&stored.measurement, &stored.demand)?;
    if again.to_bytes()? == bytes {
        return Ok(again);
    }
    Err(PerfError::Unreadable {
        what: "the verdict",
        why: format!(
            "its own samples give `{}` ({}), in other bytes than are stored",
            again.verdict, again.detail
        ),
    })
}

/// Why the measurement does not answer the demand.
fn foreign(m: &Measurement, demand: &Demand) -> Option<(Reason, String)> {
    let shown = |text: &str| text.chars().take(80).collect::<String>();
    if m.schema != Measurement::SCHEMA {
        let text = format!("its schema is `{}`", shown(&m.schema));
        return Some((Reason::SchemaUnknown, text));
    }
    if m.metric != demand.metric || m.direction != demand.direction {
        let text = format!(
            "`{}` {} was measured and `{}` {} is to be judged",
            shown(&m.metric),
            m.direction.sign(),
            shown(&demand.metric),
            demand.direction.sign()
        );
        return Some((Reason::EvidenceMissing, text));
    }
    for (what, found, wanted) in [
        ("base", &m.base_tree, &demand.base_tree),
        ("head", &m.head_tree, &demand.head_tree),
    ] {
        if found != wanted || found.is_empty() {
            let text = format!(
                "{what} was `{}`, and `{}` is judged",
                shown(found),
                shown(wanted)
            );
            return Some((Reason::EvidenceWrongTree, text));
        }
    }
    // A tree beside itself is no change, and would always pass.
    if m.base_tree == m.head_tree {
        let text = format!("base and head are both `{}`", shown(&m.head_tree));
        return Some((Reason::BaselineIncomparable, text));
    }
    if m.job.is_empty() || m.unit.is_empty() {
        let text = "its job or its unit is not named".to_owned();
        return Some((Reason::PerfProtocolBroken, text));
    }
    if m.protocol != demand.protocol || m.seed > MAX_SAFE_INTEGER {
        let text = "it was measured by other rules than it is judged by".to_owned();
        return Some((Reason::PerfProtocolBroken, text));
    }
    if m.host_class != demand.host_class || m.host_class.is_empty() {
        let text = format!(
            "measured on `{}`, and `{}` counts",
            shown(&m.host_class),
            shown(&demand.host_class)
        );
        return Some((Reason::PerfHostMismatch, text));
    }
    let age = demand.judged_at.since(m.measured_at);
    if age > demand.freshness || m.measured_at > demand.judged_at.after(AHEAD) {
        let text = format!(
            "measured at {}, judged at {}",
            m.measured_at, demand.judged_at
        );
        return Some((Reason::EvidenceStale, text));
    }
    None
}

/// How far a measurement has come.
pub(super) enum Standing {
    /// It cannot have been taken by the protocol.
    Broken((Reason, String)),
    /// Blocks `from..to` of a stage come next.
    More { stage: Stage, from: u32, to: u32 },
    /// It is complete.
    Ended { stages: Vec<Look> },
}

/// Walks through the protocol as far as the samples go. The protocol itself must be sound.
pub(super) fn standing(m: &Measurement) -> Standing {
    if let Some((n, sample)) = m
        .samples
        .iter()
        .enumerate()
        .find(|(_, s)| !is_possible(s.value))
    {
        let text = format!(
            "sample {} is {}, which no run can take",
            n + 1,
            sample.value
        );
        return Standing::Broken((Reason::PerfSampleInvalid, text));
    }
    let broken = |text: String| Standing::Broken((Reason::PerfProtocolBroken, text));
    if m.samples.len() > MOST_SAMPLES {
        return broken(format!(
            "{} samples are more than any protocol has",
            m.samples.len()
        ));
    }
    let mut rest = m.samples.as_slice();
    let mut stages = Vec::new();
    for stage in [Stage::First, Stage::Confirm] {
        let mut last = None;
        let mut from = 0;
        for to in m.protocol.looks.iter().copied() {
            let whole = to as usize * RUNS_OF_A_BLOCK;
            let planned = order(m.seed, stage, 0..to);
            let wrong = rest
                .iter()
                .take(whole)
                .zip(&planned)
                .position(|(s, side)| s.stage != stage || s.side != *side);
            if let Some(at) = wrong {
                let n = m.samples.len() - rest.len() + at + 1;
                return broken(format!(
                    "sample {n} is not the one that its seed puts there"
                ));
            }
            if rest.len() < whole {
                // Blocks that are there count as taken; what is left of a block does not.
                let have = (rest.len() / RUNS_OF_A_BLOCK) as u32;
                if !rest.len().is_multiple_of(RUNS_OF_A_BLOCK) {
                    return broken("its last block is not complete".to_owned());
                }
                return Standing::More {
                    stage,
                    from: have.max(from),
                    to,
                };
            }
            let look = look(stage, to, &rest[..whole], m);
            from = to;
            let decided = look.shows != Outcome::Noise;
            last = Some((look, whole));
            if decided {
                break;
            }
        }
        let Some((look, whole)) = last else {
            return broken("its protocol has no look".to_owned());
        };
        rest = &rest[whole..];
        stages.push(look);
        if look.shows != Outcome::Regressed {
            break;
        }
    }
    if rest.is_empty() {
        Standing::Ended { stages }
    } else {
        broken(format!(
            "{} samples were taken after the end; measuring on until it passes is no measurement",
            rest.len()
        ))
    }
}

/// Whether a run can take this: more than nothing, and a number that JSON keeps.
fn is_possible(value: f64) -> bool {
    value.is_normal() && value > 0.0 && value <= MAX_SAFE_INTEGER as f64
}

/// Looks at whole blocks.
fn look(stage: Stage, blocks: u32, samples: &[super::Sample], m: &Measurement) -> Look {
    let worse = match m.direction {
        Direction::AtMost => 1.0,
        Direction::AtLeast => -1.0,
    };
    let mut between = Vec::with_capacity(blocks as usize);
    let mut within = Vec::with_capacity(2 * blocks as usize);
    let mut values = [Vec::new(), Vec::new()];
    for block in samples.chunks_exact(RUNS_OF_A_BLOCK) {
        let of = |side: Side| {
            let mut found = block.iter().filter(|s| s.side == side).map(|s| s.value);
            let first = found.next().unwrap_or(f64::NAN);
            [first, found.next().unwrap_or(f64::NAN)]
        };
        let (base, head) = (of(Side::Base), of(Side::Head));
        let logs = |v: [f64; 2]| v.map(libm::log);
        let (a, b) = (logs(base), logs(head));
        between.push(worse * ((b[0] + b[1]) - (a[0] + a[1])) / 2.0);
        within.extend([a[1] - a[0], b[1] - b[0]]);
        values[0].extend(base);
        values[1].extend(head);
    }
    let shift = |differences: &[f64], alpha: f64| signed_rank(differences, alpha).ok().flatten();
    let median = |values: &[f64]| gonogo_stats::percentile(values, 0.5).unwrap_or(0.0);
    let protocol = &m.protocol;
    let limit = protocol.budget / 2.0;
    let compared = shift(&between, protocol.alpha_of_a_look());
    let calibrated = shift(&within, 0.025).and_then(|s| calibration(&s, limit));
    let effect = compared.and_then(|s| effect(&s, worse));
    let shows = match (&compared, &calibrated) {
        (Some(s), Some(c)) if c.p95 <= limit => show(s, m),
        _ => Outcome::Noise,
    };
    Look {
        stage,
        blocks,
        base_median: median(&values[0]),
        head_median: median(&values[1]),
        effect,
        calibration: calibrated,
        shows,
    }
}

/// The shift, in logarithms and greater is worse, at which head is worse by `share`.
fn threshold(share: f64, direction: Direction) -> f64 {
    match direction {
        Direction::AtMost => libm::log1p(share),
        Direction::AtLeast => -libm::log1p(-share),
    }
}

/// What a shift shows by itself; [`Outcome::Noise`] if nothing.
fn show(shift: &Shift, m: &Measurement) -> Outcome {
    let (Some(lower), Some(upper)) = (shift.lower, shift.upper) else {
        return Outcome::Noise;
    };
    let practical = threshold(m.protocol.practical, m.direction);
    let budget = threshold(m.protocol.budget, m.direction);
    if lower > 0.0 && shift.estimate >= practical {
        Outcome::Regressed
    } else if upper < 0.0 && -shift.estimate >= practical {
        Outcome::Improved
    } else if upper < budget && shift.estimate < practical {
        Outcome::Same
    } else {
        Outcome::Noise
    }
}

/// The change as a fraction of base. Turned back for metrics of which more is better.
fn effect(shift: &Shift, worse: f64) -> Option<Effect> {
    let fraction = |log: f64| fraction(worse * log);
    let (a, b) = (fraction(shift.lower?), fraction(shift.upper?));
    Some(Effect {
        change: fraction(shift.estimate),
        lower: a.min(b),
        upper: a.max(b),
        p_worse: shift.p_greater,
    })
}

fn calibration(shift: &Shift, limit: f64) -> Option<Calibration> {
    let reach = shift.lower?.abs().max(shift.upper?.abs());
    Some(Calibration {
        change: fraction(shift.estimate),
        p95: fraction(reach),
        limit,
    })
}

/// A ratio's logarithm as a change; a millionfold is as much as is told.
fn fraction(log: f64) -> f64 {
    libm::expm1(log).min(1e6)
}

/// What the stages together come to.
fn conclude(stages: &[Look], demand: &Demand) -> (Outcome, Reason, String) {
    let percent = |v: f64| format!("{:+.2} %", 100.0 * v);
    let Some(first) = stages.first() else {
        let text = "nothing was looked at".to_owned();
        return (Outcome::Insufficient, Reason::PerfInsufficient, text);
    };
    let last = stages.last().unwrap_or(first);
    let metric: String = demand.metric.chars().take(80).collect();
    let seen = match (last.effect, last.calibration) {
        (Some(e), Some(c)) => format!(
            "{metric} changed by {} (from {} to {}) over {} blocks, where the same beside itself differs by {:.2} %",
            percent(e.change),
            percent(e.lower),
            percent(e.upper),
            last.blocks,
            100.0 * c.p95,
        ),
        _ => format!("{metric}: {} blocks have no bounds", last.blocks),
    };
    let noisy = |look: &Look| look.calibration.is_none_or(|c| c.p95 > c.limit);
    match (first.shows, stages.get(1).map(|s| s.shows)) {
        (Outcome::Same, None) => (Outcome::Same, Reason::PerfWithinBudget, seen),
        (Outcome::Improved, None) => (Outcome::Improved, Reason::PerfImproved, seen),
        (Outcome::Regressed, Some(Outcome::Regressed)) => {
            (Outcome::Regressed, Reason::PerfRegressed, seen)
        }
        (Outcome::Regressed, Some(_)) => (Outcome::Noise, Reason::PerfUnconfirmed, seen),
        (Outcome::Noise, None) if noisy(first) => (Outcome::Noise, Reason::PerfNoiseFloor, seen),
        (Outcome::Noise, None) => (Outcome::Noise, Reason::PerfUnproven, seen),
        _ => (Outcome::Insufficient, Reason::PerfInsufficient, seen),
    }
}
