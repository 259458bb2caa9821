//! The reply envelope, contract 1.1.0: what `--json` prints and what HTTP and MCP answer.
//!
//! `{success, metadata, policy, data | error}`. `error.details.reasonCodes` is never empty, and a retriable error always
//! says why it is retriable: [`Failure::new`] and [`Retry`] leave no way around that.

use serde::Serialize;
use serde_json::{Value, json};

use crate::reason::Reason;
use crate::time::Timestamp;

/// The envelope contract's version.
pub const CONTRACT_VERSION: &str = "1.1.0";

/// What an operation may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    pub fn policy(self) -> Value {
        let (default_ms, max_ms, attempts, first_s, idempotency, mode) = match self {
            Self::Read => (5_000, 15_000, 2, 1, "recommended", "await"),
            Self::Plan => (10_000, 30_000, 2, 2, "required", "await"),
            Self::Apply => (30_000, 120_000, 1, 1, "required", "start"),
        };
        let backoff = if self == Self::Apply { 1 } else { 2 };
        json!({
            "operationClass": self,
            "defaultTimeoutMs": default_ms,
            "maxTimeoutMs": max_ms,
            "retryPolicy": {
                "maxAttempts": attempts,
                "initialIntervalSeconds": first_s,
                "backoffCoefficient": backoff,
            },
            "idempotency": idempotency,
            "mode": mode,
        })
    }
}

/// The contract's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    /// Access refused.
    AuthFailure,
}

impl Code {
    /// Returns the contract's category of the code.
    pub const fn category(self) -> &'static str {
        match self {
            Self::RunnerError => "runtime",
            Self::ApprovalRequired => "authorization",
            Self::InputValidationFailed => "validation",
            Self::Conflict => "conflict",
            Self::DependencyUnavailable | Self::AuthFailure => "upstream",
        }
    }
}

/// Why trying again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Something needed is not there yet.
    DependencyUnavailable,
    /// The other side cannot be reached.
    TransportUnavailable,
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
            tool_id: "plan_apply".into(),
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
