//! The index: what the journal says, in SQLite, for look-ups. It decides nothing that the journal could not decide, and is
//! thrown away whenever it does not fit the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::merkle::{Frontier, HashSource};
use gonogo_ledger::{CONTROLLER, KeyEvent, KeyId, PublicKey, Statement, key_event};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, params};
use serde_json::Value;

use super::error::LedgerError;
use super::journal::Place;

const VERSION: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 0), size INTEGER NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
        peaks BLOB NOT NULL, newest INTEGER NOT NULL
    ) STRICT;
    INSERT INTO state VALUES (0, 0, 0, 0, x'', -9223372036854775808);
    CREATE TABLE record (
        idx INTEGER PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL, stream TEXT NOT NULL,
        seq INTEGER NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL, digest BLOB NOT NULL, leaf BLOB NOT NULL,
        time INTEGER NOT NULL, actor TEXT NOT NULL, signer BLOB NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX record_stream ON record (stream, seq);
    CREATE UNIQUE INDEX record_key ON record (stream, key);
    CREATE INDEX record_kind ON record (kind, idx);
    CREATE INDEX record_digest ON record (digest);
    CREATE INDEX record_time ON record (time, idx);
    CREATE INDEX record_actor ON record (actor, idx);
    CREATE TABLE subject (digest BLOB NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (digest, idx)) WITHOUT ROWID, STRICT;
    CREATE TABLE reason (code TEXT NOT NULL, idx INTEGER NOT NULL, PRIMARY KEY (code, idx)) WITHOUT ROWID, STRICT;
    CREATE TABLE node (level INTEGER, position INTEGER, hash BLOB NOT NULL, PRIMARY KEY (level, position)) WITHOUT ROWID, STRICT;
    CREATE TABLE enrolled (
        key BLOB PRIMARY KEY, spki BLOB NOT NULL, who TEXT NOT NULL, role TEXT NOT NULL, since INTEGER NOT NULL,
        revoked INTEGER
    ) WITHOUT ROWID, STRICT;
";

/// Where the index stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    pub(super) frontier: Frontier,
    pub(super) place: Place,
    pub(super) newest: Timestamp,
}

/// One record's row.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) index: u64,
    pub(super) place: Place,
    pub(super) seq: u64,
    pub(super) digest: Digest,
    pub(super) leaf: Digest,
}

/// An enrolled key.
#[derive(Debug, Clone)]
pub(super) struct Enrolled {
    pub(super) key: PublicKey,
    pub(super) role: String,
    pub(super) revoked: Option<u64>,
}

/// A failure of SQLite. Turned into a [`LedgerError`] where the path is known.
pub(super) type Sql<T> = Result<T, rusqlite::Error>;

pub(super) fn failure(path: &Path, error: &rusqlite::Error) -> LedgerError {
    let full = error.sqlite_error_code() == Some(ErrorCode::DiskFull);
    let (path, text) = (path.to_owned(), error.to_string());
    if full {
        LedgerError::Full { path, text }
    } else {
        LedgerError::Index { path, text }
    }
}

/// Opens the index to write; makes it if it is absent, and makes it anew if it is no index of this version.
pub(super) fn open_writer(path: &Path) -> Result<Connection, LedgerError> {
    match try_open(path) {
        Ok(connection) => Ok(connection),
        // Others may have it open; what is only busy or out of reach is not thrown away.
        Err(e)
            if matches!(
                e.sqlite_error_code(),
                Some(
                    ErrorCode::DiskFull
                        | ErrorCode::DatabaseBusy
                        | ErrorCode::DatabaseLocked
                        | ErrorCode::OutOfMemory
                )
            ) =>
        {
            Err(failure(path, &e))
        }
        Err(_) => {
            remove(path)?;
            try_open(path).map_err(|e| failure(path, &e))
        }
    }
}

fn try_open(path: &Path) -> Sql<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        create(&mut connection)?;
    } else if version != VERSION {
        return Err(rusqlite::Error::InvalidQuery);
    }
    load(&connection)?;
    Ok(connection)
}

fn create(connection: &mut Connection) -> Sql<()> {
    let change = connection.transaction()?;
    change.execute_batch(SCHEMA)?;
    change.pragma_update(None, "user_version", VERSION)?;
    change.commit()
}

/// Makes an index in memory.
pub(super) fn in_memory() -> Sql<Connection> {
    let mut connection = Connection::open_in_memory()?;
    create(&mut connection)?;
    Ok(connection)
}

