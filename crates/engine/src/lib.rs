//! The embedded driver: brings inputs to the release machine, makes every transition durable, and carries out acts.
//!
//! Floor 2. [`Driver::drive`] runs one operation from wherever its journal stands to its end, in plain threads. It decides
//! nothing: the machine does. Invariants: an act is sent only after its intent is in the evidence and its claim, with the
//! lease epoch, is committed; an act that may have been sent and has no journalled outcome is brought back as `Unknown`
//! and never sent again by the driver; a driver that lost its lease sends nothing more.

mod core;
mod driver;
mod evidence;
mod progress;
mod run;

pub use self::core::Core;
pub use driver::{DriveError, Driver, Settings};
pub use evidence::{Evidence, EvidenceError, MemoryEvidence};
pub use gonogo_store::{Draft, Subject};
pub use progress::{Notice, OpenAct, Progress};
