//! Which recorded runs a judgement sees: all of the tree under judgement, and those that they are held against, however many lie between.
//!
//! Invariants: no run of the tree is left out silently: beyond [`OWN`] it is said, and no gate over runs passes then; a baseline of the base
//! is looked for until every target has one, or it is said that the looking stopped. Memory: runs of other trees are kept without
//! their failures, and of those beyond the newest only what becomes a baseline.

use std::collections::BTreeSet;

use gonogo_core::Verdict;
use gonogo_store::ledger::RecordView;
use gonogo_suite::Summary;
use serde_json::Value;

use super::base::Base;
use super::compared::{self, LOOKED, Recorded};
use super::gathering::Place;
use crate::AppError;
use crate::home::Book;

/// Most runs of the tree under judgement.
const OWN: usize = 2_000;

/// Most runs of the base that are looked at for baselines.
const BASE: usize = 20_000;

/// The runs.
pub(super) struct Looked {
    /// The newest first.
    pub all: Vec<Recorded>,
    /// Why runs of the tree cannot be read, or were not looked at.
    pub unreadable: Vec<String>,
    /// Commits of these that went in before the change.
    pub before: BTreeSet<String>,
    /// Why not every run of the base was looked at.
    pub stopped: Option<String>,
}

/// What a baseline is for: target, variant and part.
type Wanted = BTreeSet<(String, String)>;

/// Looks. `records` are results of runs, the newest first.
///
/// # Errors
/// git's faults.
pub(super) fn look(
    place: &Place<'_>,
    book: &Book,
    records: &[RecordView],
    tree: &str,
    base: &Base,
) -> Result<Looked, AppError> {
    let home = place.home;
    let of = |record: &RecordView| record.body.get("tree").and_then(Value::as_str) == Some(tree);
    let own: Vec<&RecordView> = records.iter().filter(|r| of(r)).collect();
    let (mut all, unreadable) = compared::these(home, book, own.iter().copied().take(OWN));
    let mut unreadable: Vec<String> = unreadable.into_iter().map(|(_, why)| why).collect();
    if own.len() > OWN {
        let left = own.len() - OWN;
        unreadable.push(format!(
            "{OWN} runs of this tree were looked at, and {left} older ones were not"
        ));
    }
    let mut wanted = Wanted::new();
    for run in &all {
        wanted.extend(keys(&run.summary, |_| true));
    }
    let others: Vec<&RecordView> = records.iter().filter(|r| !of(r)).collect();
    let (newest, _) = compared::these(home, book, others.iter().copied().take(LOOKED));
    let commits: BTreeSet<String> = newest
        .iter()
        .chain(&all)
        .filter_map(|r| r.summary.source.commit.clone())
        .collect();
    let mut before: BTreeSet<String> = commits
        .into_iter()
        .filter(|commit| base.has(&place.tree, commit))
        .collect();
    let first_own = all.iter().map(|r| r.index).min().unwrap_or(u64::MAX);
    for run in &newest {
        // Only what is older than every run of the tree is a baseline of all of them.
        if run.index < first_own {
            satisfy(&mut wanted, run, &before);
        }
    }
    // Where nothing ran on the tree, these are what is shown instead, whole.
    match all.is_empty() {
        true => all = newest,
        false => all.extend(newest.into_iter().map(slim)),
    }
    let mut stopped = None;
    let mut older = others.iter().skip(LOOKED).peekable();
    if !wanted.is_empty() && older.peek().is_some() {
        let ancestors = base.ancestors(&place.tree)?;
        let mut looked = 0;
        for record in older {
            let commit = record.body.get("commit").and_then(Value::as_str);
            let Some(commit) = commit.filter(|c| ancestors.contains(*c)) else {
                continue;
            };
            if wanted.is_empty() {
                break;
            }
            if looked == BASE {
                stopped = Some(format!(
                    "{BASE} runs of the base were looked at for a good one, and there are older ones"
                ));
                break;
            }
            looked += 1;
            let (found, _) = compared::these(home, book, [*record]);
            for run in found {
                before.insert(commit.to_owned());
                if run.index < first_own && satisfy(&mut wanted, &run, &before) {
                    all.push(slim(run));
                }
            }
        }
    }
    all.sort_by_key(|r| std::cmp::Reverse(r.index));
    Ok(Looked {
        all,
        unreadable,
        before,
        stopped,
    })
}

/// Takes what a run is a baseline of out of what is wanted; says whether there was any.
fn satisfy(wanted: &mut Wanted, run: &Recorded, before: &BTreeSet<String>) -> bool {
    let source = &run.summary.source;
    let is_base = !source.dirty && source.commit.as_ref().is_some_and(|c| before.contains(c));
    if !is_base {
        return false;
    }
    let had = wanted.len();
    for key in keys(&run.summary, |status| status == Verdict::Pass) {
        wanted.remove(&key);
    }
    wanted.len() < had
}

fn keys(summary: &Summary, fits: impl Fn(Verdict) -> bool) -> Wanted {
    let alike = format!("{:?} {:?}", summary.variant, summary.shard);
    let fitting = summary.targets().filter(|t| fits(t.status));
    fitting.map(|t| (t.target.clone(), alike.clone())).collect()
}

/// Without its failures: a baseline's tests are in its own list.
fn slim(mut run: Recorded) -> Recorded {
    let summary = &mut run.summary;
    for list in [
        &mut summary.build,
        &mut summary.lint,
        &mut summary.unit_targets,
        &mut summary.suites,
    ] {
        for target in list.iter_mut() {
            target.bad.clear();
            target.bad.shrink_to_fit();
        }
    }
    run
}
