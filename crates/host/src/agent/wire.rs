//! The control protocol, spoken by [`super::control`] and [`crate::client`]: one JSON object a line, one reply a request.
//! `docs/reference/agent-protocol.md` is its reference.

use gonogo_core::{Reason, Span, canonical};
use gonogo_release::plan::VersionSpec;
use gonogo_release::{Action, Observed, Outcome, Sample};
use gonogo_target::Call;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Version of the protocol; another one is refused by the client.
pub(crate) const PROTOCOL: u32 = 1;
/// Longest line in either direction, bytes with the newline.
pub(crate) const LONGEST_LINE: u64 = 4 << 20;
/// Most log lines in one reply.
pub(crate) const MOST_LINES: u32 = 1_000;

/// What a client may ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// Who are you?
    Hello {},
    /// Carry out a call.
    Call {
        key: String,
        epoch: u64,
        deadline: Span,
        action: Action,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Box<VersionSpec>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slow_over: Option<Span>,
    },
    /// Read slots, weights and readiness; needs no epoch and raises no fence.
    Observe {},
    /// Read all counters.
    Sample {},
    /// Read the end of a slot's log.
    Logs { slot: String, lines: u32 },
    /// End the agent.
    Shutdown { stop_services: bool },
}

impl Request {
    pub(crate) fn of(call: &Call) -> Self {
        Self::Call {
            key: call.key.clone(),
            epoch: call.epoch,
            deadline: call.deadline,
            action: call.action.clone(),
            version: call.version.clone().map(Box::new),
            slow_over: call.slow_over,
        }
    }
}

/// What an agent answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Reply {
    /// To `hello`.
    Hello { hello: Hello },
    /// To `call`.
    Outcome { outcome: Outcome },
    /// To `observe`.
    Observed { observed: Observed },
    /// To `sample`.
    Sample { sample: Sample },
    /// To `logs`.
    Logs { lines: Vec<String> },
    /// To `shutdown`.
    Bye {},
    /// The request was not understood or not possible; nothing was done.
    Error { reason: Reason, text: String },
}

/// Who an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Version of the protocol.
    pub protocol: u32,
    /// Version of the program.
    pub version: String,
    /// Names this life of the agent, as in its samples.
    pub boot: String,
    /// The environment.
    pub environment: String,
    /// Its process.
    pub pid: u32,
    /// Address that traffic comes to, with the real port.
    pub listen: String,
    /// Present generation.
    pub generation: u64,
    /// Newest epoch seen.
    pub fence: u64,
    /// Whether a command started it by itself.
    pub autostarted: bool,
}

/// Reads one line strictly: one JSON value with one meaning, no unknown fields.
pub(crate) fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    let value = canonical::parse(line).map_err(|e| e.to_string())?;
    serde_json::from_value(value).map_err(|e| e.to_string())
}

/// Writes one line.
pub(crate) fn line<T: Serialize>(message: &T) -> Result<Vec<u8>, String> {
    let mut bytes = serde_json::to_vec(message).map_err(|e| e.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_strictly() {
        assert_eq!(
            parse::<Request>(br#"{"op":"hello"}"#).unwrap(),
            Request::Hello {}
        );
        for bad in [
            &br#"{"op":"hello","x":1}"#[..],
            br#"{"op":"hello","op":"sample"}"#,
            br#"{"op":"dance"}"#,
            br#"{"op":"shutdown"}"#,
            br#"{"op":"call","key":"k","epoch":1.5,"deadline":"1s","action":{"do":"observe"}}"#,
            br#"{"op":"call","key":"k","epoch":1,"deadline":"1","action":{"do":"observe"}}"#,
            br#"{"op":"call","key":"k","epoch":1,"deadline":"1s","action":{"do":"stop"}}"#,
            br#"{"op":"call","key":"k","epoch":1,"deadline":"1s","action":{"do":"stop","slot":"a","force":true}}"#,
            b"{} {}",
            b"",
            b"\xff",
        ] {
            assert!(parse::<Request>(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn a_call_survives_the_wire() {
        let call = Call {
            key: "k".into(),
            epoch: 3,
            deadline: Span::from_millis(1500),
            action: Action::Weigh {
                weights: [("blue".to_owned(), 10_000)].into(),
                expect: 4,
            },
            version: None,
            slow_over: None,
        };
        let bytes = line(&Request::of(&call)).unwrap();
        assert_eq!(
            parse::<Request>(bytes.strip_suffix(b"\n").unwrap()).unwrap(),
            Request::of(&call)
        );
    }
}
