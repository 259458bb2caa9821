//! Numbering: a call's drafts become the next statements of their streams, are signed and get their leaves. Refuses what
//! may not be recorded; writes nothing.

use std::sync::Arc;

use gonogo_core::{Digest, canonical};
use gonogo_ledger::merkle::{self, Frontier};
use gonogo_ledger::{
    Envelope, KeyEvent, PublicKey, SYSTEM_STREAM, Seen, SigningKey, Statement, Subject, Tool,
    key_event, leaf,
};
use rusqlite::{Connection, Savepoint, Transaction};
use serde_json::json;

use super::disk::Layout;
use super::error::LedgerError;
use super::frame;
use super::index::{self, Insert, Tiles};
use super::journal;
use super::keys::Keys;
use super::queue::{Job, Outcome};
use super::record::{Draft, Receipt};
use super::sequencer::{Batch, disk_full};

/// At most so many records in one append call.
const CALL: usize = 1024;

/// What numbering and signing need, apart from the batch.
pub(super) struct Context<'a> {
    pub(super) layout: &'a Layout,
    pub(super) keys: &'a Keys,
    pub(super) tool: &'a Tool,
}

impl Context<'_> {
    /// Numbers, links, signs and indexes one append call; leaves no trace of it if any record is refused.
    pub(super) fn call(
        &self,
        change: &mut Transaction<'_>,
        batch: &mut Batch,
        job: Job,
    ) -> Outcome {
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
        let (drafts, trace, size) = match job {
            Job::Signed(envelope) => return Ok(vec![self.signed(change, batch, *envelope)?]),
            Job::Drafts {
                drafts,
                trace,
                size,
            } => (drafts, trace, size),
        };
        let now = batch.state.frontier.size();
        if size.is_some_and(|size| size != now) {
            return Err(LedgerError::Moved {
                stream: drafts[0].stream.clone(),
                text: format!("the ledger has {now} records now"),
            });
        }
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
            let statement = self.statement(change, &batch.before, draft, trace.clone())?;
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
        trace: Option<Arc<str>>,
    ) -> Result<Statement, LedgerError> {
        let (seq, prev) = index::head(change, &draft.stream)
            .map_err(|e| index::failure(&self.layout.index(), &e))?;
        Ok(next_statement(draft, trace, (seq, prev), seen, self.tool))
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
    trace: Option<Arc<str>>,
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
        trace: trace.map(|t| t.to_string()),
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
