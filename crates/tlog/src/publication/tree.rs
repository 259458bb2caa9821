//! The tree that a checkpoint speaks of, read out of a publication's tiles and led to its root before any of it is believed.

use std::fmt;

use gonogo_core::Digest;
use gonogo_ledger::Checkpoint;
use gonogo_ledger::merkle::{self, HashSource as _};
use gonogo_ledger::tile::content::{decode_entries, decode_hashes, leaf_hashes};
use gonogo_ledger::tile::{Level, ReadError, TilePath, TileReader};

use super::{CHECKPOINT, Publication};
use crate::error::Error;

type Fetch = Box<dyn FnMut(&TilePath) -> Result<Option<Vec<u8>>, Error> + Send>;

/// The tree of a checkpoint. Holds at most two tiles a level.
pub struct Tree {
    publication: Publication,
    reader: TileReader<Fetch>,
}

impl Tree {
    /// Reads the right edge of the tree and compares its root with the checkpoint's, which the caller has verified.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Io`].
    pub fn open(publication: &Publication, checkpoint: &Checkpoint) -> Result<Self, Error> {
        let from = publication.clone();
        let fetch: Fetch = Box::new(move |path| from.tile(path));
        let reader = TileReader::open(checkpoint.size, &checkpoint.root, fetch)
            .map_err(|e| unreadable(publication, e))?;
        Ok(Self {
            publication: publication.clone(),
            reader,
        })
    }

    /// Returns the root over the first `size` leaves; `size` is not above the tree's.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn root(&mut self, size: u64) -> Result<Digest, Error> {
        merkle::tree_root(&mut self.reader, size).map_err(|e| unreadable(&self.publication, e))
    }

    /// Returns the proof that this tree extends that of its first `old` leaves: what [`cosign`](crate::cosign) asks for.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Digest>, Error> {
        let size = self.reader.size();
        merkle::consistency_path(&mut self.reader, old, size)
            .map_err(|e| unreadable(&self.publication, e))
    }

    /// Reads a tile or bundle of this tree, checked against the root.
    ///
    /// # Errors
    /// As [`Tree::open`].
    pub fn tile(&mut self, path: &TilePath) -> Result<Vec<u8>, Error> {
        let publication = &self.publication;
        let bytes = publication
            .tile(path)?
            .ok_or_else(|| publication.missing(&path.path()))?;
        let damaged = |text: String| publication.damaged(path, text);
        let (level, found) = match path.level {
            Level::Entries => {
                let entries = decode_entries(&bytes, path.width);
                let entries = entries.map_err(|e| damaged(e.to_string()))?;
                (0, leaf_hashes(&entries))
            }
            Level::Hash(level) => {
                let hashes = decode_hashes(&bytes, path.width);
                (level, hashes.map_err(|e| damaged(e.to_string()))?)
            }
        };
        let start = path.index.saturating_mul(256);
        let said = self
            .reader
            .hashes(u32::from(level), start, path.width.into())
            .map_err(|e| unreadable(publication, e))?;
        if found != said {
            return Err(damaged("it does not belong to the tree".into()));
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Tree({}, {})",
            self.publication.dir().display(),
            self.reader.size()
        )
    }
}

fn unreadable(publication: &Publication, e: ReadError<Error>) -> Error {
    match e {
        ReadError::Fetch(_, e) => e,
        ReadError::Missing(path) => publication.missing(&path.path()),
        ReadError::Damaged(path, ref why) => publication.damaged(&path, why.to_string()),
        ReadError::Foreign(path) => {
            publication.damaged(&path, "it does not belong to the tree".into())
        }
        other @ (ReadError::Root { .. } | ReadError::Outside { .. }) => Error::Damaged {
            dir: publication.dir().to_owned(),
            name: CHECKPOINT.into(),
            text: other.to_string(),
        },
    }
}
