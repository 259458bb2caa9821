//! Copies a publication to a place that others can reach: a directory, or a bucket that speaks S3.
//!
//! The order is what makes the copy trustworthy: read our checkpoint, judge the one at the destination, see with our own eyes that
//! every tile of our tree is there, and only then replace the checkpoint by compare-and-swap. A reader of the destination never
//! sees a checkpoint whose tiles are not there, and never a tree that does not extend the last one.
//!
//! Invariants:
//! - An object that exists is never overwritten, but for the checkpoint.
//! - No answer about a write is believed: not "it exists", which object stores say also when nothing landed, not a time-out, and not
//!   "it is done". Each object that our checkpoint needs is read from the destination and compared in every run, whether it was
//!   written just now or years ago, also if there is nothing new.
//! - The checkpoint moves forward only, from one that this log's key signed to one that provably extends it.
//! - Each tile is checked against the signed root before it leaves.

mod copy;
mod destination;
mod directory;
mod judge;
#[cfg(feature = "object-store")]
mod store;

use std::time::Duration;

use gonogo_ledger::tile::{TilePath, tiles_of};
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
    /// Objects under way at one time. Each holds two copies of one tile in memory, ours and what was read back: usually 250 kB, with
    /// somebody's largest leaves 32 MiB.
    pub at_once: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempts: 8,
            pause: Duration::from_millis(100),
            at_once: 16,
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
    /// Objects written; each was read back.
    pub uploaded: u64,
    /// Those of the written that the destination had lost: its own checkpoint needed them.
    pub missing: u64,
    /// Objects that were there already; each was read, and is what it should be.
    pub compared: u64,
    /// Bytes written.
    pub bytes: u64,
}

/// Copies the publication's current tree to `destination`. `key` is the log's, from where the caller trusts it.
///
/// A second run brings only what is missing, and reads all the rest. Blocks for the local disk now and then.
///
/// # Errors
/// [`Error::Missing`] and [`Error::Damaged`] for the publication; [`Error::Foreign`], [`Error::Rollback`], [`Error::Fork`] and
/// [`Error::Different`] if the destination holds something that this tree does not extend; [`Error::Refused`] and
/// [`Error::Exhausted`] if it does not take what it is sent, or says that it did and has not. In every case the checkpoint there is
/// what it was, unless it is the checkpoint itself that could not be read back, and tiles that were copied are right and stay.
pub async fn export(
    publication: &Publication,
    key: &Vkey,
    destination: &Destination,
    patience: &Patience,
) -> Result<Exported, Error> {
    let mut moved = 0;
    let mut written = Written::default();
    loop {
        let note = publication
            .checkpoint()?
            .ok_or_else(|| publication.missing(CHECKPOINT))?;
        match once(publication, &note, key, destination, patience, &mut written).await {
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

/// What was written so far, over all attempts: what an attempt wrote that had to begin again was written all the same.
#[derive(Default)]
struct Written {
    objects: u64,
    missing: u64,
    bytes: u64,
}

async fn once(
    publication: &Publication,
    note: &[u8],
    key: &Vkey,
    destination: &Destination,
    patience: &Patience,
    written: &mut Written,
) -> Result<Exported, Error> {
    let ours = open_own(publication, note, key)?;
    let mut tree = Tree::open(publication, &ours)?;
    let there = copy::read_checkpoint(destination, patience).await?;
    let verdict = judge(&mut tree, &ours, note, key, destination, there.as_ref())?;
    let before = verdict.before();
    let mut compared = 0;
    if let Some(vkey) = publication.vkey_file()? {
        let copied = copy::ensure(destination, LOG_VKEY, vkey.into(), patience, false).await?;
        compared += written.count(copied, false);
    }
    let (mut tree, same) = tiles(tree, ours.size, before, destination, patience, written).await?;
    compared += same;
    let copied = copy::checkpoint(
        destination,
        there,
        verdict,
        note.to_vec().into(),
        patience,
        |there| judge(&mut tree, &ours, note, key, destination, there),
    )
    .await?;
    compared += written.count(copied, false);
    Ok(Exported {
        size: ours.size,
        before,
        uploaded: written.objects,
        missing: written.missing,
        compared,
        bytes: written.bytes,
    })
}

impl Written {
    /// Counts an object: how many bytes were written, `None` if it was there. `due` says that it should have been. Returns how many
    /// were there: one or none.
    fn count(&mut self, bytes: Option<u64>, due: bool) -> u64 {
        let Some(bytes) = bytes else { return 1 };
        self.objects += 1;
        self.missing += u64::from(due);
        self.bytes += bytes;
        0
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

/// Sees to it that every tile of the tree is at the destination: reads and checks ours one after the other, and writes and reads
/// theirs several at a time. Returns how many were there.
///
/// All are read, not only what is new: that a checkpoint lies there proves nothing about what else does, today.
async fn tiles(
    mut tree: Tree,
    size: u64,
    before: Option<u64>,
    destination: &Destination,
    patience: &Patience,
    written: &mut Written,
) -> Result<(Tree, u64), Error> {
    let mut running: JoinSet<Copied> = JoinSet::new();
    let mut compared = 0;
    for path in tiles_of(size) {
        if running.len() >= patience.at_once.max(1) {
            compared += collect(running.join_next().await, written)?;
        }
        let due = TilePath::in_tree(path.level, path.index, before.unwrap_or(0)) == Some(path);
        let (bytes, back) = joined(
            tokio::task::spawn_blocking(move || tree.tile(&path).map(|bytes| (bytes, tree))).await,
        )?;
        tree = back;
        let (destination, patience) = (destination.clone(), patience.clone());
        running.spawn(async move {
            let bytes = bytes.into();
            let copied = copy::ensure(&destination, &path.path(), bytes, &patience, due).await?;
            Ok((copied, due))
        });
    }
    while let Some(copied) = running.join_next().await {
        compared += collect(Some(copied), written)?;
    }
    Ok((tree, compared))
}

/// How many bytes of an object were written, `None` if it was there; and whether it should have been.
type Copied = Result<(Option<u64>, bool), Error>;

fn collect(copied: Option<Result<Copied, JoinError>>, written: &mut Written) -> Result<u64, Error> {
    let Some(copied) = copied else { return Ok(0) };
    let (bytes, due) = joined(copied)?;
    Ok(written.count(bytes, due))
}

/// A panic in a task is a panic here; nothing else ends one early.
fn joined<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(value) => value,
        Err(e) => std::panic::resume_unwind(Box::new(e.to_string())),
    }
}
