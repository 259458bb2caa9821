//! Bringing an index up to date with the journal, and judging the journal's end after a crash.
//!
//! The journal is compared with the acknowledged checkpoint: fewer records than it says, or another root, is damage or an
//! older copy. Behind what it covers, an append call that is not whole was never acknowledged: it is cut (by a writer, under
//! the lock) or passed over (by a reader). A whole one is taken up by the next writer, after it was written anew.

use std::sync::{Arc, Mutex};

use gonogo_core::Reason;
use gonogo_ledger::{
    Checkpoint, KeyEvent, SYSTEM_STREAM, Statement, Vkey, key_event, leaf, merkle,
};
use rusqlite::Connection;

use super::checkpoint_lock::SqliteLock;
use super::disk::Layout;
use super::error::LedgerError;
use super::frame::{Frame, RecordFrame};
use super::index::{self, Insert, State, Tiles};
use super::journal::{self, Frames, Next, Place};
use super::{Notice, lock};

pub(super) type Notices = Arc<Mutex<Vec<Notice>>>;

/// A checkpoint and the signed note that it was read from.
pub(super) type Signed = (Checkpoint, String);

/// What is known about the log besides its journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// What was acknowledged; `None` only before the founding is finished.
    pub(super) acknowledged: Option<&'a Checkpoint>,
    /// What readers outside have seen, as far as this directory knows, and where it says so.
    pub(super) seen: &'a [Seen],
}

/// A checkpoint of the log that somebody outside has seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) path: std::path::PathBuf,
    pub(super) checkpoint: Checkpoint,
}

/// Reads what readers and witnesses outside have seen. A cosigned checkpoint that is none of this log says nothing.
pub(super) fn read_seen(layout: &Layout, vkey: &Vkey) -> Result<Vec<Seen>, LedgerError> {
    let published = read_published(layout, vkey)?;
    let witnessed = match read_note(layout, vkey, &layout.witnessed()) {
        Err(LedgerError::Corrupt { .. }) => None,
        other => other?,
    };
    let told = [
        (layout.checkpoint(), published),
        (layout.witnessed(), witnessed),
    ];
    let seen = told.into_iter().filter_map(|(path, signed)| {
        let (checkpoint, _) = signed?;
        Some(Seen { path, checkpoint })
    });
    Ok(seen.collect())
}

/// Reads and verifies the published checkpoint; `None` if nothing was published yet.
pub(super) fn read_published(layout: &Layout, vkey: &Vkey) -> Result<Option<Signed>, LedgerError> {
    read_note(layout, vkey, &layout.checkpoint())
}

/// Reads and verifies a checkpoint file.
pub(super) fn read_note(
    layout: &Layout,
    vkey: &Vkey,
    path: &std::path::Path,
) -> Result<Option<Signed>, LedgerError> {
    let Some(note) = layout.read_small(path)? else {
        return Ok(None);
    };
    open_note(note, vkey, path).map(Some)
}

/// Verifies a note that came from `path`.
pub(super) fn open_note(
    note: String,
    vkey: &Vkey,
    path: &std::path::Path,
) -> Result<Signed, LedgerError> {
    Checkpoint::open(&note, vkey)
        .map(|checkpoint| (checkpoint, note))
        .map_err(|e| LedgerError::corrupt(path, e.to_string()))
}

/// What a catch-up found.
#[derive(Debug)]
pub(super) struct Caught {
    pub(super) state: State,
    /// An unfinished append call at the end: where it begins and how many bytes it has.
    pub(super) torn: Option<(Place, u64)>,
    moved: bool,
}

/// Reads what the index does not have yet. An index that does not fit the journal is emptied and read anew once, because
/// it is the index that may be wrong; what does not fit then is damage.
pub(super) fn catch_up(
    layout: &Layout,
    connection: &Connection,
    known: Known<'_>,
) -> Result<Caught, LedgerError> {
    let path = layout.index();
    let load = || index::load(connection).map_err(|e| index::failure(&path, &e));
    let state = load()?;
    let new = state.place == Place::START;
    if !is_ahead(layout, &state)? {
        match read_on(layout, connection, state, known) {
            Err(LedgerError::Corrupt { .. } | LedgerError::Index { .. }) if !new => {}
            other => return other,
        }
    }
    index::clear(connection).map_err(|e| index::failure(&path, &e))?;
    read_on(layout, connection, load()?, known)
}

