//! A project as the use cases see it: its configuration, its state directory, its clock, and who asks.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use gonogo_core::{Clock, Reason, Span, Timestamp};
use gonogo_store::Store;
use gonogo_store::ledger::{Filter, Founding, Ledger, RecordView};
use gonogo_telemetry::Tracer;
use serde_json::Value;

use crate::config::{Config, Overrides};
use crate::identity::Identity;
use crate::marks::Marks;
use crate::memory::Memory;
use crate::{AppError, bond};

/// Name of the state directory beside `gonogo.toml`.
pub const STATE_DIR: &str = ".gonogo";

/// How far the wall clock may read behind the newest record: skew between two processes that write at once.
const BACKWARDS: Span = Span::from_secs(2);

/// Who asks, as given at a door.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Name; the operating system's user name if absent.
    pub name: Option<String>,
    /// File with the caller's P-256 key; the project's key of that name if absent.
    pub key: Option<PathBuf>,
    /// The person whom the caller, an agent, acts for.
    pub acts_for: Option<String>,
    /// By which means they showed who they are, where they came in by a login and not as the user of this machine.
    pub login: Option<String>,
}

/// An open project.
pub struct Workspace {
    /// The configuration.
    pub config: Arc<Config>,
    /// The state directory.
    pub state: PathBuf,
    /// Operations.
    pub store: Arc<Store>,
    /// Evidence.
    pub ledger: Arc<Ledger>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who asks.
    pub caller: Caller,
    /// What this user has seen of logs.
    pub memory: Memory,
    /// Whether the ledger is the one that was seen, so that what it becomes is remembered.
    remembers: bool,
    /// The program to start agents and controllers with; none inside tests that bring their own.
    pub program: PathBuf,
    /// Whether the command goes back, which must be possible on any clock.
    pub retreats: bool,
    /// Ties what is asked to what comes of it; none where nobody said one.
    pub trace: Option<String>,
    /// The call that this is for, as a `traceparent`: what it begins is a part of it.
    pub within: Option<String>,
    /// Where spans of what goes on here go.
    pub tracer: Tracer,
    /// Where what is asked writes, if it came with a key of its caller's.
    pub(crate) marks: Option<Marks>,
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if self.remembers {
            self.memory.remember_ledger(&self.ledger);
        }
    }
}

