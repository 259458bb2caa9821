//! Key events: records of the `system` stream that say whose signature counts, from which leaf on and until when.
//!
//! The first record of a log enrols the controller's key and is signed by that same key; the log key vouches for it by
//! signing a tree that has it at index 0. Every later event is signed by an enrolled controller key. A key counts for the
//! leaves after its enrolment and before its revocation.

use serde_json::{Value, json};

use crate::error::Error;
use crate::key::{KeyId, PublicKey};
use crate::statement::Fields;

/// The stream that holds key events.
pub const SYSTEM_STREAM: &str = "system";

/// The predicate's name.
pub const KIND: &str = "key-event";

/// The role that may sign key events and packet manifests.
pub const CONTROLLER: &str = "controller";

/// What a key event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyEvent {
    /// From the next leaf on, signatures by this key count.
    Enrol {
        /// The key.
        key: PublicKey,
        /// Whose it is.
        who: String,
        /// What it may sign: [`CONTROLLER`], or a role that the reader's policy knows.
        role: String,
    },
    /// From this leaf on, signatures by this key do not count.
    Revoke {
        /// The key's name.
        key: KeyId,
        /// Why.
        why: String,
    },
}

impl KeyEvent {
    /// Returns the predicate's body.
    pub fn to_body(&self) -> Value {
        match self {
            Self::Enrol { key, who, role } => json!({
                "event": "enrol", "keyid": key.id().to_string(), "spki": key.base64(), "who": who, "role": role,
            }),
            Self::Revoke { key, why } => {
                json!({"event": "revoke", "keyid": key.to_string(), "why": why})
            }
        }
    }

    /// Reads a predicate's body.
    ///
    /// # Errors
    /// [`Error::Statement`] or [`Error::Key`] naming the field at fault; the key id must be the key's.
    pub fn from_body(body: &Value) -> Result<Self, Error> {
        let mut fields = Fields::of(body.clone(), "key event")?;
        let keyid = KeyId::parse(&fields.text("keyid")?)?;
        let event = match fields.text("event")?.as_str() {
            "enrol" => {
                let key = PublicKey::from_base64(&fields.text("spki")?)?;
                if key.id() != keyid {
                    return Err(Error::Key("`keyid` is not the id of `spki`".into()));
                }
                Self::Enrol {
                    key,
                    who: fields.text("who")?,
                    role: fields.text("role")?,
                }
            }
            "revoke" => Self::Revoke {
                key: keyid,
                why: fields.text("why")?,
            },
            _ => {
                return Err(Error::Statement(
                    "`event` is neither enrol nor revoke".into(),
                ));
            }
        };
        fields.end()?;
        Ok(event)
    }

    /// Returns the name of the key that the event is about.
    pub fn key_id(&self) -> KeyId {
        match self {
            Self::Enrol { key, .. } => key.id(),
            Self::Revoke { key, .. } => *key,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn events_read_back_and_refuse_a_borrowed_id() {
        let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let enrol = KeyEvent::Enrol {
            key: *key.public(),
            who: "dana".into(),
            role: "approver".into(),
        };
        let revoke = KeyEvent::Revoke {
            key: key.public().id(),
            why: "lost".into(),
        };
        for event in [&enrol, &revoke] {
            assert_eq!(&KeyEvent::from_body(&event.to_body()).unwrap(), event);
        }
        let mut borrowed = enrol.to_body();
        borrowed["keyid"] = json!("0".repeat(64));
        assert!(KeyEvent::from_body(&borrowed).is_err());
        let mut extra = revoke.to_body();
        extra["note"] = json!(1);
        assert!(KeyEvent::from_body(&extra).is_err());
    }
}
