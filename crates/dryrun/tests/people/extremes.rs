//! Reports with numbers that no run has: everything is still told, and nothing panics.

use gonogo_dryrun::backlog::{Backlog, Source};
use gonogo_dryrun::review::{Review, ReviewInputs, html, markdown};
use gonogo_dryrun::wrap_up::{self, Options, WrapUp};
use serde_json::{Value, json};

use crate::reading::checked;
use crate::runs::{ORDINARY, at, troubled};

/// Paths of all numbers and times.
fn leaves(value: &Value, path: String, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(key, value)| leaves(value, format!("{path}/{key}"), out)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, value)| leaves(value, format!("{path}/{i}"), out)),
        Value::Number(_) => out.push(path),
        Value::String(text) if text.parse::<gonogo_core::Timestamp>().is_ok() => out.push(path),
        _ => {}
    }
}

fn told(text: &str) -> bool {
    let Ok(read) = wrap_up::read(text.as_bytes()) else {
        return false;
    };
    let review = Review::of(&read.report, ReviewInputs::at(at(73.0)));
    let page = html::render(&review);
    checked(&page);
    for bad in ["NaN", "inf", "e+", "=\"-"] {
        let svg: String = page
            .split("<svg")
            .skip(1)
            .filter_map(|part| part.split("</svg>").next())
            .collect();
        assert!(
            !svg.contains(bad) || bad == "inf" && svg.contains("info"),
            "{bad} in a drawing"
        );
    }
    assert!(markdown::render(&review).starts_with("# Final dry run review — "));
    assert!(
        !WrapUp::of(&read, Options::at(at(73.0)))
            .markdown()
            .is_empty()
    );
    let source = Source {
        label: String::new(),
        read,
        rules: Vec::new(),
    };
    assert!(!Backlog::of(&[source], at(73.0)).csv().is_empty());
    true
}

#[test]
fn numbers_that_no_run_has_are_told_without_a_panic() {
    let mut report = troubled(ORDINARY);
    report.incidents.truncate(2);
    let logs = report.summary.logs.as_mut().unwrap();
    logs.rate.truncate(3);
    logs.errors.truncate(1);
    report
        .summary
        .metadata
        .resource_monitor
        .as_mut()
        .unwrap()
        .history
        .truncate(3);
    let value = serde_json::to_value(&report).unwrap();
    let mut paths = Vec::new();
    leaves(&value, String::new(), &mut paths);
    assert!(paths.len() > 80, "{}", paths.len());
    let extremes = [
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e308),
        json!(-1e308),
        json!(5e-324),
        json!("9999-12-30T22:00:00.000Z"),
        json!("-009999-01-02T01:59:59Z"),
        Value::Null,
    ];
    let mut read = 0;
    for path in &paths {
        for extreme in &extremes {
            let mut broken = value.clone();
            *broken.pointer_mut(path).unwrap() = extreme.clone();
            read += usize::from(told(&broken.to_string()));
        }
    }
    assert!(
        read > paths.len() * 4,
        "{read} of {}",
        paths.len() * extremes.len()
    );
    // All at once.
    for extreme in &extremes {
        let mut broken = value.clone();
        for path in &paths {
            let mut next = broken.clone();
            *next.pointer_mut(path).unwrap() = extreme.clone();
            if wrap_up::read(next.to_string().as_bytes()).is_ok() {
                broken = next;
            }
        }
        told(&broken.to_string());
    }
}

#[test]
fn a_report_of_many_thousand_findings_stays_readable() {
    let mut report = troubled(ORDINARY);
    let one = report.incidents[0].clone();
    report.incidents = (0..20_000)
        .map(|i| {
            let mut incident = one.clone();
            incident.message = format!("warning number {i}");
            incident.occurred_at = at(f64::from(i) / 300.0);
            incident
        })
        .collect();
    let review = Review::of(&report, ReviewInputs::at(at(73.0)));
    assert!(review.action_items.len() <= 500 && review.action_items_omitted > 19_000);
    assert!(review.charts.timeline.len() <= 200 && review.charts.timeline_omitted > 19_000);
    assert!(
        html::render(&review).len() < 400_000,
        "{}",
        html::render(&review).len()
    );
    assert!(markdown::render(&review).len() < 200_000);
}
