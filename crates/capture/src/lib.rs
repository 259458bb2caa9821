//! Runs a child for seconds or days and keeps every byte that it prints.
//!
//! Floor 2. A small *keeper* owns the child's tree and holds the pipes; a *pump* moves their bytes to disk and may die and be started
//! again without losing one. What the bytes mean is `gonogo-dryrun`'s.
//!
//! One program plays all parts: started with [`ENTRY`] as its first argument, it is the keeper, the pump or the shim that becomes the
//! child. The harness calls [`Run::start`]; whoever comes after a crash calls [`finalize`]; whoever judges opens a [`Captured`].
//!
//! Invariants: a byte leaves the pipe exactly when it is in a file (splice(2)), so no kill at any moment loses one; nothing of a
//! run is left running when it is over; a full disk blocks the child and drops nothing; durations come from CLOCK_BOOTTIME.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use gonogo_dryrun::index::IndexError;

pub mod captured;
mod clock;
mod codec;
pub mod files;
mod finalize;
pub mod journal;
pub mod keeper;
mod pulse;
pub mod pump;
mod run;
pub mod shim;
mod space;
mod store;
mod tree;
mod wire;

pub use captured::Captured;
pub use clock::Clock;
pub use files::Files;
pub use finalize::{Finalized, finalize, leave_views_out};
pub use run::{Ask, Ended, Run, Running, restore};
pub use space::{LEAST_BALLAST, release_reserve, verdict_bytes};
pub use tree::MARK;

/// The first argument of this program's hidden parts.
pub const ENTRY: &str = "capture-part";

/// Plays a hidden part, if `arguments` (without the program's name) ask for one, and returns its exit code.
///
/// The program calls this before anything else, with no other thread running: the child's life is tied to the thread that starts it.
pub fn entry(arguments: &[OsString]) -> Option<i32> {
    let [first, rest @ ..] = arguments else {
        return None;
    };
    if first != ENTRY {
        return None;
    }
    let words: Vec<&str> = rest.iter().filter_map(|word| word.to_str()).collect();
    let directory = rest.get(1).map(Path::new)?;
    Some(match words.first().copied() {
        Some("keeper") => keeper::main(directory),
        Some("pump") => pump::main(directory),
        Some("shim") => {
            let number = |n: usize| rest.get(n).and_then(|word| word.to_str());
            match number(2).and_then(|text| text.parse().ok()) {
                Some(keeper) => shim::main(directory, keeper, number(3)),
                None => 64,
            }
        }
        _ => 64,
    })
}

/// Why a capture could not be begun, read or ended.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The run's directory is there already.
    #[error(
        "{} is there already: it belongs to an earlier run; choose another name, or finalize that run", .0.display()
    )]
    Exists(PathBuf),
    /// A file cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The specification is none.
    #[error("{} is no specification of a run: {source}", path.display())]
    Spec {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// A journal is damaged.
    #[error("{} is damaged at byte {at}: {reason}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Where.
        at: u64,
        /// Why.
        reason: String,
    },
    /// The index cannot be read.
    #[error("{}: {source}", path.display())]
    Index {
        /// Which.
        path: PathBuf,
        /// Why.
        source: IndexError,
    },
    /// The run goes on.
    #[error(
        "the run in {} still goes on: {holder}", directory.display()
    )]
    Running {
        /// Its directory.
        directory: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// A process cannot be started.
    #[error("`{}` cannot be started: {source}", program.display())]
    Start {
        /// Which program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system refused something.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl CaptureError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(io::Error) -> Self + use<> {
        move |source| Self::System { what, source }
    }

    pub(crate) fn write(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    pub(crate) fn read(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}
