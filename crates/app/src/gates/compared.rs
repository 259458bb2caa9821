//! Runs beside their baselines: of each target the newest earlier run in which it was good.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_gate::inputs::{Compared, History};
use gonogo_store::ledger::RecordView;
use gonogo_suite::diff::{self, Entry};
use gonogo_suite::{Summary, TargetResult, TestId};
use serde_json::Value;

use crate::AppError;
use crate::home::{Book, Home};
use crate::suite::reading;

/// Most bytes of a recorded summary.
pub(super) const LARGEST: u64 = 256 << 20;

/// How many earlier runs are looked at.
pub(crate) const LOOKED: usize = 50;

/// A run as it was recorded.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its summary, from the ledger's own copy.
    pub summary: Summary,
    /// Of that copy's bytes.
    pub digest: Digest,
    /// The record.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// Where its files should be.
    pub dir: PathBuf,
    /// Of its list of files.
    pub files: Option<Digest>,
}

/// Runs, and why others cannot be read, with the tree that each is of.
pub type Found = (Vec<Recorded>, Vec<(String, String)>);

/// Runs that the ledger has, the newest first, and why others of them cannot be read, with the tree that each is of.
///
/// # Errors
/// The ledger's.
pub fn recorded(home: &Home, book: &Book, records: &[RecordView]) -> Result<Found, AppError> {
    Ok(these(home, book, records.iter().take(LOOKED)))
}

/// These runs, and why others of them cannot be read.
pub(crate) fn these<'a>(
    home: &Home,
    book: &Book,
    records: impl IntoIterator<Item = &'a RecordView>,
) -> Found {
    let (mut all, mut unreadable) = (Vec::new(), Vec::new());
    for record in records {
        let word = |key: &str| record.body.get(key).and_then(Value::as_str);
        let tree = word("tree").unwrap_or_default().to_owned();
        let mut refuse = |why: String| {
            unreadable.push((tree.clone(), format!("record {}: {why}", record.index)));
        };
        let Some(digest) = word("summary").and_then(|d| d.parse::<Digest>().ok()) else {
            refuse("it names no summary".into());
            continue;
        };
        let bytes = match book.ledger.read_blob(&digest, LARGEST) {
            Ok(bytes) => bytes,
            Err(e) => {
                refuse(e.to_string());
                continue;
            }
        };
        let summary = match serde_json::from_slice::<Summary>(&bytes) {
            Ok(summary) => summary,
            Err(e) => {
                refuse(format!("its summary cannot be read: {e}"));
                continue;
            }
        };
        all.push(Recorded {
            dir: home.root().join(word("directory").unwrap_or_default()),
            files: word("files").and_then(|d| d.parse().ok()),
            summary,
            digest,
            index: record.index,
            at: record.time,
        });
    }
    (all, unreadable)
}

/// Each target of a run beside an earlier good one. `all` are all runs, the newest first; `before` says which commits went in before the
/// change under judgement; `stopped` why not all runs of these were looked at.
///
/// What the change itself ran is no baseline if there is another: a test that it took out would be missed once and never again. A run of
/// the same tree never is one. Where nothing of the base was run, it is the first run of the change, which is the nearest to the base.
pub fn baselines(
    run: &Recorded,
    all: &[Recorded],
    before: &BTreeSet<u64>,
    stopped: Option<&str>,
) -> BTreeMap<String, Compared> {
    let earlier: Vec<&Recorded> = all
        .iter()
        .filter(|r| r.index < run.index && r.summary.source.tree != run.summary.source.tree)
        .collect();
    let of_base = |r: &&Recorded| before.contains(&r.index);
    let base: Vec<&Recorded> = earlier.iter().copied().filter(of_base).collect();
    let first: Vec<&Recorded> = earlier.iter().rev().copied().collect();
    let mut found = BTreeMap::new();
    for target in run.summary.targets() {
        let name = target.target.clone();
        let of_base = good(&base, &run.summary, &name);
        // A run of the change is the baseline only if it is certain that there is none of the base.
        if let (None, Some(why)) = (of_base, stopped) {
            let why = why.to_owned();
            found.insert(name, Compared::Missing { why });
            continue;
        }
        let good = of_base.or_else(|| good(&first, &run.summary, &name));
        let compared = match good {
            None => Compared::Nothing,
            Some(base) => match (entries(base, &name), entries(run, &name)) {
                (Ok(before), Ok(now)) => Compared::With {
                    run_id: base.summary.run_id.clone(),
                    digest: base.digest,
                    diff: diff::diff(&before, &now),
                },
                (Err(e), _) => Compared::Missing {
                    why: format!("the tests of `{}` cannot be read: {e}", base.summary.run_id),
                },
                (_, Err(e)) => Compared::Missing {
                    why: format!("its own tests cannot be read: {e}"),
                },
            },
        };
        found.insert(name, compared);
    }
    found
}

/// The first of these of the same variant and part in which a target was good; of those of its tree the one in which the most of it ran, since
/// a part of a target's tests can be good without the rest.
pub(crate) fn good<'a>(
    earlier: &[&'a Recorded],
    summary: &Summary,
    target: &str,
) -> Option<&'a Recorded> {
    let alike = |r: &&&Recorded| {
        r.summary.variant == summary.variant
            && r.summary.shard == summary.shard
            && r.summary.run_id != summary.run_id
    };
    let is_good = |r: &&&Recorded| {
        let mut own = r.summary.targets();
        own.any(|t| t.target == target && t.status == Verdict::Pass)
    };
    let mut fitting = earlier.iter().filter(alike).filter(is_good).copied();
    let first = fitting.next()?;
    let ran = |r: &Recorded| {
        let mut own = r.summary.targets();
        own.find(|t| t.target == target)
            .map_or(0, |t| t.tests.ran())
    };
    let same = fitting.filter(|r| r.summary.source.tree == first.summary.source.tree);
    Some(same.fold(first, |best, r| match ran(r) > ran(best) {
        true => r,
        false => best,
    }))
}

/// The tests of one target, from the run's files, if these are what the summary names.
pub fn entries(run: &Recorded, target: &str) -> Result<Vec<(TestId, Entry)>, String> {
    let result = run
        .summary
        .targets()
        .find(|t| t.target == target)
        .ok_or("it has no result")?;
    proven(run, result)?;
    let path = run.dir.join(&result.tests_file);
    let mut entries = Vec::new();
    reading::rows_of(&path, |row| {
        entries.push((row.test.clone(), row.entry()));
    })
    .map_err(|e| e.to_string())?;
    Ok(entries)
}

/// Whether the list of a target's tests is the one that was recorded.
pub(super) fn proven(run: &Recorded, result: &TargetResult) -> Result<(), String> {
    let path = run.dir.join(&result.tests_file);
    let (_, digest) = crate::dry_run::keeping::digest(&path).map_err(|e| e.to_string())?;
    match Some(digest) == result.tests_sha256 {
        true => Ok(()),
        false => Err(format!("`{}` was changed", result.tests_file)),
    }
}

/// Green runs of each target so far: how many, and their median.
pub fn history(all: &[Recorded], before: u64) -> BTreeMap<String, History> {
    let mut spent: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for run in all.iter().filter(|r| r.index < before) {
        for target in run.summary.targets() {
            if target.status == Verdict::Pass {
                spent
                    .entry(target.target.clone())
                    .or_default()
                    .push(target.duration_ms);
            }
        }
    }
    let mut history = BTreeMap::new();
    for (name, mut all) in spent {
        all.sort_unstable();
        let own = History {
            green_runs: all.len() as u64,
            median_ms: all[all.len() / 2],
        };
        history.insert(name, own);
    }
    history
}
