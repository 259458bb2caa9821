//! Reads everything that the ledger keeps and compares it with everything else: the journal's frames, signatures, streams and
//! signers, the index, both checkpoints, the published tiles and entries, and the blobs.
//!
//! Nothing is believed because something else was believed: leaves are computed from the records' bytes, tiles from these
//! leaves, and the root from these tiles. Nothing is repaired. Memory: a batch of records, one tile for each level, and one
//! entry for each stream.

mod projection;
mod records;
mod tiles;

use std::collections::BTreeSet;
use std::path::PathBuf;

use gonogo_core::Digest;
use gonogo_ledger::merkle::Frontier;

use super::Ledger;
use super::error::LedgerError;
use super::journal::{Frames, Place};
use super::recover::{self, Seen};

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Records that were read.
    pub records: u64,
    /// Records that are acknowledged.
    pub of: u64,
}

/// What was found to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fsck {
    /// Records whose bytes, signatures and places were checked.
    pub records: u64,
    /// Records behind the acknowledged ones; the next writer takes them up.
    pub unacknowledged: u64,
    /// Bytes of the journal.
    pub bytes: u64,
    /// The root over the acknowledged records.
    pub root: Digest,
    /// Leaves of the published checkpoint; 0 if nothing was published yet.
    pub published: u64,
    /// Published tiles and entry bundles that were compared.
    pub tiles: u64,
    /// Records that the index has, with what the journal says of them; it may lack the newest. None if there is no index, which
    /// the next writer makes.
    pub indexed: Option<u64>,
    /// Blobs whose bytes were hashed: all that records name, and none that was erased.
    pub blobs: u64,
}

impl Ledger {
    /// Checks the whole ledger; tells `progress` how far it is.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] naming the first place that does not fit; [`LedgerError::RolledBack`]; [`LedgerError::Lock`].
    pub fn fsck(&self, progress: &mut dyn FnMut(Progress)) -> Result<Fsck, LedgerError> {
        // What others have seen was acknowledged before.
        let published = self.published_note()?.map(|(checkpoint, _)| checkpoint);
        let seen = recover::read_seen(&self.layout, &self.vkey)?;
        let (acknowledged, _) = self.checkpoint()?;
        for Seen { path, checkpoint } in &seen {
            let is_newer = checkpoint.size > acknowledged.size;
            if is_newer
                || (checkpoint.size == acknowledged.size && checkpoint.root != acknowledged.root)
            {
                return Err(LedgerError::RolledBack {
                    path: self.layout.checkpoint_lock(),
                    text: format!(
                        "it acknowledges {} records, and `{}` is another checkpoint over {}",
                        acknowledged.size,
                        path.display(),
                        checkpoint.size
                    ),
                });
            }
        }
        recover::read_suspect(&self.layout, acknowledged.size)?;
        // The index first: what it has must be in the journal that is read after it.
        let projection = projection::open(&self.layout)?;
        let lock = || self.checkpoint().map(|(checkpoint, _)| checkpoint);
        let mut walk = records::Walk::new(
            acknowledged,
            seen.into_iter().map(|s| s.checkpoint).collect(),
            tiles::Tiles::new(&self.layout, published.as_ref().map_or(0, |c| c.size)),
            projection,
            &lock,
        );
        let mut place = Place::START;
        let mut bytes = 0;
        while let Some(mut frames) = Frames::open(&self.layout, place)? {
            let path = self.layout.segment(place.segment);
            let end = records::segment(&mut frames, (place.segment, &path), &mut walk, progress)?;
            bytes += end;
            if end < frames.length() {
                // Behind what is acknowledged an append that was cut short is no damage; before it, anything is.
                if walk.size() < walk.acknowledged().size || self.goes_on(place.segment + 1)? {
                    return Err(LedgerError::corrupt(
                        &path,
                        format!("no good record at byte {end}"),
                    ));
                }
                break;
            }
            place = Place {
                segment: place.segment + 1,
                offset: 0,
            };
        }
        let acknowledged = walk.acknowledged().clone();
        if walk.size() < acknowledged.size {
            return Err(LedgerError::RolledBack {
                path: self.layout.journal(),
                text: format!(
                    "it ends after {} records, and {} were acknowledged",
                    walk.size(),
                    acknowledged.size
                ),
            });
        }
        let tiles = walk.finish_tiles()?;
        let indexed = walk.finish_index()?;
        let here = self.hash_blobs()?;
        walk.compare_blobs(&self.layout, &here)?;
        Ok(Fsck {
            records: acknowledged.size,
            unacknowledged: walk.size() - acknowledged.size,
            bytes,
            root: acknowledged.root,
            published: published.map_or(0, |c| c.size),
            tiles,
            indexed,
            blobs: here.len() as u64,
        })
    }

    fn goes_on(&self, segment: u32) -> Result<bool, LedgerError> {
        let place = Place { segment, offset: 0 };
        Ok(Frames::open(&self.layout, place)?.is_some_and(|f| f.length() > 0))
    }

    /// Hashes every blob that lies in its place.
    fn hash_blobs(&self) -> Result<BTreeSet<Digest>, LedgerError> {
        let root = self.layout.blob_root();
        let mut here = BTreeSet::new();
        for shard in list(&root)? {
            for path in list(&shard)? {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
                let digest = name.and_then(|hex| Digest::from_hex(&hex).ok());
                let Some(digest) = digest.filter(|d| self.layout.blob(d) == path) else {
                    return Err(LedgerError::corrupt(&path, "it is no blob's name"));
                };
                self.hash_blob(&digest)?;
                here.insert(digest);
            }
        }
        Ok(here)
    }

    /// Reads the whole journal again and checks it; returns the number of records. See [`Ledger::fsck`].
    ///
    /// # Errors
    /// As [`Ledger::fsck`].
    pub fn check(&self) -> Result<u64, LedgerError> {
        let found = self.fsck(&mut |_| {})?;
        Ok(found.records + found.unacknowledged)
    }
}

/// The paths in a directory of the file system; none if it does not exist.
fn list(dir: &std::path::Path) -> Result<Vec<PathBuf>, LedgerError> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|e| LedgerError::io("list", dir, &e))?,
    };
    entries
        .map(|entry| {
            entry
                .map(|e| e.path())
                .map_err(|e| LedgerError::io("list", dir, &e))
        })
        .collect()
}

/// A checkpoint of the journal must be one of the tree before it.
fn fits(note: &str, frontier: &Frontier) -> bool {
    recover::states(note, frontier.size(), &frontier.root())
}
