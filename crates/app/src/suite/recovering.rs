//! Runs whose runner was ended before it could say what they came to: written down as that by whoever looks next.
//!
//! A run holds a lock on its mark as long as it lives, so a run without a result whose mark nobody holds has ended. Its processes are
//! ended, logs that still hold their secrets are removed, targets that had ended keep their results, and the run is recorded as crashed: it can neither be
//! taken for one that never was, nor for a good one.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use gonogo_core::{Reason, Timestamp};
use gonogo_store::ledger::{Filter, RecordView};
use gonogo_suite::TargetResult;
use gonogo_suite::run::{
    Attempted, COMMAND, Class, Collisions, End, Problem, Row, Source, State, Summary, judge,
};
use serde_json::Value;

use super::artifacts::{FILES, RunDir};
use super::contract;
use super::running::{self, BEGUN, MARK, RESULT, stream};
use super::{one, reading};
use crate::AppError;
use crate::config::SuitesFile;
use crate::home::{Book, Home};

/// Holds a run's mark until it is dropped.
///
/// # Errors
/// The mark cannot be opened or locked.
pub(super) fn hold(dir: &Path) -> Result<File, AppError> {
    let path = dir.join(MARK);
    let fault = |e: std::io::Error| AppError::io("lock", &path, &e);
    let file = File::open(&path).map_err(fault)?;
    file.lock().map_err(fault)?;
    Ok(file)
}

/// Whether somebody holds a run's mark.
fn is_held(dir: &Path) -> bool {
    let Ok(file) = File::open(dir.join(MARK)) else {
        return false;
    };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// A run that began and has no result.
struct Open {
    run_id: String,
    began: Timestamp,
    body: Value,
}

impl Open {
    fn word(&self, key: &str) -> Option<&str> {
        self.body.get(key).and_then(Value::as_str)
    }

    fn dir(&self, root: &Path) -> PathBuf {
        root.join(self.word("directory").unwrap_or_default())
    }
}

fn open_runs(book: &Book) -> Result<Vec<Open>, AppError> {
    let of = |kind: &str| -> Result<Vec<RecordView>, AppError> {
        Ok(book.ledger.every(Filter {
            kind: Some(kind.to_owned()),
            ..Filter::default()
        })?)
    };
    let (begun, results) = (of(BEGUN)?, of(RESULT)?);
    Ok(unended(&begun, &results).collect())
}

/// Runs that began and are not among the results.
fn unended<'a>(
    begun: &'a [RecordView],
    results: &'a [RecordView],
) -> impl Iterator<Item = Open> + 'a {
    let ended: BTreeSet<&str> = results.iter().map(|r| r.stream.as_str()).collect();
    let open = begun
        .iter()
        .filter(move |r| !ended.contains(r.stream.as_str()));
    open.filter_map(|record| {
        // What does not say where it lies was written before runs could be recovered.
        record.body.get("directory")?;
        Some(Open {
            run_id: record.stream.strip_prefix(&stream(""))?.to_owned(),
            began: record.time,
            body: record.body.clone(),
        })
    })
}

/// Writes down what was cut off; gives a line for each.
///
/// # Errors
/// The ledger's; files that cannot be written; processes that cannot be ended.
pub fn recover(home: &Home) -> Result<Vec<String>, AppError> {
    let Some(config) = &home.config else {
        return Ok(Vec::new());
    };
    let open = open_runs(&home.open(&home.here)?)?;
    let root = home.root();
    let mut told = Vec::new();
    for run in open {
        let dir = run.dir(&root);
        if is_held(&dir) {
            continue;
        }
        sweep(&run.run_id)?;
        let gone = !dir.is_dir();
        let text = match gone {
            false => "its runner was ended before the run was",
            true => "its runner was ended before the run was, and its directory is gone",
        };
        crate::workspace::make_dir(&dir)?;
        let kept = RunDir::reopen(&dir, running::redactor(&config.suites)?);
        let mut summary = summary(home, &run, text);
        let mut results = Vec::new();
        let mut lost: Vec<Problem> = Vec::new();
        if gone {
            let text = "what it had written down is gone with its directory";
            lost.push(Problem::new(Reason::EvidenceUnparsable, text));
        }
        for name in &summary.selected {
            results.push(result(&kept, &config.suites, &summary, name, &mut lost)?);
        }
        summary.fill(results);
        summary.problems.extend(lost);
        // A contract or an outcome of the moment before says nothing any more.
        contract::refuse(&kept, &mut summary, text)?;
        let files = kept.list(&run.run_id, &summary.correlation_id)?.to_bytes();
        crate::workspace::write_atomic(&kept.at(FILES), &files)?;
        running::conclude(&home.open(&home.here)?, &summary, &files, &home.actor()?)?;
        match std::fs::remove_file(kept.at(MARK)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(AppError::io("remove", &kept.at(MARK), &e));
            }
            _ => {}
        }
        told.push(format!("run {} of {}: {text}", run.run_id, run.began));
    }
    Ok(told)
}

