//! Measured calls of use cases, in a file of its own: `.gonogo/calls.db`.
//!
//! Counts are added up in slots of ten minutes, by use case and by how the call ended, so the file is bounded by time and not by traffic.
//! It is no evidence and nothing is decided from it but a report: it is not synced, a crash of the machine may lose what was added last,
//! and a file that cannot be read is said so. It is not `state.db`, because answers that depend on that one are kept until it changes.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gonogo_core::{Span, Timestamp};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

/// Name of the file in the state directory.
const FILE: &str = "calls.db";
/// Length of a slot, in milliseconds.
pub const SLOT: i64 = 600_000;
/// How long slots are kept.
pub const KEPT: Span = Span::from_secs(35 * 86_400);
/// How long an addition waits for another process. Whoever adds would rather go on.
const BUSY: Duration = Duration::from_millis(500);

/// Calls of one use case that ended in one way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    /// How many.
    pub count: u64,
    /// How many of them belonged to a trace.
    pub traced: u64,
    /// Their time together, in microseconds.
    pub sum: u64,
    /// The longest, in microseconds.
    pub longest: u64,
    /// How many fell into each bucket of time.
    pub buckets: BTreeMap<u16, u64>,
}

impl Calls {
    /// Adds others to these.
    pub fn add(&mut self, others: &Self) {
        self.count += others.count;
        self.traced += others.traced;
        self.sum = self.sum.saturating_add(others.sum);
        self.longest = self.longest.max(others.longest);
        for (bucket, n) in &others.buckets {
            *self.buckets.entry(*bucket).or_default() += n;
        }
    }

    fn text(&self) -> String {
        let all: Vec<String> = self
            .buckets
            .iter()
            .map(|(b, n)| format!("{b}:{n}"))
            .collect();
        all.join(" ")
    }

    fn read(text: &str) -> Option<BTreeMap<u16, u64>> {
        let mut all = BTreeMap::new();
        for pair in text.split(' ').filter(|p| !p.is_empty()) {
            let (bucket, n) = pair.split_once(':')?;
            all.insert(bucket.parse().ok()?, n.parse().ok()?);
        }
        Some(all)
    }
}

/// Calls by use case and by how they ended.
pub type ByTool = BTreeMap<(String, String), Calls>;

/// What a window of time holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Window {
    /// The calls.
    pub calls: ByTool,
    /// Begin of the oldest slot that holds any.
    pub first: Option<Timestamp>,
    /// Since when the file measures; none where there is no file. What was called before is not in it.
    pub begun: Option<Timestamp>,
}

/// Why measured calls cannot be kept or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("measured calls in `{}`: {text}", path.display())]
pub struct CallsError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub text: String,
}

/// The file.
pub struct CallLog {
    path: PathBuf,
    connection: Mutex<Option<(Connection, Which)>>,
}

/// Which file lies at a path: its device and its number; none where there is none.
type Which = Option<(u64, u64)>;

fn which(path: &Path) -> Which {
    let meta = std::fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino()))
}

impl CallLog {
    /// The file of a state directory. It is opened when it is first needed.
    pub fn of(state: &Path) -> Self {
        Self {
            path: state.join(FILE),
            connection: Mutex::new(None),
        }
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CallsError> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let done = (|| {
            // What is written to a file that was taken away is lost without a word.
            held.take_if(|(_, opened)| *opened != which(&self.path));
            let (connection, _) = match held.as_mut() {
                Some(open) => open,
                None => {
                    let opened = open(&self.path)?;
                    held.insert((opened, which(&self.path)))
                }
            };
            work(connection)
        })();
        done.map_err(|e| {
            // A file that was taken away or damaged is opened anew the next time.
            *held = None;
            CallsError {
                path: self.path.clone(),
                text: e.to_string(),
            }
        })
    }

    /// Notes that measuring begins at `at`, where nobody has noted it before: ahead of the first call, so that what that call leaves behind
    /// is younger.
    ///
    /// # Errors
    /// [`CallsError`]; then the first addition notes it.
    pub fn begin(&self, at: Timestamp) -> Result<(), CallsError> {
        self.with(|connection| begin(connection, at))
    }

