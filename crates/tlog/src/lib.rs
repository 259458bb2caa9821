//! The ledger's public face: what leaves the machine so that others can hold the log to its word.
//!
//! Floor 2. It knows a *publication*: a directory with `checkpoint`, `tile/…` and `tile/entries/…` exactly as C2SP tlog-tiles
//! spells them, and perhaps `log.vkey`, written by somebody else (`gonogo-store`). Four things are done with it and beside it:
//! [`serve`] answers requests for it, [`export`] copies it to another place, [`witness`] cosigns checkpoints of other logs, and
//! [`cosign`] asks witnesses to cosign ours. The formats themselves are `gonogo-ledger`'s.
//!
//! Invariants: a publication is only read. A copy is never overwritten by a tree that does not extend it. A witness answers
//! only after what it says is on disk. Whatever comes from the network is bounded in size and time, and counts only if it
//! verifies under a key that the caller named.

mod body;
pub mod cosign;
mod disk;
pub mod error;
pub mod export;
pub mod publication;
pub mod serve;
pub mod server;
pub mod witness;

pub use error::Error;
pub use gonogo_outbound::Client;
pub use publication::Publication;
pub use server::{Body, Limits};
