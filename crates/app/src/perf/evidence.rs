//! What gates see of performance: the newest record of each budget on the tree under judgement, derived again from the ledger's own copies.

use std::collections::BTreeMap;

use gonogo_core::{Digest, Reason, Span, Timestamp};
use gonogo_gate::inputs::{Budgeted, Found, Origin, Perf, PerfResult};
use gonogo_store::ledger::{Filter, RecordView};
use gonogo_suite::perf::MOST_BYTES;
use serde_json::Value;

use super::judging::Derived;
use super::measuring::{self, Ask};
use super::{PerfRun, RECORD, judging, stream};
use crate::AppError;
use crate::config::{Config, PerfFile};
use crate::home::Book;
use crate::suite::source::Tree;

/// Budgets, as a declaration has them.
pub fn budgets(config: &Config) -> BTreeMap<String, Budgeted> {
    let wanted = wanted(config);
    let all = wanted.into_iter().map(|(name, wanted)| {
        let budget = Budgeted {
            blocks: wanted.blocking,
            declared: wanted.declared,
        };
        (name.to_owned(), budget)
    });
    all.collect()
}

/// What a declaration wants of evidence.
struct Wanted<'a> {
    declared: Digest,
    blocking: bool,
    /// Whether it is measured here, so that figures of others say nothing.
    runs: bool,
    limits: bool,
    stresses: bool,
    freshness: Span,
    /// Its declaration, if base and head are compared.
    compares: Option<&'a PerfFile>,
}

/// Budgets and load tests by name; none has the name of another.
fn wanted(config: &Config) -> BTreeMap<&str, Wanted<'_>> {
    let mut all = BTreeMap::new();
    for (name, file) in &config.perf {
        let wanted = Wanted {
            declared: super::declared(name, file),
            blocking: file.blocking,
            runs: !file.command.is_empty(),
            limits: file.threshold.is_some(),
            stresses: false,
            freshness: file.freshness,
            compares: file.compare.is_some().then_some(file),
        };
        all.insert(name.as_str(), wanted);
    }
    for (name, file) in &config.stress {
        let wanted = Wanted {
            declared: super::declared(name, file),
            blocking: file.blocking,
            runs: true,
            limits: false,
            stresses: true,
            freshness: file.freshness,
            compares: None,
        };
        all.insert(name.as_str(), wanted);
    }
    all
}

/// What the ledger has of each declared budget. `base` is what the judgement compares with, `now` its time.
///
/// # Errors
/// The ledger's.
pub fn found(
    book: &Book,
    config: &Config,
    tree: &Tree,
    subject: &str,
    base: Option<&str>,
    now: Timestamp,
) -> Result<BTreeMap<String, Found<Perf>>, AppError> {
    let mut found: BTreeMap<String, Found<Perf>> = BTreeMap::new();
    let wanted = wanted(config);
    if wanted.is_empty() {
        return Ok(found);
    }
    for record in records(book)?.iter().rev() {
        if record.body.get("tree").and_then(Value::as_str) != Some(subject) {
            continue;
        }
        let (names, measured) = (names(record), is_measured(record));
        let open: Vec<&String> = names
            .iter()
            .filter(|name| match (wanted.get(name.as_str()), found.get(*name)) {
                // Figures that are handed in say nothing of what can be measured here.
                (Some(file), _) if !measured && file.runs => false,
                (Some(_), None) => true,
                // What was good in the end may have been bad before.
                (Some(_), Some(Found::Present { value, .. })) => is_good(value),
                _ => false,
            })
            .collect();
        if open.is_empty() {
            continue;
        }
        let read = read(book, record);
        for name in open {
            let Some(file) = wanted.get(name.as_str()) else {
                continue;
            };
            let one = match &read {
                Err((why, digest)) => Some(Found::Unreadable {
                    why: format!("record {}: {why}", record.index),
                    digest: *digest,
                }),
                Ok(Recorded { derived, digest }) => {
                    let run = &derived.run;
                    let outcome = run.outcomes.iter().find(|o| o.budget == *name);
                    outcome
                        // Measured by another declaration, or only in part, it is about another budget.
                        .filter(|o| is_of(o, file))
                        .map(|outcome| Found::Present {
                            value: Perf {
                                budget: name.clone(),
                                result: outcome.result,
                                reasons: reasons(file, outcome, run, tree, base, now),
                                base_tree: outcome.base_tree.clone(),
                            },
                            origin: Origin {
                                digest: *digest,
                                at: Some(run.at),
                                tree: Some(run.tree.clone()),
                                record: Some(record.index),
                            },
                        })
                }
            };
            match (one, found.get_mut(name)) {
                (Some(Found::Present { value: older, .. }), Some(Found::Present { value, .. })) => {
                    if older.result == PerfResult::Regressed {
                        value.reasons.push(Reason::PerfUnconfirmed);
                    }
                }
                (Some(one), None) => {
                    found.insert(name.clone(), one);
                }
                (_, _) => {}
            }
        }
    }
    Ok(found)
}

