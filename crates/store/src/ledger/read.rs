//! Reading the ledger, preparing statements for other signers, and keys.

use gonogo_core::{Digest, Timestamp};
use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::{
    Checkpoint, KeyEvent, KeyId, PublicKey, SYSTEM_STREAM, Statement, Tool, key_event,
};
use rusqlite::{OptionalExtension, params};

use super::error::LedgerError;
use super::index::{self, Entry, Sql};
use super::journal;
use super::record::{Draft, Filter, Receipt, RecordView};
use super::{Ledger, frame, lock, numbering, recover, trace};

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;
const PAGE_BYTES: usize = 16 << 20;

impl Ledger {
    /// Returns every record that matches, ascending by index, read page by page; all of them are held at once. `filter.limit` says nothing here.
    ///
    /// # Errors
    /// As [`Self::records`].
    pub fn every(&self, filter: Filter) -> Result<Vec<RecordView>, LedgerError> {
        let mut filter = Filter {
            limit: LARGEST_PAGE,
            ..filter
        };
        let mut all = Vec::new();
        loop {
            let page = self.records(&filter)?;
            let Some(last) = page.last() else {
                return Ok(all);
            };
            filter.after = Some(last.index);
            all.extend(page);
        }
    }

    /// Returns a page of records, ascending by index. An empty page is the end; go on after the last record's index.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if a record's bytes are not those that were recorded.
    pub fn records(&self, filter: &Filter) -> Result<Vec<RecordView>, LedgerError> {
        let limit = if filter.limit == 0 {
            PAGE
        } else {
            filter.limit.min(LARGEST_PAGE)
        };
        let after = filter.after.map_or(-1, u64::cast_signed);
        let entries = self.query(|connection| {
            let mut sql =
                "SELECT idx, segment, offset, seq, digest, leaf FROM record WHERE idx > ?1"
                    .to_owned();
            let subject = filter.subject.map(|d| *d.as_bytes());
            for (condition, parameter, is_asked) in [
                ("stream = ?2", "?2", filter.stream.is_some()),
                ("kind = ?3", "?3", filter.kind.is_some()),
                ("actor = ?4", "?4", filter.actor.is_some()),
                ("time >= ?5", "?5", filter.since.is_some()),
                ("time < ?6", "?6", filter.until.is_some()),
                (
                    "idx IN (SELECT idx FROM subject WHERE digest = ?7)",
                    "?7",
                    subject.is_some(),
                ),
                (
                    "idx IN (SELECT idx FROM reason WHERE code = ?8)",
                    "?8",
                    filter.reason.is_some(),
                ),
            ] {
                // Every parameter is named, so that the number of values does not depend on the filter.
                sql += &if is_asked {
                    format!(" AND {condition}")
                } else {
                    format!(" AND {parameter} IS NULL")
                };
            }
            sql += " ORDER BY idx LIMIT ?9";
            connection
                .prepare_cached(&sql)?
                .query_map(
                    params![
                        after,
                        filter.stream,
                        filter.kind,
                        filter.actor,
                        filter.since.map(Timestamp::as_millis),
                        filter.until.map(Timestamp::as_millis),
                        subject,
                        filter.reason,
                        limit as i64
                    ],
                    index::entry,
                )?
                .collect::<Sql<Vec<Entry>>>()
        })?;
        let mut page = Vec::new();
        let mut bytes = 0;
        for entry in entries {
            if bytes > PAGE_BYTES {
                break;
            }
            let (view, size) = self.view(&entry)?;
            bytes += size;
            page.push(view);
        }
        Ok(page)
    }

    /// Returns the record named by its index (decimal digits only), or by the beginning of its digest: at least 4 hex
    /// digits, with or without `sha256:`. A beginning without any letter needs the `sha256:`.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`], [`LedgerError::Ambiguous`], [`LedgerError::Corrupt`].
    pub fn record(&self, name: &str) -> Result<RecordView, LedgerError> {
        if let Ok(index) = name.parse() {
            return self.record_at(index);
        }
        let unknown = || LedgerError::NotFound(name.chars().take(80).collect());
        let hex = name.strip_prefix("sha256:").unwrap_or(name);
        let (low, high) = digest_range(hex).ok_or_else(unknown)?;
        match &self.query(|connection| index::by_digest(connection, &low, &high))?[..] {
            [] => Err(unknown()),
            [one] => Ok(self.view(one)?.0),
            _ => Err(LedgerError::Ambiguous(name.to_owned())),
        }
    }

    /// Returns the record at a leaf's index.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`], [`LedgerError::Corrupt`].
    pub fn record_at(&self, index: u64) -> Result<RecordView, LedgerError> {
        Ok(self.view(&self.entry(index)?)?.0)
    }

    /// Returns the stored form of the envelope at a leaf's index.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`], [`LedgerError::Corrupt`].
    pub fn envelope(&self, index: u64) -> Result<Vec<u8>, LedgerError> {
        Ok(self.frame(&self.entry(index)?)?.envelope.to_bytes())
    }

