//! DSSE 1.0.2 envelopes with one ECDSA P-256 signature over an in-toto Statement.
//!
//! The stored form has exactly one spelling (RFC 8785 key order, no spaces, padded standard base64), so that a byte that
//! differs is a record that differs. [`Envelope::import`] reads what other tools write and brings it into that form.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use gonogo_core::Digest;
use gonogo_core::canonical;
use serde_json::Value;

use crate::error::Error;
use crate::key::{KeyId, PublicKey, SigningKey};
use crate::{MAX_ENVELOPE, MAX_STATEMENT};

/// The payload type of in-toto Statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

const HEAD: &str = r#"{"payload":""#;
const TYPE: &str = r#"","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":""#;
const SIG: &str = r#"","sig":""#;
const TAIL: &str = r#""}]}"#;

/// Returns DSSE's pre-authentication encoding: what is signed.
///
/// `DSSEv1 SP LEN(type) SP type SP LEN(body) SP body`, lengths in bytes, decimal (DSSE 1.0.2, protocol.md).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    let mut out = Vec::with_capacity(head.len() + payload.len());
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(payload);
    out
}

/// One signed statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload: Vec<u8>,
    keyid: KeyId,
    signature: Vec<u8>,
}

impl Envelope {
    /// Signs `payload`, the exact bytes of a statement.
    ///
    /// # Errors
    /// [`Error::Envelope`] if it is larger than [`MAX_STATEMENT`]; [`Error::Key`] if the system gives no randomness.
    pub fn sign(payload: Vec<u8>, key: &SigningKey) -> Result<Self, Error> {
        check_size(&payload)?;
        let signature = key.sign(&pae(PAYLOAD_TYPE, &payload))?;
        Ok(Self {
            payload,
            keyid: key.public().id(),
            signature,
        })
    }

    /// Reads the stored form and nothing else: any other spelling of the same envelope is refused.
    ///
    /// # Errors
    /// [`Error::Envelope`] naming the part at fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |what: &str| Error::Envelope(what.to_owned());
        if bytes.len() > MAX_ENVELOPE {
            return Err(bad("larger than a record may be"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let rest = text
            .strip_prefix(HEAD)
            .ok_or_else(|| bad("not in the stored form"))?;
        let (payload, rest) = rest
            .split_once('"')
            .ok_or_else(|| bad("payload not closed"))?;
        let rest = rest
            .strip_prefix(&TYPE[1..])
            .ok_or_else(|| bad("another payload type or form"))?;
        let (keyid, rest) = rest
            .split_once('"')
            .ok_or_else(|| bad("key id not closed"))?;
        let rest = rest
            .strip_prefix(&SIG[1..])
            .ok_or_else(|| bad("no signature after the key id"))?;
        let signature = rest
            .strip_suffix(TAIL)
            .ok_or_else(|| bad("not exactly one signature"))?;
        let envelope = Self {
            payload: STANDARD
                .decode(payload)
                .map_err(|e| bad(&format!("payload: {e}")))?,
            keyid: KeyId::parse(keyid)?,
            signature: STANDARD
                .decode(signature)
                .map_err(|e| bad(&format!("signature: {e}")))?,
        };
        check_size(&envelope.payload)?;
        Ok(envelope)
    }

    /// Reads an envelope as another tool may have written it: any JSON spacing and order, either base64 alphabet. It must
    /// have one signature with a key id and no other fields.
    ///
    /// # Errors
    /// [`Error::Envelope`] naming the part at fault.
    pub fn import(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |what: &str| Error::Envelope(what.to_owned());
        if bytes.len() > MAX_ENVELOPE {
            return Err(bad("larger than a record may be"));
        }
        let value = canonical::parse(bytes).map_err(|e| Error::Envelope(e.to_string()))?;
        let text = |value: &Value, field: &str| -> Result<String, Error> {
            let found = value.get(field).and_then(Value::as_str);
            found
                .map(str::to_owned)
                .ok_or_else(|| bad(&format!("no text `{field}`")))
        };
        let exact =
            |value: &Value, fields: usize| value.as_object().map(|m| m.len()) == Some(fields);
        let signature = match value.get("signatures").and_then(Value::as_array) {
            Some(list) if list.len() == 1 => &list[0],
            _ => return Err(bad("not exactly one signature")),
        };
        if !exact(&value, 3) || !exact(signature, 2) {
            return Err(bad("fields that DSSE does not have, or missing ones"));
        }
        if text(&value, "payloadType")? != PAYLOAD_TYPE {
            return Err(bad("the payload is no in-toto statement"));
        }
        let decode = |text: String| {
            STANDARD
                .decode(&text)
                .or_else(|_| URL_SAFE.decode(&text))
                .map_err(|e| Error::Envelope(e.to_string()))
        };
        let envelope = Self {
            payload: decode(text(&value, "payload")?)?,
            keyid: KeyId::parse(&text(signature, "keyid")?)?,
            signature: decode(text(signature, "sig")?)?,
        };
        check_size(&envelope.payload)?;
        Ok(envelope)
    }

    /// Puts an envelope together from its parts; nothing is verified.
    ///
    /// # Errors
    /// [`Error::Envelope`] if the payload is larger than [`MAX_STATEMENT`].
    pub(crate) fn from_parts(
        payload: Vec<u8>,
        keyid: KeyId,
        signature: Vec<u8>,
    ) -> Result<Self, Error> {
        check_size(&payload)?;
        Ok(Self {
            payload,
            keyid,
            signature,
        })
    }

    /// Returns the stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::with_capacity(self.payload.len() / 3 * 4 + 400);
        out.push_str(HEAD);
        STANDARD.encode_string(&self.payload, &mut out);
        out.push_str(TYPE);
        out.push_str(&self.keyid.to_string());
        out.push_str(SIG);
        STANDARD.encode_string(&self.signature, &mut out);
        out.push_str(TAIL);
        out.into_bytes()
    }

    /// Returns how many bytes the stored form has.
    pub fn stored_length(&self) -> usize {
        let base64 = |n: usize| n.div_ceil(3) * 4;
        let frame = HEAD.len() + TYPE.len() + SIG.len() + TAIL.len();
        frame + base64(self.payload.len()) + 64 + base64(self.signature.len())
    }

    /// Returns the statement's exact bytes.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns who claims to have signed. A hint until [`Envelope::verify`] has passed.
    pub const fn keyid(&self) -> KeyId {
        self.keyid
    }

    /// Returns the signature, DER.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Returns SHA-256 of the statement's bytes: the record's name, and the next record's `prev`.
    pub fn statement_digest(&self) -> Digest {
        Digest::of(&self.payload)
    }

    /// Checks the signature and that the key id is this key's.
    ///
    /// # Errors
    /// [`Error::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Error> {
        if key.id() != self.keyid {
            return Err(Error::Signature(self.keyid.to_string()));
        }
        key.verify(&pae(PAYLOAD_TYPE, &self.payload), &self.signature)
    }
}

