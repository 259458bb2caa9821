//! Runs that are there: found by id, path or `last`, their files compared with what was recorded.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use gonogo_core::{Digest, Reason, Timestamp, Verdict};
use gonogo_store::ledger::{Filter, RecordView};
use gonogo_suite::{Row, Summary};
use serde::Serialize;
use serde_json::Value;

use super::artifacts::{FILES, Files, RunDir, differences};
use super::running::{self, RESULT, stream};
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::{Book, Home};

/// Most bytes of a summary.
const SUMMARY: u64 = 256 << 20;

/// Most bytes of a line of tests.
const LINE: u64 = 1 << 20;

/// A run as its record names it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Its id.
    pub run_id: String,
    /// When it ended.
    pub at: Timestamp,
    /// Which profile.
    pub profile: String,
    /// What it was of.
    pub tree: String,
    /// What it came to.
    pub status: Option<Verdict>,
    /// Where it lies, relative to the project.
    pub directory: String,
    /// Of its list of files.
    pub files: Option<Digest>,
    /// The record's index.
    pub index: u64,
}

/// A run that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it came to.
    pub summary: Summary,
    /// Its directory.
    pub dir: PathBuf,
    /// How its files differ from what was recorded; empty if they do not.
    pub differences: Vec<String>,
    /// The record of its result, if the ledger has one.
    pub record: Option<u64>,
}

/// Runs that have ended, the newest first.
///
/// # Errors
/// The ledger's.
pub fn list(home: &Home, most: usize) -> Result<Vec<Listed>, AppError> {
    super::recovering::recover(home)?;
    match book(home)? {
        Some(book) => listed(&book, most),
        None => Ok(Vec::new()),
    }
}

/// The ledger; none where there is neither a project nor a ledger yet: who only looks founds none.
///
/// # Errors
/// The ledger's.
pub(crate) fn book(home: &Home) -> Result<Option<Book>, AppError> {
    if home.config.is_none() && !home.here.join(crate::workspace::STATE_DIR).exists() {
        return Ok(None);
    }
    home.open(&home.here).map(Some)
}

pub(super) fn listed(book: &Book, most: usize) -> Result<Vec<Listed>, AppError> {
    let mut filter = Filter {
        kind: Some(RESULT.into()),
        limit: 1000,
        ..Filter::default()
    };
    let mut all = Vec::new();
    loop {
        let page = book.ledger.records(&filter)?;
        let Some(last) = page.last() else { break };
        filter.after = Some(last.index);
        all.extend(page.iter().filter_map(of_record));
    }
    all.reverse();
    all.truncate(most);
    Ok(all)
}

