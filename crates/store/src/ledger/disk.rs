//! Where things lie, and the few ways in which files are written: durably, atomically, or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gonogo_core::{Digest, Exit};
use rustix::fs::{FlockOperation, flock};

use super::error::LedgerError;

/// The state directory's paths.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
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

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.root.join("ledger/checkpoint")
    }

    pub(super) fn vkey(&self) -> PathBuf {
        self.root.join("ledger/log.vkey")
    }

    pub(super) fn index(&self) -> PathBuf {
        self.root.join("ledger/index.db")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.root.join("ledger/lock")
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

    pub(super) fn blob_intake(&self) -> PathBuf {
        self.root.join("blobs/tmp")
    }
}

/// Makes a directory and its parents.
pub(super) fn make_dir(path: &Path, mode: u32) -> Result<(), LedgerError> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .map_err(|e| LedgerError::io("make the directory", path, &e))
}

/// Makes a directory's entries durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), LedgerError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(|e| sync_error(path, &e))
}

pub(super) fn sync_error(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Sync {
        path: path.to_owned(),
        text: error.to_string(),
    }
}

/// Reads a small file; `None` if it does not exist.
pub(super) fn read_small(path: &Path) -> Result<Option<String>, LedgerError> {
    const LIMIT: u64 = 64 * 1024;
    let file = match File::open(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|e| LedgerError::io("open", path, &e))?,
    };
    let mut text = String::new();
    file.take(LIMIT)
        .read_to_string(&mut text)
        .map_err(|e| LedgerError::io("read", path, &e))?;
    Ok(Some(text))
}

/// A new file beside its final name. Dropped without [`Fresh::publish`], it is removed.
#[derive(Debug)]
pub(super) struct Fresh {
    temporary: PathBuf,
    file: Option<File>,
}

impl Fresh {
    pub(super) fn create(dir: &Path, mode: u32) -> Result<Self, LedgerError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            ".tmp-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let temporary = dir.join(name);
        // A crashed process with the same id may have left a file of the same name.
        let _ = fs::remove_file(&temporary);
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)
            .map_err(|e| LedgerError::io("create", &temporary, &e))?;
        Ok(Self {
            temporary,
            file: Some(file),
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), LedgerError> {
        let written = self.file().write_all(bytes);
        written.map_err(|e| LedgerError::io("write", &self.temporary, &e))
    }

    pub(super) fn file(&mut self) -> &mut File {
        self.file
            .as_mut()
            .expect("invariant: the file is there until it is published")
    }

    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        let synced = self.file().sync_all();
        synced.map_err(|e| sync_error(&self.temporary, &e))
    }

    /// Gives the file its name, replacing what was there.
    pub(super) fn publish(mut self, path: &Path) -> Result<(), LedgerError> {
        fs::rename(&self.temporary, path).map_err(|e| LedgerError::io("rename", path, &e))?;
        self.file = None;
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Writes a small file durably and atomically.
pub(super) fn write_durably(path: &Path, bytes: &[u8], mode: u32) -> Result<(), LedgerError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut fresh = Fresh::create(dir, mode)?;
    fresh.write(bytes)?;
    fresh.sync()?;
    fresh.publish(path)?;
    sync_dir(dir)
}

/// The right to append, over all processes. Given back when dropped.
#[derive(Debug)]
pub(super) struct AppendLock<'a>(&'a File);

impl<'a> AppendLock<'a> {
    /// Waits up to 30 s. The file description is this handle's own, so threads of one process exclude each other too.
    pub(super) fn take(file: &'a File, path: &Path) -> Result<Self, LedgerError> {
        const STEP: Duration = Duration::from_micros(100);
        const STEPS: u32 = 300_000;
        for _ in 0..STEPS {
            match flock(file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(file)),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    std::thread::sleep(STEP);
                }
                Err(e) => return Err(LedgerError::io("lock", path, &e.into())),
            }
        }
        Err(LedgerError::Locked {
            path: path.to_owned(),
        })
    }
}

impl Drop for AppendLock<'_> {
    fn drop(&mut self) {
        let _ = flock(self.0, FlockOperation::Unlock);
    }
}

/// Says why and ends the process: the answer to a failed sync.
pub(super) fn end_process(error: &LedgerError) {
    let _ = writeln!(io::stderr(), "error[{}]: {error}", error.reason());
    std::process::exit(i32::from(Exit::Internal.code()));
}