impl Workspace {
    /// Opens the project at or above `start`.
    ///
    /// # Errors
    /// Configuration, permission and ledger faults, each with its own reason.
    pub fn open(
        start: &Path,
        overrides: &Overrides,
        caller: Caller,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AppError> {
        let config = Config::discover(start, overrides)?;
        let state = config.root().join(STATE_DIR);
        make_dir(&state)?;
        let store = Arc::new(Store::open(&state)?);
        let origin = format!("ledger.{}", config.service);
        let founding = Founding {
            origin: &origin,
            actor: "gonogo",
            time: clock.now().wall,
        };
        bond::before(&store, &state)?;
        let ledger = Arc::new(Ledger::open(&state, founding)?);
        bond::check(&store, &ledger, &state)?;
        let program =
            std::env::current_exe().map_err(|e| AppError::io("find", Path::new("gonogo"), &e))?;
        Ok(Self {
            config: Arc::new(config),
            state,
            store,
            ledger,
            clock,
            caller,
            memory: Memory::none(),
            remembers: false,
            program,
            retreats: false,
            trace: None,
            within: None,
            tracer: Tracer::off(),
            marks: None,
        })
    }

    /// The same project as somebody else sees it, with `config` for its configuration. What this user remembers of the ledger stays
    /// with the workspace that was opened.
    pub(crate) fn seen_by(
        &self,
        caller: Caller,
        config: Arc<Config>,
        trace: Option<String>,
    ) -> Self {
        Self {
            config,
            state: self.state.clone(),
            store: Arc::clone(&self.store),
            ledger: Arc::clone(&self.ledger),
            clock: Arc::clone(&self.clock),
            caller,
            memory: self.memory.clone(),
            remembers: false,
            program: self.program.clone(),
            retreats: false,
            trace,
            within: None,
            tracer: self.tracer.clone(),
            marks: None,
        }
    }

    /// The same project for the same caller, in another trace; in the same one if none is given.
    pub(crate) fn in_trace(&self, trace: Option<String>) -> Self {
        let config = Arc::clone(&self.config);
        self.seen_by(
            self.caller.clone(),
            config,
            trace.or_else(|| self.trace.clone()),
        )
    }

    /// The same project for one call, whose `traceparent` this is.
    pub fn within(&self, call: Option<String>) -> Self {
        let (caller, config) = (self.caller.clone(), Arc::clone(&self.config));
        let mut same = self.seen_by(caller, config, self.trace.clone());
        same.retreats = self.retreats;
        same.within = call;
        same
    }

    /// The wall clock, unless it reads earlier than the newest record. Then the newest record's time for a command that goes
    /// back: traffic must get away from a bad version though a clock was wrong once.
    ///
    /// # Errors
    /// [`Reason::ClockWentBack`]: whatever was asked must not happen on such a clock.
    pub fn now(&self) -> Result<Timestamp, AppError> {
        let now = self.clock.now().wall;
        match self.ledger.newest_time()? {
            Some(newest) if newest > now && self.retreats => Ok(newest),
            Some(newest) if newest > now.after(BACKWARDS) => Err(AppError::new(
                Reason::ClockWentBack,
                format!(
                    "the clock reads {now}, and the newest record was written at {newest}; nothing was changed"
                ),
            )
            .hint("set the clock right")
            .hint("if it is right now and was wrong then: `gonogo cancel` and `gonogo rollback` work meanwhile")),
            _ => Ok(now),
        }
    }

    /// Remembers what this user saw of the ledger, and compares it with what they saw before.
    ///
    /// # Errors
    /// [`Reason::LedgerRolledBack`], [`Reason::SplitView`]: it is not the ledger that was seen.
    pub fn compare_with(&mut self, memory: Memory) -> Result<(), AppError> {
        let same = memory.compare(&self.ledger);
        self.memory = memory;
        self.remembers = same.is_ok();
        same
    }

    /// The caller's name and key, enrolled in the ledger.
    ///
    /// # Errors
    /// [`Reason::KeyUnreadable`], [`Reason::KeyNotListed`].
    pub fn identity(&self) -> Result<Identity, AppError> {
        Identity::of(self)
    }

    /// File of the key that the caller signs with: the given one, else the project's of that name.
    pub(crate) fn key_file(&self, name: &str) -> PathBuf {
        self.caller
            .key
            .clone()
            .unwrap_or_else(|| crate::identity::key_path(&self.state, name))
    }

    /// Keeps a refusal as evidence and gives it back. `actor` must be proven: a name whose key was checked, or a key.
    pub fn refused(&self, stream: &str, actor: &str, error: AppError) -> AppError {
        let time = self.clock.now().wall;
        let body = serde_json::json!({
            "reasons": std::iter::once(&error.reason).chain(&error.others).collect::<Vec<_>>(),
            "message": error.message,
            "details": error.details,
        });
        match self.record(
            stream,
            &format!("refusal/{}", crate::identity::nonce()),
            "refusal",
            time,
            actor,
            None,
            body,
        ) {
            Ok(()) => error,
            // The refusal stands either way; that it could not be recorded is said beside it.
            Err(fault) => error.hint(format!("the refusal could not be recorded: {fault}")),
        }
    }

    /// Appends one record, signed by the project's controller key.
    #[expect(
        clippy::too_many_arguments,
        reason = "a record has this many parts and they come from different places"
    )]
    pub(crate) fn record(
        &self,
        stream: &str,
        key: &str,
        kind: &str,
        time: Timestamp,
        actor: &str,
        subject: Option<(String, gonogo_core::Digest)>,
        body: Value,
    ) -> Result<(), AppError> {
        let draft = gonogo_store::ledger::Draft {
            stream: stream.into(),
            key: key.into(),
            kind: kind.into(),
            subject: subject
                .into_iter()
                .map(|(name, digest)| gonogo_ledger::Subject { name, digest })
                .collect(),
            time,
            actor: actor.into(),
            body,
            signer: None,
        };
        self.ledger.append(vec![draft])?;
        Ok(())
    }

    /// Every record of a stream and a kind.
    pub(crate) fn every(&self, stream: String, kind: &str) -> Result<Vec<RecordView>, AppError> {
        Ok(self.ledger.every(Filter {
            stream: Some(stream),
            kind: Some(kind.into()),
            ..Filter::default()
        })?)
    }

    /// Path of a plan's file.
    pub fn plan_path(&self, id: &gonogo_core::id::PlanId) -> PathBuf {
        self.state.join("plans").join(format!("{id}.json"))
    }

    /// Refuses a place for output where this project's own state lies.
    ///
    /// # Errors
    /// [`Reason::OutputFailed`].
    pub(crate) fn keeps_its_own(&self, path: &Path) -> Result<(), AppError> {
        let (Ok(state), Ok(dir)) = (self.state.canonicalize(), parent(path).canonicalize()) else {
            // Whoever writes there says what is wrong with it.
            return Ok(());
        };
        if !dir.starts_with(&state) || dir == state.join("packets") {
            return Ok(());
        }
        let text = format!(
            "cannot write `{}`: this project's own state lies there",
            path.display()
        );
        Err(AppError::new(Reason::OutputFailed, text).hint("give a path outside of `.gonogo`"))
    }

    /// Every file in the directory of packets, what an interrupted command left there included.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub(crate) fn packets(&self) -> Result<Vec<PathBuf>, AppError> {
        let dir = self.state.join("packets");
        let fault = |e: std::io::Error| AppError::io("read", &dir, &e);
        let entries = match std::fs::read_dir(&dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(fault)?,
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry.map_err(fault)?;
            if entry.file_type().map_err(fault)?.is_file() {
                all.push(entry.path());
            }
        }
        all.sort_unstable();
        Ok(all)
    }

    /// Path of an operation's packet.
    pub fn packet_path(&self, id: &gonogo_core::id::OperationId) -> PathBuf {
        self.state.join("packets").join(format!("{id}.tar"))
    }
}

