//! Reads reports, also those of older harnesses: what they spell otherwise is put right, what cannot be read is left out and said.
//!
//! Invariant: a report of which a part could not be read is never better than `invalid`, unless that part is only what its operator noted.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::summary::{Report, RunFacts};
use crate::{Incident, Status};

/// Largest report that is read, bytes.
pub const LIMIT: usize = 256 << 20;

/// Why a report cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Too large.
    #[error(
        "the report has {0} bytes, more than the {LIMIT} that are read; is it really a summary.json?"
    )]
    TooLarge(usize),
    /// Not JSON.
    #[error("the report is not JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// JSON, but no report.
    #[error(
        "this is JSON but no report of a dry run: {0}; a report has `status` and `summary` (the summary.json of a run, or what --json-report wrote)"
    )]
    NoReport(String),
}

/// A report, and what had to be left out or put elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// The report.
    pub report: Report,
    /// One sentence for each part that could not be read.
    pub notes: Vec<String>,
}

/// Names of [`RunFacts`]' fields; everything else in an older report's metadata came from its operator.
const FACTS: &[&str] = &[
    "log_paths",
    "diary_path",
    "performance_path",
    "command",
    "run_id",
    "started_at",
    "ended_at",
    "exit_code",
    "target_duration_seconds",
    "actual_duration_seconds",
    "timed_out",
    "log_path",
    "raw_log_path",
    "structured_log_paths",
    "raw_log_paths",
    "harness_incidents",
    "log_line_counts",
    "log_level_counts",
    "log_total_lines",
    "progress_path",
    "resource_monitor",
    "classifier",
    "user",
];

/// Reads a report.
///
/// # Errors
/// Bytes that are no JSON, or JSON that is no report at all.
pub fn read(bytes: &[u8]) -> Result<Read, ReadError> {
    if bytes.len() > LIMIT {
        return Err(ReadError::TooLarge(bytes.len()));
    }
    let mut value: Value = serde_json::from_slice(bytes).map_err(ReadError::Json)?;
    tidy(&mut value, "");
    let mut notes = Vec::new();
    let Some(root) = value.as_object_mut() else {
        return Err(ReadError::NoReport("it is no object".to_owned()));
    };
    if !root.get("summary").is_some_and(Value::is_object) {
        return Err(ReadError::NoReport("it has no `summary`".to_owned()));
    }
    let mut lost = false;
    incidents(root, "incidents", &mut notes, &mut lost);
    lost |= drop_part::<crate::sign_off::SignOff>(root, "sign_off", "sign_off", &mut notes);
    for key in ["generated_at", "started_at", "ended_at"] {
        drop_part::<gonogo_core::Timestamp>(root, key, key, &mut notes);
    }
    let top = root
        .get("generated_at")
        .or_else(|| root.get("ended_at"))
        .cloned();
    let top_status = root.get("status").cloned();
    if let Some(summary) = root.get_mut("summary").and_then(Value::as_object_mut) {
        if !readable::<gonogo_core::Timestamp>(summary.get("generated_at")) {
            let Some(top) = top else {
                return Err(ReadError::NoReport(
                    "neither it nor its summary says when it was made".to_owned(),
                ));
            };
            summary.insert("generated_at".to_owned(), top);
        }
        if !readable::<Status>(summary.get("status")) {
            notes.push("summary.status is missing or no status".to_owned());
            summary.insert("status".to_owned(), json!("invalid"));
            lost = true;
        }
        for (key, dropped) in [
            (
                "logs",
                drop_part::<crate::summary::Logs>(summary, "logs", "summary.logs", &mut notes),
            ),
            (
                "diary",
                drop_part::<crate::summary::Diary>(summary, "diary", "summary.diary", &mut notes),
            ),
            (
                "performance",
                drop_part::<crate::summary::Performance>(
                    summary,
                    "performance",
                    "summary.performance",
                    &mut notes,
                ),
            ),
        ] {
            if dropped {
                unreadable(summary, key);
                lost = true;
            }
        }
        if let Some(metadata) = summary.get_mut("metadata").and_then(Value::as_object_mut) {
            facts(metadata, &mut notes, &mut lost);
        } else {
            summary.remove("metadata");
        }
    }
    if !readable::<Status>(top_status.as_ref()) {
        // Older harness reports always state it; one that does not is judged by its parts.
        let status = root
            .get("summary")
            .and_then(|summary| summary.get("status"))
            .cloned()
            .unwrap_or(json!("invalid"));
        if top_status.is_some() {
            notes.push("status is no status".to_owned());
            lost = true;
        }
        root.insert("status".to_owned(), status);
    }
    let mut report: Report =
        serde_json::from_value(value).map_err(|error| ReadError::NoReport(error.to_string()))?;
    if lost {
        report.status = report.status.max(Status::Invalid);
    }
    Ok(Read { report, notes })
}

