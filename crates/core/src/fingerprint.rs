//! Fingerprints of plans. `v2:sha256:<hex>` is the digest of the plan body's canonical form; the older request hash stays
//! computable so that both can be stored side by side and compared.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::canonical::{self, CanonicalError};
use crate::digest::{Digest, DigestError};
use crate::text::stored_as_text;

/// Names the exact content of a plan: `v2:sha256:<64 hex>` over RFC 8785 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Digest);

impl Fingerprint {
    /// Fingerprints `body`.
    ///
    /// # Errors
    /// [`CanonicalError`] if `body` has no canonical form.
    pub fn of<T: Serialize + ?Sized>(body: &T) -> Result<Self, CanonicalError> {
        canonical::to_vec(body).map(|bytes| Self(Digest::of(&bytes)))
    }

    /// Returns the digest behind the version prefix.
    pub const fn digest(&self) -> Digest {
        self.0
    }

    /// Returns the first hex digits, for people; never for comparison.
    pub fn short(&self) -> String {
        self.0.hex()[..8].to_owned()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v2:{}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix("v2:")
            .ok_or_else(|| FingerprintError::Version(text.chars().take(80).collect()))?;
        Ok(Self(rest.parse()?))
    }
}

stored_as_text!(Fingerprint, "^v2:sha256:[0-9a-f]{64}$");

/// A text that is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// Another or no version prefix.
    #[error("`{0}` is not a fingerprint: expected `v2:sha256:` and 64 hex digits")]
    Version(String),
    /// A bad digest behind the prefix.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// Returns the older request hash: lower-case hex SHA-256 of compact JSON with the keys `manifestPath` (trimmed),
/// `policyPack`, `region` (default `us-east-1`) and `codePath`, in that order.
///
/// It names the request and not the content, so it is stored for comparison only and decides nothing.
pub fn legacy_request_hash(
    manifest_path: &str,
    policy_pack: Option<&str>,
    region: Option<&str>,
    code_path: Option<&str>,
) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let json = format!(
        r#"{{"manifestPath":{},"policyPack":{},"region":{},"codePath":{}}}"#,
        quoted(manifest_path.trim()),
        quoted(policy_pack.unwrap_or_default()),
        quoted(region.unwrap_or("us-east-1")),
        quoted(code_path.unwrap_or_default()),
    );
    Digest::of(json.as_bytes()).hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_hash_matches_the_published_vector() {
        let want = "6a5bc8cf5f9ba2b590f5da00ce280990d18107b346aef76d1fe87f72d09f3538";
        assert_eq!(
            legacy_request_hash("examples/lambda-sqs.yaml", None, None, None),
            want
        );
        assert_eq!(
            legacy_request_hash(
                "  examples/lambda-sqs.yaml ",
                Some(""),
                Some("us-east-1"),
                None
            ),
            want
        );
    }

    #[test]
    fn key_order_and_spacing_do_not_matter_content_does() {
        let a = Fingerprint::of(&canonical::parse(br#"{"a":1,"b":[2]}"#).unwrap()).unwrap();
        let b = Fingerprint::of(&canonical::parse(br#"{ "b": [ 2 ], "a": 1 }"#).unwrap()).unwrap();
        let c = Fingerprint::of(&canonical::parse(br#"{"a":1,"b":[3]}"#).unwrap()).unwrap();
        assert_eq!(a, b);
        assert_ne!(a, c);
        assert_eq!(a.to_string().parse(), Ok(a));
        assert!("v1:sha256:00".parse::<Fingerprint>().is_err());
    }
}
