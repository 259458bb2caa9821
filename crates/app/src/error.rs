//! The one error of all use cases: a code, the words for the caller, causes for the log, reasons, and up to three hints.
//!
//! Doors render it; they never make one of their own for what a use case refused.

use std::fmt;
use std::path::Path;

use gonogo_core::envelope::{Code, Failure, Retry};
use gonogo_core::{Exit, Reason};
use serde_json::{Value, json};

use crate::secrets;

/// Why a use case refused or failed.
#[derive(Debug, Clone)]
pub struct AppError {
    /// The weightiest reason; decides code and exit.
    pub reason: Reason,
    /// Further reasons.
    pub others: Vec<Reason>,
    /// What failed, on which object, why.
    pub message: String,
    /// What to do next, at most three.
    pub hints: Vec<String>,
    /// Machine-readable details beside the reason codes.
    pub details: Value,
}

impl AppError {
    /// Makes an error. The catalogue's next action becomes its hint until a better one is given. What looks like a secret in its words is
    /// masked: they are told, logged and kept.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            others: Vec::new(),
            message: secrets::masked(message.into()),
            hints: Vec::new(),
            details: json!({}),
        }
    }

    /// Adds a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if self.hints.len() < 3 {
            self.hints.push(secrets::masked(hint.into()));
        }
        self
    }

    /// Adds machine-readable details.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        if let Some(map) = self.details.as_object_mut() {
            map.insert(key.into(), secrets::masked_in(value.into()));
        }
        self
    }

    /// Adds further reasons.
    pub fn and(mut self, reasons: &[Reason]) -> Self {
        self.others
            .extend(reasons.iter().filter(|r| **r != self.reason));
        self
    }

    /// An input or output fault on `path`.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        let reason = match error.kind() {
            ErrorKind::NotFound => Reason::InputNotFound,
            ErrorKind::PermissionDenied => Reason::PermissionDenied,
            ErrorKind::StorageFull => Reason::StoreFull,
            _ => Reason::StoreFailed,
        };
        Self::new(
            reason,
            format!("cannot {what} `{}`: {error}", path.display()),
        )
    }

    /// Exit code of a command that ends with this error.
    pub fn exit(&self) -> Exit {
        self.reason.exit()
    }

    /// Hints to show: the given ones, else the catalogue's next action.
    pub fn shown_hints(&self) -> Vec<String> {
        if self.hints.is_empty() {
            vec![self.reason.next_action().to_owned()]
        } else {
            self.hints.clone()
        }
    }

    /// The contract's code.
    pub fn code(&self) -> Code {
        match self.exit() {
            _ if self.is_conflict() => Code::Conflict,
            _ if self.is_of_access() => Code::Unauthorized,
            _ if matches!(self.reason, Reason::Overloaded | Reason::RateLimited) => Code::RateLimit,
            _ if self.reason == Reason::DeadlineExceeded => Code::UpstreamTimeout,
            Exit::Permission
                if self.reason != Reason::KeyUnreadable
                    && self.reason != Reason::PermissionDenied =>
            {
                Code::ApprovalRequired
            }
            Exit::Permission => Code::AuthFailure,
            Exit::Usage | Exit::Input | Exit::NotFound | Exit::Config => {
                Code::InputValidationFailed
            }
            Exit::Unavailable => Code::DependencyUnavailable,
            _ => Code::RunnerError,
        }
    }

    fn is_conflict(&self) -> bool {
        matches!(
            self.reason,
            Reason::ConfigChanged
                | Reason::ArtifactChanged
                | Reason::ToolChanged
                | Reason::PlanEdited
                | Reason::PlanUnrecorded
                | Reason::PlanSuperseded
                | Reason::ApprovalUsed
                | Reason::IncidentClosed
                | Reason::RejectionStands
                | Reason::TimeRefused
                | Reason::PostureOpen
                | Reason::BaseStateMoved
                | Reason::IdempotencyConflict
                | Reason::OperationOpen
                | Reason::LeaseHeld
                | Reason::LeaseLost
                | Reason::FingerprintMismatch
                | Reason::ResourceChanged
                | Reason::Frozen
                | Reason::FreezeActive
                | Reason::FreezeOfConfig
                | Reason::PinActive
                | Reason::KnownGoodGone
        )
    }

    fn is_of_access(&self) -> bool {
        matches!(
            self.reason,
            Reason::Unauthenticated
                | Reason::ScopeMissing
                | Reason::AgentMayNotDecide
                | Reason::CsrfMissing
                | Reason::HostRefused
                | Reason::TokenAudience
        )
    }

    /// The contract's error block.
    pub fn failure(&self) -> Failure {
        let code = self.code();
        let retry = match (code, self.reason) {
            (Code::DependencyUnavailable, Reason::AgentUnreachable) => {
                Some(Retry::TransportUnavailable)
            }
            (Code::DependencyUnavailable, Reason::StoreFull | Reason::IssuerKeysStale) => {
                Some(Retry::DependencyUnavailable)
            }
            (Code::RateLimit, _) => Some(Retry::RateLimit),
            (Code::UpstreamTimeout, _) => Some(Retry::UpstreamTimeout),
            (Code::DependencyUnavailable, Reason::ServerUnreachable) => {
                Some(Retry::TransportUnavailable)
            }
            (Code::DependencyUnavailable, Reason::ServerFailed) => Some(Retry::Upstream5xx),
            (Code::DependencyUnavailable, Reason::WorkflowUnwired) => {
                Some(Retry::DependencyUnavailable)
            }
            (Code::DependencyUnavailable, Reason::WorkflowBusy) => Some(Retry::RateLimit),
            (Code::DependencyUnavailable, Reason::WorkflowTimeout) => Some(Retry::UpstreamTimeout),
            (Code::DependencyUnavailable, Reason::WorkflowFailed) => Some(Retry::Upstream5xx),
            (Code::DependencyUnavailable, Reason::WorkflowUnreachable) => {
                Some(Retry::TransportUnavailable)
            }
            _ => None,
        };
        let mut details = self.details.clone();
        if let Some(map) = details.as_object_mut() {
            map.insert("hints".into(), json!(self.shown_hints()));
        }
        Failure::new(
            code,
            self.message.clone(),
            retry,
            self.reason,
            &self.others,
            details,
        )
    }
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for AppError {}

