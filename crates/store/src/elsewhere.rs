//! Operations that a workflow service carries out: their state is one value, kept with the evidence of each change of it.
//!
//! Invariants: as for the journal, a change commits only under the newest lease and only as the successor of the one before it.

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Timestamp};
use gonogo_release::{Phase, Terminal};
use rusqlite::{OptionalExtension, params};

use crate::database::Store;
use crate::draft::Draft;
use crate::error::StoreError;
use crate::lease::{Lease, own};
use crate::operation::{KnownGood, insert_pending, json};
use crate::transition::end;

/// A change of such an operation's state.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// Which operation.
    pub operation: &'a OperationId,
    /// One more than the last change's.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The state afterwards, as JSON.
    pub snapshot: String,
    /// Where it stands afterwards.
    pub phase: Phase,
    /// How it ended, if it did.
    pub terminal: Option<&'a Terminal>,
    /// The version that the end shows to be good.
    pub known_good: Option<KnownGood>,
    /// Queued inputs that were taken up, up to this one.
    pub taken: Option<i64>,
    /// Evidence of all this, in order.
    pub records: &'a [Draft],
}

impl Store {
    /// Commits one change under `lease`.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] or [`StoreError::SeqMoved`] if somebody else went on with the operation,
    /// [`StoreError::OperationEnded`] after its end. Nothing is changed then.
    pub fn change(&self, lease: &Lease, t: &Change<'_>) -> Result<(), StoreError> {
        self.write(|c| {
            own(c, lease)?;
            let op = t.operation.as_str();
            let found: Option<(i64, bool)> = c
                .prepare_cached("SELECT seq, terminal IS NOT NULL FROM operation WHERE id = ?1")?
                .query_row([op], |r| Ok((r.get(0)?, r.get(1)?)))
                .optional()?;
            let (seq, ended) = found.ok_or_else(|| StoreError::Unknown {
                what: "operation",
                id: op.to_owned(),
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
            c.prepare_cached(
                "UPDATE operation SET seq = ?2, snapshot = ?3, digest = ?4, phase = ?5, updated = ?6 WHERE id = ?1",
            )?
            .execute(params![
                op,
                t.seq as i64,
                t.snapshot,
                Digest::of(t.snapshot.as_bytes()).to_string(),
                json("operation", op, &t.phase)?,
                t.at.as_millis()
            ])?;
            if let Some(last) = t.taken {
                c.prepare_cached("DELETE FROM inbox WHERE operation = ?1 AND id <= ?2")?
                    .execute(params![op, last])?;
            }
            for (n, draft) in t.records.iter().enumerate() {
                insert_pending(c, t.operation, t.seq, n, draft)?;
            }
            if let Some(terminal) = t.terminal {
                end(c, op, terminal, t.known_good.as_ref())?;
            }
            Ok(())
        })
    }
}
