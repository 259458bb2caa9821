//! Recorded HTTP: a proxy that records what a test says to real services, and later plays the services.
//!
//! The door is thin: [`start`] takes [`Settings`] and answers with the variables for the child's environment; the child runs;
//! [`Recorder::stop`] ends in a [`Report`] with a verdict. What is kept is a [`cassette`]; [`lint()`] looks at one without a run.
//! `docs/recorded-http.md` says how tests point at it, `docs/adr/0013-recorded-http.md` why it is built so.
//!
//! Invariants:
//! - Nothing readable of a body, and no secret, is on a disk before it was redacted: what does not fit into memory waits sealed.
//! - A cassette is written whole or not at all: an interrupted recording, an upstream that broke, a body that cannot be looked
//!   into and a leak leave the old one as it was.
//! - Playback opens no connection to anybody. What was not recorded is answered with 599 and counted; a green child does not
//!   make up for it.
//! - Redaction is one function, used on what is recorded and on what is compared with it.

mod authority;
mod body;
pub mod cassette;
mod coding;
mod door;
mod draft;
mod error;
mod fields;
mod keep;
mod leak;
pub mod lint;
mod matching;
mod origin;
mod playback;
mod record;
mod recorder;
mod redact;
mod report;
mod settings;
mod spool;
mod upstream;

pub use error::Error;
pub use lint::{Finding, Lint, lint};
pub use recorder::{Recorder, start};
pub use redact::{Kind, RedactionRules};
pub use report::{Because, End, Mismatch, Report, Told};
pub use settings::{Action, Limits, MatchRules, Mode, Settings, truthy};
