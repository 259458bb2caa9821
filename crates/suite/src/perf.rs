//! Performance: is a change dearer than what it replaces, is a figure within its budget, did a level move, may a study be relied on?
//!
//! Everything here judges what somebody measured (`gonogo-exec` measures commands). Invariants: no data, too few, stale or foreign
//! data, and figures that are no numbers never pass, each with a reason of its own; time is the sample's own; the same samples give the
//! same bytes; nothing is muted by its name.
//!
//! - [`judge`]: base against head, interleaved on one host, with the noise of the same measurement beside it.
//! - [`budget`]: absolute limits, with direction, freshness, host class and tolerance.
//! - [`comparison`]: two sets of figures, beside each other.
//! - [`stress`]: what a load left; [`study`]: sweeps and opportunities.
//! - [`history`]: where a series over commits changed its level.

pub mod budget;
pub mod comparison;
pub mod history;
mod judgement;
mod measurement;
mod metric;
mod protocol;
pub mod stress;
pub mod study;

pub use judgement::{Calibration, Effect, Look, Outcome, PerfVerdict, judge, rederive};
pub use measurement::{Demand, MOST_SAMPLES, Measurement, Sample};
pub use metric::{Direction, Statistic};
pub use protocol::{Next, Protocol, RUNS_OF_A_BLOCK, Side, Stage, next};

/// What cannot be read or makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PerfError {
    /// A file cannot be understood.
    #[error("{what} cannot be read: {why}; correct it or write it again")]
    Unreadable {
        /// What kind of file.
        what: &'static str,
        /// The reason, with the place.
        why: String,
    },
    /// A rule makes no sense.
    #[error("`{field}` of {of} is refused: {why}; correct it in the policy")]
    Rule {
        /// The field.
        field: &'static str,
        /// Whose field.
        of: String,
        /// What is wrong.
        why: &'static str,
    },
}

/// Most bytes of a file that is read here.
pub const MOST_BYTES: usize = 16 << 20;

/// Reads a file strictly: one JSON value, each key once, no field that is not known, `schema` as given.
fn read<T: serde::de::DeserializeOwned>(
    what: &'static str,
    schema: &str,
    bytes: &[u8],
) -> Result<T, PerfError> {
    let unreadable = |why: String| PerfError::Unreadable { what, why };
    if bytes.len() > MOST_BYTES {
        return Err(unreadable(format!("it has more than {MOST_BYTES} bytes")));
    }
    let value = gonogo_core::canonical::parse(bytes).map_err(|e| unreadable(e.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(found) if found == schema => {}
        Some(found) => {
            let found: String = found.chars().take(80).collect();
            return Err(unreadable(format!(
                "its schema is `{found}`, not `{schema}`"
            )));
        }
        None => {
            return Err(unreadable(format!(
                "it has no schema; `{schema}` is expected"
            )));
        }
    }
    serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))
}
