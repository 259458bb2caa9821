//! The acknowledged checkpoint, on its own: the one small thing that is trusted to be newer than everything else.
//!
//! A record counts once the checkpoint that covers it is swapped in here. The journal, the index and the published files may
//! be older or newer than that after a crash, or after somebody restored a copy of them; this says by how much. It lies in a
//! file of its own, `ledger/lock.db`, which may be a link to another volume: a backup of one is then no backup of both.
//!
//! Invariants: a swap that returned is durable; a swap names what it replaces, so that two writers that do not know of each
//! other cannot both succeed. After an error that says nothing about what is on disk, the process must end.

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};

use super::error::LedgerError;

/// Holds one checkpoint, a whole signed note.
pub trait CheckpointLock: fmt::Debug + Send {
    /// Returns the acknowledged checkpoint; `None` before the first.
    ///
    /// # Errors
    /// [`LedgerError::Lock`].
    fn read(&mut self) -> Result<Option<String>, LedgerError>;

    /// Replaces `old` by `new` durably; returns false, and changes nothing, if something else than `old` is there.
    ///
    /// # Errors
    /// [`LedgerError::Full`] if nothing was changed for want of room; [`LedgerError::Sync`] if it is not known what is on
    /// disk.
    fn swap(&mut self, old: Option<&str>, new: &str) -> Result<bool, LedgerError>;
}

const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS checkpoint (id INTEGER PRIMARY KEY CHECK (id = 0), note TEXT NOT NULL) STRICT;";

/// The lock in a SQLite file at `synchronous=FULL`.
pub(super) struct SqliteLock {
    connection: Connection,
    path: PathBuf,
}

impl SqliteLock {
    /// Opens the lock; makes an empty one if there is none.
    ///
    /// # Errors
    /// [`LedgerError::Lock`].
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let new = !path.exists();
        let lock = Self {
            connection: Connection::open(path).map_err(|e| unusable(path, &e))?,
            path: path.to_owned(),
        };
        let prepare = || {
            lock.connection.busy_timeout(Duration::from_secs(5))?;
            lock.connection.pragma_update(None, "journal_mode", "wal")?;
            lock.connection.pragma_update(None, "synchronous", "full")?;
            lock.connection.execute_batch(SCHEMA)
        };
        prepare().map_err(|e| unusable(path, &e))?;
        if new {
            let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let dir = real.parent().unwrap_or(Path::new("."));
            File::open(dir)
                .and_then(|dir| dir.sync_all())
                .map_err(|e| super::disk::sync_error(dir, &e))?;
        }
        Ok(lock)
    }

    /// Reads the checkpoint of a lock that may not be written; `None` if there is no lock.
    ///
    /// # Errors
    /// [`LedgerError::Lock`].
    pub(super) fn peek(path: &Path) -> Result<Option<String>, LedgerError> {
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let read = |name: &Path| {
            let connection = Connection::open_with_flags(name, flags)?;
            connection.busy_timeout(Duration::from_secs(5))?;
            note(&connection)
        };
        match read(path) {
            // Where nothing can be written SQLite cannot make the file that readers share. Without a log beside it, the file is
            // all there is.
            Err(e) if is_unwritable(&e) && !has_log(path) => {
                read(&immutable(path)).map_err(|e| unusable(path, &e))
            }
            other => other.map_err(|e| unusable(path, &e)),
        }
    }
}

impl CheckpointLock for SqliteLock {
    fn read(&mut self) -> Result<Option<String>, LedgerError> {
        note(&self.connection).map_err(|e| unusable(&self.path, &e))
    }

    fn swap(&mut self, old: Option<&str>, new: &str) -> Result<bool, LedgerError> {
        let changed = match old {
            Some(old) => self
                .connection
                .prepare_cached("UPDATE checkpoint SET note = ?2 WHERE id = 0 AND note = ?1")
                .and_then(|mut s| s.execute([old, new])),
            None => self
                .connection
                .prepare_cached("INSERT OR IGNORE INTO checkpoint VALUES (0, ?1)")
                .and_then(|mut s| s.execute([new])),
        };
        match changed {
            Ok(changed) => Ok(changed == 1),
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                Err(LedgerError::Full {
                    path: self.path.clone(),
                    text: e.to_string(),
                })
            }
            Err(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Err(LedgerError::Locked {
                    path: self.path.clone(),
                })
            }
            // SQLite would take the next commit as if nothing had happened.
            Err(e) => Err(LedgerError::Sync {
                path: self.path.clone(),
                text: e.to_string(),
            }),
        }
    }
}

impl fmt::Debug for SqliteLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqliteLock({})", self.path.display())
    }
}

fn note(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT note FROM checkpoint WHERE id = 0")?
        .query_row([], |row| row.get(0))
        .optional()
}

fn is_unwritable(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::SystemIoFailure)
    )
}

/// Whether a write-ahead log with something in it lies beside the file.
fn has_log(path: &Path) -> bool {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    std::fs::metadata(PathBuf::from(name)).is_ok_and(|m| m.len() > 0)
}

/// The file's name for SQLite, as one that nobody changes (https://www.sqlite.org/uri.html).
fn immutable(path: &Path) -> PathBuf {
    let escaped: String = path
        .to_string_lossy()
        .chars()
        .flat_map(|c| match c {
            '%' => "%25".chars().collect::<Vec<_>>(),
            '?' => "%3f".chars().collect(),
            '#' => "%23".chars().collect(),
            c => vec![c],
        })
        .collect();
    PathBuf::from(format!("file:{escaped}?immutable=1"))
}

fn unusable(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let (path, text) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => LedgerError::Full { path, text },
        Some(ErrorCode::DatabaseBusy) => LedgerError::Locked { path },
        _ if is_unwritable(error) => LedgerError::Io {
            action: "open the acknowledged checkpoint",
            path,
            text,
        },
        _ => LedgerError::Lock { path, text },
    }
}
