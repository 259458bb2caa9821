//! How many lines of each level.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Figure, ROWS, drawing, num};
use crate::Status;
use crate::review::escape::{html, shortened};
use crate::watch::duration::{counted, trimmed};

/// Returns what a level's word counts as when charts are coloured. Words are the child's own; unknown ones are neutral.
pub fn class(level: &str) -> Status {
    match level.to_ascii_lowercase().as_str() {
        "error" | "err" | "exception" | "critical" | "crit" | "fatal" | "alert" | "emerg"
        | "emergency" | "panic" | "severe" | "50" | "60" => Status::Fail,
        "warn" | "warning" => Status::Warn,
        _ => Status::Pass,
    }
}

/// Draws lines by level, most frequent first; levels that count as bad come before others of the same count.
pub fn levels(counts: &BTreeMap<String, u64>) -> Figure {
    let mut sorted: Vec<(&str, u64)> = counts
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(level, count)| (level.as_str(), *count))
        .collect();
    sorted.sort_by(|a, b| {
        b.1.cmp(&a.1)
            .then(class(b.0).cmp(&class(a.0)))
            .then(a.0.cmp(b.0))
    });
    let total = sorted
        .iter()
        .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    let of = |status| {
        sorted
            .iter()
            .filter(|(level, _)| class(level) == status)
            .fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
    };
    let (errors, warnings) = (of(Status::Fail), of(Status::Warn));
    let mut figure = Figure {
        id: "levels",
        title: "Levels",
        finding: match total {
            0 => "No line has a level: nothing was printed, or nothing was read.".to_owned(),
            _ => format!(
                "{} of {} lines say error or worse, {} say warning.",
                counted(errors),
                counted(total),
                counted(warnings)
            ),
        },
        svg: None,
        heads: vec!["Level", "Lines", "Share"],
        rows: Vec::new(),
        rest: String::new(),
    };
    if total == 0 {
        return figure;
    }
    // Whatever is bad is drawn, also where other levels would push it out.
    if sorted.len() > ROWS {
        sorted.sort_by(|a, b| {
            class(b.0)
                .cmp(&class(a.0))
                .then(b.1.cmp(&a.1))
                .then(a.0.cmp(b.0))
        });
        figure.rest = format!("and {} more levels", sorted.len() - ROWS);
        sorted.truncate(ROWS);
    }
    let greatest = sorted
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(1)
        .max(1) as f64;
    let mut body = String::new();
    for (i, (level, count)) in sorted.iter().enumerate() {
        let y = 34.0 * i as f64;
        let (mark, fill) = match class(level) {
            Status::Fail => ("✖ ", "fail"),
            Status::Warn => ("▲ ", "warn"),
            _ => ("", "neutral"),
        };
        let name = shortened(level, 24);
        let _ = writeln!(
            body,
            "<text class=\"strong\" x=\"0\" y=\"{ty}\">{mark}{}</text><text class=\"strong\" x=\"100%\" y=\"{ty}\" text-anchor=\"end\">{}</text>\
             <rect class=\"track\" x=\"0\" y=\"{by}\" width=\"100%\" height=\"8\" rx=\"2\"/>\
             <svg x=\"0\" y=\"{by}\" width=\"100%\" height=\"8\"><rect class=\"{fill}\" width=\"2\" height=\"8\"/>\
             <rect class=\"{fill}\" width=\"{}%\" height=\"8\" rx=\"2\"/></svg>",
            html(&name),
            counted(*count),
            num(*count as f64 / greatest * 100.0),
            ty = num(y + 12.0),
            by = num(y + 18.0),
        );
        figure.rows.push(vec![
            name,
            counted(*count),
            match *count as f64 / total as f64 * 100.0 {
                share if share < 0.01 => "< 0.01 %".to_owned(),
                share => format!("{} %", trimmed(share, 2)),
            },
        ]);
    }
    let height = 34.0 * sorted.len() as f64;
    figure.svg = Some(drawing(
        figure.id,
        figure.title,
        &figure.finding,
        height,
        &body,
    ));
    figure
}
