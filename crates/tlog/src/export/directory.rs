//! A directory as the destination: each object is a file, whole and synced before it gets its name.
//!
//! Temporary files and the lock live in `.export` inside it, which readers have no reason to look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::destination::{Object, Put, Version};
use crate::disk::{self, Lock};
use crate::error::Error;

const WORK: &str = ".export";
const MODE: u32 = 0o644;

#[derive(Debug, Clone)]
pub(super) struct Directory(Arc<Held>);

#[derive(Debug)]
struct Held {
    dir: PathBuf,
    next: AtomicU64,
    _lock: Lock,
}

impl Directory {
    pub(super) fn open(dir: PathBuf) -> Result<Self, Error> {
        let work = dir.join(WORK);
        disk::make_dirs(&work)?;
        let lock = Lock::take(&work)?;
        // What an export that died left half-written.
        for entry in fs::read_dir(&work).map_err(Error::io("list", &work))? {
            let entry = entry.map_err(Error::io("list", &work))?;
            if entry.file_name().as_encoded_bytes().starts_with(b"new-") {
                fs::remove_file(entry.path()).map_err(Error::io("remove", &entry.path()))?;
            }
        }
        Ok(Self(Arc::new(Held {
            dir,
            next: AtomicU64::new(0),
            _lock: lock,
        })))
    }

    pub(super) fn dir(&self) -> &Path {
        &self.0.dir
    }

    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Option<Object>, Error> {
        let read = disk::read(&self.0.dir.join(name), limit)?;
        Ok(read.map(|bytes| {
            let bytes = bytes::Bytes::from(bytes);
            Object {
                version: Version::Bytes(bytes.clone()),
                bytes,
            }
        }))
    }

    pub(super) fn create(&self, name: &str, bytes: &[u8]) -> Result<Put, Error> {
        let path = self.0.dir.join(name);
        disk::make_dirs(path.parent().unwrap_or(&self.0.dir))?;
        if disk::create(&self.temporary(), &path, bytes, MODE)? {
            Ok(Put::Landed)
        } else {
            Ok(Put::Taken)
        }
    }

    /// Compare and swap; the lock keeps other exports out between the two.
    pub(super) fn replace(&self, name: &str, bytes: &[u8], was: &Version) -> Result<Put, Error> {
        let path = self.0.dir.join(name);
        let limit = crate::publication::MAX_CHECKPOINT;
        let is = disk::read(&path, limit)?;
        let same = match was {
            Version::Bytes(was) => is.as_deref() == Some(&**was),
            #[cfg(feature = "object-store")]
            Version::Store(_) => false,
        };
        if !same {
            return Ok(Put::Taken);
        }
        disk::replace(&self.temporary(), &path, bytes, MODE)?;
        Ok(Put::Landed)
    }

    fn temporary(&self) -> PathBuf {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.dir.join(WORK).join(format!("new-{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_what_it_was_is_not_replaced() {
        let out = tempfile::tempdir().unwrap();
        let directory = Directory::open(out.path().join("x")).unwrap();
        let landed = |put| matches!(put, Ok(Put::Landed));
        assert!(landed(directory.create("checkpoint", b"one")));
        assert!(!landed(directory.create("checkpoint", b"two")));
        let one = directory.read("checkpoint", 100).unwrap().unwrap();
        let replace = |bytes: &[u8], was: &Version| directory.replace("checkpoint", bytes, was);
        assert!(landed(replace(b"two", &one.version)));
        // Seen once, gone since: by hand, or by a tool that asks for no lock.
        assert!(!landed(replace(b"three", &one.version)));
        let is = directory.read("checkpoint", 100).unwrap().unwrap();
        assert_eq!(&*is.bytes, b"two");
        fs::remove_file(directory.dir().join("checkpoint")).unwrap();
        assert!(!landed(replace(b"x", &is.version)));
        assert!(directory.read("checkpoint", 100).unwrap().is_none());
        assert!(directory.read("checkpoint/below", 100).unwrap().is_none());
    }

    #[test]
    fn what_a_dead_export_left_is_removed() {
        let out = tempfile::tempdir().unwrap();
        fs::create_dir_all(out.path().join(WORK)).unwrap();
        let left = out.path().join(WORK).join("new-7");
        fs::write(&left, "half").unwrap();
        drop(Directory::open(out.path().to_owned()).unwrap());
        assert!(!left.exists());
    }
}
