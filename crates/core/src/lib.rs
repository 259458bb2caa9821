//! Words that every other part of gonogo speaks: ids, digests, canonical JSON, fingerprints, units, reason
//! codes, exit codes and the reply envelope.
//!
//! Floor 0. Invariants: no IO, no async, no randomness. The one clock door is [`clock::SystemClock`];
//! every rule takes the time as an argument.

pub mod canonical;
pub mod clock;
pub mod digest;
pub mod envelope;
pub mod exit;
pub mod fingerprint;
pub mod id;
pub mod near;
pub mod reason;
mod text;
pub mod time;
pub mod units;

pub use clock::{Clock, Now};
pub use digest::Digest;
pub use exit::Exit;
pub use fingerprint::Fingerprint;
pub use reason::{Reason, Verdict};
pub use time::{Span, Timestamp};
pub use units::{Bytes, Share};
