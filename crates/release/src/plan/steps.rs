//! Resolved steps. The machine walks them in order and chooses nothing.

use gonogo_core::{Share, Span};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Deployed, Strategy, VersionSpec};
use crate::effect::Class;

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// From 1.
    pub n: u32,
    /// What it does.
    pub kind: StepKind,
    /// How its effect behaves in doubt; none if it has no effect.
    pub class: Option<Class>,
    /// How long it may take altogether.
    pub within: Span,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum StepKind {
    /// Compare the target with the plan's base state.
    Preflight,
    /// Judge the gates.
    Gates,
    /// Start the version beside the one that serves.
    Deploy {
        /// The slot.
        slot: String,
    },
    /// Give the version a share of new requests, measure that it is served, and watch.
    Stage {
        /// The share.
        weight: Share,
        /// Watch at least this long.
        bake: Span,
    },
    /// Give the version all requests and measure it.
    Promote,
    /// Go on watching while the old version is warm.
    Soak {
        /// How long.
        bake: Span,
    },
    /// Drain the old version.
    Drain {
        /// Its slot.
        slot: String,
    },
    /// Stop the old version.
    Stop {
        /// Its slot.
        slot: String,
    },
}

impl StepKind {
    /// Returns the class of the step's effect, if it has one.
    pub const fn class(&self) -> Option<Class> {
        match self {
            Self::Preflight => Some(Class::Read),
            Self::Gates | Self::Soak { .. } => None,
            Self::Deploy { .. } | Self::Drain { .. } | Self::Stop { .. } => {
                Some(Class::IdempotentByKey)
            }
            Self::Stage { .. } | Self::Promote => Some(Class::CompareAndSet),
        }
    }

    /// Returns the step's name as people see it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Preflight => "preflight",
            Self::Gates => "gates",
            Self::Deploy { .. } => "deploy",
            Self::Stage { .. } => "stage",
            Self::Promote => "promote",
            Self::Soak { .. } => "soak",
            Self::Drain { .. } => "drain",
            Self::Stop { .. } => "stop",
        }
    }
}

/// Resolves the steps of a plan.
///
/// A release from nothing keeps its stages out: with nobody to share traffic with, its first weight is everything, and
/// the soak judges it by absolute limits.
pub fn resolve(
    from: Option<&Deployed>,
    to: &VersionSpec,
    slot: &str,
    strategy: &Strategy,
) -> Vec<Step> {
    let mut kinds = vec![
        (StepKind::Preflight, Span::from_secs(10)),
        (StepKind::Gates, Span::ZERO),
        (
            StepKind::Deploy { slot: slot.into() },
            to.ready.within.plus(Span::from_secs(5)),
        ),
    ];
    if from.is_some() {
        kinds.extend(strategy.stages.iter().map(|s| {
            (
                StepKind::Stage {
                    weight: s.weight,
                    bake: s.bake,
                },
                s.within,
            )
        }));
    }
    kinds.push((StepKind::Promote, strategy.promote_within));
    kinds.push((
        StepKind::Soak {
            bake: strategy.soak,
        },
        strategy.soak.plus(strategy.promote_within),
    ));
    if let Some(old) = from {
        let drain = to.drain.within.plus(Span::from_secs(5));
        kinds.push((
            StepKind::Drain {
                slot: old.slot.clone(),
            },
            drain,
        ));
        kinds.push((
            StepKind::Stop {
                slot: old.slot.clone(),
            },
            drain,
        ));
    }
    kinds
        .into_iter()
        .enumerate()
        .map(|(i, (kind, within))| Step {
            n: i as u32 + 1,
            class: kind.class(),
            kind,
            within,
        })
        .collect()
}
