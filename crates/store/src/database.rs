//! Opening `.gonogo/state.db`, and the two doors to it: `read` and `write`.
//!
//! Every change is one `BEGIN IMMEDIATE` transaction under a mutex. Checkpoints of the write-ahead log are made by hand,
//! because SQLite swallows the errors of its automatic ones and a failed sync must never be swallowed.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, ffi};

use crate::boot::boot_ms;
use crate::error::{Fault, StoreError};
use crate::schema;

/// Called once when a write or sync fails; the default ends the process with exit code 70.
pub type FatalHook = Box<dyn Fn(&StoreError) + Send + Sync>;

/// First SQLite whose write-ahead log can be trusted: earlier ones may corrupt it on reset (sqlite.org/releaselog/3_51_3).
const OLDEST_SQLITE: i32 = 3_051_003;
/// How long a transaction waits for another process.
const BUSY: Duration = Duration::from_secs(5);
/// Transactions between two checkpoints of the write-ahead log.
const CHECKPOINT_EVERY: u64 = 256;

/// The embedded store. Shared between threads by reference; every process opens its own.
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    on_disk: bool,
    broken: AtomicBool,
    writes: AtomicU64,
    fatal: FatalHook,
    /// Sees what all others commit, the connection above included; opened when it is first asked.
    watcher: Mutex<Option<Connection>>,
}

/// What was committed so far, as one process sees it: two that are equal have nothing between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(i64);

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish()
    }
}

