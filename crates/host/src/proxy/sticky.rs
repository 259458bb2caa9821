//! Session affinity: the cookie's value is a bucket, a number drawn once per client that says nothing about slots.
//!
//! Which slot a bucket falls to is the routing table's business (see `table`), so a change of weights moves exactly the clients whose
//! buckets it moves. A value that is no bucket counts as none; anybody can choose a bucket by hand, which selects nothing that a
//! client without a cookie could not be given.

use http::header::{COOKIE, HeaderMap, HeaderValue};

use super::{FULL_WEIGHT, ProxyError, Sticky};

/// A point in the range that the weights divide: 0 to [`FULL_WEIGHT`], the end excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bucket(u32);

impl Bucket {
    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        Self(rng.u32(0..FULL_WEIGHT))
    }

    /// Reads a cookie value: decimal digits without sign or leading zeros, as they were written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let canonical = text.bytes().all(|b| b.is_ascii_digit())
            && (text.len() == 1 || (2..=4).contains(&text.len()) && !text.starts_with('0'));
        canonical
            .then(|| text.parse().ok())
            .flatten()
            .filter(|n| *n < FULL_WEIGHT)
            .map(Self)
    }

    pub(super) fn number(self) -> u32 {
        self.0
    }
}

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

/// The `Set-Cookie` value that gives a client its bucket.
pub(super) fn set_cookie(sticky: &Sticky, bucket: Bucket) -> Option<HeaderValue> {
    let text = format!(
        "{}={}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax",
        sticky.cookie,
        bucket.0,
        sticky.ttl.as_secs()
    );
    HeaderValue::from_str(&text).ok()
}

/// The bucket in a request.
///
/// RFC 6265 leaves the order of cookies with one name to the client, so the first that is a bucket wins: a foreign cookie of the same
/// name, which a new `Set-Cookie` would not replace, must not make the client drift.
pub(super) fn find(sticky: &Sticky, headers: &HeaderMap) -> Option<Bucket> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(name, _)| name.trim() == sticky.cookie)
        .find_map(|(_, value)| Bucket::parse(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_is_a_bucket() {
        for n in [0, 1, 9, 10, 4_711, 9_999] {
            assert_eq!(Bucket::parse(&n.to_string()), Some(Bucket(n)));
        }
        let bad =
            "|00|01|0042|+1|-1|1.0|1e3|0x1| 1|10000|99999|4294967297|\u{661}|blue~blue-1|\"1\"";
        for text in bad.split('|') {
            assert_eq!(Bucket::parse(text), None, "{text:?}");
        }
    }
}
