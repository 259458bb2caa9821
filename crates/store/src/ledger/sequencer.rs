//! The write path. One at a time, over all threads and processes: catch up, number, link, sign, write, sync, read back,
//! compare, sign the checkpoint; only then acknowledge.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use gonogo_core::{Digest, canonical};
use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::{
    CONTROLLER, Checkpoint, Envelope, KeyEvent, KeyId, PublicKey, SYSTEM_STREAM, Seen, SigningKey,
    Statement, Subject, Tool, Vkey, key_event, leaf,
};
use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use serde_json::json;

use super::disk::{self, AppendLock, Fresh, Layout};
use super::error::LedgerError;
use super::frame::{self, Frame, HEADER, Header};
use super::index::{self, Insert, State, Tiles};
use super::journal::{self, Place, SEGMENT_LIMIT, Tail};
use super::keys::{self, Keys};
use super::queue::{Job, Outcome};
use super::record::{Draft, Receipt};
use super::recover::{self, Notices};
use super::{Founding, OnSyncFailure};

/// At most so many records in one append call.
const CALL: usize = 1024;

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

fn disk_full() -> rusqlite::Error {
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

/// What numbering and signing need, apart from the batch.
pub(super) struct Context<'a> {
    layout: &'a Layout,
    keys: &'a Keys,
    tool: &'a Tool,
}

/// Records that are numbered and signed but not yet written.
pub(super) struct Batch {
    /// The state after the batch.
    state: State,
    /// The tree before the batch: what its records say they have seen.
    before: Frontier,
    place: Place,
    bytes: Vec<u8>,
    records: u64,
    /// For look-ups of records that are not in the journal yet.
    fresh: Vec<(u64, Statement)>,
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

impl Context<'_> {
    /// Numbers, links, signs and indexes one append call; leaves no trace of it if any record is refused.
    fn call(&self, change: &mut Transaction<'_>, batch: &mut Batch, job: Job) -> Outcome {
        let failed = |e: rusqlite::Error| index::failure(&self.layout.index(), &e);
        if change.is_autocommit() {
            return Err(failed(disk_full()));
        }
        let savepoint = change.savepoint().map_err(failed)?;
        let mark = (
            batch.state.clone(),
            batch.bytes.len(),
            batch.records,
            batch.fresh.len(),
        );
        match self.records(&savepoint, batch, job) {
            Ok(receipts) => {
                savepoint.commit().map_err(failed)?;
                Ok(receipts)
            }
            Err(e) => {
                drop(savepoint);
                batch.state = mark.0;
                batch.bytes.truncate(mark.1);
                batch.records = mark.2;
                batch.fresh.truncate(mark.3);
                Err(e)
            }
        }
    }

    fn records(&self, change: &Savepoint<'_>, batch: &mut Batch, job: Job) -> Outcome {
        let drafts = match job {
            Job::Signed(envelope) => return Ok(vec![self.signed(change, batch, *envelope)?]),
            Job::Drafts(drafts) => drafts,
        };
        if drafts.len() > CALL {
            return Err(refused(
                &drafts[0].stream,
                format!("more than {CALL} records in one call"),
            ));
        }
        let mut receipts = Vec::with_capacity(drafts.len());
        let mut sealed = Vec::new();
        for draft in drafts {
            let signer = draft.signer.clone();
            let statement = self.statement(change, &batch.before, draft)?;
            if let Some(known) = self.known(change, batch, &statement)? {
                receipts.push(known);
                continue;
            }
            let key: &Arc<SigningKey> = signer.as_ref().unwrap_or(&self.keys.controller);
            self.admit(change, batch, &statement, key.public())?;
            let envelope = Envelope::sign(statement.to_bytes()?, key)?;
            receipts.push(self.index(change, batch, *key.public(), &envelope, statement)?);
            sealed.push((*key.public(), envelope));
        }
        // Offsets were given without knowing how many records follow; the count has a fixed width, so they hold.
        let count = sealed.len();
        for (n, (key, envelope)) in sealed.iter().enumerate() {
            let following =
                u16::try_from(count - 1 - n).expect("invariant: a call has at most CALL records");
            frame::push_record(&mut batch.bytes, following, key, &envelope.to_bytes());
        }
        Ok(receipts)
    }

    fn signed(
        &self,
        change: &Savepoint<'_>,
        batch: &mut Batch,
        envelope: Envelope,
    ) -> Result<Receipt, LedgerError> {
        let statement = Statement::parse(envelope.payload())?;
        if let Some(known) = self.known(change, batch, &statement)? {
            return Ok(known);
        }
        let failed = |e: rusqlite::Error| index::failure(&self.layout.index(), &e);
        let enrolled = index::enrolled(change, envelope.keyid()).map_err(failed)?;
        let key = enrolled.map(|e| e.key).ok_or_else(|| LedgerError::Signer {
            key: envelope.keyid().to_string(),
            text: "it is not enrolled".into(),
        })?;
        envelope.verify(&key)?;
        self.admit(change, batch, &statement, &key)?;
        let moved = |text: &str| LedgerError::Moved {
            stream: statement.stream.clone(),
            text: text.to_owned(),
        };
        let (seq, prev) = index::head(change, &statement.stream).map_err(failed)?;
        if (statement.seq, statement.prev) != (seq, prev) {
            return Err(moved(&format!("the stream's next record is number {seq}")));
        }
        let seen = statement.seen;
        if seen.size > batch.before.size() {
            return Err(moved(
                "it claims to have seen more of the log than there is",
            ));
        }
        let root = merkle::tree_root(&mut Tiles::new(change), seen.size).map_err(failed)?;
        if root != seen.root {
            return Err(moved("it has seen another log"));
        }
        let receipt = self.index(change, batch, key, &envelope, statement)?;
        frame::push_record(&mut batch.bytes, 0, &key, &envelope.to_bytes());
        Ok(receipt)
    }

