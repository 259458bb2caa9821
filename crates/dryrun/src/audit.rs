//! The audit: what the logs show, computed again from their bytes. Streaming, in parallel, in bounded memory.
//!
//! [`logs`] reads somebody's files (`--log`); [`captured`] reads a run's raw bytes by their index. Both use the one classifier, and
//! both find the same whatever the number of threads and wherever the cuts are.

use crate::spec::{Gaps, HeartbeatSpec, Lines};
use crate::stamp;

pub mod captured;
pub mod coverage;
mod kept;
mod logs;
mod parallel;
pub mod rate;
mod reader;
pub(crate) mod records;
mod report;
mod source;
mod tally;
mod unpack;
mod wrapper;

pub use logs::logs;
pub(crate) use report::{BlindTimes, Clock, logs as report};
pub use source::ReadAt;

/// How the lines of logs are to be read (`--format`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON where a line is a JSON object, else text; our own views are told by their first line.
    #[default]
    Auto,
    /// JSON lines: others are counted as ignored, but still searched for traces.
    Jsonl,
    /// Text.
    Text,
}

/// A log.
pub struct LogFile<'a> {
    /// Its path, for findings.
    pub name: String,
    /// Its bytes.
    pub source: &'a dyn ReadAt,
}

/// Keeps what was read of a part of a log, so that it need not be read again. Whoever keeps it must keep it from others' hands: what
/// is loaded is believed.
pub trait Cache: Sync {
    /// Returns what was stored under `key`.
    fn load(&self, key: &gonogo_core::Digest) -> Option<Vec<u8>>;

    /// Stores the summary of a part: of its bytes, the classifier's version and the rules, which `key` is the digest of.
    fn store(&self, key: &gonogo_core::Digest, summary: &[u8]);
}

/// What logs are judged by.
#[derive(Debug, Clone)]
pub struct LogRules {
    /// How lines are judged.
    pub lines: Lines,
    /// Silences.
    pub gaps: Gaps,
    /// The declared heartbeat.
    pub heartbeat: Option<HeartbeatSpec>,
    /// How lines are read.
    pub format: Format,
    /// When it is judged: the year of times that name none is the one in which they are not in the future.
    pub judged_at: Option<gonogo_core::Timestamp>,
}

impl LogRules {
    fn reading(&self) -> reader::Rules {
        reader::Rules {
            lines: self.lines.clone(),
            heartbeat: self.heartbeat.clone(),
            year: self
                .judged_at
                .map(|at| stamp::year_of(at.as_millis().saturating_mul(1_000_000))),
            join: join(&self.gaps, self.heartbeat.as_ref()),
        }
    }
}

/// Reads `source` from its beginning to its end.
pub(crate) fn reader_of(source: &dyn ReadAt, size: u64) -> impl std::io::Read + '_ {
    source::From::new(source, 0, size)
}

/// The shortest silence that must be told from others: nanoseconds.
fn join(gaps: &Gaps, heartbeat: Option<&HeartbeatSpec>) -> i64 {
    let beat = heartbeat.map_or(f64::INFINITY, |h| h.period_seconds * h.tolerance.max(1.0));
    (gaps.warn_seconds.min(beat) * 1e9).clamp(0.0, 9e17) as i64
}

#[cfg(test)]
mod tests;
