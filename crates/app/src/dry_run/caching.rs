//! What an audit read of parts of logs, kept in a directory so that the same bytes need not be read again.
//!
//! An entry is named by the digest of all that it depends on: the stored bytes, the classifier's version, the rules. It holds that name
//! and the digest of its content, so one that is damaged, cut or put under another name is made anew. Invariants: only a directory that
//! belongs to this user and that nobody else can write is used, because what is loaded is believed; no sign-off rests on it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_dryrun::audit::Cache;

use super::keeping::open_file;
use crate::AppError;

/// The first line of an entry.
const MAGIC: &str = "gonogo.audit.cache.v1";

/// The largest entry that is read or kept, bytes.
const LARGEST: u64 = 64 << 20;

/// Most bytes that all entries have together; what was longest not used goes first.
const MOST: u64 = 1 << 30;

/// A directory of entries.
pub(crate) struct Parts {
    dir: PathBuf,
    owner: u32,
}

impl Parts {
    /// Opens the directory, made if it is absent.
    ///
    /// # Errors
    /// It cannot be made, is something else, or others can write it.
    pub(crate) fn open(dir: &Path) -> Result<Self, AppError> {
        let fault = |e: std::io::Error| AppError::io("open the cache", dir, &e);
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        made.map_err(fault)?;
        let meta = fs::metadata(dir).map_err(fault)?;
        let owner = rustix::process::geteuid().as_raw();
        if meta.uid() != owner || meta.mode() & 0o022 != 0 {
            let text = format!(
                "the cache `{}` can be written by others (owner {}, mode {:03o}), and what is in it is believed",
                dir.display(),
                meta.uid(),
                meta.mode() & 0o777
            );
            return Err(AppError::new(Reason::ArgumentInvalid, text).hint(
                "give a directory of your own with mode 700, or a name that does not exist yet",
            ));
        }
        let parts = Self {
            dir: dir.to_owned(),
            owner,
        };
        parts.prune(MOST);
        Ok(parts)
    }

    /// Removes what was longest not used, down to so many bytes. Best effort.
    fn prune(&self, most: u64) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let mut all: Vec<_> = entries
            .filter_map(Result::ok)
            .filter(|e| {
                let name = e.file_name();
                let name = name.to_string_lossy();
                name.ends_with(".part") || name.starts_with(".part-")
            })
            .filter_map(|e| Some((e.metadata().ok()?, e.path())))
            .filter(|(meta, _)| meta.is_file())
            .map(|(meta, path)| (meta.modified().ok(), meta.len(), path))
            .collect();
        all.sort();
        let mut total: u64 = all.iter().map(|(_, size, _)| size).sum();
        for (_, size, path) in all {
            if total <= most {
                break;
            }
            let _ = fs::remove_file(path);
            total -= size;
        }
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.dir.join(format!("{}.part", key.hex()))
    }

    fn head(key: &Digest, summary: &[u8]) -> String {
        format!("{MAGIC}\n{}\n{}\n", key.hex(), Digest::of(summary).hex())
    }
}

impl Cache for Parts {
    fn load(&self, key: &Digest) -> Option<Vec<u8>> {
        let path = self.path(key);
        // A link would lead to what somebody else can write.
        if !fs::symlink_metadata(&path).ok()?.is_file() {
            return None;
        }
        let file = open_file(&path).ok()?;
        let meta = file.metadata().ok()?;
        if meta.uid() != self.owner || meta.mode() & 0o022 != 0 || meta.len() > LARGEST {
            return None;
        }
        // The time of its last use: what is not used is removed first.
        let now = rustix::fs::Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_NOW,
        };
        let used = rustix::fs::Timestamps {
            last_access: now,
            last_modification: now,
        };
        let _ = rustix::fs::futimens(&file, &used);
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let length = Self::head(key, b"").len();
        let (head, summary) = bytes.split_at_checked(length)?;
        (head == Self::head(key, summary).as_bytes()).then(|| summary.to_vec())
    }

    /// Best effort: what could not be kept is read again.
    fn store(&self, key: &Digest, summary: &[u8]) {
        if summary.len() as u64 > LARGEST - 4096 {
            return;
        }
        let kept = || -> std::io::Result<()> {
            let mut fresh = tempfile::Builder::new()
                .prefix(".part-")
                .tempfile_in(&self.dir)?;
            fresh.write_all(Self::head(key, summary).as_bytes())?;
            fresh.write_all(summary)?;
            fresh.persist(self.path(key)).map(drop).map_err(|e| e.error)
        };
        let _ = kept();
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_whole_entry_under_its_own_name_is_believed() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::open(&dir.path().join("new/cache")).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        parts.store(&one, b"what was read");
        assert_eq!(parts.load(&one).as_deref(), Some(&b"what was read"[..]));
        assert_eq!(parts.load(&two), None);
        fs::copy(parts.path(&one), parts.path(&two)).unwrap();
        assert_eq!(parts.load(&two), None, "another's entry");
        let whole = fs::read(parts.path(&one)).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(parts.path(&one), &bytes).unwrap();
            assert_eq!(parts.load(&one), None, "byte {at}");
            fs::write(parts.path(&one), &whole[..at]).unwrap();
            assert_eq!(parts.load(&one), None, "cut at {at}");
        }
        fs::write(parts.path(&one), &whole).unwrap();
        assert!(parts.load(&one).is_some());
        fs::rename(parts.path(&one), dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), parts.path(&one)).unwrap();
        assert_eq!(parts.load(&one), None, "a link");
    }

    #[test]
    fn what_was_longest_not_used_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let parts = Parts::open(dir.path()).unwrap();
        let keys: Vec<Digest> = (0..4u8).map(|n| Digest::of(&[n])).collect();
        for (n, key) in keys.iter().enumerate() {
            parts.store(key, &[7; 1000]);
            let file = fs::File::options()
                .write(true)
                .open(parts.path(key))
                .unwrap();
            let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(n as u64);
            file.set_modified(at).unwrap();
        }
        fs::write(dir.path().join("notes.txt"), [0; 9000]).unwrap();
        // The oldest was used again, so the second goes.
        assert!(parts.load(&keys[0]).is_some());
        let size = fs::metadata(parts.path(&keys[0])).unwrap().len();
        parts.prune(3 * size);
        let left: Vec<bool> = keys.iter().map(|k| parts.path(k).exists()).collect();
        assert_eq!(left, [true, false, true, true]);
        parts.prune(0);
        assert!(keys.iter().all(|k| !parts.path(k).exists()));
        assert!(dir.path().join("notes.txt").exists(), "not its own");
    }

    #[test]
    fn what_others_can_write_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let e = Parts::open(dir.path()).map(drop).unwrap_err();
        assert!(e.to_string().contains("can be written by others"), "{e}");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let parts = Parts::open(dir.path()).unwrap();
        let key = Digest::of(b"1");
        parts.store(&key, b"x");
        fs::set_permissions(parts.path(&key), fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(parts.load(&key), None);
    }
}