fn is_good(perf: &Perf) -> bool {
    matches!(perf.result, PerfResult::Improved | PerfResult::Same)
        && !perf.reasons.contains(&Reason::PerfUnconfirmed)
}

/// Whether an outcome is of the budget as it is declared now.
fn is_of(outcome: &super::Outcome, wanted: &Wanted<'_>) -> bool {
    outcome.declared == wanted.declared
        && outcome.compares == wanted.compares.is_some()
        && outcome.limits == wanted.limits
        && outcome.stresses == wanted.stresses
}

/// The reasons of an outcome, and what the judge adds: its age, and whether it was compared with what the change is a change of.
fn reasons(
    wanted: &Wanted<'_>,
    outcome: &super::Outcome,
    run: &PerfRun,
    tree: &Tree,
    base: Option<&str>,
    now: Timestamp,
) -> Vec<Reason> {
    let mut reasons = outcome.reasons.clone();
    if now.since(run.at) > wanted.freshness {
        reasons.push(Reason::EvidenceStale);
    }
    if let Some(file) = wanted.compares {
        let ask = Ask {
            base: base.map(str::to_owned),
            ..Ask::default()
        };
        let right = measuring::base(tree, file, &ask).ok().map(|s| s.tree);
        if right.is_none() || right != outcome.base_tree {
            reasons.push(Reason::BaselineIncomparable);
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

type Read = Result<Recorded, (String, Option<Digest>)>;

/// The run of a record.
pub(super) struct Recorded {
    pub(super) derived: Derived,
    /// Of its outcomes.
    pub(super) digest: Digest,
}

/// The run of a record, if it follows from what the ledger keeps of it.
pub(super) fn read(book: &Book, record: &RecordView) -> Read {
    let named = record.body.get("outcomes").and_then(Value::as_str);
    let Some(digest) = named.and_then(|d| d.parse::<Digest>().ok()) else {
        return Err(("it names no outcomes".into(), None));
    };
    let blob = |digest: Digest| {
        let bytes = book.ledger.read_blob(&digest, MOST_BYTES as u64);
        bytes.map_err(|e| e.to_string())
    };
    let bytes = blob(digest).map_err(|why| (why, Some(digest)))?;
    judging::again(&bytes, |_, digest| blob(digest))
        .map(|derived| Recorded { derived, digest })
        .map_err(|why| (why, Some(digest)))
}

/// Whether the figures of a record were measured here, and not handed in.
pub(super) fn is_measured(record: &RecordView) -> bool {
    record.body.get("measured") == Some(&Value::Bool(true))
}

/// The budgets that a record is about.
pub(super) fn names(record: &RecordView) -> Vec<String> {
    let names = record.body.get("budgets");
    names
        .and_then(|names| serde_json::from_value(names.clone()).ok())
        .unwrap_or_default()
}

/// All records of runs, the oldest first.
pub(super) fn records(book: &Book) -> Result<Vec<RecordView>, AppError> {
    let mut all = book.ledger.every(Filter {
        kind: Some(RECORD.to_owned()),
        ..Filter::default()
    })?;
    all.retain(|r| r.stream.starts_with(&stream("")));
    Ok(all)
}
