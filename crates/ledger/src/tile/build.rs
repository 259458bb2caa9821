//! Making hash tiles from leaf hashes, in one pass and with one open tile a level.

use gonogo_core::Digest;

use super::content::{encode_hashes, tile_root};
use super::{FULL, Level, TilePath};
use crate::merkle::Frontier;

/// The hash tiles of a growing tree. Holds the partial tiles only: at most 255 hashes a level.
#[derive(Debug, Clone, Default)]
pub struct TileBuilder {
    frontier: Frontier,
    open: Vec<Vec<Digest>>,
}

impl TileBuilder {
    /// Adds a leaf's hash; returns the tiles that it filled, lowest first, with their bytes.
    pub fn push(&mut self, leaf: Digest) -> Vec<(TilePath, Vec<u8>)> {
        self.frontier.push(leaf);
        let mut filled = Vec::new();
        let mut carried = Some(leaf);
        let mut level = 0;
        while let Some(hash) = carried.take() {
            if self.open.len() == level {
                self.open.push(Vec::new());
            }
            let tile = &mut self.open[level];
            tile.push(hash);
            // Only a full tile has a root, and is done.
            if let Some(root) = tile_root(tile) {
                let hashes = std::mem::take(tile);
                filled.push((self.path(level, FULL), encode_hashes(&hashes)));
                carried = Some(root);
                level += 1;
            }
        }
        filled
    }

    /// Returns the partial tiles of the tree as it is, lowest first, with their bytes.
    pub fn partial(&self) -> Vec<(TilePath, Vec<u8>)> {
        let tiles = self.open.iter().enumerate();
        tiles
            .filter(|(_, hashes)| !hashes.is_empty())
            .map(|(level, hashes)| {
                let width =
                    u16::try_from(hashes.len()).expect("invariant: a tile that is not full");
                let mut path = self.path(level, width);
                path.index = self.count(level) / u64::from(FULL);
                (path, encode_hashes(hashes))
            })
            .collect()
    }

    /// Returns the number of leaves.
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Returns the tree's root.
    pub fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The tile of `level` that the newest leaf filled.
    fn path(&self, level: usize, width: u16) -> TilePath {
        TilePath {
            level: Level::Hash(u8::try_from(level).expect("invariant: a tree has eight levels")),
            index: (self.count(level) / u64::from(FULL)).saturating_sub(1),
            width,
        }
    }

    const fn count(&self, level: usize) -> u64 {
        self.frontier.size() >> (8 * level)
    }
}
