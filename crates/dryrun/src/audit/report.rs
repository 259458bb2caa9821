//! From counts to what the summary says of the logs.

use gonogo_core::Timestamp;

use super::tally::Tally;
use crate::engine::{Cause, Engine, NotKept, worst_first};
use crate::sign_off::Finding;
use crate::spec::{Gaps, HeartbeatSpec};
use crate::summary::{Blind, LogIncident, Logs};
use crate::{IncidentKind, Status, uptime};

/// Most silences that are listed.
const GAPS: usize = 1000;

/// The window on the clock that counts, and how that clock reads on the wall.
pub(crate) struct Clock<'a> {
    pub(crate) window: Option<(i64, i64)>,
    pub(crate) wall: &'a dyn Fn(i64) -> i64,
    /// Whether silences before the first and after the last line count.
    pub(crate) edges: bool,
}

/// Times that nobody saw: on the clock that counts, with what is shown.
pub(crate) type BlindTimes = Vec<((i64, i64), Blind)>;

/// Makes the summary of logs.
pub(crate) fn logs(
    total: &Tally,
    engines: &[&Engine],
    (gaps, heartbeat): (&Gaps, Option<&HeartbeatSpec>),
    clock: &Clock<'_>,
    blind: BlindTimes,
    problems: Vec<Finding>,
) -> Logs {
    let nanos = |seconds: f64| (seconds * 1e9).clamp(0.0, 9e18) as i64;
    let (warn, fail) = (nanos(gaps.warn_seconds), nanos(gaps.fail_seconds));
    // What was given for the start is neither silence nor downtime, as far as it was needed.
    let startup = nanos(gaps.startup_seconds);
    let expected = clock.window.map(|(from, to)| {
        let first = total.coverage.span().map_or(to, |(first, _)| first);
        let waited = first.saturating_sub(from).clamp(0, startup);
        (from.saturating_add(waited).min(to), to)
    });
    let silences = |coverage: &super::coverage::Coverage| match expected {
        Some((from, to)) if clock.edges => coverage.gaps_within(from, to),
        _ => coverage.gaps().collect(),
    };
    let all: Vec<(i64, i64)> = silences(&total.coverage)
        .into_iter()
        .filter(|(a, b)| b.saturating_sub(*a) > warn)
        .collect();
    let time =
        |clock_time: i64| Timestamp::from_millis((clock.wall)(clock_time).div_euclid(1_000_000));
    let mut gap_incidents: Vec<LogIncident> = all
        .iter()
        .map(|(from, to)| {
            let seconds = to.saturating_sub(*from) as f64 / 1e9;
            let severity = if to.saturating_sub(*from) >= fail {
                Status::Fail
            } else {
                Status::Warn
            };
            LogIncident {
                severity,
                occurred_at: time(*from),
                summary: format!("no line for {seconds:.1} s"),
                count: 1,
                last_at: Some(time(*to)),
                accepted: None,
                metadata: [("gap_seconds".to_owned(), seconds.into())].into(),
            }
        })
        .collect();
    let gap_status = gap_incidents
        .iter()
        .map(|g| g.severity)
        .max()
        .unwrap_or_default();
    let too_many = gap_incidents.len().saturating_sub(GAPS);
    if too_many > 0 {
        gap_incidents.sort_by_key(|g| (std::cmp::Reverse(g.severity), g.occurred_at));
        gap_incidents.truncate(GAPS);
        gap_incidents.sort_by_key(|g| g.occurred_at);
    }
    let mut causes: Vec<&Cause> = engines.iter().flat_map(|e| e.causes()).collect();
    causes.sort_by(|a, b| worst_first(a, b));
    let listed = |keep: &dyn Fn(&Cause) -> bool| {
        causes
            .iter()
            .filter(|c| keep(c))
            .map(|c| incident(c))
            .collect()
    };
    let of_lines = |c: &Cause| c.kind == IncidentKind::LogLevel;
    let span = clock.window.map_or(0, |(from, to)| to.saturating_sub(from));
    let explained: Vec<((i64, i64), bool)> = blind
        .iter()
        .map(|(t, b)| (*t, b.explained.is_some()))
        .collect();
    let bounds = expected.zip(heartbeat).map(|(window, declared)| {
        let beats = total.beats.as_ref().unwrap_or(&total.coverage);
        let gaps = beats.gaps_within(window.0, window.1);
        uptime::heartbeat(
            window,
            &gaps,
            &explained,
            (declared.period_seconds, declared.tolerance),
        )
    });
    let unknown = clock
        .window
        .map_or(0, |w| uptime::unknown_outside(w, &all, &explained));
    let status = engines.iter().map(|e| e.status());
    let status = status
        .chain(
            problems
                .iter()
                .filter(|p| p.accepted.is_none())
                .map(|p| p.severity),
        )
        .max()
        .unwrap_or_default();
    Logs {
        ignored_lines: total.ignored,
        total_lines: total.counts.lines,
        total_bytes: total.counts.bytes,
        level_counts: super::reader::level_counts(&total.counts),
        event_counts: total.events.report(),
        gap_incidents,
        content_incidents: listed(&|c| !of_lines(c)),
        warnings: listed(&|c| of_lines(c) && c.severity <= Status::Warn),
        errors: listed(&|c| of_lines(c) && c.severity > Status::Warn),
        status: status.max(gap_status),
        started_at: clock.window.map(|w| time(w.0)),
        ended_at: clock.window.map(|w| time(w.1)),
        duration_seconds: clock.window.map(|_| span as f64 / 1e9),
        uptime_ratio: uptime::ratio(total.records, span, &all, warn),
        heartbeat: bounds,
        not_kept: not_kept(engines),
        problems,
        unknown_seconds: unknown as f64 / 1e9,
        blind: blind.into_iter().map(|(_, b)| b).take(1000).collect(),
        skew: total.skew.report(),
        rate: total.rate.points(),
    }
}

fn not_kept(engines: &[&Engine]) -> Vec<NotKept> {
    let mut sum: Vec<NotKept> = Vec::new();
    for more in engines.iter().flat_map(|e| e.not_kept()) {
        let same = |n: &&mut NotKept| {
            (n.severity, n.kind, n.accepted) == (more.severity, more.kind, more.accepted)
        };
        match sum.iter_mut().find(same) {
            Some(n) => {
                n.causes += more.causes;
                n.count += more.count;
                n.first_at = n.first_at.min(more.first_at);
                n.last_at = n.last_at.max(more.last_at);
            }
            None => sum.push(more),
        }
    }
    sum.sort_by_key(|n| (std::cmp::Reverse(n.severity), n.kind, n.accepted));
    sum
}

/// Most bytes of a sample here.
const SAMPLE: usize = 16 << 10;

fn incident(cause: &Cause) -> LogIncident {
    let mut shown = cause.incident();
    if let Some(serde_json::Value::String(sample)) = shown.metadata.get_mut("sample")
        && sample.len() > SAMPLE
    {
        crate::engine::truncate(sample, SAMPLE);
        shown.metadata.insert("sample_cut".to_owned(), true.into());
    }
    LogIncident {
        severity: shown.severity,
        occurred_at: shown.occurred_at,
        summary: shown.message,
        count: shown.count,
        last_at: shown.last_at,
        accepted: shown.accepted,
        metadata: shown.metadata,
    }
}
