//! Common Test Report Format out, as ctrf.io's schema 0.0 has it, written as the rows come.
//!
//! The format has no errors, and its consumers count `failed` alone. So all that did not pass is `failed`, with our own word as
//! `rawStatus`; a flaky test is `failed` and `flaky`, with the attempts that make it so ([`Flaky::Pass`]: `passed` and `flaky`). Problems
//! and a run of nothing are tests as in [`super::junit`]. [`id`] and [`as_read`] say what a reader makes of it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Flaky, Report, Told, junit, says};
use crate::run::Tests;
use crate::{Row, TestId, TestVerdict};

/// Most attempts of a test that are written.
const ATTEMPTS: u32 = 10;

/// What a reader of the file calls a test.
pub fn id(row: &Row) -> TestId {
    let suite = suite(&row.target, &row.test).join(" > ");
    let file = file(row).unwrap_or_default();
    TestId::new(
        file,
        if file == suite { "" } else { &suite },
        name(&row.test),
    )
}

/// What a reader of the file makes of a verdict: never a better one.
pub const fn as_read(verdict: TestVerdict) -> TestVerdict {
    match verdict {
        TestVerdict::Passed | TestVerdict::Skipped | TestVerdict::Flaky => verdict,
        _ => TestVerdict::Failed,
    }
}

/// The test's file; of one that failed and whose report names none, the file in which it did: a line is of a file.
fn file(row: &Row) -> Option<&str> {
    let failed = || {
        let failure = row.failure.as_ref().filter(|_| !row.verdict.is_good())?;
        Some(failure.location.as_ref()?.file.as_str())
    };
    let own = row.file.as_deref().or_else(failed);
    own.filter(|file| !file.is_empty())
}

fn suite<'t>(target: &'t str, test: &'t TestId) -> Vec<&'t str> {
    let parts = [target, &test.suite, &test.class];
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

fn name(test: &TestId) -> &str {
    // What a reader makes spaces of is no name.
    match test
        .name
        .trim_matches(|c: char| c.is_whitespace() || c.is_control())
    {
        "" => "(unnamed)",
        name => name,
    }
}

/// Writes a run. The rows are all of the run's, in any order.
///
/// # Errors
///
/// Whatever the writer says.
pub fn write(
    out: &mut dyn Write,
    report: &Report<'_>,
    rows: impl IntoIterator<Item = Row>,
    flaky: Flaky,
) -> io::Result<()> {
    let summary = report.summary;
    let problems = report.problems();
    let tests = &summary.tests;
    let is_passed = matches!(flaky, Flaky::Pass);
    let flaky_passed = if is_passed { tests.flaky } else { 0 };
    let mut environment = json!({
        "appName": summary.project,
        "extra": {
            "run": summary.run_id,
            "profile": summary.profile,
            "tree": summary.source.tree,
            "status": report.verdict().to_string(),
        },
    });
    for (key, value) in [
        ("commit", &summary.source.commit),
        ("branchName", &summary.source.branch),
    ] {
        if let Some(value) = value {
            environment[key] = json!(value);
        }
    }
    let counts = json!({
        "tests": tests.total + problems.len() as u64,
        "passed": tests.passed + flaky_passed,
        "failed": tests.bad() - flaky_passed + problems.len() as u64,
        "skipped": tests.skipped,
        "pending": 0,
        "other": 0,
        "flaky": tests.flaky,
        "suites": summary.targets().count(),
        "start": summary.started_at.as_millis(),
        "stop": summary.timestamp.as_millis(),
        "duration": summary.duration_ms,
    });
    writeln!(
        out,
        "{{\"reportFormat\":\"CTRF\",\"specVersion\":\"0.0.0\",\"timestamp\":\"{}\",\"generatedBy\":\"gonogo\",\n\
         \"results\":{{\"tool\":{{\"name\":\"gonogo\"}},\n\"summary\":{counts},\n\"environment\":{environment},\n\"tests\":[",
        summary.timestamp
    )?;
    let mut list = List {
        out,
        is_first: true,
    };
    let mut seen = Tests::default();
    for row in rows {
        seen.add(row.verdict, row.cached);
        list.put(&of_row(&row, flaky))?;
    }
    for told in &problems {
        list.put(&of_problem(told))?;
    }
    if seen != *tests {
        let text = format!(
            "the summary has {} tests of which {} are bad, and its rows are {} and {}",
            tests.total,
            tests.bad(),
            seen.total,
            seen.bad()
        );
        let reason = gonogo_core::Reason::EvidenceCountMismatch;
        list.put(&of_problem(&Told {
            target: None,
            problem: crate::run::Problem::new(reason, text),
        }))?;
    }
    out.write_all(b"\n]}}\n")?;
    out.flush()
}

struct List<'w> {
    out: &'w mut dyn Write,
    is_first: bool,
}

