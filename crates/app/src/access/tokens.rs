//! Tokens: made, shown once, checked, taken back. Of the secret only its digest is kept.
//!
//! A token is `gng_<id>_<secret>`: the id finds it, the secret (256 random bits, base64url) is compared by its SHA-256 in constant time.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gonogo_core::id::TokenId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_store::ledger::{Filter, RecordView};
use gonogo_store::{Store, Token, TokenKind};
use serde::Serialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{Means, Principal, Scope, users};
use crate::approving::{self, delegating, revoking};
use crate::boards;
use crate::config::Environment;
use crate::controls::{freezing, goodness, pinning, posture};
use crate::identity::random;
use crate::incidents;
use crate::{AppError, Workspace};

/// What every token begins with, so that scanners know one.
pub const PREFIX: &str = "gng_";

/// Stream of the records about tokens.
pub const STREAM: &str = "system";

/// Kinds of records that only people's decisions have.
const DECIDED: [&str; 15] = [
    approving::KIND,
    revoking::KIND,
    delegating::KIND,
    delegating::WITHDRAWN,
    incidents::GLASS,
    freezing::ENDED,
    pinning::SET,
    pinning::REMOVED,
    goodness::SAID,
    posture::RAN,
    boards::SIGN_OFF,
    ISSUED,
    REVOKED,
    users::ADDED,
    users::REMOVED,
];

/// Kind of the record that a token was made by.
const ISSUED: &str = "token-issued";
/// Kind of the record that one was taken back by.
const REVOKED: &str = "token-revoked";

/// The longest that a token may live.
pub const LONGEST: Span = Span::from_secs(366 * 86_400);

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// In whose name it acts.
    pub name: String,
    /// Whether a program will hold it.
    pub agent: bool,
    /// The person that the program acts for.
    pub acts_for: Option<String>,
    /// What it may be used for.
    pub scopes: BTreeSet<Scope>,
    /// How long.
    pub lives: Span,
}

/// A token just made: the only time that its text is seen.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Issued {
    /// What to send as `Authorization: Bearer …`.
    pub token: String,
    /// What is known of it.
    #[serde(flatten)]
    pub about: TokenView,
}

/// A token without its secret.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// In whose name it acts.
    pub name: String,
    /// `person` or `agent`.
    pub kind: &'static str,
    /// The person that an agent acts for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acts_for: Option<String>,
    /// What it may be used for.
    pub scopes: Vec<String>,
    /// Who made it.
    pub issuer: String,
    /// When.
    pub created: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
    /// When it was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<Timestamp>,
    /// `live`, `expired` or `revoked`.
    pub state: &'static str,
}

fn view(token: Token, now: Timestamp) -> TokenView {
    let state = match token.revoked {
        Some(_) => "revoked",
        None if token.expires <= now => "expired",
        None => "live",
    };
    TokenView {
        id: token.id,
        name: token.name,
        kind: token.kind.word(),
        acts_for: token.acts_for,
        scopes: token.scopes,
        issuer: token.issuer,
        created: token.created,
        expires: token.expires,
        revoked: token.revoked,
        state,
    }
}

/// Makes a token and records that, without its secret.
///
/// # Errors
/// A name that cannot be one, an agent that acts for nobody or may approve, a time that is none.
pub fn issue(ws: &Workspace, wanted: &Wanted) -> Result<Issued, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    must_be_a_person(ws, &me.name)?;
    check(wanted)?;
    unmistakable(ws, wanted, &me.name)?;
    let id = TokenId::mint(random());
    let secret = URL_SAFE_NO_PAD.encode([random(), random(), random(), random()].concat());
    let token = Token {
        id: id.clone(),
        name: wanted.name.clone(),
        kind: if wanted.agent {
            TokenKind::Agent
        } else {
            TokenKind::Person
        },
        acts_for: wanted.acts_for.clone(),
        scopes: wanted.scopes.iter().map(|s| s.name().to_owned()).collect(),
        secret: Digest::of(secret.as_bytes()),
        issuer: me.name.clone(),
        created: now,
        expires: now.after(wanted.lives),
        revoked: None,
    };
    let body = json!({
        "token": id,
        "name": token.name,
        "kind": token.kind.word(),
        "actsFor": token.acts_for,
        "scopes": token.scopes,
        "expires": token.expires,
    });
    let key = format!("token/{id}");
    ws.record(STREAM, &key, ISSUED, now, &me.name, None, body)?;
    ws.store.put_token(&token)?;
    // Somebody may have given the name to the other kind in the same moment: then neither has it.
    if let Err(e) = unmistakable(ws, wanted, &me.name) {
        revoke(
            ws,
            &id,
            "its name was given to somebody else at the same time",
        )?;
        return Err(e);
    }
    let secret_id = id.as_str().trim_start_matches(TokenId::PREFIX);
    Ok(Issued {
        token: format!("{PREFIX}{secret_id}_{secret}"),
        about: view(token, now),
    })
}

