//! Round trips of every text format over arbitrary values, and parsers over arbitrary bytes.

use gonogo_core::Digest;
use gonogo_ledger::note::{MAX_SIGNATURES, Note};
use gonogo_ledger::tlog_proof::{ForeignProof, TlogProof};
use gonogo_ledger::witness::AddCheckpoint;
use gonogo_ledger::{Checkpoint, Policy, Vkey, cosignature};
use proptest::prelude::*;

use crate::{ORIGIN, checkpoint, cosigner, log};

fn digests(most: usize) -> impl Strategy<Value = Vec<Digest>> {
    prop::collection::vec(any::<[u8; 32]>().prop_map(Digest::from_bytes), 0..=most)
}

#[test]
fn sixteen_signatures_and_more_are_read() {
    let key = log(ORIGIN);
    let mut note = Note::parse(&checkpoint().sign(&key)).unwrap();
    for at in 1..MAX_SIGNATURES {
        let line = cosigner(&format!("w{at}")).cosign(note.text(), at as u64);
        note = note.with_line(&line).unwrap();
        assert_eq!(Note::parse(&note.to_text()).as_ref(), Ok(&note));
    }
    assert_eq!(note.signature_count(), MAX_SIGNATURES);
    assert_eq!(
        Checkpoint::open(&note.to_text(), key.vkey()),
        Ok(checkpoint())
    );
    let line = cosigner("more").cosign(note.text(), 1);
    assert!(note.with_line(&line).is_err());
    assert!(Note::parse(&format!("{}{line}", note.to_text())).is_err());
}

proptest! {
    #[test]
    fn checkpoints_read_back(size in 0..=i64::MAX as u64, root in any::<[u8; 32]>(), time in 0..=i64::MAX as u64) {
        let (key, witness) = (log(ORIGIN), cosigner("w"));
        let root = if size == 0 { Digest::of(b"") } else { Digest::from_bytes(root) };
        let checkpoint = Checkpoint { origin: ORIGIN.into(), size, root };
        let signed = checkpoint.sign(&key);
        let note = Note::parse(&signed).unwrap();
        prop_assert_eq!(note.to_text(), signed.clone());
        let note = note.with_line(&witness.cosign(note.text(), time)).unwrap();
        prop_assert_eq!(Checkpoint::open(&note.to_text(), key.vkey()), Ok(checkpoint.clone()));
        prop_assert_eq!(Checkpoint::open_foreign(&note, key.vkey()), Ok(checkpoint));
        prop_assert_eq!(cosignature::verify(&note, witness.vkey()), Ok(time));
    }

    #[test]
    fn keys_read_back(name in "[a-zà-ü0-9./-]{1,80}", key in any::<[u8; 32]>()) {
        for vkey in [Vkey::new(&name, key), Vkey::cosigner(&name, key)] {
            let vkey = vkey.unwrap();
            prop_assert_eq!(vkey.to_string().parse(), Ok(vkey));
        }
    }

    #[test]
    fn names_with_spaces_or_plus_are_refused(head in "[a-z]{0,3}", bad in "[+ \t\n\u{85}\u{a0}\u{2003}\u{3000}\u{7f}]", tail in "[a-z]{0,3}") {
        let name = format!("{head}{bad}{tail}");
        prop_assert!(Vkey::new(&name, [1; 32]).is_err());
    }

    #[test]
    fn proofs_and_requests_read_back(index in any::<u64>(), path in digests(63), extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..40))) {
        let note = checkpoint().sign(&log(ORIGIN));
        let proof = TlogProof { index, path: path.clone(), checkpoint: note.clone() };
        let foreign = ForeignProof { proof, extra };
        prop_assert_eq!(TlogProof::parse_foreign(foreign.to_text().as_bytes()), Ok(foreign.clone()));
        prop_assert_eq!(TlogProof::parse(foreign.to_text().as_bytes()).is_ok(), foreign.extra.is_none());
        let request = AddCheckpoint { old: index, path, note };
        prop_assert_eq!(AddCheckpoint::parse(request.to_text().as_bytes()), Ok(request));
    }

    #[test]
    fn any_text_reads_in_one_way_or_is_an_error(text in "[a-z0-9+/=\n — ]{0,120}") {
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_text(), text.clone());
        }
        if let Ok(policy) = Policy::parse(&text) {
            prop_assert_eq!(Policy::parse(&policy.to_text()), Ok(policy));
        }
        let _ = text.parse::<Vkey>();
    }

    #[test]
    fn notes_in_shape_read_in_one_way(body in "([a-z]{0,4}\n){1,4}", lines in prop::collection::vec(("[a-z+ ]{0,4}", prop::collection::vec(any::<u8>(), 0..9)), 0..4)) {
        use base64::Engine as _;
        let mut text = format!("{body}\n");
        for (name, blob) in &lines {
            text.push_str(&format!("— {name} {}\n", base64::engine::general_purpose::STANDARD.encode(blob)));
        }
        let good = |(name, blob): &(String, Vec<u8>)| {
            !name.is_empty() && !name.contains(['+', ' ']) && blob.len() > 4
        };
        let read = Note::parse(&text);
        prop_assert_eq!(read.is_ok(), !lines.is_empty() && lines.iter().all(good));
        if let Ok(note) = read {
            prop_assert_eq!(note.text(), body);
            prop_assert_eq!(note.to_text(), text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for head in ["", "old 7\n", "c2sp.org/tlog-proof@v1\nindex 1\n"] {
            let text = [head.as_bytes(), &bytes].concat();
            if let Ok(read) = AddCheckpoint::parse(&text) {
                prop_assert_eq!(read.to_text().into_bytes(), text.clone());
            }
            if let Ok(read) = TlogProof::parse_foreign(&text) {
                prop_assert_eq!(read.to_text().into_bytes(), text);
            }
        }
    }
}
