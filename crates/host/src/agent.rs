//! The host agent: one process that runs the versions of one environment on one machine and splits its traffic over them.
//!
//! Controllers reach it over a unix socket (`docs/reference/agent-protocol.md`); it holds the [`Proxy`](crate::proxy::Proxy) and starts, watches and ends the
//! versions' processes with `gonogo_exec`. It decides nothing about a release: it does what a call says, or says exactly why not.
//!
//! Invariants:
//! - One agent per state directory, by lock. No half-started process can outlive the holder unseen: a forked child holds the lock until
//!   it runs the version's program with its mark in the environment.
//! - Intent, fence and outcome of a call are durable before it acts, and before it answers.
//! - Versions outlive the agent. Whatever carries the agent's mark and belongs to no slot is ended by the next agent.
//! - No call is open when an agent begins to listen for calls: what the last one left open is settled by looking.
//! - All changes of slots, weights and readiness happen under one lock, which is never held while waiting for a version.

mod control;
pub(crate) mod home;
mod keep;
mod kept;
mod live;
mod ready;
mod recover;
mod shift;
mod start;
mod state;
mod stop;
mod view;
pub(crate) mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use gonogo_core::Reason;
use gonogo_exec::ExecError;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use self::live::Agent;
use crate::proxy::{Config, Limits, ProxyError, Sticky};

/// Says of each file of a version, in order, whether the agent in `dir` kept it to the byte.
pub fn kept(
    dir: &std::path::Path,
    spec: &gonogo_release::plan::VersionSpec,
    content: gonogo_core::Digest,
) -> Vec<bool> {
    kept::intact(&dir.join("releases"), spec, content)
}

/// How long requests in flight may take when the agent ends.
const GRACE: Duration = Duration::from_secs(5);
/// How long calls under way may take when the agent ends.
const CALLS_GRACE: Duration = Duration::from_secs(2);

/// How an agent runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its state directory, one per environment; created 0700.
    pub dir: PathBuf,
    /// Address that the environment's traffic comes to.
    pub listen: SocketAddr,
    /// Session affinity, if wanted.
    pub sticky: Option<Sticky>,
    /// Proxy threads; 0 is one per core.
    pub workers: usize,
    /// Directory that relative artifact paths start from.
    pub project: PathBuf,
    /// Name of the environment.
    pub environment: String,
    /// Whether a command started it by itself, for people who ask.
    pub autostarted: bool,
}

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Another agent holds the directory.
    #[error("another agent ({holder}) already serves {dir}; use it, or stop it first")]
    Running {
        /// The state directory.
        dir: PathBuf,
        /// Its process, as far as known.
        holder: String,
    },
    /// The traffic address is in use.
    #[error(
        "cannot listen on {listen}: the port is used by another process; stop that process, or change `listen`"
    )]
    PortTaken {
        /// The address.
        listen: SocketAddr,
    },
    /// The system refuses access.
    #[error(
        "cannot {act} {object}: permission denied; check its owner and permissions, or run as the right user"
    )]
    PermissionDenied {
        /// What was tried.
        act: &'static str,
        /// On what.
        object: String,
    },
    /// A file or directory cannot be used.
    #[error("cannot {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The stored state is not ours or damaged.
    #[error(
        "the agent's state {path} cannot be used: {text}; restore it, or stop the versions by hand and remove it"
    )]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        text: String,
    },
    /// The proxy cannot run.
    #[error(transparent)]
    Proxy(ProxyError),
    /// Processes cannot be looked at or ended.
    #[error(transparent)]
    Exec(#[from] ExecError),
}

impl AgentError {
    /// The catalogue's reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Running { .. } => Reason::AgentRefused,
            Self::PortTaken { .. } => Reason::PortTaken,
            Self::PermissionDenied { .. } => Reason::PermissionDenied,
            Self::State { .. } | Self::Io { .. } => Reason::StoreFailed,
            Self::Proxy(_) => Reason::AgentUnreachable,
            Self::Exec(_) => Reason::Internal,
        }
    }

    /// Sorts an IO error: a refusal of access is its own case.
    fn io(act: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::PermissionDenied {
                act,
                object: path.display().to_string(),
            };
        }
        Self::Io { act, path, source }
    }

    fn proxy(error: ProxyError) -> Self {
        match error {
            ProxyError::Listen { addr, source } if source.kind() == io::ErrorKind::AddrInUse => {
                Self::PortTaken { listen: addr }
            }
            ProxyError::Listen { addr, source }
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Self::PermissionDenied {
                    act: "listen on",
                    object: addr.to_string(),
                }
            }
            other => Self::Proxy(other),
        }
    }
}

/// Runs an agent until SIGTERM, SIGINT or a shutdown request; calls `ready` once it listens and answers. Versions go on running unless the request says otherwise.
///
/// # Errors
/// [`AgentError`] if it cannot begin. Nothing was changed then, unless the text says so.
pub fn run(settings: Settings, ready: impl FnOnce()) -> Result<(), AgentError> {
    let dir = settings.dir.clone();
    begin_and_serve(settings, ready).inspect_err(|e| home::Failure::leave(&dir, e))
}

fn begin_and_serve(mut settings: Settings, ready: impl FnOnce()) -> Result<(), AgentError> {
    settings.project = std::path::absolute(&settings.project)
        .map_err(|e| AgentError::io("find", &settings.project, e))?;
    let home = home::Home::open(&settings.dir)?;
    let stored = home.load(&settings.environment)?;
    let (halt, halted) = mpsc::channel();
    let config = Config {
        listen: settings.listen,
        workers: settings.workers,
        sticky: settings.sticky.clone(),
        limits: Limits::default(),
    };
    let agent = Agent::open(settings, home, stored, config)?;
    recover::settle(&agent)?;
    control::listen(&agent, halt.clone())?;
    on_signals(halt)?;
    ready();
    // An error means that every sender is gone, which is an end, too.
    let _ = halted.recv();
    agent.finish(CALLS_GRACE, GRACE);
    Ok(())
}

/// Turns SIGTERM and SIGINT into an end. SIGHUP is taken and ignored: a closed terminal does not end the traffic.
fn on_signals(halt: mpsc::Sender<()>) -> Result<(), AgentError> {
    let failed = |source| AgentError::io("handle signals for", "/proc/self", source);
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(failed)?;
    let body = move || {
        for signal in signals.forever() {
            if signal != SIGHUP {
                // The receiver is gone only when the agent already ends.
                let _ = halt.send(());
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(body)
        .map(|_| ())
        .map_err(failed)
}
