//! A simulated runtime: beats, keeps a diary and performance figures as a long-running service would, and does on demand
//! whatever such a service can do wrong.
//!
//! It is what the dry run's smoke matrix and its tests supervise. [`matrix`] says which misbehaviour a supervisor is to
//! answer in which way; [`TRACES`] holds stack traces that real tools printed.
//!
//! Invariants:
//! - the same options and seed print the same bytes, times aside;
//! - what was injected happened: a run that a signal ends before an injection's tick does not end with 0;
//! - it always ends by itself: also a deaf runtime and a grandchild that holds the pipes have a last second;
//! - evidence costs the same for each tick, however long the run; performance figures are replaced atomically;
//! - the library ends the process only for a crash by a signal that was asked for: [`main_with`] returns an exit code.

mod args;
mod evidence;
mod faults;
mod injection;
mod main_with;
pub mod matrix;
mod output;
mod run;
mod time;
mod traces;
mod wait;

pub use args::{Options, UsageError};
pub use evidence::DiaryFormat;
pub use injection::{Death, Injection, InjectionError, KINDS, Kind, Pipe, Ticks, Which};
pub use main_with::main_with;
pub use output::{HOSTILE, Hostile};
pub use run::run;
pub use traces::{TRACES, Trace};

/// Exit codes of the runtime, the ones of the `gonogo` command line where they mean the same.
pub mod exit {
    /// The duration is over, or a signal asked for the end, and all that was injected happened.
    pub const DONE: u8 = 0;
    /// The run ended before an injection's tick came: whoever relies on it has tested nothing.
    pub const NOT_INJECTED: u8 = 3;
    /// The command line was wrong.
    pub const USAGE: u8 = 64;
    /// Signals, a grandchild or a thread could not be set up.
    pub const INTERNAL: u8 = 70;
    /// stdout, or the first entry of an evidence file, could not be written.
    pub const CANNOT_WRITE: u8 = 73;
}
