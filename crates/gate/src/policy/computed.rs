//! Checks over what is computed: from a tracker's export, from the texts and sources of the tree, from runs, from the other gates.
//!
//! What a check rests on stands in the policy by name. Files that are rules themselves ([`Check::rule_files`]) are held against the base of the
//! change like the policy: a change that loosens them loosens its own judge.

use gonogo_core::Span;

use super::Check;
use crate::coverage::{Globs, Paths};
use crate::platforms::Platform;
use crate::tracker::Terms;

/// What is computed from files while evidence is gathered.
#[derive(Debug, Clone, PartialEq)]
pub enum Computed {
    /// Whether technical work is open, by a tracker's export: `practical_finish_checkpoint.json`.
    Tracker {
        /// A path in the project, or `run:SUITE/PATH`.
        export: String,
        /// What counts as done, and what as documentation.
        terms: Terms,
        /// How old the export may be, by what it says itself.
        max_age: Span,
    },
    /// What texts claim: `claim_wording.json`.
    Wording {
        /// The texts.
        texts: Globs,
        /// The project's own rules; the built-in ones if absent.
        rules: Option<String>,
        /// How old.
        max_age: Span,
    },
    /// The class of each test file: `suite_classification.json`.
    Classification {
        /// The test files.
        files: Globs,
        /// The file with the classes.
        classes: String,
        /// How old.
        max_age: Span,
    },
    /// Test doubles: `test_double_inventory.json`.
    Doubles {
        /// The test files.
        files: Globs,
        /// The file with the classes; without it every double is of medium risk.
        classes: Option<String>,
        /// The file with the exceptions.
        exceptions: Option<String>,
        /// How old.
        max_age: Span,
    },
}

impl Computed {
    /// The word in files.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tracker { .. } => "tracker",
            Self::Wording { .. } => "wording",
            Self::Classification { .. } => "classification",
            Self::Doubles { .. } => "doubles",
        }
    }

    /// The file's name without its ending.
    pub const fn artifact(&self) -> &'static str {
        match self {
            Self::Tracker { .. } => "practical_finish_checkpoint",
            Self::Wording { .. } => "claim_wording",
            Self::Classification { .. } => "suite_classification",
            Self::Doubles { .. } => "test_double_inventory",
        }
    }

    /// How old it may be.
    pub const fn max_age(&self) -> Span {
        match self {
            Self::Tracker { max_age, .. }
            | Self::Wording { max_age, .. }
            | Self::Classification { max_age, .. }
            | Self::Doubles { max_age, .. } => *max_age,
        }
    }
}

/// A rubric of floors and targets, and the report that it is compared with: `non_mock_compliance.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct RubricCheck {
    /// The file with the rubric.
    pub rubric: String,
    /// The coverage report, by its name.
    pub report: String,
    /// How the report's names become paths.
    pub paths: Paths,
}

/// Platforms that must be shown, each by runs of a variant: `platform_matrix.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlatformCheck {
    /// All, required ones and others.
    pub platforms: Vec<Platform>,
    /// How old a run may be.
    pub max_age: Span,
}

impl Check {
    /// Files that are rules: who changes them changes what is judged.
    pub fn rule_files(&self) -> Vec<&str> {
        match self {
            Self::Computed(Computed::Wording { rules, .. }) => {
                rules.as_deref().into_iter().collect()
            }
            Self::Computed(Computed::Classification { classes, .. }) => vec![classes],
            Self::Computed(Computed::Doubles {
                classes,
                exceptions,
                ..
            }) => classes
                .as_deref()
                .into_iter()
                .chain(exceptions.as_deref())
                .collect(),
            Self::Rubric { check, .. } => vec![&check.rubric],
            Self::Contract { file } => vec![file],
            _ => Vec::new(),
        }
    }
}
