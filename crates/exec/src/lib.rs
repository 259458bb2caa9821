//! Child processes: start one in its own group, know it again later, wait for it, end its whole group, ask whether it is ready.
//!
//! Floor 2. The host agent starts and ends services with it; [`mod@measure`] tells what a command costs. Everything here blocks and takes a limit; nothing decides policy.
//!
//! Invariants:
//! - A process is named by pid, start time, boot and a mark in its environment ([`Process`]): a recycled pid is never taken for ours.
//! - A group is signalled only after one living member is known to be ours.
//! - A zombie is dead. A child is reaped only after its group is empty, so that its pid cannot be given away before.
//! - Output goes to a file, not a pipe: it goes on when the process that started it is gone.

mod adopt;
mod end;
mod launch;
pub mod measure;
mod probe;
mod process;
mod procfs;
mod resident;
mod scan;

use std::io;
use std::path::PathBuf;

pub use adopt::{adopt, end_adopted};
pub use end::{Ended, Ladder, StopSignal, end, reap, sweep};
pub use launch::Launch;
pub use probe::{ProbeError, http_ready, tcp_ready};
pub use process::{Exit, Process};
pub use resident::resident;
pub use scan::marked;

/// Environment variable that carries a process's mark.
pub const MARK: &str = "GONOGO_INSTANCE";

/// What went wrong with a process.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// There is nothing to run.
    #[error("the command line is empty; name a program in `run`")]
    NoProgram,
    /// The program does not exist.
    #[error("cannot start `{program}`: no such program; correct `run` or list it as an artifact")]
    NotFound {
        /// As given.
        program: String,
    },
    /// The program may not be executed.
    #[error("cannot start `{program}`: permission denied; make it executable")]
    Denied {
        /// As given.
        program: String,
    },
    /// The system refused for another reason.
    #[error("cannot start `{program}`: {source}")]
    Start {
        /// As given.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The log cannot be written.
    #[error("cannot open log {path}: {source}; check the directory's permissions and free space")]
    Log {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The process table cannot be read.
    #[error("cannot read {path}: {source}; a mounted /proc is needed")]
    Proc {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A signal could not be sent.
    #[error("cannot send {signal} to process group {pid}: {source}")]
    Signal {
        /// The signal.
        signal: &'static str,
        /// The group.
        pid: u32,
        /// The system's reason.
        source: io::Error,
    },
    /// Waiting failed.
    #[error("cannot wait for process {pid}: {source}")]
    Wait {
        /// The process.
        pid: u32,
        /// The system's reason.
        source: io::Error,
    },
    /// Orphans cannot be adopted.
    #[error("cannot adopt what loses its parent: {0}")]
    Adopt(io::Error),
    /// Members of the group live on after SIGKILL.
    #[error(
        "process group {pid} still has {left} members after SIGKILL; they may hang in the kernel, look at `ps -eo pid,pgid,stat,wchan`"
    )]
    Survived {
        /// The group.
        pid: u32,
        /// How many.
        left: usize,
    },
    /// Not one of the signals that ask a process to stop.
    #[error("`{0}` is no stop signal: expected TERM, INT, QUIT, HUP, USR1 or USR2")]
    UnknownSignal(String),
}
