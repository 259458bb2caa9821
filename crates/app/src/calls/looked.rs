//! What is looked at when Prometheus asks: how much is open, and since when.

use gonogo_store::{Liveness, Operation};
use gonogo_telemetry::{Gauges, Open};

use crate::doors::operation_doc;
use crate::{AppError, Workspace};

/// So many operations that need a person are looked at for open effects, the newest ones.
const LOOKED_AT: u32 = 20;

/// Looks.
///
/// # Errors
/// The store or the ledger cannot be read.
pub fn looked(ws: &Workspace) -> Result<Gauges, AppError> {
    let now = ws.clock.now().wall;
    let mut open = Open::default();
    let mut oldest = None;
    let mut see = |known: &Operation| -> Result<(), AppError> {
        let triage = operation_doc(ws, known)?.triage;
        let since = triage.open_effects.iter().map(|e| e.since).min();
        let counts = known.terminal.is_none() || !triage.overtaken;
        oldest = [oldest, since.filter(|_| counts)]
            .into_iter()
            .flatten()
            .min();
        Ok(())
    };
    for running in ws.store.open_operations()? {
        let live = running.holder.is_some_and(|h| h.liveness == Liveness::Live);
        match live {
            true => open.driven += 1,
            false => open.waiting += 1,
        }
        see(&running.operation)?;
    }
    let ended = Some(["needs_person"].as_slice());
    for known in ws.store.operations_page(None, ended, None, LOOKED_AT)? {
        see(&known)?;
    }
    let backlog = ws.store.backlog()?;
    Ok(Gauges {
        open,
        oldest_open_effect: oldest.map(|at| now.since(at).as_millis() as f64 / 1000.0),
        ledger: ws.ledger.size()?,
        outbox: [backlog.ready, backlog.sent],
        pending_records: backlog.records,
    })
}
