//! DSSE 1.0.2 envelopes as any tool writes them.
//!
//! Unlike [`crate::dsse`], which reads the one spelling of our own records, this reader ignores unknown fields, takes either
//! base64 alphabet with or without padding, any payload type and several signatures. A key id is never looked at: each
//! signature is tried with each given key, and a threshold counts keys, not signatures.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::fields::{Object, fit};
use super::key::NamedKey;
use super::read::{Signer, Signing};
use super::{Error, MAX_SIGNATURES};
use crate::dsse::pae;

const FORMAT: &str = "DSSE envelope";

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const PLAIN: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// The largest signature in bytes: RSA with 8192 bits has 1024.
const MAX_SIGNATURE: usize = 1024;

/// The most bytes that are hashed to find whose signatures an envelope has: some seconds' work. Every try hashes the payload.
const MAX_WORK: usize = 256 << 20;

/// One envelope, decoded; nothing about it is checked yet.
#[derive(Debug)]
pub(super) struct Envelope {
    pub(super) payload_type: String,
    pub(super) payload: Vec<u8>,
    pub(super) signatures: Vec<Vec<u8>>,
    /// The key ids, for the comparison with a bundle's hint and nothing else.
    pub(super) keyids: Vec<String>,
}

impl Envelope {
    /// Tells whether `value` is meant to be an envelope.
    pub(super) fn is_meant(value: &Value) -> bool {
        ["payload", "payloadType", "signatures"]
            .iter()
            .any(|field| value.get(field).is_some())
    }

    /// Decodes an envelope.
    pub(super) fn read(value: &Value) -> Result<Self, Error> {
        let object = Object::root(FORMAT, value)?;
        let payload_type = object.text("payloadType")?.to_owned();
        let payload = decode(&object, "payload", usize::MAX)?;
        let list = object.list("signatures")?;
        if list.is_empty() {
            return Err(object.bad("signatures", "empty, so nobody vouches for the payload"));
        }
        if list.len() > MAX_SIGNATURES {
            return Err(Error::TooLarge {
                what: "the envelope's list of signatures",
                found: list.len(),
                limit: MAX_SIGNATURES,
            });
        }
        let mut signatures = Vec::with_capacity(list.len());
        let mut keyids = Vec::with_capacity(list.len());
        for entry in list {
            let entry = Object::at(FORMAT, "signatures[]", entry)?;
            signatures.push(decode(&entry, "sig", MAX_SIGNATURE)?);
            keyids.push(match entry.find("keyid").map(Value::as_str) {
                None | Some(Some("")) => String::new(),
                Some(Some(text)) => {
                    fit(text).map_err(|why| entry.bad("keyid", why))?;
                    text.to_owned()
                }
                Some(None) => return Err(entry.bad("keyid", "not a text")),
            });
        }
        Ok(Self {
            payload_type,
            payload,
            signatures,
            keyids,
        })
    }

    /// Checks that at least `threshold` different keys of `keys` signed the payload. Without keys nothing is checked, and
    /// the result says so.
    pub(super) fn verify(&self, keys: &[NamedKey], threshold: usize) -> Result<Signing, Error> {
        let unique = distinct(keys)?;
        if unique.is_empty() && threshold == 0 {
            return Ok(Signing::NoKey);
        }
        if threshold == 0 || threshold > unique.len() {
            return Err(Error::Threshold {
                threshold,
                keys: unique.len(),
            });
        }
        let work = self.payload.len().max(1) * self.signatures.len() * unique.len();
        if work > MAX_WORK {
            return Err(Error::TooLarge {
                what: "the work of trying each key with each signature, in bytes to hash",
                found: work,
                limit: MAX_WORK,
            });
        }
        let message = pae(&self.payload_type, &self.payload);
        let mut signers = Vec::new();
        for named in &unique {
            let signed = self
                .signatures
                .iter()
                .find_map(|signature| named.key().verify(&message, signature));
            if let Some(scheme) = signed {
                signers.push(Signer {
                    name: named.name().to_owned(),
                    key: named.key().clone(),
                    scheme,
                });
            }
        }
        if signers.len() < threshold {
            return Err(Error::Signatures {
                valid: signers.len(),
                keys: unique.len(),
                threshold,
                signatures: self.signatures.len(),
            });
        }
        Ok(Signing::Verified { threshold, signers })
    }
}

/// Returns the given keys without repetitions; the first name of a key counts.
fn distinct(keys: &[NamedKey]) -> Result<Vec<&NamedKey>, Error> {
    if keys.len() > MAX_SIGNATURES {
        return Err(Error::TooLarge {
            what: "the list of keys",
            found: keys.len(),
            limit: MAX_SIGNATURES,
        });
    }
    let mut unique: Vec<&NamedKey> = Vec::with_capacity(keys.len());
    for named in keys {
        if !unique.iter().any(|known| known.key() == named.key()) {
            unique.push(named);
        }
    }
    Ok(unique)
}

fn decode(object: &Object<'_>, field: &str, limit: usize) -> Result<Vec<u8>, Error> {
    let text = object.need(field)?.as_str();
    let text = text.ok_or_else(|| object.bad(field, "not a text"))?;
    let bytes = match text.contains(['-', '_']) {
        true => URL.decode(text),
        false => PLAIN.decode(text),
    };
    let bytes = bytes.map_err(|e| object.bad(field, format!("not base64 ({e})")))?;
    if bytes.len() > limit {
        return Err(object.bad(field, format!("longer than {limit} bytes")));
    }
    Ok(bytes)
}