    /// Returns the newest record of a kind; `None` if there is none.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] if its bytes are not those that were recorded.
    pub fn newest(&self, kind: &str) -> Result<Option<RecordView>, LedgerError> {
        let newest = self.query(|connection| index::newest(connection, kind))?;
        newest.map(|entry| Ok(self.view(&entry)?.0)).transpose()
    }

    /// Returns whether the stream has a record under this idempotency key.
    ///
    /// # Errors
    /// [`LedgerError::Index`].
    pub fn holds(&self, stream: &str, key: &str) -> Result<bool, LedgerError> {
        Ok(self
            .query(|connection| index::by_key(connection, stream, key))?
            .is_some())
    }

    /// Returns the stream's record under this idempotency key, if there is one.
    ///
    /// # Errors
    /// [`LedgerError::Index`], and as [`Self::record_at`].
    pub fn record_of(&self, stream: &str, key: &str) -> Result<Option<RecordView>, LedgerError> {
        let found = self.query(|connection| index::by_key(connection, stream, key))?;
        found.map(|entry| Ok(self.view(&entry)?.0)).transpose()
    }

    /// Returns whether reading goes on an index of this handle's own, in memory, because the one on disk did not fit when the
    /// ledger was opened. What others append is not seen then.
    pub fn is_detached(&self) -> bool {
        lock(&self.reader).path().is_none_or(str::is_empty)
    }

    /// Returns the number of records that can be read, acknowledged or about to be.
    ///
    /// # Errors
    /// [`LedgerError::Index`].
    pub fn size(&self) -> Result<u64, LedgerError> {
        Ok(self.query(index::load)?.frontier.size())
    }

    /// Returns the latest time that any record carries; `None` for a ledger without records. A wall clock that reads
    /// earlier went back.
    ///
    /// # Errors
    /// [`LedgerError::Index`].
    pub fn newest_time(&self) -> Result<Option<Timestamp>, LedgerError> {
        let state = self.query(index::load)?;
        Ok((state.frontier.size() > 0).then_some(state.newest))
    }

    /// Returns the acknowledged checkpoint, a whole C2SP note signed by the log alone, after verifying it.
    ///
    /// # Errors
    /// [`LedgerError::Lock`] if there is none or it cannot be read; [`LedgerError::Corrupt`] if it does not verify.
    pub fn checkpoint_note(&self) -> Result<String, LedgerError> {
        self.checkpoint().map(|(_, note)| note)
    }

    pub(super) fn checkpoint(&self) -> Result<(Checkpoint, String), LedgerError> {
        let path = self.layout.checkpoint_lock();
        let note = match &self.reader_lock {
            Some(reader) => lock(reader).read()?,
            None => super::checkpoint_lock::SqliteLock::peek(&path)?,
        };
        let note = note.ok_or_else(|| LedgerError::Lock {
            path: path.clone(),
            text: "it is missing or empty".into(),
        })?;
        recover::open_note(note, &self.vkey, &path)
    }

    /// As [`Ledger::checkpoint`], with an index that covers it: a writer acknowledges records a moment before its index has
    /// them, and an index on a full disk, or one in memory, may be behind for longer. The reader then goes on with another.
    pub(super) fn reached(&self) -> Result<(Checkpoint, String), LedgerError> {
        let signed = self.checkpoint()?;
        self.reach(signed.0.size)?;
        Ok(signed)
    }

    /// Sees to it that the index has the first `size` records, which are acknowledged.
    pub(super) fn reach(&self, size: u64) -> Result<(), LedgerError> {
        if self.size()? < size {
            // This waits for a writer that is under way, and reads the journal if the index on disk stays behind.
            let fresh = recover::open_to_read(&self.layout, &self.vkey, &self.notices)?;
            *lock(&self.reader) = fresh;
            if self.size()? < size {
                let text = format!("it has fewer than the {size} records that are acknowledged");
                return Err(LedgerError::corrupt(&self.layout.index(), text));
            }
        }
        Ok(())
    }

    /// Returns the newest checkpoint and the proof that its tree extends the tree of the first `old` leaves (RFC 6962 section
    /// 2.1.2): what a reader who remembers an older checkpoint should ask for.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] if `old` is more than there is; [`LedgerError::Corrupt`].
    pub fn prove_consistency(&self, old: u64) -> Result<(Checkpoint, Vec<Digest>), LedgerError> {
        let (checkpoint, _) = self.reached()?;
        if old > checkpoint.size {
            return Err(LedgerError::NotFound(format!("{old} leaves")));
        }
        let path = self.query(|connection| {
            merkle::consistency_path(&mut index::Tiles::new(connection), old, checkpoint.size)
        })?;
        Ok((checkpoint, path))
    }

    /// Returns the proof that the tree of `new` leaves extends the tree of `old` leaves.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] if there are fewer leaves, or `old` is more than `new`.
    pub fn consistency_path(&self, old: u64, new: u64) -> Result<Vec<Digest>, LedgerError> {
        if old > new || new > self.size()? {
            return Err(LedgerError::NotFound(format!("{old} of {new} leaves")));
        }
        self.query(|c| merkle::consistency_path(&mut index::Tiles::new(c), old, new))
    }

