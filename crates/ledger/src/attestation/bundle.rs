//! Sigstore bundles v0.3 (`sigstore_bundle.proto`, JSON form) of key signers: a frame around one DSSE envelope.
//!
//! Only the envelope's signature is checked, with the caller's keys. The hint selects nothing. Log entries and timestamps
//! in a bundle speak for a log and a clock that nobody here has chosen to trust; they are named as not checked. Signers with
//! certificates are refused: ignoring the certificate would pass over what the bundle says about its signer.

use serde_json::Value;

use super::Error;
use super::envelope::Envelope;
use super::fields::{Object, fit};

const FORMAT: &str = "Sigstore bundle";
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// An envelope out of a bundle, with the parts of the bundle that were not looked into.
pub(super) struct Bundle {
    pub(super) envelope: Envelope,
    pub(super) not_checked: Vec<&'static str>,
}

impl Bundle {
    /// Tells whether `value` is meant to be a bundle.
    pub(super) fn is_meant(value: &Value) -> bool {
        ["mediaType", "verificationMaterial", "dsseEnvelope"]
            .iter()
            .any(|field| value.get(field).is_some())
    }

    /// Reads a bundle.
    pub(super) fn read(value: &Value) -> Result<Self, Error> {
        let bundle = Object::root(FORMAT, value)?;
        let media_type = bundle.text("mediaType")?;
        if media_type != MEDIA_TYPE {
            return Err(bundle.bad(
                "mediaType",
                format!("`{media_type}` is not version 0.3, `{MEDIA_TYPE}`"),
            ));
        }
        let material = bundle.object("verificationMaterial", "verificationMaterial")?;
        for name in material.names() {
            // Protobuf's JSON readers take both spellings of a field, so both must be refused.
            match name {
                "certificate" => {
                    return Err(Error::Certificate {
                        field: "certificate",
                    });
                }
                "x509CertificateChain" | "x509_certificate_chain" => {
                    return Err(Error::Certificate {
                        field: "x509CertificateChain",
                    });
                }
                "publicKey" | "tlogEntries" | "timestampVerificationData" => {}
                _ => return Err(material.bad(name, "not a field of version 0.3")),
            }
        }
        let key = material.object("publicKey", "verificationMaterial.publicKey")?;
        let hint = key.find("hint").map(|hint| {
            let text = hint.as_str().ok_or_else(|| key.bad("hint", "not a text"))?;
            match text {
                "" => Ok(""),
                _ => fit(text).map(|()| text).map_err(|why| key.bad("hint", why)),
            }
        });
        let hint = hint.transpose()?.unwrap_or_default();
        for name in bundle.names() {
            match name {
                "mediaType" | "verificationMaterial" | "dsseEnvelope" => {}
                "messageSignature" | "message_signature" => {
                    return Err(bundle.bad(
                        name,
                        "a signature of a bare file says nothing about it; submit a bundle of a DSSE envelope",
                    ));
                }
                _ => return Err(bundle.bad(name, "not a field of version 0.3")),
            }
        }
        let envelope = Envelope::read(bundle.need("dsseEnvelope")?)?;
        let [keyid] = envelope.keyids.as_slice() else {
            return Err(bundle.bad("dsseEnvelope.signatures", "not exactly one"));
        };
        if !hint.is_empty() && !keyid.is_empty() && hint != keyid {
            return Err(bundle.bad(
                "verificationMaterial.publicKey.hint",
                "names another key than the envelope's signature",
            ));
        }
        let full = |value: &Value| match value {
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
            _ => true,
        };
        let not_checked = ["tlogEntries", "timestampVerificationData"]
            .into_iter()
            .filter(|field| material.find(field).is_some_and(full))
            .collect();
        Ok(Self {
            envelope,
            not_checked,
        })
    }
}
