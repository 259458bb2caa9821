//! The first screen of a review (verdict, what blocks, who must act) and the data behind its charts, cut to what a page can show.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::actions::incidents;
use super::{Duty, Review};
use crate::progress::Point;
use crate::summary::{LogIncident, RatePoint, Report, Summary};
use crate::{IncidentKind, Status};

/// Most entries of [`Review::blocking`].
pub const BLOCKING: usize = 6;

/// Most points of a chart; more are joined.
pub const POINTS: usize = 240;

/// Most spans and timeline items that are kept, worst first.
pub const MARKS: usize = 200;

/// What the charts are drawn from. Times are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charts {
    /// Whether logs were read at all: without, no silence was looked for.
    pub logs_read: bool,
    /// Left edge.
    pub from: Option<i64>,
    /// Right edge.
    pub to: Option<i64>,
    /// Log rate.
    pub rate: Vec<RatePoint>,
    /// Lines by level.
    pub levels: BTreeMap<String, u64>,
    /// Silences and blindness, in order of time.
    pub spans: Vec<Span>,
    /// How many are not among them.
    pub spans_omitted: u64,
    /// Incidents, in order of time.
    pub timeline: Vec<TimelineItem>,
    /// How many are not among them.
    pub timeline_omitted: u64,
    /// CPU and memory.
    pub resources: Vec<Point>,
    /// Limit on memory, MiB.
    pub max_memory_mb: Option<f64>,
    /// Limit on CPU, percent of one core.
    pub max_cpu_percent: Option<f64>,
    /// Growth of memory, MiB an hour.
    pub memory_slope_mb_per_hour: Option<f64>,
}

/// Time in which nothing was heard or seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span {
    /// From.
    pub from: i64,
    /// To.
    pub to: i64,
    /// What kind.
    pub kind: SpanKind,
    /// How bad.
    pub severity: Status,
    /// Why, of blindness.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What kind of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpanKind {
    /// The child said nothing.
    Silence,
    /// We could not see.
    Blind,
    /// We could not see, and the operator says why.
    Explained,
}

/// An incident on the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TimelineItem {
    /// First seen.
    pub from: i64,
    /// Last seen.
    pub to: i64,
    /// How bad.
    pub severity: Status,
    /// What kind.
    pub kind: IncidentKind,
    /// How often.
    pub count: u64,
    /// One line, may hold text of the child.
    pub message: String,
    /// The rule that accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<String>,
}

/// Returns begin and end of a silence.
///
/// `metadata.from` and `metadata.to` (RFC 3339) if both are there; else from `occurred_at` to `last_at` if that is later; else
/// `metadata.gap_seconds` before `occurred_at`, as older reports have it, which date a silence at its end.
pub fn silence(incident: &LogIncident) -> (i64, i64) {
    let time = |key: &str| {
        let text = incident.metadata.get(key)?.as_str()?;
        text.parse::<gonogo_core::Timestamp>().ok()
    };
    if let (Some(from), Some(to)) = (time("from"), time("to")) {
        return (from.as_millis(), to.as_millis().max(from.as_millis()));
    }
    let at = incident.occurred_at.as_millis();
    if let Some(last) = incident.last_at.filter(|last| last.as_millis() > at) {
        return (at, last.as_millis());
    }
    let seconds = ["gap_seconds", "duration_seconds", "seconds"]
        .iter()
        .find_map(|key| incident.metadata.get(*key).and_then(Value::as_f64))
        .filter(|seconds| seconds.is_finite() && *seconds > 0.0)
        .unwrap_or(0.0);
    (at.saturating_sub((seconds * 1_000.0) as i64), at)
}

