//! The host agent from outside: [`HostTarget`] speaks the control protocol and is the engine's target.
//!
//! Invariant: `NotApplied` is answered only when the agent certainly did not and will not act: it could not be reached, or the request's
//! last byte, its newline, could not be sent. Everything between that and an answer is `Unknown`.

mod exchange;
mod launch;

use std::path::{Path, PathBuf};
use std::time::Duration;

use gonogo_core::{Reason, Span};
use gonogo_release::{Observed, Outcome, Sample};
use gonogo_target::{Call, Target};

use self::exchange::Broken;
pub use crate::agent::wire::Hello;
use crate::agent::wire::{PROTOCOL, Reply, Request};

/// Time for the way there and back, on top of what the agent may take.
const WAY: Duration = Duration::from_millis(250);

/// The agent of one state directory.
#[derive(Debug, Clone)]
pub struct HostTarget {
    dir: PathBuf,
}

/// Why an agent could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("the agent of {dir} does not answer: {text}; start it with `gonogo agent`")]
    Unreachable {
        /// Its state directory.
        dir: PathBuf,
        /// What was seen.
        text: String,
    },
    /// It refused.
    #[error("the agent of {dir} refused: {text}")]
    Refused {
        /// Its state directory.
        dir: PathBuf,
        /// Its reason.
        reason: Reason,
        /// In its words.
        text: String,
    },
    /// It speaks another protocol.
    #[error(
        "the agent of {dir} speaks protocol {found}, this program {PROTOCOL}; stop it with its own version, then start this one"
    )]
    Protocol {
        /// Its state directory.
        dir: PathBuf,
        /// Its protocol.
        found: u32,
    },
    /// A new agent could not be started.
    #[error("the agent of {dir} could not be started: {text}")]
    NotStarted {
        /// Its state directory.
        dir: PathBuf,
        /// The agent's own reason, if it gave one.
        reason: Reason,
        /// Why, with the end of its log.
        text: String,
    },
}

impl ClientError {
    /// The catalogue's reason.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreachable { .. } => Reason::AgentUnreachable,
            Self::Protocol { .. } => Reason::AgentRefused,
            Self::Refused { reason, .. } | Self::NotStarted { reason, .. } => *reason,
        }
    }
}

impl HostTarget {
    /// The agent whose state directory is `dir`. Nothing is looked at yet.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The agent's state directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Asks who the agent is.
    ///
    /// # Errors
    /// [`ClientError`] if it does not answer within `limit` or speaks another protocol.
    pub fn hello(&self, limit: Span) -> Result<Hello, ClientError> {
        match self.ask(&Request::Hello {}, limit)? {
            Reply::Hello { hello } if hello.protocol == PROTOCOL => Ok(hello),
            Reply::Hello { hello } => Err(ClientError::Protocol {
                dir: self.dir.clone(),
                found: hello.protocol,
            }),
            other => Err(self.odd(&other)),
        }
    }

    /// Reads slots, weights and readiness. Unlike [`gonogo_release::Action::Observe`] it needs no epoch: it is for people.
    ///
    /// # Errors
    /// [`ClientError`] if the agent does not answer within `limit`.
    pub fn observe(&self, limit: Span) -> Result<Observed, ClientError> {
        match self.ask(&Request::Observe {}, limit)? {
            Reply::Observed { observed } => Ok(observed),
            other => Err(self.odd(&other)),
        }
    }

    /// Reads the last `lines` (at most 1,000) lines of a slot's log.
    ///
    /// # Errors
    /// [`ClientError`] if there is none or the agent does not answer within `limit`.
    pub fn logs(&self, slot: &str, lines: u32, limit: Span) -> Result<Vec<String>, ClientError> {
        match self.ask(
            &Request::Logs {
                slot: slot.into(),
                lines,
            },
            limit,
        )? {
            Reply::Logs { lines } => Ok(lines),
            other => Err(self.odd(&other)),
        }
    }

    /// Ends the agent. Versions go on unless `stop_services`; then traffic is taken away and all of them are stopped first.
    ///
    /// # Errors
    /// [`ClientError`] if it does not agree within `limit`.
    pub fn shutdown(&self, stop_services: bool, limit: Span) -> Result<(), ClientError> {
        match self.ask(&Request::Shutdown { stop_services }, limit)? {
            Reply::Bye {} => Ok(()),
            other => Err(self.odd(&other)),
        }
    }

    /// Makes sure that an agent answers: if none does, starts `exe` with `args` as a detached process whose output goes to `agent.log` in
    /// the state directory, and waits up to `within` until it answers.
    ///
    /// # Errors
    /// [`ClientError::NotStarted`] with the agent's own reason ([`Reason::PortTaken`], [`Reason::PermissionDenied`], …) and the end of its
    /// log; [`ClientError::Protocol`] if another version's agent runs.
    pub fn ensure_running(
        &self,
        exe: &Path,
        args: &[std::ffi::OsString],
        within: Span,
    ) -> Result<Hello, ClientError> {
        launch::ensure_running(self, exe, args, within)
    }

    fn ask(&self, request: &Request, limit: Span) -> Result<Reply, ClientError> {
        match exchange::exchange(&self.dir, request, limit.to_std()) {
            Ok(Reply::Error { reason, text }) => Err(ClientError::Refused {
                dir: self.dir.clone(),
                reason,
                text,
            }),
            Ok(reply) => Ok(reply),
            Err(Broken::NotSent(text) | Broken::Lost(text)) => Err(ClientError::Unreachable {
                dir: self.dir.clone(),
                text,
            }),
        }
    }

    fn odd(&self, reply: &Reply) -> ClientError {
        let text = format!("the answer does not fit the question: {reply:?}")
            .chars()
            .take(200)
            .collect();
        ClientError::Unreachable {
            dir: self.dir.clone(),
            text,
        }
    }
}

impl Target for HostTarget {
    fn call(&self, call: &Call) -> Outcome {
        match exchange::exchange(&self.dir, &Request::of(call), call.deadline.to_std() + WAY) {
            Ok(Reply::Outcome { outcome }) => outcome,
            // Errors are answered only to requests that were not acted on.
            Ok(Reply::Error { reason, text }) => Outcome::NotApplied { reason, text },
            Ok(other) => Outcome::Unknown {
                text: self.odd(&other).to_string(),
            },
            Err(Broken::NotSent(text)) => Outcome::NotApplied {
                reason: Reason::AgentUnreachable,
                text,
            },
            Err(Broken::Lost(text)) => Outcome::Unknown { text },
        }
    }

    fn sample(&self, deadline: Span) -> Result<Sample, String> {
        match self.ask(&Request::Sample {}, deadline) {
            Ok(Reply::Sample { sample }) => Ok(sample),
            Ok(other) => Err(self.odd(&other).to_string()),
            Err(e) => Err(e.to_string()),
        }
    }
}
