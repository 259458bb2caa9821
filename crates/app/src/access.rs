//! Who comes in through a door, and what they may do there.
//!
//! A principal is a person, or an agent that acts for one. What a door lets through is a scope; scopes come from a token, or from being
//! the user whose machine it is. **No scope lets an agent approve**: whatever a token says, [`Principal::must_be_a_person`] refuses it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use gonogo_core::{Reason, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::AppError;
use crate::approving::login;
use crate::workspace::Caller;

pub mod admission;
pub mod limits;
pub mod oidc;
pub mod passwords;
pub mod sessions;
pub mod tokens;
pub mod users;

/// What a door lets somebody do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Scope {
    /// Look at everything.
    #[serde(rename = "read")]
    Read,
    /// Make plans.
    #[serde(rename = "plan:create")]
    PlanCreate,
    /// Apply plans that somebody approved, cancel and roll back.
    #[serde(rename = "plan:apply")]
    PlanApply,
    /// Submit evidence.
    #[serde(rename = "evidence:write")]
    EvidenceWrite,
    /// Approve, reject and take back; worth nothing in an agent's hands.
    #[serde(rename = "approval:decide")]
    ApprovalDecide,
    /// Freeze, unfreeze, pin.
    #[serde(rename = "control:write")]
    ControlWrite,
    /// Make and revoke tokens.
    #[serde(rename = "admin")]
    Admin,
}

impl Scope {
    /// Every scope, the smallest first.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::PlanCreate,
        Self::PlanApply,
        Self::EvidenceWrite,
        Self::ApprovalDecide,
        Self::ControlWrite,
        Self::Admin,
    ];

    /// Its name in tokens.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::PlanCreate => "plan:create",
            Self::PlanApply => "plan:apply",
            Self::EvidenceWrite => "evidence:write",
            Self::ApprovalDecide => "approval:decide",
            Self::ControlWrite => "control:write",
            Self::Admin => "admin",
        }
    }

    /// What it allows, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Read => "look at plans, operations, evidence, gates and environments",
            Self::PlanCreate => "make plans",
            Self::PlanApply => {
                "apply plans that somebody else approved, cancel operations, go back to known-good"
            }
            Self::EvidenceWrite => "submit evidence",
            Self::ApprovalDecide => "approve, reject and take approvals back; only for people",
            Self::ControlWrite => "freeze, unfreeze and pin",
            Self::Admin => "make and revoke tokens",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Scope {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let all = Self::ALL.iter().copied();
        all.clone().find(|s| s.name() == text).ok_or_else(|| {
            let names: Vec<&str> = all.map(Self::name).collect();
            let text: String = text.escape_debug().take(80).collect();
            AppError::new(Reason::ArgumentInvalid, format!("`{text}` is no scope"))
                .hint(format!("one of {}", names.join(", ")))
        })
    }
}

/// A set of scopes that people have a word for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Plans, applies, goes back.
    Operator,
    /// Decides about plans.
    Approver,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// What it may do.
    pub const fn scopes(self) -> &'static [Scope] {
        use Scope::{
            Admin, ApprovalDecide, ControlWrite, EvidenceWrite, PlanApply, PlanCreate, Read,
        };
        match self {
            Self::Viewer => &[Read],
            Self::Operator => &[Read, PlanCreate, PlanApply, EvidenceWrite, ControlWrite],
            Self::Approver => &[Read, ApprovalDecide],
            Self::Admin => &[
                Read,
                PlanCreate,
                PlanApply,
                EvidenceWrite,
                ApprovalDecide,
                ControlWrite,
                Admin,
            ],
        }
    }
}

impl Role {
    /// The roles whose scopes are all among `scopes`, the largest of each line alone: an admin is not told to be a viewer too.
    pub fn of(scopes: &BTreeSet<Scope>) -> Vec<Self> {
        let has = |r: &Self| r.scopes().iter().all(|s| scopes.contains(s));
        let all: Vec<Self> = Self::ALL.into_iter().filter(has).collect();
        let within = |a: Self, b: Self| a != b && a.scopes().iter().all(|s| b.scopes().contains(s));
        let largest = |r: &Self| !all.iter().any(|o| within(*r, *o));
        all.iter().copied().filter(largest).collect()
    }
}

impl FromStr for Role {
    type Err = AppError;

