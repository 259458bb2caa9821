//! Evidence beside the logs: the decision diary, performance telemetry, and what the configuration declares.
//!
//! Everything comes as bytes of any content and size. Invariant: what cannot be read is a finding with its path and place, and
//! never a pass; memory is bounded.

use std::collections::BTreeMap;
use std::io::Read;

use gonogo_core::Timestamp;
use serde_json::Value;

use crate::sign_off::Finding;
use crate::{Status, stamp};

mod declared;
mod diary;
mod performance;
mod scan;
mod strict;

pub use declared::declared;
pub use diary::{DiaryRules, diary};
pub use performance::{PerformanceRules, performance};

/// How far evidence may be from the ends of the window, milliseconds.
pub const COVERAGE_TOLERANCE: i64 = 15 * 60 * 1000;

/// How far ahead of the judgement evidence may be dated, milliseconds.
pub const AHEAD: i64 = 60_000;

/// An evidence file.
pub struct Input<'a> {
    /// Where it is, for findings.
    pub path: &'a str,
    /// Its bytes; none if there is no file.
    pub source: Option<Box<dyn Read + 'a>>,
}

/// The stretch of time that evidence must cover: the run's, or from the first to the last record of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
}

/// Makes a finding about a file.
pub(crate) fn finding(
    severity: Status,
    code: &str,
    path: &str,
    message: impl Into<String>,
) -> Finding {
    Finding {
        severity,
        message: message.into(),
        code: code.to_owned(),
        accepted: None,
        metadata: BTreeMap::from([("path".to_owned(), Value::from(path))]),
    }
}

fn unreadable(label: &str, path: &str, problem: &scan::Problem) -> Finding {
    let place = if problem.line > 0 {
        format!("line {}, byte {}", problem.line, problem.at)
    } else {
        format!("byte {}", problem.at)
    };
    let text = format!(
        "{label} ({path}) cannot be read at {place}: {}",
        problem.reason
    );
    let mut found = finding(Status::Fail, "evidence_unreadable", path, text);
    found.metadata.insert("byte".to_owned(), problem.at.into());
    found
        .metadata
        .insert("line".to_owned(), problem.line.into());
    found
        .metadata
        .insert("reason".to_owned(), problem.reason.clone().into());
    found
}

/// Reads a time: a string in one of the usual forms, or a number of seconds or finer since 1970.
fn time_of(value: &Value) -> Option<Timestamp> {
    let nanos = match value {
        Value::String(text) => stamp::whole(text.as_bytes())?,
        Value::Number(number) => stamp::number(number.to_string().as_bytes())?,
        _ => return None,
    };
    Some(Timestamp::from_millis(nanos.div_euclid(1_000_000)))
}

/// Names of an entry's time, in the order in which they are tried.
const TIMES: [&str; 5] = ["recorded_at", "generated_at", "timestamp", "time", "ts"];

/// Returns the time of an entry: at `pointer`, or under one of the usual names.
fn entry_time(entry: &Value, pointer: Option<&str>) -> Option<Timestamp> {
    match pointer {
        Some(pointer) => entry.pointer(pointer).and_then(time_of),
        None => TIMES
            .iter()
            .find_map(|name| entry.get(name).and_then(time_of)),
    }
}

#[cfg(test)]
mod tests;
