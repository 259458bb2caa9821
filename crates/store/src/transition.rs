//! The journal: one transaction per input, and the outbox that follows from it.
//!
//! Invariants: a transition commits only under the newest lease and only as the successor of the event before it; an act
//! is claimed, with the epoch that its call will carry, in a transaction of its own before it is sent.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Timestamp};
use gonogo_release::{Act, Input, Phase, Terminal};
use rusqlite::{Connection, OptionalExtension, params};

use crate::database::Store;
use crate::draft::Draft;
use crate::error::{Fault, StoreError};
use crate::lease::{Lease, own};
use crate::operation::{KnownGood, from_json, insert_pending, json};

/// One input and all that follows from it.
#[derive(Debug, Clone)]
pub struct Transition<'a> {
    /// Whose journal.
    pub operation: &'a OperationId,
    /// The event's number: one more than the last.
    pub seq: u64,
    /// Machine time.
    pub at: Timestamp,
    /// What came in.
    pub input: &'a Input,
    /// The machine's state afterwards, as JSON.
    pub snapshot: String,
    /// Digest of that state.
    pub digest: Digest,
    /// Where the operation stands afterwards.
    pub phase: Phase,
    /// How it ended, if it did.
    pub terminal: Option<&'a Terminal>,
    /// The version that the end shows to be good.
    pub known_good: Option<KnownGood>,
    /// Acts to carry out.
    pub acts: Vec<&'a Act>,
    /// Timers to set, by number and time.
    pub timers: Vec<(u64, Timestamp)>,
    /// The queued input that this was, if it was one.
    pub posted: Option<i64>,
    /// Evidence of all this, in order.
    pub records: &'a [Draft],
    /// Evidence of all events up to this number is in the ledger and need not be kept here.
    pub delivered: Option<u64>,
}

/// How far an act is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// To be sent.
    Ready,
    /// Claimed: it may have been sent.
    Started,
    /// Its outcome is in the journal.
    Done,
}

/// An act in the outbox.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// The act.
    pub act: Act,
    /// How far it is.
    pub state: OutboxState,
    /// The epoch bound at claim.
    pub epoch: Option<u64>,
}

/// Permission to send one act once: minted only by a committed claim.
#[derive(Debug, PartialEq)]
pub struct Claim {
    act: Act,
    epoch: u64,
}

impl Claim {
    /// The act.
    pub fn act(&self) -> &Act {
        &self.act
    }

    /// The epoch bound when it was claimed.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// Evidence that is not known to be in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Pending {
    /// Number of the event that it belongs to; 0 for the submission.
    pub seq: u64,
    /// The record to be.
    pub draft: Draft,
}

impl Store {
    /// Commits one transition under `lease`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] or [`StoreError::SeqMoved`] if somebody else went on with the operation,
    /// [`StoreError::OperationEnded`] after its end, [`StoreError::Full`] without space. Nothing is changed then.
    pub fn commit(&self, lease: &Lease, t: &Transition<'_>) -> Result<(), StoreError> {
        self.write(|c| {
            own(c, lease)?;
            in_sequence(c, t)?;
            let op = t.operation.as_str();
            let digest = t.digest.to_string();
            let at = t.at.as_millis();
            c.prepare_cached(
                "INSERT INTO event(operation, seq, at, input, digest) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                op,
                t.seq as i64,
                at,
                json("event", t.seq, t.input)?,
                digest
            ])?;
            c.prepare_cached(
                "UPDATE operation SET seq = ?2, snapshot = ?3, digest = ?4, phase = ?5, updated = ?6 WHERE id = ?1",
            )?
            .execute(params![
                op,
                t.seq as i64,
                t.snapshot,
                digest,
                json("operation", op, &t.phase)?,
                at
            ])?;
            settle(c, op, t.input)?;
            follow(c, op, t)?;
            if let Some(terminal) = t.terminal {
                end(c, op, terminal, t.known_good.as_ref())?;
            }
            if let Some(seq) = t.delivered {
                delete_pending(c, op, seq)?;
            }
            for (n, draft) in t.records.iter().enumerate() {
                insert_pending(c, t.operation, t.seq, n, draft)?;
            }
            Ok(())
        })
    }

    /// Claims acts that are ready, binding the lease's epoch. Acts in another state are left out of the answer.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] if somebody took over; nothing is claimed then.
    pub fn claim(
        &self,
        lease: &Lease,
        operation: &OperationId,
        acts: &[u64],
        at: Timestamp,
    ) -> Result<Vec<Claim>, StoreError> {
        self.write(|c| {
            own(c, lease)?;
            let mut query = c.prepare_cached(
                "UPDATE outbox SET state = 'started', epoch = ?3, claimed_at = ?4
                 WHERE operation = ?1 AND act = ?2 AND state = 'ready' RETURNING body",
            )?;
            let mut claims = Vec::with_capacity(acts.len());
            for act in acts {
                let body: Option<String> = query
                    .query_row(
                        params![
                            operation.as_str(),
                            *act as i64,
                            lease.epoch as i64,
                            at.as_millis()
                        ],
                        |r| r.get(0),
                    )
                    .optional()?;
                if let Some(body) = body {
                    claims.push(Claim {
                        act: from_json("act", act, &body)?,
                        epoch: lease.epoch,
                    });
                }
            }
            Ok(claims)
        })
    }

    /// The operation's acts without a journalled outcome, by number.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn outbox(&self, operation: &OperationId) -> Result<Vec<OutboxRow>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT act, state, epoch, body FROM outbox WHERE operation = ?1 AND state <> 'done' ORDER BY act",
            )?;
            let mut rows = query.query([operation.as_str()])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let id: i64 = row.get(0)?;
                let epoch: Option<i64> = row.get(2)?;
                found.push(OutboxRow {
                    act: from_json("act", id, &row.get::<_, String>(3)?)?,
                    state: match row.get::<_, String>(1)?.as_str() {
                        "ready" => OutboxState::Ready,
                        "started" => OutboxState::Started,
                        _ => OutboxState::Done,
                    },
                    epoch: epoch.map(|e| e as u64),
                });
            }
            Ok(found)
        })
    }

    /// The operation's timers that are not yet due or not yet delivered, by number.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn timers(&self, operation: &OperationId) -> Result<Vec<(u64, Timestamp)>, StoreError> {
        self.read(|c| {
            let mut query =
                c.prepare_cached("SELECT id, due FROM timer WHERE operation = ?1 ORDER BY id")?;
            let rows = query.query_map([operation.as_str()], |r| {
                Ok((
                    r.get::<_, i64>(0)? as u64,
                    Timestamp::from_millis(r.get(1)?),
                ))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Evidence of the operation that is not known to be in the ledger, in order, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn pending(&self, operation: &OperationId, limit: u32) -> Result<Vec<Pending>, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT seq, draft FROM pending_record WHERE operation = ?1 ORDER BY seq, n LIMIT ?2",
            )?;
            let mut rows = query.query(params![operation.as_str(), limit])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let seq: i64 = row.get(0)?;
                found.push(Pending {
                    seq: seq as u64,
                    draft: from_json("pending record", seq, &row.get::<_, String>(1)?)?,
                });
            }
            Ok(found)
        })
    }

    /// Forgets pending evidence of events up to number `seq`, because the ledger has it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn delivered(&self, operation: &OperationId, seq: u64) -> Result<(), StoreError> {
        self.write(|c| delete_pending(c, operation.as_str(), seq))
    }
}

