//! The write path. One at a time, over all threads and processes: catch up, number, link, sign, write, sync, read back,
//! compare, sign the checkpoint; only then acknowledge.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use gonogo_ledger::merkle::Frontier;
use gonogo_ledger::{CONTROLLER, Checkpoint, KeyEvent, KeyId, Statement, Tool, Vkey, leaf};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::disk::{self, AppendLock, Fresh, Layout};
use super::error::LedgerError;
use super::frame::{self, Frame, HEADER, Header};
use super::index::{self, State};
use super::journal::{Place, SEGMENT_LIMIT, Tail};
use super::keys::{self, Keys};
use super::numbering::Context;
use super::queue::{Job, Outcome};
use super::record::Draft;
use super::recover::{self, Notices};
use super::{Founding, OnSyncFailure};

pub(super) struct Sequencer {
    layout: Layout,
    lock: File,
    index: Connection,
    keys: Keys,
    tool: Tool,
    notices: Notices,
    on_sync_failure: OnSyncFailure,
    /// Makes the journal durable. A field so that tests can let it fail.
    sync: fn(&File) -> io::Result<()>,
    /// Set by a failed sync; nothing is acknowledged after it.
    ended: Option<LedgerError>,
    /// The newest checkpoint that was verified, so that an unchanged file is not verified again.
    known: Option<(Checkpoint, String)>,
}

impl Sequencer {
    pub(super) fn open(
        layout: &Layout,
        founding: Founding<'_>,
        on_sync_failure: OnSyncFailure,
        notices: Notices,
    ) -> Result<Self, LedgerError> {
        disk::make_dir(&layout.journal(), 0o755)?;
        let path = layout.lock();
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o644)
            .open(&path)
            .map_err(|e| LedgerError::io("open", &path, &e))?;
        let held = AppendLock::take(&lock, &path)?;
        let keys = keys::load_or_make(layout, founding.origin)?;
        let index = index::open_writer(&layout.index())?;
        drop(held);
        let mut sequencer = Self {
            layout: layout.clone(),
            lock,
            index,
            keys,
            tool: Tool {
                name: "gonogo".into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            notices,
            on_sync_failure,
            sync: File::sync_data,
            ended: None,
            known: None,
        };
        sequencer.found(founding)?;
        Ok(sequencer)
    }

    pub(super) const fn vkey(&self) -> &Vkey {
        self.keys.log.vkey()
    }

    pub(super) fn controller(&self) -> KeyId {
        self.keys.controller.public().id()
    }

    #[cfg(test)]
    pub(super) fn fail_syncs(&mut self, sync: fn(&File) -> io::Result<()>) {
        self.sync = sync;
    }

    /// Limits the index to so many pages, or to none.
    #[cfg(test)]
    pub(super) fn limit_index(&self, pages: Option<i64>) {
        let pages = pages.unwrap_or(1 << 30);
        self.index
            .pragma_update(None, "max_page_count", pages)
            .expect("a limit can be set");
    }

