//! What happened when: log rate, silences, incidents.

use std::fmt::Write as _;

use super::{Axis, Figure, ROWS, area, drawing, mark, num, scale};
use crate::review::{Charts, Span, SpanKind, TimelineItem};
use crate::summary::RatePoint;
use crate::watch::duration::{brief, counted, humanised, trimmed};
use crate::{IncidentKind, Status};

fn end(point: &RatePoint) -> i64 {
    point.at.saturating_add((point.seconds * 1_000.0) as i64)
}

fn per_second(point: &RatePoint) -> f64 {
    match point.seconds > 0.0 {
        true => point.lines as f64 / point.seconds,
        false => 0.0,
    }
}

/// Draws lines a second, and beneath it where errors and warnings were.
pub fn rate(charts: &Charts) -> Figure {
    let points = &charts.rate;
    let mut figure = Figure {
        id: "rate",
        title: "Log rate",
        finding: "No line arrived, or their times were not kept.".to_owned(),
        svg: None,
        heads: vec!["From", "Lines/s", "Warnings", "Errors"],
        rows: Vec::new(),
        rest: String::new(),
    };
    let axis = Axis::of(charts.from, charts.to)
        .or_else(|| Axis::of(points.first().map(|point| point.at), points.last().map(end)));
    let (Some(axis), false) = (axis, points.is_empty()) else {
        return figure;
    };
    let sum = |value: fn(&RatePoint) -> u64| {
        points
            .iter()
            .fold(0_u64, |sum, point| sum.saturating_add(value(point)))
    };
    let (lines, warnings, errors) = (sum(|p| p.lines), sum(|p| p.warnings), sum(|p| p.errors));
    // Where no line was there is no point, and that time counts too.
    let seconds = (axis.to - axis.from) / 1_000.0;
    let peak = points.iter().map(per_second).fold(0.0, f64::max);
    let mean = if seconds > 0.0 {
        lines as f64 / seconds
    } else {
        0.0
    };
    figure.finding = format!(
        "{} lines a second on average, {} at the peak; {} warnings and {} errors.",
        trimmed(mean, 1),
        trimmed(peak, 1),
        counted(warnings),
        counted(errors)
    );
    let mut body = String::new();
    let (ceiling, labels) = scale(&mut body, peak, 16.0, 150.0, " lines/s");
    let shares: Vec<(f64, f64, f64)> = points
        .iter()
        .map(|point| {
            (
                axis.share(point.at),
                axis.share(end(point)),
                per_second(point) / ceiling,
            )
        })
        .collect();
    area(&mut body, &shares, 16.0, 150.0);
    body.push_str(&labels);
    strip(
        &mut body,
        axis,
        points,
        "▲ warnings",
        "warn",
        |point| point.warnings,
        158.0,
    );
    strip(
        &mut body,
        axis,
        points,
        "✖ errors",
        "fail",
        |point| point.errors,
        190.0,
    );
    axis.labels(&mut body, 236.0);
    figure.svg = Some(drawing(
        figure.id,
        figure.title,
        &figure.finding,
        240.0,
        &body,
    ));
    let size = points.len().div_ceil(ROWS).max(1);
    for (n, chunk) in points.chunks(size).enumerate() {
        let next = points.get((n + 1) * size);
        let sum = |value: fn(&RatePoint) -> u64| {
            chunk
                .iter()
                .fold(0_u64, |sum, point| sum.saturating_add(value(point)))
        };
        let from = chunk.first().map_or(axis.from, |point| point.at as f64);
        let to = next.map_or(axis.to, |point| point.at as f64);
        let seconds = (to.min(axis.to) - from.max(axis.from)) / 1_000.0;
        figure.rows.push(vec![
            axis.since(chunk.first().map(|point| point.at).unwrap_or_default()),
            match seconds > 0.0 {
                true => trimmed(sum(|p| p.lines) as f64 / seconds, 1),
                false => "0".to_owned(),
            },
            counted(sum(|p| p.warnings)),
            counted(sum(|p| p.errors)),
        ]);
    }
    figure
}

/// A thin row that shows where something was, however little.
fn strip(
    out: &mut String,
    axis: Axis,
    points: &[RatePoint],
    label: &str,
    class: &str,
    value: fn(&RatePoint) -> u64,
    y: f64,
) {
    let total = points
        .iter()
        .fold(0_u64, |sum, point| sum.saturating_add(value(point)));
    let _ = writeln!(
        out,
        "<text x=\"0\" y=\"{ty}\">{label}</text><text class=\"strong\" x=\"100%\" y=\"{ty}\" text-anchor=\"end\">{}</text>\
         <rect class=\"track\" x=\"0\" y=\"{by}\" width=\"100%\" height=\"8\"/>",
        counted(total),
        ty = num(y + 12.0),
        by = num(y + 18.0),
    );
    for point in points.iter().filter(|point| value(point) > 0) {
        let (from, to) = (axis.share(point.at), axis.share(end(point)));
        let _ = writeln!(
            out,
            "<rect class=\"{class} edge e-{class}\" x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"8\"/>",
            num(from * 100.0),
            num(y + 18.0),
            num((to - from) * 100.0),
        );
    }
}

