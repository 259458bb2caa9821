//! Timestamps of a real authority: fixtures that need no tool, the same authority run live, and changed bytes.

#![cfg(feature = "timestamp")]
#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

mod live;
mod mutations;

use gonogo_core::Digest;
use gonogo_ledger::timestamp::{Certificate, Error, MAX_RESPONSE, accept, request, verify};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/timestamp/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn roots(name: &str) -> Vec<Certificate> {
    Certificate::from_pem(&fixture(name)).unwrap()
}

/// The nonce of a query of OpenSSL: the last INTEGER in it.
fn nonce(query: &[u8]) -> u64 {
    let body = query.strip_suffix(&[1, 1, 0xff]).unwrap_or(query);
    let at = (0..body.len() - 1)
        .rev()
        .find(|at| body[*at] == 2 && usize::from(body[at + 1]) == body.len() - at - 2)
        .unwrap();
    body[at + 2..]
        .iter()
        .fold(0, |n, b| (n << 8) | u64::from(*b))
}

#[test]
fn responses_of_openssl_verify_below_their_root() {
    let message = fixture("message");
    for (name, root, tsa, serial) in [
        // RSA with SHA-256; P-256 below an intermediate; P-384 with SHA-384; RSA with SHA-512 and the old attribute.
        ("direct", "root-ec.pem", "CN=direct,O=Example", "0b"),
        ("below", "root-rsa.pem", "CN=below,O=Example", "0c"),
        ("curve", "root-ec.pem", "CN=curve,O=Example", "0d"),
        ("sha512-ess1", "root-ec.pem", "CN=direct,O=Example", "0e"),
    ] {
        let response = fixture(&format!("{name}.tsr"));
        let stamp = verify(&response, &message, &roots(root)).unwrap();
        assert_eq!(stamp.tsa_name, tsa);
        assert_eq!(stamp.serial, serial);
        assert_eq!(stamp.policy, "1.3.6.1.4.1.55555.1");
        assert_eq!(stamp.accuracy.unwrap().as_millis(), 1500);
        assert!(
            stamp.time.to_string().starts_with("2026-"),
            "{}",
            stamp.time
        );
        // Both roots given is no hindrance; the other one alone vouches for nothing.
        let both = [roots("root-ec.pem"), roots("root-rsa.pem")].concat();
        assert_eq!(verify(&response, &message, &both).unwrap(), stamp);
        let other = if root == "root-ec.pem" {
            "root-rsa.pem"
        } else {
            "root-ec.pem"
        };
        for strangers in [roots(other), Vec::new()] {
            let error = verify(&response, &message, &strangers).unwrap_err();
            assert!(matches!(error, Error::Path { .. }), "{name}: {error}");
        }
        for wrong in [&b"the bytes that were stamped"[..], b"", b"x"] {
            assert_eq!(
                verify(&response, wrong, &roots(root)).unwrap_err(),
                Error::Message
            );
        }
    }
}

#[test]
fn an_answer_must_be_to_this_request() {
    let message = fixture("message");
    let root = roots("root-ec.pem");
    let response = fixture("direct.tsr");
    let nonce = nonce(&fixture("direct.tsq"));
    assert!(accept(&response, &message, nonce, &root).is_ok());
    let replayed = accept(&response, &message, nonce ^ 1, &root).unwrap_err();
    assert_eq!(replayed, Error::Nonce { found: "another" });
    let without = accept(&fixture("sha512-ess1.tsr"), &message, nonce, &root).unwrap_err();
    assert_eq!(without, Error::Nonce { found: "missing" });
}

#[test]
fn our_request_is_byte_for_byte_that_of_openssl() {
    let digest = Digest::of(&fixture("message"));
    for name in ["direct", "below"] {
        let query = fixture(&format!("{name}.tsq"));
        assert_eq!(request(&digest, nonce(&query)), query);
    }
    // INTEGER is signed: a leading one bit needs an octet more, zero needs one.
    assert_eq!(request(&digest, 0)[56..], [2, 1, 0, 1, 1, 0xff]);
    assert_eq!(request(&digest, 0x80)[56..], [2, 2, 0, 0x80, 1, 1, 0xff]);
    assert_eq!(request(&digest, u64::MAX).len(), 70);
}

#[test]
fn what_cannot_be_checked_is_refused_and_named() {
    let message = fixture("message");
    let root = roots("root-ec.pem");
    let error = |name: &str| verify(&fixture(name), &message, &root).unwrap_err();
    let unknown = error("curve-sha512.tsr");
    assert!(
        matches!(&unknown, Error::Algorithm { oid, .. } if oid.contains("1.2.840.10045.4.3.4")),
        "{unknown}"
    );
    let bare = error("bare.tsr");
    assert!(
        matches!(&bare, Error::Signer { why } if why.contains("not embedded")),
        "{bare}"
    );
    let refused = error("refused.tsr");
    assert!(
        matches!(&refused, Error::Status { status: 2, text } if !text.is_empty()),
        "{refused}"
    );
    let query = error("direct.tsq");
    assert!(matches!(query, Error::Form { .. }), "{query}");
    let big = verify(&vec![0x30; MAX_RESPONSE + 1], &message, &root).unwrap_err();
    assert!(matches!(big, Error::TooLarge { .. }));
    let mut longer = fixture("direct.tsr");
    longer.push(0);
    assert!(verify(&longer, &message, &root).is_err());
}

#[test]
fn roots_are_certificate_authorities_in_pem() {
    let both = [
        fixture("root-ec.pem"),
        b"text between\n".to_vec(),
        fixture("root-rsa.pem"),
    ]
    .concat();
    let both = Certificate::from_pem(&both).unwrap();
    assert_eq!(both.len(), 2);
    assert_eq!(both[0].name(), "CN=Root ec,O=Example");
    assert_eq!(both[0].fingerprint(), Digest::of(both[0].der()));
    for text in [
        "",
        "-----BEGIN CERTIFICATE-----\nAAAA",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let error = Certificate::from_pem(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Error::Root { .. }), "{error}");
    }
    assert!(Certificate::from_der(&both[0].der()[1..]).is_err());
}
