//! A small machine with the shape of the real one: one act after the other, doubt probed, a pause between steps, cancel.
//!
//! The plan's `service` says how many steps it has. An act that a probe says was not done is sent again under its key.

use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_engine::Core;
use gonogo_release::machine::Ending;
use gonogo_release::plan::PlanBody;
use gonogo_release::{Act, Action, Class, Effect, Input, Outcome, Phase, Terminal};
use serde::{Deserialize, Serialize};
use serde_json::json;

#[derive(Clone)]
pub(crate) struct Toy {
    plan: Arc<PlanBody>,
    state: State,
}

#[derive(Clone, Serialize, Deserialize)]
struct State {
    operation: OperationId,
    step: u64,
    acts: u64,
    timers: u64,
    inputs: u64,
    samples: u64,
    open: Option<u64>,
    probing: bool,
    timer: Option<u64>,
    cancelled: bool,
    terminal: Option<Terminal>,
}

impl Toy {
    fn steps(&self) -> u64 {
        self.plan.service.parse().unwrap()
    }

    fn key(&self) -> String {
        format!("{}/step/{}", self.state.operation, self.state.step)
    }

    fn act(&mut self, probe: bool) -> Vec<Effect> {
        self.state.acts += 1;
        self.state.open = Some(self.state.acts);
        self.state.probing = probe;
        let slot = self.state.step.to_string();
        let key = self.key();
        let (key, action) = if probe {
            (
                format!("{key}/probe/{}", self.state.acts),
                Action::Probe { key },
            )
        } else {
            (key, Action::Stop { slot })
        };
        vec![Effect::Act(Act {
            id: self.state.acts,
            key,
            class: Class::IdempotentByKey,
            deadline: self.plan.strategy.promote_within,
            action,
        })]
    }

    fn pause(&mut self, now: Timestamp) -> Vec<Effect> {
        self.state.timers += 1;
        self.state.timer = Some(self.state.timers);
        let due = now.after(Span::from_millis(1));
        vec![Effect::Timer {
            id: self.state.timers,
            due,
        }]
    }

    fn end(&mut self, result: Ending, reason: Reason) -> Vec<Effect> {
        let terminal = Terminal {
            result,
            reasons: vec![reason],
            text: "ended".into(),
        };
        self.state.terminal = Some(terminal.clone());
        vec![Effect::End(terminal)]
    }

    fn applied(&mut self, now: Timestamp) -> Vec<Effect> {
        self.state.open = None;
        if self.state.cancelled {
            return self.end(Ending::Cancelled, Reason::Cancelled);
        }
        if self.state.step == self.steps() {
            return self.end(Ending::Promoted, Reason::Promoted);
        }
        self.state.probing = false;
        self.pause(now)
    }

    fn done(&mut self, now: Timestamp, result: Outcome) -> Vec<Effect> {
        self.state.open = None;
        match result {
            Outcome::Applied { .. } => self.applied(now),
            Outcome::NotApplied { .. } => self.act(false),
            _ if self.state.probing => self.pause(now),
            _ => self.act(true),
        }
    }
}

impl Core for Toy {
    fn begin(operation: OperationId, plan: Arc<PlanBody>) -> Self {
        let state = State {
            operation,
            step: 0,
            acts: 0,
            timers: 0,
            inputs: 0,
            samples: 0,
            open: None,
            probing: false,
            timer: None,
            cancelled: false,
            terminal: None,
        };
        Self { plan, state }
    }

    fn restore(plan: Arc<PlanBody>, snapshot: &str) -> Result<Self, String> {
        let state = serde_json::from_str(snapshot).map_err(|e| e.to_string())?;
        Ok(Self { plan, state })
    }

    fn snapshot(&self) -> Result<String, String> {
        serde_json::to_string(&self.state).map_err(|e| e.to_string())
    }

    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.state.inputs += 1;
        if self.state.terminal.is_some() {
            return Vec::new();
        }
        match input {
            Input::Start => {
                self.state.step = 1;
                self.act(false)
            }
            Input::Done { id, result } if self.state.open == Some(id) => self.done(now, result),
            Input::Due { id } if self.state.timer == Some(id) => {
                self.state.timer = None;
                let again = self.state.probing;
                if !again {
                    self.state.step += 1;
                }
                self.act(again)
            }
            Input::Sample { .. } | Input::SampleMissed { .. } => {
                self.state.samples += 1;
                vec![Effect::Decide(json!({ "samples": self.state.samples }))]
            }
            Input::Cancel { .. } => {
                self.state.cancelled = true;
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn digest(&self) -> Digest {
        Digest::of(&gonogo_core::canonical::to_vec(&self.state).unwrap())
    }

    fn phase(&self) -> Phase {
        Phase::Deploy
    }

    fn terminal(&self) -> Option<&Terminal> {
        self.state.terminal.as_ref()
    }

    fn sampling(&self) -> Option<Span> {
        let on = self.plan.strategy.name == "sampled" && self.state.terminal.is_none();
        on.then_some(self.plan.strategy.sample_every)
    }
}
