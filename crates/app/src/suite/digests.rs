//! What a target that is not good came to, on one page: `failure_digest.json`, and the events of `failure_timeline.jsonl`.
//!
//! The first failure is that of the report, or where no test of it failed that of the log ([`TargetResult::first_failure`]); what to do comes
//! from the project's own causes, the class of the cause, and the runbook; whose it is from the rules of ownership. Derived from what was kept.

use std::fs::File;
use std::io::BufReader;

use gonogo_suite::cause;
use gonogo_suite::replay::{Replay, Replays};
use gonogo_suite::run::LogFailure;
use gonogo_suite::timeline::{self, About, Timeline};
use gonogo_suite::{Failure, Row, Summary, TargetResult};
use serde_json::{Value, json};

use super::analysing::{Beside, EVENTS};
use super::artifacts::RunDir;
use super::knowing::{Known, owner};
use crate::AppError;

/// Commands that show a target's failures again.
pub(super) struct Shown<'a> {
    /// Of each test that did not pass.
    pub(super) own: &'a [Replays],
    /// Of the whole target.
    pub(super) whole: &'a Replay,
}

/// The failure that a digest is of.
struct First<'a> {
    row: Option<&'a Row>,
    log: Option<&'a LogFailure>,
    failure: Option<&'a Failure>,
}

impl<'a> First<'a> {
    fn of(target: &'a TargetResult) -> Self {
        let row = target.bad.first();
        let log = target.first_failure.as_ref();
        let failure = row.and_then(|row| row.failure.as_ref());
        Self {
            row,
            log,
            failure: failure.or(log.map(|log| &log.found.failure)),
        }
    }

    fn assertion(&self) -> Option<Value> {
        let (row, log, failure) = (self.row, self.log, self.failure);
        // A row without a failure says nothing of its own; a log without one neither.
        if row.is_none() && log.is_none() {
            return None;
        }
        let named = log.and_then(|log| log.found.test.clone());
        let header = failure.and_then(|f| f.message.lines().next());
        let signature = row.and_then(|r| r.signature.clone());
        Some(json!({
            "test": row.map(|row| json!(row.test)).or(named.clone().map(Value::from)),
            "test_in_log": named,
            "location": failure.and_then(|f| f.location.clone()),
            "message": failure.map(|f| &f.message),
            "raw_header": log.map_or(header, |log| Some(log.found.header.as_str())),
            "signature": signature.or(log.map(|log| log.signature.clone())),
            "log": log.map(|log| &log.log),
            "log_line": log.map(|log| log.found.line),
            "rule": log.map(|log| &log.found.rule),
        }))
    }
}

/// `failure_digest.json`.
pub(super) fn digest(
    summary: &Summary,
    target: &TargetResult,
    replays: &Shown<'_>,
    events: usize,
    about: &Beside<'_>,
    known: &Known,
) -> Value {
    let home = target.tests_file.trim_end_matches("tests.jsonl");
    let first = First::of(target);
    let of_log = || first.log.map(|log| log.cause.clone());
    let cause = first.row.and_then(|row| row.cause.clone()).or_else(of_log);
    let class = cause.as_ref().map_or("unclassified", |c| c.word());
    let mut impacted: Vec<String> = target.bad.iter().map(|r| r.test.to_string()).collect();
    let named = first.log.and_then(|log| log.found.test.clone());
    impacted.extend(named);
    if impacted.is_empty() {
        impacted.push(target.target.clone());
    }
    let summary_of = first
        .failure
        .zip(cause.as_ref())
        .map(|(failure, cause)| cause::remediation(failure, cause, &known.rules));
    let whose = match first.row {
        Some(row) => known.owners.row(target, row),
        None => known.owners.target(target),
    };
    let advice = advice(summary, target, &first, known);
    let mut rerun = about.program.clone();
    rerun.extend(["suite", "run", "--suite", &target.target].map(str::to_owned));
    let (own, whole) = (replays.own, replays.whole);
    json!({
        "schema": "gonogo.suite.failure-digest.v1",
        "generated_at": summary.timestamp,
        "correlation_id": summary.correlation_id,
        "suite": target.target,
        "class": target.class,
        "exit_code": target.exit_code,
        "end": target.end,
        "root_cause_class": class,
        "impacted_scenario_ids": impacted,
        "first_failing_assertion": first.assertion(),
        "owner": owner(whose.as_ref()),
        "problems": target.problems,
        "remediation_pointer": {
            "class": class,
            "rule": first.failure.and_then(|f| cause::ruled(f, &known.rules)).map(|r| &r.id),
            "summary": summary_of,
            "runbook": advice,
            "replay_command": own.first().map_or(whole, |r| r.best()).shell,
            "suite_replay_command": own.first().and_then(|r| r.suite.as_ref()).map(|r| &r.shell),
            "targeted_test_replay_command": own.first().and_then(|r| r.test.as_ref()).map(|r| &r.shell),
            "target_replay_command": whole.shell,
            "rerun_hint": rerun,
        },
        "artifact_paths": {
            "result_json": format!("{home}result.json"),
            "output_log": target.log_file,
            "test_log_jsonl": target.test_log_jsonl,
            "artifact_index_jsonl": target.artifact_index_jsonl,
            "timeline_jsonl": format!("{home}failure_timeline.jsonl"),
            "tests_jsonl": target.tests_file,
            "runner_summary_json": "summary.json",
        },
        "timeline": {
            "schema": timeline::SCHEMA,
            "path": format!("{home}failure_timeline.jsonl"),
            "event_count": events,
        },
    })
}

/// What the runbook says of the first failure. One that only the log shows is asked for as the target's.
fn advice(
    summary: &Summary,
    target: &TargetResult,
    first: &First<'_>,
    known: &Known,
) -> Vec<Value> {
    if let Some(row) = first.row {
        return known.advice(summary, row);
    }
    let Some(log) = first.log else {
        return Vec::new();
    };
    let test = log.found.test.as_deref().unwrap_or("(log)");
    known.advice(summary, &log.row(&target.target, test))
}

/// The events of a target.
///
/// # Errors
/// A log that cannot be read.
pub(super) fn events(
    dir: &RunDir,
    summary: &Summary,
    target: &TargetResult,
) -> Result<Vec<timeline::Event>, AppError> {
    let mut timeline = Timeline::new(About {
        correlation_id: &summary.correlation_id,
        suite: &target.target,
        began: Some(summary.started_at),
        most: EVENTS,
    });
    let text = format!("{}: {}", target.target, target.status);
    timeline.summary(
        timeline::EventKind::SuiteFailureSummary,
        &text,
        Some(target.timestamp),
    );
    for (path, is_log) in [(&target.log_file, false), (&target.test_log_jsonl, true)] {
        let path = dir.at(path);
        let fault = |e: std::io::Error| AppError::io("read", &path, &e);
        let mut source = match File::open(&path) {
            Ok(file) => BufReader::new(file),
            // What could not be redacted was not kept, and the target says so.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(fault(e)),
        };
        match is_log {
            true => timeline.test_log(&mut source),
            false => timeline.output(&mut source),
        }
        .map_err(fault)?;
        if let Some(shown) = target.first_failure.as_ref().filter(|_| !is_log) {
            timeline.found(shown, shown.log == target.log_file);
        }
    }
    Ok(timeline.end())
}
