//! Every refusal of the witness protocol, and the order in which they come.

use super::*;
use crate::key::LogKey;
use crate::merkle::{Frontier, HashSource, consistency_path, leaf_hash, node_hash, tree_root};

const ORIGIN: &str = "example.com/log";

/// Leaves kept whole; any other level is computed.
struct Leaves(Vec<Digest>);

impl HashSource for Leaves {
    type Error = std::convert::Infallible;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Self::Error> {
        let span = 1 << (8 * level);
        let root = |at: usize| {
            let mut hashes = self.0[at * span..][..span].to_vec();
            while hashes.len() > 1 {
                let pairs = hashes.chunks_exact(2);
                hashes = pairs.map(|p| node_hash(&p[0], &p[1])).collect();
            }
            hashes[0]
        };
        Ok((start as usize..start as usize + count).map(root).collect())
    }
}

fn log() -> LogKey {
    LogKey::load(ORIGIN, &LogKey::generate().unwrap()).unwrap()
}

fn leaves() -> Leaves {
    Leaves(
        (0..300_u32)
            .map(|at| leaf_hash(&at.to_be_bytes()))
            .collect(),
    )
}

fn at(size: u64) -> Checkpoint {
    let Ok(root) = tree_root(&mut leaves(), size);
    Checkpoint {
        origin: ORIGIN.into(),
        size,
        root,
    }
}

fn request(log: &LogKey, old: u64, new: &Checkpoint) -> AddCheckpoint {
    let Ok(path) = consistency_path(&mut leaves(), old, new.size);
    AddCheckpoint {
        old,
        path,
        note: new.sign(log),
    }
}

fn forked(size: u64) -> Checkpoint {
    let mut frontier = Frontier::default();
    for at in 0..size {
        frontier.push(leaf_hash(&(at + 1000).to_be_bytes()));
    }
    Checkpoint {
        origin: ORIGIN.into(),
        size,
        root: frontier.root(),
    }
}

#[test]
fn growth_repetition_and_first_sight_are_accepted() {
    let log = log();
    for (known, new) in [
        (None, 0),
        (None, 7),
        (Some(0), 7),
        (Some(7), 7),
        (Some(7), 8),
        (Some(7), 300),
        (Some(256), 257),
    ] {
        let request = request(&log, known.unwrap_or(0), &at(new));
        let again = AddCheckpoint::parse(request.to_text().as_bytes()).unwrap();
        assert_eq!(again, request);
        assert_eq!(again.origin(), ORIGIN);
        let known = known.map(at);
        assert_eq!(judge(&again, Some(log.vkey()), known.as_ref()), Ok(at(new)));
    }
}

#[test]
fn every_refusal_has_its_status() {
    let (log, other) = (log(), log());
    let known = at(7);
    let good = request(&log, 7, &at(20));
    let judged = |request: &AddCheckpoint, key: Option<&LogKey>, known: Option<&Checkpoint>| {
        judge(request, key.map(LogKey::vkey), known).unwrap_err()
    };
    assert_eq!(judged(&good, None, Some(&known)), Refusal::UnknownLog);
    assert_eq!(judged(&good, Some(&other), Some(&known)), Refusal::Unsigned);
    let stranger = LogKey::load("example.com/other", &LogKey::generate().unwrap()).unwrap();
    assert_eq!(
        judged(&good, Some(&stranger), Some(&known)),
        Refusal::UnknownLog
    );

    let shrunk = request(&log, 21, &at(20));
    let refusal = judged(&shrunk, Some(&log), Some(&at(21)));
    assert_eq!(refusal.status(), 400);

    // The wrong old size is told before the proof is looked at, and without a known state it is 0.
    for (old, known) in [
        (6, Some(at(7))),
        (8, Some(at(7))),
        (7, None),
        (0, Some(at(7))),
    ] {
        let refusal = judged(&request(&log, old, &at(20)), Some(&log), known.as_ref());
        let size = known.map_or(0, |k| k.size);
        assert_eq!(refusal, Refusal::Conflict(size));
        assert_eq!(
            (refusal.status(), refusal.body()),
            (409, format!("{size}\n"))
        );
        assert_eq!(refusal.content_type(), "text/x.tlog.size");
        assert!(!refusal.is_split_view());
    }

    let mut spoilt = good.clone();
    spoilt.path[0] = Digest::of(b"other");
    assert_eq!(judged(&spoilt, Some(&log), Some(&known)).status(), 422);
    let mut shorter = good.clone();
    shorter.path.pop();
    assert_eq!(judged(&shorter, Some(&log), Some(&known)).status(), 422);
    for (old, new) in [(0, 7), (7, 7)] {
        let mut longer = request(&log, old, &at(new));
        longer.path.push(Digest::of(b"x"));
        let known = at(old);
        assert_eq!(judged(&longer, Some(&log), Some(&known)).status(), 422);
    }
    let fork = request(&log, 7, &forked(20));
    assert_eq!(judged(&fork, Some(&log), Some(&known)).status(), 422);
    let no_root = Checkpoint {
        root: Digest::of(b"x"),
        ..at(0)
    };
    assert_eq!(
        judged(&request(&log, 0, &no_root), Some(&log), None).status(),
        422
    );
}

