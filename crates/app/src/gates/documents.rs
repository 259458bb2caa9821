//! Documents that gates look into: files of the project, and outputs that a run kept.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use gonogo_core::{Digest, Timestamp, Verdict};
use gonogo_gate::inputs::{Found, Origin};
use serde_json::Value;

use super::compared::Recorded;

/// Most bytes of a document.
pub const LARGEST: u64 = 64 << 20;

/// Begins the name of a document that a run kept: `run:TARGET/PATH`.
pub const OF_RUN: &str = "run:";

/// Where a document says when it was made.
const TIMES: [&str; 5] = [
    "/generated_at",
    "/generated_at_utc",
    "/timestamp",
    "/created_at",
    "/evaluated_at",
];

/// The bytes of a document and where they come from. `runs` are those of the tree, the newest first.
pub fn bytes(root: &Path, name: &str, runs: &[&Recorded]) -> Found<Vec<u8>> {
    let Some(of_run) = name.strip_prefix(OF_RUN) else {
        if name.starts_with('/') || name.split('/').any(|part| part == "..") {
            return Found::Unreadable {
                why: "its path leaves the project".into(),
                digest: None,
            };
        }
        return read(&root.join(name), None);
    };
    match of_run.split_once('/') {
        Some((target, path)) => kept(target, path, runs),
        None => Found::Unreadable {
            why: format!("`{name}` names no file: expected `run:TARGET/PATH`"),
            digest: None,
        },
    }
}

/// Most contents of earlier runs that are looked at, and most bytes of all of them.
const EARLIER: (usize, usize) = (8, 16 << 20);

/// What the runs behind the newest kept under a name, each content once, the newest first. What cannot be read is left out: the run that
/// kept it says so itself.
pub(super) fn earlier(root: &Path, name: &str, runs: &[&Recorded]) -> Vec<Found<Value>> {
    if !name.starts_with(OF_RUN) {
        return Vec::new();
    }
    let mut known = BTreeSet::new();
    let mut found = Vec::new();
    let mut total = 0;
    for at in 0..runs.len() {
        let Found::Present { value, origin } = bytes(root, name, &runs[at..=at]) else {
            continue;
        };
        let is_newest = known.is_empty();
        if !known.insert(origin.digest) || is_newest {
            continue;
        }
        total += value.len();
        if found.len() == EARLIER.0 || total > EARLIER.1 {
            break;
        }
        found.push(json(Found::Present { value, origin }, None));
    }
    found
}

/// An output of the newest run that has the target.
fn kept(target: &str, path: &str, runs: &[&Recorded]) -> Found<Vec<u8>> {
    let found = runs.iter().find_map(|run| {
        let result = run.summary.targets().find(|t| t.target == target)?;
        Some((run, result))
    });
    let Some((run, result)) = found else {
        return Found::Absent;
    };
    if run.summary.status == Verdict::Invalid || result.status == Verdict::Invalid {
        let reasons: Vec<&str> = run.summary.reasons.iter().map(|r| r.code()).collect();
        return Found::Unreadable {
            why: format!(
                "the run `{}` that kept it is invalid: {}",
                run.summary.run_id,
                reasons.join(", ")
            ),
            digest: None,
        };
    }
    let home = result.tests_file.trim_end_matches("tests.jsonl");
    let inner = format!("{home}outputs/{path}");
    // What lies in a run's directory counts only as it was recorded.
    let listed = match listed(run, &inner) {
        Ok(Some(digest)) => digest,
        Ok(None) => return Found::Absent,
        Err(why) => return Found::Unreadable { why, digest: None },
    };
    let origin = Origin {
        digest: listed,
        at: Some(result.timestamp),
        tree: Some(run.summary.source.tree.clone()),
        record: Some(run.index),
    };
    match read(&run.dir.join(&inner), Some(origin)) {
        Found::Present { value, origin } if Digest::of(&value) != listed => Found::Unreadable {
            why: format!("`{inner}` is not what the run recorded"),
            digest: Some(origin.digest),
        },
        other => other,
    }
}

fn listed(run: &Recorded, path: &str) -> Result<Option<Digest>, String> {
    use crate::suite::artifacts::{FILES, Files};
    let file = run.dir.join(FILES);
    let Found::Present { value, origin } = read(&file, None) else {
        return Err(format!("`{}` cannot be read", file.display()));
    };
    if run.files != Some(origin.digest) {
        return Err(format!("`{FILES}` is not the list that was recorded"));
    }
    let files: Files = serde_json::from_slice(&value).map_err(|e| format!("`{FILES}`: {e}"))?;
    let found = files.files.into_iter().find(|kept| kept.path == path);
    Ok(found.map(|kept| kept.sha256))
}

pub(super) fn read(path: &Path, origin: Option<Origin>) -> Found<Vec<u8>> {
    let unreadable = |why: String| Found::Unreadable { why, digest: None };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Found::Absent,
        Err(e) => return unreadable(e.to_string()),
    };
    match file.metadata() {
        Ok(meta) if !meta.is_file() => return unreadable("it is no plain file".into()),
        Ok(_) => {}
        Err(e) => return unreadable(e.to_string()),
    }
    let mut value = Vec::new();
    match file.take(LARGEST + 1).read_to_end(&mut value) {
        Err(e) => return unreadable(e.to_string()),
        Ok(read) if read as u64 > LARGEST => {
            return unreadable(format!("it has more than {LARGEST} bytes"));
        }
        Ok(_) => {}
    }
    let origin = origin.unwrap_or_else(|| Origin {
        digest: Digest::of(&value),
        at: None,
        tree: None,
        record: None,
    });
    Found::Present { value, origin }
}

/// A document as JSON. A file of the project is of the tree under judgement if that tree has it; its time is what it says itself.
pub fn json(found: Found<Vec<u8>>, tree: Option<&str>) -> Found<Value> {
    match found {
        Found::Absent => Found::Absent,
        Found::Unreadable { why, digest } => Found::Unreadable { why, digest },
        Found::Present { value, mut origin } => match gonogo_core::canonical::parse(&value) {
            Err(e) => Found::Unreadable {
                why: format!("it is no JSON: {e}"),
                digest: Some(Digest::of(&value)),
            },
            Ok(value) => {
                if origin.at.is_none() {
                    origin.at = time_of(&value);
                }
                if origin.tree.is_none() {
                    origin.tree = tree.map(str::to_owned);
                }
                Found::Present { value, origin }
            }
        },
    }
}

fn time_of(value: &Value) -> Option<Timestamp> {
    TIMES
        .iter()
        .find_map(|pointer| value.pointer(pointer)?.as_str()?.parse().ok())
}