fn read_on(
    layout: &Layout,
    connection: &Connection,
    state: State,
    known: Known<'_>,
) -> Result<Caught, LedgerError> {
    let caught = Catcher {
        layout,
        connection,
        state,
        moved: false,
    }
    .run(known.acknowledged)?;
    if caught.moved {
        index::save(connection, &caught.state).map_err(|e| index::failure(&layout.index(), &e))?;
    }
    compare(layout, connection, &caught.state, known)?;
    Ok(caught)
}

fn is_ahead(layout: &Layout, state: &State) -> Result<bool, LedgerError> {
    if state.place == Place::START {
        return Ok(false);
    }
    let frames = Frames::open(layout, state.place)?;
    Ok(frames.is_none_or(|f| f.length() < state.place.offset))
}

/// The journal must reach as far as every checkpoint that is known and have its root there.
fn compare(
    layout: &Layout,
    connection: &Connection,
    state: &State,
    known: Known<'_>,
) -> Result<(), LedgerError> {
    let size = state.frontier.size();
    let path = layout.checkpoint_lock();
    let Some(acknowledged) = known.acknowledged else {
        // A new ledger has one record before its first checkpoint is acknowledged.
        if size > 1 || !known.seen.is_empty() {
            return Err(LedgerError::Lock {
                path,
                text: "it holds none, and the ledger has records".into(),
            });
        }
        return Ok(());
    };
    if size < acknowledged.size {
        return Err(LedgerError::RolledBack {
            path: layout.journal(),
            text: format!(
                "it ends after {size} records, and {} were acknowledged",
                acknowledged.size
            ),
        });
    }
    let root_of = |checkpoint: &Checkpoint| {
        if size == checkpoint.size {
            return Ok(state.frontier.root());
        }
        merkle::tree_root(&mut Tiles::new(connection), checkpoint.size)
            .map_err(|e| index::failure(&layout.index(), &e))
    };
    let differs = |checkpoint: &Checkpoint| {
        let text = format!(
            "its first {} records do not have the root that the checkpoint signs",
            checkpoint.size
        );
        LedgerError::corrupt(&layout.journal(), text)
    };
    if root_of(acknowledged)? != acknowledged.root {
        return Err(differs(acknowledged));
    }
    for Seen { path, checkpoint } in known.seen {
        if checkpoint.size > acknowledged.size {
            return Err(LedgerError::RolledBack {
                path: layout.checkpoint_lock(),
                text: format!(
                    "it acknowledges {} records, and `{}` has {}",
                    acknowledged.size,
                    path.display(),
                    checkpoint.size
                ),
            });
        }
        if root_of(checkpoint)? != checkpoint.root {
            return Err(LedgerError::corrupt(
                path,
                format!(
                    "it does not have the root of the journal's first {} records: two trees were signed",
                    checkpoint.size
                ),
            ));
        }
    }
    Ok(())
}

/// The lock is an older copy than the journal, which holds a checkpoint over `written` records.
pub(super) fn lock_is_older(
    path: &std::path::Path,
    acknowledged: u64,
    written: u64,
) -> LedgerError {
    LedgerError::RolledBack {
        path: path.to_owned(),
        text: format!(
            "it acknowledges {acknowledged} records, and the journal has a checkpoint over {written}"
        ),
    }
}

/// Looks at the records behind the acknowledged ones: they must be one batch, or the lock is an older copy. Returns where
/// they end.
pub(super) fn unacknowledged(
    layout: &Layout,
    connection: &Connection,
    state: &State,
    acknowledged: u64,
) -> Result<(), LedgerError> {
    let first = index::by_index(connection, acknowledged)
        .map_err(|e| index::failure(&layout.index(), &e))?
        .ok_or_else(|| LedgerError::corrupt(&layout.index(), "it lacks a record that it counts"))?;
    let older = |size: u64| lock_is_older(&layout.checkpoint_lock(), acknowledged, size);
    if first.place.segment != state.place.segment {
        return Err(older(state.frontier.size()));
    }
    let Some(mut frames) = Frames::open(layout, first.place)? else {
        return Err(LedgerError::corrupt(
            &layout.segment(first.place.segment),
            "it is gone",
        ));
    };
    while let Next::Frame(frame, _) = frames.next()? {
        let Frame::Checkpoint(note) = frame else {
            continue;
        };
        let size = note.lines().nth(1).and_then(|s| s.parse().ok());
        if size.is_none_or(|size| size > acknowledged) {
            return Err(older(size.unwrap_or(state.frontier.size())));
        }
    }
    Ok(())
}

struct Catcher<'a> {
    layout: &'a Layout,
    connection: &'a Connection,
    state: State,
    moved: bool,
}

