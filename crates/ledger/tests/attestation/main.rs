//! Outside evidence made by other people's tools, and the same evidence as an attacker would send it.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests; a panic is their failure"
)]

mod forms;
mod mutations;

use gonogo_core::Digest;
use gonogo_ledger::attestation::{
    Carrier, Error, Key, Kind, NamedKey, Outside, Scheme, Signing, Standing, check, read,
};
use serde_json::{Value, json};

fn fixture(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/tests/fixtures/outside/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn key(name: &str) -> NamedKey {
    let key = Key::from_pem(name, &fixture(&format!("{name}.pub"))).unwrap();
    NamedKey::new(name, key).unwrap()
}

fn one(bytes: &[u8], keys: &[NamedKey], threshold: usize) -> Result<Outside, Error> {
    let mut all = read(bytes, keys, threshold)?;
    assert_eq!(all.len(), 1);
    Ok(all.remove(0).outside)
}

fn signers(outside: &Outside) -> Vec<(&str, Scheme)> {
    match &outside.signing {
        Signing::Verified { signers, .. } => signers
            .iter()
            .map(|s| (s.name.as_str(), s.scheme))
            .collect(),
        Signing::NoKey | Signing::NoSignature => Vec::new(),
    }
}

#[test]
fn envelopes_of_securesystemslib_and_openssl_verify_with_each_key_type() {
    for (file, name, scheme) in [
        ("provenance-p256.dsse.json", "p256", Scheme::EcdsaP256Sha256),
        ("provenance-p384.dsse.json", "p384", Scheme::EcdsaP384Sha384),
        ("provenance-ed25519.dsse.json", "ed25519", Scheme::Ed25519),
        ("provenance-rsa.dsse.json", "rsa", Scheme::RsaPssSha256),
        ("openssl-rsa-pkcs1.dsse.json", "rsa", Scheme::RsaPkcs1Sha256),
        (
            "openssl-p384-sha256.dsse.json",
            "p384",
            Scheme::EcdsaP384Sha256,
        ),
    ] {
        let bytes = fixture(file);
        let outside = one(&bytes, &[key(name)], 1).unwrap();
        assert!(outside.is_verified(), "{file}");
        assert_eq!(signers(&outside), [(name, scheme)], "{file}");
        assert_eq!(outside.kind, Kind::SlsaProvenance);
        assert_eq!(outside.digest, Digest::of(&bytes));
        assert_eq!(
            outside.summary,
            json!({
                "builder": "https://builds.example/runner",
                "buildType": "https://builds.example/make/v1",
                "invocation": "run-17",
                "dependencies": 1,
            })
        );
        // Another key of any type does not.
        for other in ["p256", "p384", "ed25519", "rsa"]
            .iter()
            .filter(|o| **o != name)
        {
            let error = one(&bytes, &[key(other)], 1).unwrap_err();
            assert!(
                matches!(error, Error::Signatures { valid: 0, .. }),
                "{file}: {error}"
            );
        }
    }
}

#[test]
fn a_threshold_counts_keys_and_not_signatures() {
    let bytes = fixture("provenance-two.dsse.json");
    let (a, b, c) = (key("p256"), key("ed25519"), key("p384"));
    let outside = one(&bytes, &[c.clone(), b.clone(), a.clone()], 2).unwrap();
    assert_eq!(
        signers(&outside),
        [
            ("ed25519", Scheme::Ed25519),
            ("p256", Scheme::EcdsaP256Sha256)
        ]
    );
    assert!(matches!(
        one(&bytes, &[c.clone(), b.clone()], 2).unwrap_err(),
        Error::Signatures {
            valid: 1,
            threshold: 2,
            ..
        }
    ));
    // One key under two names is one key, and one key's signature twice is one signer.
    let twin = NamedKey::new("somebody-else", a.key().clone()).unwrap();
    assert!(matches!(
        one(&bytes, &[a.clone(), twin], 2).unwrap_err(),
        Error::Threshold {
            threshold: 2,
            keys: 1
        }
    ));
    let mut twice: Value = serde_json::from_slice(&fixture("provenance-p256.dsse.json")).unwrap();
    let again = twice["signatures"][0].clone();
    twice["signatures"].as_array_mut().unwrap().push(again);
    let twice = serde_json::to_vec(&twice).unwrap();
    assert!(matches!(
        one(&twice, &[a.clone(), b.clone()], 2).unwrap_err(),
        Error::Signatures { valid: 1, .. }
    ));
    // Nothing may be asked for that cannot fail, or cannot succeed.
    for (keys, threshold) in [(vec![a.clone()], 0), (vec![a], 2), (vec![], 1)] {
        let error = one(&bytes, &keys, threshold).unwrap_err();
        assert!(matches!(error, Error::Threshold { .. }), "{error}");
    }
}

#[test]
fn a_key_id_is_only_a_hint() {
    let mut value: Value = serde_json::from_slice(&fixture("provenance-p256.dsse.json")).unwrap();
    for keyid in [json!("p384"), json!(""), Value::Null] {
        value["signatures"][0]["keyid"] = keyid;
        let bytes = serde_json::to_vec(&value).unwrap();
        assert!(
            one(&bytes, &[key("p384"), key("p256")], 1)
                .unwrap()
                .is_verified()
        );
    }
    value["signatures"][0]
        .as_object_mut()
        .unwrap()
        .remove("keyid");
    let bytes = serde_json::to_vec(&value).unwrap();
    assert!(one(&bytes, &[key("p256")], 1).unwrap().is_verified());
}

#[test]
fn every_recognised_predicate_of_a_file_of_lines_is_read() {
    let bytes = fixture("all.intoto.jsonl");
    let all = read(&bytes, &[key("p256")], 1).unwrap();
    let kinds: Vec<Kind> = all.iter().map(|s| s.outside.kind).collect();
    assert_eq!(
        kinds,
        [
            Kind::SlsaProvenance,
            Kind::VerificationSummary,
            Kind::TestResult,
            Kind::SimpleVerification,
            Kind::Spdx,
            Kind::CycloneDx,
            Kind::Vulnerabilities,
            Kind::Other,
        ]
    );
    for submitted in &all {
        let outside = &submitted.outside;
        assert!(outside.is_verified());
        assert_eq!(outside.digest, Digest::of(submitted.bytes));
        assert_eq!(outside.size, submitted.bytes.len() as u64);
        let shop = outside.subjects[0].sha256().unwrap();
        assert!(outside.is_about(&shop) && !outside.is_about(&Digest::of(b"shop")));
        assert_eq!(outside.subjects[0].digests.len(), 2);
        let body = outside.to_body();
        assert_eq!(Outside::from_body(&body).unwrap(), *outside);
        let standing = check(&body, submitted.bytes, &[key("p256")], 1).unwrap();
        assert!(matches!(standing, Standing::Verified { .. }));
    }
    assert_eq!(all[1].outside.summary["result"], "PASSED");
    assert_eq!(
        all[1].outside.summary["levels"],
        json!(["SLSA_BUILD_LEVEL_3"])
    );
    assert_eq!(all[2].outside.summary["result"], "FAILED");
    assert_eq!(all[2].outside.summary["failedTests"], json!(["pay"]));
    assert_eq!(all[4].outside.summary["packages"], 2);
    assert_eq!(all[6].outside.summary["ids"], json!(["CVE-2026-0001"]));
    let other = &all[7].outside;
    assert_eq!(
        other.predicate_type.as_deref(),
        Some("https://checks.example/spelling/v3")
    );
    assert_eq!(other.summary, json!({}));

    // One bad line refuses all, and is named.
    let text = String::from_utf8(bytes.clone()).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(2, "{\"payload\": 1}");
    let error = read(lines.join("\r\n").as_bytes(), &[key("p256")], 1).unwrap_err();
    assert!(matches!(error, Error::Line { line: 3, .. }), "{error}");
    lines[2] = "";
    assert_eq!(
        read(lines.join("\r\n").as_bytes(), &[key("p256")], 1)
            .unwrap()
            .len(),
        8
    );
}

#[test]
fn a_bundle_of_sigstore_verifies_by_the_callers_key_alone() {
    let bytes = fixture("provenance.sigstore.json");
    let outside = one(&bytes, &[key("bundle")], 1).unwrap();
    assert_eq!(outside.carrier, Carrier::SigstoreBundle);
    assert_eq!(outside.kind, Kind::SlsaProvenance);
    assert_eq!(outside.not_checked, Vec::<String>::new());
    assert!(one(&bytes, &[key("p256")], 1).is_err());
    let keyless = one(&fixture("keyless.sigstore.json"), &[key("bundle")], 1).unwrap_err();
    assert_eq!(
        keyless,
        Error::Certificate {
            field: "certificate"
        }
    );
    // Without keys too: what a certificate says is not passed over.
    assert!(one(&fixture("keyless.sigstore.json"), &[], 0).is_err());

    let good: Value = serde_json::from_slice(&bytes).unwrap();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut value = good.clone();
        change(&mut value);
        one(&serde_json::to_vec(&value).unwrap(), &[key("bundle")], 1)
    };
    let logged =
        changed(&|v| v["verificationMaterial"]["tlogEntries"] = json!([{"logIndex": "1"}]));
    assert_eq!(logged.unwrap().not_checked, ["tlogEntries"]);
    let hintless = changed(&|v| v["verificationMaterial"]["publicKey"] = json!({}));
    assert!(hintless.unwrap().is_verified());
    for (what, wrong) in [
        (
            "hint",
            changed(&|v| v["verificationMaterial"]["publicKey"]["hint"] = json!("else")),
        ),
        (
            "mediaType",
            changed(&|v| {
                v["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2")
            }),
        ),
        (
            "one",
            changed(&|v| {
                let again = v["dsseEnvelope"]["signatures"][0].clone();
                v["dsseEnvelope"]["signatures"]
                    .as_array_mut()
                    .unwrap()
                    .push(again);
            }),
        ),
        (
            "messageSignature",
            changed(&|v| v["messageSignature"] = json!({})),
        ),
        (
            "x509CertificateChain",
            changed(&|v| v["verificationMaterial"]["x509_certificate_chain"] = json!({})),
        ),
        (
            "publicKey",
            changed(&|v| v["verificationMaterial"] = json!({})),
        ),
        (
            "verificationMaterial",
            changed(&|v| v["verificationMaterial"] = Value::Null),
        ),
    ] {
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains(what), "{what}: {error}");
    }
}

