//! The index on disk, compared row by row with what the records give.
//!
//! It is read in one transaction that begins before the journal is read, so everything in it must be in the journal. It may
//! lack the newest records: a writer commits it last, and the next one catches up.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::merkle::{Finished, Frontier};
use gonogo_ledger::statement::Outline;
use gonogo_ledger::{KeyEvent, KeyId};
use rusqlite::{Connection, ErrorCode, Row};

use crate::ledger::disk::Layout;
use crate::ledger::error::LedgerError;
use crate::ledger::index::{self, Sql};
use crate::ledger::journal::Place;

/// How many rows are read at a time.
const PAGE: u64 = 1024;

/// A set of rows by their number and the sum of their digests, whatever their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    count: u64,
    sum: [u64; 4],
}

impl Tally {
    fn add(&mut self, parts: &[&[u8]]) {
        let digest = digest_of(parts);
        self.count += 1;
        let (words, _) = digest.as_bytes().as_chunks::<8>();
        for (sum, word) in self.sum.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*word));
        }
    }
}

/// One digest over parts of any length.
fn digest_of(parts: &[&[u8]]) -> Digest {
    let mut bytes = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    Digest::of(&bytes)
}

/// What the index must hold of one record.
#[derive(Debug)]
pub(super) struct Rows {
    row: Digest,
    subjects: Vec<Digest>,
    reasons: Vec<String>,
    time: Timestamp,
}

/// Returns what the index must hold of a record, but for its index and place.
pub(super) fn rows(
    outline: &Outline<'_>,
    [digest, leaf]: [&Digest; 2],
    signer: &KeyId,
    reasons: Vec<String>,
) -> Rows {
    let row = digest_of(&[
        outline.stream.as_bytes(),
        &outline.seq.to_be_bytes(),
        outline.key.as_bytes(),
        outline.kind.as_bytes(),
        digest.as_bytes(),
        leaf.as_bytes(),
        &outline.time.as_millis().to_be_bytes(),
        outline.actor.as_bytes(),
        signer.digest().as_bytes(),
    ]);
    let mut subjects = outline.subjects.clone();
    subjects.sort_unstable();
    subjects.dedup();
    Rows {
        row,
        subjects,
        reasons,
        time: outline.time,
    }
}

/// The index as it was when the check began, and what the records have given so far.
pub(super) struct Projection {
    connection: Connection,
    path: PathBuf,
    state: index::State,
    page: VecDeque<(u64, Place, Digest)>,
    subjects: Tally,
    reasons: Tally,
    nodes: Tally,
    newest: Timestamp,
    enrolled: index::Keys,
}

/// Opens the index to compare it; `None` if there is none.
pub(super) fn open(layout: &Layout) -> Result<Option<Projection>, LedgerError> {
    let path = layout.disk().index(&layout.index());
    if path == layout.index() && path.symlink_metadata().is_err() {
        return Ok(None);
    }
    let begin = |connection: Connection| {
        connection.execute_batch("BEGIN")?;
        let state = index::load(&connection)?;
        Ok((connection, state))
    };
    let begun = match index::connect(&path).and_then(begin) {
        // SQLite needs a file beside the index, which a directory without the right to write has not. As it lies there it may
        // lack the newest records, and may be read in between; what it then says is compared all the same.
        Err(e)
            if matches!(
                e.sqlite_error_code(),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly)
            ) =>
        {
            index::connect(&as_it_lies(&path)).and_then(begin)
        }
        other => other,
    };
    let (connection, state) = begun.map_err(|e| failure(&path, &e))?;
    Ok(Some(Projection {
        connection,
        path,
        newest: Timestamp::from_millis(i64::MIN),
        state,
        page: VecDeque::new(),
        subjects: Tally::default(),
        reasons: Tally::default(),
        nodes: Tally::default(),
        enrolled: index::Keys::new(),
    }))
}

/// SQLite's name for a file that is read without any file beside it.
fn as_it_lies(path: &Path) -> PathBuf {
    let text = path.to_string_lossy();
    let text = text
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    PathBuf::from(format!("file:{text}?immutable=1"))
}

fn failure(path: &Path, error: &rusqlite::Error) -> LedgerError {
    match (error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::DiskFull)) => index::failure(path, error),
        (rusqlite::Error::InvalidQuery, _) => differs(path, "it has another form or version"),
        _ => differs(path, &format!("it cannot be read: {error}")),
    }
}

fn differs(path: &Path, text: &str) -> LedgerError {
    LedgerError::corrupt(
        path,
        format!("{text}; `gonogo ledger reindex` makes it anew from the journal"),
    )
}

