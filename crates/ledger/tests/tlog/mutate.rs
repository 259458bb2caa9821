//! Flipping bits of valid texts: no parser panics, what still reads has one spelling, and nothing signed reads as anything
//! else.

use gonogo_core::Digest;
use gonogo_ledger::merkle::{path_from_text, path_to_text};
use gonogo_ledger::tile::TilePath;
use gonogo_ledger::tlog_proof::TlogProof;
use gonogo_ledger::witness::{AddCheckpoint, judge};
use gonogo_ledger::{Checkpoint, Note, Policy, Vkey, cosignature};

use crate::{ORIGIN, checkpoint, cosigner, log};

/// Calls `check` with every text that differs from `text` in one bit, lacks one byte, or has one twice.
fn mutate(text: &str, mut check: impl FnMut(&[u8])) {
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            check(&bytes);
        }
        let mut bytes = text.as_bytes().to_vec();
        bytes.insert(at, bytes[at]);
        if bytes != text.as_bytes() {
            check(&bytes);
        }
        bytes.drain(at..at + 2);
        check(&bytes);
        check(&text.as_bytes()[..at]);
    }
}

fn hashes(count: u8) -> Vec<Digest> {
    (0..count).map(|at| Digest::of(&[at])).collect()
}

#[test]
fn no_changed_note_is_accepted_with_another_text() {
    let (key, w1, w2) = (
        log(ORIGIN),
        cosigner("witness.example/w1"),
        cosigner("witness.example/w2"),
    );
    let note = Note::parse(&checkpoint().sign(&key)).unwrap();
    let note = note
        .with_line(&w1.cosign(note.text(), 1_700_000_000))
        .unwrap();
    let note = note
        .with_line(&w2.cosign(note.text(), 1_700_000_001))
        .unwrap();
    let policy = Policy::parse(&format!(
        "log {}\nwitness a {}\nwitness b {}\ngroup both all a b\nquorum both\n",
        key.vkey(),
        w1.vkey(),
        w2.vkey()
    ));
    let policy = policy.unwrap();
    assert!(policy.open(&note.to_text()).unwrap().2.met);
    let mut opened = 0;
    mutate(&note.to_text(), |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let Ok(read) = Note::parse(text) else { return };
        assert_eq!(read.to_text(), text, "one spelling");
        if let Ok(found) = Checkpoint::open(text, key.vkey()) {
            assert_eq!(found, checkpoint());
            opened += 1;
        }
        if let Ok(found) = Checkpoint::open_foreign(&read, key.vkey()) {
            assert_eq!(found, checkpoint());
        }
        if let Ok(time) = cosignature::verify(&read, w1.vkey()) {
            assert_eq!((read.text(), time), (note.text(), 1_700_000_000));
        }
        // Every byte is under some signature that the quorum asks for, or names it.
        assert!(
            !policy.open(text).is_ok_and(|(.., quorum)| quorum.met),
            "{text}"
        );
    });
    assert!(
        opened > 0,
        "changes to a witness's line leave the checkpoint good"
    );
}

#[test]
fn no_changed_request_is_judged_good_for_another_checkpoint() {
    let key = log(ORIGIN);
    let request = AddCheckpoint {
        old: 0,
        path: Vec::new(),
        note: checkpoint().sign(&key),
    };
    assert_eq!(judge(&request, Some(key.vkey()), None), Ok(checkpoint()));
    mutate(&request.to_text(), |bytes| {
        let Ok(read) = AddCheckpoint::parse(bytes) else {
            return;
        };
        assert_eq!(read.to_text().as_bytes(), bytes, "one spelling");
        let judged = judge(&read, Some(key.vkey()), None);
        assert!(judged.is_err(), "{judged:?}");
    });
    let long = AddCheckpoint {
        old: 7,
        path: hashes(63),
        ..request
    };
    mutate(&long.to_text(), |bytes| {
        if let Ok(read) = AddCheckpoint::parse(bytes) {
            assert_eq!(read.to_text().as_bytes(), bytes);
        }
    });
}

#[test]
fn changed_keys_are_refused() {
    for vkey in [log(ORIGIN).vkey(), cosigner("witness.example/w1").vkey()] {
        let text = vkey.to_string();
        assert_eq!(&text.parse::<Vkey>().unwrap(), vkey);
        mutate(&text, |bytes| {
            let Ok(text) = std::str::from_utf8(bytes) else {
                return;
            };
            assert!(text.parse::<Vkey>().is_err(), "{text}");
        });
    }
}

#[test]
fn changed_policies_are_refused_or_read_back_as_they_are() {
    let (key, w1, w2) = (log(ORIGIN), cosigner("w1"), cosigner("w2"));
    let text = format!(
        "# ours\nlog {} https://ledger.example/\n\nwitness a {}\nwitness b {}\ngroup g 1 a b\nquorum g\n",
        key.vkey(),
        w1.vkey(),
        w2.vkey()
    );
    let good = Policy::parse(&text).unwrap();
    assert_eq!(Policy::parse(&good.to_text()).as_ref(), Ok(&good));
    mutate(&text, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return;
        };
        let Ok(read) = Policy::parse(text) else {
            return;
        };
        assert_eq!(Policy::parse(&read.to_text()).as_ref(), Ok(&read), "{text}");
    });
}

#[test]
fn changed_proofs_have_one_spelling() {
    let proof = TlogProof {
        index: 12,
        path: hashes(3),
        checkpoint: checkpoint().sign(&log(ORIGIN)),
    };
    for text in [
        proof.to_text(),
        proof
            .to_text()
            .replacen("\nindex", "\nextra AAECAw==\nindex", 1),
    ] {
        let read = TlogProof::parse_foreign(text.as_bytes()).unwrap();
        assert_eq!(read.to_text(), text);
        assert_eq!(read.proof, proof);
        assert_eq!(
            TlogProof::parse(text.as_bytes()).is_ok(),
            read.extra.is_none()
        );
        mutate(&text, |bytes| {
            if let Ok(read) = TlogProof::parse_foreign(bytes) {
                assert_eq!(read.to_text().as_bytes(), bytes);
            }
            if let Ok(read) = TlogProof::parse(bytes) {
                assert_eq!(read.to_text().as_bytes(), bytes);
            }
        });
    }
    let text = path_to_text(&hashes(3));
    mutate(&text, |bytes| {
        let read = std::str::from_utf8(bytes)
            .ok()
            .and_then(|t| path_from_text(t).ok());
        if let Some(read) = read {
            assert_eq!(path_to_text(&read).as_bytes(), bytes);
        }
    });
}

#[test]
fn changed_tile_paths_have_one_spelling() {
    for text in [
        "tile/0/x001/x234/067.p/8",
        "tile/entries/000",
        "tile/63/999.p/255",
    ] {
        mutate(text, |bytes| {
            let read = std::str::from_utf8(bytes).ok().map(str::parse::<TilePath>);
            if let Some(Ok(read)) = read {
                assert_eq!(read.path().as_bytes(), bytes);
            }
        });
    }
}
