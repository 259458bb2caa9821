//! Sessions of people who showed their password: begun, used, ended. Of the secret only its digest is kept.
//!
//! The cookie's value is `<id>_<secret>`: the id finds the session, the secret (256 random bits, base64url) is compared by its SHA-256 in
//! constant time. The CSRF token is another digest of the secret, so it needs no place of its own and tells nothing of the secret. A
//! session ends when nobody used it for a while, when its time is over, with the user's password, and with the user.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gonogo_core::id::SessionId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_store::{Session, Store, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq;

use super::passwords::Password;
use super::tokens::STREAM;
use super::{Means, Principal, Role, refused};
use crate::identity::random;
use crate::{AppError, Workspace};

/// The cookie. Browsers take one with this prefix only with `Secure`, for this host alone and for the whole of it.
pub const COOKIE: &str = "__Host-gonogo";

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Without being used.
    pub idle: Span,
    /// At most.
    pub most: Span,
}

impl Lives {
    /// After so much of the idle time it is worth a write to note that a session was used.
    fn noticed(self) -> Span {
        Span::from_millis((self.idle.as_millis() / 8).min(60_000))
    }
}

/// A session as its user is told.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SessionDoc {
    /// Its id, which is no secret.
    pub session: SessionId,
    /// Whose it is.
    pub user: String,
    /// The user's roles.
    pub roles: Vec<String>,
    /// What to send as `X-CSRF-Token` with everything that changes something.
    pub csrf_token: String,
    /// When it ends at the latest.
    pub expires: Timestamp,
    /// How long it may be left unused, in milliseconds.
    pub idle_ms: u64,
}

/// A session just begun: the only time that its secret is seen.
pub struct Begun {
    /// The cookie's value.
    pub cookie: String,
    /// What its user is told.
    pub about: SessionDoc,
}

/// A session that somebody showed.
#[derive(Debug, Clone)]
pub struct Shown {
    /// In whose name.
    pub principal: Principal,
    /// Its id.
    pub id: SessionId,
    /// When the store should note that it was used.
    pub note_from: Timestamp,
}

/// Begins a session for whoever knows the password of `user`. It takes as long for a name that nobody has.
///
/// # Errors
/// [`Reason::Unauthenticated`], always with the same words.
pub fn begin(
    ws: &Workspace,
    user: &str,
    password: &Password,
    lives: Lives,
) -> Result<Begun, AppError> {
    let now = ws.now()?;
    let known = ws.store.user(user)?;
    let kept = known.as_ref().map(|u| u.password.as_str());
    let same = password.is(kept);
    let wrong = || {
        let text = "the user's name or the password is wrong";
        AppError::new(Reason::Unauthenticated, text)
            .hint("somebody who may can set another one: `gonogo user passwd NAME`")
    };
    let known = known
        .filter(|u| same && u.disabled.is_none())
        .ok_or_else(wrong)?;
    let secret = URL_SAFE_NO_PAD.encode([random(), random(), random(), random()].concat());
    let session = Session {
        id: SessionId::mint(random()),
        user: known.name.clone(),
        secret: Digest::of(secret.as_bytes()),
        created: now,
        seen: now,
        expires: now.after(lives.most),
    };
    // The password may have been changed while this one was checked.
    if !ws.store.begin_session(&session, &known.password)? {
        return Err(wrong());
    }
    let body = json!({"session": session.id, "user": known.name, "expires": session.expires});
    let key = format!("session/{}", session.id);
    let recorded = ws.record(STREAM, &key, "session-begun", now, &known.name, None, body);
    if let Err(e) = recorded {
        // What is not recorded does not count.
        ws.store.end_session(&session.id)?;
        return Err(e);
    }
    let id = session.id.as_str().trim_start_matches(SessionId::PREFIX);
    Ok(Begun {
        about: doc(&session, &known, &secret, lives),
        cookie: format!("{id}_{secret}"),
    })
}