/// Ends what a run left running.
fn sweep(run_id: &str) -> Result<(), AppError> {
    let fault = |e: gonogo_exec::ExecError| AppError::new(Reason::StoreFailed, e.to_string());
    let marks: BTreeSet<String> = gonogo_exec::marked(&format!("{run_id}/"))
        .map_err(fault)?
        .into_values()
        .collect();
    for mark in marks {
        gonogo_exec::sweep(&mark).map_err(fault)?;
    }
    Ok(())
}

fn summary(home: &Home, run: &Open, text: &str) -> Summary {
    let value = |key: &str| run.body.get(key).cloned().unwrap_or_default();
    let source = Source {
        tree: run.word("tree").unwrap_or_default().to_owned(),
        commit: run.word("commit").map(str::to_owned),
        ..Source::default()
    };
    let service = home.config.as_ref().map_or("", |c| c.service.as_str());
    let id = run.word("correlationId").unwrap_or_default();
    Summary {
        timestamp: home.clock.now().wall,
        profile: run.word("profile").unwrap_or_default().to_owned(),
        artifact_dir: run.word("directory").unwrap_or_default().to_owned(),
        shard: serde_json::from_value(value("shard")).unwrap_or_default(),
        variant: serde_json::from_value(value("variant")).unwrap_or_default(),
        selected: serde_json::from_value(value("selected")).unwrap_or_default(),
        state: State::Crashed,
        problems: vec![Problem::new(Reason::RunIncomplete, text)],
        ..running::blank(service, &run.run_id, id, source, run.began)
    }
}

/// Why a run cannot be believed whose runner was ended: files of it are gone or were changed since, which no end of a runner does. No
/// later run makes up for that, for nobody knows what it had found.
pub(crate) fn lost(summary: &Summary) -> Option<String> {
    let problems = summary.problems.iter();
    let mut lost = problems.filter(|p| p.reason == Reason::EvidenceUnparsable);
    let first = lost.next().filter(|_| summary.state == State::Crashed)?;
    Some(format!("`{}`: {}", summary.run_id, first.text))
}

/// Runs of this tree that began and have no result, but for the one that asks: after [`recover`] they go on. `begun` was read before
/// `results`, so that a run that ended in between is in these.
pub(crate) fn going(begun: &[RecordView], results: &[RecordView], tree: &str) -> Vec<String> {
    let mine = std::env::var(gonogo_exec::MARK).unwrap_or_default();
    let going = unended(begun, results).filter(|run| {
        let asks = mine.strip_prefix(&run.run_id);
        run.word("tree") == Some(tree) && !asks.is_some_and(|rest| rest.starts_with('/'))
    });
    going.map(|run| run.run_id).collect()
}

/// What a target had written down when its runner was ended.
enum Kept {
    /// All of it.
    Result(Box<TargetResult>),
    /// Its tests, without what they came to: the end came between the two.
    Tests(Vec<Row>),
    /// Nothing.
    Nothing,
}

