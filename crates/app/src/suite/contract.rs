//! The evidence contract of a run: its directory is read back, the rules of `gonogo_suite::contract` judge it, and what they find counts.
//!
//! Invariants: nothing of it is taken from memory but the summary; a contract that fails makes the run invalid before anything says how it ended;
//! what is written last is read back byte by byte, so no run ends with files that say something else than it does.

mod seeing;

use std::collections::BTreeSet;

use gonogo_core::Reason;
use gonogo_suite::Summary;
use gonogo_suite::contract::{Contract, FILE, Of, Status, judge};
use gonogo_suite::run::Problem;
use serde::Serialize;

use super::artifacts::{Files, RunDir};
use super::running;
use crate::AppError;

pub(super) use seeing::see;

/// What a contract is made of beside the directory.
pub(super) struct Terms {
    /// The kind of run.
    pub(super) of: Of,
    /// The suites that the profile declares, if the run is of all of them.
    pub(super) declared: Option<BTreeSet<String>>,
    /// What is to be known and is no fault.
    pub(super) notes: Vec<String>,
    /// Whether it is a shard for which nothing is planned.
    pub(super) empty: bool,
}

/// Judges what lies there and writes the three last documents: `evidence_contract.json`, `runner_outcome.json`, `summary.json`.
///
/// # Errors
/// A directory that cannot be read or written; documents that are not there as they were written.
pub(super) fn seal(dir: &RunDir, summary: &mut Summary, terms: &Terms) -> Result<(), AppError> {
    // As it will be read: without secrets, and with numbers as a reader has them.
    let read: Summary = serde_json::from_str(&dir.clean(&text(summary)?))
        .map_err(|e| AppError::new(Reason::Internal, format!("summary.json: {e}")))?;
    let mut seen = see(dir, &read, None)?;
    seen.of = terms.of;
    seen.declared.clone_from(&terms.declared);
    seen.notes.extend(terms.notes.iter().cloned());
    conclude(dir, summary, &judge(&read, &seen), terms.empty)
}

/// Writes down a run of which nothing can be checked: it did not come to its end.
///
/// # Errors
/// As [`seal`].
pub(super) fn refuse(dir: &RunDir, summary: &mut Summary, why: &str) -> Result<(), AppError> {
    conclude(dir, summary, &Contract::refused(summary, why), false)
}

fn conclude(
    dir: &RunDir,
    summary: &mut Summary,
    contract: &Contract,
    empty: bool,
) -> Result<(), AppError> {
    if let (Status::Fail, Some(first)) = (contract.status, contract.errors.first()) {
        let text = match contract.errors.len() - 1 {
            0 => first.clone(),
            more => format!("{first} (and {more} more: `{FILE}`)"),
        };
        let problem = Problem::new(Reason::EvidenceContractFailed, dir.clean(&text));
        summary.problems.push(problem);
        summary.count();
    }
    summary.evidence_contract = Some(contract.brief());
    let outcome = running::outcome(summary, empty);
    summary.runner_outcome = Some(outcome.clone());
    dir.write(FILE, contract)?;
    running::write_outcome(dir, &summary.correlation_id, &outcome)?;
    dir.write("summary.json", summary)?;
    let outcome = running::outcome_document(&summary.correlation_id, &outcome);
    as_written(dir, FILE, contract)?;
    as_written(dir, "runner_outcome.json", &outcome)?;
    as_written(dir, "summary.json", summary)
}

fn text<T: Serialize>(value: &T) -> Result<String, AppError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| AppError::new(Reason::Internal, e.to_string()))?;
    Ok(text + "\n")
}

fn as_written<T: Serialize>(dir: &RunDir, name: &str, value: &T) -> Result<(), AppError> {
    let path = dir.at(name);
    let found = std::fs::read(&path).map_err(|e| AppError::io("read", &path, &e))?;
    if found == dir.clean(&text(value)?).as_bytes() {
        return Ok(());
    }
    let text = format!("`{}` is not what was written a moment ago", path.display());
    Err(AppError::new(Reason::ArtifactsChanged, text)
        .hint("keep other programs from writing there; run again"))
}

/// How a run that is there breaks its contract now; empty if it does not, or never had one. `files` are those that were recorded.
///
/// # Errors
/// A directory that cannot be read.
pub(super) fn broken(
    dir: &RunDir,
    summary: &Summary,
    files: &Files,
) -> Result<Vec<String>, AppError> {
    let Some(brief) = &summary.evidence_contract else {
        return Ok(Vec::new());
    };
    let path = dir.at(FILE);
    let bytes = std::fs::read(&path).map_err(|e| AppError::io("read", &path, &e));
    let kept: Option<Contract> = bytes.ok().and_then(|b| serde_json::from_slice(&b).ok());
    let Some(kept) = kept else {
        return Ok(vec![format!("`{FILE}` cannot be read")]);
    };
    let mut found = Vec::new();
    if kept.brief() != *brief || kept.run_id != summary.run_id {
        found.push(format!("`{FILE}` is not the one that the summary names"));
    }
    // One that failed is told by the run itself.
    if kept.status == Status::Fail {
        return Ok(found);
    }
    let mut seen = see(dir, summary, Some(files))?;
    let merged = files.files.iter().any(|f| f.path == super::merging::MERGED);
    if merged {
        seen.of = Of::Merge;
    }
    let declared = kept
        .strict_conformance
        .then(|| summary.selected.iter().cloned().collect());
    seen.declared = declared;
    found.extend(judge(summary, &seen).errors);
    Ok(found)
}
