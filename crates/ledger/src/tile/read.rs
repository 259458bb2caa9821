//! Reading a tree out of tiles that nobody vouches for.
//!
//! The partial tiles at the right edge together give the root; a full tile is one hash of the tile above it. So every
//! tile that is handed on was led to the root first, and a forged one is an error that names it.

use std::fmt;

use gonogo_core::Digest;

use super::content::{decode_entries, decode_hashes, leaf_hashes, tile_root};
use super::{FULL, LEVELS, Level, TilePath};
use crate::error::Error;
use crate::merkle::{HashSource, STRIDE, tree_root};

/// Why a tree cannot be read out of its tiles. `E` is why a file cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<E: fmt::Debug + fmt::Display> {
    /// The file could not be fetched.
    #[error("{0} cannot be read: {1}")]
    Fetch(TilePath, E),
    /// The file is not there, nor the full tile at its place.
    #[error("{0} is missing")]
    Missing(TilePath),
    /// The file is not a tile of that name.
    #[error("{0} is damaged: {1}")]
    Damaged(TilePath, Error),
    /// The tile does not hash to what the tile above, or for entries the tile beside, says.
    #[error("{0} does not belong to the tree: its hash is not the one above it")]
    Foreign(TilePath),
    /// The tiles at the right edge do not give the root.
    #[error("the tiles of {size} leaves give root {found}, the checkpoint has {expected}")]
    Root {
        /// The tree's size.
        size: u64,
        /// The root that was asked for.
        expected: Digest,
        /// The root that the tiles give.
        found: Digest,
    },
    /// A place that the tree does not have was asked for.
    #[error("the tree of {size} leaves has no hash {index} of level {level}")]
    Outside {
        /// The tree's size.
        size: u64,
        /// The stored level.
        level: u32,
        /// The position asked for.
        index: u64,
    },
}

/// A tree of known size and root, read out of tiles. It is a [`HashSource`]: roots and proofs come from
/// [`crate::merkle`]. `F` fetches a file by its path: `Ok(None)` if there is none. Holds at most two tiles a level.
#[derive(Debug)]
pub struct TileReader<F> {
    size: u64,
    fetch: F,
    // The partial tile of each level, empty where there is none.
    edge: Vec<Vec<Digest>>,
    // The full tile of each level that was read last.
    full: Vec<Option<(u64, Vec<Digest>)>>,
}

impl<F, E> TileReader<F>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    /// Reads the right edge of the tree and compares its root.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn open(size: u64, root: &Digest, mut fetch: F) -> Result<Self, ReadError<E>> {
        let mut edge = Vec::with_capacity(LEVELS as usize);
        for level in 0..LEVELS {
            let last = size >> (STRIDE * level) >> STRIDE;
            let path = TilePath::in_tree(hash_level(level), last, size);
            edge.push(match path {
                Some(path) => hashes_at(&mut fetch, path)?,
                None => Vec::new(),
            });
        }
        let found = match tree_root(&mut Edge(&edge), size) {
            Ok(found) => found,
            Err(never) => match never {},
        };
        if found != *root {
            return Err(ReadError::Root {
                size,
                expected: *root,
                found,
            });
        }
        Ok(Self {
            size,
            fetch,
            edge,
            full: vec![None; LEVELS as usize],
        })
    }

    /// Returns the number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Returns the entries of bundle `index`, after comparing each with its leaf hash: [`FULL`], or fewer at the end.
    ///
    /// # Errors
    /// [`ReadError`], also if the tree has no such bundle.
    pub fn entries(&mut self, index: u64) -> Result<Vec<Vec<u8>>, ReadError<E>> {
        let Some(path) = TilePath::in_tree(Level::Entries, index, self.size) else {
            return Err(self.outside(0, index.saturating_mul(u64::from(FULL))));
        };
        let (bytes, found) = file_at(&mut self.fetch, path)?;
        let entries =
            decode_entries(&bytes, found.width).map_err(|e| ReadError::Damaged(found, e))?;
        let entries = &entries[..usize::from(path.width)];
        if leaf_hashes(entries) != self.tile(0, index)? {
            return Err(ReadError::Foreign(found));
        }
        Ok(entries.iter().map(|e| e.to_vec()).collect())
    }

    /// The hashes of a tile, led to the root.
    fn tile(&mut self, level: u32, index: u64) -> Result<&[Digest], ReadError<E>> {
        let at = level as usize;
        let first = index.saturating_mul(u64::from(FULL));
        let path = (level < LEVELS)
            .then(|| TilePath::in_tree(hash_level(level), index, self.size))
            .flatten()
            .ok_or_else(|| self.outside(level, first))?;
        if path.is_partial() {
            return Ok(&self.edge[at]);
        }
        let known = matches!(&self.full[at], Some((held, _)) if *held == index);
        if !known {
            let hashes = hashes_at(&mut self.fetch, path)?;
            let above = self.tile(level + 1, index / u64::from(FULL))?;
            let place = (index % u64::from(FULL)) as usize;
            if tile_root(&hashes).as_ref() != above.get(place) {
                return Err(ReadError::Foreign(path));
            }
            self.full[at] = Some((index, hashes));
        }
        Ok(self.full[at].as_ref().map_or(&[], |(_, hashes)| hashes))
    }

    const fn outside(&self, level: u32, index: u64) -> ReadError<E> {
        ReadError::Outside {
            size: self.size,
            level,
            index,
        }
    }
}

impl<F, E> HashSource for TileReader<F>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    type Error = ReadError<E>;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Self::Error> {
        let outside = self.outside(level, start);
        let tile = self.tile(level, start / u64::from(FULL))?;
        let place = (start % u64::from(FULL)) as usize;
        let hashes = tile.get(place..place.saturating_add(count));
        hashes.map(<[Digest]>::to_vec).ok_or(outside)
    }
}

/// The maximal complete subtrees of a tree all lie in its partial tiles.
struct Edge<'a>(&'a [Vec<Digest>]);

impl HashSource for Edge<'_> {
    type Error = std::convert::Infallible;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Result<Vec<Digest>, Self::Error> {
        let place = (start % u64::from(FULL)) as usize;
        Ok(self.0[level as usize][place..place + count].to_vec())
    }
}

fn hash_level(level: u32) -> Level {
    Level::Hash(u8::try_from(level).expect("invariant: a tree has eight levels"))
}

/// Fetches a tile, or the full one at its place: a log may drop a partial tile once the full one is there.
pub(super) fn file_at<F, E>(
    fetch: &mut F,
    path: TilePath,
) -> Result<(Vec<u8>, TilePath), ReadError<E>>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    for candidate in [path, path.full()] {
        match fetch(&candidate) {
            Ok(Some(bytes)) => return Ok((bytes, candidate)),
            Ok(None) => {}
            Err(e) => return Err(ReadError::Fetch(candidate, e)),
        }
    }
    Err(ReadError::Missing(path))
}

/// Fetches a hash tile; of a wider one the first hashes.
pub(super) fn hashes_at<F, E>(fetch: &mut F, path: TilePath) -> Result<Vec<Digest>, ReadError<E>>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    let (bytes, found) = file_at(fetch, path)?;
    let mut hashes =
        decode_hashes(&bytes, found.width).map_err(|e| ReadError::Damaged(found, e))?;
    hashes.truncate(path.width.into());
    Ok(hashes)
}
