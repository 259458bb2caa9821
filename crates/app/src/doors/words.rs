//! Texts of inputs that several use cases take, each with its limits: what a schema lets through can be used, and what it does not
//! cannot.

use gonogo_core::id::{OperationId, PlanId};
use gonogo_core::{Reason, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppError, Workspace, following, planning};

/// Name of an environment.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String,
);

impl From<String> for EnvironmentName {
    fn from(name: String) -> Self {
        Self(name)
    }
}

/// Name of a person.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PersonName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,63}$"))] pub String,
);

/// Name of a role.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RoleName(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String,
);

/// An approval's id, or as much of its begin as no other's has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRef(
    #[schemars(regex(pattern = r"^(apr_)?[0-9a-hjkmnp-tv-z]{1,12}$"))] pub String,
);

/// An incident's id, or as much of its begin as no other's has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct IncidentRef(
    #[schemars(regex(pattern = r"^(inc_)?[0-9a-hjkmnp-tv-z]{1,12}$"))] pub String,
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

/// A declared freeze's id, or as much of its begin as no other freeze's has; or a window's name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct FreezeRef(
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String,
);

/// What names a version for good: a tag, a `sha256:` digest or a full commit.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PinTarget(
    #[schemars(regex(pattern = r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9._+-]{0,63})$"))]
    pub  String,
);

/// A version's name, or a plan's id or as much of its begin as no other plan's has.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct BackTo(#[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,63}$"))] pub String);

/// A moment in UTC, like `2026-01-31T12:00:00Z`.
//
// A schema knows no calendar: 29 February of a year that has none is refused as a time that is none.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Moment(
    #[schemars(regex(
        pattern = r"^[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,3})?Z$"
    ))]
    pub String,
);

impl Moment {
    /// The time that is meant.
    pub(super) fn time(&self) -> Result<Timestamp, AppError> {
        self.0.parse().map_err(|_| {
            let text = format!("there is no `{}`: that year has no such day", self.0);
            AppError::new(Reason::TimeRefused, text)
        })
    }
}

impl From<Timestamp> for Moment {
    fn from(time: Timestamp) -> Self {
        Self(time.to_string())
    }
}

/// A caller's key: the same key is the same request.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Key(#[schemars(regex(pattern = r"^[!-~]{1,200}$"))] pub String);

/// A reason in words.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Why(
    #[schemars(
        length(min = 1, max = 500),
        regex(pattern = r"^[^\x00-\x1F\x7F-\x9F]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x1F\x7F-\x9F]*$")
    )]
    pub String,
);

/// How many are answered at once.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Limit(#[schemars(range(min = 1, max = 200))] pub u32);

impl From<u32> for Limit {
    fn from(limit: u32) -> Self {
        Self(limit)
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

/// Where a list of plans goes on: the whole id of a plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanPage(#[schemars(regex(pattern = r"^pln_[0-9a-hjkmnp-tv-z]{12}$"))] pub String);

impl PlanPage {
    /// The plan after which it goes on.
    pub(super) fn find(self, ws: &Workspace) -> Result<PlanId, AppError> {
        PlanRef(self.0).find(ws).map_err(no_page)
    }
}

/// Where a list of operations goes on: the whole id of an operation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OperationPage(#[schemars(regex(pattern = r"^op_[0-9a-hjkmnp-tv-z]{12}$"))] pub String);

impl OperationPage {
    /// The operation after which it goes on.
    pub(super) fn find(self, ws: &Workspace) -> Result<gonogo_store::Operation, AppError> {
        OperationRef(self.0).find(ws).map_err(no_page)
    }
}

/// Where a list was to go on is named by what is none of its entries.
fn no_page(mut error: AppError) -> AppError {
    if matches!(
        error.reason,
        Reason::OperationNotFound | Reason::PlanNotFound
    ) {
        error.message = format!(
            "`pageToken` is none that a list has answered with: {}",
            error.message
        );
        error = error
            .hint("give the `nextPageToken` of the answer before")
            .with("path", "$.pageToken");
    }
    error
}
