//! Doubles that somebody answers for, for a time.

use gonogo_core::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::DoubleType;

/// The schema of the list.
pub const LIST: &str = "gonogo.gate.test-double-exceptions.v1";

/// How far ahead an exception may end.
pub const LONGEST: Span = Span::from_secs(90 * 86_400);

/// An exception. All nine fields are needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// The issue that will end it.
    pub issue: String,
    /// Who answers for it.
    pub owner: String,
    /// When it ends: at most [`LONGEST`] ahead.
    pub expires_at: Timestamp,
    /// What will stand in its place.
    pub replacement_plan: String,
    /// Files, by path.
    pub scope: Vec<String>,
    /// The double's name.
    pub double_identifier: String,
    /// What it is.
    pub double_type: DoubleType,
    /// Why it is needed.
    pub rationale: String,
    /// How somebody sees that it does not lie.
    pub verification: String,
}

/// Exceptions: `[[exception]]` in TOML.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    /// [`LIST`].
    pub schema: String,
    /// All of them.
    #[serde(default)]
    pub exception: Vec<Allowed>,
}

/// A list that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the exceptions of test doubles cannot be read: {0}")]
pub struct AllowError(String);

impl Default for AllowList {
    /// None.
    fn default() -> Self {
        Self {
            schema: LIST.to_owned(),
            exception: Vec::new(),
        }
    }
}

impl AllowList {
    /// Reads TOML. Whether its entries hold is judged when they are used.
    ///
    /// # Errors
    /// [`AllowError`]: unknown or absent keys, another schema.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        if text.len() > 4 << 20 {
            return Err(AllowError("the file is too large".to_owned()));
        }
        let read: Self = toml::from_str(text).map_err(|e| AllowError(e.to_string()))?;
        if read.schema != LIST {
            let text = format!("the schema is `{}`, expected `{LIST}`", read.schema);
            return Err(AllowError(text));
        }
        Ok(read)
    }

    /// What is wrong with the entries; an entry that ended is wrong too.
    pub(super) fn problems(&self, now: Timestamp) -> Vec<String> {
        let faults = self.exception.iter().enumerate();
        faults
            .filter_map(|(n, a)| Some(format!("exception {}: {}", n + 1, a.fault(now)?)))
            .take(100)
            .collect()
    }

    /// The exception that covers a double.
    pub(super) fn covering(
        &self,
        file: &str,
        name: &str,
        kind: DoubleType,
        now: Timestamp,
    ) -> Option<&Allowed> {
        self.exception.iter().find(|a| {
            a.double_identifier == name
                && a.double_type == kind
                && a.scope.iter().any(|path| path == file)
                && a.fault(now).is_none()
        })
    }
}

impl Allowed {
    fn fault(&self, now: Timestamp) -> Option<String> {
        let texts = [
            ("issue", &self.issue),
            ("owner", &self.owner),
            ("replacement_plan", &self.replacement_plan),
            ("double_identifier", &self.double_identifier),
            ("rationale", &self.rationale),
            ("verification", &self.verification),
        ];
        if let Some((key, _)) = texts.iter().find(|(_, t)| crate::strict::is_blank(t)) {
            return Some(format!("`{key}` is empty"));
        }
        if self.scope.is_empty() || self.scope.iter().any(|p| crate::strict::is_blank(p)) {
            return Some("`scope` names no file".to_owned());
        }
        if self.expires_at <= now {
            return Some(format!("it ended at {}", self.expires_at));
        }
        if self.expires_at > now.after(LONGEST) {
            return Some(format!("it ends more than {LONGEST} ahead"));
        }
        None
    }
}
