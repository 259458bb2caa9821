//! Typed ids: a prefix that names the kind and lower-case base-32 text that people can read aloud (no i, l, o, u).
//!
//! Ids are minted from bytes that the caller brings (random, or a digest), so this module needs no randomness.

use std::fmt;
use std::str::FromStr;

use crate::text::stored_as_text;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// How many characters follow the prefix of a minted id: 60 bits.
pub const LENGTH: usize = 12;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The kind's prefix, with the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Mints an id from the first 60 bits of `bytes`.
            pub fn mint(bytes: [u8; 8]) -> Self {
                Self(format!(concat!($prefix, "{}"), encode(bytes)))
            }

            /// Returns the id's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                well_formed(text, $prefix).map(Self)
            }
        }

        stored_as_text!(
            $name,
            concat!("^", $prefix, "[0-9a-hjkmnp-tv-z]{12}$")
        );
    )*};
}

ids! {
    /// A plan's id, minted from its fingerprint: the same plan has the same id.
    PlanId = "pln_";
    /// An approval's id.
    ApprovalId = "apr_";
    /// A delegation's id.
    DelegationId = "dlg_";
    /// An incident's id.
    IncidentId = "inc_";
    /// An operation's id: one application of one plan.
    OperationId = "op_";
    /// A run's id: one dry run.
    RunId = "run_";
    /// A freeze that somebody declared.
    FreezeId = "frz_";
    /// A token's id: the part of it that is no secret.
    TokenId = "tok_";
    /// A session's id: the part of it that is no secret.
    SessionId = "ses_";
}

fn encode(bytes: [u8; 8]) -> String {
    let bits = u64::from_be_bytes(bytes);
    (0..LENGTH)
        .map(|i| char::from(ALPHABET[(bits >> (59 - 5 * i)) as usize & 31]))
        .collect()
}

fn well_formed(text: &str, prefix: &'static str) -> Result<String, IdError> {
    match text.strip_prefix(prefix) {
        Some(rest) if rest.len() == LENGTH && rest.bytes().all(|b| ALPHABET.contains(&b)) => {
            Ok(text.to_owned())
        }
        _ => Err(IdError {
            text: text.chars().take(80).collect(),
            prefix,
        }),
    }
}

/// A text that is no id of the asked kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not an id: expected `{prefix}` and 12 characters of 0-9, a-z without i, l, o, u"
)]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mints_readable_text_that_parses_back() {
        let id = PlanId::mint([0xff, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]);
        assert_eq!(id.as_str().len(), 4 + LENGTH);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        assert!(id.as_str().parse::<OperationId>().is_err());
        assert!("pln_short".parse::<PlanId>().is_err());
        assert!("pln_iiiiiiiiiiii".parse::<PlanId>().is_err());
        assert_ne!(
            PlanId::mint([0; 8]),
            PlanId::mint([0, 0, 0, 0, 0, 0, 0, 16])
        );
    }
}
