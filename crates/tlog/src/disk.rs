//! Files that are whole or absent, whatever happens in between: temporary file, fsync, rename or link, fsync of the directory.
//!
//! Invariant: when a function here has returned without error, what it wrote survives a loss of power.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::error::Error;

/// Reads a regular file of at most `limit` bytes; `None` if there is none.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some((mut file, length)) = open(path)? else {
        return Ok(None);
    };
    if length > limit {
        return Err(Error::Io {
            act: "read",
            path: path.to_owned(),
            source: io::Error::other(format!("{length} bytes, more than the {limit} allowed")),
        });
    }
    let mut bytes = Vec::with_capacity(length as usize);
    Read::by_ref(&mut file)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", path))?;
    Ok(Some(bytes))
}

/// Opens a regular file for reading; `None` if there is none. Returns its length as well.
pub(crate) fn open(path: &Path) -> Result<Option<(File, u64)>, Error> {
    // Without O_NONBLOCK a FIFO in the place of a file would hold the reader for ever.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e)
            if matches!(
                e.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(e) => return Err(Error::io("open", path)(e)),
    };
    let meta = file.metadata().map_err(Error::io("look at", path))?;
    Ok(meta.is_file().then_some((file, meta.len())))
}

/// Makes a directory and those above it that do not exist, durably.
pub(crate) fn make_dirs(dir: &Path) -> Result<(), Error> {
    if dir.as_os_str().is_empty() || dir.is_dir() {
        return Ok(());
    }
    let above = dir.parent().unwrap_or(Path::new(""));
    make_dirs(above)?;
    match fs::create_dir(dir) {
        Ok(()) => sync_dir(above),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(e) => Err(Error::io("make directory", dir)(e)),
    }
}

/// Makes a directory's entries durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), Error> {
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(Error::io("sync directory", dir))
}

/// Writes a new file and syncs it. An older file of that name, left by a crash, is replaced.
pub(crate) fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("remove the old", path)(e));
        }
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(Error::io("write", path))
}

/// Puts `bytes` in the place of whatever `path` names. `temporary` lies on the same file system.
pub(crate) fn replace(temporary: &Path, path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    write_synced(temporary, bytes, mode)?;
    fs::rename(temporary, path).map_err(Error::io("rename into place", path))?;
    sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// Puts `bytes` at `path` unless it exists; returns whether it put them. The name is durable either way.
pub(crate) fn create(
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
    mode: u32,
) -> Result<bool, Error> {
    write_synced(temporary, bytes, mode)?;
    let linked = fs::hard_link(temporary, path);
    fs::remove_file(temporary).map_err(Error::io("remove", temporary))?;
    let made = match linked {
        Ok(()) => true,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
        Err(e) => return Err(Error::io("link into place", path)(e)),
    };
    // Also if it exists: who made it may have died before this.
    sync_dir(path.parent().unwrap_or(Path::new("")))?;
    Ok(made)
}

/// Holds a directory for one process, by `lock` in it, until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn take(dir: &Path) -> Result<Self, Error> {
        let path: PathBuf = dir.join("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::Busy {
                path: dir.to_owned(),
            }),
            Err(e) => Err(Error::io("lock", &path)(e.into())),
        }
    }
}
