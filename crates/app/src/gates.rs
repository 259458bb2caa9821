//! Gates over recorded evidence: what is there is gathered, `gonogo_gate` judges it, the verdict is kept and recorded.
//!
//! Gathering says what was found and nothing about whether it is good enough. Everything that was gathered is stored with the verdict, so that
//! anybody can judge it again and get the same bytes.

pub mod approving;
pub mod base;
mod blame;
pub mod bundling;
pub mod checking;
pub mod commands;
pub mod compared;
pub mod computed;
pub mod coverage;
pub mod declared;
pub mod documents;
mod dry_runs;
pub mod excuses;
pub mod gathering;
mod looking;
mod matched;
mod scripts;
pub mod sources;

use crate::AppError;
use crate::config::Config;
use crate::home::Home;

/// The configuration of a project that declares what gates can be about: suites, budgets or load tests.
pub(crate) fn configured(home: &Home) -> Result<&Config, AppError> {
    let measured = |config: &&Config| !config.perf.is_empty() || !config.stress.is_empty();
    match home.config.as_ref().filter(measured) {
        Some(config) => Ok(config),
        None => crate::suite::running::configured(home),
    }
}
