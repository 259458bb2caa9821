//! Recomputing a log from its entries: which files are missing, damaged or of another tree.
//!
//! Entries are the truth and hash tiles follow from them, so a hash tile that differs can be written again; a bundle that
//! is gone cannot. Reads each file once, in order, and holds one bundle and one tile a level.

use std::fmt;

use gonogo_core::Digest;

use super::content::{decode_entries, encode_hashes, leaf_hashes};
use super::read::{ReadError, file_at, hashes_at};
use super::{FULL, Level, TileBuilder, TilePath};

/// How many faults are listed before the work ends.
pub const MAX_FAULTS: usize = 1000;

/// What is wrong with one file, or with all of them together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault<E: fmt::Debug + fmt::Display> {
    /// The file is missing, damaged or unreadable.
    File(ReadError<E>),
    /// The hash tile differs from the one that the entries give, which is attached.
    Differs(TilePath, Vec<u8>),
    /// The entries do not give the checkpoint's root.
    Root {
        /// The checkpoint's root.
        expected: Digest,
        /// The root over the entries.
        found: Digest,
    },
}

impl<E: fmt::Debug + fmt::Display> fmt::Display for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Differs(path, _) => write!(f, "{path} is not what the entries give"),
            Self::Root { expected, found } => {
                write!(
                    f,
                    "the entries give root {found}, the checkpoint has {expected}"
                )
            }
        }
    }
}

/// What [`scrub`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrub<E: fmt::Debug + fmt::Display> {
    /// How many entries were read and hashed.
    pub entries: u64,
    /// How many files were read.
    pub files: u64,
    /// Whether all files were looked at. Otherwise a bundle and its leaf hashes are gone, or there were [`MAX_FAULTS`].
    pub complete: bool,
    /// What is wrong, in the order of finding.
    pub faults: Vec<Fault<E>>,
}

impl<E: fmt::Debug + fmt::Display> Scrub<E> {
    /// Returns whether every file of the tree is there and leads to the root.
    pub const fn is_sound(&self) -> bool {
        self.complete && self.faults.is_empty()
    }
}

/// Recomputes the tree of `size` leaves from the entries that `fetch` gives, compares every hash tile and the root, and
/// shows each entry with its index to `see`. Where a bundle cannot be used its stored leaf hashes stand in, so that the
/// rest is looked at all the same.
pub fn scrub<F, E>(
    size: u64,
    root: &Digest,
    mut fetch: F,
    mut see: impl FnMut(u64, &[u8]),
) -> Scrub<E>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    let mut found = Scrub {
        entries: 0,
        files: 0,
        complete: false,
        faults: Vec::new(),
    };
    let mut builder = TileBuilder::default();
    for index in 0..size.div_ceil(u64::from(FULL)) {
        let start = index * u64::from(FULL);
        let leaves = match bundle(&mut fetch, index, size, |at, entry| see(start + at, entry)) {
            Ok(leaves) => {
                found.files += 1;
                found.entries += leaves.len() as u64;
                leaves
            }
            Err(error) => {
                found.faults.push(Fault::File(error));
                let stored = TilePath::in_tree(Level::Hash(0), index, size)
                    .map(|path| hashes_at(&mut fetch, path));
                let Some(Ok(leaves)) = stored else {
                    return found;
                };
                leaves
            }
        };
        for leaf in leaves {
            for (path, bytes) in builder.push(leaf) {
                found.compare(&mut fetch, path, bytes);
            }
        }
        if found.faults.len() >= MAX_FAULTS {
            return found;
        }
    }
    for (path, bytes) in builder.partial() {
        found.compare(&mut fetch, path, bytes);
    }
    if builder.root() != *root {
        found.faults.push(Fault::Root {
            expected: *root,
            found: builder.root(),
        });
    }
    found.complete = true;
    found
}

impl<E: fmt::Debug + fmt::Display> Scrub<E> {
    fn compare<F>(&mut self, fetch: &mut F, path: TilePath, bytes: Vec<u8>)
    where
        F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    {
        match hashes_at(fetch, path) {
            Ok(hashes) => {
                self.files += 1;
                if encode_hashes(&hashes) != bytes {
                    self.faults.push(Fault::Differs(path, bytes));
                }
            }
            Err(error) => self.faults.push(Fault::File(error)),
        }
    }
}

fn bundle<F, E>(
    fetch: &mut F,
    index: u64,
    size: u64,
    mut see: impl FnMut(u64, &[u8]),
) -> Result<Vec<Digest>, ReadError<E>>
where
    F: FnMut(&TilePath) -> Result<Option<Vec<u8>>, E>,
    E: fmt::Debug + fmt::Display,
{
    let path = TilePath::in_tree(Level::Entries, index, size)
        .expect("invariant: the index is below the number of bundles");
    let (bytes, found) = file_at(fetch, path)?;
    let entries = decode_entries(&bytes, found.width).map_err(|e| ReadError::Damaged(found, e))?;
    let entries = &entries[..usize::from(path.width)];
    for (at, entry) in entries.iter().enumerate() {
        see(at as u64, entry);
    }
    Ok(leaf_hashes(entries))
}
