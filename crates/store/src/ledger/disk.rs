//! The storage that the ledger stands on, behind one small trait, and the few ways in which files are written: durably,
//! atomically, or not at all.
//!
//! [`real`] is the file system. [`crate::ledger::simulated`] is a disk that forgets, tears and reorders what was not synced;
//! the write path and the recovery run on either without knowing which. What is a projection (the index) and what is for
//! readers outside (packets) is not behind the trait: it can be made again.
//!
//! Invariant: whatever must survive a power failure goes through [`DiskFile::sync`] and [`Disk::sync_dir`], and nothing else
//! is believed to have reached the disk.

pub(super) mod real;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use gonogo_core::{Digest, Exit, Timestamp};

use super::checkpoint_lock::CheckpointLock;
use super::error::LedgerError;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// A new file of this mode, to read and write; fails if there is one.
    New(u32),
}

/// Storage with the guarantees of a POSIX file system, and no more.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Makes a directory and its parents.
    ///
    /// # Errors
    /// The system's.
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()>;

    /// Opens a file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], [`io::ErrorKind::AlreadyExists`]; the system's.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, replacing what was there. Durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory's entries durable.
    ///
    /// # Errors
    /// The system's; after one, nothing that was not synced before may be believed.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Opens the lock file of those who append.
    ///
    /// # Errors
    /// The system's.
    fn exclusive(&self, path: &Path) -> io::Result<Box<dyn Exclusive>>;

    /// Opens the store of the acknowledged checkpoint.
    ///
    /// # Errors
    /// [`LedgerError::Lock`].
    fn checkpoint_lock(&self, path: &Path) -> Result<Box<dyn CheckpointLock>, LedgerError>;

    /// A segment of the journal is closed once it is longer than this many bytes.
    fn segment_limit(&self) -> u64 {
        if cfg!(test) { 1 << 20 } else { 64 << 20 }
    }

    /// Returns what SQLite shall open for the index that belongs to `path`.
    fn index(&self, path: &Path) -> PathBuf {
        path.to_owned()
    }
}

/// One open file.
pub trait DiskFile: fmt::Debug + Send {
    /// Reads up to a buffer's length; 0 at the end.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes.
    ///
    /// # Errors
    /// The system's; some of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts the file, or makes it longer with zeros.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Returns the file's length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn length(&self) -> io::Result<u64>;

    /// Makes the bytes and the length durable.
    ///
    /// # Errors
    /// The system's; after one, a later sync that succeeds means nothing.
    fn sync(&self) -> io::Result<()>;
}

/// Mutual exclusion of those who write, over all threads and processes.
pub trait Exclusive: fmt::Debug + Send {
    /// Takes the lock if it is free; returns whether it was.
    ///
    /// # Errors
    /// The system's.
    fn try_take(&self) -> io::Result<bool>;

    /// Gives the lock back.
    fn release(&self);
}

/// Reads all bytes of a range.
pub(super) fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if read_up_to(file, buffer, offset)? == buffer.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_up_to(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(got)
}

/// The state directory's paths, and the disk that they are on.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
    disk: Arc<dyn Disk>,
}

impl Layout {
    pub(super) fn new(root: &Path, disk: Arc<dyn Disk>) -> Self {
        Self {
            root: root.to_owned(),
            disk,
        }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.root.join("ledger")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("ledger/journal")
    }

    pub(super) fn segment(&self, number: u32) -> PathBuf {
        self.root.join(format!("ledger/journal/{number:04}.seg"))
    }

