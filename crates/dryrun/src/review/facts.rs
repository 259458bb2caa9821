//! What a report says in figures: evidence, what stands out, and what nobody can know from this run.

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Status;
use crate::summary::Report;
use crate::watch::duration::{brief, counted, humanised, sized, trimmed};

/// −ln 0.05: without a failure in time T, the mean time between failures is above T divided by this with 95 % confidence (the rule of
/// three; failures at a constant rate).
const ZERO_FAILURES_95: f64 = 2.995_732_273_553_991;

/// How a kind of evidence stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceRow {
    /// `Logs`, `Decision diary`, `Performance telemetry`, `Resources`, or a declared name.
    pub name: String,
    /// How it stands; absent if there is none.
    pub status: Option<Status>,
    /// In a few words.
    pub detail: String,
    /// Its file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// Returns whether warnings are accepted (`--allow-warnings`).
pub fn warnings_allowed(report: &Report) -> bool {
    report
        .sign_off
        .as_ref()
        .is_some_and(|sign_off| sign_off.criteria.allow_warnings)
}

/// Returns what of a status counts: accepted warnings do not.
pub const fn counting(status: Status, warnings_allowed: bool) -> Status {
    match status {
        Status::Warn if warnings_allowed => Status::Pass,
        status => status,
    }
}

/// Returns begin, end and duration of the run: of the child's life if known, else of its logs.
pub fn span(report: &Report) -> (Option<Timestamp>, Option<Timestamp>, Option<f64>) {
    let facts = &report.summary.metadata;
    let logs = report.summary.logs.as_ref();
    (
        report
            .started_at
            .or(facts.started_at)
            .or_else(|| logs?.started_at),
        report
            .ended_at
            .or(facts.ended_at)
            .or_else(|| logs?.ended_at),
        report
            .duration_seconds
            .or(facts.actual_duration_seconds)
            .or_else(|| logs?.duration_seconds)
            .filter(|seconds| seconds.is_finite() && *seconds >= 0.0),
    )
}

/// Returns how each kind of evidence stands.
pub fn evidence(report: &Report) -> Vec<EvidenceRow> {
    let summary = &report.summary;
    let facts = &summary.metadata;
    let mut rows = vec![match &summary.logs {
        None => EvidenceRow {
            name: "Logs".to_owned(),
            status: None,
            detail: "no logs were read".to_owned(),
            path: None,
        },
        Some(logs) => EvidenceRow {
            name: "Logs".to_owned(),
            status: Some(logs.status),
            detail: format!(
                "{} lines, {}; silences {}, traces and other content {}, kinds of errors {}, of warnings {}",
                counted(
                    logs.total_lines.max(
                        logs.level_counts
                            .values()
                            .fold(0, |a, b| a.saturating_add(*b))
                    )
                ),
                sized(logs.total_bytes),
                logs.gap_incidents.len(),
                logs.content_incidents.len(),
                logs.errors.len(),
                logs.warnings.len()
            ),
            path: facts.log_paths.first().or(facts.log_path.as_ref()).cloned(),
        },
    }];
    rows.push(match &summary.diary {
        None => EvidenceRow {
            name: "Decision diary".to_owned(),
            status: None,
            detail: "not there".to_owned(),
            path: facts.diary_path.clone(),
        },
        Some(diary) => EvidenceRow {
            name: "Decision diary".to_owned(),
            status: Some(diary.status),
            detail: format!(
                "{}, {}",
                entries(diary.total_entries),
                plural(
                    diary.issue_count.max(diary.issues.len() as u64),
                    "issue",
                    "issues"
                )
            ),
            path: facts.diary_path.clone(),
        },
    });
    rows.push(match &summary.performance {
        None => EvidenceRow {
            name: "Performance telemetry".to_owned(),
            status: None,
            detail: "not there".to_owned(),
            path: facts.performance_path.clone(),
        },
        Some(performance) => {
            let mut detail = plural(performance.total_trades, "trade", "trades");
            for (name, value) in [
                ("return", performance.roi.map(percent)),
                ("win rate", performance.win_rate.map(percent)),
                (
                    "Sharpe",
                    performance.sharpe_ratio.map(|ratio| trimmed(ratio, 2)),
                ),
            ] {
                if let Some(value) = value {
                    detail.push_str(&format!(", {name} {value}"));
                }
            }
            EvidenceRow {
                name: "Performance telemetry".to_owned(),
                status: Some(performance.status),
                detail,
                path: facts.performance_path.clone(),
            }
        }
    });
    if let Some(monitor) = &facts.resource_monitor {
        rows.push(EvidenceRow {
            name: "Resources".to_owned(),
            status: (monitor.enabled && monitor.samples > 0).then(|| {
                super::actions::incidents(report)
                    .iter()
                    .filter(|incident| {
                        incident.kind == crate::IncidentKind::Resource
                            && incident.accepted.is_none()
                    })
                    .map(|incident| incident.severity)
                    .max()
                    .unwrap_or_default()
            }),
            detail: match (monitor.enabled, &monitor.reason) {
                (false, reason) => {
                    format!(
                        "not watched ({})",
                        reason.as_deref().unwrap_or("no reason recorded")
                    )
                }
                (true, _) => format!(
                    "{} samples; peak {} MiB, {} % of one core",
                    counted(monitor.samples),
                    monitor
                        .peak_memory_mb
                        .map_or("unknown".to_owned(), |mb| trimmed(mb, 1)),
                    monitor
                        .peak_cpu_percent
                        .map_or("unknown".to_owned(), |cpu| trimmed(cpu, 1))
                ),
            },
            path: None,
        });
    }
    for evidence in &summary.evidence {
        rows.push(EvidenceRow {
            name: evidence.name.clone(),
            status: Some(evidence.status),
            detail: format!(
                "{}: {}, {}, findings {}",
                evidence.format,
                entries(evidence.entries),
                sized(evidence.bytes),
                evidence.findings.len()
            ),
            path: Some(evidence.path.clone()),
        });
    }
    for finding in &summary.unreadable {
        rows.push(EvidenceRow {
            name: "Unreadable".to_owned(),
            status: Some(finding.severity),
            detail: finding.message.clone(),
            path: finding
                .metadata
                .get("path")
                .and_then(Value::as_str)
                .map(str::to_owned),
        });
    }
    rows
}

