//! What the driver needs of a machine. The release machine is one; tests bring smaller ones.

use std::sync::Arc;

use gonogo_core::id::OperationId;
use gonogo_core::{Digest, Span, Timestamp};
use gonogo_release::plan::PlanBody;
use gonogo_release::{Effect, Input, Machine, Phase, Terminal};

/// A pure machine: the same inputs at the same times give the same effects and the same digest.
pub trait Core: Clone {
    /// A machine that has not begun.
    fn begin(operation: OperationId, plan: Arc<PlanBody>) -> Self;

    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// What is wrong with the snapshot.
    fn restore(plan: Arc<PlanBody>, snapshot: &str) -> Result<Self, String>;

    /// The whole state as JSON.
    ///
    /// # Errors
    /// What cannot be written down.
    fn snapshot(&self) -> Result<String, String>;

    /// Takes one input.
    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect>;

    /// Digest of the canonical state.
    fn digest(&self) -> Digest;

    /// Where the operation stands.
    fn phase(&self) -> Phase;

    /// How it ended, if it did.
    fn terminal(&self) -> Option<&Terminal>;

    /// How often a sample is wanted now.
    fn sampling(&self) -> Option<Span>;
}

impl Core for Machine {
    fn begin(operation: OperationId, plan: Arc<PlanBody>) -> Self {
        Self::new(operation, plan)
    }

    fn restore(plan: Arc<PlanBody>, snapshot: &str) -> Result<Self, String> {
        let state = serde_json::from_str(snapshot).map_err(|e| e.to_string())?;
        Ok(Self::restore(plan, state))
    }

    fn snapshot(&self) -> Result<String, String> {
        serde_json::to_string(self.state()).map_err(|e| e.to_string())
    }

    fn step(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        self.step(now, input)
    }

    fn digest(&self) -> Digest {
        self.digest()
    }

    fn phase(&self) -> Phase {
        self.phase()
    }

    fn terminal(&self) -> Option<&Terminal> {
        self.terminal()
    }

    fn sampling(&self) -> Option<Span> {
        self.sampling()
    }
}
