//! Header fields of a hop: what a proxy must not pass on (RFC 9110 section 7.6.1), and what is not kept.

use http::HeaderMap;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, HeaderValue, TE, TRANSFER_ENCODING,
    UPGRADE,
};

const HOP: [&str; 6] = [
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "http2-settings",
    "proxy-authentication-info",
];

/// Drops the fields of the hop. `TE: trailers` is all that is left of `TE`.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    let trailers = headers.get_all(TE).iter().any(|value| {
        let text = value.to_str().unwrap_or_default();
        text.split(',')
            .any(|t| t.trim().eq_ignore_ascii_case("trailers"))
    });
    for name in named {
        // A message that names its own frame there would lose it.
        if name != CONTENT_LENGTH && name != HOST {
            headers.remove(name);
        }
    }
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE, TE, EXPECT] {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
}

/// The protocol that a request wants to change to, if it is one that cannot be ignored. A server may go on with HTTP/1.1 where a
/// client offers `h2c` (RFC 9110 section 7.8), and Java's client always does.
pub(crate) fn upgrade(headers: &HeaderMap) -> Option<String> {
    let wanted = headers.get(UPGRADE)?.to_str().unwrap_or("?");
    let mut protocols = wanted.split(',').map(str::trim);
    let other = protocols.find(|p| !p.eq_ignore_ascii_case("h2c") && !p.is_empty())?;
    Some(other.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_connection_names_goes_too() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Hop"),
            ("x-hop", "1"),
            ("x-end", "2"),
            ("te", "gzip, trailers"),
            ("proxy-authorization", "Basic x"),
            ("transfer-encoding", "chunked"),
            ("trailer", "x-sum"),
            ("expect", "100-continue"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["te", "trailer", "x-end"]);
        assert_eq!(headers[TE], "trailers");
    }

    #[test]
    fn h2c_can_be_ignored_and_websocket_not() {
        let mut headers = HeaderMap::new();
        assert_eq!(upgrade(&headers), None);
        headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
        assert_eq!(upgrade(&headers), None);
        headers.insert(UPGRADE, HeaderValue::from_static("WebSocket"));
        assert_eq!(upgrade(&headers).as_deref(), Some("WebSocket"));
    }
}