fn in_sequence(c: &Connection, t: &Transition<'_>) -> Result<(), Fault> {
    let found: Option<(i64, bool)> = c
        .prepare_cached("SELECT seq, terminal IS NOT NULL FROM operation WHERE id = ?1")?
        .query_row([t.operation.as_str()], |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?;
    let (seq, ended) = found.ok_or_else(|| StoreError::Unknown {
        what: "operation",
        id: t.operation.to_string(),
    })?;
    if ended {
        return Err(StoreError::OperationEnded(t.operation.clone()).into());
    }
    if seq as u64 + 1 != t.seq {
        return Err(StoreError::SeqMoved {
            operation: t.operation.clone(),
            expected: t.seq.saturating_sub(1),
            found: seq as u64,
        }
        .into());
    }
    Ok(())
}

/// Removes what the input answers.
fn settle(c: &Connection, op: &str, input: &Input) -> Result<(), Fault> {
    match input {
        Input::Done { id, .. } => {
            c.prepare_cached("UPDATE outbox SET state = 'done' WHERE operation = ?1 AND act = ?2")?
                .execute(params![op, *id as i64])?;
        }
        Input::Due { id } => {
            c.prepare_cached("DELETE FROM timer WHERE operation = ?1 AND id = ?2")?
                .execute(params![op, *id as i64])?;
        }
        _ => {}
    }
    Ok(())
}

/// Adds what the step asked for.
fn follow(c: &Connection, op: &str, t: &Transition<'_>) -> Result<(), Fault> {
    for act in &t.acts {
        c.prepare_cached(
            "INSERT INTO outbox(operation, act, state, body) VALUES (?1, ?2, 'ready', ?3)",
        )?
        .execute(params![op, act.id as i64, json("act", act.id, act)?])?;
    }
    for (id, due) in &t.timers {
        // A timer set again moves.
        c.prepare_cached("INSERT OR REPLACE INTO timer(operation, id, due) VALUES (?1, ?2, ?3)")?
            .execute(params![op, *id as i64, due.as_millis()])?;
    }
    if let Some(id) = t.posted {
        c.prepare_cached("DELETE FROM inbox WHERE id = ?1 AND operation = ?2")?
            .execute(params![id, op])?;
    }
    Ok(())
}

pub(crate) fn end(
    c: &Connection,
    op: &str,
    terminal: &Terminal,
    good: Option<&KnownGood>,
) -> Result<(), Fault> {
    c.execute(
        "UPDATE operation SET terminal = ?2 WHERE id = ?1",
        params![op, json("operation", op, terminal)?],
    )?;
    // What nobody will ever take: later inputs have no effect on an operation that has ended.
    c.execute("DELETE FROM inbox WHERE operation = ?1", [op])?;
    c.execute("DELETE FROM timer WHERE operation = ?1", [op])?;
    if let Some(good) = good {
        c.execute(
            "INSERT INTO known_good(environment, version, content, operation, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                good.environment,
                good.version,
                good.content.to_string(),
                good.operation.as_str(),
                good.at.as_millis()
            ],
        )?;
    }
    Ok(())
}

fn delete_pending(c: &Connection, op: &str, seq: u64) -> Result<(), Fault> {
    c.prepare_cached("DELETE FROM pending_record WHERE operation = ?1 AND seq <= ?2")?
        .execute(params![op, seq as i64])?;
    Ok(())
}
