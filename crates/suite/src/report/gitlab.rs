//! Report formats of GitLab: Code Quality for lint, metrics as text. Tests are [`super::junit`] (`artifacts:reports:junit`).
//!
//! A finding's fingerprint holds its target, file, rule and text, and not its line, so that it is the same finding when lines move above
//! it; the second of two that are alike has its number in it.
//!
//! Invariant: a run that is no pass is clean in neither, whether tests failed or its evidence cannot be believed.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;

use gonogo_core::{Digest, Verdict};
use serde::Serialize;

use super::github::relative;
use super::linted::{self, Place};
use super::text::{plural, visible};
use super::{Item, Outline, Told, says};
use crate::run::Class;
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

/// What is wrong with the run as evidence, then findings of the lint targets: one for each place that a linter's output names, or one for
/// the failure if it names none. An empty list says that a linter ran and found nothing.
pub fn findings(outline: &Outline<'_>) -> Vec<Finding> {
    let mut found = problems(outline);
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
            if found.len() > FINDINGS {
                return bounded(found);
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
    bounded(found)
}

/// As many as may be; the last one says that there are more.
fn bounded(mut found: Vec<Finding>) -> Vec<Finding> {
    if found.len() > FINDINGS {
        found.truncate(FINDINGS - 1);
        let text = format!("there are more findings; {} are listed", FINDINGS - 1);
        found.push(told("(run)".to_owned(), text, Verdict::Fail));
    }
    found
}

/// A finding that is about no line of a file.
fn told(check: String, text: String, verdict: Verdict) -> Finding {
    let fingerprint = Digest::of(format!("{check}\0{}", signature::normalise(&text)).as_bytes());
    Finding {
        description: visible(&text, 500),
        check_name: visible(&check, 200),
        fingerprint: fingerprint.hex()[..32].to_owned(),
        severity: match verdict {
            Verdict::Pass | Verdict::Excused | Verdict::Hold => "major",
            Verdict::Fail | Verdict::Invalid => "critical",
        },
        location: Location {
            // A place that is a file is needed; this one declares the suites.
            path: "gonogo.toml".to_owned(),
            lines: Lines { begin: 1 },
        },
    }
}

/// What is wrong with the run as evidence, of every target: where it cannot be believed, no finding is not good news.
fn problems(outline: &Outline<'_>) -> Vec<Finding> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for Told { target, problem } in &outline.problems {
        let target = target.as_deref().unwrap_or("(run)");
        let text = format!("{}: {}", problem.reason.code(), problem.text);
        let one = told(target.to_owned(), text, problem.reason.verdict());
        if seen.insert(one.fingerprint.clone()) {
            found.push(one);
        }
    }
    let more = outline.ungrouped + outline.untold;
    if more > 0 {
        let text = format!("{} did not pass and are in no list", plural(more, "test"));
        found.push(told("(run)".to_owned(), text, Verdict::Fail));
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

/// Every status, the worst last.
const STATUSES: [Verdict; 5] = [
    Verdict::Pass,
    Verdict::Excused,
    Verdict::Hold,
    Verdict::Fail,
    Verdict::Invalid,
];

/// The file for `artifacts:reports:metrics`: numbers of the run, in the text format of OpenMetrics.
///
/// A status is five gauges of which one is 1, so that a change of it shows; where a run cannot be believed its counts of tests may be spotless,
/// and status and problems say so.
pub fn metrics(outline: &Outline<'_>) -> String {
    let summary = outline.report.summary;
    let tests = &summary.tests;
    let mut out = String::new();
    status(&mut out, "gonogo_suite_status", "", outline.shown());
    for verdict in [Verdict::Hold, Verdict::Fail, Verdict::Invalid] {
        let of = |told: &&Told| told.problem.reason.verdict() == verdict;
        let n = outline.problems.iter().filter(of).count();
        let _ = writeln!(out, "gonogo_suite_problems{{verdict=\"{verdict}\"}} {n}");
    }
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for told in &outline.problems {
        *reasons.entry(told.problem.reason.code()).or_default() += 1;
    }
    for (code, n) in reasons {
        let _ = writeln!(out, "gonogo_suite_problems_of{{reason=\"{code}\"}} {n}");
    }
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
        let label = format!(
            "target=\"{}\"",
            visible(&target.target, 100)
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
        );
        let own = outline.problems.iter();
        let own = own.filter(|told| told.target.as_ref() == Some(&target.target));
        let worst = own
            .map(|told| told.problem.reason.verdict())
            .fold(target.status, Verdict::max);
        status(
            &mut out,
            "gonogo_suite_target_status",
            &format!("{label},"),
            worst,
        );
        let _ = writeln!(
            out,
            "gonogo_suite_target_duration_seconds{{{label}}} {:.3}",
            target.duration_ms as f64 / 1000.0
        );
    }
    out
}

/// A gauge for each status: 1 of the one that it is.
fn status(out: &mut String, name: &str, labels: &str, is: Verdict) {
    for verdict in STATUSES {
        let n = u8::from(verdict == is);
        let _ = writeln!(out, "{name}{{{labels}status=\"{verdict}\"}} {n}");
    }
}
