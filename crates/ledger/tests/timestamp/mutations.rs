//! Changed bytes of responses and certificates: never another time, message or authority, and never a panic.

use std::ops::Range;

use gonogo_ledger::timestamp::{Certificate, verify};
use proptest::prelude::*;

use super::{fixture, roots};

/// Where `part` stands in `whole`.
fn span(whole: &[u8], part: &[u8]) -> Range<usize> {
    let at = whole.windows(part.len()).position(|w| w == part).unwrap();
    at..at + part.len()
}

/// What a response may be changed in without ceasing to verify, because no signature covers it and nothing is taken from
/// it: the status, which may also be "granted with modifications", and certificates that the path does not need.
fn unsigned(name: &str, response: &[u8]) -> Vec<Range<usize>> {
    assert_eq!(response[4..9], [0x30, 3, 2, 1, 0], "PKIStatusInfo: granted");
    let status = 8..9;
    match name {
        // OpenSSL embeds the root too; the root that counts is the reader's.
        "below" => vec![status],
        _ => vec![status, span(response, roots("root-ec.pem")[0].der())],
    }
}

#[test]
fn a_flipped_bit_of_a_response_changes_nothing_that_is_believed() {
    let message = fixture("message");
    for (name, root, bits) in [
        ("direct", "root-ec.pem", 0..8),
        ("below", "root-rsa.pem", 0..8),
        // One bit of each byte: the same code with other algorithms.
        ("curve", "root-ec.pem", 0..1),
        ("sha512-ess1", "root-ec.pem", 0..1),
    ] {
        let response = fixture(&format!("{name}.tsr"));
        let root = roots(root);
        let good = verify(&response, &message, &root).unwrap();
        let free = unsigned(name, &response);
        let mut changed = response.clone();
        let mut accepted = 0;
        for at in 0..response.len() {
            for bit in bits.clone() {
                changed[at] = response[at] ^ (1 << bit);
                if let Ok(stamp) = verify(&changed, &message, &root) {
                    assert_eq!(stamp, good, "{name} byte {at} bit {bit}");
                    assert!(
                        free.iter().any(|span| span.contains(&at)),
                        "{name} byte {at} bit {bit}"
                    );
                    accepted += 1;
                }
            }
            changed[at] = response[at];
        }
        assert!(accepted >= 1, "{name}: the status has two good values");
    }
}

#[test]
fn a_cut_response_is_refused_at_every_length() {
    let message = fixture("message");
    let response = fixture("below.tsr");
    let root = roots("root-rsa.pem");
    for end in 0..response.len() {
        assert!(
            verify(&response[..end], &message, &root).is_err(),
            "{end} bytes"
        );
    }
}

#[test]
fn a_flipped_bit_of_the_root_is_another_root() {
    let message = fixture("message");
    let response = fixture("below.tsr");
    let der = roots("root-rsa.pem")[0].der().to_vec();
    let good = verify(&response, &message, &roots("root-rsa.pem")).unwrap();
    let mut changed = der.clone();
    for at in 0..der.len() {
        for bit in 0..8 {
            changed[at] = der[at] ^ (1 << bit);
            // A root is trusted for its name and key; its own signature and serial number vouch for nothing.
            if let Ok(root) = Certificate::from_der(&changed)
                && let Ok(stamp) = verify(&response, &message, &[root])
            {
                assert_eq!(stamp, good, "byte {at} bit {bit}");
            }
        }
        changed[at] = der[at];
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let root = roots("root-rsa.pem");
        prop_assert!(verify(&bytes, b"", &root).is_err());
        prop_assert!(Certificate::from_der(&bytes).is_err());
        let _ = Certificate::from_pem(&bytes);
    }

    #[test]
    fn random_damage_changes_nothing_that_is_believed(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..3), 1..6),
    ) {
        let message = fixture("message");
        let root = roots("root-ec.pem");
        let mut response = fixture("direct.tsr");
        let good = verify(&response, &message, &root).unwrap();
        for (at, byte, how) in edits {
            let at = at.index(response.len());
            match how {
                0 => response[at] = byte,
                1 => { response.remove(at); }
                _ => response.insert(at, byte),
            }
        }
        if let Ok(stamp) = verify(&response, &message, &root) {
            prop_assert_eq!(stamp, good);
        }
    }
}
