//! Approvals, and who may give them.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

/// An approval whose signature was verified when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Of what was approved: an excuse's entry, a policy, a declaration.
    pub over: Digest,
    /// Who signed.
    pub signer: String,
    /// The id of the key, 64 hex digits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// Who commits to the repository where it was signed, of a signer that gave no name of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// The commit that what was approved was a change of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Its record in the ledger.
    pub record: u64,
}

/// Who may approve what a change brings, by the policy of the change's base: the change itself has no say in that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "may_approve", deny_unknown_fields)]
pub enum Approvers {
    /// Whoever is somebody else: the base's policy lists nobody.
    #[default]
    Anyone,
    /// Those that it lists.
    Listed {
        /// The ids of their keys, by name.
        keys: BTreeMap<String, BTreeSet<String>>,
        /// Its aliases, by the name that stands for all of them.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        aliases: BTreeMap<String, Vec<String>>,
    },
    /// Nobody, since nobody knows whom it lists.
    Nobody {
        /// Why.
        why: String,
    },
}

impl Approvers {
    /// Whether this is what everything recorded before there were lists has.
    pub fn is_anyone(&self) -> bool {
        *self == Self::Anyone
    }
}
