//! What dashboards read of a run: `budget_summary.json` and `budget_events.jsonl`.
//!
//! Invariant: a row stands for everything that is demanded, a threshold or a comparison, and none is a pass whose outcome is none.

use std::collections::BTreeMap;
use std::path::Path;

use gonogo_core::Reason;
use gonogo_suite::perf::budget::{Budget, BudgetSummary, Judged, Status, summarize};
use gonogo_suite::perf::{Direction, Outcome as Compared, PerfVerdict, Statistic};

use super::judging::Limits;
use super::{Named, Outcome, PerfRun};
use crate::AppError;
use crate::config::PerfFile;
use crate::workspace::write_atomic;

/// Thresholds and comparisons of a run beside each other; a comparison is the row `NAME/compare`, by how much head is worse as a share.
pub(super) fn summary(
    run: &PerfRun,
    chosen: &Named<'_>,
    limits: Option<&Limits>,
    compared: &BTreeMap<&str, &PerfVerdict>,
) -> BudgetSummary {
    let mut rows = Vec::new();
    for outcome in &run.outcomes {
        let name = outcome.budget.as_str();
        if let Some(judged) = limits.and_then(|l| l.of(name)) {
            rows.push(held(judged.clone(), outcome));
        }
        let file = chosen.iter().find(|(n, _)| *n == name).map(|(_, f)| *f);
        if let Some(file) = file.filter(|_| outcome.compares) {
            let row = row(run, outcome, file, compared.get(name).copied());
            rows.push(held(row, outcome));
        }
    }
    summarize(rows, &run.tree, run.at)
}

/// What did not come to its end is no pass.
fn held(mut row: Judged, outcome: &Outcome) -> Judged {
    if let Some(trouble) = outcome
        .trouble
        .as_ref()
        .filter(|_| row.status == Status::Pass)
    {
        row.status = Status::NoData;
        row.reasons = vec![Reason::PerfInsufficient];
        row.detail = format!("{}; {trouble}", row.detail);
    }
    row
}

fn row(run: &PerfRun, outcome: &Outcome, file: &PerfFile, found: Option<&PerfVerdict>) -> Judged {
    let worse = found
        .and_then(|v| v.stages.last()?.effect)
        .map(|effect| effect.change);
    let budget = Budget {
        name: format!("{}/compare", outcome.budget),
        category: file.category.clone(),
        metric: file.metric.clone(),
        unit: "share".into(),
        statistic: Statistic::P50,
        direction: Direction::AtMost,
        threshold: file
            .compare
            .as_ref()
            .map_or(0.0, |c| c.practical.fraction()),
        enforced: outcome.blocking,
        freshness: file.freshness,
        tolerance: None,
        methodology: "base and head in turn on one host".into(),
        host_class: file.host_class(&run.host_class).to_owned(),
        fewest: None,
    };
    Judged {
        budget,
        status: match found.map(|v| v.result) {
            Some(Compared::Improved | Compared::Same) => Status::Pass,
            Some(Compared::Regressed) => Status::Fail,
            Some(Compared::Noise | Compared::Insufficient) | None => Status::NoData,
            Some(Compared::Invalid) => Status::Invalid,
        },
        actual: worse,
        samples: found.map_or(0, |v| v.measurement.samples.len()),
        baseline: None,
        worse,
        source: found.map(|_| format!("{}/{}", run.run_id, outcome.budget)),
        reasons: found.map_or_else(|| vec![Reason::EvidenceMissing], |v| v.reasons.clone()),
        detail: found.map_or_else(
            || "base and head were not compared".to_owned(),
            |v| v.detail.clone(),
        ),
    }
}

/// Writes both.
pub(super) fn write(dir: &Path, summary: &BudgetSummary) -> Result<(), AppError> {
    let fault = |e: serde_json::Error| AppError::new(Reason::PerfSampleInvalid, e.to_string());
    let pretty = serde_json::to_vec_pretty(summary).map_err(fault)?;
    write_atomic(&dir.join("budget_summary.json"), &pretty)?;
    let mut events = String::new();
    for event in summary.events() {
        events.push_str(&serde_json::to_string(&event).map_err(fault)?);
        events.push('\n');
    }
    write_atomic(&dir.join("budget_events.jsonl"), events.as_bytes())
}