/// Gathers the data of all charts.
pub fn charts(report: &Report, resources: Vec<Point>) -> Charts {
    let logs = report.summary.logs.as_ref();
    let facts = &report.summary.metadata;
    let monitor = facts.resource_monitor.as_ref();
    let limit = |name: &str| {
        monitor
            .and_then(|m| m.thresholds.get(name).copied())
            .filter(|v| v.is_finite())
    };

    let mut spans: Vec<Span> = Vec::new();
    for gap in logs.iter().flat_map(|logs| &logs.gap_incidents) {
        let (from, to) = silence(gap);
        spans.push(Span {
            from,
            to,
            kind: SpanKind::Silence,
            severity: gap.severity,
            reason: String::new(),
        });
    }
    for blind in logs.iter().flat_map(|logs| &logs.blind) {
        spans.push(Span {
            from: blind.from.as_millis(),
            to: blind.to.as_millis().max(blind.from.as_millis()),
            kind: match blind.explained {
                Some(_) => SpanKind::Explained,
                None => SpanKind::Blind,
            },
            severity: Status::Warn,
            reason: blind.reason.clone(),
        });
    }
    let spans_omitted = keep_worst(&mut spans, |span| {
        (span.severity, span.to.saturating_sub(span.from))
    });
    spans.sort_by_key(|span| (span.from, span.to));

    let mut timeline: Vec<TimelineItem> = incidents(report)
        .iter()
        .map(|incident| TimelineItem {
            from: incident.occurred_at.as_millis(),
            to: incident
                .last_at
                .unwrap_or(incident.occurred_at)
                .as_millis()
                .max(incident.occurred_at.as_millis()),
            severity: incident.severity,
            kind: incident.kind,
            count: incident.count,
            message: super::escape::shortened(&incident.message, 240),
            accepted: incident.accepted.clone(),
        })
        .collect();
    let timeline_omitted = keep_worst(&mut timeline, |item| (item.severity, 0));
    timeline.sort_by_key(|item| (item.from, item.to));

    let rate = thinned_rate(logs.map(|logs| logs.rate.as_slice()).unwrap_or_default());
    let history = match resources.is_empty() {
        true => monitor
            .map(|monitor| monitor.history.as_slice())
            .unwrap_or_default(),
        false => &resources,
    };
    let resources = thinned_points(history);

    let (started, ended, _) = super::facts::span(report);
    let width = |seconds: f64| (seconds.max(0.0) * 1_000.0) as i64;
    let from = [
        started.map(gonogo_core::Timestamp::as_millis),
        rate.first().map(|point| point.at),
        resources.first().map(|point| point.at),
    ];
    let to = [
        ended.map(gonogo_core::Timestamp::as_millis),
        rate.last()
            .map(|point| point.at.saturating_add(width(point.seconds))),
        resources
            .last()
            .map(|point| point.at.saturating_add(width(point.seconds))),
    ];
    Charts {
        logs_read: logs.is_some(),
        from: started
            .map(gonogo_core::Timestamp::as_millis)
            .or_else(|| from.into_iter().flatten().min()),
        to: ended
            .map(gonogo_core::Timestamp::as_millis)
            .or_else(|| to.into_iter().flatten().max()),
        rate,
        levels: match logs.map(|logs| &logs.level_counts) {
            Some(levels) if !levels.is_empty() => levels.clone(),
            _ => facts.log_level_counts.clone(),
        },
        spans,
        spans_omitted,
        timeline,
        timeline_omitted,
        resources,
        max_memory_mb: limit("max_memory_mb"),
        max_cpu_percent: limit("max_cpu_percent"),
        memory_slope_mb_per_hour: monitor.and_then(|monitor| monitor.memory_slope_mb_per_hour),
    }
}

/// Returns the summary without what the charts hold already.
pub fn without_series(summary: &Summary) -> Summary {
    let mut summary = summary.clone();
    if let Some(logs) = &mut summary.logs {
        logs.rate.clear();
    }
    if let Some(monitor) = &mut summary.metadata.resource_monitor {
        monitor.history.clear();
    }
    summary
}

/// Keeps [`MARKS`] of the list, those of the greatest weight, and returns how many went.
fn keep_worst<T, W: Ord>(list: &mut Vec<T>, weight: impl Fn(&T) -> W) -> u64 {
    let omitted = list.len().saturating_sub(MARKS);
    if omitted > 0 {
        list.sort_by_key(|item| std::cmp::Reverse(weight(item)));
        list.truncate(MARKS);
    }
    omitted as u64
}

/// Joins neighbours until at most [`POINTS`] are left: sums of lines, sum of widths.
pub fn thinned_rate(points: &[RatePoint]) -> Vec<RatePoint> {
    points
        .chunks(points.len().div_ceil(POINTS).max(1))
        .map(|chunk| RatePoint {
            at: chunk.first().map(|point| point.at).unwrap_or_default(),
            seconds: chunk.iter().map(|point| finite(point.seconds)).sum(),
            lines: chunk
                .iter()
                .fold(0, |sum, point| sum.saturating_add(point.lines)),
            warnings: chunk
                .iter()
                .fold(0, |sum, point| sum.saturating_add(point.warnings)),
            errors: chunk
                .iter()
                .fold(0, |sum, point| sum.saturating_add(point.errors)),
        })
        .collect()
}