/// Makes a directory that only its owner can enter.
pub(crate) fn make_dir(path: &Path) -> Result<(), AppError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| AppError::io("create", path, &e))
}

/// The directory that holds `path`; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Says whether a file can be put at `path`: its directory is there, and a rename would not put the file in the place of a device,
/// a pipe, a link or a directory.
pub(crate) fn can_be_written(path: &Path) -> Result<(), AppError> {
    let dir = parent(path);
    let why = match std::fs::symlink_metadata(path) {
        Ok(m) if !m.is_file() => "it is there and no plain file".to_owned(),
        _ if !dir.is_dir() => format!("`{}` is no directory", dir.display()),
        _ => return Ok(()),
    };
    let text = format!("cannot write `{}`: {why}", path.display());
    Err(AppError::new(Reason::OutputFailed, text))
}

/// Writes a report where somebody asked for it; its directory is made.
///
/// # Errors
/// [`Reason::OutputFailed`] if it cannot be written there.
pub fn write_report(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    make_dir(parent(path))?;
    write_atomic(path, bytes)
}

/// Writes a file so that readers see the old bytes or the new ones, and a crash leaves one of both.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), AppError> {
    use std::io::Write;
    can_be_written(path)?;
    let dir = parent(path);
    let fault = |e: std::io::Error| AppError::io("write", path, &e);
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(fault)?;
    file.write_all(bytes).map_err(fault)?;
    file.as_file().sync_all().map_err(fault)?;
    file.persist(path).map_err(|e| fault(e.error))?;
    std::fs::File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(fault)
}
