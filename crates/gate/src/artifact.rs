//! What all artifacts of the gate share: a schema, strict reading, canonical bytes, and a check that finds contradictions.
//!
//! Invariants: an artifact with an unknown field, a key that stands twice, or another schema is not read; what is read is not believed until
//! [`Artifact::check`] finds nothing.

use gonogo_core::{Digest, canonical};
use gonogo_suite::run::Problem;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Most bytes of an artifact.
pub const LARGEST: usize = 64 << 20;

/// Why an artifact cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// It is too large.
    #[error("the artifact has more than {LARGEST} bytes")]
    TooLarge,
    /// It is not JSON with one reading, or not of this shape.
    #[error("the artifact is no `{schema}`: {why}")]
    Shape {
        /// What was expected.
        schema: &'static str,
        /// Why it is not.
        why: String,
    },
    /// It is of another schema.
    #[error("the artifact has the schema `{found}`, expected `{schema}`")]
    Schema {
        /// What was expected.
        schema: &'static str,
        /// What it says.
        found: String,
    },
}

/// A file that the gate writes and reads.
pub trait Artifact: Serialize + DeserializeOwned {
    /// Its schema.
    const SCHEMA: &'static str;

    /// Where it contradicts itself; empty if it does not.
    fn check(&self) -> Vec<Problem>;

    /// Reads it; contradictions are [`Artifact::check`]'s.
    ///
    /// # Errors
    /// [`ArtifactError`] says what is wrong with the bytes.
    fn read(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let schema = Self::SCHEMA;
        if bytes.len() > LARGEST {
            return Err(ArtifactError::TooLarge);
        }
        let shape = |why: String| ArtifactError::Shape { schema, why };
        let value = canonical::parse(bytes).map_err(|e| shape(e.to_string()))?;
        match value.get("schema").and_then(serde_json::Value::as_str) {
            Some(found) if found == schema => {}
            Some(found) => {
                let found = found.chars().take(80).collect();
                return Err(ArtifactError::Schema { schema, found });
            }
            None => return Err(shape("it has no `schema`".to_owned())),
        }
        serde_json::from_value(value).map_err(|e| shape(e.to_string()))
    }

    /// Its canonical bytes.
    ///
    /// # Errors
    /// Where a number has no canonical form.
    fn to_bytes(&self) -> Result<Vec<u8>, canonical::CanonicalError> {
        canonical::to_vec(self)
    }

    /// Of its canonical bytes; absent if there are none.
    fn digest(&self) -> Option<Digest> {
        self.to_bytes().ok().map(|bytes| Digest::of(&bytes))
    }
}