fn of_record(record: &RecordView) -> Option<Listed> {
    let id = record.stream.strip_prefix(&stream(""))?;
    let word = |key: &str| {
        record
            .body
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    Some(Listed {
        run_id: id.to_owned(),
        at: record.time,
        profile: word("profile").to_owned(),
        tree: word("tree").to_owned(),
        status: serde_json::from_value(record.body.get("status")?.clone()).ok(),
        directory: word("directory").to_owned(),
        files: word("files").parse().ok(),
        index: record.index,
    })
}

/// Finds a run: `last`, a unique prefix of an id, a run's directory or a summary in one.
///
/// # Errors
/// [`Reason::RunUnknown`]; a summary that cannot be read.
pub fn find(home: &Home, what: &str) -> Result<Loaded, AppError> {
    let path = home.here.join(what);
    let dir = if path.is_dir() {
        Some(path)
    } else if path.is_file() {
        path.parent().map(Path::to_owned)
    } else {
        None
    };
    let all = list(home, usize::MAX)?;
    if let Some(dir) = dir {
        let summary = summary(&dir)?;
        let own = all.iter().find(|l| l.run_id == summary.run_id);
        return load(dir, summary, own);
    }
    let listed = match what {
        "last" => all.first(),
        prefix => {
            let mut found = all.iter().filter(|l| l.run_id.starts_with(prefix));
            match (found.next(), found.next()) {
                (Some(_), Some(_)) => {
                    let text = format!("several runs begin with `{prefix}`");
                    return Err(AppError::new(Reason::RunUnknown, text).hint("give more of the id"));
                }
                (one, _) => one,
            }
        }
    };
    let Some(listed) = listed else {
        let text = match what {
            "last" => "there is no run yet".to_owned(),
            _ => format!("no run has the id `{what}`, and no file or directory is there"),
        };
        return Err(AppError::new(Reason::RunUnknown, text).hint("`gonogo suite run` makes one"));
    };
    let dir = home.root().join(&listed.directory);
    let summary = summary(&dir)?;
    load(dir, summary, Some(listed))
}

fn load(dir: PathBuf, summary: Summary, listed: Option<&Listed>) -> Result<Loaded, AppError> {
    let mut found: Vec<String> = summary.check().into_iter().map(|p| p.text).collect();
    match listed.and_then(|l| l.files) {
        None => found.push("the ledger has no record of it".into()),
        Some(recorded) => {
            let bytes = read(&dir.join(FILES), SUMMARY)?;
            if Digest::of(&bytes) != recorded {
                found.push(format!("`{FILES}` is not the list that was recorded"));
            } else {
                let files: Files = serde_json::from_slice(&bytes).map_err(|e| {
                    AppError::new(Reason::InputMalformed, format!("`{FILES}`: {e}"))
                })?;
                found.extend(differences(&dir, &files)?);
            }
        }
    }
    Ok(Loaded {
        summary,
        dir,
        differences: found,
        record: listed.map(|l| l.index),
    })
}

/// How a run that is as it was recorded breaks its evidence contract; empty if it does not.
///
/// # Errors
/// Files that cannot be read.
pub fn contract(home: &Home, loaded: &Loaded) -> Result<Vec<String>, AppError> {
    if loaded.record.is_none() || !loaded.differences.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = read(&loaded.dir.join(FILES), SUMMARY)?;
    let files: Files = serde_json::from_slice(&bytes)
        .map_err(|e| AppError::new(Reason::InputMalformed, format!("`{FILES}`: {e}")))?;
    let empty = SuitesFile::default();
    let file = home.config.as_ref().map_or(&empty, |c| &c.suites);
    let dir = RunDir::reopen(&loaded.dir, running::redactor(file)?);
    super::contract::broken(&dir, &loaded.summary, &files)
}

/// Reads the summary of a run's directory.
///
/// # Errors
/// It is not there, or is none.
pub fn summary(dir: &Path) -> Result<Summary, AppError> {
    let path = dir.join("summary.json");
    let bytes = read(&path, SUMMARY)?;
    serde_json::from_slice(&bytes).map_err(|e| {
        let text = format!("`{}` is no summary of a run: {e}", path.display());
        AppError::new(Reason::InputMalformed, text)
    })
}

pub(super) fn read(path: &Path, most: u64) -> Result<Vec<u8>, AppError> {
    let file = std::fs::File::open(path).map_err(|e| AppError::io("read", path, &e))?;
    let mut bytes = Vec::new();
    file.take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| AppError::io("read", path, &e))?;
    if bytes.len() as u64 > most {
        let text = format!("`{}` has more than {most} bytes", path.display());
        return Err(AppError::new(Reason::InputMalformed, text));
    }
    Ok(bytes)
}

/// Hands over every test of a run, target by target.
///
/// # Errors
/// A list that is not there, or a line that is none.
pub fn rows(dir: &Path, summary: &Summary, mut take: impl FnMut(Row)) -> Result<(), AppError> {
    for target in summary.targets() {
        rows_of(&dir.join(&target.tests_file), &mut take)?;
    }
    Ok(())
}

/// Hands over every test of one list.
///
/// # Errors
/// A list that is not there, or a line that is none.
pub fn rows_of(path: &Path, take: impl FnMut(Row)) -> Result<(), AppError> {
    lines_of(path, take)
}

/// Hands over every line of a list of tests, as much of each as `T` has.
///
/// # Errors
/// As [`rows_of`].
pub(super) fn lines_of<T: serde::de::DeserializeOwned>(
    path: &Path,
    mut take: impl FnMut(T),
) -> Result<(), AppError> {
    let fault = |e: std::io::Error| AppError::io("read", path, &e);
    let file = std::fs::File::open(path).map_err(fault)?;
    let mut source = BufReader::with_capacity(1 << 18, file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut source).take(LINE).read_until(b'\n', &mut line);
        if read.map_err(fault)? == 0 {
            return Ok(());
        }
        let row = serde_json::from_slice(&line).map_err(|e| {
            let text = format!("`{}` has a line that is no test: {e}", path.display());
            AppError::new(Reason::InputMalformed, text)
        })?;
        take(row);
    }
}