/// Returns what stands out, in figures. No text of the child.
pub fn highlights(report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    let summary = &report.summary;
    let (_, _, duration) = span(report);
    let target = summary.metadata.target_duration_seconds;
    if let Some(duration) = duration {
        out.push(match target {
            Some(target) => format!("Ran {} of {}.", humanised(duration), humanised(target)),
            None => format!("Covers {}.", humanised(duration)),
        });
    }
    if let Some(logs) = &summary.logs {
        let lines = logs.total_lines;
        let rate = duration
            .filter(|seconds| *seconds > 0.0)
            .map(|seconds| format!(", {} a second", trimmed(lines as f64 / seconds, 1)))
            .unwrap_or_default();
        out.push(format!(
            "{} lines, {}{rate}.",
            counted(lines),
            sized(logs.total_bytes)
        ));
        let longest = logs
            .gap_incidents
            .iter()
            .map(super::outline::silence)
            .map(|(from, to)| to.saturating_sub(from) as f64 / 1_000.0)
            .fold(0.0_f64, f64::max);
        out.push(match logs.gap_incidents.len() {
            0 => "No silence beyond its limit.".to_owned(),
            1 => format!("1 silence beyond the limit: {}.", humanised(longest)),
            n => format!(
                "{n} silences beyond the limit, the longest {}.",
                humanised(longest)
            ),
        });
        if let Some(ratio) = logs.uptime_ratio {
            out.push(format!("Uptime {}.", percent(ratio)));
        }
        if let Some(heartbeat) = &logs.heartbeat {
            let mut text = format!(
                "By its heartbeat it was up between {} and {} of the time; {} outages",
                percent(heartbeat.pessimistic),
                percent(heartbeat.optimistic),
                counted(heartbeat.outages)
            );
            if heartbeat.outages > 0 {
                text.push_str(&format!(
                    ", the longest {}",
                    humanised(heartbeat.longest_outage_seconds)
                ));
            }
            if let Some(mtbf) = heartbeat.mtbf_seconds {
                text.push_str(&format!(", mean time between failures {}", brief(mtbf)));
            }
            if let Some(mttr) = heartbeat.mttr_seconds {
                text.push_str(&format!(", to recovery {}", brief(mttr)));
            }
            out.push(text + ".");
        }
    }
    if let Some(text) = without_failure(report) {
        out.push(text);
    }
    if let Some(monitor) = summary
        .metadata
        .resource_monitor
        .as_ref()
        .filter(|m| m.samples > 0)
    {
        let mut text = match (monitor.peak_memory_mb, monitor.peak_cpu_percent) {
            (Some(mb), Some(cpu)) => {
                format!(
                    "Peak {} MiB and {} % of one core",
                    trimmed(mb, 1),
                    trimmed(cpu, 1)
                )
            }
            _ => format!("{} samples of resources", counted(monitor.samples)),
        };
        if let Some(slope) = monitor.memory_slope_mb_per_hour {
            text.push_str(&format!(
                "; memory changes by {} MiB an hour",
                trimmed(slope, 2)
            ));
            let limit = monitor.thresholds.get("max_memory_mb");
            if let (Some(limit), Some(peak)) = (limit, monitor.peak_memory_mb)
                && slope > 0.0
                && *limit > peak
            {
                text.push_str(&format!(
                    ", and would reach its limit in {}",
                    brief((limit - peak) / slope * 3_600.0)
                ));
            }
        }
        out.push(text + ".");
    }
    if let Some(code) = summary.metadata.exit_code {
        let timed_out = summary.metadata.timed_out == Some(true);
        out.push(match code {
            0 if timed_out => "Ended on request when its time was over, exit code 0.".to_owned(),
            0 => "Ended by itself with exit code 0.".to_owned(),
            code if code < 0 => format!("Ended by signal {}.", code.unsigned_abs()),
            code => format!("Ended with exit code {code}."),
        });
    }
    out
}

