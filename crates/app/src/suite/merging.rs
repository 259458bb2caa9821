//! Runs of all shards of a plan, put together as one run: proven to be the whole, or refused with every reason why not.
//!
//! Invariants: what is merged is of the tree, the variant and the plan that are judged; every shard is there once and did what was planned for
//! it; its files are those that it listed, and those that the ledger recorded if the ledger knows the run. Nothing is written unless all of
//! that holds. The merged run is as old as the part of it that ended first: merging makes nothing fresh.

mod shards;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gonogo_core::{Digest, Reason};
use gonogo_suite::Summary;
use gonogo_suite::run::Class;
use gonogo_suite::shard::{Cut, Fault, Merged, Plan, ShardResult, merge as prove};
use serde::Serialize;
use serde_json::Value;

use super::running;
use super::sharding;
use super::source::Tree;
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::Home;
use crate::workspace::STATE_DIR;

use shards::Given;

/// The list of what was merged, in the directory of a merged run.
pub const MERGED: &str = "merge.json";

/// What the shards took and came to, for people and dashboards.
pub const SHARD_SUMMARY: &str = "ci-shard-summary.json";

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// Runs: ids, or directories.
    pub runs: Vec<String>,
    /// The plan; that of the shards if absent.
    pub plan: Option<PathBuf>,
    /// Where the merged run's directory is made; beside the others if absent.
    pub out: Option<PathBuf>,
}

/// A shard that was looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Seen {
    /// Which, from 0; absent if the run is no shard.
    pub index: Option<u32>,
    /// For people.
    pub name: Option<String>,
    /// Its run.
    pub run_id: String,
    /// The same in everything that belonged to it.
    pub correlation_id: String,
    /// Where it was found.
    pub directory: String,
    /// Of its list of files.
    pub files: Option<Digest>,
    /// The record of its result in this project's ledger.
    pub record: Option<u64>,
    /// What its files rest on.
    pub vouched_by: String,
    /// What it came to.
    pub status: gonogo_core::Verdict,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// The targets that it ran.
    pub targets: Vec<String>,
}

/// A merged run.
#[derive(Debug)]
pub struct Whole {
    /// What it came to.
    pub summary: Summary,
    /// Its directory.
    pub dir: PathBuf,
    /// Of `files.json`, as recorded.
    pub files: Digest,
    /// [`SHARD_SUMMARY`].
    pub shard_summary: Value,
}

/// What came of it.
#[derive(Debug)]
pub struct Merging {
    /// The proof, or why there is none.
    pub proof: Merged,
    /// The shards that were looked at, by index.
    pub shards: Vec<Seen>,
    /// The run, if the shards are the whole of it.
    pub whole: Option<Whole>,
}

/// Merges. Nothing is written if anything is wrong; the faults are in the answer.
///
/// # Errors
/// Configuration, a run that is not there or has no summary, a plan that is none; the ledger's and git's faults, files that cannot be written.
pub fn merge(home: &Home, ask: &Ask) -> Result<Merging, AppError> {
    let config = running::configured(home)?;
    let file = &config.suites;
    let root = home.root();
    let state = root.join(STATE_DIR);
    crate::workspace::make_dir(&state)?;
    let artifacts = root.join(&file.artifacts);
    let tree = Tree::find(&root, &state, &running::apart(file, &root, &artifacts))?.now()?;
    if ask.runs.is_empty() {
        let text = "no run is named that should be merged";
        return Err(AppError::new(Reason::ArgumentInvalid, text)
            .hint("name the run of each shard, or its directory"));
    }
    let mut faults = Vec::new();
    let mut given = Vec::new();
    for what in &ask.runs {
        given.push(shards::read(home, what, &mut faults)?);
    }
    given.sort_by(|a, b| (a.index(), &a.summary.run_id).cmp(&(b.index(), &b.summary.run_id)));
    let seen = given.iter().map(Given::seen).collect();
    let plan = match &ask.plan {
        Some(path) => Some(sharding::read(&home.here.join(path))?),
        None => given.iter().find_map(|g| g.plan.clone()),
    };
    let Some(plan) = plan else {
        faults.push(Fault {
            reason: Reason::ShardPlanMismatch,
            shard: None,
            item: None,
            text: "none of the runs has a plan of shards that can be read".into(),
        });
        return Ok(Merging {
            proof: nothing(faults),
            shards: seen,
            whole: None,
        });
    };
    let mut proof = prove(
        &plan,
        &tree.tree,
        &variant(&file.variant),
        &results(file, &plan, &given),
    );
    faults.extend(together(file, &plan, &given));
    faults.append(&mut proof.faults);
    proof.complete = faults.is_empty() && proof.faults_omitted == 0;
    proof.faults = faults;
    let whole = match proof.complete {
        false => None,
        true => Some(whole::write(home, config, ask, &plan, &proof, &given)?),
    };
    Ok(Merging {
        proof,
        shards: seen,
        whole,
    })
}

