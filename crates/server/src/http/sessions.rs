//! Logging in with a password, and out again: `POST /v1/sessions`, `GET` and `DELETE /v1/sessions/current`.
//!
//! These are no use cases of the registry: whoever logs in is nobody yet, and a password must not pass through doors that keep what they
//! are given. Passwords are checked on threads of their own, two at a time; how often, is counted before.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use gonogo_app::AppError;
use gonogo_app::access::Means;
use gonogo_app::access::passwords::{LONGEST, Password};
use gonogo_app::access::sessions::{self, Begun, COOKIE};
use gonogo_app::doors::Done;
use gonogo_app::workspace::Caller;
use gonogo_core::envelope::Class;
use gonogo_core::{Exit, Reason};
use serde_json::{Value, json};

use super::reply::Reply;
use super::{Door, guard, request};

/// How long a login waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest name that is looked for.
const LONGEST_NAME: usize = 64;

/// `POST /v1/sessions`: `{user, password}`.
pub(super) async fn begin(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let reply = Reply::to(&parts.headers, "session_begin", Class::Plan);
    let begun = async {
        guard::host(&door, &parts)?;
        request::trace(&parts.headers)?;
        let asked = request::json(&parts.headers, body).await?;
        let (user, password) = asked_for(asked)?;
        log_in(&door, &parts, user, password, &reply.trace).await
    };
    match begun.await {
        Ok(begun) => {
            let most = door.admission.lives.most.as_millis() / 1000;
            let cookie = format!(
                "{COOKIE}={}; Path=/; Max-Age={most}; Secure; HttpOnly; SameSite=Strict",
                begun.cookie
            );
            with_cookie(reply.done(201, done(json!(begun.about))), &cookie)
        }
        Err(e) => reply.fail(&e),
    }
}

/// What is asked for. Messages never quote what was sent.
fn asked_for(asked: Value) -> Result<(String, Password), AppError> {
    let malformed = |text: &str, at: &str| {
        Err(AppError::new(Reason::InputMalformed, text).with("path", format!("$.{at}")))
    };
    let Value::Object(mut asked) = asked else {
        return malformed("the body is no JSON object", "");
    };
    let (user, password) = (asked.remove("user"), asked.remove("password"));
    if !asked.is_empty() {
        return malformed("only `user` and `password` are known here", "");
    }
    let user = match user {
        Some(Value::String(user)) if (1..=LONGEST_NAME).contains(&user.chars().count()) => user,
        _ => return malformed("`user` must be a text of 1 to 64 characters", "user"),
    };
    match password {
        Some(Value::String(text)) if (1..=LONGEST).contains(&text.chars().count()) => {
            Ok((user, Password::new(&text)))
        }
        _ => malformed(
            "`password` must be a text of 1 to 1024 characters",
            "password",
        ),
    }
}

async fn log_in(
    door: &Arc<Door>,
    parts: &Parts,
    user: String,
    password: Password,
    trace: &str,
) -> Result<Begun, AppError> {
    let from = guard::peer(parts);
    door.admission.may_try(&user, from, guard::now(door))?;
    let place = tokio::time::timeout(PATIENCE, door.logins.acquire()).await;
    let Ok(Ok(_place)) = place else {
        let text = "too many passwords are being checked";
        return Err(AppError::new(Reason::Overloaded, text));
    };
    let (at, trace, name) = (Arc::clone(door), trace.to_owned(), user.clone());
    let work = move || {
        let caller = Caller {
            name: Some(name.clone()),
            ..Caller::default()
        };
        let ws = at.lanes.project().workspace(caller, Some(trace));
        let ws = ws.map_err(|mut e| {
            at.lanes.warn(&e);
            // Nobody has shown yet who asks.
            e.details = json!({});
            e
        })?;
        sessions::begin(&ws, &name, &password, at.admission.lives)
    };
    let begun = tokio::task::spawn_blocking(work).await;
    let begun = begun.map_err(|e| AppError::new(Reason::Internal, e.to_string()))??;
    door.admission.was_right(&user, from, guard::now(door));
    Ok(begun)
}

/// `GET /v1/sessions/current`: whose session it is, until when, and its CSRF token.
pub(super) async fn current(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = Reply::to(&parts.headers, "session_get", Class::Read);
    let looked = || {
        guard::enter(&door, &parts)?;
        request::trace(&parts.headers)?;
        let value = guard::session(&parts.headers).ok_or_else(none)?;
        let store = &door.lanes.project().root().store;
        let lives = door.admission.lives;
        sessions::current(store, value, guard::now(&door).wall, lives)
    };
    match looked() {
        Ok(doc) => with_header(reply.done(200, done(json!(doc))), CACHE_CONTROL, "no-store"),
        Err(e) => reply.fail(&e),
    }
}

/// `DELETE /v1/sessions/current`.
pub(super) async fn end(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let reply = Reply::to(&parts.headers, "session_end", Class::Plan);
    let ended = async {
        let who = guard::enter(&door, &parts)?;
        request::trace(&parts.headers)?;
        let Means::Session(id) = &who.means else {
            return Err(none());
        };
        let id = id
            .parse()
            .map_err(|_| AppError::new(Reason::Internal, "a session without an id"))?;
        let (at, trace) = (Arc::clone(&door), reply.trace.clone());
        let work = move || {
            let ws = at.lanes.project().workspace(who.caller(), Some(trace))?;
            sessions::end(&ws, &id, &who.name)
        };
        let ended = tokio::task::spawn_blocking(work).await;
        ended.map_err(|e| AppError::new(Reason::Internal, e.to_string()))?
    };
    match ended.await {
        Ok(()) => {
            let cookie = format!("{COOKIE}=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");
            with_cookie(reply.done(200, done(json!({"ended": true}))), &cookie)
        }
        Err(e) => reply.fail(&e),
    }
}

fn none() -> AppError {
    AppError::new(
        Reason::InputNotFound,
        "the request is not part of a session",
    )
}

fn done(data: Value) -> Done {
    Done {
        data,
        handle: None,
        exit: Exit::Done,
    }
}

fn with_cookie(response: Response, cookie: &str) -> Response {
    let response = with_header(response, SET_COOKIE, cookie);
    with_header(response, CACHE_CONTROL, "no-store")
}

fn with_header(mut response: Response, name: HeaderName, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
    response
}