    fn from_str(text: &str) -> Result<Self, AppError> {
        let mut all = Self::ALL.iter().copied();
        all.find(|r| r.name() == text).ok_or_else(|| {
            let text: String = text.escape_debug().take(80).collect();
            AppError::new(Reason::ArgumentInvalid, format!("`{text}` is no role"))
                .hint("one of viewer, operator, approver, admin")
        })
    }
}

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// By being the user of this machine who runs the command.
    Local,
    /// By a token; its id.
    Token(String),
    /// By a password, some time ago; the session's id.
    Session(String),
    /// By a token of the issuer that the configuration names; the token's id, where it has one.
    Issuer(Option<String>),
}

/// Somebody who came in through a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Name, as records carry it.
    pub name: String,
    /// Whether it is a program.
    pub agent: bool,
    /// The person that an agent acts for.
    pub acts_for: Option<String>,
    /// What they may do.
    pub scopes: BTreeSet<Scope>,
    /// How they showed it.
    pub means: Means,
    /// Until when that holds; none where it has no end.
    pub until: Option<Timestamp>,
}

impl Means {
    /// The word for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::Issuer(_) => "oidc",
        }
    }
}

impl Principal {
    /// The user of this machine: whoever can read the project's keys can do what they allow.
    pub fn local(name: String) -> Self {
        Self {
            name,
            agent: false,
            acts_for: None,
            scopes: Scope::ALL.into(),
            means: Means::Local,
            until: None,
        }
    }

    /// A program on this machine that acts for a person.
    ///
    /// # Errors
    /// Names that cannot be names; an agent with a person's name; a role that agents cannot have.
    pub fn agent(name: String, acts_for: String, role: Role) -> Result<Self, AppError> {
        let refuse = |text: String| AppError::new(Reason::ArgumentInvalid, text);
        for name in [&name, &acts_for] {
            if !crate::config::is_person_name(name) {
                let name: String = name.escape_debug().take(80).collect();
                let text = format!("`{name}` cannot be used as a name");
                return Err(
                    refuse(text).hint("letters, digits, `.`, `_`, `+`, `-` and `@`, at most 64")
                );
            }
        }
        if name == acts_for {
            let text = "an agent has a name of its own, other than the person's that it acts for";
            return Err(refuse(text.into()));
        }
        let scopes: BTreeSet<Scope> = role.scopes().iter().copied().collect();
        if scopes.contains(&Scope::ApprovalDecide) || scopes.contains(&Scope::Admin) {
            let text = format!(
                "no agent can be {}: it decides about plans or makes tokens",
                role.name()
            );
            return Err(AppError::new(Reason::AgentMayNotDecide, text));
        }
        Ok(Self {
            name,
            agent: true,
            acts_for: Some(acts_for),
            scopes,
            means: Means::Local,
            until: None,
        })
    }

    /// Who asks, as the use cases know them.
    pub fn caller(&self) -> Caller {
        Caller {
            name: Some(self.name.clone()),
            key: None,
            acts_for: self.acts_for.clone(),
            login: Some(login::means(self)).filter(|means| !means.is_empty()),
        }
    }

    /// Refuses what the scopes do not allow.
    ///
    /// # Errors
    /// [`Reason::ScopeMissing`] with the scope.
    pub fn must_have(&self, scope: Scope) -> Result<(), AppError> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let text = format!(
            "`{}` may not do this: it needs the scope `{scope}`",
            self.name
        );
        Err(AppError::new(Reason::ScopeMissing, text).with("scope", scope.name()))
    }

    /// Refuses a decision that only people make.
    ///
    /// # Errors
    /// [`Reason::AgentMayNotDecide`].
    pub fn must_be_a_person(&self) -> Result<(), AppError> {
        if !self.agent {
            return Ok(());
        }
        let text = format!(
            "`{}` is an agent, and this is for people to decide",
            self.name
        );
        Err(AppError::new(Reason::AgentMayNotDecide, text))
    }
}

/// Somebody showed something, and it is worth nothing; `error` is RFC 6750's word for that (section 3.1).
pub(crate) fn refused(why: impl Into<String>) -> AppError {
    AppError::new(Reason::Unauthenticated, why).with("error", "invalid_token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_by_the_largest() {
        let of = |roles: &[Role]| {
            let scopes = roles.iter().flat_map(|r| r.scopes().iter().copied());
            Role::of(&scopes.collect())
        };
        for role in Role::ALL {
            assert_eq!(of(&[role]), [role]);
        }
        assert_eq!(
            of(&[Role::Operator, Role::Approver]),
            [Role::Operator, Role::Approver]
        );
        assert_eq!(of(&[Role::Viewer, Role::Admin]), [Role::Admin]);
        assert_eq!(Role::of(&[Scope::PlanCreate].into()), []);
    }
}