fn doc(session: &Session, user: &User, secret: &str, lives: Lives) -> SessionDoc {
    SessionDoc {
        session: session.id.clone(),
        user: user.name.clone(),
        roles: user.roles.clone(),
        csrf_token: csrf_of(secret),
        expires: session.expires,
        idle_ms: lives.idle.as_millis(),
    }
}

/// The session that the cookie's value `text` shows, as its user is told.
///
/// # Errors
/// As [`principal`].
pub fn current(
    store: &Store,
    text: &str,
    now: Timestamp,
    lives: Lives,
) -> Result<SessionDoc, AppError> {
    let (session, user, secret) = find(store, text, now, lives)?;
    Ok(doc(&session, &user, secret, lives))
}

/// Who holds the session that the cookie's value `text` shows.
///
/// # Errors
/// [`Reason::Unauthenticated`], always with the same words. The store cannot be read.
pub fn principal(
    store: &Store,
    text: &str,
    now: Timestamp,
    lives: Lives,
) -> Result<Shown, AppError> {
    let (session, user, _) = find(store, text, now, lives)?;
    // A role that this gonogo does not know is none.
    let roles = user.roles.iter().filter_map(|r| r.parse::<Role>().ok());
    let scopes = roles.flat_map(|r| r.scopes().iter().copied()).collect();
    Ok(Shown {
        principal: Principal {
            name: user.name,
            agent: false,
            acts_for: None,
            scopes,
            means: Means::Session(session.id.to_string()),
            until: Some(session.expires.min(session.seen.after(lives.idle))),
        },
        note_from: session.seen.after(lives.noticed()),
        id: session.id,
    })
}

fn find<'t>(
    store: &Store,
    text: &'t str,
    now: Timestamp,
    lives: Lives,
) -> Result<(Session, User, &'t str), AppError> {
    let refuse = || refused("the session is not valid, or has ended");
    let (id, secret) = text.split_once('_').ok_or_else(refuse)?;
    let id: SessionId = format!("{}{id}", SessionId::PREFIX)
        .parse()
        .map_err(|_| refuse())?;
    let given = Digest::of(secret.as_bytes());
    let opened = store.session(&id)?.ok_or_else(refuse)?;
    let (session, user) = (opened.session, opened.user);
    let same: bool = given.as_bytes().ct_eq(session.secret.as_bytes()).into();
    let over = session.expires <= now || session.seen.after(lives.idle) <= now;
    if !same || over || user.disabled.is_some() {
        return Err(refuse());
    }
    Ok((session, user, secret))
}

/// Ends a session and records that.
///
/// # Errors
/// The store cannot be written.
pub fn end(ws: &Workspace, id: &SessionId, who: &str) -> Result<(), AppError> {
    let now = ws.now()?;
    if !ws.store.end_session(id)? {
        return Ok(());
    }
    let body = json!({"session": id, "user": who});
    let key = format!("session/{id}/ended");
    ws.record(STREAM, &key, "session-ended", now, who, None, body)
}

/// The CSRF token of a session's secret.
fn csrf_of(secret: &str) -> String {
    let text = format!("gonogo CSRF token, version 1\n{secret}");
    URL_SAFE_NO_PAD.encode(Digest::of(text.as_bytes()).as_bytes())
}

/// Refuses what changes something without the CSRF token of the session that the cookie's value `text` shows.
///
/// # Errors
/// [`Reason::CsrfMissing`].
pub fn must_have_csrf(text: &str, given: Option<&str>) -> Result<(), AppError> {
    let secret = text.split_once('_').map_or("", |(_, secret)| secret);
    let wanted = csrf_of(secret);
    let same: bool = given
        .unwrap_or_default()
        .as_bytes()
        .ct_eq(wanted.as_bytes())
        .into();
    if same {
        return Ok(());
    }
    let text = match given {
        None => "the request has a session's cookie and no `X-CSRF-Token`",
        Some(_) => "`X-CSRF-Token` is not the session's",
    };
    Err(AppError::new(Reason::CsrfMissing, text))
}
