//! Which run speaks for a target: the newest that selected it, of the tree under judgement and whichever profile; with it all shards of
//! its plan.
//!
//! The newest, not the best: what an earlier one on the same tree says is not forgotten (`target::earlier`).

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Reason, Verdict as Status};
use gonogo_suite::run::{Class, READ, State, Summary};

use super::obligation::Open;
use super::suite::Seen;
use super::{Court, short};
use crate::inputs::Run;
use crate::policy::SuiteCheck;

/// Most missing shards that are named.
const NAMED: usize = 10;

/// The shards of one plan.
#[derive(Default)]
pub(super) struct Plan<'a> {
    runs: Vec<&'a Run>,
    total: u32,
}

/// Newest last.
fn age(run: &Run) -> (gonogo_core::Timestamp, gonogo_core::Timestamp, &str) {
    let s = &run.summary;
    (s.started_at, s.timestamp, s.run_id.as_str())
}

/// The results that speak for a target. Reasons why there is none are told.
pub(super) fn choose<'a>(
    court: &Court<'a>,
    check: &SuiteCheck,
    name: &str,
    plans: &mut BTreeMap<String, Plan<'a>>,
    open: &mut Open,
) -> Vec<Seen<'a>> {
    let tree = &court.inputs.subject.tree;
    // What was only read cannot stand for what a profile runs.
    let all: Vec<&'a Run> = court
        .inputs
        .runs
        .iter()
        .filter(|run| check.profile.is_none() || run.summary.profile != READ)
        .collect();
    let selects = |run: &&&'a Run| run.summary.selected.iter().any(|s| s == name);
    let newest = all
        .iter()
        .filter(|run| run.summary.source.tree == *tree)
        .filter(selects)
        .max_by_key(|run| age(run));
    let Some(newest) = newest.copied() else {
        match all.iter().filter(selects).max_by_key(|run| age(run)) {
            Some(other) => {
                open.cite("run", other.digest, other.record);
                let text = format!(
                    "the newest run of it, `{}`, is of tree {}",
                    other.summary.run_id,
                    short(&other.summary.source.tree)
                );
                open.tell_of(Reason::EvidenceWrongTree, text, Some(name), None);
            }
            None => {
                open.tell_of(
                    Reason::EvidenceMissing,
                    "no run selected it",
                    Some(name),
                    None,
                );
            }
        }
        // A shard that never ran looks like a target that nobody selected.
        for run in all {
            if run.summary.source.tree == *tree
                && let Some(shard) = &run.summary.shard
            {
                note_plan(court, &shard.plan, plans);
            }
        }
        return Vec::new();
    };
    let chosen = match &newest.summary.shard {
        None => vec![newest],
        Some(shard) => {
            note_plan(court, &shard.plan, plans);
            plans.get(&shard.plan).map(Plan::newest).unwrap_or_default()
        }
    };
    let mut seen = Vec::new();
    for run in chosen {
        let before = seen.len();
        if run.summary.declared != Some(court.inputs.manifest.digest) {
            open.cite("run", run.digest, run.record);
            let text = format!(
                "the run `{}` was made when something else was declared",
                run.summary.run_id
            );
            open.tell_of(Reason::EvidenceOtherDeclaration, text, Some(name), None);
        }
        let of_it = run.summary.targets().filter(|t| t.target == name);
        seen.extend(of_it.map(|result| Seen { run, result }));
        if seen.len() == before && run.summary.selected.iter().any(|s| s == name) {
            open.cite("run", run.digest, run.record);
            let text = format!("the run `{}` has no result of it", run.summary.run_id);
            open.tell_of(Reason::EvidenceMissing, text, Some(name), None);
        }
    }
    seen
}

fn note_plan<'a>(court: &Court<'a>, id: &str, plans: &mut BTreeMap<String, Plan<'a>>) {
    if plans.contains_key(id) {
        return;
    }
    let mut plan = Plan::default();
    for run in &court.inputs.runs {
        if let Some(shard) = &run.summary.shard
            && shard.plan == id
        {
            plan.total = plan.total.max(shard.total);
            plan.runs.push(run);
        }
    }
    plan.runs.sort_by_key(|run| age(run));
    plans.insert(id.to_owned(), plan);
}

