//! What other people's programs wrote: evidence, time-stamps, keys and certificates.

use gonogo_core::Digest;
use gonogo_ledger::attestation::{self, Key, NamedKey, Outside, Submitted};
use gonogo_ledger::timestamp::{self, Certificate};
use gonogo_ledger::{LogKey, Pkcs8, PublicKey, SigningKey};
use serde_json::Value;

use super::{Run, text};
use crate::world::{World, test_fixture};

/// The keys that the seeds of `attestation` are signed with.
const KEYS: [&str; 5] = ["p256", "p384", "ed25519", "rsa", "bundle"];

/// What a verified claim says, apart from how it was spelled.
fn said(outside: &Outside) -> (Option<String>, Vec<attestation::Subject>, Value) {
    (
        outside.payload_type.clone(),
        outside.subjects.clone(),
        outside.summary.clone(),
    )
}

/// A claim's record can be checked against its bytes, and a verified one says what its signer signed.
pub(super) fn attestation(world: World) -> Run {
    let keys: Vec<NamedKey> = KEYS
        .iter()
        .map(|name| {
            let pem = test_fixture(&format!("outside/{name}.pub"));
            let key = Key::from_pem(name, &pem).expect("a key of the tests");
            NamedKey::new(name, key).expect("a name")
        })
        .collect();
    let signed: Vec<_> = world
        .seeds
        .iter()
        .flat_map(|seed| attestation::read(seed, &keys, 1).unwrap_or_default())
        .map(|submitted| said(&submitted.outside))
        .collect();
    assert!(!signed.is_empty());
    let check = |submitted: &Submitted<'_>| {
        let outside = &submitted.outside;
        assert_eq!(outside.digest, Digest::of(submitted.bytes));
        let body = outside.to_body();
        assert_eq!(Outside::from_body(&body).as_ref(), Ok(outside));
        let keys = outside.keys().expect("the keys that were just used");
        attestation::check(&body, submitted.bytes, &keys, outside.threshold())
            .expect("a claim's own bytes bear it out");
    };
    Box::new(move |data| {
        for submitted in attestation::read(data, &[], 0).unwrap_or_default() {
            assert!(!submitted.outside.is_verified());
            check(&submitted);
        }
        for submitted in attestation::read(data, &keys, 1).unwrap_or_default() {
            assert!(submitted.outside.is_verified());
            assert!(signed.contains(&said(&submitted.outside)), "never signed");
            check(&submitted);
        }
    })
}

/// A time-stamp that verifies says what one of the authority's own says.
pub(super) fn timestamp(world: World) -> Run {
    let message = test_fixture("timestamp/message");
    let roots: Vec<Certificate> = ["root-ec", "root-rsa"]
        .iter()
        .flat_map(|name| {
            Certificate::from_pem(&test_fixture(&format!("timestamp/{name}.pem"))).expect("roots")
        })
        .collect();
    let issued: Vec<_> = world
        .seeds
        .iter()
        .filter_map(|seed| timestamp::verify(seed, &message, &roots).ok())
        .collect();
    assert!(!issued.is_empty());
    Box::new(move |data| {
        if let Ok(stamp) = timestamp::verify(data, &message, &roots) {
            assert!(issued.contains(&stamp), "never issued: {stamp:?}");
        }
        assert!(timestamp::verify(data, b"another message", &roots).is_err());
        assert!(timestamp::verify(data, &message, &[]).is_err());
    })
}

/// Keys and certificates in PEM and DER: what reads is written to what reads as the same.
pub(super) fn keys(_: World) -> Run {
    Box::new(|data| {
        if let Ok(key) = PublicKey::from_spki(data) {
            assert_eq!(key.spki()[..], *data);
        }
        if let Ok(key) = Key::from_spki("x", data) {
            assert_eq!(key.spki(), data);
        }
        let _ = Key::from_pem("x", data);
        for certificate in Certificate::from_pem(data).unwrap_or_default() {
            let again = Certificate::from_der(certificate.der()).expect("it was read");
            assert_eq!(again.fingerprint(), certificate.fingerprint());
        }
        let _ = Certificate::from_der(data);
        let Some(text) = text(data) else { return };
        if let Ok(key) = PublicKey::from_pem(text) {
            assert_eq!(PublicKey::from_pem(&key.pem()).as_ref(), Ok(&key));
        }
        if let Ok(secret) = Pkcs8::from_pem(text) {
            assert!(Pkcs8::from_pem(&secret.pem()).is_ok());
            let _ = SigningKey::load(&secret);
            let _ = LogKey::load("log.example", &secret);
        }
    })
}
