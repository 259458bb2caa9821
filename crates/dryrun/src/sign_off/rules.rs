//! The rules of a sign-off. Every part that is not there, not known or not well is a finding with a stable code; warnings fail
//! unless they are accepted, and then they are listed as accepted.

use std::collections::BTreeMap;

use gonogo_core::Timestamp;
use serde_json::Value;

use super::{Criteria, Finding, SignOff};
use crate::summary::{Logs, Summary};
use crate::{Incident, IncidentKind, Status};
use why::Why;

mod why;

/// The rule's name under which `--allow-warnings` accepts.
pub const ALLOW_WARNINGS: &str = "allow_warnings";

/// What a sign-off is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Assessed<'a> {
    /// What the logs and evidence showed.
    pub summary: &'a Summary,
    /// What went wrong beside; of somebody's logs there are none.
    pub incidents: &'a [Incident],
    /// What is demanded.
    pub criteria: &'a Criteria,
    /// How much faster than real the clocks went.
    pub clock_scale: f64,
    /// When it is judged.
    pub evaluated_at: Timestamp,
}

/// Judges.
pub fn assess(parts: Assessed<'_>) -> SignOff {
    let mut rules = Rules {
        criteria: parts.criteria,
        findings: Vec::new(),
    };
    if parts.clock_scale != 1.0 {
        let text = format!(
            "the clocks were simulated (scale {}): nothing of it can be signed off",
            parts.clock_scale
        );
        rules.add(Status::Invalid, "simulated_clock", text, &[]);
    }
    match &parts.summary.logs {
        None => rules.add(
            Status::Fail,
            "logs_missing",
            "there are no logs".to_owned(),
            &[],
        ),
        Some(logs) => rules.logs(logs),
    }
    rules.diary(parts.summary);
    rules.performance(parts.summary);
    for evidence in &parts.summary.evidence {
        let mut found = evidence.findings.clone();
        found.iter_mut().for_each(|f| {
            f.metadata
                .insert("name".to_owned(), evidence.name.clone().into());
        });
        found.into_iter().for_each(|f| rules.take(f));
    }
    parts
        .summary
        .unreadable
        .iter()
        .cloned()
        .for_each(|f| rules.take(f));
    rules.incidents(parts.incidents);
    rules.done(parts.evaluated_at)
}

/// Returns the uptime that gates: the pessimistic bound where a heartbeat is declared; else the ratio, without the time that nobody
/// saw and nobody explained.
pub fn gating_uptime(logs: &Logs) -> Option<f64> {
    if let Some(heartbeat) = &logs.heartbeat {
        return Some(heartbeat.pessimistic);
    }
    let ratio = logs.uptime_ratio?;
    match logs.duration_seconds {
        Some(seconds) if seconds > 0.0 => Some((ratio - logs.unknown_seconds / seconds).max(0.0)),
        _ => Some(ratio),
    }
}

/// What is not a number is below anything.
fn is_below(value: f64, required: f64) -> bool {
    value.is_nan() || required.is_nan() || value < required
}

fn named(what: &str, path: Option<&str>) -> String {
    path.map_or_else(|| what.to_owned(), |path| format!("{what} ({path})"))
}

fn facts_of(path: Option<&str>) -> Vec<(&'static str, Value)> {
    path.map(|path| ("path", path.into())).into_iter().collect()
}

/// Whether a finding says already why a file could not be read.
fn is_unreadable(summary: &Summary, path: Option<&str>) -> bool {
    let told = |f: &Finding| {
        f.code == "evidence_unreadable" && f.metadata.get("path").and_then(Value::as_str) == path
    };
    path.is_some() && summary.unreadable.iter().any(told)
}

struct Rules<'a> {
    criteria: &'a Criteria,
    findings: Vec<Finding>,
}