    /// Returns the bytes to sign for a record by a key that this process does not hold; see [`Ledger::append_signed`].
    ///
    /// # Errors
    /// [`LedgerError::Rules`] if the draft has no statement.
    pub fn prepare(&self, draft: Draft) -> Result<Vec<u8>, LedgerError> {
        let (head, state) =
            self.query(|c| Ok((index::head(c, &draft.stream)?, index::load(c)?)))?;
        let tool = Tool {
            name: "gonogo".into(),
            version: env!("CARGO_PKG_VERSION").into(),
        };
        // The index may be ahead of what was acknowledged by one batch; a record may name only acknowledged state.
        let seen = if state.frontier.size() == self.checkpoint()?.0.size {
            state.frontier
        } else {
            Frontier::default()
        };
        Ok(numbering::next_statement(draft, trace::current(), head, &seen, &tool).to_bytes()?)
    }

    /// Enrols a key: from the next record on it may sign. Enrolling the same key for the same person and role again gives
    /// the first receipt.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn enrol(
        &self,
        key: PublicKey,
        who: &str,
        role: &str,
        actor: &str,
        time: Timestamp,
    ) -> Result<Receipt, LedgerError> {
        let event = KeyEvent::Enrol {
            key,
            who: who.to_owned(),
            role: role.to_owned(),
        };
        Ok(self.append(vec![key_event_draft(&event, actor, time)])?[0])
    }

    /// Revokes a key: what it signs from the next record on does not count.
    ///
    /// # Errors
    /// As [`Ledger::append`]; [`LedgerError::Refused`] for the controller's own key.
    pub fn revoke(
        &self,
        key: KeyId,
        why: &str,
        actor: &str,
        time: Timestamp,
    ) -> Result<Receipt, LedgerError> {
        let event = KeyEvent::Revoke {
            key,
            why: why.to_owned(),
        };
        Ok(self.append(vec![key_event_draft(&event, actor, time)])?[0])
    }

    pub(super) fn query<T>(
        &self,
        run: impl FnOnce(&rusqlite::Connection) -> Sql<T>,
    ) -> Result<T, LedgerError> {
        run(&lock(&self.reader)).map_err(|e| index::failure(&self.layout.index(), &e))
    }

    pub(super) fn entry(&self, index: u64) -> Result<Entry, LedgerError> {
        self.query(|connection| index::by_index(connection, index).optional())?
            .flatten()
            .ok_or_else(|| LedgerError::NotFound(index.to_string()))
    }

    /// Reads a record's frame and checks it against the index.
    pub(super) fn frame(&self, entry: &Entry) -> Result<frame::RecordFrame, LedgerError> {
        let record = journal::read_record(&self.layout, entry.place)?;
        let leaf = gonogo_ledger::leaf::hash(&record.envelope, &record.signer);
        if record.envelope.statement_digest() != entry.digest || leaf != entry.leaf {
            return Err(LedgerError::corrupt(
                &self.layout.segment(entry.place.segment),
                format!("record {} is not the one that was recorded", entry.index),
            ));
        }
        Ok(record)
    }

    fn view(&self, entry: &Entry) -> Result<(RecordView, usize), LedgerError> {
        let record = self.frame(entry)?;
        let size = record.envelope.payload().len();
        let statement = Statement::parse(record.envelope.payload())?;
        let view = RecordView {
            index: entry.index,
            stream: statement.stream,
            seq: statement.seq,
            key: statement.key,
            kind: statement.kind,
            time: statement.time,
            actor: statement.actor,
            signer: record.signer.id(),
            subject: statement.subject,
            trace: statement.trace,
            body: statement.body,
            digest: entry.digest,
            leaf_hash: entry.leaf,
        };
        Ok((view, size))
    }
}

/// The draft of a key event. Its idempotency key names the key and what happens to it.
pub(super) fn key_event_draft(event: &KeyEvent, actor: &str, time: Timestamp) -> Draft {
    let verb = match event {
        KeyEvent::Enrol { .. } => "enrol",
        KeyEvent::Revoke { .. } => "revoke",
    };
    Draft {
        stream: SYSTEM_STREAM.to_owned(),
        key: format!("{verb}/{}", event.key_id()),
        kind: key_event::KIND.to_owned(),
        subject: vec![gonogo_ledger::Subject {
            name: format!("key/{}", event.key_id()),
            digest: *event.key_id().digest(),
        }],
        time,
        actor: actor.to_owned(),
        body: event.to_body(),
        signer: None,
    }
}

/// The digests that begin with 4 to 64 lower-case hex digits, as an inclusive range.
fn digest_range(hex: &str) -> Option<([u8; 32], [u8; 32])> {
    let fits = (4..=64).contains(&hex.len());
    if !fits {
        return None;
    }
    let bound = |fill: &str| {
        let text = format!("{hex}{}", fill.repeat(64 - hex.len()));
        Digest::from_hex(&text).ok().map(|d| *d.as_bytes())
    };
    Some((bound("0")?, bound("f")?))
}