    /// Makes a draft the next statement of its stream.
    fn statement(
        &self,
        change: &Connection,
        seen: &Frontier,
        draft: Draft,
    ) -> Result<Statement, LedgerError> {
        let (seq, prev) = index::head(change, &draft.stream)
            .map_err(|e| index::failure(&self.layout.index(), &e))?;
        Ok(next_statement(draft, (seq, prev), seen, self.tool))
    }

    /// Returns the receipt of the record that has this stream and key already.
    fn known(
        &self,
        change: &Connection,
        batch: &Batch,
        statement: &Statement,
    ) -> Result<Option<Receipt>, LedgerError> {
        let found = index::by_key(change, &statement.stream, &statement.key)
            .map_err(|e| index::failure(&self.layout.index(), &e))?;
        let Some(entry) = found else {
            return Ok(None);
        };
        let same = match batch.fresh.iter().find(|(index, _)| *index == entry.index) {
            Some((_, recorded)) => content(recorded)? == content(statement)?,
            None => {
                let record = journal::read_record(self.layout, entry.place)?;
                content(&Statement::parse(record.envelope.payload())?)? == content(statement)?
            }
        };
        if !same {
            return Err(LedgerError::KeyReused {
                stream: statement.stream.clone(),
                key: statement.key.clone(),
                index: entry.index,
            });
        }
        Ok(Some(Receipt {
            index: entry.index,
            seq: entry.seq,
            digest: entry.digest,
            leaf_hash: entry.leaf,
            fresh: false,
        }))
    }

    /// Refuses signers who may not sign this now, and key events that make no sense.
    fn admit(
        &self,
        change: &Connection,
        batch: &Batch,
        statement: &Statement,
        key: &PublicKey,
    ) -> Result<(), LedgerError> {
        let failed = |e: rusqlite::Error| index::failure(&self.layout.index(), &e);
        let founding = batch.state.frontier.size() == 0;
        let objection = match index::enrolled(change, key.id()).map_err(failed)? {
            Some(enrolled) => enrolled.objection(&statement.kind),
            None if founding => None,
            None => Some("it is not enrolled".into()),
        };
        if let Some(text) = objection {
            return Err(LedgerError::Signer {
                key: key.id().to_string(),
                text,
            });
        }
        if statement.kind != key_event::KIND {
            return Ok(());
        }
        if statement.stream != SYSTEM_STREAM {
            return Err(refused(
                &statement.stream,
                "key events belong into the stream `system`".into(),
            ));
        }
        let event = KeyEvent::from_body(&statement.body)?;
        let about = index::enrolled(change, event.key_id()).map_err(failed)?;
        let text = match (&event, about) {
            (KeyEvent::Enrol { .. }, Some(_)) => "the key was enrolled before",
            (KeyEvent::Revoke { .. }, None) => "the key was never enrolled",
            (KeyEvent::Revoke { .. }, Some(about)) if about.revoked.is_some() => {
                "the key was revoked before"
            }
            (KeyEvent::Revoke { key, .. }, Some(_))
                if *key == self.keys.controller.public().id() =>
            {
                "the controller's own key cannot be revoked with itself"
            }
            _ => return Ok(()),
        };
        Err(refused(&statement.stream, text.into()))
    }

    /// Gives a signed record its leaf and its place, which is right behind what the batch holds.
    fn index(
        &self,
        change: &Connection,
        batch: &mut Batch,
        key: PublicKey,
        envelope: &Envelope,
        statement: Statement,
    ) -> Result<Receipt, LedgerError> {
        let (digest, leaf) = (envelope.statement_digest(), leaf::hash(envelope, &key));
        let row = Insert {
            place: batch.state.place,
            statement: &statement,
            digest,
            leaf,
            signer: key.id(),
        };
        let index = index::insert(change, &mut batch.state.frontier, &row)
            .map_err(|e| index::failure(&self.layout.index(), &e))?;
        let length = frame::record_length(envelope);
        batch.state.place.offset += length as u64;
        batch.state.newest = batch.state.newest.max(statement.time);
        batch.records += 1;
        let seq = statement.seq;
        batch.fresh.push((index, statement));
        Ok(Receipt {
            index,
            seq,
            digest,
            leaf_hash: leaf,
            fresh: true,
        })
    }
}

/// The statement that a draft becomes behind `head`.
pub(super) fn next_statement(
    draft: Draft,
    (seq, prev): (u64, Option<Digest>),
    seen: &Frontier,
    tool: &Tool,
) -> Statement {
    let mut subject = draft.subject;
    if subject.is_empty() {
        subject.push(Subject {
            digest: Digest::of(draft.stream.as_bytes()),
            name: draft.stream.clone(),
        });
    }
    Statement {
        kind: draft.kind,
        subject,
        stream: draft.stream,
        seq,
        prev,
        key: draft.key,
        time: draft.time,
        actor: draft.actor,
        tool: tool.clone(),
        seen: Seen {
            size: seen.size(),
            root: seen.root(),
        },
        body: draft.body,
    }
}

fn refused(stream: &str, text: String) -> LedgerError {
    LedgerError::Refused {
        stream: stream.to_owned(),
        text,
    }
}

/// What must be the same for two records to be the same: kind, subject and body, not time, actor or tool.
fn content(statement: &Statement) -> Result<Vec<u8>, LedgerError> {
    let subject: Vec<_> = statement
        .subject
        .iter()
        .map(|s| json!([s.name, s.digest]))
        .collect();
    canonical::to_vec(&json!([statement.kind, subject, statement.body]))
        .map_err(|e| refused(&statement.stream, e.to_string()))
}
