//! Bringing an index up to date with the journal, and judging the journal's end after a crash.
//!
//! The journal is compared with the signed checkpoint: fewer records than it says, or another root, is damage. Behind what
//! it covers, an append call that is not whole was never acknowledged: it is cut (by a writer, under the lock) or passed
//! over (by a reader).

use std::sync::{Arc, Mutex};

use gonogo_core::Reason;
use gonogo_ledger::{Checkpoint, Statement, Vkey, leaf, merkle};
use rusqlite::Connection;

use super::disk::{self, Layout};
use super::error::LedgerError;
use super::frame::{Frame, RecordFrame};
use super::index::{self, Insert, State, Tiles};
use super::journal::{self, Frames, Next, Place};
use super::{Notice, lock};

pub(super) type Notices = Arc<Mutex<Vec<Notice>>>;

/// Reads and verifies the checkpoint file; `None` if there is none yet, or if a power failure left it empty.
pub(super) fn read_checkpoint(
    layout: &Layout,
    vkey: &Vkey,
) -> Result<Option<(Checkpoint, String)>, LedgerError> {
    let path = layout.checkpoint();
    match disk::read_small(&path)? {
        None => Ok(None),
        Some(note) if note.is_empty() => Ok(None),
        Some(note) => Checkpoint::open(&note, vkey)
            .map(|checkpoint| Some((checkpoint, note)))
            .map_err(|e| LedgerError::corrupt(&path, e.to_string())),
    }
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
    checkpoint: Option<&Checkpoint>,
) -> Result<Caught, LedgerError> {
    let path = layout.index();
    let load = || index::load(connection).map_err(|e| index::failure(&path, &e));
    let state = load()?;
    let new = state.place == Place::START;
    if !is_ahead(layout, &state)? {
        match read_on(layout, connection, state, checkpoint) {
            Err(LedgerError::Corrupt { .. } | LedgerError::Index { .. }) if !new => {}
            other => return other,
        }
    }
    index::clear(connection).map_err(|e| index::failure(&path, &e))?;
    read_on(layout, connection, load()?, checkpoint)
}

fn read_on(
    layout: &Layout,
    connection: &Connection,
    state: State,
    checkpoint: Option<&Checkpoint>,
) -> Result<Caught, LedgerError> {
    let caught = Catcher {
        layout,
        connection,
        state,
        moved: false,
    }
    .run(checkpoint)?;
    if caught.moved {
        index::save(connection, &caught.state).map_err(|e| index::failure(&layout.index(), &e))?;
    }
    compare(layout, connection, &caught.state, checkpoint)?;
    Ok(caught)
}

fn is_ahead(layout: &Layout, state: &State) -> Result<bool, LedgerError> {
    if state.place == Place::START {
        return Ok(false);
    }
    let frames = Frames::open(layout, state.place)?;
    Ok(frames.is_none_or(|f| f.length() < state.place.offset))
}

/// The journal must reach as far as the checkpoint and have its root there.
fn compare(
    layout: &Layout,
    connection: &Connection,
    state: &State,
    checkpoint: Option<&Checkpoint>,
) -> Result<(), LedgerError> {
    let size = state.frontier.size();
    let Some(checkpoint) = checkpoint else {
        // A new ledger has one record before its first checkpoint is durable. A power failure may leave an empty file.
        if size > 1 && !layout.checkpoint().exists() {
            return Err(LedgerError::corrupt(&layout.checkpoint(), "it is missing"));
        }
        return Ok(());
    };
    if size < checkpoint.size {
        return Err(LedgerError::corrupt(
            &layout.journal(),
            format!(
                "it holds {size} good records, the checkpoint acknowledged {}",
                checkpoint.size
            ),
        ));
    }
    let root = if size == checkpoint.size {
        state.frontier.root()
    } else {
        merkle::tree_root(&mut Tiles::new(connection), checkpoint.size)
            .map_err(|e| index::failure(&layout.index(), &e))?
    };
    if root != checkpoint.root {
        return Err(LedgerError::corrupt(
            &layout.journal(),
            format!(
                "its first {} records do not have the root that the checkpoint signs",
                checkpoint.size
            ),
        ));
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
        let mut lines = note.lines().skip(1);
        let size = lines.next().and_then(|s| s.parse().ok());
        let expected = Checkpoint {
            origin: String::new(),
            size: self.state.frontier.size(),
            root: self.state.frontier.root(),
        };
        size == Some(expected.size) && lines.next() == Some(expected.root_base64().as_str())
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
    let _ = disk::write_durably(&layout.suspect(), text.as_bytes(), 0o644);
    let _ = journal::truncate(layout, place);
}

/// After a failed sync the cached pages of a segment may be better than the disk. So what was acknowledged is copied into
/// a new file, which is synced and takes the segment's name. Only under the append lock.
pub(super) fn mend_suspect(layout: &Layout, notices: &Notices) -> Result<(), LedgerError> {
    let path = layout.suspect();
    let Some(text) = disk::read_small(&path)? else {
        return Ok(());
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
    journal::rewrite(layout, place)?;
    std::fs::remove_file(&path).map_err(|e| LedgerError::io("remove", &path, &e))?;
    disk::sync_dir(&layout.ledger())?;
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

/// Returns a connection to an index that fits the journal: the one on disk if it does, else one in memory.
pub(super) fn open_to_read(
    layout: &Layout,
    vkey: &Vkey,
    notices: &Notices,
) -> Result<Connection, LedgerError> {
    let checkpoint = read_checkpoint(layout, vkey)?.map(|(checkpoint, _)| checkpoint);
    if let Ok(connection) = index::open_reader(&layout.index())
        && let Ok(state) = index::load(&connection)
        && !is_behind(layout, &state)?
        && compare(layout, &connection, &state, checkpoint.as_ref()).is_ok()
    {
        return Ok(connection);
    }
    let path = layout.index();
    let connection = index::in_memory().map_err(|e| index::failure(&path, &e))?;
    let run = |sql: &str| {
        connection
            .execute_batch(sql)
            .map_err(|e| index::failure(&path, &e))
    };
    run("BEGIN")?;
    let caught = catch_up(layout, &connection, checkpoint.as_ref())?;
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
