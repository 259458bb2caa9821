//! Who is let in: the host that is asked for, the page that asks, and the token or session that is shown.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method};
use axum::middleware::Next;
use axum::response::Response;
use gonogo_app::AppError;
use gonogo_app::access::admission::Shown;
use gonogo_app::access::oidc::{Issuer, Wants};
use gonogo_app::access::{Principal, sessions};
use gonogo_app::project::Generation;
use gonogo_core::Reason;
use gonogo_core::clock::Now;

use super::Door;
use crate::crowd::Peer;

/// The header that only a page of this server can send with a session's cookie.
const CSRF: &str = "x-csrf-token";

/// Lets a request in, says in whose name it is, and counts it in that name. Every door of the network goes through here.
pub(crate) fn enter(door: &Door, parts: &Parts) -> Result<Principal, AppError> {
    entered(door, parts, None).map(|who| (*who).clone())
}

/// As [`enter`], where the store's generation was asked for already.
pub(super) fn entered(
    door: &Door,
    parts: &Parts,
    looked: Option<Generation>,
) -> Result<Arc<Principal>, AppError> {
    let who = seen(door, parts, looked)?;
    door.admission.count(&who, now(door))?;
    Ok(who)
}

/// Says in whose name a request is, as things are now, and counts nothing: for what goes on in a request that was let in.
pub(crate) fn who(door: &Door, parts: &Parts) -> Result<Principal, AppError> {
    seen(door, parts, None).map(|who| (*who).clone())
}

fn seen(
    door: &Door,
    parts: &Parts,
    looked: Option<Generation>,
) -> Result<Arc<Principal>, AppError> {
    host(door, parts)?;
    let shown = shown(parts)?;
    if let (Shown::Nothing, Some(dev)) = (&shown, &door.dev) {
        return Ok(Arc::new(dev.clone()));
    }
    let (root, now) = (door.lanes.project().root(), now(door));
    let admitted = door
        .admission
        .admit(&root.store, shown, looked, peer(parts), now)?;
    if let Some(session) = admitted.note {
        let store = Arc::clone(&root.store);
        // Where that cannot be noted, the session ends a little earlier.
        drop(tokio::task::spawn_blocking(move || {
            store.touch_session(&session, now.wall)
        }));
    }
    Ok(admitted.principal)
}

pub(super) fn now(door: &Door) -> Now {
    door.lanes.project().root().clock.now()
}

/// The address that a request came from.
pub(super) fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

/// What a request shows of who asks. A token counts before a cookie: only whoever made the request can have said it.
fn shown(parts: &Parts) -> Result<Shown<'_>, AppError> {
    let mut all = parts.headers.get_all(AUTHORIZATION).iter();
    match (all.next(), all.next()) {
        (None, _) => {}
        (Some(one), None) => {
            let bearer = one.to_str().ok().and_then(|text| text.split_once(' '));
            let bearer = bearer.filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
            let token = bearer.map(|(_, token)| token.trim());
            // What is no token is looked at like one, so that whoever tries is counted.
            return Ok(Shown::Bearer(token.unwrap_or_default()));
        }
        (Some(_), Some(_)) => return Ok(Shown::Bearer("")),
    }
    let Some(value) = session(&parts.headers) else {
        return Ok(Shown::Nothing);
    };
    // A browser says by itself which page asks, and no page can say otherwise.
    let site = text(&parts.headers, &HeaderName::from_static("sec-fetch-site"));
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        let text = "the request has a session's cookie and comes from a page of another site";
        return Err(AppError::new(Reason::HostRefused, text));
    }
    Ok(Shown::Cookie {
        value,
        changes: !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS),
        csrf: text(&parts.headers, &HeaderName::from_static(CSRF)),
    })
}

/// The value of the session's cookie.
pub(super) fn session(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter();
    let pairs = all.flat_map(|v| v.to_str().unwrap_or_default().split(';'));
    let mut own = pairs.filter_map(|p| p.trim().strip_prefix(sessions::COOKIE)?.strip_prefix('='));
    let first = own.next();
    // Two of them are none: which is meant cannot be told.
    match own.next() {
        None => first,
        Some(_) => Some(""),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|v| v.to_str().unwrap_or_default())
}

/// Before anything else: sees to it that the keys are there with which a token of the issuer can be checked. They are read beside the
/// network's threads, by one request at a time.
pub(super) async fn prepared(
    State(door): State<Arc<Door>>,
    request: Request,
    next: Next,
) -> Response {
    let token = text(request.headers(), &AUTHORIZATION).and_then(|t| t.split_once(' '));
    let token = token.map(|(_, token)| token.trim().to_owned());
    if let Some(token) = token.filter(|t| Issuer::may_be(t)) {
        match wants(&door, &token) {
            Wants::Nothing => {}
            Wants::Soon => drop(tokio::spawn(async move {
                keys(&door, &token).await;
            })),
            Wants::Now => keys(&door, &token).await,
        }
    }
    next.run(request).await
}

fn wants(door: &Door, token: &str) -> Wants {
    let issuer = door.admission.issuer.as_ref();
    issuer.map_or(Wants::Nothing, |issuer| issuer.wants(token, now(door)))
}

async fn keys(door: &Arc<Door>, token: &str) {
    let _one = door.reading_keys.lock().await;
    // Somebody else may have read them meanwhile.
    if wants(door, token) == Wants::Nothing {
        return;
    }
    let reading = Arc::clone(door);
    let read = move || {
        let issuer = reading.admission.issuer.as_ref();
        issuer.map_or(Ok(()), |issuer| issuer.refresh(now(&reading)))
    };
    if let Ok(Err(e)) = tokio::task::spawn_blocking(read).await {
        // Whoever runs the server has to know; callers are told what is wrong with their tokens.
        use std::io::Write;
        drop(writeln!(std::io::stderr(), "warning[{}]: {e}", e.reason));
    }
}

/// Refuses requests that a page of somebody else's made: one whose name was bound to this address, or of another origin.
pub(crate) fn host(door: &Door, parts: &Parts) -> Result<(), AppError> {
    let refuse = |text: &str| Err(AppError::new(Reason::HostRefused, text));
    let known = |host: &str| door.hosts.contains(&host.to_ascii_lowercase());
    let mut named = parts.headers.get_all(HOST).iter().peekable();
    // The target of the request counts where it has a host (RFC 9112, section 3.2.2); a header that says otherwise is refused too.
    let target = parts.uri.authority().map(|a| a.as_str());
    if target.is_none() && named.peek().is_none() {
        return refuse("the request names no host");
    }
    let headers: Vec<&str> = named.map(|v| v.to_str().unwrap_or_default()).collect();
    if headers.len() > 1 || !headers.iter().copied().chain(target).all(known) {
        return refuse("the request asks for a host that this server is not");
    }
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return Ok(());
    };
    let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
    let same = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(known);
    if same && origins.next().is_none() {
        return Ok(());
    }
    refuse("the request comes from a page of another origin")
}
