//! Roots, proofs, tile names and notes, compared with `tlog_tiles` 0.2.0 and `signed_note` 0.2.0. Their tile paths are
//! those of Go's checksum database: `tile/8/<L>/…` and `tile/8/data/…`.

use std::collections::{HashMap, HashSet};

use gonogo_core::Digest;
use gonogo_ledger::merkle::{
    Frontier, consistency_path, inclusion_path, verify_consistency, verify_inclusion,
};
use gonogo_ledger::tile::{Level, TilePath, TileReader, new_tiles};
use gonogo_ledger::{Checkpoint, Note, Vkey};
use signed_note::{Signer as _, StandardSigner, StandardVerifier, VerifierList};
use tlog_tiles::{Hash, Tile, TileHashReader, TileReader as TheirReader};

use crate::{ORIGIN, checkpoint, cosigner, leaf, log, tiles};

const SIZES: [u64; 8] = [1, 255, 256, 257, 65_535, 65_536, 65_537, 70_000];

struct Files(HashMap<String, Vec<u8>>);

impl TheirReader for Files {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &Tile| self.0.get(&c2sp(tile)).cloned();
        tiles
            .iter()
            .map(read)
            .collect::<Option<_>>()
            .ok_or(tlog_tiles::Error::IndexesNotInTree)
    }

    fn save_tiles(&self, _tiles: &[Tile], _data: &[Vec<u8>]) {}
}

/// Their path in the form of C2SP.
fn c2sp(tile: &Tile) -> String {
    tile.path()
        .replacen("tile/8/", "tile/", 1)
        .replacen("tile/data/", "tile/entries/", 1)
}

fn theirs(digest: &Digest) -> Hash {
    Hash(*digest.as_bytes())
}

fn all(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(theirs).collect()
}

fn root_of(size: u64) -> Digest {
    let mut frontier = Frontier::default();
    for at in 0..size {
        frontier.push(leaf(at));
    }
    frontier.root()
}

#[test]
fn roots_and_proofs_are_the_same() {
    for size in SIZES {
        let (files, root) = tiles(size);
        let files = Files(files);
        let reader = TileHashReader::new(size, theirs(&root), &files);
        let their_root = tlog_tiles::tree_hash(size, &reader).unwrap();
        assert_eq!(their_root, theirs(&root));
        let fetch = |path: &TilePath| Ok::<_, String>(files.0.get(&path.path()).cloned());
        let mut tree = TileReader::open(size, &root, fetch).unwrap();

        let mut indexes: Vec<u64> = (0..40).map(|at| at * size / 40).collect();
        indexes.extend([0, size / 2, size - 1, size.saturating_sub(2)]);
        for index in indexes.into_iter().filter(|at| *at < size) {
            let path = inclusion_path(&mut tree, index, size).unwrap();
            let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
            assert_eq!(proof, all(&path), "{index} of {size}");
            let (leaf, hash) = (leaf(index), theirs(&leaf(index)));
            assert!(tlog_tiles::check_record(&proof, size, their_root, index, hash).is_ok());
            assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
            let other = leaf_of(index + 1);
            assert!(
                tlog_tiles::check_record(&proof, size, their_root, index, theirs(&other)).is_err()
            );
            assert!(verify_inclusion(&other, index, size, &path, &root).is_err());
        }

        for old in SIZES
            .into_iter()
            .chain([2, 3, 128, 300, 12_345])
            .filter(|old| *old <= size)
        {
            let path = consistency_path(&mut tree, old, size).unwrap();
            let proof = tlog_tiles::prove_tree(size, old, &reader).unwrap();
            assert_eq!(proof, all(&path), "{old} to {size}");
            let old_root = root_of(old);
            let verdict = tlog_tiles::check_tree(&proof, size, their_root, old, theirs(&old_root));
            assert!(verdict.is_ok());
            assert_eq!(
                verify_consistency(old, &old_root, size, &root, &path),
                Ok(())
            );
            let other = leaf_of(old + 7);
            let verdict = tlog_tiles::check_tree(&proof, size, their_root, old, theirs(&other));
            assert!(verdict.is_err());
            assert!(verify_consistency(old, &other, size, &root, &path).is_err());
        }
    }
}

fn leaf_of(at: u64) -> Digest {
    leaf(at + 1_000_000)
}

