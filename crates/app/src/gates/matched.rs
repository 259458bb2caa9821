//! When each quarantine last matched a failure, and whether its test has passed since: from the recorded runs.
//!
//! Invariants: matches are looked for in the ledger's own copies of the summaries, since the entry is there; a clean run is one whose own list
//! of tests, as it was recorded, says that the test ran and passed. A list that is gone or was changed is no clean run, and ends the row.

use std::collections::{BTreeMap, BTreeSet};

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_gate::quarantine::{CLEAN, Quarantine, Quarantines};
use gonogo_store::ledger::RecordView;
use gonogo_suite::{Row, Summary, TestVerdict};
use serde_json::Value;

use super::compared::{self, Recorded};
use crate::home::{Book, Home};
use crate::suite::reading;

/// Most runs that are looked at for clean ones.
const LOOKED: usize = 20;

/// What is known of entries, by their digests.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The newest match.
    pub matched: BTreeMap<String, Timestamp>,
    /// Clean runs in a row, the newest first, up to [`CLEAN`].
    pub clean: BTreeMap<String, u64>,
    /// What the runs that an entry names say against it.
    pub denied: BTreeMap<String, String>,
    /// Entries of which no run is here.
    pub unseen: BTreeSet<String>,
}

/// Looks. `records` are results of runs, the newest first.
pub(super) fn known(
    home: &Home,
    book: &Book,
    records: &[RecordView],
    quarantines: &Quarantines,
) -> Known {
    let mut known = Known::default();
    let entries = &quarantines.read;
    let Some(since) = entries.iter().map(|e| e.quarantined).min() else {
        return known;
    };
    for record in records.iter().take_while(|r| r.time >= since) {
        if known.matched.len() == digests(entries) {
            break;
        }
        let status = record.body.get("status").cloned().unwrap_or_default();
        if serde_json::from_value::<Verdict>(status).is_ok_and(|s| s == Verdict::Pass) {
            continue;
        }
        let Some(summary) = summary(book, record) else {
            continue;
        };
        for row in summary.targets().flat_map(|t| &t.bad) {
            for entry in entries.iter().filter(|e| e.matches(row, &summary.variant)) {
                let at = record.time.max(entry.quarantined);
                known.matched.entry(entry.digest.to_string()).or_insert(at);
            }
        }
    }
    known.clean = clean(home, book, records, entries, since);
    for entry in entries {
        match shown(book, records, entry) {
            Shown::Failing => {}
            Shown::Nothing => {
                known.unseen.insert(entry.digest.to_string());
            }
            Shown::Otherwise(runs) => {
                let why = format!("none of its runs shows that the test fails: {runs}");
                known.denied.insert(entry.digest.to_string(), why);
            }
        }
    }
    known
}

/// What the runs that an entry names show.
enum Shown {
    /// One of them, that its test is bad.
    Failing,
    /// None of them is here; they may be recorded elsewhere.
    Nothing,
    /// Those that are here, all of them something else.
    Otherwise(String),
}

fn shown(book: &Book, records: &[RecordView], entry: &Quarantine) -> Shown {
    let mut here = Vec::new();
    for id in &entry.evidence {
        let stream = crate::suite::running::stream(id);
        let record = records.iter().find(|r| r.stream == stream);
        let Some(summary) = record.and_then(|record| summary(book, record)) else {
            continue;
        };
        let result = summary.targets().find(|t| t.target == entry.target);
        let is_bad = result.is_some_and(|result| {
            let mut bad = result.bad.iter();
            result.bad_omitted > 0
                || bad.any(|row| entry.is_for(&row.target, &row.test, &summary.variant))
        });
        if is_bad {
            return Shown::Failing;
        }
        here.push(id.as_str());
    }
    match here.is_empty() {
        true => Shown::Nothing,
        false => Shown::Otherwise(here.join(", ")),
    }
}

fn digests(entries: &[Quarantine]) -> usize {
    let all: std::collections::BTreeSet<_> = entries.iter().map(|e| e.digest).collect();
    all.len()
}

fn summary(book: &Book, record: &RecordView) -> Option<Summary> {
    let digest = record.body.get("summary").and_then(Value::as_str)?;
    let bytes = book
        .ledger
        .read_blob(&digest.parse::<Digest>().ok()?, compared::LARGEST)
        .ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Of each entry: the clean runs in a row from now on back.
fn clean(
    home: &Home,
    book: &Book,
    records: &[RecordView],
    entries: &[Quarantine],
    since: Timestamp,
) -> BTreeMap<String, u64> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut open: Vec<&Quarantine> = entries.iter().collect();
    for record in records.iter().take_while(|r| r.time >= since).take(LOOKED) {
        if open.is_empty() {
            break;
        }
        let Ok((mut found, _)) = compared::recorded(home, book, std::slice::from_ref(record))
        else {
            break;
        };
        let Some(run) = found.pop() else { break };
        open.retain(|entry| {
            let digest = entry.digest.to_string();
            if record.time < entry.quarantined {
                return false;
            }
            match said(&run, entry) {
                Said::Passed => {
                    let count = counts.entry(digest).or_default();
                    *count += 1;
                    *count < CLEAN
                }
                Said::Nothing => true,
                Said::Bad => false,
            }
        });
    }
    counts
}

enum Said {
    Passed,
    Nothing,
    Bad,
}

/// What a run says of an entry's test.
fn said(run: &Recorded, entry: &Quarantine) -> Said {
    let variant = &run.summary.variant;
    let fits = entry.variant.iter().all(|(k, v)| variant.get(k) == Some(v));
    let result = run.summary.targets().find(|t| t.target == entry.target);
    let (true, Some(result)) = (fits, result) else {
        return Said::Nothing;
    };
    let is_it = |row: &Row| entry.is_for(&row.target, &row.test, variant);
    if result.bad.iter().any(is_it) || result.bad_omitted > 0 {
        return Said::Bad;
    }
    if compared::proven(run, result).is_err() {
        return Said::Bad;
    }
    let mut said = Said::Nothing;
    let read = reading::rows_of(&run.dir.join(&result.tests_file), |row| {
        if is_it(&row) && row.verdict == TestVerdict::Passed && !row.cached {
            said = Said::Passed;
        }
    });
    match read {
        Ok(()) => said,
        Err(_) => Said::Bad,
    }
}
