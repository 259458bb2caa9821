//! Events of a run, a line each: `test-log.jsonl`, one for the run and one for each target.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use gonogo_core::{Clock, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::AppError;
use crate::workspace::{make_dir, parent};

/// A line.
#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: &'static str,
    #[serde(rename = "type")]
    kind: &'a str,
    trace_id: &'a str,
    seq: u64,
    ts: Timestamp,
    t_ms: u64,
    level: &'a str,
    category: &'a str,
    message: &'a str,
    ci_correlation_id: &'a str,
    #[serde(skip_serializing_if = "Value::is_null")]
    data: Value,
}

/// Writes events.
pub struct Events {
    file: File,
    path: std::path::PathBuf,
    trace: String,
    correlation: String,
    clock: Arc<dyn Clock>,
    began: u64,
    seq: u64,
}

impl Events {
    /// The schema of a line.
    pub const SCHEMA: &'static str = "gonogo.test.log.v2";

    /// Begins a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(
        path: &Path,
        trace: &str,
        correlation: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, AppError> {
        make_dir(parent(path))?;
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| AppError::io("write", path, &e))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            trace: trace.to_owned(),
            correlation: correlation.to_owned(),
            clock: Arc::clone(clock),
            began: clock.now().mono_ms,
            seq: 0,
        })
    }

    /// Writes one.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn tell(
        &mut self,
        level: &str,
        category: &str,
        message: &str,
        data: Value,
    ) -> Result<(), AppError> {
        let now = self.clock.now();
        self.seq += 1;
        let line = Line {
            schema: Self::SCHEMA,
            kind: "log",
            trace_id: &self.trace,
            seq: self.seq,
            ts: now.wall,
            t_ms: now.mono_ms.saturating_sub(self.began),
            level,
            category,
            message,
            ci_correlation_id: &self.correlation,
            data,
        };
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        self.file
            .write_all(&bytes)
            .map_err(|e| AppError::io("write", &self.path, &e))
    }
}
