//! The file system.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::{Disk, DiskFile, Exclusive, Open};
use crate::ledger::checkpoint_lock::{CheckpointLock, SqliteLock};
use crate::ledger::error::LedgerError;

/// The disk that there is.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match how {
            Open::Read => {}
            Open::Write => {
                options.write(true);
            }
            Open::New(mode) => {
                options.write(true).create_new(true).mode(mode);
            }
        }
        let file = options.open(path)?;
        if let Open::New(mode) = how
            && mode & 0o222 == 0
        {
            // What is written once may be read by all; the creation mask may have taken these bits.
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let here = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        File::open(here)?.sync_all()
    }

    fn exclusive(&self, path: &Path) -> io::Result<Box<dyn Exclusive>> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o644)
            .open(path)?;
        Ok(Box::new(Flock(file)))
    }

    fn checkpoint_lock(&self, path: &Path) -> Result<Box<dyn CheckpointLock>, LedgerError> {
        Ok(Box::new(SqliteLock::open(path)?))
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        self.0.metadata().map(|m| m.len())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// A lock on an open file description of our own, so that threads of one process exclude each other too.
#[derive(Debug)]
struct Flock(File);

impl Exclusive for Flock {
    fn try_take(&self) -> io::Result<bool> {
        match flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn release(&self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}
