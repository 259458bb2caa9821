//! Criteria of the sign-off, each with what was demanded, what was seen and how far apart they are.
//!
//! The sign-off judges; this only shows. Where the figures break a criterion and no finding of the sign-off says so, the row
//! contradicts it, and the review says that the verdict is to be recomputed.

use serde::{Deserialize, Serialize};

use super::facts::{counting, entries, percent, plural, span};
use crate::Status;
use crate::sign_off::Criteria;
use crate::summary::Report;
use crate::watch::duration::{brief, counted, humanised, trimmed};

/// A criterion of the sign-off beside what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Criterion {
    /// What.
    pub name: String,
    /// What was demanded.
    pub required: String,
    /// What was seen.
    pub observed: String,
    /// How far apart they are; `—` where that is no number.
    pub margin: String,
    /// Whether it holds.
    pub status: Status,
    /// What the figures mean.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether the figures break the criterion though no finding of the sign-off says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contradicts: bool,
}

/// Returns the worst finding of the sign-off that counts and whose code begins so.
fn found(report: &Report, prefix: &str, allow: bool) -> Option<Status> {
    report
        .sign_off
        .iter()
        .flat_map(|sign_off| &sign_off.findings)
        .filter(|finding| finding.code.starts_with(prefix))
        .map(|finding| match finding.accepted {
            Some(_) => Status::Pass,
            None => counting(finding.severity, allow),
        })
        .max()
}

/// Returns the criteria, one row each; none if there was no sign-off.
pub fn rows(report: &Report) -> Vec<Criterion> {
    let Some(sign_off) = &report.sign_off else {
        return Vec::new();
    };
    let demanded = &sign_off.criteria;
    let allow = demanded.allow_warnings;
    let mut rows = Vec::new();
    rows.extend(duration_row(report, demanded, allow));
    rows.extend(uptime_row(report, demanded, allow));
    let summary = &report.summary;
    for (name, code, required, seen) in [
        (
            "Decision diary",
            "diary",
            demanded.require_diary,
            summary
                .diary
                .as_ref()
                .map(|diary| (diary.status, entries(diary.total_entries))),
        ),
        (
            "Performance telemetry",
            "performance",
            demanded.require_performance,
            summary.performance.as_ref().map(|performance| {
                (
                    performance.status,
                    plural(performance.total_trades, "trade", "trades"),
                )
            }),
        ),
    ] {
        let finding = found(report, code, allow);
        let absent = required && seen.is_none();
        let own = seen
            .as_ref()
            .map_or(Status::Pass, |(status, _)| counting(*status, allow));
        rows.push(Criterion {
            name: name.to_owned(),
            required: if required {
                "present and sound"
            } else {
                "not required"
            }
            .to_owned(),
            observed: seen.map_or("absent".to_owned(), |(status, text)| {
                format!("{text}, {status}")
            }),
            margin: "—".to_owned(),
            status: match finding {
                Some(status) => status.max(own),
                None if absent => Status::Fail,
                None => own,
            },
            note: String::new(),
            contradicts: absent && finding.is_none() && sign_off.status < Status::Fail,
        });
    }
    rows.extend(sharpe_row(report, demanded, allow));
    rows
}

/// Returns the row on warnings, from what is open and what was accepted.
pub fn warnings_row(report: &Report, collected: &super::actions::Collected) -> Option<Criterion> {
    let allowed = report.sign_off.as_ref()?.criteria.allow_warnings;
    let open = collected
        .items
        .iter()
        .filter(|item| item.severity == Status::Warn)
        .count() as u64;
    let accepted = collected.accepted.len() as u64;
    Some(Criterion {
        name: "Warnings".to_owned(),
        required: if allowed { "accepted" } else { "none open" }.to_owned(),
        observed: format!("{} open, {} accepted", counted(open), counted(accepted)),
        margin: "—".to_owned(),
        status: if open > 0 { Status::Warn } else { Status::Pass },
        note: String::new(),
        contradicts: false,
    })
}

fn duration_row(report: &Report, demanded: &Criteria, allow: bool) -> Option<Criterion> {
    let minimum = demanded.minimum_duration_seconds?;
    let tolerance = demanded.duration_tolerance_seconds.max(0.0);
    let finding = found(report, "duration", allow);
    let logs = report
        .summary
        .logs
        .as_ref()
        .and_then(|logs| logs.duration_seconds);
    let lived = span(report).2;
    // The rule may be held against either; what is shown is the child's life, and only what breaks both is a contradiction.
    let broken = match (lived, logs) {
        (None, None) => true,
        (a, b) => a.unwrap_or(0.0).max(b.unwrap_or(0.0)) + tolerance < minimum,
    };
    Some(Criterion {
        name: "Duration".to_owned(),
        required: match tolerance > 0.0 {
            true => format!("{}, less at most {}", brief(minimum), brief(tolerance)),
            false => brief(minimum),
        },
        observed: lived.map_or("unknown".to_owned(), humanised),
        margin: lived.map_or("—".to_owned(), |lived| signed_time(lived - minimum)),
        status: finding.unwrap_or(if broken { Status::Fail } else { Status::Pass }),
        note: String::new(),
        contradicts: broken && finding.is_none(),
    })
}

