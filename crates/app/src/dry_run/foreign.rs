//! What a run's directory must not hold: entries that are no plain files, and another specification than the recorded one.
//!
//! The child can reach the directory. What is foreign there is moved beside it, nothing of it is lost, and [`FOREIGN`] says in the
//! directory what was moved: the judge reads that, so such a run is judged, and never passes.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason};
use gonogo_dryrun::journal::{Entry, Event};
use gonogo_dryrun::spec::{FOREIGN, RunSpec};

use super::comparing;
use super::keeping::{self, EVIDENCE, SPEC};
use super::recording;
use crate::AppError;
use crate::home::Home;
use crate::workspace::{make_dir, write_atomic};

/// The largest specification.
const LARGEST: u64 = 16 << 20;

/// Moves everything out of a capture directory that is no plain file, but for the directory of evidence and the plain files in it.
///
/// # Errors
/// Something cannot be moved, or there is no space to say so.
pub(super) fn set_aside(dir: &Path) -> Result<(), AppError> {
    let said = dir.join(FOREIGN);
    if said.symlink_metadata().is_ok_and(|meta| !meta.is_file()) {
        // Where it shall be said lies something else; under another name it is moved like the rest.
        let to = dir.join(format!("{FOREIGN}.odd"));
        fs::rename(&said, &to).map_err(|e| AppError::io("rename", &said, &e))?;
    }
    for (place, prefix) in [(dir.to_owned(), ""), (dir.join(EVIDENCE), "evidence/")] {
        let Ok(entries) = fs::read_dir(&place) else {
            continue;
        };
        for entry in entries.filter_map(Result::ok) {
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            let is_evidence = prefix.is_empty() && kind.is_dir() && entry.file_name() == EVIDENCE;
            if kind.is_file() || is_evidence {
                continue;
            }
            let name = entry.file_name();
            let text = format!("`{prefix}{}` was no plain file", name.to_string_lossy());
            remove(dir, &entry.path(), &text)?;
        }
    }
    Ok(())
}

/// Puts the recorded specification in its place if another one lies there.
///
/// # Errors
/// The other one cannot be moved, or the recorded one not be written.
pub(super) fn put_back(dir: &Path, recorded: &[u8]) -> Result<(), AppError> {
    let path = dir.join(SPEC);
    let found = match read(&path) {
        Ok(found) => found,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(AppError::io("read", &path, &e)),
    };
    if found == recorded {
        return Ok(());
    }
    remove(
        dir,
        &path,
        "`run.json` was not the specification that was recorded before the run",
    )?;
    write_atomic(&path, recorded)
}

/// Puts the specification of a run back that nobody follows any more, from the ledger. A run that no ledger knows stays as it is.
/// So does one that was judged already. Returns where the ledger lies that knows it, if that is beside a run and not a project's.
///
/// # Errors
/// As [`put_back`]; the ledger's faults.
pub(super) fn restore(
    home: &Home,
    dir: &Path,
    is_judged: bool,
) -> Result<Option<PathBuf>, AppError> {
    let path = dir.join(SPEC);
    let bytes = match read(&path) {
        Ok(bytes) => Some(bytes),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(AppError::io("read", &path, &e)),
    };
    let parsed = bytes
        .as_deref()
        .and_then(|bytes| serde_json::from_slice::<RunSpec>(bytes).ok());
    let mut ids: Vec<String> = parsed.into_iter().map(|spec| spec.run_id).collect();
    ids.extend(journalled(dir));
    let beside = match home.config {
        Some(_) => None,
        None => match comparing::beside(home, dir, &ids)? {
            Some(beside) => Some(beside),
            None => return Ok(None),
        },
    };
    let book = home.open(beside.as_deref().unwrap_or(dir))?;
    for id in ids {
        let Some(begun) = recording::known(&book, &id)?.begun else {
            continue;
        };
        if is_judged || bytes.as_deref().map(Digest::of) == Some(begun) {
            break;
        }
        let recorded = book.ledger.read_blob(&begun, LARGEST)?;
        if bytes.is_none() {
            note(dir, "`run.json` was missing")?;
            write_atomic(&path, &recorded)?;
        } else {
            put_back(dir, &recorded)?;
        }
        break;
    }
    Ok(beside)
}

/// The run that the keeper's journal is about.
fn journalled(dir: &Path) -> Option<String> {
    let file = keeping::open_file(&dir.join("keeper.jsonl")).ok()?;
    let mut bytes = Vec::new();
    file.take(64 << 10).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|b| *b == b'\n').next()?;
    match serde_json::from_slice::<Entry>(line).ok()?.event {
        Event::Begun { run_id, .. } => Some(run_id),
        _ => None,
    }
}

/// Moves an entry out of the directory.
fn remove(dir: &Path, entry: &Path, what: &str) -> Result<(), AppError> {
    let mut name = dir.as_os_str().to_owned();
    name.push(".foreign");
    let aside = PathBuf::from(name);
    make_dir(&aside)?;
    let base = entry.file_name().unwrap_or_default();
    for n in 1..10_000 {
        let mut name = base.to_owned();
        // Never the name of a file of a run, or the directory would be taken for one.
        name.push(format!(".{n}"));
        let to = aside.join(name);
        if to.symlink_metadata().is_ok() {
            continue;
        }
        note(dir, &format!("{what}, and lies in `{}` now", to.display()))?;
        return fs::rename(entry, &to).map_err(|e| {
            let text = format!("cannot move `{}` away: {e}", entry.display());
            AppError::new(Reason::InputMalformed, text)
                .hint("a run's directory holds files of the run alone")
        });
    }
    let text = format!("`{}` holds too many files", aside.display());
    Err(AppError::new(Reason::OutputFailed, text))
}

/// Says it in the directory, before it is done.
fn note(dir: &Path, text: &str) -> Result<(), AppError> {
    let path = dir.join(FOREIGN);
    let fault = |e: io::Error| AppError::io("write", &path, &e);
    let line = text.replace(['\n', '\r'], " ");
    let mut file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(fault)?;
    writeln!(file, "{line}")
        .and_then(|()| file.sync_all())
        .map_err(fault)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    keeping::open_file(path)?
        .take(LARGEST)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
