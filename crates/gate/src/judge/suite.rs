//! A gate over runs of targets: which targets, which runs of them, and whether all shards are there.

use std::collections::BTreeMap;

use gonogo_core::Reason;
use gonogo_suite::run::TargetResult;

use super::obligation::Open;
use super::runs::{self, Plan};
use super::{Court, earlier, target};
use crate::inputs::Run;
use crate::policy::{Gate, SuiteCheck};
use crate::verdict::GateResult;

/// A result of a target, and the run that it is of.
pub(super) struct Seen<'a> {
    pub(super) run: &'a Run,
    pub(super) result: &'a TargetResult,
}

pub(super) fn judge(court: &Court<'_>, gate: &Gate, check: &SuiteCheck, row: &mut GateResult) {
    let mut scope = Open::new(&gate.id, "scope", "targets to judge");
    scope.cite("manifest", court.inputs.manifest.digest, None);
    let targets = targets(court, check, &mut scope, &mut row.notes);
    for why in &court.inputs.unreadable_runs {
        scope.tell(Reason::EvidenceUnparsable, format!("a run: {why}"));
    }
    for run in &court.inputs.going_runs {
        scope.tell(Reason::RunActive, format!("run `{run}` of this tree"));
    }
    let mut wrong: BTreeMap<&str, Vec<(Reason, String)>> = BTreeMap::new();
    for run in &court.inputs.runs {
        let found = runs::problems(run);
        if wrong.insert(&run.summary.run_id, found).is_some() {
            let text = format!("two runs have the id `{}`", run.summary.run_id);
            scope.tell(Reason::IdCollision, text);
        }
    }
    let mut plans: BTreeMap<String, Plan<'_>> = BTreeMap::new();
    let (mut ran, mut flaky, mut all_tests) = (0u64, 0u64, 0u64);
    let mut results = Vec::new();
    let mut is_whole = !targets.is_empty();
    for name in &targets {
        let mut open = Open::new(
            &gate.id,
            name,
            format!(
                "a good run of `{name}` on this tree, at most {} old",
                check.max_age
            ),
        );
        let seen = runs::choose(court, check, name, &mut plans, &mut open);
        for one in &seen {
            ran += one.result.tests.ran();
            flaky += one.result.tests.flaky;
            all_tests += one.result.tests.total;
            let id = one.run.summary.run_id.as_str();
            for (code, text) in wrong.get(id).into_iter().flatten() {
                open.tell_of(*code, text, Some(name), None);
            }
            target::judge(court, check, one, &mut open, &mut row.excuses);
        }
        // What was not shown at all is told as that.
        is_whole &= !seen.is_empty();
        if !seen.is_empty() {
            earlier::judge(court, name, &seen, &mut open, &mut row.excuses);
        }
        results.push(open);
    }
    if is_whole && ran < check.min_tests {
        let text = format!("{ran} tests ran, and {} must", check.min_tests);
        let code = match ran {
            0 => Reason::ZeroTests,
            _ => Reason::TestMissing,
        };
        scope.tell(code, text);
    }
    let d = &court.policy.defaults;
    let share = u128::from(flaky) * 100 > u128::from(d.flaky_percent) * u128::from(all_tests);
    if flaky > d.flaky_per_target && share {
        let text = format!(
            "{flaky} of {all_tests} tests are flaky, and {} per cent are admitted",
            d.flaky_percent
        );
        scope.tell(Reason::FlakeBudgetExceeded, text);
    }
    row.obligations.push(scope.finish());
    row.obligations
        .extend(results.into_iter().map(Open::finish));
    for (plan, found) in plans {
        let mut open = Open::new(
            &gate.id,
            &format!("shards/{plan}"),
            "every shard of the plan, once",
        );
        found.judge(court, &mut open);
        row.obligations.push(open.finish());
    }
}

fn targets(
    court: &Court<'_>,
    check: &SuiteCheck,
    scope: &mut Open,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let declared = &court.inputs.manifest.declared;
    let Some(profile) = &check.profile else {
        for name in &check.targets {
            if !declared.targets.contains_key(name) {
                let text = format!("there is no target `{name}`");
                scope.tell(Reason::PolicyUndefined, text);
            }
        }
        return check.targets.clone();
    };
    let Some(all) = declared.profiles.get(profile) else {
        let known: Vec<&str> = declared.profiles.keys().map(String::as_str).collect();
        let text = format!(
            "there is no profile `{profile}`; known: {}",
            known.join(", ")
        );
        scope.tell(Reason::PolicyUndefined, text);
        return Vec::new();
    };
    let mut names = Vec::new();
    for name in all {
        match declared.targets.get(name) {
            None => {
                let text = format!("the profile `{profile}` names `{name}`, which is no target");
                scope.tell(Reason::PolicyUndefined, text);
            }
            Some(target) if target.blocking => names.push(name.clone()),
            Some(_) => {
                let newest = court
                    .inputs
                    .runs
                    .iter()
                    .filter(|r| r.summary.source.tree == court.inputs.subject.tree)
                    .flat_map(|r| r.summary.targets())
                    .filter(|t| t.target == *name)
                    .max_by_key(|t| t.timestamp);
                let status = newest.map_or("without a run".to_owned(), |t| t.status.to_string());
                notes.push(format!("`{name}` does not block: {status}"));
            }
        }
    }
    names.sort();
    names.dedup();
    if names.is_empty() {
        let text = format!("the profile `{profile}` has no target that blocks");
        scope.tell(Reason::PolicyUndefined, text);
    }
    names
}
