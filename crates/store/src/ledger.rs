//! The evidence ledger on a real disk: an append-only journal of signed records, with an index that can be thrown away.
//!
//! Meets `gonogo-ledger` (what a record, leaf, checkpoint and packet is) below and the use cases above. On disk:
//!
//! ```text
//! ledger/journal/NNNN.seg   frames: u32 length | u32 CRC-32C | u8 kind | body      the truth
//! ledger/lock.db            the acknowledged checkpoint; the only thing trusted to be newest (SQLite)
//! ledger/log.vkey           the log's public key
//! ledger/index.db           a projection of the journal (SQLite); rebuilt when absent, behind or damaged
//! ledger/checkpoint         the published checkpoint, with cosignatures; tile/… belongs to it (C2SP tlog-tiles)
//! ledger/lock               held (flock) by the process that appends; publish.lock by the one that publishes
//! blobs/sha256/ab/…         exact bytes, written once, mode 0444
//! keys/                     log.key and controller.key, 0600 in 0700
//! ```
//!
//! Invariants:
//! - Nothing is acknowledged before one `fdatasync` of the journal has succeeded and the bytes, read back, give the same
//!   leaves and root.
//! - A failed sync ends the process: a retried sync may succeed with the data gone.
//! - One append call is on disk whole or not at all.
//! - The journal is never read past a damaged frame: an unfinished tail that was never acknowledged is cut and reported,
//!   anything else is refused.

mod blobs;
mod checkpoint_lock;
mod disk;
mod error;
mod frame;
mod fsck;
mod index;
mod journal;
mod keys;
mod numbering;
mod packet;
mod publish;
mod queue;
mod read;
mod record;
mod recover;
mod sequencer;
pub mod simulated;
pub mod since;
#[cfg(test)]
mod tests;
pub mod trace;
mod upkeep;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gonogo_core::{Reason, Timestamp};
use gonogo_ledger::Vkey;
use rusqlite::Connection;

pub use checkpoint_lock::CheckpointLock;
pub use disk::real::RealDisk;
pub use disk::{Disk, DiskFile, Exclusive, Open};
pub use error::LedgerError;
pub use fsck::{Fsck, Progress};
pub use packet::{PacketInfo, PacketRequest, Seals, Stamps};
pub use record::{Draft, Filter, Receipt, RecordView};
pub use upkeep::{EnrolledKey, TOMBSTONE};

use disk::Layout;
use publish::Publisher;
use queue::Queue;
use sequencer::Sequencer;

/// Something that the ledger repaired or noticed by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The reason code.
    pub reason: Reason,
    /// What happened.
    pub text: String,
}

/// What a new ledger begins with. An existing ledger ignores it: its name and keys are on disk.
#[derive(Debug, Clone, Copy)]
pub struct Founding<'a> {
    /// The log's name: a bare host name like `ledger.example.org`, no path.
    pub origin: &'a str,
    /// Whom the controller's key is enrolled for.
    pub actor: &'a str,
    /// Now.
    pub time: Timestamp,
}

/// What happens when the disk failed to make a record durable. It should not return: the caller's view of the disk is no
/// longer reliable. If it returns, every later append of this handle fails.
pub type OnSyncFailure = Arc<dyn Fn(&LedgerError) + Send + Sync>;

/// The evidence ledger. Share it between threads; open it in as many processes as needed.
pub struct Ledger {
    layout: Layout,
    vkey: Vkey,
    notices: Arc<Mutex<Vec<Notice>>>,
    queue: Queue,
    writer: Option<Mutex<Sequencer>>,
    reader: Mutex<Connection>,
    /// To read the acknowledged checkpoint again; none if the ledger was opened to read.
    reader_lock: Option<Mutex<Box<dyn CheckpointLock>>>,
    publisher: Mutex<Publisher>,
    /// Whether appending publishes by itself.
    publishes: bool,
}