#[test]
fn another_payload_and_an_old_statement_are_carried_as_such() {
    let hello = one(&fixture("hello.dsse.json"), &[key("p256")], 1).unwrap();
    assert_eq!(hello.kind, Kind::Payload);
    assert_eq!(
        hello.payload_type.as_deref(),
        Some("http://example.com/HelloWorld")
    );
    assert_eq!(
        hello.summary,
        json!({"bytes": 11, "payload": Digest::of(b"hello world")})
    );
    let old = one(&fixture("v01.dsse.json"), &[key("p256")], 1).unwrap();
    assert_eq!(old.kind, Kind::Other);
    assert_eq!(
        old.statement_type.as_deref(),
        Some("https://in-toto.io/Statement/v0.1")
    );
}

#[test]
fn what_is_not_checked_says_so_and_is_never_a_pass() {
    let bytes = fixture("provenance-p256.dsse.json");
    let unchecked = one(&bytes, &[], 0).unwrap();
    let body = unchecked.to_body();
    assert_eq!(body["verified"], false);
    assert!(body["why"].as_str().unwrap().contains("no key was given"));
    let standing = check(&body, &bytes, &[key("p256")], 1).unwrap();
    assert!(matches!(standing, Standing::Unverified { .. }));
    // A body that claims more than the submission showed.
    let mut forged = body.clone();
    forged["verified"] = json!(true);
    assert!(matches!(
        Outside::from_body(&forged).unwrap_err(),
        Error::Body { .. }
    ));
    forged["why"] = Value::Null;
    assert!(Outside::from_body(&forged).is_err());

    for (file, what) in [
        ("node.junit.xml", "JUnit"),
        ("npm.cdx.json", "CycloneDX"),
        ("npm.spdx.json", "SPDX"),
    ] {
        let bytes = fixture(file);
        let error = one(&bytes, &[key("p256")], 1).unwrap_err();
        assert!(matches!(error, Error::Unsigned { .. }) && error.to_string().contains(what));
        let claim = one(&bytes, &[], 0).unwrap();
        assert!(!claim.is_verified());
        assert_eq!(claim.signing, Signing::NoSignature);
        let body = claim.to_body();
        assert_eq!(body["why"], "it carries no signature");
        let standing = check(&body, &bytes, &[], 0).unwrap();
        assert!(matches!(standing, Standing::Unverified { .. }));
    }
}

