//! Where the records of a run go, a dry run's as a suite's: the project's ledger, or, where there is no project, a ledger of its own beside the runs.
//!
//! A run may last for days, and nothing is held open meanwhile: each step opens the ledger, records, and lets go.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::{Clock, Digest, Reason, Timestamp};
use gonogo_ledger::Subject;
use gonogo_store::ledger::{Draft, Founding, Ledger, Receipt};
use serde_json::Value;

use crate::config::{Config, DryRunFile, Overrides};
use crate::identity::caller_name;
use crate::memory::Memory;
use crate::workspace::{Caller, STATE_DIR, make_dir};
use crate::{AppError, Workspace};

/// Who asks, and what configuration and clock there are.
#[derive(Clone)]
pub struct Home {
    /// Working directory, absolute.
    pub here: PathBuf,
    /// Which file.
    pub overrides: Overrides,
    /// Who asks.
    pub caller: Caller,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What this user has seen of logs.
    pub memory: Memory,
    /// This program.
    pub program: PathBuf,
    /// The configuration, if there is one.
    pub config: Option<Config>,
}

impl Home {
    /// Looks for a configuration. None is fine; one with a fault is not.
    ///
    /// # Errors
    /// Configuration faults; a file that was named and is not there.
    pub fn find(
        here: PathBuf,
        overrides: Overrides,
        caller: Caller,
        clock: Arc<dyn Clock>,
        memory: Memory,
    ) -> Result<Self, AppError> {
        let config = match Config::discover(&here, &overrides) {
            Ok(config) => Some(config),
            Err(e)
                if overrides.config.is_none()
                    && e.all().iter().all(|e| e.reason == Reason::ConfigNotFound) =>
            {
                None
            }
            Err(e) => return Err(e.into()),
        };
        let program =
            std::env::current_exe().map_err(|e| AppError::io("find", Path::new("gonogo"), &e))?;
        Ok(Self {
            here,
            overrides,
            caller,
            clock,
            memory,
            program,
            config,
        })
    }

    /// What the file says of dry runs.
    pub fn file(&self) -> DryRunFile {
        self.config
            .as_ref()
            .map(|c| c.dry_run.clone())
            .unwrap_or_default()
    }

    /// What relative paths of the file start from.
    pub fn root(&self) -> PathBuf {
        let root = self.config.as_ref().map(Config::root);
        root.map_or_else(|| self.here.clone(), |root| self.here.join(root))
    }

    /// The command that gives a run's verdict, or what was left out of its reports, as it has to be called from anywhere.
    pub fn finalize_command(&self, dir: &Path) -> String {
        let config = self.overrides.config.as_ref().map(|file| {
            let file = self.here.join(file);
            format!(" --config {}", file.display())
        });
        format!(
            "gonogo{} dry-run finalize {}",
            config.unwrap_or_default(),
            dir.display()
        )
    }

    /// Who asks, as records name them.
    ///
    /// # Errors
    /// The name cannot be one.
    pub fn actor(&self) -> Result<String, AppError> {
        caller_name(self.caller.name.as_deref())
    }

    /// Opens the ledger: the project's, or one in `beside`.
    ///
    /// # Errors
    /// As [`Workspace::open`].
    pub fn open(&self, beside: &Path) -> Result<Book, AppError> {
        if self.config.is_some() {
            let mut ws = Workspace::open(
                &self.here,
                &self.overrides,
                self.caller.clone(),
                Arc::clone(&self.clock),
            )?;
            ws.compare_with(self.memory.clone())?;
            let ledger = Arc::clone(&ws.ledger);
            return Ok(Book {
                ledger,
                workspace: Some(ws),
            });
        }
        let state = beside.join(STATE_DIR);
        make_dir(&state)?;
        let founding = Founding {
            origin: "ledger.dry-run",
            actor: "gonogo",
            time: self.clock.now().wall,
        };
        let ledger = Arc::new(Ledger::open(&state, founding)?);
        self.memory.compare(&ledger)?;
        Ok(Book {
            ledger,
            workspace: None,
        })
    }
}

/// An open ledger.
pub struct Book {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// The project that it belongs to, if it belongs to one.
    pub workspace: Option<Workspace>,
}

impl Book {
    /// Appends one record of a run, signed by the controller's key. A record whose key is there already is not written again.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn record(
        &self,
        run_id: &str,
        kind: &str,
        time: Timestamp,
        actor: &str,
        subject: Vec<(String, Digest)>,
        body: Value,
    ) -> Result<Receipt, AppError> {
        self.append(&stream(run_id), kind, time, actor, subject, body)
    }

    /// Appends one record of a stream, signed by the controller's key. One whose kind is in the stream already is not written again.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append(
        &self,
        stream: &str,
        kind: &str,
        time: Timestamp,
        actor: &str,
        subject: Vec<(String, Digest)>,
        body: Value,
    ) -> Result<Receipt, AppError> {
        self.append_keyed(stream, kind, kind, time, actor, subject, body)
    }

    /// Appends one record of a stream under a key of its own.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    #[expect(
        clippy::too_many_arguments,
        reason = "a record has this many parts and they come from different places"
    )]
    pub fn append_keyed(
        &self,
        stream: &str,
        key: &str,
        kind: &str,
        time: Timestamp,
        actor: &str,
        subject: Vec<(String, Digest)>,
        body: Value,
    ) -> Result<Receipt, AppError> {
        let draft = Draft {
            stream: stream.to_owned(),
            key: key.to_owned(),
            kind: kind.to_owned(),
            subject: subject
                .into_iter()
                .map(|(name, digest)| Subject { name, digest })
                .collect(),
            time,
            actor: actor.to_owned(),
            body,
            signer: None,
        };
        let receipts = self.ledger.append(vec![draft])?;
        receipts.into_iter().next().ok_or_else(|| {
            AppError::new(
                Reason::StoreFailed,
                "the ledger gave no receipt for a record",
            )
        })
    }
}

/// The stream of a run.
pub fn stream(run_id: &str) -> String {
    format!("run/dry-run/{run_id}")
}