impl From<gonogo_store::StoreError> for AppError {
    fn from(e: gonogo_store::StoreError) -> Self {
        Self::new(e.reason(), e.to_string())
    }
}

impl From<gonogo_store::ledger::LedgerError> for AppError {
    fn from(e: gonogo_store::ledger::LedgerError) -> Self {
        Self::new(e.reason(), e.to_string())
    }
}

impl From<gonogo_ledger::Error> for AppError {
    fn from(e: gonogo_ledger::Error) -> Self {
        Self::new(Reason::InputMalformed, e.to_string())
    }
}

impl From<gonogo_tlog::Error> for AppError {
    fn from(e: gonogo_tlog::Error) -> Self {
        use gonogo_tlog::Error;
        use std::io::ErrorKind;
        let reason = match &e {
            Error::Io { source, .. } => match source.kind() {
                ErrorKind::NotFound => Reason::InputNotFound,
                ErrorKind::PermissionDenied => Reason::PermissionDenied,
                ErrorKind::StorageFull => Reason::StoreFull,
                _ => Reason::StoreFailed,
            },
            Error::Listen { .. } => Reason::PortTaken,
            Error::Busy { .. } => Reason::StoreFailed,
            Error::Missing { .. } | Error::Damaged { .. } => Reason::LedgerCorrupt,
            Error::State { .. } => Reason::WitnessStateDamaged,
            Error::Destination { .. } | Error::Setting { .. } => Reason::ArgumentInvalid,
            Error::Refused { .. } | Error::Exhausted { .. } => Reason::ExportFailed,
            Error::Different { .. } | Error::Foreign { .. } => Reason::ExportConflict,
            Error::Rollback { .. } => Reason::LedgerRolledBack,
            Error::Fork { .. } => Reason::SplitView,
            Error::Ledger(_) => Reason::InputMalformed,
        };
        Self::new(reason, e.to_string())
    }
}

impl From<crate::config::ConfigError> for AppError {
    fn from(e: crate::config::ConfigError) -> Self {
        let mut error = Self::new(e.reason, e.to_string());
        error.hints.clone_from(&e.hints);
        error
    }
}

impl From<crate::config::ConfigErrors> for AppError {
    fn from(e: crate::config::ConfigErrors) -> Self {
        let first = e.first();
        let told = |fault: &crate::config::ConfigError| {
            let marked = fault
                .excerpt
                .iter()
                .flat_map(|x| x.lines())
                .map(|line| format!("\n    {line}"));
            marked.fold(fault.to_string(), |all, line| all + &line)
        };
        let all: Vec<String> = e.all().iter().map(told).collect();
        let reasons: Vec<Reason> = e.all().iter().map(|e| e.reason).collect();
        let mut error = Self::new(first.reason, all.join("\n")).and(&reasons);
        error.hints = e
            .all()
            .iter()
            .flat_map(|e| e.hints.clone())
            .take(3)
            .collect();
        error
    }
}

impl From<gonogo_core::canonical::CanonicalError> for AppError {
    fn from(e: gonogo_core::canonical::CanonicalError) -> Self {
        Self::new(Reason::InputMalformed, e.to_string())
    }
}
