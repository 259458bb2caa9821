//! Copies a publication to a place that others can reach: a directory, or a bucket that speaks S3.
//!
//! The order is what makes the copy trustworthy: read our checkpoint, judge the one at the destination, bring every tile of our
//! tree, and only then replace the checkpoint by compare-and-swap. A reader of the destination never sees a checkpoint whose
//! tiles are not there, and never a tree that does not extend the last one.
//!
//! Invariants:
//! - An object that exists is never overwritten, but for the checkpoint. "It exists" is never believed: object stores say so also
//!   when nothing landed, and a time-out also when everything did. It is read back and compared, always.
//! - The checkpoint moves forward only, from one that this log's key signed to one that provably extends it.
//! - Each tile is checked against the signed root before it leaves.

mod copy;
mod destination;
mod directory;
mod judge;
#[cfg(feature = "object-store")]
mod store;

use std::sync::Arc;
use std::time::Duration;

use gonogo_ledger::tile::{TilePath, tiles_of};
use gonogo_ledger::{Checkpoint, Vkey};
use tokio::task::JoinSet;

use crate::error::Error;
use crate::publication::{CHECKPOINT, LOG_VKEY, Publication, Tree};
pub use destination::Destination;
use judge::{Verdict, judge};

/// How patient an export is.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How often each object is tried.
    pub attempts: u32,
    /// Pause after the first failure; it doubles with each further one, up to 5 s, and is shortened at random by up to half.
    pub pause: Duration,
    /// Objects under way at one time. Each holds one tile in memory, at most 16 MiB and usually 125 kB.
    pub at_once: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 8,
            pause: Duration::from_millis(100),
            at_once: 8,
        }
    }
}

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Leaves of the tree that the destination now holds.
    pub size: u64,
    /// Leaves of the tree that it held before; `None` if it held no checkpoint.
    pub before: Option<u64>,
    /// Objects written.
    pub uploaded: u64,
    /// Objects of the tree that were there already.
    pub skipped: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Copies the publication's current tree to `destination`. `key` is the log's, from where the caller trusts it.
///
/// A second run brings only what is missing: tiles that the destination's checkpoint covers are not looked at again.
///
/// # Errors
/// [`Error::Missing`] and [`Error::Damaged`] for the publication; [`Error::Foreign`], [`Error::Rollback`], [`Error::Fork`] and
/// [`Error::Different`] if the destination holds something that this tree does not extend; [`Error::Refused`] and
/// [`Error::Exhausted`] if it does not take what it is sent. In every case the checkpoint there is what it was, and tiles that
/// were copied are right and stay.
pub async fn export(
    publication: &Publication,
    key: &Vkey,
    destination: &Destination,
    patience: &Patience,
) -> Result<Exported, Error> {
    let note = publication
        .checkpoint()?
        .ok_or_else(|| publication.missing(CHECKPOINT))?;
    let ours = open_own(publication, &note, key)?;
    let there = copy::read_checkpoint(destination, patience).await?;
    let verdict = judge(publication, &ours, &note, key, destination, there.as_ref())?;
    let mut done = Exported {
        size: ours.size,
        before: verdict.before(),
        uploaded: 0,
        skipped: 0,
        bytes: 0,
    };
    if let Some(vkey) = publication.vkey_file()? {
        let copied = copy::create(destination, LOG_VKEY, vkey.into(), patience).await?;
        done.count(copied);
    }
    tiles(publication, destination, patience, &mut done).await?;
    let copied = copy::checkpoint(
        destination,
        there,
        verdict,
        note.clone().into(),
        patience,
        |there| judge(publication, &ours, &note, key, destination, there),
    )
    .await?;
    done.count(copied);
    Ok(done)
}

impl Exported {
    /// Counts an object: how many bytes were written, `None` if it was there.
    fn count(&mut self, written: Option<u64>) {
        match written {
            Some(bytes) => {
                self.uploaded += 1;
                self.bytes += bytes;
            }
            None => self.skipped += 1,
        }
    }
}

/// Opens our checkpoint and compares its root with our tiles'.
fn open_own(publication: &Publication, note: &[u8], key: &Vkey) -> Result<Checkpoint, Error> {
    let damaged = |text: String| Error::Damaged {
        dir: publication.dir().to_owned(),
        name: CHECKPOINT.into(),
        text,
    };
    let text = std::str::from_utf8(note).map_err(|_| damaged("it is not UTF-8".into()))?;
    let ours = Checkpoint::open(text, key).map_err(|e| damaged(e.to_string()))?;
    let root = Tree::new(publication, ours.size).root(ours.size)?;
    if root != ours.root {
        return Err(damaged(format!(
            "it is for root {}, the tiles have {root}",
            ours.root
        )));
    }
    Ok(ours)
}

/// Brings every tile of the tree that the destination's checkpoint does not cover.
async fn tiles(
    publication: &Publication,
    destination: &Destination,
    patience: &Patience,
    done: &mut Exported,
) -> Result<(), Error> {
    let size = done.size;
    let before = done.before.unwrap_or(0);
    let mut running: JoinSet<Result<Option<u64>, Error>> = JoinSet::new();
    let shared = Arc::new((publication.clone(), destination.clone(), patience.clone()));
    for path in tiles_of(size) {
        if covered(&path, before) {
            done.skipped += 1;
            continue;
        }
        if running.len() >= patience.at_once.max(1) {
            collect(running.join_next().await, done)?;
        }
        let shared = Arc::clone(&shared);
        running.spawn(async move {
            let (publication, destination, patience) = &*shared;
            let name = path.path();
            let bytes = read_checked(publication.clone(), path, size).await?;
            copy::create(destination, &name, bytes.into(), patience).await
        });
    }
    while let Some(copied) = running.join_next().await {
        collect(Some(copied), done)?;
    }
    Ok(())
}

fn collect(
    copied: Option<Result<Result<Option<u64>, Error>, tokio::task::JoinError>>,
    done: &mut Exported,
) -> Result<(), Error> {
    match copied {
        Some(Ok(copied)) => done.count(copied?),
        Some(Err(e)) => std::panic::resume_unwind(Box::new(e.to_string())),
        None => {}
    }
    Ok(())
}

/// Whether the tree of `before` leaves has this very tile.
fn covered(path: &TilePath, before: u64) -> bool {
    let complete = before >> (8 * u32::from(path.level()));
    let (tile, rest) = (complete / 256, complete % 256);
    path.index() < tile
        || (path.index() == tile && rest != 0 && path.width() as u64 == rest)
}

async fn read_checked(
    publication: Publication,
    path: TilePath,
    size: u64,
) -> Result<Vec<u8>, Error> {
    let dir = publication.dir().to_owned();
    tokio::task::spawn_blocking(move || {
        let bytes = publication
            .tile(&path)?
            .ok_or_else(|| publication.missing(&path.path()))?;
        Tree::new(&publication, size).check(&path, &bytes)?;
        Ok(bytes)
    })
    .await
    .unwrap_or_else(|e| Err(Error::io("read", &dir)(std::io::Error::other(e))))
}
