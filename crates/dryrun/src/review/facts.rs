//! What a report says in figures: criteria with their margins, evidence, what stands out, and what nobody can know from this run.

use gonogo_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Status;
use crate::sign_off::Criteria;
use crate::summary::Report;
use crate::watch::duration::{brief, counted, humanised, sized, trimmed};

/// −ln 0.05: without a failure in time T, the mean time between failures is above T divided by this with 95 % confidence (the rule of
/// three; failures at a constant rate).
const ZERO_FAILURES_95: f64 = 2.995_732_273_553_991;

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
pub fn criteria(report: &Report) -> Vec<Criterion> {
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

fn plural(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", counted(n), if n == 1 { one } else { more })
}

fn entries(n: u64) -> String {
    plural(n, "entry", "entries")
}

const fn sign(value: f64) -> &'static str {
    if value < 0.0 { "−" } else { "+" }
}

fn signed_time(seconds: f64) -> String {
    format!("{}{}", sign(seconds), humanised(seconds.abs()))
}
