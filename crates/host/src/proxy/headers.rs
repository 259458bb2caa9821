//! Header rules of an intermediary: what is dropped, what is added, and the two shapes of a request (HTTP/1 and HTTP/2).
//!
//! Sources: RFC 9110 sections 7.2 (Host), 7.6 (hop-by-hop, Via), 10.1.4 (TE); RFC 9112 section 3.2 (request target); RFC 9113 sections
//! 8.2 (connection-specific fields, cookie crumbs) and 8.3 (pseudo-header fields).

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, Entry, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Method, Uri, Version, request};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

const MAX_FORWARDS: HeaderName = HeaderName::from_static("max-forwards");

/// What a request asks of this hop, kept while the fields that say so are dropped.
pub(super) struct Ask {
    /// `TE: trailers`.
    trailers: bool,
    /// Protocols of an upgrade that may be tunnelled.
    pub(super) upgrade: Option<HeaderValue>,
    /// Host as the client named it.
    host: Option<HeaderValue>,
}

/// Why a well-framed request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No or several `Host` fields, or one that is not an authority (RFC 9112 section 3.2).
    Host,
    /// `CONNECT`: this is a gateway, not a tunnel.
    Connect,
    /// `Max-Forwards` has run out (RFC 9110 section 7.6.2).
    LastHop,
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .any(|t| {
            t.split(';')
                .next()
                .is_some_and(|t| t.trim().eq_ignore_ascii_case(token))
        })
}

/// Drops the fields that belong to one hop, and those that `Connection` names.
fn strip(headers: &mut HeaderMap) {
    if let Entry::Occupied(entry) = headers.entry(CONNECTION) {
        let (_, values) = entry.remove_entry_mult();
        let values: Vec<HeaderValue> = values.collect();
        for name in values
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(','))
            .map(str::trim)
        {
            // The common values name no field.
            if name.eq_ignore_ascii_case("keep-alive") || name.eq_ignore_ascii_case("close") {
                continue;
            }
            if let Ok(name) = HeaderName::from_bytes(name.as_bytes())
                && name != HOST
                && name != CONTENT_LENGTH
            {
                headers.remove(name);
            }
        }
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &HTTP2_SETTINGS] {
        headers.remove(name);
    }
    for name in [TE, UPGRADE] {
        headers.remove(name);
    }
    if headers.remove(TRANSFER_ENCODING).is_some() {
        // It overrides a length, which must not travel on (RFC 9112 section 6.3).
        headers.remove(CONTENT_LENGTH);
    }
    one_length(headers);
}

/// Writes a repeated length once; the library has refused those that differ (RFC 9110 section 8.6).
fn one_length(headers: &mut HeaderMap) {
    let Some(first) = headers.get(CONTENT_LENGTH) else {
        return;
    };
    let list = first.as_bytes().contains(&b',');
    if !list && headers.get_all(CONTENT_LENGTH).iter().nth(1).is_none() {
        return;
    }
    let text = first.to_str().ok().and_then(|v| v.split(',').next());
    let length = text.and_then(|v| v.trim().parse::<u64>().ok());
    match length {
        Some(length) => headers.insert(CONTENT_LENGTH, HeaderValue::from(length)),
        None => headers.remove(CONTENT_LENGTH),
    };
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2 gonogo",
        Version::HTTP_10 => "1.0 gonogo",
        _ => "1.1 gonogo",
    }
}

/// Appends to a list field, in one field line.
fn append(headers: &mut HeaderMap, name: HeaderName, item: &HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(item.clone());
        }
        Entry::Occupied(mut entry) => {
            let mut list = Vec::new();
            for value in entry.iter() {
                list.extend_from_slice(value.as_bytes());
                list.extend_from_slice(b", ");
            }
            list.extend_from_slice(item.as_bytes());
            if let Ok(value) = HeaderValue::from_bytes(&list) {
                entry.insert(value);
            }
        }
    }
}

/// Checks a request and drops and adds everything that does not depend on the slot.
pub(super) fn receive(parts: &mut request::Parts, client: &HeaderValue) -> Result<Ask, Refusal> {
    if parts.method == Method::CONNECT {
        return Err(Refusal::Connect);
    }
    let host = host_of(parts)?;
    if parts.method == Method::TRACE || parts.method == Method::OPTIONS {
        count_forward(&mut parts.headers)?;
    }
    let headers = &mut parts.headers;
    let upgrade = match headers.get(UPGRADE) {
        Some(value)
            if parts.version == Version::HTTP_11 && has_token(headers, &CONNECTION, "upgrade") =>
        {
            // An upgrade to HTTP/2 would be answered by the upstream and hide requests from this proxy.
            let tunnelled =
                !has_token(headers, &UPGRADE, "h2c") && !has_token(headers, &UPGRADE, "h2");
            tunnelled.then(|| value.clone())
        }
        _ => None,
    };
    let ask = Ask {
        trailers: headers.contains_key(TE) && has_token(headers, &TE, "trailers"),
        upgrade,
        host,
    };
    strip(headers);
    if parts.version == Version::HTTP_2 {
        join_cookies(headers);
    }
    append(
        headers,
        VIA,
        &HeaderValue::from_static(protocol(parts.version)),
    );
    append(headers, X_FORWARDED_FOR, client);
    headers
        .entry(X_FORWARDED_PROTO)
        .or_insert(HeaderValue::from_static("http"));
    if let Some(host) = &ask.host {
        headers
            .entry(X_FORWARDED_HOST)
            .or_insert_with(|| host.clone());
    }
    Ok(ask)
}