/// A proof of nothing.
fn nothing(faults: Vec<Fault>) -> Merged {
    Merged {
        plan: Digest::of(b""),
        complete: false,
        faults,
        faults_omitted: 0,
        items: 0,
        planned: 0,
        millis: BTreeMap::new(),
        slowest: None,
        idle: Vec::new(),
    }
}

/// A variant as one text.
fn variant(variant: &BTreeMap<String, String>) -> String {
    serde_json::to_string(variant).unwrap_or_default()
}

/// What each shard did, as the proof needs it. What a shard's items need runs beside them and is no item.
fn results(file: &SuitesFile, plan: &Plan, given: &[Given]) -> Vec<ShardResult> {
    let names: Vec<&str> = file.suites.keys().map(String::as_str).collect();
    let planned: BTreeSet<&str> = plan.items.iter().map(|i| i.name.as_str()).collect();
    let one = |g: &Given| {
        let shard = g.summary.shard.as_ref()?;
        let items: BTreeSet<&str> = plan.of_shard(shard.index).collect();
        let needed = sharding::with_needs(file, &names, &items);
        let ran = g.summary.targets().map(|t| t.target.as_str());
        let ran = ran.filter(|name| planned.contains(name) || !needed.contains(name));
        Some(ShardResult {
            plan: shard.plan.parse().ok()?,
            index: shard.index,
            total: shard.total,
            tree: g.summary.source.tree.clone(),
            variant: variant(&g.summary.variant),
            ran: ran.map(str::to_owned).collect(),
            millis: Some(g.summary.duration_ms),
        })
    };
    given.iter().filter_map(one).collect()
}

/// What must be so of all shards together, beside what the proof looks at.
fn together(file: &SuitesFile, plan: &Plan, given: &[Given]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut tell = |g: &Given, reason, item: Option<&str>, text: String| {
        faults.push(Fault {
            reason,
            shard: g.index(),
            item: item.map(str::to_owned),
            text,
        });
    };
    let mut ids = BTreeSet::new();
    let profile = given.first().map_or("", |g| g.summary.profile.as_str());
    let selected: BTreeSet<&str> = given
        .iter()
        .flat_map(|g| g.summary.targets())
        .map(|t| t.target.as_str())
        .collect();
    let selected: Vec<&str> = selected.into_iter().collect();
    for g in given {
        let id = &g.summary.run_id;
        if !ids.insert(id) {
            tell(
                g,
                Reason::ShardPlanMismatch,
                None,
                format!("the run `{id}` is named twice"),
            );
        }
        if g.summary.profile != profile {
            let text = format!(
                "`{id}` ran the profile `{}`, another `{profile}`",
                g.summary.profile
            );
            tell(g, Reason::ShardPlanMismatch, None, text);
        }
        // A test without its build, where another shard had one, is not the same test.
        let Some(index) = g.index() else { continue };
        let items: BTreeSet<&str> = plan.of_shard(index).collect();
        for name in sharding::with_needs(file, &selected, &items) {
            if !g.summary.targets().any(|t| t.target == name) && !items.contains(name) {
                let text = format!("`{id}` has no result of it, and what it ran needs it");
                tell(g, Reason::TestMissing, Some(name), text);
            }
        }
        for target in g.summary.targets() {
            match file.suites.get(&target.target) {
                None => {
                    let text = format!("`{id}` ran it, and it is not declared here");
                    tell(g, Reason::ShardPlanMismatch, Some(&target.target), text);
                }
                Some(suite) if suite.class != target.class => {
                    let text = format!(
                        "`{id}` ran it as {}, and it is declared as {}",
                        target.class.word(),
                        suite.class.word()
                    );
                    tell(g, Reason::ShardPlanMismatch, Some(&target.target), text);
                }
                Some(_) => {}
            }
        }
    }
    faults
}

/// The word of a cut in answers.
pub const fn word(cut: Cut) -> &'static str {
    match cut {
        Cut::Index => "index",
        Cut::Hash => "hash",
        Cut::Durations => "durations",
    }
}

/// Where a target's files lie in a run's directory.
fn home_of(class: Class, target: &str) -> String {
    format!("{}/{target}/", class.word())
}
