//! What people see of a running operation.

use gonogo_core::{Reason, Share, Timestamp};
use serde::Serialize;
use serde_json::Value;

use super::{Machine, Phase};
use crate::plan::StepKind;

/// Where an operation stands, what it waits for and until when.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// The phase.
    pub phase: Phase,
    /// The step's number, from 1.
    pub step: u32,
    /// How many steps there are.
    pub steps: u32,
    /// The share that the step gives to the new version, in a stage.
    pub weight: Option<Share>,
    /// What it waits for.
    pub waiting: Vec<Reason>,
    /// How many more requests of the new version are needed, if that is what is missing.
    pub needed: Option<u64>,
    /// Until when the step may last.
    pub until: Option<Timestamp>,
    /// Key of the act in flight, and since when.
    pub in_flight: Option<(String, Timestamp)>,
    /// The numbers of the running step.
    pub numbers: Option<Value>,
}

impl Machine {
    /// Returns where the operation stands. Costs a judgement: ask when somebody looks.
    pub fn progress(&self) -> Progress {
        let step = self.plan.steps.get(self.state.step);
        let mode = self.mode().map(|(mode, _)| mode);
        let watched = self.state.watch.as_ref().zip(mode);
        Progress {
            phase: self.state.phase,
            step: step.map_or(0, |s| s.n),
            steps: self.plan.steps.len() as u32,
            weight: match step.map(|s| &s.kind) {
                Some(StepKind::Stage { weight, .. }) => Some(*weight),
                _ => None,
            },
            waiting: {
                let told = self.state.told.iter().flat_map(|(_, reasons)| reasons);
                let frozen = self.state.frozen.then_some(Reason::Frozen);
                frozen.into_iter().chain(told.copied()).collect()
            },
            needed: watched.and_then(|(watch, mode)| watch.needed(&self.plan.checks, mode)),
            until: self.state.deadline.map(|(_, due)| due),
            in_flight: self
                .state
                .flight
                .as_ref()
                .map(|f| (f.act.key.clone(), f.since)),
            numbers: watched.map(|(watch, mode)| watch.numbers_of(&self.plan.checks, mode)),
        }
    }
}
