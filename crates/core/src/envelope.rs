//! The reply envelope, contract 1.1.0: what `--json` prints and what HTTP and MCP answer.
//!
//! `{success, metadata, policy, data | error}`. `error.details.reasonCodes` is never empty, and a retriable error always
//! says why it is retriable: [`Failure::new`] and [`Retry`] leave no way around that.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::reason::Reason;
use crate::time::Timestamp;

/// The envelope contract's version.
pub const CONTRACT_VERSION: &str = "1.1.0";

/// What an operation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Looks only.
    Read,
    /// Prepares a change and changes nothing on a target.
    Plan,
    /// Changes a target.
    Apply,
}

impl Class {
    /// Returns the policy block's numbers for the class.
    pub const fn policy(self) -> Policy {
        let (default_ms, max_ms, attempts, first_s, backoff) = match self {
            Self::Read => (5_000, 15_000, 2, 1, 2),
            Self::Plan => (10_000, 30_000, 2, 2, 2),
            Self::Apply => (30_000, 120_000, 1, 1, 1),
        };
        let (idempotency, mode) = match self {
            Self::Read => ("recommended", "await"),
            Self::Plan => ("required", "await"),
            Self::Apply => ("required", "start"),
        };
        Policy {
            operation_class: self,
            default_timeout_ms: default_ms,
            max_timeout_ms: max_ms,
            retry_policy: RetryPolicy {
                max_attempts: attempts,
                initial_interval_seconds: first_s,
                backoff_coefficient: backoff,
            },
            idempotency,
            mode,
        }
    }
}

/// What a caller can count on: time-outs, retries, idempotency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// The class that the numbers belong to.
    pub operation_class: Class,
    /// Time for an answer unless the caller asks for another.
    pub default_timeout_ms: u64,
    /// The longest time that a caller can ask for.
    pub max_timeout_ms: u64,
    /// What may be tried again, and how.
    pub retry_policy: RetryPolicy,
    /// `required` or `recommended`.
    pub idempotency: &'static str,
    /// `await`, or `start`: the answer is a handle.
    pub mode: &'static str,
}

/// How often a call may be tried, and with which waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RetryPolicy {
    /// The first one included.
    pub max_attempts: u32,
    /// Wait before the second.
    pub initial_interval_seconds: u32,
    /// Each further wait is so many times the one before.
    pub backoff_coefficient: u32,
}

/// The contract's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Something of our own failed.
    RunnerError,
    /// Approval absent or invalid.
    ApprovalRequired,
    /// Bad input.
    InputValidationFailed,
    /// The world or the plan moved.
    Conflict,
    /// Something needed is not there.
    DependencyUnavailable,
    /// What was asked answered that it cannot, for now.
    UpstreamUnavailable,
    /// What was asked did not answer in time.
    UpstreamTimeout,
    /// Too much was asked at once.
    RateLimit,
    /// Access to something that gonogo needs was refused.
    AuthFailure,
    /// Who asks is not known, or may not ask this.
    Unauthorized,
}

impl Code {
    /// Returns the contract's category of the code.
    pub const fn category(self) -> Category {
        match self {
            Self::RunnerError => Category::Runtime,
            Self::ApprovalRequired | Self::Unauthorized => Category::Authorization,
            Self::InputValidationFailed => Category::Validation,
            Self::Conflict => Category::Conflict,
            Self::DependencyUnavailable
            | Self::UpstreamUnavailable
            | Self::UpstreamTimeout
            | Self::AuthFailure => Category::Upstream,
            Self::RateLimit => Category::Unknown,
        }
    }
}

/// The contract's categories of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// What came in.
    Validation,
    /// Who asks, and what was agreed to.
    Authorization,
    /// What gonogo asks.
    Upstream,
    /// gonogo itself.
    Runtime,
    /// What moved meanwhile.
    Conflict,
    /// None of these.
    Unknown,
}

/// Why trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Less at once is welcome.
    RateLimit,
    /// The other side did not answer in time.
    UpstreamTimeout,
    /// The other side failed.
    #[serde(rename = "upstream_5xx")]
    Upstream5xx,
    /// The other side cannot be reached.
    TransportUnavailable,
    /// Nobody is there to do it now.
    WorkerUnavailable,
    /// Something needed is not there yet.
    DependencyUnavailable,
}