/// Draws when the child was silent and when we could not see.
pub fn silences(charts: &Charts) -> Figure {
    let spans = &charts.spans;
    let mut figure = Figure {
        id: "silences",
        title: "Silences",
        finding: String::new(),
        svg: None,
        heads: vec!["From", "Lasted", "What"],
        rows: Vec::new(),
        rest: match charts.spans_omitted {
            0 => String::new(),
            n => format!("and {} shorter ones that are not drawn", counted(n)),
        },
    };
    let seconds = |span: &Span| span.to.saturating_sub(span.from) as f64 / 1_000.0;
    let of = |kind: SpanKind| spans.iter().filter(move |span| span.kind == kind);
    let longest = of(SpanKind::Silence).map(seconds).fold(0.0, f64::max);
    let total = |kind| of(kind).map(seconds).sum::<f64>();
    let silent = of(SpanKind::Silence).count() as u64 + charts.spans_omitted;
    figure.finding = match silent {
        0 if !charts.logs_read => "Unknown: no logs were read.".to_owned(),
        0 => "No silence beyond its limit.".to_owned(),
        n => format!(
            "{} beyond the limit, together {}, the longest {}.",
            if n == 1 {
                "1 silence".to_owned()
            } else {
                format!("{} silences", counted(n))
            },
            humanised(total(SpanKind::Silence)),
            humanised(longest)
        ),
    };
    let blind = total(SpanKind::Blind);
    if of(SpanKind::Blind).next().is_some() {
        let _ = write!(
            figure.finding,
            " For {} the harness could not see, unexplained.",
            humanised(blind)
        );
    }
    let Some(axis) = Axis::of(charts.from, charts.to).filter(|_| !spans.is_empty()) else {
        return figure;
    };
    let mut body = String::from(
        "<defs><pattern id=\"p-warn\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><rect class=\"warn\" width=\"3\" height=\"6\"/></pattern>\
         <pattern id=\"p-blind\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\"><circle class=\"invalid\" cx=\"2.5\" cy=\"2.5\" r=\"1.5\"/></pattern></defs>\n",
    );
    let lanes = [
        ("silent (hatched: warning, solid: failure)", true, 0.0),
        ("not seen (dotted; grey: explained)", false, 48.0),
    ];
    for (label, silence, y) in lanes {
        let _ = writeln!(
            body,
            "<text x=\"0\" y=\"{}\">{label}</text><rect class=\"track\" x=\"0\" y=\"{}\" width=\"100%\" height=\"20\"/>",
            num(y + 12.0),
            num(y + 20.0)
        );
        for span in spans
            .iter()
            .filter(|span| (span.kind == SpanKind::Silence) == silence)
        {
            let (from, to) = (axis.share(span.from), axis.share(span.to));
            let (fill, edge) = match (span.kind, span.severity) {
                (SpanKind::Silence, Status::Fail | Status::Invalid) => {
                    ("class=\"fail edge e-fail\"", "")
                }
                (SpanKind::Silence, _) => ("class=\"edge e-warn\"", " fill=\"url(#p-warn)\""),
                (SpanKind::Blind, _) => ("class=\"edge e-blind\"", " fill=\"url(#p-blind)\""),
                (SpanKind::Explained, _) => ("class=\"track edge e-explained\"", ""),
            };
            let _ = writeln!(
                body,
                "<rect {fill}{edge} x=\"{}%\" y=\"{}\" width=\"{}%\" height=\"20\"/>",
                num(from * 100.0),
                num(y + 20.0),
                num((to - from) * 100.0),
            );
        }
    }
    axis.labels(&mut body, 106.0);
    figure.svg = Some(drawing(
        figure.id,
        figure.title,
        &figure.finding,
        110.0,
        &body,
    ));
    // Longest first: what a reader looks for.
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)).then(a.from.cmp(&b.from)));
    if sorted.len() > ROWS {
        let more = (sorted.len() - ROWS) as u64 + charts.spans_omitted;
        figure.rest = format!("The longest {ROWS}; {} more.", counted(more));
    }
    for span in sorted.into_iter().take(ROWS) {
        let what = match span.kind {
            SpanKind::Silence => format!("silence, {}", span.severity),
            SpanKind::Blind => format!("not seen: {}", span.reason),
            SpanKind::Explained => format!("not seen, explained: {}", span.reason),
        };
        figure
            .rows
            .push(vec![axis.since(span.from), humanised(seconds(span)), what]);
    }
    figure
}

/// What a lane of the timeline is called.
const fn lane(kind: IncidentKind) -> &'static str {
    match kind {
        IncidentKind::LogLevel => "log levels",
        IncidentKind::StackTrace => "stack traces",
        IncidentKind::LogGap => "silence",
        IncidentKind::Evidence => "evidence",
        IncidentKind::Resource => "resources",
        IncidentKind::Disk | IncidentKind::CaptureBlocked => "disk and capture",
        IncidentKind::PumpRestart | IncidentKind::KeeperLost | IncidentKind::HarnessLost => {
            "harness"
        }
        IncidentKind::Clock => "clock",
        IncidentKind::Exit
        | IncidentKind::EndedEarly
        | IncidentKind::Stragglers
        | IncidentKind::Killed
        | IncidentKind::Interrupted => "how it ended",
        IncidentKind::LongLine => "long lines",
        IncidentKind::Other => "other",
    }
}