#[test]
fn tiles_have_the_same_names() {
    let sizes: Vec<u64> = SIZES.into_iter().chain([0, 2, 300, 12_345]).collect();
    for old in &sizes {
        for new in sizes.iter().filter(|new| *new >= old) {
            let expected: HashSet<String> =
                Tile::new_tiles(8, *old, *new).iter().map(c2sp).collect();
            let ours: HashSet<String> = new_tiles(*old, *new)
                .filter(|tile| tile.level != Level::Entries)
                .map(|tile| tile.path())
                .collect();
            assert_eq!(ours, expected, "{old} to {new}");
        }
    }
    for (level, index, width) in [(0, 0, 256), (3, 1_234_067, 1), (63, 999_999_999, 255)] {
        for data in [false, true] {
            let tile = Tile::new(8, level, index, width, data);
            let level = if data {
                Level::Entries
            } else {
                Level::Hash(level)
            };
            let width = u16::try_from(width).unwrap();
            assert_eq!(
                c2sp(&tile),
                TilePath {
                    level,
                    index,
                    width
                }
                .path()
            );
        }
    }
}

// The example key of Go's golang.org/x/mod/sumdb/note.
const SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fn verifies(note: &[u8], vkey: &str) -> Option<Vec<u8>> {
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(vkey).unwrap())]);
    let note = signed_note::Note::from_bytes(note).ok()?;
    let (good, _) = note.verify(&known).ok()?;
    (good.len() == 1).then(|| note.text().to_vec())
}

#[test]
fn each_verifies_what_the_other_signed() {
    let (key, w1) = (log(ORIGIN), cosigner("witness.example/w1"));
    let note = Note::parse(&checkpoint().sign(&key)).unwrap();
    let note = note
        .with_line(&w1.cosign(note.text(), 1_700_000_000))
        .unwrap();
    let text = verifies(note.to_text().as_bytes(), &key.vkey().to_string());
    assert_eq!(text.as_deref(), Some(checkpoint().text().as_bytes()));
    let read = tlog_tiles::Checkpoint::from_bytes(note.text().as_bytes()).unwrap();
    assert_eq!((read.origin(), read.size()), (ORIGIN, checkpoint().size));
    assert_eq!(read.hash(), &theirs(&checkpoint().root));

    let signer = StandardSigner::new(SECRET).unwrap();
    let ours = Checkpoint {
        origin: "PeterNeumann".into(),
        ..checkpoint()
    };
    let mut signed = signed_note::Note::new(ours.text().as_bytes(), &[]).unwrap();
    signed.add_sigs(&[&signer]).unwrap();
    let text = String::from_utf8(signed.to_bytes()).unwrap();
    let vkey: Vkey = PUBLIC.parse().unwrap();
    assert_eq!(u32::from_be_bytes(vkey.id()), signer.key_id());
    assert_eq!(Checkpoint::open(&text, &vkey), Ok(ours));
}

#[test]
fn both_read_the_same_changed_notes() {
    let (key, w1) = (log(ORIGIN), cosigner("witness.example/w1"));
    let note = Note::parse(&checkpoint().sign(&key)).unwrap();
    let note = note
        .with_line(&w1.cosign(note.text(), 1_700_000_000))
        .unwrap();
    let (text, vkey) = (note.to_text(), key.vkey().to_string());
    let (mut read, mut verified) = (0, 0);
    for at in 0..text.len() {
        for mask in [1, 2, 4, 0x10, 0x20, 0x40, 0x80] {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= mask;
            let parsed = std::str::from_utf8(&bytes)
                .ok()
                .and_then(|t| Note::parse(t).ok());
            let their_note = signed_note::Note::from_bytes(&bytes).ok();
            assert_eq!(
                parsed.is_some(),
                their_note.is_some(),
                "byte {at} ^ {mask:#x}"
            );
            let Some(parsed) = parsed else { continue };
            read += 1;
            let ours = parsed
                .verify(key.vkey())
                .ok()
                .map(|t| t.as_bytes().to_vec());
            assert_eq!(ours, verifies(&bytes, &vkey), "byte {at} ^ {mask:#x}");
            verified += u32::from(ours.is_some());
        }
    }
    // Changes to the cosignature's line leave the log's signature good; there must be some of each kind.
    assert!(read > verified && verified > 100, "{read} {verified}");
}
