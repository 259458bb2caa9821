//! A project that stays open while many callers come and go: one store and one ledger, and the configuration as it is on disk now.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use gonogo_core::{Clock, Reason};
pub use gonogo_store::Generation;

use gonogo_telemetry::Tracer;

use crate::config::{Config, Overrides};
use crate::memory::Memory;
use crate::workspace::Caller;
use crate::{AppError, Workspace};

/// An open project, shared between threads.
pub struct Project {
    root: Workspace,
    read: RwLock<Read>,
}

/// The configuration, and which file it was read from.
struct Read {
    config: Arc<Config>,
    of: Option<Stamp>,
}

/// What changes when a file is written again.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let meta = std::fs::metadata(path).ok()?;
        Some(Self {
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        })
    }
}

impl Project {
    /// Opens the project at or above `start` and keeps it open.
    ///
    /// # Errors
    /// As [`Workspace::open`] and [`Workspace::compare_with`].
    pub fn open(
        start: &Path,
        overrides: &Overrides,
        clock: Arc<dyn Clock>,
        memory: Memory,
    ) -> Result<Self, AppError> {
        let mut root = Workspace::open(start, overrides, Caller::default(), clock)?;
        root.compare_with(memory)?;
        let read = Read {
            config: Arc::clone(&root.config),
            // What lies there now may be newer than what was read: the first caller compares.
            of: None,
        };
        Ok(Self {
            root,
            read: RwLock::new(read),
        })
    }

    /// Lets spans of what is done here go this way.
    pub fn telling(mut self, tracer: Tracer) -> Self {
        self.root.tracer = tracer;
        self
    }

    /// The project as it was opened, in nobody's name.
    pub fn root(&self) -> &Workspace {
        &self.root
    }

    /// The project as `caller` sees it, with the configuration that is on disk now.
    ///
    /// # Errors
    /// Configuration faults: a file that was broken since is not passed over.
    pub fn workspace(&self, caller: Caller, trace: Option<String>) -> Result<Workspace, AppError> {
        let config = self.config()?;
        Ok(self.root.seen_by(caller, config, trace))
    }

    /// What was committed to the store so far, by whomever.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn generation(&self) -> Result<Option<Generation>, AppError> {
        Ok(self.root.store.generation()?)
    }

    /// The configuration that is on disk now.
    ///
    /// # Errors
    /// [`Reason::ServerMisconfigured`], with the faults' own reasons behind it.
    pub fn config(&self) -> Result<Arc<Config>, AppError> {
        let path: &PathBuf = &self.root.config.path;
        let now = Stamp::of(path);
        {
            let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
            if now.is_some() && read.of == now {
                return Ok(Arc::clone(&read.config));
            }
        }
        let config = Arc::new(Config::read(path).map_err(|e| misconfigured(&e.into()))?);
        // A webhook that is new hears of whatever is recorded from now on, whoever sends it, and however late.
        let new = self
            .root
            .seen_by(Caller::default(), Arc::clone(&config), None);
        drop(crate::notices::begin(&new));
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        // A file that was written while it was read is read again by the next caller.
        read.of = now.filter(|_| Stamp::of(path) == now);
        read.config = Arc::clone(&config);
        Ok(config)
    }
}

/// The detail of [`Reason::ServerMisconfigured`] that names the file and the line: not for everybody.
pub const FAULT: &str = "configuration";

/// A file that cannot be read is no fault of whoever asks.
fn misconfigured(fault: &AppError) -> AppError {
    let text =
        "this server's configuration was changed and cannot be read, so nothing is answered by it";
    AppError::new(Reason::ServerMisconfigured, text)
        .and(&[fault.reason])
        .and(&fault.others)
        .with(FAULT, fault.message.as_str())
}