impl Catcher<'_> {
    fn run(mut self, checkpoint: Option<&Checkpoint>) -> Result<Caught, LedgerError> {
        let mut torn = None;
        while let Some(mut frames) = Frames::open(self.layout, self.state.place)? {
            let bad = self.segment(&mut frames)?;
            let rest = frames.length().saturating_sub(self.state.place.offset);
            let next = Place {
                segment: self.state.place.segment + 1,
                offset: 0,
            };
            let more = Frames::open(self.layout, next)?.is_some_and(|f| f.length() > 0);
            if rest > 0 {
                let damaged = Place {
                    segment: self.state.place.segment,
                    offset: frames.offset(),
                };
                let acknowledged = checkpoint.is_some_and(|c| self.state.frontier.size() < c.size);
                if more || acknowledged || (bad && journal::has_later_batch(self.layout, damaged)?)
                {
                    return Err(LedgerError::corrupt(
                        &self.layout.segment(damaged.segment),
                        format!("bytes that are no record begin at byte {}", damaged.offset),
                    ));
                }
                torn = Some((self.state.place, rest));
                break;
            }
            if !more {
                break;
            }
            self.state.place = next;
        }
        Ok(Caught {
            state: self.state,
            torn,
            moved: self.moved,
        })
    }

    /// Reads a segment's whole append calls; returns whether a bad frame ended it.
    fn segment(&mut self, frames: &mut Frames) -> Result<bool, LedgerError> {
        let mut call: Vec<(u64, RecordFrame)> = Vec::new();
        loop {
            let begin = frames.offset();
            match frames.next()? {
                Next::End => return Ok(false),
                Next::Bad => return Ok(true),
                Next::Frame(Frame::Checkpoint(note), end) => {
                    if !call.is_empty() || !self.agrees(&note) {
                        return Err(LedgerError::corrupt(
                            &self.layout.segment(self.state.place.segment),
                            format!(
                                "the checkpoint at byte {begin} does not fit the records before it"
                            ),
                        ));
                    }
                    self.state.place.offset = end;
                    self.moved = true;
                }
                Next::Frame(Frame::Record(record), end) => {
                    let following = record.following;
                    let expected = call.last().map(|(_, last)| last.following - 1);
                    if expected.is_some_and(|expected| expected != following) {
                        return Ok(true);
                    }
                    call.push((begin, record));
                    if following == 0 {
                        for (offset, record) in call.drain(..) {
                            self.apply(offset, &record)?;
                        }
                        self.state.place.offset = end;
                        self.moved = true;
                    }
                }
            }
        }
    }

    fn agrees(&self, note: &str) -> bool {
        states(
            note,
            self.state.frontier.size(),
            &self.state.frontier.root(),
        )
    }

    fn apply(&mut self, offset: u64, record: &RecordFrame) -> Result<(), LedgerError> {
        let segment = self.state.place.segment;
        let path = self.layout.segment(segment);
        let statement = Statement::parse(record.envelope.payload())
            .map_err(|e| LedgerError::corrupt(&path, format!("at byte {offset}: {e}")))?;
        self.state.newest = self.state.newest.max(statement.time);
        let row = Insert {
            place: Place { segment, offset },
            statement: &statement,
            digest: record.envelope.statement_digest(),
            leaf: leaf::hash(&record.envelope, &record.signer),
            signer: record.signer.id(),
        };
        index::insert(self.connection, &mut self.state.frontier, &row).map_err(|e| {
            if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
                LedgerError::corrupt(
                    &path,
                    format!("the record at byte {offset} repeats another"),
                )
            } else {
                index::failure(&self.layout.index(), &e)
            }
        })?;
        Ok(())
    }
}

/// Returns whether a note is about a tree of this size and root. Its signature is not looked at.
pub(super) fn states(note: &str, size: u64, root: &gonogo_core::Digest) -> bool {
    let mut lines = note.lines().skip(1);
    let expected = Checkpoint {
        origin: String::new(),
        size,
        root: *root,
    };
    lines.next().and_then(|s| s.parse().ok()) == Some(size)
        && lines.next() == Some(expected.root_base64().as_str())
}

/// The newest checkpoint among the journal's frames: the one before its last batch.
pub(super) fn newest_of_journal(
    layout: &Layout,
    vkey: &Vkey,
) -> Result<Option<Signed>, LedgerError> {
    let mut place = Place::START;
    let mut newest = None;
    while let Some(mut frames) = Frames::open(layout, place)? {
        while let Next::Frame(frame, _) = frames.next()? {
            if let Frame::Checkpoint(note) = frame {
                newest = Some(note);
            }
        }
        place.segment += 1;
    }
    newest
        .map(|note| open_note(note, vkey, &layout.journal()))
        .transpose()
}