/// The error block.
#[derive(Debug, Clone)]
pub struct Failure {
    code: Code,
    message: String,
    retry: Option<Retry>,
    reasons: Vec<Reason>,
    details: Value,
}

impl Failure {
    /// Makes a failure for `first` and the `others`; `details` is an object whose keys are merged beside `reasonCodes`.
    pub fn new(
        code: Code,
        message: String,
        retry: Option<Retry>,
        first: Reason,
        others: &[Reason],
        details: Value,
    ) -> Self {
        let mut reasons = vec![first];
        reasons.extend(others.iter().filter(|r| **r != first));
        Self {
            code,
            message,
            retry,
            reasons,
            details,
        }
    }

    fn to_json(&self, trace_id: &str) -> Value {
        let mut details = match &self.details {
            Value::Object(map) => map.clone(),
            _ => serde_json::Map::new(),
        };
        details.insert("reasonCodes".into(), json!(self.reasons));
        let mut error = json!({
            "code": self.code,
            "category": self.code.category(),
            "source": "gonogo",
            "traceId": trace_id,
            "message": self.message,
            "retriable": self.retry.is_some(),
            "details": details,
        });
        if let (Some(retry), Some(map)) = (self.retry, error.as_object_mut()) {
            map.insert("retriableReason".into(), json!(retry));
        }
        error
    }
}

/// What every reply carries besides its answer.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Name of the use case.
    pub tool_id: String,
    /// Version of gonogo.
    pub tool_version: String,
    /// What the use case may do.
    pub class: Class,
    /// Ties plan, approval, apply and result together.
    pub trace_id: String,
    /// When the reply was made.
    pub timestamp: Timestamp,
}

impl Frame {
    /// Wraps an answer.
    pub fn success(&self, data: Value) -> Value {
        self.wrap(true, "data", data)
    }

    /// Wraps a failure.
    pub fn failure(&self, failure: &Failure) -> Value {
        self.wrap(false, "error", failure.to_json(&self.trace_id))
    }

    fn wrap(&self, success: bool, key: &str, body: Value) -> Value {
        let mut envelope = json!({
            "success": success,
            "metadata": {
                "toolId": self.tool_id,
                "toolVersion": self.tool_version,
                "contractVersion": CONTRACT_VERSION,
                "operationClass": self.class,
                "traceId": self.trace_id,
                "timestamp": self.timestamp,
            },
            "policy": self.class.policy(),
        });
        if let Some(map) = envelope.as_object_mut() {
            map.insert(key.into(), body);
        }
        envelope
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame() -> Frame {
        Frame {
            tool_id: "apply_change".into(),
            tool_version: "0.1.0".into(),
            class: Class::Apply,
            trace_id: "t-1".into(),
            timestamp: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn failures_always_carry_reason_codes() {
        let failure = Failure::new(
            Code::Conflict,
            "moved".into(),
            None,
            Reason::ConfigChanged,
            &[Reason::ConfigChanged],
            Value::Null,
        );
        let reply = frame().failure(&failure);
        assert_eq!(
            reply["error"]["details"]["reasonCodes"],
            json!(["CONFIG_CHANGED"])
        );
        assert_eq!(reply["error"]["category"], "conflict");
        assert_eq!(reply["error"].get("retriableReason"), None);
        assert_eq!(reply.get("data"), None);
    }

    #[test]
    fn a_retriable_failure_says_why() {
        let retry = Some(Retry::TransportUnavailable);
        let failure = Failure::new(
            Code::DependencyUnavailable,
            "gone".into(),
            retry,
            Reason::AgentUnreachable,
            &[],
            json!({"env": "x"}),
        );
        let reply = frame().failure(&failure);
        assert_eq!(reply["error"]["retriableReason"], "transport_unavailable");
        assert_eq!(reply["error"]["details"]["env"], "x");
        assert_eq!(reply["policy"]["retryPolicy"]["maxAttempts"], 1);
        assert_eq!(reply["metadata"]["timestamp"], "1970-01-01T00:00:00.000Z");
    }
}