impl Rules<'_> {
    fn add(&mut self, severity: Status, code: &str, message: String, facts: &[(&str, Value)]) {
        let metadata: BTreeMap<String, Value> = facts
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect();
        self.take(Finding {
            severity,
            message,
            code: code.to_owned(),
            accepted: None,
            metadata,
        });
    }

    /// A warning fails unless warnings are accepted; then it is listed and does not count.
    fn take(&mut self, mut finding: Finding) {
        if finding.severity == Status::Warn && finding.accepted.is_none() {
            if self.criteria.allow_warnings {
                finding.accepted = Some(ALLOW_WARNINGS.to_owned());
            } else {
                finding.severity = Status::Fail;
                finding
                    .metadata
                    .insert("observed_severity".to_owned(), "warn".into());
            }
        }
        if finding.severity != Status::Pass {
            self.findings.push(finding);
        }
    }

    /// A part that is not well: with the first of the worst reasons, so that nobody has to look for it.
    fn part(&mut self, status: Status, name: &str, code: &str, why: Why) {
        if status == Status::Pass {
            return;
        }
        let mut facts = vec![("observed", status.word().into())];
        let mut text = format!("{name}: {status}");
        if let Some(first) = why.first {
            text.push_str(&format!(": {first}"));
            facts.push(("reason", first.into()));
        }
        if why.more > 0 {
            text.push_str(&format!("; {} more", why.more));
        }
        facts.extend(why.path.map(|path| ("path", path.into())));
        self.add(status, code, text, &facts);
    }

    fn logs(&mut self, logs: &Logs) {
        self.part(
            logs.status,
            "the logs",
            "logs_not_clean",
            why::of_logs(logs),
        );
        if logs.total_lines == 0 {
            self.add(
                Status::Fail,
                "logs_empty",
                "there is not one line in the logs".to_owned(),
                &[],
            );
        }
        let criteria = self.criteria;
        if let Some(required) = criteria.minimum_duration_seconds {
            let tolerance = criteria.duration_tolerance_seconds.max(0.0);
            let facts = [
                ("required", required.into()),
                ("tolerance", tolerance.into()),
                ("observed", logs.duration_seconds.into()),
            ];
            match logs.duration_seconds {
                None => self.add(
                    Status::Fail,
                    "duration_unknown",
                    "how long the run lasted is not known".to_owned(),
                    &facts,
                ),
                // What is not a number is not long enough.
                Some(lasted) if is_below(lasted + tolerance, required) => {
                    let text = format!(
                        "the run lasted {lasted:.1} s, and {required:.1} s are required (tolerance {tolerance} s)"
                    );
                    self.add(Status::Fail, "duration_below_minimum", text, &facts);
                }
                Some(_) => {}
            }
        }
        if let Some(required) = criteria.minimum_uptime_ratio {
            let observed = gating_uptime(logs);
            let facts = [("required", required.into()), ("observed", observed.into())];
            match observed {
                None => self.add(
                    Status::Fail,
                    "uptime_unknown",
                    "the uptime is not known".to_owned(),
                    &facts,
                ),
                Some(up) if is_below(up, required) => {
                    let text = format!("the uptime is {up:.4}, and {required} is required");
                    self.add(Status::Fail, "uptime_below_minimum", text, &facts);
                }
                Some(_) => {}
            }
        }
    }

    fn diary(&mut self, summary: &Summary) {
        let path = summary.metadata.diary_path.as_deref();
        let name = named("the decision diary", path);
        match &summary.diary {
            Some(diary) => {
                let why = why::of_diary(diary, path);
                self.part(diary.status, &name, "diary_not_clean", why);
            }
            // What is there and cannot be read is told as that.
            None if self.criteria.require_diary && !is_unreadable(summary, path) => {
                self.add(
                    Status::Fail,
                    "diary_missing",
                    format!("{name} is missing"),
                    &facts_of(path),
                );
            }
            None => {}
        }
    }

    fn performance(&mut self, summary: &Summary) {
        let floor = self.criteria.minimum_sharpe_ratio;
        let path = summary.metadata.performance_path.as_deref();
        let name = named("performance evidence", path);
        let Some(performance) = &summary.performance else {
            let wanted = self.criteria.require_performance || floor.is_some();
            if wanted && !is_unreadable(summary, path) {
                self.add(
                    Status::Fail,
                    "performance_missing",
                    format!("{name} is missing"),
                    &facts_of(path),
                );
            }
            if let Some(required) = floor {
                self.add(
                    Status::Fail,
                    "sharpe_unavailable",
                    "there is no Sharpe ratio".to_owned(),
                    &[("required", required.into()), ("observed", Value::Null)],
                );
            }
            return;
        };
        self.part(
            performance.status,
            &name,
            "performance_not_clean",
            why::of_performance(performance, path),
        );
        let Some(required) = floor else { return };
        let statistics = performance.statistics.as_ref();
        let computed = statistics
            .filter(|s| s.sharpe_per_period != 0.0)
            .map(|s| s.sharpe_annualised);
        let observed = computed.or(performance.sharpe_ratio);
        let facts = [("required", required.into()), ("observed", observed.into())];
        match observed {
            None => self.add(
                Status::Fail,
                "sharpe_unavailable",
                "there is no Sharpe ratio".to_owned(),
                &facts,
            ),
            Some(found) if is_below(found, required) => {
                let text = format!("the Sharpe ratio is {found:.3}, and {required} is required");
                self.add(Status::Fail, "sharpe_below_minimum", text, &facts);
            }
            Some(found) if !statistics.is_some_and(|s| s.decidable) => {
                let needed = statistics.and_then(|s| s.minimum_track_record);
                let have = statistics.map_or(0, |s| s.n);
                let needed_text = needed.map_or_else(
                    || "no number of returns".to_owned(),
                    |n| format!("{n:.0} returns"),
                );
                let text = match statistics.map(|s| s.reason.as_deref()) {
                    None => format!(
                        "a Sharpe ratio of {found:.3} is claimed, and there are no returns that can be read to show it"
                    ),
                    Some(Some(reason)) => format!(
                        "whether the Sharpe ratio ({found:.3}) is at least {required} cannot be decided: {reason}"
                    ),
                    Some(None) => format!(
                        "a Sharpe ratio of {found:.3} cannot be told from {required} by {have} returns: {needed_text} would do"
                    ),
                };
                // No warning: what cannot be decided is no pass, whoever accepts warnings.
                self.add(Status::Fail, "sharpe_undecidable", text, &facts);
            }
            Some(_) => {}
        }
    }

    /// What is not about lines: those are in the logs' status already. A warning of the harness stays one: it is for a person to decide,
    /// while a warning of logs and evidence fails a sign-off.
    fn incidents(&mut self, incidents: &[Incident]) {
        let of_lines = |kind| {
            matches!(
                kind,
                IncidentKind::LogLevel | IncidentKind::StackTrace | IncidentKind::LongLine
            )
        };
        for incident in incidents.iter().filter(|i| {
            i.accepted.as_deref().is_none_or(|a| a == ALLOW_WARNINGS) && !of_lines(i.kind)
        }) {
            let code = serde_json::to_value(incident.kind)
                .ok()
                .and_then(|k| Some(format!("incident_{}", k.as_str()?)));
            let facts = [
                ("count", incident.count.into()),
                ("occurred_at", incident.occurred_at.to_string().into()),
            ];
            let open = incident.severity == Status::Warn && !self.criteria.allow_warnings;
            self.add(
                incident.severity,
                code.as_deref().unwrap_or("incident"),
                incident.message.clone(),
                &facts,
            );
            if open && let Some(added) = self.findings.last_mut() {
                added.severity = Status::Warn;
                added.metadata.remove("observed_severity");
            }
        }
    }

    fn done(mut self, evaluated_at: Timestamp) -> SignOff {
        self.findings
            .sort_by_key(|f| (f.accepted.is_some(), std::cmp::Reverse(f.severity)));
        let counting = self.findings.iter().filter(|f| f.accepted.is_none());
        SignOff {
            evaluated_at,
            status: counting.map(|f| f.severity).max().unwrap_or_default(),
            criteria: self.criteria.clone(),
            findings: self.findings,
        }
    }
}

#[cfg(test)]
mod tests;