impl<'a> Plan<'a> {
    /// The newest run of each shard.
    fn newest(&self) -> Vec<&'a Run> {
        let mut by_index = BTreeMap::new();
        for run in &self.runs {
            if let Some(shard) = &run.summary.shard {
                by_index.insert(shard.index, *run);
            }
        }
        by_index.into_values().collect()
    }

    /// Every shard once, all of one tree, one total and one kind.
    pub(super) fn judge(&self, court: &Court<'_>, open: &mut Open) {
        let mut last: BTreeMap<u32, &Run> = BTreeMap::new();
        let mut kinds = BTreeSet::new();
        for run in &self.runs {
            let Some(shard) = &run.summary.shard else {
                continue;
            };
            let id = &run.summary.run_id;
            open.cite("run", run.digest, run.record);
            kinds.insert(&shard.kind);
            let mut differs = |text: String| open.tell(Reason::ShardPlanMismatch, text);
            if run.summary.source.tree != court.inputs.subject.tree {
                differs(format!("the shard `{id}` is of another tree"));
            }
            if shard.total != self.total {
                differs(format!(
                    "the shard `{id}` is of {}, another of {}",
                    shard.total, self.total
                ));
            }
            if shard.index >= shard.total {
                differs(format!(
                    "the shard `{id}` is number {} of {}",
                    shard.index, shard.total
                ));
            }
            // A shard may be run again, and two runs of it at once are two shards under one number.
            if let Some(before) = last.insert(shard.index, run)
                && run.summary.started_at < before.summary.timestamp
            {
                differs(format!(
                    "`{}` and `{id}` are both shard {}, at the same time",
                    before.summary.run_id, shard.index
                ));
            }
        }
        if kinds.len() > 1 {
            open.tell(
                Reason::ShardPlanMismatch,
                "its shards are cut in different ways",
            );
        }
        let missing = (0..self.total).filter(|index| !last.contains_key(index));
        let named: Vec<String> = missing.take(NAMED).map(|i| i.to_string()).collect();
        let there = last.keys().filter(|i| **i < self.total).count() as u64;
        let count = u64::from(self.total).saturating_sub(there);
        if count > 0 {
            let text = format!(
                "{count} of {} shards have no run: {}",
                self.total,
                named.join(", ")
            );
            open.tell(Reason::ShardMissing, text);
        }
        if self.total == 0 {
            open.tell(Reason::ShardPlanMismatch, "the plan has no shards");
        }
    }
}

/// What is wrong with a run as a whole, whatever its targets say.
pub(super) fn problems(run: &Run) -> Vec<(Reason, String)> {
    let s: &Summary = &run.summary;
    let mut found: Vec<(Reason, String)> = Vec::new();
    let mut tell =
        |reason, text: String| found.push((reason, format!("run `{}`: {text}", s.run_id)));
    for problem in s.problems.iter().chain(&s.check()) {
        tell(problem.reason, problem.text.clone());
    }
    let has_bad = s.targets().any(|t| t.status > Status::Excused);
    match s.state {
        State::Complete => {}
        // Its own targets say what was not tried.
        State::Partial if has_bad => {}
        State::Partial => tell(
            Reason::RunIncomplete,
            "it says that it is partial, and not why".into(),
        ),
        State::Cancelled => tell(Reason::RunIncomplete, "it was cancelled".into()),
        State::Crashed => tell(Reason::RunIncomplete, "its runner was ended".into()),
    }
    match &s.source.tree_after {
        Some(after) if *after == s.source.tree => {}
        Some(_) => tell(Reason::TreeChanged, "the tree behind it is another".into()),
        None => tell(
            Reason::RunIncomplete,
            "nobody looked at the tree behind it".into(),
        ),
    }
    if s.started_at > s.timestamp {
        tell(Reason::ClockSkew, "it ended before it began".into());
    }
    match &s.runner_outcome {
        None => tell(
            Reason::RunIncomplete,
            "nobody says how its runner ended".into(),
        ),
        Some(outcome) => {
            // Where nobody looked, nobody found it another.
            if !outcome.source_snapshot_verified && s.source.tree_after.is_some() {
                tell(
                    Reason::TreeChanged,
                    "its runner did not find the tree as it had been".into(),
                );
            }
            if outcome.status != s.status
                || (outcome.exit_code == 0) != (s.status <= Status::Excused)
            {
                let text = format!(
                    "its runner ended with {} ({}), and its results are {}",
                    outcome.exit_code, outcome.status, s.status
                );
                tell(Reason::ExitCodeConflict, text);
            }
        }
    }
    // A build that failed makes everything behind it worthless, whether or not the gate names it.
    for built in &s.build {
        if built.class == Class::Build && built.status > Status::Excused && built.blocking {
            tell(
                Reason::TestPrecluded,
                format!("its build `{}` is {}", built.target, built.status),
            );
        }
    }
    found
}