impl List<'_> {
    fn put(&mut self, value: &impl Serialize) -> io::Result<()> {
        if !std::mem::take(&mut self.is_first) {
            self.out.write_all(b",\n")?;
        }
        serde_json::to_writer(&mut *self.out, value).map_err(io::Error::other)
    }
}

fn of_problem(told: &Told) -> Value {
    let reason = told.problem.reason;
    json!({
        "name": format!("{}: {}", reason.code(), told.problem.text),
        "suite": [told.target.as_deref().unwrap_or(junit::RUN), junit::CLASS],
        "status": "failed",
        "duration": 0,
        "rawStatus": reason.code(),
        "message": told.problem.text,
        "trace": format!("{} {}", reason.meaning(), reason.next_action()),
    })
}

fn of_row(row: &Row, flaky: Flaky) -> Map<String, Value> {
    let mut one = Map::new();
    let mut put = |key: &str, value: Value| {
        one.insert(key.to_owned(), value);
    };
    let is_flaky = row.verdict == TestVerdict::Flaky;
    let status = match row.verdict {
        TestVerdict::Passed => "passed",
        TestVerdict::Skipped => "skipped",
        TestVerdict::Flaky if flaky == Flaky::Pass => "passed",
        _ => "failed",
    };
    let ms = row.seconds.filter(|s| s.is_finite() && *s >= 0.0);
    put("name", json!(name(&row.test)));
    let suite = suite(&row.target, &row.test);
    if !suite.is_empty() {
        put("suite", json!(suite));
    }
    put("status", json!(status));
    // Whole milliseconds, as floats are cast: saturating.
    put(
        "duration",
        json!(ms.map_or(0, |s| (s * 1000.0).round() as u32)),
    );
    put("rawStatus", json!(row.verdict.word()));
    if let Some(file) = file(row) {
        put("filePath", json!(file));
    }
    if row.verdict.is_good() {
        if let Some(why) = row.skipped.as_deref().filter(|why| !why.is_empty()) {
            put("message", json!(why));
        }
        return one;
    }
    let told = row.failure.clone().unwrap_or_default();
    let message = match told.message.as_str() {
        "" if told.trace.is_empty() => says(row.verdict),
        message => message,
    };
    put("message", json!(message));
    if !told.trace.is_empty() {
        put("trace", json!(told.trace));
    }
    if let Some(line) = told.location.as_ref().and_then(|l| l.line) {
        put("line", json!(line));
    }
    if !row.output.is_empty() {
        put("stdout", json!(row.output.lines().collect::<Vec<_>>()));
    }
    let earlier = row.attempts.saturating_sub(1).min(ATTEMPTS);
    let earlier = if is_flaky { earlier.max(1) } else { earlier };
    if earlier > 0 {
        put("retries", json!(earlier));
        // One of the attempts of a flaky test went as the last one did not.
        let other = match status {
            "failed" if is_flaky => "passed",
            _ => "failed",
        };
        let attempts: Vec<Value> = (1..=earlier)
            .map(|n| json!({"attempt": n, "status": if n == earlier { other } else { "failed" }}))
            .collect();
        put("retryAttempts", Value::Array(attempts));
    }
    if is_flaky {
        put("flaky", json!(true));
    }
    one
}
