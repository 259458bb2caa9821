//! Who asks, as the door sees it.

use gonogo_core::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::desk::{Answered, Desk};
use super::tool::{Facts, Route, UseCase};
use crate::AppError;
use crate::access::{Means, Role, Scope};

/// Input of `whoami`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Whoami {}

/// Who asks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoamiDoc {
    /// Name, as records carry it.
    pub name: String,
    /// `person` or `agent`.
    pub kind: String,
    /// The person that an agent acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acts_for: Option<String>,
    /// Roles whose scopes are all there.
    pub roles: Vec<String>,
    /// What may be asked.
    pub scopes: Vec<Scope>,
    /// How that was shown: `local`, `token`, `session` or `oidc`.
    pub by: String,
    /// Id of the token or session, which is no secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Until when it holds; absent where it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Whether decisions about plans count from here: with the scope, and never for an agent.
    pub may_decide: bool,
}

impl UseCase for Whoami {
    const FACTS: Facts = Facts {
        routes: &[Route::get("/v1/whoami")],
        ..Facts::read(
            "whoami",
            "Show who asks",
            "Says in whose name requests are, what they may ask, how that was shown, and until when it holds.",
        )
    };
    type Answer = WhoamiDoc;

    fn run(self, desk: &Desk<'_>) -> Result<Answered<WhoamiDoc>, AppError> {
        let p = desk.principal;
        let roles = Role::of(&p.scopes);
        let doc = WhoamiDoc {
            name: p.name.clone(),
            kind: if p.agent { "agent" } else { "person" }.to_owned(),
            acts_for: p.acts_for.clone(),
            roles: roles.into_iter().map(|r| r.name().to_owned()).collect(),
            scopes: p.scopes.iter().copied().collect(),
            by: p.means.word().to_owned(),
            id: match &p.means {
                Means::Local => None,
                Means::Token(id) | Means::Session(id) => Some(id.clone()),
                Means::Issuer(id) => id.clone(),
            },
            until: p.until,
            may_decide: !p.agent && p.scopes.contains(&Scope::ApprovalDecide),
        };
        Ok(doc.into())
    }
}