/// Gives a file that cannot be read, and SQLite's files beside it, other names.
pub(super) fn put_aside(path: &std::path::Path) -> Result<(), LedgerError> {
    for suffix in ["", "-wal", "-shm"] {
        let named = |tail: &str| {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            name.push(tail);
            std::path::PathBuf::from(name)
        };
        let from = named("");
        if from.symlink_metadata().is_err() {
            continue;
        }
        let to = (0..)
            .map(|n| named(&format!(".damaged-{n}")))
            .find(|to| to.symlink_metadata().is_err())
            .unwrap_or_else(|| named(".damaged"));
        std::fs::rename(&from, &to).map_err(|e| LedgerError::io("rename", &from, &e))?;
    }
    Ok(())
}

/// Cuts an unfinished append call and says so. Only under the append lock.
pub(super) fn cut(
    layout: &Layout,
    (place, bytes): (Place, u64),
    notices: &Notices,
) -> Result<(), LedgerError> {
    journal::truncate(layout, place)?;
    lock(notices).push(Notice {
        reason: Reason::LedgerTailCut,
        text: format!(
            "{}: {bytes} bytes of an unfinished append, never acknowledged, were cut at byte {}",
            layout.segment(place.segment).display(),
            place.offset
        ),
    });
    Ok(())
}

/// Remembers, as well as a failing disk lets it, that bytes of a segment behind `place` were never acknowledged, and cuts
/// them.
pub(super) fn mark_suspect(layout: &Layout, place: Place) {
    let text = format!("{} {}\n", place.segment, place.offset);
    let _ = layout.write_durably(&layout.suspect(), text.as_bytes(), 0o644);
    let _ = journal::truncate(layout, place);
}

/// Reads where a failed sync left the journal in doubt. That is behind everything that was acknowledged, or the file is of
/// another time than the journal.
pub(super) fn read_suspect(
    layout: &Layout,
    acknowledged: u64,
) -> Result<Option<Place>, LedgerError> {
    let path = layout.suspect();
    let Some(text) = layout.read_small(&path)? else {
        return Ok(None);
    };
    let place = text
        .trim_end()
        .split_once(' ')
        .and_then(|(segment, offset)| {
            Some(Place {
                segment: segment.parse().ok()?,
                offset: offset.parse().ok()?,
            })
        })
        .ok_or_else(|| LedgerError::corrupt(&path, "it does not name a place in the journal"))?;
    let before = journal::records_before(layout, place)?;
    if before.is_none_or(|records| records < acknowledged) {
        let text = "it wants to cut what was acknowledged, so it is of another time; remove it after `gonogo ledger fsck` has found nothing else";
        return Err(LedgerError::corrupt(&path, text));
    }
    Ok(Some(place))
}

/// After a failed sync the cached pages of a segment may be better than the disk. So what was acknowledged is copied into
/// a new file, which is synced and takes the segment's name. Only under the append lock.
pub(super) fn mend_suspect(
    layout: &Layout,
    acknowledged: u64,
    notices: &Notices,
) -> Result<(), LedgerError> {
    let Some(place) = read_suspect(layout, acknowledged)? else {
        return Ok(());
    };
    let path = layout.suspect();
    journal::rewrite(layout, place)?;
    layout.remove(&path)?;
    layout.sync_dir(&layout.ledger())?;
    lock(notices).push(Notice {
        reason: Reason::LedgerTailCut,
        text: format!(
            "{}: written anew up to byte {} after a failed sync; what came behind was never acknowledged",
            layout.segment(place.segment).display(),
            place.offset
        ),
    });
    Ok(())
}

/// Whether the index has the keys that the records of the stream `system` give. An index that was changed to enrol a key, or to
/// forget that one was revoked, must not decide who may sign.
pub(super) fn keys_fit(layout: &Layout, connection: &Connection) -> Result<bool, LedgerError> {
    let failed = |e| index::failure(&layout.index(), &e);
    let mut keys = index::Keys::new();
    let mut prev = None;
    for (seq, entry) in index::stream(connection, SYSTEM_STREAM)
        .map_err(failed)?
        .iter()
        .enumerate()
    {
        // An index that names another place than a record's has to go; if it was the journal, building it again will tell.
        let record = match journal::read_record(layout, entry.place) {
            Err(LedgerError::Corrupt { .. }) => return Ok(false),
            other => other?,
        };
        let digest = record.envelope.statement_digest();
        let Ok(statement) = Statement::parse(record.envelope.payload()) else {
            return Ok(false);
        };
        let place = (statement.stream.as_str(), statement.seq, statement.prev);
        if place != (SYSTEM_STREAM, seq as u64, prev) || digest != entry.digest {
            return Ok(false);
        }
        prev = Some(digest);
        if statement.kind == key_event::KIND {
            let Ok(event) = KeyEvent::from_body(&statement.body) else {
                return Ok(false);
            };
            index::learn(&mut keys, entry.index, &event);
        }
    }
    Ok(index::keys(connection).map_err(failed)? == keys)
}

