//! gonogo-ledger.
