//! The tree of one size, read from a publication's tiles: its root, proofs out of it, and whether a tile belongs to it.

use std::collections::HashMap;

use gonogo_core::Digest;
use gonogo_ledger::merkle::{self, HashSource};
use gonogo_ledger::tile::TilePath;

use super::Publication;
use crate::error::Error;

/// How many tiles are kept in memory: more than any one proof reads at a level, 8 KiB each.
const KEPT: usize = 64;

/// The tree of the first `size` leaves. What it returns is as the tiles say; only a root that somebody signed makes it true.
#[derive(Debug)]
pub struct Tree<'a> {
    publication: &'a Publication,
    size: u64,
    tiles: HashMap<(u8, u64), Vec<Digest>>,
}

impl<'a> Tree<'a> {
    /// Reads the tree of `size` leaves. The publication must hold at least as many.
    #[must_use]
    pub fn new(publication: &'a Publication, size: u64) -> Self {
        Self {
            publication,
            size,
            tiles: HashMap::new(),
        }
    }

    /// Returns the root over the first `size` leaves; `size` is not above the tree's.
    ///
    /// # Errors
    /// [`Error::Missing`] and what reading gives.
    pub fn root(&mut self, size: u64) -> Result<Digest, Error> {
        merkle::tree_root(self, size)
    }

    /// Returns the proof that this tree extends that of its first `old` leaves.
    ///
    /// # Errors
    /// [`Error::Missing`] and what reading gives.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, Error> {
        let size = self.size;
        merkle::consistency_path(self, old, size)
    }

    /// Checks that a tile's bytes belong to this tree: a bundle's entries against the hashes of the level-0 tile, a full tile against
    /// the hash one level up. A partial tile's hashes all go into [`Tree::root`] and are checked there.
    ///
    /// With every tile of the tree checked and the root equal to a signed one, every byte is covered by that signature.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the tile, [`Error::Missing`], and what reading gives.
    pub fn check(&mut self, path: &TilePath, bytes: &[u8]) -> Result<(), Error> {
        let width = path.width();
        let damaged = |text: &str| Err(self.publication.damaged(path, text.to_owned()));
        if path.is_entries() {
            let Some(leaves) = leaf_hashes(bytes, width) else {
                return damaged("it is no bundle of as many entries");
            };
            if leaves != self.hashes(0, path.index() * 256, width)? {
                return damaged("its entries are not the leaves of the tree");
            }
        } else if width == 256 {
            let mut hashes = split(bytes);
            if hashes.len() != 256 {
                return damaged("it is no tile of 256 hashes");
            }
            while hashes.len() > 1 {
                hashes = hashes
                    .chunks_exact(2)
                    .map(|pair| merkle::node_hash(&pair[0], &pair[1]))
                    .collect();
            }
            if hashes != self.hashes(u32::from(path.level()) + 1, path.index(), 1)? {
                return damaged("its hashes do not lead to the tree's root");
            }
        }
        Ok(())
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[Digest], Error> {
        if !self.tiles.contains_key(&(level, index)) {
            let complete = self.size >> (8 * u32::from(level));
            let width = complete.saturating_sub(index * 256).min(256);
            let name = || format!("tile/{level}/{index}");
            let path = TilePath::hashes(level, index, width as usize)
                .map_err(|_| self.publication.missing(&name()))?;
            let bytes = self
                .publication
                .tile(&path)?
                .ok_or_else(|| self.publication.missing(&path.path()))?;
            if self.tiles.len() >= KEPT {
                self.tiles.clear();
            }
            self.tiles.insert((level, index), split(&bytes));
        }
        Ok(&self.tiles[&(level, index)])
    }
}

impl HashSource for Tree<'_> {
    type Error = Error;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Error> {
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let first = (start % 256) as usize;
        let tile = self.tile(level, start / 256)?;
        match tile.get(first..first + count) {
            Some(hashes) => Ok(hashes.to_vec()),
            None => Err(self
                .publication
                .missing(&format!("tile/{level}, hashes {start} and {count} on"))),
        }
    }
}

fn split(bytes: &[u8]) -> Vec<Digest> {
    bytes
        .as_chunks::<32>()
        .0
        .iter()
        .map(|hash| Digest::from_bytes(*hash))
        .collect()
}

/// The hashes of a bundle's entries; `None` unless there are exactly `count`.
fn leaf_hashes(mut bytes: &[u8], count: usize) -> Option<Vec<Digest>> {
    let mut hashes = Vec::with_capacity(count);
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        hashes.push(merkle::leaf_hash(entry));
        bytes = rest;
    }
    (bytes.is_empty() && hashes.len() == count).then_some(hashes)
}