fn readable<T: DeserializeOwned>(value: Option<&Value>) -> bool {
    value.is_some_and(|value| serde_json::from_value::<T>(value.clone()).is_ok())
}

/// Takes a part away that cannot be read, and says so.
fn drop_part<T: DeserializeOwned>(
    object: &mut Map<String, Value>,
    key: &str,
    path: &str,
    notes: &mut Vec<String>,
) -> bool {
    let Some(part) = object.get(key) else {
        return false;
    };
    let Err(error) = serde_json::from_value::<T>(part.clone()) else {
        return false;
    };
    notes.push(format!("{path} cannot be read and is left out: {error}"));
    object.remove(key);
    true
}

fn unreadable(summary: &mut Map<String, Value>, key: &str) {
    let list = summary.entry("unreadable").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut() {
        list.push(json!({
            "severity": "invalid",
            "message": format!("the report's `summary.{key}` cannot be read"),
            "code": "report_part_unreadable",
        }));
    }
}

fn incidents(object: &mut Map<String, Value>, key: &str, notes: &mut Vec<String>, lost: &mut bool) {
    let Some(value) = object.get_mut(key) else {
        return;
    };
    let Some(list) = value.as_array_mut() else {
        notes.push(format!("{key} is no list and is left out"));
        *lost = true;
        object.remove(key);
        return;
    };
    let before = list.len();
    list.retain(|incident| readable::<Incident>(Some(incident)));
    if list.len() < before {
        notes.push(format!(
            "{} of {before} {key} cannot be read and are left out",
            before - list.len()
        ));
        *lost = true;
    }
}

/// Sorts an older report's metadata: what we know by type stays, all else goes to `user`.
fn facts(metadata: &mut Map<String, Value>, notes: &mut Vec<String>, lost: &mut bool) {
    let mut user = match metadata.remove("user") {
        Some(Value::Object(user)) => user,
        _ => Map::new(),
    };
    incidents(metadata, "harness_incidents", notes, lost);
    let keys: Vec<String> = metadata.keys().cloned().collect();
    for key in keys {
        let alone = json!({ key.as_str(): metadata[&key] });
        let known = FACTS.contains(&key.as_str());
        if known && serde_json::from_value::<RunFacts>(alone).is_ok() {
            continue;
        }
        if let Some(value) = metadata.remove(&key) {
            if known {
                // In older reports the operator's words overwrite what was measured.
                notes.push(format!("summary.metadata.{key} is not what the harness writes there; taken as the operator's"));
            }
            user.insert(key, value);
        }
    }
    if !user.is_empty() {
        metadata.insert("user".to_owned(), Value::Object(user));
    }
}

