//! What the log holds for a record: the body of a `hashedrekord` 0.0.2 entry, byte for byte.
//!
//! Digest of the pre-authentication encoding, signature and public key: nothing of the payload, so a payload of any size
//! makes a leaf of about 490 bytes, can be erased later, and stock Sigstore verifiers can check the leaf.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::dsse::{Envelope, PAYLOAD_TYPE, pae};
use crate::error::Error;
use crate::key::{PublicKey, SPKI_LENGTH};
use crate::merkle;

const DIGEST: &str = concat!(
    r#"{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":"#,
    r#"{"algorithm":"SHA2_256","digest":""#
);
const SIGNATURE: &str = r#""},"signature":{"content":""#;
const KEY: &str = concat!(
    r#"","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","#,
    r#""publicKey":{"rawBytes":""#
);
const END: &str = r#""}}}}}}"#;

/// Bytes of a public key in base64.
const KEY_TEXT: usize = SPKI_LENGTH.div_ceil(3) * 4;

/// Returns the leaf's bytes (RFC 8785 form) for `envelope` signed by `key`.
pub fn body(envelope: &Envelope, key: &PublicKey) -> Vec<u8> {
    let digest = Digest::of(&pae(PAYLOAD_TYPE, envelope.payload()));
    let mut out = String::with_capacity(512);
    out.push_str(DIGEST);
    STANDARD.encode_string(digest.as_bytes(), &mut out);
    out.push_str(SIGNATURE);
    STANDARD.encode_string(envelope.signature(), &mut out);
    out.push_str(KEY);
    STANDARD.encode_string(key.spki(), &mut out);
    out.push_str(END);
    out.into_bytes()
}

/// Returns the key that a leaf's bytes name. Nothing else of the leaf is looked at: compare it with [`body`].
///
/// # Errors
/// [`Error::Key`] if there is none where a leaf has it.
pub fn key_of(body: &[u8]) -> Result<PublicKey, Error> {
    let text = body
        .strip_suffix(END.as_bytes())
        .and_then(|rest| rest.get(rest.len().checked_sub(KEY_TEXT)?..))
        .and_then(|text| std::str::from_utf8(text).ok())
        .ok_or_else(|| Error::Key("the leaf names none".into()))?;
    PublicKey::from_base64(text)
}

/// Returns the leaf's hash in the log (RFC 6962 section 2.1).
pub fn hash(envelope: &Envelope, key: &PublicKey) -> Digest {
    merkle::leaf_hash(&body(envelope, key))
}

#[cfg(test)]
mod tests {
    use gonogo_core::canonical;
    use serde_json::json;

    use super::*;
    use crate::key::SigningKey;

    #[test]
    fn the_body_is_the_canonical_form_of_a_hashedrekord() {
        let key = SigningKey::load(&SigningKey::generate().unwrap()).unwrap();
        let envelope = Envelope::sign(b"{}".to_vec(), &key).unwrap();
        let message = pae(PAYLOAD_TYPE, b"{}");
        let want = json!({
            "apiVersion": "0.0.2",
            "kind": "hashedrekord",
            "spec": {"hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": STANDARD.encode(Digest::of(&message).as_bytes())},
                "signature": {
                    "content": STANDARD.encode(envelope.signature()),
                    "verifier": {
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                        "publicKey": {"rawBytes": key.public().base64()},
                    },
                },
            }},
        });
        let body = body(&envelope, key.public());
        assert_eq!(body, canonical::to_vec(&want).unwrap());
        assert!((480..500).contains(&body.len()), "{}", body.len());
        assert_eq!(key_of(&body).as_ref(), Ok(key.public()));
        assert!(key_of(&body[1..body.len() - 1]).is_err());
        assert!(key_of(b"\"}}}}}}").is_err());
    }
}
