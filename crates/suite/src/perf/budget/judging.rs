//! From budgets and series to what they came to.

use std::collections::BTreeMap;

use gonogo_core::reason::Verdict;
use gonogo_core::{Reason, Share, Span, Timestamp};

use super::{BrokenContract, Budget, BudgetSummary, Judged, Series, Status, check_all, is_figure};
use crate::perf::metric::ROUNDING;
use crate::perf::{Direction, PerfError};

/// How far a clock may be ahead of the judge's.
const AHEAD: Span = Span::from_secs(300);

/// Judges `budgets` by `series` about `tree` at `now`; `baseline` is what tolerances compare with.
///
/// # Errors
/// [`PerfError::Rule`] for a list that `BudgetList::parse` would refuse.
pub fn judge_budgets(
    budgets: &[Budget],
    series: &[Series],
    baseline: &[Series],
    tree: &str,
    now: Timestamp,
) -> Result<BudgetSummary, PerfError> {
    check_all(budgets)?;
    let (measured, before) = (by_metric(series), by_metric(baseline));
    let none: &[&Series] = &[];
    let of = |map: &BTreeMap<&str, Vec<&Series>>, metric: &str| -> Vec<Series> {
        let found = map.get(metric).map_or(none, Vec::as_slice);
        found.iter().map(|s| (*s).clone()).collect()
    };
    let judged: Vec<Judged> = budgets
        .iter()
        .map(|b| {
            judge_one(
                b,
                &of(&measured, &b.metric),
                &of(&before, &b.metric),
                tree,
                now,
            )
        })
        .collect();
    Ok(summarize(judged, tree, now))
}

fn by_metric(series: &[Series]) -> BTreeMap<&str, Vec<&Series>> {
    let mut map: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
    for each in series {
        map.entry(&each.metric).or_default().push(each);
    }
    map
}

/// Counts what budgets came to, in the order given.
pub fn summarize(judged: Vec<Judged>, tree: &str, now: Timestamp) -> BudgetSummary {
    let all = |status| judged.iter().filter(|j| j.status == status).count();
    let enforced: Vec<&Judged> = judged.iter().filter(|j| j.budget.enforced).collect();
    let held = |status| enforced.iter().filter(|j| j.status == status).count();
    let contracts: Vec<BrokenContract> = enforced
        .iter()
        .filter(|j| matches!(j.status, Status::NoData | Status::Invalid))
        .flat_map(|j| {
            j.reasons.iter().map(|reason| BrokenContract {
                contract_id: *reason,
                budget_name: j.budget.name.clone(),
                detail: j.detail.clone(),
                remediation: reason.next_action().to_owned(),
            })
        })
        .collect();
    let verdict = enforced
        .iter()
        .flat_map(|j| j.reasons.iter().map(|r| r.verdict()))
        .max()
        // If nobody is held to anything, nothing is shown.
        .unwrap_or(Verdict::Hold);
    BudgetSummary {
        schema: "gonogo.suite.perf-budgets.v1".into(),
        verdict,
        tree: tree.to_owned(),
        generated_at: now,
        total_budgets: judged.len(),
        ci_enforced: enforced.len(),
        ci_with_data: held(Status::Pass) + held(Status::Fail),
        ci_fail: held(Status::Fail),
        ci_no_data: held(Status::NoData),
        ci_invalid: held(Status::Invalid),
        pass: all(Status::Pass),
        fail: all(Status::Fail),
        no_data: all(Status::NoData),
        invalid: all(Status::Invalid),
        data_contract_failures_count: contracts.len(),
        failing_data_contracts: contracts,
        budgets: judged,
    }
}

/// Why a series does not count for a budget.
fn refuse(b: &Budget, s: &Series, tree: &str, now: Timestamp) -> Option<(Reason, String)> {
    let source = s.source.chars().take(200).collect::<String>();
    if s.unit != b.unit {
        let unit: String = s.unit.chars().take(40).collect();
        let text = format!("{source} is in `{unit}`, the budget in `{}`", b.unit);
        return Some((Reason::PerfSampleInvalid, text));
    }
    if let Some((n, bad)) = s.samples.iter().enumerate().find(|(_, v)| !is_figure(**v)) {
        let text = format!("sample {} of {source} is {bad}", n + 1);
        return Some((Reason::PerfSampleInvalid, text));
    }
    if s.tree != tree {
        let other: String = s.tree.chars().take(80).collect();
        return Some((
            Reason::EvidenceWrongTree,
            format!("{source} is about `{other}`"),
        ));
    }
    if now.since(s.measured_at) > b.freshness || s.measured_at > now.after(AHEAD) {
        let text = format!(
            "{source} was measured at {}, and {} is allowed",
            s.measured_at, b.freshness
        );
        return Some((Reason::EvidenceStale, text));
    }
    if s.host_class != b.host_class {
        let other: String = s.host_class.chars().take(80).collect();
        let text = format!(
            "{source} was measured on `{other}`, the budget is for `{}`",
            b.host_class
        );
        return Some((Reason::PerfHostMismatch, text));
    }
    if s.samples.len() < b.fewest() {
        let text = format!(
            "{source} has {} samples, {} of them need {}",
            s.samples.len(),
            b.statistic.word(),
            b.fewest()
        );
        return Some((Reason::PerfInsufficient, text));
    }
    None
}

