//! What the log holds for a record: the body of a `hashedrekord` 0.0.2 entry, byte for byte.
//!
//! Digest of the pre-authentication encoding, signature and public key: nothing of the payload, so a payload of any size
//! makes a leaf of about 490 bytes, can be erased later, and stock Sigstore verifiers can check the leaf.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_core::Digest;

use crate::dsse::{Envelope, PAYLOAD_TYPE, pae};
use crate::key::PublicKey;
use crate::merkle;

/// Returns the leaf's bytes (RFC 8785 form) for `envelope` signed by `key`.
pub fn body(envelope: &Envelope, key: &PublicKey) -> Vec<u8> {
    let digest = Digest::of(&pae(PAYLOAD_TYPE, envelope.payload()));
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":"#,
            r#"{{"algorithm":"SHA2_256","digest":"{}"}},"signature":{{"content":"{}","verifier":"#,
            r#"{{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{{"rawBytes":"{}"}}}}}}}}}}}}"#
        ),
        STANDARD.encode(digest.as_bytes()),
        STANDARD.encode(envelope.signature()),
        STANDARD.encode(key.spki()),
    )
    .into_bytes()
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
    }
}
