//! Changed bytes: nothing that was changed is verified as something else, and no reader panics.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gonogo_ledger::attestation::{Outside, Signing, read};
use proptest::prelude::*;
use serde_json::Value;

use super::{Key, fixture, key};

/// What a verified envelope says, apart from how it was spelled.
fn said(
    outside: &Outside,
) -> (
    Option<String>,
    Vec<gonogo_ledger::attestation::Subject>,
    Value,
) {
    (
        outside.payload_type.clone(),
        outside.subjects.clone(),
        outside.summary.clone(),
    )
}

fn flips(bytes: &[u8], bits: Range<u8>, mut each: impl FnMut(usize, u8, &[u8])) {
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        for bit in bits.clone() {
            changed[at] = bytes[at] ^ (1 << bit);
            each(at, bit, &changed);
        }
        changed[at] = bytes[at];
    }
}

#[test]
fn a_flipped_bit_never_changes_what_is_verified() {
    for (file, name) in [
        ("provenance-p256.dsse.json", "p256"),
        ("provenance.sigstore.json", "bundle"),
    ] {
        let bytes = fixture(file);
        let keys = [key(name)];
        let good = read(&bytes, &keys, 1).unwrap().remove(0).outside;
        let (mut refused, mut same) = (0, 0);
        flips(&bytes, 0..8, |at, bit, changed| {
            match read(changed, &keys, 1) {
                Err(_) => refused += 1,
                Ok(all) => {
                    // JSON white space, an ignored key id, or a field name that became another ignored one.
                    let outside = &all[0].outside;
                    assert!(matches!(outside.signing, Signing::Verified { .. }));
                    assert_eq!(said(outside), said(&good), "{file} byte {at} bit {bit}");
                    assert_ne!(outside.digest, good.digest);
                    same += 1;
                }
            }
        });
        assert!(refused > same, "{file}: {refused} refused, {same} the same");
    }
}

#[test]
fn a_flipped_bit_of_payload_or_signature_is_never_verified() {
    for (file, name, bits) in [
        ("provenance-p256.dsse.json", "p256", 0..8),
        // One bit of each byte: the same code, slower signatures.
        ("provenance-p384.dsse.json", "p384", 0..1),
        ("provenance-ed25519.dsse.json", "ed25519", 0..1),
        ("provenance-rsa.dsse.json", "rsa", 0..1),
    ] {
        let mut envelope: Value = serde_json::from_slice(&fixture(file)).unwrap();
        let keys = [key(name)];
        for pointer in ["/payload", "/signatures/0/sig"] {
            let text = envelope
                .pointer(pointer)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned();
            flips(
                &STANDARD.decode(&text).unwrap(),
                bits.clone(),
                |at, bit, changed| {
                    *envelope.pointer_mut(pointer).unwrap() = STANDARD.encode(changed).into();
                    let bytes = serde_json::to_vec(&envelope).unwrap();
                    assert!(
                        read(&bytes, &keys, 1).is_err(),
                        "{file} {pointer} byte {at} bit {bit}"
                    );
                },
            );
            *envelope.pointer_mut(pointer).unwrap() = text.into();
        }
    }
}

#[test]
fn cut_and_grown_files_do_not_panic() {
    for file in [
        "v01.dsse.json",
        "provenance.sigstore.json",
        "pytest.junit.xml",
        "npm.spdx.json",
    ] {
        let bytes = fixture(file);
        for end in 0..bytes.len() {
            let cut = read(&bytes[..end], &[], 0);
            assert!(cut.is_err() || cut.unwrap().iter().all(|s| !s.outside.is_verified()));
        }
    }
}

#[test]
fn a_flipped_bit_of_a_key_file_is_another_key_or_none() {
    for name in ["p256", "p384", "ed25519", "rsa"] {
        let good = key(name).key().clone();
        flips(
            &fixture(&format!("{name}.pub")),
            0..8,
            |at, bit, changed| {
                if let Ok(other) = Key::from_pem(name, changed) {
                    // Only white space may change without changing the key.
                    let space = char::from(changed[at]).is_whitespace();
                    assert!(other != good || space, "{name} byte {at} bit {bit}");
                }
            },
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes, &[], 0);
        let _ = Key::from_pem("x", &bytes);
        let _ = Key::from_spki("x", &bytes);
    }

    #[test]
    fn arbitrary_xml_never_panics(text in "[<>/=\"'&;#x0-9a-z!\\[\\]? -]{0,200}") {
        let _ = read(format!("<testsuite {text}").as_bytes(), &[], 0);
        let _ = read(format!("<testsuite>{text}").as_bytes(), &[], 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_damage_is_never_verified_as_something_else(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..8),
        file in prop::sample::select(vec![
            ("provenance-p256.dsse.json", "p256"), ("provenance.sigstore.json", "bundle"), ("all.intoto.jsonl", "p256"),
            ("node.junit.xml", ""), ("npm.cdx.json", ""),
        ]),
    ) {
        let (file, name) = file;
        let mut bytes = fixture(file);
        let keys: Vec<_> = (!name.is_empty()).then(|| key(name)).into_iter().collect();
        let good: Vec<_> = read(&bytes, &keys, keys.len()).unwrap().iter().map(|s| said(&s.outside)).collect();
        for (at, byte, how) in edits {
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        for submitted in read(&bytes, &keys, keys.len()).unwrap_or_default() {
            if submitted.outside.is_verified() {
                prop_assert!(good.contains(&said(&submitted.outside)));
            }
        }
    }
}