    /// The published checkpoint: what readers outside see.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.root.join("ledger/checkpoint")
    }

    /// The newest checkpoint that a quorum of witnesses cosigned.
    pub(super) fn witnessed(&self) -> PathBuf {
        self.root.join("ledger/witnessed")
    }

    /// Sizes of trees that packets were sealed with.
    pub(super) fn sealed(&self) -> PathBuf {
        self.root.join("ledger/sealed")
    }

    /// The acknowledged checkpoint. May be a link to another volume.
    pub(super) fn checkpoint_lock(&self) -> PathBuf {
        self.root.join("ledger/lock.db")
    }

    pub(super) fn vkey(&self) -> PathBuf {
        self.root.join("ledger/log.vkey")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("ledger/index.db")
    }

    /// Held by those who append.
    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("ledger/lock")
    }

    /// Held by those who publish.
    pub(super) fn publish_lock(&self) -> PathBuf {
        self.root.join("ledger/publish.lock")
    }

    /// Present after a failed sync: names the segment and how many of its bytes were acknowledged.
    pub(super) fn suspect(&self) -> PathBuf {
        self.root.join("ledger/suspect")
    }

    pub(super) fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.root.join(format!("blobs/sha256/{}/{hex}", &hex[..2]))
    }

    pub(super) fn blob_root(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    pub(super) fn blob_intake(&self) -> PathBuf {
        self.root.join("blobs/tmp")
    }

    /// Where files lie that have no name yet.
    pub(super) fn places_of_temporaries(&self) -> [PathBuf; 5] {
        [
            self.ledger(),
            self.journal(),
            self.keys(),
            self.blob_intake(),
            self.root.join("packets"),
        ]
    }

    pub(super) fn make_dir(&self, path: &Path, mode: u32) -> Result<(), LedgerError> {
        self.disk
            .make_dir(path, mode)
            .map_err(|e| LedgerError::io("make the directory", path, &e))
    }

    /// Makes a directory's entries durable.
    pub(super) fn sync_dir(&self, path: &Path) -> Result<(), LedgerError> {
        self.disk.sync_dir(path).map_err(|e| sync_error(path, &e))
    }

    pub(super) fn open(
        &self,
        path: &Path,
        how: Open,
    ) -> Result<Option<Box<dyn DiskFile>>, LedgerError> {
        match self.disk.open(path, how) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other
                .map(Some)
                .map_err(|e| LedgerError::io("open", path, &e)),
        }
    }

    /// Reads a small file; `None` if it does not exist.
    pub(super) fn read_small(&self, path: &Path) -> Result<Option<String>, LedgerError> {
        let Some(bytes) = self.read_bytes(path, 64 * 1024)? else {
            return Ok(None);
        };
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| LedgerError::corrupt(path, "it is no text"))
    }

    /// Reads a file of at most `limit` bytes, and no more than that of a larger one; `None` if it does not exist.
    pub(super) fn read_bytes(
        &self,
        path: &Path,
        limit: u64,
    ) -> Result<Option<Vec<u8>>, LedgerError> {
        let Some(file) = self.open(path, Open::Read)? else {
            return Ok(None);
        };
        let read = || {
            let length = file.length()?.min(limit);
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            let got = read_up_to(&*file, &mut bytes, 0)?;
            bytes.truncate(got);
            Ok(bytes)
        };
        read()
            .map(Some)
            .map_err(|e: io::Error| LedgerError::io("read", path, &e))
    }

    /// Starts a new file in `dir`.
    pub(super) fn fresh(&self, dir: &Path, mode: u32) -> Result<Fresh, LedgerError> {
        Fresh::on(Arc::clone(&self.disk), dir, mode)
    }

    /// Writes a small file durably and atomically.
    pub(super) fn write_durably(
        &self,
        path: &Path,
        bytes: &[u8],
        mode: u32,
    ) -> Result<(), LedgerError> {
        let dir = path.parent().unwrap_or(Path::new("."));
        let mut fresh = self.fresh(dir, mode)?;
        fresh.append(bytes)?;
        fresh.sync()?;
        fresh.publish(path)?;
        self.sync_dir(dir)
    }

    pub(super) fn remove(&self, path: &Path) -> Result<(), LedgerError> {
        self.disk
            .remove(path)
            .map_err(|e| LedgerError::io("remove", path, &e))
    }
}

pub(super) fn sync_error(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Sync {
        path: path.to_owned(),
        text: error.to_string(),
    }
}

/// A new file beside its final name. Dropped without [`Fresh::publish`], it is removed.
#[derive(Debug)]
pub(super) struct Fresh {
    disk: Arc<dyn Disk>,
    temporary: PathBuf,
    file: Box<dyn DiskFile>,
    length: u64,
    published: bool,
}