fn check(wanted: &Wanted) -> Result<(), AppError> {
    let refuse = |text: String| Err(AppError::new(Reason::ArgumentInvalid, text));
    for name in std::iter::once(&wanted.name).chain(&wanted.acts_for) {
        if !crate::config::is_person_name(name) {
            let name: String = name.escape_debug().take(80).collect();
            return refuse(format!(
                "`{name}` cannot be used as a name: letters, digits, `.`, `_`, `+`, `-` and `@`, at most 64"
            ));
        }
    }
    if wanted.scopes.is_empty() {
        return refuse("a token needs at least one scope".into());
    }
    if wanted.lives == Span::ZERO || wanted.lives > LONGEST {
        return refuse(format!("a token lives between 1ms and {LONGEST}"));
    }
    match (wanted.agent, &wanted.acts_for) {
        (true, None) => refuse("an agent acts for somebody: name the person".into()),
        (true, Some(person)) if same(person, &wanted.name) => refuse(
            "an agent has a name of its own, other than the person's that it acts for".into(),
        ),
        (false, Some(_)) => refuse("only an agent acts for somebody else".into()),
        (true, _) if wanted.scopes.contains(&Scope::ApprovalDecide) => {
            let text = "no scope lets an agent approve";
            Err(AppError::new(Reason::AgentMayNotDecide, text))
        }
        (true, _) if wanted.scopes.contains(&Scope::Admin) => {
            refuse("an agent cannot make tokens".into())
        }
        _ => Ok(()),
    }
}

/// Refuses an agent under a person's name, and a person under an agent's. `issuer` makes the token, and is a person.
fn unmistakable(ws: &Workspace, wanted: &Wanted, issuer: &str) -> Result<(), AppError> {
    if let Some(person) = &wanted.acts_for {
        must_be_no_agents(ws, person)?;
    }
    let name = wanted.name.as_str();
    if !wanted.agent {
        return must_be_no_agents(ws, name);
    }
    if !same(name, issuer) && !is_persons(ws, name)? {
        return Ok(());
    }
    let text = format!("`{name}` is the name of a person here, and an agent needs another");
    Err(AppError::new(Reason::ArgumentInvalid, text))
}

/// Whether two names are one to whoever reads them.
const fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// Refuses somebody whom an issuer names as an agent by a person's name here, or the other way round.
///
/// # Errors
/// [`Reason::Unauthenticated`].
pub fn must_fit(ws: &Workspace, who: &Principal) -> Result<(), AppError> {
    let other = match who.agent {
        true if has_a_persons_name(ws, &who.name)? => "a person",
        false if is_agent(ws, &who.name)? => "an agent",
        _ => return Ok(()),
    };
    let text = format!("`{}` is the name of {other} here", who.name);
    Err(AppError::new(Reason::Unauthenticated, text)
        .hint("the issuer names agents and people; nobody here has a name of both"))
}

/// Refuses an agent under a name that a person has here.
///
/// # Errors
/// [`Reason::ArgumentInvalid`].
pub fn must_be_free_for_agents(ws: &Workspace, name: &str, person: &str) -> Result<(), AppError> {
    must_be_no_agents(ws, person)?;
    if !is_persons(ws, name)? {
        return Ok(());
    }
    let text = format!("`{name}` is the name of a person here, and an agent needs another");
    Err(AppError::new(Reason::ArgumentInvalid, text))
}

