//! How much waits, for whoever watches.

use crate::database::Store;
use crate::error::StoreError;

/// What waits in the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Effects that wait to be sent.
    pub ready: u64,
    /// Effects that were sent and have no outcome yet.
    pub sent: u64,
    /// Records that wait to be put into the ledger.
    pub records: u64,
}

impl Store {
    /// Counts what waits.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub fn backlog(&self) -> Result<Backlog, StoreError> {
        self.read(|c| {
            let mut query = c.prepare_cached(
                "SELECT (SELECT count(*) FROM outbox WHERE state = 'ready'),
                        (SELECT count(*) FROM outbox WHERE state = 'started'),
                        (SELECT count(*) FROM pending_record)",
            )?;
            let counts = query.query_row([], |row| {
                Ok([row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?])
            })?;
            let [ready, sent, records] = counts.map(|n| u64::try_from(n).unwrap_or(0));
            Ok(Backlog {
                ready,
                sent,
                records,
            })
        })
    }
}
