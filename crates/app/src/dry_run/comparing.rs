//! What lies in a run's directory, held against what the ledger holds of the run and against its signed verdict.
//!
//! Whoever can write the directory can write all of its files, and judging edited files again gives a verdict of edited files. Only the
//! ledger was out of reach. Invariant: a comparison that cannot be made is told, and never taken for one that succeeded.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Timestamp};
use gonogo_dryrun::sign_off::Finding;
use gonogo_dryrun::spec::RunSpec;
use gonogo_dryrun::summary::Report;
use gonogo_dryrun::{Status, classify, judge};

use super::keeping::{self, Files, LIST, SCHEMA, SPEC, VERDICT};
use super::recording::{self, Known};
use super::wanted::Wanted;
use crate::AppError;
use crate::home::Home;
use crate::workspace::STATE_DIR;

/// The largest list or verdict that is read.
const LARGEST: u64 = 256 << 20;

/// Most files that are told one by one.
const MOST: usize = 100;

/// The verdict that lies in the directory and is the signed one, or may be.
pub(super) struct Signed {
    /// When it was given.
    pub(super) judged_at: Timestamp,
    bytes: Vec<u8>,
    status: Status,
}

impl Signed {
    /// What follows from the files, where it is not what was signed.
    pub(super) fn differs(&self, derived: &Report) -> Option<Finding> {
        if judge::to_bytes(derived) == self.bytes {
            return None;
        }
        let text = match self.status == derived.status {
            true => format!(
                "{VERDICT} is not what follows from the run's files, though both say `{}`",
                self.status
            ),
            false => format!(
                "{VERDICT} says `{}`, and `{}` follows from the run's files",
                self.status, derived.status
            ),
        };
        Some(told(Status::Invalid, "verdict_differs", VERDICT, text))
    }
}

/// Compares. What comes back are the findings, and the verdict to hold a new one against.
///
/// # Errors
/// The ledger's faults; a file of the run cannot be read.
pub(super) fn compare(
    home: &Home,
    dir: &Path,
    spec: &RunSpec,
) -> Result<(Vec<Finding>, Option<Signed>), AppError> {
    let mut found = Vec::new();
    let known = known(home, dir, spec)?;
    let (_, own) = keeping::digest(&dir.join(SPEC))?;
    match known.begun {
        None => {
            let text = format!(
                "the ledger here does not know {}, so nothing shows that its files are as they were",
                spec.run_id
            );
            found.push(told(Status::Warn, "run_not_recorded", SPEC, text));
        }
        Some(begun) if begun != own => {
            let text = format!("{SPEC} is not the specification that was recorded before the run");
            found.push(told(Status::Invalid, "specification_changed", SPEC, text));
        }
        Some(_) => {}
    }
    let list = whole(&dir.join(LIST))?;
    let verdict = whole(&dir.join(VERDICT))?;
    for (name, bytes, recorded, code) in [
        (LIST, &list, known.files, "file_list_changed"),
        (VERDICT, &verdict, known.signed, "verdict_changed"),
    ] {
        match (bytes, recorded) {
            (Some(bytes), Some(recorded)) if Digest::of(bytes) != recorded => {
                let text = format!("{name} is not the one that was signed");
                found.push(told(Status::Invalid, code, name, text));
            }
            (None, Some(_)) => {
                let text = format!("{name} is missing, and one was signed");
                found.push(told(Status::Invalid, code, name, text));
            }
            (Some(_), None) if known.begun.is_some() => {
                let text = format!(
                    "{name} was never signed: whoever can write here could have written it"
                );
                found.push(told(Status::Invalid, code, name, text));
            }
            _ => {}
        }
    }
    if let Some(list) = &list {
        found.extend(listed(dir, spec, list)?);
    }
    let signed = verdict.and_then(|bytes| signed(bytes, &known, &mut found));
    Ok((found, signed))
}

/// What the ledger holds: the project's, or the one beside the runs. None is founded.
fn known(home: &Home, dir: &Path, spec: &RunSpec) -> Result<Known, AppError> {
    if home.config.is_some() {
        let known = recording::known(&home.open(dir)?, &spec.run_id)?;
        if known.begun.is_some() {
            return Ok(known);
        }
    }
    let alone = Home {
        config: None,
        ..home.clone()
    };
    match beside(&alone, dir, std::slice::from_ref(&spec.run_id))? {
        Some(beside) => recording::known(&alone.open(&beside)?, &spec.run_id),
        None => Ok(Known::default()),
    }
}

