//! Report formats of GitLab: Code Quality for lint, metrics as text. Tests are [`super::junit`] (`artifacts:reports:junit`).
//!
//! A finding's fingerprint holds its target, file, rule and text, and not its line, so that it is the same finding when lines move above
//! it; the second of two that are alike has its number in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use gonogo_core::Digest;
use serde::Serialize;

use super::github::relative;
use super::linted::{self, Place};
use super::text::visible;
use super::{Item, Outline, says};
use crate::run::{Class, Summary};
use crate::{TestVerdict, signature};

/// Most findings.
pub const FINDINGS: usize = 5_000;

/// A finding of Code Quality, as GitLab reads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub description: String,
    /// Which check found it: target and test.
    pub check_name: String,
    /// The same for the same finding in every run.
    pub fingerprint: String,
    /// `critical` for what could not be judged, `major` for what failed, `minor` for warnings.
    pub severity: &'static str,
    /// Where.
    pub location: Location,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Relative to the repository.
    pub path: String,
    /// The line.
    pub lines: Lines,
}

/// The line of a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// From 1.
    pub begin: u32,
}

/// Findings of the lint targets: one for each place that a linter's output names, or one for the failure if it names none.
pub fn findings(outline: &Outline<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    let targets: BTreeMap<&str, (Class, &str)> = outline
        .report
        .summary
        .targets()
        .map(|t| (t.target.as_str(), (t.class, t.dir.as_str())))
        .collect();
    let items = outline.groups.iter().flat_map(|g| &g.items);
    for item in items {
        let Some((Class::Lint, dir)) = targets.get(item.target.as_str()) else {
            continue;
        };
        for place in places(outline, item, dir) {
            if found.len() == FINDINGS {
                return found;
            }
            let check = format!("{}/{}", item.target, item.test.name);
            let text = signature::normalise(&place.text);
            let key = format!("{check}\0{}\0{text}", place.path);
            let n = times.entry(key.clone()).or_default();
            *n += 1;
            let fingerprint = Digest::of(format!("{key}\0{n}").as_bytes()).hex();
            found.push(Finding {
                description: visible(&place.text, 500),
                check_name: visible(&check, 200),
                fingerprint: fingerprint[..32].to_owned(),
                severity: match item.verdict {
                    TestVerdict::Failed if place.is_warning => "minor",
                    TestVerdict::Failed | TestVerdict::Flaky | TestVerdict::UnexpectedPass => {
                        "major"
                    }
                    _ => "critical",
                },
                location: Location {
                    path: place.path,
                    lines: Lines { begin: place.line },
                },
            });
        }
    }
    found
}

/// The file for `artifacts:reports:codequality`.
pub fn code_quality(outline: &Outline<'_>) -> String {
    // A value that is made of strings and numbers has a JSON text.
    let text = serde_json::to_string_pretty(&findings(outline)).unwrap_or_else(|_| "[]".to_owned());
    text + "\n"
}

/// Places of a failure of a lint target: those of its log, or of what its row keeps of it, or its own one.
pub(super) fn places(outline: &Outline<'_>, item: &Item, dir: &str) -> Vec<Place> {
    let (log, root) = (outline.report.log)(&item.target).unwrap_or_default();
    let mut found = linted::places(&log, dir, &root);
    if found.is_empty() {
        let trace = item.failure.as_ref().map_or("", |f| f.trace.as_str());
        let text = match item.output.contains(trace) {
            true => item.output.clone(),
            false => format!("{trace}\n{}", item.output),
        };
        found = linted::places(&text, dir, &root);
    }
    if !found.is_empty() {
        return found;
    }
    let named = item.place.as_ref();
    let told = item.failure.as_ref();
    let text = told.map(|f| f.message.as_str()).filter(|m| !m.is_empty());
    vec![Place {
        path: named
            .and_then(|(file, _)| relative(dir, file))
            // A place that is a file is needed; this one declares the target.
            .unwrap_or_else(|| "gonogo.toml".to_owned()),
        line: named.and_then(|(_, line)| *line).unwrap_or(1),
        text: format!("{}: {}", item.test, text.unwrap_or(says(item.verdict))),
        is_warning: false,
    }]
}

/// The file for `artifacts:reports:metrics`: numbers of the run, in the text format of OpenMetrics.
pub fn metrics(summary: &Summary) -> String {
    let tests = &summary.tests;
    let mut out = String::new();
    for (verdict, n) in [
        ("passed", tests.passed),
        ("failed", tests.failed),
        ("errored", tests.errored),
        ("precluded", tests.precluded),
        ("missing", tests.missing),
        ("flaky", tests.flaky),
        ("unexpected_pass", tests.unexpected_pass),
        ("skipped", tests.skipped),
    ] {
        let _ = writeln!(out, "gonogo_suite_tests{{verdict=\"{verdict}\"}} {n}");
    }
    let _ = writeln!(out, "gonogo_suite_tests_total {}", tests.total);
    let _ = writeln!(
        out,
        "gonogo_suite_duration_seconds {:.3}",
        summary.duration_ms as f64 / 1000.0
    );
    for target in summary.targets() {
        let name: String = visible(&target.target, 100)
            .replace('\\', "\\\\")
            .replace('"', "\\\"");
        let _ = writeln!(
            out,
            "gonogo_suite_target_duration_seconds{{target=\"{name}\"}} {:.3}",
            target.duration_ms as f64 / 1000.0
        );
    }
    out
}
