//! Quarantined failures in reports: apart from the others, each with what its retry came to. They stand among the failures as well, because
//! they are failures.

use crate::run::{Quarantined, Retried, Retry};

/// The heading.
pub(super) const TITLE: &str = "In quarantine";

/// What is said below it.
pub(super) const NOTE: &str =
    "They count as failures of the run. Whether they are excused, a gate says.";

/// What else there is to say of one: why it was not retried, its log, until when the entry holds.
pub(super) fn more(of: &Retried) -> String {
    match &of.retry {
        Retry::NotRun { why } => format!("{why}; until {}", of.expires),
        Retry::Failed { log, .. } | Retry::Passed { log } => {
            format!("until {}; {log}", of.expires)
        }
    }
}

/// Those that are told, and how many are not.
pub(super) fn told(quarantined: &Quarantined, most: usize) -> (&[Retried], u64) {
    let shown = &quarantined.tests[..quarantined.tests.len().min(most)];
    let left = quarantined.tests.len() - shown.len();
    (shown, left as u64 + quarantined.omitted)
}

/// Whether there is anything to say.
pub(super) fn is_there(quarantined: &Quarantined) -> bool {
    !quarantined.tests.is_empty() || quarantined.unusable.is_some()
}