/// Opens the index to read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, LedgerError> {
    connect(path).map_err(|e| failure(path, &e))
}

pub(super) fn connect(path: &Path) -> Sql<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    match connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? {
        VERSION => Ok(connection),
        _ => Err(rusqlite::Error::InvalidQuery),
    }
}

/// Removes the index with SQLite's files beside it.
pub(super) fn remove(path: &Path) -> Result<(), LedgerError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let name = PathBuf::from(name);
        match fs::remove_file(&name) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(LedgerError::io("remove", &name, &e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Empties the index, so that it is built again from the journal's start.
pub(super) fn clear(connection: &Connection) -> Sql<()> {
    connection.execute_batch(
        "DELETE FROM record; DELETE FROM node; DELETE FROM enrolled; DELETE FROM subject; DELETE FROM reason;
         UPDATE state SET size = 0, segment = 0, offset = 0, peaks = x'', newest = -9223372036854775808;",
    )
}

pub(super) fn load(connection: &Connection) -> Sql<State> {
    connection
        .prepare_cached("SELECT size, segment, offset, peaks, newest FROM state WHERE id = 0")?
        .query_row([], |row| {
            let size: i64 = row.get(0)?;
            let peaks: Vec<u8> = row.get(3)?;
            let peaks = peaks.chunks(32).map(digest_of).collect::<Sql<Vec<_>>>()?;
            Ok(State {
                frontier: Frontier::restore(size.cast_unsigned(), peaks)
                    .ok_or(rusqlite::Error::InvalidQuery)?,
                place: Place {
                    segment: row.get(1)?,
                    offset: row.get::<_, i64>(2)?.cast_unsigned(),
                },
                newest: Timestamp::from_millis(row.get(4)?),
            })
        })
}

pub(super) fn save(connection: &Connection, state: &State) -> Sql<()> {
    let peaks: Vec<u8> = state
        .frontier
        .peaks()
        .iter()
        .flat_map(|p| *p.as_bytes())
        .collect();
    connection
        .prepare_cached(
            "UPDATE state SET size = ?1, segment = ?2, offset = ?3, peaks = ?4, newest = ?5",
        )?
        .execute(params![
            state.frontier.size().cast_signed(),
            state.place.segment,
            state.place.offset.cast_signed(),
            peaks,
            state.newest.as_millis(),
        ])
        .map(|_| ())
}

/// A record on its way into the index.
#[derive(Debug)]
pub(super) struct Insert<'a> {
    pub(super) place: Place,
    pub(super) statement: &'a Statement,
    pub(super) digest: Digest,
    pub(super) leaf: Digest,
    pub(super) signer: KeyId,
}

/// Adds a record as the next leaf.
pub(super) fn insert(
    connection: &Connection,
    frontier: &mut Frontier,
    record: &Insert<'_>,
) -> Sql<u64> {
    let (statement, index) = (record.statement, frontier.size());
    connection
        .prepare_cached(
            "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            index.cast_signed(),
            record.place.segment,
            record.place.offset.cast_signed(),
            statement.stream,
            statement.seq.cast_signed(),
            statement.key,
            statement.kind,
            record.digest.as_bytes(),
            record.leaf.as_bytes(),
            statement.time.as_millis(),
            statement.actor,
            record.signer.digest().as_bytes(),
        ])?;
    for subject in &statement.subject {
        connection
            .prepare_cached("INSERT OR IGNORE INTO subject VALUES (?1, ?2)")?
            .execute(params![subject.digest.as_bytes(), index.cast_signed()])?;
    }
    for code in reasons(&statement.body) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO reason VALUES (?1, ?2)")?
            .execute(params![code, index.cast_signed()])?;
    }
    for node in frontier.push(record.leaf) {
        connection
            .prepare_cached("INSERT INTO node VALUES (?1, ?2, ?3)")?
            .execute(params![
                node.level,
                node.index.cast_signed(),
                node.hash.as_bytes()
            ])?;
    }
    if statement.kind == key_event::KIND {
        note_key_event(connection, index, statement)?;
    }
    Ok(index)
}

