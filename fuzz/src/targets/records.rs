//! Envelopes, statements, bundles, proofs and trusted roots.

use gonogo_core::{Timestamp, canonical};
use gonogo_ledger::bundle::{Bundles, claimed_log_id};
use gonogo_ledger::packet::Manifest;
use gonogo_ledger::tlog_proof::TlogProof;
use gonogo_ledger::{Checkpoint, Envelope, KeyEvent, Statement, merkle, trusted_root};

use super::Run;
use crate::world::World;

/// A proof has one spelling, ours and anybody's.
pub(super) fn tlog_proof(world: World) -> Run {
    Box::new(move |data| {
        let own = TlogProof::parse(data);
        let Ok(foreign) = TlogProof::parse_foreign(data) else {
            assert!(own.is_err());
            return;
        };
        assert_eq!(foreign.to_text().as_bytes(), data);
        match own {
            Ok(own) => {
                assert_eq!(own, foreign.proof);
                assert!(foreign.extra.is_none());
                assert_eq!(own.to_text().as_bytes(), data);
            }
            Err(_) => assert!(foreign.extra.is_some()),
        }
        assert!(foreign.proof.path.len() <= merkle::MAX_PATH);
        if Checkpoint::open(&foreign.proof.checkpoint, &world.log).is_ok() {
            let signed = |text: &String| foreign.proof.checkpoint.starts_with(text.as_str());
            assert!(world.signed.iter().any(signed), "never signed");
        }
    })
}

/// A bundle has one spelling, and one whose signature and path hold is one of those that were written.
pub(super) fn bundle(world: World) -> Run {
    let state = world.state();
    let bundles = Bundles::new(world.log.full_id(), &world.newest, state.size, &state.root)
        .expect("the log's own checkpoint");
    Box::new(move |data| {
        let claimed = claimed_log_id(data);
        let Ok((bundle, body)) = bundles.read(data) else {
            return;
        };
        assert_eq!(claimed, Ok(world.log.full_id()));
        assert_eq!(bundles.write(&bundle), data);
        if bundle.envelope.verify(&world.signer).is_err() {
            return;
        }
        assert!(
            world.payloads.contains(bundle.envelope.payload()),
            "never signed"
        );
        let leaf = merkle::leaf_hash(&body);
        let included =
            merkle::verify_inclusion(&leaf, bundle.index, state.size, &bundle.path, &state.root);
        if included.is_ok() && bundle.key == world.signer {
            assert!(
                world.seeds.iter().any(|seed| seed == data),
                "another bundle of the same log"
            );
        }
    })
}

/// The stored form has one spelling; what is imported has a stored form; what verifies was signed.
pub(super) fn dsse(world: World) -> Run {
    let check = move |envelope: &Envelope| {
        let stored = envelope.to_bytes();
        assert_eq!(stored.len(), envelope.stored_length());
        assert_eq!(Envelope::parse(&stored).as_ref(), Ok(envelope));
        if envelope.verify(&world.signer).is_ok() {
            assert!(world.payloads.contains(envelope.payload()), "never signed");
        }
    };
    Box::new(move |data| {
        let imported = Envelope::import(data);
        if let Ok(envelope) = Envelope::parse(data) {
            assert_eq!(envelope.to_bytes(), data);
            assert_eq!(
                imported.as_ref(),
                Ok(&envelope),
                "what is stored can be imported"
            );
        }
        if let Ok(envelope) = imported {
            check(&envelope);
        }
    })
}

/// A statement has one spelling, and so have the bodies that the ledger itself reads.
pub(super) fn statement(_: World) -> Run {
    Box::new(|data| {
        let value = canonical::parse(data);
        if let Ok(value) = &value {
            let text = canonical::to_vec(value).expect("what is read has a canonical form");
            let again = canonical::parse(&text).expect("the canonical form reads");
            assert_eq!(canonical::to_vec(&again).as_ref().ok(), Some(&text));
        }
        let Ok(statement) = Statement::parse(data) else {
            return;
        };
        assert_eq!(statement.to_bytes().as_deref(), Ok(data));
        if let Ok(event) = KeyEvent::from_body(&statement.body) {
            assert_eq!(event.to_body(), statement.body);
        }
        if let Ok(manifest) = Manifest::from_body(statement.body.clone()) {
            assert_eq!(manifest.to_body(), statement.body);
        }
    })
}

/// When the reader asks.
const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// The logs that a root names can be written as roots of their own.
pub(super) fn trusted_root(_: World) -> Run {
    Box::new(|data| {
        let Ok(logs) = trusted_root::logs(data, NOW) else {
            return;
        };
        for log in &logs {
            let own = trusted_root::of_log(log).expect("a log that was read");
            assert_eq!(
                trusted_root::logs(&own, NOW).as_deref(),
                Ok(&[log.clone()][..])
            );
        }
    })
}