fn judge_one(
    b: &Budget,
    series: &[Series],
    baseline: &[Series],
    tree: &str,
    now: Timestamp,
) -> Judged {
    let judged = |status, reason: Reason, detail: String| Judged {
        budget: b.clone(),
        status,
        actual: None,
        samples: 0,
        baseline: None,
        worse: None,
        source: None,
        reasons: vec![reason],
        detail,
    };
    if tree.is_empty() {
        let text = "the tree under judgement is not known".to_owned();
        return judged(Status::NoData, Reason::EvidenceMissing, text);
    }
    let mut usable: Vec<(&Series, f64)> = Vec::new();
    let mut refused: Vec<(Reason, String)> = Vec::new();
    for each in series {
        match (refuse(b, each, tree, now), b.statistic.of(&each.samples)) {
            (None, Some(figure)) => usable.push((each, figure)),
            (Some(why), _) => refused.push(why),
            (None, None) => {
                let text = format!("{} has no samples", each.source);
                refused.push((Reason::PerfInsufficient, text));
            }
        }
    }
    // Broken figures about this very tree are not made good by others that are whole.
    refused.sort_by(|a, b| b.0.verdict().cmp(&a.0.verdict()).then(a.cmp(b)));
    if let Some((reason, text)) = refused.first()
        && (reason.verdict() == Verdict::Invalid || usable.is_empty())
    {
        let status = match reason.verdict() {
            Verdict::Invalid => Status::Invalid,
            _ => Status::NoData,
        };
        return judged(status, *reason, text.clone());
    }
    let worst = usable.into_iter().reduce(|a, c| {
        if b.direction.worse(a.1, c.1) == a.1 {
            a
        } else {
            c
        }
    });
    let Some((worst, actual)) = worst else {
        let text = format!("nothing measured `{}`", b.metric);
        return judged(Status::NoData, Reason::EvidenceMissing, text);
    };
    let mut found = Judged {
        actual: Some(actual),
        samples: worst.samples.len(),
        source: Some(worst.source.clone()),
        ..judged(
            Status::Pass,
            Reason::PerfWithinBudget,
            format!(
                "{} of `{}` is {actual} {}, {} {} {} is allowed",
                b.statistic.word(),
                b.metric,
                b.unit,
                b.direction.sign(),
                b.threshold,
                b.unit
            ),
        )
    };
    if !b.direction.holds(actual, b.threshold) {
        found.status = Status::Fail;
        found.reasons = vec![Reason::PerfBudgetExceeded];
    }
    if let Some(tolerance) = b.tolerance {
        compare(b, tolerance, baseline, &mut found, actual);
    }
    found
}

/// Holds the figure against the baseline's.
fn compare(b: &Budget, tolerance: Share, baseline: &[Series], found: &mut Judged, actual: f64) {
    let refuse = |found: &mut Judged, reason: Reason, why: String| {
        found.detail = format!("{}; {why}", found.detail);
        if found.status == Status::Pass {
            found.status = Status::NoData;
            found.reasons.clear();
        }
        found.reasons.push(reason);
    };
    let mut like = Vec::new();
    let mut other = None;
    for each in baseline {
        let sound = each.unit == b.unit
            && each.samples.len() >= b.fewest()
            && each.samples.iter().all(|v| is_figure(*v));
        if !sound {
            let why = "its unit or samples are not such as the budget's".to_owned();
            other = Some((Reason::BaselineIncomparable, why));
        } else if each.host_class != b.host_class {
            let class: String = each.host_class.chars().take(80).collect();
            let why = format!("the baseline was measured on `{class}`");
            other = other.or(Some((Reason::PerfHostMismatch, why)));
        } else {
            like.extend(b.statistic.of(&each.samples));
        }
    }
    // Of several baselines the best counts: a bad day in the past is no excuse.
    let better = |a: f64, c: f64| if b.direction.worse(a, c) == a { c } else { a };
    let Some(before) = like.into_iter().reduce(better) else {
        let (reason, why) = other.unwrap_or_else(|| {
            (
                Reason::BaselineMissing,
                "there is no baseline to compare with".to_owned(),
            )
        });
        return refuse(found, reason, why);
    };
    found.baseline = Some(before);
    if before <= 0.0 {
        let why = "the baseline is 0, of which nothing is a share".to_owned();
        if b.direction == Direction::AtLeast || actual == 0.0 {
            return;
        }
        return refuse(found, Reason::BaselineIncomparable, why);
    }
    let worse = match b.direction {
        Direction::AtMost => actual / before - 1.0,
        Direction::AtLeast => 1.0 - actual / before,
    };
    found.worse = Some(worse);
    found.detail = format!(
        "{}; {:+.2} % against the baseline's {before}, {tolerance} worse is allowed",
        found.detail,
        100.0 * (actual / before - 1.0)
    );
    if worse > tolerance.fraction() + ROUNDING {
        if found.status == Status::Pass {
            found.reasons.clear();
        }
        found.status = Status::Fail;
        found.reasons.push(Reason::PerfRegressed);
    }
}
