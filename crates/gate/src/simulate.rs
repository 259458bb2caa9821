//! What would be if: another time, another lane, an excuse that is gone.

use gonogo_core::{Timestamp, Verdict as Status};
use serde::{Deserialize, Serialize};

use crate::inputs::{ExcuseFile, FileState, Inputs};
use crate::judge::judge;
use crate::policy::Lane;
use crate::verdict::{Asked, Told, Verdict};

/// The schema.
pub const SCHEMA: &str = "gonogo.gate.simulation.v1";

/// What is supposed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suppose {
    /// Another time.
    pub at: Option<Timestamp>,
    /// Another lane.
    pub lane: Option<Lane>,
    /// Waivers that are gone, by gate.
    pub without_waivers: Vec<String>,
    /// Whether all quarantines are gone.
    pub without_quarantines: bool,
    /// Another policy, as if the base had it too.
    pub policy: Option<String>,
}

/// What could not be supposed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    /// There is no such waiver.
    #[error("there is no waiver of `{0}` that could be taken away; look at the verdict's waivers")]
    NoWaiver(String),
    /// The file cannot be read.
    #[error("the waivers cannot be read, so none can be taken away: {0}; mend the file first")]
    Unreadable(String),
}

/// A gate that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The gate.
    pub gate_id: String,
    /// Whether the verdict hangs on it.
    pub blocking: bool,
    /// As it is; absent if it is not asked.
    pub from: Option<Status>,
    /// As it would be; absent if it would not be asked.
    pub to: Option<Status>,
    /// Why.
    pub reasons: Vec<Told>,
}

/// What would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulation {
    /// [`SCHEMA`].
    pub schema: String,
    /// As it is.
    pub from: Status,
    /// As it would be.
    pub to: Status,
    /// The gates that would change.
    pub changes: Vec<Change>,
    /// The whole verdict as it would be.
    pub verdict: Verdict,
}

/// Judges the inputs as they are and as they would be.
///
/// # Errors
/// Where what is to be taken away is not there.
pub fn simulate(inputs: &Inputs, suppose: &Suppose) -> Result<Simulation, SimulateError> {
    let mut other = inputs.clone();
    if let Some(at) = suppose.at {
        other.now = at;
    }
    if let Some(lane) = suppose.lane {
        other.lane = lane.word().to_owned();
    }
    for gate in &suppose.without_waivers {
        take(&mut other.waivers, gate)?;
    }
    if suppose.without_quarantines {
        other.quarantine.state = FileState::Absent;
    }
    if let Some(text) = &suppose.policy {
        other.policy.state = FileState::Text { text: text.clone() };
        other.policy.base = crate::inputs::Base::Same;
    }
    let (was, is) = (judge(inputs), judge(&other));
    let status = |verdict: &Verdict, id: &str| {
        let gate = verdict.gate(id).filter(|g| g.asked == Asked::Judged);
        gate.map(|g| g.status)
    };
    let mut ids: Vec<(&str, bool)> = Vec::new();
    for gate in is.gates.iter().chain(&was.gates) {
        if !ids.iter().any(|(id, _)| *id == gate.id) {
            ids.push((&gate.id, gate.blocking));
        }
    }
    let changes = ids
        .into_iter()
        .filter_map(|(id, blocking)| {
            let (from, to) = (status(&was, id), status(&is, id));
            (from != to).then(|| Change {
                gate_id: id.to_owned(),
                blocking,
                from,
                to,
                reasons: is.gate(id).map(|g| g.reasons.clone()).unwrap_or_default(),
            })
        })
        .collect();
    Ok(Simulation {
        schema: SCHEMA.to_owned(),
        from: was.verdict,
        to: is.verdict,
        changes,
        verdict: is,
    })
}

/// Takes a waiver out of a file. What is left stays as its base has it.
fn take(file: &mut ExcuseFile, gate: &str) -> Result<(), SimulateError> {
    let none = || SimulateError::NoWaiver(gate.to_owned());
    let FileState::Text { text } = &file.state else {
        return Err(none());
    };
    let parsed = |text: &str| {
        text.parse::<toml::Table>()
            .map_err(|e| SimulateError::Unreadable(e.message().to_owned()))
    };
    let mut table = parsed(text)?;
    let waivers = table.get_mut("waiver").and_then(|w| w.as_table_mut());
    waivers.and_then(|w| w.remove(gate)).ok_or_else(none)?;
    let before = std::mem::replace(
        &mut file.state,
        FileState::Text {
            text: table.to_string(),
        },
    );
    // The base still has what it had, the taken one included.
    if file.base == crate::inputs::BaseFile::Same
        && let FileState::Text { text } = before
    {
        file.base = crate::inputs::BaseFile::Other { text };
    }
    Ok(())
}