    /// Adds calls that ended around `at`.
    ///
    /// # Errors
    /// [`CallsError`]; nothing was added then.
    pub fn add(&self, at: Timestamp, all: &ByTool) -> Result<(), CallsError> {
        if all.is_empty() {
            return Ok(());
        }
        let slot = at.as_millis().div_euclid(SLOT) * SLOT;
        self.with(|connection| {
            begin(connection, at)?;
            let change =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let begun = change
                .query_row("SELECT 1 FROM calls WHERE slot = ?1 LIMIT 1", [slot], |_| Ok(()))
                .optional()?;
            if begun.is_none() {
                let oldest = at.as_millis() - i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
                change.execute("DELETE FROM calls WHERE slot < ?1", [oldest])?;
            }
            for ((tool, code), calls) in all {
                let mut known = change
                    .prepare_cached(
                        "SELECT count, traced, sum, longest, buckets FROM calls WHERE slot = ?1 AND tool = ?2 AND code = ?3",
                    )?
                    .query_row(params![slot, tool, code], read_row)
                    .optional()?
                    .unwrap_or_default();
                known.add(calls);
                change
                    .prepare_cached(
                        "INSERT OR REPLACE INTO calls(slot, tool, code, count, traced, sum, longest, buckets)
                         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    )?
                    .execute(params![
                        slot,
                        tool,
                        code,
                        number(known.count),
                        number(known.traced),
                        number(known.sum),
                        number(known.longest),
                        known.text()
                    ])?;
            }
            change.commit()
        })
    }

    /// Calls of the slots that touch `from` to `to`.
    ///
    /// # Errors
    /// [`CallsError`] if the file cannot be read. One that is absent holds nothing.
    pub fn window(&self, from: Timestamp, to: Timestamp) -> Result<Window, CallsError> {
        if !self.path.exists() {
            return Ok(Window::default());
        }
        let first = from.as_millis().div_euclid(SLOT) * SLOT;
        self.with(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT count, traced, sum, longest, buckets, tool, code, slot FROM calls
                 WHERE slot >= ?1 AND slot <= ?2 ORDER BY slot",
            )?;
            let mut rows = query.query([first, to.as_millis()])?;
            let mut window = Window {
                begun: begun(connection)?,
                ..Window::default()
            };
            while let Some(row) = rows.next()? {
                let calls = read_row(row)?;
                let slot = Timestamp::from_millis(row.get(7)?);
                window.first.get_or_insert(slot);
                let key = (row.get(5)?, row.get(6)?);
                window.calls.entry(key).or_default().add(&calls);
            }
            Ok(window)
        })
    }
}

/// Files of earlier versions did not note when they began: their oldest slot says it. Nothing is written where it is noted.
fn begin(connection: &Connection, at: Timestamp) -> rusqlite::Result<()> {
    let noted = "SELECT EXISTS (SELECT 1 FROM begun)";
    if connection.query_row(noted, [], |row| row.get(0))? {
        return Ok(());
    }
    let mut note = connection.prepare_cached(
        "INSERT INTO begun(at) SELECT COALESCE((SELECT MIN(slot) FROM calls), ?1)
         WHERE NOT EXISTS (SELECT 1 FROM begun)",
    )?;
    note.execute([at.as_millis()]).map(drop)
}

fn begun(connection: &Connection) -> rusqlite::Result<Option<Timestamp>> {
    let sql = "SELECT COALESCE((SELECT MIN(at) FROM begun), (SELECT MIN(slot) FROM calls))";
    let at: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(at.map(Timestamp::from_millis))
}

