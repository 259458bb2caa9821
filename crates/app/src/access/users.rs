//! People with passwords: made, listed, let in no more. Of the password only its hash is kept; records say what was done and by whom.

use std::collections::BTreeSet;

use gonogo_core::{Reason, Timestamp};
use gonogo_store::{StoreError, User};
use serde::Serialize;
use serde_json::{Value, json};

use super::Role;
use super::passwords::Password;
use super::tokens::{self, STREAM};
use crate::identity::Identity;
use crate::{AppError, Workspace};

/// Kind of the record that a user was made by.
pub(super) const ADDED: &str = "user-added";
/// Kind of the record that one was removed by.
pub(super) const REMOVED: &str = "user-removed";

/// A user without what is kept of the password.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Who made the user.
    pub issuer: String,
    /// When.
    pub created: Timestamp,
    /// Since when the password is this one.
    pub changed: Timestamp,
    /// Since when the user is let in no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Timestamp>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            name: user.name,
            roles: user.roles,
            issuer: user.issuer,
            created: user.created,
            changed: user.changed,
            disabled: user.disabled,
        }
    }
}

/// Makes a user and records that.
///
/// # Errors
/// A name that cannot be one or is taken, no role, a password that is too easily guessed.
pub fn add(
    ws: &Workspace,
    name: &str,
    roles: &BTreeSet<Role>,
    password: &Password,
) -> Result<UserView, AppError> {
    let now = ws.now()?;
    let me = asker(ws)?;
    if !crate::config::is_person_name(name) {
        let name: String = name.escape_debug().take(80).collect();
        let text = format!(
            "`{name}` cannot be used as a name: letters, digits, `.`, `_`, `+`, `-` and `@`, at most 64"
        );
        return Err(AppError::new(Reason::ArgumentInvalid, text));
    }
    tokens::must_be_no_agents(ws, name)?;
    if roles.is_empty() {
        let text = "a user needs at least one role";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("one of viewer, operator, approver, admin"));
    }
    password.must_be_good(name)?;
    let roles: Vec<String> = roles.iter().map(|r| r.name().to_owned()).collect();
    let user = User {
        name: name.to_owned(),
        roles,
        password: password.hash()?,
        issuer: me.name.clone(),
        created: now,
        changed: now,
        disabled: None,
    };
    if !ws.store.put_user(&user)? {
        let text = format!("a user has the name `{name}` already");
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("another password: `gonogo user passwd NAME`"));
    }
    // An agent may have been given the name in the same moment: then neither has it.
    if let Err(e) = tokens::must_be_no_agents(ws, name) {
        ws.store.remove_user(name).map_err(unknown)?;
        return Err(e);
    }
    let body = json!({"user": name, "roles": user.roles});
    record(ws, ADDED, name, now, &me.name, body)?;
    Ok(user.into())
}

/// Every user, by name.
///
/// # Errors
/// The store cannot be read.
pub fn list(ws: &Workspace) -> Result<Vec<UserView>, AppError> {
    Ok(ws.store.users()?.into_iter().map(Into::into).collect())
}

/// Gives a user another password, ends the user's sessions, says how many, and records that.
///
/// # Errors
/// No such user; a password that is too easily guessed.
pub fn set_password(ws: &Workspace, name: &str, password: &Password) -> Result<usize, AppError> {
    let now = ws.now()?;
    let me = asker(ws)?;
    password.must_be_good(name)?;
    let kept = password.hash()?;
    let ended = ws.store.set_password(name, &kept, now).map_err(unknown)?;
    let body = json!({"user": name, "sessionsEnded": ended});
    record(ws, "user-password-set", name, now, &me.name, body)?;
    Ok(ended)
}

/// Lets a user in no more, ends the user's sessions, says how many, and records that.
///
/// # Errors
/// No such user.
pub fn disable(ws: &Workspace, name: &str, why: &str) -> Result<usize, AppError> {
    let now = ws.now()?;
    let me = asker(ws)?;
    let ended = ws.store.set_disabled(name, Some(now)).map_err(unknown)?;
    let body = json!({"user": name, "why": why, "sessionsEnded": ended});
    record(ws, "user-disabled", name, now, &me.name, body)?;
    Ok(ended)
}

/// Lets a user in again, and records that.
///
/// # Errors
/// No such user.
pub fn enable(ws: &Workspace, name: &str, why: &str) -> Result<(), AppError> {
    let now = ws.now()?;
    let me = asker(ws)?;
    ws.store.set_disabled(name, None).map_err(unknown)?;
    let body = json!({"user": name, "why": why});
    record(ws, "user-enabled", name, now, &me.name, body)
}

/// Removes a user, ends the user's sessions, says how many, and records that. What the user did stays where it is recorded.
///
/// # Errors
/// No such user.
pub fn remove(ws: &Workspace, name: &str, why: &str) -> Result<usize, AppError> {
    let now = ws.now()?;
    let me = asker(ws)?;
    let ended = ws.store.remove_user(name).map_err(unknown)?;
    let body = json!({"user": name, "why": why, "sessionsEnded": ended});
    record(ws, REMOVED, name, now, &me.name, body)?;
    Ok(ended)
}

/// Who asks; people's names are people's affair.
fn asker(ws: &Workspace) -> Result<Identity, AppError> {
    let me = ws.identity()?;
    tokens::must_be_a_person(ws, &me.name)?;
    Ok(me)
}

fn record(
    ws: &Workspace,
    kind: &str,
    name: &str,
    now: Timestamp,
    actor: &str,
    body: Value,
) -> Result<(), AppError> {
    let key = format!("{kind}/{name}/{}", crate::identity::nonce());
    ws.record(STREAM, &key, kind, now, actor, None, body)
}

fn unknown(e: StoreError) -> AppError {
    match e {
        StoreError::Unknown { id, .. } => {
            let id: String = id.escape_debug().take(80).collect();
            AppError::new(
                Reason::InputNotFound,
                format!("no user has the name `{id}`"),
            )
            .hint("`gonogo user list` shows them")
        }
        other => other.into(),
    }
}