/// Whether somebody with this name has shown to be a person: by a login, as an approver, as whom an agent acts for, or by what no agent
/// may do.
fn is_persons(ws: &Workspace, name: &str) -> Result<bool, AppError> {
    if has_a_persons_name(ws, name)? {
        return Ok(true);
    }
    for kind in DECIDED {
        let all = ws.ledger.every(Filter {
            kind: Some(kind.into()),
            ..Filter::default()
        })?;
        // Who brings an approval in is not who gave it.
        let given = |r: &RecordView| approving::read_record(&r.body).0.approver_id;
        let by = |r: &RecordView| match kind {
            approving::KIND => same(&given(r), name),
            _ => same(&r.actor, name),
        };
        if all.iter().any(by) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a password, a token, the right to approve or an agent that acts for them makes this a person's name.
fn has_a_persons_name(ws: &Workspace, name: &str) -> Result<bool, AppError> {
    let approves = |e: &Environment| e.approval.approvers.iter().any(|a| same(&a.id, name));
    let token = |t: &Token| {
        let own = t.kind == TokenKind::Person && same(&t.name, name);
        t.revoked.is_none() && (own || t.acts_for.as_deref().is_some_and(|p| same(p, name)))
    };
    Ok(ws.config.environments.values().any(approves)
        || ws.store.tokens()?.iter().any(token)
        || ws.store.users()?.iter().any(|u| same(&u.name, name)))
}

/// Whether a token that nobody took back makes this the name of an agent.
fn is_agent(ws: &Workspace, name: &str) -> Result<bool, AppError> {
    let all = ws.store.tokens()?;
    let is = |t: &Token| t.kind == TokenKind::Agent && same(&t.name, name) && t.revoked.is_none();
    Ok(all.iter().any(is))
}

/// Refuses an agent's name where a person's is wanted.
///
/// # Errors
/// [`Reason::ArgumentInvalid`].
pub(crate) fn must_be_no_agents(ws: &Workspace, name: &str) -> Result<(), AppError> {
    if !is_agent(ws, name)? {
        return Ok(());
    }
    let text = format!("`{name}` is the name of an agent here, and a person needs another");
    Err(AppError::new(Reason::ArgumentInvalid, text))
}

/// Refuses a decision in the name of an agent, whichever door and key it came by.
///
/// # Errors
/// [`Reason::AgentMayNotDecide`].
pub(crate) fn must_be_a_person(ws: &Workspace, name: &str) -> Result<(), AppError> {
    if !is_agent(ws, name)? {
        return Ok(());
    }
    let text = format!("`{name}` is an agent, and this is for people to decide");
    Err(AppError::new(Reason::AgentMayNotDecide, text)
        .hint("whose name it is by mistake: take the token back, `gonogo token list`"))
}

/// Every token, newest first, without secrets.
///
/// # Errors
/// The store cannot be read.
pub fn list(ws: &Workspace) -> Result<Vec<TokenView>, AppError> {
    let now = ws.clock.now().wall;
    Ok(ws
        .store
        .tokens()?
        .into_iter()
        .map(|t| view(t, now))
        .collect())
}

/// Takes a token back, at once and for good, and records that.
///
/// # Errors
/// None has this id.
pub fn revoke(ws: &Workspace, id: &TokenId, why: &str) -> Result<TokenView, AppError> {
    let now = ws.now()?;
    let me = ws.identity()?;
    // Without its token an agent's name would be anybody's.
    must_be_a_person(ws, &me.name)?;
    let known = ws.store.token(id)?.ok_or_else(|| {
        AppError::new(Reason::InputNotFound, format!("no token has the id `{id}`"))
            .hint("`gonogo token list` shows them")
    })?;
    // First what matters: should the record fail, the token is worth nothing all the same, and the command can be repeated.
    let since = ws.store.revoke_token(id, now)?;
    let body = json!({"token": id, "name": known.name, "why": why});
    let key = format!("token/{id}/revoked");
    ws.record(STREAM, &key, REVOKED, since, &me.name, None, body)?;
    let revoked = Some(since);
    Ok(view(Token { revoked, ..known }, now))
}

/// Who holds the token `text`.
///
/// # Errors
/// [`Reason::Unauthenticated`], always with the same words: whoever has no good token learns nothing about tokens. The store cannot be
/// read.
pub fn principal(store: &Store, text: &str, now: Timestamp) -> Result<Principal, AppError> {
    let refuse = || super::refused("the token is not valid");
    let (id, secret) = text
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.split_once('_'))
        .ok_or_else(refuse)?;
    let id: TokenId = format!("{}{id}", TokenId::PREFIX)
        .parse()
        .map_err(|_| refuse())?;
    let given = Digest::of(secret.as_bytes());
    let token = store.token(&id)?.ok_or_else(refuse)?;
    let same: bool = given.as_bytes().ct_eq(token.secret.as_bytes()).into();
    if !same || token.revoked.is_some() || token.expires <= now {
        return Err(refuse());
    }
    // A scope that this gonogo does not know is none.
    let scopes = token.scopes.iter().filter_map(|s| s.parse().ok()).collect();
    Ok(Principal {
        name: token.name,
        agent: token.kind == TokenKind::Agent,
        acts_for: token.acts_for,
        scopes,
        means: Means::Token(token.id.to_string()),
        until: Some(token.expires),
    })
}
