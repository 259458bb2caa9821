//! The write path. One at a time, over all threads and processes: catch up, number, link, sign, write, sync, read back,
//! compute the root twice, sign the checkpoint, swap it into the lock; only then acknowledge.

use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::{CONTROLLER, Checkpoint, KeyEvent, KeyId, Statement, Tool, Vkey, leaf};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::checkpoint_lock::CheckpointLock;
use super::disk::{self, Exclusive, Held, Layout};
use super::error::LedgerError;
use super::frame::{self, Frame, HEADER, Header};
use super::index::{self, State, Tiles};
use super::journal::{self, Place, Tail};
use super::keys::{self, Keys};
use super::numbering::Context;
use super::queue::{Job, Outcome};
use super::record::Draft;
use super::recover::{self, Known, Notices, Seen, Signed};
use super::{Founding, Notice, OnSyncFailure, lock};

pub(super) struct Sequencer {
    layout: Layout,
    append_lock: Box<dyn Exclusive>,
    checkpoint_lock: Box<dyn CheckpointLock>,
    index: Connection,
    keys: Keys,
    tool: Tool,
    notices: Notices,
    on_sync_failure: OnSyncFailure,
    /// Set by a failed sync; nothing is acknowledged after it.
    ended: Option<LedgerError>,
    /// The newest acknowledged checkpoint that was verified, so that an unchanged one is not verified again.
    known: Option<Signed>,
    /// What others had seen of the log when it was opened.
    seen: Vec<Seen>,
    /// Whether the index was found to have the journal's keys.
    keys_fit: bool,
}

