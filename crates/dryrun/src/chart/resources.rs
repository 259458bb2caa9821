//! Memory and CPU of the whole tree over the run.

use std::fmt::Write as _;

use super::{Axis, Figure, ROWS, area, drawing, num, scale};
use crate::progress::Point;
use crate::review::Charts;
use crate::watch::duration::trimmed;

/// Draws memory above, CPU below, with their limits.
pub fn resources(charts: &Charts) -> Figure {
    let points = &charts.resources;
    let mut figure = Figure {
        id: "resources",
        title: "Memory and CPU",
        finding: "No samples were taken.".to_owned(),
        svg: None,
        heads: vec!["From", "Memory, MiB", "CPU, %"],
        rows: Vec::new(),
        rest: String::new(),
    };
    let last = points
        .last()
        .map(|point| point.at.saturating_add((point.seconds * 1_000.0) as i64));
    let first = points.first().map(|point| point.at);
    let axis = Axis::of(charts.from, charts.to).or_else(|| Axis::of(first, last));
    let (Some(axis), false) = (axis, points.is_empty()) else {
        return figure;
    };
    let peak = |value: fn(&Point) -> f64| {
        points
            .iter()
            .map(value)
            .filter(|v| v.is_finite())
            .fold(0.0, f64::max)
    };
    let (memory, cpu) = (
        peak(|point| point.memory_mb),
        peak(|point| point.cpu_percent),
    );
    let mut finding = format!(
        "Memory peaked at {} MiB, CPU at {} % of one core",
        trimmed(memory, 1),
        trimmed(cpu, 1)
    );
    for (limit, seen, unit, what) in [
        (charts.max_memory_mb, memory, "MiB", "memory"),
        (charts.max_cpu_percent, cpu, "%", "CPU"),
    ] {
        if let Some(limit) = limit {
            let verb = if seen > limit { "above" } else { "below" };
            let _ = write!(
                finding,
                "; {what} is {verb} its limit of {} {unit}",
                trimmed(limit, 1)
            );
        }
    }
    if let Some(slope) = charts.memory_slope_mb_per_hour {
        let _ = write!(
            finding,
            "; memory changes by {} MiB an hour after warm-up",
            trimmed(slope, 2)
        );
    }
    figure.finding = finding + ".";

    let mut body = String::new();
    panel(
        &mut body,
        axis,
        points,
        |point| point.memory_mb,
        charts.max_memory_mb,
        " MiB",
        16.0,
    );
    panel(
        &mut body,
        axis,
        points,
        |point| point.cpu_percent,
        charts.max_cpu_percent,
        " % CPU",
        138.0,
    );
    axis.labels(&mut body, 254.0);
    figure.svg = Some(drawing(
        figure.id,
        figure.title,
        &figure.finding,
        258.0,
        &body,
    ));
    for chunk in points.chunks(points.len().div_ceil(ROWS).max(1)) {
        let peak = |value: fn(&Point) -> f64| {
            chunk
                .iter()
                .map(value)
                .filter(|v| v.is_finite())
                .fold(0.0, f64::max)
        };
        figure.rows.push(vec![
            axis.since(chunk.first().map(|point| point.at).unwrap_or_default()),
            trimmed(peak(|point| point.memory_mb), 1),
            trimmed(peak(|point| point.cpu_percent), 1),
        ]);
    }
    if points.len() > ROWS {
        figure.rest = "Each row: the peak until the next.".to_owned();
    }
    figure
}

fn panel(
    out: &mut String,
    axis: Axis,
    points: &[Point],
    value: fn(&Point) -> f64,
    limit: Option<f64>,
    unit: &str,
    top: f64,
) {
    let bottom = top + 100.0;
    let peak = points
        .iter()
        .map(value)
        .filter(|v| v.is_finite())
        .fold(0.0, f64::max);
    // A limit far above what was seen would flatten the drawing; then it is told in the finding only.
    let shown = limit.filter(|limit| *limit <= peak * 4.0 && *limit > 0.0);
    let highest = shown.map_or(peak, |limit| peak.max(limit));
    let (ceiling, labels) = scale(out, highest, top, bottom, unit);
    let shares: Vec<(f64, f64, f64)> = points
        .iter()
        .enumerate()
        .map(|(i, point)| {
            let end = point.at.saturating_add((point.seconds * 1_000.0) as i64);
            // Samples are moments; each stands until the next, unless that is far.
            let end = match points.get(i + 1) {
                Some(next) if next.at.saturating_sub(end) <= (point.seconds * 1_000.0) as i64 => {
                    next.at
                }
                _ => end,
            };
            (
                axis.share(point.at),
                axis.share(end),
                value(point) / ceiling,
            )
        })
        .collect();
    area(out, &shares, top, bottom);
    out.push_str(&labels);
    if let Some(limit) = shown {
        let y = num(bottom - (bottom - top) * (limit / ceiling).clamp(0.0, 1.0));
        let _ = writeln!(
            out,
            "<line class=\"limit\" x1=\"0\" x2=\"100%\" y1=\"{y}\" y2=\"{y}\"/><text class=\"strong over\" x=\"100%\" y=\"{}\" text-anchor=\"end\">limit {}</text>",
            num(bottom - (bottom - top) * (limit / ceiling).clamp(0.0, 1.0) - 4.0),
            trimmed(limit, 1)
        );
    }
}
