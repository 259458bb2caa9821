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

use std::time::Duration;

use gonogo_ledger::tile::{new_tiles, tiles_of};
use gonogo_ledger::{Checkpoint, Vkey};
use tokio::task::{JoinError, JoinSet};

use crate::error::Error;
use crate::publication::{CHECKPOINT, LOG_VKEY, Publication, Tree};
pub use destination::Destination;
use judge::judge;

/// How patient an export is.
#[derive(Debug, Clone)]
pub struct Patience {
    /// How often each object is tried.
    pub attempts: u32,
    /// Pause after the first failure; it doubles with each further one, up to 5 s, and is shortened at random by up to half.
    pub pause: Duration,
    /// Objects under way at one time. Each holds one tile in memory, at most 16 MiB and usually 125 kB.
    pub at_once: usize,
    /// Whether to bring also what the destination's checkpoint covers: finds and mends what was lost there, and finds what was changed.
    pub whole: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 8,
            pause: Duration::from_millis(100),
            at_once: 8,
            whole: false,
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
/// A second run brings only what is missing: tiles that the destination's checkpoint covers are not looked at again, unless
/// [`Patience::whole`]. Blocks for the local disk now and then.
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
    let mut moved = 0;
    loop {
        let note = publication
            .checkpoint()?
            .ok_or_else(|| publication.missing(CHECKPOINT))?;
        match once(publication, &note, key, destination, patience).await {
            // A log drops partial tiles that wider ones replaced. If it grew meanwhile, its newer tree is there whole.
            Err(Error::Missing { .. })
                if moved < 5 && publication.checkpoint()?.is_some_and(|n| n != note) =>
            {
                moved += 1;
            }
            done => return done,
        }
    }
}

async fn once(
    publication: &Publication,
    note: &[u8],
    key: &Vkey,
    destination: &Destination,
    patience: &Patience,
) -> Result<Exported, Error> {
    let ours = open_own(publication, note, key)?;
    let mut tree = Tree::open(publication, &ours)?;
    let there = copy::read_checkpoint(destination, patience).await?;
    let verdict = judge(&mut tree, &ours, note, key, destination, there.as_ref())?;
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
    let mut tree = tiles(tree, destination, patience, &mut done).await?;
    let copied = copy::checkpoint(
        destination,
        there,
        verdict,
        note.to_vec().into(),
        patience,
        |there| judge(&mut tree, &ours, note, key, destination, there),
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

/// Opens our checkpoint.
fn open_own(publication: &Publication, note: &[u8], key: &Vkey) -> Result<Checkpoint, Error> {
    let damaged = |text: String| Error::Damaged {
        dir: publication.dir().to_owned(),
        name: CHECKPOINT.into(),
        text,
    };
    let text = std::str::from_utf8(note).map_err(|_| damaged("it is not UTF-8".into()))?;
    Checkpoint::open(text, key).map_err(|e| damaged(e.to_string()))
}

/// Brings every tile of the tree that the destination's checkpoint does not cover: reads and checks one after the other, writes several
/// at a time.
async fn tiles(
    mut tree: Tree,
    destination: &Destination,
    patience: &Patience,
    done: &mut Exported,
) -> Result<Tree, Error> {
    let size = done.size;
    let before = done.before.filter(|_| !patience.whole).unwrap_or(0);
    let mut running: JoinSet<Result<Option<u64>, Error>> = JoinSet::new();
    let mut wanted = 0;
    for path in new_tiles(before, size) {
        wanted += 1;
        if running.len() >= patience.at_once.max(1) {
            collect(running.join_next().await, done)?;
        }
        let (bytes, back) = joined(
            tokio::task::spawn_blocking(move || tree.tile(&path).map(|bytes| (bytes, tree))).await,
        )?;
        tree = back;
        let (destination, patience) = (destination.clone(), patience.clone());
        running.spawn(async move {
            copy::create(&destination, &path.path(), bytes.into(), &patience).await
        });
    }
    while let Some(copied) = running.join_next().await {
        collect(Some(copied), done)?;
    }
    done.skipped += tiles_of(size).count() as u64 - wanted;
    Ok(tree)
}

fn collect(
    copied: Option<Result<Result<Option<u64>, Error>, JoinError>>,
    done: &mut Exported,
) -> Result<(), Error> {
    if let Some(copied) = copied {
        done.count(joined(copied)?);
    }
    Ok(())
}

/// A panic in a task is a panic here; nothing else ends one early.
fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(value) => value,
        Err(e) => std::panic::resume_unwind(Box::new(e.to_string())),
    }
}
