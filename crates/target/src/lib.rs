//! The [`Target`] trait: how the engine reaches what it releases to, whatever the platform.
//!
//! Floor 2. Contract: every call carries a key and the lease epoch bound when its effect was claimed; a target refuses
//! epochs older than the newest it has seen ([`gonogo_core::Reason::StaleEpoch`]); a probe raises that fence before it
//! answers. A call with a key seen before answers what became of the first one and does nothing again.

pub mod calls;
pub mod contract;
pub mod memory;

use gonogo_core::Span;
use gonogo_release::plan::{PlanBody, VersionSpec};
use gonogo_release::{Action, Outcome, Sample};

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Idempotency key.
    pub key: String,
    /// Lease epoch, bound at claim.
    pub epoch: u64,
    /// How long the target may take.
    pub deadline: Span,
    /// What to do.
    pub action: Action,
    /// How to run the version, for [`Action::Start`].
    pub version: Option<VersionSpec>,
    /// Latency bound in force, for [`Action::Start`]: requests over it are counted as slow.
    pub slow_over: Option<Span>,
}

impl Call {
    /// Completes an act of `plan` into a call.
    pub fn of(act: &gonogo_release::Act, epoch: u64, plan: &PlanBody) -> Self {
        let starts = matches!(act.action, Action::Start { .. });
        Self {
            key: act.key.clone(),
            epoch,
            deadline: act.deadline,
            action: act.action.clone(),
            version: starts.then(|| plan.to.clone()),
            slow_over: starts.then_some(plan.checks.slow_over),
        }
    }
}

/// A place that versions are released to. Calls block up to their deadline; the engine gives each its own thread.
pub trait Target: Send + Sync {
    /// Carries out one call. Never panics and never retries by itself: doubt is [`Outcome::Unknown`].
    fn call(&self, call: &Call) -> Outcome;

    /// Reads all counters together.
    ///
    /// # Errors
    /// What was seen, if the target cannot be sampled within `deadline`.
    fn sample(&self, deadline: Span) -> Result<Sample, String>;
}