/// Empties an index whose keys are not those of the journal, and reads the journal anew.
pub(super) fn mend_keys(
    layout: &Layout,
    connection: &Connection,
    known: Known<'_>,
) -> Result<Option<Caught>, LedgerError> {
    if keys_fit(layout, connection)? {
        return Ok(None);
    }
    index::clear(connection).map_err(|e| index::failure(&layout.index(), &e))?;
    catch_up(layout, connection, known).map(Some)
}

/// Returns a connection to an index that fits the journal: the one on disk if it does, else one in memory.
pub(super) fn open_to_read(
    layout: &Layout,
    vkey: &Vkey,
    notices: &Notices,
) -> Result<Connection, LedgerError> {
    // What is published was acknowledged before, and what is acknowledged was in the journal before.
    let seen = read_seen(layout, vkey)?;
    let acknowledged = read_lock(layout, vkey)?.map(|(checkpoint, _)| checkpoint);
    let known = Known {
        acknowledged: acknowledged.as_ref(),
        seen: &seen,
    };
    let connection = fitting_index(layout, known, notices)?;
    // Behind what is acknowledged lies one batch at most, or the lock is an older copy; unless a writer has gone on.
    let mut acknowledged = acknowledged.map_or(0, |checkpoint| checkpoint.size);
    loop {
        let state = index::load(&connection).map_err(|e| index::failure(&layout.index(), &e))?;
        if state.frontier.size() <= acknowledged {
            return Ok(connection);
        }
        let Err(older) = unacknowledged(layout, &connection, &state, acknowledged) else {
            return Ok(connection);
        };
        let now = read_lock(layout, vkey)?.map_or(0, |(checkpoint, _)| checkpoint.size);
        if now <= acknowledged {
            return Err(older);
        }
        acknowledged = now;
    }
}

/// The index on disk if it fits the journal, else one in memory.
fn fitting_index(
    layout: &Layout,
    known: Known<'_>,
    notices: &Notices,
) -> Result<Connection, LedgerError> {
    // A writer commits the index a moment after the lock; to wait for it is cheaper than to build another.
    for _ in 0..INDEX_WAITS {
        let Ok(connection) = index::open_reader(&layout.disk().index(&layout.index())) else {
            break;
        };
        let Ok(state) = index::load(&connection) else {
            break;
        };
        if is_behind(layout, &state)? {
            std::thread::sleep(std::time::Duration::from_millis(2));
            continue;
        }
        // Twice, because a writer may enrol a key between two looks.
        let fits = || -> Result<bool, LedgerError> {
            Ok(keys_fit(layout, &connection)? || keys_fit(layout, &connection)?)
        };
        if compare(layout, &connection, &state, known).is_ok() && fits()? {
            return Ok(connection);
        }
        break;
    }
    let path = layout.index();
    let connection = index::in_memory().map_err(|e| index::failure(&path, &e))?;
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(|e| index::failure(&path, &e))
    };
    run("BEGIN")?;
    let caught = catch_up(layout, &connection, known)?;
    run("COMMIT")?;
    if let Some((place, bytes)) = caught.torn {
        lock(notices).push(Notice {
            reason: Reason::LedgerTailCut,
            text: format!(
                "{}: {bytes} bytes of an unfinished append are passed over; the next writer cuts them",
                layout.segment(place.segment).display()
            ),
        });
    }
    Ok(connection)
}

const INDEX_WAITS: u32 = 25;

/// Reads and verifies the acknowledged checkpoint without the right to write it.
pub(super) fn read_lock(layout: &Layout, vkey: &Vkey) -> Result<Option<Signed>, LedgerError> {
    let path = layout.checkpoint_lock();
    let note = SqliteLock::peek(&path)?;
    note.map(|note| open_note(note, vkey, &path)).transpose()
}

fn is_behind(layout: &Layout, state: &State) -> Result<bool, LedgerError> {
    let Some(frames) = Frames::open(layout, state.place)? else {
        return Ok(true);
    };
    let next = Place {
        segment: state.place.segment + 1,
        offset: 0,
    };
    Ok(frames.length() != state.place.offset || Frames::open(layout, next)?.is_some())
}