/// The one host of a request: the authority of an absolute target or of HTTP/2, else the `Host` field.
fn host_of(parts: &request::Parts) -> Result<Option<HeaderValue>, Refusal> {
    let mut fields = parts.headers.get_all(HOST).iter();
    let (field, more) = (fields.next(), fields.next());
    if more.is_some() {
        return Err(Refusal::Host);
    }
    if let Some(authority) = parts.uri.authority() {
        // User information never travels in Host (RFC 9110 section 7.2).
        let bare = authority.as_str().rsplit('@').next().unwrap_or_default();
        return HeaderValue::from_str(bare)
            .map(Some)
            .map_err(|_| Refusal::Host);
    }
    match field {
        None if parts.version == Version::HTTP_11 => Err(Refusal::Host),
        Some(value) if !value.is_empty() && !plausible_host(value.as_bytes()) => Err(Refusal::Host),
        other => Ok(other.filter(|v| !v.is_empty()).cloned()),
    }
}

fn plausible_host(host: &[u8]) -> bool {
    host.iter()
        .all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:[]%".contains(b))
}

fn count_forward(headers: &mut HeaderMap) -> Result<(), Refusal> {
    let Some(left) = headers
        .get(&MAX_FORWARDS)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u32>().ok())
    else {
        return Ok(());
    };
    let left = left.checked_sub(1).ok_or(Refusal::LastHop)?;
    headers.insert(MAX_FORWARDS, HeaderValue::from(left));
    Ok(())
}

fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    if crumbs.next().is_none() || crumbs.next().is_none() {
        return;
    }
    let joined = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect::<Vec<_>>()
        .join(&b"; "[..]);
    if let Ok(value) = HeaderValue::from_bytes(&joined) {
        headers.insert(COOKIE, value);
    }
}

/// Gives a received request the shape of HTTP/1.1. May be called again, also after [`shape_h2`].
pub(super) fn shape_h1(
    parts: &mut request::Parts,
    ask: &Ask,
    authority: &Authority,
    unknown_length: bool,
) {
    parts.version = Version::HTTP_11;
    if parts.uri.authority().is_some() {
        parts.uri = parts
            .uri
            .path_and_query()
            .cloned()
            .map_or_else(|| Uri::from_static("/"), Uri::from);
    }
    let headers = &mut parts.headers;
    let host = ask
        .host
        .clone()
        .or_else(|| HeaderValue::from_str(authority.as_str()).ok());
    if let Some(host) = host {
        headers.insert(HOST, host);
    }
    let connection = match (&ask.upgrade, ask.trailers) {
        (Some(_), true) => Some("upgrade, te"),
        (Some(_), false) => Some("upgrade"),
        (None, true) => Some("te"),
        (None, false) => None,
    };
    if let Some(connection) = connection {
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
    }
    if ask.trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let Some(upgrade) = &ask.upgrade {
        headers.insert(UPGRADE, upgrade.clone());
    }
    if unknown_length {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
}

/// Gives a received request the shape of HTTP/2. May be called again, also after [`shape_h1`].
pub(super) fn shape_h2(parts: &mut request::Parts, ask: &Ask, authority: &Authority) {
    parts.version = Version::HTTP_2;
    let named = ask
        .host
        .as_ref()
        .and_then(|h| Authority::try_from(h.as_bytes()).ok());
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(Scheme::HTTP);
    uri.authority = Some(named.unwrap_or_else(|| authority.clone()));
    uri.path_and_query = Some(
        parts
            .uri
            .path_and_query()
            .cloned()
            .unwrap_or_else(|| PathAndQuery::from_static("/")),
    );
    if let Ok(uri) = Uri::from_parts(uri) {
        parts.uri = uri;
    }
    let headers = &mut parts.headers;
    for name in [HOST, CONNECTION, UPGRADE, TRANSFER_ENCODING, TE] {
        headers.remove(name);
    }
    if ask.trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// Drops and adds response fields. `switching` keeps what a 101 must say (RFC 9110 section 7.8).
pub(super) fn respond(parts: &mut http::response::Parts, switching: bool) {
    let upgrade = if switching {
        parts.headers.get(UPGRADE).cloned()
    } else {
        None
    };
    strip(&mut parts.headers);
    let version = parts.version;
    append(
        &mut parts.headers,
        VIA,
        &HeaderValue::from_static(protocol(version)),
    );
    if switching {
        parts
            .headers
            .insert(CONNECTION, HeaderValue::from_static("upgrade"));
        if let Some(upgrade) = upgrade {
            parts.headers.insert(UPGRADE, upgrade);
        }
    }
    // The server side speaks its own version (RFC 9112 section 2.3).
    parts.version = Version::HTTP_11;
}