impl Sequencer {
    pub(super) fn open(
        layout: &Layout,
        founding: Founding<'_>,
        on_sync_failure: OnSyncFailure,
        notices: Notices,
    ) -> Result<Self, LedgerError> {
        layout.make_dir(&layout.journal(), 0o755)?;
        let path = layout.lock();
        let append_lock = layout
            .disk()
            .exclusive(&path)
            .map_err(|e| LedgerError::io("open", &path, &e))?;
        let held = Held::take(&*append_lock, &path)?;
        disk::sweep(&layout.places_of_temporaries(), founding.time, disk::LEFT);
        let mut checkpoint_lock = layout.disk().checkpoint_lock(&layout.checkpoint_lock())?;
        let acknowledged = checkpoint_lock.read()?;
        let keys = keys::load_or_make(layout, founding.origin, acknowledged.as_deref())?;
        let index = index::open_writer(&layout.disk().index(&layout.index()))?;
        let seen = recover::read_seen(layout, keys.log.vkey())?;
        drop(held);
        let mut sequencer = Self {
            layout: layout.clone(),
            append_lock,
            checkpoint_lock,
            index,
            keys,
            tool: Tool {
                name: "gonogo".into(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            notices,
            on_sync_failure,
            ended: None,
            known: None,
            seen,
            keys_fit: false,
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

    /// Signs a checkpoint of a tree that the log has.
    pub(super) fn sign(&self, checkpoint: &Checkpoint) -> String {
        checkpoint.sign(&self.keys.log)
    }

    /// Signs with the controller's next key from now on.
    pub(super) fn take_controller(&mut self) -> Result<(), LedgerError> {
        self.keys.controller = std::sync::Arc::new(keys::take_next_controller(&self.layout)?);
        Ok(())
    }

    /// Limits the index to so many pages, or to none.
    #[cfg(test)]
    pub(super) fn limit_index(&self, pages: Option<i64>) {
        let pages = pages.unwrap_or(1 << 30);
        self.index
            .pragma_update(None, "max_page_count", pages)
            .expect("a limit can be set");
    }

    /// Records the controller's key as leaf 0 of a new ledger. On a ledger that has it, this catches up and recovers.
    fn found(&mut self, founding: Founding<'_>) -> Result<(), LedgerError> {
        let event = KeyEvent::Enrol {
            key: *self.keys.controller.public(),
            who: founding.actor.to_owned(),
            role: CONTROLLER.to_owned(),
        };
        self.with_batch(|sequencer, change, batch| {
            if batch.state.frontier.size() == 0 {
                let draft = key_event_draft(&event, founding);
                sequencer.call(change, batch, Job::of(vec![draft], None))?;
            }
            Ok(())
        })
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
        let _held = Held::take(&*self.append_lock, &lock_path)?;
        let index_path = self.layout.index();
        let failed = |e: rusqlite::Error| index::failure(&index_path, &e);
        let lock_file = self.layout.checkpoint_lock();
        let vkey = self.keys.log.vkey();
        refresh(
            &mut *self.checkpoint_lock,
            &lock_file,
            vkey,
            &mut self.known,
        )?;
        let covered = self.known.as_ref().map_or(0, |(known, _)| known.size);
        recover::mend_suspect(&self.layout, covered, &self.notices)?;
        let mut change = self
            .index
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        let known = Known {
            acknowledged: self.known.as_ref().map(|(checkpoint, _)| checkpoint),
            seen: &self.seen,
        };
        let mut caught = recover::catch_up(&self.layout, &change, known)?;
        if !self.keys_fit {
            if let Some(anew) = recover::mend_keys(&self.layout, &change, known)? {
                caught = anew;
            }
            self.keys_fit = true;
        }
        if let Some(torn) = caught.torn {
            recover::cut(&self.layout, torn, &self.notices)?;
        }
        let mut swap = |known: &mut Option<Signed>, frontier: &Frontier| {
            let signed = Checkpoint {
                origin: vkey.name().to_owned(),
                size: frontier.size(),
                root: frontier.root(),
            };
            let note = signed.sign(&self.keys.log);
            let old = known.as_ref().map(|(_, note)| note.as_str());
            if !self.checkpoint_lock.swap(old, &note)? {
                return Err(LedgerError::RolledBack {
                    path: lock_file.clone(),
                    text: "somebody else acknowledged records of another copy of this ledger"
                        .into(),
                });
            }
            *known = Some((signed, note));
            Ok(())
        };
        if caught.state.frontier.size() > covered {
            // Whole on disk, and its writer died before it could say so. A failed sync may have been the reason: what the
            // system reads from its memory may not be on the disk.
            recover::unacknowledged(&self.layout, &change, &caught.state, covered)?;
            journal::rewrite(&self.layout, caught.state.place)?;
            swap(&mut self.known, &caught.state.frontier)?;
        }
        let context = Context {
            layout: &self.layout,
            keys: &self.keys,
            tool: &self.tool,
        };
        let mut batch = Batch::begin(
            self.layout.disk().segment_limit(),
            caught.state,
            self.known.as_ref().map(|(_, note)| note.as_str()),
        );
        let value = fill(&context, &mut change, &mut batch)?;
        if change.is_autocommit() {
            // SQLite rolls back by itself when the disk is full; what came after that was not part of a transaction.
            return Err(index::failure(&index_path, &disk_full()));
        }
        if batch.records == 0 {
            change.commit().map_err(failed)?;
            return Ok(value);
        }
        let tail = batch.write(&self.layout)?;
        let root = merkle::tree_root(&mut Tiles::new(&change), batch.state.frontier.size())
            .and_then(|root| index::save(&change, &batch.state).map(|()| root))
            .map_err(failed);
        let done = root.and_then(|root| {
            if root != batch.state.frontier.root() {
                let text = "the tiles give another root than the records";
                return Err(LedgerError::corrupt(&index_path, text));
            }
            swap(&mut self.known, &batch.state.frontier)
        });
        if let Err(e) = done {
            // After a failed sync of the lock it may hold the new checkpoint or the old one. The records stay, so that the next
            // start finds what fits either.
            if !e.is_fatal() {
                tail.cut();
            }
            return Err(e);
        }
        // From here on the records count. An index that cannot be saved is caught up later.
        if let Err(e) = change.commit() {
            lock(&self.notices).push(Notice {
                reason: index::failure(&index_path, &e).reason(),
                text: format!("{}: is behind: {e}", index_path.display()),
            });
        }
        Ok(value)
    }
}

/// Reads the acknowledged checkpoint; verifies it unless it is the one that is known. It may never go back.
fn refresh(
    checkpoint_lock: &mut dyn CheckpointLock,
    path: &std::path::Path,
    vkey: &Vkey,
    known: &mut Option<Signed>,
) -> Result<(), LedgerError> {
    let found = checkpoint_lock.read()?;
    if found.as_deref() == known.as_ref().map(|(_, note)| note.as_str()) {
        return Ok(());
    }
    let fresh = found
        .map(|note| recover::open_note(note, vkey, path))
        .transpose()?;
    let size = |signed: &Option<Signed>| signed.as_ref().map_or(0, |(c, _)| c.size);
    if size(&fresh) <= size(known) {
        return Err(LedgerError::RolledBack {
            path: path.to_owned(),
            text: format!(
                "it acknowledges {} records, and acknowledged {} before",
                size(&fresh),
                size(known)
            ),
        });
    }
    *known = fresh;
    Ok(())
}

pub(super) fn disk_full() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
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
    fn begin(limit: u64, mut state: State, checkpoint: Option<&str>) -> Self {
        if state.place.offset >= limit {
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
    fn write(&self, layout: &Layout) -> Result<Tail, LedgerError> {
        let tail = Tail::open(layout, self.place)?;
        tail.write(&self.bytes)?;
        if let Err(e) = tail.sync() {
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