impl Fresh {
    /// Starts a file on the real disk.
    pub(super) fn create(dir: &Path, mode: u32) -> Result<Self, LedgerError> {
        Self::on(Arc::new(real::RealDisk), dir, mode)
    }

    fn on(disk: Arc<dyn Disk>, dir: &Path, mode: u32) -> Result<Self, LedgerError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "{TEMPORARY}{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let temporary = dir.join(name);
        // A crashed process with the same id may have left a file of the same name.
        let _ = disk.remove(&temporary);
        let file = disk
            .open(&temporary, Open::New(mode))
            .map_err(|e| LedgerError::io("create", &temporary, &e))?;
        Ok(Self {
            disk,
            temporary,
            file,
            length: 0,
            published: false,
        })
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        self.write_all(bytes)
            .map_err(|e| LedgerError::io("write", &self.temporary, &e))
    }

    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        self.file
            .sync()
            .map_err(|e| sync_error(&self.temporary, &e))
    }

    /// Gives the file its name, replacing what was there.
    pub(super) fn publish(mut self, path: &Path) -> Result<(), LedgerError> {
        self.disk
            .rename(&self.temporary, path)
            .map_err(|e| LedgerError::io("rename", path, &e))?;
        self.published = true;
        Ok(())
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(bytes, self.length)?;
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.published {
            let _ = self.disk.remove(&self.temporary);
        }
    }
}

/// A temporary file's name begins so; its maker's process id and a number follow.
const TEMPORARY: &str = ".tmp-";

/// How old what a process left must be before it is removed, in milliseconds; and where nobody can say which processes run.
pub(super) const LEFT: i64 = 10 * 60 * 1000;
const LEFT_BY_ANYBODY: i64 = 24 * 60 * 60 * 1000;

/// Removes what killed processes left in these directories of the file system, if it is older than `least` milliseconds.
/// Nothing depends on it, so nothing is said of what cannot be removed.
pub(super) fn sweep(dirs: &[PathBuf], now: Timestamp, least: i64) {
    let proc = Path::new("/proc/self").exists();
    for dir in dirs {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let maker = name
                .to_str()
                .and_then(|name| name.strip_prefix(TEMPORARY)?.split_once('-'))
                .and_then(|(process, _)| process.parse::<u32>().ok());
            let Some(maker) = maker else {
                continue;
            };
            let age = entry.metadata().ok().and_then(|meta| {
                let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some(now.as_millis() - i64::try_from(since.as_millis()).ok()?)
            });
            let runs = proc && Path::new(&format!("/proc/{maker}")).exists();
            let least = if proc { least } else { LEFT_BY_ANYBODY };
            if !runs && age.is_some_and(|age| age >= least) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// The right to write, over all processes. Given back when dropped.
#[derive(Debug)]
pub(super) struct Held<'a>(&'a dyn Exclusive);

impl<'a> Held<'a> {
    /// Waits up to 30 s.
    pub(super) fn take(lock: &'a dyn Exclusive, path: &Path) -> Result<Self, LedgerError> {
        const STEP: std::time::Duration = std::time::Duration::from_micros(100);
        const STEPS: u32 = 300_000;
        for _ in 0..STEPS {
            match lock.try_take() {
                Ok(true) => return Ok(Self(lock)),
                Ok(false) => std::thread::sleep(STEP),
                Err(e) => return Err(LedgerError::io("lock", path, &e)),
            }
        }
        Err(LedgerError::Locked {
            path: path.to_owned(),
        })
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// Says why and ends the process: the answer to a failed sync.
pub(super) fn end_process(error: &LedgerError) {
    let _ = writeln!(io::stderr(), "error[{}]: {error}", error.reason());
    std::process::exit(i32::from(Exit::Internal.code()));
}

/// Makes the entries of a directory of the real disk durable.
pub(super) fn real_sync_dir(path: &Path) -> Result<(), LedgerError> {
    real::RealDisk
        .sync_dir(path)
        .map_err(|e| sync_error(path, &e))
}
