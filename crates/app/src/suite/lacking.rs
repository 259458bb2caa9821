//! Targets that the baseline of a run has and the run does not.
//!
//! One that is declared no longer takes all its tests with it: they are removed. One that is declared was left out of this run, and that is said and no
//! more. What counts is what was declared when the run began; where nobody knows that, nothing can be said of the target.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_suite::Summary;
use gonogo_suite::run::{Kind, READ};

use super::baseline::{Baseline, Baselines, of_loaded, of_recorded};
use super::reading::Loaded;
use super::source::Tree;
use crate::AppError;
use crate::config::Config;
use crate::gates::compared::{self, Recorded};
use crate::gates::declared;
use crate::home::Home;
use crate::workspace::STATE_DIR;

/// Such a target.
#[derive(Debug, Clone)]
pub struct Lacking {
    /// Its name.
    pub target: String,
    /// What it was.
    pub kind: Kind,
    /// Why the run does not have it.
    pub why: Why,
}

/// Why a run does not have a target of its baseline.
#[derive(Debug, Clone)]
pub enum Why {
    /// It is declared no longer. Its tests, or why they cannot be read.
    Removed(Result<Baseline, String>),
    /// It is declared, and was not run.
    NotRun,
    /// Nobody knows whether it was declared.
    Unknown,
}

impl Baselines {
    /// The targets that `summary` lacks.
    pub fn lacking(&self, summary: &Summary) -> Vec<Lacking> {
        // Reports that were read are of one target, and of no declaration.
        if summary.profile == READ {
            return Vec::new();
        }
        let own: BTreeSet<&str> = summary.targets().map(|t| t.target.as_str()).collect();
        let found: BTreeMap<String, (Kind, Result<Baseline, String>)> = match &self.run {
            Some(loaded) => of_run(loaded, &own),
            None => of_runs(&self.runs, summary, &own),
        };
        let lacking = found.into_iter().map(|(target, (kind, baseline))| Lacking {
            kind,
            why: match &self.declared {
                None => Why::Unknown,
                Some(names) if names.contains(&target) => Why::NotRun,
                Some(_) => Why::Removed(baseline),
            },
            target,
        });
        lacking.collect()
    }
}

fn of_run(
    loaded: &Loaded,
    own: &BTreeSet<&str>,
) -> BTreeMap<String, (Kind, Result<Baseline, String>)> {
    if loaded.summary.profile == READ {
        return BTreeMap::new();
    }
    let gone = loaded.summary.targets();
    let gone = gone.filter(|t| !own.contains(t.target.as_str()));
    gone.map(|t| (t.target.clone(), (t.result_kind, of_loaded(loaded, t))))
        .collect()
}

/// What the newest of these runs declared, as far as it or others that declared the same have run it.
fn of_runs(
    runs: &[Recorded],
    summary: &Summary,
    own: &BTreeSet<&str>,
) -> BTreeMap<String, (Kind, Result<Baseline, String>)> {
    let all: Vec<&Recorded> = runs.iter().collect();
    let mut alike = runs.iter().filter(|run| {
        let other = &run.summary;
        other.profile != READ
            && other.run_id != summary.run_id
            && other.variant == summary.variant
            && other.shard == summary.shard
    });
    let mut found = BTreeMap::new();
    let Some(first) = alike.next() else {
        return found;
    };
    let of_first = alike.filter(|run| is_alike(first, run));
    for run in std::iter::once(first).chain(of_first) {
        for target in run.summary.targets() {
            let name = target.target.as_str();
            if own.contains(name) || found.contains_key(name) {
                continue;
            }
            let good = compared::good(&all, summary, name).unwrap_or(run);
            found.insert(
                name.to_owned(),
                (target.result_kind, of_recorded(good, name)),
            );
        }
    }
    found
}

/// Whether two runs are of one declaration.
pub(super) fn is_alike(one: &Recorded, other: &Recorded) -> bool {
    one.summary.declared.is_some() && one.summary.declared == other.summary.declared
}

/// The names of all suites that were declared when a run began: by the configuration as it is or as the run's commit has it, if one of these is the
/// run's.
///
/// # Errors
/// git's faults.
pub(super) fn declared_then(
    home: &Home,
    summary: &Summary,
) -> Result<Option<BTreeSet<String>>, AppError> {
    let (Some(digest), Some(config)) = (summary.declared, &home.config) else {
        return Ok(None);
    };
    let names = |config: &Config| -> Option<BTreeSet<String>> {
        let is_it = declared::digest_of(config) == digest;
        is_it.then(|| config.suites.suites.keys().cloned().collect())
    };
    if let Some(names) = names(config) {
        return Ok(Some(names));
    }
    let Some(commit) = &summary.source.commit else {
        return Ok(None);
    };
    let tree = Tree::find(&home.root(), &home.root().join(STATE_DIR), &[])?;
    Ok(declared::config_at(config, &tree, commit).and_then(|config| names(&config)))
}