#[test]
fn a_second_root_for_one_size_is_a_split_view_whatever_old_size_it_names() {
    let log = log();
    for old in [0, 3, 7] {
        let refusal = judge(
            &request(&log, old, &forked(7)),
            Some(log.vkey()),
            Some(&at(7)),
        );
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal, Refusal::SplitView(7));
        assert!(refusal.is_split_view());
        assert_eq!((refusal.status(), refusal.body()), (409, "7\n".to_owned()));
        assert_eq!(refusal.content_type(), "text/x.tlog.size");
    }
    // Unsigned, it proves nothing about the log.
    let forger = LogKey::load(ORIGIN, &LogKey::generate().unwrap()).unwrap();
    let forged = request(&forger, 7, &forked(7));
    assert_eq!(
        judge(&forged, Some(log.vkey()), Some(&at(7))),
        Err(Refusal::Unsigned)
    );
}

#[test]
fn foreign_checkpoints_may_have_extension_lines_and_more_signatures() {
    let log = log();
    let text = format!("{}extension\n", at(7).text());
    let line = crate::note::signature_line(log.vkey(), &log.sign(text.as_bytes()));
    let unknown = "— example.com/other AAAAAAAA\n";
    let request = AddCheckpoint {
        old: 0,
        path: Vec::new(),
        note: format!("{text}\n{unknown}{line}"),
    };
    assert_eq!(judge(&request, Some(log.vkey()), None), Ok(at(7)));
    assert!(Checkpoint::open(&request.note, log.vkey()).is_err());
    let unsigned = AddCheckpoint {
        note: format!("{text}\n{unknown}"),
        ..request.clone()
    };
    assert_eq!(
        judge(&unsigned, Some(log.vkey()), None),
        Err(Refusal::Unsigned)
    );
    let spoilt = AddCheckpoint {
        note: format!("{}extensiom\n\n{line}", at(7).text()),
        ..request
    };
    assert_eq!(
        judge(&spoilt, Some(log.vkey()), None),
        Err(Refusal::Unsigned)
    );
}

#[test]
fn malformed_requests_are_named() {
    let good = request(&log(), 7, &at(20)).to_text();
    let hash = format!("{}\n", at(3).root_base64());
    for (from, to, what) in [
        ("old 7", "old 07", "old size"),
        ("old 7", "old -7", "old size"),
        ("old 7", "old  7", "old size"),
        ("old 7", "old 18446744073709551616", "old size"),
        ("old 7", "Old 7", "first line"),
        ("old 7\n", "old 7\r\n", "old size"),
        ("old 7\n", "old 7\nAAAA\n", "proof line 1"),
        (
            "old 7\n",
            &format!("old 7\n{}", hash.repeat(60)),
            "more than 63",
        ),
        ("example.com/log\n20\n", "example.com/log\n020\n", "decimal"),
        (
            "example.com/log\n20\n",
            "example.com/log\n9223372036854775808\n",
            "larger",
        ),
        ("\n\n— ", "\n— ", "blank line"),
    ] {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good);
        let refusal = AddCheckpoint::parse(text.as_bytes()).unwrap_err();
        assert_eq!(refusal.status(), 400);
        assert!(refusal.to_string().contains(what), "{to}: {refusal}");
    }
    assert!(AddCheckpoint::parse(b"").is_err());
    assert!(AddCheckpoint::parse(b"old 0\n").is_err());
    assert!(AddCheckpoint::parse(&[0xff; 10]).is_err());
    assert!(AddCheckpoint::parse(&vec![b'a'; MAX_REQUEST + 1]).is_err());
}

#[test]
fn a_log_is_served_under_the_hash_of_its_origin() {
    assert_eq!(
        origin_hash("abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
