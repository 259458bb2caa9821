//! Flakes that a run shows by itself or beside earlier runs of the same tree: `flake_events.jsonl`.
//!
//! Invariant: an event names the failure and the pass on one tree and variant that make it one; there is a line for nothing else, and
//! without any the file is empty.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_suite::flake::{Class, Pattern};
use gonogo_suite::run::{Retry, Row, Summary};
use gonogo_suite::{TestId, TestVerdict};
use serde_json::{Value, json};

use crate::AppError;
use crate::gates::compared::{self, Recorded};
use crate::suite::artifacts::RunDir;

/// The file.
pub const EVENTS: &str = "flake_events.jsonl";

/// The schema of a line.
const EVENT: &str = "gonogo.suite.flake-event.v1";

/// Most lines.
const MOST: usize = 10_000;

/// Most earlier runs of the same tree that are looked at.
const LOOKED: usize = 20;

/// Writes the flakes of a run. `earlier` are runs before it, the newest first.
///
/// # Errors
/// It cannot be written.
pub fn write_events(
    dir: &RunDir,
    summary: &Summary,
    rows: &[Row],
    earlier: &[Recorded],
) -> Result<(), AppError> {
    let mut lines = events(summary, rows, earlier);
    if lines.len() > MOST {
        let more = lines.len() - MOST;
        lines.truncate(MOST);
        lines.push(json!({
            "schema": EVENT,
            "correlation_id": summary.correlation_id,
            "kind": "omitted",
            "count": more,
        }));
    }
    for (n, line) in lines.iter_mut().enumerate() {
        line["ordinal"] = json!(n + 1);
    }
    dir.write_lines(EVENTS, lines)
}

fn events(summary: &Summary, rows: &[Row], earlier: &[Recorded]) -> Vec<Value> {
    let source = &summary.source;
    let is_sure = source.tree_after.as_ref() == Some(&source.tree) && !source.tree.is_empty();
    let own = summary.run_id.as_str();
    let mut lines = Vec::new();
    for row in rows.iter().filter(|r| r.verdict == TestVerdict::Flaky) {
        lines.push(line(
            summary,
            row,
            "passed_when_its_runner_retried",
            own,
            own,
        ));
    }
    let retried = summary.quarantined.iter().flat_map(|q| &q.tests);
    for one in retried.filter(|r| matches!(r.retry, Retry::Passed { .. })) {
        let row = rows
            .iter()
            .find(|r| r.target == one.target && r.test == one.test);
        lines.extend(row.map(|row| line(summary, row, "passed_when_retried", own, own)));
    }
    // Of a tree that changed meanwhile nobody knows which tree it was.
    if !is_sure {
        return lines;
    }
    let alike = |r: &&Recorded| {
        let other = &r.summary.source;
        other.tree == source.tree
            && other.tree_after.as_ref() == Some(&source.tree)
            && r.summary.variant == summary.variant
            && r.summary.run_id != summary.run_id
    };
    let alike: Vec<&Recorded> = earlier.iter().filter(alike).take(LOOKED).collect();
    if alike.is_empty() {
        return lines;
    }
    let mut passed: BTreeSet<(&str, &TestId)> = BTreeSet::new();
    let mut failed: BTreeMap<&str, BTreeMap<&TestId, &Row>> = BTreeMap::new();
    for row in rows {
        match row.verdict {
            TestVerdict::Passed if !row.cached => {
                passed.insert((&row.target, &row.test));
            }
            TestVerdict::Failed => {
                failed
                    .entry(&row.target)
                    .or_default()
                    .insert(&row.test, row);
            }
            _ => {}
        }
    }
    let mut told: BTreeSet<(String, TestId)> = BTreeSet::new();
    for run in alike {
        let id = run.summary.run_id.as_str();
        for target in run.summary.targets() {
            let name = target.target.as_str();
            for row in &target.bad {
                if row.verdict == TestVerdict::Failed
                    && passed.contains(&(name, &row.test))
                    && told.insert((name.to_owned(), row.test.clone()))
                {
                    lines.push(line(summary, row, "passed_in_another_run", id, own));
                }
            }
            let Some(bad) = failed.get(name) else {
                continue;
            };
            // What is not as it was recorded shows nothing.
            let Ok(before) = compared::entries(run, name) else {
                continue;
            };
            for (test, entry) in before {
                if entry.verdict == TestVerdict::Passed
                    && let Some(row) = bad.get(&test)
                    && told.insert((name.to_owned(), test))
                {
                    lines.push(line(summary, row, "passed_in_another_run", own, id));
                }
            }
        }
    }
    lines
}

fn line(summary: &Summary, row: &Row, kind: &str, failed_in: &str, passed_in: &str) -> Value {
    let failure = row.failure.as_ref();
    json!({
        "schema": EVENT,
        "ts": summary.timestamp,
        "run_id": summary.run_id,
        "correlation_id": summary.correlation_id,
        "tree": summary.source.tree,
        "variant": summary.variant,
        "kind": kind,
        "target": row.target,
        "test": row.test,
        "signature": row.signature,
        "cause": row.cause.as_ref().map(|c| c.word()),
        "class": row.cause.as_ref().map(Class::of),
        "pattern": failure.map(|f| Pattern::of(f, row.cause.as_ref())),
        "failed_in": failed_in,
        "passed_in": passed_in,
    })
}
