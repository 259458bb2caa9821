//! Texts of inputs that several use cases take, each with its limits: what a schema lets through can be used, and what it does not
//! cannot.

use gonogo_core::Reason;
use gonogo_core::id::{OperationId, PlanId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppError, Workspace, following, planning};

/// Name of an environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String,
);

/// Name of a version.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct VersionName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String,
);

/// A plan's id, or as much of its begin as no other plan's has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanRef(#[schemars(regex(pattern = r"^(pln_)?[0-9a-hjkmnp-tv-z]{1,12}$"))] pub String);

impl PlanRef {
    /// The plan that is meant.
    pub(super) fn find(&self, ws: &Workspace) -> Result<PlanId, AppError> {
        planning::find(ws, &self.0)
    }
}

/// An operation's id, or as much of its begin as no other operation's has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OperationRef(
    #[schemars(regex(pattern = r"^(op_)?[0-9a-hjkmnp-tv-z]{1,12}$"))] pub String,
);

impl OperationRef {
    /// The operation that is meant.
    pub(super) fn find(&self, ws: &Workspace) -> Result<gonogo_store::Operation, AppError> {
        match self.0.parse::<OperationId>() {
            // A whole id needs no search.
            Ok(id) => ws.store.operation(&id).map_err(|e| match e {
                gonogo_store::StoreError::Unknown { .. } => AppError::new(
                    Reason::OperationNotFound,
                    format!("no operation has the id `{id}`"),
                ),
                e => e.into(),
            }),
            Err(_) => following::find(ws, &self.0),
        }
    }
}

/// A caller's key: the same key is the same request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Key(#[schemars(regex(pattern = r"^[!-~]{1,200}$"))] pub String);

/// A reason in words.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Why(#[schemars(regex(pattern = r"^[^\x00-\x1F\x7F-\x9F]{1,500}$"))] pub String);

/// How many are answered at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Limit(#[schemars(range(min = 1, max = 200))] pub u32);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}
