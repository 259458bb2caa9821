//! One gate of a verdict, told: what it asks, what was shown, why it came to what it is, and what to do.

use gonogo_core::{Reason, Verdict as Status};
use serde::{Deserialize, Serialize};

use crate::verdict::{GateResult, Verdict};

/// A gate, told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// The gate.
    pub gate: GateResult,
    /// Whether the verdict is as it is because of it.
    pub decides: bool,
    /// Each reason once, with its meaning and what to do next.
    pub codes: Vec<Meaning>,
}

/// A reason's entry in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    /// The reason.
    pub code: Reason,
    /// What it is.
    pub meaning: String,
    /// What to do.
    pub next: String,
}

/// What cannot be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the verdict has no gate `{id}`{hint}; it has: {known}")]
pub struct UnknownGate {
    id: String,
    hint: String,
    known: String,
}

/// Explains one gate of a verdict.
///
/// # Errors
/// [`UnknownGate`] with the nearest id.
pub fn explain(verdict: &Verdict, id: &str) -> Result<Explanation, UnknownGate> {
    let Some(gate) = verdict.gate(id) else {
        let ids: Vec<&str> = verdict.gates.iter().map(|g| g.id.as_str()).collect();
        let near = gonogo_core::near::nearest(id, ids.iter().copied());
        return Err(UnknownGate {
            id: id.to_owned(),
            hint: near.map_or(String::new(), |n| format!(" (did you mean `{n}`?)")),
            known: ids.join(", "),
        });
    };
    let of_obligations = gate.obligations.iter().flat_map(|o| &o.reasons);
    let mut codes: Vec<Reason> = of_obligations
        .chain(&gate.reasons)
        .map(|t| t.code)
        .collect();
    codes.sort_by_key(|code| (std::cmp::Reverse(code.verdict()), code.code()));
    codes.dedup();
    Ok(Explanation {
        gate: gate.clone(),
        decides: gate.blocking && gate.status == verdict.verdict && gate.status > Status::Pass,
        codes: codes
            .into_iter()
            .map(|code| Meaning {
                code,
                meaning: code.meaning().to_owned(),
                next: code.next_action().to_owned(),
            })
            .collect(),
    })
}