impl Store {
    /// Opens `state.db` in `dir`, and makes both if they are absent (modes 0600 and 0700).
    ///
    /// # Errors
    /// [`StoreError`] if the directory or database cannot be opened, is damaged, or was written by a newer gonogo.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        Self::open_with(dir, Box::new(end_process))
    }

    /// Like [`Store::open`], with another answer to a failed write or sync. Whatever it does, the store refuses every
    /// later change.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(dir: &Path, fatal: FatalHook) -> Result<Self, StoreError> {
        refuse_old_sqlite(rusqlite::version_number())?;
        let path = dir.join("state.db");
        make_private(dir, &path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|e| typed(&path, Fault::Sql(e), true))?;
        let store = Self::with(path, connection, true, fatal);
        store.prepare()?;
        Ok(store)
    }

    /// A store that lives and dies with the value, for tests and dry runs.
    ///
    /// # Errors
    /// [`StoreError`] if SQLite refuses.
    pub fn in_memory() -> Result<Self, StoreError> {
        refuse_old_sqlite(rusqlite::version_number())?;
        let path = PathBuf::from(":memory:");
        let connection =
            Connection::open_in_memory().map_err(|e| typed(&path, Fault::Sql(e), true))?;
        let store = Self::with(path, connection, false, Box::new(end_process));
        store.prepare()?;
        Ok(store)
    }

    fn with(path: PathBuf, connection: Connection, on_disk: bool, fatal: FatalHook) -> Self {
        Self {
            path,
            connection: Mutex::new(connection),
            on_disk,
            broken: AtomicBool::new(false),
            writes: AtomicU64::new(0),
            fatal,
            watcher: Mutex::new(None),
        }
    }

    /// What was committed so far, by whomever; none for a store in memory. Costs a look at shared memory, and no query.
    /// Only comparisons mean something (`PRAGMA data_version`, sqlite.org/pragma.html).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn generation(&self) -> Result<Option<Generation>, StoreError> {
        if !self.on_disk {
            return Ok(None);
        }
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let looked = (|| {
            let connection = match watcher.take() {
                Some(open) => open,
                None => {
                    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                    Connection::open_with_flags(&self.path, flags)?
                }
            };
            let version: i64 = connection
                .prepare_cached("PRAGMA data_version")?
                .query_row([], |row| row.get(0))?;
            *watcher = Some(connection);
            Ok(version)
        })();
        let version = looked.map_err(|e| typed(&self.path, Fault::Sql(e), false))?;
        Ok(Some(Generation(version)))
    }

    /// The database's path; `:memory:` for one in memory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn prepare(&self) -> Result<(), StoreError> {
        {
            let connection = self.lock();
            connection.set_prepared_statement_cache_capacity(64);
            configure(&connection, self.on_disk)
                .map_err(|e| typed(&self.path, Fault::Sql(e), true))?;
        }
        if self.read(schema_version)? < schema::VERSION {
            self.write(|c| {
                // Another process may have gone some of the way since.
                let steps = schema::STEPS.iter().zip(1..);
                let from = schema_version(c)?;
                for (step, version) in steps.filter(|(_, version)| *version > from) {
                    for tables in *step {
                        c.execute_batch(tables)?;
                    }
                    c.pragma_update(None, "user_version", version)?;
                }
                Ok(())
            })?;
        }
        let found = self.read(schema_version)?;
        if found > schema::VERSION {
            return Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known: schema::VERSION,
            });
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction leaves it open; `write` rolls it back before it begins.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` outside of a transaction.
    pub(crate) fn read<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        f(&self.lock()).map_err(|e| typed(&self.path, e, false))
    }

    /// Runs `f` in one transaction, synced before this returns.
    pub(crate) fn write<T>(
        &self,
        f: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let connection = self.lock();
        if self.broken.load(Ordering::Acquire) {
            return Err(StoreError::SyncFailed {
                path: self.path.clone(),
                text: "an earlier change of this process failed".into(),
            });
        }
        let result = transact(&connection, f).and_then(|value| {
            self.checkpoint_when_due(&connection)?;
            Ok(value)
        });
        result.map_err(|fault| {
            if !connection.is_autocommit() {
                // Nothing was acknowledged; an error here changes nothing about that.
                drop(connection.execute_batch("ROLLBACK"));
            }
            let error = typed(&self.path, fault, true);
            if matches!(error, StoreError::SyncFailed { .. })
                && !self.broken.swap(true, Ordering::AcqRel)
            {
                (self.fatal)(&error);
            }
            error
        })
    }

    fn checkpoint_when_due(&self, connection: &Connection) -> Result<(), Fault> {
        let n = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        if !self.on_disk || !n.is_multiple_of(CHECKPOINT_EVERY) {
            return Ok(());
        }
        // A busy database or a full disk only postpones the checkpoint: the log still has everything.
        match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
            Err(e) if is_sync_failure(&e) => Err(Fault::Sql(e)),
            _ => Ok(()),
        }
    }
}

fn transact<T>(
    connection: &Connection,
    f: impl FnOnce(&Connection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let value = f(connection)?;
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(value)
}

fn configure(connection: &Connection, on_disk: bool) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    if on_disk {
        into_wal(connection)?;
    }
    connection.execute_batch(
        "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0; PRAGMA cell_size_check=ON; PRAGMA trusted_schema=OFF;",
    )
}

/// Switches to the write-ahead log. The switch does not honour the busy time-out, so two first openers need patience.
fn into_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = boot_ms() + BUSY.as_millis() as u64;
    loop {
        let mode = connection.query_row("PRAGMA journal_mode=WAL", [], |r| r.get::<_, String>(0));
        match mode {
            Ok(_) => return Ok(()),
            Err(e)
                if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && boot_ms() < until =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(e) => return Err(e),
        }
    }
}

fn schema_version(connection: &Connection) -> Result<i64, Fault> {
    Ok(connection.query_row("PRAGMA user_version", [], |r| r.get(0))?)
}

fn refuse_old_sqlite(version: i32) -> Result<(), StoreError> {
    if version < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite(format!(
            "{}.{}.{}",
            version / 1_000_000,
            version / 1000 % 1000,
            version % 1000
        )));
    }
    Ok(())
}

/// Makes directory and file for the owner alone. SQLite gives its log and shared memory the mode of the database.
fn make_private(dir: &Path, path: &Path) -> Result<(), StoreError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| StoreError::File { path, source }
    };
    if !dir.is_dir() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(at(dir))?;
        let parent = dir.parent().filter(|p| !p.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        File::open(parent)
            .and_then(|d| d.sync_all())
            .map_err(at(parent))?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(at(path))?;
    let mode = file.metadata().map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))
            .map_err(at(path))?;
    }
    File::open(dir).and_then(|d| d.sync_all()).map_err(at(dir))
}

fn is_sync_failure(e: &rusqlite::Error) -> bool {
    let Some(code) = e.sqlite_extended_error_code() else {
        return false;
    };
    // Locks and shared memory hold no data: failing there loses nothing that was written.
    code & 0xff == ffi::SQLITE_IOERR
        && !matches!(
            code,
            ffi::SQLITE_IOERR_SHMOPEN
                | ffi::SQLITE_IOERR_SHMSIZE
                | ffi::SQLITE_IOERR_SHMLOCK
                | ffi::SQLITE_IOERR_SHMMAP
                | ffi::SQLITE_IOERR_LOCK
                | ffi::SQLITE_IOERR_RDLOCK
                | ffi::SQLITE_IOERR_CHECKRESERVEDLOCK
        )
}

fn typed(path: &Path, fault: Fault, writing: bool) -> StoreError {
    let e = match fault {
        Fault::Store(e) => return e,
        Fault::Sql(e) => e,
    };
    let path = path.to_owned();
    let text = match e.sqlite_extended_error_code() {
        Some(code) => format!("{e} (SQLite {code})"),
        None => e.to_string(),
    };
    if writing && is_sync_failure(&e) {
        return StoreError::SyncFailed { path, text };
    }
    if e.sqlite_extended_error_code() == Some(ffi::SQLITE_IOERR_SHMSIZE) {
        return StoreError::Full { path, text };
    }
    match e.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { path, text },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Locked { path, text }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path, text }
        }
        _ => StoreError::Failed { path, text },
    }
}

/// After a failed sync the kernel may have dropped the data and a second sync would lie, so the process ends here.
fn end_process(error: &StoreError) {
    use std::io::Write;
    let line = format!("error[{}]: {error}\n", error.reason());
    // Nobody is left to tell if standard error is gone too.
    drop(std::io::stderr().write_all(line.as_bytes()));
    std::process::exit(i32::from(gonogo_core::Exit::Internal.code()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_with_the_reset_bug_is_refused() {
        assert!(
            matches!(refuse_old_sqlite(3_051_002), Err(StoreError::OldSqlite(v)) if v == "3.51.2")
        );
        assert!(refuse_old_sqlite(3_051_003).is_ok());
        assert!(refuse_old_sqlite(rusqlite::version_number()).is_ok());
    }

    #[test]
    fn whatever_is_committed_by_whomever_is_another_generation() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(home.path()).unwrap();
        let other = Store::open(home.path()).unwrap();
        let first = store.generation().unwrap();
        assert!(first.is_some());
        assert_eq!(
            store.generation().unwrap(),
            first,
            "looking changes nothing"
        );
        store.open_operations().unwrap();
        assert_eq!(store.generation().unwrap(), first, "nor does reading");
        let own = |c: &Connection| Ok(c.execute("INSERT INTO ledger_bond VALUES (0, 'k')", [])?);
        store.write(own).unwrap();
        let second = store.generation().unwrap();
        assert_ne!(second, first);
        let theirs = |c: &Connection| Ok(c.execute("DELETE FROM ledger_bond", [])?);
        other.write(theirs).unwrap();
        assert_ne!(store.generation().unwrap(), second);
        assert_eq!(Store::in_memory().unwrap().generation().unwrap(), None);
    }

    #[test]
    fn a_store_of_the_first_schema_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let old = Connection::open(home.path().join("state.db")).unwrap();
        old.execute_batch(schema::STEPS[0][0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute_batch(
            "INSERT INTO operation VALUES ('op_000000000000', 'pln_000000000000',
             'v2:sha256:0000000000000000000000000000000000000000000000000000000000000000', 'local', 'k', 'ada', 1, 0,
             NULL, NULL, '\"preflight\"', NULL, 1)",
        )
        .unwrap();
        drop(old);
        for _ in 0..2 {
            let store = Store::open(home.path()).unwrap();
            let id = "op_000000000000".parse().unwrap();
            let known = store.operation(&id).unwrap();
            assert_eq!((known.requester.as_str(), known.trace), ("ada", None));
            assert_eq!(store.tokens().unwrap(), []);
            assert_eq!(store.read(schema_version).unwrap(), schema::VERSION);
        }
    }

    #[test]
    fn a_panic_inside_a_transaction_changes_nothing() {
        let store = Store::in_memory().unwrap();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            store.write::<()>(|c| {
                c.execute("INSERT INTO timer VALUES ('op', 1, 1)", [])?;
                panic!("in the middle");
            })
        }));
        assert!(panicked.is_err());
        store.write(|_| Ok(())).unwrap();
        let left: i64 = store
            .read(|c| Ok(c.query_row("SELECT count(*) FROM timer", [], |r| r.get(0))?))
            .unwrap();
        assert_eq!(left, 0);
    }

    #[test]
    fn after_an_io_error_nothing_is_acknowledged_again() {
        let told = std::sync::Arc::new(AtomicU64::new(0));
        let count = told.clone();
        let mut store = Store::in_memory().unwrap();
        store.fatal = Box::new(move |e| {
            assert!(e.to_string().contains("1034"), "{e}");
            count.fetch_add(1, Ordering::SeqCst);
        });
        let failed = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        let first = store.write::<()>(|_| Err(failed(ffi::SQLITE_IOERR_FSYNC).into()));
        assert!(matches!(first, Err(StoreError::SyncFailed { .. })));
        let second = store.write(|_| Ok(()));
        assert!(matches!(second, Err(StoreError::SyncFailed { .. })));
        assert_eq!(told.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_full_disk_is_no_reason_to_end() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::open_with(home.path(), Box::new(|e| panic!("fatal: {e}"))).unwrap();
        let limit = |pages: u32| {
            let c = store.lock();
            c.pragma_update(None, "max_page_count", pages).unwrap();
        };
        limit(1);
        let add = |i: i64| {
            store.write(|c| {
                let text = "x".repeat(1000);
                c.execute(
                    "INSERT INTO inbox(operation, input, at) VALUES ('op', ?1, ?2)",
                    (text, i),
                )?;
                Ok(())
            })
        };
        let acknowledged = (0..10_000).take_while(|i| add(*i).is_ok()).count() as i64;
        assert!(matches!(add(-1), Err(StoreError::Full { .. })));
        let count = || {
            store.read(|c| {
                Ok(c.query_row("SELECT count(*) FROM inbox", [], |r| r.get::<_, i64>(0))?)
            })
        };
        assert_eq!(count().unwrap(), acknowledged);
        limit(100_000);
        add(-2).unwrap();
        assert_eq!(count().unwrap(), acknowledged + 1);
    }
}
