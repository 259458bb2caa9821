//! A publication: a directory that holds a log as C2SP tlog-tiles lays it out, read only.
//!
//! [`serve`](crate::serve) hands out its files, [`export`](crate::export) copies them. [`Tree`] reads the hashes of a tree of one
//! size out of it and verifies tiles against the root.
//!
//! Invariants: only canonical tile paths name a file. A partial tile may be answered from the full tile that took its place,
//! with the bytes that the partial tile had. Lengths are checked before anything is read into memory.

mod tree;

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use gonogo_ledger::tile::content::MAX_TILE;
use gonogo_ledger::tile::{FULL, Level, TilePath};

use crate::disk;
use crate::error::Error;

pub use tree::Tree;

/// Name of the checkpoint in a publication.
pub const CHECKPOINT: &str = "checkpoint";

/// Name of the log's public key in a publication; not every publication has one, and a reader gets the key elsewhere.
pub const LOG_VKEY: &str = "log.vkey";

/// The largest checkpoint, in bytes.
pub const MAX_CHECKPOINT: u64 = 64 * 1024;

/// The largest tile or bundle, in bytes.
pub(crate) const MAX_BUNDLE: u64 = MAX_TILE as u64;

/// Bytes of a hash.
const HASH: u64 = 32;

/// A directory that holds a log's checkpoint and tiles.
#[derive(Debug, Clone)]
pub struct Publication {
    dir: PathBuf,
}

/// The beginning of a file.
pub(crate) struct Part {
    pub(crate) file: File,
    pub(crate) length: u64,
}

impl Publication {
    /// Names the directory. Nothing is looked at yet: it may be filled later.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Returns the directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the checkpoint as it is; `None` if the log has published none yet. Nothing is verified.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read or is larger than [`MAX_CHECKPOINT`].
    pub fn checkpoint(&self) -> Result<Option<Vec<u8>>, Error> {
        disk::read(&self.dir.join(CHECKPOINT), MAX_CHECKPOINT)
    }

    /// Reads the log's public key as the publication tells it; `None` if it tells none.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read.
    pub fn vkey_file(&self) -> Result<Option<Vec<u8>>, Error> {
        disk::read(&self.dir.join(LOG_VKEY), 4096)
    }

    /// Reads a tile or bundle, also from the full one that took its place; `None` if there is neither.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Damaged`].
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, Error> {
        let Some(mut part) = self.open_tile(path)? else {
            return Ok(None);
        };
        let name = path.path();
        let mut bytes = vec![0; usize::try_from(part.length).unwrap_or(usize::MAX)];
        part.file
            .read_exact(&mut bytes)
            .map_err(Error::io("read", &self.dir.join(name)))?;
        Ok(Some(bytes))
    }

    /// Opens a tile or bundle at the bytes that make up its answer.
    pub(crate) fn open_tile(&self, path: &TilePath) -> Result<Option<Part>, Error> {
        if let Some(part) = self.open_exact(path)? {
            return Ok(Some(part));
        }
        if !path.is_partial() {
            return Ok(None);
        }
        let full = path.full();
        let Some(Part { file, .. }) = self.open_exact(&full)? else {
            return Ok(None);
        };
        let wanted = u64::from(path.width);
        if path.level != Level::Entries {
            return Ok(Some(Part {
                file,
                length: wanted * HASH,
            }));
        }
        let (file, length) = bundle_prefix(file, wanted)
            .map_err(|e| self.damaged(&full, format!("entry {wanted} cannot be found: {e}")))?;
        Ok(Some(Part { file, length }))
    }

    fn open_exact(&self, path: &TilePath) -> Result<Option<Part>, Error> {
        let Some((file, length)) = disk::open(&self.dir.join(path.path()))? else {
            return Ok(None);
        };
        let width = u64::from(path.width);
        let fits = if path.level == Level::Entries {
            length >= 2 * width && length <= width * (MAX_BUNDLE / u64::from(FULL))
        } else {
            length == width * HASH
        };
        if !fits {
            return Err(self.damaged(path, format!("it has {length} bytes")));
        }
        Ok(Some(Part { file, length }))
    }

    pub(crate) fn missing(&self, name: &str) -> Error {
        Error::Missing {
            dir: self.dir.clone(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn damaged(&self, path: &TilePath, text: String) -> Error {
        Error::Damaged {
            dir: self.dir.clone(),
            name: path.path(),
            text,
        }
    }
}

/// Finds where the first `entries` of a bundle end; the file is at its beginning again afterwards.
fn bundle_prefix(file: File, entries: u64) -> io::Result<(File, u64)> {
    let mut reader = BufReader::new(file);
    let mut end = 0;
    for _ in 0..entries {
        let mut length = [0; 2];
        reader.read_exact(&mut length)?;
        let length = u16::from_be_bytes(length);
        reader.seek_relative(i64::from(length))?;
        end += 2 + u64::from(length);
    }
    let mut file = reader.into_inner();
    if end > file.metadata()?.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    file.rewind()?;
    Ok((file, end))
}
