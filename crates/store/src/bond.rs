//! The bond between the store and the ledger beside it: each is half of what is known, and neither replaces the other.
//!
//! Invariant: a store is bound once, to one log key, before any record but the ledger's founding is written; a store without
//! a bond beside a ledger with records is therefore not the store that wrote them.

use gonogo_core::id::OperationId;
use rusqlite::{Connection, OptionalExtension};

use crate::database::Store;
use crate::error::{Fault, StoreError};

impl Store {
    /// The public log key of the ledger that this store belongs to; none before [`Store::bind_ledger`].
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn ledger_bond(&self) -> Result<Option<String>, StoreError> {
        self.read(bond)
    }

    /// Binds the store to the ledger with this public log key, unless it is bound already; returns the key it is bound to
    /// afterwards.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written.
    pub fn bind_ledger(&self, log_key: &str) -> Result<String, StoreError> {
        self.write(|c| {
            c.execute(
                "INSERT OR IGNORE INTO ledger_bond(id, log_key) VALUES (0, ?1)",
                [log_key],
            )?;
            bond(c)?.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
        })
    }

    /// The newest operation whose evidence is in the ledger as far as the store knows; none if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn newest_recorded(&self) -> Result<Option<OperationId>, StoreError> {
        self.read(|c| {
            let id: Option<String> = c
                .prepare_cached(
                    "SELECT id FROM operation WHERE id NOT IN (SELECT operation FROM pending_record WHERE seq = 0)
                     ORDER BY created DESC LIMIT 1",
                )?
                .query_row([], |r| r.get(0))
                .optional()?;
            id.map(|id| {
                id.parse()
                    .map_err(|e| Fault::malformed("operation", &id, e))
            })
            .transpose()
        })
    }
}

fn bond(c: &Connection) -> Result<Option<String>, Fault> {
    Ok(
        c.query_row("SELECT log_key FROM ledger_bond", [], |r| r.get(0))
            .optional()?,
    )
}