impl Ledger {
    /// Opens the ledger in the state directory `root` (usually `.gonogo`), and creates it on first use: keys, journal, and
    /// record 0, which enrols the controller's key. A failed sync prints to standard error and ends the process with exit
    /// code 70; see [`Ledger::open_with`].
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if the journal contradicts its checkpoint; [`LedgerError::Key`] if a private key is missing
    /// or unreadable; disk errors.
    pub fn open(root: &Path, founding: Founding<'_>) -> Result<Self, LedgerError> {
        let disk = Arc::new(RealDisk);
        Self::open_with(disk, root, founding, Arc::new(disk::end_process))
    }

    /// As [`Ledger::open`], on another disk and with another way to end the process.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        root: &Path,
        founding: Founding<'_>,
        on_sync_failure: OnSyncFailure,
    ) -> Result<Self, LedgerError> {
        let layout = Layout::new(root, disk);
        let notices = Arc::new(Mutex::new(Vec::new()));
        let sequencer = Sequencer::open(&layout, founding, on_sync_failure, Arc::clone(&notices))?;
        let reader = index::open_reader(&layout.disk().index(&layout.index()))?;
        let reader_lock = layout.disk().checkpoint_lock(&layout.checkpoint_lock())?;
        Ok(Self {
            reader_lock: Some(Mutex::new(reader_lock)),
            publisher: Mutex::default(),
            publishes: true,
            vkey: sequencer.vkey().clone(),
            layout,
            notices,
            queue: Queue::default(),
            writer: Some(Mutex::new(sequencer)),
            reader: Mutex::new(reader),
        })
    }

    /// Throws the index away and builds it again from the journal; returns the number of records in it. Other processes that
    /// have the ledger open go on with the index that they have, and must be ended first.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn reindex(root: &Path, founding: Founding<'_>) -> Result<u64, LedgerError> {
        let layout = Layout::new(root, Arc::new(RealDisk));
        keys::read_vkey(&layout)?;
        let path = layout.lock();
        let exclusive = layout
            .disk()
            .exclusive(&path)
            .map_err(|e| LedgerError::io("open", &path, &e))?;
        let held = disk::Held::take(&*exclusive, &path)?;
        index::remove(&layout.index())?;
        drop(held);
        Self::open(root, founding)?.size()
    }

    /// Returns whether the state directory `root` holds a ledger.
    pub fn exists(root: &Path) -> bool {
        let layout = Layout::new(root, Arc::new(RealDisk));
        layout.vkey().exists() || layout.checkpoint_lock().exists()
    }

    /// Opens an existing ledger to read only: no lock, no key, no repair, and no file is made (SQLite may make its
    /// shared-memory file beside the index). If the index cannot be used as it is, a temporary one is built in memory.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] if there is no ledger; [`LedgerError::Corrupt`] if the journal contradicts its checkpoint.
    pub fn open_read(root: &Path) -> Result<Self, LedgerError> {
        let layout = Layout::new(root, Arc::new(RealDisk));
        let notices = Arc::new(Mutex::new(Vec::new()));
        let vkey = keys::read_vkey(&layout)?;
        let reader = recover::open_to_read(&layout, &vkey, &notices)?;
        Ok(Self {
            vkey,
            layout,
            notices,
            queue: Queue::default(),
            writer: None,
            reader: Mutex::new(reader),
            reader_lock: None,
            publisher: Mutex::default(),
            publishes: false,
        })
    }

    /// Reads the public key of the ledger in the state directory `root`.
    ///
    /// # Errors
    /// [`LedgerError::Absent`]; [`LedgerError::Corrupt`].
    pub fn vkey_of(root: &Path) -> Result<Vkey, LedgerError> {
        keys::read_vkey(&Layout::new(root, Arc::new(RealDisk)))
    }

    /// Leaves publishing to [`Ledger::publish`] alone.
    #[must_use]
    pub fn without_publishing(mut self) -> Self {
        self.publishes = false;
        self
    }

    /// Returns the log's public key: what readers of packets need to trust.
    pub const fn log_vkey(&self) -> &Vkey {
        &self.vkey
    }

    /// Returns what was repaired or noticed since the ledger was opened.
    pub fn notices(&self) -> Vec<Notice> {
        lock(&self.notices).clone()
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.publish_rest();
    }
}

/// Locks; a panic in another thread leaves nothing half done that the database or the journal would not show.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