/// The directory whose ledger knows one of these runs, for a home without a project: `run` keeps it in the log directory,
/// `orchestrate` beside the runs' directories, and a directory that was copied elsewhere says where it came from. Whoever can
/// write what it says can as well put a ledger beside it; the user's memory of ledgers is asked for each.
pub(super) fn beside(
    alone: &Home,
    dir: &Path,
    runs: &[String],
) -> Result<Option<PathBuf>, AppError> {
    let said = Wanted::read(dir).ok().map(|wanted| wanted.beside);
    let near = dir.ancestors().skip(1).take(3).map(Path::to_owned);
    for place in said.into_iter().chain(near) {
        if !place.join(STATE_DIR).join("ledger").is_dir() {
            continue;
        }
        let book = alone.open(&place)?;
        for run in runs {
            if recording::known(&book, run)?.begun.is_some() {
                return Ok(Some(place));
            }
        }
    }
    Ok(None)
}

/// Compares the files with their list.
fn listed(dir: &Path, spec: &RunSpec, list: &[u8]) -> Result<Vec<Finding>, AppError> {
    let invalid = |code: &str, name: &str, text: String| told(Status::Invalid, code, name, text);
    let list: Files = match serde_json::from_slice(list) {
        Ok(list) => list,
        Err(e) => {
            let text = format!("{LIST} is no list of files: {e}");
            return Ok(vec![invalid("file_list_changed", LIST, text)]);
        }
    };
    if list.schema != SCHEMA || list.run_id != spec.run_id {
        let text = format!("{LIST} is of another run");
        return Ok(vec![invalid("file_list_changed", LIST, text)]);
    }
    let now = Files::of(dir, &spec.run_id)?;
    let mut then: BTreeMap<&str, Digest> = BTreeMap::new();
    let mut found = Vec::new();
    for file in &list.files {
        if then.insert(&file.name, file.sha256).is_some() {
            let text = format!("{LIST} names {} twice", file.name);
            found.push(invalid("file_list_changed", LIST, text));
        }
    }
    for file in &now.files {
        match then.remove(file.name.as_str()) {
            Some(digest) if digest == file.sha256 => {}
            Some(_) => {
                let text = format!("{} is not what it was when the run was judged", file.name);
                found.push(invalid("file_changed", &file.name, text));
            }
            None => {
                let text = format!("{} was added after the run was judged", file.name);
                found.push(invalid("file_added", &file.name, text));
            }
        }
    }
    for name in then.into_keys() {
        let text = format!("{name} was there when the run was judged, and is missing");
        found.push(invalid("file_missing", name, text));
    }
    if found.len() > MOST {
        let text = format!("{} more files are not as they were", found.len() - MOST);
        found.truncate(MOST);
        found.push(invalid("file_changed", LIST, text));
    }
    Ok(found)
}

/// The verdict to compare with, if the same rules can be held to it.
fn signed(bytes: Vec<u8>, known: &Known, found: &mut Vec<Finding>) -> Option<Signed> {
    let report: Report = match serde_json::from_slice(&bytes) {
        Ok(report) => report,
        Err(e) => {
            let text = format!("{VERDICT} is no verdict: {e}");
            found.push(told(Status::Invalid, "verdict_changed", VERDICT, text));
            return None;
        }
    };
    let ours = (classify::VERSION, judge::VERSION);
    if let Some((classifier, rules)) = &known.versions
        && (classifier.as_str(), rules.as_str()) != ours
    {
        let text = format!(
            "the run was judged by {classifier} and {rules}, and this program has {} and {}: its verdict cannot be derived here",
            ours.0, ours.1
        );
        found.push(told(Status::Warn, "other_rules", VERDICT, text));
        return None;
    }
    let Some(judged_at) = report.generated_at else {
        let text = format!("{VERDICT} does not say when it was given");
        found.push(told(Status::Invalid, "verdict_changed", VERDICT, text));
        return None;
    };
    Some(Signed {
        judged_at,
        bytes,
        status: report.status,
    })
}

fn whole(path: &Path) -> Result<Option<Vec<u8>>, AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let file = match keeping::open_file(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(fault(e)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST).read_to_end(&mut bytes).map_err(fault)?;
    Ok(Some(bytes))
}

fn told(severity: Status, code: &str, name: &str, message: String) -> Finding {
    Finding {
        severity,
        message,
        code: code.to_owned(),
        accepted: None,
        metadata: BTreeMap::from([("path".to_owned(), name.into())]),
    }
}