fn check_size(payload: &[u8]) -> Result<(), Error> {
    if payload.len() > MAX_STATEMENT {
        return Err(Error::Envelope(format!(
            "the statement has {} bytes; at most {MAX_STATEMENT} are allowed; put the rest into a blob",
            payload.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::load(&SigningKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn pae_matches_the_vector_of_the_specification() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn the_stored_form_is_canonical_json_and_reads_back() {
        let envelope = Envelope::sign(b"{\"a\":1}".to_vec(), &key()).unwrap();
        let bytes = envelope.to_bytes();
        let value = canonical::parse(&bytes).unwrap();
        assert_eq!(canonical::to_vec(&value).unwrap(), bytes);
        assert_eq!(Envelope::parse(&bytes).unwrap(), envelope);
        assert_eq!(envelope.stored_length(), bytes.len());
        let loose = serde_json::to_string_pretty(&value).unwrap();
        assert!(Envelope::parse(loose.as_bytes()).is_err());
        assert_eq!(Envelope::import(loose.as_bytes()).unwrap(), envelope);
    }

    #[test]
    fn import_refuses_what_a_verifier_could_read_in_two_ways() {
        let text =
            String::from_utf8(Envelope::sign(b"{}".to_vec(), &key()).unwrap().to_bytes()).unwrap();
        let second = text.replace("]}", r#",{"keyid":"","sig":""}]}"#);
        let extra = text.replace(r#"{"payload""#, r#"{"extra":1,"payload""#);
        let twice = text.replace(r#"{"payload""#, r#"{"payload":"","payload""#);
        let other = text.replace("in-toto", "in-tota");
        for bad in [second, extra, twice, other] {
            assert_ne!(bad, text);
            assert!(Envelope::import(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_signature_by_another_key_or_over_other_bytes_fails() {
        let (one, two) = (key(), key());
        let envelope = Envelope::sign(b"{}".to_vec(), &one).unwrap();
        assert_eq!(envelope.verify(one.public()), Ok(()));
        assert!(envelope.verify(two.public()).is_err());
        let changed = Envelope {
            payload: b"[]".to_vec(),
            ..envelope
        };
        assert!(changed.verify(one.public()).is_err());
    }
}