/// The reason codes that a record's body names: texts in the catalogue's spelling under a field `reason`, `reasons`, `code` or
/// `reasonCodes`, at any depth.
pub(super) fn reasons(body: &Value) -> BTreeSet<&str> {
    fn walk<'a>(value: &'a Value, named: bool, depth: usize, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::String(text) if named && is_code(text) => {
                found.insert(text);
            }
            Value::Array(items) if depth < 64 => {
                items.iter().for_each(|v| walk(v, named, depth + 1, found));
            }
            Value::Object(fields) if depth < 64 => {
                for (name, value) in fields {
                    let named =
                        matches!(name.as_str(), "reason" | "reasons" | "code" | "reasonCodes");
                    walk(value, named, depth + 1, found);
                }
            }
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(body, false, 0, &mut found);
    found
}

fn is_code(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.as_bytes()[0].is_ascii_uppercase()
        && text
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn note_key_event(connection: &Connection, index: u64, statement: &Statement) -> Sql<()> {
    let event = KeyEvent::from_body(&statement.body).map_err(|_| rusqlite::Error::InvalidQuery)?;
    match event {
        KeyEvent::Enrol { key, who, role } => connection.execute(
            "INSERT INTO enrolled VALUES (?1, ?2, ?3, ?4, ?5, NULL)",
            params![
                key.id().digest().as_bytes(),
                key.spki(),
                who,
                role,
                index.cast_signed()
            ],
        )?,
        KeyEvent::Revoke { key, .. } => connection.execute(
            "UPDATE enrolled SET revoked = ?2 WHERE key = ?1 AND revoked IS NULL",
            params![key.digest().as_bytes(), index.cast_signed()],
        )?,
    };
    Ok(())
}

/// Keys by their ids, as the table `enrolled` has them: public key, whose, role, enrolled by, revoked by.
pub(super) type Keys = BTreeMap<KeyId, (Vec<u8>, String, String, u64, Option<u64>)>;

/// Adds what a key event says, as [`insert`] does.
pub(super) fn learn(keys: &mut Keys, index: u64, event: &KeyEvent) {
    match event {
        KeyEvent::Enrol { key, who, role } => {
            let row = (key.spki().to_vec(), who.clone(), role.clone(), index, None);
            keys.insert(key.id(), row);
        }
        KeyEvent::Revoke { key, .. } => {
            if let Some(row) = keys.get_mut(key) {
                row.4.get_or_insert(index);
            }
        }
    }
}

/// Reads the whole table `enrolled`.
pub(super) fn keys(connection: &Connection) -> Sql<Keys> {
    connection
        .prepare_cached("SELECT key, spki, who, role, since, revoked FROM enrolled")?
        .query_map([], |row| {
            let revoked = row.get::<_, Option<i64>>(5)?.map(i64::cast_unsigned);
            let since = row.get::<_, i64>(4)?.cast_unsigned();
            let rest = (row.get(1)?, row.get(2)?, row.get(3)?, since, revoked);
            Ok((KeyId::from(digest_at(row, 0)?), rest))
        })?
        .collect()
}

pub(super) fn enrolled(connection: &Connection, key: KeyId) -> Sql<Option<Enrolled>> {
    connection
        .prepare_cached("SELECT spki, role, revoked FROM enrolled WHERE key = ?1")?
        .query_row([key.digest().as_bytes()], |row| {
            let spki: Vec<u8> = row.get(0)?;
            Ok(Enrolled {
                key: PublicKey::from_spki(&spki).map_err(|_| rusqlite::Error::InvalidQuery)?,
                role: row.get(1)?,
                revoked: row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned),
            })
        })
        .optional()
}

impl Enrolled {
    /// Returns why the key may not sign a record of this kind now, or `None` if it may.
    pub(super) fn objection(&self, kind: &str) -> Option<String> {
        let owners = [key_event::KIND, gonogo_ledger::packet::MANIFEST_KIND];
        if let Some(index) = self.revoked {
            return Some(format!("it was revoked by leaf {index}"));
        }
        (owners.contains(&kind) && self.role != CONTROLLER).then(|| {
            format!(
                "a `{kind}` needs a controller's key, this is a key of role `{}`",
                self.role
            )
        })
    }
}

/// Returns a stream's next position and its head.
pub(super) fn head(connection: &Connection, stream: &str) -> Sql<(u64, Option<Digest>)> {
    let last = connection
        .prepare_cached(
            "SELECT seq, digest FROM record WHERE stream = ?1 ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([stream], |row| {
            Ok((row.get::<_, i64>(0)?.cast_unsigned(), digest_at(row, 1)?))
        })
        .optional()?;
    Ok(match last {
        Some((seq, digest)) => (seq + 1, Some(digest)),
        None => (0, None),
    })
}

const ENTRY: &str = "SELECT idx, segment, offset, seq, digest, leaf FROM record";