fn number(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Calls> {
    let whole = |at: usize| -> rusqlite::Result<u64> {
        let n: i64 = row.get(at)?;
        u64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, n))
    };
    let text: String = row.get(4)?;
    let buckets = Calls::read(&text).ok_or_else(|| {
        let kind = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(4, kind, "no list of buckets".into())
    })?;
    Ok(Calls {
        count: whole(0)?,
        traced: whole(1)?,
        sum: whole(2)?,
        longest: whole(3)?,
        buckets,
    })
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    use std::os::unix::fs::OpenOptionsExt;
    // SQLite makes files that everybody may read; what this one holds is nobody's affair.
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path);
    made.map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS calls(
            slot INTEGER NOT NULL, tool TEXT NOT NULL, code TEXT NOT NULL, count INTEGER NOT NULL, traced INTEGER NOT NULL,
            sum INTEGER NOT NULL, longest INTEGER NOT NULL, buckets TEXT NOT NULL,
            PRIMARY KEY(slot, tool, code)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS begun(at INTEGER NOT NULL) STRICT;",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(bucket: u16) -> ByTool {
        let calls = Calls {
            count: 1,
            traced: 1,
            sum: 10,
            longest: u64::from(bucket),
            buckets: BTreeMap::from([(bucket, 1)]),
        };
        ByTool::from([(("plan_get".to_owned(), "OK".to_owned()), calls)])
    }

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 / SLOT * SLOT + minutes * 60_000)
    }

    #[test]
    fn what_is_kept_after_the_file_was_taken_away_is_in_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let log = CallLog::of(dir.path());
        log.add(at(0), &one(3)).unwrap();
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        log.add(at(20), &one(5)).unwrap();
        let other = CallLog::of(dir.path()).window(at(0), at(29)).unwrap();
        let counts: Vec<u64> = other.calls.values().map(|c| c.count).collect();
        assert_eq!(counts, [1]);
        assert!(other.begun > Some(at(9)), "{:?}", other.begun);
        // Where nothing can be kept, that is said.
        std::fs::remove_file(dir.path().join(FILE)).unwrap();
        std::fs::create_dir(dir.path().join(FILE)).unwrap();
        assert!(log.add(at(30), &one(5)).is_err());
    }

    #[test]
    fn calls_of_several_processes_add_up_in_their_slot() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (CallLog::of(dir.path()), CallLog::of(dir.path()));
        a.add(at(0), &one(3)).unwrap();
        b.add(at(9), &one(5)).unwrap();
        a.add(at(10), &one(3)).unwrap();
        let key = ("plan_get".to_owned(), "OK".to_owned());
        let window = b.window(at(5), at(9)).unwrap();
        let calls = &window.calls[&key];
        assert_eq!((calls.count, calls.longest, calls.sum), (2, 5, 20));
        assert_eq!(calls.buckets, BTreeMap::from([(3, 1), (5, 1)]));
        assert_eq!(window.first, Some(at(0)));
        let all = b.window(at(0), at(10)).unwrap();
        assert_eq!(all.calls[&key].count, 3);
        let empty = b.window(at(20), at(90)).unwrap();
        assert_eq!((empty.calls.len(), empty.first), (0, None));
        // Since when it measures is noted once.
        assert_eq!(empty.begun, Some(at(0)));
        a.begin(at(30)).unwrap();
        assert_eq!(b.window(at(20), at(90)).unwrap().begun, Some(at(0)));
    }

    #[test]
    fn slots_do_not_stay_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let log = CallLog::of(dir.path());
        log.add(at(0), &one(1)).unwrap();
        let later = at(36 * 24 * 60);
        log.add(later, &one(1)).unwrap();
        let window = log.window(at(0), later).unwrap();
        assert_eq!(window.calls.values().map(|c| c.count).sum::<u64>(), 1);
    }

    #[test]
    fn a_file_that_is_absent_is_empty_and_one_that_is_damaged_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let log = CallLog::of(dir.path());
        assert_eq!(log.window(at(0), at(1)), Ok(Window::default()));
        std::fs::write(
            dir.path().join(FILE),
            "garbage, and enough of it to be no header",
        )
        .unwrap();
        assert!(log.window(at(0), at(1)).is_err());
        assert!(log.add(at(0), &one(1)).is_err());
    }

    #[test]
    fn many_writers_lose_nothing() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let log = CallLog::of(dir.path());
                    for _ in 0..25 {
                        // Whoever finds it busy keeps the calls and adds them later.
                        while log.add(at(0), &one(1)).is_err() {}
                    }
                });
            }
        });
        let window = CallLog::of(dir.path()).window(at(0), at(1)).unwrap();
        assert_eq!(window.calls.values().map(|c| c.count).sum::<u64>(), 100);
    }
}
