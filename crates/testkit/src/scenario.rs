//! Scripted scenarios: a readable text in, everything that the release machine said out.
//!
//! A script is one plan and then one input a line; [`run`] answers acts from a small model of the target, so that a line
//! says only what matters (`applied`, `sample canary 200/3 stable 3800/10`). While it runs, each input goes to the machine
//! and to a twin restored from JSON text, and at the end all records are decided again; a difference is an error, not output.
//! The output is compared whole with a file beside the script, so that nothing changes unseen.

mod model;
mod script;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Reason, Span, Timestamp};
use gonogo_release::effect::{Act, Action, Effect, Input, Outcome};
use gonogo_release::machine::Machine;
use gonogo_release::replay::{self, Entry};

use model::Model;
use script::{Answer, Line, Verb, parse};

/// Begin of every scenario's time.
const EPOCH: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// A line cannot be understood or does not fit here.
    #[error("line {line} `{text}`: {why}")]
    Line {
        /// From 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// The machine contradicts its own restored twin.
    #[error("line {line}: after a round trip through JSON the machine {what}")]
    Twin {
        /// From 1.
        line: usize,
        /// What differs.
        what: String,
    },
    /// The records do not lead to the same answers.
    #[error("replay: {0}")]
    Replay(replay::ReplayError),
}

/// Runs a script and returns all that the machine said.
///
/// # Errors
/// [`ScenarioError`].
pub fn run(text: &str) -> Result<String, ScenarioError> {
    let script = parse(text)?;
    let plan = Arc::new(script.plan);
    let operation = OperationId::mint([7; 8]);
    let mut stage = Scene {
        machine: Machine::new(operation.clone(), plan.clone()),
        model: Model::new(&plan),
        now: EPOCH,
        every: plan.strategy.sample_every,
        open: BTreeMap::new(),
        timers: BTreeMap::new(),
        records: Vec::new(),
        out: String::new(),
        line: 0,
    };
    for line in script.lines {
        stage.line = line.number;
        let _ = writeln!(stage.out, "> {}", line.text);
        stage.play(line)?;
    }
    let ended = stage.machine.terminal().is_some();
    let records = stage.records.iter().map(|(kind, body)| (*kind, body));
    let again = replay::replay(operation, plan, records).map_err(ScenarioError::Replay)?;
    let _ = writeln!(
        stage.out,
        "replayed: {} inputs, {} answers, {}",
        again.inputs,
        again.answers,
        if ended { "ended" } else { "open" }
    );
    Ok(stage.out)
}

struct Scene {
    machine: Machine,
    model: Model,
    now: Timestamp,
    every: Span,
    /// Acts sent and not answered.
    open: BTreeMap<u64, Act>,
    timers: BTreeMap<u64, Timestamp>,
    records: Vec<Entry>,
    out: String,
    line: usize,
}

impl Scene {
    fn play(&mut self, line: Line) -> Result<(), ScenarioError> {
        let bad = |why: &str| ScenarioError::Line {
            line: line.number,
            text: line.text.clone(),
            why: why.into(),
        };
        match line.verb {
            Verb::At(span) => self.now = EPOCH.after(span),
            Verb::Advance(span) => self.now = self.now.after(span),
            Verb::Foreign(weights) => self.model.foreign(&weights),
            Verb::Input(input) => self.feed(input)?,
            Verb::Answer(answer) => {
                let found = self.open.iter().next_back();
                let (id, act) = found.ok_or_else(|| bad("no act is open"))?;
                let is_probe = matches!(act.action, Action::Probe { .. });
                if is_probe != matches!(answer, Answer::Probe | Answer::Probed(_)) {
                    return Err(bad("the open act is of the other kind: probe or not"));
                }
                let (id, act) = (*id, act.clone());
                let result = match answer {
                    Answer::Applied => self.model.apply(&act),
                    Answer::Unanswered { done } => {
                        if done {
                            self.model.apply(&act);
                        }
                        Outcome::Unknown {
                            text: "no answer in time".into(),
                        }
                    }
                    Answer::Probe => self.model.probe(&act),
                    Answer::Says(outcome) | Answer::Probed(outcome) => outcome,
                };
                self.feed(Input::Done { id, result })?;
            }
            Verb::Done(id, result) => self.feed(Input::Done { id, result })?,
            Verb::Due(None) => {
                let next = self.timers.iter().min_by_key(|(id, due)| (**due, **id));
                let (id, due) = next.ok_or_else(|| bad("no timer runs"))?;
                let (id, due) = (*id, *due);
                self.now = self.now.max(due);
                self.feed(Input::Due { id })?;
            }
            Verb::Due(Some(id)) => self.feed(Input::Due { id })?,
            Verb::Sample {
                look,
                times,
                at_once,
            } => {
                for _ in 0..times {
                    if !at_once {
                        self.now = self.now.after(self.every);
                    }
                    let sample = self.model.sample(self.now, &look);
                    self.feed(Input::Sample { sample })?;
                }
            }
        }
        Ok(())
    }

    fn feed(&mut self, input: Input) -> Result<(), ScenarioError> {
        let twin_says = |what: String| ScenarioError::Twin {
            line: self.line,
            what,
        };
        let text = serde_json::to_string(self.machine.state())
            .map_err(|e| twin_says(format!("cannot be written: {e}")))?;
        let state =
            serde_json::from_str(&text).map_err(|e| twin_says(format!("cannot be read: {e}")))?;
        let mut twin = Machine::restore(Arc::new(self.machine.plan().clone()), state);
        let effects = self.machine.step(self.now, input.clone());
        if twin.step(self.now, input.clone()) != effects {
            return Err(twin_says("has other effects".into()));
        }
        if twin.digest() != self.machine.digest() || twin.state() != self.machine.state() {
            return Err(twin_says("has another state".into()));
        }
        let seq = self.machine.inputs();
        self.records.push(replay::question(seq, self.now, &input));
        self.records
            .extend(replay::answers(seq, self.now, &effects));
        match input {
            Input::Done { id, .. } => {
                self.open.remove(&id);
            }
            Input::Due { id } => {
                self.timers.remove(&id);
            }
            _ => {}
        }
        self.print(&effects);
        Ok(())
    }

    fn print(&mut self, effects: &[Effect]) {
        let since = |at: Timestamp| Span::from_millis(at.since(EPOCH).as_millis());
        let out = &mut self.out;
        for effect in effects {
            let _ = match effect {
                Effect::Act(act) => {
                    self.open.insert(act.id, act.clone());
                    let action = serde_json::to_string(&act.action).unwrap_or_default();
                    let key = act
                        .key
                        .split_once('/')
                        .map_or(act.key.as_str(), |(_, rest)| rest);
                    writeln!(
                        out,
                        "  act {} {key} ({:?}, within {}) {action}",
                        act.id, act.class, act.deadline
                    )
                }
                Effect::Timer { id, due } => {
                    self.timers.insert(*id, *due);
                    writeln!(out, "  timer {id} at {}", since(*due))
                }
                Effect::Decide(body) => writeln!(out, "  decide {body}"),
                Effect::End(end) => {
                    let codes: Vec<&str> = end.reasons.iter().copied().map(Reason::code).collect();
                    writeln!(
                        out,
                        "  END {} {}: {}",
                        end.result.name(),
                        codes.join(" "),
                        end.text
                    )
                }
            };
        }
        let digest = self.machine.digest().to_string();
        let short = digest.rsplit(':').next().and_then(|d| d.get(..8));
        let _ = writeln!(
            out,
            "  = {} {} {}",
            since(self.now),
            self.machine.phase().name(),
            short.unwrap_or(&digest)
        );
    }
}
