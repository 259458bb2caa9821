//! What of a run was not good, run again: every kind of target, and an answer of its own where there is nothing.

use gonogo_core::Reason;
use gonogo_suite::replay::{Selection, rerun as select};

use super::one::Watcher;
use super::reading;
use super::replaying::believed;
use super::running::{self, Finished, Request};
use crate::AppError;
use crate::home::Home;

/// What came of it.
#[derive(Debug)]
pub enum Rerun {
    /// Everything in it was good.
    Nothing {
        /// The run.
        run_id: String,
    },
    /// It ran.
    Ran(Box<Finished>),
}

/// Runs again what was not good.
///
/// # Errors
/// An unknown run, one that contradicts itself or was changed; a target that is no longer declared.
pub fn rerun(
    home: &Home,
    from: &str,
    diff_from: Option<&str>,
    watcher: &mut dyn Watcher,
) -> Result<Rerun, AppError> {
    let loaded = reading::find(home, from)?;
    believed(&loaded)?;
    let selection = select(&loaded.summary, &[])
        .map_err(|e| AppError::new(Reason::EvidenceCountMismatch, e.to_string()))?;
    let Selection::Rerun { targets, .. } = selection else {
        return Ok(Rerun::Nothing {
            run_id: loaded.summary.run_id,
        });
    };
    let config = running::configured(home)?;
    let mut suites = Vec::new();
    for again in &targets {
        if !config.suites.suites.contains_key(&again.target) {
            let text = format!(
                "`{}` failed in `{}` and is no longer declared, so it cannot be run again",
                again.target, loaded.summary.run_id
            );
            return Err(AppError::new(Reason::SuiteUnknown, text)
                .hint("declare it again, or run the profile as it is now"));
        }
        suites.push(again.target.clone());
    }
    // What a target needs runs with it: without its build it would prove nothing.
    let mut more: Vec<String> = suites
        .iter()
        .filter_map(|name| config.suites.suites.get(name))
        .flat_map(|suite| suite.needs.iter().cloned())
        .collect();
    suites.append(&mut more);
    let request = Request {
        profile: Some(loaded.summary.profile.clone())
            .filter(|name| config.suites.profiles.contains_key(name)),
        suites,
        rerun_from: Some(loaded.summary.run_id.clone()),
        // Beside what it runs again, unless somebody wants another.
        diff_from: Some(diff_from.map_or_else(|| loaded.summary.run_id.clone(), str::to_owned)),
        ..Request::default()
    };
    let finished = running::run(home, &request, watcher)?;
    Ok(Rerun::Ran(Box::new(finished)))
}