    /// Records the controller's key as leaf 0 of a new ledger, and makes the first checkpoint durable: from then on a
    /// missing checkpoint means damage. On a ledger that has it, this catches up and recovers.
    fn found(&mut self, founding: Founding<'_>) -> Result<(), LedgerError> {
        let event = KeyEvent::Enrol {
            key: *self.keys.controller.public(),
            who: founding.actor.to_owned(),
            role: CONTROLLER.to_owned(),
        };
        let first = self.with_batch(|sequencer, change, batch| {
            if batch.state.frontier.size() > 0 {
                return Ok(false);
            }
            let draft = key_event_draft(&event, founding);
            sequencer.call(change, batch, Job::Drafts(vec![draft]))?;
            Ok(true)
        })?;
        if first || fs::metadata(self.layout.checkpoint()).map_or(true, |m| m.len() == 0) {
            let (_, note) = self.known.clone().ok_or_else(|| {
                LedgerError::corrupt(&self.layout.checkpoint(), "there is none after founding")
            })?;
            disk::write_durably(&self.layout.checkpoint(), note.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Makes a batch of calls durable. Each call's outcome stands alone, unless the batch as a whole fails.
    pub(super) fn commit(&mut self, jobs: Vec<Job>) -> Vec<Outcome> {
        let count = jobs.len();
        let done = self.with_batch(|sequencer, change, batch| {
            Ok(jobs
                .into_iter()
                .map(|job| sequencer.call(change, batch, job))
                .collect())
        });
        done.unwrap_or_else(|error| vec![Err(error); count])
    }

    fn with_batch<T>(
        &mut self,
        fill: impl FnOnce(&Context<'_>, &mut Transaction<'_>, &mut Batch) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        let outcome = self.try_batch(fill);
        if let Err(error) = &outcome
            && error.is_fatal()
        {
            self.end(error);
        }
        outcome
    }

    /// After a failed sync: ends the process, or at least acknowledges nothing any more.
    pub(super) fn end(&mut self, error: &LedgerError) {
        self.ended = Some(error.clone());
        (self.on_sync_failure)(error);
    }

    fn try_batch<T>(
        &mut self,
        fill: impl FnOnce(&Context<'_>, &mut Transaction<'_>, &mut Batch) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let lock_path = self.layout.lock();
        let _held = AppendLock::take(&self.lock, &lock_path)?;
        recover::mend_suspect(&self.layout, &self.notices)?;
        let index_path = self.layout.index();
        let failed = |e: rusqlite::Error| index::failure(&index_path, &e);
        read_known(&self.layout, self.keys.log.vkey(), &mut self.known)?;
        let checkpoint = self.known.as_ref().map(|(checkpoint, _)| checkpoint);
        let mut change = self
            .index
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let caught = recover::catch_up(&self.layout, &change, checkpoint)?;
        if let Some(torn) = caught.torn {
            recover::cut(&self.layout, torn, &self.notices)?;
        }
        let covered = checkpoint.map_or(0, |c| c.size);
        let context = Context {
            layout: &self.layout,
            keys: &self.keys,
            tool: &self.tool,
        };
        let mut batch = Batch::begin(
            caught.state,
            self.known.as_ref().map(|(_, note)| note.as_str()),
        );
        let value = fill(&context, &mut change, &mut batch)?;
        if change.is_autocommit() {
            // SQLite rolls back by itself when the disk is full; what came after that was not part of a transaction.
            return Err(index::failure(&index_path, &disk_full()));
        }
        let size = batch.state.frontier.size();
        let written = if batch.records > 0 {
            Some(batch.write(&self.layout, self.sync)?)
        } else {
            None
        };
        let taken_back = |e| {
            if let Some(tail) = &written {
                tail.cut();
            }
            e
        };
        let fresh = if size > covered {
            let signed = Checkpoint {
                origin: self.keys.log.vkey().name().to_owned(),
                size,
                root: batch.state.frontier.root(),
            };
            let note = signed.sign(&self.keys.log);
            let mut file = Fresh::create(&self.layout.ledger(), 0o644).map_err(taken_back)?;
            file.write(note.as_bytes()).map_err(taken_back)?;
            Some((file, (signed, note)))
        } else {
            None
        };
        if batch.records > 0 {
            index::save(&change, &batch.state)
                .map_err(failed)
                .map_err(taken_back)?;
        }
        change.commit().map_err(failed).map_err(taken_back)?;
        if let Some((file, known)) = fresh {
            file.publish(&self.layout.checkpoint())?;
            self.known = Some(known);
        }
        Ok(value)
    }
}

pub(super) fn disk_full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// Reads the checkpoint file unless it is the one that is known.
fn read_known(
    layout: &Layout,
    vkey: &Vkey,
    known: &mut Option<(Checkpoint, String)>,
) -> Result<(), LedgerError> {
    let found = disk::read_small(&layout.checkpoint())?;
    let same = match (&found, &known) {
        (Some(note), Some((_, last))) => note == last,
        _ => false,
    };
    if !same {
        *known = recover::read_checkpoint(layout, vkey)?;
    }
    Ok(())
}

fn key_event_draft(event: &KeyEvent, founding: Founding<'_>) -> Draft {
    super::read::key_event_draft(event, founding.actor, founding.time)
}

/// Records that are numbered and signed but not yet written.
pub(super) struct Batch {
    /// The state after the batch.
    pub(super) state: State,
    /// The tree before the batch: what its records say they have seen.
    pub(super) before: Frontier,
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
    /// For look-ups of records that are not in the journal yet.
    pub(super) fresh: Vec<(u64, Statement)>,
}

impl Batch {
    fn begin(mut state: State, checkpoint: Option<&str>) -> Self {
        if state.place.offset >= SEGMENT_LIMIT {
            state.place = Place {
                segment: state.place.segment + 1,
                offset: 0,
            };
        }
        let mut bytes = Vec::new();
        let place = state.place;
        // Only a checkpoint of exactly the tree before this batch says something about it.
        if let Some(note) = checkpoint {
            let size = note.lines().nth(1).and_then(|s| s.parse().ok());
            if size == Some(state.frontier.size()) {
                state.place.offset += frame::push_checkpoint(&mut bytes, note) as u64;
            }
        }
        Self {
            before: state.frontier.clone(),
            state,
            place,
            bytes,
            records: 0,
            fresh: Vec::new(),
        }
    }

    /// Writes, syncs, reads back and compares.
    fn write(
        &self,
        layout: &Layout,
        sync: fn(&File) -> io::Result<()>,
    ) -> Result<Tail, LedgerError> {
        let tail = Tail::open(layout, self.place)?;
        tail.write(&self.bytes)?;
        if let Err(e) = tail.sync(sync) {
            recover::mark_suspect(layout, self.place);
            return Err(e);
        }
        if let Err(e) = self.compare(&tail) {
            tail.cut();
            return Err(e);
        }
        Ok(tail)
    }

    /// Computes leaves and root again, from what the journal gives back.
    fn compare(&self, tail: &Tail) -> Result<(), LedgerError> {
        let back = tail.read_back(self.bytes.len())?;
        let differs = || {
            LedgerError::corrupt(
                tail.path(),
                format!(
                    "the bytes read back at {} are not the bytes written",
                    self.place.offset
                ),
            )
        };
        let mut frontier = self.before.clone();
        let mut rest = &back[..];
        while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
            let header = Header::read(header).ok_or_else(differs)?;
            let body = after.get(..header.body_length()).ok_or_else(differs)?;
            if let Frame::Record(record) = header.decode(body).ok_or_else(differs)? {
                frontier.push(leaf::hash(&record.envelope, &record.signer));
            }
            rest = &after[header.body_length()..];
        }
        if rest.is_empty() && frontier == self.state.frontier {
            Ok(())
        } else {
            Err(differs())
        }
    }
}