#[test]
fn a_recorded_body_is_worth_what_its_blob_and_the_readers_keys_bear_out() {
    let bytes = fixture("provenance-two.dsse.json");
    let (a, b) = (key("p256"), key("ed25519"));
    let recorded = one(&bytes, std::slice::from_ref(&a), 1).unwrap();
    let body = recorded.to_body();
    // With the record's own keys, with the reader's own key of the other signer, and with a stranger's.
    let own = recorded.keys().unwrap();
    assert!(check(&body, &bytes, &own, recorded.threshold()).is_ok());
    let Standing::Verified { signers } = check(&body, &bytes, &[b], 1).unwrap() else {
        panic!("the other signer's key verifies it too");
    };
    assert_eq!(signers[0].name, "ed25519");
    let stranger = check(&body, &bytes, &[key("p384")], 1).unwrap_err();
    assert!(matches!(stranger, Error::Signatures { .. }));
    assert!(check(&body, &bytes, &[], 0).is_err(), "no key is no check");

    // The body is the record's word; every field of it is worked out again.
    let p384 = key("p384").key().clone();
    let changes: [(&str, Value); 12] = [
        ("/summary/builder", json!("https://builds.example/else")),
        ("/kind", json!("slsa-vsa")),
        (
            "/subjects/0/digests/sha256",
            json!(Digest::of(b"else").hex()),
        ),
        ("/subjects/0/name", json!("else.tar")),
        ("/predicateType", json!("https://slsa.dev/provenance/v2")),
        ("/signatures", json!(3)),
        ("/threshold", json!(2)),
        ("/size", json!(1)),
        ("/blob", json!(Digest::of(b"else"))),
        ("/signers/0/scheme", json!("ed25519")),
        ("/signers/0/keyid", json!(p384.id().to_string())),
        ("/notChecked", json!(["tlogEntries"])),
    ];
    for (pointer, value) in changes {
        let mut changed = body.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        assert!(
            check(&changed, &bytes, std::slice::from_ref(&a), 1).is_err(),
            "{pointer}"
        );
    }
    let mut added = body.clone();
    added["extra"] = json!(1);
    assert!(check(&added, &bytes, std::slice::from_ref(&a), 1).is_err());
    let mut other = bytes.clone();
    other.push(b'\n');
    let mismatch = check(&body, &other, &[a], 1).unwrap_err();
    assert!(
        matches!(&mismatch, Error::Mismatch { why } if why.contains("digest")),
        "{mismatch}"
    );
}

#[test]
fn keys_that_cannot_check_are_refused_by_name() {
    for (file, want) in [("rsa1024", "1024 bits"), ("p521", "curve 1.3.132.0.35")] {
        let error = Key::from_pem(file, &fixture(&format!("{file}.pub")))
            .unwrap_err()
            .to_string();
        assert!(error.contains(want) && error.contains(file), "{error}");
    }
    let p256 = key("p256").key().clone();
    for name in ["", "da\nna", "a\u{202e}b", &"x".repeat(201)] {
        assert!(NamedKey::new(name, p256.clone()).is_err(), "{name:?}");
    }
}