/// Draws incidents on a timeline, one lane for each kind.
pub fn incidents(charts: &Charts) -> Figure {
    let items = &charts.timeline;
    let count = |status| {
        items
            .iter()
            .filter(|item| item.severity == status && item.accepted.is_none())
            .count()
    };
    let accepted = items.iter().filter(|item| item.accepted.is_some()).count();
    let mut figure = Figure {
        id: "incidents",
        title: "Incidents",
        finding: match items.len() {
            0 => "No incident was recorded.".to_owned(),
            _ => format!(
                "{} failures, {} warnings, {} accepted{}; repeated ones are drawn once, with a line to the last time.",
                count(Status::Fail) + count(Status::Invalid),
                count(Status::Warn),
                accepted,
                match charts.timeline_omitted {
                    0 => String::new(),
                    n => format!(", {} more not drawn", counted(n)),
                }
            ),
        },
        svg: None,
        heads: vec!["At", "", "What", "Times"],
        rows: Vec::new(),
        rest: String::new(),
    };
    let first = items.iter().map(|item| item.from).min();
    let last = items.iter().map(|item| item.to).max();
    // Incidents may lie before the first record or after the last; the axis holds them all.
    let axis = Axis::of(
        charts.from.into_iter().chain(first).min(),
        charts.to.into_iter().chain(last).max(),
    );
    if items.is_empty() {
        return figure;
    }
    let mut lanes: Vec<&'static str> = Vec::new();
    for item in items {
        if !lanes.contains(&lane(item.kind)) {
            lanes.push(lane(item.kind));
        }
    }
    let mut body = String::new();
    for (i, name) in lanes.iter().enumerate() {
        let y = 44.0 * i as f64;
        let line = num(y + 28.0);
        let of_lane = || items.iter().filter(|item| lane(item.kind) == *name);
        let _ = writeln!(
            body,
            "<text class=\"strong\" x=\"0\" y=\"{ty}\">{name}</text><text x=\"100%\" y=\"{ty}\" text-anchor=\"end\">{}</text>\
             <line class=\"grid\" x1=\"0\" x2=\"100%\" y1=\"{line}\" y2=\"{line}\"/>",
            counted(of_lane().fold(0_u64, |sum, item| sum.saturating_add(item.count))),
            ty = num(y + 12.0),
        );
        let x = |at: i64| axis.map_or("50%".to_owned(), |axis| axis.percent(at));
        for item in of_lane().filter(|item| item.to > item.from) {
            let class = match (item.accepted.is_some(), item.severity) {
                (true, _) | (_, Status::Pass) => "s-pass",
                (_, Status::Warn) => "s-warn",
                (_, Status::Fail) => "s-fail",
                (_, Status::Invalid) => "s-invalid",
            };
            let _ = writeln!(
                body,
                "<line class=\"last {class}\" x1=\"{}\" x2=\"{}\" y1=\"{line}\" y2=\"{line}\"/>",
                x(item.from),
                x(item.to)
            );
        }
        // Worst on top.
        let mut marks: Vec<&TimelineItem> = of_lane().collect();
        marks.sort_by_key(|item| (item.accepted.is_none(), item.severity, item.from));
        for item in marks {
            mark(
                &mut body,
                &x(item.from),
                y + 28.0,
                item.severity,
                item.accepted.is_some(),
            );
        }
    }
    let height = 44.0 * lanes.len() as f64;
    if let Some(axis) = axis {
        axis.labels(&mut body, height + 14.0);
    }
    figure.svg = Some(drawing(
        figure.id,
        figure.title,
        &figure.finding,
        height + 18.0,
        &body,
    ));
    let mut sorted: Vec<&TimelineItem> = items.iter().collect();
    sorted.sort_by(|a, b| {
        (a.accepted.is_some(), std::cmp::Reverse(a.severity), a.from).cmp(&(
            b.accepted.is_some(),
            std::cmp::Reverse(b.severity),
            b.from,
        ))
    });
    if sorted.len() > ROWS {
        figure.rest = format!(
            "The worst {ROWS} of {}.",
            counted(items.len() as u64 + charts.timeline_omitted)
        );
    }
    for item in sorted.into_iter().take(ROWS) {
        let symbol = match (item.accepted.is_some(), item.severity) {
            (true, _) => "accepted",
            (_, Status::Pass) => "● note",
            (_, Status::Warn) => "▲ warn",
            (_, Status::Fail) => "✖ fail",
            (_, Status::Invalid) => "◆ invalid",
        };
        figure.rows.push(vec![
            axis.map_or_else(|| brief(0.0), |axis| axis.since(item.from)),
            symbol.to_owned(),
            item.message.clone(),
            counted(item.count),
        ]);
    }
    figure
}
