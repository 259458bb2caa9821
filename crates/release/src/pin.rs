//! Pins: an environment's service held to one version. Pure: what a text names is found by the caller, and comes in as content.
//!
//! A pin is a name that somebody said and the content that it meant then. The content counts: the same name over other bytes is
//! another version. A name that moves, such as a branch or `latest`, cannot be pinned: it would pin nothing.

use gonogo_core::{Digest, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pin was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// By a version's name, which is a tag's.
    Tag,
    /// By the digest of a version's description, or of one of its files.
    Digest,
    /// By a commit's whole name.
    Commit,
}

/// A pin. A stored format: the ledger holds it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// Where.
    pub environment: String,
    /// The version's name.
    pub version: String,
    /// Digest of the version's whole description, files included.
    pub content: Digest,
    /// What somebody named it by.
    pub named: Named,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// The person whom an agent acted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// What a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names<'a> {
    /// A version by its name, which may be a tag or a whole commit.
    Version(&'a str, Named),
    /// A digest.
    Digest(Digest),
}

/// Why a text can name no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// It moves by its nature.
    #[error("`{0}` moves: it names another version tomorrow")]
    Moves(String),
    /// It is the beginning of a commit's name.
    #[error("`{0}` looks like a shortened commit, which may come to mean another one")]
    Short(String),
    /// It is the path of a branch or a remote.
    #[error("`{0}` is the path of a branch, and a branch moves")]
    Path(String),
    /// It is no digest.
    #[error("`{0}` is no digest: `sha256:` and 64 lower-case hex digits")]
    Digest(String),
}

/// Names that move wherever they are used.
const MOVING: [&str; 20] = [
    "canary",
    "current",
    "default",
    "dev",
    "develop",
    "edge",
    "fetch_head",
    "head",
    "latest",
    "live",
    "main",
    "master",
    "next",
    "nightly",
    "prod",
    "production",
    "release",
    "stable",
    "tip",
    "trunk",
];

/// Reads what somebody wants to pin to.
///
/// # Errors
/// [`PinError`]: it does not name one version for good.
pub fn read(text: &str) -> Result<Names<'_>, PinError> {
    let told = || text.chars().take(80).collect::<String>();
    if text.starts_with("sha256:") {
        return text
            .parse()
            .map(Names::Digest)
            .map_err(|_| PinError::Digest(told()));
    }
    if text.contains('/') || text.contains("@{") || text.contains('~') || text.contains('^') {
        return Err(PinError::Path(told()));
    }
    let lower = text.to_ascii_lowercase();
    if MOVING.contains(&lower.as_str()) {
        return Err(PinError::Moves(told()));
    }
    let hex = !text.is_empty() && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mixed =
        text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_lowercase());
    match text.len() {
        40 | 64 if hex => Ok(Names::Version(text, Named::Commit)),
        7..=63 if hex && mixed => Err(PinError::Short(told())),
        _ => Ok(Names::Version(text, Named::Tag)),
    }
}

/// Why `version` with this content may not be applied under `pin`; none if it is the pinned one.
pub fn blocks(pin: &Pin, version: &str, content: Option<Digest>) -> Option<String> {
    if content == Some(pin.content) {
        return None;
    }
    let what = if version == pin.version {
        format!(
            "version `{version}` has other content here than the one that `{}` is pinned to, {}",
            pin.environment, pin.content
        )
    } else {
        format!(
            "`{}` is pinned to version `{}`, and this is `{version}`",
            pin.environment, pin.version
        )
    };
    let by = match &pin.on_behalf_of {
        Some(person) => format!("{} for {person}", pin.by),
        None => pin.by.clone(),
    };
    Some(format!(
        "{what}; pinned by {by} on {}: {}",
        pin.since, pin.reason
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_can_be_pinned() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let digest = Digest::of(b"version");
        for (text, named) in [
            ("1.4.0", Named::Tag),
            ("v2+build.7", Named::Tag),
            ("20260131", Named::Tag),
            ("release-7", Named::Tag),
            ("facade", Named::Tag),
            (commit, Named::Commit),
            (digest.hex().as_str(), Named::Commit),
        ] {
            assert_eq!(read(text), Ok(Names::Version(text, named)), "{text}");
        }
        assert_eq!(read(&digest.to_string()), Ok(Names::Digest(digest)));
        for text in ["main", "Master", "HEAD", "latest", "trunk", "stable"] {
            assert_eq!(read(text), Err(PinError::Moves(text.into())));
        }
        for text in ["0123abc", &commit[..12], &commit[..39]] {
            assert_eq!(read(text), Err(PinError::Short(text.into())));
        }
        for text in ["origin/main", "refs/heads/main", "main@{1}", "v1~2", "v1^"] {
            assert_eq!(read(text), Err(PinError::Path(text.into())));
        }
        for text in ["sha256:", "sha256:abc"] {
            assert_eq!(read(text), Err(PinError::Digest(text.into())));
        }
    }

    #[test]
    fn the_content_counts_and_not_the_name() {
        let pin = Pin {
            environment: "prod".into(),
            version: "1.0.0".into(),
            content: Digest::of(b"one"),
            named: Named::Tag,
            reason: "2.0.0 loses orders".into(),
            by: "ann".into(),
            on_behalf_of: None,
            since: Timestamp::from_millis(0),
        };
        assert_eq!(blocks(&pin, "1.0.0", Some(Digest::of(b"one"))), None);
        // The same bytes under another name are the same version.
        assert_eq!(blocks(&pin, "1.0", Some(Digest::of(b"one"))), None);
        let other = blocks(&pin, "2.0.0", Some(Digest::of(b"two"))).unwrap();
        assert!(
            other.contains("pinned to version `1.0.0`") && other.contains("by ann"),
            "{other}"
        );
        let same = blocks(&pin, "1.0.0", Some(Digest::of(b"two"))).unwrap();
        assert!(same.contains("other content"), "{same}");
        // What has no digest is nothing that could be the pinned one.
        assert!(blocks(&pin, "1.0.0", None).is_some());
    }
}
