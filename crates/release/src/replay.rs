//! Decides again. Feeds the recorded inputs of one operation to a fresh machine and compares what it says with what the
//! records say, byte for byte in canonical form.
//!
//! Records of an operation, in the stream's order: for each input one record (`outcome`, `sample` or `input`), then what
//! the machine answered (`intent`, `decision`, `result`). [`answers`] makes those bodies for the driver and for the replay
//! alike, so there is one place to get them wrong.

use std::sync::Arc;

use gonogo_core::Timestamp;
use gonogo_core::canonical;
use gonogo_core::id::OperationId;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::effect::{Effect, Input};
use crate::machine::Machine;
use crate::plan::PlanBody;

/// One record's kind and body.
pub type Entry = (&'static str, Value);

/// Returns the record of an input: its kind and body.
pub fn question(seq: u64, at: Timestamp, input: &Input) -> Entry {
    let kind = match input {
        Input::Done { .. } => "outcome",
        Input::Sample { .. } => "sample",
        _ => "input",
    };
    (kind, json!({"step": seq, "at": at, "input": input}))
}

/// Returns the records of what the machine answered to input `seq` at `at`.
pub fn answers(seq: u64, at: Timestamp, effects: &[Effect]) -> Vec<Entry> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Act(act) => Some(("intent", json!({"step": seq, "at": at, "intent": act}))),
            Effect::Decide(body) => {
                Some(("decision", json!({"step": seq, "at": at, "decision": body})))
            }
            Effect::End(terminal) => {
                Some(("result", json!({"step": seq, "at": at, "result": terminal})))
            }
            Effect::Timer { .. } => None,
        })
        .collect()
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Inputs fed.
    pub inputs: u64,
    /// Answers compared.
    pub answers: u64,
    /// Whether the operation reached its end.
    pub ended: bool,
}

/// Why a replay does not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// A recorded body is not what the machine says.
    #[error(
        "record {index}: recorded `{kind}` differs from the one decided again\n  recorded  {recorded}\n  again     {again}"
    )]
    Differs {
        /// Position among the operation's records.
        index: usize,
        /// The record's kind.
        kind: String,
        /// The recorded body.
        recorded: String,
        /// The body decided again.
        again: String,
    },
    /// A record is there that the machine does not make, or of a kind that is not known.
    #[error("record {index}: a `{kind}` is recorded that deciding again does not give")]
    Extra {
        /// Position among the operation's records.
        index: usize,
        /// The record's kind.
        kind: String,
    },
    /// The machine says more than was recorded.
    #[error("deciding again gives a `{kind}` that is not recorded after record {index}")]
    Lacking {
        /// Position among the operation's records.
        index: usize,
        /// The kind that is lacking.
        kind: String,
    },
    /// A recorded input cannot be understood.
    #[error("record {index}: {why}")]
    Unreadable {
        /// Position among the operation's records.
        index: usize,
        /// What is wrong.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    step: u64,
    at: Timestamp,
    input: Input,
}

/// Replays the records of one operation. Records of other kinds than the six above are passed over by the caller.
///
/// # Errors
/// [`ReplayError`] at the first difference.
pub fn replay<'a>(
    operation: OperationId,
    plan: Arc<PlanBody>,
    records: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<Replayed, ReplayError> {
    let mut machine = Machine::new(operation, plan);
    let mut expected: std::collections::VecDeque<Entry> = Default::default();
    let mut done = Replayed {
        inputs: 0,
        answers: 0,
        ended: false,
    };
    let mut last = 0;
    for (index, (kind, body)) in records.into_iter().enumerate() {
        last = index;
        if let Some((want, again)) = expected.pop_front() {
            if want != kind {
                return Err(ReplayError::Lacking {
                    index,
                    kind: want.to_owned(),
                });
            }
            let (recorded, again) = (text(body), text(&again));
            if recorded != again {
                return Err(ReplayError::Differs {
                    index,
                    kind: kind.to_owned(),
                    recorded,
                    again,
                });
            }
            done.answers += 1;
            continue;
        }
        if !matches!(kind, "outcome" | "sample" | "input") {
            return Err(ReplayError::Extra {
                index,
                kind: kind.to_owned(),
            });
        }
        let unreadable = |why: String| ReplayError::Unreadable { index, why };
        let question = Question::deserialize(body).map_err(|e| unreadable(e.to_string()))?;
        done.inputs += 1;
        if question.step != done.inputs {
            return Err(unreadable(format!(
                "input {} where input {} was expected",
                question.step, done.inputs
            )));
        }
        if self::question(question.step, question.at, &question.input).0 != kind {
            return Err(unreadable(format!(
                "the input does not belong into a `{kind}`"
            )));
        }
        let effects = machine.step(question.at, question.input);
        expected.extend(answers(question.step, question.at, &effects));
    }
    match expected.pop_front() {
        Some((kind, _)) => Err(ReplayError::Lacking {
            index: last,
            kind: kind.to_owned(),
        }),
        None => {
            done.ended = machine.terminal().is_some();
            Ok(done)
        }
    }
}

fn text(value: &Value) -> String {
    canonical::to_vec(value)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_else(|e| e.to_string())
}
