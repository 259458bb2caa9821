//! Who is let in: the host that is asked for, the page that asks, and the token.

use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use gonogo_app::AppError;
use gonogo_app::access::{Principal, tokens};
use gonogo_core::Reason;

use super::Door;

/// Lets a request in, and says in whose name it is.
pub(super) fn enter(door: &Door, parts: &Parts) -> Result<Principal, AppError> {
    host(door, parts)?;
    let text = parts.headers.get(AUTHORIZATION).map(|v| v.to_str());
    let token = match text {
        None => None,
        Some(text) => {
            let bearer = text.ok().and_then(|t| t.split_once(' '));
            let bearer = bearer.filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
            Some(bearer.map(|(_, token)| token.trim()).ok_or_else(nobody)?)
        }
    };
    match (token, &door.dev) {
        (Some(token), _) => {
            let root = door.lanes.project().root();
            tokens::principal(&root.store, token, root.clock.now().wall)
        }
        (None, Some(dev)) => Ok(dev.clone()),
        (None, None) => Err(nobody()),
    }
}

fn nobody() -> AppError {
    AppError::new(
        Reason::Unauthenticated,
        "the request carries no bearer token",
    )
}

/// Refuses requests that a page of somebody else's made: one whose name was bound to this address, or of another origin.
pub(super) fn host(door: &Door, parts: &Parts) -> Result<(), AppError> {
    let asked = parts.headers.get(HOST).and_then(|h| h.to_str().ok());
    let asked = asked.or(parts.uri.authority().map(|a| a.as_str()));
    let known = asked.is_some_and(|h| door.hosts.contains(&h.to_ascii_lowercase()));
    if !known {
        let text = "the request asks for a host that this server is not";
        return Err(AppError::new(Reason::HostRefused, text));
    }
    let Some(origin) = parts.headers.get(ORIGIN) else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
    let same = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(|host| door.hosts.contains(host));
    if same {
        return Ok(());
    }
    let text = "the request comes from a page of another origin";
    Err(AppError::new(Reason::HostRefused, text))
}
