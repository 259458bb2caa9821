//! `[perf.sweep.NAME]` and `[perf.opportunity.NAME]`: what is tried, and what could be made better.
//!
//! Invariants: a sweep has values to choose between, none of them 0 or twice; every budget that is named is declared and can be measured.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_suite::perf::Statistic;
use gonogo_suite::perf::study::Dimension;
use serde::Serialize;

use super::keys::{OPPORTUNITY, PART, SWEEP};
use super::name::is_variable;
use super::named;
use super::perf::{PerfFile, named_in};
use super::reader::Table;

/// Most values of all parameters of a sweep.
const MOST_VALUES: usize = 256;

/// `[perf.sweep.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(
    missing_docs,
    reason = "each field is the key of that name, which the key table explains"
)]
pub struct SweepFile {
    pub budget: String,
    pub runs: usize,
    pub dimensions: Vec<Dimension>,
}

/// `[perf.opportunity.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct OpportunityFile {
    pub whole: String,
    pub stages: BTreeMap<String, StageFile>,
}

/// `[perf.opportunity.NAME.stages.NAME]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[expect(missing_docs, reason = "as above")]
pub struct StageFile {
    pub budget: String,
    pub effort: f64,
}

type Budgets = BTreeMap<String, PerfFile>;

/// Reads the sweeps.
pub(super) fn sweeps(root: &Table<'_, '_>, budgets: &Budgets) -> BTreeMap<String, SweepFile> {
    let tables = named_in(root, "sweep", "a sweep's name", &SWEEP);
    let all = tables.iter();
    all.map(|(name, t)| (name.clone(), sweep(t, budgets)))
        .collect()
}

/// Reads the opportunities.
pub(super) fn opportunities(
    root: &Table<'_, '_>,
    budgets: &Budgets,
    sweeps: &BTreeMap<String, SweepFile>,
) -> BTreeMap<String, OpportunityFile> {
    let tables = named_in(root, "opportunity", "a matrix's name", &OPPORTUNITY);
    let mut all = BTreeMap::new();
    for (name, t) in &tables {
        if sweeps.contains_key(name) {
            t.whole()
                .refuse(t.faults, "a sweep has the same name; give it another");
        }
        let stages = named(t, "stages", "a stage's name", &PART);
        if stages.is_empty() {
            t.whole().refuse(
                t.faults,
                "it has no stage to rank: begin one with `stages.NAME`",
            );
        }
        let stages = stages.iter().map(|(stage, s)| {
            let effort = s.number("effort");
            if let Some(odd) = effort
                .as_ref()
                .filter(|e| !(e.value.is_finite() && e.value > 0.0))
            {
                odd.refuse(s.faults, "must be a number above 0");
            }
            let file = StageFile {
                budget: budget(s, "budget", budgets),
                effort: effort.map_or(1.0, |e| e.value),
            };
            (stage.clone(), file)
        });
        let file = OpportunityFile {
            whole: budget(t, "whole", budgets),
            stages: stages.collect(),
        };
        all.insert(name.clone(), file);
    }
    all
}

/// The name of a budget that is declared.
fn budget(t: &Table<'_, '_>, key: &str, budgets: &Budgets) -> String {
    t.require(key);
    t.text(key).map_or_else(String::new, |name| {
        if !budgets.contains_key(&name.value) {
            let known: Vec<&str> = budgets.keys().map(String::as_str).collect();
            let text = format!("no budget has this name; known: {}", known.join(", "));
            name.refuse(t.faults, text);
        }
        name.value
    })
}

fn sweep(t: &Table<'_, '_>, budgets: &Budgets) -> SweepFile {
    let name = budget(t, "budget", budgets);
    if budgets.get(&name).is_some_and(|b| b.command.is_empty()) {
        t.whole().refuse(
            t.faults,
            "its budget has no command to run with other values",
        );
    }
    let runs = t.count("runs");
    let fewest = Statistic::P50.fewest() as u64;
    if let Some(odd) = runs.as_ref().filter(|r| r.value < fewest || r.value > 1000) {
        odd.refuse(t.faults, format!("must be {fewest} to 1000"));
    }
    t.require("dimensions");
    let mut dimensions = Vec::new();
    for (name, values) in t.text_map("dimensions").unwrap_or_default() {
        if !is_variable(&name) {
            values.refuse(
                t.faults,
                "a parameter is a variable: letters, digits and `_`",
            );
        }
        let words: Vec<&str> = values.value.split_ascii_whitespace().collect();
        let numbers: Vec<u64> = words.iter().filter_map(|w| w.parse().ok()).collect();
        let distinct: BTreeSet<u64> = numbers.iter().copied().collect();
        if numbers.len() != words.len() || distinct.len() != words.len() || distinct.contains(&0) {
            values.refuse(
                t.faults,
                "expected whole numbers above 0 with spaces between, each once",
            );
        } else if numbers.len() < 2 {
            values.refuse(t.faults, "one value is no choice: give two or more");
        }
        dimensions.push(Dimension {
            name,
            candidate_values: numbers,
        });
    }
    let all: usize = dimensions.iter().map(|d| d.candidate_values.len()).sum();
    if dimensions.is_empty() || all > MOST_VALUES {
        t.whole().refuse(
            t.faults,
            format!("`dimensions` must have 2 to {MOST_VALUES} values"),
        );
    }
    SweepFile {
        budget: name,
        runs: runs.map_or(5, |r| usize::try_from(r.value).unwrap_or(5)),
        dimensions,
    }
}
