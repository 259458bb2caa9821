//! A stored verdict, derived again from its stored inputs.

use gonogo_core::canonical::{self, CanonicalError};

use crate::inputs::Inputs;
use crate::judge::judge;
use crate::verdict::{RULES, Verdict};

/// Why a verdict is not the one that follows from its inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RederiveError {
    /// The inputs cannot be read.
    #[error("the stored inputs cannot be read: {0}; ask for them again")]
    Inputs(String),
    /// The verdict cannot be read.
    #[error("the stored verdict cannot be read: {0}; ask for it again")]
    Verdict(String),
    /// It was made by other rules than these.
    #[error(
        "the verdict was made by version {found} of the rules, and this is version {RULES}; use the version that made it"
    )]
    OtherRules {
        /// The verdict's.
        found: u32,
    },
    /// Another verdict follows.
    #[error(
        "another verdict follows from the inputs: {derived}, and {stored} is stored{at}; do not trust the stored one"
    )]
    Differs {
        /// As it is stored.
        stored: gonogo_core::Verdict,
        /// As it follows.
        derived: gonogo_core::Verdict,
        /// The first gate that differs.
        at: String,
    },
}

impl Inputs {
    /// The canonical bytes: the form that is stored and whose digest a verdict names.
    ///
    /// # Errors
    /// Where a number has no canonical form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_vec(self)
    }

    /// Reads stored inputs.
    ///
    /// # Errors
    /// Where they are not admissible JSON, or of another form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RederiveError> {
        let value = canonical::parse(bytes).map_err(|e| RederiveError::Inputs(e.to_string()))?;
        serde_json::from_value(value).map_err(|e| RederiveError::Inputs(e.to_string()))
    }
}

/// Derives a verdict again from its stored inputs and compares byte by byte.
///
/// # Errors
/// What cannot be read, or where the two differ.
pub fn rederive(inputs: &[u8], verdict: &[u8]) -> Result<Verdict, RederiveError> {
    let inputs = Inputs::from_bytes(inputs)?;
    let unreadable = |why: String| RederiveError::Verdict(why);
    let value = canonical::parse(verdict).map_err(|e| unreadable(e.to_string()))?;
    // Read before the whole: another version's verdict may have another form.
    let rules = value.get("rules").and_then(serde_json::Value::as_u64);
    let rules = rules.and_then(|n| u32::try_from(n).ok());
    if let Some(found) = rules.filter(|n| *n != RULES) {
        return Err(RederiveError::OtherRules { found });
    }
    let stored: Verdict = serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))?;
    let derived = judge(&inputs);
    let bytes = derived.to_bytes().map_err(|e| unreadable(e.to_string()))?;
    if bytes == verdict {
        return Ok(derived);
    }
    let gate = derived
        .gates
        .iter()
        .find(|gate| stored.gate(&gate.id) != Some(gate));
    Err(RederiveError::Differs {
        stored: stored.verdict,
        derived: derived.verdict,
        at: gate.map_or(String::new(), |g| format!(", first at the gate `{}`", g.id)),
    })
}
