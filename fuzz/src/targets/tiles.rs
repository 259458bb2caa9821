//! Names and contents of tiles.

use std::convert::Infallible;

use gonogo_core::Digest;
use gonogo_ledger::merkle::{Frontier, inclusion_path};
use gonogo_ledger::tile::content::{
    decode_entries, decode_hashes, encode_entries, encode_hashes, leaf_hashes, tile_root,
};
use gonogo_ledger::tile::{FULL, Level, TilePath, TileReader};

use super::{Run, text};
use crate::world::World;

/// A path has one spelling.
pub(super) fn path(_: World) -> Run {
    Box::new(|data| {
        let Some(text) = text(data) else { return };
        let Ok(path) = text.parse::<TilePath>() else {
            return;
        };
        assert_eq!(path.path(), text);
        assert!((1..=FULL).contains(&path.width));
        let full = path.full();
        assert_eq!(full.path().parse::<TilePath>(), Ok(full));
    })
}

/// Three bytes say what the rest is: an entry bundle or hash tile of some width, or the file that takes one tile's place.
/// A tile is its contents and nothing else, and a tree that reads is the right one.
pub(super) fn content(_: World) -> Run {
    let entries: Vec<Vec<u8>> = (0_u16..300).map(|n| n.to_be_bytes().to_vec()).collect();
    let leaves = leaf_hashes(&entries);
    let mut frontier = Frontier::default();
    for leaf in &leaves {
        frontier.push(*leaf);
    }
    let root = frontier.root();
    let honest = honest(&entries, &leaves);
    Box::new(move |data| {
        let [mode, high, low, rest @ ..] = data else {
            return;
        };
        let number = u16::from_be_bytes([*high, *low]);
        let width = number % (FULL + 2);
        match mode % 3 {
            0 => {
                let Ok(entries) = decode_entries(rest, width) else {
                    return;
                };
                assert_eq!(entries.len(), usize::from(width));
                match encode_entries(&entries) {
                    Ok(again) => assert_eq!(again, rest),
                    Err(_) => assert!(width == 0 || width > FULL),
                }
                assert_eq!(leaf_hashes(&entries).len(), entries.len());
            }
            1 => {
                let Ok(hashes) = decode_hashes(rest, width) else {
                    return;
                };
                assert_eq!(encode_hashes(&hashes), rest);
                assert_eq!(tile_root(&hashes).is_some(), width == FULL);
            }
            _ => {
                let changed = usize::from(number) % honest.len();
                let mut fetch = |path: &TilePath| -> Result<Option<Vec<u8>>, Infallible> {
                    let found = honest.iter().position(|(name, _)| name == path);
                    Ok(found.map(|at| match at == changed {
                        true => rest.to_vec(),
                        false => honest[at].1.clone(),
                    }))
                };
                let Ok(mut tree) = TileReader::open(300, &root, &mut fetch) else {
                    return;
                };
                for index in [0, 299] {
                    if let Ok(path) = inclusion_path(&mut tree, index, 300) {
                        let leaf = &leaves[index as usize];
                        gonogo_ledger::merkle::verify_inclusion(leaf, index, 300, &path, &root)
                            .expect("a path out of a tree that reads leads to its root");
                    }
                }
                for bundle in 0..2 {
                    if let Ok(read) = tree.entries(bundle) {
                        let first = bundle as usize * usize::from(FULL);
                        assert_eq!(read[..], entries[first..][..read.len()]);
                    }
                }
            }
        }
    })
}

/// The tiles of the tree of `entries`.
pub(crate) fn honest(entries: &[Vec<u8>], leaves: &[Digest]) -> Vec<(TilePath, Vec<u8>)> {
    let size = entries.len() as u64;
    let mut out = Vec::new();
    for (at, bundle) in entries.chunks(FULL.into()).enumerate() {
        let path =
            TilePath::in_tree(Level::Entries, at as u64, size).expect("a bundle of the tree");
        out.push((path, encode_entries(bundle).expect("small entries")));
    }
    let mut level: Vec<Digest> = leaves.to_vec();
    for number in 0.. {
        for (at, hashes) in level.chunks(FULL.into()).enumerate() {
            let path = TilePath::in_tree(Level::Hash(number), at as u64, size)
                .expect("a tile of the tree");
            out.push((path, encode_hashes(hashes)));
        }
        level = level
            .chunks_exact(FULL.into())
            .filter_map(tile_root)
            .collect();
        if level.is_empty() {
            break;
        }
    }
    out
}