pub(super) fn entry(row: &Row<'_>) -> Sql<Entry> {
    Ok(Entry {
        index: row.get::<_, i64>(0)?.cast_unsigned(),
        place: Place {
            segment: row.get(1)?,
            offset: row.get::<_, i64>(2)?.cast_unsigned(),
        },
        seq: row.get::<_, i64>(3)?.cast_unsigned(),
        digest: digest_at(row, 4)?,
        leaf: digest_at(row, 5)?,
    })
}

/// Every record of a stream, in its order. Only for short streams.
pub(super) fn stream(connection: &Connection, stream: &str) -> Sql<Vec<Entry>> {
    connection
        .prepare_cached(&format!("{ENTRY} WHERE stream = ?1 ORDER BY seq"))?
        .query_map([stream], entry)?
        .collect()
}

pub(super) fn by_key(connection: &Connection, stream: &str, key: &str) -> Sql<Option<Entry>> {
    connection
        .prepare_cached(&format!("{ENTRY} WHERE stream = ?1 AND key = ?2"))?
        .query_row([stream, key], entry)
        .optional()
}

pub(super) fn newest(connection: &Connection, kind: &str) -> Sql<Option<Entry>> {
    connection
        .prepare_cached(&format!(
            "{ENTRY} WHERE kind = ?1 ORDER BY idx DESC LIMIT 1"
        ))?
        .query_row([kind], entry)
        .optional()
}

pub(super) fn by_index(connection: &Connection, index: u64) -> Sql<Option<Entry>> {
    connection
        .prepare_cached(&format!("{ENTRY} WHERE idx = ?1"))?
        .query_row([index.cast_signed()], entry)
        .optional()
}

/// Returns at most two records whose digest lies between `low` and `high`.
pub(super) fn by_digest(
    connection: &Connection,
    low: &[u8; 32],
    high: &[u8; 32],
) -> Sql<Vec<Entry>> {
    connection
        .prepare_cached(&format!("{ENTRY} WHERE digest BETWEEN ?1 AND ?2 LIMIT 2"))?
        .query_map([low, high], entry)?
        .collect()
}

pub(super) fn digest_at(row: &Row<'_>, column: usize) -> Sql<Digest> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(Digest::from_bytes(bytes))
}

fn digest_of(bytes: &[u8]) -> Sql<Digest> {
    <[u8; 32]>::try_from(bytes)
        .map(Digest::from_bytes)
        .map_err(|_| rusqlite::Error::InvalidQuery)
}

/// The tree's stored hashes, read a tile at a time; the last few tiles are kept.
pub(super) struct Tiles<'a> {
    connection: &'a Connection,
    kept: Vec<((u32, u64), Vec<Digest>)>,
}

impl<'a> Tiles<'a> {
    pub(super) const fn new(connection: &'a Connection) -> Self {
        Self {
            connection,
            kept: Vec::new(),
        }
    }

    fn tile(&mut self, level: u32, tile: u64) -> Sql<&[Digest]> {
        const KEPT: usize = 32;
        if let Some(at) = self
            .kept
            .iter()
            .position(|(name, _)| *name == (level, tile))
        {
            return Ok(&self.kept[at].1);
        }
        let (low, high) = ((tile << 8).cast_signed(), (tile << 8 | 255).cast_signed());
        let hashes = if level == 0 {
            self.connection
                .prepare_cached("SELECT leaf FROM record WHERE idx BETWEEN ?1 AND ?2 ORDER BY idx")?
                .query_map([low, high], |row| digest_at(row, 0))?
                .collect::<Sql<Vec<_>>>()?
        } else {
            self.connection
                .prepare_cached("SELECT hash FROM node WHERE level = ?1 AND position BETWEEN ?2 AND ?3 ORDER BY position")?
                .query_map([i64::from(level), low, high], |row| digest_at(row, 0))?
                .collect::<Sql<Vec<_>>>()?
        };
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push(((level, tile), hashes));
        Ok(self.kept.last().map_or(&[], |(_, hashes)| hashes))
    }
}

impl HashSource for Tiles<'_> {
    type Error = rusqlite::Error;

    fn hashes(&mut self, level: u32, start: u64, count: usize) -> Sql<Vec<Digest>> {
        let within = (start & 255) as usize;
        let tile = self.tile(level, start >> 8)?;
        tile.get(within..within + count)
            .map(<[Digest]>::to_vec)
            .ok_or(rusqlite::Error::QueryReturnedNoRows)
    }
}
