//! Session affinity: the cookie's value names slot and version, and is compared, never interpreted.

use http::header::{COOKIE, HeaderMap, HeaderValue};

use super::{ProxyError, SlotRoute, Sticky};

/// Whether a cookie name is an RFC 9110 token.
pub(super) fn check(sticky: &Sticky) -> Result<(), ProxyError> {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if !sticky.cookie.is_empty() && sticky.cookie.bytes().all(token) {
        return Ok(());
    }
    Err(ProxyError::Cookie {
        name: sticky.cookie.clone(),
    })
}

/// The cookie value for a slot and version: `slot~version`, everything but letters, digits, `-`, `_` and `.` percent-encoded.
pub(super) fn token(route: &SlotRoute) -> String {
    let mut out = String::new();
    for (i, part) in [&route.slot, &route.version].into_iter().enumerate() {
        if i > 0 {
            out.push('~');
        }
        for b in part.bytes() {
            if b.is_ascii_alphanumeric() || b"-_.".contains(&b) {
                out.push(char::from(b));
            } else {
                out.push('%');
                out.extend(
                    [b >> 4, b & 15].map(|d| char::from_digit(u32::from(d), 16).unwrap_or('0')),
                );
            }
        }
    }
    out
}

/// The `Set-Cookie` value that binds a client to a token.
pub(super) fn set_cookie(sticky: &Sticky, token: &str) -> Option<HeaderValue> {
    let text = format!(
        "{}={token}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
        sticky.cookie,
        sticky.ttl.as_secs()
    );
    HeaderValue::from_str(&text).ok()
}

/// The value of the affinity cookie in a request; the first one wins (RFC 6265 leaves the order to the client).
pub(super) fn find<'h>(sticky: &Sticky, headers: &'h HeaderMap) -> Option<&'h str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            (name.trim() == sticky.cookie).then(|| value.trim())
        })
}