fn uptime_row(report: &Report, demanded: &Criteria, allow: bool) -> Option<Criterion> {
    let minimum = demanded.minimum_uptime_ratio?;
    let logs = report.summary.logs.as_ref();
    let heartbeat = logs.and_then(|logs| logs.heartbeat.as_ref());
    let compat = logs.and_then(|logs| logs.uptime_ratio);
    let finding = found(report, "uptime", allow);
    let duration = span(report).2;
    let observed = heartbeat.map(|heartbeat| heartbeat.pessimistic).or(compat);
    let best = [observed, compat]
        .into_iter()
        .flatten()
        .filter(|ratio| ratio.is_finite())
        .fold(None, |best: Option<f64>, ratio| {
            Some(best.map_or(ratio, |best| best.max(ratio)))
        });
    let broken = best.is_none_or(|best| best < minimum);
    let minutes = |seconds: f64| format!("{} min", trimmed(seconds / 60.0, 1));
    let mut note = String::new();
    if let Some(duration) = duration.filter(|seconds| *seconds > 0.0) {
        note = format!(
            "{} of {} allows {} down",
            percent(minimum),
            brief(duration),
            minutes((1.0 - minimum) * duration)
        );
        if let Some(ratio) = observed.filter(|ratio| ratio.is_finite()) {
            note.push_str(&format!(
                "; it was down {}",
                minutes((1.0 - ratio) * duration)
            ));
            if heartbeat.is_some() {
                note.push_str(" at worst");
            }
        }
    }
    Some(Criterion {
        name: "Uptime".to_owned(),
        required: format!("≥ {}", percent(minimum)),
        observed: match (heartbeat, compat) {
            (Some(heartbeat), _) => format!(
                "{} to {}",
                percent(heartbeat.pessimistic),
                percent(heartbeat.optimistic)
            ),
            (None, Some(ratio)) => percent(ratio),
            (None, None) => "unknown".to_owned(),
        },
        margin: observed
            .filter(|ratio| ratio.is_finite())
            .map_or("—".to_owned(), |ratio| {
                let points = (ratio - minimum) * 100.0;
                format!("{}{} points", sign(points), trimmed(points.abs(), 2))
            }),
        status: finding.unwrap_or(if broken { Status::Fail } else { Status::Pass }),
        note,
        contradicts: broken && finding.is_none(),
    })
}

fn sharpe_row(report: &Report, demanded: &Criteria, allow: bool) -> Option<Criterion> {
    let minimum = demanded.minimum_sharpe_ratio?;
    let performance = report.summary.performance.as_ref();
    let claimed = performance.and_then(|performance| performance.sharpe_ratio);
    let facts = performance.and_then(|performance| performance.statistics.as_ref());
    let finding = found(report, "sharpe", allow);
    let best = claimed
        .into_iter()
        .chain(facts.map(|facts| facts.sharpe_annualised))
        .filter(|ratio| ratio.is_finite())
        .fold(None, |best: Option<f64>, ratio| {
            Some(best.map_or(ratio, |best| best.max(ratio)))
        });
    let broken = best.is_none_or(|best| best < minimum);
    Some(Criterion {
        name: "Sharpe ratio".to_owned(),
        required: format!("≥ {}", trimmed(minimum, 3)),
        observed: match (claimed, facts) {
            (Some(claimed), _) => format!("{} (claimed)", trimmed(claimed, 3)),
            (None, Some(facts)) => format!("{} (annualised)", trimmed(facts.sharpe_annualised, 3)),
            (None, None) => "unknown".to_owned(),
        },
        margin: best.map_or("—".to_owned(), |best| {
            format!(
                "{}{}",
                sign(best - minimum),
                trimmed((best - minimum).abs(), 3)
            )
        }),
        status: finding.unwrap_or(if broken { Status::Fail } else { Status::Pass }),
        note: match facts {
            Some(facts) if facts.decidable => format!(
                "{} that the true ratio is above the floor, from {} returns",
                percent(facts.probabilistic),
                counted(facts.n)
            ),
            Some(facts) => format!(
                "not decidable: {} returns cannot carry it",
                counted(facts.n)
            ),
            None if claimed.is_some() => {
                "claimed by the file; no returns to check it by".to_owned()
            }
            None => String::new(),
        },
        contradicts: broken && finding.is_none(),
    })
}

const fn sign(value: f64) -> &'static str {
    if value < 0.0 { "−" } else { "+" }
}

fn signed_time(seconds: f64) -> String {
    format!("{}{}", sign(seconds), humanised(seconds.abs()))
}