/// Removes nulls, spells statuses in lower case and gives times without a zone the one that was meant, UTC.
fn tidy(value: &mut Value, key: &str) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            for (key, value) in map.iter_mut() {
                tidy(value, key);
            }
        }
        Value::Array(list) => {
            for value in list {
                tidy(value, key);
            }
        }
        Value::String(text) => {
            let time = key.ends_with("_at") || key.ends_with("_timestamp") || key == "period_start";
            if time && text.parse::<gonogo_core::Timestamp>().is_err() {
                let zoned = format!("{}Z", text.replacen(' ', "T", 1));
                if zoned.len() < 40 && zoned.parse::<gonogo_core::Timestamp>().is_ok() {
                    *text = zoned;
                }
            }
            if (key == "status" || key == "severity") && text.len() < 16 {
                *text = text.to_ascii_lowercase();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape that the older harness writes.
    const OLDER: &str = r#"{
      "status": "WARN", "command": ["python", "main.py"], "run_directory": "/r", "log_directory": "/r/logs",
      "generated_at": "2025-03-01T12:00:00.123456+00:00", "started_at": "2025-02-26 12:00:00", "duration_seconds": 259201.5,
      "evidence_packet": null, "wrap_up": null,
      "summary": {"generated_at": "2025-03-01T12:00:00+00:00", "status": "warn", "diary": null,
        "metadata": {"log_paths": ["/r/logs/a.jsonl"], "exit_code": "zero", "ticket": "OPS-1", "log_total_lines": 12,
          "resource_monitor": {"enabled": false, "reason": "monitor_unavailable", "interval_seconds": null, "thresholds": {"max_cpu_percent": null}, "samples": 0}},
        "logs": {"ignored_lines": 0, "level_counts": {"info": 12}, "event_counts": {}, "gap_incidents": [], "content_incidents": [], "warnings": [
            {"severity": "warn", "occurred_at": "2025-02-27T12:00:00+00:00", "summary": "slow", "metadata": {}}], "errors": [], "status": "warn"}},
      "sign_off": {"evaluated_at": "2025-03-01T12:00:00+00:00", "status": "warn", "criteria": {"minimum_duration_seconds": 259200.0, "minimum_uptime_ratio": 0.98,
        "require_diary": true, "require_performance": true, "allow_warnings": false, "minimum_sharpe_ratio": null}, "findings": [
        {"severity": "warn", "message": "logs have warnings", "metadata": {}}]},
      "incidents": [{"severity": "warn", "occurred_at": "2025-02-27T12:00:00+00:00", "message": "slow"}]
    }"#;

    #[test]
    fn an_older_report_is_read_whole() {
        let read = read(OLDER.as_bytes()).unwrap();
        assert_eq!(read.report.status, Status::Warn);
        assert_eq!(read.report.incidents.len(), 1);
        assert_eq!(read.report.summary.metadata.user["ticket"], json!("OPS-1"));
        assert_eq!(
            read.report.summary.metadata.user["exit_code"],
            json!("zero")
        );
        assert_eq!(read.report.summary.metadata.exit_code, None);
        assert_eq!(read.notes.len(), 1, "{:?}", read.notes);
        assert_eq!(
            read.report.started_at.unwrap().to_string(),
            "2025-02-26T12:00:00.000Z"
        );
    }

    #[test]
    fn a_part_that_cannot_be_read_is_never_a_pass() {
        let broken = OLDER.replace("\"ignored_lines\": 0", "\"ignored_lines\": \"none\"");
        let read = read(broken.as_bytes()).unwrap();
        assert_eq!(read.report.status, Status::Invalid);
        assert!(read.report.summary.logs.is_none());
        assert_eq!(read.report.summary.unreadable.len(), 1);
        assert!(
            read.notes
                .iter()
                .any(|note| note.starts_with("summary.logs ")),
            "{:?}",
            read.notes
        );
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "{\"summary\": 3}",
            "{\"summary\": {\"status\": \"pass\"}}",
            "\u{feff}{}",
        ] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let strange = r#"{"status": "great", "summary": {"generated_at": "2025-03-01T12:00:00Z", "status": "pass"}}"#;
        assert_eq!(
            read(strange.as_bytes()).unwrap().report.status,
            Status::Invalid
        );
    }
}