/// Reads it. Both files are put in place whole, the tests first: what is cut, or does not fit together, was changed since, and is told.
fn kept(dir: &RunDir, home: &str, summary: &Summary, name: &str, lost: &mut Vec<Problem>) -> Kept {
    let path = dir.at(&format!("{home}/result.json"));
    let ended = std::fs::read(&path).ok();
    let mut tell = |what: &str| {
        let text = format!("`{home}/{what}");
        lost.push(Problem::new(Reason::EvidenceUnparsable, dir.clean(&text)));
    };
    let whole = ended.as_ref().and_then(|bytes| {
        let read = serde_json::from_slice::<TargetResult>(bytes).ok();
        read.filter(|r| r.target == name && r.correlation_id == summary.correlation_id)
    });
    if ended.is_some() && whole.is_none() {
        tell("result.json` is not what the run wrote");
    } else if ended.is_none() && path.exists() {
        tell("result.json` cannot be read");
    }
    let tests = dir.at(&format!("{home}/tests.jsonl"));
    if let Some(whole) = whole {
        let found = crate::dry_run::keeping::digest(&tests).map(|(_, digest)| digest);
        // A result always names its tests.
        if !found.is_ok_and(|digest| whole.tests_sha256 == Some(digest)) {
            tell("tests.jsonl` is not what the run wrote");
        }
        return Kept::Result(Box::new(whole));
    }
    let mut rows = Vec::new();
    if tests.exists() && reading::rows_of(&tests, |row| rows.push(row)).is_err() {
        tell("tests.jsonl` is not what the run wrote");
    }
    match rows.is_empty() {
        true => Kept::Nothing,
        false => Kept::Tests(rows),
    }
}

/// The result that a target has, or one that says that it has none; `lost` gets what of it is not there any more.
fn result(
    dir: &RunDir,
    file: &SuitesFile,
    summary: &Summary,
    name: &str,
    lost: &mut Vec<Problem>,
) -> Result<TargetResult, AppError> {
    let declared = file.suites.get(name);
    let has = |class: &Class| dir.at(&format!("{}/{name}", class.word())).is_dir();
    let class = Class::ALL.into_iter().find(has);
    let class = class.or(declared.map(|d| d.class)).unwrap_or(Class::Unit);
    let home = format!("{}/{name}", class.word());
    let rows = match kept(dir, &home, summary, name, lost) {
        Kept::Result(ended) => return Ok(*ended),
        Kept::Tests(rows) => rows,
        Kept::Nothing => Vec::new(),
    };
    let log = format!("{home}/test-log.jsonl");
    let began = dir.at(&log).is_file();
    // What a process had printed stands there with its secrets.
    one::drop_raw(dir, &home)?;
    for name in ["output.log", "test-log.jsonl", "artifact-index.jsonl"] {
        let name = format!("{home}/{name}");
        if !dir.at(&name).is_file() {
            dir.write_text(&name, "")?;
        }
    }
    let why = "its runner was ended";
    let (end, problems) = match began {
        true => {
            let text = "its runner was ended while it ran";
            let problem = Problem::new(Reason::RunIncomplete, text);
            (End::Cancelled, vec![problem])
        }
        false => (End::NotStarted { why: why.into() }, Vec::new()),
    };
    let attempted = Attempted {
        target: name.to_owned(),
        class,
        correlation_id: summary.correlation_id.clone(),
        blocking: declared.is_none_or(|d| d.blocking),
        owner: declared.and_then(|d| d.owner.clone()),
        command: declared.map_or_else(Vec::new, |d| {
            d.command.iter().map(|w| dir.clean(w)).collect()
        }),
        dir: declared.map_or_else(|| ".".to_owned(), |d| d.dir.clone()),
        format: declared.map_or(COMMAND, |d| d.format).to_owned(),
        min_tests: declared.map_or(1, |d| d.min_tests),
        min_duration_ms: None,
        end,
        duration_ms: 0,
        ended_at: summary.timestamp,
        inputs: Vec::new(),
        problems,
        home: home.clone(),
    };
    let mut result = judge(attempted, &Collisions::default(), &rows);
    result.tests_sha256 = Some(one::write_rows(&dir.at(&result.tests_file), &rows)?);
    dir.write(&format!("{home}/result.json"), &result)?;
    Ok(result)
}
