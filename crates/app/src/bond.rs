//! Store and ledger belong together. One of them lost, replaced or taken from an older copy is found out here, before a
//! command shows half of the truth or acts on it.

use std::path::Path;

use gonogo_core::Reason;
use gonogo_core::id::OperationId;
use gonogo_store::ledger::Ledger;
use gonogo_store::{Store, StoreError};

use crate::AppError;

/// Refuses to found a ledger for a store that has had one.
pub(crate) fn before(store: &Store, state: &Path) -> Result<(), AppError> {
    if Ledger::exists(state) || store.ledger_bond()?.is_none() {
        return Ok(());
    }
    let text = format!(
        "`{}` is gone, and `state.db` beside it belongs to a ledger that was there; nothing was changed",
        state.join("ledger").display()
    );
    Err(hinted(Reason::LedgerCorrupt, text, state))
}

/// Binds a new store to its new ledger, and compares what both know of operations.
pub(crate) fn check(store: &Store, ledger: &Ledger, state: &Path) -> Result<(), AppError> {
    // Read before the bond: whoever binds does so before the ledger's second record.
    let founded = ledger.size()? > 1;
    let ours = ledger.log_vkey().to_string();
    let bond = match store.ledger_bond()? {
        Some(bond) => bond,
        None if founded => {
            let text = format!(
                "`{}` is new, and the ledger beside it has records of a store that is gone; nothing was changed",
                store.path().display()
            );
            return Err(hinted(Reason::StoreFailed, text, state));
        }
        None => store.bind_ledger(&ours)?,
    };
    if bond != ours {
        let text = format!(
            "`{}` belongs to the ledger with the log key {bond}, and the ledger here has {ours}",
            store.path().display()
        );
        return Err(hinted(Reason::LedgerCorrupt, text, state));
    }
    if let Some(id) = store.newest_recorded()?
        && !ledger.holds(&format!("operation/{id}"), "begin")?
    {
        let text = format!(
            "the ledger does not have operation `{id}`, whose records were acknowledged: it is not the newest copy"
        );
        return Err(hinted(Reason::LedgerCorrupt, text, state));
    }
    let Some(newest) = ledger.newest("operation")? else {
        return Ok(());
    };
    let id = newest.stream.trim_start_matches("operation/");
    if let Ok(id) = id.parse::<OperationId>() {
        match store.operation(&id) {
            Err(StoreError::Unknown { .. }) => {}
            told => return told.map(drop).map_err(AppError::from),
        }
    }
    let text = format!(
        "the ledger has operation `{id}` and `{}` does not: it is not the newest copy",
        store.path().display()
    );
    Err(hinted(Reason::StoreFailed, text, state))
}

fn hinted(reason: Reason, text: String, state: &Path) -> AppError {
    AppError::new(reason, text)
        .hint("put back what is missing from a copy of the state directory; both parts must be of the same moment")
        .hint(format!(
            "or begin anew: `gonogo agent --stop` for each environment, then move `{}` away; packets stay verifiable",
            state.display()
        ))
}