/// Joins neighbours until at most [`POINTS`] are left: a peak stays a peak.
pub fn thinned_points(points: &[Point]) -> Vec<Point> {
    points
        .chunks(points.len().div_ceil(POINTS).max(1))
        .map(|chunk| {
            let peak =
                |value: fn(&Point) -> f64| chunk.iter().map(value).map(finite).fold(0.0, f64::max);
            Point {
                at: chunk.first().map(|point| point.at).unwrap_or_default(),
                seconds: chunk.iter().map(|point| finite(point.seconds)).sum(),
                lines: chunk
                    .iter()
                    .fold(0, |sum, point| sum.saturating_add(point.lines)),
                warnings: chunk
                    .iter()
                    .fold(0, |sum, point| sum.saturating_add(point.warnings)),
                errors: chunk
                    .iter()
                    .fold(0, |sum, point| sum.saturating_add(point.errors)),
                gap_seconds: peak(|point| point.gap_seconds),
                memory_mb: peak(|point| point.memory_mb),
                cpu_percent: peak(|point| point.cpu_percent),
            }
        })
        .collect()
}

const fn finite(value: f64) -> f64 {
    if value.is_finite() && value > 0.0 {
        value
    } else {
        0.0
    }
}

/// Fills in verdict, what blocks, and who must act.
pub fn conclude(review: &mut Review, judged: bool) {
    let open = |least: Status| {
        let items = review
            .action_items
            .iter()
            .filter(|item| item.severity >= least)
            .count();
        let objectives = review
            .objectives
            .iter()
            .filter(|o| o.status >= least)
            .count();
        items + objectives + review.action_items_omitted as usize
    };
    let things = |n: usize| {
        if n == 1 {
            "1 thing".to_owned()
        } else {
            format!("{n} things")
        }
    };
    review.verdict = match review.status {
        Status::Pass if !judged => {
            "Nothing was found, but no sign-off was made: this is no release decision.".to_owned()
        }
        Status::Pass => match review.accepted.len() as u64 + review.accepted_omitted {
            0 => "The run may be signed off: every criterion holds and nothing is open.".to_owned(),
            1 => "The run may be signed off: every criterion holds; 1 finding was accepted.".to_owned(),
            n => format!("The run may be signed off: every criterion holds; {n} findings were accepted."),
        },
        Status::Warn => format!(
            "Not signed off yet: {} must be looked at by a person.",
            things(open(Status::Warn).max(1))
        ),
        Status::Fail => format!(
            "The run failed: {} must be put right, then it is to be repeated.",
            things(open(Status::Fail).max(1))
        ),
        Status::Invalid => {
            "The run cannot be judged: its evidence is missing, broken, or was made on a simulated clock."
                .to_owned()
        }
    };

    let least = review.status.max(Status::Warn);
    let objectives = review
        .objectives
        .iter()
        .filter(|objective| objective.status >= least)
        .map(|objective| match &objective.note {
            Some(note) => format!("objective {}: {note}", objective.name),
            None => format!("objective {}", objective.name),
        });
    let mut ranked: Vec<(usize, u8, &str)> = Vec::new();
    for item in review
        .action_items
        .iter()
        .filter(|item| item.severity >= least)
    {
        let rank = item.category.rank();
        let before = ranked.iter().filter(|(_, of, _)| *of == rank).count();
        ranked.push((before, rank, &item.description));
    }
    ranked.sort_by_key(|(before, rank, _)| (*before, *rank));
    review.blocking = objectives
        .chain(ranked.into_iter().map(|(_, _, text)| text.to_owned()))
        .take(BLOCKING)
        .collect();
    review.blocking_omitted = (open(least) as u64).saturating_sub(review.blocking.len() as u64);

    let mut who: Vec<Duty> = Vec::new();
    let duties = review
        .action_items
        .iter()
        .map(|item| {
            (
                item.owner.as_str(),
                item.severity,
                item.description.as_str(),
            )
        })
        .chain(
            review
                .objectives
                .iter()
                .filter(|objective| objective.status > Status::Pass)
                .map(|objective| ("objective owner", objective.status, objective.name.as_str())),
        );
    for (owner, severity, first) in duties {
        match who.iter_mut().find(|duty| duty.owner == owner) {
            Some(duty) => {
                duty.items += 1;
                duty.severity = duty.severity.max(severity);
            }
            None => who.push(Duty {
                owner: owner.to_owned(),
                items: 1,
                severity,
                first: first.to_owned(),
            }),
        }
    }
    who.sort_by(|a, b| b.severity.cmp(&a.severity).then(a.owner.cmp(&b.owner)));
    review.who = who;
}
