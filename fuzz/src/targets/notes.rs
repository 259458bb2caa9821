//! Notes, checkpoints, keys, policies, cosignatures and witness requests.

use std::collections::HashSet;

use gonogo_ledger::witness::{self, AddCheckpoint};
use gonogo_ledger::{Checkpoint, Note, Policy, Vkey, cosignature};

use super::{Run, text};
use crate::world::World;

/// A note has one spelling; a key of the world vouches for what it signed and for nothing else.
pub(super) fn note(world: World) -> Run {
    Box::new(move |data| {
        let Some(text) = text(data) else { return };
        let Ok(note) = Note::parse(text) else { return };
        assert_eq!(note.to_text(), text);
        assert!(note.text().ends_with('\n'));
        assert_eq!(note.signatures().len(), note.signature_count());
        let lines = &text[note.text().len() + 1..];
        for line in lines.lines() {
            assert!(note.with_line(line).is_err(), "the same signature twice");
        }
        if let Ok(signed) = note.verify(&world.log) {
            assert!(world.signed.contains(signed), "never signed");
        }
        if let Ok(Some(_)) = cosignature::find(&note, &world.witness) {
            assert!(world.cosigned.contains(note.text()), "never cosigned");
        }
    })
}

/// A checkpoint that opens was signed, and its text is written the same way.
pub(super) fn checkpoint(world: World) -> Run {
    Box::new(move |data| {
        let Some(text) = text(data) else { return };
        let Ok(note) = Note::parse(text) else {
            assert!(Checkpoint::open(text, &world.log).is_err());
            return;
        };
        let strict = Checkpoint::open(text, &world.log);
        let foreign = Checkpoint::open_foreign(&note, &world.log);
        match Checkpoint::read_unverified(&note) {
            Ok(read) => {
                assert!(note.text().starts_with(&read.text()));
                let judged = world.policy.open(text);
                if let Ok((checkpoint, vkey, quorum)) = &judged {
                    assert_eq!(strict.as_ref(), Ok(checkpoint));
                    assert_eq!(**vkey, world.log);
                    assert!(!quorum.met || world.cosigned.contains(note.text()));
                }
                assert_eq!(judged.is_ok(), strict.is_ok());
            }
            Err(_) => assert!(strict.is_err() && foreign.is_err()),
        }
        if let Ok(strict) = strict {
            assert_eq!(strict.text(), note.text());
            assert_eq!(foreign.as_ref(), Ok(&strict));
        }
        if let Ok(foreign) = foreign {
            assert!(world.signed.contains(note.text()), "never signed");
            assert_eq!(foreign.origin, world.log.name());
        }
    })
}

/// A verifier key has one spelling.
pub(super) fn vkey(_: World) -> Run {
    Box::new(|data| {
        let Some(text) = text(data) else { return };
        let Ok(key) = text.parse::<Vkey>() else {
            return;
        };
        assert_eq!(key.to_string(), text);
        assert!(text.starts_with(&key.label()));
        assert_eq!(key.full_id().as_bytes()[..4], key.id());
    })
}

/// A policy prints to one that reads as the same policy, and believes only what was signed.
pub(super) fn policy(world: World) -> Run {
    let newest = Note::parse(&world.newest).expect("the log's own checkpoint");
    Box::new(move |data| {
        let Some(text) = text(data) else { return };
        let Ok(policy) = Policy::parse(text) else {
            return;
        };
        let printed = policy.to_text();
        let again = Policy::parse(&printed).expect("what was printed reads");
        assert_eq!(again, policy);
        assert_eq!(again.to_text(), printed);
        let lines = |keyword: &str| {
            let first =
                |line: &&str| line.split([' ', '\t']).find(|w| !w.is_empty()) == Some(keyword);
            text.split('\n').filter(first).count()
        };
        assert_eq!(lines("log"), policy.logs().len());
        assert_eq!(lines("witness"), policy.witnesses().len());
        assert_eq!(lines("quorum"), 1);
        let keys: HashSet<&[u8]> = policy.witnesses().iter().map(|w| w.vkey.public()).collect();
        assert_eq!(keys.len(), policy.witnesses().len(), "a key counts twice");
        let quorum = policy.judge(&newest);
        assert_eq!(
            quorum.cosigned.len() + quorum.missing.len() + quorum.invalid.len(),
            policy.witnesses().len()
        );
        for witness in policy.witnesses() {
            let cosigned = quorum
                .cosigned
                .iter()
                .any(|(name, _)| *name == witness.name);
            assert!(!cosigned || witness.vkey.public() == world.witness.public());
        }
        assert!(!quorum.met || !policy.asks_for_witnesses() || !quorum.cosigned.is_empty());
        if let Ok((_, vkey, _)) = policy.open(&world.newest) {
            assert_eq!(*vkey, world.log, "the signature of another log");
        }
    })
}

/// Lines that are added to a checkpoint stay as they are, and count only if the witness wrote them.
pub(super) fn cosignature(world: World) -> Run {
    let bare = Note::parse(&world.remembered).expect("the log's own checkpoint");
    Box::new(move |data| {
        let Some(text) = text(data) else { return };
        let mut note = bare.clone();
        for line in text.split_inclusive('\n') {
            let Ok(longer) = note.with_line(line) else {
                continue;
            };
            let ended = if line.ends_with('\n') { "" } else { "\n" };
            assert_eq!(
                longer.to_text(),
                format!("{}{line}{ended}", note.to_text()),
                "a line has one spelling"
            );
            assert_eq!(Note::parse(&longer.to_text()).as_ref(), Ok(&longer));
            note = longer;
        }
        assert_eq!(note.verify(&world.log), Ok(bare.text()));
        let Ok(Some(time)) = cosignature::find(&note, &world.witness) else {
            return;
        };
        assert_eq!(cosignature::verify(&note, &world.witness), Ok(time));
        let signed = |line: &str| {
            world
                .seeds
                .iter()
                .any(|seed| seed.trim_ascii_end() == line.as_bytes())
        };
        let by = format!("\u{2014} {} ", world.witness.name());
        let good = note.to_text();
        let mut lines = good.lines().filter(|line| line.starts_with(&by));
        assert!(lines.any(signed), "never cosigned");
    })
}

/// A request has one spelling, and only an honest continuation of what is remembered is cosigned.
pub(super) fn witness(world: World) -> Run {
    let known = world.known();
    Box::new(move |data| {
        let Ok(request) = AddCheckpoint::parse(data) else {
            return;
        };
        assert_eq!(request.to_text().as_bytes(), data);
        assert!(!request.origin().contains('\n'));
        let note = Note::parse(&request.note).expect("it was read");
        for remembered in [None, Some(&known)] {
            match witness::judge(&request, Some(&world.log), remembered) {
                Ok(next) => {
                    assert!(world.signed.contains(note.text()), "never signed");
                    let size = remembered.map_or(0, |r| r.size);
                    assert!(next.size >= size && request.old == size);
                    let forked = world.forked.contains(note.text());
                    assert!(remembered.is_none() || !forked, "a split view was cosigned");
                }
                Err(refusal) => {
                    assert!(refusal.body().ends_with('\n'));
                    assert!((400..423).contains(&refusal.status()));
                }
            }
        }
        assert!(witness::judge(&request, None, Some(&known)).is_err());
    })
}