impl Projection {
    /// Compares what the index has of the record at `index`, in the order of the journal.
    pub(super) fn record(
        &mut self,
        index: u64,
        place: Place,
        rows: &Rows,
        event: Option<&KeyEvent>,
        finished: &[Finished],
    ) -> Result<(), LedgerError> {
        if index >= self.state.frontier.size() {
            return Ok(());
        }
        if self.page.is_empty() {
            self.page = read_page(&self.connection, index).map_err(|e| failure(&self.path, &e))?;
        }
        if self.page.pop_front() != Some((index, place, rows.row)) {
            let text = format!("it has something else than record {index}");
            return Err(differs(&self.path, &text));
        }
        let number = index.to_be_bytes();
        for digest in &rows.subjects {
            self.subjects.add(&[&number, digest.as_bytes()]);
        }
        for code in &rows.reasons {
            self.reasons.add(&[&number, code.as_bytes()]);
        }
        self.newest = self.newest.max(rows.time);
        for node in finished {
            self.nodes.add(&[
                &u64::from(node.level).to_be_bytes(),
                &node.index.to_be_bytes(),
                node.hash.as_bytes(),
            ]);
        }
        if let Some(event) = event {
            index::learn(&mut self.enrolled, index, event);
        }
        Ok(())
    }

    /// Compares the tree, if it is as large as the index says it was.
    pub(super) fn tree(&self, frontier: &Frontier) -> Result<(), LedgerError> {
        if self.state.frontier.size() == frontier.size() && self.state.frontier != *frontier {
            return Err(differs(&self.path, "it has another tree than the records"));
        }
        Ok(())
    }

    /// Compares what has no order; returns how many records the index has.
    pub(super) fn finish(&self, records: u64) -> Result<u64, LedgerError> {
        let size = self.state.frontier.size();
        if size > records {
            let text = format!("it has {size} records, and the journal {records}");
            return Err(differs(&self.path, &text));
        }
        let found = self.read_rest().map_err(|e| failure(&self.path, &e))?;
        for (what, is_same) in [
            ("records", found.records == size),
            ("subjects", found.subjects == self.subjects),
            ("reason codes", found.reasons == self.reasons),
            ("tree hashes", found.nodes == self.nodes),
            ("keys", found.enrolled == self.enrolled),
            (
                "a newest time",
                size == 0 || self.state.newest == self.newest,
            ),
        ] {
            if !is_same {
                let text = format!("it has other {what} than the records give");
                return Err(differs(&self.path, &text));
            }
        }
        Ok(size)
    }

    fn read_rest(&self) -> Sql<Rest> {
        let pairs = |sql: &str| -> Sql<Tally> {
            let mut tally = Tally::default();
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let number = row.get::<_, i64>(0)?.to_be_bytes();
                tally.add(&[&number, row.get_ref(1)?.as_bytes()?]);
            }
            Ok(tally)
        };
        let mut nodes = Tally::default();
        let mut statement = self
            .connection
            .prepare("SELECT level, position, hash FROM node")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number = |column: usize| row.get::<_, i64>(column).map(i64::to_be_bytes);
            nodes.add(&[&number(0)?, &number(1)?, row.get_ref(2)?.as_blob()?]);
        }
        let count = "SELECT count(*) FROM record";
        let records: i64 = self.connection.query_row(count, [], |row| row.get(0))?;
        Ok(Rest {
            records: records.cast_unsigned(),
            subjects: pairs("SELECT idx, digest FROM subject")?,
            reasons: pairs("SELECT idx, code FROM reason")?,
            nodes,
            enrolled: index::keys(&self.connection)?,
        })
    }
}

struct Rest {
    records: u64,
    subjects: Tally,
    reasons: Tally,
    nodes: Tally,
    enrolled: index::Keys,
}

fn read_page(connection: &Connection, first: u64) -> Sql<VecDeque<(u64, Place, Digest)>> {
    connection
        .prepare_cached(
            "SELECT idx, segment, offset, stream, seq, key, kind, digest, leaf, time, actor, signer FROM record
             WHERE idx >= ?1 ORDER BY idx LIMIT ?2",
        )?
        .query_map([first.cast_signed(), PAGE.cast_signed()], read_row)?
        .collect()
}

fn read_row(row: &Row<'_>) -> Sql<(u64, Place, Digest)> {
    let place = Place {
        segment: row.get(1)?,
        offset: row.get::<_, i64>(2)?.cast_unsigned(),
    };
    let text = |column: usize| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str()?.as_bytes());
    let blob = |column: usize| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_blob()?);
    let number = |column: usize| row.get::<_, i64>(column).map(i64::to_be_bytes);
    let digest = digest_of(&[
        text(3)?,
        &number(4)?,
        text(5)?,
        text(6)?,
        blob(7)?,
        blob(8)?,
        &number(9)?,
        text(10)?,
        blob(11)?,
    ]);
    Ok((row.get::<_, i64>(0)?.cast_unsigned(), place, digest))
}