/// Returns what one run without failure proves, if this was one: its time is known and nothing in it failed.
fn without_failure(report: &Report) -> Option<String> {
    let duration = span(report).2.filter(|seconds| *seconds > 0.0)?;
    let logs = report.summary.logs.as_ref()?;
    let clean = logs
        .heartbeat
        .as_ref()
        .is_none_or(|heartbeat| heartbeat.outages == 0)
        && logs.gap_incidents.is_empty()
        && logs.status < Status::Fail
        && logs.blind.iter().all(|blind| blind.explained.is_some())
        && report.summary.metadata.exit_code.unwrap_or(0) == 0
        && super::actions::incidents(report)
            .iter()
            .all(|incident| incident.severity < Status::Fail);
    if !clean {
        return None;
    }
    // Rounded down: never more than was shown.
    let bound = duration / ZERO_FAILURES_95;
    let unit = if bound >= 3_600.0 {
        (3_600.0, "h")
    } else {
        (60.0, "min")
    };
    let value = (bound / unit.0 * 10.0).floor() / 10.0;
    (value > 0.0).then(|| {
        format!(
            "One run of {} without failure shows a mean time between failures (MTBF) > {} {} at 95 % confidence, no more.",
            brief(duration),
            trimmed(value, 1),
            unit.1
        )
    })
}

/// Returns what nobody can know from this run. No text of the child, but reasons that the report states.
pub fn unknown(report: &Report) -> Vec<String> {
    let mut out = Vec::new();
    let summary = &report.summary;
    if report.sign_off.is_none() {
        out.push("Whether the run may be signed off: no criteria were applied.".to_owned());
    }
    match &summary.logs {
        None => out.push("What the runtime printed: no logs were read.".to_owned()),
        Some(logs) => {
            let blind: f64 = logs
                .blind
                .iter()
                .filter(|blind| blind.explained.is_none())
                .map(|blind| blind.to.since(blind.from).as_millis() as f64 / 1_000.0)
                .sum();
            if blind > 0.0 {
                out.push(format!(
                    "What happened during {} in which the harness could not see, not explained.",
                    humanised(blind)
                ));
            }
            if let Some(heartbeat) = logs.heartbeat.as_ref().filter(|h| h.unknown_seconds > 0.0) {
                out.push(format!(
                    "Whether it was up during {}; counted as down.",
                    humanised(heartbeat.unknown_seconds)
                ));
            }
            if logs.heartbeat.is_none() && logs.uptime_ratio.is_none() {
                out.push("Uptime: too few records to compute it.".to_owned());
            } else if logs.heartbeat.is_none() {
                out.push(
                    "How long silences within their allowance really were outages: no heartbeat was declared."
                        .to_owned(),
                );
            }
            if logs.ignored_lines > 0 {
                out.push(format!(
                    "What {} lines mean that are no records.",
                    counted(logs.ignored_lines)
                ));
            }
            if let Some(skew) = logs.skew.as_ref().filter(|skew| skew.unreadable > 0) {
                out.push(format!(
                    "When the runtime believes {} of its records were made: their time cannot be read.",
                    counted(skew.unreadable)
                ));
            }
        }
    }
    match &summary.metadata.resource_monitor {
        Some(monitor) if monitor.enabled && monitor.samples > 0 => {}
        Some(monitor) => out.push(format!(
            "CPU and memory: {}.",
            monitor.reason.as_deref().unwrap_or("no sample was taken")
        )),
        None => out.push("CPU and memory: not recorded.".to_owned()),
    }
    if let Some(facts) = summary
        .performance
        .as_ref()
        .and_then(|performance| performance.statistics.as_ref())
        .filter(|facts| !facts.decidable)
    {
        out.push(match facts.minimum_track_record {
            Some(least) if least.is_finite() => format!(
                "Whether the Sharpe ratio is skill: {} returns, {} are needed.",
                counted(facts.n),
                counted(least.ceil().max(0.0) as u64)
            ),
            _ => format!(
                "Whether the Sharpe ratio is skill: {} returns cannot carry a judgement.",
                counted(facts.n)
            ),
        });
    }
    match summary.unreadable.len() {
        0 => {}
        1 => out.push("What a piece of evidence says that could not be read.".to_owned()),
        n => out.push(format!(
            "What {n} pieces of evidence say that could not be read."
        )),
    }
    out
}

/// Returns a share as a percentage with at most two decimals, rounded so that it never looks better than it is.
pub fn percent(share: f64) -> String {
    if !share.is_finite() {
        return "unknown".to_owned();
    }
    // The small part undoes what binary fractions take from numbers such as 0.98.
    let hundredths = (share * 10_000.0 + 1e-6).floor();
    format!("{} %", trimmed(hundredths / 100.0, 2))
}

pub(super) fn plural(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", counted(n), if n == 1 { one } else { more })
}

pub(super) fn entries(n: u64) -> String {
    plural(n, "entry", "entries")
}
